// Time: it plays, pauses, and goes where it is put.

import { clamp, prefersCalm } from "./shared.js";
import { makeButton, makeRange } from "./panels.js";

const PLAY_MILLISECONDS = 5000; // from noise to data
const CALM_STEP = 0.1; // of time, for those who prefer still pictures
const CALM_MILLISECONDS = 700;
export const KEY_STEP = 0.01;
export const PAGE_STEP = 0.1;

export function makeClock(settings, redraw, commit) {
  let stop = null;
  const moveTo = (time) => {
    settings.time = clamp(time, 0, 1);
    redraw();
  };
  const halt = () => {
    stop?.();
    stop = null;
    settings.playing = false;
  };
  const pause = () => {
    halt();
    redraw();
    commit();
  };
  const advance = (by) => {
    if (!settings.playing) return halt(); // stopped from Python
    moveTo(settings.time + by);
    if (settings.time === 1) pause();
  };
  const run = () => {
    if (settings.time === 1) moveTo(0);
    stop = prefersCalm() ? runInStills(advance) : runSmoothly(advance);
  };
  const play = () => {
    settings.playing = true;
    commit();
    redraw();
  };
  return {
    pause,
    toggle: () => (settings.playing ? pause() : play()),
    /** Put time somewhere by hand: what plays stops. */
    scrub(time) {
      halt();
      moveTo(time);
    },
    /** Start or stop as the settings say: Python may have changed them. */
    follow() {
      if (settings.playing && !stop) run();
      if (!settings.playing && stop) halt();
    },
    stop: () => stop?.(),
  };
}

function runSmoothly(advance) {
  let [last, running] = [null, true];
  const step = (now) => {
    if (!running) return;
    const elapsed = last === null ? 0 : Math.max(0, now - last);
    last = now;
    advance(elapsed / PLAY_MILLISECONDS);
    if (running) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
  return () => (running = false);
}

function runInStills(advance) {
  const timer = setInterval(() => advance(CALM_STEP), CALM_MILLISECONDS);
  return () => clearInterval(timer);
}

/** Make the button that plays and pauses, and the slider over time. */
export function makeTransport(settings, clock, commit) {
  const button = makeButton("Play", clock.toggle, { class: "main play" });
  const slider = makeRange(
    {
      label: "Time",
      limits: { min: 0, max: 1, step: KEY_STEP },
      format: (time) => `t = ${time.toFixed(2)}`,
      get: () => settings.time,
      set: clock.scrub,
    },
    commit,
  );
  const draw = () => {
    const text = settings.playing ? "Pause" : "Play";
    if (button.textContent !== text) button.textContent = text;
    slider.draw();
  };
  return { nodes: [button, slider.node], draw };
}
