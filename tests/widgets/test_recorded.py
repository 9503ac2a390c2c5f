"""Where recorded drives are found: in a checkout, and in a library that was installed or zipped."""

import shutil

import pytest

from imitation_lab.widgets import recorded, recorded_drives


def test_an_installed_library_finds_them_inside_itself(tmp_path, monkeypatch):
    inside = tmp_path / "imitation_lab" / "recorded"
    inside.mkdir(parents=True)
    shutil.copy(recorded.recorded_path("fork.npz"), inside)
    monkeypatch.setattr(recorded, "FOLDERS", (inside, tmp_path / "assets" / "recorded"))
    assert recorded.recorded_path("fork.npz") == inside / "fork.npz"
    assert len(recorded_drives("fork")) > 0
    with pytest.raises(ValueError, match=r"there are fork\.npz"):
        recorded_drives("racetrack")


def test_the_recorded_files_are_small():
    folder = recorded.recorded_path("fork.npz").parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 500_000
