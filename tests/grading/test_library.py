"""What a submission sees of the course's library, and what it may hand in of it."""

import time
from dataclasses import replace

import pytest

from autograder.assignment import TESTS, load_assignments
from autograder.inside.library import Library
from autograder.judge import Judge, Settings
from autograder.limits import Limits
from autograder.sandbox import BACKEND_NAMES, SandboxError, open_sandbox
from autograder.sandbox.backends import ROOT
from autograder.session import Session
from autograder.submissions import Submission
from tests.grading.conftest import StudentNotebook
from tests.grading.test_sandbox import run
from tools.build import PROJECT
from tools.library import withheld_names
from tools.rules import read_course

LIBRARY = ROOT / "imitation_lab"
COURSE = read_course(PROJECT / "source")
BUILT = sorted(path.parent.name for path in TESTS.glob("*/assignment.json"))
FLOWS = ("flows.py", "policies/flow.py", "policies/diffusion.py")


@pytest.fixture(
    scope="module",
    params=[
        "default",
        *(pytest.param(n, marks=pytest.mark.long) for n in (*BACKEND_NAMES, "unsafe")),
    ],
)
def opened(request):
    """A sandbox of each kind; in the ordinary run the one that is open already."""
    if request.param == "default":
        yield request.getfixturevalue("sandbox")
        return
    unsafe = request.param == "unsafe"
    try:
        sandbox = open_sandbox(unsafe, backend=None if unsafe else request.param)
    except SandboxError as error:
        pytest.skip(f"{request.param} does not work here: {str(error).splitlines()[1]}")
    with sandbox:
        yield sandbox


@pytest.fixture
def enter(opened):
    """Return a function that gives a session without some files of the library."""
    sessions = []

    def enter(withheld):
        zygote = opened.without(withheld)
        sessions.append(Session(zygote, Limits(), time.monotonic() + 60))
        return sessions[-1]

    yield enter
    for session in sessions:
        session.close()


def test_a_copy_of_the_library_lacks_what_is_withheld_and_its_bytecode(tmp_path):
    package, target = tmp_path / "imitation_lab", tmp_path / "copy"
    (tmp_path / "assets").mkdir()
    names = ["__init__.py", "a.py", "deep/a.py", "deep/picture.js"]
    compiled = ["__pycache__/a.cpython-311.opt-1.pyc", "deep/__pycache__/a.cpython-311.pyc"]
    for name in (*names, *compiled):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    target.mkdir()
    Library(package, tmp_path / "assets").copy(["a.py", "not/there.py"], target)
    copied = {path.relative_to(target / package.name).as_posix() for path in target.rglob("*.*")}
    assert copied == {"__init__.py", "deep/a.py", "deep/picture.js", compiled[1]}
    assert (target / "assets").resolve() == tmp_path / "assets"


def test_a_withheld_module_is_no_module_and_all_others_work(enter):
    session = enter(FLOWS)
    assert run(session, "from imitation_lab.flows import integrate") == "ModuleNotFoundError"
    assert run(session, "import imitation_lab.policies.diffusion") == "ModuleNotFoundError"
    source = (
        "from imitation_lab.policies.gaussian import GaussianPolicy\nprint(GaussianPolicy.__name__)"
    )
    assert run(session, source) == "GaussianPolicy"


SEE = (
    "import os, imitation_lab as i\nf = os.path.dirname(i.__file__)\n"
    "print(*(os.path.exists(f + '/' + n) for n in ('gating.py', 'flows.py')))"
)


def test_each_set_of_withheld_files_is_a_world_of_its_own(enter):
    assert run(enter(["gating.py"]), SEE) == "False True"
    assert run(enter(FLOWS), SEE) == "True False"
    assert run(enter([]), SEE) == "True True"


@pytest.mark.parametrize("claim", ["00_sample", None])
def test_a_submission_sees_the_library_of_the_notebook_that_it_answers(
    sandbox, assignment, right, claim, full, scores, tmp_path
):
    """Also where no more than its functions tell which it is, after its cells were analysed."""
    other = replace(assignment, notebook="99_other", questions=(), withheld=frozenset(FLOWS))
    assignments = {"99_other": other, "00_sample": assignment}
    right.insert(2, SEE)
    if claim is None:
        right.metadata.clear()
        for cell in right.cells:
            cell["id"] = ""
    path = tmp_path / "mine.ipynb"
    path.write_text(right.text())
    judge = Judge(sandbox, assignments, Settings(1, Limits()))
    result = judge.grade(Submission("mine", path))
    judge.close()
    assert (result.assignment, scores(result)) == (assignment, full)
    assert [cell["output"] for cell in result.cells] == ["False True\n"]


def test_the_same_set_is_opened_once(opened):
    assert opened.without(["gating.py", "flows.py"]) is opened.without(["flows.py", "gating.py"])


def test_a_worker_that_no_assignment_asked_for_has_no_library(opened):
    if not opened.backend.safe:
        pytest.skip("without walls, the project's own folder is there")
    session = Session(opened.bare, Limits(), time.monotonic() + 60)
    # By Landlock, names can be seen, and files not be opened. An empty folder can be imported.
    assert run(session, "import imitation_lab.types") in ("ModuleNotFoundError", "PermissionError")
    session.close()


