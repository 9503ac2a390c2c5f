"""Receding horizons: which action of which chunk is played, and what was seen when it was thought of."""

import pytest
import torch

from imitation_lab.controller import (
    ChunkPlayer,
    EnsemblingActor,
    PhysicalPolicy,
    RecedingHorizon,
)
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.types import Actor, Policy

EVERYBODY = torch.ones(3, dtype=torch.bool)


class Clockwork:
    """Its chunks tell what was seen and which action of the chunk this is: 100 * seen + index."""

    def __init__(self, prediction_horizon):
        self.prediction_horizon = prediction_horizon
        self.asked = []

    def sample(self, observations, generator):
        self.asked.append(observations[:, 0].tolist())
        indices = torch.arange(float(self.prediction_horizon))
        return (100 * observations[:, :1] + indices).unsqueeze(2)


def play(actor, steps, generator, num_episodes=3):
    """Show every episode the number of the step, and return what is done, (steps, episodes)."""
    actor.reset(torch.ones(num_episodes, dtype=torch.bool))
    shown = [torch.full((num_episodes, 2), float(step)) for step in range(steps)]
    return torch.stack([actor.act(seen, generator)[:, 0] for seen in shown])


def due(step, prediction_horizon, execution_horizon, delay):
    """Return what the newest chunk at hand says for a step, straight from the definition."""
    period = max(execution_horizon, delay)
    asked = range(0, step + 1, period)
    seen = max(when for when in asked if when == 0 or when + delay <= step)
    return 100 * seen + min(step - seen, prediction_horizon - 1)


@pytest.mark.parametrize("prediction_horizon", [1, 4, 9])
@pytest.mark.parametrize("execution_horizon", [1, 3, 4, 7])
@pytest.mark.parametrize("delay", [0, 1, 3, 5])
def test_the_newest_chunk_at_hand_is_played_from_the_action_that_is_due(
    prediction_horizon, execution_horizon, delay, generator
):
    actor = RecedingHorizon(Clockwork(prediction_horizon), execution_horizon, delay)
    played = play(actor, 30, generator)
    expected = [due(step, prediction_horizon, execution_horizon, delay) for step in range(30)]
    assert played.T.tolist() == [expected] * 3


def test_every_episode_may_have_its_own_horizon_and_delay(generator):
    horizons, delays = [1, 3, 5], [0, 2, 6]
    actor = RecedingHorizon(Clockwork(8), torch.tensor(horizons), torch.tensor(delays))
    played = play(actor, 30, generator)
    for episode, (horizon, delay) in enumerate(zip(horizons, delays, strict=True)):
        assert played[:, episode].tolist() == [due(step, 8, horizon, delay) for step in range(30)]


def test_only_episodes_that_need_a_chunk_are_asked_about(generator):
    policy = Clockwork(8)
    play(RecedingHorizon(policy, torch.tensor([1, 2, 4])), 5, generator)
    assert [len(asked) for asked in policy.asked] == [3, 1, 2, 1, 3]


def test_an_execution_horizon_of_one_is_the_policy_itself(generator):
    policy = RegressionPolicy(2, 1, 4, width=8, generator=torch.Generator().manual_seed(0))
    physical = PhysicalPolicy(policy, Normalizer(2), Normalizer(1))
    actor = RecedingHorizon(physical)
    actor.reset(EVERYBODY)
    for _ in range(5):
        observations = torch.randn(3, 2, generator=generator)
        expected = physical.sample(observations, generator)[:, 0]
        assert torch.equal(actor.act(observations, generator), expected)


@pytest.mark.parametrize("delay", [0, 2])
def test_a_reset_starts_the_clocks_of_its_episodes_alone(delay, generator):
    actor = RecedingHorizon(Clockwork(8), 4, delay)
    play(actor, 6, generator)
    actor.reset(torch.tensor([False, True, False]))
    played = [actor.act(torch.full((3, 2), float(step)), generator)[:, 0] for step in range(6, 12)]
    going_on = [due(step, 8, 4, delay) for step in range(6, 12)]
    # The second episode's clock shows 0 at step 6, so that it sees numbers six higher.
    anew = [due(step, 8, 4, delay) + 600 for step in range(6)]
    assert torch.stack(played).T.tolist() == [going_on, anew, going_on]


def test_whoever_changes_an_action_changes_no_plan(generator):
    actor = RecedingHorizon(Clockwork(2), 4)
    actor.reset(EVERYBODY)
    played = [actor.act(torch.zeros(3, 2), generator) for _ in range(2)]
    played[1].add_(1000)
    assert actor.act(torch.zeros(3, 2), generator).flatten().tolist() == [1.0] * 3


def test_a_horizon_that_changes_on_the_way_is_kept_from_then_on(generator):
    together, apart = (
        RecedingHorizon(Clockwork(8), 4),
        RecedingHorizon(Clockwork(8), 4, torch.tensor(0)),
    )
    for actor in (together, apart):
        play(actor, 3, generator)
        actor.execution_horizon = 5
    for step in range(3, 12):
        seen = torch.full((3, 2), float(step))
        assert torch.equal(together.act(seen, generator), apart.act(seen, generator))


