// Three ways to tell a vehicle what to do. Each makes an action, at every step, of where the vehicle is and of
// what a person's hands do: `pointed` is where they press, `stick` how far keys push to the right and up.

import { clamp } from "./shared.js";
import { shortened, wrappedAngle } from "./vehicles.js";

const FOLLOWING = 4; // 1/s: speed per metre between the vehicle and the hand that pulls it
const STEERING = 6; // 1/s: turn rate per radian between the heading and the hand
const LEADING = 10; // 1/s: speed of the leader per metre, or per radian, to the hand that holds it
const LEASH = 0.4; // metres: how far keys move the hand away from the vehicle
const WIDEST_BEARING = 0.9; // radians: how far keys turn the hand away from straight ahead
const KEY_SPEED = 6; // 1/s: a key pushes fully after a sixth of a second, so that a tap is a small push

/** What keys push: it follows the keys that are down, a little later. */
export function makeKeyStick() {
  let stick = [0, 0];
  return {
    begin: () => (stick = [0, 0]),
    move(direction, seconds) {
      const most = KEY_SPEED * seconds;
      stick = stick.map((now, axis) => now + clamp(direction[axis] - now, -most, most));
      return shortened(stick, 1);
    },
  };
}

/** Make an interface by its name, for a task. `view()` is what the picture of the hand shows. */
export function makeInterface(name, plan, latency) {
  const kinds = {
    drag: { fork: pullVehicle, racetrack: pointTheWay },
    remote: { fork: remoteStick, racetrack: remoteStick },
    leader: { fork: leadVehicle, racetrack: leadHeading },
  };
  return kinds[name][plan.name](plan, latency);
}

/** Kinesthetic: the hand holds the vehicle and pulls it along. */
function pullVehicle(plan) {
  let [hand, pressed] = [null, false];
  return {
    begin: () => ([hand, pressed] = [null, false]),
    act([x, y], { pointed, stick, seconds }) {
      if (pointed) hand = pointed;
      else if (pressed) hand = null; // let go
      else if (hand || stick.some(Boolean)) hand = pushedHand(hand ?? [x, y], [x, y], stick, seconds);
      pressed = pointed !== null;
      if (!hand) return [0, 0];
      const pull = [FOLLOWING * (hand[0] - x), FOLLOWING * (hand[1] - y)];
      return shortened(pull, plan.top_speed);
    },
    view: () => ({ hand }),
  };
}

function pushedHand(hand, vehicle, stick, seconds) {
  const moved = hand.map((place, axis) => place + stick[axis] * 2 * seconds - vehicle[axis]);
  return shortened(moved, LEASH).map((away, axis) => vehicle[axis] + away);
}

/** Kinesthetic on the racetrack, where the vehicle always moves: the hand turns it. */
function pointTheWay(plan) {
  let [hand, bearing] = [null, 0];
  return {
    begin: () => ([hand, bearing] = [null, 0]),
    act([x, y, heading], { pointed, stick }) {
      bearing = -WIDEST_BEARING * stick[0];
      if (pointed) bearing = wrappedAngle(Math.atan2(pointed[1] - y, pointed[0] - x) - heading);
      const ahead = heading + bearing;
      hand = pointed ?? [x + LEASH * Math.cos(ahead), y + LEASH * Math.sin(ahead)];
      return [clamp(STEERING * bearing, -plan.top_turn_rate, plan.top_turn_rate)];
    },
    view: () => ({ hand }),
  };
}

/** From afar: what the stick says arrives late. */
function remoteStick(plan, latency) {
  const late = Math.round(latency / plan.time_step);
  let [underway, pushed] = [[], [0, 0]];
  return {
    begin(state) {
      // Until the first command arrives, the racetrack's vehicle goes on turning as it did.
      const before = plan.name === "fork" ? 0 : -state[3] / plan.top_turn_rate;
      [underway, pushed] = [Array(late).fill([before, 0]), [0, 0]];
    },
    act(_, { pointed, stick }) {
      pushed = pointed ? shortened(pointed, 1) : stick;
      underway.push(pushed);
      const [right, up] = underway.shift();
      if (plan.name === "racetrack") return [-right * plan.top_turn_rate];
      return [right * plan.top_speed, up * plan.top_speed];
    },
    view: () => ({ stick: pushed }),
  };
}

/** Puppeteering: the hand moves a leader with the same body, and the vehicle copies its velocity. */
function leadVehicle(plan) {
  let leader = null;
  return {
    begin: ([x, y]) => (leader = [x, y]),
    act(_, { pointed, stick, seconds }) {
      const to = pointed && [LEADING * (pointed[0] - leader[0]), LEADING * (pointed[1] - leader[1])];
      const wanted = to ?? stick.map((share) => share * plan.top_speed);
      const velocity = shortened(wanted, plan.top_speed);
      leader = leader.map((place, axis) => place + seconds * velocity[axis]);
      return velocity;
    },
    view: () => ({ leader }),
  };
}

/** Puppeteering on the racetrack: the leader turns on the spot, and the vehicle copies its turn rate. */
function leadHeading(plan) {
  let leader = 0;
  return {
    begin: ([, , heading]) => (leader = heading),
    act(_, { pointed, stick, seconds }) {
      const to = pointed && LEADING * wrappedAngle(Math.atan2(pointed[1], pointed[0]) - leader);
      const wanted = to ?? -stick[0] * plan.top_turn_rate;
      const turnRate = clamp(wanted, -plan.top_turn_rate, plan.top_turn_rate);
      leader += seconds * turnRate;
      return [turnRate];
    },
    view: () => ({ heading: leader }),
  };
}
