from otter.test_files import test_case

OK_FORMAT = False

name = "noise_injected_demonstrations"
points = [1, 1, 2, 2, 1, 1]

@test_case(points=None, hidden=False,
    failure_message="Without noise the vehicle counts 1, 2, 3, as the expert wants it, up to the goal at 5.")
def test_noise_injected_demonstrations_without_noise(noise_injected_demonstrations):
    """Without noise the vehicle counts 1, 2, 3, as the expert wants it, up to the goal at 5."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Stairs:
        """The state is a number, the action is added to it, and 5 is the goal."""

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

    def expert(seen):
        return torch.ones(len(seen), 1)

    dataset = noise_injected_demonstrations(Stairs(), expert, 0.5, 0.0, torch.Generator())
    check_answered(dataset, "noise_injected_demonstrations")
    observations, actions = dataset
    check_shape(observations, (5, 2), "five steps lead from 0 to 5, and the end itself is no step.")
    check_shape(actions, (5, 1), "a label for every observation.")
    check_close(observations[:, 0].sort().values, [0.0, 1, 2, 3, 4], "keep what was seen.")
    check_close(actions, [[1.0]] * 5, "the label is what the expert wanted.")

@test_case(points=None, hidden=False,
    failure_message="With noise at every step the vehicle goes astray, and the labels stay the expert's.")
def test_noise_injected_demonstrations_have_clean_labels(noise_injected_demonstrations):
    """With noise at every step the vehicle goes astray, and the labels stay the expert's."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and time is up after four steps."""

        max_steps = 4

        def initial_states(self, n, generator):
            return 10 * torch.rand(n, 1, generator=generator)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        def succeeded(self, states):
            return states[:, 0] < -1e6

    dataset = noise_injected_demonstrations(
        Line(), lambda seen: 3 - seen, 0.5, 1.0, torch.Generator(), episodes=6
    )
    check_answered(dataset, "noise_injected_demonstrations")
    observations, actions = dataset
    check_shape(observations, (24, 1), "six episodes of four steps.")
    check_close(actions, 3 - torch.as_tensor(observations), "labels carry no noise.")
    exact = (torch.as_tensor(observations) - 3).abs() < 1e-4
    # By chance one in 6,000 does.
    assert exact.sum() < 4, (
        "what is executed carries noise: the vehicle hardly ever hits 3 exactly."
    )

@test_case(points=None, hidden=True,
    failure_message="Of every episode all steps are kept up to its end, and none after it.")
def test_noise_injected_demonstrations_keep_what_runs(noise_injected_demonstrations):
    """Of every episode all steps are kept up to its end, and none after it."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
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

    generator = fresh_generator()
    for episodes, max_steps in [(16, 6), (9, 20), (1, 3), (12, 1)]:
        env = Diary(max_steps)
        dataset = noise_injected_demonstrations(env, expert, 0.7, 0.5, generator, episodes)
        check_answered(dataset, "noise_injected_demonstrations")
        assert len(dataset) == 2, "return a pair: observations, actions."
        observations, actions = (torch.as_tensor(part) for part in dataset)
        names, counts = observations[:, 1].unique(return_counts=True)
        assert len(names) == episodes, (
            f"{episodes} episodes were asked for, {len(names)} have been kept."
        )
        check_shape(actions, (len(observations), 2), "a label for every observation.")
        expected = (1 + (16 * names.frac()).floor()).clamp(max=max_steps)
        check_close(counts, expected, "keep every step of an episode, and nothing after its end.")
        for name, count in zip(names, counts, strict=True):
            steps = observations[observations[:, 1] == name, 2].sort().values
            check_close(steps, torch.arange(float(count)), "an episode goes on from step to step.")
    alone = noise_injected_demonstrations(Diary(5), expert, 0.7, 0.5, generator)
    assert len(alone[0][:, 1].unique()) == 1, "by default there is one episode."

@test_case(points=None, hidden=True,
    failure_message="Executed is the label plus noise of the given size, each dimension with its own.")
def test_noise_injected_demonstrations_shake_what_is_executed(noise_injected_demonstrations):
    """Executed is the label plus noise of the given size, each dimension with its own."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
    import torch
    from scipy.stats import kstest

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Diary:
        """A state remembers what was executed last. Every look at it sees another glitter."""

        max_steps, begun = 50, 0

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

    for noise_std in (0.05, 2.0):
        found = noise_injected_demonstrations(
            Diary(), expert, noise_std, 1.0, fresh_generator(), 40
        )
        check_answered(found, "noise_injected_demonstrations")
        observations, actions = (torch.as_tensor(part) for part in found)
        check_close(
            actions, expert(observations), "a label is the expert's answer to what is kept with it."
        )
        order = (observations[:, 1].double() * 1e9 + observations[:, 2]).argsort()
        told, meant = observations[order].view(40, 50, 5), actions[order].view(40, 50, 2)
        noise = ((told[:, 1:, 3:] - meant[:, :-1]) / noise_std).double()
        # 3,920 numbers: six standard deviations of their mean and of their mean square. A right
        # answer fails less than once in 10^8 times.
        assert noise.mean().abs() < 6 / 3920**0.5, "the noise's mean should be zero."
        assert (noise.square().mean() - 1).abs() < 6 * (2 / 3920) ** 0.5, (
            "what is executed minus the label should have the standard deviation noise_std."
        )
        assert kstest(noise.flatten().numpy(), "norm").pvalue > 1e-9, "the noise is Gaussian."
        # One of 3,920 is beyond 2.8 but once in e^20 times.
        assert noise.abs().max() > 2.8, "the noise is cut off: a Gaussian has no bounds."
        pairs = {
            "the dimensions of an action": noise[..., 0] * noise[..., 1],
            "the steps of an episode": noise[:, 1:] * noise[:, :-1],
            "the episodes": noise[1:] * noise[:-1],
        }
        for what, products in pairs.items():
            assert products.mean().abs() < 7 / products.numel() ** 0.5, f"{what} share their noise."

