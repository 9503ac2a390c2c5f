from otter.test_files import test_case

OK_FORMAT = False

name = "wilson_interval"
points = [1, 2, 1]

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

@test_case(points=None, hidden=True,
    failure_message="The interval agrees with an independent implementation, for many counts.")
def test_wilson_interval_agrees_with_scipy(wilson_interval):
    """The interval agrees with an independent implementation, for many counts."""
    assert wilson_interval is not None, "wilson_interval is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import binomtest, norm

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    counts = [(0, 17), (23, 23)]
    for _ in range(8):
        trials = int(torch.randint(1, 400, (), generator=generator))
        counts.append((int(torch.randint(0, trials + 1, (), generator=generator)), trials))
    for successes, trials in counts:
        interval = wilson_interval(successes, trials)
        check_answered(interval, "wilson_interval")
        check_shape(torch.as_tensor(interval), (2,), "return the pair (low, high).")
        confidence = 1 - 2 * norm.sf(1.96)
        oracle = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        check_close(interval[0], float(oracle.low), "the lower bound is off.")
        check_close(interval[1], float(oracle.high), "the upper bound is off.")

@test_case(points=None, hidden=True,
    failure_message="A larger z gives the wider interval that belongs to it.")
def test_wilson_interval_uses_z(wilson_interval):
    """A larger z gives the wider interval that belongs to it."""
    assert wilson_interval is not None, "wilson_interval is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import binomtest, norm

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    for z in (0.5 + 2.5 * torch.rand(5, generator=fresh_generator())).tolist():
        interval = wilson_interval(7, 20, z)
        check_answered(interval, "wilson_interval")
        check_shape(torch.as_tensor(interval), (2,), "return the pair (low, high).")
        oracle = binomtest(7, 20).proportion_ci(1 - 2 * norm.sf(z), method="wilson")
        check_close(interval[0], float(oracle.low), "the lower bound is off where z is not 1.96.")
        check_close(interval[1], float(oracle.high), "the upper bound is off where z is not 1.96.")
