# ---
# jupyter:
#   imitation_lab:
#     title: Discretise and autoregress
#     answers:
#     - imitation_lab.policies.autoregressive
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · Discretise and autoregress
#
# A driver passes the cyclist in one of two ways: steer left and brake, or steer right and speed up.
# Both are fine. Steer left and speed up is a crash, and so is the other mixture.
#
# Bins can represent any distribution of *one* number. An action has at least two. Give each number
# bins of its own, and the policy invents crashes that nobody drove. This notebook shows why, and then
# repairs it with a rule as old as probability: decide one number, look at it, decide the next.
# Language models write that way, one word after the other. So do some of the policies that drive cars
# and move robots today.
#
# **When you have finished it, you can**
#
# - say what independent bins lose, and measure it in nats;
# - write the likelihood of an autoregressive policy, and sample from it;
# - compute all conditionals in one pass through a causal mask;
# - say what action tokens are, what they share with words, and what they cost;
# - compare five classes of policies on one road, with intervals.
#
# You need notebook 2 (bins, log-softmax). The experiments take about half a minute on a laptop.
# Most answers are two to five lines. Time: about three hours.

# %%
import math
import time

import torch
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate
from imitation_lab.comparison import comparison_table, recorded_comparison
from imitation_lab.envs import Fork
from imitation_lab.evaluation import pool
from imitation_lab.experiment import clone, drive, players
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import MLP, count_parameters
from imitation_lab.plots import (
    POLICY_LOOKS,
    plot_excess_nats,
    plot_rollouts,
    plot_sides,
    plot_success_by_road,
    plot_success_rates,
    show,
    use_course_style,
)
from imitation_lab.plots.planes import plot_plane, plot_table
from imitation_lab.policies.categorical import Bins
from imitation_lab.testing import check_answered
from imitation_lab.toys import LIMIT, ring, steer_or_brake
from imitation_lab.training import TrainingSettings, best_device, minimize
from imitation_lab.types import Policy
from imitation_lab.widgets import ChooseTheOrder

use_course_style()
device = best_device()

# %% tags=["variant"]
SEED = 0  # of the actions and demonstrations  # VARIANT 0..9999

# %% [markdown]
# ## How many bins does an action need?
#
# Notebook 2 cut the range of one number into 31 bins and gave each a probability. For an action with
# $d$ numbers the same recipe needs a bin for every combination: $31^d$ of them. How bad is that?

# %%
for what, numbers in {
    "steer": 1,
    "steer and speed": 2,
    "a robot arm with its gripper": 7,
    "a chunk of eight steer-and-speed actions": 16,
}.items():
    print(f"{what}: 31^{numbers} = {31**numbers:.3g} bins")

# %% [markdown]
# Two numbers still work. With seven there are more bins than any data set has actions: nearly every
# bin stays empty, and no network has that many outputs.
#
# The cheap way out: let the network put out $d$ separate categoricals, one for each number, $31 \cdot d$
# logits in all. That treats the numbers as **independent** given the observation,
#
# $$
# p(a \mid o) = \prod_{i} p(a_i \mid o).
# $$

# %% [markdown] question="independent_log_prob" points=[1, 2, 1, 1]
# ### Question 4.1 · Independent bins
#
# Write `independent_log_prob(policy, observations, indices)`.
#
# - `policy(observations)` returns logits `(batch, action_dim, num_bins)`: one categorical for each
#   number of the action. Logits are not normalised.
# - `indices` is `(batch, action_dim)`, long: the bin of every number of every action.
# - Return `(batch,)`: the log-probability of each whole action.
#
# Stay in logarithms from beginning to end. Probabilities of unlikely bins underflow.


# %% tags=["solution"]
def independent_log_prob(policy, observations, indices):
    """Return the log-probability of actions whose numbers are independent of each other."""
    log_probs = policy(observations).log_softmax(dim=-1)  # SOLUTION
    chosen = log_probs.gather(-1, indices.unsqueeze(-1)).squeeze(-1)  # SOLUTION
    return chosen.sum(dim=1)  # SOLUTION


# %% tags=["public"]
def test_independent_log_prob_of_even_bins(independent_log_prob):
    """Where all 5 bins of 3 numbers are equally likely, every action has probability 1/125."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    indices = torch.tensor([[0, 1, 2], [4, 4, 4]])
    log_prob = independent_log_prob(
        lambda seen: torch.full((len(seen), 3, 5), 7.0), torch.zeros(2, 4), indices
    )
    check_answered(log_prob, "independent_log_prob")
    check_shape(log_prob, (2,), "one log-probability for each action: add up over its numbers.")
    check_close(
        log_prob,
        [-math.log(125)] * 2,
        "normalise the logits of each number, and add up the log-probabilities of the bins.",
    )


# %% tags=["hidden"]
def test_independent_log_prob_agrees_with_torch(independent_log_prob):
    """The log-probabilities agree with torch.distributions, for any sizes."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, num_bins in [(7, 3, 5), (1, 4, 2), (4, 1, 6), (2, 5, 9)]:
        weight = torch.randn(action_dim, num_bins, generator=generator)
        observations = 2 * torch.randn(batch, 1, 1, generator=generator)
        indices = torch.randint(0, num_bins, (batch, action_dim), generator=generator)
        log_prob = independent_log_prob(
            lambda seen, weight=weight: seen * weight + weight.flip(1), observations, indices
        )
        check_answered(log_prob, "independent_log_prob")
        logits = (observations * weight + weight.flip(1)).double()
        oracle = torch.distributions.Categorical(logits=logits).log_prob(indices)
        check_close(
            log_prob, oracle.sum(dim=1), "one softmax for each number, summed over the numbers."
        )


def test_independent_log_prob_is_stable(independent_log_prob):
    """Logits of ±10⁴ give finite log-probabilities, and the right ones."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    logits = 2e4 * torch.rand(6, 3, 4, generator=generator) - 1e4
    indices = torch.randint(0, 4, (6, 3), generator=generator)
    log_prob = independent_log_prob(lambda seen: 1 * seen, logits, indices)
    check_answered(log_prob, "independent_log_prob")
    check_finite(log_prob, "a probability underflowed to zero: stay in logarithms.")
    oracle = torch.distributions.Categorical(logits=logits.double()).log_prob(indices)
    check_close(log_prob, oracle.sum(dim=1), "large logits need care: use the log-softmax.")


def test_independent_log_prob_has_a_gradient(independent_log_prob):
    """The gradient with respect to the logits is one-hot minus softmax."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(5, 3, 4, generator=generator).requires_grad_()
    indices = torch.randint(0, 4, (5, 3), generator=generator)
    # Flatten and Unflatten return what they get, as a module that can cross the grader's wall.
    policy = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Unflatten(1, (3, 4)))
    log_prob = independent_log_prob(policy, logits, indices)
    check_answered(log_prob, "independent_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches the policy: do not detach its logits."
    )
    log_prob.sum().backward()
    expected = torch.nn.functional.one_hot(indices, 4) - logits.detach().softmax(dim=2)
    check_close(logits.grad, expected, "the gradient with respect to the logits is off.")


# %% tags=["wrong"]
def independent_log_prob__averages_over_numbers(policy, observations, indices):
    """Probabilities of independent numbers multiply, so their logarithms add up: sum, do not average."""
    log_probs = policy(observations).log_softmax(-1)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0].mean(dim=1)


def independent_log_prob__forgets_to_normalise(policy, observations, indices):
    """The logits themselves are summed: a log-softmax makes log-probabilities of them."""
    return policy(observations).gather(2, indices[:, :, None])[:, :, 0].sum(dim=1)


def independent_log_prob__normalises_over_numbers(policy, observations, indices):
    """The softmax runs over the numbers of the action: it belongs over the bins, the last axis."""
    log_probs = policy(observations).log_softmax(dim=1)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0].sum(dim=1)


def independent_log_prob__normalises_over_everything(policy, observations, indices):
    """One softmax over the bins of all numbers together: every number has a softmax of its own."""
    logits = policy(observations)
    log_probs = logits.flatten(1).log_softmax(dim=1).view_as(logits)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0].sum(dim=1)


def independent_log_prob__multiplies_log_probs(policy, observations, indices):
    """Log-probabilities are multiplied: probabilities multiply, logarithms add up."""
    log_probs = policy(observations).log_softmax(-1)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0].prod(dim=1)


def independent_log_prob__adds_probabilities(policy, observations, indices):
    """The probabilities are added before the logarithm: that is the chance of any, not of all."""
    probabilities = policy(observations).softmax(-1)
    return probabilities.gather(2, indices[:, :, None])[:, :, 0].sum(dim=1).log()


def independent_log_prob__goes_through_probabilities(policy, observations, indices):
    """The logarithm of a product of probabilities: unlikely bins underflow to 0, and their logarithm is −∞."""
    probabilities = policy(observations).softmax(-1)
    return probabilities.gather(2, indices[:, :, None])[:, :, 0].prod(dim=1).log()


def independent_log_prob__keeps_the_numbers(policy, observations, indices):
    """One log-probability for each number is left: add them up to the whole action's."""
    log_probs = policy(observations).log_softmax(-1)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0]


def independent_log_prob__keeps_an_axis(policy, observations, indices):
    """The result has shape (batch, 1): drop the axis that was summed over."""
    log_probs = policy(observations).log_softmax(-1)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0].sum(dim=1, keepdim=True)


def independent_log_prob__uses_the_first_number_for_all(policy, observations, indices):
    """The first number's categorical serves for all numbers: each has its own."""
    log_probs = policy(observations)[:, 0].log_softmax(-1)
    return log_probs.gather(1, indices).sum(dim=1)


def independent_log_prob__returns_the_loss(policy, observations, indices):
    """This is the negative log-probability: the sign is the wrong way round."""
    log_probs = policy(observations).log_softmax(-1)
    return -log_probs.gather(2, indices[:, :, None])[:, :, 0].sum(dim=1)


def independent_log_prob__detaches_the_policy(policy, observations, indices):
    """The logits are detached: no gradient reaches the policy, so it cannot learn."""
    log_probs = policy(observations).detach().log_softmax(-1)
    return log_probs.gather(2, indices[:, :, None])[:, :, 0].sum(dim=1)


# %% tags=["right"]
def independent_log_prob__by_torch(policy, observations, indices):
    categorical = torch.distributions.Categorical(logits=policy(observations))
    return torch.distributions.Independent(categorical, 1).log_prob(indices)


def independent_log_prob__by_cross_entropy(policy, observations, indices):
    logits = policy(observations).transpose(1, 2)
    return -torch.nn.functional.cross_entropy(logits, indices, reduction="none").sum(1)


def independent_log_prob__by_one_hot_in_float64(policy, observations, indices):
    logits = policy(observations).double()
    chosen = torch.nn.functional.one_hot(indices, logits.shape[-1]).double()
    return torch.einsum("bik,bik->b", logits, chosen) - torch.logsumexp(logits, -1).sum(-1)


def independent_log_prob__by_loops(policy, observations, indices):
    rows = []
    for logits, bins in zip(policy(observations), indices, strict=True):
        terms = [line[k] - torch.logsumexp(line, 0) for line, k in zip(logits, bins, strict=True)]
        rows.append(torch.stack(terms).sum())
    return torch.stack(rows)


