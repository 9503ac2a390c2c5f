// One policy's panel: the probability of every cell, the samples, and the one that is being drawn.

import { linePath, svg } from "./shared.js";
import { drawSamples, hitsObstacle, secondCounts } from "./order_counts.js";
import { cellBox, drawEdge, drawPlane, makePlane, planeScales } from "./order_plane.js";

export function makeHeatPanel(model, label) {
  const hatch = `hatch-${model}-${Math.random().toString(36).slice(2)}`; // named page-wide
  const parts = {
    cells: svg("g", { class: "cells" }),
    invented: svg("path", { class: "invented", fill: `url(#${hatch})` }),
    band: svg("path", { class: "band" }),
    dotsHalo: svg("path", { class: "sample-dots halo" }),
    dots: svg("path", { class: "sample-dots" }),
    crossesHalo: svg("path", { class: "sample-crosses halo" }),
    crosses: svg("path", { class: "sample-crosses" }),
    cell: svg("path", { class: "drawn-cell" }),
  };
  const inside = svg("g", {}, hatchPattern(hatch), ...Object.values(parts));
  const plane = makePlane(label, inside);
  return { node: plane.node, draw: (scene) => drawHeat(model, plane, parts, scene) };
}

function hatchPattern(id) {
  const turned = { patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  const line = svg("path", { d: "M0 0V6", class: "hatch" });
  return svg("pattern", { id, width: 6, height: 6, ...turned }, line);
}

function drawHeat(model, plane, parts, { settings, numbers, width, step }) {
  const scales = planeScales(width);
  const scene = { settings, width, ...scales };
  const samples = drawSamples(numbers.counts, model, settings.order, settings.seed);
  drawPlane(plane, scene);
  const current = step && samples[step.sample];
  drawCells(
    parts,
    scales,
    numbers,
    model,
    current && { order: settings.order, bin: current.first },
  );
  drawDrawing(plane, parts, scales, numbers.counts, model, settings, current, step?.phase);
  drawCloud(parts, scales, step ? samples.slice(0, step.finished) : samples, settings.obstacles);
}

function drawCells(parts, scales, { counts, grids }, model, band) {
  const { bins } = counts;
  layOutCells(parts.cells, scales, bins);
  const peak = Math.max(...Object.values(grids).flat(2)); // one scale for both panels
  const dimmed = (i, j) => band && band.bin !== (band.order === "steer" ? i : j);
  let outline = "";
  grids[model].forEach((column, i) =>
    column.forEach((probability, j) => {
      const shade = probability ? 0.1 + (0.9 * probability) / peak : 0;
      shadeCell(parts.cells.children[i * bins + j], dimmed(i, j) ? 0.4 * shade : shade);
      if (probability && !counts.cells[i][j]) outline += boxPath(cellBox(scales, bins, i, j));
    }),
  );
  parts.invented.setAttribute("d", outline);
}

/** Make one rectangle a cell; while only actions move, they stay where they are. */
function layOutCells(cells, scales, bins) {
  const layout = `${bins} ${scales.x.range} ${scales.size}`;
  if (cells.dataset.layout === layout) return;
  cells.dataset.layout = layout;
  const boxes = Array.from({ length: bins ** 2 }, (_, index) =>
    cellBox(scales, bins, Math.floor(index / bins), index % bins),
  );
  cells.replaceChildren(...boxes.map((box) => svg("rect", { ...box, height: box.width })));
}

function shadeCell(cell, shade) {
  const opacity = shade.toFixed(3);
  if (cell.getAttribute("fill-opacity") !== opacity) cell.setAttribute("fill-opacity", opacity);
}

const boxPath = ({ x, y, width, height = width }) => `M${x} ${y}h${width}v${height}h${-width}Z`;

/** Show where the drawing stands: the first number's bin as a band, then the second's as a cell. */
function drawDrawing(plane, parts, scales, counts, model, { order }, sample, phase) {
  const second = order === "steer" ? "speed" : "steer";
  const given = Boolean(sample) && model === "autoregressive" && phase === 1;
  const secondShown = given
    ? secondCounts(counts, model, order, sample.first)
    : secondCounts(counts, "independent", order);
  drawEdge(plane, scales, order, {
    counts: counts[order],
    drawn: sample ? sample.first : null,
    turn: 1,
  });
  drawEdge(plane, scales, second, {
    counts: secondShown,
    drawn: sample && phase === 1 ? sample.second : null,
    turn: 2,
    given,
  });
  parts.band.setAttribute("d", sample ? bandPath(scales, counts.bins, order, sample.first) : "");
  const cell = order === "steer" ? (s) => [s.first, s.second] : (s) => [s.second, s.first];
  const box = sample && phase === 1 ? cellBox(scales, counts.bins, ...cell(sample)) : null;
  parts.cell.setAttribute("d", box ? boxPath(box) : "");
}

function bandPath(scales, bins, order, index) {
  const box = cellBox(scales, bins, index, index);
  return order === "steer"
    ? boxPath({ ...box, y: scales.y.range[1], height: scales.size })
    : boxPath({ ...box, x: scales.x.range[0], width: scales.size, height: box.width });
}

function drawCloud(parts, scales, samples, obstacles) {
  const crashes = (sample) => obstacles && hitsObstacle(sample.action);
  const dots = dotPath(scales, samples.filter((sample) => !crashes(sample)).map(actionOf));
  const crosses = crossPath(scales, samples.filter(crashes).map(actionOf));
  for (const path of [parts.dots, parts.dotsHalo]) path.setAttribute("d", dots);
  for (const path of [parts.crosses, parts.crossesHalo]) path.setAttribute("d", crosses);
}

const actionOf = (sample) => sample.action;

/** A path of points: with round caps, a line of no length is a dot. */
export const dotPath = ({ x, y }, actions) =>
  actions.map(([steer, speed]) => `${linePath([[x(steer), y(speed)]])}h0`).join("");

export const crossPath = ({ x, y }, actions) =>
  actions
    .map(([steer, speed]) => [x(steer).toFixed(1), y(speed).toFixed(1)])
    .map(([left, top]) => `M${left} ${top}m-3.2 -3.2l6.4 6.4m0 -6.4l-6.4 6.4`)
    .join("");
