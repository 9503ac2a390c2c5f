from otter.test_files import test_case

OK_FORMAT = False

name = "dagger"
points = [1, 1, 2, 2, 3, 1, 2]

@test_case(points=None, hidden=False,
    failure_message="Two episodes of three steps in each of two rounds: 6, 12 and 18 labels to learn from.")
def test_dagger_counts_its_labels(dagger):
    """Two episodes of three steps in each of two rounds: 6, 12 and 18 labels to learn from."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and time is up after three steps."""

        max_steps = 3

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    class Counting(int):
        """A policy that is the number of labels it was trained with, and does nothing."""

        def __call__(self, observations):
            return torch.zeros(len(observations), 1)

    def expert(seen):
        return 1 - seen

    found = dagger(Line(), expert, lambda dataset: Counting(len(dataset[0])), 2, 2, 0.0)
    check_answered(found, "dagger")
    policies, dataset = found
    assert list(policies) == [6, 12, 18], (
        f"the policies were trained with {list(policies)} labels: all that is there, in each round."
    )
    check_shape(dataset[0], (18, 1), "return the dataset of all rounds.")
    check_close(dataset[1], 1 - torch.as_tensor(dataset[0]), "all labels are the expert's.")

@test_case(points=None, hidden=False,
    failure_message="With no rounds there is one policy, trained on the expert's own drives.")
def test_dagger_of_no_round_is_cloning(dagger):
    """With no rounds there is one policy, trained on the expert's own drives."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and time is up after four steps."""

        max_steps = 4

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    found = dagger(
        Line(),
        lambda seen: torch.full_like(seen, 2.0),
        lambda data: float(data[0].sum()),
        0,
        1,
        0.5,
    )
    check_answered(found, "dagger")
    policies, dataset = found
    check_shape(dataset[1], (4, 1), "one episode of four steps.")
    check_close(dataset[0][:, 0].sort().values, [0.0, 2, 4, 6], "the expert drives first.")
    assert list(policies) == [12.0], "one policy, trained on what the expert saw."

@test_case(points=None, hidden=True,
    failure_message="In every round the policy of the round before drives, and the expert in the very first.")
def test_dagger_lets_the_newest_policy_drive(dagger):
    """In every round the policy of the round before drives, and the expert in the very first."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Diary:
        """A state remembers what was executed last."""

        max_steps = 4

        def initial_states(self, n, generator):
            return torch.cat([torch.rand(n, 1, generator=generator), torch.zeros(n, 2)], dim=1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 1e6

        succeeded = failed

    class Counting(int):
        """A policy that is the number of labels it was trained with, and does that number."""

        def __call__(self, observations):
            return torch.full((len(observations), 1), float(self))

    def expert(observations):
        return -1 - observations[:, :1] - observations[:, 1:2]

    for rounds, episodes in [(3, 5), (5, 2), (1, 7)]:
        found = dagger(
            Diary(),
            expert,
            lambda dataset: Counting(len(dataset[0])),
            rounds,
            episodes,
            0.0,
            fresh_generator(),
        )
        check_answered(found, "dagger")
        policies, dataset = found
        observations, labels = (torch.as_tensor(part) for part in dataset)
        size = 4 * episodes
        assert list(policies) == [size * (i + 1) for i in range(rounds + 1)], (
            f"the policies were trained with {list(policies)} labels of {size} a round: train with "
            "all that is there, after every round."
        )
        check_shape(observations, ((rounds + 1) * size, 3), "return the dataset of all rounds.")
        check_close(labels, expert(observations), "all labels are the expert's.")
        for number, own in enumerate(observations.split(size)):
            moving = own[own[:, 1] > 0]
            if number == 0:
                assert (moving[:, 2] < 0).all(), "in the beginning the expert drives."
            else:
                check_close(
                    moving[:, 2],
                    [float(size * number)] * len(moving),
                    f"in round {number} the policy drives that was trained right before it.",
                )

@test_case(points=None, hidden=True,
    failure_message="Every policy is trained on all rows so far, the old ones first, with the expert's labels.")
def test_dagger_trains_on_everything_in_order(dagger):
    """Every policy is trained on all rows so far, the old ones first, with the expert's labels."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Drift:
        """A state is a name and a place; the action moves the place."""

        max_steps = 3

        def initial_states(self, n, generator):
            return torch.rand(n, 2, generator=generator)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions], dim=1)

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    class Told(tuple):
        """A policy that is all it was told in training, and drives by its last number."""

        def __call__(self, observations):
            return torch.full((len(observations), 1), self[-1])

    def train(dataset):
        observations, labels = (part.double() for part in dataset)
        places = torch.arange(1.0, len(observations) + 1).double()
        numbers = (places @ observations[:, 1], places @ labels[:, 0], labels.mean())
        return Told(float(number) for number in numbers)

    def expert(observations):
        return (7 * observations[:, :1]).sin() - 0.5 * observations[:, 1:]

    found = dagger(Drift(), expert, train, 3, 4, 0.0, fresh_generator())
    check_answered(found, "dagger")
    policies, dataset = found
    observations, labels = (torch.as_tensor(part).double() for part in dataset)
    check_close(labels, expert(observations), "all labels are the expert's.")
    for number, policy in enumerate(policies):
        count = 12 * (number + 1)
        places = torch.arange(1.0, count + 1).double()
        expected = [
            float(places @ observations[:count, 1]),
            float(places @ labels[:count, 0]),
            float(labels[:count].mean()),
        ]
        check_close(
            torch.tensor(list(policy)),
            expected,
            f"policy {number} learns from the first {count} rows, in their order.",
            1e-3,
            1e-4,
        )

