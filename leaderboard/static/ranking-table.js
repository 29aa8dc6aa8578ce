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

  const cellOf = (row, key) => row.cells[order.indexOf(key)];
  const headerOf = (key) => cellOf(headers, key);
  const metrics = order.filter((key) => headerOf(key).classList.contains("score"));
  const orderOf = (row, key) => cellOf(row, key).dataset.order ?? cellOf(row, key).textContent.trim();
  const linkOf = (entry) => entry.querySelector("th.pinned a");
  const rankOf = (row, metric) => cellOf(row, metric).dataset.ranks.split(" ").map(Number);
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
      for (const key of metrics) cells.get(key).classList.toggle("primary", key === metric);
      if (wanted.some((key, place) => key !== order[place])) {
        row.append(...wanted.map((key) => cells.get(key)));
      }
    }
    order = wanted;
    table.caption.querySelectorAll(".by").forEach((place) => { place.textContent = metricName(metric); });
  };

  const writeRanks = (metric) => {
    const ranks = rows.map((row) => rankOf(row, metric));
    rows.forEach((row, place) => {
      const [rank, last] = ranks[place];
      const sharing = ranks.filter(([other]) => other === rank).length;
      const shared = sharing > 1 ? `, shared by ${sharing} methods not told apart` : "";
      const span = rank < last ? `, places ${rank} to ${last}` : "";
      const cell = cellOf(row, "rank");
      cell.dataset.order = rank;
      cell.replaceChildren(String(rank), element("span", shared + span, "hidden"));
      if (span) {
        cell.append(element("small", `${rank}${RANGE}${last}`));
        cell.lastChild.setAttribute("aria-hidden", "true");
      }
    });
  };

  // Returns the rows by rank and then by mean.
  const inStanding = (metric) => [...rows].sort((a, b) =>
    rankOf(a, metric)[0] - rankOf(b, metric)[0] || orderOf(b, metric) - orderOf(a, metric));

  const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;

  const sort = ({ metric, sort, order: direction }) => {
    const key = sort === "difference" ? metric : sort; // less one baseline, the order is the same
    const sign = direction === "ascending" ? 1 : -1;
    const known = (row) => orderOf(row, key) !== "";
    const sorted = inStanding(metric).sort((a, b) =>
      known(b) - known(a) || sign * compare(orderOf(a, key), orderOf(b, key)));
    body.append(...sorted);
    for (const header of headers.cells) header.removeAttribute("aria-sort");
    headerOf(sort)?.setAttribute("aria-sort", direction);
  };

  // Joins neighbours that share a rank.
  const drawBrackets = () => {
    const shown = [...body.rows].filter((row) => !row.hidden);
    const rank = (place) => shown[place] && cellOf(shown[place], "rank").dataset.order;
    shown.forEach((row, place) => {
      const above = rank(place - 1) === rank(place), below = rank(place + 1) === rank(place);
      const classes = cellOf(row, "rank").classList;
      classes.toggle("tie", above || below);
      classes.toggle("first", below && !above);
      classes.toggle("inner", above && below);
      classes.toggle("last", above && !below);
    });
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
    return `p ${p.toFixed(showsSide ? 4 : p < 0.1 ? 3 : 2)}`;
  };

  // Unpacks the pairs of a metric into a function of two keys.
  const readPairs = (data, metric) => {
    const packed = data.metrics[metric];
    const count = data.keys.length, added = data.largest * 10 ** packed.decimals;
    const [difference, low, high, p] = ["difference", "low", "high", "p"]
      .map((name) => leaderboard.unpack(packed[name], "u2"));
    const wide = leaderboard.unpackFlags(packed.wide, difference.length);
    return (a, b) => {
      const [i, j] = [data.keys.indexOf(a), data.keys.indexOf(b)];
      const [first, second] = i < j ? [i, j] : [j, i];
      const pair = first * count - first * (first + 1) / 2 + second - first - 1;
      const ends = [low[pair] - added, high[pair] - added];
      const [least, most] = i < j ? ends : [-ends[1], -ends[0]];
      const steps = (difference[pair] - added) * (i < j ? 1 : -1);
      const texts = [steps, least, most].map((number) => signed(number, packed.decimals));
      return { texts, p: p[pair] / data.pSteps, wide: wide[pair] };
    };
  };

  const writeDifference = (cell, found, level) => {
    const isReal = found.p <= level;
    const [text, least, most] = found.texts;
    cell.classList.toggle("quiet", !isReal);
    cell.replaceChildren(element("small", `${probability(found.p)} `, "p"), text,
      element("small", `${least} to ${most}${found.wide ? ", wide" : ""}`));
    if (!isReal) cell.append(element("span", ", not told apart", "hidden"));
  };

  const writeDifferences = (data, metric, baseline) => {
    const pairs = readPairs(data, metric);
    const isKnown = data.keys.includes(baseline.dataset.method);
    for (const row of rows) {
      const cell = cellOf(row, "difference");
      if (isKnown && row !== baseline) {
        writeDifference(cell, pairs(row.dataset.method, baseline.dataset.method), data.level);
      } else {
        cell.classList.remove("quiet");
        cell.replaceChildren(element("span", isKnown ? "baseline" : RANGE, "quiet"));
      }
    }
  };

  // Says in header and caption what the differences are to.
  const nameBaseline = (baseline, isFirst) => {
    const name = baseline ? linkOf(baseline).textContent : "a method that did not run here";
    const short = name.length > 28 ? `${name.slice(0, 27).trimEnd()}\u2026` : name;
    headerOf("difference").querySelector(".to").textContent = `to ${short}`;
    table.caption.querySelector(".to").textContent = name;
    table.caption.querySelector(".which").textContent = isFirst ? "the first in rank" : "the method chosen";
  };

  const writeSeeds = (data, metric) => {
    for (const row of rows) {
      const [small, text] = [cellOf(row, metric).querySelector("small"),
        data.metrics[metric].seeds[data.keys.indexOf(row.dataset.method)]];
      if (text && !small.querySelector("span")) small.append(element("span", ` ${text}`));
    }
  };

  const drawDetails = async (view) => {
    const first = inStanding(view.metric)[0];
    const chosen = entries.find((entry) => entry.dataset.method === view.baseline);
    const baseline = view.baseline ? chosen : first;
    if (order.includes("difference")) nameBaseline(baseline, baseline === first);
    if (!detailed && view.metric === metrics[0] && baseline === first) return;
    const data = await leaderboard.load(`${section.dataset.name}/ranking`);
    if (asked !== view) return; // overtaken by a later choice
    detailed = true;
    if (order.includes("difference")) {
      writeDifferences(data, view.metric, baseline ?? { dataset: {} });
    }
    writeSeeds(data, view.metric);
    panels.forEach((panel, place) => leaderboard.redrawPanel(
      panel, data.metrics[view.metric].panels[place], metricName(view.metric)));
    section.querySelectorAll("figcaption .by").forEach((place) => {
      place.textContent = metricName(view.metric);
    });
  };

  // Shows a view; the promise is kept when its differences stand in the table.
  const show = (view, passes) => {
    asked = view;
    arrange(view.metric);
    writeRanks(view.metric);
    filter(passes);
    sort(view);
    drawBrackets();
    return drawDetails(view);
  };

  return { show, entries, rows, headers: [...headers.cells], metrics, metricName };
};
