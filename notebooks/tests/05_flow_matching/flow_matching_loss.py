from otter.test_files import test_case

OK_FORMAT = False

name = "flow_matching_loss"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="If all actions are one and the same, (a \u2212 x) / (1 \u2212 t) is the right velocity, whatever the noise.")
def test_flow_matching_loss_knows_the_way_to_a_single_action(flow_matching_loss):
    """If all actions are one and the same, (a \u2212 x) / (1 \u2212 t) is the right velocity, whatever the noise."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    action = torch.tensor([3.0, -2.0, 1.0])

    def velocity(points, times, seen):
        assert points.dim() == 2 and points.shape[1] == 3, (
            f"velocity was given points of shape {tuple(points.shape)}: expected (batch, action_dim)."
        )
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        assert points.dtype == times.dtype == torch.float32, (
            "velocity was given float64: the network takes float32, convert with .float()."
        )
        left = (1 - times).clamp(min=1e-4).unsqueeze(1)
        return (action - points) / left + seen

    actions, observations = action.repeat(20, 1), torch.zeros(20, 1)
    generator = torch.Generator().manual_seed(0)
    loss = flow_matching_loss(velocity, actions, observations, generator)
    check_answered(loss, "flow_matching_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, 0.0, "mix noise and action by the time, and ask for x1 - x0.", atol=1e-3)
    loss = flow_matching_loss(velocity, actions, observations + 2, generator)
    # Now each of the three numbers is off by 2.
    check_close(
        loss, 12.0, "pass the observations on, and sum over the action's numbers.", 1e-3, 1e-3
    )

@test_case(points=None, hidden=False,
    failure_message="The gradient reaches what the velocity is computed with.")
def test_flow_matching_loss_has_a_gradient(flow_matching_loss):
    """The gradient reaches what the velocity is computed with."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered

    weight = torch.tensor(0.5, requires_grad=True)
    loss = flow_matching_loss(
        lambda points, times, seen: weight * points,
        torch.ones(20, 2),
        torch.zeros(20, 1),
        torch.Generator().manual_seed(0),
    )
    check_answered(loss, "flow_matching_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
