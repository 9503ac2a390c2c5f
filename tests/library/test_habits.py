"""Pauses and changes of style happen as often as they are said to, and nothing else changes."""

import math

import pytest
import torch

from imitation_lab.experts import PausingActor, SwitchingActor
from imitation_lab.types import Actor

BATCH, STEPS = 1000, 120


class Counter:
    """An actor whose action is the number of its own steps, plus a constant."""

    def __init__(self, offset=0.0):
        self.offset = offset

    def reset(self, mask):
        if not hasattr(self, "steps") or len(self.steps) != len(mask):
            self.steps = torch.zeros(len(mask))
        self.steps = self.steps.masked_fill(mask, 0.0)

    def act(self, observations, generator):
        self.steps = self.steps + 1
        return (self.steps + self.offset).unsqueeze(1).expand(-1, 2)


def everybody(batch=BATCH):
    return torch.ones(batch, dtype=torch.bool)


def act(actor, steps=STEPS, batch=BATCH, seed=0):
    """Return the first number of all actions, (steps, batch)."""
    generator = torch.Generator().manual_seed(seed)
    observations = torch.zeros(batch, 3)
    return torch.stack([actor.act(observations, generator)[:, 0] for _ in range(steps)])


def within_six_sigma(values, expected):
    """Compare the mean of independent values with what is expected."""
    bound = 6 * float(values.std()) / math.sqrt(len(values))
    assert abs(float(values.mean()) - expected) < bound


def test_both_habits_are_actors():
    assert isinstance(PausingActor(Counter(), 0.1, 4), Actor)
    assert isinstance(SwitchingActor([Counter()]), Actor)


def test_a_resting_hand_repeats_the_last_action_and_then_takes_up_the_present_one():
    actor = PausingActor(Counter(), 0.2, 6)
    actor.reset(everybody())
    actions, own = act(actor), torch.arange(1.0, STEPS + 1).unsqueeze(1)
    rests = actions != own
    assert rests.any() and not rests.all()
    # Where the hand rests, the action is the one before; the first is always the actor's own.
    assert not rests[0].any()
    assert torch.equal(actions[1:][rests[1:]], actions[:-1][rests[1:]])


def test_pauses_are_as_frequent_and_as_long_as_they_are_said_to_be():
    probability, longest = 0.2, 4
    actor = PausingActor(Counter(), probability, longest)
    actor.reset(everybody())
    rests = act(actor) != torch.arange(1.0, STEPS + 1).unsqueeze(1)
    # Each time that a hand is free, a pause of 2, 3 or 4 steps begins with the probability, or else
    # it acts for a step. The beginning, which is always free, is left out.
    resting = probability * 3 / (probability * 3 + 1 - probability)
    within_six_sigma(rests[40:].float().mean(dim=0), resting)


def test_without_pauses_nothing_changes():
    for actor in (PausingActor(Counter(), 0.0, 4), PausingActor(Counter(), 1.0, 0)):
        actor.reset(everybody())
        expected = torch.arange(1.0, STEPS + 1).unsqueeze(1).expand(-1, BATCH)
        assert torch.equal(act(actor), expected)


def test_a_new_episode_begins_without_a_pause_and_leaves_the_others_in_theirs():
    actor = PausingActor(Counter(), 1.0, 40)
    actor.reset(everybody(6))
    act(actor, steps=3, batch=6)
    mask = torch.tensor([True, False, False, True, False, False])
    actor.reset(mask)
    # Every step but an episode's first is paused here: pauses last 20 steps at least.
    assert act(actor, steps=1, batch=6)[0].tolist() == [1, 1, 1, 1, 1, 1]
    actor.actor.offset = 10
    actor.reset(mask)
    assert act(actor, steps=1, batch=6)[0].tolist() == [11, 1, 1, 11, 1, 1]


def test_without_switching_one_actor_plays_an_episode_and_all_play_equally_often():
    actor = SwitchingActor([Counter(0.0), Counter(1000.0), Counter(2000.0)])
    actor.reset(everybody())
    who = act(actor, steps=20) // 1000
    assert torch.equal(who, who[:1].expand_as(who))
    for one in range(3):
        within_six_sigma((who[0] == one).float(), 1 / 3)


def test_lots_are_drawn_as_often_as_they_are_said_to_be():
    actor = SwitchingActor([Counter(0.0), Counter(1000.0)], 0.3)
    actor.reset(everybody())
    who = act(actor) // 1000
    changes = (who[1:] != who[:-1]).float().mean(dim=0)
    # A lot falls on the other one half of the time.
    within_six_sigma(changes, 0.3 / 2)


def test_a_masked_reset_draws_anew_for_the_masked_only():
    actor = SwitchingActor([Counter(0.0), Counter(1000.0)])
    actor.reset(everybody())
    before = act(actor, steps=1)[0] // 1000
    mask = torch.arange(BATCH) < BATCH // 2
    actor.reset(mask)
    after = act(actor, steps=1, seed=1)[0] // 1000
    assert torch.equal(after[~mask], before[~mask])
    within_six_sigma((after[mask] != before[mask]).float(), 0.5)


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_impossible_probabilities_are_refused(probability):
    with pytest.raises(ValueError, match="a probability lies in"):
        PausingActor(Counter(), probability, 4)
    with pytest.raises(ValueError, match="a probability lies in"):
        SwitchingActor([Counter()], probability)


def test_negative_pauses_and_missing_actors_are_refused():
    with pytest.raises(ValueError, match="longest_pause"):
        PausingActor(Counter(), 0.1, -1)
    with pytest.raises(ValueError, match="no actors"):
        SwitchingActor([])
