// The road from above. Its sideways direction is the steering action, on the density's own axis:
// whoever steers into the shaded middle below meets the barrier here.

import { linePath, setAttributes, stripePattern, svg } from "./shared.js";
import { gaussianQuantile } from "./gaussians.js";

const ROAD_HEIGHT = 176;
const ROAD_EDGE = 1.12; // m/s: a little outside the range of the actions
const START = 168; // where all drives begin, in pixels from the top
const BARRIER = { top: 60, bottom: 80 };
const DRIVES = 40;
const CAR_LENGTH = 26;
const CAR_SCALE = 1.2;
// Share of the verge, counted from the outside, and pixels from the top.
const TREES = [
  [0.3, 20],
  [0.62, 62],
  [0.26, 108],
  [0.55, 148],
];

// Quantiles instead of random draws: the bundle of drives moves smoothly and shows true shares.
const quantiles = (count) =>
  Array.from({ length: count }, (_, i) => gaussianQuantile((i + 0.5) / count));
const QUANTILES = Array.from({ length: DRIVES + 1 }, (_, count) => quantiles(count));

export function makeRoad() {
  const name = Math.random().toString(36).slice(2); // patterns and clips are named page-wide
  const verge = () => svg("rect", { height: ROAD_HEIGHT, rx: 8, class: "verge" });
  const parts = {
    verge: verge(),
    trees: svg("g", { class: "trees" }),
    asphalt: svg("rect", { y: 0, height: ROAD_HEIGHT, class: "asphalt" }),
    edges: svg("path", { class: "road-edge" }),
    drives: svg("path", { class: "drives" }),
    crashes: svg("path", { class: "drives crash" }),
    crosses: svg("path", { class: "crosses" }),
    optimum: svg("path", { class: "optimum-path" }),
    path: svg("path", { class: "guess-path" }),
    barrier: makeBarrier(`stripes-${name}`),
    car: makeCar(),
  };
  const frame = verge();
  const definitions = svg(
    "defs",
    {},
    stripePattern(`stripes-${name}`),
    svg("clipPath", { id: `frame-${name}` }, frame),
  );
  const node = svg(
    "g",
    { class: "road", "clip-path": `url(#frame-${name})` },
    definitions,
    ...Object.values(parts),
  );
  const draw = (scene) => {
    frame.setAttribute("width", scene.width);
    drawRoad(parts, scene);
  };
  return { node, draw };
}

function drawRoad(parts, { settings, numbers, x, width, drivesFrom }) {
  const { obstacle, guess } = settings;
  const [left, right] = [x(-ROAD_EDGE), x(ROAD_EDGE)];
  parts.verge.setAttribute("width", width);
  plantTrees(parts.trees, left, right, width);
  setAttributes(parts.asphalt, { x: left, width: right - left });
  parts.edges.setAttribute("d", `M${left + 5} 0V${ROAD_HEIGHT}M${right - 5} 0V${ROAD_HEIGHT}`);
  drawDrives(parts, steeringActions(settings, numbers, drivesFrom), obstacle, x);
  parts.drives.classList.toggle("from-fit", drivesFrom === "fit");
  parts.optimum.setAttribute("d", drivePath(numbers.mean, obstacle, x));
  parts.path.setAttribute("d", drivePath(guess, obstacle, x));
  setAttributes(parts.barrier, { x: x(-obstacle), width: x(obstacle) - x(-obstacle) });
  drawCar(parts.car, guess, obstacle, x);
}

function plantTrees(trees, left, right, width) {
  if (Number(trees.dataset.width) === width) return; // they grow once
  trees.dataset.width = width;
  const leftTrees = TREES.map(([share, y]) => makeTree(share * left, y, left));
  const rightTrees = TREES.map(([share, y]) =>
    makeTree(width - share * (width - right), y + 12, width - right),
  );
  trees.replaceChildren(...leftTrees, ...rightTrees);
}

