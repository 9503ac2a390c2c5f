from otter.test_files import test_case

OK_FORMAT = False

name = "rtc_sample"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="The first `delay` actions are the old plan's, and the chunk has its whole length.")
def test_rtc_sample_keeps_what_is_taken(rtc_sample):
    """The first `delay` actions are the old plan's, and the chunk has its whole length."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    noise = torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))
    plan = torch.arange(36.0).view(3, 6, 2) / 7
    for delay in (0, 1, 3):
        chunks = rtc_sample(lambda points, times: 0.5 * points, noise, plan, delay, 2)
        check_answered(chunks, "rtc_sample")
        check_shape(chunks, (3, 6, 2), "return whole chunks.")
        hint = "copy the first `delay` actions from the old plan."
        check_close(torch.as_tensor(chunks)[:, :delay], plan[:, :delay], hint, rtol=0, atol=0)

@test_case(points=None, hidden=False,
    failure_message="Where nothing is tied to the old plan, the chunks end where the field leads.")
def test_rtc_sample_follows_the_field(rtc_sample):
    """Where nothing is tied to the old plan, the chunks end where the field leads."""
    assert rtc_sample is not None, "rtc_sample is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    goal = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0], [2.0, 2.0]])

    def velocity(points, times):
        return (goal - points) / (1 - torch.as_tensor(times)).view(-1, 1, 1)

    noise, plan = torch.zeros(2, 4, 2), torch.full((2, 4, 2), 9.0)
    for num_steps in (1, 2, 10):
        # Without delay, and with a whole chunk between two looks, all weights are zero.
        chunks = rtc_sample(velocity, noise, plan, 0, 4, num_steps)
        check_answered(chunks, "rtc_sample")
        hint = (
            "take num_steps steps of equal length from time 0 to time 1. If a check of `rtc_guided_step` "
            "fails, look there first."
        )
        check_close(chunks, goal.expand(2, 4, 2), hint, rtol=1e-3)
