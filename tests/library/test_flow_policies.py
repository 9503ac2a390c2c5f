"""What a flow and a diffusion policy promise: noise in, chunks out, and nothing else by chance."""

import math

import pytest
import torch

from imitation_lab.checkpoints import load_checkpoint, save_checkpoint
from imitation_lab.flows import SOLVERS, integrate, path
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.diffusion import DiffusionPolicy, cosine_alpha_bar
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.training import Normalizers, TrainingRun, minimize
from imitation_lab.types import Policy

BOTH = [FlowPolicy, DiffusionPolicy]
EVALUATIONS = {"euler": 1, "midpoint": 2, "heun": 2}


def make(policy_class, horizon=3, seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    return policy_class(4, 2, horizon, width=16, generator=generator, **settings)


def draw(*shape, seed=9):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("policy_class", BOTH)
def test_the_same_noise_becomes_the_same_chunk(policy_class):
    policy = make(policy_class)
    observations, noise = draw(5, 4), draw(5, 6, seed=1)
    chunks = policy.denoise(noise, observations)
    assert chunks.shape == (5, 3, 2)
    assert torch.equal(chunks, policy.denoise(noise, observations))


@pytest.mark.parametrize("policy_class", BOTH)
def test_rows_do_not_look_at_each_other(policy_class):
    policy = make(policy_class)
    observations, noise = draw(5, 4), draw(5, 6, seed=1)
    alone = torch.cat([policy.denoise(noise[i, None], observations[i, None]) for i in range(5)])
    torch.testing.assert_close(policy.denoise(noise, observations), alone)


@pytest.mark.parametrize("policy_class", BOTH)
def test_a_sample_is_what_the_generators_noise_becomes(policy_class):
    policy = make(policy_class)
    observations = draw(5, 4)
    expected = policy.denoise(draw(5, 6, seed=3), observations)
    samples = policy.sample(observations, torch.Generator().manual_seed(3))
    assert torch.equal(samples, expected)


@pytest.mark.parametrize("policy_class", BOTH)
def test_the_number_of_steps_can_be_chosen_for_one_call(policy_class):
    chosen, default = make(policy_class), make(policy_class, num_steps=4)
    observations, noise = draw(5, 4), draw(5, 6, seed=1)
    four = chosen.denoise(noise, observations, num_steps=4)
    assert torch.equal(four, default.denoise(noise, observations))
    assert not torch.allclose(four, chosen.denoise(noise, observations, num_steps=1))


@pytest.mark.parametrize("policy_class", BOTH)
def test_the_global_random_numbers_are_left_alone(policy_class):
    policy = make(policy_class)
    observations, chunks = draw(5, 4), draw(5, 3, 2, seed=1)
    before = torch.get_rng_state()
    for call in (policy.sample, lambda seen, source: policy.loss(seen, chunks, source)):
        call(observations, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("policy_class", "settings"), [(FlowPolicy, {}), (DiffusionPolicy, {"eta": 1.0})]
)
def test_every_tensor_is_made_on_the_device_of_the_observations(policy_class, settings):
    policy = make(policy_class, **settings)
    observations, chunks = draw(5, 4), draw(5, 3, 2, seed=1)
    generator = torch.Generator().manual_seed(0)
    # What is made without saying where goes to a device that holds no numbers, and mixes with nothing.
    with torch.device("meta"):
        policy.loss(observations, chunks, generator).backward()
        assert policy.sample(observations, generator).isfinite().all()


@pytest.mark.parametrize("policy_class", BOTH)
@pytest.mark.parametrize("num_steps", [0, -1])
def test_no_step_is_refused(policy_class, num_steps):
    with pytest.raises(ValueError, match=f"num_steps must be .*got {num_steps}"):
        make(policy_class, num_steps=num_steps)
    with pytest.raises(ValueError, match=f"num_steps must be .*got {num_steps}"):
        make(policy_class).denoise(draw(5, 6), draw(5, 4), num_steps=num_steps)


def test_a_solver_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="one of euler, midpoint, heun, got 'rk4'"):
        make(FlowPolicy, solver="rk4")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eta": 1.5}, "eta must be between 0 and 1, got 1.5"),
        ({"limit": 0.0}, "limit must be positive, got 0.0"),
        ({"num_timesteps": 0}, "num_timesteps must be at least 1, got 0"),
        ({"num_timesteps": 8, "num_steps": 9}, r"between 1 and num_timesteps \(8\), got 9"),
    ],
)
def test_settings_of_diffusion_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make(DiffusionPolicy, **settings)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solver_asks_as_often_as_its_price_says(solver):
    asked = []

    def velocity(points, times):
        asked.append(times)
        return points

    integrate(velocity, draw(3, 2), 5, solver)
    assert len(asked) == 5 * EVALUATIONS[solver]
    assert all(times.shape == (3,) for times in asked)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("num_steps", [1, 7])
