from otter.test_files import test_case

OK_FORMAT = False

name = "rtc_weights"
points = [1, 1, 3, 1]

@test_case(points=None, hidden=False,
    failure_message="With five actions, one step of delay and two steps between chunks, three actions are tied.")
def test_rtc_weights_of_five_actions(rtc_weights):
    """With five actions, one step of delay and two steps between chunks, three actions are tied."""
    assert rtc_weights is not None, "rtc_weights is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, check_shape

    weights = rtc_weights(5, 1, 2)
    check_answered(weights, "rtc_weights")
    check_dtype(weights, torch.float32, "return a tensor of float32, as the network takes it.")
    check_shape(weights, (5,), "one weight for every action of a chunk.")
    # Between them, c falls in thirds.
    third, rest = (share * math.expm1(share) / math.expm1(1.0) for share in (1 / 3, 2 / 3))
    check_close(weights, [1.0, rest, third, 0.0, 0.0], "c is 2/3 and 1/3 here.")

@test_case(points=None, hidden=False,
    failure_message="The first `delay` weights are 1, the last `execution_horizon` are 0, and none is above the last.")
def test_rtc_weights_never_rise(rtc_weights):
    """The first `delay` weights are 1, the last `execution_horizon` are 0, and none is above the last."""
    assert rtc_weights is not None, "rtc_weights is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    weights = rtc_weights(16, 4, 5)
    check_answered(weights, "rtc_weights")
    check_shape(weights, (16,), "one weight for every action of a chunk.")
    weights = torch.as_tensor(weights)
    check_close(weights[:4], [1.0] * 4, "actions before the delay are taken from the old plan.")
    check_close(weights[-5:], [0.0] * 5, "the old plan has nothing to say about the last actions.")
    assert bool((weights.diff()[3:11] < 0).all()), "in between, each weight is below the last one."

@test_case(points=None, hidden=True,
    failure_message="For any horizons, each weight is the formula's, worked out one by one.")
def test_rtc_weights_are_the_formula_s(rtc_weights):
    """For any horizons, each weight is the formula's, worked out one by one."""
    assert rtc_weights is not None, "rtc_weights is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    cases = [(12, 2, 2), (12, 0, 1), (8, 3, 4), (50, 7, 25), (6, 1, 4), (16, 5, 9), (3, 0, 2)]
    for horizon, delay, execution in cases:
        weights = rtc_weights(horizon, delay, execution)
        check_answered(weights, "rtc_weights")
        expected = []
        for i in range(horizon):
            c = (horizon - execution - i) / (horizon - execution - delay + 1)
            between = c * (math.exp(c) - 1) / (math.e - 1)
            expected.append(1.0 if i < delay else between if i < horizon - execution else 0.0)
        check_dtype(weights, torch.float32, "return a tensor of float32, as the network takes it.")
        check_close(
            weights,
            expected,
            f"the weights for horizon {horizon}, delay {delay}, execution horizon {execution} are off.",
        )

@test_case(points=None, hidden=True,
    failure_message="Without delay no weight is 1, and without anything in between they are ones and zeros.")
def test_rtc_weights_at_the_ends(rtc_weights):
    """Without delay no weight is 1, and without anything in between they are ones and zeros."""
    assert rtc_weights is not None, "rtc_weights is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    for horizon, delay, execution in [(6, 4, 2), (4, 3, 1), (5, 0, 5), (1, 0, 1), (16, 8, 8)]:
        weights = rtc_weights(horizon, delay, execution)
        check_answered(weights, "rtc_weights")
        expected = [1.0] * delay + [0.0] * execution
        check_close(weights, expected, "with d = H - s there is nothing in between.")
    weights = rtc_weights(5, 0, 2)
    check_answered(weights, "rtc_weights")
    assert float(torch.as_tensor(weights)[0]) < 0.99, (
        "without delay no action is taken for certain."
    )
