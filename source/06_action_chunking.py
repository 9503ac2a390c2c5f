# ---
# jupyter:
#   imitation_lab:
#     title: Action chunking
#     answers:
#     - imitation_lab.chunking
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 · Action chunking
#
# All policies so far decide anew at every step. If a robot runs at 50 Hz, that is a decision every 20 ms.
#
# The lecture's last trick is to look less often. Let the policy predict a *chunk*, the next few actions, and play
# them one after the other before it looks again. In between it drives with its eyes closed. Why should anybody do that?
# The slide gives two reasons:
#
# 1. *It often works way better.*
# 2. *It allows more computation time for policy inference.*
#
# The second is plain arithmetic. The first is odd. Whoever looks at every step knows more than somebody who looks at every
# eighth. How can it help to know less? And what does "often" mean: when does it help, and when does it hurt?
#
# Homework on imitation learning usually sets the length of the chunk to some constant. Here it is the experiment.
#
# **When you have finished it, you can**
#
# - cut episodes into chunks without mixing them up;
# - write the controller that plays chunks, for a whole batch of episodes that start and end when they like;
# - name three tasks on which chunks help and one on which they are fatal, with the reason for each;
# - tell what it does to *predict* a chunk from what it does to *play* it;
# - combine the chunks of several looks, by averaging or by choosing, and say when averaging is a mistake;
# - let a flow draw a chunk that continues the old one, so that a robot can think while it acts.
#
# You need notebook 1 (the conditional mean), notebook 3 (mixtures) and, for the second half, notebook 5 (flows). Near the end,
# real-time chunking also needs the Jacobian of a function. The experiments take about two minutes on a laptop.
# Time: about six hours.

# %%
import math
from dataclasses import replace

import torch
from matplotlib import pyplot as plt

from imitation_lab.collection import demonstrate, seen_by
from imitation_lab.controller import EnsemblingActor, PhysicalPolicy
from imitation_lab.controller import RecedingHorizon as DelayedHorizon
from imitation_lab.decoders import guided_decoder, selecting_decoder
from imitation_lab.envs import Fork, Pendulum, Racetrack
from imitation_lab.envs.fork import OBSTACLE, POSITION, VELOCITY
from imitation_lab.evaluation import evaluate
from imitation_lab.experiment import clone
from imitation_lab.experts import ForkDriver, NoisyActor, PendulumBalancer, RacetrackDriver
from imitation_lab.horizons import recorded_map
from imitation_lab.plots import (
    POLICY_LOOKS,
    format_side,
    plot_rollouts,
    plot_success_rates,
    show,
    use_course_style,
)
from imitation_lab.plots.chunking import (
    plot_chunk_starts,
    plot_courses,
    plot_schedule,
    plot_success_by_horizon,
)
from imitation_lab.plots.delay import WAY_LOOKS, plot_predictions, plot_seam, plot_success_over
from imitation_lab.plots.horizons import plot_map
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.rollout import rollout
from imitation_lab.stack import PolicyStack
from imitation_lab.testing import check_answered
from imitation_lab.traces import trace
from imitation_lab.training import TrainingSettings
from imitation_lab.widgets import ChunkTimeline

use_course_style()

# %% tags=["variant"]
DRIVES = 1000  # seed of the test drives  # VARIANT 1000..9999


# %%
def answered(value, name):
    """Return what your function returned, or say that its answer is still missing."""
    check_answered(value, name)
    return value


def seeded(seed):
    """Return a source of random numbers that begins at a seed."""
    return torch.Generator().manual_seed(seed)


# %% [markdown]
# ## Chunks from episodes
#
# A policy with chunks is a distribution $\pi(a_{t:t+H} \mid o_t)$ over the next $H$ actions, given one observation. $H$ is its
# *prediction horizon*. As a thing to be learnt it is nothing new: the chunk is one long action, and every policy of this
# course can learn it. What is new is the data. Every step of every demonstration needs the chunk that starts there.
#
# In the middle of an episode that is easy. Near its end there are not enough actions left. One could leave those steps
# out. Before you go on: what would the policy then never see in training?
#
# It would never see how the task ends: the last $H - 1$ observations of every episode, the goal right ahead. So late chunks are
# filled up instead. Whoever has arrived goes on doing what they did last: **the last action is repeated**.

# %% [markdown] question="make_chunks" points=[1, 1, 2, 1, 1]
# ### Question 6.1 · Chunks
#
# Write `make_chunks(actions, prediction_horizon)`.
#
# - `actions` is a list of tensors, one for each episode, of shapes `(time, action_dim)`. Episodes differ in length. None is empty,
#   and some are shorter than a chunk.
# - Return one tensor: the chunk that starts at every action, episode after episode, in order. Its shape is
#   `(sum of the times, prediction_horizon, action_dim)`.
# - Past the end of an episode its last action repeats. Nothing of the next episode belongs in a chunk.


# %% tags=["solution"]
def make_chunks(actions, prediction_horizon):
    """Return the chunk that starts at every action, episode after episode."""
    # BEGIN SOLUTION
    chunks = []
    for episode in actions:
        starts = torch.arange(len(episode)).unsqueeze(1)
        steps = starts + torch.arange(prediction_horizon)
        chunks.append(episode[steps.clamp(max=len(episode) - 1)])
    return torch.cat(chunks)
    # END SOLUTION


# %% tags=["public"]
def test_make_chunks_of_two_small_episodes(make_chunks):
    """Chunks of two: at the end of an episode the last action comes twice."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    episodes = [torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[7.0], [8.0]])]
    chunks = make_chunks(episodes, 2)
    check_answered(chunks, "make_chunks")
    check_shape(chunks, (5, 2, 1), "every action begins a chunk, also the last ones of an episode.")
    expected = torch.tensor([[1.0, 2], [2, 3], [3, 3], [7, 8], [8, 8]]).unsqueeze(2)
    check_close(
        chunks,
        expected,
        "a chunk begins with its own step's action, and an episode's last action repeats.",
    )


def test_make_chunks_of_one_action(make_chunks):
    """Chunks of one are the actions themselves."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    episodes = [torch.tensor([[1.0, 5.0], [2.0, 6.0]]), torch.tensor([[3.0, 7.0]])]
    chunks = make_chunks(episodes, 1)
    check_answered(chunks, "make_chunks")
    expected = torch.tensor([[[1.0, 5.0]], [[2.0, 6.0]], [[3.0, 7.0]]])
    check_close(chunks, expected, "the chunk of a step begins with the action of that step.")


# %% tags=["hidden"]
def test_make_chunks_begin_at_every_action(make_chunks):
    """Action h of chunk t is the episode's action t + h, or its last one."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for lengths, horizon, action_dim in [([6, 4, 9], 3, 2), ([5], 5, 1), ([3, 8], 2, 4)]:
        episodes = [10 * torch.randn(n, action_dim, generator=generator) for n in lengths]
        given = [episode.clone() for episode in episodes]
        chunks = make_chunks(given, horizon)
        check_answered(chunks, "make_chunks")
        check_shape(chunks, (sum(lengths), horizon, action_dim), "one chunk for every action.")
        expected = [
            [episode[min(t + h, len(episode) - 1)].tolist() for h in range(horizon)]
            for episode in episodes
            for t in range(len(episode))
        ]
        check_close(chunks, expected, "chunks[t, h] is action t + h of its episode, or the last.")
        for after, before in zip(given, episodes, strict=True):
            check_close(after, before, "the actions were changed in place: make new tensors.")


def test_make_chunks_of_episodes_that_are_shorter(make_chunks):
    """Episodes shorter than a chunk have their chunks too, down to a single action."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for lengths in ([1], [1, 1, 3], [2, 7, 1, 4]):
        episodes = [torch.randn(n, 3, generator=generator) for n in lengths]
        chunks = make_chunks(episodes, 9)
        check_answered(chunks, "make_chunks")
        check_shape(chunks, (sum(lengths), 9, 3), "no episode may be left out, however short.")
        starts = torch.tensor(lengths).cumsum(dim=0) - torch.tensor(lengths)
        for episode, start in zip(episodes, starts.tolist(), strict=True):
            own = chunks[start : start + len(episode)]
            check_close(own[:, 0], episode, "the chunk of a step begins with that step's action.")
            late = torch.as_tensor(own)[-1]
            check_close(
                late, episode[-1].repeat(9, 1), "the last chunk is the last action, repeated."
            )


def test_make_chunks_keep_episodes_apart(make_chunks):
    """An episode has the same chunks alone and in company, wherever it stands in the list."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    episodes = [torch.randn(n, 2, generator=generator) for n in (4, 7, 2, 5)]
    alone = [make_chunks([episode], 6) for episode in episodes]
    for chunks in alone:
        check_answered(chunks, "make_chunks")
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 0]):
        together = make_chunks([episodes[i] for i in order], 6)
        check_shape(together, (sum(len(episodes[i]) for i in order), 6, 2), "one for every action.")
        expected = torch.cat([torch.as_tensor(alone[i]) for i in order])
        check_close(together, expected, "a chunk holds actions of its own episode only.")


# %% tags=["wrong"]
def make_chunks__crosses_into_the_next_episode(actions, prediction_horizon):
    """Chunks run on into the next episode: cut every episode on its own."""
    joined = torch.cat(actions)
    steps = torch.arange(len(joined))[:, None] + torch.arange(prediction_horizon)
    return joined[steps.clamp(max=len(joined) - 1)]


def make_chunks__drops_late_chunks(actions, prediction_horizon):
    """Late steps have no chunk: fill their chunks up, or the end of the task is never trained."""
    whole = [
        episode.unfold(0, prediction_horizon, 1).transpose(1, 2)
        for episode in actions
        if len(episode) >= prediction_horizon
    ]
    return torch.cat(whole)


def make_chunks__pads_with_zeros(actions, prediction_horizon):
    """Late chunks end in zeros, an action that nobody took: repeat the last one."""
    chunks = []
    for episode in actions:
        tail = torch.zeros(prediction_horizon - 1, episode.shape[1])
        padded = torch.cat([episode, tail])
        chunks += [padded[t : t + prediction_horizon] for t in range(len(episode))]
    return torch.stack(chunks)


def make_chunks__starts_over(actions, prediction_horizon):
    """Past its end an episode begins again: repeat its last action."""
    chunks = [
        episode[(t + torch.arange(prediction_horizon)) % len(episode)]
        for episode in actions
        for t in range(len(episode))
    ]
    return torch.stack(chunks)


def make_chunks__plays_back(actions, prediction_horizon):
    """Past its end an episode runs backwards: repeat its last action."""
    chunks = []
    for episode in actions:
        there_and_back = torch.cat([episode, episode.flip(0)])
        while len(there_and_back) < len(episode) + prediction_horizon:
            there_and_back = torch.cat([there_and_back, there_and_back])
        chunks += [there_and_back[t : t + prediction_horizon] for t in range(len(episode))]
    return torch.stack(chunks)


def make_chunks__strides_by_chunks(actions, prediction_horizon):
    """Chunks follow each other without overlap: there is one for every action."""
    chunks = []
    for episode in actions:
        tail = episode[-1:].expand(prediction_horizon, -1)
        padded = torch.cat([episode, tail])
        for start in range(0, len(episode), prediction_horizon):
            chunks.append(padded[start : start + prediction_horizon])
    return torch.stack(chunks)


def make_chunks__leaves_the_axes_of_unfold(actions, prediction_horizon):
    """unfold puts the steps of a chunk last: swap the last two axes."""
    chunks = []
    for episode in actions:
        tail = episode[-1:].expand(prediction_horizon - 1, -1)
        chunks.append(torch.cat([episode, tail]).unfold(0, prediction_horizon, 1))
    return torch.cat(chunks)


def make_chunks__reshapes_the_axes_of_unfold(actions, prediction_horizon):
    """A reshape does not swap axes, it mixes steps and numbers: use transpose."""
    chunks = []
    for episode in actions:
        tail = episode[-1:].expand(prediction_horizon - 1, -1)
        windows = torch.cat([episode, tail]).unfold(0, prediction_horizon, 1)
        chunks.append(windows.reshape(len(episode), prediction_horizon, -1))
    return torch.cat(chunks)


def make_chunks__begins_one_step_late(actions, prediction_horizon):
    """A chunk begins with the action after its observation: it begins with the one that was taken then."""
    chunks = [
        episode[(t + 1 + torch.arange(prediction_horizon)).clamp(max=len(episode) - 1)]
        for episode in actions
        for t in range(len(episode))
    ]
    return torch.stack(chunks)


def make_chunks__looks_back(actions, prediction_horizon):
    """A chunk holds the actions before its step: it holds those that follow."""
    chunks = [
        episode[(t - torch.arange(prediction_horizon)).clamp(min=0)]
        for episode in actions
        for t in range(len(episode))
    ]
    return torch.stack(chunks)


def make_chunks__repeats_once(actions, prediction_horizon):
    """The last action is repeated once in each episode: as often as its last chunk needs it."""
    chunks = []
    for episode in actions:
        padded = torch.cat([episode, episode[-1:]])
        chunks += [padded[t : t + prediction_horizon] for t in range(len(episode))]
    return torch.stack(chunks)


def make_chunks__fills_with_the_last_episode(actions, prediction_horizon):
    """All late chunks end in the action that comes last of all: every episode has its own last one."""
    chunks = []
    for episode in actions:
        tail = actions[-1][-1:].expand(prediction_horizon - 1, -1)
        padded = torch.cat([episode, tail])
        chunks += [padded[t : t + prediction_horizon] for t in range(len(episode))]
    return torch.stack(chunks)


def make_chunks__repeats_the_chunks_own_start(actions, prediction_horizon):
    """Late chunks are filled with their own first action: with the episode's last one."""
    chunks = []
    for episode in actions:
        for t in range(len(episode)):
            chunk = episode[t : t + prediction_horizon]
            missing = prediction_horizon - len(chunk)
            chunks.append(torch.cat([chunk, episode[t].expand(missing, -1)]))
    return torch.stack(chunks)


def make_chunks__repeats_the_first_action(actions, prediction_horizon):
    """Every chunk is its first action, repeated: it holds what the driver did next."""
    return torch.cat(actions).unsqueeze(1).repeat(1, prediction_horizon, 1)


def make_chunks__skips_short_episodes(actions, prediction_horizon):
    """Episodes shorter than a chunk are left out: they have chunks too."""
    chunks = []
    for episode in actions:
        if len(episode) >= prediction_horizon:
            tail = episode[-1:].expand(prediction_horizon - 1, -1)
            padded = torch.cat([episode, tail])
            chunks += [padded[t : t + prediction_horizon] for t in range(len(episode))]
    return torch.stack(chunks)


def make_chunks__moves_late_chunks_back(actions, prediction_horizon):
    """All late steps get the episode's last full chunk: a chunk begins with its own step's action."""
    chunks = []
    for episode in actions:
        missing = max(prediction_horizon - len(episode), 0)
        padded = torch.cat([episode, episode[-1:].expand(missing, -1)])
        starts = torch.arange(len(episode)).clamp(max=len(padded) - prediction_horizon)
        chunks.append(padded[starts[:, None] + torch.arange(prediction_horizon)])
    return torch.cat(chunks)


def make_chunks__measures_all_by_the_first(actions, prediction_horizon):
    """All episodes end where the first one does: each has a length of its own."""
    steps = torch.arange(prediction_horizon)
    chunks = []
    for episode in actions:
        last = min(len(episode), len(actions[0])) - 1
        chunks.append(episode[(torch.arange(len(episode))[:, None] + steps).clamp(max=last)])
    return torch.cat(chunks)


def make_chunks__returns_a_list(actions, prediction_horizon):
    """A list with a tensor for each episode: return one tensor with all chunks."""
    return [
        episode[
            (torch.arange(len(episode))[:, None] + torch.arange(prediction_horizon)).clamp(
                max=len(episode) - 1
            )
        ]
        for episode in actions
    ]


def make_chunks__flattens_the_chunks(actions, prediction_horizon):
    """Every chunk is one long row: keep an axis for its steps."""
    chunks = []
    for episode in actions:
        tail = episode[-1:].expand(prediction_horizon - 1, -1)
        padded = torch.cat([episode, tail])
        chunks += [padded[t : t + prediction_horizon].flatten() for t in range(len(episode))]
    return torch.stack(chunks)


# %% tags=["right"]
def make_chunks__by_unfolding(actions, prediction_horizon):
    windows = []
    for episode in actions:
        tail = episode[-1:].expand(prediction_horizon - 1, -1)
        windows.append(torch.cat([episode, tail]).unfold(0, prediction_horizon, 1))
    return torch.cat(windows).movedim(-1, 1)


def make_chunks__by_loops_over_numbers(actions, prediction_horizon):
    rows = []
    for episode in actions:
        listed = episode.tolist()
        for start in range(len(listed)):
            chunk = listed[start : start + prediction_horizon]
            while len(chunk) < prediction_horizon:
                chunk.append(listed[-1])
            rows.append(chunk)
    return torch.tensor(rows)


def make_chunks__by_looking_up_where_episodes_end(actions, prediction_horizon):
    lengths = torch.tensor([len(episode) for episode in actions])
    last = (lengths.cumsum(dim=0) - 1).repeat_interleave(lengths)
    steps = torch.arange(int(lengths.sum()))[:, None] + torch.arange(prediction_horizon)
    return torch.cat(list(actions))[torch.minimum(steps, last[:, None])]


def make_chunks__by_moving_the_episode_on(actions, prediction_horizon):
    def moved(episode):
        steps = [episode]
        for _ in range(prediction_horizon - 1):
            steps.append(torch.cat([steps[-1][1:], episode[-1:]]))
        return torch.stack(steps, dim=1)

    return torch.cat([moved(episode) for episode in actions])


def make_chunks__from_the_end_to_the_beginning(actions, prediction_horizon):
    chunks = []
    for episode in reversed(actions):
        chunk = episode[-1:].repeat(prediction_horizon, 1)
        for action in episode.flip(0):
            chunk = torch.cat([action[None], chunk[:-1]])
            chunks.append(chunk)
    return torch.stack(chunks[::-1])


def make_chunks__by_replicating_pads(actions, prediction_horizon):
    def windows(episode):
        padding = (0, prediction_horizon - 1)
        padded = torch.nn.functional.pad(episode.T[None], padding, mode="replicate")[0]
        return padded.unfold(1, prediction_horizon, 1).permute(1, 2, 0)

    return torch.vstack([windows(episode) for episode in actions])


def make_chunks__as_arrays_in_float64(actions, prediction_horizon):
    import numpy as np

    def windows(episode):
        padding = ((0, prediction_horizon - 1), (0, 0))
        padded = np.pad(episode.numpy().astype(np.float64), padding, mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, prediction_horizon, axis=0)

    joined = np.concatenate([windows(episode) for episode in actions])
    return torch.from_numpy(joined.transpose(0, 2, 1).copy())


# %% [markdown]
# Here is one drive on the fork of notebook 1, and four of its chunks.

# %% tags=["train"]
one_drive = demonstrate(Fork(), {"left": ForkDriver(Fork(), ("left",))}, 1, seeded(0))
commands = one_drive.actions
chunks = answered(make_chunks([commands], 8), "make_chunks")
figure, axes = plt.subplots(figsize=(7.5, 3.2))
starts = (2, 7, 14, len(commands) - 3)
plot_chunk_starts(axes, commands[:, 1], chunks[:, :, 1], starts)
axes.set(ylabel="lateral command, m/s")
axes.yaxis.set_major_formatter(format_side)
show(
    figure,
    alt="The lateral commands of one drive over its steps: straight on, hard left, and back to the right. The marks of "
    "four chunks lie on the line; the last chunk goes on beyond the end of the drive, level.",
    caption="Chunks of eight. Each lies on what the driver did; the last one runs out of drive and holds the last action.",
)

# %% [markdown]
# ## The receding horizon
#
# A chunk need not be played to its end. Predict eight actions, play three, look again: the plan always reaches beyond
# what will be done of it, and its end moves on like the horizon. Two numbers describe such a controller:
#
# - the *prediction horizon* $H$: how many actions the policy predicts;
# - the *execution horizon*: how many of them are played before the policy is asked again.
#
# The figure shows an episode with prediction horizon 8 and execution horizon 3.

# %% tags=["train"]
figure, axes = plt.subplots(figsize=(8.5, 2.6))
plot_schedule(axes, births=[0, 3, 6, 9], prediction_horizon=8, steps=12)
show(
    figure,
    alt="Four rows, one for each chunk, over the steps of an episode. Of the eight actions of each chunk the first three are "
    "played, and then the next chunk begins below. The other five are hatched: they are never played.",
    caption="One row per chunk, numbered by action. Full: played. Hatched: predicted, and dropped.",
)

# %% [markdown]
# All episodes of an experiment run as one batch, and each has its own clock. An episode may start anew in the middle of the others'
# chunks, and what was planned for the old one must not be played in the new one.

# %% [markdown] question="RecedingHorizon" points=[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
# ### Question 6.2 · The controller
#
# Complete the class `RecedingHorizon`.
#
# - `policy.sample(observations, generator)` takes observations `(batch, observation_dim)`, of any number of episodes, and returns
#   chunks `(batch, prediction_horizon, action_dim)`. `policy.prediction_horizon` is their length.
# - `execution_horizon` is a whole number from 1 to `policy.prediction_horizon`.
# - `reset(mask)` starts the episodes anew whose entry in `mask`, `(batch,)`, is true. What was planned for them is dropped. The first call
#   starts all of them, and says how many there are. A later call that starts all may come with another number.
# - `act(observations, generator)` returns every episode's next action, `(batch, action_dim)`. An episode gets a new chunk, from its own
#   observation of this step, at its first step and after every `execution_horizon` steps of its own.
# - At steps at which no episode needs a chunk, do not ask the policy: it may take long. At other steps you may ask for those that need one, or
#   for all and throw the others' chunks away.


