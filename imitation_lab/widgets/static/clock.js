// Time that plays, pauses, and goes where it is put.

import { clamp, prefersCalm } from "./shared.js";
import { makeButton, makeRange } from "./panels.js";

const CALM_MILLISECONDS = 700;

/**
 * Run time while `settings.playing` holds. `time` reads and writes it with `get` and `set`; it ends at `end()`,
 * passes in `milliseconds` for each unit, and in jumps of `calmStep` for those who prefer still pictures.
 */
export function makeClock(settings, time, redraw, commit) {
  let stop = null;
  const moveTo = (moment) => {
    time.set(clamp(moment, 0, time.end()));
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
    moveTo(time.get() + by);
    if (time.get() === time.end()) pause();
  };
  const run = () => {
    if (time.get() === time.end()) moveTo(0);
    stop = prefersCalm() ? runInStills(advance, time) : runSmoothly(advance, time);
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
    scrub(moment) {
      halt();
      moveTo(moment);
    },
    /** Start or stop as the settings say: Python may have changed them. */
    follow() {
      if (settings.playing && !stop) run();
      if (!settings.playing && stop) halt();
    },
    stop: () => stop?.(),
  };
}

function runSmoothly(advance, { milliseconds }) {
  let [last, running] = [null, true];
  const step = (now) => {
    if (!running) return;
    const elapsed = last === null ? 0 : Math.max(0, now - last);
    last = now;
    advance(elapsed / milliseconds);
    if (running) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
  return () => (running = false);
}

function runInStills(advance, { calmStep }) {
  const timer = setInterval(() => advance(calmStep), CALM_MILLISECONDS);
  return () => clearInterval(timer);
}

/** Make the button that plays and pauses, and the slider over time that `range` describes. */
export function makeTransport(settings, clock, range, commit) {
  const button = makeButton("Play", clock.toggle, { class: "main play" });
  const slider = makeRange({ ...range, set: clock.scrub }, commit);
  const draw = () => {
    const text = settings.playing ? "Pause" : "Play";
    if (button.textContent !== text) button.textContent = text;
    slider.draw();
  };
  return { nodes: [button, slider.node], slider, draw };
}
