// Stepping through the sampling: the first number from its marginal, then the second.

import { onKeys } from "./shared.js";
import { ORDER_SAMPLES, drawSamples, secondCounts } from "./order_counts.js";
import { makeButton } from "./panels.js";

const STEP_MILLISECONDS = 800;

/** Where a step stands: which sample, its phase (0: first number, 1: second), and how many are done. */
export function standingOf({ step }) {
  if (step === null) return null;
  return { sample: Math.floor(step / 2), phase: step % 2, finished: Math.floor((step + 1) / 2) };
}

/** Make the buttons that step, play, and show all samples again. `view.step` is null for all. */
export function makeStepper(view, redraw) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    view.playing = false;
  };
  const move = (by) => {
    const next = (view.step ?? -1) + by;
    view.step = next < 0 || next >= 2 * ORDER_SAMPLES ? null : next;
    if (view.step === null) stop();
    redraw();
  };
  const showAll = () => {
    stop();
    view.step = null;
    redraw();
  };
  const togglePlay = () => {
    if (view.playing) {
      stop();
      return redraw();
    }
    view.playing = true;
    timer = setInterval(() => move(1), STEP_MILLISECONDS);
    move(1);
  };
  const keys = "also the right and left arrow keys";
  const step = makeButton("Step", () => move(1), { class: "main", title: keys });
  const play = makeButton("Play", togglePlay);
  const all = makeButton(`All ${ORDER_SAMPLES}`, showAll);
  step.dataset.lmSuppressShortcuts = "true";
  onKeys(step, { ArrowRight: () => move(1), ArrowLeft: () => move(-1) }, () => {});
  const draw = () => {
    play.textContent = view.playing ? "Pause" : "Play";
    all.disabled = view.step === null;
  };
  return { nodes: [step, play, all], draw, showAll, stop };
}

const share = (counts, index) => {
  const sum = counts.reduce((left, right) => left + right, 0);
  return `${((100 * counts[index]) / sum).toFixed(0)}\u00a0%`;
};

/** Say in words what a panel shows: all samples, or the step that a sample has come to. */
export function narrate(model, { settings, numbers, step }) {
  const { order, bins, seed } = settings;
  const { counts } = numbers;
  const second = order === "steer" ? "speed" : "steer";
  if (!counts.total) return "Nothing to fit yet.";
  if (!step) {
    return model === "independent"
      ? `First ${order} from its marginal, then ${second} from its marginal, whatever ${order} is.`
      : `First ${order} from its marginal, then ${second} from its conditional, given ${order}.`;
  }
  const sample = drawSamples(counts, model, order, seed)[step.sample];
  const start = `Sample ${step.sample + 1}, `;
  if (step.phase === 0) {
    const drawn = `bin ${sample.first + 1} of ${bins} (${share(counts[order], sample.first)})`;
    return `${start}step 1: ${order} from its marginal, ${drawn}.`;
  }
  const given = secondCounts(counts, model, order, sample.first);
  const drawn = `bin ${sample.second + 1} (${share(given, sample.second)})`;
  const [i, j] = order === "steer" ? [sample.first, sample.second] : [sample.second, sample.first];
  const verdict = counts.cells[i][j] ? "" : " Nobody acted there.";
  return model === "independent"
    ? `${start}step 2: ${second} from its marginal, whatever ${order} is, ${drawn}.${verdict}`
    : `${start}step 2: ${second} from its conditional, given ${order} bin ${sample.first + 1}, ${drawn}.${verdict}`;
}

/** The probability of a cell as the product of two factors, in the order of drawing. */
export function factors(model, order) {
  const second = order === "steer" ? "speed" : "steer";
  const given = model === "independent" ? second : `${second}\u00a0|\u00a0${order}`;
  return `p(${order})\u00a0·\u00a0p(${given})`;
}
