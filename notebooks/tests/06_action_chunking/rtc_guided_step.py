from otter.test_files import test_case

OK_FORMAT = False

name = "rtc_guided_step"
points = [1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="With weights of zero this is Euler's step, and the velocity sees one time for every row.")
def test_rtc_guided_step_without_ties(rtc_guided_step):
    """With weights of zero this is Euler's step, and the velocity sees one time for every row."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    def velocity(points, times):
        assert len(points) == 2, (
            f"velocity was given {len(points)} of 2 rows: give it the whole batch at once."
        )
        assert torch.is_tensor(times), (
            "velocity was given a plain number for its times: it takes a tensor (batch,), one a row."
        )
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        return 2 * points + times[:, None, None]

    points = torch.arange(12.0).view(2, 3, 2)
    given = points.clone()
    moved = rtc_guided_step(velocity, given, 0.5, 0.1, points + 7, torch.zeros(3))
    check_answered(moved, "rtc_guided_step")
    check_close(moved, 1.2 * points + 0.05, "go `step` times the velocity at `time`.")
    check_close(given, points, "the points were changed in place: make a new tensor.")

@test_case(points=None, hidden=False,
    failure_message="Where the velocity is zero the points arrive where they are, and the pull is the error.")
def test_rtc_guided_step_where_nothing_moves(rtc_guided_step):
    """Where the velocity is zero the points arrive where they are, and the pull is the error."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    plan = torch.tensor([[[10.0, 20.0], [10.0, 20.0], [10.0, 20.0]]])
    weights = torch.tensor([1.0, 0.5, 0.0])
    moved = rtc_guided_step(
        lambda points, times: 0 * points, torch.zeros(1, 3, 2), 0.5, 0.1, plan, weights
    )
    check_answered(moved, "rtc_guided_step")
    # At time 1/2 the guidance is (1/4 + 1/4) / (1/4) = 2.
    hint = "step times guidance times weight times what is missing; a weight belongs to an action."
    check_close(moved, [[[2.0, 4.0], [1.0, 2.0], [0.0, 0.0]]], hint)

@test_case(points=None, hidden=False,
    failure_message="Where the arrival does not depend on the points, nothing can pull it, and this is Euler's step.")
def test_rtc_guided_step_where_all_arrive_at_one_place(rtc_guided_step):
    """Where the arrival does not depend on the points, nothing can pull it, and this is Euler's step."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    target = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0]])

    def velocity(points, times):
        assert torch.is_tensor(times), (
            "velocity was given a plain number for its times: it takes a tensor (batch,), one a row."
        )
        return (target - points) / (1 - times)[:, None, None]

    points, plan = torch.arange(12.0).view(2, 3, 2), torch.full((2, 3, 2), 9.0)
    for time in (0.0, 0.25, 0.5):
        moved = rtc_guided_step(velocity, points.clone(), time, 0.125, plan, torch.ones(3))
        check_answered(moved, "rtc_guided_step")
        expected = points + 0.125 * (target - points) / (1 - time)
        hint = "the pull is zero here: by how much does the arrival move when the points do?"
        check_close(moved, expected, hint, rtol=1e-3, atol=1e-4)