def test_a_decoder_gets_what_is_left_of_the_plan(generator):
    plans = []

    def decode(observations, plan, generator):
        plans.append(plan[0, :, 0].tolist())
        return policy.sample(observations, generator)

    policy = Clockwork(5)
    play(RecedingHorizon(policy, 3, 1, decode), 7, generator)
    # Asked at steps 3 and 6: three actions are taken, the last one is repeated.
    assert plans == [[3, 4, 4, 4, 4], [303, 304, 304, 304, 304]]


def test_a_decoder_is_not_asked_where_an_episode_starts(generator):
    asked = []

    def decode(observations, plans, generator):
        asked.append(len(observations))
        return policy.sample(observations, generator)

    policy = Clockwork(4)
    actor = RecedingHorizon(policy, 2, decode=decode)
    play(actor, 4, generator)
    actor.reset(torch.tensor([False, True, False]))
    actor.act(torch.zeros(3, 2), generator)
    assert asked == [3, 2]
    assert [len(rows) for rows in policy.asked] == [3, 3, 1, 2]


def test_another_number_of_episodes_starts_from_nothing(generator):
    actor = RecedingHorizon(Clockwork(4), 4)
    play(actor, 3, generator)
    assert play(actor, 2, generator, num_episodes=5)[0].tolist() == [0] * 5


def test_the_first_reset_starts_all_episodes():
    with pytest.raises(ValueError, match="must start all 3 episodes"):
        RecedingHorizon(Clockwork(4)).reset(torch.tensor([True, False, True]))


@pytest.mark.parametrize(("horizon", "delay"), [(0, 0), (1, -1), (torch.tensor([2, 0]), 0)])
def test_impossible_horizons_are_refused(horizon, delay):
    with pytest.raises(ValueError, match="at least 1 and delay at least 0"):
        RecedingHorizon(Clockwork(4), horizon, delay)


class Counter(Policy):
    """Says at every call how often it was asked, and what it was shown, in normalised units."""

    def __init__(self):
        super().__init__(observation_dim=2, action_dim=1, prediction_horizon=3)
        self.calls = 0

    def loss(self, observations, actions, generator=None): ...

    def sample(self, observations, generator=None):
        self.calls += 1
        self.shown = observations
        steps = torch.arange(3.0).view(1, 3, 1)
        return (10 * self.calls + steps).expand(len(observations), 3, 1)


def make_player():
    seen, done = Normalizer(2), Normalizer(1)
    seen.mean.copy_(torch.tensor([1.0, 2])), seen.scale.copy_(torch.tensor([2.0, 4]))
    done.mean.copy_(torch.tensor([100.0])), done.scale.copy_(torch.tensor([0.5]))
    player = ChunkPlayer(Counter(), seen, done)
    player.reset(torch.ones(4, dtype=torch.bool))
    return player


def test_a_chunk_is_played_to_its_end_and_then_the_policy_is_asked_again(generator):
    player = make_player()
    played = [player.act(torch.zeros(4, 2), generator) for _ in range(7)]
    expected = [100 + 0.5 * value for value in (10, 11, 12, 20, 21, 22, 30)]
    assert [action[0].item() for action in played] == expected
    assert all(action.shape == (4, 1) for action in played)


def test_a_controller_normalises_what_goes_in(generator):
    player = make_player()
    player.act(torch.tensor([[1.0, 2.0], [3.0, 6.0], [0, 0], [0, 0]]), generator)
    assert torch.equal(player.policy.shown[:2], torch.tensor([[0.0, 0], [1, 1]]))


def test_a_reset_drops_the_chunk(generator):
    player = make_player()
    player.act(torch.zeros(4, 2), generator)
    player.reset(torch.ones(4, dtype=torch.bool))
    assert player.act(torch.zeros(4, 2), generator)[0].item() == 100 + 0.5 * 20


def test_a_controller_is_an_actor():
    assert isinstance(make_player(), Actor)


def test_normalizers_of_another_run_are_refused():
    with pytest.raises(ValueError, match=r"have \(3, 1\) dimensions, the policy \(2, 1\)"):
        ChunkPlayer(Counter(), Normalizer(3), Normalizer(1))


def test_a_player_is_refused_a_horizon_of_zero_like_any_other():
    player = ChunkPlayer(RegressionPolicy(3, 1, 4), Normalizer(3), Normalizer(1), 0)
    with pytest.raises(ValueError, match="at least 1 and delay at least 0, got 0"):
        player.reset(torch.ones(2, dtype=torch.bool))


def test_an_ensemble_combines_all_predictions_of_the_action_that_is_due(generator):
    actor = EnsemblingActor(Clockwork(3), lambda predictions: predictions.mean(dim=1))
    played = play(actor, 5, generator)[:, 0]
    # Seen at step t - k, it is action number k.
    expected = [
        sum(100 * (step - age) + age for age in ages) / len(ages)
        for step in range(5)
        for ages in [range(min(step, 2) + 1)]
    ]
    torch.testing.assert_close(played, torch.tensor(expected))


def test_an_ensemble_gets_the_oldest_prediction_first(generator):
    seen = []
    actor = EnsemblingActor(Clockwork(2), lambda given: seen.append(given) or given[:, 0])
    play(actor, 3, generator)
    assert seen[-1][0, :, 0].tolist() == [101, 200]


def test_an_ensemble_restarts_all_episodes_at_once():
    actor = EnsemblingActor(Clockwork(2), lambda given: given[:, 0])
    assert isinstance(actor, Actor)
    with pytest.raises(ValueError, match="all of its episodes at once"):
        actor.reset(torch.tensor([True, False]))
