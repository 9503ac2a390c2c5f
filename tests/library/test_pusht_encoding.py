"""What Push-T's policies see and say, between pixels and the numbers inside."""

import math

import pytest
import torch

from imitation_lab.pusht.encoding import (
    ACTION_DIM,
    FEATURE_DIM,
    NEAR,
    OBSERVATION_DIM,
    Range,
    absolute,
    encode,
    enlarge,
    relative,
    stack_frames,
)
from imitation_lab.pusht.geometry import (
    AGENT,
    CORNERS,
    GOAL,
    TEE,
    agent_in_tee_frame,
    corners,
    error_to_goal,
)


def observations(generator, count, frames=1):
    low = torch.tensor([10.0, 10, 100, 100, 0]).repeat(frames)
    high = torch.tensor([500.0, 500, 400, 400, 2 * math.pi]).repeat(frames)
    return low + (high - low) * torch.rand(count, OBSERVATION_DIM * frames, generator=generator)


# What is seen ------------------------------------------------------------------------------------


def test_whole_turns_of_the_tee_change_nothing_that_is_seen(generator):
    rows = observations(generator, 30).double()
    turned = rows.clone()
    turned[:, 4] += 2 * math.pi * torch.randint(-2, 3, (30,), generator=generator).double()
    torch.testing.assert_close(encode(turned), encode(rows), rtol=0, atol=1e-9)


def test_a_tee_on_either_side_of_the_wrap_looks_nearly_the_same(generator):
    rows = observations(generator, 10).double()
    rows[:, 4] = 1e-6
    beyond = rows.clone()
    beyond[:, 4] = 2 * math.pi - 1e-6
    torch.testing.assert_close(encode(beyond), encode(rows), rtol=0, atol=1e-3)


def test_opposite_to_the_goal_the_error_turns_its_sign_and_nothing_else_jumps(generator):
    """An angle's error has to jump somewhere. It does so where the T points exactly the wrong way."""
    rows = observations(generator, 1).double()
    rows[:, 4] = GOAL[2] + math.pi - 1e-6
    beyond = rows.clone()
    beyond[:, 4] = GOAL[2] + math.pi + 1e-6
    jumps = (encode(beyond) - encode(rows)).abs().squeeze(0) > 1e-3
    assert jumps.nonzero().flatten().tolist() == [FEATURE_DIM - 1]


def test_every_feature_is_where_the_docstring_says(generator):
    rows = observations(generator, 7)
    around = corners(rows) - rows[:, None, AGENT]
    parts = encode(rows).split([2, 2, 1, 1, 2, 2 * CORNERS, 2 * CORNERS, 3], dim=1)
    expected = [
        rows[:, AGENT],
        rows[:, TEE],
        rows[:, 4:].cos(),
        rows[:, 4:].sin(),
        agent_in_tee_frame(rows),
        around.flatten(1),
        torch.asinh(around.flatten(1) / NEAR),
        torch.asinh(error_to_goal(rows) / NEAR),
    ]
    for part, wanted in zip(parts, expected, strict=True):
        torch.testing.assert_close(part, wanted)


def test_different_scenes_look_different(generator):
    """The whole observation can be read from what is seen: no two scenes are confused."""
    rows = observations(generator, 40)
    seen = encode(rows)
    angle = torch.atan2(seen[:, 5], seen[:, 4]).remainder(2 * math.pi)
    back = torch.cat([seen[:, :4], angle.unsqueeze(1)], dim=1)
    torch.testing.assert_close(back, rows, rtol=0, atol=1e-4)


def test_frames_are_encoded_side_by_side_each_on_its_own(generator):
    rows = observations(generator, 6, frames=3)
    seen = encode(rows)
    assert seen.shape == (6, 3 * FEATURE_DIM)
    for frame, part in zip(rows.split(OBSERVATION_DIM, 1), seen.split(FEATURE_DIM, 1), strict=True):
        assert torch.equal(part, encode(frame))


def test_enlarging_keeps_the_order_and_the_sign_and_tells_near_things_finely():
    pixels = torch.linspace(-500, 500, 2001, dtype=torch.float64)
    enlarged = enlarge(pixels)
    slopes = enlarged.diff() / pixels.diff()
    assert (slopes > 0).all()
    torch.testing.assert_close(enlarged, -enlarged.flip(0))
    assert slopes.argmax() in (999, 1000)
    assert float(slopes.max()) == pytest.approx(1 / NEAR, rel=1e-3)  # linear with slope 1 / NEAR


