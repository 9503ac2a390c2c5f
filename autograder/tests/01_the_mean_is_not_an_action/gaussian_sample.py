from otter.test_files import test_case

OK_FORMAT = False

name = "gaussian_sample"
points = [1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="The same seed gives the same sample, another seed another one.")
def test_gaussian_sample_follows_its_seed(gaussian_sample):
    """The same seed gives the same sample, another seed another one."""
    assert gaussian_sample is not None, "gaussian_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    mean, log_std = torch.full((5, 2), 100.0), torch.zeros(5, 2)
    first, again, other = (
        gaussian_sample(mean, log_std, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    check_answered(first, "gaussian_sample")
    check_shape(first, (5, 2), "one sample for every row, of the same shape as the mean.")
    away = (torch.as_tensor(first) - 100).abs().max()
    assert away < 20, "with mean 100 and \u03c3 = 1, samples should lie around 100."
    check_close(
        again, first.tolist(), "the same seed gave another sample: pass `generator` to torch.randn."
    )
    different = (torch.as_tensor(other) - torch.as_tensor(first)).abs().max() > 1e-3
    assert different, (
        "two seeds gave the same sample: draw noise from the generator, and do not seed it yourself."
    )

@test_case(points=None, hidden=True,
    failure_message="Every row's sample has that row's mean and standard deviation, and a Gaussian's shape.")
def test_gaussian_sample_follows_its_rows_distribution(gaussian_sample):
    """Every row's sample has that row's mean and standard deviation, and a Gaussian's shape."""
    assert gaussian_sample is not None, "gaussian_sample is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    count = 20_000
    mean, log_std = torch.randn(2, count, 2, generator=fresh_generator())
    samples = gaussian_sample(mean, log_std, fresh_generator())
    check_answered(samples, "gaussian_sample")
    check_shape(samples, (count, 2), "one sample for every row, of the same shape as the mean.")
    standardised = (torch.as_tensor(samples).double() - mean) / log_std.double().exp()
    # Six standard errors each: a right answer fails less than once in 10^8 gradings.
    far = standardised.mean(dim=0).abs().max() * count**0.5
    assert far < 6, "the samples do not lie around their own rows' means."
    wide = (standardised.square().mean(dim=0) - 1).abs().max() * (count / 2) ** 0.5
    assert wide < 6, "the samples' standard deviation is not their own rows' exp(log_std)."
    # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
    assert kstest(standardised.flatten().numpy(), "norm").pvalue > 1e-9, (
        "the noise is not Gaussian."
    )

@test_case(points=None, hidden=True,
    failure_message="The generator decides the sample: equal seeds repeat it, and other seeds do not.")
def test_gaussian_sample_draws_from_the_generator(gaussian_sample):
    """The generator decides the sample: equal seeds repeat it, and other seeds do not."""
    assert gaussian_sample is not None, "gaussian_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    mean, log_std = torch.randn(2, 7, 3, generator=fresh_generator())
    seed = fresh_generator().initial_seed()
    samples = [
        gaussian_sample(mean, log_std, torch.Generator().manual_seed(s))
        for s in (seed, seed, seed + 1)
    ]
    for sample in samples:
        check_answered(sample, "gaussian_sample")
        check_shape(sample, mean.shape, "one sample for every row, of the same shape as the mean.")
    first, again, other = (torch.as_tensor(sample).double() for sample in samples)
    check_close(again, first, "the same seed gave another sample: draw the noise from `generator`.")
    assert (other - first).abs().max() > 1e-3, (
        "another seed gave the same sample: do not seed it yourself."
    )

@test_case(points=None, hidden=True,
    failure_message="Rows and dimensions have noise of their own, and the next call draws anew.")
def test_gaussian_sample_draws_noise_for_every_number(gaussian_sample):
    """Rows and dimensions have noise of their own, and the next call draws anew."""
    assert gaussian_sample is not None, "gaussian_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 4_000
    zeros = torch.zeros(count, 3)
    calls = [gaussian_sample(zeros, zeros, generator) for _ in range(2)]
    for samples in calls:
        check_answered(samples, "gaussian_sample")
        check_shape(samples, (count, 3), "one sample for every row, of the same shape as the mean.")
    first, second = (torch.as_tensor(samples).double() for samples in calls)
    assert first.std(dim=0).min() > 0.1, (
        "all rows share their noise: draw a number for every entry."
    )
    first, second = first - first.mean(dim=0), second - second.mean(dim=0)
    pairs = {
        "the dimensions of a row share their noise": (first[:, 0], first[:, 1]),
        "neighbouring rows share their noise": (first[1:, 2], first[:-1, 2]),
        "two calls with one generator share their noise": (first[:, 0], second[:, 0]),
    }
    for fault, (one, two) in pairs.items():
        # Independent normals: the mean product has standard error 1/sqrt(count).
        assert (one * two).mean().abs() * count**0.5 < 6, f"{fault}: draw a number for every entry."
