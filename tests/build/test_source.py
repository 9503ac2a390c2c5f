"""The dialect is read as its authors mean it."""

from tools.marks import blank
from tools.source import Notebook, Question


def question(sample: Notebook, name: str) -> Question:
    return next(question for question in sample.questions if question.name == name)


def test_questions_come_in_order_with_their_titles(sample):
    assert [question.name for question in sample.questions] == [
        "best_constant",
        "Scale",
        "is_it_luck",
    ]
    assert sample.questions[0].title == "Question 1.1 · The best constant"


def test_the_header_gives_title_and_answers(sample):
    assert sample.title == "A sample notebook"
    assert sample.answers == ()


def test_comments_that_look_like_shell_commands_stay_comments(sample):
    code = next(cell for cell in sample.cells if "import torch" in cell.source)
    assert '# copy the weights: a comment that must not become the shell command "copy"' in (
        code.source.split("\n")
    )


def test_a_cell_knows_its_line(sample):
    script = sample.path.read_text(encoding="utf-8").split("\n")
    for cell in sample.cells:
        assert script[cell.line - 1].startswith("# %%")
        assert cell.source.split("\n")[0] in script[cell.line]


def test_points_go_to_the_tests_in_order(sample):
    tests = question(sample, "best_constant").tests
    assert [(test.points, test.hidden) for test in tests] == [(1, False), (0.5, False), (2, True)]


def test_a_test_keeps_its_text_and_its_docstring(sample):
    test = question(sample, "best_constant").public[1]
    assert test.source.startswith("def test_best_constant_leaves_a_constant_alone(")
    assert test.source.endswith("assert bool((constant == 1).all()), message")
    first, _, last = test.description.split("\n")
    assert first == r"The mean of \theta, \theta, \theta is \theta."
    assert last == """A second line, with 'single' and "double" quotes."""


def test_helpers_beside_an_answer_are_no_answers(sample):
    answers = question(sample, "best_constant").right
    assert [answer.name for answer in answers] == ["best_constant__by_sum"]
    assert "def _total" in answers[0].cell.source


def test_an_answers_hint_is_its_docstring(sample):
    hints = [answer.hint for answer in question(sample, "best_constant").wrong]
    assert hints[1] == "The median minimises the absolute error, not the squared error."


def test_a_question_answered_in_prose_is_written(sample):
    assert [question.written for question in sample.questions] == [False, False, True]


def test_a_stretch_goal_holds_its_prompt_and_all_cells_that_work_it_out(sample):
    (stretch,) = sample.stretches
    assert stretch.name == "spread"
    assert stretch.prompt.source.startswith("### Stretch goal · How far apart?")
    assert [cell.kind for cell in stretch.solution] == ["code", "code", "markdown"]


def test_a_stretch_goal_is_none_of_the_cells_that_are_graded(sample):
    assert not any("spread" in cell.source for cell in sample.cells)


def test_the_blank_keeps_what_is_not_marked(sample):
    assert blank(question(sample, "best_constant").solution) == (
        "def best_constant(actions):\n"
        '    """Return the constant action with the smallest mean squared error to `actions`."""\n'
        "    ..."
    )
