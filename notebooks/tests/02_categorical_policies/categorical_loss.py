from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_loss"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Probabilities 1/8, 2/8 and 5/8: bins that were likely cost little, the rare one costs log 8.")
def test_categorical_loss_of_known_odds(categorical_loss):
    """Probabilities 1/8, 2/8 and 5/8: bins that were likely cost little, the rare one costs log 8."""
    assert categorical_loss is not None, "categorical_loss is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    policy = torch.nn.Linear(2, 3)
    torch.nn.init.zeros_(policy.weight)
    with torch.no_grad():
        policy.bias.copy_(torch.tensor([1.0, 2.0, 5.0]).log())
    loss = categorical_loss(policy, torch.ones(4, 2), torch.tensor([2, 0, 2, 1]))
    check_answered(loss, "categorical_loss")
    check_shape(loss, (), "average over the batch.")
    expected = (2 * math.log(8 / 5) + math.log(8) + math.log(8 / 2)) / 4
    check_close(loss, expected, "the policy returns logits; average \u2212log p of the expert's bins.")
    assert getattr(loss, "requires_grad", False), "gradients must flow: do not detach."
