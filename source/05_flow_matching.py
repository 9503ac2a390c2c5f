# ---
# jupyter:
#   imitation_lab:
#     title: Flow matching
#     answers:
#     - imitation_lab.flows
#     - imitation_lab.policies.flow
#     - imitation_lab.policies.diffusion
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Flow matching
#
# Noise is easy to draw, and good actions are hard to draw. Can a network turn the one into the other?
#
# That is the lecture's third generative model for policies, *iteratively denoise*. It needs no bins, no order and no
# number of components. $\pi_0$, GR00T and Diffusion Policy steer robots with it or its relatives. And its loss is a regression:
# the squared error of notebook 1, which could not tell left from right. What has changed?
#
# **When you have finished it, you can**
#
# - say why regression from noise to actions fails, and why regression to a *velocity* does not;
# - write the loss of flow matching, and say why its best value is not zero;
# - compute the exact field that a perfect network would learn, and measure a network against it;
# - follow a field by Euler's method and by the midpoint method, and say what a step costs and what it buys;
# - drive the fork with a flow, and watch it make up its mind;
# - turn a noise prediction into a velocity, and so DDPM into flow matching.
#
# You need notebook 1 (the conditional mean) and the Gaussian's density. The experiments take about a minute on a
# laptop. Most answers are one to five lines. Time: about four hours.

# %%
import math
from itertools import pairwise
from time import perf_counter

import torch
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate
from imitation_lab.comparison import comparison_table, fork_drivers, recorded_comparison
from imitation_lab.envs import Fork
from imitation_lab.evaluation import pool
from imitation_lab.experiment import clone, drive, players
from imitation_lab.networks import MLP, count_parameters
from imitation_lab.normalizer import Normalizer
from imitation_lab.plots import (
    DRIVER_LOOKS,
    POLICY_LOOKS,
    format_side,
    plot_commands,
    plot_excess_nats,
    plot_rollouts,
    plot_sides,
    plot_success_by_road,
    show,
    use_course_style,
)
from imitation_lab.plots.flows import PLANE, plot_arrows, plot_mixtures, plot_paths
from imitation_lab.plots.planes import plot_plane
from imitation_lab.testing import check_answered
from imitation_lab.toys import ring, steer_or_brake
from imitation_lab.training import TrainingSettings, best_device, minimize
from imitation_lab.types import Policy
from imitation_lab.widgets import FlowScene, FollowTheFlow

use_course_style()
device = best_device()

# %% tags=["variant"]
SEED = 0  # of the actions and demonstrations  # VARIANT 0..9999


# %%
def answered(value, name):
    """Return what your function returned, or say that its answer is still missing."""
    check_answered(value, name)
    return value


# %% [markdown]
# ## Idea 0
#
# Notebook 4's two data sets serve again: the two corners (*left and brake, or right and speed up*) and the ring (a strong
# manoeuvre in any direction). There are 200 actions of each. We normalise them to mean zero and standard deviation one,
# so that they spread about as far as standard normal noise.
#
# The simplest plan has three lines. Draw an action from the data. Draw some noise. Train a network to turn this noise into
# this action. Repeat. Afterwards, fresh noise goes in, and a fresh action should come out.
#
# Before you go on: will it work? What does the network learn?


# %%
def actions_of(toy, seed, count=200):
    """Draw actions of a toy, in normalised units: mean zero, standard deviation one."""
    drawn = toy.sample(count, torch.Generator().manual_seed(seed))
    return Normalizer.fit(drawn).normalize(drawn)


DATA = {"two corners": actions_of(steer_or_brake(), SEED), "ring": actions_of(ring(), SEED + 1)}

# %% [markdown] question="idea0_loss" points=[1, 1, 1, 1, 2, 1]
# ### Question 5.1 · Idea 0
#
# Write `idea0_loss(model, actions, generator)`.
#
# - `actions` is `(batch, action_dim)`. For every row draw noise of the same shape, each number from a standard
#   normal distribution, with `generator`. Noise and action of a row have nothing to do with each other.
# - `model(noise)` returns `(batch, action_dim)`.
# - Return the squared L2 norm of the model's error, summed over the action's numbers and averaged over the batch.


# %% tags=["solution"]
def idea0_loss(model, actions, generator):
    """Return the error of regressing from noise to actions."""
    noise = torch.randn(actions.shape, generator=generator, device=actions.device)  # SOLUTION
    return (model(noise) - actions).square().sum(dim=1).mean()  # SOLUTION


# %% tags=["public"]
def test_idea0_loss_of_a_constant(idea0_loss):
    """A model that always answers (1, 2, 3) has a loss that no noise can change."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    def model(noise):
        assert noise.dim() == 2 and noise.shape[1] == 3, (
            f"the model was given shape {tuple(noise.shape)}: it takes noise (batch, action_dim)."
        )
        assert noise.dtype == torch.float32, (
            f"the model was given {noise.dtype}: a network takes float32, convert with .float()."
        )
        return torch.tensor([1.0, 2.0, 3.0]).repeat(len(noise), 1)

    rows = [[1.0, 2.0, 3.0], [1.0, 2.0, 8.0], [4.0, 6.0, 3.0], [1.0, 2.0, 3.0]]
    loss = idea0_loss(model, torch.tensor(rows), torch.Generator().manual_seed(0))
    check_answered(loss, "idea0_loss")
    # The rows' errors are 0, 25, 25 and 0.
    check_close(loss, 12.5, "sum the squares over the action's numbers, average over the batch.")


def test_idea0_loss_shows_noise(idea0_loss):
    """The model sees noise and nothing else: one that returns what it sees misses every action."""
    import torch

    from imitation_lab.testing import check_answered, check_shape

    loss = idea0_loss(torch.nn.Identity(), torch.zeros(40, 2), torch.Generator().manual_seed(0))
    check_answered(loss, "idea0_loss")
    check_shape(loss, (), "average over the batch.")
    assert float(loss) > 0.1, "the model was not shown noise: it was shown the actions, or zeros."


# %% tags=["hidden"]
def test_idea0_loss_is_the_mean_squared_distance(idea0_loss):
    """For a model that ignores the noise the loss is the mean squared distance to the actions."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, scale in [(6, 3, 30), (1, 2, 5), (4, 4, 5), (150, 1, 30)]:
        actions = scale * torch.randn(batch, action_dim, generator=generator) - 3
        answer = torch.randn(action_dim, generator=generator)
        given = actions.clone()
        loss = idea0_loss(
            lambda noise, answer=answer: answer.repeat(len(noise), 1), given, generator
        )
        check_answered(loss, "idea0_loss")
        total = sum(
            (one - other) ** 2
            for row in actions.tolist()
            for one, other in zip(row, answer.tolist(), strict=True)
        )
        check_close(loss, total / batch, "sum over the action's numbers, average over the batch.")
        check_close(given, actions, "the actions were changed in place: compute a new tensor.")


def test_idea0_loss_judges_what_the_model_makes_of_the_noise(idea0_loss):
    """The loss is the error of the model's own answers, and its gradient reaches the model."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Recorder(torch.nn.Module):
        """A linear layer that remembers what it was shown."""

        def __init__(self, weight, seen):
            super().__init__()
            self.weight, self.seen = torch.nn.Parameter(weight), seen
            self.count = torch.zeros((), dtype=torch.long)

        def forward(self, noise):
            first = int(self.count)
            assert first + len(noise) <= len(self.seen), "the model was shown too many rows."
            self.seen[first : first + len(noise)] = noise.detach()
            self.count.add_(len(noise))
            return noise.to(self.weight.dtype) @ self.weight

    generator = fresh_generator()
    for batch, action_dim in [(7, 3), (1, 2), (60, 4)]:
        action = 2 * torch.randn(action_dim, generator=generator)
        weight = torch.randn(action_dim, action_dim, generator=generator)
        model = Recorder(weight, torch.full((batch, action_dim), torch.nan))
        # One action for all rows: in which order they are visited must not matter.
        loss = idea0_loss(model, action.repeat(batch, 1), generator)
        check_answered(loss, "idea0_loss")
        noise = model.seen.double()
        assert noise.isfinite().all(), "the model was not shown noise for every row."
        error = noise @ weight.double() - action
        hint = "compare the model's answers for the noise with the actions."
        check_close(loss, error.square().sum() / batch, hint, rtol=1e-3)
        assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
        loss.backward()
        assert model.weight.grad is not None, "no gradient reaches the model: do not detach."
        expected = 2 / batch * noise.T @ error
        check_close(model.weight.grad, expected, "the loss's gradient is off.", 1e-3, 1e-3)


def test_idea0_loss_draws_fresh_normal_noise(idea0_loss):
    """The noise is standard normal, fresh for every number, and knows nothing of the actions."""
    import torch

    from imitation_lab.testing import (
        check_answered,
        check_rows_apart,
        check_standard_normal,
        check_unrelated,
        fresh_generator,
    )

    generator, batch = fresh_generator(), 8_000
    actions = torch.randn(batch, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.2]) + 2
    for power in (1, 2):
        seen, count = torch.full((batch, 3), torch.nan), torch.zeros((), dtype=torch.long)

        def model(noise, power=power, seen=seen, count=count):
            assert noise.dtype == torch.float32, (
                f"the model was given {noise.dtype}: a network takes float32, convert with .float()."
            )
            first = int(count)
            assert first + len(noise) <= batch, "the model was shown more rows than the batch has."
            seen[first : first + len(noise)] = noise.detach()
            count.add_(len(noise))
            return noise**power

        loss = idea0_loss(model, actions.clone(), generator)
        check_answered(loss, "idea0_loss")
        noise = seen.double()
        assert noise.isfinite().all(), "the model was not shown noise for every row."
        # float32 has 10^7 numbers to draw, so hardly any come twice.
        assert len(noise.unique()) > 0.95 * noise.numel(), (
            "numbers of the noise repeat: draw anew for every number of every row."
        )
        check_standard_normal(
            noise, "the noise does not follow a standard normal distribution, drawn for every row."
        )
        check_rows_apart(noise, "rows share noise: draw anew for every number of every row.")
        check_unrelated(
            {"the numbers of a row share noise": (noise, noise.roll(1, dims=1))},
            "draw anew for each.",
        )
        squares = actions.double().square().sum(dim=1).mean()
        answers = noise**power
        # What is left of the loss is -2 times the mean of answer times action. Noise has mean 0
        # and variance 1, its square has mean 1 and variance 2.
        expected = answers.square().sum(dim=1).mean() + squares
        expected = expected - 2 * (power - 1) * actions.double().sum(dim=1).mean()
        spread = 2 * (power * squares / batch) ** 0.5
        assert (torch.as_tensor(loss).double() - expected).abs() < 7 * spread, (
            "noise and action of a row are not independent of each other, or the norm is not squared."
        )


def test_idea0_loss_draws_from_the_generator(idea0_loss):
    """The generator decides the noise: equal seeds repeat it, and the next call draws anew."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    batch, seed = 300, fresh_generator().initial_seed()

    def draw(source):
        seen, count = torch.full((batch, 2), torch.nan), torch.zeros((), dtype=torch.long)

        def model(noise):
            first = int(count)
            assert first + len(noise) <= batch, "the model was shown more rows than the batch has."
            seen[first : first + len(noise)] = noise.detach()
            count.add_(len(noise))
            return 1 * noise

        loss = idea0_loss(model, torch.ones(batch, 2), source)
        check_answered(loss, "idea0_loss")
        assert seen.isfinite().all(), "the model was not shown noise for every row."
        return seen.double(), loss

    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    (first, loss), (following, _), (again, repeated) = (draw(source) for source in (one, one, same))
    hint = "the same seed gave other noise: draw from `generator`."
    check_close(again, first, hint)
    check_close(repeated, loss, hint)
    # 600 products of independent normal numbers: their mean is beyond seven standard deviations
    # once in 10^10 times.
    assert (first * following).mean().abs() < 7 / first.numel() ** 0.5, (
        "two calls with one generator gave the same noise: do not seed it yourself."
    )


# %% tags=["wrong"]
def idea0_loss__shows_the_actions(model, actions, generator):
    """The model is shown the actions themselves: at test time there are none, only noise."""
    return (model(actions) - actions).square().sum(dim=1).mean()


def idea0_loss__asks_for_the_noise(model, actions, generator):
    """Noise and actions are swapped: the model sees noise and is asked for an action."""
    noise = torch.randn(actions.shape, generator=generator)
    return (model(actions) - noise).square().sum(dim=1).mean()


def idea0_loss__shows_noisy_actions(model, actions, generator):
    """The model is shown actions with noise on them: idea 0 shows it nothing but noise."""
    noise = torch.randn(actions.shape, generator=generator)
    return (model(actions + noise) - actions).square().sum(dim=1).mean()


def idea0_loss__shows_zeros(model, actions, generator):
    """The model is shown zeros: draw noise."""
    return (model(torch.zeros_like(actions)) - actions).square().sum(dim=1).mean()


