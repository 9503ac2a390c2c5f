"""The one exception of the build: what is wrong, where, and what to do about it."""


class BuildError(Exception):
    """Something in the source that the build will not compile.

    Args:
        where: The file, and as far as known the question and the cell.
        problem: What was found.
        remedy: What to do about it.
    """

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem} {remedy}")
