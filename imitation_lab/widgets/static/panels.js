// Panels side by side with controls below them and the numbers in words: the frame of every widget
// that explains a distribution.

import { html, localCopy, oncePerFrame, svg } from "./shared.js";

/**
 * Show a widget of panels over the model's traits, and return the function that takes it down.
 *
 * `build(settings, redraw, commit)` returns the panels, and perhaps `draw(numbers)` for the controls,
 * `stop()` for what still moves, and `below`, a node between the panels and the numbers. A panel holds
 * its `title`, the SVG or HTML `node` and `draw(scene)`, and perhaps a `hint`, a `legend` (class of a line
 * to its name) and `controls`. The scene has the settings, the numbers, the width in pixels and whatever
 * `addToScene(width)` adds. While `silent(settings)` holds, a change is not spoken.
 */
export function showPanels({
  model,
  el,
  traits,
  name,
  label,
  summarise,
  sentence,
  addToScene = () => ({}),
  silent = () => false,
  build,
}) {
  const redraw = oncePerFrame(() => draw());
  const state = localCopy(model, traits, redraw);
  const settings = state.values;
  const readout = html("p", { class: "readout" });
  const spoken = html("p", { class: "only-spoken", "aria-live": "polite" });
  const commit = () => {
    if (!state.commit() || silent(settings)) return;
    spoken.textContent = sentence(settings, summarise(settings));
  };
  const { panels, draw: drawControls, stop, below = null } = build(settings, redraw, commit);
  const draw = () => {
    const numbers = summarise(settings);
    for (const panel of panels) drawPanel(panel, { settings, numbers }, addToScene);
    drawControls?.(numbers);
    readout.replaceChildren(...withStrongNumbers(sentence(settings, numbers)));
  };
  const sections = html("div", { class: "panels" }, ...panels.map(frameOf));
  const group = { class: `imitation-widget ${name}`, role: "group", "aria-label": label };
  el.append(html("div", group, sections, below, readout, spoken));
  const sizes = new ResizeObserver(redraw);
  for (const panel of panels) sizes.observe(panel.node);
  draw();
  return () => {
    sizes.disconnect();
    stop?.();
    state.release();
  };
}

function drawPanel(panel, scene, addToScene) {
  const width = panel.node.clientWidth;
  if (width === 0) return; // hidden for now: the observer of its size draws it when it is shown
  if (panel.node instanceof SVGElement)
    panel.node.setAttribute("viewBox", `0 0 ${width} ${panel.node.getAttribute("height")}`);
  panel.draw({ ...scene, width, ...addToScene(width) });
}

function frameOf({ title, hint, node, legend, controls }) {
  return html(
    "section",
    { class: "panel", "aria-label": title },
    html("p", { class: "title" }, title),
    hint ? html("p", { class: "hint" }, hint) : null,
    node,
    legend ? html("p", { class: "legend" }, ...Object.entries(legend).map(legendEntry)) : null,
    controls ? html("div", { class: "controls" }, ...controls) : null,
  );
}

function legendEntry([line, text]) {
  const sample = svg("path", { d: "M1 5H25", class: line });
  const picture = svg("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, sample);
  return html("span", {}, picture, text);
}

const withStrongNumbers = (text) =>
  text
    .split(/([+\u2212]?\d+\.\d+|\d+ %)/)
    .map((part, i) => (i % 2 ? html("strong", {}, part) : part));

/** Make a labelled slider over one number that `get` reads and `set` writes. */
export function makeRange({ label, limits, format, get, set }, commit) {
  const input = html("input", {
    type: "range",
    step: 0.01,
    ...limits,
    "data-lm-suppress-shortcuts": "true",
  });
  const output = html("span", { class: "value" });
  input.addEventListener("input", () => set(input.valueAsNumber));
  input.addEventListener("change", commit);
  const draw = () => {
    input.value = get();
    output.textContent = format(get());
    input.setAttribute("aria-valuetext", output.textContent);
  };
  // The value stands outside the label, or it would be part of the slider's name.
  const named = html("label", {}, html("span", {}, label), input);
  return { node: html("div", { class: "range" }, named, output), draw };
}

/** Make a row of radio buttons: `options` maps each value to its text, `enabled` tells which can be had. */
export function makeChoice({ label, options, get, set, enabled = () => true }) {
  const group = `choice-${Math.random().toString(36).slice(2)}`; // radio groups are shared by the page
  const inputs = Object.keys(options).map((value) => {
    const attributes = { type: "radio", name: group, value, "data-lm-suppress-shortcuts": "true" };
    const input = html("input", attributes);
    input.addEventListener("change", () => set(value));
    return input;
  });
  const draw = () => {
    for (const input of inputs) {
      input.checked = input.value === get();
      input.disabled = !enabled(input.value);
    }
  };
  draw();
  const labels = inputs.map((input) => html("label", {}, input, options[input.value]));
  const node = html("fieldset", { class: "choice" }, html("legend", {}, label), ...labels);
  return { node, draw };
}

export function makeCheckbox(text, { get, set }) {
  const input = html("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true" });
  input.addEventListener("change", () => set(input.checked));
  const draw = () => (input.checked = get());
  return { node: html("label", { class: "checkbox" }, input, text), draw };
}

/** A setting whose change is told at once: a button or a choice has no moment of letting go. */
export const settingOf = (settings, name, redraw, commit = () => {}) => ({
  get: () => settings[name],
  set(value) {
    settings[name] = value;
    redraw();
    commit();
  },
});

export function makeButton(text, onClick, attributes = {}) {
  const node = html("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", onClick);
  return node;
}

/** Make the button that brings back the settings that the widget was opened with. */
export function makeResetButton(settings, redraw, commit) {
  const initial = { ...settings };
  return makeButton("Start again", () => {
    Object.assign(settings, initial);
    redraw();
    commit();
  });
}
