// The left panel: the road above, the density of the steering actions below, on one axis.

import {
  clamp,
  draggable,
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  onKeys,
  percent,
  roundTicks,
  roundTo,
  setAttributes,
  signed,
  spaced,
  svg,
} from "./shared.js";
import { gaussianDensity } from "./gaussians.js";
import { densityOfDrivers } from "./modes_numbers.js";
import { makeRoad } from "./modes_road.js";

export const SHOWN_ACTIONS = [-1.2, 1.2];
export const PANEL_HEIGHT = 414;
export const AXIS_Y = 372;
export const MARGIN = { left: 32, right: 8 };
const PLOT_TOP = 182;
const CURVE_POINTS = spaced(...SHOWN_ACTIONS, 241);
const AXIS_LOCK = 4; // pixels of a drag that decide between moving a mode and weighing it

export const actionScale = (width) =>
  linearScale(SHOWN_ACTIONS, [MARGIN.left, width - MARGIN.right]);

export function makeDensityPanel(settings, changed, commit) {
  const road = makeRoad();
  const scales = {}; // of the last drawing: a drag is measured with them
  const parts = {
    axisLeft: svg("g"),
    obstacle: svg("rect", { y: PLOT_TOP, height: AXIS_Y - PLOT_TOP, class: "obstacle" }),
    area: svg("path", { class: "data-area" }),
    data: svg("path", { class: "data-line" }),
    fit: svg("path", { class: "fit-line" }),
    optimum: svg("path", { class: "optimum-line" }),
    axisBottom: svg("g"),
    guess: svg("path", { class: "guess-mark" }),
    axisTitle: svg("text", { x: 2, y: PLOT_TOP + 14, class: "quiet" }, "density (per m/s)"),
    optimumLabel: svg("text", { y: PLOT_TOP + 32, class: "strong halo", "text-anchor": "middle" }),
    left: makeModeHandle("left", settings, scales, changed, commit),
    right: makeModeHandle("right", settings, scales, changed, commit),
  };
  const node = svg("svg", {
    height: PANEL_HEIGHT,
    role: "group",
    "aria-label": "Road and density of the steering actions",
  });
  node.append(road.node, ...Object.values(parts));
  const draw = (scene) => {
    road.draw(scene);
    drawDensity(parts, scales, scene);
  };
  return { node, draw };
}

function drawDensity(parts, scales, { settings, numbers, x, width }) {
  const peak = gaussianDensity(0, 0, settings.spread);
  // All of the data in one mode would reach the peak: the axis depends on the spread alone, so a
  // handle's height *is* its driver's share.
  const y = linearScale([0, 1.42 * peak], [AXIS_Y, PLOT_TOP]);
  Object.assign(scales, { x, y, pixelsPerShare: -y.perUnit * peak });
  drawLeftAxis(parts.axisLeft, y, roundTicks(1.05 * peak), x.range);
  drawBottomAxis(
    parts.axisBottom,
    x,
    [-1, -0.5, 0, 0.5, 1],
    AXIS_Y,
    "steering action a (m/s to the side)",
  );
  const obstacle = [x(-settings.obstacle), x(settings.obstacle)];
  setAttributes(parts.obstacle, { x: obstacle[0], width: obstacle[1] - obstacle[0] });
  drawCurves(parts, settings, numbers, x, y);
  drawOptimum(parts, numbers.mean, x, width);
  parts.guess.setAttribute("d", `M${x(settings.guess)} ${AXIS_Y - 1}l-5 8h10Z`);
  placeModeHandles(parts, settings, scales, peak, width);
}

function drawCurves({ area, data, fit }, settings, { mean, std }, x, y) {
  const curve = (density) =>
    linePath(CURVE_POINTS.map((action) => [x(action), y(density(action))]));
  const mixture = curve((action) => densityOfDrivers(action, settings));
  data.setAttribute("d", mixture);
  area.setAttribute("d", `${mixture}V${y(0)}H${x.range[0]}Z`);
  fit.setAttribute(
    "d",
    curve((action) => gaussianDensity(action, mean, std)),
  );
}

