from otter.test_files import test_case

OK_FORMAT = False

name = "idea0_loss"
points = [1, 1, 1, 1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="A model that always answers (1, 2, 3) has a loss that no noise can change.")
def test_idea0_loss_of_a_constant(idea0_loss):
    """A model that always answers (1, 2, 3) has a loss that no noise can change."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    def model(noise):
        assert noise.dim() == 2 and noise.shape[1] == 3, (
            f"the model was given shape {tuple(noise.shape)}: it takes noise (batch, action_dim)."
        )
        assert noise.dtype == torch.float32, (
            f"the model was given {noise.dtype}: a network takes float32, convert with .float()."
        )
        return torch.tensor([1.0, 2.0, 3.0]).repeat(len(noise), 1)

    rows = [[1.0, 2.0, 3.0], [1.0, 2.0, 8.0], [4.0, 6.0, 3.0], [1.0, 2.0, 3.0]]
    loss = idea0_loss(model, torch.tensor(rows), torch.Generator().manual_seed(0))
    check_answered(loss, "idea0_loss")
    # The rows' errors are 0, 25, 25 and 0.
    check_close(loss, 12.5, "sum the squares over the action's numbers, average over the batch.")

@test_case(points=None, hidden=False,
    failure_message="The model sees noise and nothing else: one that returns what it sees misses every action.")
def test_idea0_loss_shows_noise(idea0_loss):
    """The model sees noise and nothing else: one that returns what it sees misses every action."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape

    loss = idea0_loss(torch.nn.Identity(), torch.zeros(40, 2), torch.Generator().manual_seed(0))
    check_answered(loss, "idea0_loss")
    check_shape(loss, (), "average over the batch.")
    assert float(loss) > 0.1, "the model was not shown noise: it was shown the actions, or zeros."

@test_case(points=None, hidden=True,
    failure_message="For a model that ignores the noise the loss is the mean squared distance to the actions.")
def test_idea0_loss_is_the_mean_squared_distance(idea0_loss):
    """For a model that ignores the noise the loss is the mean squared distance to the actions."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, scale in [(6, 3, 30), (1, 2, 5), (4, 4, 5), (150, 1, 30)]:
        actions = scale * torch.randn(batch, action_dim, generator=generator) - 3
        answer = torch.randn(action_dim, generator=generator)
        given = actions.clone()
        loss = idea0_loss(
            lambda noise, answer=answer: answer.repeat(len(noise), 1), given, generator
        )
        check_answered(loss, "idea0_loss")
        total = sum(
            (one - other) ** 2
            for row in actions.tolist()
            for one, other in zip(row, answer.tolist(), strict=True)
        )
        check_close(loss, total / batch, "sum over the action's numbers, average over the batch.")
        check_close(given, actions, "the actions were changed in place: compute a new tensor.")

@test_case(points=None, hidden=True,
    failure_message="The loss is the error of the model's own answers, and its gradient reaches the model.")
def test_idea0_loss_judges_what_the_model_makes_of_the_noise(idea0_loss):
    """The loss is the error of the model's own answers, and its gradient reaches the model."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Recorder(torch.nn.Module):
        """A linear layer that remembers what it was shown."""

        def __init__(self, weight, seen):
            super().__init__()
            self.weight, self.seen = torch.nn.Parameter(weight), seen
            self.count = torch.zeros((), dtype=torch.long)

        def forward(self, noise):
            first = int(self.count)
            assert first + len(noise) <= len(self.seen), "the model was shown too many rows."
            self.seen[first : first + len(noise)] = noise.detach()
            self.count.add_(len(noise))
            return noise.to(self.weight.dtype) @ self.weight

    generator = fresh_generator()
    for batch, action_dim in [(7, 3), (1, 2), (60, 4)]:
        action = 2 * torch.randn(action_dim, generator=generator)
        weight = torch.randn(action_dim, action_dim, generator=generator)
        model = Recorder(weight, torch.full((batch, action_dim), torch.nan))
        # One action for all rows: in which order they are visited must not matter.
        loss = idea0_loss(model, action.repeat(batch, 1), generator)
        check_answered(loss, "idea0_loss")
        noise = model.seen.double()
        assert noise.isfinite().all(), "the model was not shown noise for every row."
        error = noise @ weight.double() - action
        hint = "compare the model's answers for the noise with the actions."
        check_close(loss, error.square().sum() / batch, hint, rtol=1e-3)
        assert getattr(loss, "requires_grad", False), "no gradient flows: do not detach."
        loss.backward()
        assert model.weight.grad is not None, "no gradient reaches the model: do not detach."
        expected = 2 / batch * noise.T @ error
        check_close(model.weight.grad, expected, "the loss's gradient is off.", 1e-3, 1e-3)

