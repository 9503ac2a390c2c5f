from otter.test_files import test_case

OK_FORMAT = False

name = "mse_loss"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="The loss is one number, and zero when the policy is right.")
def test_mse_loss_is_one_number(mse_loss):
    """The loss is one number, and zero when the policy is right."""
    assert mse_loss is not None, "mse_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    policy = torch.nn.Linear(4, 2)
    observations = torch.arange(12.0).reshape(3, 4)
    loss = mse_loss(policy, observations, policy(observations).detach())
    check_answered(loss, "mse_loss")
    check_shape(loss, (), "sum over the action's numbers, then average over the batch.")
    check_close(loss, 0.0, "a policy that predicts every action exactly has no loss.")
    assert getattr(loss, "requires_grad", False), (
        "gradients must flow: return a tensor, and do not detach it."
    )

@test_case(points=None, hidden=False,
    failure_message="An error of (3, 4) in every row costs 3\xb2 + 4\xb2 = 25.")
def test_mse_loss_of_a_known_error(mse_loss):
    """An error of (3, 4) in every row costs 3\xb2 + 4\xb2 = 25."""
    assert mse_loss is not None, "mse_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    loss = mse_loss(
        lambda observations: 0 * observations[:, :2],
        torch.ones(5, 7),
        torch.tensor([[3.0, 4.0]]).repeat(5, 1),
    )
    check_answered(loss, "mse_loss")
    check_close(
        loss, 25.0, "sum the squares over the action's numbers, and average over the batch."
    )
