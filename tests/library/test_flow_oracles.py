"""Flow matching against what others wrote, and its exact field against brute force in double precision.

``torchcfm`` and ``flow_matching`` make paths and losses; ``flow_matching`` and ``torchdiffeq`` follow
fields. They know time as the library does: noise at 0, data at 1.
"""

import math

import pytest
import torch
from flow_matching.path import AffineProbPath
from flow_matching.path.scheduler import CondOTScheduler
from flow_matching.solver import ODESolver
from scipy import stats
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torchcfm.conditional_flow_matching import ConditionalFlowMatcher
from torchdiffeq import odeint

from imitation_lab.flows import exact_velocity, integrate, interpolate, path, posterior
from imitation_lab.policies.flow import FlowPolicy

# What torchdiffeq calls the library's solvers.
THEIR_NAMES = {"euler": "euler", "midpoint": "midpoint", "heun": "heun2"}
SHAPES = [(1, 1, 1), (1, 5, 2), (7, 1, 3), (7, 5, 1), (8, 6, 4)]  # batch, data points, dimensions
# Double precision: 16 digits, of which a few dozen operations on numbers about one lose two or three.
TIGHT = {"rtol": 1e-12, "atol": 1e-12}


def normal(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def uniform(number, low=0.0, high=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(number, generator=generator, dtype=torch.float64)


def make_policy(action_dim=3, horizon=2, **settings):
    generator = torch.Generator().manual_seed(0)
    policy = FlowPolicy(4, action_dim, horizon, width=16, generator=generator, **settings)
    # A fresh network's velocity hardly depends on point and time: mistakes would not show.
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(2)
    return policy.double()


def their_path():
    return AffineProbPath(scheduler=CondOTScheduler())


# Paths and losses --------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "_", "dim"), SHAPES)
def test_lines_and_velocities_are_torchcfms(batch, _, dim):
    noise, data, times = normal(batch, dim), normal(batch, dim, seed=1), uniform(batch)
    points, velocity = interpolate(noise, data, times)
    matcher = ConditionalFlowMatcher(sigma=0.0)
    _, expected, flow = matcher.sample_location_and_conditional_flow(noise, data, times)
    torch.testing.assert_close(points, expected, **TIGHT)
    torch.testing.assert_close(velocity, flow, **TIGHT)


@pytest.mark.parametrize(("batch", "_", "dim"), SHAPES)
def test_lines_and_velocities_are_those_of_flow_matching(batch, _, dim):
    noise, data, times = normal(batch, dim), normal(batch, dim, seed=1), uniform(batch)
    points, velocity = interpolate(noise, data, times)
    sample = their_path().sample(x_0=noise, x_1=data, t=times)
    torch.testing.assert_close(points, sample.x_t, **TIGHT)
    torch.testing.assert_close(velocity, sample.dx_t, **TIGHT)


def same_draws(chunks, seed):
    """Return the noise and the times that the policy's loss draws with this seed."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(chunks.shape, generator=generator)
    return noise, torch.rand(len(chunks), generator=generator)


@pytest.mark.parametrize("library", ["torchcfm", "flow_matching"])
def test_the_policys_loss_is_the_one_that_others_would_compute(library):
    policy, observations = make_policy(), normal(50, 4)
    chunks = normal(50, 6, seed=1)
    noise, times = same_draws(chunks, seed=5)
    if library == "torchcfm":
        matcher = ConditionalFlowMatcher(sigma=0.0)
        _, points, target = matcher.sample_location_and_conditional_flow(noise, chunks, times)
    else:
        sample = their_path().sample(x_0=noise, x_1=chunks, t=times)
        points, target = sample.x_t, sample.dx_t
    mean = torch.nn.functional.mse_loss(policy.velocity(points, times, observations), target)
    given = policy.loss(observations, chunks.unflatten(1, (2, 3)), torch.Generator().manual_seed(5))
    # Their mean runs over the chunk's six numbers too, where the library sums: a squared norm.
    torch.testing.assert_close(given, 6 * mean, **TIGHT)


# Solvers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_steps", [1, 3, 10])
@pytest.mark.parametrize("solver", THEIR_NAMES)
def test_denoising_is_flow_matchings_sampling(solver, num_steps):
    policy, noise, observations = make_policy(), normal(9, 6), normal(9, 4, seed=1)
    oracle = ODESolver(lambda x, t: policy.velocity(x, t.expand(len(x)), observations))
    grid = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    expected = oracle.sample(noise, step_size=None, method=THEIR_NAMES[solver], time_grid=grid)
    given = policy.denoise(noise, observations, num_steps, solver)
    torch.testing.assert_close(given.flatten(1), expected, **TIGHT)


@pytest.mark.parametrize("num_steps", [1, 3, 10])
@pytest.mark.parametrize("solver", THEIR_NAMES)
def test_a_path_stops_where_torchdiffeqs_does(solver, num_steps):
    start, data = normal(9, 2), normal(5, 2, seed=1)
    grid = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    field = smooth_field(data)
    expected = odeint(
        lambda t, x: field(x, t.expand(len(x))), start, grid, method=THEIR_NAMES[solver]
    )
    stops = path(field, start, num_steps, solver)
    torch.testing.assert_close(stops, expected, **TIGHT)
    assert torch.equal(integrate(field, start, num_steps, solver), stops[-1])


def test_gradients_flow_back_along_the_path_as_in_torchdiffeq():
    policy, observations = make_policy(), normal(9, 4, seed=1)

    def field(points, times):
        return policy.velocity(points, times, observations)

    noise = normal(9, 6).requires_grad_()
    grid = torch.linspace(0, 1, 6, dtype=torch.float64)
    theirs = odeint(lambda t, x: field(x, t.expand(len(x))), noise, grid, method="midpoint")[-1]
    weights = normal(9, 6, seed=2)
    inputs = [noise, *policy.parameters()]
    expected = torch.autograd.grad((weights * theirs).sum(), inputs)
    given = torch.autograd.grad((weights * integrate(field, noise, 5, "midpoint")).sum(), inputs)
    for own, other in zip(given, expected, strict=True):
        torch.testing.assert_close(own, other, **TIGHT)


def smooth_field(means, width=0.3):
    """Return the closed-form field of data from equally likely normal blobs.

    At time t a blob's points have the variance ``(t width)² + (1 - t)²``, and move with the blob's
    mean and with its spread: ``mean + (points - t mean) * (variance' / 2) / variance``. Unlike the
    field of single points, this one is smooth up to time 1.
    """

    def velocity(points, times):
        times = times[:, None, None]
        variance = (times * width).square() + (1 - times).square()
        growth = (times * width**2 - (1 - times)) / variance
        offsets = points[:, None] - times * means
        log_weights = -0.5 * offsets.square().sum(dim=2) / variance.squeeze(2)
        return (log_weights.softmax(dim=1)[..., None] * (means + growth * offsets)).sum(dim=1)

    return velocity


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_twice_the_steps_come_closer_to_the_adaptive_solution_by_the_solvers_order(solver, order):
    start, field = normal(50, 2), smooth_field(normal(5, 2, seed=1))
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    exact = odeint(
        lambda t, x: field(x, t.expand(len(x))),
        start,
        ends,
        rtol=1e-10,
        atol=1e-10,
        method="dopri5",
    )[-1]
    coarse, fine = ((integrate(field, start, n, solver) - exact).norm() for n in (400, 800))
    assert fine < 0.2
    # The next term of the error's series is smaller by a step's length times a modest number.
    assert abs(math.log2(coarse / fine) - order) < 0.1


def test_following_the_exact_field_is_what_an_adaptive_solver_does():
    start, data = normal(50, 2), normal(5, 2, seed=1)

    def field(points, times):
        return exact_velocity(points, times, data)

    ends = torch.tensor([0.0, 0.75], dtype=torch.float64)
    exact = odeint(
        lambda t, x: field(x, t.expand(len(x))),
        start,
        ends,
        rtol=1e-10,
        atol=1e-10,
        method="dopri5",
    )[-1]
    given = {steps: path(field, start, steps, "midpoint")[steps * 3 // 4] for steps in (400, 800)}
    # Richardson: two results of second order make one of third, so that little is left.
    extrapolated = (4 * given[800] - given[400]) / 3
    torch.testing.assert_close(extrapolated, exact, rtol=0, atol=1e-6)


# The exact field ---------------------------------------------------------------------------------


def brute_force(points, times, data):
    """Return posterior and velocity, row by row and data point by data point."""
    probabilities, velocities = [], []
    for point, time in zip(points, times, strict=True):
        likelihoods = torch.stack(
            [Normal(time * end, 1 - time).log_prob(point).sum().exp() for end in data]
        )
        probabilities.append(likelihoods / likelihoods.sum())
        # The line that ends at a data point and passes here began at this noise.
        lines = [end - (point - time * end) / (1 - time) for end in data]
        velocities.append(sum(p * line for p, line in zip(probabilities[-1], lines, strict=True)))
    return torch.stack(probabilities), torch.stack(velocities)


@pytest.mark.parametrize(("batch", "count", "dim"), SHAPES)
def test_posterior_and_field_are_bayes_rule_by_brute_force(batch, count, dim):
    points, times, data = normal(batch, dim), uniform(batch, 0, 0.9), normal(count, dim, seed=1)
    probabilities, velocities = brute_force(points, times, data)
    torch.testing.assert_close(posterior(points, times, data), probabilities, **TIGHT)
    torch.testing.assert_close(exact_velocity(points, times, data), velocities, rtol=0, atol=1e-11)


def density(points, times, data):
    """Return the log density of where lines from noise to the data are at the given times."""
    means = times[:, None, None] * data
    blobs = Independent(Normal(means, (1 - times)[:, None, None].expand_as(means)), 1)
    evenly = Categorical(logits=torch.zeros(len(times), len(data), dtype=times.dtype))
    return MixtureSameFamily(evenly, blobs).log_prob(points)


def test_the_field_is_the_densitys_score_in_another_dress():
    data, times = normal(6, 3, seed=1), uniform(40, 0.05, 0.9)
    points = normal(40, 3).requires_grad_()
    (score,) = torch.autograd.grad(density(points, times, data).sum(), points)
    # The noise's mean is -(1 - t) * score, so x = (1 - t) noise + t data gives the data's.
    expected = (points + (1 - times)[:, None] * score) / times[:, None]
    torch.testing.assert_close(exact_velocity(points, times, data), expected, rtol=0, atol=1e-10)


def test_the_field_carries_the_density_by_the_continuity_equation():
    data = normal(6, 2, seed=1)
    points, times = normal(60, 2).requires_grad_(), uniform(60, 0.05, 0.8).requires_grad_()
    log_density = density(points, times, data)
    change, score = torch.autograd.grad(log_density.sum(), [times, points], create_graph=True)
    velocity = exact_velocity(points, times, data)
    divergence = sum(
        torch.autograd.grad(velocity[:, axis].sum(), points, retain_graph=True)[0][:, axis]
        for axis in range(2)
    )
    # d log p / dt + v . grad log p + div v = 0, which is the equation divided by the density.
    balance = change + (velocity * score).sum(dim=1) + divergence
    assert change.abs().min() > 1e-3  # so that zero is no accident
    torch.testing.assert_close(balance, torch.zeros_like(balance), rtol=0, atol=1e-9)


def test_nothing_that_a_point_tells_is_left_in_the_fields_error(generator):
    data, number = normal(4, 2, seed=1), 100_000
    ends = data[torch.randint(4, (number,), generator=generator)]
    noise = torch.randn(number, 2, generator=generator, dtype=torch.float64)
    times = torch.rand(number, generator=generator, dtype=torch.float64)
    points, velocity = interpolate(noise, ends, times)
    field = exact_velocity(points, times, data)
    # The mean of u given x leaves an error u - v that no function of the point correlates with.
    for told in (field, points, points.sin(), torch.ones_like(points)):
        products = ((velocity - field) * told).sum(dim=1)
        assert products.mean().abs() < 6 * products.std() / math.sqrt(number)
    assert ((velocity - field) * noise).sum(dim=1).mean() < -0.1  # and the noise is not told


def test_at_time_zero_the_field_points_to_the_mean():
    points, data = normal(7, 3), normal(5, 3, seed=1)
    given = exact_velocity(points, torch.zeros(7, dtype=torch.float64), data)
    torch.testing.assert_close(given, data.mean(dim=0) - points, **TIGHT)


@pytest.mark.parametrize("steps", [1, 4])
def test_with_one_data_point_euler_arrives_there_exactly(steps):
    start, data = normal(7, 3), normal(1, 3, seed=1)
    end = integrate(lambda x, t: exact_velocity(x, t, data), start, steps)
    torch.testing.assert_close(end, data.expand(7, 3), **TIGHT)


def test_data_points_given_twice_count_twice():
    points, times, data = normal(7, 3), uniform(7, 0, 0.9), normal(5, 3, seed=1)
    repeated = torch.cat([data, data[:2]])
    given = posterior(points, times, repeated)
    once = posterior(points, times, data)
    weights = torch.tensor([2.0, 2.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    expected = once * weights / (once * weights).sum(dim=1, keepdim=True)
    merged = torch.cat([given[:, :2] + given[:, 5:], given[:, 2:5]], dim=1)
    torch.testing.assert_close(merged, expected, **TIGHT)


def bounds_by_rounding(points, times, data):
    """Return between what a posterior in single precision may lie, by double precision.

    Every operation rounds by 2^-24 of its result, and nothing on the way to an offset is larger than
    ``|points| + |times * data|``. The square doubles that, and the quotient adds a little: four times
    in all. The sum that a softmax divides by may err the other way.
    """
    points, times, data = points.double(), times.double(), data.double()
    ends = times[:, None, None] * data
    offsets = (points[:, None] - ends).norm(dim=2)
    largest = points.norm(dim=1, keepdim=True) + ends.norm(dim=2)
    doubt = 4 * 2.0**-24 * offsets * largest / (1 - times)[:, None].square()
    log_probabilities = posterior(points, times, data).log()
    more, less = log_probabilities + doubt, log_probabilities - doubt
    low = less - more.logsumexp(dim=1, keepdim=True)
    high = more - less.logsumexp(dim=1, keepdim=True)
    return low.exp(), high.exp().clamp(max=1.0)


@pytest.mark.parametrize("left", [1.0, 0.1, 1e-2, 1e-3])
def test_single_precision_is_enough_on_the_way_to_the_end(left):
    data = normal(5, 2, seed=1).float()
    times = torch.full((200,), 1 - left)
    points, _ = interpolate(normal(200, 2).float(), data[torch.arange(200) % 5], times)
    low, high = bounds_by_rounding(points, times, data)
    assert (high - low).quantile(0.9) < 0.002
    given = posterior(points, times, data)
    assert ((given > low - 1e-6) & (given < high + 1e-6)).all()


@pytest.mark.parametrize("distance", [1.0, 100.0, 10_000.0])
@pytest.mark.parametrize("time", [0.0, 0.5, 0.999, 1 - 2.0**-24])
def test_far_points_and_late_times_give_finite_numbers_no_worse_than_their_rounding(time, distance):
    data = normal(5, 2, seed=1).float()
    points = distance * torch.nn.functional.normalize(normal(200, 2)).float()
    times = torch.full((200,), time)
    low, high = bounds_by_rounding(points, times, data)
    given = posterior(points, times, data)
    assert exact_velocity(points, times, data).isfinite().all()
    torch.testing.assert_close(given.sum(dim=1), torch.ones(200))
    assert ((given > low - 1e-6) & (given < high + 1e-6)).all()


def test_points_on_the_exact_field_arrive_at_every_data_point_equally_often():
    data = 2 * normal(4, 2, seed=1)
    start = normal(2000, 2)
    end = integrate(lambda x, t: exact_velocity(x, t, data), start, 200)
    distances, nearest = torch.cdist(end, data).min(dim=1)
    # Euler's last step, from time 1 - 1/200 on, goes to the mean of the posterior.
    assert distances.quantile(0.9) < 0.05
    assert stats.chisquare(torch.bincount(nearest, minlength=4).numpy()).pvalue > 1e-9


@pytest.mark.parametrize("time", [-0.01, 1.0, math.nan])
def test_times_without_a_field_are_refused(time):
    points, data = normal(3, 2), normal(5, 2, seed=1)
    times = torch.tensor([0.5, time, 0.2], dtype=torch.float64)
    for ask in (posterior, exact_velocity):
        with pytest.raises(ValueError, match="times must be at least 0 and below 1, got"):
            ask(points, times, data)


def test_heun_cannot_follow_the_exact_field_to_its_end():
    data = normal(5, 2, seed=1)
    with pytest.raises(ValueError, match="got 1 to 1: the field is not defined where lines have"):
        integrate(lambda x, t: exact_velocity(x, t, data), normal(3, 2), 49, "heun")


def test_a_field_of_no_data_is_refused():
    with pytest.raises(ValueError, match="got no data: expected at least one point"):
        exact_velocity(normal(3, 2), uniform(3), normal(0, 2))


@pytest.mark.parametrize("solver", THEIR_NAMES)
def test_no_points_arrive_nowhere(solver):
    field = smooth_field(normal(5, 2, seed=1))
    assert integrate(field, normal(0, 2), 3, solver).shape == (0, 2)
