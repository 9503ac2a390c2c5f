"""The parts of pages that are derived, so that nobody has to keep them in step.

Points come from the source, the front page's cards and the way to grade from the README, the recipe for
a question from CONTRIBUTING, the list of references from the notebooks.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from tools.build import PROJECT
from tools.source import Cell, Notebook, Question

_ROW = re.compile(r"^\| \*\*(\d\d)\*\* \| \*\*(.+?)\*\* \| (.+?) \|$", re.MULTILINE)
_PICTURE = re.compile(r"^!\[(.+)\]\((assets/(\d\d)_.+\.png)\)$", re.MULTILINE)
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_LINKED = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")


def derived_parts(notebooks: tuple[Notebook, ...]) -> dict[str, str]:
    """Return the derived parts in Markdown, by the names under which pages include them."""
    readme, contributing = (_read(name) for name in ("README.md", "CONTRIBUTING.md"))
    return {
        "cards.md": cards(readme, notebooks),
        "points.md": points(notebooks),
        "grading.md": section(readme, "For instructors"),
        # Its example is a solved question of notebook 1.
        "question.md": _without_code(section(contributing, "Recipe: change or add a question")),
        "references.md": references(notebooks),
    }


def _read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """Return what stands under a heading of the second level. Links into the repository become words.

    Raises:
        ValueError: If there is no such heading.
    """
    _, found, rest = text.partition(f"\n## {title}\n")
    if not found:
        raise ValueError(f"no heading `## {title}` in this text: correct the title in tools/book.")
    return _LINKED.sub(r"\1", rest.partition("\n## ")[0]).strip() + "\n"


def _without_code(text: str) -> str:
    return re.sub(r"```python\n.*?```\n\n", "", text, flags=re.DOTALL)


def cards(readme: str, notebooks: tuple[Notebook, ...]) -> str:
    """Return a card for each notebook: its picture, its title, and what one can say afterwards."""
    pictures = {number: (alt, path) for alt, path, number in _PICTURE.findall(readme)}
    names = {notebook.name[:2]: notebook.name for notebook in notebooks}
    parts = [
        _card(number, title, promise, names[number], pictures[number])
        for number, title, promise in _ROW.findall(readme)
        if number in names
    ]
    return "\n".join(['<ol class="cards" role="list">', *parts, "</ol>\n"])


def _card(number: str, title: str, promise: str, name: str, picture: tuple[str, str]) -> str:
    alt, path = picture
    return (
        f'<li><a href="notebooks/{name}.html"><span class="number">{number}</span> {title}</a>'
        f"<p>You will be able to say <em>{html.escape(promise)}</em>.</p>"
        f'<img src="_static/{Path(path).name}" alt="{html.escape(alt)}"></li>'
    )


def points(notebooks: tuple[Notebook, ...]) -> str:
    """Return a table of all questions with their points, and the sums of the notebooks."""
    lines = ["| question | public tests | hidden tests | points |", "|---|---:|---:|---:|"]
    total = 0.0
    for notebook in notebooks:
        total += sum(map(points_of, notebook.questions))
        lines += _points_of_notebook(notebook)
    return "\n".join([*lines, f"| **the whole course** | | | **{total:g}** |", ""])


def _points_of_notebook(notebook: Notebook) -> Iterator[str]:
    total = sum(map(points_of, notebook.questions))
    link = f"[{int(notebook.name[:2])} · {notebook.title}](notebooks/{notebook.name}.ipynb)"
    yield f"| **{link}** | | | **{total:g}** |"
    for question in notebook.questions:
        if question.written:
            yield f"| {question.title} | | | in words |"
            continue
        public, hidden = (
            sum(t.points for t in tests) for tests in (question.public, question.hidden)
        )
        yield f"| {question.title} | {public:g} | {hidden:g} | {public + hidden:g} |"


def points_of(question: Question) -> float:
    """Return what a machine can give for a question."""
    return sum(test.points for test in question.tests)


def references(notebooks: tuple[Notebook, ...]) -> str:
    """Return all references of the notebooks, each once, with the notebooks that name it."""
    texts: dict[str, str] = {}
    places: dict[str, list[str]] = {}
    for notebook in notebooks:
        for text in _references_of(notebook):
            key = _title_of(text)
            texts.setdefault(key, _without_remark(text))
            places.setdefault(key, []).append(
                f"[{int(notebook.name[:2])}](notebooks/{notebook.name}.ipynb#references)"
            )
    lines = [f"- {_linked(texts[key])} Notebook {', '.join(places[key])}." for key in texts]
    return "\n".join([*sorted(lines, key=str.casefold), ""])


def _references_of(notebook: Notebook) -> Iterator[str]:
    cells = [part.source for part in notebook.parts if isinstance(part, Cell)]
    (text,) = [cell for cell in cells if "## References\n" in cell]
    for item in re.split(r"^- ", text.partition("## References\n")[2], flags=re.MULTILINE)[1:]:
        yield " ".join(item.split())


def _title_of(text: str) -> str:
    return (re.findall(r"\*([^*]+)\*", text) or [text])[0].casefold()


def _without_remark(text: str) -> str:
    """Return a reference up to its year or arXiv number: what follows tells of one notebook only."""
    text = re.sub(r" \(\d{4}[a-z] above\)", "", text)
    found = [*re.finditer(r"arXiv:\d{4}\.\d{4,5}|\b(?:19|20)\d\d\b(?!\.\d)", text)]
    return text[: found[-1].end()] + "." if found else text


def _linked(text: str) -> str:
    return _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
