# ---
# jupyter:
#   imitation_lab:
#     title: Mixtures of Gaussians
#     answers:
#     - imitation_lab.policies.mixture
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 · Mixtures of Gaussians
#
# One Gaussian cannot be two-sided. So take two. Or eight: the lecture's first generative model for
# policies is a mixture of Gaussians, and the network outputs all of it,
# $w_1, \mu_1, \sigma_1, w_2, \mu_2, \sigma_2, \dots$
#
# It is the smallest step from notebook 1, and it can say "left *or* right" for a whole chunk of actions
# at once. But what a mixture can represent and what training finds are two things. Most of this
# notebook is about the second.
#
# **When you have finished it, you can**
#
# - write the log-likelihood of a mixture so that it survives weights of $10^{-30}$;
# - say which action pulls which component, and why some components are never pulled at all;
# - sample from a mixture, and say what goes wrong when every number picks its own component;
# - explain how a likelihood can grow without end, and what stops it;
# - say why two seeds of one mixture may drive so differently, and why ten may be too few to compare two.
#
# You need notebook 1, the softmax, and derivatives of logarithms. The experiments take less than a
# minute on a laptop. Most answers are one to four lines. Time: about two and a half hours.

# %%
import math

import torch
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate
from imitation_lab.comparison import matching_width
from imitation_lab.envs import Fork
from imitation_lab.evaluation import pool
from imitation_lab.experiment import drive, players
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import MLP
from imitation_lab.normalizer import Normalizer
from imitation_lab.plots import (
    POLICY_LOOKS,
    plot_chunks,
    plot_success_rates,
    show,
    use_course_style,
)
from imitation_lab.plots.densities import (
    plot_dots,
    plot_gaussian,
    plot_mixture,
    plot_shares,
    plot_toy,
)
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.testing import check_answered
from imitation_lab.toys import three_lanes, two_drivers
from imitation_lab.training import TrainingSettings, best_device, minimize, train_ensemble
from imitation_lab.types import Policy
from imitation_lab.widgets import DragTheComponents

use_course_style()
device = best_device()

# %% tags=["variant"]
SEED = 0  # of the commands on three lanes  # VARIANT 0..30
STARTS = 0  # seed of the test drives  # VARIANT 0..9999

# %% [markdown]
# ## Several hills
#
# Three lanes lie ahead. Half of the drivers go to the left one, and are very exact about it. The others
# spread over the middle lane and the right one. What does a single Gaussian make of their commands,
# even the best one?
#
# A command below zero goes to the left, one above zero to the right, as on a number line.

# %% tags=["train"]
lanes = three_lanes()
commands = lanes.sample(300, torch.Generator().manual_seed(SEED))
figure, axes = plt.subplots(figsize=(5.6, 2.8))
plot_gaussian(plot_toy(axes, lanes), float(commands.mean()), float(commands.std()))
axes.set_xlabel("lateral command, m/s")
axes.legend(fontsize=8)
show(
    figure,
    alt="The true density has three peaks of different height and width. The single Gaussian is one "
    "low, broad hill over all of them.",
    caption="The best single Gaussian covers the lanes, and everything between them.",
)

# %% [markdown]
# A **mixture density network** (Bishop, 1994) adds up several hills. For every observation it outputs
# $K$ *components*, each with a weight, a mean and a width:
#
# $$
# p(a \mid o) = \sum_{k=1}^{K} w_k \, \mathcal{N}(a; \mu_k, \sigma_k),
# \qquad w_k \ge 0, \quad \sum_k w_k = 1.
# $$
#
# | what the network outputs | shape | what it becomes |
# |---|---|---|
# | `logits` | `(batch, components)` | the weights $w$, by a softmax over the components |
# | `means` | `(batch, components, action_dim)` | $\mu_k$, as it is |
# | `log_stds` | `(batch, components, action_dim)` | $\sigma_k$, by its exponential |
#
# With one component this is notebook 1's Gaussian. With more, each component is a Gaussian with
# independent dimensions, but *the choice of a component is one choice for all dimensions*. Keep that
# sentence in mind. It is worth hundreds of episodes in a thousand further down.

# %% [markdown] question="component_log_probs" points=[1, 2]
# ### Question 3.1 · What each component thinks
#
# Write `component_log_probs(means, log_stds, actions)`: the log density of every action under every
# component, $\log \mathcal{N}(a; \mu_k, \sigma_k)$. The weights come later.
#
# - `means` and `log_stds` are `(batch, components, action_dim)`, and `actions` is `(batch, action_dim)`.
# - Return `(batch, components)`. The formula is notebook 1's; what is new is the axis in the middle.
# - Gradients must flow through `means` and `log_stds`.


# %% tags=["solution"]
def component_log_probs(means, log_stds, actions):
    """Return the log density of each row's action under each of the row's components."""
    # BEGIN SOLUTION
    standardised = (actions.unsqueeze(1) - means) * torch.exp(-log_stds)
    log_densities = -0.5 * standardised**2 - log_stds - 0.5 * math.log(2 * math.pi)
    return log_densities.sum(dim=2)
    # END SOLUTION


# %% tags=["public"]
def test_component_log_probs_of_known_components(component_log_probs):
    """At its mean, a component with σ = 2 in two dimensions has density 1/(8π)."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, explain_shapes

    actions = torch.tensor([[1.0, -3.0]]).repeat(4, 1)
    means = torch.tensor([[1.0, -3.0], [3.0, -3.0], [1.0, 1.0]]).repeat(4, 1, 1)
    means.requires_grad_()
    log_stds = torch.full((4, 3, 2), math.log(2))
    with explain_shapes("component_log_probs", means=means, log_stds=log_stds, actions=actions):
        log_probs = component_log_probs(means, log_stds, actions)
    check_answered(log_probs, "component_log_probs")
    check_shape(log_probs, (4, 3), "one number for every row and component.")
    peak = -math.log(8 * math.pi)
    check_close(
        torch.as_tensor(log_probs)[:, 0],
        [peak] * 4,
        "at its mean a component loses log σ and ½ log 2π, once for every dimension.",
    )
    check_close(
        log_probs,
        [[peak, peak - 0.5, peak - 2.0]] * 4,
        "the other two means lie one and two σ away in one dimension: that costs ½ and 2.",
    )
    assert getattr(log_probs, "requires_grad", False), (
        "gradients must flow through means and log_stds: compute with tensors, and do not detach."
    )


# %% tags=["hidden"]
def test_component_log_probs_agree_with_torch(component_log_probs):
    """Numbers and gradients agree with torch.distributions, for any sizes and widths, near and far."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Equal sizes of two axes, too: there a wrong axis gives the right shape.
    for batch, components, action_dim, distance in [
        (7, 4, 3, 1.0),
        (1, 1, 1, 2.0),
        (4, 4, 2, 1.0),
        (3, 2, 2, 80.0),
    ]:
        shape = (batch, components, action_dim)
        means = torch.randn(shape, generator=generator)
        # From σ = 0.002 to σ = 20: whoever clamps the widths is noticed at both ends.
        log_stds = 9 * torch.rand(shape, generator=generator) - 6
        actions = distance * torch.randn(batch, action_dim, generator=generator)
        leaves = [leaf.clone().requires_grad_() for leaf in (means, log_stds)]
        log_probs = component_log_probs(*leaves, actions)
        check_answered(log_probs, "component_log_probs")
        exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
        normal = torch.distributions.Normal(exact[0], exact[1].exp())
        expected = normal.log_prob(actions.double()[:, None]).sum(dim=2)
        check_close(
            log_probs,
            expected,
            "compare each action with its own row's components, and sum over the dimensions.",
            rtol=1e-3,
            atol=1e-3,
        )
        assert getattr(log_probs, "requires_grad", False), "no gradient flows: do not detach."
        log_probs.sum().backward()
        expected.sum().backward()
        for name, leaf, wanted in zip(("means", "log_stds"), leaves, exact, strict=True):
            assert leaf.grad is not None, f"no gradient reaches the {name}: do not detach them."
            hint = f"the numbers are right, but not their gradient with respect to the {name}."
            check_close(leaf.grad, wanted.grad, hint, rtol=1e-2, atol=1e-2)


# %% tags=["wrong"]
def component_log_probs__forget_the_log_std(means, log_stds, actions):
    """The term −log σ is missing: a wide component would cost nothing."""
    standardised = (actions[:, None] - means) * torch.exp(-log_stds)
    return (-0.5 * standardised**2 - 0.5 * math.log(2 * math.pi)).sum(dim=2)


def component_log_probs__forget_the_constant(means, log_stds, actions):
    """The constant −½ log 2π of every dimension is missing."""
    return (-0.5 * ((actions[:, None] - means) * torch.exp(-log_stds)) ** 2 - log_stds).sum(dim=2)


def component_log_probs__take_log_std_for_std(means, log_stds, actions):
    """log_stds are used as if they were σ itself: take their exponential."""
    normal = torch.distributions.Normal(means, log_stds.abs() + 1e-6)
    return normal.log_prob(actions[:, None]).sum(dim=2)


def component_log_probs__take_log_std_for_log_variance(means, log_stds, actions):
    """log_stds are used as logarithms of the variance: σ² is exp(2 · log_std)."""
    normal = torch.distributions.Normal(means, torch.exp(log_stds / 2))
    return normal.log_prob(actions[:, None]).sum(dim=2)


def component_log_probs__average_over_dimensions(means, log_stds, actions):
    """Independent dimensions multiply, so their logarithms are summed, not averaged."""
    return torch.distributions.Normal(means, log_stds.exp()).log_prob(actions[:, None]).mean(dim=2)


def component_log_probs__line_up_the_wrong_axis(means, log_stds, actions):
    """The new axis of the actions stands in front: every component meets another row's action. Put it in the middle."""
    return torch.distributions.Normal(means, log_stds.exp()).log_prob(actions[None]).sum(dim=2)


def component_log_probs__leaves_the_actions_as_they_are(means, log_stds, actions):
    """Actions and means have different numbers of axes, and torch lines them up from the right: a row's action has to meet each of the row's components."""
    standardised = (actions - means) * torch.exp(-log_stds)
    return (-0.5 * standardised**2 - log_stds - 0.5 * math.log(2 * math.pi)).sum(dim=2)


def component_log_probs__sum_over_components(means, log_stds, actions):
    """The sum runs over the components: it should run over the action dimensions, and keep the components."""
    return torch.distributions.Normal(means, log_stds.exp()).log_prob(actions[:, None]).sum(dim=1)


def component_log_probs__return_densities(means, log_stds, actions):
    """These are densities: stay with their logarithms."""
    normal = torch.distributions.Normal(means, log_stds.exp())
    return normal.log_prob(actions[:, None]).sum(dim=2).exp()


def component_log_probs__clamp_the_widths(means, log_stds, actions):
    """The widths are clamped: a floor belongs into the policy. Compute with the log_stds as they are given."""
    normal = torch.distributions.Normal(means, log_stds.clamp(-5, 2).exp())
    return normal.log_prob(actions[:, None]).sum(dim=2)


def component_log_probs__detach_the_components(means, log_stds, actions):
    """Means and log_stds are detached: the numbers are right, and no component ever learns."""
    normal = torch.distributions.Normal(means.detach(), log_stds.detach().exp())
    return normal.log_prob(actions[:, None]).sum(dim=2)


def component_log_probs__multiply_densities_first(means, log_stds, actions):
    """The densities of the dimensions are multiplied before the logarithm: far away they underflow. Sum logarithms."""
    normal = torch.distributions.Normal(means, log_stds.exp())
    return normal.log_prob(actions[:, None]).exp().prod(dim=2).log()


# %% tags=["right"]
def component_log_probs__by_torch(means, log_stds, actions):
    normal = torch.distributions.Normal(means, log_stds.exp())
    return torch.distributions.Independent(normal, 1).log_prob(actions[:, None])


