// What happened over time, drawn while it happens: the doubt with its line, and the steering. Hatched where the
// person drove.

import { drawLeftAxis, linearScale, linePath, roundTicks, setAttributes, svg } from "./shared.js";

const STRIP_HEIGHT = 118;
const LAST_STRIP_HEIGHT = 140; // with the axis of time below it
const [STRIP_TOP, STRIP_BOTTOM] = [10, 110]; // pixels
const [STRIP_LEFT, METER_ROOM] = [40, 34];
const METER_WIDTH = 14;

/** Make the picture of the doubt: its course, the line, and a meter of what it is now. */
export function makeDoubtStrip({ max_steps: steps, time_step: timeStep, action_bound: bound }) {
  const strip = makeStrip(STRIP_HEIGHT);
  const course = svg("path", { class: "doubt-course" });
  const line = svg("path", { class: "doubt-line" });
  const lineName = svg("text", { class: "halo quiet", "text-anchor": "end" }, "line");
  const meter = svg("rect", { class: "meter", width: METER_WIDTH, rx: 2 });
  const frame = svg("path", { class: "meter-frame" });
  strip.node.append(course, line, frame, meter, lineName);
  let [top, laid] = [0, ""];
  const draw = ({ width, log, threshold }) => {
    const highest = log.reduce((most, { doubt }) => Math.max(most, doubt), 0);
    top = nextTop(log.length > 1 ? top : 0, Math.max(highest, 1.4 * (threshold ?? 0), 0.1 * bound));
    const x = linearScale([0, steps * timeStep], [STRIP_LEFT, width - METER_ROOM]);
    const y = linearScale([0, top], [STRIP_BOTTOM, STRIP_TOP]);
    const wanted = `${width} ${top}`;
    if (laid !== wanted) drawLeftAxis(strip.axis, y, roundTicks(top, 3), x.range);
    laid = wanted;
    course.setAttribute("d", linePath(log.map(({ doubt }, i) => [x(i * timeStep), y(doubt)])));
    strip.hatchEngaged(log, x, timeStep);
    drawThreshold({ line, lineName }, threshold, y, width);
    drawMeter({ meter, frame }, log.at(-1)?.doubt ?? 0, threshold, y, width);
  };
  return { node: strip.node, draw };
}

/** The scale grows when it must, by half, so that it does not creep along with the course. */
const nextTop = (top, highest) => (highest > top ? 1.5 * highest : top);

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

/** Make the picture of the steering: what was done, and what the policy would have done. Up is left. */
export function makeSteeringStrip({ max_steps: steps, time_step: timeStep, action_bound: bound }) {
  const strip = makeStrip(LAST_STRIP_HEIGHT);
  const wish = svg("path", { class: "wish-course" });
  const done = svg("path", { class: "done-course" });
  strip.node.append(wish, done);
  let laid = 0;
  const draw = ({ width, log }) => {
    const x = linearScale([0, steps * timeStep], [STRIP_LEFT, width - METER_ROOM]);
    const y = linearScale([-bound, bound], [STRIP_BOTTOM, STRIP_TOP]);
    if (laid !== width) layTime(strip.axis, x, y, bound);
    laid = width;
    const path = (key) => linePath(log.map((row, i) => [x(i * timeStep), y(row[key])]));
    wish.setAttribute("d", path("wish"));
    done.setAttribute("d", path("steered"));
    strip.hatchEngaged(log, x, timeStep);
  };
  return { node: strip.node, draw };
}

function layTime(axis, x, y, bound) {
  const [left, right] = x.range;
  const seconds = roundTicks(x.invert(right), 5);
  const row = (at, text) =>
    svg("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end", class: "quiet" }, text);
  axis.replaceChildren(
    svg("path", { d: `M${left} ${y(0)}H${right}M${left} ${STRIP_BOTTOM + 2}H${right}`, class: "zero" }),
    row(0.85 * bound, "left"),
    row(-0.85 * bound, "right"),
    ...seconds.map((second) =>
      svg(
        "text",
        { x: x(second), y: STRIP_BOTTOM + 18, "text-anchor": "middle", class: "quiet" },
        `${second} s`,
      ),
    ),
  );
}

function makeStrip(height) {
  const name = `hatch-${Math.random().toString(36).slice(2)}`; // patterns are named page-wide
  const axis = svg("g", {});
  const band = svg("path", { class: "hand-band", fill: `url(#${name})` });
  const node = svg("svg", { height, role: "img", class: "strip" }, hatchPattern(name), axis, band);
  const hatchEngaged = (log, x, timeStep) => {
    const height = STRIP_BOTTOM - STRIP_TOP;
    const boxes = spansOf(log).map(([from, to]) => {
      const [left, right] = [x(from * timeStep), x(to * timeStep)];
      return `M${left.toFixed(1)} ${STRIP_TOP}H${right.toFixed(1)}v${height}H${left.toFixed(1)}Z`;
    });
    band.setAttribute("d", boxes.join(""));
  };
  return { node, axis, hatchEngaged };
}

/** The spans of steps in which the person drove: from the first one to the one after the last. */
export function spansOf(log) {
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
