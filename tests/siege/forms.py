"""The form of a hostile submission: what it does, what its result may say, what it honestly earns.

``@SECRET@`` and the like become this machine's paths and numbers (``tests/siege/conftest.py``). An attack
that succeeds prints ``@WON@``, or what it stole: neither may be found in the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OK, TIMEOUT, DIED, OUT_OF_MEMORY, MALFORMED = "ok", "timeout", "died", "out_of_memory", "malformed"
ANY = frozenset((OK, TIMEOUT, DIED, OUT_OF_MEMORY, MALFORMED))
ENDS = frozenset((TIMEOUT, DIED, OUT_OF_MEMORY))


@dataclass(frozen=True)
class Hostile:
    """One submission that means harm.

    Attributes:
        name: What it tries.
        cell: A cell that it adds before the first question.
        answers: Its answers, by question. The others stay blank.
        status: The statuses that its result may have.
        most: The points that its answers honestly earn.
        waits: Whether it ends by the clock, so that it takes seconds.
    """

    name: str
    cell: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    status: frozenset[str] = ANY
    most: float = 0
    waits: bool = False


def cell(name: str, source: str, *status: str, waits: bool = False) -> Hostile:
    return Hostile(name, source, status=frozenset(status) or ANY, waits=waits)


def answer(name: str, source: str, *status: str, most: float = 0, waits: bool = False) -> Hostile:
    """An attack from within ``best_constant``, whose public test gives a point for a right shape."""
    return Hostile(name, "", {"best_constant": source}, frozenset(status) or ANY, most, waits)
