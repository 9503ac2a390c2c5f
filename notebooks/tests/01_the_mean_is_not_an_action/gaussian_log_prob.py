from otter.test_files import test_case

OK_FORMAT = False

name = "gaussian_log_prob"
points = [1]

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
