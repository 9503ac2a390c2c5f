from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_log_density"
points = [1, 1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Two bins of width 4, with probabilities 1/4 and 3/4, have densities 1/16 and 3/16.")
def test_categorical_log_density_of_known_odds(categorical_log_density):
    """Two bins of width 4, with probabilities 1/4 and 3/4, have densities 1/16 and 3/16."""
    assert categorical_log_density is not None, "categorical_log_density is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.tensor([0.0, math.log(3)]).repeat(3, 1)
    log_density = categorical_log_density(logits, torch.tensor([3.0, 5.0, 9.0]), 2.0, 10.0)
    check_answered(log_density, "categorical_log_density")
    check_shape(log_density, (3,), "one number for each row.")
    expected = [math.log(1 / 16), math.log(1 / 16), math.log(3 / 16)]
    check_close(log_density, expected, "density is probability divided by width.")

@test_case(points=None, hidden=True,
    failure_message="The density is the bin's probability over the bin's width, for any range and sizes.")
def test_categorical_log_density_agrees_with_numpy(categorical_log_density):
    """The density is the bin's probability over the bin's width, for any range and sizes."""
    assert categorical_log_density is not None, "categorical_log_density is not defined yet: run the cell with your answer."
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    cases = [(7, 5, -1.0, 1.0), (1, 3, 0.0, 0.6), (4, 2, -30.0, 70.0), (9, 31, -3.0, 3.5)]
    for batch, num_bins, low, high in cases:
        logits = 3 * torch.randn(batch, num_bins, generator=generator)
        edges = np.linspace(low, high, num_bins + 1)
        indices = torch.randint(num_bins, (batch,), generator=generator).numpy()
        # Away from the edges, where rounding might decide.
        share = 0.02 + 0.96 * torch.rand(batch, generator=generator, dtype=torch.float64).numpy()
        actions = torch.as_tensor(edges[indices] + share * np.diff(edges)[indices]).float()
        log_density = categorical_log_density(logits, actions, low, high)
        check_answered(log_density, "categorical_log_density")
        probabilities = torch.distributions.Categorical(logits=logits.double()).probs.numpy()
        density = probabilities[np.arange(batch), indices] / np.diff(edges)[indices]
        check_close(
            log_density, np.log(density), "the log-probability of the bin, minus log of its width."
        )

@test_case(points=None, hidden=True,
    failure_message="`low` lies in the first bin, and `high` in the last.")
def test_categorical_log_density_holds_at_both_ends(categorical_log_density):
    """`low` lies in the first bin, and `high` in the last."""
    assert categorical_log_density is not None, "categorical_log_density is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_bins, low, high in [(2, -1.0, 1.0), (5, -30.0, 70.0), (31, 0.0, 3.5)]:
        logits = torch.randn(1, num_bins, generator=generator).repeat(2, 1)
        log_density = categorical_log_density(logits, torch.tensor([low, high]), low, high)
        check_answered(log_density, "categorical_log_density")
        ends = logits[0].double().log_softmax(dim=0)[[0, -1]]
        expected = ends - math.log((high - low) / num_bins)
        check_close(log_density, expected, "low lies in the first bin, and high in the last.")

@test_case(points=None, hidden=True,
    failure_message="The density integrates to one, whatever the number of bins and the units.")
def test_categorical_log_density_integrates_to_one(categorical_log_density):
    """The density integrates to one, whatever the number of bins and the units."""
    assert categorical_log_density is not None, "categorical_log_density is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_bins, low, high in [(2, 0.0, 0.1), (7, -2.0, 1.5), (31, -40.0, 60.0)]:
        cells = 20 * num_bins
        grid = low + (high - low) / cells * (torch.arange(cells) + 0.5)
        logits = (2 * torch.randn(1, num_bins, generator=generator)).repeat(cells, 1)
        log_density = categorical_log_density(logits, grid, low, high)
        check_answered(log_density, "categorical_log_density")
        mass = torch.as_tensor(log_density).double().exp().sum() * (high - low) / cells
        hint = "the density does not integrate to one: mind the width of a bin."
        check_close(mass, 1.0, hint, rtol=1e-3)
