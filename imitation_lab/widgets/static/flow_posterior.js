// How many data points the exact field averages for one particle, over its whole way: all of them at first,
// a single one at last.

import {
  clamp,
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  logScale,
  setAttributes,
  spaced,
  svg,
} from "./shared.js";
import { placeOf } from "./flow_data.js";
import { effectiveCount, makeWeights, weighShown } from "./flow_field.js";

const POSTERIOR_HEIGHT = 234;
const POSTERIOR_AXIS_Y = 192;
const POSTERIOR_TOP = 26;
const POSTERIOR_TIMES = spaced(0, 1, 101);

export function makePosteriorPanel() {
  const parts = {
    axisLeft: svg("g"),
    axisBottom: svg("g"),
    title: svg("text", { x: 2, y: 14, class: "quiet" }, "effective number of data points"),
    way: svg("path", { class: "count-line" }),
    now: svg("circle", { r: 5.5, class: "now" }),
    label: svg("text", { class: "strong halo", "text-anchor": "middle" }),
    empty: svg("text", { class: "quiet halo", "text-anchor": "middle" }, "no particle chosen"),
  };
  const node = svg("svg", {
    height: POSTERIOR_HEIGHT,
    role: "img",
    "aria-label": "Effective number of data points that the exact field averages, over time",
  });
  node.append(...Object.values(parts));
  const known = { scene: null, particle: null, done: 0, counts: [] };
  return { node, draw: (shown) => drawPosterior(parts, known, shown) };
}

function drawPosterior(parts, known, { numbers, width }) {
  const { scene, points, chosen, time } = numbers;
  const range = [40, width - 20];
  const x = linearScale([0, 1], range);
  const y = logScale([1, Math.max(points, 10)], [POSTERIOR_AXIS_Y, POSTERIOR_TOP]);
  const ticks = [1, 3, 10, 30, 100].filter((tick) => tick <= Math.max(points, 10));
  drawLeftAxis(parts.axisLeft, y, ticks, range);
  drawBottomAxis(parts.axisBottom, x, [0, 0.25, 0.5, 0.75, 1], POSTERIOR_AXIS_Y, "time t", (tick) =>
    String(tick),
  );
  for (const part of [parts.way, parts.now, parts.label]) part.style.display = chosen ? "" : "none";
  parts.empty.style.display = chosen ? "none" : "";
  setAttributes(parts.empty, { x: (range[0] + range[1]) / 2, y: 112 });
  if (!chosen) return;
  countAlong(known, scene, chosen.index, points);
  const line = known.counts.map((count, i) => [x(POSTERIOR_TIMES[i]), y(count)]);
  parts.way.setAttribute("d", linePath(line));
  placeCount(parts, x(time), y(chosen.effective), chosen.effective, range);
}

/** Count along the particle's way, anew only for another particle or another way. */
function countAlong(known, scene, particle, points) {
  const same = known.scene === scene && known.particle === particle && known.done === scene.done;
  if (same) return;
  const weights = makeWeights(points);
  const counts = POSTERIOR_TIMES.map((time) => {
    weighShown(scene.data, placeOf(scene, particle, time), time, weights);
    return effectiveCount(weights, points);
  });
  Object.assign(known, { scene, particle, done: scene.done, counts });
}

function placeCount({ now, label }, x, y, count, [left, right]) {
  setAttributes(now, { cx: x, cy: y });
  setAttributes(label, {
    x: clamp(x, left + 22, right - 16),
    y: y < POSTERIOR_TOP + 20 ? y + 22 : y - 12,
  });
  label.textContent = count.toFixed(1);
}
