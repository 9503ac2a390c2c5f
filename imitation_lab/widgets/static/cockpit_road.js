// The road of the cockpit: the way so far, which part of it the person drove, and who drives now.

import { linePath, setAttributes, svg } from "./shared.js";
import { roadOf, makeRoadView } from "./roads.js";

const SIGN = { policy: "the policy drives", person: "you drive", nobody: "ready" };

/** Make the picture of the road; `draw(drive, pose, driver)` with who drives now: a key of `SIGN`. */
export function makeCockpitRoad(plan) {
  const parts = {
    trail: svg("path", { class: "trail" }),
    shade: svg("path", { class: "hand-shade" }),
    hand: svg("path", { class: "hand-trail" }),
    pushes: svg("path", { class: "push-marks" }),
    target: svg("path", { class: "target" }),
  };
  const ring = svg("circle", { class: "hand-ring", r: 17 });
  const sign = svg("text", { class: "sign on-road", y: 5 });
  const plate = svg("rect", { class: "sign-plate", y: -12, height: 25, rx: 6 });
  const post = svg("g", {}, plate, sign);
  const view = makeRoadView({
    below: Object.values(parts),
    above: [ring, post],
    "aria-label": "The vehicle on its road, from above",
  });
  const draw = ({ width, drive, pose, driver, pointer }) => {
    const pixels = view.lay(roadOf(plan, drive.state), width);
    view.node.dataset.driver = driver;
    drawWay(parts, drive, pose, pixels);
    drawTarget(parts.target, pixels.at([pose.x, pose.y]), pointer);
    view.place(pose);
    view.crash(drive.ending === "failure" ? pose : null);
    const [x, y] = pixels.at([pose.x, pose.y]);
    setAttributes(ring, { cx: x, cy: y, visibility: driver === "person" ? "visible" : "hidden" });
    const [left, top] = plan.name === "fork" ? [pixels.width / 2, 22] : pixels.at([0, 0]);
    post.setAttribute("transform", `translate(${left} ${top})`);
    if (sign.textContent !== SIGN[driver]) hangSign(sign, plate, SIGN[driver]);
  };
  return { node: view.node, draw, metresAt: (place) => view.pixels().metresAt(place) };
}

function hangSign(sign, plate, text) {
  sign.textContent = text;
  const width = 16 + 7.8 * text.length;
  setAttributes(plate, { width, x: -width / 2 });
}

/** The whole way in one line, and over it the stretches that the person drove. */
function drawWay({ trail, shade, hand, pushes }, { log, pushed }, pose, { at }) {
  const places = [...log.map(({ place }) => place), [pose.x, pose.y]].map(at);
  const stretches = [];
  log.forEach(({ engaged }, i) => {
    if (engaged && !log[i - 1]?.engaged) stretches.push([places[i]]);
    if (engaged) stretches.at(-1).push(places[i + 1]);
  });
  const byHand = stretches.map(linePath).join("");
  trail.setAttribute("d", linePath(places));
  for (const path of [shade, hand]) path.setAttribute("d", byHand);
  pushes.setAttribute("d", pushed.map(([from, to]) => pushPath(...placesOf(at, from, to))).join(""));
}

const placesOf = (at, ...poses) => poses.map(({ x, y }) => at([x, y]));

/** An arrow beside the way, from far off to where the push took the vehicle. */
function pushPath([x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [right, down] = [(x1 - x0) / length, (y1 - y0) / length];
  const tail = [x0 - 22 * right, y0 - 22 * down];
  const head = [x0 - 6 * right, y0 - 6 * down];
  const barb = (side) => [
    head[0] - 6 * right + 5 * side * down,
    head[1] - 6 * down - 5 * side * right,
  ];
  return linePath([tail, head]) + linePath([barb(1), head, barb(-1)]);
}

function drawTarget(target, here, pointer) {
  const [x, y] = pointer?.at ?? here;
  target.setAttribute("d", pointer ? `M${here[0]} ${here[1]}L${x} ${y}M${x - 5} ${y}h10M${x} ${y - 5}v10` : "");
}
