from otter.test_files import test_case

OK_FORMAT = False

name = "rtc_weights"
points = [1, 1]

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
