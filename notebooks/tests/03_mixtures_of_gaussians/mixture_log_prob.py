from otter.test_files import test_case

OK_FORMAT = False

name = "mixture_log_prob"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Halfway between two equal hills the density is either hill's; on one of them it is the weighted sum.")
def test_mixture_log_prob_between_two_equal_hills(mixture_log_prob):
    """Halfway between two equal hills the density is either hill's; on one of them it is the weighted sum."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    means = torch.tensor([[[1.0], [-1.0]]]).repeat(3, 1, 1)
    log_prob = mixture_log_prob(
        torch.full((3, 2), 7.0), means, torch.zeros(3, 2, 1), torch.zeros(3, 1)
    )
    check_answered(log_prob, "mixture_log_prob")
    check_shape(log_prob, (3,), "one log density for each row.")
    hill = -0.5 - 0.5 * math.log(2 * math.pi)
    check_close(log_prob, [hill] * 3, "equal logits of any size mean weights of one half each.")
    near, far = math.exp(hill + 0.5), math.exp(hill - 1.5)
    logits = torch.tensor([[math.log(3.0), 0.0]]).repeat(3, 1)
    log_prob = mixture_log_prob(logits, means, torch.zeros(3, 2, 1), torch.ones(3, 1))
    check_close(
        log_prob,
        [math.log(0.75 * near + 0.25 * far)] * 3,
        "with weights \xbe and \xbc the density is \xbe of one hill's plus \xbc of the other's.",
    )
