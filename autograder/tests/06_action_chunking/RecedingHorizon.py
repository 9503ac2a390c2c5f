from otter.test_files import test_case

OK_FORMAT = False

name = "RecedingHorizon"
points = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="For all horizons and sizes of batches, the first actions of every chunk are played in order.")
def test_RecedingHorizon_plays_as_many_as_it_is_told(RecedingHorizon):
    """For all horizons and sizes of batches, the first actions of every chunk are played in order."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Weaver:
        """Makes every number of a chunk from all that it sees, and from its place in the chunk."""

        def __init__(self, prediction_horizon, mixing):
            self.prediction_horizon, self.mixing = prediction_horizon, mixing

        def sample(self, observations, generator):
            assert observations.dim() == 2, (
                f"the policy was given observations of shape {tuple(observations.shape)}: "
                "it takes (batch, observation_dim)."
            )
            places = torch.arange(1.0, self.prediction_horizon + 1)
            return (observations @ self.mixing)[:, None, :] * places[:, None] + places[:, None] ** 2

    generator = fresh_generator()
    for batch, prediction, execution in [(4, 5, 2), (1, 6, 6), (3, 3, 3), (7, 8, 1), (2, 7, 4)]:
        policy = Weaver(prediction, torch.randn(5, 3, generator=generator))
        actor = RecedingHorizon(policy, execution)
        actor.reset(torch.ones(batch, dtype=torch.bool))
        for step in range(2 * execution + 3):
            observations = torch.randn(batch, 5, generator=generator)
            if step % execution == 0:
                chunks = policy.sample(observations, generator)
            action = actor.act(observations.clone(), generator)
            check_answered(action, "act")
            check_shape(action, (batch, 3), "one action for every episode.")
            check_close(
                action,
                chunks[:, step % execution],
                f"with execution horizon {execution}, step {step} plays action {step % execution} of "
                f"the chunk that was predicted at step {step - step % execution}.",
            )

@test_case(points=None, hidden=True,
    failure_message="An episode that starts anew gets a new chunk at once, and the others play theirs on.")
def test_RecedingHorizon_keeps_a_clock_for_every_episode(RecedingHorizon):
    """An episode that starts anew gets a new chunk at once, and the others play theirs on."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape, fresh_generator

    class Teller:
        """Its actions tell who asked, at which step, and which action of the chunk they are."""

        def __init__(self, prediction_horizon):
            self.prediction_horizon = prediction_horizon

        def sample(self, observations, generator):
            count, length = len(observations), self.prediction_horizon
            told = observations[:, None, :].expand(count, length, -1)
            number = torch.arange(float(length))[None, :, None].expand(count, length, 1)
            return torch.cat([told, number], dim=2)

    generator = fresh_generator()
    for batch, prediction, execution in [(5, 6, 4), (3, 4, 3), (6, 9, 5), (2, 2, 2)]:
        actor, clock = RecedingHorizon(Teller(prediction), execution), [0] * batch
        names = 7 * torch.randn(batch, generator=generator)
        seen = [0] * batch
        for step in range(25):
            starts = torch.rand(batch, generator=generator) < 0.2
            starts = starts | (step == 0)
            # No more than some: that all start together is another test's.
            starts[int(torch.randint(batch, (), generator=generator))] &= step == 0
            # Now and then nobody starts, and the mask says so.
            if step % 3 == 0 or starts.any():
                actor.reset(starts.clone())
            clock = [0 if new else time for new, time in zip(starts.tolist(), clock, strict=True)]
            observations = torch.stack([names, torch.full((batch,), float(step))], dim=1)
            action = actor.act(observations, generator)
            check_answered(action, "act")
            check_shape(action, (batch, 3), "one action for every episode.")
            for episode, (name, born, number) in enumerate(torch.as_tensor(action).tolist()):
                if clock[episode] % execution == 0:
                    seen[episode] = step
                assert abs(name - float(names[episode])) < 1e-4, (
                    "an episode played what was planned for another: each row plays its own chunk."
                )
                given = (round(born), round(number))
                expected = (seen[episode], clock[episode] % execution)
                assert given == expected, (
                    f"execution horizon {execution}, {clock[episode]} steps after an episode's start: it "
                    f"played action {given[1]} of the chunk of {step - given[0]} steps ago, expected "
                    f"action {expected[1]} of the chunk of {step - expected[0]} steps ago."
                )
            clock = [time + 1 for time in clock]

@test_case(points=None, hidden=True,
    failure_message="At steps at which no episode needs a chunk, the policy rests.")
