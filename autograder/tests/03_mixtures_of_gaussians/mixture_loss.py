from otter.test_files import test_case

OK_FORMAT = False

name = "mixture_loss"
points = [1, 1, 2]

@test_case(points=None, hidden=False,
    failure_message="The loss is one number that gradients flow through; at the mean of a narrow component it is negative.")
def test_mixture_loss_is_one_number(mixture_loss):
    """The loss is one number that gradients flow through; at the mean of a narrow component it is negative."""
    assert mixture_loss is not None, "mixture_loss is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.zeros(5, 3, requires_grad=True)
    means, log_stds = torch.zeros(5, 3, 2), torch.full((5, 3, 2), -4.0)

    def policy(observations):
        rows = slice(len(observations))
        return logits[rows], means[rows], log_stds[rows]

    loss = mixture_loss(policy, torch.ones(5, 4), torch.zeros(5, 2))
    check_answered(loss, "mixture_loss")
    check_shape(loss, (), "average over the batch.")
    assert torch.as_tensor(loss).detach() < 0, (
        "a density above one has a negative loss: the sign is the wrong way round."
    )
    check_close(
        loss,
        math.log(2 * math.pi) - 8,
        "every action's density is exp(8)/(2\u03c0): minus its logarithm, averaged over the batch, not summed. "
        "Does mixture_log_prob, if you call it, pass its own check?",
    )
    assert getattr(loss, "requires_grad", False), (
        "gradients must flow: return a tensor, and do not detach it."
    )

@test_case(points=None, hidden=True,
    failure_message="The loss agrees with torch.distributions, for batches of any size.")
def test_mixture_loss_is_the_mean_over_the_batch(mixture_loss):
    """The loss agrees with torch.distributions, for batches of any size."""
    assert mixture_loss is not None, "mixture_loss is not defined yet: run the cell with your answer."
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # The last number says how far the actions lie: also so far that somebody might clamp the loss.
    for batch, components, action_dim, distance in [
        (7, 3, 2, 1.0),
        (1, 2, 3, 1.0),
        (40, 5, 1, 1.0),
        (4, 4, 4, 1.0),
        (6, 3, 2, 1000.0),
    ]:
        weight = torch.randn(4, components * (2 * action_dim + 1), generator=generator) / 2

        def policy(observations, weight=weight, components=components, action_dim=action_dim):
            outputs = observations @ weight
            rest = outputs[:, components:].unflatten(1, (2, components, action_dim))
            return outputs[:, :components], rest[:, 0], rest[:, 1] - 1

        observations = torch.randn(batch, 4, generator=generator)
        # Half of the actions lie on a component's mean, where the density is well above one.
        actions = policy(observations)[1][:, 0].clone()
        actions[::2] = distance * torch.randn(actions[::2].shape, generator=generator)
        loss = mixture_loss(policy, observations, actions)
        check_answered(loss, "mixture_loss")
        logits, means, log_stds = (part.double() for part in policy(observations))
        normal = Independent(Normal(means, log_stds.exp()), 1)
        oracle = MixtureSameFamily(Categorical(logits=logits), normal)
        expected = -oracle.log_prob(actions.double()).mean()
        hint = (
            "take the negative log-likelihood of each row, and average over the batch. If points were lost in "
            "Question 3.2 too, and mixture_loss calls mixture_log_prob, look there first."
        )
        check_close(loss, expected, hint, rtol=1e-3, atol=1e-3)

@test_case(points=None, hidden=True,
    failure_message="The gradient reaches weights, means and widths of the policy, and has the right size.")
def test_mixture_loss_teaches_the_policy(mixture_loss):
    """The gradient reaches weights, means and widths of the policy, and has the right size."""
    assert mixture_loss is not None, "mixture_loss is not defined yet: run the cell with your answer."
    import torch
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Head(torch.nn.Module):
        def __init__(self, outputs):
            super().__init__()
            self.outputs = outputs

        def forward(self, observations):
            logits, rest = self.outputs(observations).tensor_split([3], dim=1)
            rest = rest.unflatten(1, (2, 3, 2))
            return logits, rest[:, 0], rest[:, 1]

    generator = fresh_generator()
    outputs = torch.nn.Linear(4, 15)
    torch.nn.init.normal_(outputs.weight, std=0.3, generator=generator)
    policy = Head(outputs)
    observations = torch.randn(6, 4, generator=generator)
    actions = torch.randn(6, 2, generator=generator)
    loss = mixture_loss(policy, observations, actions)
    check_answered(loss, "mixture_loss")
    assert getattr(loss, "requires_grad", False), (
        "the loss does not depend on the policy: do not detach it."
    )
    loss.backward()
    given, outputs.weight.grad = outputs.weight.grad, None
    assert given is not None, "no gradient reaches the policy: do not detach its outputs."
    logits, means, log_stds = policy(observations)
    normal = Independent(Normal(means, log_stds.exp()), 1)
    oracle = MixtureSameFamily(Categorical(logits=logits), normal)
    (-oracle.log_prob(actions).mean()).backward()
    hint = (
        "the gradient is not the negative log-likelihood's: is the loss an average, and nothing detached? If "
        "points were lost in Question 3.2 too, and mixture_loss calls mixture_log_prob, look there first."
    )
    check_close(given, outputs.weight.grad, hint, rtol=1e-3, atol=1e-4)
