// The plane of the particles: three canvases, one over the other, and what mouse, fingers and keys do there.

import { draggable, html, onKeys } from "./shared.js";
import { bytesOfColour, makePalette } from "./theme.js";
import { placeOf, PLANE_LIMIT } from "./flow_data.js";
import { makeArrows } from "./flow_arrows.js";
import { drawGround, planePixels } from "./flow_ground.js";
import { drawChosen, drawCursor, drawMeanMark } from "./flow_overlay.js";
import { makeParticleLayer } from "./flow_particles.js";
import { MOST_OWN_POINTS } from "./flow_own.js";
import { KEY_STEP, PAGE_STEP } from "./flow_time.js";

const DENSEST = 2; // pixels of a canvas for each of the page's: more costs time and shows no more
const FADED = 0.5; // what is not the chosen particle's
const REACH = 12; // pixels around a particle that count as a click on it
const DRAG = 4; // a press that moves less than so many pixels is a click
const COLOURS = ["ink", "quiet", "line", "paper", "particles", "points", "aim"];
const LABEL = "Particles on their way from noise to data. Space plays and pauses, ";
const CHOOSE_KEYS =
  "left and right arrow move time, Home and End jump, up and down arrow choose a particle, Escape lets it go.";
const DRAW_KEYS =
  "arrow keys move the cursor, Enter adds a data point, Delete removes the nearest.";

/** `hands` does what is asked for here: it chooses particles, moves time, and draws points. */
export function makeFlowPlane(settings, view, hands, commit) {
  const particles = makeParticleLayer();
  const [ground, top] = ["ground", "top"].map(() => html("canvas", { "aria-hidden": "true" }));
  const palette = makePalette(COLOURS);
  const spoken = html("p", { class: "only-spoken", "aria-live": "polite" });
  const node = html(
    "div",
    { class: "plane", role: "application", tabindex: 0, "data-lm-suppress-shortcuts": "true" },
    ...[ground, particles.canvas, top, palette.node],
  );
  const parts = { node, ground, top, particles, palette, arrows: makeArrows(MOST_OWN_POINTS) };
  const layout = { size: 0, dense: 0, colours: null, scene: null };
  followHands(node, layout, settings, hands, commit);
  const draw = (shown) => {
    layOut(parts, layout, shown);
    drawMoment(parts, layout, shown);
    if (hands.draws() && node.matches(":focus-visible")) drawHere(parts, layout, view, hands);
    node.setAttribute("aria-label", LABEL + (hands.draws() ? DRAW_KEYS : CHOOSE_KEYS));
    node.classList.toggle("draws", hands.draws());
    if (spoken.textContent !== view.news) spoken.textContent = view.news;
  };
  return { node, spoken, draw };
}

/** Fit the canvases to the page's size, density and colours; draw the ground only when it changes. */
function layOut({ ground, top, particles, palette }, layout, { width, numbers: { scene } }) {
  const dense = Math.min(DENSEST, Math.max(1, window.devicePixelRatio));
  const colours = palette.read();
  const resized = layout.size !== width || layout.dense !== dense;
  if (resized) {
    for (const canvas of [ground, top]) canvas.width = canvas.height = Math.round(width * dense);
    particles.resize(Math.round(width * dense), dense);
    for (const canvas of [ground, top]) canvas.getContext("2d").scale(dense, dense);
  }
  if (layout.colours !== colours) particles.paint(bytesOfColour(colours.particles));
  if (resized || layout.colours !== colours || layout.scene !== scene)
    drawGround(ground.getContext("2d"), planePixels(width), colours, scene);
  Object.assign(layout, { size: width, dense, colours, scene });
}

