from otter.test_files import test_case

OK_FORMAT = False

name = "conditional_mean"
points = [1, 2]

@test_case(points=None, hidden=False,
    failure_message="Where an observation was seen once, its conditional mean is the action taken there.")
def test_conditional_mean_at_an_observation_seen_once(conditional_mean):
    """Where an observation was seen once, its conditional mean is the action taken there."""
    assert conditional_mean is not None, "conditional_mean is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    actions = torch.tensor([[1.0, 2.0], [3.0, 4.0], [9.0, 6.0]])
    mean = conditional_mean(observations, actions, torch.tensor([0.0, 1.0]))
    check_answered(mean, "conditional_mean")
    check_shape(mean, (2,), "average over the rows that match, and keep the action axis.")
    check_close(mean, [3.0, 4.0], "a row matches when all of its numbers equal the query's.")

@test_case(points=None, hidden=True,
    failure_message="Exactly the rows that match the query in every number are averaged.")
def test_conditional_mean_averages_the_matching_rows(conditional_mean):
    """Exactly the rows that match the query in every number are averaged."""
    assert conditional_mean is not None, "conditional_mean is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    grid = torch.tensor([-0.2, 0.1, 0.11])
    observations = grid[torch.randint(0, 3, (120, 3), generator=generator)]
    actions = torch.randn(120, 3, generator=generator)
    for query in observations[:5]:
        mean = conditional_mean(observations, actions, query)
        check_answered(mean, "conditional_mean")
        rows = [i for i in range(120) if observations[i].tolist() == query.tolist()]
        expected = [sum(actions[i, d].item() for i in rows) / len(rows) for d in range(3)]
        check_close(
            mean, expected, "average the actions of the rows that equal the query, and no others."
        )
