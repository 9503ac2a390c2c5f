from otter.test_files import test_case

OK_FORMAT = False

name = "responsibilities"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Every row sums to one; halfway between two components, the weights alone decide who gets how much.")
def test_responsibilities_sum_to_one(responsibilities):
    """Every row sums to one; halfway between two components, the weights alone decide who gets how much."""
    assert responsibilities is not None, "responsibilities is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    means = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 30.0]]]).repeat(4, 1, 1)
    logits = torch.tensor([[0.0, math.log(3.0), 0.0]]).repeat(4, 1)
    shares = responsibilities(logits, means, torch.zeros(4, 3, 2), torch.zeros(4, 2))
    check_answered(shares, "responsibilities")
    check_shape(shares, (4, 3), "one share for every row and component.")
    assert torch.as_tensor(shares).min() >= 0, (
        "some shares are negative: are they still logarithms? A share lies between 0 and 1."
    )
    check_close(
        shares,
        [[0.25, 0.75, 0.0]] * 4,
        "two components are equally near, the second has three times the first's weight, and the "
        "third is far away.",
    )
