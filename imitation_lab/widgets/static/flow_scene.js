// The scene that is shown: its data, its field, and the ways of its particles. Ways that the kernel did not
// send are worked out here, a few milliseconds in every frame.

import { OWN_POINTS, stopsFromBytes, unpackFlow } from "./flow_data.js";
import { integrateParticle, landingDistance, makeWeights } from "./flow_field.js";

const BUDGET = 7; // milliseconds of a frame for integrating
const BATCH = 20; // particles between two looks at the clock
const MOST_DATA = 200;
const NO_NAMES = ["first number", "second number"];

/** Keep the scene that fits the settings; it is made anew only when another one is asked for. */
export function makeSceneKeeper(model) {
  const sent = unpackFlow(model);
  const weights = makeWeights(MOST_DATA);
  let [scene, key] = [null, ""];
  let points = null;
  return {
    names: [...sent.choices.map(({ name }) => name), OWN_POINTS],
    sceneOf(settings) {
      const choice = sent.choices.find(({ name }) => name === settings.scene);
      const state = choice ? Math.min(settings.state, choice.states.length - 1) : 0;
      const followed = choice?.learned && settings.field !== "exact" ? "learned" : "exact";
      const wanted = [settings.scene, state, settings.steps, followed].join("|");
      if (wanted !== key || (!choice && points !== settings.points)) {
        scene = makeScene({ sent, choice, state, settings, followed, before: scene });
        [key, points] = [wanted, settings.points];
      }
      return scene;
    },
    /** Integrate more of the scene's particles, and tell whether that changed the picture. */
    advance: (started) => advanceScene(started, weights),
  };
}

function makeScene({ sent, choice, state: index, settings, followed, before }) {
  const { steps } = settings;
  const state = choice?.states[index];
  const data = state?.data ?? Float32Array.from(settings.points.flat());
  const particles = choice?.particles ?? sent.noise.length / 2;
  const isSent = Boolean(choice) && choice.learned === (followed === "learned");
  const ways = isSent
    ? { stops: stopsFromBytes(sent.noise, state.stops.get(steps), particles), first: 0 }
    : waysToWorkOut(sent.noise, particles, steps, data.length ? before : null);
  return {
    ...{ data, particles, steps, followed, isSent, ...ways },
    name: choice?.name ?? OWN_POINTS,
    label: state?.label ?? "",
    states: choice?.states ?? [],
    axes: (choice ?? sent.choices[0])?.axes ?? NO_NAMES,
    learned: choice?.learned ?? false,
    arrows: state?.arrows ?? null,
    exaggeration: state?.exaggeration ?? 1,
    mean: meanOf(data),
    done: isSent || !data.length ? particles : 0,
    landing: null,
  };
}

/**
 * Where stops that the kernel did not send begin: as they were before the data changed, or at the noise.
 * The next to be worked out is the one that waits longest: while a student draws, no particle is left out.
 */
function waysToWorkOut(noise, particles, steps, before) {
  if (before && !before.isSent && before.steps === steps && before.particles === particles)
    return { stops: before.stops.slice(), first: (before.first + before.done) % particles };
  const stops = new Float32Array(2 * particles * (steps + 1));
  for (let step = 0; step <= steps; step++)
    stops.set(noise.subarray(0, 2 * particles), 2 * particles * step);
  return { stops, first: 0 };
}

function meanOf(data) {
  let [x, y] = [0, 0];
  for (let k = 0; k < data.length; k += 2) {
    x += data[k];
    y += data[k + 1];
  }
  return [(2 * x) / data.length, (2 * y) / data.length];
}

function advanceScene(scene, weights) {
  const [start, before] = [performance.now(), scene.done];
  while (scene.done < scene.particles && performance.now() - start < BUDGET) {
    const end = Math.min(scene.done + BATCH, scene.particles);
    for (; scene.done < end; scene.done++)
      integrateParticle(scene, (scene.first + scene.done) % scene.particles, weights);
  }
  return scene.done > before;
}

/** How far from the data particles land on average: known once all are integrated. */
export function landingOf(scene) {
  if (scene.landing === null && scene.data.length && scene.done === scene.particles)
    scene.landing = landingDistance(scene);
  return scene.landing;
}
