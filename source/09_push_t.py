# ---
# jupyter:
#   imitation_lab:
#     title: 'Capstone: Push-T'
#     answers: []
#     packs: [my_policy.safetensors]
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Capstone: Push-T
#
# For eight notebooks, the road, the obstacle and the experts were made by this course. They were made so that one effect at a time could be seen. A fair question is what is left of all this when
# somebody else sets the task.
#
# So here is one that nobody here wrote: **Push-T**, from the Diffusion Policy paper (Chi and others, 2023), as it comes in the package `gym-pusht`. A round finger pushes a T over a table, until
# it covers a T painted there. The package brings its own physics, its own measure of success and its own pictures. Many papers and several courses use it, so there are numbers to compare with.
#
# You will go the whole way: look at demonstrations, put them in order, compare four classes of policies honestly, look for what helps and what hurts, and hand in a policy of your own.
#
# **When you have finished it, you can**
#
# - normalise data without letting what is held out leak in;
# - say in which coordinates actions are easiest to learn, and why;
# - compare policies from the same starts, and say what that buys;
# - trade success against the time that a decision takes;
# - show a policy that sees more and does worse;
# - measure whether a policy keeps its demonstrator's variety;
# - read other people's numbers, and say which of them may stand beside yours.
#
# You need notebooks 1 (intervals, the mean of two drivers), 5 (flow matching) and 6 (chunks). Notebook 7 helps, and the stretch goal needs it. The experiments take about two minutes on a laptop. They need
# Python 3.11 to 3.13, and packages that the other notebooks do not:
#
# ```bash
# python3 course.py setup --capstone
# ```
#
# Time: about three and a half hours.

# %%
import math
import os
import sys
from dataclasses import replace
from time import perf_counter

import torch
from matplotlib import pyplot as plt
from tqdm import tqdm

from imitation_lab.networks import count_parameters
from imitation_lab.plots import POLICY_LOOKS, plot_success_rates, show, use_course_style
from imitation_lab.plots.pusht import (
    film,
    plot_against,
    plot_choices,
    plot_coverage,
    plot_differences,
    plot_paths,
)
from imitation_lab.pusht.encoding import enlarge, stack_frames
from imitation_lab.pusht.environment import RATE, drive, first_side, make_environment
from imitation_lab.pusht.geometry import error_to_goal
from imitation_lab.pusht.policy import save_policy
from imitation_lab.pusht.recipe import KINDS, Recipe, main_recipe
from imitation_lab.pusht.record import recorded_pusht
from imitation_lab.pusht.shipped import shipped_demonstrations, shipped_policy
from imitation_lab.pusht.training import train_policy
from imitation_lab.testing import check_answered
from imitation_lab.training.settings import FAST

use_course_style()


def answered(value, name):
    """Return what your function returned, or say that its answer is still missing."""
    check_answered(value, name)
    return value


def seeded(seed):
    """Return a source of random numbers that begins at a seed."""
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## A task that nobody here wrote
#
# First the data sheet, as its authors have it.
#
# | | |
# |---|---|
# | observation | $x$, $y$ of the agent, which is the round finger; $x$, $y$ of the T; the T's angle. Pixels on a table of 512 × 512 ($y$ points down), and radians in $[0, 2\pi)$ |
# | action | $(x, y)$: the **target position** of the agent, in pixels. A PD controller takes it there: its acceleration is 100 times the way that is left, minus 20 times its velocity |
# | time | ten actions a second, a hundred steps of physics |
# | coverage | the share of the goal's area that the T covers |
# | success | coverage above 95 % at some moment within 300 steps, that is, 30 s; then the episode ends |
# | start | agent and T anywhere, at any angle, by the seed |
#
# What is new, compared with our roads? Guess before you read on.
#
# - **Contact.** Until the finger touches the T, nothing happens at all. Then everything does: the T turns about where it is pushed, and slips off. A pixel to the side, and it turns the other way.
# - **Precision.** 95 % of the area: on a table of 512 pixels, a T that is two pixels too far to the right is no success, nor is one that is turned by two degrees too many.
# - **Length.** An obstacle is passed once. Here two to ten pushes follow each other, and between them the finger walks around the T. Every one of them can go wrong, and then has to be made good.
# - **Other people's software.** It works only with `pymunk` below version 7, so the course pins that. Its documentation says that the reward is the coverage; the code says coverage divided by 0.95, at most 1.
#   And it warns that `reset_to_state` sets another state than the one that you ask for, *for legacy compatibility*. So read, test, and never rely on names. We use its seeds to start episodes, and no states.
#
# Who demonstrates? A planner. It has a copy of the physics, tries a few hundred short pushes in it, takes the one that brings the T nearest to its goal, walks there and pushes; then it plans again. It
# sees what a policy will see: five numbers.

# %% tags=["train"]
# Here and not above, since they need gym-pusht, and graders do without it.
from imitation_lab.pusht.demonstrations import FIRST_START, Stumbles
from imitation_lab.pusht.planner import PushPlanner

planned = drive(PushPlanner(), [1004], seeded(0))
print(
    f"covered {100 * planned.coverage[0]:.1f} % of the goal after "
    f"{len(planned.trajectories[0]) / RATE:.1f} s"
)
film(
    {"planner": planned.trajectories[0]},
    alt="The planner's finger walks around a grey T and pushes it from several sides, until it covers the green T painted on the table.",
    caption="Press play: three times as fast as it was. The red cross is the action: where the finger is sent. Below, six moments of it.",
)

# %% [markdown]
# ## The demonstrations
#
# The planner was given each of 500 starts twice, and its successes were kept. Once it preferred to push from the *left* of the T (hold it like the letter, its stem towards you), and once from the *right*.
# Where the other side is much better it gives way. So the data have **two styles**, as the road of notebook 1 had two drivers; and as people have many.
#
# `assets/pusht/README.md` is the data's card: how it was made, under which licence, from which seeds, what is known to be wrong with it. Read it before you train on anything. Then check it.


# %%
def both_styles(demonstrations):
    """Return the pairs of episodes that begin at the same start."""
    by_start = {}
    for trajectory in demonstrations.trajectories:
        start = tuple(trajectory.observations[0].tolist())
        by_start.setdefault(start, []).append(trajectory)
    return [pair for pair in by_start.values() if len(pair) == 2]


def differ(pair):
    """Tell whether two episodes push from different sides first."""
    return {first_side(trajectory) for trajectory in pair} == {"left", "right"}


# %% tags=["train"]
demonstrations = shipped_demonstrations()
pairs = both_styles(demonstrations)
contested = [pair for pair in pairs if differ(pair)]
lengths = torch.tensor([len(trajectory) for trajectory in demonstrations.trajectories]) / RATE
print(f"{len(demonstrations)} episodes, {demonstrations.num_actions:,} actions")
print(f"seconds per episode: median {lengths.median():.1f}, longest {lengths.max():.1f}")
print(f"{len(pairs)} starts in both styles; from {len(contested)} the first push differs in side")
figure, panels = plt.subplots(1, 3, figsize=(11, 4.3))
for axes, index in zip(panels, (10, 28, 56), strict=True):
    plot_paths(axes, contested[index], moments=25)
    axes.label_outer()
show(
    figure,
    alt="Three tables from above. On each, two paths leave the same point and go around the T on different sides before they push it.",
    caption="Three starts, both styles: the first two and a half seconds of the finger's path. The T stands where it stood first; green is the goal.",
)

# %% [markdown]
# That is what multimodality is here: from about half of the starts there are two first pushes that have nothing to do with each other. What does the squared error make of them? The mean of two walks around
# the T is a walk into it.
#
# Not every episode is two-sided, and not at every moment. In the middle of a push there is one thing to do.
#
# And one thing more is in the data. The planner's hand **slips**: with a chance of 2 % at every step the finger is sent somewhere else for three steps. What is recorded is where it *should* have gone. So the
# data show states that nobody wanted to be in, and what to do there: notebook 7's noise injection, cheap and before any rollout. Below the hand slips three times as often.


# %%
def with_slips(planner, slips, start):
    """Let a planner push with a hand that slips; return the episode, and how far off its hand was."""
    off = []

    def slip(actions):
        executed = slips(actions)
        off.append(float((executed - actions).norm()))
        return executed

    return drive(planner, [start], seeded(0), disturb=slip).trajectories[0], torch.tensor(off)


# %% tags=["train"]
slipping, off = with_slips(PushPlanner("left"), Stumbles(seeded(2), rate=0.06), 1001)
left_to_do = error_to_goal(slipping.observations).norm(dim=1)
seconds = torch.arange(len(off)) / RATE
figure, axes = plt.subplots(figsize=(8, 3))
axes.bar(seconds, off, width=1 / RATE, color="#D55E00", label="the hand's slips")
axes.plot(torch.arange(len(left_to_do)) / RATE, left_to_do, label="the T's way to the goal")
axes.set(xlabel="time, s", ylabel="pixels")
axes.legend(fontsize=8)
show(
    figure,
    alt="The T's distance to its goal over time: it grows at first, then falls in steps from push to push. Bars mark slips of some ten to fifty pixels. Around 11 s slips push the T away again, and the next pushes make that good.",
    caption="After a slip there is a push to repeat, or to make good. The planner does.",
)

# %% [markdown]
# ## The numbers inside
#
# A network likes numbers of about one in size. Positions are in the hundreds, an angle goes from 0 to 6.28. Notebook 5 divided by a standard deviation. Push-T's literature uses the *range*: the smallest
# value seen in training becomes $-1$ and the largest $1$. There is a reason for it: a sampler that clips its samples to $[-1, 1]$ then never asks for a target that no demonstrator asked for.
#
# It is three lines of code, and it is the place where test data leak into training more often than anywhere else. Held-out episodes are there to tell you about the unknown. A range that has already
# seen them hides the unknown: *by construction* nothing is ever outside it.

# %% [markdown] question="normalize_by_training" points=[1, 2, 4, 2, 2, 1]
# ### Question 9.1 · The range of what was seen
#
# Write `normalize_by_training(episodes, is_training)`.
#
# - `episodes` is a list of tensors `(time, dim)`, of different times and of one `dim`.
# - `is_training` is a list of as many booleans, and at least one is true. The other episodes are **held out**: they are there to judge the policy.
# - Return three things: the list of all episodes, normalised, in their order; and `low` and `high`, both `(dim,)`, the smallest and the largest value of every
#   dimension.
# - In every dimension, the smallest value of all training episodes together becomes $-1$, the largest becomes $1$, and the middle between them $0$.
# - Held-out episodes are normalised in the same way. What lies outside the range of training lies outside $[-1, 1]$, and stays there.
# - A dimension that never changes in the training episodes has a middle, and half of nothing to divide by. Divide by 1 there.
# - All is `float32`, and the episodes that you were given stay as they are.


# %% tags=["solution"]
def normalize_by_training(episodes, is_training):
    """Return all episodes in units of the training range, and that range."""
    # BEGIN SOLUTION
    chosen = [steps for steps, trained_on in zip(episodes, is_training, strict=True) if trained_on]
    low, high = torch.cat(chosen).aminmax(dim=0)
    middle, reach = (low + high) / 2, (high - low) / 2
    reach = reach.masked_fill(reach == 0, 1.0)
    return [(steps - middle) / reach for steps in episodes], low, high
    # END SOLUTION


# %% tags=["public"]
def test_normalize_by_training_of_three_small_episodes(normalize_by_training):
    """Two episodes to learn from and one that is held out."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    episodes = [
        torch.tensor([[0.0, 5.0], [2.0, 7.0]]),
        torch.tensor([[6.0, 6.0]]),
        torch.tensor([[4.0, 9.0]]),
    ]
    result = normalize_by_training(episodes, [True, False, True])
    check_answered(result, "normalize_by_training")
    assert len(result) == 3, "return three things: the normalised episodes, low and high."
    normalised, low, high = result
    check_close(low, [0.0, 5.0], "the smallest values of the training episodes.")
    check_close(high, [4.0, 9.0], "the largest values of the training episodes.")
    assert len(normalised) == 3, "return every episode, those that are held out as well."
    expected = [[[-1.0, -1.0], [0.0, 0.0]], [[2.0, -0.5]], [[1.0, 1.0]]]
    for own, wanted in zip(normalised, expected, strict=True):
        check_close(own, wanted, "low becomes -1, high becomes 1, and beyond them it goes on.")


def test_normalize_by_training_fills_the_range(normalize_by_training):
    """Over all training episodes together, every dimension goes from -1 to 1."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    generator = torch.Generator().manual_seed(9)
    scales = torch.tensor([200.0, 3.0, 0.02])
    episodes = [scales * torch.randn(n, 3, generator=generator) for n in (7, 4, 12, 5)]
    result = normalize_by_training(episodes, [False, True, True, True])
    check_answered(result, "normalize_by_training")
    for own, given in zip(result[0], episodes, strict=True):
        check_shape(own, given.shape, "an episode keeps its shape.")
    together = torch.cat(list(result[0][1:]))
    check_close(together.amin(dim=0), [-1.0] * 3, "the smallest training value becomes -1.")
    check_close(together.amax(dim=0), [1.0] * 3, "the largest training value becomes 1.")


