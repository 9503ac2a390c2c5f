"""What the build refuses, and what it says: the file, the question, the cell, and what to do."""

import re
from pathlib import Path

import pytest

from tools.build import build
from tools.error import BuildError
from tools.rules import read_course

HEADER = """\
# ---
# jupyter:
#   imitation_lab:
#     title: A notebook
#     answers: []
# ---

"""
PROMPT = '# %% [markdown] question="mean" points=[1, 1]\n# ### Question\n\n'
SOLUTION = '# %% tags=["solution"]\ndef mean(x):\n    return sum(x)  # SOLUTION\n\n'
PUBLIC = '# %% tags=["public"]\ndef test_mean_is(mean):\n    """It is."""\n    assert mean([1])\n\n'
HIDDEN = (
    '# %% tags=["hidden"]\ndef test_mean_was(mean):\n    """It was."""\n    assert mean([])\n\n'
)
WRONG = '# %% tags=["wrong"]\ndef mean__zero(x):\n    """Nothing at all."""\n    return 0\n\n'
RIGHT = '# %% tags=["right"]\ndef mean__by_hand(x):\n    return x[0]\n\n'
GOOD = [PROMPT, SOLUTION, PUBLIC, HIDDEN, WRONG, RIGHT]
STRETCH = '# %% [markdown] stretch="far"\n# ### Stretch goal\n\n'
WORKED = (
    '# %% tags=["solution"]\n# Go far.\n# BEGIN SOLUTION\nfar = mean([1, 2])\n# END SOLUTION\n\n'
)


def script(*cells: str) -> str:
    return HEADER + "".join(cells)


def changed(old: str, new: str) -> str:
    text = script(*GOOD)
    assert text.count(old) >= 1, f"the good script does not hold {old!r}"
    return text.replace(old, new, 1)


def without(cell: str) -> str:
    """Take a cell out, and leave as many points as there are tests."""
    points = "[1, 1]" if cell == WRONG else "[1]"
    return changed(cell, "").replace("points=[1, 1]", f"points={points}")


def solution(*lines: str) -> str:
    body = "\n".join(("def mean(x):", *lines))
    return changed(SOLUTION, f'# %% tags=["solution"]\n{body}\n\n')


def stretched(old: str = "", new: str = "") -> str:
    text = script(*GOOD, STRETCH, WORKED)
    assert old in text, f"the good script does not hold {old!r}"
    return text.replace(old, new, 1)


def prose(text: str) -> str:
    return script(f"# %% [markdown]\n# {text}\n\n", *GOOD)


def code(text: str) -> str:
    return script(f"# %%\n{text}\n\n", *GOOD)


MISPLACED = {
    "a solution outside a question": (script(SOLUTION), "solution cell outside a question"),
    "a test outside a question": (script("# %%\nx = 1\n\n", PUBLIC), "public cell outside"),
    "a question torn apart": (
        script(PROMPT, SOLUTION, PUBLIC, "# %%\nx = 1\n\n", HIDDEN, WRONG),
        "hidden cell outside a question",
    ),
    "no solution": (changed(SOLUTION, ""), "expected one solution cell"),
    "two solutions": (changed(SOLUTION, SOLUTION * 2), "found 2 solution cells"),
    "a test before the solution": (
        script(PROMPT, PUBLIC, SOLUTION, HIDDEN, WRONG),
        "expected one solution cell behind the prompt",
    ),
    "no public test": (without(PUBLIC), "no public test"),
    "no hidden test": (without(HIDDEN), "no hidden test"),
    "no wrong answer": (without(WRONG), "no wrong answer"),
    "hidden before public": (
        script(PROMPT, SOLUTION, HIDDEN, PUBLIC, WRONG),
        "hidden test stands before a public one",
    ),
    "tests of a written question": (
        changed(SOLUTION, '# %% [markdown] tags=["solution"]\n# Because.\n\n'),
        "written question has tests",
    ),
    "text before the first cell": (HEADER + "x = 1\n\n" + PROMPT, "text before the first"),
    "an empty cell": (script(*GOOD, "# %%\n\n", "# %%\nx = 1\n"), "the cell is empty"),
    "a raw cell": (script("# %% [raw]\n# BEGIN QUESTION\n\n", *GOOD), "raw cell"),
}

