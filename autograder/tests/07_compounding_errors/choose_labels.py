from otter.test_files import test_case

OK_FORMAT = False

name = "choose_labels"
points = [1, 1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="Three of eight observations, each with the expert's label for it.")
def test_choose_labels_of_three(choose_labels):
    """Three of eight observations, each with the expert's label for it."""
    assert choose_labels is not None, "choose_labels is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.arange(16.0).view(8, 2)
    dataset = choose_labels(observations, lambda seen: 100 + seen[:, :1], 3, torch.Generator())
    check_answered(dataset, "choose_labels")
    chosen, labels = dataset
    check_shape(chosen, (3, 2), "as many observations as the budget allows.")
    check_close(labels, 100 + torch.as_tensor(chosen)[:, :1], "a label belongs to its observation.")
    assert len(torch.as_tensor(chosen)[:, 0].unique()) == 3, "no observation is chosen twice."

@test_case(points=None, hidden=True,
    failure_message="Whole rows are returned, each at most once, and all where the budget is larger.")
def test_choose_labels_returns_rows_with_their_labels(choose_labels):
    """Whole rows are returned, each at most once, and all where the budget is larger."""
    assert choose_labels is not None, "choose_labels is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for count, budget, dim in [(20, 7, 3), (5, 5, 2), (4, 30, 5), (9, 1, 1), (1, 1, 4)]:
        observations = torch.randn(count, dim, generator=generator)
        weights = torch.randn(dim, 2, generator=generator)
        given = observations.clone()
        dataset = choose_labels(given, lambda seen, w=weights: (seen @ w).cos(), budget, generator)
        check_answered(dataset, "choose_labels")
        chosen, labels = dataset
        kept = min(count, budget)
        check_shape(chosen, (kept, dim), "the smaller of the budget and the number of rows.")
        check_shape(labels, (kept, 2), "one label for each chosen observation.")
        chosen = torch.as_tensor(chosen, dtype=torch.float32)
        check_close(labels, (chosen @ weights).cos(), "a label belongs to its observation.")
        same = (chosen[:, None] - observations).abs().amax(dim=2) < 1e-6
        assert same.any(dim=1).all(), "something was returned that is no row of the observations."
        assert not (same.sum(dim=0) > 1).any(), "an observation was chosen twice."
        check_close(given, observations, "the observations were changed in place.")

@test_case(points=None, hidden=True,
    failure_message="The expert is asked about as many observations as the budget has, and each once.")
def test_choose_labels_asks_about_nobody_else(choose_labels):
    """The expert is asked about as many observations as the budget has, and each once."""
    assert choose_labels is not None, "choose_labels is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    for count, budget in [(30, 8), (12, 12), (6, 20), (40, 1)]:
        asked = torch.zeros(count)

        def expert(seen, asked=asked):
            for row in seen:
                asked[int(row[0])] += 1
            return seen[:, 1:]

        names = torch.arange(float(count))[:, None]
        observations = torch.cat([names, torch.randn(count, 1, generator=fresh_generator())], dim=1)
        dataset = choose_labels(observations, expert, budget, fresh_generator())
        check_answered(dataset, "choose_labels")
        total = int(asked.sum())
        assert total == min(count, budget), (
            f"with a budget of {budget} and {count} observations the expert was asked {total} times."
        )
        returned = torch.as_tensor(dataset[0])[:, 0].long()
        assert (asked[returned] == 1).all(), (
            "ask about the observations that you return, once each."
        )

@test_case(points=None, hidden=True,
    failure_message="Early and late observations are chosen alike, neighbours or not, and anew with every draw.")
def test_choose_labels_gives_all_the_same_chance(choose_labels):
    """Early and late observations are chosen alike, neighbours or not, and anew with every draw."""
    assert choose_labels is not None, "choose_labels is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    observations = torch.arange(2000.0)[:, None]
    seed = fresh_generator().initial_seed()
    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    drawn = []
    for source in (one, one, same):
        dataset = choose_labels(observations, lambda seen: 1 * seen, 1000, source)
        check_answered(dataset, "choose_labels")
        drawn.append(torch.as_tensor(dataset[0])[:, 0].long().sort().values)
    assert torch.equal(drawn[0], drawn[2]), "the same seed gave another choice: use `generator`."
    # The mean place has a standard deviation of 12.9 and the number of chosen neighbours one of
    # 11.2; of 1,000 chosen, 500 are chosen again, with one of 11.2. Seven of each.
    middle = float(drawn[0].double().mean())
    assert abs(middle - 999.5) < 91, "late observations should be chosen as often as early ones."
    neighbours = int((drawn[0].diff() == 1).sum())
    assert abs(neighbours - 499.5) < 79, "whether a row is chosen says nothing of its neighbour."
    again = len(set(drawn[0].tolist()) & set(drawn[1].tolist()))
    assert abs(again - 500) < 79, "two calls with one generator should choose independently."
