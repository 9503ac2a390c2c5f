// The drives that were recorded: those that the kernel has, and those that are still on their way to it.

import { floatsOf } from "./shared.js";
import { sendToKernel } from "./driving.js";

const DRIVES_PER_START = 2; // so that a start can be driven to both sides

export const DRIVE_ENDINGS = {
  success: { text: "reached the goal", mark: "●" },
  failure: { text: "crashed", mark: "✕" },
  "cut off": { text: "cut off", mark: "▮" },
};

/** Keep the drives. `changed()` is called whenever there are others. */
export function makeDrives(model, changed) {
  const [waiting, deleted] = [new Map(), new Set()];
  let listens = Boolean(model.send);
  const kept = () => {
    const trails = trailsOf(model);
    return model.get("drives").map((drive, index) => ({ ...drive, trail: trails[index] }));
  };
  const all = () => {
    const present = [...kept(), ...waiting.values()];
    return present.filter(({ id }) => !deleted.has(id));
  };
  // At once: the kernel may delete what has arrived before the next picture is drawn.
  const arrive = () => {
    for (const { id } of model.get("drives")) waiting.delete(id);
    changed();
  };
  model.on("change:drives", arrive);
  return {
    all,
    /** Whether a kernel took in what was sent last. */
    listens: () => listens,
    waiting: () => all().filter(({ id }) => waiting.has(id)).length,
    /** The first start that has not been driven twice. */
    nextStart(count) {
      const driven = Array(count).fill(0);
      for (const { start } of all()) if (start >= 0) driven[start]++;
      const fewest = DRIVES_PER_START * (1 + Math.floor(Math.min(...driven) / DRIVES_PER_START));
      return driven.findIndex((times) => times < fewest);
    },
    add(drive) {
      const { states, actions, ...description } = drive;
      const trail = states.map(([x, y]) => [x, y]);
      waiting.set(drive.id, { ...description, steps: actions.length, trail });
      const buffers = [states, actions].map((rows) => new Float32Array(rows.flat()).buffer);
      const content = { kind: "drive", ...description, steps: actions.length };
      listens = sendToKernel(model, content, buffers);
      changed();
    },
    remove(id) {
      deleted.add(id);
      listens = sendToKernel(model, { kind: "delete", id });
      changed();
    },
    release: () => model.off("change:drives", arrive),
  };
}

function trailsOf(model) {
  const numbers = floatsOf(model.get("trails"));
  let start = 0;
  return model.get("drives").map(({ points }) => {
    const trail = Array.from({ length: points }, (_, i) => [
      numbers[start + 2 * i],
      numbers[start + 2 * i + 1],
    ]);
    start += 2 * points;
    return trail;
  });
}

/** What has been recorded, in words, just as `Recorder.sentence` writes it. */
export function drivesSentence(drives, { time_step: timeStep }) {
  if (drives.length === 0) return "No demonstrations yet.";
  const count = (ending) => drives.filter((drive) => drive.ending === ending).length;
  const endings = Object.entries(DRIVE_ENDINGS)
    .map(([ending, { text }]) => [count(ending), text])
    .filter(([number]) => number > 0)
    .map(([number, text]) => `${number} ${text}`);
  const steps = drives.reduce((sum, drive) => sum + drive.steps, 0);
  const noun = drives.length === 1 ? "demonstration" : "demonstrations";
  const seconds = (steps * timeStep).toFixed(1);
  return `${drives.length} ${noun}: ${endings.join(", ")}. ${steps} actions, ${seconds} seconds at the wheel.`;
}
