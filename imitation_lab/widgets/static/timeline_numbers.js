// The drives as the kernel sent them, what became of every predicted action, and where a plan leads.
// Just as `traces.py` and `timeline_numbers.py` have it.

import { floatsOf } from "./shared.js";

const JUMP = 0.5; // m/s sideways: a new plan that differs by more from the old one jumps
const POSE = 4; // numbers of a state: position and velocity

/** Return the drives, each with what a picture of it needs. */
export function unpackDrives(model) {
  const numbers = floatsOf(model.get("numbers"));
  let start = 0;
  const take = (count) => numbers.subarray(start, (start += count));
  return model.get("plan").map((plan) => {
    const states = take(POSE * (plan.steps + 1));
    const commands = take(2 * plan.born.length * plan.horizon);
    const ready = plan.born.map((born, chunk) => (chunk ? born + plan.delay : 0));
    const drive = { ...plan, ready, states, commands };
    return { ...drive, takeovers: takeoversOf(drive) };
  });
}

export const positionAt = ({ states }, step) => [states[POSE * step], states[POSE * step + 1]];
export const velocityAt = ({ states }, step) => [states[POSE * step + 2], states[POSE * step + 3]];

/** What a chunk has for a step, its last action repeated: m/s along the road and to the left. */
export function commandOf({ commands, horizon, born }, chunk, step) {
  const at = 2 * (chunk * horizon + Math.min(step - born[chunk], horizon - 1));
  return [commands[at], commands[at + 1]];
}

function takeoversOf(drive) {
  const later = drive.ready.map((step, chunk) => ({ chunk, step })).slice(1);
  return later
    .filter(({ step }) => step < drive.steps)
    .map(({ chunk, step }) => {
      const [before, after] = [commandOf(drive, chunk - 1, step)[1], commandOf(drive, chunk, step)[1]];
      const change = Math.abs(after - before);
      return { chunk, step, before, after, change, jumps: change > JUMP };
    });
}

/** Which chunk the action of a step came from. */
export const playingAt = ({ ready }, step) => ready.findLastIndex((from) => from <= step);

/** The step at which the next chunk takes over. */
const replacedAt = ({ ready, steps }, chunk) => ready[chunk + 1] ?? steps;

/** What has become of every action of every chunk that was asked for by now, oldest chunk first. */
export function fatesAt(drive, now) {
  const shown = drive.born.filter((born) => born <= now);
  return shown.map((born, chunk) => {
    const held = Math.min(replacedAt(drive, chunk), now) - born - drive.horizon;
    const known = Array.from({ length: drive.horizon }, (_, i) =>
      fateOf(drive, chunk, born + i, now),
    );
    return [...known, ...Array(Math.max(0, held)).fill("held")];
  });
}

function fateOf(drive, chunk, step, now) {
  const [ready, replaced] = [drive.ready[chunk], replacedAt(drive, chunk)];
  if (step < ready) return "missed";
  if (step < Math.min(now, replaced)) return "taken";
  if (now === drive.steps || replaced <= now) return "discarded";
  return now < ready ? "awaited" : "to come";
}

/** Where a chunk leads from a step on, by the vehicle's own dynamics without noise: positions, the first is now. */
export function planFrom(drive, chunk, step) {
  let [x, y] = positionAt(drive, step);
  let [along, lateral] = velocityAt(drive, step);
  const places = [[x, y]];
  const end = Math.max(drive.born[chunk] + drive.horizon, step + 1);
  for (let at = step; at < end; at++) {
    const command = commandOf(drive, chunk, at);
    along += drive.response * (command[0] - along);
    lateral += drive.response * (command[1] - lateral);
    x += drive.time_step * along;
    y += drive.time_step * lateral;
    places.push([x, y]);
  }
  return places;
}

/** Which chunk the present one replaced and at which step, if anything was left of it. */
export function thrownAwayAt(drive, step) {
  const chunk = playingAt(drive, step);
  if (chunk === 0) return null;
  const replaced = drive.ready[chunk];
  return drive.born[chunk - 1] + drive.horizon > replaced ? [chunk - 1, replaced] : null;
}

/** The drive that is shown, the step, and what has become of every action. */
export function summariseDrive(drives, { trace, step }) {
  const drive = drives.find(({ label }) => label === trace);
  const now = Math.min(step, drive.steps);
  return { drive, now, fates: fatesAt(drive, now) };
}

/** The same in words, just as `Drive.sentence` writes it. */
export function driveSentence({ drive, now, fates }) {
  const count = (...names) => fates.flat().filter((fate) => names.includes(fate)).length;
  const jumps = drive.takeovers.filter((takeover) => takeover.jumps).length;
  return (
    `Step ${now} of ${drive.steps}. ${chunkInWords(drive, Math.min(now, drive.steps - 1))} ` +
    `So far: ${count("taken", "held")} taken, ${count("missed")} missed, ` +
    `${count("discarded")} thrown away. ` +
    `In the whole drive ${jumps} of ${drive.takeovers.length} new plans jump; it ${drive.ending}.`
  );
}

function chunkInWords(drive, step) {
  const chunk = playingAt(drive, step);
  if (chunk === 0) return "The first chunk plays: it was thought of before the start.";
  const hand = drive.delay ? ` and at hand at step ${drive.ready[chunk]}` : "";
  const { before, after, change, jumps } = drive.takeovers[chunk - 1];
  const size = `${change.toFixed(2)} m/s`;
  return (
    `Chunk ${chunk + 1} plays, asked for at step ${drive.born[chunk]}${hand}. ` +
    `When it took over it steered ${sideInWords(after)}, ` +
    `where the plan that it replaced steered ${sideInWords(before)}: ` +
    (jumps ? `a jump of ${size}.` : `a change of ${size}, no jump.`)
  );
}

function sideInWords(lateral) {
  const size = Math.abs(lateral).toFixed(2);
  if (Number(size) === 0) return "straight on";
  return `${size} m/s ${lateral > 0 ? "left" : "right"}`;
}
