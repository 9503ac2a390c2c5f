// The arrows of a field on a grid: of the learned one, of the exact one, or of their difference. They fade
// where few particles pass.

import { clamp } from "./shared.js";
import { ARROW_GRID, ARROW_MOMENTS, PLANE_LIMIT } from "./flow_data.js";
import { makeWeights, weigh } from "./flow_field.js";

const TOP_SPEED = 3; // of an arrow as long as a cell; no arrow is longer
const BANDS = [0.14, 0.3, 0.6, 0.95]; // opacities, from where hardly any particle passes
const SHORTEST = 1.5; // pixels
const [INK, HALO] = [1.3, 4]; // widths of an arrow's line and of what sets it off, in pixels
const LAST_MOMENT = (ARROW_MOMENTS - 1) / ARROW_MOMENTS; // towards 1, the exact field has no bound

const CELL = (2 * PLANE_LIMIT) / ARROW_GRID;
const CELLS = ARROW_GRID ** 2;

export function makeArrows(mostData) {
  const weights = makeWeights(mostData);
  const field = { velocity: new Float64Array(2 * CELLS), passing: new Float64Array(CELLS) };
  return (context, { size, colours, scene, shown, time, faded }) => {
    fillField(field, weights, scene, shown, Math.min(time, LAST_MOMENT));
    // At the end there is no field: it fades after the last moment that can be shown.
    const opacity = faded * clamp((1 - time) / (1 - LAST_MOMENT), 0, 1);
    context.lineCap = context.lineJoin = "round";
    for (let band = 0; band < BANDS.length; band++) {
      layOutBand(context, size, field, band);
      strokeBand(context, colours.paper, HALO, opacity * BANDS[band] ** 2); // or the crowd hides them
      strokeBand(context, colours.ink, INK, opacity * BANDS[band]);
    }
    context.globalAlpha = 1;
  };
}

function strokeBand(context, colour, width, opacity) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.globalAlpha = opacity;
  context.stroke();
}

const arrowPlace = (cell) => (cell + 0.5) * CELL - PLANE_LIMIT;

function fillField({ velocity, passing }, weights, scene, shown, time) {
  const scale = shown === "difference" ? scene.exaggeration : 1;
  let most = -Infinity;
  for (let cell = 0; cell < CELLS; cell++) {
    const x = arrowPlace(cell % ARROW_GRID);
    const y = arrowPlace(Math.floor(cell / ARROW_GRID));
    weigh(scene.data, x, y, time, weights);
    passing[cell] = weights.logDensity;
    most = Math.max(most, weights.logDensity);
    for (let axis = 0; axis < 2; axis++) {
      const exact = (weights.mean[axis] - (axis ? y : x)) / (1 - time);
      const learned = shown === "exact" ? 0 : learnedVelocity(scene.arrows, time, cell, axis);
      const chosen = shown === "exact" ? exact : shown === "learned" ? learned : learned - exact;
      velocity[2 * cell + axis] = scale * chosen;
    }
  }
  for (let cell = 0; cell < CELLS; cell++) passing[cell] = Math.exp(passing[cell] - most);
}

/** Between two moments at which the learned field was sampled, its velocity goes straight. */
function learnedVelocity(arrows, time, cell, axis) {
  const moment = Math.min(Math.floor(time * ARROW_MOMENTS), ARROW_MOMENTS - 2);
  const share = time * ARROW_MOMENTS - moment;
  const at = 2 * (moment * CELLS + cell) + axis;
  return (1 - share) * arrows[at] + share * arrows[at + 2 * CELLS];
}

/** The band of an arrow: each is for ten times the density of the one before. */
const bandOf = (passing) => Math.max(0, Math.ceil(BANDS.length - 1 + Math.log10(passing + 1e-9)));

function layOutBand(context, size, { velocity, passing }, band) {
  const pixels = size / (2 * PLANE_LIMIT);
  context.beginPath();
  for (let cell = 0; cell < CELLS; cell++) {
    if (bandOf(passing[cell]) !== band) continue;
    const x = (arrowPlace(cell % ARROW_GRID) + PLANE_LIMIT) * pixels;
    const y = (PLANE_LIMIT - arrowPlace(Math.floor(cell / ARROW_GRID))) * pixels;
    addArrow(context, x, y, velocity[2 * cell], -velocity[2 * cell + 1], 0.92 * CELL * pixels);
  }
}

/** Add an arrow around a point, as long as its speed demands, and at most `longest`. */
function addArrow(context, x, y, right, down, longest) {
  const speed = Math.hypot(right, down);
  const length = longest * Math.min(1, speed / TOP_SPEED);
  if (length < SHORTEST) {
    context.moveTo(x, y);
    context.lineTo(x + 0.01, y);
    return;
  }
  const [dx, dy] = [right / speed, down / speed];
  const [tipX, tipY] = [x + (dx * length) / 2, y + (dy * length) / 2];
  const head = Math.min(0.42 * length, 5.5);
  context.moveTo(x - (dx * length) / 2, y - (dy * length) / 2);
  context.lineTo(tipX, tipY);
  context.moveTo(tipX - head * (dx + 0.55 * dy), tipY - head * (dy - 0.55 * dx));
  context.lineTo(tipX, tipY);
  context.lineTo(tipX - head * (dx - 0.55 * dy), tipY - head * (dy + 0.55 * dx));
}
