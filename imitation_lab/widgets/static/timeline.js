// The chunk timeline: what was predicted, taken, missed and thrown away while the vehicle drove, and the plan
// that it drove by. The kernel sends whole drives once and hears of a change on release.

import { draggable, html, onKeys, svg } from "./shared.js";
import { makeChoice, settingOf, showPanels } from "./panels.js";
import { makeClock, makeTransport } from "./clock.js";
import { driveSentence, fatesAt, summariseDrive, unpackDrives } from "./timeline_numbers.js";
import { makeForkRoad } from "./timeline_road.js";
import { makeCell, makeChunkPanel, makeRibbon } from "./timeline_cells.js";

const TIMELINE_TRAITS = ["trace", "step", "playing"];
const STEP_MILLISECONDS = 280; // a third of the vehicle's own pace
const CHUNKS_LABEL =
  "Timeline of chunks. Left and right arrow move by a step, up and down arrow to the last and the next new chunk, " +
  "Home and End jump, Space plays and pauses.";
const FATES = {
  taken: "taken",
  held: "held: the chunk ran out",
  missed: "missed: the old chunk acts",
  awaited: "being thought of",
  "to-come": "still to come",
  discarded: "thrown away",
};

function renderTimeline({ model, el }) {
  const drives = unpackDrives(model);
  const view = { moment: model.get("step") };
  return showPanels({
    model,
    el,
    traits: TIMELINE_TRAITS,
    name: "timeline",
    label: "Chunk timeline",
    summarise: (settings) => summariseDrive(drives, settings),
    sentence: (_, numbers) => driveSentence(numbers),
    silent: ({ playing }) => playing,
    build: (settings, redraw, commit) => buildTimeline(settings, view, drives, redraw, commit),
  });
}

function buildTimeline(settings, view, drives, redraw, commit) {
  const shown = () => summariseDrive(drives, settings);
  const time = makeTime(settings, view, shown);
  const clock = makeClock(settings, time, redraw, commit);
  const road = makeForkRoad();
  const chunks = makeChunkPanel(drives, (node, stepAt) =>
    followTimelineHands(node, stepAt, shown, clock, commit),
  );
  const transport = makeStepTransport(settings, clock, shown, commit);
  const choice = makeDriveChoice(settings, drives, redraw, commit);
  const withMoment = (draw) => (scene) => draw({ ...scene, moment: time.get() });
  const left = {
    title: "The plan ahead",
    hint: "The vehicle follows its plan until a new one is at hand.",
    legend: {
      "plan-sample": "plan ahead",
      "old-sample": "old plan, thrown away",
      "trail-sample": "driven so far",
    },
    controls: [...transport.nodes, choice.node],
    node: road.node,
    draw: withMoment(road.draw),
  };
  const right = {
    title: "What became of every action",
    hint: "Each row is a chunk. A blue bar upwards steers left, a purple one downwards right. Drag to move in time.",
    legend: {
      "taken-sample": "steered",
      "planned-sample": "planned",
      "jump-sample": "the new plan jumps",
    },
    controls: [fateLegend(drives)],
    node: chunks.node,
    draw: withMoment(chunks.draw),
  };
  const draw = () => {
    clock.follow();
    transport.draw();
    choice.draw();
  };
  return { panels: [left, right], draw, stop: clock.stop };
}

/** Steps are whole for the kernel; while time plays, the vehicle is also drawn between them. */
function makeTime(settings, view, shown) {
  return {
    get() {
      const { now } = shown();
      const between = settings.playing && Math.floor(view.moment) === now;
      return between ? view.moment : now;
    },
    set(moment) {
      view.moment = moment;
      settings.step = Math.floor(moment);
    },
    end: () => shown().drive.steps,
    milliseconds: STEP_MILLISECONDS,
    calmStep: 1,
  };
}

function makeStepTransport(settings, clock, shown, commit) {
  const range = {
    label: "Step",
    limits: { min: 0, max: 1, step: 1 },
    format: (step) => `${step} of ${shown().drive.steps}`,
    get: () => shown().now,
  };
  const transport = makeTransport(settings, clock, range, commit);
  const input = transport.slider.node.querySelector("input");
  const draw = () => {
    input.max = shown().drive.steps;
    transport.draw();
  };
  return { ...transport, draw };
}

/** Each drive with all that was done in it: where the sides alternate, the plan jumped. */
function makeDriveChoice(settings, drives, redraw, commit) {
  const options = drives.map(({ label, outcome }) => [label, `${label} (${outcome})`]);
  const choice = makeChoice({
    label: "What the vehicle was told to do, up for left",
    options: Object.fromEntries(options),
    ...settingOf(settings, "trace", redraw, commit),
  });
  const longest = Math.max(...drives.map(({ steps }) => steps));
  choice.node.querySelectorAll("label").forEach((label, index) => {
    label.append(makeRibbon(drives[index], longest));
  });
  return choice;
}

function followTimelineHands(node, stepAt, shown, clock, commit) {
  node.setAttribute("aria-label", CHUNKS_LABEL);
  const moveTo = (x) => clock.scrub(Math.round(stepAt(x)));
  draggable(node, {
    onStart(event) {
      const x = event.clientX - node.getBoundingClientRect().left;
      moveTo(x);
      return x;
    },
    onMove: (movement, start) => moveTo(start + movement.x),
    onRelease: commit,
  });
  const by = (steps) => () => clock.scrub(shown().now + steps);
  const keys = {
    " ": clock.toggle,
    ArrowLeft: by(-1),
    ArrowRight: by(1),
    PageUp: by(5),
    PageDown: by(-5),
    Home: () => clock.scrub(0),
    End: () => clock.scrub(Infinity),
    ArrowUp: () => clock.scrub(takeoverBefore(shown())),
    ArrowDown: () => clock.scrub(takeoverAfter(shown())),
  };
  onKeys(node, keys, commit);
}

const takeoverBefore = ({ drive, now }) =>
  drive.takeovers.findLast(({ step }) => step < now)?.step ?? 0;
const takeoverAfter = ({ drive, now }) =>
  drive.takeovers.find(({ step }) => step > now)?.step ?? drive.steps;

/** A cell of each kind that occurs, beside its name. */
function fateLegend(drives) {
  const late = drives.some(({ delay }) => delay > 0);
  const held = drives.some((drive) => fatesAt(drive, drive.steps).flat().includes("held"));
  const occurs = { held, missed: late, awaited: late };
  const fates = Object.entries(FATES).filter(([fate]) => occurs[fate] ?? true);
  const entries = fates.map(([fate, text]) => {
    const cell = makeCell({ width: 15, height: 20 }, 0.7);
    cell.setAttribute("class", `cell ${fate}`);
    const picture = svg("svg", { viewBox: "0 0 15 20", "aria-hidden": "true" }, cell);
    return html("span", {}, picture, text);
  });
  return html("p", { class: "legend fates" }, ...entries);
}

export default { render: renderTimeline };
