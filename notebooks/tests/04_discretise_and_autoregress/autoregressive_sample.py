from otter.test_files import test_case

OK_FORMAT = False

name = "autoregressive_sample"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="A policy whose second number always repeats the first draws pairs of equal numbers.")
def test_autoregressive_sample_looks_at_what_it_drew(autoregressive_sample):
    """A policy whose second number always repeats the first draws pairs of equal numbers."""
    assert autoregressive_sample is not None, "autoregressive_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_dtype, check_shape

    def policy(observations, prefix):
        assert prefix.dim() == 2 and len(prefix) == len(observations), (
            f"the prefix has shape {tuple(prefix.shape)}: expected (batch, d), in the beginning (batch, 0)."
        )
        assert prefix.shape[1] < 2, (
            f"the prefix has shape {tuple(prefix.shape)}: it holds only what is drawn already, "
            "no number for the first and one for the second."
        )
        if prefix.shape[1] == 0:
            return torch.zeros(len(observations), 6)
        assert not prefix.is_floating_point(), "the prefix holds bins: its dtype must be long."
        return 1e3 * torch.nn.functional.one_hot(prefix[:, 0], 6).float()

    samples = autoregressive_sample(policy, torch.zeros(50, 3), 2, torch.Generator().manual_seed(0))
    check_answered(samples, "autoregressive_sample")
    check_shape(samples, (50, 2), "one bin for every number of every action.")
    check_dtype(samples, torch.long, "return bins.")
    assert (samples[:, 0] == samples[:, 1]).all(), (
        "the second number does not follow from the first: show the policy what you drew."
    )
    assert len(set(samples[:, 0].tolist())) > 1, (
        "all rows drew the same number: draw at random, and for each row anew."
    )
