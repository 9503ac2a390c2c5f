"""A gradient step's operations on a CPU: written down once, then done again without asking for them.

A small network waits longer for Python and autograd, which find out what to compute next, than for the
computation. And they find the same at every step.

Source:
    Modes that hear every operation:
    https://docs.pytorch.org/docs/stable/notes/extending.html#extending-all-torch-api-with-modes
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from imitation_lab.training.side_effects import Surroundings
from imitation_lab.types import Generator

NO_CAPTURE = "IMITATION_LAB_NO_CAPTURE"

Work = Callable[[], Tensor]  # does something, and returns losses that belong to it

_aten = torch.ops.aten
_DETACH, _INDEX, _EQUAL = _aten.detach.default, _aten.index.Tensor, _aten.equal.default
_WRITES_WITHOUT_SAYING_SO = _aten.native_batch_norm.default


class UnrecordableError(Exception):
    """With other numbers, the work may be other operations."""


class Call(NamedTuple):
    """One operation that was done."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


class Tape(TorchDispatchMode):
    """Hears all operations on tensors, those of autograd included, and writes them down.

    Attributes:
        calls: In their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch loads its compiler, for three seconds, only to keep it out of here

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Do an operation and write it down.

        Raises:
            UnrecordableError: Before it is done, if it may lead to other operations next time.
        """
        if torch.Tag.data_dependent_output in func.tags or func is _EQUAL:
            raise UnrecordableError("it reads a number out of a tensor")
        if torch.Tag.dynamic_output_shape in func.tags and not _picks_by_number(func, args):
            raise UnrecordableError(f"how much {func.overloadpacket} returns depends on numbers")
        if torch.Tag.inplace_view in func.tags or func is _WRITES_WITHOUT_SAYING_SO:
            raise UnrecordableError(f"{func.overloadpacket} changes a tensor on the side")
        for tensor in _written(func, args, kwargs or {}):
            if id(tensor) not in self._before:
                self._before[id(tensor)] = (tensor, tensor.clone())
        result = func(*args, **(kwargs or {}))
        self.calls.append(Call(func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def undo(self) -> None:
        """Give all tensors the numbers back that they had before the calls."""
        for tensor, before in reversed(self._before.values()):
            tensor.copy_(before)


class Program:
    """Calls as one Python function that makes them again.

    What no call has made, such as parameters, data and generators, is used where it is.

    Args:
        calls: What a tape has heard.
        result: The tensor to return.

    Attributes:
        source: The function's text.
        changed: The tensors that it writes to, and did not make.
    """

    def __init__(self, calls: Iterable[Call], result: Tensor) -> None:
        self._names: dict[int, str] = {}
        self._given: list[Any] = []
        self.changed: list[Tensor] = []
        # All calls are alive until the last has its line: until then, each object's number is its own.
        calls = list(calls)
        lines = [line for call in calls for line in self._lines(call)]
        lines = list(_forgetting([*lines, f"return {self._name(result)}"]))
        given = ", ".join(f"given{index}" for index in range(len(self._given)))
        body = "".join(f"        {line}\n" for line in lines)
        self.source = f"def make({given}):\n    def step():\n{body}    return step\n"
        self._names.clear()
        self._step: Work = _compiled(self.source)(*self._given)

    def run(self) -> Tensor:
        """Make the calls again, and return what the result is now."""
        below = torch._C._AutoDispatchBelowAutograd()  # that is where the tape heard them
        try:
            return self._step()
        finally:
            del below

    def _lines(self, call: Call) -> Iterator[str]:
        """Yield the line that makes a call, or none where the result is there already."""
        if call.operation is _DETACH:
            self._names[id(call.result)] = self._name(call.args[0])
            return
        used = [*_tensors(call.args), *_tensors([*call.kwargs.values()])]
        outside = [tensor for tensor in used if not self._name(tensor).startswith("made")]
        if used and len(outside) == len(used) and _is_view(call.operation):
            return  # a view of what stays where it is stays there, too: it is given as well
        written = {id(tensor) for tensor in _written(call.operation, call.args, call.kwargs)}
        self.changed += [tensor for tensor in outside if id(tensor) in written]
        arguments = [
            *map(self._name, call.args),
            *(f"{name}={self._name(value)}" for name, value in call.kwargs.items()),
        ]
        # The operation itself, without the method around it.
        done = f"{self._name(call.operation._op)}({', '.join(arguments)})"
        if isinstance(call.result, list | tuple):
            yield f"[{', '.join(map(self._target, call.result))}] = {done}"
        else:
            yield f"{self._target(call.result)} = {done}"

    def _target(self, result: Any) -> str:
        """Return a new name for what a call has made, unless it is an old tensor or none."""
        if not isinstance(result, Tensor) or id(result) in self._names:
            return "_"
        return self._names.setdefault(id(result), f"made{len(self._names)}")

    def _name(self, value: Any) -> str:
        """Return an expression for a value, which is given to the function if it is not made there."""
        if isinstance(value, list):
            return f"[{', '.join(map(self._name, value))}]"
        if isinstance(value, tuple):
            return f"({''.join(f'{self._name(item)}, ' for item in value)})"
        if value is None or type(value) is bool:
            return repr(value)
        if id(value) not in self._names:
            self._names[id(value)] = f"given{len(self._given)}"
            self._given.append(value)
        return self._names[id(value)]


class TapeRecorder:
    """Records on a CPU.

    Args:
        surroundings: What the work may change beside tensors, if it does more than it should.
    """

    def __init__(self, surroundings: Surroundings | None = None) -> None:
        self._surroundings = surroundings or Surroundings()

    def warm_up(self, work: Work) -> Tensor:
        """Do the work."""
        return work()

    def record(self, work: Work, generators: Sequence[Generator]) -> Work:
        """Do the work once; return what first returns what came of it, and then does it again.

        Raises:
            Exception: If the work cannot be recorded. All tensors are as before.
        """
        before = self._surroundings.look()
        tape = Tape()
        try:
            with tape:
                losses = work()
            program = Program(tape.calls, losses)
        except Exception:
            tape.undo()
            raise
        replay = Replay(program, work, [*generators, torch.default_generator], losses)
        if changed := self._surroundings.changed_since(before):
            replay.give_up(f"it changes {changed} beside the parameters")
        return replay


class Replay:
    """Runs a program in place of the work, and looks now and then whether both still do the same.

    It looks in the second step, and whenever four times as many have been made as when it last did. Where
    they differ, what the work does counts, from then on at every step, and a line says so.

    Args:
        program: What was recorded of the work.
        work: All of it.
        generators: Its sources of random numbers.
        recorded: What the work returned when it was recorded.
    """

    def __init__(
        self, program: Program, work: Work, generators: Sequence[Generator], recorded: Tensor
    ) -> None:
        self._program: Program | None = program
        self._work = work
        self._generators = generators
        self._recorded = recorded
        self._steps = 0
        self._next_look = 2

    def __call__(self) -> Tensor:
        """Return the next step's losses."""
        self._steps += 1
        if self._steps == 1:
            return self._recorded
        if self._program is None:
            return self._work()
        if self._steps == self._next_look:
            self._next_look *= 4
            return self._compared(self._program)
        return self._program.run()

    def _compared(self, program: Program) -> Tensor:
        before = self._state(program)
        replayed = [program.run(), *self._state(program)]
        self._restore(program, before)
        worked = [self._work(), *self._state(program)]
        if not all(map(_alike, replayed, worked)):
            self.give_up("it does more than compute with tensors")
        return worked[0]

    def _state(self, program: Program) -> list[Tensor]:
        states = [generator.get_state() for generator in self._generators]
        return [*(tensor.clone() for tensor in program.changed), *states]

    def _restore(self, program: Program, state: Sequence[Tensor]) -> None:
        count = len(program.changed)
        with torch.no_grad():
            for tensor, old in zip(program.changed, state[:count], strict=True):
                tensor.copy_(old)
        for generator, old in zip(self._generators, state[count:], strict=True):
            generator.set_state(old)

    def give_up(self, reason: str) -> None:
        """Do the work itself from now on, and say why."""
        self._program = None
        line = not_captured(reason)
        if self._steps > 2:
            line += (
                f" from step {self._steps} after the recording on. Since step {self._steps // 4} "
                f"they may be wrong: set {NO_CAPTURE}=1 and train again"
            )
        print(line)


def not_captured(reason: str) -> str:
    """Return the line that tells that steps are not recorded, and why."""
    return f"this loss cannot be captured as a graph, so every step is computed anew ({reason})"


@lru_cache(maxsize=32)
def _compiled(source: str) -> Callable[..., Work]:
    """Return the function that a program's text makes. Trainings of one policy share one text."""
    functions: dict[str, Any] = {}
    exec(source, functions)
    made: Callable[..., Work] = functions["make"]
    return made


def _picks_by_number(operation: Any, args: Sequence[Any]) -> bool:
    """Tell whether an operation picks rows by their numbers: as many as there are numbers, whichever."""
    return operation is _INDEX and not any(
        index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
    )


@cache
def _is_view(operation: Any) -> bool:
    """Tell whether an operation returns its argument's memory, and writes nothing to it."""
    aliases = [item.alias_info for item in operation._schema.returns if item.alias_info]
    return bool(aliases) and not any(alias.is_write for alias in aliases)


@cache
def _written_places(operation: Any) -> tuple[tuple[int, str], ...]:
    """Return position and name of each argument that an operation writes to."""
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(operation._schema.arguments)
        if argument.alias_info and argument.alias_info.is_write
    )


def _written(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """Yield the tensors that an operation writes to."""
    for position, name in _written_places(operation):
        yield from _tensors(args[position] if position < len(args) else kwargs.get(name))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in a value, in lists in it, and in lists in these."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _forgetting(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines, and behind all but the last what lets go of what no later one needs."""
    *before, last = lines
    needed = set(_made(last))
    behind: list[list[str]] = []
    for line in reversed(before):
        names = sorted(set(_made(line)) - needed)
        needed.update(names)
        behind.append(names)
    for line, names in zip(before, reversed(behind), strict=True):
        yield line
        if names:
            yield f"del {', '.join(names)}"
    yield last


def _made(line: str) -> list[str]:
    return re.findall(r"\bmade\d+", line)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors hold the same numbers, or none in the same places."""
    return torch.equal(one, other) or bool(((one == other) | (one.isnan() & other.isnan())).all())
