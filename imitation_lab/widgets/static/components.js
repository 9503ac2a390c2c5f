// Drag the components: a mixture of Gaussians over one action, moved by hand or by its gradient.
// Everything is computed here; the kernel hears of a change on release.

import { plain, roundTo } from "./shared.js";
import { makeButton, makeChoice, makeRange, showPanels } from "./panels.js";
import {
  clipComponent,
  FLOOR_LIMITS,
  MOST_COMPONENTS,
  NUM_ACTIONS,
  NUM_IDLE,
  startComponents,
  summarizeComponents,
} from "./components_numbers.js";
import { makeMixturePanel } from "./components_mixture.js";
import { makeScorePanel } from "./components_score.js";
import { makeComponentsTable } from "./components_table.js";
import { makeClimb } from "./components_climb.js";

const COMPONENTS_TRAITS = ["components", "data", "start", "seed", "sigma_floor"];
const DATA_NAMES = {
  "two drivers": "two drivers",
  "three lanes": "three lanes",
  "idle zeros": "two drivers, 20 idle zeros",
};
const START_NAMES = {
  spread: "spread",
  "at random": "at random",
  "all equal": "all equal",
  "one astray": "one astray",
};

function renderComponents({ model, el }) {
  const view = { steps: 0, trace: [] }; // the climb so far: no business of the kernel's
  return showPanels({
    model,
    el,
    traits: COMPONENTS_TRAITS,
    name: "components",
    label: "Drag the components",
    summarise: summarizeComponents,
    sentence: (_, numbers) => componentsSentence(numbers),
    addToScene: () => ({ view }),
    build: (settings, redraw, commit) => buildComponents(settings, view, redraw, commit),
  });
}

function buildComponents(settings, view, redraw, commit) {
  const climb = makeClimb(settings, view, redraw, commit);
  const table = makeComponentsTable(settings, redraw, commit);
  const controls = makeComponentsControls(settings, climb, redraw, commit);
  const left = {
    title: "A mixture of Gaussians",
    hint: "Drag a number sideways for its mean, up for its weight; a diamond for its width.",
    legend: {
      "truth-line": "true density",
      "rug-line": `${NUM_ACTIONS} actions`,
      "mixture-line": "the mixture",
      "component-line": "its components",
      "arrow-line": "gradient (arrows)",
    },
    controls: controls.nodes,
    ...makeMixturePanel(settings, redraw, commit),
  };
  const right = {
    title: "What each component holds",
    hint: "Up is better: the data become more likely.",
    legend: { "mixture-line": "the mixture", "truth-line": "the true density" },
    controls: [table.node],
    ...makeScorePanel(),
  };
  const draw = (numbers) => {
    controls.draw();
    table.draw(numbers);
  };
  return { panels: [left, right], draw, stop: climb.stop };
}

function makeComponentsControls(settings, climb, redraw, commit) {
  const startAnew = (count) => {
    settings.components = startComponents(settings.start, count, settings.seed);
    climb.forget();
    redraw();
  };
  const count = makeRange(
    {
      label: "Components",
      limits: { min: 1, max: MOST_COMPONENTS, step: 1 },
      format: String,
      get: () => settings.components.length,
      set: startAnew,
    },
    commit,
  );
  const floor = makeFloorRange(settings, redraw, commit);
  const choose = (name, then) => (value) => {
    settings[name] = value;
    then();
    redraw();
    commit();
  };
  const data = makeChoice({
    label: "Data",
    options: DATA_NAMES,
    get: () => settings.data,
    set: choose("data", climb.forget),
  });
  const again = () => startAnew(settings.components.length);
  const start = makeChoice({
    label: "Start",
    options: START_NAMES,
    get: () => settings.start,
    set: choose("start", again),
  });
  const anew = makeButton("Start anew", () => {
    if (settings.start === "at random") settings.seed += 1;
    again();
    commit();
  });
  const drawn = [count, floor, data, start];
  return {
    nodes: [count.node, floor.node, data.node, start.node, climb.node, anew],
    draw: () => drawn.forEach((control) => control.draw()),
  };
}

/** The floor in powers of ten: equal ways on the slider are equal ratios. */
function makeFloorRange(settings, redraw, commit) {
  const [low, high] = FLOOR_LIMITS.map(Math.log10);
  const range = {
    label: "Floor of the widths",
    limits: { min: low, max: high, step: 0.05 },
    format: () => `${settings.sigma_floor.toFixed(3)} m/s`,
    get: () => Math.log10(settings.sigma_floor),
    set(power) {
      settings.sigma_floor = roundTo(10 ** power, 0.0001);
      const raise = (component) => clipComponent(component, settings.sigma_floor);
      settings.components = settings.components.map(raise);
      redraw();
    },
  };
  return makeRange(range, commit);
}

/** The numbers in words, just as `ComponentsSummary.sentence` writes them. */
function componentsSentence(numbers) {
  const parts = [scoreInWords(numbers)];
  const floor = numbers.sigma_floor.toFixed(3);
  if (numbers.collapsed.length)
    parts.push(`Collapsed to the floor of ${floor} m/s: ${named(numbers.collapsed)}.`);
  if (numbers.dead.length)
    parts.push(`Dead, for no action is near enough to pull: ${named(numbers.dead)}.`);
  return parts.join(" ");
}

function scoreInWords({ log_likelihood, true_log_likelihood }) {
  const score = `Mean log-likelihood ${plain(log_likelihood)} nats per action.`;
  if (true_log_likelihood === Infinity)
    return (
      `${score} ${NUM_IDLE} of the ${NUM_ACTIONS} actions are exactly 0: a component that ` +
      "settles there wins more nats the narrower it is, without end."
    );
  // Of the numbers as they are told: whoever subtracts them finds the same.
  const ahead = Number(log_likelihood.toFixed(2)) - Number(true_log_likelihood.toFixed(2));
  const target = plain(true_log_likelihood);
  const truth = `The true density gives ${target} on the same ${NUM_ACTIONS} actions.`;
  const gap = Math.abs(ahead).toFixed(2);
  const than =
    Number(gap) === 0
      ? "just as well as the truth"
      : `${gap} nats ${ahead > 0 ? "better" : "worse"} than the truth`;
  return `${score} ${truth} The mixture fits them ${than}.`;
}

const named = (indices) =>
  (indices.length === 1 ? "component " : "components ") + indices.map((k) => k + 1).join(", ");

export default { render: renderComponents };
