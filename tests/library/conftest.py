"""What the library's tests share."""

import pytest
import torch


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def full_length_training(monkeypatch):
    """The tests say themselves when they want the fast mode."""
    monkeypatch.delenv("IMITATION_LAB_FAST", raising=False)
