"""The judge: holds the tests and the score, and asks the worker for no more than values."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from autograder.assignment import Assignment, Question, Test, derive_seed
from autograder.hints import Misconceptions
from autograder.limits import Limits
from autograder.messages import explain_ending, explain_failure
from autograder.proxy import StudentClass, StudentFunction
from autograder.randomness import own_global_randomness
from autograder.results import Result, TestResult
from autograder.run import CellReport, SubmissionRun, explain_lost_cell
from autograder.sandbox import Sandbox
from autograder.selection import (
    ANSWER,
    ANSWERED,
    BLANK,
    PRISTINE,
    Names,
    Plan,
    guess_assignment,
    identify,
    make_plan,
)
from autograder.session import (
    MALFORMED,
    OK,
    OUT_OF_MEMORY,
    TIMEOUT,
    Call,
    Session,
    WorkerLostError,
)
from autograder.similarity import TreeReader
from autograder.submissions import MalformedError, Notebook, Submission, read_notebook
from autograder.whose import Dealer
from imitation_lab.testing import grading_seed

_MORE_TRIES = (1, 2)


@dataclass(frozen=True)
class Settings:
    """What all submissions of a grading share.

    Attributes:
        seed: The grading seed. The same seed gives the same tests.
        limits: What each submission may use.
        assignment: The assignment that all answer, or empty: each is then asked.
        dealer: Who knows the constants of each student's notebook, if they differ.
    """

    seed: int
    limits: Limits
    assignment: str = ""
    dealer: Dealer | None = None


class Judge:
    """Grades submissions, from any number of threads."""

    def __init__(
        self, sandbox: Sandbox, assignments: Mapping[str, Assignment], settings: Settings
    ) -> None:
        self._sandbox = sandbox
        self._assignments = dict(assignments)
        self._settings = settings
        self._misconceptions = {
            name: Misconceptions(sandbox, assignment, settings.limits)
            for name, assignment in assignments.items()
        }
        self._trees = TreeReader(sandbox, settings.limits)

    def close(self) -> None:
        """End the workers that hints and trees came from."""
        self._trees.close()
        for misconceptions in self._misconceptions.values():
            misconceptions.close()

    def stop(self) -> None:
        """End the sandbox, and with it every grading that is under way."""
        self._sandbox.close()

    def blank_result(self, submission: Submission) -> Result:
        """Return what stands for a submission until, or unless, its grading ends."""
        result = Result(submission.name, str(submission.path))
        result.environment = self._environment()
        result.assignment = guess_assignment(
            submission, self._assignments, self._settings.assignment
        )
        result.fail_everything("Grading has not finished.")
        return result

    def grade(self, submission: Submission) -> Result:
        """Grade one submission."""
        started = time.monotonic()
        result = self.blank_result(submission)
        with ExitStack() as runs:
            try:
                assignment, plan, run = self._read(submission, result, runs)
                result.trees = self._trees.read(plan.answers)
                hints = self._misconceptions[assignment.notebook]
                _Grading(assignment, plan, run, self._settings.seed, hints).fill(result)
            except MalformedError as error:
                result.status = MALFORMED
                result.notes.append(str(error))
                result.fail_everything("Not run: see above.")
        result.seconds = time.monotonic() - started
        return result

    def _read(
        self, submission: Submission, result: Result, runs: ExitStack
    ) -> tuple[Assignment, Plan, SubmissionRun]:
        notebook = read_notebook(submission.path)
        result.notes += notebook.notes
        # What it answers can nearly always be told before its cells are analysed.
        likely = self._identify(notebook, submission, [])
        run = self._start(likely or next(iter(self._assignments.values())), runs)
        names = run.analyse([cell.source for cell in notebook.code])
        assignment = self._identify(notebook, submission, names)
        if assignment is None:
            known = ", ".join(self._assignments)
            raise MalformedError(f"The notebook answers none of the questions of {known}.")
        if assignment is not likely:
            run = self._start(assignment, runs)
        handed_out = assignment
        if dealer := self._settings.dealer:
            handed_out, hand = dealer.deal(assignment, notebook, submission.student)
            result.notes += hand.notes if hand else []
            result.variant = hand.as_json() if hand else None
        return assignment, make_plan(handed_out, notebook, names), run

    def _identify(
        self, notebook: Notebook, submission: Submission, names: Sequence[Names]
    ) -> Assignment | None:
        named = self._assignments.get(self._settings.assignment)
        return named or identify(notebook, self._assignments, submission.name, names)

    def _start(self, assignment: Assignment, runs: ExitStack) -> SubmissionRun:
        """Return a run that sees no more of the library than the assignment lets it."""
        zygote = self._sandbox.without(assignment.withheld)
        seed = derive_seed(self._settings.seed, "cells")
        run = SubmissionRun(zygote, self._settings.limits, seed)
        runs.callback(run.close)
        return run

    def _environment(self) -> dict[str, Any]:
        return {
            "seed": self._settings.seed,
            "backend": self._sandbox.backend.name,
            "unsafe": not self._sandbox.backend.safe,
            "limits": self._settings.limits.as_dict(),
            "versions": self._sandbox.versions,
        }


@dataclass
class _Attempt:
    """One run of a test.

    Attributes:
        result: What it gave.
        calls: The calls of the submission's functions, and None for one that raised an error.
        called: The function that was called last.
        failure: How its process ended or, though it did not, that an allocation was refused in it.
        shared: Whether other tests had been in that process before.
    """

    result: TestResult
    calls: list[tuple[str, Call | None]] = field(default_factory=list)
    called: str = ""
    failure: str | None = None
    shared: bool = False

    def record(self, name: str, call: Call | None) -> None:
        """Keep a call."""
        self.calls.append((name, call))

    def end(self, session: Session) -> None:
        """Look at the process after the test."""
        self.called, self.shared = session.called, session.tests > 1
        self.failure = session.failure or (OUT_OF_MEMORY if session.out_of_memory else None)

    @property
    def in_doubt(self) -> bool:
        """Whether what went wrong may be the doing of an earlier test."""
        return self.shared and (not self.result.passed or self.failure is not None)


class _Grading:
    """One submission before the judge."""

    def __init__(
        self,
        assignment: Assignment,
        plan: Plan,
        run: SubmissionRun,
        seed: int,
        misconceptions: Misconceptions,
    ) -> None:
        self._assignment = assignment
        self._plan = plan
        self._run = run
        self._seed = seed
        self._misconceptions = misconceptions
        self._calls: dict[str, list[Call]] = {}
        self._raised: set[str] = set()  # questions whose function, or object, raised an error
        self._out_of_time: set[tuple[str, str]] = set()  # a question, and what its test called

    def fill(self, result: Result) -> None:
        """Run every test and write down what it gave."""
        result.assignment, result.states = self._assignment, self._plan.states
        result.written = self._plan.written
        result.notes += self._plan.notes
        result.tests = self._run_tests()
        result.hints = {
            question.name: hints
            for question in self._assignment.graded
            if (hints := self._hints(question, result.of(question)))
        }
        result.cells = [_report(cell) for cell in self._run.cells if _is_telling(cell)]
        result.status = self._run.status

    def _run_tests(self) -> list[TestResult]:
        """Run all public tests, then all hidden ones; return them in the assignment's order.

        A public test may show the student's own words. None is spoken after a hidden input has
        been where the submission could have written it down.
        """
        tests = [
            (question, test) for question in self._assignment.graded for test in question.tests
        ]
        outcomes = {
            (question.name, test.name): self._run_test(question, test)
            for question, test in sorted(tests, key=lambda pair: pair[1].hidden)
        }
        return [outcomes[question.name, test.name] for question, test in tests]

    def _run_test(self, question: Question, test: Test) -> TestResult:
        """Run a test, unless another of the question's waited in vain for the same function.

        Each hidden test has a process of its own, and one attempt. Public tests share a process, since to
        copy one takes longer than they do. What fails there may be another test's doing, and counts only
        where it fails in a process of its own. The second attempt tells a program that its first one
        failed: of a public test its author knew that.
        """
        spent = [name for name in test.parameters if (question.name, name) in self._out_of_time]
        if spent:
            message = f"not run: {spent[0]} had already run out of time."
            return TestResult(question.name, test, False, message, TIMEOUT)
        attempt = self._try_test(question, test, fresh=test.hidden)
        # Nothing can have spoilt a blank answer, but an earlier test may have ended the process.
        blank = self._plan.states[question.name] == BLANK and not attempt.failure
        if attempt.in_doubt and not blank:
            attempt = self._try_test(question, test, fresh=True)
        self._take_note(question, attempt)
        return attempt.result

    def _try_test(
        self, question: Question, test: Test, *again: int, fresh: bool = False
    ) -> "_Attempt":
        """Run a test. Where it runs ``again``, its random inputs are others."""
        label = (self._assignment.notebook, question.name, test.name, *again)
        attempt = _Attempt(TestResult(question.name, test, True))
        missing: list[str] = []
        session: Session | None = None
        try:
            seed = derive_seed(self._seed, "worker", *label)
            session = self._run.start_test(self._plan, seed, fresh)
            found = session.look(test.parameters)
            _refuse_the_librarys(question, found)
            arguments = self._arguments(found, session, attempt)
            missing = [name for name, value in arguments.items() if value is None]
            seed = derive_seed(self._seed, "test", *label)
            with own_global_randomness(seed), grading_seed(seed):
                test.function(**arguments)
            # Whatever the test made of it: a program that ended has not answered.
            failure = session.failure
        except WorkerLostError as lost:
            failure = lost.status
        except Exception as error:
            failure = None
            message = explain_failure(error, test, missing, self._cell_error(question))
            attempt.result = TestResult(question.name, test, False, message)
        if failure:
            message = explain_ending(failure, question.name)
            attempt.result = TestResult(question.name, test, False, message, failure)
        if session:
            attempt.end(session)
        return attempt

    def _take_note(self, question: Question, attempt: "_Attempt") -> None:
        """Keep what a run of a test told of the submission."""
        self._keep_calls(attempt)
        if attempt.failure:
            self._run.record(attempt.failure)
        if attempt.failure == TIMEOUT:
            self._out_of_time.add((question.name, attempt.called))

    def _keep_calls(self, attempt: "_Attempt") -> None:
        for name, call in attempt.calls:
            if call is None:
                self._raised.add(name)
            else:
                self._calls.setdefault(name, []).append(call)

    def _arguments(
        self, found: Mapping[str, Any], session: Session, attempt: "_Attempt"
    ) -> dict[str, Any]:
        """Return what a test asks for: functions and classes as proxies, values, else None."""
        arguments: dict[str, Any] = {}
        for name, (kind, *details) in found.items():
            if kind == "function":
                arguments[name] = StudentFunction(name, session, attempt.record)
            elif kind == "class":
                arguments[name] = StudentClass(name, session, attempt.record)
            else:
                arguments[name] = details[0] if kind == "value" else None
        return arguments

    def _hints(self, question: Question, tests: list[TestResult]) -> list[str]:
        """Return hints for a question that was answered, came to an end, and is wrong."""
        answered = self._plan.states[question.name] == ANSWERED
        ended = all(test.status == OK for test in tests)
        if not answered or not ended or all(test.passed for test in tests):
            return []
        # Whatever it gave before it raised, many mistakes give as well.
        if question.name in self._raised:
            return []
        calls = self._calls.get(question.name, [])
        alike = self._misconceptions.matching(question.wrong, calls)
        if not alike:
            return []
        # Two answers may agree by chance: where it matters, they are asked once more.
        known = len(calls)
        for again in _MORE_TRIES:
            for test in question.tests:
                self._keep_calls(self._try_test(question, test, again))
        if more := calls[known:]:
            alike = self._misconceptions.matching(alike, more)
        return [wrong.hint for wrong in alike]

    def _cell_error(self, question: Question) -> str:
        """Return what stopped the question's cell when it ran, before any test's input existed."""
        errors = [c.error for c in self._run.cells if question.name in c.step.keep and c.error]
        return errors[0] if errors else ""


def _refuse_the_librarys(question: Question, found: Mapping[str, Any]) -> None:
    """Let no answer stand that the course's library gave, where a question is about to be tested.

    The other functions that its tests ask for may well be the library's.
    """
    kind, *details = found.get(question.name, ["missing"])
    if kind in ("function", "class") and details == [True]:
        raise AssertionError(
            f"{question.name} was taken from the course's library. Write it yourself."
        )


def _is_telling(cell: CellReport) -> bool:
    return bool(cell.error or cell.notes or (cell.output and cell.step.origin != PRISTINE))


def _report(cell: CellReport) -> dict[str, Any]:
    return {
        "cell": cell.step.label,
        "origin": cell.step.origin,
        "question": cell.step.keep[0] if cell.step.origin == ANSWER and cell.step.keep else None,
        "error": explain_lost_cell(cell) if cell.lost else cell.error,
        "output": cell.output,
        "notes": cell.notes,
    }
