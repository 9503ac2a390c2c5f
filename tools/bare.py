"""A widget in a bare page of a browser, over a stand-in for the kernel."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from imitation_lab.widgets.base import CourseWidget

PROJECT = Path(__file__).resolve().parent.parent
HOST = PROJECT / "tests" / "widgets" / "host.html"
RECORDED = PROJECT / "assets" / "recorded"


@contextmanager
def bare_browser() -> Iterator[Any]:
    """Start the browser that ``IMITATION_LAB_BROWSER`` names, or Debian's Chromium."""
    chosen = os.environ.get("IMITATION_LAB_BROWSER", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_bare(browser: Any, widget: CourseWidget) -> Any:
    """Return a page of Playwright that shows a widget."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(HOST.as_uri())
    front_end = {"script": str(widget._esm), "styles": widget._css}
    traits = {"values": widget._plain_values(), "binary": widget._binary_values()}
    page.evaluate("(widget) => mount(widget)", {**front_end, **traits})
    return page


def take_in(page: Any, widget: CourseWidget) -> None:
    """Hand to a widget what its front end has sent to the stand-in of a kernel."""
    sent = page.evaluate(
        """() => model.sent.splice(0).map(({ content, buffers }) => [content, buffers.map((buffer) =>
            btoa(String.fromCharCode(...new Uint8Array(buffer))))])"""
    )
    for content, buffers in sent:
        widget._handle_custom_msg(content, [base64.b64decode(buffer) for buffer in buffers])
