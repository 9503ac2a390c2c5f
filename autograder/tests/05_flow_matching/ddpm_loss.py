from otter.test_files import test_case

OK_FORMAT = False

name = "ddpm_loss"
points = [1, 1, 2, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="If all actions are one and the same, the noise can be computed, and its loss is zero.")
def test_ddpm_loss_finds_the_noise_of_a_single_action(ddpm_loss):
    """If all actions are one and the same, the noise can be computed, and its loss is zero."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    action, schedule = torch.tensor([3.0, -2.0, 1.0]), torch.tensor([0.9, 0.5, 0.25, 0.04])

    def noise_model(noisy, timesteps, seen):
        assert timesteps.shape == (len(noisy),) and not timesteps.is_floating_point(), (
            f"the model was given timesteps of shape {tuple(timesteps.shape)} and {timesteps.dtype}: "
            "expected (batch,), one a row, of dtype long."
        )
        assert noisy.dtype == torch.float32, (
            "the model was given float64: the network takes float32, convert with .float()."
        )
        left = schedule[timesteps][:, None]
        return (noisy - action * left**0.5) / (1 - left) ** 0.5 + seen

    actions, observations = action.repeat(30, 1), torch.zeros(30, 1)
    generator = torch.Generator().manual_seed(0)
    loss = ddpm_loss(noise_model, actions, observations, schedule, generator)
    check_answered(loss, "ddpm_loss")
    check_shape(loss, (), "average over the batch.")
    check_close(loss, 0.0, "mix action and noise by the square roots, and ask for the noise.")
    loss = ddpm_loss(noise_model, actions, observations + 2, schedule, generator)
    # Now each of the three numbers is off by 2.
    check_close(loss, 12.0, "pass the observations on, and sum over the action's numbers.")

@test_case(points=None, hidden=False,
    failure_message="The gradient reaches what the noise is predicted with.")
def test_ddpm_loss_has_a_gradient(ddpm_loss):
    """The gradient reaches what the noise is predicted with."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered

    weight = torch.tensor(0.5, requires_grad=True)
    loss = ddpm_loss(
        lambda noisy, timesteps, seen: weight * noisy,
        torch.ones(20, 2),
        torch.zeros(20, 1),
        torch.tensor([0.9, 0.5, 0.1]),
        torch.Generator().manual_seed(0),
    )
    check_answered(loss, "ddpm_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."

@test_case(points=None, hidden=True,
    failure_message="Whatever noise and timesteps are drawn, the loss is the error written out, row by row.")
def test_ddpm_loss_is_the_error_of_the_noise(ddpm_loss):
    """Whatever noise and timesteps are drawn, the loss is the error written out, row by row."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # An action of three numbers in a batch of three, too: there a wrong axis has the right shape.
    for batch, dim, features, length in [(6, 3, 2, 5), (1, 1, 1, 1), (3, 3, 3, 3), (50, 2, 4, 9)]:
        actions = 3 * torch.randn(batch, dim, generator=generator) - 2
        observations = torch.randn(batch, features, generator=generator)
        observations[:, 0] = torch.arange(batch)  # says which row it is
        kept = (0.05 + 0.9 * torch.rand(length, generator=generator)).sort(descending=True).values
        kept[-1], kept[0] = 0.001, 0.999
        seen = torch.full((batch, dim + 1 + features), torch.nan)
        count = torch.zeros((), dtype=torch.long)

        def noise_model(noisy, timesteps, own, seen=seen, count=count):
            assert timesteps.shape == (len(noisy),) and len(own) == len(noisy), (
                "the model takes as many timesteps and observations as actions, timesteps of shape (batch,)."
            )
            assert timesteps.dtype == torch.long, "the timesteps must be of dtype long."
            assert noisy.dtype == torch.float32, (
                "the model was given float64: the network takes float32, convert with .float()."
            )
            first = int(count)
            assert first + len(noisy) <= len(seen), "the model was asked about too many rows."
            shown = torch.cat([noisy, timesteps.unsqueeze(1), own], dim=1)
            seen[first : first + len(noisy)] = shown.detach()
            count.add_(len(noisy))
            return 2 * noisy + timesteps.sin().unsqueeze(1) - own[:, -1:]

        given = [actions.clone(), observations.clone(), kept.clone()]
        loss = ddpm_loss(noise_model, *given, generator)
        check_answered(loss, "ddpm_loss")
        shown = seen.double()
        assert shown.isfinite().all(), "the model must be asked about every row, once."
        shown = shown[shown[:, dim + 1].argsort()]
        noisy, timesteps, own = shown[:, :dim], shown[:, dim], shown[:, dim + 1 :]
        check_close(own, observations, "the model must see the observations as they are.")
        assert (timesteps >= 0).all() and (timesteps < length).all(), (
            "timesteps run from 0 to num_timesteps - 1."
        )
        share = kept.double()[timesteps.long()].unsqueeze(1)
        noise = (noisy - share.sqrt() * actions) / (1 - share).sqrt()
        error = 2 * noisy + timesteps.sin().unsqueeze(1) - own[:, -1:] - noise
        check_close(
            loss,
            error.square().sum() / batch,
            "compare the model's answer with the noise of the same row; sum over the action's numbers, "
            "average over the batch.",
            rtol=1e-3,
            atol=1e-3,
        )
        for argument, before in zip(given, (actions, observations, kept), strict=True):
            check_close(argument, before, "an argument was changed in place: compute a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="Noise is standard normal, all timesteps are equally likely, and none knows of the others.")
def test_ddpm_loss_draws_every_row_anew(ddpm_loss):
    """Noise is standard normal, all timesteps are equally likely, and none knows of the others."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import chisquare

    from imitation_lab.testing import (
        check_answered,
        check_rows_apart,
        check_standard_normal,
        check_unrelated,
        fresh_generator,
    )

    generator, batch, length = fresh_generator(), 8_000, 7
    scale = torch.tensor([0.5, 1.0, 4.0])
    actions = scale * torch.randn(batch, 3, generator=generator) + 2
    kept = torch.linspace(0.999, 0.001, length)
    seen = torch.full((batch, 5), torch.nan)
    count = torch.zeros((), dtype=torch.long)

    def noise_model(noisy, timesteps, own):
        first = int(count)
        assert first + len(noisy) <= batch, "the model was asked about too many rows."
        shown = torch.cat([noisy, timesteps.reshape(-1, 1), own], dim=1)
        seen[first : first + len(noisy)] = shown.detach()
        count.add_(len(noisy))
        return 0 * noisy

    rows = torch.arange(1.0 * batch)[:, None]
    loss = ddpm_loss(noise_model, actions.clone(), rows, kept.clone(), generator)
    check_answered(loss, "ddpm_loss")
    shown = seen.double()
    assert shown.isfinite().all(), "the model must be asked about every row, once."
    shown = shown[shown[:, 4].argsort()]
    noisy, timesteps = shown[:, :3], shown[:, 3].long()
    assert timesteps.min() >= 0 and timesteps.max() < length, (
        "timesteps run from 0 to num_timesteps - 1."
    )
    # A right answer's p-values are uniform: they fall below 10^-9 once in 10^9 gradings.
    assert chisquare(timesteps.bincount(minlength=length).numpy()).pvalue > 1e-9, (
        "all timesteps are equally likely, the first and the last too, and every row draws its own."
    )
    share = kept.double()[timesteps].unsqueeze(1)
    noise = (noisy - share.sqrt() * actions) / (1 - share).sqrt()
    check_standard_normal(
        noise,
        "noisy actions mix the action by the root of alpha_bar with standard normal noise by the "
        "root of 1 - alpha_bar, drawn for every number.",
    )
    # Two rows agree in three numbers to 0.001 once in a thousand gradings.
    assert len(noise.mul(1000).round().unique(dim=0)) > 0.95 * batch, (
        "rows share noise: draw anew for every number of every row."
    )
    clock = (timesteps - (length - 1) / 2) / ((length**2 - 1) / 12) ** 0.5
    clock, own = clock[:, None], actions.double()
    own = (own - own.mean(dim=0)) / own.std(dim=0)
    large = (own.abs() - own.abs().mean(dim=0)) / own.abs().std(dim=0)
    size = (noise**2 - 1) / 2**0.5
    check_rows_apart(noise, "rows share noise: draw anew for every number of every row.")
    check_rows_apart(clock, "rows share timesteps: draw one for every row.")
    pairs = {
        "the numbers of a row share noise": (noise, noise.roll(1, dims=1)),
        "noise depends on the action": (noise, own),
        "the noise's size depends on the action": (size, own),
        "the noise's size depends on the action's": (size, large),
        "noise depends on the timestep": (noise, clock),
        "the noise's size depends on the timestep": (size, clock),
        "the timestep depends on the action": (clock, own),
        "the timestep depends on the action's size": (clock, large),
    }
    check_unrelated(pairs, "draw all of them anew, independently.")

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to the model's parameters has the right size.")
def test_ddpm_loss_teaches_the_model(ddpm_loss):
    """The gradient with respect to the model's parameters has the right size."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Constant(torch.nn.Module):
        """A prediction that is always the same, and remembers what it was shown."""

        def __init__(self, value, seen):
            super().__init__()
            self.value, self.seen = torch.nn.Parameter(value), seen
            self.count = torch.zeros((), dtype=torch.long)

        def forward(self, noisy, timesteps, own):
            first = int(self.count)
            shown = torch.cat([noisy, timesteps.reshape(-1, 1)], dim=1)
            self.seen[first : first + len(noisy)] = shown.detach()
            self.count.add_(len(noisy))
            return self.value.repeat(len(noisy), 1)

    generator, batch, kept = fresh_generator(), 200, torch.tensor([0.9, 0.6, 0.3, 0.1])
    action = torch.randn(3, generator=generator)
    model = Constant(torch.randn(3, generator=generator), torch.full((batch, 4), torch.nan))
    actions, observations = action.repeat(batch, 1), torch.zeros(batch, 1)
    loss = ddpm_loss(model, actions, observations, kept, generator)
    check_answered(loss, "ddpm_loss")
    assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
    loss.backward()
    assert model.value.grad is not None, "no gradient reaches the model: do not detach it."
    seen = model.seen.double()
    share = kept.double()[seen[:, 3].long()].unsqueeze(1)
    noise = (seen[:, :3] - share.sqrt() * action) / (1 - share).sqrt()
    expected = 2 * (model.value.detach() - noise.mean(dim=0))
    check_close(model.value.grad, expected, "the gradient of the loss is off.", 1e-3, 1e-3)

@test_case(points=None, hidden=True,
    failure_message="The generator decides all draws: equal seeds repeat them, and the next call draws anew.")
def test_ddpm_loss_draws_from_the_generator(ddpm_loss):
    """The generator decides all draws: equal seeds repeat them, and the next call draws anew."""
    assert ddpm_loss is not None, "ddpm_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    batch, seed, schedule = 300, fresh_generator().initial_seed(), torch.linspace(0.95, 0.05, 50)
    rows = torch.arange(1.0 * batch)[:, None]

    def draw(source):
        seen, count = torch.full((batch, 4), torch.nan), torch.zeros((), dtype=torch.long)

        def noise_model(noisy, timesteps, own):
            first = int(count)
            assert first + len(noisy) <= batch, "the model was asked about too many rows."
            shown = torch.cat([noisy, timesteps.reshape(-1, 1), own], dim=1)
            seen[first : first + len(noisy)] = shown.detach()
            count.add_(len(noisy))
            return 0 * noisy

        loss = ddpm_loss(noise_model, torch.zeros(batch, 2), rows, schedule.clone(), source)
        check_answered(loss, "ddpm_loss")
        assert seen.isfinite().all(), "the model must be asked about every row, once."
        shown = seen[seen[:, 3].argsort()].double()
        timesteps = shown[:, 2].long()
        assert timesteps.min() >= 0 and timesteps.max() < 50, (
            "timesteps run from 0 to num_timesteps - 1."
        )
        # With zeros for actions the noisy action is the noise times its factor.
        noise = shown[:, :2] / (1 - schedule.double()[timesteps, None]).sqrt()
        return {"noise": noise, "timesteps": (shown[:, 2:3] - 24.5) / (2499 / 12) ** 0.5}

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
