from otter.test_files import test_case

OK_FORMAT = False

name = "gaussian_log_prob"
points = [1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="At its mean, a standard normal in one dimension has density 1/sqrt(2\u03c0).")
def test_gaussian_log_prob_of_the_standard_normal(gaussian_log_prob):
    """At its mean, a standard normal in one dimension has density 1/sqrt(2\u03c0)."""
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    zeros = torch.zeros(4, 1)
    log_prob = gaussian_log_prob(zeros, zeros, zeros)
    check_answered(log_prob, "gaussian_log_prob")
    check_shape(log_prob, (4,), "sum over the action dimensions, and keep the batch.")
    check_close(
        log_prob, [-0.5 * math.log(2 * math.pi)] * 4, "is the constant there, and the sign right?"
    )

@test_case(points=None, hidden=True,
    failure_message="The log-probabilities agree with torch.distributions, close to the mean and far from it.")
def test_gaussian_log_prob_agrees_with_torch(gaussian_log_prob):
    """The log-probabilities agree with torch.distributions, close to the mean and far from it."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, distance in [(7, 3, 1.0), (1, 1, 2.0), (5, 2, 60.0)]:
        mean, log_std, noise = torch.randn(3, batch, action_dim, generator=generator)
        actions = mean + distance * log_std.exp() * noise
        log_prob = gaussian_log_prob(mean, log_std, actions)
        check_answered(log_prob, "gaussian_log_prob")
        oracle = torch.distributions.Normal(mean.double(), log_std.double().exp())
        expected = oracle.log_prob(actions.double()).sum(dim=1)
        check_close(
            log_prob,
            expected,
            "compare your terms with the formula, one by one.",
            rtol=1e-3,
            atol=1e-3,
        )

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to mean and log_std is the closed form's.")
def test_gaussian_log_prob_has_a_gradient(gaussian_log_prob):
    """The gradient with respect to mean and log_std is the closed form's."""
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    mean, log_std, actions = torch.randn(3, 6, 2, generator=fresh_generator())
    mean.requires_grad_()
    log_std.requires_grad_()
    log_prob = gaussian_log_prob(mean, log_std, actions)
    check_answered(log_prob, "gaussian_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches mean and log_std: do not detach."
    )
    log_prob.sum().backward()
    error = (actions - mean).detach()
    variance = (2 * log_std).exp().detach()
    check_close(
        mean.grad, error / variance, "the gradient with respect to the mean is off.", rtol=1e-3
    )
    check_close(
        log_std.grad,
        error**2 / variance - 1,
        "the gradient with respect to log_std is off.",
        rtol=1e-3,
        atol=1e-4,
    )
