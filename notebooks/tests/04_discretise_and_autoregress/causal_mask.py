from otter.test_files import test_case

OK_FORMAT = False

name = "causal_mask"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="The first number sees nothing, and no number sees itself.")
def test_causal_mask_lets_nobody_look_at_the_answer(causal_mask):
    """The first number sees nothing, and no number sees itself."""
    assert causal_mask is not None, "causal_mask is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape

    mask = causal_mask(4)
    check_answered(mask, "causal_mask")
    check_shape(mask, (4, 4), "one row for each number that looks, one column for each looked at.")
    check_dtype(mask, torch.bool, "compare, and you get true and false.")
    assert not mask[0].any(), "nothing comes before the first number: its row must be false."
    assert not mask.diagonal().any(), "no number may look at itself."
