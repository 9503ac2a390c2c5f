"""A planner that solves Push-T: it tries short pushes in a copy of the physics and takes the best."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import shapely
import shapely.geometry
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.pusht.environment import make_environment
from imitation_lab.pusht.geometry import (
    AGENT_RADIUS,
    OUTLINE,
    TABLE,
    Array,
    distance_to_goal,
    rotation,
)
from imitation_lab.types import Generator

PUSH_STEPS = 6  # control steps of one push
ARRIVED = 1.5  # pixels from where a push begins
PASSED = 18.0  # pixels from a way point that only lies on the way
PATIENCE = 40  # control steps to get to where a push begins
MARGIN = 4.0  # pixels between the agent and the T before a push
FINE = 10.0  # pixels from the goal below which pushes are planned finely
SIDE_SHARE = 0.4  # of the distance to the goal that a push from the other side must be better by
SIDE_MATTERS = 40.0  # pixels from the goal: nearer than this, any side is fine
WALL = 20.0  # pixels from the table's edge where pushes may begin

_TEE = shapely.geometry.Polygon(OUTLINE)
_PHYSICS_STEP = 0.01  # seconds
_STEPS_PER_ACTION = 10


class Contact(NamedTuple):
    """Where and in which direction to push, in the T's frame."""

    point: Array
    direction: Array


class Push(NamedTuple):
    """A push on the table: where it begins, what position is asked for, and the way there."""

    target: Array
    way: list[Array]


class Sweep(NamedTuple):
    """A straight push on the table, and what it costs in pixels."""

    cost: float
    start: Array
    direction: Array
    length: float


class Pose(NamedTuple):
    """Where the T is."""

    x: float
    y: float
    angle: float


class Physics:
    """A copy of the environment's physics, to try pushes in.

    The physics remembers a contact for a few of its steps. So what the last try left can show in the
    next one: now and then, by less than a pixel.
    """

    def __init__(self) -> None:
        environment: Any = make_environment().unwrapped
        environment.reset(seed=0)
        self._space = environment.space
        self._agent, self._tee = environment.agent, environment.block
        for shape in self._space.shapes:
            shape.collision_type = 1  # the environment counts contacts of type 0: no need here

    def sweep(
        self, start: Array, pose: Pose, direction: Array, length: float, speed: float
    ) -> Iterator[tuple[float, Pose]]:
        """Push straight ahead at a speed; yield how far it went and where the T is then."""
        self._place(start, pose)
        self._agent.velocity = tuple((speed * direction).tolist())
        for step in range(1, int(length / (speed * _PHYSICS_STEP)) + 1):
            self._space.step(_PHYSICS_STEP)
            if speed < 200 or step % 2 == 0:
                yield step * speed * _PHYSICS_STEP, self._pose()

    def press(self, start: Array, pose: Pose, target: Array) -> Pose:
        """Ask for a position during one push, as the environment does; return where the T is then."""
        self._place(start, pose)
        target_x, target_y = target.tolist()
        velocity_x = velocity_y = 0.0  # plain numbers: arrays of two are five times slower
        for _ in range(PUSH_STEPS * _STEPS_PER_ACTION):
            x, y = self._agent.position
            velocity_x += (100 * (target_x - x) - 20 * velocity_x) * _PHYSICS_STEP
            velocity_y += (100 * (target_y - y) - 20 * velocity_y) * _PHYSICS_STEP
            self._agent.velocity = (velocity_x, velocity_y)
            self._space.step(_PHYSICS_STEP)
        return self._pose()

    def _pose(self) -> Pose:
        return Pose(self._tee.position.x, self._tee.position.y, self._tee.angle)

    def _place(self, agent: Array, pose: Pose) -> None:
        self._agent.position = (float(agent[0]), float(agent[1]))
        self._agent.velocity = (0, 0)
        self._tee.angle = pose.angle
        self._tee.position = (pose.x, pose.y)
        self._tee.velocity = (0, 0)
        self._tee.angular_velocity = 0
        self._space.reindex_shapes_for_body(self._tee)
        self._space.reindex_shapes_for_body(self._agent)


def contacts(spacing: float, degrees: tuple[float, ...]) -> list[Contact]:
    """Return places along the T's outline to push from, each in several directions."""
    found = []
    for corner, following in zip(OUTLINE, np.roll(OUTLINE, -1, axis=0), strict=True):
        length = float(np.linalg.norm(following - corner))
        along = (following - corner) / length
        inward = np.array([-along[1], along[0]])
        for place in np.linspace(3.0, length - 3.0, max(2, int(length / spacing))):
            point = corner + along * place - inward * (AGENT_RADIUS + MARGIN)
            if _TEE.distance(shapely.geometry.Point(point)) >= AGENT_RADIUS + MARGIN / 2:
                turns = (rotation(math.radians(angle)) for angle in degrees)
                found += [Contact(point, turn @ inward) for turn in turns]
    return found


COARSE_CONTACTS = contacts(12.0, (-35.0, 0.0, 35.0))
FINE_CONTACTS = contacts(7.0, (-45.0, -20.0, 0.0, 20.0, 45.0))


