"""What notebook 03 says in words, held over seeds that it does not use.

Trained results differ from one processor to the next, as if the seeds were others. So every bound
on them stands at least 4.8 standard errors from what was measured, which chance passes less than
once in a million. The spread between 25 seeds (30 on the three lanes) is noted at each bound.
"""

from types import SimpleNamespace

import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork
from imitation_lab.experiment import drive
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import count_parameters
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.toys import three_lanes, two_drivers

FRESH_SEEDS = range(1000, 1010)
SEEDS_OF_COMMANDS = range(31)  # that students get: SEED's choices
pytestmark = pytest.mark.claims


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def notebook(notebook):
    """The solved notebook, with seeds of our own."""
    notebook.SEEDS = FRESH_SEEDS
    return notebook


# The formulas


def test_sixteen_numbers_four_deviations_away_underflow_and_lose_the_gradient(notebook):
    means = torch.zeros(1, 2, 16, requires_grad=True)
    log_densities = notebook.component_log_probs(
        means, torch.zeros(1, 2, 16), torch.full((1, 16), 4.0)
    )
    density = (0.5 * log_densities.exp()).sum(dim=1)
    density.log().sum().backward()
    assert density.item() == 0
    assert density.log().item() == -torch.inf
    assert means.grad.isnan().all()


def test_the_gradients_are_the_responsibility_weighted_pulls(notebook):
    logits, actions = torch.randn(5, 3, generator=seeded(0)), torch.randn(5, 2, generator=seeded(1))
    means, log_stds = torch.randn(2, 5, 3, 2, generator=seeded(2))
    leaves = [leaf.clone().requires_grad_() for leaf in (logits, means, log_stds)]
    (-notebook.mixture_log_prob(*leaves, actions)).sum().backward()
    shares = notebook.responsibilities(logits, means, log_stds, actions)
    error, variance = actions[:, None] - means, (2 * log_stds).exp()
    torch.testing.assert_close(leaves[0].grad, logits.softmax(dim=1) - shares)
    torch.testing.assert_close(leaves[1].grad, -shares[:, :, None] * error / variance)
    torch.testing.assert_close(leaves[2].grad, -shares[:, :, None] * (error**2 / variance - 1))


def test_the_weighted_mean_of_two_drivers_means_is_an_action_that_nobody_takes():
    assert (two_drivers().sample(100_000, seeded(0)).abs() > 0.05).all()


def test_far_out_on_either_side_the_widest_hill_of_the_lanes_is_responsible(notebook):
    normal = three_lanes().distribution.component_distribution.base_dist
    widths = normal.scale[:, 0]
    rows = [three_lanes().distribution.mixture_distribution.logits, normal.loc, normal.scale.log()]
    ends = torch.tensor([[-2.5], [2.5]])
    shares = notebook.responsibilities(*(values.expand(2, *values.shape) for values in rows), ends)
    assert shares[:, widths.argmax()].min() > 0.99


# Without a network


@pytest.fixture(scope="module")
def starts(notebook):
    """Held-out losses above the truth's own, and idle components, of ten starts for each seed."""
    lanes = three_lanes()
    excess, idle = {}, {}
    for seed in FRESH_SEEDS[:6]:
        generator = seeded(seed)
        commands, held_out = lanes.sample(300, generator), lanes.sample(4000, generator)
        truth = -lanes.log_prob(held_out).mean()
        for components in (1, 3, 8):
            parameters = notebook.start_mixtures(10, components, 0.7, generator)
            notebook.fit(parameters, commands)
            losses = notebook.losses_of(parameters, held_out).detach()
            weights = parameters[0].detach().softmax(dim=1)
            excess.setdefault(components, []).append(losses - truth)
            idle.setdefault(components, []).append((weights < 0.01).sum(dim=1))
    return SimpleNamespace(
        excess={k: torch.cat(values) for k, values in excess.items()},
        idle={k: torch.cat(values) for k, values in idle.items()},
    )


def test_one_component_is_far_from_the_truth(starts):
    assert starts.excess[1].min() > 0.8  # each seed's best of ten: 1.03 +- 0.012


def test_three_components_find_three_lanes_from_some_starts_and_often_not(starts):
    found = (starts.excess[3] < 0.05).float().mean()
    # 0.29 +- 0.17 a seed, so +- 0.068 for six seeds. None of 60 starts: 0.71^60.
    assert 0 < found < 2 / 3


