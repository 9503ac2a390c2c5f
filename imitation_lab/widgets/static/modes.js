// Drag the modes: two drivers who disagree, the L2 optimum between them, and what it hits.
// Everything is computed and drawn here; the kernel hears of a change when the student lets go.

import {
  animate,
  html,
  localCopy,
  oncePerFrame,
  percent,
  prefersCalm,
  signed,
  svg,
} from "./shared.js";
import { summarize } from "./gaussians.js";
import { actionScale, makeDensityPanel } from "./modes_density.js";
import { makeLossPanel } from "./modes_loss.js";

const TRAITS = ["left_mode", "right_mode", "left_weight", "spread", "guess", "obstacle"];
const ROLL_MILLISECONDS = 1400;

function render({ model, el }) {
  const view = { drivesFrom: "data" }; // how this picture is drawn: no business of the kernel's
  const redraw = oncePerFrame(() => draw());
  const state = localCopy(model, TRAITS, redraw);
  const settings = state.values;
  const spoken = html("p", { class: "only-spoken", "aria-live": "polite" });
  const commit = () => {
    if (state.commit()) spoken.textContent = sentence(settings, summarize(settings));
  };
  const density = makeDensityPanel(settings, redraw, commit);
  const loss = makeLossPanel(settings, redraw, commit);
  const controls = makeControls(settings, view, redraw, commit);
  const readout = html("p", { class: "readout" });
  const draw = () => {
    const numbers = summarize(settings);
    for (const panel of [density, loss]) drawPanel(panel, { settings, numbers, ...view });
    controls.draw();
    readout.replaceChildren(...withStrongNumbers(sentence(settings, numbers)));
  };

  el.append(layOut(density, loss, controls, readout, spoken));
  const sizes = new ResizeObserver(redraw);
  for (const panel of [density, loss]) sizes.observe(panel.node);
  draw();
  return () => {
    sizes.disconnect();
    controls.stop();
    state.release();
  };
}

/** The numbers in words, just as `ModesSummary.sentence` writes them. */
function sentence({ guess }, numbers) {
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

const withStrongNumbers = (text) =>
  text
    .split(/([+\u2212]?\d+\.\d+|\d+ %)/)
    .map((part, i) => (i % 2 ? html("strong", {}, part) : part));

function drawPanel(panel, scene) {
  const width = panel.node.clientWidth;
  if (width === 0) return; // hidden for now: the observer of its size draws it when it is shown
  panel.node.setAttribute("viewBox", `0 0 ${width} ${panel.node.getAttribute("height")}`);
  panel.draw({ ...scene, width, x: actionScale(width) });
}

function layOut(density, loss, controls, readout, spoken) {
  return html(
    "div",
    { class: "imitation-widget modes", role: "group", "aria-label": "Drag the modes" },
    html(
      "div",
      { class: "panels" },
      makePanel({
        title: "What the drivers do",
        hint: "Drag a blue handle sideways to steer, up to give that driver more of the data.",
        panel: density,
        legend: {
          "data-line": "the drivers",
          "fit-line": "Gaussian fit",
          "optimum-line": "L2 optimum: the mean",
          obstacle: "hits the obstacle",
        },
        controls: controls.left,
      }),
      makePanel({
        title: "What one constant costs",
        hint: "Drag the ball: the car steers with it.",
        panel: loss,
        legend: { "loss-line": "error of the constant c", "floor-line": "no constant gets below" },
        controls: controls.right,
      }),
    ),
    readout,
    spoken,
  );
}

function makePanel({ title, hint, panel, legend, controls }) {
  return html(
    "section",
    { class: "panel", "aria-label": title },
    html("p", { class: "title" }, title),
    html("p", { class: "hint" }, hint),
    panel.node,
    html("p", { class: "legend" }, ...Object.entries(legend).map(legendEntry)),
    html("div", { class: "controls" }, ...controls),
  );
}

function legendEntry([line, text]) {
  const sample = svg("path", { d: "M1 5H25", class: line });
  return html(
    "span",
    {},
    svg("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, sample),
    text,
  );
}

function makeControls(settings, view, redraw, commit) {
  const share = makeRange(
    "Left driver\u2019s share",
    "left_weight",
    { min: 0, max: 1 },
    percent,
    settings,
    redraw,
    commit,
  );
  const spread = makeRange(
    "Drivers\u2019 spread",
    "spread",
    { min: 0.04, max: 0.4 },
    (value) => `${value.toFixed(2)} m/s`,
    settings,
    redraw,
    commit,
  );
  const drives = makeDrivesChoice(view, redraw);
  const roll = makeRollButton(settings, redraw, commit);
  const reset = makeResetButton({ ...settings }, settings, redraw, commit);
  const draw = () => {
    share.draw();
    spread.draw();
  };
  return {
    left: [share.node, spread.node, drives],
    right: [roll.node, reset],
    draw,
    stop: roll.stop,
  };
}

function makeRange(label, name, limits, format, settings, redraw, commit) {
  const input = html("input", {
    type: "range",
    step: 0.01,
    ...limits,
    "data-lm-suppress-shortcuts": "true",
  });
  const output = html("span", { class: "value" });
  input.addEventListener("input", () => {
    settings[name] = input.valueAsNumber;
    redraw();
  });
  input.addEventListener("change", commit);
  const draw = () => {
    input.value = settings[name];
    output.textContent = format(settings[name]);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  // The value stands outside the label, or it would be part of the slider's name.
  return {
    node: html(
      "div",
      { class: "range" },
      html("label", {}, html("span", {}, label), input),
      output,
    ),
    draw,
  };
}

function makeDrivesChoice(view, redraw) {
  const group = `drives-${Math.random().toString(36).slice(2)}`; // radio groups are shared by the page
  const choice = (value, text) => {
    const input = html("input", {
      type: "radio",
      name: group,
      value,
      "data-lm-suppress-shortcuts": "true",
    });
    input.checked = view.drivesFrom === value;
    input.addEventListener("change", () => {
      view.drivesFrom = value;
      redraw();
    });
    return html("label", {}, input, text);
  };
  return html(
    "fieldset",
    { class: "choice" },
    html("legend", {}, "Forty drives sampled from"),
    choice("data", "the drivers"),
    choice("fit", "the Gaussian fit"),
  );
}

function makeRollButton(settings, redraw, commit) {
  const node = html("button", { type: "button", class: "main" }, "Minimise the loss");
  let stop = () => {};
  node.addEventListener("click", () => {
    stop();
    stop = rollDownhill(settings, redraw, commit);
  });
  return { node, stop: () => stop() };
}

/** Gradient descent in continuous time: the guess nears the mean exponentially. */
function rollDownhill(settings, redraw, commit) {
  const mean = () => summarize(settings).mean;
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

function makeResetButton(initial, settings, redraw, commit) {
  const node = html("button", { type: "button" }, "Start again");
  node.addEventListener("click", () => {
    Object.assign(settings, initial);
    redraw();
    commit();
  });
  return node;
}

export default { render };
