"""The verb of the book keeps its hands off what is not its own, and keeps no page that gives something away."""

from pathlib import Path

import pytest

from tools.book import __main__ as verb
from tools.book.__main__ import build, main
from tools.rules import read_course

SAMPLE = read_course(Path(__file__).parents[1] / "build" / "source")


def test_a_folder_that_holds_something_else_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("all I have")
    assert main(["--out", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert "Name a new folder" in capsys.readouterr().err


def test_a_file_where_the_folder_should_be_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("all I have")
    assert main(["--out", str(tmp_path / "thesis.txt")]) == 2
    assert (tmp_path / "thesis.txt").read_text() == "all I have"
    assert "Name a new folder" in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 1], ids=["in silence", "with a warning"])
def test_a_site_that_gives_something_away_does_not_stay(tmp_path, monkeypatch, capsys, status):
    def render(arguments: list[str]) -> int:
        Path(arguments[-1]).mkdir()
        Path(arguments[-1], "index.html").write_text("<p>actions.mean(dim=0)</p>")
        return status

    monkeypatch.setattr(verb, "build_main", render)
    monkeypatch.setattr(verb, "write_pages", lambda pages, notebooks: None)
    monkeypatch.setattr(verb, "write_notebooks", lambda pages, shown, notebooks, fast: None)
    monkeypatch.setattr(verb, "write_font", lambda path: None)
    site = tmp_path / "site"
    assert build(site, SAMPLE, fast=True, workshop=tmp_path / "workshop") == 1
    assert not site.exists()
    assert "index.txt: the solution of question best_constant" in capsys.readouterr().err
