// Shows what the wrong first images of two entries contradict of the queries: which attributes each
// of them confuses, and whether the other does so less.
"use strict";

leaderboard.mistakes = (() => {
  const { element } = leaderboard.shots;
  const { axis, decimalsFor, differenceCells, differenceHead, drawing, fixed, frame, head, listed, nameSeeds } =
    leaderboard.verdict;
  const WIDTH = 160; // of the bars, in units of their own

  // Says in which attributes one of the two makes fewer mistakes.
  const sentence = ({ sides }, found, nameOf) => {
    const said = sides.map((side, place) => {
      const fewer = found.filter((one) => one.real && (one.difference > 0) === (place === 1));
      return fewer.length ? `${nameOf(side)} confuses less: ${listed(fewer.map((one) => one.name))}.` : "";
    });
    return said.filter(Boolean).join(" ") || "In none of these are the two told apart.";
  };

  const share = (mean, span, decimals) => element("td", { class: "number" }, fixed(mean, decimals),
    element("span", { class: "range" },
      element("span", { class: "hidden" }, ", interval "),
      `${fixed(span.low, decimals)} to ${fixed(span.high, decimals)}`));

  // Draws the bar of A above that of B, each with its interval.
  const bars = (one, most) => {
    const place = (value) => ((value / most) * WIDTH).toFixed(1);
    const bar = (mean, top) => `M0 ${top}H${place(mean)}v4H0z`;
    const span = (ends, top) => `M${place(ends.low)} ${top + 2}H${place(ends.high)}`;
    const svg = drawing(WIDTH, [
      ["bar", bar(one.a, 0)], ["bar other", bar(one.b, 6)],
      ["span", span(one.ofA, 0)], ["span", span(one.ofB, 6)]]);
    svg.setAttribute("class", "confused");
    return element("td", {}, svg);
  };

  const drawRow = (one, decimals, most, along) => element("tr", {},
    element("th", { scope: "row", class: "pinned" }, one.name),
    share(one.a, one.ofA, decimals), share(one.b, one.ofB, decimals), bars(one, most),
    ...differenceCells(one, decimals, along));

  const table = (pair, found) => {
    const sorted = [...found].sort((x, y) => y.a + y.b - x.a - x.b);
    const decimals = decimalsFor(found.map((one) => one.high - one.low));
    const most = Math.max(...found.flatMap((one) => [one.ofA.high, one.ofB.high])) || 1;
    const along = axis(found.flatMap(({ low, high }) => [low, high]));
    const caption = `Of all queries, those whose first image is wrong and contradicts the description, by what: its captions name another value, as “bag blue, not purple”. What a caption leaves out counts for nothing; a mistake may count in several rows, or in none. Means over ${nameSeeds(pair.seeds)}, each with a 95 % interval; above A, below B. The difference is paired by query and seed, and tested by person: its interval and p are for all ${found.length} rows of this pair at once.`;
    return frame(element("table", { class: "confusions" },
      element("caption", {}, element("span", {}, caption)),
      head(["Confused", "pinned"], ["A", "number", "%"], ["B", "number", "%"], ["", "drawn"], ...differenceHead(along)),
      element("tbody", {}, ...sorted.map((one) => drawRow(one, decimals, most, along)))),
    "What A and B confuse");
  };

  // Draws all of it; nothing where captions or first images of one of the two are not known, or where
  // no mistake contradicts anything.
  const draw = (pair, nameOf) => {
    if (pair.sides.some((side) => !side.mistakes)) return [];
    const found = leaderboard.paired.compareMistakes(...pair.sides, pair.queries.people, pair.contest);
    if (!found.some((one) => one.a || one.b)) return [];
    return [
      element("h3", {}, "What they confuse"),
      element("p", {}, sentence(pair, found, nameOf)),
      table(pair, found),
    ];
  };

  return { draw };
})();
