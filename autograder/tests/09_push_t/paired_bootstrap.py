from otter.test_files import test_case

OK_FORMAT = False

name = "paired_bootstrap"
points = [1, 2, 3, 3, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="From every start the first policy reaches a quarter more: there is nothing to doubt.")
def test_paired_bootstrap_where_one_is_always_better(paired_bootstrap):
    """From every start the first policy reaches a quarter more: there is nothing to doubt."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    second = torch.tensor([0.0, 0.25, 0.5, 0.75, 0.0, 0.5])
    interval = paired_bootstrap(second + 0.25, second, 100, torch.Generator().manual_seed(1))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    hint = "starts differ much, their differences do not: draw the same starts for both policies."
    check_close(torch.tensor([float(bound) for bound in interval]), [0.25, 0.25], hint)

@test_case(points=None, hidden=False,
    failure_message="Seven ties and one win: the win is drawn 0 to 3 times of 8 in all but a few resamples.")
def test_paired_bootstrap_of_eight_starts(paired_bootstrap):
    """Seven ties and one win: the win is drawn 0 to 3 times of 8 in all but a few resamples."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    first = torch.tensor([0.5, 0.0, 1.0, 0.25, 1.0, 0.0, 0.5, 0.75])
    second = torch.tensor([0.5, 0.0, 0.0, 0.25, 1.0, 0.0, 0.5, 0.75])
    interval = paired_bootstrap(first, second, 4000, torch.Generator().manual_seed(2))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    hint = "resample with replacement, take means, and leave 2.5 % out on either side."
    check_close(torch.tensor([float(bound) for bound in interval]), [0.0, 0.375], hint)

@test_case(points=None, hidden=True,
    failure_message="With a few wins and else ties, the percentiles are those of the binomial distribution.")
def test_paired_bootstrap_of_a_few_wins(paired_bootstrap):
    """With a few wins and else ties, the percentiles are those of the binomial distribution."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import binom

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Percentiles that lie within a step of the binomial's, eight standard deviations off its edges.
    for starts, wins, sign, confidence, shuffled in [
        (8, 1, 1.0, 0.95, True),
        (8, 1, -1.0, 0.95, True),
        (12, 3, 1.0, 0.8, True),
        (20, 2, -1.0, 0.5, False),
    ]:
        level = torch.randint(8, (starts,), generator=generator) / 8
        # Whoever draws places by hand forgets the ends: in the last case the wins are there.
        won = (torch.arange(starts) < wins).float().roll(-1)
        if shuffled:
            won = won[torch.randperm(starts, generator=generator)]
        interval = paired_bootstrap(level + sign * won, level.clone(), 4000, generator, confidence)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        outside = (1 - confidence) / 2
        counts = binom(starts, wins / starts).ppf([outside, 1 - outside])
        expected = sorted(sign * count / starts for count in counts)
        check_close(
            torch.tensor([float(bound) for bound in interval]),
            expected,
            "the percentiles of mean differences over starts, drawn with replacement, each as likely "
            "as any other.",
        )

@test_case(points=None, hidden=True,
    failure_message="Where differences lie evenly about their mean, it is the normal interval of this mean.")
def test_paired_bootstrap_has_the_right_width(paired_bootstrap):
    """Where differences lie evenly about their mean, it is the normal interval of this mean."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import math

    import torch
    from scipy.stats import norm

    from imitation_lab.testing import check_answered, fresh_generator

    generator = fresh_generator()
    resamples = 4000
    for starts, scale, confidence in [(60, 1.0, 0.95), (40, 20.0, 0.6)]:
        half = scale * torch.randn(starts // 2, generator=generator)
        difference = torch.cat([half, -half])[torch.randperm(starts, generator=generator)]
        difference = difference + 3 * scale
        second = 50 * scale * torch.randn(starts, generator=generator)
        interval = paired_bootstrap(second + difference, second, resamples, generator, confidence)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        error = float(difference.double().std(correction=0)) / math.sqrt(starts)
        tail = (1 - confidence) / 2
        z = norm.isf(tail)
        # Six standard deviations of such a percentile, and a little for rounding.
        spare = 6 * math.sqrt(tail * (1 - tail) / resamples) / norm.pdf(z) + 0.02
        for bound, side in zip(interval, (-1, 1), strict=True):
            off = abs((float(bound) - float(difference.mean())) / error - side * z)
            assert off < spare, (
                "the interval has the wrong width or place: draw as many starts as there are, the same "
                "for both policies, and leave equally much out on both sides."
            )

@test_case(points=None, hidden=True,
    failure_message="Equal seeds give equal intervals, different seeds different ones, and one resample has one mean.")
def test_paired_bootstrap_draws_from_its_generator(paired_bootstrap):
    """Equal seeds give equal intervals, different seeds different ones, and one resample has one mean."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    first, second = torch.randn(2, 40, generator=generator)
    seeds = torch.randint(2**40, (6,), generator=generator).tolist()

    def numbers(seed, resamples=40):
        drawn = torch.Generator().manual_seed(seed)
        interval = paired_bootstrap(first.clone(), second.clone(), resamples, drawn)
        check_answered(interval, "paired_bootstrap")
        assert len(interval) == 2, "return the pair (low, high)."
        return torch.tensor([float(bound) for bound in interval])

    intervals = torch.stack([numbers(seed) for seed in seeds])
    check_close(numbers(seeds[0]), intervals[0], "draw from the generator, and from nothing else.")
    spread = intervals.std(dim=0)
    assert bool((spread > 0).all()), (
        "another seed draws other starts: use the generator as it came."
    )
    single = torch.stack([numbers(seed, 1) for seed in seeds])
    hint = "with num_resamples = 1 there is one mean, and both percentiles are this mean."
    check_close(single[:, 1], single[:, 0], hint)
    assert len(single[:, 0].unique()) > 1, (
        "one resample is a draw too: its mean depends on the seed."
    )

@test_case(points=None, hidden=True,
    failure_message="What the policies reached is as it was, and to change places turns the interval round.")
def test_paired_bootstrap_leaves_its_arguments_alone(paired_bootstrap):
    """What the policies reached is as it was, and to change places turns the interval round."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    first = torch.randint(2, (30,), generator=generator).float()
    second = torch.rand(30, generator=generator)
    given = first.clone(), second.clone()
    seed = int(torch.randint(2**40, (1,), generator=generator))
    interval = paired_bootstrap(first, second, 50, torch.Generator().manual_seed(seed))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    for now, before in zip((first, second), given, strict=True):
        check_close(now, before, "an argument was changed in place: make a new tensor.")
    low, high = (float(bound) for bound in interval)
    assert low < high, "the lower bound comes first."
    gap = first - second
    assert float(gap.min()) <= low and high <= float(gap.max()), (
        "a mean of differences lies between the smallest and the largest of them: first - second."
    )
    # One start is drawn again and again: its own difference is all there is.
    alone = paired_bootstrap(first[:1], second[:1], 7, torch.Generator().manual_seed(seed))
    expected = [float(gap[0])] * 2
    check_close(torch.tensor([float(bound) for bound in alone]), expected, "first - second.")
