"""Push-T driven by this course's actors, held against the environment's own word."""

import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from imitation_lab.pusht.environment import (
    MAX_STEPS,
    RATE,
    Drives,
    drive,
    first_side,
    make_environment,
)
from imitation_lab.pusht.geometry import TABLE, rotation
from imitation_lab.pusht.planner import PushPlanner
from imitation_lab.types import Ending, Trajectory

SOLVED_EARLY = 32  # a start from which the planner needs few pushes


@dataclass
class Wanderer:
    """Goes to random places. It remembers what it was shown."""

    seen: list = field(default_factory=list)
    resets: list = field(default_factory=list)

    def reset(self, mask):
        self.resets.append(mask)

    def act(self, observations, generator):
        self.seen.append(observations.clone())
        return TABLE * torch.rand(len(observations), 2, generator=generator)


@dataclass
class Asker:
    """Asks for one action for ever."""

    action: torch.Tensor

    def reset(self, mask):
        pass

    def act(self, observations, generator):
        return self.action


@dataclass
class Replay:
    """Asks for these actions, one after the other. There must be enough of them."""

    actions: torch.Tensor
    step: int = 0

    def reset(self, mask):
        self.step = 0

    def act(self, observations, generator):
        self.step += 1
        return self.actions[self.step - 1 : self.step]


@dataclass
class BesideAPlanner:
    """The first episode is a planner's; in the others, nobody moves from where they are."""

    planner: PushPlanner = field(default_factory=PushPlanner)
    seen: list = field(default_factory=list)

    def reset(self, mask):
        self.planner.reset(mask[:1])

    def act(self, observations, generator):
        self.seen.append(observations.clone())
        still = observations[1:, :2]
        return torch.cat([self.planner.act(observations[:1], generator), still])


@pytest.fixture(scope="module")
def beside_a_planner():
    """Return an actor that solved the first of two episodes, and the episodes."""
    actor = BesideAPlanner()
    return actor, drive(actor, [SOLVED_EARLY, 11], torch.Generator(), max_steps=60)


def wander(seeds=(5, 6, 7), seed=0, **more):
    return drive(Wanderer(), seeds, torch.Generator().manual_seed(seed), max_steps=20, **more)


def same(first: Drives, second: Drives) -> bool:
    pairs = zip(first.trajectories, second.trajectories, strict=True)
    return all(
        torch.equal(a.observations, b.observations) and torch.equal(a.actions, b.actions)
        for a, b in pairs
    )


def test_the_same_generator_drives_the_same_episodes():
    assert same(wander(), wander())
    assert not same(wander(), wander(seed=1))


def test_a_seed_is_a_start_whatever_the_actor_draws():
    first, second = wander(seeds=(5, 6), seed=0), wander(seeds=(6, 9), seed=1)
    start_of = [t.observations[0] for d in (first, second) for t in d.trajectories]
    assert torch.equal(start_of[1], start_of[2])
    assert not torch.equal(start_of[0], start_of[1])


def test_the_starts_are_the_environments_own():
    world = make_environment()
    for seed, trajectory in zip((5, 6, 7), wander().trajectories, strict=True):
        expected, _ = world.reset(seed=seed)
        np.testing.assert_array_equal(trajectory.observations[0], expected.astype(np.float32))


def test_replaying_the_actions_in_the_environment_ends_in_the_same_place_with_the_same_coverage():
    drives = wander()
    for seed, trajectory, coverage in zip(
        (5, 6, 7), drives.trajectories, drives.coverage, strict=True
    ):
        world = make_environment()
        world.reset(seed=seed)
        covered = [0.0]
        for action, observation in zip(
            trajectory.actions, trajectory.observations[1:], strict=True
        ):
            found, _, terminated, _, facts = world.step(action.double().numpy())
            covered.append(facts["coverage"])
            np.testing.assert_array_equal(observation, found.astype(np.float32))
            assert not terminated
        assert float(coverage) == pytest.approx(max(covered), abs=1e-6)


def test_success_is_what_the_environment_calls_success_and_ends_the_episode(beside_a_planner):
    _, drives = beside_a_planner
    solved, _ = drives.trajectories
    world = make_environment()
    world.reset(seed=SOLVED_EARLY)
    told = []
    for action in solved.actions:
        _, _, terminated, _, facts = world.step(action.double().numpy())
        told.append((bool(terminated), bool(facts["is_success"])))
    assert told == [*[(False, False)] * (len(solved) - 1), (True, True)]
    assert float(drives.coverage[0]) > 0.95 > float(drives.coverage[1])
    assert drives.succeeded == [True, False]
    assert [t.ending for t in drives.trajectories] == [Ending.SUCCESS, Ending.CUT_OFF]
    assert (drives.success.successes, drives.success.trials) == (1, 2)


def test_a_finished_episode_stands_still_while_others_go_on(beside_a_planner):
    actor, drives = beside_a_planner
    first, second = drives.trajectories
    assert len(first) < len(second) == len(actor.seen) == 60
    after = torch.stack(actor.seen[len(first) :])[:, 0]
    assert torch.equal(after, first.observations[-1].expand_as(after))


def test_it_stops_as_soon_as_all_have_succeeded(beside_a_planner):
    _, drives = beside_a_planner
    solved, _ = drives.trajectories
    again = drive(Replay(solved.actions), [SOLVED_EARLY], torch.Generator())
    assert len(again.trajectories[0]) == len(solved) < MAX_STEPS


