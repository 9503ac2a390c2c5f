from otter.test_files import test_case

OK_FORMAT = False

name = "gaussian_log_prob"
points = [1, 3, 2]

@test_case(points=None, hidden=False,
    failure_message="At its mean, a Gaussian with \u03c3 = 2 in two dimensions has density 1/(8\u03c0).")
def test_gaussian_log_prob_at_its_mean(gaussian_log_prob):
    """At its mean, a Gaussian with \u03c3 = 2 in two dimensions has density 1/(8\u03c0)."""
    assert gaussian_log_prob is not None, "gaussian_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    mean, log_std = torch.ones(4, 2), torch.full((4, 2), math.log(2))
    log_prob = gaussian_log_prob(mean, log_std, mean)
    check_answered(log_prob, "gaussian_log_prob")
    check_shape(log_prob, (4,), "sum over the action dimensions, and keep the batch.")
    expected = [-math.log(8 * math.pi)] * 4
    check_close(log_prob, expected, "sum the formula over both dimensions, its constant too.")

@test_case(points=None, hidden=True,
    failure_message="The log-probabilities agree with torch.distributions, close to the mean and far from it.")
def test_gaussian_log_prob_agrees_with_torch(gaussian_log_prob):
    """The log-probabilities agree with torch.distributions, close to the mean and far from it."""
    assert gaussian_log_prob is not None, "gaussian_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, distance in [(7, 3, 1.0), (1, 1, 2.0), (5, 2, 60.0)]:
        mean, noise = torch.randn(2, batch, action_dim, generator=generator)
        log_std = 7 * torch.rand(batch, action_dim, generator=generator) - 5
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
    assert gaussian_log_prob is not None, "gaussian_log_prob is not defined yet: run the cell with your answer."
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
