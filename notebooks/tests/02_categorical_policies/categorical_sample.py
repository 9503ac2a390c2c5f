from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_sample"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="One index a row, never one that cannot occur; the same seed repeats the sample, another does not.")
def test_categorical_sample_follows_its_seed(categorical_sample):
    """One index a row, never one that cannot occur; the same seed repeats the sample, another does not."""
    assert categorical_sample is not None, "categorical_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, check_shape

    logits = torch.tensor([0.0, 0.0, -500.0, 0.0]).repeat(60, 1)
    first, again, other = (
        categorical_sample(logits, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    check_answered(first, "categorical_sample")
    check_shape(first, (60,), "one index for every row.")
    check_dtype(first, torch.long, "indices are whole numbers.")
    drawn = set(first.tolist())
    assert drawn == {0, 1, 3}, f"only bins 0, 1 and 3 can occur, and all should; you drew {drawn}."
    check_close(again, first.tolist(), "the same seed gave another sample: draw from `generator`.")
    assert other.tolist() != first.tolist(), (
        "two seeds gave the same sample: draw from the generator, and do not seed it yourself."
    )
