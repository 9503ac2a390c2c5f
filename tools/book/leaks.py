"""The last look at the site: whatever students must not have is searched for in each of its pages.

``tools.release_check`` knows the secrets and how to find them in files. Here all questions count as due,
since everybody can read a site, and pages become files that it can read: the notebooks as Sphinx gets
them, with their cells as programs, and the words of every page as a browser shows them. A line of a
solution may stand as code in a cell, where the author chose to show it, and not among words.
"""

import tempfile
from pathlib import Path

from bs4 import BeautifulSoup

from tools.release_check import find_leaks, secrets_of
from tools.source import Notebook


def find_leaks_in_site(pages: Path, site: Path, notebooks: tuple[Notebook, ...]) -> list[str]:
    """Return what a site gives away, each with its place; an empty list if nothing.

    Args:
        pages: The folder that Sphinx rendered.
        site: What became of it.
        notebooks: The whole course.
    """
    secrets = secrets_of(notebooks, notebooks[0])
    with tempfile.TemporaryDirectory() as folder:
        for page in site.rglob("*.html"):
            text = Path(folder, page.relative_to(site)).with_suffix(".txt")
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text(visible_text(page), encoding="utf-8")
        return find_leaks(pages, secrets) + find_leaks(Path(folder), secrets)


def visible_text(page: Path) -> str:
    """Return the words of a page of HTML, its alternative texts too, without the cells' code."""
    document = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for code in document.select(".cell_input"):
        code.decompose()
    described = [str(picture.get("alt", "")) for picture in document.find_all("img")]
    return "\n".join([document.get_text(), *described])
