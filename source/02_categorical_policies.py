# ---
# jupyter:
#   imitation_lab:
#     title: Categorical policies
#     answers:
#     - imitation_lab.policies.categorical
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · Categorical policies
#
# Notebook 1 ended with a wish: a distribution that can hold several modes. The oldest one there is
# will do. Cut the range of the action into bins, and give each bin a probability of its own.
#
# Where the actions are few and discrete, as the arrow keys of a game, the lecture calls this
# *maximally expressive*: no distribution over four keys is out of reach. A steering command is not
# one of four keys. We make it one of thirty-one bins, and look at what that gives us and what it costs.
#
# **When you have finished it, you can**
#
# - turn a continuous action into a bin and back, and say what gets lost on the way;
# - train a categorical distribution, with logits of any size;
# - compare 11 bins with 101 bins honestly, in nats per unit of action;
# - choose the number of bins for the data that you have;
# - say what temperature does to a policy, and why bins alone do not scale to many dimensions.
#
# You need notebook 1, logarithms and the softmax. The experiments take about half a minute on a laptop.
# Most answers are one to three lines. Time: about two and a half hours.

# %%
import math

import torch
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork
from imitation_lab.evaluation import pool
from imitation_lab.experiment import clone, drive, players
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import MLP
from imitation_lab.plots import (
    POLICY_LOOKS,
    plot_chunks,
    plot_commands,
    plot_success_rates,
    show,
    use_course_style,
)
from imitation_lab.plots.densities import plot_bins, plot_gaussian, plot_toy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.testing import check_answered
from imitation_lab.toys import three_lanes
from imitation_lab.training import TrainingSettings, best_device, minimize
from imitation_lab.types import Policy
from imitation_lab.widgets import ChooseTheBins

use_course_style()
device = best_device()

# %% tags=["variant"]
SEED = 0  # of the actions and demonstrations  # VARIANT 0..9999
HAND_NOISE = 0.03  # m/s: how much the drivers' hands shake  # VARIANT 0.02, 0.03, 0.04

# %% [markdown]
# ## From a number to a bin
#
# Forget the observation again, as in notebook 1. An action is one number $a$ between `low` and `high`.
# We cut this range into $B$ bins of equal width
#
# $$
# w = \frac{\text{high} - \text{low}}{B},
# \qquad \text{edges } e_k = \text{low} + k\,w, \quad k = 0, \dots, B .
# $$
#
# Every number must belong to exactly one bin, so each bin owns its lower edge and not its upper one:
# bin $k$ is $[e_k, e_{k+1})$. One exception: the last bin owns `high` as well. And what lies outside
# the range? It goes to the nearest bin, the first or the last. That is called **clamping**.

# %% [markdown] question="discretize" points=[1, 2, 1, 1]
# ### Question 2.1 · Which bin?
#
# Write `discretize(actions, low, high, num_bins)`.
#
# - `actions` is a tensor of floats of *any* shape. `low` and `high` are numbers.
# - Return the bins' indices, from 0 to `num_bins - 1`, as a tensor of `torch.long` with the shape of
#   `actions`. Numbers outside the range are clamped.


# %% tags=["solution"]
def discretize(actions, low, high, num_bins):
    """Return the index of the bin that each action lies in; outside values go to the end bins."""
    width = (high - low) / num_bins  # SOLUTION
    position = torch.floor((actions - low) / width)  # SOLUTION
    return position.clamp(0, num_bins - 1).long()  # SOLUTION


# %% tags=["public"]
def test_discretize_four_bins(discretize):
    """Four bins between −1 and 1: each owns its lower edge, and the last one owns 1 and all above."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    actions = torch.tensor([-7.0, -1.0, -0.6, -0.5, 0.4, 0.5, 1.0, 3.0])
    given = actions.tolist()
    indices = discretize(actions, -1.0, 1.0, 4)
    check_answered(indices, "discretize")
    check_dtype(indices, torch.long, "indices are whole numbers.")
    hint = "the edges are −1, −0.5, 0, 0.5 and 1; what lies outside goes to the nearest bin."
    check_close(indices, [0, 0, 0, 1, 2, 3, 3, 3], hint)
    check_close(actions, given, "the actions were changed: do not work in place.")


# %% tags=["hidden"]
def test_discretize_agrees_with_numpy(discretize):
    """The indices agree with numpy's, for any range, number of bins, shape and precision."""
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape, fresh_generator

    generator = fresh_generator()
    cases = [
        (-1.0, 1.0, 2, (50,), torch.float32),
        (-0.3, 2.2, 7, (3, 4, 5), torch.float32),
        (5.0, 6.5, 101, (200,), torch.float64),
        (-40.0, -10.0, 31, (9, 6), torch.float32),
        (0.0, 0.02, 5, (), torch.float32),
    ]
    for low, high, num_bins, shape, dtype in cases:
        share = 1.2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 0.1
        actions = (low + (high - low) * share).to(dtype)
        indices = discretize(actions, low, high, num_bins)
        check_answered(indices, "discretize")
        check_shape(indices, shape, "one index for every action, in the same shape.")
        check_dtype(indices, torch.long, "indices are whole numbers.")
        given, edges = np.asarray(indices), np.linspace(low, high, num_bins + 1)
        # On an edge that float32 cannot hold, rounding may decide for either neighbour.
        shake = 1e-3 * (high - low) / num_bins
        below, above = (
            np.clip(np.digitize(actions.double().numpy() + s, edges) - 1, 0, num_bins - 1)
            for s in (-shake, shake)
        )
        wrong = int(((given != below) & (given != above)).sum())
        assert wrong == 0, (
            f"{wrong} of {given.size} actions are in the wrong bin, of {num_bins} bins: measure from "
            "low, in widths of a bin."
        )


def test_discretize_puts_edges_into_the_bin_above(discretize):
    """A number on an edge belongs to the bin that begins there, and `high` to the last bin."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    # All of these edges are exact in floating point, so there is no excuse.
    for low, high, num_bins in [(-1.0, 1.0, 8), (0.0, 4.0, 16), (-3.0, 1.0, 2), (0.5, 2.0, 3)]:
        edges = low + (high - low) / num_bins * torch.arange(num_bins + 1)
        expected = [*range(num_bins), num_bins - 1]
        indices = discretize(edges, low, high, num_bins)
        check_answered(indices, "discretize")
        check_close(indices, expected, "each bin owns its lower edge; the last one owns high too.")
        just_below = discretize(edges[1:] - 0.01, low, high, num_bins)
        check_close(just_below, list(range(num_bins)), "just below an edge, the bin below it.")


def test_discretize_clamps_what_lies_outside(discretize):
    """Numbers below the range go to the first bin, numbers above it to the last."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    for low, high, num_bins in [(-1.0, 1.0, 4), (2.0, 3.5, 11), (-8.0, -2.0, 3)]:
        outside = torch.tensor(
            [low - 900, low - 1.7, low - 0.01, high + 0.01, high + 1.7, high + 900]
        )
        indices = discretize(outside, low, high, num_bins)
        check_answered(indices, "discretize")
        last = num_bins - 1
        check_close(indices, [0, 0, 0, last, last, last], "clamp to 0 … num_bins - 1.")


# %% tags=["wrong"]
def discretize__rounds(actions, low, high, num_bins):
    """This rounds to the nearest edge: a bin holds everything from its lower edge up to the next, so take the floor."""
    width = (high - low) / num_bins
    return ((actions - low) / width).round().clamp(0, num_bins - 1).long()


def discretize__counts_the_gaps(actions, low, high, num_bins):
    """The range is divided by num_bins − 1: that many widths lie between the centres of the end bins, but num_bins between low and high."""
    width = (high - low) / (num_bins - 1)
    return ((actions - low) / width).floor().clamp(0, num_bins - 1).long()


def discretize__has_one_bin_too_many(actions, low, high, num_bins):
    """`high` gets the index num_bins, and there is no such bin: it belongs to the last one."""
    width = (high - low) / num_bins
    return ((actions - low) / width).floor().clamp(0, num_bins).long()


def discretize__does_not_clamp(actions, low, high, num_bins):
    """Numbers outside the range get indices of bins that do not exist: clamp them."""
    return ((actions - low) / ((high - low) / num_bins)).floor().long()


def discretize__clamps_above_only(actions, low, high, num_bins):
    """Numbers below the range get negative indices: clamp on both sides."""
    return ((actions - low) / ((high - low) / num_bins)).floor().clamp(max=num_bins - 1).long()


def discretize__wraps_around(actions, low, high, num_bins):
    """The remainder sends what lies above the range to the first bins: clamp instead."""
    return ((actions - low) / ((high - low) / num_bins)).floor().long() % num_bins


def discretize__returns_floats(actions, low, high, num_bins):
    """The indices are floats: turn them into torch.long."""
    return ((actions - low) / ((high - low) / num_bins)).floor().clamp(0, num_bins - 1)


def discretize__gives_edges_to_the_bin_below(actions, low, high, num_bins):
    """An action on an edge goes to the bin below it: each bin owns its lower edge."""
    edges = torch.linspace(low, high, num_bins + 1, dtype=actions.dtype)
    return (torch.bucketize(actions, edges) - 1).clamp(0, num_bins - 1)


def discretize__counts_from_one(actions, low, high, num_bins):
    """The first bin has index 1 here: indices count from 0."""
    edges = torch.linspace(low, high, num_bins + 1, dtype=actions.dtype)
    return torch.bucketize(actions, edges, right=True).clamp(1, num_bins)


def discretize__forgets_low(actions, low, high, num_bins):
    """The position is measured from zero: measure it from low."""
    return (actions / ((high - low) / num_bins)).floor().clamp(0, num_bins - 1).long()


def discretize__takes_the_datas_own_range(actions, low, high, num_bins):
    """The bins span from the smallest to the largest action given: the same action would change its bin with the batch."""
    low, high = actions.min(), actions.max()
    return ((actions - low) / ((high - low) / num_bins)).floor().clamp(0, num_bins - 1).long()


def discretize__takes_the_nearest_centre(actions, low, high, num_bins):
    """An edge is equally near to two centres, and argmin takes the lower one: it belongs to the upper."""
    width = (high - low) / num_bins
    centres = low + (torch.arange(num_bins) + 0.5) * width
    return (actions.unsqueeze(-1) - centres.to(actions.dtype)).abs().argmin(dim=-1)


def discretize__moves_high_by_a_hair(actions, low, high, num_bins):
    """float32 cannot hold the hair where numbers are large, so `high` falls out: clamp the index."""
    inside = actions.clamp(low, high - 1e-6)
    return ((inside - low) / ((high - low) / num_bins)).floor().long()


