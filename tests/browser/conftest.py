"""A real JupyterLab in a real browser, on a copy of the notebooks, with nobody's old settings."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120  # 5 s on a quiet machine
PATIENCE = 120_000  # milliseconds for one cell on a busy machine


@pytest.fixture(scope="module")
def work_folder(tmp_path_factory) -> Path:
    """A student's own copy of the notebooks."""
    folder = tmp_path_factory.mktemp("student")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return folder


@pytest.fixture
def write_notebook(work_folder) -> Callable[[str, list[str]], str]:
    """Write a notebook of code cells into the student's folder, and return its file's name."""

    def write(name: str, sources: list[str]) -> str:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [new_code_cell(source) for source in sources]
        path = work_folder / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
        return path.name

    return write


@pytest.fixture(scope="module")
def lab(chromium, work_folder, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab that serves the student's copy."""
    home = tmp_path_factory.mktemp("jupyter")
    port = free_port()
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            lab_command(work_folder, port),
            env=lab_environment(home),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_server(server, port, home / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def lab_command(folder: Path, port: int) -> list[str]:
    settings = {
        "--ServerApp.ip": "127.0.0.1",
        "--ServerApp.port": port,
        "--ServerApp.port_retries": 0,
        "--ServerApp.root_dir": folder,
        "--IdentityProvider.token": "",
        "--ServerApp.disable_check_xsrf": True,
        # Should this process be killed, the server goes of its own accord.
        "--ServerApp.shutdown_no_activity_timeout": 300,
        "--MappingKernelManager.cull_idle_timeout": 240,
    }
    options = [f"{name}={value}" for name, value in settings.items()]
    switches = ["--no-browser", "--allow-root", "--expose-app-in-browser"]
    return [sys.executable, "-m", "jupyterlab", *switches, *options]


def lab_environment(home: Path) -> dict[str, str]:
    """Fresh folders, so that nothing of the last run or of this machine's user takes part."""
    load_course().write_lab_settings(home / "prefix")
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    fresh = {f"JUPYTER_{name}_DIR": str(home / folder) for name, folder in folders.items()}
    return {
        **os.environ,
        **fresh,
        "JUPYTER_CONFIG_PATH": str(home / "prefix" / "etc" / "jupyter"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "IMITATION_LAB_FAST": "1",
    }


def load_course() -> Any:
    """Import the course's one door, which knows the settings that JupyterLab needs."""
    specification = importlib.util.spec_from_file_location("course", ROOT / "course.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_server(server: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=2)
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not answer on port {port}. Its log:\n{log.read_text()}")


def stop(server: subprocess.Popen) -> None:
    """Ask the server to go, which ends its kernels too, and see to it that it is gone."""
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


class NotebookPage:
    """A notebook open in JupyterLab, driven as a student drives it."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def open(self, address: str, path: str) -> None:
        self.page.goto(f"{address}/lab/tree/{path}?reset", wait_until="domcontentloaded")
        self.page.wait_for_function(
            """() => window.jupyterapp?.shell.currentWidget
                ?.sessionContext?.session?.kernel?.status === "idle" """
        )

    def sources(self) -> list[str]:
        return self.page.evaluate(
            """() => [...jupyterapp.shell.currentWidget.model.sharedModel.cells].map(
                (cell) => (cell.cell_type === "code" ? cell.source : ""))"""
        )

    def keep_busy(self, index: int) -> None:
        """Run a cell that takes long, and do not wait for it."""
        self.select(index)
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")
        self.page.wait_for_function(
            """() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === "busy" """
        )

    def find(self, text: str) -> int:
        """Return the index of the one code cell whose source holds the text."""
        [index] = [index for index, source in enumerate(self.sources()) if text in source]
        return index

    def select(self, index: int) -> Any:
        """Make a cell the active one, bring it into view and return it as a locator."""
        self.page.evaluate(
            """async (index) => {
                const notebook = jupyterapp.shell.currentWidget.content;
                notebook.deselectAll();
                notebook.activeCellIndex = index;
                await notebook.scrollToItem(index, "center");
            }""",
            index,
        )
        cell = self.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
        cell.wait_for()
        return cell

    def run(self, index: int) -> Any:
        """Run a cell and return it as a locator."""
        self.select(index)
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell')")
        return self.select(index)

    def type_into(self, index: int, lines: list[str]) -> None:
        """Replace a cell's source by typing; the editor indents after a colon by itself."""
        editor = self.select(index).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        for number, line in enumerate(lines):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line)

    def kernel(self, code: str) -> str:
        """Run code in the notebook's kernel, beside the notebook, and return what it prints."""
        return self.page.evaluate(
            """async (code) => {
                const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                let printed = "";
                const request = kernel.requestExecute({ code, store_history: false });
                request.onIOPub = ({ header, content }) => {
                    if (header.msg_type === "stream") printed += content.text;
                    if (header.msg_type === "error") printed += `${content.ename}: ${content.evalue}`;
                };
                await request.done;
                return printed.trim();
            }""",
            code,
        )

    def shut_down_kernel(self) -> None:
        self.page.evaluate("() => jupyterapp.shell.currentWidget?.sessionContext.shutdown()")

    def settled(self, selector: str) -> bytes:
        """Return a screenshot once two in a row are equal."""
        picture = self.page.locator(selector)
        last = picture.screenshot()
        for _ in range(60):
            self.page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            now = picture.screenshot()
            if now == last:
                return now
            last = now
        raise AssertionError(f"{selector} never came to rest")


@pytest.fixture
def notebook(chromium, lab) -> Iterator[NotebookPage]:
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened = NotebookPage(page)
    yield opened
    opened.shut_down_kernel()
    context.close()
    assert errors == []
