from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_loss"
points = [1, 1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Probabilities 1/8, 2/8 and 5/8: bins that were likely cost little, the rare one costs log 8.")
def test_categorical_loss_of_known_odds(categorical_loss):
    """Probabilities 1/8, 2/8 and 5/8: bins that were likely cost little, the rare one costs log 8."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    policy = torch.nn.Linear(2, 3)
    torch.nn.init.zeros_(policy.weight)
    with torch.no_grad():
        policy.bias.copy_(torch.tensor([1.0, 2.0, 5.0]).log())
    loss = categorical_loss(policy, torch.ones(4, 2), torch.tensor([2, 0, 2, 1]))
    check_answered(loss, "categorical_loss")
    check_shape(loss, (), "average over the batch.")
    expected = (2 * math.log(8 / 5) + math.log(8) + math.log(8 / 2)) / 4
    check_close(loss, expected, "the policy returns logits; average \u2212log p of the expert's bins.")
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
    failure_message="Where the expert's bin has next to no probability, the loss is large and not infinite.")
def test_categorical_loss_is_stable(categorical_loss):
    """Where the expert's bin has next to no probability, the loss is large and not infinite."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    hint = "stay in logarithms, as in question 2.3: do not compute the probabilities first."
    generator = fresh_generator()
    for batch, num_bins in [(5, 4), (2, 7)]:
        logits = 2000 * torch.rand(batch, num_bins, generator=generator) - 1000
        rarest = logits.argmin(dim=1)
        loss = categorical_loss(lambda seen: seen, logits, rarest)
        check_answered(loss, "categorical_loss")
        check_finite(loss, hint)
        oracle = torch.distributions.Categorical(logits=logits.double())
        check_close(loss, -oracle.log_prob(rarest).mean(), hint, atol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to the logits is softmax minus one-hot, divided by the batch.")
def test_categorical_loss_teaches_the_policy(categorical_loss):
    """The gradient with respect to the logits is softmax minus one-hot, divided by the batch."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    policy = torch.nn.Linear(4, 6)
    torch.nn.init.normal_(policy.weight, generator=generator)
    observations = torch.randn(9, 4, generator=generator)
    indices = torch.randint(6, (9,), generator=generator)
    loss = categorical_loss(policy, observations, indices)
    check_answered(loss, "categorical_loss")
    check_shape(loss, (), "average over the batch.")
    detached = "the loss does not depend on the policy: do not detach it, nor build a new tensor."
    assert getattr(loss, "requires_grad", False), detached
    loss.backward()
    assert policy.weight.grad is not None, detached
    probabilities = torch.distributions.Categorical(logits=policy(observations).detach()).probs
    slope = (probabilities - torch.eye(6)[indices]) / 9
    check_close(policy.weight.grad, slope.T @ observations, "the gradient of the loss is off.")
    check_close(policy.bias.grad, slope.sum(dim=0), "the gradient of the loss is off.")
