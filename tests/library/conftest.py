"""What the library's tests share."""

from importlib.util import find_spec

import pytest
import torch
from matplotlib.figure import Figure

# Where no pygame is built for this Python, nobody can push.
collect_ignore_glob = [] if find_spec("gym_pusht") else ["test_pusht_*.py"]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def axes():
    return Figure().subplots()


@pytest.fixture(autouse=True)
def full_length_training(monkeypatch):
    """The tests say themselves when they want the fast mode."""
    monkeypatch.delenv("IMITATION_LAB_FAST", raising=False)
