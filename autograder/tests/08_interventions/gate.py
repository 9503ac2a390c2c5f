from otter.test_files import test_case

OK_FORMAT = False

name = "gate"
points = [1, 1, 3, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Scores from low to high, two of them exactly at a threshold, with the policy and with the expert driving.")
def test_gate_of_ten_moments(gate):
    """Scores from low to high, two of them exactly at a threshold, with the policy and with the expert driving."""
    assert gate is not None, "gate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype

    # The second score equals low, the fourth equals high.
    score = torch.tensor([0.1, 0.25, 0.4, 0.75, 0.9])
    policy_drives = torch.zeros(5, dtype=torch.bool)
    for engaged, expected in [
        (policy_drives, [False, False, False, False, True]),
        (~policy_drives, [False, True, True, True, True]),
    ]:
        driving = gate(score.clone(), engaged.clone(), 0.25, 0.75)
        check_answered(driving, "gate")
        check_dtype(driving, torch.bool, "return booleans.")
        hint = "from low to high, both included, whoever drives drives on."
        check_close(driving, torch.tensor(expected), hint)

@test_case(points=None, hidden=False,
    failure_message="A danger rises and falls: the expert comes late, above high, and leaves late, below low.")
def test_gate_over_a_rise_and_a_fall(gate):
    """A danger rises and falls: the expert comes late, above high, and leaves late, below low."""
    assert gate is not None, "gate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    driving, who = torch.tensor([False]), []
    for danger in (1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0):
        driving = gate(torch.tensor([danger]), driving, 1.5, 3.5)
        check_answered(driving, "gate")
        who.append(bool(driving[0]))
    expected = torch.tensor([False, False, False, True, True, True, False, False, False])
    check_close(torch.tensor(who), expected, "on the way up it is high that counts, then low.")

@test_case(points=None, hidden=True,
    failure_message="For all sizes of batches and all thresholds, every episode is decided by itself.")
def test_gate_decides_for_every_episode(gate):
    """For all sizes of batches and all thresholds, every episode is decided by itself."""
    assert gate is not None, "gate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

    generator = fresh_generator()
    for batch, middle, scale in [(400, 0.0, 1.0), (300, -50.0, 9.0), (200, 3.0, 0.01)]:
        score = middle + scale * torch.randn(batch, generator=generator)
        engaged = torch.rand(batch, generator=generator) < 0.5
        low, high = middle - 0.6 * scale, middle + 0.3 * scale
        driving = gate(score.clone(), engaged.clone(), low, high)
        check_answered(driving, "gate")
        check_dtype(driving, torch.bool, "return booleans.")
        expected = [
            True if s > high else False if s < low else e
            for s, e in zip(score.tolist(), engaged.tolist(), strict=True)
        ]
        hint = "above high: true; below low: false; in between: as it was."
        check_close(driving, torch.tensor(expected), hint)
        # Alone, an episode is decided as in company.
        for row in (0, batch // 2):
            alone = gate(score[row : row + 1].clone(), engaged[row : row + 1].clone(), low, high)
            check_close(alone, torch.tensor([expected[row]]), "episodes know nothing of others.")

@test_case(points=None, hidden=True,
    failure_message="A score at a threshold changes nothing, also where both thresholds are the same.")
def test_gate_at_the_thresholds(gate):
    """A score at a threshold changes nothing, also where both thresholds are the same."""
    assert gate is not None, "gate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    for low, high in [(0.25, 0.75), (0.5, 0.5), (-2.0, 0.0)]:
        for at in (low, high):
            engaged = torch.tensor([True, False, True, False, False])
            score = torch.full((5,), at)
            driving = gate(score, engaged.clone(), low, high)
            check_answered(driving, "gate")
            hint = "a score that equals a threshold is neither above high nor below low."
            check_close(driving, engaged, hint)

@test_case(points=None, hidden=True,
    failure_message="The score and the old decision are as they were.")
def test_gate_leaves_its_arguments_alone(gate):
    """The score and the old decision are as they were."""
    assert gate is not None, "gate is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    score = torch.randn(60, generator=generator)
    engaged = torch.rand(60, generator=generator) < 0.5
    given = score.clone(), engaged.clone()
    driving = gate(score, engaged, -0.5, 0.5)
    check_answered(driving, "gate")
    expected = torch.tensor(
        [s > 0.5 or (s >= -0.5 and e) for s, e in zip(*(g.tolist() for g in given), strict=True)]
    )
    check_close(driving, expected, "above high: true; below low: false; in between: as it was.")
    for now, before in zip((score, engaged), given, strict=True):
        check_close(now, before, "an argument was changed in place: make a new tensor.")
