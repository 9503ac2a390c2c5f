"""How Sphinx renders the book. ``python3 course.py book`` calls it on pages that ``tools.book`` has prepared.

Everything is made while the book is built: formulas, figures, the search's index. A page asks for
nothing that does not lie beside it.
"""

import os

from imitation_lab.style import OKABE_ITO

project = "Imitation Lab"
author = "the course's authors"
copyright = "the course's authors. Text and figures: CC BY 4.0, code: MIT"
language = "en"
root_doc = "index"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "tools.book.accessible",
    "tools.book.docstrings",
    "tools.book.formulas",
]
exclude_patterns = ["generated"]
nitpicky = False
# Attributes of two classes may have one name; a link to either would do.
suppress_warnings = ["ref.python"]

# Notebooks and Markdown. What was run lies in the pages already.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3
myst_all_links_external = False

# The library, from its docstrings.
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_inherit_docstrings = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source", ("Attributes", "params_style")]
add_module_names = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "Imitation Lab"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # it would fetch pages, which a browser forbids among files
html_domain_indices = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": OKABE_ITO["blue"],
        "color-brand-content": "#005f96",
        "color-brand-visited": "#7a3b62",
        "color-foreground-muted": "#55606b",
    },
    "dark_css_variables": {
        "color-brand-primary": OKABE_ITO["sky_blue"],
        "color-brand-content": "#7cc4ee",
        "color-brand-visited": "#dba3c4",
        "color-foreground-muted": "#a9b4bf",
    },
}
os.environ.setdefault("MPLBACKEND", "agg")  # autodoc imports the figures' modules
