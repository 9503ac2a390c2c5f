// A drive under a person's eyes: at every step the policy says what it would do, and whoever holds the wheel
// does it. Nothing here is drawn.

import { clamp } from "./shared.js";
import { disagreementOf } from "./network.js";
import { drawNormal, shortened, wrappedAngle } from "./vehicles.js";

const POINTER_GAIN = { fork: 4, racetrack: 6 }; // 1/s: m/s per metre, rad/s per radian, as the simulated drivers have it
const WHEEL_SECONDS = 0.12; // by the clock, from straight ahead to as far as the wheel turns, and back
const PUSH_SHARE = 0.3; // of the lane's half width
const FORK_PUSH_SHARE = 0.15; // of the road's

/**
 * Start a drive. `policies` are functions of an observation, of which `driver()` says who drives; `hands` says
 * with `engaged()` whether the person does and with `action(state)` what. `draw` gives the noise.
 */
export function startDrive({ plan, vehicle, policies, driver, hands, start, weights, draw = drawNormal }) {
  const still = { before: start, state: start };
  const drive = { ...still, log: [], ending: null, weights, pushed: [], thinking: 0 };
  drive.step = () => {
    const row = think(drive, { plan, vehicle, policies, driver, draw });
    row.engaged = hands.engaged();
    if (!(row.engaged && drive.log.at(-1)?.engaged)) hands.follow(row.wish);
    row.action = row.engaged ? hands.action(drive.state) : row.wish;
    row.steered = steeringOf(vehicle, row.action);
    drive.log.push(row);
    drive.before = drive.state;
    drive.state = vehicle.advance(drive.state, row.action, draw);
    const over = drive.log.length >= plan.max_steps ? "cut off" : null;
    drive.ending = vehicle.endingOf(drive.state) ?? over;
  };
  drive.push = (side) => {
    const from = vehicle.poseOf(drive.state);
    drive.before = pushedAside(plan, drive.before, side);
    drive.state = pushedAside(plan, drive.state, side);
    drive.pushed.push([from, vehicle.poseOf(drive.state)]);
  };
  return drive;
}

/** What is seen, what the one who drives would do, and how much all of them disagree. */
function think(drive, { vehicle, policies, driver, draw }) {
  const observation = vehicle.observe(drive.state, draw);
  const before = performance.now();
  const actions = policies.map((policy) => policy(observation));
  const doubt = disagreementOf(actions);
  drive.thinking += performance.now() - before;
  const wish = actions[driver()];
  const { x, y } = vehicle.poseOf(drive.state);
  const offset = vehicle.offset(drive.state);
  return { observation, wish, wished: steeringOf(vehicle, wish), doubt, place: [x, y], offset };
}

/** How far an action steers to the left: its last number, in the road's frame. */
const steeringOf = (vehicle, action) => (vehicle.toRoad?.(action) ?? action).at(-1);

/** Where the vehicle is on its way through the last step; it was decided on at the step's begin. */
export function poseWithin({ before, state }, vehicle, share) {
  const [from, to] = [vehicle.poseOf(before), vehicle.poseOf(state)];
  const between = (start, change) => start + share * change;
  return {
    x: between(from.x, to.x - from.x),
    y: between(from.y, to.y - from.y),
    heading: between(from.heading, wrappedAngle(to.heading - from.heading)),
  };
}

/** A vehicle some centimetres to its left (side 1) or right (side -1), as if a gust had moved it. */
function pushedAside(plan, state, side) {
  if (plan.name === "fork") {
    const [x, y, ...rest] = state;
    return [x, y + side * FORK_PUSH_SHARE * plan.road_half_width, ...rest];
  }
  const [x, y, heading, ...rest] = state;
  const metres = side * PUSH_SHARE * plan.half_width;
  return [x - metres * Math.sin(heading), y + metres * Math.cos(heading), heading, ...rest];
}

/**
 * Make a person's hands on the wheel of a task. The vehicle heads for the pointer, `metresAt` tells where that
 * is. Without a pointer, arrows steer: on the fork they are directions, on the racetrack they turn the wheel,
 * from where the policy left it, and it turns back when they come up. `turn(seconds)` is for every frame.
 */
export function makeWheel({ plan, vehicle, hands, metresAt }) {
  let [wheel, turned, seconds] = [0, 0, 0]; // from -1, right, to 1; its sum over the seconds of this step
  const engaged = () => hands.isHeld(" ") || hands.pointer() !== null;
  const turn = (passed) => {
    const towards = -hands.direction()[0];
    const most = passed / WHEEL_SECONDS;
    wheel += clamp(towards - wheel, -most, most);
    turned += passed * wheel;
    seconds += passed;
  };
  const takeMean = () => {
    const mean = seconds ? turned / seconds : wheel;
    [turned, seconds] = [0, 0];
    return mean;
  };
  const follow = (wish) => {
    wheel = clamp(wish[0] / plan.action_bound, -1, 1);
    [turned, seconds] = [0, 0];
  };
  const action = (state) => {
    const pointer = hands.pointer();
    if (pointer) return actionTowards(plan, vehicle, state, metresAt(pointer.at));
    // The mean over the step: a short tap counts in full, whenever it comes.
    if (plan.name === "racetrack") return [takeMean() * plan.action_bound];
    const direction = hands.direction();
    const size = Math.max(1, Math.hypot(...direction)) / plan.top_speed;
    return vehicle.toWorld(direction.map((part) => part / size));
  };
  return { engaged, turn, follow, action };
}

function actionTowards(plan, vehicle, state, [x, y]) {
  const gain = POINTER_GAIN[plan.name];
  if (plan.name === "fork") {
    const velocity = [gain * (x - state[0]), gain * (y - state[1])];
    return vehicle.toWorld(shortened(velocity, plan.top_speed));
  }
  const error = wrappedAngle(Math.atan2(y - state[1], x - state[0]) - state[2]);
  return [clamp(gain * error, -plan.action_bound, plan.action_bound)];
}

/** A drive as the kernel takes it: for every step one row of float32, in the order of Python's `Session`. */
export function packDrive({ log }) {
  const rows = log.map(({ observation, action, wish, engaged, doubt }) => [
    ...observation,
    ...action,
    ...wish,
    Number(engaged),
    doubt,
  ]);
  return Float32Array.from(rows.flat()).buffer;
}

/** What a drive comes to so far. */
export function summariseLog(log, timeStep) {
  const byHand = log.filter(({ engaged }) => engaged).length;
  const takeovers = log.filter(({ engaged }, i) => engaged && !log[i - 1]?.engaged).length;
  return { seconds: log.length * timeStep, byHand, takeovers, share: byHand / Math.max(1, log.length) };
}
