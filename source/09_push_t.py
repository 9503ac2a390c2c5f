# ---
# jupyter:
#   imitation_lab:
#     title: 'Capstone: Push-T'
#     answers: []
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Capstone: Push-T

# %%
import math

import torch

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
    for count, dim in [(6, 4), (4, 2), (9, 5)]:
        scales = 10.0 ** torch.linspace(-1, 2, dim)
        times = torch.randint(1, 15, (count,), generator=generator).tolist()
        episodes = [scales * torch.randn(n, dim, generator=generator) for n in times]
        is_training = [index % 3 != 1 for index in range(count)]
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

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

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
        for own, before in zip(result[0], given, strict=True):
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
    """The episodes are overwritten: make new tensors."""
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


# %% [markdown] question="relative_chunks" points=[1, 2, 3, 2, 2]
# ### Question 9.2 · Where to, from here
#
# Write `relative_chunks(observations, actions, prediction_horizon)`.
#
# - `observations` is `(time, 5)`: the first two numbers are where the agent was. `actions` is `(time, 2)`: the target that it was sent to at this step, on the table.
# - Return `(time, prediction_horizon, 2)`: at every step the targets of the chunk that starts there, **as seen from where the agent was at that step**.
# - All targets of one chunk are seen from the same place: when the chunk is played, this place is all that is known of the agent.
# - Past the episode's end the last target repeats, the place on the table.


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
    """The actions are overwritten: make a new tensor."""
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


# %% [markdown] question="paired_bootstrap" points=[1, 2, 3, 3, 2, 1]
# ### Question 9.3 · The same starts for both
#
# Write `paired_bootstrap(first, second, num_resamples, generator, confidence=0.95)`.
#
# - `first` and `second` are `(starts,)`: what two policies reached from the same starts, in the same order.
# - We want to know how sure we are of the mean of `first - second`. Draw as many starts as there are, at random and **with replacement**, so that some come twice and some not at all.
#   The mean difference over these starts is one resample. Both policies are judged by the same drawn starts.
# - Do that `num_resamples` times. Return the pair `(low, high)` of those means' percentiles: between them lies the middle share `confidence`, and
#   equally much is left out below and above.
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
    for starts, wins, sign, confidence in [
        (8, 1, 1.0, 0.95),
        (8, 1, -1.0, 0.95),
        (12, 3, 1.0, 0.8),
        (20, 2, -1.0, 0.5),
    ]:
        order = torch.randperm(starts, generator=generator)
        level = torch.randint(8, (starts,), generator=generator) / 8
        won = (torch.arange(starts) < wins).float()[order]
        interval = paired_bootstrap(level + sign * won, level.clone(), 4000, generator, confidence)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        outside = (1 - confidence) / 2
        counts = binom(starts, wins / starts).ppf([outside, 1 - outside])
        expected = sorted(sign * count / starts for count in counts)
        check_close(
            torch.tensor([float(bound) for bound in interval]),
            expected,
            "the percentiles of mean differences over starts that are drawn with replacement.",
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


# %% [markdown] question="mode_entropy" points=[1, 2, 3, 2]
# ### Question 9.4 · How undecided?
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
            check_close(entropy, 0.0, hint, atol=1e-6)


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


def mode_entropy__by_numpy(pushed_left):
    import numpy as np

    left = pushed_left.numpy().mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -left * np.log2(left) - (1 - left) * np.log2(1 - left)
    return torch.tensor(np.nan_to_num(bits).mean(), dtype=torch.float32)


# %% [markdown] question="success_lower_bound" points=[2, 3, 3]
# ### Question 9.5 · At least
#
# Write `success_lower_bound(successes, trials, z=1.96)`: the lower end of Wilson's interval (notebook 1). With the share $\hat p$ of successes in $n$ trials, it is
#
# $$
# \frac{1}{1 + z^2 / n} \left( \hat p + \frac{z^2}{2 n} - z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}} \right) .
# $$
#
# `successes` and `trials` are whole numbers, and `trials` is at least 1. Return one number.


# %% tags=["solution"]
def success_lower_bound(successes, trials, z=1.96):
    """Return the lower end of Wilson's interval for the chance of success."""
    # BEGIN SOLUTION
    share, spread = successes / trials, z**2 / trials
    middle = share + spread / 2
    reach = math.sqrt(share * (1 - share) * spread + spread**2 / 4)
    return (middle - reach) / (1 + spread)
    # END SOLUTION


# %% tags=["public"]
def test_success_lower_bound_where_nothing_fails(success_lower_bound):
    """With n successes in n trials it is n / (n + z²): never 1, and nearer to it with every trial."""
    from imitation_lab.testing import check_answered, check_close

    for trials in (1, 9, 96):
        bound = success_lower_bound(trials, trials, z=2.0)
        check_answered(bound, "success_lower_bound")
        check_close(bound, trials / (trials + 4), "put p = 1 into the formula.")


# %% tags=["hidden"]
def test_success_lower_bound_agrees_with_scipy(success_lower_bound):
    """It is the lower end of scipy's Wilson interval, for few trials and many."""
    import torch
    from scipy.stats import binomtest, norm

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    confidence = 1 - 2 * norm.sf(1.96)
    for trials in (1, 2, 13, 50, 100, 1000):
        drawn = int(torch.randint(trials + 1, (1,), generator=generator))
        for successes in {0, drawn, trials, trials // 2, trials - 1}:
            bound = success_lower_bound(successes, trials)
            check_answered(bound, "success_lower_bound")
            oracle = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
            check_close(bound, oracle.low, "compare with the formula, term by term.")


def test_success_lower_bound_uses_z(success_lower_bound):
    """A larger z asks for more certainty, and the bound falls."""
    import torch
    from scipy.stats import binomtest, norm

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for _ in range(4):
        trials = int(torch.randint(5, 300, (1,), generator=generator))
        successes = int(torch.randint(1, trials, (1,), generator=generator))
        for z in (0.5, 1.645, 2.576, 4.0):
            bound = success_lower_bound(successes, trials, z)
            check_answered(bound, "success_lower_bound")
            oracle = binomtest(successes, trials).proportion_ci(1 - 2 * norm.sf(z), method="wilson")
            check_close(bound, oracle.low, "z stands in the formula four times.", 1e-4, 1e-6)


# %% tags=["wrong"]
def success_lower_bound__is_walds(successes, trials, z=1.96):
    """Wald's interval: with no failure it claims to be certain."""
    share = successes / trials
    return share - z * math.sqrt(share * (1 - share) / trials)


def success_lower_bound__is_walds_cut_off(successes, trials, z=1.96):
    """Wald's interval, cut off at 0: with no failure it claims to be certain."""
    share = successes / trials
    return max(0.0, share - z * math.sqrt(share * (1 - share) / trials))


def success_lower_bound__is_the_rate(successes, trials, z=1.96):
    """The success rate itself: one lucky trial would be worth 1."""
    return successes / trials


def _bound(share, trials, z, sign):
    centre = share + z**2 / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (centre + sign * half) / (1 + z**2 / trials)


def success_lower_bound__is_the_upper(successes, trials, z=1.96):
    """The upper end: a minus stands before the root."""
    return _bound(successes / trials, trials, z, 1)


def success_lower_bound__is_the_middle(successes, trials, z=1.96):
    """The middle of the interval: subtract the root."""
    return _bound(successes / trials, trials, z, 0)


def success_lower_bound__drops_z(successes, trials, z=1.96):
    """Always 1.96: use z."""
    return _bound(successes / trials, trials, 1.96, -1)


def success_lower_bound__is_not_divided(successes, trials, z=1.96):
    """The factor before the bracket is missing."""
    return _bound(successes / trials, trials, z, -1) * (1 + z**2 / trials)


def success_lower_bound__is_not_shifted(successes, trials, z=1.96):
    """The term z²/2n is missing."""
    return _bound(successes / trials, trials, z, -1) - z**2 / (2 * trials) / (1 + z**2 / trials)


def success_lower_bound__has_a_root_too_small(successes, trials, z=1.96):
    """Under the root, z²/4n² is missing."""
    share = successes / trials
    half = z * math.sqrt(share * (1 - share) / trials)
    return (share + z**2 / (2 * trials) - half) / (1 + z**2 / trials)


def success_lower_bound__has_n_for_its_square(successes, trials, z=1.96):
    """Under the root stands z²/4n: n is squared there."""
    share = successes / trials
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials))
    return (share + z**2 / (2 * trials) - half) / (1 + z**2 / trials)


