from otter.test_files import test_case

OK_FORMAT = False

name = "temporal_ensemble"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Where every prediction counts half as much as the one before it, two weigh 2/3 and 1/3.")
def test_temporal_ensemble_of_two_predictions(temporal_ensemble):
    """Where every prediction counts half as much as the one before it, two weigh 2/3 and 1/3."""
    assert temporal_ensemble is not None, "temporal_ensemble is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close

    first = [[3.0, 0.0, 9.0], [0.0, 3.0, 0.0]]
    second = [[6.0, 6.0, 6.0], [0.0, 3.0, -3.0]]
    actions = temporal_ensemble(torch.tensor([first, second]), math.log(2.0))
    check_answered(actions, "temporal_ensemble")
    hint = "the oldest prediction comes first and has the weight 2/3, the newest has 1/3."
    check_close(actions, [[2.0, 1.0, 6.0], [4.0, 5.0, 3.0]], hint)

@test_case(points=None, hidden=False,
    failure_message="Predictions that agree are not changed, however many there are: the weights sum to one.")
def test_temporal_ensemble_of_equal_predictions(temporal_ensemble):
    """Predictions that agree are not changed, however many there are: the weights sum to one."""
    assert temporal_ensemble is not None, "temporal_ensemble is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    action = torch.tensor([[1.0, -2.0], [30.0, 0.5], [-4.0, 7.0]])
    for count in (1, 2, 5):
        mean = temporal_ensemble(action.unsqueeze(1).repeat(1, count, 1), 0.3)
        check_answered(mean, "temporal_ensemble")
        check_close(mean, action, "divide by the sum of the weights.")