def idea0_loss__shares_noise_between_rows(model, actions, generator):
    """All rows share one draw of the noise: every row needs its own."""
    noise = torch.randn(1, actions.shape[1], generator=generator).expand_as(actions)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__shares_noise_between_numbers(model, actions, generator):
    """The numbers of an action share one draw of the noise: every number needs its own."""
    noise = torch.randn(len(actions), 1, generator=generator).expand_as(actions)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__mirrors_the_noise(model, actions, generator):
    """Half of the noise is the other half with its sign turned: draw for every row."""
    half = torch.randn((len(actions) + 1) // 2, actions.shape[1], generator=generator)
    noise = torch.cat([half, -half])[: len(actions)]
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__draws_uniform_noise(model, actions, generator):
    """The noise is uniform: it should be standard normal."""
    noise = torch.rand(actions.shape, generator=generator)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__scales_the_noise(model, actions, generator):
    """The noise has the spread of the actions: its standard deviation should be one."""
    noise = torch.randn(actions.shape, generator=generator) * actions.std(dim=0, correction=0)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__cuts_the_noise_off(model, actions, generator):
    """Noise beyond ±2 is cut off: draw from the whole normal distribution."""
    noise = torch.randn(actions.shape, generator=generator).clamp(-2, 2)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__makes_the_noise_weak(model, actions, generator):
    """The noise's standard deviation is 0.95: it should be one."""
    noise = 0.95 * torch.randn(actions.shape, generator=generator)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__shifts_the_noise(model, actions, generator):
    """The noise's mean is 0.1: it should be zero."""
    noise = 0.1 + torch.randn(actions.shape, generator=generator)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__repeats_the_noise(model, actions, generator):
    """A third of the noise is drawn, and used three times: every row needs its own."""
    third = torch.randn((len(actions) + 2) // 3, actions.shape[1], generator=generator)
    noise = third.repeat(3, 1)[: len(actions)]
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__moves_fixed_noise_a_little(model, actions, generator):
    """The generator moves noise that is always the same a little: draw all of it from `generator`."""
    noise = torch.randn(actions.shape, generator=torch.Generator().manual_seed(0))
    noise = noise + 0.001 * torch.randn(1, generator=generator)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__draws_in_float64(model, actions, generator):
    """The network is given float64: it takes float32."""
    noise = torch.randn(actions.shape, generator=generator, dtype=torch.float64)
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__changes_the_actions(model, actions, generator):
    """The actions are changed in place: whoever goes on with them has lost them."""
    noise = torch.randn(actions.shape, generator=generator)
    return actions.sub_(model(noise)).square().sum(dim=1).mean()


def idea0_loss__pairs_by_size(model, actions, generator):
    """Noise and actions are sorted before they are paired: then the noise does tell of the action."""
    noise = torch.randn(actions.shape, generator=generator).sort(dim=0).values
    return (model(noise) - actions.sort(dim=0).values).square().sum(dim=1).mean()


def idea0_loss__ignores_the_generator(model, actions, generator):
    """The noise comes from the global seed: pass the generator on."""
    return (model(torch.randn_like(actions)) - actions).square().sum(dim=1).mean()


def idea0_loss__seeds_the_generator(model, actions, generator):
    """The generator is seeded anew at every call: the model would see the same noise for ever."""
    noise = torch.randn(actions.shape, generator=generator.manual_seed(0))
    return (model(noise) - actions).square().sum(dim=1).mean()


def idea0_loss__averages_over_numbers(model, actions, generator):
    """The mean runs over the action's numbers too: sum over these, average over the batch only."""
    noise = torch.randn(actions.shape, generator=generator)
    return (model(noise) - actions).square().mean()


def idea0_loss__sums_over_the_batch(model, actions, generator):
    """The sum runs over the batch too: average over it."""
    noise = torch.randn(actions.shape, generator=generator)
    return (model(noise) - actions).square().sum()


def idea0_loss__forgets_the_square(model, actions, generator):
    """This is the L2 norm itself: the loss takes its square."""
    noise = torch.randn(actions.shape, generator=generator)
    return (model(noise) - actions).norm(dim=1).mean()


def idea0_loss__detaches_the_model(model, actions, generator):
    """The model's answer is detached: no gradient reaches it."""
    noise = torch.randn(actions.shape, generator=generator)
    return (model(noise).detach() - actions).square().sum(dim=1).mean()


# %% tags=["right"]
def idea0_loss__by_torch(model, actions, generator):
    noise = torch.empty_like(actions).normal_(generator=generator)
    return torch.nn.functional.mse_loss(model(noise), actions, reduction="sum") / len(actions)


def idea0_loss__row_by_row(model, actions, generator):
    losses = []
    for action in actions:
        noise = torch.randn(1, len(action), generator=generator)
        losses.append((model(noise)[0] - action).pow(2).sum())
    return torch.stack(losses).mean()


def idea0_loss__by_einsum_in_float64(model, actions, generator):
    noise = torch.randn(*actions.shape, generator=generator, dtype=torch.float64)
    error = actions.double() - model(noise.float()).double()
    return torch.einsum("bd,bd->", error, error) / error.shape[0]


def idea0_loss__by_the_inverse_cdf(model, actions, generator):
    uniform = torch.rand(actions.shape, generator=generator, dtype=torch.float64)
    noise = torch.special.ndtri(uniform.clamp(1e-15, 1 - 1e-15)).float()
    return torch.linalg.vector_norm(model(noise) - actions, dim=1).square().mean()


def idea0_loss__by_distributions(model, actions, generator):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        noise = torch.distributions.Normal(0.0, 1.0).sample(actions.shape)
    return (model(noise) - actions).square().mean(dim=0).sum()


# %%
def draw_rows(data, generator, batch=256):
    """Draw a batch of actions from the data, with replacement."""
    return data[torch.randint(len(data), (batch,), generator=generator)]


def train_idea0(data, seed=0):
    """Train a network by idea 0, and return it."""
    generator = torch.Generator().manual_seed(seed)
    model = MLP(2, 2, width=64, generator=generator)

    def loss():
        return answered(idea0_loss(model, draw_rows(data, generator), generator), "idea0_loss")

    minimize(loss, model.parameters(), steps=800, learning_rate=1e-2)
    return model


# %% tags=["train"]
noise = torch.randn(1000, 2, generator=torch.Generator().manual_seed(1))
figure, panels = plt.subplots(1, 4, figsize=(11, 3.3), sharex=True, sharey=True)
for pair, (name, actions) in zip((panels[:2], panels[2:]), DATA.items(), strict=True):
    made = train_idea0(actions)(noise).detach()
    plot_plane(pair[0], actions, "expert", limit=PLANE).set_title(f"{name}: the drivers")
    pair[1].plot(*noise[:300].T, ls="", marker=".", ms=2, color="0.7")
    plot_plane(pair[1], made, "regression", limit=PLANE).set_title(f"{name}: idea 0")
    print(
        f"{name}: standard deviation {actions.std():.3f} of the actions, {made.std():.3f} of idea 0's"
    )
for axes in panels:
    axes.set(xlabel="steer, normalised", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
panels[0].set_ylabel("speed, normalised")
show(
    figure,
    alt="Four planes. The drivers' actions form two clusters, and a ring. What idea 0 makes of a cloud of noise is one "
    "point in the middle, both times.",
    caption="Grey: noise. Idea 0 turns all of 1,000 draws into nearly the same action (×), one that nobody took.",
)

# %% [markdown]
# It learnt the mean. Every noise becomes nearly the same action, and it is the one between the drivers.
#
# Why? Noise and action were drawn independently: **the noise says nothing about which action it was paired with**. The
# same noise comes back with another action the next time. So of all functions of the noise the best is a constant, and
# by notebook 1 the best constant is the mean:
#
# $$
# \arg\min_f \; \mathbb{E}\,\lVert f(\epsilon) - a \rVert^2 = \mathbb{E}[a \mid \epsilon] = \mathbb{E}[a].
# $$
#
# The lecture says it this way: *the model has no reason to use the noise to map to different datapoints.*
#
# ## Which way from here?
#
# So let us ask for less. Do not ask the noise where to *end*. Draw a straight line from the noise $x_0$ to the action
# $x_1$, and stop somewhere on the way, at a time $t$ between 0 and 1:
#
# $$
# x_t = (1 - t)\, x_0 + t\, x_1, \qquad \frac{d x_t}{d t} = x_1 - x_0.
# $$
#
# Now ask: *you are here, and this is the time. Which way do you go?* At $t = 0$ the point is nothing but noise, and
# knows nothing, as before. But at $t = 0.5$ half of it is action already. It may well tell where it is going.

# %% [markdown] question="interpolate" points=[1, 1, 2, 1]
# ### Question 5.2 · A straight line
#
# Write `interpolate(x0, x1, t)`.
#
# - `x0` (noise) and `x1` (data) are `(batch, dim)`. `t` is `(batch,)`: every row has a time of its own.
# - Return a pair: the points $x_t$, and the velocity with which they move along their lines, both `(batch, dim)`.
#
# Give `t` a second axis, so that each row's time multiplies the whole row.


# %% tags=["solution"]
def interpolate(x0, x1, t):
    """Return where each row is at its time on the line from x0 to x1, and its velocity."""
    share = t.unsqueeze(1)  # SOLUTION
    return (1 - share) * x0 + share * x1, x1 - x0  # SOLUTION


# %% tags=["public"]
def test_interpolate_of_known_lines(interpolate):
    """Three rows: one at the start of its line, one a quarter of the way on, one at the end."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    starts = torch.tensor([[1.0, 2.0], [0.0, 8.0], [5.0, 5.0]])
    ends = torch.tensor([[9.0, 9.0], [4.0, 0.0], [-1.0, 7.0]])
    pair = interpolate(starts, ends, torch.tensor([0.0, 0.25, 1.0]))
    check_answered(pair, "interpolate")
    assert len(pair) == 2, "return a pair: points and velocity."
    points, velocity = pair
    check_answered(points, "interpolate")
    check_close(
        points,
        [[1.0, 2.0], [1.0, 6.0], [-1.0, 7.0]],
        "every row has its own time: at 0 it is at x0, at 1 it is at x1.",
    )
    check_close(
        velocity,
        [[8.0, 7.0], [4.0, -8.0], [-6.0, 2.0]],
        "the velocity is the derivative of the point with respect to the time.",
    )


# %% tags=["hidden"]
def test_interpolate_keeps_every_row_on_its_own_line(interpolate):
    """Points and velocities are the formula's, number by number, for any sizes, at the ends too."""
    from itertools import product

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # As many rows as columns, too: there a time on the wrong axis has the right shape.
    sizes = [(5, 3), (4, 4), (1, 6), (7, 1), (1, 1)]
    for (batch, dim), end in product(sizes, (0.0, 0.4, 1.0)):
        x0 = torch.randn(batch, dim, generator=generator)
        x1 = 10 * torch.randn(batch, dim, generator=generator) + 3
        times = torch.rand(batch, generator=generator)
        times[-1], times[0] = 1.0 - end, end
        pair = interpolate(x0, x1, times)
        check_answered(pair, "interpolate")
        rows = zip(x0.tolist(), x1.tolist(), times.tolist(), strict=True)
        expected = [
            [a + time * (b - a) for a, b in zip(start, end, strict=True)]
            for start, end, time in rows
        ]
        check_close(pair[0], expected, "row i is at its own time t[i], on its own line.")
        hint = "the velocity is the whole way, x1 - x0, at the ends of the line too."
        check_close(pair[1], x1.double() - x0.double(), hint)


def test_interpolate_gives_the_derivative(interpolate):
    """The velocity is how fast the point moves, at every time, and the same all along the line."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, dim in [(6, 3), (3, 3), (1, 2)]:
        x0 = torch.randn(batch, dim, generator=generator)
        x1 = 4 * torch.randn(batch, dim, generator=generator) - 2
        early = 0.5 * torch.rand(batch, generator=generator)
        late = early + 0.5
        pairs = [interpolate(x0, x1, times) for times in (early, late)]
        for pair in pairs:
            check_answered(pair, "interpolate")
        (first, velocity), (second, same) = pairs
        moved = (torch.as_tensor(second).double() - torch.as_tensor(first)) / 0.5
        check_close(velocity, moved, "half a unit of time moves the point by half its velocity.")
        check_close(same, moved, "on a straight line the velocity does not depend on the time.")


def test_interpolate_leaves_its_arguments_alone(interpolate):
    """Noise and data are what they were before the call."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    x0, x1 = torch.randn(2, 5, 3, generator=generator)
    times = torch.rand(5, generator=generator)
    before = [x0.clone(), x1.clone(), times.clone()]
    check_answered(interpolate(x0, x1, times), "interpolate")
    for given, kept in zip((x0, x1, times), before, strict=True):
        check_close(given, kept, "an argument was changed in place: compute a new tensor.")


# %% tags=["wrong"]
def interpolate__swaps_the_ends(x0, x1, t):
    """The line runs from data to noise: at time 0 it should be at x0, the noise."""
    return t[:, None] * x0 + (1 - t[:, None]) * x1, x1 - x0


def interpolate__turns_the_velocity_round(x0, x1, t):
    """The velocity points from the data to the noise: it has the wrong sign."""
    return (1 - t[:, None]) * x0 + t[:, None] * x1, x0 - x1


def interpolate__divides_by_the_time_left(x0, x1, t):
    """What is left is divided by the time left: at t = 1 that is 0 / 0. The whole way needs no division."""
    points = (1 - t[:, None]) * x0 + t[:, None] * x1
    return points, (x1 - points) / (1 - t[:, None])


def interpolate__divides_by_the_time_gone(x0, x1, t):
    """The way so far is divided by t, kept off zero: at the start that gives a velocity of zero."""
    points = (1 - t[:, None]) * x0 + t[:, None] * x1
    return points, (points - x0) / t[:, None].clamp(min=1e-5)


def interpolate__keeps_off_the_ends(x0, x1, t):
    """Times are kept off 0 and 1: there the points are exactly at x0 and x1."""
    t = t.clamp(0.001, 0.999)[:, None]
    return (1 - t) * x0 + t * x1, x1 - x0


def interpolate__starts_from_the_point(x0, x1, t):
    """This is what is left of the way: the velocity is the whole way, in one unit of time."""
    points = (1 - t[:, None]) * x0 + t[:, None] * x1
    return points, x1 - points


def interpolate__scales_the_velocity(x0, x1, t):
    """The velocity is multiplied by the time: on a straight line it is the same at all times."""
    return (1 - t[:, None]) * x0 + t[:, None] * x1, t[:, None] * (x1 - x0)


def interpolate__normalises_the_velocity(x0, x1, t):
    """The velocity has length one: a point with a longer way has to move faster."""
    points = (1 - t[:, None]) * x0 + t[:, None] * x1
    return points, torch.nn.functional.normalize(x1 - x0, dim=1)


def interpolate__puts_the_time_on_the_columns(x0, x1, t):
    """The times run along the columns: give `t` a second axis, one time for each row."""
    t = t if len(t) == x0.shape[1] else t[:, None]
    return (1 - t) * x0 + t * x1, x1 - x0


def interpolate__uses_the_first_time(x0, x1, t):
    """The first row's time serves for all rows: each has its own."""
    return (1 - t[0]) * x0 + t[0] * x1, x1 - x0


def interpolate__averages_the_times(x0, x1, t):
    """All rows share the mean time: each has its own."""
    return (1 - t.mean()) * x0 + t.mean() * x1, x1 - x0


def interpolate__takes_a_circle(x0, x1, t):
    """This path is a quarter of a circle: the linear path mixes with t and 1 − t themselves."""
    angle = torch.pi / 2 * t[:, None]
    return angle.cos() * x0 + angle.sin() * x1, x1 - x0


def interpolate__takes_roots(x0, x1, t):
    """Square roots keep the variance, as in DDPM: the linear path mixes with t and 1 − t themselves."""
    return (1 - t[:, None]).sqrt() * x0 + t[:, None].sqrt() * x1, x1 - x0


def interpolate__swaps_the_pair(x0, x1, t):
    """The velocity comes first: return the points first."""
    return x1 - x0, (1 - t[:, None]) * x0 + t[:, None] * x1


def interpolate__forgets_the_velocity(x0, x1, t):
    """Only the points are returned: return a pair, points and velocity."""
    return (1 - t[:, None]) * x0 + t[:, None] * x1


def interpolate__changes_the_noise(x0, x1, t):
    """x0 is changed in place: whoever goes on with it has lost the noise."""
    velocity = x1 - x0
    return x0.lerp_(x1, t[:, None]), velocity


# %% tags=["right"]
def interpolate__by_lerp(x0, x1, t):
    return torch.lerp(x0, x1, t[:, None]), x1 - x0


def interpolate__by_loops(x0, x1, t):
    points = [start + time * (end - start) for start, end, time in zip(x0, x1, t, strict=True)]
    return torch.stack(points), torch.stack([b - a for a, b in zip(x0, x1, strict=True)])


def interpolate__by_einsum_in_float64(x0, x1, t):
    given, x0, x1, t = x0.dtype, x0.double(), x1.double(), t.double()
    points = torch.einsum("b,bd->bd", 1 - t, x0) + torch.einsum("b,bd->bd", t, x1)
    return points.to(given), (x1 - x0).to(given)  # flow_matching_loss gives them to a network


def interpolate__by_forward_differentiation(x0, x1, t):
    def point(time):
        return x0 + torch.diag(time) @ (x1 - x0)

    return torch.func.jvp(point, (t,), (torch.ones_like(t),))


def interpolate__as_one_tensor(x0, x1, t):
    way = x1 - x0
    return torch.stack([x0 + t[:, None] * way, way])


def interpolate__as_a_list_of_arrays(x0, x1, t):
    share = t.numpy()[:, None]
    return [(1 - share) * x0.numpy() + share * x1.numpy(), (x1 - x0).numpy()]


# %% tags=["train"]
generator = torch.Generator().manual_seed(2)
ends = draw_rows(DATA["two corners"], generator, 400)
starts = torch.randn(ends.shape, generator=generator)
figure, panels = plt.subplots(1, 5, figsize=(12, 2.8), sharex=True, sharey=True)
for axes, now in zip(panels, (0, 0.25, 0.5, 0.75, 1), strict=True):
    points, _ = answered(interpolate(starts, ends, torch.full((400,), float(now))), "interpolate")
    plot_plane(axes, points, "flow", limit=PLANE).set_title(f"t = {now}")
    axes.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2), xlabel="steer")
panels[0].set_ylabel("speed")
show(
    figure,
    alt="Five clouds. A round cloud of noise at time 0 stretches, parts in the middle, and has become two small clusters "
    "at time 1.",
    caption="400 lines from noise to action, at five times. When does a point begin to tell where it is going?",
)

# %% [markdown]
# A network that predicts the velocity $v(x_t, t)$ is trained by regression again. In the lecture's words:
#
# 1. randomly sample a datapoint $x_1$ and noise $x_0$;
# 2. sample a time $t$;
# 3. linearly interpolate to $x_t$;
# 4. minimise $\lVert v(x_t, t) - (x_1 - x_0) \rVert^2$.
#
# For a policy, the network sees the observation as well.

# %% [markdown] question="flow_matching_loss" points=[1, 1, 2, 2, 1, 1]
# ### Question 5.3 · The loss
#
# Write `flow_matching_loss(velocity, actions, observations, generator)`.
#
# - `actions` is `(batch, action_dim)`: this is $x_1$. For every row draw noise $x_0$ of the same shape from a standard
#   normal distribution, and a time $t$, uniform between 0 and 1. Everything is drawn with `generator`, and all draws
#   are independent of each other.
# - `velocity(xt, t, observations)` returns `(batch, action_dim)`. It takes points `(batch, action_dim)`, times
#   `(batch,)`, and the rows' own observations.
# - Return the squared L2 norm of its error, summed over the action's numbers and averaged over the batch.
#
# You may call your `interpolate`.


# %% tags=["solution"]
def flow_matching_loss(velocity, actions, observations, generator):
    """Return the error of a predicted velocity, on random points of random lines."""
    # BEGIN SOLUTION
    noise = torch.randn(actions.shape, generator=generator, device=actions.device)
    times = torch.rand(len(actions), generator=generator, device=actions.device)
    points, wanted = interpolate(noise, actions, times)
    error = velocity(points, times, observations) - wanted
    return error.square().sum(dim=1).mean()
    # END SOLUTION


# %% tags=["public"]
def test_flow_matching_loss_knows_the_way_to_a_single_action(flow_matching_loss):
    """If all actions are one and the same, (a − x) / (1 − t) is the right velocity, whatever the noise."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    action = torch.tensor([3.0, -2.0, 1.0])

    def velocity(points, times, seen):
        assert points.dim() == 2 and points.shape[1] == 3, (
            f"velocity was given points of shape {tuple(points.shape)}: expected (batch, action_dim)."
        )
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        assert points.dtype == times.dtype == torch.float32, (
            "velocity was given float64: the network takes float32, convert with .float()."
        )
        left = (1 - times).clamp(min=1e-4).unsqueeze(1)
        return (action - points) / left + seen

    actions, observations = action.repeat(20, 1), torch.zeros(20, 1)
    generator = torch.Generator().manual_seed(0)
    loss = flow_matching_loss(velocity, actions, observations, generator)
    check_answered(loss, "flow_matching_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, 0.0, "mix noise and action by the time, and ask for x1 - x0.", atol=1e-3)
    loss = flow_matching_loss(velocity, actions, observations + 2, generator)
    # Now each of the three numbers is off by 2.
    check_close(
        loss, 12.0, "pass the observations on, and sum over the action's numbers.", 1e-3, 1e-3
    )


def test_flow_matching_loss_has_a_gradient(flow_matching_loss):
    """The gradient reaches what the velocity is computed with."""
    import torch

    from imitation_lab.testing import check_answered

    weight = torch.tensor(0.5, requires_grad=True)
    loss = flow_matching_loss(
        lambda points, times, seen: weight * points,
        torch.ones(20, 2),
        torch.zeros(20, 1),
        torch.Generator().manual_seed(0),
    )
    check_answered(loss, "flow_matching_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."


# %% tags=["hidden"]
def test_flow_matching_loss_is_the_error_of_the_velocity(flow_matching_loss):
    """Whatever noise and times are drawn, the loss is the error written out, row by row."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # An action of three numbers in a batch of three, too: there a wrong axis has the right shape.
    for batch, dim, features, scale in [(6, 3, 2, 3), (1, 1, 1, 3), (3, 3, 3, 30), (50, 2, 4, 30)]:
        actions = scale * torch.randn(batch, dim, generator=generator) - 2
        observations = torch.randn(batch, features, generator=generator)
        observations[:, 0] = torch.arange(batch)  # says which row it is
        seen = torch.full((batch, dim + 1 + features), torch.nan)
        count = torch.zeros((), dtype=torch.long)

        def velocity(points, times, own, seen=seen, count=count):
            assert times.shape == (len(points),) and len(own) == len(points), (
                "velocity takes as many times and observations as points, and times of shape (batch,)."
            )
            assert points.dtype == times.dtype == torch.float32, (
                "velocity was given float64: the network takes float32, convert with .float()."
            )
            first = int(count)
            assert first + len(points) <= len(seen), "velocity was asked about too many points."
            shown = torch.cat([points, times.unsqueeze(1), own], dim=1)
            seen[first : first + len(points)] = shown.detach()
            count.add_(len(points))
            return 2 * points + (7 * times).sin().unsqueeze(1) - own[:, -1:]

        given = [actions.clone(), observations.clone()]
        loss = flow_matching_loss(velocity, *given, generator)
        check_answered(loss, "flow_matching_loss")
        shown = seen.double()
        assert shown.isfinite().all(), "velocity must be asked about every row, once."
        shown = shown[shown[:, dim + 1].argsort()]
        points, times, own = shown[:, :dim], shown[:, dim : dim + 1], shown[:, dim + 1 :]
        check_close(own, observations, "velocity must see the observations as they are.")
        assert (times >= 0).all() and (times <= 1).all(), "times lie between 0 and 1."
        # The line's other end follows from a point on it: x1 - x0 = (x1 - x_t) / (1 - t).
        wanted = (actions - points) / (1 - times).clamp(min=1e-6)
        error = 2 * points + (7 * times).sin() - own[:, -1:] - wanted
        check_close(
            loss,
            error.square().sum() / batch,
            "compare velocity(xt, t, observations) with x1 - x0 of the same row; sum over the action's "
            "numbers, average over the batch.",
            # Float32's rounding, divided by the time that is left.
            rtol=1e-4 + 1e-5 / float((1 - times).min().clamp(min=1e-6)),
            atol=1e-4,
        )
        for argument, kept in zip(given, (actions, observations), strict=True):
            check_close(argument, kept, "an argument was changed in place: compute a new tensor.")


def test_flow_matching_loss_draws_every_row_anew(flow_matching_loss):
    """Noise is standard normal, times are uniform, and none of them knows anything of the others."""
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import (
        check_answered,
        check_close,
        check_rows_apart,
        check_standard_normal,
        check_unrelated,
        fresh_generator,
    )

    generator, batch = fresh_generator(), 8_000
    scale = torch.tensor([0.5, 1.0, 4.0])
    actions = scale * torch.randn(batch, 3, generator=generator) + 2
    seen = torch.full((batch, 5), torch.nan)
    count = torch.zeros((), dtype=torch.long)

    def velocity(points, times, own):
        first = int(count)
        assert first + len(points) <= batch, "velocity was asked about too many points."
        shown = torch.cat([points, times.reshape(-1, 1), own], dim=1)
        seen[first : first + len(points)] = shown.detach()
        count.add_(len(points))
        return 0 * points

    rows = torch.arange(1.0 * batch)[:, None]
    loss = flow_matching_loss(velocity, actions.clone(), rows, generator)
    check_answered(loss, "flow_matching_loss")
    shown = seen.double()
    assert shown.isfinite().all(), "velocity must be asked about every row, once."
    shown = shown[shown[:, 4].argsort()]
    points, times = shown[:, :3], shown[:, 3]
    wanted = (actions - points) / (1 - times).clamp(min=1e-6).unsqueeze(1)
    everything = wanted.square().sum(dim=1).mean()
    check_close(loss, everything, "every row counts alike, at whatever time it is.", rtol=1e-3)
    # A right answer's p-values are uniform: they fall below 10^-9 once in 10^9 gradings.
    assert kstest(times.numpy(), "uniform").pvalue > 1e-9, (
        "the times are not uniform between 0 and 1, drawn for every row."
    )
    # None of 8,000 times is below 0.003 (or beyond 0.997) once in e^24 = 10^10 times.
    assert times.min() < 0.003 and times.max() > 0.997, (
        "times near 0 or near 1 are never drawn: the network is needed there too."
    )
    assert len(times.unique()) > 0.95 * batch, "times repeat: draw any number between 0 and 1."
    early = (times < 0.95).unsqueeze(1)  # later, little of the noise is left to see
    noise = (points - times[:, None] * actions) / (1 - times[:, None]).clamp(min=0.05)
    known = noise[early.squeeze(1)]
    check_standard_normal(
        known,
        "at time t, (1 - t) of the noise must be left, drawn from a standard normal for every number.",
    )
    # Two rows agree in three numbers to 0.001 once in a thousand gradings.
    assert len(known.mul(1000).round().unique(dim=0)) > 0.95 * len(known), (
        "rows share noise: draw anew for every number of every row."
    )
    size = torch.where(early, (noise**2 - 1) / 2**0.5, 0.0)
    noise = torch.where(early, noise, 0.0)
    clock, own = 12**0.5 * (times[:, None] - 0.5), actions.double()
    own = (own - own.mean(dim=0)) / own.std(dim=0)
    large = (own.abs() - own.abs().mean(dim=0)) / own.abs().std(dim=0)
    check_rows_apart(noise, "rows share noise: draw anew for every number of every row.")
    check_rows_apart(clock, "rows share times: draw a time for every row.")
    pairs = {
        "the numbers of a row share noise": (noise, noise.roll(1, dims=1)),
        "noise depends on the action": (noise, own),
        "the noise's size depends on the action": (size, own),
        "the noise's size depends on the action's": (size, large),
        "noise depends on the time": (noise, clock),
        "the noise's size depends on the time": (size, clock),
        "noise and times come from one seed": (size.flatten()[:batch, None], clock),
        "the time depends on the action": (clock, own),
        "the time depends on the action's size": (clock, large),
    }
    check_unrelated(pairs, "draw all of them anew, independently.")


def test_flow_matching_loss_teaches_the_velocity(flow_matching_loss):
    """The gradient with respect to the velocity's parameters has the right size."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Constant(torch.nn.Module):
        """A velocity that is the same everywhere, and remembers where it was asked for."""

        def __init__(self, value, seen):
            super().__init__()
            self.value, self.seen = torch.nn.Parameter(value), seen
            self.count = torch.zeros((), dtype=torch.long)

        def forward(self, points, times, own):
            first = int(self.count)
            shown = torch.cat([points, times.reshape(-1, 1)], dim=1)
            self.seen[first : first + len(points)] = shown.detach()
            self.count.add_(len(points))
            return self.value.repeat(len(points), 1)

    generator, batch = fresh_generator(), 200
    action = torch.randn(3, generator=generator)
    model = Constant(torch.randn(3, generator=generator), torch.full((batch, 4), torch.nan))
    actions, observations = action.repeat(batch, 1), torch.zeros(batch, 1)
    loss = flow_matching_loss(model, actions, observations, generator)
    check_answered(loss, "flow_matching_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
    loss.backward()
    assert model.value.grad is not None, "no gradient reaches the velocity: do not detach it."
    seen = model.seen.double()
    wanted = (action - seen[:, :3]) / (1 - seen[:, 3:]).clamp(min=1e-6)
    expected = 2 * (model.value.detach() - wanted.mean(dim=0))
    check_close(model.value.grad, expected, "the gradient of the loss is off.", 1e-2, 1e-2)


def test_flow_matching_loss_draws_from_the_generator(flow_matching_loss):
    """The generator decides all draws: equal seeds repeat them, and the next call draws anew."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    batch, seed = 300, fresh_generator().initial_seed()
    rows = torch.arange(1.0 * batch)[:, None]

    def draw(source):
        seen, count = torch.full((batch, 4), torch.nan), torch.zeros((), dtype=torch.long)

        def velocity(points, times, own):
            first = int(count)
            assert first + len(points) <= batch, "velocity was asked about too many points."
            shown = torch.cat([points, times.reshape(-1, 1), own], dim=1)
            seen[first : first + len(points)] = shown.detach()
            count.add_(len(points))
            return 0 * points

        loss = flow_matching_loss(velocity, torch.zeros(batch, 2), rows, source)
        check_answered(loss, "flow_matching_loss")
        assert seen.isfinite().all(), "velocity must be asked about every row, once."
        shown = seen[seen[:, 3].argsort()].double()
        times = shown[:, 2:3]
        # With zeros for actions the point is (1 - t) times the noise.
        noise = shown[:, :2] / (1 - times).clamp(min=1e-6)
        return {"noise": noise, "times": 12**0.5 * (times - 0.5)}

    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    first, following, again = (draw(source) for source in (one, one, same))
    for what, drawn in first.items():
        hint = f"the same seed gave other {what}: draw from `generator`."
        check_close(again[what], drawn, hint)
        # Means of at least 300 products of independent numbers with variance one are beyond seven
        # standard deviations once in 10^9 times.
        assert (drawn * following[what]).mean().abs() < 7 / drawn.numel() ** 0.5, (
            f"two calls with one generator gave the same {what}: do not seed it yourself."
        )


# %% tags=["wrong"]
def flow_matching_loss__asks_for_the_action(velocity, actions, observations, generator):
    """The network is asked for the action itself: it should predict the velocity x1 − x0."""
    return _fm(velocity, actions, observations, generator, wanted=lambda x0, x1, xt: x1)


def flow_matching_loss__asks_for_the_noise(velocity, actions, observations, generator):
    """The network is asked for the noise, as in DDPM: here it should predict x1 − x0."""
    return _fm(velocity, actions, observations, generator, wanted=lambda x0, x1, xt: x0)


def flow_matching_loss__turns_the_velocity_round(velocity, actions, observations, generator):
    """The velocity points from the action to the noise: it has the wrong sign."""
    return _fm(velocity, actions, observations, generator, wanted=lambda x0, x1, xt: x0 - x1)


def flow_matching_loss__asks_for_what_is_left(velocity, actions, observations, generator):
    """x1 − xt is what is left of the way: the velocity is all of it, x1 − x0."""
    return _fm(velocity, actions, observations, generator, wanted=lambda x0, x1, xt: x1 - xt)


def flow_matching_loss__runs_backwards(velocity, actions, observations, generator):
    """Time runs from the action to the noise: the noise belongs at t = 0."""
    x0, t = _draws(actions, generator)
    xt = t[:, None] * x0 + (1 - t[:, None]) * actions
    return (velocity(xt, t, observations) - (x0 - actions)).square().sum(1).mean()


def flow_matching_loss__tells_the_time_left(velocity, actions, observations, generator):
    """The network is told 1 − t: at time t it should be told t."""
    return _fm(velocity, actions, observations, generator, told=lambda t: 1 - t)


def flow_matching_loss__hides_the_time(velocity, actions, observations, generator):
    """The network is always told t = 0: it should be told where on the line the point is."""
    return _fm(velocity, actions, observations, generator, told=lambda t: 0 * t)


def flow_matching_loss__gives_the_time_an_axis(velocity, actions, observations, generator):
    """The times have shape (batch, 1) when the network gets them: it takes (batch,)."""
    return _fm(velocity, actions, observations, generator, told=lambda t: t[:, None])


def flow_matching_loss__shares_one_time(velocity, actions, observations, generator):
    """One time is drawn for the whole batch: every row needs its own."""
    t = torch.rand(1, generator=generator).expand(len(actions))
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__draws_times_on_a_grid(velocity, actions, observations, generator):
    """Only ten different times are ever drawn: any time between 0 and 1 can occur."""
    t = torch.randint(10, (len(actions),), generator=generator) / 10
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__draws_normal_times(velocity, actions, observations, generator):
    """The times are squashed normal numbers: they should be uniform."""
    t = torch.randn(len(actions), generator=generator).sigmoid()
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__mirrors_the_times(velocity, actions, observations, generator):
    """Half of the times mirror the other half: draw one for every row."""
    t = torch.rand((len(actions) + 1) // 2, generator=generator)
    t = torch.cat([t, 1 - t])[: len(actions)]
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__sorts_the_times(velocity, actions, observations, generator):
    """The times grow from row to row: they must not depend on where in the batch a row stands."""
    t = torch.rand(len(actions), generator=generator).sort().values
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__takes_times_from_the_global_seed(
    velocity, actions, observations, generator
):
    """The times come from the global seed: draw them from the generator too."""
    return _fm(velocity, actions, observations, generator, t=torch.rand(len(actions)))


def flow_matching_loss__ignores_the_generator(velocity, actions, observations, generator):
    """The noise comes from the global seed: pass the generator on."""
    return _fm(velocity, actions, observations, generator, x0=torch.randn_like(actions))


def flow_matching_loss__seeds_the_generator(velocity, actions, observations, generator):
    """The generator is seeded anew at every call: the network would see the same noise for ever."""
    return _fm(velocity, actions, observations, generator.manual_seed(0))


def flow_matching_loss__shares_noise_between_rows(velocity, actions, observations, generator):
    """All rows share one draw of the noise: every row needs its own."""
    x0 = torch.randn(1, actions.shape[1], generator=generator).expand_as(actions)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__shares_noise_between_numbers(velocity, actions, observations, generator):
    """The numbers of an action share one draw of the noise: every number needs its own."""
    x0 = torch.randn(len(actions), 1, generator=generator).expand_as(actions)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__draws_uniform_noise(velocity, actions, observations, generator):
    """The noise is uniform: it should be standard normal."""
    x0 = 12**0.5 * (torch.rand(actions.shape, generator=generator) - 0.5)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__scales_the_noise(velocity, actions, observations, generator):
    """The noise has the spread of the actions: its standard deviation should be one."""
    x0 = torch.randn(actions.shape, generator=generator) * actions.std(dim=0, correction=0)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__cuts_the_noise_off(velocity, actions, observations, generator):
    """Noise beyond ±2 is cut off: draw from the whole normal distribution."""
    x0 = torch.randn(actions.shape, generator=generator).clamp(-2, 2)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__takes_noise_from_a_seed_of_its_own(
    velocity, actions, observations, generator
):
    """The noise comes from a seed of its own, the same at every call: draw it from `generator`."""
    x0 = torch.randn(actions.shape, generator=torch.Generator().manual_seed(0))
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__goes_back_to_the_seed(velocity, actions, observations, generator):
    """The noise starts again from the generator's first seed at every call: go on drawing from `generator`."""
    source = torch.Generator().manual_seed(generator.initial_seed())
    x0 = torch.randn(actions.shape, generator=source)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__makes_the_noise_weak(velocity, actions, observations, generator):
    """The noise's standard deviation is 0.95: it should be one."""
    x0 = 0.95 * torch.randn(actions.shape, generator=generator)
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__repeats_the_noise(velocity, actions, observations, generator):
    """A third of the noise is drawn, and used three times: every row needs its own."""
    third = torch.randn((len(actions) + 2) // 3, actions.shape[1], generator=generator)
    x0 = third.repeat(3, 1)[: len(actions)]
    return _fm(velocity, actions, observations, generator, x0=x0)


def flow_matching_loss__keeps_off_the_ends(velocity, actions, observations, generator):
    """Times stay between 0.02 and 0.98: draw them from the whole way, sampling begins at 0."""
    t = 0.02 + 0.96 * torch.rand(len(actions), generator=generator)
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__sorts_the_times_by_the_actions(velocity, actions, observations, generator):
    """Large actions get late times: time and action are drawn independently of each other."""
    places = (actions - actions.mean(dim=0)).norm(dim=1).argsort().argsort()
    t = torch.rand(len(actions), generator=generator).sort().values[places]
    return _fm(velocity, actions, observations, generator, t=t)


def flow_matching_loss__computes_in_float64(velocity, actions, observations, generator):
    """The network is given float64: it takes float32."""
    x0, t = _draws(actions, generator)
    return _fm(velocity, actions, observations, generator, x0=x0.double(), t=t.double())


def flow_matching_loss__changes_the_observations(velocity, actions, observations, generator):
    """The observations are changed in place: whoever goes on with them has lost them."""
    observations.mul_(0.5)
    return _fm(velocity, actions, observations, generator)


def flow_matching_loss__softens_large_errors(velocity, actions, observations, generator):
    """Large errors count in proportion to their size, as in Huber's loss: here all are squared."""
    x0, t = _draws(actions, generator)
    xt = (1 - t[:, None]) * x0 + t[:, None] * actions
    predicted = velocity(xt, t, observations)
    huber = torch.nn.functional.huber_loss
    return 2 * huber(predicted, actions - x0, reduction="sum", delta=10.0) / len(actions)


def flow_matching_loss__draws_noise_and_times_from_one_seed(
    velocity, actions, observations, generator
):
    """Noise and times come from two generators with one seed, so they depend on each other: use the one given."""
    seed = int(torch.randint(2**62, (), generator=generator))
    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    x0, t = torch.randn(actions.shape, generator=one), torch.rand(len(actions), generator=same)
    return _fm(velocity, actions, observations, generator, x0=x0, t=t)


def flow_matching_loss__leaves_late_times_out(velocity, actions, observations, generator):
    """Rows at late times count for nothing: all times count alike."""
    x0, t = _draws(actions, generator)
    xt = (1 - t[:, None]) * x0 + t[:, None] * actions
    squares = (velocity(xt, t, observations) - (actions - x0)).square().sum(1)
    return (squares * (t < 0.98)).mean()


def flow_matching_loss__fades_the_noise_too_fast(velocity, actions, observations, generator):
    """The point is action plus (1 − t) of the noise: the action has to grow with t as well."""
    x0, t = _draws(actions, generator)
    xt = (1 - t[:, None]) * x0 + actions
    return (velocity(xt, t, observations) - (actions - x0)).square().sum(1).mean()


def flow_matching_loss__asks_at_the_noise(velocity, actions, observations, generator):
    """The network is asked at the noise x0: it should be asked at the point x_t on the line."""
    x0, t = _draws(actions, generator)
    return (velocity(x0, t, observations) - (actions - x0)).square().sum(1).mean()


def flow_matching_loss__asks_at_the_action(velocity, actions, observations, generator):
    """The network is asked at the action x1: it should be asked at the point x_t on the line."""
    x0, t = _draws(actions, generator)
    return (velocity(actions, t, observations) - (actions - x0)).square().sum(1).mean()


def flow_matching_loss__hides_the_observations(velocity, actions, observations, generator):
    """The network gets zeros for observations: pass on what you are given."""
    return _fm(velocity, actions, torch.zeros_like(observations), generator)


def flow_matching_loss__shuffles_the_observations(velocity, actions, observations, generator):
    """The rows' observations are mixed up: each action goes with its own."""
    order = torch.arange(len(observations)).roll(1)
    return _fm(velocity, actions, observations[order], generator)


def flow_matching_loss__averages_over_numbers(velocity, actions, observations, generator):
    """The mean runs over the action's numbers too: sum over these, average over the batch only."""
    return _fm(velocity, actions, observations, generator) / actions.shape[1]


def flow_matching_loss__sums_over_the_batch(velocity, actions, observations, generator):
    """The sum runs over the batch too: average over it."""
    return _fm(velocity, actions, observations, generator) * len(actions)


def flow_matching_loss__forgets_the_square(velocity, actions, observations, generator):
    """This is the L2 norm itself: the loss takes its square."""
    x0, t = _draws(actions, generator)
    xt = (1 - t[:, None]) * x0 + t[:, None] * actions
    return (velocity(xt, t, observations) - (actions - x0)).norm(dim=1).mean()


def flow_matching_loss__weighs_by_the_time(velocity, actions, observations, generator):
    """The rows are weighed by their time: all times count alike."""
    x0, t = _draws(actions, generator)
    xt = (1 - t[:, None]) * x0 + t[:, None] * actions
    squares = (velocity(xt, t, observations) - (actions - x0)).square().sum(1)
    return (2 * (1 - t) * squares).mean()


def flow_matching_loss__detaches_the_velocity(velocity, actions, observations, generator):
    """The network's answer is detached: no gradient reaches it."""
    return _fm(velocity, actions, observations, generator).detach()


def _draws(actions, generator):
    x0 = torch.randn(actions.shape, generator=generator)
    return x0, torch.rand(len(actions), generator=generator)


def _fm(
    velocity,
    actions,
    observations,
    generator,
    x0=None,
    t=None,
    told=lambda t: t,
    wanted=lambda x0, x1, xt: x1 - x0,
):
    drawn = _draws(actions, generator)
    x0, t = drawn[0] if x0 is None else x0, drawn[1] if t is None else t
    xt = (1 - t[:, None]) * x0 + t[:, None] * actions
    error = velocity(xt, told(t), observations) - wanted(x0, actions, xt)
    return error.square().sum(dim=1).mean()


# %% tags=["right"]
def flow_matching_loss__times_first(velocity, actions, observations, generator):
    t = torch.rand(len(actions), 1, generator=generator)
    x0 = torch.empty_like(actions).normal_(generator=generator)
    xt = torch.lerp(x0, actions, t)
    predicted = velocity(xt, t.squeeze(1), observations)
    return torch.nn.functional.mse_loss(predicted, actions - x0, reduction="sum") / len(actions)


def flow_matching_loss__row_by_row(velocity, actions, observations, generator):
    total = 0
    for row in range(len(actions)):
        time = torch.rand(1, generator=generator)
        noise = torch.randn(1, actions.shape[1], generator=generator)
        point = noise + time * (actions[row] - noise)
        seen = observations[row : row + 1]
        total = total + (velocity(point, time, seen) - actions[row] + noise).pow(2).sum()
    return total / len(actions)


def flow_matching_loss__from_the_last_row_in_float64(velocity, actions, observations, generator):
    x0 = torch.randn(actions.shape, generator=generator, dtype=torch.float64)
    t = torch.rand(len(actions), generator=generator, dtype=torch.float64)
    xt = torch.einsum("b,bd->bd", 1 - t, x0) + torch.einsum("b,bd->bd", t, actions.double())
    predicted = velocity(xt.flip(0).float(), t.flip(0).float(), observations.flip(0)).flip(0)
    error = predicted.double() - (actions.double() - x0)
    return torch.einsum("bd,bd->b", error, error).mean()


def flow_matching_loss__by_distributions(velocity, actions, observations, generator):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        x0 = torch.distributions.Normal(0.0, 1.0).sample(actions.shape)
        t = torch.distributions.Uniform(0.0, 1.0).sample((len(actions),))
    xt, wanted = interpolate(x0, actions, t)
    return torch.linalg.vector_norm(velocity(xt, t, observations) - wanted, dim=1).pow(2).mean()


def flow_matching_loss__in_two_halves(velocity, actions, observations, generator):
    squares = []
    for own, seen in zip(actions.chunk(2), observations.chunk(2), strict=True):
        x0 = torch.randn(own.shape, generator=generator)
        t = 1 - torch.rand(len(own), generator=generator)
        xt = x0 * (1 - t).unsqueeze(-1) + own * t.unsqueeze(-1)
        squares.append((velocity(xt, t, seen) - own + x0).square().sum(-1))
    return torch.cat(squares).sum() / len(actions)


def flow_matching_loss__by_shuffled_strata(velocity, actions, observations, generator):
    batch = len(actions)
    strata = torch.randperm(batch, generator=generator)
    t = (strata + torch.rand(batch, generator=generator)) / batch
    x0 = torch.randn(actions.shape, generator=generator)
    xt = x0 + t[:, None] * (actions - x0)
    error = velocity(xt, t, observations) - (actions - x0)
    return error.square().sum() / batch


# %%
class Field(torch.nn.Module):
    """A network that predicts the velocity of points in the plane. There is nothing to observe."""

    def __init__(self, seed, width=64):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(3, 2, width, generator=generator)

    def forward(self, points, times, observations=None):
        return self.network(torch.cat([points, times.unsqueeze(1)], dim=1))


def train_field(data, seed=0, steps=1200):
    """Train a field by flow matching. Return it, and the loss at every step."""
    generator = torch.Generator().manual_seed(seed)
    field = Field(seed)

    def loss():
        actions = draw_rows(data, generator)
        nothing = torch.zeros(len(actions), 0)  # no observations
        value = flow_matching_loss(field, actions, nothing, generator)
        return answered(value, "flow_matching_loss")

    return field, minimize(loss, field.parameters(), steps, learning_rate=1e-2)


# %% tags=["train"]
trained = {name: train_field(actions) for name, actions in DATA.items()}
fields = {name: field for name, (field, _) in trained.items()}
curves = {name: curve for name, (_, curve) in trained.items()}

figure, axes = plt.subplots(figsize=(5.6, 2.8))
for name, curve in curves.items():
    axes.plot(curve.unfold(0, 50, 10).mean(dim=1), label=name)
axes.set(xlabel="gradient steps", ylabel="loss", ylim=(0, None))
axes.xaxis.set_major_formatter(lambda value, position: f"{10 * value:.0f}")
axes.legend()
show(
    figure,
    alt="The loss against gradient steps. Both curves fall at first, and then stay level: near 2 for the two corners, "
    "and near 2.8 for the ring.",
    caption="Each point is a mean over 50 steps. The loss stops falling long before it is zero.",
)

# %% [markdown]
# The loss falls, and then it stays: near 2 for the two corners, near 2.8 for the ring. Is the network too small? Should we
# train longer? Do not try. Look at the lines instead.

# %% tags=["train"]
generator = torch.Generator().manual_seed(3)
ends = draw_rows(DATA["two corners"], generator, 40_000)
starts = torch.randn(ends.shape, generator=generator)
points, ways = answered(interpolate(starts, ends, torch.full((len(ends),), 0.4)), "interpolate")
place = torch.tensor([0.4, 0.2])
passing = ways[(points - place).norm(dim=1) < 0.1]

figure, (crossing, here) = plt.subplots(1, 2, figsize=(8, 3.9))
plot_paths(crossing, torch.stack([starts[:60], ends[:60]])).set_title("60 lines")
crossing.legend(loc="lower right", fontsize=8)
to_scale = {"angles": "xy", "scale_units": "xy", "scale": 1}
here.quiver(*place.expand(30, 2).T, *(0.5 * passing[:30].T), color="0.65", width=4e-3, **to_scale)
mean, color = 0.5 * passing.mean(dim=0), POLICY_LOOKS["flow"].color
here.quiver(*place, *mean, color=color, width=1.5e-2, **to_scale)
here.set(title="One place, t = 0.4: who passes?", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6))
for axes, ticks in ((crossing, (-2, 0, 2)), (here, (-1, 0, 1))):
    axes.set(xlabel="steer", ylabel="speed", xticks=ticks, yticks=ticks, aspect="equal")
share = float((passing.sum(dim=1) > 0).float().mean())
print(
    f"of the lines that pass there, {100 * share:.0f} % go right and up, the others left and down"
)
show(
    figure,
    alt="Left: lines from a cloud of noise to two clusters, crossing each other. Right: thirty thin arrows at one place, "
    "most to the upper right and some to the lower left, and one thick, short arrow, their mean.",
    caption="Lines cross. At one place and one time, different lines go different ways; the thick arrow is their mean. "
    "Arrows have half the length of the velocity.",
)

# %% [markdown]
# **Lines cross.** At one place and one time pass lines to both corners. The network sees place and time, and no more. So
# it cannot tell which of the lines it is on, and the squared error makes it predict their mean,
#
# $$
# v^*(x, t) = \mathbb{E}[\, x_1 - x_0 \mid x_t = x \,].
# $$
#
# The mean again! Is that not what ruined idea 0? No: this is a mean of *velocities*, at one place and one time. As the
# point moves on, the lines that still pass become more and more of one kind.
#
# ## The exact field
#
# With a finite data set $d_1, \dots, d_K$ we need no network to compute $v^*$. Suppose a line ends at $d_k$. Then at time $t$ it
# is at $t\, d_k$, plus $(1 - t)$ times standard normal noise. Every action is drawn equally often. So by Bayes' rule, among
# all lines that are at $x$ at time $t$, the share that ends at $d_k$ is
#
# $$
# p(d_k \mid x_t = x) = \underset{k}{\operatorname{softmax}}
# \left( - \frac{\lVert x - t\, d_k \rVert^2}{2\, (1 - t)^2} \right).
# $$
#
# A line that is at $x$ and ends at $d_k$ has the velocity $\frac{d_k - x}{1 - t}$: the way that is left, in the time that is
# left. The exact field averages these velocities with those shares.

# %% [markdown] question="exact_velocity" points=[1, 1, 2, 1, 1]
# ### Question 5.4 · The exact field
#
# Write `exact_velocity(x, t, data)`.
#
# - `x` is `(batch, dim)`, `t` is `(batch,)`, with $0 \le t < 1$, and `data` is `(count, dim)`. A batch has many points;
#   each is at its own time and looks at all the data. The experiments ask for tens of thousands of points at a time:
#   compute all of them at once, without a loop over points.
# - Return `(batch, dim)`: the velocity by the formulas above.
# - Points may lie far from all data, and `t` may be close to 1. Both make $e^{-\lVert\cdot\rVert^2 \dots}$ underflow. A
#   softmax takes the exponents themselves.


# %% tags=["solution"]
def exact_velocity(x, t, data):
    """Return the mean velocity of all lines from noise to data that pass through each point."""
    # BEGIN SOLUTION
    left = (1 - t).unsqueeze(1)
    away = x.unsqueeze(1) - t.reshape(-1, 1, 1) * data
    weights = torch.softmax(-0.5 * (away.square().sum(dim=2) / left**2), dim=1)
    return (weights @ data - x) / left
    # END SOLUTION


# %% tags=["public"]
def test_exact_velocity_of_a_single_action(exact_velocity):
    """With one action in the data, every point moves straight towards it, and arrives at time 1."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    points = torch.tensor([[0.0, 0.0, 0.0], [3.0, -1.0, 2.0]])
    velocity = exact_velocity(points, torch.tensor([0.0, 0.75]), torch.tensor([[4.0, 1.0, -2.0]]))
    check_answered(velocity, "exact_velocity")
    check_shape(velocity, (2, 3), "one velocity for each point.")
    check_close(
        velocity,
        [[4.0, 1.0, -2.0], [4.0, 8.0, -16.0]],
        "the way that is left has to be made in the time that is left, 1 - t.",
    )


def test_exact_velocity_at_the_start_aims_at_the_mean(exact_velocity):
    """At time 0 a point is nothing but noise: all data are equally likely, and it aims at their mean."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    data = torch.tensor([[1.0, 0.0], [3.0, 0.0], [8.0, 6.0]])
    points = torch.tensor([[0.0, 0.0], [8.0, 6.0], [-3.0, 1.0], [4.0, 2.0]])
    velocity = exact_velocity(points, torch.zeros(4), data)
    check_answered(velocity, "exact_velocity")
    expected = torch.tensor([4.0, 2.0]) - points
    check_close(velocity, expected, "at time 0 every data point has the same weight.")


# %% tags=["hidden"]
def test_exact_velocity_equals_the_formula(exact_velocity):
    """The velocity is the formula's, point by point, for any sizes and times, and arguments stay."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Sizes that agree, too: there a wrong axis gives the right shape.
    for batch, dim, size, spread in [(7, 3, 5, 1), (1, 2, 1, 1), (4, 4, 4, 2), (9, 1, 40, 3)]:
        data = spread * torch.randn(size, dim, generator=generator) + 1
        data[-1] = data[0]  # drivers who did the same count twice
        times = 0.97 * torch.rand(batch, generator=generator)
        times[0] = 0.0
        noise = torch.randn(batch, dim, generator=generator)
        chosen = torch.randint(size, (batch,), generator=generator)
        points = (1 - times[:, None]) * noise + times[:, None] * data[chosen]
        given = [points.clone(), times.clone(), data.clone()]
        velocity = exact_velocity(*given)
        check_answered(velocity, "exact_velocity")
        expected = []
        for point, time in zip(points.double(), times.double(), strict=True):
            exponents = ((point - time * data.double()) / (1 - time)).square().sum(dim=1) / -2
            weights = (exponents - exponents.max()).exp()
            lines = (data.double() - point) / (1 - time)
            expected.append((weights[:, None] * lines).sum(dim=0) / weights.sum())
        check_close(
            velocity,
            torch.stack(expected),
            "average (data - x) / (1 - t) with the weights of a softmax over the data.",
            rtol=1e-2,
            atol=1e-3,
        )
        for argument, kept in zip(given, (points, times, data), strict=True):
            check_close(argument, kept, "an argument was changed in place: compute a new tensor.")


def test_exact_velocity_is_the_average_over_many_lines(exact_velocity):
    """Lines from noise to data that pass near a point have this velocity on average."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count, time = fresh_generator(), 60_000, 0.4
    data = torch.tensor([[-1.0], [1.0], [2.0]])
    noise = torch.randn(count, 1, generator=generator)
    ends = data[torch.randint(3, (count,), generator=generator)]
    passing = (1 - time) * noise + time * ends
    for place in (-0.7, 0.1, 0.6, 1.3):
        near = ((passing - place).abs() < 0.02).squeeze(1)
        ways = (ends - noise)[near]
        times = torch.full((len(ways),), time)
        velocity = exact_velocity(passing[near], times, data.clone())
        check_answered(velocity, "exact_velocity")
        check_shape(velocity, ways.shape, "one velocity for each point.")
        apart = (torch.as_tensor(velocity) - ways).double()
        # The mean of the difference is zero: six standard deviations.
        assert apart.mean().abs() < 6 * apart.std() / len(ways) ** 0.5, (
            "lines that pass through a point do not have this velocity on average: weigh every data point "
            "by how likely its line passes here."
        )


def test_exact_velocity_survives_far_points_and_late_times(exact_velocity):
    """Far from the data, and close to t = 1, the velocity is finite, and that of the nearest data point."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    data = torch.tensor([[2.0, 0.0, 0.0], [-2.0, 0.0, 1.0], [0.0, 5.0, 0.0], [0.0, 0.0, -4.0]])
    near = torch.tensor([3, 0, 1, 2, 2])
    late = 1 - torch.tensor([1e-2, 1e-3, 1e-3, 1e-2, 1e-3])
    noise = 0.3 * torch.randn(5, 3, generator=generator)
    points = late[:, None] * data[near] + (1 - late[:, None]) * noise
    for points, times in (  # noqa: B020
        (points, late),
        (60 * data[near] + noise, torch.full((5,), 0.5)),
        (1e4 * data[near] + noise, torch.full((5,), 0.9)),
    ):
        given = [points.clone(), times.clone(), data.clone()]
        velocity = exact_velocity(*given)
        check_answered(velocity, "exact_velocity")
        check_finite(velocity, "exponentials underflow here: use a softmax of the exponents.")
        # Only one data point's line can have led here.
        away = points.double()[:, None] - times.double()[:, None, None] * data.double()
        nearest = away.square().sum(dim=2).argmin(dim=1)
        expected = (data[nearest].double() - points) / (1 - times.double())[:, None]
        hint = "here one data point has all the weight."
        check_close(velocity, expected, hint, rtol=1e-2, atol=1e-2)
        for argument, kept in zip(given, (points, times, data), strict=True):
            check_close(argument, kept, "an argument was changed in place: compute a new tensor.")


# %% tags=["wrong"]
def exact_velocity__takes_the_nearest(x, t, data):
    """Only the nearest data point counts: all of them do, weighed by how likely they are."""
    weights = torch.nn.functional.one_hot(_exponents(x, t, data).argmax(dim=1), len(data))
    return (weights.to(x.dtype) @ data - x) / (1 - t)[:, None]


def exact_velocity__weighs_all_alike(x, t, data):
    """All data points have the same weight: weigh them by how likely their lines pass here."""
    return (data.mean(dim=0) - x) / (1 - t)[:, None]


def exact_velocity__returns_the_end(x, t, data):
    """This is where the lines end on average: the velocity leads there from x, in the time that is left."""
    return _exponents(x, t, data).softmax(dim=1) @ data


def exact_velocity__forgets_the_time_left(x, t, data):
    """The way that is left is not divided by the time that is left."""
    return _exponents(x, t, data).softmax(dim=1) @ data - x


def exact_velocity__divides_by_the_time_gone(x, t, data):
    """The way that is left is divided by t: it has to be made in the time that is left, 1 − t."""
    return (_exponents(x, t, data).softmax(dim=1) @ data - x) / t[:, None].clamp(min=1e-3)


def exact_velocity__points_back(x, t, data):
    """The velocity points away from the data: its sign is the wrong way round."""
    return -(_exponents(x, t, data).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__measures_to_the_data(x, t, data):
    """The distance is measured to the data points: at time t a line is at t times its data point, give or take."""
    away = torch.cdist(x, data).square()
    weights = (-away / (2 * (1 - t)[:, None] ** 2)).softmax(dim=1)
    return (weights @ data - x) / (1 - t)[:, None]


def exact_velocity__takes_one_for_the_spread(x, t, data):
    """The spread of the noise is taken as 1: at time t only (1 − t) of it is left."""
    exponents = _exponents(x, t, data) * (1 - t)[:, None] ** 2
    return (exponents.softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__takes_the_spread_for_its_square(x, t, data):
    """The squared distance is divided by 1 − t: the variance is (1 − t)²."""
    exponents = _exponents(x, t, data) * (1 - t)[:, None]
    return (exponents.softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__forgets_the_half(x, t, data):
    """The factor one half in the exponent is missing."""
    return ((2 * _exponents(x, t, data)).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__forgets_the_square(x, t, data):
    """The distance is not squared."""
    exponents = -(-2 * _exponents(x, t, data)).sqrt()
    return (exponents.softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__turns_the_weights_round(x, t, data):
    """Data points further away weigh more: the minus in the exponent is missing."""
    return ((-_exponents(x, t, data)).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__averages_over_dimensions(x, t, data):
    """The squared distance is averaged over the dimensions: it is their sum."""
    exponents = _exponents(x, t, data) / x.shape[1]
    return (exponents.softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__normalises_over_the_batch(x, t, data):
    """The softmax runs over the points: it belongs over the data."""
    return (_exponents(x, t, data).softmax(dim=0) @ data - x) / (1 - t)[:, None]


def exact_velocity__underflows(x, t, data):
    """The exponentials are taken before they are normalised: far from the data all of them are zero."""
    weights = _exponents(x, t, data).exp()
    return (weights @ data / weights.sum(dim=1, keepdim=True) - x) / (1 - t)[:, None]


def exact_velocity__hides_the_underflow(x, t, data):
    """A small number in the denominator hides the underflow: far from the data all weights are still zero."""
    weights = _exponents(x, t, data).exp()
    return (weights @ data / (weights.sum(dim=1, keepdim=True) + 1e-8) - x) / (1 - t)[:, None]


def exact_velocity__keeps_off_the_end(x, t, data):
    """1 − t is kept above 0.05: the velocity is wrong in the last steps, where the points find their places."""
    t = t.clamp(max=0.95)
    return (_exponents(x, t, data).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__changes_the_times(x, t, data):
    """The times are changed in place: whoever goes on with them has lost them. Compute a new tensor."""
    t.clamp_(max=0.95)
    return (_exponents(x, t, data).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__changes_the_points(x, t, data):
    """Far points are pulled back in place: compute a new tensor, and take the points as they are."""
    x.clamp_(-10, 10)
    return (_exponents(x, t, data).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__drops_repeated_data(x, t, data):
    """Equal rows of the data count once: every row is an action somebody took, and counts."""
    data = data.unique(dim=0)
    return (_exponents(x, t, data).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__uses_the_first_time(x, t, data):
    """The first point's time serves for all points: each has its own."""
    t = t[:1].expand_as(t)
    return (_exponents(x, t, data).softmax(dim=1) @ data - x) / (1 - t)[:, None]


def exact_velocity__puts_the_noise_at_the_end(x, t, data):
    """Time runs from data to noise: here t = 0 is noise."""
    away = (x[:, None] - (1 - t)[:, None, None] * data).square().sum(dim=2)
    weights = (-away / (2 * t[:, None] ** 2).clamp(min=1e-6)).softmax(dim=1)
    return (x - weights @ data) / t[:, None].clamp(min=1e-3)


def _exponents(x, t, data):
    away = x[:, None] - t[:, None, None] * data
    return -0.5 * (away / (1 - t)[:, None, None]).square().sum(dim=2)


# %% tags=["right"]
def exact_velocity__point_by_point(x, t, data):
    rows = []
    for point, time in zip(x, t, strict=True):
        exponents = [-((point - time * d) ** 2).sum() / (2 * (1 - time) ** 2) for d in data]
        weights = torch.stack(exponents).softmax(dim=0)
        rows.append(sum(w * (d - point) / (1 - time) for w, d in zip(weights, data, strict=True)))
    return torch.stack(rows)


def exact_velocity__by_densities(x, t, data):
    t = t[:, None, None]
    normal = torch.distributions.Normal(t * data, (1 - t).expand(-1, *data.shape))
    log_probs = normal.log_prob(x[:, None]).sum(dim=-1)
    weights = (log_probs - log_probs.logsumexp(dim=1, keepdim=True)).exp()
    noise = (x[:, None] - t * data) / (1 - t)
    return (weights[..., None] * (data - noise)).sum(dim=1)


def exact_velocity__by_einsum_in_float64(x, t, data):
    x, t, data = x.double(), t.double(), data.double()
    scores = torch.einsum("b,bd,kd->bk", t, x, data)
    scores = scores - 0.5 * torch.einsum("b,kd,kd->bk", t**2, data, data)
    weights = torch.softmax(scores / (1 - t[:, None]) ** 2, dim=1)
    return torch.einsum("bk,kd->bd", weights, data) / (1 - t[:, None]) - x / (1 - t[:, None])


def exact_velocity__by_the_largest(x, t, data):
    z = (x[:, None, :] - t[:, None, None] * data[None]) / (1 - t)[:, None, None]
    energy = 0.5 * (z * z).sum(-1)
    weights = torch.exp(energy.min(dim=1, keepdim=True).values - energy)
    mean = (weights[:, :, None] * data).sum(1) / weights.sum(1, keepdim=True)
    return (mean - x) / (1 - t)[:, None]


def exact_velocity__by_the_score(x, t, data):
    early, t = t < 1e-3, t.double()
    x, data = x.double().detach().requires_grad_(), data.double()
    with torch.enable_grad():
        z = (x[:, None] - t[:, None, None] * data) / (1 - t)[:, None, None]
        log_density = torch.logsumexp(-0.5 * z.square().sum(-1), dim=1)
        (score,) = torch.autograd.grad(log_density.sum(), x)
    by_score = (x + (1 - t)[:, None] * score) / t[:, None].clamp(min=1e-9)
    return torch.where(early[:, None], data.mean(0) - x, by_score).detach()


# %%
def exact_field(data):
    """Return the exact field of a data set, as a function of points, times and observations."""

    def velocity(points, times, observations=None):
        return answered(exact_velocity(points, times, data), "exact_velocity")

    return velocity


# %% tags=["train"]
name = "two corners"
learned, exact = fields[name], exact_field(DATA[name])
kinds = {
    "learned": (learned, POLICY_LOOKS["flow"].color),
    "exact": (exact, POLICY_LOOKS["expert"].color),
    "learned − exact": (
        lambda points, times: learned(points, times) - exact(points, times),
        POLICY_LOOKS["regression"].color,
    ),
}
figure, panels = plt.subplots(3, 4, figsize=(9.6, 7.6), sharex=True, sharey=True)
for row, (kind, (velocity, color)) in zip(panels, kinds.items(), strict=True):
    row[0].set_ylabel(f"{kind}\n\nspeed")
    for axes, now in zip(row, (0.0, 0.3, 0.6, 0.9), strict=True):
        axes.plot(*DATA[name].T, ls="", marker=".", ms=2, color="0.75")
        plot_arrows(axes, velocity, now, color)
        axes.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2))