ATTRIBUTES = {
    "an unknown tag": (changed('["public"]', '["pubic"]'), "unknown tag 'pubic'"),
    "two tags": (changed('["public"]', '["public", "train"]'), "expected one tag"),
    "a tag that is no list": (changed('["public"]', '"public"'), "write tags as"),
    "an unknown attribute": (changed("points=", "point="), "unknown attribute point=[1, 1]"),
    "a title in the marker": (changed('# %% tags=["right"]', "# %% Right"), "title='Right'"),
    "attributes that are no JSON": (changed("[1, 1]", "[1, 1"), "cannot read the attributes"),
    "a question on a code cell": (
        changed("# %% [markdown] question", "# %% question"),
        "on a cell that is no prompt",
    ),
    "points without a question": (changed('question="mean" ', ""), "cell that is no prompt"),
    "too few points": (changed("[1, 1]", "[1]"), "points=[1] does not give one"),
    "a single number of points": (changed("[1, 1]", "2"), "points=2 does not give one"),
    "no points": (changed(" points=[1, 1]", ""), "points=None does not give one"),
    "points that are nothing": (changed("[1, 1]", "[1, 0]"), "points=[1, 0] does not give"),
    "points that are no numbers": (changed("[1, 1]", "[1, true]"), "points=[1, True]"),
    "a name that is no identifier": (changed('"mean"', '"the mean"'), "called 'the mean'"),
    "an empty name": (changed('"mean" points=[1, 1]', '""'), "called ''"),
    "a train cell of markdown": (
        script('# %% [markdown] tags=["train"]\n# It takes long.\n\n', *GOOD),
        "train cell of markdown",
    ),
    "a header without answers": (changed("#     answers: []\n", ""), "header must carry"),
    "a header that is no YAML": (changed("title: A", "title: [A"), "cannot be read"),
    "answers that are no list": (changed("answers: []", "answers: all"), "list of modules"),
    "files that are no list": (
        changed("answers: []", "answers: []\n#     packs: all"),
        "and one of files",
    ),
}

STRETCHES = {
    "a stretch goal without a solution": (
        stretched(WORKED, ""),
        "stretch goal far, cell `### Stretch goal`: a stretch goal without a solution. Work it out",
    ),
    "a test in a stretch goal": (
        script(*GOOD, STRETCH, WORKED, PUBLIC),
        "a public cell in a stretch goal, which nobody grades. Take it out",
    ),
    "a wrong answer in a stretch goal": (
        script(*GOOD, STRETCH, WRONG, WORKED),
        "a wrong cell in a stretch goal",
    ),
    "points for a stretch goal": (
        stretched('stretch="far"', 'stretch="far" points=[1]'),
        "a stretch goal is not graded: it is no question and has no points. Take",
    ),
    "a stretch goal that is a question": (
        stretched('stretch="far"', 'stretch="far" question="far"'),
        "a stretch goal is not graded",
    ),
    "a stretch goal on a code cell": (
        stretched("# %% [markdown] stretch", "# %% stretch"),
        "`stretch` on a cell that is no prompt. Write it on the [markdown] cell",
    ),
    "a stretch goal of no name": (stretched('"far"', '"so far"'), "a stretch cannot be called"),
    "a stretch goal of a question's name": (
        stretched('stretch="far"', 'stretch="mean"'),
        "two questions of this notebook have one name",
    ),
    "a stretch goal torn apart": (
        script(*GOOD, STRETCH, WORKED, "# %%\nx = 1\n\n", WORKED),
        "a solution cell outside a question",
    ),
    "a stretch goal that students get solved": (
        stretched("# BEGIN SOLUTION\nfar", "far").replace("# END SOLUTION\n", ""),
        "stretch goal far, cell `# Go far.`: nothing is marked as solution",
    ),
    "a stretch goal that leaves nothing": (
        stretched("# BEGIN SOLUTION", "# BEGIN SOLUTION NO PROMPT"),
        "without its solution the cell does nothing. Leave students a `...`",
    ),
    "half a statement of a stretch goal": (
        stretched("# BEGIN SOLUTION\n", "total = max(\n# BEGIN SOLUTION\n"),
        "syntax error",
    ),
    "a misspelt mark in a stretch goal": (
        stretched("# BEGIN SOLUTION", "# Begin solution"),
        "not spelt as Otter's marks",
    ),
    "a stray mark in a stretch goal's prompt": (
        stretched("# ### Stretch goal", "# # END QUESTION"),
        "a stray mark `# END QUESTION`",
    ),
    "the name of Otter's notebook in a stretch goal": (
        stretched("far = mean", "grader = mean"),
        "takes the name `grader`",
    ),
}

