// What the kernel sent once, as bytes: where particles start, where they stop after every step, the data
// points, and learned fields on a grid.

import { bytesOf, floatsOf } from "./shared.js";

export const PLANE_LIMIT = 3.2;
export const STEP_COUNTS = [1, 2, 3, 5, 10, 20, 50];
export const ARROW_GRID = 16;
export const ARROW_MOMENTS = 25;
export const OWN_POINTS = "your own points";
const STOP_QUANTUM = 1 / 4096;

/** Return the start noise and the choices, each with its states. */
export function unpackFlow(model) {
  const data = takeFrom(floatsOf(model.get("scene_points")));
  const stops = takeFrom(new Int16Array(bytesOf(model.get("trajectories"))));
  const arrows = takeFrom(floatsOf(model.get("learned_arrows")));
  const unpackState = (choice, state) => ({
    ...state,
    data: data(2 * state.points),
    stops: new Map(STEP_COUNTS.map((steps) => [steps, stops(2 * steps * choice.particles)])),
    arrows: choice.learned ? arrows(2 * ARROW_GRID ** 2 * ARROW_MOMENTS) : null,
  });
  const choices = model.get("plan").map((choice) => ({
    ...choice,
    states: choice.states.map((state) => unpackState(choice, state)),
  }));
  return { noise: floatsOf(model.get("noise")), choices };
}

/** Hand out one part of an array after the other. */
function takeFrom(array) {
  let start = 0;
  return (count) => array.subarray(start, (start += count));
}

/** Return all stops of the particles, the start first, as the plane's numbers. */
export function stopsFromBytes(noise, integers, particles) {
  const stops = new Float32Array(2 * particles + integers.length);
  stops.set(noise.subarray(0, 2 * particles));
  for (let i = 0; i < integers.length; i++) stops[2 * particles + i] = STOP_QUANTUM * integers[i];
  return stops;
}

/** Return where a time lies: the number of the last stop before it, and the share of the way to the next. */
export function momentOf(steps, time) {
  const index = Math.min(Math.floor(time * steps), steps - 1);
  return { index, share: time * steps - index };
}

/** Return where one particle is at a time. Between two stops, Euler's method goes straight. */
export function placeOf({ stops, steps, particles }, particle, time) {
  const { index, share } = momentOf(steps, time);
  const from = 2 * (index * particles + particle);
  const to = from + 2 * particles;
  return [0, 1].map((axis) => (1 - share) * stops[from + axis] + share * stops[to + axis]);
}
