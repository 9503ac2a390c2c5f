// Drag the modes: two drivers who disagree, the L2 optimum between them, and what it hits.
// Everything is computed and drawn here; the kernel hears of a change when the student lets go.

import { animate, percent, prefersCalm, signed } from "./shared.js";
import {
  makeButton,
  makeChoice,
  makeRange,
  makeResetButton,
  settingOf,
  showPanels,
} from "./panels.js";
import { summarizeModes } from "./modes_numbers.js";
import { actionScale, makeDensityPanel } from "./modes_density.js";
import { makeLossPanel } from "./modes_loss.js";

const TRAITS = ["left_mode", "right_mode", "left_weight", "spread", "guess", "obstacle"];
const ROLL_MILLISECONDS = 1400;

function render({ model, el }) {
  const view = { drivesFrom: "data" }; // how this picture is drawn: no business of the kernel's
  return showPanels({
    model,
    el,
    traits: TRAITS,
    name: "modes",
    label: "Drag the modes",
    summarise: summarizeModes,
    sentence: modesSentence,
    addToScene: (width) => ({ x: actionScale(width), ...view }),
    build: (settings, redraw, commit) => buildModes(settings, view, redraw, commit),
  });
}

function buildModes(settings, view, redraw, commit) {
  const controls = makeControls(settings, view, redraw, commit);
  const left = {
    title: "What the drivers do",
    hint: "Drag a blue handle sideways to steer, up to give that driver more of the data.",
    legend: {
      "data-line": "the drivers",
      "fit-line": "Gaussian fit",
      "optimum-line": "L2 optimum: the mean",
      obstacle: "hits the obstacle",
    },
    controls: controls.left,
    ...makeDensityPanel(settings, redraw, commit),
  };
  const right = {
    title: "What one constant costs",
    hint: "Drag the ball: the car steers with it.",
    legend: { "loss-line": "error of the constant c", "floor-line": "no constant gets below" },
    controls: controls.right,
    ...makeLossPanel(settings, redraw, commit),
  };
  return { panels: [left, right], draw: controls.draw, stop: controls.stop };
}

/** The numbers in words, just as `ModesSummary.sentence` writes them. */
function modesSentence({ guess }, numbers) {
  const verdict = numbers.optimum_crashes ? "straight at the obstacle" : "clear of the obstacle";
  return (
    `L2 optimum ${signed(numbers.mean)} m/s: ${verdict}. ` +
    `Density of the data there: ${numbers.density_at_mean.toFixed(2)}. ` +
    `The Gaussian fit puts ${percent(numbers.gaussian_in_obstacle)} of its samples into the ` +
    `obstacle, the drivers ${percent(numbers.data_in_obstacle)}. ` +
    `Your constant ${signed(guess)} m/s costs ${numbers.guess_loss.toFixed(2)} \u2248 ` +
    `${numbers.variance.toFixed(2)} (variance) + ${numbers.excess.toFixed(2)} (squared distance to the mean).`
  );
}

function makeControls(settings, view, redraw, commit) {
  const share = makeRange(
    {
      label: "Left driver\u2019s share",
      limits: { min: 0, max: 1 },
      format: percent,
      ...settingOf(settings, "left_weight", redraw),
    },
    commit,
  );
  const spread = makeRange(
    {
      label: "Drivers\u2019 spread",
      limits: { min: 0.04, max: 0.4 },
      format: (value) => `${value.toFixed(2)} m/s`,
      ...settingOf(settings, "spread", redraw),
    },
    commit,
  );
  const drives = makeChoice({
    label: "Forty drives sampled from",
    options: { data: "the drivers", fit: "the Gaussian fit" },
    get: () => view.drivesFrom,
    set(value) {
      view.drivesFrom = value;
      redraw();
    },
  });
  const roll = makeRollButton(settings, redraw, commit);
  const draw = () => {
    share.draw();
    spread.draw();
  };
  return {
    left: [share.node, spread.node, drives.node],
    right: [roll.node, makeResetButton(settings, redraw, commit)],
    draw,
    stop: roll.stop,
  };
}

function makeRollButton(settings, redraw, commit) {
  let stop = () => {};
  const roll = () => {
    stop();
    stop = rollDownhill(settings, redraw, commit);
  };
  const node = makeButton("Minimise the loss", roll, { class: "main" });
  return { node, stop: () => stop() };
}

/** Gradient descent in continuous time: the guess nears the mean exponentially. */
function rollDownhill(settings, redraw, commit) {
  const mean = () => summarizeModes(settings).mean;
  const start = rollStart(settings.guess, mean());
  let rolled = settings.guess;
  const moveTo = (guess) => {
    if (settings.guess !== rolled) return stop(); // the student took the ball
    settings.guess = rolled = guess;
    redraw();
  };
  const arrive = () => {
    moveTo(mean());
    commit();
  };
  let stop = () => {};
  if (prefersCalm()) arrive();
  else
    stop = animate(
      ROLL_MILLISECONDS,
      (share) => moveTo(mean() + (start - mean()) * Math.exp(-6 * share)),
      arrive,
    );
  return () => stop();
}

/** A ball that lies at the minimum already is put on the farther slope, to show how it rolls. */
function rollStart(guess, mean) {
  if (Math.abs(guess - mean) > 0.02) return guess;
  return mean > 0 ? -0.9 : 0.9;
}

export default { render };
