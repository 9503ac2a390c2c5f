from otter.test_files import test_case

OK_FORMAT = False

name = "autoregressive_sample"
points = [1, 2, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="A policy whose second number always repeats the first draws pairs of equal numbers.")
def test_autoregressive_sample_looks_at_what_it_drew(autoregressive_sample):
    """A policy whose second number always repeats the first draws pairs of equal numbers."""
    assert autoregressive_sample is not None, "autoregressive_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape

    def policy(observations, prefix):
        assert prefix.dim() == 2 and len(prefix) == len(observations), (
            f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d), in the beginning (batch, 0)."
        )
        assert prefix.shape[1] < 2, (
            f"the prefix has shape {tuple(prefix.shape)}: it holds only what is drawn already, "
            "no number for the first and one for the second."
        )
        if prefix.shape[1] == 0:
            return torch.zeros(len(observations), 6)
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        return 1e3 * torch.nn.functional.one_hot(prefix[:, 0], 6).float()

    samples = autoregressive_sample(policy, torch.zeros(50, 3), 2, torch.Generator().manual_seed(0))
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (50, 2), "one bin for every number of every action.")
    check_dtype(samples, torch.long, "return bins.")
    assert (samples[:, 0] == samples[:, 1]).all(), (
        "the second number does not follow from the first: show the policy what you drew."
    )
    assert len(set(samples[:, 0].tolist())) > 1, (
        "all rows drew the same number: draw at random, and for each row anew."
    )

@test_case(points=None, hidden=True,
    failure_message="The samples have the frequencies of the joint distribution, another one for each observation.")
def test_autoregressive_sample_follows_the_joint(autoregressive_sample):
    """The samples have the frequencies of the joint distribution, another one for each observation."""
    assert autoregressive_sample is not None, "autoregressive_sample is not defined yet: run the cell with your answer."
    import numpy as np
    import torch
    from scipy.stats import chisquare

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator, count = fresh_generator(), 8_000
    joint = (2 * torch.rand(3, 4, 4, 4, generator=generator)).exp()  # observation, three numbers
    joint = joint * torch.tensor([1.0, 2.0, 4.0, 8.0]).reshape(4, 1, 1)  # far from even
    joint = joint / joint.sum(dim=(1, 2, 3), keepdim=True)

    def policy(observations, prefix, joint=joint):
        table = joint[observations[:, 0].long()]
        for column in prefix.T:
            table = table[torch.arange(len(table)), column.long()]
        return table.flatten(1).unflatten(1, (4, -1)).sum(2).log() + observations

    observations = torch.arange(3.0).repeat(count)[:, None]
    samples = autoregressive_sample(policy, observations, 3, fresh_generator())
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (3 * count, 3), "one bin for every number of every action.")
    samples = torch.as_tensor(samples).long()
    assert samples.min() >= 0 and samples.max() <= 3, "the bins are counted from 0 to num_bins - 1."
    cells = (16 * samples[:, 0] + 4 * samples[:, 1] + samples[:, 2]).reshape(count, 3)
    for observation in range(3):
        seen = np.bincount(cells[:, observation].numpy(), minlength=64)
        expected = joint[observation].double().flatten().numpy()
        # A right answer's p-value is uniform: it falls below 10^-9 once in 10^9 gradings.
        assert chisquare(seen, count * expected / expected.sum()).pvalue > 1e-9, (
            "the samples do not follow the policy's distribution: draw each number from the softmax of "
            "its logits, given the numbers that you drew before it in the same row."
        )

@test_case(points=None, hidden=True,
    failure_message="Where every number follows exactly from those before it, so it does in every sample.")
def test_autoregressive_sample_conditions_on_its_own_prefix(autoregressive_sample):
    """Where every number follows exactly from those before it, so it does in every sample."""
    assert autoregressive_sample is not None, "autoregressive_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape, fresh_generator

    def policy(observations, prefix):
        if prefix.shape[1] == 0:
            return torch.zeros(len(observations), 5)
        assert prefix.dim() == 2 and len(prefix) == len(observations), (
            f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d)."
        )
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        places = torch.arange(1, prefix.shape[1] + 1)
        following = ((prefix * places).sum(dim=1) + observations[:, 0].long()) % 5
        return 1e3 * torch.nn.functional.one_hot(following, 5).float()

    generator = fresh_generator()
    observations = torch.randint(0, 5, (400, 1), generator=generator).float()
    samples = autoregressive_sample(policy, observations, 4, generator)
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (400, 4), "one bin for every number of every action.")
    check_dtype(samples, torch.long, "return bins.")
    for row, (seen,) in zip(samples.tolist(), observations.long().tolist(), strict=True):
        for d in range(1, 4):
            follows = (sum((k + 1) * row[k] for k in range(d)) + seen) % 5
            assert row[d] == follows, (
                f"number {d} does not follow from the numbers before it in its own row: the prefix "
                "must hold just what you return, in order."
            )

@test_case(points=None, hidden=True,
    failure_message="The generator decides the sample: equal seeds repeat it, and the next call draws anew.")
def test_autoregressive_sample_draws_from_the_generator(autoregressive_sample):
    """The generator decides the sample: equal seeds repeat it, and the next call draws anew."""
    assert autoregressive_sample is not None, "autoregressive_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    def policy(observations, prefix):
        return torch.zeros(len(observations), 7)

    observations, seed = torch.zeros(40, 2), fresh_generator().initial_seed()
    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    first, following, again = (
        autoregressive_sample(policy, observations, 3, source) for source in (one, one, same)
    )
    for samples in (first, following, again):
        check_answered(samples, "autoregressive_sample")
        check_shape(samples, (40, 3), "one bin for every number of every action.")
    first, following, again = (torch.as_tensor(s).long() for s in (first, following, again))
    check_close(again, first, "the same seed gave another sample: draw from `generator`.")
    assert (first != following).any(), (
        "two draws from one generator are the same: do not seed it yourself."
    )

@test_case(points=None, hidden=True,
    failure_message="Rows, numbers and calls have draws of their own: they agree no more often than by chance.")
def test_autoregressive_sample_draws_for_every_number(autoregressive_sample):
    """Rows, numbers and calls have draws of their own: they agree no more often than by chance."""
    assert autoregressive_sample is not None, "autoregressive_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    def policy(observations, prefix):
        return torch.zeros(len(observations), 7)

    generator, count = fresh_generator(), 3_000
    calls = [autoregressive_sample(policy, torch.zeros(count, 1), 2, generator) for _ in range(2)]
    for samples in calls:
        check_answered(samples, "autoregressive_sample")
        check_shape(samples, (count, 2), "one bin for every number of every action.")
    first, following = (torch.as_tensor(samples).long() for samples in calls)
    pairs = {
        "neighbouring rows share their draws": (first[1:, 0], first[:-1, 0]),
        "rows share their draws": (first[count // 2 :, 1], first[: count // 2, 1]),
        "the numbers of an action share their draws": (first[:, 0], first[:, 1]),
        "two calls with one generator share their draws": (first[:, 0], following[:, 0]),
    }
    for fault, (one, two) in pairs.items():
        # Independent draws from 7 bins agree in one case of 7: six standard deviations around that.
        excess = (one == two).double().mean() - 1 / 7
        assert excess.abs() * (49 * len(one) / 6) ** 0.5 < 6, f"{fault}: draw for every number."
