from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_sample"
points = [1, 2, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="Every row's index is drawn with that row's own probabilities.")
def test_categorical_sample_follows_its_rows_distribution(categorical_sample):
    """Every row's index is drawn with that row's own probabilities."""
    assert categorical_sample is not None, "categorical_sample is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import chi2

    from imitation_lab.testing import check_answered, check_dtype, check_shape, fresh_generator

    rows, repeats, num_bins = 4, 1500, 5
    distinct = 2 * torch.rand(rows, num_bins, generator=fresh_generator()) - 1
    distinct[torch.arange(rows), torch.arange(rows)] = 1.5
    samples = categorical_sample(distinct.repeat(repeats, 1), fresh_generator())
    check_answered(samples, "categorical_sample")
    check_shape(samples, (rows * repeats,), "one index for every row.")
    check_dtype(samples, torch.long, "indices are whole numbers.")
    samples = torch.as_tensor(samples).long()
    in_range = ((samples >= 0) & (samples < num_bins)).all()
    assert in_range, f"an index lies outside 0 \u2026 {num_bins - 1}."
    one_hot = torch.eye(num_bins, dtype=torch.float64)[samples]
    observed = one_hot.reshape(repeats, rows, num_bins).sum(dim=0)
    expected = repeats * torch.distributions.Categorical(logits=distinct.double()).probs
    statistic = float(((observed - expected).square() / expected).sum())
    # A right answer's p-value is about uniform; every expected count exceeds 40.
    assert chi2.sf(statistic, rows * (num_bins - 1)) > 1e-9, (
        "the indices do not occur with their own rows' probabilities, softmax(logits)."
    )

@test_case(points=None, hidden=True,
    failure_message="Logits of \xb110,000 are no trouble: where one bin has all the probability, it is drawn.")
def test_categorical_sample_is_stable(categorical_sample):
    """Logits of \xb110,000 are no trouble: where one bin has all the probability, it is drawn."""
    assert categorical_sample is not None, "categorical_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    logits = torch.full((6, 4), -1e4)
    logits[:, 1] = 0.0
    logits[torch.arange(6), torch.tensor([3, 0, 2, 0, 3, 1])] = 1e4
    indices = categorical_sample(logits.repeat(500, 1), fresh_generator())
    check_answered(indices, "categorical_sample")
    check_close(
        indices,
        [3, 0, 2, 0, 3, 1] * 500,
        "the largest logit wins by far, every time: do not let it overflow.",
    )
    low = torch.full((5, 3), -1e4)
    low[:, 2] = -9e3
    indices = categorical_sample(low, fresh_generator())
    check_close(
        indices, [2] * 5, "only differences between logits count: do not let all underflow."
    )

@test_case(points=None, hidden=True,
    failure_message="Rows are independent of each other, and so are two calls; equal seeds repeat a sample.")
def test_categorical_sample_draws_anew_for_every_row(categorical_sample):
    """Rows are independent of each other, and so are two calls; equal seeds repeat a sample."""
    assert categorical_sample is not None, "categorical_sample is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import chi2_contingency

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator, count = fresh_generator(), 3000
    logits = torch.tensor([[0.0, 0.3, -0.2]]).repeat(count, 1)
    calls = [categorical_sample(logits, generator) for _ in range(2)]
    for samples in calls:
        check_answered(samples, "categorical_sample")
        check_shape(samples, (count,), "one index for every row.")
    first, second = (torch.as_tensor(samples).long() for samples in calls)
    assert len(set(first.tolist())) == 3, "all rows share one draw: draw anew for every row."
    pairs = {
        "neighbouring rows share their draw": (first[::2], first[1::2]),
        "two calls with one generator share their draws": (first, second),
    }
    for fault, (one, two) in pairs.items():
        table = torch.bincount(3 * one + two, minlength=9).reshape(3, 3).numpy()
        # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
        assert chi2_contingency(table).pvalue > 1e-9, f"{fault}: draw anew for every row."
    single = categorical_sample(logits[:1], generator)
    check_shape(single, (1,), "one row gives one index, in a tensor of shape (1,).")
    seed = fresh_generator().initial_seed()
    one, again = (categorical_sample(logits, torch.Generator().manual_seed(seed)) for _ in range(2))
    check_close(again, one, "the same seed gave another sample: draw from `generator`.")
