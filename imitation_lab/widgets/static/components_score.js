// The right panel: the mean log-likelihood over the steps of the climb.

import {
  clamp,
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  plain,
  setAttributes,
  svg,
} from "./shared.js";

const SCORE_HEIGHT = 236;
const SCORE_AXIS_Y = 194;
const SCORE_TOP = 26;
const SCORE_TITLE = "mean log-likelihood (nats per action)";
const FEWEST_STEPS = 1000; // shown on the axis, which doubles when they are taken
const LEAST_SPAN = 0.5; // nats shown on the axis, at least
const MOST_SPAN = 6; // and at most: what lies deeper is drawn at the bottom

export function makeScorePanel() {
  const parts = {
    axisLeft: svg("g"),
    axisBottom: svg("g"),
    truth: svg("path", { class: "truth-line" }),
    way: svg("path", { class: "mixture-line" }),
    now: svg("circle", { r: 5.5, class: "now" }),
    label: svg("text", { class: "strong halo" }),
    axisTitle: svg("text", { x: 2, y: 14, class: "quiet" }, SCORE_TITLE),
  };
  const node = svg("svg", {
    height: SCORE_HEIGHT,
    role: "img",
    "aria-label": "Mean log-likelihood over the gradient steps",
  });
  node.append(...Object.values(parts));
  return { node, draw: (scene) => drawScore(parts, scene) };
}

function drawScore(parts, { numbers, view, width }) {
  const { log_likelihood, true_log_likelihood } = numbers;
  const range = [40, width - 20];
  const x = linearScale([0, stepLimit(view.steps)], range);
  const target = Number.isFinite(true_log_likelihood) ? true_log_likelihood : 0;
  const scores = [...view.trace.map(([, score]) => score), log_likelihood, target];
  const y = linearScale(scoreLimits(scores), [SCORE_AXIS_Y, SCORE_TOP]);
  drawLeftAxis(parts.axisLeft, y, scoreTicks(y.invert(SCORE_AXIS_Y), y.invert(SCORE_TOP)), range);
  const ticks = [0, 0.5, 1].map((share) => x.invert(range[0] + share * (range[1] - range[0])));
  drawBottomAxis(parts.axisBottom, x, ticks, SCORE_AXIS_Y, "gradient steps", (tick) =>
    Math.round(tick).toLocaleString("en-US"),
  );
  const floor = y(true_log_likelihood);
  parts.truth.setAttribute("d", Number.isFinite(floor) ? `M${range[0]} ${floor}H${range[1]}` : "");
  const way = view.trace.map(([steps, score]) => [x(steps), heightAt(y, score)]);
  parts.way.setAttribute("d", linePath(way));
  placeNow(parts, x(view.steps), y, log_likelihood, range);
}

const heightAt = (y, score) => Math.min(y(score), SCORE_AXIS_Y);

function stepLimit(steps) {
  const doublings = Math.ceil(Math.log2(Math.max(1, steps / FEWEST_STEPS)));
  return FEWEST_STEPS * 2 ** doublings;
}

function scoreLimits(scores) {
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const span = clamp(1.25 * (high - low), LEAST_SPAN, MOST_SPAN);
  const margin = 0.1 * span;
  return [high + margin - span, high + margin];
}

/** About four round numbers between two. */
function scoreTicks(low, high) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((size) => (high - low) / size <= 5) ?? 20;
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

function placeNow({ now, label }, x, y, score, [left, right]) {
  const height = heightAt(y, score);
  setAttributes(now, { cx: x, cy: height });
  setAttributes(label, {
    x: clamp(x, left + 30, right - 26),
    y: height < SCORE_TOP + 26 ? height + 22 : height - 12,
    "text-anchor": "middle",
  });
  label.textContent = y(score) > height ? `\u2193 ${plain(score)}` : plain(score);
}