NAMES = {
    "a test of another name": (
        changed("def test_mean_is(", "def test_average_is("),
        "`test_average_is` is no name for a test here. Call it test_mean_<what it finds>",
    ),
    "a test without a sentence": (changed("def test_mean_is(", "def test_mean_("), "no name"),
    "a wrong answer of another name": (
        changed("def mean__zero(", "def zero("),
        "`zero` is no name for a wrong answer",
    ),
    "a right answer of another name": (
        changed("def mean__by_hand(", "def mean_by_hand("),
        "`mean_by_hand` is no name for a right answer",
    ),
    "a test without a docstring": (changed('    """It is."""\n', ""), "no docstring"),
    "a wrong answer without a docstring": (
        changed('    """Nothing at all."""\n', ""),
        "`mean__zero` has no docstring",
    ),
    "two tests of one name": (
        changed("def test_mean_was(", "def test_mean_is("),
        "two tests are called `test_mean_is`",
    ),
    "two answers of one name": (changed(WRONG, WRONG * 2), "two answers are called"),
    "a solution of another name": (
        changed("def mean(x)", "def average(x)"),
        "the solution does not define `mean`",
    ),
    "a test that does not take the function": (
        changed("def test_mean_is(mean)", "def test_mean_is()"),
        "does not take `mean`",
    ),
    "a parameter that nobody defines": (
        changed("def test_mean_is(mean)", "def test_mean_is(mean, median)"),
        "takes `median`, which no cell defines",
    ),
    "the parameter that Otter fills itself": (
        changed("def test_mean_is(mean)", "def test_mean_is(mean, env)"),
        "takes `env`, which no cell defines",
    ),
    "a parameter with a default": (
        changed("def test_mean_is(mean)", "def test_mean_is(mean, n=3)"),
        "not plain names",
    ),
    "a decorated test": (changed("def test_mean_is", "@once\ndef test_mean_is"), "decorator"),
    "a class of tests": (
        changed(PUBLIC, '# %% tags=["public"]\nclass test_mean_is:\n    """It."""\n\n'),
        "is a class",
    ),
    "an import beside the tests": (
        changed("def test_mean_is", "import torch\ndef test_mean_is"),
        "`import torch` among the test functions",
    ),
    "a call beside the wrong answers": (
        changed("    return 0\n", "    return 0\nmean__zero([])\n"),
        "`mean__zero([])` among the wrong answers",
    ),
    "a wrong answer in prose": (
        changed(WRONG, '# %% [markdown] tags=["wrong"]\n# Zero.\n\n'),
        "wrong cell of markdown",
    ),
}

MARKS = {
    "lower case": (solution("    return 1  # solution"), "not spelt as Otter's marks"),
    "no space": (solution("    return 1  #SOLUTION"), "not spelt as Otter's marks"),
    "a plural": (solution("    return 1  # SOLUTIONS"), "not spelt as Otter's marks"),
    "a typing error": (solution("    return 1  # SOLUTON"), "not spelt as Otter's marks"),
    "another word": (solution("    return 1  # ANSWER"), "not spelt as Otter's marks"),
    "a remark behind the mark": (
        solution("    return 1  # SOLUTION (mean)"),
        "not spelt as Otter's marks",
    ),
    "a mark on its own": (solution("    # SOLUTION", "    return 1"), "not spelt as"),
    "a block behind code": (
        solution("    x = 1  # BEGIN SOLUTION", "    # END SOLUTION"),
        "not spelt as Otter's marks",
    ),
    "a block in lower case": (
        solution("    # begin solution", "    return 1", "    # end solution"),
        "not spelt as Otter's marks",
    ),
    "an open block": (
        solution("    # BEGIN SOLUTION", "    return 1"),
        "BEGIN and END marks do not alternate",
    ),
    "a block in a block": (
        solution(*["    # BEGIN SOLUTION"] * 2, *["    # END SOLUTION"] * 2),
        "BEGIN and END marks do not alternate",
    ),
    "no mark": (solution("    return 1"), "students would get all of it"),
    "half a statement": (
        solution("    return max(  # SOLUTION", "        1,", "        x)"),
        "without its solution the cell is no Python",
    ),
    "the function's own line": (
        changed(
            SOLUTION,
            '# %% tags=["solution"]\nmean = sum  # SOLUTION\n# BEGIN SOLUTION NO PROMPT\n'
            "def mean(x):\n    return 1\n# END SOLUTION\n\n",
        ).replace("mean = sum", "total = sum"),
        "no longer defines `mean`",
    ),
    "a seed": (code("x = 1  # SEED"), "a stray mark `# SEED`"),
    "a line to ignore": (code("x = 1  # IGNORE"), "a stray mark `# IGNORE`"),
    "a plugin": (code("# BEGIN PLUGIN\nx = 1\n# END PLUGIN"), "a stray mark"),
    "a solution in an ordinary cell": (code("x = 1  # SOLUTION"), "a stray mark `# SOLUTION`"),
    "a solution in a test": (changed("assert mean([1])", "assert mean  # SOLUTION"), "stray"),
    "a boundary in prose": (prose("# BEGIN QUESTION"), "a stray mark `# BEGIN QUESTION`"),
    "Otter's fence": (prose("```otter"), "```otter opens a configuration"),
    "a heading that makes a cell vanish": (prose("# Ignore the noise"), "Otter drops cells"),
    "the name of Otter's notebook": (code("grader = 1"), "takes the name `grader`"),
    "a syntax error in a cell": (code("x = = 1"), "syntax error on line 1 of the cell"),
    "a syntax error in a test": (changed("assert mean([1])", "assert mean(["), "syntax error"),
    "a magic": (code("%matplotlib inline"), "without `%` or `!` commands"),
    "a Greek name in a test": (
        changed("assert mean([1])", "μ = mean([1])"),
        "letters beyond ASCII",
    ),
}