def component_log_probs__component_by_component(means, log_stds, actions):
    columns = []
    for k in range(means.shape[1]):
        z = (actions - means[:, k]) / torch.exp(log_stds[:, k])
        columns.append(-(z.square() / 2 + log_stds[:, k] + math.log(2 * math.pi) / 2).sum(-1))
    return torch.stack(columns, dim=1)


def component_log_probs__by_gaussian_nll_loss(means, log_stds, actions):
    actions = actions.unsqueeze(1).expand_as(means)
    gaussian_nll = torch.nn.functional.gaussian_nll_loss
    return -gaussian_nll(means, actions, (2 * log_stds).exp(), full=True, reduction="none").sum(2)


def component_log_probs__by_einsum_in_float64(means, log_stds, actions):
    error = actions.double()[:, None, :] - means.double()
    squares = torch.einsum("bkd,bkd,bkd->bk", error, error, (-2 * log_stds.double()).exp())
    constant = means.shape[-1] * math.log(2 * math.pi)
    return -0.5 * (squares + constant) - log_stds.double().sum(dim=-1)


# %% [markdown]
# ## Logarithms of sums
#
# The likelihood needs $\log \sum_k w_k \, \mathcal{N}(a; \mu_k, \sigma_k)$. Why not just compute that:
# take the exponential of your log densities, weigh them, add them up, take the logarithm? Try it, with
# a chunk of eight actions: sixteen numbers, each four standard deviations from its mean.

# %% tags=["train"]
means, log_stds = torch.zeros(1, 2, 16, requires_grad=True), torch.zeros(1, 2, 16)
log_densities = component_log_probs(means, log_stds, torch.full((1, 16), 4.0))
check_answered(log_densities, "component_log_probs")
density = (0.5 * log_densities.exp()).sum(dim=1)
density.log().sum().backward()
print(f"log densities  {log_densities.tolist()}")
print(f"density        {density.item()}")
print(f"its logarithm  {density.log().item()}")
print(f"gradient       {means.grad[0, 0, :3].tolist()} ...")

# %% [markdown]
# The density underflows to zero in float32, its logarithm is $-\infty$, and the gradient is not a
# number. One such action in the batch, and the whole network is lost. It does not take much: for a
# component with $\sigma = 0.1$ four standard deviations are a distance of 0.4.
#
# The remedy is an identity. Pull the largest term out of the sum, $m = \max_k x_k$:
#
# $$
# \log \sum_k e^{x_k} = m + \log \sum_k e^{x_k - m}.
# $$
#
# Now the largest term of the sum is exactly 1. Nothing that matters can underflow, and nothing can
# overflow. This is `torch.logsumexp`. The same happens inside `torch.log_softmax`, which turns logits into
# log weights: $\log w_k = \text{logit}_k - \log \sum_j e^{\text{logit}_j}$.

# %% [markdown] question="mixture_log_prob" points=[1, 2, 1, 1, 1, 2]
# ### Question 3.2 · The log-likelihood of a mixture
#
# Write `mixture_log_prob(logits, means, log_stds, actions)`, with shapes as in the table above. Return
# `(batch,)`: one log density for each action.
#
# Every step stays in logarithms: the weights as well as the densities. Gradients must flow through all
# three tensors.


# %% tags=["solution"]
def mixture_log_prob(logits, means, log_stds, actions):
    """Return the log density of each row's action under the row's mixture of Gaussians."""
    # BEGIN SOLUTION
    log_weights = torch.log_softmax(logits, dim=1)
    return torch.logsumexp(log_weights + component_log_probs(means, log_stds, actions), dim=1)
    # END SOLUTION


# %% tags=["public"]
def test_mixture_log_prob_between_two_equal_hills(mixture_log_prob):
    """Halfway between two equal hills the density is either hill's; on one of them it is the weighted sum."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    means = torch.tensor([[[1.0], [-1.0]]]).repeat(3, 1, 1)
    log_prob = mixture_log_prob(
        torch.full((3, 2), 7.0), means, torch.zeros(3, 2, 1), torch.zeros(3, 1)
    )
    check_answered(log_prob, "mixture_log_prob")
    check_shape(log_prob, (3,), "one log density for each row.")
    hill = -0.5 - 0.5 * math.log(2 * math.pi)
    check_close(log_prob, [hill] * 3, "equal logits of any size mean weights of one half each.")
    near, far = math.exp(hill + 0.5), math.exp(hill - 1.5)
    logits = torch.tensor([[math.log(3.0), 0.0]]).repeat(3, 1)
    log_prob = mixture_log_prob(logits, means, torch.zeros(3, 2, 1), torch.ones(3, 1))
    check_close(
        log_prob,
        [math.log(0.75 * near + 0.25 * far)] * 3,
        "with weights ¾ and ¼ the density is ¾ of one hill's plus ¼ of the other's.",
    )


# %% tags=["hidden"]
def test_mixture_log_prob_agrees_with_torch(mixture_log_prob):
    """The numbers agree with torch.distributions.MixtureSameFamily, for any sizes."""
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # The last number is the smallest log_std: widths from very small to very large.
    for batch, components, action_dim, least in [
        (7, 4, 3, -1.5),
        (5, 1, 2, -1.5),
        (1, 6, 1, -1.5),
        (4, 4, 4, -1.5),
        (2, 3, 2, -1.5),
        (6, 3, 2, -8.0),
        (6, 3, 2, 2.5),
    ]:
        shape = (batch, components, action_dim)
        logits = 2 * torch.randn(shape[:2], generator=generator)
        means = torch.randn(shape, generator=generator)
        log_stds = 2 * torch.rand(shape, generator=generator) + least
        actions = torch.randn(batch, action_dim, generator=generator)
        log_prob = mixture_log_prob(logits, means, log_stds, actions)
        check_answered(log_prob, "mixture_log_prob")
        normal = Independent(Normal(means.double(), log_stds.double().exp()), 1)
        oracle = MixtureSameFamily(Categorical(logits=logits.double()), normal)
        check_close(
            log_prob,
            oracle.log_prob(actions.double()),
            "add log weights and log densities, and reduce over the components with logsumexp.",
            rtol=1e-3,
            atol=1e-3,
        )


def test_mixture_log_prob_integrates_to_one(mixture_log_prob):
    """Over a fine grid the density adds up to one, in one dimension and in two."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for action_dim, steps in [(1, 2001), (2, 141)]:
        axis = torch.linspace(-7, 7, steps)
        grid = torch.cartesian_prod(*[axis] * action_dim).reshape(-1, action_dim)
        logits = torch.randn(1, 3, generator=generator)
        means = 2 * torch.rand(1, 3, action_dim, generator=generator) - 1
        log_stds = torch.rand(1, 3, action_dim, generator=generator) - 1
        rows = (values.repeat(len(grid), *[1] * (values.dim() - 1)) for values in (logits, means))
        log_prob = mixture_log_prob(*rows, log_stds.repeat(len(grid), 1, 1), grid)
        check_answered(log_prob, "mixture_log_prob")
        mass = torch.as_tensor(log_prob).double().exp().sum() * (14 / (steps - 1)) ** action_dim
        hint = "the density does not integrate to one: do the weights sum to one, and are the components' densities added, not their logarithms?"
        check_close(mass, 1.0, hint, rtol=1e-3)


def test_mixture_log_prob_has_the_right_invariances(mixture_log_prob):
    """Nothing changes when components change places, or when a row's logits shift together."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(6, 5, generator=generator)
    means, log_stds = torch.randn(2, 6, 5, 3, generator=generator)
    actions = torch.randn(6, 3, generator=generator)
    before = mixture_log_prob(logits, means, log_stds, actions)
    check_answered(before, "mixture_log_prob")
    order = torch.randperm(5, generator=generator).roll(1)
    moved = mixture_log_prob(logits[:, order], means[:, order], log_stds[:, order], actions)
    check_close(moved, before, "the order of the components matters: it must not.", rtol=1e-3)
    shift = 20 * torch.randn(6, 1, generator=generator)
    shifted = mixture_log_prob(logits + shift, means, log_stds, actions)
    check_close(
        shifted,
        before,
        "logits that are shifted together mean the same weights: use log_softmax over components.",
        rtol=1e-3,
        atol=1e-3,
    )


def test_mixture_log_prob_survives_extremes(mixture_log_prob):
    """Weights down to e⁻¹⁵⁰ and actions a thousand standard deviations away give the right, finite number."""
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    # Row 0: the only component that is near has a weight of 1e-30. Row 1: none is near. Row 2: logits
    # whose exponentials overflow. Row 3: the near one's weight is no float32 any more, its logarithm is.
    logits = torch.tensor(
        [[0.0, -69.0776, 0.5], [0.3, 0.0, -0.2], [120.0, 119.0, 90.0], [0, -150, 0]]
    )
    logits = logits + 0.1 * torch.randn(4, 3, generator=generator)
    means = torch.randn(4, 3, 2, generator=generator)
    means[0::3, [0, 2]] += 1000
    actions = torch.randn(4, 2, generator=generator)
    actions[1] += 1000
    leaves = [logits, means, torch.zeros(4, 3, 2)]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    log_prob = mixture_log_prob(*leaves, actions)
    check_answered(log_prob, "mixture_log_prob")
    check_finite(log_prob, "an exponential underflows or overflows: stay in logarithms throughout.")
    normal = Independent(Normal(means.double(), torch.ones(4, 3, 2, dtype=torch.float64)), 1)
    oracle = MixtureSameFamily(Categorical(logits=logits.double()), normal)
    hint = "with tiny weights or far away the number is off: stay in logarithms from the logits on."
    check_close(log_prob, oracle.log_prob(actions.double()), hint)
    assert getattr(log_prob, "requires_grad", False), "no gradient flows: do not detach."
    log_prob.sum().backward()
    for name, leaf in zip(("logits", "means", "log_stds"), leaves, strict=True):
        assert leaf.grad is not None, f"no gradient reaches the {name}."
        check_finite(leaf.grad, f"the gradient with respect to the {name} is lost far away.")


def test_mixture_log_prob_has_the_right_gradient(mixture_log_prob):
    """The gradients with respect to logits, means and log_stds are those of the exact density."""
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(5, 3, generator=generator)
    means, log_stds = torch.randn(2, 5, 3, 2, generator=generator)
    actions = torch.randn(5, 2, generator=generator)
    leaves = [leaf.clone().requires_grad_() for leaf in (logits, means, log_stds / 2)]
    log_prob = mixture_log_prob(*leaves, actions)
    check_answered(log_prob, "mixture_log_prob")
    assert getattr(log_prob, "requires_grad", False), "no gradient flows: do not detach."
    log_prob.sum().backward()
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    normal = Independent(Normal(exact[1], exact[2].exp()), 1)
    oracle = MixtureSameFamily(Categorical(logits=exact[0]), normal)
    oracle.log_prob(actions.double()).sum().backward()
    for name, leaf, wanted in zip(("logits", "means", "log_stds"), leaves, exact, strict=True):
        assert leaf.grad is not None, f"no gradient reaches the {name}: do not detach them."
        hint = f"the gradient with respect to the {name} is off."
        check_close(leaf.grad, wanted.grad, hint, rtol=1e-3, atol=1e-3)


# %% tags=["wrong"]
def mixture_log_prob__adds_raw_logits(logits, means, log_stds, actions):
    """The logits are added as they are: log_softmax makes log weights of them, which sum to one as weights."""
    return torch.logsumexp(logits + component_log_probs(means, log_stds, actions), dim=1)


def mixture_log_prob__softmax_over_the_batch(logits, means, log_stds, actions):
    """The softmax runs over the batch: each row's weights sum to one over its components."""
    log_weights = torch.log_softmax(logits, dim=0)
    return torch.logsumexp(log_weights + component_log_probs(means, log_stds, actions), dim=1)


