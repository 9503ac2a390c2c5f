from otter.test_files import test_case

OK_FORMAT = False

name = "independent_log_prob"
points = [1, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Where all 5 bins of 3 numbers are equally likely, every action has probability 1/125.")
def test_independent_log_prob_of_even_bins(independent_log_prob):
    """Where all 5 bins of 3 numbers are equally likely, every action has probability 1/125."""
    assert independent_log_prob is not None, "independent_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    indices = torch.tensor([[0, 1, 2], [4, 4, 4]])
    log_prob = independent_log_prob(
        lambda seen: torch.full((len(seen), 3, 5), 7.0), torch.zeros(2, 4), indices
    )
    check_answered(log_prob, "independent_log_prob")
    check_shape(log_prob, (2,), "one log-probability for each action: add up over its numbers.")
    check_close(
        log_prob,
        [-math.log(125)] * 2,
        "normalise the logits of each number, and add up the log-probabilities of the bins.",
    )

@test_case(points=None, hidden=True,
    failure_message="The log-probabilities agree with torch.distributions, for any sizes.")
def test_independent_log_prob_agrees_with_torch(independent_log_prob):
    """The log-probabilities agree with torch.distributions, for any sizes."""
    assert independent_log_prob is not None, "independent_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, num_bins in [(7, 3, 5), (1, 4, 2), (4, 1, 6), (2, 5, 9)]:
        weight = torch.randn(action_dim, num_bins, generator=generator)
        observations = 2 * torch.randn(batch, 1, 1, generator=generator)
        indices = torch.randint(0, num_bins, (batch, action_dim), generator=generator)
        log_prob = independent_log_prob(
            lambda seen, weight=weight: seen * weight + weight.flip(1), observations, indices
        )
        check_answered(log_prob, "independent_log_prob")
        logits = (observations * weight + weight.flip(1)).double()
        oracle = torch.distributions.Categorical(logits=logits).log_prob(indices)
        check_close(
            log_prob, oracle.sum(dim=1), "one softmax for each number, summed over the numbers."
        )

@test_case(points=None, hidden=True,
    failure_message="Logits of \xb110\u2074 give finite log-probabilities, and the right ones.")
def test_independent_log_prob_is_stable(independent_log_prob):
    """Logits of \xb110\u2074 give finite log-probabilities, and the right ones."""
    assert independent_log_prob is not None, "independent_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    logits = 2e4 * torch.rand(6, 3, 4, generator=generator) - 1e4
    indices = torch.randint(0, 4, (6, 3), generator=generator)
    log_prob = independent_log_prob(lambda seen: 1 * seen, logits, indices)
    check_answered(log_prob, "independent_log_prob")
    check_finite(log_prob, "a probability underflowed to zero: stay in logarithms.")
    oracle = torch.distributions.Categorical(logits=logits.double()).log_prob(indices)
    check_close(log_prob, oracle.sum(dim=1), "large logits need care: use the log-softmax.")

@test_case(points=None, hidden=True,
    failure_message="The gradient with respect to the logits is one-hot minus softmax.")
def test_independent_log_prob_has_a_gradient(independent_log_prob):
    """The gradient with respect to the logits is one-hot minus softmax."""
    assert independent_log_prob is not None, "independent_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    logits = torch.randn(5, 3, 4, generator=generator).requires_grad_()
    indices = torch.randint(0, 4, (5, 3), generator=generator)
    # Flatten and Unflatten return what they get, as a module that can cross the grader's wall.
    policy = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Unflatten(1, (3, 4)))
    log_prob = independent_log_prob(policy, logits, indices)
    check_answered(log_prob, "independent_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches the policy: do not detach its logits."
    )
    log_prob.sum().backward()
    expected = torch.nn.functional.one_hot(indices, 4) - logits.detach().softmax(dim=2)
    check_close(logits.grad, expected, "the gradient with respect to the logits is off.")
