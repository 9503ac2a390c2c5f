// One drive after the other: from a start, by a person's hands, to an ending; and what is seen of it meanwhile.

import { linePath } from "./shared.js";
import { makeHands, makeLoop, makeMeter, paceInWords } from "./driving.js";
import { makeVehicle } from "./vehicles.js";
import { roadOf } from "./roads.js";
import { DRIVE_ENDINGS } from "./recorder_drives.js";
import { makeInterface, makeKeyStick } from "./recorder_hands.js";

const TOLD_EVERY = 500; // milliseconds between two readings of the frame rate
const LINGER = 900; // milliseconds for which the end of a drive stays in sight

/** Let a person drive on a road, with what `hold()` shows them of the pad. `say(text)` is read aloud as well. */
export function makeDriving({ plan, starts, drives, settings, road, hold, say, tellPace, redraw }) {
  const vehicle = makeVehicle(plan);
  const [meter, keys] = [makeMeter(), makeKeyStick()];
  let [now, over, control, toldAt] = [null, null, null, 0];

  const nextState = () => starts[drives.nextStart(starts.length)];
  const shownStates = () => (now ?? over)?.states ?? [nextState()];
  const linger = (drive) => {
    over = drive;
    setTimeout(() => {
      if (over === drive) over = null;
      redraw();
    }, LINGER);
  };
  const begin = () => {
    const start = drives.nextStart(starts.length);
    const driver = settings.interface;
    now = { id: freshName(), start, driver, states: [starts[start]], actions: [] };
    control = makeInterface(driver, plan, settings.latency);
    control.begin(starts[start]);
    keys.begin();
    over = null;
    loop.start();
    say("Driving.");
    redraw();
  };
  const end = (ending) => {
    if (!now) return;
    loop.stop();
    hands.letGo();
    const drive = { ...now, ending };
    [now, control] = [null, null];
    linger(drive);
    if (drive.actions.length) drives.add(drive);
    say(endInWords(drive, plan, drives));
    redraw();
  };

  const onStep = () => {
    const state = now.states.at(-1);
    const stick = keys.move(hands.direction(), plan.time_step);
    const seen = { pointed: pointedAt(now.driver), stick, seconds: plan.time_step };
    const wish = control.act(state, seen);
    const action = vehicle.toWorld ? vehicle.toWorld(wish) : wish;
    const next = vehicle.advance(state, action);
    now.states.push(next);
    now.actions.push(action);
    const ending = vehicle.endingOf(next);
    if (ending) end(ending);
    else if (now.actions.length >= plan.max_steps) end("cut off");
  };
  const pointedAt = (driver) => {
    const pointer = hands.pointer();
    const pad = hold();
    if (driver === "drag") return pointer?.node === road.node ? road.pixels().metresAt(pointer.at) : null;
    return pad && pointer?.node === pad.node ? pad.pointed(pointer.at) : null;
  };

  const drawHand = () => {
    const held = control?.view() ?? {};
    drawHandOnRoad(road, held.hand);
    hold()?.draw(control ? held : restingHand(nextState()));
  };
  const drawVehicle = (owed) => {
    const states = shownStates();
    const pose = vehicle.poseOf(states.at(-1), owed);
    road.place(pose);
    road.crash(over?.ending === "failure" ? pose : null);
    road.node.dataset.shows = now ? "drive" : over ? "end" : "start";
    const places = [...states.slice(0, -1), [pose.x, pose.y]].map(road.pixels().at);
    road.parts.trail.setAttribute("d", linePath(places));
  };
  const onFrame = (owed) => {
    if (now) drawVehicle(owed);
    drawHand();
    const moment = performance.now();
    if (moment - toldAt < TOLD_EVERY) return;
    toldAt = moment;
    tellPace(paceInWords(meter.read()));
  };

  const deleteLast = () => {
    const last = drives.all().at(-1);
    if (now || !last) return;
    drives.remove(last.id);
    say("The last drive is deleted.");
  };
  const onKey = (key) => {
    if (key === "Enter" && !now) begin();
    else if (key === "Escape" && now) end("cut off");
    else if (key === "Backspace") deleteLast();
    else return false;
    return true;
  };
  const onPress = ({ node }) => {
    const ours = settings.interface === "drag" ? road.node : hold()?.node;
    if (!now && node === ours) begin();
  };
  const loop = makeLoop({
    timeStep: plan.time_step,
    pace: () => settings.pace,
    meter,
    onStep,
    onFrame,
  });
  const hands = makeHands(road.node, { onKey, onPress, onLost: () => end("cut off"), meter });
  hands.watch(road.node);

  return {
    watch: hands.watch,
    deleteLast,
    toggle() {
      if (now) return end("cut off");
      road.node.focus({ preventScroll: true });
      begin();
    },
    isRunning: () => now !== null,
    stop: loop.stop,
    draw(width, shown, chosen) {
      const pixels = road.lay(roadOf(plan, shownStates()[0]), width);
      drawPiles(road.piles, shown, pixels);
      const picked = shown.find(({ id }) => id === chosen);
      road.parts.chosen.setAttribute("d", picked ? linePath(picked.trail.map(pixels.at)) : "");
      drawVehicle(0);
    },
    drawHand,
  };
}

const freshName = () => `${Date.now()}-${Math.random().toString(36).slice(2)}`;

function endInWords(drive, plan, drives) {
  if (drive.actions.length === 0) return "Nothing was driven.";
  const seconds = (drive.actions.length * plan.time_step).toFixed(1);
  const again = drives.all().filter(({ start }) => start === drive.start).length % 2 === 1;
  const next = again ? "Next: the same start once more." : "Next: another start.";
  const text = DRIVE_ENDINGS[drive.ending].text;
  return `Drive ${drives.all().length} ${text} after ${seconds} s. ${next}`;
}

/** Where the hand rests before a drive begins. */
const restingHand = (state) => ({ leader: state.slice(0, 2), heading: state[2] });

function drawHandOnRoad({ parts, pixels, node }, hand) {
  const shown = hand ? "visible" : "hidden";
  for (const part of [parts.hand, parts.leash]) part.setAttribute("visibility", shown);
  if (!hand) return;
  const [x, y] = pixels().at(hand);
  parts.hand.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
  const place = node.querySelector(".vehicle").getAttribute("transform");
  const [left, top] = place.match(/translate\((\S+) (\S+)\)/).slice(1);
  parts.leash.setAttribute("d", `M${left} ${top}L${x.toFixed(2)} ${y.toFixed(2)}`);
}

function drawPiles(piles, shown, { at }) {
  for (const [ending, { lines, marks }] of Object.entries(piles)) {
    const trails = shown.filter((drive) => drive.ending === ending).map(({ trail }) => trail.map(at));
    lines.setAttribute("d", trails.map(linePath).join(""));
    marks.setAttribute("d", trails.map((trail) => endMark(ending, trail.at(-1))).join(""));
  }
}

/** The mark at a trail's end: a dot, a cross or a bar. */
function endMark(ending, [x, y]) {
  if (ending === "success") return `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z`;
  if (ending === "failure") return `M${x - 5} ${y - 5}l10 10M${x + 5} ${y - 5}l-10 10`;
  return `M${x} ${y - 7}v14`;
}