def discretize__flattens(actions, low, high, num_bins):
    """The shape is lost: return the shape of actions."""
    position = ((actions - low) / ((high - low) / num_bins)).floor()
    return position.clamp(0, num_bins - 1).long().flatten()


def discretize__drops_outliers(actions, low, high, num_bins):
    """Actions outside the range are left out, so the indices no longer belong to the actions: clamp them."""
    inside = actions[(actions >= low) & (actions <= high)]
    return ((inside - low) / ((high - low) / num_bins)).floor().clamp(0, num_bins - 1).long()


# %% tags=["right"]
def discretize__by_bucketize(actions, low, high, num_bins):
    inner = torch.linspace(low, high, num_bins + 1, dtype=torch.float64)[1:-1]
    return torch.bucketize(actions.double(), inner, right=True)


def discretize__by_loops(actions, low, high, num_bins):
    indices = [
        min(max(math.floor((a - low) / (high - low) * num_bins), 0), num_bins - 1)
        for a in actions.double().flatten().tolist()
    ]
    return torch.tensor(indices, dtype=torch.long).reshape(actions.shape)


def discretize__by_counting_edges(actions, low, high, num_bins):
    edges = low + (high - low) / num_bins * torch.arange(1, num_bins)
    return (actions.unsqueeze(-1) >= edges.to(actions.dtype)).sum(dim=-1)


def discretize__by_truncation(actions, low, high, num_bins):
    scaled = (actions.clamp(low, high) - low) * (num_bins / (high - low))
    return scaled.to(torch.int64).clamp_max(num_bins - 1)


def discretize__by_numpy(actions, low, high, num_bins):
    import numpy as np

    edges = np.linspace(low, high, num_bins + 1)[1:-1]
    return torch.as_tensor(np.digitize(actions.double().numpy(), edges), dtype=torch.long)


def discretize__by_floor_division(actions, low, high, num_bins):
    return ((actions - low) // ((high - low) / num_bins)).clamp(0, num_bins - 1).long()


# %% [markdown]
# The way back cannot be exact. All that is known of an action is its bin, so the best guess is the
# middle of it. In the worst case that is off by half a bin. Where actions spread evenly over their bin,
# the root mean square error is $w / \sqrt{12}$.

# %% [markdown] question="undiscretize" points=[1, 2, 1]
# ### Question 2.2 · And back
#
# Write `undiscretize(indices, low, high, num_bins)`: the centres of the bins with these indices.
# `indices` is of `torch.long` and of any shape. Return floats in the same shape.


# %% tags=["solution"]
def undiscretize(indices, low, high, num_bins):
    """Return the centre of each bin."""
    width = (high - low) / num_bins  # SOLUTION
    return low + (indices + 0.5) * width  # SOLUTION


# %% tags=["public"]
def test_undiscretize_four_bins(undiscretize):
    """Four bins between −1 and 1 have their centres at −0.75, −0.25, 0.25 and 0.75."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    centres = undiscretize(torch.tensor([[0, 1], [2, 3]]), -1.0, 1.0, 4)
    check_answered(centres, "undiscretize")
    check_close(centres, [[-0.75, -0.25], [0.25, 0.75]], "halfway between a bin's two edges.")


# %% tags=["hidden"]
def test_undiscretize_returns_the_middle_between_two_edges(undiscretize):
    """A centre is the mean of its bin's edges, for any range, number of bins and shape."""
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    cases = [(-1.0, 1.0, 2, (9,)), (-0.3, 2.2, 7, (3, 4, 5)), (5, 9, 3, (6, 2)), (0.0, 0.4, 51, ())]
    for low, high, num_bins, shape in cases:
        indices = torch.randint(num_bins, shape, generator=generator)
        centres = undiscretize(indices, low, high, num_bins)
        check_answered(centres, "undiscretize")
        edges = np.linspace(low, high, num_bins + 1)
        expected = (edges[indices.numpy()] + edges[indices.numpy() + 1]) / 2
        check_close(centres, expected, "halfway between a bin's two edges.")


def test_undiscretize_errs_by_half_a_bin_at_most(undiscretize):
    """There and back again, an action inside the range moves by half a bin at most, and some move that far."""
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator = fresh_generator()
    for low, high, num_bins in [(-1.5, 1.5, 31), (2.0, 9.0, 5), (-3.0, -1.0, 2)]:
        actions = low + (high - low) * torch.rand(2000, generator=generator, dtype=torch.float64)
        edges = np.linspace(low, high, num_bins + 1)[1:-1]
        indices = torch.as_tensor(np.digitize(actions.numpy(), edges))
        centres = undiscretize(indices, low, high, num_bins)
        check_answered(centres, "undiscretize")
        check_shape(centres, (2000,), "one centre for every index.")
        moved = (torch.as_tensor(centres).double() - actions).abs().max() * num_bins / (high - low)
        assert moved < 0.5 + 1e-4, (
            f"an action came back {moved:.2f} bins from where it was: return the bins' centres."
        )


# %% tags=["wrong"]
def undiscretize__returns_lower_edges(indices, low, high, num_bins):
    """These are the bins' lower edges: half a bin is missing, so every action drifts the same way."""
    return low + indices * ((high - low) / num_bins)


def undiscretize__returns_upper_edges(indices, low, high, num_bins):
    """These are the bins' upper edges: go up by half a bin only."""
    return low + (indices + 1) * ((high - low) / num_bins)


def undiscretize__spreads_centres_over_the_whole_range(indices, low, high, num_bins):
    """The first centre lies on low and the last on high: centres lie half a bin inside."""
    return torch.linspace(low, high, num_bins)[indices]


def undiscretize__forgets_low(indices, low, high, num_bins):
    """The centres are measured from zero: bins begin at low."""
    return (indices + 0.5) * ((high - low) / num_bins)


def undiscretize__adds_half_a_unit(indices, low, high, num_bins):
    """This adds 0.5 units of action: add half a bin's width."""
    return low + indices * ((high - low) / num_bins) + 0.5


def undiscretize__divides_by_one_bin_too_few(indices, low, high, num_bins):
    """The width is divided by num_bins − 1: there are num_bins widths between low and high."""
    return low + (indices + 0.5) * ((high - low) / (num_bins - 1))


def undiscretize__returns_whole_numbers(indices, low, high, num_bins):
    """The centres are cut to whole numbers: indices are integers, centres are not."""
    return (low + (indices + 0.5) * ((high - low) / num_bins)).long()


# %% tags=["right"]
def undiscretize__by_the_mean_of_two_edges(indices, low, high, num_bins):
    edges = torch.linspace(low, high, num_bins + 1, dtype=torch.float64)
    return (edges[indices] + edges[indices + 1]) / 2


def undiscretize__by_a_weighted_mean(indices, low, high, num_bins):
    share = (2 * indices.double() + 1) / (2 * num_bins)
    return torch.lerp(torch.full_like(share, low), torch.full_like(share, high), share)


def undiscretize__by_loops(indices, low, high, num_bins):
    half = (high - low) / (2 * num_bins)
    centres = [low + half + 2 * half * index for index in indices.flatten().tolist()]
    return torch.tensor(centres).reshape(indices.shape)


def undiscretize__by_a_table(indices, low, high, num_bins):
    half = (high - low) / num_bins / 2
    return torch.linspace(low + half, high - half, num_bins).take(indices)


# %% [markdown]
# Let us try both on actions whose distribution is known exactly: lateral commands towards three lanes.
# The lanes differ in how often they are taken and in how sharply they are aimed at.
#
# First guess: what happens to the histogram when the range is chosen too small?

# %% tags=["train"]
toy = three_lanes()
actions = toy.sample(2000, torch.Generator().manual_seed(SEED)).squeeze(1)
figure, panels = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True)
for axes, limit in zip(panels, (1.5, 0.6), strict=True):
    indices = discretize(actions, -limit, limit, 31)
    check_answered(indices, "discretize")
    centres = undiscretize(indices, -limit, limit, 31)
    check_answered(centres, "undiscretize")
    moved, clamped = (centres - actions).abs(), (actions.abs() > limit).float().mean()
    plot_toy(axes, toy)
    plot_bins(axes, torch.bincount(indices, minlength=31) / len(actions), -limit, limit)
    axes.set_title(
        f"range ±{limit} m/s: {100 * clamped:.0f} % clamped, worst error {moved.max():.2f} m/s"
    )
panels[0].legend()
show(
    figure,
    alt="Two histograms of 31 bins over a density with three peaks. Left: the histogram follows the "
    "density. Right: with the smaller range, a tall column stands at each end, where the outer peaks are cut.",
    caption="Bins follow any shape. But what lies outside piles up in the end bins, and will be played "
    "from there: these two columns leave the picture.",
)

# %% [markdown]
# On the left nothing is clamped, and no action moves by more than half a bin, which is 0.05 m/s.
# On the right the bins are narrower, and yet the worst error is several times larger. The whole lane
# at −0.8 m/s has become −0.58 m/s, a command that hardly anyone gave. Nothing warns you of that. So
# **count what you clamp, and look at the number.**
#
# Real systems often choose the range from quantiles of the data, so that a few wild actions do not make
# all bins wide. Then the clamped share is small, not zero, and known.

# %% [markdown]
# ## Any shape you like
#
# A categorical distribution has one probability for each bin. The network gives one number $\ell_k$
# for each, a **logit**, and the softmax makes probabilities of them:
#
# $$
# p_k = \frac{e^{\ell_k}}{\sum_j e^{\ell_j}}, \qquad
# \log p_k = \ell_k - \log \sum_j e^{\ell_j} .
# $$
#
# Logits may be any numbers, so the network needs no constraint. Adding the same number to all of
# them changes nothing.
#
# Mind the numbers on a computer. $e^{100}$ is already too large for `float32`, and $e^{-110}$ is zero.
# Whoever computes $p_k$ first and takes its logarithm afterwards gets $-\infty$, and then a loss that
# is infinite. The formula on the right never leaves the logarithms, once the largest logit has been
# subtracted from all of them. torch's functions with *log* in their names do that for you.

# %% [markdown] question="categorical_log_prob" points=[1, 2, 1, 1]
# ### Question 2.3 · Log-probability of a bin
#
# Write `categorical_log_prob(logits, indices)`. `logits` is `(batch, num_bins)`, and `indices` is
# `(batch,)`, of `torch.long`. Return `(batch,)`: for each row, the log-probability of that row's index.
#
# It must stay right for logits of ±10,000.


# %% tags=["solution"]
def categorical_log_prob(logits, indices):
    """Return each row's log-probability of its index."""
    log_probs = torch.log_softmax(logits, dim=1)  # SOLUTION
    return log_probs.gather(1, indices[:, None]).squeeze(1)  # SOLUTION


