from otter.test_files import test_case

OK_FORMAT = False

name = "component_log_probs"
points = [1]

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
