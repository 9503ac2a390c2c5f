from otter.test_files import test_case

OK_FORMAT = False

name = "rtc_guided_step"
points = [1, 1, 1, 2, 2, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="On a linear field the arrival's Jacobian is a matrix, and the step is the formula's.")
def test_rtc_guided_step_pulls_through_a_linear_field(rtc_guided_step):
    """On a linear field the arrival's Jacobian is a matrix, and the step is the formula's."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Linear(torch.nn.Module):
        """v = (1 + t) M x + drift, with a drift for every row."""

        def __init__(self, matrix, drift):
            super().__init__()
            self.matrix, self.drift = torch.nn.Parameter(matrix), drift

        def forward(self, points, times):
            assert len(points) == len(self.drift), (
                f"velocity was given {len(points)} of {len(self.drift)} rows: give it the whole batch."
            )
            assert torch.is_tensor(times), (
                "velocity was given a plain number for its times: it takes a tensor (batch,), one a row."
            )
            assert times.shape == (len(points),), (
                f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
            )
            assert points.dtype == times.dtype == torch.float32, (
                f"velocity was given points of {points.dtype} and times of {times.dtype}: the network "
                "takes float32, convert with .float()."
            )
            linear = (1 + times[:, None]) * (points.flatten(1) @ self.matrix.T)
            return linear.view_as(points) + self.drift

    generator = fresh_generator()
    cases = [(5, 4, 2, 0.0), (3, 3, 3, 0.2), (1, 2, 4, 0.5), (4, 1, 1, 0.7), (2, 6, 1, 0.9)]
    for batch, horizon, action_dim, time in cases:
        size, shape = horizon * action_dim, (batch, horizon, action_dim)
        points, previous, drift = torch.randn(3, *shape, generator=generator)
        matrix = torch.randn(size, size, generator=generator) / size**0.5
        weights = torch.rand(horizon, generator=generator)
        step = 0.05 + 0.2 * float(torch.rand((), generator=generator))
        given = [value.clone() for value in (points, previous, weights)]
        moved = rtc_guided_step(
            Linear(matrix.clone(), drift), given[0], time, step, given[1], given[2]
        )
        check_answered(moved, "rtc_guided_step")
        rate = (1 + time) * matrix.double()
        start, wanted = points.double().flatten(1), previous.double().flatten(1)
        speed = start @ rate.T + drift.double().flatten(1)
        tie = weights.double().repeat_interleave(action_dim)
        error = tie * (wanted - start - (1 - time) * speed)
        pull = error @ (torch.eye(size).double() + (1 - time) * rate)
        strength = 5.0
        if time > 0:
            strength = min(5.0, (time**2 + (1 - time) ** 2) / (time * (1 - time)))
        expected = (start + step * (speed + strength * pull)).view(shape)
        hint = (
            "the pull is the weighted error times the arrival's Jacobian, by one backward pass; the "
            "arrival is points + (1 - time) * velocity; the guidance is the clipped formula's."
        )
        check_close(moved, expected, hint, rtol=1e-3, atol=1e-4)
        for now, before in zip(given, (points, previous, weights), strict=True):
            check_close(now, before, "an argument was changed in place: make a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="Where the field bends the Jacobian is the one at the points themselves.")
def test_rtc_guided_step_pulls_through_a_curved_field(rtc_guided_step):
    """Where the field bends the Jacobian is the one at the points themselves."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Curved(torch.nn.Module):
        """v = tanh(M x) / 2."""

        def __init__(self, matrix):
            super().__init__()
            self.matrix = torch.nn.Parameter(matrix)

        def forward(self, points, times):
            return (points.flatten(1) @ self.matrix.T).tanh().view_as(points) / 2

    generator = fresh_generator()
    for batch, horizon, action_dim, time in [(4, 3, 2, 0.4), (2, 4, 4, 0.05), (1, 5, 1, 0.8)]:
        size, shape = horizon * action_dim, (batch, horizon, action_dim)
        points, previous = torch.randn(2, *shape, generator=generator)
        matrix = torch.randn(size, size, generator=generator)
        weights = torch.rand(horizon, generator=generator)
        # The formula is never below 2, so a clip of 1 makes the strength 1 at all times.
        moved = rtc_guided_step(
            Curved(matrix.clone()),
            points.clone(),
            time,
            0.1,
            previous.clone(),
            weights.clone(),
            1.0,
        )
        check_answered(moved, "rtc_guided_step")
        start, mixing = points.double().flatten(1), matrix.double()
        bent = (start @ mixing.T).tanh()
        arrival = start + (1 - time) * bent / 2
        tie = weights.double().repeat_interleave(action_dim)
        error = tie * (previous.double().flatten(1) - arrival)
        # J = I + (1 - t) / 2 diag(1 - tanh\xb2) M, and the pull is its transpose times the error.
        pull = error + (1 - time) / 2 * (error * (1 - bent.square())) @ mixing
        expected = (start + 0.1 * (bent / 2 + pull)).view(shape)
        hint = "take the gradient of the arrival, not of the velocity, where the points are."
        check_close(moved, expected, hint, rtol=1e-3, atol=1e-4)

