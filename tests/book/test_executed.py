"""What was run is kept, and run again only when something that it was made of has changed."""

import os
import runpy
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_notebook

from imitation_lab.widgets import DragTheModes
from tools.book import executed
from tools.book.executed import executed_notebooks


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two empty notebooks and a library of one file, and what was run of it."""
    project = tmp_path / "project"
    (project / "solutions").mkdir(parents=True)
    (project / "imitation_lab").mkdir()
    (project / "imitation_lab" / "types.py").write_text("")
    for name in ("01_one", "02_two"):
        (project / "solutions" / f"{name}.ipynb").write_text(
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
        )
    course = SimpleNamespace(project=project, run=[], fails="", seen=[])

    def run_solved(path, after_cell):
        if path.stem == course.fails:
            raise KeyboardInterrupt
        course.run.append(path.stem)
        course.seen.append({name: os.environ.get(name) for name in (executed.FAST, "IPYTHONDIR")})
        return new_notebook(), None

    monkeypatch.setattr(executed, "PROJECT", project)
    monkeypatch.setattr(executed, "SOLUTIONS", project / "solutions")
    monkeypatch.setattr(executed, "run_solved", run_solved)
    course.build = lambda **options: executed_notebooks(
        ["01_one", "02_two"], kept=project / "kept", **options
    )
    return course


def test_the_second_build_runs_nothing(course):
    assert list(course.build()) == ["01_one", "02_two"]
    course.run.clear()
    assert list(course.build()) == ["01_one", "02_two"]
    assert course.run == []


def test_a_change_of_one_notebook_runs_that_one_again(course):
    course.build()
    course.run.clear()
    with (course.project / "solutions" / "02_two.ipynb").open("a") as notebook:
        notebook.write("\n")
    course.build()
    assert course.run == ["02_two"]
    assert len(list((course.project / "kept").iterdir())) == 2


def test_a_change_of_the_library_runs_all_again(course):
    course.build()
    (course.project / "imitation_lab" / "types.py").write_text("x = 1")
    course.build()
    assert course.run == ["01_one", "02_two"] * 2


def test_an_interrupted_build_loses_no_notebook_that_was_run(course):
    course.fails = "02_two"
    with pytest.raises(KeyboardInterrupt):
        course.build()
    course.fails = ""
    course.build()
    assert course.run == ["01_one", "02_two"]


def test_short_trainings_do_not_stand_in_for_long_ones(course):
    course.build(fast=True)
    course.build(fast=False)
    course.build(fast=True)
    assert course.run == ["01_one", "02_two"] * 2
    assert [seen[executed.FAST] for seen in course.seen] == ["1", "1", "", ""]


def test_a_kernel_does_not_start_as_the_user_has_it_start(course, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", "the-users-own")
    course.build()
    assert all(seen["IPYTHONDIR"] != "the-users-own" for seen in course.seen)
    assert os.environ["IPYTHONDIR"] == "the-users-own"


def test_a_widget_gives_its_moving_page_to_the_book():
    shell = InteractiveShell.instance()
    try:
        runpy.run_path(str(executed.KERNEL_START))
        data, _ = shell.display_formatter.format(DragTheModes())
    finally:
        InteractiveShell.clear_instance()
    assert "<script>" in data[executed.WIDGET_PAGE]
    assert {"image/png", "text/html"} <= set(data)
