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
    dot.querySelector("circle").setAttribute("cy", y);
    dot.querySelector("text")?.remove();
    dot.classList.toggle("leads", isFront);
    if (isFront) dot.removeAttribute("tabindex");
    else dot.setAttribute("tabindex", "-1");
    if (label) {
      dot.append(drawn("text", { x: label.x, y: label.y, "text-anchor": label.anchor }, label.text));
    }
  });
};
