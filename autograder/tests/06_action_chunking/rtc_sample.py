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
    failure_message="Where the field leads to one chunk whatever the points, no plan can pull them elsewhere.")
def test_rtc_sample_follows_the_field(rtc_sample):
    """Where the field leads to one chunk whatever the points, no plan can pull them elsewhere."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    goal = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0], [2.0, 2.0]])

    def velocity(points, times):
        return (goal - points) / (1 - times)[:, None, None]

    noise, plan = torch.zeros(2, 4, 2), torch.full((2, 4, 2), 9.0)
    for num_steps in (1, 2, 10):
        chunks = rtc_sample(velocity, noise, plan, 1, 1, num_steps)
        check_answered(chunks, "rtc_sample")
        hint = "take num_steps steps of equal length from time 0 to time 1."
        check_close(torch.as_tensor(chunks)[:, 1:], goal[1:].expand(2, 3, 2), hint, rtol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="On a linear field every step is the formula's, from noise at time 0, ten of them by default.")
def test_rtc_sample_takes_guided_steps(rtc_sample):
    """On a linear field every step is the formula's, from noise at time 0, ten of them by default."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Linear(torch.nn.Module):
        def __init__(self, matrix, drift):
            super().__init__()
            self.matrix, self.drift = torch.nn.Parameter(matrix), drift

        def forward(self, points, times):
            assert times.shape == (len(points),), (
                f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
            )
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
        hint = "each step is a guided one, at its own time, with the weights of `rtc_weights`."
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
