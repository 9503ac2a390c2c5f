"""The chunk timeline in Python: its drives, its numbers, what it hands over, its traits, its picture."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from traitlets import TraitError

from imitation_lab.controller import RecedingHorizon
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.traces import ChunkTrace, Fate, trace
from imitation_lab.types import Ending
from imitation_lab.widgets import ChunkTimeline
from imitation_lab.widgets.timeline_figure import draw_rows, plot_timeline
from imitation_lab.widgets.timeline_numbers import JUMP, Drive, side
from imitation_lab.widgets.timeline_scripted import DELAY, scripted_traces

NAIVE, CONTINUED = "naive switching", "continuing the old plan"


def sideways(rows, delay=1, task=Fork()):  # noqa: B008
    """A drive of chunks that steer as rows of numbers say, asked for every two steps."""
    chunks = torch.stack([torch.full((len(rows), len(rows[0])), 0.3), torch.tensor(rows)], dim=2)
    born = tuple(range(0, 2 * len(rows), 2))
    steps = 2 * len(rows)
    states = torch.zeros(steps + 1, 8)
    return ChunkTrace(
        "drawn", task, states, torch.zeros(steps, 2), chunks, born, delay, Ending.CUT_OFF
    )


# --- the scripted drives --------------------------------------------------------------------------


def test_the_scripted_drives_differ_in_nothing_but_how_they_switch():
    naive, continued = scripted_traces()
    assert torch.equal(naive.states[0], continued.states[0])
    assert (naive.label, continued.label) == (NAIVE, CONTINUED)
    assert naive.delay == continued.delay == DELAY
    assert naive.task == continued.task
    assert naive.chunks.shape[1:] == continued.chunks.shape[1:]


def test_the_scripted_driver_who_switches_naively_jumps_and_crashes_and_the_other_arrives():
    naive, continued = (Drive(drive) for drive in scripted_traces())
    assert sum(takeover.jumps for takeover in naive.takeovers) >= 3
    assert naive.trace.ending is Ending.FAILURE
    assert max(takeover.change for takeover in continued.takeovers) < 1e-3
    assert continued.trace.ending is Ending.SUCCESS


def test_a_continued_plan_begins_with_what_is_frozen_of_the_old_one():
    _, drive = scripted_traces()
    for chunk, born in enumerate(drive.born[1:], start=1):
        if born + DELAY <= len(drive):
            frozen = drive.planned_actions(chunk - 1, born, DELAY)
            assert torch.equal(drive.chunks[chunk, :DELAY], frozen)


# --- takeovers ------------------------------------------------------------------------------------


def test_a_takeover_compares_both_chunks_actions_for_the_same_step():
    drive = Drive(sideways([[0.1, 0.2, 0.3, 0.4], [0.5, -0.6, 0.7, 0.8], [0.0, 0.9, 0.1, 0.2]]))
    first, second = drive.takeovers
    assert (first.chunk, first.step, second.chunk, second.step) == (1, 3, 2, 5)
    assert (first.old, first.new) == pytest.approx((0.4, -0.6))
    assert (second.old, second.new) == pytest.approx((0.8, 0.9))
    assert (first.change, second.change) == pytest.approx((1.0, 0.1))
    assert (first.jumps, second.jumps) == (True, False)
    assert drive.telling_step == 3
    assert drive.outcome == "1 jump, ran out of time"


def test_a_chunk_that_ran_out_is_compared_by_the_action_that_it_held():
    [takeover] = Drive(sideways([[0.1, 0.6], [0.2, -0.3]], delay=1)).takeovers
    assert (takeover.old, takeover.new) == pytest.approx((0.6, -0.3))


def test_a_chunk_that_is_not_at_hand_before_the_end_takes_nothing_over():
    assert Drive(sideways([[0.1] * 5, [0.2] * 5], delay=2)).takeovers == ()


def test_what_is_left_of_the_replaced_chunk_was_thrown_away():
    drive = Drive(sideways([[0.1] * 4, [0.2] * 4, [0.3] * 4]))
    assert [drive.thrown_away(step) for step in range(6)] == [
        None,
        None,
        None,
        (0, 3),
        (0, 3),
        (1, 5),
    ]
    assert Drive(sideways([[0.1] * 2, [0.2] * 2])).thrown_away(3) is None


def test_commands_are_what_the_vehicle_obeys_whatever_way_the_road_is_turned():
    straight = sideways([[0.1, 0.9, 2.0], [-0.5, -3.0, 0.0]])
    turned_task = Fork(angle=0.8)
    turned = replace(straight, task=turned_task, chunks=turned_task.to_world(straight.chunks))
    torch.testing.assert_close(Drive(turned).commands, Drive(straight).commands)
    assert Drive(straight).commands.norm(dim=2).max() <= 1 + 1e-6
    share = 2.0 / math.hypot(0.3, 2.0)
    assert Drive(straight).lateral(0, 2) == pytest.approx(share)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lateral", "words"),
    [
        (0.5, "0.50 m/s left"),
        (-0.125, "0.13 m/s right"),
        (0.004, "straight on"),
        (0.0, "straight on"),
    ],
)
def test_sides_are_named_without_signs(lateral, words):
    assert side(lateral) == words


def test_the_sentence_tells_of_the_jump_and_counts():
    drive = Drive(sideways([[0.1, 0.2, 0.3, 0.4], [0.5, -0.6, 0.7, 0.8], [0.0, 0.9, 0.1, 0.2]]))
    assert drive.sentence(0) == (
        "Step 0 of 6. The first chunk plays: it was thought of before the start. So far: 0 taken, "
        "0 missed, 0 thrown away. In the whole drive 1 of 2 new plans jump; it ran out of time."
    )
    assert drive.sentence(4) == (
        "Step 4 of 6. Chunk 2 plays, asked for at step 2 and at hand at step 3. When it took over it "
        "steered 0.60 m/s right, where the plan that it replaced steered 0.40 m/s left: a jump of "
        # Missed: chunk 2's action for step 2, chunk 3's for step 4. Thrown away: chunk 1's for step 3.
        "1.00 m/s. So far: 4 taken, 2 missed, 1 thrown away. In the whole drive 1 of 2 new plans jump; "
        "it ran out of time."
    )
    assert "a change of 0.10 m/s, no jump. So far: 6 taken" in drive.sentence(6)


def test_a_drive_without_delay_is_not_said_to_have_waited():
    assert "asked for at step 2. When" in Drive(sideways([[0.1] * 4] * 2, delay=0)).sentence(3)


# --- the widget -----------------------------------------------------------------------------------


def test_it_opens_where_the_drive_changes_its_plan_most():
    widget = ChunkTimeline()
    takeover = next(one for one in widget.shown.takeovers if one.step == widget.step)
    assert takeover.change == max(one.change for one in widget.shown.takeovers) > JUMP
    assert widget.trace == NAIVE
    assert not widget.playing
    drives = [sideways([[0.1] * 4, [0.2] * 4, [0.9] * 4]), *scripted_traces()]
    assert ChunkTimeline(drives).step == 5
    assert ChunkTimeline(drives, trace=NAIVE).step == widget.step
    assert ChunkTimeline(drives, trace=NAIVE, step=2).step == 2


def test_a_shorter_drive_is_shown_at_its_end():
    widget = ChunkTimeline(trace=CONTINUED)
    widget.step = len(widget.shown.trace)
    widget.trace = NAIVE
    assert widget.step > widget.now == len(widget.shown.trace)
    assert f"Step {widget.now} of {widget.now}." in widget.describe()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "trace",
            "Naive",
            "must be one of 'naive switching', 'continuing the old plan', got 'Naive'",
        ),
        ("step", -1, r"must lie between 0 and \d+, got -1"),
        ("step", 99, r"must lie between 0 and \d+, got 99"),
    ],
)
def test_a_trait_that_cannot_be_is_refused(name, value, message):
    widget = ChunkTimeline()
    with pytest.raises(TraitError, match=message):
        setattr(widget, name, value)


def test_drives_that_cannot_be_shown_are_refused():
    fork = sideways([[0.1] * 4] * 2)
    with pytest.raises(ValueError, match="at least one trace"):
        ChunkTimeline([])
    with pytest.raises(ValueError, match="label of its own"):
        ChunkTimeline([fork, fork])
    with pytest.raises(ValueError, match="label of its own"):
        ChunkTimeline([replace(fork, label="")])
    with pytest.raises(ValueError, match="a trace of the racetrack"):
        ChunkTimeline([replace(fork, task=Racetrack())])


def test_the_browser_gets_every_number_once_and_few_of_them():
    widget = ChunkTimeline()
    numbers = np.frombuffer(widget.numbers, "<f4")
    start = 0
    for drive, plan in zip(scripted_traces(), widget.plan, strict=True):
        poses = numbers[start : start + 4 * (len(drive) + 1)].reshape(-1, 4)
        np.testing.assert_array_equal(poses, drive.states[:, :4])
        start += poses.size
        commands = numbers[start : start + drive.chunks.numel()]
        np.testing.assert_allclose(commands, drive.chunks.flatten(), atol=1e-6)  # within the limit
        start += commands.size
        assert (plan["steps"], plan["born"], plan["delay"]) == (len(drive), list(drive.born), DELAY)
    assert start == numbers.size
    assert len(widget.numbers) < 5000


def test_a_long_drive_that_asks_at_every_step_is_still_small():
    class Still:
        prediction_horizon = 16

        def sample(self, observations, generator):
            return torch.zeros(len(observations), 16, 2)

    task = Fork(max_steps=100)
    drive = trace(task, RecedingHorizon(Still()), torch.Generator().manual_seed(0), "still")
    assert len(drive.born) == 100
    assert len(ChunkTimeline([drive]).numbers) < 16_000


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_has_a_box_for_every_action_and_a_bar_for_every_known_one():
    drive = Drive(scripted_traces()[0])
    for step in (0, 7, len(drive.trace)):
        fates = [fate for row in drive.trace.fates(step) for fate in row]
        rows = plot_timeline(drive, step).axes[2]
        boxes = [patch for patch in rows.patches if isinstance(patch, Rectangle)]
        assert len(boxes) == 2 * len(fates) - fates.count(Fate.AWAITED)


def test_the_picture_tells_fates_apart_without_colour():
    drive = Drive(scripted_traces()[0])
    looks = {}

    axes = draw_rows(Figure().subplots(), drive, 7)
    boxes = iter(axes.patches)
    for row in drive.trace.fates(7):
        for fate in row:
            box = next(boxes)
            look = (
                box.get_facecolor()[3] > 0,
                box.get_hatch(),
                box.get_linestyle(),
                box.get_alpha(),
            )
            assert looks.setdefault(fate, look) == look
            if fate is not Fate.AWAITED:
                next(boxes)
    assert set(looks) == {Fate.TAKEN, Fate.MISSED, Fate.AWAITED, Fate.TO_COME, Fate.DISCARDED}
    assert len(set(looks.values())) == len(looks)


def test_words_stand_in_for_the_picture():
    widget = ChunkTimeline()
    assert widget.describe().startswith("The drive “naive switching” on the fork.")
    assert widget.describe().endswith(widget.sentence())
    assert widget.to_png().startswith(b"\x89PNG")
