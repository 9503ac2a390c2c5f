"""What every widget of the course gets from its base class."""

import base64
import html
import re

import nbformat
import numpy as np
import pytest
import traitlets
from matplotlib.figure import Figure
from nbconvert import HTMLExporter

from imitation_lab.style import OKABE_ITO
from imitation_lab.widgets import DragTheModes
from imitation_lab.widgets.base import (
    STATIC,
    CourseWidget,
    _script_literal,
    bundle_script,
    bundle_styles,
)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def test_bundle_holds_every_imported_file_once_and_before_its_user(tmp_path):
    (tmp_path / "base.js").write_text("export const one = 1;\n")
    (tmp_path / "middle.js").write_text(
        'import { one } from "./base.js";\nexport const two = 2 * one;\n'
    )
    (tmp_path / "top.js").write_text(
        'import {\n  one,\n} from "./base.js";\nimport { two } from "./middle.js";\nexport default { one, two };\n'
    )
    lines = [line for line in bundle_script(tmp_path / "top.js").splitlines() if line]
    assert lines == ["const one = 1;", "const two = 2 * one;", "export default { one, two };"]


@pytest.mark.parametrize(
    "statement",
    [
        'import * as d3 from "./d3.js";',
        'import { a } from "https://example.org/a.js";',
        'import "./a.js";',
    ],
)
def test_bundle_refuses_an_import_that_it_cannot_join(tmp_path, statement):
    (tmp_path / "top.js").write_text(statement + "\nexport default {};\n")
    with pytest.raises(ValueError, match=r"top\.js holds an import that cannot be joined"):
        bundle_script(tmp_path / "top.js")


def test_no_style_sheet_repeats_a_colour_of_the_palette():
    sheets = "".join(path.read_text() for path in STATIC.glob("*.css"))
    assert not [
        colour
        for colour in OKABE_ITO.values()
        if colour.lower() in sheets.lower() and colour != "#000000"
    ]


def test_style_sheets_use_only_colours_that_the_palette_has():
    sheet = bundle_styles("modes")
    defined = set(re.findall(r"(--[\w-]+):", sheet))
    assert set(re.findall(r"var\((--[\w-]+)\)", sheet)) <= defined


def test_script_literal_cannot_close_the_script():
    assert "<" not in _script_literal("</script><!--")


def test_notebook_output_carries_a_picture_and_its_description():
    widget = DragTheModes(left_weight=0.8)
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == widget.describe()
    assert f'alt="{html.escape(widget.describe())}"' in data["text/html"]
    assert data["image/png"] in data["text/html"]
    assert widget.to_png().startswith(PNG_SIGNATURE)


def test_a_notebook_exported_without_a_kernel_shows_the_described_picture():
    widget = DragTheModes()
    output = nbformat.v4.new_output("display_data", widget._repr_mimebundle_()[0])
    cell = nbformat.v4.new_code_cell("modes", outputs=[output])
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert f'<img alt="{html.escape(widget.describe())}"' in page
    assert base64.b64encode(widget.to_png()).decode() in page


class SumOfBytes(CourseWidget):
    """A widget that reads numbers from bytes, and writes down their sum."""

    _esm = """export default { render({ model, el }) {
        const view = model.get("numbers");
        const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
        el.append(`sum ${new Float32Array(bytes).reduce((sum, value) => sum + value, 0)}`);
    } };"""
    _css = ""
    numbers = traitlets.Bytes().tag(sync=True)

    def figure(self) -> Figure:
        return Figure()

    def describe(self) -> str:
        return "a sum"


@pytest.mark.browser
@pytest.mark.parametrize("count", [0, 1, 250_000])
def test_an_exported_page_hands_bytes_out_as_a_live_model_does(chromium, tmp_path, count):
    numbers = np.arange(count, dtype="<f4") % 7 - 2.5  # bytes above 127 among them
    path = tmp_path / "sum.html"
    path.write_text(SumOfBytes(numbers=numbers.tobytes()).to_html(), encoding="utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    page.get_by_text(f"sum {numbers.sum():g}", exact=True).wait_for()
    page.close()
