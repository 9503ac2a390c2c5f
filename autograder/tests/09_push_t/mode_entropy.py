from otter.test_files import test_case

OK_FORMAT = False

name = "mode_entropy"
points = [1, 2, 3, 2]

@test_case(points=None, hidden=False,
    failure_message="A coin, a quarter, and a start from which it is always the same side.")
def test_mode_entropy_of_three_starts(mode_entropy):
    """A coin, a quarter, and a start from which it is always the same side."""
    assert mode_entropy is not None, "mode_entropy is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    yes, no = True, False
    pushed_left = torch.tensor([[yes, no, no, yes], [no, no, yes, no], [yes, yes, yes, yes]])
    entropy = mode_entropy(pushed_left)
    check_answered(entropy, "mode_entropy")
    check_shape(entropy, (), "return one number, the mean over the starts.")
    check_close(entropy, (1.0 + 0.8112781 + 0.0) / 3, "1 bit, 0.811 bits and 0 bits.")

@test_case(points=None, hidden=True,
    failure_message="It is the mean of the starts' binary entropies, in bits.")
def test_mode_entropy_is_a_mean_over_starts(mode_entropy):
    """It is the mean of the starts' binary entropies, in bits."""
    assert mode_entropy is not None, "mode_entropy is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for starts, attempts in [(7, 12), (15, 4), (3, 31), (1, 9), (40, 5)]:
        chances = torch.rand(starts, 1, generator=generator)
        pushed_left = torch.rand(starts, attempts, generator=generator) < chances
        # At one start the sides are mixed in any case.
        pushed_left[0, 0], pushed_left[0, 1:] = True, False
        entropy = mode_entropy(pushed_left.clone())
        check_answered(entropy, "mode_entropy")
        check_shape(entropy, (), "return one number, the mean over the starts.")
        total = 0.0
        for row in pushed_left.tolist():
            for share in (sum(row) / attempts, 1 - sum(row) / attempts):
                total -= share * math.log2(share) if share > 1e-9 else 0.0
        hint = "the entropy of each start's own share, in bits, then the mean over the starts."
        check_close(entropy, total / starts, hint)

@test_case(points=None, hidden=True,
    failure_message="Always the same side from a start has no entropy, even if the next start has the other side.")
def test_mode_entropy_of_policies_that_have_decided(mode_entropy):
    """Always the same side from a start has no entropy, even if the next start has the other side."""
    assert mode_entropy is not None, "mode_entropy is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    sides = torch.rand(24, 1, generator=generator) < 0.5
    sides[0], sides[1] = True, False
    for attempts in (1, 2, 10):
        for chosen in (sides, torch.ones(6, 1).bool(), torch.zeros(6, 1).bool()):
            entropy = mode_entropy(chosen.repeat(1, attempts))
            check_answered(entropy, "mode_entropy")
            check_finite(entropy, "0 log 0 counts as 0.")
            hint = "from each start the side is always the same: that is 0 bits."
            check_close(entropy, 0.0, hint)

@test_case(points=None, hidden=True,
    failure_message="To call left right changes nothing, nor does the order of starts or attempts; a coin has one bit.")
def test_mode_entropy_knows_no_left_and_right(mode_entropy):
    """To call left right changes nothing, nor does the order of starts or attempts; a coin has one bit."""
    assert mode_entropy is not None, "mode_entropy is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    pushed_left = torch.rand(9, 14, generator=generator) < 0.3
    given = pushed_left.clone()
    entropy = mode_entropy(pushed_left)
    check_answered(entropy, "mode_entropy")
    check_close(pushed_left.int(), given.int(), "the argument was changed: make a new tensor.")
    check_close(mode_entropy(~given), entropy, "both sides count alike.")
    starts, attempts = (torch.randperm(n, generator=generator) for n in (9, 14))
    check_close(mode_entropy(given[starts][:, attempts]), entropy, "their order does not matter.")
    for number in (2, 6, 14):
        coin = (torch.arange(number) % 2 == 0).repeat(5, 1)
        check_close(mode_entropy(coin), 1.0, "half left and half right is one bit.")
