// Lists the queries on which two entries disagree, the most different ones first.
"use strict";

leaderboard.disagreements = (() => {
  const { element, drawShots, drawJoins } = leaderboard.shots;
  const { integer, fixed, listed } = leaderboard.verdict;
  const PAGE = 10;

  // Returns the queries where R1 differs, by how much average precision differs.
  const find = ([a, b]) => {
    const [hitsA, hitsB] = [a.values.r1.numbers, b.values.r1.numbers];
    const [mapA, mapB] = [a.values.map.numbers, b.values.map.numbers];
    const found = [...hitsA.keys()].filter((query) => hitsA[query] !== hitsB[query]);
    const change = (query) => Math.abs(mapA[query] - mapB[query]);
    return found.sort((x, y) => change(y) - change(x) || x - y);
  };

  const writeRank = (rank, latest) => (rank >= latest ? `${latest} or later` : String(rank));

  const drawSide = (pair, side, letter, query) => {
    const { latest } = pair.contest;
    const ranks = side.ranks.map((ofSeed) => writeRank(ofSeed[query], latest)).join(", ");
    const precision = fixed(side.values.map.numbers[query] * side.values.map.unit, 1);
    const hits = side.values.r1.numbers[query];
    const about = element("p", { class: "about" },
      element("strong", {}, letter), ` first right image at rank ${ranks}; AP ${precision}`);
    const shots = side.top
      ? [drawShots(pair.ground, { ...pair, top: side.top }, query, `First images of ${letter}, seed ${side.seeds[0]}`)]
      : [];
    return element("div", { class: hits ? "side hit" : "side" }, about, ...shots);
  };

  const drawQuery = (pair, query) => {
    const { captions, people } = pair.queries;
    const [a, b] = pair.sides;
    const number = captions ? `query ${query}, person ${people[query]}` : `person ${people[query]}`;
    return element("li", { class: "strip" },
      element("p", { class: "query" }, captions ? captions[query] : `Query ${query}`),
      element("p", { class: "about" }, number),
      element("div", { class: "sides" },
        drawSide(pair, a, "A", query),
        ...(a.top && b.top ? [drawJoins(a.top, b.top, query)] : []),
        drawSide(pair, b, "B", query)));
  };

  // Says of which runs the images are: of each entry's first seed.
  const describeImages = (pair) => {
    const shown = pair.sides.filter((side) => side.top).map((side) => side.seeds[0]);
    const seeds = [...new Set(shown)];
    if (!seeds.length) return "";
    return seeds.length > 1
      ? ` Images are those of seed ${seeds[0]} for A, seed ${seeds[1]} for B.`
      : ` Images are those of seed ${seeds[0]}.`;
  };

  const explain = (pair, nameOf) => {
    const several = pair.seeds.length > 1 ? `, in the order of the seeds ${listed(pair.seeds)}` : "";
    const without = pair.sides.filter((side) => !side.top).map(nameOf);
    const missing = without.length
      ? ` There are no pictures of ${[...new Set(without)].join(" and ")}: they are kept for methods as published.`
      : "";
    return `Queries where R1 differs on the mean over seeds, first those whose average precision (AP) differs most. Ranks are of the first right image${several}.${describeImages(pair)}${missing}`;
  };

  const draw = (pair, nameOf) => {
    const all = find(pair.sides);
    const [a, b] = pair.sides.map((side) => side.values.r1.numbers);
    const choices = {
      both: [`All`, all],
      a: ["A is better", all.filter((query) => a[query] > b[query])],
      b: ["B is better", all.filter((query) => b[query] > a[query])],
    };
    const list = element("ol", { class: "strip-list" });
    const more = element("button", { type: "button" }, "Show more");
    let [queries, shown] = [[], 0];
    const append = () => {
      const next = queries.slice(shown, shown + PAGE);
      list.append(...next.map((query) => drawQuery(pair, query)));
      shown += next.length;
      more.hidden = shown >= queries.length;
      return list.children[shown - next.length];
    };
    const fields = Object.entries(choices).map(([key, [label, found]]) => {
      const input = element("input", { type: "radio", name: "better", value: key });
      input.checked = key === "both";
      input.addEventListener("change", () => {
        [queries, shown] = [found, 0];
        list.replaceChildren();
        append();
      });
      return element("label", {}, input, ` ${label} `,
        element("span", { class: "quiet" }, integer(found.length)));
    });
    more.addEventListener("click", () => {
      const first = append();
      first.tabIndex = -1;
      first.focus({ preventScroll: true }); // the button may be gone
    });
    queries = all;
    append();
    return [
      element("h3", {}, "Queries on which they disagree"),
      element("p", { class: "key" }, explain(pair, nameOf)),
      element("fieldset", { class: "strip-filter" },
        element("legend", { class: "hidden" }, "Which queries"), ...fields),
      list, more,
    ];
  };

  return { draw };
})();
