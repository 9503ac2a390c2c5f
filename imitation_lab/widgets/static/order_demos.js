// The left panel: the student adds, moves and removes demonstrated actions.

import { clamp, draggable, html, onKeys, roundTo, setAttributes, svg } from "./shared.js";
import { pointList } from "./points.js";
import { OBSTACLES, ORDER_LIMIT, hitsObstacle } from "./order_counts.js";
import { cellBox, drawEdge, drawPlane, makePlane, planeScales } from "./order_plane.js";
import { crossPath, dotPath } from "./order_heat.js";

const REACH = 9; // pixels around an action that count as a click on it
const KEY_STEP = 0.1;
const DELETE_REACH = 0.25; // m/s around the cursor
const CLICK = 3; // a press that moves less than so many pixels is a click
const PLANE_LABEL =
  "Plane of demonstrated actions. Arrow keys move the cursor, Enter adds an action, Delete removes the nearest.";

export function makeDemosPanel(settings, changed, commit) {
  const cursor = { steer: 0, speed: 0 };
  const scales = {};
  const parts = {
    grid: svg("path", { class: "bin-lines" }),
    names: svg("g", {}, ...OBSTACLES.map(makeObstacleName)),
    dotsHalo: svg("path", { class: "action-dots halo" }),
    dots: svg("path", { class: "action-dots" }),
    crossesHalo: svg("path", { class: "sample-crosses halo" }),
    crosses: svg("path", { class: "sample-crosses" }),
    target: svg("circle", { r: 8, class: "target" }),
    cursor: svg("path", { d: "M-11 0H-4M4 0H11M0 -11V-4M0 4V11", class: "cursor" }),
    empty: svg("text", { "text-anchor": "middle", class: "halo" }, "click to add an action"),
  };
  const plane = makePlane(PLANE_LABEL, svg("g", {}, ...Object.values(parts)), "application");
  const spoken = html("p", { class: "only-spoken", "aria-live": "polite" });
  setAttributes(plane.node, {
    class: "demo-plane",
    tabindex: 0,
    "data-lm-suppress-shortcuts": "true",
  });
  const replace = (actions) => {
    Object.assign(settings, { actions, preset: "own" });
    changed();
  };
  const actions = pointList(() => settings.actions, replace);
  followPointer(plane.node, actions, cursor, scales, commit);
  followKeys(plane.node, actions, cursor, changed, commit, spoken);
  const draw = (scene) => drawDemos(plane, parts, scales, cursor, actions, scene);
  return { node: plane.node, spoken, draw };
}

const makeObstacleName = ({ name }) =>
  svg("text", { "text-anchor": "middle", class: "quiet" }, name);

const onPlane = (value) => clamp(roundTo(value, 0.01), -ORDER_LIMIT, ORDER_LIMIT);

/** A press on an action takes it, a press elsewhere adds one; a click on an action removes it. */
function followPointer(node, actions, cursor, scales, commit) {
  let press = null;
  const placeOf = (event) => {
    const box = node.getBoundingClientRect();
    const { x, y } = scales;
    return [x.invert(event.clientX - box.left), y.invert(event.clientY - box.top)].map(onPlane);
  };
  const under = (event) =>
    actions.nearest(
      placeOf(event),
      (event.pointerType === "touch" ? 2 : 1) * (REACH / scales.x.perUnit),
    );
  node.addEventListener("pointermove", (event) => {
    node.classList.toggle("over-action", under(event) >= 0);
  });
  draggable(node, {
    onStart(event) {
      const found = under(event);
      press = { index: found, added: found < 0, moved: false };
      if (press.added) {
        press.index = actions.all.length;
        actions.add(placeOf(event));
      }
      press.start = actions.all[press.index];
      [cursor.steer, cursor.speed] = press.start;
    },
    onMove(movement) {
      press.moved ||= Math.hypot(movement.x, movement.y) > CLICK;
      if (!press.moved) return;
      const { x, y } = scales;
      const [steer, speed] = press.start;
      const place = [steer + movement.x / x.perUnit, speed + movement.y / y.perUnit].map(onPlane);
      [cursor.steer, cursor.speed] = place;
      actions.move(press.index, place);
    },
    onRelease() {
      if (!press.added && !press.moved) actions.remove(press.index);
      commit();
    },
  });
}