# %% tags=["public"]
def test_categorical_log_prob_of_known_odds(categorical_log_prob):
    """With the logits log 1, log 2 and log 5, the bins have probabilities 1/8, 2/8 and 5/8."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.tensor([1.0, 2.0, 5.0]).log().repeat(2, 1)
    log_prob = categorical_log_prob(logits, torch.tensor([2, 0]))
    check_answered(log_prob, "categorical_log_prob")
    check_shape(log_prob, (2,), "one number for each row.")
    expected = [math.log(5 / 8), math.log(1 / 8)]
    check_close(log_prob, expected, "normalise over the bins, and pick each row's own index.")


# %% tags=["hidden"]
def test_categorical_log_prob_agrees_with_torch(categorical_log_prob):
    """The log-probabilities agree with torch.distributions, for any sizes."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, num_bins, scale in [
        (7, 5, 1.0),
        (1, 3, 2.0),
        (4, 2, 10.0),
        (3, 11, 5.0),
        (6, 6, 1.0),
    ]:
        logits = scale * torch.randn(batch, num_bins, generator=generator) + 3 * scale
        indices = torch.randint(num_bins, (batch,), generator=generator)
        log_prob = categorical_log_prob(logits, indices)
        check_answered(log_prob, "categorical_log_prob")
        oracle = torch.distributions.Categorical(logits=logits.double())
        check_close(
            log_prob,
            oracle.log_prob(indices),
            "normalise each row over its bins, then pick that row's index.",
        )


def test_categorical_log_prob_is_stable(categorical_log_prob):
    """Logits of ±10,000 give finite and exact log-probabilities, also for bins that hardly occur."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite

    logits = torch.tensor(
        [
            [1e4, -1e4, 0.0, 9999.0],
            [1e4, -1e4, 0.0, 9999.0],
            [-1e4, -1e4, -1e4, -1e4],
            [1e4, 1e4, -1e4, -1e4],
            [0.0, 200.0, 0.0, 0.0],
        ]
    )
    indices = torch.tensor([1, 3, 2, 1, 0])
    log_prob = categorical_log_prob(logits, indices)
    check_answered(log_prob, "categorical_log_prob")
    check_finite(log_prob, "stay in logarithms: do not compute the probabilities first.")
    wide = logits.double()
    expected = (wide - wide.logsumexp(dim=1, keepdim=True))[torch.arange(5), indices]
    # Beside 10,000, float32 resolves a thousandth.
    check_close(
        log_prob, expected, "stay in logarithms: do not compute the probabilities first.", atol=2e-3
    )


def test_categorical_log_prob_has_a_gradient(categorical_log_prob):
    """The gradient with respect to the logits is one-hot minus softmax."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(5, 7, generator=generator).requires_grad_()
    indices = torch.randint(7, (5,), generator=generator)
    log_prob = categorical_log_prob(logits, indices)
    check_answered(log_prob, "categorical_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches the logits: do not detach."
    )
    log_prob.sum().backward()
    probabilities = torch.distributions.Categorical(logits=logits.detach()).probs
    expected = torch.eye(7)[indices] - probabilities
    check_close(logits.grad, expected, "the gradient with respect to the logits is off.")


# %% tags=["wrong"]
def categorical_log_prob__forgets_to_normalise(logits, indices):
    """This is the logit itself: subtract the logarithm of the sum of all exponentials."""
    return logits.gather(1, indices[:, None]).squeeze(1)


def categorical_log_prob__takes_the_log_of_the_softmax(logits, indices):
    """The logarithm of the softmax: where the probability underflows to 0, its logarithm is −∞."""
    return torch.softmax(logits, dim=1).log().gather(1, indices[:, None]).squeeze(1)


def categorical_log_prob__adds_a_small_number(logits, indices):
    """A small number under the logarithm hides the underflow and gives a wrong answer: stay in logarithms."""
    return (torch.softmax(logits, dim=1) + 1e-8).log().gather(1, indices[:, None]).squeeze(1)


def categorical_log_prob__sums_plain_exponentials(logits, indices):
    """The exponentials are summed as they are: those of large logits overflow. Use logsumexp."""
    picked = logits.gather(1, indices[:, None]).squeeze(1)
    return picked - logits.exp().sum(dim=1).log()


def categorical_log_prob__normalises_over_the_batch(logits, indices):
    """The softmax runs over the batch: it should run over the bins of each row."""
    return torch.log_softmax(logits, dim=0).gather(1, indices[:, None]).squeeze(1)


def categorical_log_prob__pairs_every_row_with_every_index(logits, indices):
    """`[:, indices]` picks all indices from every row, (batch, batch): pick one from each."""
    return torch.log_softmax(logits, dim=1)[:, indices]


def categorical_log_prob__keeps_an_axis(logits, indices):
    """The result has shape (batch, 1): later it would broadcast to (batch, batch)."""
    return torch.log_softmax(logits, dim=1).gather(1, indices[:, None])


def categorical_log_prob__returns_probabilities(logits, indices):
    """These are probabilities: their logarithm is asked for."""
    return torch.softmax(logits, dim=1).gather(1, indices[:, None]).squeeze(1)


def categorical_log_prob__returns_the_loss(logits, indices):
    """The sign is the wrong way round: log-probabilities are never positive."""
    return torch.nn.functional.cross_entropy(logits, indices, reduction="none")


def categorical_log_prob__subtracts_only_the_maximum(logits, indices):
    """Subtracting the largest logit keeps the exponentials small, but it does not normalise."""
    return (logits - logits.amax(dim=1, keepdim=True)).gather(1, indices[:, None]).squeeze(1)


def categorical_log_prob__takes_probabilities_for_logits(logits, indices):
    """The logits are taken for probabilities and divided by their sum: they may be negative, and need the softmax."""
    probabilities = logits.clamp(min=1e-6)
    probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
    return probabilities.log().gather(1, indices[:, None]).squeeze(1)


# %% tags=["right"]
def categorical_log_prob__by_torch(logits, indices):
    return torch.distributions.Categorical(logits=logits).log_prob(indices)


def categorical_log_prob__by_cross_entropy(logits, indices):
    return -torch.nn.functional.cross_entropy(logits, indices, reduction="none")


def categorical_log_prob__by_logsumexp(logits, indices):
    rows = torch.arange(len(logits))
    return logits[rows, indices] - logits.logsumexp(dim=-1)


def categorical_log_prob__by_einsum_in_float64(logits, indices):
    one_hot = torch.nn.functional.one_hot(indices, logits.shape[1]).double()
    return torch.einsum("bk,bk->b", one_hot, logits.double().log_softmax(-1))


def categorical_log_prob__by_loops(logits, indices):
    rows = []
    for row, index in zip(logits, indices.tolist(), strict=True):
        shifted = row - row.max().detach()
        rows.append(shifted[index] - shifted.exp().sum().log())
    return torch.stack(rows)


def categorical_log_prob__by_differences(logits, indices):
    chosen = torch.take_along_dim(logits, indices[:, None], dim=1)
    return -(logits - chosen).logsumexp(dim=1)


# %% [markdown]
# Now the loss. The lecture's version 1 makes the demonstrated actions probable under the policy. With
# bins, that is the negative log-probability of the demonstrated bin,
#
# $$
# \min_\theta \; - \mathbb{E}_{(o, a) \sim \mathcal{D}} \left[ \log p_\theta\big(k(a) \mid o\big) \right] ,
# $$
#
# where $k(a)$ is the bin that $a$ lies in. It is called the **cross-entropy**, and it is maximum
# likelihood under another name. Imitation has become classification. With the natural logarithm its
# unit is the **nat**: $\log 2$ nats, or 0.69, are one bit.
#
# Its gradient with respect to a row's logits is worth remembering. It is the policy's probabilities
# minus a one where the expert acted. Training moves probability to where the expert went, and stops
# when the two agree on average.

# %% [markdown] question="categorical_loss" points=[1, 1, 1, 1]
# ### Question 2.4 · The cross-entropy
#
# Write `categorical_loss(policy, observations, indices)`.
#
# - `policy` is any callable: it takes observations `(batch, observation_dim)` and returns logits
#   `(batch, num_bins)`.
# - `indices` is `(batch,)`: the bins that the expert's actions lie in.
# - Return one number, a tensor of shape `()`: the negative log-probability, averaged over the batch.
#   Large logits must not trouble it either. Gradients must flow through it into the policy.


# %% tags=["solution"]
def categorical_loss(policy, observations, indices):
    """Return the negative log-probability of the expert's bins, averaged over the batch."""
    return -categorical_log_prob(policy(observations), indices).mean()  # SOLUTION


# %% tags=["public"]
def test_categorical_loss_of_known_odds(categorical_loss):
    """Probabilities 1/8, 2/8 and 5/8: bins that were likely cost little, the rare one costs log 8."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    policy = torch.nn.Linear(2, 3)
    torch.nn.init.zeros_(policy.weight)
    with torch.no_grad():
        policy.bias.copy_(torch.tensor([1.0, 2.0, 5.0]).log())
    loss = categorical_loss(policy, torch.ones(4, 2), torch.tensor([2, 0, 2, 1]))
    check_answered(loss, "categorical_loss")
    check_shape(loss, (), "average over the batch.")
    expected = (2 * math.log(8 / 5) + math.log(8) + math.log(8 / 2)) / 4
    check_close(loss, expected, "the policy returns logits; average −log p of the expert's bins.")
    assert getattr(loss, "requires_grad", False), "gradients must flow: do not detach."


# %% tags=["hidden"]
def test_categorical_loss_equals_the_mean_written_out(categorical_loss):
    """The loss is the mean of the negative log-probabilities, written out as a loop, for any sizes."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, observation_dim, num_bins in [(6, 4, 5), (1, 3, 2), (9, 2, 4), (50, 3, 31)]:
        weight = 2 * torch.randn(num_bins, observation_dim, generator=generator)
        observations = torch.randn(batch, observation_dim, generator=generator)
        indices = torch.randint(num_bins, (batch,), generator=generator)
        loss = categorical_loss(lambda seen, weight=weight: seen @ weight.T, observations, indices)
        check_answered(loss, "categorical_loss")
        rows = torch.distributions.Categorical(logits=(observations @ weight.T).double())
        total = sum(-float(rows.logits[row, index]) for row, index in enumerate(indices.tolist()))
        check_close(loss, total / batch, "average the negative log-probabilities over the batch.")