def mixture_log_prob__adds_weights_instead_of_log_weights(logits, means, log_stds, actions):
    """The weights themselves are added to the log densities: add their logarithms."""
    weights = torch.softmax(logits, dim=1)
    return torch.logsumexp(weights + component_log_probs(means, log_stds, actions), dim=1)


def mixture_log_prob__goes_through_densities(logits, means, log_stds, actions):
    """The logarithm of a sum of exponentials: these underflow far from the means. Use logsumexp."""
    densities = component_log_probs(means, log_stds, actions).exp()
    return torch.log((torch.softmax(logits, dim=1) * densities).sum(dim=1))


def mixture_log_prob__hides_the_underflow(logits, means, log_stds, actions):
    """A small number inside the logarithm hides the underflow: far away the value is wrong, and nothing pulls any more. Use logsumexp."""
    densities = component_log_probs(means, log_stds, actions).exp()
    return torch.log((torch.softmax(logits, dim=1) * densities).sum(dim=1) + 1e-12)


def mixture_log_prob__takes_the_log_of_the_softmax(logits, means, log_stds, actions):
    """The logarithm of a softmax: a very small weight underflows first. Use log_softmax."""
    log_weights = torch.log(torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True))
    return torch.logsumexp(log_weights + component_log_probs(means, log_stds, actions), dim=1)


def mixture_log_prob__takes_the_log_of_torchs_softmax(logits, means, log_stds, actions):
    """The logarithm of a softmax, once more: below 1e-45 float32 has no weight left to take it of. Use log_softmax."""
    log_weights = torch.softmax(logits, dim=1).log()
    return torch.logsumexp(log_weights + component_log_probs(means, log_stds, actions), dim=1)


def mixture_log_prob__weighs_shifted_densities(logits, means, log_stds, actions):
    """The densities are shifted by the largest of them, the weights are not in logarithms: a tiny weight is lost."""
    log_densities = component_log_probs(means, log_stds, actions)
    largest = log_densities.amax(dim=1, keepdim=True)
    terms = torch.softmax(logits, dim=1) * (log_densities - largest).exp()
    return largest.squeeze(1) + terms.sum(dim=1).log()


def mixture_log_prob__clamps_the_widths(logits, means, log_stds, actions):
    """The widths are clamped: a floor belongs into the policy. Compute with the log_stds as they are given."""
    log_densities = component_log_probs(means, log_stds.clamp(-5, 2), actions)
    return torch.logsumexp(torch.log_softmax(logits, dim=1) + log_densities, dim=1)


def mixture_log_prob__averages_log_densities(logits, means, log_stds, actions):
    """This is the weighted mean of the logarithms. The logarithm of a sum is not the sum of the logarithms."""
    weights = torch.softmax(logits, dim=1)
    return (weights * component_log_probs(means, log_stds, actions)).sum(dim=1)


def mixture_log_prob__sums_log_densities(logits, means, log_stds, actions):
    """The components' logarithms are summed, which multiplies their densities: a mixture adds densities."""
    log_weights = torch.log_softmax(logits, dim=1)
    return (log_weights + component_log_probs(means, log_stds, actions)).sum(dim=1)


def mixture_log_prob__takes_the_largest(logits, means, log_stds, actions):
    """Only the largest term is left: the other components belong to the sum too."""
    log_weights = torch.log_softmax(logits, dim=1)
    return (log_weights + component_log_probs(means, log_stds, actions)).amax(dim=1)


def mixture_log_prob__forgets_the_weights(logits, means, log_stds, actions):
    """The weights are missing: every component counts as one."""
    return torch.logsumexp(component_log_probs(means, log_stds, actions) + 0 * logits, dim=1)


def mixture_log_prob__mixes_each_dimension(logits, means, log_stds, actions):
    """Every dimension is a mixture of its own here. One component is chosen for all dimensions together: sum over dimensions first, then logsumexp over components."""
    per_number = torch.distributions.Normal(means, log_stds.exp()).log_prob(actions[:, None])
    log_weights = torch.log_softmax(logits, dim=1)[:, :, None]
    return torch.logsumexp(log_weights + per_number, dim=1).sum(dim=1)


def mixture_log_prob__is_the_density_at_the_mixed_mean(logits, means, log_stds, actions):
    """This is one Gaussian with the components' mixed mean and width: notebook 1's, not a mixture."""
    weights = torch.softmax(logits, dim=1)[:, :, None]
    mean, log_std = (weights * means).sum(dim=1), (weights * log_stds).sum(dim=1)
    return torch.distributions.Normal(mean, log_std.exp()).log_prob(actions).sum(dim=1)


def mixture_log_prob__returns_the_loss(logits, means, log_stds, actions):
    """This is the negative log-likelihood: the sign is the wrong way round."""
    log_weights = torch.log_softmax(logits, dim=1)
    return -torch.logsumexp(log_weights + component_log_probs(means, log_stds, actions), dim=1)


def mixture_log_prob__detaches_the_weights(logits, means, log_stds, actions):
    """The weights are detached: the logits would never learn."""
    log_weights = torch.log_softmax(logits, dim=1).detach()
    return torch.logsumexp(log_weights + component_log_probs(means, log_stds, actions), dim=1)


# %% tags=["right"]
def mixture_log_prob__by_torch(logits, means, log_stds, actions):
    normal = torch.distributions.Independent(torch.distributions.Normal(means, log_stds.exp()), 1)
    weights = torch.distributions.Categorical(logits=logits)
    return torch.distributions.MixtureSameFamily(weights, normal).log_prob(actions)


def mixture_log_prob__by_two_logsumexps(logits, means, log_stds, actions):
    joint = logits + component_log_probs(means, log_stds, actions)
    return joint.logsumexp(-1) - logits.logsumexp(-1)


def mixture_log_prob__by_hand(logits, means, log_stds, actions):
    log_weights = logits - logits.logsumexp(dim=1, keepdim=True)
    squares = ((actions[:, None] - means) / log_stds.exp()).square()
    terms = log_weights - (0.5 * squares + log_stds + 0.5 * math.log(2 * math.pi)).sum(-1)
    largest = terms.amax(dim=1, keepdim=True)
    return largest.squeeze(1) + (terms - largest).exp().sum(dim=1).log()


def mixture_log_prob__one_component_after_another(logits, means, log_stds, actions):
    log_weights = torch.nn.functional.log_softmax(logits.double(), dim=-1)
    total = torch.full((len(actions),), -math.inf, dtype=torch.float64)
    for k in range(logits.shape[1]):
        normal = torch.distributions.Normal(means[:, k].double(), log_stds[:, k].double().exp())
        term = log_weights[:, k] + normal.log_prob(actions.double()).sum(dim=1)
        total = term if k == 0 else torch.logaddexp(total, term)
    return total


# %% [markdown]
# ## Who pulls whom?
#
# Now that the likelihood is there, autograd does the rest. But look once at what it computes, since that
# explains nearly everything that goes wrong with mixtures. Write $N_k$ for the $k$-th component's density at
# the action $a$, and $L = -\log \sum_k w_k N_k$ for the loss. Then, by the chain rule,
#
# $$
# \frac{\partial L}{\partial \mu_k}
# = -\frac{w_k N_k}{\sum_j w_j N_j} \, \frac{\partial \log N_k}{\partial \mu_k}
# = -\, r_k \, \frac{a - \mu_k}{\sigma_k^2},
# \qquad r_k = \frac{w_k N_k}{\sum_j w_j N_j}.
# $$
#
# The factor $r_k$ is the **responsibility** of component $k$ for the action: by Bayes' rule, the
# probability that $a$ came from component $k$. The same factor stands before everything:
#
# $$
# \frac{\partial L}{\partial \log \sigma_k}
# = -\, r_k \left( \frac{(a - \mu_k)^2}{\sigma_k^2} - 1 \right),
# \qquad
# \frac{\partial L}{\partial\, \text{logit}_k} = w_k - r_k.
# $$
#
# Training steps against the gradient, so each minus sign above is a step the other way: $\mu_k$ moves towards
# the action. $\sigma_k$ grows where the action is further than one $\sigma_k$ away, and shrinks where it is nearer.
# The weight grows where $r_k$ is larger than $w_k$.
#
# All three are shared out by $r_k$, which sums to one over the components. A component that explains the action
# a little better than the others gets a little more of the pull. So it comes nearer than they do, and gets
# still more.

# %% [markdown] question="responsibilities" points=[1, 2, 1]
# ### Question 3.3 · Responsibilities
#
# Write `responsibilities(logits, means, log_stds, actions)`. Return $r$ with shape `(batch, components)`;
# every row sums to one.
#
# The fraction above is better not computed as a fraction. What function of the logarithms
# $\log w_k + \log N_k$ is it?


# %% tags=["solution"]
def responsibilities(logits, means, log_stds, actions):
    """Return the probability that each row's action came from each of its components."""
    # BEGIN SOLUTION
    log_weights = torch.log_softmax(logits, dim=1)
    return torch.softmax(log_weights + component_log_probs(means, log_stds, actions), dim=1)
    # END SOLUTION


# %% tags=["public"]
def test_responsibilities_sum_to_one(responsibilities):
    """Every row sums to one; halfway between two components, the weights alone decide who gets how much."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    means = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 30.0]]]).repeat(4, 1, 1)
    logits = torch.tensor([[0.0, math.log(3.0), 0.0]]).repeat(4, 1)
    shares = responsibilities(logits, means, torch.zeros(4, 3, 2), torch.zeros(4, 2))
    check_answered(shares, "responsibilities")
    check_shape(shares, (4, 3), "one share for every row and component.")
    assert torch.as_tensor(shares).min() >= 0, (
        "some shares are negative: are they still logarithms? A share lies between 0 and 1."
    )
    check_close(
        shares,
        [[0.25, 0.75, 0.0]] * 4,
        "two components are equally near, the second has three times the first's weight, and the "
        "third is far away.",
    )


# %% tags=["hidden"]
def test_responsibilities_follow_bayes_rule(responsibilities):
    """The shares are those of Bayes' rule, whatever is added to a row's logits."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, components, action_dim in [(6, 4, 3), (1, 1, 2), (3, 3, 1), (5, 2, 2)]:
        shape = (batch, components, action_dim)
        logits = 5 + 2 * torch.randn(shape[:2], generator=generator)
        means = torch.randn(shape, generator=generator)
        log_stds = torch.rand(shape, generator=generator) - 1
        actions = torch.randn(batch, action_dim, generator=generator)
        shares = responsibilities(logits, means, log_stds, actions)
        check_answered(shares, "responsibilities")
        normal = torch.distributions.Normal(means.double(), log_stds.double().exp())
        densities = normal.log_prob(actions.double()[:, None]).sum(dim=2).exp()
        joint = logits.double().exp() * densities
        check_close(
            shares,
            joint / joint.sum(dim=1, keepdim=True),
            "weigh each component's density by its weight, and normalise over the components.",
            rtol=1e-3,
            atol=1e-4,
        )