# %% [markdown]
# ## Two corners
#
# We strip the problem to its core, as in the notebooks before: no observation, only actions. Our two
# data sets hold pairs (steer, speed), in metres per second, measured against the traffic's flow. The
# first is the driver from above: left and brake, or right and speed up. The second is a **ring**: a
# strong manoeuvre in any direction is fine, a feeble one is not.
#
# Before you run the next cell: independent bins fit each number alone as well as anything can. What
# will the pair look like?


# %%
BINS = Bins(count=41, limit=LIMIT)  # equal bins over ±1.5 m/s, with a `discretize` as in notebook 2


def joint_of(indices):
    """Return how often each pair of bins occurs, as a table of probabilities."""
    cells = indices[:, 0] * BINS.count + indices[:, 1]
    counts = torch.bincount(cells, minlength=BINS.count**2)
    return counts.reshape(BINS.count, BINS.count) / len(indices)


def product_of_marginals(joint):
    """Return the table of independent bins that fits a joint table best."""
    return joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)


def invented_share(probabilities, acted):
    """Return the probability of all cells in which nobody acted."""
    return float(probabilities[acted == 0].sum() / probabilities.sum())


# %% tags=["train"]
toys = {"two corners": steer_or_brake(), "ring": ring()}
data, held_out = {}, {}
for number, (name, toy) in enumerate(toys.items()):
    generator = torch.Generator().manual_seed(SEED + number)
    data[name], held_out[name] = (toy.sample(20_000, generator) for _ in range(2))
joints = {name: joint_of(BINS.discretize(actions)) for name, actions in data.items()}

figure, panels = plt.subplots(1, 4, figsize=(12, 3.4))
for name, pair in zip(toys, (panels[:2], panels[2:]), strict=True):
    joint = joints[name]
    product = product_of_marginals(joint)
    plot_table(pair[0], joint).set_title(f"{name}: the drivers", pad=34)
    plot_table(pair[1], product, darkest=float(joint.max()))
    share = invented_share(product, joint)
    pair[1].set_title(f"independent bins: {100 * share:.0f} % invented", pad=34)
show(
    figure,
    alt="Four tables over steer and speed. The drivers' two corners become four corners with "
    "independent bins. The drivers' ring becomes a filled square with heavy corners.",
    caption="Look at the marginals along the edges: they are the same within each pair. Each number alone "
    "is right, and the pair is wrong. Invented: what falls into cells where none of 20,000 actions lies.",
)

# %% [markdown]
# Both marginals are perfect. Still, half of what independent bins do with the first data set is a
# crash: left and fast, or right and slow. Of the ring they keep nothing but its width and height.
#
# More data do not help, and neither do more bins. The model cannot *say* that speed depends on steer,
# so it cannot learn it. It is notebook 1 again, one floor up: a single number may have two modes now,
# but two numbers cannot agree on one.

# %% [markdown]
# ## One after the other
#
# Any joint distribution can be written as a product of conditionals. That is the **chain rule**:
#
# $$
# p(a_1, \dots, a_d \mid o) = \prod_{i=1}^{d} p(a_i \mid o, a_1, \dots, a_{i-1}).
# $$
#
# Nothing was assumed, so nothing is lost. And each factor is a distribution of *one* number, which is
# what bins are good at. A policy that is built like this is called **autoregressive**. It has one job: given the
# observation and the numbers decided so far, the *prefix*, return logits for the next number.
#
# In training the whole action is known. So the prefix is what the expert did, whatever the policy would have done.
# This is called **teacher forcing**.

# %% [markdown] question="autoregressive_log_prob" points=[1, 2, 1, 1, 1]
# ### Question 4.2 · The chain rule
#
# Write `autoregressive_log_prob(policy, observations, indices)`.
#
# - `policy(observations, prefix)` takes a prefix of shape `(batch, d)`, dtype long: the bins of the first
#   `d` numbers. Here `d` counts what is decided so far. The policy returns logits `(batch, num_bins)` for
#   the next number. In the beginning `d` is 0: the prefix then has shape `(batch, 0)`.
# - `indices` is `(batch, action_dim)`, long.
# - Return `(batch,)`: the log-probability of each whole action.


# %% tags=["solution"]
def autoregressive_log_prob(policy, observations, indices):
    """Return the log-probability of whole actions: the sum of their conditionals'."""
    # BEGIN SOLUTION
    total = 0
    for dimension in range(indices.shape[1]):
        logits = policy(observations, indices[:, :dimension])
        target = indices[:, dimension].unsqueeze(1)
        total = total + logits.log_softmax(dim=1).gather(1, target).squeeze(1)
    return total
    # END SOLUTION


# %% tags=["public"]
def test_autoregressive_log_prob_of_a_known_table(autoregressive_log_prob):
    """The first number is 0 or 1 with odds 1 : 3; the second's odds depend on it."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    def policy(observations, prefix):
        assert prefix.shape in {(len(observations), 0), (len(observations), 1)}, (
            f"the prefix has shape {tuple(prefix.shape)}: it holds the numbers before the one asked "
            "for, (batch, 0) for the first and (batch, 1) for the second."
        )
        if prefix.shape[1] == 0:
            return torch.tensor([[1.0, 3.0]]).log().repeat(len(observations), 1)
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        return torch.tensor([[1.0, 1.0], [1.0, 4.0]]).log()[prefix[:, 0]]

    indices = torch.tensor([[0, 1], [1, 0], [1, 1]])
    log_prob = autoregressive_log_prob(policy, torch.zeros(3, 4), indices)
    check_answered(log_prob, "autoregressive_log_prob")
    check_shape(log_prob, (3,), "one log-probability for each action: add up over its numbers.")
    check_close(
        log_prob,
        [math.log(1 / 8), math.log(3 / 20), math.log(12 / 20)],
        "multiply the first number's probability by the second's given the first, in logarithms.",
    )


# %% tags=["hidden"]
def test_autoregressive_log_prob_is_the_joint(autoregressive_log_prob):
    """The log-probability is the joint table's, row by row, for any number of dimensions."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_bins, action_dim, batch in [(3, 2, 7), (2, 5, 9), (5, 3, 1), (6, 1, 4)]:
        shape = (2, *[num_bins] * action_dim)  # one joint table for each of two observations
        joint = torch.randn(shape, generator=generator).mul(1.5).exp()
        joint = joint / joint.flatten(1).sum(dim=1).reshape(2, *[1] * action_dim)

        def policy(observations, prefix, joint=joint):
            assert prefix.dim() == 2 and len(prefix) == len(observations), (
                f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d)."
            )
            assert prefix.shape[1] < joint.dim() - 1, "the prefix must not hold the whole action."
            table = joint[observations[:, 0].long()]
            for column in prefix.T:
                table = table[torch.arange(len(table)), column]
            # Odds of the next number, times something that differs from row to row.
            return table.flatten(1).unflatten(1, (table.shape[1], -1)).sum(2).log() + observations

        observations = torch.randint(0, 2, (batch, 1), generator=generator).float()
        indices = torch.randint(0, num_bins, (batch, action_dim), generator=generator)
        log_prob = autoregressive_log_prob(policy, observations, indices)
        check_answered(log_prob, "autoregressive_log_prob")
        cells = (observations[:, 0].long(), *indices.T)
        check_close(
            log_prob,
            joint.double().log()[cells],
            "sum the log-probabilities of each number given those before it.",
            rtol=1e-3,
            atol=1e-4,
        )


def test_autoregressive_log_prob_sums_to_one(autoregressive_log_prob):
    """Over all possible actions the probabilities add up to one, for any policy."""
    import itertools

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for num_bins, action_dim in [(4, 3), (2, 6), (7, 2)]:
        weight = 2 * torch.randn(action_dim, action_dim, num_bins, generator=generator)

        def policy(observations, prefix, weight=weight):
            terms = (prefix + 1).float().sin()  # any function of the prefix will do
            return terms @ weight[prefix.shape[1], : prefix.shape[1]] + weight[prefix.shape[1], -1]

        actions = torch.tensor(list(itertools.product(range(num_bins), repeat=action_dim)))
        log_prob = autoregressive_log_prob(policy, torch.zeros(len(actions), 1), actions)
        check_answered(log_prob, "autoregressive_log_prob")
        check_shape(log_prob, (len(actions),), "one log-probability for each action.")
        check_close(
            torch.as_tensor(log_prob).detach().double().exp().sum(),
            1.0,
            "the probabilities of all actions do not add up to one: does a prefix hold the number asked for?",
            rtol=1e-3,
        )


def test_autoregressive_log_prob_is_stable(autoregressive_log_prob):
    """Logits of ±10⁴ give finite log-probabilities."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    logits = 2e4 * torch.rand(6, 3, 4, generator=generator) - 1e4
    indices = torch.randint(0, 4, (6, 3), generator=generator)
    log_prob = autoregressive_log_prob(
        lambda seen, prefix: seen[:, prefix.shape[1]], logits, indices
    )
    check_answered(log_prob, "autoregressive_log_prob")
    check_finite(log_prob, "a probability underflowed to zero: stay in logarithms.")
    oracle = torch.distributions.Categorical(logits=logits.double()).log_prob(indices)
    check_close(log_prob, oracle.sum(dim=1), "large logits need care: use the log-softmax.")


def test_autoregressive_log_prob_has_a_gradient(autoregressive_log_prob):
    """The gradient reaches every conditional, and has the right size."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Tables(torch.nn.Module):
        def __init__(self, first, second):
            super().__init__()
            self.first, self.second = torch.nn.Parameter(first), torch.nn.Parameter(second)

        def forward(self, observations, prefix):
            if prefix.shape[1] == 0:
                return self.first.expand(len(observations), -1)
            return self.second[prefix[:, 0]]

    generator = fresh_generator()
    policy = Tables(torch.randn(4, generator=generator), torch.randn(4, 4, generator=generator))
    indices = torch.randint(0, 4, (9, 2), generator=generator)
    log_prob = autoregressive_log_prob(policy, torch.zeros(9, 1), indices)
    check_answered(log_prob, "autoregressive_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches the policy: do not detach its logits."
    )
    log_prob.sum().backward()
    counts = torch.zeros(4, 4)
    for first, second in indices.tolist():
        counts[first, second] += 1
    rows = counts.sum(dim=1, keepdim=True)
    first = counts.sum(dim=1) - 9 * policy.first.detach().softmax(dim=0)
    second = counts - rows * policy.second.detach().softmax(dim=1)
    hint = "the gradient with respect to the logits is off."
    assert policy.first.grad is not None and policy.second.grad is not None, (
        "no gradient reaches some of the conditionals: do not detach any of them."
    )
    check_close(policy.first.grad, first, hint)
    check_close(policy.second.grad, second, hint)


# %% tags=["wrong"]
def autoregressive_log_prob__never_shows_a_prefix(policy, observations, indices):
    """The prefix is always empty: the policy is asked for the first number again and again."""
    log_probs = policy(observations, indices[:, :0]).log_softmax(-1)
    return log_probs.gather(1, indices).sum(dim=1)


