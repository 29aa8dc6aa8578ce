// Finds methods by name. What is looked for is in the address, so that it can be sent by link.
"use strict";

(() => {
  const section = document.querySelector(".found");
  const methods = [...section.querySelectorAll("details.method")];
  if (!methods.length) return;
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const names = new Map(methods.map((method) => [method, plain(method.dataset.names)]));

  const input = document.createElement("input");
  Object.assign(input, { type: "search", name: "find", spellcheck: false, autocomplete: "off" });
  const label = document.createElement("label");
  label.append("Find a method", input);
  const status = document.createElement("output");
  const form = document.createElement("form");
  form.className = "find";
  form.setAttribute("role", "search");
  form.append(label, status);
  section.querySelector("h2").after(form);

  const show = (wanted) => {
    const words = plain(wanted).split(/\s+/).filter(Boolean);
    for (const [method, known] of names) method.hidden = !words.every((word) => known.includes(word));
    const shown = methods.filter((method) => !method.hidden);
    status.textContent = words.length ? `${shown.length} of ${methods.length} methods` : `${methods.length} methods`;
    if (words.length && shown.length === 1) shown[0].open = true;
  };
  const keep = (wanted) => {
    const query = wanted ? `?${new URLSearchParams({ find: wanted })}` : "";
    try {
      history.replaceState(null, "", location.pathname + query + location.hash);
    } catch { /* a browser that lets no script rewrite a file's address; the list is found in all the same */ }
  };
  // What an address leads to is shown, whatever was looked for.
  const reveal = () => {
    const target = document.querySelector(":target");
    const method = target?.closest("details.method");
    if (!method) return;
    if (method.hidden) {
      input.value = "";
      show("");
      keep("");
    }
    method.open = true;
    target.scrollIntoView({ block: "center" });
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", () => { show(input.value); keep(input.value); });
  window.addEventListener("hashchange", reveal);
  input.value = new URLSearchParams(location.search).get("find") ?? "";
  show(input.value);
  reveal();
})();
