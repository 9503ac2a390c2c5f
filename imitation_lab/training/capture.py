"""A gradient step that a GPU remembers: captured once as a graph, then replayed without Python.

A small network leaves a GPU waiting for Python, which hands it one small operation after the other. A
graph is handed over at once.

Source:
    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import os
import textwrap
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from imitation_lab.training.optimizer import AdamW
from imitation_lab.types import Generator

NO_CAPTURE = "IMITATION_LAB_NO_CAPTURE"
WARM_UP = 3  # steps before a capture: libraries start up in the first ones

Work = Callable[[], Tensor]  # does something, and returns losses that belong to it


@runtime_checkable
class Recorder(Protocol):
    """Whoever can do work again without asking how."""

    def warm_up(self, work: Work) -> Tensor:
        """Do the work in the way that recording needs before it."""
        ...

    def record(self, work: Work, generators: Sequence[Generator]) -> Work:
        """Return what does the work again, each time with the next random numbers.

        Raises:
            Exception: If something in the work cannot be recorded.
        """
        ...


class CudaGraphs:
    """Records on a CUDA device."""

    def warm_up(self, work: Work) -> Tensor:
        """Do the work on a stream of its own."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = work()
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def record(self, work: Work, generators: Sequence[Generator]) -> Work:
        """Capture the work, which is not done now."""
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            losses = work()

        def replay() -> Tensor:
            graph.replay()
            return losses.clone()  # the next replay writes to the same place

        return replay


def recorder_for(device: torch.device) -> Recorder | None:
    """Return who records on a device: CUDA graphs, unless the environment forbids it, or nobody."""
    return CudaGraphs() if device.type == "cuda" and not os.environ.get(NO_CAPTURE) else None


class Steps:
    """Gradient steps with AdamW: eager on a CPU, recorded after the first ones on a GPU.

    What a loss does beside tensors is done once, when it is recorded: a counter stands still. Set the
    environment variable ``IMITATION_LAB_NO_CAPTURE`` to compute every step anew.

    Args:
        next_losses: Draws a batch and returns its losses.
        optimizer: Follows their gradient.
        generators: All sources of random numbers in ``next_losses``.
        device: Where they compute.
        recorder: Records; by default who can on this device.
    """

    def __init__(
        self,
        next_losses: Work,
        optimizer: AdamW,
        generators: Sequence[Generator],
        device: torch.device,
        recorder: Recorder | None = None,
    ) -> None:
        self._next_losses = next_losses
        self._optimizer = optimizer
        self._generators = generators
        self._recorder = recorder or recorder_for(device)
        # A graph reads the rate where it stands. On a CPU, double precision is what a number has.
        kind = torch.float32 if device.type == "cuda" else torch.float64
        self._rate = torch.zeros((), dtype=kind, device=device)
        self._done = 0
        self._again: Work | None = None

    def take(self, learning_rate: float) -> Tensor:
        """Take a step at this learning rate and return its losses, without gradients."""
        if self._recorder is None:
            return self._step(learning_rate)
        self._rate.fill_(learning_rate)
        self._done += 1
        if self._done <= WARM_UP:
            return self._recorder.warm_up(self._recorded_step)
        if self._again is None:
            self._again = self._record(self._recorder)
        return self._again()

    def _step(self, learning_rate: float | Tensor) -> Tensor:
        losses = self._next_losses()
        self._optimizer.step(losses, learning_rate)
        return losses.detach()

    def _recorded_step(self) -> Tensor:
        return self._step(self._rate)

    def _record(self, recorder: Recorder) -> Work:
        """Return a step that was recorded, or the same step as it was where it cannot be."""
        before = [generator.get_state() for generator in self._generators]
        try:
            return recorder.record(self._recorded_step, self._generators)
        except Exception as error:
            for generator, state in zip(self._generators, before, strict=True):
                generator.set_state(state)
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            reason = textwrap.shorten(first_line, 100, placeholder=" …")
            print(
                f"this loss cannot be captured as a graph, so every step is computed anew ({reason})"
            )
            return self._recorded_step
