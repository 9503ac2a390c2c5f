from otter.test_files import test_case

OK_FORMAT = False

name = "rollout_and_label"
points = [1, 1, 3, 2, 3, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="With beta = 0 the policy drives 0, 2, 4 to its end at 6, and the labels are the expert's.")
def test_rollout_and_label_by_the_policy(rollout_and_label):
    """With beta = 0 the policy drives 0, 2, 4 to its end at 6, and the labels are the expert's."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Stairs:
        """The state is a number, the action is added to it, and 5 is far enough."""

        max_steps = 9

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return states.repeat(1, 2)

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] < 0

        def succeeded(self, states):
            return states[:, 0] >= 5

    def policy(seen):
        return torch.full((len(seen), 1), 2.0)

    def expert(seen):
        return 10 + seen[:, :1]

    dataset = rollout_and_label(Stairs(), policy, expert, 1, 0.0, torch.Generator())
    check_answered(dataset, "rollout_and_label")
    observations, labels = dataset
    check_shape(observations, (3, 2), "three steps of two lead from 0 past 5.")
    check_close(observations[:, 0].sort().values, [0.0, 2, 4], "with beta = 0 the policy drives.")
    check_close(labels, 10 + observations[:, :1], "a label is what the expert says of this row.")

@test_case(points=None, hidden=False,
    failure_message="With beta = 1 the expert drives, and time is up after four steps.")
def test_rollout_and_label_by_the_expert(rollout_and_label):
    """With beta = 1 the expert drives, and time is up after four steps."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and nothing ends it but the time."""

        max_steps = 4

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        def succeeded(self, states):
            return states[:, 0] < -1e6

    dataset = rollout_and_label(
        Line(), lambda seen: seen - 7, lambda seen: 0 * seen + 3, 2, 1.0, torch.Generator()
    )
    check_answered(dataset, "rollout_and_label")
    observations, labels = dataset
    check_shape(labels, (8, 1), "two episodes of four steps each.")
    check_close(
        observations[:, 0].sort().values,
        [0.0, 0, 3, 3, 6, 6, 9, 9],
        "with beta = 1 the expert drives.",
    )
    check_close(labels, [[3.0]] * 8, "the labels are the expert's.")

@test_case(points=None, hidden=True,
    failure_message="Of every episode all steps are kept up to its end, whoever drives, and none after it.")
