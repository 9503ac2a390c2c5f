// Choose the order: actions of two numbers, independent bins and autoregressive ones.
// Everything is computed and drawn here; the kernel hears of a change when the student lets go.

import { html, percent } from "./shared.js";
import {
  makeButton,
  makeCheckbox,
  makeChoice,
  makeRange,
  makeResetButton,
  settingOf,
  showPanels,
} from "./panels.js";
import { analyseOrder } from "./order_counts.js";
import { makeDemosPanel } from "./order_demos.js";
import { makeHeatPanel } from "./order_heat.js";
import { factors, makeStepper, narrate, standingOf } from "./order_steps.js";

const ORDER_TRAITS = ["actions", "preset", "bins", "order", "obstacles", "seed"];
const PRESET_NAMES = {
  xor: "Two corners",
  corners: "Unequal corners",
  line: "Line",
  ring: "Ring",
  clear: "Clear",
};

function renderOrder({ model, el }) {
  const view = { step: null, playing: false }; // how this picture is drawn: no business of the kernel's
  return showPanels({
    model,
    el,
    traits: ORDER_TRAITS,
    name: "order",
    label: "Choose the order",
    summarise: analyseOrder,
    sentence: orderSentence,
    addToScene: () => ({ step: standingOf(view), playing: view.playing }),
    build: (settings, redraw, commit) =>
      buildOrder(settings, model.get("presets"), view, redraw, commit),
  });
}

/** The numbers in words, just as `OrderSummary.sentence` writes them. */
function orderSentence({ obstacles }, numbers) {
  if (!numbers.count) return "No action yet: add some on the plane, or pick a preset.";
  const crashes =
    ` Into an obstacle: ${percent(numbers.crash_demonstrated)} of the demonstrations, ` +
    `${percent(numbers.crash_independent)} of the independent samples, ` +
    `${percent(numbers.crash_autoregressive)} of the autoregressive ones.`;
  return (
    `Independent bins put ${percent(numbers.invented_independent)} of their probability where ` +
    `nobody acted, autoregressive bins ${percent(numbers.invented_autoregressive)}. ` +
    `An action costs ${numbers.nats_independent.toFixed(2)} nats with independent bins and ` +
    `${numbers.nats_autoregressive.toFixed(2)} with autoregressive ones, in either order. ` +
    `The difference is the mutual information of steer and speed: ` +
    `${numbers.mutual_information.toFixed(2)} nats.` +
    (obstacles ? crashes : "")
  );
}

function buildOrder(settings, presets, view, redraw, commit) {
  const forget = () => (view.step = null); // the sample that was stepped through is of other actions
  const demos = demosPanel(settings, presets, forget, redraw, commit);
  const independent = policyPanel("independent", "Independent bins");
  const autoregressive = policyPanel("autoregressive", "Autoregressive bins");
  const sampling = samplingControls(settings, view, redraw, commit);
  const panels = [demos, independent, autoregressive];
  const draw = () => {
    for (const part of [demos, sampling]) part.drawControls();
  };
  return { panels, below: sampling.node, draw, stop: sampling.stop };
}

function demosPanel(settings, presets, forget, redraw, commit) {
  const panel = makeDemosPanel(settings, redraw, commit);
  const chooser = presetChooser(settings, presets, forget, redraw, commit);
  const obstacles = makeCheckbox(
    "Two corners crash",
    settingOf(settings, "obstacles", redraw, commit),
  );
  return {
    title: "Demonstrated actions",
    hint: "Click to add or to remove, drag to move.",
    legend: { "action-sample": "one action", "obstacle-sample": "obstacle" },
    controls: [chooser.node, obstacles.node, panel.spoken],
    node: panel.node,
    draw: panel.draw,
    drawControls() {
      chooser.draw();
      obstacles.draw();
    },
  };
}

function presetChooser(settings, presets, forget, redraw, commit) {
  const buttons = Object.entries(PRESET_NAMES).map(([preset, text]) => {
    const choose = () => {
      Object.assign(settings, { preset, actions: presets[preset] });
      forget();
      redraw();
      commit();
    };
    return [preset, makeButton(text, choose)];
  });
  const draw = () => {
    for (const [preset, button] of buttons) {
      button.setAttribute("aria-pressed", settings.preset === preset);
    }
  };
  const group = { class: "presets", role: "group", "aria-label": "Presets" };
  return { node: html("div", group, ...buttons.map(([, button]) => button)), draw };
}

function policyPanel(model, title) {
  const panel = makeHeatPanel(model, `${title}: probability of every cell, and samples`);
  const formula = html("span");
  const narration = html("p", { class: "narration" });
  const figures = makeFigures({ invented: "invented", nats: "nats per action", crash: "crash" });
  return {
    title,
    hint: formula,
    legend: {
      [`${model}-sample`]: "probability",
      [`invented-sample ${model}-sample`]: "invented",
    },
    controls: [figures.node, narration],
    node: panel.node,
    draw(scene) {
      panel.draw(scene);
      formula.textContent = factors(model, scene.settings.order);
      tell(narration, narrate(model, scene), scene.playing);
      figures.draw(policyFigures(model, scene));
    },
  };
}

/** Change words that are spoken as they change, unless they change of themselves. */
function tell(node, text, quietly) {
  node.setAttribute("aria-live", quietly ? "off" : "polite");
  if (node.textContent !== text) node.textContent = text;
}

function policyFigures(model, { settings, numbers }) {
  const ofModel = (name) => numbers[`${name}_${model}`];
  if (!numbers.count) return { invented: "–", nats: "–", crash: settings.obstacles ? "–" : null };
  return {
    invented: percent(ofModel("invented")),
    nats: ofModel("nats").toFixed(2),
    crash: settings.obstacles ? percent(ofModel("crash")) : null,
  };
}

/** Make a row of numbers with their names below; a number of null is left out. */
function makeFigures(names) {
  const figures = Object.entries(names).map(([key, name]) => {
    const value = html("dd");
    return { key, value, node: html("div", {}, html("dt", {}, name), value) };
  });
  const draw = (values) => {
    for (const { key, value, node } of figures) {
      value.textContent = values[key] ?? "";
      node.style.display = values[key] === null ? "none" : "";
    }
  };
  return { node: html("dl", { class: "figures" }, ...figures.map(({ node }) => node)), draw };
}

function samplingControls(settings, view, redraw, commit) {
  const stepper = makeStepper(view, redraw);
  const order = makeChoice({
    label: "Draw first:",
    options: { steer: "steer", speed: "speed" },
    ...settingOf(settings, "order", redraw, commit),
  });
  const bins = makeRange(
    {
      label: "Bins per number",
      limits: { min: 3, max: 15, step: 1 },
      format: String,
      ...settingOf(settings, "bins", redraw),
    },
    commit,
  );
  const again = makeButton("Draw again", () => {
    stepper.showAll();
    settings.seed += 1;
    redraw();
    commit();
  });
  const reset = makeResetButton(settings, redraw, commit);
  const buttons = html("div", { class: "buttons" }, ...stepper.nodes, again, reset);
  const drawControls = () => {
    for (const control of [bins, order, stepper]) control.draw();
  };
  const node = html("div", { class: "controls sampling" }, bins.node, order.node, buttons);
  return { node, drawControls, stop: stepper.stop };
}

export default { render: renderOrder };
