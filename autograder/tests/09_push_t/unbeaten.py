from otter.test_files import test_case

OK_FORMAT = False

name = "unbeaten"
points = [2, 3, 3]

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

@test_case(points=None, hidden=True,
    failure_message="Every policy is compared with every other, on every axis, in whatever order they come.")
def test_unbeaten_of_many_policies(unbeaten):
    """Every policy is compared with every other, on every axis, in whatever order they come."""
    assert unbeaten is not None, "unbeaten is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

    generator = fresh_generator()
    for policies, axes in [(40, 3), (25, 2), (30, 4), (9, 1), (1, 3)]:
        # Few different values, so that many agree on an axis and nothing is decided by one alone.
        scores = torch.randint(6, (policies, axes), generator=generator) - 2.5
        scores = scores * 10.0 ** torch.arange(axes)
        front = unbeaten(scores.clone())
        check_answered(front, "unbeaten")
        check_dtype(front, torch.bool, "return booleans.")
        rows = [tuple(row) for row in scores.tolist()]
        expected = [
            not any(
                all(a >= b for a, b in zip(rival, own, strict=True)) and rival != own
                for rival in rows
            )
            for own in rows
        ]
        hint = "compare with every other policy: at least as good everywhere, better somewhere."
        check_close(front, torch.tensor(expected), hint)

@test_case(points=None, hidden=True,
    failure_message="Twins stay together, and a compromise is unbeaten though it is first on no axis.")
def test_unbeaten_keeps_twins_and_those_in_between(unbeaten):
    """Twins stay together, and a compromise is unbeaten though it is first on no axis."""
    assert unbeaten is not None, "unbeaten is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for scale in (1.0, 1e-3, 1e4):
        first, second = 1 + torch.rand(2, generator=generator)
        # A front that bends inwards: no weighted sum would choose the one in the middle.
        best = torch.tensor([[4.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 4.0, 1.0]])
        best = best * torch.stack([first, second, torch.tensor(1.0)])
        behind = best[1:2] - torch.tensor([[0.0, 0.0, 0.5]])
        scores = scale * torch.cat([behind, best[1:2], best, behind])
        given = scores.clone()
        front = unbeaten(scores)
        check_answered(front, "unbeaten")
        expected = torch.tensor([False, True, True, True, True, False])
        hint = "whoever is beaten by nobody is on the front, with all twins."
        check_close(front, expected, hint)
        check_close(scores, given, "the scores were changed in place: make a new tensor.")
