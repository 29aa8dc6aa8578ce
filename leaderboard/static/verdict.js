// Shows how two entries differ: the figures by metric, and how far the first right image moves.
"use strict";

leaderboard.verdict = (() => {
  const { element } = leaderboard.shots;
  const LEVEL = 0.05;
  const WIDTH = 160; // of a drawing, in units of its own
  const STEPS = [[1, 1], [2, 3], [4, 9], [10, 31], [32, Infinity]]; // changes of a rank

  const integer = (value) => value.toLocaleString("en");
  const fixed = (value, decimals) => value.toFixed(decimals).replace("-", "\u2212");
  const writeP = (p) => (p < 0.001 ? "< 0.001" : p.toFixed(p < 0.1 ? 3 : 2));
  const signed = (value, decimals) => {
    const text = fixed(value, decimals);
    if (!Number(value.toFixed(decimals))) return text.replace("\u2212", "");
    return value < 0 ? text : `+${text}`;
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

  // Returns the place of values from `low` to `high`, which holds zero, on a line.
  const axis = (values) => {
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const span = high - low || 1;
    return (value) => (2 + ((value - low) / span) * (WIDTH - 4)).toFixed(1);
  };

  const frame = (table, label) =>
    element("div", { class: "frame", role: "region", "aria-label": label, tabindex: "0" }, table);

  const head = (...cells) =>
    element("thead", {}, element("tr", {}, ...cells.map(([text, kind, unit]) =>
      element("th", { scope: "col", class: kind },
        text, ...(unit ? [" ", element("span", { class: "unit" }, unit)] : [])))));

  const metricRow = (name, one, corrected, decimals, place) => {
    const real = (corrected ?? one.p) <= LEVEL;
    const quiet = real ? "" : " quiet";
    const said = real ? "" : ", may be chance";
    const whisker = drawing(WIDTH, [
      ["zero", `M${place(0)} 0v10`],
      ["span", `M${place(one.low)} 5H${place(one.high)}`],
      ["middle", `M${place(one.difference)} 0v10`],
    ]);
    whisker.setAttribute("class", "whisker");
    const cell = (text, kind = "") => element("td", { class: `number${kind}` }, text);
    const difference = cell(signed(one.difference, decimals), quiet);
    difference.append(element("span", { class: "hidden" }, said));
    return element("tr", {},
      element("th", { scope: "row", class: "pinned" }, name),
      cell(fixed(one.a, decimals)), cell(fixed(one.b, decimals)), difference,
      element("td", { class: `drawn${quiet}` }, whisker),
      cell(`${fixed(one.low, decimals)} to ${fixed(one.high, decimals)}`, quiet),
      cell(writeP(one.p), quiet),
      ...(corrected === undefined ? [] : [cell(writeP(corrected), quiet)]),
      cell(integer(one.wins)), cell(integer(one.ties)), cell(integer(one.losses)));
  };

  const metricTable = (contest, compared, corrected) => {
    const all = Object.values(compared.metrics);
    const decimals = decimalsFor(all.map((one) => one.high - one.low));
    const place = axis(all.flatMap((one) => [one.low, one.high]));
    const rows = Object.entries(contest.metrics).map(([metric, name]) =>
      metricRow(name, compared.metrics[metric], corrected?.[metric], decimals, place));
    return frame(element("table", { class: "by-metric" },
      head(["Metric", "pinned"], ["A", "number", "%"], ["B", "number", "%"],
        ["A − B", "number", "points"], ["", "drawn"], ["95 % interval", "number"],
        ["p", "number", "this pair"], ...(corrected ? [["p", "number", "corrected"]] : []),
        ["Wins", "number", "of A"], ["Ties", "number"],
        ["Losses", "number", "of A"]),
      element("tbody", {}, ...rows)), "Figures of A and B");
  };

  const sentence = (pair, compared, real, nameOf) => {
    const one = compared.metrics.r1;
    const [a, b] = pair.sides.map(nameOf);
    const decimals = decimalsFor([one.high - one.low]);
    const [better, worse] = one.difference >= 0 ? [a, b] : [b, a];
    const points = fixed(Math.abs(one.difference), decimals);
    if (pair.sides[0].file === pair.sides[1].file) return `A and B are the same: ${a}.`;
    return real
      ? `${better} has the person first more often than ${worse}: R1 differs by ${points} points.`
      : `${a} and ${b} cannot be told apart by R1: they differ by ${points} points, which may be chance.`;
  };

  // Says how R1 differs under each seed and, where seeds spread widely, what that means.
  const describeSeeds = ({ contest, sides: [a, b] }) => {
    if (contest.seeds.length < 2) return "";
    const share = (ranks) => (100 * ranks.filter((rank) => rank === 1).length) / ranks.length;
    const differences = a.ranks.map((ranks, i) => share(ranks) - share(b.ranks[i]));
    const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length;
    const squares = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0);
    const spread = Math.sqrt(squares / (differences.length - 1));
    const listed = differences.map((one) => signed(one, 1)).join(", ");
    const wide = spread > contest.spread
      ? `: seeds spread by ${fixed(spread, 1)} points, so the interval is too short and more seeds are needed`
      : "";
    return ` By seed, R1 differs by ${listed} points${wide}.`;
  };

  const explanation = (pair, compared, corrected) => {
    const { seeds, withheld } = pair.contest;
    const many = seeds.length > 1;
    const cited = corrected
      ? "The p-value to cite is the corrected one, for all pairs of methods at once, as in the ranking."
      : "The p-value to cite is the corrected one of the ranking or, for variants, of their method’s tables.";
    const uncovered = many
      ? `A figure is the mean over seeds ${seeds.join(", ")}; what other seeds would give, the interval does not cover.${describeSeeds(pair)}`
      : `There is one run, with seed ${seeds[0]}; what other seeds would give, the interval does not cover.`;
    return [
      `Computed here from ${integer(pair.queries.people.length)} queries of ${integer(compared.people)} people: the interval by 2,000 resamples of people, p by 10,000 sign flips of whole people, for this pair alone and not corrected. ${uncovered}`,
      `${cited} Differences in grey may be chance.${withheld ? ` ${withheld}` : ""}`,
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
    const several = pair.contest.seeds.length > 1
      ? ` Of each query’s seeds the middle one counts${pair.contest.seeds.length % 2 ? "" : ", the better of the two"}.`
      : "";
    const latest = pair.contest.latest;
    const caption = `How many ranks earlier the first right image of a query stands. At the same rank: ${integer(same)} queries.${several} Ranks from ${latest} on count as ${latest}.`;
    return frame(element("table", { class: "moves" },
      element("caption", {}, element("span", {}, caption)),
      head(["In A", "number", "queries"], ["", "drawn"], ["Earlier by", ""], ["", "drawn"],
        ["In B", "number", "queries"]),
      element("tbody", {}, ...rows)), "Moves of the first right image");
  };

  // Draws all of it; `corrected` is p by metric, corrected for all pairs of methods, if it is known.
  const draw = (pair, compared, corrected, nameOf) => {
    const real = (corrected ?? { r1: compared.metrics.r1.p }).r1 <= LEVEL;
    const names = element("dl", { class: "facts sides" }, ...pair.sides.map((side, i) =>
      element("div", {}, element("dt", {}, "AB"[i]),
        element("dd", {}, element("a", { href: leaderboard.address(side.page) }, nameOf(side))))));
    return [
      element("p", { class: "verdict" }, sentence(pair, compared, real, nameOf)),
      names,
      metricTable(pair.contest, compared, corrected),
      ...explanation(pair, compared, corrected).map((text) => element("p", { class: "key" }, text)),
      element("h3", {}, "How far the first right image moves"),
      movesTable(pair),
    ];
  };

  return { draw, integer, fixed };
})();