def test_responsibilities_survive_extremes(responsibilities):
    """A thousand standard deviations away, and with tiny weights, the shares are still the right ones."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    near = 0.5 * torch.randn(1, generator=fresh_generator()).item()
    means = torch.tensor([[[0.0], [-1.0]], [[near], [1000.0]], [[near], [1000.0]]])
    logits = torch.tensor([[0.0, 0.0], [-69.0776, 0.0], [-150.0, 0.0]])
    actions = torch.tensor([[1000.0], [0.0], [0.0]])
    shares = responsibilities(logits, means, torch.zeros(3, 2, 1), actions)
    check_answered(shares, "responsibilities")
    check_finite(
        shares,
        "a fraction of densities becomes 0/0 far away: compute with logarithms up to the last step.",
    )
    hint = "far away from all, and with tiny weights, the nearest component is responsible: add log weights, not weights."
    check_close(shares, [[1.0, 0.0]] * 3, hint)


# %% tags=["wrong"]
def responsibilities__are_the_weights(logits, means, log_stds, actions):
    """These are the weights. Responsibilities also ask how well each component explains the action."""
    return torch.softmax(logits, dim=1) + 0 * component_log_probs(means, log_stds, actions)


def responsibilities__forget_the_weights(logits, means, log_stds, actions):
    """The weights are missing: a component that is seldom used is seldom responsible."""
    return torch.softmax(component_log_probs(means, log_stds, actions) + 0 * logits, dim=1)


def responsibilities__softmax_over_the_batch(logits, means, log_stds, actions):
    """The softmax runs over the batch: each action's shares sum to one over the components."""
    log_weights = torch.log_softmax(logits, dim=1)
    return torch.softmax(log_weights + component_log_probs(means, log_stds, actions), dim=0)


def responsibilities__divide_densities(logits, means, log_stds, actions):
    """The fraction of densities: far from all components it is 0/0. Take the softmax of the logarithms."""
    joint = torch.softmax(logits, dim=1) * component_log_probs(means, log_stds, actions).exp()
    return joint / joint.sum(dim=1, keepdim=True)


def responsibilities__weigh_the_densities_shares(logits, means, log_stds, actions):
    """Two softmaxes are multiplied and normalised again: with a tiny weight that is 0/0. Add the logarithms first."""
    densities = torch.softmax(component_log_probs(means, log_stds, actions), dim=1)
    joint = torch.softmax(logits, dim=1) * densities
    return joint / joint.sum(dim=1, keepdim=True)


def responsibilities__add_weights_instead_of_log_weights(logits, means, log_stds, actions):
    """The weights themselves are added to the log densities: add their logarithms."""
    weights = torch.softmax(logits, dim=1)
    return torch.softmax(weights + component_log_probs(means, log_stds, actions), dim=1)


def responsibilities__choose_the_nearest(logits, means, log_stds, actions):
    """All of the action goes to one component: it should be shared out in proportion."""
    joint = torch.log_softmax(logits, dim=1) + component_log_probs(means, log_stds, actions)
    return torch.nn.functional.one_hot(joint.argmax(dim=1), joint.shape[1]).float()


def responsibilities__stay_in_logarithms(logits, means, log_stds, actions):
    """These are the logarithms of the responsibilities: take their exponential at the end."""
    joint = torch.log_softmax(logits, dim=1) + component_log_probs(means, log_stds, actions)
    return torch.log_softmax(joint, dim=1)


# %% tags=["right"]
def responsibilities__without_log_softmax(logits, means, log_stds, actions):
    return (logits + component_log_probs(means, log_stds, actions)).softmax(dim=-1)


def responsibilities__by_subtraction(logits, means, log_stds, actions):
    joint = logits.log_softmax(dim=1) + component_log_probs(means, log_stds, actions)
    return torch.exp(joint - torch.logsumexp(joint, dim=1, keepdim=True))


def responsibilities__by_torch(logits, means, log_stds, actions):
    normal = torch.distributions.Normal(means.double(), log_stds.double().exp())
    log_densities = torch.distributions.Independent(normal, 1).log_prob(actions.double()[:, None])
    return torch.distributions.Categorical(logits=logits.double() + log_densities).probs


def responsibilities__by_autograd(logits, means, log_stds, actions):
    joint = (logits + component_log_probs(means, log_stds, actions)).detach().requires_grad_()
    return torch.autograd.grad(joint.logsumexp(dim=1).sum(), joint)[0]


# %% [markdown]
# Here are the three lanes again, as a mixture of three components: each command belongs to the component
# whose colour dominates below it.

# %% tags=["train"]
wide = torch.linspace(-2.5, 2.5, 1001)[:, None]
weights = torch.tensor([0.5, 0.3, 0.2])
centres, widths = torch.tensor([[-0.8], [0.1], [0.7]]), torch.tensor([[0.06], [0.12], [0.08]])
rows = [
    values.expand(len(wide), *values.shape) for values in (weights.log(), centres, widths.log())
]
shares = responsibilities(*rows, wide)
check_answered(shares, "responsibilities")
figure, (hills, below) = plt.subplots(2, 1, figsize=(5.6, 4.0), sharex=True, height_ratios=(2, 1))
plot_mixture(plot_toy(hills, lanes), weights, centres[:, 0], widths[:, 0]).set_xlabel("")
plot_shares(below, wide[:, 0], shares).set_xlabel("lateral command, m/s")
hills.legend(fontsize=8)
show(
    figure,
    alt="Above: three hills of different height and width, which add up to the true density. Below: the "
    "responsibilities, blocks of colour with a sharp border between neighbouring hills. The widest hill's "
    "colour comes again at both ends.",
    caption="Responsibilities are nearly all or nothing. The narrow hills own no more than their surroundings: "
    "far out on either side, the widest one is responsible.",
)

# %% [markdown]
# The picture also says why components **die**. A component that sits where no actions are, or is a little
# worse than another one everywhere, has a responsibility of almost zero for every action. Then its
# mean is not pulled, its width is not pulled, and its weight sinks. It is not needed, and it is not
# called back when it would be. How small do these responsibilities get? Take two components of equal
# weight and width 0.1, one on the action and one at a distance:

# %% tags=["train"]
for distance in (0.1, 0.3, 1.0, 2.0):
    pair = torch.tensor([[[0.0], [distance]]])
    shares = responsibilities(
        torch.zeros(1, 2), pair, torch.full((1, 2, 1), math.log(0.1)), torch.zeros(1, 1)
    )
    check_answered(shares, "responsibilities")
    print(f"{distance} m/s away: responsibility {shares[0, 1].item():.1e}")

# %% [markdown]
# ### Play with it
#
# Below are 200 commands and a mixture. Drag the components: their means, widths and weights. The arrows
# show where the gradient of the mean log-likelihood pulls each of them, and how hard. "Follow the gradient"
# lets them go.
#
# - Start with "one astray". What pulls the component at the far right? Let it follow the gradient: does it ever
#   come back? Drag it towards the data until it does.
# - Take two components, and put both on the same peak. Which gradient would separate them? Then
#   start with "all equal".
# - Choose the data with "20 idle zeros": twenty actions are exactly zero. Put a narrow component there, lower the floor of the widths,
#   and follow the gradient. What happens to the likelihood, and what to the mixture elsewhere?
# - Choose three lanes and the start "at random", and follow the gradient. "Start anew" draws other means. From
#   how many of ten starts do three components find all three lanes? And six components?

# %% tags=["train"]
mixture = DragTheComponents()
mixture

# %% [markdown]
# ## The loss
#
# Training asks the network for the three tensors, and makes the demonstrated actions probable:
#
# $$
# \mathcal{L} = -\frac{1}{|\mathcal{D}|} \sum_{(o, a) \in \mathcal{D}} \log p(a \mid o).
# $$

# %% [markdown] question="mixture_loss" points=[1, 1, 2]
# ### Question 3.4 · The loss of a mixture
#
# Write `mixture_loss(policy, observations, actions)`.
#
# - `policy` is any callable: it takes observations and returns the triple `(logits, means, log_stds)`.
# - `observations` is `(batch, observation_dim)` and `actions` is `(batch, action_dim)`.
# - Return one number, a tensor of shape `()`: the negative log-likelihood, averaged over the batch. Gradients
#   must flow through it into the policy.
#
# With your `mixture_log_prob` this is one line. Then its mistakes come along: let Question 3.2 pass its check first.


# %% tags=["solution"]
def mixture_loss(policy, observations, actions):
    """Return the negative log-likelihood of the actions, averaged over the batch."""
    return -mixture_log_prob(*policy(observations), actions).mean()  # SOLUTION


# %% tags=["public"]
def test_mixture_loss_is_one_number(mixture_loss):
    """The loss is one number that gradients flow through; at the mean of a narrow component it is negative."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.zeros(5, 3, requires_grad=True)
    means, log_stds = torch.zeros(5, 3, 2), torch.full((5, 3, 2), -4.0)

    def policy(observations):
        rows = slice(len(observations))
        return logits[rows], means[rows], log_stds[rows]

    loss = mixture_loss(policy, torch.ones(5, 4), torch.zeros(5, 2))
    check_answered(loss, "mixture_loss")
    check_shape(loss, (), "average over the batch.")
    assert torch.as_tensor(loss).detach() < 0, (
        "a density above one has a negative loss: the sign is the wrong way round."
    )
    check_close(
        loss,
        math.log(2 * math.pi) - 8,
        "every action's density is exp(8)/(2π): minus its logarithm, averaged over the batch, not summed. "
        "Does mixture_log_prob, if you call it, pass its own check?",
    )
    assert getattr(loss, "requires_grad", False), (
        "gradients must flow: return a tensor, and do not detach it."
    )


# %% tags=["hidden"]
def test_mixture_loss_is_the_mean_over_the_batch(mixture_loss):
    """The loss agrees with torch.distributions, for batches of any size."""
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # The last number says how far the actions lie: also so far that somebody might clamp the loss.
    for batch, components, action_dim, distance in [
        (7, 3, 2, 1.0),
        (1, 2, 3, 1.0),
        (40, 5, 1, 1.0),
        (4, 4, 4, 1.0),
        (6, 3, 2, 1000.0),
    ]:
        weight = torch.randn(4, components * (2 * action_dim + 1), generator=generator) / 2

        def policy(observations, weight=weight, components=components, action_dim=action_dim):
            outputs = observations @ weight
            rest = outputs[:, components:].unflatten(1, (2, components, action_dim))
            return outputs[:, :components], rest[:, 0], rest[:, 1] - 1

        observations = torch.randn(batch, 4, generator=generator)
        # Half of the actions lie on a component's mean, where the density is well above one.
        actions = policy(observations)[1][:, 0].clone()
        actions[::2] = distance * torch.randn(actions[::2].shape, generator=generator)
        loss = mixture_loss(policy, observations, actions)
        check_answered(loss, "mixture_loss")
        logits, means, log_stds = (part.double() for part in policy(observations))
        normal = Independent(Normal(means, log_stds.exp()), 1)
        oracle = MixtureSameFamily(Categorical(logits=logits), normal)
        expected = -oracle.log_prob(actions.double()).mean()
        hint = (
            "take the negative log-likelihood of each row, and average over the batch. If points were lost in "
            "Question 3.2 too, and mixture_loss calls mixture_log_prob, look there first."
        )
        check_close(loss, expected, hint, rtol=1e-3, atol=1e-3)


def test_mixture_loss_teaches_the_policy(mixture_loss):
    """The gradient reaches weights, means and widths of the policy, and has the right size."""
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Head(torch.nn.Module):
        def __init__(self, outputs):
            super().__init__()
            self.outputs = outputs

        def forward(self, observations):
            logits, rest = self.outputs(observations).tensor_split([3], dim=1)
            rest = rest.unflatten(1, (2, 3, 2))
            return logits, rest[:, 0], rest[:, 1]

    generator = fresh_generator()
    outputs = torch.nn.Linear(4, 15)
    torch.nn.init.normal_(outputs.weight, std=0.3, generator=generator)
    policy = Head(outputs)
    observations = torch.randn(6, 4, generator=generator)
    actions = torch.randn(6, 2, generator=generator)
    loss = mixture_loss(policy, observations, actions)
    check_answered(loss, "mixture_loss")
    assert getattr(loss, "requires_grad", False), (
        "the loss does not depend on the policy: do not detach it."
    )
    loss.backward()
    given, outputs.weight.grad = outputs.weight.grad, None
    assert given is not None, "no gradient reaches the policy: do not detach its outputs."
    logits, means, log_stds = policy(observations)
    normal = Independent(Normal(means, log_stds.exp()), 1)
    oracle = MixtureSameFamily(Categorical(logits=logits), normal)
    (-oracle.log_prob(actions).mean()).backward()
    hint = (
        "the gradient is not the negative log-likelihood's: is the loss an average, and nothing detached? If "
        "points were lost in Question 3.2 too, and mixture_loss calls mixture_log_prob, look there first."
    )
    check_close(given, outputs.weight.grad, hint, rtol=1e-3, atol=1e-4)


# %% tags=["wrong"]
def mixture_loss__sums_over_the_batch(policy, observations, actions):
    """The sum runs over the batch: with twice the data the loss would be twice as large. Average."""
    return -mixture_log_prob(*policy(observations), actions).sum()


def mixture_loss__has_the_wrong_sign(policy, observations, actions):
    """This is the log-likelihood itself: minimising it makes the demonstrated actions improbable."""
    return mixture_log_prob(*policy(observations), actions).mean()


def mixture_loss__averages_densities(policy, observations, actions):
    """The mean of the densities is taken before the logarithm: average the logarithms."""
    log_prob = mixture_log_prob(*policy(observations), actions)
    return math.log(len(actions)) - torch.logsumexp(log_prob, dim=0)


def mixture_loss__averages_over_dimensions(policy, observations, actions):
    """The loss is divided by the number of action dimensions: the log-likelihood is that of the whole action."""
    return -mixture_log_prob(*policy(observations), actions).mean() / actions.shape[1]


def mixture_loss__forgives_far_actions(policy, observations, actions):
    """The loss of an action is clamped: those far away, which should pull most, do not pull at all."""
    return -mixture_log_prob(*policy(observations), actions).clamp(min=-1000).mean()


def mixture_loss__detaches_the_widths(policy, observations, actions):
    """The log_stds are detached: the value is right, and no width ever learns."""
    logits, means, log_stds = policy(observations)
    return -mixture_log_prob(logits, means, log_stds.detach(), actions).mean()


def mixture_loss__meets_other_rows(policy, observations, actions):
    """Every row's mixture is compared with the first row's action."""
    return -mixture_log_prob(*policy(observations), actions[:1].expand_as(actions)).mean()


def mixture_loss__detaches_the_policy(policy, observations, actions):
    """The policy's outputs are detached: no gradient reaches its parameters."""
    return -mixture_log_prob(*(part.detach() for part in policy(observations)), actions).mean()


