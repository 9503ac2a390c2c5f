// Thousands of particles as pixels: round dots that darken where they overlap, with a short tail to where
// they were. Written straight into the picture's bytes: nothing is allocated while time runs.

import { clamp, html, prefersCalm } from "./shared.js";
import { momentOf, PLANE_LIMIT } from "./flow_data.js";

const PHASES = 4; // a dot may lie between pixels in so many ways along each axis
const DOT = { radius: 1.5, opacity: 0.62 };
const TAIL = [0.05, 0.04, 0.03, 0.02, 0.01]; // of time behind the particle
const TAIL_DOT = { radius: 0.8, opacity: 0.1 };

export function makeParticleLayer() {
  const canvas = html("canvas", { "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const layer = { size: 0, image: null, pixels: null, bytes: null, dot: null, tail: null };
  let clear = 0;
  const resize = (size, dense) => {
    canvas.width = canvas.height = size;
    const image = context.createImageData(size, size);
    const pixels = new Uint32Array(image.data.buffer);
    const bytes = new Uint8Array(image.data.buffer);
    const [dot, tail] = [DOT, TAIL_DOT].map((look) => makeDot(look, dense, size));
    Object.assign(layer, { size, image, pixels, bytes, dot, tail });
  };
  /** Set the colour of all particles: it stands in every pixel, and only the opacity varies. */
  const paint = ([red, green, blue]) => (clear = red | (green << 8) | (blue << 16));
  const draw = (scene, time) => {
    layer.pixels.fill(clear);
    const moves = time < 1 && !prefersCalm(); // what has arrived trails nothing
    for (const ago of TAIL) if (moves && time > ago) stamp(layer, scene, time - ago, layer.tail);
    stamp(layer, scene, time, layer.dot);
    context.putImageData(layer.image, 0, 0);
  };
  return { canvas, resize, paint, draw };
}

/**
 * Return a dot for every way that it can lie between pixels, one after the other: which bytes of a picture
 * it touches, counted from its middle's, and how strongly. The dots start at `starts`.
 */
function makeDot({ radius, opacity }, dense, size) {
  const half = Math.ceil(radius * dense + 0.5) + 1;
  const [starts, places, strengths] = [[0], [], []];
  for (let phase = 0; phase < PHASES ** 2; phase++) {
    for (let down = -half; down <= half; down++) {
      for (let right = -half; right <= half; right++) {
        const fromX = right - (phase % PHASES) / PHASES;
        const fromY = down - Math.floor(phase / PHASES) / PHASES;
        const covered = clamp(radius * dense + 0.5 - Math.hypot(fromX, fromY), 0, 1);
        if (!covered) continue;
        places.push(4 * (down * size + right));
        strengths.push(Math.round(255 * opacity * covered));
      }
    }
    starts.push(places.length);
  }
  const arrays = { starts: Int32Array.from(starts), places: Int32Array.from(places) };
  return { half, ...arrays, strengths: Uint8Array.from(strengths) };
}

function stamp({ bytes, size }, { stops, steps, particles }, time, dot) {
  const { index, share } = momentOf(steps, time);
  const from = 2 * index * particles;
  const to = from + 2 * particles;
  const perUnit = size / (2 * PLANE_LIMIT);
  for (let i = 0; i < 2 * particles; i += 2) {
    const x = stops[from + i] + share * (stops[to + i] - stops[from + i]);
    const y = stops[from + i + 1] + share * (stops[to + i + 1] - stops[from + i + 1]);
    stampDot(bytes, size, (x + PLANE_LIMIT) * perUnit, (PLANE_LIMIT - y) * perUnit, dot);
  }
}

/** Lay a dot over the picture: its opacity takes away from what still shines through. */
function stampDot(bytes, size, x, y, { half, starts, places, strengths }) {
  const column = Math.floor(x);
  const row = Math.floor(y);
  if (!(column >= half && row >= half && column < size - half && row < size - half)) return;
  const phase = Math.floor((y - row) * PHASES) * PHASES + Math.floor((x - column) * PHASES);
  const middle = 4 * (row * size + column) + 3;
  for (let i = starts[phase]; i < starts[phase + 1]; i++) {
    const at = middle + places[i];
    bytes[at] += ((255 - bytes[at]) * strengths[i] + 127) >> 8;
  }
}
