// Compares any two entries in the browser; without it the tables of pairs stay.
"use strict";

(() => {
  const section = document.querySelector(".chosen");
  if (!section) return;
  const { element } = leaderboard.shots;
  const form = section.querySelector(".choice");
  const status = section.querySelector(".status");
  const [aboutData, verdict, details] = section.querySelector(".comparison").children;
  const { ground: groundField, a: aField, b: bField, metric: metricField } = form.elements;
  const matrix = form.querySelector(".all");
  let latest = 0; // number of the latest request, so that an older answer is not shown

  const readAddress = () => {
    const text = location.hash.slice(1);
    const state = Object.fromEntries(new URLSearchParams(text));
    const grounds = [...groundField.options].map((option) => option.value);
    let anchor = state.ground;
    try {
      anchor ??= decodeURIComponent(text); // a link to a ground's section
    } catch { /* no such link */ }
    const metrics = [...metricField].map((field) => field.value);
    return {
      ...state,
      ground: grounds.includes(anchor) ? anchor : grounds[0],
      metric: metrics.includes(state.metric) ? state.metric : metrics[0],
    };
  };

  const writeAddress = () => {
    const [ground, a, b, metric] = [groundField, aField, bField, metricField].map((field) => field.value);
    const state = { ground, a, b, ...(metric === metricField[0].value ? {} : { metric }) };
    history.pushState(null, "", `#${new URLSearchParams(state)}`);
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
    return [...rivals].sort((x, y) => y.means.r1 - x.means.r1).slice(0, 2).map((entry) => entry.file);
  };

  const choose = (state, contest) => {
    const files = contest.entries.map((entry) => entry.file);
    const usual = findDefault(contest.entries);
    const a = files.includes(state.a) ? state.a : usual[0];
    const b = files.includes(state.b) ? state.b : usual.find((file) => file !== a);
    return [a, b];
  };

  // Loads two entries, and restricts them to the seeds that both have.
  const loadPair = async (ground, contest, files) => {
    const names = ["queries", "gallery", "traits", ...files.map((file) => `entries/${file}`)];
    const [queries, gallery, traits, ...entries] = await Promise.all(
      names.map((name) => leaderboard.load(`${ground}/${name}`)));
    const about = (file) => contest.entries.find((entry) => entry.file === file);
    const read = entries.map((data, i) =>
      leaderboard.paired.readEntry(data, about(files[i]), contest));
    const seeds = leaderboard.paired.commonSeeds(...read);
    const sides = read.map((entry) => ({
      ...leaderboard.paired.restrict(entry, seeds),
      top: leaderboard.shots.readTop(entry.top, queries.people.length),
    }));
    return { ground, contest, queries, traits, gallery: leaderboard.shots.readGallery(gallery), seeds, sides };
  };

  // Returns a function that finds the place of a pair among those of methods as published, and how
  // many these are; null where one is not, or both are the same.
  const findPlaces = (contest) => {
    const published = contest.entries.filter((entry) => !entry.variant).map((entry) => entry.file);
    const pairs = (published.length * (published.length - 1)) / 2;
    return (sides) => {
      const places = sides.map((side) => published.indexOf(side.file));
      const [first, second] = places.sort((x, y) => x - y);
      if (first < 0 || first === second) return null;
      const before = (first * (2 * published.length - first - 1)) / 2;
      return { place: before + second - first - 1, pairs };
    };
  };

  // Draws all methods against all others, where there are two or more.
  const drawMatrix = (contest, metric, chosen) => {
    const isKnown = contest.published[metric] !== null;
    matrix.hidden = !isKnown;
    if (!isKnown) return;
    const [find, readPair] = [findPlaces(contest), readPublished(contest, metric)];
    const read = (...sides) => readPair(sides, find(sides).place);
    matrix.querySelector(".by").textContent = contest.metrics[metric];
    matrix.querySelector(".frame").replaceChildren(leaderboard.matrix.draw({
      contest, metric, chosen, read, nameOf, choose: choosePair }));
  };

  // Shows a pair of the matrix, and leads to what is said of it.
  const choosePair = async (a, b) => {
    [aField.value, bField.value] = [a, b];
    writeAddress();
    await show();
    verdict.focus();
    verdict.scrollIntoView({ block: "nearest" });
  };

  // Returns a function that reads what every page says by a metric of a pair of methods as
  // published, for all pairs at once. Unpacked once: a matrix of 60 methods asks for 3,540 pairs.
  const readPublished = (contest, metric) => {
    const { largest, ...packed } = contest.published[metric];
    const [p, reach] = [packed.p, packed.reach].map((text) => leaderboard.unpack(text, "u4"));
    const real = leaderboard.unpackFlags(packed.real, p.length);
    return (sides, place) => {
      const [a, b] = sides.map((side) => side.means[metric]);
      const half = (reach[place] / contest.steps) * largest;
      return {
        a, b, difference: a - b, ...leaderboard.paired.interval(a - b, half),
        p: p[place] / contest.steps, real: real[place],
      };
    };
  };

  // Compares two entries. Of methods as published, what is said of all pairs at once takes the
  // place of what is found here, which is of this pair alone.
  const compare = ({ contest, queries, sides }) => {
    const compared = leaderboard.paired.compare(...sides, queries.people, contest);
    const found = findPlaces(contest)(sides);
    if (!found) return { ...compared, pairs: 1 };
    const metrics = Object.entries(compared.metrics).map(([metric, one]) =>
      [metric, { ...one, ...readPublished(contest, metric)(sides, found.place) }]);
    return { ...compared, metrics: Object.fromEntries(metrics), pairs: found.pairs };
  };

  // Shows a pair. The verdict stays the same element, so that screen readers hear what it becomes.
  const draw = (pair, metric) => {
    const banners = document.getElementById(pair.ground).parentElement.querySelectorAll(".banner");
    aboutData.replaceChildren(...[...banners].map((banner) => {
      const shown = banner.cloneNode(true);
      shown.hidden = false;
      return shown;
    }));
    if (!pair.seeds.length) {
      verdict.textContent = leaderboard.verdict.sayUnpaired(pair, nameOf);
      details.replaceChildren(...leaderboard.verdict.drawUnpaired(pair, nameOf));
      return;
    }
    const compared = compare(pair);
    verdict.textContent = leaderboard.verdict.say(pair, compared, metric, nameOf);
    details.replaceChildren(
      ...leaderboard.verdict.draw(pair, compared, nameOf),
      ...leaderboard.mistakes.draw(pair, nameOf),
      ...leaderboard.disagreements.draw(pair, nameOf));
  };
  const drawNothing = () => {
    verdict.textContent = "";
    for (const part of [aboutData, details]) part.replaceChildren();
  };

  const show = async () => {
    const request = ++latest;
    const state = readAddress();
    groundField.value = state.ground;
    metricField.value = state.metric;
    status.textContent = "Loading the answers …";
    try {
      const contest = await leaderboard.load(`${state.ground}/contest`);
      if (request !== latest) return;
      const [a, b] = choose(state, contest);
      for (const field of [aField, bField]) fillField(field, contest);
      [aField.value, bField.value] = [a, b];
      drawMatrix(contest, state.metric, [a, b]);
      const pair = await loadPair(state.ground, contest, [a, b]);
      if (request !== latest) return;
      draw(pair, state.metric);
      status.textContent = "";
    } catch (error) {
      if (request !== latest) return;
      drawNothing();
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

  // The matrix says what the tables of pairs say to those without scripts; what cannot be compared
  // is said there alone.
  for (const pairs of document.querySelectorAll(".pairs")) {
    for (const part of pairs.querySelectorAll(".frame, .banner")) part.hidden = true;
    pairs.hidden = !pairs.querySelector(".silent, h2 ~ p:not(.banner)");
  }

  section.hidden = false;
  // Who comes by a link to a pair is led to what is said of it.
  const isPair = new URLSearchParams(location.hash.slice(1)).has("b");
  show().then(() => isPair && verdict.scrollIntoView({ block: "center" }));
})();
