from otter.test_files import test_case

OK_FORMAT = False

name = "state_divergence"
points = [1, 1]

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