def mixture_loss__is_the_squared_error_of_the_mixed_mean(policy, observations, actions):
    """This is regression on the weighted mean of the components: the conditional mean again."""
    logits, means, _ = policy(observations)
    mixed = (torch.softmax(logits, dim=1)[:, :, None] * means).sum(dim=1)
    return (mixed - actions).square().sum(dim=1).mean()


def mixture_loss__trains_the_nearest_component(policy, observations, actions):
    """Only the component that explains an action best is trained, and the weights not at all."""
    _, means, log_stds = policy(observations)
    return -component_log_probs(means, log_stds, actions).amax(dim=1).mean()


def mixture_loss__mistakes_means_for_log_stds(policy, observations, actions):
    """The policy returns logits, means and log_stds in this order: two of them are swapped."""
    logits, log_stds, means = policy(observations)
    return -mixture_log_prob(logits, means, log_stds, actions).mean()


# %% tags=["right"]
def mixture_loss__by_torch(policy, observations, actions):
    logits, means, log_stds = policy(observations)
    normal = torch.distributions.Independent(torch.distributions.Normal(means, log_stds.exp()), 1)
    weights = torch.distributions.Categorical(logits=logits)
    return -torch.distributions.MixtureSameFamily(weights, normal).log_prob(actions).mean()


def mixture_loss__by_sum(policy, observations, actions):
    log_prob = mixture_log_prob(*policy(observations), actions)
    return log_prob.sum().neg() / actions.shape[0]


def mixture_loss__row_by_row(policy, observations, actions):
    total = 0.0
    for row in range(len(actions)):
        one = slice(row, row + 1)
        total = total - mixture_log_prob(*policy(observations[one]), actions[one]).squeeze()
    return total / len(actions)


def mixture_loss__by_einsum_in_float64(policy, observations, actions):
    logits, means, log_stds = (part.double() for part in policy(observations))
    log_prob = mixture_log_prob(logits, means, log_stds, actions.double())
    return torch.einsum("b->", -log_prob) / len(log_prob)


# %% [markdown]
# ## How many components?
#
# First without a network, where we know the truth. We fit mixtures of 1 to 8 components to 300 commands
# on three lanes, and measure the loss on 4,000 held-out ones. Each mixture starts ten times from random
# means. No model can do better, on average, than the truth's own loss, the entropy
# $-\int p(a) \log p(a) \, da$, which we can integrate.
#
# Guess: three lanes need three components. Will three do?

# %%
FLOOR = -5.0  # the smallest log_std; why there is one comes below


def start_mixtures(starts, components, spread, generator):
    """Return logits, means and log_stds to optimise, without a network: one mixture per start."""
    means = spread * torch.randn(starts, components, 1, generator=generator)
    parameters = [torch.zeros(starts, components), means, torch.full_like(means, -1.0)]
    return [parameter.requires_grad_() for parameter in parameters]


def losses_of(parameters, actions, floor=FLOOR):
    """Return each mixture's mean negative log-likelihood of the same actions."""
    logits, means, log_stds = (values.repeat_interleave(len(actions), 0) for values in parameters)
    repeated = actions.repeat(len(parameters[0]), 1)
    log_prob = mixture_log_prob(logits, means, log_stds.clamp(min=floor), repeated)
    check_answered(log_prob, "mixture_log_prob")
    return -log_prob.unflatten(0, (-1, len(actions))).mean(dim=1)


def fit(parameters, actions, steps=250):
    """Follow the gradient of the loss; the mixtures share no parameter, so each goes its own way."""
    return minimize(lambda: losses_of(parameters, actions).sum(), parameters, steps)


# %% tags=["train"]
held_out = lanes.sample(4000, torch.Generator().manual_seed(1))
generator = torch.Generator().manual_seed(2)
fitted, held_out_losses = {}, {}
for components in range(1, 9):
    fitted[components] = start_mixtures(10, components, 0.7, generator)
    fit(fitted[components], commands)
    held_out_losses[components] = losses_of(fitted[components], held_out).detach()
alike = start_mixtures(1, 8, 0.0, generator)
fit(alike, commands)
print(f"8 components that start alike: {losses_of(alike, held_out).item():.3f} nats")
print(f"1 component:                   {held_out_losses[1][0].item():.3f} nats")

# %% tags=["train"]
grid = torch.linspace(-1.5, 1.5, 601)[:, None]
density = lanes.log_prob(grid).exp()
entropy = -torch.trapezoid(density * density.log(), grid[:, 0]).item()
best, median = held_out_losses[3].argmin(), held_out_losses[3].median(dim=0).indices
figure, (dots, good, bad) = plt.subplots(1, 3, figsize=(11, 3.0), width_ratios=(4, 3, 3))
looks = [POLICY_LOOKS["gaussian"]] + 7 * [POLICY_LOOKS["mixture"]]
plot_dots(dots, {str(k): losses.tolist() for k, losses in held_out_losses.items()}, looks)
dots.axhline(entropy, color="black", ls="--", lw=1, label="entropy of the truth")
dots.set(xlabel="components", ylabel="held-out loss, nats per action", title="Ten starts each")
dots.legend(fontsize=8)
for axes, start, title in [
    (good, best, "Three components, best start"),
    (bad, median, "Three components, median start"),
]:
    logits, means, log_stds = (values[start].detach() for values in fitted[3])
    plot_mixture(
        plot_toy(axes, lanes), logits.softmax(0), means[:, 0], log_stds.clamp(min=FLOOR)[:, 0].exp()
    )
    axes.set(xlabel="lateral command, m/s", title=title)
good.legend(fontsize=8)
show(
    figure,
    alt="Left: held-out losses of ten starts for one to eight components. One component is far above the "
    "entropy. With two and three the dots scatter over several levels; from five on nearly all lie close "
    "to the entropy. Middle: three components, one on each lane. Right: one component covers two lanes.",
    caption="Three components are enough to represent three lanes, and often not enough to find them. In the "
    "median start one component serves two lanes. One component is the single Gaussian, and wears its mark.",
)

# %% [markdown]
# Three components can represent the truth exactly, and still many of the starts end with one
# component astride two lanes, and another one that shares a lane or has nothing left to do. It does not
# leave: each component is pulled by the actions that it already owns. With spare components a lane is
# seldom left without one nearby.
#
# How often do they come within 0.05 nats of the dashed line? Of your ten starts with eight components most do, and of
# those with three fewer. Ten starts tell no more than that. Over many samples of commands, more than four starts in
# five come so close with eight components, and fewer than two in three with three. The spares are not used in
# the end: most fits with eight leave at least one component with less than 1 % of the weight.
#
# **Eight components that start alike stay alike.** They have equal responsibilities, so they are
# pulled equally, for ever: they learn what one Gaussian learns, and no more.
# A network that begins with all means (nearly) equal begins close to that trap. So spread
# the means at the start. Where to put them best is a question for the road, below.

# %% [markdown]
# ## A likelihood without end
#
# Recorders stutter. Take 60 commands of two drivers, and say that the first of them was stored 21 times, to the
# last bit. Take three components: one at each driver's mean, and a narrow one right on the repeated
# command. How small does the narrow one's width want to be?
#
# At the repeated command its density is $1 / (\sqrt{2\pi}\,\sigma)$. Halve $\sigma$ and it doubles. The other
# commands are served by the other two components. So nothing holds it back: the likelihood is **unbounded**, and
# whoever climbs it ends with a mixture that nobody wants. We hold the three means still, train weights and
# widths, and compare with new commands from the same drivers.


# %%
def stuttering_record(seed, copies=20):
    """Return 60 drivers' commands of which the first is stored many times, and 2,000 new ones."""
    generator = torch.Generator().manual_seed(seed)
    drivers = two_drivers()
    recorded, fresh = drivers.sample(60, generator), drivers.sample(2000, generator)
    return torch.cat([recorded, recorded[:1].repeat(copies, 1)]), fresh


def watch_collapse(recorded, fresh, floor, steps=300):
    """Train weights and widths, and return the training and the held-out loss of every step."""
    means = torch.stack([torch.tensor([-0.6]), torch.tensor([0.6]), recorded[0]])[None]
    logits = torch.zeros(1, 3, requires_grad=True)
    log_stds = torch.tensor([[[-2.0], [-2.0], [-4.0]]], requires_grad=True)
    held_out = []

    def loss():
        parameters = [logits, means, log_stds]
        held_out.append(losses_of(parameters, fresh, floor).item())
        return losses_of(parameters, recorded, floor).sum()

    return minimize(loss, [logits, log_stds], steps, learning_rate=0.1), torch.tensor(held_out)


# %% tags=["train"]
recorded, fresh = stuttering_record(SEED)
figure, panels = plt.subplots(1, 2, figsize=(9, 3.0), sharey=True)
for axes, floor, title in [(panels[0], -100.0, "No floor"), (panels[1], FLOOR, "log σ ≥ −5")]:
    training, held_out_curve = watch_collapse(recorded, fresh, floor)
    axes.plot(training, label="stuttering record (training)")
    axes.plot(held_out_curve, label="new commands (held out)")
    axes.set(xlabel="gradient steps", title=title)
