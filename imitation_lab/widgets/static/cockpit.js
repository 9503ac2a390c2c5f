// The cockpit: a policy drives, and whoever holds Space or the pointer drives instead. Vehicle and networks run
// here; the kernel sends weights and gets whole drives, and may be busy meanwhile.

import { html } from "./shared.js";
import { makeButton, makeChoice, makeRange, settingOf, showPanels } from "./panels.js";
import { makeVehicle } from "./vehicles.js";
import { makeHands, makeMeter, paceInWords } from "./driving.js";
import { makeWheel, poseWithin } from "./cockpit_drive.js";
import { makeEngine } from "./cockpit_loop.js";
import { makeCockpitRoad } from "./cockpit_road.js";
import { makeDoubtStrip, makeOffsetStrip, makeSteeringStrip } from "./cockpit_strips.js";
import { cockpitSentence, makeResults } from "./cockpit_results.js";

const COCKPIT_TRAITS = ["threshold", "driver", "pace"];
const HINT = "Hold Space or the pointer on the road, and you drive: arrows or the pointer steer. Let go, and the policy drives.";
const WATCH_HINT = "Left and right arrow push the vehicle aside. Hold Space or the pointer to drive yourself.";
const SEAT_KEYS = "Enter starts, Escape stops, Space held down takes over, arrows steer meanwhile";
const DOUBT_HINT = "Doubt: how much the policies disagree, in the meter now.";
const OFFSET_HINT = "Place in the lane, between its edges.";
const STEERING_HINT = "Steering, to the left is up.";
const LINE_REACH = 0.3; // of the largest action: how far the slider over the line of doubt goes

function renderCockpit({ model, el }) {
  const plan = model.get("plan");
  const parts = {}; // made below, once the settings are there
  return showPanels({
    model,
    el,
    traits: COCKPIT_TRAITS,
    name: "cockpit",
    label: "Cockpit",
    summarise: ({ threshold }) => lookAt(parts, plan, threshold),
    sentence: (_, numbers) => cockpitSentence(numbers),
    silent: () => true, // it tells of itself when a drive begins and ends
    build: (settings, redraw, commit) =>
      buildCockpit(parts, { model, plan, settings, redraw, commit }),
  });
}

/** What stands in the cockpit's words. */
function lookAt({ engine, wheel }, plan, threshold) {
  const running = engine.isRunning();
  return {
    plan,
    threshold,
    running,
    drive: engine.drive(),
    mail: engine.mail,
    engaged: running && wheel.engaged(),
    ensemble: engine.policies().length > 1,
  };
}

function buildCockpit(parts, { model, plan, settings, redraw, commit }) {
  const [vehicle, meter] = [makeVehicle(plan), makeMeter()];
  const road = makeCockpitRoad(plan);
  const seat = makeSeat(road.node, plan);
  const keys = (key) => useKey(parts.engine, plan, key);
  const hands = makeHands(seat, { holds: [" "], onKey: keys, onLost: redraw, meter });
  hands.watch(road.node);
  parts.wheel = makeWheel({ plan, vehicle, hands, metresAt: road.metresAt });
  if (!plan.record) pushByArrows(seat, parts);
  const left = makeRoadPanel(parts, { plan, vehicle, settings, road, seat, hands, redraw, commit });
  const right = makeStripsPanel(parts, { model, plan, settings, redraw, commit });
  const spoken = html("p", { class: "only-spoken", "aria-live": "polite" });
  parts.engine = makeEngine({
    model,
    plan,
    vehicle,
    settings,
    wheel: parts.wheel,
    meter,
    paint(share) {
      left.paint(share);
      right.paint();
    },
    redraw,
    say(text) {
      spoken.textContent = text ?? cockpitSentence(lookAt(parts, plan, settings.threshold));
    },
  });
  parts.engine.load();
  const speed = html("p", { class: "speed" });
  const draw = () => {
    left.drawControls();
    right.drawControls();
    speed.textContent = `${paceInWords(meter.read())} ${thinkingInWords(parts.engine)}`;
  };
  const below = html("div", {}, speed, spoken);
  return { panels: [left.panel, right.panel], draw, stop: parts.engine.takeDown, below };
}

function makeSeat(road, { record }) {
  const more = record
    ? "Backspace discards the last drive."
    : "left and right arrow alone push the vehicle aside.";
  return html(
    "div",
    {
      class: "seat",
      tabindex: 0,
      role: "application",
      "aria-label": `The road. ${SEAT_KEYS}, ${more}`,
      "data-lm-suppress-shortcuts": "true",
    },
    road,
  );
}

/** An arrow that goes down pushes once, however short: a step of the road may be longer. */
function pushByArrows(seat, parts) {
  const sides = { ArrowLeft: 1, ArrowRight: -1 };
  seat.addEventListener("keydown", ({ key, repeat }) => {
    if (key in sides && !repeat && !parts.wheel.engaged()) parts.engine.push(sides[key]);
  });
}

function useKey(engine, { record }, key) {
  if (key === "Enter") engine.start();
  else if (key === "Escape" && engine.isRunning()) engine.stop();
  else if (key === "Backspace" && record && !engine.isRunning()) engine.discard();
  else return false;
  return true;
}

