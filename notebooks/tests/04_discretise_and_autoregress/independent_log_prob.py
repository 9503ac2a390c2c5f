from otter.test_files import test_case

OK_FORMAT = False

name = "independent_log_prob"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Where all 5 bins of 3 numbers are equally likely, every action has probability 1/125.")
def test_independent_log_prob_of_even_bins(independent_log_prob):
    """Where all 5 bins of 3 numbers are equally likely, every action has probability 1/125."""
    assert independent_log_prob is not None, "independent_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    indices = torch.tensor([[0, 1, 2], [4, 4, 4]])
    log_prob = independent_log_prob(
        lambda seen: torch.full((len(seen), 3, 5), 7.0), torch.zeros(2, 4), indices
    )
    check_answered(log_prob, "independent_log_prob")
    check_shape(log_prob, (2,), "one log-probability for each action: add up over its numbers.")
    check_close(
        log_prob,
        [-math.log(125)] * 2,
        "normalise the logits of each number, and add up the log-probabilities of the bins.",
    )
