"""Checks that a question's tests are written with: each one explains what to change when it fails.

The same test runs in three places: in a student's notebook, under stock Otter, and in this project's
grader, where the student's functions live in another process. The checks therefore look at values
only, and every failure is an ``AssertionError`` whose message a student can act on. No message shows
the expected values wholesale, since the inputs behind them may be hidden.
"""

import hashlib
import itertools
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor

_FEW_NUMBERS = 4  # a person compares them at a glance

_seeds: ContextVar[Iterator[int] | None] = ContextVar("seeds", default=None)


def fresh_generator(device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator with a new seed, so that no two runs of a test see the same numbers.

    A fixed seed would let an answer be right for these numbers only. Inside ``grading_seed`` the
    sequence of seeds is fixed, and a grade can be reproduced.
    """
    seeds = _seeds.get()
    seed = secrets.randbits(63) if seeds is None else next(seeds)
    return torch.Generator(device).manual_seed(seed)


@contextmanager
def grading_seed(seed: int | str) -> Iterator[None]:
    """Fix the sequence of generators that ``fresh_generator`` hands out inside the block.

    Successive generators differ from each other, and the sequence depends on the seed alone. Blocks
    may be nested and used from several threads.
    """
    token = _seeds.set(_seed_sequence(seed))
    try:
        yield
    finally:
        _seeds.reset(token)


def _seed_sequence(seed: int | str) -> Iterator[int]:
    for position in itertools.count():
        digest = hashlib.sha256(f"{seed}/{position}".encode()).digest()
        yield int.from_bytes(digest[:8], "big") >> 1  # 63 bits: what a torch generator takes


def check_answered(value: Any, name: str) -> None:
    """Fail when ``value`` is what an unanswered function returns: nothing, or the ``...`` itself."""
    if value is None:
        raise AssertionError(
            f"{name} returned None: replace the `...` with your answer, and `return` it."
        )
    if value is Ellipsis:
        raise AssertionError(f"{name} still contains the `...`: replace it with your answer.")


def check_shape(value: Any, shape: Sequence[int], hint: str = "") -> None:
    """Fail unless ``value`` is a tensor, an array or a number of the given shape."""
    given = tuple(_as_tensor(value).shape)
    if given != tuple(shape):
        raise AssertionError(_explain(f"expected shape {tuple(shape)}, got {given}", hint))


@contextmanager
def explain_shapes(name: str, **given: Tensor) -> Iterator[None]:
    """Where a student's call stops with an error of torch's, tell which shapes went in.

    Args:
        name: The student's function.
        given: Its tensors, by their names.
    """
    try:
        yield
    except (IndexError, RuntimeError, ValueError) as error:
        shapes = ", ".join(f"{part} {tuple(tensor.shape)}" for part, tensor in given.items())
        raise AssertionError(
            f"{name} stopped with an error. The shapes that it was given: {shapes}. Write the shape "
            "that you expect beside each of your lines, and print those that there are."
        ) from error


def check_dtype(value: Any, dtype: torch.dtype, hint: str = "") -> None:
    """Fail unless ``value`` is a tensor of this dtype."""
    if not isinstance(value, Tensor):
        raise AssertionError(_explain(f"expected a tensor of {dtype}, got {_kind(value)}", hint))
    if value.dtype != dtype:
        raise AssertionError(_explain(f"expected {dtype}, got {value.dtype}", hint))


def check_finite(value: Any, hint: str = "") -> None:
    """Fail when ``value`` holds a NaN or an infinity."""
    tensor = _as_tensor(value)
    wrong = int((~torch.isfinite(tensor)).sum())
    if wrong:
        count = f"{wrong} of {tensor.numel()} values" if tensor.dim() else "the value"
        raise AssertionError(_explain(f"expected finite numbers, but {count} is NaN or ∞", hint))


def check_close(
    value: Any, expected: Any, hint: str = "", rtol: float | int = 1e-4, atol: float | int = 1e-5
) -> None:
    """Fail unless every number of ``value`` lies within ``atol + rtol |expected|`` of ``expected``.

    Shapes must agree exactly: broadcasting would let a single number pass for a whole row. Any
    numeric dtype is accepted, since float32 and float64 answers are equally right.

    Where there are few numbers, the exception carries them as a note. The grader tells it in public
    tests alone, whose inputs students have.

    Args:
        value: What the student's function returned: a tensor, an array or a number.
        expected: What it should be: the same, or a (nested) list of numbers.
        hint: What to change when the numbers differ.
        rtol: Allowed difference relative to ``|expected|``.
        atol: Allowed absolute difference.
    """
    given, wanted = _as_tensor(value), torch.as_tensor(expected).detach().cpu()
    check_shape(given, wanted.shape, hint)
    given, wanted = given.to(torch.float64), wanted.to(torch.float64)
    difference = (given - wanted).abs()
    close = torch.isclose(given, wanted, rtol=rtol, atol=atol)  # a NaN is close to nothing
    if not bool(close.all()):
        error = AssertionError(_explain(_describe_difference(difference, close), hint))
        if wanted.dim() <= 1 and wanted.numel() <= _FEW_NUMBERS:
            error.add_note(f"Expected {_list_numbers(wanted)}, got {_list_numbers(given)}.")
        raise error


def _list_numbers(numbers: Tensor) -> str:
    texts = [f"{number:.6g}" for number in numbers.flatten().tolist()]
    return f"[{', '.join(texts)}]" if numbers.dim() else texts[0]


def _describe_difference(difference: Tensor, close: Tensor) -> str:
    wrong = difference[~close]
    largest = float(wrong.max())  # max() passes a NaN on
    size = "not a number" if math.isnan(largest) else f"off by up to {largest:.3g}"
    if difference.dim() == 0:
        return f"the value is {size}"
    return f"{len(wrong)} of {difference.numel()} values are wrong ({size})"


def _as_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        tensor = value.detach().cpu()
    elif isinstance(value, np.ndarray | np.generic | bool | int | float):
        try:
            tensor = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            raise AssertionError(f"expected numbers, got {_kind(value)}.") from None
    else:
        raise AssertionError(f"expected a tensor, got {_kind(value)}.")
    if tensor.is_complex():
        raise AssertionError(f"expected real numbers, got {tensor.dtype}.")
    return tensor


def _kind(value: Any) -> str:
    if value is None or value is Ellipsis:
        return f"{value}"
    kind = type(value).__name__
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _explain(fault: str, hint: str) -> str:
    return f"{fault}: {hint}" if hint else f"{fault}."


def check_standard_normal(noise: Tensor, hint: str) -> None:
    """Fail unless the numbers look like draws from a standard normal distribution.

    Right answers fail less than once in 10⁸ gradings: mean and mean square lie within six standard
    deviations, each column's p-value is above 10⁻⁹, and of 20,000 numbers one is beyond 3.2 but once
    in e²⁷ times.

    Args:
        noise: Shape (rows, columns), at least 20,000 numbers in all.
        hint: What to draw, and where.
    """
    from scipy.stats import kstest  # here: it takes longer to import than all else in this module

    count = noise.numel()
    if abs(float(noise.mean())) > 6 / math.sqrt(count):
        raise AssertionError("the noise's mean should be zero.")
    if abs(float(noise.square().mean()) - 1) > 6 * math.sqrt(2 / count):
        raise AssertionError("the noise's standard deviation should be one.")
    if float(noise.abs().max()) < 3.2:
        raise AssertionError("the noise is cut off: a normal distribution has no bounds.")
    if any(kstest(column.numpy(), "norm").pvalue < 1e-9 for column in noise.T):
        raise AssertionError(hint)


def check_rows_apart(columns: Tensor, hint: str) -> None:
    """Fail where rows repeat other rows' numbers, however far apart the rows are.

    Every column is correlated with itself, moved on by any number of rows. One of 24,000 such
    correlations reaches eight standard deviations once in 10¹⁰ gradings. (Moved by half the rows,
    every pair counts twice: there eight are 5.6, which is once in 10⁷.)

    Args:
        columns: Shape (rows, columns), with mean 0 and variance 1.
        hint: What to draw for every row.
    """
    power = torch.fft.rfft(columns, dim=0).abs().square()
    moved = torch.fft.irfft(power, n=len(columns), dim=0)[1:]
    if float(moved.abs().max()) > 8 * math.sqrt(len(columns)):
        raise AssertionError(hint)


def check_unrelated(pairs: Mapping[str, tuple[Tensor, Tensor]], hint: str) -> None:
    """Fail where two quantities are correlated: by seven standard deviations, once in 10⁸ gradings.

    Args:
        pairs: By the sentence that says what is wrong: two tensors (rows, columns) or (rows, 1),
            with mean 0 and variance 1.
        hint: What to do instead.
    """
    for fault, (one, other) in pairs.items():
        together = (one * other).mean(dim=0) * math.sqrt(len(one))
        if float(together.abs().max()) > 7:
            raise AssertionError(f"{fault}: {hint}")
