// The table of the components: their numbers, and a slider for each weight.

import { html, percent, signed, svg } from "./shared.js";
import { MOST_COMPONENTS, NUM_ACTIONS, withWeight } from "./components_numbers.js";

const HEADINGS = ["", "weight", "mean", "width", "holds"];

export function makeComponentsTable(settings, redraw, commit) {
  const rows = Array.from({ length: MOST_COMPONENTS }, (_, k) =>
    makeComponentRow(k, settings, redraw, commit),
  );
  const heading = html("tr", {}, ...HEADINGS.map((text) => html("th", { scope: "col" }, text)));
  const node = html(
    "table",
    { class: "components-table", "aria-label": "The components, one in each row" },
    html("thead", {}, heading),
    html("tbody", {}, ...rows.map((row) => row.node)),
  );
  const draw = (numbers) => rows.forEach((row) => row.draw(numbers));
  return { node, draw };
}

function makeComponentRow(k, settings, redraw, commit) {
  const line = svg("path", { d: "M1 5H25", class: `component-line component-${k + 1}` });
  const swatch = svg("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, line);
  const weight = makeWeightInput(k, settings, redraw, commit);
  const [share, mean, width, holds] = ["span", "td", "td", "td"].map((name) => html(name));
  const node = html(
    "tr",
    {},
    html("th", { scope: "row" }, html("span", { class: "swatch" }, swatch, String(k + 1))),
    html("td", {}, html("span", { class: "weight" }, weight, share)),
    mean,
    width,
    holds,
  );
  const draw = (numbers) => {
    node.hidden = k >= settings.components.length;
    if (node.hidden) return;
    weight.value = numbers.weights[k];
    weight.disabled = settings.components.length === 1;
    weight.setAttribute("aria-valuetext", percent(numbers.weights[k]));
    share.textContent = percent(numbers.weights[k]);
    mean.textContent = signed(settings.components[k][1]);
    width.textContent = numbers.stds[k].toFixed(3);
    holds.textContent = holdsInWords(k, numbers);
  };
  return { node, draw };
}

function holdsInWords(k, { responsibilities, dead, collapsed }) {
  const held = `${(responsibilities[k] * NUM_ACTIONS).toFixed(0)}`;
  if (dead.includes(k)) return `${held}: dead`;
  return collapsed.includes(k) ? `${held}: at floor` : held;
}

function makeWeightInput(k, settings, redraw, commit) {
  const input = html("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.01,
    "aria-label": `Weight of component ${k + 1}`,
    "data-lm-suppress-shortcuts": "true",
  });
  input.addEventListener("input", () => {
    const { components, sigma_floor } = settings;
    settings.components = withWeight(components, k, input.valueAsNumber, sigma_floor);
    redraw();
  });
  input.addEventListener("change", commit);
  return input;
}
