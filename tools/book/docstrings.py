"""Docstrings and signatures, from the form in which everybody reads them to the one that Sphinx knows.

A Sphinx extension. Data sheets of environments are tables with bars; reStructuredText takes bars for
something else.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sphinx.application import Sphinx

_RULE = re.compile(r"\|[\s|:-]+\|")


def with_tables(lines: list[str]) -> list[str]:
    """Return a docstring's lines with each table of bars as a list of its rows."""
    result: list[str] = []
    for is_table, run in groupby(lines, lambda line: line.strip().startswith("|")):
        block = list(run)
        result += _list_table(block) if is_table else block
    return result


def _list_table(lines: list[str]) -> Iterator[str]:
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    yield f"{indent}.. list-table::"
    yield f"{indent}   :header-rows: 1"
    yield ""
    for line in lines:
        if not _RULE.fullmatch(line.strip()):
            first, *others = line.strip().strip("|").split("|")
            yield f"{indent}   * - {first.strip()}"
            yield from (f"{indent}     - {cell.strip()}" for cell in others)
    yield ""


def _process(
    _app: Sphinx, _what: str, _name: str, _of: Any, _options: Any, lines: list[str]
) -> None:
    lines[:] = with_tables(lines)


def without_anything_goes(signature: str | None) -> str | None:
    """Return a signature, but nothing for that of a protocol, which nobody calls."""
    return "" if signature == "(*args, **kwargs)" else signature


def _process_signature(
    _app: Sphinx, _what: str, _name: str, _of: Any, _options: Any, signature: str | None, of: Any
) -> tuple[str | None, Any]:
    return without_anything_goes(signature), of


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _process_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
