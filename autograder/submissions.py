"""Finding and reading submissions. Nothing is unpacked to disk, and nothing is run."""

import itertools
import json
import math
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

try:
    from lzma import LZMAError
except ImportError:  # Python may be built without: zipfile then refuses such archives
    LZMAError = zlib.error  # type: ignore[assignment]

MAX_NOTEBOOK = 50 << 20
MAX_ZIP = 500 << 20
MAX_MEMBERS = 10_000
MAX_CONTENTS = 4 << 20  # bytes of a zip's table of contents
MAX_NOTEBOOKS = 20  # of one zip: the others are not read
MAX_FIGURES = 10  # of one cell
_PICTURES = ("image/png", "image/jpeg")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_SUFFIXES = (".ipynb", ".zip")
_LONGEST_NAME = 200  # bytes: file systems take 255, and a number or an ending may be added
# Control characters, what separates folders or is forbidden somewhere, and bytes that are no text.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|\ud800-\udfff]")
UNFINISHED = "unfinished.json"
# What lies beside the submissions' folders: of the grading, and of the papers that follow it.
_TAKEN = (
    *("grades.csv", "report.html", UNFINISHED, "manual"),
    *("canvas.csv", "canvas.html", "canvas-feedback.zip"),
    *("gradescope.csv", "gradescope.html", "gradescope-feedback.zip"),
)
_IGNORED_FOLDERS = (".ipynb_checkpoints", "__MACOSX")


class MalformedError(Exception):
    """A submission that is no notebook. The message tells the student what it is instead."""


@dataclass(frozen=True)
class Cell:
    """A cell as the student handed it in.

    Attributes:
        id: Its id.
        kind: ``code``, ``markdown`` or what else the file says.
        source: Its text.
        tags: Its tags.
        figures: The pictures that were dragged into a markdown cell, as ``data:`` addresses.
    """

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notebook:
    """A notebook as the student handed it in, with remarks on how it was read.

    Attributes:
        cells: Its cells.
        claims: The notebook of the course that it says to be, or empty.
        notes: The remarks.
        student: For whom it says that it was made, or empty.
    """

    cells: tuple[Cell, ...]
    claims: str = ""
    notes: tuple[str, ...] = ()
    student: str = ""

    @property
    def code(self) -> tuple[Cell, ...]:
        """The code cells, in the document's order."""
        return tuple(cell for cell in self.cells if cell.kind == "code")


@dataclass(frozen=True)
class Submission:
    """A file to grade, the name that its result will have, and whose it is, where that is known."""

    name: str
    path: Path
    student: str = ""


def find_submissions(paths: Sequence[Path]) -> list[Submission]:
    """Return the submissions among files and folders, each with a name of its own.

    A file's name is its submission's. Where two are alike, each has its folder's name before it.

    Raises:
        FileNotFoundError: If one of ``paths`` does not exist.
    """
    given = [file for path in paths for file in _files(path) if path.is_file() or _is_ours(file)]
    files = list({file.resolve(): file for file in given}.values())
    stems = Counter([_safe_name(file.stem) for file in files])
    found: dict[str, Submission] = {}
    for file in files:
        name = _safe_name(file.stem)
        if stems[name] > 1 or name in _TAKEN:
            name = _shortened(f"{_safe_name(file.resolve().parent.name)}-{name}")
        name = _free_name(name, {*found, *stems} - {_safe_name(file.stem)})
        found[name] = Submission(name, file)
    return list(found.values())


def count_others(paths: Iterable[Path]) -> Counter[str]:
    """Return how many files in folders are no submissions, by the ending of their names."""
    files = {file.resolve() for path in paths if path.is_dir() for file in _files(path)}
    return Counter(file.suffix.lower() or file.name for file in files if not _is_ours(file))


