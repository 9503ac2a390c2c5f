from otter.test_files import test_case

OK_FORMAT = False

name = "mixture_log_prob"
points = [1, 2, 1, 1, 1, 2]

@test_case(points=None, hidden=False,
    failure_message="Halfway between two equal hills the density is either hill's; on one of them it is the weighted sum.")
def test_mixture_log_prob_between_two_equal_hills(mixture_log_prob):
    """Halfway between two equal hills the density is either hill's; on one of them it is the weighted sum."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    means = torch.tensor([[[1.0], [-1.0]]]).repeat(3, 1, 1)
    log_prob = mixture_log_prob(
        torch.full((3, 2), 7.0), means, torch.zeros(3, 2, 1), torch.zeros(3, 1)
    )
    check_answered(log_prob, "mixture_log_prob")
    check_shape(log_prob, (3,), "one log density for each row.")
    hill = -0.5 - 0.5 * math.log(2 * math.pi)
    check_close(log_prob, [hill] * 3, "equal logits of any size mean weights of one half each.")
    near, far = math.exp(hill + 0.5), math.exp(hill - 1.5)
    logits = torch.tensor([[math.log(3.0), 0.0]]).repeat(3, 1)
    log_prob = mixture_log_prob(logits, means, torch.zeros(3, 2, 1), torch.ones(3, 1))
    check_close(
        log_prob,
        [math.log(0.75 * near + 0.25 * far)] * 3,
        "with weights \xbe and \xbc the density is \xbe of one hill's plus \xbc of the other's.",
    )

@test_case(points=None, hidden=True,
    failure_message="The numbers agree with torch.distributions.MixtureSameFamily, for any sizes.")
def test_mixture_log_prob_agrees_with_torch(mixture_log_prob):
    """The numbers agree with torch.distributions.MixtureSameFamily, for any sizes."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # The last number is the smallest log_std: widths from very small to very large.
    for batch, components, action_dim, least in [
        (7, 4, 3, -1.5),
        (5, 1, 2, -1.5),
        (1, 6, 1, -1.5),
        (4, 4, 4, -1.5),
        (2, 3, 2, -1.5),
        (6, 3, 2, -8.0),
        (6, 3, 2, 2.5),
    ]:
        shape = (batch, components, action_dim)
        logits = 2 * torch.randn(shape[:2], generator=generator)
        means = torch.randn(shape, generator=generator)
        log_stds = 2 * torch.rand(shape, generator=generator) + least
        actions = torch.randn(batch, action_dim, generator=generator)
        log_prob = mixture_log_prob(logits, means, log_stds, actions)
        check_answered(log_prob, "mixture_log_prob")
        normal = Independent(Normal(means.double(), log_stds.double().exp()), 1)
        oracle = MixtureSameFamily(Categorical(logits=logits.double()), normal)
        check_close(
            log_prob,
            oracle.log_prob(actions.double()),
            "add log weights and log densities, and reduce over the components with logsumexp.",
            rtol=1e-3,
            atol=1e-3,
        )

@test_case(points=None, hidden=True,
    failure_message="Over a fine grid the density adds up to one, in one dimension and in two.")
def test_mixture_log_prob_integrates_to_one(mixture_log_prob):
    """Over a fine grid the density adds up to one, in one dimension and in two."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for action_dim, steps in [(1, 2001), (2, 141)]:
        axis = torch.linspace(-7, 7, steps)
        grid = torch.cartesian_prod(*[axis] * action_dim).reshape(-1, action_dim)
        logits = torch.randn(1, 3, generator=generator)
        means = 2 * torch.rand(1, 3, action_dim, generator=generator) - 1
        log_stds = torch.rand(1, 3, action_dim, generator=generator) - 1
        rows = (values.repeat(len(grid), *[1] * (values.dim() - 1)) for values in (logits, means))
        log_prob = mixture_log_prob(*rows, log_stds.repeat(len(grid), 1, 1), grid)
        check_answered(log_prob, "mixture_log_prob")
        mass = torch.as_tensor(log_prob).double().exp().sum() * (14 / (steps - 1)) ** action_dim
        hint = "the density does not integrate to one: do the weights sum to one, and are the components' densities added, not their logarithms?"
        check_close(mass, 1.0, hint, rtol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="Nothing changes when components change places, or when a row's logits shift together.")
def test_mixture_log_prob_has_the_right_invariances(mixture_log_prob):
    """Nothing changes when components change places, or when a row's logits shift together."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(6, 5, generator=generator)
    means, log_stds = torch.randn(2, 6, 5, 3, generator=generator)
    actions = torch.randn(6, 3, generator=generator)
    before = mixture_log_prob(logits, means, log_stds, actions)
    check_answered(before, "mixture_log_prob")
    order = torch.randperm(5, generator=generator).roll(1)
    moved = mixture_log_prob(logits[:, order], means[:, order], log_stds[:, order], actions)
    check_close(moved, before, "the order of the components matters: it must not.", rtol=1e-3)
    shift = 20 * torch.randn(6, 1, generator=generator)
    shifted = mixture_log_prob(logits + shift, means, log_stds, actions)
    check_close(
        shifted,
        before,
        "logits that are shifted together mean the same weights: use log_softmax over components.",
        rtol=1e-3,
        atol=1e-3,
    )