for axes, now in zip(panels[0], (0, 0.3, 0.6, 0.9), strict=True):
    axes.set_title(f"t = {now}")
for axes in panels[2]:
    axes.set_xlabel("steer")
show(
    figure,
    alt="Twelve planes of arrows. At time 0 all arrows point to the middle. Later they part along a diagonal, and each half points to "
    "its corner. Up to time 0.6 the learned and the exact field look alike. At 0.9, away from the corners, the learned arrows are much too short.",
    caption="Every arrow goes a quarter of the way to where its point would end if it went straight on.",
)

# %% [markdown]
# At $t = 0$ all arrows point to the mean of the data: nothing is known yet. Later a watershed runs between the corners, and
# on each side the arrows agree. The network has never seen this field. It has only seen single lines, each with a way of its
# own, and from these it learnt their mean. Where it is off, far out and late, hardly any line ever passes.
#
# Now we can say what the loss is made of. For *any* field $v$,
#
# $$
# \underbrace{\mathbb{E}\,\lVert v - (x_1 - x_0) \rVert^2}_{\text{loss}}
# = \underbrace{\mathbb{E}\,\lVert v^* - (x_1 - x_0) \rVert^2}_{\text{floor: how much crossing lines differ}}
# + \underbrace{\mathbb{E}\,\lVert v - v^* \rVert^2}_{\text{error of the field}}.
# $$
#
# It is notebook 1's decomposition, variance plus squared distance from the mean, at every place and time.


