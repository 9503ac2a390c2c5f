"""The tasks as Gymnasium sees them: one episode, and many."""

import math
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.utils.passive_env_checker import check_action_space, check_observation_space
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from imitation_lab.envs import TASKS, Fork, Pendulum, Racetrack
from imitation_lab.envs.adapters import TaskEnv, TaskVectorEnv
from imitation_lab.envs.pendulum import GRAVITY
from imitation_lab.experts import ForkDriver
from imitation_lab.experts.pendulum import PendulumBalancer
from imitation_lab.experts.racetrack import RacetrackDriver
from imitation_lab.rollout import rollout

FORK, RACETRACK = "ImitationLab/Fork-v0", "ImitationLab/Racetrack-v0"
PENDULUM = "ImitationLab/Pendulum-v0"
ALL_TASKS = pytest.mark.parametrize("task", [Fork(), Racetrack(), Pendulum()], ids=lambda t: t.name)
# At this start one full-speed step reaches the goal: 1.8 + 0.1 (0 + 0.5 · 1) is 0.15 m short of it.
BEFORE_GOAL = np.array([1.84, 0.0, 0, 0, 1, 0, 2, 0], dtype=np.float32)
AHEAD = np.array([1.0, 0.0], dtype=np.float32)


def draw_starts(num_envs, seed=0):
    return Fork().initial_states(num_envs, torch.Generator().manual_seed(seed)).numpy()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *[(name, {}) for name in (FORK, RACETRACK, PENDULUM)],
        *[(name, {"observation_noise": 0.1}) for name in (FORK, RACETRACK, PENDULUM)],
        (FORK, {"angle": 0.7}),
        (RACETRACK, {"bump": 0.0}),
        (PENDULUM, {"largest_angle": 0.3}),
    ],
)
# Later filters win. Gymnasium recommends actions within ±1; the course keeps them in physical units.
@pytest.mark.filterwarnings("error", "ignore:.*symmetric and normalized space")
def test_the_single_environment_passes_gymnasiums_checker_without_any_other_warning(name, settings):
    env = gymnasium.make(name, render_mode="rgb_array", **settings)
    check_env(env.unwrapped)


@pytest.mark.parametrize(
    ("name", "task"),
    [(FORK, Fork(angle=0.5)), (RACETRACK, Racetrack(laps=1.0)), (PENDULUM, Pendulum(seconds=3.0))],
)
def test_settings_reach_the_task_through_make(name, task):
    # vars() of a frozen dataclass are its settings.
    assert gymnasium.make(name, **vars(task)).unwrapped.task == task
    assert gymnasium.make_vec(name, num_envs=2, **vars(task)).unwrapped.task == task


def test_every_task_has_a_gymnasium_name_that_can_be_written_down():
    # Recordings in Minari's format keep the description of their environment as JSON.
    kinds = {FORK: Fork, RACETRACK: Racetrack, PENDULUM: Pendulum}
    assert set(TASKS.values()) == set(kinds.values())
    for name, kind in kinds.items():
        spec = EnvSpec.from_json(gymnasium.spec(name).to_json())
        assert gymnasium.make(spec).unwrapped.task == kind()


@pytest.mark.parametrize("name", [FORK, RACETRACK, PENDULUM])
@pytest.mark.filterwarnings("error")
def test_make_vec_uses_the_batched_environment(name):
    env = gymnasium.make_vec(name, num_envs=3, vectorization_mode="vector_entry_point")
    assert isinstance(env.unwrapped, TaskVectorEnv)
    assert env.num_envs == 3


@pytest.mark.parametrize(
    ("task", "largest"), [(Fork(), Fork.top_speed), (Racetrack(), Racetrack.top_turn_rate)]
)
def test_the_action_space_ends_where_larger_actions_change_nothing_more(task, largest):
    space = TaskEnv(task).action_space
    assert (space.low == -largest).all() and (space.high == largest).all()
    generator = torch.Generator().manual_seed(0)
    state = task.initial_states(1, generator)
    for end in (space.low, space.high):
        ahead = np.zeros((1, task.action_dim), dtype=np.float32)
        ahead[0, 0] = end[0]
        less, at_end, beyond = (
            task.advance(state, torch.from_numpy(scale * ahead), generator) for scale in (0.9, 1, 3)
        )
        assert torch.equal(at_end, beyond) and not torch.allclose(at_end, less)


