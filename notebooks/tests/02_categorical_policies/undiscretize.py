from otter.test_files import test_case

OK_FORMAT = False

name = "undiscretize"
points = [1]

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