def _is_ours(file: Path) -> bool:
    return file.suffix.lower() in _SUFFIXES


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*")):
        parts = file.relative_to(path).parts
        ignored = any(part in _IGNORED_FOLDERS or part.startswith(".") for part in parts)
        # A link may point at any file of the instructor's.
        if file.is_file() and not file.is_symlink() and not ignored:
            yield file


def _safe_name(stem: str) -> str:
    """Return a name that is a folder's name: nothing unsafe, never empty, and not too long."""
    return _shortened(_UNSAFE.sub("_", stem).strip(" .")) or "submission"


def _shortened(name: str) -> str:
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def printable(name: str) -> str:
    """Return a file's name without what would move a terminal's cursor, or cannot be printed."""
    return "".join(character if character.isprintable() else "?" for character in name)


def _free_name(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([name], numbered) if free not in taken)


def read_notebook(path: Path) -> Notebook:
    """Read the notebook that a submission is, or holds.

    Raises:
        MalformedError: If there is none that can be read.
    """
    try:
        if path.suffix.lower() == ".zip":
            return _read_zip(path)
        with path.open("rb") as file:
            return parse_notebook(_read_capped(file, path.name))
    except OSError as error:
        raise MalformedError(f"The file cannot be read: {error.strerror}.") from None


def _read_capped(file: BinaryIO | Any, name: str) -> bytes:
    data: bytes = file.read(MAX_NOTEBOOK + 1)
    if len(data) > MAX_NOTEBOOK:
        raise MalformedError(
            f"{name} is larger than {MAX_NOTEBOOK >> 20} MB: clear its outputs and save it again."
        )
    return data


def read_member(path: Path, name: str, most: int) -> bytes:
    """Return the file of this name that a zip holds, the one nearest to its top.

    Raises:
        MalformedError: If there is none, if it is larger than ``most`` bytes, or if the zip cannot be
            read.
    """
    if path.suffix.lower() != ".zip":
        raise MalformedError(f"No {name} was handed in: put it into a zip beside the notebook.")
    with _opened(path) as archive:
        found = [m for m in archive.infolist()[:MAX_MEMBERS] if _file_name(m) == name]
        if not found:
            raise MalformedError(f"The zip file holds no {name}.")
        nearest = min(found, key=lambda member: (member.filename.count("/"), member.filename))
        with archive.open(nearest) as file:
            data = file.read(most + 1)
    if len(data) > most:
        raise MalformedError(f"{name} is larger than {most >> 20} MB.")
    return data


