from otter.test_files import test_case

OK_FORMAT = False

name = "midpoint_sample"
points = [1, 2, 1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Where the velocity is 12 t everywhere, one step of the midpoint leads to 6, and so do two.")
def test_midpoint_sample_of_a_field_that_grows(midpoint_sample):
    """Where the velocity is 12 t everywhere, one step of the midpoint leads to 6, and so do two."""
    assert midpoint_sample is not None, "midpoint_sample is not defined yet: run the cell with your answer."
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
    for num_steps in (1, 2):
        ends = midpoint_sample(velocity, start, num_steps, torch.zeros(2, 4))
        check_answered(ends, "midpoint_sample")
        check_shape(ends, (2, 3), "return the points at time 1, not the way there.")
        check_close(
            ends,
            [[6.0, 7.0, 8.0], [11.0, 1.0, 6.0]],
            "go the whole step with the velocity at the time in its middle.",
        )

@test_case(points=None, hidden=True,
    failure_message="On x' = a A x every step multiplies by 1 + \u03b4 a A + (\u03b4 a A)\xb2 / 2.")
def test_midpoint_sample_follows_each_row_s_own_field(midpoint_sample):
    """On x' = a A x every step multiplies by 1 + \u03b4 a A + (\u03b4 a A)\xb2 / 2."""
    assert midpoint_sample is not None, "midpoint_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, dim, num_steps in [(6, 3, 4), (1, 2, 9), (4, 4, 1), (3, 1, 25)]:
        start = torch.randn(batch, dim, generator=generator)
        rates = 2 * torch.randn(batch, 1, generator=generator)
        ends = midpoint_sample(
            lambda points, times, seen: seen * points.roll(1, dims=1), start, num_steps, rates
        )
        check_answered(ends, "midpoint_sample")
        expected = []
        for point, rate in zip(start.double(), rates.double(), strict=True):
            turn = rate / num_steps * torch.eye(dim).double().roll(1, dims=0)
            step = torch.eye(dim).double() + turn + turn @ turn / 2
            expected.append(torch.linalg.matrix_power(step, num_steps) @ point)
        check_close(
            ends,
            torch.stack(expected),
            "go half a step, ask there, and go the whole step from where it began; pass the "
            "observations on.",
            rtol=1e-3,
            atol=1e-4,
        )

@test_case(points=None, hidden=True,
    failure_message="Where the velocity is a function of the time, the way is the sum of its values in the middles.")
def test_midpoint_sample_asks_in_the_middle_of_the_step(midpoint_sample):
    """Where the velocity is a function of the time, the way is the sum of its values in the middles."""
    assert midpoint_sample is not None, "midpoint_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_steps in (1, 2, 3, 7):
        start = 20 * torch.randn(5, 3, generator=generator)
        weights = 3 * torch.randn(3, generator=generator)

        def velocity(points, times, seen, weights=weights):
            clock = times.unsqueeze(1)
            return weights[0] + weights[1] * clock**2 + weights[2] * (9 * clock).sin() + 0 * points

        ends = midpoint_sample(velocity, start, num_steps, torch.zeros(5, 2))
        check_answered(ends, "midpoint_sample")
        clock = (torch.arange(num_steps).double() + 0.5) / num_steps
        way = weights[0] + weights[1] * clock**2 + weights[2] * (9 * clock).sin()
        check_close(
            ends, start.double() + way.mean(), "the second velocity belongs to the time t + \u03b4 / 2."
        )

@test_case(points=None, hidden=True,
    failure_message="The first velocity of a step belongs to its beginning, and each step asks twice.")
def test_midpoint_sample_asks_for_the_first_velocity_at_the_start_of_the_step(midpoint_sample):
    """The first velocity of a step belongs to its beginning, and each step asks twice."""
    assert midpoint_sample is not None, "midpoint_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # At 12, 23, 49 and 93 steps a clock that adds up floating-point numbers ends late or early.
    for batch, num_steps in [(4, 5), (1, 1), (3, 12), (2, 12), (2, 23), (1, 49), (1, 93)]:
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
        ends = midpoint_sample(velocity, start, num_steps, rates)
        check_answered(ends, "midpoint_sample")
        assert int(asked) == 2 * batch * num_steps, (
            f"velocity was asked {float(asked) / batch:g} times a row in {num_steps} steps: expected two a "
            "step."
        )
        expected, length = start.double(), 1 / num_steps
        for step in range(num_steps):
            clock = torch.tensor(5 * step * length).double()
            halfway = expected + length / 2 * (rates * expected + clock.cos())
            expected = expected + length * (rates * halfway + (clock + 2.5 * length).cos())
        check_close(ends, expected, "a step's first velocity belongs to its beginning.", 1e-3, 1e-4)

@test_case(points=None, hidden=True,
    failure_message="The noise is what it was before the call.")
def test_midpoint_sample_leaves_the_noise_alone(midpoint_sample):
    """The noise is what it was before the call."""
    assert midpoint_sample is not None, "midpoint_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    start = torch.randn(5, 3, generator=fresh_generator())
    before = start.clone()
    ends = midpoint_sample(lambda points, times, seen: points + 1, start, 4, start[:, :1])
    check_answered(ends, "midpoint_sample")
    check_close(start, before, "x0 was changed in place: compute a new tensor.")
