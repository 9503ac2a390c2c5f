from otter.test_files import test_case

OK_FORMAT = False

name = "RecedingHorizon"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Chunks of four, three played: of every chunk come the actions 0, 1 and 2.")
def test_RecedingHorizon_plays_three_and_asks_again(RecedingHorizon):
    """Chunks of four, three played: of every chunk come the actions 0, 1 and 2."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Teller:
        """Its actions tell who asked, at which step, and which action of the chunk they are."""

        prediction_horizon = 4

        def sample(self, observations, generator):
            number = torch.arange(4.0).repeat(len(observations), 1)
            return torch.stack([*observations[:, :, None].expand(-1, -1, 4).unbind(1), number], 2)

    actor = RecedingHorizon(Teller(), 3)
    actor.reset(torch.tensor([True, True]))
    for step in range(8):
        observations = torch.tensor([[10.0, step], [20.0, step]])
        action = actor.act(observations, torch.Generator().manual_seed(step))
        check_answered(action, "act")
        seen, number = step - step % 3, step % 3
        expected = [[10.0, seen, number], [20.0, seen, number]]
        check_close(
            action, expected, f"step {step} plays action {number} of the chunk of step {seen}."
        )

@test_case(points=None, hidden=False,
    failure_message="With an execution horizon of one, every action is the first one of a new chunk.")
def test_RecedingHorizon_of_one_is_the_policy(RecedingHorizon):
    """With an execution horizon of one, every action is the first one of a new chunk."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Line:
        """Goes on from what it sees."""

        prediction_horizon = 3

        def sample(self, observations, generator):
            return observations[:, None, :] + torch.arange(3.0)[:, None]

    actor = RecedingHorizon(Line(), 1)
    actor.reset(torch.tensor([True, True, True]))
    for step in range(4):
        observations = torch.tensor([[1.0, 2.0], [3.0, 5.0], [8.0, 13.0]]) ** (step + 1)
        action = actor.act(observations, torch.Generator().manual_seed(step))
        check_answered(action, "act")
        check_close(action, observations, "look at every step, and play the chunk's first action.")