@test_case(points=None, hidden=True,
    failure_message="A share of the steps has noise: it is drawn anew for every step of every episode.")
def test_noise_injected_demonstrations_toss_a_coin_for_every_step(noise_injected_demonstrations):
    """A share of the steps has noise: it is drawn anew for every step of every episode."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
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
            return torch.cat([names[:, None], torch.zeros(n, 3)], dim=1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:2] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 1] > 1e6

        succeeded = failed

    def expert(observations):
        return torch.stack([observations[:, 0], observations[:, 1]], dim=1)

    for share in (0.25, 0.7, 0.0):
        found = noise_injected_demonstrations(Diary(), expert, 0.5, share, fresh_generator(), 40)
        check_answered(found, "noise_injected_demonstrations")
        observations, actions = (torch.as_tensor(part) for part in found)
        order = (observations[:, 0].double() * 1e9 + observations[:, 1]).argsort()
        told, meant = observations[order].view(40, 50, 4), actions[order].view(40, 50, 2)
        both = told[:, 1:, 2:] != meant[:, :-1]
        # Nearly all: noise may be too small for a float of that size.
        assert (both[..., 0] == both[..., 1]).double().mean() > 0.99, (
            "a step has noise in all dimensions or in none."
        )
        shaken = both.any(dim=2).double()
        # 1,960 coins: six standard deviations, and for neighbours, which share coins, at most the
        # root of three times as much.
        assert (shaken.mean() - share).abs() <= 6 * (share * (1 - share) / 1960) ** 0.5, (
            f"with fraction {share}, {shaken.mean():.2f} of the steps had noise."
        )
        unlike = 2 * share * (1 - share)
        for what, pairs in {
            "steps of an episode": shaken[:, 1:] != shaken[:, :-1],
            "episodes": shaken[1:] != shaken[:-1],
        }.items():
            assert (pairs.double().mean() - unlike).abs() < 0.12, f"one coin serves several {what}."
        for what, sums in {"step": shaken.sum(dim=0), "episode": shaken.sum(dim=1)}.items():
            spread = share * (1 - share) * shaken.numel() / len(sums)
            # 40 sums at least: as regular as this once in 10^8 times.
            assert sums.var() >= 0.15 * spread, f"every {what} has the same share: toss coins."

@test_case(points=None, hidden=True,
    failure_message="One seed gives one dataset, and a generator that goes on gives another.")
def test_noise_injected_demonstrations_draw_from_the_generator(noise_injected_demonstrations):
    """One seed gives one dataset, and a generator that goes on gives another."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, fresh_generator

    class Walk:
        """Starts, gusts and what is seen are all drawn."""

        max_steps = 6

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

    seed = fresh_generator().initial_seed()
    one, same = (torch.Generator().manual_seed(seed) for _ in range(2))
    drawn = []
    for source in (one, one, same):
        found = noise_injected_demonstrations(Walk(), expert, 0.3, 0.5, source, 5)
        check_answered(found, "noise_injected_demonstrations")
        observations = torch.as_tensor(found[0]).double()
        drawn.append(observations[observations[:, 0].argsort()])
    check_close(drawn[2], drawn[0], "the same seed gave other noise: draw from `generator`.")
    for column, what in [(0, "looks"), (1, "starts"), (3, "gusts")]:
        before, after = drawn[0][:, column].unique(), drawn[1][:, column].unique()
        assert before.shape != after.shape or not torch.allclose(before, after), (
            f"two calls with one generator gave the same {what}: hand it on, and do not seed it."
        )
