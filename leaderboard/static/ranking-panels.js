// Moves what a panel shows to another metric, as it was laid out when the site was built.
"use strict";

leaderboard.redrawPanel = (panel, layout, metric) => {
  const drawn = (tag, attributes, text = "") => {
    const made = document.createElementNS(panel.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  panel.querySelector("title").textContent = `${metric} against ${panel.dataset.cost}`;
  panel.querySelector(".up").textContent = `${metric} (%)`;
  panel.querySelector(".levels").replaceChildren(...layout.ticks.flatMap(([y, text]) => [
    drawn("path", { class: "grid", d: `M34 ${y}H406` }),
    drawn("text", { x: 28, y, dy: 3.6, "text-anchor": "end" }, text),
  ]));
  panel.querySelector(".front").setAttribute("d", layout.front);
  panel.querySelectorAll("a").forEach((dot, place) => {
    const { y, title, label, is_front: isFront } = layout.dots[place];
    dot.querySelector("title").textContent = title;
    dot.setAttribute("aria-label", title);
    dot.querySelector("circle").setAttribute("cy", y);
    dot.querySelector("text")?.remove();
    dot.classList.toggle("leads", isFront);
    if (label) {
      dot.append(drawn("text", { x: label.x, y: label.y, "text-anchor": label.anchor }, label.text));
    }
  });
};

// Lets the marks of a plot be read by keyboard and touch, which know no hovering: arrows lead from one
// to the next, of which one is a stop of the keyboard, and what the title of a mark says is written
// above the plot. The first touch reads the nearest mark, a second one follows its link.
leaderboard.steerPlot = (plot, marks) => {
  if (!marks.length) return;
  const NEAR = 32; // pixels
  const [, , width, height] = plot.getAttribute("viewBox").split(" ").map(Number);
  const tip = document.createElementNS(plot.namespaceURI, "text");
  const y = plot.matches(".panel") ? 13 : height - 3; // where nothing else is written
  for (const [name, value] of Object.entries({ class: "tip", x: width - 14, y, "text-anchor": "end", "aria-hidden": "true" })) {
    tip.setAttribute(name, value);
  }
  plot.append(tip);
  const placeOf = (mark) => (mark.querySelector("circle") ?? mark).getBoundingClientRect();
  const fromLeft = () => [...marks].sort((a, b) => placeOf(a).x - placeOf(b).x || placeOf(a).y - placeOf(b).y);
  const stop = (chosen) => marks.forEach((mark) => mark.setAttribute("tabindex", mark === chosen ? "0" : "-1"));
  const tell = (mark) => { tip.textContent = mark ? mark.querySelector("title").textContent : ""; };
  const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
  const nearest = ({ clientX, clientY }) => {
    const distance = (mark) => {
      const { x, y, width: across, height } = placeOf(mark);
      return Math.hypot(clientX - x - across / 2, clientY - y - height / 2);
    };
    const [found] = [...marks].sort((a, b) => distance(a) - distance(b));
    return distance(found) < NEAR ? found : null;
  };
  for (const mark of marks) {
    if (!mark.matches("a")) mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", mark.querySelector("title").textContent);
    mark.addEventListener("focus", () => { stop(mark); tell(mark); });
    mark.addEventListener("blur", () => tell(null));
    mark.addEventListener("pointerenter", () => tell(mark));
    mark.addEventListener("pointerleave", () => tell(marks.find((one) => one === document.activeElement)));
    mark.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS)) return;
      event.preventDefault();
      const sorted = fromLeft();
      sorted[sorted.indexOf(mark) + STEPS[event.key]]?.focus();
    });
  }
  let focused = null; // what was read before a touch began
  plot.addEventListener("pointerdown", () => { focused = document.activeElement; });
  plot.addEventListener("click", (event) => {
    if (event.pointerType !== "touch") return;
    const mark = nearest(event);
    if (mark && mark === focused) return;
    event.preventDefault();
    mark?.focus();
  });
  stop(fromLeft()[0]);
};
