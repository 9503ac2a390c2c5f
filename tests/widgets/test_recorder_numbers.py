"""The recorder without a browser: what it takes in, keeps on disk, says and hands out."""

import math

import numpy as np
import pytest
import torch

from imitation_lab.data import Demonstrations
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.rollout import rollout
from imitation_lab.types import Ending
from imitation_lab.widgets import Recorder, recorded_drives
from imitation_lab.widgets.recorder import SECONDS, default_task
from imitation_lab.widgets.recorder_numbers import INTERFACES, TRAIL_POINTS

TURNED = Fork(angle=0.6, max_steps=40).at_rate(30)


class Wanderer:
    """Drives ahead, more or less."""

    def reset(self, mask):
        pass

    def act(self, observations, generator):
        return torch.randn(len(observations), 2, generator=generator) * 0.3 + 0.5


@pytest.fixture
def path(tmp_path):
    return tmp_path / "drives.npz"


def driven(task, episode=0):
    """Return states and actions of a drive from one of the recorder's own starts."""
    generator = torch.Generator().manual_seed(0)
    starts = task.initial_states(100, generator)
    run = rollout(task, Wanderer(), 100, torch.Generator().manual_seed(episode), starts)
    steps = run.lengths[episode]
    return run.states[: steps + 1, episode], run.actions[:steps, episode]


def send(recorder, episode=0, identity="one", ending="cut off", driver="drag"):
    """Let the browser send a drive."""
    states, actions = driven(recorder.task, episode)
    steps = {"steps": len(actions), "start": episode}
    message = {"kind": "drive", "id": identity, "driver": driver, "ending": ending, **steps}
    buffers = [memoryview(rows.numpy().astype("<f4").tobytes()) for rows in (states, actions)]
    recorder._handle_custom_msg(message, buffers)
    return states, actions


def test_a_drive_arrives_as_a_demonstration(path):
    recorder = Recorder(TURNED, path)
    states, actions = send(recorder, ending="failure", driver="remote")
    demonstrations = recorder.demonstrations
    [trajectory] = demonstrations.trajectories
    assert (len(recorder), demonstrations.task) == (1, "fork")
    assert (trajectory.driver, trajectory.ending) == ("remote", Ending.FAILURE)
    torch.testing.assert_close(trajectory.actions, actions)
    seen = TURNED.observe(states, torch.Generator())
    torch.testing.assert_close(trajectory.observations, seen)


def test_the_sensor_s_noise_is_in_what_was_observed(path):
    task = Fork(observation_noise=0.2, max_steps=400)
    recorder = Recorder(task, path)
    states, _ = send(recorder)
    noise = recorder.demonstrations.trajectories[0].observations - states
    np.testing.assert_allclose(noise[:, [0, 2, 4, 5, 6, 7]], 0, atol=1e-6)
    lateral = noise[:, [1, 3]]
    assert lateral.std() == pytest.approx(0.2, rel=6 / math.sqrt(2 * lateral.numel()))


def test_every_drive_is_on_disk_at_once_and_there_again_after_a_restart(path):
    recorder = Recorder(TURNED, path)
    for number in range(3):
        send(recorder, number, f"drive {number}")
        assert len(Demonstrations.load(path)) == number + 1
    again = Recorder(TURNED, path)
    assert len(again) == 3
    both = zip(again.demonstrations.trajectories, recorder.demonstrations.trajectories, strict=True)
    for there, here in both:
        torch.testing.assert_close(there.observations, here.observations)
        assert (there.driver, there.ending) == (here.driver, here.ending)


def test_after_a_restart_it_is_known_which_start_each_drive_began_at(path):
    first = Recorder(TURNED, path)
    for number in (0, 0, 4, 2):
        send(first, number, f"{len(first)}")
    assert [drive["start"] for drive in Recorder(TURNED, path).drives] == [0, 0, 4, 2]
    elsewhere = Fork(angle=0.6, obstacle_spread=0.3)
    assert {drive["start"] for drive in Recorder(elsewhere, path).drives} == {-1}


def test_a_drive_that_arrives_twice_is_kept_once(path):
    recorder = Recorder(TURNED, path)
    send(recorder)
    send(recorder)
    assert len(recorder) == 1


def test_deleted_drives_are_gone_from_memory_browser_and_disk(path):
    recorder = Recorder(TURNED, path)
    for number in range(4):
        send(recorder, number, f"drive {number}")
    recorder._handle_custom_msg({"kind": "delete", "id": "drive 1"}, [])
    assert [drive["id"] for drive in recorder.drives] == ["drive 0", "drive 2", "drive 3"]
    recorder.delete(-1)
    recorder.delete(0)
    assert [drive["id"] for drive in recorder.drives] == ["drive 2"]
    [kept] = Demonstrations.load(path).trajectories
    torch.testing.assert_close(kept.actions, driven(TURNED, 2)[1])
    with pytest.raises(IndexError):
        recorder.delete(1)
    recorder.delete(0)
    assert not path.exists()
    assert len(recorder) == 0


def test_deleting_what_is_gone_already_does_no_harm(path):
    recorder = Recorder(TURNED, path)
    send(recorder)
    recorder._handle_custom_msg({"kind": "delete", "id": "another"}, [])
    assert len(recorder) == 1


def test_without_drives_the_message_says_how_to_record_one(path):
    with pytest.raises(ValueError, match=r"press Enter on its road and drive.*recorded_drives"):
        _ = Recorder(path=path).demonstrations


def test_a_file_of_something_else_is_refused_and_left_alone(path):
    send(Recorder(TURNED, path))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="choose another `path`"):
        Recorder(Racetrack(), path)
    assert path.read_bytes() == before