def test_categorical_loss_is_stable(categorical_loss):
    """Where the expert's bin has next to no probability, the loss is large and not infinite."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    hint = "stay in logarithms, as in question 2.3: do not compute the probabilities first."
    generator = fresh_generator()
    for batch, num_bins in [(5, 4), (2, 7)]:
        logits = 2000 * torch.rand(batch, num_bins, generator=generator) - 1000
        rarest = logits.argmin(dim=1)
        loss = categorical_loss(lambda seen: seen, logits, rarest)
        check_answered(loss, "categorical_loss")
        check_finite(loss, hint)
        oracle = torch.distributions.Categorical(logits=logits.double())
        check_close(loss, -oracle.log_prob(rarest).mean(), hint, atol=1e-3)


def test_categorical_loss_teaches_the_policy(categorical_loss):
    """The gradient with respect to the logits is softmax minus one-hot, divided by the batch."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    policy = torch.nn.Linear(4, 6)
    torch.nn.init.normal_(policy.weight, generator=generator)
    observations = torch.randn(9, 4, generator=generator)
    indices = torch.randint(6, (9,), generator=generator)
    loss = categorical_loss(policy, observations, indices)
    check_answered(loss, "categorical_loss")
    check_shape(loss, (), "average over the batch.")
    detached = "the loss does not depend on the policy: do not detach it, nor build a new tensor."
    assert getattr(loss, "requires_grad", False), detached
    loss.backward()
    assert policy.weight.grad is not None, detached
    probabilities = torch.distributions.Categorical(logits=policy(observations).detach()).probs
    slope = (probabilities - torch.eye(6)[indices]) / 9
    check_close(policy.weight.grad, slope.T @ observations, "the gradient of the loss is off.")
    check_close(policy.bias.grad, slope.sum(dim=0), "the gradient of the loss is off.")


# %% tags=["wrong"]
def categorical_loss__sums_over_the_batch(policy, observations, indices):
    """The sum runs over the batch: with twice the data the loss would be twice as large."""
    return -categorical_log_prob(policy(observations), indices).sum()


def categorical_loss__has_the_wrong_sign(policy, observations, indices):
    """This is the log-probability itself: minimising it makes the expert's actions improbable."""
    return categorical_log_prob(policy(observations), indices).mean()


def categorical_loss__takes_the_softmax_twice(policy, observations, indices):
    """The softmax is taken twice: cross_entropy expects logits, and normalises by itself."""
    probabilities = torch.softmax(policy(observations), dim=1)
    return torch.nn.functional.cross_entropy(probabilities, indices)


def categorical_loss__skips_the_softmax(policy, observations, indices):
    """nll_loss expects log-probabilities, and these are logits: normalise them."""
    return torch.nn.functional.nll_loss(policy(observations), indices)


def categorical_loss__averages_over_the_bins_too(policy, observations, indices):
    """The mean runs over the bins too: the loss comes out too small by a factor of num_bins."""
    logits = policy(observations)
    one_hot = torch.nn.functional.one_hot(indices, logits.shape[1])
    return -(one_hot * logits.log_softmax(dim=1)).mean()


def categorical_loss__pairs_every_row_with_every_index(policy, observations, indices):
    """`[:, indices]` pairs every observation with every expert's bin: each has its own."""
    return -policy(observations).log_softmax(dim=1)[:, indices].mean()


def categorical_loss__is_the_squared_error(policy, observations, indices):
    """This is the squared distance to the one-hot row: the likelihood asks for the logarithm."""
    probabilities = torch.softmax(policy(observations), dim=1)
    one_hot = torch.nn.functional.one_hot(indices, probabilities.shape[1])
    return (probabilities - one_hot).square().sum(dim=1).mean()


def categorical_loss__averages_the_probabilities(policy, observations, indices):
    """The mean is taken of the probabilities: take it of their logarithms."""
    return -categorical_log_prob(policy(observations), indices).exp().mean()


def categorical_loss__takes_the_log_of_the_mean(policy, observations, indices):
    """This is the logarithm of the mean probability: take the mean of the logarithms."""
    return -categorical_log_prob(policy(observations), indices).exp().mean().log()


def categorical_loss__detaches_the_policy(policy, observations, indices):
    """The policy's output is detached: no gradient reaches its parameters."""
    return -categorical_log_prob(policy(observations).detach(), indices).mean()


def categorical_loss__takes_the_log_of_the_softmax(policy, observations, indices):
    """A probability underflows to zero and the loss is infinite: use your log-probabilities."""
    probabilities = policy(observations).softmax(dim=1)
    return -probabilities[torch.arange(len(indices)), indices].log().mean()


def categorical_loss__smooths_the_labels(policy, observations, indices):
    """A tenth of every target is spread over all bins: this is not the expert's bin alone."""
    logits = policy(observations)
    return torch.nn.functional.cross_entropy(logits, indices, label_smoothing=0.1)


def categorical_loss__weights_the_bins(policy, observations, indices):
    """Rare bins count more here, so the policy will take them too often: average over the batch."""
    logits = policy(observations)
    weight = 1 / torch.bincount(indices, minlength=logits.shape[1]).clamp(min=1)
    return torch.nn.functional.cross_entropy(logits, indices, weight=weight)


def categorical_loss__makes_a_new_tensor(policy, observations, indices):
    """The number is right, but it is a new tensor, through which no gradient reaches the policy."""
    loss = -categorical_log_prob(policy(observations), indices).mean()
    return torch.tensor(loss.item(), requires_grad=True)


def categorical_loss__trains_on_its_own_choice(policy, observations, indices):
    """The policy's own likeliest bin is scored: score the expert's."""
    logits = policy(observations)
    return -categorical_log_prob(logits, logits.argmax(dim=1)).mean()


# %% tags=["right"]
def categorical_loss__by_torch(policy, observations, indices):
    return torch.nn.functional.cross_entropy(policy(observations), indices)


def categorical_loss__by_nll_loss(policy, observations, indices):
    return torch.nn.functional.nll_loss(policy(observations).log_softmax(dim=-1), indices)


def categorical_loss__by_einsum_in_float64(policy, observations, indices):
    log_probs = policy(observations).double().log_softmax(dim=1)
    one_hot = torch.eye(log_probs.shape[1], dtype=torch.float64)[indices]
    return -torch.einsum("bk,bk->", one_hot, log_probs) / len(indices)


def categorical_loss__by_loops(policy, observations, indices):
    total = 0.0
    for row, index in zip(policy(observations), indices, strict=True):
        total = total + row.logsumexp(0) - row[index]
    return total / len(indices)


def categorical_loss__by_kl_divergence(policy, observations, indices):
    log_probs = policy(observations).log_softmax(dim=1)
    targets = torch.nn.functional.one_hot(indices, log_probs.shape[1]).to(log_probs.dtype)
    return torch.nn.functional.kl_div(log_probs, targets, reduction="batchmean")


# %% [markdown]
# Does it work? Take 2,000 actions from the three lanes and one free logit for each of 61 bins. There is
# no network and nothing to observe: the logits themselves are the parameters. A Gaussian is fitted to
# the same actions, for comparison.
#
# In this case the best answer is known. Without observations, the likelihood is largest when each bin
# has the probability with which it occurs in the data. So gradient descent should find the histogram.


# %%
LOW, HIGH = -1.5, 1.5  # the toy's range, in metres per second


def fit_logits(actions, num_bins):
    """Fit free logits to actions by gradient descent on your loss."""
    indices = discretize(actions, LOW, HIGH, num_bins)
    check_answered(indices, "discretize")
    logits = torch.zeros(num_bins, requires_grad=True)
    nothing = torch.zeros(len(actions), 0)
    minimize(
        lambda: categorical_loss(lambda seen: logits.expand(len(seen), -1), nothing, indices),
        [logits],
        steps=300,
        learning_rate=0.2,
    )
    return logits.detach()


# %% tags=["train"]
logits = fit_logits(actions, 61)
counts = torch.bincount(discretize(actions, LOW, HIGH, 61), minlength=61)
difference = (logits.softmax(dim=0) - counts / len(actions)).abs().max()
print(f"largest difference between a learnt probability and its frequency: {difference:.5f}")

figure, axes = plt.subplots(figsize=(6.4, 3.0))
plot_toy(axes, toy)
plot_bins(axes, logits.softmax(dim=0), LOW, HIGH)
plot_gaussian(axes, actions.mean(), actions.std())
axes.legend()
show(
    figure,
    alt="A density with three narrow peaks of unequal height. A histogram of 61 bins follows it closely. "
    "A Gaussian is one low hill over all three.",
    caption="One network output a bin buys any shape. The Gaussian has two numbers to describe it with.",
)

# %% [markdown]
# Three peaks, three heights, three widths, and nothing between them. No assumption about the shape went
# in. Look closely, though: the columns are ragged. Each was estimated from the few actions that fell
# into it. We shall come back to that.
#
# ## 11 bins or 101 bins: which is better?
#
# Let us compare. Train with 11, 31 and 101 bins, and read off the loss.

# %% tags=["train"]
for num_bins in (11, 31, 101):
    fitted = fit_logits(actions, num_bins).expand(len(actions), -1)
    indices = discretize(actions, LOW, HIGH, num_bins)
    loss = categorical_loss(lambda seen, fitted=fitted: fitted, actions, indices)
    print(f"{num_bins:4d} bins: cross-entropy {loss:.2f} nats")

# %% [markdown]
# With more bins the loss gets worse. But 31 bins can follow the lanes more closely than 11. What is
# wrong?
#
# The loss answers another question each time: *which of 11?* is easier than *which of 101?* A policy
# that knows nothing loses $\log 11 = 2.4$ in one case and $\log 101 = 4.6$ in the other. These numbers
# have different units, and you cannot compare them.
#
# An action is a point on a line, so what can be compared is its **density**: probability per metre
# per second. Within a bin the policy knows no more, so the bin's probability is spread evenly over
# its width $w$:
#
# $$
# p(a) = \frac{p_{k(a)}}{w}, \qquad \log p(a) = \log p_{k(a)} - \log w .
# $$
#
# With narrow bins each has a smaller probability, and $-\log w$ gives it back.

# %% [markdown] question="categorical_log_density" points=[1, 1, 1, 1]
# ### Question 2.5 · Nats per unit of action
#
# Write `categorical_log_density(logits, actions, low, high)`. `logits` is `(batch, num_bins)`, and
# `actions` is `(batch,)`: numbers from `low` to `high`, both included. The bins share that range evenly.
# Return `(batch,)`: the log density of each action under its row's logits.


# %% tags=["solution"]
def categorical_log_density(logits, actions, low, high):
    """Return the log density of each action, per unit of action."""
    # BEGIN SOLUTION
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob - math.log((high - low) / num_bins)
    # END SOLUTION


