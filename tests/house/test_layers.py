"""The imports, read from the syntax tree, run one way."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.library import due_modules
from tools.rules import read_course

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "imitation_lab"
NOTEBOOKS = read_course(ROOT / "source")

# Whoever adds a module to the library adds its line here: the layers right below it. What lies below
# those it may use as well.
RIGHT_BELOW = {
    "types": [],
    "style": [],
    "testing": [],
    "files": [],
    "envs": ["types", "style"],
    "toys": ["types"],
    "experts": ["envs"],
    "normalizer": ["types"],
    "data": ["normalizer", "files"],
    "lerobot_format": ["data"],
    "minari_format": ["data"],
    "networks": ["types"],
    "flows": [],
    "policies": ["networks", "flows"],
    "training": ["policies", "data"],
    "controller": ["policies", "normalizer"],
    "checkpoints": ["controller", "training", "files"],
    "rollout": ["envs"],
    "collection": ["data", "rollout"],
    "shift": [],
    "dagger": ["rollout"],
    "gating": ["rollout"],
    "corrections": ["experiment", "stack"],
    "evaluation": ["rollout"],
    "experiment": ["evaluation", "controller", "training"],
    "stack": ["controller"],
    "decoders": ["controller"],
    "chunking": [],
    "traces": ["controller", "rollout"],
    "comparison": ["evaluation", "collection", "controller", "training", "experts", "files"],
    "horizons": ["stack", "evaluation", "collection", "training", "experts", "files"],
    "pusht": ["evaluation", "controller", "training", "files"],
    "doctor": [],
    "colab": [],
    "__main__": ["pusht", "doctor"],
    "plots": ["comparison", "horizons", "pusht", "style", "toys"],
    "widgets": ["plots", "traces"],
}
LIBRARY_MAY_NOT_IMPORT = {"tools", "autograder", "otter", "course", "source", "tests"}
# What the tests compare with: contributors have it, students do not.
LIBRARY_MAY_NOT_IMPORT |= {"diffusers", "flow_matching", "torchcfm", "torchdiffeq"}
# What the notebooks may import besides the standard library.
SOURCE_MAY_IMPORT = {"imitation_lab", "torch", "numpy", "scipy", "matplotlib", "gymnasium"}
SOURCE_MAY_IMPORT |= {"ipywidgets", "IPython", "anywidget", "tqdm"}
UNPICKLERS = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
UNPICKLING_CALLS = {"load", "loads", "Unpickler"}


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the dotted name of every import in a file, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert node.level == 0, f"{path.name} imports relatively: write the whole name"
            yield from (f"{base}.{alias.name}" for alias in node.names)


def top_level(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported_modules(path)}


def layer_of(path: Path) -> str:
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def below(layer: str) -> set[str]:
    """Return every layer that lies under one."""
    found: set[str] = set()
    waiting = list(RIGHT_BELOW[layer])
    while waiting:
        lower = waiting.pop()
        found.add(lower)
        waiting += RIGHT_BELOW[lower]
    return found


def library_files() -> list[Path]:
    return sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


def imported_layers(path: Path) -> set[str]:
    names = [name.split(".") for name in imported_modules(path)]
    layers = {parts[1] for parts in names if parts[0] == "imitation_lab" and len(parts) > 1}
    return layers - {layer_of(path)}


def test_the_table_of_layers_has_no_circle():
    assert not [layer for layer in RIGHT_BELOW if layer in below(layer)]


def test_every_module_of_the_library_has_its_place_in_the_table():
    assert {layer_of(path) for path in library_files()} <= set(RIGHT_BELOW)


@pytest.mark.parametrize(
    "path", library_files(), ids=lambda path: path.relative_to(LIBRARY).as_posix()
)
def test_a_library_module_imports_only_layers_below_its_own(path):
    too_high = imported_layers(path) - below(layer_of(path))
    assert not too_high, f"{path.name} ({layer_of(path)}) imports {sorted(too_high)}"


def test_importing_the_library_imports_none_of_its_layers():
    assert not [
        name for name in imported_modules(LIBRARY / "__init__.py") if "imitation_lab" in name
    ]


def test_the_library_knows_nothing_of_the_tools_the_grader_or_otter():
    guilty = [path.name for path in library_files() if top_level(path) & LIBRARY_MAY_NOT_IMPORT]
    assert not guilty


def test_the_notebooks_import_the_library_and_well_known_packages_only():
    allowed = SOURCE_MAY_IMPORT | set(sys.stdlib_module_names)
    strangers = {
        path.name: sorted(top_level(path) - allowed) for path in (ROOT / "source").glob("*.py")
    }
    assert not {name: found for name, found in strangers.items() if found}


def library_module(name: str) -> Path | None:
    """Return the file that a dotted name of the library stands for, or the file that holds it."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        place = LIBRARY.joinpath(*parts[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def imported_at_once(source: str) -> set[Path]:
    """Return the files of the library that running a module imports directly, packages too."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        ours = [name for name in names if name.startswith("imitation_lab.")]
        places = {name.rsplit(".", up)[0] for name in ours for up in range(name.count("."))}
        found |= {module for place in places if (module := library_module(place))}
    return found


def reached(source: str) -> set[Path]:
    """Return every file of the library that running a module imports."""
    found: set[Path] = set()
    waiting = imported_at_once(source)
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= imported_at_once(module.read_text(encoding="utf-8")) - found
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_a_notebook_runs_without_the_answers_that_are_still_due(notebook):
    due = due_modules(NOTEBOOKS, notebook)
    answers = {library_module(f"imitation_lab.{name}") for name in due}
    ordinary = [cell for cell in notebook.cells if cell.kind == "code" and cell.tag != "solution"]
    found = {module.name for cell in ordinary for module in reached(cell.source) & answers}
    assert not found, f"{notebook.name} needs {found}, which its students do not get yet"


def unpickling(path: Path) -> list[str]:
    """Return the places where a file turns bytes into objects by a pickle."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS:
            places += [f"line {node.lineno}: from {node.module}"]
        if isinstance(node, ast.Import):
            renamed = [alias.name for alias in node.names if alias.asname]
            places += [f"line {node.lineno}: {name} as" for name in renamed if name in UNPICKLERS]
        if (
            isinstance(node, ast.Attribute)
            and node.attr in UNPICKLING_CALLS
            and isinstance(node.value, ast.Name)
            and node.value.id in UNPICKLERS | {"torch"}
        ):
            places += [f"line {node.lineno}: {node.value.id}.{node.attr}"]
    return places


def test_the_trusted_side_of_the_grader_unpickles_nothing():
    # autograder/inside/ runs within the sandbox: there, only the student's own machine is at risk.
    package = ROOT / "autograder"
    untrusted = (package / "inside", package / "tests")
    trusted = [
        path
        for path in package.rglob("*.py")
        if not any(path.is_relative_to(folder) for folder in untrusted)
    ]
    places = {path.name: unpickling(path) for path in trusted}
    assert trusted
    assert not {name: found for name, found in places.items() if found}


def test_unpickling_is_found_where_it_is_done(tmp_path):
    guilty = tmp_path / "guilty.py"
    guilty.write_text("import pickle\n\ndef open_box(box):\n    return pickle.loads(box)\n")
    assert unpickling(guilty) == ["line 4: pickle.loads"]
