// What every widget of the course draws with. The Python side joins the files that a widget imports
// into one string, so every top-level name here is unique across the folder.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

/** Make an HTML element: `html("p", { class: "note" }, "text")`. */
export function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Make an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG_NAMESPACE, name), attributes, children);
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export const roundTo = (value, step) => Math.round(value / step) / Math.round(1 / step);

/** Return numbers from low to high, both included. */
export function spaced(low, high, count) {
  return Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

/** Return a function from data to pixels, with its inverse and its slope as properties. */
export function linearScale([low, high], [start, end]) {
  const scale = (value) => start + ((value - low) / (high - low)) * (end - start);
  scale.invert = (pixel) => low + ((pixel - start) / (end - start)) * (high - low);
  scale.perUnit = (end - start) / (high - low);
  scale.range = [start, end];
  return scale;
}

/** Return a scale of equal ratios: for numbers that one compares by how many times more they are. */
export function logScale([low, high], range) {
  const linear = linearScale([Math.log(low), Math.log(high)], range);
  const scale = (value) => linear(Math.log(value));
  scale.invert = (pixel) => Math.exp(linear.invert(pixel));
  scale.range = range;
  return scale;
}

/** Return the `d` of a line through points in pixels. */
export function linePath(points) {
  return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
}

/** Write a signed number with a real minus sign, and zero without a sign. */
export function signed(value, digits = 2) {
  const digitsOnly = Math.abs(value).toFixed(digits);
  if (Number(digitsOnly) === 0) return digitsOnly;
  return (value < 0 ? "\u2212" : "+") + digitsOnly;
}

/** Write a number with a real minus sign, and no sign where it is positive. */
export const plain = (value, digits = 2) => signed(value, digits).replace(/^\+/, "");

export const percent = (share) => `${(100 * share).toFixed(0)} %`;

/** Return the bytes of a binary trait, from their start: typed arrays ask for that. */
export const bytesOf = (view) =>
  view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);

/** Return the numbers of a binary trait that Python's `as_bytes` wrote. */
export const floatsOf = (view) => new Float32Array(bytesOf(view));

export const prefersCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Return a function that asks for one drawing in the next frame, however often it is called. */
export function oncePerFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/** Call `onStep(share)` in every frame while its share of the time grows to 1, then `onEnd()`. */
export function animate(milliseconds, onStep, onEnd) {
  const start = performance.now();
  let running = true;
  const step = (now) => {
    const share = clamp((now - start) / milliseconds, 0, 1);
    if (running) onStep(share);
    if (!running) return; // stopped meanwhile, perhaps by the step itself
    if (share < 1) requestAnimationFrame(step);
    else onEnd();
  };
  requestAnimationFrame(step);
  return () => (running = false);
}

/**
 * Follow a pointer (mouse, finger, pen) from press to release.
 * `onStart(event)` returns whatever `onMove(movement, start)` needs; movement is in pixels since the press.
 */
export function draggable(element, { onStart, onMove, onRelease }) {
  let press = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    press = { x: event.clientX, y: event.clientY, start: onStart(event) };
    event.preventDefault(); // or the browser starts to select text
  });
  element.addEventListener("pointermove", (event) => {
    if (press) onMove({ x: event.clientX - press.x, y: event.clientY - press.y }, press.start);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => {
      if (press) onRelease();
      press = null;
    });
  }
}

/** Run the key's action, and keep the key from the page and the notebook; commit when it comes up. */
export function onKeys(element, actions, commit) {
  element.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("keyup", commit);
  element.addEventListener("blur", commit);
}

/**
 * Hold a local copy of the model's traits: drawing reads it, and `commit` writes it back.
 * The kernel hears of a change once, when the student lets go. `commit` tells whether there was one.
 */
export function localCopy(model, names, onChange) {
  const values = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const listeners = names.map((name) => [
    `change:${name}`,
    () => {
      values[name] = model.get(name);
      onChange();
    },
  ]);
  for (const [event, listener] of listeners) model.on(event, listener);
  const commit = () => {
    const changed = names.filter((name) => model.get(name) !== values[name]);
    const fresh = changed.map((name) => [name, values[name]]);
    for (const [name, value] of fresh) model.set(name, value);
    if (fresh.length) model.save_changes();
    return fresh.length > 0;
  };
  const release = () => {
    for (const [event, listener] of listeners) model.off(event, listener);
  };
  return { values, commit, release };
}

/** Return round numbers from 0 to at most `high`, about `count` of them. */
export function roundTicks(high, count = 4) {
  const rough = high / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((multiple) => multiple * power >= rough);
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, i) => i * step);
}

/** Make the pattern of a barrier, red on white. Patterns are named page-wide. */
export function stripePattern(id) {
  const attributes = {
    id,
    width: 16,
    height: 16,
    patternUnits: "userSpaceOnUse",
    patternTransform: "skewX(-35)",
  };
  return svg(
    "pattern",
    attributes,
    svg("rect", { width: 16, height: 16, fill: "#ffffff" }),
    svg("rect", { width: 8, height: 16, fill: "var(--vermillion)" }),
  );
}

/** Fill a group with a horizontal axis: a line, ticks, numbers and a title below. */
export function drawBottomAxis(
  group,
  scale,
  ticks,
  y,
  title,
  format = (tick) => signed(tick, 1),
) {
  const [left, right] = scale.range;
  group.replaceChildren(
    svg("line", { x1: left, x2: right, y1: y, y2: y, stroke: "var(--quiet)" }),
    ...ticks.map((tick) =>
      svg("line", { x1: scale(tick), x2: scale(tick), y1: y, y2: y + 5, stroke: "var(--quiet)" }),
    ),
    ...ticks.map((tick) =>
      svg(
        "text",
        { x: scale(tick), y: y + 18, "text-anchor": "middle", class: "quiet" },
        format(tick),
      ),
    ),
    svg("text", { x: (left + right) / 2, y: y + 36, "text-anchor": "middle" }, title),
  );
}

/** Fill a group with a vertical axis: faint lines across the plot and numbers at its left. */
export function drawLeftAxis(group, scale, ticks, [left, right]) {
  const digits = ticks.length > 1 && ticks[1] < 1 ? 1 : 0;
  group.replaceChildren(
    ...ticks.map((tick) =>
      svg("line", { x1: left, x2: right, y1: scale(tick), y2: scale(tick), stroke: "var(--line)" }),
    ),
    ...ticks.map((tick) =>
      svg(
        "text",
        { x: left - 6, y: scale(tick) + 4, "text-anchor": "end", class: "quiet" },
        plain(tick, digits),
      ),
    ),
  );
}
