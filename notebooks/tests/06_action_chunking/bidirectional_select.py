from otter.test_files import test_case

OK_FORMAT = False

name = "bidirectional_select"
points = [1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Two rows with other plans choose other candidates.")
def test_bidirectional_select_of_known_chunks(bidirectional_select):
    """Two rows with other plans choose other candidates."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    left, right = [[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]], [[0.0, -1.0], [0.0, -2.0], [0.0, -3.0]]
    candidates = torch.tensor([[left, right], [left, right]])
    plans = torch.tensor([[[0.0, -1.5], [0.0, -1.5]], [[0.0, 1.5], [0.0, 1.5]]])
    chosen = bidirectional_select(candidates, plans, candidates, candidates, 0.5)
    check_answered(chosen, "bidirectional_select")
    hint = "each row takes the candidate that is nearest to its own old plan: the smallest cost."
    check_close(chosen, [right, left], hint)

@test_case(points=None, hidden=False,
    failure_message="Where there is one candidate, there is no choice.")
def test_bidirectional_select_of_one_candidate(bidirectional_select):
    """Where there is one candidate, there is no choice."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    only = torch.arange(24.0).view(2, 1, 4, 3)
    others = torch.ones(2, 3, 4, 3)
    chosen = bidirectional_select(only, torch.zeros(2, 2, 3), others, others + 1, 0.5)
    check_answered(chosen, "bidirectional_select")
    check_close(chosen, only[:, 0], "return the candidate itself, without its own axis.")

@test_case(points=None, hidden=False,
    failure_message="In the question's example the contrast decides, and so it does where no plan is left.")
def test_bidirectional_select_of_the_example(bidirectional_select):
    """In the question's example the contrast decides, and so it does where no plan is left."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    ones, zeros = [[1.0], [1.0]], [[0.0], [0.0]]
    candidates = torch.tensor([[ones, zeros]])
    strong, weak = torch.tensor([[zeros, [[0.0], [1.0]]]]), torch.tensor([[[[2.0], [1.0]]]])
    chosen = bidirectional_select(candidates, torch.ones(1, 2, 1), strong, weak, 0.5)
    check_answered(chosen, "bidirectional_select")
    check_close(chosen, [zeros], "work out the sum of both candidates, as in the question's table.")
    candidates = torch.tensor([[ones, zeros], [zeros, ones]])
    strong, weak = torch.tensor([[zeros], [zeros]]), torch.tensor([[ones], [ones]])
    chosen = bidirectional_select(candidates, torch.zeros(2, 0, 1), strong, weak, 0.5)
    check_answered(chosen, "bidirectional_select")
    hint = (
        "without an old plan, take the candidate near to the strong chunks, far from the weak ones."
    )
    check_close(chosen, [zeros, zeros], hint)
