// The handles of the components: a numbered knob for mean and weight, a diamond for the width.

import {
  clamp,
  draggable,
  onKeys,
  percent,
  roundTo,
  setAttributes,
  signed,
  svg,
} from "./shared.js";
import { gaussianDensity } from "./gaussians.js";
import {
  clipComponent,
  MEAN_LIMITS,
  MOST_COMPONENTS,
  STD_LIMITS,
  summarizeComponents,
  withWeight,
} from "./components_numbers.js";

const KNOB = 11; // pixels
const APART = 24; // pixels between a knob and its diamond, at least
const LONGEST_ARROW = 56; // pixels; the gradients' lengths saturate there
const ARROW_GAIN = 3;
const SHORTEST_ARROW = 3;
const DRAG_LOCK = 4; // pixels of a drag that decide between mean and weight

export function makeComponentHandles(settings, scales, changed, commit) {
  const handles = Array.from({ length: MOST_COMPONENTS }, (_, k) => {
    const component = componentOf(k, settings, changed);
    return {
      knob: makeKnob(k, component, scales, commit),
      diamond: makeDiamond(k, component, scales, commit),
    };
  });
  const draw = (current, numbers) => {
    handles.forEach((handle, k) => placeHandles(handle, k, current, numbers, scales));
  };
  // The knob comes last: it hides the arrow of a diamond that is pulled towards it.
  return { nodes: handles.flatMap(({ knob, diamond }) => [diamond, knob]), draw };
}

function placeHandles({ knob, diamond }, k, { components, sigma_floor }, numbers, scales) {
  const shown = k < components.length;
  for (const handle of [knob, diamond]) handle.style.display = shown ? "" : "none";
  if (!shown) return;
  const [, mean] = components[k];
  const [weight, std] = [numbers.weights[k], numbers.stds[k]];
  const { x, y, top, base } = scales;
  const heightOf = (score) => {
    const height = y(weight * gaussianDensity(score * std, 0, std));
    return clamp(height, top + KNOB + 2, base - KNOB / 2);
  };
  const side = x(mean) + Math.max(APART, std * x.perUnit) > x.range[1] ? -1 : 1;
  const reach = side * Math.max(APART, std * x.perUnit);
  setAttributes(knob, {
    transform: `translate(${x(mean)} ${heightOf(0)})`,
    "aria-valuenow": mean.toFixed(3),
    "aria-valuetext": `${signed(mean)} metres per second, weight ${percent(weight)}`,
  });
  setAttributes(diamond, {
    transform: `translate(${x(mean) + reach} ${heightOf(1)})`,
    "aria-valuemin": sigma_floor,
    "aria-valuenow": std.toFixed(4),
    "aria-valuetext": `standard deviation ${std.toFixed(3)} metres per second`,
  });
  diamond.dataset.side = side;
  // By the mean in standard deviations and by the log of the width: numbers of one kind.
  drawArrow(knob, std * numbers.mean_gradient[k], KNOB + 2);
  drawArrow(diamond, side * numbers.log_std_gradient[k], 9);
}

/** Draw an arrow to the side, from a gap beside the handle. */
function drawArrow(handle, gradient, gap) {
  const length = LONGEST_ARROW * Math.tanh(ARROW_GAIN * Math.abs(gradient));
  const sign = Math.sign(gradient);
  const [start, end] = [sign * gap, sign * (gap + length)];
  const head = `M${end - sign * 5} -4L${end} 0L${end - sign * 5} 4`;
  const arrow = handle.querySelector(".arrow-line");
  arrow.setAttribute("d", length < SHORTEST_ARROW ? "" : `M${start} 0H${end}${head}`);
}

