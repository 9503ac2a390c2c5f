// The flow's time: from noise at 0 to data at 1.

import { makeClock, makeTransport } from "./clock.js";

const PLAY_MILLISECONDS = 5000; // from noise to data
const CALM_STEP = 0.1; // of time, for those who prefer still pictures
export const KEY_STEP = 0.01;
export const PAGE_STEP = 0.1;

export function makeFlowClock(settings, redraw, commit) {
  const time = {
    get: () => settings.time,
    set: (moment) => (settings.time = moment),
    end: () => 1,
    milliseconds: PLAY_MILLISECONDS,
    calmStep: CALM_STEP,
  };
  return makeClock(settings, time, redraw, commit);
}

/** Make the button that plays and pauses, and the slider over time. */
export function makeFlowTransport(settings, clock, commit) {
  const range = {
    label: "Time",
    limits: { min: 0, max: 1, step: KEY_STEP },
    format: (time) => `t = ${time.toFixed(2)}`,
    get: () => settings.time,
  };
  return makeTransport(settings, clock, range, commit);
}
