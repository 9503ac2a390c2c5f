from otter.test_files import test_case

OK_FORMAT = False

name = "undiscretize"
points = [1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="Four bins between \u22121 and 1 have their centres at \u22120.75, \u22120.25, 0.25 and 0.75.")
def test_undiscretize_four_bins(undiscretize):
    """Four bins between \u22121 and 1 have their centres at \u22120.75, \u22120.25, 0.25 and 0.75."""
    assert undiscretize is not None, "undiscretize is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    centres = undiscretize(torch.tensor([[0, 1], [2, 3]]), -1.0, 1.0, 4)
    check_answered(centres, "undiscretize")
    check_close(centres, [[-0.75, -0.25], [0.25, 0.75]], "halfway between a bin's two edges.")

@test_case(points=None, hidden=True,
    failure_message="A centre is the mean of its bin's edges, for any range, number of bins and shape.")
def test_undiscretize_returns_the_middle_between_two_edges(undiscretize):
    """A centre is the mean of its bin's edges, for any range, number of bins and shape."""
    assert undiscretize is not None, "undiscretize is not defined yet: run the cell with your answer."
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    cases = [(-1.0, 1.0, 2, (9,)), (-0.3, 2.2, 7, (3, 4, 5)), (5, 9, 3, (6, 2)), (0.0, 0.4, 51, ())]
    for low, high, num_bins, shape in cases:
        indices = torch.randint(num_bins, shape, generator=generator)
        centres = undiscretize(indices, low, high, num_bins)
        check_answered(centres, "undiscretize")
        edges = np.linspace(low, high, num_bins + 1)
        expected = (edges[indices.numpy()] + edges[indices.numpy() + 1]) / 2
        check_close(centres, expected, "halfway between a bin's two edges.")

@test_case(points=None, hidden=True,
    failure_message="There and back again, an action inside the range moves by half a bin at most, and some move that far.")
def test_undiscretize_errs_by_half_a_bin_at_most(undiscretize):
    """There and back again, an action inside the range moves by half a bin at most, and some move that far."""
    assert undiscretize is not None, "undiscretize is not defined yet: run the cell with your answer."
    import numpy as np
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator = fresh_generator()
    for low, high, num_bins in [(-1.5, 1.5, 31), (2.0, 9.0, 5), (-3.0, -1.0, 2)]:
        actions = low + (high - low) * torch.rand(2000, generator=generator, dtype=torch.float64)
        edges = np.linspace(low, high, num_bins + 1)[1:-1]
        indices = torch.as_tensor(np.digitize(actions.numpy(), edges))
        centres = undiscretize(indices, low, high, num_bins)
        check_answered(centres, "undiscretize")
        check_shape(centres, (2000,), "one centre for every index.")
        moved = (torch.as_tensor(centres).double() - actions).abs().max() * num_bins / (high - low)
        assert moved < 0.5 + 1e-4, (
            f"an action came back {moved:.2f} bins from where it was: return the bins' centres."
        )