def test_rollout_and_label_keeps_what_runs(rollout_and_label):
    """Of every episode all steps are kept up to its end, whoever drives, and none after it."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Diary:
        """Every episode has a name, which tells when it ends: for one moment, then it would go on."""

        def __init__(self, max_steps):
            self.max_steps, self.begun = max_steps, 0

        def initial_states(self, n, generator):
            names = (
                torch.arange(self.begun, self.begun + n) + torch.rand(n, generator=generator) / 2
            )
            self.begun += n  # so that no two names are alike
            return torch.cat([names[:, None], torch.zeros(n, 3)], dim=1)

        def observe(self, states, generator):
            return torch.cat([states[:, :1] * states[:, 1:2], states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def lengths(self, states):
            return 1 + (16 * states[:, 0].frac()).floor()

        def failed(self, states):
            lengths = self.lengths(states)
            return (states[:, 1] == lengths) & (lengths % 2 == 0)

        def succeeded(self, states):
            lengths = self.lengths(states)
            return (states[:, 1] == lengths) & (lengths % 2 == 1)

    def expert(observations):
        name, step = observations[:, 1], observations[:, 2]
        return torch.stack([(3 * name + step).sin(), name - 2 * step], dim=1)

    def policy(observations):
        return 5 + observations[:, 1:3]

    generator = fresh_generator()
    for episodes, max_steps, beta in [(16, 6, 0.0), (9, 20, 0.5), (1, 3, 1.0), (12, 1, 0.3)]:
        env = Diary(max_steps)
        dataset = rollout_and_label(env, policy, expert, episodes, beta, generator)
        check_answered(dataset, "rollout_and_label")
        assert len(dataset) == 2, "return a pair: observations, labels."
        observations, labels = (torch.as_tensor(part) for part in dataset)
        names, counts = observations[:, 1].unique(return_counts=True)
        assert len(names) == episodes, (
            f"{episodes} episodes were asked for, {len(names)} have been kept."
        )
        check_shape(labels, (len(observations), 2), "a label for every observation.")
        expected = (1 + (16 * names.frac()).floor()).clamp(max=max_steps)
        check_close(counts, expected, "keep every step of an episode, and nothing after its end.")
        for name in names:
            steps = observations[observations[:, 1] == name, 2].sort().values
            check_close(steps, torch.arange(float(len(steps))), "an episode goes on step by step.")

@test_case(points=None, hidden=True,
    failure_message="What is executed is the policy's answer or the expert's, to what was seen; labels are the expert's.")
def test_rollout_and_label_executes_one_and_labels_by_the_other(rollout_and_label):
    """What is executed is the policy's answer or the expert's, to what was seen; labels are the expert's."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Diary:
        """A state remembers what was executed last. Every look at it sees another glitter."""

        max_steps, begun = 7, 0

        def initial_states(self, n, generator):
            names = (
                torch.arange(self.begun, self.begun + n) + torch.rand(n, generator=generator) / 2
            )
            self.begun += n  # so that no two names are alike
            return torch.cat([names[:, None], torch.zeros(n, 3)], dim=1)

        def observe(self, states, generator):
            return torch.cat([torch.randn(len(states), 1, generator=generator), states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 1e6

        succeeded = failed

    def expert(observations):
        glitter, name, step = observations[:, 0], observations[:, 1], observations[:, 2]
        return torch.stack([(3 * name + step).sin() + glitter, name - 2 * step], dim=1)

    def policy(observations):
        glitter, name, step = observations[:, 0], observations[:, 1], observations[:, 2]
        return torch.stack([20 + step, 20 + glitter - name], dim=1)

    generator = fresh_generator()
    for beta in (0.0, 1.0, 0.5):
        dataset = rollout_and_label(Diary(), policy, expert, 8, beta, generator)
        check_answered(dataset, "rollout_and_label")
        observations, labels = (torch.as_tensor(part) for part in dataset)
        check_close(
            labels, expert(observations), "a label is the expert's answer to what is kept with it."
        )
        order = (observations[:, 1].double() * 1e9 + observations[:, 2]).argsort()
        told = observations[order].view(8, 7, 5)
        executed, seen = told[:, 1:, 3:].flatten(0, 1), told[:, :-1].flatten(0, 1)
        wanted, learnt = expert(seen), policy(seen)
        theirs = executed[:, 0] < 15  # the policy's first number is 20 at least
        if beta != 0.5:
            driver = "expert" if beta else "policy"
            assert (theirs == bool(beta)).all(), f"with beta = {beta} the {driver} drives always."
        check_close(
            executed,
            torch.where(theirs[:, None], wanted, learnt),
            "executed is the whole answer of one of the two to the observation that is kept.",
        )

@test_case(points=None, hidden=True,
    failure_message="The expert drives at a share beta of the steps, drawn anew for every step of every episode.")
def test_rollout_and_label_tosses_a_coin_for_every_step(rollout_and_label):
    """The expert drives at a share beta of the steps, drawn anew for every step of every episode."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, fresh_generator

    class Diary:
        """A state remembers what was executed last."""

        max_steps, begun = 50, 0

        def initial_states(self, n, generator):
            names = (
                torch.arange(self.begun, self.begun + n) + torch.rand(n, generator=generator) / 2
            )
            self.begun += n  # so that no two names are alike
            return torch.cat([names[:, None], torch.zeros(n, 2)], dim=1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 1e6

        succeeded = failed

    def expert(observations):
        return torch.ones(len(observations), 1)

    def policy(observations):
        return torch.zeros(len(observations), 1)

    for beta in (0.25, 0.7):
        dataset = rollout_and_label(Diary(), policy, expert, 40, beta, fresh_generator())
        check_answered(dataset, "rollout_and_label")
        observations = torch.as_tensor(dataset[0])
        order = (observations[:, 0].double() * 1e9 + observations[:, 1]).argsort()
        coins = observations[order].view(40, 50, 3)[:, 1:, 2].double()
        # 1,960 coins: six standard deviations, and for neighbours, which share coins, at most the
        # root of three times as much.
        assert (coins.mean() - beta).abs() < 6 * (beta * (1 - beta) / 1960) ** 0.5, (
            f"with beta = {beta} the expert drove at {coins.mean():.2f} of the steps."
        )
        unlike = 2 * beta * (1 - beta)
        for what, pairs in {
            "steps of an episode": coins[:, 1:] != coins[:, :-1],
            "episodes": coins[1:] != coins[:-1],
        }.items():
            assert (pairs.double().mean() - unlike).abs() < 0.12, f"one coin serves several {what}."
        for what, sums in {"step": coins.sum(dim=0), "episode": coins.sum(dim=1)}.items():
            spread = beta * (1 - beta) * coins.numel() / len(sums)
            # 40 sums at least: as regular as this once in 10^8 times.
            assert sums.var() >= 0.15 * spread, f"every {what} has the same share: toss coins."

@test_case(points=None, hidden=True,
    failure_message="The first observation of every episode is kept, and it is one of a start.")
def test_rollout_and_label_begins_at_the_starts(rollout_and_label):
    """The first observation of every episode is kept, and it is one of a start."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Ladder:
        """The first number stays as it was at the start, the second one counts steps from there."""

        max_steps = 3

        def initial_states(self, n, generator):
            return 8 + torch.rand(n, 1, generator=generator).repeat(1, 2)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions], dim=1)

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    def driver(observations):
        return torch.ones(len(observations), 1)

    for beta in (0.0, 1.0):
        dataset = rollout_and_label(Ladder(), driver, driver, 5, beta, fresh_generator())
        check_answered(dataset, "rollout_and_label")
        observations = torch.as_tensor(dataset[0])
        climbed = (observations[:, 1] - observations[:, 0]).sort().values
        check_close(
            climbed, [0.0] * 5 + [1.0] * 5 + [2.0] * 5, "keep what is seen before every action."
        )

