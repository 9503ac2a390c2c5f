"""Who drives, how sure one is, and what is kept."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from imitation_lab.experts import Supervisor
from imitation_lab.gating import (
    auroc,
    ensemble_disagreement,
    fit_threshold,
    gate,
    human_gated_rollout,
)
from tests.library.test_dagger import Counter, label, silence


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_disagreement_is_numpys_standard_deviation_over_policies():
    weights = torch.randn(5, 3, 2, generator=seeded())
    policies = [lambda observations, w=w: observations @ w for w in weights]
    observations = torch.randn(7, 3, generator=seeded(1))
    answers = np.stack([policy(observations).numpy() for policy in policies])
    expected = np.sqrt(answers.var(axis=0).sum(axis=-1))
    np.testing.assert_allclose(ensemble_disagreement(policies, observations), expected, rtol=1e-5)


def test_policies_that_agree_leave_no_doubt():
    doubt = ensemble_disagreement([silence] * 4, torch.randn(6, 3, generator=seeded()))
    assert torch.equal(doubt, torch.zeros(6))


@pytest.mark.parametrize(
    ("score", "engaged", "expected"),
    [
        (0.9, False, True),
        (0.9, True, True),
        (0.5, False, False),
        (0.5, True, True),
        (0.1, False, False),
        (0.1, True, False),
        (0.7, False, False),  # exactly high: not above it
        (0.3, True, True),  # exactly low: not below it
    ],
)
def test_between_the_thresholds_everything_stays(score, engaged, expected):
    answer = gate(torch.tensor([score]), torch.tensor([engaged]), low=0.3, high=0.7)
    assert answer.tolist() == [expected]


@pytest.mark.parametrize("budget", [0.0, 0.05, 0.33, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("ties", [False, True])
def test_no_smaller_score_would_keep_the_budget(budget, ties):
    scores = torch.rand(41, generator=seeded())
    if ties:
        scores = (5 * scores).round()
    threshold = fit_threshold(scores, budget)
    assert (scores > threshold).float().mean() <= budget + 1e-6
    for lower in scores[scores < threshold].tolist():
        assert (scores > lower).float().mean() > budget
    assert threshold in scores


def test_the_area_is_mann_and_whitneys():
    scores = (4 * torch.rand(60, generator=seeded())).round()
    labels = torch.rand(60, generator=seeded(1)) < 0.3
    positive, negative = scores[labels].numpy(), scores[~labels].numpy()
    expected = mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative))
    np.testing.assert_allclose(auroc(scores, labels), expected, rtol=1e-5)


def never(observations, engaged):
    return torch.zeros_like(engaged)


def test_with_nobody_at_the_wheel_nothing_is_kept_and_nobody_asked():
    def unasked(observations):
        raise AssertionError("nobody was engaged")

    observations, actions = human_gated_rollout(Counter(), silence, unasked, never, seeded(), 4)
    assert observations.shape == (0, 3) and actions.shape == (0, 1)


def test_with_a_gate_that_never_lets_go_all_is_kept_from_then_on():
    def gate(observations, engaged):
        return engaged | (observations[:, 1] == 2)  # two steps before the end

    observations, actions = human_gated_rollout(Counter(), silence, label, gate, seeded(), 4)
    assert observations[:, 1].tolist() == [2, 1] * 4
    assert observations[:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(actions, label(observations))
    # Before: the policy's action, or none at the start. After: the expert's.
    before = [0 if episode == 0 else -1 for episode in range(4)]
    assert observations[::2, 2].tolist() == before
    assert torch.equal(observations[1::2, 2:], actions[::2])


def test_the_gate_is_told_who_drove_and_may_let_go():
    def every_other(observations, engaged):
        return ~engaged

    observations, _ = human_gated_rollout(Counter(), silence, label, every_other, seeded(), 4)
    steps_left = [observations[observations[:, 0] == i, 1].tolist() for i in range(4)]
    assert steps_left == [[2], [3, 1], [4, 2], [5, 3, 1]]


def supervisor(**settings):
    return Supervisor(lambda observations: observations[:, 0], seeded(), 0.6, 0.2, **settings)


def driven(person, dangers):
    """Who drives at each step, for dangers (time, batch)."""
    engaged, answers = torch.zeros(dangers.shape[1], dtype=torch.bool), []
    for danger in dangers:
        engaged = person(danger.unsqueeze(1), engaged)
        answers.append(engaged)
    return torch.stack(answers)


@pytest.mark.parametrize("reaction", [0, 1, 3])
def test_a_supervisor_takes_over_so_many_steps_after_the_alarm_and_hands_back_below_relief(
    reaction,
):
    dangers = torch.tensor([0.1, 0.7, 0.8, 0.7, 0.9, 0.4, 0.3, 0.1, 0.1]).unsqueeze(1)
    answers = driven(supervisor(reaction_steps=reaction), dangers)
    assert answers.flatten().tolist() == [1 + reaction <= step < 7 for step in range(9)]


def test_who_looks_away_misses_the_alarm_for_a_while():
    dangers = torch.full((200, 300), 0.7)
    quick = driven(supervisor(reaction_steps=0), dangers).float()
    assert quick.all()
    lapsing = driven(supervisor(reaction_steps=0, lapse=1.0, lapse_steps=10.0), dangers)
    # All look away at first; from then on a tenth of them looks back at every step.
    waited = (~lapsing).sum(dim=0).float()
    mean, spread = 10.0, (1 - 0.1) ** 0.5 / 0.1
    assert abs(waited.mean() - mean) < 6 * spread / 300**0.5 + 1


def test_a_supervisor_refuses_numbers_that_make_no_sense():
    with pytest.raises(ValueError, match="relief"):
        Supervisor(lambda o: o, seeded(), alarm=0.2, relief=0.5)
    with pytest.raises(ValueError, match="lapse"):
        supervisor(lapse=1.5)
