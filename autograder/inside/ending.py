"""How a process ended, in the words that the judge records."""

import os
import resource
import signal

EXITED, DIED, TIMEOUT, KILLED = "exited", "died", "timeout", "killed"
EXIT_CODES = {EXITED: 0, DIED: 10, TIMEOUT: 11}


def how_ended(status: int, usage: resource.struct_rusage) -> str:
    """Tell from ``wait4``'s answer whether a process ended by itself, was killed, or ran out of time.

    A process may ignore the signal that tells it that its processor time is used up; the one that
    follows cannot be told from other kills, but the time it had used can.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_CPU)
    used = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status):
        out_of_time = limit != resource.RLIM_INFINITY and used >= limit
        return TIMEOUT if os.WTERMSIG(status) == signal.SIGXCPU or out_of_time else DIED
    return EXITED if status == 0 else DIED
