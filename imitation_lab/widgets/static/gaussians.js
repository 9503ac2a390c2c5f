// Two Gaussians in closed form. `imitation_lab/widgets/modes.py` holds the same formulas, and a test
// holds the two equal.

/** The error function, by its series of positive terms: exact to rounding. */
export function erf(x) {
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

export function mixtureDensity(x, { left_mode, right_mode, left_weight, spread }) {
  return (
    left_weight * gaussianDensity(x, left_mode, spread) +
    (1 - left_weight) * gaussianDensity(x, right_mode, spread)
  );
}

/** What `ModesSummary` holds in Python. */
export function summarize(settings) {
  const { left_mode, right_mode, left_weight, spread, guess, obstacle } = settings;
  const right_weight = 1 - left_weight;
  const mean = left_weight * left_mode + right_weight * right_mode;
  const variance = spread ** 2 + left_weight * right_weight * (right_mode - left_mode) ** 2;
  const std = Math.sqrt(variance);
  return {
    mean,
    variance,
    std,
    density_at_mean: mixtureDensity(mean, settings),
    data_in_obstacle:
      left_weight * gaussianShare(-obstacle, obstacle, left_mode, spread) +
      right_weight * gaussianShare(-obstacle, obstacle, right_mode, spread),
    gaussian_in_obstacle: gaussianShare(-obstacle, obstacle, mean, std),
    excess: (guess - mean) ** 2,
    guess_loss: variance + (guess - mean) ** 2,
    optimum_crashes: Math.abs(mean) < obstacle,
  };
}
