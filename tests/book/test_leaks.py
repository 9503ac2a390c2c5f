"""No page of the book gives away what students must not have."""

from pathlib import Path

import pytest

from tools.book.leaks import find_leaks_in_site, visible_text
from tools.rules import read_course

SAMPLE = read_course(Path(__file__).parents[1] / "build" / "source")


@pytest.fixture
def find(tmp_path):
    """Search a site of one page, and a folder of pages, for the sample's secrets."""

    def find(site="", page=""):
        for folder, name, text in [("site", "page.html", site), ("pages", "page.md", page)]:
            (tmp_path / folder).mkdir()
            (tmp_path / folder / name).write_text(f"<p>Good day.</p>{text}", encoding="utf-8")
        return find_leaks_in_site(tmp_path / "pages", tmp_path / "site", SAMPLE)

    return find


def test_a_harmless_site_gives_nothing_away(find):
    assert find("<p>The mean of a batch has one number for each action dimension.</p>") == []


LEAKS = {
    "a line of a solution, coloured": "<span>actions</span>.<span>mean</span>(dim<span>=</span>0)",
    "a line of a solution, escaped": "actions.mean&#40;dim=0)",
    "a written answer": (
        "<p>When the two modes lie so close\ntogether that the <em>mean</em> between them is still a good action.</p>"
    ),
    "the name of a hidden test": "<td>test_best_constant_minimises_the_squared_error</td>",
    "the name of a wrong answer": "<td>best_constant__averages_every_axis</td>",
    "an alternative text": '<img alt="actions.mean(dim=0)">',
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS.keys())
def test_a_secret_is_found_on_a_page(find, leak):
    assert find(site=leak)


def test_a_secret_is_found_in_what_sphinx_renders(find):
    assert find(page="actions.mean(dim=0)")


def test_the_words_of_a_page_are_its_text_and_its_alternative_texts(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<p>One <b>word</b>.</p><img alt="A hill."><script>hidden()</script>')
    assert visible_text(page).split() == ["One", "word.", "A", "hill."]


def test_code_of_a_cell_is_searched_as_code_and_not_as_words(find):
    assert find(site='<div class="cell_input"><pre>actions.mean(dim=0)</pre></div>') == []
