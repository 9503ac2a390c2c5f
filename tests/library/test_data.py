"""Demonstrations: checked, cut into chunks, split, saved and loaded; and the normalizer."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_lab.data import Demonstrations
from imitation_lab.files import write_atomically
from imitation_lab.normalizer import Normalizer
from imitation_lab.types import Ending, Trajectory


def make_trajectory(length, generator, driver="", observation_dim=3, action_dim=2):
    return Trajectory(
        torch.randn(length + 1, observation_dim, generator=generator),
        torch.randn(length, action_dim, generator=generator),
        driver,
        Ending.SUCCESS,
    )


def make_demonstrations(lengths, seed=0, task="toy"):
    generator = torch.Generator().manual_seed(seed)
    names = ("anna", "ben")
    trajectories = [make_trajectory(n, generator, names[i % 2]) for i, n in enumerate(lengths)]
    return Demonstrations(tuple(trajectories), task)


def equal(one, other):
    return (one.task, len(one)) == (other.task, len(other)) and all(
        torch.equal(a.observations, b.observations)
        and torch.equal(a.actions, b.actions)
        and (a.driver, a.ending) == (b.driver, b.ending)
        for a, b in zip(one.trajectories, other.trajectories, strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(1, 9))
def test_chunks_equal_a_loop_over_steps_and_never_cross_episodes(lengths, horizon):
    demonstrations = make_demonstrations(lengths)
    expected = torch.stack(
        [
            torch.stack([t.actions[min(step + h, len(t) - 1)] for h in range(horizon)])
            for t in demonstrations.trajectories
            for step in range(len(t))
        ]
    )
    assert torch.equal(demonstrations.chunks(horizon), expected)


def test_chunks_of_no_action_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        make_demonstrations([3]).chunks(0)


def test_every_action_is_paired_with_the_observation_before_it():
    demonstrations = make_demonstrations([2, 3])
    first, second = demonstrations.trajectories
    assert demonstrations.num_actions == 5
    assert torch.equal(demonstrations.observations[:2], first.observations[:2])
    assert torch.equal(demonstrations.observations[2:], second.observations[:3])
    assert torch.equal(demonstrations.actions, torch.cat([first.actions, second.actions]))


def test_a_split_keeps_whole_trajectories_and_loses_none(generator):
    demonstrations = make_demonstrations([3] * 20)
    training, held_out = demonstrations.split(0.25, generator)
    sides = [{id(t) for t in side.trajectories} for side in (training, held_out)]
    assert (len(sides[0]), len(sides[1])) == (15, 5)
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == {id(t) for t in demonstrations.trajectories}
    assert training.task == held_out.task == "toy"


def test_a_split_is_drawn_by_the_generator():
    demonstrations = make_demonstrations([2] * 40)

    def held_out(seed):
        side = demonstrations.split(0.5, torch.Generator().manual_seed(seed))[1]
        return {id(t) for t in side.trajectories}

    assert held_out(1) == held_out(1)
    assert held_out(1) != held_out(2)  # equal by chance: 1 in C(40, 20) = 1.4e11


@pytest.mark.parametrize("share", [0.0, 1.0, 0.1])
def test_a_split_that_leaves_a_side_empty_is_refused(share, generator):
    with pytest.raises(ValueError, match="leaves one side empty"):
        make_demonstrations([2, 2, 2]).split(share, generator)


def test_demonstrations_by_driver():
    demonstrations = make_demonstrations([1, 2, 3])
    assert [len(t) for t in demonstrations.by_driver("anna").trajectories] == [1, 3]
    with pytest.raises(ValueError, match=r"by 'carl': there are \['anna', 'ben'\]"):
        demonstrations.by_driver("carl")


def test_demonstrations_add_up():
    one, other = make_demonstrations([1, 2]), make_demonstrations([3], seed=1)
    assert [len(t) for t in (one + other).trajectories] == [1, 2, 3]


def test_demonstrations_survive_a_file(tmp_path):
    demonstrations = make_demonstrations([3, 1, 5])
    path = tmp_path / "demonstrations.npz"
    demonstrations.save(path)
    assert equal(Demonstrations.load(path), demonstrations)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_equal_demonstrations_make_equal_files(tmp_path):
    for name in ("a", "b"):
        make_demonstrations([3, 1]).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text").write_text("hello")
    np.savez(tmp_path / "other.npz", numbers=np.zeros(3))
    for name in ("text", "other.npz"):
        with pytest.raises(ValueError, match=f"{name} is not a file of demonstrations"):
            Demonstrations.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Demonstrations.load(tmp_path / "missing.npz")


def test_a_file_with_broken_numbers_is_refused(tmp_path):
    path = tmp_path / "demonstrations.npz"
    make_demonstrations([3]).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["actions"][1, 0] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="trajectory 0 has NaN or infinite actions in 1 steps"):
        Demonstrations.load(path)


def broken(generator, **changes):
    whole = make_trajectory(4, generator)
    parts = {"observations": whole.observations, "actions": whole.actions}
    return Trajectory(**{name: changes.get(name, value) for name, value in parts.items()})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": torch.zeros(5, 2)}, r"actions \(5, 2\): expected .* one observation more"),
        ({"actions": torch.zeros(0, 2), "observations": torch.zeros(1, 3)}, "at least one action"),
        ({"actions": torch.full((4, 2), math.nan)}, "infinite actions in 4 steps"),
        ({"observations": torch.full((5, 3), math.inf)}, "infinite observations in 5 steps"),
        ({"actions": torch.zeros(4, 2).double()}, "float64 .* expected torch.float32"),
        ({"actions": torch.zeros(4, 7)}, r"expected dimensions \(3, 2\) as in the first"),
    ],
)
def test_trajectories_that_make_no_sense_are_refused_and_counted(changes, message, generator):
    good, bad = make_trajectory(2, generator), broken(generator, **changes)
    with pytest.raises(ValueError, match=f"trajectory 1 has .*{message}"):
        Demonstrations((good, bad))


def test_no_demonstrations_at_all_are_refused():
    with pytest.raises(ValueError, match="empty"):
        Demonstrations(())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr("imitation_lab.files.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_normalised_values_have_mean_zero_and_deviation_one(generator):
    values = torch.tensor([3.0, -40]) + torch.tensor([0.5, 20]) * torch.randn(
        5000, 2, generator=generator
    )
    normalised = Normalizer.fit(values).normalize(values)
    torch.testing.assert_close(normalised.mean(dim=0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalised.std(dim=0, correction=0), torch.ones(2))


def test_denormalising_undoes_normalising_for_chunks_too(generator):
    values = 7 + 3 * torch.randn(20, 4, 2, generator=generator)
    normalizer = Normalizer.fit(values)
    torch.testing.assert_close(normalizer.denormalize(normalizer.normalize(values)), values)


def test_a_dimension_that_hardly_moves_is_scaled_by_the_floor(generator):
    values = torch.stack([torch.full((50,), 2.0), torch.linspace(-1, 1, 50)], dim=1)
    normalizer = Normalizer.fit(values, smallest_scale=0.1)
    assert normalizer.scale[0] == torch.tensor(0.1)
    assert normalizer.scale[1] > 0.5


def test_an_unfitted_normalizer_changes_nothing(generator):
    values = torch.randn(5, 3, generator=generator)
    assert torch.equal(Normalizer(3).normalize(values), values)


@pytest.mark.parametrize("values", [torch.zeros(0, 2), torch.tensor([[1.0, math.nan]])])
def test_a_normalizer_refuses_values_that_make_no_sense(values):
    with pytest.raises(ValueError, match="needs finite values, got shape"):
        Normalizer.fit(values)