@dataclass
class _Errand:
    """What one agent is about to do: walk its way, then push."""

    push: Push
    pushing: bool = False
    steps: int = 0  # of this walk, or of this push

    def next_target(self, agent: Array) -> Array | None:
        """Return where to go now. Nothing once the push is done, or if the walk takes too long."""
        self.steps += 1
        way = self.push.way
        if not self.pushing:
            _pass_way_points(agent, way)
            if len(way) == 1 and np.linalg.norm(agent - way[0]) < ARRIVED:
                self.pushing, self.steps = True, 1
        if self.pushing:
            return self.push.target if self.steps <= PUSH_STEPS else None
        return way[0] if self.steps <= PATIENCE else None


@dataclass
class PushPlanner:
    """An expert for Push-T: plans one push at a time, walks there, pushes, and plans again.

    It sees what a policy sees, and nothing else. It has a memory: which push it is about.

    Attributes:
        side: ``"left"`` or ``"right"`` prefers to push from this side of the T, turned so that it
            reads as a letter; empty for no preference.

    Raises:
        ValueError: If there is no such side.
    """

    side: str = ""
    _physics: Physics = field(default_factory=Physics, init=False, repr=False)
    _errands: list[_Errand | None] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.side not in ("", "left", "right"):
            raise ValueError(f'side must be "left", "right" or "", got {self.side!r}.')

    def reset(self, mask: Bool[Tensor, "batch"]) -> None:
        """Forget the pushes of these episodes."""
        if len(self._errands) != len(mask):
            self._errands = [None] * len(mask)
        for index in mask.nonzero().flatten().tolist():
            self._errands[index] = None

    def act(
        self, observations: Float[Tensor, "batch observation_dim"], generator: Generator
    ) -> Float[Tensor, "batch action_dim"]:
        """Return the positions that the agents are sent to, in pixels."""
        rows = observations.double().cpu().numpy()
        targets = []
        for index, (row, errand) in enumerate(zip(rows, self._errands, strict=True)):
            target, self._errands[index] = self._next(row, errand)
            targets.append(target)
        return _as_actions(targets, observations)

    def label(
        self, observations: Float[Tensor, "batch observation_dim"]
    ) -> Float[Tensor, "batch action_dim"]:
        """Return what this expert would do if it came upon each of these situations.

        For DAgger: every row is an episode of its own that has just begun. What the expert is about
        in its own episodes, it does not forget.
        """
        rows = observations.double().cpu().numpy()
        return _as_actions([self._next(row, None)[0] for row in rows], observations)

    def _next(self, observation: Array, errand: _Errand | None) -> tuple[Array, _Errand | None]:
        """Return one agent's next target, and what it is about from now on."""
        agent, pose = observation[:2], Pose(*map(float, observation[2:5]))
        for _ in range(3):
            if errand is None:
                push = self._plan(agent, pose)
                if push is None:
                    return _outwards(agent), None
                errand = _Errand(push)
            target = errand.next_target(agent)
            if target is not None:
                return target, errand
            errand = None
        return agent, None

    def _plan(self, agent: Array, pose: Pose) -> Push | None:
        """Return the push that leaves the T nearest to its goal, the walk counted too."""
        fine = distance_to_goal(*pose) < FINE
        walking = 0.003 if fine else 0.03  # pixels of distance that a pixel of walking is worth
        shifts = (-1.5, -0.5, 0.0, 0.5, 1.5) if fine else (-4.0, -1.5, 0.0, 1.5, 4.0)
        swept = self._swept(agent, pose, walking, fine)
        best, lowest = None, math.inf
        for sweep, way, walk in _reachable(swept, agent, pose, 24 if fine else 12):
            price = walking * walk + self._dislike(sweep.start, pose, fine)
            for target in _targets(sweep, shifts):
                cost = price + distance_to_goal(*self._physics.press(sweep.start, pose, target))
                if cost < lowest:
                    best, lowest = Push(target, way), cost
        return best

    def _swept(self, agent: Array, pose: Pose, walking: float, fine: bool) -> list[Sweep]:
        """Return the best straight push from each contact that lies on the table, best first."""
        turn, shift = rotation(pose.angle), np.array(pose[:2])
        reach = min(200.0, 2.2 * distance_to_goal(*pose) + 20)
        found = []
        for contact in FINE_CONTACTS if fine else COARSE_CONTACTS:
            start, direction = turn @ contact.point + shift, turn @ contact.direction
            if np.all((start > WALL) & (start < TABLE - WALL)):
                swept = self._physics.sweep(start, pose, direction, reach, 100.0 if fine else 250.0)
                left, length = _lowest(swept)
                left += walking * float(np.linalg.norm(start - agent))
                found.append(
                    Sweep(left + self._dislike(start, pose, fine), start, direction, length)
                )
        return sorted(found, key=lambda sweep: sweep.cost)

    def _dislike(self, contact: Array, pose: Pose, fine: bool) -> float:
        """Return what pushing from the side that is not preferred costs, in pixels."""
        if fine or not self.side:
            return 0.0
        across = (rotation(pose.angle).T @ (contact - np.array(pose[:2])))[0]
        wrong = across > 0 if self.side == "left" else across < 0
        distance = distance_to_goal(*pose)
        return SIDE_SHARE * distance if wrong and distance > SIDE_MATTERS else 0.0


