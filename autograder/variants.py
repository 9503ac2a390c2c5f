"""Constants that differ from student to student, so that copied figures and answers show.

A value follows from a secret of the instructor's, the notebook, the student and the constant's name, and
from nothing else: the order of a roster does not matter, and nobody without the secret can tell it.
"""

import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = int | float | str

SHORTEST_SEED = 12  # characters: what is shorter may be found by trying
_LONGEST_VALUE = 80  # characters


@dataclass(frozen=True)
class Constant:
    """A constant of a notebook's experiments.

    Attributes:
        name: What the notebook calls it.
        choices: The values that it may have.
    """

    name: str
    choices: Sequence[Value]

    def draw(self, seed: str, notebook: str, student: str) -> Value:
        """Return a student's value. Each is equally likely, up to one part in 2^200."""
        message = "\x1f".join((notebook, student.casefold(), self.name))
        digest = hmac.digest(seed.encode(), message.encode(), "sha256")
        return self.choices[int.from_bytes(digest, "big") % len(self.choices)]

    def as_json(self) -> dict[str, Any]:
        """Return the constant as plain data."""
        if isinstance(self.choices, range):
            return {"name": self.name, "first": self.choices[0], "last": self.choices[-1]}
        return {"name": self.name, "choices": list(self.choices)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Constant":
        """Return the constant that was written as plain data."""
        if "choices" in data:
            return cls(data["name"], tuple(data["choices"]))
        return cls(data["name"], range(data["first"], data["last"] + 1))


@dataclass(frozen=True)
class Variant:
    """The constants of one notebook that differ from student to student.

    Attributes:
        cell: The id of the cell that holds them.
        constants: The constants, in the cell's order.
    """

    cell: str
    constants: tuple[Constant, ...]

    @property
    def names(self) -> list[str]:
        """What the notebook calls them."""
        return [constant.name for constant in self.constants]

    def draw(self, seed: str, notebook: str, student: str) -> dict[str, Value]:
        """Return a student's values, by the constant's name."""
        return {
            constant.name: constant.draw(seed, notebook, student) for constant in self.constants
        }


def check_seed(seed: str) -> None:
    """Refuse a variant seed that students could find by trying.

    Raises:
        ValueError: If it is short.
    """
    if len(seed) < SHORTEST_SEED:
        raise ValueError(
            f"the variant seed has {len(seed)} characters: take {SHORTEST_SEED} or more that nobody "
            'can guess, such as those of `python3 -c "import secrets; print(secrets.token_hex(16))"`.'
        )


def with_values(source: str, values: Mapping[str, Value]) -> str:
    """Return a variant cell's text with other values. Its lines read ``NAME = value  # comment``."""
    for name, value in values.items():
        line = re.compile(rf"^({re.escape(name)} = ).*?(?=[ \t]*(?:#|$))", re.MULTILINE)
        source = line.sub(lambda match, value=value: match[1] + repr(value), source)
    return source


def read_values(source: str, names: Collection[str]) -> dict[str, str] | None:
    """Return what a stranger's cell gives to constants, as text; None if it does not name all of them.

    Nothing is parsed or run.
    """
    found = {}
    for name in names:
        # Read once from left to right: no text makes it slow.
        line = rf"^[ \t]*{re.escape(name)}[ \t]*=(?!=)([^#\n]*)"
        texts = [text.strip() for text in re.findall(line, source, re.MULTILINE)]
        if values := [text for text in texts if 0 < len(text) <= _LONGEST_VALUE]:
            found[name] = values[-1]
    return found if len(found) == len(names) else None
