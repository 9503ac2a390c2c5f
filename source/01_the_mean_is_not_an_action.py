# ---
# jupyter:
#   imitation_lab:
#     title: The mean is not an action
#     answers:
#     - imitation_lab.policies.regression
#     - imitation_lab.policies.gaussian
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 · The mean is not an action
#
# Two good drivers meet an obstacle. One passes on the left, the other on the right. You train a
# policy on both, and it drives straight into the obstacle.
#
# Nothing is broken. The data are fine, the network is large enough, the loss goes down. This
# notebook is about what went wrong.
#
# **When you have finished it, you can**
#
# - write behaviour cloning by regression, and say what its loss really asks for;
# - show that a larger network does not help, and explain why;
# - write the log-likelihood of a Gaussian policy, sample from it, and say where it still fails;
# - report a success rate with an interval, so that others can trust it.
#
# You need PyTorch tensors, expectations and the density of a Gaussian. The experiments take about half a minute on a laptop.
# The code that you write is short: most answers are one to three lines. Time: about two hours.

# %%
import math

import torch
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate
from imitation_lab.controller import ChunkPlayer
from imitation_lab.envs import Fork
from imitation_lab.evaluation import evaluate, pool
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import MLP, count_parameters
from imitation_lab.plots import (
    POLICY_LOOKS,
    plot_chunks,
    plot_commands,
    plot_demonstrations,
    plot_rollouts,
    plot_success_rates,
    show,
    use_course_style,
)
from imitation_lab.testing import check_answered
from imitation_lab.training import TrainingSettings, best_device, train
from imitation_lab.types import Policy
from imitation_lab.widgets import DragTheModes

use_course_style()
device = best_device()

# %% tags=["variant"]
SEED = 0  # of the demonstrations  # VARIANT 0..9999
HAND_NOISE = 0.03  # m/s: how much the drivers' hands shake  # VARIANT 0.02, 0.03, 0.04

# %% [markdown]
# ## The words
#
# | word | symbol | on our road |
# |---|---|---|
# | state | $s_t$ | where the vehicle, the obstacle and the goal are, and how fast the vehicle moves |
# | observation | $o_t$ | what the policy sees of the state: here all of it, eight numbers |
# | action | $a_t$ | the velocity that we ask for: two numbers, in metres per second |
# | trajectory | $\tau$ | $(s_1, a_1, s_2, a_2, \dots, s_T)$, one episode from start to end |
# | policy | $\pi(a_t \mid o_t)$ | a distribution over actions given an observation: this is what we learn |
# | reward | $r(s, a)$ | how good that was. Imitation does without it: it has demonstrations |
#
# **Imitation learning** starts from demonstrations $\mathcal{D}$: trajectories that an expert drove.
# Training makes the policy act as the expert did. The plainest way to do so is **behaviour
# cloning**: treat it as supervised learning, with observations as inputs and the expert's actions as
# labels.

# %% [markdown]
# ## Two drivers
#
# Our road is called the *fork*. An obstacle stands in the middle. Straight ahead is a crash; left
# and right are equally good. The drivers decide late, and the vehicle answers with a lag. Whoever
# hesitates has no room left.
#
# Both drivers drive from the same hundred starts. So up to the moment of choice, nothing in the
# observation tells who drives.
#
# Is this a contrived case? Hardly. It happens all the time, most of all when several people
# collected the data.

# %% tags=["train"]
task = Fork()
drivers = {side: NoisyActor(ForkDriver(task, (side,)), HAND_NOISE) for side in ("left", "right")}
demonstrations = demonstrate(task, drivers, 100, torch.Generator().manual_seed(SEED))
one_driver = demonstrations.by_driver("left")
print(f"{len(demonstrations)} demonstrations, {demonstrations.num_actions} actions")

# %% tags=["train"]
figure, (road, histogram) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(2, 1))
plot_demonstrations(road, task, demonstrations).set_title("What the drivers did")
deciding = ForkDriver(task).is_deciding(demonstrations.observations)
commands = {"expert": demonstrations.actions[deciding, 1]}
plot_commands(histogram, commands).set_title("What they asked for when they chose")
show(
    figure,
    alt="Left: paths of two drivers around an obstacle, one bundle on each side. Right: their "
    "lateral commands at the obstacle form two narrow peaks, with nothing in between.",
    caption="Two bundles of paths, and two peaks. Where the drivers chose, nobody asked for zero. "
    "Obstacle and goal move a little from drive to drive: each path is drawn as seen from its obstacle.",
)

# %% [markdown]
# ## Behaviour cloning by regression
#
# The lecture's first algorithm, version 0, needs one line. The policy is deterministic,
# $\hat a = \pi_\theta(o)$. We take the demonstrations as pairs $(o, a)$ and minimise the squared
# distance to the expert's action:
#
# $$
# \min_\theta \; \frac{1}{|\mathcal{D}|} \sum_{(o, a) \in \mathcal{D}}
# \lVert a - \pi_\theta(o) \rVert_2^2
# $$
#
# Mind the two sums in it. The norm **sums** over the numbers of one action. The outer sum
# **averages** over the batch.

# %% [markdown] question="mse_loss" points=[1, 1, 1, 1]
# ### Question 1.1 · The regression loss
#
# Write `mse_loss(policy, observations, actions)`.
#
# - `policy` is any callable: it takes observations `(batch, observation_dim)` and returns actions
#   `(batch, action_dim)`.
# - `observations` is `(batch, observation_dim)` and `actions` is `(batch, action_dim)`.
# - Return one number, a tensor of shape `()`. Gradients must flow through it into the policy.


# %% tags=["solution"]
def mse_loss(policy, observations, actions):
    """Return the squared L2 norm of the policy's error, averaged over the batch."""
    error = policy(observations) - actions  # SOLUTION
    return error.square().sum(dim=1).mean()  # SOLUTION


# %% tags=["public"]
def test_mse_loss_is_one_number(mse_loss):
    """The loss is one number, and zero when the policy is right."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    policy = torch.nn.Linear(4, 2)
    observations = torch.arange(12.0).reshape(3, 4)
    loss = mse_loss(policy, observations, policy(observations).detach())
    check_answered(loss, "mse_loss")
    check_shape(loss, (), "sum over the action's numbers, then average over the batch.")
    check_close(loss, 0.0, "a policy that predicts every action exactly has no loss.")
    assert getattr(loss, "requires_grad", False), (
        "gradients must flow: return a tensor, and do not detach it."
    )


def test_mse_loss_of_a_known_error(mse_loss):
    """An error of (3, 4) in every row costs 3² + 4² = 25."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    loss = mse_loss(
        lambda observations: 0 * observations[:, :2],
        torch.ones(5, 7),
        torch.tensor([[3.0, 4.0]]).repeat(5, 1),
    )
    check_answered(loss, "mse_loss")
    check_close(
        loss, 25.0, "sum the squares over the action's numbers, and average over the batch."
    )