# %% tags=["hidden"]
def test_normalize_by_training_does_not_look_at_what_is_held_out(normalize_by_training):
    """Held-out episodes change nothing for the others, neither in the range nor in a single number."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for count, dim, out in [(6, 4, 2), (4, 2, 1), (9, 5, 0)]:
        scales = 10.0 ** torch.linspace(-1, 2, dim)
        times = torch.randint(1, 15, (count,), generator=generator).tolist()
        episodes = [scales * torch.randn(n, dim, generator=generator) for n in times]
        is_training = [index % 3 != out for index in range(count)]
        # What is held out reaches further than the rest, upwards, downwards, or by very much.
        for reach in (1.5, 40.0, -40.0):
            given = [
                own if used else reach * scales + own
                for own, used in zip(episodes, is_training, strict=True)
            ]
            result = normalize_by_training([own.clone() for own in given], list(is_training))
            check_answered(result, "normalize_by_training")
            assert len(result) == 3, "return three things: the normalised episodes, low and high."
            normalised, low, high = result
            used = [own for own, yes in zip(given, is_training, strict=True) if yes]
            smallest = torch.stack([own.double().amin(dim=0) for own in used]).amin(dim=0)
            largest = torch.stack([own.double().amax(dim=0) for own in used]).amax(dim=0)
            hint = "only training episodes may set the range: the others are there to judge by."
            check_close(low, smallest, hint)
            check_close(high, largest, hint)
            assert len(normalised) == count, "return every episode, those that are held out too."
            for own, before in zip(normalised, given, strict=True):
                expected = 2 * (before.double() - smallest) / (largest - smallest) - 1
                hint = "low becomes -1, high becomes 1, and nothing is cut off beyond them."
                check_close(own, expected, hint, 1e-4, 1e-4)


def test_normalize_by_training_where_nothing_changes(normalize_by_training):
    """A dimension with one value in training becomes 0 there, and elsewhere tells the difference."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    for constant in (0.0, 7.25, -130.5):
        episodes = [torch.randn(n, 3, generator=generator) for n in (5, 3, 1)]
        episodes[0][:, 1] = episodes[2][:, 1] = constant
        episodes[1][:, 1] = constant + torch.tensor([2.5, -4.0, 0.0])
        result = normalize_by_training([own.clone() for own in episodes], [True, False, True])
        check_answered(result, "normalize_by_training")
        for own in result[0]:
            check_finite(own, "high - low is 0 there: divide by 1.")
        hint = "a dimension that never changes in training becomes 0: its value minus its middle."
        check_close(result[0][0][:, 1], [0.0] * 5, hint)
        check_close(result[0][2][:, 1], [0.0], hint)
        check_close(result[0][1][:, 1], [2.5, -4.0, 0.0], "there, divide by 1.")
        # Its neighbours change, and are normalised as ever.
        together = torch.cat([result[0][0], result[0][2]])
        hint = "divide by 1 in the dimension that never changes, and in no other."
        check_close(together.amin(dim=0), [-1.0, 0.0, -1.0], hint)
        check_close(together.amax(dim=0), [1.0, 0.0, 1.0], hint)


def test_normalize_by_training_keeps_narrow_ranges(normalize_by_training):
    """However narrow or wide the range of a dimension is, it becomes -1 to 1."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    widths = torch.tensor([1e-6, 1e-3, 1.0, 1e3, 1e6])
    episodes = [widths * torch.rand(n, 5, generator=generator) for n in (9, 14)]
    given = [own.double() for own in episodes]
    result = normalize_by_training([own.clone() for own in episodes], [True, True])
    check_answered(result, "normalize_by_training")
    low, high = torch.cat(given).amin(dim=0), torch.cat(given).amax(dim=0)
    for own, before in zip(result[0], given, strict=True):
        expected = 2 * (before - low) / (high - low) - 1
        check_close(own, expected, "divide by half of high - low, and by nothing else.", 1e-4, 1e-4)


def test_normalize_by_training_leaves_its_arguments_alone(normalize_by_training):
    """The episodes are as they were, also if there is only one of them, and the numbers are float32."""
    import torch

    from imitation_lab.testing import (
        check_answered,
        check_close,
        check_dtype,
        check_shape,
        fresh_generator,
    )

    generator = fresh_generator()
    for times, is_training in [((8, 5, 3), [True, True, False]), ((6,), [True])]:
        episodes = [5 + 3 * torch.randn(n, 4, generator=generator) for n in times]
        given = [own.clone() for own in episodes]
        result = normalize_by_training(episodes, is_training)
        check_answered(result, "normalize_by_training")
        for now, before in zip(episodes, given, strict=True):
            check_close(now, before, "an episode was changed in place: make a new tensor.")
        for own in [*result[0], result[1], result[2]]:
            check_dtype(own, torch.float32, "float32 in, float32 out.")
        # The range is of the values that came in, so it says how to get them back.
        low, high = result[1], result[2]
        for end in (low, high):
            check_shape(end, (4,), "low and high have one number for every dimension.")
        for own, before in zip(result[0], given, strict=True):
            check_shape(own, before.shape, "an episode keeps its shape.")
            back = low + (own + 1) * (high - low) / 2
            check_close(back, before, "low and high are in the units that came in.", 1e-4, 1e-4)


# %% tags=["wrong"]
def _scaled(episodes, low, high):
    half = (high - low) / 2
    half = torch.where(half > 0, half, torch.ones_like(half))
    return [(steps - (high + low) / 2) / half for steps in episodes]


def _training(episodes, is_training):
    return torch.cat([own for own, used in zip(episodes, is_training, strict=True) if used])


def normalize_by_training__leaks(episodes, is_training):
    """All episodes set the range: what is held out has leaked into training."""
    low, high = torch.cat(episodes).aminmax(dim=0)
    return _scaled(episodes, low, high), low, high


def normalize_by_training__returns_the_range_of_all(episodes, is_training):
    """The numbers are right, but low and high are of all episodes: only training episodes may set them."""
    seen = _training(episodes, is_training)
    everything = torch.cat(episodes)
    return _scaled(episodes, *seen.aminmax(dim=0)), everything.amin(dim=0), everything.amax(dim=0)


def normalize_by_training__looks_at_the_held_out(episodes, is_training):
    """The held-out episodes set the range: it is the others that do."""
    low, high = _training(episodes, [True] + [not used for used in is_training[1:]]).aminmax(dim=0)
    return _scaled(episodes, low, high), low, high


def normalize_by_training__begins_with_the_first(episodes, is_training):
    """The first episode sets the range even where it is held out: begin with a training episode."""
    low, high = episodes[0].aminmax(dim=0)
    for own, used in zip(episodes, is_training, strict=True):
        if used:
            low = torch.minimum(low, own.amin(dim=0))
            high = torch.maximum(high, own.amax(dim=0))
    return _scaled(episodes, low, high), low, high


def normalize_by_training__splits_steps(episodes, is_training):
    """The first steps of all episodes set the range: hold out whole episodes, not steps."""
    kept = sum(len(own) for own, used in zip(episodes, is_training, strict=True) if used)
    low, high = torch.cat(episodes)[:kept].aminmax(dim=0)
    return _scaled(episodes, low, high), low, high


def normalize_by_training__by_episode(episodes, is_training):
    """Every episode has a range of its own: then the same number means another place in each of them."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [_scaled([own], *own.aminmax(dim=0))[0] for own in episodes], low, high


def normalize_by_training__ranges_for_the_held_out(episodes, is_training):
    """Held-out episodes are normalised by their own range: the policy reads numbers by that of its training."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    together = _scaled(episodes, low, high)
    for index, used in enumerate(is_training):
        if not used:
            together[index] = _scaled([episodes[index]], *episodes[index].aminmax(dim=0))[0]
    return together, low, high


def normalize_by_training__has_one_range(episodes, is_training):
    """One range for all dimensions: every dimension needs its own."""
    seen = _training(episodes, is_training)
    low = seen.min().repeat(seen.shape[1])
    high = seen.max().repeat(seen.shape[1])
    return _scaled(episodes, low, high), low, high


def normalize_by_training__clamps(episodes, is_training):
    """What lies outside the range is cut off: then places outside it all look alike."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [own.clamp(-1, 1) for own in _scaled(episodes, low, high)], low, high


def normalize_by_training__standardises(episodes, is_training):
    """By mean and standard deviation: here the range becomes -1 to 1."""
    seen = _training(episodes, is_training)
    low, high = seen.aminmax(dim=0)
    return [(own - seen.mean(dim=0)) / seen.std(dim=0) for own in episodes], low, high


def normalize_by_training__from_zero_to_one(episodes, is_training):
    """From 0 to 1: here it is from -1 to 1."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [(own - low) / (high - low) for own in episodes], low, high


def normalize_by_training__divides_by_nothing(episodes, is_training):
    """A dimension that never changes is divided by 0: divide by 1 there."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [2 * (own - low) / (high - low) - 1 for own in episodes], low, high


def normalize_by_training__puts_constants_at_minus_one(episodes, is_training):
    """A dimension that never changes becomes -1: low is its middle, too, and the middle becomes 0."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    width = torch.where(high > low, high - low, torch.ones_like(low))
    return [2 * (own - low) / width - 1 for own in episodes], low, high


def normalize_by_training__adds_a_little(episodes, is_training):
    """Something small is added to what is divided by: narrow ranges shrink, and constants explode elsewhere."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [(own - (low + high) / 2) / ((high - low) / 2 + 1e-6) for own in episodes], low, high


def normalize_by_training__takes_narrow_for_constant(episodes, is_training):
    """Narrow ranges count as none: only where high equals low does nothing change."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    half = torch.where((high - low) / 2 > 1e-2, (high - low) / 2, torch.ones_like(low))
    return [(own - (low + high) / 2) / half for own in episodes], low, high


def normalize_by_training__spares_all_for_one(episodes, is_training):
    """If one dimension never changes, all are divided by 1: only that one is."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    half = (high - low) / 2
    if (half == 0).any():
        half = torch.ones_like(half)
    return [(own - (low + high) / 2) / half for own in episodes], low, high


def normalize_by_training__blanks_constants(episodes, is_training):
    """A dimension that never changed in training is 0 everywhere: in held-out episodes it may differ."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [torch.where(high > low, own, 0.0) for own in _scaled(episodes, low, high)], low, high


def normalize_by_training__divides_by_the_width(episodes, is_training):
    """Divided by the whole width: then it goes from -1/2 to 1/2. Divide by half of it."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [own / 2 for own in _scaled(episodes, low, high)], low, high


def normalize_by_training__centres_the_mean(episodes, is_training):
    """The mean becomes 0: it is the middle between low and high that does."""
    seen = _training(episodes, is_training)
    low, high = seen.aminmax(dim=0)
    half = torch.where(high > low, (high - low) / 2, torch.ones_like(low))
    return [(own - seen.mean(dim=0)) / half for own in episodes], low, high


def normalize_by_training__by_the_largest_size(episodes, is_training):
    """Divided by the largest absolute value: then low becomes -1 only by chance."""
    seen = _training(episodes, is_training)
    low, high = seen.aminmax(dim=0)
    size = seen.abs().amax(dim=0)
    return [own / torch.where(size > 0, size, torch.ones_like(size)) for own in episodes], low, high


def normalize_by_training__means_of_ranges(episodes, is_training):
    """The mean of the episodes' ranges: low is the smallest value of all of them together."""
    own = [steps for steps, used in zip(episodes, is_training, strict=True) if used]
    low = torch.stack([steps.amin(dim=0) for steps in own]).mean(dim=0)
    high = torch.stack([steps.amax(dim=0) for steps in own]).mean(dim=0)
    return _scaled(episodes, low, high), low, high


def normalize_by_training__first_episode_only(episodes, is_training):
    """The first training episode alone sets the range: all of them do."""
    low, high = episodes[is_training.index(True)].aminmax(dim=0)
    return _scaled(episodes, low, high), low, high


def normalize_by_training__drops_the_held_out(episodes, is_training):
    """Held-out episodes are left out: they are normalised as well, to be judged by."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    own = [steps for steps, used in zip(episodes, is_training, strict=True) if used]
    return _scaled(own, low, high), low, high


def normalize_by_training__leaves_the_held_out(episodes, is_training):
    """Held-out episodes stay in their units: the policy would not understand them."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    pairs = zip(_scaled(episodes, low, high), episodes, is_training, strict=True)
    return [own if used else steps for own, steps, used in pairs], low, high


def normalize_by_training__in_place(episodes, is_training):
    """The numbers are right, but the episodes are overwritten, or the type is another: make new tensors of float32."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    low, high = low.clone(), high.clone()
    half = torch.where(high > low, (high - low) / 2, torch.ones_like(low))
    for own in episodes:
        own.sub_((low + high) / 2).div_(half)
    return episodes, low, high


def normalize_by_training__range_after(episodes, is_training):
    """Low and high are those of the normalised episodes: return what the range was in the first place."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    together = _scaled(episodes, low, high)
    return together, *_training(together, is_training).aminmax(dim=0)


def normalize_by_training__upside_down(episodes, is_training):
    """The largest value becomes -1: the smallest does."""
    low, high = _training(episodes, is_training).aminmax(dim=0)
    return [-own for own in _scaled(episodes, low, high)], low, high


# %% tags=["right"]
def normalize_by_training__by_where(episodes, is_training):
    seen = torch.cat([own for own, used in zip(episodes, is_training, strict=True) if used])
    low, high = seen.min(dim=0).values, seen.max(dim=0).values
    changes = high > low
    width = torch.where(changes, high - low, torch.ones_like(low))
    return (
        [torch.where(changes, 2 * (own - low) / width - 1, own - low) for own in episodes],
        low,
        high,
    )


def normalize_by_training__in_double(episodes, is_training):
    low = torch.full((episodes[0].shape[1],), torch.inf, dtype=torch.float64)
    high = -low
    for own, used in zip(episodes, is_training, strict=True):
        if used:
            low = torch.minimum(low, own.double().amin(dim=0))
            high = torch.maximum(high, own.double().amax(dim=0))
    half = (high - low) / 2
    half[half == 0] = 1
    scaled = [((own.double() - (high + low) / 2) / half).float() for own in episodes]
    return scaled, low.float(), high.float()


def normalize_by_training__by_numpy(episodes, is_training):
    import numpy as np

    chosen = np.flatnonzero(is_training)
    seen = np.concatenate([episodes[index].numpy() for index in chosen])
    low, width = seen.min(0), np.ptp(seen, axis=0)
    half = np.where(width > 0, width / 2, 1).astype(np.float32)
    middle = (low + seen.max(0)) / 2
    scaled = [torch.from_numpy((own.numpy() - middle) / half) for own in episodes]
    return scaled, torch.from_numpy(low), torch.from_numpy(seen.max(0))


def normalize_by_training__column_by_column(episodes, is_training):
    dim = episodes[0].shape[1]
    scaled = [own.clone() for own in episodes]
    low, high = torch.zeros(dim), torch.zeros(dim)
    for column in range(dim):
        values = [
            value
            for own, used in zip(episodes, is_training, strict=True)
            if used
            for value in own[:, column].tolist()
        ]
        low[column], high[column] = min(values), max(values)
        half = (max(values) - min(values)) / 2 or 1.0
        for own in scaled:
            own[:, column] = (own[:, column] - (max(values) + min(values)) / 2) / half
    return scaled, low, high


def normalize_by_training__all_at_once(episodes, is_training):
    lengths = [len(own) for own in episodes]
    everything = torch.cat(episodes)
    used = torch.tensor(is_training).repeat_interleave(torch.tensor(lengths)).unsqueeze(1)
    low = torch.where(used, everything, torch.inf).amin(dim=0)
    high = torch.where(used, everything, -torch.inf).amax(dim=0)
    half = (high - low).div(2)
    half = half + (half == 0).to(half.dtype)
    return list(((everything - (low + high) / 2) / half).split(lengths)), low, high


# %% [markdown]
# Now on the demonstrations. The last hundred starts are held out, with both of their episodes: two styles of one start resemble each other, so they belong on the same side. Take the first ten starts for training, or
# a hundred, or more. How often will the policy be asked about a number beyond its range?


