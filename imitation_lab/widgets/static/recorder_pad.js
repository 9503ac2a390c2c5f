// What a person holds when they do not touch the vehicle itself: a stick, or a leader with the same body.

import { setAttributes, svg } from "./shared.js";
import { makeRoadView, roadOf } from "./roads.js";

const STICK_HEIGHT = 150; // pixels
const STICK_REACH = 52; // pixels from the middle to a full push

/** Make the pad of an interface. `pointed(pixels)` says what a press there means. */
export function makePad(name, plan) {
  if (name === "remote") return makeStickPad();
  return plan.name === "fork" ? makeLeaderPad(plan) : makeWheelPad();
}

function makeStickPad() {
  const base = svg("circle", { r: STICK_REACH, class: "stick-base" });
  const rod = svg("path", { class: "stick-rod" });
  const knob = svg("circle", { r: 17, class: "stick-knob" });
  const node = padNode("The stick", base, rod, knob);
  let middle = [0, 0];
  return {
    node,
    lay(width) {
      middle = layPad(node, width, STICK_HEIGHT);
      setAttributes(base, { cx: middle[0], cy: middle[1] });
    },
    pointed: ([x, y]) => [(x - middle[0]) / STICK_REACH, (middle[1] - y) / STICK_REACH],
    draw({ stick = [0, 0] }) {
      const [x, y] = [middle[0] + STICK_REACH * stick[0], middle[1] - STICK_REACH * stick[1]];
      rod.setAttribute("d", `M${middle[0]} ${middle[1]}L${x} ${y}`);
      setAttributes(knob, { cx: x, cy: y });
    },
  };
}

function makeWheelPad() {
  const base = svg("circle", { r: STICK_REACH, class: "stick-base" });
  const wheel = svg("path", { class: "vehicle", d: "M44 0L-36 32L-18 0L-36 -32Z" });
  const node = padNode("The leader, which turns on the spot", base, wheel);
  node.classList.add("from-above");
  let middle = [0, 0];
  return {
    node,
    lay(width) {
      middle = layPad(node, width, STICK_HEIGHT);
      setAttributes(base, { cx: middle[0], cy: middle[1] });
    },
    pointed: ([x, y]) => [x - middle[0], middle[1] - y],
    draw({ heading = 0 }) {
      const turn = (-180 / Math.PI) * heading;
      wheel.setAttribute("transform", `translate(${middle[0]} ${middle[1]}) rotate(${turn})`);
    },
  };
}

function makeLeaderPad(plan) {
  const view = makeRoadView({ class: "from-above pad", "aria-label": "The leader, on a road of its own" });
  const empty = { ...roadOf(plan, []), obstacle: null, goal: null };
  return {
    node: view.node,
    lay: (width) => view.lay(empty, width),
    pointed: (place) => view.pixels().metresAt(place),
    draw({ leader }) {
      if (leader) view.place({ x: leader[0], y: leader[1], heading: 0 });
    },
  };
}

const padNode = (label, ...parts) =>
  svg("svg", { class: "pad", role: "img", "aria-label": label, height: 1 }, ...parts);

function layPad(node, width, height) {
  setAttributes(node, { height, viewBox: `0 0 ${width} ${height}` });
  return [width / 2, height / 2];
}
