"""Outcome points: what a submitted policy does, judged as the leaderboard of the course judges it."""

import threading

from autograder.assignment import derive_seed
from autograder.results import PolicyGrade
from autograder.submissions import MalformedError, Submission, read_member
from imitation_lab.pusht.judging import UnfitError, judge
from imitation_lab.pusht.policy import LARGEST_FILE
from imitation_lab.pusht.scoring import Points, Trial

WEIGHTS = "my_policy.safetensors"


class PolicyJudge:
    """Judges the policies in submissions, from any number of threads. All have the same starts.

    Args:
        seed: The grading seed. Nobody can tell the starts before it is drawn.
        points: How success becomes points.
        num_starts: Episodes of each policy.
    """

    def __init__(self, seed: int, points: Points, num_starts: int) -> None:
        self._points = points
        # Points are for success alone: nobody needs to see if a policy varies.
        self._trial = Trial(derive_seed(seed, "policy"), num_starts, num_mode_starts=0)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End every trial that is under way."""
        self._stopped.set()

    def blank(self, message: str = "Grading has not finished.") -> PolicyGrade:
        """Return no points, and why."""
        return PolicyGrade(0, self._points.most, message)

    def grade(self, submission: Submission) -> PolicyGrade:
        """Judge the policy that a submission's zip holds beside its notebook."""
        try:
            content = read_member(submission.path, WEIGHTS, LARGEST_FILE)
            score = judge(content, self._trial, stopped=self._stopped)
        except MalformedError as error:
            return self.blank(str(error))
        except UnfitError as error:
            return self.blank(f"{WEIGHTS}: {error}")
        success = f"{score.success.successes} of {score.success.trials} episodes succeeded"
        message = f"{success}: at least {100 * score.lower_bound:.1f} %. {self._points}"
        return PolicyGrade(self._points.of(score), self._points.most, message)
