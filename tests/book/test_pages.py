"""The page of a notebook: the student's cells, with what the solved notebook showed below them."""

import base64
import struct

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.book.executed import WIDGET_PAGE
from tools.book.pages import student_page

# A PNG's beginning says how wide and how high it is; nobody here looks at the rest.
PICTURE = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + struct.pack(">II", 300, 200)
FIGURE = (
    '<figure style="margin: 0"><img alt="A hill." width="300" style="max-width: 100%"'
    f' src="data:image/png;base64,{base64.b64encode(PICTURE).decode()}">'
    "<figcaption>Look.</figcaption></figure>"
)


def code(number, source, *outputs):
    return new_code_cell(source, id=f"sample-{number:02d}", outputs=list(outputs))


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def shown(**data):
    return new_output("display_data", data=data)


@pytest.fixture
def make_page(tmp_path):
    """Make a page whose title is followed by one cell, the same for students unless told."""

    def make(source, *outputs, student=None, fast=False):
        title = new_markdown_cell("# A title", id="sample-00")
        solved = new_notebook(cells=[title, code(1, source, *outputs)])
        blank = new_notebook(cells=[title, code(1, student or source)])
        return student_page(blank, solved, "sample", tmp_path, fast)

    return make


def html_of(page):
    (output,) = page.cells[-1].outputs
    return output.data["text/html"]


def test_a_figure_becomes_a_file_and_keeps_its_alternative_text(make_page, tmp_path):
    page = make_page("draw()", shown(**{"text/html": FIGURE, "image/png": "left out"}))
    picture = BeautifulSoup(html_of(page), "html.parser").img
    assert picture["alt"] == "A hill."
    assert "300 / 200" in picture["style"]
    folder, address = picture["src"].split("/_static/")
    assert folder == ".."  # from the folder of the notebooks' pages
    assert (tmp_path / address).read_bytes() == PICTURE


def test_an_answer_is_blank_and_shows_nothing(make_page):
    page = make_page("def f(): return 1", printed("1"), student="def f(): ...")
    assert page.cells[-1].source == "def f(): ..."
    assert page.cells[-1].outputs == []


def test_a_check_does_not_say_that_all_is_well(make_page):
    passed = shown(**{"text/plain": "f results: All test cases passed!"})
    assert make_page('grader.check("f")', passed).cells[-1].outputs == []


def test_a_progress_bar_shows_its_end(make_page):
    page = make_page("train()", printed("  0%\r 50%"), printed("\r100%\nDone.\n"))
    (output,) = page.cells[-1].outputs
    assert output.text == "100%\nDone.\n"


def test_what_goes_to_stderr_is_left_out(make_page):
    assert make_page("warn()", printed("a warning", "stderr")).cells[-1].outputs == []


def test_a_widget_moves(make_page):
    data = {"text/html": FIGURE, WIDGET_PAGE: "<div>It moves.</div>"}
    assert "It moves." in html_of(make_page("widget", shown(**data)))


def test_plain_text_cannot_become_markup(make_page):
    assert "&lt;b&gt;" in html_of(make_page("x", shown(**{"text/plain": "<b>"})))


def test_the_student_notebook_itself_is_not_changed(tmp_path):
    cells = [new_markdown_cell("# A title"), code(1, "1 + 1")]
    solved = new_notebook(cells=[cells[0], code(1, "1 + 1", printed("2"))])
    blank = new_notebook(cells=cells)
    student_page(blank, solved, "sample", tmp_path, fast=False)
    assert len(blank.cells) == 2 and blank.cells[1].outputs == []


@pytest.mark.parametrize(("fast", "count"), [(True, 1), (False, 0)])
def test_a_page_says_when_its_numbers_mean_nothing(make_page, fast, count):
    assert make_page("x", fast=fast).cells[1].source.count("its numbers mean nothing") == count
