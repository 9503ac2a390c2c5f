from otter.test_files import test_case

OK_FORMAT = False

name = "loglog_slope"
points = [1, 2, 1]

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

@test_case(points=None, hidden=True,
    failure_message="No other line through the logarithms has smaller squared errors, however the points scatter.")
def test_loglog_slope_is_the_best_fit(loglog_slope):
    """No other line through the logarithms has smaller squared errors, however the points scatter."""
    assert loglog_slope is not None, "loglog_slope is not defined yet: run the cell with your answer."
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for count, lowest in [(3, -3.0), (8, -1.0), (25, 1.0)]:
        horizons = 1 + 300 * torch.rand(count, generator=generator)
        horizons[:2] = torch.tensor([250.0, 2.0])  # not all alike
        power = lowest + 2 * torch.rand(1, generator=generator)
        scatter = torch.randn(count, generator=generator).exp()
        costs = 0.02 * horizons**power * scatter
        given = horizons.clone(), costs.clone()
        slope = loglog_slope(*given)
        check_answered(slope, "loglog_slope")
        check_shape(slope, (), "one number for all the points.")
        x, y = horizons.double().log().numpy(), costs.double().log().numpy()
        design = np.stack([x, np.ones_like(x)], axis=1)
        expected = np.linalg.lstsq(design, y, rcond=None)[0][0]
        check_close(
            slope, expected, "least squares over all points, with an intercept.", 1e-2, 1e-3
        )
        check_close(given[0], horizons, "the horizons were changed in place.")
        check_close(given[1], costs, "the costs were changed in place.")

@test_case(points=None, hidden=True,
    failure_message="k T^p has slope p, for every k, in every unit of time.")
def test_loglog_slope_is_the_power(loglog_slope):
    """k T^p has slope p, for every k, in every unit of time."""
    assert loglog_slope is not None, "loglog_slope is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for unit, sign in [(1.0, 1), (0.02, -1), (50.0, 1)]:
        power, scale = (float(number) for number in torch.randn(2, generator=generator))
        power = sign * (0.2 + abs(power))
        horizons = unit * (1 + 99 * torch.rand(7, generator=generator))
        horizons[:2] = unit * torch.tensor([90.0, 3.0])
        slope = loglog_slope(horizons, 10**scale * horizons**power)
        check_answered(slope, "loglog_slope")
        check_close(slope, power, f"a cost of k T^{power:.2f} has slope {power:.2f}.", 1e-2, 1e-3)
