from otter.test_files import test_case

OK_FORMAT = False

name = "masked_logits"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="With two numbers, the second's logits gain the table's row that the first number names.")
def test_masked_logits_of_a_known_pair(masked_logits):
    """With two numbers, the second's logits gain the table's row that the first number names."""
    assert masked_logits is not None, "masked_logits is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    base = torch.tensor([[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]] * 2)
    tables = torch.arange(36.0).reshape(2, 2, 3, 3)
    mask = torch.tensor([[False, False], [True, False]])
    before = base.clone()
    logits = masked_logits(base, tables, torch.tensor([[0, 1], [2, 1]]), mask)
    check_answered(logits, "masked_logits")
    check_shape(logits, (2, 2, 3), "one row of logits for every number of every action.")
    check_close(base, before, "base was changed: add to a copy of it.")
    check_close(logits[:, 0], base[:, 0], "the first number sees nothing: its logits are the base.")
    check_close(
        logits[:, 1],
        [[28.0, 39.0, 50.0], [34.0, 45.0, 56.0]],
        "the second number sees the first: add the row of tables[1, 0] that the first number's bin names.",
    )
