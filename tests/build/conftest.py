"""A course of one notebook, and what the build makes of it."""

import shutil
from pathlib import Path

import pytest

from tools.build import PROJECT, build
from tools.rules import read_course
from tools.source import Notebook

SAMPLE = Path(__file__).parent / "source" / "01_sample.py"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder of scripts that a test may change."""
    return _copy_course(tmp_path)


@pytest.fixture(scope="session")
def sample() -> Notebook:
    return read_course(SAMPLE.parent)[0]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build makes of the sample; to read only."""
    folder = tmp_path_factory.mktemp("built")
    build(_copy_course(folder), folder)
    return folder


@pytest.fixture(scope="session")
def whole_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build makes of the course itself; to read only."""
    folder = tmp_path_factory.mktemp("course")
    build(PROJECT / "source", folder)
    return folder


def _copy_course(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir()
    shutil.copy(SAMPLE, source)
    shutil.copy(PROJECT / "source" / "otter.yml", source)
    return source