def test_RecedingHorizon_asks_only_when_somebody_needs_a_chunk(RecedingHorizon):
    """At steps at which no episode needs a chunk, the policy rests."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Sleeper:
        """Wants to be left alone where the observation says so."""

        prediction_horizon = 6

        def sample(self, observations, generator):
            assert (observations[:, 0] > 0).all(), (
                "the policy was asked at a step at which no episode needs a chunk: ask only when one does."
            )
            return observations[:, None, 1:].repeat(1, 6, 1)

    generator = fresh_generator()
    for execution, second_start in [(3, 1), (4, 2), (5, 3), (6, 0)]:
        actor = RecedingHorizon(Sleeper(), execution)
        actor.reset(torch.tensor([True, True, True]))
        starts = torch.tensor([0, second_start, second_start])
        expected = torch.zeros(3, 2)
        for step in range(3 * execution):
            if second_start and step == second_start:
                actor.reset(torch.tensor([False, True, True]))
            began = torch.where(starts <= step, starts, 0)
            needs = (step - began) % execution == 0
            shown = torch.randn(3, 2, generator=generator)
            flag = torch.full((3, 1), 1.0 if needs.any() else -1.0)
            action = actor.act(torch.cat([flag, shown], dim=1), generator)
            check_answered(action, "act")
            expected = torch.where(needs[:, None], shown, expected)
            check_close(
                action, expected, "play on the chunk of the last time that it was asked for."
            )

@test_case(points=None, hidden=True,
    failure_message="The generator decides what a policy draws: equal seeds repeat it, and every chunk is drawn anew.")
def test_RecedingHorizon_draws_from_the_generator(RecedingHorizon):
    """The generator decides what a policy draws: equal seeds repeat it, and every chunk is drawn anew."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Dice:
        """Its chunks are noise."""

        prediction_horizon = 4

        def sample(self, observations, generator):
            assert isinstance(generator, torch.Generator), "give the policy the generator of `act`."
            return torch.randn(len(observations), 4, 2, generator=generator)

    seed = fresh_generator().initial_seed() % 2**62

    def drive(seed):
        actor, source = RecedingHorizon(Dice(), 2), torch.Generator().manual_seed(seed)
        actor.reset(torch.ones(3, dtype=torch.bool))
        actions = []
        for _ in range(6):
            action = actor.act(torch.zeros(3, 1), source)
            check_answered(action, "act")
            check_shape(action, (3, 2), "one action for every episode.")
            actions.append(torch.as_tensor(action).clone())
        return torch.stack(actions)

    first, again, other = drive(seed), drive(seed), drive(seed + 1)
    check_close(again, first, "the same seed led to other actions: draw from the generator given.")
    assert torch.isclose(first, other).float().mean() < 0.5, (
        "another seed led to the same actions: give the policy the generator of `act`."
    )
    # 36 normal numbers. By chance, hardly two of them are ever the same.
    assert len(first.unique()) > 30, (
        "actions repeat: every chunk of every episode is drawn anew, and each of its actions is played once."
    )

    def second_chunk(first_seed, second_seed):
        actor = RecedingHorizon(Dice(), 2)
        actor.reset(torch.ones(3, dtype=torch.bool))
        for each in (first_seed, second_seed):
            source = torch.Generator().manual_seed(each)
            actions = [torch.as_tensor(actor.act(torch.zeros(3, 1), source)) for _ in range(2)]
        return torch.stack([action.clone() for action in actions])

    check_close(
        second_chunk(seed + 2, seed + 3),
        second_chunk(seed + 4, seed + 3),
        "draw a chunk from the generator of the call that needs it, not from an earlier one.",
    )

@test_case(points=None, hidden=True,
    failure_message="When all episodes start anew, old plans are gone, and there may be more of them, or fewer.")
def test_RecedingHorizon_starts_another_batch(RecedingHorizon):
    """When all episodes start anew, old plans are gone, and there may be more of them, or fewer."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Echo:
        """Its actions are what it saw."""

        prediction_horizon = 5

        def sample(self, observations, generator):
            return observations[:, None, :].repeat(1, 5, 1)

    generator = fresh_generator()
    actor = RecedingHorizon(Echo(), 4)
    for batch, steps in [(4, 6), (4, 3), (7, 2), (1, 5), (3, 9)]:
        actor.reset(torch.ones(batch, dtype=torch.bool))
        for step in range(steps):
            observations = torch.randn(batch, 2, generator=generator)
            if step % 4 == 0:
                expected = observations
            action = actor.act(observations.clone(), generator)
            check_answered(action, "act")
            check_shape(action, (batch, 2), "the mask of the last reset says how many there are.")
            check_close(action, expected, "after a reset of all, all get a new chunk.")

@test_case(points=None, hidden=True,
    failure_message="Two controllers that drive in turn do not disturb each other.")
def test_RecedingHorizon_objects_do_not_share_anything(RecedingHorizon):
    """Two controllers that drive in turn do not disturb each other."""
    assert RecedingHorizon is not None, "RecedingHorizon is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Line:
        """Goes on from what it sees, in steps of its own length."""

        def __init__(self, prediction_horizon, length):
            self.prediction_horizon, self.length = prediction_horizon, length

        def sample(self, observations, generator):
            way = self.length * torch.arange(float(self.prediction_horizon))
            return observations[:, None, :] + way[:, None]

    generator = fresh_generator()
    actors = [RecedingHorizon(Line(4, 10.0), 3), RecedingHorizon(Line(6, 1000.0), 2)]
    for actor in actors:
        actor.reset(torch.tensor([True, True]))
    begun = [torch.zeros(2, 3), torch.zeros(2, 3)]
    for step in range(7):
        for which, (execution, length) in enumerate([(3, 10.0), (2, 1000.0)]):
            observations = torch.randn(2, 3, generator=generator)
            if step % execution == 0:
                begun[which] = observations
            action = actors[which].act(observations.clone(), generator)
            check_answered(action, "act")
            expected = begun[which] + length * (step % execution)
            check_close(
                action, expected, "keep plans and clocks in the object: in `self`.", atol=1e-3
            )