function followKeys(node, actions, cursor, changed, commit, spoken) {
  const place = () => [cursor.steer, cursor.speed];
  const tell = (news) => {
    const near = actions.nearest(place(), DELETE_REACH) < 0 ? "" : ", an action is near";
    spoken.textContent = `${news}${actionInWords(place())}${near}`;
  };
  const move = (name, step) => () => {
    cursor[name] = onPlane(cursor[name] + step);
    tell("");
    changed();
  };
  const add = () => {
    actions.add(place());
    tell("Added: ");
  };
  const remove = () => {
    const index = actions.nearest(place(), DELETE_REACH);
    if (index >= 0) actions.remove(index);
    tell(index < 0 ? "Nothing to remove: " : "Removed: ");
  };
  const keys = {
    ArrowLeft: move("steer", -KEY_STEP),
    ArrowRight: move("steer", KEY_STEP),
    ArrowDown: move("speed", -KEY_STEP),
    ArrowUp: move("speed", KEY_STEP),
    Enter: add,
    Delete: remove,
    Backspace: remove,
  };
  onKeys(node, keys, commit);
}

/** Say an action as a driver would: "left 0.60, brake 0.30". */
function actionInWords([steer, speed]) {
  const side =
    steer === 0 ? "straight on" : `${steer < 0 ? "left" : "right"} ${Math.abs(steer).toFixed(2)}`;
  const pace =
    speed === 0
      ? "same speed"
      : `${speed < 0 ? "brake" : "speed up"} ${Math.abs(speed).toFixed(2)}`;
  return `${side}, ${pace}`;
}

function drawDemos(plane, parts, scales, cursor, list, { settings, numbers, width }) {
  Object.assign(scales, planeScales(width));
  const { x, y } = scales;
  const { actions, bins, obstacles } = settings;
  drawPlane(plane, { settings, width, ...scales });
  for (const which of ["steer", "speed"])
    drawEdge(plane, scales, which, { counts: numbers.counts[which] });
  parts.grid.setAttribute("d", binLines(scales, bins));
  parts.names.style.display = obstacles ? "" : "none";
  OBSTACLES.forEach(({ steer, speed }, i) => {
    const edge = speed[1] === ORDER_LIMIT ? y(speed[1]) + 16 : y(speed[0]) - 7;
    setAttributes(parts.names.children[i], { x: (x(steer[0]) + x(steer[1])) / 2, y: edge });
  });
  const crashes = (action) => obstacles && hitsObstacle(action);
  const dots = dotPath(
    scales,
    actions.filter((action) => !crashes(action)),
  );
  const crosses = crossPath(scales, actions.filter(crashes));
  for (const path of [parts.dots, parts.dotsHalo]) path.setAttribute("d", dots);
  for (const path of [parts.crosses, parts.crossesHalo]) path.setAttribute("d", crosses);
  drawCursor(parts, scales, cursor, list);
  setAttributes(parts.empty, { x: (x(-1) + x(1)) / 2, y: y(0) + 4 });
  parts.empty.style.display = actions.length ? "none" : "";
}

function drawCursor({ cursor: mark, target }, { x, y }, { steer, speed }, list) {
  mark.setAttribute("transform", `translate(${x(steer)} ${y(speed)})`);
  const near = list.all[list.nearest([steer, speed], DELETE_REACH)];
  target.style.display = near ? "" : "none";
  if (near) setAttributes(target, { cx: x(near[0]), cy: y(near[1]) });
}

function binLines(scales, bins) {
  const { x, y, size } = scales;
  const [left, top] = [x.range[0], y.range[1]];
  const inner = Array.from({ length: bins - 1 }, (_, i) => cellBox(scales, bins, i + 1, i));
  const lines = inner.map((box) => `M${box.x} ${top}v${size}M${left} ${box.y}h${size}`);
  return lines.join("");
}
