"""Run when a kernel of the book's starts: a widget then also gives the page on which it moves alone.

The library is not imported here. A kernel that imports torch before it answers may be given up for dead.
"""

import IPython


def _with_page(widget):  # type: ignore[no-untyped-def]  # a notebook's names stay its own
    bundle = widget._repr_mimebundle_()
    if bundle is not None:
        bundle[0]["application/x-imitation-lab-page"] = widget.to_html()
    return bundle


IPython.get_ipython().display_formatter.mimebundle_formatter.for_type_by_name(
    "imitation_lab.widgets.base", "CourseWidget", _with_page
)
del IPython, _with_page
