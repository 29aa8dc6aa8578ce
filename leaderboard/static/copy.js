// Tables to take away: as LaTeX, CSV or Markdown, just as they are shown, filtered and in order.
"use strict";

(() => {
  const MINUS = "\u2212", DASH = "\u2013";
  const LEFT_OUT = ".hidden, .note, .seeds, .beside, .range, .scale, .p-value, svg, sup, script";

  // Returns the text of a cell without what stands small below its figure.
  const read = (cell) => {
    const copy = cell.cloneNode(true);
    for (const part of copy.querySelectorAll(LEFT_OUT)) part.remove();
    for (const small of copy.querySelectorAll("small")) small.replaceWith(` (${small.textContent})`);
    return copy.textContent.replace(/\s+/g, " ").trim();
  };
  const isShown = (row) => !row.hidden && !row.closest("[hidden]");
  const readRow = (row) => [...row.cells].flatMap((cell) => {
    const one = { text: read(cell), isBest: cell.querySelector("strong") !== null, isNumber: isNumber(cell) };
    return [one, ...Array.from({ length: cell.colSpan - 1 }, () => ({ text: "" }))];
  });
  const isNumber = (cell) => getComputedStyle(cell).textAlign === "right";

  const readTable = (table) => ({
    head: [...(table.tHead?.rows ?? [])].map(readRow),
    rows: [...table.tBodies].flatMap((body) => [...body.rows]).filter(isShown).map(readRow),
  });

  const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", [MINUS]: "$-$", [DASH]: "--" };
  const escapeLatex = (text) => text
    .replace(/[\\~^&%$#_{}\u2212\u2013]/g, (sign) => LATEX[sign] ?? `\\${sign}`);
  const latexCell = ({ text, isBest }) => (isBest ? `\\textbf{${escapeLatex(text)}}` : escapeLatex(text));

  const writeLatex = ({ head, rows }) => {
    const line = (cells) => `${cells.map(latexCell).join(" & ")} \\\\`;
    const columns = (rows[0] ?? head[0] ?? []).map((cell) => (cell.isNumber ? "r" : "l")).join("");
    return [`\\begin{tabular}{${columns}}`, "\\toprule", ...head.map(line), "\\midrule",
      ...rows.map(line), "\\bottomrule", "\\end{tabular}", ""].join("\n");
  };

  // Quotes what parts cells or lines; a text that a spreadsheet would run gets an apostrophe.
  const csvCell = ({ text }) => {
    const plain = text.replaceAll(MINUS, "-");
    const isFormula = /^[=+\-@\t]/.test(plain) && !/^[+-]?\d/.test(plain);
    const safe = isFormula ? `'${plain}` : plain;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const writeCsv = ({ head, rows }) =>
    [...head, ...rows].map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("");

  const markdownCell = ({ text, isBest }) => {
    const safe = text.replace(/[\\|*_`<\[]/g, "\\$&");
    return isBest ? `**${safe}**` : safe;
  };
  const writeMarkdown = ({ head, rows }) => {
    const line = (cells) => `| ${cells.map(markdownCell).join(" | ")} |`;
    const title = head.at(-1) ?? (rows[0] ?? []).map(() => ({ text: "" }));
    const rule = (rows[0] ?? title).map((cell) => (cell.isNumber ? "--:" : "---"));
    return [line(title), `| ${rule.join(" | ")} |`, ...rows.map(line), ""].join("\n");
  };

  const FORMATS = { LaTeX: writeLatex, CSV: writeCsv, Markdown: writeMarkdown };

  // Hands a text to the clipboard; a page that is opened from a folder may not be allowed to ask.
  const take = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      const isDone = document.execCommand("copy");
      field.remove();
      if (!isDone) throw new Error("This browser lets no page copy.");
    }
  };

  const offer = (frame) => {
    const line = document.createElement("p");
    line.className = "copy";
    const said = document.createElement("output");
    const buttons = Object.entries(FORMATS).map(([name, write]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", async () => {
        const table = readTable(frame.querySelector("table"));
        try {
          await take(write(table));
          said.textContent = `${table.rows.length} rows copied as ${name}.`;
        } catch (error) {
          said.textContent = error.message;
        }
        button.focus();
      });
      return button;
    });
    line.append("Copy as ", ...buttons, said);
    frame.after(line);
  };

  // A table is taken as it stands at that moment: some are drawn by other scripts, and drawn anew.
  const offerAll = () => {
    for (const frame of document.querySelectorAll(".frame:has(thead)")) {
      if (!frame.nextElementSibling?.matches(".copy") && !frame.hidden) offer(frame);
    }
  };
  new MutationObserver(offerAll).observe(document.querySelector("main"), { childList: true, subtree: true });
  offerAll();
})();