def success_lower_bound__takes_z_once(successes, trials, z=1.96):
    """The z before the root is missing."""
    share = successes / trials
    half = math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (share + z**2 / (2 * trials) - half) / (1 + z**2 / trials)


def success_lower_bound__is_agrestis(successes, trials, z=1.96):
    """Agresti's and Coull's interval: it has the same middle, and is wider."""
    count = trials + z**2
    share = (successes + z**2 / 2) / count
    return share - z * math.sqrt(share * (1 - share) / count)


def success_lower_bound__of_the_failures(successes, trials, z=1.96):
    """The bound of the failures: p is the share of successes."""
    return _bound(1 - successes / trials, trials, z, -1)


def success_lower_bound__takes_a_percentage(successes, trials, z=1.96):
    """In per cent: return a share between 0 and 1."""
    return 100 * _bound(successes / trials, trials, z, -1)


def success_lower_bound__rounds_down(successes, trials, z=1.96):
    """Whole numbers are divided as such: the share is rounded down to 0 or 1."""
    return _bound(successes // trials, trials, z, -1)


def success_lower_bound__is_exact(successes, trials, z=1.96):
    """Clopper's and Pearson's bound: a good one, but another one."""
    from scipy.stats import beta, norm

    return beta.ppf(norm.sf(z), successes, trials - successes + 1) if successes else 0.0


# %% tags=["right"]
def success_lower_bound__by_the_quadratic_equation(successes, trials, z=1.96):
    share = successes / trials
    a, b, c = 1 + z * z / trials, -2 * share - z * z / trials, share**2
    return (-b - math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a)


def success_lower_bound__by_counting(successes, trials, z=1.96):
    failures = trials - successes
    half = z * (successes * failures / trials + z**2 / 4) ** 0.5
    return (successes + z**2 / 2 - half) / (trials + z**2)


def success_lower_bound__by_tensors(successes, trials, z=1.96):
    share = torch.tensor(successes / trials, dtype=torch.float64)
    inside = share * (1 - share) / trials + (z / (2 * trials)) ** 2
    return (share + z**2 / (2 * trials) - z * inside.sqrt()) / (1 + z**2 / trials)


def success_lower_bound__by_scipy(successes, trials, z=1.96):
    from scipy.stats import binomtest, norm

    confidence = float(norm.cdf(z) - norm.cdf(-z))
    return binomtest(successes, trials).proportion_ci(confidence, method="wilson").low
