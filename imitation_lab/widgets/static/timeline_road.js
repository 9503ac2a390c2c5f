// The fork from above: the vehicle, the way it came, the plan ahead of it, and the plan that was thrown away.

import { linePath, linearScale, setAttributes, svg } from "./shared.js";
import { planFrom, playingAt, positionAt, thrownAwayAt, velocityAt } from "./timeline_numbers.js";

const [ROAD_START, ROAD_FINISH] = [-0.25, 2.4]; // metres along the road
const VERGE_WIDTH = 0.13; // metres of ground beside the road
const VEHICLE = [
  [0.11, 0],
  [-0.1, 0.09],
  [-0.05, 0],
  [-0.1, -0.09],
]; // metres
const STEP_DOT = 1.9; // pixels
const PLAN_DOT = 2.6;

export function makeForkRoad() {
  const name = `timeline-${Math.random().toString(36).slice(2)}`; // patterns are named page-wide
  const parts = {
    ground: svg("g", {}),
    trail: svg("path", { class: "trail" }),
    steps: svg("path", { class: "trail-steps" }),
    oldShade: svg("path", { class: "plan-shade" }),
    old: svg("path", { class: "old-plan" }),
    oldEnd: svg("path", { class: "old-end" }),
    shade: svg("path", { class: "plan-shade" }),
    plan: svg("path", { class: "new-plan" }),
    actions: svg("path", { class: "plan-actions" }),
    burst: svg("path", { class: "burst", d: burstPath() }),
    vehicle: svg("path", { class: "vehicle" }),
    jumps: svg("path", { class: "jump-marks" }),
  };
  const node = svg("svg", { class: "fork", role: "img", height: 1 }, hazardPattern(name));
  node.append(...Object.values(parts));
  let laid = "";
  const draw = ({ width, numbers: { drive, now }, moment }) => {
    const pixels = roadPixels(width, drive);
    const wanted = `${width} ${drive.label}`;
    if (laid !== wanted) layRoad(node, parts, pixels, drive, name);
    laid = wanted;
    node.setAttribute("aria-label", roadInWords(drive, now));
    drawPlans(parts, pixels, drive, now, moment);
    drawTrail(parts, pixels, drive, now, moment);
    drawVehicle(parts, pixels, drive, now, moment);
  };
  return { node, draw };
}

function roadPixels(width, { half_width: half }) {
  const x = linearScale([ROAD_START, ROAD_FINISH], [0, width]);
  const side = half + VERGE_WIDTH;
  const height = 2 * side * x.perUnit;
  const y = linearScale([side, -side], [0, height]);
  return { x, y, width, height, perUnit: x.perUnit, at: ([along, left]) => [x(along), y(left)] };
}

function roadInWords(drive, now) {
  const [x, y] = positionAt(drive, now);
  const off = `${Math.abs(y).toFixed(2)} to the ${y < 0 ? "right" : "left"} of its middle`;
  return `The fork from above: the vehicle is ${x.toFixed(1)} metres along the road, ${off}.`;
}

function layRoad(node, { ground, vehicle, burst }, pixels, drive, pattern) {
  const { x, y, width, height, perUnit } = pixels;
  setAttributes(node, { height, viewBox: `0 0 ${width} ${height}` });
  const [top, bottom] = [y(drive.half_width), y(-drive.half_width)];
  const edge = (at) => svg("line", { x1: 0, x2: width, y1: at, y2: at, class: "road-edge" });
  const round = ([along, left, radius], attributes) =>
    svg("circle", { cx: x(along), cy: y(left), r: radius * perUnit, ...attributes });
  ground.replaceChildren(
    svg("rect", { width, height, rx: 8, class: "verge" }),
    svg("rect", { y: top, width, height: bottom - top, class: "asphalt" }),
    edge(top + 2),
    edge(bottom - 2),
    svg("line", { x1: 0, x2: width, y1: y(0), y2: y(0), class: "middle" }),
    round(drive.goal, { class: "goal" }),
    svg("text", { x: x(drive.goal[0]), y: y(drive.goal[1]) + 4, class: "on-road" }, "goal"),
    round(drive.obstacle, { class: "obstacle", fill: `url(#${pattern})` }),
  );
  const scaled = VEHICLE.map(([along, left]) => [along * perUnit, -left * perUnit]);
  vehicle.setAttribute("d", `${linePath(scaled)}Z`);
  burst.setAttribute("visibility", "hidden");
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
  actions.setAttribute("d", dots(ahead, PLAN_DOT));
  const gone = over ? null : thrownAwayAt(drive, now);
  const left = gone ? planFrom(drive, ...gone).map(pixels.at) : [];
  for (const path of [old, oldShade]) path.setAttribute("d", linePath(left));
  const [x, y] = left.at(-1) ?? [0, 0];
  oldEnd.setAttribute("d", gone ? `M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8` : "");
}

function drawTrail({ trail, steps, jumps }, pixels, drive, now, moment) {
  const been = Array.from({ length: now + 1 }, (_, step) => pixels.at(positionAt(drive, step)));
  trail.setAttribute("d", linePath([...been, pixels.at(placeAt(drive, moment))]));
  steps.setAttribute("d", dots(been, STEP_DOT));
  const jumped = drive.takeovers.filter((takeover) => takeover.jumps && takeover.step <= now);
  jumps.setAttribute("d", jumped.map(({ step }) => jumpPath(been[step])).join(""));
}

function drawVehicle({ vehicle, burst }, pixels, drive, now, moment) {
  const [x, y] = pixels.at(placeAt(drive, moment));
  const [along, left] = velocityAt(drive, Math.min(Math.ceil(moment), drive.steps));
  const degrees = (-180 / Math.PI) * Math.atan2(left, along);
  vehicle.setAttribute("transform", `translate(${x} ${y}) rotate(${degrees})`);
  const crashed = now === drive.steps && drive.ending === "crashed";
  setAttributes(burst, {
    transform: `translate(${x} ${y})`,
    visibility: crashed ? "visible" : "hidden",
  });
}

const dots = (places, radius) =>
  places
    .map(
      ([x, y]) =>
        `M${(x - radius).toFixed(2)} ${y.toFixed(2)}a${radius} ${radius} 0 1 0 ${2 * radius} 0` +
        `a${radius} ${radius} 0 1 0 ${-2 * radius} 0`,
    )
    .join("");

/** A lightning flash, its point at a place. */
const jumpPath = ([x, y]) => `M${x} ${y}l-3 -9h4l-2 -9l8 12h-4.2l1.7 6Z`;

function burstPath() {
  const corners = Array.from({ length: 20 }, (_, i) => {
    const [angle, radius] = [(Math.PI * i) / 10, i % 2 ? 13 : 25];
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
  return `${linePath(corners)}Z`;
}

function hazardPattern(id) {
  const attributes = {
    id,
    width: 16,
    height: 16,
    patternUnits: "userSpaceOnUse",
    patternTransform: "skewX(-35)",
  };
  return svg(
    "defs",
    {},
    svg(
      "pattern",
      attributes,
      svg("rect", { width: 16, height: 16, fill: "#ffffff" }),
      svg("rect", { width: 8, height: 16, fill: "var(--vermillion)" }),
    ),
  );
}
