// The timeline: above, what every plan steers and what the vehicle was told; below, one row for each chunk, one
// column for each step, and what became of every action.

import { drawBottomAxis, linePath, linearScale, setAttributes, spaced, svg } from "./shared.js";
import { commandOf, playingAt } from "./timeline_numbers.js";

const LEFT = 46; // pixels for names
const RIGHT = 10;
const TOP = 6;
const STRIP = 104; // what is steered
const GAP = 26;
const AXIS = 44;
const ROWS = 300; // all rows together, unless there are many
const [THINNEST, THICKEST] = [7, 24];
const RIBBON_CELL = { width: 9, height: 16 };
const STRAIGHT = 0.1; // m/s: what steers less goes to neither side

export function makeChunkPanel(drives, follow) {
  const parts = {
    columns: svg("g", { class: "columns" }),
    strip: svg("g", { class: "strip" }),
    rows: svg("g", { class: "rows" }),
    axis: svg("g", { class: "axis" }),
    end: svg("text", { class: "strong halo" }),
    now: svg("path", { class: "now-line" }),
    grip: svg("path", { class: "now-grip" }),
  };
  const node = svg("svg", { class: "chunks", role: "application", tabindex: 0, height: 1 });
  setAttributes(node, { "data-lm-suppress-shortcuts": "true" });
  node.append(...Object.values(parts));
  const state = { laid: "", drive: null, now: null, layout: null, rows: [], strip: null };
  follow(node, (x) => (state.layout ? state.layout.x.invert(x) : 0));
  const draw = ({ width, numbers, moment }) => {
    const { drive, now } = numbers;
    const wanted = `${width} ${drive.label}`;
    if (state.laid !== wanted) layTimeline(node, parts, state, drives, drive, width);
    if (state.laid !== wanted || state.now !== now) drawNow(parts, state, numbers);
    Object.assign(state, { laid: wanted, now });
    drawNowLine(parts, state.layout, moment);
  };
  return { node, draw };
}

/** All drives are drawn to one scale, so that they can be compared. */
function timelineLayout(drives, width) {
  const columns = Math.max(...drives.map(({ born, horizon }) => born.at(-1) + horizon));
  const chunks = Math.max(...drives.map(({ born }) => born.length));
  const row = Math.max(THINNEST, Math.min(THICKEST, Math.floor(ROWS / chunks)));
  const x = linearScale([0, columns], [LEFT, width - RIGHT]);
  const strip = linearScale([1, -1], [TOP, TOP + STRIP]);
  const top = TOP + STRIP + GAP;
  const bottom = top + row * chunks;
  return { x, strip, top, bottom, row, columns, height: bottom + AXIS };
}

function layTimeline(node, parts, state, drives, drive, width) {
  const layout = timelineLayout(drives, width);
  const { x, height, columns, bottom } = layout;
  setAttributes(node, { height, viewBox: `0 0 ${width} ${height}` });
  const every = [1, 2, 5, 10, 20].find((step) => step * x.perUnit >= 26) ?? 50;
  const ticks = Array.from({ length: Math.floor(columns / every) + 1 }, (_, i) => i * every);
  const seconds = Number(drive.time_step.toFixed(3));
  drawBottomAxis(parts.axis, x, ticks, bottom + 4, `step (${seconds} s each)`, String);
  parts.columns.replaceChildren(
    ...ticks.map((tick) =>
      svg("line", { x1: x(tick), x2: x(tick), y1: TOP, y2: bottom, class: "grid" }),
    ),
  );
  state.strip = layStrip(parts.strip, layout, drive);
  state.rows = drive.born.map((_, chunk) => layRow(layout, drive, chunk));
  parts.rows.replaceChildren(...state.rows.map(({ group }) => group));
  Object.assign(state, { layout, drive });
}

/** What each plan steers as a thin line over the steps it was made for, and what was done as a thick one. */
function layStrip(group, layout, drive) {
  const { x, strip } = layout;
  const [start, end] = x.range;
  const plans = drive.born.map(() => svg("path", { class: "strip-plan" }));
  const taken = svg("path", { class: "strip-taken" });
  const jumps = drive.takeovers.map(({ jumps }) =>
    svg("path", { class: jumps ? "strip-jump" : "strip-change" }),
  );
  const label = (text, y) =>
    svg("text", { x: start - 4, y, "text-anchor": "end", class: "quiet" }, text);
  group.replaceChildren(
    svg("line", { x1: start, x2: end, y1: strip(0), y2: strip(0), class: "zero" }),
    label("left", strip(0.7) + 4),
    label("right", strip(-0.7) + 4),
    label("chunk", layout.top - 7),
    ...plans,
    taken,
    ...jumps,
  );
  return { plans, taken, jumps };
}

/** Every chunk's cells; those after its end are there for an action that is held. */
function layRow(layout, drive, chunk) {
  const { x, top, row } = layout;
  const [born, y] = [drive.born[chunk], top + row * chunk];
  const replaced = Math.min(drive.ready[chunk + 1] ?? drive.steps, drive.steps);
  const count = Math.max(drive.horizon, replaced - born);
  const cells = Array.from({ length: count }, (_, i) => {
    const cell = makeCell({ width: x.perUnit, height: row }, commandOf(drive, chunk, born + i)[1]);
    cell.setAttribute("transform", `translate(${x(born + i).toFixed(2)} ${y})`);
    return cell;
  });
  const wanted = row >= 11 || (chunk + 1) % 5 === 0;
  const name = svg(
    "text",
    { x: x(born) - 4, y: y + row / 2 + 4, "text-anchor": "end", class: "quiet" },
    wanted ? String(chunk + 1) : "",
  );
  return { group: svg("g", {}, name, ...cells), cells };
}

