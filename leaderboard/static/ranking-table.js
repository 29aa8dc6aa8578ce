// One ranking: orders its rows and columns, hides rows, and shows differences to a baseline.
"use strict";

leaderboard.rankingTable = (section) => {
  const MINUS = "\u2212", RANGE = "\u2013";
  const table = section.querySelector("table.ranking");
  const headers = table.tHead.rows[0];
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const apart = [...table.tBodies].slice(1); // one each for what is not ranked
  const entries = [...rows, ...apart];
  const panels = [...section.querySelectorAll("svg.panel")];
  let order = [...headers.cells].map((header) => header.dataset.key); // of the columns
  let asked = null; // the view that was asked for last
  let detailed = false; // whether differences and panels were drawn by the script

  for (const panel of panels) leaderboard.steerPlot(panel, [...panel.querySelectorAll("a")]);
  for (const chart of section.querySelectorAll(".panels svg:not(.panel)")) {
    chart.setAttribute("role", "group");
    leaderboard.steerPlot(chart, [...chart.querySelectorAll("g.slopes")]);
  }

  const cellOf = (row, key) => row.cells[order.indexOf(key)];
  const headerOf = (key) => cellOf(headers, key);
  const metrics = order.filter((key) => headerOf(key).classList.contains("score"));
  const orderOf = (row, key) => cellOf(row, key).dataset.order ?? cellOf(row, key).textContent.trim();
  const linkOf = (entry) => entry.querySelector("th.pinned a");
  const rankOf = (row, metric) => Number(cellOf(row, metric).dataset.rank);
  const metricName = (key) =>
    (headerOf(key).querySelector("button") ?? headerOf(key)).firstChild.textContent.trim();

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  // Puts a metric first, with the difference beside it.
  const arrange = (metric) => {
    const others = order.filter((key) => !metrics.includes(key) && key !== "difference");
    const wanted = [...others.slice(0, 2), metric, "difference",
      ...metrics.filter((key) => key !== metric), ...others.slice(2)].filter((key) => order.includes(key));
    const full = [headers, ...rows, ...apart.flatMap((one) => [...one.rows])]
      .filter((row) => row.cells.length === order.length);
    for (const row of full) {
      const cells = new Map(order.map((key, place) => [key, row.cells[place]]));
      for (const key of metrics) {
        const cell = cells.get(key);
        cell.classList.toggle("primary", key === metric);
        const link = cell.querySelector("a");
        if (link && key === metric) link.removeAttribute("tabindex");
        else link?.setAttribute("tabindex", "-1");
      }
      if (wanted.some((key, place) => key !== order[place])) {
        row.append(...wanted.map((key) => cells.get(key)));
      }
    }
    order = wanted;
    table.caption.querySelectorAll(".by").forEach((place) => { place.textContent = metricName(metric); });
  };

  const writeRanks = (metric) => {
    rows.forEach((row) => {
      const { rank, undecided } = cellOf(row, metric).dataset;
      const cell = cellOf(row, "rank");
      cell.dataset.order = rank;
      cell.replaceChildren(rank,
        element("span", undecided ? `, not told apart from ${undecided}` : "", "hidden"));
    });
  };

  // Returns the rows by rank and then by mean.
  const inStanding = (metric) => [...rows].sort((a, b) =>
    rankOf(a, metric) - rankOf(b, metric) || orderOf(b, metric) - orderOf(a, metric));

  const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;

  const sort = ({ metric, sort, order: direction }) => {
    const key = sort === "difference" ? metric : sort; // less one baseline, the order is the same
    const sign = direction === "ascending" ? 1 : -1;
    const known = (row) => orderOf(row, key) !== "";
    const sorted = inStanding(metric).sort((a, b) =>
      known(b) - known(a) || sign * compare(orderOf(a, key), orderOf(b, key)));
    if (sorted.some((row, place) => row !== body.rows[place])) { // else focus would be lost
      const focused = document.activeElement;
      body.append(...sorted);
      if (body.contains(focused)) focused.focus();
    }
    for (const header of headers.cells) header.removeAttribute("aria-sort");
    headerOf(sort)?.setAttribute("aria-sort", direction);
  };

  // Returns for each row what stands in each lane, as `bars.py` does.
  const layBars = (groups) => {
    const members = new Map();
    groups.forEach((numbers, row) => numbers.forEach((number) =>
      members.set(number, [...(members.get(number) ?? []), row])));
    const lanes = [];
    const bars = [...members.values()].filter((found) => found.length > 1)
      .sort((a, b) => a[0] - b[0] || b.at(-1) - a.at(-1));
    for (const found of bars) {
      const [first, last] = [found[0], found.at(-1)];
      // Two bars that meet would look like one.
      let lane = lanes.find((one) => !one.slice(Math.max(0, first - 1), last + 2).some(Boolean));
      if (!lane) lanes.push(lane = groups.map(() => ""));
      for (let row = first; row <= last; row++) lane[row] = found.includes(row) ? "inner" : "beside";
      [lane[first], lane[last]] = ["first", "last"];
    }
    return groups.map((_, row) => lanes.map((lane) => lane[row]));
  };

  // Draws the bars of what is not told apart, where rows stand by rank.
  const drawBars = ({ metric, sort }) => {
    const shown = [...body.rows].filter((row) => !row.hidden);
    const groups = shown.map((row) => sort === "rank"
      ? cellOf(row, metric).dataset.groups.split(" ").filter(Boolean) : []);
    const lanes = layBars(groups);
    shown.forEach((row, place) => {
      const bars = element("span", "", "bars");
      bars.setAttribute("aria-hidden", "true");
      bars.append(...lanes[place].map((name) => element("i", "", name)));
      cellOf(row, "rank").firstChild.after(bars);
    });
  };

  const GROUPS = { without: "Without person pre-training", with: "With person pre-training",
    undisclosed: "Person pre-training undisclosed" };
  const dropHeadings = () => body.querySelectorAll("tr.heading").forEach((row) => row.remove());
  const headingOf = (group) => {
    const heading = element("th", "");
    heading.scope = "rowgroup";
    heading.colSpan = order.length;
    heading.append(element("span", GROUPS[group]));
    const row = element("tr", "", "heading");
    row.append(heading);
    return row;
  };
  // Puts a heading above each group, where rows stand by what methods saw before.
  const headGroups = ({ sort }) => {
    if (sort !== "people") return;
    let last = "";
    for (const row of [...body.rows].filter((one) => !one.hidden)) {
      const { people } = row.dataset;
      if (people !== last) row.before(headingOf(people));
      last = people;
    }
  };

  const filter = (passes) => {
    for (const entry of entries) entry.hidden = !passes(entry);
    const page = (link) => link.getAttribute("href").split("#")[0];
    const hidden = new Set(entries.filter((entry) => entry.hidden).map((entry) => page(linkOf(entry))));
    for (const dot of section.querySelectorAll(".panel a")) {
      dot.classList.toggle("dim", hidden.has(page(dot)));
    }
  };

  const signed = (steps, decimals) => {
    const text = (Math.abs(steps) / 10 ** decimals).toFixed(decimals);
    return steps === 0 ? text : (steps < 0 ? MINUS : "+") + text;
  };
  const probability = (p) => {
    if (p < 0.001) return "p < 0.001";
    const showsSide = p >= 0.0495 && p < 0.0505; // of 0.05, to which it would round
    if (showsSide) return `p ${(Math.floor(p * 1e4 + 1e-9) / 1e4).toFixed(4)}`;
    return `p ${p.toFixed(p < 0.1 ? 3 : 2)}`;
  };

  // Unpacks the pairs of a metric into a function of two keys.
  const readPairs = (data, metric) => {
    const packed = data.metrics[metric];
    const count = data.keys.length, added = data.largest * 10 ** packed.decimals;
    const [difference, low, high] = ["difference", "low", "high"]
      .map((name) => leaderboard.unpack(packed[name], "u2"));
    const p = leaderboard.unpack(packed.p, "u4");
    const real = leaderboard.unpackFlags(packed.real, difference.length);
    return (a, b) => {
      const [i, j] = [data.keys.indexOf(a), data.keys.indexOf(b)];
      const [first, second] = i < j ? [i, j] : [j, i];
      const pair = first * count - first * (first + 1) / 2 + second - first - 1;
      const ends = [low[pair] - added, high[pair] - added];
      const [least, most] = i < j ? ends : [-ends[1], -ends[0]];
      const steps = (difference[pair] - added) * (i < j ? 1 : -1);
      const texts = [steps, least, most].map((number) => signed(number, packed.decimals));
      const [mean, ...span] = [steps, least, most].map((number) => number / 10 ** packed.decimals);
      return { texts, mean, low: span[0], high: span[1], p: p[pair] / data.pSteps, real: real[pair] };
    };
  };

  // Returns where two methods are compared query by query.
  const compareAddress = (data, a, b) => {
    const [first, second] = [a, b].map((key) => data.entries[data.keys.indexOf(key)]);
    return `compare.html#${new URLSearchParams({ ground: section.dataset.name, a: first, b: second })}`;
  };

  const writeDifference = (cell, found, scale, address) => {
    const [text, least, most] = found.texts;
    const link = element("a", `${least} to ${most}`);
    link.href = address;
    const small = element("small", "");
    small.append(link, ", ", element("span", probability(found.p)));
    cell.classList.toggle("quiet", !found.real);
    cell.replaceChildren(...leaderboard.whiskers.draw(found, scale), text, small);
    if (!found.real) cell.append(element("span", ", not told apart", "hidden"));
  };

  const writeDifferences = (data, metric, baseline) => {
    const pairs = readPairs(data, metric);
    const others = rows.filter((row) => row !== baseline);
    const isKnown = data.keys.includes(baseline.dataset.method);
    const found = new Map(isKnown
      ? others.map((row) => [row, pairs(row.dataset.method, baseline.dataset.method)]) : []);
    const scale = leaderboard.whiskers.sharedScale([{ low: 0, mean: 0, high: 0 }, ...found.values()]);
    for (const row of rows) {
      const cell = cellOf(row, "difference");
      if (found.has(row)) {
        const address = compareAddress(data, row.dataset.method, baseline.dataset.method);
        writeDifference(cell, found.get(row), scale, address);
      } else {
        cell.classList.remove("quiet");
        cell.replaceChildren(...(isKnown ? leaderboard.whiskers.draw(null, scale) : []),
          element("span", isKnown ? "baseline" : RANGE, "quiet"));
      }
    }
    section.querySelector(".facts .cut").hidden =
      ![...found.values()].some((one) => leaderboard.whiskers.isCut(one, scale));
    headerOf("difference").querySelector(".ticks").replaceChildren(
      ...(isKnown ? leaderboard.whiskers.drawTicks(scale) : []));
  };

  // Says in header and caption what the differences are to, and marks its row.
  const nameBaseline = (baseline, isFirst) => {
    for (const row of rows) {
      if (row === baseline) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    if (!order.includes("difference")) return;
    const name = baseline ? linkOf(baseline).textContent : "a method that did not run here";
    const short = name.length > 28 ? `${name.slice(0, 27).trimEnd()}\u2026` : name;
    headerOf("difference").querySelector(".to").textContent = `to ${short}`;
    table.caption.querySelector(".to").textContent = name;
    table.caption.querySelector(".which").textContent = isFirst ? "the best" : "the method chosen";
  };

  const writeDetails = (data, metric, baseline) => {
    if (order.includes("difference")) writeDifferences(data, metric, baseline ?? { dataset: {} });
    panels.forEach((panel, place) => leaderboard.redrawPanel(
      panel, data.metrics[metric].panels[place], metricName(metric)));
    section.querySelectorAll("figcaption .by").forEach((place) => {
      place.textContent = metricName(metric);
    });
  };

  // Words and figures change together: until the data is there, both are of the earlier view.
  const drawDetails = async (view) => {
    const first = inStanding(view.metric)[0];
    const chosen = entries.find((entry) => entry.dataset.method === view.baseline);
    const baseline = view.baseline ? chosen : first;
    if (detailed || view.metric !== metrics[0] || baseline !== first) {
      const data = await leaderboard.load(`${section.dataset.name}/ranking`);
      if (asked !== view) return; // overtaken by a later choice
      detailed = true;
      writeDetails(data, view.metric, baseline);
    }
    nameBaseline(baseline, baseline === first);
  };

  // Shows a view; the promise is kept when its differences stand in the table.
  const show = (view, passes) => {
    asked = view;
    dropHeadings();
    arrange(view.metric);
    writeRanks(view.metric);
    filter(passes);
    sort(view);
    drawBars(view);
    headGroups(view);
    return drawDetails(view);
  };

  // Says who is first in the view that is shown, and to whom the differences are.
  const say = () => {
    const { metric } = asked;
    const [first] = inStanding(metric);
    if (!first) return "";
    const { undecided } = cellOf(first, metric).dataset;
    const whom = undecided ? `, not told apart from ${undecided}` : "";
    const to = table.caption.querySelector(".to");
    const title = section.querySelector("h2").firstChild.textContent.trim();
    return `${title}, by ${metricName(metric)}: ${linkOf(first).textContent} is first${whom}.` +
      (to ? ` Differences are to ${to.textContent}.` : "");
  };

  return { show, say, entries, rows, headers: [...headers.cells], metrics, metricName };
};
