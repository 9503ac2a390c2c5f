// What lies under the particles: the plane with its numbers, and the data points.

import { signed } from "./shared.js";
import { PLANE_LIMIT } from "./flow_data.js";

const TICKS = [-3, -2, -1, 0, 1, 2, 3];
const DATA_RADIUS = 2.6;
const OWN_RADIUS = 4.5; // few, and drawn by hand: they must not be lost in the crowd
const TURN = 2 * Math.PI;

/** Return functions from the plane's numbers to pixels. */
export function planePixels(size) {
  const perUnit = size / (2 * PLANE_LIMIT);
  return {
    size,
    perUnit,
    x: (value) => (value + PLANE_LIMIT) * perUnit,
    y: (value) => (PLANE_LIMIT - value) * perUnit,
  };
}

export function drawGround(context, pixels, palette, { data, axes, states }) {
  context.clearRect(0, 0, pixels.size, pixels.size);
  drawGrid(context, pixels, palette);
  drawAxisNames(context, pixels, palette, axes);
  context.strokeStyle = palette.points;
  context.lineWidth = states.length ? 1.1 : 2.2;
  context.beginPath();
  const radius = states.length ? DATA_RADIUS : OWN_RADIUS;
  for (let k = 0; k < data.length; k += 2)
    addCircle(context, pixels.x(data[k]), pixels.y(data[k + 1]), radius);
  context.stroke();
}

export function addCircle(context, x, y, radius) {
  context.moveTo(x + radius, y);
  context.arc(x, y, radius, 0, TURN);
}

function drawGrid(context, { size, x, y }, palette) {
  context.strokeStyle = palette.line;
  context.lineWidth = 0.6;
  context.globalAlpha = 0.6;
  context.beginPath();
  for (const tick of TICKS) {
    context.moveTo(x(tick), 0);
    context.lineTo(x(tick), size);
    context.moveTo(0, y(tick));
    context.lineTo(size, y(tick));
  }
  context.stroke();
  context.globalAlpha = 1;
}

function drawAxisNames(context, { size, x, y }, palette, [across, up]) {
  context.font = "11px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  context.fillStyle = palette.quiet;
  context.textAlign = "center";
  for (const tick of [-2, -1, 0, 1]) context.fillText(signed(tick, 0), x(tick), size - 6);
  context.textAlign = "right";
  context.fillText(`${across} \u2192`, size - 8, size - 6);
  context.textAlign = "left";
  for (const tick of [-2, -1, 0, 1]) context.fillText(signed(tick, 0), 6, y(tick) + 4);
  context.fillText(`\u2191 ${up}`, 6, 15);
}
