from otter.test_files import test_case

OK_FORMAT = False

name = "discretize"
points = [1]

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
