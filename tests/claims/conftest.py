"""What the tests of the notebooks' claims share."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

from tools.source import read_notebook

SOURCES = Path(__file__).parents[2] / "source"


@pytest.fixture(scope="module")
def notebook(request):
    """The functions and classes of the solved notebook whose number the test's file has, on the CPU."""
    number = request.path.stem.removeprefix("test_claims_")
    (source,) = SOURCES.glob(f"{number}_*.py")
    module = ModuleType(source.stem)
    for cell in read_notebook(source).cells:
        if cell.kind == "code" and cell.tag != "train":
            exec(compile(cell.source, f"{cell.file}:{cell.line}", "exec"), module.__dict__)
    module.device = torch.device("cpu")
    return module
