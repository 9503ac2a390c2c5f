"""Formulas as MathML, made while the book is built: readable to screen readers, and without a script.

A Sphinx extension. ``latex2mathml`` translates; what it leaves untidy is put right here, since browsers
space a formula by its markup. A page that is opened on a machine without a mathematical font finds one
beside it: a part of STIX Two Math, as ziamath ships it.
"""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from fontTools import subset
from latex2mathml.converter import convert
from sphinx.application import Sphinx

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_FUNCTIONS = {"log", "exp", "cosh", "softmax", "min", "max", "arg"}
_TAKES_NO_SPACE = {"|", "‖", "/", "\\"}
_OPERATORS = {"~": "∼", "±": "±", ":": ":", "‖": "‖"}  # letters, to latex2mathml
_BELOW = {"min", "max"}
_OPENING = {"(", "[", "{", "|"}

# What the course's formulas are made of: Latin, Greek, arrows, operators, fences, mathematical letters.
_CHARACTERS = [
    *range(0x20, 0x100),
    *range(0x2B0, 0x400),
    *range(0x2000, 0x2400),
    *range(0x27C0, 0x2A00),
    *range(0x1D400, 0x1D4D0),
    *range(0x1D538, 0x1D56C),
    *range(0x1D6A8, 0x1D778),
]


def to_mathml(formula: str, block: bool) -> str:
    """Return a formula as a ``<math>`` element that also holds its LaTeX, for those who copy it.

    Args:
        formula: LaTeX, without dollars.
        block: Whether it stands on lines of its own.

    Raises:
        ValueError: If a command in it is unknown.
    """
    known = formula.replace(r"\arg", r"\operatorname{arg}")
    ElementTree.register_namespace("", _NAMESPACE)
    tree = ElementTree.fromstring(convert(known, display="block" if block else "inline"))
    for element in tree.iter():
        _set_right(element, block)
        if (element.text or "").startswith("\\"):
            raise ValueError(f"`{element.text}` in the formula `{formula}` is not known to MathML.")
    for row in list(tree.iter()):
        _space_functions(row)
    tree.set("alttext", " ".join(formula.split()))
    return ElementTree.tostring(tree, encoding="unicode")


def _set_right(element: ElementTree.Element, block: bool) -> None:
    """Give an element the tag and the spacing that TeX would have given it."""
    tag, text = _tag(element), element.text or ""
    if tag == "mi" and text in _OPERATORS:
        tag, text = "mo", _OPERATORS[text]
        element.tag, element.text = _named(tag), text
    if tag == "mi" and text == ";":
        element.tag = _named("mo")
        element.attrib |= {"lspace": "0", "rspace": "0.278em"}
    elif tag == "mo" and text in _TAKES_NO_SPACE and "form" not in element.attrib:
        element.attrib |= {"lspace": "0", "rspace": "0", "stretchy": "false"}
    elif tag == "mo" and text in _FUNCTIONS:
        element.tag = _named("mi")
        element.attrib.pop("stretchy", None)
    elif tag == "msub" and block and (element[0].text or "") in _BELOW:
        element.tag = _named("munder")


def _space_functions(row: ElementTree.Element) -> None:
    """Write a thin space behind the name of a function, where no bracket follows."""
    for place in reversed(range(len(row) - 1)):
        following = row[place + 1]
        bracket = _tag(following) == "mo" or (following.text or "") in _OPENING
        if _tag(row) == "mrow" and _is_function(row[place]) and not bracket:
            row.insert(place + 1, ElementTree.Element(_named("mspace"), width="0.167em"))


def _is_function(element: ElementTree.Element) -> bool:
    if _tag(element) in ("munder", "msub"):
        element = element[0]
    return _tag(element) == "mi" and (element.text or "") in _FUNCTIONS


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _named(tag: str) -> str:
    return f"{{{_NAMESPACE}}}{tag}"


def write_font(path: Path) -> None:
    """Write the mathematical letters of STIX Two Math (SIL Open Font License) as a web font."""
    # The licence travels in the font's own table of names.
    options = subset.Options(flavor="woff", layout_features=["*"], name_IDs=["*"])
    with as_file(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf") as original:
        font = subset.load_font(str(original), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=_CHARACTERS)
    subsetter.subset(font)
    path.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(path), options)


def _visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(to_mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _visit_block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{to_mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