# %%
def share_outside(pairs, num_training, num_held_out=100):
    """Return the share of held-out moments at which some number lies outside the training range."""
    used = pairs[:num_training] + pairs[-num_held_out:]
    episodes = [trajectory.observations for pair in used for trajectory in pair]
    is_training = [index < 2 * num_training for index in range(len(episodes))]
    scaled = answered(normalize_by_training(episodes, is_training), "normalize_by_training")[0]
    held_out = torch.cat([own for own, yes in zip(scaled, is_training, strict=True) if not yes])
    return float((held_out.abs() > 1).any(dim=1).float().mean())


# %% tags=["train"]
counts = (1, 2, 5, 10, 20, 50, 100, 200, len(pairs) - 100)
shares = [100 * share_outside(pairs, count) for count in counts]
figure, axes = plt.subplots(figsize=(6, 2.8))
axes.plot(counts, shares, marker="o", label="held out")
axes.axhline(0, color="0.4", ls=":", label="with a range that has seen them")
axes.set(xscale="log", xlabel="starts in training", ylabel="moments outside, %")
axes.legend(fontsize=8)
show(
    figure,
    alt="The share of held-out moments outside the training range falls from more than a third, with one start in training, to almost none with hundreds. A dotted line at zero is what a leaking range says.",
    caption="A moment is outside if one of its five numbers is.",
)
print(f"with {counts[3]} starts {shares[3]:.1f} %, with {counts[-1]} starts {shares[-1]:.2f} %")

# %% [markdown]
# With few demonstrations the policy meets the unknown all the time, and the curve says so. The leaking range says zero, whatever the data: it would have told you that one demonstration is enough.
#
# The policies below were normalised with the range of their own training data. They are judged from starts that are not among the demonstrations.
#
# ### Zero is two pi
#
# Look at the fifth number. The T turns, and its angle is told in $[0, 2\pi)$. What does a network see when the T turns a little past zero?


# %%
def jumps(angles):
    """Return the steps at which an angle jumps by more than half a turn."""
    return (angles.diff().abs() > math.pi).nonzero().flatten()


# %% tags=["train"]
jumping = [own for own in demonstrations.trajectories if len(jumps(own.observations[:, 4]))]
print(f"{len(jumping)} of {len(demonstrations)} episodes pass through zero")
angles = max(jumping, key=lambda own: len(jumps(own.observations[:, 4]))).observations[:, 4]
times = torch.arange(len(angles)) / RATE
figure, panels = plt.subplots(1, 2, figsize=(11, 2.8), sharex=True)
panels[0].plot(times, angles, ".", ms=3)
panels[0].set(ylabel="angle, radians", xlabel="time, s", yticks=(0, math.pi, 2 * math.pi))
panels[0].set_yticklabels(("0", "π", "2π"))
panels[1].plot(times, angles.cos(), label="cosine")
panels[1].plot(times, angles.sin(), label="sine")
panels[1].set(xlabel="time, s", yticks=(-1, 0, 1))
panels[1].legend(fontsize=8)
show(
    figure,
    alt="Left: the angle over time jumps between 0 and two pi. Right: its cosine and sine run on without a jump.",
    caption="The same T, the same seconds: as one number that jumps, and as two that do not.",
)

# %% [markdown]
# For the T it is one smooth turn. Told as an angle it is the longest way there is, with a cliff that a smooth network has to learn. Told as cosine and sine it is smooth as well. Two numbers for one angle are
# the cheapest remedy of this notebook.
#
# The library does three more things of that kind (`imitation_lab.pusht.encoding`): it tells where the agent is *as the T sees it*, where the T's eight corners are *as the agent sees them*, and how far the T still
# has to go. All of it is arithmetic on the five numbers. Nothing is measured that was not there.
#
# ### Where to, from here
#
# Then there are the actions: targets on the table, from 0 to 512. A network that is to say *push three pixels to the right* would have to say: $x = 287.4$. It has to know where it is, to the pixel, and repeat
# that, before it can say anything about the push. Seen from the agent, the same action is $+3$, wherever it happens.

# %% [markdown] question="relative_chunks" points=[1, 2, 3, 2, 2]
# ### Question 9.2 · Where to, from here
#
# Write `relative_chunks(observations, actions, prediction_horizon)`.
#
# - `observations` is `(time, 5)`: the first two numbers are where the agent was. `actions` is `(time, 2)`: the target that it was sent to at this step, on the table.
# - Return a tensor `(time, prediction_horizon, 2)` of `float32`: at every step the targets of the chunk that starts there, **as seen from where the agent was at that step**.
# - All targets of one chunk are seen from the same place: when the chunk is played, this place is all that is known of the agent.
# - Past the episode's end the last target repeats: the same place on the table, not the same way to it.


# %% tags=["solution"]
def relative_chunks(observations, actions, prediction_horizon):
    """Return the targets of the chunk that starts at every step, seen from the agent at that step."""
    # BEGIN SOLUTION
    start = torch.arange(len(actions)).unsqueeze(1)
    ahead = (start + torch.arange(prediction_horizon)).clamp(max=len(actions) - 1)
    return actions[ahead] - observations[:, :2].unsqueeze(1)
    # END SOLUTION


# %% tags=["public"]
def test_relative_chunks_of_three_moments(relative_chunks):
    """Three steps and chunks of two: the last chunk has the last target twice."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.tensor(
        [
            [10.0, 20.0, 99.0, 98.0, 1.0],
            [13.0, 20.0, 97.0, 96.0, 2.0],
            [15.0, 26.0, 95.0, 94.0, 3.0],
        ]
    )
    actions = torch.tensor([[14.0, 20.0], [16.0, 28.0], [15.0, 30.0]])
    chunks = relative_chunks(observations, actions, 2)
    check_answered(chunks, "relative_chunks")
    check_shape(chunks, (3, 2, 2), "return (time, prediction_horizon, 2).")
    expected = [[[4.0, 0.0], [6.0, 8.0]], [[3.0, 8.0], [2.0, 10.0]], [[0.0, 4.0], [0.0, 4.0]]]
    check_close(chunks, expected, "both targets of a chunk are seen from where it starts.")


def test_relative_chunks_do_not_know_the_place(relative_chunks):
    """Moving agent and targets together across the table changes nothing."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    generator = torch.Generator().manual_seed(2)
    observations = torch.randint(100, 300, (9, 5), generator=generator).float()
    actions = torch.randint(100, 300, (9, 2), generator=generator).float()
    chunks = relative_chunks(observations.clone(), actions.clone(), 4)
    check_answered(chunks, "relative_chunks")
    shift = torch.tensor([40.0, -70.0])
    moved = torch.cat([observations[:, :2] + shift, observations[:, 2:]], dim=1)
    elsewhere = relative_chunks(moved, actions + shift, 4)
    check_close(elsewhere, chunks, "subtract the agent's position from its targets.")


# %% tags=["hidden"]
def test_relative_chunks_are_seen_from_their_start(relative_chunks):
    """At every step, each target of the chunk minus where the agent was at that step."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for time, prediction_horizon in [(23, 4), (11, 7), (30, 2)]:
        observations = 512 * torch.rand(time, 5, generator=generator)
        actions = 512 * torch.rand(time, 2, generator=generator)
        chunks = relative_chunks(observations.clone(), actions.clone(), prediction_horizon)
        check_answered(chunks, "relative_chunks")
        check_shape(chunks, (time, prediction_horizon, 2), "(time, prediction_horizon, 2).")
        hint = "actions[t + h] minus the agent's position at step t, the same for the whole chunk."
        whole = time - prediction_horizon + 1
        for later in range(prediction_horizon):
            expected = actions[later : later + whole] - observations[:whole, :2]
            check_close(chunks[:whole, later], expected, hint, 1e-4, 1e-3)


def test_relative_chunks_at_the_end(relative_chunks):
    """Late chunks end with the last target on the table, again and again, seen from where they start."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for time, prediction_horizon in [(6, 4), (3, 8), (1, 5), (1, 1), (7, 7)]:
        observations = 512 * torch.rand(time, 5, generator=generator)
        actions = 512 * torch.rand(time, 2, generator=generator)
        chunks = relative_chunks(observations.clone(), actions.clone(), prediction_horizon)
        check_answered(chunks, "relative_chunks")
        check_shape(
            chunks, (time, prediction_horizon, 2), "one chunk for every step, late ones too."
        )
        for step in range(time):
            for later in range(time - step, prediction_horizon):
                expected = actions[-1] - observations[step, :2]
                hint = "past the end, the last target repeats: the place on the table."
                check_close(chunks[step, later], expected, hint, 1e-4, 1e-3)
        check_close(chunks[:, 0], actions - observations[:, :2], "a chunk starts now.", 1e-4, 1e-3)


def test_relative_chunks_leave_the_episode_alone(relative_chunks):
    """Observations and actions are as they were, and the numbers are float32."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

    generator = fresh_generator()
    observations = 512 * torch.rand(14, 5, generator=generator)
    actions = 512 * torch.rand(14, 2, generator=generator)
    given = observations.clone(), actions.clone()
    chunks = relative_chunks(observations, actions, 3)
    check_answered(chunks, "relative_chunks")
    check_dtype(chunks, torch.float32, "float32 in, float32 out.")
    for now, before in zip((observations, actions), given, strict=True):
        check_close(now, before, "an argument was changed in place: make a new tensor.")
    # What comes after a step's chunk says nothing about it.
    again = relative_chunks(given[0][:9].clone(), given[1][:9].clone(), 3)
    check_close(again[:7], chunks[:7], "a chunk looks ahead by its length, and no further.")


# %% tags=["wrong"]
def _absolute(actions, prediction_horizon):
    tail = actions[-1:].repeat(prediction_horizon - 1, 1)
    return torch.cat([actions, tail]).unfold(0, prediction_horizon, 1).transpose(1, 2)


def relative_chunks__stays_absolute(observations, actions, prediction_horizon):
    """Targets on the table: subtract where the agent was."""
    return _absolute(actions, prediction_horizon)


def relative_chunks__from_each_own_step(observations, actions, prediction_horizon):
    """Every target is seen from the agent at its own step: when the chunk is played, that place is not known yet."""
    return _absolute(actions - observations[:, :2], prediction_horizon)


def relative_chunks__from_the_first_step(observations, actions, prediction_horizon):
    """All targets are seen from the episode's start: each chunk has a start of its own."""
    return _absolute(actions, prediction_horizon) - observations[0, :2]


def relative_chunks__from_the_tee(observations, actions, prediction_horizon):
    """Targets are seen from the T: the agent's position is the first two numbers."""
    return _absolute(actions, prediction_horizon) - observations[:, None, 2:4]


def relative_chunks__the_other_way(observations, actions, prediction_horizon):
    """The agent minus the targets: it is the targets minus the agent."""
    return observations[:, None, :2] - _absolute(actions, prediction_horizon)


def relative_chunks__adds(observations, actions, prediction_horizon):
    """The agent's position is added: subtract it."""
    return observations[:, None, :2] + _absolute(actions, prediction_horizon)


def relative_chunks__from_the_first_target(observations, actions, prediction_horizon):
    """Targets are seen from the chunk's first target: they are to be seen from the agent."""
    chunks = _absolute(actions, prediction_horizon)
    return chunks - chunks[:, :1]


def relative_chunks__as_steps(observations, actions, prediction_horizon):
    """Only the first target is seen from the agent, each other from the one before it: all are seen from the agent."""
    chunks = _absolute(actions, prediction_horizon)
    before = torch.cat([observations[:, None, :2], chunks[:, :-1]], dim=1)
    return chunks - before


def relative_chunks__pads_with_zeros(observations, actions, prediction_horizon):
    """Past the end the chunk says: stay. There the last target repeats, which the agent has not reached yet."""
    chunks = _absolute(actions, prediction_horizon) - observations[:, None, :2]
    steps = torch.arange(len(actions)).unsqueeze(1) + torch.arange(prediction_horizon)
    return torch.where((steps < len(actions)).unsqueeze(2), chunks, 0.0)


def relative_chunks__pads_with_the_corner(observations, actions, prediction_horizon):
    """Past the end targets are the table's corner (0, 0): there the last target repeats."""
    padded = torch.cat([actions, torch.zeros(prediction_horizon - 1, 2)])
    chunks = padded.unfold(0, prediction_horizon, 1).transpose(1, 2)
    return chunks - observations[:, None, :2]


def relative_chunks__pads_afterwards(observations, actions, prediction_horizon):
    """Past the end the last offset repeats, seen from where the agent was last: it is the place on the table that repeats."""
    own = (actions - observations[:, :2])[-1]
    chunks = _absolute(actions, prediction_horizon) - observations[:, None, :2]
    steps = torch.arange(len(actions)).unsqueeze(1) + torch.arange(prediction_horizon)
    return torch.where((steps < len(actions)).unsqueeze(2), chunks, own)


def relative_chunks__wraps_around(observations, actions, prediction_horizon):
    """Past the end the episode begins anew: the last target repeats."""
    steps = torch.arange(len(actions)).unsqueeze(1) + torch.arange(prediction_horizon)
    return actions[steps % len(actions)] - observations[:, None, :2]


def relative_chunks__drops_the_end(observations, actions, prediction_horizon):
    """Late chunks are left out: the policy would never learn how to finish."""
    whole = max(len(actions) - prediction_horizon + 1, 0)
    return (_absolute(actions, prediction_horizon) - observations[:, None, :2])[:whole]


def relative_chunks__starts_later(observations, actions, prediction_horizon):
    """The chunk begins with the next step's target: it begins with this step's."""
    later = torch.cat([actions[1:], actions[-1:]])
    return _absolute(later, prediction_horizon) - observations[:, None, :2]


def relative_chunks__looks_back(observations, actions, prediction_horizon):
    """The chunk goes back in time: it is the targets from now on."""
    steps = torch.arange(len(actions)).unsqueeze(1) - torch.arange(prediction_horizon)
    return actions[steps.clamp(min=0)] - observations[:, None, :2]


def relative_chunks__reversed(observations, actions, prediction_horizon):
    """The last target of the chunk stands first: they come in the order in which they are played."""
    return (_absolute(actions, prediction_horizon) - observations[:, None, :2]).flip(1)


def relative_chunks__time_second(observations, actions, prediction_horizon):
    """The axes are in another order: time comes first."""
    return (_absolute(actions, prediction_horizon) - observations[:, None, :2]).transpose(0, 1)


