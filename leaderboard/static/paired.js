// Compares two entries query by query, clustered by person: the same figures on every visit.
// All sums are of whole numbers (hits, or steps of a percentage), so that ties are ties.
"use strict";

leaderboard.paired = (() => {
  const FLIPS = 10000;
  const RESAMPLES = 2000;
  const TAIL = 0.025;
  const DEPTHS = { r1: 1, r5: 5, r10: 10 };

  // A generator of 32-bit numbers (sfc32), the same from every start. Its state is an array of
  // integers, because a number of 32 bits that a closure holds is allocated anew at every change.
  const generator = () => {
    const state = Int32Array.of(0x9e3779b9, 0x243f6a88, 0xb7e15162, 1);
    const next = () => {
      const b = state[1];
      const c = state[2];
      const sum = (state[0] + b + state[3]) | 0;
      state[3] += 1;
      state[0] = b ^ (b >>> 9);
      state[1] = c + (c << 3);
      state[2] = ((c << 21) | (c >>> 11)) + sum;
      return sum >>> 0;
    };
    for (let i = 0; i < 16; i++) next();
    return next;
  };

  // Unpacks the data of an entry: ranks by seed and, by metric, whole numbers with their unit.
  const readEntry = (data, contest) => {
    const ranks = data.ranks.map((text) => leaderboard.unpack(text, "u1"));
    const values = {};
    for (const metric of Object.keys(contest.metrics)) {
      values[metric] = metric in DEPTHS
        ? { numbers: countHits(ranks, DEPTHS[metric]), unit: 100 / ranks.length }
        : { numbers: leaderboard.unpack(data[metric], "u2"), unit: 100 / contest.levels };
    }
    return { ranks, values, top: data.top };
  };

  const countHits = (ranks, depth) => {
    const hits = new Uint16Array(ranks[0].length);
    for (const ofSeed of ranks) {
      for (let i = 0; i < hits.length; i++) hits[i] += ofSeed[i] <= depth;
    }
    return hits;
  };

  // Numbers the people of the queries from 0.
  const clusterOf = (people) => {
    const known = new Map();
    const clusters = Uint32Array.from(people, (person) => {
      if (!known.has(person)) known.set(person, known.size);
      return known.get(person);
    });
    return { clusters, count: known.size };
  };

  // Sums values over the queries of each cluster.
  const sumClusters = (values, { clusters, count }) => {
    const sums = new Float64Array(count);
    for (let i = 0; i < clusters.length; i++) sums[clusters[i]] += values[i];
    return sums;
  };

  // Returns the signed sums of each eight people under all their 256 signs.
  const signedSums = (sums) => {
    const groups = Math.ceil(sums.length / 8);
    const table = new Float64Array(groups * 256);
    for (let g = 0; g < groups; g++) {
      const of = (bit) => sums[8 * g + bit] || 0; // the last group may be smaller
      for (let bit = 0; bit < 8; bit++) table[g * 256] -= of(bit);
      for (let mask = 1; mask < 256; mask++) {
        const lowest = 31 - Math.clz32(mask & -mask);
        table[g * 256 + mask] = table[g * 256 + (mask & (mask - 1))] + 2 * of(lowest);
      }
    }
    return table;
  };

  // Counts, for each metric, the flips of whole people that go as far from zero as was observed.
  const countFlips = (sums, totals, next) => {
    const tables = sums.map(signedSums);
    const signs = new Uint8Array(4 * Math.ceil(tables[0].length / 1024)); // a byte for eight people
    const words = new Uint32Array(signs.buffer);
    const groups = tables[0].length / 256;
    const reached = totals.map(() => 0);
    for (let flip = 0; flip < FLIPS; flip++) {
      for (let i = 0; i < words.length; i++) words[i] = next();
      tables.forEach((table, m) => {
        let sum = 0;
        for (let g = 0; g < groups; g++) sum += table[g * 256 + signs[g]];
        if (Math.abs(sum) >= Math.abs(totals[m])) reached[m]++;
      });
    }
    return reached;
  };

  // Returns, for each metric, the means of resamples of whole people, sorted.
  const resample = (sums, sizes, next) => {
    const drawn = new Uint32Array(sizes.length);
    const draws = sums.map(() => new Float64Array(RESAMPLES));
    const total = (values) => {
      let sum = 0;
      for (let i = 0; i < drawn.length; i++) sum += values[drawn[i]];
      return sum;
    };
    for (let draw = 0; draw < RESAMPLES; draw++) {
      for (let i = 0; i < drawn.length; i++) {
        drawn[i] = (next() / 4294967296) * drawn.length;
      }
      const queries = total(sizes);
      sums.forEach((ofMetric, m) => { draws[m][draw] = total(ofMetric) / queries; });
    }
    return draws.map((ofMetric) => ofMetric.sort());
  };

  const quantile = (sorted, share) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  };

  const add = (numbers) => numbers.reduce((sum, value) => sum + value, 0);
  const count = (numbers, holds) => numbers.reduce((sum, value) => sum + holds(value), 0);

  // Compares entries that readEntry returned; `people` names the person of each query.
  const compare = (a, b, people) => {
    const names = Object.keys(a.values);
    const differences = names.map((name) => {
      const [left, right] = [a.values[name].numbers, b.values[name].numbers];
      return Int32Array.from(left, (value, i) => value - right[i]);
    });
    const clusters = clusterOf(people);
    const sizes = sumClusters(new Uint8Array(people.length).fill(1), clusters);
    const sums = differences.map((ofMetric) => sumClusters(ofMetric, clusters));
    const totals = sums.map(add);
    const next = generator();
    const reached = countFlips(sums, totals, next);
    const draws = resample(sums, sizes, next);
    const mean = (values) => add(values.numbers) / people.length;
    const results = names.map((name, m) => {
      const unit = a.values[name].unit;
      return [name, {
        a: unit * mean(a.values[name]),
        b: unit * mean(b.values[name]),
        difference: (unit * totals[m]) / people.length,
        low: unit * quantile(draws[m], TAIL),
        high: unit * quantile(draws[m], 1 - TAIL),
        p: (reached[m] + 1) / (FLIPS + 1),
        wins: count(differences[m], (value) => value > 0),
        ties: count(differences[m], (value) => value === 0),
        losses: count(differences[m], (value) => value < 0),
      }];
    });
    return { metrics: Object.fromEntries(results), people: clusters.count };
  };

  // Returns the rank of the first right image that stands in the middle of the seeds, the better
  // one of an even number.
  const middleRanks = (ranks) => {
    const middle = Math.floor((ranks.length - 1) / 2);
    return Uint8Array.from(ranks[0], (_, i) =>
      ranks.map((ofSeed) => ofSeed[i]).sort((x, y) => x - y)[middle]);
  };

  return { readEntry, compare, middleRanks };
})();