def test_a_path_ends_where_integration_does(solver, num_steps):
    start = draw(3, 2)
    stops = path(lambda points, times: times[:, None] - points, start, num_steps, solver)
    assert stops.shape == (num_steps + 1, 3, 2)
    assert torch.equal(stops[0], start)
    end = integrate(lambda points, times: times[:, None] - points, start, num_steps, solver)
    assert torch.equal(stops[-1], end)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_a_solvers_error_falls_with_its_order(solver, order):
    # x' = t - x has the solution x(1) = x(0) / e + 1 / e. In float64, so that rounding stays away.
    start = draw(4, 2).double()
    exact = (start + 1) / math.e
    errors = [
        (integrate(lambda x, t: t[:, None] - x, start, n, solver) - exact).norm() for n in (64, 128)
    ]
    assert abs(math.log2(errors[0] / errors[1]) - order) < 0.05


def test_integration_lets_gradients_through():
    start = draw(3, 2).requires_grad_()
    integrate(lambda points, times: -points, start, 10).sum().backward()
    torch.testing.assert_close(start.grad, torch.full((3, 2), 0.9**10))


def test_flow_matching_learns_a_gaussian_that_depends_on_the_observation():
    # The best field is known: chunks are normal around the observation, with standard deviation s.
    # Then the flow maps noise z to observation + s z.
    policy = FlowPolicy(1, 1, width=32, generator=torch.Generator().manual_seed(0), num_steps=50)
    generator, spread = torch.Generator().manual_seed(1), 0.5

    def loss():
        observations = 2 * torch.rand(512, 1, generator=generator) - 1
        chunks = observations + spread * torch.randn(512, 1, generator=generator)
        return policy.loss(observations, chunks.unsqueeze(1), generator)

    minimize(loss, policy.parameters(), steps=1500, learning_rate=1e-2)
    observations, noise = torch.tensor([[-0.7], [0.7]]).repeat(50, 1), draw(100, 1)
    error = policy.denoise(noise, observations)[:, 0] - (observations + spread * noise)
    assert error.square().mean().sqrt() < 0.1


def test_the_share_of_the_data_falls_from_nearly_all_to_nearly_nothing():
    shares = cosine_alpha_bar(100)
    assert (shares.diff() < 0).all()
    assert shares[0] > 0.999 and 0 < shares[-1] < 1e-6


@pytest.mark.parametrize("num_steps", [1, 2, 7, 50, 100])
def test_sampling_visits_falling_grades_from_the_strongest_on(num_steps):
    grades = make(DiffusionPolicy).visited_grades(num_steps)
    assert len(grades) == num_steps and grades[0] == 99
    assert grades == sorted(set(grades), reverse=True) and grades[-1] >= 0


def test_a_perfect_noise_model_leads_to_the_chunk_whatever_the_steps(monkeypatch):
    policy = make(DiffusionPolicy)
    target = 0.5 * draw(5, 6, seed=2)

    def exact(points, timesteps, observations):
        share = policy.alpha_bar[timesteps].unsqueeze(1)
        return (points - share.sqrt() * target) / (1 - share).sqrt()

    monkeypatch.setattr(policy, "predict_noise", exact)
    for eta in (0.0, 0.5, 1.0):
        policy.eta = eta
        for num_steps in (1, 3, 100):
            chunks = policy.denoise(draw(5, 6), draw(5, 4), num_steps)
            # The strongest noise leaves 2e-7 of the variance: float32 keeps three digits there.
            torch.testing.assert_close(chunks.flatten(1), target, rtol=0, atol=2e-3)


def test_fresh_noise_comes_from_the_generator_and_only_if_asked_for():
    observations, noise = draw(5, 4), draw(5, 6, seed=1)
    for eta, differs in ((0.0, False), (1.0, True)):
        policy = make(DiffusionPolicy, eta=eta)
        one, same, other = (
            policy.denoise(noise, observations, generator=torch.Generator().manual_seed(seed))
            for seed in (0, 0, 1)
        )
        assert torch.equal(one, same)
        assert torch.equal(one, other) is not differs


def test_estimates_of_the_clean_chunk_are_clamped():
    policy = make(DiffusionPolicy, limit=0.25)
    chunks = policy.denoise(10 * draw(50, 6), draw(50, 4))
    assert chunks.abs().max() == 0.25


@pytest.mark.parametrize(
    ("policy_class", "settings", "other"),
    [
        (FlowPolicy, {"num_steps": 5, "solver": "heun"}, {"num_steps": 5}),
        (DiffusionPolicy, {"eta": 0.5}, {"eta": 1.0}),
    ],
)
def test_a_checkpoint_remembers_how_its_policy_samples(tmp_path, policy_class, settings, other):
    policy: Policy = make(policy_class, **settings)
    run = TrainingRun(policy, Normalizers(Normalizer(4), Normalizer(2)), draw(3), 1.0, False)
    save_checkpoint(tmp_path / "policy.safetensors", run)
    with pytest.raises(ValueError, match="build the policy as it was when it was saved"):
        load_checkpoint(tmp_path / "policy.safetensors", make(policy_class, **other))
    loaded = load_checkpoint(
        tmp_path / "policy.safetensors", make(policy_class, seed=5, **settings)
    )
    observations = draw(5, 4)
    one, other = (
        own.sample(observations, torch.Generator().manual_seed(0))
        for own in (policy, loaded.policy)
    )
    assert torch.equal(one, other)
