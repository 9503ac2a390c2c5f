"""Submissions that do not end, that end too early, or that use everything up."""

from tests.siege.forms import DIED, ENDS, OK, OUT_OF_MEMORY, TIMEOUT, answer, cell

ENDING = [
    cell("a loop in a cell", "while True: pass", TIMEOUT, waits=True),
    cell(
        "a loop that ignores the warning",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        TIMEOUT,
        waits=True,
    ),
    answer(
        "a loop in a function", "def best_constant(a):\n    while True: pass", TIMEOUT, waits=True
    ),
    cell("a cell that sleeps", "import time\ntime.sleep(10**6)", TIMEOUT, waits=True),
    cell(
        "a process that stops itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        TIMEOUT,
        waits=True,
    ),
    cell("an exit without goodbye", "import os\nos._exit(0)", DIED),
    cell(
        "killing the parent",
        "import os\ntry: os.kill(os.getppid(), 9)\nfinally: os.kill(os.getpid(), 9)",
        DIED,
    ),
    cell(
        "killing all that can be killed",
        "import os\ntry: os.kill(-1, 9)\nfinally: os.abort()",
        DIED,
    ),
    cell("a wild pointer", "import ctypes\nctypes.string_at(0)", DIED),
    answer("SystemExit in a function", "def best_constant(a):\n    raise SystemExit", OK),
    answer(
        "KeyboardInterrupt in a function", "def best_constant(a):\n    raise KeyboardInterrupt", OK
    ),
    answer("endless recursion", "def best_constant(a):\n    return best_constant(a)", OK),
    cell("recursion in C", "x = []\nfor _ in range(10**6): x = [x]\nrepr(x)"),
    cell(
        "stopping the clock",
        "import time\nfor n in ('time', 'monotonic', 'perf_counter', 'process_time'):\n"
        "    setattr(time, n, lambda: 0.0)\ntime.sleep = lambda s: None",
        OK,
    ),
    cell(
        "signal handlers of its own",
        "import signal\nfor n in range(1, 64):\n    try: signal.signal(n, lambda *_: None)\n"
        "    except (OSError, ValueError): pass\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
    ),
    cell(
        "a hook at the exit and in every import",
        "import atexit, sys, os\natexit.register(os.fork)\n"
        "sys.settrace(lambda *a: None)\nsys.meta_path.insert(0, None)\nsys.path_hooks.clear()",
    ),
]

GREEDY = [
    cell("nineteen gigabytes", "x = bytearray(19 << 30)", OUT_OF_MEMORY),
    cell("memory bit by bit", "x = [bytearray(1 << 20) for _ in range(10**5)]", *ENDS),
    cell("a tensor of a terabyte", "import torch\ntorch.zeros(1 << 38)", OUT_OF_MEMORY),
    cell("a long message", "raise Exception('x' * (200 << 20))"),
    cell("much output", "for _ in range(10**5): print('x' * 1000)", OK),
    cell(
        "words past the worker's cap",
        "from autograder.inside.cells import Interpreter\nInterpreter.run = lambda *_: "
        "{'error': ['x' * 10**5] * 2, 'output': 'x' * 10**5, 'notes': ['x' * 1000] * 99}",
        OK,
    ),
    cell("output past Python", "import os\nfor _ in range(1000): os.write(1, b'x' * 10**5)", OK),
    cell(
        "a fork bomb",
        "import os, time\nfor _ in range(10**4):\n    if os.fork() == 0: time.sleep(99)",
    ),
    cell(
        "a fork bomb whose every process listens to the judge",
        "import os, time\ntry:\n    while True: os.fork()\nexcept OSError: time.sleep(0.2)",
        waits=True,
    ),
    cell(
        "a bomb of threads",
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(99,)).start()",
    ),
    cell(
        "every file handle", "import os\nf = []\nwhile True: f.append(os.open('/dev/null', 0))", OK
    ),
    cell(
        "handles that travel in a socket",
        "import socket, os\na, b = socket.socketpair()\nb.setblocking(False)\n"
        "while True: socket.send_fds(a, [b'x'], [os.open('/dev/null', 0)])",
        waits=True,
    ),
    cell("a large file", "with open('f', 'wb') as f:\n    while True: f.write(bytes(1 << 20))"),
    cell(
        "many files",
        "import time\nfor n in range(500):\n"
        "    with open(f'f{n}', 'wb') as f: f.write(bytes(1 << 20))\ntime.sleep(1)\nprint('@WON@')",
    ),
    cell("many empty files", "for n in range(10**5): open(f'f{n}', 'w').close()\nprint('@WON@')"),
    cell(
        "files without a name",
        "import os\nkept = []\nfor n in range(3):\n    kept.append(open('f', 'wb'))\n"
        "    os.unlink('f')\n    kept[-1].write(bytes(30 << 20))",
    ),
    cell(
        "a very deep folder",
        "import os\nfor _ in range(1500):\n    os.mkdir('d' * 50)\n    os.chdir('d' * 50)",
    ),
    cell(
        "a folder without rights",
        "import os\nos.mkdir('closed', 0)\nos.umask(0o777)\nos.mkdir('c')",
    ),
    cell("memory in a nameless file", "import os\nos.memfd_create('x')\nprint('@WON@')", OK),
    cell(
        "memory that stays",
        "import ctypes\nif ctypes.CDLL(None).shmget(1234, 1 << 20, 0o1666) >= 0: print('@WON@')",
        OK,
    ),
    cell(
        "raising its own limits",
        "import resource as r\nfor kind in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_NPROC, r.RLIMIT_FSIZE):\n"
        "    try: r.setrlimit(kind, (r.RLIM_INFINITY, r.RLIM_INFINITY)); print('@WON@')\n"
        "    except (ValueError, OSError): pass",
        OK,
    ),
    answer("a long list", "def best_constant(a):\n    return list(range(10**6))", OK, TIMEOUT),
    answer(
        "a generator without end",
        "import itertools\ndef best_constant(a):\n    return itertools.count()",
        OK,
    ),
    answer("a large result", "def best_constant(a):\n    return torch.zeros(8 << 20)", OK),
    answer(
        "a deep result",
        "def best_constant(a):\n    x = []\n    for _ in range(10**5): x = [x]\n    return x",
    ),
    answer("a circle", "def best_constant(a):\n    x = []\n    x.append(x)\n    return x", OK),
    answer("a huge integer", "def best_constant(a):\n    return 1 << 10**6", OK),
]
