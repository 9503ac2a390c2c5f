"""The zygote's first lines: build the sandbox, then load torch in it.

Run as a script by the judge, with one argument: a JSON object with ``control`` (an inherited socket),
``backend``, ``root`` (the folder that holds the packages), ``binds`` (paths that exist in the
sandbox, read-only), ``masks`` (folders that are empty there even so), or, by Landlock, ``listable``
(folders whose names may be seen), and ``library`` and ``assets`` (the folder of the course's library, of
which each assignment is shown a part, and of its data: see ``autograder.inside.library``).
"""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

_MOUNT_POINT = "/tmp"  # any folder that exists everywhere; only this process sees it covered
_OLD_ROOT = "/old-root"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def main() -> None:
    """Build the sandbox and serve."""
    config = json.loads(sys.argv[1])
    sys.path.insert(0, config["root"])
    control = socket.socket(fileno=config["control"])
    library = Path(config["library"])
    try:
        if config["backend"] == "namespaces":
            # The sandbox has no library, but this process can still copy from it.
            library = Path(f"/proc/self/fd/{os.open(library, os.O_RDONLY)}")
            _enter_sandbox(config, control)
        from autograder.inside import walls, zygote
        from autograder.inside.library import Library

        wall = walls.make_wall(config, Library(library, Path(config["assets"])))
        versions = zygote.warm_up()
    except Exception as error:
        control.send(json.dumps({"failed": f"{type(error).__name__}: {error}"[:2000]}).encode())
        raise
    control.send(json.dumps({"ready": versions}).encode())
    try:
        zygote.serve(control, wall)
    finally:
        wall.close()


def _enter_sandbox(config: dict[str, Any], control: socket.socket) -> None:
    """Continue in a child that sees no more than ``binds``, as nobody, in namespaces of its own."""
    from autograder.inside import linux

    user, group = os.getuid(), os.getgid()
    if user == 0:
        linux.unshare(linux.ISOLATED)
    else:
        linux.unshare(linux.CLONE_NEWUSER | linux.ISOLATED)
        linux.map_to_nobody(user, group)
    child = os.fork()
    if child:
        control.close()
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    _build_root(config["binds"], config["masks"])
    linux.forbid_capabilities()
    if user == 0:
        _become_nobody()
    linux.drop_capabilities()
    linux.die_with_parent()  # here, since a change of user cancels it
    # A process that changed its user owns nothing in /proc, and its children could not map theirs.
    linux.allow_inspection()


def _become_nobody() -> None:
    """Leave root behind: root is not bound by a limit on processes, and may mend what it breaks."""
    from autograder.inside import linux

    os.setgroups([])
    os.setresgid(linux.NOBODY, linux.NOBODY, linux.NOBODY)
    os.setresuid(linux.NOBODY, linux.NOBODY, linux.NOBODY)


def _build_root(binds: list[str], masks: list[str]) -> None:
    """Make a file system that shows what is needed, and forget the machine's own."""
    from autograder.inside import linux

    shown = {path: os.path.realpath(path) for path in (*binds, *_DEVICES)}
    linux.make_mounts_private()
    private = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("tmpfs", _MOUNT_POINT, "tmpfs", private, "size=16m,mode=755")
    linux.change_root(_MOUNT_POINT, _OLD_ROOT)
    for path, real in shown.items():
        _show(Path(path), Path(real))
    for path in masks:
        if Path(path).is_dir():
            linux.mount("tmpfs", path, "tmpfs", linux.MS_RDONLY, "size=4k")
    for folder in (linux.SCRATCH, linux.LIBRARY, "/proc"):
        Path(folder).mkdir()
    _offer_scratch()
    linux.mount("proc", "/proc", "proc", private | linux.MS_NOEXEC)
    linux.mount("tmpfs", linux.SCRATCH, "tmpfs", private, "size=64m,mode=777")
    linux.forget(_OLD_ROOT)
    linux.make_read_only("/", recursive=False)
    os.chdir(linux.SCRATCH)


def _offer_scratch() -> None:
    """Let programs find the one folder that they may write to.

    It is not called /tmp: the project or Python may lie below the machine's, and would be covered.
    """
    from autograder.inside import linux

    Path("/dev/shm").symlink_to(linux.SCRATCH)
    if not Path("/tmp").exists():
        Path("/tmp").symlink_to(linux.SCRATCH)
    os.environ.update(HOME=linux.SCRATCH, TMPDIR=linux.SCRATCH, MPLCONFIGDIR=linux.SCRATCH)


def _show(path: Path, real: Path) -> None:
    """Bind ``real`` of the old root to where it was; ``path`` is its name or a link to it."""
    from autograder.inside import linux

    old = Path(f"{_OLD_ROOT}{real}")
    if old.exists() and not real.exists():  # else it is a part of what is shown already
        real.parent.mkdir(parents=True, exist_ok=True)
        if old.is_dir():
            real.mkdir()
        else:
            real.touch()
        linux.mount(str(old), str(real), flags=linux.MS_BIND | linux.MS_REC)
        if str(path) not in _DEVICES:
            linux.make_read_only(str(real))
    if path != real and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(real)


if __name__ == "__main__":
    main()