# %%
@torch.no_grad()
def split_loss(velocity, data, seed=0, count=20_000, repeats=5):
    """Return a field's loss, the floor under it, and the field's error, averaged over random lines."""
    generator, exact = torch.Generator().manual_seed(seed), exact_field(data)
    parts = []
    for _ in range(repeats):  # in portions: the exact field looks at every line and every action
        ends = draw_rows(data, generator, count)
        starts = torch.randn(ends.shape, generator=generator)
        times = torch.rand(count, generator=generator)
        points, wanted = answered(interpolate(starts, ends, times), "interpolate")
        best, given = exact(points, times), velocity(points, times)
        pairs = [(given, wanted), (best, wanted), (given, best)]
        parts.append([float((one - other).square().sum(dim=1).mean()) for one, other in pairs])
    return torch.tensor(parts).mean(dim=0).tolist()


# %% tags=["train"]
print(f"{'':14}{'loss':>9}{'floor':>9}{'error':>9}{'floor + error':>16}")
for name, actions in DATA.items():
    loss, floor, error = split_loss(fields[name], actions)
    print(f"{name:14}{loss:9.3f}{floor:9.3f}{error:9.3f}{floor + error:16.3f}")

# %% [markdown]
# The two sides agree within one per cent. And less than a tenth of the loss is the network's fault. The rest is the
# floor, and no network gets below it. When you train a flow, **the loss tells little of how good it is**: compare losses
# with each other, not with zero.

# %% [markdown] question="best_loss" points=[]
# ### Question 5.5 · Not zero
#
# Why is the best possible loss of flow matching not zero? When would it be zero? And a colleague, whose flow has reached
# its floor, says: "so the network has memorised my demonstrations". Is that so? What would its samples be?

# %% [markdown] tags=["solution"]
# The network sees a place, a time and an observation, and through one place pass lines with different ends and different
# beginnings. Their velocities differ, and the best prediction is the mean; what is left is the variance of the velocities around it.
# It would be zero if no two lines ever crossed: with a single action in the data, or if noise and actions were paired
# in such a way that the noise determines the action. The colleague is right. At the floor the field is the exact field of the
# demonstrations, and that leads every noise to one of the demonstrated actions: nothing new ever comes out. That a flow
# generalises is owed to the fact that its network does *not* reach the floor, but stays smooth.

# %% [markdown]
# ## Following the field
#
# A field is of no use until somebody follows it. At test time, draw noise, and then go where the field points: solve the
# differential equation $\frac{dx}{dt} = v(x, t)$ from $t = 0$ to $t = 1$. The lecture does it by Euler's method. For
# $t \in \{0, \delta, 2 \delta, \dots, 1 - \delta\}$,
#
# $$
# x_{t + \delta} = x_t + \delta \, v(x_t, t).
# $$

# %% [markdown] question="euler_sample" points=[1, 1, 2, 1, 1]
# ### Question 5.6 · Euler
#
# Write `euler_sample(velocity, x0, num_steps, observations)`.
#
# - `velocity(x, t, observations)` is as before: points `(batch, dim)`, times `(batch,)`, and a velocity for each.
# - Begin at `x0`, the noise, and take `num_steps` steps of length $\delta = 1 /$ `num_steps`, at the times
#   $0, \delta, 2\delta, \dots, 1 - \delta$. Ask for the velocity once a step.
# - Return where the points are at time 1, `(batch, dim)`. Leave `x0` as it was.


# %% tags=["solution"]
def euler_sample(velocity, x0, num_steps, observations):
    """Follow a field from noise at time 0 to time 1, in straight steps."""
    # BEGIN SOLUTION
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps, device=x0.device)
        x = x + velocity(x, t, observations) / num_steps
    return x
    # END SOLUTION


# %% tags=["public"]
def test_euler_sample_of_a_field_that_grows(euler_sample):
    """Where the velocity is 12 t everywhere, two steps lead to 0 + 0 + 6/2 = 3."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    def velocity(points, times, seen):
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        assert points.dtype == times.dtype == torch.float32, (
            "velocity was given float64: the network takes float32, convert with .float()."
        )
        assert len(seen) == len(points), "velocity was not given the observations of its points."
        return 12 * times.unsqueeze(1) + 0 * points

    start = torch.tensor([[0.0, 1.0, 2.0], [5.0, -5.0, 0.0]])
    ends = euler_sample(velocity, start, 2, torch.zeros(2, 4))
    check_answered(ends, "euler_sample")
    check_shape(ends, (2, 3), "return the points at time 1, not the way there.")
    check_close(
        ends,
        [[3.0, 4.0, 5.0], [8.0, -2.0, 3.0]],
        "two steps of length 1/2, with the velocities at times 0 and 1/2.",
    )


# %% tags=["hidden"]
def test_euler_sample_sums_up_what_the_clock_shows(euler_sample):
    """Where the velocity is a function of the time, the way is the sum of its values at 0, δ, … , 1 − δ."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_steps in (1, 2, 3, 7, 20):
        start = 20 * torch.randn(5, 3, generator=generator)
        weights = 3 * torch.randn(3, generator=generator)

        def velocity(points, times, seen, weights=weights):
            clock = times.unsqueeze(1)
            return weights[0] + weights[1] * clock + weights[2] * (9 * clock).sin() + 0 * points

        ends = euler_sample(velocity, start, num_steps, torch.zeros(5, 2))
        check_answered(ends, "euler_sample")
        clock = torch.arange(num_steps).double() / num_steps
        way = weights[0] + weights[1] * clock + weights[2] * (9 * clock).sin()
        check_close(
            ends,
            start.double() + way.mean(),
            "take num_steps steps of length 1 / num_steps; the first is at time 0, the last at 1 - δ.",
        )


def test_euler_sample_follows_each_row_s_own_field(euler_sample):
    """The velocity is asked for at the points' present place, with the row's own observation."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, dim, num_steps in [(6, 3, 4), (1, 2, 9), (4, 4, 1), (3, 1, 25)]:
        start = torch.randn(batch, dim, generator=generator)
        rates = 2 * torch.randn(batch, 1, generator=generator)
        ends = euler_sample(
            lambda points, times, seen: seen * points.roll(1, dims=1), start, num_steps, rates
        )
        check_answered(ends, "euler_sample")
        # On x' = A x every Euler step multiplies by (1 + δ A).
        expected = []
        for point, rate in zip(start.double(), rates.double(), strict=True):
            step = torch.eye(dim).double() + rate / num_steps * torch.eye(dim).roll(1, dims=0)
            expected.append(torch.linalg.matrix_power(step, num_steps) @ point)
        check_close(
            ends,
            torch.stack(expected),
            "ask for the velocity where the points are now, and pass the observations on.",
            rtol=1e-3,
            atol=1e-4,
        )


def test_euler_sample_asks_once_a_step(euler_sample):
    """Each step asks once a row, where the points are, at the time that it is, in the order of time."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # At 12, 23, 49 and 93 steps a clock that adds up floating-point numbers ends late or early.
    for batch, num_steps in [(3, 6), (1, 1), (5, 11), (2, 12), (2, 23), (1, 49), (1, 93)]:
        asked = torch.zeros(())
        rates = torch.randn(batch, 1, generator=generator)

        def velocity(points, times, seen, asked=asked):
            assert times.shape == (len(points),), (
                f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
            )
            assert points.dtype == times.dtype == torch.float32, (
                "velocity was given float64: the network takes float32, convert with .float()."
            )
            asked.add_(len(points))
            return seen * points + (5 * times).cos().unsqueeze(1)

        start = torch.randn(batch, 2, generator=generator)
        ends = euler_sample(velocity, start, num_steps, rates)
        check_answered(ends, "euler_sample")
        assert int(asked) == batch * num_steps, (
            f"velocity was asked {float(asked) / batch:g} times a row in {num_steps} steps: once is enough."
        )
        expected = start.double()
        for clock in torch.arange(num_steps).double() / num_steps:
            expected = expected + (rates * expected + (5 * clock).cos()) / num_steps
        check_close(ends, expected, "take the steps in the order of time.", 1e-3, 1e-4)


def test_euler_sample_leaves_the_noise_alone(euler_sample):
    """The noise is what it was before the call."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    start = torch.randn(5, 3, generator=fresh_generator())
    before = start.clone()
    ends = euler_sample(lambda points, times, seen: points + 1, start, 4, start[:, :1])
    check_answered(ends, "euler_sample")
    check_close(start, before, "x0 was changed in place: compute a new tensor.")


# %% tags=["wrong"]
def euler_sample__forgets_the_step_length(velocity, x0, num_steps, observations):
    """Each step adds the whole velocity: multiply it by the step's length."""
    x = x0
    for step in range(num_steps):
        x = x + velocity(x, torch.full((len(x0),), step / num_steps), observations)
    return x


def euler_sample__asks_at_the_end_of_the_step(velocity, x0, num_steps, observations):
    """The times are δ, 2δ, … , 1: a step begins at the time at which its velocity is asked for."""
    return _euler(velocity, x0, num_steps, observations, lambda k: (k + 1) / num_steps)


def euler_sample__asks_in_the_middle(velocity, x0, num_steps, observations):
    """The times lie in the middle of the steps: Euler asks at their beginning."""
    return _euler(velocity, x0, num_steps, observations, lambda k: (k + 0.5) / num_steps)


def euler_sample__spreads_the_times_to_one(velocity, x0, num_steps, observations):
    """The times run up to 1, as linspace does: the last step begins at 1 − δ."""
    times = torch.linspace(0, 1, num_steps)
    return _euler(velocity, x0, num_steps, observations, lambda k: times[k])


def euler_sample__counts_steps_for_times(velocity, x0, num_steps, observations):
    """The network is told the number of the step: it takes the time, between 0 and 1."""
    return _euler(velocity, x0, num_steps, observations, lambda k: float(k))


def euler_sample__stops_the_clock(velocity, x0, num_steps, observations):
    """The time stays at 0: it goes on with every step."""
    return _euler(velocity, x0, num_steps, observations, lambda k: 0.0)


def euler_sample__runs_backwards(velocity, x0, num_steps, observations):
    """Time runs from 1 to 0: the noise is at time 0."""
    return _euler(velocity, x0, num_steps, observations, lambda k: 1 - (k + 1) / num_steps)


def euler_sample__steps_back(velocity, x0, num_steps, observations):
    """The velocity is subtracted: the steps lead away from the data."""
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        x = x - velocity(x, t, observations) / num_steps
    return x


def euler_sample__stays_where_it_asked(velocity, x0, num_steps, observations):
    """All velocities are asked for at x0: ask at the place that the last step led to."""
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        x = x + velocity(x0, t, observations) / num_steps
    return x


def euler_sample__takes_one_step_too_many(velocity, x0, num_steps, observations):
    """There is a step at time 1 as well: the points are there already."""
    x = x0
    for step in range(num_steps + 1):
        t = torch.full((len(x0),), step / num_steps)
        x = x + velocity(x, t, observations) / num_steps
    return x


def euler_sample__takes_one_step_too_few(velocity, x0, num_steps, observations):
    """The last step is missing."""
    x = x0
    for step in range(num_steps - 1):
        t = torch.full((len(x0),), step / num_steps)
        x = x + velocity(x, t, observations) / num_steps
    return x


def euler_sample__adds_up_the_clock(velocity, x0, num_steps, observations):
    """The clock adds up rounded numbers, and ends a step late for some num_steps: count the steps."""
    x, t = x0, torch.zeros(len(x0))
    while (t < 1).all():
        x = x + velocity(x, t, observations) / num_steps
        t = t + 1 / num_steps
    return x


def euler_sample__counts_by_arange(velocity, x0, num_steps, observations):
    """arange in steps of 1 / num_steps has one time too many for some num_steps: count the steps."""
    x = x0
    for time in torch.arange(0, 1, 1 / num_steps):
        x = x + velocity(x, time.expand(len(x0)), observations) / num_steps
    return x


def euler_sample__rounds_the_number_of_steps(velocity, x0, num_steps, observations):
    """int cuts off: 1 / (1 / 93) is a little less than 93, and a step is lost. Use num_steps itself."""
    x, length = x0, 1 / num_steps
    for step in range(int(1 / length)):
        x = x + length * velocity(x, torch.full((len(x0),), step * length), observations)
    return x


def euler_sample__computes_in_float64(velocity, x0, num_steps, observations):
    """The network is given float64: it takes float32."""
    x = x0.double()
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps, dtype=torch.float64)
        x = x + velocity(x, t, observations) / num_steps
    return x


def euler_sample__keeps_the_points_near(velocity, x0, num_steps, observations):
    """Points beyond ±10 are pulled back: follow the field wherever it leads."""
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        x = (x + velocity(x, t, observations) / num_steps).clamp(-10, 10)
    return x


def euler_sample__jumps_at_once(velocity, x0, num_steps, observations):
    """One step of full length is taken, whatever num_steps is."""
    return x0 + velocity(x0, torch.zeros(len(x0)), observations)


def euler_sample__gives_one_time(velocity, x0, num_steps, observations):
    """The time is one number: velocity takes one for every row, of shape (batch,)."""
    x = x0
    for step in range(num_steps):
        x = x + velocity(x, torch.tensor([step / num_steps]), observations) / num_steps
    return x


def euler_sample__gives_the_time_an_axis(velocity, x0, num_steps, observations):
    """The times have shape (batch, 1): velocity takes (batch,)."""
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0), 1), step / num_steps)
        x = x + velocity(x, t, observations) / num_steps
    return x


def euler_sample__hides_the_observations(velocity, x0, num_steps, observations):
    """The velocity gets zeros for observations: pass on what you are given."""
    hidden = torch.zeros_like(observations)
    return _euler(velocity, x0, num_steps, hidden, lambda k: k / num_steps)


def euler_sample__shows_the_first_observation(velocity, x0, num_steps, observations):
    """The first row's observation is shown for all rows: each has its own."""
    first = observations[:1].expand_as(observations)
    return _euler(velocity, x0, num_steps, first, lambda k: k / num_steps)


def euler_sample__takes_heuns_step(velocity, x0, num_steps, observations):
    """Each step averages the velocities at its two ends: that is Heun's method, at twice the cost."""
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        v = velocity(x, t, observations)
        ahead = velocity(x + v / num_steps, t + 1 / num_steps, observations)
        x = x + (v + ahead) / (2 * num_steps)
    return x


def euler_sample__asks_twice(velocity, x0, num_steps, observations):
    """The velocity is computed twice in each step: keep what you got the first time."""
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        velocity(x, t, observations)
        x = x + velocity(x, t, observations) / num_steps
    return x


def euler_sample__returns_the_whole_way(velocity, x0, num_steps, observations):
    """All points of the way are returned: return those at time 1."""
    points = [x0]
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        points.append(points[-1] + velocity(points[-1], t, observations) / num_steps)
    return torch.stack(points)


def euler_sample__changes_the_noise(velocity, x0, num_steps, observations):
    """x0 is changed in place: whoever goes on with it has lost the noise."""
    for step in range(num_steps):
        t = torch.full((len(x0),), step / num_steps)
        x0 += velocity(x0, t, observations) / num_steps
    return x0


def _euler(velocity, x0, num_steps, observations, time):
    x = x0
    for step in range(num_steps):
        t = torch.full((len(x0),), float(time(step)))
        x = x + velocity(x, t, observations) / num_steps
    return x


# %% tags=["right"]
def euler_sample__by_a_running_clock(velocity, x0, num_steps, observations):
    x, t = x0.clone(), torch.zeros(len(x0))
    while float(t[0]) < 1 - 0.5 / num_steps:
        x += velocity(x, t, observations) * (1 / num_steps)
        t = t + 1 / num_steps
    return x


def euler_sample__in_float64(velocity, x0, num_steps, observations):
    x = x0.double()
    for time in torch.arange(num_steps, dtype=torch.float64) / num_steps:
        x = x + velocity(x.float(), time.float().repeat(len(x)), observations).double() / num_steps
    return x


def euler_sample__row_by_row(velocity, x0, num_steps, observations):
    rows = []
    for x, seen in zip(x0.split(1), observations.split(1), strict=True):
        for step in range(num_steps):
            x = torch.add(
                x, velocity(x, torch.tensor([step / num_steps]), seen), alpha=1 / num_steps
            )
        rows.append(x)
    return torch.cat(rows)


def euler_sample__by_recursion(velocity, x0, num_steps, observations):
    def after(steps):
        if steps == 0:
            return x0
        before, t = after(steps - 1), x0.new_full((x0.shape[0],), (steps - 1) / num_steps)
        return torch.lerp(before, before + velocity(before, t, observations), 1 / num_steps)

    return after(num_steps)


def euler_sample__by_linspace(velocity, x0, num_steps, observations):
    times = torch.linspace(0, 1, num_steps + 1)
    x = x0
    for now, later in pairwise(times):
        x = x + (later - now) * velocity(x, now.expand(len(x)), observations)
    return x


# %% [markdown]
# Let us follow the *exact* field of the two corners, so that nobody can blame the network. How many steps does it take? Guess first:
# what comes out after a single one?


# %%
def up_to(velocity, last):
    """Return a field that, followed from 0 to 1, does what the given one does from 0 to `last`."""
    return lambda points, times, observations: last * velocity(points, last * times, observations)


def path_of(velocity, start, num_steps):
    """Return all stops of `num_steps` Euler steps: follow the field ever further, and start again."""
    stops = [start]
    for taken in range(1, num_steps + 1):
        field = up_to(velocity, taken / num_steps)
        stops.append(answered(euler_sample(field, start, taken, start), "euler_sample"))
    return torch.stack(stops)


# %% tags=["train"]
start = torch.randn(150, 2, generator=torch.Generator().manual_seed(4))
figure, panels = plt.subplots(1, 4, figsize=(11.4, 3.5), sharex=True, sharey=True)
for axes, num_steps in zip(panels, (1, 2, 5, 20), strict=True):
    plot_paths(axes, path_of(exact_field(DATA["two corners"]), start, num_steps))
    axes.set_title("1 step" if num_steps == 1 else f"{num_steps} steps")
    axes.set(xlabel="steer", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
panels[0].set_ylabel("speed")
panels[0].legend(loc="lower right", fontsize=8)
show(
    figure,
    alt="Paths of 150 points. With one step all end at one point in the middle. With two they end on a line between the corners, with "
    "five near the corners, with twenty in two clusters, on curved paths.",
    caption="The exact field of the two corners, followed from the same noise. Only the number of steps differs.",
)

# %% tags=["train"]
print("steps   standard deviation of the samples")
for num_steps in (1, 2, 5, 20):
    ends = path_of(exact_field(DATA["two corners"]), start, num_steps)[-1]
    print(f"{num_steps:5} {float(ends.std(dim=0).mean()):12.2g}")

# %% [markdown]
# With one step, *all* samples end in the mean. Of course: at $t = 0$ the exact field is $\mathbb{E}[x_1] - x$, so
# $x + 1 \cdot v^*(x, 0) = \mathbb{E}[x_1]$. One step of flow matching **is** idea 0. What is left of the standard deviation is float32's
# rounding.
#
# The paths are curved although every line that was trained on is straight. In the beginning all go towards the mean. On the way,
# more and more is known, and they bend to one corner. The steps are what gives them time to make up their mind.
#
# ## A better step?
#
# Euler's step uses the velocity at its beginning all the way through. By the middle of the step that is stale. So look ahead:
# go half a step, ask there, come back, and take the whole step with what you learnt. This is the **midpoint method**. It asks
# twice in every step.

# %% [markdown] question="midpoint_sample" points=[1, 2, 1, 1, 1]
# ### Question 5.7 · The midpoint
#
# Write `midpoint_sample(velocity, x0, num_steps, observations)`, with arguments as in question 5.6. In each step,
#
# 1. ask for the velocity where the points are, and go half a step with it;
# 2. ask for the velocity there, at the time in the middle of the step;
# 3. from where the step began, go the whole step with the second velocity.


# %% tags=["solution"]
def midpoint_sample(velocity, x0, num_steps, observations):
    """Follow a field from noise at time 0 to time 1, each step with the velocity of its middle."""
    # BEGIN SOLUTION
    x, length = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * length, device=x0.device)
        middle = x + velocity(x, t, observations) * (length / 2)
        x = x + velocity(middle, t + length / 2, observations) * length
    return x
    # END SOLUTION


