from otter.test_files import test_case

OK_FORMAT = False

name = "RecedingHorizon"
points = [1, 1, 1, 1]

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

@test_case(points=None, hidden=False,
    failure_message="The second of two episodes starts anew at step 2, and the first one plays on.")
def test_RecedingHorizon_starts_one_of_two_anew(RecedingHorizon):
    """The second of two episodes starts anew at step 2, and the first one plays on."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Teller:
        """Its actions tell at which step they were predicted, and which of the chunk they are."""

        prediction_horizon = 4

        def sample(self, observations, generator):
            number = torch.arange(4.0).expand(len(observations), 4)
            return torch.stack([observations.expand(-1, 4), number], dim=2)

    actor = RecedingHorizon(Teller(), 3)
    actor.reset(torch.tensor([True, True]))
    first = [(0, 0), (0, 1), (0, 2), (3, 0), (3, 1), (3, 2), (6, 0)]
    second = [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2), (5, 0), (5, 1)]
    for step, expected in enumerate(zip(first, second, strict=True)):
        if step == 2:
            actor.reset(torch.tensor([False, True]))
        observations = torch.full((2, 1), float(step))
        action = actor.act(observations, torch.Generator().manual_seed(step))
        check_answered(action, "act")
        hint = f"at step {step}: `reset` starts those of the mask anew, and the others play on."
        check_close(action, expected, hint)

@test_case(points=None, hidden=False,
    failure_message="With an execution horizon of two, the policy is asked at every second step.")
def test_RecedingHorizon_lets_the_policy_rest(RecedingHorizon):
    """With an execution horizon of two, the policy is asked at every second step."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Sleeper:
        """Wants to be left alone where it sees a negative number."""

        prediction_horizon = 3

        def sample(self, observations, generator):
            assert (observations > 0).all(), (
                "the policy was asked at a step at which no episode needs a chunk."
            )
            return observations[:, None, :] + torch.arange(3.0)[:, None]

    actor = RecedingHorizon(Sleeper(), 2)
    actor.reset(torch.tensor([True, True]))
    for seen, expected in [(10.0, 10.0), (-1.0, 11.0), (20.0, 20.0), (-1.0, 21.0)]:
        action = actor.act(torch.full((2, 1), seen), torch.Generator().manual_seed(0))
        check_answered(action, "act")
        hint = "between two looks, play what is left of the chunk."
        check_close(action, [[expected], [expected]], hint)
