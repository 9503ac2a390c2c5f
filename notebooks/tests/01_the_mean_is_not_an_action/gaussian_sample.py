from otter.test_files import test_case

OK_FORMAT = False

name = "gaussian_sample"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="The same seed gives the same sample, another seed another one.")
def test_gaussian_sample_follows_its_seed(gaussian_sample):
    """The same seed gives the same sample, another seed another one."""
    assert gaussian_sample is not None, "gaussian_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    mean, log_std = torch.full((5, 2), 100.0), torch.zeros(5, 2)
    first, again, other = (
        gaussian_sample(mean, log_std, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    check_answered(first, "gaussian_sample")
    check_shape(first, (5, 2), "one sample for every row, of the same shape as the mean.")
    away = (torch.as_tensor(first) - 100).abs().max()
    assert away < 20, "with mean 100 and \u03c3 = 1, samples should lie around 100."
    check_close(
        again, first.tolist(), "the same seed gave another sample: pass `generator` to torch.randn."
    )
    different = (torch.as_tensor(other) - torch.as_tensor(first)).abs().max() > 1e-3
    assert different, (
        "two seeds gave the same sample: draw noise from the generator, and do not seed it yourself."
    )
