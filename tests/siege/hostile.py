"""All hostile submissions, and the few that the ordinary run tries."""

from tests.siege.ending import ENDING, GREEDY
from tests.siege.forms import Hostile
from tests.siege.lying import FORGERS, LIARS, PICKLES
from tests.siege.stealing import BREAKERS, SPIES

BY_CELLS: list[Hostile] = [*ENDING, *GREEDY, *LIARS, *PICKLES, *FORGERS, *SPIES, *BREAKERS]
SHORT = (
    "an exit without goodbye",
    "killing all that can be killed",
    "raising its own limits",
    "a tensor that equals everything",
    "a pickle in the result",
    "the request's number from a frame above",
    "a hard link to a secret",
    "what answers the notebook, by every road of an import",
    "signalling, slowing and limiting the judge",
    "hidden inputs by file",
    "writing everywhere",
    "every family of sockets",
    "a process that leaves its session",
)
