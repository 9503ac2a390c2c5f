from otter.test_files import test_case

OK_FORMAT = False

name = "interpolate"
points = [1, 1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="Three rows: one at the start of its line, one a quarter of the way on, one at the end.")
def test_interpolate_of_known_lines(interpolate):
    """Three rows: one at the start of its line, one a quarter of the way on, one at the end."""
    assert interpolate is not None, "interpolate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    starts = torch.tensor([[1.0, 2.0], [0.0, 8.0], [5.0, 5.0]])
    ends = torch.tensor([[9.0, 9.0], [4.0, 0.0], [-1.0, 7.0]])
    pair = interpolate(starts, ends, torch.tensor([0.0, 0.25, 1.0]))
    check_answered(pair, "interpolate")
    assert len(pair) == 2, "return a pair: points and velocity."
    points, velocity = pair
    check_answered(points, "interpolate")
    check_close(
        points,
        [[1.0, 2.0], [1.0, 6.0], [-1.0, 7.0]],
        "every row has its own time: at 0 it is at x0, at 1 it is at x1.",
    )
    check_close(
        velocity,
        [[8.0, 7.0], [4.0, -8.0], [-6.0, 2.0]],
        "the velocity is the derivative of the point with respect to the time.",
    )

@test_case(points=None, hidden=True,
    failure_message="Points and velocities are the formula's, number by number, for any sizes, at the ends too.")
def test_interpolate_keeps_every_row_on_its_own_line(interpolate):
    """Points and velocities are the formula's, number by number, for any sizes, at the ends too."""
    assert interpolate is not None, "interpolate is not defined yet: run the cell with your answer."
    from itertools import product

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # As many rows as columns, too: there a time on the wrong axis has the right shape.
    sizes = [(5, 3), (4, 4), (1, 6), (7, 1), (1, 1)]
    for (batch, dim), end in product(sizes, (0.0, 0.4, 1.0)):
        x0 = torch.randn(batch, dim, generator=generator)
        x1 = 10 * torch.randn(batch, dim, generator=generator) + 3
        times = torch.rand(batch, generator=generator)
        times[-1], times[0] = 1.0 - end, end
        pair = interpolate(x0, x1, times)
        check_answered(pair, "interpolate")
        rows = zip(x0.tolist(), x1.tolist(), times.tolist(), strict=True)
        expected = [
            [a + time * (b - a) for a, b in zip(start, end, strict=True)]
            for start, end, time in rows
        ]
        check_close(pair[0], expected, "row i is at its own time t[i], on its own line.")
        hint = "the velocity is the whole way, x1 - x0, at the ends of the line too."
        check_close(pair[1], x1.double() - x0.double(), hint)

@test_case(points=None, hidden=True,
    failure_message="The velocity is how fast the point moves, at every time, and the same all along the line.")
def test_interpolate_gives_the_derivative(interpolate):
    """The velocity is how fast the point moves, at every time, and the same all along the line."""
    assert interpolate is not None, "interpolate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, dim in [(6, 3), (3, 3), (1, 2)]:
        x0 = torch.randn(batch, dim, generator=generator)
        x1 = 4 * torch.randn(batch, dim, generator=generator) - 2
        early = 0.5 * torch.rand(batch, generator=generator)
        late = early + 0.5
        pairs = [interpolate(x0, x1, times) for times in (early, late)]
        for pair in pairs:
            check_answered(pair, "interpolate")
        (first, velocity), (second, same) = pairs
        moved = (torch.as_tensor(second).double() - torch.as_tensor(first)) / 0.5
        check_close(velocity, moved, "half a unit of time moves the point by half its velocity.")
        check_close(same, moved, "on a straight line the velocity does not depend on the time.")

@test_case(points=None, hidden=True,
    failure_message="Noise and data are what they were before the call.")
def test_interpolate_leaves_its_arguments_alone(interpolate):
    """Noise and data are what they were before the call."""
    assert interpolate is not None, "interpolate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    x0, x1 = torch.randn(2, 5, 3, generator=generator)
    times = torch.rand(5, generator=generator)
    before = [x0.clone(), x1.clone(), times.clone()]
    check_answered(interpolate(x0, x1, times), "interpolate")
    for given, kept in zip((x0, x1, times), before, strict=True):
        check_close(given, kept, "an argument was changed in place: compute a new tensor.")
