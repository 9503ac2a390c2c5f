"""What the doctor says of one thing: how it stands, and what to do."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    LOOK = "look here"
    BROKEN = "broken"


class Finding(NamedTuple):
    """One line of the doctor's report.

    Attributes:
        state: How it stands.
        subject: What was looked at, in a word or two.
        sentence: What was found, and what to do unless it is well.
    """

    state: State
    subject: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.state:9}  {self.subject:10}  {self.sentence}"


SET_UP = "Say: python3 course.py setup"
AFRESH = "Say: python3 course.py setup --fresh"
OPEN_LAB = "Start Jupyter by: python3 course.py lab"