@test_case(points=None, hidden=True,
    failure_message="In round i the expert drives at a share beta to the i of the steps.")
def test_dagger_lets_the_expert_go(dagger):
    """In round i the expert drives at a share beta to the i of the steps."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    class Diary:
        """A state remembers what was executed last."""

        max_steps = 6

        def initial_states(self, n, generator):
            return torch.cat([torch.rand(n, 1, generator=generator), torch.zeros(n, 2)], dim=1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 1e6

        succeeded = failed

    class Idle(int):
        """A policy that does nothing."""

        def __call__(self, observations):
            return torch.zeros(len(observations), 1)

    def expert(observations):
        return torch.ones(len(observations), 1)

    for beta, rounds in [(0.7, 4), (0.9, 2), (1.0, 2), (0.0, 2)]:
        found = dagger(
            Diary(), expert, lambda dataset: Idle(0), rounds, 150, beta, fresh_generator()
        )
        check_answered(found, "dagger")
        observations = torch.as_tensor(found[1][0])
        assert len(observations) == (rounds + 1) * 900, "150 episodes in every round, all kept."
        for number, own in enumerate(observations.split(900)):
            share = float(own[own[:, 1] > 0, 2].mean())
            wanted = beta**number if number else 1.0
            # 750 coins: six standard deviations.
            assert abs(share - wanted) <= 6 * (wanted * (1 - wanted) / 750) ** 0.5 + 1e-6, (
                f"with beta = {beta} the expert drove at {share:.2f} of the steps of round {number}, "
                f"expected {wanted:.2f}."
            )

@test_case(points=None, hidden=True,
    failure_message="Every round has starts of its own: the generator goes on from round to round.")
def test_dagger_begins_every_round_elsewhere(dagger):
    """Every round has starts of its own: the generator goes on from round to round."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    class Still:
        """A state is a number that stays."""

        max_steps = 1

        def initial_states(self, n, generator):
            assert isinstance(generator, torch.Generator), (
                f"the task got {generator} for a generator: make one where there is none."
            )
            return torch.rand(n, 1, generator=generator, dtype=torch.float64)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return 1 * states

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    class Idle(int):
        """A policy that does nothing."""

        def __call__(self, observations):
            return torch.zeros_like(observations)

    for source in (fresh_generator(), None):
        found = dagger(Still(), lambda seen: 1 * seen, lambda data: Idle(0), 3, 5, 0.5, source)
        check_answered(found, "dagger")
        starts = torch.as_tensor(found[1][0])[:, 0]
        assert len(starts) == 20, "five episodes of one step, four times."
        assert len(starts.unique()) == 20, "some rounds began at the same starts."

@test_case(points=None, hidden=True,
    failure_message="One seed gives one dataset, another seed another one, and none works too.")
def test_dagger_draws_from_the_generator(dagger):
    """One seed gives one dataset, another seed another one, and none works too."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Walk:
        """A state remembers where it began, and what was executed."""

        max_steps = 8

        def initial_states(self, n, generator):
            return torch.rand(n, 2, generator=generator)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + torch.cat([torch.zeros(len(states), 1), actions], dim=1)

        def failed(self, states):
            return states[:, 0] > 2

        succeeded = failed

    class Steady(int):
        """A policy that goes on by a half."""

        def __call__(self, observations):
            return torch.full((len(observations), 1), 0.5)

    def train(dataset):
        return Steady(len(dataset[0]))

    def expert(observations):
        return 0.1 - observations[:, 1:]

    seed = fresh_generator().initial_seed()
    sources = [torch.Generator().manual_seed(number) for number in (seed, seed, seed // 2 + 1)]
    drawn, begun = [], []
    for source in (*sources, None):
        found = dagger(Walk(), expert, train, 2, 4, 0.5, source)
        check_answered(found, "dagger")
        assert list(found[0]) == [32, 64, 96], "train on all that is there, after every round."
        observations = torch.as_tensor(found[1][0]).double()
        drawn.append(observations[(observations @ torch.tensor([1.0, 1e-3]).double()).argsort()])
        begun.append([set(own[:, 0].tolist()) for own in observations.split(32)])
    check_close(drawn[1], drawn[0], "the same seed gave other rounds: draw from `generator`.")
    for number, (one, other) in enumerate(zip(begun[0], begun[2], strict=True)):
        assert len(one & other) < 2, f"round {number} has the same starts with another seed."
