"""What several folders of tests share: the one browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

BROWSER_VARIABLE = "IMITATION_LAB_BROWSER"
KNOWN_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_ARGUMENTS = [
    "--no-sandbox",  # containers refuse the sandbox's system calls; the tests open their own pages only
    "--disable-background-networking",
    "--disable-component-update",
    "--force-color-profile=srgb",
]


def find_browser() -> str | None:
    """Return the path of a Chromium, by the environment variable or by the usual names."""
    chosen = os.environ.get(BROWSER_VARIABLE)
    if chosen:
        return chosen
    return next(filter(None, map(shutil.which, KNOWN_BROWSERS)), None)


# One browser per file of tests: Playwright's event loop would be in the way of other files' loops.
@pytest.fixture(scope="module")
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    path = find_browser()
    with sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(f"no Chromium found: install one or set {BROWSER_VARIABLE} to its path")
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()