/** A predicted action: a box, a bar to the side that it steers to, and a mark for what became of it. */
export function makeCell({ width, height }, lateral) {
  const [inner, middle] = [height - 2, height / 2];
  const size = Math.max(1.5, (Math.abs(lateral) * (inner - 3)) / 2);
  const box = { x: 0.75, y: 1, width: width - 1.5, height: inner, rx: Math.min(2.5, width / 5) };
  const inset = Math.max(1.5, 0.26 * width);
  const side = Math.abs(lateral) < STRAIGHT ? "straight" : lateral > 0 ? "left" : "right";
  const [y, thickness] = {
    straight: [middle - 1, 2],
    left: [middle - size, size],
    right: [middle, size],
  }[side];
  const bar = { x: inset, y, width: width - 2 * inset, height: thickness };
  return svg(
    "g",
    { "data-side": side },
    svg("rect", { ...box, class: "box" }),
    svg("rect", { ...bar, class: "bar" }),
    svg("path", { class: "hatch", d: hatchPath(width, height) }),
    svg("path", { class: "strike", d: `M${width - 3} 3L3 ${height - 3}` }),
  );
}

function hatchPath(width, height) {
  const lines = spaced(0.2, 0.8, width < 9 ? 2 : 3).map((share) => {
    const x = share * width;
    return `M${(x - 0.18 * width).toFixed(1)} ${height - 2}L${(x + 0.18 * width).toFixed(1)} 2`;
  });
  return lines.join("");
}

function drawNow({ end }, { rows, strip, layout }, { drive, now, fates }) {
  end.textContent = now === drive.steps ? drive.ending : "";
  setAttributes(end, { x: layout.x(now) + 9, y: TOP + 11 });
  rows.forEach(({ group, cells }, chunk) => {
    const row = fates[chunk];
    group.setAttribute("visibility", row ? "visible" : "hidden");
    cells.forEach((cell, index) => setFate(cell, row?.[index]));
  });
  strip.plans.forEach((plan, chunk) => {
    const known = drive.ready[chunk] <= now;
    plan.setAttribute("d", known ? steeringPath(layout, drive, chunk) : "");
    plan.setAttribute("class", stripClass(drive, chunk, now));
  });
  strip.taken.setAttribute("d", takenPath(layout, drive, now));
  drive.takeovers.forEach((takeover, index) =>
    strip.jumps[index].setAttribute("d", takeover.step <= now ? jumpLine(layout, takeover) : ""),
  );
}

function setFate(cell, fate) {
  const wanted = fate ? `cell ${fate.replace(" ", "-")}` : "cell unseen";
  if (cell.getAttribute("class") !== wanted) cell.setAttribute("class", wanted);
}

function stripClass(drive, chunk, now) {
  const playing = playingAt(drive, Math.min(now, drive.steps - 1));
  if (chunk === playing) return now < drive.steps ? "strip-playing" : "strip-plan";
  return chunk === playing - 1 ? "strip-plan strip-replaced" : "strip-plan";
}

/** A plan's steering, from the step on at which it was at hand: what it missed is the old plan's. */
function steeringPath({ x, strip }, drive, chunk) {
  const from = drive.ready[chunk];
  const count = Math.max(0, drive.born[chunk] + drive.horizon - from);
  return linePath(
    Array.from({ length: count }, (_, i) => [
      x(from + i + 0.5),
      strip(commandOf(drive, chunk, from + i)[1]),
    ]),
  );
}

function takenPath({ x, strip }, drive, now) {
  const chunks = drive.ready.map((from, chunk) => [chunk, from, drive.ready[chunk + 1] ?? drive.steps]);
  const places = chunks.flatMap(([chunk, from, until]) =>
    Array.from({ length: Math.max(0, Math.min(until, now, drive.steps) - from) }, (_, i) => [
      x(from + i + 0.5),
      strip(commandOf(drive, chunk, from + i)[1]),
    ]),
  );
  return linePath(places);
}

/** All that was done in a drive, in one row, with its jumps: for a look at several drives at once. */
export function makeRibbon(drive, longest) {
  const cells = Array.from({ length: drive.steps }, (_, step) => {
    const cell = makeCell(RIBBON_CELL, commandOf(drive, playingAt(drive, step), step)[1]);
    setAttributes(cell, { transform: `translate(${RIBBON_CELL.width * step} 5)`, class: "cell taken" });
    return cell;
  });
  const jumped = drive.takeovers.filter(({ jumps }) => jumps);
  const marks = jumped.map(({ step }) => `M${RIBBON_CELL.width * step} 1v${RIBBON_CELL.height + 8}`);
  const width = RIBBON_CELL.width * longest + 2;
  return svg(
    "svg",
    { viewBox: `-1 0 ${width} 26`, class: "ribbon", style: `max-width: ${width}px`, "aria-hidden": "true" },
    ...cells,
    svg("path", { d: marks.join(""), class: "strip-jump" }),
  );
}

/** From what the old plan had for this step to what the new one does. */
function jumpLine({ x, strip }, { step, before, after }) {
  const [at, from, to] = [x(step + 0.5), strip(before), strip(after)];
  const head = from < to ? -5 : 5;
  return `M${at} ${from}V${to}M${at - 4} ${to + head}L${at} ${to}L${at + 4} ${to + head}`;
}

function drawNowLine({ now, grip }, { x, bottom }, moment) {
  const at = x(moment);
  now.setAttribute("d", `M${at} ${TOP}V${bottom + 4}`);
  grip.setAttribute("d", `M${at - 6} ${TOP - 5}h12v6l-6 7l-6 -7Z`);
}