@test_case(points=None, hidden=True,
    failure_message="The guidance is the formula's, and never above its largest value.")
def test_rtc_guided_step_clips_the_guidance(rtc_guided_step):
    """The guidance is the formula's, and never above its largest value."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    points, plan = torch.zeros(2, 3, 1), torch.full((2, 3, 1), 4.0)
    for time, most, expected in [
        (0.0, 5.0, 5.0),
        (0, 0.3, 0.3),
        (0.1, 5.0, 5.0),
        (0.1, 50.0, 0.82 / 0.09),
        (0.01, 200.0, 0.9802 / 0.0099),
        (0.002, 2000.0, 0.996008 / 0.001996),
        (0.0, 1000.0, 1000.0),
        (0.25, 5.0, 10 / 3),
        (0.5, 1.5, 1.5),
        (0.75, 5.0, 10 / 3),
        (0.9, 5.0, 5.0),
        (0.4, 0.0, 0.0),
    ]:
        moved = rtc_guided_step(
            lambda points, times: 0 * points,
            points.clone(),
            time,
            0.125,
            plan.clone(),
            torch.ones(3),
            most,
        )
        check_answered(moved, "rtc_guided_step")
        hint = f"at time {time:g}, with max_guidance {most:g}, the guidance is off."
        check_close(moved, torch.full((2, 3, 1), 0.5 * expected), hint, rtol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="It works under torch.no_grad(), where drivers act, and gives the same there.")
def test_rtc_guided_step_works_without_gradients(rtc_guided_step):
    """It works under torch.no_grad(), where drivers act, and gives the same there."""
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Turning(torch.nn.Module):
        def __init__(self, turn):
            super().__init__()
            self.turn = torch.nn.Linear(4, 4, bias=False)
            self.turn.weight = torch.nn.Parameter(turn)

        def forward(self, points, times):
            return self.turn(points.flatten(1)).view_as(points)

    generator = fresh_generator()
    turn = torch.randn(4, 4, generator=generator)
    points, plan = torch.randn(2, 3, 2, 2, generator=generator)
    with torch.no_grad():
        moved = rtc_guided_step(
            Turning(turn.clone()), points.clone(), 0.5, 0.1, plan.clone(), torch.ones(2), 1.0
        )
    check_answered(moved, "rtc_guided_step")
    start, wanted = points.double().flatten(1), plan.double().flatten(1)
    speed, jacobian = start @ turn.double().T, torch.eye(4).double() + turn.double() / 2
    expected = start + 0.1 * (speed + (wanted - start - speed / 2) @ jacobian)
    hint = "the step is off. Under torch.no_grad() too it is the formula's."
    check_close(moved, expected.view(3, 2, 2), hint, rtol=1e-3, atol=1e-4)
