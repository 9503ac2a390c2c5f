from otter.test_files import test_case

OK_FORMAT = False

name = "causal_mask"
points = [1, 2]

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

@test_case(points=None, hidden=True,
    failure_message="Every number sees exactly the numbers before it, for any action_dim.")
def test_causal_mask_shows_what_comes_before(causal_mask):
    """Every number sees exactly the numbers before it, for any action_dim."""
    assert causal_mask is not None, "causal_mask is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    for action_dim in (1, 2, 3, 5, 8):
        mask = causal_mask(action_dim)
        check_answered(mask, "causal_mask")
        check_dtype(mask, torch.bool, "true where number i may look at number j.")
        # Row i: i times true, then false.
        expected = [[1.0] * i + [0.0] * (action_dim - i) for i in range(action_dim)]
        check_close(mask, expected, "number i may look at all numbers before it, and at no other.")
