// The right panel: what one constant action costs, whoever drove.

import {
  clamp,
  draggable,
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  onKeys,
  roundTicks,
  roundTo,
  setAttributes,
  signed,
  spaced,
  svg,
} from "./shared.js";
import { AXIS_Y, MARGIN, PANEL_HEIGHT, SHOWN_ACTIONS } from "./modes_density.js";

const LOSS_TOP = 26;
const CONSTANTS = spaced(...SHOWN_ACTIONS, 121);

export function makeLossPanel(settings, changed, commit) {
  const scales = {};
  const parts = {
    axisLeft: svg("g"),
    obstacle: svg("rect", { y: LOSS_TOP, height: AXIS_Y - LOSS_TOP, class: "obstacle" }),
    floorArea: svg("rect", { class: "floor-area" }),
    floor: svg("path", { class: "floor-line" }),
    loss: svg("path", { class: "loss-line" }),
    optimum: svg("path", { class: "optimum-line" }),
    minimum: svg("path", { class: "minimum" }),
    excess: svg("rect", { class: "excess", width: 6, rx: 2 }),
    floorLabel: svg("text", { class: "halo" }),
    axisTitle: svg(
      "text",
      { x: 2, y: 14, class: "quiet" },
      "expected squared error (m\u00b2/s\u00b2)",
    ),
    axisBottom: svg("g"),
    ball: makeBall(settings, scales, changed, commit),
  };
  const node = svg("svg", {
    height: PANEL_HEIGHT,
    role: "group",
    "aria-label": "Expected squared error of one constant action",
  });
  node.append(...Object.values(parts));
  return { node, draw: (scene) => drawLoss(parts, scales, scene) };
}

function drawLoss(parts, scales, { settings, numbers, x }) {
  const { mean, variance } = numbers;
  const lossOf = (constant) => variance + (constant - mean) ** 2;
  const highest = Math.max(lossOf(-1), lossOf(1));
  const y = linearScale([0, 1.12 * highest], [AXIS_Y, LOSS_TOP]);
  Object.assign(scales, { x });
  drawLeftAxis(parts.axisLeft, y, roundTicks(1.05 * highest), x.range);
  drawBottomAxis(
    parts.axisBottom,
    x,
    [-1, -0.5, 0, 0.5, 1],
    AXIS_Y,
    "constant action c (m/s to the side)",
  );
  setAttributes(parts.obstacle, {
    x: x(-settings.obstacle),
    width: x(settings.obstacle) - x(-settings.obstacle),
  });
  drawParabola(parts, lossOf, highest, x, y);
  drawFloor(parts, numbers, x, y);
  drawMinimum(parts, mean, variance, x, y);
  placeBall(parts, settings.guess, numbers, x, y);
}

function drawParabola({ loss }, lossOf, highest, x, y) {
  const inside = CONSTANTS.filter((constant) => lossOf(constant) <= 1.12 * highest);
  loss.setAttribute("d", linePath(inside.map((constant) => [x(constant), y(lossOf(constant))])));
}

function drawFloor({ floorArea, floor, floorLabel }, { mean, variance }, x, y) {
  const [left, right] = x.range;
  const top = y(variance);
  setAttributes(floorArea, { x: left, y: top, width: right - left, height: AXIS_Y - top });
  floor.setAttribute("d", `M${left} ${top}H${right}`);
  const aside =
    mean >= 0 ? { x: left + 8, "text-anchor": "start" } : { x: right - 8, "text-anchor": "end" };
  setAttributes(floorLabel, { ...aside, y: Math.min(top + 20, AXIS_Y - 6) });
  floorLabel.textContent = `floor: variance ${variance.toFixed(2)}`;
}

function drawMinimum({ optimum, minimum }, mean, variance, x, y) {
  optimum.setAttribute("d", `M${x(mean)} ${y(variance)}V${AXIS_Y}`);
  minimum.setAttribute("d", `M${x(mean)} ${y(variance) - 7}l7 7l-7 7l-7 -7Z`);
}

function placeBall({ ball, excess }, guess, numbers, x, y) {
  const height = y(numbers.guess_loss);
  setAttributes(excess, { x: x(guess) - 3, y: height, height: y(numbers.variance) - height });
  setAttributes(ball, {
    transform: `translate(${x(guess)} ${height})`,
    "aria-valuenow": guess,
    "aria-valuetext": `${signed(guess)} metres per second costs ${numbers.guess_loss.toFixed(2)}`,
  });
  const label = ball.lastChild;
  const [left, right] = [MARGIN.left + 40, x.range[1] - 40];
  setAttributes(label, {
    x: clamp(x(guess), left, right) - x(guess),
    y: height < LOSS_TOP + 34 ? 30 : -18,
  });
  label.textContent = `costs ${numbers.guess_loss.toFixed(2)}`;
}

function makeBall(settings, scales, changed, commit) {
  const ball = svg(
    "g",
    {
      class: "handle ball",
      role: "slider",
      tabindex: 0,
      "aria-label": "Your constant action",
      "aria-valuemin": -1,
      "aria-valuemax": 1,
      "data-lm-suppress-shortcuts": "true",
    },
    svg("circle", { r: 22, fill: "transparent" }),
    svg("circle", { r: 16, class: "ring" }),
    svg("circle", { r: 11, class: "knob" }),
    svg("circle", { cx: -3.5, cy: -4, r: 2.5, class: "shine" }),
    svg("text", { "text-anchor": "middle", class: "strong halo" }),
  );
  const moveTo = (guess) => {
    settings.guess = clamp(roundTo(guess, 0.01), -1, 1);
    changed();
  };
  draggable(ball, {
    onStart: () => settings.guess,
    onMove: (movement, start) => moveTo(start + movement.x / scales.x.perUnit),
    onRelease: commit,
  });
  onKeys(ball, guessKeys(settings, moveTo), commit);
  return ball;
}

function guessKeys(settings, moveTo) {
  const move = (step) => () => moveTo(settings.guess + step);
  return {
    ArrowLeft: move(-0.02),
    ArrowDown: move(-0.02),
    ArrowRight: move(0.02),
    ArrowUp: move(0.02),
    PageDown: move(-0.1),
    PageUp: move(0.1),
    Home: move(-2),
    End: move(2),
  };
}
