from otter.test_files import test_case

OK_FORMAT = False

name = "state_divergence"
points = [1, 1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="One expert at 0 and policies at 3 and 5: 2 \xb7 4 \u2212 0 \u2212 1.")
def test_state_divergence_of_two_small_crowds(state_divergence):
    """One expert at 0 and policies at 3 and 5: 2 \xb7 4 \u2212 0 \u2212 1."""
    assert state_divergence is not None, "state_divergence is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    experts = torch.tensor([[[0.0]], [[1.0]]])
    policies = torch.tensor([[[3.0], [5.0]], [[1.0], [1.0]]])
    divergence = state_divergence(experts, policies)
    check_answered(divergence, "state_divergence")
    check_shape(divergence, (2,), "one number for every step.")
    check_close(divergence, [7.0, 0.0], "the first step has 2 \xb7 4 \u2212 0 \u2212 1, the second has 0.")

@test_case(points=None, hidden=False,
    failure_message="A crowd is no distance away from itself, in any order.")
def test_state_divergence_of_a_crowd_from_itself(state_divergence):
    """A crowd is no distance away from itself, in any order."""
    assert state_divergence is not None, "state_divergence is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    states = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(7))
    divergence = state_divergence(states, states[:, [3, 0, 6, 1, 5, 2, 4]])
    check_answered(divergence, "state_divergence")
    check_close(divergence, [0.0] * 4, "what lies between the crowds also lies within them.")

@test_case(points=None, hidden=True,
    failure_message="For states of one dimension it is the square of scipy's energy_distance.")
def test_state_divergence_of_numbers(state_divergence):
    """For states of one dimension it is the square of scipy's energy_distance."""
    assert state_divergence is not None, "state_divergence is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import energy_distance

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for time, experts, policies in [(3, 6, 11), (5, 9, 2), (1, 4, 4), (6, 1, 5)]:
        one = 3 * torch.randn(time, experts, 1, generator=generator)
        other = 2 + torch.randn(time, policies, 1, generator=generator)
        divergence = state_divergence(one.clone(), other.clone())
        check_answered(divergence, "state_divergence")
        check_shape(divergence, (time,), "one number for every step.")
        expected = [
            energy_distance(x.numpy(), y.numpy()) ** 2
            for x, y in zip(one[:, :, 0].double(), other[:, :, 0].double(), strict=True)
        ]
        check_close(
            divergence, expected, "2 E|X \u2212 Y| \u2212 E|X \u2212 X'| \u2212 E|Y \u2212 Y'|, over all pairs.", 1e-3, 1e-4
        )

@test_case(points=None, hidden=True,
    failure_message="Distances are Euclidean: between single states it is twice their length, whichever way they point.")
def test_state_divergence_measures_as_the_crow_flies(state_divergence):
    """Distances are Euclidean: between single states it is twice their length, whichever way they point."""
    assert state_divergence is not None, "state_divergence is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for dim in (2, 3, 6):
        one, other = 4 * torch.randn(2, 5, 1, dim, generator=generator)
        divergence = state_divergence(one.clone(), other.clone())
        check_answered(divergence, "state_divergence")
        lengths = (one - other).double().square().sum(dim=-1).sqrt()[:, 0]
        check_close(divergence, 2 * lengths, "two single states have the divergence 2 |x \u2212 y|.")
        turn = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
        crowd = torch.randn(5, 8, dim, generator=generator)
        before, after = state_divergence(crowd, other), state_divergence(crowd @ turn, other @ turn)
        check_close(after, before, "turning both crowds changes no distance.", 1e-3, 1e-4)

@test_case(points=None, hidden=True,
    failure_message="It stays the same if every state of one crowd comes three times, and if the crowds change places.")
def test_state_divergence_counts_shares_and_no_heads(state_divergence):
    """It stays the same if every state of one crowd comes three times, and if the crowds change places."""
    assert state_divergence is not None, "state_divergence is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    one = torch.randn(4, 5, 3, generator=generator)
    other = 2 * torch.randn(4, 6, 3, generator=generator) + 0.5
    given = one.clone(), other.clone()
    divergence = state_divergence(*given)
    check_answered(divergence, "state_divergence")
    thrice = state_divergence(one.repeat(1, 3, 1), other)
    check_close(thrice, divergence, "means over all n\xb2 pairs, whatever n is.", 1e-3, 1e-4)
    check_close(state_divergence(other, one), divergence, "both crowds count alike.", 1e-3, 1e-4)
    check_close(given[0], one, "the states were changed in place: leave them as they are.")
    check_close(given[1], other, "the states were changed in place: leave them as they are.")
