// The left panel: the data, the true density, the mixture with its components, and their handles.

import {
  drawBottomAxis,
  drawLeftAxis,
  linearScale,
  linePath,
  roundTicks,
  setAttributes,
  spaced,
  svg,
} from "./shared.js";
import { gaussianDensity } from "./gaussians.js";
import { densityOfMixture } from "./mixtures.js";
import {
  dataActions,
  isIdle,
  MEAN_LIMITS,
  mixtureOf,
  MOST_COMPONENTS,
  NUM_ACTIONS,
  NUM_IDLE,
  TRUTHS,
} from "./components_numbers.js";
import { makeComponentHandles } from "./components_handles.js";

const MIXTURE_HEIGHT = 374;
const MIXTURE_AXIS_Y = 332;
const MIXTURE_BASE_Y = 314; // where the density is zero; the actions' ticks fill the gap to the axis
const MIXTURE_TOP = 26;
const BEYOND = -10; // a peak that leaves the picture at its top is drawn to here
const HEADROOM = 1.6; // times the true density's peak
const GRID = spaced(...MEAN_LIMITS, 301);

export function makeMixturePanel(settings, changed, commit) {
  const scales = { top: MIXTURE_TOP, base: MIXTURE_BASE_Y };
  const curves = {
    area: svg("path", { class: "mixture-area" }),
    truth: svg("path", { class: "truth-line" }),
    ...Array.from({ length: MOST_COMPONENTS }, (_, k) => makeComponentLine(k)),
    mixture: svg("path", { class: "mixture-line" }),
  };
  const handles = makeComponentHandles(settings, scales, changed, commit);
  const parts = {
    curves,
    handles,
    axisLeft: svg("g"),
    axisBottom: svg("g"),
    rug: svg("path", { class: "rug-line" }),
    idle: svg("text", { class: "quiet halo" }),
  };
  const node = svg("svg", {
    height: MIXTURE_HEIGHT,
    role: "group",
    "aria-label": "The mixture\u2019s density over the steering action",
  });
  node.append(
    parts.axisLeft,
    ...Object.values(curves),
    parts.rug,
    parts.idle,
    parts.axisBottom,
    svg("text", { x: 2, y: 14, class: "quiet" }, "density (per m/s)"),
    ...handles.nodes,
  );
  return { node, draw: (scene) => drawMixture(parts, scales, scene) };
}

const makeComponentLine = (k) => svg("path", { class: `component-line component-${k + 1}` });

function drawMixture(parts, scales, { settings, numbers, width }) {
  const { data } = settings;
  const x = linearScale(MEAN_LIMITS, [32, width - 16]);
  const share = isIdle(data) ? 1 - NUM_IDLE / NUM_ACTIONS : 1;
  const truth = GRID.map((action) => share * densityOfMixture(action, TRUTHS[data]));
  const y = linearScale([0, HEADROOM * Math.max(...truth)], [MIXTURE_BASE_Y, MIXTURE_TOP]);
  Object.assign(scales, { x, y });
  drawLeftAxis(parts.axisLeft, y, roundTicks(y.invert(MIXTURE_TOP + 8)), x.range);
  const ticks = [-1.5, -1, -0.5, 0, 0.5, 1, 1.5];
  drawBottomAxis(parts.axisBottom, x, ticks, MIXTURE_AXIS_Y, "steering action a (m/s to the side)");
  const line = linePath(GRID.map((action, i) => [x(action), y(truth[i])]));
  const atom = isIdle(data) ? `M${x(0)} ${MIXTURE_BASE_Y}V${MIXTURE_TOP}` : "";
  parts.curves.truth.setAttribute("d", line + atom);
  drawComponents(parts.curves, settings, x, y);
  drawActions(parts, data, x);
  parts.handles.draw(settings, numbers);
}

function drawComponents(curves, settings, x, y) {
  const { weights, means, stds } = mixtureOf(settings);
  const grid = gridFor(means, stds);
  const total = grid.map(() => 0);
  const heightOf = (density) => Math.max(y(density), BEYOND);
  for (let k = 0; k < MOST_COMPONENTS; k++) {
    const shown = k < means.length;
    const points = grid.map((action, i) => {
      const density = shown ? weights[k] * gaussianDensity(action, means[k], stds[k]) : 0;
      total[i] += density;
      return [x(action), heightOf(density)];
    });
    // No dashes along the axis.
    const visible = points.filter(([, height]) => height < MIXTURE_BASE_Y - 0.3);
    curves[k].setAttribute("d", linePath(visible));
  }
  const mixture = linePath(grid.map((action, i) => [x(action), heightOf(total[i])]));
  curves.mixture.setAttribute("d", mixture);
  curves.area.setAttribute("d", `${mixture}V${y(0)}H${x.range[0]}Z`);
}

/** The fixed grid, made denser where a narrow component would fall between its points. */
function gridFor(means, stds) {
  const narrow = stds.flatMap((std, k) =>
    std < 0.05 ? spaced(means[k] - 4 * std, means[k] + 4 * std, 33) : [],
  );
  const inside = narrow.filter((action) => action > MEAN_LIMITS[0] && action < MEAN_LIMITS[1]);
  return [...GRID, ...inside].sort((a, b) => a - b);
}

/** One tick for each pixel that holds an action, and a high one for the actions that repeat. */
function drawActions({ rug, idle }, data, x) {
  const pixels = new Set(dataActions(data).map((action) => Math.round(x(action))));
  const [top, bottom] = [MIXTURE_BASE_Y + 4, MIXTURE_AXIS_Y - 3];
  rug.setAttribute("d", [...pixels].map((pixel) => `M${pixel} ${top}V${bottom}`).join(""));
  setAttributes(idle, { x: x(0) + 8, y: MIXTURE_TOP - 6 });
  idle.textContent = isIdle(data) ? `${NUM_IDLE} exact zeros` : "";
}