function drawMoment({ top, particles, arrows }, { size, colours }, { settings, numbers }) {
  const { scene, chosen } = numbers;
  const pixels = planePixels(size);
  const context = top.getContext("2d");
  particles.draw(scene, settings.time);
  particles.canvas.style.opacity = chosen ? FADED : 1;
  context.clearRect(0, 0, size, size);
  if (settings.arrows && scene.data.length) {
    const shown = scene.learned ? settings.field : "exact";
    const faded = chosen ? FADED : 1;
    arrows(context, { size, colours, scene, shown, time: settings.time, faded });
  }
  if (scene.steps === 1 && scene.followed === "exact" && scene.data.length)
    drawMeanMark(context, pixels, colours, scene.mean);
  if (chosen) drawChosen(context, pixels, colours, scene, numbers);
}

/** Show those who come by keyboard where Enter would add a point, and which one Delete would remove. */
function drawHere({ top }, { size, colours }, { cursor }, { points }) {
  drawCursor(top.getContext("2d"), planePixels(size), colours, cursor, points.near());
}

/** A click chooses a particle and a sideways drag moves time; where points are drawn, a press draws them. */
function followHands(node, layout, settings, hands, commit) {
  let press = null;
  const placeIn = ({ x, y }) => {
    const perUnit = layout.size / (2 * PLANE_LIMIT);
    return [x / perUnit - PLANE_LIMIT, PLANE_LIMIT - y / perUnit];
  };
  draggable(node, {
    onStart(event) {
      const box = node.getBoundingClientRect();
      const at = { x: event.clientX - box.left, y: event.clientY - box.top };
      const reach = event.pointerType === "touch" ? 2 * REACH : REACH;
      press = { at, reach, time: settings.time, moved: false, draws: hands.draws() };
      if (press.draws) hands.points.begin(placeIn(at));
    },
    onMove(movement) {
      press.moved ||= Math.hypot(movement.x, movement.y) > DRAG;
      if (!press.moved) return;
      const now = { x: press.at.x + movement.x, y: press.at.y + movement.y };
      if (press.draws) hands.points.extend(placeIn(now));
      else hands.clock.scrub(press.time + movement.x / layout.size);
    },
    onRelease() {
      if (!press.draws && !press.moved)
        hands.choose(nearestParticle(layout, settings, press, placeIn));
      commit();
    },
  });
  followFlowKeys(node, settings, hands, commit);
}

function nearestParticle({ scene, size }, { time }, { at, reach }, placeIn) {
  const [x, y] = placeIn(at);
  let [nearest, least] = [null, (reach * 2 * PLANE_LIMIT) / size];
  for (let particle = 0; particle < scene.particles; particle++) {
    const place = placeOf(scene, particle, time);
    const distance = Math.hypot(place[0] - x, place[1] - y);
    if (distance < least) [nearest, least] = [particle, distance];
  }
  return nearest;
}

function followFlowKeys(node, settings, hands, commit) {
  const { clock, points } = hands;
  const either = (drawing, choosing) => () => (hands.draws() ? drawing() : choosing());
  const timeBy = (step) => () => clock.scrub(settings.time + step);
  const cursorBy = (right, up) => () => points.moveCursor(right, up);
  const ifDrawing = (act) => either(act, () => {});
  const keys = {
    " ": clock.toggle,
    Home: () => clock.scrub(0),
    End: () => clock.scrub(1),
    PageUp: timeBy(PAGE_STEP),
    PageDown: timeBy(-PAGE_STEP),
    ArrowLeft: either(cursorBy(-1, 0), timeBy(-KEY_STEP)),
    ArrowRight: either(cursorBy(1, 0), timeBy(KEY_STEP)),
    ArrowUp: either(cursorBy(0, 1), () => hands.chooseNext(1)),
    ArrowDown: either(cursorBy(0, -1), () => hands.chooseNext(-1)),
    Escape: () => hands.choose(null),
    Enter: ifDrawing(() => points.addAtCursor()),
    Delete: ifDrawing(() => points.removeAtCursor()),
    Backspace: ifDrawing(() => points.removeAtCursor()),
  };
  onKeys(node, keys, commit);
}
