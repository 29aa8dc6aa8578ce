// Compares two entries query by query: would the difference hold for other people, and for other
// seeds? The procedure is that of harness/significance for one pair alone; what stands behind it is
// said there, in standard_errors.py and spread.py. Sums are of whole numbers (hits, or steps of a
// percentage), so that ties are ties.
"use strict";

leaderboard.paired = (() => {
  const DEPTHS = { r1: 1, r5: 5, r10: 10 };
  const LEAST_CARRYING = 5; // people, as there
  const FURTHEST = 100; // points, no difference of percentages lies beyond
  const ROUNDING = 1e-7; // points; what is smaller is left of rounding

  const add = (numbers) => numbers.reduce((sum, value) => sum + value, 0);
  const mean = (numbers) => add(numbers) / numbers.length;
  const count = (numbers, holds) => numbers.reduce((sum, value) => sum + holds(value), 0);
  const squares = (numbers) => numbers.reduce((sum, value) => sum + value * value, 0);
  const centre = (numbers) => {
    const middle = mean(numbers);
    return numbers.map((value) => value - middle);
  };
  const withoutRounding = (value) => (Math.abs(value) <= ROUNDING ? 0 : value);

  // Unpacks the data of an entry: ranks by seed and, by metric, whole numbers by seed with their
  // unit. `about` is what the contest says of the entry.
  const readEntry = (data, about, contest) => {
    const ranks = data.ranks.map((text) => leaderboard.unpack(text, "u1"));
    const read = (metric) => (metric in DEPTHS
      ? { bySeed: ranks.map((row) => row.map((rank) => rank <= DEPTHS[metric])), unit: 100 }
      : { bySeed: data[metric].map((text) => leaderboard.unpack(text, "u2")), unit: 100 / contest.levels });
    const values = Object.fromEntries(Object.keys(contest.metrics).map((name) => [name, read(name)]));
    const mistakes = data.mistakes?.map((text) => leaderboard.unpack(text, "u1"));
    const category = (_, bit) => ({ bySeed: mistakes.map((row) => row.map((bits) => (bits >> bit) & 1)), unit: 100 });
    return { ...about, ranks, values, mistakes: mistakes && contest.mistakes.map(category), top: data.top };
  };

  // Returns the seeds on which two are compared: of what is fixed, any stands for its run.
  const commonSeeds = (a, b) => {
    if (a.fixed || b.fixed) return b.fixed ? a.seeds : b.seeds;
    return a.seeds.filter((seed) => b.seeds.includes(seed));
  };

  // Returns an entry on some seeds. What is fixed has one row of ranks, and the same numbers under
  // each seed. `numbers` are sums over seeds, with their unit.
  const restrict = (entry, seeds) => {
    const rows = seeds.map((seed) => (entry.fixed ? 0 : entry.seeds.indexOf(seed)));
    const pick = ({ bySeed, unit }) => {
      const picked = rows.map((row) => bySeed[row]);
      return { bySeed: picked, ofSeed: unit, numbers: sumSeeds(picked), unit: unit / seeds.length };
    };
    const values = Object.entries(entry.values).map(([metric, found]) => [metric, pick(found)]);
    return {
      ...entry,
      ranks: [...new Set(rows)].map((row) => entry.ranks[row]),
      values: Object.fromEntries(values),
      mistakes: entry.mistakes?.map(pick),
    };
  };

  const sumSeeds = (bySeed) =>
    Uint32Array.from(bySeed[0] ?? [], (_, query) => add(bySeed.map((row) => row[query])));

  // Numbers the people of the queries from 0, and counts their queries.
  const groupQueries = (people) => {
    const known = new Map();
    const person = Uint32Array.from(people, (name) => {
      if (!known.has(name)) known.set(name, known.size);
      return known.get(name);
    });
    const sizes = new Float64Array(known.size);
    for (const one of person) sizes[one]++;
    return { person, sizes };
  };

  // Returns what each person adds to the mean of values by query; over people that is zero.
  const influencesOf = (values, { person, sizes }, unit) => {
    const middle = mean(values);
    const sums = sizes.map((size) => -middle * size);
    for (let query = 0; query < person.length; query++) sums[person[query]] += values[query];
    return sums.map((sum) => (unit * sum) / values.length);
  };

  const correction = (people) => people / (people - 1); // makes a sum of squares a variance

  // Returns the variance of a mean over people, and its degrees of freedom: the people that carry it.
  const ofPeople = (influences) => {
    const sum = squares(influences);
    const fourths = squares(influences.map((value) => value * value));
    const carrying = fourths > 0 ? (sum * sum) / fourths : 1;
    const people = influences.length;
    const degrees = Math.min(people - 1, Math.max(carrying, LEAST_CARRYING));
    return { variance: correction(people) * sum, degrees };
  };

  // Returns how people differ between seeds in what they add to a mean.
  const ofBoth = (influences, averaged) => {
    const rest = influences.map((ofSeed) => squares(ofSeed.map((value, i) => value - averaged[i])));
    return (correction(averaged.length) * add(rest)) / (influences.length - 1);
  };

  // Draws the variance that seeds show towards the one that the board lets expect.
  const moderate = (found, expected, seeds, degrees, prior) => {
    const weight = (seeds - 1) / (seeds - 1 + prior);
    return {
      variance: weight * found + (1 - weight) * expected,
      degrees: 1 / (weight ** 2 / (seeds - 1) + (1 - weight ** 2) / degrees),
    };
  };

  // Measures how far seeds spread from the means by seed of the two alone, for a board that does
  // not tell.
  const measureSpread = (sides) => {
    const tables = sides.filter((bySeed) => new Set(bySeed).size > 1).map(centre);
    if (!tables.length) return null;
    const several = tables.length > 1;
    const shift = tables[0].map((_, seed) => (several ? mean(tables.map((row) => row[seed])) : 0));
    const left = tables.map((row) => squares(row.map((value, seed) => value - shift[seed])));
    const ownDegrees = Math.max(1, tables.length - 1) * (shift.length - 1);
    const wholeDegrees = tables.length * (shift.length - 1);
    return {
      own: add(left) / ownDegrees, ownDegrees, whole: add(tables.map(squares)) / wholeDegrees, wholeDegrees,
    };
  };

  // Returns the variance between seeds that the board lets expect of so many methods with
  // randomness: a shift that a seed gives to all of them is in no difference of two.
  const expect = (spread, seeded) => {
    if (!spread) return [0, 1];
    return seeded === 2 ? [2 * spread.own, spread.ownDegrees]
      : [seeded * spread.whole, spread.wholeDegrees];
  };

  // Returns the standard error of a difference and its degrees of freedom. Takes influences by seed,
  // differences by seed, and the variance between seeds to be expected, with its own degrees.
  const findError = (influences, bySeed, expected, degrees, prior) => {
    const seeds = bySeed.length;
    const averaged = influences[0].map((_, i) => mean(influences.map((ofSeed) => ofSeed[i])));
    const people = ofPeople(averaged);
    if (seeds === 1 || !expected) {
      return { error: withoutRounding(Math.sqrt(people.variance)), degrees: people.degrees };
    }
    const found = squares(centre(bySeed)) / (seeds - 1);
    const seed = moderate(found, expected, seeds, degrees, prior);
    const added = seed.variance / seeds;
    const both = ofBoth(influences, averaged) / seeds;
    const squared = Math.max(people.variance - both, 0) + added;
    const spent = people.variance ** 2 / people.degrees + added ** 2 / seed.degrees;
    const least = Math.min(people.degrees, seed.degrees);
    return {
      error: withoutRounding(Math.sqrt(squared)),
      degrees: Math.max(least, spent > 0 ? squared ** 2 / spent : 1),
    };
  };

  const interval = (difference, reach) => ({
    low: Math.max(difference - reach, -FURTHEST),
    high: Math.min(difference + reach, FURTHEST),
  });

  // Returns p and the interval; an error of zero leaves no doubt.
  const judge = (difference, { error, degrees }, level) => {
    const size = Math.abs(difference);
    const { pValue, quantile } = leaderboard.student;
    const p = error ? pValue(size / error, degrees) : Number(!size);
    const reach = error ? quantile(level, degrees) * error : 0;
    return { difference, ...interval(difference, reach), p, real: p < level };
  };

  const isSeeded = (bySeed) =>
    bySeed.some((row) => row.some((value, query) => value !== bySeed[0][query]));

  const compareMetric = (a, b, groups, spread, { prior, level }) => {
    const unit = a.ofSeed;
    const minus = (left, right) => Int32Array.from(left, (value, query) => value - right[query]);
    const differences = a.bySeed.map((row, seed) => minus(row, b.bySeed[seed]));
    const influences = differences.map((row) => influencesOf(row, groups, unit));
    const bySeed = differences.map((row) => unit * mean(row));
    const known = spread ?? measureSpread(
      [a, b].map((side) => side.bySeed.map((row) => unit * mean(row))));
    const seeded = [a, b].map((side) => isSeeded(side.bySeed));
    const found = findError(influences, bySeed, ...expect(known, count(seeded, Boolean)), prior);
    const changes = minus(a.numbers, b.numbers);
    return {
      a: a.unit * mean(a.numbers),
      b: b.unit * mean(b.numbers),
      ...judge(withoutRounding(a.unit * mean(changes)), found, level),
      wins: count(changes, (value) => value > 0),
      ties: count(changes, (value) => value === 0),
      losses: count(changes, (value) => value < 0),
      bySeed,
    };
  };

  // Compares entries that `restrict` returned; `people` names the person of each query. `runs` are
  // those of each entry: one of what is fixed.
  const compare = (a, b, people, contest) => {
    const groups = groupQueries(people);
    const metrics = Object.fromEntries(Object.keys(contest.metrics).map((name) => [name,
      compareMetric(a.values[name], b.values[name], groups, contest.spread[name], contest)]));
    const runs = [a, b].map((side) => side.ranks.length);
    return { metrics, runs, people: groups.sizes.length };
  };

  // Returns the 95 % interval of a mean of its own.
  const describeMean = ({ bySeed, ofSeed }, groups, spread, { prior, level }) => {
    const influences = bySeed.map((row) => influencesOf(row, groups, ofSeed));
    const means = bySeed.map((row) => ofSeed * mean(row));
    const board = expect(spread ?? measureSpread([means]), Number(isSeeded(bySeed)));
    const { error, degrees } = findError(influences, means, ...board, prior);
    const reach = error ? leaderboard.student.quantile(level, degrees) * error : 0;
    return { low: Math.max(mean(means) - reach, 0), high: Math.min(mean(means) + reach, FURTHEST) };
  };

  // Compares what wrong first images of two entries contradict, all categories at once: p is as many
  // times as large, and intervals hold zero exactly where it is `level` or more (Bonferroni).
  const compareMistakes = (a, b, people, contest) => {
    const groups = groupQueries(people);
    const rows = contest.mistakes.length;
    return contest.mistakes.map(({ name, spread }, category) => {
      const [first, second] = [a, b].map((side) => side.mistakes[category]);
      const found = compareMetric(first, second, groups, spread, { ...contest, level: contest.level / rows });
      const [ofA, ofB] = [first, second].map((side) => describeMean(side, groups, spread, contest));
      return { ...found, name, ofA, ofB, p: Math.min(1, rows * found.p) };
    });
  };

  // Returns the rank of the first right image that stands in the middle of the seeds, the better
  // one of an even number.
  const middleRanks = (ranks) => {
    const middle = Math.floor((ranks.length - 1) / 2);
    return Uint8Array.from(ranks[0], (_, i) =>
      ranks.map((ofSeed) => ofSeed[i]).sort((x, y) => x - y)[middle]);
  };

  return { readEntry, commonSeeds, restrict, compare, compareMistakes, interval, middleRanks };
})();
