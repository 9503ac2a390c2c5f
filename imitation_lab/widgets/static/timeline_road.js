// The chunk timeline's fork: the way that the vehicle came, the plan ahead of it, and the plan that was thrown away.

import { linePath, svg } from "./shared.js";
import { dotsPath, makeRoadView } from "./roads.js";
import { planFrom, playingAt, positionAt, thrownAwayAt, velocityAt } from "./timeline_numbers.js";

const STEP_DOT = 1.9; // pixels
const PLAN_DOT = 2.6;

export function makeForkRoad() {
  const below = {
    trail: svg("path", { class: "trail" }),
    steps: svg("path", { class: "trail-steps" }),
    oldShade: svg("path", { class: "plan-shade" }),
    old: svg("path", { class: "old-plan" }),
    oldEnd: svg("path", { class: "old-end" }),
    shade: svg("path", { class: "plan-shade" }),
    plan: svg("path", { class: "new-plan" }),
    actions: svg("path", { class: "plan-actions" }),
  };
  const jumps = svg("path", { class: "jump-marks" });
  const layers = { below: Object.values(below), above: [jumps] };
  const view = makeRoadView({ ...layers, class: "from-above fork" });
  const draw = ({ width, numbers: { drive, now }, moment }) => {
    const { half_width, obstacle, goal } = drive;
    const pixels = view.lay({ name: "fork", half_width, obstacle, goal }, width);
    view.node.setAttribute("aria-label", roadInWords(drive, now));
    drawPlans(below, pixels, drive, now, moment);
    drawTrail({ ...below, jumps }, pixels, drive, now, moment);
    drawVehicle(view, drive, now, moment);
  };
  return { node: view.node, draw };
}

function roadInWords(drive, now) {
  const [x, y] = positionAt(drive, now);
  const off = `${Math.abs(y).toFixed(2)} to the ${y < 0 ? "right" : "left"} of its middle`;
  return `The fork from above: the vehicle is ${x.toFixed(1)} metres along the road, ${off}.`;
}

/** Where the vehicle is between two steps: it goes straight there. */
function placeAt(drive, moment) {
  const step = Math.min(Math.floor(moment), drive.steps);
  const [from, to] = [positionAt(drive, step), positionAt(drive, Math.min(step + 1, drive.steps))];
  return from.map((value, axis) => value + (moment - step) * (to[axis] - value));
}

function drawPlans(parts, pixels, drive, now, moment) {
  const { plan, shade, actions, old, oldShade, oldEnd } = parts;
  const over = now === drive.steps;
  const ahead = over ? [] : planFrom(drive, playingAt(drive, now), now).slice(1).map(pixels.at);
  const here = pixels.at(placeAt(drive, moment));
  for (const path of [plan, shade]) path.setAttribute("d", linePath(over ? [] : [here, ...ahead]));
  actions.setAttribute("d", dotsPath(ahead, PLAN_DOT));
  const gone = over ? null : thrownAwayAt(drive, now);
  const left = gone ? planFrom(drive, ...gone).map(pixels.at) : [];
  for (const path of [old, oldShade]) path.setAttribute("d", linePath(left));
  const [x, y] = left.at(-1) ?? [0, 0];
  oldEnd.setAttribute("d", gone ? `M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8` : "");
}

function drawTrail({ trail, steps, jumps }, pixels, drive, now, moment) {
  const been = Array.from({ length: now + 1 }, (_, step) => pixels.at(positionAt(drive, step)));
  trail.setAttribute("d", linePath([...been, pixels.at(placeAt(drive, moment))]));
  steps.setAttribute("d", dotsPath(been, STEP_DOT));
  const jumped = drive.takeovers.filter((takeover) => takeover.jumps && takeover.step <= now);
  jumps.setAttribute("d", jumped.map(({ step }) => jumpPath(been[step])).join(""));
}

function drawVehicle(view, drive, now, moment) {
  const [x, y] = placeAt(drive, moment);
  const [along, left] = velocityAt(drive, Math.min(Math.ceil(moment), drive.steps));
  const pose = { x, y, heading: Math.atan2(left, along) };
  view.place(pose);
  view.crash(now === drive.steps && drive.ending === "crashed" ? pose : null);
}

/** A lightning flash, its point at a place. */
const jumpPath = ([x, y]) => `M${x} ${y}l-3 -9h4l-2 -9l8 12h-4.2l1.7 6Z`;
