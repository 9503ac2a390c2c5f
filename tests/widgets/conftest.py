"""A bare page with one widget on it: no notebook, no kernel, no network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imitation_lab.widgets import DragTheModes
from imitation_lab.widgets.base import STATIC, CourseWidget, bundle_script

HOST = Path(__file__).with_name("host.html")


def evaluate_in_script(page: Any, script: str, expression: str, argument: Any) -> Any:
    """Return what a function of JavaScript returns inside a module."""
    body = script.replace("export default", "const front_end =")
    return page.evaluate(
        """async ([script, argument]) => {
            const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
            return (await import(address)).answer(argument);
        }""",
        [f"{body}\nexport const answer = {expression};", argument],
    )


class WidgetPage:
    """A browser page that shows one widget over a stand-in model."""

    def __init__(self, page: Any, widget: CourseWidget) -> None:
        self.page = page
        page.goto(HOST.as_uri())
        front_end = {"script": str(widget._esm), "styles": widget._css}
        traits = {"values": widget._plain_values(), "binary": widget._binary_values()}
        page.evaluate("(widget) => mount(widget)", {**front_end, **traits})
        self.settle()

    def settle(self) -> None:
        """Wait until the frame that was asked for has been drawn."""
        self.page.evaluate(
            "() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )

    @property
    def values(self) -> dict[str, Any]:
        values = self.page.evaluate(
            """() => Object.fromEntries(
                Object.entries(model.values).filter(([, value]) => !(value instanceof DataView)))"""
        )
        number = (int, float)  # JavaScript writes 1.0 as 1
        return {
            name: float(value) if isinstance(value, number) else value
            for name, value in values.items()
        }

    @property
    def saved(self) -> list[dict[str, float]]:
        """What was written back to the kernel, message by message."""
        return self.page.evaluate("() => model.saved")

    @property
    def readout(self) -> str:
        return self.page.locator(".readout").text_content()

    def set_by_kernel(self, **values: float) -> None:
        for name, value in values.items():
            self.page.evaluate("([name, value]) => model.setByKernel(name, value)", [name, value])
        self.settle()

    def evaluate_in_bundle(self, widget: CourseWidget, expression: str, argument: Any) -> Any:
        """Return what a function of JavaScript returns inside the widget's own module."""
        return evaluate_in_script(self.page, str(widget._esm), expression, argument)

    @property
    def texts_outside(self) -> list[str]:
        """The texts that stick out of their picture, or out of their panel."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".panel > svg text, .panel td, .panel th")]
                .filter((text) => {
                    const inner = text.getBoundingClientRect();
                    const outer = text.closest("svg, .panel").getBoundingClientRect();
                    return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1
                        || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1);
                }).map((text) => text.textContent)"""
        )

    @property
    def width(self) -> int:
        """How wide the page is, with what has to be scrolled to."""
        return self.page.evaluate("() => document.scrollingElement.scrollWidth")

    def slider(self, name: str) -> Any:
        return self.page.get_by_role("slider", name=name, exact=True)

    def centre(self, name: str) -> tuple[float, float]:
        """Return where a handle's knob is, in the page's pixels."""
        box = self.slider(name).locator(".knob").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, name: str, right: float = 0, down: float = 0, release: bool = True) -> None:
        x, y = self.centre(name)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=4)
        if release:
            self.page.mouse.up()
        self.settle()


@pytest.fixture(scope="module")
def pages(chromium) -> Iterator[Callable[..., Any]]:
    """Hand out one page for each set of options: making a page takes longer than most tests."""
    made: dict[str, Any] = {}

    def page_for(**options: Any) -> Any:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = chromium.new_context(**options).new_page()
            made[key].set_default_timeout(10_000)
        return made[key]

    yield page_for
    for page in made.values():
        page.context.close()


@pytest.fixture
def open_widget(pages) -> Iterator[Callable[..., WidgetPage]]:
    """Open a widget in a bare page; afterwards, hold it to silence on console and network."""
    watched, faults = [], []

    def note_error(error: Any) -> None:
        faults.append(f"error: {error}")

    def note_message(message: Any) -> None:
        faults.append(f"console: {message.text}")

    def note_request(request: Any) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            faults.append(f"request: {request.url}")

    listeners = {"pageerror": note_error, "console": note_message, "request": note_request}

    def open_(widget: CourseWidget | None = None, width: int = 1000, **options: Any) -> WidgetPage:
        page = pages(viewport={"width": width, "height": 900}, **options)
        watched.append(page)
        for event, listener in listeners.items():
            page.on(event, listener)
        return WidgetPage(page, DragTheModes() if widget is None else widget)

    yield open_
    for page in watched:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
    assert faults == []


@pytest.fixture
def run_script(pages) -> Callable[..., Any]:
    """Return a function that runs JavaScript inside one of the widgets' files, without any widget."""

    def run(name: str, expression: str, argument: Any = None) -> Any:
        page = pages(viewport={"width": 1000, "height": 900})
        page.goto(HOST.as_uri())
        return evaluate_in_script(page, bundle_script(STATIC / name), expression, argument)

    return run


@pytest.fixture
def open_export(chromium, tmp_path) -> Iterator[Callable[[CourseWidget], Any]]:
    """Open a widget's exported page without a network; afterwards, hold it to silence."""
    context = chromium.new_context(offline=True)
    requests, errors = [], []

    def open_(widget: CourseWidget) -> Any:
        path = tmp_path / "export.html"
        text = f"<!doctype html><meta charset=utf-8>{widget.to_html()}"
        path.write_text(text, encoding="utf-8")
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url.split(":")[0]))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_
    context.close()
    assert set(requests) <= {"file", "blob", "data"}
    assert errors == []


@pytest.fixture
def wait_for_readout() -> Callable[[Any, str], None]:
    """Return a function that waits until a page's readout says something."""

    def wait(page: Any, text: str) -> None:
        script = "(text) => document.querySelector('.readout').textContent === text"
        page.wait_for_function(script, arg=text)

    return wait
