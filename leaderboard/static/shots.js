// Draws what a method retrieved for a query, as the page's own strips are drawn.
"use strict";

leaderboard.shots = (() => {
  // Returns an element; what is given as a text becomes a text.
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  // Unpacks the first images of every query.
  const readTop = (top, queries) => top && {
    depth: top.depth,
    missing: top.kind === "u2" ? 0xffff : 0xffffffff,
    rows: leaderboard.unpack(top.rows, top.kind),
    right: leaderboard.unpackFlags(top.right, queries * top.depth),
    first: leaderboard.unpack(top.first, top.kind),
  };

  // Says which images of a gallery have a thumbnail.
  const readGallery = (gallery) => gallery && {
    ...gallery,
    thumbnails: leaderboard.unpackFlags(gallery.thumbnails, gallery.ids.length),
  };

  // Returns in what an image contradicts a query, as `contradictions.py` does; `traits` may be null.
  const contradict = (traits, query, row) => {
    if (!traits) return [];
    const given = new Map(inPairs(traits.images[row]));
    return inPairs(traits.queries[query]).flatMap(([trait, value]) => {
      if (!given.has(trait)) return [];
      const [[wanted, bits], [found, others]] = [traits.values[value], traits.values[given.get(trait)]];
      const part = traits.traits[trait];
      return bits & others ? [] : [`${part}${part && " "}${found}, not ${wanted}`];
    });
  };
  const inPairs = (list) => Array.from({ length: list.length / 2 }, (_, i) => list.slice(2 * i, 2 * i + 2));

  const drawShot = (ground, gallery, row, rank, right, differs) => {
    const word = right ? "right" : "wrong";
    const id = gallery ? gallery.ids[row] : `row ${row}`;
    const words = differs.join("; ");
    const sign = element("span", { class: "sign", "aria-hidden": "true" }, right ? "✓" : "×");
    const below = (attributes) => (words ? [sign, element("span", { class: "differs", ...attributes }, words)] : [sign]);
    if (!gallery || !gallery.thumbnails[row]) {
      const said = element("span", { class: "hidden" }, `Rank ${rank}, ${word}: image `);
      const shown = element("span", { class: "image-id" }, id);
      return element("li", { class: `retrieved ${word}` }, said, shown, ...below({}));
    }
    const image = element("img", {
      loading: "lazy",
      decoding: "async",
      height: "96",
      alt: `Rank ${rank}, ${word}: image ${id}${words && `; ${words}`}`,
      src: leaderboard.address(`thumbnails/${ground}/${row}.jpg`),
    });
    return element("li", { class: `retrieved ${word}` }, image, ...below({ "aria-hidden": "true" }));
  };

  // Returns the first images of a query, best first. `data` has the gallery and the first images as
  // they are read above, and the traits.
  const drawShots = (ground, { gallery, top, traits }, query, label) => {
    const list = element("ol", { class: "shots", "aria-label": label });
    for (let place = 0; place < top.depth; place++) {
      const at = query * top.depth + place;
      const row = top.rows[at];
      if (row === top.missing) break;
      const differs = top.right[at] ? [] : contradict(traits, query, row);
      list.append(drawShot(ground, gallery, row, place + 1, top.right[at], differs));
    }
    return list;
  };

  // Returns lines from each right image in the first images of one to the same in those of another.
  const drawJoins = (above, below, query) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const depth = above.depth;
    for (const [name, value] of Object.entries({ class: "joins", viewBox: `0 0 ${2 * depth} 10`, preserveAspectRatio: "none", "aria-hidden": "true" })) svg.setAttribute(name, value);
    const rows = ({ rows: all, right }) => Array.from({ length: depth }, (_, place) =>
      (right[query * depth + place] ? all[query * depth + place] : null));
    const [first, second] = [rows(above), rows(below)];
    first.forEach((row, place) => {
      const other = row === null ? -1 : second.indexOf(row);
      if (other < 0) return;
      const path = document.createElementNS(svg.namespaceURI, "path");
      path.setAttribute("d", `M${2 * place + 1} 0L${2 * other + 1} 10`);
      svg.append(path);
    });
    return svg;
  };

  return { element, readTop, readGallery, drawShots, drawJoins };
})();