def autoregressive_log_prob__shows_the_answer(policy, observations, indices):
    """The prefix holds the very number that is asked for: it must end before it."""
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, indices[:, : d + 1]).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__shows_the_whole_action(policy, observations, indices):
    """The policy sees the whole action at every step: the prefix holds only what comes before."""
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, indices).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__shows_zeros(policy, observations, indices):
    """The prefix is filled with zeros: it must hold the bins of the numbers before."""
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, torch.zeros_like(indices[:, :d])).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__shows_the_best_guess(policy, observations, indices):
    """The prefix is what the policy finds most likely: in training it is what the expert did."""
    total, prefix = 0, indices[:, :0]
    for d in range(indices.shape[1]):
        log_probs = policy(observations, prefix).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
        prefix = torch.cat([prefix, log_probs.argmax(1, keepdim=True)], dim=1)
    return total


def autoregressive_log_prob__shows_the_last_number_only(policy, observations, indices):
    """The prefix holds the one number before, not all of them."""
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, indices[:, max(0, d - 1) : d]).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__reverses_the_prefix(policy, observations, indices):
    """The prefix is turned round: its first column is the first number."""
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, indices[:, :d].flip(1)).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__forgets_the_first_number(policy, observations, indices):
    """The first number's own probability is missing: the sum begins with the empty prefix."""
    total = torch.zeros(len(indices))
    for d in range(1, indices.shape[1]):
        log_probs = policy(observations, indices[:, :d]).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__returns_the_last_conditional(policy, observations, indices):
    """Only the last number's log-probability is returned: add up all of them."""
    log_probs = policy(observations, indices[:, :-1]).log_softmax(-1)
    return log_probs.gather(1, indices[:, -1:])[:, 0]


def autoregressive_log_prob__averages_over_numbers(policy, observations, indices):
    """The chain rule multiplies, so logarithms add up: sum over the numbers, do not average."""
    return _chain(policy, observations, indices) / indices.shape[1]


def autoregressive_log_prob__forgets_to_normalise(policy, observations, indices):
    """The logits themselves are summed: a log-softmax makes log-probabilities of them."""
    total = 0
    for d in range(indices.shape[1]):
        logits = policy(observations, indices[:, :d])
        total = total + logits.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__normalises_over_the_batch(policy, observations, indices):
    """The softmax runs over the batch: it belongs over the bins, the last axis."""
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, indices[:, :d]).log_softmax(dim=0)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


def autoregressive_log_prob__goes_through_probabilities(policy, observations, indices):
    """Probabilities are multiplied before the logarithm: unlikely bins underflow to 0, and log 0 = −∞."""
    product = 1
    for d in range(indices.shape[1]):
        probabilities = policy(observations, indices[:, :d]).softmax(-1)
        product = product * probabilities.gather(1, indices[:, d : d + 1])[:, 0]
    return product.log()


def autoregressive_log_prob__keeps_an_axis(policy, observations, indices):
    """The result has shape (batch, 1): squeeze the axis that gather leaves."""
    return _chain(policy, observations, indices)[:, None]


def autoregressive_log_prob__averages_over_the_batch(policy, observations, indices):
    """One number for the whole batch is returned: return one for each action."""
    return _chain(policy, observations, indices).mean()


def autoregressive_log_prob__returns_the_loss(policy, observations, indices):
    """This is the negative log-probability: the sign is the wrong way round."""
    return -_chain(policy, observations, indices)


def autoregressive_log_prob__detaches_the_policy(policy, observations, indices):
    """The result is detached: no gradient reaches the policy, so it cannot learn."""
    return _chain(policy, observations, indices).detach()


def _chain(policy, observations, indices):
    total = 0
    for d in range(indices.shape[1]):
        log_probs = policy(observations, indices[:, :d]).log_softmax(-1)
        total = total + log_probs.gather(1, indices[:, d : d + 1])[:, 0]
    return total


# %% tags=["right"]
def autoregressive_log_prob__by_torch(policy, observations, indices):
    terms = [
        torch.distributions.Categorical(logits=policy(observations, indices[:, :d])).log_prob(
            column
        )
        for d, column in enumerate(indices.T)
    ]
    return torch.stack(terms, dim=1).sum(dim=1)


def autoregressive_log_prob__by_cross_entropy(policy, observations, indices):
    total = torch.zeros(len(indices), dtype=torch.float64)
    for d in range(indices.shape[1]):
        logits = policy(observations, indices[:, :d]).double()
        total = total - torch.nn.functional.cross_entropy(logits, indices[:, d], reduction="none")
    return total


def autoregressive_log_prob__by_recursion(policy, observations, indices):
    if indices.shape[1] == 0:
        return torch.zeros(len(indices))
    prefix, last = indices[:, :-1], indices[:, -1]
    logits = policy(observations, prefix)
    chosen = logits[torch.arange(len(last)), last]
    before = autoregressive_log_prob__by_recursion(policy, observations, prefix)
    return before + chosen - logits.logsumexp(dim=1)


def autoregressive_log_prob__row_by_row_from_the_end(policy, observations, indices):
    rows = []
    for row in range(len(indices)):
        if len(observations) == 0:
            break
        terms = []
        for d in reversed(range(indices.shape[1])):
            logits = policy(observations, indices[:, :d])[row]
            terms.append(logits[indices[row, d]] - torch.logsumexp(logits, dim=0))
        rows.append(sum(terms))
    return torch.stack(rows)


# %% [markdown]
# To act, the policy has no expert to look at. It draws the first number, looks at its own draw, draws the
# second, and so on.

# %% [markdown] question="autoregressive_sample" points=[1, 2, 2, 1, 1]
# ### Question 4.3 · Sampling
#
# Write `autoregressive_sample(policy, observations, action_dim, generator)`. The policy is the same as in
# question 4.2. Return `(batch, action_dim)`, dtype long: one action for every observation.
#
# Each number is drawn given the numbers that were drawn before it *in the same row*. Draw from `generator`, so that a
# seed reproduces the sample: `torch.multinomial` takes one.


# %% tags=["solution"]
def autoregressive_sample(policy, observations, action_dim, generator):
    """Draw one action for every observation, number by number."""
    # BEGIN SOLUTION
    drawn = torch.empty(len(observations), 0, dtype=torch.long, device=observations.device)
    for _ in range(action_dim):
        probabilities = policy(observations, drawn).softmax(dim=1)
        following = torch.multinomial(probabilities, 1, generator=generator)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn
    # END SOLUTION


# %% tags=["public"]
def test_autoregressive_sample_looks_at_what_it_drew(autoregressive_sample):
    """A policy whose second number always repeats the first draws pairs of equal numbers."""
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape

    def policy(observations, prefix):
        assert prefix.dim() == 2 and len(prefix) == len(observations), (
            f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d), in the beginning (batch, 0)."
        )
        assert prefix.shape[1] < 2, (
            f"the prefix has shape {tuple(prefix.shape)}: it holds only what is drawn already, "
            "no number for the first and one for the second."
        )
        if prefix.shape[1] == 0:
            return torch.zeros(len(observations), 6)
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        return 1e3 * torch.nn.functional.one_hot(prefix[:, 0], 6).float()

    samples = autoregressive_sample(policy, torch.zeros(50, 3), 2, torch.Generator().manual_seed(0))
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (50, 2), "one bin for every number of every action.")
    check_dtype(samples, torch.long, "return bins.")
    assert (samples[:, 0] == samples[:, 1]).all(), (
        "the second number does not follow from the first: show the policy what you drew."
    )
    assert len(set(samples[:, 0].tolist())) > 1, (
        "all rows drew the same number: draw at random, and for each row anew."
    )


# %% tags=["hidden"]
def test_autoregressive_sample_follows_the_joint(autoregressive_sample):
    """The samples have the frequencies of the joint distribution, another one for each observation."""
    import numpy as np
    import torch
    from scipy.stats import chisquare

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 8_000
    joint = (2 * torch.rand(3, 4, 4, 4, generator=generator)).exp()  # observation, three numbers
    joint = joint * torch.tensor([1.0, 2.0, 4.0, 8.0]).reshape(4, 1, 1)  # far from even
    joint = joint / joint.sum(dim=(1, 2, 3), keepdim=True)

    def policy(observations, prefix, joint=joint):
        table = joint[observations[:, 0].long()]
        for column in prefix.T:
            table = table[torch.arange(len(table)), column.long()]
        return table.flatten(1).unflatten(1, (4, -1)).sum(2).log() + observations

    observations = torch.arange(3.0).repeat(count)[:, None]
    samples = autoregressive_sample(policy, observations, 3, fresh_generator())
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (3 * count, 3), "one bin for every number of every action.")
    samples = torch.as_tensor(samples).long()
    assert samples.min() >= 0 and samples.max() <= 3, "the bins are counted from 0 to num_bins - 1."
    cells = (16 * samples[:, 0] + 4 * samples[:, 1] + samples[:, 2]).reshape(count, 3)
    for observation in range(3):
        seen = np.bincount(cells[:, observation].numpy(), minlength=64)
        expected = joint[observation].double().flatten().numpy()
        # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
        assert chisquare(seen, count * expected / expected.sum()).pvalue > 1e-9, (
            "the samples do not follow the policy's distribution: draw each number from the softmax of "
            "its logits, given the numbers that you drew before it in the same row."
        )


def test_autoregressive_sample_conditions_on_its_own_prefix(autoregressive_sample):
    """Where every number follows exactly from those before it, so it does in every sample."""
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape, fresh_generator

    def policy(observations, prefix):
        if prefix.shape[1] == 0:
            return torch.zeros(len(observations), 5)
        assert prefix.dim() == 2 and len(prefix) == len(observations), (
            f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d)."
        )
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        places = torch.arange(1, prefix.shape[1] + 1)
        following = ((prefix * places).sum(dim=1) + observations[:, 0].long()) % 5
        return 1e3 * torch.nn.functional.one_hot(following, 5).float()

    generator = fresh_generator()
    observations = torch.randint(0, 5, (400, 1), generator=generator).float()
    samples = autoregressive_sample(policy, observations, 4, generator)
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (400, 4), "one bin for every number of every action.")
    check_dtype(samples, torch.long, "return bins.")
    for row, (seen,) in zip(samples.tolist(), observations.long().tolist(), strict=True):
        for d in range(1, 4):
            follows = (sum((k + 1) * row[k] for k in range(d)) + seen) % 5
            assert row[d] == follows, (
                f"number {d} does not follow from the numbers before it in its own row: the prefix "
                "must hold just what you return, in order."
            )


