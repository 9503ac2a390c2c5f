from otter.test_files import test_case

OK_FORMAT = False

name = "exact_velocity"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="With one action in the data, every point moves straight towards it, and arrives at time 1.")
def test_exact_velocity_of_a_single_action(exact_velocity):
    """With one action in the data, every point moves straight towards it, and arrives at time 1."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    points = torch.tensor([[0.0, 0.0, 0.0], [3.0, -1.0, 2.0]])
    velocity = exact_velocity(points, torch.tensor([0.0, 0.75]), torch.tensor([[4.0, 1.0, -2.0]]))
    check_answered(velocity, "exact_velocity")
    check_shape(velocity, (2, 3), "one velocity for each point.")
    check_close(
        velocity,
        [[4.0, 1.0, -2.0], [4.0, 8.0, -16.0]],
        "the way that is left has to be made in the time that is left, 1 - t.",
    )

@test_case(points=None, hidden=False,
    failure_message="At time 0 a point is nothing but noise: all data are equally likely, and it aims at their mean.")
def test_exact_velocity_at_the_start_aims_at_the_mean(exact_velocity):
    """At time 0 a point is nothing but noise: all data are equally likely, and it aims at their mean."""
    assert exact_velocity is not None, "exact_velocity is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    data = torch.tensor([[1.0, 0.0], [3.0, 0.0], [8.0, 6.0]])
    points = torch.tensor([[0.0, 0.0], [8.0, 6.0], [-3.0, 1.0], [4.0, 2.0]])
    velocity = exact_velocity(points, torch.zeros(4), data)
    check_answered(velocity, "exact_velocity")
    expected = torch.tensor([4.0, 2.0]) - points
    check_close(velocity, expected, "at time 0 every data point has the same weight.")
