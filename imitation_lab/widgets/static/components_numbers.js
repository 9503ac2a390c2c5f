// Data, likelihood and gradient ascent of a mixture over one action.
// `imitation_lab/widgets/components_numbers.py` holds the same formulas, and a test holds the two equal.

import { clamp, spaced } from "./shared.js";
import { densityOfMixture, drawFromMixture, remembered, uniformNumbers } from "./mixtures.js";

const DATA_SEED = 0;
export const NUM_ACTIONS = 200;
export const NUM_IDLE = 20; // repeated zeros among the idle drivers' actions
const TWO_DRIVERS = { weights: [0.5, 0.5], means: [-0.6, 0.6], stds: [0.12, 0.12] };
const THREE_LANES = { weights: [0.5, 0.3, 0.2], means: [-0.8, 0.1, 0.7], stds: [0.06, 0.12, 0.08] };
export const TRUTHS = {
  "two drivers": TWO_DRIVERS,
  "three lanes": THREE_LANES,
  "idle zeros": TWO_DRIVERS,
};
export const MEAN_LIMITS = [-1.5, 1.5];
export const STD_LIMITS = [0.001, 1];
export const FLOOR_LIMITS = [0.001, 0.1];
export const MOST_COMPONENTS = 8;
const LOGIT_LIMITS = [-12, 12];
const START_STD = 0.3; // m/s
const RANDOM_REACH = 1.2; // m/s: means that start at random lie between this and its negative
const ASTRAY = [0, 1.45, Math.log(0.03)]; // a component that no action is near
const LEARNING_RATE = 0.02;
const LARGEST_STEP = 0.1; // of a mean in its standard deviations, and of a log std: clipped gradients
const DEAD = 0.5; // actions: a component that holds fewer is dead
const LOG_ROOT_TWO_PI = 0.5 * Math.log(2 * Math.PI);

export const isIdle = (data) => data === "idle zeros";

export const dataActions = remembered((data) => {
  const idle = isIdle(data) ? NUM_IDLE : 0;
  const drawn = drawFromMixture(DATA_SEED, NUM_ACTIONS - idle, TRUTHS[data]);
  return [...drawn, ...new Array(idle).fill(0)];
});

const trueLogLikelihood = remembered((data) => {
  const logs = dataActions(data).map((action) => Math.log(densityOfMixture(action, TRUTHS[data])));
  return isIdle(data) ? Infinity : sumOf(logs) / NUM_ACTIONS;
});

const sumOf = (values) => values.reduce((sum, value) => sum + value, 0);

const logSumExp = (values) => {
  const highest = Math.max(...values);
  return highest + Math.log(sumOf(values.map((value) => Math.exp(value - highest))));
};

/** Rows of [logit, mean, log_std] to start from. */
export function startComponents(start, count, seed) {
  const components = startMeans(start, count, seed).map((mean) => [0, mean, Math.log(START_STD)]);
  return start === "one astray" ? components.with(-1, [...ASTRAY]) : components;
}

function startMeans(start, count, seed) {
  if (start === "at random") {
    const next = uniformNumbers(seed);
    return Array.from({ length: count }, () => RANDOM_REACH * (2 * next() - 1));
  }
  const together = start === "all equal" || count === 1;
  return together ? new Array(count).fill(0.3) : spaced(-1, 1, count);
}

export function mixtureOf({ components, sigma_floor }) {
  const logits = components.map(([logit]) => logit);
  const total = logSumExp(logits);
  return {
    logWeights: logits.map((logit) => logit - total),
    weights: logits.map((logit) => Math.exp(logit - total)),
    means: components.map(([, mean]) => mean),
    stds: components.map(([, , logStd]) => Math.max(Math.exp(logStd), sigma_floor)),
  };
}