@test_case(points=None, hidden=True,
    failure_message="One seed gives one dataset, and a generator that goes on gives another.")
def test_rollout_and_label_draws_from_the_generator(rollout_and_label):
    """One seed gives one dataset, and a generator that goes on gives another."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Walk:
        """Starts, gusts and what is seen are all drawn."""

        max_steps = 9

        def initial_states(self, n, generator):
            return torch.rand(n, 3, generator=generator)

        def observe(self, states, generator):
            return torch.cat([torch.rand(len(states), 1, generator=generator), states], dim=1)

        def advance(self, states, actions, generator):
            gusts = torch.rand(len(states), 1, generator=generator)
            return torch.cat([states[:, :1], states[:, 1:2] + actions, gusts], dim=1)

        def failed(self, states):
            return states[:, 0] > 2

        succeeded = failed

    def expert(observations):
        return 0.1 - observations[:, 2:3]

    def policy(observations):
        return 0.5 + 0.3 * observations[:, 2:3]

    seed = fresh_generator().initial_seed()
    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    drawn = []
    for source in (one, one, same):
        found = rollout_and_label(Walk(), policy, expert, 5, 0.5, source)
        check_answered(found, "rollout_and_label")
        observations = torch.as_tensor(found[0]).double()
        drawn.append(observations[observations[:, 0].argsort()])
    check_close(drawn[2], drawn[0], "the same seed gave other drives: draw from `generator`.")
    for column, what in [(0, "looks"), (1, "starts"), (3, "gusts")]:
        before, after = drawn[0][:, column].unique(), drawn[1][:, column].unique()
        assert before.shape != after.shape or not torch.allclose(before, after), (
            f"two calls with one generator gave the same {what}: hand it on, and do not seed it."
        )
