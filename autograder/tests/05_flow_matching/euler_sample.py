from otter.test_files import test_case

OK_FORMAT = False

name = "euler_sample"
points = [1, 1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Where the velocity is 12 t everywhere, two steps lead to 0 + 0 + 6/2 = 3.")
def test_euler_sample_of_a_field_that_grows(euler_sample):
    """Where the velocity is 12 t everywhere, two steps lead to 0 + 0 + 6/2 = 3."""
    assert euler_sample is not None, "euler_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    def velocity(points, times, seen):
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        assert points.dtype == times.dtype == torch.float32, (
            "velocity was given float64: the network takes float32, convert with .float()."
        )
        assert len(seen) == len(points), "velocity was not given the observations of its points."
        return 12 * times.unsqueeze(1) + 0 * points

    start = torch.tensor([[0.0, 1.0, 2.0], [5.0, -5.0, 0.0]])
    ends = euler_sample(velocity, start, 2, torch.zeros(2, 4))
    check_answered(ends, "euler_sample")
    check_shape(ends, (2, 3), "return the points at time 1, not the way there.")
    check_close(
        ends,
        [[3.0, 4.0, 5.0], [8.0, -2.0, 3.0]],
        "two steps of length 1/2, with the velocities at times 0 and 1/2.",
    )

@test_case(points=None, hidden=True,
    failure_message="Where the velocity is a function of the time, the way is the sum of its values at 0, \u03b4, \u2026 , 1 \u2212 \u03b4.")
def test_euler_sample_sums_up_what_the_clock_shows(euler_sample):
    """Where the velocity is a function of the time, the way is the sum of its values at 0, \u03b4, \u2026 , 1 \u2212 \u03b4."""
    assert euler_sample is not None, "euler_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_steps in (1, 2, 3, 7, 20):
        start = 20 * torch.randn(5, 3, generator=generator)
        weights = 3 * torch.randn(3, generator=generator)

        def velocity(points, times, seen, weights=weights):
            clock = times.unsqueeze(1)
            return weights[0] + weights[1] * clock + weights[2] * (9 * clock).sin() + 0 * points

        ends = euler_sample(velocity, start, num_steps, torch.zeros(5, 2))
        check_answered(ends, "euler_sample")
        clock = torch.arange(num_steps).double() / num_steps
        way = weights[0] + weights[1] * clock + weights[2] * (9 * clock).sin()
        check_close(
            ends,
            start.double() + way.mean(),
            "take num_steps steps of length 1 / num_steps; the first is at time 0, the last at 1 - \u03b4.",
        )

@test_case(points=None, hidden=True,
    failure_message="The velocity is asked for at the points' present place, with the row's own observation.")
def test_euler_sample_follows_each_row_s_own_field(euler_sample):
    """The velocity is asked for at the points' present place, with the row's own observation."""
    assert euler_sample is not None, "euler_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, dim, num_steps in [(6, 3, 4), (1, 2, 9), (4, 4, 1), (3, 1, 25)]:
        start = torch.randn(batch, dim, generator=generator)
        rates = 2 * torch.randn(batch, 1, generator=generator)
        ends = euler_sample(
            lambda points, times, seen: seen * points.roll(1, dims=1), start, num_steps, rates
        )
        check_answered(ends, "euler_sample")
        # On x' = A x every Euler step multiplies by (1 + \u03b4 A).
        expected = []
        for point, rate in zip(start.double(), rates.double(), strict=True):
            step = torch.eye(dim).double() + rate / num_steps * torch.eye(dim).roll(1, dims=0)
            expected.append(torch.linalg.matrix_power(step, num_steps) @ point)
        check_close(
            ends,
            torch.stack(expected),
            "ask for the velocity where the points are now, and pass the observations on.",
            rtol=1e-3,
            atol=1e-4,
        )

@test_case(points=None, hidden=True,
    failure_message="Each step asks once a row, where the points are, at the time that it is, in the order of time.")
def test_euler_sample_asks_once_a_step(euler_sample):
    """Each step asks once a row, where the points are, at the time that it is, in the order of time."""
    assert euler_sample is not None, "euler_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # At 12, 23, 49 and 93 steps a clock that adds up floating-point numbers ends late or early.
    for batch, num_steps in [(3, 6), (1, 1), (5, 11), (2, 12), (2, 23), (1, 49), (1, 93)]:
        asked = torch.zeros(())
        rates = torch.randn(batch, 1, generator=generator)

        def velocity(points, times, seen, asked=asked):
            assert times.shape == (len(points),), (
                f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
            )
            assert points.dtype == times.dtype == torch.float32, (
                "velocity was given float64: the network takes float32, convert with .float()."
            )
            asked.add_(len(points))
            return seen * points + (5 * times).cos().unsqueeze(1)

        start = torch.randn(batch, 2, generator=generator)
        ends = euler_sample(velocity, start, num_steps, rates)
        check_answered(ends, "euler_sample")
        assert int(asked) == batch * num_steps, (
            f"velocity was asked {float(asked) / batch:g} times a row in {num_steps} steps: once is enough."
        )
        expected = start.double()
        for clock in torch.arange(num_steps).double() / num_steps:
            expected = expected + (rates * expected + (5 * clock).cos()) / num_steps
        check_close(ends, expected, "take the steps in the order of time.", 1e-3, 1e-4)

@test_case(points=None, hidden=True,
    failure_message="The noise is what it was before the call.")
def test_euler_sample_leaves_the_noise_alone(euler_sample):
    """The noise is what it was before the call."""
    assert euler_sample is not None, "euler_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    start = torch.randn(5, 3, generator=fresh_generator())
    before = start.clone()
    ends = euler_sample(lambda points, times, seen: points + 1, start, 4, start[:, :1])
    check_answered(ends, "euler_sample")
    check_close(start, before, "x0 was changed in place: compute a new tensor.")
