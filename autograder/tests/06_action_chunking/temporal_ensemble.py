from otter.test_files import test_case

OK_FORMAT = False

name = "temporal_ensemble"
points = [1, 1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="Where every prediction counts half as much as the one before it, two weigh 2/3 and 1/3.")
def test_temporal_ensemble_of_two_predictions(temporal_ensemble):
    """Where every prediction counts half as much as the one before it, two weigh 2/3 and 1/3."""
    assert temporal_ensemble is not None, "temporal_ensemble is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close

    first = [[3.0, 0.0, 9.0], [0.0, 3.0, 0.0]]
    second = [[6.0, 6.0, 6.0], [0.0, 3.0, -3.0]]
    actions = temporal_ensemble(torch.tensor([first, second]), math.log(2.0))
    check_answered(actions, "temporal_ensemble")
    hint = "the oldest prediction comes first and has the weight 2/3, the newest has 1/3."
    check_close(actions, [[2.0, 1.0, 6.0], [4.0, 5.0, 3.0]], hint)

@test_case(points=None, hidden=False,
    failure_message="Predictions that agree are not changed, however many there are: the weights sum to one.")
def test_temporal_ensemble_of_equal_predictions(temporal_ensemble):
    """Predictions that agree are not changed, however many there are: the weights sum to one."""
    assert temporal_ensemble is not None, "temporal_ensemble is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    action = torch.tensor([[1.0, -2.0], [30.0, 0.5], [-4.0, 7.0]])
    for count in (1, 2, 5):
        mean = temporal_ensemble(action.unsqueeze(1).repeat(1, count, 1), 0.3)
        check_answered(mean, "temporal_ensemble")
        check_close(mean, action, "divide by the sum of the weights.")

@test_case(points=None, hidden=True,
    failure_message="For any sizes and decays, each number is the formula's, worked out one by one.")
def test_temporal_ensemble_is_the_weighted_average(temporal_ensemble):
    """For any sizes and decays, each number is the formula's, worked out one by one."""
    assert temporal_ensemble is not None, "temporal_ensemble is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    sizes = [(4, 3, 2), (3, 3, 3), (2, 5, 5), (4, 4, 2), (1, 12, 1), (5, 1, 3), (1, 1, 1)]
    for (batch, count, action_dim), decay in zip(
        sizes, (0.5, 1.1, -0.7, 0.2, 0.01, 2.0, -1.0), strict=True
    ):
        predictions = 3 * torch.randn(batch, count, action_dim, generator=generator) + 1
        predictions[0, count // 2] = 0.0  # to stand still is a prediction like any other
        given = predictions.clone()
        actions = temporal_ensemble(given, decay)
        check_answered(actions, "temporal_ensemble")
        weights = [math.exp(-decay * i) for i in range(count)]
        expected = [
            [
                sum(w * row[i][a] for i, w in enumerate(weights)) / sum(weights)
                for a in range(action_dim)
            ]
            for row in predictions.tolist()
        ]
        check_close(actions, expected, "weigh along the second axis, the oldest with exp(0) = 1.")
        check_close(given, predictions, "the predictions were changed in place: make a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="A large decay leaves the oldest prediction, a large negative one the newest, none the mean.")
def test_temporal_ensemble_keeps_to_the_ends(temporal_ensemble):
    """A large decay leaves the oldest prediction, a large negative one the newest, none the mean."""
    assert temporal_ensemble is not None, "temporal_ensemble is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    predictions = torch.randn(3, 4, 2, generator=fresh_generator())
    for decay, expected in [
        (20.0, predictions[:, 0]),
        (-20.0, predictions[:, 3]),
        (0.0, predictions.sum(dim=1) / 4),
        (0, predictions.sum(dim=1) / 4),
    ]:
        actions = temporal_ensemble(predictions.clone(), decay)
        check_answered(actions, "temporal_ensemble")
        check_close(actions, expected, f"for a weight_decay of {decay:g} the weights are off.")
