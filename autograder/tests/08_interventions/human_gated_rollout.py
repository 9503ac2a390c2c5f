from otter.test_files import test_case

OK_FORMAT = False

name = "human_gated_rollout"
points = [2, 1, 2, 4, 2, 2, 1, 2, 2, 2]

@test_case(points=None, hidden=False,
    failure_message="The lecture's case: the policy drives three steps, the expert takes over, and drives to the end.")
def test_human_gated_rollout_from_step_three_on(human_gated_rollout):
    """The lecture's case: the policy drives three steps, the expert takes over, and drives to the end."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Road:
        """A state is the step, and the two numbers of the action before it."""

        max_steps = 6

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 3)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: torch.full((len(seen), 2), -1.0),
        expert=lambda seen: torch.cat([seen[:, :1], 10 + seen[:, :1]], dim=1),
        gate=lambda seen, engaged: engaged | (seen[:, 0] == 3),
        generator=torch.Generator().manual_seed(0),
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    observations, actions = (torch.as_tensor(part) for part in result)
    order = observations[:, 0].argsort()
    hint = (
        "keep the observations of steps 3, 4 and 5. Each is three numbers: the step, and the action "
        "that was taken one step before, by the policy before step 3 and by the expert before the others."
    )
    check_close(observations[order], [[3.0, -1, -1], [4, 3, 13], [5, 4, 14]], hint)
    hint = "keep the expert's actions of steps 3, 4 and 5, each beside the observation that it answers."
    check_close(actions[order], [[3.0, 13], [4, 14], [5, 15]], hint)

@test_case(points=None, hidden=False,
    failure_message="An expert who only watches does nothing that could be kept.")
def test_human_gated_rollout_where_nobody_engages(human_gated_rollout):
    """An expert who only watches does nothing that could be kept."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape

    class Road:
        """Nothing happens here."""

        max_steps = 3

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 4)

        def observe(self, states, generator):
            return states[:, :3]

        def advance(self, states, actions, generator):
            return states + actions.sum(dim=1, keepdim=True)

        def failed(self, states):
            return states[:, 0] > 100

        succeeded = failed

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: seen[:, :2] + 1,
        expert=lambda seen: seen[:, :2] - 1,
        gate=lambda seen, engaged: torch.zeros(len(seen), dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
        episodes=5,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    check_shape(result[0], (0, 3), "no observation was the expert's to act on.")
    check_shape(result[1], (0, 2), "no action was the expert's.")

@test_case(points=None, hidden=False,
    failure_message="Of three episodes one fails after two steps, one succeeds after three, and one runs out of time after five.")
def test_human_gated_rollout_of_three_lengths(human_gated_rollout):
    """Of three episodes one fails after two steps, one succeeds after three, and one runs out of time after five."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Road:
        """A state is the number of the episode, and the step."""

        max_steps = 5

        def initial_states(self, num_episodes, generator):
            return torch.stack(
                [torch.arange(float(num_episodes)), torch.zeros(num_episodes)], dim=1
            )

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions], dim=1)

        def failed(self, states):
            return (states[:, 0] == 0) & (states[:, 1] == 2)

        def succeeded(self, states):
            return (states[:, 0] == 1) & (states[:, 1] == 3)

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: torch.ones(len(seen), 1),
        expert=lambda seen: torch.ones(len(seen), 1),
        gate=lambda seen, engaged: torch.ones(len(seen), dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
        episodes=3,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    kept = torch.as_tensor(result[0]).float()[:, 0]
    for episode, (number, end) in enumerate(
        [(2, "fails"), (3, "succeeds"), (5, "runs out of time")]
    ):
        check_close(
            (kept == episode).sum(),
            number,
            f"episode {episode} {end} after {number} steps, and the expert drove in all of them: keep {number} rows of it.",
        )

@test_case(points=None, hidden=True,
    failure_message="In every episode and at every step, the driver is the one that the gate names, and only the expert's steps are kept.")
def test_human_gated_rollout_keeps_what_the_expert_did(human_gated_rollout):
    """In every episode and at every step, the driver is the one that the gate names, and only the expert's steps are kept."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    class Log:
        """A state is a name, the step, and what was done last."""

        max_steps = 12

        def initial_states(self, num_episodes, generator):
            first = torch.randint(50_000, (1,), generator=generator)
            names = (first + torch.arange(num_episodes)).float().unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 4)], dim=1)

        def observe(self, states, generator):
            return torch.cat([states[:, :1] + 0.5, states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 100

        succeeded = failed

    def named(names, steps):
        return (37 * names + 101 * steps) % 7 < 3

    def engages(seen, engaged):
        # At step 2 everywhere, so that no episode is without an expert.
        return named(seen[:, 1], seen[:, 2]) | (seen[:, 2] == 2)

    def expert(seen):
        _, name, step, *_ = seen.unbind(dim=1)
        return torch.stack([name % 10, step, name % 7 + step], dim=1) + 1

    def policy(seen):
        return -expert(seen) - 0.5

    for episodes in (40, 5):
        result = human_gated_rollout(Log(), policy, expert, engages, fresh_generator(), episodes)
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations, actions = (torch.as_tensor(part).float() for part in result)
        assert observations.dim() == 2 and observations.shape[1] == 6, (
            "observations are (kept, observation_dim): keep what was seen, not the states."
        )
        check_shape(actions, (len(observations), 3), "one action for every observation.")
        order = (100 * observations[:, 1] + observations[:, 2]).argsort()
        observations, actions = observations[order], actions[order]
        names, steps = observations[:, 1], observations[:, 2]
        assert len(names.unique()) == episodes, (
            f"the expert drove in all of {episodes} episodes, and there are rows of {len(names.unique())}."
        )
        grid = [(0, n, s) for n in names.unique().tolist() for s in range(Log.max_steps)]
        expected = torch.tensor(grid)
        # Rows: a number that the gate does not look at, name and step.
        expected = expected[engages(expected, None), 1:]
        check_close(
            observations[:, 1:3],
            expected,
            "keep one row for every step at which the gate has the expert drive, and no other.",
        )
        check_close(actions, expert(observations), "the action is what the expert did there.")
        before = torch.stack([names + 0.5, names, steps - 1], dim=1)
        driven = engages(before, None).unsqueeze(1)
        did = torch.where(driven, expert(before), policy(before)) * (steps > 0).unsqueeze(1)
        check_close(
            observations[:, 3:],
            did,
            "the expert's action is taken where the gate says so, and the policy's elsewhere.",
        )

@test_case(points=None, hidden=True,
    failure_message="Episodes end at failure, at success or when their time is up, and nothing of them is kept after.")
def test_human_gated_rollout_ends_episodes(human_gated_rollout):
    """Episodes end at failure, at success or when their time is up, and nothing of them is kept after."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """An episode is over at a step that its name tells, and says so at this step alone."""

        def __init__(self, max_steps):
            self.max_steps = max_steps

        def initial_states(self, num_episodes, generator):
            first = torch.randint(50_000, (1,), generator=generator)
            names = (first + torch.arange(num_episodes)).float().unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 1)], dim=1)

        def observe(self, states, generator):
            return torch.cat([-states[:, :1], states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions[:, 1:]], dim=1)

        def failed(self, states):
            return (states[:, 0] % 2 == 0) & (states[:, 1] == 2 + states[:, 0] % 7)

        def succeeded(self, states):
            return (states[:, 0] % 2 == 1) & (states[:, 1] == 2 + states[:, 0] % 7)

    def act(seen):
        return torch.ones(len(seen), 2)

    for max_steps, episodes in [(6, 28), (20, 14), (1, 3)]:
        result = human_gated_rollout(
            Log(max_steps),
            act,
            act,
            lambda seen, engaged: torch.ones(len(seen), dtype=torch.bool),
            fresh_generator(),
            episodes,
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations = torch.as_tensor(result[0]).float()
        order = (100 * observations[:, 1] + observations[:, 2]).argsort()
        names = observations[:, 1].unique().tolist()
        assert len(names) == episodes, f"all of {episodes} episodes run, and at least for one step."
        expected = [[-n, n, s] for n in names for s in range(min(int(2 + n % 7), max_steps))]
        check_close(
            observations[order],
            torch.tensor(expected, dtype=torch.float32),
            "keep every step until the episode has failed or succeeded or its time is up, and none after.",
        )

@test_case(points=None, hidden=True,
    failure_message="The gate is asked once a step about the whole batch, and told what it said before.")
def test_human_gated_rollout_tells_the_gate_what_it_said(human_gated_rollout):
    """The gate is asked once a step about the whole batch, and told what it said before."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """A state is a name and the step. Every third episode ends early."""

        max_steps = 11

        def initial_states(self, num_episodes, generator):
            first = torch.randint(50_000, (1,), generator=generator)
            names = (first + torch.arange(num_episodes)).float().unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 1)], dim=1)

        def observe(self, states, generator):
            return torch.cat([states, states], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + 1], dim=1)

        def failed(self, states):
            return (states[:, 0] % 3 == 0) & (states[:, 1] >= 5)

        def succeeded(self, states):
            return states[:, 1] < 0

    def decide(name, step, engaged):
        return step % 5 != 0 if engaged else (step + name) % 3 == 0

    class Gate:
        """It goes by the step and by what it said, and minds how it is asked."""

        def __init__(self, batch):
            self.batch, self.calls, self.said = batch, 0, [False] * batch

        def __call__(self, seen, engaged):
            assert engaged.dtype == torch.bool, "the gate takes `engaged` as booleans."
            assert len(seen) == len(engaged) == self.batch, (
                f"the gate was asked about {len(seen)} of {self.batch} episodes: ask it about the whole batch."
            )
            # Where an episode is over, what the gate is told no longer matters.
            for row, (_, step, *_) in enumerate(seen.tolist()):
                assert step != self.calls or bool(engaged[row]) == self.said[row], (
                    f"at step {self.calls} the gate was told something else than what it said before."
                )
            steps = seen[:, 1].max()
            assert steps == self.calls, (
                f"the gate was asked {self.calls} times before step {int(steps)}: ask it once a step."
            )
            self.calls += 1
            self.said = [
                bool(decide(name, step, said))
                for (name, step, *_), said in zip(seen.tolist(), self.said, strict=True)
            ]
            return torch.tensor(self.said)

    def act(seen):
        return seen[:, :1]

    # At least two: of neighbouring names one is no multiple of three, and runs to the end.
    for episodes in (12, 4, 2):
        result = human_gated_rollout(Log(), act, act, Gate(episodes), fresh_generator(), episodes)
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations = torch.as_tensor(result[0]).float()
        order = (100 * observations[:, 0] + observations[:, 1]).argsort()
        expected = []
        for name in observations[:, 0].unique().tolist():
            engaged = False
            for step in range(5 if name % 3 == 0 else Log.max_steps):
                engaged = decide(name, step, engaged)
                if engaged:
                    expected.append([name, step, name, step])
        check_close(
            observations[order],
            torch.tensor(expected).view(-1, 4),
            "the gate is given what it returned one step before, and false at the start.",
        )

@test_case(points=None, hidden=True,
    failure_message="Where the sensor is noisy, gate, policy and expert see the same, and that is what is kept.")
def test_human_gated_rollout_looks_once(human_gated_rollout):
    """Where the sensor is noisy, gate, policy and expert see the same, and that is what is kept."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Noisy:
        """Nobody has ever seen the same here twice."""

        max_steps = 25

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 3)

        def observe(self, states, generator):
            noise = torch.randn(len(states), 2, generator=generator)
            return torch.cat([states, noise], dim=1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] > 100

        succeeded = failed

    result = human_gated_rollout(
        Noisy(),
        lambda seen: torch.zeros(len(seen), 2),
        lambda seen: seen[:, 3:] * 3,
        lambda seen, engaged: seen[:, 3] > 0.3,
        fresh_generator(),
        8,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    observations, actions = (torch.as_tensor(part).float() for part in result)
    assert len(observations) > 0, "the gate engaged often, and nothing was kept."
    hint = "look once at every step: the expert acted on another observation than the one that was kept."
    check_close(actions, observations[:, 3:] * 3, hint)
    assert float(observations[:, 3].min()) > 0.3, (
        "look once at every step: the gate decided by another observation than the one that was kept."
    )

@test_case(points=None, hidden=True,
    failure_message="What is kept is what was done, also where an expert says something else when asked again.")
def test_human_gated_rollout_asks_the_expert_once(human_gated_rollout):
    """What is kept is what was done, also where an expert says something else when asked again."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """A state is a name, the step, and what was done last."""

        max_steps = 9

        def initial_states(self, num_episodes, generator):
            names = 1 + torch.arange(float(num_episodes)).unsqueeze(1)
            return torch.cat([names, torch.zeros(num_episodes, 2)], dim=1)

        def observe(self, states, generator):
            return states.flip(1)

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    class Moody:
        """It never says the same thing twice."""

        def __init__(self):
            self.said = 0

        def __call__(self, seen):
            answers = self.said + torch.arange(1.0, len(seen) + 1)
            self.said += len(seen)
            return answers.unsqueeze(1)

    for episodes in (6, 1):
        result = human_gated_rollout(
            Log(),
            lambda seen: 0 * seen[:, :1] - 1,
            Moody(),
            lambda seen, engaged: seen[:, 1] >= 2,
            fresh_generator(),
            episodes,
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        observations, actions = (torch.as_tensor(part).float() for part in result)
        assert len(observations) == len(actions) == 7 * episodes, (
            "the expert drives from step 2 on, for seven steps of every episode."
        )
        order = (100 * observations[:, 2] + observations[:, 1]).argsort()
        told, said = observations[order].view(-1, 7, 3), actions[order].view(-1, 7)
        check_close(
            said[:, :-1],
            told[:, 1:, 0],
            "the action that is kept is another one than was taken: ask the expert once.",
        )

@test_case(points=None, hidden=True,
    failure_message="The expert's time is dear: while nobody is engaged, nobody asks.")
def test_human_gated_rollout_asks_the_expert_when_engaged(human_gated_rollout):
    """The expert's time is dear: while nobody is engaged, nobody asks."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Log:
        """A state is the step, and what was done last."""

        max_steps = 9

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 2)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    def engages(seen, engaged):
        return (seen[:, 0] >= start) & (seen[:, 0] < end)

    def expert(seen):
        assert bool(engages(seen, None).all()), (
            f"the expert was asked at step {int(seen[0, 0])}, when nobody was engaged."
        )
        return seen[:, :1] + 100

    for start, end, episodes in [(4, 7, 3), (0, 2, 1), (8, 9, 2), (5, 5, 4)]:
        result = human_gated_rollout(
            Log(), lambda seen: -seen[:, :1] - 1, expert, engages, fresh_generator(), episodes
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        steps = torch.as_tensor(result[0]).float()[:, 0].sort().values
        expected = torch.arange(start, end).float().repeat_interleave(episodes)
        check_close(
            steps, expected, "keep the steps at which the expert was engaged, and no other."
        )

@test_case(points=None, hidden=True,
    failure_message="Starts and noise come from the generator: new ones at every call, and the same for the same seed.")
def test_human_gated_rollout_draws_from_the_generator(human_gated_rollout):
    """Starts and noise come from the generator: new ones at every call, and the same for the same seed."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Windy:
        """Starts, gusts and what is seen are all drawn."""

        max_steps = 5

        def initial_states(self, num_episodes, generator):
            drawn = torch.rand(num_episodes, 1, generator=generator)
            return torch.cat([drawn, torch.zeros(num_episodes, 2)], dim=1)

        def observe(self, states, generator):
            noise = torch.randn(len(states), 1, generator=generator)
            return torch.cat([states, noise], dim=1)

        def advance(self, states, actions, generator):
            gusts = torch.randn(len(states), 1, generator=generator)
            return torch.cat([states[:, :1], states[:, 1:2] + 1, gusts], dim=1)

        def failed(self, states):
            return states[:, 1] > 100

        succeeded = failed

    def run(generator, episodes):
        result = human_gated_rollout(
            Windy(),
            lambda seen: seen[:, :1],
            lambda seen: -seen[:, :1],
            lambda seen, engaged: seen[:, 1] >= 1,
            generator,
            episodes,
        )
        check_answered(result, "human_gated_rollout")
        assert len(result) == 2, "return two tensors: observations and actions."
        seen = torch.as_tensor(result[0]).float()
        assert len(seen) == 4 * episodes, (
            f"{episodes} episodes with the expert driving at 4 steps of each, and {len(seen)} rows."
        )
        return seen[seen[:, 3].argsort()]

    generator = fresh_generator()
    seed = int(torch.randint(2**31, (), generator=generator))
    first, following = run(generator, 6), run(generator, 6)
    for rows in (first, following):
        # Two numbers are alike by chance once in ten thousand gradings.
        assert len(rows[:, 0].unique()) >= 5, "every episode starts somewhere else."
        assert len(rows[:, 2].unique()) >= 23, "every step of every episode has noise of its own."
    for column, what in [(0, "starts"), (2, "gusts"), (3, "noise")]:
        assert len(set(first[:, column].tolist()) & set(following[:, column].tolist())) < 2, (
            f"two calls with one generator had the same {what}: draw all from `generator`, and do not seed it."
        )
    again = [run(torch.Generator().manual_seed(seed), 3) for _ in range(2)]
    check_close(again[0], again[1], "the same seed gave other episodes: draw all from `generator`.")
