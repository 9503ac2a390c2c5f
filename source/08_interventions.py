# ---
# jupyter:
#   imitation_lab:
#     title: Interventions and collecting demonstrations
#     answers:
#     - imitation_lab.gating
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 · Interventions and collecting demonstrations
#
# Notebook 7 ended well: DAgger lets the policy drive, asks the expert what should have been done, and the drift is gone. But try it as the expert. You sit in the
# passenger seat of a car that somebody else steers. Your job is to say, ten times a second, how you would turn the wheel, and nothing that you say has any effect.
# The lecture puts it mildly:
#
# > *can be challenging to query expert when agent has control*
#
# And asks: *is there another way to collect corrective data?* There is. Give the expert a wheel. While all goes well the expert only watches. When the policy makes a
# mistake, the expert **takes full control**, drives back to where things are fine, and lets go. What was done in between is a demonstration. It begins just where the
# policy needs one. This is *human-gated DAgger*.
#
# Then people have to see the mistake in time, and the lecture asks the next question: *could you automatically detect when intervention is needed?*
#
# The last part steps back to the beginning of everything: where do demonstrations come from? You will give some.
#
# **When you have finished it, you can**
#
# - write a gated drive: who is at the wheel, and what is kept of it;
# - say what it costs if a supervisor is slow, or looks away;
# - measure doubt in three ways, and say how good a doubt is;
# - set a threshold by what you can afford;
# - show states in which five policies agree, and are all wrong;
# - compare ways to teach by the seconds that they cost a person;
# - name three ways to collect demonstrations, and find the traces that they leave in the data.
#
# You need notebook 7 (covariate shift and DAgger), and notebook 1 (the mean of two drivers). The experiments take about two minutes on a laptop. Time: about four and a half hours.

# %%
import math
from dataclasses import replace

import torch
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate
from imitation_lab.controller import PhysicalPolicy, RecedingHorizon
from imitation_lab.corrections import as_function, learn_from_corrections
from imitation_lab.dagger import aggregate, choose_labels, rollout_and_label
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.envs.fork import POSITION
from imitation_lab.evaluation import evaluate, pool
from imitation_lab.experiment import clone
from imitation_lab.experts import ForkDriver, RacetrackDriver, Supervisor
from imitation_lab.plots import POLICY_LOOKS, plot_rollouts, show, use_course_style
from imitation_lab.plots.gating import (
    plot_before_crashes,
    plot_crashes,
    plot_doubt_along,
    plot_driver,
    plot_hands,
    plot_learning,
    plot_roc,
)
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.testing import check_answered
from imitation_lab.training import TrainingSettings
from imitation_lab.types import Ending
from imitation_lab.widgets import Cockpit, Recorder, recorded_drives, recorded_supervision
from imitation_lab.widgets.cockpit_sessions import corrections_of

use_course_style()

# %% tags=["variant"]
SEED = 3  # of an eye that is never quite sure  # VARIANT 3, 0, 1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26


# %%
def answered(value, name):
    """Return what your function returned, or say that its answer is still missing."""
    check_answered(value, name)
    return value


def seeded(seed):
    """Return a source of random numbers that begins at a seed."""
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## Who drives?
#
# Begin with the wheel. At every step somebody holds it: the policy or the expert. Let a number say how dangerous things look, say, how far the vehicle is from the middle of
# its lane. When should the expert take over, and when let go?
#
# The simplest rule has one threshold: the expert drives where the danger is above it. Before you go on: what will happen while the danger hangs about the threshold, and goes
# up and down a little at every step?
#
# Every thermostat knows the remedy. It switches on below 19 degrees and off above 21, and in between it leaves things as they are. Two thresholds instead of one, and who
# drives depends on who has driven: that is *hysteresis*.

# %% [markdown] question="gate" points=[1, 1, 3, 1, 1]
# ### Question 8.1 · Who drives now?
#
# Write `gate(score, engaged, low, high)`.
#
# - `score` is `(batch,)`: how dangerous each episode looks at this moment.
# - `engaged` is `(batch,)`, of booleans: in which episodes the expert was driving until now.
# - `low` and `high` are numbers, and `low` is at most `high`.
# - Return who drives from now on, `(batch,)`, of booleans. The expert **engages** where the score is above `high`, **lets go** where it is
#   below `low`, and everywhere else nothing changes.
#
# A score that equals `high` is not above it, and one that equals `low` is not below it.


# %% tags=["solution"]
def gate(score, engaged, low, high):
    """Return in which episodes the expert drives from now on."""
    return (score > high) | (engaged & (score >= low))  # SOLUTION


# %% tags=["public"]
def test_gate_of_ten_moments(gate):
    """Scores from low to high, two of them exactly at a threshold, with the policy and with the expert driving."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    # The second score equals low, the fourth equals high.
    score = torch.tensor([0.1, 0.25, 0.4, 0.75, 0.9])
    policy_drives = torch.zeros(5, dtype=torch.bool)
    for engaged, expected in [
        (policy_drives, [False, False, False, False, True]),
        (~policy_drives, [False, True, True, True, True]),
    ]:
        driving = gate(score.clone(), engaged.clone(), 0.25, 0.75)
        check_answered(driving, "gate")
        check_dtype(driving, torch.bool, "return booleans.")
        hint = "from low to high, both included, whoever drives drives on."
        check_close(driving, torch.tensor(expected), hint)


def test_gate_over_a_rise_and_a_fall(gate):
    """A danger rises and falls: the expert comes late, above high, and leaves late, below low."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    driving, who = torch.tensor([False]), []
    for danger in (1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0):
        driving = gate(torch.tensor([danger]), driving, 1.5, 3.5)
        check_answered(driving, "gate")
        who.append(bool(driving[0]))
    expected = torch.tensor([False, False, False, True, True, True, False, False, False])
    check_close(torch.tensor(who), expected, "on the way up it is high that counts, then low.")


# %% tags=["hidden"]
def test_gate_decides_for_every_episode(gate):
    """For all sizes of batches and all thresholds, every episode is decided by itself."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

    generator = fresh_generator()
    for batch, middle, scale in [(400, 0.0, 1.0), (300, -50.0, 9.0), (200, 3.0, 0.01)]:
        score = middle + scale * torch.randn(batch, generator=generator)
        engaged = torch.rand(batch, generator=generator) < 0.5
        low, high = middle - 0.6 * scale, middle + 0.3 * scale
        driving = gate(score.clone(), engaged.clone(), low, high)
        check_answered(driving, "gate")
        check_dtype(driving, torch.bool, "return booleans.")
        expected = [
            True if s > high else False if s < low else e
            for s, e in zip(score.tolist(), engaged.tolist(), strict=True)
        ]
        hint = "above high: true; below low: false; in between: as it was."
        check_close(driving, torch.tensor(expected), hint)
        # Alone, an episode is decided as in company.
        for row in (0, batch // 2):
            alone = gate(score[row : row + 1].clone(), engaged[row : row + 1].clone(), low, high)
            check_close(alone, torch.tensor([expected[row]]), "episodes know nothing of others.")


def test_gate_at_the_thresholds(gate):
    """A score at a threshold changes nothing, also where both thresholds are the same."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    for low, high in [(0.25, 0.75), (0.5, 0.5), (-2.0, 0.0)]:
        for at in (low, high):
            engaged = torch.tensor([True, False, True, False, False])
            score = torch.full((5,), at)
            driving = gate(score, engaged.clone(), low, high)
            check_answered(driving, "gate")
            hint = "a score that equals a threshold is neither above high nor below low."
            check_close(driving, engaged, hint)


def test_gate_leaves_its_arguments_alone(gate):
    """The score and the old decision are as they were."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    score = torch.randn(60, generator=generator)
    engaged = torch.rand(60, generator=generator) < 0.5
    given = score.clone(), engaged.clone()
    driving = gate(score, engaged, -0.5, 0.5)
    check_answered(driving, "gate")
    expected = torch.tensor(
        [s > 0.5 or (s >= -0.5 and e) for s, e in zip(*(g.tolist() for g in given), strict=True)]
    )
    check_close(driving, expected, "above high: true; below low: false; in between: as it was.")
    for now, before in zip((score, engaged), given, strict=True):
        check_close(now, before, "an argument was changed in place: make a new tensor.")


# %% tags=["wrong"]
def gate__has_one_threshold(score, engaged, low, high):
    """Only the upper threshold counts: the expert lets go as soon as the score is not above high."""
    return score > high


def gate__has_the_lower_threshold(score, engaged, low, high):
    """Only the lower threshold counts: the expert engages as soon as the score is above low."""
    return score > low


def gate__has_a_threshold_in_the_middle(score, engaged, low, high):
    """One threshold in the middle of the two: between low and high nothing should change."""
    return score > (low + high) / 2


def gate__never_lets_go(score, engaged, low, high):
    """Who has engaged stays engaged for ever: below low the expert lets go."""
    return engaged | (score > high)


def gate__never_engages(score, engaged, low, high):
    """Nobody engages who is not engaged already: above high the expert engages, whoever drove before."""
    return engaged & (score >= low)


def gate__engages_on_safety(score, engaged, low, high):
    """The expert engages where the score is low: a high score means danger."""
    return (score < low) | (engaged & (score <= high))


def gate__swaps_the_thresholds(score, engaged, low, high):
    """The thresholds are swapped: the expert engages above low and lets go below high."""
    return torch.where(score > low, True, torch.where(score < high, False, engaged))


def gate__engages_at_the_threshold(score, engaged, low, high):
    """A score that equals high engages: only one above it does."""
    return (score >= high) | (engaged & (score >= low))


def gate__lets_go_at_the_threshold(score, engaged, low, high):
    """A score that equals low lets go: only one below it does."""
    return (score > high) | (engaged & (score > low))


def gate__decides_for_all(score, engaged, low, high):
    """One episode in danger engages the expert in all of them: decide for every episode by itself."""
    return ((score > high).any() | engaged) & (score >= low)


def gate__decides_by_the_mean(score, engaged, low, high):
    """The mean score of the batch decides: every episode has a score of its own."""
    mean = score.mean()
    return (mean > high) | (engaged & (mean >= low))


def gate__keeps_the_policy_in_between(score, engaged, low, high):
    """Between low and high the policy drives: whoever drives there drives on."""
    return (score > high) | (engaged & (score > high))


def gate__keeps_the_expert_in_between(score, engaged, low, high):
    """Between low and high the expert drives: whoever drives there drives on."""
    return score >= low


def gate__toggles(score, engaged, low, high):
    """The driver changes above high and below low: above high it is always the expert."""
    return engaged ^ ((score > high) | (score < low))


def gate__writes_into_what_was(score, engaged, low, high):
    """The old decision is overwritten: make a new tensor."""
    engaged[score > high] = True
    engaged[score < low] = False
    return engaged


def gate__compares_sizes(score, engaged, low, high):
    """Scores are compared without their sign: a negative score is a small one."""
    return (score.abs() > high) | (engaged & (score.abs() >= low))


def gate__returns_numbers(score, engaged, low, high):
    """Ones and zeros: return booleans, which can be used as a mask."""
    return ((score > high) | (engaged & (score >= low))).float()


# %% tags=["right"]
def gate__by_where(score, engaged, low, high):
    return torch.where(score > high, True, torch.where(score < low, False, engaged))


def gate__in_a_copy(score, engaged, low, high):
    driving = engaged.clone()
    driving[score > high] = True
    driving[score < low] = False
    return driving


def gate__one_by_one(score, engaged, low, high):
    driving = []
    for own, was in zip(score.tolist(), engaged.tolist(), strict=True):
        if own > high:
            driving.append(True)
        elif own < low:
            driving.append(False)
        else:
            driving.append(was)
    return torch.tensor(driving, dtype=torch.bool)


def gate__by_the_threshold_that_counts(score, engaged, low, high):
    return torch.where(engaged, score >= low, score > high)


def gate__by_signs(score, engaged, low, high):
    import numpy as np

    change = (score > high).int() - (score < low).int()
    state = 2 * engaged.int() - 1
    return torch.from_numpy(np.where(change.numpy() != 0, change.numpy(), state.numpy()) > 0)


def gate__by_masks(score, engaged, low, high):
    lets_go = torch.lt(score, low)
    engages = torch.gt(score, high)
    return torch.logical_or(engages, torch.logical_and(engaged, ~lets_go))


# %% [markdown]
# Here is a danger that rises and falls once, seen by an eye that is never quite sure. The same eye decides twice: with one threshold in the middle, and with two.


# %%
def decide(scores, low, high):
    """Return who drives at every moment of one episode, by your gate."""
    engaged, decisions = torch.tensor([False]), []
    for score in scores:
        engaged = answered(gate(score.view(1), engaged, low, high), "gate")
        decisions.append(engaged)
    return torch.cat(decisions)


def switches(decisions):
    """Return how often the wheel changes hands."""
    return int((decisions[1:] != decisions[:-1]).sum())


# %% tags=["train"]
times = torch.linspace(0, 1, 120)
danger = (math.pi * times).sin() + 0.08 * torch.randn(120, generator=seeded(SEED))
figure, panels = plt.subplots(1, 2, figsize=(11, 3), sharey=True)
for axes, (low, high) in zip(panels, [(0.6, 0.6), (0.4, 0.8)], strict=True):
    decisions = decide(danger, low, high)
    plot_driver(axes, danger, decisions, low, high)
    name = "one threshold" if low == high else "two thresholds"
    axes.set_title(f"{name}: the wheel changes hands {switches(decisions)} times")
panels[1].set_ylabel("")
show(
    figure,
    alt="A noisy danger rises and falls. With one threshold the shaded bands, where the expert drives, break up at both ends. With two there is one band.",
    caption="Shaded: the expert drives. Left, low and high are the same; right, they lie apart.",
)

# %% [markdown]
# With one threshold the wheel changes hands again and again as the danger passes it. With two it changes hands twice. A person who is called to the wheel and sent away again and
# again will not come any more.
#
# ## Human-gated DAgger
#
# The lecture's five steps:
#
# 1. Start to roll out the learned policy $\pi_\theta$: $s'_1, \hat a_1, \dots, s'_t$.
# 2. The expert intervenes at time $t$, when the policy makes a mistake.
# 3. The expert provides a (partial) demonstration $s'_t, a^*_t, \dots, s'_T$.
# 4. Aggregate the new demonstrations with the existing data: $\mathcal D \leftarrow \mathcal D \cup \{(s'_i, a^*_i)\}$, $i \ge t$.
# 5. Update the policy.
#
# Steps 4 and 5 are those of notebook 7. Steps 1 to 3 are yours. Our expert may also let go again before the end, and come back: a gate says at every step who drives.
#
# The lecture has two words for what changes here. Cloning is **offline**: it uses a given data set and nothing else. DAgger and its human-gated sibling are **online**: the learnt policy itself makes new data. That
# can be unsafe, and it costs an expert's time again and again.

# %% [markdown] question="human_gated_rollout" points=[2, 1, 2, 4, 2, 2, 1, 2, 2, 2]
# ### Question 8.2 · Whoever sees it takes over
#
# Write `human_gated_rollout(env, policy, expert, gate, generator, episodes=1)`.
#
# - `env` is a task of this course, for a whole batch at once: its methods are `initial_states(number, generator)`, `observe(states, generator)`,
#   `advance(states, actions, generator)`, `failed(states)` and `succeeded(states)`, and `max_steps` is a number. An
#   episode ends when it has failed or succeeded, or after `max_steps` steps. Then it stands still: its state stays as it is.
# - `policy` and `expert` take observations `(batch, observation_dim)` and return actions `(batch, action_dim)`.
# - `gate(observations, engaged)` says who drives now: `(batch,)`, of booleans, true where the expert does. It is the argument, and not your function
#   of question 8.1, which has the same name. `engaged` is what it said one step before; at the start nobody is engaged. The gate may remember what it
#   saw, so ask it once at every step, about the whole batch. Episodes that are over stay in the batch, and what it says about them does not count.
# - All episodes run as one batch. Where the expert is engaged, the expert's action is taken, elsewhere the policy's. Look once at every step: gate,
#   policy and expert see the same observations.
# - Keep **what the expert did while engaged**, as long as the episode runs: the observation and the action. Keep nothing else.
# - Ask the expert only at steps at which it is engaged in some episode, and about no observation twice: asked again, a person says something else. At such a step you may ask about the whole batch.
# - Draw everything from `generator`, and hand it on to `env`: one seed, one result.
# - Return two tensors, observations `(kept, observation_dim)` and actions `(kept, action_dim)`. Their rows may come in any order, but the same in both. Where the expert
#   never engaged, they are `(0, observation_dim)` and `(0, action_dim)`.
#
# An example with two episodes, A and B. B crashes in step 2:
#
# | step | the gate about A | the gate about B | kept |
# |---|---|---|---|
# | 0 | policy | policy | |
# | 1 | **expert** | policy | A |
# | 2 | **expert** | **expert** | A and B |
# | 3 | policy | **expert**, but B is over | |
# | 4 | **expert** | **expert**, but B is over | A |
#
# Four rows are kept: what was seen of A in steps 1, 2 and 4, and of B in step 2, with what the expert did there.


# %% tags=["solution"]
def human_gated_rollout(env, policy, expert, gate, generator, episodes=1):
    """Return what the expert saw and did while engaged."""
    # BEGIN SOLUTION
    states = env.initial_states(episodes, generator)
    running = torch.ones(episodes, dtype=torch.bool)
    engaged = torch.zeros(episodes, dtype=torch.bool)
    seen, done = [], []
    for _ in range(env.max_steps):
        look = env.observe(states, generator)
        actions = policy(look)
        engaged = gate(look, engaged)
        if engaged.any():
            actions = torch.where(engaged[:, None], expert(look), actions)
        seen.append(look[engaged & running])
        done.append(actions[engaged & running])
        moved = env.advance(states, actions, generator)
        states = torch.where(running[:, None], moved, states)
        running = running & ~env.failed(states) & ~env.succeeded(states)
        if not running.any():
            break
    return torch.cat(seen), torch.cat(done)
    # END SOLUTION


# %% tags=["public"]
def test_human_gated_rollout_from_step_three_on(human_gated_rollout):
    """The lecture's case: the policy drives three steps, the expert takes over, and drives to the end."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Road:
        """A state is the step, and the two numbers of the action before it."""

        max_steps = 6

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 3)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: torch.full((len(seen), 2), -1.0),
        expert=lambda seen: torch.cat([seen[:, :1], 10 + seen[:, :1]], dim=1),
        gate=lambda seen, engaged: engaged | (seen[:, 0] == 3),
        generator=torch.Generator().manual_seed(0),
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    observations, actions = (torch.as_tensor(part) for part in result)
    order = observations[:, 0].argsort()
    hint = (
        "keep the observations of steps 3, 4 and 5. Each is three numbers: the step, and the action "
        "that was taken one step before, by the policy before step 3 and by the expert before the others."
    )
    check_close(observations[order], [[3.0, -1, -1], [4, 3, 13], [5, 4, 14]], hint)
    hint = "keep the expert's actions of steps 3, 4 and 5, each beside the observation that it answers."
    check_close(actions[order], [[3.0, 13], [4, 14], [5, 15]], hint)


