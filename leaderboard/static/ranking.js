// The controls of the rankings. What they show is in the address: a view can be sent by link, and
// the browser's back button leads to the view before.
"use strict";

(() => {
  const boards = [...document.querySelectorAll("section.board")].map(leaderboard.rankingTable);
  if (!boards.length) return;
  const { metrics, metricName } = boards[0];
  const columns = boards.flatMap((board) => board.headers.map((header) => header.dataset.key));
  const entries = boards.flatMap((board) => board.entries);
  const FIRST = { metric: metrics[0], baseline: "", name: "", supervision: "", backbone: "", people: "", sort: "rank" };
  const values = (field) => [...new Set(entries.map((entry) => entry.dataset[field]))].filter(Boolean).sort();
  const kinds = { supervision: values("supervision"), backbone: values("backbone"), people: values("people") };
  const names = new Map(boards.flatMap((board) => board.rows).map((row) => [row.dataset.method, nameOf(row)]));
  const rivals = [...names].sort(([, a], [, b]) => a.localeCompare(b));
  const everyone = new Set(entries.map((entry) => entry.dataset.method)).size;

  function nameOf(entry) {
    const [title, alias] = entry.querySelectorAll("th.pinned > a, th.pinned > .alias");
    return alias ? `${title.textContent} (${alias.textContent})` : title.textContent;
  }

  // The address
  const directionOf = (key) => boards.flatMap((board) => board.headers)
    .find((header) => header.dataset.key === key).dataset.first;
  const readView = () => {
    const given = new URLSearchParams(location.search);
    const allowed = { metric: metrics, baseline: [...names.keys()], ...kinds, sort: columns };
    const view = {};
    for (const [name, value] of Object.entries(FIRST)) {
      const wanted = given.get(name) ?? value;
      view[name] = !allowed[name] || allowed[name].includes(wanted) ? wanted : value;
    }
    const order = given.get("order");
    return { ...view, order: ["ascending", "descending"].includes(order) ? order : directionOf(view.sort) };
  };
  const writeView = (view, replaces) => {
    const given = Object.entries(view).filter(([name, value]) =>
      value !== (name === "order" ? directionOf(view.sort) : FIRST[name]));
    const query = new URLSearchParams(given).toString();
    const address = location.pathname + (query && `?${query}`) + location.hash;
    try {
      history[replaces ? "replaceState" : "pushState"](null, "", address);
    } catch {
      location.assign(address); // a browser that lets no script rewrite a file's address
    }
  };

  // The filters
  const passes = (view, entry, ignored = "") => {
    const isKind = (field) => field === ignored || !view[field] || entry.dataset[field] === view[field];
    const isNamed = nameOf(entry).toLowerCase().includes(view.name.trim().toLowerCase());
    return isNamed && Object.keys(kinds).every(isKind);
  };
  const count = (found) => new Set(found.map((entry) => entry.dataset.method)).size;

  // The controls
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const labelled = (text, control) => make("label", {}, make("span", {}, text), control);
  const option = (value, text) => make("option", { value }, text);
  const switcher = document.querySelector(".switch");
  const metricChoice = make("fieldset", { class: "switch" }, make("legend", { class: "hidden" }, "Ranked by"),
    ...[...switcher.children].map(metricCell));
  const baseline = make("select", { name: "baseline" }, option("", "the best"),
    ...rivals.map(([key, name]) => option(key, name)));
  const chosen = Object.fromEntries(Object.entries(kinds).map(([field, found]) =>
    [field, make("select", { name: field }, option("", ""), ...found.map((value) => option(value, value)))]));
  const name = make("input", { type: "search", name: "name", spellcheck: "false" });
  const status = make("output");
  const reset = make("button", { type: "button" }, "Reset");
  const filters = make("details", { class: "controls" }, make("summary", {}, "Compare and filter"),
    make("div", {},
      ...(rivals.length > 1 ? [labelled("Difference to", baseline)] : []),
      labelled("Find a method", name),
      ...(kinds.supervision.length > 1 ? [labelled("Supervision", chosen.supervision)] : []),
      ...(kinds.backbone.length > 1 ? [labelled("Backbone", chosen.backbone)] : []),
      ...(kinds.people.length > 1 ? [labelled("Person pre-training", chosen.people)] : []),
      make("p", {}, status, " ", reset)));
  const said = make("p", { class: "hidden", role: "status" }); // what a choice changed, for who does not see it
  const form = make("form", { class: "view", "aria-label": "View", autocomplete: "off" },
    metricChoice, filters, said);
  const wide = matchMedia("(min-width: 40.01rem)");
  const unfold = () => { filters.open = wide.matches || filters.open; };

  // Makes a cell of the switch choose its metric.
  function metricCell(cell) {
    const key = cell.dataset.key;
    const input = make("input", { type: "radio", name: "metric", value: key, "aria-labelledby": `by-${key}`,
      "aria-describedby": `leaders-${key}` });
    const leaders = make("span", { id: `leaders-${key}` }, ...cell.querySelectorAll(".leaders"));
    const metric = cell.querySelector(".metric");
    metric.id = `by-${key}`;
    return make("label", {}, input, metric, leaders);
  }

  const setControls = (view) => {
    for (const input of metricChoice.querySelectorAll("input")) input.checked = input.value === view.metric;
    baseline.value = view.baseline;
    if (name.value !== view.name) name.value = view.name;
    for (const [field, select] of Object.entries(chosen)) {
      const open = entries.filter((entry) => passes(view, entry, field));
      for (const one of select.options) {
        const held = one.value ? open.filter((entry) => entry.dataset[field] === one.value) : open;
        one.textContent = `${one.value || "all"} (${count(held)})`;
      }
      select.value = view[field];
    }
    const shown = count(entries.filter((entry) => passes(view, entry)));
    status.textContent = shown === everyone ? `${everyone} methods` : `${shown} of ${everyone} methods`;
    reset.hidden = !location.search;
  };

  const show = async () => {
    const view = readView();
    setControls(view);
    const drawn = boards.map((board) => board.show(view, (entry) => passes(view, entry)));
    offerRows();
    try {
      await Promise.all(drawn);
    } catch (error) {
      status.textContent = error.message;
    }
  };
  const change = async (part, replaces = false) => {
    writeView({ ...readView(), ...part }, replaces);
    await show();
    if ("metric" in part || "baseline" in part) said.textContent = boards.map((board) => board.say()).join(" ");
  };

  // Rows: the arrows move from one to the next, of which one is a stop of the keyboard.
  const chooseBaseline = (row) => {
    if (rivals.length > 1) change({ baseline: row.dataset.method });
  };
  const shownRows = (row) => [...row.parentNode.rows].filter((one) => one.dataset.method && !one.hidden);
  const moveOrChoose = (row, event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") chooseBaseline(row);
    else if (step) focusRow(shownRows(row)[shownRows(row).indexOf(row) + step]);
    else return;
    event.preventDefault();
  };
  const focusRow = (row) => {
    if (!row) return;
    for (const one of row.parentNode.rows) one.tabIndex = one === row ? 0 : -1;
    row.focus();
  };
  const offerRows = () => {
    for (const { rows } of boards.filter((board) => board.rows.length)) {
      const shown = shownRows(rows[0]);
      const stop = shown.find((row) => row.tabIndex === 0) ?? shown[0];
      for (const row of rows) row.tabIndex = row === stop ? 0 : -1;
    }
  };

  // Events
  let typing = false; // one step back undoes a whole word
  form.addEventListener("input", ({ target }) => {
    change({ [target.name]: target.value }, target === name && typing);
    typing = target === name;
  });
  form.addEventListener("focusout", () => { typing = false; });
  form.addEventListener("submit", (event) => event.preventDefault());
  reset.addEventListener("click", () => {
    name.focus(); // the button goes
    change({ ...FIRST, order: directionOf(FIRST.sort) });
  });
  window.addEventListener("popstate", show);
  for (const header of boards.flatMap((board) => board.headers)) {
    const button = make("button", { type: "button" }, ...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const { sort, order } = readView();
      const key = header.dataset.key;
      const opposite = order === "ascending" ? "descending" : "ascending";
      change({ sort: key, order: sort === key ? opposite : header.dataset.first });
    });
  }
  for (const row of boards.flatMap((board) => board.rows)) {
    row.tabIndex = -1;
    row.addEventListener("click", ({ target }) => {
      if (!target.closest("a") && getSelection().isCollapsed) chooseBaseline(row);
    });
    row.addEventListener("keydown", (event) => {
      if (event.target === row) moveOrChoose(row, event);
    });
  }
  switcher.replaceWith(form);
  wide.addEventListener("change", unfold);
  unfold();
  show();
})();