# %% tags=["public"]
def test_midpoint_sample_of_a_field_that_grows(midpoint_sample):
    """Where the velocity is 12 t everywhere, one step of the midpoint leads to 6, and so do two."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    def velocity(points, times, seen):
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        assert points.dtype == times.dtype == torch.float32, (
            "velocity was given float64: the network takes float32, convert with .float()."
        )
        assert len(seen) == len(points), "velocity was not given the observations of its points."
        return 12 * times.unsqueeze(1) + 0 * points

    start = torch.tensor([[0.0, 1.0, 2.0], [5.0, -5.0, 0.0]])
    for num_steps in (1, 2):
        ends = midpoint_sample(velocity, start, num_steps, torch.zeros(2, 4))
        check_answered(ends, "midpoint_sample")
        check_shape(ends, (2, 3), "return the points at time 1, not the way there.")
        check_close(
            ends,
            [[6.0, 7.0, 8.0], [11.0, 1.0, 6.0]],
            "go the whole step with the velocity at the time in its middle.",
        )


# %% tags=["hidden"]
def test_midpoint_sample_follows_each_row_s_own_field(midpoint_sample):
    """On x' = a A x every step multiplies by 1 + δ a A + (δ a A)² / 2."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, dim, num_steps in [(6, 3, 4), (1, 2, 9), (4, 4, 1), (3, 1, 25)]:
        start = torch.randn(batch, dim, generator=generator)
        rates = 2 * torch.randn(batch, 1, generator=generator)
        ends = midpoint_sample(
            lambda points, times, seen: seen * points.roll(1, dims=1), start, num_steps, rates
        )
        check_answered(ends, "midpoint_sample")
        expected = []
        for point, rate in zip(start.double(), rates.double(), strict=True):
            turn = rate / num_steps * torch.eye(dim).double().roll(1, dims=0)
            step = torch.eye(dim).double() + turn + turn @ turn / 2
            expected.append(torch.linalg.matrix_power(step, num_steps) @ point)
        check_close(
            ends,
            torch.stack(expected),
            "go half a step, ask there, and go the whole step from where it began; pass the "
            "observations on.",
            rtol=1e-3,
            atol=1e-4,
        )


def test_midpoint_sample_asks_in_the_middle_of_the_step(midpoint_sample):
    """Where the velocity is a function of the time, the way is the sum of its values in the middles."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_steps in (1, 2, 3, 7):
        start = 20 * torch.randn(5, 3, generator=generator)
        weights = 3 * torch.randn(3, generator=generator)

        def velocity(points, times, seen, weights=weights):
            clock = times.unsqueeze(1)
            return weights[0] + weights[1] * clock**2 + weights[2] * (9 * clock).sin() + 0 * points

        ends = midpoint_sample(velocity, start, num_steps, torch.zeros(5, 2))
        check_answered(ends, "midpoint_sample")
        clock = (torch.arange(num_steps).double() + 0.5) / num_steps
        way = weights[0] + weights[1] * clock**2 + weights[2] * (9 * clock).sin()
        check_close(
            ends, start.double() + way.mean(), "the second velocity belongs to the time t + δ / 2."
        )


def test_midpoint_sample_asks_for_the_first_velocity_at_the_start_of_the_step(midpoint_sample):
    """The first velocity of a step belongs to its beginning, and each step asks twice."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # At 12, 23, 49 and 93 steps a clock that adds up floating-point numbers ends late or early.
    for batch, num_steps in [(4, 5), (1, 1), (3, 12), (2, 12), (2, 23), (1, 49), (1, 93)]:
        asked = torch.zeros(())
        rates = torch.randn(batch, 1, generator=generator)

        def velocity(points, times, seen, asked=asked):
            assert times.shape == (len(points),), (
                f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
            )
            assert points.dtype == times.dtype == torch.float32, (
                "velocity was given float64: the network takes float32, convert with .float()."
            )
            asked.add_(len(points))
            return seen * points + (5 * times).cos().unsqueeze(1)

        start = torch.randn(batch, 2, generator=generator)
        ends = midpoint_sample(velocity, start, num_steps, rates)
        check_answered(ends, "midpoint_sample")
        assert int(asked) == 2 * batch * num_steps, (
            f"velocity was asked {float(asked) / batch:g} times a row in {num_steps} steps: expected two a "
            "step."
        )
        expected, length = start.double(), 1 / num_steps
        for step in range(num_steps):
            clock = torch.tensor(5 * step * length).double()
            halfway = expected + length / 2 * (rates * expected + clock.cos())
            expected = expected + length * (rates * halfway + (clock + 2.5 * length).cos())
        check_close(ends, expected, "a step's first velocity belongs to its beginning.", 1e-3, 1e-4)


def test_midpoint_sample_leaves_the_noise_alone(midpoint_sample):
    """The noise is what it was before the call."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    start = torch.randn(5, 3, generator=fresh_generator())
    before = start.clone()
    ends = midpoint_sample(lambda points, times, seen: points + 1, start, 4, start[:, :1])
    check_answered(ends, "midpoint_sample")
    check_close(start, before, "x0 was changed in place: compute a new tensor.")


# %% tags=["wrong"]
def midpoint_sample__is_euler(velocity, x0, num_steps, observations):
    """This is Euler's method: it never looks at the middle of the step."""
    return _midpoint(velocity, x0, num_steps, observations, half=0.0)


def midpoint_sample__is_euler_with_half_steps(velocity, x0, num_steps, observations):
    """These are two Euler steps of half the length: the second velocity must be used from the step's beginning."""
    return euler_sample(velocity, x0, 2 * num_steps, observations)


def midpoint_sample__is_heun(velocity, x0, num_steps, observations):
    """This averages the velocities at the step's two ends, as Heun does: the midpoint method asks in the middle."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        v = velocity(x, t, observations)
        x = x + d / 2 * (v + velocity(x + d * v, t + d, observations))
    return x


def midpoint_sample__averages_the_two(velocity, x0, num_steps, observations):
    """The two velocities are averaged: use the second one alone, it knows what lies in the middle."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        v = velocity(x, t, observations)
        x = x + d / 2 * (v + velocity(x + d / 2 * v, t + d / 2, observations))
    return x


def midpoint_sample__forgets_the_clock(velocity, x0, num_steps, observations):
    """The second velocity is asked for at the time of the first: half a step later it is t + δ/2."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        x = x + d * velocity(x + d / 2 * velocity(x, t, observations), t, observations)
    return x


def midpoint_sample__forgets_to_move(velocity, x0, num_steps, observations):
    """Only the time moves on by half a step: the points have to move as well."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        velocity(x, t, observations)
        x = x + d * velocity(x, t + d / 2, observations)
    return x


def midpoint_sample__looks_a_whole_step_ahead(velocity, x0, num_steps, observations):
    """The second velocity belongs to the end of the step: ask in its middle."""
    return _midpoint(velocity, x0, num_steps, observations, half=1.0)


def midpoint_sample__goes_on_from_the_middle(velocity, x0, num_steps, observations):
    """The whole step is taken from the middle: that adds up to a step and a half. Take it from the beginning."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        x = x + d / 2 * velocity(x, t, observations)
        x = x + d * velocity(x, t + d / 2, observations)
    return x


def midpoint_sample__goes_half_the_way(velocity, x0, num_steps, observations):
    """The second velocity is used for half a step only: use it for the whole."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        middle = x + d / 2 * velocity(x, t, observations)
        x = x + d / 2 * velocity(middle, t + d / 2, observations)
    return x


def midpoint_sample__moves_with_the_middle_time(velocity, x0, num_steps, observations):
    """The first velocity is asked for at the middle's time already: it belongs to the beginning of the step."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), (step + 0.5) * d)
        x = x + d * velocity(x + d / 2 * velocity(x, t, observations), t, observations)
    return x


def midpoint_sample__keeps_the_first_velocity(velocity, x0, num_steps, observations):
    """The first velocity is used for the whole step, and the second one is thrown away."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        v = velocity(x, t, observations)
        velocity(x + d / 2 * v, t + d / 2, observations)
        x = x + d * v
    return x