@test_case(points=None, hidden=True,
    failure_message="Weights down to e\u207b\xb9\u2075\u2070 and actions a thousand standard deviations away give the right, finite number.")
def test_mixture_log_prob_survives_extremes(mixture_log_prob):
    """Weights down to e\u207b\xb9\u2075\u2070 and actions a thousand standard deviations away give the right, finite number."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    # Row 0: the only component that is near has a weight of 1e-30. Row 1: none is near. Row 2: logits
    # whose exponentials overflow. Row 3: the near one's weight is no float32 any more, its logarithm is.
    logits = torch.tensor(
        [[0.0, -69.0776, 0.5], [0.3, 0.0, -0.2], [120.0, 119.0, 90.0], [0, -150, 0]]
    )
    logits = logits + 0.1 * torch.randn(4, 3, generator=generator)
    means = torch.randn(4, 3, 2, generator=generator)
    means[0::3, [0, 2]] += 1000
    actions = torch.randn(4, 2, generator=generator)
    actions[1] += 1000
    leaves = [logits, means, torch.zeros(4, 3, 2)]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    log_prob = mixture_log_prob(*leaves, actions)
    check_answered(log_prob, "mixture_log_prob")
    check_finite(log_prob, "an exponential underflows or overflows: stay in logarithms throughout.")
    normal = Independent(Normal(means.double(), torch.ones(4, 3, 2, dtype=torch.float64)), 1)
    oracle = MixtureSameFamily(Categorical(logits=logits.double()), normal)
    hint = "with tiny weights or far away the number is off: stay in logarithms from the logits on."
    check_close(log_prob, oracle.log_prob(actions.double()), hint)
    assert getattr(log_prob, "requires_grad", False), "no gradient flows: do not detach."
    log_prob.sum().backward()
    for name, leaf in zip(("logits", "means", "log_stds"), leaves, strict=True):
        assert leaf.grad is not None, f"no gradient reaches the {name}."
        check_finite(leaf.grad, f"the gradient with respect to the {name} is lost far away.")

@test_case(points=None, hidden=True,
    failure_message="The gradients with respect to logits, means and log_stds are those of the exact density.")
def test_mixture_log_prob_has_the_right_gradient(mixture_log_prob):
    """The gradients with respect to logits, means and log_stds are those of the exact density."""
    assert mixture_log_prob is not None, "mixture_log_prob is not defined yet: run the cell with your answer."
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(5, 3, generator=generator)
    means, log_stds = torch.randn(2, 5, 3, 2, generator=generator)
    actions = torch.randn(5, 2, generator=generator)
    leaves = [leaf.clone().requires_grad_() for leaf in (logits, means, log_stds / 2)]
    log_prob = mixture_log_prob(*leaves, actions)
    check_answered(log_prob, "mixture_log_prob")
    assert getattr(log_prob, "requires_grad", False), "no gradient flows: do not detach."
    log_prob.sum().backward()
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    normal = Independent(Normal(exact[1], exact[2].exp()), 1)
    oracle = MixtureSameFamily(Categorical(logits=exact[0]), normal)
    oracle.log_prob(actions.double()).sum().backward()
    for name, leaf, wanted in zip(("logits", "means", "log_stds"), leaves, exact, strict=True):
        assert leaf.grad is not None, f"no gradient reaches the {name}: do not detach them."
        hint = f"the gradient with respect to the {name} is off."
        check_close(leaf.grad, wanted.grad, hint, rtol=1e-3, atol=1e-3)