def test_an_actor_is_reset_once_for_all_episodes_before_it_acts():
    actor = Wanderer()
    drive(actor, [1, 2, 3], torch.Generator(), max_steps=2)
    assert [mask.tolist() for mask in actor.resets] == [[True] * 3]
    assert [len(seen) for seen in actor.seen] == [3, 3]


def test_the_actor_sees_what_is_recorded():
    actor = Wanderer()
    drives = drive(actor, [1, 2], torch.Generator(), max_steps=9)
    recorded = torch.stack([t.observations[:-1] for t in drives.trajectories], dim=1)
    assert torch.equal(torch.stack(actor.seen), recorded)


def test_a_disturbance_changes_what_is_executed_but_not_what_is_recorded():
    asked = torch.tensor([[100.0, 200.0]])
    calm = drive(Asker(asked), [4], torch.Generator(), max_steps=15)
    shaken = drive(Asker(asked), [4], torch.Generator(), max_steps=15, disturb=lambda a: a + 30.0)
    elsewhere = drive(Asker(asked + 30.0), [4], torch.Generator(), max_steps=15)
    (quiet,), (shaky,), (moved,) = (d.trajectories for d in (calm, shaken, elsewhere))
    assert torch.equal(shaky.actions, quiet.actions)
    assert torch.equal(shaky.observations, moved.observations)
    assert not torch.equal(shaky.observations, quiet.observations)


def test_positions_off_the_table_are_executed_at_its_edge():
    off = drive(Asker(torch.tensor([[-900.0, 700.0]])), [4], torch.Generator(), max_steps=8)
    edge = drive(Asker(torch.tensor([[0.0, 512.0]])), [4], torch.Generator(), max_steps=8)
    assert torch.equal(off.trajectories[0].observations, edge.trajectories[0].observations)


@pytest.mark.parametrize("action", [torch.zeros(2, 2), torch.zeros(1), torch.zeros(1, 3)])
def test_actions_of_a_wrong_shape_are_refused(action):
    with pytest.raises(ValueError, match=r"expected \(1, 2\)"):
        drive(Asker(action), [4], torch.Generator(), max_steps=1)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_an_action_that_is_not_finite_fails_its_episode_and_no_other(broken):
    actions = torch.tensor([[100.0, broken], [100.0, 200.0]])
    drives = drive(Asker(actions), [4, 5], torch.Generator(), max_steps=6)
    failed, sound = drives.trajectories
    assert (failed.ending, len(failed), len(failed.observations)) == (Ending.FAILURE, 0, 1)
    assert (sound.ending, len(sound)) == (Ending.CUT_OFF, 6)
    assert drives.succeeded == [False, False]
    assert first_side(failed) == ""


def test_the_drivers_name_is_kept():
    assert {t.driver for t in wander(driver="anna").trajectories} == {"anna"}


def test_the_rate_is_the_environments():
    assert make_environment().unwrapped.metadata["render_fps"] == RATE


def test_pictures_have_the_size_that_was_asked_for():
    world = make_environment(size=80)
    world.reset(seed=0)
    picture = world.render()
    assert picture.shape == (80, 80, 3) and picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 3  # table, goal, T and agent


def test_without_its_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gym_pusht", None)
    with pytest.raises(ImportError, match=r"setup --capstone.*imitation-lab\[capstone\]"):
        make_environment()


def pushed_from(x: float, angle: float) -> Trajectory:
    """Return an episode in which the T turns away from an agent at this place in its frame."""
    still = torch.tensor([0.0, 60.0, 200.0, 200.0, angle])
    turn = torch.from_numpy(rotation(angle)).float()
    still[:2] = turn @ torch.tensor([x, 60.0]) + still[2:4]
    pushed = still + torch.tensor([1.0, 0.0, 2.0, 0.0, 0.0])
    return Trajectory(torch.stack([still, still, pushed]), torch.zeros(2, 2))


@pytest.mark.parametrize("angle", [0.0, 1.3, 3.0, 5.5])
def test_the_first_side_is_the_agents_side_as_the_tee_reads_as_a_letter(angle):
    assert first_side(pushed_from(-40.0, angle)) == "left"
    assert first_side(pushed_from(40.0, angle)) == "right"


def test_at_angle_zero_the_pictures_tee_reads_as_a_letter():
    """Its bar is above its stem, so that the left of the picture is the left of the T."""
    world = make_environment(size=512)
    world.reset(seed=0)
    world.unwrapped.block.angle = 0.0
    world.unwrapped.block.position = (150, 150)
    world.unwrapped.agent.position = (450, 450)
    world.unwrapped.space.reindex_shapes_for_body(world.unwrapped.block)
    without_goal = world.render()[100:200, 60:240].astype(int)  # the goal begins below
    is_tee = np.ptp(without_goal, axis=2) > 10  # the table is white
    bar, stem = is_tee[55:75].sum(axis=1), is_tee[90:100].sum(axis=1)
    assert bar.min() > 2 * stem.max() > 0


def test_who_touches_nothing_has_pushed_from_no_side():
    standing = torch.tensor([30.0, 60.0, 200.0, 200.0, 1.0]).repeat(4, 1)
    standing[:, 0] += torch.arange(4.0)
    assert first_side(Trajectory(standing, torch.zeros(3, 2))) == ""


def test_sides_are_told_for_every_episode():
    drives = Drives((pushed_from(-40.0, 0.2), pushed_from(40.0, 0.2)), torch.zeros(2))
    assert drives.sides == ["left", "right"]