def test_eight_components_come_close_to_the_truth_from_most_starts(starts):
    assert (starts.excess[8] < 0.05).float().mean() > 0.8  # 0.95 +- 0.073 a seed


def test_most_fits_with_spare_components_leave_at_least_one_idle(starts):
    assert (starts.idle[8] >= 1).float().mean() > 0.5  # 0.81 +- 0.14 a seed


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS_OF_COMMANDS)
def test_most_of_a_students_ten_starts_with_eight_come_close_and_fewer_with_three(notebook, seed):
    """Every student's draw. Of ten starts 8 to 10 came close with eight components, 1 to 3 with three.

    The 8 are of seed 30. From its commands no fit comes closer than 0.03 nats.
    """
    lanes, generator = three_lanes(), seeded(2)
    commands, held_out = lanes.sample(300, seeded(seed)), lanes.sample(4000, seeded(1))
    grid = torch.linspace(-1.5, 1.5, 601)[:, None]
    density, close = lanes.log_prob(grid).exp(), {}
    entropy = -torch.trapezoid(density * density.log(), grid[:, 0])  # the figure's dashed line
    for components in range(1, 9):
        parameters = notebook.start_mixtures(10, components, 0.7, generator)
        if components in (3, 8):
            notebook.fit(parameters, commands)
            losses = notebook.losses_of(parameters, held_out).detach()
            close[components] = (losses - entropy < 0.05).float().mean()
    assert close[8] > 0.5
    assert 0 < close[3] < close[8]


def test_components_that_start_alike_learn_what_one_gaussian_learns(notebook):
    lanes = three_lanes()
    for seed in FRESH_SEEDS[:3]:
        commands, held_out = lanes.sample(300, seeded(seed)), lanes.sample(4000, seeded(seed + 1))
        losses = []
        for components in (1, 8):
            parameters = notebook.start_mixtures(1, components, 0.0, seeded(seed))
            notebook.fit(parameters, commands)
            losses.append(notebook.losses_of(parameters, held_out).item())
        assert losses[0] == pytest.approx(losses[1], abs=5e-4)


def test_a_repeated_action_lets_the_loss_fall_until_the_floor_stops_it(notebook):
    rises = []
    for seed in FRESH_SEEDS:
        recorded, fresh = notebook.stuttering_record(seed)
        free, free_held_out = notebook.watch_collapse(recorded, fresh, -100.0)
        stopped, stopped_held_out = notebook.watch_collapse(recorded, fresh, notebook.FLOOR)
        middle = len(free) // 2
        assert free[middle] - free[-1] > 0.5, "still falling"  # 0.81 +- 0.014
        assert stopped[middle] - stopped[-1] < 0.05, "no longer falling"  # 0 +- 1e-7
        rises.append([held[-1] - held.min() for held in (free_held_out, stopped_held_out)])
    # 0.137 +- 0.063 without a floor and 0.073 +- 0.044 with it, a seed.
    assert (torch.tensor(rises).mean(dim=0) > 0.005).all()


# On the road

FEW_SEEDS = FRESH_SEEDS[:5]
MANY_SEEDS = range(1000, 1060)  # of two components: how seeds differ is itself the claim


@pytest.fixture(scope="module")
def road(notebook):
    """Sixty seeds of two components that start at random, ten of eight, and five where all agree."""
    task = Fork()
    drivers = {side: NoisyActor(ForkDriver(task, (side,)), 0.03) for side in ("left", "right")}
    data = [demonstrate(task, drivers, 100, seeded(seed)) for seed in FRESH_SEEDS]

    def mixtures(components, choose, horizon):
        def make(seed, width):
            return notebook.mixtures(data[seed % 10], components, choose, horizon)(seed, width)

        return make

    kinds = {
        "gaussian": notebook.classic(GaussianPolicy, 1),
        "mixture": mixtures(8, notebook.far_apart, 1),
        "gaussian chunks": notebook.classic(GaussianPolicy, 8),
        "8 far apart": mixtures(8, notebook.far_apart, 8),
        "2 at random": mixtures(2, notebook.at_random, 8),
    }
    actors = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, make in kinds.items():
            seeds = {"2 at random": MANY_SEEDS, "8 far apart": FRESH_SEEDS}.get(name, FEW_SEEDS)
            patch.setattr(notebook, "SEEDS", seeds)
            own = [data[seed % 10] for seed in seeds]
            actors[name] = notebook.clone([make], own, name)[0]
    return SimpleNamespace(
        actors=actors,
        rates={
            name: torch.tensor(
                [result.success.rate for result in drive(own, task, range(len(own)))]
            )
            for name, own in actors.items()
        },
        unseen=demonstrate(task, drivers, 50, seeded(2000)),
    )


