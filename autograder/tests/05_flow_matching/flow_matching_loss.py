from otter.test_files import test_case

OK_FORMAT = False

name = "flow_matching_loss"
points = [1, 1, 2, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="If all actions are one and the same, (a \u2212 x) / (1 \u2212 t) is the right velocity, whatever the noise.")
def test_flow_matching_loss_knows_the_way_to_a_single_action(flow_matching_loss):
    """If all actions are one and the same, (a \u2212 x) / (1 \u2212 t) is the right velocity, whatever the noise."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    action = torch.tensor([3.0, -2.0, 1.0])

    def velocity(points, times, seen):
        assert points.dim() == 2 and points.shape[1] == 3, (
            f"velocity was given points of shape {tuple(points.shape)}: expected (batch, action_dim)."
        )
        assert times.shape == (len(points),), (
            f"velocity was given times of shape {tuple(times.shape)}: expected (batch,), one a row."
        )
        assert points.dtype == times.dtype == torch.float32, (
            "velocity was given float64: the network takes float32, convert with .float()."
        )
        left = (1 - times).clamp(min=1e-4).unsqueeze(1)
        return (action - points) / left + seen

    actions, observations = action.repeat(20, 1), torch.zeros(20, 1)
    generator = torch.Generator().manual_seed(0)
    loss = flow_matching_loss(velocity, actions, observations, generator)
    check_answered(loss, "flow_matching_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, 0.0, "mix noise and action by the time, and ask for x1 - x0.", atol=1e-3)
    loss = flow_matching_loss(velocity, actions, observations + 2, generator)
    # Now each of the three numbers is off by 2.
    check_close(
        loss, 12.0, "pass the observations on, and sum over the action's numbers.", 1e-3, 1e-3
    )

@test_case(points=None, hidden=False,
    failure_message="The gradient reaches what the velocity is computed with.")
def test_flow_matching_loss_has_a_gradient(flow_matching_loss):
    """The gradient reaches what the velocity is computed with."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered

    weight = torch.tensor(0.5, requires_grad=True)
    loss = flow_matching_loss(
        lambda points, times, seen: weight * points,
        torch.ones(20, 2),
        torch.zeros(20, 1),
        torch.Generator().manual_seed(0),
    )
    check_answered(loss, "flow_matching_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."

@test_case(points=None, hidden=True,
    failure_message="Whatever noise and times are drawn, the loss is the error written out, row by row.")
def test_flow_matching_loss_is_the_error_of_the_velocity(flow_matching_loss):
    """Whatever noise and times are drawn, the loss is the error written out, row by row."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # An action of three numbers in a batch of three, too: there a wrong axis has the right shape.
    for batch, dim, features, scale in [(6, 3, 2, 3), (1, 1, 1, 3), (3, 3, 3, 30), (50, 2, 4, 30)]:
        actions = scale * torch.randn(batch, dim, generator=generator) - 2
        observations = torch.randn(batch, features, generator=generator)
        observations[:, 0] = torch.arange(batch)  # says which row it is
        seen = torch.full((batch, dim + 1 + features), torch.nan)
        count = torch.zeros((), dtype=torch.long)

        def velocity(points, times, own, seen=seen, count=count):
            assert times.shape == (len(points),) and len(own) == len(points), (
                "velocity takes as many times and observations as points, and times of shape (batch,)."
            )
            assert points.dtype == times.dtype == torch.float32, (
                "velocity was given float64: the network takes float32, convert with .float()."
            )
            first = int(count)
            assert first + len(points) <= len(seen), "velocity was asked about too many points."
            shown = torch.cat([points, times.unsqueeze(1), own], dim=1)
            seen[first : first + len(points)] = shown.detach()
            count.add_(len(points))
            return 2 * points + (7 * times).sin().unsqueeze(1) - own[:, -1:]

        given = [actions.clone(), observations.clone()]
        loss = flow_matching_loss(velocity, *given, generator)
        check_answered(loss, "flow_matching_loss")
        shown = seen.double()
        assert shown.isfinite().all(), "velocity must be asked about every row, once."
        shown = shown[shown[:, dim + 1].argsort()]
        points, times, own = shown[:, :dim], shown[:, dim : dim + 1], shown[:, dim + 1 :]
        check_close(own, observations, "velocity must see the observations as they are.")
        assert (times >= 0).all() and (times <= 1).all(), "times lie between 0 and 1."
        # The line's other end follows from a point on it: x1 - x0 = (x1 - x_t) / (1 - t).
        wanted = (actions - points) / (1 - times).clamp(min=1e-6)
        error = 2 * points + (7 * times).sin() - own[:, -1:] - wanted
        check_close(
            loss,
            error.square().sum() / batch,
            "compare velocity(xt, t, observations) with x1 - x0 of the same row; sum over the action's "
            "numbers, average over the batch.",
            # Float32's rounding, divided by the time that is left.
            rtol=1e-4 + 1e-5 / float((1 - times).min().clamp(min=1e-6)),
            atol=1e-4,
        )
        for argument, kept in zip(given, (actions, observations), strict=True):
            check_close(argument, kept, "an argument was changed in place: compute a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="Noise is standard normal, times are uniform, and none of them knows anything of the others.")
def test_flow_matching_loss_draws_every_row_anew(flow_matching_loss):
    """Noise is standard normal, times are uniform, and none of them knows anything of the others."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import (
        check_answered,
        check_close,
        check_rows_apart,
        check_standard_normal,
        check_unrelated,
        fresh_generator,
    )

    generator, batch = fresh_generator(), 8_000
    scale = torch.tensor([0.5, 1.0, 4.0])
    actions = scale * torch.randn(batch, 3, generator=generator) + 2
    seen = torch.full((batch, 5), torch.nan)
    count = torch.zeros((), dtype=torch.long)

    def velocity(points, times, own):
        first = int(count)
        assert first + len(points) <= batch, "velocity was asked about too many points."
        shown = torch.cat([points, times.reshape(-1, 1), own], dim=1)
        seen[first : first + len(points)] = shown.detach()
        count.add_(len(points))
        return 0 * points

    rows = torch.arange(1.0 * batch)[:, None]
    loss = flow_matching_loss(velocity, actions.clone(), rows, generator)
    check_answered(loss, "flow_matching_loss")
    shown = seen.double()
    assert shown.isfinite().all(), "velocity must be asked about every row, once."
    shown = shown[shown[:, 4].argsort()]
    points, times = shown[:, :3], shown[:, 3]
    wanted = (actions - points) / (1 - times).clamp(min=1e-6).unsqueeze(1)
    everything = wanted.square().sum(dim=1).mean()
    check_close(loss, everything, "every row counts alike, at whatever time it is.", rtol=1e-3)
    # A right answer's p-values are uniform: they fall below 10^-9 once in 10^9 gradings.
    assert kstest(times.numpy(), "uniform").pvalue > 1e-9, (
        "the times are not uniform between 0 and 1, drawn for every row."
    )
    # None of 8,000 times is below 0.003 (or beyond 0.997) once in e^24 = 10^10 times.
    assert times.min() < 0.003 and times.max() > 0.997, (
        "times near 0 or near 1 are never drawn: the network is needed there too."
    )
    assert len(times.unique()) > 0.95 * batch, "times repeat: draw any number between 0 and 1."
    early = (times < 0.95).unsqueeze(1)  # later, little of the noise is left to see
    noise = (points - times[:, None] * actions) / (1 - times[:, None]).clamp(min=0.05)
    known = noise[early.squeeze(1)]
    check_standard_normal(
        known,
        "at time t, (1 - t) of the noise must be left, drawn from a standard normal for every number.",
    )
    # Two rows agree in three numbers to 0.001 once in a thousand gradings.
    assert len(known.mul(1000).round().unique(dim=0)) > 0.95 * len(known), (
        "rows share noise: draw anew for every number of every row."
    )
    size = torch.where(early, (noise**2 - 1) / 2**0.5, 0.0)
    noise = torch.where(early, noise, 0.0)
    clock, own = 12**0.5 * (times[:, None] - 0.5), actions.double()
    own = (own - own.mean(dim=0)) / own.std(dim=0)
    large = (own.abs() - own.abs().mean(dim=0)) / own.abs().std(dim=0)
    check_rows_apart(noise, "rows share noise: draw anew for every number of every row.")
    check_rows_apart(clock, "rows share times: draw a time for every row.")
    pairs = {
        "the numbers of a row share noise": (noise, noise.roll(1, dims=1)),
        "noise depends on the action": (noise, own),
        "the noise's size depends on the action": (size, own),
        "the noise's size depends on the action's": (size, large),
        "noise depends on the time": (noise, clock),
        "the noise's size depends on the time": (size, clock),
        "noise and times come from one seed": (size.flatten()[:batch, None], clock),
        "the time depends on the action": (clock, own),
        "the time depends on the action's size": (clock, large),
    }
    check_unrelated(pairs, "draw all of them anew, independently.")

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to the velocity's parameters has the right size.")
def test_flow_matching_loss_teaches_the_velocity(flow_matching_loss):
    """The gradient with respect to the velocity's parameters has the right size."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Constant(torch.nn.Module):
        """A velocity that is the same everywhere, and remembers where it was asked for."""

        def __init__(self, value, seen):
            super().__init__()
            self.value, self.seen = torch.nn.Parameter(value), seen
            self.count = torch.zeros((), dtype=torch.long)

        def forward(self, points, times, own):
            first = int(self.count)
            shown = torch.cat([points, times.reshape(-1, 1)], dim=1)
            self.seen[first : first + len(points)] = shown.detach()
            self.count.add_(len(points))
            return self.value.repeat(len(points), 1)

    generator, batch = fresh_generator(), 200
    action = torch.randn(3, generator=generator)
    model = Constant(torch.randn(3, generator=generator), torch.full((batch, 4), torch.nan))
    actions, observations = action.repeat(batch, 1), torch.zeros(batch, 1)
    loss = flow_matching_loss(model, actions, observations, generator)
    check_answered(loss, "flow_matching_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
    loss.backward()
    assert model.value.grad is not None, "no gradient reaches the velocity: do not detach it."
    seen = model.seen.double()
    wanted = (action - seen[:, :3]) / (1 - seen[:, 3:]).clamp(min=1e-6)
    expected = 2 * (model.value.detach() - wanted.mean(dim=0))
    check_close(model.value.grad, expected, "the gradient of the loss is off.", 1e-2, 1e-2)

@test_case(points=None, hidden=True,
    failure_message="The generator decides all draws: equal seeds repeat them, and the next call draws anew.")
def test_flow_matching_loss_draws_from_the_generator(flow_matching_loss):
    """The generator decides all draws: equal seeds repeat them, and the next call draws anew."""
    assert flow_matching_loss is not None, "flow_matching_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    batch, seed = 300, fresh_generator().initial_seed()
    rows = torch.arange(1.0 * batch)[:, None]

    def draw(source):
        seen, count = torch.full((batch, 4), torch.nan), torch.zeros((), dtype=torch.long)

        def velocity(points, times, own):
            first = int(count)
            assert first + len(points) <= batch, "velocity was asked about too many points."
            shown = torch.cat([points, times.reshape(-1, 1), own], dim=1)
            seen[first : first + len(points)] = shown.detach()
            count.add_(len(points))
            return 0 * points

        loss = flow_matching_loss(velocity, torch.zeros(batch, 2), rows, source)
        check_answered(loss, "flow_matching_loss")
        assert seen.isfinite().all(), "velocity must be asked about every row, once."
        shown = seen[seen[:, 3].argsort()].double()
        times = shown[:, 2:3]
        # With zeros for actions the point is (1 - t) times the noise.
        noise = shown[:, :2] / (1 - times).clamp(min=1e-6)
        return {"noise": noise, "times": 12**0.5 * (times - 0.5)}

    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    first, following, again = (draw(source) for source in (one, one, same))
    for what, drawn in first.items():
        hint = f"the same seed gave other {what}: draw from `generator`."
        check_close(again[what], drawn, hint)
        # Means of at least 300 products of independent numbers with variance one are beyond seven
        # standard deviations once in 10^9 times.
        assert (drawn * following[what]).mean().abs() < 7 / drawn.numel() ** 0.5, (
            f"two calls with one generator gave the same {what}: do not seed it yourself."
        )
