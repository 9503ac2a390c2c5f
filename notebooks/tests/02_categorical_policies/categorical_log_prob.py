from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_log_prob"
points = [1]

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
