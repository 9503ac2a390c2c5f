"""What is left of an answer when its names and comments are taken away: its syntax tree.

Parsing hostile text can end a process. So this runs where the submissions do, in the sandbox.
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping

from autograder.inside.cells import transform

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def read_trees(answers: Mapping[str, str]) -> dict[str, list]:
    """Return the digest and the number of nodes of each answer's tree, where it can be parsed.

    Args:
        answers: The text of the cell that answers a question, by the question's name.
    """
    trees = {name: _read_tree(source, name) for name, source in answers.items()}
    return {name: tree for name, tree in trees.items() if tree}


def _read_tree(source: str, name: str) -> list | None:
    try:
        tree = _answer(ast.parse(transform(source)), name)
        _Anonymous(_own_names(tree)).visit(tree)
        text = ast.dump(tree, annotate_fields=False)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    return [digest, sum(1 for _ in ast.walk(tree))]


def _answer(module: ast.Module, name: str) -> ast.AST:
    """Return the definition of this name, or all of the cell where none has it."""
    found = [node for node in module.body if isinstance(node, _SCOPES) and node.name == name]
    return found[-1] if found else module


def _own_names(tree: ast.AST) -> dict[str, str]:
    """Return a number for every name that the tree gives to something, in order of appearance."""
    names = dict.fromkeys(name for node in ast.walk(tree) for name in _given(node))
    return {name: f"name {number}" for number, name in enumerate(names)}


def _given(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, _SCOPES) or (isinstance(node, ast.ExceptHandler) and node.name):
        yield node.name
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname


class _Anonymous(ast.NodeTransformer):
    """Gives own names numbers, and drops docstrings and annotations, which compute nothing."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Rename a node's names, whatever field they stand in, then go on below it."""
        for field in ("id", "arg", "name", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str) and not isinstance(node, ast.keyword):
                setattr(node, field, self._names.get(name, name))
        for field in ("annotation", "returns"):
            if hasattr(node, field):
                setattr(node, field, None)
        if isinstance(node, _SCOPES) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return super().generic_visit(node)
