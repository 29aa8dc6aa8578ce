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

  const drawShot = (ground, gallery, row, rank, right) => {
    const word = right ? "right" : "wrong";
    const id = gallery ? gallery.ids[row] : `row ${row}`;
    const sign = element("span", { class: "sign", "aria-hidden": "true" }, right ? "✓" : "×");
    if (!gallery || !gallery.thumbnails[row]) {
      const said = element("span", { class: "hidden" }, `Rank ${rank}, ${word}: image `);
      const shown = element("span", { class: "image-id" }, id);
      return element("li", { class: `retrieved ${word}` }, said, shown, sign);
    }
    const image = element("img", {
      loading: "lazy",
      decoding: "async",
      height: "96",
      alt: `Rank ${rank}, ${word}: image ${id}`,
      src: leaderboard.address(`thumbnails/${ground}/${row}.jpg`),
    });
    return element("li", { class: `retrieved ${word}` }, image, sign);
  };

  // Returns the first images of a query, best first; `top` and `gallery` are as read above.
  const drawShots = (ground, gallery, top, query, label) => {
    const list = element("ol", { class: "shots", "aria-label": label });
    for (let place = 0; place < top.depth; place++) {
      const at = query * top.depth + place;
      if (top.rows[at] === top.missing) break;
      list.append(drawShot(ground, gallery, top.rows[at], place + 1, top.right[at]));
    }
    return list;
  };

  return { element, readTop, readGallery, drawShots };
})();
