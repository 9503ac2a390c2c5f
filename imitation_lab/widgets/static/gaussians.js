// Gaussians in closed form, as `imitation_lab/widgets/gaussians.py` has them.

/** The error function, by its series of positive terms: exact to rounding. */
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export function gaussianDensity(x, mean, std) {
  return Math.exp(-0.5 * ((x - mean) / std) ** 2) / (std * Math.sqrt(2 * Math.PI));
}

/** The share of a Gaussian that lies between two values. */
export function gaussianShare(low, high, mean, std) {
  const scale = std * Math.SQRT2;
  return 0.5 * (erf((high - mean) / scale) - erf((low - mean) / scale));
}

/** The standard Gaussian's quantile, by bisection. */
export function gaussianQuantile(share) {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (0.5 * (1 + erf(middle / Math.SQRT2)) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
