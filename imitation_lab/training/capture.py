"""A gradient step that is remembered: captured once, then replayed without asking Python for it.

A small network leaves a GPU waiting for Python, which hands it one small operation after the other. A
graph is handed over at once. On a CPU, ``imitation_lab.training.tape`` does what can be done.

Source:
    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import os
import textwrap
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from imitation_lab.training.optimizer import AdamW
from imitation_lab.training.side_effects import Surroundings
from imitation_lab.training.tape import NO_CAPTURE, TapeRecorder, Work, not_captured
from imitation_lab.types import Generator, Policy

WARM_UP = 3  # steps before a capture: libraries start up in the first ones


@runtime_checkable
class Recorder(Protocol):
    """Whoever can do work again without asking how."""

    def warm_up(self, work: Work) -> Tensor:
        """Do the work in the way that recording needs before it."""
        ...

    def record(self, work: Work, generators: Sequence[Generator]) -> Work:
        """Return what does the work, each time with the next random numbers.

        Raises:
            Exception: If something in the work cannot be recorded. Then none of it has been done, but
                for random numbers that were drawn.
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
        """Capture the work, which is not done before it is replayed."""
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            losses = work()

        def replay() -> Tensor:
            graph.replay()
            return losses.clone()  # the next replay writes to the same place

        return replay


def recorder_for(device: torch.device, policies: Sequence[Policy] = ()) -> Recorder | None:
    """Return who records on a device, or None if nobody can or the environment forbids it.

    Args:
        device: Where steps are computed.
        policies: Whose losses are recorded.
    """
    if os.environ.get(NO_CAPTURE):
        return None
    if device.type == "cuda":
        return CudaGraphs()
    if device.type == "cpu":
        return TapeRecorder(Surroundings(policies, [policy.loss for policy in policies]))
    return None


class Steps:
    """Gradient steps with AdamW, recorded after the first ones.

    What a loss does beside tensors is done when it is recorded, and seldom afterwards: a counter stands
    still. Set the environment variable ``IMITATION_LAB_NO_CAPTURE`` to compute every step anew.

    Args:
        next_losses: Draws a batch and returns its losses.
        optimizer: Follows their gradient.
        generators: All sources of random numbers in ``next_losses``.
        device: Where they compute.
        recorder: Records. Without one, every step is computed anew.
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
        self._recorder = recorder
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
            print(not_captured(reason))
            return self._recorded_step
