// One drive after the other: started, driven in real time, ended, sent to the kernel.

import { floatsOf, oncePerFrame } from "./shared.js";
import { makeLoop, sendToKernel } from "./driving.js";
import { makePolicies } from "./network.js";
import { packDrive, startDrive } from "./cockpit_drive.js";

const READ_AGAIN = 250; // milliseconds between two looks at the numbers in words

/**
 * Make the cockpit's engine: `drive()` is the present drive, or the next one at its start. `paint(share)` draws
 * it, so far into its last step; `redraw` draws all else; `say(text)` tells those who listen.
 */
export function makeEngine({ model, plan, vehicle, settings, wheel, meter, paint, redraw, say }) {
  const mail = makeMail(model);
  let [policies, drive, looked, painted] = [[], null, 0, 0];
  const load = () => {
    policies = makePolicies(model.get("network"), floatsOf(model.get("weights")));
    if (!loop.isRunning()) drive = next();
  };
  const next = () => {
    const weights = model.get("network").name;
    const start = nextStart(model, plan, mail.state.waiting);
    const driver = () => settings.driver;
    return startDrive({ plan, vehicle, policies, driver, hands: wheel, start, weights });
  };
  const loop = makeLoop({
    timeStep: plan.time_step,
    pace: () => settings.pace,
    meter,
    onStep() {
      drive.step();
      if (drive.ending) end(drive.ending);
    },
    onFrame(owed) {
      const now = performance.now();
      wheel.turn(Math.min(now - painted, READ_AGAIN) / 1000);
      painted = now;
      paint(owed / plan.time_step);
      if (now - looked < READ_AGAIN) return;
      looked = now;
      redraw();
    },
  });
  const start = () => {
    if (loop.isRunning()) return;
    drive = next();
    say("The policy drives.");
    loop.start();
    redraw();
  };
  const end = (ending) => {
    if (!loop.isRunning()) return;
    loop.stop();
    drive.ending = ending;
    if (drive.log.length)
      mail.post({ kind: "session", ending, weights: drive.weights }, packDrive(drive));
    redraw();
    say(null);
  };
  const discard = () => {
    drive.discarded = drive.log.length > 0;
    mail.post({ kind: "discard" });
    redraw();
    say(null);
  };
  const release = followKernel({ model, mail, load, redraw });
  return {
    load,
    start,
    stop: () => end("cut off"),
    drive: () => drive,
    policies: () => policies,
    isRunning: loop.isRunning,
    mail: mail.state,
    discard,
    push: (side) => loop.isRunning() && drive.push(side),
    takeDown() {
      loop.stop();
      release();
    },
  };
}

/** Where the next drive starts: every policy begins with the first start, so that they can be compared. */
function nextStart(model, plan, waiting) {
  const weights = model.get("network").name;
  const before = model.get("results").find((result) => result.weights === weights)?.drives ?? 0;
  const starts = floatsOf(model.get("starts"));
  const first = (plan.state_dim * (before + waiting)) % starts.length;
  return Array.from(starts.subarray(first, first + plan.state_dim));
}

/** What is on its way to the kernel, and what the kernel has said to it. */
function makeMail(model) {
  const kernel = typeof model.send === "function";
  const state = { waiting: 0, trouble: "", kernel, restarted: false };
  const sent = new Set();
  const hear = ({ id, trouble }) => {
    if (!sent.delete(id)) return; // another view's
    state.waiting = sent.size;
    state.trouble = trouble;
  };
  const post = (content, ...buffers) => {
    if (!state.kernel) return;
    const id = Math.random().toString(36).slice(2);
    state.restarted = !sendToKernel(model, { ...content, id }, buffers);
    if (state.restarted) return;
    sent.add(id);
    state.waiting = sent.size;
  };
  return { state, post, hear };
}

/** Listen to the kernel: new weights, how drives went, and what became of one that was sent. */
function followKernel({ model, mail, load, redraw }) {
  const reload = oncePerFrame(() => {
    load();
    redraw();
  });
  const hear = () => {
    mail.hear(model.get("receipt"));
    redraw();
  };
  const listeners = { "change:weights": reload, "change:results": redraw, "change:receipt": hear };
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
  };
}
