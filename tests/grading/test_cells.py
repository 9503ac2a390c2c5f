"""What a cell defines, how it is read, and what is told of one that stops."""

import ast

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from autograder.assignment import load_assignments
from autograder.inside.cells import Interpreter, defined_names, describe, transform

IPYTHON = TransformerManager()
OF_IPYTHON = [
    *(
        "!ls",
        "x = !ls",
        "%time x",
        "%matplotlib inline\nx = 1",
        "f?",
        "?f",
        "/f 1",
        ",f a",
        "%%bash\nls",
    ),
    *(
        ">>> x = 1",
        "In [1]: x = 1",
        "\nIn [12]: x",
        "# mine\nIn [2]: x = 3",
        "    x = 1\n    y = 2",
        "for a in b:\n    !ls",
    ),
    *("x = %pwd", 'x = """\n!ls\n"""\n!ls', "x = (1 +\n%time)"),
]
OF_PYTHON = [
    *("x = 1", "x = 7 %time", '"""\n%time\n!ls\n"""', "x = (1\n%time)", "# !ls", "f(a)  # what?"),
    *(
        "",
        "x = 'In [1]: '",
        "x: In [1]",
        '  # indented\nx = """\n  y"""',
        "x = 1;\ny = 2;",
        "a\\\n%b",
    ),
]


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


@pytest.mark.parametrize("source", OF_IPYTHON + OF_PYTHON)
def test_a_cell_is_read_as_ipython_reads_it(source):
    assert as_tree(transform(source)) == as_tree(IPYTHON.transform_cell(source))


def test_every_cell_of_the_course_is_read_as_ipython_reads_it():
    sources = [cell.source for item in load_assignments().values() for cell in item.cells]
    assert len(sources) > 100
    for source in sources:
        assert as_tree(transform(source)) == as_tree(IPYTHON.transform_cell(source))


def as_tree(source):
    """Return what Python reads, or the text where that is nothing."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


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
