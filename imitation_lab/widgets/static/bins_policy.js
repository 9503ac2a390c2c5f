// The left panel: the true density of the action, the demonstrations as ticks, the policy as bars.

import {
  clamp,
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  roundTicks,
  setAttributes,
  spaced,
  svg,
} from "./shared.js";
import { densityOfMixture } from "./mixtures.js";
import {
  BIN_RANGE,
  binCentre,
  binEdge,
  binWidth,
  demonstrationsOf,
  truthOf,
} from "./bins_numbers.js";

export const BINS_HEIGHT = 344;
export const BINS_AXIS_Y = 302;
export const BINS_TOP = 26;
const BASE_Y = 286; // where the density is zero; the demonstrations' ticks fill the gap to the axis
const TRUTH_POINTS = spaced(...BIN_RANGE, 301);
const FEWEST_PIXELS = 9; // of a bar that carries the dot of its centre
const RARE = 0.001; // a bin that is sampled more seldom carries no dot

export function makePolicyPanel() {
  const height = BINS_AXIS_Y - BINS_TOP;
  const parts = {
    axisLeft: svg("g"),
    obstacle: svg("rect", { y: BINS_TOP, height, class: "obstacle" }),
    bars: svg("path", { class: "bars" }),
    hits: svg("path", { class: "bars hits" }),
    truth: svg("path", { class: "truth-line" }),
    centres: svg("path", { class: "centres" }),
    rug: svg("path", { class: "rug-line" }),
    axisBottom: svg("g"),
    axisTitle: svg("text", { x: 2, y: 14, class: "quiet" }, "density (per m/s)"),
    cut: svg("text", { y: BINS_TOP - 7, class: "strong halo", "text-anchor": "middle" }),
  };
  const node = svg("svg", {
    height: BINS_HEIGHT,
    role: "img",
    "aria-label": "True density of the steering action, and the policy\u2019s bars",
  });
  node.append(...Object.values(parts));
  return { node, draw: (scene) => drawPolicy(parts, scene) };
}

function drawPolicy(parts, { settings, numbers, width }) {
  const truth = truthOf(settings);
  const x = linearScale(BIN_RANGE, [32, width - 16]);
  const density = TRUTH_POINTS.map((action) => densityOfMixture(action, truth));
  const peak = Math.max(...density);
  const y = linearScale([0, axisTop(peak, numbers, settings)], [BASE_Y, BINS_TOP]);
  drawLeftAxis(parts.axisLeft, y, roundTicks(y.invert(BINS_TOP + 8)), x.range);
  const title = "steering action a (m/s to the side)";
  drawBottomAxis(parts.axisBottom, x, [-1.5, -1, -0.5, 0, 0.5, 1, 1.5], BINS_AXIS_Y, title);
  const obstacle = [x(-settings.obstacle), x(settings.obstacle)];
  setAttributes(parts.obstacle, { x: obstacle[0], width: obstacle[1] - obstacle[0] });
  const points = TRUTH_POINTS.map((action, i) => [x(action), y(density[i])]);
  parts.truth.setAttribute("d", linePath(points));
  drawBars(parts, settings, numbers, x, y);
  drawRug(parts.rug, demonstrationsOf(truth, settings.seed, settings.num_actions), x);
}

/** Where the axis ends: higher bars are cut, or the truth would be flat. */
function axisTop(peak, { probabilities }, { num_bins }) {
  return clamp((1.12 * Math.max(...probabilities)) / binWidth(num_bins), 1.4 * peak, 2.6 * peak);
}

function drawBars(parts, { num_bins, obstacle }, { probabilities }, x, y) {
  const paths = { hits: "", bars: "", centres: "" };
  const dotted = binWidth(num_bins) * x.perUnit >= FEWEST_PIXELS;
  probabilities.forEach((probability, index) => {
    const centre = binCentre(index, num_bins);
    const top = Math.max(y(probability / binWidth(num_bins)), BINS_TOP);
    const [left, right] = [x(binEdge(index, num_bins)), x(binEdge(index + 1, num_bins))];
    const bar = `M${left.toFixed(2)} ${BASE_Y}V${top.toFixed(2)}H${right.toFixed(2)}V${BASE_Y}`;
    paths[Math.abs(centre) < obstacle ? "hits" : "bars"] += bar;
    const dot = `M${x(centre).toFixed(2)} ${top.toFixed(2)}h0`;
    if (dotted && probability > RARE) paths.centres += dot;
  });
  for (const [name, path] of Object.entries(paths)) parts[name].setAttribute("d", path);
  labelCutBar(parts.cut, probabilities, num_bins, x, y);
}

function labelCutBar(cut, probabilities, num_bins, x, y) {
  const highest = Math.max(...probabilities);
  const density = highest / binWidth(num_bins);
  cut.textContent = y(density) < BINS_TOP ? `\u2191 ${density.toFixed(1)}` : "";
  const centre = x(binCentre(probabilities.indexOf(highest), num_bins));
  cut.setAttribute("x", clamp(centre, x.range[0] + 20, x.range[1] - 20));
}

/** One tick for each pixel that holds a demonstration: ten thousand would only hide each other. */
function drawRug(rug, demonstrations, x) {
  const pixels = new Set();
  for (const action of demonstrations) pixels.add(Math.round(x(clamp(action, ...BIN_RANGE))));
  const ticks = [...pixels].map((pixel) => `M${pixel} ${BASE_Y + 4}V${BINS_AXIS_Y - 3}`);
  rug.setAttribute("d", ticks.join(""));
}