# %% tags=["public"]
def test_categorical_log_density_of_known_odds(categorical_log_density):
    """Two bins of width 4, with probabilities 1/4 and 3/4, have densities 1/16 and 3/16."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.tensor([0.0, math.log(3)]).repeat(3, 1)
    log_density = categorical_log_density(logits, torch.tensor([3.0, 5.0, 9.0]), 2.0, 10.0)
    check_answered(log_density, "categorical_log_density")
    check_shape(log_density, (3,), "one number for each row.")
    expected = [math.log(1 / 16), math.log(1 / 16), math.log(3 / 16)]
    check_close(log_density, expected, "density is probability divided by width.")


# %% tags=["hidden"]
def test_categorical_log_density_agrees_with_numpy(categorical_log_density):
    """The density is the bin's probability over the bin's width, for any range and sizes."""
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    cases = [(7, 5, -1.0, 1.0), (1, 3, 0.0, 0.6), (4, 2, -30.0, 70.0), (9, 31, -3.0, 3.5)]
    for batch, num_bins, low, high in cases:
        logits = 3 * torch.randn(batch, num_bins, generator=generator)
        edges = np.linspace(low, high, num_bins + 1)
        indices = torch.randint(num_bins, (batch,), generator=generator).numpy()
        # Away from the edges, where rounding might decide.
        share = 0.02 + 0.96 * torch.rand(batch, generator=generator, dtype=torch.float64).numpy()
        actions = torch.as_tensor(edges[indices] + share * np.diff(edges)[indices]).float()
        log_density = categorical_log_density(logits, actions, low, high)
        check_answered(log_density, "categorical_log_density")
        probabilities = torch.distributions.Categorical(logits=logits.double()).probs.numpy()
        density = probabilities[np.arange(batch), indices] / np.diff(edges)[indices]
        check_close(
            log_density, np.log(density), "the log-probability of the bin, minus log of its width."
        )


def test_categorical_log_density_holds_at_both_ends(categorical_log_density):
    """`low` lies in the first bin, and `high` in the last."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_bins, low, high in [(2, -1.0, 1.0), (5, -30.0, 70.0), (31, 0.0, 3.5)]:
        logits = torch.randn(1, num_bins, generator=generator).repeat(2, 1)
        log_density = categorical_log_density(logits, torch.tensor([low, high]), low, high)
        check_answered(log_density, "categorical_log_density")
        ends = logits[0].double().log_softmax(dim=0)[[0, -1]]
        expected = ends - math.log((high - low) / num_bins)
        check_close(log_density, expected, "low lies in the first bin, and high in the last.")


def test_categorical_log_density_integrates_to_one(categorical_log_density):
    """The density integrates to one, whatever the number of bins and the units."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_bins, low, high in [(2, 0.0, 0.1), (7, -2.0, 1.5), (31, -40.0, 60.0)]:
        cells = 20 * num_bins
        grid = low + (high - low) / cells * (torch.arange(cells) + 0.5)
        logits = (2 * torch.randn(1, num_bins, generator=generator)).repeat(cells, 1)
        log_density = categorical_log_density(logits, grid, low, high)
        check_answered(log_density, "categorical_log_density")
        mass = torch.as_tensor(log_density).double().exp().sum() * (high - low) / cells
        hint = "the density does not integrate to one: mind the width of a bin."
        check_close(mass, 1.0, hint, rtol=1e-3)


# %% tags=["wrong"]
def categorical_log_density__forgets_the_width(logits, actions, low, high):
    """This is the log-probability of the bin: the term −log(bin width) is missing."""
    return categorical_log_prob(logits, discretize(actions, low, high, logits.shape[1]))


def categorical_log_density__has_the_wrong_sign(logits, actions, low, high):
    """The width's logarithm is added: a density is probability *divided* by width, so subtract it."""
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob + math.log((high - low) / num_bins)


def categorical_log_density__takes_the_number_of_bins_for_the_width(logits, actions, low, high):
    """log(num_bins) is added and the range forgotten: that is right only where high − low is 1."""
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob + math.log(num_bins)


def categorical_log_density__subtracts_the_number_of_bins(logits, actions, low, high):
    """log(num_bins) is subtracted: subtract the logarithm of a bin's width."""
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob - math.log(num_bins)


def categorical_log_density__divides_by_the_whole_range(logits, actions, low, high):
    """The width of the whole range is used: a bin is narrower by a factor of num_bins."""
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, logits.shape[1]))
    return log_prob - math.log(high - low)


def categorical_log_density__divides_the_logarithm(logits, actions, low, high):
    """The log-probability is divided by the width: in logarithms a division is a subtraction."""
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob / ((high - low) / num_bins)


def categorical_log_density__has_one_bin_too_few(logits, actions, low, high):
    """The range is divided by num_bins − 1: there are num_bins widths between low and high."""
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob - math.log((high - low) / (num_bins - 1))


def categorical_log_density__forgets_to_normalise(logits, actions, low, high):
    """The logits are used as they are: normalise them to log-probabilities."""
    num_bins = logits.shape[1]
    indices = discretize(actions, low, high, num_bins)
    return logits.gather(1, indices[:, None]).squeeze(1) - math.log((high - low) / num_bins)


def categorical_log_density__mixes_up_the_batch(logits, actions, low, high):
    """The width comes from the size of the batch: it is the number of bins that divides the range."""
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, logits.shape[1]))
    return log_prob - math.log((high - low) / logits.shape[0])


def categorical_log_density__returns_the_density(logits, actions, low, high):
    """This is the density: its logarithm is asked for."""
    num_bins = logits.shape[1]
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, num_bins))
    return log_prob.exp() * num_bins / (high - low)


def categorical_log_density__has_no_bin_for_high(logits, actions, low, high):
    """`high` gets the index num_bins: it belongs to the last bin."""
    width = (high - low) / logits.shape[1]
    return categorical_log_prob(logits, ((actions - low) / width).long()) - math.log(width)


def categorical_log_density__joins_the_centres_by_lines(logits, actions, low, high):
    """The density is made a line from centre to centre: within a bin it is flat."""
    last, width = logits.shape[1] - 1, (high - low) / logits.shape[1]
    position = ((actions - low) / width - 0.5).clamp(0, last)
    left = position.long().clamp(max=last - 1)
    share, probabilities = position - left, logits.softmax(dim=1)
    at_left, at_right = (probabilities.gather(1, k[:, None])[:, 0] for k in (left, left + 1))
    return ((1 - share) * at_left + share * at_right).log() - math.log(width)


# %% tags=["right"]
def categorical_log_density__by_scaling_the_log_prob(logits, actions, low, high):
    log_prob = categorical_log_prob(logits, discretize(actions, low, high, logits.shape[-1]))
    return log_prob + math.log(logits.shape[-1]) - math.log(high - low)


def categorical_log_density__by_a_mixture_of_uniforms(logits, actions, low, high):
    edges = torch.linspace(low, high, logits.shape[1] + 1, dtype=torch.float64)
    inside = (actions[:, None] >= edges[:-1]) & (actions[:, None] < edges[1:])
    inside[:, -1] |= actions == high
    heights = logits.double().log_softmax(dim=1) - (edges[1:] - edges[:-1]).log()
    return torch.where(inside, heights, -torch.inf).logsumexp(dim=1)