panels[0].set_ylabel("loss, nats per action")
panels[0].legend(fontsize=8)
show(
    figure,
    alt="Left, without a floor: the training loss falls by nearly four nats, while the held-out "
    "loss has risen and stays up. Right, with the floor: the training loss levels off.",
    caption="Without a floor the training loss falls on and on, and the mixture only gets worse.",
)

# %% [markdown]
# The training loss falls on and on. The curve bends at last only because our optimiser takes smaller and
# smaller steps. The loss on new commands has risen, and stays up. So a falling
# training loss proves nothing here. Two habits help:
#
# - **a floor under log σ.** We clamp at −5, in normalised units: no component gets narrower than
#   $e^{-5} \approx 0.7\,\%$ of the actions' spread. The loss is then bounded below;
# - **a held-out loss**, on demonstrations that training never saw. It is what the likelihood is worth. The floor
#   stops the fall, not the harm: even with it, the held-out loss is worse at the end than at its best.
#
# Repeated actions are common: a joystick at rest, a limit that is reached, a driver who waits.

# %% [markdown]
# ## Sampling
#
# A sample takes two draws: first a component, $k \sim w$; then an action from that component,
# $a \sim \mathcal{N}(\mu_k, \sigma_k)$. What would the weighted mean of the means give instead? The
# one action that nobody takes: notebook 1 all over again.

# %% [markdown] question="mixture_sample" points=[1, 2, 2, 1, 1, 1]
# ### Question 3.5 · Sampling from a mixture
#
# Write `mixture_sample(logits, means, log_stds, generator)`. Return `(batch, action_dim)`: one action for
# every row.
#
# - Draw one component for every row. `torch.multinomial` draws from weights, and takes a generator.
# - All numbers of a row's action come from that component. Pick its mean and width by indexing with two
#   index tensors, `means[rows, chosen]`, where `rows` counts the rows.
# - All randomness comes from `generator`.


# %% tags=["solution"]
def mixture_sample(logits, means, log_stds, generator):
    """Draw one action for every row: a component first, then an action from it."""
    # BEGIN SOLUTION
    weights = torch.softmax(logits, dim=1)
    chosen = torch.multinomial(weights, 1, generator=generator).squeeze(1)
    rows = torch.arange(len(chosen), device=chosen.device)
    mean, log_std = means[rows, chosen], log_stds[rows, chosen]
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    return mean + torch.exp(log_std) * noise
    # END SOLUTION


