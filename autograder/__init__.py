"""The grader: a judge that holds the tests, and a sandbox in which strangers' programs run."""
