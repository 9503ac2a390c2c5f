from otter.test_files import test_case

OK_FORMAT = False

name = "fit_threshold"
points = [1, 1, 3, 2, 1]

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

@test_case(points=None, hidden=True,
    failure_message="With and without ties, no more lie above than the budget allows, and no smaller score will do.")
def test_fit_threshold_is_the_smallest_that_keeps_to_the_budget(fit_threshold):
    """With and without ties, no more lie above than the budget allows, and no smaller score will do."""
    assert fit_threshold is not None, "fit_threshold is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for number, levels in [(60, 0), (37, 5), (200, 0), (100, 9), (3, 0), (1, 0)]:
        scores = 4 * torch.randn(number, generator=generator) - 3
        if levels:
            scores = (scores * levels / 8).round()
        for allowed in {0, number // 10, number // 3, number // 2, number - 1, number}:
            # Half a score to spare, so that rounding decides nothing.
            budget = min((allowed + 0.5) / number, 1.0)
            threshold = fit_threshold(scores.clone(), budget)
            check_answered(threshold, "fit_threshold")
            check_shape(threshold, (), "return one number.")
            candidates = sorted(scores.tolist())
            fits = [c for c in candidates if sum(s > c for s in candidates) <= allowed]
            hint = (
                f"of {number} scores, at most {allowed} may lie strictly above it, and it is the smallest "
                "such score."
            )
            check_close(threshold, min(fits), hint)

@test_case(points=None, hidden=True,
    failure_message="Where a share of the scores is exactly the budget, that many may lie above.")
def test_fit_threshold_uses_its_budget_up(fit_threshold):
    """Where a share of the scores is exactly the budget, that many may lie above."""
    assert fit_threshold is not None, "fit_threshold is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    generator = fresh_generator()
    # Powers of two: these shares are exact numbers.
    for number, allowed in [(64, 16), (32, 1), (16, 8), (128, 0), (8, 8), (4, 3)]:
        scores = torch.randperm(number, generator=generator) * 0.25
        threshold = fit_threshold(scores, allowed / number)
        check_answered(threshold, "fit_threshold")
        expected = 0.25 * max(number - 1 - allowed, 0)
        hint = f"exactly {allowed} of {number} scores may lie strictly above it."
        check_close(threshold, expected, hint)

@test_case(points=None, hidden=True,
    failure_message="Whatever the budget, it is a score that was seen, also where scores lie far apart.")
def test_fit_threshold_is_one_of_the_scores(fit_threshold):
    """Whatever the budget, it is a score that was seen, also where scores lie far apart."""
    assert fit_threshold is not None, "fit_threshold is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    generator = fresh_generator()
    scores = torch.randn(23, generator=generator).exp() * 10.0 ** torch.arange(-3, 20).remainder(6)
    given = scores.clone()
    for budget in (0.0, 0.03, 0.11, 0.37, 0.5, 0.71, 0.99, 1.0):
        threshold = fit_threshold(scores, budget)
        check_answered(threshold, "fit_threshold")
        nearest = (given - float(threshold)).abs() / given
        assert float(nearest.min()) < 1e-5, (
            "the threshold is none of the scores: do not interpolate."
        )
        share = float((given > given[nearest.argmin()]).double().mean())
        assert share <= budget, (
            f"{100 * share:.0f} % lie above it, with a budget of {100 * budget:.0f} %."
        )
        assert torch.equal(scores, given), "the scores were changed in place: make a new tensor."
