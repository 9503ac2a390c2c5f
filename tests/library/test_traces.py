"""One episode with every chunk that it was given: what was taken, and what became of the rest."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from imitation_lab.controller import RecedingHorizon
from imitation_lab.envs import Fork, Pendulum
from imitation_lab.rollout import rollout
from imitation_lab.traces import Fate, trace

HORIZON = 6
FORK = Fork(max_steps=23)
# Execution horizon and delay: every step, the whole chunk, delays, and chunks that run out.
PACES = [(1, 0), (3, 0), (6, 0), (2, 2), (3, 1), (1, 3), (5, 4), (9, 0), (7, 2)]


class Scribbler:
    """A policy whose every predicted action is new: one of a few slow, random directions."""

    prediction_horizon = HORIZON

    def sample(self, observations, generator):
        chunks = torch.randn(len(observations), HORIZON, 2, generator=generator)
        return 0.3 * chunks


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def go_on(observations, plans, generator):
    """Keep the plan's first half and scribble the rest: a stand-in for real-time chunking."""
    fresh = Scribbler().sample(observations, generator)
    return torch.cat([plans[:, :3], fresh[:, 3:]], dim=1)


def scribbled(horizon=2, delay=2, decode=None, task=FORK, seed=0, **options):
    actor = RecedingHorizon(Scribbler(), horizon, delay, decode)
    return trace(task, actor, generator(seed), **options)


@pytest.mark.parametrize("decode", [None, go_on])
@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_every_action_taken_is_the_one_that_its_chunk_had_for_that_step(horizon, delay, decode):
    drive = scribbled(horizon, delay, decode)
    assert len(drive) == FORK.max_steps
    for step in range(len(drive)):
        chunk = drive.playing(step)
        age = min(step - drive.born[chunk], HORIZON - 1)
        assert torch.equal(drive.actions[step], drive.chunks[chunk, age])


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_chunks_are_asked_for_at_the_actor_s_pace_and_at_hand_after_the_delay(horizon, delay):
    drive = scribbled(horizon, delay)
    assert drive.born == tuple(range(0, FORK.max_steps, max(horizon, delay)))
    assert drive.ready == (0, *(born + delay for born in drive.born[1:]))


@pytest.mark.parametrize("decode", [None, go_on])
def test_a_traced_episode_is_the_episode_that_a_rollout_runs(decode):
    actor = RecedingHorizon(Scribbler(), 2, 1, decode)
    noisy = replace(FORK, process_noise=0.1, observation_noise=0.2)
    drive = trace(noisy, actor, generator(3))
    run = rollout(noisy, actor, 1, generator(3))
    assert torch.equal(drive.actions, run.trajectory(0).actions)
    assert torch.equal(drive.states, run.states[:, 0])
    assert drive.ending == run.trajectory(0).ending


def test_an_episode_that_ends_early_ends_its_trace():
    off_the_road = torch.tensor([0.0, 0.79, 0, 1, 1, 0, 2, 0])
    drive = scribbled(initial_state=off_the_road, label="short")
    assert torch.equal(drive.states[0], off_the_road)
    assert len(drive) < 5
    assert drive.states.shape == (len(drive) + 1, 8)
    assert (drive.label, drive.ending) == ("short", "failure")


def test_any_task_can_be_traced():
    class Pusher(Scribbler):
        def sample(self, observations, generator):
            return super().sample(observations, generator)[:, :, :1]

    task = Pendulum(process_noise=0.0)
    drive = trace(task, RecedingHorizon(Pusher(), 3, 1), generator())
    assert drive.chunks.shape == (len(drive.born), HORIZON, 1)
    assert torch.equal(drive.planned_states(0, 0)[1], drive.states[1])


def test_an_actor_of_many_paces_is_refused():
    actor = RecedingHorizon(Scribbler(), torch.tensor([1, 2]), 0)
    with pytest.raises(ValueError, match=r"execution_horizon \[1, 2\]: give it one"):
        trace(FORK, actor, generator())


# --- what became of every action ------------------------------------------------------------------