function makeRoadPanel(parts, { plan, vehicle, settings, road, seat, hands, redraw, commit }) {
  const view = { width: 0, share: 0 };
  const start = makeButton("Start", () => {
    seat.focus({ preventScroll: true });
    if (parts.engine.isRunning()) parts.engine.stop();
    else parts.engine.start();
  });
  start.classList.add("main", "start");
  const discard = makeButton("Discard the last drive", () => parts.engine.discard());
  const pushes = [
    makeButton("Push left", () => parts.engine.push(1)),
    makeButton("Push right", () => parts.engine.push(-1)),
  ];
  const pace = makeRange(
    {
      label: "Pace of the road",
      limits: { min: 0.1, max: 1, step: 0.05 },
      format: (value) => `${value.toFixed(2)} ×`,
      ...settingOf(settings, "pace", redraw),
    },
    commit,
  );
  const paint = (share = view.share) => {
    view.share = share;
    const { engine, wheel } = parts;
    const drive = engine.drive();
    const pose = poseWithin(drive, vehicle, engine.isRunning() ? share : 1);
    const driver = engine.isRunning() ? (wheel.engaged() ? "person" : "policy") : "nobody";
    road.draw({ width: view.width, drive, pose, driver, pointer: hands.pointer() });
  };
  const drawControls = () => {
    const running = parts.engine.isRunning();
    start.textContent = running ? "Stop" : "Start";
    discard.disabled = running;
    for (const push of pushes) push.disabled = !running;
    pace.draw();
  };
  const panel = {
    title: "The road",
    hint: plan.record ? HINT : WATCH_HINT,
    legend: { "trail-sample": "the policy drove", "hand-sample": "you drove" },
    controls: [start, ...(plan.record ? [discard] : pushes), pace.node],
    node: seat,
    draw({ width }) {
      view.width = width;
      paint();
    },
  };
  return { panel, paint, drawControls };
}

function makeStripsPanel(parts, { model, plan, settings, redraw, commit }) {
  const [doubt, steering] = [makeDoubtStrip(plan), makeSteeringStrip(plan)];
  const offset = plan.name === "racetrack" ? makeOffsetStrip(plan) : null;
  const underHint = (hint, { node }) => html("div", {}, html("p", { class: "hint" }, hint), node);
  const doubtBox = underHint(DOUBT_HINT, doubt);
  const line = makeLineControl(settings, plan, redraw, commit);
  const choice = makeDriverControl(settings, redraw, commit);
  const results = makeResults();
  let width = 0;
  const paint = () => {
    const { log } = parts.engine.drive();
    if (!doubtBox.hidden) doubt.draw({ width, log, threshold: settings.threshold });
    offset?.draw({ width, log });
    steering.draw({ width, log });
  };
  const drawControls = () => {
    const count = parts.engine.policies().length;
    doubtBox.hidden = count === 1;
    line.draw(count);
    choice.draw(count);
    results.draw(model.get("results"), model.get("network").name);
  };
  const panel = {
    title: "The drive over time",
    legend: { "done-sample": "done", "wish-sample": "what the policy would do", "band-sample": "you drove" },
    controls: [line.node, choice.node, results.node],
    node: html(
      "div",
      { class: "strips" },
      doubtBox,
      offset && underHint(OFFSET_HINT, offset),
      underHint(STEERING_HINT, steering),
    ),
    draw(scene) {
      width = scene.width;
      paint();
    },
  };
  return { panel, paint, drawControls };
}

/** The line of doubt can be moved once Python has drawn one. */
function makeLineControl(settings, plan, redraw, commit) {
  const most = Math.max(LINE_REACH * plan.action_bound, 2 * (settings.threshold ?? 0));
  const range = makeRange(
    {
      label: "Line of doubt",
      limits: { min: 0, max: most, step: most / 200 },
      format: (value) => value.toFixed(2),
      ...settingOf(settings, "threshold", redraw),
    },
    commit,
  );
  const draw = (count) => {
    range.node.hidden = count === 1 || settings.threshold === null;
    if (!range.node.hidden) range.draw();
  };
  return { node: range.node, draw };
}

function makeDriverControl(settings, redraw, commit) {
  const box = html("div", { class: "who" });
  let [made, choice] = [0, null];
  const draw = (count) => {
    box.hidden = count === 1;
    if (count !== made) {
      const names = Array.from({ length: count }, (_, i) => [i, `${i + 1}`]);
      const { get, set } = settingOf(settings, "driver", redraw, commit);
      choice = makeChoice({
        label: "Which of them drives",
        options: Object.fromEntries(names),
        get: () => String(get()),
        set: (value) => set(Number(value)),
      });
      box.replaceChildren(choice.node);
    }
    made = count;
    choice.draw();
  };
  return { node: box, draw };
}

function thinkingInWords(engine) {
  const { log, thinking } = engine.drive();
  if (log.length === 0) return "";
  const count = engine.policies().length;
  const who = count === 1 ? "The policy thinks" : `All ${count} policies together think`;
  return `${who} for ${(thinking / log.length).toFixed(2)} ms a step.`;
}

export default { render: renderCockpit };
