// Compares any two entries in the browser; without it the tables of pairs stay.
"use strict";

(() => {
  const section = document.querySelector(".chosen");
  if (!section) return;
  const { element } = leaderboard.shots;
  const form = section.querySelector(".choice");
  const status = section.querySelector(".status");
  const result = section.querySelector(".comparison");
  const { ground: groundField, a: aField, b: bField } = form.elements;
  let latest = 0; // number of the latest request, so that an older answer is not shown

  const readAddress = () => {
    const text = location.hash.slice(1);
    const state = Object.fromEntries(new URLSearchParams(text));
    const grounds = [...groundField.options].map((option) => option.value);
    let anchor = state.ground;
    try {
      anchor ??= decodeURIComponent(text); // a link to a ground's section
    } catch { /* no such link */ }
    return { ...state, ground: grounds.includes(anchor) ? anchor : grounds[0] };
  };

  const writeAddress = () => {
    const [ground, a, b] = [groundField.value, aField.value, bField.value];
    history.pushState(null, "", `#${new URLSearchParams({ ground, a, b })}`);
  };

  const nameOf = (entry) =>
    entry.method + (entry.alias ? ` (${entry.alias})` : "") +
    (entry.variant ? `: ${entry.variant}` : "");

  // Lists the entries by method, the method as published before its variants.
  const fillField = (field, contest) => {
    const groups = new Map();
    for (const entry of contest.entries) {
      if (!groups.has(entry.page)) {
        const label = entry.method + (entry.alias ? ` (${entry.alias})` : "");
        groups.set(entry.page, element("optgroup", { label }));
      }
      const text = entry.variant ? nameOf(entry) : `${nameOf(entry)}, as published`;
      const option = element("option", { value: entry.file }, text);
      if (entry.variant) groups.get(entry.page).append(option);
      else groups.get(entry.page).prepend(option);
    }
    field.replaceChildren(...groups.values());
  };

  // The best two methods as published or, where there are not two, the best two entries.
  const findDefault = (entries) => {
    const published = entries.filter((entry) => !entry.variant);
    const rivals = published.length > 1 ? published : entries;
    return [...rivals].sort((x, y) => y.mean - x.mean).slice(0, 2).map((entry) => entry.file);
  };

  const choose = (state, contest) => {
    const files = contest.entries.map((entry) => entry.file);
    const usual = findDefault(contest.entries);
    const a = files.includes(state.a) ? state.a : usual[0];
    const b = files.includes(state.b) ? state.b : usual.find((file) => file !== a);
    return [a, b];
  };

  const loadPair = async (ground, contest, a, b) => {
    const names = ["queries", "gallery", `entries/${a}`, `entries/${b}`];
    const [queries, gallery, ...entries] = await Promise.all(
      names.map((name) => leaderboard.load(`${ground}/${name}`)));
    const sides = entries.map((data, i) => ({
      ...leaderboard.paired.readEntry(data, contest),
      ...contest.entries.find((entry) => entry.file === [a, b][i]),
      top: leaderboard.shots.readTop(data.top, queries.people.length),
    }));
    return { ground, contest, queries, gallery: leaderboard.shots.readGallery(gallery), sides };
  };

  // Returns p by metric, corrected for all pairs, where both are methods as published.
  const findCorrected = ({ contest, sides }) => {
    const published = contest.entries.filter((entry) => !entry.variant);
    const places = sides.map((side) => published.findIndex((entry) => entry.file === side.file));
    const [first, second] = places.sort((x, y) => x - y);
    if (first < 0 || first === second) return null;
    const before = (first * (2 * published.length - first - 1)) / 2;
    const read = ([metric, text]) => [metric,
      leaderboard.unpack(text, "u2")[before + second - first - 1] / (contest.flips + 1)];
    return Object.fromEntries(Object.entries(contest.corrected).map(read));
  };

  const draw = (pair) => {
    const compared = leaderboard.paired.compare(...pair.sides, pair.queries.people);
    const banners = document.getElementById(pair.ground).parentElement.querySelectorAll(".banner");
    result.replaceChildren(
      ...[...banners].map((banner) => banner.cloneNode(true)),
      ...leaderboard.verdict.draw(pair, compared, findCorrected(pair), nameOf),
      ...leaderboard.disagreements.draw(pair, nameOf));
  };

  const show = async () => {
    const request = ++latest;
    const state = readAddress();
    groundField.value = state.ground;
    status.textContent = "Loading the answers …";
    try {
      const contest = await leaderboard.load(`${state.ground}/contest`);
      if (request !== latest) return;
      const [a, b] = choose(state, contest);
      for (const field of [aField, bField]) fillField(field, contest);
      [aField.value, bField.value] = [a, b];
      const pair = await loadPair(state.ground, contest, a, b);
      if (request !== latest) return;
      draw(pair);
      status.textContent = "";
    } catch (error) {
      if (request !== latest) return;
      result.replaceChildren();
      status.textContent = error.message;
    }
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target === groundField) history.pushState(null, "", `#${new URLSearchParams({
      ground: groundField.value })}`);
    else writeAddress();
    show();
  });
  form.querySelector(".swap").addEventListener("click", () => {
    [aField.value, bField.value] = [bField.value, aField.value];
    writeAddress();
    show();
  });
  window.addEventListener("popstate", show);

  // Leads from a pair of the tables to its queries.
  document.querySelectorAll(".pair-table tbody tr").forEach((row) => {
    const ground = row.closest("section").getAttribute("aria-labelledby");
    const state = new URLSearchParams({ ground, a: row.dataset.first, b: row.dataset.second });
    const link = element("a", { href: `#${state}`, class: "note" }, "query by query");
    link.addEventListener("click", () => section.scrollIntoView());
    row.cells[0].append(link);
  });

  section.hidden = false;
  show();
})();