def test_the_pendulums_action_space_holds_what_its_hand_asks_for_while_the_pole_stands():
    task = Pendulum()
    angle = task.largest_angle
    # No pole that fell from upright is faster: its kinetic energy is what its height has lost.
    speed = math.sqrt(2 * GRAVITY * (1 - math.cos(angle)))
    observations = torch.tensor(
        [[-angle, -speed], [-angle, speed], [angle, -speed], [angle, speed]]
    )
    torques = PendulumBalancer().act(observations, torch.Generator()).numpy()
    space = TaskEnv(task).action_space
    assert all(torque in space for torque in torques)
    assert np.isfinite([space.low, space.high]).all()


@pytest.mark.parametrize(
    ("task", "action"),
    [
        (Fork(process_noise=0.03, observation_noise=0.05, angle=0.4), [1.0, 0.0]),
        (Racetrack(process_noise=0.03, observation_noise=0.05), [0.6]),
        (Pendulum(observation_noise=0.05), [0.1]),
        (Pendulum(seconds=0.5), [0.0]),
    ],
)
def test_a_single_episode_is_the_same_as_in_rollout_noise_included(task, action):
    env = TaskEnv(task)
    observation, _ = env.reset(seed=3)
    generator = torch.Generator().manual_seed(int(np.random.default_rng(3).integers(2**63 - 1)))
    expected = rollout(task, AlwaysTheSame(action), 1, generator)
    for step in range(len(expected.actions)):
        np.testing.assert_array_equal(observation, expected.observations[step, 0].numpy())
        observation, reward, terminated, _, info = env.step(expected.actions[step, 0].numpy())
    np.testing.assert_array_equal(observation, expected.observations[-1, 0].numpy())
    assert terminated == bool(expected.succeeded[0] | expected.failed[0])
    assert info["success"] == bool(reward) == bool(expected.succeeded[0])


class AlwaysTheSame:
    """Repeats one action."""

    def __init__(self, action):
        self.action = torch.tensor(action)

    def reset(self, mask): ...

    def act(self, observations, generator):
        return self.action.expand(len(observations), -1)


def test_success_is_rewarded_once_and_ends_the_episode():
    env = TaskEnv(Fork())
    env.reset(seed=0, options={"state": BEFORE_GOAL})
    _, reward, terminated, truncated, info = env.step(AHEAD)
    assert (reward, terminated, truncated, info) == (1.0, True, False, {"success": True})


def test_a_crash_ends_the_episode_without_reward():
    env = TaskEnv(Fork())
    # 0.4 m before the centre of an obstacle of 0.35 m: one step at 0.6 m/s is enough.
    env.reset(seed=0, options={"state": [0.6, 0, 1, 0, 1, 0, 2, 0]})
    _, reward, terminated, truncated, info = env.step(AHEAD)
    assert (reward, terminated, truncated, info) == (0.0, True, False, {"success": False})


def test_standing_still_is_cut_off_after_max_steps():
    env = TaskEnv(Fork(max_steps=7))
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, dtype=np.float32))[2:4] for _ in range(7)]
    assert ends == [(False, False)] * 6 + [(False, True)]


def test_stepping_without_a_running_episode_is_refused():
    env = TaskEnv(Fork())
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(AHEAD)
    env.reset(seed=0, options={"state": BEFORE_GOAL})
    env.step(AHEAD)
    with pytest.raises(ResetNeeded, match="after every end"):
        env.step(AHEAD)
    with pytest.raises(ResetNeeded, match="call reset"):
        TaskVectorEnv(Fork(), 2).step(np.zeros((2, 2), dtype=np.float32))


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (np.zeros(3, dtype=np.float32), ValueError, r"shape \(3,\): expected \(2,\)"),
        (np.zeros((), dtype=np.float32), ValueError, r"shape \(\): expected \(2,\)"),
        (np.zeros(2, dtype=np.int64), TypeError, "floats, got int64"),
        (np.array([None, 1]), TypeError, "floats, got object"),
        (np.array([np.nan, 0]), ValueError, "NaN"),
    ],
)
def test_actions_that_make_no_sense_are_refused(action, error, message):
    env = TaskEnv(Fork())
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.step(action)