def categorical_log_density__by_loops(logits, actions, low, high):
    num_bins = logits.shape[1]
    width = (high - low) / num_bins
    rows = []
    for row, action in zip(logits.double(), actions.tolist(), strict=True):
        index = min(max(int((action - low) // width), 0), num_bins - 1)
        rows.append((row.softmax(0)[index] / width).log())
    return torch.stack(rows)


def categorical_log_density__by_searchsorted(logits, actions, low, high):
    edges = torch.linspace(low, high, logits.shape[1] + 1)
    indices = (torch.searchsorted(edges, actions, right=True) - 1).clamp(0, logits.shape[1] - 1)
    rows = torch.arange(len(logits))
    return logits.log_softmax(1)[rows, indices] - torch.diff(edges).log()[indices]


# %% [markdown]
# Now compare again, in one unit. How low can it go? No policy can lose less than the **entropy** of
# the demonstrations' true distribution. Here we know it.

# %% tags=["train"]
grid = torch.linspace(LOW, HIGH, 30_001)
true_log_density = toy.log_prob(grid[:, None])
cell = (HIGH - LOW) / 30_000
entropy = -(true_log_density.exp() * true_log_density).sum() * cell
held_out = toy.sample(20_000, torch.Generator().manual_seed(1)).squeeze(1)


def held_out_nats(logits):
    """Return the mean negative log density of actions that were not trained on."""
    log_density = categorical_log_density(logits.expand(len(held_out), -1), held_out, LOW, HIGH)
    check_answered(log_density, "categorical_log_density")
    return -log_density.mean()


for num_bins in (11, 31, 101):
    nats = held_out_nats(fit_logits(actions, num_bins))
    print(f"{num_bins:4d} bins: {nats:+.3f} nats per action on held-out actions")
print(f"      truth: {entropy:+.3f}")

# %% [markdown]
# Now the order makes sense: 31 bins are better than 11. Two things may surprise you.
#
# The numbers can be negative. A density is not a probability: where all actions crowd into a few
# centimetres per second, it is larger than one, and its logarithm is positive. Change the unit to
# centimetres per second and every number grows by $\log 100 = 4.6$. The differences between them stay.
#
# And we counted on **held-out** actions. On the training data, cutting every bin in two never looks
# worse, so you would cut for ever. In the end there is one bin for each demonstrated action, and the
# policy knows nothing but those.
#
# ## How many bins does the data pay for?
#
# Two errors pull in opposite directions.
#
# **Too few bins, and the shape is lost.** Inside a bin the policy's density is flat, and the truth is
# not. Take the truth for a straight line inside each bin and expand the logarithm to second order: this
# costs
#
# $$
# \frac{w^2}{24} \int \frac{p'(a)^2}{p(a)} \, da \quad \text{nats.}
# $$
#
# It is small where the density is smooth, and it falls with the square of the width.
#
# **Too many bins, and there is no data to fill them.** $B$ bins have $B - 1$ free probabilities. Under
# maximum likelihood, each parameter that is estimated from $n$ actions costs about $1 / 2n$ nats on a
# new action. Together that is $(B - 1) / 2n$.
#
# Add the two with $w = R / B$, where $R$ is the range, and set the derivative to zero:
#
# $$
# B^* = \left( \frac{R^2 \, n}{6} \int \frac{p'^2}{p} \right)^{1/3} .
# $$
#
# The third root is bad news and good news. Eight times as much data pays for only twice as many bins.
# But you need not be exact about the number either.
#
# One detail before we test this. A bin in which no training action fell gets probability zero, and the
# first held-out action there costs infinitely much. So we count half an action in every bin before we
# start (Krichevsky and Trofimov's rule). Networks are saved by their smoothness, and by not being
# trained for ever.

# %% tags=["train"]
BINS = [7, 11, 15, 21, 31, 45, 65, 101, 151, 221, 301]
SIZES = {100: ("o", "#56B4E9"), 1000: ("s", "#1F72A8"), 10_000: ("D", "#0B2F4D")}


def histogram_nats(count, num_bins, seed):
    """Return the held-out nats of a histogram of `count` actions, half an action added to each bin."""
    trained_on = toy.sample(count, torch.Generator().manual_seed(seed)).squeeze(1)
    indices = discretize(trained_on, LOW, HIGH, num_bins)
    check_answered(indices, "discretize")
    counts = torch.bincount(indices, minlength=num_bins)
    return held_out_nats((counts + 0.5).log())


curves = {
    count: [
        torch.stack([histogram_nats(count, num_bins, seed) for seed in range(10, 14)]).mean()
        for num_bins in BINS
    ]
    for count in SIZES
}

# %% tags=["train"]
slope = torch.gradient(true_log_density.exp(), spacing=cell)[0]
roughness = (slope.square() / true_log_density.exp()).nansum() * cell
smooth = torch.linspace(20, 301, 200)
figure, axes = plt.subplots(figsize=(6.8, 3.8))
for (count, (marker, color)), nats in zip(SIZES.items(), curves.values(), strict=True):
    axes.plot(BINS, nats, marker=marker, color=color, ls="-", label=f"{count:,} actions")
    bias, variance = ((HIGH - LOW) / smooth) ** 2 / 24 * roughness, (smooth - 1) / (2 * count)
    axes.plot(smooth, entropy + bias + variance, color=color, ls=":", lw=1.5)
    best = ((HIGH - LOW) ** 2 * count / 6 * roughness) ** (1 / 3)
    print(f"{count:6,} actions: the formula recommends {best:.0f} bins")
axes.axhline(entropy, color="black", ls="--", lw=1.2, label="entropy of the truth")
axes.set(
    xscale="log", xticks=(10, 30, 100, 300), xticklabels=(10, 30, 100, 300), ylim=(-0.16, 0.75)
)
axes.set(xlabel="number of bins", ylabel="held-out nats per action")
axes.minorticks_off()
axes.legend()
show(
    figure,
    alt="Held-out nats against the number of bins, for 100, 1,000 and 10,000 actions. Each curve falls, "
    "reaches its lowest point at about 30, 70 and 150 bins, and rises again. All stay above the entropy.",
    caption="Solid: measured on 20,000 held-out actions. Dotted: the two terms added up.",
)

# %% [markdown]
# The formula knows where the bottom lies. With 100 actions 31 bins are about right, and 301 are far too
# many. With 10,000 actions you can afford 150, and the curve comes close to its floor.
#
# It does not know everything. The dotted lines begin at 20 bins: with fewer, a bin is wider than a
# lane, and an approximation for narrow bins says nothing. And with 100 actions in 301 bins the true
# cost is less than half of what the formula says. $1 / 2n$ is what it costs to *estimate* a probability,
# and most of these bins stay empty.
#
# Keep in mind where this cost comes from. **Bins do not know that they are neighbours.** For the
# cross-entropy, bin 14 is as far from bin 15 as from bin 30. What has been learnt about one says
# nothing about the next. That freedom is what makes every shape possible, and it is what has to be paid
# for with data.

# %% [markdown] question="honest_nats" points=[]
# ### Question 2.6 · Whose policy is better?
#
# A colleague trained with 11 bins over ±1.5 m/s and reports a held-out loss of 1.61. You trained with
# 101 bins over the same range and get 3.81. Whose policy describes the demonstrations better? What if
# your colleague's 1.61 was the *training* loss?

# %% [markdown] tags=["solution"]
# The two losses have different units. In nats per metre per second, the colleague's 11 bins of width
# 0.273 reach 1.61 + log 0.273 = 0.31, and the 101 bins of width 0.0297 reach 3.81 + log 0.0297 = 0.29.
# So the 101 bins are a little better, although their loss looks more than twice as large. Whether 0.02
# nats are worth mentioning depends on how many held-out actions there were. If 1.61 was measured on the
# training data, it is too low by about (B − 1)/2n against the best it could be, and about twice that
# against held-out data, so the colleague's policy is worse than it looks.

# %% [markdown]
# ## Sampling, and temperature
#
# A policy must act. Draw one bin for each row, with the probabilities that the logits stand for.

# %% [markdown] question="categorical_sample" points=[1, 2, 1, 1]
# ### Question 2.7 · Sampling
#
# Write `categorical_sample(logits, generator)`. `logits` is `(batch, num_bins)`. Return `(batch,)`, of
# `torch.long`: one index for each row, drawn from that row's distribution.
#
# Draw from `generator`, so that a seed reproduces the sample. `torch.multinomial` takes a generator; it
# wants probabilities. It must work for logits of ±10,000 too.


# %% tags=["solution"]
def categorical_sample(logits, generator):
    """Draw one index for every row."""
    probabilities = torch.softmax(logits, dim=1)  # SOLUTION
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)  # SOLUTION


# %% tags=["public"]
def test_categorical_sample_follows_its_seed(categorical_sample):
    """One index a row, never one that cannot occur; the same seed repeats the sample, another does not."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, check_shape

    logits = torch.tensor([0.0, 0.0, -500.0, 0.0]).repeat(60, 1)
    first, again, other = (
        categorical_sample(logits, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    check_answered(first, "categorical_sample")
    check_shape(first, (60,), "one index for every row.")
    check_dtype(first, torch.long, "indices are whole numbers.")
    drawn = set(first.tolist())
    assert drawn == {0, 1, 3}, f"only bins 0, 1 and 3 can occur, and all should; you drew {drawn}."
    check_close(again, first.tolist(), "the same seed gave another sample: draw from `generator`.")
    assert other.tolist() != first.tolist(), (
        "two seeds gave the same sample: draw from the generator, and do not seed it yourself."
    )


# %% tags=["hidden"]
def test_categorical_sample_follows_its_rows_distribution(categorical_sample):
    """Every row's index is drawn with that row's own probabilities."""
    import torch
    from scipy.stats import chi2

    from imitation_lab.testing import check_answered, check_dtype, check_shape, fresh_generator

    rows, repeats, num_bins = 4, 1500, 5
    distinct = 2 * torch.rand(rows, num_bins, generator=fresh_generator()) - 1
    distinct[torch.arange(rows), torch.arange(rows)] = 1.5
    samples = categorical_sample(distinct.repeat(repeats, 1), fresh_generator())
    check_answered(samples, "categorical_sample")
    check_shape(samples, (rows * repeats,), "one index for every row.")
    check_dtype(samples, torch.long, "indices are whole numbers.")
    samples = torch.as_tensor(samples).long()
    in_range = ((samples >= 0) & (samples < num_bins)).all()
    assert in_range, f"an index lies outside 0 … {num_bins - 1}."
    one_hot = torch.eye(num_bins, dtype=torch.float64)[samples]
    observed = one_hot.reshape(repeats, rows, num_bins).sum(dim=0)
    expected = repeats * torch.distributions.Categorical(logits=distinct.double()).probs
    statistic = float(((observed - expected).square() / expected).sum())
    # A right answer's p-value is about uniform; every expected count exceeds 40.
    assert chi2.sf(statistic, rows * (num_bins - 1)) > 1e-9, (
        "the indices do not occur with their own rows' probabilities, softmax(logits)."
    )


def test_categorical_sample_is_stable(categorical_sample):
    """Logits of ±10,000 are no trouble: where one bin has all the probability, it is drawn."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    logits = torch.full((6, 4), -1e4)
    logits[:, 1] = 0.0
    logits[torch.arange(6), torch.tensor([3, 0, 2, 0, 3, 1])] = 1e4
    indices = categorical_sample(logits.repeat(500, 1), fresh_generator())
    check_answered(indices, "categorical_sample")
    check_close(
        indices,
        [3, 0, 2, 0, 3, 1] * 500,
        "the largest logit wins by far, every time: do not let it overflow.",
    )
    low = torch.full((5, 3), -1e4)
    low[:, 2] = -9e3
    indices = categorical_sample(low, fresh_generator())
    check_close(
        indices, [2] * 5, "only differences between logits count: do not let all underflow."
    )


def test_categorical_sample_draws_anew_for_every_row(categorical_sample):
    """Rows are independent of each other, and so are two calls; equal seeds repeat a sample."""
    import torch
    from scipy.stats import chi2_contingency

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator, count = fresh_generator(), 3000
    logits = torch.tensor([[0.0, 0.3, -0.2]]).repeat(count, 1)
    calls = [categorical_sample(logits, generator) for _ in range(2)]
    for samples in calls:
        check_answered(samples, "categorical_sample")
        check_shape(samples, (count,), "one index for every row.")
    first, second = (torch.as_tensor(samples).long() for samples in calls)
    assert len(set(first.tolist())) == 3, "all rows share one draw: draw anew for every row."
    pairs = {
        "neighbouring rows share their draw": (first[::2], first[1::2]),
        "two calls with one generator share their draws": (first, second),
    }
    for fault, (one, two) in pairs.items():
        table = torch.bincount(3 * one + two, minlength=9).reshape(3, 3).numpy()
        # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
        assert chi2_contingency(table).pvalue > 1e-9, f"{fault}: draw anew for every row."
    single = categorical_sample(logits[:1], generator)
    check_shape(single, (1,), "one row gives one index, in a tensor of shape (1,).")
    seed = fresh_generator().initial_seed()
    one, again = (categorical_sample(logits, torch.Generator().manual_seed(seed)) for _ in range(2))
    check_close(again, one, "the same seed gave another sample: draw from `generator`.")


# %% tags=["wrong"]
def categorical_sample__takes_the_largest(logits, generator):
    """This returns the likeliest bin every time: a sample must be able to land in the others."""
    return logits.argmax(dim=1)


def categorical_sample__ignores_the_generator(logits, generator):
    """The draw comes from the global seed: pass the generator on."""
    return torch.multinomial(torch.softmax(logits, dim=1), 1).squeeze(1)


def categorical_sample__seeds_the_generator(logits, generator):
    """The generator is seeded anew at every call, so every call returns the same draw."""
    generator.manual_seed(0)
    return torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator).squeeze(1)


def categorical_sample__shares_the_draw(logits, generator):
    """All rows share one random number: each needs its own."""
    cumulative = torch.softmax(logits, dim=1).cumsum(dim=1)
    return (torch.rand(1, generator=generator) > cumulative[:, :-1]).sum(dim=1)


def categorical_sample__takes_logits_for_probabilities(logits, generator):
    """The logits are used as weights, without their exponentials: take the softmax first."""
    weights = logits - logits.amin(dim=1, keepdim=True) + 1e-6
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)


