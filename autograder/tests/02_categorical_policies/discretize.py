from otter.test_files import test_case

OK_FORMAT = False

name = "discretize"
points = [1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Four bins between \u22121 and 1: each owns its lower edge, and the last one owns 1 and all above.")
def test_discretize_four_bins(discretize):
    """Four bins between \u22121 and 1: each owns its lower edge, and the last one owns 1 and all above."""
    assert discretize is not None, "discretize is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    actions = torch.tensor([-7.0, -1.0, -0.6, -0.5, 0.4, 0.5, 1.0, 3.0])
    given = actions.tolist()
    indices = discretize(actions, -1.0, 1.0, 4)
    check_answered(indices, "discretize")
    check_dtype(indices, torch.long, "indices are whole numbers.")
    hint = "the edges are \u22121, \u22120.5, 0, 0.5 and 1; what lies outside goes to the nearest bin."
    check_close(indices, [0, 0, 0, 1, 2, 3, 3, 3], hint)
    check_close(actions, given, "the actions were changed: do not work in place.")

@test_case(points=None, hidden=True,
    failure_message="The indices agree with numpy's, for any range, number of bins, shape and precision.")
def test_discretize_agrees_with_numpy(discretize):
    """The indices agree with numpy's, for any range, number of bins, shape and precision."""
    assert discretize is not None, "discretize is not defined yet: run the cell with your answer."
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape, fresh_generator

    generator = fresh_generator()
    cases = [
        (-1.0, 1.0, 2, (50,), torch.float32),
        (-0.3, 2.2, 7, (3, 4, 5), torch.float32),
        (5.0, 6.5, 101, (200,), torch.float64),
        (-40.0, -10.0, 31, (9, 6), torch.float32),
        (0.0, 0.02, 5, (), torch.float32),
    ]
    for low, high, num_bins, shape, dtype in cases:
        share = 1.2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 0.1
        actions = (low + (high - low) * share).to(dtype)
        indices = discretize(actions, low, high, num_bins)
        check_answered(indices, "discretize")
        check_shape(indices, shape, "one index for every action, in the same shape.")
        check_dtype(indices, torch.long, "indices are whole numbers.")
        given, edges = np.asarray(indices), np.linspace(low, high, num_bins + 1)
        # On an edge that float32 cannot hold, rounding may decide for either neighbour.
        shake = 1e-3 * (high - low) / num_bins
        below, above = (
            np.clip(np.digitize(actions.double().numpy() + s, edges) - 1, 0, num_bins - 1)
            for s in (-shake, shake)
        )
        wrong = int(((given != below) & (given != above)).sum())
        assert wrong == 0, (
            f"{wrong} of {given.size} actions are in the wrong bin, of {num_bins} bins: measure from "
            "low, in widths of a bin."
        )

@test_case(points=None, hidden=True,
    failure_message="A number on an edge belongs to the bin that begins there, and `high` to the last bin.")
def test_discretize_puts_edges_into_the_bin_above(discretize):
    """A number on an edge belongs to the bin that begins there, and `high` to the last bin."""
    assert discretize is not None, "discretize is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    # All of these edges are exact in floating point, so there is no excuse.
    for low, high, num_bins in [(-1.0, 1.0, 8), (0.0, 4.0, 16), (-3.0, 1.0, 2), (0.5, 2.0, 3)]:
        edges = low + (high - low) / num_bins * torch.arange(num_bins + 1)
        expected = [*range(num_bins), num_bins - 1]
        indices = discretize(edges, low, high, num_bins)
        check_answered(indices, "discretize")
        check_close(indices, expected, "each bin owns its lower edge; the last one owns high too.")
        just_below = discretize(edges[1:] - 0.01, low, high, num_bins)
        check_close(just_below, list(range(num_bins)), "just below an edge, the bin below it.")

@test_case(points=None, hidden=True,
    failure_message="Numbers below the range go to the first bin, numbers above it to the last.")
def test_discretize_clamps_what_lies_outside(discretize):
    """Numbers below the range go to the first bin, numbers above it to the last."""
    assert discretize is not None, "discretize is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    for low, high, num_bins in [(-1.0, 1.0, 4), (2.0, 3.5, 11), (-8.0, -2.0, 3)]:
        outside = torch.tensor(
            [low - 900, low - 1.7, low - 0.01, high + 0.01, high + 1.7, high + 900]
        )
        indices = discretize(outside, low, high, num_bins)
        check_answered(indices, "discretize")
        last = num_bins - 1
        check_close(indices, [0, 0, 0, last, last, last], "clamp to 0 \u2026 num_bins - 1.")
