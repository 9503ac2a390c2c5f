from otter.test_files import test_case

OK_FORMAT = False

name = "loglog_slope"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="A cost of 3 T\xb2 has slope 2, a cost of 5 T has slope 1.")
def test_loglog_slope_of_powers(loglog_slope):
    """A cost of 3 T\xb2 has slope 2, a cost of 5 T has slope 1."""
    assert loglog_slope is not None, "loglog_slope is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    horizons = torch.tensor([2.0, 4.0, 16.0, 10.0])
    slope = loglog_slope(horizons, 3 * horizons**2)
    check_answered(slope, "loglog_slope")
    check_shape(slope, (), "one number for all the points.")
    check_close(slope, 2.0, "take the logarithms of both, and then the slope.", 1e-3)
    check_close(loglog_slope(horizons, 5 * horizons), 1.0, "5 T has slope 1.", 1e-3)
