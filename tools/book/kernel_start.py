"""Run when a kernel of the book's starts: a widget then also gives the page on which it moves alone.

Nothing is imported here. A kernel that imports torch before it answers may be given up for dead.
"""

from typing import Any

from IPython.core.getipython import get_ipython


def _with_page(widget: Any) -> Any:
    bundle = widget._repr_mimebundle_()
    if bundle is not None:
        bundle[0]["application/x-imitation-lab-page"] = widget.to_html()
    return bundle


if shell := get_ipython():
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("imitation_lab.widgets.base", "CourseWidget", _with_page)
