// What a number of bins, a number of demonstrations and a temperature make of a categorical policy.
// `imitation_lab/widgets/bins.py` holds the same formulas, and a test holds the two equal.

import { gaussianDensity, gaussianShare } from "./gaussians.js";
import { drawFromMixture, entropyOfMixture, remembered, shareOfMixture } from "./mixtures.js";

export const BIN_RANGE = [-1.5, 1.5]; // m/s: what the bins divide
export const BIN_COUNTS = [2, 101];
const FARTHEST = 40; // standard deviations: there the density is zero in floating point
const ALL_COUNTS = Array.from({ length: BIN_COUNTS[1] - BIN_COUNTS[0] + 1 }, (_, i) => i + 2);

export const truthOf = ({ left_mode, right_mode, left_weight, spread }) => ({
  weights: [left_weight, 1 - left_weight],
  means: [left_mode, right_mode],
  stds: [spread, spread],
});

export const binWidth = (count) => (BIN_RANGE[1] - BIN_RANGE[0]) / count;
export const binEdge = (index, count) => BIN_RANGE[0] + binWidth(count) * index;
export const binCentre = (index, count) => BIN_RANGE[0] + binWidth(count) * (index + 0.5);

const eachBin = (count, value) => Array.from({ length: count }, (_, index) => value(index));

/** The truth's share in each bin; what lies outside belongs to the nearest bin. */
function trueMasses(count, truth) {
  const low = (index) => (index === 0 ? -Infinity : binEdge(index, count));
  const high = (index) => (index === count - 1 ? Infinity : binEdge(index + 1, count));
  // Of two equal tails, rounding may leave less than nothing.
  return eachBin(count, (index) => Math.max(0, shareOfMixture(low(index), high(index), truth)));
}

function countInBins(actions, count) {
  const counts = new Array(count).fill(0);
  for (const action of actions) {
    const index = Math.floor((action - BIN_RANGE[0]) / binWidth(count));
    counts[Math.min(count - 1, Math.max(0, index))]++;
  }
  return counts;
}

/** The log-probabilities of counts plus 1/2 at a temperature; at 0, all goes to the largest count. */
function logPolicy(counts, temperature) {
  if (temperature === 0) {
    const best = counts.indexOf(Math.max(...counts));
    return counts.map((_, index) => (index === best ? 0 : -Infinity));
  }
  const scaled = counts.map((count) => Math.log(count + 0.5) / temperature);
  const highest = Math.max(...scaled);
  const total = scaled.reduce((sum, value) => sum + Math.exp(value - highest), 0);
  return scaled.map((value) => value - highest - Math.log(total));
}

/** Expected nats per action of a policy's density, bins of constant density, under the truth. */
function expectedNats(masses, logProbabilities) {
  const costs = masses.map((mass, i) => (mass === 0 ? 0 : mass * logProbabilities[i]));
  return Math.log(binWidth(masses.length)) - costs.reduce((sum, cost) => sum + cost, 0);
}

/** Mean squared distance of the truth's actions from the centres of their bins. */
function squaredRounding(count, { weights, means, stds }) {
  const piece = (mean, std, index) => {
    const offset = mean - binCentre(index, count);
    const low = index === 0 ? -FARTHEST : (binEdge(index, count) - mean) / std;
    const high = index === count - 1 ? FARTHEST : (binEdge(index + 1, count) - mean) / std;
    const edge = (z) => std * (std * z + 2 * offset) * gaussianDensity(z, 0, 1);
    const share = gaussianShare(low, high, 0, 1);
    return (std ** 2 + offset ** 2) * share - (edge(high) - edge(low));
  };
  const overBins = (mean, std) =>
    eachBin(count, (index) => piece(mean, std, index)).reduce((sum, value) => sum + value, 0);
  return weights.reduce((sum, weight, i) => sum + weight * overBins(means[i], stds[i]), 0);
}

// What does not hang on the temperature is kept for all numbers of bins: a drag asks sixty times a second.
const entropyOf = remembered(entropyOfMixture);
const massesOf = remembered((truth) => ALL_COUNTS.map((count) => trueMasses(count, truth)));
export const demonstrationsOf = remembered((truth, seed, num_actions) =>
  drawFromMixture(seed, num_actions, truth),
);
const countsOf = remembered((truth, seed, num_actions) =>
  ALL_COUNTS.map((count) => countInBins(demonstrationsOf(truth, seed, num_actions), count)),
);

/** Expected nats per action for every number of bins, and what endless demonstrations would give. */
export function natsByCount(settings) {
  const truth = truthOf(settings);
  const masses = massesOf(truth);
  const counts = countsOf(truth, settings.seed, settings.num_actions);
  return ALL_COUNTS.map((num_bins, i) => ({
    num_bins,
    nats: expectedNats(masses[i], logPolicy(counts[i], settings.temperature)),
    endless: expectedNats(masses[i], masses[i].map(Math.log)),
  }));
}

/** What `BinsSummary` holds in Python. */
export function summarizeBins(settings) {
  const { num_bins, num_actions, temperature, seed, obstacle } = settings;
  const truth = truthOf(settings);
  const masses = massesOf(truth)[num_bins - BIN_COUNTS[0]];
  const counts = countsOf(truth, seed, num_actions)[num_bins - BIN_COUNTS[0]];
  const probabilities = logPolicy(counts, temperature).map(Math.exp);
  const hits = (_, index) => Math.abs(binCentre(index, num_bins)) < obstacle;
  return {
    probabilities,
    entropy: entropyOf(truth),
    nats: expectedNats(masses, logPolicy(counts, temperature)),
    nats_at_one: expectedNats(masses, logPolicy(counts, 1)),
    nats_endless: expectedNats(masses, masses.map(Math.log)),
    truth_in_obstacle: shareOfMixture(-obstacle, obstacle, truth),
    policy_in_obstacle: probabilities.filter(hits).reduce((sum, share) => sum + share, 0),
    rounding: Math.sqrt(squaredRounding(num_bins, truth)),
  };
}
