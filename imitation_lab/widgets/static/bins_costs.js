// The right panel: expected nats per action over the number of bins.

import {
  clamp,
  draggable,
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  logScale,
  onKeys,
  plain,
  setAttributes,
  svg,
} from "./shared.js";
import { BIN_COUNTS, natsByCount } from "./bins_numbers.js";
import { BINS_AXIS_Y, BINS_HEIGHT, BINS_TOP } from "./bins_policy.js";

const SHOWN_NATS = [-0.2, 1.35]; // counted from the floor
const PLOT_LEFT = 40; // wide enough for a minus and two digits
const COUNT_TICKS = [2, 5, 10, 20, 50, 100];

export function makeCostPanel(settings, changed, commit) {
  const scales = {};
  const parts = {
    axisLeft: svg("g"),
    floorArea: svg("rect", { class: "floor-area" }),
    floor: svg("path", { class: "floor-line" }),
    endless: svg("path", { class: "endless-line" }),
    nats: svg("path", { class: "nats-line" }),
    floorLabel: svg("text", { class: "halo", "text-anchor": "end" }),
    axisTitle: svg("text", { x: 2, y: 14, class: "quiet" }, "expected nats per action"),
    axisBottom: svg("g"),
    ball: makeCountBall(settings, scales, changed, commit),
  };
  const node = svg("svg", {
    height: BINS_HEIGHT,
    role: "group",
    "aria-label": "Expected nats per action over the number of bins",
  });
  node.append(...Object.values(parts));
  return { node, draw: (scene) => drawCosts(parts, scales, scene) };
}

function drawCosts(parts, scales, { settings, numbers, width }) {
  const { entropy } = numbers;
  const x = logScale(BIN_COUNTS, [PLOT_LEFT + 10, width - 20]);
  const shown = SHOWN_NATS.map((nats) => entropy + nats);
  const y = linearScale(shown, [BINS_AXIS_Y, BINS_TOP]);
  Object.assign(scales, { x });
  drawLeftAxis(parts.axisLeft, y, halfTicks(shown), [PLOT_LEFT, width - 8]);
  const asWritten = (count) => String(count);
  drawBottomAxis(parts.axisBottom, x, COUNT_TICKS, BINS_AXIS_Y, "number of bins", asWritten);
  drawCostLines(parts, natsByCount(settings), x, y);
  drawEntropyFloor(parts, entropy, y(entropy), width);
  placeCountBall(parts.ball, settings.num_bins, numbers.nats, x, y);
}

/** Every half between two numbers. */
function halfTicks([low, high]) {
  const first = Math.ceil(2 * low);
  const count = Math.floor(2 * high) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) / 2);
}

function drawCostLines({ nats, endless }, costs, x, y) {
  const line = (cost) => costLine(costs, cost, x, y);
  nats.setAttribute("d", line("nats"));
  endless.setAttribute("d", line("endless"));
}

/** A line that leaves the picture at its top, and comes back where the costs do. */
function costLine(costs, cost, x, y) {
  const points = costs.map((choice) => [x(choice.num_bins), y(choice[cost])]);
  const visible = ([, height]) => height >= BINS_TOP;
  const near = points.map((point, i) => [points[i - 1], point, points[i + 1]]);
  const isInside = (other) => other && visible(other);
  const kept = near.map(([before, point, after]) =>
    visible(point) ? point : meetTop(point, [before, after].find(isInside)),
  );
  return splitAt(kept).map(linePath).join("");
}

/** Where the way from a point above the picture to a point inside enters the picture. */
function meetTop([x, y], inside) {
  if (!inside || !Number.isFinite(y)) return null;
  const share = (BINS_TOP - y) / (inside[1] - y);
  return [x + share * (inside[0] - x), BINS_TOP];
}

/** Cut a list into the runs between its nulls. */
function splitAt(points) {
  const runs = [[]];
  for (const point of points) {
    if (point) runs.at(-1).push(point);
    else if (runs.at(-1).length) runs.push([]);
  }
  return runs;
}

function drawEntropyFloor({ floorArea, floor, floorLabel }, entropy, top, width) {
  const [left, right] = [PLOT_LEFT, width - 8];
  setAttributes(floorArea, { x: left, y: top, width: right - left, height: BINS_AXIS_Y - top });
  floor.setAttribute("d", `M${left} ${top}H${right}`);
  setAttributes(floorLabel, { x: right - 6, y: top + 18 });
  floorLabel.textContent = `the drivers\u2019 entropy: ${plain(entropy)}`;
}

function placeCountBall(ball, num_bins, nats, x, y) {
  const inside = y(nats) >= BINS_TOP;
  const height = inside ? y(nats) : BINS_TOP;
  const cost = Number.isFinite(nats) ? plain(nats) : "\u221e";
  setAttributes(ball, {
    transform: `translate(${x(num_bins)} ${height})`,
    "aria-valuenow": num_bins,
    "aria-valuetext": `${num_bins} bins cost ${cost.replace("\u221e", "infinitely many")} nats`,
  });
  const label = ball.lastChild;
  const [left, right] = [x.range[0] + 34, x.range[1] - 34];
  setAttributes(label, {
    x: clamp(x(num_bins), left, right) - x(num_bins),
    y: height < BINS_TOP + 34 ? 30 : -18,
  });
  label.textContent = inside ? `costs ${cost}` : `\u2191 costs ${cost}`;
}

function makeCountBall(settings, scales, changed, commit) {
  const ball = svg(
    "g",
    {
      class: "handle ball",
      role: "slider",
      tabindex: 0,
      "aria-label": "Number of bins on the curve",
      "aria-valuemin": BIN_COUNTS[0],
      "aria-valuemax": BIN_COUNTS[1],
      "data-lm-suppress-shortcuts": "true",
    },
    svg("circle", { r: 22, fill: "transparent" }),
    svg("circle", { r: 16, class: "ring" }),
    svg("circle", { r: 11, class: "knob" }),
    svg("circle", { cx: -3.5, cy: -4, r: 2.5, class: "shine" }),
    svg("text", { "text-anchor": "middle", class: "strong halo" }),
  );
  const moveTo = (count) => {
    settings.num_bins = clamp(Math.round(count), ...BIN_COUNTS);
    changed();
  };
  draggable(ball, {
    onStart: () => scales.x(settings.num_bins),
    onMove: (movement, start) => moveTo(scales.x.invert(start + movement.x)),
    onRelease: commit,
  });
  onKeys(ball, countKeys(settings, moveTo), commit);
  return ball;
}

function countKeys(settings, moveTo) {
  const move = (step) => () => moveTo(settings.num_bins + step);
  return {
    ArrowLeft: move(-1),
    ArrowDown: move(-1),
    ArrowRight: move(1),
    ArrowUp: move(1),
    PageDown: move(-10),
    PageUp: move(10),
    Home: () => moveTo(BIN_COUNTS[0]),
    End: () => moveTo(BIN_COUNTS[1]),
  };
}
