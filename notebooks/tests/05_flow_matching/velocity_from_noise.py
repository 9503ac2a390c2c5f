from otter.test_files import test_case

OK_FORMAT = False

name = "velocity_from_noise"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Whoever is 1 further after a quarter of the time has velocity 4.")
def test_velocity_from_noise_of_a_known_line(velocity_from_noise):
    """Whoever is 1 further after a quarter of the time has velocity 4."""
    assert velocity_from_noise is not None, "velocity_from_noise is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    velocity = velocity_from_noise(
        torch.tensor([[2.0, 0.0, 5.0], [1.0, 1.0, 1.0]]),
        torch.tensor([[3.0, -2.0, 5.0], [7.0, 1.0, -2.0]]),
        torch.tensor([0.25, 1.0]),
    )
    check_answered(velocity, "velocity_from_noise")
    check_close(
        velocity,
        [[4.0, -8.0, 0.0], [6.0, 0.0, -3.0]],
        "the point has come from the noise to xt in time t, at a constant velocity.",
    )
