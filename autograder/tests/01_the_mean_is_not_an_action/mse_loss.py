from otter.test_files import test_case

OK_FORMAT = False

name = "mse_loss"
points = [1, 1, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="The loss equals the formula, written out as a loop, for any sizes.")
def test_mse_loss_equals_the_sum_written_out(mse_loss):
    """The loss equals the formula, written out as a loop, for any sizes."""
    assert mse_loss is not None, "mse_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, observation_dim, action_dim in [(6, 4, 5), (1, 3, 2), (9, 2, 1), (200, 3, 3)]:
        weight = torch.randn(action_dim, observation_dim, generator=generator)
        observations = torch.randn(batch, observation_dim, generator=generator)
        actions = 30 * torch.randn(batch, action_dim, generator=generator)
        loss = mse_loss(lambda seen, weight=weight: seen @ weight.T, observations, actions)
        check_answered(loss, "mse_loss")
        predictions = (observations @ weight.T).tolist()
        rows = zip(predictions, actions.tolist(), strict=True)
        total = sum((p - a) ** 2 for row in rows for p, a in zip(*row, strict=True))
        check_close(loss, total / batch, "sum over the action's numbers, average over the batch.")

@test_case(points=None, hidden=True,
    failure_message="The gradient reaches the policy's parameters and has the right size.")
def test_mse_loss_teaches_the_policy(mse_loss):
    """The gradient reaches the policy's parameters and has the right size."""
    assert mse_loss is not None, "mse_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    policy = torch.nn.Linear(3, 4)
    torch.nn.init.normal_(policy.weight, generator=generator)
    observations = torch.randn(8, 3, generator=generator)
    actions = torch.randn(8, 4, generator=generator)
    loss = mse_loss(policy, observations, actions)
    check_answered(loss, "mse_loss")
    assert getattr(loss, "requires_grad", False), (
        "the loss does not depend on the policy: do not detach it."
    )
    loss.backward()
    error = (policy(observations) - actions).detach()
    check_close(
        policy.weight.grad, 2 / 8 * error.T @ observations, "the gradient of the loss is off."
    )