def midpoint_sample__halves_the_number_of_steps(velocity, x0, num_steps, observations):
    """Only half the steps are taken, to save time: take num_steps, at twice the cost."""
    return _midpoint(velocity, x0, max(1, num_steps // 2), observations)


def midpoint_sample__counts_by_arange(velocity, x0, num_steps, observations):
    """arange in steps of 1 / num_steps has one time too many for some num_steps: count the steps."""
    x, d = x0, 1 / num_steps
    for time in torch.arange(0, 1, d):
        t = time.expand(len(x0))
        middle = x + d / 2 * velocity(x, t, observations)
        x = x + d * velocity(middle, t + d / 2, observations)
    return x


def midpoint_sample__computes_in_float64(velocity, x0, num_steps, observations):
    """The network is given float64: it takes float32."""
    return _midpoint(velocity, x0.double(), num_steps, observations)


def midpoint_sample__asks_at_the_noise(velocity, x0, num_steps, observations):
    """Every step asks at x0: ask at the place that the last step led to."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        middle = x0 + d / 2 * velocity(x0, t, observations)
        x = x + d * velocity(middle, t + d / 2, observations)
    return x


def midpoint_sample__gives_one_time(velocity, x0, num_steps, observations):
    """The time is one number: velocity takes one for every row, of shape (batch,)."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.tensor(step * d)
        middle = x + d / 2 * velocity(x, t, observations)
        x = x + d * velocity(middle, t + d / 2, observations)
    return x


def midpoint_sample__hides_the_observations_halfway(velocity, x0, num_steps, observations):
    """The second velocity is asked for with zeros for observations: pass them on both times."""
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        middle = x + d / 2 * velocity(x, t, observations)
        x = x + d * velocity(middle, t + d / 2, torch.zeros_like(observations))
    return x


def midpoint_sample__changes_the_noise(velocity, x0, num_steps, observations):
    """x0 is changed in place: whoever goes on with it has lost the noise."""
    d = 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        middle = x0 + d / 2 * velocity(x0, t, observations)
        x0 += d * velocity(middle, t + d / 2, observations)
    return x0


def _midpoint(velocity, x0, num_steps, observations, half=0.5):
    x, d = x0, 1 / num_steps
    for step in range(num_steps):
        t = torch.full((len(x0),), step * d)
        middle = x + half * d * velocity(x, t, observations)
        x = x + d * velocity(middle, t + half * d, observations)
    return x


# %% tags=["right"]
def midpoint_sample__by_a_running_clock(velocity, x0, num_steps, observations):
    x, t, half = x0.clone(), torch.zeros(len(x0)), 0.5 / num_steps
    for _ in range(num_steps):
        slope = velocity(x + half * velocity(x, t, observations), t + half, observations)
        x += slope / num_steps
        t = t + 2 * half
    return x


def midpoint_sample__in_float64(velocity, x0, num_steps, observations):
    x = x0.double()
    for time in torch.arange(num_steps, dtype=torch.float64) / num_steps:
        at, later = (time + share / num_steps for share in (0, 0.5))
        slope = velocity(x.float(), at.float().repeat(len(x)), observations).double()
        middle = x + slope / (2 * num_steps)
        slope = velocity(middle.float(), later.float().repeat(len(x)), observations).double()
        x = x + slope / num_steps
    return x


def midpoint_sample__row_by_row(velocity, x0, num_steps, observations):
    rows = []
    for x, seen in zip(x0.split(1), observations.split(1), strict=True):
        for step in range(num_steps):
            t = torch.tensor([step / num_steps])
            middle = torch.add(x, velocity(x, t, seen), alpha=0.5 / num_steps)
            x = torch.add(x, velocity(middle, t + 0.5 / num_steps, seen), alpha=1 / num_steps)
        rows.append(x)
    return torch.cat(rows)


def midpoint_sample__by_half_euler_steps(velocity, x0, num_steps, observations):
    x, grid = x0, torch.linspace(0, 1, 2 * num_steps + 1)
    for start, middle, end in zip(grid[:-1:2], grid[1::2], grid[2::2], strict=True):
        ask = lambda x, time: velocity(x, time.expand(len(x)), observations)  # noqa: E731
        x = x + (end - start) * ask(x + (middle - start) * ask(x, start), middle)
    return x


# %% [markdown]
# Is it worth it? The *order* of a method says how fast its error falls with the number of steps $n$: like $1/n$ for order 1,
# like $1/n^2$ for order 2. In a plot with two logarithmic axes these are straight lines of slope $-1$ and $-2$. Our reference
# is the midpoint method with 512 steps.
#
# There is a catch, and you may have guessed it: the division by $1 - t$. Near the end the exact field of *points* becomes
# infinitely steep. So we measure twice, up to $t = 0.8$, and all the way.


# %%
STEPS = (4, 8, 16, 32, 64)
SAMPLERS = {
    "euler": lambda *given: euler_sample(*given),  # as it is defined when it is called
    "midpoint": lambda *given: midpoint_sample(*given),
}


@torch.no_grad()
def follow(name, velocity, start, num_steps):
    """Return where a sampler's steps lead. There is nothing to observe: the noise stands in."""
    return answered(SAMPLERS[name](velocity, start, num_steps, start), f"{name}_sample")


def solver_errors(velocity, seed=0, count=200):
    """Return how far each sampler ends from where the field leads, on average, for each of STEPS."""
    start = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    right = follow("midpoint", velocity, start, 512)
    return {
        name: [float((follow(name, velocity, start, n) - right).norm(dim=1).mean()) for n in STEPS]
        for name in SAMPLERS
    }


def slope_of(errors):
    """Return the slope of errors over STEPS, both in logarithms: minus the order."""
    x, y = torch.tensor(STEPS).log(), torch.tensor(errors).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def energy_distance(samples, data):
    """Return how far two clouds are from having the same distribution: zero if they have it."""
    across = torch.cdist(samples, data).mean()
    within = (torch.cdist(cloud, cloud).mean() for cloud in (samples, data))
    return float(2 * across - sum(within))


# %% tags=["train"]
field = exact_field(DATA["ring"])
roads = {"up to t = 0.8": up_to(field, 0.8), "all the way": field}
looks = {"euler": ("flow", "-"), "midpoint": ("mixture", "--")}
figure, panels = plt.subplots(1, 3, figsize=(11.4, 3.3))
for axes, (title, velocity) in zip(panels[:2], roads.items(), strict=True):
    for name, errors in solver_errors(velocity).items():
        look, style = POLICY_LOOKS[looks[name][0]], looks[name][1]
        label = f"{name}: slope {slope_of(errors):.2f}".replace("-", "−")
        axes.loglog(STEPS, errors, color=look.color, marker=look.marker, ls=style, label=label)
    axes.set(title=f"The exact field, {title}", xlabel="steps", ylabel="mean error", xticks=STEPS)
    axes.set_xticklabels(STEPS)
    axes.minorticks_off()
    axes.legend(fontsize=8)
start = torch.randn(2000, 2, generator=torch.Generator().manual_seed(5))
for name, asks in {"euler": (1, 2, 3, 5, 10, 20, 50), "midpoint": (2, 4, 6, 10, 20, 50)}.items():
    per_step = 1 if name == "euler" else 2
    clouds = [follow(name, fields["ring"], start, n // per_step) for n in asks]
    look, style = POLICY_LOOKS[looks[name][0]], looks[name][1]
    distances = [energy_distance(cloud, DATA["ring"]) for cloud in clouds]
    panels[2].loglog(asks, distances, color=look.color, marker=look.marker, ls=style, label=name)
panels[2].set(title="The learned field", xlabel="evaluations of the field")
panels[2].set_ylabel("energy distance to the data")
panels[2].set_xticks((1, 2, 5, 10, 20, 50), labels=(1, 2, 5, 10, 20, 50))
panels[2].minorticks_off()
panels[2].legend(fontsize=8)
show(
    figure,
    alt="Three plots with logarithmic axes. Up to time 0.8 Euler's error falls with slope minus 1 and the midpoint's with slope minus 2. All the way to 1, "
    "the midpoint's error falls slowly at first and fast at the end. On the learned field, the midpoint method is ahead with two, six and ten evaluations, and level from ten on.",
    caption="The ring. Left and middle: where single points end, against a reference with 512 steps. Right: how well the cloud of samples fits.",
)

# %% [markdown]
# Up to $t = 0.8$ the orders are what the books say. All the way, the midpoint method loses its second order until the steps are
# short: near the end the field is too steep for long ones.
#
# Now look at the right panel, at what we really want: samples that are distributed as the data are. The *energy distance* measures how far
# they are from that. It is zero for two clouds that are distributed alike, and larger otherwise; notebook 7 defines it. The axis below counts
# *evaluations*, each one pass of the network. They are what a robot pays for, and a midpoint step takes two.
#
# On the ring it is worth it. With two evaluations, with six and with ten the midpoint method is closer to the data. With ten it has arrived: more
# evaluations bring nothing, since what is left is the network's. Will the midpoint pay on the road as well? Guess.

# %% [markdown] question="one_step" points=[]
# ### Question 5.8 · One step
#
# The field is exact, and still one step fails. Why? And what would have to hold of the lines from noise to data so that one
# step were enough?

# %% [markdown] tags=["solution"]
# Exact means that the velocity at a place and a time is the mean over the lines that pass there then. At time 0 lines to all
# data pass through every place, so the velocity leads to the mean of the data, and one step goes there. The error is not the field's: the field changes along the
# way, and one step cannot follow. One step would be enough if the velocity did not change along the path, that is, if the paths of the
# field were straight lines. They are when the lines that were trained on do not cross: then only one line passes each place, and the field
# follows it. To get there one has to pair noise with actions more cleverly than at random, for instance so that the pairs lie close to
# each other, or with the pairs that a trained flow itself makes. Two stretch goals do this.

# %% [markdown]
# ## The fork
#
# Now for a policy. The velocity sees the observation too, $v(x_t, t \mid o)$: for each observation there is a field of its own, and where
# drivers disagree that field has a watershed. All else is as before. Points are actions, both numbers at once, in
# normalised units. Nobody chooses bins, an order, or how many modes there are.


# %%
class FlowDriver(Policy):
    """A network that predicts velocities, with your `flow_matching_loss` and your samplers."""

    def __init__(self, seed, width=105):
        super().__init__(observation_dim=8, action_dim=2)
        self.num_steps, self.sampler = 10, "euler"
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(2 + 1 + 8, 2, width, generator=generator)

    def velocity(self, points, times, observations):
        return self.network(torch.cat([points, times.unsqueeze(1), observations], dim=1))

    def loss(self, observations, actions, generator=None):
        loss = flow_matching_loss(self.velocity, actions.squeeze(1), observations, generator)
        return answered(loss, "flow_matching_loss")

    def sample(self, observations, generator=None):
        noise = torch.randn(len(observations), 2, generator=generator, device=observations.device)
        actions = SAMPLERS[self.sampler](self.velocity, noise, self.num_steps, observations)
        return answered(actions, f"{self.sampler}_sample").unsqueeze(1)


# %% [markdown]
# It has about 12,600 parameters, like the policies of notebook 4, and learns from the same road: two drivers, a hundred starts
# each, who decide 0.8 m before the obstacle. Ten seeds are trained at once.

# %%
SEEDS = range(10)
SETTINGS = TrainingSettings(steps=1800, batch_size=128, learning_rate=1e-2)
STEP_COUNTS = {"euler": (1, 2, 3, 5, 10, 20), "midpoint": (1, 2, 5, 10)}


def drive_with(actors, task, sampler, num_steps, seeds=SEEDS):
    """Let policies drive with a sampler, and so many of its steps for each action."""
    for actor in actors:
        actor.policy.sampler, actor.policy.num_steps = sampler, num_steps
    return drive(actors, task, seeds)


def milliseconds(actor, observation, num_steps, repeats=40):
    """Return how long it takes to choose one action by Euler steps: the shortest of several tries."""
    policy, generator = actor.policy, torch.Generator(observation.device)
    policy.sampler, policy.num_steps = "euler", num_steps
    times = []
    for _ in range(repeats):
        started = perf_counter()
        with torch.inference_mode():
            policy.sample(observation, generator)
        times.append(1000 * (perf_counter() - started))
    return min(times)


# %% tags=["train"]
task = Fork()
demonstrations = demonstrate(task, fork_drivers(task), 100, torch.Generator().manual_seed(SEED))
print(f"{count_parameters(FlowDriver(0)):,} parameters")
actors = players(clone(FlowDriver, demonstrations, SETTINGS, SEEDS, device, "flow"))
drives = {
    (sampler, n): drive_with(actors, task, sampler, n)
    for sampler, counts in STEP_COUNTS.items()
    for n in counts
}
one = torch.zeros(1, 8, device=device)
waits = {n: milliseconds(actors[0], one, n) for n in STEP_COUNTS["euler"]}

# %% tags=["train"]
figure, (success, latency) = plt.subplots(1, 2, figsize=(8.6, 3.0))
for sampler, counts in STEP_COUNTS.items():
    look, style = POLICY_LOOKS[looks[sampler][0]], looks[sampler][1]
    asks = [n if sampler == "euler" else 2 * n for n in counts]
    rates = [pool(drives[sampler, n]) for n in counts]
    heights = [100 * rate.rate for rate in rates]
    ends = [
        [100 * abs(bound - rate.rate) for rate in rates for bound in rate.interval[side : side + 1]]
        for side in (0, 1)
    ]
    success.errorbar(
        asks,
        heights,
        ends,
        color=look.color,
        marker=look.marker,
        ls=style,
        capsize=3,
        label=sampler,
    )
    for n, rate in zip(counts, rates, strict=True):
        print(f"{sampler}, {n} steps: {rate}")
success.set(ylabel="reaches the goal, %", ylim=(0, 104), xscale="log")
success.set_xticks((1, 2, 5, 10, 20), labels=(1, 2, 5, 10, 20))
success.minorticks_off()
success.legend()
look = POLICY_LOOKS["flow"]
latency.plot(list(waits), list(waits.values()), color=look.color, marker=look.marker)
latency.set(ylabel="milliseconds per action", ylim=(0, None))
for axes in (success, latency):
    axes.set_xlabel("evaluations of the network per action")
show(
    figure,
    alt="Left: success against evaluations. Euler: about a fifth with one, about 85 per cent with two, above 95 per cent from five on. "
    "The midpoint method begins at 94 per cent, with two evaluations, and is level from four on. Right: the time per action grows in a straight line.",
    caption="Ten seeds with 100 episodes for every point. On the right, one observation at a time.",
)

# %% [markdown]
# The loss is a regression, and it drives: with ten Euler steps more than 95 % of the episodes reach the goal. With one step, most do
# not. That is the same network. **Most of what a flow knows, it says after the first step.** And each evaluation costs
# one pass of the network, no more and no less.
#
# The surprise is the midpoint method. A single step of it, two evaluations, arrives more often than two Euler steps, and about as often as
# three. Look at what that step does: it goes halfway towards the mean, asks *there*, at $t = 0.5$, where the sides
# have begun to part, and takes that answer for the whole way.
#
# Why do some drives succeed with a single Euler step, when notebook 1's regression hardly ever got round? The exact field would not allow it. The
# learned field is not exact at $t = 0$: a little of the noise is left in its answer, and breaks the tie now and then.


# %%
def field_at(observation, policy):
    """Return the policy's field for one normalised observation, as a function of points and times."""

    def velocity(points, times, observations=None):
        return policy.velocity(points, times, observation.expand(len(points), -1))

    return velocity


# %% tags=["train"]
deciding = fork_drivers(task)["left"].actor.is_deciding(demonstrations.observations)
actor, at_choice = actors[0], demonstrations.observations[deciding].to(device)
latest = (at_choice[:, 4] - at_choice[:, 0]).argmin()  # the obstacle is closest, and a side is due
normalised = actor.observation_normalizer.normalize(at_choice[latest].unsqueeze(0))
noise = torch.randn(300, 2, generator=torch.Generator().manual_seed(6)).to(device)

with torch.no_grad():
    stops = path_of(field_at(normalised, actor.policy), noise, 20)
sideways = actor.action_normalizer.denormalize(stops)[..., 1].cpu()

figure, (fan, asked) = plt.subplots(1, 2, figsize=(9.6, 3.2), width_ratios=(1.6, 1))
sides = {"left": sideways[-1] > 0.35, "right": sideways[-1] < -0.35}
sides["neither"] = ~(sides["left"] | sides["right"])
for side, chosen in sides.items():
    color = DRIVER_LOOKS[side].color if side in DRIVER_LOOKS else "0.5"
    fan.plot(torch.linspace(0, 1, 21), sideways[:, chosen], color=color, ls="-", lw=0.5, alpha=0.5)
    fan.plot([], [], color=color, ls="-", label=f"{side}: {int(chosen.sum())}")
fan.set(xlabel="t: noise on the left, actions on the right", ylabel="lateral command, m/s")
fan.set_ylim(-1.6, 1.6)
fan.yaxis.set_major_formatter(format_side)
fan.legend(fontsize=8, loc="upper center", ncols=3)
fan.set_title("300 actions for one observation")
for player in actors:
    player.policy.sampler, player.policy.num_steps = "euler", 10
    player.reset(torch.ones(len(at_choice), dtype=torch.bool))
commands = torch.cat([p.act(at_choice, torch.Generator(device).manual_seed(7)) for p in actors])
plot_commands(asked, {"expert": demonstrations.actions[deciding][:, 1], "flow": commands[:, 1]})
asked.set(title="Where the drivers choose", xticks=(1, 0, -1), ylim=(0, 1.25 * asked.get_ylim()[1]))
show(
    figure,
    alt="Left: 300 curves of the lateral command against t. Those that end on the left, in one colour, began above, those that end on "
    "the right, in another, below; a thin bundle goes between. Right: histograms with two peaks, left and right, and between them a lower one of the flow alone.",
    caption="One action, from noise to command. The choice of a side falls on the way, and the noise makes it.",
)

# %% tags=["train"]
figure, panels = plt.subplots(1, 2, figsize=(8.8, 3.0))
for axes, n in zip(panels, (1, 10), strict=True):
    evaluation = drives["euler", n][0]
    title = f"{n} step{'s' if n > 1 else ''}: {evaluation.success}"
    plot_rollouts(axes, task, evaluation.rollouts).set_title(title)
show(
    figure,
    alt="Paths on the fork. With one step most run straight into the obstacle. With ten they pass it, about half on either side.",
    caption="The same network, seed 0: one Euler step for each action, and ten.",
)

# %% [markdown]
# Follow a curve from left to right. In the beginning the outer curves draw in, towards the mean, as if the policy meant to drive straight
# into the obstacle. Then they part. Which side a curve takes was decided by its noise, and by nothing else: **given the noise, a flow is
# deterministic**. Over all seeds both sides stay in use, about as often as each other. What goes straight on is what both drivers did a step before, as
# in notebook 4.

# %% [markdown]
# ## Diffusion is a relative
#
# Diffusion models came first, and their papers look different: hundreds of timesteps, a schedule, a network that predicts *noise*.
# DDPM makes an action noisy by
#
# $$
# x_k = \sqrt{\bar\alpha_k}\; a + \sqrt{1 - \bar\alpha_k}\; \epsilon, \qquad k = 0, 1, 2, \dots,
# $$
#
# where $\bar\alpha_k$, the *schedule*, falls from nearly one to nearly zero. Mind that its clock runs the other way: large $k$ means much
# noise. A network $\epsilon_\theta(x_k, k \mid o)$ is trained by regression to say which noise was mixed in.

# %% [markdown] question="ddpm_loss" points=[1, 1, 2, 2, 1, 1]
# ### Question 5.9 · The loss of DDPM
#
# Write `ddpm_loss(noise_model, actions, observations, alpha_bar, generator)`.
#
# - `alpha_bar` is `(num_timesteps,)`. For every row of `actions`, `(batch, action_dim)`, draw a timestep, each of
#   $0, \dots,$ `num_timesteps - 1` equally likely, and standard normal noise. All draws come from `generator` and are
#   independent of each other.
# - The noisy action is $\sqrt{\bar\alpha_k}\, a + \sqrt{1 - \bar\alpha_k}\, \epsilon$, with the row's own timestep $k$.
# - `noise_model(noisy, timesteps, observations)` predicts the noise $\epsilon$, `(batch, action_dim)`. It takes the
#   timesteps as `(batch,)`, dtype long.
# - Return the squared L2 norm of its error, summed over the action's numbers and averaged over the batch.


# %% tags=["solution"]
def ddpm_loss(noise_model, actions, observations, alpha_bar, generator):
    """Return the error of the predicted noise, on noisy actions of random timesteps."""
    # BEGIN SOLUTION
    device, shape = actions.device, (len(actions),)
    timesteps = torch.randint(len(alpha_bar), shape, generator=generator, device=device)
    noise = torch.randn(actions.shape, generator=generator, device=device)
    kept = alpha_bar[timesteps].unsqueeze(1)
    noisy = kept.sqrt() * actions + (1 - kept).sqrt() * noise
    error = noise_model(noisy, timesteps, observations) - noise
    return error.square().sum(dim=1).mean()
    # END SOLUTION


# %% tags=["public"]
def test_ddpm_loss_finds_the_noise_of_a_single_action(ddpm_loss):
    """If all actions are one and the same, the noise can be computed, and its loss is zero."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    action, schedule = torch.tensor([3.0, -2.0, 1.0]), torch.tensor([0.9, 0.5, 0.25, 0.04])

    def noise_model(noisy, timesteps, seen):
        assert timesteps.shape == (len(noisy),) and not timesteps.is_floating_point(), (
            f"the model was given timesteps of shape {tuple(timesteps.shape)} and {timesteps.dtype}: "
            "expected (batch,), one a row, of dtype long."
        )
        assert noisy.dtype == torch.float32, (
            "the model was given float64: the network takes float32, convert with .float()."
        )
        left = schedule[timesteps][:, None]
        return (noisy - action * left**0.5) / (1 - left) ** 0.5 + seen

    actions, observations = action.repeat(30, 1), torch.zeros(30, 1)
    generator = torch.Generator().manual_seed(0)
    loss = ddpm_loss(noise_model, actions, observations, schedule, generator)
    check_answered(loss, "ddpm_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, 0.0, "mix action and noise by the square roots, and ask for the noise.")
    loss = ddpm_loss(noise_model, actions, observations + 2, schedule, generator)
    # Now each of the three numbers is off by 2.
    check_close(loss, 12.0, "pass the observations on, and sum over the action's numbers.")


def test_ddpm_loss_has_a_gradient(ddpm_loss):
    """The gradient reaches what the noise is predicted with."""
    import torch

    from imitation_lab.testing import check_answered

    weight = torch.tensor(0.5, requires_grad=True)
    loss = ddpm_loss(
        lambda noisy, timesteps, seen: weight * noisy,
        torch.ones(20, 2),
        torch.zeros(20, 1),
        torch.tensor([0.9, 0.5, 0.1]),
        torch.Generator().manual_seed(0),
    )
    check_answered(loss, "ddpm_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."


# %% tags=["hidden"]
def test_ddpm_loss_is_the_error_of_the_noise(ddpm_loss):
    """Whatever noise and timesteps are drawn, the loss is the error written out, row by row."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # An action of three numbers in a batch of three, too: there a wrong axis has the right shape.
    for batch, dim, features, length in [(6, 3, 2, 5), (1, 1, 1, 1), (3, 3, 3, 3), (50, 2, 4, 9)]:
        actions = 3 * torch.randn(batch, dim, generator=generator) - 2
        observations = torch.randn(batch, features, generator=generator)
        observations[:, 0] = torch.arange(batch)  # says which row it is
        kept = (0.05 + 0.9 * torch.rand(length, generator=generator)).sort(descending=True).values
        kept[-1], kept[0] = 0.001, 0.999
        seen = torch.full((batch, dim + 1 + features), torch.nan)
        count = torch.zeros((), dtype=torch.long)

        def noise_model(noisy, timesteps, own, seen=seen, count=count):
            assert timesteps.shape == (len(noisy),) and len(own) == len(noisy), (
                "the model takes as many timesteps and observations as actions, timesteps of shape (batch,)."
            )
            assert timesteps.dtype == torch.long, "the timesteps must be of dtype long."
            assert noisy.dtype == torch.float32, (
                "the model was given float64: the network takes float32, convert with .float()."
            )
            first = int(count)
            assert first + len(noisy) <= len(seen), "the model was asked about too many rows."
            shown = torch.cat([noisy, timesteps.unsqueeze(1), own], dim=1)
            seen[first : first + len(noisy)] = shown.detach()
            count.add_(len(noisy))
            return 2 * noisy + timesteps.sin().unsqueeze(1) - own[:, -1:]

        given = [actions.clone(), observations.clone(), kept.clone()]
        loss = ddpm_loss(noise_model, *given, generator)
        check_answered(loss, "ddpm_loss")
        shown = seen.double()
        assert shown.isfinite().all(), "the model must be asked about every row, once."
        shown = shown[shown[:, dim + 1].argsort()]
        noisy, timesteps, own = shown[:, :dim], shown[:, dim], shown[:, dim + 1 :]
        check_close(own, observations, "the model must see the observations as they are.")
        assert (timesteps >= 0).all() and (timesteps < length).all(), (
            "timesteps run from 0 to num_timesteps - 1."
        )
        share = kept.double()[timesteps.long()].unsqueeze(1)
        noise = (noisy - share.sqrt() * actions) / (1 - share).sqrt()
        error = 2 * noisy + timesteps.sin().unsqueeze(1) - own[:, -1:] - noise
        check_close(
            loss,
            error.square().sum() / batch,
            "compare the model's answer with the noise of the same row; sum over the action's numbers, "
            "average over the batch.",
            rtol=1e-3,
            atol=1e-3,
        )
        for argument, before in zip(given, (actions, observations, kept), strict=True):
            check_close(argument, before, "an argument was changed in place: compute a new tensor.")


def test_ddpm_loss_draws_every_row_anew(ddpm_loss):
    """Noise is standard normal, all timesteps are equally likely, and none knows of the others."""
    import torch
    from scipy.stats import chisquare

    from imitation_lab.testing import (
        check_answered,
        check_rows_apart,
        check_standard_normal,
        check_unrelated,
        fresh_generator,
    )

    generator, batch, length = fresh_generator(), 8_000, 7
    scale = torch.tensor([0.5, 1.0, 4.0])
    actions = scale * torch.randn(batch, 3, generator=generator) + 2
    kept = torch.linspace(0.999, 0.001, length)
    seen = torch.full((batch, 5), torch.nan)
    count = torch.zeros((), dtype=torch.long)

    def noise_model(noisy, timesteps, own):
        first = int(count)
        assert first + len(noisy) <= batch, "the model was asked about too many rows."
        shown = torch.cat([noisy, timesteps.reshape(-1, 1), own], dim=1)
        seen[first : first + len(noisy)] = shown.detach()
        count.add_(len(noisy))
        return 0 * noisy

    rows = torch.arange(1.0 * batch)[:, None]
    loss = ddpm_loss(noise_model, actions.clone(), rows, kept.clone(), generator)
    check_answered(loss, "ddpm_loss")
    shown = seen.double()
    assert shown.isfinite().all(), "the model must be asked about every row, once."
    shown = shown[shown[:, 4].argsort()]
    noisy, timesteps = shown[:, :3], shown[:, 3].long()
    assert timesteps.min() >= 0 and timesteps.max() < length, (
        "timesteps run from 0 to num_timesteps - 1."
    )
    # A right answer's p-values are uniform: they fall below 10^-9 once in 10^9 gradings.
    assert chisquare(timesteps.bincount(minlength=length).numpy()).pvalue > 1e-9, (
        "all timesteps are equally likely, the first and the last too, and every row draws its own."
    )
    share = kept.double()[timesteps].unsqueeze(1)
    noise = (noisy - share.sqrt() * actions) / (1 - share).sqrt()
    check_standard_normal(
        noise,
        "noisy actions mix the action by the root of alpha_bar with standard normal noise by the "
        "root of 1 - alpha_bar, drawn for every number.",
    )
    # Two rows agree in three numbers to 0.001 once in a thousand gradings.
    assert len(noise.mul(1000).round().unique(dim=0)) > 0.95 * batch, (
        "rows share noise: draw anew for every number of every row."
    )
    clock = (timesteps - (length - 1) / 2) / ((length**2 - 1) / 12) ** 0.5
    clock, own = clock[:, None], actions.double()
    own = (own - own.mean(dim=0)) / own.std(dim=0)
    large = (own.abs() - own.abs().mean(dim=0)) / own.abs().std(dim=0)
    size = (noise**2 - 1) / 2**0.5
    check_rows_apart(noise, "rows share noise: draw anew for every number of every row.")
    check_rows_apart(clock, "rows share timesteps: draw one for every row.")
    pairs = {
        "the numbers of a row share noise": (noise, noise.roll(1, dims=1)),
        "noise depends on the action": (noise, own),
        "the noise's size depends on the action": (size, own),
        "the noise's size depends on the action's": (size, large),
        "noise depends on the timestep": (noise, clock),
        "the noise's size depends on the timestep": (size, clock),
        "the timestep depends on the action": (clock, own),
        "the timestep depends on the action's size": (clock, large),
    }
    check_unrelated(pairs, "draw all of them anew, independently.")


def test_ddpm_loss_teaches_the_model(ddpm_loss):
    """The gradient with respect to the model's parameters has the right size."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Constant(torch.nn.Module):
        """A prediction that is always the same, and remembers what it was shown."""

        def __init__(self, value, seen):
            super().__init__()
            self.value, self.seen = torch.nn.Parameter(value), seen
            self.count = torch.zeros((), dtype=torch.long)

        def forward(self, noisy, timesteps, own):
            first = int(self.count)
            shown = torch.cat([noisy, timesteps.reshape(-1, 1)], dim=1)
            self.seen[first : first + len(noisy)] = shown.detach()
            self.count.add_(len(noisy))
            return self.value.repeat(len(noisy), 1)

    generator, batch, kept = fresh_generator(), 200, torch.tensor([0.9, 0.6, 0.3, 0.1])
    action = torch.randn(3, generator=generator)
    model = Constant(torch.randn(3, generator=generator), torch.full((batch, 4), torch.nan))
    actions, observations = action.repeat(batch, 1), torch.zeros(batch, 1)
    loss = ddpm_loss(model, actions, observations, kept, generator)
    check_answered(loss, "ddpm_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
    loss.backward()
    assert model.value.grad is not None, "no gradient reaches the model: do not detach it."
    seen = model.seen.double()
    share = kept.double()[seen[:, 3].long()].unsqueeze(1)
    noise = (seen[:, :3] - share.sqrt() * action) / (1 - share).sqrt()
    expected = 2 * (model.value.detach() - noise.mean(dim=0))
    check_close(model.value.grad, expected, "the gradient of the loss is off.", 1e-3, 1e-3)


def test_ddpm_loss_draws_from_the_generator(ddpm_loss):
    """The generator decides all draws: equal seeds repeat them, and the next call draws anew."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    batch, seed, schedule = 300, fresh_generator().initial_seed(), torch.linspace(0.95, 0.05, 50)
    rows = torch.arange(1.0 * batch)[:, None]

    def draw(source):
        seen, count = torch.full((batch, 4), torch.nan), torch.zeros((), dtype=torch.long)

        def noise_model(noisy, timesteps, own):
            first = int(count)
            assert first + len(noisy) <= batch, "the model was asked about too many rows."
            shown = torch.cat([noisy, timesteps.reshape(-1, 1), own], dim=1)
            seen[first : first + len(noisy)] = shown.detach()
            count.add_(len(noisy))
            return 0 * noisy

        loss = ddpm_loss(noise_model, torch.zeros(batch, 2), rows, schedule.clone(), source)
        check_answered(loss, "ddpm_loss")
        assert seen.isfinite().all(), "the model must be asked about every row, once."
        shown = seen[seen[:, 3].argsort()].double()
        timesteps = shown[:, 2].long()
        assert timesteps.min() >= 0 and timesteps.max() < 50, (
            "timesteps run from 0 to num_timesteps - 1."
        )
        # With zeros for actions the noisy action is the noise times its factor.
        noise = shown[:, :2] / (1 - schedule.double()[timesteps, None]).sqrt()
        return {"noise": noise, "timesteps": (shown[:, 2:3] - 24.5) / (2499 / 12) ** 0.5}

    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    first, following, again = (draw(source) for source in (one, one, same))
    for what, drawn in first.items():
        hint = f"the same seed gave other {what}: draw from `generator`."
        check_close(again[what], drawn, hint)
        # Means of at least 300 products of independent numbers with variance one are beyond seven
        # standard deviations once in 10^9 times.
        assert (drawn * following[what]).mean().abs() < 7 / drawn.numel() ** 0.5, (
            f"two calls with one generator gave the same {what}: do not seed it yourself."
        )


# %% tags=["wrong"]
def ddpm_loss__asks_for_the_action(noise_model, actions, observations, alpha_bar, generator):
    """The network is asked for the action: here it should predict the noise."""
    k, noise = _ddpm_draws(actions, alpha_bar, generator)
    noisy = _ddpm_noisy(actions, noise, alpha_bar[k][:, None])
    return (noise_model(noisy, k, observations) - actions).square().sum(1).mean()


def ddpm_loss__asks_for_the_velocity(noise_model, actions, observations, alpha_bar, generator):
    """The network is asked for action minus noise, as in flow matching: here it should predict the noise."""
    k, noise = _ddpm_draws(actions, alpha_bar, generator)
    noisy = _ddpm_noisy(actions, noise, alpha_bar[k][:, None])
    return (noise_model(noisy, k, observations) - actions + noise).square().sum(1).mean()


def ddpm_loss__forgets_the_roots(noise_model, actions, observations, alpha_bar, generator):
    """The mix has no square roots: ᾱ and 1 − ᾱ are shares of the variance, their roots are the factors."""
    return _ddpm(
        noise_model, actions, observations, alpha_bar, generator, mix=lambda kept: (kept, 1 - kept)
    )


def ddpm_loss__takes_one_root(noise_model, actions, observations, alpha_bar, generator):
    """Only the action's factor has a square root: the noise's has one too."""
    return _ddpm(
        noise_model,
        actions,
        observations,
        alpha_bar,
        generator,
        mix=lambda kept: (kept.sqrt(), 1 - kept),
    )


def ddpm_loss__subtracts_the_root(noise_model, actions, observations, alpha_bar, generator):
    """The noise's factor is 1 − √ᾱ: it should be √(1 − ᾱ), so that the variances add up to one."""
    return _ddpm(
        noise_model,
        actions,
        observations,
        alpha_bar,
        generator,
        mix=lambda kept: (kept.sqrt(), 1 - kept.sqrt()),
    )


def ddpm_loss__swaps_action_and_noise(noise_model, actions, observations, alpha_bar, generator):
    """Action and noise have each other's factor: ᾱ near one means that nearly all of the action is left."""
    return _ddpm(
        noise_model,
        actions,
        observations,
        alpha_bar,
        generator,
        mix=lambda kept: ((1 - kept).sqrt(), kept.sqrt()),
    )


def ddpm_loss__multiplies_up_once_more(noise_model, actions, observations, alpha_bar, generator):
    """The product over the timesteps is taken again: alpha_bar is that product already."""
    again = alpha_bar.cumprod(0)
    return _ddpm(noise_model, actions, observations, again, generator)


def ddpm_loss__shares_one_timestep(noise_model, actions, observations, alpha_bar, generator):
    """One timestep is drawn for the whole batch: every row needs its own."""
    k = torch.randint(len(alpha_bar), (1,), generator=generator).expand(len(actions))
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, k=k)


def ddpm_loss__never_draws_the_last(noise_model, actions, observations, alpha_bar, generator):
    """The last timestep is never drawn: the upper bound of randint is exclusive already."""
    k = torch.randint(max(1, len(alpha_bar) - 1), (len(actions),), generator=generator)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, k=k)


def ddpm_loss__never_draws_the_first(noise_model, actions, observations, alpha_bar, generator):
    """Timestep 0 is never drawn: counting begins there."""
    low = min(1, len(alpha_bar) - 1)
    k = torch.randint(low, len(alpha_bar), (len(actions),), generator=generator)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, k=k)


def ddpm_loss__is_one_timestep_off(noise_model, actions, observations, alpha_bar, generator):
    """The action is made noisy by the timestep before: the model must be told the one that was used."""
    return _ddpm(
        noise_model,
        actions,
        observations,
        alpha_bar,
        generator,
        used=lambda k: (k - 1).clamp(min=0),
    )


def ddpm_loss__rounds_the_timesteps(noise_model, actions, observations, alpha_bar, generator):
    """A rounded uniform number is half as likely to be the first or the last: draw integers."""
    uniform = torch.rand(len(actions), generator=generator)
    k = (uniform * (len(alpha_bar) - 1)).round().long()
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, k=k)


def ddpm_loss__tells_a_time(noise_model, actions, observations, alpha_bar, generator):
    """The model is told timesteps as fractions: it takes the integers themselves, dtype long."""
    return _ddpm(
        noise_model, actions, observations, alpha_bar, generator, told=lambda k: k / len(alpha_bar)
    )


def ddpm_loss__tells_alpha_bar(noise_model, actions, observations, alpha_bar, generator):
    """The model is told ᾱ: it takes the timesteps, dtype long."""
    return _ddpm(
        noise_model, actions, observations, alpha_bar, generator, told=lambda k: alpha_bar[k]
    )


def ddpm_loss__tells_the_timesteps_left(noise_model, actions, observations, alpha_bar, generator):
    """The model is told how many timesteps are left: tell it the one that was drawn."""
    return _ddpm(
        noise_model,
        actions,
        observations,
        alpha_bar,
        generator,
        told=lambda k: len(alpha_bar) - 1 - k,
    )


def ddpm_loss__gives_the_timesteps_an_axis(
    noise_model, actions, observations, alpha_bar, generator
):
    """The timesteps have shape (batch, 1) when the model gets them: it takes (batch,)."""
    return _ddpm(
        noise_model, actions, observations, alpha_bar, generator, told=lambda k: k[:, None]
    )


def ddpm_loss__shares_noise_between_rows(noise_model, actions, observations, alpha_bar, generator):
    """All rows share one draw of the noise: every row needs its own."""
    noise = torch.randn(1, actions.shape[1], generator=generator).expand_as(actions)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__draws_uniform_noise(noise_model, actions, observations, alpha_bar, generator):
    """The noise is uniform: it should be standard normal."""
    noise = 12**0.5 * (torch.rand(actions.shape, generator=generator) - 0.5)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__scales_the_noise(noise_model, actions, observations, alpha_bar, generator):
    """The noise is a tenth too strong: its standard deviation should be one."""
    noise = 1.1 * torch.randn(actions.shape, generator=generator)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__cuts_the_noise_off(noise_model, actions, observations, alpha_bar, generator):
    """Noise beyond ±2 is cut off: draw from the whole normal distribution."""
    noise = torch.randn(actions.shape, generator=generator).clamp(-2, 2)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__takes_noise_from_a_seed_of_its_own(
    noise_model, actions, observations, alpha_bar, generator
):
    """The noise comes from a seed of its own, the same at every call: draw it from `generator`."""
    noise = torch.randn(actions.shape, generator=torch.Generator().manual_seed(0))
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__goes_back_to_the_seed(noise_model, actions, observations, alpha_bar, generator):
    """The noise starts again from the generator's first seed at every call: go on drawing from `generator`."""
    source = torch.Generator().manual_seed(generator.initial_seed())
    noise = torch.randn(actions.shape, generator=source)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__makes_the_noise_weak(noise_model, actions, observations, alpha_bar, generator):
    """The noise's standard deviation is 0.95: it should be one."""
    noise = 0.95 * torch.randn(actions.shape, generator=generator)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__repeats_the_timesteps(noise_model, actions, observations, alpha_bar, generator):
    """A third of the timesteps are drawn, and used three times: every row needs its own."""
    third = torch.randint(len(alpha_bar), ((len(actions) + 2) // 3,), generator=generator)
    k = third.repeat(3)[: len(actions)]
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, k=k)


def ddpm_loss__computes_in_float64(noise_model, actions, observations, alpha_bar, generator):
    """The network is given float64: it takes float32."""
    return _ddpm(noise_model, actions.double(), observations, alpha_bar.double(), generator)


def ddpm_loss__changes_the_schedule(noise_model, actions, observations, alpha_bar, generator):
    """alpha_bar is replaced by its roots in place: at the next call they are no longer shares of the variance."""
    loss = _ddpm(noise_model, actions, observations, alpha_bar, generator)
    alpha_bar.sqrt_()
    return loss


def ddpm_loss__keeps_off_the_ends(noise_model, actions, observations, alpha_bar, generator):
    """alpha_bar is kept between 0.02 and 0.98: take the schedule as it is given."""
    return _ddpm(noise_model, actions, observations, alpha_bar.clamp(0.02, 0.98), generator)


def ddpm_loss__ignores_the_generator(noise_model, actions, observations, alpha_bar, generator):
    """The noise comes from the global seed: pass the generator on."""
    noise = torch.randn_like(actions)
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, noise=noise)


def ddpm_loss__takes_timesteps_from_the_global_seed(
    noise_model, actions, observations, alpha_bar, generator
):
    """The timesteps come from the global seed: draw them from the generator too."""
    k = torch.randint(len(alpha_bar), (len(actions),))
    return _ddpm(noise_model, actions, observations, alpha_bar, generator, k=k)


