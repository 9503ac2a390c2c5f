"""The verb of the book keeps its hands off what is not its own."""

from tools.book.__main__ import main


def test_a_folder_that_holds_something_else_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("all I have")
    assert main(["--out", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert "Name a new folder" in capsys.readouterr().err
