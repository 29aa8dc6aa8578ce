// Shows the strips of all queries, filtered; without it the examples in the page stay.
"use strict";

document.querySelectorAll(".strips").forEach((section) => {
  const { element, readTop, readGallery, drawShots } = leaderboard.shots;
  const PAGE = 10;
  const { ground, entry } = section.dataset;
  const form = section.querySelector(".strip-filter");
  const status = section.querySelector(".status");
  const list = section.querySelector(".strip-list");
  const examples = [...list.children];
  const older = element("button", { type: "button" }, "Previous");
  const newer = element("button", { type: "button" }, "Next");
  const place = element("span", { class: "place" });
  const pager = element("nav", { class: "pager", "aria-label": "Pages of queries" },
    older, place, newer);
  let page = 0;
  let loaded = null;

  const load = () => {
    loaded ??= Promise.all([
      leaderboard.load(`${ground}/queries`),
      leaderboard.load(`${ground}/gallery`),
      leaderboard.load(`${ground}/entries/${entry}`),
      leaderboard.load(`${ground}/traits`),
    ]).then(([queries, gallery, answers, traits]) => {
      const count = queries.people.length;
      return {
        queries,
        traits,
        gallery: readGallery(gallery),
        top: readTop(answers.top, count),
        failed: leaderboard.unpackFlags(queries.failed, count),
        texts: queries.people.map((person, query) =>
          (queries.captions ? queries.captions[query] : `query ${query} person ${person}`)
            .toLowerCase()),
      };
    });
    loaded.catch(() => { loaded = null; });
    return loaded;
  };

  const CHOICES = {
    hits: (data, query) => data.top.first[query] === 1,
    misses: (data, query) => data.top.first[query] !== 1,
    failed: (data, query) => data.failed[query],
    all: () => true,
  };

  const find = (data) => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = CHOICES[form.elements.show.value];
    return data.texts.flatMap((text, query) =>
      holds(data, query) && words.every((word) => text.includes(word)) ? [query] : []);
  };

  const draw = (data, query) => {
    const { captions, people } = data.queries;
    const first = `first right image at rank ${data.top.first[query].toLocaleString("en")}`;
    const number = captions ? `query ${query}, ` : "";
    return element("li", { class: "strip" },
      element("p", { class: "query" }, captions ? captions[query] : `Query ${query}`),
      element("p", { class: "about" }, `${number}person ${people[query]}; ${first}`),
      drawShots(ground, data, query, "First images"));
  };

  const showExamples = () => {
    status.textContent = "";
    list.replaceChildren(...examples);
    pager.remove();
  };

  const showPage = (data) => {
    const found = find(data);
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(page, last);
    const shown = found.slice(page * PAGE, (page + 1) * PAGE);
    list.replaceChildren(...shown.map((query) => draw(data, query)));
    const total = data.texts.length.toLocaleString("en");
    status.textContent = `${found.length.toLocaleString("en")} of ${total} queries`;
    place.textContent = `Page ${page + 1} of ${last + 1}`;
    older.disabled = page === 0;
    newer.disabled = page === last;
    if (last > 0) list.after(pager);
    else pager.remove();
  };

  const show = () => {
    if (form.elements.show.value === "examples") return showExamples();
    return load().then(
      (data) => form.elements.show.value !== "examples" && showPage(data),
      (error) => { status.textContent = error.message; });
  };

  // The address holds what is shown, so that a view can be sent and the browser can go back.
  const write = (replace) => {
    const state = new URLSearchParams({ strips: ground, show: form.elements.show.value });
    if (form.elements.text.value) state.set("text", form.elements.text.value);
    if (page) state.set("page", page + 1);
    history[replace ? "replaceState" : "pushState"](null, "", `#${state}`);
  };

  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    const mine = state.get("strips") === ground;
    const wanted = mine ? state.get("show") : "examples";
    form.elements.show.value = Object.hasOwn(CHOICES, wanted) ? wanted : "examples";
    form.elements.text.value = (mine && state.get("text")) || "";
    page = mine ? Math.max(0, Math.trunc(state.get("page")) - 1) || 0 : 0;
    return mine;
  };

  const turn = (step) => {
    page += step;
    write(false);
    show()?.then(() => list.scrollIntoView({ block: "nearest" }));
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target.name !== "show") return;
    page = 0;
    write(false);
    show();
  });
  form.elements.text.addEventListener("input", () => {
    if (form.elements.show.value === "examples") form.elements.show.value = "all";
    page = 0;
    write(true);
    show();
  });
  older.addEventListener("click", () => turn(-1));
  newer.addEventListener("click", () => turn(1));
  window.addEventListener("popstate", () => { read(); show(); });
  if (read()) Promise.resolve(show()).then(() => section.scrollIntoView());
});
