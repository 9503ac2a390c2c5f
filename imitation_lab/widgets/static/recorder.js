// The recorder: a person drives, and every drive goes to the kernel as a demonstration. The loop, the physics and
// the drawing are the browser's; the kernel may be busy, and a drive then waits in its queue.

import { floatsOf, html, svg } from "./shared.js";
import { makeButton, makeChoice, makeRange, settingOf, showPanels } from "./panels.js";
import { paceInWords } from "./driving.js";
import { makeRoadView } from "./roads.js";
import { DRIVE_ENDINGS, drivesSentence, makeDrives } from "./recorder_drives.js";
import { makeDriving } from "./recorder_driving.js";
import { makeDriveList } from "./recorder_list.js";
import { makePad } from "./recorder_pad.js";

const RECORDER_TRAITS = ["interface", "pace", "latency"];
const INTERFACE_OPTIONS = {
  drag: "drag the vehicle itself (kinesthetic)",
  remote: "from afar, by stick or keys (remote)",
  leader: "move a leader that it copies (puppeteering)",
};
const RECORDER_HINTS = {
  drag: "Press on the road and pull the vehicle along. By keyboard: Enter, then arrows.",
  remote: "Push the stick. By keyboard: Enter, then arrows. What you say arrives late.",
  leader: "Drag the leader. By keyboard: Enter, then arrows. The vehicle copies its velocity, not its place.",
};
const RECORDER_AREA =
  "Driving area. Enter starts a drive. Arrow keys or W, A, S and D drive. Escape ends the drive. " +
  "Backspace deletes the last one.";

function renderRecorder({ model, el }) {
  const plan = model.get("plan");
  let redraw = () => {};
  const drives = makeDrives(model, () => redraw());
  const release = showPanels({
    model,
    el,
    traits: RECORDER_TRAITS,
    name: "recorder",
    label: "Recorder of demonstrations",
    summarise: () => ({ drives: drives.all(), waiting: drives.waiting() }),
    sentence: (_, { drives: shown, waiting }) =>
      drivesSentence(shown, plan) + waitingInWords(waiting, drives.listens()),
    silent: () => true, // it says aloud what has been driven, not the settings
    build(settings, drawSoon, commit) {
      redraw = drawSoon;
      return buildRecorder(model, plan, drives, settings, redraw, commit);
    },
  });
  return () => {
    release();
    drives.release();
  };
}

function waitingInWords(waiting, listens) {
  if (waiting === 0) return "";
  if (!listens) return " No kernel listens: they are gone when this page is closed.";
  const are = waiting === 1 ? "1 drive is" : `${waiting} drives are`;
  return ` ${are} on the way to the kernel, which takes them when it has time.`;
}

function buildRecorder(model, plan, drives, settings, redraw, commit) {
  const road = makeRecorderRoad();
  const told = html("p", { class: "told", "aria-live": "polite" });
  const quick = html("p", { class: "quick" }, paceInWords({ rate: null }));
  const hold = makeHold(plan, settings);
  const list = makeDriveList(drives, plan, redraw);
  const driving = makeDriving({
    plan,
    starts: startsOf(model, plan),
    drives,
    settings,
    road,
    hold: hold.pad,
    say: (text) => (told.textContent = text),
    tellPace: (text) => (quick.textContent = text),
    redraw,
  });
  for (const pad of hold.pads) driving.watch(pad.node);
  const start = makeButton("Start", driving.toggle, { class: "main start" });
  const last = makeButton("Delete last", driving.deleteLast);
  const controls = makeRecorderControls(settings, redraw, commit);
  const left = {
    title: plan.name === "fork" ? "The road from above" : "The track from above",
    hint: RECORDER_HINTS.drag,
    legend: endingsLegend(),
    controls: [start, last, told],
    node: road.node,
    draw: ({ width, numbers }) => driving.draw(width, numbers.drives, list.chosen()),
  };
  const right = {
    title: "Your hand and your drives",
    node: html("div", {}, controls.choice, hold.node, controls.sliders, list.node),
    draw({ width, numbers }) {
      hold.lay(width);
      driving.drawHand();
      list.draw(numbers.drives);
    },
  };
  const draw = (numbers) => {
    controls.draw();
    start.textContent = driving.isRunning() ? "End" : "Start";
    last.disabled = numbers.drives.length === 0 || driving.isRunning();
    const hint = road.node.parentElement?.querySelector(".hint");
    if (hint) hint.textContent = RECORDER_HINTS[settings.interface];
  };
  return { panels: [left, right], draw, stop: driving.stop, below: quick };
}

