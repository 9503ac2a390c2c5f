from otter.test_files import test_case

OK_FORMAT = False

name = "ensemble_disagreement"
points = [1, 1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Two policies whose actions are (6, 8) apart are both 5 away from their mean.")
def test_ensemble_disagreement_of_two(ensemble_disagreement):
    """Two policies whose actions are (6, 8) apart are both 5 away from their mean."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    apart = torch.tensor([6.0, 8.0])
    policies = [lambda seen: seen[:, :2], lambda seen: seen[:, :2] + seen[:, 2:] * apart]
    seen = torch.tensor([[1.0, 2.0, 1.0], [4.0, 5.0, 0.1], [7.0, 8.0, 0.0]])
    disagreement = ensemble_disagreement(policies, seen)
    check_answered(disagreement, "ensemble_disagreement")
    check_shape(disagreement, (3,), "one number for every observation.")
    hint = "the variance across the policies, summed over the action's numbers, and its root."
    check_close(disagreement, [5.0, 0.5, 0.0], hint)

@test_case(points=None, hidden=False,
    failure_message="Policies that always do the same do not disagree, nor does a policy alone.")
def test_ensemble_disagreement_of_one_mind(ensemble_disagreement):
    """Policies that always do the same do not disagree, nor does a policy alone."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    seen = torch.tensor([[1.0, -2.0], [3.0, 5.0]])
    for number in (1, 2, 5):
        disagreement = ensemble_disagreement([torch.square] * number, seen)
        check_answered(disagreement, "ensemble_disagreement")
        check_close(
            disagreement, [0.0, 0.0], "no distance from the mean: divide by the number of policies."
        )

@test_case(points=None, hidden=True,
    failure_message="Its square is half the mean squared distance between two policies, over all pairs.")
def test_ensemble_disagreement_is_that_of_all_pairs(ensemble_disagreement):
    """Its square is half the mean squared distance between two policies, over all pairs."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    sizes = [(7, 5, 3, 4), (1, 4, 2, 3), (6, 3, 1, 2), (2, 6, 5, 9), (4, 2, 6, 1)]
    for batch, observation_dim, action_dim, number in sizes:
        mixings = torch.randn(number, observation_dim, action_dim, generator=generator)
        policies = [lambda seen, mixing=mixing: (seen @ mixing).tanh() for mixing in mixings]
        seen = torch.randn(batch, observation_dim, generator=generator)
        disagreement = ensemble_disagreement(policies, seen.clone())
        check_answered(disagreement, "ensemble_disagreement")
        check_shape(disagreement, (batch,), "one number for every observation.")
        acts = torch.stack([policy(seen) for policy in policies]).double()
        pairs = (acts[:, None] - acts[None]).square().sum(dim=3).mean(dim=(0, 1))
        hint = "root of the sum over the action's numbers of the variance across the policies."
        check_close(disagreement, (pairs / 2).sqrt(), hint)

@test_case(points=None, hidden=True,
    failure_message="Where one policy in a row is off by d, it is d times a factor that the number of policies fixes.")
def test_ensemble_disagreement_scales_with_the_actions(ensemble_disagreement):
    """Where one policy in a row is off by d, it is d times a factor that the number of policies fixes."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for number, action_dim in [(3, 4), (8, 2)]:
        off = torch.randn(action_dim, generator=generator)
        agree = torch.randn(5, action_dim, generator=generator)
        policies = [lambda seen, own=agree: seen[:, 1:] @ own] * (number - 1)
        policies.insert(1, lambda seen, own=agree, d=off: seen[:, 1:] @ own + seen[:, :1] * d)
        seen = torch.randn(6, 6, generator=generator)
        seen[:, 0] = torch.tensor([0.01, 0.3, 1.0, 5.0, 0.0, 80.0])
        disagreement = ensemble_disagreement(policies, seen.clone())
        check_answered(disagreement, "ensemble_disagreement")
        # The variance of a one among zeros.
        share = math.sqrt((1 / number) * (1 - 1 / number))
        hint = (
            "twice the distance is twice the disagreement: take the root of the summed variances."
        )
        expected = share * seen[:, 0] * off.norm()
        check_close(disagreement, expected, hint, rtol=1e-3, atol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="An observation has the same disagreement alone and in company, whatever the policies' order.")
def test_ensemble_disagreement_knows_no_other_rows(ensemble_disagreement):
    """An observation has the same disagreement alone and in company, whatever the policies' order."""
    assert ensemble_disagreement is not None, "ensemble_disagreement is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    mixings = torch.randn(5, 4, 3, generator=generator)
    policies = [lambda seen, mixing=mixing: (seen @ mixing).sin() for mixing in mixings]
    seen = torch.randn(9, 4, generator=generator) * torch.arange(1.0, 10).unsqueeze(1)
    together = ensemble_disagreement(policies, seen.clone())
    check_answered(together, "ensemble_disagreement")
    for row in (0, 4, 8):
        alone = ensemble_disagreement(policies[::-1], seen[row : row + 1].clone())
        check_close(
            alone, torch.as_tensor(together)[row : row + 1], "rows know nothing of each other."
        )
    acts = torch.stack([policy(seen) for policy in policies]).double()
    spread = acts.var(dim=0, correction=0).sum(dim=1).sqrt()
    check_close(together, spread, "all policies count the same.")
