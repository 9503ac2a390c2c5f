// What two drivers mean for regression, in closed form. `imitation_lab/widgets/modes.py` holds the same
// formulas, and a test holds the two equal.

import { gaussianDensity, gaussianShare } from "./gaussians.js";

export function densityOfDrivers(x, { left_mode, right_mode, left_weight, spread }) {
  return (
    left_weight * gaussianDensity(x, left_mode, spread) +
    (1 - left_weight) * gaussianDensity(x, right_mode, spread)
  );
}

/** What `ModesSummary` holds in Python. */
export function summarizeModes(settings) {
  const { left_mode, right_mode, left_weight, spread, guess, obstacle } = settings;
  const right_weight = 1 - left_weight;
  const mean = left_weight * left_mode + right_weight * right_mode;
  const variance = spread ** 2 + left_weight * right_weight * (right_mode - left_mode) ** 2;
  const std = Math.sqrt(variance);
  return {
    mean,
    variance,
    std,
    density_at_mean: densityOfDrivers(mean, settings),
    data_in_obstacle:
      left_weight * gaussianShare(-obstacle, obstacle, left_mode, spread) +
      right_weight * gaussianShare(-obstacle, obstacle, right_mode, spread),
    gaussian_in_obstacle: gaussianShare(-obstacle, obstacle, mean, std),
    excess: (guess - mean) ** 2,
    guess_loss: variance + (guess - mean) ** 2,
    optimum_crashes: Math.abs(mean) < obstacle,
  };
}
