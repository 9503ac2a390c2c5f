from otter.test_files import test_case

OK_FORMAT = False

name = "exact_velocity"
points = [1, 1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="With one action in the data, every point moves straight towards it, and arrives at time 1.")
def test_exact_velocity_of_a_single_action(exact_velocity):
    """With one action in the data, every point moves straight towards it, and arrives at time 1."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    points = torch.tensor([[0.0, 0.0, 0.0], [3.0, -1.0, 2.0]])
    velocity = exact_velocity(points, torch.tensor([0.0, 0.75]), torch.tensor([[4.0, 1.0, -2.0]]))
    check_answered(velocity, "exact_velocity")
    check_shape(velocity, (2, 3), "one velocity for each point.")
    check_close(
        velocity,
        [[4.0, 1.0, -2.0], [4.0, 8.0, -16.0]],
        "the way that is left has to be made in the time that is left, 1 - t.",
    )

@test_case(points=None, hidden=False,
    failure_message="At time 0 a point is nothing but noise: all data are equally likely, and it aims at their mean.")
def test_exact_velocity_at_the_start_aims_at_the_mean(exact_velocity):
    """At time 0 a point is nothing but noise: all data are equally likely, and it aims at their mean."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    data = torch.tensor([[1.0, 0.0], [3.0, 0.0], [8.0, 6.0]])
    points = torch.tensor([[0.0, 0.0], [8.0, 6.0], [-3.0, 1.0], [4.0, 2.0]])
    velocity = exact_velocity(points, torch.zeros(4), data)
    check_answered(velocity, "exact_velocity")
    expected = torch.tensor([4.0, 2.0]) - points
    check_close(velocity, expected, "at time 0 every data point has the same weight.")

@test_case(points=None, hidden=True,
    failure_message="The velocity is the formula's, point by point, for any sizes and times, and arguments stay.")
def test_exact_velocity_equals_the_formula(exact_velocity):
    """The velocity is the formula's, point by point, for any sizes and times, and arguments stay."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Sizes that agree, too: there a wrong axis gives the right shape.
    for batch, dim, size, spread in [(7, 3, 5, 1), (1, 2, 1, 1), (4, 4, 4, 2), (9, 1, 40, 3)]:
        data = spread * torch.randn(size, dim, generator=generator) + 1
        data[-1] = data[0]  # drivers who did the same count twice
        times = 0.97 * torch.rand(batch, generator=generator)
        times[0] = 0.0
        noise = torch.randn(batch, dim, generator=generator)
        chosen = torch.randint(size, (batch,), generator=generator)
        points = (1 - times[:, None]) * noise + times[:, None] * data[chosen]
        given = [points.clone(), times.clone(), data.clone()]
        velocity = exact_velocity(*given)
        check_answered(velocity, "exact_velocity")
        expected = []
        for point, time in zip(points.double(), times.double(), strict=True):
            exponents = ((point - time * data.double()) / (1 - time)).square().sum(dim=1) / -2
            weights = (exponents - exponents.max()).exp()
            lines = (data.double() - point) / (1 - time)
            expected.append((weights[:, None] * lines).sum(dim=0) / weights.sum())
        check_close(
            velocity,
            torch.stack(expected),
            "average (data - x) / (1 - t) with the weights of a softmax over the data.",
            rtol=1e-2,
            atol=1e-3,
        )
        for argument, kept in zip(given, (points, times, data), strict=True):
            check_close(argument, kept, "an argument was changed in place: compute a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="Lines from noise to data that pass near a point have this velocity on average.")
def test_exact_velocity_is_the_average_over_many_lines(exact_velocity):
    """Lines from noise to data that pass near a point have this velocity on average."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count, time = fresh_generator(), 60_000, 0.4
    data = torch.tensor([[-1.0], [1.0], [2.0]])
    noise = torch.randn(count, 1, generator=generator)
    ends = data[torch.randint(3, (count,), generator=generator)]
    passing = (1 - time) * noise + time * ends
    for place in (-0.7, 0.1, 0.6, 1.3):
        near = ((passing - place).abs() < 0.02).squeeze(1)
        ways = (ends - noise)[near]
        times = torch.full((len(ways),), time)
        velocity = exact_velocity(passing[near], times, data.clone())
        check_answered(velocity, "exact_velocity")
        check_shape(velocity, ways.shape, "one velocity for each point.")
        apart = (torch.as_tensor(velocity) - ways).double()
        # The mean of the difference is zero: six standard deviations.
        assert apart.mean().abs() < 6 * apart.std() / len(ways) ** 0.5, (
            "lines that pass through a point do not have this velocity on average: weigh every data point "
            "by how likely its line passes here."
        )

@test_case(points=None, hidden=True,
    failure_message="Far from the data, and close to t = 1, the velocity is finite, and that of the nearest data point.")
def test_exact_velocity_survives_far_points_and_late_times(exact_velocity):
    """Far from the data, and close to t = 1, the velocity is finite, and that of the nearest data point."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    data = torch.tensor([[2.0, 0.0, 0.0], [-2.0, 0.0, 1.0], [0.0, 5.0, 0.0], [0.0, 0.0, -4.0]])
    near = torch.tensor([3, 0, 1, 2, 2])
    late = 1 - torch.tensor([1e-2, 1e-3, 1e-3, 1e-2, 1e-3])
    noise = 0.3 * torch.randn(5, 3, generator=generator)
    points = late[:, None] * data[near] + (1 - late[:, None]) * noise
    for points, times in (  # noqa: B020
        (points, late),
        (60 * data[near] + noise, torch.full((5,), 0.5)),
        (1e4 * data[near] + noise, torch.full((5,), 0.9)),
    ):
        given = [points.clone(), times.clone(), data.clone()]
        velocity = exact_velocity(*given)
        check_answered(velocity, "exact_velocity")
        check_finite(velocity, "exponentials underflow here: use a softmax of the exponents.")
        # Only one data point's line can have led here.
        away = points.double()[:, None] - times.double()[:, None, None] * data.double()
        nearest = away.square().sum(dim=2).argmin(dim=1)
        expected = (data[nearest].double() - points) / (1 - times.double())[:, None]
        hint = "here one data point has all the weight."
        check_close(velocity, expected, hint, rtol=1e-2, atol=1e-2)
        for argument, kept in zip(given, (points, times, data), strict=True):
            check_close(argument, kept, "an argument was changed in place: compute a new tensor.")
