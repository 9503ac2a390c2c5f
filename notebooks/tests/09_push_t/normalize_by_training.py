from otter.test_files import test_case

OK_FORMAT = False

name = "normalize_by_training"
points = [1, 2]

@test_case(points=None, hidden=False,
    failure_message="Two episodes to learn from and one that is held out.")
def test_normalize_by_training_of_three_small_episodes(normalize_by_training):
    """Two episodes to learn from and one that is held out."""
    assert normalize_by_training is not None, "normalize_by_training is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    episodes = [
        torch.tensor([[0.0, 5.0], [2.0, 7.0]]),
        torch.tensor([[6.0, 6.0]]),
        torch.tensor([[4.0, 9.0]]),
    ]
    result = normalize_by_training(episodes, [True, False, True])
    check_answered(result, "normalize_by_training")
    assert len(result) == 3, "return three things: the normalised episodes, low and high."
    normalised, low, high = result
    check_close(low, [0.0, 5.0], "the smallest values of the training episodes.")
    check_close(high, [4.0, 9.0], "the largest values of the training episodes.")
    assert len(normalised) == 3, "return every episode, those that are held out as well."
    expected = [[[-1.0, -1.0], [0.0, 0.0]], [[2.0, -0.5]], [[1.0, 1.0]]]
    for own, wanted in zip(normalised, expected, strict=True):
        check_close(own, wanted, "low becomes -1, high becomes 1, and beyond them it goes on.")

@test_case(points=None, hidden=False,
    failure_message="Over all training episodes together, every dimension goes from -1 to 1.")
def test_normalize_by_training_fills_the_range(normalize_by_training):
    """Over all training episodes together, every dimension goes from -1 to 1."""
    assert normalize_by_training is not None, "normalize_by_training is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    generator = torch.Generator().manual_seed(9)
    scales = torch.tensor([200.0, 3.0, 0.02])
    episodes = [scales * torch.randn(n, 3, generator=generator) for n in (7, 4, 12, 5)]
    result = normalize_by_training(episodes, [False, True, True, True])
    check_answered(result, "normalize_by_training")
    for own, given in zip(result[0], episodes, strict=True):
        check_shape(own, given.shape, "an episode keeps its shape.")
    together = torch.cat(list(result[0][1:]))
    check_close(together.amin(dim=0), [-1.0] * 3, "the smallest training value becomes -1.")
    check_close(together.amax(dim=0), [1.0] * 3, "the largest training value becomes 1.")
