"""All that the doctor looks at, in its order."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from imitation_lab.doctor.accelerator import check_torch
from imitation_lab.doctor.findings import Finding, State
from imitation_lab.doctor.folder import (
    check_notebooks,
    check_shadows,
    check_writing,
    find_course,
)
from imitation_lab.doctor.jupyter import check_kernel, check_lab, check_widgets
from imitation_lab.doctor.machine import check_disk, check_memory, check_python
from imitation_lab.doctor.packages import check_capstone, check_install, check_packages

NO_COURSE = "This is not the course's folder. Go there, and say: python3 course.py doctor"


def examine(start: Path, quick: bool = False) -> Iterator[Finding]:
    """Look at everything, one after the other.

    Args:
        start: A folder of the course, or one in it.
        quick: Leave out what takes seconds, and what only some notebooks need.
    """
    course = find_course(start)
    yield check_python()
    yield check_install(course)
    yield check_packages()
    yield check_kernel()
    yield check_widgets()
    yield check_memory()
    yield check_disk(start)
    if course:
        yield check_writing(course / "notebooks")
        yield check_notebooks(course / "notebooks")
        yield check_shadows(course / "notebooks")
    else:
        yield Finding(State.LOOK, "folder", NO_COURSE)
    if not quick:
        yield check_lab()
        yield check_capstone((course or start) / "notebooks")
        yield check_torch()


def report(findings: Iterable[Finding], faults_only: bool = False) -> bool:
    """Print each finding as soon as it is there. Tell whether nothing is broken.

    Args:
        findings: What ``examine`` finds.
        faults_only: Say nothing of what is well.
    """
    sound = True
    for finding in findings:
        if finding.state is not State.OK or not faults_only:
            print(finding, flush=True)
        sound = sound and finding.state is not State.BROKEN
    return sound