def relative_chunks__mixes_axes(observations, actions, prediction_horizon):
    """Reshaped where it should be transposed: x and y of different steps have changed places."""
    tail = actions[-1:].repeat(prediction_horizon - 1, 1)
    windows = torch.cat([actions, tail]).unfold(0, prediction_horizon, 1)
    return windows.reshape(len(actions), prediction_horizon, 2) - observations[:, None, :2]


def relative_chunks__repeats_the_first(observations, actions, prediction_horizon):
    """A chunk is one target again and again: it is the targets of the steps that follow."""
    own = actions - observations[:, :2]
    return own.unsqueeze(1).repeat(1, prediction_horizon, 1)


def relative_chunks__in_unit_lengths(observations, actions, prediction_horizon):
    """Targets are divided by the table's size: they stay in pixels here."""
    return (_absolute(actions, prediction_horizon) - observations[:, None, :2]) / 512


def relative_chunks__moves_the_actions(observations, actions, prediction_horizon):
    """The numbers are right, but the actions are overwritten, or the type is another: make a new tensor of float32."""
    chunks = _absolute(actions, prediction_horizon) - observations[:, None, :2]
    actions -= observations[:, :2]
    return chunks


# %% tags=["right"]
def relative_chunks__step_by_step(observations, actions, prediction_horizon):
    last = len(actions) - 1
    rows = []
    for step in range(len(actions)):
        targets = [actions[min(step + later, last)] for later in range(prediction_horizon)]
        rows.append(torch.stack(targets) - observations[step, :2])
    return torch.stack(rows)


def relative_chunks__by_windows(observations, actions, prediction_horizon):
    tail = actions[-1].expand(prediction_horizon - 1, 2)
    windows = torch.cat((actions, tail)).unfold(0, prediction_horizon, 1)
    return (windows - observations[:, :2, None]).permute(0, 2, 1)


def relative_chunks__column_by_column(observations, actions, prediction_horizon):
    columns, moved = [], actions
    for _ in range(prediction_horizon):
        columns.append(moved - observations[:, 0:2])
        moved = torch.cat([moved[1:], actions[-1:]])
    return torch.stack(columns, dim=1)


def relative_chunks__by_numpy(observations, actions, prediction_horizon):
    import numpy as np

    padded = np.pad(actions.numpy(), ((0, prediction_horizon - 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, prediction_horizon, axis=0)
    chunks = windows.swapaxes(1, 2) - observations.numpy()[:, None, :2]
    return torch.from_numpy(chunks.copy())


def relative_chunks__in_double(observations, actions, prediction_horizon):
    index = torch.arange(len(actions)).view(-1, 1) + torch.arange(prediction_horizon).view(1, -1)
    index = torch.minimum(index, torch.tensor(len(actions) - 1))
    seen = actions.double()[index.flatten()].view(*index.shape, 2)
    return (seen - observations.double()[:, None, [0, 1]]).float()


# %% [markdown]
# What does a network see of a pixel? Three ways to write the same targets, each brought to the range of $[-1, 1]$ as above:


# %%
def relative_targets(demonstrations, prediction_horizon):
    """Return all chunks as seen from where the agent was, episode after episode."""
    chunks = [
        relative_chunks(own.observations[:-1], own.actions, prediction_horizon)
        for own in demonstrations.trajectories
    ]
    return torch.cat([answered(own, "relative_chunks") for own in chunks])


def in_range(values):
    """Return values in units of half their range, and how much one unit of before is where they are 0."""
    half = (values.max() - values.min()) / 2
    return (values - (values.max() + values.min()) / 2) / half


# %% tags=["train"]
seen = relative_targets(demonstrations, 4)
ways = {
    "on the table": demonstrations.actions[:, 0],
    "from the agent": seen[:, 0, 0],
    "from the agent, near ones enlarged": enlarge(seen[:, 0, 0]),
}
near = seen[:, 0].norm(dim=1) < 10
print(f"targets less than 10 pixels away: {100 * near.float().mean():.0f} % of all")
figure, panels = plt.subplots(1, 3, figsize=(11, 2.8), sharex=True)
for axes, (name, values) in zip(panels, ways.items(), strict=True):
    axes.hist(in_range(values).numpy(), bins=120, range=(-1, 1), color=POLICY_LOOKS["flow"].color)
    axes.set(title=name, yticks=[], xlabel="what the network is to say")
show(
    figure,
    alt="Three histograms of targets between -1 and 1. On the table: broad. From the agent: a spike in the middle. With near ones enlarged: broad again, with structure near zero.",
    caption="The horizontal part of all targets, in units of half their range.",
)

# %% [markdown]
# In the middle panel the far targets, when the finger walks around the T, take nearly all of the range, and the near ones, which decide, are a spike. A loss counts errors in these units. So the last step *enlarges* what is near.
# For a target $d$ pixels away, $\operatorname{asinh}(d / 8)$ is linear up to about eight pixels and logarithmic beyond. A hundred pixels and a hundred and one are alike; one pixel and two are not.
#
# Nobody would call this an algorithm. When you train a policy of your own, take it out (`enlarge` in `imitation_lab/pusht/encoding.py`) and see what it was worth.
#
# ## Four policies
#
# Now the contest. Regression, a mixture of Gaussians, diffusion and flow matching get the same data, the same inputs, the same trunk and as many parameters. Each predicts four targets, plays the first, and looks again.
# Three seeds of each were trained, some minutes on one core each. They come with the course, and you will train your own later.


# %%
SEEDS = range(3)
# Of the environment's starts. The demonstrations begin at others. (Tests of the course itself are in a hurry.)
STARTS = range(2000, 2005 if os.environ.get(FAST) else 2040)


def judge(policy, starts=STARTS, seed=0):
    """Let a policy push from these starts."""
    return drive(policy.actor(), starts, seeded(seed))


def coverage_of(drives):
    """Return the largest coverage of every seed and start, (seeds, starts)."""
    return torch.stack([own.coverage for own in drives])


# %% tags=["train"]
policies = {kind: [shipped_policy(kind, seed) for seed in SEEDS] for kind in KINDS}
for kind, own in policies.items():
    print(f"{kind:10}: {count_parameters(own[0].policy):,} parameters")
contest = [(kind, own) for kind in KINDS for own in policies[kind]]
judged = {kind: [] for kind in KINDS}
for kind, own in tqdm(contest, "judging", unit=" policies", file=sys.stdout):
    judged[kind].append(judge(own))

# %% [markdown]
# All policies pushed from the same starts. Two measures: **success**, covered 95 % or not; and the **largest coverage**, which tells 94 % from 20 %.
#
# Their numbers differ. But forty starts are few, and some starts are harder than others. Is a difference of a few per cent one of the policies, or one of the starts that we happened to draw?
#
# For a success rate you have Wilson's interval. A mean coverage is no success rate: many episodes end just above 0.95, and the rest anywhere. Wilson's formula does not fit. The **bootstrap** asks in another way: *what if we had drawn other
# starts?* We have no others. But we can draw from those that we have, with replacement, again and again, and look how much the answer varies.
#
# And now the point. To compare two policies, keep the **pairs**: a hard start is hard for both, so in their difference it cancels.

# %% [markdown] question="paired_bootstrap" points=[1, 2, 3, 3, 2, 1]
# ### Question 9.3 · The same starts for both
#
# Write `paired_bootstrap(first, second, num_resamples, generator, confidence=0.95)`.
#
# - `first` and `second` are `(starts,)`: what two policies reached from the same starts, in the same order.
# - We want to know how sure we are of the mean of `first - second`. Draw as many starts as there are, at random and **with replacement**, so that some come twice and some not at all.
#   The mean difference over these starts is one resample. Both policies are judged by the same drawn starts.
# - Do that `num_resamples` times. Return the pair `(low, high)` of those means' percentiles: between them lies the middle share `confidence`, and
#   equally much is left out below and above. One start alone, or one resample, gives an interval too, of width 0.
# - Draw everything from `generator`. Between two neighbouring means, any common way to interpolate a percentile will do.


# %% tags=["solution"]
def paired_bootstrap(first, second, num_resamples, generator, confidence=0.95):
    """Return the percentile interval of the mean difference, by resampling the starts."""
    # BEGIN SOLUTION
    difference = first - second
    shape = (num_resamples, len(difference))
    drawn = torch.randint(len(difference), shape, generator=generator)
    averages = difference[drawn].mean(dim=1)
    outside = (1 - confidence) / 2
    low, high = averages.quantile(torch.tensor([outside, 1 - outside]))
    return low, high
    # END SOLUTION


# %% tags=["public"]
def test_paired_bootstrap_where_one_is_always_better(paired_bootstrap):
    """From every start the first policy reaches a quarter more: there is nothing to doubt."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    second = torch.tensor([0.0, 0.25, 0.5, 0.75, 0.0, 0.5])
    interval = paired_bootstrap(second + 0.25, second, 100, torch.Generator().manual_seed(1))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    hint = "starts differ much, their differences do not: draw the same starts for both policies."
    check_close(torch.tensor([float(bound) for bound in interval]), [0.25, 0.25], hint)


def test_paired_bootstrap_of_eight_starts(paired_bootstrap):
    """Seven ties and one win: the win is drawn 0 to 3 times of 8 in all but a few resamples."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    first = torch.tensor([0.5, 0.0, 1.0, 0.25, 1.0, 0.0, 0.5, 0.75])
    second = torch.tensor([0.5, 0.0, 0.0, 0.25, 1.0, 0.0, 0.5, 0.75])
    interval = paired_bootstrap(first, second, 4000, torch.Generator().manual_seed(2))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    hint = "resample with replacement, take means, and leave 2.5 % out on either side."
    check_close(torch.tensor([float(bound) for bound in interval]), [0.0, 0.375], hint)


# %% tags=["hidden"]
def test_paired_bootstrap_of_a_few_wins(paired_bootstrap):
    """With a few wins and else ties, the percentiles are those of the binomial distribution."""
    import torch
    from scipy.stats import binom

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Percentiles that lie within a step of the binomial's, eight standard deviations off its edges.
    for starts, wins, sign, confidence, shuffled in [
        (8, 1, 1.0, 0.95, True),
        (8, 1, -1.0, 0.95, True),
        (12, 3, 1.0, 0.8, True),
        (20, 2, -1.0, 0.5, False),
    ]:
        level = torch.randint(8, (starts,), generator=generator) / 8
        # Whoever draws places by hand forgets the ends: in the last case the wins are there.
        won = (torch.arange(starts) < wins).float().roll(-1)
        if shuffled:
            won = won[torch.randperm(starts, generator=generator)]
        interval = paired_bootstrap(level + sign * won, level.clone(), 4000, generator, confidence)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        outside = (1 - confidence) / 2
        counts = binom(starts, wins / starts).ppf([outside, 1 - outside])
        expected = sorted(sign * count / starts for count in counts)
        check_close(
            torch.tensor([float(bound) for bound in interval]),
            expected,
            "the percentiles of mean differences over starts, drawn with replacement, each as likely "
            "as any other.",
        )


def test_paired_bootstrap_has_the_right_width(paired_bootstrap):
    """Where differences lie evenly about their mean, it is the normal interval of this mean."""
    import math

    import torch
    from scipy.stats import norm

    from imitation_lab.testing import check_answered, fresh_generator

    generator = fresh_generator()
    resamples = 4000
    for starts, scale, confidence in [(60, 1.0, 0.95), (40, 20.0, 0.6)]:
        half = scale * torch.randn(starts // 2, generator=generator)
        difference = torch.cat([half, -half])[torch.randperm(starts, generator=generator)]
        difference = difference + 3 * scale
        second = 50 * scale * torch.randn(starts, generator=generator)
        interval = paired_bootstrap(second + difference, second, resamples, generator, confidence)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        error = float(difference.double().std(correction=0)) / math.sqrt(starts)
        tail = (1 - confidence) / 2
        z = norm.isf(tail)
        # Six standard deviations of such a percentile, and a little for rounding.
        spare = 6 * math.sqrt(tail * (1 - tail) / resamples) / norm.pdf(z) + 0.02
        for bound, side in zip(interval, (-1, 1), strict=True):
            off = abs((float(bound) - float(difference.mean())) / error - side * z)
            assert off < spare, (
                "the interval has the wrong width or place: draw as many starts as there are, the same "
                "for both policies, and leave equally much out on both sides."
            )


def test_paired_bootstrap_draws_from_its_generator(paired_bootstrap):
    """Equal seeds give equal intervals, different seeds different ones, and one resample has one mean."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    first, second = torch.randn(2, 40, generator=generator)
    seeds = torch.randint(2**40, (6,), generator=generator).tolist()

    def numbers(seed, resamples=40):
        drawn = torch.Generator().manual_seed(seed)
        interval = paired_bootstrap(first.clone(), second.clone(), resamples, drawn)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        return torch.tensor([float(bound) for bound in interval])

    intervals = torch.stack([numbers(seed) for seed in seeds])
    check_close(numbers(seeds[0]), intervals[0], "draw from the generator, and from nothing else.")
    spread = intervals.std(dim=0)
    assert bool((spread > 0).all()), (
        "another seed draws other starts: use the generator as it came."
    )
    single = torch.stack([numbers(seed, 1) for seed in seeds])
    hint = "with num_resamples = 1 there is one mean, and both percentiles are this mean."
    check_close(single[:, 1], single[:, 0], hint)
    assert len(single[:, 0].unique()) > 1, (
        "one resample is a draw too: its mean depends on the seed."
    )


def test_paired_bootstrap_leaves_its_arguments_alone(paired_bootstrap):
    """What the policies reached is as it was, and to change places turns the interval round."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    first = torch.randint(2, (30,), generator=generator).float()
    second = torch.rand(30, generator=generator)
    given = first.clone(), second.clone()
    seed = int(torch.randint(2**40, (1,), generator=generator))
    interval = paired_bootstrap(first, second, 50, torch.Generator().manual_seed(seed))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    for now, before in zip((first, second), given, strict=True):
        check_close(now, before, "an argument was changed in place: make a new tensor.")
    low, high = (float(bound) for bound in interval)
    assert low < high, "the lower bound comes first."
    gap = first - second
    assert float(gap.min()) <= low and high <= float(gap.max()), (
        "a mean of differences lies between the smallest and the largest of them: first - second."
    )
    # One start is drawn again and again: its own difference is all there is.
    alone = paired_bootstrap(first[:1], second[:1], 7, torch.Generator().manual_seed(seed))
    expected = [float(gap[0])] * 2
    check_close(torch.tensor([float(bound) for bound in alone]), expected, "first - second.")


# %% tags=["wrong"]
def _percentiles(means, confidence):
    outside = (1 - confidence) / 2
    return means.quantile(outside), means.quantile(1 - outside)


def _drawn(count, num_resamples, generator):
    return torch.randint(count, (num_resamples, count), generator=generator)


def paired_bootstrap__unpaired(first, second, num_resamples, generator, confidence=0.95):
    """Each policy is judged by drawn starts of its own: then easy and hard starts do not cancel."""
    one = first[_drawn(len(first), num_resamples, generator)].mean(dim=1)
    other = second[_drawn(len(second), num_resamples, generator)].mean(dim=1)
    return _percentiles(one - other, confidence)


def paired_bootstrap__sorts_first(first, second, num_resamples, generator, confidence=0.95):
    """Both are sorted before they are compared: then they no longer have the same starts."""
    gap = first.sort().values - second.sort().values
    return _percentiles(gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1), confidence)


def paired_bootstrap__without_replacement(first, second, num_resamples, generator, confidence=0.95):
    """Starts are drawn without replacement: then every resample has the same mean."""
    gap = first - second
    order = torch.rand(num_resamples, len(gap), generator=generator).argsort(dim=1)
    return _percentiles(gap[order].mean(dim=1), confidence)


def paired_bootstrap__second_minus_first(first, second, num_resamples, generator, confidence=0.95):
    """Second minus first: it is first minus second."""
    gap = second - first
    return _percentiles(gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1), confidence)


def paired_bootstrap__takes_absolute_differences(
    first, second, num_resamples, generator, confidence=0.95
):
    """Differences without their sign: who is better is what we ask."""
    gap = (first - second).abs()
    return _percentiles(gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1), confidence)