def failing_and_driving(road):
    """Return which seeds of two components drive like a Gaussian, and which like an expert."""
    rates = road.rates["2 at random"]
    return rates < 0.25, rates > 0.9


@pytest.mark.long
def test_all_policies_have_the_same_number_of_parameters_within_two_per_cent(notebook, road):
    for players in road.actors.values():
        assert count_parameters(players[0].policy) == pytest.approx(notebook.BUDGET, rel=0.02)


@pytest.mark.long
def test_with_one_action_a_step_the_mixture_does_best(road):
    # Regression's rate, next to nothing, is held by notebook 1's claims.
    assert 0.33 < road.rates["gaussian"].mean() < 0.67  # 0.49 +- 0.068 a seed
    assert road.rates["mixture"].mean() > 0.75  # 0.88 +- 0.043


@pytest.mark.long
def test_in_chunks_the_gaussian_fails_and_the_mixture_wins_hundreds_of_episodes_in_a_thousand(road):
    assert road.rates["gaussian chunks"].mean() < 0.25  # 0.10 +- 0.026 a seed
    assert road.rates["8 far apart"].mean() > 0.5  # 0.84 +- 0.17


@pytest.mark.long
def test_two_components_drive_from_some_seeds_like_an_expert_and_from_others_like_a_gaussian(road):
    failing, driving = failing_and_driving(road)
    # 6 of 25 seeds failed and 18 drove: none of 60 has a probability of 0.76^60 or less.
    assert failing.any()
    assert driving.any()


@pytest.mark.long
def test_ten_seeds_of_two_components_cannot_settle_a_difference_of_five_points(road):
    spread = road.rates["2 at random"].std()
    assert spread > 0.2  # 0.36 in 25 seeds; 60 seeds know it to +- 0.03
    two_standard_errors_of_a_difference = 2 * spread * (2 / 100) ** 0.5
    assert two_standard_errors_of_a_difference > 0.05, "a hundred seeds of each would be enough"


def widest_command(actor, observations):
    """Widest lateral command in the heaviest component's chunk, in m/s, averaged over places."""
    with torch.no_grad():
        logits, _, log_stds = actor.policy(actor.observation_normalizer.normalize(observations))
    rows = torch.arange(len(logits))
    stds = log_stds[rows, logits.argmax(dim=1)].exp().unflatten(1, (-1, 2))[:, :, 1]
    return float(stds.amax(dim=1).mean() * actor.action_normalizer.scale[1])


@pytest.mark.long
def test_in_seeds_that_fail_one_component_covers_both_sides_on_the_last_metre(road):
    failing, driving = failing_and_driving(road)
    seen = road.unseen.observations
    ahead = seen[:, 4] - seen[:, 0]
    places = seen[(ahead > 0.9) & (ahead <= 1.0)]  # chunks from here reach into the swerve
    widths = torch.tensor([widest_command(actor, places) for actor in road.actors["2 at random"]])
    assert widths[failing].mean() > 0.4  # 0.74 +- 0.14 a seed
    assert widths[driving].mean() < 0.3  # 0.22 +- 0.01


@pytest.mark.long
def test_on_average_two_to_five_of_eight_components_are_idle_at_the_fork(road):
    places = road.unseen.observations[ForkDriver(Fork()).is_deciding(road.unseen.observations)]
    counts = torch.zeros(10)
    for i, actor in enumerate(road.actors["8 far apart"]):
        weights = actor.policy(actor.observation_normalizer.normalize(places))[0].softmax(1)
        counts[i] = (weights.mean(dim=0) < 0.01).sum()
    assert 2 <= counts.mean() <= 5  # 3.6 +- 0.9 a seed, so +- 0.28 for ten


@pytest.mark.long
def test_seeds_that_fail_have_on_average_the_larger_held_out_loss(road):
    failing, driving = failing_and_driving(road)
    losses = torch.zeros(len(failing))
    for i, actor in enumerate(road.actors["2 at random"]):
        seen = actor.observation_normalizer.normalize(road.unseen.observations)
        chunks = actor.action_normalizer.normalize(road.unseen.chunks(8))
        with torch.no_grad():
            losses[i] = actor.policy.loss(seen, chunks)
    # -0.05 +- 0.68 against -1.7 +- 0.3 nats a seed: even five that fail are five errors apart.
    assert losses[failing].mean() > losses[driving].mean()
