from otter.test_files import test_case

OK_FORMAT = False

name = "velocity_from_noise"
points = [1, 2, 1]

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

@test_case(points=None, hidden=True,
    failure_message="On the line from noise to data it is data minus noise, for any sizes and times.")
def test_velocity_from_noise_is_the_lines(velocity_from_noise):
    """On the line from noise to data it is data minus noise, for any sizes and times."""
    assert velocity_from_noise is not None, "velocity_from_noise is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # As many rows as columns, too: there a time on the wrong axis has the right shape.
    for batch, dim in [(6, 3), (4, 4), (1, 5), (8, 1), (1, 1)]:
        noise = torch.randn(batch, dim, generator=generator)
        data = 6 * torch.randn(batch, dim, generator=generator) - 4
        times = 0.02 + 0.98 * torch.rand(batch, generator=generator)
        times[0], times[-1] = 1.0, 0.02
        points = noise + (data - noise) * times[:, None]
        velocity = velocity_from_noise(noise, points, times)
        check_answered(velocity, "velocity_from_noise")
        check_close(
            velocity, data - noise, "row i has come from its noise in time t[i].", 1e-3, 1e-3
        )
    times = torch.tensor([1e-3, 5e-3, 0.02, 0.5, 1.0])
    noise = torch.randn(5, 3, generator=generator)
    way = torch.tensor([[60.0, -60.0, 0.5], [-45.0, 1.0, 60.0]]).repeat(3, 1)[:5]
    velocity = velocity_from_noise(noise, noise + times[:, None] * way, times)
    check_answered(velocity, "velocity_from_noise")
    # Rounding of numbers of size 4, a few times 2.4e-7, is divided by the smallest time, 0.001.
    hint = "early times and fast lines count too: take the time as it is, and the whole way."
    check_close(velocity, way, hint, rtol=1e-4, atol=2e-3)

@test_case(points=None, hidden=True,
    failure_message="The gradient flows through, and what was given stays as it was.")
def test_velocity_from_noise_keeps_the_gradient_and_its_arguments(velocity_from_noise):
    """The gradient flows through, and what was given stays as it was."""
    assert velocity_from_noise is not None, "velocity_from_noise is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    noise, points = torch.randn(2, 5, 3, generator=generator)
    times = 0.1 + 0.9 * torch.rand(5, generator=generator)
    times[2], times[3] = 0.02, 0.002
    before = [tensor.clone() for tensor in (noise, points, times)]
    noise.requires_grad_()
    points.requires_grad_()
    velocity = velocity_from_noise(noise, points, times)
    check_answered(velocity, "velocity_from_noise")
    assert getattr(velocity, "requires_grad", False), (
        "no gradient flows: a network that predicts noise may be trained through this."
    )
    velocity.sum().backward()
    expected = -1 / times[:, None].expand(5, 3)
    for given, sign in ((noise, 1), (points, -1)):
        assert given.grad is not None, "no gradient reaches noise or points: do not detach."
        check_close(given.grad, sign * expected, "the gradient is 1 / t, or minus that.", 1e-3)
    for given, kept in zip((noise, points, times), before, strict=True):
        check_close(given, kept, "an argument was changed in place: compute a new tensor.")
