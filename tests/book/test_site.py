"""The whole book, built with short trainings and opened in a browser without a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from tools.book.__main__ import PROJECT, build
from tools.book.tables import derived_parts
from tools.rules import read_course

pytestmark = [pytest.mark.browser, pytest.mark.long]

NOTEBOOKS = read_course(PROJECT / "source")
KINDS = {
    "front": "index.html",
    "notebook": f"notebooks/{NOTEBOOKS[0].name}.html",
    "glossary": "glossary.html",
    "library": "reference/tasks.html",
    "instructors": "instructors.html",
}
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    assert build(folder / "site", NOTEBOOKS, fast=True, workshop=folder / "workshop") == 0
    return folder / "site"


@pytest.fixture(scope="module")
def documents(site) -> dict[Path, BeautifulSoup]:
    return {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in site.rglob("*.html")
    }


@pytest.fixture
def visit(chromium, site) -> Iterator[Any]:
    """Open a page of the site; afterwards, hold it to silence on console and network."""
    contexts, faults = [], []

    def note_request(request: Any) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            faults.append(f"request: {request.url}")

    def visit(address: str, width: int = 1200, **options: Any) -> Any:
        size = {"width": width, "height": 900}
        contexts.append(chromium.new_context(viewport=size, offline=True, **options))
        page = contexts[-1].new_page()
        page.on("request", note_request)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.goto(f"{site.as_uri()}/{address}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def test_every_link_leads_to_a_place_in_the_site(site, documents):
    ids = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in documents.items()}
    broken = []
    for path, page in documents.items():
        for address in {tag["href"] for tag in page.find_all(href=True)}:
            if address.startswith(("http:", "https:", "mailto:")):
                continue
            place, anchor = urldefrag(address)
            place = unquote(place.partition("?")[0])  # Sphinx hangs a version on what it may change
            target = (path.parent / place).resolve() if place else path
            known = ids.get(target, {""} if target.is_file() else set())
            if unquote(anchor) not in known | {""} or not target.is_file():
                broken.append(f"{path.relative_to(site)}: {address}")
    assert broken == []


def test_every_picture_is_there_and_described(site, documents):
    pictures = [(path, tag) for path, page in documents.items() for tag in page.find_all("img")]
    assert len(pictures) > 50
    for path, picture in pictures:
        described = picture.get("alt") or picture.get("role") == "presentation"
        assert described, f"{path.name}: {picture.get('src', '')[:80]}"
        if not picture["src"].startswith("data:"):
            assert (path.parent / picture["src"]).is_file()


def test_no_page_asks_for_anything_from_elsewhere(documents):
    for path, page in documents.items():
        asked = [
            tag.get("src") or tag.get("href") for tag in page.find_all(["script", "link", "img"])
        ]
        assert not [url for url in asked if url and url.startswith(("http", "//"))], path.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_has_no_serious_barrier(visit, kind, scheme):
    page = visit(KINDS[kind], color_scheme=scheme)
    page.wait_for_timeout(500)  # widgets are drawn
    # Without preload: axe would fetch the style sheets, which a browser forbids among files.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, options=options).response["violations"]
    serious = [
        (fault["id"], [node["html"][:120] for node in fault["nodes"][:5]])
        for fault in found
        if fault["impact"] in SERIOUS
    ]
    assert serious == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_on_a_telephone(visit, kind):
    page = visit(KINDS[kind], width=420)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_a_widget_moves_on_the_front_page(visit):
    page = visit("index.html")
    page.get_by_role("slider", name="Left driver").first.wait_for()
    assert page.locator(".imitation-standalone > img").count() == 0


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_a_notebook_opens_quietly_and_its_widget_is_drawn(visit, notebook):
    page = visit(f"notebooks/{notebook.name}.html")
    for widget in page.locator(".live-widget").all():
        widget.locator(".imitation-widget").wait_for()


def test_the_search_finds_a_word_without_a_network(visit):
    page = visit("search.html?q=hysteresis")
    page.get_by_role("link", name="Interventions").first.wait_for()


def test_every_answer_of_the_site_is_blank(documents, site):
    for notebook in NOTEBOOKS:
        page = documents[site / "notebooks" / f"{notebook.name}.html"]
        answers = page.select(".tag_otter_answer_cell .cell_input")
        asked = [question for question in notebook.questions if not question.written]
        assert len(answers) >= len(asked)
        assert all("..." in answer.get_text() for answer in answers)


def test_the_points_of_the_site_are_those_of_the_source(documents, site):
    total = derived_parts(NOTEBOOKS)["points.md"].rsplit("**", 2)[1]
    table = documents[site / "instructors.html"].get_text()
    assert f"the whole course\n\n\n{total}" in table.replace(" ", " ")
