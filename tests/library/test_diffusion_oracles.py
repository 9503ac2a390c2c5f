"""Diffusion against diffusers' schedulers, on the same noise and with the same network.

The library's grades of noise are diffusers' timesteps in its "trailing" spacing: the first one visited
is the strongest there is. Its clamping is diffusers' ``clip_sample`` with the noise derived anew from
the clamped estimate (``use_clipped_model_output``).
"""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from imitation_lab.policies.diffusion import DiffusionPolicy, cosine_alpha_bar

# Both sides round to single precision, 6e-8, and diffusers' shares err by up to 7e-5 of themselves where
# next to nothing of the data is left. There the points are all noise.
SINGLE = {"rtol": 1e-5, "atol": 1e-5}
# A chain begins by dividing by the root of that share, clamps, and feeds what it gets to the network.
CHAIN = {"rtol": 1e-4, "atol": 1e-4}


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_policy(**settings):
    generator = torch.Generator().manual_seed(0)
    policy = DiffusionPolicy(4, 3, 2, width=16, generator=generator, **settings)
    # A fresh network's prediction hardly depends on point and grade: mistakes would not show.
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(2)
    return policy


def scheduler(policy, kind=DDIMScheduler):
    return kind(
        num_train_timesteps=policy.num_timesteps,
        beta_schedule="squaredcos_cap_v2",
        clip_sample_range=policy.limit,
        timestep_spacing="trailing",
    )


@pytest.mark.parametrize("num_timesteps", [1, 2, 10, 100, 1000])
def test_the_shares_are_diffusers_cosine(num_timesteps):
    theirs = DDPMScheduler(num_timesteps, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    # A step keeps 1 - beta. diffusers rounds beta, by 2^-25 at most: of the step that keeps least, a
    # thousandth, that is a thousand times as much. Then it multiplies all steps, each with a rounding.
    tolerance = (1000 + 2 * num_timesteps) * 2.0**-24
    torch.testing.assert_close(cosine_alpha_bar(num_timesteps), theirs, rtol=tolerance, atol=0)


def test_chunks_are_made_noisy_as_in_diffusers():
    policy, timesteps = make_policy(), torch.arange(100)
    chunks, noise = normal(100, 6), normal(100, 6, seed=1)
    expected = scheduler(policy, DDPMScheduler).add_noise(chunks, noise, timesteps)
    torch.testing.assert_close(policy.add_noise(chunks, noise, timesteps), expected, **SINGLE)


def test_the_loss_is_the_one_that_diffusers_users_write():
    policy, observations, chunks = make_policy(), normal(50, 4), normal(50, 6, seed=1)
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(50, 6, generator=generator)
    timesteps = torch.randint(100, (50,), generator=generator)
    noisy = scheduler(policy, DDPMScheduler).add_noise(chunks, noise, timesteps)
    mean = torch.nn.functional.mse_loss(policy.predict_noise(noisy, timesteps, observations), noise)
    given = policy.loss(observations, chunks.unflatten(1, (2, 3)), torch.Generator().manual_seed(5))
    # Their mean runs over the chunk's six numbers too, where the library sums: a squared norm.
    torch.testing.assert_close(given, 6 * mean, **SINGLE)


@pytest.mark.parametrize("num_steps", [1, 3, 7, 10, 50, 64, 99, 100])
def test_the_visited_grades_are_diffusers_trailing_timesteps(num_steps):
    policy = make_policy()
    theirs = scheduler(policy)
    theirs.set_timesteps(num_steps)
    assert policy.visited_grades(num_steps) == theirs.timesteps.tolist()


def their_chain(policy, noise, observations, num_steps, generator=None):
    """Return what diffusers' DDIM makes of the noise, in steps that divide the timesteps."""
    theirs = scheduler(policy)
    theirs.set_timesteps(num_steps)
    points = noise
    for timestep in theirs.timesteps:
        predicted = policy.predict_noise(points, timestep.expand(len(points)), observations)
        # A last step draws noise as well, and multiplies it by zero.
        points = theirs.step(
            predicted,
            timestep,
            points,
            eta=policy.eta,
            use_clipped_model_output=True,
            generator=generator,
        ).prev_sample
    return points


@pytest.mark.parametrize("limit", [0.5, 3.0, 30.0])
@pytest.mark.parametrize("num_steps", [1, 2, 10, 50, 100])
def test_without_fresh_noise_the_chain_is_diffusers_ddim(num_steps, limit):
    policy, noise, observations = make_policy(limit=limit), normal(9, 6), normal(9, 4, seed=1)
    expected = their_chain(policy, noise, observations, num_steps)
    given = policy.denoise(noise, observations, num_steps).flatten(1)
    torch.testing.assert_close(given, expected, **CHAIN)


@pytest.mark.parametrize("eta", [0.3, 1.0])
@pytest.mark.parametrize("num_steps", [2, 10, 100])
def test_with_the_same_fresh_noise_the_chain_is_diffusers_ddim(num_steps, eta):
    policy, noise, observations = make_policy(eta=eta), normal(9, 6), normal(9, 4, seed=1)
    theirs, ours = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)
    expected = their_chain(policy, noise, observations, num_steps, theirs)
    given = policy.denoise(noise, observations, num_steps, ours).flatten(1)
    torch.testing.assert_close(given, expected, **CHAIN)


@pytest.mark.parametrize("num_steps", [2, 7, 10, 64, 100])
def test_with_all_noise_drawn_afresh_the_chain_is_diffusers_ddpm(num_steps):
    policy, noise, observations = make_policy(eta=1.0), normal(9, 6), normal(9, 4, seed=1)
    theirs = scheduler(policy, DDPMScheduler)
    # Given one by one, DDPM's timesteps need not divide their number.
    theirs.set_timesteps(timesteps=policy.visited_grades(num_steps))
    points, generator = noise, torch.Generator().manual_seed(7)
    for timestep in theirs.timesteps:
        predicted = policy.predict_noise(points, timestep.expand(9), observations)
        points = theirs.step(predicted, timestep, points, generator=generator).prev_sample
    given = policy.denoise(noise, observations, num_steps, torch.Generator().manual_seed(7))
    torch.testing.assert_close(given.flatten(1), points, **CHAIN)
