"""What notebook 03 says in words, held over ten seeds that it does not use.

Seeds of one kind differ much where training may end in several places. So claims about how often
that happens are made about all seeds of a kind together, and bounds stand at the notebook's words.
"""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from imitation_lab.collection import demonstrate
from imitation_lab.envs import Fork
from imitation_lab.evaluation import pool
from imitation_lab.experts import ForkDriver, NoisyActor
from imitation_lab.networks import count_parameters
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.toys import three_lanes, two_drivers
from tools.source import read_notebook

SOURCE = Path(__file__).parents[2] / "source" / "03_mixtures_of_gaussians.py"
FRESH_SEEDS = range(1000, 1010)
pytestmark = pytest.mark.claims


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def notebook():
    """The solved notebook's functions and classes, on the CPU, with seeds of our own."""
    module = ModuleType(SOURCE.stem)
    for cell in read_notebook(SOURCE).cells:
        if cell.kind == "code" and cell.tag != "train":
            exec(compile(cell.source, f"{cell.file}:{cell.line}", "exec"), module.__dict__)
    module.device = torch.device("cpu")
    module.SEEDS = FRESH_SEEDS
    return module


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


# Without a network


@pytest.fixture(scope="module")
def starts(notebook):
    """Held-out losses above the truth's own, and weights, of ten starts for each number and seed."""
    lanes = three_lanes()
    excess, idle = {}, {}
    for seed in FRESH_SEEDS:
        generator = seeded(seed)
        commands, held_out = lanes.sample(300, generator), lanes.sample(4000, generator)
        truth = -lanes.log_prob(held_out).mean()
        for components in (1, 3, 6, 8):
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
    assert starts.excess[1].min() > 0.8


def test_three_components_find_three_lanes_from_some_starts_and_often_not(starts):
    found = (starts.excess[3] < 0.05).float().mean()
    assert 0.1 < found < 0.7


def test_from_six_on_nearly_every_start_comes_close_to_the_truth(starts):
    for components in (6, 8):
        assert (starts.excess[components] < 0.05).float().mean() > 0.85


