"""The racetrack's geometry against calculus, its dynamics against closed forms, and its driver."""

import math

import pytest
import torch

from imitation_lab.envs.racetrack import DRIVEN, HEADING, Racetrack
from imitation_lab.evaluation import evaluate
from imitation_lab.experts.racetrack import RacetrackDriver

ANGLES = torch.linspace(-3.1, 3.1, 101, dtype=torch.float64)
CIRCLE = Racetrack(bump=0.0)


def still(task, count=1):
    """Return states in the middle of the lane, in the lane's direction."""
    angle = torch.linspace(-3, 3, count)
    rest = torch.stack([task.heading(angle), task.bend(angle), torch.zeros(count)], dim=1)
    return torch.cat([task.middle(angle), rest], dim=1)


@pytest.mark.parametrize("bump", [0.0, 0.1, 0.25])
def test_heading_length_and_bend_are_the_derivatives_of_the_middle(bump):
    task = Racetrack(bump=bump)
    (tangent,) = torch.autograd.functional.jvp(task.middle, ANGLES, torch.ones_like(ANGLES))[1:]
    length = tangent.norm(dim=1)
    torch.testing.assert_close(task.metres_per_radian(ANGLES), length)
    heading = task.heading(ANGLES)
    torch.testing.assert_close(
        torch.stack([heading.cos(), heading.sin()], 1) * length[:, None], tangent
    )
    (turn,) = torch.autograd.functional.jvp(task.heading, ANGLES, torch.ones_like(ANGLES))[1:]
    # Radians per radian around the origin, over metres per radian, times metres per second.
    torch.testing.assert_close(task.bend(ANGLES), task.speed * turn / length)


def test_the_track_bends_both_ways():
    bends = Racetrack().bend(ANGLES)
    assert bends.min() < -1 and bends.max() > 1
    assert bends.abs().max() < Racetrack.top_turn_rate


def test_on_a_circle_the_offset_is_the_distance_from_it(generator):
    states = torch.randn(50, 5, generator=generator)
    expected = states[:, :2].norm(dim=1) - CIRCLE.radius
    torch.testing.assert_close(CIRCLE.offset(states), expected)


@pytest.mark.parametrize("aside", [-0.02, 0.02])
def test_near_the_middle_the_offset_is_the_distance_from_the_lane(aside):
    task = Racetrack()
    states = still(task, 200)
    heading = states[:, HEADING]
    across = torch.stack([heading.sin(), -heading.cos()], dim=1)  # outwards: to the right
    states[:, :2] = states[:, :2] + aside * across
    # Of second order in the distance: 2 cm off, in bends of radius 1 / 2.2 m and more.
    torch.testing.assert_close(
        task.offset(states), torch.full((200,), aside), rtol=0, atol=3 * aside**2
    )


def test_a_vehicle_that_turns_with_a_circle_stays_on_it(generator):
    states = still(CIRCLE, 7)
    for _ in range(100):
        # Each step is a chord: half a step's turn ahead, the vehicle would drift outwards for ever.
        states = CIRCLE.advance(states, torch.full((7, 1), CIRCLE.speed / CIRCLE.radius), generator)
    assert CIRCLE.offset(states).abs().max() < 0.1
    step = CIRCLE.time_step * CIRCLE.speed
    assert states[:, DRIVEN].mean() == pytest.approx(100 * step / CIRCLE.radius, rel=0.05)


def test_the_turn_rate_closes_half_the_gap_at_every_step_and_commands_are_limited(generator):
    task = Racetrack()
    states = still(task)
    states[:, 3] = 0.4
    (advanced,) = task.advance(states, torch.tensor([[1.0]]), generator)
    assert advanced[3] == pytest.approx(0.7)
    (advanced,) = task.advance(states, torch.tensor([[100.0]]), generator)
    assert advanced[3] == pytest.approx(0.4 + 0.5 * (task.top_turn_rate - 0.4))


def test_the_angle_driven_counts_laps_across_the_seam(generator):
    task = Racetrack(laps=1.0)
    driver = RacetrackDriver(task)
    states = task.initial_states(20, generator)
    start = torch.atan2(states[:, 1], states[:, 0])
    for _ in range(200):
        states = task.advance(
            states, driver.act(task.observe(states, generator), generator), generator
        )
    turned = torch.atan2(states[:, 1], states[:, 0]) - start
    laps = (states[:, DRIVEN] - turned) / (2 * math.pi)
    torch.testing.assert_close(laps, laps.round(), rtol=0, atol=1e-4)
    assert (laps.round() >= 2).all() and task.succeeded(states).all()


def test_the_heading_is_observed_as_a_direction(generator):
    states = still(Racetrack(), 9)
    turned = states.clone()
    turned[:, HEADING] += 2 * math.pi
    torch.testing.assert_close(
        Racetrack().observe(states, generator), Racetrack().observe(turned, generator)
    )


def test_noise_is_as_wide_as_it_says(generator):
    count, width = 20_000, 0.03
    states = still(Racetrack()).expand(count, -1)
    seen = Racetrack(observation_noise=width).observe(states, generator)[:, :2] - states[:, :2]
    moved = Racetrack(process_noise=width).advance(states, states[:, 3:4], generator)
    kicked = moved[:, HEADING] - states[0, HEADING] - 0.1 * states[0, 3]
    for errors in (seen[:, 0], seen[:, 1], kicked):
        # Six standard errors of mean and standard deviation.
        assert abs(errors.mean()) < 6 * width / math.sqrt(count)
        assert abs(errors.std() / width - 1) < 6 / math.sqrt(2 * count)


def test_leaving_the_lane_is_a_failure_and_the_middle_is_not():
    task = Racetrack()
    states = still(task, 5)
    assert not task.failed(states).any()
    assert task.failed(1.2 * states).all()


@pytest.mark.parametrize("settings", [{}, {"process_noise": 0.03}, {"half_width": 0.10}])
def test_the_driver_finishes_its_laps(settings):
    task = Racetrack(**settings)
    result = evaluate(task, RacetrackDriver(task), torch.Generator().manual_seed(0), 200)
    assert result.success.successes == 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"response": 0.0}, r"response must lie in \(0, 1\], got 0.0"),
        ({"bump": 0.9}, r"bump must lie in \[0, 0.8\), got 0.9"),
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
    ],
)
def test_tracks_that_are_none_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Racetrack(**settings)


def test_a_standing_start_differs_in_the_turn_rate_alone():
    rolling = Racetrack().initial_states(20, torch.Generator().manual_seed(1))
    standing = Racetrack(standing_start=True).initial_states(20, torch.Generator().manual_seed(1))
    turn_rate = 3
    assert (standing[:, turn_rate] == 0).all()
    assert (rolling[:, turn_rate] != 0).all()
    rest = [0, 1, 2, 4]
    assert torch.equal(standing[:, rest], rolling[:, rest])
