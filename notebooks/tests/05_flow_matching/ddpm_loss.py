from otter.test_files import test_case

OK_FORMAT = False

name = "ddpm_loss"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="If all actions are one and the same, the noise can be computed, and its loss is zero.")
def test_ddpm_loss_finds_the_noise_of_a_single_action(ddpm_loss):
    """If all actions are one and the same, the noise can be computed, and its loss is zero."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    action, schedule = torch.tensor([3.0, -2.0, 1.0]), torch.tensor([0.9, 0.5, 0.25, 0.04])

    def noise_model(noisy, timesteps, seen):
        assert timesteps.shape == (len(noisy),) and not timesteps.is_floating_point(), (
            f"the model was given timesteps of shape {tuple(timesteps.shape)} and {timesteps.dtype}: "
            "expected (batch,), one a row, of dtype long."
        )
        assert noisy.dtype == torch.float32, (
            "the model was given float64: the network takes float32, convert with .float()."
        )
        left = schedule[timesteps][:, None]
        return (noisy - action * left**0.5) / (1 - left) ** 0.5 + seen

    actions, observations = action.repeat(30, 1), torch.zeros(30, 1)
    generator = torch.Generator().manual_seed(0)
    loss = ddpm_loss(noise_model, actions, observations, schedule, generator)
    check_answered(loss, "ddpm_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, 0.0, "mix action and noise by the square roots, and ask for the noise.")
    loss = ddpm_loss(noise_model, actions, observations + 2, schedule, generator)
    # Now each of the three numbers is off by 2.
    check_close(loss, 12.0, "pass the observations on, and sum over the action's numbers.")

@test_case(points=None, hidden=False,
    failure_message="The gradient reaches what the noise is predicted with.")
def test_ddpm_loss_has_a_gradient(ddpm_loss):
    """The gradient reaches what the noise is predicted with."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered

    weight = torch.tensor(0.5, requires_grad=True)
    loss = ddpm_loss(
        lambda noisy, timesteps, seen: weight * noisy,
        torch.ones(20, 2),
        torch.zeros(20, 1),
        torch.tensor([0.9, 0.5, 0.1]),
        torch.Generator().manual_seed(0),
    )
    check_answered(loss, "ddpm_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
