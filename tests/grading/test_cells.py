"""What a cell defines, and what is told of one that stops."""

import pytest

from autograder.inside.cells import Interpreter, defined_names, describe


@pytest.mark.parametrize(
    "source",
    [
        "def f(): pass",
        "async def f(): pass",
        "class f: pass",
        "f = 1",
        "f: int = 1",
        "g, (f, *h) = a",
        "if a:\n    def f(): pass",
        "try:\n    import numpy\nexcept ImportError:\n    f = 1",
        "with a as f:\n    pass",
        "with a:\n    def f(): pass",
        "for f in a: pass",
        "import f.g",
        "from a import b as f",
        "(f := 1)",
    ],
)
def test_a_name_is_defined_by_every_statement_that_binds_it(source):
    assert "f" in defined_names(source)


@pytest.mark.parametrize(
    "source",
    [
        "def g():\n    f = 1",
        "class g:\n    f = 1",
        "[f for f in a]",
        "g = lambda f: f",
        "f: int",
        "f += 1",
        "f.a = 1",
        "f[0] = 1",
        "f()",
    ],
)
def test_a_name_is_not_defined_by_its_use_or_in_another_scope(source):
    assert "f" not in defined_names(source)


def test_what_is_no_python_defines_nothing():
    assert defined_names("def f(:") is None


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = 1\ny = (", ["SyntaxError on line 2", "'(' was never closed"]),
        ("x = 1\n\nraise ValueError('no')", ["ValueError on line 3", "no"]),
    ],
)
def test_an_error_tells_its_line_in_the_cell(monkeypatch, source, error):
    monkeypatch.setattr("sys.modules", dict(__import__("sys").modules))
    assert Interpreter().run(source, "a cell")["error"] == error


def test_an_error_outside_of_a_cell_has_no_line():
    assert describe(ValueError("no")) == ["ValueError", "no"]