def test_autoregressive_sample_draws_from_the_generator(autoregressive_sample):
    """The generator decides the sample: equal seeds repeat it, and the next call draws anew."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    def policy(observations, prefix):
        return torch.zeros(len(observations), 7)

    observations, seed = torch.zeros(40, 2), fresh_generator().initial_seed()
    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    first, following, again = (
        autoregressive_sample(policy, observations, 3, source) for source in (one, one, same)
    )
    for samples in (first, following, again):
        check_answered(samples, "autoregressive_sample")
        check_shape(samples, (40, 3), "one bin for every number of every action.")
    first, following, again = (torch.as_tensor(s).long() for s in (first, following, again))
    check_close(again, first, "the same seed gave another sample: draw from `generator`.")
    assert (first != following).any(), (
        "two draws from one generator are the same: do not seed it yourself."
    )


def test_autoregressive_sample_draws_for_every_number(autoregressive_sample):
    """Rows, numbers and calls have draws of their own: they agree no more often than by chance."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    def policy(observations, prefix):
        return torch.zeros(len(observations), 7)

    generator, count = fresh_generator(), 3_000
    calls = [autoregressive_sample(policy, torch.zeros(count, 1), 2, generator) for _ in range(2)]
    for samples in calls:
        check_answered(samples, "autoregressive_sample")
        check_shape(samples, (count, 2), "one bin for every number of every action.")
    first, following = (torch.as_tensor(samples).long() for samples in calls)
    pairs = {
        "neighbouring rows share their draws": (first[1:, 0], first[:-1, 0]),
        "rows share their draws": (first[count // 2 :, 1], first[: count // 2, 1]),
        "the numbers of an action share their draws": (first[:, 0], first[:, 1]),
        "two calls with one generator share their draws": (first[:, 0], following[:, 0]),
    }
    for fault, (one, two) in pairs.items():
        # Independent draws from 7 bins agree in one case of 7: six standard deviations around that.
        excess = (one == two).double().mean() - 1 / 7
        assert excess.abs() * (49 * len(one) / 6) ** 0.5 < 6, f"{fault}: draw for every number."


# %% tags=["wrong"]
def autoregressive_sample__never_shows_a_prefix(policy, observations, action_dim, generator):
    """All numbers are drawn from the first one's distribution: show the policy what was drawn before."""
    empty = torch.empty(len(observations), 0, dtype=torch.long)
    probabilities = policy(observations, empty).softmax(-1)
    return torch.multinomial(probabilities, action_dim, replacement=True, generator=generator)


def autoregressive_sample__shows_zeros(policy, observations, action_dim, generator):
    """The prefix holds zeros instead of what was drawn: fill in each number once it is drawn."""
    columns = []
    for d in range(action_dim):
        prefix = torch.zeros(len(observations), d, dtype=torch.long)
        probabilities = policy(observations, prefix).softmax(-1)
        columns.append(torch.multinomial(probabilities, 1, generator=generator))
    return torch.cat(columns, dim=1)


def autoregressive_sample__shows_the_best_guess(policy, observations, action_dim, generator):
    """The prefix holds the most likely bins instead of those that were drawn."""
    columns, prefix = [], torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        logits = policy(observations, prefix)
        columns.append(torch.multinomial(logits.softmax(-1), 1, generator=generator))
        prefix = torch.cat([prefix, logits.argmax(-1, keepdim=True)], dim=1)
    return torch.cat(columns, dim=1)


def autoregressive_sample__takes_the_most_likely(policy, observations, action_dim, generator):
    """This takes the most likely bin every time: a sample is drawn at random."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        drawn = torch.cat([drawn, policy(observations, drawn).argmax(-1, keepdim=True)], dim=1)
    return drawn


def autoregressive_sample__draws_among_the_likeliest(policy, observations, action_dim, generator):
    """Only the three likeliest bins are ever drawn: every bin is drawn as often as its probability says."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        logits = policy(observations, drawn)
        least = logits.topk(min(3, logits.shape[1])).values[:, -1:]
        probabilities = logits.masked_fill(logits < least, -torch.inf).softmax(-1)
        following = torch.multinomial(probabilities, 1, generator=generator)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn


def autoregressive_sample__shares_one_draw(policy, observations, action_dim, generator):
    """All rows share one random number: every row needs draws of its own."""
    return _by_uniform(
        policy, observations, action_dim, lambda: torch.rand(1, 1, generator=generator)
    )


def autoregressive_sample__shares_draws_between_numbers(
    policy, observations, action_dim, generator
):
    """All numbers of an action share one random number: draw anew for each of them."""
    uniform = torch.rand(len(observations), 1, generator=generator)
    return _by_uniform(policy, observations, action_dim, lambda: uniform)


def autoregressive_sample__looks_at_the_row_above(policy, observations, action_dim, generator):
    """The prefix comes from another row: each action continues its own."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        probabilities = policy(observations, drawn.roll(1, dims=0)).softmax(-1)
        following = torch.multinomial(probabilities, 1, generator=generator)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn


def autoregressive_sample__shows_the_first_row_to_all(policy, observations, action_dim, generator):
    """The first row's prefix is shown for all rows: each action continues its own."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        probabilities = policy(observations, drawn[:1].expand_as(drawn)).softmax(-1)
        following = torch.multinomial(probabilities, 1, generator=generator)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn


def autoregressive_sample__reverses_the_prefix(policy, observations, action_dim, generator):
    """The latest number stands first in the prefix: the prefix has the order of the action."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        probabilities = policy(observations, drawn).softmax(-1)
        following = torch.multinomial(probabilities, 1, generator=generator)
        drawn = torch.cat([following, drawn], dim=1)
    return drawn.flip(1)


def autoregressive_sample__shows_the_last_number_only(policy, observations, action_dim, generator):
    """The prefix holds the one number before, not all of them."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        probabilities = policy(observations, drawn[:, -1:]).softmax(-1)
        following = torch.multinomial(probabilities, 1, generator=generator)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn


def autoregressive_sample__draws_once_more(policy, observations, action_dim, generator):
    """Each number is drawn twice, once for the prefix and once for the result: they must be the same draw."""
    columns, prefix = [], torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        probabilities = policy(observations, prefix).softmax(-1)
        shown, returned = (
            torch.multinomial(probabilities, 1, generator=generator) for _ in range(2)
        )
        prefix = torch.cat([prefix, shown], dim=1)
        columns.append(returned)
    return torch.cat(columns, dim=1)


def autoregressive_sample__ignores_the_generator(policy, observations, action_dim, generator):
    """The draws come from the global seed: pass the generator on."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        following = torch.multinomial(policy(observations, drawn).softmax(-1), 1)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn


def autoregressive_sample__seeds_the_generator(policy, observations, action_dim, generator):
    """The generator is seeded anew at every call, so every call returns the same draws."""
    generator.manual_seed(0)
    return _by_uniform(
        policy,
        observations,
        action_dim,
        lambda: torch.rand(len(observations), 1, generator=generator),
    )


def autoregressive_sample__seeds_before_every_number(policy, observations, action_dim, generator):
    """The generator is seeded anew before every number, so all numbers share their draw."""
    seed = generator.initial_seed()
    return _by_uniform(
        policy,
        observations,
        action_dim,
        lambda: torch.rand(len(observations), 1, generator=generator.manual_seed(seed)),
    )


def autoregressive_sample__draws_from_the_logits(policy, observations, action_dim, generator):
    """Logits are taken for probabilities: a softmax makes probabilities of them."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        weights = policy(observations, drawn)
        weights = weights - weights.min(dim=1, keepdim=True).values + 1e-3
        following = torch.multinomial(weights, 1, generator=generator)
        drawn = torch.cat([drawn, following], dim=1)
    return drawn


def autoregressive_sample__shares_draws_between_neighbours(
    policy, observations, action_dim, generator
):
    """Every two neighbouring rows share their random numbers: each row needs its own."""
    half = (len(observations) + 1) // 2
    return _by_uniform(
        policy,
        observations,
        action_dim,
        lambda: torch.rand(half, 1, generator=generator).repeat_interleave(2, 0)[
            : len(observations)
        ],
    )


def autoregressive_sample__normalises_over_the_batch(policy, observations, action_dim, generator):
    """The softmax runs over the batch: it belongs over the bins, the last axis."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        weights = policy(observations, drawn).softmax(dim=0) + 1e-30
        drawn = torch.cat([drawn, torch.multinomial(weights, 1, generator=generator)], dim=1)
    return drawn


def autoregressive_sample__adds_gaussian_noise(policy, observations, action_dim, generator):
    """The largest logit plus Gaussian noise is no sample: the trick needs Gumbel noise."""
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        logits = policy(observations, drawn)
        noise = torch.randn(logits.shape, generator=generator)
        drawn = torch.cat([drawn, (logits + noise).argmax(1, keepdim=True)], dim=1)
    return drawn


def autoregressive_sample__returns_floats(policy, observations, action_dim, generator):
    """The bins come back as floats: they are indices, of dtype long."""
    return _by_uniform(
        policy,
        observations,
        action_dim,
        lambda: torch.rand(len(observations), 1, generator=generator),
    ).float()


def autoregressive_sample__transposes(policy, observations, action_dim, generator):
    """The axes are swapped: return (batch, action_dim)."""
    return _by_uniform(
        policy,
        observations,
        action_dim,
        lambda: torch.rand(len(observations), 1, generator=generator),
    ).T


def _by_uniform(policy, observations, action_dim, uniform):
    drawn = torch.empty(len(observations), 0, dtype=torch.long)
    for _ in range(action_dim):
        cumulative = policy(observations, drawn).softmax(-1).cumsum(-1)
        following = (uniform() > cumulative).sum(-1, keepdim=True)
        drawn = torch.cat([drawn, following.clamp(max=cumulative.shape[1] - 1)], dim=1)
    return drawn


# %% tags=["right"]
def autoregressive_sample__by_gumbel_noise(policy, observations, action_dim, generator):
    drawn = torch.zeros(len(observations), action_dim, dtype=torch.long)
    for d in range(action_dim):
        logits = policy(observations, drawn[:, :d]).double()
        uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
        gumbel = -torch.log(-torch.log(uniform.clamp(min=1e-300)))
        drawn[:, d] = (logits + gumbel).argmax(dim=1)
    return drawn


def autoregressive_sample__by_the_inverse_cdf(policy, observations, action_dim, generator):
    columns = []
    for d in range(action_dim):
        prefix = torch.stack(columns, dim=1) if d else torch.zeros(len(observations), 0).long()
        cumulative = policy(observations, prefix).double().softmax(-1).cumsum(-1)
        uniform = torch.rand(len(observations), 1, generator=generator, dtype=torch.float64)
        found = torch.searchsorted(cumulative, uniform, right=True).squeeze(1)
        columns.append(found.clamp(max=cumulative.shape[1] - 1))
    return torch.stack(columns, dim=1)


def autoregressive_sample__by_recursion(policy, observations, action_dim, generator):
    if action_dim == 0:
        return torch.zeros(len(observations), 0, dtype=torch.long)
    before = autoregressive_sample__by_recursion(policy, observations, action_dim - 1, generator)
    weights = torch.exp(policy(observations, before).log_softmax(-1))
    return torch.hstack([before, weights.multinomial(1, generator=generator)])


def autoregressive_sample__by_waiting_times(policy, observations, action_dim, generator):
    drawn = torch.zeros(len(observations), 0, dtype=torch.long)
    while drawn.shape[1] < action_dim:
        logits = policy(observations, drawn)
        waiting = torch.empty_like(logits).exponential_(generator=generator)
        drawn = torch.cat([drawn, (waiting.log() - logits).argmin(1, keepdim=True)], dim=1)
    return drawn


# %% [markdown]
# Now we can try it. The simplest autoregressive policy counts: how often did each first number occur in
# the data, and given the first, how often each second? That is nothing but rows of the joint table.


# %%
def counting_policy(joint):
    """Return a policy that answers with a joint table's own conditionals."""
    safe = joint + 1e-12  # the logarithm of an empty cell

    def policy(observations, prefix):
        if prefix.shape[1] == 0:
            return safe.sum(dim=1).log().expand(len(observations), -1)
        return safe[prefix[:, 0]].log()

    return policy


# %% tags=["train"]
rings = joints["ring"]
first_bins = BINS.discretize(torch.tensor([0.0, 0.9]))
edges = torch.linspace(-LIMIT, LIMIT, BINS.count + 1)
looks = [(POLICY_LOOKS["autoregressive"].color, "-"), ("0.1", "--")]

figure, (plane, first, second) = plt.subplots(1, 3, figsize=(11, 3.0), width_ratios=(1, 1.3, 1.3))
plot_table(plane, rings).set_title("The ring", pad=26)
first.stairs(rings.sum(dim=1), edges, color="0.35", fill=True, alpha=0.5)
first.set(title="First: p(steer)", xlabel="steer, m/s", ylabel="probability", yticks=[])
second.set(title="Then: p(speed | steer)", xlabel="speed, m/s", yticks=[])
for index, (color, style) in zip(first_bins.tolist(), looks, strict=True):
    steer = float(edges[index : index + 2].mean())
    for axes in (plane, first):
        axes.axvline(steer, color=color, ls=style, lw=2)
    conditional = rings[index] / rings[index].sum()
    second.stairs(conditional, edges, color=color, ls=style, lw=1.8, label=f"steer ≈ {steer:.1f}")
second.set_ylim(0, 1.25 * second.get_ylim()[1])
second.legend(loc="upper center", fontsize=8)
show(
    figure,
    alt="A ring with two vertical lines; the marginal of steer with the same two lines; and two conditionals "
    "of speed: two peaks where steer is zero, one broad hill around zero where steer is 0.9.",
    caption="Draw steer from the histogram in the middle. What you drew chooses the histogram on the right: "
    "a column of the ring.",
)

# %% [markdown]
# If steer came out as 0, speed must be strong in one direction or the other. If steer came out as 0.9,
# speed must be moderate. Each conditional is an ordinary histogram of one number.
#
# And which number comes first? The chain rule holds in any order. Nothing stops us from drawing speed first
# and then steer: flip the columns, count again, and flip the samples back.

# %% tags=["train"]
figure, panels = plt.subplots(1, 4, figsize=(12, 3.4))
generator = torch.Generator().manual_seed(0)
orders = [(name, order) for name in toys for order in ("steer", "speed")]
for axes, (name, order) in zip(panels, orders, strict=True):
    indices = BINS.discretize(data[name])
    flip = (lambda pairs: pairs.flip(1)) if order == "speed" else (lambda pairs: pairs)
    policy = counting_policy(joint_of(flip(indices)))
    samples = autoregressive_sample(policy, torch.zeros(20_000, 0), 2, generator)
    check_answered(samples, "autoregressive_sample")
    samples = flip(samples)
    share = invented_share(joint_of(samples), joint_of(indices))
    plot_table(axes, joint_of(samples), darkest=float(joints[name].max()))
    axes.set_title(f"{order} first: {100 * share:.0f} % invented", pad=34)
show(
    figure,
    alt="Four tables of samples. Two corners with steer first and with speed first, a ring with steer first "
    "and with speed first.",
    caption="20,000 samples each, drawn by your function. Two corners stay two, and the ring stays a ring, "
    "whichever number is drawn first.",
)

# %% [markdown]
# Nothing is invented, and the order leaves no trace.

# %% [markdown] question="order" points=[]
# ### Question 4.4 · Does the order matter?
#
# By the chain rule every order gives the same distribution. A colleague says: "then I need not think about the
# order." Give two reasons why, with a *trained network* on a real robot, one order may do better than another.

# %% [markdown] tags=["solution"]
# The chain rule promises that conditionals exist in every order. It does not promise that they are equally
# easy to learn. One order may need conditionals with a simple shape, such as one peak that moves with the
# prefix, where the other needs ring-like ones with several peaks; a network of limited size, trained on limited
# data, then does better in the first. The second reason is sampling: a mistake in an early number is passed on to all
# later ones, so one may want to settle first what decides the most, for instance left or right. In a chunk
# there is a third: time itself gives an order, and early actions are needed before late ones.

# %% [markdown]
# ### Play with it
#
# Put actions on the plane, or pick a preset. Beside it, two policies count them: independent bins and autoregressive
# ones, each with samples. Hatched cells are invented. Two corners of the plane are obstacles.
#
# - Start as it is, and press *Step* a few times. In which of the two steps do the policies part ways? Then
#   draw speed first. What changes, and what does not?
# - The last line names what the two policies differ by, in nats: the *mutual information* of steer and speed. We
#   shall meet it again below. Press *Clear*, go down to 3 bins per number, and put two actions into one corner and one into the
#   corner opposite. How many belong into the other two corners, so that the mutual information is zero? What holds
#   for the four numbers then?
# - Pick the line. Neither number has two modes. Why do independent bins fail all the same?
# - Pick the ring and go up to 15 bins per number. The autoregressive table invents nothing. But does it drive like
#   these drivers, or does it repeat them?
#
# After a restart of the kernel, run the cell again to get the widget back.

# %% tags=["train"]
order = ChooseTheOrder()
order

# %% [markdown]
# ## All conditionals in one pass
#
# To train on an action with $d$ numbers, `autoregressive_log_prob` calls the policy $d$ times. But
# in training all numbers are known beforehand. Could one pass give all the conditionals?
#
# It could, if we are careful about who sees what. The logits of number $i$ may depend on number $j$ only where $j$
# comes before $i$. A **mask** says so: a table of true and false, with a row for the one who looks and a column for the one who
# is looked at. The same mask stands in MADE and in the attention of language models. (Language models first shift
# their inputs by one place, and then the diagonal may be true.)

# %% [markdown] question="causal_mask" points=[1, 2]
# ### Question 4.5 · Who may look at whom?
#
# Write `causal_mask(action_dim)`. Return a tensor of shape `(action_dim, action_dim)`, dtype bool: `mask[i, j]` is true
# where the logits of number `i` may look at number `j`.


# %% tags=["solution"]
def causal_mask(action_dim):
    """Return who may look at whom: every number at those before it."""
    positions = torch.arange(action_dim)  # SOLUTION
    return positions.unsqueeze(1) > positions.unsqueeze(0)  # SOLUTION


# %% tags=["public"]
def test_causal_mask_lets_nobody_look_at_the_answer(causal_mask):
    """The first number sees nothing, and no number sees itself."""
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape

    mask = causal_mask(4)
    check_answered(mask, "causal_mask")
    check_shape(mask, (4, 4), "one row for each number that looks, one column for each looked at.")
    check_dtype(mask, torch.bool, "compare, and you get true and false.")
    assert not mask[0].any(), "nothing comes before the first number: its row must be false."
    assert not mask.diagonal().any(), "no number may look at itself."


# %% tags=["hidden"]
def test_causal_mask_shows_what_comes_before(causal_mask):
    """Every number sees exactly the numbers before it, for any action_dim."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    for action_dim in (1, 2, 3, 5, 8):
        mask = causal_mask(action_dim)
        check_answered(mask, "causal_mask")
        check_dtype(mask, torch.bool, "true where number i may look at number j.")
        # Row i: i times true, then false.
        expected = [[1.0] * i + [0.0] * (action_dim - i) for i in range(action_dim)]
        check_close(mask, expected, "number i may look at all numbers before it, and at no other.")


# %% tags=["wrong"]
def causal_mask__lets_numbers_see_themselves(action_dim):
    """The diagonal is true: each number sees itself, so the answer is given away."""
    return torch.ones(action_dim, action_dim).tril().bool()


def causal_mask__looks_ahead(action_dim):
    """This is the upper triangle: each number sees those after it."""
    return torch.ones(action_dim, action_dim).triu(1).bool()


def causal_mask__shows_everything(action_dim):
    """Everybody sees everybody: only what comes before may be seen."""
    return torch.ones(action_dim, action_dim, dtype=torch.bool)


def causal_mask__shows_all_others(action_dim):
    """Each number sees all others, those after it too."""
    return ~torch.eye(action_dim, dtype=torch.bool)


def causal_mask__shows_the_last_number_only(action_dim):
    """Each number sees only the one right before it: it may see all that come before."""
    return torch.ones(max(0, action_dim - 1)).diag(-1).bool() if action_dim > 1 else _nothing(1)


def causal_mask__hides_one_too_many(action_dim):
    """The mask is shifted by one: the number right before may be seen too."""
    return torch.ones(action_dim, action_dim).tril(-2).bool()


def causal_mask__marks_what_is_hidden(action_dim):
    """True stands where looking is forbidden: here true means allowed."""
    return torch.ones(action_dim, action_dim).triu().bool()


def causal_mask__returns_numbers(action_dim):
    """The mask is made of numbers: it must be of dtype bool."""
    return torch.ones(action_dim, action_dim).tril(-1)


def causal_mask__returns_penalties(action_dim):
    """These are the penalties that are added to attention scores, 0 and −∞: return true and false."""
    return torch.zeros(action_dim, action_dim).masked_fill(_nothing(action_dim) == 0, -math.inf)


def causal_mask__shows_nothing(action_dim):
    """Nobody sees anybody: that makes the numbers independent."""
    return _nothing(action_dim)


def _nothing(action_dim):
    return torch.zeros(action_dim, action_dim, dtype=torch.bool)


# %% tags=["right"]
def causal_mask__by_tril(action_dim):
    return torch.ones(action_dim, action_dim, dtype=torch.bool).tril(diagonal=-1)


def causal_mask__by_loops(action_dim):
    mask = torch.zeros(action_dim, action_dim, dtype=torch.bool)
    for i in range(action_dim):
        mask[i, :i] = True
    return mask


def causal_mask__by_counting_ones(action_dim):
    return torch.eye(action_dim).cumsum(dim=0).logical_xor(torch.eye(action_dim))


def causal_mask__by_lists(action_dim):
    return torch.tensor([[j < i for j in range(action_dim)] for i in range(action_dim)])


# %% [markdown]
# The smallest masked model that does the job has two parts. A network looks at the observation and puts out
# **base** logits for every number. And for every pair of numbers there is a **table**: `tables[i, j, k]` is what the logits
# of number $i$ gain when number $j$ fell into bin $k$. So with $a_j$ for the bin of number $j$,
#
# $$
# \text{logits}_i = \text{base}_i(o) + \sum_{j \,:\, \text{mask}_{ij}} \text{tables}_{i j}[a_j].
# $$

# %% [markdown] question="masked_logits" points=[1, 2, 2, 1, 1]
# ### Question 4.6 · One pass
#
# Write `masked_logits(base, tables, indices, mask)`.
#
# - `base` is `(batch, action_dim, num_bins)`, `tables` is `(action_dim, action_dim, num_bins, num_bins)`, `indices` is
#   `(batch, action_dim)`, long, and `mask` is `(action_dim, action_dim)`, bool.
# - Return logits `(batch, action_dim, num_bins)`, by the formula above. Use the mask that you are given, whatever it
#   is. Leave `base` as it was.
#
# Loops over `i` and `j` are fine.


# %% tags=["solution"]
def masked_logits(base, tables, indices, mask):
    """Return the logits of every number given those that the mask lets it see."""
    # BEGIN SOLUTION
    numbers = torch.arange(indices.shape[1], device=indices.device)
    gains = tables[:, numbers, indices]  # (looks, batch, looked_at, num_bins)
    return base + torch.einsum("ij,ibjk->bik", mask.to(base.dtype), gains)
    # END SOLUTION


# %% tags=["public"]
def test_masked_logits_of_a_known_pair(masked_logits):
    """With two numbers, the second's logits gain the table's row that the first number names."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    base = torch.tensor([[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]] * 2)
    tables = torch.arange(36.0).reshape(2, 2, 3, 3)
    mask = torch.tensor([[False, False], [True, False]])
    before = base.clone()
    logits = masked_logits(base, tables, torch.tensor([[0, 1], [2, 1]]), mask)
    check_answered(logits, "masked_logits")
    check_shape(logits, (2, 2, 3), "one row of logits for every number of every action.")
    check_close(base, before, "base was changed: add to a copy of it.")
    check_close(logits[:, 0], base[:, 0], "the first number sees nothing: its logits are the base.")
    check_close(
        logits[:, 1],
        [[28.0, 39.0, 50.0], [34.0, 45.0, 56.0]],
        "the second number sees the first: add the row of tables[1, 0] that the first number's bin names.",
    )


# %% tags=["hidden"]
def test_masked_logits_equals_the_sum_written_out(masked_logits):
    """The logits equal the formula, written out as loops, for any sizes and any mask."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, num_bins in [(5, 3, 4), (1, 4, 2), (6, 1, 3), (3, 5, 7)]:
        base = torch.randn(batch, action_dim, num_bins, generator=generator)
        tables = torch.randn(*[action_dim] * 2, *[num_bins] * 2, generator=generator)
        indices = torch.randint(0, num_bins, (batch, action_dim), generator=generator)
        mask = torch.rand(action_dim, action_dim, generator=generator) < 0.5
        before = base.clone()
        logits = masked_logits(base, tables, indices, mask)
        check_answered(logits, "masked_logits")
        expected = before.tolist()
        for row, bins in zip(expected, indices.tolist(), strict=True):
            for i, j in mask.nonzero().tolist():
                gains = tables[i, j, bins[j]].tolist()
                row[i] = [logit + gain for logit, gain in zip(row[i], gains, strict=True)]
        check_close(
            logits, expected, "add tables[i, j, bin of j] wherever the mask is true.", atol=1e-4
        )
        check_close(base, before, "base was changed: add to a copy of it.")


def test_masked_logits_never_looks_ahead(masked_logits):
    """With a causal mask, a change of later numbers leaves earlier logits as they were."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    base = torch.randn(6, 4, 5, generator=generator)
    tables = torch.randn(4, 4, 5, 5, generator=generator)
    mask = torch.ones(4, 4).tril(-1).bool()
    indices = torch.randint(0, 5, (6, 4), generator=generator)
    full = masked_logits(base, tables, indices, mask)
    check_answered(full, "masked_logits")
    check_close(
        torch.as_tensor(full)[:, 0],
        base[:, 0],
        "the first number sees nothing: its logits are the base.",
    )
    for d in range(4):
        known = indices.clone()
        known[:, d:] = torch.randint(0, 5, (6, 4 - d), generator=generator)
        logits = masked_logits(base, tables, known, mask)
        check_close(
            torch.as_tensor(logits)[:, : d + 1],
            torch.as_tensor(full)[:, : d + 1],
            f"the logits up to number {d} changed with numbers that they must not see.",
        )
    # And what may be seen is seen: another first bin changes all later logits.
    moved = indices.clone()
    moved[:, 0] = (moved[:, 0] + 1) % 5
    change = (torch.as_tensor(masked_logits(base, tables, moved, mask)) - full).abs().amax(dim=2)
    assert (change[:, 1:] > 1e-6).all(), "the first number must count in all later logits."


def test_masked_logits_makes_a_distribution_of_actions(masked_logits):
    """One pass gives the conditionals of one joint distribution: over all actions it adds up to one."""
    import itertools

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    actions = torch.tensor(list(itertools.product(range(4), repeat=3)))
    base = 2 * torch.randn(1, 3, 4, generator=generator).repeat(len(actions), 1, 1)
    tables = 2 * torch.randn(3, 3, 4, 4, generator=generator)
    logits = masked_logits(base, tables, actions, torch.ones(3, 3).tril(-1).bool())
    check_answered(logits, "masked_logits")
    check_shape(logits, (64, 3, 4), "one row of logits for every number of every action.")
    log_probs = torch.as_tensor(logits).detach().double().log_softmax(dim=2)
    chosen = log_probs.gather(2, actions[:, :, None]).sum(dim=(1, 2))
    check_close(
        chosen.exp().sum(), 1.0, "some number looks at itself or ahead: follow the mask.", rtol=1e-3
    )


def test_masked_logits_teaches_the_tables(masked_logits):
    """The gradient reaches base, and of the tables just what the mask lets through."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    base = torch.randn(6, 3, 4, generator=generator).requires_grad_()
    tables = torch.randn(3, 3, 4, 4, generator=generator).requires_grad_()
    indices = torch.randint(0, 4, (6, 3), generator=generator)
    mask = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0]]).bool()
    weight = torch.randn(6, 3, 4, generator=generator)
    logits = masked_logits(base, tables, indices, mask)
    check_answered(logits, "masked_logits")
    assert getattr(logits, "requires_grad", False), "no gradient flows: do not detach."
    (logits * weight).sum().backward()
    check_close(base.grad, weight, "the gradient with respect to base is off.")
    expected = torch.zeros(3, 3, 4, 4)
    for i, j in mask.nonzero().tolist():
        for row in range(6):
            expected[i, j, indices[row, j]] += weight[row, i]
    check_close(tables.grad, expected, "the gradient with respect to the tables is off.")


# %% tags=["wrong"]
def masked_logits__ignores_the_mask(base, tables, indices, mask):
    """Every number looks at every number: add a table only where the mask is true."""
    return base + _gains(tables, indices).sum(dim=2)


def masked_logits__transposes_the_mask(base, tables, indices, mask):
    """Rows and columns of the mask are swapped: mask[i, j] says whether i may look at j."""
    return base + torch.einsum("ji,bijk->bik", mask.float(), _gains(tables, indices))


def masked_logits__swaps_the_pair(base, tables, indices, mask):
    """The pair is swapped: tables[i, j] holds what number i gains from number j."""
    gains = _gains(tables.transpose(0, 1), indices)
    return base + torch.einsum("ij,bijk->bik", mask.float(), gains)


def masked_logits__swaps_row_and_column(base, tables, indices, mask):
    """Row and column of the table are swapped: tables[i, j, k] is the row to add when j fell into bin k."""
    gains = _gains(tables.transpose(2, 3), indices)
    return base + torch.einsum("ij,bijk->bik", mask.float(), gains)


def masked_logits__looks_up_its_own_bin(base, tables, indices, mask):
    """The row is chosen by number i's own bin, which gives the answer away: number j's bin chooses it."""
    logits = base.clone()
    for i, j in mask.nonzero().tolist():
        logits[:, i] = logits[:, i] + tables[i, j, indices[:, i]]
    return logits


def masked_logits__forgets_the_base(base, tables, indices, mask):
    """The base logits are missing: that is where the observation comes in."""
    return torch.einsum("ij,bijk->bik", mask.float(), _gains(tables, indices))


def masked_logits__masks_the_base_too(base, tables, indices, mask):
    """Numbers that see nobody lose their base logits: the mask is for the tables alone."""
    seeing = mask.any(dim=1).float()[None, :, None]
    return base * seeing + torch.einsum("ij,bijk->bik", mask.float(), _gains(tables, indices))


def masked_logits__averages_the_gains(base, tables, indices, mask):
    """The gains are averaged over the numbers that are seen: add them up."""
    seen = mask.float() / mask.float().sum(dim=1, keepdim=True).clamp(min=1)
    return base + torch.einsum("ij,bijk->bik", seen, _gains(tables, indices))


def masked_logits__sees_the_last_number_only(base, tables, indices, mask):
    """Only the number right before is looked at: add the gains of all that the mask shows."""
    logits = base.clone()
    for i in range(1, base.shape[1]):
        if mask[i, i - 1]:
            logits[:, i] = logits[:, i] + tables[i, i - 1, indices[:, i - 1]]
    return logits


def masked_logits__brings_its_own_mask(base, tables, indices, mask):
    """The mask that was given is not used: another order would have another one."""
    causal = torch.ones_like(mask).tril(-1).float()
    return base + torch.einsum("ij,bijk->bik", causal, _gains(tables, indices))


def masked_logits__changes_base(base, tables, indices, mask):
    """base is changed in place: whoever calls again adds the gains twice. Work on a copy."""
    for i, j in mask.nonzero().tolist():
        base.data[:, i] += tables[i, j, indices[:, j]]
    return base


def masked_logits__uses_the_first_row(base, tables, indices, mask):
    """The first action's bins serve for all rows: each row has its own."""
    gains = _gains(tables, indices[:1].expand_as(indices))
    return base + torch.einsum("ij,bijk->bik", mask.float(), gains)


def masked_logits__sums_everything(base, tables, indices, mask):
    """All numbers gain the same sum: number i gains tables[i, j] alone."""
    gains = torch.einsum("ij,bijk->bk", mask.float(), _gains(tables, indices))
    return base + gains[:, None]


def masked_logits__detaches_the_tables(base, tables, indices, mask):
    """The tables are detached: they cannot learn."""
    return base + torch.einsum("ij,bijk->bik", mask.float(), _gains(tables, indices).detach())


def _gains(tables, indices):
    dims = torch.arange(indices.shape[1])
    return tables[dims[:, None], dims[None, :], indices[:, None, :]]


# %% tags=["right"]
def masked_logits__by_loops(base, tables, indices, mask):
    rows = []
    for i in range(base.shape[1]):
        logits = base[:, i]
        for j in range(base.shape[1]):
            if mask[i, j]:
                logits = logits + tables[i, j, indices[:, j]]
        rows.append(logits)
    return torch.stack(rows, dim=1)


def masked_logits__by_one_hot(base, tables, indices, mask):
    one_hot = torch.nn.functional.one_hot(indices, tables.shape[2]).double()
    gains = torch.einsum("ij,bjk,ijkl->bil", mask.double(), one_hot, tables.double())
    return base.double() + gains


def masked_logits__by_where(base, tables, indices, mask):
    dims = torch.arange(indices.shape[1])
    gains = tables[dims[:, None], dims, indices[:, None, :]]
    return base + torch.where(mask[None, :, :, None], gains, torch.zeros(())).sum(dim=2)


def masked_logits__by_embedding(base, tables, indices, mask):
    columns = []
    for i, looks in enumerate(mask):
        seen = [
            torch.nn.functional.embedding(indices[:, j], tables[i, j])
            for j in range(len(looks))
            if looks[j]
        ]
        columns.append(sum(seen, base[:, i].clone()))
    return torch.stack(columns, dim=1)


# %% [markdown]
# With that, training needs one pass. Look at what one pass returns: logits `(batch, action_dim, num_bins)`, a
# categorical for every number. That is just what `independent_log_prob` takes. Teacher forcing through a mask
# *is* the loss of independent bins, on logits that know the past.
#
# For sampling, the policy of question 4.2 pads its prefix with zeros. The mask sees to it that nobody looks at the padding.


# %%
class MaskedTables(torch.nn.Module):
    """An autoregressive policy without observations: your `masked_logits`, and numbers to learn."""

    def __init__(self, action_dim, num_bins):
        super().__init__()
        self.base = torch.nn.Parameter(torch.zeros(action_dim, num_bins))
        self.tables = torch.nn.Parameter(torch.zeros(*[action_dim] * 2, *[num_bins] * 2))
        self.mask = causal_mask(action_dim)
        check_answered(self.mask, "causal_mask")

    def all_logits(self, indices):
        """Return every number's logits given the numbers before it, in one pass."""
        base = self.base.expand(len(indices), -1, -1)
        logits = masked_logits(base, self.tables, indices, self.mask)
        check_answered(logits, "masked_logits")
        return logits

    def forward(self, observations, prefix):
        """Return the next number's logits."""
        missing = len(self.base) - prefix.shape[1]
        padded = torch.nn.functional.pad(prefix.long(), (0, missing))
        return self.all_logits(padded)[:, prefix.shape[1]]


def one_pass_log_prob(model, indices):
    """Return the log-probability of actions, all their numbers in one pass."""
    log_prob = independent_log_prob(model.all_logits, indices, indices)
    check_answered(log_prob, "independent_log_prob")
    return log_prob


# %% tags=["train"]
model = MaskedTables(action_dim=5, num_bins=4)
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
actions = torch.randint(0, 4, (6, 5), generator=torch.Generator().manual_seed(1))
one_by_one = autoregressive_log_prob(model, actions, actions)
check_answered(one_by_one, "autoregressive_log_prob")
print("one by one: ", one_by_one.detach())
print("in one pass:", one_pass_log_prob(model, actions).detach())

# %% [markdown]
# The same numbers, five passes against one.
#
# ## How good is it?
#
# Now we let the tables *learn*, by gradient descent on 20,000 actions, and judge them on 20,000 others. The toys'
# density is known, so we also know the best that any model can reach. As in notebook 2 a bin's log-probability becomes
# a log density when we subtract the logarithm of the bin's width, here once for each number.
#
# For independent bins we hide everything: a mask without a single true.
#
# Guess first. For the two corners the choice "left or right" is made once. Independent bins make it twice. How
# many nats should that cost?


# %%
def fit(actions, mask=None):
    """Fit masked tables to actions, and return them."""
    model = MaskedTables(actions.shape[1], BINS.count)
    model.mask = model.mask if mask is None else mask
    # Actions of one cell have one log-probability: compute it once, and weigh it by their share.
    cells, counts = BINS.discretize(actions).unique(dim=0, return_counts=True)
    shares = counts / len(actions)
    minimize(
        lambda: -(shares * one_pass_log_prob(model, cells)).sum(),
        model.parameters(),
        steps=200,
        learning_rate=0.1,
    )
    return model


def nats_per_action(model, actions):
    """Return the negative log density that a model gives to actions, averaged."""
    with torch.no_grad():
        log_prob = one_pass_log_prob(model, BINS.discretize(actions))
    return float(actions.shape[1] * math.log(BINS.width) - log_prob.mean())


# %% tags=["train"]
blind = torch.zeros(2, 2, dtype=torch.bool)
print(
    f"{'nats per action':18}{'truth':>9}{'independent':>13}{'steer first':>13}{'speed first':>13}"
)
for name, toy in toys.items():
    seen, unseen = data[name], held_out[name]
    costs = [
        -float(toy.log_prob(unseen).mean()),
        nats_per_action(fit(seen, blind), unseen),
        nats_per_action(fit(seen), unseen),
        nats_per_action(fit(seen.flip(1)), unseen.flip(1)),
    ]
    print(f"{name:18}{costs[0]:9.2f}" + "".join(f"{cost:13.2f}" for cost in costs[1:]))

# %% [markdown]
# In either order, the learnt tables come within 0.1 nat of the truth. Independent bins spend 0.4 nats more than they on
# the ring, and 0.7 on the two corners.
#
# For the two corners that price has a name. It is $\log 2 \approx 0.69$ nats: one bit, the choice "left or right". It
# is needed once, and paid for twice. In general the price of independence is the **mutual information** of the
# numbers, $\sum p(a_1, a_2) \log \frac{p(a_1, a_2)}{p(a_1)\, p(a_2)}$: what one number tells about the other.

# %% [markdown] question="teacher_forcing" points=[]
# ### Question 4.7 · The teacher leaves
#
# In training the prefix is the expert's. In sampling it is the policy's own. Why does training with the expert's
# prefix give the right likelihood? And what can go wrong in sampling when the policy draws a first number that
# hardly ever occurred in the data?

# %% [markdown] tags=["solution"]
# The likelihood is the probability that the model gives to the expert's whole action, and by the chain rule that
# is the product of its conditionals at the expert's own numbers. So the prefix in it is the expert's, by definition and
# not as an approximation. In sampling, a small error in the first conditional can draw a first number
# that the data hardly have. For such a prefix the later conditionals were never trained, and what they say is left to how the
# model extrapolates; one slip leads to the next. With two numbers this is rare, with long chunks or long texts it
# is a known weakness of autoregressive models. The same happens over time, when a policy's mistakes take
# it to states that the expert never visited: that is the compounding of errors in notebook 7.

# %% [markdown]
# ## What it costs
#
# Training needs one pass. Sampling needs one pass *for each number*, since nobody can look at a number before it is
# drawn. How long does that take? An untrained network of a fixed size stands in for a policy here: its actions are
# nonsense, its passes take as long as any.


# %%
def seconds(function, repeats=10):
    """Return the shortest time that a call takes, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def time_of(numbers):
    """Return the seconds that one pass of a network takes, and drawing an action with it."""
    network = MLP(numbers, 31 * numbers, width=1024)  # untrained: only its time counts
    generator = torch.Generator().manual_seed(0)

    def policy(observations, prefix):
        padded = torch.nn.functional.pad(prefix.float(), (0, numbers - prefix.shape[1]))
        return network(padded).unflatten(1, (numbers, 31))[:, prefix.shape[1]]

    with torch.no_grad():
        drawn = autoregressive_sample(policy, torch.zeros(1, 0), numbers, generator)
        check_answered(drawn, "autoregressive_sample")
        return (
            seconds(lambda: network(drawn.float())),
            seconds(lambda: autoregressive_sample(policy, torch.zeros(1, 0), numbers, generator)),
        )


# %% tags=["train"]
counts = [1, 2, 4, 8, 16]
timings = [time_of(numbers) for numbers in counts]
passing, drawing = ([1000 * timing for timing in column] for column in zip(*timings, strict=True))

figure, axes = plt.subplots(figsize=(5.6, 2.9))
look = POLICY_LOOKS["autoregressive"]
axes.plot(counts, drawing, color=look.color, marker=look.marker, ls="-", label="draw one action")
look = POLICY_LOOKS["categorical"]
axes.plot(counts, passing, color=look.color, marker=look.marker, ls="--", label="one pass")
axes.set(xlabel="numbers per action", ylabel="milliseconds", xticks=counts, ylim=(0, None))
axes.legend(fontsize=8)
show(
    figure,
    alt="Time against the numbers per action. One pass stays flat, drawing an action grows in a straight line.",
    caption="Scoring a known action takes one pass, drawing one takes as many passes as it has numbers.",
)

# %% [markdown]
# One pass stays cheap. Drawing takes time in proportion to the numbers: sixteen numbers cost more than ten times as
# much as one pass. This network is tiny. With billions of parameters in each pass, this decides how fast a robot can react.
#
# ## Actions are words
#
# Read the recipe once more. Cut the output into tokens from a fixed vocabulary. Predict each token from those before
# it. Train with cross-entropy, with teacher forcing, through a causal mask. Draw token after token. That is, word for
# word, how a large language model learns and writes. So why not use one?
#
# - **RT-2** takes a vision-language model, cuts each number of a robot's action into 256 bins, and writes an action as a string
#   of eight tokens: end of episode or not, three for the motion, three for the rotation, one for the gripper.
# - **OpenVLA** does the same with an open model: seven numbers, 256 bins each, between the 1st and the 99th
#   percentile of the data, so that outliers do not stretch the bins. The bins take the place of the 256 tokens that the
#   language model used least.
# - **EMMA**, Waymo's driving model, does without bins: it writes the coordinates of the way ahead as
#   plain text, in the vocabulary that the language model has anyway.
# - **LINGO-2**, Wayve's, predicts the drive and a comment on it with one autoregressive model: "slowing down for the
#   cyclist" is made of tokens too.
#
# The lecture files the last two under *discretise + autoregressive prediction*. What these models gain is what the
# language model already knows about the world. What they pay is the line in the last figure.

# %% [markdown] question="tokens" points=[]
# ### Question 4.8 · Words and bins
#
# To the softmax, bin 7 and bin 8 are as different as *cat* and *Tuesday*. What is lost by that? When does it hurt, and
# when does it not? Answer in three or four sentences.

# %% [markdown] tags=["solution"]
# What is lost is the distance between bins: a prediction one bin off costs as much as one at the other end
# of the range, and what was learnt about bin 7 says nothing about bin 8. It hurts where data are few or bins are
# many, because each bin has to be learnt from its own examples. With much data it does not hurt: the network finds out by itself that
# neighbouring bins go together, because they occur in the same situations. And it is just this freedom
# from any assumed shape that lets bins represent every distribution.

# %% [markdown]
# ## Back to the fork
#
# The fork's action is a velocity, in two numbers: along the road and across it. At the obstacle the drivers all ask
# for the same speed along the road, and for left or right across it. So given the observation, the
# second number has two modes, and neither says anything about the first.
#
# Would independent bins do here? And if we turned the whole road by 45 degrees? The drivers drive as
# before. But the numbers are now velocities along two axes that are not the road's: passing on the left asks
# for little of the first and much of the second, passing on the right for the reverse.


# %%
class Independent(Policy):
    """A network that predicts one categorical per number, with your `independent_log_prob`."""

    def __init__(self, seed, width=82):
        super().__init__(observation_dim=8, action_dim=2)
        self.bins = Bins(count=31, limit=3.0)
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(8, 2 * self.bins.count, width, generator=generator)

    def base(self, observations):
        return self.network(observations).unflatten(1, (2, self.bins.count))

    def all_logits(self, observations, indices):
        return self.base(observations)

    def next_logits(self, observations, prefix):
        padded = torch.nn.functional.pad(prefix.long(), (0, 2 - prefix.shape[1]))
        return self.all_logits(observations, padded)[:, prefix.shape[1]]

    def loss(self, observations, actions, generator=None):
        indices = self.bins.discretize(actions.squeeze(1))
        log_prob = independent_log_prob(
            lambda seen: self.all_logits(seen, indices), observations, indices
        )
        check_answered(log_prob, "independent_log_prob")
        return -log_prob.mean()

    def sample(self, observations, generator=None):
        indices = autoregressive_sample(self.next_logits, observations, 2, generator)
        check_answered(indices, "autoregressive_sample")
        # Evenly within each bin, and not its centre: then samples have the density that was trained.
        return self.bins.place(indices, generator).unsqueeze(1)


class Autoregressive(Independent):
    """The same, but the second number sees the first, through your `masked_logits`."""

    def __init__(self, seed, width=64):
        super().__init__(seed, width)
        self.tables = torch.nn.Parameter(torch.zeros(2, 2, self.bins.count, self.bins.count))
        mask = causal_mask(2)
        check_answered(mask, "causal_mask")
        self.mask = mask

    def all_logits(self, observations, indices):
        mask = self.mask.to(indices.device)
        logits = masked_logits(self.base(observations), self.tables, indices, mask)
        check_answered(logits, "masked_logits")
        return logits


# %% [markdown]
# The two classes differ in one method. So that nobody can say it was the parameters, the independent one gets a wider
# network: both have about 12,650.
#
# The drivers choose a little earlier than in notebook 1, 0.8 m before the obstacle. A vehicle that hesitates for a
# moment can still get round it. What goes wrong from here on is not lack of room.

# %%
SEEDS = range(5)
SETTINGS = TrainingSettings(steps=1500, batch_size=128, learning_rate=1e-2)
DECISION_DISTANCE = 0.8  # metres before the obstacle


def collect(task):
    """Let two drivers demonstrate on a road, each from the same hundred starts."""
    drivers = {
        side: NoisyActor(ForkDriver(task, (side,), DECISION_DISTANCE), noise=0.03)
        for side in ("left", "right")
    }
    return demonstrate(task, drivers, 100, torch.Generator().manual_seed(SEED))


# %% tags=["train"]
print(
    f"{count_parameters(Independent(0)):,} and {count_parameters(Autoregressive(0)):,} parameters"
)
roads = {"straight": Fork(), "turned": Fork(angle=math.pi / 4)}
demonstrations = {road: collect(task) for road, task in roads.items()}
classes = {"independent": Independent, "autoregressive": Autoregressive}
actors, results = {}, {}
for road, task in roads.items():
    for name, make_policy in classes.items():
        title = f"{name}, {road}"
        runs = clone(make_policy, demonstrations[road], SETTINGS, SEEDS, device, title)
        actors[road, name] = players(runs)
        results[road, name] = drive(actors[road, name], task, SEEDS)

# %% tags=["train"]
class_looks = {"independent": "categorical", "autoregressive": "autoregressive"}
rates = {f"{name}, {road}": pool(evaluations) for (road, name), evaluations in results.items()}
figure, axes = plt.subplots(figsize=(6.4, 2.4))
plot_success_rates(axes, rates, looks=[POLICY_LOOKS[class_looks[name]] for road, name in results])
show(
    figure,
    alt="Success rates. On the straight road both classes lie above 95 per cent; on the turned road the "
    "independent one falls to about 75, the autoregressive one stays.",
    caption="Five seeds with 100 episodes each. The same road twice, seen from another angle.",
)

# %% tags=["train"]
turned, task = demonstrations["turned"], roads["turned"]
driver = ForkDriver(task, decision_distance=DECISION_DISTANCE)
deciding = driver.is_deciding(turned.observations)
observations = turned.observations[deciding].repeat(4, 1).to(device)
generator = torch.Generator(device).manual_seed(0)
commands = {"the drivers": ("expert", turned.actions[deciding])}
for name in classes:
    actor = actors["turned", name][0]
    actor.reset(torch.ones(len(observations), dtype=torch.bool))
    commands[name] = (class_looks[name], actor.act(observations, generator))

figure, panels = plt.subplots(1, 3, figsize=(10, 4.0), sharex=True, sharey=True)
for axes, (name, (look, asked)) in zip(panels, commands.items(), strict=True):
    axes.axline((0, 0), slope=1, color="0.6", ls=":", zorder=0)
    plot_plane(axes, asked, look).set(title=name, xlabel="first number, m/s")
    axes.set(xlim=(-0.4, 1.4), ylim=(-0.4, 1.4), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
panels[0].set_ylabel("second number, m/s")
panels[0].text(0.52, 0.42, "towards the obstacle", rotation=45, color="0.4", fontsize=8)
show(
    figure,
    alt="Commands where the drivers choose. The drivers: two clusters. Independent bins: the same two, two more at the "
    "mixed corners, and others between. Autoregressive: the drivers' two and a third one, straight on.",
    caption="What is asked for on the turned road, where the drivers choose. On the dotted line lies the "
    "obstacle.",
)

# %% tags=["train"]
figure, panels = plt.subplots(1, 2, figsize=(8.4, 4.2))
for axes, name in zip(panels, classes, strict=True):
    evaluation = results["turned", name][0]
    plot_rollouts(axes, task, evaluation.rollouts).set_title(f"{name}: {evaluation.success}")
show(
    figure,
    alt="Paths on the turned road. With independent bins many end at the obstacle, with the autoregressive "
    "policy nearly all pass on one side or the other.",
    caption="One seed of each class, on the turned road.",
)

# %% [markdown]
# On the straight road both drive above 95 %. On the turned road independent bins arrive in about three episodes out of
# four, and the autoregressive policy drives as before. The road is the same, the drivers are the same. Only the axes
# were turned.
#
# The clouds of commands show how. More than a third of the independent commands are mixtures of the two drivers: little of both
# numbers, and the vehicle stands; much of both, and it rushes at the obstacle. Most episodes survive it, because the next
# observation gives another chance. The autoregressive policy has a third cluster as well, the one on the line. That is no mixture. It is what
# both drivers did one step before, and where exactly the choice begins is hard to tell from one observation.
#
# So independent bins stand or fall with the coordinates. Sometimes somebody knows good ones. A policy should not depend on that.

# %% [markdown]
# ## The course so far
#
# Regression, a Gaussian, bins, a mixture, and now autoregressive bins: five classes, one road. Which would you take?
#
# To find out, `python -m benchmarks.policies` trains ten seeds of each class on both roads. Everything else is equal:
# 200 demonstrations a seed, the same layers, parameters within 5 %, 100 test drives. It takes some minutes, so here is its record.
#
# Guess first. On the turned road independent bins get into trouble. Who else will? (The table calls independent bins
# *categorical*.)

# %% tags=["train"]
later = ("flow", "diffusion")  # two classes of the next notebook
comparison = [result for result in recorded_comparison() if result.name not in later]
display(Markdown(comparison_table(comparison)))

# %% tags=["train"]
straight, diagonal = dict.fromkeys(result.road for result in comparison)
figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), width_ratios=(1.3, 1, 1))
plot_success_by_road(panels[0], comparison).set_title("Does it arrive?")
plot_excess_nats(panels[1], comparison).set_title("How surprised is it?")
plot_sides(panels[2], comparison, diagonal).set_title("Which way does it go?")
show(
    figure,
    alt="Three panels with a row for each class. Regression hardly ever arrives; mixture and autoregressive bins nearly "
    "always do, on both roads; the Gaussian and independent bins lose on the turned road.",
    caption="Ten seeds of each class, 1,000 drives on each road. Full markers: straight, hollow: turned.",
)

# %% [markdown]
# **Who arrives?** Regression hardly ever does, as in notebook 1. On the straight road all three classes with several modes arrive in more than
# 95 % of the drives. Turning the road costs independent bins a fifth of their successes. It costs the Gaussian a sixth: its
# numbers are independent too. The mixture and the autoregressive policy hardly notice.
#
# **Is it a good model?** The fourth column is the held-out negative log-likelihood, in nats for each action, whose two numbers are in metres per
# second. It is a density, so it may be less than zero. The drivers' own is the least that any policy can reach. Look at
# the Gaussian on the straight road: on the average it spends *fewer* nats than either kind of bins, and yet it drives worse. How can
# that be?
# Because nearly all of a drive has one mode, and there a Gaussian describes a shaking hand better than bins of
# fixed width do. The fifth column looks only at the moment of choice. There it spends over five nats more than the drivers. An
# average hides the one moment that matters.
#
# **Do both drivers survive?** Every class treats left and right alike. What differs is *neither*. Regression always goes between the
# two. Even the best classes drive straight on in a fifth to a quarter of their samples, a step longer than the
# drivers. But on the turned road, the Gaussian and independent bins
# go neither way in more than half of their samples.
#
# **What does it cost?** On the machine of the record, no class took a millisecond for an action. That is the price for two numbers. The figure above
# shows what happens with sixteen.
#
# The mixture comes out best here. Should you always take it? This road was made for it: two modes, each
# a Gaussian, and somebody who knew how many components to ask for. Autoregressive bins were told nothing about
# the shape, and they are what a language model speaks. Their resolution is that of their bins.

# %% [markdown]
# ## What you have seen
#
# - Bins for every combination of numbers explode; bins for each number alone invent actions. The price
#   of independence is the mutual information of the numbers.
# - The chain rule is exact, in every order: decide one number, look at it, decide the next.
# - In training, the prefix is the expert's, and a mask gives all conditionals in one pass. In sampling, the prefix is
#   the policy's own, and each number takes a pass.
# - That is how language models work, and why robots and cars can be driven by one.
# - Whether independent bins are good enough depends on the axes that somebody chose. Autoregressive bins do not care.
# - A likelihood averaged over a whole drive can hide the one moment that decides it.
#
# Five classes of policies stand side by side now. Each trades something: modes, resolution, correlation, time. The next notebook
# builds a sixth that needs no bins and no order: it turns noise into actions.
#
# ## Stretch goals
#
# These are not graded.
#
# 1. **Three numbers at once.** Our tables add up what each earlier number says. Take three bits where the third is the
#    exclusive or of the first two. Can any tables express it? Put a hidden layer behind the mask, as MADE does, and try again.
# 2. **A chunk of tokens.** Predict eight actions at once: sixteen numbers, in order of time. Does the policy commit to one side? Compare with
#    notebook 1's Gaussian chunks.
# 3. **Tokens by frequency (FAST).** In a smooth chunk, each token nearly repeats the one before it, and copying is all that
#    a model learns. Take the discrete cosine transform of each chunk (`scipy.fft.dct`), round the coefficients, and predict these, low
#    frequencies first. How many tokens does a chunk of eight need now?
#
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning. The lecture that this course
#   follows.
# - Larochelle and Murray, *The neural autoregressive distribution estimator*, AISTATS 2011. Conditionals by a network
#   with shared parts.
# - Germain et al., *MADE: masked autoencoder for distribution estimation*, ICML 2015, arXiv:1502.03509. All conditionals in one
#   pass, by masks.
# - Brohan et al., *RT-2: vision-language-action models transfer web knowledge to robotic control*, CoRL 2023, arXiv:2307.15818. Actions as
#   tokens.
# - Kim et al., *OpenVLA: an open-source vision-language-action model*, CoRL 2024, arXiv:2406.09246.
# - Hwang et al., *EMMA: end-to-end multimodal model for autonomous driving*, 2024, arXiv:2410.23262.
# - Wayve, *LINGO-2: driving with natural language*, 2024. A report of the company, on its pages.
# - Pertsch et al., *FAST: efficient action tokenization for vision-language-action models*, RSS 2025, arXiv:2501.09747. The cosine
#   transform of stretch goal 3.
