"""The doors that a public address opens: buttons for services that run notebooks, and Colab's set-up.

The one setting is ``Repository`` in ``[project.urls]`` of pyproject.toml: the address on GitHub from which
students get the course. Where it is not set there are no buttons, and Colab finds nothing to install.
"""

import re
import tomllib
from pathlib import Path

from tools.error import BuildError

PROJECT_FILE = Path(__file__).resolve().parent.parent / "pyproject.toml"
BRANCH = "main"
DOORS, DOORS_END = "<!-- doors: the build writes what stands between -->", "<!-- /doors -->"
_ON_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)(?<!\.git)")

SET_UP = """\
if "google.colab" in sys.modules:  # Colab has nothing of the course yet
    import subprocess

    home = Path("/content/course")
    if not home.exists():
        subprocess.run(["git", "clone", "--depth=1", "{address}", str(home)], check=True)
    sys.path.insert(0, str(home))
    from imitation_lab.colab import prepare

    prepare(home)
"""
NO_SET_UP = """
        " Colab cannot fetch the course: it has no public address yet.\""""


def address() -> str:
    """Return the course's public address, or nothing.

    Raises:
        BuildError: If it is no repository on GitHub, where Colab and Codespaces look.
    """
    project = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8"))["project"]
    given: str = project.get("urls", {}).get("Repository", "")
    if given and not _ON_GITHUB.fullmatch(given):
        problem = f"the Repository {given!r} is no address on GitHub."
        raise BuildError(PROJECT_FILE.name, problem, "Write https://github.com/OWNER/NAME.")
    return given


def buttons(notebook: str = "") -> str:
    """Return a line of buttons in markdown, or nothing where there is no public address.

    Args:
        notebook: The notebook's name, which the buttons open. Empty: the folder of all.
    """
    match = _ON_GITHUB.fullmatch(address())
    if not match:
        return ""
    place = f"notebooks/{notebook}.ipynb" if notebook else "notebooks"
    colab = "https://colab.research.google.com"
    binder = "https://mybinder.org"
    colab_page = f"{match[1]}/blob/{BRANCH}/{place}" if notebook else match[1]
    doors = {
        "Open in Colab": (f"{colab}/assets/colab-badge.svg", f"{colab}/github/{colab_page}"),
        "Open in Binder": (
            f"{binder}/badge_logo.svg",
            f"{binder}/v2/gh/{match[1]}/{BRANCH}?urlpath=lab/tree/{place}",
        ),
        "Open in GitHub Codespaces": (
            "https://github.com/codespaces/badge.svg",
            f"https://codespaces.new/{match[1]}?quickstart=1",
        ),
    }
    return " ".join(f"[![{name}]({badge})]({page})" for name, (badge, page) in doors.items())


def with_buttons(text: str) -> str:
    """Return a README with today's buttons between its two marks, or with none there."""
    between = f"{DOORS}\n{buttons()}".rstrip("\n") + f"\n{DOORS_END}"
    return re.sub(f"{DOORS}.*?{DOORS_END}", lambda _: between, text, flags=re.DOTALL)
