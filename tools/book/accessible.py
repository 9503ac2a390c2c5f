"""What Sphinx and Furo write in a way that screen readers stumble over, put right.

A Sphinx extension.
"""

import re
from typing import Any

from sphinx.application import Sphinx

_CAPTION = 'class="caption" role="heading"'
_PARAMETERS = re.compile(r'<dl>\n((?:<dd><em class="sig-param">.*</dd>\n)+)</dl>\n')
_DEFINITION = re.compile(r"<(/?)dd>")


def leveled(navigation: str) -> str:
    """Return a navigation whose captions say how high they stand among the headings."""
    return navigation.replace(_CAPTION, f'{_CAPTION} aria-level="2"')


def with_plain_parameters(body: str) -> str:
    """Return a page whose signatures hold no list of definitions without a term.

    Sphinx writes a long signature's parameters in such a list to put each on a line of its own.
    """
    return _PARAMETERS.sub(_plain, body)


def _plain(match: re.Match[str]) -> str:
    lines = _DEFINITION.sub(
        lambda tag: "</span>" if tag[1] else '<span class="parameter">', match[1]
    )
    return f'<span class="parameters">{lines}</span>'


def _mend(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    for name in ("furo_navigation_tree", "toctree"):
        if isinstance(context.get(name), str):
            context[name] = leveled(context[name])
    if "body" in context:
        context["body"] = with_plain_parameters(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx, behind Furo."""
    app.connect("html-page-context", _mend, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
