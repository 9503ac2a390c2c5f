from otter.test_files import test_case

OK_FORMAT = False

name = "euler_sample"
points = [1]

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
