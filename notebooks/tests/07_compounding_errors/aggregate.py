from otter.test_files import test_case

OK_FORMAT = False

name = "aggregate"
points = [1]

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