def _read_zip(path: Path) -> Notebook:
    with _opened(path) as archive:
        return _choose_member(archive)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive, and tell of whatever is wrong with it in one way."""
    try:
        if path.stat().st_size > MAX_ZIP:
            raise MalformedError(f"The zip file is larger than {MAX_ZIP >> 20} MB.")
        if _size_of_contents(path) > MAX_CONTENTS:
            raise MalformedError("The zip file holds far too many files.")
        with zipfile.ZipFile(path) as archive:
            yield archive
    # zipfile raises all of these for damaged, encrypted or exotic archives.
    except (
        *(zipfile.BadZipFile, zlib.error, LZMAError),
        *(RuntimeError, NotImplementedError, EOFError),
    ) as error:
        raise MalformedError(f"The zip file cannot be read: {error}.") from None
    except OSError as error:
        raise MalformedError(f"The file cannot be read: {error.strerror}.") from None
    except (ValueError, UnicodeError, MemoryError):
        raise MalformedError("The zip file cannot be read: it is damaged.") from None


def _size_of_contents(path: Path) -> float:
    """Return how many bytes of contents ``zipfile`` would read at once: a million files take it seconds.

    The last record of an archive tells, which may have a comment behind it. Larger archives than any that
    is handed in have another record before that one, for larger numbers.
    """
    record, sign, sign_of_larger = 22, b"PK\5\6", b"PK\6\7"
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - record - (1 << 16)))
        tail = file.read()
        plain = tail[-record:].startswith(sign) and tail.endswith(b"\0\0")
        start = len(tail) - record if plain else tail.rfind(sign)
        if start < 0 or len(tail) < start + record:
            return 0  # it is no archive, which zipfile tells
        file.seek(max(0, size - len(tail) + start - 20))
        if file.read(4) == sign_of_larger:
            return math.inf
    return int.from_bytes(tail[start + 12 : start + 16], "little")


def _choose_member(archive: zipfile.ZipFile) -> Notebook:
    """Return the notebook in an archive: one of this course, and the one nearest to the top."""
    members = [member for member in archive.infolist()[:MAX_MEMBERS] if _is_notebook(member)]
    members.sort(key=lambda member: (member.filename.count("/"), member.filename))
    if not members:
        raise MalformedError("The zip file holds no notebook (no file that ends in .ipynb).")
    chosen: tuple[str, Notebook] | None = None
    problem: MalformedError | None = None
    for member in members[:MAX_NOTEBOOKS]:
        try:
            with archive.open(member) as file:
                notebook = parse_notebook(_read_capped(file, PurePosixPath(member.filename).name))
        except MalformedError as error:
            problem = problem or error
            continue
        if chosen is None or notebook.claims:
            chosen = (member.filename, notebook)
        if notebook.claims:
            break
    if chosen is None:
        raise problem or MalformedError("The zip file holds no notebook that can be read.")
    name, notebook = chosen
    if len(members) == 1:
        return notebook
    remark = f"The zip file holds {len(members)} notebooks; {name} was graded."
    return replace(notebook, notes=(*notebook.notes, remark))


def _is_notebook(member: zipfile.ZipInfo) -> bool:
    return _file_name(member).lower().endswith(".ipynb")


def _file_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name without its folders; empty for a folder, and for what no student made."""
    path = PurePosixPath(member.filename)
    ignored = any(part in _IGNORED_FOLDERS or part.startswith("._") for part in path.parts)
    return "" if member.is_dir() or ignored else path.name


def parse_notebook(data: bytes) -> Notebook:
    """Read a notebook's bytes with the least trust: a notebook is what has a list of cells.

    Raises:
        MalformedError: If it has none.
    """
    if not data.strip():
        raise MalformedError("The file is empty.")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MalformedError("The file is no notebook: it is not text.") from None
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise MalformedError(f"The file is no notebook: it is not valid JSON{where}.") from None
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise MalformedError(
            "The file is no notebook of today's format: it has no list of cells. "
            "Open it in Jupyter and save it again."
        )
    cells = [cell for cell in map(_parse_cell, document["cells"]) if cell]
    dropped = len(document["cells"]) - len(cells)
    notes = [f"{dropped} cells could not be read."] if dropped else []
    metadata = _dict(document.get("metadata"))
    language = _dict(metadata.get("kernelspec")).get("language", "python")
    if language != "python":
        notes.append(f"The notebook's kernel is for {str(language)[:40]}; it was run as Python.")
    course = _dict(metadata.get("imitation_lab"))
    claims, student = (_text(course.get(name)) for name in ("notebook", "student"))
    return Notebook(tuple(cells), claims, tuple(notes), student)


def _parse_cell(data: Any) -> Cell | None:
    source = _dict(data).get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    cell_id, kind = data.get("id"), data.get("cell_type")
    tags = _dict(data.get("metadata")).get("tags")
    return Cell(
        id=cell_id if isinstance(cell_id, str) else "",
        kind=kind if isinstance(kind, str) else "",
        source=source,
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        figures=tuple(itertools.islice(_figures(_dict(data).get("attachments")), MAX_FIGURES)),
    )


def _figures(attachments: Any) -> Iterator[str]:
    """Yield attached pictures of the kinds that every browser shows and that hold no program."""
    for attachment in _dict(attachments).values():
        for kind, content in _dict(attachment).items():
            if kind in _PICTURES and isinstance(content, str) and _BASE64.fullmatch(content):
                yield f"data:{kind};base64,{''.join(content.split())}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