function makeTree(x, y, verge) {
  const radius = Math.min(9, 0.26 * verge);
  const crown = { cx: -0.2 * radius, cy: -0.2 * radius, r: 0.45 * radius, class: "crown" };
  return svg(
    "g",
    { transform: `translate(${x} ${y})` },
    svg("circle", { r: radius }),
    svg("circle", crown),
  );
}

/** Forty actions, spread over the drivers or over the Gaussian fit as their shares demand. */
function steeringActions(
  { left_mode, right_mode, left_weight, spread },
  { mean, std },
  drivesFrom,
) {
  if (drivesFrom === "fit") return QUANTILES[DRIVES].map((z) => mean + std * z);
  const leftCount = Math.round(DRIVES * left_weight);
  return [
    ...QUANTILES[leftCount].map((z) => left_mode + spread * z),
    ...QUANTILES[DRIVES - leftCount].map((z) => right_mode + spread * z),
  ];
}

const crashesInto = (obstacle, action) => Math.abs(action) < obstacle;

function drivePath(action, obstacle, x) {
  const [start, end] = [x(0), x(action)];
  const stop = crashesInto(obstacle, action) ? BARRIER.bottom : 0;
  const curve = `C${start} ${START - 34} ${end} ${BARRIER.bottom + 40} ${end} ${BARRIER.bottom}`;
  return `M${start} ${START}${curve}V${stop}`;
}

function drawDrives(parts, actions, obstacle, x) {
  const crashed = actions.filter((action) => crashesInto(obstacle, action));
  const passed = actions.filter((action) => !crashesInto(obstacle, action));
  const paths = (group) => group.map((action) => drivePath(action, obstacle, x)).join("");
  parts.drives.setAttribute("d", paths(passed));
  parts.crashes.setAttribute("d", paths(crashed));
  const cross = (action) =>
    `M${x(action) - 3} ${BARRIER.bottom}l6 6M${x(action) + 3} ${BARRIER.bottom}l-6 6`;
  parts.crosses.setAttribute("d", crashed.map(cross).join(""));
}

function makeBarrier(stripes) {
  const { top, bottom } = BARRIER;
  return svg("rect", {
    y: top,
    height: bottom - top,
    rx: 4,
    class: "barrier",
    fill: `url(#${stripes})`,
  });
}

// The outer group steers, the middle one drives along the road, the inner one shakes on a crash.
function makeCar() {
  const half = CAR_LENGTH / 2;
  const burst = linePath(
    Array.from({ length: 16 }, (_, i) => {
      const [angle, radius] = [(Math.PI * i) / 8, i % 2 ? 9 : 19];
      return [radius * Math.sin(angle), -half - radius * 0.8 * Math.cos(angle)];
    }),
  );
  const body = svg(
    "g",
    { class: "car-body" },
    ...[-8, 6].flatMap((y) =>
      [-9, 6.5].map((x) => svg("rect", { x, y, width: 2.5, height: 6, fill: "#000" })),
    ),
    svg("rect", { x: -8, y: -half, width: 16, height: CAR_LENGTH, rx: 5, class: "car-paint" }),
    svg("path", { d: "M-6 -4Q0 -8 6 -4L5 1H-5Z", class: "car-glass" }),
    svg("path", { d: "M-5 7H5L5.5 9.5H-5.5Z", class: "car-glass" }),
    svg("path", { d: `M-5.5 ${-half + 2}h3M2.5 ${-half + 2}h3`, class: "car-light" }),
  );
  const along = svg(
    "g",
    { class: "car-along" },
    svg("path", { d: `${burst}Z`, class: "burst" }),
    body,
  );
  return svg("g", { class: "car" }, along);
}

function drawCar(car, guess, obstacle, x) {
  const crashed = crashesInto(obstacle, guess);
  const y = crashed ? BARRIER.bottom + (CAR_SCALE * CAR_LENGTH) / 2 - 6 : 28;
  car.setAttribute("transform", `translate(${x(guess)} 0)`);
  car.classList.toggle("crashed", crashed);
  car.firstChild.style.transform = `translateY(${y}px) scale(${CAR_SCALE})`; // a style, so that CSS eases it
}
