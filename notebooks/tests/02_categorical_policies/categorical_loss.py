from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_loss"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="A policy that gives all six bins the same logit loses log 6, whatever the expert did.")
def test_categorical_loss_of_a_policy_that_knows_nothing(categorical_loss):
    """A policy that gives all six bins the same logit loses log 6, whatever the expert did."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    policy = torch.nn.Linear(3, 6)
    torch.nn.init.zeros_(policy.weight)
    torch.nn.init.constant_(policy.bias, 4.0)
    loss = categorical_loss(policy, torch.ones(4, 3), torch.tensor([0, 5, 2, 2]))
    check_answered(loss, "categorical_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, math.log(6), "each of six equal bins has probability 1/6.")
    assert getattr(loss, "requires_grad", False), "gradients must flow: do not detach."