def ddpm_loss__seeds_the_generator(noise_model, actions, observations, alpha_bar, generator):
    """The generator is seeded anew at every call: the model would see the same noise for ever."""
    return _ddpm(noise_model, actions, observations, alpha_bar, generator.manual_seed(0))


def ddpm_loss__hides_the_observations(noise_model, actions, observations, alpha_bar, generator):
    """The model gets zeros for observations: pass on what you are given."""
    return _ddpm(noise_model, actions, torch.zeros_like(observations), alpha_bar, generator)


def ddpm_loss__averages_over_numbers(noise_model, actions, observations, alpha_bar, generator):
    """The mean runs over the action's numbers too: sum over these, average over the batch only."""
    loss = _ddpm(noise_model, actions, observations, alpha_bar, generator)
    return loss / actions.shape[1]


def ddpm_loss__sums_over_the_batch(noise_model, actions, observations, alpha_bar, generator):
    """The sum runs over the batch too: average over it."""
    return _ddpm(noise_model, actions, observations, alpha_bar, generator) * len(actions)


def ddpm_loss__weighs_by_the_noise(noise_model, actions, observations, alpha_bar, generator):
    """The rows are weighed by ᾱ / (1 − ᾱ): in DDPM's simple loss all timesteps count alike."""
    k, noise = _ddpm_draws(actions, alpha_bar, generator)
    kept = alpha_bar[k][:, None]
    error = noise_model(_ddpm_noisy(actions, noise, kept), k, observations) - noise
    return (kept / (1 - kept) * error.square()).sum(1).mean()


def ddpm_loss__detaches_the_model(noise_model, actions, observations, alpha_bar, generator):
    """The model's answer is detached: no gradient reaches it."""
    return _ddpm(noise_model, actions, observations, alpha_bar, generator).detach()


def _ddpm_draws(actions, alpha_bar, generator):
    k = torch.randint(len(alpha_bar), (len(actions),), generator=generator)
    return k, torch.randn(actions.shape, generator=generator)


def _ddpm_noisy(actions, noise, kept):
    return kept.sqrt() * actions + (1 - kept).sqrt() * noise


def _ddpm(
    noise_model,
    actions,
    observations,
    alpha_bar,
    generator,
    k=None,
    noise=None,
    mix=lambda kept: (kept.sqrt(), (1 - kept).sqrt()),
    used=lambda k: k,
    told=lambda k: k,
):
    drawn = _ddpm_draws(actions, alpha_bar, generator)
    k, noise = drawn[0] if k is None else k, drawn[1] if noise is None else noise
    of_action, of_noise = mix(alpha_bar[used(k)][:, None])
    noisy = of_action * actions + of_noise * noise
    return (noise_model(noisy, told(k), observations) - noise).square().sum(1).mean()


# %% tags=["right"]
def ddpm_loss__noise_first(noise_model, actions, observations, alpha_bar, generator):
    noise = torch.empty_like(actions).normal_(generator=generator)
    k = torch.multinomial(
        torch.ones(len(alpha_bar)), len(actions), replacement=True, generator=generator
    )
    noisy = alpha_bar[k].sqrt()[:, None] * actions + (1 - alpha_bar[k]).sqrt()[:, None] * noise
    predicted = noise_model(noisy, k, observations)
    return torch.nn.functional.mse_loss(predicted, noise, reduction="sum") / len(actions)


def ddpm_loss__row_by_row(noise_model, actions, observations, alpha_bar, generator):
    losses = []
    for action, seen in zip(actions, observations, strict=True):
        k = torch.randint(0, alpha_bar.numel(), (1,), generator=generator)
        noise = torch.randn(1, len(action), generator=generator)
        noisy = alpha_bar[k] ** 0.5 * action + (1 - alpha_bar[k]) ** 0.5 * noise
        losses.append((noise_model(noisy, k, seen[None]) - noise).pow(2).sum())
    return sum(losses) / len(losses)


def ddpm_loss__by_an_angle_in_float64(noise_model, actions, observations, alpha_bar, generator):
    angles = torch.arccos(alpha_bar.double().sqrt())
    k = (len(alpha_bar) * torch.rand(len(actions), generator=generator)).floor().long()
    k = k.clamp(max=len(alpha_bar) - 1)
    noise = torch.randn(actions.shape, generator=generator, dtype=torch.float64)
    noisy = torch.einsum("b,bd->bd", angles[k].cos(), actions.double())
    noisy = noisy + torch.einsum("b,bd->bd", angles[k].sin(), noise)
    error = noise_model(noisy.float(), k, observations).double() - noise
    return torch.einsum("bd,bd->", error, error) / error.shape[0]


def ddpm_loss__by_distributions_from_the_last_row(
    noise_model, actions, observations, alpha_bar, generator
):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        k = torch.distributions.Categorical(torch.ones(len(alpha_bar))).sample((len(actions),))
        noise = torch.distributions.Normal(0.0, 1.0).sample(actions.shape)
    mean = alpha_bar[k, None].sqrt() * actions
    noisy = mean + torch.sqrt(1 - alpha_bar[k, None]) * noise
    predicted = noise_model(noisy.flip(0), k.flip(0), observations.flip(0)).flip(0)
    return torch.linalg.vector_norm(predicted - noise, dim=1).pow(2).mean()


# %% [markdown]
# How much data, how much noise? Flow matching takes $t$ and $1 - t$, which add up to one: a straight line. DDPM takes two roots whose
# *squares* add up to one: a quarter of a circle. In the left panel of the next figure, a ray from the origin meets both. On one
# ray noise and data have the same ratio, so the two points differ by a factor alone, and whoever knows the factor knows the same about the
# action. So a noise model can serve the straight line: divide the point by $s = \sqrt{t^2 + (1 - t)^2}$, look up the timestep with
# the same ratio, and ask.
#
# And the predicted noise? On the straight line it is the predicted *beginning*. Beginning and present place give the velocity.

# %% [markdown] question="velocity_from_noise" points=[1, 2, 1]
# ### Question 5.10 · From noise to velocity
#
# Write `velocity_from_noise(noise, xt, t)` for the linear path.
#
# - `noise` is $x_0$, or what a network predicts for it, and `xt` is the point on the line: both `(batch, dim)`. `t` is
#   `(batch,)`, and positive.
# - Return the velocity $x_1 - x_0$ of the line on which this noise leads to this point, `(batch, dim)`.


# %% tags=["solution"]
def velocity_from_noise(noise, xt, t):
    """Return the velocity of the line that starts at the noise and is at xt at time t."""
    return (xt - noise) / t.unsqueeze(1)  # SOLUTION


# %% tags=["public"]
def test_velocity_from_noise_of_a_known_line(velocity_from_noise):
    """Whoever is 1 further after a quarter of the time has velocity 4."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    velocity = velocity_from_noise(
        torch.tensor([[2.0, 0.0, 5.0], [1.0, 1.0, 1.0]]),
        torch.tensor([[3.0, -2.0, 5.0], [7.0, 1.0, -2.0]]),
        torch.tensor([0.25, 1.0]),
    )
    check_answered(velocity, "velocity_from_noise")
    check_close(
        velocity,
        [[4.0, -8.0, 0.0], [6.0, 0.0, -3.0]],
        "the point has come from the noise to xt in time t, at a constant velocity.",
    )


# %% tags=["hidden"]
def test_velocity_from_noise_is_the_lines(velocity_from_noise):
    """On the line from noise to data it is data minus noise, for any sizes and times."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # As many rows as columns, too: there a time on the wrong axis has the right shape.
    for batch, dim in [(6, 3), (4, 4), (1, 5), (8, 1), (1, 1)]:
        noise = torch.randn(batch, dim, generator=generator)
        data = 6 * torch.randn(batch, dim, generator=generator) - 4
        times = 0.02 + 0.98 * torch.rand(batch, generator=generator)
        times[0], times[-1] = 1.0, 0.02
        points = noise + (data - noise) * times[:, None]
        velocity = velocity_from_noise(noise, points, times)
        check_answered(velocity, "velocity_from_noise")
        check_close(
            velocity, data - noise, "row i has come from its noise in time t[i].", 1e-3, 1e-3
        )
    times = torch.tensor([1e-3, 5e-3, 0.02, 0.5, 1.0])
    noise = torch.randn(5, 3, generator=generator)
    way = torch.tensor([[60.0, -60.0, 0.5], [-45.0, 1.0, 60.0]]).repeat(3, 1)[:5]
    velocity = velocity_from_noise(noise, noise + times[:, None] * way, times)
    check_answered(velocity, "velocity_from_noise")
    # Rounding of numbers of size 4, a few times 2.4e-7, is divided by the smallest time, 0.001.
    hint = "early times and fast lines count too: take the time as it is, and the whole way."
    check_close(velocity, way, hint, rtol=1e-4, atol=2e-3)


def test_velocity_from_noise_keeps_the_gradient_and_its_arguments(velocity_from_noise):
    """The gradient flows through, and what was given stays as it was."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    noise, points = torch.randn(2, 5, 3, generator=generator)
    times = 0.1 + 0.9 * torch.rand(5, generator=generator)
    times[2], times[3] = 0.02, 0.002
    before = [tensor.clone() for tensor in (noise, points, times)]
    noise.requires_grad_()
    points.requires_grad_()
    velocity = velocity_from_noise(noise, points, times)
    check_answered(velocity, "velocity_from_noise")
    assert getattr(velocity, "requires_grad", False), (
        "no gradient flows: a network that predicts noise may be trained through this."
    )
    velocity.sum().backward()
    expected = -1 / times[:, None].expand(5, 3)
    for given, sign in ((noise, 1), (points, -1)):
        assert given.grad is not None, "no gradient reaches noise or points: do not detach."
        check_close(given.grad, sign * expected, "the gradient is 1 / t, or minus that.", 1e-3)
    for given, kept in zip((noise, points, times), before, strict=True):
        check_close(given, kept, "an argument was changed in place: compute a new tensor.")


# %% tags=["wrong"]
def velocity_from_noise__forgets_the_time(noise, xt, t):
    """This is the way so far: the velocity is the way divided by the time that it took."""
    return xt - noise


def velocity_from_noise__divides_by_the_time_left(noise, xt, t):
    """The way from the noise to xt took t, not 1 − t."""
    return (xt - noise) / (1 - t).clamp(min=1e-6)[:, None]


def velocity_from_noise__turns_round(noise, xt, t):
    """The velocity points back to the noise: its sign is wrong."""
    return (noise - xt) / t[:, None]


def velocity_from_noise__returns_the_data(noise, xt, t):
    """This is the line's end, the data: the velocity is data minus noise."""
    return (xt - (1 - t[:, None]) * noise) / t[:, None]


def velocity_from_noise__returns_what_is_left(noise, xt, t):
    """This is the way from xt to the data: the velocity is the whole way, from the noise."""
    return (xt - (1 - t[:, None]) * noise) / t[:, None] - xt


def velocity_from_noise__takes_roots(noise, xt, t):
    """These are DDPM's square roots: the linear path mixes with t and 1 − t themselves."""
    data = (xt - (1 - t[:, None]).sqrt() * noise) / t[:, None].sqrt()
    return data - noise


def velocity_from_noise__multiplies_by_the_time(noise, xt, t):
    """The way is multiplied by the time: divide by it."""
    return (xt - noise) * t[:, None]


def velocity_from_noise__puts_the_time_on_the_columns(noise, xt, t):
    """The times run along the columns: give `t` a second axis, one time for each row."""
    return (xt - noise) / (t if len(t) == xt.shape[1] else t[:, None])


def velocity_from_noise__uses_the_first_time(noise, xt, t):
    """The first row's time serves for all rows: each has its own."""
    return (xt - noise) / t[0]


def velocity_from_noise__keeps_off_zero(noise, xt, t):
    """0.1 is added to the time to be safe from zero: times are positive, and this makes every velocity too small."""
    return (xt - noise) / (t[:, None] + 0.1)


def velocity_from_noise__clamps_the_time(noise, xt, t):
    """Early times are taken for 0.3: early velocities come out too small."""
    return (xt - noise) / t[:, None].clamp(min=0.3)


def velocity_from_noise__keeps_off_early_times(noise, xt, t):
    """Times below 0.05 are taken for 0.05: every time is positive, take it as it is."""
    return (xt - noise) / t.clamp(min=0.05)[:, None]


def velocity_from_noise__gives_early_times_up(noise, xt, t):
    """Early points get no velocity: they have the velocity of their line, as all others."""
    return torch.where(t[:, None] < 0.05, 0.0, (xt - noise) / t[:, None])


def velocity_from_noise__cuts_fast_velocities(noise, xt, t):
    """Velocities beyond ±20 are cut off: the data may lie far away."""
    return ((xt - noise) / t[:, None]).clamp(-20, 20)


def velocity_from_noise__detaches_the_points(noise, xt, t):
    """The points are detached: the velocity depends on them as well."""
    return (xt.detach() - noise) / t[:, None]


def velocity_from_noise__detaches_the_noise(noise, xt, t):
    """The noise is detached: no gradient reaches the network that predicted it."""
    return (xt - noise.detach()) / t[:, None]


# %% tags=["right"]
def velocity_from_noise__by_way_of_the_data(noise, xt, t):
    share = t.reshape(-1, 1)
    data = (xt - (1 - share) * noise) / share
    return data - noise


def velocity_from_noise__by_loops(noise, xt, t):
    return torch.stack([(x - e) / time for e, x, time in zip(noise, xt, t, strict=True)])


def velocity_from_noise__by_einsum_in_float64(noise, xt, t):
    way = xt.double() - noise.double()
    return torch.einsum("bd,b->bd", way, t.double().reciprocal())


def velocity_from_noise__as_a_linear_system(noise, xt, t):
    return torch.linalg.solve(torch.diag(t), xt - noise)


# %% [markdown]
# Both ways must then give the same field. To see it, train a noise model on the two corners, by your `ddpm_loss` and on DDPM's circle, and
# convert it. It has never seen a straight line.


# %%
NUM_TIMESTEPS = 100
# Even steps along the quarter circle, without its two ends: the cosine schedule.
ANGLES = math.pi / 2 * torch.arange(1, NUM_TIMESTEPS + 1) / (NUM_TIMESTEPS + 1)
ALPHA_BAR = ANGLES.cos() ** 2


class NoiseModel(torch.nn.Module):
    """A network that predicts the noise in points of the plane. There is nothing to observe."""

    def __init__(self, seed, width=64):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(3, 2, width, generator=generator)

    def forward(self, noisy, timesteps, observations=None):
        share = (timesteps / NUM_TIMESTEPS).unsqueeze(1)
        return self.network(torch.cat([noisy, share], dim=1))


def train_noise_model(data, seed=0, steps=1200):
    """Train a noise model by DDPM's loss."""
    generator = torch.Generator().manual_seed(seed)
    model = NoiseModel(seed)

    def loss():
        actions = draw_rows(data, generator)
        nothing = torch.zeros(len(actions), 0)
        return answered(ddpm_loss(model, actions, nothing, ALPHA_BAR, generator), "ddpm_loss")

    minimize(loss, model.parameters(), steps, learning_rate=1e-2)
    return model


def as_field(noise_model):
    """Return the field on the straight line that a noise model means."""

    def velocity(points, times, observations=None):
        angles = torch.atan2(1 - times, times)  # of the ray with this ratio of noise and data
        timesteps = (angles * (NUM_TIMESTEPS + 1) / (math.pi / 2)).round().long() - 1
        size = (times**2 + (1 - times) ** 2).sqrt().unsqueeze(1)
        noise = noise_model(points / size, timesteps.clamp(0, NUM_TIMESTEPS - 1), observations)
        return answered(velocity_from_noise(noise, points, times), "velocity_from_noise")

    return velocity


# %% [markdown]
# Two checks. First without any network: the *exact* noise prediction is the mean beginning of all lines that pass, and converting
# it must give the exact field. Then the trained one.


# %%
@torch.no_grad()
def off_by(velocity, exact, data, now, seed=0, count=4000):
    """Return the root mean squared distance of a field from the exact one, where lines are at a time."""
    generator = torch.Generator().manual_seed(seed)
    ends = draw_rows(data, generator, count)
    starts, times = torch.randn(ends.shape, generator=generator), torch.full((count,), now)
    points, _ = answered(interpolate(starts, ends, times), "interpolate")
    apart = velocity(points, times) - exact(points, times)
    return float(apart.square().sum(dim=1).mean().sqrt())


# %% tags=["train"]
exact, actions = exact_field(DATA["two corners"]), DATA["two corners"]
noise_model = train_noise_model(actions)
converted = as_field(noise_model)


def exact_beginning(points, times):
    """Return the mean noise of all lines that pass: where they are, less the way that they came."""
    return points - times.unsqueeze(1) * exact(points, times)


def by_noise(points, times):
    velocity = velocity_from_noise(exact_beginning(points, times), points, times)
    return answered(velocity, "velocity_from_noise")


print(
    f"exact noise, converted: off by {max(off_by(by_noise, exact, actions, t) for t in (0.1, 0.5, 0.9)):.1g}"
)
clock = torch.linspace(0.02, 0.95, 24).tolist()
distances = {
    "flow": [off_by(fields["two corners"], exact, actions, now) for now in clock],
    "diffusion": [off_by(converted, exact, actions, now) for now in clock],
}

figure, (mixtures, arrows, errors) = plt.subplots(1, 3, figsize=(11.4, 3.5))
plot_mixtures(mixtures, ALPHA_BAR).set_title("Two ways to mix")
plot_arrows(arrows, exact, 0.5, "0.75", width=1e-2)
plot_arrows(arrows, converted, 0.5, "black")
arrows.set(title="t = 0.5: exact (wide), converted (thin)", xlabel="steer", ylabel="speed")
labels = {"flow": "predicts the velocity", "diffusion": "predicts the noise, converted"}
for name, values in distances.items():
    look = POLICY_LOOKS[name]
    errors.semilogy(clock, values, color=look.color, ls=look.linestyle, label=labels[name])
errors.set(title="Distance from the exact field", xlabel="t", ylabel="root mean square")
errors.legend(fontsize=8)
show(
    figure,
    alt="Left: a straight line and a quarter circle between noise and data, joined by rays. Middle: near the data, thin arrows of the converted noise model "
    "lie on the wide ones of the exact field; far out they differ. Right: the converted model is far off near t = 0 and close later.",
    caption="One family. Left: what points are made of. Middle: nearly the same field, where data are near. Right: the same error weighs differently.",
)

# %% [markdown]
# In exact arithmetic the three, velocity, noise and action, say the same: any one of them and the present place give the others. So what
# differs? **Where the errors fall.** The network's error in the noise is divided by $t$ to become an error in the velocity. Early on, when $t$ is
# small, that blows it up, as the right panel shows.
#
# The samplers are relatives too. DDIM's step reads: from the predicted noise work out the clean action, then mix the two again, with a little less
# noise.


# %%
def ddim_sample(noise_model, noisy, num_steps):
    """Go down DDPM's timesteps from noise to data, without drawing any noise on the way."""
    stops = torch.linspace(NUM_TIMESTEPS - 1, 0, num_steps).round().long()
    # After the last step nothing but data is left: the angle 0.
    for timestep, angle, following in zip(
        stops, ANGLES[stops], [*ANGLES[stops][1:], torch.tensor(0.0)], strict=True
    ):
        predicted = noise_model(noisy, timestep.expand(len(noisy)))
        clean = (noisy - angle.sin() * predicted) / angle.cos()
        noisy = following.cos() * clean + following.sin() * predicted
    return noisy


def euler_on_the_line(noise_model, noisy, num_steps):
    """Do the same by Euler's method: on the straight line, with velocities from the noise model."""
    stops = torch.linspace(NUM_TIMESTEPS - 1, 0, num_steps).round().long()
    times = ANGLES[stops].cos() / (ANGLES[stops].cos() + ANGLES[stops].sin())
    points = noisy / (
        ANGLES[stops[0]].cos() + ANGLES[stops[0]].sin()
    )  # from the circle to the line
    for timestep, now, later in zip(stops, times, [*times[1:], torch.tensor(1.0)], strict=True):
        size = (now**2 + (1 - now) ** 2).sqrt()
        predicted = noise_model(points / size, timestep.expand(len(points)))
        points = points + (later - now) * velocity_from_noise(
            predicted, points, now.expand(len(points))
        )
    return points


# %% tags=["train"]
start = torch.randn(1000, 2, generator=torch.Generator().manual_seed(8))
with torch.no_grad():
    clouds = {
        "DDIM, 20 steps": ("diffusion", ddim_sample(noise_model, start, 20)),
        "Euler on the line, 20 steps": ("diffusion", euler_on_the_line(noise_model, start, 20)),
        "flow matching, 20 steps": ("flow", euler_sample(fields["two corners"], start, 20, start)),
    }
ddim, euler = (cloud for _, cloud in list(clouds.values())[:2])
print(f"DDIM and Euler on the line differ by at most {float((ddim - euler).abs().max()):.1g}")
figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.2), sharex=True, sharey=True)
for axes, (name, (look, cloud)) in zip(panels, clouds.items(), strict=True):
    plot_plane(axes, cloud, look, limit=PLANE)
    distance = energy_distance(cloud, actions)
    axes.set(
        title=f"{name}\nenergy distance {distance:.3f}",
        xlabel="steer",
        xticks=(-2, 0, 2),
        yticks=(-2, 0, 2),
    )
panels[0].set_ylabel("speed")
show(
    figure,
    alt="Three planes, each with two clusters of samples at the drivers' corners.",
    caption="The same noise, followed by two networks. DDIM and Euler on the straight line are one and the same.",
)

# %% [markdown]
# DDIM *is* Euler's method on the straight line, step for step. DDPM's own sampler also draws fresh noise in every step, and its
# authors took a thousand of them. In the picture the diffusion model's cloud is the coarser one: its first steps are those in which its errors
# weigh most. So the two methods, which look so different, differ in three things: how data and noise are mixed, what is predicted, and which
# errors weigh most.
#
# ## The course so far
#
# Seven classes now stand side by side, on notebook 4's two roads. `python -m benchmarks.policies` trained ten seeds of each on the CPU: 200
# demonstrations a seed, the same layers, parameters within 5 %, 100 test drives. Flow and diffusion take ten steps for each action.

# %% tags=["train"]
comparison = recorded_comparison()
display(Markdown(comparison_table(comparison)))

# %% tags=["train"]
straight, diagonal = dict.fromkeys(result.road for result in comparison)
figure, panels = plt.subplots(1, 3, figsize=(11, 4.0), width_ratios=(1.3, 1, 1))
plot_success_by_road(panels[0], comparison).set_title("Does it arrive?")
plot_excess_nats(panels[1], comparison).set_title("How surprised is it?")
plot_sides(panels[2], comparison, diagonal).set_title("Which way does it go?")
show(
    figure,
    alt="Three panels with a row for each class. Mixture, autoregressive bins and flow arrive nearly always, on both roads; diffusion in about nine of "
    "ten drives. Flow and diffusion have no density to show.",
    caption="Ten seeds of each class, 1,000 drives on each road. Full markers: straight, hollow: turned.",
)

# %% [markdown]
# **Who arrives?** Flow arrives in more than 95 % of the drives on both roads: it neither knows nor cares along which axes an action is measured, since
# its watershed may run in any direction. Diffusion with as few steps arrives in about nine of ten. You have seen one reason above.
#
# **Is it a good model?** The table cannot say. A flow samples, but its density has to be worked out by following the field backwards (a stretch
# goal). Mixtures and bins hand it to you.
#
# **What does it cost?** Ten passes of the network for one action, instead of one. Flow and diffusion are the slowest of the seven. In return, an action of seven numbers,
# or a chunk of fifty, takes just as many passes: all numbers become clear together. Notebook 4's policies needed a pass for each.
#
# On this road nothing beats the mixture. It has two modes, and somebody knew. Flows earn their place where actions are long and nobody knows:
# that is the next notebook.
#
# ### Play with it
#
# Thousands of particles start as noise, and your `euler_sample` moves them. Press *Play*, or drag the time. The arrows are the field at this
# moment: learned, your `exact_velocity`, or the difference of the two. Click a particle to see which data points the exact field averages there, and how much each of them counts.
#
# - Two corners, one step. Where do all particles land, and why? Then 2, 5, 20 steps. Stop the time halfway: when has the choice been made?
# - Click a particle near the watershed, and one far from it, at $t = 0.2$ and at $t = 0.8$. How many data points still count?
# - Switch between the learned field and the exact one on the ring. Which of them lands *on* the drivers' actions? Which would you rather drive with?
# - Draw points of your own: one, then two, then two that lie close together. At which time do the paths part?
# - Choose the fork, and move through its states: the first nine moments of one drive. Where does the policy's field have a watershed, and
#   where does it have none? Is there a state with more than two ends?
#
# After a restart of the kernel, run the cell again to get the widget back.


