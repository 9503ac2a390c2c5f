from otter.test_files import test_case

OK_FORMAT = False

name = "mixture_loss"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="The loss is one number that gradients flow through; at the mean of a narrow component it is negative.")
def test_mixture_loss_is_one_number(mixture_loss):
    """The loss is one number that gradients flow through; at the mean of a narrow component it is negative."""
    assert mixture_loss is not None, "mixture_loss is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.zeros(5, 3, requires_grad=True)
    means, log_stds = torch.zeros(5, 3, 2), torch.full((5, 3, 2), -4.0)

    def policy(observations):
        rows = slice(len(observations))
        return logits[rows], means[rows], log_stds[rows]

    loss = mixture_loss(policy, torch.ones(5, 4), torch.zeros(5, 2))
    check_answered(loss, "mixture_loss")
    check_shape(loss, (), "average over the batch.")
    assert torch.as_tensor(loss).detach() < 0, (
        "a density above one has a negative loss: the sign is the wrong way round."
    )
    check_close(
        loss,
        math.log(2 * math.pi) - 8,
        "every action's density is exp(8)/(2\u03c0): minus its logarithm, averaged over the batch, not summed. "
        "Does mixture_log_prob, if you call it, pass its own check?",
    )
    assert getattr(loss, "requires_grad", False), (
        "gradients must flow: return a tensor, and do not detach it."
    )