def categorical_sample__normalises_over_the_batch(logits, generator):
    """The softmax runs over the batch: it should run over the bins of each row."""
    return torch.multinomial(torch.softmax(logits, dim=0), 1, generator=generator).squeeze(1)


def categorical_sample__exponentiates_first(logits, generator):
    """The plain exponential overflows for large logits: use the softmax, which subtracts the largest first."""
    return torch.multinomial(logits.exp(), 1, generator=generator).squeeze(1)


def categorical_sample__keeps_an_axis(logits, generator):
    """The result has shape (batch, 1): one index for each row is (batch,)."""
    return torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator)


def categorical_sample__uses_the_first_row(logits, generator):
    """All rows are drawn from the first row's distribution: each has its own."""
    probabilities = torch.softmax(logits[0], dim=0)
    return torch.multinomial(probabilities, len(logits), replacement=True, generator=generator)


def categorical_sample__adds_gaussian_noise(logits, generator):
    """Gaussian noise on the logits and the largest of them: that works with Gumbel noise only."""
    return (logits + torch.randn(logits.shape, generator=generator)).argmax(dim=1)


def categorical_sample__shares_the_gumbel_noise(logits, generator):
    """The noise is drawn once and used in every row: each row needs its own."""
    noise = -torch.empty(logits.shape[1]).exponential_(generator=generator).log()
    return (logits + noise).argmax(dim=1)


def categorical_sample__draws_any_bin(logits, generator):
    """All bins are equally likely here: use the logits."""
    return torch.randint(logits.shape[1], (len(logits),), generator=generator)


def categorical_sample__is_off_by_one(logits, generator):
    """The index is one too high: the first bin can never be drawn."""
    indices = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator).squeeze(1)
    return (indices + 1).clamp(max=logits.shape[1] - 1)


def categorical_sample__drops_the_batch_of_one(logits, generator):
    """A bare squeeze() drops the batch too, where it has one row: squeeze the last axis only."""
    return torch.multinomial(torch.softmax(logits, dim=1), 1, generator=generator).squeeze()


def categorical_sample__gives_every_bin_a_little(logits, generator):
    """A small number keeps every bin possible, also where nobody drives: the softmax needs none."""
    probabilities = torch.softmax(logits, dim=1) + 1e-3
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)


def categorical_sample__sharpens(logits, generator):
    """This samples at a temperature below one: the policy must be what the logits say."""
    probabilities = torch.softmax(logits / 0.75, dim=1)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)


# %% tags=["right"]
def categorical_sample__by_gumbel_noise(logits, generator):
    noise = torch.empty(logits.shape, dtype=torch.float64).exponential_(generator=generator)
    return (logits - noise.log()).argmax(dim=1)


def categorical_sample__by_inverting_the_cumulative(logits, generator):
    cumulative = torch.softmax(logits.double(), dim=1).cumsum(dim=1)
    uniform = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    return (uniform >= cumulative[:, :-1]).sum(dim=1)


def categorical_sample__row_by_row(logits, generator):
    probabilities = logits.softmax(dim=-1)
    draws = [torch.multinomial(row, 1, generator=generator)[0] for row in probabilities]
    return torch.stack(draws)


def categorical_sample__by_a_race(logits, generator):
    times = torch.empty_like(logits).exponential_(generator=generator)
    return (times / logits.softmax(dim=1)).argmin(dim=1)


def categorical_sample__by_torch_distributions(logits, generator):
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.distributions.Categorical(logits=logits).sample()


def categorical_sample__by_numpy(logits, generator):
    import numpy as np

    random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    steps = logits.double().softmax(dim=1).cumsum(dim=1).numpy()
    below = steps / steps[:, -1:] <= random.random((len(logits), 1))
    return torch.as_tensor(below.sum(axis=1))


# %% [markdown]
# Before we draw, one knob. Divide the logits by a **temperature** $T$:
#
# $$
# p_k^{(T)} \propto e^{\ell_k / T} = p_k^{1/T} \quad \text{(up to a constant)}.
# $$
#
# At $T = 1$ the policy is what the data made it. Below one it is sharper: likely bins win, rare ones
# vanish. In the limit $T \to 0$ it always takes the likeliest bin. Above one it is flatter, and as
# $T \to \infty$ all bins become equally likely, also those in which nobody ever drove.
#
# The three lanes carry 50, 30 and 20 % of the data. Guess: what share does each have at $T = 0.25$?

# %% tags=["train"]
edges = torch.tensor([-0.35, 0.4])  # halfway between the lanes
generator = torch.Generator().manual_seed(0)
figure, panels = plt.subplots(1, 3, figsize=(11, 2.9))
for axes, temperature in zip(panels, (0.25, 1.0, 4.0), strict=True):
    rows = (logits / temperature).expand(20_000, -1)
    indices = categorical_sample(rows, generator)
    check_answered(indices, "categorical_sample")
    samples = undiscretize(indices, LOW, HIGH, 61)
    lanes = torch.bincount(torch.bucketize(samples, edges), minlength=3) / len(samples)
    nowhere = (toy.log_prob(samples[:, None]) < math.log(0.1)).float().mean()
    print(
        f"T = {temperature:<4g} lanes: {' / '.join(f'{100 * share:.0f}' for share in lanes)} %, "
        f"where hardly anybody drives: {100 * nowhere:.0f} %"
    )
    plot_toy(axes, toy)
    plot_bins(axes, (logits / temperature).softmax(dim=0), LOW, HIGH)
    axes.set_title(f"T = {temperature:g}")
panels[1].legend()
show(
    figure,
    alt="The fitted histogram at three temperatures. At 0.25 almost everything lies in the tallest "
    "peak, which leaves the picture. At 1 it follows the truth. At 4 it is low and wide, and fills the gaps between the lanes.",
    caption="One knob, two dangers: below one the rarer lanes disappear, above one the gaps fill up.",
)

# %% [markdown]
# At $T = 0.25$ the lane with half of the data takes nearly all of it. Probabilities count to the fourth
# power, so the tallest peak wins, and being narrow helps it. The policy no longer imitates the
# distribution, only its largest mode. At $T = 4$ all lanes are in use, but nearly a third of the samples
# lie where drivers practically never are. (Nearly a third after this training. The logit of an empty bin
# falls for as long as you train: nothing in the data says where to stop.)
#
# ### Play with it
#
# Two drivers again, as in notebook 1, and one steering action. On the left stand their density and the
# policy's bins; on the right what the policy costs, in nats per action, over the number of bins. The
# obstacle is the grey strip: actions in it crash.
#
# - Start as it is, and move the number of bins. Where is the cost lowest? Now take ten times as many
#   demonstrated actions. Does the lowest point move to where the formula says? (For Gaussians that
#   hardly overlap, the integral is $1/\sigma^2$: here $1/0.12^2 = 69$.)
# - Go down to three bins. The drivers hardly ever hit the obstacle, and yet the policy does. Which of the
#   steps from action to bin and back is to blame?
# - Take 21 bins and 200 actions again, and turn the temperature down to 0. Which driver survives, and what
#   decided that? Then turn it up until one sample in twenty hits the obstacle.
#
# After a restart of the kernel, run the cell again to get the widget back.

# %% tags=["train"]
bins = ChooseTheBins()
bins

# %% [markdown]
# ## Let it drive
#
# Back to the fork, with an observation again. An action is two numbers now, forward and lateral. The
# policy below gives each of them a categorical distribution of its own: the network has `2 * num_bins`
# outputs. Its loss and its samples are yours.
#
# A policy works in normalised units, where each number has standard deviation one. So ±3 is a sensible
# range for the bins. We count how much of the data it clamps.


# %%
LIMIT = 3.0  # in standard deviations of the demonstrated actions


class Categorical(Policy):
    """A network that predicts logits for every number of a chunk, one categorical for each."""

    def __init__(self, seed, num_bins=31, prediction_horizon=1, width=64):
        super().__init__(8, 2, prediction_horizon)
        generator = torch.Generator().manual_seed(seed)
        self.num_bins, self.temperature = num_bins, 1.0
        self.network = MLP(8, self.chunk_dim * num_bins, width, generator=generator)

    def logits(self, observations):
        """Return one row for every number: (batch * chunk_dim, num_bins)."""
        return self.network(observations).reshape(-1, self.num_bins)

    def loss(self, observations, actions, generator=None):
        indices = discretize(actions.flatten(), -LIMIT, LIMIT, self.num_bins)
        loss = categorical_loss(self.logits, observations, indices)
        check_answered(loss, "categorical_loss")
        return self.chunk_dim * loss  # independent numbers: their losses add up

    def sample(self, observations, generator=None):
        indices = categorical_sample(self.logits(observations) / self.temperature, generator)
        check_answered(indices, "categorical_sample")
        centres = undiscretize(indices, -LIMIT, LIMIT, self.num_bins).to(observations.dtype)
        return centres.reshape(-1, self.prediction_horizon, self.action_dim)


# %%
SEEDS = range(3)
SETTINGS = TrainingSettings(steps=1500, batch_size=128)


def train_actors(make_policy, demonstrations, name):
    """Train one policy for every seed, all at once, and return the actors that play them."""
    return players(clone(make_policy, demonstrations, SETTINGS, SEEDS, device, name))


def success_rate(actors):
    """Let every actor drive a hundred times, and return the success rate of all together."""
    return pool(drive(actors, task, SEEDS))


def initial_weights(seed):
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# Regression and the Gaussian from notebook 1 drive along, with the same two hidden layers of 64. Write
# down your guess before you run this: where will 31 bins land? And 5, and 101?

# %% tags=["train"]
task = Fork()
drivers = {side: NoisyActor(ForkDriver(task, (side,)), HAND_NOISE) for side in ("left", "right")}
demonstrations = demonstrate(task, drivers, 100, torch.Generator().manual_seed(SEED))
regression = train_actors(
    lambda seed: RegressionPolicy(8, 2, width=64, generator=initial_weights(seed)),
    demonstrations,
    "regression",
)
gaussian = train_actors(
    lambda seed: GaussianPolicy(8, 2, width=64, generator=initial_weights(seed)),
    demonstrations,
    "Gaussian",
)
categorical = {
    num_bins: train_actors(
        lambda seed, num_bins=num_bins: Categorical(seed, num_bins),
        demonstrations,
        f"{num_bins} bins",
    )
    for num_bins in (5, 11, 31, 101)
}
normalised = categorical[31][0].action_normalizer.normalize(demonstrations.actions.to(device))
print(f"clamped: {100 * (normalised.abs() > LIMIT).float().mean():.2f} % of all numbers")

