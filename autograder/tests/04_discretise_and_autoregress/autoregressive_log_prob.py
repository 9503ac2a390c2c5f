from otter.test_files import test_case

OK_FORMAT = False

name = "autoregressive_log_prob"
points = [1, 2, 1, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="The first number is 0 or 1 with odds 1 : 3; the second's odds depend on it.")
def test_autoregressive_log_prob_of_a_known_table(autoregressive_log_prob):
    """The first number is 0 or 1 with odds 1 : 3; the second's odds depend on it."""
    assert autoregressive_log_prob is not None, "autoregressive_log_prob is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    def policy(observations, prefix):
        assert prefix.shape in {(len(observations), 0), (len(observations), 1)}, (
            f"the prefix has shape {tuple(prefix.shape)}: it holds the numbers before the one asked "
            "for, (batch, 0) for the first and (batch, 1) for the second."
        )
        if prefix.shape[1] == 0:
            return torch.tensor([[1.0, 3.0]]).log().repeat(len(observations), 1)
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        return torch.tensor([[1.0, 1.0], [1.0, 4.0]]).log()[prefix[:, 0]]

    indices = torch.tensor([[0, 1], [1, 0], [1, 1]])
    log_prob = autoregressive_log_prob(policy, torch.zeros(3, 4), indices)
    check_answered(log_prob, "autoregressive_log_prob")
    check_shape(log_prob, (3,), "one log-probability for each action: add up over its numbers.")
    check_close(
        log_prob,
        [math.log(1 / 8), math.log(3 / 20), math.log(12 / 20)],
        "multiply the first number's probability by the second's given the first, in logarithms.",
    )

@test_case(points=None, hidden=True,
    failure_message="The log-probability is the joint table's, row by row, for any number of dimensions.")
def test_autoregressive_log_prob_is_the_joint(autoregressive_log_prob):
    """The log-probability is the joint table's, row by row, for any number of dimensions."""
    assert autoregressive_log_prob is not None, "autoregressive_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for num_bins, action_dim, batch in [(3, 2, 7), (2, 5, 9), (5, 3, 1), (6, 1, 4)]:
        shape = (2, *[num_bins] * action_dim)  # one joint table for each of two observations
        joint = torch.randn(shape, generator=generator).mul(1.5).exp()
        joint = joint / joint.flatten(1).sum(dim=1).reshape(2, *[1] * action_dim)

        def policy(observations, prefix, joint=joint):
            assert prefix.dim() == 2 and len(prefix) == len(observations), (
                f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d)."
            )
            assert prefix.shape[1] < joint.dim() - 1, "the prefix must not hold the whole action."
            table = joint[observations[:, 0].long()]
            for column in prefix.T:
                table = table[torch.arange(len(table)), column]
            # Odds of the next number, times something that differs from row to row.
            return table.flatten(1).unflatten(1, (table.shape[1], -1)).sum(2).log() + observations

        observations = torch.randint(0, 2, (batch, 1), generator=generator).float()
        indices = torch.randint(0, num_bins, (batch, action_dim), generator=generator)
        log_prob = autoregressive_log_prob(policy, observations, indices)
        check_answered(log_prob, "autoregressive_log_prob")
        cells = (observations[:, 0].long(), *indices.T)
        check_close(
            log_prob,
            joint.double().log()[cells],
            "sum the log-probabilities of each number given those before it.",
            rtol=1e-3,
            atol=1e-4,
        )

@test_case(points=None, hidden=True,
    failure_message="Over all possible actions the probabilities add up to one, for any policy.")
def test_autoregressive_log_prob_sums_to_one(autoregressive_log_prob):
    """Over all possible actions the probabilities add up to one, for any policy."""
    assert autoregressive_log_prob is not None, "autoregressive_log_prob is not defined yet: run the cell with your answer."
    import itertools

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for num_bins, action_dim in [(4, 3), (2, 6), (7, 2)]:
        weight = 2 * torch.randn(action_dim, action_dim, num_bins, generator=generator)

        def policy(observations, prefix, weight=weight):
            terms = (prefix + 1).float().sin()  # any function of the prefix will do
            return terms @ weight[prefix.shape[1], : prefix.shape[1]] + weight[prefix.shape[1], -1]

        actions = torch.tensor(list(itertools.product(range(num_bins), repeat=action_dim)))
        log_prob = autoregressive_log_prob(policy, torch.zeros(len(actions), 1), actions)
        check_answered(log_prob, "autoregressive_log_prob")
        check_shape(log_prob, (len(actions),), "one log-probability for each action.")
        check_close(
            torch.as_tensor(log_prob).detach().double().exp().sum(),
            1.0,
            "the probabilities of all actions do not add up to one: does a prefix hold the number asked for?",
            rtol=1e-3,
        )

@test_case(points=None, hidden=True,
    failure_message="Logits of \xb110\u2074 give finite log-probabilities.")
def test_autoregressive_log_prob_is_stable(autoregressive_log_prob):
    """Logits of \xb110\u2074 give finite log-probabilities."""
    assert autoregressive_log_prob is not None, "autoregressive_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_finite, fresh_generator

    generator = fresh_generator()
    logits = 2e4 * torch.rand(6, 3, 4, generator=generator) - 1e4
    indices = torch.randint(0, 4, (6, 3), generator=generator)
    log_prob = autoregressive_log_prob(
        lambda seen, prefix: seen[:, prefix.shape[1]], logits, indices
    )
    check_answered(log_prob, "autoregressive_log_prob")
    check_finite(log_prob, "a probability underflowed to zero: stay in logarithms.")
    oracle = torch.distributions.Categorical(logits=logits.double()).log_prob(indices)
    check_close(log_prob, oracle.sum(dim=1), "large logits need care: use the log-softmax.")

@test_case(points=None, hidden=True,
    failure_message="The gradient reaches every conditional, and has the right size.")
def test_autoregressive_log_prob_has_a_gradient(autoregressive_log_prob):
    """The gradient reaches every conditional, and has the right size."""
    assert autoregressive_log_prob is not None, "autoregressive_log_prob is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Tables(torch.nn.Module):
        def __init__(self, first, second):
            super().__init__()
            self.first, self.second = torch.nn.Parameter(first), torch.nn.Parameter(second)

        def forward(self, observations, prefix):
            if prefix.shape[1] == 0:
                return self.first.expand(len(observations), -1)
            return self.second[prefix[:, 0]]

    generator = fresh_generator()
    policy = Tables(torch.randn(4, generator=generator), torch.randn(4, 4, generator=generator))
    indices = torch.randint(0, 4, (9, 2), generator=generator)
    log_prob = autoregressive_log_prob(policy, torch.zeros(9, 1), indices)
    check_answered(log_prob, "autoregressive_log_prob")
    assert getattr(log_prob, "requires_grad", False), (
        "no gradient reaches the policy: do not detach its logits."
    )
    log_prob.sum().backward()
    counts = torch.zeros(4, 4)
    for first, second in indices.tolist():
        counts[first, second] += 1
    rows = counts.sum(dim=1, keepdim=True)
    first = counts.sum(dim=1) - 9 * policy.first.detach().softmax(dim=0)
    second = counts - rows * policy.second.detach().softmax(dim=1)
    hint = "the gradient with respect to the logits is off."
    assert policy.first.grad is not None and policy.second.grad is not None, (
        "no gradient reaches some of the conditionals: do not detach any of them."
    )
    check_close(policy.first.grad, first, hint)
    check_close(policy.second.grad, second, hint)