def _reachable(
    swept: list[Sweep], agent: Array, pose: Pose, count: int
) -> Iterator[tuple[Sweep, list[Array], float]]:
    """Yield the first sweeps that the agent can walk to, the way there and its length."""
    ways: dict[tuple[float, ...], tuple[list[Array], float]] = {}
    for sweep in swept:
        place = tuple(sweep.start.tolist())
        if place not in ways:
            ways[place] = shortest_way(agent, sweep.start, pose)
        way, walk = ways[place]
        if way:
            yield sweep, way, walk
            count -= 1
        if not count:
            return


def _targets(sweep: Sweep, shifts: tuple[float, ...]) -> Iterator[Array]:
    """Yield places on the table a little before and after the end of a sweep."""
    for shift in shifts:
        target = sweep.start + sweep.direction * (sweep.length + shift)
        if sweep.length + shift > 2 and np.all((target > 16) & (target < TABLE - 16)):
            yield target


def _lowest(swept: Iterator[tuple[float, Pose]]) -> tuple[float, float]:
    """Return the least distance to the goal along a sweep, and the length at which it is reached."""
    lowest, best = math.inf, 0.0
    for length, pose in swept:
        left = distance_to_goal(*pose)
        if left < lowest:
            lowest, best = left, length
        elif left > lowest + 25:  # it only gets worse from here
            break
    return lowest, best


def _as_actions(targets: list[Array], observations: Tensor) -> Tensor:
    """Return targets as float32 beside the observations, two columns even if there are none."""
    rows = np.array(targets).reshape(-1, 2)
    return torch.as_tensor(rows, dtype=torch.float32, device=observations.device)


def _outwards(agent: Array) -> Array:
    """Return a place on the table away from its middle: the way out where an episode begins in the T."""
    return np.clip(TABLE / 2 + 3 * (agent - TABLE / 2), 30, 480)


def _pass_way_points(agent: Array, way: list[Array]) -> None:
    while len(way) > 1 and np.linalg.norm(agent - way[0]) < PASSED:
        way.pop(0)


_CORNERS = [
    np.array(corner) for corner in _TEE.buffer(AGENT_RADIUS + 10, quad_segs=2).exterior.coords[:-1]
]
_OBSTACLE = _TEE.buffer(AGENT_RADIUS + 1.0, quad_segs=4)
_OBSTACLE_IN_TOUCH = _TEE.buffer(AGENT_RADIUS - 3.0)
shapely.prepare([_OBSTACLE, _OBSTACLE_IN_TOUCH])


def shortest_way(agent: Array, goal: Array, pose: Pose) -> tuple[list[Array], float]:
    """Return way points around the T, the goal last, and the way's length. No way: none, infinity.

    Dijkstra on the visibility graph of corners a little outside the T's outline.
    """
    turn, shift = rotation(pose.angle), np.array(pose[:2])
    table = [agent, goal, *(turn @ corner + shift for corner in _CORNERS)]
    own = [turn.T @ (point - shift) for point in table]
    on_table = [bool(np.all((point > 18) & (point < TABLE - 18))) for point in table]
    usable = [k for k, is_on in enumerate(on_table) if k < 2 or is_on]
    came_from, length = _dijkstra(own, usable)
    if 1 not in came_from:
        return [], math.inf
    chain = [1]
    while came_from[chain[-1]] != 0:
        chain.append(came_from[chain[-1]])
    return [table[k] for k in reversed(chain)], length


def _dijkstra(points: list[Array], usable: list[int]) -> tuple[dict[int, int], float]:
    """Return by which points the shortest way leads from the first to the second, and its length."""
    lengths, came_from, waiting = {0: 0.0}, dict[int, int](), [(0.0, 0)]
    while waiting:
        length, here = heapq.heappop(waiting)
        if here == 1:
            return came_from, length
        if length > lengths[here]:
            continue
        for k in _in_sight(points, here, usable):
            further = length + float(np.linalg.norm(points[here] - points[k]))
            if further < lengths.get(k, math.inf):
                lengths[k], came_from[k] = further, here
                heapq.heappush(waiting, (further, k))
    return came_from, math.inf


def _in_sight(points: list[Array], here: int, usable: list[int]) -> list[int]:
    """Return the points to which one can go straight, all told in the T's frame."""
    pressed_to_the_tee = _OBSTACLE.contains(shapely.geometry.Point(points[0]))
    obstacle = _OBSTACLE_IN_TOUCH if pressed_to_the_tee else _OBSTACLE
    others = [k for k in usable if k not in (0, here)]
    lines = shapely.linestrings([[points[here], points[k]] for k in others])
    blocked = shapely.intersects(obstacle, lines)
    return [k for k, is_blocked in zip(others, blocked, strict=True) if not is_blocked]
