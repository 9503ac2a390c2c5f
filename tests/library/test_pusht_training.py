"""Training Push-T's policies: the same again, taken up after an interruption, on any device."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from imitation_lab.data import Demonstrations
from imitation_lab.pusht import training
from imitation_lab.pusht.encoding import FEATURE_DIM, absolute, encode, relative
from imitation_lab.pusht.recipe import KINDS, Recipe
from imitation_lab.pusht.shipped import shipped_demonstrations
from imitation_lab.pusht.training import train_policy, training_pairs
from imitation_lab.training import TrainingSettings, best_device
from imitation_lab.types import Trajectory

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe("flow", prediction_horizon=3, width=16, depth=1)
SETTINGS = TrainingSettings(steps=60, batch_size=32, learning_rate=2e-3, warmup_steps=5)


@pytest.fixture(scope="module")
def data():
    """Return a few short episodes."""
    everything = shipped_demonstrations()
    return Demonstrations(tuple(sorted(everything.trajectories, key=len)[:6]), everything.task)


@pytest.fixture(autouse=True)
def quick_to_keep(monkeypatch):
    """Keep what was reached at every hundredth step, however fast they are."""
    monkeypatch.setattr(training, "SAVE_EVERY", -1.0)


def train(data, recipe=RECIPE, settings=SETTINGS, device="cpu", **more):
    return train_policy(recipe, data, settings, device=device, progress=False, **more)


def weights(policy):
    parts = (policy.policy, policy.features, policy.actions)
    return torch.cat([v.flatten().cpu() for part in parts for v in part.state_dict().values()])


def kept_at(path):
    return path.with_suffix(".training.safetensors")


class KilledError(Exception):
    """Stands for a process that is killed: nobody heeds it."""


def kill_after(monkeypatch, steps, error=KilledError):
    """Let training end without warning after so many steps."""
    step = training._Training._one_step
    made = []

    def dying(self):
        if len(made) == steps:
            raise error
        made.append(1)
        return step(self)

    monkeypatch.setattr(training._Training, "_one_step", dying)
    return lambda: monkeypatch.setattr(training._Training, "_one_step", step)


# What is learnt from -----------------------------------------------------------------------------


def test_pairs_are_what_was_seen_and_what_was_asked_for_from_there_on(data):
    features, chunks = training_pairs(RECIPE, data)
    assert torch.equal(features, encode(data.observations))
    back = absolute(chunks, data.observations)
    torch.testing.assert_close(back, data.chunks(3), rtol=0, atol=1e-2)
    assert torch.equal(chunks, relative(data.chunks(3), data.observations))


def test_pairs_with_several_frames_never_cross_into_the_episode_before(data):
    """What each episode gives alone is what it gives among others."""
    recipe = replace(RECIPE, frames=3)
    alone = [training_pairs(recipe, Demonstrations((t,))) for t in data.trajectories]
    features, chunks = training_pairs(recipe, data)
    assert torch.equal(features, torch.cat([pair[0] for pair in alone]))
    assert torch.equal(chunks, torch.cat([pair[1] for pair in alone]))
    first = features[len(data.trajectories[0])].split(FEATURE_DIM)
    assert torch.equal(first[0], first[1]) and torch.equal(first[0], first[2])


def test_the_ranges_are_those_of_the_training_data(data):
    policy = train(data, settings=replace(SETTINGS, steps=1))
    features, chunks = training_pairs(RECIPE, data)
    assert torch.equal(policy.features.low, features.amin(dim=0))
    assert torch.equal(policy.features.high, features.amax(dim=0))
    assert torch.equal(policy.actions.low, chunks.flatten(0, 1).amin(dim=0))
    assert torch.equal(policy.actions.high, chunks.flatten(0, 1).amax(dim=0))


def test_the_experts_seconds_are_those_of_its_actions(data):
    policy = train(data, settings=replace(SETTINGS, steps=1))
    assert policy.expert_seconds == pytest.approx(sum(len(t) for t in data.trajectories) / 10)


# The same again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_fixes_what_is_learnt(data, kind):
    recipe = replace(RECIPE, kind=kind)
    short = replace(SETTINGS, steps=10)
    first, again, other = (weights(train(data, recipe, short, seed=s)) for s in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss_of_every_kind(data, kind):
    recipe = replace(RECIPE, kind=kind, width=32)
    features, chunks = training_pairs(recipe, data)

    def loss_after(steps):
        policy = train(data, recipe, replace(SETTINGS, steps=steps))
        normalised = policy.features.normalize(features), policy.actions.normalize(chunks)
        draws = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return float(
                policy.policy.loss(
                    *(part.repeat(8, *[1] * (part.dim() - 1)) for part in normalised), draws
                )
            )

    assert loss_after(300) < loss_after(1) - 0.1


def test_a_trained_policy_is_ready_to_act(data):
    policy = train(data)
    assert not policy.policy.training
    chunks = policy.sample(data.observations[:5], torch.Generator().manual_seed(0))
    assert chunks.shape == (5, 3, 2) and chunks.isfinite().all()


def test_training_does_not_change_the_demonstrations(data):
    before = [(t.observations.clone(), t.actions.clone()) for t in data.trajectories]
    train(data)
    for trajectory, (observations, actions) in zip(data.trajectories, before, strict=True):
        assert torch.equal(trajectory.observations, observations)
        assert torch.equal(trajectory.actions, actions)


def test_the_number_of_threads_is_as_it_was(data):
    before = torch.get_num_threads()
    train(data)
    assert torch.get_num_threads() == before


# Interrupted -------------------------------------------------------------------------------------

LONG = replace(SETTINGS, steps=130)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    data, kind, tmp_path, monkeypatch
):
    """Killed after 115 steps, 100 of them kept. The last ones are made once more."""
    recipe = replace(RECIPE, kind=kind)
    expected = weights(train(data, recipe, LONG))
    path = tmp_path / "policy.safetensors"
    heal = kill_after(monkeypatch, 115)
    with pytest.raises(KilledError):
        train(data, recipe, LONG, path=path)
    heal()
    assert kept_at(path).is_file()
    assert torch.equal(weights(train(data, recipe, LONG, path=path)), expected)


def test_a_training_that_is_killed_twice_goes_on_twice(data, tmp_path, monkeypatch, capsys):
    path, longer = tmp_path / "policy.safetensors", replace(SETTINGS, steps=230)
    for _ in range(2):
        heal = kill_after(monkeypatch, 110)
        with pytest.raises(KilledError):
            train(data, settings=longer, path=path)
        heal()
    resumed = train(data, settings=longer, path=path)
    told = capsys.readouterr().out
    assert "from step 100 of 230" in told and "from step 200 of 230" in told
    assert torch.equal(weights(resumed), weights(train(data, settings=longer)))


def interrupt_during(monkeypatch, steps):
    """Let Ctrl-C arrive in the middle of a step, as it mostly does."""
    step, made = training._Training._one_step, []

    def interrupted(self):
        made.append(1)
        if len(made) == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self)

    monkeypatch.setattr(training._Training, "_one_step", interrupted)
    return lambda: monkeypatch.setattr(training._Training, "_one_step", step)


def test_ctrl_c_in_the_middle_of_a_step_lets_it_end_and_keeps_it(data, tmp_path, monkeypatch):
    path = tmp_path / "policy.safetensors"
    heal = interrupt_during(monkeypatch, 37)
    with pytest.raises(KeyboardInterrupt, match="after 37 steps: call again to go on"):
        train(data, path=path)
    heal()
    assert torch.equal(weights(train(data, path=path)), weights(train(data)))


def test_ctrl_c_at_the_last_step_loses_nothing(data, tmp_path, monkeypatch):
    path = tmp_path / "policy.safetensors"
    heal = interrupt_during(monkeypatch, SETTINGS.steps)
    with pytest.raises(KeyboardInterrupt):
        train(data, path=path)
    heal()
    policy = train(data, path=path)
    assert torch.equal(weights(policy), weights(train(data)))
    assert not policy.policy.training


def test_without_a_path_ctrl_c_says_that_all_is_lost(data, monkeypatch):
    interrupt_during(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt, match="without a path, all is lost"):
        train(data)


def test_ctrl_c_is_heeded_as_before_once_training_has_ended(data, tmp_path, monkeypatch):
    train(data)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    interrupt_during(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train(data)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_threads_training_and_another_programs_handler_leave_ctrl_c_alone(data):
    """Only the main thread may say what Ctrl-C does, and only its usual meaning is replaced."""
    found = []
    thread = threading.Thread(target=lambda: found.append(weights(train(data))))
    thread.start()
    thread.join()
    assert torch.equal(found[0], weights(train(data)))
    before = signal.signal(signal.SIGINT, mine := lambda *_: None)
    try:
        train(data)
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


SCRIPT = """
import sys
from imitation_lab.data import Demonstrations
from imitation_lab.pusht.recipe import Recipe
from imitation_lab.pusht.training import train_policy
from imitation_lab.training import TrainingSettings

