from otter.test_files import test_case

OK_FORMAT = False

name = "autoregressive_log_prob"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="The first number is 0 or 1 with odds 1 : 3; the second's odds depend on it.")
def test_autoregressive_log_prob_of_a_known_table(autoregressive_log_prob):
    """The first number is 0 or 1 with odds 1 : 3; the second's odds depend on it."""
    assert autoregressive_log_prob is not None, "autoregressive_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    def policy(observations, prefix):
        assert prefix.shape in {(len(observations), 0), (len(observations), 1)}, (
            f"the prefix has shape {tuple(prefix.shape)}: it holds the numbers before the one asked "
            "for, (batch, 0) for the first and (batch, 1) for the second."
        )
        if prefix.shape[1] == 0:
            return torch.tensor([[1.0, 3.0]]).log().repeat(len(observations), 1)
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        return torch.tensor([[1.0, 1.0], [1.0, 4.0]]).log()[prefix[:, 0]]

    indices = torch.tensor([[0, 1], [1, 0], [1, 1]])
    log_prob = autoregressive_log_prob(policy, torch.zeros(3, 4), indices)
    check_answered(log_prob, "autoregressive_log_prob")
    check_shape(log_prob, (3,), "one log-probability for each action: add up over its numbers.")
    check_close(
        log_prob,
        [math.log(1 / 8), math.log(3 / 20), math.log(12 / 20)],
        "multiply the first number's probability by the second's given the first, in logarithms.",
    )
