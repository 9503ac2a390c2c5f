from otter.test_files import test_case

OK_FORMAT = False

name = "unbeaten"
points = [2]

@test_case(points=None, hidden=False,
    failure_message="A front of two, and two behind it.")
def test_unbeaten_of_four_policies(unbeaten):
    """A front of two, and two behind it."""
    assert unbeaten is not None, "unbeaten is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    scores = torch.tensor(
        [[0.9, 0.1, -60.0], [0.4, 0.8, -60.0], [0.4, 0.7, -60.0], [0.8, 0.1, -90.0]]
    )
    front = unbeaten(scores)
    check_answered(front, "unbeaten")
    check_dtype(front, torch.bool, "return booleans.")
    expected = torch.tensor([True, True, False, False])
    check_close(front, expected, "beaten: nowhere better than another, and somewhere worse.")