# %% tags=["train"]
rates = {"regression": success_rate(regression), "Gaussian": success_rate(gaussian)}
rates |= {f"{num_bins} bins": success_rate(actors) for num_bins, actors in categorical.items()}
figure, axes = plt.subplots(figsize=(6.4, 2.8))
looks = ["regression", "gaussian", *["categorical"] * len(categorical)]
plot_success_rates(axes, rates, looks=[POLICY_LOOKS[look] for look in looks])
show(
    figure,
    alt="Success rates with intervals: regression near zero, the Gaussian a little above one half, "
    "5 bins no better, and 11, 31 and 101 bins at about three quarters.",
    caption="Three seeds with 100 episodes each.",
)

# %% [markdown]
# About three drives of four reach the goal, with 11, 31 or 101 bins. The Gaussian manages one in two.
# Between 11 and 101 there is little to choose here: the flat bottom of the curve above, seen on the
# road.
#
# Five bins do no better than the Gaussian. They can say *left*, *right* and *straight on*, but nothing
# in between: a lateral bin is 0.6 m/s wide. These policies crash about twice as often as those with 31
# bins, and about one drive in eight goes past the goal, since there are no words for a small
# correction.
#
# We play the centre of the bin that was drawn. An exact sample of our density would be spread evenly
# over the bin. We tried both. With 31 bins success is the same, and with 5 the centres are no worse.
#
# Why only three of four? Look at what the policies command where the drivers choose.

# %% tags=["train"]
deciding = ForkDriver(task).is_deciding(demonstrations.observations)
observations = demonstrations.observations[deciding].to(device)


def commands_of(actors):
    """Return the lateral commands of all actors where the drivers choose."""
    generator = torch.Generator(device).manual_seed(0)
    for actor in actors:
        actor.reset(torch.ones(len(observations), dtype=torch.bool))
    return torch.cat([actor.act(observations, generator)[:, 1] for actor in actors])


commands = {
    "expert": demonstrations.actions[deciding, 1],
    "gaussian": commands_of(gaussian),
    "categorical": commands_of(categorical[31]),
}
for name, values in commands.items():
    print(f"{name:>12}: {100 * (values.abs() < 0.25).float().mean():.0f} % nearly straight ahead")
figure, axes = plt.subplots(figsize=(6.4, 3.0))
plot_commands(axes, commands).set_title("Lateral commands where the drivers choose")
show(
    figure,
    alt="The drivers' commands are two narrow peaks. The Gaussian's are one wide hill. The categorical's "
    "are two peaks at the drivers' places, with a smaller one at zero between them.",
    caption="Two peaks, at last. The third one, at zero, is the command that drivers give just before they choose.",
)

# %% [markdown]
# The policy has found both peaks. But in about one case of five it still says *straight on*. That is
# what the drivers do a few centimetres earlier, and the network has not learnt exactly where the line
# runs. Every such step costs room.
#
# So here is a use for the temperature. Of the three, straight on is the rarest at this place. What if
# we make rare things rarer?

# %% tags=["train"]
by_temperature = {}
for temperature in (0.25, 0.5, 1.0, 2.0, 4.0):
    for actor in categorical[31]:
        actor.policy.temperature = temperature
    by_temperature[f"T = {temperature:g}"] = success_rate(categorical[31])
for actor in categorical[31]:
    actor.policy.temperature = 1.0
figure, axes = plt.subplots(figsize=(6.4, 2.6))
plot_success_rates(axes, by_temperature, looks=[POLICY_LOOKS["categorical"]] * len(by_temperature))
show(
    figure,
    alt="Success rates of 31 bins fall as the temperature rises: nearly nine in ten at 0.25, three "
    "quarters at 1, and about 30 per cent at 4.",
    caption="The same trained policies with 31 bins. Only the temperature of their samples differs.",
)

# %% [markdown]
# Nearly nine in ten at $T = 0.25$, and fewer than half at $T = 4$. Nothing was trained anew. A cold
# policy hesitates less; a warm one does things that nobody demonstrated.
#
# It worked because both sides of the fork are equally likely. The cold policy still passes on both:
# small differences in what it sees decide. With the three lanes, the cold policy lost two of its three
# modes. Which of the two you get depends on your data. So report the temperature with the result.

# %% [markdown] question="neighbours" points=[]
# ### Question 2.8 · Bins have no neighbours
#
# The expert's command lies in bin 14. One policy puts all its probability on bin 15, another puts all
# of its on bin 30. What does the cross-entropy say about the two? What would the squared error say?
# Name one situation in which the cross-entropy's view is the better one, and one in which it hurts.

# %% [markdown] tags=["solution"]
# For the cross-entropy both are equally bad: it looks only at the probability of bin 14, and that is
# zero in both. The squared error of the commands would call the first nearly right and the second far
# off. With two drivers the cross-entropy's view is the better one: a policy that has learnt *left and
# right* should not be pulled to the middle because the middle is near to both. It hurts where data are
# few and the density is smooth. Then what is learnt about bin 14 should count for bin 15 as well, and
# with independent logits it does not. Every bin needs data of its own.

# %% [markdown]
# ## More than one number
#
# Everything so far concerned one number at a time. That was the promise: *maximally expressive in one
# dimension*. What about two, or seven? One table over all combinations would be as expressive. Count
# its rows.

# %% tags=["train"]
print("numbers       one table of all combinations   one table a number")
for name, numbers in [("steering", 1), ("fork", 2), ("robot arm", 7), ("arm, chunks of 8", 56)]:
    print(f"{name:>16} {numbers:3d} {31.0**numbers:24.3g} {31 * numbers:20,}")

# %% [markdown]
# With 31 bins, a robot arm of seven joints has more combinations than a network can have outputs. A
# chunk of eight actions of that arm has more than there are atoms in the universe, and no amount of
# demonstrations fills them.
#
# Our `Categorical` took the way out: one small table for each number, and no table for combinations.
# That is cheap. It assumes that, *given the observation*, the numbers are independent of each other.
#
# Does that matter? With one action a step it went well. Now let the policy predict eight actions at
# once, sixteen numbers, each with 31 bins of its own. Guess.

# %% tags=["train"]
chunked = train_actors(
    lambda seed: Categorical(seed, prediction_horizon=8), demonstrations, "31 bins, chunks of 8"
)
success = {"31 bins, one action": rates["31 bins"], "31 bins, chunks of 8": success_rate(chunked)}
starts = chunked[0].observation_normalizer.normalize(observations)
generator = torch.Generator(device).manual_seed(0)
sampled = chunked[0].action_normalizer.denormalize(chunked[0].policy.sample(starts, generator))

# %% tags=["train"]
figure, (bars, experts, guesses) = plt.subplots(1, 3, figsize=(11, 2.9), width_ratios=(3, 2, 2))
plot_success_rates(bars, success, looks=[POLICY_LOOKS["categorical"]] * 2)
bars.set_xlabel("episodes that reach the goal, in %")
plot_chunks(experts, task, demonstrations.chunks(8)[deciding], "expert").set_title(
    "Drivers' chunks"
)
plot_chunks(guesses, task, sampled, "categorical").set_title("The categorical's chunks")
show(
    figure,
    alt="Left: success falls from about three quarters to below a third with chunks of eight. Middle: "
    "drivers' chunks stay on one side. Right: the categorical's chunks jump from side to side.",
    caption="Each number has the right two peaks. Together they make no sense.",
)

# %% [markdown]
# Each of the eight lateral commands is drawn left or right, correctly, in half of the cases. But each
# is drawn on its own, and the vehicle swerves to both sides within a second. No number of bins repairs
# that. The right shape for each number is not the right shape for all of them.
#
# One table for everything is too large, one table for each number is too simple. Is there anything
# between the two? Keep the question for notebook 4. Notebook 3 first tries another way: a few Gaussians
# instead of many bins.

# %% [markdown] question="independence" points=[]
# ### Question 2.9 · What independence costs
#
# Drivers meet a hole in the road. Half of them steer left and brake; the other half steer right and
# speed up. A policy with one categorical for steering and one for speed is trained on them until it is
# perfect. What does it do? Which of its two distributions is wrong?

# %% [markdown] tags=["solution"]
# It steers left half of the time and brakes half of the time, as the drivers do, and neither
# distribution is wrong on its own. But it draws them independently. So in a quarter of all cases it
# steers left and speeds up, and in another quarter it steers right and brakes. Nobody ever demonstrated
# these. What is missing is not in either distribution; it is the dependence between them, and a product
# of two tables has no place to keep it.

# %% [markdown]
# ## What you have seen
#
# - Bins turn imitation into classification. In one dimension they can take any shape, and cross-entropy fits
#   them by maximum likelihood.
# - Losses with different numbers of bins have different units. Subtract $\log w$, and compare nats
#   per unit of action, on held-out data.
# - Few bins lose the shape, many bins need data. The best number grows with the third root of the data.
# - The range matters: what it clamps is played from the end bins. Count it.
# - Temperature below one drops rare modes and rare mistakes alike; above one it invents actions.
# - One table for all combinations grows as $B^d$. One table for each number is cheap, and forgets how they belong together.
#
# ## Stretch goals
#
# These are not graded.
#
# 1. **Bins where the data are.** Put the edges at quantiles of the actions, so that every bin holds the same
#    number of them. What is the width in the density now? Does the road notice?
# 2. **Tell the neighbours.** Train with soft targets: most of the probability on the expert's bin, a
#    little on the bins beside it. How many bins can 100 actions pay for now?
# 3. **A bin and an offset.** Let the network also predict, for each bin, where in it the action lies. Five
#    bins and five offsets: how well do they drive?
#
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning.
# - Pomerleau, *ALVINN: an autonomous land vehicle in a neural network*, NIPS 1988. The road follower's output was a row of units, one for each steering
#   direction: bins, long ago.
# - Freedman and Diaconis, *On the histogram as a density estimator*, 1981. Why the third root.
# - Krichevsky and Trofimov, *The performance of universal encoding*, 1981. Half a count for every bin.
# - van den Oord et al., *Pixel recurrent neural networks*, ICML 2016, arXiv:1601.06759. A softmax over 256 values
#   beats a continuous density.
# - Metz et al., *Discrete sequential prediction of continuous actions for deep RL*, arXiv:1705.05035.
# - Shafiullah et al., *Behavior transformers: cloning k modes with one stone*, NeurIPS 2022, arXiv:2206.11251.
#   Bins with offsets.
# - Brohan et al., *RT-1*, arXiv:2212.06817, and Kim et al., *OpenVLA*, arXiv:2406.09246. 256 bins for each
#   number of a robot's action.
