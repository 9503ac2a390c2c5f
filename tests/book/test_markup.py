"""What Sphinx is given, and what it gives, put right for docstrings and for screen readers."""

import pytest

from tools.book.accessible import leveled, with_plain_parameters
from tools.book.docstrings import with_tables, without_anything_goes


def test_a_table_of_a_docstring_becomes_a_list_of_its_rows():
    lines = [
        "Before.",
        "",
        "| index | unit |",
        "|-------|------|",
        "| 0, 1  | m/s  |",
        "",
        "After.",
    ]
    assert with_tables(lines) == [
        "Before.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - index",
        "     - unit",
        "   * - 0, 1",
        "     - m/s",
        "",
        "",
        "After.",
    ]


def test_a_docstring_without_tables_stays_as_it_is():
    lines = ["The sum ``a | b`` of two sets.", "", "Args:", "    a: One."]
    assert with_tables(lines) == lines


@pytest.mark.parametrize(
    ("signature", "shown"), [("(*args, **kwargs)", ""), ("(a: int)", "(a: int)"), (None, None)]
)
def test_a_protocol_shows_no_signature(signature, shown):
    assert without_anything_goes(signature) == shown


def test_a_caption_says_its_level():
    caption = '<p class="caption" role="heading"><span>Notebooks</span></p>'
    assert leveled(caption).count('role="heading" aria-level="2"') == 1


def test_a_signature_keeps_its_parameters_and_loses_its_list():
    signature = (
        '<dt>f(\n<dl>\n<dd><em class="sig-param">a</em>,</dd>\n'
        '<dd><em class="sig-param">b</em>,</dd>\n</dl>\n\n)</dt>'
    )
    mended = with_plain_parameters(signature)
    assert mended.count('<span class="parameter"><em class="sig-param">') == 2
    assert "<dd>" not in mended and "<dl>" not in mended


def test_other_lists_of_definitions_stay():
    listing = "<dl>\n<dt>word</dt>\n<dd>meaning</dd>\n</dl>\n"
    assert with_plain_parameters(listing) == listing