recipe = Recipe("flow", prediction_horizon=3, width=16, depth=1)
settings = TrainingSettings(steps=10**7, batch_size=32, learning_rate=2e-3, warmup_steps=5)
demonstrations = Demonstrations.load(sys.argv[1])
train_policy(recipe, demonstrations, settings, path=sys.argv[2], device="cpu")
"""


def test_ctrl_c_in_a_real_process_keeps_what_was_reached(data, tmp_path):
    data.save(tmp_path / "data.npz")
    path = tmp_path / "policy.safetensors"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "data.npz"), str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Shells have programs that they start in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        told = read_until(process.stdout, rb"\D\d{3,}/10000000")  # the bar has passed 99 steps
        process.send_signal(signal.SIGINT)
        told += process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert b"call again to go on from there" in told
    steps = int(told.split(b"KeyboardInterrupt: stopped after ")[1].split()[0])
    kept = load_file(kept_at(path))
    assert steps >= 100 and int(kept["step.0"]) == steps
    assert list(tmp_path.glob(".*")) == []  # nothing half-written


def read_until(stream, pattern):
    told, deadline = b"", time.monotonic() + 90
    while not re.search(pattern, told):
        part = stream.read1(4096)
        assert part and time.monotonic() < deadline, told
        told += part
    return told


# What was kept -----------------------------------------------------------------------------------


def test_what_was_kept_is_removed_at_the_end(data, tmp_path, monkeypatch):
    path = tmp_path / "policy.safetensors"
    train(data, settings=LONG, path=path)
    assert list(tmp_path.iterdir()) == []


def test_a_training_without_a_path_keeps_nothing(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(data, settings=LONG)
    assert list(tmp_path.iterdir()) == []


def changed(data):
    """Return demonstrations of the same size of which one number is different."""
    first, *others = data.trajectories
    actions = first.actions.clone()
    actions[3, 1] += 0.5
    one = Trajectory(first.observations, actions, first.driver, first.ending)
    return Demonstrations((one, *others), data.task)


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": replace(RECIPE, kind="diffusion")},
        {"recipe": replace(RECIPE, num_steps=3)},
        {"settings": replace(LONG, learning_rate=1e-3)},
        {"settings": replace(LONG, steps=131)},
        {"seed": 1},
        {"data": changed},
    ],
    ids=["kind", "steps to a chunk", "learning rate", "steps", "seed", "data"],
)
def test_what_another_training_left_is_not_used(data, other, tmp_path, monkeypatch, capsys):
    path = tmp_path / "policy.safetensors"
    heal = kill_after(monkeypatch, 110)
    with pytest.raises(KilledError):
        train(data, settings=LONG, path=path)
    heal()
    settings = {"settings": LONG, **other}
    if "data" in settings:
        data = settings.pop("data")(data)
    found = weights(train(data, path=path, **settings))
    assert "is from another training: this one begins anew" in capsys.readouterr().out
    assert torch.equal(found, weights(train(data, **settings)))


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_was_not_left_by_a_training_is_not_used(data, content, tmp_path):
    path = tmp_path / "policy.safetensors"
    kept_at(path).write_bytes(content)
    assert torch.equal(weights(train(data, path=path)), weights(train(data)))


def test_trainings_with_different_paths_do_not_meet(data, tmp_path, monkeypatch):
    """Also where a name has a dot of its own."""
    heal = kill_after(monkeypatch, 110)
    for name in ("flow_0.safetensors", "flow_1.safetensors"):
        with pytest.raises(KilledError):
            train(data, settings=LONG, path=tmp_path / name)
        heal()
        heal = kill_after(monkeypatch, 110)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_loss_that_is_not_finite_is_told(data):
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train(data, replace(RECIPE, kind="regression"), replace(SETTINGS, learning_rate=1e30))


# Devices -----------------------------------------------------------------------------------------


def test_by_default_the_fastest_device_trains(data):
    policy = train_policy(RECIPE, data, replace(SETTINGS, steps=2), progress=False)
    (device,) = {parameter.device.type for parameter in policy.policy.parameters()}
    assert device == best_device().type


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_resumes_and_hands_over(data, tmp_path, monkeypatch):
    path = tmp_path / "policy.safetensors"
    heal = kill_after(monkeypatch, 115)
    with pytest.raises(KilledError):
        train(data, settings=LONG, path=path, device="cuda")
    heal()
    policy = train(data, settings=LONG, path=path, device="cuda")
    assert all(value.is_cuda for value in policy.policy.parameters())
    assert torch.equal(weights(policy), weights(train(data, settings=LONG, device="cuda")))
    chunks = policy.to("cpu").sample(data.observations[:5], torch.Generator().manual_seed(0))
    assert chunks.isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_a_gpu_left_is_not_taken_up_by_a_cpu(data, tmp_path, monkeypatch):
    path = tmp_path / "policy.safetensors"
    heal = kill_after(monkeypatch, 110)
    with pytest.raises(KilledError):
        train(data, settings=LONG, path=path, device="cuda")
    heal()
    assert torch.equal(
        weights(train(data, settings=LONG, path=path)), weights(train(data, settings=LONG))
    )