@test_case(points=None, hidden=True,
    failure_message="The noise is standard normal, fresh for every number, and knows nothing of the actions.")
def test_idea0_loss_draws_fresh_normal_noise(idea0_loss):
    """The noise is standard normal, fresh for every number, and knows nothing of the actions."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import (
        check_answered,
        check_rows_apart,
        check_standard_normal,
        check_unrelated,
        fresh_generator,
    )

    generator, batch = fresh_generator(), 8_000
    actions = torch.randn(batch, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.2]) + 2
    for power in (1, 2):
        seen, count = torch.full((batch, 3), torch.nan), torch.zeros((), dtype=torch.long)

        def model(noise, power=power, seen=seen, count=count):
            assert noise.dtype == torch.float32, (
                f"the model was given {noise.dtype}: a network takes float32, convert with .float()."
            )
            first = int(count)
            assert first + len(noise) <= batch, "the model was shown more rows than the batch has."
            seen[first : first + len(noise)] = noise.detach()
            count.add_(len(noise))
            return noise**power

        loss = idea0_loss(model, actions.clone(), generator)
        check_answered(loss, "idea0_loss")
        noise = seen.double()
        assert noise.isfinite().all(), "the model was not shown noise for every row."
        # float32 has 10^7 numbers to draw, so hardly any come twice.
        assert len(noise.unique()) > 0.95 * noise.numel(), (
            "numbers of the noise repeat: draw anew for every number of every row."
        )
        check_standard_normal(
            noise, "the noise does not follow a standard normal distribution, drawn for every row."
        )
        check_rows_apart(noise, "rows share noise: draw anew for every number of every row.")
        check_unrelated(
            {"the numbers of a row share noise": (noise, noise.roll(1, dims=1))},
            "draw anew for each.",
        )
        squares = actions.double().square().sum(dim=1).mean()
        answers = noise**power
        # What is left of the loss is -2 times the mean of answer times action. Noise has mean 0
        # and variance 1, its square has mean 1 and variance 2.
        expected = answers.square().sum(dim=1).mean() + squares
        expected = expected - 2 * (power - 1) * actions.double().sum(dim=1).mean()
        spread = 2 * (power * squares / batch) ** 0.5
        assert (torch.as_tensor(loss).double() - expected).abs() < 7 * spread, (
            "noise and action of a row are not independent of each other, or the norm is not squared."
        )

@test_case(points=None, hidden=True,
    failure_message="The generator decides the noise: equal seeds repeat it, and the next call draws anew.")
def test_idea0_loss_draws_from_the_generator(idea0_loss):
    """The generator decides the noise: equal seeds repeat it, and the next call draws anew."""
    assert idea0_loss is not None, "idea0_loss is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    batch, seed = 300, fresh_generator().initial_seed()

    def draw(source):
        seen, count = torch.full((batch, 2), torch.nan), torch.zeros((), dtype=torch.long)

        def model(noise):
            first = int(count)
            assert first + len(noise) <= batch, "the model was shown more rows than the batch has."
            seen[first : first + len(noise)] = noise.detach()
            count.add_(len(noise))
            return 1 * noise

        loss = idea0_loss(model, torch.ones(batch, 2), source)
        check_answered(loss, "idea0_loss")
        assert seen.isfinite().all(), "the model was not shown noise for every row."
        return seen.double(), loss

    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    (first, loss), (following, _), (again, repeated) = (draw(source) for source in (one, one, same))
    hint = "the same seed gave other noise: draw from `generator`."
    check_close(again, first, hint)
    check_close(repeated, loss, hint)
    # 600 products of independent normal numbers: their mean is beyond seven standard deviations
    # once in 10^10 times.
    assert (first * following).mean().abs() < 7 / first.numel() ** 0.5, (
        "two calls with one generator gave the same noise: do not seed it yourself."
    )