# %% tags=["solution"]
class RecedingHorizon:
    """Plays the first actions of every chunk of a policy, then asks for the next chunk."""

    def __init__(self, policy, execution_horizon):
        self.policy = policy
        self.execution_horizon = execution_horizon

    def reset(self, mask):
        """Start the episodes of the mask anew."""
        # BEGIN SOLUTION
        if mask.all():  # perhaps of another number than before
            self.chunks = None
            self.clock = torch.zeros_like(mask, dtype=torch.long)
        self.clock = self.clock.masked_fill(mask, 0)
        # END SOLUTION

    def act(self, observations, generator):
        """Return every episode's next action."""
        # BEGIN SOLUTION
        place = self.clock % self.execution_horizon
        asks = place == 0
        if asks.any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where(asks[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]
        # END SOLUTION


# %% tags=["public"]
def test_RecedingHorizon_plays_three_and_asks_again(RecedingHorizon):
    """Chunks of four, three played: of every chunk come the actions 0, 1 and 2."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Teller:
        """Its actions tell who asked, at which step, and which action of the chunk they are."""

        prediction_horizon = 4

        def sample(self, observations, generator):
            number = torch.arange(4.0).repeat(len(observations), 1)
            return torch.stack([*observations[:, :, None].expand(-1, -1, 4).unbind(1), number], 2)

    actor = RecedingHorizon(Teller(), 3)
    actor.reset(torch.tensor([True, True]))
    for step in range(8):
        observations = torch.tensor([[10.0, step], [20.0, step]])
        action = actor.act(observations, torch.Generator().manual_seed(step))
        check_answered(action, "act")
        seen, number = step - step % 3, step % 3
        expected = [[10.0, seen, number], [20.0, seen, number]]
        check_close(
            action, expected, f"step {step} plays action {number} of the chunk of step {seen}."
        )


def test_RecedingHorizon_of_one_is_the_policy(RecedingHorizon):
    """With an execution horizon of one, every action is the first one of a new chunk."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Line:
        """Goes on from what it sees."""

        prediction_horizon = 3

        def sample(self, observations, generator):
            return observations[:, None, :] + torch.arange(3.0)[:, None]

    actor = RecedingHorizon(Line(), 1)
    actor.reset(torch.tensor([True, True, True]))
    for step in range(4):
        observations = torch.tensor([[1.0, 2.0], [3.0, 5.0], [8.0, 13.0]]) ** (step + 1)
        action = actor.act(observations, torch.Generator().manual_seed(step))
        check_answered(action, "act")
        check_close(action, observations, "look at every step, and play the chunk's first action.")


def test_RecedingHorizon_starts_one_of_two_anew(RecedingHorizon):
    """The second of two episodes starts anew at step 2, and the first one plays on."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Teller:
        """Its actions tell at which step they were predicted, and which of the chunk they are."""

        prediction_horizon = 4

        def sample(self, observations, generator):
            number = torch.arange(4.0).expand(len(observations), 4)
            return torch.stack([observations.expand(-1, 4), number], dim=2)

    actor = RecedingHorizon(Teller(), 3)
    actor.reset(torch.tensor([True, True]))
    first = [(0, 0), (0, 1), (0, 2), (3, 0), (3, 1), (3, 2), (6, 0)]
    second = [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2), (5, 0), (5, 1)]
    for step, expected in enumerate(zip(first, second, strict=True)):
        if step == 2:
            actor.reset(torch.tensor([False, True]))
        observations = torch.full((2, 1), float(step))
        action = actor.act(observations, torch.Generator().manual_seed(step))
        check_answered(action, "act")
        hint = f"at step {step}: `reset` starts those of the mask anew, and the others play on."
        check_close(action, expected, hint)


def test_RecedingHorizon_lets_the_policy_rest(RecedingHorizon):
    """With an execution horizon of two, the policy is asked at every second step."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Sleeper:
        """Wants to be left alone where it sees a negative number."""

        prediction_horizon = 3

        def sample(self, observations, generator):
            assert (observations > 0).all(), (
                "the policy was asked at a step at which no episode needs a chunk."
            )
            return observations[:, None, :] + torch.arange(3.0)[:, None]

    actor = RecedingHorizon(Sleeper(), 2)
    actor.reset(torch.tensor([True, True]))
    for seen, expected in [(10.0, 10.0), (-1.0, 11.0), (20.0, 20.0), (-1.0, 21.0)]:
        action = actor.act(torch.full((2, 1), seen), torch.Generator().manual_seed(0))
        check_answered(action, "act")
        hint = "between two looks, play what is left of the chunk."
        check_close(action, [[expected], [expected]], hint)


# %% tags=["hidden"]
def test_RecedingHorizon_plays_as_many_as_it_is_told(RecedingHorizon):
    """For all horizons and sizes of batches, the first actions of every chunk are played in order."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Weaver:
        """Makes every number of a chunk from all that it sees, and from its place in the chunk."""

        def __init__(self, prediction_horizon, mixing):
            self.prediction_horizon, self.mixing = prediction_horizon, mixing

        def sample(self, observations, generator):
            assert observations.dim() == 2, (
                f"the policy was given observations of shape {tuple(observations.shape)}: "
                "it takes (batch, observation_dim)."
            )
            places = torch.arange(1.0, self.prediction_horizon + 1)
            return (observations @ self.mixing)[:, None, :] * places[:, None] + places[:, None] ** 2

    generator = fresh_generator()
    for batch, prediction, execution in [(4, 5, 2), (1, 6, 6), (3, 3, 3), (7, 8, 1), (2, 7, 4)]:
        policy = Weaver(prediction, torch.randn(5, 3, generator=generator))
        actor = RecedingHorizon(policy, execution)
        actor.reset(torch.ones(batch, dtype=torch.bool))
        for step in range(2 * execution + 3):
            observations = torch.randn(batch, 5, generator=generator)
            if step % execution == 0:
                chunks = policy.sample(observations, generator)
            action = actor.act(observations.clone(), generator)
            check_answered(action, "act")
            check_shape(action, (batch, 3), "one action for every episode.")
            check_close(
                action,
                chunks[:, step % execution],
                f"with execution horizon {execution}, step {step} plays action {step % execution} of "
                f"the chunk that was predicted at step {step - step % execution}.",
            )


def test_RecedingHorizon_keeps_a_clock_for_every_episode(RecedingHorizon):
    """An episode that starts anew gets a new chunk at once, and the others play theirs on."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    class Teller:
        """Its actions tell who asked, at which step, and which action of the chunk they are."""

        def __init__(self, prediction_horizon):
            self.prediction_horizon = prediction_horizon

        def sample(self, observations, generator):
            count, length = len(observations), self.prediction_horizon
            told = observations[:, None, :].expand(count, length, -1)
            number = torch.arange(float(length))[None, :, None].expand(count, length, 1)
            return torch.cat([told, number], dim=2)

    generator = fresh_generator()
    for batch, prediction, execution in [(5, 6, 4), (3, 4, 3), (6, 9, 5), (2, 2, 2)]:
        actor, clock = RecedingHorizon(Teller(prediction), execution), [0] * batch
        names = 7 * torch.randn(batch, generator=generator)
        seen = [0] * batch
        for step in range(25):
            starts = torch.rand(batch, generator=generator) < 0.2
            starts = starts | (step == 0)
            # No more than some: that all start together is another test's.
            starts[int(torch.randint(batch, (), generator=generator))] &= step == 0
            # Now and then nobody starts, and the mask says so.
            if step % 3 == 0 or starts.any():
                actor.reset(starts.clone())
            clock = [0 if new else time for new, time in zip(starts.tolist(), clock, strict=True)]
            observations = torch.stack([names, torch.full((batch,), float(step))], dim=1)
            action = actor.act(observations, generator)
            check_answered(action, "act")
            check_shape(action, (batch, 3), "one action for every episode.")
            for episode, (name, born, number) in enumerate(torch.as_tensor(action).tolist()):
                if clock[episode] % execution == 0:
                    seen[episode] = step
                assert abs(name - float(names[episode])) < 1e-4, (
                    "an episode played what was planned for another: each row plays its own chunk."
                )
                given = (round(born), round(number))
                expected = (seen[episode], clock[episode] % execution)
                assert given == expected, (
                    f"execution horizon {execution}, {clock[episode]} steps after an episode's start: it "
                    f"played action {given[1]} of the chunk of {step - given[0]} steps ago, expected "
                    f"action {expected[1]} of the chunk of {step - expected[0]} steps ago."
                )
            clock = [time + 1 for time in clock]


def test_RecedingHorizon_asks_only_when_somebody_needs_a_chunk(RecedingHorizon):
    """At steps at which no episode needs a chunk, the policy rests."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Sleeper:
        """Wants to be left alone where the observation says so."""

        prediction_horizon = 6

        def sample(self, observations, generator):
            assert (observations[:, 0] > 0).all(), (
                "the policy was asked at a step at which no episode needs a chunk: ask only when one does."
            )
            return observations[:, None, 1:].repeat(1, 6, 1)

    generator = fresh_generator()
    for execution, second_start in [(3, 1), (4, 2), (5, 3), (6, 0)]:
        actor = RecedingHorizon(Sleeper(), execution)
        actor.reset(torch.tensor([True, True, True]))
        starts = torch.tensor([0, second_start, second_start])
        expected = torch.zeros(3, 2)
        for step in range(3 * execution):
            if second_start and step == second_start:
                actor.reset(torch.tensor([False, True, True]))
            began = torch.where(starts <= step, starts, 0)
            needs = (step - began) % execution == 0
            shown = torch.randn(3, 2, generator=generator)
            flag = torch.full((3, 1), 1.0 if needs.any() else -1.0)
            action = actor.act(torch.cat([flag, shown], dim=1), generator)
            check_answered(action, "act")
            expected = torch.where(needs[:, None], shown, expected)
            check_close(
                action, expected, "play on the chunk of the last time that it was asked for."
            )


def test_RecedingHorizon_draws_from_the_generator(RecedingHorizon):
    """The generator decides what a policy draws: equal seeds repeat it, and every chunk is drawn anew."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Dice:
        """Its chunks are noise."""

        prediction_horizon = 4

        def sample(self, observations, generator):
            assert isinstance(generator, torch.Generator), "give the policy the generator of `act`."
            return torch.randn(len(observations), 4, 2, generator=generator)

    seed = fresh_generator().initial_seed() % 2**62

    def drive(seed):
        actor, source = RecedingHorizon(Dice(), 2), torch.Generator().manual_seed(seed)
        actor.reset(torch.ones(3, dtype=torch.bool))
        actions = []
        for _ in range(6):
            action = actor.act(torch.zeros(3, 1), source)
            check_answered(action, "act")
            check_shape(action, (3, 2), "one action for every episode.")
            actions.append(torch.as_tensor(action).clone())
        return torch.stack(actions)

    first, again, other = drive(seed), drive(seed), drive(seed + 1)
    check_close(again, first, "the same seed led to other actions: draw from the generator given.")
    assert torch.isclose(first, other).float().mean() < 0.5, (
        "another seed led to the same actions: give the policy the generator of `act`."
    )
    # 36 normal numbers. By chance, hardly two of them are ever the same.
    assert len(first.unique()) > 30, (
        "actions repeat: every chunk of every episode is drawn anew, and each of its actions is played once."
    )

    def second_chunk(first_seed, second_seed):
        actor = RecedingHorizon(Dice(), 2)
        actor.reset(torch.ones(3, dtype=torch.bool))
        for each in (first_seed, second_seed):
            source = torch.Generator().manual_seed(each)
            actions = [torch.as_tensor(actor.act(torch.zeros(3, 1), source)) for _ in range(2)]
        return torch.stack([action.clone() for action in actions])

    check_close(
        second_chunk(seed + 2, seed + 3),
        second_chunk(seed + 4, seed + 3),
        "draw a chunk from the generator of the call that needs it, not from an earlier one.",
    )


def test_RecedingHorizon_starts_another_batch(RecedingHorizon):
    """When all episodes start anew, old plans are gone, and there may be more of them, or fewer."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Echo:
        """Its actions are what it saw."""

        prediction_horizon = 5

        def sample(self, observations, generator):
            return observations[:, None, :].repeat(1, 5, 1)

    generator = fresh_generator()
    actor = RecedingHorizon(Echo(), 4)
    for batch, steps in [(4, 6), (4, 3), (7, 2), (1, 5), (3, 9)]:
        actor.reset(torch.ones(batch, dtype=torch.bool))
        for step in range(steps):
            observations = torch.randn(batch, 2, generator=generator)
            if step % 4 == 0:
                expected = observations
            action = actor.act(observations.clone(), generator)
            check_answered(action, "act")
            check_shape(action, (batch, 2), "the mask of the last reset says how many there are.")
            check_close(action, expected, "after a reset of all, all get a new chunk.")


def test_RecedingHorizon_objects_do_not_share_anything(RecedingHorizon):
    """Two controllers that drive in turn do not disturb each other."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Line:
        """Goes on from what it sees, in steps of its own length."""

        def __init__(self, prediction_horizon, length):
            self.prediction_horizon, self.length = prediction_horizon, length

        def sample(self, observations, generator):
            way = self.length * torch.arange(float(self.prediction_horizon))
            return observations[:, None, :] + way[:, None]

    generator = fresh_generator()
    actors = [RecedingHorizon(Line(4, 10.0), 3), RecedingHorizon(Line(6, 1000.0), 2)]
    for actor in actors:
        actor.reset(torch.tensor([True, True]))
    begun = [torch.zeros(2, 3), torch.zeros(2, 3)]
    for step in range(7):
        for which, (execution, length) in enumerate([(3, 10.0), (2, 1000.0)]):
            observations = torch.randn(2, 3, generator=generator)
            if step % execution == 0:
                begun[which] = observations
            action = actors[which].act(observations.clone(), generator)
            check_answered(action, "act")
            expected = begun[which] + length * (step % execution)
            check_close(
                action, expected, "keep plans and clocks in the object: in `self`.", atol=1e-3
            )


# %% tags=["wrong"]
class RecedingHorizon__asks_at_every_step:
    """The policy is asked at every step: play `execution_horizon` actions of each chunk first."""

    def __init__(self, policy, execution_horizon):
        self.policy = policy

    def reset(self, mask):
        pass

    def act(self, observations, generator):
        return self.policy.sample(observations, generator)[:, 0]


class RecedingHorizon__plays_chunks_to_their_end:
    """Chunks are played to their end: the execution horizon may be shorter than the prediction horizon."""

    def __init__(self, policy, execution_horizon):
        self.policy = policy

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros_like(mask, dtype=torch.long)
        self.clock = self.clock.masked_fill(mask, 0)

    def act(self, observations, generator):
        place = self.clock % self.policy.prediction_horizon
        if (place == 0).any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__has_one_clock_for_all:
    """One clock serves all episodes, and one that starts anew plays its old plan: keep a clock for each."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.clock = 0

    def act(self, observations, generator):
        if self.clock % self.execution_horizon == 0:
            self.chunks = self.policy.sample(observations, generator)
        self.clock += 1
        return self.chunks[:, (self.clock - 1) % self.execution_horizon]


class RecedingHorizon__drops_everybodys_plan:
    """A reset of some drops the plans of all: those outside the mask play on."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        self.clock = 0

    def act(self, observations, generator):
        if self.clock % self.execution_horizon == 0:
            self.chunks = self.policy.sample(observations, generator)
        self.clock += 1
        return self.chunks[:, (self.clock - 1) % self.execution_horizon]


class RecedingHorizon__renews_all_when_one_asks:
    """When one episode needs a chunk, all get a new one: the others have theirs to play."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.clock = torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        if (self.clock % self.execution_horizon == 0).any():
            self.chunks = self.policy.sample(observations, generator)
            self.clock = torch.zeros_like(self.clock)
        place = self.clock
        self.clock = place + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__takes_new_chunks_at_old_places:
    """When one episode needs a chunk, the others go on in the middle of a new one: keep their old chunk."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.clock = torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            self.chunks = self.policy.sample(observations, generator)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__repeats_the_first_action:
    """The chunk's first action is repeated until the next chunk: play its actions in order."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.actions, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        asks = self.clock % self.execution_horizon == 0
        if asks.any():
            fresh = self.policy.sample(observations, generator)[:, 0]
            old = fresh if self.actions is None else self.actions
            self.actions = torch.where(asks[:, None], fresh, old)
        self.clock = self.clock + 1
        return self.actions


class RecedingHorizon__takes_from_the_end:
    """list.pop takes the last action first: play chunks from their beginning."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.queues = [[] for _ in mask]
        self.queues = [[] if new else old for new, old in zip(mask, self.queues, strict=True)]

    def act(self, observations, generator):
        for row, queue in enumerate(self.queues):
            if not queue:
                (chunk,) = self.policy.sample(observations[row : row + 1], generator)
                queue.extend(chunk[: self.execution_horizon])
        return torch.stack([queue.pop() for queue in self.queues])


class RecedingHorizon__skips_the_first_action:
    """Play begins at the chunk's second action: the first one is for the step that was seen."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        asks = self.clock % self.execution_horizon == 0
        if asks.any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where(asks[:, None, None], fresh, old)
        self.clock = self.clock + 1
        place = ((self.clock - 1) % self.execution_horizon + 1).clamp(max=self.chunks.shape[1] - 1)
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__asks_one_step_late:
    """A chunk is played for one step too long: after `execution_horizon` actions comes the next one."""

    def __init__(self, policy, execution_horizon):
        self.policy = policy
        self.period = min(execution_horizon + 1, policy.prediction_horizon)

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.period
        if (place == 0).any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__shares_its_queues:
    """Queues that stand in the class belong to all its objects: make them in `reset`, in `self`."""

    queues: list = []  # noqa: RUF012

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.queues[:] = [[] for _ in mask]
        for row in mask.nonzero().flatten().tolist():
            self.queues[row] = []

    def act(self, observations, generator):
        for row, queue in enumerate(self.queues):
            if not queue:
                (chunk,) = self.policy.sample(observations[row : row + 1], generator)
                queue.extend(chunk[: self.execution_horizon])
        return torch.stack([queue.pop(0) for queue in self.queues])


class RecedingHorizon__seeds_its_own_generator:
    """The policy draws from a generator of the controller's own: give it the one of `act`."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon
        self.source = torch.Generator().manual_seed(0)

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            fresh = self.policy.sample(observations, self.source)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__keeps_its_first_generator:
    """All chunks are drawn from the generator of the first call: take the one of the call that needs a chunk."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon
        self.source = None

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        self.source = self.source or generator
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            fresh = self.policy.sample(observations, self.source)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__takes_an_empty_mask_for_all:
    """Where the mask is true nowhere, all episodes start anew: then none does."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all() or not mask.any():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__returns_to_a_common_clock:
    """After an episode's first chunk, the next ones come by a clock that all share: count its own steps."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.chunks, self.step = None, 0
            self.place = torch.zeros(len(mask), dtype=torch.long)
        self.starts = mask.clone()

    def act(self, observations, generator):
        asks = self.starts | (self.step % self.execution_horizon == 0)
        if asks.any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where(asks[:, None, None], fresh, old)
            self.place[asks] = 0
        self.starts = torch.zeros_like(self.starts)
        self.step, self.place = self.step + 1, self.place + 1
        return self.chunks[torch.arange(len(asks)), self.place - 1]


class RecedingHorizon__asks_and_throws_away:
    """The policy is asked at every step, and most answers are thrown away: that gains no time."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.execution_horizon
        fresh = self.policy.sample(observations, generator)
        old = fresh if self.chunks is None else self.chunks
        self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__puts_chunks_into_the_first_rows:
    """New chunks land in the first rows: each belongs to the episode that asked."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            fresh = self.policy.sample(observations[place == 0], generator)
            self.chunks = fresh.clone() if self.chunks is None else self.chunks
            self.chunks[: len(fresh)] = fresh
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__looks_at_the_episodes_start:
    """New chunks are predicted from what was seen at the start: look at this step's observations."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.seen = self.chunks = None
            self.clock = torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        self.seen = observations if self.seen is None else self.seen
        self.seen = torch.where((self.clock == 0)[:, None], observations, self.seen)
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            fresh = self.policy.sample(self.seen, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__finishes_old_chunks_first:
    """An episode that starts anew finishes the old chunk first: drop what was planned for the old one."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon
        self.queues = []

    def reset(self, mask):
        if len(mask) != len(self.queues):
            self.queues = [[] for _ in mask]

    def act(self, observations, generator):
        for row, queue in enumerate(self.queues):
            if not queue:
                (chunk,) = self.policy.sample(observations[row : row + 1], generator)
                queue.extend(chunk[: self.execution_horizon])
        return torch.stack([queue.pop(0) for queue in self.queues])


class RecedingHorizon__keeps_the_size_of_its_first_batch:
    """The number of episodes is taken from the first batch for ever: each reset of all may bring another."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon
        self.queues = None

    def reset(self, mask):
        if self.queues is None:
            self.queues = [[] for _ in mask]
        for queue, new in zip(self.queues, mask, strict=False):
            if new:
                queue.clear()

    def act(self, observations, generator):
        for row, queue in enumerate(self.queues):
            if not queue:
                (chunk,) = self.policy.sample(observations[row : row + 1], generator)
                queue.extend(chunk[: self.execution_horizon])
        return torch.stack([queue.pop(0) for queue in self.queues])


class RecedingHorizon__turns_the_mask_round:
    """Episodes outside the mask start anew: it says true for those that do."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.chunks, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        else:
            self.clock[~mask] = 0

    def act(self, observations, generator):
        place = self.clock % self.execution_horizon
        if (place == 0).any():
            fresh = self.policy.sample(observations, generator)
            old = fresh if self.chunks is None else self.chunks
            self.chunks = torch.where((place == 0)[:, None, None], fresh, old)
        self.clock = self.clock + 1
        return self.chunks[torch.arange(len(place)), place]


class RecedingHorizon__averages_what_it_plays:
    """The actions to be played are averaged into one: play them one after the other."""

    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.actions, self.clock = None, torch.zeros(len(mask), dtype=torch.long)
        self.clock[mask] = 0

    def act(self, observations, generator):
        asks = self.clock % self.execution_horizon == 0
        if asks.any():
            chunks = self.policy.sample(observations, generator)
            fresh = chunks[:, : self.execution_horizon].mean(dim=1)
            old = fresh if self.actions is None else self.actions
            self.actions = torch.where(asks[:, None], fresh, old)
        self.clock = self.clock + 1
        return self.actions


# %% tags=["right"]
class RecedingHorizon__by_queues:
    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.queues = [[] for _ in mask]
        for row, new in enumerate(mask.tolist()):
            if new:
                self.queues[row] = []

    def act(self, observations, generator):
        actions = []
        for observation, queue in zip(observations, self.queues, strict=True):
            if not queue:
                chunk = self.policy.sample(observation.unsqueeze(0), generator)[0]
                queue.extend(chunk[: self.execution_horizon])
            actions.append(queue.pop(0))
        return torch.stack(actions)


class RecedingHorizon__asks_for_those_that_need_it:
    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon
        self.left = torch.zeros(0, dtype=torch.long)

    def reset(self, mask):
        if len(mask) != len(self.left):
            self.left, self.plan = torch.zeros(len(mask), dtype=torch.long), None
        self.left[mask] = 0

    def act(self, observations, generator):
        needy = (self.left == 0).nonzero().squeeze(1)
        if len(needy):
            chunks = self.policy.sample(observations[needy], generator)
            if self.plan is None:
                self.plan = chunks.new_zeros(len(self.left), *chunks.shape[1:])
            self.plan[needy] = chunks
            self.left[needy] = self.execution_horizon
        place = (self.execution_horizon - self.left)[:, None, None]
        self.left = self.left - 1
        return self.plan.take_along_dim(place, dim=1).squeeze(1)


class RecedingHorizon__by_writing_into_the_chunks_it_got:
    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.plan, self.place = None, torch.zeros(len(mask), dtype=torch.long)
        self.place[mask] = 0

    def act(self, observations, generator):
        needy = self.place == 0
        if needy.any():
            fresh = self.policy.sample(observations, generator)
            if self.plan is None:
                self.plan = fresh
            else:
                self.plan.copy_(torch.where(needy[:, None, None], fresh, self.plan))
        actions = self.plan[torch.arange(len(needy)), self.place]
        self.place += 1
        self.place[self.place == self.execution_horizon] = 0
        return actions


class RecedingHorizon__by_moving_plans_forward:
    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def reset(self, mask):
        if mask.all():
            self.played = torch.full((len(mask),), self.execution_horizon)
            self.plans = [None] * len(mask)
        self.played = torch.where(mask, self.execution_horizon, self.played)

    def act(self, observations, generator):
        due = self.played == self.execution_horizon
        if due.any():
            chunks = iter(self.policy.sample(observations[due], generator).double())
            self.plans = [
                next(chunks) if new else plan
                for new, plan in zip(due.tolist(), self.plans, strict=True)
            ]
        self.played = torch.where(due, 0, self.played) + 1
        actions = torch.stack([plan[0] for plan in self.plans])
        self.plans = [plan.roll(-1, dims=0) for plan in self.plans]
        return actions.float()


class RecedingHorizon__by_coroutines:
    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon

    def episode(self):
        observation, generator = yield
        while True:
            chunk = self.policy.sample(observation[None], generator)[0]
            for action in chunk[: self.execution_horizon]:
                observation, generator = yield action

    def reset(self, mask):
        if mask.all():
            self.episodes = [None] * len(mask)
        for row in torch.nonzero(mask).flatten().tolist():
            self.episodes[row] = self.episode()
            next(self.episodes[row])

    def act(self, observations, generator):
        pairs = zip(self.episodes, observations, strict=True)
        return torch.stack([episode.send((seen, generator)) for episode, seen in pairs])


class RecedingHorizon__by_dictionaries_and_numpy:
    def __init__(self, policy, execution_horizon):
        self.policy, self.execution_horizon = policy, execution_horizon
        self.plans = {}

    def reset(self, mask):
        import numpy as np

        if bool(mask.all()):
            self.plans = {}
        for row in np.flatnonzero(mask.numpy()):
            self.plans.pop(int(row), None)

    def act(self, observations, generator):
        missing = [row for row in range(len(observations)) if row not in self.plans]
        if missing:
            chunks = self.policy.sample(observations, generator).numpy()
            for row in missing:
                self.plans[row] = iter(chunks[row, : self.execution_horizon])
        actions = [torch.tensor(next(self.plans[row])) for row in range(len(observations))]
        for row in list(self.plans):
            if self.plans[row].__length_hint__() == 0:
                del self.plans[row]
        return torch.stack(actions)


# %% tags=["train"]
class Counter:
    """A policy whose actions tell at which step they were predicted."""

    prediction_horizon = 8

    def sample(self, observations, generator):
        """Return chunks that repeat the observation."""
        return observations[:, None, :].repeat(1, self.prediction_horizon, 1)


yours, births = RecedingHorizon(Counter(), 3), []
yours.reset(torch.tensor([True, True]))
for step in range(12):
    if step == 5:
        yours.reset(torch.tensor([False, True]))
    births.append(answered(yours.act(torch.full((2, 1), float(step)), seeded(0)), "act"))
births = torch.cat(births, dim=1).int()
figure, panels = plt.subplots(1, 2, figsize=(12, 2.6))
for axes, own, name in zip(panels, births, ("not disturbed", "starts anew at step 5"), strict=True):
    plot_schedule(axes, own.unique().tolist(), 8, 12)
    axes.set_title(name)
show(
    figure,
    alt="Two schedules of chunks. The first asks at steps 0, 3, 6 and 9; the second at steps 0 and 3, and then at 5, 8 and 11.",
    caption="Your controller drives two episodes as one batch. The second one's chunk of step 3 was cut short.",
)

# %% [markdown]
# ## When does it work better?
#
# Now the first reason. Four tasks follow, and on each the same experiment: train one policy for each prediction horizon 1, 2, 4, 8 and
# 16, and let it play its chunks to the end. There are five seeds, each with demonstrations of its own, and 100 drives a seed. All
# policies of one horizon drive in one batch, by your controller.


# %%
SEEDS = range(5)
EPISODES = 100  # for every seed
HORIZONS = (1, 2, 4, 8, 16)


def train_policies(make_policy, demonstrations, prediction_horizon, settings, seeds=SEEDS):
    """Train one policy for every seed, each on demonstrations of its own."""
    numbers = demonstrations[0].observation_dim, demonstrations[0].action_dim

    def make(seed):
        return make_policy(*numbers, prediction_horizon, width=64, generator=seeded(seed))

    # Networks as small as these are trained soonest on the CPU.
    named = f"chunks of {prediction_horizon}"
    return clone(make, demonstrations, settings, seeds, "cpu", named)


def play(runs, task, execution_horizon, seed=DRIVES):
    """Let all policies drive in one batch: the first 100 episodes by the first policy, and so on."""
    policies = PolicyStack([PhysicalPolicy(run.policy, *run.normalizers) for run in runs])
    actor = RecedingHorizon(policies, execution_horizon)
    return rollout(task, actor, EPISODES * len(runs), seeded(seed))


def share_of(episodes):
    """Return each policy's share of the episodes for which something is true."""
    return episodes.view(-1, EPISODES).float().mean(dim=1)


def successes(drives):
    """Return the shares of episodes that succeed, (drives, seeds)."""
    return torch.stack([share_of(rollouts.succeeded) for rollouts in drives.values()])


def print_shares(drives, name="chunks of"):
    """Print the mean share over the seeds, and the lowest and the highest."""
    for horizon, own in zip(drives, 100 * successes(drives), strict=True):
        print(
            f"{name} {horizon:2}: {own.mean():3.0f} %   (seeds: {own.min():.0f} to {own.max():.0f} %)"
        )


# %% [markdown]
# ### To make up one's mind
#
# The fork again, with two drivers: one passes the obstacle on the left, the other on the right. They see well. The sensor
# that records them, and through which the policy will see, does not: at every step the position is off sideways by about 40 cm, and the sideways
# velocity by about 40 cm/s, each time anew. The road is 1.6 m wide.
#
# The policy is a mixture of Gaussians. It can say *left or right*, and at each decision it draws one of the two.
#
# Before you go on: a policy that decides at every step has just begun to swerve to the left. What does it know of that at its next
# step? Which side will it draw?


# %%
NOISY = Fork(observation_noise=0.4, goal_radius=0.25)
NOISY_SETTINGS = TrainingSettings(steps=400, batch_size=128, learning_rate=1e-2)


def drive_both_sides(seed):
    """Return demonstrations of drivers who see well, as a noisy sensor records them."""
    seeing, generator = replace(NOISY, observation_noise=0.0), seeded(seed)
    drivers = {
        side: NoisyActor(ForkDriver(seeing, (side,), decision_distance=0.8), 0.04)
        for side in ("left", "right")
    }
    return seen_by(demonstrate(seeing, drivers, 100, generator), NOISY, generator)


def wide_mixture(*numbers, **options):
    """Make a mixture of eight components: more than there are sides, so that none is missed."""
    return MixturePolicy(*numbers, num_components=8, **options)


def turns_both_ways(rollouts):
    """Tell which drives steered hard to the left and hard to the right before the obstacle."""
    states, lateral = rollouts.states[:-1], rollouts.actions[:, :, 1]
    ahead = states[:, :, OBSTACLE][:, :, 0] - states[:, :, POSITION][:, :, 0]
    choosing = rollouts.active & (ahead > 0) & (ahead < 0.8)
    left, right = (choosing & (side * lateral > 0.4) for side in (1, -1))
    return left.any(dim=0) & right.any(dim=0)


# %% tags=["train"]
data = [drive_both_sides(seed) for seed in SEEDS]
fork_runs = {h: train_policies(wide_mixture, data, h, NOISY_SETTINGS) for h in HORIZONS}
fork_drives = {h: play(runs, NOISY, h) for h, runs in fork_runs.items()}
print_shares(fork_drives)

# %% tags=["train"]
figure, panels = plt.subplots(1, 3, figsize=(12, 3.4))
plot_success_by_horizon(panels[0], HORIZONS, successes(fork_drives), POLICY_LOOKS["mixture"])
panels[0].set(xlabel="actions per chunk, all of them played", title="mixture, noisy fork")
for axes, horizon in zip(panels[1:], (1, 16), strict=True):
    rollouts = fork_drives[horizon]
    lateral = rollouts.actions[:, :, 1]
    plot_courses(axes, rollouts, lateral, NOISY.time_step, episodes=range(100, 104))
    both = float(turns_both_ways(rollouts).float().mean())
    axes.set(title=f"chunks of {horizon}: {100 * both:.0f} % turn both ways", ylim=(-1.4, 1.6))
    axes.set(
        xlabel="time, s", ylabel="lateral command, m/s", xlim=(0, 4.5), yticks=(-1, -0.5, 0, 0.5, 1)
    )
    axes.yaxis.set_major_formatter(format_side)
    axes.legend(fontsize=8, loc="upper right")
show(
    figure,
    alt="Left: success over the number of actions per chunk stays at about 40 % for chunks of 1, 2 and 4, and rises to about 70 % for "
    "chunks of 16. Middle, chunks of one: some lateral commands jump between left and right. Right, chunks of 16: each "
    "drive swerves to one side and comes back.",
    caption="Left: large marks are means, small ones seeds. Middle and right: the lateral commands of four drives, decided at every step and "
    "every 16 steps.",
)


# %%
def print_turns(drives):
    """Print how many drives turn both ways, and how many of these and of the others arrive."""
    for horizon, rollouts in drives.items():
        both, arrived = turns_both_ways(rollouts), rollouts.succeeded.float()
        print(
            f"chunks of {horizon:2}: {100 * both.float().mean():2.0f} % turn both ways; "
            f"{100 * arrived[both].mean():2.0f} % of them arrive, {100 * arrived[~both].mean():2.0f} % of the others"
        )


# %% tags=["train"]
print_turns(fork_drives)

# %% [markdown]
# One decision at every step brings fewer than half of the drives to the goal. Chunks of 16 bring about seven in ten. Chunks of 2 and 4
# hardly change anything.
#
# The table says why. A policy that decides at every step draws a side at every step. What it has begun would show in its position and
# its velocity, but the sensor's noise covers both. So more than half of its drives steer hard to the left *and* hard to the right before the obstacle,
# and of these fewer than one in three arrives. Of those that keep to one side, about as many arrive as with chunks of 16. The policy is not bad at
# driving. It forgets.
#
# With chunks of 4 two things cancel: fewer drives turn both ways, but of those that do not, fewer arrive. A chunk keeps what it drew, and a bad draw too: whoever
# swerves too late or too little loses one step with chunks of 1, and up to four with chunks of 4. We counted the drives that keep to one side, and yet do not steer hard at every step between 75 and 40 cm before
# the obstacle's middle. With chunks of 1 that is one drive in ten, and more than half of these arrive. With chunks of 4 it is one in four, and about three in ten arrive. With chunks of 16 it is fewer than one in ten
# again: there the whole swerve is drawn at once.
#
# A chunk of 16 reaches past the obstacle. What was drawn once is drawn for the whole way, and hardly a drive turns both ways. The longer
# chunk tells the policy nothing about where it is. It is a memory of what was *decided*.

# %% [markdown]
# ### The driver who pauses
#
# A driver stops in front of the obstacle, stands there for between one and a half and three seconds, and goes on to the left. For how long they will
# stand shows in no observation. There is one driver, one side, and a sensor without noise.
#
# This time the policy is plain regression, which returns the mean. Before you go on: while the driver stands, all observations
# look alike. Nearly always the next action is *stay*, and once it is *go*. What is their mean? What will a policy do that
# gets this answer at every step? And a chunk?


# %%
ROOMY = Fork(max_steps=80, obstacle_radius=0.2)
ROOMY_SETTINGS = TrainingSettings(steps=600, batch_size=128, learning_rate=1e-2)


def drive_with_a_pause(seed):
    """Return demonstrations of a driver who stands still for a while before the obstacle."""
    driver = ForkDriver(ROOMY, ("left",), decision_distance=0.8, margin=0.25, longest_pause=30)
    return demonstrate(ROOMY, {"left": NoisyActor(driver, 0.03)}, 100, seeded(seed))


def where_drivers_stand(runs, demonstrations):
    """Return the forward commands, m/s, where drivers stand: their own next one, and the policies' chunks."""
    own, drawn = [], []
    for run, demonstrated in zip(runs, demonstrations, strict=True):
        seen = demonstrated.observations
        standing = seen[:, VELOCITY].norm(dim=1) < 0.1
        standing &= seen[:, OBSTACLE][:, 0] - seen[:, POSITION][:, 0] < 0.8
        own.append(demonstrated.actions[standing, 0])
        policy = PhysicalPolicy(run.policy, *run.normalizers)
        drawn.append(policy.sample(seen[standing], seeded(0))[:, :, 0])
    return torch.cat(own), torch.cat(drawn)


# %% tags=["train"]
data = [drive_with_a_pause(seed) for seed in SEEDS]
longest = max(len(trajectory) for own in data for trajectory in own.trajectories)
print(f"the drivers need at most {longest} steps, the policies have {ROOMY.max_steps}")
pause_runs = {h: train_policies(RegressionPolicy, data, h, ROOMY_SETTINGS) for h in HORIZONS}
pause_drives = {h: play(runs, ROOMY, h) for h, runs in pause_runs.items()}
print("regression")
print_shares(pause_drives)

# %% [markdown]
# A sampled policy gets the same data, and decides at every step.

# %% tags=["train"]
drawn_runs = train_policies(MixturePolicy, data, 1, ROOMY_SETTINGS)
drawn_drives = {1: play(drawn_runs, ROOMY, 1)}
print("mixture")
print_shares(drawn_drives)
own, mean = where_drivers_stand(pause_runs[1], data)
_, drawn = where_drivers_stand(drawn_runs, data)
print("\nwhere drivers stand, the next forward command")
for name, speeds in {"drivers": own, "regression": mean, "mixture": drawn}.items():
    going = 100 * float((speeds > 0.3).float().mean())
    print(f"{name:10}: {100 * speeds.mean():.1f} cm/s on average; {going:.1f} % are above 30 cm/s")

# %% tags=["train"]
figure, panels = plt.subplots(1, 4, figsize=(14, 3.4))
plot_success_by_horizon(
    panels[0], HORIZONS, successes(pause_drives), POLICY_LOOKS["regression"], "regression"
)
plot_success_by_horizon(
    panels[0], (1,), successes(drawn_drives), POLICY_LOOKS["mixture"], "mixture"
)
panels[0].set_xticks(range(len(HORIZONS)), [f"{horizon}" for horizon in HORIZONS])
panels[0].set(xlabel="actions per chunk, all of them played", title="fork with a pause")
panels[0].legend(fontsize=8, loc="lower right")
watched = {
    "regression, every step": pause_drives[1],
    "regression, chunks of 4": pause_drives[4],
    "mixture, every step": drawn_drives[1],
}
for axes, (name, rollouts) in zip(panels[1:], watched.items(), strict=True):
    plot_courses(
        axes, rollouts, rollouts.states[:, :, 0], ROOMY.time_step, episodes=range(0, 500, 42)
    )
    axes.axhspan(*(1 + ROOMY.obstacle_radius * side for side in (-1, 1)), color="0.9", zorder=0)
    axes.axhline(2, color="0.6", lw=1, zorder=0)
    axes.annotate("goal", (0.15, 2.04), fontsize=8)
    axes.annotate("obstacle", (0.15, 0.83), fontsize=8)
    axes.set(title=name, ylabel="along the road, m", xlim=(0, 8.2), ylim=(-0.1, 3.6))
    axes.legend(fontsize=8, loc="upper left")
show(
    figure,
    alt="Left: the success of regression is below one half for chunks of one, highest for chunks of 4, and lower again for 8 and 16; the "
    "mixture reaches about 90 % with chunks of one. Then twelve drives of each of three policies, position along the road over time: "
    "regression at every step creeps forward for seconds; with chunks of four it drives on after two to four seconds, and some drives pass the goal by; the mixture "
    "stands, each drive for another time, and then drives on at once.",
    caption="Twelve drives each. Every step: who creeps has no time left at the end, or no room. Chunks of 4: nearly all leave soon; most of what is dotted drove "
    "past the goal. The mixture stands still, and then leaves.",
)

# %% [markdown]
# Where the drivers stand, one command in twenty is *go*. Regression answers with the mean: a few centimetres a second. That is neither *stay* nor
# *go*, it is a crawl, and it comes at every step anew. Some drives crawl until their time is up. Others crawl up to the obstacle, and have
# no room left for the swerve.
#
# A chunk of four is a mean as well, but of four steps in a row: with every step there are more drivers who have left. So the chunk gathers
# speed. A vehicle that moves is one whose pause is over, which the observation shows, and the next chunk drives on. Far more drives arrive.
# Chunks of 8 and 16 are worse again: their mean mixes those who leave soon with those who leave late, and is a drive of nobody's.
#
# The mixture does not need any of this. It draws: nineteen times *stay*, once *go*, as the drivers do. About nine drives in ten arrive, with one action
# at a time. It knows no more of the clock than regression does. It replaces the clock by chance.
#
# So be careful with "chunks help against pauses". Here they help a policy that answers with means.

# %% [markdown]
# ### To stay on the road
#
# Nothing to choose now, nothing to remember, and a sensor without noise: a racetrack, whose lane is 20 cm wide. The vehicle drives at 1 m/s and
# only steers. At every step a small push turns it a little, by about a degree. An expert has demonstrated two laps, five times. The policy is
# regression.
#
# Whoever plays a chunk does not see the pushes. Before you go on: draw the curve that you expect, success over the
# length of the chunk.


# %%
TRACK = Racetrack(half_width=0.1, process_noise=0.02, start_spread=0.0)
TRACK_SETTINGS = TrainingSettings(steps=1000, batch_size=64, learning_rate=3e-3)


def drive_round(seed):
    """Return five demonstrations of two laps each."""
    return demonstrate(TRACK, {"expert": RacetrackDriver(TRACK)}, 5, seeded(seed))


def print_gains(drives, name="chunks of"):
    """Print, seed by seed, how many more arrive by looking at every second step."""
    gains = 100 * (share_of(drives[2].succeeded) - share_of(drives[1].succeeded))
    listed = ", ".join(f"{gain:+.0f}" for gain in gains)
    print(f"{name} 2 against 1, seed by seed: {listed} in a hundred")


# %% tags=["train"]
data = [drive_round(seed) for seed in SEEDS]
track_runs = {h: train_policies(RegressionPolicy, data, h, TRACK_SETTINGS) for h in HORIZONS}
track_drives = {h: play(runs, TRACK, h) for h, runs in track_runs.items()}
print_shares(track_drives)
print_gains(track_drives)

# %% [markdown]
# An inverted U, and nothing of the two sections before explains it: there is no side to remember, and no pause.
#
# Its right half is what one expects. After 16 steps the pushes that nobody saw have moved the vehicle by 8 cm (one standard deviation),
# and the edge of the lane is 10 cm away. With chunks of 16 hardly a drive gets round.
#
# Its left half is the surprise. The seeds lie far apart: with five demonstrations, luck counts. But the policies of one seed have the same five, whatever their chunks, so compare them
# seed by seed. In most seeds, looking at every second step is *better* than looking at every step.
#
# Why? What is left is the policy itself. It has seen five drives. A little beside them its answers are a little wrong. Its answers decide what it sees next, and there they
# are more wrong. This is the loop through which errors grow, and it is closed once for every look. Whoever plays two actions for each look closes it half as
# often. The evidence for this comes in the section *To predict, and to play*: there the very same networks play one action of each chunk, or two.
#
# Zhang et al. (2025) make this precise. Suppose that the *system* by itself, without anybody's feedback, lets errors die out. Then chunks that are long
# enough keep the policy's errors from growing from step to step. The racetrack is at the border: a wrong heading stays as wrong as it is. What if a system does
# not forgive at all?

# %% [markdown]
# ### To keep one's balance
#
# A pole stands on its end, and a torque keeps it there. Left alone it falls, and it falls ever faster: for small angles $\theta$
# an error grows as
#
# $$
# \theta(t) = \theta(0) \cosh\left(\sqrt{g / l}\; t\right) , \qquad \sqrt{g / l} = 3.1 / \mathrm{s} .
# $$
#
# A step is 0.05 s. Again regression, without a noisy sensor and without a choice; small pushes disturb the pole.
#
# Before you go on: how many times larger is an error after a chunk of 8 has been played blindly, and after a chunk of 20?


# %%
POLE = Pendulum(process_noise=1.0)
POLE_SETTINGS = TrainingSettings(steps=300, batch_size=128, learning_rate=1e-2)
POLE_HORIZONS = (*HORIZONS, 20)


def balance(seed):
    """Return 20 demonstrations of five seconds, by a balancer whose hand shakes."""
    hand = NoisyActor(PendulumBalancer(), 2.0)
    return demonstrate(replace(POLE, seconds=5.0), {"balancer": hand}, 20, seeded(seed))


# %% tags=["train"]
data = [balance(seed) for seed in SEEDS]
pole_runs = {h: train_policies(RegressionPolicy, data, h, POLE_SETTINGS) for h in POLE_HORIZONS}
pole_drives = {h: play(runs, POLE, h) for h, runs in pole_runs.items()}
print_shares(pole_drives)

# %% tags=["train"]
figure, panels = plt.subplots(1, 4, figsize=(14, 3.4))
regression = POLICY_LOOKS["regression"]
plot_success_by_horizon(panels[0], HORIZONS, successes(track_drives), regression)
panels[0].set(xlabel="actions per chunk, all of them played", title="racetrack")
plot_success_by_horizon(panels[2], POLE_HORIZONS, successes(pole_drives), regression)
panels[2].set(xlabel="actions per chunk, all of them played", title="pole")
rollouts = track_drives[8]
aside = 100 * TRACK.offset(rollouts.states.flatten(0, 1)).view(rollouts.states.shape[:2])
plot_courses(panels[1], rollouts, aside, TRACK.time_step, episodes=range(0, 500, 63))
panels[1].axhspan(-10, 10, color="0.93", zorder=0)
panels[1].set(
    title="racetrack, chunks of 8", ylabel="off the middle of the lane, cm", ylim=(-14, 14)
)
rollouts = pole_drives[20]
plot_courses(
    panels[3], rollouts, rollouts.states[:, :, 0], POLE.time_step, episodes=range(0, 500, 63)
)
panels[3].set(title="pole, chunks of 20", ylabel="angle, rad", ylim=(-1.4, 1.4))
for axes in (panels[1], panels[3]):
    axes.legend(fontsize=8, loc="upper right")
show(
    figure,
    alt="First: success on the racetrack over the actions per chunk, an inverted U with its top at two, about one in five at 8 and near zero at 16. Second: the "
    "distance from the middle of the lane for eight drives with chunks of eight; they leave the lane, some after seconds, some after a lap. Third: on the pole "
    "all drives succeed with chunks up to 8, about half with 16, nearly none with 20. Fourth: eight poles with "
    "chunks of 20; their angles swing further with every second until they fall.",
    caption="Second from the left, grey: the lane. Right: a chunk of 20 lasts one second, and each second ends worse than the one before.",
)

# %% [markdown]
# After 8 steps an error is about twice as large, after 20 steps more than eleven times. Up to chunks of 8, not one pole falls. With chunks of
# 20, nearly all do: each look finds the mistakes of a whole second, and has only the next second's chunk to answer them.
#
# Here no chunk helps, because there is nothing to help with: looking at every step succeeds always. And a long chunk is fatal.

# %% [markdown]
# ## To predict, and to play
#
# So far a policy that plays long chunks was also trained to predict long chunks. Which of the two is it? Your controller can tell them apart:
# take the policies that predict 16 actions, and play only the first 1, 2, 4 or 8 of each chunk.
#
# Before you go on: on the noisy fork the policies with chunks of 16 do best. Will they do better still if they may look at every
# step?

# %% tags=["train"]
tasks = {
    "noisy fork": (fork_runs, NOISY, fork_drives, "mixture"),
    "fork with a pause": (pause_runs, ROOMY, pause_drives, "regression"),
    "racetrack": (track_runs, TRACK, track_drives, "regression"),
    "pole": (pole_runs, POLE, pole_drives, "regression"),
}
played = {
    name: {h: play(runs[16], task, h) for h in HORIZONS} for name, (runs, task, *_) in tasks.items()
}
for name, drives in played.items():
    print(name)
    print_shares(drives, "of 16, play")
print("racetrack:", end=" ")
print_gains(played["racetrack"], "of 16, play")

# %% tags=["train"]
figure, panels = plt.subplots(1, 4, figsize=(14, 3.4), sharey=True)
for axes, (name, (*_, drives, policy)) in zip(panels, tasks.items(), strict=True):
    ends = {h: drives[h] for h in HORIZONS}
    plot_success_by_horizon(
        axes, HORIZONS, successes(ends), POLICY_LOOKS[policy], "predicts what it plays"
    )
    plot_success_by_horizon(
        axes, HORIZONS, successes(played[name]), POLICY_LOOKS[policy], "predicts 16", hollow=True
    )
    axes.set(title=f"{name}, {policy}", xlabel="actions played of each chunk")
for axes in panels[1:]:
    axes.set_ylabel("")
panels[-1].legend(fontsize=8, loc="lower left")
show(
    figure,
    alt="Four panels of success over the actions played of each chunk, for policies that predict as many as they play and for policies that "
    "predict 16. On the noisy fork the second kind rises from far below the first, at one action, to the same at 16. On the fork with a "
    "pause it is better than the first at one and two actions. On the racetrack it is worse, with its best at two. On the pole both are alike.",
    caption="Dashed: always the same policies, which predict 16 actions. They differ only in how many of them are played. Small marks are seeds: left of the "
    "mean those that predict what they play, right of it those that predict 16.",
)

# %% [markdown]
# - **Noisy fork.** No: whoever predicts 16 actions and plays one does worst of all, worse than whoever predicts only one. The same network goes from
#   little more than one drive in ten to seven in ten, by playing more of what it says. What helps is to *play* chunks. To predict them costs something.
# - **Racetrack.** To predict 16 costs a lot. To play two of them is better than to play one, with the very same network, and in nearly every seed (last line): this is the loop of
#   errors, and no effect of training.
# - **Pole.** To predict 16 does no harm, as long as no more than 8 are played.
# - **Fork with a pause.** Here it *is* the prediction: whoever predicts 16 and plays one arrives far more often than whoever predicts one. Its first action is still a
#   mean. We have measured this, and cannot tell you why.
#
# A setting such as "chunk = 20" is two decisions, then. How far to predict is about learning. How far to play is about the system and the sensor.

# %% [markdown]
# ## The map
#
# Four tasks are four points. The map has all of it: three tasks, three kinds of demonstrators (*Markov*: one way, and nothing to remember;
# *pausing*; *mode-switching*: two ways), noise in what is observed or in what is done (*actuation*), actions predicted against actions executed. It takes longer than
# a notebook should, so it was recorded. `run_map(tasks=["fork"], policies=["mixture"], delays=[0])`, from `imitation_lab.horizons`, runs
# part of it anew.
#
# Here is the mixture on the fork. Look for the columns and rows in which the execution horizon matters, before you read on.

# %% tags=["train"]
record = recorded_map()
show(
    plot_map(record, "fork", "mixture"),
    alt="Nine triangular heat maps of success. With the Markov driver every cell without noise or with a noisy sensor is above 90 %. With two drivers and "
    "a noisy sensor, success rises from 15 to 78 % along the row of 16 predicted actions. With actuation noise the cell of 16 played actions "
    "is the lowest of its row.",
    caption="Up: more actions predicted. To the right: more of them played. The diagonal plays every chunk to its end.",
)

# %% [markdown]
# Where there is one way and nothing to remember (top row), a noisy sensor does no harm: every cell stays above 90 %, at every horizon. Where there are two ways
# (bottom row, middle), the row of 16 predicted actions climbs from 15 % to 78 %. Actuation noise turns it round: 16 actions played blindly are the worst of
# their row, for all three demonstrators. There a look shows what the policy cannot know.
#
# It is not the length of the chunk that is good or bad. It is what one look is worth, and what it costs.
#
# The map has more pages than this one. Turn to those that you doubt: name a task (`"fork"`, `"racetrack"`, `"pendulum"`), a policy (`"regression"`,
# `"mixture"`) and a delay (0, 2 or 5 steps that thinking takes; more of that below).

# %%
TASK, POLICY, DELAY = "pendulum", "regression", 2

# %% tags=["train"]
show(
    plot_map(record, TASK, POLICY, DELAY),
    alt=f"Nine triangular heat maps of success: {TASK}, {POLICY}, {DELAY} steps of delay.",
    caption="In brackets: a chunk runs out before the next one is there, and its last action is held. Left of the dashed line: a new chunk is asked for "
    "as soon as the last one has arrived.",
)

# %% [markdown] question="open_loop_or_feedback" points=[]
# ### Question 6.3 · When does open loop beat feedback?
#
# "More feedback can always be ignored, so it can never hurt." What is wrong with this sentence? Go through the four tasks: what was another look worth there,
# and what did it cost? Then give a rule in two sentences: when would you play long chunks, and when short ones? (About eight sentences in all.)

# %% [markdown] tags=["solution"]
# A *good* policy could ignore what does not help it. A learnt one answers to everything that it sees, and its answer is what costs: it is a new draw, a new mean, or a new error.
# On the noisy fork a look is worth little, since the sensor hides what one wants to know, and it costs the choice that was made before. On the fork with a pause
# it costs regression its progress, since each look returns to the same mean. On the racetrack a look is worth something, because pushes must be seen, and it
# costs as well, because the policy's own errors come back through it: hence the inverted U. On the pole a look is worth everything, because
# errors multiply while nobody looks, and it costs nothing.
#
# Play long chunks where the system forgives and where the policy's answer to a new look is worse than its old plan: a noisy sensor, several ways to choose from, a past that the observation does not
# show, or little data. Play short ones where errors grow quickly, or where the world pushes, and where the policy answers well.

# %% [markdown]
# ## Averaging chunks
#
# Playing a chunk to its end shuts the eyes. Asking at every step opens them, but the chunks that were made before are thrown away, all
# but their first action. Is that not a waste? At step 20, the chunk made at step 20 has an action for now. So has the one made at step 19, and
# the one made at step 9. With chunks of twelve there are **twelve predictions of the action that is due now**.
#
# ACT, the policy that made chunks popular, averages them. With the oldest prediction first, number $i$, counted from 0, weighs
#
# $$
# w_i = \frac{e^{-m i}}{\sum_j e^{-m j}}.
# $$
#
# The weights sum to one, so that twelve equal predictions give that very prediction. For $m = 0$ all count the same. ACT takes
# $m = 0.01$, which is nearly that. For $m > 0$ the oldest counts most, for $m < 0$ the newest.

# %% [markdown] question="temporal_ensemble" points=[1, 1, 2, 1]
# ### Question 6.4 · Temporal ensemble
#
# Write `temporal_ensemble(predictions, weight_decay)`.
#
# - `predictions` is `(batch, count, action_dim)`: for every episode, all predictions of the action that is due now, **oldest first**.
# - `weight_decay` is $m$, a number. It may be negative.
# - Return the weighted average, `(batch, action_dim)`.


# %% tags=["solution"]
def temporal_ensemble(predictions, weight_decay):
    """Return the average of several predictions of the same action."""
    # BEGIN SOLUTION
    places = torch.arange(predictions.shape[1])
    weights = (-weight_decay * places.float()).softmax(dim=0)
    return torch.einsum("k,bka->ba", weights, predictions)
    # END SOLUTION


# %% tags=["public"]
def test_temporal_ensemble_of_two_predictions(temporal_ensemble):
    """Where every prediction counts half as much as the one before it, two weigh 2/3 and 1/3."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close

    first = [[3.0, 0.0, 9.0], [0.0, 3.0, 0.0]]
    second = [[6.0, 6.0, 6.0], [0.0, 3.0, -3.0]]
    actions = temporal_ensemble(torch.tensor([first, second]), math.log(2.0))
    check_answered(actions, "temporal_ensemble")
    hint = "the oldest prediction comes first and has the weight 2/3, the newest has 1/3."
    check_close(actions, [[2.0, 1.0, 6.0], [4.0, 5.0, 3.0]], hint)


def test_temporal_ensemble_of_equal_predictions(temporal_ensemble):
    """Predictions that agree are not changed, however many there are: the weights sum to one."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    action = torch.tensor([[1.0, -2.0], [30.0, 0.5], [-4.0, 7.0]])
    for count in (1, 2, 5):
        mean = temporal_ensemble(action.unsqueeze(1).repeat(1, count, 1), 0.3)
        check_answered(mean, "temporal_ensemble")
        check_close(mean, action, "divide by the sum of the weights.")


# %% tags=["hidden"]
def test_temporal_ensemble_is_the_weighted_average(temporal_ensemble):
    """For any sizes and decays, each number is the formula's, worked out one by one."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    sizes = [(4, 3, 2), (3, 3, 3), (2, 5, 5), (4, 4, 2), (1, 12, 1), (5, 1, 3), (1, 1, 1)]
    for (batch, count, action_dim), decay in zip(
        sizes, (0.5, 1.1, -0.7, 0.2, 0.01, 2.0, -1.0), strict=True
    ):
        predictions = 3 * torch.randn(batch, count, action_dim, generator=generator) + 1
        predictions[0, count // 2] = 0.0  # to stand still is a prediction like any other
        given = predictions.clone()
        actions = temporal_ensemble(given, decay)
        check_answered(actions, "temporal_ensemble")
        weights = [math.exp(-decay * i) for i in range(count)]
        expected = [
            [
                sum(w * row[i][a] for i, w in enumerate(weights)) / sum(weights)
                for a in range(action_dim)
            ]
            for row in predictions.tolist()
        ]
        check_close(actions, expected, "weigh along the second axis, the oldest with exp(0) = 1.")
        check_close(given, predictions, "the predictions were changed in place: make a new tensor.")


def test_temporal_ensemble_keeps_to_the_ends(temporal_ensemble):
    """A large decay leaves the oldest prediction, a large negative one the newest, none the mean."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    predictions = torch.randn(3, 4, 2, generator=fresh_generator())
    for decay, expected in [
        (20.0, predictions[:, 0]),
        (-20.0, predictions[:, 3]),
        (0.0, predictions.sum(dim=1) / 4),
        (0, predictions.sum(dim=1) / 4),
    ]:
        actions = temporal_ensemble(predictions.clone(), decay)
        check_answered(actions, "temporal_ensemble")
        check_close(actions, expected, f"for a weight_decay of {decay:g} the weights are off.")


# %% tags=["wrong"]
def temporal_ensemble__takes_the_newest_first(predictions, weight_decay):
    """The newest prediction gets the largest weight: the formula numbers from the oldest."""
    return _weighted(predictions.flip(1), weight_decay)


def temporal_ensemble__turns_the_sign(predictions, weight_decay):
    """The exponent has the wrong sign: with m > 0 later predictions count less."""
    return _weighted(predictions, -weight_decay)


def temporal_ensemble__does_not_normalise(predictions, weight_decay):
    """The weights do not sum to one: divide by their sum."""
    weights = torch.exp(-weight_decay * torch.arange(predictions.shape[1]))
    return (weights[:, None] * predictions).sum(dim=1)


def temporal_ensemble__divides_by_the_count(predictions, weight_decay):
    """The sum is divided by how many there are: divide by the sum of the weights."""
    weights = torch.exp(-weight_decay * torch.arange(predictions.shape[1]))
    return (weights[:, None] * predictions).mean(dim=1)


def temporal_ensemble__ignores_the_decay(predictions, weight_decay):
    """This is the plain mean: the weights are missing."""
    return predictions.mean(dim=1)


def temporal_ensemble__takes_the_newest(predictions, weight_decay):
    """Only the newest prediction counts: that is no ensemble."""
    return predictions[:, -1]


def temporal_ensemble__takes_the_oldest(predictions, weight_decay):
    """Only the oldest prediction counts: that is no ensemble."""
    return predictions[:, 0]


def temporal_ensemble__takes_powers_of_the_decay(predictions, weight_decay):
    """The weights are powers of m: they are powers of exp(-m)."""
    weights = float(weight_decay) ** torch.arange(predictions.shape[1])
    return (weights[:, None] * predictions).sum(dim=1) / weights.sum()


def temporal_ensemble__forgets_the_exponential(predictions, weight_decay):
    """The weights fall along a straight line: they fall exponentially."""
    weights = (1 - weight_decay * torch.arange(predictions.shape[1])).clamp(min=1e-6)
    return (weights[:, None] * predictions).sum(dim=1) / weights.sum()


def temporal_ensemble__averages_over_the_batch(predictions, weight_decay):
    """The weights run over the batch: episodes have nothing to do with each other."""
    return _weighted(predictions.transpose(0, 1), weight_decay).expand(len(predictions), -1)


def temporal_ensemble__weighs_the_action_s_numbers(predictions, weight_decay):
    """The weights run over the action's numbers: they run over the predictions."""
    weights = torch.softmax(-weight_decay * torch.arange(predictions.shape[2]).float(), dim=0)
    return (weights * predictions).sum(dim=1)


def temporal_ensemble__takes_the_median(predictions, weight_decay):
    """This is the median: ACT takes a weighted mean."""
    return predictions.median(dim=1).values


def temporal_ensemble__stretches_the_weights(predictions, weight_decay):
    """The ages run from 0 to 1: they count predictions, 0, 1, 2 and so on."""
    ages = torch.linspace(0, 1, predictions.shape[1])
    return (torch.softmax(-weight_decay * ages, dim=0)[:, None] * predictions).sum(dim=1)


def temporal_ensemble__squares_the_age(predictions, weight_decay):
    """The weights fall with the square of the number: they fall by the same factor each time."""
    ages = torch.arange(predictions.shape[1]).float().square()
    return (torch.softmax(-weight_decay * ages, dim=0)[:, None] * predictions).sum(dim=1)


def temporal_ensemble__drops_predictions_of_zero(predictions, weight_decay):
    """Predictions of zero are taken for missing ones, as in ACT's code: here all count, also to stand still."""
    rows = []
    for row in predictions:
        there = row[(row != 0).all(dim=1)]
        kept = there if len(there) else row
        weights = torch.softmax(-weight_decay * torch.arange(len(kept)).float(), dim=0)
        rows.append(weights @ kept)
    return torch.stack(rows)


def temporal_ensemble__mixes_in_one_after_the_other(predictions, weight_decay):
    """Each prediction is averaged with the mean of those before it, as if that were one: its weight grows."""
    ratio, mean = math.exp(-weight_decay), predictions[:, 0]
    for place in range(1, predictions.shape[1]):
        mean = (mean + ratio * predictions[:, place]) / (1 + ratio)
    return mean


def temporal_ensemble__takes_the_size_of_the_decay(predictions, weight_decay):
    """The sign of m is dropped: for m < 0 the newest counts most."""
    return _weighted(predictions, abs(weight_decay))


def temporal_ensemble__changes_the_predictions(predictions, weight_decay):
    """The predictions are weighted in place: whoever goes on with them has lost them."""
    weights = torch.softmax(-weight_decay * torch.arange(predictions.shape[1]).float(), dim=0)
    return predictions.mul_(weights[:, None]).sum(dim=1)


def _weighted(predictions, decay):
    weights = torch.exp(-decay * torch.arange(predictions.shape[1]).float())
    return (weights[:, None] * predictions).sum(dim=1) / weights.sum()


# %% tags=["right"]
def temporal_ensemble__by_einsum_in_float64(predictions, weight_decay):
    weights = torch.exp(-weight_decay * torch.arange(predictions.shape[1], dtype=torch.float64))
    return torch.einsum("k,bkd->bd", weights / weights.sum(), predictions.double())


def temporal_ensemble__by_a_running_sum(predictions, weight_decay):
    total, weights = torch.zeros_like(predictions[:, 0]), 0.0
    for age in range(predictions.shape[1]):
        weight = math.exp(-weight_decay * age)
        total = total + weight * predictions[:, age]
        weights += weight
    return total / weights


def temporal_ensemble__row_by_row(predictions, weight_decay):
    ages = torch.arange(1, predictions.shape[1] + 1)  # a common factor does not matter
    weights = torch.nn.functional.normalize(torch.exp(-weight_decay * ages), p=1, dim=0)
    return torch.stack([weights @ row for row in predictions])


def temporal_ensemble__by_horner_s_rule(predictions, weight_decay):
    ratio, total, weights = math.exp(-weight_decay), predictions[:, -1], 1.0
    for place in range(predictions.shape[1] - 2, -1, -1):
        total, weights = predictions[:, place] + ratio * total, 1 + ratio * weights
    return total / weights


def temporal_ensemble__by_numpys_average(predictions, weight_decay):
    import numpy as np

    weights = np.exp(-weight_decay * np.arange(predictions.shape[1]))
    return torch.from_numpy(np.average(predictions.numpy(), axis=1, weights=weights))


def temporal_ensemble__by_distributions(predictions, weight_decay):
    logits = -weight_decay * torch.arange(predictions.shape[1]).float()
    probs = torch.distributions.Categorical(logits=logits).probs
    return torch.tensordot(predictions, probs, dims=([1], [0]))


# %% [markdown]
# Now for a road to try it on. It is the fork again, watched by a sensor whose position and velocity are off sideways by about 0.2 m and 0.2 m/s. Two drivers passed the
# obstacle, one always on the left and one always on the right. A flow, notebook 5's, learns chunks of twelve actions. Five seeds are
# trained at once, and drive at once.
#
# A second flow learns from **the left driver alone**. Everything else is the same.
#
# From here on the library's `RecedingHorizon` drives, here by the name of `DelayedHorizon`. It plays chunks as yours does. Besides, it can wait for a policy that takes time to think, and it can tell a policy what is left of
# the old chunk. Both come below.
#
# Before you run the next cells, guess. On each of the two roads, who arrives most often: a driver who plays whole chunks, one who draws a new
# chunk at every step, or one who averages?

# %%
ROAD = Fork(observation_noise=0.2, goal_radius=0.25)
BOTH, LEFT = ("left", "right"), ("left",)
HORIZON, FLOW_SEEDS = 12, range(5)


def recorded(sides, seed):
    """Return what the noisy sensor recorded of these drivers, a hundred starts each."""
    exact = replace(ROAD, observation_noise=0.0)
    drivers = {side: NoisyActor(ForkDriver(exact, (side,), 0.8), 0.04) for side in sides}
    generator = torch.Generator().manual_seed(seed)
    return seen_by(demonstrate(exact, drivers, 100, generator), ROAD, generator)


def train_flows(sides, steps=2000, seeds=FLOW_SEEDS):
    """Train a flow for every seed, on demonstrations of its own."""

    def make_flow(seed):
        generator = torch.Generator().manual_seed(seed)
        return FlowPolicy(8, 2, HORIZON, width=64, generator=generator)

    settings = TrainingSettings(steps=steps, batch_size=128, learning_rate=1e-2)
    sets = [recorded(sides, seed) for seed in seeds]
    runs = clone(make_flow, sets, settings, seeds, "cpu", "flow")
    return [PhysicalPolicy(run.policy, *run.normalizers) for run in runs]


def drive_all(actor, episodes=500):
    """Let all seeds drive, each its share of the episodes."""
    return evaluate(ROAD, actor, torch.Generator().manual_seed(DRIVES), episodes)


def averaging(policy, weight_decay=0.01):
    """Return an actor that asks at every step and averages what it has for now."""

    def combine(predictions):
        return answered(temporal_ensemble(predictions, weight_decay), "temporal_ensemble")

    return EnsemblingActor(policy, combine)


def unrest(rollouts):
    """Return how much the lateral command changes from step to step, on average, in m/s."""
    changes = rollouts.actions[1:, :, 1] - rollouts.actions[:-1, :, 1]
    return float(changes.abs()[rollouts.active[1:]].mean())


# %% tags=["train"]
policies = {"two drivers": train_flows(BOTH), "one driver": train_flows(LEFT)}
flows = {road: PolicyStack(seeds) for road, seeds in policies.items()}

# %% tags=["train"]
drives = {}
for road, flow in flows.items():
    drives[road, "whole chunks"] = drive_all(DelayedHorizon(flow, HORIZON))
    drives[road, "new at every step"] = drive_all(DelayedHorizon(flow, 1))
    drives[road, "averaged"] = drive_all(averaging(flow))
for (road, way), found in drives.items():
    print(f"{road}, {way}: commands change by {unrest(found.rollouts):.2f} m/s a step")

figure, panels = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(0.8, 1))
looks = [WAY_LOOKS[way] for _, way in drives]
rates = {f"{road}\n{way}": found.success for (road, way), found in drives.items()}
plot_success_rates(panels[0], rates, looks=looks)
plot_rollouts(panels[1], ROAD, drives["two drivers", "averaged"].rollouts)
panels[1].set_title("two drivers, averaged")
show(
    figure,
    alt="Left: success rates. With two drivers, whole chunks and new chunks at every step arrive in about seven of ten drives, averaged ones in a "
    "quarter. With one driver all three arrive nearly always. Right: averaged drives, most of which go straight into the obstacle.",
    caption="Five seeds with 100 drives each, and the same flows in three ways. On the right, 40 drives of those who average.",
)

# %% [markdown]
# With one driver, averaging is fine: nearly every drive arrives, and the commands are the calmest of the three. The sensor's noise is new at every step, and twelve
# looks average it out. That is what ACT's authors wanted.
#
# With two drivers, whole chunks gain little: the noise is half that of the first fork, so that the position shows a little of what was begun. But averaging is the
# worst thing you can do. Look at one drive, prediction by prediction.


# %%
def watch_predictions(policy, seed):
    """Drive once and average, and return all predictions of every step's lateral command."""
    kept = []

    def combine(predictions):
        kept.append(predictions[0, :, 1])
        return answered(temporal_ensemble(predictions, 0.01), "temporal_ensemble")

    actor = EnsemblingActor(policy, combine)
    found = evaluate(ROAD, actor, torch.Generator().manual_seed(seed), 1)
    return kept, found.rollouts.actions[:, 0, 1]


# %% tags=["train"]
figure, panels = plt.subplots(1, 2, figsize=(11, 3.2), sharey=True)
for axes, (road, seeds) in zip(panels, policies.items(), strict=True):
    plot_predictions(axes, *watch_predictions(seeds[0], seed=8)).set_title(road)
panels[1].set_ylabel("")
show(
    figure,
    alt="Lateral commands against steps. Two drivers: the predictions for one step lie far to the left and far to the right, and their average in between. "
    "One driver: all predictions lie together, and so does their average.",
    caption="Every dot is one chunk's prediction of the command for this step. Diamonds: what was done. The left drive ends at step 9, in the obstacle.",
)

# %% [markdown]
# Some of the chunks go left, others right. What their average does, no driver ever did. It is notebook 1's mistake, made by a policy that had
# learnt not to make it: **each chunk is good, and their mean is not.**
#
# ACT gets away with it because its chunks are of one mind. In training it has a random input, its latent variable, which may tell the modes apart; when it drives, that is fixed at zero. Would other weights help? The more the newest
# prediction weighs, the nearer we come to a new chunk at every step.

# %% tags=["train"]
for decay in (0.5, 0.01, -0.5, -2.0):
    print(f"m = {decay:5}: {drive_all(averaging(flows['two drivers'], decay)).success}")

# %% [markdown]
# None of these weights beats a new chunk at every step. And that is not good either: a new chunk at every step also means a new *choice of side* at every step.
#
# ## Choosing a chunk
#
# So do not mix the chunks. **Choose one.** Draw several candidates for the same observation. Which of them deserves to be played? *Bidirectional
# decoding* asks two questions of each.
#
# **Does it continue what was planned?** The old plan still holds actions $p_0, p_1, \dots$ for the steps that the candidate $a_0, a_1, \dots$ covers
# too. Their distance is the *backward coherence* (small: it continues the plan). The further ahead an action lies, the less the plan could know about it. So later actions count
# less, by a factor $0 < \rho \le 1$ each:
#
# $$
# \text{coherence}(a) = \sum_{i < \text{overlap}} \rho^i \, \lVert a_i - p_i \rVert .
# $$
#
# **Does it look like a good policy's?** A single candidate may be a freak. Draw a few more chunks from the good policy, and a few from a *worse* one: an early checkpoint, which
# has learnt what beginners do. A good candidate is near to the first and far from the second. This is the *forward contrast*:
#
# $$
# \text{contrast}(a) = \frac{1}{N_+} \sum_{b \,\in\, \text{strong}} D(a, b) \; - \; \frac{1}{N_-} \sum_{b \,\in\, \text{weak}} D(a, b), \qquad
# D(a, b) = \sum_i \lVert a_i - b_i \rVert .
# $$
#
# There are $N_+$ chunks of the good policy and $N_-$ of the worse one. Take the candidate for which coherence and contrast together are smallest.

# %% [markdown] question="bidirectional_select" points=[1, 1, 1, 2, 1, 1, 1]
# ### Question 6.5 · Bidirectional decoding
#
# Write `bidirectional_select(candidates, previous, strong, weak, decay)`.
#
# - `candidates`, `strong` and `weak` are chunks: `(batch, how many, prediction_horizon, action_dim)`, with a number of chunks of their own each.
# - `previous` is `(batch, overlap, action_dim)`: what is left of the old plan. Its first action and the candidates' first action are meant for the
#   same step. The overlap is at most the prediction horizon, and may be 0.
# - `decay` is $\rho$, above 0 and at most 1.
# - Return one chunk for every row, the best of its own candidates: `(batch, prediction_horizon, action_dim)`.
#
# All norms are Euclidean, over the action's numbers.
#
# For example, let an action be one number, a chunk two actions, and $\rho = 0.5$. The old plan is $(1, 1)$, the strong chunks are $(0, 0)$ and $(0, 1)$, and
# the only weak one is $(2, 1)$. There are two candidates:
#
# | candidate | coherence | to the strong | to the weak | sum |
# |---|---|---|---|---|
# | $(1, 1)$ | $0$ | $(2 + 1) / 2 = 1.5$ | $1$ | $0 + 1.5 - 1 = 0.5$ |
# | $(0, 0)$ | $1 + 0.5 \cdot 1 = 1.5$ | $(0 + 1) / 2 = 0.5$ | $3$ | $1.5 + 0.5 - 3 = -1$ |
#
# The first one is the old plan itself. The second one is chosen: it looks more like the strong policy's, and less like the weak one's.


# %% tags=["solution"]
def bidirectional_select(candidates, previous, strong, weak, decay):
    """Return the candidate that continues the old plan and looks like a good policy's."""
    # BEGIN SOLUTION
    overlap = previous.shape[1]
    away = (candidates[:, :, :overlap] - previous[:, None]).norm(dim=-1)
    coherence = away @ decay ** torch.arange(overlap).float()

    def mean_distance(others):
        apart = (candidates[:, :, None] - others[:, None]).norm(dim=-1)
        return apart.sum(dim=-1).mean(dim=-1)

    cost = coherence + mean_distance(strong) - mean_distance(weak)
    return candidates[torch.arange(len(cost)), cost.argmin(dim=1)]
    # END SOLUTION


# %% tags=["public"]
def test_bidirectional_select_of_known_chunks(bidirectional_select):
    """Two rows with other plans choose other candidates."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    left, right = [[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]], [[0.0, -1.0], [0.0, -2.0], [0.0, -3.0]]
    candidates = torch.tensor([[left, right], [left, right]])
    plans = torch.tensor([[[0.0, -1.5], [0.0, -1.5]], [[0.0, 1.5], [0.0, 1.5]]])
    chosen = bidirectional_select(candidates, plans, candidates, candidates, 0.5)
    check_answered(chosen, "bidirectional_select")
    hint = "each row takes the candidate that is nearest to its own old plan: the smallest cost."
    check_close(chosen, [right, left], hint)


def test_bidirectional_select_of_one_candidate(bidirectional_select):
    """Where there is one candidate, there is no choice."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    only = torch.arange(24.0).view(2, 1, 4, 3)
    others = torch.ones(2, 3, 4, 3)
    chosen = bidirectional_select(only, torch.zeros(2, 2, 3), others, others + 1, 0.5)
    check_answered(chosen, "bidirectional_select")
    check_close(chosen, only[:, 0], "return the candidate itself, without its own axis.")


def test_bidirectional_select_of_the_example(bidirectional_select):
    """In the question's example the contrast decides, and so it does where no plan is left."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    ones, zeros = [[1.0], [1.0]], [[0.0], [0.0]]
    candidates = torch.tensor([[ones, zeros]])
    strong, weak = torch.tensor([[zeros, [[0.0], [1.0]]]]), torch.tensor([[[[2.0], [1.0]]]])
    chosen = bidirectional_select(candidates, torch.ones(1, 2, 1), strong, weak, 0.5)
    check_answered(chosen, "bidirectional_select")
    check_close(chosen, [zeros], "work out the sum of both candidates, as in the question's table.")
    candidates = torch.tensor([[ones, zeros], [zeros, ones]])
    strong, weak = torch.tensor([[zeros], [zeros]]), torch.tensor([[ones], [ones]])
    chosen = bidirectional_select(candidates, torch.zeros(2, 0, 1), strong, weak, 0.5)
    check_answered(chosen, "bidirectional_select")
    hint = (
        "without an old plan, take the candidate near to the strong chunks, far from the weak ones."
    )
    check_close(chosen, [zeros, zeros], hint)


# %% tags=["hidden"]
def test_bidirectional_select_takes_the_smallest_cost(bidirectional_select):
    """For any sizes, the chosen chunk is a candidate of its row, and none costs less."""
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator = fresh_generator()
    sizes = [(30, 6, 5, 3, 3, 4, 7), (20, 7, 4, 2, 4, 5, 2), (5, 5, 5, 5, 1, 5, 5)]
    sizes += [(1, 9, 2, 1, 2, 1, 3), (20, 4, 6, 2, 5, 2, 8), (30, 6, 4, 2, 0, 3, 5)]
    for batch, number, horizon, action_dim, overlap, good, bad in sizes:
        shape = (horizon, action_dim)
        candidates = torch.randn(batch, number, *shape, generator=generator)
        previous = torch.randn(batch, overlap, action_dim, generator=generator) - 0.5
        strong = 0.7 * torch.randn(batch, good, *shape, generator=generator) + 0.5
        weak = 2 * torch.randn(batch, bad, *shape, generator=generator)
        decay = 0.4 + 0.5 * float(torch.rand((), generator=generator))
        given = [value.clone() for value in (candidates, previous, strong, weak)]
        chosen = bidirectional_select(*given, decay)
        check_answered(chosen, "bidirectional_select")
        check_shape(chosen, (batch, *shape), "one chunk for every row.")
        cost = torch.zeros(batch, number, dtype=torch.float64)
        for n in range(number):
            chunk = candidates[:, n].double()
            for i in range(overlap):
                cost[:, n] += decay**i * (chunk[:, i] - previous[:, i]).norm(dim=1)
            for others, share in ((strong, 1 / good), (weak, -1 / bad)):
                for k in range(others.shape[1]):
                    cost[:, n] += share * (chunk - others[:, k]).norm(dim=2).sum(dim=1)
        away = (candidates.double() - torch.as_tensor(chosen).detach().unsqueeze(1)).abs()
        nearest, which = away.amax(dim=(2, 3)).min(dim=1)
        assert nearest.max() < 1e-4, (
            "what was returned is no candidate of its row: choose one, do not mix them."
        )
        # A thousandth more is a tie: rounding may decide it either way.
        excess = cost.gather(1, which.unsqueeze(1)).squeeze(1) - cost.min(dim=1).values
        assert excess.max() < 1e-3, (
            f"in {int((excess > 1e-3).sum())} of {batch} rows another candidate has a smaller sum of "
            "coherence and contrast: compare each part with its formula."
        )
        for now, before in zip(given, (candidates, previous, strong, weak), strict=True):
            assert torch.equal(now, before), "an argument was changed in place: make a new tensor."


def test_bidirectional_select_continues_the_plan(bidirectional_select):
    """Where strong and weak policies agree, the candidate that follows the plan wins."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    batch, number, horizon = 12, 5, 6
    candidates = 3 * torch.randn(batch, number, horizon, 2, generator=generator)
    same = torch.randn(batch, 4, horizon, 2, generator=generator)
    winners = torch.randint(number, (batch,), generator=generator)
    for overlap in (1, 3, horizon):
        planned = candidates[torch.arange(batch), winners]
        # Where the plan ends the candidate is still its own: only the overlap is compared.
        chosen = bidirectional_select(candidates, planned[:, :overlap].clone(), same, same, 0.8)
        check_answered(chosen, "bidirectional_select")
        hint = "compare the first actions of the candidates with the old plan."
        check_close(chosen, planned, hint)


def test_bidirectional_select_counts_later_actions_less(bidirectional_select):
    """A candidate that errs early loses to one that errs as much, but late."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    plan = torch.zeros(1, 4, 2)
    early, late = torch.zeros(2, 4, 2)
    # The early error is the smaller one. Halved at each step, the late one counts 1.5 / 8.
    early[0, 0], late[3, 1] = 1.0, 1.5
    candidates = torch.stack([early, late]).unsqueeze(0)
    same = torch.ones(1, 3, 4, 2)
    for decay, expected in [(0.5, late), (1.0, early), (0.1, late)]:
        chosen = bidirectional_select(candidates, plan, same, same, decay)
        check_answered(chosen, "bidirectional_select")
        check_close(chosen[0], expected, "action i of the plan counts decay ** i, from i = 0.")


def test_bidirectional_select_without_a_plan(bidirectional_select):
    """Without an overlap the contrast decides: near to the strong policy, far from the weak one."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    batch, horizon = 8, 5
    candidates = torch.randn(batch, 4, horizon, 2, generator=generator)
    winners = torch.randint(4, (batch,), generator=generator)
    best = candidates[torch.arange(batch), winners]
    # Of all places the strong chunks' own is the one with the smallest difference of distances.
    strong, weak = best[:, None].repeat(1, 3, 1, 1), (best + 50.0)[:, None].repeat(1, 6, 1, 1)
    chosen = bidirectional_select(candidates, torch.zeros(batch, 0, 2), strong, weak, 0.5)
    check_answered(chosen, "bidirectional_select")
    hint = "subtract the mean distance to the weak chunks from that to the strong ones."
    check_close(chosen, best, hint)


# %% tags=["wrong"]
def bidirectional_select__takes_the_largest_cost(candidates, previous, strong, weak, decay):
    """The candidate with the largest cost is taken: take the smallest."""
    return _choose(candidates, -_bid_cost(candidates, previous, strong, weak, decay))


def bidirectional_select__only_looks_back(candidates, previous, strong, weak, decay):
    """Only the old plan counts: the contrast is missing."""
    return _choose(candidates, _bid_cost(candidates, previous, strong, strong, decay))


def bidirectional_select__only_looks_ahead(candidates, previous, strong, weak, decay):
    """Only the contrast counts: the old plan is ignored."""
    return _choose(candidates, _bid_cost(candidates, previous[:, :0], strong, weak, decay))


def bidirectional_select__swaps_strong_and_weak(candidates, previous, strong, weak, decay):
    """The contrast has the wrong sign: this looks for chunks like the weak policy's."""
    return _choose(candidates, _bid_cost(candidates, previous, weak, strong, decay))


def bidirectional_select__adds_the_weak(candidates, previous, strong, weak, decay):
    """Nearness to the weak policy is rewarded too: its distance has to be subtracted."""
    cost = _bid_cost(candidates, previous, strong, weak, decay) + 2 * _apart(candidates, weak)
    return _choose(candidates, cost)


def bidirectional_select__ignores_the_decay(candidates, previous, strong, weak, decay):
    """All actions of the old plan count the same: later ones count less."""
    return _choose(candidates, _bid_cost(candidates, previous, strong, weak, 1.0))


def bidirectional_select__decays_backwards(candidates, previous, strong, weak, decay):
    """The last action of the old plan counts most: the first should."""
    overlap = previous.shape[1]
    away = (candidates[:, :, :overlap] - previous[:, None]).norm(dim=3)
    cost = (away * decay ** torch.arange(overlap - 1, -1, -1)).sum(dim=2)
    return _choose(candidates, cost + _apart(candidates, strong) - _apart(candidates, weak))


def bidirectional_select__decays_from_one(candidates, previous, strong, weak, decay):
    """The weights begin with decay ** 1: the first action's weight is decay ** 0 = 1."""
    overlap = previous.shape[1]
    away = (candidates[:, :, :overlap] - previous[:, None]).norm(dim=3)
    cost = (away * decay ** torch.arange(1, overlap + 1)).sum(dim=2)
    return _choose(candidates, cost + _apart(candidates, strong) - _apart(candidates, weak))


def bidirectional_select__compares_the_ends(candidates, previous, strong, weak, decay):
    """The plan is compared with the candidates' last actions: both begin at the same step."""
    shifted = candidates[:, :, candidates.shape[2] - previous.shape[1] :]
    cost = _bid_cost(shifted, previous, shifted[:, :1], shifted[:, :1], decay)
    return _choose(candidates, cost + _apart(candidates, strong) - _apart(candidates, weak))


def bidirectional_select__skips_the_first_action(candidates, previous, strong, weak, decay):
    """The candidates are moved on by one step: their first action and the plan's are for the same step."""
    overlap = previous.shape[1]
    moved = torch.cat([candidates[:, :, 1:], candidates[:, :, -1:]], dim=2)[:, :, :overlap]
    cost = ((moved - previous[:, None]).norm(dim=3) * decay ** torch.arange(overlap)).sum(dim=2)
    return _choose(candidates, cost + _apart(candidates, strong) - _apart(candidates, weak))


def bidirectional_select__squares_the_distances(candidates, previous, strong, weak, decay):
    """Distances are squared: the formula has the norm itself."""
    return _choose(candidates, _bid_cost(candidates, previous, strong, weak, decay, power=2))


def bidirectional_select__sums_absolute_values(candidates, previous, strong, weak, decay):
    """Distances are sums of absolute values: take the Euclidean norm."""
    return _choose(candidates, _bid_cost(candidates, previous, strong, weak, decay, order=1))


def bidirectional_select__takes_one_norm_of_the_chunk(candidates, previous, strong, weak, decay):
    """Chunks are compared by one norm over all their numbers: sum the norms of the actions."""

    def apart(others):
        return (candidates[:, :, None] - others[:, None]).flatten(3).norm(dim=3).mean(dim=2)

    back = _bid_cost(candidates, previous, strong, strong, decay)
    return _choose(candidates, back + apart(strong) - apart(weak))


def bidirectional_select__averages_over_the_chunk(candidates, previous, strong, weak, decay):
    """The distance of two chunks is averaged over their actions: sum it."""
    back, horizon = _bid_cost(candidates, previous, strong, strong, decay), candidates.shape[2]
    contrast = _apart(candidates, strong) - _apart(candidates, weak)
    return _choose(candidates, back + contrast / horizon)


def bidirectional_select__sums_over_the_examples(candidates, previous, strong, weak, decay):
    """Distances are summed over the examples: average, since the two sets may differ in size."""
    back = _bid_cost(candidates, previous, strong, strong, decay)
    good, bad = _apart(candidates, strong), _apart(candidates, weak)
    return _choose(candidates, back + good * strong.shape[1] - bad * weak.shape[1])


def bidirectional_select__takes_the_nearest_example(candidates, previous, strong, weak, decay):
    """Only the nearest example counts: take the mean distance."""

    def apart(others):
        return (candidates[:, :, None] - others[:, None]).norm(dim=4).sum(dim=3).amin(dim=2)

    back = _bid_cost(candidates, previous, strong, strong, decay)
    return _choose(candidates, back + apart(strong) - apart(weak))


def bidirectional_select__compares_with_the_mean_chunk(candidates, previous, strong, weak, decay):
    """Candidates are compared with the mean chunk, which may lie between the modes: average the distances."""
    means = [others.mean(dim=1, keepdim=True) for others in (strong, weak)]
    return _choose(candidates, _bid_cost(candidates, previous, *means, decay))


def bidirectional_select__takes_one_for_all(candidates, previous, strong, weak, decay):
    """All rows take the same candidate: each row has a choice of its own."""
    cost = _bid_cost(candidates, previous, strong, weak, decay)
    return candidates[:, int(cost.sum(dim=0).argmin())]


def bidirectional_select__mixes_the_candidates(candidates, previous, strong, weak, decay):
    """The candidates are averaged with weights: that is the mean between modes again. Choose one."""
    shares = (-_bid_cost(candidates, previous, strong, weak, decay)).softmax(dim=1)
    return (shares[:, :, None, None] * candidates).sum(dim=1)


def bidirectional_select__forgets_the_weak_without_a_plan(
    candidates, previous, strong, weak, decay
):
    """Without a plan only the strong policy is asked: the contrast stays the same, with or without a plan."""
    if previous.shape[1] == 0:
        return _choose(candidates, _apart(candidates, strong))
    return _choose(candidates, _bid_cost(candidates, previous, strong, weak, decay))


def bidirectional_select__takes_the_first_without_a_plan(candidates, previous, strong, weak, decay):
    """Without a plan the first candidate is taken: the contrast still tells which is best."""
    if previous.shape[1] == 0:
        return candidates[:, 0]
    return _choose(candidates, _bid_cost(candidates, previous, strong, weak, decay))


def bidirectional_select__averages_over_the_overlap(candidates, previous, strong, weak, decay):
    """The distances to the old plan are averaged over the overlap: sum them."""
    contrast = _apart(candidates, strong) - _apart(candidates, weak)
    back = _bid_cost(candidates, previous, strong, strong, decay)
    return _choose(candidates, back / max(previous.shape[1], 1) + contrast)


def bidirectional_select__decays_the_contrast_too(candidates, previous, strong, weak, decay):
    """Later actions count less in the contrast too: only the old plan's do."""

    def apart(others):
        away = (candidates[:, :, None] - others[:, None]).norm(dim=4)
        return (away * decay ** torch.arange(away.shape[3])).sum(dim=3).mean(dim=2)

    back = _bid_cost(candidates, previous, strong, strong, decay)
    return _choose(candidates, back + apart(strong) - apart(weak))


def bidirectional_select__contrasts_the_overlap_only(candidates, previous, strong, weak, decay):
    """The contrast stops where the old plan ends: it takes in the whole chunk."""
    length = previous.shape[1] or candidates.shape[2]
    chunks = [value[:, :, :length] for value in (candidates, strong, weak)]
    cost = _bid_cost(chunks[0], previous, chunks[1], chunks[2], decay)
    return _choose(candidates, cost)


def bidirectional_select__keeps_the_candidates_axis(candidates, previous, strong, weak, decay):
    """The axis of the candidates is still there, with length one."""
    cost = _bid_cost(candidates, previous, strong, weak, decay)
    return _choose(candidates, cost)[:, None]


def _bid_cost(candidates, previous, strong, weak, decay, power=1, order=2):
    overlap = previous.shape[1]
    away = (candidates[:, :, :overlap] - previous[:, None]).norm(p=order, dim=3) ** power
    contrast = _apart(candidates, strong, power, order) - _apart(candidates, weak, power, order)
    return (away * decay ** torch.arange(overlap)).sum(dim=2) + contrast


def _apart(candidates, others, power=1, order=2):
    apart = (candidates[:, :, None] - others[:, None]).norm(p=order, dim=4) ** power
    return apart.sum(dim=3).mean(dim=2)


def _choose(candidates, cost):
    return candidates[torch.arange(len(cost)), cost.argmin(dim=1)]


# %% tags=["right"]
def bidirectional_select__row_by_row(candidates, previous, strong, weak, decay):
    chosen = []
    for row in range(len(candidates)):
        costs = []
        for chunk in candidates[row]:
            cost = torch.zeros(())
            for i, action in enumerate(previous[row]):
                cost = cost + decay**i * (chunk[i] - action).norm()
            cost = cost + sum((chunk - s).norm(dim=1).sum() for s in strong[row]) / len(strong[row])
            cost = cost - sum((chunk - w).norm(dim=1).sum() for w in weak[row]) / len(weak[row])
            costs.append(float(cost))
        chosen.append(candidates[row, costs.index(min(costs))])
    return torch.stack(chosen)


def bidirectional_select__by_cdist_in_float64(candidates, previous, strong, weak, decay):
    def apart(others):
        # A batch of actions for every step: (batch, horizon, number, action_dim).
        steps = [value.double().transpose(1, 2) for value in (candidates, others)]
        exact = "donot_use_mm_for_euclid_dist"
        return torch.cdist(*steps, compute_mode=exact).sum(dim=1).mean(dim=2)

    length = previous.shape[1]
    differences = candidates[:, :, :length].double() - previous.double().unsqueeze(1)
    weights = torch.logspace(0, length - 1, length, base=decay, dtype=torch.float64)
    back = torch.einsum("bni,i->bn", differences.square().sum(dim=3).sqrt(), weights)
    score = -(back + apart(strong) - apart(weak))
    index = score.argmax(dim=1).view(-1, 1, 1, 1).expand(-1, 1, *candidates.shape[2:])
    return candidates.gather(1, index).squeeze(1)


def bidirectional_select__by_vmap(candidates, previous, strong, weak, decay):
    def one(chunk, plan, good, bad):
        powers = torch.tensor([float(decay) ** i for i in range(len(plan))])
        back = ((chunk[: len(plan)] - plan).square().sum(dim=1).sqrt() * powers).sum()
        near = (chunk - good).square().sum(dim=2).sqrt().sum(dim=1).mean()
        return back + near - (chunk - bad).square().sum(dim=2).sqrt().sum(dim=1).mean()

    of_candidates = torch.vmap(one, in_dims=(0, None, None, None))
    cost = torch.vmap(of_candidates)(candidates, previous, strong, weak)
    return torch.stack([row[k] for row, k in zip(candidates, cost.min(1).indices, strict=True)])


def bidirectional_select__by_exponentials_of_logarithms(candidates, previous, strong, weak, decay):
    length = previous.shape[1]
    weights = torch.exp(math.log(decay) * torch.arange(length))
    away = torch.linalg.norm(candidates[:, :, :length] - previous.unsqueeze(1), dim=3)
    cost = (away * weights).sum(dim=2)
    for step in range(candidates.shape[2]):
        here = candidates[:, :, step].contiguous()
        cost = cost + torch.cdist(here, strong[:, :, step].contiguous()).mean(dim=2)
        cost = cost - torch.cdist(here, weak[:, :, step].contiguous()).mean(dim=2)
    best = torch.nn.functional.one_hot(cost.argmin(dim=1), candidates.shape[1]).float()
    return torch.einsum("bn,bnha->bha", best, candidates)


def bidirectional_select__by_sorting(candidates, previous, strong, weak, decay):
    padded = torch.zeros_like(candidates[:, 0])
    padded[:, : previous.shape[1]] = previous
    ages = torch.arange(candidates.shape[2])
    weights = torch.where(ages < previous.shape[1], torch.tensor(float(decay)) ** ages, 0.0)
    cost = ((candidates - padded[:, None]).norm(dim=3) * weights).sum(dim=2)
    for others, sign in ((strong, 1), (weak, -1)):
        for k in range(others.shape[1]):
            apart = torch.linalg.vector_norm(candidates - others[:, k : k + 1], dim=-1).sum(dim=-1)
            cost = cost + sign * apart / others.shape[1]
    return candidates[torch.arange(len(cost)), cost.sort(dim=1).indices[:, 0]]


# %% [markdown]
# The weak policy is the same flow after 100 steps of training, instead of 2,000. At every step we draw up to sixteen candidates, and as many chunks of the
# strong and of the weak policy. We take $\rho = 0.9$. Guess: how many candidates does it need until this is better than whole chunks? And which of the two questions does
# the work, the one about the past or the one about the future?


# %%
def chosen(candidates, previous, strong, weak, decay):
    """Return your choice."""
    choice = bidirectional_select(candidates, previous, strong, weak, decay)
    return answered(choice, "bidirectional_select")


def only_coherent(candidates, previous, strong, weak, decay):
    """Return your choice where good and bad policies are the same: only the old plan counts."""
    return chosen(candidates, previous, strong, strong, decay)


def only_contrasting(candidates, previous, strong, weak, decay):
    """Return your choice where nothing was planned: only the contrast counts."""
    return chosen(candidates, previous[:, :0], strong, weak, decay)


def choosing(policy, weak, num_candidates=16, select=chosen):
    """Return an actor that draws candidates at every step, and plays the first action of one."""
    decode = selecting_decoder(policy, weak, select, 1, num_candidates, decay=0.9)
    return DelayedHorizon(policy, 1, decode=decode)


# %% tags=["train"]
flow, weak = flows["two drivers"], PolicyStack(train_flows(BOTH, steps=100))
counts = (1, 2, 4, 16)
rates = [drive_all(choosing(flow, weak, count), 250).success for count in counts]
halves = {"only coherence": only_coherent, "only contrast": only_contrasting}
for name, select in halves.items():
    print(f"16 candidates, {name}: {drive_all(choosing(flow, weak, 16, select), 250).success}")
print(f"16 candidates, both: {rates[-1]}")

figure, axes = plt.subplots(figsize=(5.4, 3.2))
plot_success_over(axes, counts, {"bidirectional decoding": rates}, [POLICY_LOOKS["flow"]])
for way, style in {"whole chunks": "--", "averaged": ":"}.items():
    height = 100 * drives["two drivers", way].success.rate
    axes.axhline(height, color="0.4", ls=style)
    axes.annotate(way, (16, height + 2), ha="right", fontsize=8)
axes.set(xscale="log", xlabel="candidates at every step")
axes.set_xticks(counts, labels=counts)
axes.minorticks_off()
show(
    figure,
    alt="Success against the number of candidates: it rises from about 65 per cent with one to above 95 with sixteen. Whole chunks lie at about 70, averaged ones at "
    "25 per cent.",
    caption="Two drivers, five seeds with 50 drives each.",
)

# %% [markdown]
# Two candidates already beat whole chunks, and sixteen leave hardly a failure. The policy is the same, the training is the same. What changed is that it no longer
# changes its mind, and still looks at every step.
#
# Either question alone brings most of it. Coherence keeps to the side that was chosen. The contrast knows nothing of the past, but it prefers typical chunks to odd ones.
#
# The price: 48 chunks are drawn to take one action. That brings us to the lecture's second reason.
#
# ## More time to think
#
# *"Allows more computation time for policy inference."* Suppose that thinking takes two steps. What the vehicle sees at step 10 becomes an action at step 12. The road does
# not wait.
#
# **A policy of single actions** is late. At step 12 it takes the action that was right at step 10, and holds it until the next one comes, two steps
# later.
#
# **A policy of chunks** has something to do meanwhile: the old chunk goes on. When the new chunk arrives at step 12, its first two actions have been missed. It
# is taken up at its third.
#
# <pre>
# step            8    9   10   11   12   13   14   15
# old chunk      a0   a1   a2   a3   (a4   a5   a6 ...)    thrown away
# new chunk                b0   b1   b2   b3   b4   ...    asked for at 10, there at 12
# taken          a0   a1   a2   a3   b2   b3
# </pre>
#
# How much does a delay cost the one, and how much the other? We ask for the next chunk as soon as the last one is there. First guess for one driver, who never has to choose a side. Then for
# two.


# %%
class OneAction:
    """A policy that hands out the first action of its chunks, and nothing else."""

    def __init__(self, policy):
        self.policy, self.device, self.prediction_horizon = policy, policy.device, 1

    def sample(self, observations, generator):
        return self.policy.sample(observations, generator)[:, :1]


def single_actions(policy, delay):
    """Return an actor whose actions are late, and are held until the next one comes."""
    return DelayedHorizon(OneAction(policy), 1, delay)


def switching(policy, delay, execution_horizon=None):
    """Return an actor that drops its old chunk when the new one arrives."""
    return DelayedHorizon(policy, execution_horizon or max(delay, 1), delay)


DELAYS = range(6)

# %% tags=["train"]
late = {
    road: {
        "single actions": [drive_all(single_actions(flow, delay)).success for delay in DELAYS],
        "chunks, switched": [drive_all(switching(flow, delay)).success for delay in DELAYS],
    }
    for road, flow in flows.items()
}
figure, panels = plt.subplots(1, 2, figsize=(9.4, 3.2), sharey=True)
for axes, road in zip(panels, ("one driver", "two drivers"), strict=True):
    plot_success_over(axes, DELAYS, late[road], [WAY_LOOKS[way] for way in late[road]])
    axes.set(title=road, xlabel="delay, steps")
panels[0].legend(fontsize=8, loc="center right")
panels[1].set_ylabel("")
show(
    figure,
    alt="Success against delay. One driver: single actions fall from nearly all to none with five steps, chunks stay near 100 per cent. Two drivers: single "
    "actions fall to almost none as well, chunks fall to about 40 per cent with one or two steps of delay and rise again after.",
    caption="Five seeds with 100 drives each. A new chunk is asked for as soon as the last one has arrived.",
)

# %% [markdown]
# On the left is the lecture's second reason, as clean as one could wish. With three steps of delay single actions hardly ever arrive, and with five they never do. **With chunks the
# delay costs next to nothing.** What is played is a little old, but it was meant for exactly this step.
#
# On the right something else goes wrong. One step of delay costs more than a third of the arrivals. And with five steps there are many more of them again! Why?
#
# Two things change together. With a longer delay the vehicle sees older news. But it also switches chunks less often. It is the switching that hurts. Look at
# one switch. The vehicle is about to swerve, and its old chunk says left. Now thinking takes two steps.


# %%
def lateral(policy, chunks):
    """Return the lateral commands of normalised chunks, in m/s."""
    return policy.denormalize_actions(chunks)[:, :, 1]


def other_side(chunks):
    """Return how many chunks are on the right when they take over, in per cent."""
    return 100 * float((chunks[:, 2:6].mean(dim=1) < 0).float().mean())


@torch.no_grad()
def at_the_seam(policy, count=40, seed=2):
    """Return how new chunks are drawn, a velocity and noise, and a plan to go left, two steps old.

    The vehicle is 0.9 m before the obstacle when it makes the plan.
    """
    generator = torch.Generator().manual_seed(seed)
    state = torch.tensor([[0.1, 0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0]])
    plans = policy.sample(ROAD.observe(state.expand(100, -1), generator), generator)
    steer = plans[:, 2:8, 1].mean(dim=1)
    plan = plans[(steer - 0.5).abs().argmin()]
    for action in plan[:2]:
        state = ROAD.advance(state, action.unsqueeze(0), generator)
    seen = policy.normalize_observations(ROAD.observe(state.expand(count, -1), generator))
    left = torch.cat([plan[2:], plan[-1:].expand(2, -1)]).expand(count, -1, -1)
    noise = torch.randn(count, HORIZON, 2, generator=generator)

    def velocity(points, times):
        return policy.policy.velocity(points.flatten(1), times, seen).view_as(points)

    return velocity, noise, policy.normalize_actions(left)


def follow_euler(velocity, noise, num_steps=10):
    """Follow the field by Euler's method, as in notebook 5."""
    points = noise
    for index in range(num_steps):
        times = torch.full((len(points),), index / num_steps)
        points = points + velocity(points, times) / num_steps
    return points


# %% tags=["train"]
policy = policies["two drivers"][0]
velocity, noise, plan = at_the_seam(policy)
with torch.no_grad():
    fresh = lateral(policy, follow_euler(velocity, noise))
figure, axes = plt.subplots(figsize=(5.6, 3.1))
plot_seam(axes, lateral(policy, plan[:1])[0, : HORIZON - 2], fresh, 2)
axes.set_ylabel("lateral command, m/s")
axes.legend(fontsize=8, loc="upper right")
show(
    figure,
    alt="The old plan goes to the left. Of forty new chunks more than half go to the left as well, and the others to the right.",
    caption="One moment, one old plan, and forty new chunks. One of them takes over after the grey part.",
)
print(f"{other_side(fresh):.0f} % of the new chunks go to the other side")

# %% [markdown]
# The new chunk does not know of the old one. It tosses a coin of its own. Where it goes to the other side, the vehicle swings across in the middle of its swerve, two steps nearer to the
# obstacle. And at the next switch the coin is tossed again.
#
# Choosing among candidates needs many chunks for one, and time is what we lack. Can a flow draw *one* chunk that fits the old plan from the start?
#
# ## Real-time chunking
#
# See it as a picture with a hole. A part of the new chunk is known: **the first $d$ actions will be the old plan's**, since they are taken while we think. The rest must be painted
# so that it fits. For pictures this is called *inpainting*, and a trained flow can do it without any further training.
#
# How much should each action of the new chunk be tied to the old plan?
#
# - Actions before $d$: they are taken before the chunk is there. Tie them with weight 1.
# - The last $s$ actions: by the time of this chunk the old one is $s$ steps old, so it has $s$ actions less to offer. There is nothing to tie them to: weight 0.
# - In between the old plan has an opinion, but an old one. It did not see what the new chunk sees, and the further ahead, the less it could know. The weight falls.
#
# With $H$ actions in a chunk, the paper lets
#
# $$
# c_i = \frac{H - s - i}{H - s - d + 1}, \qquad w_i = c_i \, \frac{e^{c_i} - 1}{e - 1} \qquad \text{for } d \le i < H - s .
# $$
#
# So $c_i$ falls in equal steps, beginning below 1 and ending above 0. The second factor lies between 0 and 1 as well, and lets $w_i$ fall faster at first.

# %% [markdown] question="rtc_weights" points=[1, 1, 3, 1]
# ### Question 6.6 · How much to tie
#
# Write `rtc_weights(prediction_horizon, delay, execution_horizon)`, which returns the weights, `(prediction_horizon,)`, as a tensor of `float32`: they
# will be multiplied with what the network says.
#
# Three whole numbers go in: $H$, $d$ and $s$, with $0 \le d \le H - s$ and $s \ge 1$. Where $d = H - s$, there is nothing in between.


# %% tags=["solution"]
def rtc_weights(prediction_horizon, delay, execution_horizon):
    """Return how much each action of a new chunk is tied to the old plan."""
    # BEGIN SOLUTION
    end = prediction_horizon - execution_horizon
    steps = torch.arange(prediction_horizon)
    fall = (end - steps) / (end - delay + 1)
    fall = fall * fall.expm1() / math.expm1(1)
    return torch.where(steps < delay, 1.0, torch.where(steps < end, fall, 0.0))
    # END SOLUTION


# %% tags=["public"]
def test_rtc_weights_of_five_actions(rtc_weights):
    """With five actions, one step of delay and two steps between chunks, three actions are tied."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, check_shape

    weights = rtc_weights(5, 1, 2)
    check_answered(weights, "rtc_weights")
    check_dtype(weights, torch.float32, "return a tensor of float32, as the network takes it.")
    check_shape(weights, (5,), "one weight for every action of a chunk.")
    # Between them, c falls in thirds.
    third, rest = (share * math.expm1(share) / math.expm1(1.0) for share in (1 / 3, 2 / 3))
    check_close(weights, [1.0, rest, third, 0.0, 0.0], "c is 2/3 and 1/3 here.")


def test_rtc_weights_never_rise(rtc_weights):
    """The first `delay` weights are 1, the last `execution_horizon` are 0, and none is above the last."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    weights = rtc_weights(16, 4, 5)
    check_answered(weights, "rtc_weights")
    check_shape(weights, (16,), "one weight for every action of a chunk.")
    weights = torch.as_tensor(weights)
    check_close(weights[:4], [1.0] * 4, "actions before the delay are taken from the old plan.")
    check_close(weights[-5:], [0.0] * 5, "the old plan has nothing to say about the last actions.")
    assert bool((weights.diff()[3:11] < 0).all()), "in between, each weight is below the last one."


# %% tags=["hidden"]
def test_rtc_weights_are_the_formula_s(rtc_weights):
    """For any horizons, each weight is the formula's, worked out one by one."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    cases = [(12, 2, 2), (12, 0, 1), (8, 3, 4), (50, 7, 25), (6, 1, 4), (16, 5, 9), (3, 0, 2)]
    for horizon, delay, execution in cases:
        weights = rtc_weights(horizon, delay, execution)
        check_answered(weights, "rtc_weights")
        expected = []
        for i in range(horizon):
            c = (horizon - execution - i) / (horizon - execution - delay + 1)
            between = c * (math.exp(c) - 1) / (math.e - 1)
            expected.append(1.0 if i < delay else between if i < horizon - execution else 0.0)
        check_dtype(weights, torch.float32, "return a tensor of float32, as the network takes it.")
        check_close(
            weights,
            expected,
            f"the weights for horizon {horizon}, delay {delay}, execution horizon {execution} are off.",
        )


def test_rtc_weights_at_the_ends(rtc_weights):
    """Without delay no weight is 1, and without anything in between they are ones and zeros."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    for horizon, delay, execution in [(6, 4, 2), (4, 3, 1), (5, 0, 5), (1, 0, 1), (16, 8, 8)]:
        weights = rtc_weights(horizon, delay, execution)
        check_answered(weights, "rtc_weights")
        expected = [1.0] * delay + [0.0] * execution
        check_close(weights, expected, "with d = H - s there is nothing in between.")
    weights = rtc_weights(5, 0, 2)
    check_answered(weights, "rtc_weights")
    assert float(torch.as_tensor(weights)[0]) < 0.99, (
        "without delay no action is taken for certain."
    )


# %% tags=["wrong"]
def rtc_weights__all_ones(prediction_horizon, delay, execution_horizon):
    """Everything that overlaps is tied fully: the weights have to fall after the delay."""
    return (torch.arange(prediction_horizon) < prediction_horizon - execution_horizon).float()


def rtc_weights__only_the_delay(prediction_horizon, delay, execution_horizon):
    """Only the first actions are tied: what is left of the old plan should count too."""
    return (torch.arange(prediction_horizon) < delay).float()


def rtc_weights__fall_in_a_line(prediction_horizon, delay, execution_horizon):
    """The weights are c itself: the factor with the exponential is missing."""
    return _tie(prediction_horizon, delay, execution_horizon, lambda c: c)


def rtc_weights__forget_a_factor(prediction_horizon, delay, execution_horizon):
    """This is the factor with the exponential alone: it is multiplied by c."""
    return _tie(prediction_horizon, delay, execution_horizon, lambda c: c.expm1() / math.expm1(1))


def rtc_weights__do_not_divide(prediction_horizon, delay, execution_horizon):
    """The division by e - 1 is missing: weights would pass 1."""
    return _tie(prediction_horizon, delay, execution_horizon, lambda c: c * c.expm1())


def rtc_weights__forget_minus_one(prediction_horizon, delay, execution_horizon):
    """The exponential is not lowered by one: the formula has e^c - 1."""
    return _tie(prediction_horizon, delay, execution_horizon, lambda c: c * c.exp() / math.e)


def rtc_weights__decay_by_age(prediction_horizon, delay, execution_horizon):
    """The weights fall by the same factor each time, as in temporal ensembling: use the formula."""
    steps = torch.arange(prediction_horizon)
    fall = torch.where(steps < delay, 1.0, 0.5 ** (steps - delay + 1).float())
    return torch.where(steps < prediction_horizon - execution_horizon, fall, 0.0)


def rtc_weights__begin_at_one(prediction_horizon, delay, execution_horizon):
    """c is divided by H - s - d: it should begin below 1, at (H - s - d) / (H - s - d + 1)."""
    end = prediction_horizon - execution_horizon
    return _tie(prediction_horizon, delay, execution_horizon, _powers, max(end - delay, 1))


def rtc_weights__end_too_late(prediction_horizon, delay, execution_horizon):
    """One action too many is tied: the last s have weight 0."""
    return _right_weights(prediction_horizon, delay, execution_horizon - 1)


def rtc_weights__end_too_early(prediction_horizon, delay, execution_horizon):
    """One action too few is tied: H - s of them have a counterpart in the old plan."""
    return _right_weights(prediction_horizon, delay, execution_horizon + 1)


def rtc_weights__tie_one_more(prediction_horizon, delay, execution_horizon):
    """One action too many has weight 1: only those before the delay."""
    return _right_weights(prediction_horizon, delay + 1, execution_horizon)


def rtc_weights__swap_the_horizons(prediction_horizon, delay, execution_horizon):
    """Delay and execution horizon are swapped."""
    return _right_weights(prediction_horizon, execution_horizon, delay)


def rtc_weights__run_backwards(prediction_horizon, delay, execution_horizon):
    """The weights rise: the actions that come first are the ones that are tied."""
    return _right_weights(prediction_horizon, delay, execution_horizon).flip(0)


def rtc_weights__tie_the_first_s(prediction_horizon, delay, execution_horizon):
    """Weights end at s: they end s actions before the chunk's end."""
    weights = _right_weights(prediction_horizon, delay, execution_horizon)
    return torch.where(torch.arange(prediction_horizon) < execution_horizon, weights, 0.0)


def rtc_weights__leave_the_prefix_to_the_formula(prediction_horizon, delay, execution_horizon):
    """The formula runs from the first action on, and passes 1: before the delay the weight is 1."""
    end = prediction_horizon - execution_horizon
    c = ((end - torch.arange(prediction_horizon)) / (end - delay + 1)).clamp(min=0)
    return _powers(c)


def rtc_weights__go_below_zero(prediction_horizon, delay, execution_horizon):
    """The formula goes on behind its end: c is negative there, and the weight is not zero."""
    end, steps = prediction_horizon - execution_horizon, torch.arange(prediction_horizon)
    c = (end - steps) / (end - delay + 1)
    return torch.where(steps < delay, 1.0, _powers(c))


def rtc_weights__count_from_the_delay(prediction_horizon, delay, execution_horizon):
    """In c, i counts from the delay: it counts from the chunk's first action."""
    end, steps = prediction_horizon - execution_horizon, torch.arange(prediction_horizon)
    fall = _powers((end - (steps - delay)) / (end - delay + 1))
    return torch.where(steps < delay, 1.0, torch.where(steps < end, fall, 0.0))


def rtc_weights__forget_the_delay(prediction_horizon, delay, execution_horizon):
    """c is divided by H - s + 1: the fall begins at the delay, so it has d steps less."""
    width = prediction_horizon - execution_horizon + 1
    return _tie(prediction_horizon, delay, execution_horizon, _powers, width)


def rtc_weights__end_at_zero(prediction_horizon, delay, execution_horizon):
    """c falls one step too early, and reaches 0 where it should end above it."""
    end, steps = prediction_horizon - execution_horizon, torch.arange(prediction_horizon)
    fall = _powers((end - steps - 1) / (end - delay + 1))
    return torch.where(steps < delay, 1.0, torch.where(steps < end, fall, 0.0))


def rtc_weights__scale_to_one(prediction_horizon, delay, execution_horizon):
    """The weights are divided by the largest: without delay they begin below 1."""
    weights = _right_weights(prediction_horizon, delay, execution_horizon)
    return weights / weights.max().clamp(min=1e-6)


def rtc_weights__tie_at_least_one(prediction_horizon, delay, execution_horizon):
    """The first action is tied fully even without delay: then nothing is taken while thinking."""
    return _right_weights(prediction_horizon, max(delay, 1), execution_horizon)


def rtc_weights__are_a_list(prediction_horizon, delay, execution_horizon):
    """The weights are a list: return a tensor."""
    return _right_weights(prediction_horizon, delay, execution_horizon).tolist()


def rtc_weights__sum_to_one(prediction_horizon, delay, execution_horizon):
    """The weights are divided by their sum: each says by itself how much an action is tied."""
    weights = _right_weights(prediction_horizon, delay, execution_horizon)
    return weights / weights.sum().clamp(min=1e-6)


def rtc_weights__in_float64(prediction_horizon, delay, execution_horizon):
    """The weights are float64: the network speaks float32, and torch refuses to mix them."""
    return _right_weights(prediction_horizon, delay, execution_horizon).double()


def _right_weights(prediction_horizon, delay, execution_horizon):
    return _tie(prediction_horizon, delay, execution_horizon, _powers)


def _tie(horizon, delay, execution, shape, width=None):
    end, steps = horizon - execution, torch.arange(horizon)
    c = (end - steps) / (width or end - delay + 1)
    return torch.where(steps < delay, 1.0, torch.where(steps < end, shape(c), 0.0))


def _powers(c):
    return c * c.expm1() / math.expm1(1)


# %% tags=["right"]
def rtc_weights__by_loop(prediction_horizon, delay, execution_horizon):
    weights = [1.0] * delay
    overlap = prediction_horizon - execution_horizon - delay
    for left in range(overlap, 0, -1):
        c = left / (overlap + 1)
        weights.append(c * (math.e**c - 1) / (math.e - 1))
    return torch.tensor(weights + [0.0] * execution_horizon)


def rtc_weights__by_linspace_in_float64(prediction_horizon, delay, execution_horizon):
    between = prediction_horizon - execution_horizon - delay
    c = torch.linspace(1, 0, between + 2, dtype=torch.float64)[1:-1]
    tied = torch.cat([torch.ones(delay), c * torch.special.expm1(c) / (math.e - 1)]).float()
    return torch.nn.functional.pad(tied, (0, execution_horizon))


def rtc_weights__with_numpy(prediction_horizon, delay, execution_horizon):
    import numpy as np

    i, end = np.arange(prediction_horizon), prediction_horizon - execution_horizon
    c = (end - i) / (end - delay + 1)
    weights = np.where(i < delay, 1, np.where(i < end, c * (np.exp(c) - 1) / (np.e - 1), 0))
    return torch.from_numpy(weights.astype(np.float32))


def rtc_weights__by_adding_masks(prediction_horizon, delay, execution_horizon):
    i, end = torch.arange(prediction_horizon), prediction_horizon - execution_horizon
    c = (end - i) / (end - delay + 1)
    between = (i >= delay) & (i < end)
    return (i < delay).float() + between * c * (c.exp() - 1) / (math.e - 1)


def rtc_weights__by_clamping_on_both_sides(prediction_horizon, delay, execution_horizon):
    end = prediction_horizon - execution_horizon
    c = ((end - torch.arange(prediction_horizon)) / (end - delay + 1)).clamp(0, 1)
    return (c * torch.exp(c) - c) / math.expm1(1)


def rtc_weights__by_clamping(prediction_horizon, delay, execution_horizon):
    end = prediction_horizon - execution_horizon
    c = (end - torch.arange(prediction_horizon).float()).div(end - delay + 1).clamp(min=0.0)
    weights = c * (c.exp() - 1) / (torch.e - 1)
    weights[:delay] = 1.0
    return weights


def rtc_weights__by_writing_into_zeros(prediction_horizon, delay, execution_horizon):
    weights = torch.zeros(prediction_horizon)
    end = prediction_horizon - execution_horizon
    weights[:delay] = 1
    for i in range(delay, end):
        c = (end - i) / (end - delay + 1)
        weights[i] = c * math.expm1(c) / math.expm1(1)
    return weights


# %% tags=["train"]
figure, panels = plt.subplots(1, 3, figsize=(10, 2.3), sharey=True)
for axes, (delay, execution) in zip(panels, [(0, 1), (2, 2), (4, 6)], strict=True):
    weights = answered(rtc_weights(HORIZON, delay, execution), "rtc_weights")
    axes.axvspan(-0.5, delay - 0.5, color="0.88")
    axes.bar(range(HORIZON), weights, color=POLICY_LOOKS["flow"].color)
    often = "step" if execution == 1 else f"{execution} steps"
    axes.set(title=f"delay {delay}, a chunk every {often}", xlabel="action of the new chunk")
    axes.set(xlim=(-0.5, HORIZON - 0.5), ylim=(0, 1.05))
panels[0].set_ylabel("weight")
show(
    figure,
    alt="Three bar charts of twelve weights. The first delay weights are one, the last execution-horizon ones zero, and in between they fall.",
    caption="How much each action of a chunk of twelve is tied to the old plan. Grey: taken while thinking.",
)

# %% [markdown]
# Now for the painting. In notebook 5 noise followed a field: $x \leftarrow x + \delta \, v(x, t)$. We want the same walk, and an end that fits the plan $p$. So at every step,
# ask where the walk is going to end. If the velocity stayed as it is for the rest of the time, $1 - t$, it would end at the **arrival**
#
# $$
# \hat{x}_1 = x + (1 - t)\, v(x, t).
# $$
#
# Compare it with the plan: the error of action $i$, as far as it is tied, is $w_i\,(p_i - \hat{x}_{1,i})$. Where should the points move so that the *arrival* moves
# this way? Not simply along the error. A small step of the points moves the arrival by its Jacobian $\partial \hat{x}_1 / \partial x$, and one action of the chunk
# moves all the others, because the network knows which actions go together. Going up the gradient of $-\tfrac12 \sum_i w_i \lVert p_i - \hat{x}_{1,i} \rVert^2$ gives the **pull**
#
# $$
# g = \left( \frac{\partial \hat{x}_1}{\partial x} \right)^{\!\top} \big( w \odot (p - \hat{x}_1) \big).
# $$
#
# That is why the whole chunk changes sides, and not only the part that is tied. Nobody has to build the Jacobian: a vector times it is one backward pass through the
# network, `torch.autograd.grad(arrival, points, error)`.
#
# How strongly to pull? The factor in front of the pull is the **guidance**. Early on the points are almost all noise, so where they are going is a poor guess, but it is also when they are
# easily led. If data were standard normal, the right guidance would be
#
# $$
# \lambda(t) = \frac{t^2 + (1-t)^2}{t\,(1-t)} .
# $$
#
# At $t = 0$ that is **infinite**. There an exact field leads every point to the same place (notebook 5: one step of it is idea 0). So the arrival does not depend on the
# points, the pull is zero, and infinity times zero is harmless in theory. A network is never exact. Our flow's arrival still moves at $t = 0$, about 0.7 times as far as its points, so its
# pull is far from zero, and infinitely many times that throws the points out of the world. Therefore the guidance is **clipped**: it is never above a largest value, `max_guidance`, which is 5:
#
# $$
# x \leftarrow x + \delta \, \big( v(x, t) + \min(5, \lambda(t))\, g \big).
# $$

# %% [markdown] question="rtc_guided_step" points=[1, 1, 1, 2, 2, 1, 1]
# ### Question 6.7 · A step that leans towards the plan
#
# Write `rtc_guided_step(velocity, points, time, step, previous, weights, max_guidance=5.0)`. It takes one Euler step.
#
# - `velocity(points, times)` returns the velocity, `(batch, prediction_horizon, action_dim)`. It wants all rows at once, since it knows each one's observation, and a tensor
#   of `(batch,)` times.
# - `points` are noisy chunks, all at the same `time`: a number, at least 0 and below 1. `step` is $\delta$.
# - `previous` is the old plan, of the points' shape. `weights` is `(prediction_horizon,)`.
# - Return the points after the step. The guidance is never above `max_guidance`, at any time; at time 0 it is just that. Do not change the arguments.
#
# Drivers act under `torch.no_grad()`, where nothing remembers how it was computed. For the backward pass you must allow it again: make a detached copy of the points that
# requires gradients, and compute the arrival from it, both in a block of `torch.enable_grad()`. The error is a constant of the backward pass.


# %% tags=["solution"]
def rtc_guided_step(velocity, points, time, step, previous, weights, max_guidance=5.0):
    """Take one Euler step from noise to data that leans towards an old plan."""
    # BEGIN SOLUTION
    with torch.enable_grad():
        leaves = points.detach().requires_grad_()
        speed = velocity(leaves, torch.full((len(points),), float(time)))
        arrival = leaves + (1 - time) * speed
        error = weights[:, None] * (previous - arrival).detach()
        (pull,) = torch.autograd.grad(arrival, leaves, error)
    guidance = max_guidance
    if time > 0:
        guidance = min(guidance, (time**2 + (1 - time) ** 2) / (time * (1 - time)))
    return points + step * (speed.detach() + guidance * pull)
    # END SOLUTION


# %% tags=["public"]
def test_rtc_guided_step_without_ties(rtc_guided_step):
    """With weights of zero this is Euler's step, and the velocity sees one time for every row."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    def velocity(points, times):
        assert len(points) == 2, (
            f"velocity was given {len(points)} of 2 rows: give it the whole batch at once."
        )
        assert torch.is_tensor(times), (
            "velocity was given a plain number for its times: it takes a tensor (batch,), one a row."
        )
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        return 2 * points + times[:, None, None]

    points = torch.arange(12.0).view(2, 3, 2)
    given = points.clone()
    moved = rtc_guided_step(velocity, given, 0.5, 0.1, points + 7, torch.zeros(3))
    check_answered(moved, "rtc_guided_step")
    check_close(moved, 1.2 * points + 0.05, "go `step` times the velocity at `time`.")
    check_close(given, points, "the points were changed in place: make a new tensor.")


def test_rtc_guided_step_where_nothing_moves(rtc_guided_step):
    """Where the velocity is zero the points arrive where they are, and the pull is the error."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    plan = torch.tensor([[[10.0, 20.0], [10.0, 20.0], [10.0, 20.0]]])
    weights = torch.tensor([1.0, 0.5, 0.0])
    moved = rtc_guided_step(
        lambda points, times: 0 * points, torch.zeros(1, 3, 2), 0.5, 0.1, plan, weights
    )
    check_answered(moved, "rtc_guided_step")
    # At time 1/2 the guidance is (1/4 + 1/4) / (1/4) = 2.
    hint = "step times guidance times weight times what is missing; a weight belongs to an action."
    check_close(moved, [[[2.0, 4.0], [1.0, 2.0], [0.0, 0.0]]], hint)


def test_rtc_guided_step_where_all_arrive_at_one_place(rtc_guided_step):
    """Where the arrival does not depend on the points, nothing can pull it, and this is Euler's step."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    target = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0]])

    def velocity(points, times):
        assert torch.is_tensor(times), (
            "velocity was given a plain number for its times: it takes a tensor (batch,), one a row."
        )
        return (target - points) / (1 - times)[:, None, None]

    points, plan = torch.arange(12.0).view(2, 3, 2), torch.full((2, 3, 2), 9.0)
    for time in (0.0, 0.25, 0.5):
        moved = rtc_guided_step(velocity, points.clone(), time, 0.125, plan, torch.ones(3))
        check_answered(moved, "rtc_guided_step")
        expected = points + 0.125 * (target - points) / (1 - time)
        hint = "the pull is zero here: by how much does the arrival move when the points do?"
        check_close(moved, expected, hint, rtol=1e-3, atol=1e-4)


# %% tags=["hidden"]
def test_rtc_guided_step_pulls_through_a_linear_field(rtc_guided_step):
    """On a linear field the arrival's Jacobian is a matrix, and the step is the formula's."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Linear(torch.nn.Module):
        """v = (1 + t) M x + drift, with a drift for every row."""

        def __init__(self, matrix, drift):
            super().__init__()
            self.matrix, self.drift = torch.nn.Parameter(matrix), drift

        def forward(self, points, times):
            assert len(points) == len(self.drift), (
                f"velocity was given {len(points)} of {len(self.drift)} rows: give it the whole batch."
            )
            assert torch.is_tensor(times), (
                "velocity was given a plain number for its times: it takes a tensor (batch,), one a row."
            )
            assert times.shape == (len(points),), (
                f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
            )
            assert points.dtype == times.dtype == torch.float32, (
                f"velocity was given points of {points.dtype} and times of {times.dtype}: the network "
                "takes float32, convert with .float()."
            )
            linear = (1 + times[:, None]) * (points.flatten(1) @ self.matrix.T)
            return linear.view_as(points) + self.drift

    generator = fresh_generator()
    cases = [(5, 4, 2, 0.0), (3, 3, 3, 0.2), (1, 2, 4, 0.5), (4, 1, 1, 0.7), (2, 6, 1, 0.9)]
    for batch, horizon, action_dim, time in cases:
        size, shape = horizon * action_dim, (batch, horizon, action_dim)
        points, previous, drift = torch.randn(3, *shape, generator=generator)
        matrix = torch.randn(size, size, generator=generator) / size**0.5
        weights = torch.rand(horizon, generator=generator)
        step = 0.05 + 0.2 * float(torch.rand((), generator=generator))
        given = [value.clone() for value in (points, previous, weights)]
        moved = rtc_guided_step(
            Linear(matrix.clone(), drift), given[0], time, step, given[1], given[2]
        )
        check_answered(moved, "rtc_guided_step")
        rate = (1 + time) * matrix.double()
        start, wanted = points.double().flatten(1), previous.double().flatten(1)
        speed = start @ rate.T + drift.double().flatten(1)
        tie = weights.double().repeat_interleave(action_dim)
        error = tie * (wanted - start - (1 - time) * speed)
        pull = error @ (torch.eye(size).double() + (1 - time) * rate)
        strength = 5.0
        if time > 0:
            strength = min(5.0, (time**2 + (1 - time) ** 2) / (time * (1 - time)))
        expected = (start + step * (speed + strength * pull)).view(shape)
        hint = (
            "the pull is the weighted error times the arrival's Jacobian, by one backward pass; the "
            "arrival is points + (1 - time) * velocity; the guidance is the clipped formula's."
        )
        check_close(moved, expected, hint, rtol=1e-3, atol=1e-4)
        for now, before in zip(given, (points, previous, weights), strict=True):
            check_close(now, before, "an argument was changed in place: make a new tensor.")


def test_rtc_guided_step_pulls_through_a_curved_field(rtc_guided_step):
    """Where the field bends the Jacobian is the one at the points themselves."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Curved(torch.nn.Module):
        """v = tanh(M x) / 2."""

        def __init__(self, matrix):
            super().__init__()
            self.matrix = torch.nn.Parameter(matrix)

        def forward(self, points, times):
            return (points.flatten(1) @ self.matrix.T).tanh().view_as(points) / 2

    generator = fresh_generator()
    for batch, horizon, action_dim, time in [(4, 3, 2, 0.4), (2, 4, 4, 0.05), (1, 5, 1, 0.8)]:
        size, shape = horizon * action_dim, (batch, horizon, action_dim)
        points, previous = torch.randn(2, *shape, generator=generator)
        matrix = torch.randn(size, size, generator=generator)
        weights = torch.rand(horizon, generator=generator)
        # The formula is never below 2, so a clip of 1 makes the strength 1 at all times.
        moved = rtc_guided_step(
            Curved(matrix.clone()),
            points.clone(),
            time,
            0.1,
            previous.clone(),
            weights.clone(),
            1.0,
        )
        check_answered(moved, "rtc_guided_step")
        start, mixing = points.double().flatten(1), matrix.double()
        bent = (start @ mixing.T).tanh()
        arrival = start + (1 - time) * bent / 2
        tie = weights.double().repeat_interleave(action_dim)
        error = tie * (previous.double().flatten(1) - arrival)
        # J = I + (1 - t) / 2 diag(1 - tanh²) M, and the pull is its transpose times the error.
        pull = error + (1 - time) / 2 * (error * (1 - bent.square())) @ mixing
        expected = (start + 0.1 * (bent / 2 + pull)).view(shape)
        hint = "take the gradient of the arrival, not of the velocity, where the points are."
        check_close(moved, expected, hint, rtol=1e-3, atol=1e-4)


def test_rtc_guided_step_clips_the_guidance(rtc_guided_step):
    """The guidance is the formula's, and never above its largest value."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    points, plan = torch.zeros(2, 3, 1), torch.full((2, 3, 1), 4.0)
    for time, most, expected in [
        (0.0, 5.0, 5.0),
        (0, 0.3, 0.3),
        (0.1, 5.0, 5.0),
        (0.1, 50.0, 0.82 / 0.09),
        (0.01, 200.0, 0.9802 / 0.0099),
        (0.002, 2000.0, 0.996008 / 0.001996),
        (0.0, 1000.0, 1000.0),
        (0.25, 5.0, 10 / 3),
        (0.5, 1.5, 1.5),
        (0.75, 5.0, 10 / 3),
        (0.9, 5.0, 5.0),
        (0.4, 0.0, 0.0),
    ]:
        moved = rtc_guided_step(
            lambda points, times: 0 * points,
            points.clone(),
            time,
            0.125,
            plan.clone(),
            torch.ones(3),
            most,
        )
        check_answered(moved, "rtc_guided_step")
        hint = f"at time {time:g}, with max_guidance {most:g}, the guidance is off."
        check_close(moved, torch.full((2, 3, 1), 0.5 * expected), hint, rtol=1e-3)


def test_rtc_guided_step_works_without_gradients(rtc_guided_step):
    """It works under torch.no_grad(), where drivers act, and gives the same there."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Turning(torch.nn.Module):
        def __init__(self, turn):
            super().__init__()
            self.turn = torch.nn.Linear(4, 4, bias=False)
            self.turn.weight = torch.nn.Parameter(turn)

        def forward(self, points, times):
            return self.turn(points.flatten(1)).view_as(points)

    generator = fresh_generator()
    turn = torch.randn(4, 4, generator=generator)
    points, plan = torch.randn(2, 3, 2, 2, generator=generator)
    with torch.no_grad():
        moved = rtc_guided_step(
            Turning(turn.clone()), points.clone(), 0.5, 0.1, plan.clone(), torch.ones(2), 1.0
        )
    check_answered(moved, "rtc_guided_step")
    start, wanted = points.double().flatten(1), plan.double().flatten(1)
    speed, jacobian = start @ turn.double().T, torch.eye(4).double() + turn.double() / 2
    expected = start + 0.1 * (speed + (wanted - start - speed / 2) @ jacobian)
    hint = "the step is off. Under torch.no_grad() too it is the formula's."
    check_close(moved, expected.view(3, 2, 2), hint, rtol=1e-3, atol=1e-4)


# %% tags=["wrong"]
def rtc_guided_step__is_euler(velocity, points, time, step, previous, weights, max_guidance=5.0):
    """This is Euler's step: the pull towards the plan is missing."""
    return _guided(velocity, points, time, step, previous, weights, 0.0)


def rtc_guided_step__pushes_away(velocity, points, time, step, previous, weights, max_guidance=5.0):
    """The pull has the wrong sign: it leads away from the plan."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, sign=-1)


def rtc_guided_step__pulls_along_the_error(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The error itself is added: it has to be multiplied by the arrival's Jacobian."""
    times = torch.full((len(points),), float(time))
    speed = velocity(points, times).detach()
    pull = weights[:, None] * (previous - points - (1 - time) * speed)
    return points + step * (speed + _strength(time, max_guidance) * pull)


def rtc_guided_step__pulls_through_the_velocity(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The Jacobian is the velocity's: it should be the arrival's, I + (1 - t) times that."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, through="speed")


def rtc_guided_step__turns_the_jacobian(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The Jacobian is multiplied from its other side: it is the backward pass that is needed."""
    times = torch.full((len(points),), float(time))
    speed = velocity(points, times).detach()
    error = weights[:, None] * (previous - points - (1 - time) * speed)
    arrive = lambda x: x + (1 - time) * velocity(x, times)  # noqa: E731
    _, pull = torch.func.jvp(arrive, (points,), (error,))
    return (points + step * (speed + _strength(time, max_guidance) * pull)).detach()


def rtc_guided_step__compares_the_points(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The plan is compared with the noisy points: compare it with where they arrive."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, compare=0.0)


def rtc_guided_step__goes_a_whole_unit(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The arrival is points + velocity: only 1 - t of the time is left."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, left=1.0)


def rtc_guided_step__looks_one_step_ahead(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The arrival is where the next step leads: it is where all the time that is left leads."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, left=step)


def rtc_guided_step__forgets_the_weights(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """All actions are tied fully: use the weights."""
    ones = torch.ones_like(weights)
    return _guided(velocity, points, time, step, previous, ones, max_guidance)


def rtc_guided_step__weighs_twice(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The error is weighted before it is squared, so that weights count twice: weigh once."""
    return _guided(velocity, points, time, step, previous, weights**2, max_guidance)


def rtc_guided_step__forgets_the_half(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """This is the gradient of the squared error: that of half of it is the pull."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, sign=2)


def rtc_guided_step__averages_the_error(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """This is the gradient of a mean over all numbers: the pull would depend on the batch. Sum."""
    share = 1 / points.numel()
    return _guided(velocity, points, time, step, previous, weights, max_guidance, sign=share)


def rtc_guided_step__does_not_clip(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The guidance is not clipped: near time 0 it is infinite."""
    return _guided(velocity, points, time, step, previous, weights, 1e6)


def rtc_guided_step__clips_at_time_0_only(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """Only time 0 is clipped: soon after it the guidance is still above max_guidance."""
    strength = _strength(time, 1e9) if time > 0 else max_guidance
    return _guided(velocity, points, time, step, previous, weights, 1e9, strength=strength)


def rtc_guided_step__does_not_pull_at_time_0(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """There is no pull at time 0: the guidance is max_guidance there."""
    most = max_guidance if time > 0 else 0.0
    return _guided(velocity, points, time, step, previous, weights, most)


def rtc_guided_step__begins_the_formula_late(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The formula's time is kept above a hundredth, and large guidances come out too small."""
    strength = _strength(max(time, 0.01), max_guidance)
    return _guided(velocity, points, time, step, previous, weights, 1e9, strength=strength)


def rtc_guided_step__forgets_the_brackets(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The denominator t (1 - t) lacks its brackets: the fraction is divided by t, and multiplied by 1 - t."""
    strength = (time**2 + (1 - time) ** 2) / time * (1 - time) if time > 0 else max_guidance
    return _guided(velocity, points, time, step, previous, weights, max_guidance, strength=strength)


def rtc_guided_step__weighs_the_pull(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The weights are multiplied behind the Jacobian: they belong to the error, before it."""
    ones = torch.ones_like(weights)
    plain = _guided(velocity, points, time, step, previous, ones, 0.0)
    pulled = _guided(velocity, points, time, step, previous, ones, max_guidance)
    return plain + weights[:, None] * (pulled - plain)


def rtc_guided_step__asks_at_time_0(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The velocity is asked for at time 0: ask at `time`."""
    early = lambda x, times: velocity(x, 0 * times)  # noqa: E731
    return _guided(early, points, time, step, previous, weights, max_guidance)


def rtc_guided_step__goes_by_the_time_that_is_gone(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The arrival is points + t v: what is left of the time is 1 - t."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, left=time)


def rtc_guided_step__pulls_after_the_step(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """First a step of Euler's, then a pull: ask for velocity and pull at the same points."""
    moved = _guided(velocity, points, time, step, previous, weights, 0.0)
    pulled = _guided(velocity, moved, time, step, previous, weights, max_guidance)
    return moved + pulled - _guided(velocity, moved, time, step, previous, weights, 0.0)


def rtc_guided_step__goes_row_by_row(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """Velocity is asked for a row at a time: it knows each row's observation, and wants all rows."""
    rows = [
        _guided(velocity, points[i : i + 1], time, step, previous[i : i + 1], weights, max_guidance)
        for i in range(len(points))
    ]
    return torch.cat(rows)


def rtc_guided_step__moves_the_points_themselves(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """An argument is changed in place: return a new tensor."""
    return points.copy_(_guided(velocity, points, time, step, previous, weights, max_guidance))


def rtc_guided_step__always_clips(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The guidance is max_guidance at all times: that is only its largest value."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, strength=1e6)


def rtc_guided_step__clips_from_below(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The larger of guidance and max_guidance is taken: take the smaller."""
    most = max(_strength(time, 1e6), max_guidance)
    return _guided(velocity, points, time, step, previous, weights, most, strength=1e6)


def rtc_guided_step__knows_one_clip(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The guidance is always clipped at 5: the argument is ignored."""
    return _guided(velocity, points, time, step, previous, weights, 5.0)


def rtc_guided_step__turns_the_guidance_round(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The guidance is the fraction upside down."""
    strength = time * (1 - time) / (time**2 + (1 - time) ** 2)
    return _guided(velocity, points, time, step, previous, weights, max_guidance, strength=strength)


def rtc_guided_step__scales_the_pull_by_one_more_step(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The pull is multiplied by the step twice: once is enough."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, sign=step)


def rtc_guided_step__forgets_the_step(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The pull is not multiplied by the step: it is a part of the velocity."""
    return _guided(velocity, points, time, step, previous, weights, max_guidance, sign=1 / step)


def rtc_guided_step__needs_gradients(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """Under torch.no_grad() there is nothing to go backward through: use torch.enable_grad()."""
    leaves = points.detach().requires_grad_()
    speed = velocity(leaves, torch.full((len(points),), float(time)))
    arrival = leaves + (1 - time) * speed
    error = weights[:, None] * (previous - arrival.detach())
    (pull,) = torch.autograd.grad(arrival, leaves, error)
    return points + step * (speed.detach() + _strength(time, max_guidance) * pull)


def rtc_guided_step__weighs_the_action_s_numbers(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The weights lie along the action's numbers: they belong to the actions."""
    turned = [value.transpose(1, 2) for value in (points, previous)]
    turned_velocity = lambda x, times: velocity(x.transpose(1, 2), times).transpose(1, 2)  # noqa: E731
    short = torch.ones(points.shape[2])
    short[: len(weights)] = weights[: points.shape[2]]
    return _guided(
        turned_velocity, turned[0], time, step, turned[1], short, max_guidance
    ).transpose(1, 2)


def rtc_guided_step__lets_the_error_move(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The error is not a constant here: the gradient of error times arrival has one more term."""
    with torch.enable_grad():
        leaves = points.detach().requires_grad_()
        speed = velocity(leaves, torch.full((len(points),), float(time)))
        arrival = leaves + (1 - time) * speed
        together = (weights[:, None] * (previous - arrival) * arrival).sum()
        (pull,) = torch.autograd.grad(together, leaves)
    return points + step * (speed.detach() + _strength(time, max_guidance) * pull)


def rtc_guided_step__gives_one_time(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The time is one number: velocity takes one for every row, of shape (batch,)."""
    return _guided(
        lambda x, times: velocity(x, times[0]),
        points,
        time,
        step,
        previous,
        weights,
        max_guidance,
    )


def rtc_guided_step__gives_a_plain_number(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    """The time is given as a plain number: velocity takes a tensor with one for every row."""
    return _guided(
        lambda x, times: velocity(x, float(times[0])),
        points,
        time,
        step,
        previous,
        weights,
        max_guidance,
    )


def _strength(time, most):
    return min(most, (time**2 + (1 - time) ** 2) / (time * (1 - time))) if time > 0 else most


def _guided(
    velocity,
    points,
    time,
    step,
    previous,
    weights,
    most,
    sign=1.0,
    left=None,
    compare=1.0,
    through="arrival",
    strength=None,
):
    left = 1 - time if left is None else left
    with torch.enable_grad():
        leaves = points.detach().requires_grad_()
        speed = velocity(leaves, torch.full((len(points),), float(time)))
        arrival = leaves + left * speed
        seen = (leaves + compare * left * speed).detach()
        error = weights[:, None] * (previous - seen)
        outcome = speed if through == "speed" else arrival
        (pull,) = torch.autograd.grad(outcome, leaves, error)
    strength = _strength(time, most) if strength is None else min(most, strength)
    return points + step * (speed.detach() + sign * strength * pull)


# %% tags=["right"]
def rtc_guided_step__by_vjp(velocity, points, time, step, previous, weights, max_guidance=5.0):
    times = points.new_full((points.shape[0],), time)

    def arrive(chunks):
        speed = velocity(chunks, times)
        return chunks + (1 - time) * speed, speed

    arrival, backward, speed = torch.func.vjp(arrive, points, has_aux=True)
    (pull,) = backward(torch.einsum("h,bha->bha", weights, previous - arrival))
    ratio = max(time, 1e-9) * (1 - time) / (time * time + (1 - time) * (1 - time))
    return torch.add(points, speed + min(1 / ratio, max_guidance) * pull, alpha=step).detach()


def rtc_guided_step__by_the_gradient_of_a_loss(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    with torch.enable_grad():
        x = points.clone().detach().requires_grad_(True)
        v = velocity(x, torch.tensor([float(time)] * len(points)))
        misses = (previous - x - (1 - time) * v).square().sum(dim=2) @ weights
        (-0.5 * misses.sum()).backward(inputs=[x])
    noise_share = (1 - time) ** 2 / (time**2 + (1 - time) ** 2)
    guidance = torch.tensor((1 - time) / noise_share).div(time).clamp(max=max_guidance)
    return (points + step * v + step * guidance * x.grad).detach()


def rtc_guided_step__in_float64(velocity, points, time, step, previous, weights, max_guidance=5.0):
    times = torch.full((len(points),), time, dtype=torch.float32)
    with torch.set_grad_enabled(True):
        x = points.double().requires_grad_()
        v = velocity(x.float(), times).double()
        arrival = x + v - time * v
        error = (weights.double()[None, :, None] * (previous.double() - arrival)).detach()
        pull = torch.autograd.grad((arrival * error).sum(), x)[0]
    guidance = max_guidance
    if time != 0:
        guidance = min(guidance, time / (1 - time) + (1 - time) / time)
    return x.detach() + step * v.detach() + step * guidance * pull


def rtc_guided_step__by_backward_into_everything(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    x = points.clone()
    x.requires_grad = True
    with torch.enable_grad():
        v = velocity(x, torch.tensor(float(time)).repeat(len(x)))
        arrival = x + (1 - time) * v
        (weights[None, :, None] * (previous - arrival) ** 2 / 2).sum().backward()
    ratio = (time**2 + (1 - time) ** 2) / (time * (1 - time) + 1e-10)
    with torch.no_grad():
        return x + step * (v - min(ratio, max_guidance) * x.grad)


def rtc_guided_step__by_the_velocity_s_vjp(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    times = torch.zeros(len(points)) + time
    speed, backward = torch.func.vjp(lambda x: velocity(x, times), points)
    error = weights.unsqueeze(-1) * (previous - points - (1 - time) * speed)
    pull = error + (1 - time) * backward(error)[0]
    guidance = max_guidance if not time else min(max_guidance, 1 / (time * (1 - time)) - 2)
    return (points + step * speed + step * guidance * pull).detach()


def rtc_guided_step__on_flat_chunks(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    flat = points.detach().flatten(1).requires_grad_()
    ties = weights.repeat_interleave(points.shape[2])
    with torch.enable_grad():
        speed = velocity(flat.view(points.shape), flat.new_full((len(flat),), time)).flatten(1)
        arrival = flat + (1 - time) * speed
        arrival.backward(ties * (previous.flatten(1) - arrival.detach()), inputs=[flat])
    t = torch.tensor(float(time), dtype=torch.float64)
    strength = ((t**2 + (1 - t) ** 2) / (t * (1 - t))).clamp(max=max_guidance).float()
    return (flat + step * (speed + strength * flat.grad)).detach().view(points.shape)


def rtc_guided_step__by_the_whole_jacobian(
    velocity, points, time, step, previous, weights, max_guidance=5.0
):
    times = torch.ones(len(points)) * time
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(lambda x: velocity(x, times), points)
    with torch.no_grad():
        speed = velocity(points, times)
        error = weights.view(1, -1, 1) * (previous - (points + (1 - time) * speed))
        pull = error + (1 - time) * torch.einsum("bha,bhacij->cij", error, jacobian)
        odds = time / (1 - time)
        guidance = max_guidance if odds == 0 else min(odds + 1 / odds, max_guidance)
        return points + (speed + guidance * pull) * step


# %% [markdown]
# The rest is notebook 5's loop. Begin with noise, take `num_steps` steps of equal length, and ask at the time at which each begins.
#
# One thing is left. The pull brings the first $d$ actions near to the old plan's, but not quite there. Yet they *are* the old plan's: by the time the chunk is there, they have been
# taken, and nothing can change that. So write them in at the end. On the road this alone makes no difference, since these actions of the new chunk are never played. It makes
# the chunk a true account of what is done.

# %% [markdown] question="rtc_sample" points=[1, 1, 3, 1]
# ### Question 6.8 · Real-time chunking
#
# Write `rtc_sample(velocity, noise, previous, delay, execution_horizon, num_steps=10)`, with your `rtc_weights` and your `rtc_guided_step`.
#
# - `noise` and `previous` are `(batch, prediction_horizon, action_dim)`. Arguments are as in the last two questions; `max_guidance` stays 5.
# - Return the chunks. Their first `delay` actions are `previous`'s own, bit for bit; write them in once, after the last step.


# %% tags=["solution"]
def rtc_sample(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """Turn noise into chunks that continue an old plan."""
    # BEGIN SOLUTION
    weights = rtc_weights(noise.shape[1], delay, execution_horizon)
    points = noise
    for index in range(num_steps):
        time = index / num_steps
        points = rtc_guided_step(velocity, points, time, 1 / num_steps, previous, weights)
    return torch.cat([previous[:, :delay], points[:, delay:]], dim=1)
    # END SOLUTION


# %% tags=["public"]
def test_rtc_sample_keeps_what_is_taken(rtc_sample):
    """The first `delay` actions are the old plan's, and the chunk has its whole length."""
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    noise = torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))
    plan = torch.arange(36.0).view(3, 6, 2) / 7
    for delay in (0, 1, 3):
        chunks = rtc_sample(lambda points, times: 0.5 * points, noise, plan, delay, 2)
        check_answered(chunks, "rtc_sample")
        check_shape(chunks, (3, 6, 2), "return whole chunks.")
        hint = "copy the first `delay` actions from the old plan."
        check_close(torch.as_tensor(chunks)[:, :delay], plan[:, :delay], hint, rtol=0, atol=0)


def test_rtc_sample_follows_the_field(rtc_sample):
    """Where nothing is tied to the old plan, the chunks end where the field leads."""
    import torch

    from imitation_lab.testing import check_answered, check_close

    goal = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0], [2.0, 2.0]])

    def velocity(points, times):
        return (goal - points) / (1 - torch.as_tensor(times)).view(-1, 1, 1)

    noise, plan = torch.zeros(2, 4, 2), torch.full((2, 4, 2), 9.0)
    for num_steps in (1, 2, 10):
        # Without delay, and with a whole chunk between two looks, all weights are zero.
        chunks = rtc_sample(velocity, noise, plan, 0, 4, num_steps)
        check_answered(chunks, "rtc_sample")
        hint = (
            "take num_steps steps of equal length from time 0 to time 1. If a check of `rtc_guided_step` "
            "fails, look there first."
        )
        check_close(chunks, goal.expand(2, 4, 2), hint, rtol=1e-3)


# %% tags=["hidden"]
def test_rtc_sample_takes_guided_steps(rtc_sample, rtc_weights, rtc_guided_step):
    """On a linear field every step is the formula's, from noise at time 0, ten of them by default."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Linear(torch.nn.Module):
        def __init__(self, matrix, drift):
            super().__init__()
            self.matrix, self.drift = torch.nn.Parameter(matrix), drift

        def forward(self, points, times):
            times = torch.as_tensor(times, dtype=torch.float32).expand(len(points))
            linear = (1 - times[:, None]) * (points.flatten(1) @ self.matrix.T)
            return linear.view_as(points) + self.drift * times[:, None, None]

    generator = fresh_generator()
    cases = [(4, 5, 2, 1, 2, 4), (3, 3, 3, 0, 1, 7), (1, 6, 1, 2, 4, None), (2, 8, 2, 3, 3, 1)]
    for batch, horizon, action_dim, delay, execution, num_steps in cases:
        size, shape = horizon * action_dim, (batch, horizon, action_dim)
        noise, previous, drift = torch.randn(3, *shape, generator=generator)
        matrix = 0.5 * torch.randn(size, size, generator=generator) / size**0.5
        given = [noise.clone(), previous.clone()]
        options = {} if num_steps is None else {"num_steps": num_steps}
        field = Linear(matrix.clone(), drift)
        with torch.no_grad():
            chunks = rtc_sample(field, *given, delay, execution, **options)
        check_answered(chunks, "rtc_sample")
        tie = torch.zeros(horizon, dtype=torch.float64)
        for i in range(horizon - execution):
            c = (horizon - execution - i) / (horizon - execution - delay + 1)
            tie[i] = 1.0 if i < delay else c * math.expm1(c) / math.expm1(1)
        tie = tie.repeat_interleave(action_dim)
        x, wanted = noise.double().flatten(1), previous.double().flatten(1)
        steps = num_steps or 10
        for index in range(steps):
            t = index / steps
            rate = (1 - t) * matrix.double()
            speed = x @ rate.T + t * drift.double().flatten(1)
            error = tie * (wanted - x - (1 - t) * speed)
            pull = error + (1 - t) * error @ rate
            strength = min(5.0, (t**2 + (1 - t) ** 2) / (t * (1 - t))) if t else 5.0
            x = x + (speed + strength * pull) / steps
        expected = x.view(shape)
        expected[:, :delay] = previous[:, :delay]
        hint = (
            "each step is one of `rtc_guided_step`, at its own time, with the weights of `rtc_weights`. If "
            "a check of these two fails, look there first."
        )
        given_shape = tuple(torch.as_tensor(chunks).shape)
        if given_shape != shape or not torch.allclose(
            torch.as_tensor(chunks).double(), expected, rtol=1e-3, atol=1e-3
        ):
            # What is wrong with the weights or with one step has had its price in questions 6.6 and 6.7.
            with torch.no_grad():
                free = torch.zeros(horizon)
                moved = rtc_guided_step(field, noise.clone(), 0.25, 0.5, previous.clone(), free)
                check_close(
                    moved,
                    noise + 0.5 * field(noise, torch.tensor(0.25)),
                    hint,
                    rtol=1e-3,
                    atol=1e-3,
                )
                weights, expected = rtc_weights(horizon, delay, execution), noise.clone()
                for index in range(steps):
                    begun = index / steps
                    expected = rtc_guided_step(
                        field, expected, begun, 1 / steps, previous.clone(), weights
                    )
            expected = torch.cat([previous[:, :delay], expected[:, delay:]], dim=1)
        check_close(chunks, expected, hint, rtol=1e-3, atol=1e-3)
        for now, before in zip(given, (noise, previous), strict=True):
            check_close(now, before, "an argument was changed in place: make a new tensor.")


def test_rtc_sample_freezes_bit_for_bit(rtc_sample):
    """What is taken while thinking is not changed by a single bit, and the next action is not copied."""
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    generator = fresh_generator()
    for horizon, delay, execution in [(8, 4, 4), (12, 5, 5), (5, 0, 2), (4, 3, 1)]:
        noise, plan = torch.randn(2, 3, horizon, 2, generator=generator)
        # One step throws points that are far away far beyond the plan: no sum leads back without rounding.
        noise, plan = 1e6 * noise, 3 * plan + 0.1
        steps = 1 if horizon > 5 else 5
        given = plan.clone()
        chunks = rtc_sample(
            lambda points, times: points.sin(), noise, given, delay, execution, steps
        )
        check_answered(chunks, "rtc_sample")
        chunks = torch.as_tensor(chunks)
        assert bool((chunks[:, :delay] == plan[:, :delay]).all()), (
            "the first `delay` actions differ from the old plan's: copy them after the last step."
        )
        assert not bool((chunks[:, delay] == plan[:, delay]).any()), (
            "action number `delay` is a copy of the old plan's: only those before it are frozen."
        )


# %% tags=["wrong"]
def rtc_sample__does_not_freeze(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """The first actions are only near the old plan's: copy them at the end."""
    return _walk(velocity, noise, previous, delay, execution_horizon, num_steps)


def rtc_sample__only_freezes(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """The steps are Euler's, without guidance: the rest of the chunk does not know of the plan."""
    points = noise
    for index in range(num_steps):
        times = torch.full((len(noise),), index / num_steps)
        points = points + velocity(points, times).detach() / num_steps
    return _freeze(points, previous, delay)


def rtc_sample__freezes_the_noise(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The old plan is written into the noise: at time 0 points are noise, and the plan is for time 1."""
    start = _freeze(noise, previous, delay)
    points = _walk(velocity, start, previous, delay, execution_horizon, num_steps)
    return _freeze(points, previous, delay)


def rtc_sample__freezes_at_every_step(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The plan is written in at every step: on the way the field expects noisy points there."""
    weights, points = rtc_weights(noise.shape[1], delay, execution_horizon), noise
    for index in range(num_steps):
        points = _freeze(points, previous, delay)
        time = index / num_steps
        points = rtc_guided_step(velocity, points, time, 1 / num_steps, previous, weights)
    return _freeze(points, previous, delay)


def rtc_sample__freezes_by_a_difference(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """What is missing to the old plan is added, and the sum is rounded: copy the actions themselves."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps)
    taken = (torch.arange(noise.shape[1]) < delay).float()[:, None]
    return points + taken * (previous - points)


def rtc_sample__freezes_before_the_last_step(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The old plan is written in before the last step, which moves it: write it in after that."""
    weights, points = rtc_weights(noise.shape[1], delay, execution_horizon), noise
    for index in range(num_steps):
        if index == num_steps - 1:
            points = _freeze(points, previous, delay)
        time = index / num_steps
        points = rtc_guided_step(velocity, points, time, 1 / num_steps, previous, weights)
    return points


def rtc_sample__does_not_tie_what_is_frozen(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The frozen actions have weight 0: the rest of the chunk then does not know of them."""
    weights = rtc_weights(noise.shape[1], delay, execution_horizon)
    weights = torch.where(torch.arange(noise.shape[1]) < delay, 0.0, weights)
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps, weights=weights)
    return _freeze(points, previous, delay)


def rtc_sample__moves_the_plan_on(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The old plan is moved on by `delay` once more: `previous` begins where the new chunk begins."""
    late = torch.cat([previous[:, delay:], previous[:, -1:].expand(-1, delay, -1)], dim=1)
    points = _walk(velocity, noise, late, delay, execution_horizon, num_steps)
    return _freeze(points, previous, delay)


def rtc_sample__begins_anew_at_every_step(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """Every step is taken from the noise: take each from where the last one ended."""
    weights = rtc_weights(noise.shape[1], delay, execution_horizon)
    for index in range(num_steps):
        time = index / num_steps
        points = rtc_guided_step(velocity, noise, time, 1 / num_steps, previous, weights)
    return _freeze(points, previous, delay)


def rtc_sample__asks_at_the_ends_of_steps(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The clock reaches 1, where the guidance divides by zero: ask at the time at which a step begins."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps, late=1.0)
    return _freeze(points, previous, delay)


def rtc_sample__clips_by_the_number_of_steps(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The last argument of the step is num_steps: there it is max_guidance, which stays 5."""
    weights, points = rtc_weights(noise.shape[1], delay, execution_horizon), noise
    for index in range(num_steps):
        points = rtc_guided_step(
            velocity, points, index / num_steps, 1 / num_steps, previous, weights, num_steps
        )
    return _freeze(points, previous, delay)


def rtc_sample__freezes_one_more(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """One action too many is copied: only those before the delay are taken while thinking."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps)
    return _freeze(points, previous, delay + 1)


def rtc_sample__freezes_one_less(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """One action too few is copied: all those before the delay are taken while thinking."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps)
    return _freeze(points, previous, max(delay - 1, 0))


def rtc_sample__copies_what_overlaps(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """All of the old plan is copied: then nothing that is seen can change it."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps)
    return _freeze(points, previous, noise.shape[1] - execution_horizon)


def rtc_sample__blends_at_the_end(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """An ordinary chunk is blended with the plan: the mean of two chunks is not a chunk. Guide the steps."""
    points = noise
    for index in range(num_steps):
        times = torch.full((len(noise),), index / num_steps)
        points = points + velocity(points, times).detach() / num_steps
    share = rtc_weights(noise.shape[1], delay, execution_horizon)[:, None]
    return _freeze(share * previous + (1 - share) * points, previous, delay)


def rtc_sample__returns_the_rest(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """Only the actions after the delay are returned: return whole chunks."""
    return _walk(velocity, noise, previous, delay, execution_horizon, num_steps)[:, delay:]


def rtc_sample__swaps_the_horizons(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """Delay and execution horizon are swapped in the weights."""
    weights = rtc_weights(noise.shape[1], min(execution_horizon, noise.shape[1] - delay), delay)
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps, weights=weights)
    return _freeze(points, previous, delay)


def rtc_sample__takes_ten_steps(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """There are always ten steps: take num_steps."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, 10)
    return _freeze(points, previous, delay)


def rtc_sample__stops_the_clock(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """Every step is taken at time 0: the time moves on with each step."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps, rate=0.0)
    return _freeze(points, previous, delay)


def rtc_sample__is_a_step_late(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """The clock is half a step late: ask at the time at which a step begins."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps, late=0.5)
    return _freeze(points, previous, delay)


def rtc_sample__runs_backwards(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """The clock runs from data to noise: time 0 is noise here."""
    weights, points = rtc_weights(noise.shape[1], delay, execution_horizon), noise
    for index in reversed(range(num_steps)):
        time = index / num_steps
        points = rtc_guided_step(velocity, points, time, 1 / num_steps, previous, weights)
    return _freeze(points, previous, delay)


def rtc_sample__forgets_a_step(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """The last step is missing: the points never arrive."""
    weights, points = rtc_weights(noise.shape[1], delay, execution_horizon), noise
    for index in range(num_steps - 1):
        time = index / num_steps
        points = rtc_guided_step(velocity, points, time, 1 / num_steps, previous, weights)
    return _freeze(points, previous, delay)


def rtc_sample__takes_whole_steps(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The steps have length one: they have length 1 / num_steps."""
    weights, points = rtc_weights(noise.shape[1], delay, execution_horizon), noise
    for index in range(num_steps):
        points = rtc_guided_step(velocity, points, index / num_steps, 1.0, previous, weights)
    return _freeze(points, previous, delay)


def rtc_sample__starts_at_the_plan(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    """The walk begins at the old plan: it begins at the noise."""
    points = _walk(velocity, previous, previous, delay, execution_horizon, num_steps)
    return _freeze(points, previous, delay)


def rtc_sample__changes_the_plan(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """The chunk is written into an argument, and who still needs that has lost it: make a new tensor."""
    points = _walk(velocity, noise, previous, delay, execution_horizon, num_steps)
    previous[:, delay:] = points[:, delay:]
    return previous


def _walk(
    velocity,
    noise,
    previous,
    delay,
    execution_horizon,
    num_steps,
    rate=1.0,
    late=0.0,
    weights=None,
):
    if weights is None:
        weights = rtc_weights(noise.shape[1], delay, execution_horizon)
    points = noise
    for index in range(num_steps):
        time = (rate * index + late) / num_steps
        points = rtc_guided_step(velocity, points, time, 1 / num_steps, previous, weights)
    return points


def _freeze(points, previous, delay):
    return torch.cat([previous[:, :delay], points[:, delay:]], dim=1)


# %% tags=["right"]
def rtc_sample__by_where(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    chunks, horizon = noise.clone(), noise.shape[1]
    ties = rtc_weights(horizon, delay, execution_horizon)
    for time in torch.linspace(0, 1, num_steps + 1)[:-1].tolist():
        chunks = rtc_guided_step(velocity, chunks, time, 1 / num_steps, previous, ties, 5.0)
    taken = torch.arange(horizon)[:, None] < delay
    return torch.where(taken, previous, chunks)


def rtc_sample__by_writing_into_a_copy(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    ties = rtc_weights(noise.size(1), delay, execution_horizon)
    for k in range(num_steps):
        noise = rtc_guided_step(velocity, noise, k / num_steps, 1 / num_steps, previous, ties)
    noise = noise.detach().clone()
    noise[:, :delay] = previous[:, :delay]
    return noise


def rtc_sample__by_a_mask_and_a_clock_that_adds_up(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    ties, length, clock = rtc_weights(noise.shape[1], delay, execution_horizon), 1 / num_steps, 0.0
    chunks = noise
    for _ in range(num_steps):
        chunks = rtc_guided_step(velocity, chunks, clock, length, previous, ties)
        clock += length
    taken = (torch.arange(noise.shape[1]) < delay).float().view(1, -1, 1)
    return taken * previous + (1 - taken) * chunks


def rtc_sample__with_tensors_for_times(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    ties, chunks = rtc_weights(previous.shape[1], delay, execution_horizon), noise
    for time in torch.arange(num_steps) / num_steps:
        chunks = rtc_guided_step(velocity, chunks, time, 1 / num_steps, previous, ties)
    return torch.where((ties == 1)[:, None], previous, chunks)


def rtc_sample__by_folding(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    import functools

    ties = rtc_weights(noise.shape[-2], delay, execution_horizon)

    def take(chunks, k):
        return rtc_guided_step(velocity, chunks, k / num_steps, 1 / num_steps, previous, ties)

    chunks = functools.reduce(take, range(num_steps), noise)
    columns = [(previous if i < delay else chunks)[:, i] for i in range(noise.shape[1])]
    return torch.stack(columns, dim=1)


def rtc_sample__by_recursion(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    ties = rtc_weights(noise.shape[1], delay, execution_horizon)

    def after(steps):
        if steps == 0:
            return noise
        begun = (steps - 1) / num_steps
        return rtc_guided_step(velocity, after(steps - 1), begun, 1 / num_steps, previous, ties)

    arrived = after(num_steps)
    return torch.hstack((previous.narrow(1, 0, delay), arrived[:, delay:]))


def rtc_sample__by_its_own_formulas_in_float64(
    velocity, noise, previous, delay, execution_horizon, num_steps=10
):
    end, x = noise.shape[1] - execution_horizon, noise.double()
    left = [(end - i) / (end - delay + 1) for i in range(noise.shape[1])]
    between = [max(c, 0.0) * math.expm1(max(c, 0.0)) / math.expm1(1) for c in left]
    ties = torch.tensor([1.0] * delay + between[delay:]).double()[:, None]
    for k in range(num_steps):
        t = k / num_steps
        times = torch.full((len(noise),), t)
        ask = lambda chunks, times=times: velocity(chunks.float(), times).double()  # noqa: E731
        v, backward = torch.func.vjp(ask, x)
        error = ties * (previous - x - (1 - t) * v)
        pull = error + (1 - t) * backward(error)[0]
        x = x + (v + min(5.0, t / (1 - t) + (1 - t) / t if t else 5.0) * pull) / num_steps
    x = x.detach().to(previous.dtype)
    return torch.cat((previous[:, :delay], x[:, delay:]), 1)


# %% [markdown]
# Back to the vehicle that was about to swerve. It is the same moment, the same old plan, and the same forty draws of noise. How many of the new chunks will go to the other side now?


# %%
def continued(velocity, noise, previous, delay, execution_horizon, num_steps=10):
    """Return the chunks of your `rtc_sample`."""
    chunks = rtc_sample(velocity, noise, previous, delay, execution_horizon, num_steps)
    return answered(chunks, "rtc_sample")


# %% tags=["train"]
with torch.no_grad():
    guided = lateral(policy, continued(velocity, noise, plan, 2, 2))
figure, panels = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
pairs = {"tossing a coin": fresh, "real-time chunking": guided}
for axes, (title, chunks) in zip(panels, pairs.items(), strict=True):
    plot_seam(axes, lateral(policy, plan[:1])[0, : HORIZON - 2], chunks, 2).set_title(title)
    print(f"{title}: {other_side(chunks):.0f} % of the new chunks go to the other side")
panels[0].set_ylabel("lateral command, m/s")
panels[0].legend(fontsize=8, loc="upper right")
show(
    figure,
    alt="Two panels with the old plan, to the left, and forty new chunks. Without guidance many of them go to the right. With real-time chunking they begin "
    "where the plan is, and nearly all stay on its side.",
    caption="The same noise in both panels. Real-time chunking copies the grey part, and bends what follows.",
)

# %% [markdown]
# The chunks leave the old plan smoothly, and stay on its side. They do not copy it: after the grey part, each goes its own way.
#
# And on the road? Guess the third curve before you draw it.


# %%
def real_time(policy, delay, execution_horizon=None):
    """Return an actor whose new chunks continue the old one."""
    execution = execution_horizon or max(delay, 1)
    decode = guided_decoder(policy, continued, delay, execution)
    return DelayedHorizon(policy, execution, delay, decode)


# %% tags=["train"]
for road, flow in flows.items():
    rates = [drive_all(real_time(flow, delay)).success for delay in DELAYS]
    late[road]["real-time chunking"] = rates
figure, panels = plt.subplots(1, 2, figsize=(9.4, 3.2), sharey=True)
for axes, road in zip(panels, ("one driver", "two drivers"), strict=True):
    plot_success_over(axes, DELAYS, late[road], [WAY_LOOKS[way] for way in late[road]])
    axes.set(title=road, xlabel="delay, steps")
panels[0].legend(fontsize=8, loc="center right")
panels[1].set_ylabel("")
show(
    figure,
    alt="The same two panels with a third curve. One driver: real-time chunking stays near 100 per cent, as chunks do. Two drivers: it begins near 90 per cent and falls slowly, "
    "to below 80 with five steps of delay, always above chunks that are switched.",
    caption="Five seeds with 100 drives each. A new chunk is asked for as soon as the last one has arrived.",
)
flow = flows["two drivers"]
for execution in (2, 6):
    for name, way in {"switched": switching, "real-time": real_time}.items():
        found = drive_all(way(flow, 2, execution))
        print(
            f"delay 2, a chunk every {execution} steps, {name}: {found.success}, "
            f"commands change by {unrest(found.rollouts):.2f} m/s a step"
        )

# %% [markdown]
# With one or two steps of delay, real-time chunking arrives about twice as often as plain switching, from the same networks. Its commands are calmer too. Even without any delay it is worth it: at every
# step it looks again, and does not change its mind.
#
# It is no magic. With longer delays it falls slowly, since what it sees gets older, and with five steps little of the gain is left. And it can only win where switching loses: with a chunk every six steps, coins are tossed seldom, and the gain is small. With one driver there is nothing to gain at all.
#
# **What does each part do?** Three experiments with two steps of delay. First the weights: tie only what is frozen, or tie everything that overlaps, without any
# fall. Then `max_guidance`, from 0 to 1,000. Guess where it breaks.


# %%
def sampler(weights_of=None, max_guidance=5.0):
    """Return `rtc_sample` with other weights, or with another largest guidance."""

    def sample(velocity, noise, previous, delay, execution_horizon, num_steps=10):
        weights = (weights_of or rtc_weights)(noise.shape[1], delay, execution_horizon)
        points, step = noise, 1 / num_steps
        for index in range(num_steps):
            time = index / num_steps
            points = rtc_guided_step(velocity, points, time, step, previous, weights, max_guidance)
        return answered(points, "rtc_guided_step")

    return sample


def with_sampler(policy, sample, delay=2, num_steps=10):
    """Return an actor that draws its chunks by a sampler, as often as it can."""
    decode = guided_decoder(policy, sample, delay, delay, num_steps)
    return DelayedHorizon(policy, delay, delay, decode)


def only_frozen(prediction_horizon, delay, execution_horizon):
    """Return weights that tie what is taken while thinking, and nothing else."""
    return (torch.arange(prediction_horizon) < delay).float()


def all_that_overlaps(prediction_horizon, delay, execution_horizon):
    """Return weights that tie everything that the old plan has, fully."""
    return (torch.arange(prediction_horizon) < prediction_horizon - execution_horizon).float()


LARGEST = (0, 1, 2, 5, 10, 20, 50, 100, 1000)

# %% tags=["train"]
shapes = {
    "only what is frozen": only_frozen,
    "falling": None,
    "all that overlaps": all_that_overlaps,
}
for name, weights_of in shapes.items():
    print(f"weights, {name}: {drive_all(with_sampler(flow, sampler(weights_of))).success}")
rates = [drive_all(with_sampler(flow, sampler(None, most))).success for most in LARGEST]
fine = drive_all(with_sampler(flow, sampler(None, 100), num_steps=50)).success
print(f"max_guidance 100, 50 steps: {fine}")

figure, axes = plt.subplots(figsize=(6.2, 3.2))
look = WAY_LOOKS["real-time chunking"]
plot_success_over(axes, LARGEST, {"10 steps": rates}, [look])
plot_success_over(axes, [100], {"50 steps": [fine]}, [replace(look, marker="s")])
axes.set_xscale("symlog", linthresh=1)
axes.set(xlabel="max_guidance", xlim=(-0.2, 1500))
axes.set_xticks(LARGEST, labels=LARGEST)
axes.minorticks_off()
axes.legend(fontsize=8, loc="lower left")
show(
    figure,
    alt="Success against the largest guidance: it rises from about 40 per cent without guidance to nearly 90 for 5 to 20, and falls to about a quarter at 100 and to none at 1,000. "
    "With 50 steps, 100 still works.",
    caption="Two drivers, two steps of delay, five seeds with 100 drives each.",
)

# %% [markdown]
# Tying only the frozen part is already much better than tossing a coin: the network itself knows what goes with the first two actions. Tying more is better. But on this road it makes hardly any
# difference whether the weights *fall*: nothing unforeseen happens here, so the old plan stays as good as it was. The paper's fall is for roads where it does not. You have not seen it pay, and we
# could not show it here.
#
# The largest guidance is another matter. Between no guidance and too much of it lies a wide plain, on which the paper's 5 lies, and then a cliff.

# %% [markdown] question="the_cliff" points=[]
# ### Question 6.9 · The cliff
#
# Let the velocity depend neither on the points nor on the time, so that the arrival moves just as the points do, and let an action be tied fully. What does one guided step with guidance $\lambda$ and length $\delta$ do to
# its error? From which guidance on does the error grow? Where is that with ten steps, and where with fifty? Compare with the figure.
#
# Mind which steps the clip is for: work out $\lambda(t)$ at the ten times 0, 0.1, ..., 0.9. Where is it above 5, and where above 20?

# %% [markdown] tags=["solution"]
# The Jacobian is the identity, so the pull is the error $e$ itself. The velocity moves the points along to the arrival, which changes nothing about the arrival. The pull moves
# the points, and with them the arrival, by $\delta \lambda e$. So after the step the error is $(1 - \delta \lambda)\, e$. It shrinks while $\delta\lambda$ lies between 0 and 2, without changing its sign up to 1. From
# $\lambda = 2 / \delta$ on it grows with every step. With ten steps that is 20, with fifty it is 100.
#
# In the figure, success is highest at about 20. It has fallen at 50, and at 100 most of it is gone. So the estimate is right to within a small factor. The formula's guidance is above 5 at three of the ten times, $t = 0$, $0.1$ and $0.9$, and above 20 only at $t = 0$
# (at the other two it is 9.1). So there is one bad step, not ten. And there the arrival moves about 0.7 times as far as the points: once for the pull, once for its effect, so $\delta\lambda$ is in effect about half as large. With fifty steps a largest guidance of 100 works. Guidance
# is so much pull per unit of time, and it is the product with the step that must stay small: whoever changes the number of steps should know that.

# %% [markdown]
# ### Play with it
#
# Three drives from one start, with two steps of delay. On the left the plan is drawn ahead of the vehicle. On the right every row is a chunk and every column a step.
# Blue steers left, pink right, grey straight ahead.
#
# - *Chunks, switched*: go through the steps in which the vehicle swerves. When does the plan change sides? Which actions were thrown away for it?
# - *Real-time chunking*: find the actions that a chunk missed while it was thought of. They are frozen here: from which row were they copied?
# - *Single actions*: how long is each of them held? What would be in the row if the policy predicted chunks?
#
# After a restart of the kernel, run the cell again to get the widget back.


# %%
def three_drives(policy, seed, delay=2):
    """Return what happened to every chunk in a drive by single actions, switched, and real-time."""
    actors = {
        "chunks, switched": switching(policy, delay),
        "real-time chunking": real_time(policy, delay),
        "single actions": single_actions(policy, delay),
    }
    draw = torch.Generator().manual_seed
    return [trace(ROAD, actor, draw(seed), label) for label, actor in actors.items()]


# %% tags=["train"]
timeline = ChunkTimeline(three_drives(policies["two drivers"][0], seed=5))
timeline

# %% [markdown] question="a_slow_brain" points=[]
# ### Question 6.10 · A slow brain
#
# An arm wants an action every 20 ms. Its policy predicts chunks of 16 and needs 150 ms for one. What is the delay, in steps? How often can a new chunk be there? What do the weights of question 6.6 look like
# then? How old is the news, at worst, on which an action is based? Name two things that you would change, and one task for which you would not use this policy at all.

# %% [markdown] tags=["solution"]
# 150 ms are seven and a half steps, so the delay is $d = 8$. Nobody thinks of two chunks at once, so there is a new one every $s = 8$ steps at best. Then $d + s = 16 = H$: the chunk is used up just when the next one arrives, and there
# is nothing in between. The weights are eight ones and eight zeros, and nothing ties the second half but what the network itself knows. An action is played 8 to 15 steps after its chunk was asked for, so the news is up to 300 ms old.
#
# Longer chunks would leave room for soft weights and for a thought that takes longer than usual. A faster network, fewer Euler steps or no backward pass (a policy that was *trained* with a frozen prefix needs none) would shorten the delay, and
# that helps both ends. I would measure the whole delay first, camera to motor, and its spread. I would not use it where the world moves within 300 ms in ways that nobody can foresee, or where small errors grow that fast: catching a ball, or balancing a pole that
# falls over in less. No chunk knows of a push that comes after it was made.

# %% [markdown]
# ## What you have seen
#
# The lecture gives two reasons for chunks.
#
# **"It often works way better."** It does where single actions would change their mind, or stall: see the first half of this notebook. With a noisy sensor and two drivers, it is the *commitment* that helps, and there are other
# ways to commit. On the fork of this notebook's second half a new chunk at every step arrives in about seven of ten drives, and so do whole chunks. A policy that looks at every step and *chooses* to stay with its plan arrives in more than nine of ten.
#
# **"Allows more computation time for policy inference."** It does. With one driver and five steps of delay, single actions never arrive and chunks nearly always. With two drivers a chunk that
# arrives late must also fit the one that is being played.
#
# And besides:
#
# - Averaging chunks calms the hand where all are of one mind. Where they are not, it steers into the obstacle.
# - Choosing among candidates costs many samples and no training.
# - Real-time chunking costs a backward pass in each Euler step and no training. It freezes what will be taken, ties what was planned, and lets the network paint the rest.
# - Guidance is a force in a walk of finite steps. Clip it.
#
# **What we left out.** Delays that vary: the paper plans for the longest of the last few. Policies that are trained to continue a given prefix, which makes the backward pass unnecessary (Black et al., 2025b). Chunks whose length
# depends on the situation. Thinking about two chunks at once. And real clocks: all our delays are counted in steps.
#
# This notebook is long, and has no stretch goals: whoever wants more reads Black et al. (2025) and Liu et al. (2025) below.
#
# So far the policy has never seen what happens after its own mistakes. That is the next notebook.
#
# ## References
#
# - Stanford CS 224R, *Deep reinforcement learning*, lecture on imitation learning. The two reasons are the lecture's.
# - Zhao et al., *Learning fine-grained bimanual manipulation with low-cost hardware*, RSS 2023, arXiv:2304.13705. ACT, and temporal ensembling.
# - Chi et al., *Diffusion policy: visuomotor policy learning via action diffusion*, RSS 2023, arXiv:2303.04137. Receding horizons.
# - Liu et al., *Bidirectional decoding: improving action chunking via guided test-time sampling*, ICLR 2025, arXiv:2408.17355.
# - Black, Galliker and Levine, *Real-time execution of action chunking flow policies*, 2025, arXiv:2506.07339. Weights, guidance and its clip are
#   theirs.
# - Black et al., *Training-time action conditioning for efficient real-time chunking*, 2025 (2025b above), arXiv:2512.05964.
# - Pokle et al., *Training-free linear image inverses via flows*, 2023, arXiv:2310.04432. The formula of the guidance.
# - Zhang et al., *Action chunking and exploratory data collection yield exponential improvements in behavior cloning for continuous control*,
#   2025, arXiv:2507.09061.
