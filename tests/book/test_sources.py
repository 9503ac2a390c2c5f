"""The pages that are written by hand, and the parts that are derived, agree with the course."""

import json
import re
from pathlib import Path

import pytest

from tools.book.tables import derived_parts, points_of, references, section
from tools.release import time_for
from tools.rules import read_course

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
NOTEBOOKS = read_course(ROOT / "source")
PARTS = derived_parts(NOTEBOOKS)
PAGES = {path.relative_to(BOOK).as_posix(): path.read_text("utf-8") for path in BOOK.rglob("*.md")}
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")


def slug(heading):
    """Return the anchor that a heading gets: as on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors_of(path):
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
    headings = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    return {slug(heading) for heading in headings} | set(re.findall(r"^\((\w+)\)=$", text, re.M))


def target(page, address):
    """Return the file that a page's link leads to; notebooks lie in the built folder."""
    if not address:
        return BOOK / page
    place = (Path(page).parent / address).as_posix()
    return ROOT / place if place.startswith("notebooks/") else BOOK / place


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_section(page):
    broken = []
    for address, anchor in LINK.findall(PAGES[page]):
        path = target(page, address)
        if not path.is_file() or (anchor and anchor not in anchors_of(path)):
            broken.append(f"{address}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_every_part_that_a_page_includes_is_made(page):
    included = re.findall(r"generated/([\w.]+)", PAGES[page])
    assert set(included) <= {*PARTS, "modes.html"}


WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "and a half": 0.5}


def hours_of(notebook):
    """Return the hours that a notebook's first cell gives itself: "about two and a half hours" are 2.5."""
    said = time_for(notebook).removeprefix("about ").removesuffix(" hours")
    return sum(hours for word, hours in WORDS.items() if word in said)


def test_the_instructors_hours_are_those_that_the_notebooks_tell():
    rows = re.findall(r"^\| \d \|.*\| ([\d½ +]+) \|", PAGES["instructors.md"], re.MULTILINE)
    told = [float(part.replace("½", ".5")) for row in rows for part in row.split(" + ")]
    assert told == [hours_of(notebook) for notebook in NOTEBOOKS]
    assert f"about {sum(told):.0f} hours" in PAGES["instructors.md"]
    assert f"{sum(told):.0f} hours for all nine" in PAGES["index.md"]
    assert sum(told[number - 1] for number in (1, 5, 7)) == 10
    assert "ten for notebooks 1, 5 and 7" in PAGES["index.md"]
    assert "about ten hours" in PAGES["instructors.md"]


# The glossary -------------------------------------------------------------------------------------


def terms():
    listing = PAGES["glossary.md"].partition("```{glossary}")[2].partition("```")[0]
    return [line for line in listing.split("\n") if line and not line.startswith(" ")]


def test_every_word_stands_once_and_in_order():
    assert len(terms()) > 60
    assert terms() == sorted(set(terms()), key=lambda term: term.casefold().replace("'", ""))


def test_every_word_and_symbol_says_where_it_is_explained():
    listing = PAGES["glossary.md"].partition("```{glossary}")[2]
    words, _, symbols = listing.partition("## Symbols")
    explained = [line for line in words.split("\n") if line.startswith("  ")]
    rows = [line for line in symbols.split("\n") if line.startswith("| $")]
    assert len(explained) == len(terms()) and len(rows) > 25
    assert all("](notebooks/" in line for line in explained + rows)


def symbols_of(text):
    """Return the letters of a text's formulas, Greek ones and those that carry a mark."""
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", text, re.DOTALL)
    joined = " ".join(block or inline for block, inline in formulas)
    joined = re.sub(r"\\(text|operatorname|underset)\{[^{}]*\}", " ", joined)
    named = r"\\(?:alpha|beta|delta|epsilon|varepsilon|lambda|mu|pi|rho|sigma|tau|theta|ell)\b"
    return set(re.findall(named, joined)) | set(
        re.findall(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])", joined)
    )


