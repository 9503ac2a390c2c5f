from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_log_prob"
points = [1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="With the logits log 1, log 2 and log 5, the bins have probabilities 1/8, 2/8 and 5/8.")
def test_categorical_log_prob_of_known_odds(categorical_log_prob):
    """With the logits log 1, log 2 and log 5, the bins have probabilities 1/8, 2/8 and 5/8."""
    assert categorical_log_prob is not None, "categorical_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.tensor([1.0, 2.0, 5.0]).log().repeat(2, 1)
    log_prob = categorical_log_prob(logits, torch.tensor([2, 0]))
    check_answered(log_prob, "categorical_log_prob")
    check_shape(log_prob, (2,), "one number for each row.")
    expected = [math.log(5 / 8), math.log(1 / 8)]
    check_close(log_prob, expected, "normalise over the bins, and pick each row's own index.")

@test_case(points=None, hidden=True,
    failure_message="The log-probabilities agree with torch.distributions, for any sizes.")
def test_categorical_log_prob_agrees_with_torch(categorical_log_prob):
    """The log-probabilities agree with torch.distributions, for any sizes."""
    assert categorical_log_prob is not None, "categorical_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, num_bins, scale in [
        (7, 5, 1.0),
        (1, 3, 2.0),
        (4, 2, 10.0),
        (3, 11, 5.0),
        (6, 6, 1.0),
    ]:
        logits = scale * torch.randn(batch, num_bins, generator=generator) + 3 * scale
        indices = torch.randint(num_bins, (batch,), generator=generator)
        log_prob = categorical_log_prob(logits, indices)
        check_answered(log_prob, "categorical_log_prob")
        oracle = torch.distributions.Categorical(logits=logits.double())
        check_close(
            log_prob,
            oracle.log_prob(indices),
            "normalise each row over its bins, then pick that row's index.",
        )

@test_case(points=None, hidden=True,
    failure_message="Logits of \xb110,000 give finite and exact log-probabilities, also for bins that hardly occur.")
def test_categorical_log_prob_is_stable(categorical_log_prob):
    """Logits of \xb110,000 give finite and exact log-probabilities, also for bins that hardly occur."""
    assert categorical_log_prob is not None, "categorical_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite

    logits = torch.tensor(
        [
            [1e4, -1e4, 0.0, 9999.0],
            [1e4, -1e4, 0.0, 9999.0],
            [-1e4, -1e4, -1e4, -1e4],
            [1e4, 1e4, -1e4, -1e4],
            [0.0, 200.0, 0.0, 0.0],
        ]
    )
    indices = torch.tensor([1, 3, 2, 1, 0])
    log_prob = categorical_log_prob(logits, indices)
    check_answered(log_prob, "categorical_log_prob")
    check_finite(log_prob, "stay in logarithms: do not compute the probabilities first.")
    wide = logits.double()
    expected = (wide - wide.logsumexp(dim=1, keepdim=True))[torch.arange(5), indices]
    # Beside 10,000, float32 resolves a thousandth.
    check_close(
        log_prob, expected, "stay in logarithms: do not compute the probabilities first.", atol=2e-3
    )

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to the logits is one-hot minus softmax.")
def test_categorical_log_prob_has_a_gradient(categorical_log_prob):
    """The gradient with respect to the logits is one-hot minus softmax."""
    assert categorical_log_prob is not None, "categorical_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(5, 7, generator=generator).requires_grad_()
    indices = torch.randint(7, (5,), generator=generator)
    log_prob = categorical_log_prob(logits, indices)
    check_answered(log_prob, "categorical_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches the logits: do not detach."
    )
    log_prob.sum().backward()
    probabilities = torch.distributions.Categorical(logits=logits.detach()).probs
    expected = torch.eye(7)[indices] - probabilities
    check_close(logits.grad, expected, "the gradient with respect to the logits is off.")
