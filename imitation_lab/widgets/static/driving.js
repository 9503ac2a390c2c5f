// A person drives: steps of a fixed length in real time, keys, mouse and touch, and how quick all that is.

const LONGEST_GAP = 0.25; // seconds: a page that slept must not wake to a burst of steps
const REMEMBERED = 90; // frames, and inputs, that the medians are taken over
const LEFT = [-1, 0];
const RIGHT = [1, 0];
const UP = [0, 1];
const DOWN = [0, -1];
const DIRECTIONS = {
  ArrowLeft: LEFT,
  ArrowRight: RIGHT,
  ArrowUp: UP,
  ArrowDown: DOWN,
  a: LEFT,
  d: RIGHT,
  w: UP,
  s: DOWN,
};

/**
 * Measure frames per second, and the milliseconds from an input to the end of drawing what it brought about.
 * `read()` gives medians, null as long as there is nothing to take them of.
 */
export function makeMeter() {
  const [gaps, delays] = [[], []];
  let [last, touched] = [null, null];
  return {
    input: ({ timeStamp }) => (touched ??= timeStamp),
    frame(now) {
      if (last !== null) remember(gaps, now - last);
      last = now;
    },
    /** What had been touched by now has been drawn. */
    shown() {
      if (touched !== null) remember(delays, performance.now() - touched);
      touched = null;
    },
    rest() {
      last = null;
      touched = null;
    },
    read: () => ({ rate: gaps.length ? 1000 / medianOf(gaps) : null, latency: medianOf(delays) }),
  };
}

function remember(values, value) {
  values.push(value);
  if (values.length > REMEMBERED) values.shift();
}

function medianOf(values) {
  if (values.length === 0) return null;
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Write what a meter reads. */
export function paceInWords({ rate, latency }) {
  if (rate === null) return "Frame rate and latency are measured while you drive.";
  const frames = `${Math.round(rate)} frames per second`;
  if (latency === null) return `${frames}.`;
  return `${frames}; from your hand to the picture ${Math.round(latency)} ms.`;
}

/**
 * Run `onStep()` once for every `timeStep` seconds that pass, times `pace()`, and `onFrame(owed)` in every
 * frame, with the seconds since the last step. Either may stop the loop.
 */
export function makeLoop({ timeStep, pace = () => 1, meter, onStep, onFrame }) {
  let [frame, last, owed] = [null, null, 0];
  const runSteps = () => {
    let steps = 0;
    for (; frame !== null && owed >= timeStep; steps++) {
      owed -= timeStep;
      onStep();
    }
    return steps;
  };
  const tick = (now) => {
    frame = requestAnimationFrame(tick);
    meter.frame(now);
    const gap = last === null ? 0 : Math.max(0, now - last) / 1000;
    owed += Math.min(gap, LONGEST_GAP) * pace();
    last = now;
    const steps = runSteps();
    onFrame(frame === null ? 0 : owed);
    if (steps) meter.shown();
  };
  return {
    start() {
      [last, owed] = [null, 0];
      meter.rest();
      frame ??= requestAnimationFrame(tick);
    },
    stop() {
      cancelAnimationFrame(frame);
      frame = null;
    },
    isRunning: () => frame !== null,
  };
}

/**
 * Follow a person's hands: keys while `area` has the focus, and one mouse, finger or pen on the nodes that are
 * given to `watch`. Arrows and W A S D are directions, kept as long as they are down, and so are the keys in
 * `holds`. `onKey(key)` hears of other keys and says whether it used them; `onPress(pointer)` hears of a
 * press; `onLost()` of a lost focus, after which nothing is held.
 */
export function makeHands(area, { holds = [], onKey, onPress, onLost, meter }) {
  const held = new Set();
  let pointer = null;
  const letGo = () => {
    held.clear();
    pointer = null;
  };
  const keep = (event) => {
    event.preventDefault();
    event.stopPropagation(); // or the notebook takes the key for a command
  };
  area.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = keyOf(event);
    if (key in DIRECTIONS || holds.includes(key)) {
      if (!held.has(key)) meter.input(event);
      held.add(key);
      keep(event);
    } else if (!event.repeat && onKey(key)) keep(event);
  });
  area.addEventListener("keyup", (event) => {
    if (held.delete(keyOf(event))) meter.input(event);
  });
  area.addEventListener("blur", () => {
    letGo();
    onLost();
  });
  const watch = (node) =>
    watchPointer(node, {
      get: () => pointer,
      set(next, event) {
        if (next && !pointer) area.focus({ preventScroll: true });
        const pressed = next && !pointer;
        pointer = next;
        meter.input(event);
        if (pressed) onPress?.(pointer);
      },
    });
  return {
    watch,
    letGo,
    isHeld: (key) => held.has(key),
    /** Right and up, each -1, 0 or 1. */
    direction: () => directionOf(held),
    /** Null, or the `node` that is pressed, and where: `from` then, `at` now, in pixels within the node. */
    pointer: () => pointer,
  };
}

const keyOf = ({ key }) => (key.length === 1 ? key.toLowerCase() : key);

function directionOf(held) {
  const sum = [0, 0];
  for (const key of held) {
    const [right, up] = DIRECTIONS[key] ?? [0, 0];
    sum[0] += right;
    sum[1] += up;
  }
  return sum.map(Math.sign);
}

function watchPointer(node, { get, set }) {
  const placeOf = (event) => {
    const { left, top } = node.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const isOurs = ({ pointerId }) => get()?.node === node && get().id === pointerId;
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || get()) return;
    node.setPointerCapture(event.pointerId);
    event.preventDefault(); // or the browser moves the focus and starts to select text
    const place = placeOf(event);
    set({ node, id: event.pointerId, from: place, at: place }, event);
  });
  node.addEventListener("pointermove", (event) => {
    if (isOurs(event)) set({ ...get(), at: placeOf(event) }, event);
  });
  for (const end of ["pointerup", "pointercancel"])
    node.addEventListener(end, (event) => {
      if (isOurs(event)) set(null, event);
    });
}

/** Send to the kernel, and return whether one listens: after a restart it no longer knows the widget. */
export function sendToKernel(model, content, buffers = []) {
  if (!model.send) return false;
  try {
    model.send(content, undefined, buffers);
  } catch {
    return false;
  }
  return true;
}
