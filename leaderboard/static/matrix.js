// All methods as published against all others, by one metric: what is real in ink, what is not in
// grey with an approximate sign. Arrows lead from cell to cell; a click or Enter chooses a pair.
"use strict";

leaderboard.matrix = (() => {
  const { element } = leaderboard.shots;
  const MOST_WRITTEN = 14; // methods of which differences are written out; of more, their signs
  const MINUS = "\u2212", NEAR = "\u2248";
  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  const sign = (value) => (value < 0 ? MINUS : "+");
  const points = (value) => leaderboard.verdict.fixed(Math.abs(value), 1);

  const write = (found, isShort) => {
    if (isShort) return found.real ? sign(found.difference) : NEAR;
    const text = `${sign(found.difference)}${points(found.difference)}`;
    return found.real ? text : `${NEAR}\u2009${text}`;
  };

  const say = (a, b, found, metric) => {
    const side = found.difference < 0 ? "below" : "above";
    const chance = found.real ? "" : ", not told apart";
    return `${a} is ${points(found.difference)} points of ${metric} ${side} ${b}${chance}`;
  };

  // Returns the methods as published, the best by a metric first.
  const inOrder = (contest, metric) => contest.entries.filter((entry) => !entry.variant)
    .sort((x, y) => y.means[metric] - x.means[metric]);

  // Draws the table. `read` compares two entries, `choose` is called with the pair of a cell.
  const draw = ({ contest, metric, chosen, read, nameOf, choose }) => {
    const entries = inOrder(contest, metric);
    const isShort = entries.length > MOST_WRITTEN;
    const cells = entries.map((row, i) => entries.map((column, j) => {
      if (i === j) return element("td", { role: "gridcell", class: "same", "aria-label": "the same" });
      const found = read(row, column);
      const cell = element("td", {
        role: "gridcell",
        class: found.real ? "" : "quiet",
        "aria-label": say(nameOf(row), nameOf(column), found, contest.metrics[metric]),
        "aria-selected": String(row.file === chosen[0] && column.file === chosen[1]),
      }, write(found, isShort));
      cell.addEventListener("click", () => choose(row.file, column.file));
      return cell;
    }));
    const header = element("tr", { role: "row" }, element("td", {}), ...entries.map((entry, place) =>
      element("th", { scope: "col", title: nameOf(entry), "aria-label": nameOf(entry) }, String(place + 1))));
    const rows = cells.map((of, place) => element("tr", { role: "row" },
      element("th", { scope: "row", class: "pinned" },
        element("span", { class: "quiet" }, `${place + 1} `), nameOf(entries[place])), ...of));
    const table = element("table", { role: "grid", class: isShort ? "matrix short" : "matrix",
      "aria-label": `Differences in ${contest.metrics[metric]} between all methods` },
      element("thead", {}, header), element("tbody", {}, ...rows));
    steer(table, cells);
    return table;
  };

  // Makes one cell a stop of the keyboard, and moves it by the arrows.
  const steer = (table, cells) => {
    const all = cells.flat();
    const stop = all.find((cell) => cell.ariaSelected === "true") ?? cells[0][1];
    for (const cell of all) cell.tabIndex = cell === stop ? 0 : -1;
    table.addEventListener("keydown", (event) => {
      const i = cells.findIndex((row) => row.includes(event.target));
      if (i < 0) return;
      if (event.key === "Enter" || event.key === " ") event.target.click();
      else if (event.key in STEPS) move(event.target, i, STEPS[event.key]);
      else return;
      event.preventDefault();
    });
    const move = (from, i, [down, right]) => {
      const next = cells[i + down]?.[cells[i].indexOf(from) + right];
      if (!next) return;
      [from.tabIndex, next.tabIndex] = [-1, 0];
      next.focus();
    };
  };

  return { draw };
})();
