// The numbers of follow-the-flow, and the same in words, just as `FlowSummary` has them.

import { signed } from "./shared.js";
import { placeOf } from "./flow_data.js";
import { effectiveCount, makeWeights, weighShown } from "./flow_field.js";
import { landingOf } from "./flow_scene.js";

/** Return what the settings make of a scene; `weights` holds the chosen particle's posterior. */
export function summariseFlow({ time, particle }, scene) {
  const points = scene.data.length / 2;
  const known = { scene, time, points, landing: landingOf(scene), chosen: null };
  if (particle === null || !points) return known;
  const index = particle % scene.particles;
  const weights = makeWeights(points);
  const place = placeOf(scene, index, time);
  weighShown(scene.data, place, time, weights);
  const effective = effectiveCount(weights, points);
  const mean = [...weights.mean];
  return { ...known, chosen: { index, place, weights: weights.values, effective, mean } };
}

export function flowSentence({ scene, time, points, landing, chosen }) {
  if (!points) return "No data yet: draw some points on the plane.";
  const title = scene.label ? `${scene.name}, ${scene.label}` : scene.name;
  const steps = scene.steps === 1 ? "1 Euler step" : `${scene.steps} Euler steps`;
  const parts = [
    `${title[0].toUpperCase()}${title.slice(1)}, ${steps} along the ${scene.followed} field, ` +
      `t = ${time.toFixed(2)}.`,
  ];
  if (landing !== null) parts.push(landingSentence(scene, landing));
  if (chosen) parts.push(chosenSentence(chosen, points));
  return parts.join(" ");
}

function landingSentence({ steps, followed, mean, particles }, landing) {
  if (steps === 1 && followed === "exact")
    return (
      `One step takes every particle to the mean of the data, ${pairInWords(mean)}, ` +
      `which is ${landing.toFixed(2)} from the nearest data point.`
    );
  return (
    `The ${particles.toLocaleString("en-US")} particles land ${landing.toFixed(2)} from their ` +
    "nearest data point on average."
  );
}

const chosenSentence = ({ index, place, effective, mean }, points) =>
  `Particle ${index} is at ${pairInWords(place)}. There the exact field averages ` +
  `effectively ${effective.toFixed(1)} of ${points} data points, ` +
  `and points to their mean ${pairInWords(mean)}.`;

export const pairInWords = ([x, y]) => `(${signed(x)}, ${signed(y)})`;
