from otter.test_files import test_case

OK_FORMAT = False

name = "rtc_sample"
points = [1, 1, 3, 1]

@test_case(points=None, hidden=False,
    failure_message="The first `delay` actions are the old plan's, and the chunk has its whole length.")
def test_rtc_sample_keeps_what_is_taken(rtc_sample):
    """The first `delay` actions are the old plan's, and the chunk has its whole length."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    noise = torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))
    plan = torch.arange(36.0).view(3, 6, 2) / 7
    for delay in (0, 1, 3):
        chunks = rtc_sample(lambda points, times: 0.5 * points, noise, plan, delay, 2)
        check_answered(chunks, "rtc_sample")
        check_shape(chunks, (3, 6, 2), "return whole chunks.")
        hint = "copy the first `delay` actions from the old plan."
        check_close(torch.as_tensor(chunks)[:, :delay], plan[:, :delay], hint, rtol=0, atol=0)

@test_case(points=None, hidden=False,
    failure_message="Where nothing is tied to the old plan, the chunks end where the field leads.")
def test_rtc_sample_follows_the_field(rtc_sample):
    """Where nothing is tied to the old plan, the chunks end where the field leads."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    goal = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0], [2.0, 2.0]])

    def velocity(points, times):
        return (goal - points) / (1 - torch.as_tensor(times)).view(-1, 1, 1)

    noise, plan = torch.zeros(2, 4, 2), torch.full((2, 4, 2), 9.0)
    for num_steps in (1, 2, 10):
        # Without delay, and with a whole chunk between two looks, all weights are zero.
        chunks = rtc_sample(velocity, noise, plan, 0, 4, num_steps)
        check_answered(chunks, "rtc_sample")
        hint = (
            "take num_steps steps of equal length from time 0 to time 1. If a check of `rtc_guided_step` "
            "fails, look there first."
        )
        check_close(chunks, goal.expand(2, 4, 2), hint, rtol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="On a linear field every step is the formula's, from noise at time 0, ten of them by default.")
def test_rtc_sample_takes_guided_steps(rtc_sample, rtc_weights, rtc_guided_step):
    """On a linear field every step is the formula's, from noise at time 0, ten of them by default."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    assert rtc_weights is not None, "rtc_weights is not defined yet: run the cell with your answer."
    assert rtc_guided_step is not None, "rtc_guided_step is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Linear(torch.nn.Module):
        def __init__(self, matrix, drift):
            super().__init__()
            self.matrix, self.drift = torch.nn.Parameter(matrix), drift

        def forward(self, points, times):
            times = torch.as_tensor(times, dtype=torch.float32).expand(len(points))
            linear = (1 - times[:, None]) * (points.flatten(1) @ self.matrix.T)
            return linear.view_as(points) + self.drift * times[:, None, None]

    generator = fresh_generator()
    cases = [(4, 5, 2, 1, 2, 4), (3, 3, 3, 0, 1, 7), (1, 6, 1, 2, 4, None), (2, 8, 2, 3, 3, 1)]
    for batch, horizon, action_dim, delay, execution, num_steps in cases:
        size, shape = horizon * action_dim, (batch, horizon, action_dim)
        noise, previous, drift = torch.randn(3, *shape, generator=generator)
        matrix = 0.5 * torch.randn(size, size, generator=generator) / size**0.5
        given = [noise.clone(), previous.clone()]
        options = {} if num_steps is None else {"num_steps": num_steps}
        field = Linear(matrix.clone(), drift)
        with torch.no_grad():
            chunks = rtc_sample(field, *given, delay, execution, **options)
        check_answered(chunks, "rtc_sample")
        tie = torch.zeros(horizon, dtype=torch.float64)
        for i in range(horizon - execution):
            c = (horizon - execution - i) / (horizon - execution - delay + 1)
            tie[i] = 1.0 if i < delay else c * math.expm1(c) / math.expm1(1)
        tie = tie.repeat_interleave(action_dim)
        x, wanted = noise.double().flatten(1), previous.double().flatten(1)
        steps = num_steps or 10
        for index in range(steps):
            t = index / steps
            rate = (1 - t) * matrix.double()
            speed = x @ rate.T + t * drift.double().flatten(1)
            error = tie * (wanted - x - (1 - t) * speed)
            pull = error + (1 - t) * error @ rate
            strength = min(5.0, (t**2 + (1 - t) ** 2) / (t * (1 - t))) if t else 5.0
            x = x + (speed + strength * pull) / steps
        expected = x.view(shape)
        expected[:, :delay] = previous[:, :delay]
        hint = (
            "each step is one of `rtc_guided_step`, at its own time, with the weights of `rtc_weights`. If "
            "a check of these two fails, look there first."
        )
        given_shape = tuple(torch.as_tensor(chunks).shape)
        if given_shape != shape or not torch.allclose(
            torch.as_tensor(chunks).double(), expected, rtol=1e-3, atol=1e-3
        ):
            # What is wrong with the weights or with one step has had its price in questions 6.6 and 6.7.
            with torch.no_grad():
                free = torch.zeros(horizon)
                moved = rtc_guided_step(field, noise.clone(), 0.25, 0.5, previous.clone(), free)
                check_close(
                    moved,
                    noise + 0.5 * field(noise, torch.tensor(0.25)),
                    hint,
                    rtol=1e-3,
                    atol=1e-3,
                )
                weights, expected = rtc_weights(horizon, delay, execution), noise.clone()
                for index in range(steps):
                    begun = index / steps
                    expected = rtc_guided_step(
                        field, expected, begun, 1 / steps, previous.clone(), weights
                    )
            expected = torch.cat([previous[:, :delay], expected[:, delay:]], dim=1)
        check_close(chunks, expected, hint, rtol=1e-3, atol=1e-3)
        for now, before in zip(given, (noise, previous), strict=True):
            check_close(now, before, "an argument was changed in place: make a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="What is taken while thinking is not changed by a single bit, and the next action is not copied.")
def test_rtc_sample_freezes_bit_for_bit(rtc_sample):
    """What is taken while thinking is not changed by a single bit, and the next action is not copied."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    generator = fresh_generator()
    for horizon, delay, execution in [(8, 4, 4), (12, 5, 5), (5, 0, 2), (4, 3, 1)]:
        noise, plan = torch.randn(2, 3, horizon, 2, generator=generator)
        # One step throws points that are far away far beyond the plan: no sum leads back without rounding.
        noise, plan = 1e6 * noise, 3 * plan + 0.1
        steps = 1 if horizon > 5 else 5
        given = plan.clone()
        chunks = rtc_sample(
            lambda points, times: points.sin(), noise, given, delay, execution, steps
        )
        check_answered(chunks, "rtc_sample")
        chunks = torch.as_tensor(chunks)
        assert bool((chunks[:, :delay] == plan[:, :delay]).all()), (
            "the first `delay` actions differ from the old plan's: copy them after the last step."
        )
        assert not bool((chunks[:, delay] == plan[:, delay]).any()), (
            "action number `delay` is a copy of the old plan's: only those before it are frozen."
        )
