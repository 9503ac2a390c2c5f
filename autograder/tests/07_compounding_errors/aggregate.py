from otter.test_files import test_case

OK_FORMAT = False

name = "aggregate"
points = [1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Two old rows and a new one make three.")
def test_aggregate_of_two_and_one(aggregate):
    """Two old rows and a new one make three."""
    assert aggregate is not None, "aggregate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    old = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0], [6.0]])
    both = aggregate(old, (torch.tensor([[7.0, 8.0]]), torch.tensor([[9.0]])))
    check_answered(both, "aggregate")
    assert len(both) == 2, "return a pair: observations, actions."
    check_close(both[0], [[1.0, 2.0], [3.0, 4.0], [7.0, 8.0]], "old observations first, then new.")
    check_close(both[1], [[5.0], [6.0], [9.0]], "an action belongs to its observation.")

@test_case(points=None, hidden=True,
    failure_message="All rows of the old dataset come first, then all of the new one, whatever their numbers.")
def test_aggregate_keeps_every_row_in_its_place(aggregate):
    """All rows of the old dataset come first, then all of the new one, whatever their numbers."""
    assert aggregate is not None, "aggregate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for old, new, dims in [(5, 3, (4, 2)), (2, 9, (1, 3)), (1, 1, (3, 3)), (4, 0, (2, 1))]:
        one = [torch.randn(old, dim, generator=generator) for dim in dims]
        other = [torch.randn(new, dim, generator=generator) for dim in dims]
        both = aggregate(tuple(part.clone() for part in one), tuple(part.clone() for part in other))
        check_answered(both, "aggregate")
        assert len(both) == 2, "return a pair: observations, actions."
        for given, first, second in zip(both, one, other, strict=True):
            check_shape(given, (old + new, first.shape[1]), "all rows of both.")
            check_close(torch.as_tensor(given)[:old], first, "the old rows come first.")
            check_close(torch.as_tensor(given)[old:], second, "the new rows come last.")

@test_case(points=None, hidden=True,
    failure_message="Round after round it grows, and the datasets that went in stay as they were.")
def test_aggregate_three_times_and_changes_nothing(aggregate):
    """Round after round it grows, and the datasets that went in stay as they were."""
    assert aggregate is not None, "aggregate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    parts = [
        (torch.randn(n, 2, generator=generator), torch.randn(n, 1, generator=generator))
        for n in (3, 5, 2)
    ]
    parts[2] = tuple(half[:2].clone() for half in parts[0])  # the same again
    given = [tuple(half.clone() for half in part) for part in parts]
    first = aggregate(given[0], given[1])
    check_answered(first, "aggregate")
    second = aggregate(first, given[2])
    check_answered(second, "aggregate")
    for index in (0, 1):
        expected = torch.cat([part[index] for part in parts])
        check_close(second[index], expected, "what was collected before stays in.")
        for before, after in zip(parts, given, strict=True):
            check_close(after[index], before[index], "a dataset was changed: make new tensors.")
