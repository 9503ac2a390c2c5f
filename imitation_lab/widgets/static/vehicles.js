// The vehicles of both tasks, one at a time, just as `imitation_lab/envs` has them: a test holds the two equal.
// A state is a list of numbers, and so are an observation and an action.

/**
 * Return a task's functions, from the plan that Python's `vehicle_plan` makes. `draw()` gives standard normal
 * numbers for the kicks and for the sensor's noise. `poseOf` says where to draw the vehicle, `seconds` later.
 */
export function makeVehicle(plan) {
  const functions = plan.name === "fork" ? forkVehicle(plan) : racetrackVehicle(plan);
  const endingOf = (state) => {
    if (functions.failed(state)) return "failure"; // before success, as a rollout has it
    return functions.succeeded(state) ? "success" : null;
  };
  return { ...functions, endingOf };
}

/** A number from the standard normal distribution (Box and Muller). */
export const drawNormal = () =>
  Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** Shorten a vector that is longer than a size. */
export function shortened([x, y], size) {
  const excess = Math.max(1, Math.hypot(x, y) / size);
  return [x / excess, y / excess];
}

function forkVehicle(plan) {
  const [cosine, sine] = [Math.cos(plan.angle), Math.sin(plan.angle)];
  const toWorld = ([x, y]) => [cosine * x - sine * y, sine * x + cosine * y];
  const toRoad = ([x, y]) => [cosine * x + sine * y, cosine * y - sine * x];
  const advance = (state, action, draw = drawNormal) => {
    const command = shortened(toRoad(action), plan.top_speed);
    const velocity = command.map((wanted, axis) => {
      const now = state[2 + axis];
      return now + plan.response * (wanted - now) + noiseOf(plan.process_noise, draw);
    });
    const position = velocity.map((speed, axis) => state[axis] + plan.time_step * speed);
    return [...position, ...velocity, ...state.slice(4)];
  };
  const observe = (state, draw = drawNormal) => {
    const seen = [...state];
    for (const lateral of [1, 3]) seen[lateral] += noiseOf(plan.observation_noise, draw);
    return [0, 2, 4, 6].flatMap((start) => toWorld(seen.slice(start, start + 2)));
  };
  const distanceTo = (state, start) =>
    Math.hypot(state[0] - state[start], state[1] - state[start + 1]);
  return {
    advance,
    observe,
    toWorld,
    toRoad,
    failed: (state) =>
      distanceTo(state, 4) < plan.obstacle_radius || Math.abs(state[1]) > plan.road_half_width,
    succeeded: (state) => distanceTo(state, 6) < plan.goal_radius,
    offset: (state) => state[1],
    poseOf: ([x, y, along, lateral], seconds = 0) => ({
      x: x + seconds * along,
      y: y + seconds * lateral,
      heading: Math.atan2(lateral, along),
    }),
  };
}

function racetrackVehicle(plan) {
  const lane = makeLane(plan);
  const advance = ([x, y, heading, turnRate, driven], [wanted], draw = drawNormal) => {
    const command = Math.max(-plan.top_turn_rate, Math.min(plan.top_turn_rate, wanted));
    const turning = turnRate + plan.response * (command - turnRate);
    const turned = heading + plan.time_step * turning + noiseOf(plan.process_noise, draw);
    const metres = plan.time_step * plan.speed;
    const [nextX, nextY] = [x + metres * Math.cos(turned), y + metres * Math.sin(turned)];
    const passed = wrappedAngle(Math.atan2(nextY, nextX) - Math.atan2(y, x));
    return [nextX, nextY, turned, turning, driven + passed];
  };
  const observe = ([x, y, heading, turnRate], draw = drawNormal) => [
    x + noiseOf(plan.observation_noise, draw),
    y + noiseOf(plan.observation_noise, draw),
    Math.sin(heading),
    Math.cos(heading),
    turnRate,
  ];
  return {
    advance,
    observe,
    failed: (state) => Math.abs(lane.offset(state)) > plan.half_width,
    succeeded: (state) => state[4] >= 2 * Math.PI * plan.laps,
    offset: lane.offset,
    poseOf: ([x, y, heading], seconds = 0) => ({
      x: x + seconds * plan.speed * Math.cos(heading),
      y: y + seconds * plan.speed * Math.sin(heading),
      heading,
    }),
  };
}

/** The racetrack's lane: `pointAt(angle, offset)` in metres, and how far from its middle a vehicle is. */
export function makeLane({ radius, bump }) {
  const distanceAt = (angle) => radius * (1 + bump * Math.cos(3 * angle));
  const metresPerRadian = (angle) =>
    Math.hypot(distanceAt(angle), -3 * radius * bump * Math.sin(3 * angle));
  const offset = ([x, y]) => {
    const angle = Math.atan2(y, x);
    const distance = distanceAt(angle);
    return ((Math.hypot(x, y) - distance) * distance) / metresPerRadian(angle);
  };
  const pointAt = (angle, aside = 0) => {
    const distance = distanceAt(angle);
    const there = distance + (aside * metresPerRadian(angle)) / distance; // the inverse of `offset`
    return [there * Math.cos(angle), there * Math.sin(angle)];
  };
  return { pointAt, offset, metresPerRadian };
}

const noiseOf = (scale, draw) => (scale === 0 ? 0 : scale * draw());

/** The same angle between -pi and pi. */
export function wrappedAngle(angle) {
  const turn = 2 * Math.PI;
  const shifted = (angle + Math.PI) % turn;
  return (shifted < 0 ? shifted + turn : shifted) - Math.PI;
}
