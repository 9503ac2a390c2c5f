"""The vehicles in the browser against the library's own, over whole drives."""

import numpy as np
import pytest
import torch

from imitation_lab.envs import Fork, Pendulum, Racetrack
from imitation_lab.widgets.vehicles import vehicle_plan

pytestmark = pytest.mark.browser

TASKS = {
    "fork": Fork(),
    "turned fork at 30 Hz": Fork(angle=0.7, response=0.3, road_half_width=0.5).at_rate(30),
    "racetrack": Racetrack(laps=0.5),
    "narrow racetrack at 40 Hz": Racetrack(half_width=0.05, bump=0.4, laps=0.3).at_rate(40),
}
EXACT = {"rtol": 0, "atol": 1e-9}  # both count in double precision here
DRIVE = """([plan, starts, actions]) => starts.map((start, episode) => {
    const vehicle = makeVehicle(plan);
    let state = start;
    return actions[episode].map((action) => {
        state = vehicle.advance(state, action);
        return {
            state,
            seen: vehicle.observe(state),
            failed: vehicle.failed(state),
            succeeded: vehicle.succeeded(state),
            ending: vehicle.endingOf(state),
            offset: vehicle.offset(state),
        };
    });
})"""


def drives(task, episodes=6):
    """Return starts and hesitant random actions, some beyond what the vehicle can do."""
    generator = torch.Generator().manual_seed(3)
    starts = task.initial_states(episodes, generator).double()
    wishes = torch.randn(episodes, task.max_steps, task.action_dim, generator=generator).double()
    drift = torch.tensor([1.0, 0.0] if task.name == "fork" else [0.9], dtype=torch.float64)
    return starts, drift + task.action_bound * wishes


@pytest.mark.parametrize("name", TASKS)
def test_a_whole_drive_in_the_browser_is_the_library_s(run_script, name):
    task, generator = TASKS[name], torch.Generator()
    states, actions = drives(task)
    found = run_script(
        "vehicles.js", DRIVE, [vehicle_plan(task), states.tolist(), actions.tolist()]
    )
    endings = set()
    for step in range(task.max_steps):
        states = task.advance(states, actions[:, step], generator)
        there = {key: [drive[step][key] for drive in found] for key in found[0][step]}
        np.testing.assert_allclose(there["state"], states, **EXACT)
        np.testing.assert_allclose(there["seen"], task.observe(states, generator), **EXACT)
        failed, succeeded = task.failed(states).tolist(), task.succeeded(states).tolist()
        assert (there["failed"], there["succeeded"]) == (failed, succeeded)
        names = [("success" if s else None) if not f else "failure" for f, s in zip(failed, succeeded, strict=True)]  # fmt: skip
        assert there["ending"] == names
        offset = task.offset(states) if task.name == "racetrack" else states[:, 1]
        np.testing.assert_allclose(there["offset"], offset, **EXACT)
        endings |= set(names)
    assert {"failure", None} <= endings  # both sides of the edge were seen


def test_success_is_told_on_both_tasks(run_script):
    for task, start in [
        (Fork(), [1.8, 0, 0, 0, 1, 0, 2, 0]),
        (Racetrack(), [1.5, 0, 1.5, 0, 12.5]),
    ]:
        action = [1.0, 0.0][: task.action_dim]
        [[step]] = run_script("vehicles.js", DRIVE, [vehicle_plan(task), [start], [[action]]])
        assert step["ending"] == "success"


def test_kicks_and_sensor_noise_have_their_sizes_and_places(run_script):
    script = """([plan, state, action]) => {
        const vehicle = makeVehicle(plan);
        const both = (does) => [() => 0, () => 1].map(does);
        const [still, kicked] = both((draw) => vehicle.advance(state, action, draw));
        const [exact, noisy] = both((draw) => vehicle.observe(state, draw));
        return [kicked.map((x, i) => x - still[i]), noisy.map((x, i) => x - exact[i])];
    }"""
    noise = {"process_noise": 0.2, "observation_noise": 0.3}
    kicks, seen = run_script(
        "vehicles.js", script, [vehicle_plan(Fork(**noise)), [0.5] * 8, [1, 0]]
    )
    np.testing.assert_allclose(kicks, [0.02, 0.02, 0.2, 0.2, 0, 0, 0, 0], **EXACT)
    np.testing.assert_allclose(seen, [0, 0.3, 0, 0.3, 0, 0, 0, 0], **EXACT)

    start = [1.2, 0.0, 0.3, 0.1, 0.0]
    plan = vehicle_plan(Racetrack(**noise))
    kicks, seen = run_script("vehicles.js", script, [plan, start, [0.1]])
    assert kicks[2:4] == pytest.approx([0.2, 0.0])
    np.testing.assert_allclose(seen, [0.3, 0.3, 0, 0, 0], **EXACT)


def test_the_browser_s_own_draws_are_standard_normal(run_script):
    count = 100_000
    draws = np.array(
        run_script("vehicles.js", f"() => Array.from({{length: {count}}}, drawNormal)")
    )
    # 6 sigma: of a mean, of a mean square (variance 2) and of a mean fourth power (variance 96).
    assert abs(draws.mean()) < 6 / count**0.5
    assert abs((draws**2).mean() - 1) < 6 * (2 / count) ** 0.5
    assert abs((draws**4).mean() - 3) < 6 * (96 / count) ** 0.5


def test_what_a_person_cannot_drive_is_refused():
    with pytest.raises(ValueError, match="pass a Fork or a Racetrack"):
        vehicle_plan(Pendulum())
    with pytest.raises(ValueError, match="process_noise must be one number"):
        vehicle_plan(Fork(process_noise=torch.tensor([0.1, 0.2])))
