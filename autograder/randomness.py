"""The process's global random numbers, lent to one test at a time.

An author's test may build a layer, whose weights come from torch's global generator. Gradings run in
several threads of one process, so each test gets that generator seeded and to itself, and puts it
aside while it waits for the worker. Else the same seed would not give the same grade.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_turn = threading.Lock()
_mine = threading.local()


@contextmanager
def own_global_randomness(seed: int) -> Iterator[None]:
    """Seed the global generators for the block, and let no other thread draw from them."""
    with _turn:
        random.seed(seed)
        np.random.seed(seed % 2**32)
        # torch.manual_seed would note for every absent GPU where it was called from: a millisecond.
        torch.default_generator.manual_seed(seed)
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


@contextmanager
def while_waiting() -> Iterator[None]:
    """Let other threads have their turn, and continue with the same numbers afterwards."""
    if not getattr(_mine, "held", False):
        yield
        return
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    _turn.release()
    try:
        yield
    finally:
        _turn.acquire()
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
