"""What training learnt comes back from its file, or is refused with the reason."""

import json
import math

import pytest
import safetensors.torch
import torch

from imitation_lab.checkpoints import load_checkpoint, save_checkpoint
from imitation_lab.controller import ChunkPlayer
from imitation_lab.data import Demonstrations
from imitation_lab.policies.autoregressive import AutoregressivePolicy
from imitation_lab.policies.categorical import Bins, CategoricalPolicy
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.mixture import MixturePolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingSettings, train
from imitation_lab.types import Trajectory


def trained(policy):
    generator = torch.Generator().manual_seed(0)
    seen, done = (torch.randn(size, generator=generator) for size in [(101, 3), (100, 2)])
    settings = TrainingSettings(steps=40, batch_size=16)
    noise = Demonstrations((Trajectory(seen, done),), "noise")
    return train(policy, noise, settings, device="cpu", progress=False)


@pytest.mark.parametrize(
    ("policy_class", "settings"),
    [
        (RegressionPolicy, {}),
        (GaussianPolicy, {"log_std_range": (-3.0, 1.0)}),
        (CategoricalPolicy, {"bins": Bins(count=7, limit=2.0)}),
        (MixturePolicy, {"num_components": 3, "log_std_range": (-3.0, 1.0)}),
        (AutoregressivePolicy, {"bins": Bins(count=7, limit=2.0)}),
    ],
)
def test_a_checkpoint_brings_back_policy_normalizers_and_curve(policy_class, settings, tmp_path):
    path = tmp_path / "run.safetensors"
    run = trained(policy_class(3, 2, 4, width=8, **settings))
    save_checkpoint(path, run)
    loaded = load_checkpoint(path, policy_class(3, 2, 4, width=8, **settings))
    observations = torch.linspace(-2, 9, 30).reshape(10, 3)
    actions = []
    for each in (run, loaded):
        player = ChunkPlayer(each.policy, *each.normalizers)
        player.reset(torch.ones(10, dtype=torch.bool))
        actions.append(player.act(observations, torch.Generator().manual_seed(0)))
    assert torch.equal(*actions)
    assert torch.equal(loaded.losses, run.losses)
    assert (loaded.seconds, loaded.interrupted) == (run.seconds, run.interrupted)
    assert not loaded.policy.training


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, trained(RegressionPolicy(3, 2, 4, width=8)))
    return path


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (GaussianPolicy(3, 2, 4, width=8), "holds policy RegressionPolicy, the given policy has"),
        (RegressionPolicy(3, 2, 5, width=8), "prediction_horizon 4, .* prediction_horizon 5"),
        (RegressionPolicy(6, 1, 4, width=8), "observation_dim 3, action_dim 2, .* 6, action_dim 1"),
        (RegressionPolicy(3, 2, 4, width=9), r"\(8,\) for .*0.bias, .* has \(9,\)"),
        (RegressionPolicy(3, 2, 4, width=8, depth=3), "nothing of that name"),
    ],
)
def test_a_checkpoint_of_another_class_or_shape_is_refused(policy, message, saved):
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_checkpoint(saved, policy)
    after = policy.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("policy_class", "settings", "message"),
    [
        (GaussianPolicy, {"log_std_range": (-3.0, 1.0)}, r"log_std_range \(-5.0, 2.0\)"),
        (MixturePolicy, {"log_std_range": (-3.0, 1.0)}, r"log_std_range \(-5.0, 2.0\)"),
        (MixturePolicy, {"num_components": 4}, "holds num_components 5"),
        (CategoricalPolicy, {"bins": Bins(limit=2.0)}, r"bins Bins\(count=31, limit=3.0\)"),
        (AutoregressivePolicy, {"bins": Bins(limit=2.0)}, r"bins Bins\(count=31, limit=3.0\)"),
    ],
)
def test_a_checkpoint_whose_weights_meant_something_else_is_refused(
    policy_class, settings, message, tmp_path
):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, trained(policy_class(3, 2, 4, width=8)))
    with pytest.raises(ValueError, match=message):
        load_checkpoint(path, policy_class(3, 2, 4, width=8, **settings))


def test_other_files_are_refused_as_checkpoints(tmp_path):
    policy = RegressionPolicy(3, 2)
    (tmp_path / "text").write_text("hello, this is not a checkpoint")
    safetensors.torch.save_file({"losses": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(ValueError, match="text is not a checkpoint"):
        load_checkpoint(tmp_path / "text", policy)
    with pytest.raises(ValueError, match="other is a safetensors file, but was not written by"):
        load_checkpoint(tmp_path / "other", policy)
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "missing", policy)


def test_a_checkpoint_with_broken_numbers_is_refused(saved):
    with safetensors.safe_open(saved, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert json.loads(metadata["prediction_horizon"]) == 4
    tensors["action_normalizer.mean"][0] = math.nan
    safetensors.torch.save_file(tensors, saved, metadata)
    with pytest.raises(ValueError, match=r"infinite numbers in \['action_normalizer.mean'\]"):
        load_checkpoint(saved, RegressionPolicy(3, 2, 4, width=8))