# What is said ------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 2])
def test_absolute_undoes_relative(generator, frames):
    rows = observations(generator, 20, frames).double()
    actions = 512 * torch.rand(20, 5, ACTION_DIM, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(absolute(relative(actions, rows), rows), actions)


def test_relative_undoes_absolute(generator):
    rows = observations(generator, 20).double()
    chunks = torch.randn(20, 3, ACTION_DIM, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(relative(absolute(chunks, rows), rows), chunks)


def test_a_target_where_the_agent_stands_is_nothing(generator):
    rows = observations(generator, 5)
    here = rows[:, None, AGENT].repeat(1, 4, 1)
    assert torch.equal(relative(here, rows), torch.zeros(5, 4, ACTION_DIM))


def test_targets_do_not_change_when_the_whole_scene_is_shifted(generator):
    rows = observations(generator, 5).double()
    actions = 512 * torch.rand(5, 3, ACTION_DIM, generator=generator, dtype=torch.float64)
    shift = torch.tensor([13.0, -40.0], dtype=torch.float64)
    moved = rows.clone()
    moved[:, AGENT] += shift
    torch.testing.assert_close(relative(actions + shift, moved), relative(actions, rows))


def test_of_several_frames_targets_are_told_from_the_newest(generator):
    rows = observations(generator, 5, frames=2)
    actions = 512 * torch.rand(5, 3, ACTION_DIM, generator=generator)
    newest = rows[:, :OBSERVATION_DIM]
    assert torch.equal(relative(actions, rows), relative(actions, newest))


# Ranges ------------------------------------------------------------------------------------------


def values(generator, *shape):
    """Return values of very different scales and places, dimension by dimension."""
    scales = torch.tensor([0.01, 1.0, 300.0])
    return scales * torch.randn(*shape, 3, generator=generator) + 5 * scales


def test_the_smallest_training_value_becomes_minus_one_and_the_largest_one(generator):
    training = values(generator, 50)
    normalised = Range.fit(training).normalize(training)
    torch.testing.assert_close(normalised.amin(dim=0), -torch.ones(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalised.amax(dim=0), torch.ones(3), rtol=0, atol=1e-5)


def test_the_range_is_taken_over_all_axes_but_the_last(generator):
    training = values(generator, 9, 4)
    of_chunks, of_rows = Range.fit(training), Range.fit(training.flatten(0, 1))
    assert torch.equal(of_chunks.low, of_rows.low) and torch.equal(of_chunks.high, of_rows.high)
    assert of_chunks.low.shape == (3,)


def test_normalising_can_be_undone_also_outside_of_the_training_data(generator):
    fitted = Range.fit(values(generator, 50))
    others = 3 * values(generator, 20, 2)
    torch.testing.assert_close(fitted.denormalize(fitted.normalize(others)), others)


def test_what_lies_outside_of_the_training_data_is_not_cut_off():
    fitted = Range.fit(torch.tensor([[0.0], [10.0]]))
    outside = fitted.normalize(torch.tensor([[-10.0], [20.0]]))
    torch.testing.assert_close(outside, torch.tensor([[-3.0], [3.0]]))


def test_a_dimension_that_never_changes_becomes_zero_and_comes_back(generator):
    training = values(generator, 10)
    training[:, 1] = 7.0
    fitted = Range.fit(training)
    normalised = fitted.normalize(training)
    assert torch.equal(normalised[:, 1], torch.zeros(10))
    assert normalised.isfinite().all()
    assert torch.equal(fitted.denormalize(normalised)[:, 1], training[:, 1])


def test_one_row_is_a_range_too(generator):
    row = values(generator, 1)
    fitted = Range.fit(row)
    assert torch.equal(fitted.normalize(row), torch.zeros(1, 3))


def test_fitting_does_not_change_the_data(generator):
    training = values(generator, 10)
    before = training.clone()
    Range.fit(training).normalize(training)
    assert torch.equal(training, before)


def test_an_unfitted_range_changes_nothing(generator):
    rows = values(generator, 4)
    assert torch.equal(Range(3).normalize(rows), rows)
    assert torch.equal(Range(3).denormalize(rows), rows)


def test_a_range_travels_with_its_state(generator):
    fitted, other = Range.fit(values(generator, 10)), Range(3)
    other.load_state_dict(fitted.state_dict())
    rows = values(generator, 5)
    assert torch.equal(other.normalize(rows), fitted.normalize(rows))


# Frames ------------------------------------------------------------------------------------------


def test_stacked_frames_show_the_newest_first_and_repeat_the_first_before_the_start():
    episode = torch.arange(4.0).unsqueeze(1) * torch.ones(OBSERVATION_DIM)
    stacked = stack_frames(episode, 3).unflatten(1, (3, OBSERVATION_DIM))
    expected = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 1]])
    assert torch.equal(stacked, expected.unsqueeze(2).repeat(1, 1, OBSERVATION_DIM))


def test_one_frame_is_the_episode_itself(generator):
    episode = observations(generator, 6)
    assert torch.equal(stack_frames(episode, 1), episode)


def test_more_frames_than_moments_are_no_problem(generator):
    episode = observations(generator, 1)
    assert torch.equal(stack_frames(episode, 4), episode.repeat(1, 4))
