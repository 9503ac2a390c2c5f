from otter.test_files import test_case

OK_FORMAT = False

name = "responsibilities"
points = [1, 2, 1]

@test_case(points=None, hidden=False,
    failure_message="Every row sums to one; halfway between two components, the weights alone decide who gets how much.")
def test_responsibilities_sum_to_one(responsibilities):
    """Every row sums to one; halfway between two components, the weights alone decide who gets how much."""
    assert responsibilities is not None, "responsibilities is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    means = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 30.0]]]).repeat(4, 1, 1)
    logits = torch.tensor([[0.0, math.log(3.0), 0.0]]).repeat(4, 1)
    shares = responsibilities(logits, means, torch.zeros(4, 3, 2), torch.zeros(4, 2))
    check_answered(shares, "responsibilities")
    check_shape(shares, (4, 3), "one share for every row and component.")
    assert torch.as_tensor(shares).min() >= 0, (
        "some shares are negative: are they still logarithms? A share lies between 0 and 1."
    )
    check_close(
        shares,
        [[0.25, 0.75, 0.0]] * 4,
        "two components are equally near, the second has three times the first's weight, and the "
        "third is far away.",
    )

@test_case(points=None, hidden=True,
    failure_message="The shares are those of Bayes' rule, whatever is added to a row's logits.")
def test_responsibilities_follow_bayes_rule(responsibilities):
    """The shares are those of Bayes' rule, whatever is added to a row's logits."""
    assert responsibilities is not None, "responsibilities is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, components, action_dim in [(6, 4, 3), (1, 1, 2), (3, 3, 1), (5, 2, 2)]:
        shape = (batch, components, action_dim)
        logits = 5 + 2 * torch.randn(shape[:2], generator=generator)
        means = torch.randn(shape, generator=generator)
        log_stds = torch.rand(shape, generator=generator) - 1
        actions = torch.randn(batch, action_dim, generator=generator)
        shares = responsibilities(logits, means, log_stds, actions)
        check_answered(shares, "responsibilities")
        normal = torch.distributions.Normal(means.double(), log_stds.double().exp())
        densities = normal.log_prob(actions.double()[:, None]).sum(dim=2).exp()
        joint = logits.double().exp() * densities
        check_close(
            shares,
            joint / joint.sum(dim=1, keepdim=True),
            "weigh each component's density by its weight, and normalise over the components.",
            rtol=1e-3,
            atol=1e-4,
        )

@test_case(points=None, hidden=True,
    failure_message="A thousand standard deviations away, and with tiny weights, the shares are still the right ones.")
def test_responsibilities_survive_extremes(responsibilities):
    """A thousand standard deviations away, and with tiny weights, the shares are still the right ones."""
    assert responsibilities is not None, "responsibilities is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    near = 0.5 * torch.randn(1, generator=fresh_generator()).item()
    means = torch.tensor([[[0.0], [-1.0]], [[near], [1000.0]], [[near], [1000.0]]])
    logits = torch.tensor([[0.0, 0.0], [-69.0776, 0.0], [-150.0, 0.0]])
    actions = torch.tensor([[1000.0], [0.0], [0.0]])
    shares = responsibilities(logits, means, torch.zeros(3, 2, 1), actions)
    check_answered(shares, "responsibilities")
    check_finite(
        shares,
        "a fraction of densities becomes 0/0 far away: compute with logarithms up to the last step.",
    )
    hint = "far away from all, and with tiny weights, the nearest component is responsible: add log weights, not weights."
    check_close(shares, [[1.0, 0.0]] * 3, hint)
