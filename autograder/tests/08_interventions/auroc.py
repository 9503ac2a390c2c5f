from otter.test_files import test_case

OK_FORMAT = False

name = "auroc"
points = [1, 1, 3, 2, 2]

@test_case(points=None, hidden=False,
    failure_message="Of the six pairs of a true one and a false one, the true one wins four and ties once.")
def test_auroc_of_five_scores(auroc):
    """Of the six pairs of a true one and a false one, the true one wins four and ties once."""
    assert auroc is not None, "auroc is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    scores = torch.tensor([3.0, 1.0, 2.0, 5.0, 3.0])
    chance = auroc(scores, torch.tensor([True, False, False, True, False]))
    check_answered(chance, "auroc")
    check_close(chance, 5.5 / 6, "count the pairs that a true one wins, and half of the ties.")
    chance = auroc(scores, torch.tensor([False, True, True, False, False]))
    check_close(chance, 0.0, "here every true one scores lower than every false one.")

@test_case(points=None, hidden=False,
    failure_message="A score that is the same for all is as good as a coin: one half.")
def test_auroc_of_a_score_that_knows_nothing(auroc):
    """A score that is the same for all is as good as a coin: one half."""
    assert auroc is not None, "auroc is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    chance = auroc(torch.full((7,), 2.5), torch.tensor([True] * 2 + [False] * 5))
    check_answered(chance, "auroc")
    check_close(chance, 0.5, "a tie counts as half.")

@test_case(points=None, hidden=True,
    failure_message="With and without ties, it is the share of the pairs that a true one wins.")
def test_auroc_counts_pairs(auroc):
    """With and without ties, it is the share of the pairs that a true one wins."""
    assert auroc is not None, "auroc is not defined yet: run the cell with your answer."
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

@test_case(points=None, hidden=True,
    failure_message="With thousands of scores it agrees with scipy's rank test.")
def test_auroc_of_thousands(auroc):
    """With thousands of scores it agrees with scipy's rank test."""
    assert auroc is not None, "auroc is not defined yet: run the cell with your answer."
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

@test_case(points=None, hidden=True,
    failure_message="Only the order counts: any rising function leaves it, and a change of sign turns it round.")
def test_auroc_knows_the_order_only(auroc):
    """Only the order counts: any rising function leaves it, and a change of sign turns it round."""
    assert auroc is not None, "auroc is not defined yet: run the cell with your answer."
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
