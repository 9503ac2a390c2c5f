from otter.test_files import test_case

OK_FORMAT = False

name = "interpolate"
points = [1]

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
