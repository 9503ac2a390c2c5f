from otter.test_files import test_case

OK_FORMAT = False

name = "masked_logits"
points = [1, 2, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="With two numbers, the second's logits gain the table's row that the first number names.")
def test_masked_logits_of_a_known_pair(masked_logits):
    """With two numbers, the second's logits gain the table's row that the first number names."""
    assert masked_logits is not None, "masked_logits is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    base = torch.tensor([[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]] * 2)
    tables = torch.arange(36.0).reshape(2, 2, 3, 3)
    mask = torch.tensor([[False, False], [True, False]])
    before = base.clone()
    logits = masked_logits(base, tables, torch.tensor([[0, 1], [2, 1]]), mask)
    check_answered(logits, "masked_logits")
    check_shape(logits, (2, 2, 3), "one row of logits for every number of every action.")
    check_close(base, before, "base was changed: add to a copy of it.")
    check_close(logits[:, 0], base[:, 0], "the first number sees nothing: its logits are the base.")
    check_close(
        logits[:, 1],
        [[28.0, 39.0, 50.0], [34.0, 45.0, 56.0]],
        "the second number sees the first: add the row of tables[1, 0] that the first number's bin names.",
    )

@test_case(points=None, hidden=True,
    failure_message="The logits equal the formula, written out as loops, for any sizes and any mask.")
def test_masked_logits_equals_the_sum_written_out(masked_logits):
    """The logits equal the formula, written out as loops, for any sizes and any mask."""
    assert masked_logits is not None, "masked_logits is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    for batch, action_dim, num_bins in [(5, 3, 4), (1, 4, 2), (6, 1, 3), (3, 5, 7)]:
        base = torch.randn(batch, action_dim, num_bins, generator=generator)
        tables = torch.randn(*[action_dim] * 2, *[num_bins] * 2, generator=generator)
        indices = torch.randint(0, num_bins, (batch, action_dim), generator=generator)
        mask = torch.rand(action_dim, action_dim, generator=generator) < 0.5
        before = base.clone()
        logits = masked_logits(base, tables, indices, mask)
        check_answered(logits, "masked_logits")
        expected = before.tolist()
        for row, bins in zip(expected, indices.tolist(), strict=True):
            for i, j in mask.nonzero().tolist():
                gains = tables[i, j, bins[j]].tolist()
                row[i] = [logit + gain for logit, gain in zip(row[i], gains, strict=True)]
        check_close(
            logits, expected, "add tables[i, j, bin of j] wherever the mask is true.", atol=1e-4
        )
        check_close(base, before, "base was changed: add to a copy of it.")

@test_case(points=None, hidden=True,
    failure_message="With a causal mask, a change of later numbers leaves earlier logits as they were.")
def test_masked_logits_never_looks_ahead(masked_logits):
    """With a causal mask, a change of later numbers leaves earlier logits as they were."""
    assert masked_logits is not None, "masked_logits is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    base = torch.randn(6, 4, 5, generator=generator)
    tables = torch.randn(4, 4, 5, 5, generator=generator)
    mask = torch.ones(4, 4).tril(-1).bool()
    indices = torch.randint(0, 5, (6, 4), generator=generator)
    full = masked_logits(base, tables, indices, mask)
    check_answered(full, "masked_logits")
    check_close(
        torch.as_tensor(full)[:, 0],
        base[:, 0],
        "the first number sees nothing: its logits are the base.",
    )
    for d in range(4):
        known = indices.clone()
        known[:, d:] = torch.randint(0, 5, (6, 4 - d), generator=generator)
        logits = masked_logits(base, tables, known, mask)
        check_close(
            torch.as_tensor(logits)[:, : d + 1],
            torch.as_tensor(full)[:, : d + 1],
            f"the logits up to number {d} changed with numbers that they must not see.",
        )
    # And what may be seen is seen: another first bin changes all later logits.
    moved = indices.clone()
    moved[:, 0] = (moved[:, 0] + 1) % 5
    change = (torch.as_tensor(masked_logits(base, tables, moved, mask)) - full).abs().amax(dim=2)
    assert (change[:, 1:] > 1e-6).all(), "the first number must count in all later logits."

@test_case(points=None, hidden=True,
    failure_message="One pass gives the conditionals of one joint distribution: over all actions it adds up to one.")
def test_masked_logits_makes_a_distribution_of_actions(masked_logits):
    """One pass gives the conditionals of one joint distribution: over all actions it adds up to one."""
    assert masked_logits is not None, "masked_logits is not defined yet: run the cell with your answer."
    import itertools

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    actions = torch.tensor(list(itertools.product(range(4), repeat=3)))
    base = 2 * torch.randn(1, 3, 4, generator=generator).repeat(len(actions), 1, 1)
    tables = 2 * torch.randn(3, 3, 4, 4, generator=generator)
    logits = masked_logits(base, tables, actions, torch.ones(3, 3).tril(-1).bool())
    check_answered(logits, "masked_logits")
    check_shape(logits, (64, 3, 4), "one row of logits for every number of every action.")
    log_probs = torch.as_tensor(logits).detach().double().log_softmax(dim=2)
    chosen = log_probs.gather(2, actions[:, :, None]).sum(dim=(1, 2))
    check_close(
        chosen.exp().sum(), 1.0, "some number looks at itself or ahead: follow the mask.", rtol=1e-3
    )

@test_case(points=None, hidden=True,
    failure_message="The gradient reaches base, and of the tables just what the mask lets through.")
def test_masked_logits_teaches_the_tables(masked_logits):
    """The gradient reaches base, and of the tables just what the mask lets through."""
    assert masked_logits is not None, "masked_logits is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    base = torch.randn(6, 3, 4, generator=generator).requires_grad_()
    tables = torch.randn(3, 3, 4, 4, generator=generator).requires_grad_()
    indices = torch.randint(0, 4, (6, 3), generator=generator)
    mask = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0]]).bool()
    weight = torch.randn(6, 3, 4, generator=generator)
    logits = masked_logits(base, tables, indices, mask)
    check_answered(logits, "masked_logits")
    assert getattr(logits, "requires_grad", False), "no gradient flows: do not detach."
    (logits * weight).sum().backward()
    check_close(base.grad, weight, "the gradient with respect to base is off.")
    expected = torch.zeros(3, 3, 4, 4)
    for i, j in mask.nonzero().tolist():
        for row in range(6):
            expected[i, j, indices[row, j]] += weight[row, i]
    check_close(tables.grad, expected, "the gradient with respect to the tables is off.")
