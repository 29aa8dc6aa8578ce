// Frames that show their whole width: the page scrolls past them, and their headers stick to the window.
// What goes on sideways scrolls in its frame.
"use strict";

(() => {
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      target.classList.toggle("whole", target.scrollWidth <= target.clientWidth);
    }
  });
  // Some tables are drawn by other scripts, and drawn anew: each is measured again.
  const watch = () => document.querySelectorAll(".frame").forEach((frame) => sizes.observe(frame));
  new MutationObserver(watch).observe(document.querySelector("main"), { childList: true, subtree: true });
  watch();
})();
