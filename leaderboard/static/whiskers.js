// Whiskers of differences on a shared scale, as `whiskers.py` draws them; see there for the rule.
"use strict";

leaderboard.whiskers = (() => {
  const WIDTH = 100, MARGIN = 1, STUB = 9;
  const FAR = 5, LONG = 2, STEPS = 10, MOST_TICKS = 5;
  const ARROWS = { left: "M6 1L1 5l5 4", right: "M94 1l5 4l-5 4" };
  const ZERO = { low: 0, mean: 0, high: 0 };

  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  const roundStep = (size) => {
    const power = 10 ** Math.floor(Math.log10(size));
    return [1, 2, 5, 10].map((factor) => power * factor).find((step) => step >= size * (1 - 1e-9));
  };

  // Returns the tightest ends that are multiples of a 1-2-5 step and hold every value.
  const roundScale = (values) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const step = roundStep((most - least) / STEPS || Math.abs(most) / 10 || 1);
    const [low, high] = [Math.floor(least / step) * step, Math.ceil(most / step) * step];
    return low < high ? { low, high } : { low: low - step, high: high + step };
  };

  // Returns round ends that hold zero, and the intervals of all that is not far from the others.
  const sharedScale = (intervals) => {
    const means = intervals.map((one) => one.mean);
    const centre = median(means);
    const distance = median(means.map((mean) => Math.abs(mean - centre)));
    const length = median(intervals.map((one) => one.high - one.low));
    const reach = Math.max(FAR * distance, LONG * length);
    const near = intervals.filter((one) => Math.abs(one.mean - centre) <= reach);
    return roundScale([0, ...near.flatMap((one) => [one.low, one.high])]);
  };

  // Returns where round values stand in percent of the width, and the values.
  const scaleTicks = (scale) => {
    const step = roundStep((scale.high - scale.low) / MOST_TICKS);
    const first = Math.ceil(scale.low / step - 1e-9), last = Math.floor(scale.high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step)
      .map((value) => [`${place(value, scale).toFixed(1)}%`, value]);
  };

  const place = (value, { low, high }) =>
    MARGIN + ((value - low) / (high - low)) * (WIDTH - 2 * MARGIN);

  const isCut = (one, scale) => one.low < scale.low || one.high > scale.high;

  // Returns the path of an interval, with an arrow where it is cut.
  const span = (one, scale) => {
    let [left, right] = [one.low, one.high].map((end) =>
      Math.min(Math.max(place(end, scale), MARGIN), WIDTH - MARGIN));
    if (right <= MARGIN) right = MARGIN + STUB;
    if (left >= WIDTH - MARGIN) left = WIDTH - MARGIN - STUB;
    const arrows = [one.low < scale.low ? ARROWS.left : "", one.high > scale.high ? ARROWS.right : ""];
    return `M${left.toFixed(1)} 5H${right.toFixed(1)}${arrows.join("")}`;
  };

  const middle = (one, scale) => one.mean >= scale.low && one.mean <= scale.high
    ? `M${place(one.mean, scale).toFixed(1)} 0v10` : "";

  const dot = (one, scale) => middle(one, scale).replace(" 0v10", " 5h0");

  const make = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  const drawing = (name, paths) => {
    const svg = make("svg", {
      class: name, viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(...Object.entries(paths).map(([kind, d]) => make("path", { class: kind, d })));
    return svg;
  };

  // Draws the line of no difference through a row and, where one is given, a difference with its
  // interval. The first is stretched to the height of the row.
  const draw = (one, scale) => {
    const line = drawing("through", { zero: middle(ZERO, scale) });
    if (!one) return [line];
    const point = dot(one, scale);
    return [line, drawing("at", { span: span(one, scale), dot: point, hole: point })];
  };

  // Writes a round number of a scale.
  const writeTick = (value) => {
    const text = String(Number(Math.abs(value).toPrecision(6)));
    return value ? (value < 0 ? "\u2212" : "+") + text : text;
  };

  const drawTicks = (scale) => scaleTicks(scale).map(([x, value]) => {
    const text = make("text", { x, y: 11, "text-anchor": "middle" });
    text.textContent = writeTick(value);
    return text;
  });

  return { sharedScale, roundScale, place, draw, drawTicks, isCut };
})();
