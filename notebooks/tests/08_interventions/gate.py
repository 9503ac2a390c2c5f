from otter.test_files import test_case

OK_FORMAT = False

name = "gate"
points = [1, 1]

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
