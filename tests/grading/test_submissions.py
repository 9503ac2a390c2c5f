"""Finding submissions and reading notebooks, whatever is handed in."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from autograder import submissions
from autograder.submissions import (
    MalformedError,
    count_others,
    find_submissions,
    parse_notebook,
    printable,
    read_notebook,
)


def notebook(source="x = 1", **metadata):
    cell = {"id": "a", "cell_type": "code", "metadata": {}, "source": source}
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": [cell]})


def write(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def make_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def sources(read):
    return [cell.source for cell in read.cells]


def names(*paths):
    return [submission.name for submission in find_submissions(paths)]


def test_folders_are_searched_for_notebooks_and_zips(tmp_path):
    for name in ["b.ipynb", "deep/er/a.zip", "notes.txt", "C.IPYNB"]:
        write(tmp_path / name)
    assert sorted(names(tmp_path)) == ["C", "a", "b"]


def test_checkpoints_hidden_folders_and_links_are_left_out(tmp_path):
    for name in [".ipynb_checkpoints/a.ipynb", "__MACOSX/b.zip", ".trash/c.ipynb"]:
        write(tmp_path / name)
    (tmp_path / "link.ipynb").symlink_to(write(tmp_path / "secret.txt"))
    assert names(tmp_path) == []


def test_files_of_one_name_all_have_their_folders_names(tmp_path):
    for student in ("alice", "bob"):
        write(tmp_path / student / "hw.ipynb")
    write(tmp_path / "carol" / "carols.ipynb")
    assert names(tmp_path) == ["alice-hw", "bob-hw", "carols"]


def test_a_name_that_was_made_takes_no_files_own_name(tmp_path):
    files = [write(tmp_path / name) for name in ("a/hw.zip", "b/hw.zip", "c/b-hw.zip")]
    assert names(*files) == ["a-hw", "b-hw-2", "b-hw"]


def test_a_file_that_is_given_twice_is_graded_once(tmp_path):
    file = write(tmp_path / "a.ipynb")
    assert names(file, tmp_path, tmp_path / ".." / tmp_path.name / "a.ipynb") == ["a"]


def test_other_files_in_folders_are_counted(tmp_path):
    for name in ["a.ipynb", "b.py", "deep/c.py", "README", ".hidden/d.py"]:
        write(tmp_path / name)
    assert count_others([tmp_path, tmp_path / "a.ipynb"]) == {".py": 2, "README": 1}


def test_a_third_of_one_name_in_one_folder_has_a_number(tmp_path):
    files = [write(tmp_path / "x" / name) for name in ("a.ipynb", "a.zip", "a.IPYNB")]
    assert len(set(names(*files))) == 3


@pytest.mark.parametrize("taken", ["grades.csv", "manual", "canvas.csv", "gradescope-feedback.zip"])
def test_a_name_cannot_stand_for_another_file_of_the_results(tmp_path, taken):
    assert names(write(tmp_path / f"{taken}.ipynb")) != [taken]


def test_a_name_without_letters_gets_some(tmp_path):
    assert names(write(tmp_path / "....ipynb")) == ["submission"]


def test_a_name_whose_bytes_are_no_text_becomes_one(tmp_path):
    """Such as an umlaut of an old code page, in a zip that was unpacked elsewhere."""
    latin, escape = os.fsdecode(b"M\xfcller.ipynb"), "\x9b2J.ipynb"
    assert sorted(names(*(write(tmp_path / name) for name in (latin, escape)))) == ["M_ller", "_2J"]


def test_the_longest_names_of_file_and_folder_make_a_name_that_a_folder_can_have(tmp_path):
    for student in ("ada", "ben"):
        write(tmp_path / (student + "ü" * 120) / ("名" * 80 + ".ipynb"))
    found = names(tmp_path)
    assert len(set(found)) == 2
    for name in found:
        (tmp_path / "out" / name).mkdir(parents=True)


def test_what_is_printed_of_a_name_moves_no_cursor():
    assert printable("a\x1b[2Jü\x9b\udcfc\u202e") == "a?[2Jü???"


def test_a_path_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_submissions([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "valid JSON"),
        (b"[" * 200_000, "valid JSON"),
        (b"\x89PNG\xff", "not text"),
        (b"[]", "cells"),
        (b'{"cells": {}}', "cells"),
        (b'{"worksheets": []}', "format"),
        (b"print('hello')", "valid JSON"),
    ],
)
def test_what_is_no_notebook_is_told_apart(content, message):
    with pytest.raises(MalformedError, match=message):
        parse_notebook(content)


def test_odd_cells_are_dropped_and_counted():
    cells = [3, None, {}, {"source": 5}, {"source": ["a", 1]}, {"source": ["a\n", "b"]}]
    read = parse_notebook(json.dumps({"cells": cells, "metadata": 7}).encode())
    assert sources(read) == ["a\nb"]
    assert "5 cells" in read.notes[0]


def test_odd_ids_tags_and_metadata_do_no_harm():
    cell = {"source": "x", "id": 5, "cell_type": ["code"], "metadata": {"tags": {"a": 1}}}
    metadata = {"kernelspec": "R", "imitation_lab": {"notebook": 4}}
    read = parse_notebook(json.dumps({"cells": [cell], "metadata": metadata}).encode())
    assert (read.cells[0].id, read.cells[0].kind, read.cells[0].tags) == ("", "", ())
    assert read.claims == ""


def test_a_byte_order_mark_is_no_obstacle():
    assert sources(parse_notebook(b"\xef\xbb\xbf" + notebook().encode())) == ["x = 1"]


def test_another_kernel_is_noted():
    read = parse_notebook(notebook(kernelspec={"language": "R"}).encode())
    assert "R" in read.notes[0]


def test_a_notebook_is_found_in_a_zip_among_other_files(tmp_path):
    members = {
        "data.csv": "1,2",
        "otter.py": "raise SystemExit",
        "__MACOSX/._hw.ipynb": "junk",
        ".ipynb_checkpoints/hw-checkpoint.ipynb": notebook("old"),
        "deep/hw.ipynb": notebook("new"),
    }
    assert sources(read_notebook(make_zip(tmp_path / "a.zip", members))) == ["new"]


def test_the_notebook_of_the_course_is_taken_from_a_zip_of_several(tmp_path):
    members = {
        "a.ipynb": notebook("other"),
        "b/c.ipynb": notebook("ours", imitation_lab={"notebook": "01"}),
        "b/d.ipynb": notebook("another of ours", imitation_lab={"notebook": "02"}),
    }
    read = read_notebook(make_zip(tmp_path / "a.zip", members))
    assert sources(read) == ["ours"] and "b/c.ipynb" in read.notes[-1]


def test_a_broken_notebook_in_a_zip_does_not_hide_a_good_one(tmp_path):
    members = {"a.ipynb": "{", "b.ipynb": notebook("good")}
    assert sources(read_notebook(make_zip(tmp_path / "a.zip", members))) == ["good"]


def test_names_that_climb_out_of_a_zip_write_nothing(tmp_path):
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    path = make_zip(folder / "a.zip", {"../../evil.ipynb": notebook(), "/abs.txt": "x"})
    before = sorted(tmp_path.rglob("*"))
    assert sources(read_notebook(path)) == ["x = 1"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_bomb_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 1 << 20)
    path = make_zip(tmp_path / "a.zip", {"a.ipynb": " " * (64 << 20)})
    assert path.stat().st_size < 1 << 20
    with pytest.raises(MalformedError, match="larger than 1 MB"):
        read_notebook(path)


@pytest.mark.parametrize("comment", [b"", b"handed in late"])
def test_a_zip_of_very_many_files_is_refused_before_they_are_listed(tmp_path, monkeypatch, comment):
    path = make_zip(
        tmp_path / "a.zip", {"a.ipynb": notebook(), **dict.fromkeys(map(str, range(9)), "")}
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = comment
    with zipfile.ZipFile(path) as archive:
        size = sum(46 + len(member.filename) for member in archive.infolist())
    monkeypatch.setattr(submissions, "MAX_CONTENTS", size)
    assert sources(read_notebook(path)) == ["x = 1"]
    monkeypatch.setattr(submissions, "MAX_CONTENTS", size - 1)
    monkeypatch.setattr(submissions.zipfile, "ZipFile", None)  # it would list them
    with pytest.raises(MalformedError, match="far too many files"):
        read_notebook(path)


def test_a_zip_with_the_record_for_more_files_than_65535_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    path = make_zip(tmp_path / "a.zip", {"a.ipynb": notebook()})
    with pytest.raises(MalformedError, match="far too many files"):
        read_notebook(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04junk", b"not a zip", b"PK\x05\x06" + bytes(18)]
)
def test_a_zip_that_is_none_or_empty_is_malformed(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(MalformedError):
        read_notebook(path)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_member_is_malformed(tmp_path, method):
    path = make_zip(tmp_path / "a.zip", {"a.ipynb": notebook("x" * 5000)}, method)
    data = bytearray(path.read_bytes())
    data[41:51] = b"\xff" * 10  # its content begins with the 38th byte
    path.write_bytes(bytes(data))
    with pytest.raises(MalformedError):
        read_notebook(path)


def test_a_folder_named_like_a_notebook_is_malformed_or_searched(tmp_path):
    write(tmp_path / "odd.ipynb" / "inner.ipynb", notebook())
    assert names(Path(tmp_path)) == ["inner"]