# %%
def scenes_of_the_fork(actor, demonstrations, neighbours=60):
    """Return the policy's field at the first moments of a drive, and what drivers did in such places."""
    normalize = actor.observation_normalizer.normalize
    seen = normalize(demonstrations.observations.to(device))
    did = actor.action_normalizer.normalize(demonstrations.actions.to(device))
    is_deciding = fork_drivers(Fork())["left"].actor.is_deciding
    drives = (trajectory.observations for trajectory in demonstrations.trajectories)
    drive = next(moments for moments in drives if is_deciding(moments)[3:6].any())
    scenes = []
    for moment in drive[:9]:
        here = normalize(moment.to(device)).unsqueeze(0)
        near = (seen - here).norm(dim=1).argsort()[:neighbours]
        label = f"{float(moment[4] - moment[0]):.2f} m before the obstacle"
        field = field_at(here, actor.policy)
        scenes.append(FlowScene("the fork", did[near], field, label, ("along", "across")))
    return scenes


# %% tags=["train"]
names = ("steer", "speed")
scenes = [FlowScene(name, data, fields[name], axes=names) for name, data in DATA.items()]
fork = scenes_of_the_fork(actors[0], demonstrations)
flow = FollowTheFlow([*scenes, fork], exact_velocity=exact_velocity, euler_sample=euler_sample)
flow

# %% [markdown] question="fifty_hertz" points=[]
# ### Question 5.11 · Fifty times a second
#
# A robot arm wants a new action every 20 ms. One pass of your network takes 4 ms on its computer, and an action has 14 numbers. Which of the
# course's policies would you put on it? How many steps would you give a flow? What could you do if you need more?

# %% [markdown] tags=["solution"]
# In 20 ms there is time for five passes, minus what the rest needs. Autoregression needs 14 and is out, unless its last layers alone are
# repeated. A mixture needs one, and if somebody knows how many components such a robot's actions need, it is a good choice; independent bins
# need one and invent actions. A flow with three or four evaluations fits, as Euler steps or as one or two midpoint steps, and on our fork two midpoint
# steps are already as good as ten Euler steps; I would measure the success of each before I decide. If it needs more steps, predict a chunk of several actions at once: then the time for one
# prediction is shared by all of them, and with chunks of ten there are 200 ms. Straighter paths (reflow, better pairs) buy the same quality
# with fewer steps.

# %% [markdown]
# ## What you have seen
#
# - Regression from noise to actions learns the mean, because noise and action are drawn independently.
# - Regression to the velocity of random lines learns a mean too, at every place and time: a field, whose paths end at the data.
# - The loss is a floor plus the field's error. Only the error is the network's, and the floor is most of what you see.
# - For a finite data set the exact field is a softmax over the data. One Euler step along it is idea 0.
# - Euler has order one, the midpoint method order two, at twice the cost of a step. It may well pay: count evaluations, not steps.
# - Given the noise, a flow is deterministic: the noise chooses the side.
# - Noise, action and velocity are three ways to say one thing. DDIM is Euler's method on the straight line.
#
# All of this was for one action at a time. A flow does not mind whether its points have two numbers or a hundred. The next notebook predicts
# whole chunks.

# %% [markdown]
# ## Stretch goals
#
# A field can do more than draw actions. It can say how likely an action is, take instructions, and be made
# straight enough for a single step. These four goals are for whoever wants to see that. Nobody grades them;
# the instructor's notebook works them out.
#
# They use small fields in the plane, trained with your `flow_matching_loss` on fresh actions of the ring and of
# the two corners, in metres per second.

# %%
from torch.func import jacrev

from imitation_lab.plots.planes import plot_table
from imitation_lab.toys import LIMIT

RING, CORNERS, BATCH = ring(), steer_or_brake(), 128


class PlaneField(torch.nn.Module):
    """A network for a velocity in the plane that looks at so many columns of the observations."""

    def __init__(self, observation_dim, generator):
        super().__init__()
        self.observation_dim = observation_dim
        self.network = MLP(3 + observation_dim, 2, width=128, depth=2, generator=generator)

    def forward(self, points, times, observations):
        seen = observations[:, : self.observation_dim]
        return self.network(torch.cat([points, times[:, None], seen], dim=1))


# %%
def seeded(seed):
    """Return a generator that draws the same numbers every time."""
    return torch.Generator().manual_seed(seed)


def fit_field(loss, seed=0, observation_dim=0, description="a field"):
    """Train a field of the plane. `loss(field, generator)` draws a batch and returns its loss."""
    generator = seeded(seed)
    field = PlaneField(observation_dim, generator)
    losses = minimize(
        lambda: loss(field, generator),
        field.parameters(),
        1000,
        0.005,
        description,
        progress=True,
    )
    return field.requires_grad_(False), float(losses[-200:].mean())


def on_random_pairs(toy):
    """Return the loss that every flow so far was trained by: any noise with any action."""

    def loss(field, generator):
        actions = toy.sample(BATCH, generator)
        value = flow_matching_loss(field, actions, actions, generator)  # nothing to observe
        return answered(value, "flow_matching_loss")

    return loss


# %% tags=["train"]
ring_field, ring_floor = fit_field(on_random_pairs(RING), description="the ring")
unseen = RING.sample(2000, seeded(1))  # actions that nobody was trained on

# %% [markdown] stretch="likelihood"
# ### Stretch goal 1 · How likely is an action?
#
# Notebooks 2 to 4 compared policies in nats. A flow draws actions, and no line of its code says how likely
# they are. Can we find out?
#
# A field carries probability along as a river carries water: nothing is lost on the way. Where neighbouring
# points drift apart, the density thins out, and the rate is the divergence of the field:
#
# $$
# \frac{d}{dt} \log p_t(x_t) = -\nabla \cdot v(x_t, t)
# \quad\Longrightarrow\quad
# \log p_1(x_1) = \log \mathcal N(x_0;\, 0, I) - \int_0^1 \nabla \cdot v(x_t, t)\, dt .
# $$
#
# So follow the flow backwards, from an action to the noise that it came from, and add up the divergence on
# the way. Write it, and check it twice. Take sixteen data points, and stop their exact field at $t = 0.88$:
# the lines then end in sixteen Gaussians of width $0.12$, which is the ring, whose density we know. After
# that, ask the trained field. Does its density add up to one? How many nats does it spend on an action, and
# how many does the truth?
#
# Rows of a batch do not see each other. So the derivative of a *column's sum* with respect to all points
# holds the derivative of every row: `torch.func.jacrev` gives it.


# %% tags=["solution"]
def divergence(velocity, points, times):
    """Return the trace of the velocity's Jacobian at every point, shape (batch,)."""
    # BEGIN SOLUTION
    slopes = jacrev(lambda x: velocity(x, times, x).sum(dim=0))(points)
    return slopes.diagonal(dim1=0, dim2=2).sum(dim=1)  # slopes: (dim, batch, dim)
    # END SOLUTION


# %% tags=["solution"]
def flow_log_prob(velocity, actions, num_steps=20):
    """Return the log density of actions under a flow, in nats: the midpoint rule, backwards."""
    # BEGIN SOLUTION
    points, gathered, step = actions, torch.zeros(len(actions)), 1 / num_steps
    for index in reversed(range(num_steps)):
        times = torch.full((len(actions),), (index + 1) * step)
        middle = points - step / 2 * velocity(points, times, points)
        gathered = gathered + step * divergence(velocity, middle, times - step / 2)
        points = points - step * velocity(middle, times - step / 2, points)
    return torch.distributions.Normal(0, 1).log_prob(points).sum(dim=1) - gathered
    # END SOLUTION


# %% tags=["solution"]
def sixteen_points(stop=0.88):
    """Return the exact field of sixteen points up to the time when they have become the ring."""
    # BEGIN SOLUTION
    points = RING.distribution.component_distribution.mean / stop
    return up_to(exact_field(points), stop)
    # END SOLUTION


# %% tags=["solution"]
for num_steps in (10, 20, 40):
    # Compare the sixteen points' flow with the ring's own density, on unseen actions.
    # BEGIN SOLUTION
    errors = flow_log_prob(sixteen_points(), unseen, num_steps) - RING.log_prob(unseen)
    print(f"sixteen points, {num_steps} steps: off by {float(errors.abs().mean()):.4f} nats")
    # END SOLUTION


# %% tags=["solution"]
def cells_of(log_prob, count=61):
    """Return the probability of every cell of a grid, from the density in its middle."""
    # BEGIN SOLUTION
    width = 2 * LIMIT / count
    middles = torch.linspace(-LIMIT + width / 2, LIMIT - width / 2, count)
    return log_prob(torch.cartesian_prod(middles, middles)).exp().reshape(count, count) * width**2
    # END SOLUTION


# %% tags=["solution"]
def compare_densities():
    """Draw the trained field's density beside the truth, and what both say of single actions."""
    # BEGIN SOLUTION
    truth, learnt = (
        cells_of(RING.log_prob),
        cells_of(lambda x: flow_log_prob(ring_field, x)),
    )
    true_nats, nats = -RING.log_prob(unseen), -flow_log_prob(ring_field, unseen)
    print(f"the flow's density adds up to {float(learnt.sum()):.3f}")
    print(f"nats per action: truth {float(true_nats.mean()):.3f}, flow {float(nats.mean()):.3f}")

    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4))
    darkest = float(truth.max())
    plot_table(panels[0], truth, darkest=darkest).set_title("the ring", pad=34)
    plot_table(panels[1], learnt, darkest=darkest).set_title("what the flow says", pad=34)
    panels[2].scatter(true_nats, nats, s=4, alpha=0.4, color=POLICY_LOOKS["flow"].color)
    panels[2].axline((0, 0), slope=1, color="black", lw=1)
    panels[2].set(xlabel="nats by the truth", ylabel="nats by the flow", xlim=(0, 6), ylim=(0, 6))
    panels[2].set_aspect("equal")
    show(
        figure,
        alt="Two shaded planes over steer and speed show nearly the same ring. Beside them, the nats of "
        "2,000 actions by the flow against those by the truth lie scattered around the diagonal.",
        caption="A flow's density, computed and not only sampled. On average it is off by a quarter of a nat.",
    )
    # END SOLUTION


compare_densities()

# %% [markdown] tags=["solution"]
# On the sixteen points the formula is right: each time the steps are halved, the error falls to about a
# quarter, as the midpoint rule promises.
#
# The trained field's density adds up to one, as it must whatever the network has learnt: what it takes from
# one place it gives to another. Unseen actions cost it less than 0.15 nats more than the truth. And the plane
# shows what a cloud of samples hides: along its middle, the ring is about 30 % too dark.
#
# Nothing here was trained for likelihood. It comes with the field. The price is time: twenty steps with their
# derivatives, for a number that a mixture of Gaussians writes down at once.

# %% [markdown] stretch="guidance"
# ### Stretch goal 2 · Guidance
#
# A policy often gets an instruction: *left*, *right*. Some of the instructions in the data are wrong. Can we
# make the policy listen more closely than its data did?
#
# Let an instruction stand beside each action of the ring: $-1$ if it steers left, $+1$ if it steers right,
# and in one of five cases the wrong one. Train a second field $v_c$ that observes the instruction. The field
# from above is $v_u$, which never saw one. What the instruction *changes* is $v_c - v_u$, and you can ask for
# more of it:
#
# $$
# v_w(x, t) = v_u(x, t) + w \left( v_c(x, t) - v_u(x, t) \right) .
# $$
#
# Say *left* with $w = 0, 1, 3$ and $6$. Before you look: which $w$ gives back what the drivers did, and what
# will the others do?


# %% tags=["solution"]
def instructed_loss(field, generator):
    """Return the loss of a batch with instructions as observations, one in five of them wrong."""
    # BEGIN SOLUTION
    actions = RING.sample(BATCH, generator)
    instructions = actions[:, :1].sign()
    wrong = torch.rand(BATCH, 1, generator=generator) < 0.2
    told = torch.where(wrong, -instructions, instructions)
    return flow_matching_loss(field, actions, told, generator)
    # END SOLUTION


# %% tags=["solution"]
def guide(conditional, unconditional, weight):
    """Return the velocity that takes the instruction `weight` times as seriously."""

    def velocity(points, times, observations):
        # BEGIN SOLUTION
        without = unconditional(points, times, observations)
        return without + weight * (conditional(points, times, observations) - without)
        # END SOLUTION

    return velocity


# %% tags=["solution"]
def say_left(conditional, unconditional, weight, seed=0):
    """Return 4,000 actions of a guided flow that is told to steer left."""
    # BEGIN SOLUTION
    noise = torch.randn(4000, 2, generator=seeded(seed))
    velocity = guide(conditional, unconditional, weight)
    return midpoint_sample(velocity, noise, 10, torch.full((4000, 1), -1.0))
    # END SOLUTION


def in_per_cent(actions):
    """Return how many steer left, how many of these brake or speed up hard, how many lie far out."""
    # BEGIN SOLUTION
    left = actions[:, 0] < 0
    hard = actions[left, 1].abs() > 0.6
    far = actions.norm(dim=1) > 1.14  # two standard deviations outside the ring's middle
    return [100 * float(share.float().mean()) for share in (left, hard, far)]
    # END SOLUTION


# %% tags=["solution"]
def say_left_louder(weights):
    """Train the second field, and draw how many steer left with each weight."""
    # BEGIN SOLUTION
    instructed_field, _ = fit_field(instructed_loss, 1, 1, "instructed")
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.6), sharey=True)
    for axes, weight in zip(panels, weights, strict=True):
        axes.scatter(*unseen.T, s=3, color="0.8", linewidths=0)
        actions = say_left(instructed_field, ring_field, weight)
        plot_plane(axes, actions[:1000], "flow", limit=1.8).set(xlabel="steer, m/s")
        left, hard, far = in_per_cent(actions)
        print(f"w = {weight}: {left:.0f} % left, {hard:.0f} % of them hard, {far:.0f} % far out")
        axes.set(
            title=f"$w$ = {weight}: {left:.0f} % steer left",
            xticks=[-1, 0, 1],
            yticks=[-1, 0, 1],
        )
    panels[0].set_ylabel("speed, m/s")
    show(
        figure,
        alt="Four planes over steer and speed with 1,000 actions each, told to steer left. Without weight they cover "
        "the ring; with weight 1 most are on its left half; with 3 nearly all; with 6 they crowd at "
        "the far left and partly outside the ring.",
        caption="Grey: the drivers. Weight 1 does as the data did. More obeys better, and then leaves the data.",
    )
    # END SOLUTION


say_left_louder((0, 1, 3, 6))

# %% [markdown] tags=["solution"]
# With $w = 0$ nobody hears the instruction: half steer left. With $w = 1$ rather more than three in four do,
# nearly as often as the instructions in the data were right. With $w = 3$ all but a few in a hundred do. That
# is no better *model* of the drivers. It is a more obedient policy than they were.
#
# It has a price. With $w = 6$ the actions crowd together: only about half as many of them brake or speed up
# hard. And they steer harder than anybody was told to: more than one in ten lies far outside the ring, where
# hardly a driver ever was. The sum of two fields is not the field of any distribution that somebody chose.
#
# In practice one network learns both fields: for a tenth or a fifth of the examples the instruction is left
# out.

# %% [markdown] stretch="pairing"
# ### Stretch goal 3 · Who is paired with whom?
#
# `flow_matching_loss` pairs each action with any noise. The lines between them cross, and where they cross
# the field can only average. That bends the paths, gives the loss its floor, and lets one Euler step end in
# the middle.
#
# But who says that pairs must be random? The noise must be normal and the actions the data's; who goes with
# whom is ours to choose. Within each batch, choose the pairs whose lines are shortest in total:
#
# $$
# \min_{\pi} \sum_i \left\lVert a_{\pi(i)} - \epsilon_i \right\rVert^2 ,
# $$
#
# over all permutations $\pi$: an *assignment*, which `linear_sum_assignment` solves. Train a field on these
# pairs. How far do velocities now stray from the straight line between a path's ends,
#
# $$
# \mathbb E \int_0^1 \left\lVert v(x_t, t) - (x_1 - x_0) \right\rVert^2 dt \; ?
# $$
#
# What becomes of the loss? How good are the samples after 1, 2 and 5 Euler steps?


# %% tags=["solution"]
def nearest_pairs(noise, actions):
    """Return the actions in the order that makes the lines from the noise shortest in total."""
    from scipy.optimize import linear_sum_assignment

    # BEGIN SOLUTION
    _, order = linear_sum_assignment(torch.cdist(noise, actions).square())
    return actions[order]
    # END SOLUTION


# %% tags=["solution"]
def pairs_loss(field, noise, actions, generator):
    """Return the flow-matching loss of pairs that somebody chose."""
    # BEGIN SOLUTION
    times = torch.rand(len(noise), generator=generator)
    points, velocity = interpolate(noise, actions, times)
    return (field(points, times, points) - velocity).square().sum(dim=1).mean()
    # END SOLUTION


def on_nearest_pairs(toy):
    """Return the loss of batches that are paired so that the lines are short."""

    def loss(field, generator):
        # BEGIN SOLUTION
        actions = toy.sample(BATCH, generator)
        noise = torch.randn(actions.shape, generator=generator)
        return pairs_loss(field, noise, nearest_pairs(noise, actions), generator)
        # END SOLUTION

    return loss


# %% tags=["solution"]
def straying(field, noise, num_steps=50):
    """Return the mean squared distance of the velocity from that of a straight line."""
    # BEGIN SOLUTION
    stops = path_of(field, noise, num_steps)
    velocities = num_steps * stops.diff(dim=0)
    return float((velocities - (stops[-1] - stops[0])).square().sum(dim=2).mean())
    # END SOLUTION


# %% tags=["solution"]
def distances_of(field, toy, seed=0, steps=(1, 2, 5, 10)):
    """Return how far Euler's samples are from a toy's, for some numbers of steps."""
    # BEGIN SOLUTION
    generator = seeded(seed)
    noise, truth = (
        torch.randn(4000, 2, generator=generator),
        toy.sample(4000, generator),
    )
    return [energy_distance(euler_sample(field, noise, n, noise), truth) for n in steps]
    # END SOLUTION


def plot_distances(axes, fields, toy):
    """Draw the distances of two fields, and those of the toy's own samples, which nobody undercuts."""
    # BEGIN SOLUTION
    for (name, field), marker in zip(fields.items(), "os", strict=True):
        axes.plot([1, 2, 5, 10], distances_of(field, toy), marker=marker, label=name)
    first, second = (toy.sample(4000, seeded(seed)) for seed in (4, 5))
    axes.axhline(energy_distance(first, second), color="0.4", ls=":", label="the data themselves")
    axes.set(xscale="log", yscale="log", ylim=(2e-4, 8))
    axes.set(xlabel="Euler steps", ylabel="energy distance to the data")
    axes.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()
    axes.legend(loc="upper right")
    # END SOLUTION


# %% tags=["solution"]
def compare_pairs(toy):
    """Train on both kinds of pairs, and compare the loss, the paths and the distances."""
    # BEGIN SOLUTION
    random_field, random_floor = fit_field(on_random_pairs(toy), description="random pairs")
    nearest_field, nearest_floor = fit_field(on_nearest_pairs(toy), description="nearest pairs")
    print(f"loss at the end: random pairs {random_floor:.2f}, nearest pairs {nearest_floor:.2f}")

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.5))
    noise = torch.randn(100, 2, generator=seeded(2))
    fields = {"random pairs": random_field, "nearest pairs": nearest_field}
    for axes, (name, field) in zip(panels, fields.items(), strict=False):
        plot_paths(axes, path_of(field, noise, 50))
        axes.set(title=f"{name}: straying {straying(field, noise):.3f}", aspect="equal")
        axes.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), xlabel="steer, m/s", ylabel="speed, m/s")
    plot_distances(panels[2], fields, toy)
    show(
        figure,
        alt="A hundred paths from noise to two corners. With random pairs many run towards the middle and then bend to a "
        "corner; with nearest pairs they are straight. A third panel: with random pairs the energy distance falls "
        "with the number of Euler steps; with nearest pairs it is small from the first step on.",
        caption="Grey: noise; blue: actions. With near partners the paths are straight, and one step is nearly enough.",
    )
    # END SOLUTION


compare_pairs(CORNERS)

# %% [markdown] tags=["solution"]
# With near partners hardly any lines cross. The loss falls to less than a twentieth, the velocity strays
# about a hundred times less, and a single Euler step comes nearer to the corners than five do with random
# pairs. The network, its training and its steps are the same. Only the partners changed.
#
# Keep two things in mind. The lower loss does not say that this field is better: the floor fell, because the
# question became easier. And in two dimensions a batch of 128 has a near partner for everybody. Among chunks
# of sixteen numbers, is anybody near?

# %% [markdown] stretch="reflow"
# ### Stretch goal 4 · Reflow
#
# There is another way to straight paths, and it needs no assignment. A trained field is itself a way to pair:
# it leads each noise to one action. The paths of a field never cross, so these pairs are better sorted than
# random ones. Train a *second* field on them, with straight lines between the ends of the first one's paths:
#
# $$
# \left( \epsilon,\; \mathrm{flow}_1(\epsilon) \right) \quad \text{in the place of} \quad \left( \epsilon,\; a \right) .
# $$
#
# Draw 10,000 pairs from `ring_field` with `midpoint_sample`, and train on them. How good is *one* Euler step
# of the second field? This goal builds on goal 3: the loss of given pairs, and the distances, are the same.


# %% tags=["solution"]
def on_pairs_of(first, seed=0, count=10_000):
    """Return the loss of batches from the pairs that a field makes: noise, and where it leads."""
    # BEGIN SOLUTION
    noise = torch.randn(count, 2, generator=seeded(seed))
    arrivals = midpoint_sample(first, noise, 10, noise)

    def loss(field, generator):
        drawn = torch.randint(count, (BATCH,), generator=generator)
        return pairs_loss(field, noise[drawn], arrivals[drawn], generator)

    return loss
    # END SOLUTION


# %% tags=["solution"]
def compare_reflow():
    """Train the second field, take one step with each, and compare the distances."""
    # BEGIN SOLUTION
    second_field, second_floor = fit_field(on_pairs_of(ring_field), 1, description="reflow")
    print(f"loss at the end: first field {ring_floor:.2f}, second field {second_floor:.4f}")

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.5))
    noise = torch.randn(1000, 2, generator=seeded(3))
    fields = {"first field": ring_field, "second field": second_field}
    for axes, (name, field) in zip(panels, fields.items(), strict=False):
        axes.scatter(*unseen.T, s=3, color="0.8", linewidths=0)
        plot_plane(axes, euler_sample(field, noise, 1, noise), "flow")
        axes.set(title=f"{name}, one Euler step", xlabel="steer, m/s", ylabel="speed, m/s")
    plot_distances(panels[2], fields, RING)
    show(
        figure,
        alt="After one Euler step the first field has put all 1,000 actions into the middle of the ring; the second "
        "field has put them onto the ring. A third panel: the energy distance of the first field falls with the number "
        "of steps; that of the second is small from one step on.",
        caption="The second field learnt where the first one ends, and goes there in one step.",
    )
    # END SOLUTION


compare_reflow()

# %% [markdown] tags=["solution"]
# The first field's single step ends in the middle, like idea 0. The second field's single step lands on the
# ring, nearer than ten steps of the first. Its loss has almost no floor, since each noise has one goal.
# Regression from noise to data, which failed at the beginning of this notebook, works once every noise knows
# its partner.
#
# The second field learns from the first one's samples, not from the drivers: it repeats its teacher's
# mistakes. What is gained is speed, one evaluation of the network in the place of ten.

# %% [markdown]
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning. Idea 0, the training loop and the sampler are the
#   lecture's.
# - Lipman et al., *Flow matching for generative modeling*, ICLR 2023, arXiv:2210.02747.
# - Liu et al., *Flow straight and fast: learning to generate and transfer data with rectified flow*, ICLR 2023, arXiv:2209.03003. The
#   straight line, and reflow.
# - Albergo and Vanden-Eijnden, *Building normalizing flows with stochastic interpolants*, ICLR 2023, arXiv:2209.15571. The same idea, found at the
#   same time.
# - Ho et al., *Denoising diffusion probabilistic models*, NeurIPS 2020, arXiv:2006.11239.
# - Song et al., *Denoising diffusion implicit models*, ICLR 2021, arXiv:2010.02502.
# - Chi et al., *Diffusion policy: visuomotor policy learning via action diffusion*, RSS 2023, arXiv:2303.04137.
# - Black et al., *π0: a vision-language-action flow model for general robot control*, 2024, arXiv:2410.24164. Ten Euler steps, on robots.
# - NVIDIA, *GR00T N1: an open foundation model for generalist humanoid robots*, 2025, arXiv:2503.14734.
# - Chen et al., *Neural ordinary differential equations*, NeurIPS 2018, arXiv:1806.07366. The likelihood of stretch goal 1.
# - Ho and Salimans, *Classifier-free diffusion guidance*, 2022, arXiv:2207.12598. Stretch goal 2.
# - Pooladian et al., *Multisample flow matching: straightening flows with minibatch couplings*, ICML 2023, arXiv:2304.14772, and Tong et al.,
#   *Improving and generalizing flow-based generative models with minibatch optimal transport*, TMLR 2024, arXiv:2302.00482. The pairs of
#   stretch goal 3.
