from otter.test_files import test_case

OK_FORMAT = False

name = "midpoint_sample"
points = [1]

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
