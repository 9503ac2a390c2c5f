"""Push-T policies as files and as actors: what a stranger's file may do, and what an actor shows."""

import json
import math
import os
import pickle
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
import safetensors.torch
import torch

from imitation_lab.pusht.encoding import NEAR
from imitation_lab.pusht.policy import (
    FORMAT,
    LARGEST_FILE,
    LARGEST_HEADER,
    FramesActor,
    load_policy,
    save_policy,
    untrained,
)
from imitation_lab.pusht.recipe import BOUNDS, KINDS, Recipe

SMALL = Recipe(width=8, depth=1, prediction_horizon=2, num_steps=2)
OBSERVATIONS = torch.tensor([[100.0, 200.0, 256.0, 300.0, 0.7], [400.0, 50.0, 120.0, 260.0, 5.0]])


def recipe(**changes):
    return json.dumps(asdict(SMALL) | changes)


def contents(kind="flow", **changes):
    """Return tensors and metadata of an honest file, ready to be spoilt."""
    policy = untrained(Recipe(**asdict(SMALL) | {"kind": kind}), torch.Generator().manual_seed(1))
    parts = {"policy": policy.policy, "features": policy.features, "actions": policy.actions}
    tensors = {
        f"{part}.{name}": value.clone()
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    metadata = {"format": FORMAT, "recipe": recipe(kind=kind), "expert_seconds": "12.5"}
    return tensors, metadata | changes


def written(path, tensors, metadata):
    path.write_bytes(safetensors.torch.save(tensors, metadata))
    return path


def raw(header, data=b""):
    """Return a safetensors file by hand, with a header that no library would write."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def raw_tensor(shape, first, last, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_policy_comes_back_with_the_same_samples(kind, tmp_path, generator):
    policy = untrained(Recipe(**asdict(SMALL) | {"kind": kind}), generator)
    policy.features.low.fill_(-300.0)
    policy.actions.high.copy_(torch.tensor([2.0, 3.0]))
    policy.expert_seconds = 41.5
    save_policy(tmp_path / "p.safetensors", policy)
    loaded = load_policy(tmp_path / "p.safetensors")
    chunks = [p.sample(OBSERVATIONS, torch.Generator().manual_seed(3)) for p in (policy, loaded)]
    assert torch.equal(*chunks)
    assert (loaded.recipe, loaded.expert_seconds) == (policy.recipe, 41.5)
    assert not loaded.policy.training


def test_a_chunk_is_told_in_the_middle_of_the_actions_range_and_from_the_agent_on():
    policy = untrained(Recipe("regression", width=8, depth=1, prediction_horizon=2))
    policy.actions.low.copy_(torch.tensor([-1.0, -3.0]))
    policy.actions.high.copy_(torch.tensor([2.0, 1.0]))
    output = policy.policy.network[-1]
    with torch.no_grad():
        output.weight.zero_()
        output.bias.copy_(torch.tensor([0.0, 0.0, 1.0, -1.0]))
    chunks = policy.sample(OBSERVATIONS, torch.Generator())
    middle = NEAR * torch.tensor([math.sinh(0.5), math.sinh(-1.0)])
    edge = NEAR * torch.tensor([math.sinh(2.0), math.sinh(-3.0)])
    agents = OBSERVATIONS[:, :2]
    torch.testing.assert_close(chunks, torch.stack([agents + middle, agents + edge], dim=1))


BAD_RECIPES = {
    "a kind that is none": recipe(kind="llama"),
    "a kind that is no text": recipe(kind=["flow"]),
    "a setting that is none": recipe(colour=3),
    "no object": "[1, 2]",
    "a number": "7",
    "null": "null",
    "no JSON": "{'kind': 'flow'}",
    "deep nesting": "[" * 900,
    "a thousand digits": recipe()[:-1] + ', "width": ' + "9" * 500 + "}",
    "too long": json.dumps(asdict(SMALL) | {"kind": "x" * 1000}),
    "the last of two out of bounds": recipe()[:-1] + ', "width": 2000000}',
    "NaN": recipe(width=math.nan),
    "Infinity": recipe(num_steps=math.inf),
    "1e999": recipe()[:-1] + ', "depth": 1e999}',
    "true": recipe(frames=True),
    "a float": recipe(depth=1.0),
    "a text": recipe(depth="1"),
    "more played than predicted": recipe(execution_horizon=3),
} | {
    f"{name} {value}": recipe(**{name: value})
    for name, (least, largest) in BOUNDS.items()
    for value in (least - 1, largest + 1, -(10**30))
}


@pytest.mark.parametrize("text", BAD_RECIPES.values(), ids=BAD_RECIPES)
def test_a_recipe_out_of_its_bounds_is_refused(text, tmp_path):
    path = written(tmp_path / "p.safetensors", *contents(recipe=text))
    with pytest.raises(ValueError, match=r"p\.safetensors") as refusal:
        load_policy(path)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    "seconds", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "true", '"5"', "[5]", "", "1e7", "9" * 40]
)  # fmt: skip
def test_expert_seconds_that_are_no_time_are_refused(seconds, tmp_path):
    path = written(tmp_path / "p.safetensors", *contents(expert_seconds=seconds))
    with pytest.raises(ValueError, match=r"p\.safetensors"):
        load_policy(path)


@pytest.mark.parametrize("missing", ["format", "recipe", "expert_seconds"])
def test_metadata_that_miss_something_are_refused(missing, tmp_path):
    tensors, metadata = contents()
    del metadata[missing]
    with pytest.raises(ValueError, match=r"p\.safetensors"):
        load_policy(written(tmp_path / "p.safetensors", tensors, metadata))


NAME = "policy.network.1.bias"


def changed(name, change, kind="flow"):
    tensors, metadata = contents(kind)
    tensors[name] = change(tensors[name])
    return tensors, metadata


def filled(name, value, kind="flow"):
    def fill(tensor):
        tensor.flatten()[-1] = value
        return tensor

    return changed(name, fill, kind)


def without(name):
    tensors, metadata = contents()
    del tensors[name]
    return tensors, metadata


def upside_down():
    tensors, metadata = contents()
    tensors["features.low"], tensors["features.high"] = (
        tensors["features.high"],
        tensors["features.low"],
    )
    return tensors, metadata


BAD_TENSORS = {
    "doubles": (changed(NAME, torch.Tensor.double), "F64"),
    "halves": (changed(NAME, torch.Tensor.half), "F16"),
    "whole numbers": (changed(NAME, torch.Tensor.int), "I32"),
    "truth values": (changed(NAME, torch.Tensor.bool), "BOOL"),
    "one more axis": (changed(NAME, lambda bias: bias[None].clone()), r"\(1, 8\)"),
    "one number for all": (changed(NAME, lambda bias: bias[:1].clone()), r"\(1,\)"),
    "nothing": (changed(NAME, lambda bias: bias[:0].clone()), r"\(0,\)"),
    "a missing tensor": (without(NAME), NAME),
    "a missing range": (without("actions.low"), "actions.low"),
    "NaN": (filled(NAME, math.nan), f"NaN or infinite numbers in .*{NAME}"),
    "infinity": (filled(NAME, -math.inf), "NaN or infinite"),
    "NaN in a range": (filled("features.high", math.nan), "features.high"),
    "a range upside down": (upside_down(), "features.low is above features.high"),
    "one low above its high": (filled("actions.low", 1.5), "actions.low is above"),
    "another kind's network": ((contents("mixture")[0], contents("flow")[1]), "do not fit"),
    "noise that grows back": (
        filled("policy.alpha_bar", 1.0, "diffusion"),
        "alpha_bar is not what its recipe computes",
    ),
}


def test_the_tensor_that_the_files_are_spoilt_in_is_there():
    assert contents()[0][NAME].shape == (8,)


@pytest.mark.parametrize(("spoilt", "message"), BAD_TENSORS.values(), ids=BAD_TENSORS)
def test_tensors_that_no_training_could_have_left_are_refused(spoilt, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_policy(written(tmp_path / "p.safetensors", *spoilt))


def test_names_of_extra_tensors_reach_no_terminal(tmp_path):
    tensors, metadata = contents()
    tensors["\x1b[2J\x07gotcha"] = torch.zeros(1)
    with pytest.raises(ValueError, match="gotcha") as refusal:
        load_policy(written(tmp_path / "p.safetensors", tensors, metadata))
    assert str(refusal.value).isprintable()


def test_the_grades_of_noise_are_computed_and_not_taken_from_the_file(tmp_path):
    tensors, metadata = contents("diffusion")
    computed = tensors["policy.alpha_bar"].clone()
    tensors["policy.alpha_bar"] *= 1 + 5e-6  # within rounding on another machine
    loaded = load_policy(written(tmp_path / "p.safetensors", tensors, metadata))
    assert torch.equal(loaded.policy.alpha_bar, computed)


META = {"__metadata__": contents()[1]}
BAD_BYTES = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "a header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "a header of 90 MB that is not there": struct.pack("<Q", 90_000_000) + b"{}",
    "a long header": raw({"__metadata__": {"padding": "x" * (2 * LARGEST_HEADER)}}),
    "no JSON": raw(b"\xff\xfe not JSON"),
    "deep JSON": raw(b'{"__metadata__":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
    "deep JSON within": raw({"__metadata__": META["__metadata__"] | {"recipe": "[" * 999}}),
    "metadata that are no text": raw({"__metadata__": {"format": 1}}),
    "metadata twice": raw(b'{"__metadata__":{"format":"a"},"__metadata__":{"format":"b"}}'),
    "a tensor twice": raw(
        b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"\0" * 8,
    ),
    "a billion elements": raw(META | {NAME: raw_tensor([10**9], 0, 4)}, b"\0" * 4),
    "more elements than can be counted": raw(META | {"x": raw_tensor([2**62] * 3, 0, 4)}, b"\0" * 4),
    "a negative size": raw(META | {"x": raw_tensor([-1], 0, 4)}, b"\0" * 4),
    "tensors over each other": raw(
        META | {"x": raw_tensor([1], 0, 4), "y": raw_tensor([1], 0, 4)}, b"\0" * 4
    ),
    "bytes of no tensor": raw(META | {"x": raw_tensor([1], 0, 4)}, b"\0" * 4000),
    "a tensor outside of the file": raw(META | {"x": raw_tensor([1], 4000, 4004)}, b"\0" * 4),
    "an unknown type": raw(META | {"x": raw_tensor([1], 0, 4, "F33")}, b"\0" * 4),
}  # fmt: skip


@pytest.mark.parametrize("content", BAD_BYTES.values(), ids=BAD_BYTES)
def test_bytes_that_are_no_policy_are_refused(content, tmp_path):
    path = tmp_path / "p.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"p\.safetensors") as refusal:
        load_policy(path)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_policy_is_refused(share, tmp_path):
    path = written(tmp_path / "p.safetensors", *contents())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="not a Push-T policy"):
        load_policy(path)


@dataclass
class Bomb:
    marker: Path = field(default_factory=Path)

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("save", [pickle.dump, torch.save])
def test_a_renamed_pickle_is_refused_and_does_not_run(save, tmp_path):
    marker = tmp_path / "ran"
    with (tmp_path / "p.safetensors").open("wb") as file:
        save(Bomb(marker), file)
    with pytest.raises(ValueError, match="not a Push-T policy"):
        load_policy(tmp_path / "p.safetensors")
    assert not marker.exists()


def test_a_file_of_65_megabytes_is_refused(tmp_path):
    path = tmp_path / "p.safetensors"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ValueError, match="larger than 64 MB"):
        load_policy(path)


def test_a_folder_a_pipe_a_device_and_nothing_are_no_files(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe")
    for path in [tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "nothing"]:
        with pytest.raises(FileNotFoundError, match="there is no policy"):
            load_policy(path)


@dataclass
class Recorder:
    """An actor that keeps what it was shown."""

    seen: list[list[list[float]]] = field(default_factory=list)

    def reset(self, mask):
        pass

    def act(self, observations, generator):
        self.seen.append(observations.tolist())
        return torch.zeros(len(observations), 2)


def shown(frames, resets):
    """Return what is shown of observations 1, 2, 3, ... and 10, 20, 30, ..., one column each."""
    recorder = Recorder()
    actor = FramesActor(recorder, frames)
    for step, mask in enumerate(resets, 1):
        if any(mask):
            actor.reset(torch.tensor(mask))
        actor.act(torch.tensor([[1.0 * step], [10.0 * step]]), torch.Generator())
    return recorder.seen


def test_frames_are_shown_newest_first_and_the_first_one_again_at_the_start():
    resets = [(True, True), (False, False), (False, False), (False, False)]
    assert shown(3, resets) == [
        [[1, 1, 1], [10, 10, 10]],
        [[2, 1, 1], [20, 10, 10]],
        [[3, 2, 1], [30, 20, 10]],
        [[4, 3, 2], [40, 30, 20]],
    ]


def test_an_episode_that_starts_anew_is_shown_nothing_of_the_one_before():
    resets = [(True, True), (False, False), (False, True), (False, False)]
    assert shown(2, resets) == [
        [[1, 1], [10, 10]],
        [[2, 1], [20, 10]],
        [[3, 2], [30, 30]],
        [[4, 3], [40, 30]],
    ]


def test_an_actor_plays_as_many_actions_of_a_chunk_as_its_recipe_says():
    policy = untrained(Recipe("flow", 4, 3, width=8, depth=1, num_steps=1))
    generator = torch.Generator().manual_seed(5)
    actor = policy.actor()
    actor.reset(torch.ones(2, dtype=torch.bool))
    played = [actor.act(OBSERVATIONS, generator) for _ in range(4)]
    again = torch.Generator().manual_seed(5)
    first, second = policy.sample(OBSERVATIONS, again), policy.sample(OBSERVATIONS, again)
    expected = [first[:, 0], first[:, 1], first[:, 2], second[:, 0]]
    torch.testing.assert_close(torch.stack(played), torch.stack(expected))
