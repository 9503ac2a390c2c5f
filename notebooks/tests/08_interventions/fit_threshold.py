from otter.test_files import test_case

OK_FORMAT = False

name = "fit_threshold"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Of eight scores, a quarter may lie above the threshold: two.")
def test_fit_threshold_of_eight_scores(fit_threshold):
    """Of eight scores, a quarter may lie above the threshold: two."""
    assert fit_threshold is not None, "fit_threshold is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    scores = torch.tensor([0.7, 0.2, 0.9, 0.4, 0.1, 0.6, 0.3, 0.5])
    for budget, expected in [(0.25, 0.6), (0.3, 0.6), (0.0, 0.9), (1.0, 0.1)]:
        threshold = fit_threshold(scores, budget)
        check_answered(threshold, "fit_threshold")
        hint = f"with budget {budget}, at most {int(8 * budget)} of 8 may lie above, and no fewer need to."
        check_close(threshold, expected, hint)

@test_case(points=None, hidden=False,
    failure_message="Equal scores lie above a threshold together, or not at all.")
def test_fit_threshold_of_equal_scores(fit_threshold):
    """Equal scores lie above a threshold together, or not at all."""
    assert fit_threshold is not None, "fit_threshold is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    threshold = fit_threshold(torch.tensor([3.0, 1.0, 3.0, 2.0, 3.0]), 0.5)
    check_answered(threshold, "fit_threshold")
    check_close(threshold, 3.0, "above 2 there would be three of five: more than half.")
