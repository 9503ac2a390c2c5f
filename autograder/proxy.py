"""A submission's function or class as a test sees it: as any other, run on the wall's other side."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from autograder import wire
from autograder.packing import AnswerReference, ObjectReference, pack
from autograder.randomness import while_waiting
from autograder.session import Call, RemoteError, Session

# A test may expect an exception of one of these: it must then be one here too.
_KNOWN_ERRORS: tuple[type[Exception], ...] = (
    *(ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, LookupError),
    *(NameError, NotImplementedError, OverflowError, RuntimeError, TypeError, ValueError),
    ZeroDivisionError,
)


class StudentError(Exception):
    """An exception that the submission's code raised, with the submission's words.

    Attributes:
        type_name: The name of its class.
        text: Its message.
    """

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(type_name, text)
        self.type_name = type_name
        self.text = text

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


class UnreadableResultError(StudentError, TypeError):
    """A function returned what is no plain data, or too much of it."""

    def __str__(self) -> str:
        return f"what {self.type_name} returned {self.text}"


_ERROR_CLASSES: dict[str, type[StudentError]] = {
    known.__name__: type(f"Student{known.__name__}", (StudentError, known), {})
    for known in _KNOWN_ERRORS
}


class StudentFunction(AnswerReference):
    """Calls one function of the submission, arguments and results by value.

    In-process and across the wall a test sees the same: gradients flow to the leaf tensors and
    parameters that went in, and tensors that the function writes to are written to here. What does
    not cross: attributes of the function, and what a callable argument of the test remembers.

    Attributes:
        name: What the function is called in the submission.
    """

    def __init__(
        self, name: str, session: Session, record: Callable[[str, Call | None], None] | None = None
    ) -> None:
        super().__init__(name)
        self.__name__ = name
        self._session = session
        self._record = record

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function.

        Raises:
            StudentError: If it raised an exception. Also an instance of the built-in class that
                the exception's name names, where it names one.
            WorkerLostError: If it did not return.
        """
        return self._call(self.name, args, kwargs)

    def _call(self, name: str, args: tuple, kwargs: dict[str, Any], **target: int) -> Any:
        self._session.called = self.name
        record = self._record or (lambda name, call: None)
        with _errors_as_here(name):
            try:
                call = self._session.call(name, args, kwargs, **target)
            except RemoteError:
                record(self.name, None)
                raise
        record(self.name, call)
        _write_back(call)
        return _attach_gradients(call, self._session)


class StudentClass(StudentFunction):
    """Makes objects of one class of the submission. They live in the worker, with what they remember.

    Attributes:
        name: What the class is called in the submission.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> "StudentObject":
        """Make an object.

        Raises:
            StudentError: As for a function.
            WorkerLostError: As for a function.
        """
        number = next(_OBJECTS)
        self._call(self.name, args, kwargs, makes=number)
        return StudentObject(number, self)


class StudentObject(ObjectReference):
    """An object of the submission's: its methods are called, and its attributes read, over there.

    Only what begins with no underscore is to be seen, and nothing can be set.
    """

    def __init__(self, number: int, made_by: StudentClass) -> None:
        super().__init__(number)
        object.__setattr__(self, "_made_by", made_by)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        number, maker = self._number, self._made_by
        with _errors_as_here(name):
            found = maker._session.attribute(number, name)
        if found[0] == "value":
            return found[1]
        return lambda *args, **kwargs: maker._call(name, args, kwargs, of=number)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{name} cannot be set from a test: give it when the object is made, or call a method."
        )


# Numbers of objects are never given twice, so that recorded calls can be repeated in one process.
_OBJECTS = itertools.count()


@contextlib.contextmanager
def _errors_as_here(name: str) -> Iterator[None]:
    """Raise what the submission raised as an exception of the same built-in class."""
    try:
        with while_waiting():
            yield
    except RemoteError as error:
        if error.type_name == "UnsendableError":
            raise UnreadableResultError(name, error.text) from None
        kind = _ERROR_CLASSES.get(error.type_name, StudentError)
        raise kind(error.type_name, error.text) from None


def _write_back(call: Call) -> None:
    with torch.no_grad():
        for number, changed in call.changed:
            call.tensors[number].copy_(changed)


def _attach_gradients(call: Call, session: Session) -> Any:
    """Return the result with its place in the graph of the judge's tensors."""
    if not call.differentiable:
        return call.result
    inputs = [n for n, tensor in enumerate(call.tensors) if tensor.requires_grad]
    results: list[torch.Tensor] = []
    wire.map_tensors(call.result, results.append)

    def backward(gradients: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
        return _ask_for_gradients(session, call, inputs, gradients)

    # The first input makes the outputs need gradients even where nothing that went in does.
    attached = _Remote.apply(
        backward,
        [results[position] for position in call.differentiable],
        torch.zeros((), requires_grad=True),
        *(call.tensors[number] for number in inputs),
    )
    for position, tensor in zip(call.differentiable, attached, strict=True):
        results[position] = tensor
    replacements = iter(results)
    return wire.map_tensors(call.result, lambda _: next(replacements))


def _ask_for_gradients(
    session: Session,
    call: Call,
    inputs: Sequence[int],
    gradients: Sequence[torch.Tensor | None],
) -> list[torch.Tensor | None]:
    body, _ = pack(list(gradients))
    with _errors_as_here(call.target["name"]):
        replies = session.request("backward", body, graph=call.graph, inputs=list(inputs))
    if type(replies) is not list or len(replies) != len(inputs):
        raise session.reject()
    wanted = [call.tensors[number] for number in inputs]
    if not all(
        reply is None
        or (isinstance(reply, torch.Tensor) and (reply.shape, reply.dtype) == (t.shape, t.dtype))
        for reply, t in zip(replies, wanted, strict=True)
    ):
        raise session.reject()
    return replies


class _Remote(torch.autograd.Function):
    """One call in the judge's graph. Only numbers cross: the graph itself stays in the worker."""

    @staticmethod
    def forward(
        ctx: Any,
        backward: Callable[[Sequence[torch.Tensor | None]], list[torch.Tensor | None]],
        values: list[torch.Tensor],
        *inputs: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        ctx.ask = backward
        ctx.set_materialize_grads(False)
        return tuple(values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[Any, ...]:
        return (None, None, None, *ctx.ask(gradients))