# %% tags=["hidden"]
def test_mse_loss_equals_the_sum_written_out(mse_loss):
    """The loss equals the formula, written out as a loop, for any sizes."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, observation_dim, action_dim in [(6, 4, 5), (1, 3, 2), (9, 2, 1), (200, 3, 3)]:
        weight = torch.randn(action_dim, observation_dim, generator=generator)
        observations = torch.randn(batch, observation_dim, generator=generator)
        actions = 30 * torch.randn(batch, action_dim, generator=generator)
        loss = mse_loss(lambda seen, weight=weight: seen @ weight.T, observations, actions)
        check_answered(loss, "mse_loss")
        predictions = (observations @ weight.T).tolist()
        rows = zip(predictions, actions.tolist(), strict=True)
        total = sum((p - a) ** 2 for row in rows for p, a in zip(*row, strict=True))
        check_close(loss, total / batch, "sum over the action's numbers, average over the batch.")


def test_mse_loss_teaches_the_policy(mse_loss):
    """The gradient reaches the policy's parameters and has the right size."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    policy = torch.nn.Linear(3, 4)
    torch.nn.init.normal_(policy.weight, generator=generator)
    observations = torch.randn(8, 3, generator=generator)
    actions = torch.randn(8, 4, generator=generator)
    loss = mse_loss(policy, observations, actions)
    check_answered(loss, "mse_loss")
    assert getattr(loss, "requires_grad", False), (
        "the loss does not depend on the policy: do not detach it."
    )
    loss.backward()
    error = (policy(observations) - actions).detach()
    check_close(
        policy.weight.grad, 2 / 8 * error.T @ observations, "the gradient of the loss is off."
    )


# %% tags=["wrong"]
def mse_loss__averages_over_action_dimensions(policy, observations, actions):
    """The mean runs over the action's numbers too: sum over these, and average over the batch only."""
    return (policy(observations) - actions).square().mean()


def mse_loss__sums_over_the_batch(policy, observations, actions):
    """The sum runs over the batch too: with twice the data the loss would be twice as large."""
    return (policy(observations) - actions).square().sum()


def mse_loss__forgets_the_square(policy, observations, actions):
    """This is the L2 norm itself: the loss takes its square."""
    return (policy(observations) - actions).norm(dim=1).mean()


def mse_loss__takes_absolute_errors(policy, observations, actions):
    """Absolute errors make the L1 loss: the squared L2 norm squares them."""
    return (policy(observations) - actions).abs().sum(dim=1).mean()


def mse_loss__squares_the_sum(policy, observations, actions):
    """Square first, then sum: errors of different sign must not cancel."""
    return (policy(observations) - actions).sum(dim=1).square().mean()


def mse_loss__halves(policy, observations, actions):
    """There is no factor one half in this loss."""
    return 0.5 * (policy(observations) - actions).square().sum(dim=1).mean()


def mse_loss__detaches_the_policy(policy, observations, actions):
    """The policy's output is detached: no gradient reaches its parameters."""
    return (policy(observations).detach() - actions).square().sum(dim=1).mean()


# %% tags=["right"]
def mse_loss__by_einsum(policy, observations, actions):
    error = actions - policy(observations)
    return torch.einsum("bd,bd->", error, error) / error.shape[0]


def mse_loss__by_torch(policy, observations, actions):
    return torch.nn.functional.mse_loss(policy(observations), actions, reduction="sum") / len(
        actions
    )


def mse_loss__by_loops(policy, observations, actions):
    predicted, total = policy(observations), 0.0
    for row, action in zip(predicted, actions, strict=True):
        for dimension in range(len(action)):
            total = total + (row[dimension] - action[dimension]) ** 2
    return total / len(actions)


def mse_loss__in_float64(policy, observations, actions):
    error = policy(observations).double() - actions.double()
    return torch.linalg.vector_norm(error, dim=-1).pow(2).mean()


# %% [markdown]
# ## What does this loss ask for?
#
# Forget the network for a moment. Suppose the observation is always the same. Then the policy is a
# single constant $c$, and only one question is left: which constant is best?
#
# $$
# \min_c \; \mathbb{E}\,\lVert a - c \rVert_2^2
# $$
#
# Set the derivative to zero, or write the loss as two parts:
#
# $$
# \mathbb{E}\,\lVert a - c \rVert_2^2
# = \underbrace{\mathbb{E}\,\lVert a - \mathbb{E}a \rVert_2^2}_{\text{variance: not ours to change}}
# + \underbrace{\lVert \mathbb{E}a - c \rVert_2^2}_{\text{zero at the best constant}}
# $$

# %% [markdown] question="best_constant" points=[1, 2]
# ### Question 1.2 · The best constant
#
# Write `best_constant(actions)`: of all constants, the one with the smallest mean squared error to
# `actions`, which is `(batch, action_dim)`. Return it with shape `(action_dim,)`.


# %% tags=["solution"]
def best_constant(actions):
    """Return the constant action with the smallest mean squared error to `actions`."""
    return actions.mean(dim=0)  # SOLUTION


# %% tags=["public"]
def test_best_constant_keeps_the_action_axis(best_constant):
    """The constant is one action: one value for every action dimension."""
    import torch

    from imitation_lab.testing import check_answered, check_shape

    constant = best_constant(torch.tensor([[0.0, 1.0], [2.0, 3.0], [7.0, 5.0]]))
    check_answered(constant, "best_constant")
    check_shape(constant, (2,), "reduce over the batch axis only.")


