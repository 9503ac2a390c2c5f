"""What a student reads about a test that failed: the author's words, and never a hidden input."""

import builtins

from autograder.assignment import Test
from autograder.proxy import StudentError, UnreadableResultError
from autograder.session import EXPLANATIONS

MAX_MESSAGE = 2000
_UNREADABLE = (
    "what your function returned cannot be read: return numbers, tensors, or lists of them, "
    "and no more than 16 MB."
)
_BUILT_IN_ERRORS = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


def explain_failure(error: Exception, test: Test, missing: list[str], cell_error: str) -> str:
    """Turn a test's failure into words for the student.

    A failed hidden test tells only what the author wrote. The student's own words stay out, even
    the name of an exception that the student defined: a function that has seen the hidden inputs can
    put them into either. For public tests, whose inputs are in the notebook, all is told, and what was
    expected and given where these are few numbers.

    Args:
        error: What the test raised.
        test: The test.
        missing: The names that it asked for and that the submission does not define.
        cell_error: What stopped the question's cell, if anything did.
    """
    if missing and cell_error:
        return _tidy(f"{cell_error.rstrip('.')}. So {missing[0]} was not found.")
    if missing and not (isinstance(error, AssertionError) and str(error)):
        reason = f"{missing[0]} was not found: define it in its own cell, under this name."
    elif isinstance(error, UnreadableResultError):
        reason = _UNREADABLE if test.hidden else f"{error}."
    elif isinstance(error, StudentError):
        known = error.type_name if error.type_name in _BUILT_IN_ERRORS else "an exception"
        reason = f"your function raised {known if test.hidden else error}."
    elif isinstance(error, AssertionError):
        notes = [] if test.hidden else getattr(error, "__notes__", [])
        reason = "\n".join([str(error), *notes])
    elif test.hidden:
        reason = "the test could not use what your function returned: check its type and shape."
    else:
        reason = f"the test could not use what your function returned ({error})."
    return _tidy(reason) or test.description


def explain_ending(status: str, question: str) -> str:
    """Tell that a function did not come to an answer."""
    return _tidy(f"{question} gave no answer: {EXPLANATIONS[status]}.")


def _tidy(reason: str) -> str:
    text = reason.strip()
    if len(text) > MAX_MESSAGE:
        text = text[:MAX_MESSAGE] + " […]"
    return text
