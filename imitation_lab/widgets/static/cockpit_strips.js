// What happened over time, drawn while it happens: the doubt with its line, the place in the lane, the steering.
// Hatched where the person drove.

import { clamp, drawLeftAxis, linearScale, linePath, roundTicks, setAttributes, svg } from "./shared.js";

const STRIP_HEIGHT = 138;
const LAST_STRIP_HEIGHT = 160; // with the axis of time below it
const [STRIP_TOP, STRIP_BOTTOM] = [10, 130]; // pixels
const FIRST_SECONDS = 5; // that the strips show; more as they come
const [STRIP_LEFT, METER_ROOM] = [50, 34];
const METER_WIDTH = 14;

/** Make the picture of the doubt: its course, the line, and a meter of what it is now. */
export function makeDoubtStrip({ time_step: timeStep, action_bound: bound }) {
  const strip = makeStrip(STRIP_HEIGHT, "The doubt over time");
  const course = svg("path", { class: "doubt-course" });
  const line = svg("path", { class: "doubt-line" });
  const lineName = svg("text", { class: "halo quiet", "text-anchor": "end" }, "line");
  const meter = svg("rect", { class: "meter", width: METER_WIDTH, rx: 2 });
  const frame = svg("path", { class: "meter-frame" });
  strip.node.append(course, line, frame, meter, lineName);
  let top = 0;
  const draw = ({ width, log, threshold }) => {
    const highest = log.reduce((most, { doubt }) => Math.max(most, doubt), 0);
    top = nextTop(log.length > 1 ? top : 0, Math.max(highest, 1.4 * (threshold ?? 0), 0.1 * bound));
    const x = timeScale(log.length * timeStep, width);
    const y = linearScale([0, top], [STRIP_BOTTOM, STRIP_TOP]);
    strip.once(`${width} ${top}`, () => drawLeftAxis(strip.axis, y, roundTicks(top, 3), x.range));
    course.setAttribute("d", linePath(log.map(({ doubt }, i) => [x(i * timeStep), y(doubt)])));
    strip.hatchEngaged(log, x, timeStep);
    drawThreshold({ line, lineName }, threshold, y, width);
    drawMeter({ meter, frame }, log.at(-1)?.doubt ?? 0, threshold, y, width);
  };
  return { node: strip.node, draw };
}

/** The scale grows when it must, by half, so that it does not creep along with the course. */
const nextTop = (top, highest) => (highest > top ? 1.5 * highest : top);

function timeScale(seconds, width) {
  let shown = FIRST_SECONDS;
  while (shown < seconds) shown *= 1.5;
  return linearScale([0, shown], [STRIP_LEFT, width - METER_ROOM]);
}

function drawThreshold({ line, lineName }, threshold, y, width) {
  const shown = threshold !== null;
  line.setAttribute("d", shown ? `M${STRIP_LEFT} ${y(threshold)}H${width - 4}` : "");
  setAttributes(lineName, {
    x: width - METER_ROOM - 4,
    y: shown ? y(threshold) - 5 : 0,
    visibility: shown ? "visible" : "hidden",
  });
}

function drawMeter({ meter, frame }, doubt, threshold, y, width) {
  const left = width - METER_ROOM + 14;
  const height = STRIP_BOTTOM - y(doubt);
  setAttributes(meter, { x: left, y: y(doubt), height });
  meter.classList.toggle("over", threshold !== null && doubt > threshold);
  frame.setAttribute("d", `M${left - 2} ${STRIP_TOP}V${STRIP_BOTTOM}h${METER_WIDTH + 4}V${STRIP_TOP}`);
}

/** Make the picture of how far the vehicle is from the middle of its lane, up to the edges. */
export function makeOffsetStrip({ time_step: timeStep, half_width: half }) {
  const strip = makeStrip(STRIP_HEIGHT, "The distance from the middle over time");
  const course = svg("path", { class: "offset-course" });
  strip.node.append(course);
  const names = { outside: half, middle: 0, inside: -half };
  const draw = ({ width, log }) => {
    const x = timeScale(log.length * timeStep, width);
    const y = linearScale([-1.15 * half, 1.15 * half], [STRIP_BOTTOM, STRIP_TOP]);
    strip.once(`${width}`, () => {
      const [left, right] = x.range;
      const lines = Object.values(names).map((at) => `M${left} ${y(at)}H${right}`);
      const edges = svg("path", { d: lines[0] + lines[2], class: "lane-edges" });
      const middle = svg("path", { d: lines[1], class: "zero" });
      strip.axis.replaceChildren(edges, middle, ...rowNames(names, y));
    });
    course.setAttribute("d", linePath(log.map(({ offset }, i) => [x(i * timeStep), y(offset)])));
    strip.hatchEngaged(log, x, timeStep);
  };
  return { node: strip.node, draw };
}

