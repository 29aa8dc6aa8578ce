// Student's t distribution, for any positive number of degrees of freedom. Formulas are numbered as
// in Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964.
"use strict";

leaderboard.student = (() => {
  // Lanczos, "A precision approximation of the gamma function", SIAM Journal on Numerical Analysis
  // B 1, 1964, with Godfrey's coefficients for g = 7.
  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7,
  ];
  const SMALLEST = 1e-300; // in place of a zero that would be divided by

  const logGamma = (x) => {
    if (x < 0.5) return logGamma(x + 1) - Math.log(x);
    const t = x + 6.5;
    const series = LANCZOS.reduce((sum, value, i) => sum + (i ? value / (x - 1 + i) : value), 0);
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series);
  };

  // The continued fraction of 26.5.8, by the method of Lentz, "Generating Bessel functions in Mie
  // scattering calculations using continued fractions", Applied Optics 15, 1976.
  const fraction = (a, b, x) => {
    let [value, c, d] = [1, 1, 0];
    for (let k = 1; k < 10000; k++) {
      const m = Math.floor(k / 2);
      const top = k % 2 ? -(a + m) * (a + b + m) : m * (b - m);
      const term = (top * x) / ((a + k - 1) * (a + k));
      d = 1 / (1 + term * d || SMALLEST);
      c = 1 + term / c || SMALLEST;
      value *= c * d;
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return value;
  };

  // The regularised incomplete beta function of x, where y = 1 - x is known more exactly than that.
  const incompleteBeta = (a, b, x, y) => {
    if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, y, x); // 26.5.2
    const logs = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y);
    return Math.exp(logs) / (a * fraction(a, b, x));
  };

  // Returns the two-sided p-value of t: 26.7.1 and 26.5.27.
  const pValue = (t, degrees) => {
    const whole = degrees + t * t;
    return incompleteBeta(degrees / 2, 0.5, degrees / whole, 1 / (1 + degrees / (t * t)));
  };

  // Returns the t whose two-sided p-value is `p`, between 0 and 1.
  const quantile = (p, degrees) => {
    let [low, high] = [0, 1];
    while (pValue(high, degrees) > p) [low, high] = [high, 2 * high];
    for (let step = 0; step < 60; step++) {
      const middle = (low + high) / 2;
      if (pValue(middle, degrees) > p) low = middle;
      else high = middle;
    }
    return high;
  };

  return { pValue, quantile };
})();