def test_every_symbol_of_two_notebooks_is_in_the_glossary():
    texts = [
        "\n".join(cell.source for cell in notebook.parts if getattr(cell, "kind", "") == "markdown")
        for notebook in NOTEBOOKS
    ]
    used = [symbols_of(text) for text in texts]
    shared = {
        symbol for symbols in used for symbol in symbols if sum(symbol in own for own in used) > 1
    }
    # An index, and letters of one formula that the text beside it explains.
    explained_on_the_spot = {"c", "e", "j"}
    assert shared - symbols_of(PAGES["glossary.md"]) == explained_on_the_spot


# Points, cards, references, the lecture -----------------------------------------------------------


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_the_table_of_points_is_what_the_grader_counts(notebook):
    assignment = ROOT / "autograder" / "tests" / notebook.name / "assignment.json"
    questions = json.loads(assignment.read_text("utf-8"))["questions"]
    graded = sum(test["points"] for question in questions for test in question["tests"])
    assert sum(map(points_of, notebook.questions)) == graded
    (row,) = re.findall(rf"^\| \*\*\[.+{notebook.name}.+$", PARTS["points.md"], re.MULTILINE)
    assert row.endswith(f"| **{graded:g}** |")


def test_the_table_of_points_adds_up():
    sums = [
        float(number) for number in re.findall(r"\*\*([\d.]+)\*\* \|$", PARTS["points.md"], re.M)
    ]
    assert sum(sums[:-1]) == sums[-1]
    rows = [line for line in PARTS["points.md"].split("\n") if line.startswith("| Question")]
    assert len(rows) == sum(len(notebook.questions) for notebook in NOTEBOOKS)


def test_the_front_page_has_a_card_for_each_notebook():
    for notebook in NOTEBOOKS:
        assert f'href="notebooks/{notebook.name}.html"' in PARTS["cards.md"]
        assert (ROOT / "assets" / f"{notebook.name}.png").is_file()
    assert PARTS["cards.md"].count("<img") == PARTS["cards.md"].count('alt="') == len(NOTEBOOKS)


def arxiv_numbers(text):
    return set(re.findall(r"\d{4}\.\d{5}", text))


def test_the_list_of_references_has_every_paper_of_the_notebooks_once():
    cited = {
        number
        for notebook in NOTEBOOKS
        for number in arxiv_numbers(notebook.path.read_text("utf-8"))
    }
    listed = re.findall(r"abs/(\d{4}\.\d{5})", references(NOTEBOOKS))
    assert cited <= set(listed)
    # OpenVLA stands beside RT-1 in one notebook and alone in another.
    assert len(listed) - len(set(listed)) <= 1


def test_the_papers_of_the_lecture_are_among_the_references():
    assert arxiv_numbers(PAGES["lecture.md"]) <= arxiv_numbers(PARTS["references.md"])


def test_a_section_that_is_gone_is_missed():
    with pytest.raises(ValueError, match="## Nowhere"):
        section("# A\n\n## B\n\ntext\n", "Nowhere")


# The reference of the library ---------------------------------------------------------------------


def modules_of_the_library():
    library = ROOT / "imitation_lab"
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in library.rglob("*.py")
        if not path.name.startswith("__main__")
    } - {"imitation_lab"}


def test_the_reference_names_modules_that_exist_and_each_once():
    text = "\n".join(page for name, page in PAGES.items() if name.startswith("reference/"))
    named = re.findall(r"automodule:: ([\w.]+)", text)
    assert len(named) == len(set(named))
    assert set(named) <= modules_of_the_library()


def test_the_reference_covers_every_layer_of_the_library():
    """A package is covered by its own page, or by those of its modules."""
    text = "\n".join(page for name, page in PAGES.items() if name.startswith("reference/"))
    covered = {name.split(".")[1] for name in re.findall(r"automodule:: ([\w.]+)", text)}
    assert covered == {name.split(".")[1] for name in modules_of_the_library()}


def test_the_reference_has_all_modules_of_packages_that_export_nothing():
    text = "\n".join(page for name, page in PAGES.items() if name.startswith("reference/"))
    for package in ("policies", "pusht"):
        prefix = f"imitation_lab.{package}."
        modules = {name for name in modules_of_the_library() if name.startswith(prefix)}
        assert modules <= set(re.findall(r"automodule:: ([\w.]+)", text))