/** Make the picture of the steering: what was done, and what the policy would have done. Up is left. */
export function makeSteeringStrip({ time_step: timeStep, action_bound: bound }) {
  const strip = makeStrip(LAST_STRIP_HEIGHT, "The steering over time, done and wished");
  const wish = svg("path", { class: "wish-course" });
  const done = svg("path", { class: "done-course" });
  strip.node.append(wish, done);
  const draw = ({ width, log }) => {
    const x = timeScale(log.length * timeStep, width);
    const y = linearScale([-bound, bound], [STRIP_BOTTOM, STRIP_TOP]);
    strip.once(`${width} ${x.perUnit}`, () => {
      const names = rowNames({ left: 0.85 * bound, right: -0.85 * bound }, y);
      strip.axis.replaceChildren(...names, ...timeAxis(x, y));
    });
    const within = (value) => y(clamp(value, -bound, bound)); // a policy may ask for more
    const path = (key) => linePath(log.map((row, i) => [x(i * timeStep), within(row[key])]));
    wish.setAttribute("d", path("wished"));
    done.setAttribute("d", path("steered"));
    strip.hatchEngaged(log, x, timeStep);
  };
  return { node: strip.node, draw };
}

const rowNames = (names, y) =>
  Object.entries(names).map(([name, at]) =>
    svg("text", { x: STRIP_LEFT - 6, y: y(at) + 4, "text-anchor": "end", class: "quiet" }, name),
  );

function timeAxis(x, y) {
  const [left, right] = x.range;
  const lines = `M${left} ${y(0)}H${right}M${left} ${STRIP_BOTTOM + 2}H${right}`;
  const seconds = roundTicks(x.invert(right), 5).map((second) => {
    const place = { x: x(second), y: STRIP_BOTTOM + 18, "text-anchor": "middle", class: "quiet" };
    return svg("text", place, `${second} s`);
  });
  return [svg("path", { d: lines, class: "zero" }), ...seconds];
}

function makeStrip(height, label) {
  const name = `hatch-${Math.random().toString(36).slice(2)}`; // patterns are named page-wide
  const axis = svg("g", {});
  const band = svg("path", { class: "hand-band", fill: `url(#${name})` });
  const looks = { height, role: "img", "aria-label": label, class: "strip" };
  const node = svg("svg", looks, hatchPattern(name), axis, band);
  const hatchEngaged = (log, x, timeStep) => {
    const tall = STRIP_BOTTOM - STRIP_TOP;
    const boxes = spansOf(log).map(([from, to]) => {
      const [left, right] = [x(from * timeStep), x(to * timeStep)];
      return `M${left.toFixed(1)} ${STRIP_TOP}H${right.toFixed(1)}v${tall}H${left.toFixed(1)}Z`;
    });
    band.setAttribute("d", boxes.join(""));
  };
  let laid = "";
  /** Lay the axes anew where what they depend on has changed. */
  const once = (wanted, lay) => {
    if (laid !== wanted) lay();
    laid = wanted;
    node.setAttribute("viewBox", `0 0 ${wanted.split(" ")[0]} ${height}`);
  };
  return { node, axis, hatchEngaged, once };
}

/** The spans of steps in which the person drove: from the first one to the one after the last. */
function spansOf(log) {
  const spans = [];
  log.forEach(({ engaged }, step) => {
    if (engaged && !log[step - 1]?.engaged) spans.push([step, step]);
    if (engaged) spans.at(-1)[1] = step + 1;
  });
  return spans;
}

function hatchPattern(id) {
  const attributes = {
    id,
    width: 7,
    height: 7,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  };
  const pattern = svg(
    "pattern",
    attributes,
    svg("rect", { width: 7, height: 7, class: "hatch-ground" }),
    svg("rect", { width: 2.4, height: 7, class: "hatch-stripe" }),
  );
  return svg("defs", {}, pattern);
}
