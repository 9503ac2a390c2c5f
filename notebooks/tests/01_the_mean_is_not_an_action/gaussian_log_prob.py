from otter.test_files import test_case

OK_FORMAT = False

name = "gaussian_log_prob"
points = [1]

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