def meant_for(drive, now, *fates):
    """The steps that actions of some fates were meant for, chunk by chunk."""
    rows = drive.fates(now)
    return [
        [drive.born[chunk] + index for index, fate in enumerate(row) if fate in fates]
        for chunk, row in enumerate(rows)
    ]


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_each_step_is_taken_exactly_once(horizon, delay):
    drive = scribbled(horizon, delay)
    for now in range(len(drive) + 1):
        rows = meant_for(drive, now, Fate.TAKEN, Fate.HELD)
        assert Counter(step for row in rows for step in row) == Counter(range(now))
        for chunk, row in enumerate(rows):
            assert all(drive.playing(step) == chunk for step in row)


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_as_many_actions_of_each_later_chunk_are_missed_as_thinking_takes_steps(horizon, delay):
    drive = scribbled(horizon, delay)
    for now in range(len(drive) + 1):
        first, *later = meant_for(drive, now, Fate.MISSED)
        assert first == []
        for born, missed in zip(drive.born[1:], later, strict=False):
            assert missed == list(range(born, born + delay))


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_still_to_come_is_what_is_left_of_the_chunk_that_plays(horizon, delay):
    drive = scribbled(horizon, delay)
    for now in range(len(drive)):
        rows = meant_for(drive, now, Fate.TO_COME)
        playing = drive.playing(now)
        assert rows.pop(playing) == list(range(now, drive.born[playing] + HORIZON))
        assert not any(rows)


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_a_chunk_is_awaited_until_it_is_at_hand_and_unknown_before_it_is_asked_for(horizon, delay):
    drive = scribbled(horizon, delay)
    for now in range(len(drive)):
        rows = drive.fates(now)
        assert len(rows) == sum(born <= now for born in drive.born)
        for row, ready in zip(rows, drive.ready, strict=False):
            assert (Fate.AWAITED in row) == (now < ready and delay < HORIZON)


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_at_the_end_all_that_was_predicted_is_taken_missed_or_thrown_away(horizon, delay):
    drive = scribbled(horizon, delay)
    fates = Counter(fate for row in drive.fates(len(drive)) for fate in row)
    assert set(fates) <= {Fate.TAKEN, Fate.HELD, Fate.MISSED, Fate.DISCARDED}
    assert fates[Fate.TAKEN] + fates[Fate.HELD] == len(drive)
    assert fates.total() - fates[Fate.HELD] == HORIZON * len(drive.born)


@pytest.mark.parametrize(("horizon", "delay"), PACES)
def test_what_is_done_stays_done(horizon, delay):
    drive = scribbled(horizon, delay)
    final = {Fate.TAKEN, Fate.HELD, Fate.MISSED, Fate.DISCARDED}
    for now in range(len(drive)):
        for before, after in zip(drive.fates(now), drive.fates(now + 1), strict=False):
            for one, other in zip(before, after, strict=False):
                assert other is one or one not in final


def test_a_chunk_that_runs_out_holds_its_last_action():
    drive = scribbled(horizon=9, delay=0)
    assert drive.fates(9)[0] == [Fate.TAKEN] * HORIZON + [Fate.HELD] * 3
    assert drive.fates(7)[0] == [Fate.TAKEN] * HORIZON + [Fate.HELD]
    expected = drive.chunks[0, -1].expand(4, 2)
    assert torch.equal(drive.planned_actions(0, HORIZON - 1, 4), expected)
    assert torch.equal(drive.planned_actions(0, HORIZON + 2), expected[:1])


# --- where a plan leads ---------------------------------------------------------------------------


def test_without_process_noise_a_plan_leads_where_the_vehicle_then_goes():
    drive = scribbled(horizon=4, delay=2)
    for step in range(2, len(drive) - 4, 4):  # from here on, four steps are of one chunk
        ahead = drive.planned_states(drive.playing(step), step)
        torch.testing.assert_close(ahead[:5], drive.states[step : step + 5], atol=0, rtol=0)
        assert len(ahead) == HORIZON - (step - drive.born[drive.playing(step)]) + 1


def test_a_plan_is_drawn_without_the_noise_that_will_come():
    drive = scribbled(task=replace(FORK, process_noise=0.5))
    again = replace(drive, task=FORK)
    assert torch.equal(drive.planned_states(2, 7), again.planned_states(2, 7))
    assert not torch.equal(drive.planned_states(3, 8)[1], drive.states[9])
