from otter.test_files import test_case

OK_FORMAT = False

name = "bidirectional_select"
points = [1, 1, 1, 2, 1, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="For any sizes, the chosen chunk is a candidate of its row, and none costs less.")
def test_bidirectional_select_takes_the_smallest_cost(bidirectional_select):
    """For any sizes, the chosen chunk is a candidate of its row, and none costs less."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    generator = fresh_generator()
    sizes = [(30, 6, 5, 3, 3, 4, 7), (20, 7, 4, 2, 4, 5, 2), (5, 5, 5, 5, 1, 5, 5)]
    sizes += [(1, 9, 2, 1, 2, 1, 3), (20, 4, 6, 2, 5, 2, 8), (30, 6, 4, 2, 0, 3, 5)]
    for batch, number, horizon, action_dim, overlap, good, bad in sizes:
        shape = (horizon, action_dim)
        candidates = torch.randn(batch, number, *shape, generator=generator)
        previous = torch.randn(batch, overlap, action_dim, generator=generator) - 0.5
        strong = 0.7 * torch.randn(batch, good, *shape, generator=generator) + 0.5
        weak = 2 * torch.randn(batch, bad, *shape, generator=generator)
        decay = 0.4 + 0.5 * float(torch.rand((), generator=generator))
        given = [value.clone() for value in (candidates, previous, strong, weak)]
        chosen = bidirectional_select(*given, decay)
        check_answered(chosen, "bidirectional_select")
        check_shape(chosen, (batch, *shape), "one chunk for every row.")
        cost = torch.zeros(batch, number, dtype=torch.float64)
        for n in range(number):
            chunk = candidates[:, n].double()
            for i in range(overlap):
                cost[:, n] += decay**i * (chunk[:, i] - previous[:, i]).norm(dim=1)
            for others, share in ((strong, 1 / good), (weak, -1 / bad)):
                for k in range(others.shape[1]):
                    cost[:, n] += share * (chunk - others[:, k]).norm(dim=2).sum(dim=1)
        away = (candidates.double() - torch.as_tensor(chosen).detach().unsqueeze(1)).abs()
        nearest, which = away.amax(dim=(2, 3)).min(dim=1)
        assert nearest.max() < 1e-4, (
            "what was returned is no candidate of its row: choose one, do not mix them."
        )
        # A thousandth more is a tie: rounding may decide it either way.
        excess = cost.gather(1, which.unsqueeze(1)).squeeze(1) - cost.min(dim=1).values
        assert excess.max() < 1e-3, (
            f"in {int((excess > 1e-3).sum())} of {batch} rows another candidate has a smaller sum of "
            "coherence and contrast: compare each part with its formula."
        )
        for now, before in zip(given, (candidates, previous, strong, weak), strict=True):
            assert torch.equal(now, before), "an argument was changed in place: make a new tensor."

@test_case(points=None, hidden=True,
    failure_message="Where strong and weak policies agree, the candidate that follows the plan wins.")
def test_bidirectional_select_continues_the_plan(bidirectional_select):
    """Where strong and weak policies agree, the candidate that follows the plan wins."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    batch, number, horizon = 12, 5, 6
    candidates = 3 * torch.randn(batch, number, horizon, 2, generator=generator)
    same = torch.randn(batch, 4, horizon, 2, generator=generator)
    winners = torch.randint(number, (batch,), generator=generator)
    for overlap in (1, 3, horizon):
        planned = candidates[torch.arange(batch), winners]
        # Where the plan ends the candidate is still its own: only the overlap is compared.
        chosen = bidirectional_select(candidates, planned[:, :overlap].clone(), same, same, 0.8)
        check_answered(chosen, "bidirectional_select")
        hint = "compare the first actions of the candidates with the old plan."
        check_close(chosen, planned, hint)

@test_case(points=None, hidden=True,
    failure_message="A candidate that errs early loses to one that errs as much, but late.")
def test_bidirectional_select_counts_later_actions_less(bidirectional_select):
    """A candidate that errs early loses to one that errs as much, but late."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    plan = torch.zeros(1, 4, 2)
    early, late = torch.zeros(2, 4, 2)
    # The early error is the smaller one. Halved at each step, the late one counts 1.5 / 8.
    early[0, 0], late[3, 1] = 1.0, 1.5
    candidates = torch.stack([early, late]).unsqueeze(0)
    same = torch.ones(1, 3, 4, 2)
    for decay, expected in [(0.5, late), (1.0, early), (0.1, late)]:
        chosen = bidirectional_select(candidates, plan, same, same, decay)
        check_answered(chosen, "bidirectional_select")
        check_close(chosen[0], expected, "action i of the plan counts decay ** i, from i = 0.")

@test_case(points=None, hidden=True,
    failure_message="Without an overlap the contrast decides: near to the strong policy, far from the weak one.")
def test_bidirectional_select_without_a_plan(bidirectional_select):
    """Without an overlap the contrast decides: near to the strong policy, far from the weak one."""
    assert bidirectional_select is not None, "bidirectional_select is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    batch, horizon = 8, 5
    candidates = torch.randn(batch, 4, horizon, 2, generator=generator)
    winners = torch.randint(4, (batch,), generator=generator)
    best = candidates[torch.arange(batch), winners]
    # Of all places the strong chunks' own is the one with the smallest difference of distances.
    strong, weak = best[:, None].repeat(1, 3, 1, 1), (best + 50.0)[:, None].repeat(1, 6, 1, 1)
    chosen = bidirectional_select(candidates, torch.zeros(batch, 0, 2), strong, weak, 0.5)
    check_answered(chosen, "bidirectional_select")
    hint = "subtract the mean distance to the weak chunks from that to the strong ones."
    check_close(chosen, best, hint)
