from otter.test_files import test_case

OK_FORMAT = False

name = "wilson_interval"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Nothing in ten trials: the interval starts at zero, but does not end there.")
def test_wilson_interval_when_nothing_succeeds(wilson_interval):
    """Nothing in ten trials: the interval starts at zero, but does not end there."""
    assert wilson_interval is not None, "wilson_interval is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    interval = wilson_interval(0, 10)
    check_answered(interval, "wilson_interval")
    check_shape(torch.as_tensor(interval), (2,), "return the pair (low, high).")
    low, high = interval
    check_close(low, 0.0, "zero successes make zero a possible rate.", atol=1e-6)
    assert 0.2 < high < 0.4, (
        f"after 0 of 10, a rate of 0.2 is still possible and 0.4 is not; high is {float(high):.3f}."
    )
