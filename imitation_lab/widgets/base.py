"""What all widgets of the course share: a front end in its own files, and a picture to fall back on.

A widget is drawn by the browser alone. The kernel hands over a few numbers, hears of a change when
the student lets go, and may die meanwhile. Where no widget manager runs (a printed notebook, a code
host's preview), the picture of ``figure`` shows; ``to_html`` gives the moving widget without a kernel.
"""

import base64
import html
import io
import json
import re
from pathlib import Path
from string import Template
from typing import Any

import anywidget
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from imitation_lab.style import OKABE_ITO

STATIC = Path(__file__).parent / "static"
PNG_DPI = 160  # shown at 100: sharp on a dense screen

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


class CourseWidget(anywidget.AnyWidget):
    """A widget whose front end is ``static/<front_end>.js`` and ``static/<front_end>.css``.

    A subclass names its front end, ``class DragTheModes(CourseWidget, front_end="modes")``, declares
    its traits, and defines ``figure`` and ``describe``.
    """

    def __init_subclass__(cls, front_end: str = "", **kwargs: Any) -> None:
        if front_end:
            cls._esm = bundle_script(STATIC / f"{front_end}.js")
            cls._css = bundle_styles(front_end)
        super().__init_subclass__(**kwargs)

    def figure(self) -> Figure:
        """Return the widget's present state as a figure."""
        raise NotImplementedError(f"{type(self).__name__} must draw its static figure.")

    def describe(self) -> str:
        """Return in words what the figure shows: its alternative text."""
        raise NotImplementedError(f"{type(self).__name__} must describe its figure in words.")

    def to_png(self) -> bytes:
        """Return the static figure as the bytes of a PNG file."""
        figure = self.figure()
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=PNG_DPI, facecolor="white")
        return buffer.getvalue()

    def to_html(self) -> str:
        """Return the widget as one piece of HTML that moves without a kernel and without a network.

        It may stand alone as a file or inside a page. The page shows the picture until the script
        runs, and keeps it where scripts are off.
        """
        page = Template((STATIC / "standalone.html").read_text(encoding="utf-8"))
        return page.substitute(
            picture=self._image_tag(self._encoded_png()),
            styles=self._css,
            values=_script_literal(self._plain_values()),
            binary=_script_literal(self._binary_values()),
            script=_script_literal(str(self._esm)),
        )

    def _shared_values(self) -> dict[str, Any]:
        names = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        return {name: getattr(self, name) for name in sorted(names) if not name.startswith("_")}

    def _plain_values(self) -> dict[str, Any]:
        values = self._shared_values()
        return {name: value for name, value in values.items() if not isinstance(value, bytes)}

    def _binary_values(self) -> dict[str, str]:
        """Return the traits of bytes in base64; the page makes of them what a live model gives."""
        values = self._shared_values().items()
        return {
            name: base64.b64encode(value).decode()
            for name, value in values
            if isinstance(value, bytes)
        }

    def _encoded_png(self) -> str:
        return base64.b64encode(self.to_png()).decode()

    def _image_tag(self, picture: str) -> str:
        alt = html.escape(self.describe())
        return f'<img alt="{alt}" style="max-width: 100%" src="data:image/png;base64,{picture}">'

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Add the picture to what the notebook saves; a reader without widgets falls back on it."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        picture = self._encoded_png()
        data["image/png"] = picture
        # As HTML too: notebooks drop a PNG's alternative text.
        data["text/html"] = self._image_tag(picture)
        data["text/plain"] = self.describe()
        return data, metadata


def bundle_script(path: Path) -> str:
    """Return one ES module made of a file and, before it, the files beside it that it imports.

    A widget manager takes a single string, and a bundler would be a second tool chain. Imports must
    be of the form ``import { name } from "./file.js";`` without renaming. Two files that define one
    name give a syntax error in the browser, which the browser tests would show.

    Raises:
        ValueError: If an import is of another form.
    """
    return _join_modules(path, set())


def _join_modules(path: Path, seen: set[str]) -> str:
    seen.add(path.name)
    source = path.read_text(encoding="utf-8")
    imported = _IMPORT.findall(source)
    parts = [_join_modules(path.parent / name, seen) for name in imported if name not in seen]
    body = _EXPORT.sub("", _IMPORT.sub("", source))
    if re.search(r"^import\b", body, re.MULTILINE):
        raise ValueError(
            f"{path.name} holds an import that cannot be joined: "
            'write it as `import { name } from "./file.js";`.'
        )
    return "\n".join([*parts, body])


def bundle_styles(front_end: str) -> str:
    """Return the palette, the shared styles and the widget's own styles as one style sheet."""
    palette = " ".join(f"--{name}: {colour};" for name, colour in OKABE_ITO.items())
    sheets = [STATIC / "shared.css", STATIC / f"{front_end}.css"]
    rules = [sheet.read_text(encoding="utf-8") for sheet in sheets]
    return "\n".join([f".imitation-widget {{ {palette} }}", *rules])


def as_bytes(values: Tensor) -> bytes:
    """Return numbers as float32, the lowest byte first, as ``floatsOf`` in ``shared.js`` reads them."""
    return values.numpy().astype("<f4").tobytes()


def _script_literal(value: Any) -> str:
    """Return a value as JavaScript that no HTML parser takes for the end of the script."""
    return json.dumps(value).replace("<", "\\u003c")
