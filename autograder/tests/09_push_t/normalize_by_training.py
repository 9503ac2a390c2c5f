from otter.test_files import test_case

OK_FORMAT = False

name = "normalize_by_training"
points = [1, 2, 4, 2, 2, 1]

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

@test_case(points=None, hidden=True,
    failure_message="Held-out episodes change nothing for the others, neither in the range nor in a single number.")
def test_normalize_by_training_does_not_look_at_what_is_held_out(normalize_by_training):
    """Held-out episodes change nothing for the others, neither in the range nor in a single number."""
    assert normalize_by_training is not None, "normalize_by_training is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for count, dim, out in [(6, 4, 2), (4, 2, 1), (9, 5, 0)]:
        scales = 10.0 ** torch.linspace(-1, 2, dim)
        times = torch.randint(1, 15, (count,), generator=generator).tolist()
        episodes = [scales * torch.randn(n, dim, generator=generator) for n in times]
        is_training = [index % 3 != out for index in range(count)]
        # What is held out reaches further than the rest, upwards, downwards, or by very much.
        for reach in (1.5, 40.0, -40.0):
            given = [
                own if used else reach * scales + own
                for own, used in zip(episodes, is_training, strict=True)
            ]
            result = normalize_by_training([own.clone() for own in given], list(is_training))
            check_answered(result, "normalize_by_training")
            assert len(result) == 3, "return three things: the normalised episodes, low and high."
            normalised, low, high = result
            used = [own for own, yes in zip(given, is_training, strict=True) if yes]
            smallest = torch.stack([own.double().amin(dim=0) for own in used]).amin(dim=0)
            largest = torch.stack([own.double().amax(dim=0) for own in used]).amax(dim=0)
            hint = "only training episodes may set the range: the others are there to judge by."
            check_close(low, smallest, hint)
            check_close(high, largest, hint)
            assert len(normalised) == count, "return every episode, those that are held out too."
            for own, before in zip(normalised, given, strict=True):
                expected = 2 * (before.double() - smallest) / (largest - smallest) - 1
                hint = "low becomes -1, high becomes 1, and nothing is cut off beyond them."
                check_close(own, expected, hint, 1e-4, 1e-4)

@test_case(points=None, hidden=True,
    failure_message="A dimension with one value in training becomes 0 there, and elsewhere tells the difference.")
def test_normalize_by_training_where_nothing_changes(normalize_by_training):
    """A dimension with one value in training becomes 0 there, and elsewhere tells the difference."""
    assert normalize_by_training is not None, "normalize_by_training is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    for constant in (0.0, 7.25, -130.5):
        episodes = [torch.randn(n, 3, generator=generator) for n in (5, 3, 1)]
        episodes[0][:, 1] = episodes[2][:, 1] = constant
        episodes[1][:, 1] = constant + torch.tensor([2.5, -4.0, 0.0])
        result = normalize_by_training([own.clone() for own in episodes], [True, False, True])
        check_answered(result, "normalize_by_training")
        for own in result[0]:
            check_finite(own, "high - low is 0 there: divide by 1.")
        hint = "a dimension that never changes in training becomes 0: its value minus its middle."
        check_close(result[0][0][:, 1], [0.0] * 5, hint)
        check_close(result[0][2][:, 1], [0.0], hint)
        check_close(result[0][1][:, 1], [2.5, -4.0, 0.0], "there, divide by 1.")
        # Its neighbours change, and are normalised as ever.
        together = torch.cat([result[0][0], result[0][2]])
        hint = "divide by 1 in the dimension that never changes, and in no other."
        check_close(together.amin(dim=0), [-1.0, 0.0, -1.0], hint)
        check_close(together.amax(dim=0), [1.0, 0.0, 1.0], hint)

@test_case(points=None, hidden=True,
    failure_message="However narrow or wide the range of a dimension is, it becomes -1 to 1.")
def test_normalize_by_training_keeps_narrow_ranges(normalize_by_training):
    """However narrow or wide the range of a dimension is, it becomes -1 to 1."""
    assert normalize_by_training is not None, "normalize_by_training is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    widths = torch.tensor([1e-6, 1e-3, 1.0, 1e3, 1e6])
    episodes = [widths * torch.rand(n, 5, generator=generator) for n in (9, 14)]
    given = [own.double() for own in episodes]
    result = normalize_by_training([own.clone() for own in episodes], [True, True])
    check_answered(result, "normalize_by_training")
    low, high = torch.cat(given).amin(dim=0), torch.cat(given).amax(dim=0)
    for own, before in zip(result[0], given, strict=True):
        expected = 2 * (before - low) / (high - low) - 1
        check_close(own, expected, "divide by half of high - low, and by nothing else.", 1e-4, 1e-4)

@test_case(points=None, hidden=True,
    failure_message="The episodes are as they were, also if there is only one of them, and the numbers are float32.")
def test_normalize_by_training_leaves_its_arguments_alone(normalize_by_training):
    """The episodes are as they were, also if there is only one of them, and the numbers are float32."""
    assert normalize_by_training is not None, "normalize_by_training is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import (
        check_answered,
        check_close,
        check_dtype,
        check_shape,
        fresh_generator,
    )

    generator = fresh_generator()
    for times, is_training in [((8, 5, 3), [True, True, False]), ((6,), [True])]:
        episodes = [5 + 3 * torch.randn(n, 4, generator=generator) for n in times]
        given = [own.clone() for own in episodes]
        result = normalize_by_training(episodes, is_training)
        check_answered(result, "normalize_by_training")
        for now, before in zip(episodes, given, strict=True):
            check_close(now, before, "an episode was changed in place: make a new tensor.")
        for own in [*result[0], result[1], result[2]]:
            check_dtype(own, torch.float32, "float32 in, float32 out.")
        # The range is of the values that came in, so it says how to get them back.
        low, high = result[1], result[2]
        for end in (low, high):
            check_shape(end, (4,), "low and high have one number for every dimension.")
        for own, before in zip(result[0], given, strict=True):
            check_shape(own, before.shape, "an episode keeps its shape.")
            back = low + (own + 1) * (high - low) / 2
            check_close(back, before, "low and high are in the units that came in.", 1e-4, 1e-4)
