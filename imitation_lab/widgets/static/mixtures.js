// Mixtures of Gaussians in one dimension: `{ weights, means, stds }`. `imitation_lab/widgets/mixtures.py`
// holds the same formulas, quadrature and random numbers, and a test holds the two equal.

import { gaussianDensity, gaussianShare } from "./gaussians.js";

const GRID_STEPS_PER_STD = 16; // the trapezoidal rule is then exact to rounding
const GRID_REACH = 9; // standard deviations beyond the outermost means

export function densityOfMixture(x, { weights, means, stds }) {
  let density = 0;
  for (let i = 0; i < weights.length; i++)
    density += weights[i] * gaussianDensity(x, means[i], stds[i]);
  return density;
}

/** The share of actions between two values. */
export const shareOfMixture = (low, high, { weights, means, stds }) =>
  weights.reduce((sum, weight, i) => sum + weight * gaussianShare(low, high, means[i], stds[i]), 0);

/** The differential entropy in nats: what no policy's expected loss gets below. */
export function entropyOfMixture(mixture) {
  const reach = GRID_REACH * Math.max(...mixture.stds);
  const low = Math.min(...mixture.means) - reach;
  const high = Math.max(...mixture.means) + reach;
  const steps = Math.ceil(((high - low) / Math.min(...mixture.stds)) * GRID_STEPS_PER_STD);
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const density = densityOfMixture(low + ((high - low) * i) / steps, mixture);
    if (density > 0) sum += density * Math.log(density);
  }
  return (-sum * (high - low)) / steps;
}

/** Reproducible actions; a larger count goes on where a smaller one stopped. */
export function drawFromMixture(seed, count, { weights, means, stds }) {
  const next = uniformNumbers(seed);
  return Float64Array.from({ length: count }, () => {
    const [chosen, radius, angle] = [next(), next(), next()];
    const component = chosenComponent(chosen, weights);
    const normal = Math.sqrt(-2 * Math.log(radius)) * Math.cos(2 * Math.PI * angle); // Box and Muller
    return means[component] + stds[component] * normal;
  });
}

function chosenComponent(chosen, weights) {
  let bound = 0;
  for (let i = 0; i < weights.length - 1; i++) {
    bound += weights[i];
    if (chosen < bound) return i;
  }
  return weights.length - 1;
}

/** Tommy Ettinger's mulberry32, between 0 and 1, both left out. It serves pictures, no statistics. */
export function uniformNumbers(seed) {
  let state = Math.imul(seed, 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

/** Keep the last result of a function of plain values until one of them changes. */
export function remembered(compute) {
  let [key, value] = [null, null];
  return (...values) => {
    const asked = JSON.stringify(values);
    if (asked !== key) [key, value] = [asked, compute(...values)];
    return value;
  };
}
