from otter.test_files import test_case

OK_FORMAT = False

name = "ensemble_disagreement"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Two policies whose actions are (6, 8) apart are both 5 away from their mean.")
def test_ensemble_disagreement_of_two(ensemble_disagreement):
    """Two policies whose actions are (6, 8) apart are both 5 away from their mean."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
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

@test_case(points=None, hidden=False,
    failure_message="Policies that always do the same do not disagree, nor does a policy alone.")
def test_ensemble_disagreement_of_one_mind(ensemble_disagreement):
    """Policies that always do the same do not disagree, nor does a policy alone."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    seen = torch.tensor([[1.0, -2.0], [3.0, 5.0]])
    for number in (1, 2, 5):
        disagreement = ensemble_disagreement([torch.square] * number, seen)
        check_answered(disagreement, "ensemble_disagreement")
        check_close(
            disagreement, [0.0, 0.0], "no distance from the mean: divide by the number of policies."
        )