CASES = {**MISPLACED, **ATTRIBUTES, **STRETCHES, **NAMES, **MARKS}


@pytest.mark.parametrize("text, message", CASES.values(), ids=CASES.keys())
def test_the_build_refuses(course: Path, text: str, message: str, tmp_path: Path):
    (course / "01_sample.py").unlink()
    (course / "01_notebook.py").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=re.escape(message)) as refusal:
        build(course, tmp_path)
    said = str(refusal.value)
    assert said.startswith("01_notebook.py")
    assert "\n" not in said
    assert said.endswith(".")


def test_the_script_that_the_refusals_spoil_is_good(course):
    (course / "01_sample.py").unlink()
    (course / "01_notebook.py").write_text(stretched(), encoding="utf-8")
    (notebook,) = read_course(course)
    assert [question.name for question in notebook.questions] == ["mean"]
    assert [stretch.name for stretch in notebook.stretches] == ["far"]


@pytest.mark.parametrize(
    "text",
    [
        prose("## Solution"),
        prose("# Questions"),
        prose("### Question 1.1 · Tests"),
        code("# the solution of the equation"),
        code("# test both drivers"),
        solution("    # the closed-form solution", "    return 1  # SOLUTION"),
        solution("    x = sum(x)  # (B, T) per batch", "    return 1  # SOLUTION"),
        solution("    # BEGIN SOLUTION", "    return 1", "    # END SOLUTION"),
        solution("    y = x  # SOLUTION NO PROMPT", "    return y  # SOLUTION"),
        solution(
            '    """ # BEGIN PROMPT',
            "    return ...",
            '    """ # END PROMPT',
            "    return 1  # SOLUTION",
        ),
    ],
)
def test_ordinary_words_are_not_refused(course, text):
    (course / "01_sample.py").write_text(text, encoding="utf-8")
    read_course(course)


def test_a_message_names_file_line_question_and_first_line_of_the_cell(course):
    (course / "01_sample.py").write_text(changed('    """It is."""\n', ""), encoding="utf-8")
    with pytest.raises(BuildError) as refusal:
        read_course(course)
    assert str(refusal.value) == (
        "01_sample.py, line 15, question mean, cell `def test_mean_is(mean):`: "
        "`test_mean_is` has no docstring. "
        "Write the one sentence that a student reads when it fails."
    )


def test_two_questions_of_one_name_in_one_notebook_are_refused(course):
    (course / "01_sample.py").write_text(script(*GOOD, *GOOD), encoding="utf-8")
    with pytest.raises(BuildError, match="two questions of this notebook have one name"):
        read_course(course)


@pytest.mark.parametrize("other", ["best_constant", "Best_Constant"])
def test_two_questions_of_one_name_in_the_course_are_refused(course, other):
    text = (course / "01_sample.py").read_text(encoding="utf-8").replace("best_constant", other)
    (course / "02_other.py").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=f"02_other.py.*two questions are called `{other}`"):
        read_course(course)


@pytest.mark.parametrize("name", ["sample", "1_sample", "01_Sample", "01-sample", "01_" + "x" * 60])
def test_a_notebook_whose_name_cannot_make_cell_ids_is_refused(course, name):
    (course / "01_sample.py").rename(course / f"{name}.py")
    with pytest.raises(BuildError, match="no name for a notebook"):
        read_course(course)


def test_an_empty_course_is_refused(course):
    (course / "01_sample.py").unlink()
    with pytest.raises(BuildError, match="there is no notebook"):
        read_course(course)


def test_answers_that_the_library_does_not_have_are_refused(course, tmp_path):
    text = (course / "01_sample.py").read_text(encoding="utf-8")
    text = text.replace("answers: []", "answers: [policies.nowhere]")
    (course / "01_sample.py").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=r"no imitation_lab\.policies\.nowhere, which a notebook"):
        build(course, tmp_path)