# %% tags=["hidden"]
def test_best_constant_has_the_smallest_error(best_constant):
    """No other constant has a smaller mean squared error, not even one close by."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim in [(1, 2), (12, 3), (31, 1)]:
        actions = torch.randn(batch, action_dim, generator=generator).exp()
        constant = best_constant(actions)
        check_answered(constant, "best_constant")
        ones = torch.ones(batch, 1, dtype=torch.float64)
        optimum = torch.linalg.lstsq(ones, actions.double()).solution[0]
        check_close(constant, optimum, "set the derivative of the mean squared error to zero.")


# %% tags=["wrong"]
def best_constant__averages_every_axis(actions):
    """The mean runs over the action axis too: every dimension needs its own value."""
    return actions.mean()


def best_constant__averages_the_wrong_axis(actions):
    """The mean runs over the action axis, and leaves one number for every demonstration."""
    return actions.mean(dim=1)


def best_constant__takes_the_median(actions):
    """The median minimises the absolute error. The squared error has another minimiser."""
    return actions.median(dim=0).values


def best_constant__takes_the_middle(actions):
    """The middle between the extremes minimises the largest error, not the mean squared one."""
    return (actions.amin(dim=0) + actions.amax(dim=0)) / 2


def best_constant__keeps_the_batch_axis(actions):
    """The batch axis is still there: the constant is one action of shape (action_dim,)."""
    return actions.mean(dim=0, keepdim=True)


def best_constant__picks_a_demonstration(actions):
    """This is the demonstrated action closest to the best constant. The best constant need not be one that anybody took."""
    distance = (actions - actions.mean(dim=0)).norm(dim=1)
    return actions[distance.argmin()]


# %% tags=["right"]
def best_constant__by_sum(actions):
    return actions.sum(dim=0) / actions.shape[0]


def best_constant__by_einsum_in_float64(actions):
    return torch.einsum("bd->d", actions.double()) / len(actions)


def best_constant__by_least_squares(actions):
    return torch.linalg.lstsq(torch.ones(len(actions), 1), actions).solution.squeeze(0)


def best_constant__by_a_running_mean(actions):
    mean = torch.zeros(actions.shape[1], dtype=torch.float64)
    for count, action in enumerate(actions, start=1):
        mean = mean + (action - mean) / count
    return mean


# %% [markdown]
# Now let the observation vary. A network that is free to give every observation its own constant
# gives each the best one. So the best possible regression policy is the **conditional mean**,
#
# $$
# \pi^*(o) = \mathbb{E}[a \mid o].
# $$

# %% [markdown] question="conditional_mean" points=[1, 2]
# ### Question 1.3 · The best regression policy
#
# Suppose that observations repeat exactly. Write `conditional_mean(observations, actions, query)`:
# the mean of the actions that were taken at the observation `query`.
#
# - `observations` is `(batch, observation_dim)`, `actions` is `(batch, action_dim)`, and `query` is
#   `(observation_dim,)`. It occurs among the observations at least once.
# - Return shape `(action_dim,)`.


# %% tags=["solution"]
def conditional_mean(observations, actions, query):
    """Return the mean action over the rows whose observation equals `query`."""
    matches = (observations == query).all(dim=1)  # SOLUTION
    return actions[matches].mean(dim=0)  # SOLUTION


# %% tags=["public"]
def test_conditional_mean_at_an_observation_seen_once(conditional_mean):
    """Where an observation was seen once, its conditional mean is the action taken there."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    actions = torch.tensor([[1.0, 2.0], [3.0, 4.0], [9.0, 6.0]])
    mean = conditional_mean(observations, actions, torch.tensor([0.0, 1.0]))
    check_answered(mean, "conditional_mean")
    check_shape(mean, (2,), "average over the rows that match, and keep the action axis.")
    check_close(mean, [3.0, 4.0], "a row matches when all of its numbers equal the query's.")


# %% tags=["hidden"]
def test_conditional_mean_averages_the_matching_rows(conditional_mean):
    """Exactly the rows that match the query in every number are averaged."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    grid = torch.tensor([-0.2, 0.1, 0.11])
    observations = grid[torch.randint(0, 3, (120, 3), generator=generator)]
    actions = torch.randn(120, 3, generator=generator)
    for query in observations[:5]:
        mean = conditional_mean(observations, actions, query)
        check_answered(mean, "conditional_mean")
        rows = [i for i in range(120) if observations[i].tolist() == query.tolist()]
        expected = [sum(actions[i, d].item() for i in rows) / len(rows) for d in range(3)]
        check_close(
            mean, expected, "average the actions of the rows that equal the query, and no others."
        )


# %% tags=["wrong"]
def conditional_mean__ignores_the_query(observations, actions, query):
    """This is the mean over all actions: only those taken at the query belong in it."""
    return actions.mean(dim=0)


def conditional_mean__matches_any_number(observations, actions, query):
    """A row matches when all of its numbers equal the query's, not when any of them does."""
    return actions[(observations == query).any(dim=1)].mean(dim=0)


def conditional_mean__takes_the_first_match(observations, actions, query):
    """Only the first matching row is used: average over all of them."""
    return actions[(observations == query).all(dim=1).long().argmax()]


def conditional_mean__compares_the_first_number(observations, actions, query):
    """Only the first number of the observation is compared: all of them must agree."""
    return actions[observations[:, 0] == query[0]].mean(dim=0)


def conditional_mean__divides_by_the_batch(observations, actions, query):
    """The sum over the matches is divided by the size of the batch: divide by the number of matches."""
    matches = (observations == query).all(dim=1).float()
    return (matches[:, None] * actions).mean(dim=0)


# %% tags=["right"]
def conditional_mean__by_weights(observations, actions, query):
    weights = (observations == query).all(dim=-1).double()
    return weights @ actions.double() / weights.sum()


def conditional_mean__by_loops(observations, actions, query):
    taken = [
        action
        for seen, action in zip(observations, actions, strict=True)
        if torch.equal(seen, query)
    ]
    return torch.stack(taken).mean(0)


def conditional_mean__by_distance(observations, actions, query):
    distance = torch.linalg.vector_norm(observations - query, dim=1)
    return actions[distance < 1e-3].sum(0) / (distance < 1e-3).sum()


# %% [markdown]
# ### Play with it
#
# The curve on the left is the density of the drivers' lateral commands. Drag the two peaks. Change
# their shares. Watch the line that marks the best constant, and the loss beside it.
#
# On its axes left is negative, as on a number line.
#
# - Start as it is. Where is the best constant? How many drivers ever chose it?
# - Give one driver 90 % of the data. Is the best constant now a good action?
# - Push both peaks to one side. From where on does regression do well?
#
# After a restart of the kernel, run the cell again to get the widget back.

# %% tags=["train"]
modes = DragTheModes()
modes

# %% [markdown]
# ## Let it drive
#
# Now the real thing: a network, your loss, and a road. The class below is a `Policy`: it has a
# `loss` to train with and a way to `sample` actions. Its loss is yours.


# %%
class Regression(Policy):
    """A network that predicts one action, trained with your `mse_loss`."""

    def __init__(self, seed, width=64):
        super().__init__(observation_dim=8, action_dim=2)
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(8, 2, width, generator=generator)

    def loss(self, observations, actions, generator=None):
        return mse_loss(self.network, observations, actions.squeeze(1))

    def sample(self, observations, generator=None):
        return self.network(observations).unsqueeze(1)


# %% [markdown]
# How often does it reach the goal? We let it drive and count. But a count alone is not a result: 3
# of 10 could be luck. A success rate needs an interval.
#
# The interval that most people remember, $\hat p \pm z \sqrt{\hat p (1 - \hat p) / n}$, has width
# zero when nothing succeeded. We shall see that often. **Wilson's interval** asks instead: for which
# true rates $p$ does the rate that we saw lie within $z$ standard deviations? With $n$ trials,
#
# $$
# |\hat p - p| \le z \sqrt{\frac{p (1 - p)}{n}}, \qquad \hat p = \frac{\text{successes}}{n}.
# $$
#
# That is a quadratic inequality for $p$. Its solutions lie between
#
# $$
# \frac{1}{1 + z^2/n} \left( \hat p + \frac{z^2}{2n}
# \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}} \right).
# $$