def test_actions_of_the_wrong_batch_are_refused():
    env = TaskVectorEnv(Fork(), 3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(2,\): expected \(3, 2\)"):
        env.step(AHEAD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": BEFORE_GOAL}, r"unknown reset options \['states'\]: there are \['state'\]"),
        ({"state": BEFORE_GOAL[:5]}, r"shape \(5,\) to start from: expected 1 of shape \(8,\)"),
        ({"state": BEFORE_GOAL * np.nan}, "NaN"),
    ],
)
def test_reset_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TaskEnv(Fork()).reset(seed=0, options=options)


@pytest.mark.parametrize(
    "mask", [np.zeros(2, dtype=bool), np.ones(3, dtype=bool), np.array([0, 1])]
)
def test_reset_masks_that_make_no_sense_are_refused(mask):
    env = TaskVectorEnv(Fork(), 2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="reset_mask must be 2 booleans"):
        env.reset(options={"reset_mask": mask})


def test_an_unknown_render_mode_is_refused():
    with pytest.raises(ValueError, match="got 'human'"):
        TaskEnv(Fork(), render_mode="human")


@ALL_TASKS
def test_the_vector_spaces_are_gymnasiums_batches_of_the_single_ones(task):
    vector, single = TaskVectorEnv(task, 4), TaskEnv(task)
    assert vector.single_observation_space == single.observation_space
    assert vector.single_action_space == single.action_space
    assert vector.observation_space == batch_space(single.observation_space, 4)
    assert vector.action_space == batch_space(single.action_space, 4)
    # Gymnasium has no checker for vector environments; these are its checks of spaces.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_observation_space(vector.observation_space)
        check_action_space(vector.action_space)


@ALL_TASKS
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_what_the_vector_environment_returns_lies_in_its_spaces(mode, task):
    env = TaskVectorEnv(task, 4, autoreset_mode=mode)
    env.action_space.seed(0)
    assert env.metadata["autoreset_mode"] is mode
    observations, _ = env.reset(seed=1)
    for _ in range(30):
        assert observations in env.observation_space
        result = env.step(env.action_space.sample())
        observations, rewards, terminations, truncations, _ = result
        assert rewards.shape == terminations.shape == truncations.shape == (4,)
        assert (rewards.dtype, terminations.dtype, truncations.dtype) == (float, bool, bool)
        if mode is AutoresetMode.DISABLED and (ended := terminations | truncations).any():
            env.reset(options={"reset_mask": ended})


def test_the_vector_environment_returns_new_data_at_every_step():
    env = TaskVectorEnv(Fork(), 2)
    first, info = env.reset(seed=0)
    kept, kept_info = first.copy(), {name: value.copy() for name, value in info.items()}
    env.step(np.ones((2, 2), dtype=np.float32))
    np.testing.assert_array_equal(first, kept)
    assert data_equivalence(info, kept_info, exact=True)


def test_writing_into_an_observation_does_not_move_the_vehicle():
    class SeesTheState(Fork):
        def observe(self, states, generator):
            return states

    env = TaskEnv(SeesTheState())
    observation, _ = env.reset(seed=0)
    observation[:] = 99.0
    assert np.abs(env.step(AHEAD)[0]).max() < 3


def drive(env, steps):
    """Return what an environment answers to random actions, which drive ahead."""
    generator = np.random.default_rng(5)
    history = []
    for _ in range(steps):
        actions = generator.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        actions[:, 0] = np.abs(actions[:, 0])
        history.append(env.step(actions))
    return history