function makeKnob(k, component, scales, commit) {
  const knob = svg(
    "g",
    {
      class: `handle mean-handle component-${k + 1}`,
      role: "slider",
      tabindex: 0,
      "aria-label": `Mean of component ${k + 1}`,
      "aria-valuemin": MEAN_LIMITS[0],
      "aria-valuemax": MEAN_LIMITS[1],
      "data-lm-suppress-shortcuts": "true",
    },
    svg("circle", { r: 18, fill: "transparent" }),
    svg("path", { class: "arrow-line" }),
    svg("circle", { r: 16, class: "ring" }),
    svg("circle", { r: KNOB, class: "knob" }),
    svg("text", { y: 4.5, "text-anchor": "middle", class: "strong" }, String(k + 1)),
  );
  draggable(knob, {
    onStart() {
      const { mean, weight, std } = component;
      return { mean, weight, std, axis: null };
    },
    onMove(movement, start) {
      start.axis ??= dragDirection(movement);
      const perWeight = -scales.y.perUnit * gaussianDensity(0, 0, start.std);
      if (start.axis === "x") component.mean = start.mean + movement.x / scales.x.perUnit;
      if (start.axis === "y") component.weight = start.weight - movement.y / perWeight;
    },
    onRelease: commit,
  });
  onKeys(knob, knobKeys(component), commit);
  return knob;
}

const dragDirection = ({ x, y }) =>
  Math.hypot(x, y) < DRAG_LOCK ? null : Math.abs(x) >= Math.abs(y) ? "x" : "y";

function knobKeys(component) {
  const move = (step) => () => (component.mean += step);
  const weigh = (step) => () => (component.weight += step);
  return {
    ArrowLeft: move(-0.02),
    ArrowRight: move(0.02),
    PageDown: move(-0.1),
    PageUp: move(0.1),
    Home: move(-3),
    End: move(3),
    ArrowUp: weigh(0.05),
    ArrowDown: weigh(-0.05),
  };
}

function makeDiamond(k, component, scales, commit) {
  const diamond = svg(
    "g",
    {
      class: `handle width-handle component-${k + 1}`,
      role: "slider",
      tabindex: 0,
      "aria-label": `Width of component ${k + 1}`,
      "aria-valuemax": STD_LIMITS[1],
      "data-lm-suppress-shortcuts": "true",
    },
    svg("circle", { r: 16, fill: "transparent" }),
    svg("path", { class: "arrow-line" }),
    svg("circle", { r: 12, class: "ring" }),
    svg("path", { d: "M0 -7L7 0L0 7L-7 0Z", class: "knob" }),
  );
  draggable(diamond, {
    onStart: () => ({ std: component.std, side: Number(diamond.dataset.side) }),
    onMove: ({ x }, { std, side }) => (component.std = std + (side * x) / scales.x.perUnit),
    onRelease: commit,
  });
  const scaleBy = (factor) => () => (component.std *= factor);
  const keys = {
    ArrowLeft: scaleBy(1 / 1.05),
    ArrowDown: scaleBy(1 / 1.05),
    ArrowRight: scaleBy(1.05),
    ArrowUp: scaleBy(1.05),
    PageDown: scaleBy(0.5),
    PageUp: scaleBy(2),
    Home: scaleBy(0),
    End: scaleBy(1000),
  };
  onKeys(diamond, keys, commit);
  return diamond;
}

/** One component's view of the settings: reading it in m/s and shares, writing it as parameters. */
function componentOf(k, settings, changed) {
  const change = (index, value) => {
    const { components, sigma_floor } = settings;
    const component = clipComponent(components[k].with(index, value), sigma_floor);
    settings.components = components.with(k, component);
    changed();
  };
  return {
    get mean() {
      return settings.components[k][1];
    },
    set mean(value) {
      change(1, roundTo(value, 0.01));
    },
    get std() {
      return summarizeComponents(settings).stds[k];
    },
    set std(value) {
      change(2, Math.log(clamp(value, ...STD_LIMITS)));
    },
    get weight() {
      return summarizeComponents(settings).weights[k];
    },
    set weight(value) {
      if (settings.components.length === 1) return; // it weighs 1
      const { components, sigma_floor } = settings;
      settings.components = withWeight(components, k, roundTo(value, 0.01), sigma_floor);
      changed();
    },
  };
}