# %% [markdown] question="wilson_interval" points=[1, 2, 1]
# ### Question 1.4 · How sure are we?
#
# Write `wilson_interval(successes, trials, z=1.96)`. Return the pair `(low, high)`.


# %% tags=["solution"]
def wilson_interval(successes, trials, z=1.96):
    """Return Wilson's interval for a success rate, as the pair (low, high)."""
    # BEGIN SOLUTION
    rate = successes / trials
    centre = rate + z**2 / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    shrink = 1 + z**2 / trials
    return (centre - spread) / shrink, (centre + spread) / shrink
    # END SOLUTION


# %% tags=["public"]
def test_wilson_interval_when_nothing_succeeds(wilson_interval):
    """Nothing in ten trials: the interval starts at zero, but does not end there."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    interval = wilson_interval(0, 10)
    check_answered(interval, "wilson_interval")
    check_shape(torch.as_tensor(interval), (2,), "return the pair (low, high).")
    low, high = interval
    check_close(low, 0.0, "zero successes make zero a possible rate.", atol=1e-6)
    assert 0.2 < high < 0.4, (
        f"after 0 of 10, a rate of 0.2 is still possible and 0.4 is not; high is {float(high):.3f}."
    )


# %% tags=["hidden"]
def test_wilson_interval_agrees_with_scipy(wilson_interval):
    """The interval agrees with an independent implementation, for many counts."""
    import torch
    from scipy.stats import binomtest, norm

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    counts = [(0, 17), (23, 23)]
    for _ in range(8):
        trials = int(torch.randint(1, 400, (), generator=generator))
        counts.append((int(torch.randint(0, trials + 1, (), generator=generator)), trials))
    for successes, trials in counts:
        interval = wilson_interval(successes, trials)
        check_answered(interval, "wilson_interval")
        check_shape(torch.as_tensor(interval), (2,), "return the pair (low, high).")
        confidence = 1 - 2 * norm.sf(1.96)
        oracle = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        check_close(interval[0], float(oracle.low), "the lower bound is off.")
        check_close(interval[1], float(oracle.high), "the upper bound is off.")


def test_wilson_interval_uses_z(wilson_interval):
    """A larger z gives the wider interval that belongs to it."""
    import torch
    from scipy.stats import binomtest, norm

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    for z in (0.5 + 2.5 * torch.rand(5, generator=fresh_generator())).tolist():
        interval = wilson_interval(7, 20, z)
        check_answered(interval, "wilson_interval")
        check_shape(torch.as_tensor(interval), (2,), "return the pair (low, high).")
        oracle = binomtest(7, 20).proportion_ci(1 - 2 * norm.sf(z), method="wilson")
        check_close(interval[0], float(oracle.low), "the lower bound is off where z is not 1.96.")
        check_close(interval[1], float(oracle.high), "the upper bound is off where z is not 1.96.")


# %% tags=["wrong"]
def wilson_interval__is_the_wald_interval(successes, trials, z=1.96):
    """This is the interval p ± z·sqrt(p(1 − p)/n), which has width zero at 0 successes."""
    rate = successes / trials
    spread = z * math.sqrt(rate * (1 - rate) / trials)
    return rate - spread, rate + spread


def wilson_interval__forgets_the_denominator(successes, trials, z=1.96):
    """The division by 1 + z²/n is missing."""
    rate = successes / trials
    centre = rate + z**2 / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return centre - spread, centre + spread


def wilson_interval__forgets_the_shift(successes, trials, z=1.96):
    """The centre is missing its shift towards one half, z²/(2n)."""
    rate, shrink = successes / trials, 1 + z**2 / trials
    spread = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return (rate - spread) / shrink, (rate + spread) / shrink


def wilson_interval__ignores_z(successes, trials, z=1.96):
    """z is fixed at 1.96: use the argument."""
    return _wilson_with(successes, trials, 1.96)


def wilson_interval__divides_by_four_n(successes, trials, z=1.96):
    """Under the root stands z²/(4n²), with n squared."""
    rate, shrink = successes / trials, 1 + z**2 / trials
    spread = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials))
    centre = rate + z**2 / (2 * trials)
    return (centre - spread) / shrink, (centre + spread) / shrink


def wilson_interval__returns_centre_and_half_width(successes, trials, z=1.96):
    """This returns the centre and half the width: return the bounds, low and high."""
    low, high = _wilson_with(successes, trials, z)
    return (low + high) / 2, (high - low) / 2


def _wilson_with(successes, trials, z):
    rate, shrink = successes / trials, 1 + z**2 / trials
    spread = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    centre = rate + z**2 / (2 * trials)
    return (centre - spread) / shrink, (centre + spread) / shrink


# %% tags=["right"]
def wilson_interval__by_the_quadratic_equation(successes, trials, z=1.96):
    rate = successes / trials
    a, b, c = 1 + z**2 / trials, -(2 * rate + z**2 / trials), rate**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def wilson_interval__by_counts(successes, trials, z=1.96):
    failures = trials - successes
    centre = (successes + z * z / 2) / (trials + z * z)
    half = z / (trials + z * z) * (successes * failures / trials + z * z / 4) ** 0.5
    return centre - half, centre + half


def wilson_interval__with_tensors(successes, trials, z=1.96):
    rate = torch.tensor(successes / trials)
    half = z * torch.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    centre = rate + z**2 / (2 * trials)
    return torch.stack([centre - half, centre + half]) / (1 + z**2 / trials)


# %% [markdown]
# Before you run the next cells, write down what you expect. The drivers swerve at about 0.7 m/s to
# their side.
# What will the regression policy command in front of the obstacle? What will happen then?
#
# Then two more guesses. What if the network had 16 times as many parameters? What if only one of the
# two drivers had given demonstrations?

# %%
SEEDS = range(3)
SETTINGS = TrainingSettings(steps=1500, batch_size=128)


def clone(make_policy, demonstrations, name):
    """Train one policy for every seed, and return the actors that play them."""
    actors = []
    for seed in SEEDS:
        description = f"{name}, seed {seed}"
        run = train(make_policy(seed), demonstrations, SETTINGS, seed, device, description)
        if run.interrupted:
            raise KeyboardInterrupt("training was stopped: run this cell again to train anew")
        actors.append(ChunkPlayer(run.policy, *run.normalizers))
    return actors


def drive(actors, task, episodes=100):
    """Let every actor drive from fresh starts."""
    generators = [torch.Generator(device).manual_seed(1000 + seed) for seed in SEEDS]
    pairs = zip(actors, generators, strict=True)
    return [evaluate(task, actor, generator, episodes) for actor, generator in pairs]


# %% tags=["train"]
small, large = Regression(seed=0), Regression(seed=0, width=273)
print(f"{count_parameters(small):,} parameters against {count_parameters(large):,}")
regression = clone(Regression, demonstrations, "regression")
larger = clone(lambda seed: Regression(seed, width=273), demonstrations, "16 times larger")
unimodal = clone(Regression, one_driver, "one driver")
results = {
    "regression": drive(regression, task),
    "16 times larger": drive(larger, task),
    "one driver's data": drive(unimodal, task),
}

# %% tags=["train"]
figure, panels = plt.subplots(1, 3, figsize=(11, 2.9), sharey=True)
for axes, (name, evaluations) in zip(panels, results.items(), strict=True):
    plot_rollouts(axes, task, evaluations[0].rollouts).set_title(
        f"{name}: {evaluations[0].success}"
    )
show(
    figure,
    alt="Three roads. Regression and the larger network drive straight into the obstacle. The policy "
    "trained on one driver's data passes it on the left every time.",
    caption="The same loss and the same road. What differs is the network's size and whose data it saw.",
)

# %% [markdown]
# The regression policy drives into the obstacle. It commands what it was asked for, the conditional
# mean, and the mean of a swerve to the left and a swerve to the right is straight ahead. Its success
# rate stays below 5 %.
#
# The larger network does so too. Its training loss is a little lower; its driving is no better.
# It can represent more functions of the observation. But it still answers with *one action* for
# each observation, and there is no good one to answer with. **The expressivity of the network is not
# the expressivity of the distribution.**
#
# And with one driver's data the very same network drives above 95 %. So neither the network nor the
# loss is at fault alone. It takes data with two modes *and* a policy with one.

# %% [markdown]
# ## A wider guess
#
# A policy should be a distribution. That is the lecture's version 1: make the expert's actions
# probable under the policy,
#
# $$
# \min_\theta \; - \mathbb{E}_{(o, a) \sim \mathcal{D}} \left[ \log \pi_\theta(a \mid o) \right].
# $$
#
# The simplest distribution for continuous actions is a Gaussian. Let the network predict a mean
# $\mu$ and a standard deviation $\sigma$ for every action dimension. Then
#
# $$
# \log \mathcal{N}(a; \mu, \sigma) = \sum_{d} \left[
# -\frac{(a_d - \mu_d)^2}{2 \sigma_d^2} - \log \sigma_d - \tfrac12 \log 2\pi \right].
# $$
#
# With $\sigma$ fixed at one this is half the squared error again, plus a constant, with the sign turned
# round. What is new is that the policy can say how sure it is. The network predicts $\log \sigma$, so
# that $\sigma$ is positive whatever comes out.

# %% [markdown] question="gaussian_log_prob" points=[1, 3, 2]
# ### Question 1.5 · Log-probability
#
# Write `gaussian_log_prob(mean, log_std, actions)`. All three are `(batch, action_dim)`. Return
# `(batch,)`: one log-probability for each action, summed over its dimensions.
#
# Stay in logarithms. The density itself underflows to zero for an action far from the mean.


# %% tags=["solution"]
def gaussian_log_prob(mean, log_std, actions):
    """Return the log density of `actions` under a diagonal Gaussian, summed over dimensions."""
    # BEGIN SOLUTION
    standardised = (actions - mean) * torch.exp(-log_std)
    log_density = -0.5 * standardised**2 - log_std - 0.5 * math.log(2 * math.pi)
    return log_density.sum(dim=1)
    # END SOLUTION


# %% tags=["public"]
def test_gaussian_log_prob_at_its_mean(gaussian_log_prob):
    """At its mean, a Gaussian with σ = 2 in two dimensions has density 1/(8π)."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    mean, log_std = torch.ones(4, 2), torch.full((4, 2), math.log(2))
    log_prob = gaussian_log_prob(mean, log_std, mean)
    check_answered(log_prob, "gaussian_log_prob")
    check_shape(log_prob, (4,), "sum over the action dimensions, and keep the batch.")
    expected = [-math.log(8 * math.pi)] * 4
    check_close(log_prob, expected, "sum the formula over both dimensions, its constant too.")