def paired_bootstrap__takes_medians(first, second, num_resamples, generator, confidence=0.95):
    """Medians of the resamples: take their means."""
    gap = first - second
    drawn = gap[_drawn(len(gap), num_resamples, generator)]
    return _percentiles(drawn.median(dim=1).values, confidence)


def paired_bootstrap__leaves_out_twice_as_much(
    first, second, num_resamples, generator, confidence=0.95
):
    """On either side as much is left out as should be on both together: half of it on each."""
    gap = first - second
    means = gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1)
    return means.quantile(1 - confidence), means.quantile(confidence)


def paired_bootstrap__ignores_confidence(first, second, num_resamples, generator, confidence=0.95):
    """Always 95 %: use confidence."""
    gap = first - second
    return _percentiles(gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1), 0.95)


def paired_bootstrap__ignores_num_resamples(
    first, second, num_resamples, generator, confidence=0.95
):
    """Always a thousand resamples: use num_resamples."""
    gap = first - second
    return _percentiles(gap[_drawn(len(gap), 1000, generator)].mean(dim=1), confidence)


def paired_bootstrap__draws_globally(first, second, num_resamples, generator, confidence=0.95):
    """The draws do not come from the generator: pass it to what draws."""
    gap = first - second
    drawn = torch.randint(len(gap), (num_resamples, len(gap)))
    return _percentiles(gap[drawn].mean(dim=1), confidence)


def paired_bootstrap__always_the_same(first, second, num_resamples, generator, confidence=0.95):
    """Draws from a generator of its own with a fixed seed: use the one that came."""
    gap = first - second
    fixed = torch.Generator().manual_seed(0)
    return _percentiles(gap[_drawn(len(gap), num_resamples, fixed)].mean(dim=1), confidence)


def paired_bootstrap__seeds_with_its_arguments(
    first, second, num_resamples, generator, confidence=0.95
):
    """The seed is the number of resamples: use the generator that came."""
    gap = first - second
    fixed = torch.Generator().manual_seed(num_resamples)
    return _percentiles(gap[_drawn(len(gap), num_resamples, fixed)].mean(dim=1), confidence)


def paired_bootstrap__percentiles_of_starts(
    first, second, num_resamples, generator, confidence=0.95
):
    """The percentiles of the differences themselves: they tell how starts vary, not how sure we are of the mean."""
    gap = first - second
    drawn = gap[_drawn(len(gap), num_resamples, generator)]
    return _percentiles(drawn.flatten()[:100_000], confidence)


def paired_bootstrap__draws_fewer(first, second, num_resamples, generator, confidence=0.95):
    """Half as many starts are drawn as there are: then the interval is too wide."""
    gap = first - second
    count = max(len(gap) // 2, 1)
    drawn = torch.randint(len(gap), (num_resamples, count), generator=generator)
    return _percentiles(gap[drawn].mean(dim=1), confidence)


def paired_bootstrap__never_draws_the_last(
    first, second, num_resamples, generator, confidence=0.95
):
    """The last start is never drawn: every start is as likely as any other."""
    gap = first - second
    drawn = torch.rand(num_resamples, len(gap), generator=generator) * (len(gap) - 1)
    return _percentiles(gap[drawn.long()].mean(dim=1), confidence)


def paired_bootstrap__rounds_to_a_start(first, second, num_resamples, generator, confidence=0.95):
    """Random numbers are rounded to a start: then the first and the last come half as often as the others."""
    gap = first - second
    drawn = torch.rand(num_resamples, len(gap), generator=generator) * (len(gap) - 1)
    return _percentiles(gap[drawn.round().long()].mean(dim=1), confidence)


def paired_bootstrap__draws_as_many_as_resamples(
    first, second, num_resamples, generator, confidence=0.95
):
    """The axes have changed places: there are num_resamples means, each over as many starts as there are."""
    gap = first - second
    return _percentiles(gap[_drawn(len(gap), num_resamples, generator)].mean(dim=0), confidence)


def paired_bootstrap__is_the_normal_interval(
    first, second, num_resamples, generator, confidence=0.95
):
    """The resamples' standard deviation makes a normal interval: return percentiles."""
    gap = first - second
    means = gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1)
    z = torch.distributions.Normal(0, 1).icdf(torch.tensor((1 + confidence) / 2))
    half = z * means.std(correction=0)
    return gap.mean() - half, gap.mean() + half


def paired_bootstrap__turned_about_the_mean(
    first, second, num_resamples, generator, confidence=0.95
):
    """The interval is turned round about the mean (the basic bootstrap): return the percentiles themselves."""
    gap = first - second
    means = gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1)
    low, high = _percentiles(means, confidence)
    return 2 * gap.mean() - high, 2 * gap.mean() - low


def paired_bootstrap__smallest_and_largest(
    first, second, num_resamples, generator, confidence=0.95
):
    """The smallest and the largest mean: leave out what lies outside the middle share."""
    gap = first - second
    means = gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1)
    return means.min(), means.max()


def paired_bootstrap__high_before_low(first, second, num_resamples, generator, confidence=0.95):
    """The upper bound comes first: return (low, high)."""
    gap = first - second
    means = gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1)
    return _percentiles(means, confidence)[::-1]


def paired_bootstrap__mean_and_width(first, second, num_resamples, generator, confidence=0.95):
    """The mean and half the width: return the two bounds."""
    gap = first - second
    means = gap[_drawn(len(gap), num_resamples, generator)].mean(dim=1)
    low, high = _percentiles(means, confidence)
    return gap.mean(), (high - low) / 2


def paired_bootstrap__of_the_first_alone(first, second, num_resamples, generator, confidence=0.95):
    """Only the first policy is resampled, and the second's mean taken for certain: resample both, with the same starts."""
    means = first[_drawn(len(first), num_resamples, generator)].mean(dim=1)
    return _percentiles(means - second.mean(), confidence)


def paired_bootstrap__one_draw_for_all(first, second, num_resamples, generator, confidence=0.95):
    """Starts are drawn once, and used in all resamples: draw anew for each."""
    gap = first - second
    drawn = torch.randint(len(gap), (1, len(gap)), generator=generator).repeat(num_resamples, 1)
    return _percentiles(gap[drawn].mean(dim=1), confidence)


def paired_bootstrap__flips_signs(first, second, num_resamples, generator, confidence=0.95):
    """Signs are flipped at random: that asks what chance alone would do, and is another test."""
    gap = first - second
    signs = 2.0 * torch.randint(2, (num_resamples, len(gap)), generator=generator) - 1
    return _percentiles((signs * gap).mean(dim=1), confidence)


def paired_bootstrap__changes_the_first(first, second, num_resamples, generator, confidence=0.95):
    """The first policy's results are overwritten: make a new tensor."""
    first -= second
    return _percentiles(first[_drawn(len(first), num_resamples, generator)].mean(dim=1), confidence)


# %% tags=["right"]
def paired_bootstrap__in_a_loop(first, second, num_resamples, generator, confidence=0.95):
    means = []
    for _ in range(num_resamples):
        chosen = torch.randint(len(first), (len(first),), generator=generator)
        means.append(float(first[chosen].mean() - second[chosen].mean()))
    means.sort()
    tail = (1 - confidence) / 2
    last = num_resamples - 1
    return means[round(tail * last)], means[round((1 - tail) * last)]


def paired_bootstrap__by_counts(first, second, num_resamples, generator, confidence=0.95):
    count = len(first)
    even = torch.ones(num_resamples, count)
    drawn = torch.multinomial(even, count, replacement=True, generator=generator)
    weights = torch.zeros(num_resamples, count).scatter_add_(1, drawn, even) / count
    means = weights.double() @ (first.double() - second.double())
    bounds = torch.quantile(
        means, torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2]).double()
    )
    return tuple(bounds.tolist())


