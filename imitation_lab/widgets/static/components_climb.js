// Gradient ascent: a button that plays and pauses it, and the likelihood's way so far.

import { clamp, prefersCalm } from "./shared.js";
import { makeButton } from "./panels.js";
import { ascend, summarizeComponents } from "./components_numbers.js";

const STEPS = 10; // between two points of the trace
const STEPS_PER_SECOND = 600;
const STEPS_AT_ONCE = 600; // for those who want no motion
const SETTLED_POINTS = 60; // a climb that gains less than SETTLED in so many points has arrived
const SETTLED = 1e-5;
const LONGEST_TRACE = 600;
const SLOWEST_FRAME = 0.1; // seconds: a slower browser climbs more slowly, instead of stalling

export function makeClimb(settings, view, redraw, commit) {
  let running = false;
  const button = makeButton(label(running), () => toggle(), { class: "main" });
  const run = (value) => {
    running = value;
    button.textContent = label(running);
  };
  const toggle = () => {
    if (prefersCalm()) leap();
    else if (running) pause();
    else play();
  };
  const leap = () => {
    advance(settings, view, STEPS_AT_ONCE);
    redraw();
    commit();
  };
  const pause = () => {
    run(false);
    commit();
  };
  const play = () => {
    run(true);
    const began = view.trace.length;
    let last = performance.now();
    let owed = 0;
    const frame = (now) => {
      if (!running) return;
      owed += STEPS_PER_SECOND * clamp((now - last) / 1000, 0, SLOWEST_FRAME);
      last = now;
      owed -= advance(settings, view, owed);
      redraw();
      if (hasSettled(view.trace, began)) pause();
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
  const forget = () => {
    run(false);
    view.steps = 0;
    view.trace = [];
  };
  return { node: button, forget, stop: () => run(false) };
}

function label(running) {
  if (prefersCalm()) return `Take ${STEPS_AT_ONCE} steps`;
  return running ? "Pause" : "Follow the gradient";
}

/** Climb for at most so many steps, in whole stretches, and return how many were taken. */
function advance(settings, view, steps) {
  if (!view.trace.length) note(settings, view);
  const stretches = Math.floor(steps / STEPS);
  for (let stretch = 0; stretch < stretches; stretch++) {
    settings.components = ascend(settings, STEPS);
    view.steps += STEPS;
    note(settings, view);
  }
  return stretches * STEPS;
}

function note(settings, view) {
  view.trace.push([view.steps, summarizeComponents(settings).log_likelihood]);
  // A long climb keeps every second point of its first part: the line looks the same.
  if (view.trace.length > LONGEST_TRACE)
    view.trace = view.trace.filter((_, i) => i % 2 === 0 || i > LONGEST_TRACE - 2 * SETTLED_POINTS);
}

function hasSettled(trace, began) {
  const enough = Math.min(began + SETTLED_POINTS, LONGEST_TRACE - SETTLED_POINTS);
  if (trace.length < enough) return false;
  return trace.at(-1)[1] - trace.at(-SETTLED_POINTS)[1] < SETTLED;
}