/** What `ComponentsSummary` holds in Python. */
export function summarizeComponents({ components, data, sigma_floor }) {
  const { logWeights, weights, means, stds } = mixtureOf({ components, sigma_floor });
  const offsets = stds.map((std, k) => logWeights[k] - Math.log(std) - LOG_ROOT_TWO_PI);
  const count = components.length;
  const noneYet = () => new Array(count).fill(0);
  const [held, pull, spread, scores, shares] = Array.from({ length: 5 }, noneYet);
  const totals = { held, pull, spread, scores, shares, logs: 0 };
  for (const action of dataActions(data)) addAction(totals, action, means, stds, offsets);
  const average = (total) => total / NUM_ACTIONS;
  const responsibilities = held.map(average);
  return {
    weights,
    stds,
    responsibilities,
    log_likelihood: average(totals.logs),
    true_log_likelihood: trueLogLikelihood(data),
    logit_gradient: responsibilities.map((share, k) => share - weights[k]),
    mean_gradient: pull.map((total, k) => average(total) / stds[k]),
    log_std_gradient: spread.map(average),
    sigma_floor,
    ...outcomes(responsibilities, stds, sigma_floor),
  };
}

/** Add one action's share in every component: in total, times its score, times the score's square less 1. */
function addAction(totals, action, means, stds, offsets) {
  // Plain loops: a climb comes by here a million times a second.
  const { scores, shares } = totals;
  let highest = -Infinity;
  for (let k = 0; k < means.length; k++) {
    scores[k] = (action - means[k]) / stds[k];
    shares[k] = offsets[k] - 0.5 * scores[k] * scores[k];
    if (shares[k] > highest) highest = shares[k];
  }
  let sum = 0;
  for (let k = 0; k < means.length; k++) sum += shares[k] = Math.exp(shares[k] - highest);
  for (let k = 0; k < means.length; k++) {
    const share = shares[k] / sum;
    totals.held[k] += share;
    totals.pull[k] += share * scores[k];
    totals.spread[k] += share * (scores[k] * scores[k] - 1);
  }
  totals.logs += highest + Math.log(sum);
}

/** Which components are dead, and which sit on the floor with actions in their hands; counted from 0. */
function outcomes(responsibilities, stds, sigma_floor) {
  const every = [...stds.keys()];
  const isDead = (k) => responsibilities[k] * NUM_ACTIONS < DEAD;
  const onFloor = (k) => stds[k] <= sigma_floor * (1 + 1e-9);
  return {
    dead: every.filter(isDead),
    collapsed: every.filter((k) => onFloor(k) && !isDead(k)),
  };
}

/** The components after steps of gradient ascent, clipped, on the mean log-likelihood. */
export function ascend(settings, steps) {
  let { components } = settings;
  for (let step = 0; step < steps; step++) {
    const numbers = summarizeComponents({ ...settings, components });
    components = components.map((component, k) => climbOnce(component, numbers, k, settings));
  }
  return components;
}

function climbOnce([logit, mean, logStd], numbers, k, { sigma_floor }) {
  const leap = LARGEST_STEP * numbers.stds[k];
  const moved = [
    logit + LEARNING_RATE * numbers.logit_gradient[k],
    mean + clamp(LEARNING_RATE * numbers.mean_gradient[k], -leap, leap),
    logStd + clamp(LEARNING_RATE * numbers.log_std_gradient[k], -LARGEST_STEP, LARGEST_STEP),
  ];
  return clipComponent(moved, sigma_floor);
}

export function clipComponent([logit, mean, logStd], sigma_floor) {
  return [
    clamp(logit, ...LOGIT_LIMITS),
    clamp(mean, ...MEAN_LIMITS),
    clamp(logStd, Math.log(sigma_floor), Math.log(STD_LIMITS[1])),
  ];
}

/** The components with one weight set: the others keep their shares among themselves. */
export function withWeight(components, k, weight, sigma_floor) {
  const others = components.filter((_, other) => other !== k).map(([logit]) => logit);
  const share = clamp(weight, 0.001, 0.999);
  const logit = logSumExp(others) + Math.log(share / (1 - share));
  return components.with(k, clipComponent(components[k].with(0, logit), sigma_floor));
}
