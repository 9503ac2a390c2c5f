from otter.test_files import test_case

OK_FORMAT = False

name = "auroc"
points = [1, 1]

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