def test_human_gated_rollout_where_nobody_engages(human_gated_rollout):
    """An expert who only watches does nothing that could be kept."""
    import torch

    from imitation_lab.testing import check_answered, check_shape

    class Road:
        """Nothing happens here."""

        max_steps = 3

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 4)

        def observe(self, states, generator):
            return states[:, :3]

        def advance(self, states, actions, generator):
            return states + actions.sum(dim=1, keepdim=True)

        def failed(self, states):
            return states[:, 0] > 100

        succeeded = failed

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: seen[:, :2] + 1,
        expert=lambda seen: seen[:, :2] - 1,
        gate=lambda seen, engaged: torch.zeros(len(seen), dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
        episodes=5,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    check_shape(result[0], (0, 3), "no observation was the expert's to act on.")
    check_shape(result[1], (0, 2), "no action was the expert's.")


def test_human_gated_rollout_of_three_lengths(human_gated_rollout):
    """Of three episodes one fails after two steps, one succeeds after three, and one runs out of time after five."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Road:
        """A state is the number of the episode, and the step."""

        max_steps = 5

        def initial_states(self, num_episodes, generator):
            return torch.stack(
                [torch.arange(float(num_episodes)), torch.zeros(num_episodes)], dim=1
            )

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions], dim=1)

        def failed(self, states):
            return (states[:, 0] == 0) & (states[:, 1] == 2)

        def succeeded(self, states):
            return (states[:, 0] == 1) & (states[:, 1] == 3)

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: torch.ones(len(seen), 1),
        expert=lambda seen: torch.ones(len(seen), 1),
        gate=lambda seen, engaged: torch.ones(len(seen), dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
        episodes=3,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    kept = torch.as_tensor(result[0]).float()[:, 0]
    for episode, (number, end) in enumerate(
        [(2, "fails"), (3, "succeeds"), (5, "runs out of time")]
    ):
        check_close(
            (kept == episode).sum(),
            number,
            f"episode {episode} {end} after {number} steps, and the expert drove in all of them: keep {number} rows of it.",
        )


# %% tags=["hidden"]
def test_human_gated_rollout_keeps_what_the_expert_did(human_gated_rollout):
    """In every episode and at every step, the driver is the one that the gate names, and only the expert's steps are kept."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Log:
        """A state is a name, the step, and what was done last."""

        max_steps = 12

        def initial_states(self, num_episodes, generator):
            first = torch.randint(50_000, (1,), generator=generator)
            names = (first + torch.arange(num_episodes)).float().unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 4)], dim=1)

        def observe(self, states, generator):
            return torch.cat([states[:, :1] + 0.5, states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 100

        succeeded = failed

    def named(names, steps):
        return (37 * names + 101 * steps) % 7 < 3

    def engages(seen, engaged):
        # At step 2 everywhere, so that no episode is without an expert.
        return named(seen[:, 1], seen[:, 2]) | (seen[:, 2] == 2)

    def expert(seen):
        _, name, step, *_ = seen.unbind(dim=1)
        return torch.stack([name % 10, step, name % 7 + step], dim=1) + 1

    def policy(seen):
        return -expert(seen) - 0.5

    for episodes in (40, 5):
        result = human_gated_rollout(Log(), policy, expert, engages, fresh_generator(), episodes)
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations, actions = (torch.as_tensor(part).float() for part in result)
        assert observations.dim() == 2 and observations.shape[1] == 6, (
            "observations are (kept, observation_dim): keep what was seen, not the states."
        )
        check_shape(actions, (len(observations), 3), "one action for every observation.")
        order = (100 * observations[:, 1] + observations[:, 2]).argsort()
        observations, actions = observations[order], actions[order]
        names, steps = observations[:, 1], observations[:, 2]
        assert len(names.unique()) == episodes, (
            f"the expert drove in all of {episodes} episodes, and there are rows of {len(names.unique())}."
        )
        grid = [(0, n, s) for n in names.unique().tolist() for s in range(Log.max_steps)]
        expected = torch.tensor(grid)
        # Rows: a number that the gate does not look at, name and step.
        expected = expected[engages(expected, None), 1:]
        check_close(
            observations[:, 1:3],
            expected,
            "keep one row for every step at which the gate has the expert drive, and no other.",
        )
        check_close(actions, expert(observations), "the action is what the expert did there.")
        before = torch.stack([names + 0.5, names, steps - 1], dim=1)
        driven = engages(before, None).unsqueeze(1)
        did = torch.where(driven, expert(before), policy(before)) * (steps > 0).unsqueeze(1)
        check_close(
            observations[:, 3:],
            did,
            "the expert's action is taken where the gate says so, and the policy's elsewhere.",
        )


def test_human_gated_rollout_ends_episodes(human_gated_rollout):
    """Episodes end at failure, at success or when their time is up, and nothing of them is kept after."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """An episode is over at a step that its name tells, and says so at this step alone."""

        def __init__(self, max_steps):
            self.max_steps = max_steps

        def initial_states(self, num_episodes, generator):
            first = torch.randint(50_000, (1,), generator=generator)
            names = (first + torch.arange(num_episodes)).float().unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 1)], dim=1)

        def observe(self, states, generator):
            return torch.cat([-states[:, :1], states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions[:, 1:]], dim=1)

        def failed(self, states):
            return (states[:, 0] % 2 == 0) & (states[:, 1] == 2 + states[:, 0] % 7)

        def succeeded(self, states):
            return (states[:, 0] % 2 == 1) & (states[:, 1] == 2 + states[:, 0] % 7)

    def act(seen):
        return torch.ones(len(seen), 2)

    for max_steps, episodes in [(6, 28), (20, 14), (1, 3)]:
        result = human_gated_rollout(
            Log(max_steps),
            act,
            act,
            lambda seen, engaged: torch.ones(len(seen), dtype=torch.bool),
            fresh_generator(),
            episodes,
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations = torch.as_tensor(result[0]).float()
        order = (100 * observations[:, 1] + observations[:, 2]).argsort()
        names = observations[:, 1].unique().tolist()
        assert len(names) == episodes, f"all of {episodes} episodes run, and at least for one step."
        expected = [[-n, n, s] for n in names for s in range(min(int(2 + n % 7), max_steps))]
        check_close(
            observations[order],
            torch.tensor(expected, dtype=torch.float32),
            "keep every step until the episode has failed or succeeded or its time is up, and none after.",
        )


def test_human_gated_rollout_tells_the_gate_what_it_said(human_gated_rollout):
    """The gate is asked once a step about the whole batch, and told what it said before."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """A state is a name and the step. Every third episode ends early."""

        max_steps = 11

        def initial_states(self, num_episodes, generator):
            first = torch.randint(50_000, (1,), generator=generator)
            names = (first + torch.arange(num_episodes)).float().unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 1)], dim=1)

        def observe(self, states, generator):
            return torch.cat([states, states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + 1], dim=1)

        def failed(self, states):
            return (states[:, 0] % 3 == 0) & (states[:, 1] >= 5)

        def succeeded(self, states):
            return states[:, 1] < 0

    def decide(name, step, engaged):
        return step % 5 != 0 if engaged else (step + name) % 3 == 0

    class Gate:
        """It goes by the step and by what it said, and minds how it is asked."""

        def __init__(self, batch):
            self.batch, self.calls, self.said = batch, 0, [False] * batch

        def __call__(self, seen, engaged):
            assert engaged.dtype == torch.bool, "the gate takes `engaged` as booleans."
            assert len(seen) == len(engaged) == self.batch, (
                f"the gate was asked about {len(seen)} of {self.batch} episodes: ask it about the whole batch."
            )
            # Where an episode is over, what the gate is told no longer matters.
            for row, (_, step, *_) in enumerate(seen.tolist()):
                assert step != self.calls or bool(engaged[row]) == self.said[row], (
                    f"at step {self.calls} the gate was told something else than what it said before."
                )
            steps = seen[:, 1].max()
            assert steps == self.calls, (
                f"the gate was asked {self.calls} times before step {int(steps)}: ask it once a step."
            )
            self.calls += 1
            self.said = [
                bool(decide(name, step, said))
                for (name, step, *_), said in zip(seen.tolist(), self.said, strict=True)
            ]
            return torch.tensor(self.said)

    def act(seen):
        return seen[:, :1]

    # At least two: of neighbouring names one is no multiple of three, and runs to the end.
    for episodes in (12, 4, 2):
        result = human_gated_rollout(Log(), act, act, Gate(episodes), fresh_generator(), episodes)
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations = torch.as_tensor(result[0]).float()
        order = (100 * observations[:, 0] + observations[:, 1]).argsort()
        expected = []
        for name in observations[:, 0].unique().tolist():
            engaged = False
            for step in range(5 if name % 3 == 0 else Log.max_steps):
                engaged = decide(name, step, engaged)
                if engaged:
                    expected.append([name, step, name, step])
        check_close(
            observations[order],
            torch.tensor(expected).view(-1, 4),
            "the gate is given what it returned one step before, and false at the start.",
        )


def test_human_gated_rollout_looks_once(human_gated_rollout):
    """Where the sensor is noisy, gate, policy and expert see the same, and that is what is kept."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Noisy:
        """Nobody has ever seen the same here twice."""

        max_steps = 25

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 3)

        def observe(self, states, generator):
            noise = torch.randn(len(states), 2, generator=generator)
            return torch.cat([states, noise], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] > 100

        succeeded = failed

    result = human_gated_rollout(
        Noisy(),
        lambda seen: torch.zeros(len(seen), 2),
        lambda seen: seen[:, 3:] * 3,
        lambda seen, engaged: seen[:, 3] > 0.3,
        fresh_generator(),
        8,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    observations, actions = (torch.as_tensor(part).float() for part in result)
    assert len(observations) > 0, "the gate engaged often, and nothing was kept."
    hint = "look once at every step: the expert acted on another observation than the one that was kept."
    check_close(actions, observations[:, 3:] * 3, hint)
    assert float(observations[:, 3].min()) > 0.3, (
        "look once at every step: the gate decided by another observation than the one that was kept."
    )


def test_human_gated_rollout_asks_the_expert_once(human_gated_rollout):
    """What is kept is what was done, also where an expert says something else when asked again."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """A state is a name, the step, and what was done last."""

        max_steps = 9

        def initial_states(self, num_episodes, generator):
            names = 1 + torch.arange(float(num_episodes)).unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 2)], dim=1)

        def observe(self, states, generator):
            return states.flip(1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    class Moody:
        """It never says the same thing twice."""

        def __init__(self):
            self.said = 0

        def __call__(self, seen):
            answers = self.said + torch.arange(1.0, len(seen) + 1)
            self.said += len(seen)
            return answers.unsqueeze(1)

    for episodes in (6, 1):
        result = human_gated_rollout(
            Log(),
            lambda seen: 0 * seen[:, :1] - 1,
            Moody(),
            lambda seen, engaged: seen[:, 1] >= 2,
            fresh_generator(),
            episodes,
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations, actions = (torch.as_tensor(part).float() for part in result)
        assert len(observations) == len(actions) == 7 * episodes, (
            "the expert drives from step 2 on, for seven steps of every episode."
        )
        order = (100 * observations[:, 2] + observations[:, 1]).argsort()
        told, said = observations[order].view(-1, 7, 3), actions[order].view(-1, 7)
        check_close(
            said[:, :-1],
            told[:, 1:, 0],
            "the action that is kept is another one than was taken: ask the expert once.",
        )


def test_human_gated_rollout_asks_the_expert_when_engaged(human_gated_rollout):
    """The expert's time is dear: while nobody is engaged, nobody asks."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """A state is the step, and what was done last."""

        max_steps = 9

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 2)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    def engages(seen, engaged):
        return (seen[:, 0] >= start) & (seen[:, 0] < end)

    def expert(seen):
        assert bool(engages(seen, None).all()), (
            f"the expert was asked at step {int(seen[0, 0])}, when nobody was engaged."
        )
        return seen[:, :1] + 100

    for start, end, episodes in [(4, 7, 3), (0, 2, 1), (8, 9, 2), (5, 5, 4)]:
        result = human_gated_rollout(
            Log(), lambda seen: -seen[:, :1] - 1, expert, engages, fresh_generator(), episodes
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        steps = torch.as_tensor(result[0]).float()[:, 0].sort().values
        expected = torch.arange(start, end).float().repeat_interleave(episodes)
        check_close(
            steps, expected, "keep the steps at which the expert was engaged, and no other."
        )


def test_human_gated_rollout_draws_from_the_generator(human_gated_rollout):
    """Starts and noise come from the generator: new ones at every call, and the same for the same seed."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Windy:
        """Starts, gusts and what is seen are all drawn."""

        max_steps = 5

        def initial_states(self, num_episodes, generator):
            drawn = torch.rand(num_episodes, 1, generator=generator)
            return torch.cat([drawn, torch.zeros(num_episodes, 2)], dim=1)

        def observe(self, states, generator):
            noise = torch.randn(len(states), 1, generator=generator)
            return torch.cat([states, noise], dim=1)

        def advance(self, states, actions, generator):
            gusts = torch.randn(len(states), 1, generator=generator)
            return torch.cat([states[:, :1], states[:, 1:2] + 1, gusts], dim=1)

        def failed(self, states):
            return states[:, 1] > 100

        succeeded = failed

    def run(generator, episodes):
        result = human_gated_rollout(
            Windy(),
            lambda seen: seen[:, :1],
            lambda seen: -seen[:, :1],
            lambda seen, engaged: seen[:, 1] >= 1,
            generator,
            episodes,
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        seen = torch.as_tensor(result[0]).float()
        assert len(seen) == 4 * episodes, (
            f"{episodes} episodes with the expert driving at 4 steps of each, and {len(seen)} rows."
        )
        return seen[seen[:, 3].argsort()]

    generator = fresh_generator()
    seed = int(torch.randint(2**31, (), generator=generator))
    first, following = run(generator, 6), run(generator, 6)
    for rows in (first, following):
        # Two numbers are alike by chance once in ten thousand gradings.
        assert len(rows[:, 0].unique()) >= 5, "every episode starts somewhere else."
        assert len(rows[:, 2].unique()) >= 23, "every step of every episode has noise of its own."
    for column, what in [(0, "starts"), (2, "gusts"), (3, "noise")]:
        assert len(set(first[:, column].tolist()) & set(following[:, column].tolist())) < 2, (
            f"two calls with one generator had the same {what}: draw all from `generator`, and do not seed it."
        )
    again = [run(torch.Generator().manual_seed(seed), 3) for _ in range(2)]
    check_close(again[0], again[1], "the same seed gave other episodes: draw all from `generator`.")


# %% tags=["wrong"]
def human_gated_rollout__keeps_all_steps(env, policy, expert, gate, generator, episodes=1):
    """All steps are kept, with what was done there: keep the expert's alone."""
    return _gated(
        env,
        policy,
        expert,
        gate,
        generator,
        episodes,
        keep=lambda engaged, was: ~(engaged & ~engaged),
    )


def human_gated_rollout__labels_all_steps(env, policy, expert, gate, generator, episodes=1):
    """The expert labels all steps, also those that the policy drove: that is DAgger, and the expert was not asked."""

    def label(observations, actions):
        return expert(observations)

    return _gated(
        env, policy, expert, gate, generator, episodes, keep=lambda e, was: e | ~e, label=label
    )


def human_gated_rollout__keeps_the_policys_steps(env, policy, expert, gate, generator, episodes=1):
    """What the policy did is kept, and what the expert did is thrown away."""
    return _gated(
        env, policy, expert, gate, generator, episodes, keep=lambda engaged, was: ~engaged
    )


def human_gated_rollout__keeps_the_policys_actions(
    env, policy, expert, gate, generator, episodes=1
):
    """The actions are what the policy would have done: keep what the expert did."""

    def label(observations, actions):
        return policy(observations)

    return _gated(env, policy, expert, gate, generator, episodes, label=label)


def human_gated_rollout__never_lets_the_expert_act(
    env, policy, expert, gate, generator, episodes=1
):
    """The expert labels, but the policy drives on: while engaged, the expert's action is taken."""

    def label(observations, actions):
        return expert(observations) if len(observations) else actions

    return _gated(
        env, policy, expert, gate, generator, episodes, drive=lambda e: e & ~e, label=label
    )


def human_gated_rollout__lets_the_expert_drive_all(
    env, policy, expert, gate, generator, episodes=1
):
    """The expert drives at all steps: where nobody is engaged, the policy does."""
    return _gated(
        env, policy, expert, gate, generator, episodes, drive=lambda engaged: engaged | ~engaged
    )


def human_gated_rollout__turns_the_gate_round(env, policy, expert, gate, generator, episodes=1):
    """The policy drives where the expert is engaged: it is the other way round."""
    return _gated(env, policy, expert, gate, generator, episodes, drive=lambda engaged: ~engaged)


def human_gated_rollout__drives_all_when_one_is_engaged(
    env, policy, expert, gate, generator, episodes=1
):
    """When one episode is engaged, the expert drives in all: each has a driver of its own."""

    def anywhere(engaged):
        return engaged | engaged.any()

    return _gated(env, policy, expert, gate, generator, episodes, drive=anywhere)


def human_gated_rollout__never_lets_go(env, policy, expert, gate, generator, episodes=1):
    """Once engaged, always engaged: the gate says when the expert lets go."""

    def stays(observations, engaged):
        return engaged | gate(observations, engaged)

    return _gated(env, policy, expert, stays, generator, episodes)


def human_gated_rollout__forgets_who_is_engaged(env, policy, expert, gate, generator, episodes=1):
    """The gate is always told that nobody is engaged: tell it what it said one step before."""

    def forgetful(observations, engaged):
        return gate(observations, torch.zeros_like(engaged))

    return _gated(env, policy, expert, forgetful, generator, episodes)


def human_gated_rollout__starts_engaged(env, policy, expert, gate, generator, episodes=1):
    """At the start all are engaged: nobody is."""
    return _gated(env, policy, expert, gate, generator, episodes, start=True)


def human_gated_rollout__hands_over_one_step_late(env, policy, expert, gate, generator, episodes=1):
    """The gate's word counts from the next step on: it counts at once."""
    before = [torch.zeros(episodes, dtype=torch.bool)]

    def late(engaged):
        before.append(engaged)
        return before[-2]

    return _gated(
        env, policy, expert, gate, generator, episodes, drive=late, keep=lambda engaged, was: was
    )


def human_gated_rollout__asks_the_gate_twice(env, policy, expert, gate, generator, episodes=1):
    """The gate is asked twice a step: ask it once, it may count."""

    def twice(observations, engaged):
        gate(observations, engaged)
        return gate(observations, engaged)

    return _gated(env, policy, expert, twice, generator, episodes)


def human_gated_rollout__asks_the_gate_about_those_who_run(
    env, policy, expert, gate, generator, episodes=1
):
    """The gate is asked about the running episodes only: it may remember, and takes the whole batch."""
    states = env.initial_states(episodes, generator)
    rows, engaged = torch.arange(episodes), torch.zeros(episodes, dtype=torch.bool)
    seen, done = [], []
    for _ in range(env.max_steps):
        observations = env.observe(states, generator)
        engaged = gate(observations, engaged)
        actions = policy(observations)
        if engaged.any():
            actions = torch.where(engaged[:, None], expert(observations), actions)
        seen.append(observations[engaged])
        done.append(actions[engaged])
        states = env.advance(states, actions, generator)
        stays = ~(env.failed(states) | env.succeeded(states))
        states, engaged, rows = states[stays], engaged[stays], rows[stays]
        if not len(rows):
            break
    return torch.cat(seen), torch.cat(done)


def human_gated_rollout__keeps_episodes_that_are_over(
    env, policy, expert, gate, generator, episodes=1
):
    """Steps after the end are kept: an episode that has ended has no more steps."""
    return _gated(
        env,
        policy,
        expert,
        gate,
        generator,
        episodes,
        over=lambda states: states[:, 0] != states[:, 0],
    )


def human_gated_rollout__starts_again_after_the_end(
    env, policy, expert, gate, generator, episodes=1
):
    """An episode that has ended goes on: it stands still, and stays over."""
    return _gated(env, policy, expert, gate, generator, episodes, latch=False)


def human_gated_rollout__does_not_see_success(env, policy, expert, gate, generator, episodes=1):
    """Episodes end at failure only: they end at success too."""
    return _gated(env, policy, expert, gate, generator, episodes, over=env.failed)


def human_gated_rollout__does_not_see_failure(env, policy, expert, gate, generator, episodes=1):
    """Episodes end at success only: they end at failure too."""
    return _gated(env, policy, expert, gate, generator, episodes, over=env.succeeded)


def human_gated_rollout__ends_all_with_the_first(env, policy, expert, gate, generator, episodes=1):
    """When one episode ends, all do: every episode has an end of its own."""

    def any_over(states):
        over = env.failed(states) | env.succeeded(states)
        return over | over.any()

    return _gated(env, policy, expert, gate, generator, episodes, over=any_over)


def human_gated_rollout__takes_one_step_less(env, policy, expert, gate, generator, episodes=1):
    """The last step is missing: there are max_steps of them."""
    return _gated(env, policy, expert, gate, generator, episodes, steps=env.max_steps - 1)


def human_gated_rollout__takes_one_step_more(env, policy, expert, gate, generator, episodes=1):
    """There is a step too many: the last one is step max_steps - 1, counted from zero."""
    return _gated(env, policy, expert, gate, generator, episodes, steps=env.max_steps + 1)


def human_gated_rollout__keeps_what_came_after(env, policy, expert, gate, generator, episodes=1):
    """The observation after the action is kept: keep the one before, on which the expert acted."""
    return _gated(env, policy, expert, gate, generator, episodes, after=True)


def human_gated_rollout__keeps_states(env, policy, expert, gate, generator, episodes=1):
    """States are kept: keep what was observed, that is all that the policy will see."""
    return _gated(env, policy, expert, gate, generator, episodes, truth=True)


def human_gated_rollout__asks_again_for_labels(env, policy, expert, gate, generator, episodes=1):
    """The expert is asked twice, once to drive and once for what is kept: keep what was done."""

    def label(observations, actions):
        return expert(observations) if len(observations) else actions

    return _gated(env, policy, expert, gate, generator, episodes, label=label)


def human_gated_rollout__judges_by_observations(env, policy, expert, gate, generator, episodes=1):
    """Failure and success are judged by what is seen: `failed` and `succeeded` take states."""

    def over(states):
        seen = env.observe(states, generator)
        return env.failed(seen) | env.succeeded(seen)

    return _gated(env, policy, expert, gate, generator, episodes, over=over)


def human_gated_rollout__shows_states_to_the_policy(
    env, policy, expert, gate, generator, episodes=1
):
    """The policy is shown states: it has learnt from observations."""
    states = env.initial_states(episodes, generator)
    running = torch.ones(episodes, dtype=torch.bool)
    engaged = torch.zeros(episodes, dtype=torch.bool)
    seen, done = [], []
    for _ in range(env.max_steps):
        look = env.observe(states, generator)
        engaged, actions = gate(look, engaged), policy(states)
        if engaged.any():
            actions = torch.where(engaged[:, None], expert(look), actions)
        seen.append(look[engaged & running])
        done.append(actions[engaged & running])
        moved = env.advance(states, actions, generator)
        states = torch.where(running[:, None], moved, states)
        running = running & ~env.failed(states) & ~env.succeeded(states)
    return torch.cat(seen), torch.cat(done)


def human_gated_rollout__advances_observations(env, policy, expert, gate, generator, episodes=1):
    """What is seen is taken for the state: `advance` takes the state."""
    states = env.initial_states(episodes, generator)
    running = torch.ones(episodes, dtype=torch.bool)
    engaged = torch.zeros(episodes, dtype=torch.bool)
    seen, done = [], []
    for _ in range(env.max_steps):
        look = env.observe(states, generator)
        engaged, actions = gate(look, engaged), policy(look)
        if engaged.any():
            actions = torch.where(engaged[:, None], expert(look), actions)
        seen.append(look[engaged & running])
        done.append(actions[engaged & running])
        states = env.advance(look, actions, generator)
        running = running & ~env.failed(states) & ~env.succeeded(states)
    return torch.cat(seen), torch.cat(done)


def human_gated_rollout__looks_again(env, policy, expert, gate, generator, episodes=1):
    """Gate and expert look at different times: look once at every step."""
    return _gated(env, policy, expert, gate, generator, episodes, again=True)


def human_gated_rollout__runs_one_episode(env, policy, expert, gate, generator, episodes=1):
    """One episode runs, whatever `episodes` says."""
    return _gated(env, policy, expert, gate, generator, 1)


def human_gated_rollout__runs_one_after_the_other(env, policy, expert, gate, generator, episodes=1):
    """Episodes run one after the other, each as a batch of one: the gate takes the whole batch at once."""
    parts = [_gated(env, policy, expert, gate, generator, 1) for _ in range(episodes)]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def human_gated_rollout__always_asks_the_expert(env, policy, expert, gate, generator, episodes=1):
    """The expert is asked at every step: only when somebody is engaged."""

    def busy(observations):
        expert(observations)
        return policy(observations)

    return _gated(env, busy, expert, gate, generator, episodes)


def human_gated_rollout__fails_without_an_expert(env, policy, expert, gate, generator, episodes=1):
    """Where the expert never engages, there is nothing to join, and an error: return tensors without rows."""
    rows = list(zip(*_gated(env, policy, expert, gate, generator, episodes), strict=True))
    return torch.stack([row[0] for row in rows]), torch.stack([row[1] for row in rows])


def human_gated_rollout__keeps_the_first_takeover(env, policy, expert, gate, generator, episodes=1):
    """Only the first takeover of every episode is kept: keep them all."""
    past = [torch.zeros(episodes, dtype=torch.bool), torch.zeros(episodes, dtype=torch.bool)]

    def first(engaged, was):
        past[1] = past[1] | (past[0] & ~engaged)
        past[0] = past[0] | engaged
        return engaged & ~past[1]

    return _gated(env, policy, expert, gate, generator, episodes, keep=first)


def human_gated_rollout__keeps_the_takeovers_alone(
    env, policy, expert, gate, generator, episodes=1
):
    """Only the step at which the expert takes over is kept: keep all that the expert did."""
    return _gated(
        env, policy, expert, gate, generator, episodes, keep=lambda engaged, was: engaged & ~was
    )


def human_gated_rollout__forgets_the_takeover(env, policy, expert, gate, generator, episodes=1):
    """The step at which the expert takes over is missing: the expert has already acted there."""
    return _gated(
        env, policy, expert, gate, generator, episodes, keep=lambda engaged, was: engaged & was
    )


def human_gated_rollout__seeds_the_generator(env, policy, expert, gate, generator, episodes=1):
    """The draws come from a generator with a fixed seed: use the one that is given."""
    own = torch.Generator().manual_seed(0)
    return _gated(env, policy, expert, gate, own, episodes)


def human_gated_rollout__draws_without_the_generator(
    env, policy, expert, gate, generator, episodes=1
):
    """The draws come from elsewhere: use the generator that is given, for starts, gusts and noise."""
    own = torch.Generator()
    own.seed()
    return _gated(env, policy, expert, gate, own, episodes)


def human_gated_rollout__returns_pairs(env, policy, expert, gate, generator, episodes=1):
    """A list of pairs: return two tensors."""
    kept = _gated(env, policy, expert, gate, generator, episodes)
    return [list(pair) for pair in zip(*kept, strict=True)]


def _gated(
    env, policy, expert, gate, generator, episodes,
    keep=lambda engaged, was: engaged, drive=lambda engaged: engaged, label=None, over=None,
    steps=None, start=False, latch=True, after=False, truth=False, again=False,
):  # fmt: skip
    """Run the solution with one thing changed."""
    over = over or (lambda states: env.failed(states) | env.succeeded(states))
    states = env.initial_states(episodes, generator)
    running = torch.ones(episodes, dtype=torch.bool)
    engaged = torch.full((episodes,), start)
    seen, done = [], []
    for _ in range(env.max_steps if steps is None else steps):
        observations, was = env.observe(states, generator), engaged
        engaged = gate(observations, engaged)
        if again:
            observations = env.observe(states, generator)
        actions, driven = policy(observations), drive(engaged)
        if driven.any():
            actions = torch.where(driven[:, None], expert(observations), actions)
        moved = env.advance(states, actions, generator)
        following = torch.where(running[:, None], moved, states) if latch else moved
        rows = keep(engaged, was) & running
        kept = states if truth else env.observe(following, generator) if after else observations
        seen.append(kept[rows])
        done.append(label(observations[rows], actions[rows]) if label else actions[rows])
        states = following
        running = (running if latch else True) & ~over(states)
    if not seen:
        return observations[:0], actions[:0]
    return torch.cat(seen), torch.cat(done)


# %% tags=["right"]
def human_gated_rollout__by_lists(env, policy, expert, gate, generator, episodes=1):
    states = env.initial_states(episodes, generator)
    running = [True] * episodes
    engaged = torch.tensor([False] * episodes)
    kept = []
    for _ in range(env.max_steps):
        observations = env.observe(states, generator)
        engaged = gate(observations, engaged)
        actions = policy(observations).clone()
        for row in range(episodes):
            if engaged[row] and running[row]:
                actions[row] = expert(observations[row : row + 1])[0]
                kept.append((observations[row], actions[row]))
        moved = env.advance(states, actions, generator)
        over = env.failed(moved) | env.succeeded(moved)
        states = torch.stack(
            [moved[row] if running[row] else states[row] for row in range(episodes)]
        )
        running = [running[row] and not over[row] for row in range(episodes)]
        if not any(running):
            break
    if not kept:
        return observations.new_zeros(0, observations.shape[1]), actions.new_zeros(
            0, actions.shape[1]
        )
    return tuple(torch.stack(part) for part in zip(*kept, strict=True))


def human_gated_rollout__asks_only_where_needed(env, policy, expert, gate, generator, episodes=1):
    states = env.initial_states(episodes, generator)
    engaged = torch.zeros(episodes, dtype=torch.bool)
    over = torch.zeros(episodes, dtype=torch.bool)
    seen, done, step = [], [], 0
    while step < env.max_steps and not over.all():
        observations = env.observe(states, generator)
        engaged = gate(observations, engaged)
        actions = policy(observations)
        (rows,) = torch.nonzero(engaged & ~over, as_tuple=True)
        if len(rows):
            actions = actions.index_put((rows,), expert(observations[rows]))
        seen.append(observations[rows])
        done.append(actions[rows])
        (alive,) = torch.nonzero(~over, as_tuple=True)
        moved = env.advance(states[alive], actions[alive], generator)
        states = states.index_put((alive,), moved)
        over = over.index_put((alive,), env.failed(moved) | env.succeeded(moved))
        step += 1
    return torch.cat(seen), torch.cat(done)


def human_gated_rollout__keeps_all_and_chooses_at_the_end(
    env, policy, expert, gate, generator, episodes=1
):
    states = env.initial_states(episodes, generator)
    alive = torch.ones(episodes)
    engaged = alive < 0
    trace = []
    for _ in range(env.max_steps):
        observations = env.observe(states, generator)
        engaged = gate(observations, engaged)
        share = engaged.float().unsqueeze(1)
        own = policy(observations)
        other = expert(observations) if bool(engaged.any()) else own
        actions = own + share * (other - own)
        trace.append((observations, actions, engaged & (alive > 0)))
        states = torch.where(
            alive.unsqueeze(1) > 0, env.advance(states, actions, generator), states
        )
        alive = alive * (1 - (env.failed(states) | env.succeeded(states)).float())
    observations, actions, mask = (torch.stack(part) for part in zip(*trace, strict=True))
    return observations[mask], actions[mask]


def human_gated_rollout__in_place(env, policy, expert, gate, generator, episodes=1):
    states = env.initial_states(episodes, generator)
    alive = torch.ones(episodes, dtype=torch.bool)
    engaged, trace = ~alive, []
    with torch.no_grad():
        for _ in range(env.max_steps):
            observations = env.observe(states, generator)
            engaged = gate(observations, engaged)
            actions = policy(observations).clone()
            if engaged.any():
                actions[engaged] = expert(observations[engaged])
            trace.append((observations, actions, engaged & alive))
            states[alive] = env.advance(states, actions, generator)[alive]
            alive = alive & ~(env.failed(states) | env.succeeded(states))
    observations, actions, mask = (torch.cat(parts) for parts in zip(*trace, strict=True))
    return observations[mask], actions[mask]


def human_gated_rollout__by_recursion(env, policy, expert, gate, generator, episodes=1):
    def go(states, engaged, running, left):
        observations = env.observe(states, generator)
        engaged = gate(observations, engaged)
        actions = policy(observations)
        if engaged.any():
            actions = torch.where(engaged[:, None], expert(observations), actions)
        kept = observations[engaged & running], actions[engaged & running]
        following = states.clone()
        following[running] = env.advance(states, actions, generator)[running]
        running = running & ~(env.failed(following) | env.succeeded(following))
        if left == 1:
            return [kept]
        return [kept, *go(following, engaged, running, left - 1)]

    starts = env.initial_states(episodes, generator)
    everyone = torch.ones(episodes, dtype=torch.bool)
    parts = go(starts, ~everyone, everyone, env.max_steps)
    return torch.cat([seen for seen, _ in parts]), torch.cat([done for _, done in parts])


def human_gated_rollout__in_one_table(env, policy, expert, gate, generator, episodes=1):
    import numpy as np

    states = env.initial_states(episodes, generator)
    running = np.ones(episodes, dtype=bool)
    engaged = torch.zeros(episodes, dtype=torch.bool)
    table = []
    for _ in range(env.max_steps):
        observations = env.observe(states, generator)
        engaged = gate(observations, engaged)
        actions = policy(observations).double()
        hands_on = engaged.numpy()
        if hands_on.any():
            theirs = expert(observations).double()
            actions = torch.from_numpy(np.where(hands_on[:, None], theirs.numpy(), actions.numpy()))
        rows = np.hstack([observations.numpy(), actions.numpy()])
        table.insert(0, rows[hands_on & running])
        moved = env.advance(states, actions.float(), generator)
        states[torch.from_numpy(running)] = moved[torch.from_numpy(running)]
        ended = (env.failed(states) | env.succeeded(states)).numpy()
        running = running & ~ended
    table = torch.from_numpy(np.vstack(table)).float()
    return table.split([observations.shape[1], actions.shape[1]], dim=1)


# %% [markdown]
# ## A supervisor of flesh and blood
#
# Now somebody has to be the gate. Ours is simulated. `Supervisor` sees how near the vehicle is to the edge of its lane, wants the wheel where it is more than half way there, holds it
# a *reaction time* later, and lets go when the vehicle is back near the middle. It can also *look away* now and then. While it looks away it sees nothing.
#
# The track and its driver are those of notebook 7, and so is the first lesson: one drive of two laps, 167 labels, 16.7 seconds of a person's time. The lane is 20 cm wide, and the vehicle covers 10 cm in every step
# of a tenth of a second. We train three policies, each with a seed and a drive of its own, and put a supervisor beside each.
#
# Two helpers in the next cell. `as_function(actor, ...)` turns whoever can act, here the track's driver, into a function from observations to actions: that is what your
# rollout takes as `expert`. A `Logbook` is for what your function does not return. It stands between your function and the task, and between your function and the
# gate. It passes every question on, and writes the answers down: who drove at each step, and which drives crashed.


# %%
TRACK = Racetrack(half_width=0.10, process_noise=0.01, start_spread=0.02, standing_start=True)
SETTINGS = TrainingSettings(steps=800, batch_size=128, learning_rate=1e-2)
SEEDS = range(3)
DRIVER = as_function(RacetrackDriver(TRACK), 1, seeded(0))


def make_policy(seed):
    """Make the network of a seed."""
    return RegressionPolicy(5, 1, width=64, generator=seeded(seed))


def one_drive(seed):
    """Return what the driver does in one drive, as labels."""
    return rollout_and_label(TRACK, DRIVER, DRIVER, 1, 1.0, seeded(100 + seed))


def towards_the_edge(observations):
    """Return how far vehicles are from the middle of the lane: 1 is the edge."""
    return TRACK.offset(observations).abs() / TRACK.half_width


def supervisor(generator, reaction_steps=0, lapse=0.0):
    """Return a person who sees danger half way to the edge."""
    return Supervisor(towards_the_edge, generator, 0.5, 0.2, reaction_steps, lapse)


class Logbook:
    """A task and a gate that write down, step by step, what happens in a gated drive."""

    def __init__(self, task, gate):
        self.task, self.gate = task, gate
        self.decisions, self.failures, self.ends = [], [], []

    def __getattr__(self, name):
        return getattr(self.task, name)

    def __call__(self, observations, engaged):
        self.decisions.append(self.gate(observations, engaged))
        return self.decisions[-1]

    def advance(self, states, actions, generator):
        """Return the task's next states, and note which episodes are over."""
        moved = self.task.advance(states, actions, generator)
        self.failures.append(self.task.failed(moved))
        self.ends.append(self.task.succeeded(moved) | self.failures[-1])
        return moved

    @property
    def running(self):
        """Which episodes were still running at each step, (time, batch)."""
        ended = torch.stack(self.ends).cumsum(dim=0)
        return torch.cat([torch.zeros_like(ended[:1]), ended[:-1]]) == 0

    @property
    def crashed(self):
        """Which episodes failed, (batch,)."""
        return (torch.stack(self.failures) & self.running).any(dim=0)

    @property
    def hands_on(self):
        """Where the expert drove, (time, batch)."""
        return torch.stack(self.decisions) & self.running


def supervise(policy, gate, generator, episodes):
    """Return the logbook of gated drives, and what your function keeps of them."""
    logbook = Logbook(TRACK, gate)
    result = human_gated_rollout(logbook, policy, DRIVER, logbook, generator, episodes)
    return logbook, answered(result, "human_gated_rollout")


def crash_rates(policies, reaction_steps, lapse=0.0, episodes=100):
    """Return the share of each policy's drives that crash under a supervisor's eyes."""
    rates = []
    for seed, policy in enumerate(policies):
        generator = seeded(500 + seed)
        person = supervisor(generator, reaction_steps, lapse)
        logbook, _ = supervise(policy, person, generator, episodes)
        rates.append(float(logbook.crashed.float().mean()))
    return rates


# %% [markdown]
# Before you run it: how quick does the supervisor have to be? A person at the wheel of a real car takes about a quarter of a second from seeing to acting, if they expect it.

# %% tags=["train"]
first_drives = [one_drive(seed) for seed in SEEDS]
(cloned,) = learn_from_corrections(make_policy, first_drives, SETTINGS, SEEDS)
print("alone, drives that arrive:", *(evaluation.success for evaluation in cloned.judge(TRACK)))

REACTIONS = (0, 1, 2, 4)
crashes = {
    "always looks": [crash_rates(cloned.policies, steps) for steps in REACTIONS],
    "looks away": [crash_rates(cloned.policies, steps, lapse=0.1) for steps in REACTIONS],
}
alone = [1 - evaluation.success.rate for evaluation in cloned.judge(TRACK)]

# %% tags=["train"]
figure, axes = plt.subplots(figsize=(6, 3.4))
plot_crashes(axes, [TRACK.time_step * steps for steps in REACTIONS], crashes, alone)
show(
    figure,
    alt="Crashes under supervision against reaction time. Fewest at once, more with 0.1 seconds, and from about 0.2 seconds on as many as without anybody. Who looks away "
    "does worse at short reaction times.",
    caption="Means of three policies with 100 drives each; small marks are policies. The dashed line: nobody watches.",
)

# %% [markdown]
# This is the lecture's minus: *can be hard to catch mistakes quickly in some application domains*. Who reacts at once prevents about two crashes of three here, and about half of them over ten seeds. Who needs a tenth of a second prevents fewer, and from two
# tenths on the supervisor might as well stay at home. In this lane the way from half way out to the edge is 5 cm. Who reacts at once but looks away now and then prevents fewer crashes, too.
#
# Even the quickest supervisor loses about one drive in five here, and one in three over ten seeds. Why? They look at *where* the vehicle is. A vehicle can be near the middle and
# point outwards, and by the time that it shows it is too late. Keep this in mind for later.
#
# ## What is learnt from it
#
# Crashes are one thing. What matters to the policy is the data. Three ways to teach. All begin with the same single drive, and four rounds follow. In each of them
#
# - **DAgger** lets the policy drive twelve times, and the expert labels 105 of the states, drawn at random: 10.5 seconds of labels;
# - **human-gated** lets it drive six times under the eyes of the supervisor who reacts at once, and keeps all that the supervisor did;
# - **human-gated, 0.2 s** does the same with a supervisor who takes two tenths of a second.
#
# Before you run it: notebook 7's DAgger fell on its nose in its first round, and recovered. Will human gating fall as well?


# %%
def dagger_labels(policy, index, seed):
    """Return labels for 105 of the states that a policy visits in twelve drives."""
    generator = seeded(1000 * index + seed)
    seen, _ = rollout_and_label(TRACK, policy, DRIVER, 12, 0.0, generator)
    return choose_labels(seen, DRIVER, 105, generator)


def gated_labels(policy, index, seed, reaction_steps=0, lapse=0.0):
    """Return what a supervisor did in six drives."""
    generator = seeded(1000 * index + seed)
    person = supervisor(generator, reaction_steps, lapse)
    return supervise(policy, person, generator, 6)[1]


def slow_labels(policy, index, seed):
    """Return what a supervisor did in six drives who takes 0.2 s to react."""
    return gated_labels(policy, index, seed, reaction_steps=2)


def learning_curve(collect, seeds=SEEDS, rounds=4):
    """Return the expert's seconds and the success of each seed's policy, after every round, (2, rounds + 1, seeds)."""
    curve = []
    starts = [one_drive(seed) for seed in seeds]
    for done in learn_from_corrections(make_policy, starts, SETTINGS, seeds, rounds, collect):
        seconds = [TRACK.time_step * len(labels) for _, labels in done.datasets]
        curve.append([seconds, [own.success.rate for own in done.judge(TRACK)]])
    return torch.tensor(curve).transpose(0, 1)


# %% tags=["train"]
curves = {
    "DAgger": learning_curve(dagger_labels),
    "human-gated": learning_curve(gated_labels),
    "human-gated, 0.2 s": learning_curve(slow_labels),
}

# %% tags=["train"]
figure, axes = plt.subplots(figsize=(7, 3.6))
plot_learning(axes, curves)
show(
    figure,
    alt="Success against the expert's seconds, from the same start. DAgger falls almost to nothing after its first round and rises to 100 per cent by 59 seconds. Human gating rises "
    "from round to round without a fall. With 0.2 seconds of reaction time it stays low for long.",
    caption="Large marks: means of three policies after each round. Small ones: the policies. Seconds at which the expert's hands are on the wheel, or labels.",
)

# %% [markdown]
# Human gating with quick hands does not fall. Why not? A likely reason: DAgger's first new labels come from the wild places that a bad policy visits, 105 beside the 167 of the road, and what they say is
# heard on the road too. The supervisor seldom lets it come that far. What is kept begins half way to the edge and ends near the middle: it is *how to come back*.
#
# And the price of slow hands is the other half of the picture. With 0.2 s as many drives teach far less: at first most drives are lost all the
# same, and what the expert does in them is to steer for a moment on the way into the ditch.
#
# Be fair to DAgger: in the end it is the best of the three here, and it needs no quick hands at all. Its labels can be given in the evening, at a desk.
# But the seconds in the picture are not all of a supervisor's seconds. Who gates by eye has to *watch*, all the time.

# %% [markdown]
# ## Your hands
#
# So far the people were simulated. Below, the three cloned policies go to your browser, and the first of them drives. Press Start, watch, and when it goes wrong, **hold Space, or press on the road, to take
# over**. Steer with the arrow keys or the pointer. **Let go to hand back.** The world runs at 0.4 of its speed, so you have two and a half times the simulated supervisor's time, and you see where the vehicle
# points.
#
# What you do while you hold on is recorded, as `human_gated_rollout` keeps it, and nothing else. Keep an eye on the doubt meter too; what it shows comes further down.

# %% tags=["train"]
cockpit = Cockpit(TRACK, cloned.runs)
cockpit

# %% [markdown]
# Supervise six drives or more, and run the next cells. Without drives of yours, they take recorded ones. In those a script held the mouse, and supervised five policies that were cloned from four drives.


# %%
def supervised_drives(cockpit):
    """Return your supervised drives, or the recorded ones."""
    if len(cockpit.corrections[0]):
        return cockpit.sessions
    return recorded_supervision("racetrack")


def help_in(sessions):
    """Return what a person did in some drives, as one data set."""
    return corrections_of(sessions, (TRACK.observation_dim, TRACK.action_dim))


def taught(corrections, seeds=SEEDS):
    """Train every seed's policy on its drive, and on the corrections."""
    datasets = [aggregate(one_drive(seed), corrections) for seed in seeds]
    (done,) = learn_from_corrections(make_policy, datasets, SETTINGS, seeds)
    return done


# %% tags=["train"]
sessions = supervised_drives(cockpit)
for session in sessions:
    steps = int(session.engaged.sum())
    print(
        f"{session.ending:8}: took over {len(session.takeovers)} times, {steps} of {len(session)} steps by hand"
    )
arrived = [session for session in sessions if session.ending == Ending.SUCCESS]
lessons = {"all drives": taught(help_in(sessions))}
if arrived:
    lessons["those that arrived"] = taught(help_in(arrived))
else:
    print("None of these drives arrived: supervise some more.")

print("\nbefore:", *(own.success for own in cloned.judge(TRACK)))
for name, done in lessons.items():
    print(f"with the help in {name}:", *(own.success for own in done.judge(TRACK)))
cockpit.policies = done.runs

# %% [markdown]
# The cockpit above drives with the new weights now. Start a drive and see what has changed, and what has not: does it go wrong elsewhere?
#
# If you read the recorded drives, look at the endings first. In three of eight the hand came too late, and did what it could on the way into the ditch. These drives have 24 of the 133 corrections, and that is enough to make the
# policies *worse* than before. Without them the policies are about as good as before, some better, some worse: a few seconds of help are not much.
# An expert who labels is always right. Hands on a wheel are not, and the end of a drive shows it.
#
# ## Could you automatically detect when intervention is needed?
#
# It is the lecture's question. A policy outputs an action, whatever it is shown. How could it know that it does not know? Two ideas:
#
# - **Disagreement.** Train several policies on the same data, each from other initial weights. Where there were demonstrations all have learnt the same. Elsewhere nothing holds them together, and each
#   makes up something of its own.
# - **Novelty.** Measure how far what it sees is from anything in the training data: the distance to the nearest observation, in normalised units.
#
# The first needs no distance between observations, only between actions, and there the unit is one that we know. It is what the cockpit's doubt meter shows, for its three policies.

# %% [markdown] question="ensemble_disagreement" points=[1, 1, 2, 1, 1]
# ### Question 8.3 · Disagreement
#
# Write `ensemble_disagreement(policies, observations)`.
#
# - `policies` is a list of functions. Each takes observations `(batch, observation_dim)` and returns actions `(batch, action_dim)`. The list may be
#   of any length, one included.
# - For every observation and every number of the action, take the variance across the policies: the mean squared distance from their mean. Sum
#   it over the numbers of the action, and take the square root.
# - Return `(batch,)`: one number for every observation, in the unit of the actions.


# %% tags=["solution"]
def ensemble_disagreement(policies, observations):
    """Return how far apart the policies' actions are, for every observation."""
    # BEGIN SOLUTION
    actions = torch.stack([policy(observations) for policy in policies])
    return actions.var(dim=0, correction=0).sum(dim=1).sqrt()
    # END SOLUTION


# %% tags=["public"]
def test_ensemble_disagreement_of_two(ensemble_disagreement):
    """Two policies whose actions are (6, 8) apart are both 5 away from their mean."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    apart = torch.tensor([6.0, 8.0])
    policies = [lambda seen: seen[:, :2], lambda seen: seen[:, :2] + seen[:, 2:] * apart]
    seen = torch.tensor([[1.0, 2.0, 1.0], [4.0, 5.0, 0.1], [7.0, 8.0, 0.0]])
    disagreement = ensemble_disagreement(policies, seen)
    check_answered(disagreement, "ensemble_disagreement")
    check_shape(disagreement, (3,), "one number for every observation.")
    hint = "the variance across the policies, summed over the action's numbers, and its root."
    check_close(disagreement, [5.0, 0.5, 0.0], hint)


def test_ensemble_disagreement_of_one_mind(ensemble_disagreement):
    """Policies that always do the same do not disagree, nor does a policy alone."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    seen = torch.tensor([[1.0, -2.0], [3.0, 5.0]])
    for number in (1, 2, 5):
        disagreement = ensemble_disagreement([torch.square] * number, seen)
        check_answered(disagreement, "ensemble_disagreement")
        check_close(
            disagreement, [0.0, 0.0], "no distance from the mean: divide by the number of policies."
        )


# %% tags=["hidden"]
def test_ensemble_disagreement_is_that_of_all_pairs(ensemble_disagreement):
    """Its square is half the mean squared distance between two policies, over all pairs."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    sizes = [(7, 5, 3, 4), (1, 4, 2, 3), (6, 3, 1, 2), (2, 6, 5, 9), (4, 2, 6, 1)]
    for batch, observation_dim, action_dim, number in sizes:
        mixings = torch.randn(number, observation_dim, action_dim, generator=generator)
        policies = [lambda seen, mixing=mixing: (seen @ mixing).tanh() for mixing in mixings]
        seen = torch.randn(batch, observation_dim, generator=generator)
        disagreement = ensemble_disagreement(policies, seen.clone())
        check_answered(disagreement, "ensemble_disagreement")
        check_shape(disagreement, (batch,), "one number for every observation.")
        acts = torch.stack([policy(seen) for policy in policies]).double()
        pairs = (acts[:, None] - acts[None]).square().sum(dim=3).mean(dim=(0, 1))
        hint = "root of the sum over the action's numbers of the variance across the policies."
        check_close(disagreement, (pairs / 2).sqrt(), hint)


def test_ensemble_disagreement_scales_with_the_actions(ensemble_disagreement):
    """Where one policy in a row is off by d, it is d times a factor that the number of policies fixes."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for number, action_dim in [(3, 4), (8, 2)]:
        off = torch.randn(action_dim, generator=generator)
        agree = torch.randn(5, action_dim, generator=generator)
        policies = [lambda seen, own=agree: seen[:, 1:] @ own] * (number - 1)
        policies.insert(1, lambda seen, own=agree, d=off: seen[:, 1:] @ own + seen[:, :1] * d)
        seen = torch.randn(6, 6, generator=generator)
        seen[:, 0] = torch.tensor([0.01, 0.3, 1.0, 5.0, 0.0, 80.0])
        disagreement = ensemble_disagreement(policies, seen.clone())
        check_answered(disagreement, "ensemble_disagreement")
        # The variance of a one among zeros.
        share = math.sqrt((1 / number) * (1 - 1 / number))
        hint = (
            "twice the distance is twice the disagreement: take the root of the summed variances."
        )
        expected = share * seen[:, 0] * off.norm()
        check_close(disagreement, expected, hint, rtol=1e-3, atol=1e-3)


def test_ensemble_disagreement_knows_no_other_rows(ensemble_disagreement):
    """An observation has the same disagreement alone and in company, whatever the policies' order."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    mixings = torch.randn(5, 4, 3, generator=generator)
    policies = [lambda seen, mixing=mixing: (seen @ mixing).sin() for mixing in mixings]
    seen = torch.randn(9, 4, generator=generator) * torch.arange(1.0, 10).unsqueeze(1)
    together = ensemble_disagreement(policies, seen.clone())
    check_answered(together, "ensemble_disagreement")
    for row in (0, 4, 8):
        alone = ensemble_disagreement(policies[::-1], seen[row : row + 1].clone())
        check_close(
            alone, torch.as_tensor(together)[row : row + 1], "rows know nothing of each other."
        )
    acts = torch.stack([policy(seen) for policy in policies]).double()
    spread = acts.var(dim=0, correction=0).sum(dim=1).sqrt()
    check_close(together, spread, "all policies count the same.")


# %% tags=["wrong"]
def ensemble_disagreement__divides_by_one_less(policies, observations):
    """The sum of squares is divided by one less than there are policies: take their mean."""
    actions = torch.stack([policy(observations) for policy in policies])
    return actions.var(dim=0, correction=1).sum(dim=1).sqrt()


def ensemble_disagreement__forgets_the_root(policies, observations):
    """The root is missing: this is in the square of the actions' unit."""
    return _acts(policies, observations).var(dim=0, correction=0).sum(dim=1)


def ensemble_disagreement__sums_the_deviations(policies, observations):
    """Standard deviations are summed over the action's numbers: sum variances, then take the root."""
    return _acts(policies, observations).std(dim=0, correction=0).sum(dim=1)


def ensemble_disagreement__averages_over_the_action(policies, observations):
    """The variance is averaged over the action's numbers: sum it."""
    return _acts(policies, observations).var(dim=0, correction=0).mean(dim=1).sqrt()


def ensemble_disagreement__takes_the_largest_number(policies, observations):
    """Only the number of the action with the largest variance counts: all of them do."""
    return _acts(policies, observations).std(dim=0, correction=0).amax(dim=1)


def ensemble_disagreement__looks_at_the_first_number(policies, observations):
    """Only the first number of the action is compared: all of them count."""
    return _acts(policies, observations)[:, :, 0].std(dim=0, correction=0)


def ensemble_disagreement__spreads_over_the_action(policies, observations):
    """The variance is taken over the numbers of an action: take it across the policies."""
    return _acts(policies, observations).var(dim=2, correction=0).sum(dim=0).sqrt()


def ensemble_disagreement__spreads_over_the_batch(policies, observations):
    """The variance is taken over the observations: take it across the policies."""
    spread = _acts(policies, observations).var(dim=1, correction=0).sum().sqrt()
    return spread.repeat(len(observations))


def ensemble_disagreement__averages_distances(policies, observations):
    """The mean distance from the mean action: take the root of the mean square."""
    actions = _acts(policies, observations)
    return (actions - actions.mean(dim=0)).norm(dim=2).mean(dim=0)


def ensemble_disagreement__measures_from_the_first(policies, observations):
    """Distances are measured from the first policy: measure from the mean of all."""
    actions = _acts(policies, observations)
    return (actions - actions[0]).square().mean(dim=0).sum(dim=1).sqrt()


def ensemble_disagreement__takes_the_largest_distance(policies, observations):
    """The policy that is farthest off decides: all count the same."""
    actions = _acts(policies, observations)
    return (actions - actions.mean(dim=0)).norm(dim=2).amax(dim=0)


def ensemble_disagreement__compares_two(policies, observations):
    """Only the first and the last policy are compared: all of them count."""
    return (policies[0](observations) - policies[-1](observations)).norm(dim=1) / 2


def ensemble_disagreement__averages_over_pairs(policies, observations):
    """Squared distances of all pairs: they are twice the variance."""
    actions = _acts(policies, observations)
    return (actions[:, None] - actions).square().sum(dim=3).mean(dim=(0, 1)).sqrt()


def ensemble_disagreement__sums_over_the_policies(policies, observations):
    """Squares are summed over the policies: take their mean."""
    actions = _acts(policies, observations)
    return (actions - actions.mean(dim=0)).square().sum(dim=(0, 2)).sqrt()


def ensemble_disagreement__divides_by_the_size(policies, observations):
    """The disagreement is divided by the size of the action: it is in the action's unit."""
    actions = _acts(policies, observations)
    spread = actions.var(dim=0, correction=0).sum(dim=1).sqrt()
    return spread / (actions.mean(dim=0).norm(dim=1) + 1e-6)


def ensemble_disagreement__averages_over_the_batch(policies, observations):
    """One number for the whole batch: every observation has its own."""
    return _acts(policies, observations).var(dim=0, correction=0).sum(dim=1).mean().sqrt()


def ensemble_disagreement__keeps_the_axis(policies, observations):
    """A row for every number of the action: one number for every observation."""
    return _acts(policies, observations).std(dim=0, correction=0)


def _acts(policies, observations):
    return torch.stack([policy(observations) for policy in policies])


# %% tags=["right"]
def ensemble_disagreement__by_distances_from_the_mean(policies, observations):
    actions = torch.stack([policy(observations) for policy in policies])
    return (actions - actions.mean(dim=0)).square().sum(dim=2).mean(dim=0).sqrt()


def ensemble_disagreement__row_by_row(policies, observations):
    spreads = []
    for row in observations:
        acts = [policy(row[None])[0] for policy in policies]
        mean = sum(acts) / len(acts)
        spreads.append(sum(((act - mean) ** 2).sum() for act in acts) / len(acts))
    return torch.tensor(spreads).sqrt()


def ensemble_disagreement__by_moments_in_float64(policies, observations):
    first = second = 0.0
    for policy in policies:
        action = policy(observations).double()
        first = first + action / len(policies)
        second = second + action.square() / len(policies)
    return (second - first.square()).sum(dim=1).clamp(min=0).sqrt().float()


def ensemble_disagreement__by_numpy(policies, observations):
    import numpy as np

    actions = np.array([policy(observations).numpy() for policy in policies])
    return torch.from_numpy(np.linalg.norm(actions.std(axis=0), axis=-1))


def ensemble_disagreement__by_pairs(policies, observations):
    actions = torch.stack([policy(observations) for policy in policies], dim=1)
    apart = actions[:, :, None] - actions[:, None]
    return torch.einsum("bijd,bijd->b", apart, apart).sqrt() / (2**0.5 * len(policies))


def ensemble_disagreement__by_running_means(policies, observations):
    mean = policies[0](observations)
    squares = torch.zeros_like(mean)
    for count, policy in enumerate(policies[1:], start=2):
        action = policy(observations)
        before = action - mean
        mean = mean + before / count
        squares = squares + before * (action - mean)
    return (squares / len(policies)).sum(dim=-1) ** 0.5


# %% [markdown]
# On our track, each data set now trains three policies. The first of the three drives, and the others only say what they would do. How far do they agree in the last two seconds before a crash? And where is the vehicle then? The
# second panel shows what our supervisor looks at, its *way to the edge*: 0 is the middle of the lane, 1 is the edge.

# %%
MEMBERS = 3


def train_ensembles(datasets, seeds=SEEDS):
    """Train three policies on every data set: those of the first one come first."""
    names = [MEMBERS * seed + member for seed in seeds for member in range(MEMBERS)]
    (done,) = learn_from_corrections(
        make_policy, [own for own in datasets for _ in range(MEMBERS)], SETTINGS, names
    )
    return done


class Ensemble:
    """Three policies that were trained on the same data, and what they say about an observation."""

    def __init__(self, done, number):
        members = slice(MEMBERS * number, MEMBERS * (number + 1))
        self.policies, self.run = done.policies[members], done.runs[members][0]
        self.known = self.normalize(done.datasets[members][0][0])

    def normalize(self, observations):
        """Return observations in units of the training data's spread."""
        return self.run.normalizers[0].normalize(observations)

    def disagreement(self, observations):
        """Return your measure of how far apart the policies are."""
        spread = ensemble_disagreement(self.policies, observations)
        return answered(spread, "ensemble_disagreement")

    def novelty(self, observations):
        """Return the distance to the nearest training observation."""
        return torch.cdist(self.normalize(observations), self.known).amin(dim=1)


def seen_in(rollouts):
    """Return all observations of the drives on which somebody acted."""
    return rollouts.observations[:-1][rollouts.active]


def crash_within(rollouts, seconds, time_step):
    """Return, for each of these observations, whether the drive is to crash within so many seconds."""
    left = rollouts.active.sum(dim=0) - torch.arange(len(rollouts.active)).unsqueeze(1)
    return (rollouts.failed & (left * time_step <= seconds))[rollouts.active]


def before_crashes(score, rollouts, steps=20):
    """Return a score in the last steps before every crash, (crashes, steps); NaN before a start."""
    scores = score(rollouts.observations[:-1].flatten(0, 1)).view(rollouts.active.shape)
    table = torch.full((int(rollouts.failed.sum()), steps), math.nan)
    for row, episode in zip(table, rollouts.failed.nonzero().flatten().tolist(), strict=True):
        own = scores[: rollouts.lengths[episode], episode][-steps:]
        row[-len(own) :] = own
    return table


# %% tags=["train"]
doubters = train_ensembles(first_drives)
ensembles = [Ensemble(doubters, number) for number in range(len(SEEDS))]
alone_on_the_track = [own.rollouts for own in doubters.judge(TRACK)[::MEMBERS]]

pairs = list(zip(ensembles, alone_on_the_track, strict=True))
figure, panels = plt.subplots(1, 2, figsize=(10, 3.2))
for axes, name in zip(panels, ("disagreement", "way to the edge"), strict=True):
    tables, levels = [], []
    for ensemble, own in pairs:
        score = ensemble.disagreement if name == "disagreement" else towards_the_edge
        tables.append(before_crashes(score, own))
        arriving = own.observations[:-1][own.active & own.succeeded]
        levels.append(score(arriving))
    plot_before_crashes(axes, TRACK.time_step, torch.cat(tables), torch.cat(levels))
    axes.set_title(name)
panels[0].set_ylabel("rad/s")
panels[1].set_ylabel("half widths of the lane")
show(
    figure,
    alt="The two seconds before a crash. The disagreement is small until about one second before, and then rises to several times its level in drives that arrive. The way to the edge is below its level "
    "half a second before the crash, and shoots up in the last three tenths.",
    caption="Medians over all crashes of three policies, with quartiles. Dashed: the median in drives that arrive.",
)

# %% [markdown]
# Half a second before it crashes the vehicle is nearer to the middle of the lane than usual, and the policies have been in dispute for a while: it crosses the middle in a direction in which nobody has ever driven there. That looks good. But how good is it as an alarm?
#
# Take all steps of all drives, and mark those after which the drive crashes within a second. A good doubt is high at these and low at the others. Wherever you put the threshold, some of
# the marked steps lie above it, the hits, and some of the others too, the false alarms. A number for all thresholds at once: draw a marked step and another one at random. **How likely is it that the marked
# one has the higher doubt?** One half is a coin, and 1 is perfect. The number is called AUROC, since it is also the *area under* the curve of hits against false alarms (the *receiver operating characteristic*, a name
# from the time of the first radars).

# %% [markdown] question="auroc" points=[1, 1, 3, 2, 2]
# ### Question 8.4 · How good is a doubt?
#
# Write `auroc(scores, labels)`.
#
# - `scores` is `(number,)`. `labels` is `(number,)`, of booleans, and holds both kinds.
# - Draw one of those whose label is true, and one of those whose label is false. Return the probability that the first has the higher score.
#   Equal scores count as half.
#
# There may be thousands of scores.


# %% tags=["solution"]
def auroc(scores, labels):
    """Return the probability that a true one scores higher than a false one."""
    # BEGIN SOLUTION
    rivals, _ = scores[~labels].sort()
    candidates = scores[labels].contiguous()
    below = torch.searchsorted(rivals, candidates)
    not_above = torch.searchsorted(rivals, candidates, right=True)
    return (below + not_above).double().mean() / (2 * len(rivals))
    # END SOLUTION


# %% tags=["public"]
def test_auroc_of_five_scores(auroc):
    """Of the six pairs of a true one and a false one, the true one wins four and ties once."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    scores = torch.tensor([3.0, 1.0, 2.0, 5.0, 3.0])
    chance = auroc(scores, torch.tensor([True, False, False, True, False]))
    check_answered(chance, "auroc")
    check_close(chance, 5.5 / 6, "count the pairs that a true one wins, and half of the ties.")
    chance = auroc(scores, torch.tensor([False, True, True, False, False]))
    check_close(chance, 0.0, "here every true one scores lower than every false one.")


def test_auroc_of_a_score_that_knows_nothing(auroc):
    """A score that is the same for all is as good as a coin: one half."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    chance = auroc(torch.full((7,), 2.5), torch.tensor([True] * 2 + [False] * 5))
    check_answered(chance, "auroc")
    check_close(chance, 0.5, "a tie counts as half.")


# %% tags=["hidden"]
def test_auroc_counts_pairs(auroc):
    """With and without ties, it is the share of the pairs that a true one wins."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for number, true, levels in [(40, 9, 0), (31, 22, 4), (25, 1, 0), (18, 17, 3), (90, 30, 12)]:
        scores = torch.randn(number, generator=generator)
        labels = torch.randperm(number, generator=generator) < true
        scores = scores + 0.7 * labels
        if levels:
            # Equal at the ends as well, where a curve begins.
            scores = (levels * scores / 3).round().clamp(-2, 2)
        chance = auroc(scores.clone(), labels.clone())
        check_answered(chance, "auroc")
        check_shape(chance, (), "return one number.")
        wins = [
            1.0 if t > f else 0.5 if t == f else 0.0
            for t in scores[labels].tolist()
            for f in scores[~labels].tolist()
        ]
        expected = sum(wins) / len(wins)
        check_close(chance, expected, "the share of pairs in which the true one scores higher.")


def test_auroc_of_thousands(auroc):
    """With thousands of scores it agrees with scipy's rank test."""
    import torch
    from scipy.stats import mannwhitneyu

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for scale in (0.0, 50.0):
        labels = torch.rand(5000, generator=generator) < 0.03
        labels[:2] = torch.tensor([True, False])
        scores = torch.randn(5000, generator=generator) + labels
        if scale:
            scores = (scores * scale).round() / scale
        chance = auroc(scores.clone(), labels.clone())
        check_answered(chance, "auroc")
        test = mannwhitneyu(scores[labels].numpy(), scores[~labels].numpy())
        expected = float(test.statistic) / int(labels.sum()) / int((~labels).sum())
        check_close(chance, expected, "the share of pairs in which the true one scores higher.")


def test_auroc_knows_the_order_only(auroc):
    """Only the order counts: any rising function leaves it, and a change of sign turns it round."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    labels = torch.rand(120, generator=generator) < 0.3
    labels[:2] = torch.tensor([True, False])
    # Quarters: their order survives the functions below, ties included.
    scores = (4 * (torch.randn(120, generator=generator) + labels)).round() / 4
    chance = auroc(scores.clone(), labels.clone())
    check_answered(chance, "auroc")
    plain = float(torch.as_tensor(chance))
    for changed in (1000 * scores - 7e3, scores.double().exp(), scores**3 + scores):
        hint = "compare scores with each other, and with nothing else."
        check_close(auroc(changed, labels.clone()), plain, hint)
    check_close(
        auroc(-scores, labels.clone()), 1 - plain, "with the order turned round, it is one minus."
    )
    check_close(
        auroc(scores.clone(), ~labels), 1 - plain, "with labels turned round, it is one minus."
    )
    order = torch.randperm(120, generator=generator)
    check_close(auroc(scores[order], labels[order]), plain, "the order of the rows means nothing.")
    shares = torch.stack([(scores[labels] > s).double().mean() for s in scores[~labels]])
    ties = torch.stack([(scores[labels] == s).double().mean() for s in scores[~labels]])
    check_close(plain, float((shares + ties / 2).mean()), "count the pairs, ties as half.")


# %% tags=["wrong"]
def auroc__loses_ties(scores, labels):
    """Ties count nothing: they count as half."""
    return (scores[labels][:, None] > scores[~labels]).double().mean()


def auroc__wins_ties(scores, labels):
    """Ties count as wins: they count as half."""
    return (scores[labels][:, None] >= scores[~labels]).double().mean()


def auroc__turns_the_order_round(scores, labels):
    """This is the probability that the true one scores lower."""
    return 1 - _pairs(scores, labels)


def auroc__is_never_below_half(scores, labels):
    """A score that is worse than a coin is made better than one: return what it is."""
    return torch.maximum(_pairs(scores, labels), 1 - _pairs(scores, labels))


def auroc__is_twice_that_minus_one(scores, labels):
    """This goes from -1 to 1: a probability is between 0 and 1."""
    return 2 * _pairs(scores, labels) - 1


def auroc__divides_by_all_pairs(scores, labels):
    """Wins are divided by the square of the number of scores: divide by the pairs of a true and a false one."""
    true = int(labels.sum())
    return _pairs(scores, labels) * true * (len(labels) - true) / len(labels) ** 2


def auroc__compares_with_everybody(scores, labels):
    """True ones are compared with all scores, their own included: compare with those of the false ones."""
    apart = scores[labels][:, None] - scores
    return (apart.sign() + 1).double().mean() / 2


def auroc__compares_the_means(scores, labels):
    """The means of the two kinds are compared: compare every pair."""
    return (scores[labels].mean() > scores[~labels].mean()).double()


def auroc__compares_with_the_mean(scores, labels):
    """True ones are compared with the mean of the false ones: compare with every one of them."""
    return (scores[labels] > scores[~labels].mean()).double().mean()


def auroc__compares_with_the_median(scores, labels):
    """This is the share of right answers at one threshold: the pairs are to be counted, at no threshold."""
    return ((scores > scores.median()) == labels).double().mean()


def auroc__takes_the_best_accuracy(scores, labels):
    """This is the best share of right answers over all thresholds: it rises with the share of the larger kind."""
    return ((scores[:, None] >= scores) == labels[:, None]).double().mean(dim=0).max()


def auroc__averages_the_precision(scores, labels):
    """This is the average precision, which depends on how rare true ones are."""
    ranked = labels[scores.argsort(descending=True)].double()
    precision = ranked.cumsum(dim=0) / torch.arange(1, len(ranked) + 1)
    return precision[ranked > 0].mean()


def auroc__breaks_ties_by_position(scores, labels):
    """Equal scores get different ranks, by their place in the tensor: they count as half."""
    ranks = scores.argsort(stable=True).argsort().double() + 1
    true, false = int(labels.sum()), int((~labels).sum())
    return (ranks[labels].sum() - true * (true + 1) / 2) / (true * false)


def auroc__counts_ranks_from_zero(scores, labels):
    """Ranks are counted from zero, in a formula for ranks from one."""
    from scipy.stats import rankdata

    ranks = torch.from_numpy(rankdata(scores.numpy())) - 1
    true, false = int(labels.sum()), int((~labels).sum())
    return (ranks[labels].sum() - true * (true + 1) / 2) / (true * false)


def auroc__pairs_neighbours(scores, labels):
    """The first true one is compared with the first false one, and so on: compare every pair."""
    number = min(int(labels.sum()), int((~labels).sum()))
    apart = scores[labels][:number] - scores[~labels][:number]
    return (apart.sign() + 1).double().mean() / 2


def auroc__assumes_a_bell(scores, labels):
    """This takes both kinds to be normally distributed: count the pairs."""
    true, false = scores[labels].double(), scores[~labels].double()
    spread = (true.var(correction=0) + false.var(correction=0)).sqrt() + 1e-9
    return torch.special.ndtr((true.mean() - false.mean()) / spread)


def auroc__correlates(scores, labels):
    """This is a correlation: count the pairs."""
    both = torch.stack([scores.double(), labels.double()])
    return torch.nan_to_num(torch.corrcoef(both)[0, 1], 0.0) / 2 + 0.5


def auroc__misses_the_corner(scores, labels):
    """The curve does not begin at (0, 0): add the threshold above all scores."""
    thresholds = scores.unique().flip(0)
    hits = (scores[labels] >= thresholds[:, None]).double().mean(dim=1)
    alarms = (scores[~labels] >= thresholds[:, None]).double().mean(dim=1)
    return torch.trapezoid(hits, alarms)


def auroc__climbs_in_steps(scores, labels):
    """The area is made of rectangles, so that a tie counts in full: use trapezoids."""
    thresholds = scores.unique().flip(0)
    hits = (scores[labels] >= thresholds[:, None]).double().mean(dim=1)
    alarms = (scores[~labels] >= thresholds[:, None]).double().mean(dim=1)
    return (hits * alarms.diff(prepend=torch.zeros(1))).sum()


def _pairs(scores, labels):
    apart = scores[labels][:, None] - scores[~labels]
    return (apart.sign() + 1).double().mean() / 2


# %% tags=["right"]
def auroc__by_all_pairs(scores, labels):
    true, false = scores[labels].unsqueeze(1), scores[~labels].unsqueeze(0)
    return ((true > false).double() + 0.5 * (true == false).double()).mean()


def auroc__by_ranks(scores, labels):
    from scipy.stats import rankdata

    ranks = torch.from_numpy(rankdata(scores.numpy()))
    true, false = int(labels.sum()), int((~labels).sum())
    return (ranks[labels].sum() - true * (true + 1) / 2) / (true * false)


def auroc__by_the_curve(scores, labels):
    """The area under hits against false alarms, hence the name."""
    thresholds = torch.cat([scores.new_tensor([float("inf")]), scores.unique().flip(0)])
    hits = (scores[labels] >= thresholds[:, None]).double().mean(dim=1)
    alarms = (scores[~labels] >= thresholds[:, None]).double().mean(dim=1)
    return torch.trapezoid(hits, alarms)


def auroc__in_loops(scores, labels):
    true = sorted(scores[labels].tolist())
    false = sorted(scores[~labels].tolist())
    wins, below, upto = 0.0, 0, 0
    for own in true:
        while below < len(false) and false[below] < own:
            below += 1
        upto = max(upto, below)
        while upto < len(false) and false[upto] <= own:
            upto += 1
        wins += (below + upto) / 2
    return wins / (len(true) * len(false))


def auroc__by_numpy(scores, labels):
    import numpy as np

    scores, labels = scores.numpy(), labels.numpy()
    true, false = scores[labels], np.sort(scores[~labels])
    ties = np.searchsorted(false, true, "left") + np.searchsorted(false, true, "right")
    return float(ties.mean() / 2 / len(false))


def auroc__by_counting_levels(scores, labels):
    levels, which = scores.unique(return_inverse=True)
    true = torch.bincount(which[labels], minlength=len(levels)).double()
    false = torch.bincount(which[~labels], minlength=len(levels)).double()
    below = false.cumsum(dim=0) - false
    return (true * (below + false / 2)).sum() / (true.sum() * false.sum())


def auroc__by_scipy(scores, labels):
    from scipy.stats import mannwhitneyu

    true, false = scores[labels].numpy(), scores[~labels].numpy()
    return mannwhitneyu(true, false, method="asymptotic").statistic / (len(true) * len(false))


# %% [markdown]
# Three doubts compete: the policies' disagreement, novelty, and what our simulated supervisor looks at, the way to the edge. Guess their order.

# %% tags=["train"]
labels = torch.cat([crash_within(own, 1.0, TRACK.time_step) for own in alone_on_the_track])
doubts = {"disagreement": [], "novelty": [], "way to the edge": []}
for ensemble, own in zip(ensembles, alone_on_the_track, strict=True):
    seen = seen_in(own)
    doubts["disagreement"].append(ensemble.disagreement(seen))
    doubts["novelty"].append(ensemble.novelty(seen))
    doubts["way to the edge"].append(towards_the_edge(seen))
doubts = {name: torch.cat(scores) for name, scores in doubts.items()}
print(f"{100 * labels.float().mean():.0f} % of the steps are followed by a crash within a second")

figure, axes = plt.subplots(figsize=(4.6, 4.2))
plot_roc(axes, doubts, labels)
for name, scores in doubts.items():
    print(f"{name}: AUROC {answered(auroc(scores, labels), 'auroc'):.2f}")
show(
    figure,
    alt="Hits against false alarms. Disagreement and novelty rise steeply: most steps before a crash are found with few false alarms. The way to the edge lies not far above the diagonal.",
    caption="Each curve runs through all thresholds. The dotted diagonal is a coin.",
)

# %% [markdown]
# The machine knows it before the eye does. A vehicle in the middle of its lane that points in a strange direction looks fine to somebody who watches the distance to the edge. In the training data there is
# nothing like it.
#
# ## A threshold that one can afford
#
# Where to put the threshold? If a missed crash costs a fortune, low. But every alarm costs a person's time. So ask the other way round: *how much time do we have?* Say that a person can look after one step in ten.
# Then take the threshold above which one step in ten lies.

# %% [markdown] question="fit_threshold" points=[1, 1, 3, 2, 1]
# ### Question 8.5 · A threshold that one can afford
#
# Write `fit_threshold(scores, budget)`.
#
# - `scores` is `(number,)`: doubts that were seen. `budget` is a share, between 0 and 1, both included.
# - Return the **smallest of the scores** for which at most the share `budget` of all scores lie **strictly above** it.
#
# Scores may be equal. With a budget of 0, nothing lies above the threshold. Computers do not always count as we do: `0.29 * 100` is a hair below 29, and `29 / 100 <= 0.29` is true. Where only such a
# hair decides whether one more score may lie above, either answer is accepted.


# %% tags=["solution"]
def fit_threshold(scores, budget):
    """Return the smallest of the scores that has at most the share `budget` above it."""
    # BEGIN SOLUTION
    ranked, _ = scores.sort()
    above = len(ranked) - torch.searchsorted(ranked, ranked, right=True)
    return ranked[above <= budget * len(ranked)][0]
    # END SOLUTION


# %% tags=["public"]
def test_fit_threshold_of_eight_scores(fit_threshold):
    """Of eight scores, a quarter may lie above the threshold: two."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    scores = torch.tensor([0.7, 0.2, 0.9, 0.4, 0.1, 0.6, 0.3, 0.5])
    for budget, expected in [(0.25, 0.6), (0.3, 0.6), (0.0, 0.9), (1.0, 0.1)]:
        threshold = fit_threshold(scores, budget)
        check_answered(threshold, "fit_threshold")
        hint = f"with budget {budget}, at most {int(8 * budget)} of 8 may lie above, and no fewer need to."
        check_close(threshold, expected, hint)


def test_fit_threshold_of_equal_scores(fit_threshold):
    """Equal scores lie above a threshold together, or not at all."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    threshold = fit_threshold(torch.tensor([3.0, 1.0, 3.0, 2.0, 3.0]), 0.5)
    check_answered(threshold, "fit_threshold")
    check_close(threshold, 3.0, "above 2 there would be three of five: more than half.")


# %% tags=["hidden"]
def test_fit_threshold_is_the_smallest_that_keeps_to_the_budget(fit_threshold):
    """With and without ties, no more lie above than the budget allows, and no smaller score will do."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for number, levels in [(60, 0), (37, 5), (200, 0), (100, 9), (3, 0), (1, 0)]:
        scores = 4 * torch.randn(number, generator=generator) - 3
        if levels:
            scores = (scores * levels / 8).round()
        for allowed in {0, number // 10, number // 3, number // 2, number - 1, number}:
            # Half a score to spare, so that rounding decides nothing.
            budget = min((allowed + 0.5) / number, 1.0)
            threshold = fit_threshold(scores.clone(), budget)
            check_answered(threshold, "fit_threshold")
            check_shape(threshold, (), "return one number.")
            candidates = sorted(scores.tolist())
            fits = [c for c in candidates if sum(s > c for s in candidates) <= allowed]
            hint = (
                f"of {number} scores, at most {allowed} may lie strictly above it, and it is the smallest "
                "such score."
            )
            check_close(threshold, min(fits), hint)


def test_fit_threshold_uses_its_budget_up(fit_threshold):
    """Where a share of the scores is exactly the budget, that many may lie above."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Powers of two: these shares are exact numbers.
    for number, allowed in [(64, 16), (32, 1), (16, 8), (128, 0), (8, 8), (4, 3)]:
        scores = torch.randperm(number, generator=generator) * 0.25
        threshold = fit_threshold(scores, allowed / number)
        check_answered(threshold, "fit_threshold")
        expected = 0.25 * max(number - 1 - allowed, 0)
        hint = f"exactly {allowed} of {number} scores may lie strictly above it."
        check_close(threshold, expected, hint)


def test_fit_threshold_is_one_of_the_scores(fit_threshold):
    """Whatever the budget, it is a score that was seen, also where scores lie far apart."""
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    generator = fresh_generator()
    scores = torch.randn(23, generator=generator).exp() * 10.0 ** torch.arange(-3, 20).remainder(6)
    given = scores.clone()
    for budget in (0.0, 0.03, 0.11, 0.37, 0.5, 0.71, 0.99, 1.0):
        threshold = fit_threshold(scores, budget)
        check_answered(threshold, "fit_threshold")
        nearest = (given - float(threshold)).abs() / given
        assert float(nearest.min()) < 1e-5, (
            "the threshold is none of the scores: do not interpolate."
        )
        share = float((given > given[nearest.argmin()]).double().mean())
        assert share <= budget, (
            f"{100 * share:.0f} % lie above it, with a budget of {100 * budget:.0f} %."
        )
        assert torch.equal(scores, given), "the scores were changed in place: make a new tensor."


# %% tags=["wrong"]
def fit_threshold__interpolates(scores, budget):
    """The threshold lies between two scores: return one of them."""
    return torch.quantile(scores, 1 - budget)


def fit_threshold__takes_the_nearest_quantile(scores, budget):
    """The nearest quantile may let more lie above than the budget allows."""
    return torch.quantile(scores, 1 - budget, interpolation="nearest")


def fit_threshold__takes_the_higher_quantile(scores, budget):
    """A quantile among number - 1 gaps is not a share of the scores: count how many lie above."""
    return torch.quantile(scores, 1 - budget, interpolation="higher")


def fit_threshold__spends_the_budget_below(scores, budget):
    """The budget is the share below the threshold: it is the share above."""
    return _threshold(scores, 1 - budget)


def fit_threshold__counts_itself(scores, budget):
    """The threshold itself counts as above: only scores strictly above it do."""
    above = (scores >= scores[:, None]).double().mean(dim=1)
    fits = above <= budget
    return scores[fits].min() if fits.any() else scores.max()


def fit_threshold__is_one_too_low(scores, budget):
    """One more score lies above than the budget allows."""
    ranked = scores.sort(descending=True).values
    return ranked[min(int(budget * len(ranked)) + 1, len(ranked) - 1)]


def fit_threshold__is_one_too_high(scores, budget):
    """One score fewer lies above than the budget allows: take the smallest that keeps to it."""
    ranked = scores.sort(descending=True).values
    return ranked[max(int(budget * len(ranked)) - 1, 0)]


def fit_threshold__rounds_the_number(scores, budget):
    """The allowed number is rounded, up as well: at most that share may lie above."""
    ranked = scores.sort(descending=True).values
    return ranked[min(round(budget * len(ranked) + 0.01), len(ranked) - 1)]


def fit_threshold__forgets_ties(scores, budget):
    """Equal scores are counted once: each of them counts."""
    return _threshold(scores.unique(), budget)


def fit_threshold__takes_a_share_of_the_range(scores, budget):
    """A share of the range between the smallest and the largest: take a share of their number."""
    edge = scores.max() - budget * (scores.max() - scores.min())
    return scores[scores >= edge].min()


def fit_threshold__takes_the_largest(scores, budget):
    """The largest score lets nothing lie above: take the smallest that keeps to the budget."""
    return scores.max()


def fit_threshold__assumes_a_bell(scores, budget):
    """This takes the scores to be normally distributed: count them."""
    spread = scores.std(correction=0).double()
    share = torch.tensor(1 - budget, dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    return (scores.mean() + spread * torch.special.ndtri(share)).float()


def fit_threshold__does_not_sort(scores, budget):
    """The score at a place of the tensor is taken: sort the scores first."""
    return scores[min(int((1 - budget) * len(scores)), len(scores) - 1)]


def fit_threshold__takes_the_next_higher(scores, budget):
    """The score above the threshold is taken: nothing larger than the smallest that will do."""
    threshold = _threshold(scores, budget)
    higher = scores[scores > threshold]
    return higher.min() if len(higher) else threshold


def fit_threshold__uses_the_whole_budget(scores, budget):
    """More than the budget lies above where scores are equal, or the number does not fit: at most that share may."""
    above = (scores > scores[:, None]).double().mean(dim=1)
    fits = above >= budget
    return scores[fits].max() if fits.any() else scores.min()


def fit_threshold__sorts_in_place(scores, budget):
    """The scores are sorted in place: make a new tensor."""
    scores.copy_(scores.sort().values)
    return _threshold(scores, budget)


def fit_threshold__returns_the_place(scores, budget):
    """This is where the threshold stands in the sorted scores: return the score."""
    return (scores.sort().values == _threshold(scores, budget)).nonzero()[0, 0]


def _threshold(scores, budget):
    above = (scores > scores[:, None]).double().mean(dim=1)
    return scores[above <= budget].min()


# %% tags=["right"]
def fit_threshold__by_counting_pairs(scores, budget):
    above = (scores[None, :] > scores[:, None]).sum(dim=1)
    return torch.where(above <= budget * len(scores), scores, torch.inf).min()


def fit_threshold__by_place(scores, budget):
    ranked = scores.sort(descending=True).values
    return ranked[min(math.floor(budget * len(ranked)), len(ranked) - 1)]


def fit_threshold__by_kthvalue(scores, budget):
    allowed = min(int(budget * len(scores)), len(scores) - 1)
    return scores.kthvalue(len(scores) - allowed).values


def fit_threshold__by_going_down(scores, budget):
    best = scores.max()
    for candidate in sorted(scores.tolist(), reverse=True):
        if int((scores > candidate).sum()) / len(scores) > budget:
            break
        best = candidate
    return torch.as_tensor(best)


def fit_threshold__by_going_up(scores, budget):
    import bisect

    ranked = sorted(scores.double().tolist())
    lowest = 0
    while (len(ranked) - bisect.bisect_right(ranked, ranked[lowest])) / len(ranked) > budget:
        lowest += 1
    return torch.tensor(ranked[lowest])


def fit_threshold__by_numpy(scores, budget):
    import numpy as np

    values, counts = np.unique(scores.numpy(), return_counts=True)
    above = counts.sum() - counts.cumsum()
    return torch.as_tensor(values[np.argmax(above <= budget * counts.sum())])


# %% [markdown]
# Now build the automatic gate from your parts. The expert engages where the doubt is above the threshold, and lets go below half of it. The threshold is fitted on drives that the policy did alone. With the expert about, the
# share of the expert's steps will be another one. Larger or smaller? Guess before you run the cell.


# %%
BUDGET = 0.1


def doubtful(doubt, threshold):
    """Return a gate: your thresholds on a doubt."""

    def who_drives(observations, engaged):
        return answered(gate(doubt(observations), engaged, threshold / 2, threshold), "gate")

    return who_drives


def affordable(doubt, rollouts, budget=BUDGET):
    """Return the threshold above which a share of the steps of some drives lies."""
    return float(answered(fit_threshold(doubt(seen_in(rollouts)), budget), "fit_threshold"))


def gated_crashes(ensembles, drives, name, budget=BUDGET, episodes=100):
    """Return the shares of drives that crash under an automatic gate, and of steps by hand."""
    rates = []
    for seed, (ensemble, own) in enumerate(zip(ensembles, drives, strict=True)):
        doubt = towards_the_edge if name == "way to the edge" else getattr(ensemble, name)
        watch = doubtful(doubt, affordable(doubt, own, budget))
        logbook, _ = supervise(ensemble.policies[0], watch, seeded(500 + seed), episodes)
        by_hand = logbook.hands_on.sum() / logbook.running.sum()
        rates.append([float(logbook.crashed.float().mean()), float(by_hand)])
    return torch.tensor(rates)


# %% tags=["train"]
print(
    f"alone: {100 * torch.stack([own.failed for own in alone_on_the_track]).float().mean():.0f} % crash"
)
for budget in (0.1, 0.2):
    print(f"\nbudget {100 * budget:.0f} % of the steps")
    for name in doubts:
        crashed, by_hand = 100 * gated_crashes(ensembles, alone_on_the_track, name, budget).mean(
            dim=0
        )
        print(f"{name:16}: {crashed:3.0f} % crash, {by_hand:3.0f} % of the steps by hand")

# %% [markdown]
# On a budget of a tenth of the steps the gate by disagreement prevents most crashes. On a budget of a fifth nearly every drive arrives. The eye on the edge prevents fewer crashes, with more steps by hand. Novelty does at least as well as disagreement here. And no person had to watch.
#
# And the expert's share? It is not the budget. By disagreement it is smaller; by the way to the edge it is larger here. Two things pull against each other. A drive that would have crashed is put right, and goes on with
# calm steps: that makes the share smaller. But the expert lets go only below half of the threshold, and so drives on through steps that lie below the threshold: that makes it larger.
#
# ## The price of a lesson
#
# Does it also teach? The same race again, with a gate by disagreement whose threshold is fitted anew in every round, to a budget of 10 % of the steps.


# %%
def ensemble_curve(seeds=SEEDS, rounds=4, budget=BUDGET):
    """Return the expert's seconds and each seed's success, after every round, for a gate by disagreement."""
    datasets, curve = [one_drive(seed) for seed in seeds], []
    for index in range(rounds + 1):
        done = train_ensembles(datasets, seeds)
        judged = done.judge(TRACK)[::MEMBERS]
        seconds = [TRACK.time_step * len(labels) for _, labels in datasets]
        curve.append([seconds, [own.success.rate for own in judged]])
        for number, seed in enumerate(seeds if index < rounds else []):
            ensemble = Ensemble(done, number)
            threshold = affordable(ensemble.disagreement, judged[number].rollouts, budget)
            watch = doubtful(ensemble.disagreement, threshold)
            _, new = supervise(ensemble.policies[0], watch, seeded(1000 * index + seed), 6)
            datasets[number] = aggregate(datasets[number], new)
    return torch.tensor(curve).transpose(0, 1)


def seconds_until(curve, wanted=0.8):
    """Return the mean seconds after the first round whose mean success is as wanted, or None."""
    reached = (curve[1].mean(dim=1) >= wanted).nonzero().flatten()
    return float(curve[0].mean(dim=1)[reached[0]]) if len(reached) else None


# %% tags=["train"]
curves["gated by disagreement"] = ensemble_curve()

# %% tags=["train"]
figure, axes = plt.subplots(figsize=(7, 3.8))
plot_learning(axes, curves, wanted=0.8)
axes.legend(fontsize=8, loc="lower right")
show(
    figure,
    alt="The earlier figure with a fourth curve: gating by disagreement rises fastest, without a fall, and flattens out below DAgger's end.",
    caption="Hands-on seconds of the expert, the first drive included. The dashed line is 80 %.",
)
for name, curve in curves.items():
    seconds = seconds_until(curve)
    reached = (
        "does not reach 80 % in four rounds" if seconds is None else f"80 % after {seconds:.0f} s"
    )
    print(f"{name:22}: {reached}")

logbook, (_, kept) = supervise(cloned.policies[0], supervisor(seeded(0)), seeded(0), 6)
watched = TRACK.time_step * int(logbook.running.sum())
print(
    f"\nhuman-gated, first round: {TRACK.time_step * len(kept):.0f} s by hand, {watched:.0f} s watched"
)

# %% [markdown]
# Gating by disagreement rises soonest: its lessons begin where the policy does not know what to do, early enough to be of use. It does not fall either. (The table asks for a mean of 80 %. A curve that stays a hair below it has to
# wait for its next round, so look at the picture too.) In the end DAgger catches up: random states of the policy's own drives also cover what no alarm has pointed at.
#
# Whose seconds are these? For DAgger, they are seconds of labels; nobody drives, and nobody is in a hurry. For the human gate, the hands are on the wheel for less than half of the time, and the eyes are on the road for all of it: the last
# line counts both. The automatic gate needs hands when it calls, and no eyes. But it needs somebody *at hand*, and here that somebody is at once awake, sees the road, and does the right thing. Nobody
# who is called away from a book does. (A stretch goal below gives them time.)

# %% [markdown] question="detect_intervention" points=[]
# ### Question 8.6 · Could you automatically detect when intervention is needed?
#
# Answer the lecture's question with your measurements: what do disagreement and novelty detect, how do you know, and what does your threshold depend on? Name one thing that a good AUROC does *not* promise.

# %% [markdown] tags=["solution"]
# On the track, yes. Both measure how unlike the training data a situation is, and there the policy crashes because it has drifted to states that nobody has demonstrated: the cause of the crash is what is measured. A step before a
# crash has the higher doubt in more than nine of ten pairs, and on a budget of a tenth of the steps the gate prevents most crashes. The distance to the edge, which a person watches, is far worse, since it shows late.
#
# The threshold is a price, not a property of the doubt. It depends on how often the policy of *today* is in trouble, so it has to be fitted again when the policy, the road or the sensor changes. With a bad policy a tenth of the
# steps is not enough.
#
# A good AUROC does not promise that the alarm comes *early enough*: a doubt that rises in the very last steps scores well, when nothing can be saved any more. It averages over all kinds of crashes, and a rare kind without any doubt hardly
# lowers it. And it says nothing about crashes that are not failures of knowledge: where the data themselves are wrong, or contradict each other, the policies agree.

# %% [markdown]
# ## Sure and wrong
#
# Both doubts ask the same thing in the end: *is this like the training data?* Go back to the road of notebook 1. An obstacle stands ahead. Half of the drivers pass it on the left, half on the right, and regression, which returns the mean, drives
# into it. Train five regressions from five initial weights on the same demonstrations. Before you go on: in front of the obstacle, what will they disagree about?


# %%
FORK = Fork()
FORK_SETTINGS = TrainingSettings(steps=600, batch_size=128, learning_rate=1e-2)


def five_of_one_mind(seed):
    """Return five regressions as functions, their demonstrations, and 100 drives of the first."""
    drivers = {side: ForkDriver(FORK, (side,)) for side in ("left", "right")}
    demonstrations = demonstrate(FORK, drivers, 100, seeded(seed))

    def make(number):
        return RegressionPolicy(8, 2, width=64, generator=seeded(number))

    members = range(5 * seed, 5 * seed + 5)
    runs = clone(make, demonstrations, FORK_SETTINGS, members, "cpu", "five regressions")
    players = [PhysicalPolicy(run.policy, *run.normalizers) for run in runs]
    policies = [lambda seen, own=own: own.sample(seen, seeded(0))[:, 0] for own in players]
    alone = evaluate(FORK, RecedingHorizon(players[0]), seeded(1000 + seed)).rollouts
    return policies, demonstrations, alone


def at_the_decision(policies, demonstrations):
    """Return, where drivers decide, their commands and the policies', sideways, (policies, number)."""
    where = ForkDriver(FORK).is_deciding(demonstrations.observations)
    seen = demonstrations.observations[where]
    return demonstrations.actions[where, 1], torch.stack([own(seen)[:, 1] for own in policies])


def fork_gate(policies, drives, budget, episodes=100):
    """Return the shares of drives that crash under a gate by disagreement, and of steps by hand."""

    def doubt(observations):
        spread = ensemble_disagreement(policies, observations)
        return answered(spread, "ensemble_disagreement")

    def driver(observations):
        # A new one at every step: nothing to remember, for any number of episodes.
        return as_function(ForkDriver(FORK, ("left",)), len(observations), seeded(0))(observations)

    logbook = Logbook(FORK, doubtful(doubt, affordable(doubt, drives, budget)))
    human_gated_rollout(logbook, policies[0], driver, logbook, seeded(3), episodes)
    by_hand = logbook.hands_on.sum() / logbook.running.sum()
    return float(logbook.crashed.float().mean()), float(by_hand)


# %% tags=["train"]
policies, demonstrations, alone = five_of_one_mind(0)
theirs, ours = at_the_decision(policies, demonstrations)
print(f"alone, {100 * alone.failed.float().mean():.0f} % crash")
print(f"where drivers decide, sideways: theirs {theirs.abs().mean():.2f} m/s to either side,")
print(
    f"the policies' mean {ours.mean(dim=0).abs().mean():.2f} m/s, spread {ours.std(dim=0, correction=0).mean():.2f} m/s"
)
for budget in (0.1, 0.2):
    crashed, by_hand = fork_gate(policies, alone, budget)
    print(f"gated by disagreement, budget {100 * budget:.0f} %: {100 * crashed:.0f} % crash")

# %% tags=["train"]
figure, panels = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(1, 1))
plot_rollouts(panels[0], FORK, alone)
panels[0].set_title("one of the five regressions, alone")
seen, places = demonstrations.observations, demonstrations.observations[:, POSITION][:, 0]
before = (places > 0) & (places < 1)
spread = {
    "drivers": torch.where(
        demonstrations.actions[:, 1] == 0, 0.0, demonstrations.actions[:, 1].abs()
    ),
    "five policies": answered(ensemble_disagreement(policies, seen), "ensemble_disagreement"),
}
plot_doubt_along(
    panels[1],
    places[before],
    {name: values[before] for name, values in spread.items()},
    {"drivers": POLICY_LOOKS["expert"], "five policies": POLICY_LOOKS["regression"]},
)
panels[1].axvline(1 - FORK.obstacle_radius, color="0.35", ls="--", lw=1)
panels[1].annotate(
    "obstacle",
    (1 - FORK.obstacle_radius, 0.2),
    xytext=(4, 0),
    textcoords="offset points",
    fontsize=8,
)
panels[1].set(ylabel="apart by, m/s", title="drivers go two ways, policies agree")
show(
    figure,
    alt="Left: drives of a regression go straight into the obstacle. Right: along the road, the drivers' commands to the left and right differ by up to 0.7 metres per second from straight on, and the five policies "
    "differ by a few hundredths.",
    caption="Left: 40 drives of the first regression. Right, in the demonstrations: how hard drivers steer to either side, and by how much the five regressions disagree. The dashed line: where the obstacle begins, on average.",
)

# %% [markdown]
# All five have learnt the same mean. They are sure, and all five are wrong, **where there were demonstrations in plenty**. The state is not new, so there is nothing for novelty to see. With the same budgets that saved the drives on the track, most drives crash here.
#
# It was not more networks that were missing. What the drivers do in this state is not one action, and regression cannot say so. The spread of a *mixture* or of a *flow*, in notebooks 3 and 5, is there to tell: its samples go left and right. So there are two kinds of doubt:
#
# - *I have not seen this.* More data would help. (The word for it is *epistemic*.) Disagreement and novelty measure it.
# - *I have seen this, and people did different things.* More data would not help. (*Aleatoric*.) An expressive policy knows of it.
#
# And there is a third case that no doubt can show: all demonstrations show the same thing, and it is wrong. Then the policy does what it was taught.

# %% [markdown] question="sure_and_wrong" points=[]
# ### Question 8.7 · Sure and wrong
#
# A delivery robot learns from ten people who all cross the street at the same place. There is a school there, and it was the holidays. Five policies are trained, and a gate by disagreement calls a person with a budget of 5 % of the steps. School begins. In which of these situations will the gate
# call, and why? (a) The street is full of children. (b) There is a barrier where everybody used to cross. (c) The kerb has been lowered at a better place, and the robot still uses the old one. Which of them would you try to find in another way, and how?

# %% [markdown] tags=["solution"]
# (a) Likely: children are new, so nothing holds the policies together, *if* children show in what the robot observes. Where the sensor gives no more than "something moves", a street full of children may look like a street with some grown-ups, and all five agree.
#
# (b) Likely at first, for the same reason; but a gate that only looks at actions stays silent if all policies have learnt to drive straight on whatever is in front, because in the data nothing was ever in front. Networks that ignore an input agree about it.
#
# (c) Never. The old place is full of demonstrations, so it is neither new nor disputed. The policy does as it was taught. Only somebody who knows the goal can find it: a reward, a measurement of what comes out (time, near misses), or people who look at drives chosen at random and not at those that the gate chose. A gate finds what the policy does not know. It does
# not find what the demonstrations did not know.

# %% [markdown]
# ## How to collect demonstrations
#
# The last page of the lecture is the first step of every project. In some domains people already leave demonstrations behind: they drive cars, they write messages. A robot has to be shown. The lecture names three ways, and you will try them all:
#
# | | in the lecture | here: `interface=` | what it costs |
# |---|---|---|---|
# | **kinesthetic teaching** | easy interface; the human is visible in the scene | `"drag"`: your hand pulls the vehicle itself | the robot's camera sees your arm; it will not be there later |
# | **remote controllers** | ease varies, can have high latency | `"remote"`: a stick or keys, and commands arrive 0.3 s late | you act on what was |
# | **puppeteering** | easy interface; requires double hardware | `"leader"`: you move a leader with the same body, and the vehicle copies its velocity | two robots |
#
# The vehicle below is that of the fork, at 30 steps per second, with nine seconds for each drive. Press Enter on the road to start. Every start is offered twice: **pass the obstacle once on each side**. Try all three interfaces, and record some twenty drives. They are saved at once.

# %% tags=["train"]
recorder = Recorder()
recorder

# %% [markdown]
# Before you train anything on data, look at them. While there are fewer than twenty drives of yours, recorded ones stand in: twenty in each interface, by a script that holds the mouse, rests a moment before it starts, shakes, and gives up now and then.


# %%
def drives_at_hand(recorder):
    """Return your drives, if there are twenty, or recorded ones."""
    return recorder.demonstrations if len(recorder) >= 20 else recorded_drives("fork")


def idle_steps(trajectory):
    """Return how many steps pass before the vehicle is told to move, at 0.3 m/s or more."""
    return int((trajectory.actions.norm(dim=1).cummax(dim=0).values < 0.3).sum())


def artefacts(drives, time_step):
    """Return, for each interface: idle seconds, seconds, and the share that was not driven to its end."""
    rows = {}
    for interface in sorted({trajectory.driver for trajectory in drives.trajectories}):
        own = drives.by_driver(interface).trajectories
        idle = time_step * sum(map(idle_steps, own)) / len(own)
        arrived = [one for one in own if one.ending == Ending.SUCCESS]
        length = time_step * sum(map(len, arrived)) / max(len(arrived), 1)
        early = sum(one.ending == Ending.CUT_OFF for one in own) / len(own)
        rows[interface] = (idle, length, early)
    return rows


# %% tags=["train"]
drives = drives_at_hand(recorder)
STEP = recorder.task.time_step
for interface, (idle, length, early) in artefacts(drives, STEP).items():
    print(
        f"{interface:7}: stands still for {idle:.2f} s, takes {length:.1f} s, {100 * early:.0f} % given up"
    )
interfaces = sorted({trajectory.driver for trajectory in drives.trajectories})
figure, panels = plt.subplots(
    1, len(interfaces), figsize=(4 * len(interfaces), 2.9), sharex=True, squeeze=False
)
for axes, interface in zip(panels[0], interfaces, strict=True):
    plot_hands(axes, drives, interface, STEP)
    axes.label_outer()
figure.colorbar(panels[0, -1].collections[0], ax=panels, label="speed asked for, m/s")
show(
    figure,
    alt="The speed that was asked for as a colour over time, one panel for each interface, and in it one row for each drive. All rows begin with a dark stretch of nothing, longest for the remote "
    "controller. The leader's rows are speckled. Some drives end half-way, marked by squares.",
    caption="One row for each drive, the longest on top. Dark: the vehicle is told to stand still. Circles: arrived. Squares: given up.",
)

# %% [markdown]
# Three traces of people, or of what drives like one:
#
# - **Idle frames.** Every drive begins with a while in which nothing happens. To the policy that is a demonstration too: *in this state, stand still*. The state is the start, where every drive of its own begins.
# - **Latency.** From afar the idle time is longer by the delay, and the whole drive takes longer: who acts on what was has to be careful. And each command belongs to what was seen 0.3 s earlier, while the data put it beside what was seen at the same step.
# - **Early stops.** A drive that was given up half-way teaches that it ends there. Here we know, since each drive has kept its ending.
#
# And a fourth, which no list names: the leader's speeds shake. Nothing steadies the hand.
#
# What to do about it? Cut the idle frames off, but not those at which standing still is the task. Shift the actions by the latency, if it is known. Delete what went wrong, if it went wrong by mistake. The next cell does the first and the last.


# %%
def tidy(drives):
    """Return the drives that arrived, from a moment before the vehicle is told to move."""
    kept = []
    for trajectory in drives.trajectories:
        if trajectory.ending == Ending.SUCCESS:
            start = max(idle_steps(trajectory) - 1, 0)
            kept.append(
                replace(
                    trajectory,
                    observations=trajectory.observations[start:],
                    actions=trajectory.actions[start:],
                )
            )
    return replace(drives, trajectories=tuple(kept))


# %% [markdown]
# ## Do your data teach?
#
# Now train on them. At 30 steps per second a single action is a thirtieth of a second. A policy that decides at every step would tremble its way to one side, as small differences grow: notebook 1 called that luck. So let the policies predict chunks of
# 32 actions, about a second, and play them to the end. You never drove into the obstacle. Will regression? Will a mixture?


# %%
PEOPLE_SETTINGS = TrainingSettings(steps=1000, batch_size=128, learning_rate=1e-2)
CHUNK = 32


def taught_by_hand(make, demonstrations, task, seeds=SEEDS, episodes=50):
    """Train a class of policies on drives, and let every seed's policy drive."""

    def build(seed):
        return make(8, 2, CHUNK, width=64, generator=seeded(seed))

    runs = clone(build, demonstrations, PEOPLE_SETTINGS, seeds, "cpu", make.__name__)
    actors = [RecedingHorizon(PhysicalPolicy(run.policy, *run.normalizers), CHUNK) for run in runs]
    return [evaluate(task, actor, seeded(9), episodes) for actor in actors]


# %% tags=["train"]
tidied = tidy(drives)
found = {
    "regression": taught_by_hand(RegressionPolicy, tidied, recorder.task),
    "mixture": taught_by_hand(MixturePolicy, tidied, recorder.task),
}
figure, panels = plt.subplots(1, 2, figsize=(11, 3.2))
for axes, (name, evaluations) in zip(panels, found.items(), strict=True):
    print(f"{name}, drives that arrive: {pool(evaluations)}")
    plot_rollouts(axes, recorder.task, evaluations[0].rollouts)
    axes.set_title(name)
show(
    figure,
    alt="Left: most drives of the regression policy run into the obstacle. Right: most drives of the mixture pass it on the left or on the right.",
    caption="Taught by the same drives. Forty drives by the first of the three policies of each class: dashed and black where they crash, green where they arrive.",
)

# %% [markdown]
# The same hands, the same drives: regression hits, in most of its drives, the obstacle that was avoided in every demonstration. Most drives of the mixture pass it, to either side as the demonstrators did.
#
# ## Can robots learn from videos?
#
# *In other domains it may not be viable to collect demos.* Nobody can drag a quadruped through a gallop, and nobody has a leader with four legs. But there are videos of animals, and of people doing nearly everything.
#
# What stands between is the **embodiment gap**: a difference in *appearance*, and a difference in *physical capabilities and degrees of freedom*. A video shows neither torques nor commands. It shows something like states, of another body.
#
# The lecture's example is *SFV* (Peng, Kanazawa, Malik, Abbeel, Levine, 2018). It does not imitate the video's actions: there are none. It estimates the poses of the person in each frame, smooths them into a motion that could be a body's, and then lets a simulated character *practise*: reinforcement learning, with a reward for being near that
# motion. The video guides exploration. How the muscles do it, the character finds out by itself.

# %% [markdown] question="embodiment_gap" points=[]
# ### Question 8.8 · The gap
#
# You have three sources of data for a robot arm that is to pour tea: (a) 50 drives by a leader arm with the same joints, (b) 500 drives that a person gave by holding the robot's hand, with a camera looking on, and (c) 50,000 videos of people who pour tea. For each: what are observations and actions, what differs between training and use, and which method of this course
# could use it as it is?

# %% [markdown] tags=["solution"]
# (a) Joint angles and camera pictures, with joint commands of the same body. Hardly anything differs: imitation as it is, with chunks and an expressive policy. The leader's friction and weight differ from the follower's, so commands of the leader and states of the follower do not quite agree: record what was *commanded*.
#
# (b) The actions are the right body's as well, and there are ten times as many. But the person's arm is in every picture, and it tells what comes next. A policy that looks at it works in training and is blind when the arm is gone: that is covariate shift before the first step. Mask or paint over the arm, or observe joints only, or replay the recorded motions without the person and film those.
#
# (c) There are no actions, and the body is another one: a hand has five fingers, a gripper two. Nothing of this course can clone it as it is. One can learn from it what a scene should look like next (a reward, a goal, a representation), and let the robot practise towards it, as SFV does; or translate hands into grippers, and imitate the result with a little of (a) on top.

# %% [markdown]
# ## What you have seen
#
# - A gated drive keeps what the expert did while driving. Its data begin where the policy was about to fail, and show the way back.
# - A supervisor has to be quick, and has to watch. In a narrow lane two tenths of a second are too long.
# - With quick hands there is no fall in the first round, such as DAgger's. With slow hands there is little to learn.
# - Disagreement and novelty see trouble before the eye does, as long as the trouble is that something is new.
# - A threshold is a price. Two thresholds keep the wheel from changing hands at every step.
# - Policies can be sure and wrong where the data contradict each other, and where all of them are wrong. Neither disagreement nor novelty shows that.
# - Hands leave traces in the data: idle frames, latency, early stops. Look before you train.
#
# The lecture sums up. Offline cloning is simple, and needs no data from the policy. Online interventions are *a possible path to reliable performance*, and more data-efficient. Neither needs a reward. But both *may need impractically large* amounts of data, and neither lets a policy improve on its own, by practising. That is
# where reinforcement learning begins.

# %% [markdown] stretch="a_call_takes_time"
# ### Stretch goal · A call takes time
#
# The automatic gate had an expert who is at the wheel in the moment of the alarm. Put `Supervisor` in between: its `danger` is the doubt divided by its threshold, `alarm` is 1 and `relief` one half, and `reaction_steps` is the time from the call to the wheel. How long may an expert take until the gate is no better than the supervisor who watches the edge, and reacts at once?

# %% tags=["solution"]
for reaction_steps in (0, 2, 4, 8):
    # Put a Supervisor with the ensemble's doubt beside each policy, and print the share of crashes.
    # BEGIN SOLUTION
    shares = []
    for number, (ensemble, own) in enumerate(zip(ensembles, alone_on_the_track, strict=True)):
        threshold = affordable(ensemble.disagreement, own, 0.2)

        def relative_doubt(observations, ensemble=ensemble, threshold=threshold):
            return ensemble.disagreement(observations) / threshold

        generator = seeded(number)
        called = Supervisor(relative_doubt, generator, 1.0, 0.5, reaction_steps)
        logbook, _ = supervise(ensemble.policies[0], called, generator, 50)
        shares.append(float(logbook.crashed.float().mean()))
    print(
        f"{TRACK.time_step * reaction_steps:.1f} s: {100 * sum(shares) / len(shares):.0f} % crash"
    )
    # END SOLUTION

# %% [markdown]
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning. The five steps, the three ways to collect, and two of the questions are the lecture's.
# - Ross, Gordon and Bagnell, *A reduction of imitation learning and structured prediction to no-regret online learning*, AISTATS 2011, arXiv:1011.0686. DAgger.
# - Kelly et al., *HG-DAgger: interactive imitation learning with human experts*, ICRA 2019, arXiv:1810.02890.
# - Menda, Driggs-Campbell and Kochenderfer, *EnsembleDAgger: a Bayesian approach to safe imitation learning*, IROS 2019, arXiv:1807.08364. Disagreement as a gate.
# - Hoque et al., *ThriftyDAgger: budget-aware novelty and risk gating for interactive imitation learning*, CoRL 2021, arXiv:2109.08273. Thresholds that follow from a budget.
# - Hanley and McNeil, *The meaning and use of the area under a receiver operating characteristic (ROC) curve*, Radiology 143, 1982.
# - Peng et al., *SFV: reinforcement learning of physical skills from videos*, SIGGRAPH Asia 2018, arXiv:1810.03599.