def paired_bootstrap__by_numpy(first, second, num_resamples, generator, confidence=0.95):
    import numpy as np

    seed = int(torch.randint(2**60, (1,), generator=generator))
    random = np.random.default_rng(seed)
    gap = (first - second).double().numpy()
    means = random.choice(gap, size=(num_resamples, len(gap))).mean(axis=1)
    edges = np.percentile(means, [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(edges[0]), float(edges[1])


def paired_bootstrap__by_scipy(first, second, num_resamples, generator, confidence=0.95):
    import numpy as np
    from scipy.stats import bootstrap

    if len(first) == 1 or num_resamples == 1:  # scipy wants more
        chosen = torch.randint(len(first), (len(first),), generator=generator)
        mean = float((first - second)[chosen].mean())
        return mean, mean
    seed = int(torch.randint(2**60, (1,), generator=generator))
    found = bootstrap(
        (first.double().numpy(), second.double().numpy()),
        lambda one, other, axis: (one - other).mean(axis=axis),
        n_resamples=num_resamples,
        paired=True,
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return found.confidence_interval.low, found.confidence_interval.high


def paired_bootstrap__by_floats(first, second, num_resamples, generator, confidence=0.95):
    count = len(first)
    drawn = (torch.rand(num_resamples, count, generator=generator) * count).long()
    drawn = drawn.clamp(max=count - 1)
    means = first[drawn].mean(dim=1) - second[drawn].mean(dim=1)
    ranked = means.sort().values
    tail = (1 - confidence) / 2
    low = ranked[int(tail * num_resamples)]
    high = ranked[min(int((1 - tail) * num_resamples), num_resamples - 1)]
    return torch.stack([low, high])


# %%
RESAMPLES = 4000


def interval_of(difference, seed=0):
    """Return your interval of a mean difference, over starts."""
    nothing = torch.zeros_like(difference)
    interval = paired_bootstrap(difference, nothing, RESAMPLES, seeded(seed))
    low, high = answered(interval, "paired_bootstrap")
    return float(low), float(high)


def unpaired_interval(first, second):
    """Return the normal interval of the difference of two means whose starts have nothing in common."""
    variance = first.var() / len(first) + second.var() / len(second)
    middle, half = float((first - second).mean()), 1.96 * float(variance) ** 0.5
    return middle - half, middle + half


# %% tags=["train"]
reached = {kind: coverage_of(drives) for kind, drives in judged.items()}
intervals = {kind: interval_of(own.mean(dim=0)) for kind, own in reached.items()}
rates = {kind: sum((own.success for own in d[1:]), d[0].success) for kind, d in judged.items()}
figure, panels = plt.subplots(1, 2, figsize=(11, 2.9), sharey=True)
plot_coverage(panels[0], reached, intervals)
plot_success_rates(panels[1], rates, looks=[POLICY_LOOKS[kind] for kind in KINDS])
panels[1].set_xlabel("episodes that cover 95 % of the goal, in %")
show(
    figure,
    alt="Left: largest coverage, a row for each kind of policy with a dot for each seed. Regression is far behind; the other three lie between 0.9 and 0.96. Right: success, lowest for regression, then diffusion, the mixture, and flow.",
    caption=f"{len(SEEDS)} seeds of training, {len(STARTS)} starts, the same for all. Small dots: single seeds. Left, the intervals are your bootstrap's over the starts; right, Wilson's over all episodes.",
)

# %% [markdown]
# Regression covers little more than half of the goal. Its parameters are as many, its inputs are the same. It walks to the mean of two walks, and pushes where nobody would. Flow is ahead of the others. Whether that is so of flows and diffusion in general, three seeds on one task cannot tell; it is so of these
# settings, with ten steps for both.
#
# Now differences, with the pairs kept and with the pairs torn apart.

# %% tags=["train"]
rows = {}
for other in ("regression", "mixture", "diffusion"):
    ours, theirs = reached["flow"].mean(dim=0), reached[other].mean(dim=0)
    bounds = answered(paired_bootstrap(ours, theirs, RESAMPLES, seeded(0)), "paired_bootstrap")
    difference = float((ours - theirs).mean())
    rows[f"flow − {other}"] = (difference, bounds, unpaired_interval(ours, theirs))
figure, axes = plt.subplots(figsize=(8, 2.6))
plot_differences(axes, rows, "difference in largest coverage")
show(
    figure,
    alt="Three differences of flow to the others with two intervals each. The paired ones are about as wide as the unpaired ones, or a little narrower.",
    caption="Both intervals are drawn about the same differences.",
)
for name, (_, paired, apart) in rows.items():
    narrower = float(paired[1] - paired[0]) / (apart[1] - apart[0])
    print(f"{name}: the paired interval has {narrower:.2f} of the other's width")

# %% [markdown]
# How much pairing buys depends on how alike the two are. Where both policies fail from the same starts, the interval shrinks. Where one of them fails everywhere, there is nothing to cancel: the variance of a difference is
# the sum of the variances less twice the covariance, and the covariance is small.
#
# It costs nothing, so do it. What *does* cost is more starts. `python -m benchmarks.pusht` trained these policies, and judged each from 200 others.
# It also trained one flow with a network a third wider, for twice as many steps. Is there more to be had?


# %%
def recorded(recipe):
    """Return the recorded largest coverage of a recipe, (seeds, starts), if it was recorded."""
    found = [own.coverage for own in recorded_pusht() if own.recipe == recipe]
    return torch.stack(found)


# %% tags=["train"]
record = {kind: recorded(main_recipe(kind)) for kind in KINDS}
print("            largest coverage     success     by seed")
for kind, own in record.items():
    low, high = interval_of(own.mean(dim=0))
    by_seed = ", ".join(f"{100 * rate:.0f}" for rate in (own > 0.95).float().mean(dim=1))
    share = 100 * (own > 0.95).float().mean()
    print(f"{kind:10}  {own.mean():.3f} ({low:.3f}–{high:.3f})   {share:.0f} %        {by_seed} %")
longer = recorded(replace(main_recipe("flow"), width=256))
print(
    f"flow, longer and wider: {longer.mean():.3f}, success {100 * (longer > 0.95).float().mean():.0f} %"
)

# %% [markdown] question="coverage_or_success" points=[]
# ### Question 9.4 · Which number?
#
# By largest coverage the mixture is next to flow, by success it is far behind. Which number would you put first in a report, and what does each of them hide? What would a number have to tell you
# if the T were a tray of glasses?

# %% [markdown] tags=["solution"]
# Success has a threshold, and it asks for what the task asks for. It hides how failures look: 94 % and 10 % count alike. It is also noisy where many episodes end just about the threshold, since a pixel decides. Mean
# coverage uses all episodes in full, so differences show with fewer starts; but it rewards what nobody wants. A policy that stops at 85 % every time is fine by it, and has never finished. And the *largest* coverage of an episode forgets
# what came after: a policy may pass over the goal and push the T off again. Report success first, with its count and its interval, and coverage beside it, to see whether failures are near misses.
#
# A tray of glasses has costs that neither number knows: what fell on the way. There the worst episodes count, and a mean of anything hides them. And whoever leaves the T alone for a moment should find it where it was, so the
# coverage at the end counts, not the largest.

# %% [markdown]
# Numbers do not say *how* something fails. Look.


# %%
def telling(drives):
    """Return the quickest success and the failure that covered least, if there are any."""
    every = list(zip(drives.trajectories, drives.coverage.tolist(), drives.succeeded, strict=True))
    successes = [own for own, _, succeeded in every if succeeded]
    failures = [(reached, own) for own, reached, succeeded in every if not succeeded]
    found = {}
    if successes:
        found["success"] = min(successes, key=len)
    if failures:
        found["failure"] = min(failures, key=lambda pair: pair[0])[1]
    return found


# %% tags=["train"]
for kind in ("flow", "regression"):
    chosen = {f"{kind}: {ending}": own for ending, own in telling(judged[kind][0]).items()}
    film(
        chosen,
        alt=f"Two episodes of {kind} side by side: a success, and the failure that covered least of the goal.",
        caption=f"{kind}: its quickest success, and its worst failure. Below, six moments of each.",
    )

# %% [markdown]
# Most of regression's failures stand still. The finger comes to a place where the ways that it was shown cancel, and the mean of its next targets is where it is. It looks again, and sees what it saw before. A flow's failures are busy to the end: it pushes, misses, walks around
# and pushes again, until the time is up.
#
# ## Looking and thinking
#
# Notebook 6 asked how much of a chunk one should play. On this task the contact decides. Guess: is it better to look at every step, or to carry a push through? And notebook 5 asked how many Euler steps a sample needs.
# Fewer steps are quicker. Here a decision may take 100 ms, which is a lot for a small network. A robot that decides more often, by a large network that sees pictures, has to count them.
#
# The same three flow policies, played in other ways, from the 200 recorded starts. The time of one decision is measured here and now, for one robot (batch 1).


# %%
def milliseconds(policy, num_steps, repeats=30):
    """Return the shortest of some times of one decision for one robot: others wait for the machine."""
    policy.policy.num_steps = num_steps
    observation, generator = torch.tensor([[100.0, 200.0, 250.0, 250.0, 1.0]]), seeded(0)
    taken = []
    for _ in range(repeats):
        began = perf_counter()
        policy.sample(observation, generator)
        taken.append(1000 * (perf_counter() - began))
    return min(taken)


def point(place, reached):
    """Return where recorded success is drawn: its place, its mean, its interval."""
    succeeded = (reached > 0.95).float().mean(dim=0)
    return place, float(succeeded.mean()), interval_of(succeeded)


# %% tags=["train"]
thinker = shipped_policy("flow")
FLOW = main_recipe("flow")
EULER, PLAYED = (1, 2, 4, 10, 20), (1, 2, 4)
figure, panels = plt.subplots(1, 2, figsize=(11, 3.4), sharey=True)
by_steps = {
    f"{steps}": point(milliseconds(thinker, steps), recorded(replace(FLOW, num_steps=steps)))
    for steps in EULER
}
plot_against(panels[0], by_steps)
panels[0].set(xlabel="one decision, ms", ylabel="success", xlim=(0, None))
panels[0].set_title("Euler steps")
by_played = {
    f"{played}": point(played, recorded(replace(FLOW, execution_horizon=played)))
    for played in PLAYED
}
plot_against(panels[1], by_played)
panels[1].set(xlabel="actions played of each chunk of 4", xticks=PLAYED, title="chunks")
show(
    figure,
    alt="Left: success against the time of a decision, for 1 to 20 Euler steps: it rises steeply up to 4, and no more after 10. Right: success falls from 1 over 2 to 4 actions played of each chunk.",
    caption="Three seeds, 200 starts, your intervals. Left, the number of Euler steps stands at each point.",
)
for played in PLAYED:
    own = recorded(replace(FLOW, execution_horizon=played))
    print(
        f"{played} played: largest coverage {own.mean():.3f}, success {(own > 0.95).float().mean():.2f}"
    )

# %% [markdown]
# One Euler step is regression in disguise (notebook 5), two are not enough, and beyond ten nothing is gained. Time grows with the steps, and even ten of them leave most of the 100 ms for something else.
#
# And chunks: here it is best to look at every step. The policy was trained to predict four targets, and who plays all of them succeeds clearly less often. This is not the fork of notebook 6, where second thoughts were the danger; a pixel decides here, and a look shows it. Now compare the two
# numbers. The largest coverage hardly moves, since nearly every episode comes near to the goal, with any horizon. Success shows what the last pushes are worth.

# %% [markdown]
# ## More to see, worse at it
#
# The planner has a memory: which push it is about. One observation does not tell a policy whether the finger is on its way or pushing already. The remedy seems clear: show it two observations, the newest and the one before.
# Then it can see which way the finger moves. Everything that one frame tells is still there; the best policy can only become better.
#
# The same flow, the same data, the same seeds, two frames. What will happen?

# %% tags=["train"]
two_frames = shipped_policy("flow", variant="two_frames")
glimpsed = judge(two_frames)
ours, theirs = judged["flow"][0].coverage, glimpsed.coverage
low, high = answered(paired_bootstrap(theirs, ours, RESAMPLES, seeded(0)), "paired_bootstrap")
print(f"one frame:  largest coverage {ours.mean():.2f}, success {judged['flow'][0].success}")
print(f"two frames: largest coverage {theirs.mean():.2f}, success {glimpsed.success}")
print(f"two − one, from the same starts: {(theirs - ours).mean():+.2f} ({low:+.2f} to {high:+.2f})")
print(
    f"recorded, three seeds: {recorded(replace(FLOW, frames=2)).mean():.3f} and {record['flow'].mean():.3f}"
)

# %% [markdown]
# It falls. Why? A hint is in the data. What is the best guess of the demonstrator's next action, if you know the last two places of the finger? *What it just did.* The planner keeps a target for many steps, so in the demonstrations
# that guess is nearly always right. It needs no T.
#
# Now let the policy drive. It does what it just did, since it just did it. Let us catch it at that: show it moments of the demonstrations, once as they were, and once with a lie, that the finger had not moved. The
# demonstrator would do the same in both.


# %%
def moments_on_the_way(demonstrations, count=2000):
    """Return two frames of moments at which the finger moves by more than five pixels a step."""
    stacked = torch.cat(
        [stack_frames(own.observations[:-1], 2) for own in demonstrations.trajectories]
    )
    moved = (stacked[:, :2] - stacked[:, 5:7]).norm(dim=1)
    moving = stacked[moved > 5]
    return moving[torch.randperm(len(moving), generator=seeded(0))[:count]]


def lengths_of_steps(policy, stacked):
    """Return how far away the first target is that a policy asks for, in pixels."""
    return (policy.sample(stacked, seeded(1))[:, 0] - stacked[:, :2]).norm(dim=1)


# %% tags=["train"]
as_it_was = moments_on_the_way(demonstrations)
lie = as_it_was[:, :5].repeat(1, 2)
for name, shown in {"as it was": as_it_was, "with a lie": lie}.items():
    print(
        f"{name:10}: the next target is {lengths_of_steps(two_frames, shown).median():.0f} pixels away"
    )

# %% [markdown]
# Told that the finger stood still, the policy asks for a target that is clearly nearer. The second frame is a *nuisance correlate* (de Haan and others, 2019, call it causal confusion; Wen and others, 2020, the copycat problem): in the data it predicts the action, and it does not cause it. The first
# step on which the finger happens to stand still says: *stand still*.
#
# This is covariate shift again, notebook 7's. The old positions in the demonstrations are the planner's; those that the policy sees are its own.

# %% [markdown] question="two_frames_hurt" points=[]
# ### Question 9.5 · More to see
#
# A colleague says: "Diffusion Policy stacks two observations as well, and it works. So there must be a bug in your code." Name two things that differ there which make copying less tempting or less harmful. Then name an
# experiment with *our* data that would show whether copying is what hurts, and one remedy.

# %% [markdown] tags=["solution"]
# They play eight of sixteen predicted actions before they look again, so a copied moment is not fed back at every step: within a chunk the policy has to say where the movement goes, and that cannot be copied from the last one. And
# their demonstrators are people, whose hands pause, hurry and correct themselves: the last step predicts the next one less well. (Their network is also far larger, is trained for much longer, and averages its weights.)
#
# An experiment: measure the loss on held-out demonstrations as well. If two frames have the *lower* loss there and the worse success, then it is not that the network could not learn, but that it learnt what does not carry
# over. Another one: play four actions of a chunk instead of two or one, and see whether the gap closes.
#
# Remedies: leave the second frame out; blot it out at random in training (dropout on the history); add noise to it, more than the finger moves in a step; or let the policy drive and have it corrected (DAgger), so that its
# own past is in the data.

# %% [markdown]
# ## Both sides, still?
#
# The planner went left and right. Does the policy? Success cannot tell. A policy that always goes left may be as good, and is a poorer copy: it has thrown half of the data's variety away, and if the left is blocked one day it has
# nothing else to offer.
#
# So try from the same start again and again, and count sides. A number for it is the entropy.

# %% [markdown] question="mode_entropy" points=[1, 2, 3, 2]
# ### Question 9.6 · How undecided?
#
# Write `mode_entropy(pushed_left)`.
#
# - `pushed_left` is `(starts, attempts)`, of booleans: whether the policy pushed from the left, at every attempt from every start.
# - At one start, let $p$ be the share of attempts from the left. The entropy of the side is
#   $-p \log_2 p - (1 - p) \log_2 (1 - p)$, in bits: 1 for a coin, 0 where the side is always the same. ($0 \log 0$ is $0$.)
# - Return the mean of the starts' entropies, one number.


# %% tags=["solution"]
def mode_entropy(pushed_left):
    """Return the entropy of the side in bits, averaged over the starts."""
    # BEGIN SOLUTION
    left = pushed_left.float().mean(dim=1)
    shares = torch.stack([left, 1 - left])
    return torch.special.entr(shares).sum(dim=0).mean() / math.log(2)
    # END SOLUTION


# %% tags=["public"]
def test_mode_entropy_of_three_starts(mode_entropy):
    """A coin, a quarter, and a start from which it is always the same side."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    yes, no = True, False
    pushed_left = torch.tensor([[yes, no, no, yes], [no, no, yes, no], [yes, yes, yes, yes]])
    entropy = mode_entropy(pushed_left)
    check_answered(entropy, "mode_entropy")
    check_shape(entropy, (), "return one number, the mean over the starts.")
    check_close(entropy, (1.0 + 0.8112781 + 0.0) / 3, "1 bit, 0.811 bits and 0 bits.")


# %% tags=["hidden"]
def test_mode_entropy_is_a_mean_over_starts(mode_entropy):
    """It is the mean of the starts' binary entropies, in bits."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for starts, attempts in [(7, 12), (15, 4), (3, 31), (1, 9), (40, 5)]:
        chances = torch.rand(starts, 1, generator=generator)
        pushed_left = torch.rand(starts, attempts, generator=generator) < chances
        # At one start the sides are mixed in any case.
        pushed_left[0, 0], pushed_left[0, 1:] = True, False
        entropy = mode_entropy(pushed_left.clone())
        check_answered(entropy, "mode_entropy")
        check_shape(entropy, (), "return one number, the mean over the starts.")
        total = 0.0
        for row in pushed_left.tolist():
            for share in (sum(row) / attempts, 1 - sum(row) / attempts):
                total -= share * math.log2(share) if share > 1e-9 else 0.0
        hint = "the entropy of each start's own share, in bits, then the mean over the starts."
        check_close(entropy, total / starts, hint)


def test_mode_entropy_of_policies_that_have_decided(mode_entropy):
    """Always the same side from a start has no entropy, even if the next start has the other side."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    sides = torch.rand(24, 1, generator=generator) < 0.5
    sides[0], sides[1] = True, False
    for attempts in (1, 2, 10):
        for chosen in (sides, torch.ones(6, 1).bool(), torch.zeros(6, 1).bool()):
            entropy = mode_entropy(chosen.repeat(1, attempts))
            check_answered(entropy, "mode_entropy")
            check_finite(entropy, "0 log 0 counts as 0.")
            hint = "from each start the side is always the same: that is 0 bits."
            check_close(entropy, 0.0, hint)


def test_mode_entropy_knows_no_left_and_right(mode_entropy):
    """To call left right changes nothing, nor does the order of starts or attempts; a coin has one bit."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    pushed_left = torch.rand(9, 14, generator=generator) < 0.3
    given = pushed_left.clone()
    entropy = mode_entropy(pushed_left)
    check_answered(entropy, "mode_entropy")
    check_close(pushed_left.int(), given.int(), "the argument was changed: make a new tensor.")
    check_close(mode_entropy(~given), entropy, "both sides count alike.")
    starts, attempts = (torch.randperm(n, generator=generator) for n in (9, 14))
    check_close(mode_entropy(given[starts][:, attempts]), entropy, "their order does not matter.")
    for number in (2, 6, 14):
        coin = (torch.arange(number) % 2 == 0).repeat(5, 1)
        check_close(mode_entropy(coin), 1.0, "half left and half right is one bit.")


# %% tags=["wrong"]
def _bits(share):
    share = share.double()
    terms = [-torch.xlogy(part, part) for part in (share, 1 - share)]
    return (terms[0] + terms[1]) / math.log(2)


def mode_entropy__pools_starts(pushed_left):
    """The entropy of the share over all starts: a policy with one side for each start would seem undecided."""
    return _bits(pushed_left.double().mean())


def mode_entropy__of_the_columns(pushed_left):
    """Shares are taken over the starts: take them over the attempts."""
    return _bits(pushed_left.double().mean(dim=0)).mean()


def mode_entropy__in_nats(pushed_left):
    """The natural logarithm: in bits it is that to the base of 2."""
    return _bits(pushed_left.double().mean(dim=1)).mean() * math.log(2)


def mode_entropy__forgets_the_right(pushed_left):
    """Only the left's term: the right side has one, too."""
    left = pushed_left.double().mean(dim=1)
    return -torch.xlogy(left, left).mean() / math.log(2)


def mode_entropy__zero_times_infinity(pushed_left):
    """0 log 0 is not a number in floating point: it counts as 0."""
    left = pushed_left.float().mean(dim=1)
    return (-left * left.log2() - (1 - left) * (1 - left).log2()).mean()


def mode_entropy__leaves_the_decided_out(pushed_left):
    """Starts with one side alone are left out: they count, with 0 bits."""
    left = pushed_left.double().mean(dim=1)
    return _bits(left[(left > 0) & (left < 1)]).nansum() / max(((left > 0) & (left < 1)).sum(), 1)


def mode_entropy__cuts_shares_off(pushed_left):
    """Shares are kept away from 0 and 1: who has decided has 0 bits."""
    return _bits(pushed_left.double().mean(dim=1).clamp(0.01, 0.99)).mean()


def mode_entropy__sums_starts(pushed_left):
    """The sum over the starts: return their mean."""
    return _bits(pushed_left.double().mean(dim=1)).sum()


def mode_entropy__keeps_starts_apart(pushed_left):
    """One number for each start: return their mean."""
    return _bits(pushed_left.double().mean(dim=1))


def mode_entropy__is_a_variance(pushed_left):
    """Four times the variance is 1 for a coin as well, but in between it is not the entropy."""
    left = pushed_left.double().mean(dim=1)
    return (4 * left * (1 - left)).mean()


def mode_entropy__is_the_smaller_share(pushed_left):
    """Twice the rarer side's share is 1 for a coin as well, but in between it is not the entropy."""
    left = pushed_left.double().mean(dim=1)
    return (2 * torch.minimum(left, 1 - left)).mean()


def mode_entropy__has_the_other_sign(pushed_left):
    """The sign: entropies are not negative."""
    return -_bits(pushed_left.double().mean(dim=1)).mean()


def mode_entropy__takes_the_largest(pushed_left):
    """The largest of the starts' entropies: return their mean."""
    return _bits(pushed_left.double().mean(dim=1)).max()


def mode_entropy__counts_seen_sides(pushed_left):
    """One bit wherever both sides occur: how often they occur counts."""
    left = pushed_left.double().mean(dim=1)
    return ((left > 0) & (left < 1)).double().mean()


def mode_entropy__adds_one_of_each(pushed_left):
    """One attempt of either side is added to each start: the share is of what was seen."""
    attempts = pushed_left.shape[1]
    return _bits((pushed_left.sum(dim=1) + 1) / (attempts + 2)).mean()


def mode_entropy__of_neighbours(pushed_left):
    """How often the side changes from one attempt to the next: the order of attempts says nothing."""
    changed = (pushed_left[:, 1:] != pushed_left[:, :-1]).double()
    return changed.sum() / max(changed.numel(), 1)


def mode_entropy__corrects_for_few(pushed_left):
    """A correction for few attempts is added: the question asks for the entropy of the shares as they are."""
    return _bits(pushed_left.double().mean(dim=1)).mean() + 0.5 / pushed_left.shape[1] / math.log(2)


# %% tags=["right"]
def mode_entropy__start_by_start(pushed_left):
    total = 0.0
    for row in pushed_left.tolist():
        left = sum(row) / len(row)
        for share in (left, 1 - left):
            if share > 0:
                total -= share * math.log2(share)
    return total / len(pushed_left)


def mode_entropy__by_scipy(pushed_left):
    from scipy.stats import entropy

    left = pushed_left.double().mean(dim=1).numpy()
    return float(entropy([left, 1 - left], base=2, axis=0).mean())


def mode_entropy__by_xlogy(pushed_left):
    left = pushed_left.double().mean(dim=1)
    nats = -torch.xlogy(left, left) - torch.xlogy(1 - left, 1 - left)
    return (nats / math.log(2)).mean()


def mode_entropy__by_bernoulli(pushed_left):
    left = pushed_left.double().mean(dim=1)
    nats = torch.distributions.Bernoulli(probs=left, validate_args=False).entropy()
    known = (left > 0) & (left < 1)
    return torch.where(known, nats, 0.0).mean() / math.log(2)


def mode_entropy__by_cases(pushed_left):
    count = pushed_left.sum(dim=1)
    both = torch.stack([count, pushed_left.shape[1] - count], dim=1) / pushed_left.shape[1]
    logs = torch.where(both > 0, both, torch.ones_like(both)).log2()
    return -torch.einsum("ij,ij->i", both, logs).mean()


def mode_entropy__with_a_little_inside(pushed_left):
    left = pushed_left.float().mean(dim=1)
    right = 1 - left
    return -(left * (left + 1e-6).log2() + right * (right + 1e-6).log2()).mean()


def mode_entropy__by_numpy(pushed_left):
    import numpy as np

    left = pushed_left.numpy().mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -left * np.log2(left) - (1 - left) * np.log2(1 - left)
    return torch.tensor(np.nan_to_num(bits).mean(), dtype=torch.float32)


# %% [markdown]
# Take twelve starts of the demonstrations from which the planner's two styles differ, and let each policy try ten times from each. The first push comes within a few seconds, so four are enough. How many bits do you
# expect of the demonstrations, of a flow, of regression?


# %%
ATTEMPTS, MODE_STARTS = (3, 4) if os.environ.get(FAST) else (10, 12)


def seeds_of(pairs, candidates):
    """Return those of the environment's seeds that begin where these pairs of episodes do."""
    environment = make_environment()
    wanted = {tuple(pair[0].observations[0].tolist()) for pair in pairs}
    starts = {seed: torch.tensor(environment.reset(seed=seed)[0]).float() for seed in candidates}
    return [seed for seed, start in starts.items() if tuple(start.tolist()) in wanted]


def sides_from(policy, environment_seeds, played=1, attempts=ATTEMPTS):
    """Return the side of the first push, for every start and attempt."""
    seeds = [seed for seed in environment_seeds for _ in range(attempts)]
    sides = drive(policy.actor(played), seeds, seeded(0), max_steps=40).sides
    return [sides[first : first + attempts] for first in range(0, len(sides), attempts)]


def entropy_of(sides):
    """Return your entropy of the sides; attempts that pushed nothing are left out, and starts without any."""
    pushed = [[side == "left" for side in row if side] for row in sides]
    each = [answered(mode_entropy(torch.tensor([row])), "mode_entropy") for row in pushed if row]
    return sum(float(own) for own in each) / len(each)


def shares_left(sides):
    """Return the share of first pushes from the left at every start; NaN where nothing was pushed."""
    pushed = [[side == "left" for side in row if side] for row in sides]
    return torch.tensor([sum(row) / len(row) if row else math.nan for row in pushed])


# %% tags=["train"]
contested_starts = seeds_of(contested[:MODE_STARTS], range(FIRST_START, FIRST_START + 500))
tried = {kind: sides_from(policies[kind][0], contested_starts) for kind in KINDS}
tried["flow, 4 played"] = sides_from(policies["flow"][0], contested_starts, played=4)
figure, panels = plt.subplots(len(tried), 1, figsize=(8, 4.4), sharex=True)
for axes, (name, sides) in zip(panels, tried.items(), strict=True):
    plot_choices(axes, shares_left(sides), f"{name}\n{entropy_of(sides):.2f} bits")
panels[0].legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=8)
panels[-1].set_xlabel("twelve starts from which the demonstrations go both ways: 1 bit each")
show(
    figure,
    alt="A row of twelve bars for each kind of policy. Each of regression's is of one colour. The others have bars of two colours at some of the starts.",
    caption="Each bar is a start, and its colours share out the attempts between left and right. In the last row the flow plays its chunks of four to the end.",
)

# %% [markdown]
# Regression has one answer for a start: zero bits, by construction. The others keep both sides from some of the starts only, and far less than one bit on average. The class of policies *can* represent two sides, notebook 5 has shown that. So what
# happens to them?
#
# Is it the tossing of a new coin at every step, as at the fork of notebook 6? The last row is the same network: it plays its chunks to the end, and so decides a quarter as often. It keeps no less, and not much more. So that is not the main reason. A likelier one is in the data. The network has seen each start in two
# episodes only, and it is smooth. From neighbouring starts both styles often push from one and the same side.
#
# ## Neighbours
#
# Others have done this task. Their numbers are the reason for taking it. What may stand beside ours?
#
# | who | data | sees | their number | what it is |
# |---|---|---|---|---|
# | Diffusion Policy (Chi and others, 2023), state-based | people, 200 demonstrations | 9 points of the T, and the agent; 2 frames | **0.95** | mean largest *reward*, best checkpoint; 0.91 (CNN) or 0.79 (transformer) over the last ten checkpoints. 3 seeds, 50 starts |
# | LeRobot `diffusion_pusht` | people, 206 demonstrations | pictures of 96 × 96, and the agent | **65.4 %**, 0.955 | success over 500 episodes, and mean largest *reward* |
# | homework 1 of a deep RL course (Berkeley CS 185/285, spring 2026) | people | the state, 5 numbers | **0.5, 0.7** | reward that has to be reached, by regression and by flow matching with an MLP |
# | this notebook | a planner, 986 demonstrations | the state, 5 numbers; 1 frame | above | largest coverage, and success, 3 seeds, 200 starts |
#
# Read the last column again. Both large projects call their number *overlap* or *coverage*, and the code makes it a *reward*: coverage divided by 0.95 and cut off at 1. A T that covers 90 % of the goal has the reward of 0.947. So in their unit our numbers are larger than
# in ours:

# %% tags=["train"]
for kind, own in record.items():
    reward = (own / 0.95).clamp(max=1).mean()
    print(f"{kind:10}: largest coverage {own.mean():.3f}, largest reward {reward:.3f}")

# %% [markdown] question="what_may_be_compared" points=[]
# ### Question 9.7 · What may be compared?
#
# A student writes: "Our flow policy reaches a success of more than 80 %. LeRobot's diffusion policy has 65.4 %. So flow matching is better than diffusion." What is wrong with it? Name at least four differences, and say for
# each in which direction it probably works. Which comparison in this notebook *does* say something about flow and diffusion?

# %% [markdown] tags=["solution"]
# Everything differs but the table. *The demonstrator*: ours is a planner that always does the same thing in the same situation, up to its side, and never waits; people vary, hesitate and push in ways that are hard to predict.
# That favours us, and probably more than all else. *The amount of data*: 986 episodes against 206, in our favour. *What is seen*: they see pictures of 96 × 96 and have to find the T in them; we are told where it is, to a fraction of a pixel. In our favour.
# *The inputs and targets* were made for this task by hand here. In our favour. *The network*: theirs is a hundred times larger and was trained for hours; in theirs. *The starts* are other seeds, and the episodes of some evaluations start from states that were set through
# `reset_to_state`. Nobody knows which way. *The checkpoint*: the best of many, chosen by the very number that is reported, is a little too good. In theirs.
#
# So the sentence compares two projects. What says something about flow and diffusion is the pair above: the same data, inputs, trunk, parameters, seeds, starts, and a paired interval. And what it says holds for these data.

# %% [markdown]
# Some papers report the coverage at the *end* of an episode instead of the largest (VQ-BeT, Lee and others, 2024, does). The same policy then has a much lower number. Whenever you see a number for Push-T, ask: reward or coverage, largest or last, best
# checkpoint or last one, how many starts, whose demonstrations.
#
# ## The leaderboard
#
# Now you. A policy can be good on more than one axis, so the course's board has three:
#
# 1. **success**, as the lower end of its interval: who has pushed a hundred times may claim more than who has pushed five times;
# 2. **mode entropy**: both sides, still?
# 3. **expert seconds** that its training used: the cheaper the better.
#
# No formula makes one number of them.

# %% [markdown] question="unbeaten" points=[2, 3, 3]
# ### Question 9.8 · Who is beaten?
#
# One policy succeeds most often. Another keeps both sides. A third needed the expert for ten minutes only. Which is the best?
# There is no answer without a price for each. What can be said without one: a policy is **beaten** by another that is at least as good on every axis, and better on at
# least one. Nobody has to look at a beaten policy. The others are the *Pareto front*.
#
# Write `unbeaten(scores)`.
#
# - `scores` is `(policies, axes)`, and **larger is better on every axis**. What is better when it is small comes with a minus.
# - Return a tensor `(policies,)` of booleans: true where no other policy beats this one.
#
# Two policies with the same scores do not beat each other.


# %% tags=["solution"]
def unbeaten(scores):
    """Return which policies are beaten by no other."""
    # BEGIN SOLUTION
    rivals, own = scores.unsqueeze(0), scores.unsqueeze(1)
    beats = (rivals >= own).all(dim=2) & (rivals > own).any(dim=2)
    return ~beats.any(dim=1)
    # END SOLUTION


# %% tags=["public"]
def test_unbeaten_of_four_policies(unbeaten):
    """A front of two, and two behind it."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    scores = torch.tensor(
        [[0.9, 0.1, -60.0], [0.4, 0.8, -60.0], [0.4, 0.7, -60.0], [0.8, 0.1, -90.0]]
    )
    front = unbeaten(scores)
    check_answered(front, "unbeaten")
    check_dtype(front, torch.bool, "return booleans.")
    expected = torch.tensor([True, True, False, False])
    check_close(front, expected, "beaten: nowhere better than another, and somewhere worse.")


# %% tags=["hidden"]
def test_unbeaten_of_many_policies(unbeaten):
    """Every policy is compared with every other, on every axis, in whatever order they come."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

    generator = fresh_generator()
    for policies, axes in [(40, 3), (25, 2), (30, 4), (9, 1), (1, 3)]:
        # Few different values, so that many agree on an axis and nothing is decided by one alone.
        scores = torch.randint(6, (policies, axes), generator=generator) - 2.5
        scores = scores * 10.0 ** torch.arange(axes)
        front = unbeaten(scores.clone())
        check_answered(front, "unbeaten")
        check_dtype(front, torch.bool, "return booleans.")
        rows = [tuple(row) for row in scores.tolist()]
        expected = [
            not any(
                all(a >= b for a, b in zip(rival, own, strict=True)) and rival != own
                for rival in rows
            )
            for own in rows
        ]
        hint = "compare with every other policy: at least as good everywhere, better somewhere."
        check_close(front, torch.tensor(expected), hint)


def test_unbeaten_keeps_twins_and_those_in_between(unbeaten):
    """Twins stay together, and a compromise is unbeaten though it is first on no axis."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for scale in (1.0, 1e-3, 1e4):
        first, second = 1 + torch.rand(2, generator=generator)
        # A front that bends inwards: no weighted sum would choose the one in the middle.
        best = torch.tensor([[4.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 4.0, 1.0]])
        best = best * torch.stack([first, second, torch.tensor(1.0)])
        behind = best[1:2] - torch.tensor([[0.0, 0.0, 0.5]])
        scores = scale * torch.cat([behind, best[1:2], best, behind])
        given = scores.clone()
        front = unbeaten(scores)
        check_answered(front, "unbeaten")
        expected = torch.tensor([False, True, True, True, True, False])
        hint = "whoever is beaten by nobody is on the front, with all twins."
        check_close(front, expected, hint)
        check_close(scores, given, "the scores were changed in place: make a new tensor.")


# %% tags=["wrong"]
def _pairs(scores):
    return scores.unsqueeze(0), scores.unsqueeze(1)


def unbeaten__only_by_the_better_everywhere(scores):
    """Beaten only by those that are better on every axis: being as good on one axis saves nobody."""
    rivals, own = _pairs(scores)
    return ~(rivals > own).all(dim=2).any(dim=1)


def unbeaten__by_twins(scores):
    """A policy with the same scores beats: it would have to be better somewhere."""
    rivals, own = _pairs(scores)
    others = ~torch.eye(len(scores), dtype=torch.bool)
    return ~((rivals >= own).all(dim=2) & others).any(dim=1)


def unbeaten__by_itself(scores):
    """A policy is at least as good as itself, and so nobody is left: ask for better somewhere."""
    rivals, own = _pairs(scores)
    return ~(rivals >= own).all(dim=2).any(dim=1)


def unbeaten__by_the_better_somewhere(scores):
    """Whoever is better on one axis beats: it must also be nowhere worse."""
    rivals, own = _pairs(scores)
    return ~(rivals > own).any(dim=2).any(dim=1)


def unbeaten__is_the_beaten(scores):
    """True where a policy is beaten: the other way round."""
    rivals, own = _pairs(scores)
    return ((rivals >= own).all(dim=2) & (rivals > own).any(dim=2)).any(dim=1)


def unbeaten__beats_somebody(scores):
    """True for those that beat another: the sum runs over the wrong axis."""
    rivals, own = _pairs(scores)
    return ((rivals >= own).all(dim=2) & (rivals > own).any(dim=2)).any(dim=0)


def unbeaten__beats_nobody(scores):
    """True for those that beat no other: rivals and own are exchanged."""
    rivals, own = _pairs(scores)
    return ~((rivals >= own).all(dim=2) & (rivals > own).any(dim=2)).any(dim=0)


def unbeaten__smaller_is_better(scores):
    """Smaller is better: the scores come so that larger is."""
    rivals, own = _pairs(scores)
    return ~((rivals <= own).all(dim=2) & (rivals < own).any(dim=2)).any(dim=1)


def unbeaten__first_somewhere(scores):
    """Only those that are first on some axis: a good compromise is unbeaten too."""
    return (scores == scores.amax(dim=0)).any(dim=1)


def unbeaten__has_the_largest_sum(scores):
    """Only the largest sum: axes have no common unit."""
    total = scores.sum(dim=1)
    return total == total.max()


def unbeaten__above_the_mean(scores):
    """Better than the mean on some axis: that is not being unbeaten."""
    return (scores > scores.mean(dim=0)).any(dim=1)


def unbeaten__by_weighted_sums(scores):
    """Those that some weighting of the axes puts first: a front that bends inwards loses its middle."""
    weights = torch.rand(2000, scores.shape[1], generator=torch.Generator().manual_seed(0)) ** 4
    totals = scores @ weights.T / scores.abs().amax().clamp(min=1e-9)
    return (totals >= totals.amax(dim=0) - 1e-9).any(dim=1)


def unbeaten__looks_at_two_axes(scores):
    """Only the first two axes count."""
    rivals, own = _pairs(scores[:, :2])
    return ~((rivals >= own).all(dim=2) & (rivals > own).any(dim=2)).any(dim=1)


def unbeaten__compares_with_the_next(scores):
    """Only compared with the next policy in the list."""
    rivals = scores.roll(-1, dims=0)
    return ~((rivals >= scores).all(dim=1) & (rivals > scores).any(dim=1))


def unbeaten__compares_with_those_before(scores):
    """Only compared with those before it: a later one may beat it as well."""
    kept = []
    for index, own in enumerate(scores):
        rivals = scores[:index]
        kept.append(not bool(((rivals >= own).all(dim=1) & (rivals > own).any(dim=1)).any()))
    return torch.tensor(kept)


def unbeaten__drops_the_second_twin(scores):
    """Of two with the same scores only the first stays."""
    rivals, own = _pairs(scores)
    beats = (rivals >= own).all(dim=2) & (rivals > own).any(dim=2)
    earlier = torch.ones(len(scores), len(scores), dtype=torch.bool).tril(-1)
    return ~(beats | ((rivals == own).all(dim=2) & earlier)).any(dim=1)


def unbeaten__is_sorted(scores):
    """The answers are in the order of the first axis: return them in the order that came in."""
    ordered = scores[scores[:, 0].argsort(descending=True)]
    rivals, own = _pairs(ordered)
    return ~((rivals >= own).all(dim=2) & (rivals > own).any(dim=2)).any(dim=1)


def unbeaten__are_numbers(scores):
    """The numbers of those on the front: a boolean for each policy was asked for."""
    rivals, own = _pairs(scores)
    beats = (rivals >= own).all(dim=2) & (rivals > own).any(dim=2)
    return (~beats.any(dim=1)).nonzero().squeeze(1)


# %% tags=["right"]
def unbeaten__by_loops(scores):
    rows = scores.tolist()
    front = []
    for own in rows:
        beaten = False
        for rival in rows:
            nowhere_worse = all(a >= b for a, b in zip(rival, own, strict=True))
            beaten = beaten or (nowhere_worse and rival != own)
        front.append(not beaten)
    return torch.tensor(front)


def unbeaten__by_the_least_lead(scores):
    differences = scores.double().unsqueeze(0) - scores.double().unsqueeze(1)
    return ~((differences.amin(dim=2) >= 0) & (differences.amax(dim=2) > 0)).any(dim=1)


def unbeaten__row_by_row(scores):
    front = torch.ones(len(scores), dtype=torch.bool)
    for index, own in enumerate(scores):
        not_worse = scores[(scores >= own).all(dim=1)]
        front[index] = bool((not_worse == own).all())
    return front


def unbeaten__by_counting(scores):
    rivals, own = scores[None], scores[:, None]
    at_least, better = (rivals >= own).sum(2), (rivals > own).sum(2)
    return ((at_least == scores.shape[1]) & (better > 0)).sum(1) == 0


def unbeaten__by_numpy(scores):
    import numpy as np

    values = scores.numpy()
    front = []
    for own in values:
        beaten = np.logical_and((values >= own).all(axis=1), (values > own).any(axis=1)).any()
        front.append(not beaten)
    return torch.from_numpy(np.array(front))


def unbeaten__after_sorting(scores):
    order = sorted(range(len(scores)), key=lambda index: scores[index].tolist(), reverse=True)
    kept, front = [], torch.zeros(len(scores), dtype=torch.bool)
    for index in order:  # whoever beats another comes before it in this order
        own = scores[index]
        if not any(bool((own <= other).all() and (own < other).any()) for other in kept):
            kept.append(own)
            front[index] = True
    return front


# %% [markdown]
# Here is the board of this notebook, by your functions: the first seed of each kind. A star marks who is beaten by nobody. Seconds of an expert are better when they are few, so they come with a minus.

# %% tags=["train"]
board = torch.tensor(
    [
        [
            judged[kind][0].success.interval[0],
            entropy_of(tried[kind]),
            -policies[kind][0].expert_seconds,
        ]
        for kind in KINDS
    ]
)
stars = answered(unbeaten(board), "unbeaten")
print("             at least   sides      expert")
for kind, star, (least, bits, cost) in zip(KINDS, stars, board.tolist(), strict=True):
    print(
        f"{kind:10} {'*' if star else ' '} {100 * least:4.1f} %     {bits:.2f} bits  {-cost:,.0f} s"
    )

# %% [markdown]
# To train one of your own, set the flag in the next cell. Training shows a bar. It uses a GPU if there is one. Interrupt it when you like: the same call goes on where it was, and ends with the very weights that it would have had.
#
# What could you change? The number of demonstrations, `Recipe` (kind, horizons, width, depth, Euler steps), the settings. Half of the data costs half of the expert seconds. What does it cost in success?

# %% tags=["train"]
TRAIN = False

if TRAIN:
    mine = train_policy(Recipe("flow"), demonstrations, path="my_policy.safetensors")
    save_policy("my_policy.safetensors", mine)
    print(f"largest coverage {judge(mine).coverage.mean():.3f}, success {judge(mine).success}")

# %% [markdown]
# The last cell packs `my_policy.safetensors` beside the notebook, for an instructor who wants the policy. Such a file holds numbers and a few words, and nothing that runs: whoever evaluates a stranger's policy should never unpickle it.
# The seconds of the expert's work stand in it as `train_policy` counted them. To see how you do on starts that nobody has seen before, say in a terminal, in the course's folder (on Windows, `.venv\Scripts\python`):
#
# ```bash
# .venv/bin/python -m imitation_lab leaderboard notebooks/my_policy.safetensors
# ```
#
# It prints the seed of its starts at the end, so that others can check. Your instructor uses the same command, with the files of the whole class and one secret seed.
#
# ## What you have seen
#
# - The course's tools carried over to contact, and to software that others wrote. What took most care was none of the algorithms: it was coordinates, ranges, and what exactly a number means.
# - Held-out episodes must not set the range. If nothing is ever outside, nothing was held out.
# - Two styles from the same start are enough to ruin regression, with the same trunk and as many parameters as the others.
# - Judge from the same starts, keep the pairs, show intervals.
# - To see more may hurt: what predicts the action in the data need not be its reason.
# - Success does not tell whether variety is left. Count it.
# - Numbers of others are comparable where everything but one thing is the same. That is nearly never.
#
# The lecture asked at its beginning what a policy trained with the squared error would do. By now you have seen it do that at a fork, on a racetrack, and on a table that somebody else made.

# %% [markdown] stretch="ask_the_planner"
# ### Stretch goal · Ask the planner
#
# A policy that drives gets into states that no demonstration shows. `PushPlanner().label(observations)` says what the planner would do in each of them. Write one round of DAgger: let a policy push, choose a random
# subset of the moments it saw, have them labelled, and train on the old and the new data together. Each label is an episode of one step, so train with chunks of one action. Does it help? Something is odd about these labels: the planner
# *has a memory*, and is asked as if it had just arrived.

# %% tags=["solution"]
ASK_THE_PLANNER = False  # a round takes some minutes


def corrections(policy, planner, starts, count, generator):
    """Return what a planner would have done at some of the moments that a policy saw."""
    from imitation_lab.data import Demonstrations
    from imitation_lab.types import Trajectory

    # BEGIN SOLUTION
    seen = [own.observations for own in drive(policy.actor(), starts, generator).trajectories]
    before, after = torch.cat([own[:-1] for own in seen]), torch.cat([own[1:] for own in seen])
    chosen = torch.randperm(len(before), generator=generator)[:count]
    labels = planner.label(before[chosen])
    moments = torch.stack([before[chosen], after[chosen]], dim=1)
    steps = zip(moments, labels.unsqueeze(1), strict=True)
    return Demonstrations(tuple(Trajectory(*step, "planner") for step in steps))
    # END SOLUTION


def ask_the_planner(planner, data, recipe, rounds=3, starts=20, count=1000):
    """Train, let the policy push, have what it saw labelled, and train again; yield each policy."""
    # BEGIN SOLUTION
    for number in range(rounds + 1):
        policy = train_policy(recipe, data)
        yield policy
        if number < rounds:
            own = range(30_000 + starts * number, 30_000 + starts * (number + 1))
            data = data + corrections(policy, planner, own, count, seeded(number))
    # END SOLUTION


if ASK_THE_PLANNER:
    # Judge each policy with chunks of one action, and print its coverage and its success.
    # BEGIN SOLUTION
    one_at_a_time = Recipe("flow", prediction_horizon=1)
    for policy in ask_the_planner(PushPlanner(), demonstrations, one_at_a_time):
        drives = judge(policy)
        print(f"largest coverage {drives.coverage.mean():.3f}, success {drives.success}")
    # END SOLUTION

# %% [markdown]
# ## References
#
# - Chi et al., *Diffusion policy: visuomotor policy learning via action diffusion*, RSS 2023, arXiv:2303.04137.
# - Florence et al., *Implicit behavioral cloning*, CoRL 2021, arXiv:2109.00137. (The pushing tasks that Push-T was adapted from.)
# - Lee et al., *Behavior generation with latent actions* (VQ-BeT), ICML 2024, arXiv:2403.03181.
# - de Haan, Jayaraman and Levine, *Causal confusion in imitation learning*, NeurIPS 2019, arXiv:1905.11979.
# - Wen et al., *Fighting copycat agents in behavioral cloning from observation histories*, NeurIPS 2020, arXiv:2010.14876.
# - Ross, Gordon and Bagnell, *A reduction of imitation learning and structured prediction to no-regret online learning*, AISTATS 2011, arXiv:1011.0686. DAgger.
# - Efron and Tibshirani, *An introduction to the bootstrap*, Chapman and Hall, 1993.
# - Agarwal et al., *Deep reinforcement learning at the edge of the statistical precipice*, NeurIPS 2021, arXiv:2108.13264.
# - `gym-pusht`: https://github.com/huggingface/gym-pusht. LeRobot's model card: https://huggingface.co/lerobot/diffusion_pusht.