def test_broken_messages_are_refused_and_nothing_is_lost(path):
    recorder = Recorder(TURNED, path)
    send(recorder)
    message = {"kind": "drive", "id": "two", "driver": "drag", "ending": "success", "start": 0}
    nothing = [b"", b""]
    with pytest.raises(ValueError, match="expected 3 rows of 8"):
        recorder._hear(recorder, {**message, "steps": 2}, nothing)
    broken = [np.full(16, np.nan, "<f4").tobytes(), np.zeros(2, "<f4").tobytes()]
    with pytest.raises(ValueError, match="NaN or infinite"):
        recorder._hear(recorder, {**message, "steps": 1}, broken)
    assert len(recorder) == len(Demonstrations.load(path)) == 1


def test_by_default_a_person_has_nine_seconds_at_30_hz():
    task = default_task()
    assert task.time_step == pytest.approx(1 / 30)
    assert task.max_steps * task.time_step == pytest.approx(SECONDS)


def test_trails_begin_and_end_with_the_drive_and_lie_in_the_road_s_frame(path):
    recorder = Recorder(TURNED, path)
    states, _ = send(recorder)
    trail = np.frombuffer(recorder.trails, "<f4").reshape(-1, 2)
    assert len(trail) == recorder.drives[0]["points"] <= TRAIL_POINTS
    np.testing.assert_allclose(trail[[0, -1]], states[[0, -1], :2], atol=1e-5)
    distances = np.linalg.norm(trail[:, None] - states[None, :, :2].numpy(), axis=2)
    assert distances.min(axis=1).max() < 1e-5  # every point of it is a place that was visited


def test_the_sentence_counts_drives_endings_actions_and_seconds(path):
    recorder = Recorder(TURNED, path)
    assert recorder.sentence() == "No demonstrations yet."
    for number, ending in enumerate(["success", "failure", "success"]):
        send(recorder, number, str(number), ending)
    steps = recorder.demonstrations.num_actions
    assert recorder.sentence() == (
        f"3 demonstrations: 2 reached the goal, 1 crashed. {steps} actions, "
        f"{steps / 30:.1f} seconds at the wheel."
    )
    assert recorder.sentence() in recorder.describe()


@pytest.mark.parametrize("task", [TURNED, Racetrack()])
def test_the_figure_draws_one_line_for_every_drive_where_it_went(path, task):
    recorder = Recorder(task, path)
    assert recorder.figure().axes[0].lines == [] or len(recorder.figure().axes[0].lines) == 0
    if task is TURNED:
        send(recorder, 0, "a")
        send(recorder, 3, "b", "success")
        lines = recorder.figure().axes[0].lines
        trails = [line for line in lines if len(line.get_xdata()) > 1]
        for line, trajectory in zip(trails, recorder.demonstrations.trajectories, strict=True):
            np.testing.assert_allclose(line.get_xydata(), trajectory.observations[:, :2], atol=1e-6)
        looks = {(line.get_color(), line.get_linestyle()) for line in trails}
        assert len(looks) == 2
    assert recorder.to_png().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["fork", "racetrack"])
def test_recorded_drives_hold_all_interfaces_and_obey_the_physics(name):
    task = default_task() if name == "fork" else Racetrack(half_width=0.2, laps=1.0).at_rate(30)
    drives = recorded_drives(name)
    assert drives.task == name
    assert {trajectory.driver for trajectory in drives.trajectories} == set(INTERFACES)
    assert sum(t.ending == Ending.SUCCESS for t in drives.trajectories) > 0.8 * len(drives)
    for trajectory in drives.trajectories:
        seen = trajectory.observations[:-1]
        heading = torch.atan2(seen[:, 2], seen[:, 3])
        turning = [seen[:, :2], heading[:, None], seen[:, 4:], torch.zeros(len(seen), 1)]
        states = seen if name == "fork" else torch.cat(turning, dim=1)
        advanced = task.advance(states, trajectory.actions, torch.Generator())
        after = task.observe(advanced, torch.Generator())
        torch.testing.assert_close(after, trajectory.observations[1:], rtol=0, atol=1e-5)


def test_the_recorded_hand_drove_the_fork_to_both_sides_from_the_same_starts():
    drives = recorded_drives("fork").by_driver("drag").trajectories
    for one, other in zip(drives[::2], drives[1::2], strict=True):
        torch.testing.assert_close(one.observations[0], other.observations[0], rtol=0, atol=0)
        sides = [_side_of(trajectory) for trajectory in (one, other)]
        assert None in sides or sides[0] != sides[1]


def _side_of(trajectory):
    """Return whether the obstacle was passed on the left, or None if it was not passed."""
    ahead = trajectory.observations[:, 0] - trajectory.observations[:, 4]
    if ahead.max() < 0:
        return None
    beside = ahead.abs().argmin()
    return bool(trajectory.observations[beside, 1] > trajectory.observations[beside, 5])


def test_recorded_drives_of_another_task_are_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"there are .*fork\.npz"):
        recorded_drives("pendulum")


def test_a_recorder_without_drives_is_still_a_recorder(path):
    assert len(Recorder(path=path)) == 0 and Recorder(path=path)


def test_where_nobody_has_driven_the_picture_shows_recorded_drives_and_says_so(path):
    recorder = Recorder(path=path)
    trails = [line for line in recorder.figure().axes[0].lines if len(line.get_xdata()) > 1]
    assert len(trails) == len(recorded_drives("fork"))
    assert "recorded drives" in recorder.describe()
    send(recorder, 0, "a")
    trails = [line for line in recorder.figure().axes[0].lines if len(line.get_xdata()) > 1]
    assert len(trails) == 1 and "recorded drives" not in recorder.describe()
