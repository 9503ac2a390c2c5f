from otter.test_files import test_case

OK_FORMAT = False

name = "mode_entropy"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="A coin, a quarter, and a start from which it is always the same side.")
def test_mode_entropy_of_three_starts(mode_entropy):
    """A coin, a quarter, and a start from which it is always the same side."""
    assert mode_entropy is not None, "mode_entropy is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    yes, no = True, False
    pushed_left = torch.tensor([[yes, no, no, yes], [no, no, yes, no], [yes, yes, yes, yes]])
    entropy = mode_entropy(pushed_left)
    check_answered(entropy, "mode_entropy")
    check_shape(entropy, (), "return one number, the mean over the starts.")
    check_close(entropy, (1.0 + 0.8112781 + 0.0) / 3, "1 bit, 0.811 bits and 0 bits.")
