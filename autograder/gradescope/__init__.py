"""The course's grader as Gradescope takes it: a zip for one notebook, and what it runs there."""
