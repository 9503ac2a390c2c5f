// The plane of actions that all three panels share: steer to the right, speed up, marginals at the edges.

import { linearScale, setAttributes, svg } from "./shared.js";
import { OBSTACLES, ORDER_LIMIT } from "./order_counts.js";

const EDGE = 34; // pixels for the bars of a marginal
const PLANE_MARGIN = { left: 20, right: EDGE + 8, top: EDGE + 8, bottom: 22 };
const LARGEST_PLANE = 340;

/** Lay a square plane into a width in pixels. */
export function planeScales(width) {
  const { left, right, top, bottom } = PLANE_MARGIN;
  const size = Math.min(width - left - right, LARGEST_PLANE);
  const start = left + Math.max(0, (width - left - right - size) / 2);
  return {
    size,
    height: top + size + bottom,
    x: linearScale([-ORDER_LIMIT, ORDER_LIMIT], [start, start + size]),
    y: linearScale([-ORDER_LIMIT, ORDER_LIMIT], [top + size, top]),
  };
}

/** Make the frame of a plane; what the panel draws itself goes into `inside`. */
export function makePlane(label, inside, role = "img") {
  const word = (text, anchor) => svg("text", { "text-anchor": anchor, class: "quiet" }, text);
  const parts = {
    ground: svg("rect", { class: "ground", rx: 3 }),
    obstacles: svg("path", { class: "obstacles" }),
    inside,
    frame: svg("rect", { class: "frame", rx: 3 }),
    left: word("left", "start"),
    steer: word("steer", "middle"),
    right: word("right", "end"),
    brake: word("brake", "start"),
    speed: word("speed", "middle"),
    faster: word("speed up", "end"),
    steerEdge: makeEdge(),
    speedEdge: makeEdge(),
  };
  const node = svg("svg", { role, "aria-label": label, height: LARGEST_PLANE });
  node.append(...Object.values(parts));
  return { node, parts, layout: null };
}

/** Draw what stays as it is while actions move: done again only for another width or other obstacles. */
export function drawPlane(plane, { width, settings, ...scales }) {
  const layout = `${width} ${settings.obstacles}`;
  if (plane.layout === layout) return;
  plane.layout = layout;
  layOutPlane(plane, width, settings, scales);
}

function layOutPlane({ node, parts }, width, { obstacles }, { x, y, size, height }) {
  setAttributes(node, { height, viewBox: `0 0 ${width} ${height}` });
  parts.obstacles.setAttribute("d", obstacles ? obstaclePath(x, y) : "");
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  for (const square of [parts.ground, parts.frame]) {
    setAttributes(square, { x: left, y: top, width: size, height: size });
  }
  const below = { y: bottom + 16 };
  setAttributes(parts.left, { x: left, ...below });
  setAttributes(parts.steer, { x: (left + right) / 2, ...below });
  setAttributes(parts.right, { x: right, ...below });
  const beside = (height) => ({ transform: `translate(${left - 7} ${height}) rotate(-90)` });
  setAttributes(parts.brake, beside(bottom));
  setAttributes(parts.speed, beside((bottom + top) / 2));
  setAttributes(parts.faster, beside(top));
}

const rectanglePath = (left, top, right, bottom) => `M${left} ${top}H${right}V${bottom}H${left}Z`;

const obstaclePath = (x, y) =>
  OBSTACLES.map(({ steer, speed }) =>
    rectanglePath(x(steer[0]), y(speed[1]), x(steer[1]), y(speed[0])),
  ).join("");

/** The pixels of a cell. */
export function cellBox({ x, y, size }, bins, steer, speed) {
  const width = size / bins;
  return { x: x.range[0] + steer * width, y: y.range[0] - (speed + 1) * width, width };
}

function makeEdge() {
  return svg(
    "g",
    { class: "edge" },
    svg("path", { class: "bars" }),
    svg("path", { class: "bars drawn" }),
    svg(
      "g",
      { class: "turn" },
      svg("circle", { r: 8 }),
      svg("text", { "text-anchor": "middle", y: 4 }),
    ),
  );
}

/**
 * Draw the bars of one number at its edge of the plane: above for steer, at the right for speed.
 * `counts` share out the edge's length; `drawn` is the bin that a sample fell on, `turn` the
 * number's place in the order.
 */
export function drawEdge({ parts }, scales, which, { counts, drawn = null, turn = null, given }) {
  const [bars, drawnBar, badge] = parts[`${which}Edge`].children;
  parts[`${which}Edge`].classList.toggle("given", Boolean(given));
  const lengths = counts.map((count) => (EDGE * count) / Math.max(1, ...counts));
  const bar = barPath(which, scales, counts.length);
  bars.setAttribute("d", lengths.map((length, i) => (i === drawn ? "" : bar(i, length))).join(""));
  drawnBar.setAttribute("d", drawn === null ? "" : bar(drawn, lengths[drawn]));
  const [right, top] = [scales.x.range[1], scales.y.range[1]];
  const place = which === "steer" ? [scales.x.range[0] - 11, top - 13] : [right + 13, top - 13];
  setAttributes(badge, { transform: `translate(${place[0]} ${place[1]})` });
  badge.style.display = turn === null ? "none" : "";
  badge.lastChild.textContent = turn ?? "";
}

function barPath(which, scales, bins) {
  const gap = scales.size / bins > 12 ? 1 : 0.5;
  return (index, length) => {
    if (!length) return "";
    const box = cellBox(scales, bins, index, index);
    if (which === "steer") {
      const base = scales.y.range[1] - 4;
      return rectanglePath(box.x + gap, base - length, box.x + box.width - gap, base);
    }
    const base = scales.x.range[1] + 4;
    return rectanglePath(base, box.y + gap, base + length, box.y + box.width - gap);
  };
}
