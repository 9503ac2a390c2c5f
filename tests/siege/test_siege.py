"""The siege: strangers' programs against the grader. Nothing stolen, leaked, broken or left alive."""

from pathlib import Path

import pytest

from tests.grading.conftest import RIGHT
from tests.siege.files import FILES
from tests.siege.forms import Hostile
from tests.siege.hostile import BY_CELLS, SHORT

ALL = {hostile.name: hostile for hostile in BY_CELLS}


def besiege(field, hostile: Hostile) -> None:
    notebook = field.notebook(**hostile.answers)
    if hostile.cell:
        notebook.insert(2, field.fill_in(hostile.cell))
    result = field.grade_text(notebook.text())
    field.check(result, hostile.most, hostile.status)


def test_there_are_enough_of_them():
    assert len(ALL) == len(BY_CELLS) and len(ALL) + len(FILES) >= 60
    assert set(SHORT) <= set(ALL) and not any(ALL[name].waits for name in SHORT)


def test_what_must_not_be_found_is_there_to_be_found(field):
    """Else the hunt for what answers the notebook would succeed in nothing."""
    module = field.places["ANSWER"].partition(".")[2]
    text = (Path(field.places["LIBRARY"]) / f"{module}.py").read_text()
    assert field.places["MARK"].replace("_", " ") in text
    assert f"{module}.py" in field.assignments["00_sample"].withheld


@pytest.mark.parametrize("name", SHORT)
def test_the_short_siege_wins_nothing(field, name):
    besiege(field, ALL[name])


def test_after_the_short_siege_an_honest_submission_has_its_full_score(field):
    field.check_next()


@pytest.mark.long
@pytest.mark.parametrize("name", ALL)
def test_the_whole_siege_wins_nothing_and_the_next_submission_has_its_full_score(field, name):
    besiege(field, ALL[name])
    field.check_next()


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_no_file_is_dangerous_to_open(field, name, tmp_path):
    make, most = FILES[name]
    field.check(field.grade(make(tmp_path, field.notebook(**RIGHT).text())), most)
    field.check_next()
