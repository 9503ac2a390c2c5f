from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_loss"
points = [1, 2, 1]

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

@test_case(points=None, hidden=True,
    failure_message="The loss is the mean of the negative log-probabilities, written out as a loop, for any sizes.")
def test_categorical_loss_equals_the_mean_written_out(categorical_loss):
    """The loss is the mean of the negative log-probabilities, written out as a loop, for any sizes."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, observation_dim, num_bins in [(6, 4, 5), (1, 3, 2), (9, 2, 4), (50, 3, 31)]:
        weight = 2 * torch.randn(num_bins, observation_dim, generator=generator)
        observations = torch.randn(batch, observation_dim, generator=generator)
        indices = torch.randint(num_bins, (batch,), generator=generator)
        loss = categorical_loss(lambda seen, weight=weight: seen @ weight.T, observations, indices)
        check_answered(loss, "categorical_loss")
        rows = torch.distributions.Categorical(logits=(observations @ weight.T).double())
        total = sum(-float(rows.logits[row, index]) for row, index in enumerate(indices.tolist()))
        check_close(loss, total / batch, "average the negative log-probabilities over the batch.")

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to the logits is softmax minus one-hot, divided by the batch.")
def test_categorical_loss_teaches_the_policy(categorical_loss):
    """The gradient with respect to the logits is softmax minus one-hot, divided by the batch."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    policy = torch.nn.Linear(4, 6)
    torch.nn.init.normal_(policy.weight, generator=generator)
    observations = torch.randn(9, 4, generator=generator)
    indices = torch.randint(6, (9,), generator=generator)
    loss = categorical_loss(policy, observations, indices)
    check_answered(loss, "categorical_loss")
    assert getattr(loss, "requires_grad", False), (
        "the loss does not depend on the policy: do not detach it."
    )
    loss.backward()
    probabilities = torch.distributions.Categorical(logits=policy(observations).detach()).probs
    slope = (probabilities - torch.eye(6)[indices]) / 9
    check_close(policy.weight.grad, slope.T @ observations, "the gradient of the loss is off.")
    check_close(policy.bias.grad, slope.sum(dim=0), "the gradient of the loss is off.")
