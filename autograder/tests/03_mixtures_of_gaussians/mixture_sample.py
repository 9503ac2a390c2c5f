from otter.test_files import test_case

OK_FORMAT = False

name = "mixture_sample"
points = [1, 2, 2, 1, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="Every component comes up as often as its row's weight says.")
def test_mixture_sample_draws_components_by_their_weights(mixture_sample):
    """Every component comes up as often as its row's weight says."""
    assert mixture_sample is not None, "mixture_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 12_000
    # Rows of three kinds, interleaved: each kind has weights of its own.
    kinds = torch.randn(3, 4, generator=generator)
    logits = kinds.repeat(count // 3, 1) + 100 * torch.randn(count, 1, generator=generator)
    means = torch.tensor([0.0, 100.0, 200.0, 300.0])[:, None].repeat(count, 1, 2)
    samples = mixture_sample(logits, means, torch.zeros(count, 4, 2), fresh_generator())
    check_answered(samples, "mixture_sample")
    check_shape(samples, (count, 2), "one action for every row.")
    samples = torch.as_tensor(samples).double()
    chosen = (samples / 100).round().clamp(0, 3)
    assert (samples - 100 * chosen).abs().max() < 12, (
        "some samples lie near no component's mean: draw a component, then an action from it."
    )
    for kind in range(3):
        weights = kinds[kind].double().softmax(0)
        shares = torch.stack([(chosen[kind::3, 0] == k).double().mean() for k in range(4)])
        # Six standard errors: a right answer fails less than once in 10^7 gradings.
        error = (weights * (1 - weights) / (count // 3)).sqrt()
        assert ((shares - weights).abs() < 6 * error).all(), (
            "components do not come up as often as their row's weights say: are the weights the "
            "softmax of the logits over the components?"
        )

@test_case(points=None, hidden=True,
    failure_message="Given its component, an action has that component's mean and width, and a Gaussian's shape.")
def test_mixture_sample_follows_the_chosen_component(mixture_sample):
    """Given its component, an action has that component's mean and width, and a Gaussian's shape."""
    assert mixture_sample is not None, "mixture_sample is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 12_000
    log_stds = 1.5 * torch.rand(count, 3, 2, generator=generator) - 1.5
    means = torch.randn(count, 3, 2, generator=generator)
    means = means + torch.tensor([-100.0, 0.0, 100.0])[:, None]
    samples = mixture_sample(torch.zeros(count, 3), means, log_stds, fresh_generator())
    check_answered(samples, "mixture_sample")
    check_shape(samples, (count, 2), "one action for every row.")
    samples = torch.as_tensor(samples).double()
    assert samples.isfinite().all(), "some samples are not finite."
    chosen = (samples / 100).round().clamp(-1, 1).long() + 1
    pick = chosen[:, None]
    mean, log_std = (values.double().gather(1, pick)[:, 0] for values in (means, log_stds))
    standardised = (samples - mean) / log_std.exp()
    # Six standard errors each: a right answer fails less than once in 10^7 gradings.
    far = standardised.mean(dim=0).abs().max() * count**0.5
    assert far < 6, "the samples do not lie around the chosen component's own mean."
    wide = (standardised.square().mean(dim=0) - 1).abs().max() * (count / 2) ** 0.5
    assert wide < 6, "the samples' width is not exp(log_std) of the chosen component."
    # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
    assert kstest(standardised.flatten().numpy(), "norm").pvalue > 1e-9, (
        "given the component, the noise is not Gaussian."
    )

@test_case(points=None, hidden=True,
    failure_message="The numbers of one action come from one and the same component.")
def test_mixture_sample_takes_all_numbers_from_one_component(mixture_sample):
    """The numbers of one action come from one and the same component."""
    assert mixture_sample is not None, "mixture_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    count = 300
    means = torch.tensor([-100.0, 0.0, 100.0])[:, None].repeat(count, 1, 4)
    samples = mixture_sample(
        torch.zeros(count, 3), means, torch.zeros(count, 3, 4), fresh_generator()
    )
    check_answered(samples, "mixture_sample")
    check_shape(samples, (count, 4), "one action for every row.")
    samples = torch.as_tensor(samples).double()
    spread = samples.amax(dim=1) - samples.amin(dim=1)
    assert spread.max() < 30, (
        "an action's numbers come from different components: choose one component for the row."
    )

@test_case(points=None, hidden=True,
    failure_message="The generator decides component and noise: equal seeds repeat both, and other seeds neither.")
def test_mixture_sample_draws_from_the_generator(mixture_sample):
    """The generator decides component and noise: equal seeds repeat both, and other seeds neither."""
    assert mixture_sample is not None, "mixture_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    seed = fresh_generator().initial_seed()
    means = torch.tensor([-100.0, 0.0, 100.0])[:, None].repeat(60, 1, 2)
    samples = [
        mixture_sample(
            torch.zeros(60, 3), means, torch.zeros(60, 3, 2), torch.Generator().manual_seed(s)
        )
        for s in (seed, seed, seed + 1)
    ]
    for sample in samples:
        check_answered(sample, "mixture_sample")
        check_shape(sample, (60, 2), "one action for every row.")
    first, again, other = (torch.as_tensor(sample).double() for sample in samples)
    check_close(again, first, "the same seed gave another sample: both draws need `generator`.")
    assert ((first / 100).round() != (other / 100).round()).any(), (
        "another seed gave the same components: draw them from the generator as it is given."
    )

@test_case(points=None, hidden=True,
    failure_message="Rows, numbers and calls are independent of each other, in component and in noise.")
def test_mixture_sample_draws_every_row_and_call_anew(mixture_sample):
    """Rows, numbers and calls are independent of each other, in component and in noise."""
    assert mixture_sample is not None, "mixture_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 6_000
    means = torch.tensor([-50.0, 50.0])[:, None].repeat(count, 1, 3)
    calls = [
        mixture_sample(torch.zeros(count, 2), means, torch.zeros(count, 2, 3), generator)
        for _ in range(2)
    ]
    for samples in calls:
        check_answered(samples, "mixture_sample")
        check_shape(samples, (count, 3), "one action for every row.")
    first, second = (torch.as_tensor(samples).double() for samples in calls)
    sides, next_sides = first.sign(), second.sign()
    assert sides[:, 0].mean().abs() * count**0.5 < 6, (
        "one draw decides for many rows: draw a component for every row."
    )
    noise, next_noise = first - 50 * sides, second - 50 * next_sides
    assert noise.std(dim=0).min() > 0.1, "all rows share their noise: draw it for every number."
    pairs = {
        "neighbouring rows share their component": (sides[1:, 0], sides[:-1, 0]),
        "two calls with one generator share their components": (sides[:, 0], next_sides[:, 0]),
        "the numbers of a row share their noise": (noise[:, 0], noise[:, 1]),
        "neighbouring rows share their noise": (noise[1:, 2], noise[:-1, 2]),
        "two calls with one generator share their noise": (noise[:, 0], next_noise[:, 0]),
        "noise and component hang together": (noise[:, 1], sides[:, 1]),
        "the first number's noise and the component hang together": (noise[:, 0], sides[:, 0]),
    }
    for fault, (one, two) in pairs.items():
        # Independent, with mean 0 and variance 1: the mean product has standard error 1/sqrt(count).
        assert (one * two).mean().abs() * count**0.5 < 6.5, f"{fault}: draw them independently."