def test_data_beside_the_library_are_found(enter):
    source = "from imitation_lab.widgets.recorded import recorded_drives\nprint(len(recorded_drives('fork').actions) > 0)"
    assert run(enter(FLOWS), source) == "True"


def test_another_copy_of_the_library_that_python_would_find_is_hidden(monkeypatch, tmp_path):
    from autograder.sandbox.backends import Landlock, Namespaces

    (tmp_path / "imitation_lab").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("autograder.sandbox.backends._python_paths", lambda: [str(tmp_path)])
    copy = str(tmp_path / "imitation_lab")
    assert copy in Namespaces().configuration([])["masks"]
    assert copy not in Landlock().configuration([])["binds"]


@pytest.mark.parametrize("notebook", COURSE, ids=lambda notebook: notebook.name)
def test_what_is_withheld_answers_the_notebook_or_a_later_one_and_earlier_answers_are_not(notebook):
    due = [name for later in COURSE if later.name >= notebook.name for name in later.answers]
    over = {name for earlier in COURSE if earlier.name < notebook.name for name in earlier.answers}
    names = set(withheld_names(LIBRARY, due))
    assert {f"{name.replace('.', '/')}.py" for name in due} <= names
    assert not names & {f"{name.replace('.', '/')}.py" for name in over}


# What an answer takes from the library -----------------------------------------------------------

BORROWED = [
    "from imitation_lab.controller import RecedingHorizon as answer",
    "from imitation_lab import controller\nanswer = controller.RecedingHorizon",
    "from imitation_lab.controller import *\nanswer = RecedingHorizon",
    "import importlib\nanswer = importlib.import_module('imitation_lab.corrections')._joined",
    "from imitation_lab.controller import RecedingHorizon as R\nanswer = R.reset",
    "from imitation_lab.data import Demonstrations\nanswer = Demonstrations.load",
    "from imitation_lab.widgets.flow_numbers import start_noise as answer",
]
OWN = [
    "def answer(): pass",
    "answer = lambda: None",
    "import torch\nanswer = torch.mean",
    "class answer: pass",
    "from imitation_lab.controller import RecedingHorizon\nclass answer(RecedingHorizon): pass",
    "import functools\nfrom imitation_lab.corrections import first_labels\n"
    "@functools.wraps(first_labels)\ndef answer(*rows): return rows",
    "import functools\nfrom imitation_lab.corrections import first_labels\nanswer = functools.cache(lambda: 1)",
    "from imitation_lab.networks import MLP\nanswer = MLP(2, 2)",
    "from imitation_lab.data import Demonstrations\nimport dataclasses\n"
    "answer = dataclasses.make_dataclass('answer', ['x'])",
    "from jaxtyping import jaxtyped\n@jaxtyped(typechecker=None)\ndef answer(): pass",
    "class Odd:\n    def __getattr__(self, name): raise RuntimeError\n"
    "    def __call__(self): return 1\nanswer = Odd()",
]


@pytest.mark.parametrize("source", BORROWED, ids=range(len(BORROWED)))
def test_what_the_library_defines_is_known_under_any_name(session, source):
    assert session.run(source, "cell")["error"] is None
    kind, ours = session.look(["answer"])["answer"]
    assert kind in ("class", "function") and ours


@pytest.mark.parametrize("source", OWN, ids=range(len(OWN)))
def test_what_a_student_made_with_the_library_is_the_students(session, source):
    assert session.run(source, "cell")["error"] is None
    kind, ours = session.look(["answer"])["answer"]
    assert kind in ("class", "function") and not ours


def test_an_answer_from_the_library_has_no_points_and_is_told_why(grade, right, scores, full):
    right.answer(
        "best_constant", "from imitation_lab.corrections import first_labels as best_constant"
    )
    result = grade(right)
    assert scores(result) == full | {"best_constant": 0}
    told = "best_constant was taken from the course's library. Write it yourself."
    assert {test.message for test in result.tests[:2]} == {told}


def test_a_helper_from_the_library_costs_nothing(grade, right, scores, full):
    right.answer(
        "best_constant",
        "from imitation_lab.corrections import first_labels\n"
        "def best_constant(actions):\n    return first_labels.__name__ and actions.mean(dim=0)",
    )
    assert scores(grade(right)) == full


TAKE = """
import importlib, pkgutil, imitation_lab
for module in pkgutil.walk_packages(imitation_lab.__path__, "imitation_lab."):
    try:
        found = getattr(importlib.import_module(module.name), "@NAME@", None)
    except Exception:
        continue
    if found is not None:
        @NAME@ = found
"""


@pytest.mark.long
@pytest.mark.parametrize("name", BUILT)
def test_a_notebook_that_takes_every_answer_from_the_library_has_no_points(sandbox, name, tmp_path):
    assignments = load_assignments()
    assignment = assignments[name]
    notebook = StudentNotebook(assignment)
    for cell, pristine in zip(notebook.cells, assignment.cells, strict=False):
        if pristine.question in {question.name for question in assignment.graded}:
            cell["source"] = TAKE.replace("@NAME@", pristine.question)
    path = tmp_path / "taken.ipynb"
    path.write_text(notebook.text())
    judge = Judge(sandbox, assignments, Settings(1, Limits()))
    result = judge.grade(Submission("taken", path))
    judge.close()
    assert (result.assignment, result.status, result.score) == (assignment, "ok", 0)
    assert set(result.states.values()) == {"answered"}
