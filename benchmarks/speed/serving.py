"""A peer's end of the line: runs in the peers' environment, so it imports nothing of the library."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import torch

# Does the work that its name says, with these arguments, and returns figures with ``seconds``.
Work = Callable[..., dict[str, float]]


def serve(**works: Work) -> None:
    """Answer questions until there are no more."""
    torch.set_num_threads(1)
    # What a peer prints must not come between the answers.
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    for line in sys.stdin:
        question: dict[str, Any] = json.loads(line)
        figures = works[question.pop("work")](**question)
        print(json.dumps(figures), file=answers, flush=True)
