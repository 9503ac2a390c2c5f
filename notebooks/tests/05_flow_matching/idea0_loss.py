from otter.test_files import test_case

OK_FORMAT = False

name = "idea0_loss"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="A model that always answers (1, 2, 3) has a loss that no noise can change.")
def test_idea0_loss_of_a_constant(idea0_loss):
    """A model that always answers (1, 2, 3) has a loss that no noise can change."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    def model(noise):
        assert noise.dim() == 2 and noise.shape[1] == 3, (
            f"the model was given shape {tuple(noise.shape)}: it takes noise (batch, action_dim)."
        )
        assert noise.dtype == torch.float32, (
            f"the model was given {noise.dtype}: a network takes float32, convert with .float()."
        )
        return torch.tensor([1.0, 2.0, 3.0]).repeat(len(noise), 1)

    rows = [[1.0, 2.0, 3.0], [1.0, 2.0, 8.0], [4.0, 6.0, 3.0], [1.0, 2.0, 3.0]]
    loss = idea0_loss(model, torch.tensor(rows), torch.Generator().manual_seed(0))
    check_answered(loss, "idea0_loss")
    # The rows' errors are 0, 25, 25 and 0.
    check_close(loss, 12.5, "sum the squares over the action's numbers, average over the batch.")

@test_case(points=None, hidden=False,
    failure_message="The model sees noise and nothing else: one that returns what it sees misses every action.")
def test_idea0_loss_shows_noise(idea0_loss):
    """The model sees noise and nothing else: one that returns what it sees misses every action."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape

    loss = idea0_loss(torch.nn.Identity(), torch.zeros(40, 2), torch.Generator().manual_seed(0))
    check_answered(loss, "idea0_loss")
    check_shape(loss, (), "average over the batch.")
    assert float(loss) > 0.1, "the model was not shown noise: it was shown the actions, or zeros."