# %% tags=["hidden"]
def test_gaussian_log_prob_agrees_with_torch(gaussian_log_prob):
    """The log-probabilities agree with torch.distributions, close to the mean and far from it."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, distance in [(7, 3, 1.0), (1, 1, 2.0), (5, 2, 60.0)]:
        mean, noise = torch.randn(2, batch, action_dim, generator=generator)
        log_std = 7 * torch.rand(batch, action_dim, generator=generator) - 5
        actions = mean + distance * log_std.exp() * noise
        log_prob = gaussian_log_prob(mean, log_std, actions)
        check_answered(log_prob, "gaussian_log_prob")
        oracle = torch.distributions.Normal(mean.double(), log_std.double().exp())
        expected = oracle.log_prob(actions.double()).sum(dim=1)
        check_close(
            log_prob,
            expected,
            "compare your terms with the formula, one by one.",
            rtol=1e-3,
            atol=1e-3,
        )


def test_gaussian_log_prob_has_a_gradient(gaussian_log_prob):
    """The gradient with respect to mean and log_std is the closed form's."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    mean, log_std, actions = torch.randn(3, 6, 2, generator=fresh_generator())
    mean.requires_grad_()
    log_std.requires_grad_()
    log_prob = gaussian_log_prob(mean, log_std, actions)
    check_answered(log_prob, "gaussian_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches mean and log_std: do not detach."
    )
    log_prob.sum().backward()
    error = (actions - mean).detach()
    variance = (2 * log_std).exp().detach()
    check_close(
        mean.grad, error / variance, "the gradient with respect to the mean is off.", rtol=1e-3
    )
    check_close(
        log_std.grad,
        error**2 / variance - 1,
        "the gradient with respect to log_std is off.",
        rtol=1e-3,
        atol=1e-4,
    )


# %% tags=["wrong"]
def gaussian_log_prob__forgets_the_log_std(mean, log_std, actions):
    """The term −log σ is missing: a wide Gaussian would cost nothing."""
    standardised = (actions - mean) * torch.exp(-log_std)
    return (-0.5 * standardised**2 - 0.5 * math.log(2 * math.pi)).sum(dim=1)


def gaussian_log_prob__forgets_the_constant(mean, log_std, actions):
    """The constant −½ log 2π of every dimension is missing, so the density does not integrate to one."""
    return (-0.5 * ((actions - mean) * torch.exp(-log_std)) ** 2 - log_std).sum(dim=1)


def gaussian_log_prob__takes_log_std_for_std(mean, log_std, actions):
    """log_std is used as if it were σ itself: take its exponential."""
    std = log_std.abs() + 1e-6
    return torch.distributions.Normal(mean, std).log_prob(actions).sum(dim=1)