# %% tags=["public"]
def test_mixture_sample_stays_with_its_component(mixture_sample):
    """Rows draw one component each and all their numbers there, and seeds repeat."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, explain_shapes

    logits = torch.full((6, 3), -1000.0)
    logits[:, 1] = 0.0
    means = torch.tensor([[-900.0] * 2, [100.0, 500.0], [900.0] * 2]).repeat(6, 1, 1)
    log_stds = torch.zeros(6, 3, 2)
    with explain_shapes("mixture_sample", logits=logits, means=means, log_stds=log_stds):
        first, again, other = (
            mixture_sample(logits, means, log_stds, torch.Generator().manual_seed(seed))
            for seed in (1, 1, 2)
        )
    check_answered(first, "mixture_sample")
    check_shape(
        first,
        (6, 2),
        "one action for every row. With an axis too many, look at the shapes of your two index tensors.",
    )
    away = (torch.as_tensor(first) - torch.tensor([100.0, 500.0])).abs().max()
    assert away < 20, "all weight is on the second component: its mean is (100, 500), its σ is 1."
    check_close(again, first.tolist(), "the same seed gave another sample: pass `generator` on.")
    assert (torch.as_tensor(other) - torch.as_tensor(first)).abs().max() > 1e-3, (
        "two seeds gave the same sample: add noise of width exp(log_std), from the generator as it is."
    )
    # Two components of equal weight at -100 and 100, in both dimensions. That 60 rows choose the same
    # happens once in 10^17.
    means = torch.tensor([[-100.0] * 2, [100.0] * 2]).repeat(60, 1, 1)
    sample = mixture_sample(
        torch.zeros(60, 2), means, torch.zeros(60, 2, 2), torch.Generator().manual_seed(3)
    )
    sample = torch.as_tensor(sample)
    assert (sample.abs() - 100).abs().max() < 20, (
        "some numbers lie near no component: draw one component, do not mix them."
    )
    assert (sample[:, 0].sign() == sample[:, 1].sign()).all(), (
        "the numbers of a row come from two components: one draw decides for all of them."
    )
    assert sample[:, 0].min() < 0 < sample[:, 0].max(), (
        "all rows chose the same of two equally heavy components: every row draws its own."
    )


# %% tags=["hidden"]
def test_mixture_sample_draws_components_by_their_weights(mixture_sample):
    """Every component comes up as often as its row's weight says."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 12_000
    # Rows of three kinds, interleaved: each kind has weights of its own.
    kinds = torch.randn(3, 4, generator=generator)
    logits = kinds.repeat(count // 3, 1) + 100 * torch.randn(count, 1, generator=generator)
    means = torch.tensor([0.0, 100.0, 200.0, 300.0])[:, None].repeat(count, 1, 2)
    samples = mixture_sample(logits, means, torch.zeros(count, 4, 2), fresh_generator())
    check_answered(samples, "mixture_sample")
    check_shape(samples, (count, 2), "one action for every row.")
    samples = torch.as_tensor(samples).double()
    chosen = (samples / 100).round().clamp(0, 3)
    assert (samples - 100 * chosen).abs().max() < 12, (
        "some samples lie near no component's mean: draw a component, then an action from it."
    )
    for kind in range(3):
        weights = kinds[kind].double().softmax(0)
        shares = torch.stack([(chosen[kind::3, 0] == k).double().mean() for k in range(4)])
        # Six standard errors: a right answer fails less than once in 10^7 gradings.
        error = (weights * (1 - weights) / (count // 3)).sqrt()
        assert ((shares - weights).abs() < 6 * error).all(), (
            "components do not come up as often as their row's weights say: are the weights the "
            "softmax of the logits over the components?"
        )


def test_mixture_sample_follows_the_chosen_component(mixture_sample):
    """Given its component, an action has that component's mean and width, and a Gaussian's shape."""
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 12_000
    log_stds = 1.5 * torch.rand(count, 3, 2, generator=generator) - 1.5
    means = torch.randn(count, 3, 2, generator=generator)
    means = means + torch.tensor([-100.0, 0.0, 100.0])[:, None]
    samples = mixture_sample(torch.zeros(count, 3), means, log_stds, fresh_generator())
    check_answered(samples, "mixture_sample")
    check_shape(samples, (count, 2), "one action for every row.")
    samples = torch.as_tensor(samples).double()
    assert samples.isfinite().all(), "some samples are not finite."
    chosen = (samples / 100).round().clamp(-1, 1).long() + 1
    pick = chosen[:, None]
    mean, log_std = (values.double().gather(1, pick)[:, 0] for values in (means, log_stds))
    standardised = (samples - mean) / log_std.exp()
    # Six standard errors each: a right answer fails less than once in 10^7 gradings.
    far = standardised.mean(dim=0).abs().max() * count**0.5
    assert far < 6, "the samples do not lie around the chosen component's own mean."
    wide = (standardised.square().mean(dim=0) - 1).abs().max() * (count / 2) ** 0.5
    assert wide < 6, "the samples' width is not exp(log_std) of the chosen component."
    # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
    assert kstest(standardised.flatten().numpy(), "norm").pvalue > 1e-9, (
        "given the component, the noise is not Gaussian."
    )


def test_mixture_sample_takes_all_numbers_from_one_component(mixture_sample):
    """The numbers of one action come from one and the same component."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    count = 300
    means = torch.tensor([-100.0, 0.0, 100.0])[:, None].repeat(count, 1, 4)
    samples = mixture_sample(
        torch.zeros(count, 3), means, torch.zeros(count, 3, 4), fresh_generator()
    )
    check_answered(samples, "mixture_sample")
    check_shape(samples, (count, 4), "one action for every row.")
    samples = torch.as_tensor(samples).double()
    spread = samples.amax(dim=1) - samples.amin(dim=1)
    assert spread.max() < 30, (
        "an action's numbers come from different components: choose one component for the row."
    )


def test_mixture_sample_draws_from_the_generator(mixture_sample):
    """The generator decides component and noise: equal seeds repeat both, and other seeds neither."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    seed = fresh_generator().initial_seed()
    means = torch.tensor([-100.0, 0.0, 100.0])[:, None].repeat(60, 1, 2)
    samples = [
        mixture_sample(
            torch.zeros(60, 3), means, torch.zeros(60, 3, 2), torch.Generator().manual_seed(s)
        )
        for s in (seed, seed, seed + 1)
    ]
    for sample in samples:
        check_answered(sample, "mixture_sample")
        check_shape(sample, (60, 2), "one action for every row.")
    first, again, other = (torch.as_tensor(sample).double() for sample in samples)
    check_close(again, first, "the same seed gave another sample: both draws need `generator`.")
    assert ((first / 100).round() != (other / 100).round()).any(), (
        "another seed gave the same components: draw them from the generator as it is given."
    )


def test_mixture_sample_draws_every_row_and_call_anew(mixture_sample):
    """Rows, numbers and calls are independent of each other, in component and in noise."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 6_000
    means = torch.tensor([-50.0, 50.0])[:, None].repeat(count, 1, 3)
    calls = [
        mixture_sample(torch.zeros(count, 2), means, torch.zeros(count, 2, 3), generator)
        for _ in range(2)
    ]
    for samples in calls:
        check_answered(samples, "mixture_sample")
        check_shape(samples, (count, 3), "one action for every row.")
    first, second = (torch.as_tensor(samples).double() for samples in calls)
    sides, next_sides = first.sign(), second.sign()
    assert sides[:, 0].mean().abs() * count**0.5 < 6, (
        "one draw decides for many rows: draw a component for every row."
    )
    noise, next_noise = first - 50 * sides, second - 50 * next_sides
    assert noise.std(dim=0).min() > 0.1, "all rows share their noise: draw it for every number."
    pairs = {
        "neighbouring rows share their component": (sides[1:, 0], sides[:-1, 0]),
        "two calls with one generator share their components": (sides[:, 0], next_sides[:, 0]),
        "the numbers of a row share their noise": (noise[:, 0], noise[:, 1]),
        "neighbouring rows share their noise": (noise[1:, 2], noise[:-1, 2]),
        "two calls with one generator share their noise": (noise[:, 0], next_noise[:, 0]),
        "noise and component hang together": (noise[:, 1], sides[:, 1]),
        "the first number's noise and the component hang together": (noise[:, 0], sides[:, 0]),
    }
    for fault, (one, two) in pairs.items():
        # Independent, with mean 0 and variance 1: the mean product has standard error 1/sqrt(count).
        assert (one * two).mean().abs() * count**0.5 < 6.5, f"{fault}: draw them independently."


# %% tags=["wrong"]
def mixture_sample__mixes_the_means(logits, means, log_stds, generator):
    """This draws around the weighted mean of the means, where there may be no component: choose one."""
    weights = torch.softmax(logits, dim=1)[:, :, None]
    mean, log_std = (weights * means).sum(dim=1), (weights * log_stds).sum(dim=1)
    return mean + log_std.exp() * torch.randn(mean.shape, generator=generator)


def mixture_sample__mixes_samples(logits, means, log_stds, generator):
    """Every component draws, and the draws are averaged by weight: take the draw of one component."""
    weights = torch.softmax(logits, dim=1)[:, :, None]
    samples = means + log_stds.exp() * torch.randn(means.shape, generator=generator)
    return (weights * samples).sum(dim=1)


def mixture_sample__takes_the_heaviest(logits, means, log_stds, generator):
    """The heaviest component is taken every time: draw a component by the weights."""
    rows, chosen = torch.arange(len(logits)), logits.argmax(dim=1)
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__ignores_the_weights(logits, means, log_stds, generator):
    """Every component is drawn equally often: draw by the weights."""
    rows = torch.arange(len(logits))
    chosen = torch.randint(logits.shape[1], rows.shape, generator=generator)
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__draws_one_component_for_the_batch(logits, means, log_stds, generator):
    """One component is drawn for all rows: every row draws its own, by its own weights."""
    chosen = torch.multinomial(torch.softmax(logits, dim=1)[0], 1, generator=generator)[0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[:, chosen] + log_stds[:, chosen].exp() * noise


def mixture_sample__uses_the_first_rows_weights(logits, means, log_stds, generator):
    """All rows draw by the first row's weights: every row has its own."""
    rows, weights = torch.arange(len(logits)), torch.softmax(logits, dim=1)[0]
    chosen = torch.multinomial(weights, len(rows), replacement=True, generator=generator)
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__draws_a_component_for_every_dimension(logits, means, log_stds, generator):
    """Every number draws a component of its own: an action's numbers come from one component."""
    weights, action_dim = torch.softmax(logits, dim=1), means.shape[2]
    chosen = torch.multinomial(weights, action_dim, replacement=True, generator=generator)[:, None]
    mean, log_std = means.gather(1, chosen)[:, 0], log_stds.gather(1, chosen)[:, 0]
    return mean + log_std.exp() * torch.randn(mean.shape, generator=generator)


def mixture_sample__takes_the_exponential_for_the_weights(logits, means, log_stds, generator):
    """exp(logits) overflows where logits are large: the weights are their softmax."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(logits.exp() + 1e-30, 1, generator=generator)[:, 0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__sharpens_the_weights(logits, means, log_stds, generator):
    """The logits are doubled before the softmax: heavy components come up too often."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(2 * logits, dim=1), 1, generator=generator)[:, 0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__returns_the_components_mean(logits, means, log_stds, generator):
    """The component's mean is returned: draw an action around it, with its width."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    return means[rows, chosen] + 0 * log_stds[rows, chosen]


def mixture_sample__takes_log_std_for_std(logits, means, log_stds, generator):
    """The noise is scaled by log_std itself: take its exponential."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen] * noise


def mixture_sample__takes_log_std_for_log_variance(logits, means, log_stds, generator):
    """The noise is scaled by exp(log_std / 2): log_std is not the logarithm of the variance."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + torch.exp(log_stds[rows, chosen] / 2) * noise


def mixture_sample__shares_noise_between_rows(logits, means, log_stds, generator):
    """All rows share one draw of noise: every number of every row needs its own."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    noise = torch.randn(means.shape[2], generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__shares_noise_between_dimensions(logits, means, log_stds, generator):
    """The numbers of a row share one draw of noise: each needs its own."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    noise = torch.randn(len(rows), 1, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__takes_means_and_widths_apart(logits, means, log_stds, generator):
    """Mean and width are drawn from different components: one draw decides both."""
    rows, weights = torch.arange(len(logits)), torch.softmax(logits, dim=1)
    first = torch.multinomial(weights, 1, generator=generator)[:, 0]
    second = torch.multinomial(weights, 1, generator=generator)[:, 0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, first] + log_stds[rows, second].exp() * noise


def mixture_sample__ignores_the_generator(logits, means, log_stds, generator):
    """The draws come from the global seed: pass the generator on."""
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1)[:, 0]
    return torch.normal(means[rows, chosen], log_stds[rows, chosen].exp())


def mixture_sample__draws_the_component_without_the_generator(logits, means, log_stds, generator):
    """The noise comes from the generator, but the component does not: pass it to both draws."""
    rows = torch.arange(len(logits))
    chosen = torch.distributions.Categorical(logits=logits).sample()
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


def mixture_sample__seeds_the_generator(logits, means, log_stds, generator):
    """The generator is seeded anew at every call, so every call draws the same."""
    generator.manual_seed(0)
    rows = torch.arange(len(logits))
    chosen = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)[:, 0]
    noise = torch.randn(means[:, 0].shape, generator=generator)
    return means[rows, chosen] + log_stds[rows, chosen].exp() * noise


# %% tags=["right"]
def mixture_sample__by_gumbel(logits, means, log_stds, generator):
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    chosen = (logits - torch.log(-torch.log(uniform))).argmax(dim=1)
    one_hot = torch.nn.functional.one_hot(chosen, logits.shape[1]).to(means.dtype)
    mean = torch.einsum("bk,bkd->bd", one_hot, means)
    log_std = torch.einsum("bk,bkd->bd", one_hot, log_stds)
    return mean + log_std.exp() * torch.randn(mean.shape, generator=generator)


def mixture_sample__by_inverting_the_cumulative_sum(logits, means, log_stds, generator):
    cumulative = logits.double().softmax(dim=1).cumsum(dim=1)
    uniform = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    chosen = (uniform > cumulative).sum(dim=1).clamp(max=logits.shape[1] - 1)
    index = chosen[:, None, None].expand(-1, 1, means.shape[2])
    mean, std = means.gather(1, index).squeeze(1), log_stds.gather(1, index).squeeze(1).exp()
    return torch.normal(mean, std, generator=generator)


def mixture_sample__draws_from_every_component_first(logits, means, log_stds, generator):
    samples = means + torch.exp(log_stds) * torch.randn(means.shape, generator=generator)
    chosen = torch.multinomial(logits.softmax(-1), 1, generator=generator)
    return torch.take_along_dim(samples, chosen[:, :, None], dim=1)[:, 0]


def mixture_sample__by_torchs_distributions(logits, means, log_stds, generator):
    normal = torch.distributions.Independent(torch.distributions.Normal(means, log_stds.exp()), 1)
    weights = torch.distributions.Categorical(logits=logits)
    with torch.random.fork_rng(devices=[]):  # they draw from the global generator: lend it a seed
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        return torch.distributions.MixtureSameFamily(weights, normal).sample()


def mixture_sample__row_by_row(logits, means, log_stds, generator):
    weights, actions = torch.softmax(logits, dim=1), torch.empty_like(means[:, 0])
    for row, k in enumerate(torch.multinomial(weights, 1, generator=generator)[:, 0].tolist()):
        noise = torch.randn(means.shape[2], generator=generator)
        actions[row] = means[row, k] + log_stds[row, k].exp() * noise
    return actions


# %% [markdown]
# ## Back on the road
#
# Now the real thing, with chunks. Recall notebook 1: a Gaussian that draws eight actions at once crashed in
# more than three cases of four, because its eight actions do not agree on a side. A component
# is a Gaussian too, with independent dimensions. But it is chosen *once for all eight*.
#
# Here is the policy. Everything that it knows about mixtures is yours. Its components start from `start`,
# one chunk of actions for each: means need to start apart, so we hand it chunks that drivers drove.


# %%
class Mixture(Policy):
    """A network that predicts a mixture over chunks, trained with your `mixture_loss`."""

    def __init__(self, seed, start, prediction_horizon=1, width=64):
        super().__init__(8, 2, prediction_horizon)
        self.components = len(start)
        outputs = self.components * (2 * self.chunk_dim + 1)
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(8, outputs, width, generator=generator)
        with torch.no_grad():
            _, means, _ = self.split(self.network[-1].bias[None])
            means += start

    def split(self, outputs):
        logits, rest = outputs.tensor_split([self.components], dim=1)
        means, log_stds = rest.unflatten(1, (2, self.components, self.chunk_dim)).unbind(1)
        return logits, means, log_stds

    def forward(self, observations):
        logits, means, log_stds = self.split(self.network(observations))
        return logits, means, log_stds.clamp(FLOOR, 2)

    def loss(self, observations, actions, generator=None):
        loss = mixture_loss(self, observations, actions.flatten(1))
        check_answered(loss, "mixture_loss")
        return loss

    def sample(self, observations, generator=None):
        chunks = mixture_sample(*self(observations), generator)
        check_answered(chunks, "mixture_sample")
        return chunks.unflatten(1, (self.prediction_horizon, self.action_dim))


# %% [markdown]
# Which chunks? Two ways to choose them:
#
# - **at random** from the demonstrations;
# - **far apart**: the first at random, each further one with a probability that grows with its squared distance
#   to those chosen so far. This is how k-means++ starts (Arthur and Vassilvitskii, 2007).
#
# We train ten seeds of everything, all at once. All policies have two hidden layers and, within 2 %,
# the same number of parameters: the fewer outputs, the wider the layers.


# %%
SEEDS = range(10)
TEST_SEEDS = range(STARTS, STARTS + 10)
SETTINGS = TrainingSettings(steps=500, batch_size=64, learning_rate=1e-2)
BUDGET = 21_900  # parameters: those of eight components over chunks of eight, at width 64


def demonstrated_chunks(demonstrations, prediction_horizon):
    """Return all chunks in normalised units, flattened: what a component's mean can start from."""
    normalizer = Normalizer.fit(demonstrations.actions)
    return normalizer.normalize(demonstrations.chunks(prediction_horizon)).flatten(1)


def at_random(chunks, components, generator):
    return chunks[torch.randint(len(chunks), (components,), generator=generator)]


def far_apart(chunks, components, generator):
    chosen = at_random(chunks, 1, generator)
    while len(chosen) < components:
        distances = torch.cdist(chunks, chosen).amin(dim=1).square()
        further = torch.multinomial(distances, 1, generator=generator)
        chosen = torch.cat([chosen, chunks[further]])
    return chosen


def mixtures(demonstrations, components, choose, prediction_horizon):
    """Return a function that makes a mixture from a seed and a width."""
    chunks = demonstrated_chunks(demonstrations, prediction_horizon)

    def make(seed, width):
        start = choose(chunks, components, torch.Generator().manual_seed(seed))
        return Mixture(seed, start, prediction_horizon, width)

    return make


def classic(policy_class, prediction_horizon):
    """Return a function that makes one of notebook 1's policies from a seed and a width."""

    def make(seed, width):
        generator = torch.Generator().manual_seed(seed)
        return policy_class(8, 2, prediction_horizon, width, generator=generator)

    return make


# %%
def clone(makes, demonstrations, name):
    """Train ten seeds of every kind, all at once, and return the actors that play them, kind by kind."""
    width = matching_width(lambda width, generator: makes[0](0, width), BUDGET)
    count = len(SEEDS)
    policies = [make(seed, width) for make in makes for seed in SEEDS]
    seeds = list(SEEDS) * len(makes)
    runs = train_ensemble(policies, demonstrations, SETTINGS, seeds, device, name)
    if runs[0].interrupted:
        raise KeyboardInterrupt("training was stopped: run this cell again to train anew")
    actors = players(runs)
    return [actors[first : first + count] for first in range(0, len(actors), count)]


# %% [markdown]
# Before you run the next cell, guess: how often does a mixture of eight reach the goal with one action a step?
# And with chunks of eight, where the Gaussian fails?

# %% tags=["train"]
task = Fork()
drivers = {side: NoisyActor(ForkDriver(task, (side,)), noise=0.03) for side in ("left", "right")}
demonstrations = demonstrate(task, drivers, 100, torch.Generator().manual_seed(0))
makers = {
    "regression": classic(RegressionPolicy, 1),
    "Gaussian": classic(GaussianPolicy, 1),
    "mixture of 8": mixtures(demonstrations, 8, far_apart, 1),
    "Gaussian, chunks of 8": classic(GaussianPolicy, 8),
    "mixture of 8, chunks of 8": mixtures(demonstrations, 8, far_apart, 8),
}
actors = {name: clone([make], demonstrations, name)[0] for name, make in makers.items()}
results = {name: drive(own, task, TEST_SEEDS) for name, own in actors.items()}

# %% tags=["train"]
figure, axes = plt.subplots(figsize=(6.4, 2.6))
plot_success_rates(
    axes,
    {name: pool(evaluations) for name, evaluations in results.items()},
    looks=[POLICY_LOOKS[name.split()[0].rstrip(",").lower()] for name in results],
)
show(
    figure,
    alt="Success rates: regression near zero, the Gaussian about one half, the mixture of eight near nine "
    "in ten. In chunks of eight the Gaussian is near one in ten, and the mixture stays far above it.",
    caption="Ten seeds with 100 episodes each.",
)

# %% [markdown]
# The mixture drives, and it drives in chunks as well. What it samples shows why: a component is a whole
# chunk that a driver might have driven, with a little noise on it.

# %% tags=["train"]
deciding = ForkDriver(task).is_deciding(demonstrations.observations)


def sample_chunks(actor, observations, seed=0):
    """Return what an actor's policy samples for these observations, in physical units."""
    generator = torch.Generator(device).manual_seed(seed)
    seen = actor.observation_normalizer.normalize(observations.to(device))
    with torch.no_grad():
        return actor.action_normalizer.denormalize(actor.policy.sample(seen, generator))


places = demonstrations.observations[deciding]
figure, panels = plt.subplots(1, 3, figsize=(11, 3.0), sharey=True)
plot_chunks(panels[0], task, demonstrations.chunks(8)[deciding], "expert")
for axes, name in zip(panels[1:], list(results)[3:], strict=True):
    plot_chunks(
        axes, task, sample_chunks(actors[name][0], places), name.split()[0].rstrip(",").lower()
    )
for axes, title in zip(panels, ("Drivers", "One Gaussian", "Eight components"), strict=True):
    axes.set_title(f"{title}: eight chunks")
show(
    figure,
    alt="Left: drivers' chunks stay on one side each. Middle: the Gaussian's chunks jump from side to side. "
    "Right: the mixture's chunks stay on one side each, like the drivers'.",
    caption="The same place on the road, just where the drivers choose. The mixture chooses once for all eight.",
)

# %% [markdown]
# ## Two would be enough. Would they?
#
# There are two drivers and two sides. Are eight components any better than two? Guess, then train with 2, 4 and 8, started at random and far
# apart, ten seeds each, and look at every seed.

# %% tags=["train"]
starts = {"at random": at_random, "far apart": far_apart}
counts = {"at random": {1: actors["Gaussian, chunks of 8"]}, "far apart": {}}
for components in (2, 4):
    makes = [mixtures(demonstrations, components, choose, 8) for choose in starts.values()]
    trained = clone(makes, demonstrations, f"{components} components")
    for title, own in zip(starts, trained, strict=True):
        counts[title][components] = own
eight = mixtures(demonstrations, 8, at_random, 8)
[counts["at random"][8]] = clone([eight], demonstrations, "8 components")
counts["far apart"][8] = actors["mixture of 8, chunks of 8"]

# %% tags=["train"]
rates = {
    title: {
        k: [100 * e.success.rate for e in drive(own, task, TEST_SEEDS)] for k, own in group.items()
    }
    for title, group in counts.items()
}

# %% tags=["train"]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.0), sharey=True, width_ratios=(4, 3))
for axes, (title, group) in zip(panels, rates.items(), strict=True):
    looks = [POLICY_LOOKS["gaussian" if components == 1 else "mixture"] for components in group]
    plot_dots(axes, {str(components): values for components, values in group.items()}, looks)
    axes.set(xlabel="components", title=f"Start {title}", ylim=(-2, 102))
panels[0].set_ylabel("episodes that reach the goal, in %")
show(
    figure,
    alt="Success of ten seeds for one, two, four and eight components. With one, all seeds are near ten "
    "per cent. With two, some lie above ninety and some near ten. With four and eight, most lie around ninety.",
    caption="Every mark is one seed with 100 episodes, the bar is their mean. Chunks of eight. One component is "
    "again the single Gaussian.",
)

# %% [markdown]
# This is no longer a matter of intervals over episodes. All episodes of one seed share what its training
# found, and with two components there are seeds that drive like an expert and seeds that drive like
# a Gaussian. Look at both kinds.

# %% tags=["train"]
pair, pair_rates = counts["at random"][2], torch.tensor(rates["at random"][2])
chosen = {"best": int(pair_rates.argmax()), "worst": int(pair_rates.argmin())}
figure, panels = plt.subplots(1, 2, figsize=(8, 3.0), sharey=True)
for axes, (title, seed) in zip(panels, chosen.items(), strict=True):
    plot_chunks(axes, task, sample_chunks(pair[seed], places), "mixture")
    axes.set_title(f"Two components, {title} seed: {pair_rates[seed]:.0f} %")
show(
    figure,
    alt="Left: in the best seed, sampled chunks stay on one side each. Right: in the worst seed they jump "
    "from side to side.",
    caption="Two components, one place, the same data and the same loss.",
)

# %% [markdown]
# In the seeds that fail, one of the two components serves both sides on the last metre before the obstacle,
# and is wide enough to cover both. Where is the other one? There is more to tell apart on a road than left and right.
# Well before the obstacle all drivers go straight, and at the goal all slow down. Say that one component describes
# the slow end of the drive. No chunk at the fork looks like that, so the component is responsible for
# none of them. Nothing at the fork pulls it, and the other one is left with both sides.
#
# What helps? The figure before the last seems to say: more components, and a start far apart. Spare components did
# help on the three lanes, and a start far apart is likely to hold a left chunk and a right one. But look first at
# how much the marks of *one* column differ. With two components, started at random, the standard deviation between
# seeds is more than 20 percentage points. So the mean of ten seeds has a standard error of more than
# $20 / \sqrt{10} \approx 6$ points. And all ten share one set of demonstrations. **What ten seeds rank, the next
# ten may rank otherwise.** Set `SEEDS` to ten others and see. To settle a difference of five points you would
# need hundreds.
#
# A habit that costs little: train several seeds, and compare their loss on demonstrations that they did not see.
# With two components, the seeds that fail have on average the larger loss. Finding that out needs no road
# and no crash.

# %% tags=["train"]
unseen = demonstrate(task, drivers, 50, torch.Generator().manual_seed(1))


@torch.no_grad()
def held_out_loss(actor, demonstrations):
    """Return an actor's loss on other demonstrations, in nats per chunk."""
    observations = actor.observation_normalizer.normalize(demonstrations.observations.to(device))
    chunks = demonstrations.chunks(actor.policy.prediction_horizon).to(device)
    return float(actor.policy.loss(observations, actor.action_normalizer.normalize(chunks)))


def count_idle(actor, observations, least=0.01):
    """Return how many components have less than this share of the weight, averaged over places."""
    seen = actor.observation_normalizer.normalize(observations.to(device))
    with torch.no_grad():
        weights = actor.policy(seen)[0].softmax(dim=1).mean(dim=0)
    return int((weights < least).sum())


print("components, start        chosen by held-out loss        mean of the seeds")
for title, group in counts.items():
    for components, own in group.items():
        losses = torch.tensor([held_out_loss(player, unseen) for player in own])
        seed, values = int(losses.argmin()), rates[title][components]
        mean = sum(values) / len(values)
        print(
            f"{components} {title:22} {values[seed]:3.0f} % {losses[seed]:8.1f} nats {mean:20.0f} %"
        )
idle = [count_idle(player, places) for player in counts["far apart"][8]]
print(f"idle at the fork, of eight components: {idle}")

# %% [markdown]
# Does the seed with the smallest held-out loss drive well in every row? It is no promise: the likelihood
# counts every place on the road alike, and the fork is one place among many.
#
# The last line has a number for each seed of the mixture of eight that started far apart. It counts the components
# that have less than 1 % of the weight at the fork, that is, on average over the places where drivers choose. The
# mean of the ten numbers lies between two and five.

# %% [markdown] question="one_choice" points=[]
# ### Question 3.6 · In your own words
#
# With chunks of eight, the single Gaussian crashes and the mixture does not. Yet each component of the mixture is
# a Gaussian with independent dimensions, just like the one that fails. Why does the mixture work?

# %% [markdown] tags=["solution"]
# Given the component, the eight actions are indeed independent, but the component is drawn once for
# the whole chunk. So the actions depend on each other through that choice: if the first one goes left, the
# component was probably a left one, and then so are the others. The mixture is not a product over the
# actions, whereas the single Gaussian is. Each component only needs to be a good description of one way to drive.

# %% [markdown] question="spare_components" points=[]
# ### Question 3.7 · The lecture's question, once more
#
# *How is this different from an L2 loss with a larger network?* And why do three lanes
# call for more than three components, though three can represent them exactly?

# %% [markdown] tags=["solution"]
# A larger network trained with L2 still answers with one action, the conditional mean. The mixture changes
# what the output means: several means with weights, trained by a likelihood that lets each action pull mainly the
# component that already explains it. That sharing out makes training a search with many poor end points. A
# component that is responsible for nothing gets no gradient, and a component between two modes is held there by
# both. With spares, or with means that start far apart, it is likely that every mode has a component of
# its own nearby from the beginning. So the number of components is a matter of optimisation as well as representation.

# %% [markdown] question="falling_loss" points=[]
# ### Question 3.8 · A wonderful loss
#
# A colleague trains a mixture on joystick data. The loss goes to −40 nats and keeps falling. What do you
# ask first, and what do you look at?

# %% [markdown] tags=["solution"]
# I would ask for the loss on held-out demonstrations, and whether log σ has a floor. Joysticks rest in one place
# and saturate at their limits, so many recorded actions are exactly equal. A component on such a value can
# shrink without end, and the likelihood rises without bound while the policy gets no better. I would look
# at the smallest widths and at how often single values repeat. Adding a little noise to the actions, or modelling
# the repeated value as a discrete event of its own, treats the cause; the floor only limits the damage.

# %% [markdown]
# ## What you have seen
#
# - A mixture adds densities. In code it adds logarithms and reduces them with logsumexp: densities of
#   long chunks underflow.
# - Every action shares out its pull by responsibility. Components that are responsible for nothing
#   stay where they are, and components that start alike stay alike.
# - What a mixture can represent and what training finds are two things. On three lanes spare components narrow
#   the gap.
# - On the road, seeds of one recipe differ so much that ten of them are too few to rank two recipes.
# - The likelihood has no upper bound where actions repeat. Put a floor under σ, and look at held-out data.
# - One component, chosen once, commits to a whole chunk. That is what the Gaussian lacked.
#
# A mixture still needs a component for every way to drive. With two independent choices there are four
# ways, with ten there are a thousand. Notebook 4 writes the choices down one after the other.
#
# ## Stretch goals
#
# These are not graded.
#
# 1. **EM.** Fit the three lanes without gradients: set each mean to the responsibility-weighted mean of the
#    commands, each variance and weight likewise, and repeat. How many rounds does it need? Where does it get
#    stuck?
# 2. **Wake the dead.** After 100 steps, move each component with less than 1 % of the weight onto the command with the
#    lowest log-probability. Do three components now find three lanes from every start?
# 3. **Cool samples.** At test time multiply σ by one half, or drop components below 5 % of the weight. Does the
#    mixture drive better? What does it lose?
# 4. **Full covariance.** Give each component a Cholesky factor for its chunk. Are two components enough now?
#
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning. Mixtures are its first
#   generative model for policies.
# - Bishop, *Mixture density networks*, Aston University, 1994.
# - Bishop, *Pattern recognition and machine learning*, 2006, chapter 9: responsibilities, EM, and the
#   likelihood that collapses.
# - Arthur and Vassilvitskii, *k-means++: the advantages of careful seeding*, SODA 2007.
# - Mandlekar et al., *What matters in learning from offline human demonstrations for robot manipulation*,
#   CoRL 2021, arXiv:2108.03298. Mixtures of five Gaussians on robots, and what they bring.
