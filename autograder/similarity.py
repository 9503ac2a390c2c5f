"""Answers that have the same syntax tree after renaming: a pointer to look at, never a verdict.

Most right answers of a short question are alike. So a tree counts the more, the fewer answers in the
class have it, and small ones count nothing.
"""

import math
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograder.limits import Limits
from autograder.results import Result, Tree
from autograder.sandbox import Sandbox
from autograder.session import RemoteError, Session, WorkerLostError

SMALLEST_TREE = 25
FEWEST_BITS = 1.0  # a tree that half of the answers have is what the question asks for
_READER = "from autograder.inside.trees import read_trees"


class TreeReader:
    """Reads the syntax trees of answers, in a worker where no code of any submission runs."""

    def __init__(self, sandbox: Sandbox, limits: Limits) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._session: Session | None = None
        self._lock = threading.Lock()

    def read(self, answers: Mapping[str, str]) -> dict[str, Tree]:
        """Return the trees of the answers that can be parsed, by question.

        Args:
            answers: The text of the cell that answers a question, by the question's name.
        """
        if not answers:
            return {}
        with self._lock:
            try:
                found = self._ask(dict(answers))
            except (RemoteError, WorkerLostError):  # a text that crashes Python's parser
                return {}
        return {name: Tree(*found[name]) for name in answers if _is_tree(found.get(name))}

    def close(self) -> None:
        """End the worker."""
        if self._session:
            self._session.close()

    def _ask(self, answers: dict[str, str]) -> dict[str, Any]:
        session = self._ready()
        try:
            session.begin(0)
            found = session.call("read_trees", (answers,), {}).result
            return found if isinstance(found, dict) else {}
        finally:
            session.finish()

    def _ready(self) -> Session:
        if self._session is None or not self._session.alive:
            self._session = Session(self._sandbox.bare, self._limits, math.inf)
            self._session.run(_READER, "the reader of trees")
        return self._session


def _is_tree(value: Any) -> bool:
    return type(value) is list and [type(item) for item in value] == [str, int]


@dataclass(frozen=True)
class Shared:
    """One tree that several answers have.

    Attributes:
        question: The question's name.
        nodes: The tree's size.
        among: How many answers to the question were read.
        bits: How rare the tree is: −log₂ of the share of answers that have it.
    """

    question: str
    nodes: int
    among: int
    bits: float


@dataclass(frozen=True)
class Alike:
    """Submissions that share trees which nobody else has.

    Attributes:
        names: Of the submissions.
        shared: Their common trees.
    """

    names: tuple[str, ...]
    shared: tuple[Shared, ...]

    @property
    def bits(self) -> float:
        """How rare it is to share all of these, were the questions independent."""
        return sum(tree.bits for tree in self.shared)

    @property
    def weight(self) -> float:
        """How much they share: what is rare and large comes first."""
        return sum(tree.bits * tree.nodes for tree in self.shared)


def find_alike(results: Sequence[Result]) -> list[Alike]:
    """Return the groups of submissions to an assignment whose answers are alike, weightiest first."""
    groups: dict[tuple[str, ...], Alike] = {}
    for question in dict.fromkeys(name for result in results for name in result.trees):
        for names, shared in _same_trees(question, results):
            group = groups.get(names, Alike(names, ()))
            groups[names] = replace(group, shared=(*group.shared, shared))
    return sorted(groups.values(), key=lambda group: (-group.weight, group.names))


def _same_trees(question: str, results: Sequence[Result]) -> list[tuple[tuple[str, ...], Shared]]:
    """Return who shares a tree in one question, where it is large and rare enough to tell."""
    owners: dict[Tree, list[str]] = defaultdict(list)
    for result in results:
        if question in result.trees:
            owners[result.trees[question]].append(result.name)
    among = sum(map(len, owners.values()))
    return [
        (tuple(names), Shared(question, tree.nodes, among, bits))
        for tree, names in owners.items()
        if len(names) > 1
        and tree.nodes >= SMALLEST_TREE
        and (bits := math.log2(among / len(names))) > FEWEST_BITS
    ]