def with_one_start(kind, start):
    """Return a kind of task that has one start only: then restarts agree, whoever draws them."""

    def initial_states(task, num_episodes, generator):
        return torch.tensor(start).repeat(num_episodes, 1)

    return type(f"Fixed{kind.__name__}", (kind,), {"initial_states": initial_states})


FixedFork = with_one_start(Fork, [0.0, 0.1, 0, 0, 1, 0, 2, 0])
FixedRacetrack = with_one_start(Racetrack, [1.5, 0, 1.57, 0.6, 0])
FixedPendulum = with_one_start(Pendulum, [0.2, 0.1, 0])


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(
    "task",
    [
        FixedFork(max_steps=12),
        FixedFork(angle=0.6, max_steps=12),
        FixedRacetrack(laps=0.05),
        FixedRacetrack(max_steps=4),
        FixedPendulum(process_noise=0.0),
        FixedPendulum(process_noise=0.0, seconds=0.2),
    ],
)
def test_the_batch_agrees_step_by_step_with_gymnasiums_loop_over_single_episodes(mode, task):
    loop = SyncVectorEnv([lambda: TaskEnv(task)] * 5, autoreset_mode=mode)
    batch = TaskVectorEnv(task, 5, autoreset_mode=mode)
    kind = type(task).__mro__[1]  # the starts of the plain task, which differ
    starts = kind.initial_states(task, 5, torch.Generator().manual_seed(0)).numpy()
    first, _ = batch.reset(seed=0, options={"states": starts})
    loop.reset(seed=0)
    for index, env in enumerate(loop.envs):
        observation, _ = env.reset(options={"state": starts[index]})
        np.testing.assert_array_equal(observation, first[index])
    expected, given = drive(loop, 40), drive(batch, 40)
    for step, (wanted, answer) in enumerate(zip(expected, given, strict=True)):
        for one, other in zip(wanted, answer, strict=True):
            assert data_equivalence(one, other), f"step {step}: {one} against {other}"
    assert any((terminated | truncated).any() for _, _, terminated, truncated, _ in given)


def test_an_episode_that_starts_at_its_goal_has_not_yet_succeeded_as_in_gymnasiums_loop():
    task = FixedFork(goal_radius=3.0)
    loop, batch = SyncVectorEnv([lambda: TaskEnv(task)] * 2), TaskVectorEnv(task, 2)
    loop.reset(seed=0), batch.reset(seed=0)
    for expected, given in zip(drive(loop, 4), drive(batch, 4), strict=True):
        assert data_equivalence(expected, given)


def test_a_restart_leaves_what_the_other_episodes_see_alone():
    starts = np.stack([BEFORE_GOAL, draw_starts(1)[0]])
    seen = []
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        env = TaskVectorEnv(Fork(observation_noise=0.2), 2, autoreset_mode=mode)
        env.reset(seed=0, options={"states": starts})
        seen.append(env.step(np.stack([AHEAD, AHEAD])))
    (after_next, *_), (after_same, *_, info) = seen
    np.testing.assert_array_equal(after_same[1], after_next[1])
    np.testing.assert_array_equal(info["final_obs"][0], after_next[0])


def test_next_step_autoreset_ignores_one_action_and_starts_that_episode_anew():
    env = TaskVectorEnv(Fork(), 2)
    far = draw_starts(1)[0]
    env.reset(seed=0, options={"states": np.stack([BEFORE_GOAL, far])})
    ahead = np.stack([AHEAD, AHEAD])
    last, rewards, terminations, _, info = env.step(ahead)
    assert rewards.tolist() == [1, 0] and terminations.tolist() == [True, False]
    assert info["success"].tolist() == [True, False]
    assert last[0, 0] > BEFORE_GOAL[0]  # the final observation, not yet the next start
    observations, rewards, terminations, truncations, info = env.step(ahead)
    assert not rewards.any() and not terminations.any() and not truncations.any()
    assert not info["success"].any()
    assert np.abs(observations[0, :2]).max() <= 0.05 + 1e-6  # the start's range
    np.testing.assert_array_equal(observations[0, 2:4], 0)
    # The neighbour goes on: v = 0.75 m/s after two steps of v += 0.5 (1 - v).
    np.testing.assert_allclose(observations[1, 2], 0.75, rtol=1e-6)


