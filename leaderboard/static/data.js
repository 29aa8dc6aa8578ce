// Data of the pages. Each file under data/ is a script that calls leaderboardData(name, value);
// it is loaded once, when it is first asked for.
"use strict";

const leaderboard = (() => {
  const site = new URL("../", document.currentScript.src);
  const requests = new Map(); // name -> { promise, resolve }

  const request = (name) => {
    if (!requests.has(name)) {
      const entry = {};
      entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
      requests.set(name, entry);
    }
    return requests.get(name);
  };

  // Returns the address of a file, whose path within the site is not yet encoded: as pages at the top
  // of the site link to it, or as all do.
  const encodePath = (path) => path.split("/").map(encodeURIComponent).join("/");
  const address = (path) => new URL(encodePath(path), site).href;

  // Returns a promise of the value of data/<name>.js.
  const load = (name) => {
    const entry = request(name);
    if (!entry.asked) {
      entry.asked = true;
      const script = document.createElement("script");
      script.src = address(`data/${name}.js`);
      script.addEventListener("error", () => {
        requests.delete(name); // so that it can be tried again
        entry.reject(new Error(`The file data/${name}.js is missing.`));
      });
      document.head.append(script);
    }
    return entry.promise;
  };

  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

  // Unpacks numbers: "u1", "u2" or "u4", little-endian.
  const unpack = (text, type) => {
    const raw = bytes(text);
    const size = Number(type[1]);
    const view = new DataView(raw.buffer);
    const numbers = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array }[type];
    const read = { u1: "getUint8", u2: "getUint16", u4: "getUint32" }[type];
    return numbers.from({ length: raw.length / size }, (_, i) => view[read](i * size, true));
  };

  // Unpacks `count` truth values from bits, the first in the lowest bit.
  const unpackFlags = (text, count) => {
    const raw = bytes(text);
    return Array.from({ length: count }, (_, i) => ((raw[i >> 3] >> (i & 7)) & 1) === 1);
  };

  const deliver = (name, value) => request(name).resolve(value);

  return { address, encodePath, load, unpack, unpackFlags, deliver };
})();

function leaderboardData(name, value) {
  leaderboard.deliver(name, value);
}