function drawOptimum({ optimum, optimumLabel }, mean, x, width) {
  optimum.setAttribute("d", `M${x(mean)} ${PLOT_TOP + 38}V${AXIS_Y}`);
  optimumLabel.setAttribute("x", clamp(x(mean), MARGIN.left + 56, width - MARGIN.right - 56));
  optimumLabel.textContent = `L2 optimum ${signed(mean)}`;
}

function placeModeHandles({ left, right }, settings, { x, y }, peak, width) {
  const { left_mode, right_mode, left_weight } = settings;
  const half = 28; // of a label's width: two labels side by side must not overlap
  const [low, high] = [MARGIN.left + half, width - MARGIN.right - half];
  const middle = clamp((x(left_mode) + x(right_mode)) / 2, low + half, high - half);
  const leftLabel = clamp(Math.min(x(left_mode), middle - half), low, high);
  const rightLabel = clamp(Math.max(x(right_mode), middle + half), low, high);
  placeModeHandle(left, left_mode, left_weight, leftLabel, x, y(left_weight * peak));
  placeModeHandle(right, right_mode, 1 - left_weight, rightLabel, x, y((1 - left_weight) * peak));
}

function placeModeHandle(handle, mode, share, labelX, x, y) {
  const spoken = `${signed(mode)} metres per second, ${percent(share)} of the data`;
  setAttributes(handle, {
    transform: `translate(${x(mode)} ${y})`,
    "aria-valuenow": mode,
    "aria-valuetext": spoken,
  });
  const label = handle.lastChild;
  label.setAttribute("x", labelX - x(mode));
  label.textContent = percent(share);
}

function makeModeHandle(side, settings, scales, changed, commit) {
  const handle = svg(
    "g",
    {
      class: "handle mode-handle",
      role: "slider",
      tabindex: 0,
      "aria-label": `${side === "left" ? "Left" : "Right"} driver`,
      "aria-valuemin": -1,
      "aria-valuemax": 1,
      // JupyterLab takes single letters for commands unless the focused element itself says no.
      "data-lm-suppress-shortcuts": "true",
    },
    svg("circle", { r: 22, fill: "transparent" }), // as large as a finger
    svg("circle", { r: 15, class: "ring" }),
    svg("circle", { r: 10, class: "knob" }),
    svg("path", { d: "M-2.5 -3L-5.5 0L-2.5 3M2.5 -3L5.5 0L2.5 3", class: "grip" }),
    svg("text", { y: -17, "text-anchor": "middle", class: "strong halo" }),
  );
  const mode = modeOf(side, settings, changed);
  draggable(handle, {
    onStart: () => ({ position: mode.position, share: mode.share, axis: null }),
    onMove(movement, start) {
      start.axis ??= dragAxis(movement);
      if (start.axis === "x") mode.position = start.position + movement.x / scales.x.perUnit;
      if (start.axis === "y") mode.share = start.share - movement.y / scales.pixelsPerShare;
    },
    onRelease: commit,
  });
  onKeys(handle, modeKeys(mode), commit);
  return handle;
}

const dragAxis = ({ x, y }) =>
  Math.hypot(x, y) < AXIS_LOCK ? null : Math.abs(x) >= Math.abs(y) ? "x" : "y";

/** One driver's view of the settings: its position, kept on its side of the other, and its share. */
function modeOf(side, settings, changed) {
  return {
    get position() {
      return settings[`${side}_mode`];
    },
    set position(value) {
      const { left_mode, right_mode } = settings;
      const [low, high] = side === "left" ? [-1, right_mode] : [left_mode, 1];
      settings[`${side}_mode`] = clamp(roundTo(value, 0.01), low, high);
      changed();
    },
    get share() {
      return side === "left" ? settings.left_weight : 1 - settings.left_weight;
    },
    set share(value) {
      const share = clamp(roundTo(value, 0.01), 0, 1);
      settings.left_weight = side === "left" ? share : roundTo(1 - share, 0.01);
      changed();
    },
  };
}

function modeKeys(mode) {
  const move = (step) => () => (mode.position += step);
  const weigh = (step) => () => (mode.share += step);
  return {
    ArrowLeft: move(-0.02),
    ArrowRight: move(0.02),
    PageDown: move(-0.1),
    PageUp: move(0.1),
    Home: move(-2),
    End: move(2),
    ArrowUp: weigh(0.05),
    ArrowDown: weigh(-0.05),
  };
}