function startsOf(model, plan) {
  const numbers = Array.from(floatsOf(model.get("starts")));
  const size = plan.state_dim;
  return Array.from({ length: numbers.length / size }, (_, i) =>
    numbers.slice(i * size, (i + 1) * size),
  );
}

function makeRecorderRoad() {
  const piles = Object.keys(DRIVE_ENDINGS).map((ending) => {
    const name = ending.replace(" ", "-");
    const lines = svg("path", { class: `trail-${name}` });
    return [ending, { lines, marks: svg("path", { class: `mark-${name}` }) }];
  });
  const parts = {
    chosen: svg("path", { class: "trail-chosen" }),
    trail: svg("path", { class: "trail-now" }),
    leash: svg("path", { class: "leash", visibility: "hidden" }),
    hand: svg("circle", { r: 9, class: "hand", visibility: "hidden" }),
  };
  const layers = piles.flatMap(([, { lines, marks }]) => [lines, marks]);
  const view = makeRoadView({
    below: [...layers, parts.chosen, parts.trail],
    above: [parts.leash, parts.hand],
    class: "from-above area",
    role: "application",
    tabindex: 0,
    "aria-label": RECORDER_AREA,
    "data-lm-suppress-shortcuts": "true",
  });
  return { ...view, piles: Object.fromEntries(piles), parts };
}

/** What the hand holds: the pad of the interface that is chosen, once it has been laid out. */
function makeHold(plan, settings) {
  const pads = { remote: makePad("remote", plan), leader: makePad("leader", plan) };
  const node = html("div", { class: "hold" }, ...Object.values(pads).map((pad) => pad.node));
  let laid = null;
  const pad = () => (laid === settings.interface ? pads[laid] : null);
  const lay = (width) => {
    for (const [name, { node: shown }] of Object.entries(pads))
      shown.style.display = name === settings.interface ? "block" : "none";
    pads[settings.interface]?.lay(width);
    laid = settings.interface in pads ? settings.interface : null;
  };
  return { node, pads: Object.values(pads), pad, lay };
}

function makeRecorderControls(settings, redraw, commit) {
  const setting = (name) => settingOf(settings, name, redraw);
  const choice = makeChoice({
    label: "How you drive",
    options: INTERFACE_OPTIONS,
    ...settingOf(settings, "interface", redraw, commit),
  });
  const pace = {
    label: "Pace",
    limits: { min: 0.25, max: 2, step: 0.25 },
    format: (value) => `${value.toFixed(2)} ×`,
    ...setting("pace"),
  };
  const latency = {
    label: "Commands arrive late by",
    limits: { min: 0, max: 0.6, step: 0.05 },
    format: (value) => `${value.toFixed(2)} s`,
    ...setting("latency"),
  };
  const ranges = [makeRange(pace, commit), makeRange(latency, commit)];
  const sliders = html("div", { class: "controls" }, ...ranges.map(({ node }) => node));
  const draw = () => {
    choice.draw();
    for (const range of ranges) range.draw();
    ranges[1].node.style.display = settings.interface === "remote" ? "" : "none";
  };
  return { choice: choice.node, sliders, draw };
}

const endingsLegend = () =>
  Object.fromEntries(
    Object.entries(DRIVE_ENDINGS).map(([ending, { text, mark }]) => [
      `trail-${ending.replace(" ", "-")}`,
      `${text} ${mark}`,
    ]),
  );

export default { render: renderRecorder };
