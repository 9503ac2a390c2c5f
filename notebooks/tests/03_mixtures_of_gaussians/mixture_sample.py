from otter.test_files import test_case

OK_FORMAT = False

name = "mixture_sample"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Rows draw one component each and all their numbers there, and seeds repeat.")
def test_mixture_sample_stays_with_its_component(mixture_sample):
    """Rows draw one component each and all their numbers there, and seeds repeat."""
    assert mixture_sample is not None, "mixture_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, explain_shapes

    logits = torch.full((6, 3), -1000.0)
    logits[:, 1] = 0.0
    means = torch.tensor([[-900.0] * 2, [100.0, 500.0], [900.0] * 2]).repeat(6, 1, 1)
    log_stds = torch.zeros(6, 3, 2)
    with explain_shapes("mixture_sample", logits=logits, means=means, log_stds=log_stds):
        first, again, other = (
            mixture_sample(logits, means, log_stds, torch.Generator().manual_seed(seed))
            for seed in (1, 1, 2)
        )
    check_answered(first, "mixture_sample")
    check_shape(
        first,
        (6, 2),
        "one action for every row. With an axis too many, look at the shapes of your two index tensors.",
    )
    away = (torch.as_tensor(first) - torch.tensor([100.0, 500.0])).abs().max()
    assert away < 20, "all weight is on the second component: its mean is (100, 500), its \u03c3 is 1."
    check_close(again, first.tolist(), "the same seed gave another sample: pass `generator` on.")
    assert (torch.as_tensor(other) - torch.as_tensor(first)).abs().max() > 1e-3, (
        "two seeds gave the same sample: add noise of width exp(log_std), from the generator as it is."
    )
    # Two components of equal weight at -100 and 100, in both dimensions. That 60 rows choose the same
    # happens once in 10^17.
    means = torch.tensor([[-100.0] * 2, [100.0] * 2]).repeat(60, 1, 1)
    sample = mixture_sample(
        torch.zeros(60, 2), means, torch.zeros(60, 2, 2), torch.Generator().manual_seed(3)
    )
    sample = torch.as_tensor(sample)
    assert (sample.abs() - 100).abs().max() < 20, (
        "some numbers lie near no component: draw one component, do not mix them."
    )
    assert (sample[:, 0].sign() == sample[:, 1].sign()).all(), (
        "the numbers of a row come from two components: one draw decides for all of them."
    )
    assert sample[:, 0].min() < 0 < sample[:, 0].max(), (
        "all rows chose the same of two equally heavy components: every row draws its own."
    )