def test_same_step_autoreset_keeps_the_final_observation():
    env = TaskVectorEnv(Fork(), 2, autoreset_mode="SameStep")
    env.reset(seed=0, options={"states": np.stack([BEFORE_GOAL, draw_starts(1)[0]])})
    observations, rewards, terminations, _, info = env.step(np.stack([AHEAD, AHEAD]))
    assert rewards.tolist() == [1, 0] and terminations.tolist() == [True, False]
    assert np.abs(observations[0, :2]).max() <= 0.05 + 1e-6
    assert info["final_obs"][0][0] > BEFORE_GOAL[0] and info["final_obs"][1] is None
    assert info["final_info"]["success"].tolist() == [True, False]


def test_without_autoreset_an_ended_episode_must_be_reset():
    env = TaskVectorEnv(Fork(), 2, autoreset_mode="Disabled")
    env.reset(seed=0, options={"states": np.stack([BEFORE_GOAL, draw_starts(1)[0]])})
    actions = np.stack([AHEAD, AHEAD])
    before, _, terminations, _, _ = env.step(actions)
    with pytest.raises(ResetNeeded, match=r"episodes \[0\] have ended"):
        env.step(actions)
    after, _ = env.reset(options={"reset_mask": terminations})
    np.testing.assert_array_equal(after[1], before[1])
    assert abs(after[0, 0]) <= 0.05 + 1e-6
    env.step(actions)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_equal_seeds_give_equal_episodes_and_later_resets_go_on_from_there(noise):
    def play(seed):
        env = TaskVectorEnv(Fork(observation_noise=noise, max_steps=5), 3)
        seen = [env.reset(seed=seed)[0]]
        actions = np.full((3, 2), 0.1, dtype=np.float32)
        seen += [env.step(actions)[0] for _ in range(12)]
        return np.stack([*seen, env.reset()[0]])

    np.testing.assert_array_equal(play(7), play(7))
    assert not np.array_equal(play(7), play(8))
    again = play(7)
    assert not np.array_equal(again[0], again[-1])  # a reset without a seed draws new starts


def test_gymnasiums_statistics_count_the_batched_episodes_rightly():
    env = RecordEpisodeStatistics(TaskVectorEnv(Fork(max_steps=6), 3))
    env.reset(seed=0)
    still = np.zeros((3, 2), dtype=np.float32)
    for _ in range(5):
        env.step(still)
    *_, info = env.step(still)
    assert info["episode"]["l"].tolist() == [6, 6, 6]
    for _ in range(7):  # one step to restart, six to the end
        *_, info = env.step(still)
    assert info["episode"]["l"].tolist() == [6, 6, 6]
    assert env.episode_count == 6


@pytest.mark.parametrize(
    ("name", "settings", "expert"),
    [
        (FORK, {"angle": 0.3}, ForkDriver(Fork(angle=0.3))),
        (RACETRACK, {"laps": 1.0}, RacetrackDriver(Racetrack(laps=1.0))),
        (PENDULUM, {}, PendulumBalancer()),
    ],
)
def test_an_expert_succeeds_in_the_gymnasium_environment(name, settings, expert):
    generator = torch.Generator().manual_seed(0)
    env = gymnasium.make(name, **settings)
    observation, info = env.reset(seed=4)
    expert.reset(torch.ones(1, dtype=torch.bool))
    ended = False
    while not ended:
        action = expert.act(torch.from_numpy(observation)[None], generator)[0].numpy()
        assert action in env.action_space
        observation, _, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
    assert info["success"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_batch_runs_on_a_gpu_with_arrays_in_and_out():
    starts = draw_starts(4)
    results = []
    for device in ("cpu", "cuda"):
        env = TaskVectorEnv(Fork(angle=0.4), 4, device=device)
        env.reset(seed=0, options={"states": starts})
        results.append([env.step(np.full((4, 2), 0.6, dtype=np.float32))[0] for _ in range(10)])
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)