def test_most_fits_with_spare_components_leave_at_least_one_idle(starts):
    for components in (6, 8):
        assert (starts.idle[components] >= 1).float().mean() > 0.5


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
    for seed in FRESH_SEEDS:
        recorded, fresh = notebook.stuttering_record(seed)
        free, free_held_out = notebook.watch_collapse(recorded, fresh, -100.0)
        stopped, stopped_held_out = notebook.watch_collapse(recorded, fresh, notebook.FLOOR)
        assert free[-1] < free[len(free) // 2] - 0.5, "still falling"
        assert stopped[-1] > stopped[len(stopped) // 2] - 0.05, "no longer falling"
        for held_out in (free_held_out, stopped_held_out):
            assert held_out[-1] > held_out.min() + 0.02


# On the road


@pytest.fixture(scope="module")
def road(notebook):
    """Every kind of policy that the notebook trains, ten seeds with demonstrations of their own."""
    task = Fork()
    drivers = {side: NoisyActor(ForkDriver(task, (side,)), 0.03) for side in ("left", "right")}
    data = {seed: demonstrate(task, drivers, 100, seeded(seed)) for seed in FRESH_SEEDS}

    def mixtures(components, choose, horizon):
        def make(seed, width):
            own = data.get(seed, data[FRESH_SEEDS[0]])  # the width is sought with seed 0
            return notebook.mixtures(own, components, choose, horizon)(seed, width)

        return make

    kinds = {
        "regression": [notebook.classic(RegressionPolicy, 1)],
        "gaussian": [notebook.classic(GaussianPolicy, 1)],
        "mixture": [mixtures(8, notebook.far_apart, 1)],
        "gaussian chunks": [notebook.classic(GaussianPolicy, 8)],
    }
    for components in (2, 8):
        kinds[f"{components}"] = [
            mixtures(components, choose, 8) for choose in (notebook.at_random, notebook.far_apart)
        ]
    actors = {}
    for name, makes in kinds.items():
        trained = notebook.clone(makes, list(data.values()) * len(makes), name)
        names = [name] if len(makes) == 1 else [f"{name} at random", f"{name} far apart"]
        actors.update(zip(names, trained, strict=True))
    results = {name: notebook.drive(players, task) for name, players in actors.items()}
    unseen = demonstrate(task, drivers, 50, seeded(2000))
    return SimpleNamespace(
        task=task,
        actors=actors,
        results=results,
        unseen=unseen,
        places=unseen.observations[ForkDriver(task).is_deciding(unseen.observations)],
        rates={name: [e.success.rate for e in group] for name, group in results.items()},
    )


def rate(road, name):
    return pool(road.results[name]).rate


def test_all_policies_have_the_same_number_of_parameters_within_two_per_cent(notebook, road):
    for players in road.actors.values():
        assert count_parameters(players[0].policy) == pytest.approx(notebook.BUDGET, rel=0.02)


def test_with_one_action_a_step_the_mixture_does_best(road):
    assert rate(road, "regression") < 0.1
    assert 0.35 < rate(road, "gaussian") < 0.7
    assert rate(road, "mixture") > 0.8


def test_in_chunks_the_gaussian_fails_and_the_mixture_does_not(road):
    assert rate(road, "gaussian chunks") < 0.25
    assert rate(road, "8 far apart") > 0.8


def test_two_components_drive_from_some_seeds_like_an_expert_and_from_others_like_a_gaussian(road):
    rates = road.rates["2 at random"]
    assert max(rates) > 0.9
    assert min(rates) < 0.25


def test_spare_components_and_a_start_far_apart_help(road):
    assert rate(road, "8 at random") > rate(road, "2 at random")
    assert rate(road, "8 far apart") > rate(road, "2 at random") + 0.1
    assert rate(road, "2 far apart") > rate(road, "2 at random")


def heaviest_width(actor, observations):
    """Widest lateral command in the heaviest component's chunk, in m/s, averaged over places."""
    with torch.no_grad():
        logits, _, log_stds = actor.policy(actor.observation_normalizer.normalize(observations))
    rows = torch.arange(len(logits))
    stds = log_stds[rows, logits.argmax(dim=1)].exp().unflatten(1, (-1, 2))[:, :, 1]
    return float(stds.amax(dim=1).mean() * actor.action_normalizer.scale[1])


def test_in_the_worst_seed_one_component_covers_both_sides_on_the_last_metre(road):
    rates, players = torch.tensor(road.rates["2 at random"]), road.actors["2 at random"]
    seen = road.unseen.observations
    ahead = seen[:, 4] - seen[:, 0]
    places = seen[(ahead > 0.9) & (ahead <= 1.0)]  # chunks from here reach into the swerve
    assert heaviest_width(players[int(rates.argmin())], places) > 0.4
    assert heaviest_width(players[int(rates.argmax())], places) < 0.3


def test_about_four_of_eight_components_are_idle_at_the_fork(notebook, road):
    counts = torch.zeros(10)
    for i, actor in enumerate(road.actors["8 far apart"]):
        weights = actor.policy(actor.observation_normalizer.normalize(road.places))[0].softmax(1)
        counts[i] = (weights.mean(dim=0) < 0.01).sum()
    assert 2.5 < counts.mean() < 5.5


def test_the_seed_with_the_least_held_out_loss_drives_well(road):
    for name in ("2 at random", "2 far apart", "8 at random", "8 far apart"):
        losses = []
        for actor in road.actors[name]:
            seen = actor.observation_normalizer.normalize(road.unseen.observations)
            chunks = actor.action_normalizer.normalize(road.unseen.chunks(8))
            with torch.no_grad():
                losses.append(float(actor.policy.loss(seen, chunks)))
        assert road.rates[name][losses.index(min(losses))] > 0.75
