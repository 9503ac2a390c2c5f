from otter.test_files import test_case

OK_FORMAT = False

name = "component_log_probs"
points = [1, 2]

@test_case(points=None, hidden=False,
    failure_message="At its mean, a component with \u03c3 = 2 in two dimensions has density 1/(8\u03c0).")
def test_component_log_probs_of_known_components(component_log_probs):
    """At its mean, a component with \u03c3 = 2 in two dimensions has density 1/(8\u03c0)."""
    assert component_log_probs is not None, "component_log_probs is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, explain_shapes

    actions = torch.tensor([[1.0, -3.0]]).repeat(4, 1)
    means = torch.tensor([[1.0, -3.0], [3.0, -3.0], [1.0, 1.0]]).repeat(4, 1, 1)
    means.requires_grad_()
    log_stds = torch.full((4, 3, 2), math.log(2))
    with explain_shapes("component_log_probs", means=means, log_stds=log_stds, actions=actions):
        log_probs = component_log_probs(means, log_stds, actions)
    check_answered(log_probs, "component_log_probs")
    check_shape(log_probs, (4, 3), "one number for every row and component.")
    peak = -math.log(8 * math.pi)
    check_close(
        torch.as_tensor(log_probs)[:, 0],
        [peak] * 4,
        "at its mean a component loses log \u03c3 and \xbd log 2\u03c0, once for every dimension.",
    )
    check_close(
        log_probs,
        [[peak, peak - 0.5, peak - 2.0]] * 4,
        "the other two means lie one and two \u03c3 away in one dimension: that costs \xbd and 2.",
    )
    assert getattr(log_probs, "requires_grad", False), (
        "gradients must flow through means and log_stds: compute with tensors, and do not detach."
    )

@test_case(points=None, hidden=True,
    failure_message="Numbers and gradients agree with torch.distributions, for any sizes and widths, near and far.")
def test_component_log_probs_agree_with_torch(component_log_probs):
    """Numbers and gradients agree with torch.distributions, for any sizes and widths, near and far."""
    assert component_log_probs is not None, "component_log_probs is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Equal sizes of two axes, too: there a wrong axis gives the right shape.
    for batch, components, action_dim, distance in [
        (7, 4, 3, 1.0),
        (1, 1, 1, 2.0),
        (4, 4, 2, 1.0),
        (3, 2, 2, 80.0),
    ]:
        shape = (batch, components, action_dim)
        means = torch.randn(shape, generator=generator)
        # From \u03c3 = 0.002 to \u03c3 = 20: whoever clamps the widths is noticed at both ends.
        log_stds = 9 * torch.rand(shape, generator=generator) - 6
        actions = distance * torch.randn(batch, action_dim, generator=generator)
        leaves = [leaf.clone().requires_grad_() for leaf in (means, log_stds)]
        log_probs = component_log_probs(*leaves, actions)
        check_answered(log_probs, "component_log_probs")
        exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
        normal = torch.distributions.Normal(exact[0], exact[1].exp())
        expected = normal.log_prob(actions.double()[:, None]).sum(dim=2)
        check_close(
            log_probs,
            expected,
            "compare each action with its own row's components, and sum over the dimensions.",
            rtol=1e-3,
            atol=1e-3,
        )
        assert getattr(log_probs, "requires_grad", False), "no gradient flows: do not detach."
        log_probs.sum().backward()
        expected.sum().backward()
        for name, leaf, wanted in zip(("means", "log_stds"), leaves, exact, strict=True):
            assert leaf.grad is not None, f"no gradient reaches the {name}: do not detach them."
            hint = f"the numbers are right, but not their gradient with respect to the {name}."
            check_close(leaf.grad, wanted.grad, hint, rtol=1e-2, atol=1e-2)
