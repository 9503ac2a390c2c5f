"""Formulas: every one that the course writes becomes MathML, spaced as TeX would."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.book.formulas import to_mathml

ROOT = Path(__file__).resolve().parents[2]
MARKDOWN = MarkdownIt().enable("table").use(dollarmath_plugin)


def formulas_in(text):
    """Yield each formula of a text, and whether it stands on lines of its own."""
    for token in MARKDOWN.parse(text):
        for part in [token, *(token.children or [])]:
            if part.type.startswith("math"):
                yield part.content, part.type != "math_inline"


def texts_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


SOURCES = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *sorted((ROOT / "book").glob("*.md"))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_formula_of_the_course_becomes_mathml(source):
    texts = texts_of(source) if source.suffix == ".ipynb" else [source.read_text("utf-8")]
    for formula, block in (pair for text in texts for pair in formulas_in(text)):
        tree = ElementTree.fromstring(to_mathml(formula, block))
        assert "".join(tree.itertext()).strip()
        assert "\\" not in "".join(tree.itertext()).replace("\\ ", "")


def parts(formula, block=False):
    """Return the tag, the text and the attributes of every element of a formula, in order."""
    tree = ElementTree.fromstring(to_mathml(formula, block))
    return [(part.tag.rpartition("}")[2], part.text or "", part.attrib) for part in tree.iter()]


def test_both_bars_of_a_norm_have_the_same_height():
    bars = [attributes for _, text, attributes in parts(r"\lVert a \rVert^2") if text == "‖"]
    assert [bar["stretchy"] for bar in bars] == ["false", "false"]


def test_a_function_stands_off_its_argument_and_close_to_a_bracket():
    assert "mspace" in [tag for tag, _, _ in parts(r"\log \sigma")]
    assert "mspace" not in [tag for tag, _, _ in parts(r"\log (x)")]


def test_what_a_minimum_goes_over_stands_below_it_in_a_formula_of_its_own():
    assert "munder" in [tag for tag, _, _ in parts(r"\min_\theta x", block=True)]
    assert "munder" not in [tag for tag, _, _ in parts(r"\min_\theta x")]


@pytest.mark.parametrize(("formula", "sign"), [(r"k \sim w", "∼"), (r"a \pm b", "±")])
def test_a_relation_is_spaced_as_an_operator(formula, sign):
    assert ("mo", sign) in [(tag, text) for tag, text, _ in parts(formula)]


def test_the_latex_stays_with_the_formula():
    assert parts(r"\frac{1}{2}")[0][2]["alttext"] == r"\frac{1}{2}"


def test_a_command_that_nobody_knows_stops_the_build():
    with pytest.raises(ValueError, match=r"\\nonsense"):
        to_mathml(r"\nonsense x", block=False)
