from otter.test_files import test_case

OK_FORMAT = False

name = "categorical_log_density"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Two bins of width 4, with probabilities 1/4 and 3/4, have densities 1/16 and 3/16.")
def test_categorical_log_density_of_known_odds(categorical_log_density):
    """Two bins of width 4, with probabilities 1/4 and 3/4, have densities 1/16 and 3/16."""
    assert categorical_log_density is not None, "categorical_log_density is not defined yet: run the cell with your answer."
    import math

    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    logits = torch.tensor([0.0, math.log(3)]).repeat(3, 1)
    log_density = categorical_log_density(logits, torch.tensor([3.0, 5.0, 9.0]), 2.0, 10.0)
    check_answered(log_density, "categorical_log_density")
    check_shape(log_density, (3,), "one number for each row.")
    expected = [math.log(1 / 16), math.log(1 / 16), math.log(3 / 16)]
    check_close(log_density, expected, "density is probability divided by width.")
