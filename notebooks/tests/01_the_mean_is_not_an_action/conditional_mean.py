from otter.test_files import test_case

OK_FORMAT = False

name = "conditional_mean"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Where an observation was seen once, its conditional mean is the action taken there.")
def test_conditional_mean_at_an_observation_seen_once(conditional_mean):
    """Where an observation was seen once, its conditional mean is the action taken there."""
    assert conditional_mean is not None, "conditional_mean is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    actions = torch.tensor([[1.0, 2.0], [3.0, 4.0], [9.0, 6.0]])
    mean = conditional_mean(observations, actions, torch.tensor([0.0, 1.0]))
    check_answered(mean, "conditional_mean")
    check_shape(mean, (2,), "average over the rows that match, and keep the action axis.")
    check_close(mean, [3.0, 4.0], "a row matches when all of its numbers equal the query's.")