def gaussian_log_prob__takes_log_std_for_log_variance(mean, log_std, actions):
    """log_std is used as the logarithm of the variance: σ² is exp(2 · log_std)."""
    variance = torch.exp(log_std)
    return (
        -0.5 * (actions - mean) ** 2 / variance - 0.5 * log_std - 0.5 * math.log(2 * math.pi)
    ).sum(dim=1)


def gaussian_log_prob__averages_over_dimensions(mean, log_std, actions):
    """Independent dimensions multiply, so their logarithms are summed, not averaged."""
    return torch.distributions.Normal(mean, log_std.exp()).log_prob(actions).mean(dim=1)


def gaussian_log_prob__keeps_the_dimensions(mean, log_std, actions):
    """One number for each dimension is left: sum over them."""
    return torch.distributions.Normal(mean, log_std.exp()).log_prob(actions)


def gaussian_log_prob__goes_through_the_density(mean, log_std, actions):
    """The logarithm of the density: far from the mean the density underflows to 0 and its logarithm is −∞."""
    std = torch.exp(log_std)
    density = torch.exp(-0.5 * ((actions - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    return torch.log(density.prod(dim=1))


def gaussian_log_prob__returns_the_loss(mean, log_std, actions):
    """This is the negative log-probability: the sign is the wrong way round."""
    return -torch.distributions.Normal(mean, log_std.exp()).log_prob(actions).sum(dim=1)


# %% tags=["right"]
def gaussian_log_prob__by_torch(mean, log_std, actions):
    normal = torch.distributions.Normal(mean, log_std.exp())
    return torch.distributions.Independent(normal, 1).log_prob(actions)


def gaussian_log_prob__by_a_covariance_matrix(mean, log_std, actions):
    scale = torch.diag_embed(log_std.double().exp())
    return torch.distributions.MultivariateNormal(mean.double(), scale_tril=scale).log_prob(
        actions.double()
    )


def gaussian_log_prob__by_loops(mean, log_std, actions):
    rows = []
    for m, s, a in zip(mean, log_std, actions, strict=True):
        terms = [-((a[d] - m[d]) ** 2) / (2 * torch.exp(2 * s[d])) - s[d] for d in range(len(a))]
        rows.append(sum(terms) - len(a) / 2 * math.log(2 * math.pi))
    return torch.stack(rows)


def gaussian_log_prob__by_einsum(mean, log_std, actions):
    precision = torch.exp(-2 * log_std)
    mahalanobis = torch.einsum("bd,bd,bd->b", actions - mean, precision, actions - mean)
    return -0.5 * (mahalanobis + mean.shape[1] * math.log(2 * math.pi)) - log_std.sum(-1)


# %% [markdown] question="gaussian_sample" points=[1, 2, 1, 1]
# ### Question 1.6 · Sampling
#
# Write `gaussian_sample(mean, log_std, generator)`. Both tensors are `(batch, action_dim)`. Return
# one sample for every row, with the same shape.
#
# Draw the noise from `generator`, so that a seed reproduces the sample:
# `torch.randn(shape, generator=generator, device=mean.device)`. Every number of every row needs noise
# of its own.


# %% tags=["solution"]
def gaussian_sample(mean, log_std, generator):
    """Draw one action for every row from a diagonal Gaussian."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)  # SOLUTION
    return mean + torch.exp(log_std) * noise  # SOLUTION


# %% tags=["public"]
def test_gaussian_sample_follows_its_seed(gaussian_sample):
    """The same seed gives the same sample, another seed another one."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    mean, log_std = torch.full((5, 2), 100.0), torch.zeros(5, 2)
    first, again, other = (
        gaussian_sample(mean, log_std, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    check_answered(first, "gaussian_sample")
    check_shape(first, (5, 2), "one sample for every row, of the same shape as the mean.")
    away = (torch.as_tensor(first) - 100).abs().max()
    assert away < 20, "with mean 100 and σ = 1, samples should lie around 100."
    check_close(
        again, first.tolist(), "the same seed gave another sample: pass `generator` to torch.randn."
    )
    different = (torch.as_tensor(other) - torch.as_tensor(first)).abs().max() > 1e-3
    assert different, (
        "two seeds gave the same sample: draw noise from the generator, and do not seed it yourself."
    )


# %% tags=["hidden"]
def test_gaussian_sample_follows_its_rows_distribution(gaussian_sample):
    """Every row's sample has that row's mean and standard deviation, and a Gaussian's shape."""
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    count = 20_000
    mean, log_std = torch.randn(2, count, 2, generator=fresh_generator())
    samples = gaussian_sample(mean, log_std, fresh_generator())
    check_answered(samples, "gaussian_sample")
    check_shape(samples, (count, 2), "one sample for every row, of the same shape as the mean.")
    standardised = (torch.as_tensor(samples).double() - mean) / log_std.double().exp()
    # Six standard errors each: a right answer fails less than once in 10^8 gradings.
    far = standardised.mean(dim=0).abs().max() * count**0.5
    assert far < 6, "the samples do not lie around their own rows' means."
    wide = (standardised.square().mean(dim=0) - 1).abs().max() * (count / 2) ** 0.5
    assert wide < 6, "the samples' standard deviation is not their own rows' exp(log_std)."
    # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
    assert kstest(standardised.flatten().numpy(), "norm").pvalue > 1e-9, (
        "the noise is not Gaussian."
    )


def test_gaussian_sample_draws_from_the_generator(gaussian_sample):
    """The generator decides the sample: equal seeds repeat it, and other seeds do not."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    mean, log_std = torch.randn(2, 7, 3, generator=fresh_generator())
    seed = fresh_generator().initial_seed()
    samples = [
        gaussian_sample(mean, log_std, torch.Generator().manual_seed(s))
        for s in (seed, seed, seed + 1)
    ]
    for sample in samples:
        check_answered(sample, "gaussian_sample")
        check_shape(sample, mean.shape, "one sample for every row, of the same shape as the mean.")
    first, again, other = (torch.as_tensor(sample).double() for sample in samples)
    check_close(again, first, "the same seed gave another sample: draw the noise from `generator`.")
    assert (other - first).abs().max() > 1e-3, (
        "another seed gave the same sample: do not seed it yourself."
    )


def test_gaussian_sample_draws_noise_for_every_number(gaussian_sample):
    """Rows and dimensions have noise of their own, and the next call draws anew."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 4_000
    zeros = torch.zeros(count, 3)
    calls = [gaussian_sample(zeros, zeros, generator) for _ in range(2)]
    for samples in calls:
        check_answered(samples, "gaussian_sample")
        check_shape(samples, (count, 3), "one sample for every row, of the same shape as the mean.")
    first, second = (torch.as_tensor(samples).double() for samples in calls)
    assert first.std(dim=0).min() > 0.1, (
        "all rows share their noise: draw a number for every entry."
    )
    first, second = first - first.mean(dim=0), second - second.mean(dim=0)
    pairs = {
        "the dimensions of a row share their noise": (first[:, 0], first[:, 1]),
        "neighbouring rows share their noise": (first[1:, 2], first[:-1, 2]),
        "two calls with one generator share their noise": (first[:, 0], second[:, 0]),
    }
    for fault, (one, two) in pairs.items():
        # Independent normals: the mean product has standard error 1/sqrt(count).
        assert (one * two).mean().abs() * count**0.5 < 6, f"{fault}: draw a number for every entry."


# %% tags=["wrong"]
def gaussian_sample__takes_log_std_for_std(mean, log_std, generator):
    """The noise is scaled by log_std itself: take its exponential."""
    return mean + log_std * torch.randn(mean.shape, generator=generator)


def gaussian_sample__takes_log_std_for_log_variance(mean, log_std, generator):
    """The noise is scaled by exp(log_std / 2): log_std is not the logarithm of the variance."""
    return mean + torch.exp(log_std / 2) * torch.randn(mean.shape, generator=generator)


def gaussian_sample__scales_by_the_variance(mean, log_std, generator):
    """The noise is scaled by the variance: scale it by the standard deviation."""
    return mean + torch.exp(2 * log_std) * torch.randn(mean.shape, generator=generator)


def gaussian_sample__shares_noise_between_rows(mean, log_std, generator):
    """All rows share one draw: every row needs noise of its own."""
    return mean + torch.exp(log_std) * torch.randn(mean.shape[1], generator=generator)


def gaussian_sample__shares_noise_between_dimensions(mean, log_std, generator):
    """The dimensions of a row share one draw: each needs noise of its own."""
    return mean + torch.exp(log_std) * torch.randn(len(mean), 1, generator=generator)


def gaussian_sample__uses_the_first_row(mean, log_std, generator):
    """The first row's mean and width serve for all rows: every row has its own."""
    return mean[0] + torch.exp(log_std[0]) * torch.randn(mean.shape, generator=generator)


def gaussian_sample__draws_laplace_noise(mean, log_std, generator):
    """The noise has the right width but another shape than a Gaussian's."""
    uniform = torch.rand(mean.shape, generator=generator) - 0.5
    laplace = -uniform.sign() * torch.log1p(-2 * uniform.abs().clamp(max=0.4999999)) / math.sqrt(2)
    return mean + torch.exp(log_std) * laplace


def gaussian_sample__returns_the_mean(mean, log_std, generator):
    """This returns the mean: a sample needs noise."""
    return mean + 0 * torch.exp(log_std)


def gaussian_sample__ignores_the_generator(mean, log_std, generator):
    """The noise comes from the global seed: draw it from the generator."""
    return torch.normal(mean, torch.exp(log_std))


def gaussian_sample__seeds_the_generator(mean, log_std, generator):
    """The generator is seeded anew at every call, so every call returns the same noise."""
    generator.manual_seed(0)
    return mean + torch.exp(log_std) * torch.randn(mean.shape, generator=generator)


def gaussian_sample__draws_uniform_noise(mean, log_std, generator):
    """torch.rand draws uniform noise between 0 and 1: the Gaussian's is torch.randn."""
    return mean + torch.exp(log_std) * torch.rand(mean.shape, generator=generator)


# %% tags=["right"]
def gaussian_sample__by_torch_normal(mean, log_std, generator):
    return torch.normal(mean, log_std.exp(), generator=generator)


def gaussian_sample__in_float64(mean, log_std, generator):
    noise = torch.empty(mean.shape, dtype=torch.float64).normal_(generator=generator)
    return torch.addcmul(mean.double(), log_std.double().exp(), noise)


def gaussian_sample__column_by_column(mean, log_std, generator):
    columns = []
    for dimension in range(mean.shape[1]):
        noise = torch.randn(len(mean), generator=generator)
        columns.append(mean[:, dimension] + log_std[:, dimension].exp() * noise)
    return torch.stack(columns, dim=1)


def gaussian_sample__by_box_and_muller(mean, log_std, generator):
    first = torch.rand(mean.shape, generator=generator, dtype=torch.float64)
    second = torch.rand(mean.shape, generator=generator, dtype=torch.float64)
    noise = torch.sqrt(-2 * torch.log1p(-first)) * torch.cos(2 * math.pi * second)
    return (mean + log_std.exp() * noise).float()


# %% [markdown]
# Put the two together and you have a stochastic policy. This one can also predict a **chunk**: the
# next few actions at once, played to the end before it looks again. Real systems do so to gain time
# for inference, and because it often works better. Notebook 6 is about that.
#
# Guess first: will the Gaussian do better than regression? And with chunks of eight?


# %%
class Gaussian(Policy):
    """A network that predicts mean and log_std of a chunk, trained with your `gaussian_log_prob`."""

    def __init__(self, seed, prediction_horizon=1, width=64):
        super().__init__(8, 2, prediction_horizon)
        generator = torch.Generator().manual_seed(seed)
        self.network = MLP(8, 2 * self.chunk_dim, width, generator=generator)

    def mean_and_log_std(self, observations):
        mean, log_std = self.network(observations).chunk(2, dim=1)
        return mean, log_std.clamp(-5, 2)

    def loss(self, observations, actions, generator=None):
        log_prob = gaussian_log_prob(*self.mean_and_log_std(observations), actions.flatten(1))
        check_answered(log_prob, "gaussian_log_prob")
        return -log_prob.mean()

    def sample(self, observations, generator=None):
        chunks = gaussian_sample(*self.mean_and_log_std(observations), generator)
        check_answered(chunks, "gaussian_sample")
        return chunks.unflatten(1, (self.prediction_horizon, self.action_dim))


# %% tags=["train"]
gaussian = clone(Gaussian, demonstrations, "Gaussian")
chunked = clone(
    lambda seed: Gaussian(seed, prediction_horizon=8), demonstrations, "Gaussian, chunks of 8"
)
results["Gaussian"] = drive(gaussian, task)
results["Gaussian, chunks of 8"] = drive(chunked, task)

# %% tags=["train"]
looks = {
    "regression": "regression",
    "16 times larger": "regression",
    "one driver's data": "regression",
}
rates = {name: pool(evaluations) for name, evaluations in results.items()}
figure, axes = plt.subplots(figsize=(6.4, 2.6))
plot_success_rates(
    axes,
    rates,
    intervals=[wilson_interval(rate.successes, rate.trials) for rate in rates.values()],
    looks=[POLICY_LOOKS[looks.get(name, "gaussian")] for name in rates],
)
show(
    figure,
    alt="Success rates with intervals. Regression and the larger network are near zero, one driver's "
    "data near 100 per cent, the Gaussian at about one half, the Gaussian with chunks below a quarter.",
    caption="Three seeds with 100 episodes each. The intervals are yours.",
)

# %% [markdown]
# With one action a step the Gaussian reaches the goal in about half of the episodes. With chunks of
# eight it crashes in more than three cases of four. Both saw the same data. Why? Look at what they
# sample where the drivers chose their side.

# %% tags=["train"]
observations = demonstrations.observations[deciding].to(device)
generator = torch.Generator(device).manual_seed(0)
for name, actor in [("regression", regression[0]), ("gaussian", gaussian[0])]:
    actor.reset(torch.ones(len(observations), dtype=torch.bool))
    commands[name] = actor.act(observations, generator)[:, 1]

starts = chunked[0].observation_normalizer.normalize(observations)
sampled = chunked[0].action_normalizer.denormalize(chunked[0].policy.sample(starts, generator))
driven = demonstrations.chunks(8)[deciding]

# %% tags=["train"]
figure, (histogram, experts, guesses) = plt.subplots(1, 3, figsize=(11, 3.0))
plot_commands(histogram, commands).set_title("One action, where the drivers choose")
plot_chunks(experts, task, driven, "expert").set_title("Eight chunks that drivers drove")
plot_chunks(guesses, task, sampled, "gaussian").set_title("Eight chunks that the Gaussian samples")
show(
    figure,
    alt="Left: the drivers' commands form two peaks, the regression's one peak at zero, the Gaussian's "
    "a broad hill over everything. Middle: drivers' chunks stay on one side. Right: the Gaussian's "
    "chunks jump from side to side.",
    caption="A driver's chunk keeps to one side. The Gaussian's has no memory of the side it chose.",
)

# %% [markdown]
# The Gaussian cannot put its mass on two peaks. It widens until it covers both, and everything
# between.
#
# **With one action a step, its own noise saves it.** The first accidental push moves the vehicle a
# little to one side. The next observation shows that, and in the data everybody who was a little to
# the left went left. So the next mean leans left too. Noise breaks the tie, feedback makes it stick.
#
# **A chunk is drawn before the vehicle looks again.** Its eight actions are independent of each other
# given the observation. One says left, the next says right, and together they say straight ahead.
# The decision needs to be made *once, for all eight*, and a Gaussian with independent dimensions
# has no way to say that.

# %% [markdown]
# ## Is it ever luck?
#
# If noise breaks ties, then any noise should do. Take the regression policies that you have trained,
# change nothing about them, and let the wind blow: a random kick to the velocity at every step.
# Will they drive better or worse?

# %% tags=["train"]
winds = [0.0, 0.05, 0.1, 0.2]
windy = {f"wind of {wind} m/s": pool(drive(regression, Fork(process_noise=wind))) for wind in winds}
figure, axes = plt.subplots(figsize=(6.4, 2.2))
plot_success_rates(
    axes,
    windy,
    intervals=[wilson_interval(rate.successes, rate.trials) for rate in windy.values()],
    looks=[POLICY_LOOKS["regression"]] * len(windy),
)
show(
    figure,
    alt="Success rates of the same regression policies: near zero in still air, between a quarter and "
    "a half in wind.",
    caption="The same policies, on a windy road.",
)

# %% [markdown]
# In still air they crash. In a wind of 0.1 m/s they reach the goal more than a third of the time.
# The wind did not make them better drivers. It pushed them off the middle, and from there the
# conditional mean is a sensible action. In most other episodes it pushed too late.
#
# So regression on multimodal data is not always fatal. Feedback and noise can hide the fault. You
# would not want to depend on it.

# %% [markdown] question="larger_network" points=[]
# ### Question 1.7 · In your own words
#
# The lecture asks: *how are the policies that come next (mixtures, autoregression, diffusion)
# different from an L2 loss with a larger network?* Answer in three or four sentences.

# %% [markdown] tags=["solution"]
# A larger network can fit more complicated functions of the observation, but a network trained
# with the L2 loss still returns one action for each observation: the conditional mean. The policies that
# come next return a *distribution* over actions, and that distribution may have several modes. So the
# difference lies in what the output means and which loss trains it, not in how many parameters
# compute it. The experiment shows it: with 16 times the parameters, regression still drives into the
# obstacle, because the function that it fits better and better is the wrong one.

# %% [markdown] question="luck" points=[]
# ### Question 1.8 · When does the mean get away with it?
#
# Name two situations in which regression on data from several drivers works after all. Is that luck?

# %% [markdown] tags=["solution"]
# It works when the modes are so close together that their mean is a good action too, or when something in
# the observation tells the modes apart, so that the conditional distribution has one mode. It can also work
# by accident: where the policy acts at every step, noise or wind pushes the vehicle off the tie, the next
# observation is no longer symmetric, and the conditional mean there leans to one side. The first two
# are properties of the data and can be checked beforehand. The last one is luck: it depends on noise
# that nobody designed and on enough room to make use of it.

# %% [markdown]
# ## What you have seen
#
# - The squared error asks for the conditional mean. With two modes the mean can be the one action
#   that nobody took.
# - A larger network computes the wrong answer more precisely. *Network* expressivity is not
#   *distribution* expressivity.
# - A Gaussian can be wide, but it cannot be two-sided. Drawn for a whole chunk at once, it cannot make
#   up its mind.
# - Feedback and noise can hide the fault. That is no reason to leave it in.
# - A success rate carries its count and its interval.
#
# What we need is a distribution that can hold several modes. The next notebooks build four of them:
# categorical, mixture, autoregressive, flow.
#
# ## Stretch goals
#
# These are not graded.
#
# 1. **Half a commitment.** Give one driver 70 % of the demonstrations. Does regression now go that
#    driver's way? At which share does it stop crashing?
# 2. **Unpaired starts.** Let each driver drive from starts of their own. Does regression
#    do better now? What in the observations could let it choose?
# 3. **A full covariance.** Let the Gaussian predict a Cholesky factor for the chunk instead of eight
#    separate widths. Can it now commit to one side? Can it represent two?
#
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning. The lecture that this
#   course follows.
# - Pomerleau, *ALVINN: an autonomous land vehicle in a neural network*, NIPS 1988. Behaviour cloning
#   of a driver, and its troubles, long ago.
# - Bishop, *Mixture density networks*, 1994. Why the mean of a multivalued function is not one of its
#   values.
# - Florence et al., *Implicit behavioral cloning*, CoRL 2021, arXiv:2109.00137. What regression does
#   at discontinuities, on robots.
# - Zhao et al., *Learning fine-grained bimanual manipulation with low-cost hardware*, RSS 2023,
#   arXiv:2304.13705. Chunks of actions.
# - Wilson, *Probable inference, the law of succession, and statistical inference*, JASA 22, 1927.
