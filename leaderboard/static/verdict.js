// Shows how two entries differ: the figures by metric, and how far the first right image moves.
"use strict";

leaderboard.verdict = (() => {
  const { element } = leaderboard.shots;
  const WIDTH = 160; // of a drawing, in units of its own
  const STEPS = [[1, 1], [2, 3], [4, 9], [10, 31], [32, Infinity]]; // changes of a rank

  const integer = (value) => value.toLocaleString("en");
  const listed = (items) => items.join(", ").replace(/, ([^,]*)$/, " and $1");

  // Writes a number as the other pages do: what is exactly between two goes to the even digit,
  // where toFixed goes away from zero, and what is printed as zero has no sign.
  const fixed = (value, decimals) => {
    const size = Number(Math.abs(value).toFixed(9)); // without what is left of arithmetic
    const isHalf = (size * 2 ** (decimals + 1)) % 2 === 1;
    const below = Math.floor(size * 10 ** decimals);
    const rounded = isHalf ? (below + (below % 2)) / 10 ** decimals : size;
    const text = rounded.toFixed(decimals).replace(/\B(?=(\d{3})+\.)/g, ",");
    return value < 0 && /[1-9]/.test(text) ? `\u2212${text}` : text;
  };
  const signed = (value, decimals) => {
    const text = fixed(value, decimals);
    return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
  };

  // Writes the end of an interval; only one that is zero is printed as zero.
  const intervalEnd = (value, decimals) => {
    const least = 10 ** -decimals;
    const lost = value !== 0 && Math.round(Math.abs(value) * 1e9) / 1e9 < least / 2;
    return signed(lost ? Math.sign(value) * least : value, decimals);
  };

  // Writes a p-value; one that would round to 0.05 shows on which side of it it is.
  const writeP = (p) => {
    if (p < 0.001) return "< 0.001";
    if (p >= 0.0495 && p < 0.0505) return (Math.floor(p * 1e4 + 1e-9) / 1e4).toFixed(4);
    return p.toFixed(p < 0.1 ? 3 : 2);
  };

  // One decimal more than the middle interval supports, between 1 and 2.
  const decimalsFor = (spreads) => {
    const positive = spreads.filter((spread) => spread > 0).sort((x, y) => x - y);
    if (!positive.length) return 1;
    const middle = positive[Math.floor(positive.length / 2)];
    return Math.min(2, 1 + Math.max(0, -Math.floor(Math.log10(middle))));
  };

  const drawing = (width, shapes) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `0 0 ${width} 10`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const [name, path] of shapes) {
      const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
      shape.setAttribute("class", name);
      shape.setAttribute("d", path);
      svg.append(shape);
    }
    return svg;
  };

  // Returns a scale with round ends that holds zero and the values, and the place of values on it.
  const axis = (values) => {
    const { place, roundScale } = leaderboard.whiskers;
    const scale = roundScale([0, ...values]);
    return { scale, place: (value) => ((WIDTH * place(value, scale)) / 100).toFixed(1) };
  };

  // Writes the unit of a scale, and below it round values where they stand.
  const drawScale = ({ scale }) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "ticks");
    svg.setAttribute("aria-hidden", "true");
    const unit = document.createElementNS(svg.namespaceURI, "text");
    for (const [name, value] of Object.entries({ x: "50%", y: -8, "text-anchor": "middle" })) {
      unit.setAttribute(name, value);
    }
    unit.textContent = "points";
    svg.append(unit, ...leaderboard.whiskers.drawTicks(scale));
    return svg;
  };

  const frame = (table, label) =>
    element("div", { class: "frame", role: "region", "aria-label": label, tabindex: "0" }, table);

  const head = (...cells) =>
    element("thead", {}, element("tr", {}, ...cells.map(([text, kind, unit, scale = []]) =>
      element("th", { scope: "col", class: kind }, text || element("span", { class: "hidden" }, "as a drawing"),
        ...(unit ? [" ", element("span", { class: "unit" }, unit)] : []), ...scale))));

  const numberCell = (text, kind = "") => element("td", { class: `number${kind}` }, text);

  // Returns the cells of a difference: its figure, its interval as a drawing and in words, and p.
  const differenceCells = (one, decimals, { place }) => {
    const quiet = one.real ? "" : " quiet";
    const whisker = drawing(WIDTH, [
      ["zero", `M${place(0)} 0v10`],
      ["span", `M${place(one.low)} 5H${place(one.high)}`],
      ["middle", `M${place(one.difference)} 0v10`],
    ]);
    whisker.setAttribute("class", "whisker");
    const difference = numberCell(signed(one.difference, decimals), quiet);
    difference.append(element("span", { class: "hidden" }, one.real ? "" : ", not told apart"));
    return [
      difference,
      element("td", { class: `drawn${quiet}` }, whisker),
      numberCell(`${intervalEnd(one.low, decimals)} to ${intervalEnd(one.high, decimals)}`, quiet),
      numberCell(writeP(one.p), quiet),
    ];
  };
  const differenceHead = (along) =>
    [["A \u2212 B", "number", "points"], ["", "drawn", "", [drawScale(along)]], ["95 % interval", "number"], ["p", "number"]];

  const metricRow = (name, one, decimals, along) => element("tr", {},
    element("th", { scope: "row", class: "pinned" }, name),
    numberCell(fixed(one.a, decimals)), numberCell(fixed(one.b, decimals)),
    ...differenceCells(one, decimals, along),
    ...[one.wins, one.ties, one.losses].map((queries) => numberCell(integer(queries))));

  const metricTable = (contest, compared) => {
    const all = Object.values(compared.metrics);
    const decimals = decimalsFor(all.map((one) => one.high - one.low));
    const along = axis(all.flatMap((one) => [one.low, one.high]));
    const rows = Object.entries(contest.metrics).map(([metric, name]) =>
      metricRow(name, compared.metrics[metric], decimals, along));
    return frame(element("table", { class: "by-metric" },
      head(["Metric", "pinned"], ["A", "number", "%"], ["B", "number", "%"], ...differenceHead(along),
        ["Wins", "number", "of A"], ["Ties", "number"], ["Losses", "number", "of A"]),
      element("tbody", {}, ...rows)), "Figures of A and B");
  };

  // Says in a sentence which is better by a metric, and whether that is real.
  const say = (pair, compared, metric, nameOf) => {
    const one = compared.metrics[metric];
    const [a, b] = pair.sides.map(nameOf);
    const [better, worse] = one.difference >= 0 ? [a, b] : [b, a];
    const points = fixed(Math.abs(one.difference), decimalsFor([one.high - one.low]));
    if (pair.sides[0].file === pair.sides[1].file) return `A and B are the same: ${a}.`;
    const name = pair.contest.metrics[metric];
    if (!one.real) return `${a} and ${b} are not told apart by ${name}: they differ by ${points} points, which may be chance.`;
    return metric === "r1"
      ? `${better} has the person first more often than ${worse}: R1 differs by ${points} points.`
      : `${better} is better than ${worse}: ${name} differs by ${points} points.`;
  };

  const nameSeeds = (seeds) => `${seeds.length > 1 ? "seeds" : "seed"} ${listed(seeds)}`;

  // Says which question p and interval answer, and for which pairs.
  const describeJudgement = (contest, { pairs, runs }) => {
    const whom = Math.max(...runs) > 1 ? "other people and other seeds" : "other people";
    const together = pairs > 1
      ? `They are for all ${integer(pairs)} pairs of methods as published at once, as in the ranking`
      : "They are for this pair alone: where several are judged at once, as in the tables of a method’s page, p is larger and the interval longer";
    return `p and interval (95 %) say whether a difference would hold for ${whom}. ${together}. An interval holds zero exactly where p is ${contest.level} or more; such a difference is grey: not told apart.`;
  };

  // Says which seeds of an entry had no counterpart.
  const describeRest = (pair, nameOf) => pair.sides.map((side) => {
    const rest = side.fixed ? [] : side.seeds.filter((seed) => !pair.seeds.includes(seed));
    return rest.length ? ` ${nameOf(side)} also ran with ${nameSeeds(rest)}.` : "";
  }).join("");

  const describeSeeds = (pair, { metrics, runs }, nameOf) => {
    const rest = describeRest(pair, nameOf);
    const on = `${nameSeeds(pair.seeds)}${rest && ", which both have"}`;
    if (Math.max(...runs) === 1) return ` They are compared on ${on}.${rest}`;
    const bySeed = metrics.r1.bySeed.map((one) => signed(one, 1));
    return ` Figures are means over ${on}; by seed, R1 differs by ${listed(bySeed)} points.${rest}`;
  };

  const describeRuns = (pair, runs, nameOf) => {
    if (pair.sides[0].file === pair.sides[1].file) return "";
    if (Math.max(...runs) === 1) return " Each is here with one run: other people only.";
    const single = pair.sides.filter((_, side) => runs[side] === 1);
    return single.map((side) => ` ${nameOf(side)} is one run: other people only.`).join("");
  };

  const explanation = (pair, compared, nameOf) => {
    const { contest, queries } = pair;
    const asked = `Both answered ${integer(queries.people.length)} queries of ${integer(compared.people)} people.`;
    const seeds = describeSeeds(pair, compared, nameOf);
    return [
      describeJudgement(contest, compared) + describeRuns(pair, compared.runs, nameOf),
      `${asked}${seeds}${contest.withheld ? ` ${contest.withheld}` : ""}`,
    ];
  };

  // Counts by how many ranks the first right image stands earlier: [in A, in B], and nowhere.
  const countMoves = (pair) => {
    const [a, b] = pair.sides.map((side) => leaderboard.paired.middleRanks(side.ranks));
    const moves = STEPS.map(() => [0, 0]);
    let same = 0;
    for (let query = 0; query < a.length; query++) {
      const change = Math.abs(a[query] - b[query]);
      if (!change) same++;
      else moves[STEPS.findIndex(([, last]) => change <= last)][a[query] < b[query] ? 0 : 1]++;
    }
    return { moves, same };
  };

  const bar = (share, left) => {
    const length = (100 * share).toFixed(1);
    const path = left ? `M100 0H${(100 - length).toFixed(1)}V10H100Z` : `M0 0H${length}V10H0Z`;
    const svg = drawing(100, [["move", path]]);
    svg.setAttribute("class", "moved");
    return svg;
  };

  const movesTable = (pair) => {
    const { moves, same } = countMoves(pair);
    const most = Math.max(1, ...moves.flat());
    const rows = moves.map(([a, b], i) => {
      const [first, last] = STEPS[i];
      const text = first === last ? `${first} rank` : last === Infinity ? `${first} or more` : `${first} to ${last}`;
      return element("tr", {},
        element("td", { class: "number" }, integer(a)),
        element("td", { class: "drawn" }, bar(a / most, true)),
        element("th", { scope: "row" }, text),
        element("td", { class: "drawn" }, bar(b / most, false)),
        element("td", { class: "number" }, integer(b)));
    });
    const seeds = Math.max(...pair.sides.map((side) => side.ranks.length));
    const several = seeds > 1
      ? ` Of each query’s seeds the middle one counts${seeds % 2 ? "" : ", the better of the two"}.`
      : "";
    const latest = pair.contest.latest;
    const caption = `How many ranks earlier the first right image of a query stands. At the same rank: ${integer(same)} queries.${several} Ranks from ${latest} on count as ${latest}.`;
    return frame(element("table", { class: "moves" },
      element("caption", {}, element("span", {}, caption)),
      head(["In A", "number", "queries"], ["", "drawn"], ["Earlier by", ""], ["", "drawn"],
        ["In B", "number", "queries"]),
      element("tbody", {}, ...rows)), "Moves of the first right image");
  };

  const namesOf = (pair, nameOf) =>
    element("dl", { class: "facts sides" }, ...pair.sides.map((side, i) =>
      element("div", {}, element("dt", {}, "AB"[i]),
        element("dd", {}, element("a", { href: leaderboard.encodePath(side.page) }, nameOf(side))))));

  // Draws all of it. `compared` holds the figures by metric, and for how many pairs at once they are.
  const draw = (pair, compared, nameOf) => [
    namesOf(pair, nameOf),
    metricTable(pair.contest, compared),
    ...explanation(pair, compared, nameOf).map((text) => element("p", { class: "key" }, text)),
    element("h3", {}, "How far the first right image moves"),
    movesTable(pair),
  ];

  // Says why two entries without a common seed are not compared.
  const sayUnpaired = (pair, nameOf) =>
    `${pair.sides.map(nameOf).join(" and ")} are not compared: they have no seed in common.`;
  const drawUnpaired = (pair, nameOf) => {
    const [a, b] = pair.sides.map((side) => `${nameOf(side)} ran with ${nameSeeds(side.seeds)}`);
    return [
      namesOf(pair, nameOf),
      element("p", { class: "key" }, `Comparisons are paired by seed. ${a}, ${b}.`),
    ];
  };

  return {
    axis, decimalsFor, differenceCells, differenceHead, draw, drawUnpaired, drawing, fixed, frame, head,
    integer, listed, nameSeeds, say, sayUnpaired,
  };
})();
