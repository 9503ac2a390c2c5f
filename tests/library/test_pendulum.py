"""The pendulum's dynamics against the linear theory, and the hand that keeps it upright."""

import math

import pytest
import torch

from imitation_lab.envs.pendulum import GRAVITY, Pendulum
from imitation_lab.evaluation import evaluate
from imitation_lab.experts.pendulum import PendulumBalancer

QUIET = Pendulum(process_noise=0.0, friction=0.0)


def test_left_alone_a_small_error_grows_as_the_linear_theory_says(generator):
    states = torch.tensor([[1e-4, 0.0, 0.0]], dtype=torch.float64)
    steps = 20
    # Near upright one step is linear: velocity += h g angle, then angle += h velocity.
    h = QUIET.time_step
    step = torch.tensor([[1 + h * h * GRAVITY, h], [h * GRAVITY, 1.0]], dtype=torch.float64)
    expected = torch.linalg.matrix_power(step, steps) @ states[0, :2]
    for _ in range(steps):
        states = QUIET.advance(states, torch.zeros(1, 1, dtype=torch.float64), generator)
    torch.testing.assert_close(states[0, :2], expected, rtol=1e-5, atol=0)
    # And as the text says: some twentyfold in a second, half of it in the growing mode.
    assert 5 < states[0, 0] / 1e-4 < 20


def test_the_linear_hand_makes_upright_stable():
    hand, h = PendulumBalancer(), QUIET.time_step
    velocity = torch.tensor([h * (GRAVITY - hand.stiffness), 1 - h * hand.damping])
    closed = torch.stack([torch.tensor([1.0, 0]) + h * velocity, velocity])
    assert torch.linalg.eigvals(closed).abs().max() < 1


def test_the_hand_pushes_back(generator):
    torques = PendulumBalancer().act(torch.tensor([[0.1, 0.0], [0.0, 0.1], [-0.1, 0]]), generator)
    assert torques[0] < 0 and torques[1] < 0 and torques[2] > 0


def test_pushes_and_readings_are_as_noisy_as_they_say(generator):
    count = 20_000
    states = torch.zeros(count, 3)
    pushed = Pendulum(process_noise=0.5).advance(states, torch.zeros(count, 1), generator)
    seen = Pendulum(observation_noise=0.2).observe(states, generator)
    for errors, width in ((pushed[:, 1], 0.5 * 0.05), (seen[:, 0], 0.2), (seen[:, 1], 0.2)):
        assert abs(errors.mean()) < 6 * width / math.sqrt(count)
        assert abs(errors.std() / width - 1) < 6 / math.sqrt(2 * count)


def test_a_pole_fails_beyond_the_largest_angle_and_succeeds_when_time_is_up():
    task = Pendulum(seconds=1.0)
    states = torch.tensor([[0.9, 0, 0.5], [-1.1, 0, 0.5], [0.9, 0, 1.0], [1.1, 0, 1.0]])
    assert task.failed(states).tolist() == [False, True, False, True]
    assert task.succeeded(states).tolist() == [False, False, True, False]


@pytest.mark.parametrize("seconds", [0.05, 1.0, 10.0, 33.3])
def test_standing_long_enough_is_a_success_before_the_steps_run_out(seconds):
    task = Pendulum(seconds=seconds)
    result = evaluate(task, PendulumBalancer(), torch.Generator().manual_seed(0), 50)
    assert result.success.successes == 50
    assert set(result.rollouts.lengths) == {round(seconds / task.time_step)}


def test_without_a_hand_every_pole_falls():
    class Idle(PendulumBalancer):
        def act(self, observations, generator):
            return torch.zeros(len(observations), 1)

    result = evaluate(Pendulum(), Idle(), torch.Generator().manual_seed(0), 100)
    assert result.success.successes == 0


def test_no_time_to_stand_is_refused():
    with pytest.raises(ValueError, match=r"seconds must be at least 0\.05, got 0\.0"):
        Pendulum(seconds=0.0)
