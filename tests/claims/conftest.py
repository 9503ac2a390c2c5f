"""What the tests of the notebooks' claims share."""

import ast
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tools.source import Cell, read_notebook

SOURCES = Path(__file__).parents[2] / "source"


@pytest.fixture(scope="module")
def notebook(request):
    """The functions and classes of the solved notebook whose number the test's file has, on the CPU."""
    number = request.path.stem.removeprefix("test_claims_")[:2]
    (source,) = SOURCES.glob(f"{number}_*.py")
    read, module = read_notebook(source), ModuleType(source.stem)
    for cell in read.cells:
        if cell.kind == "code" and cell.tag != "train":
            exec(compile(cell.source, f"{cell.file}:{cell.line}", "exec"), module.__dict__)
    for cell in (cell for goal in read.stretches for cell in goal.solution):
        if cell.kind == "code":
            exec(compile(definitions(cell), f"{cell.file}:{cell.line}", "exec"), module.__dict__)
    module.device = torch.device("cpu")
    return module


def definitions(cell: Cell) -> ast.Module:
    """Return a cell of a stretch goal without what trains and draws."""
    tree = cell.parse()
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return tree
