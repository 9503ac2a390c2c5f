// What lies over the particles: the chosen one with its way, the data points that the exact field averages
// where it is, and their mean; and the cursor for drawing points by keyboard.

import { placeOf, momentOf } from "./flow_data.js";
import { addCircle } from "./flow_ground.js";

const LARGEST_WEIGHT = 17; // pixels: the radius of a data point that holds all of the probability
const VISIBLE = 1e-3; // of the probability

export function drawChosen(context, pixels, palette, scene, { chosen, time }) {
  drawLines(context, pixels, palette, scene.data, chosen);
  drawWeights(context, pixels, palette, scene.data, chosen);
  drawWay(context, pixels, palette, scene, chosen, time);
  drawAim(context, pixels, palette, chosen);
  const [x, y] = [pixels.x(chosen.place[0]), pixels.y(chosen.place[1])];
  fillRound(context, x, y, 6, palette.paper);
  fillRound(context, x, y, 4, palette.particles);
  context.strokeStyle = palette.ink;
  context.lineWidth = 1.8;
  strokeRound(context, x, y, 6.5);
}

/** Lines to the data points: the more probable, the stronger. */
function drawLines(context, pixels, palette, data, { place, weights }) {
  const most = Math.max(...weights);
  context.strokeStyle = palette.points;
  for (let k = 0; k < weights.length; k++) {
    if (weights[k] < VISIBLE) continue;
    context.globalAlpha = 0.12 + 0.38 * (weights[k] / most) + 0.4 * weights[k];
    context.lineWidth = 0.7 + 2.5 * Math.sqrt(weights[k]);
    context.beginPath();
    context.moveTo(pixels.x(place[0]), pixels.y(place[1]));
    context.lineTo(pixels.x(data[2 * k]), pixels.y(data[2 * k + 1]));
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Discs on the data points: their areas are the probabilities. */
function drawWeights(context, pixels, palette, data, { weights }) {
  context.fillStyle = palette.points;
  context.globalAlpha = 0.75;
  for (let k = 0; k < weights.length; k++) {
    const radius = LARGEST_WEIGHT * Math.sqrt(weights[k]);
    context.beginPath();
    addCircle(context, pixels.x(data[2 * k]), pixels.y(data[2 * k + 1]), radius);
    context.fill();
  }
  context.globalAlpha = 1;
}

/** The particle's way from noise: solid where it came from, faint where it will go, a dot for every stop. */
function drawWay(context, pixels, palette, scene, { index }, time) {
  const { index: last } = momentOf(scene.steps, time);
  const stopAt = (step) => {
    const at = 2 * (step * scene.particles + index);
    return [pixels.x(scene.stops[at]), pixels.y(scene.stops[at + 1])];
  };
  const now = placeOf(scene, index, time);
  const here = [pixels.x(now[0]), pixels.y(now[1])];
  const all = Array.from({ length: scene.steps + 1 }, (_, step) => stopAt(step));
  context.strokeStyle = context.fillStyle = palette.ink;
  context.lineWidth = 1.2;
  context.globalAlpha = 0.45;
  strokeLine(context, [here, ...all.slice(last + 1)], [2, 3]);
  context.globalAlpha = 1;
  context.lineWidth = 1.8;
  strokeLine(context, [...all.slice(0, last + 1), here]);
  const radius = scene.steps > 20 ? 1.6 : 2.6;
  for (const [x, y] of all.slice(0, last + 1)) fillRound(context, x, y, radius, palette.ink);
}

function strokeLine(context, points, dashes = []) {
  context.setLineDash(dashes);
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
  context.setLineDash([]);
}

/** Where the exact field points: from the particle to the weighted mean of the data, a diamond. */
function drawAim(context, pixels, palette, { place, mean }) {
  const [x, y] = [pixels.x(mean[0]), pixels.y(mean[1])];
  context.strokeStyle = palette.aim;
  context.lineWidth = 2;
  strokeLine(
    context,
    [
      [pixels.x(place[0]), pixels.y(place[1])],
      [x, y],
    ],
    [6, 4],
  );
  fillDiamond(context, x, y, 7, palette.paper);
  fillDiamond(context, x, y, 5.5, palette.aim);
}

/** Mark where all particles go when there is one step only: the mean of the data. */
export function drawMeanMark(context, pixels, palette, [meanX, meanY]) {
  const [x, y] = [pixels.x(meanX), pixels.y(meanY)];
  context.strokeStyle = palette.aim;
  context.lineWidth = 2;
  strokeRound(context, x, y, 13);
  const text = "the mean of the data";
  context.font = "600 13px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  context.textAlign = "center";
  context.lineWidth = 4;
  context.strokeStyle = palette.paper;
  context.strokeText(text, x, y + 30);
  context.fillStyle = palette.ink;
  context.fillText(text, x, y + 30);
}

export function drawCursor(context, pixels, palette, place, near) {
  const [x, y] = [pixels.x(place[0]), pixels.y(place[1])];
  context.beginPath();
  for (const [right, down] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ]) {
    context.moveTo(x + 4 * right, y + 4 * down);
    context.lineTo(x + 11 * right, y + 11 * down);
  }
  for (const [colour, width] of [
    [palette.paper, 5],
    [palette.ink, 1.8],
  ]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.stroke();
  }
  if (near) strokeRound(context, pixels.x(near[0]), pixels.y(near[1]), 8);
}

function fillRound(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  addCircle(context, x, y, radius);
  context.fill();
}

function strokeRound(context, x, y, radius) {
  context.beginPath();
  addCircle(context, x, y, radius);
  context.stroke();
}

function fillDiamond(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  for (const [right, down] of [
    [1, 0],
    [0, 1],
    [-1, 0],
    [0, -1],
  ])
    context.lineTo(x + radius * right, y + radius * down);
  context.fill();
}
