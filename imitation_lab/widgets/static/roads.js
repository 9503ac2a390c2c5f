// The fork and the racetrack from above: the road, what stands on it, and the vehicle.

import { linePath, linearScale, setAttributes, spaced, stripePattern, svg } from "./shared.js";
import { makeLane } from "./vehicles.js";

const [ROAD_START, ROAD_FINISH] = [-0.25, 2.4]; // metres along the fork's road
const VERGE_WIDTH = 0.13; // metres of ground beside the road
const VEHICLE_OUTLINE = [
  [0.11, 0],
  [-0.1, 0.09],
  [-0.05, 0],
  [-0.1, -0.09],
]; // metres
const VEHICLE_SHARE = 0.8; // of a narrow lane
const ROUND = spaced(0, 2 * Math.PI, 181); // radians around the racetrack

/** What a picture shows of a task, from the plan that Python's `vehicle_plan` makes and from a state. */
export function roadOf(plan, state) {
  if (plan.name === "racetrack") return plan;
  return {
    name: "fork",
    half_width: plan.road_half_width,
    obstacle: [state[4], state[5], plan.obstacle_radius],
    goal: [state[6], state[7], plan.goal_radius],
  };
}

/**
 * Make the picture of a road. The nodes of `below` are drawn on the road, then comes the vehicle, then `above`.
 *
 * `lay(road, width)` fits the picture into a width; only then does `pixels()` know its `width` and `height`,
 * `perUnit` pixels per metre, `at(metres)` and, the other way, `metresAt(pixels)`. `place(pose)` puts the vehicle
 * somewhere, and `crash(pose)` a burst, or none without a pose.
 */
export function makeRoadView({ below = [], above = [], ...attributes }) {
  const pattern = `hazard-${Math.random().toString(36).slice(2)}`; // patterns are named page-wide
  const ground = svg("g", {});
  const burst = svg("path", { class: "burst", d: burstPath(), visibility: "hidden" });
  const vehicle = svg("path", { class: "vehicle" });
  const parts = [svg("defs", {}, stripePattern(pattern)), ground, ...below, burst, vehicle, ...above];
  const node = svg("svg", { class: "from-above", role: "img", height: 1, ...attributes }, ...parts);
  let [pixels, laid] = [null, ""];
  const lay = (road, width) => {
    const wanted = JSON.stringify([road, width]);
    if (wanted === laid) return pixels;
    laid = wanted;
    pixels = road.name === "fork" ? forkPixels(road, width) : trackPixels(road, width);
    setAttributes(node, { height: pixels.height, viewBox: `0 0 ${width} ${pixels.height}` });
    const drawn = road.name === "fork" ? forkGround(road, pixels, pattern) : trackGround(road, pixels);
    ground.replaceChildren(...drawn);
    const size = sizeOfVehicle(road) * pixels.perUnit;
    vehicle.setAttribute("d", outlinePath(VEHICLE_OUTLINE.map(([x, y]) => [x * size, -y * size])));
    return pixels;
  };
  const place = ({ x, y, heading }) => {
    const [left, top] = pixels.at([x, y]);
    const turn = ((-180 / Math.PI) * heading).toFixed(2);
    const move = `translate(${left.toFixed(2)} ${top.toFixed(2)}) rotate(${turn})`;
    vehicle.setAttribute("transform", move);
  };
  const crash = (pose) => {
    burst.setAttribute("visibility", pose ? "visible" : "hidden");
    if (!pose) return;
    const [left, top] = pixels.at([pose.x, pose.y]);
    burst.setAttribute("transform", `translate(${left} ${top})`);
  };
  return { node, lay, place, crash, pixels: () => pixels };
}

/** A dot at every place, all in one path. */
export const dotsPath = (places, radius) =>
  places
    .map(
      ([x, y]) =>
        `M${(x - radius).toFixed(2)} ${y.toFixed(2)}a${radius} ${radius} 0 1 0 ${2 * radius} 0` +
        `a${radius} ${radius} 0 1 0 ${-2 * radius} 0`,
    )
    .join("");

const outlinePath = (points) => `${linePath(points)}Z`;

const sizeOfVehicle = ({ name, half_width: half }) =>
  name === "fork" ? 1 : Math.min(1, (VEHICLE_SHARE * half) / VEHICLE_OUTLINE[1][1]);

function pixelsOf([left, right], [bottom, top], width) {
  const x = linearScale([left, right], [0, width]);
  const height = (top - bottom) * x.perUnit;
  const y = linearScale([top, bottom], [0, height]);
  return {
    width,
    height,
    perUnit: x.perUnit,
    x,
    y,
    at: ([along, up]) => [x(along), y(up)],
    metresAt: ([across, down]) => [x.invert(across), y.invert(down)],
  };
}

function forkPixels({ half_width: half }, width) {
  const side = half + VERGE_WIDTH;
  return pixelsOf([ROAD_START, ROAD_FINISH], [-side, side], width);
}

function trackPixels(road, width) {
  const outside = lanePoints(road, road.half_width + VERGE_WIDTH);
  const range = (axis) => {
    const values = outside.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  };
  return pixelsOf(range(0), range(1), width);
}

function lanePoints(road, aside) {
  const lane = makeLane(road);
  return ROUND.map((angle) => lane.pointAt(angle, aside));
}

const verge = ({ width, height }) => svg("rect", { width, height, rx: 8, class: "verge" });

function forkGround({ half_width: half, obstacle, goal }, pixels, pattern) {
  const { x, y, width, perUnit } = pixels;
  const [top, bottom] = [y(half), y(-half)];
  const edge = (at) => svg("line", { x1: 0, x2: width, y1: at, y2: at, class: "road-edge" });
  const round = ([along, left, radius], attributes) =>
    svg("circle", { cx: x(along), cy: y(left), r: radius * perUnit, ...attributes });
  const drawGoal = ([along, left, radius]) => [
    round([along, left, radius], { class: "goal" }),
    svg("text", { x: x(along), y: y(left) + 4, class: "on-road" }, "goal"),
  ];
  return [
    verge(pixels),
    svg("rect", { y: top, width, height: bottom - top, class: "asphalt" }),
    edge(top + 2),
    edge(bottom - 2),
    svg("line", { x1: 0, x2: width, y1: y(0), y2: y(0), class: "middle" }),
    ...(goal ? drawGoal(goal) : []),
    ...(obstacle ? [round(obstacle, { class: "obstacle", fill: `url(#${pattern})` })] : []),
  ];
}

function trackGround(road, pixels) {
  const line = (aside) => outlinePath(lanePoints(road, aside).map(pixels.at));
  const [outer, inner] = [line(road.half_width), line(-road.half_width)];
  return [
    verge(pixels),
    svg("path", { d: outer + inner, "fill-rule": "evenodd", class: "asphalt" }),
    svg("path", { d: outer, class: "road-edge" }),
    svg("path", { d: inner, class: "road-edge" }),
    svg("path", { d: line(0), class: "middle" }),
  ];
}

function burstPath() {
  const corners = Array.from({ length: 20 }, (_, i) => {
    const [angle, radius] = [(Math.PI * i) / 10, i % 2 ? 13 : 25];
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
  return outlinePath(corners);
}
