from otter.test_files import test_case

OK_FORMAT = False

name = "paired_bootstrap"
points = [1, 2]

@test_case(points=None, hidden=False,
    failure_message="From every start the first policy reaches a quarter more: there is nothing to doubt.")
def test_paired_bootstrap_where_one_is_always_better(paired_bootstrap):
    """From every start the first policy reaches a quarter more: there is nothing to doubt."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    second = torch.tensor([0.0, 0.25, 0.5, 0.75, 0.0, 0.5])
    interval = paired_bootstrap(second + 0.25, second, 100, torch.Generator().manual_seed(1))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    hint = "starts differ much, their differences do not: draw the same starts for both policies."
    check_close(torch.tensor([float(bound) for bound in interval]), [0.25, 0.25], hint)

@test_case(points=None, hidden=False,
    failure_message="Seven ties and one win: the win is drawn 0 to 3 times of 8 in all but a few resamples.")
def test_paired_bootstrap_of_eight_starts(paired_bootstrap):
    """Seven ties and one win: the win is drawn 0 to 3 times of 8 in all but a few resamples."""
    assert paired_bootstrap is not None, "paired_bootstrap is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    first = torch.tensor([0.5, 0.0, 1.0, 0.25, 1.0, 0.0, 0.5, 0.75])
    second = torch.tensor([0.5, 0.0, 0.0, 0.25, 1.0, 0.0, 0.5, 0.75])
    interval = paired_bootstrap(first, second, 4000, torch.Generator().manual_seed(2))
    check_answered(interval, "paired_bootstrap")
    assert len(interval) == 2, "return the pair (low, high)."
    hint = "resample with replacement, take means, and leave 2.5 % out on either side."
    check_close(torch.tensor([float(bound) for bound in interval]), [0.0, 0.375], hint)
