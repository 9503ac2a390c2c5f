"""Hostile submissions, as data: what each does, what its result may say, and what it honestly earns.

``@SECRET@`` and the like become this machine's paths and numbers (``tests/siege/conftest.py``). An attack
that succeeds prints ``@WON@``, or what it stole: neither may be found in the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OK, TIMEOUT, DIED, OUT_OF_MEMORY, MALFORMED = "ok", "timeout", "died", "out_of_memory", "malformed"
ANY = frozenset((OK, TIMEOUT, DIED, OUT_OF_MEMORY, MALFORMED))
ENDS = frozenset((TIMEOUT, DIED, OUT_OF_MEMORY))


@dataclass(frozen=True)
class Hostile:
    """One submission that means harm.

    Attributes:
        name: What it tries.
        cell: A cell that it adds before the first question.
        answers: Its answers, by question. The others stay blank.
        status: The statuses that its result may have.
        most: The points that its answers honestly earn.
        waits: Whether it ends by the clock, so that it takes seconds.
    """

    name: str
    cell: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    status: frozenset[str] = ANY
    most: float = 0
    waits: bool = False


def cell(name: str, source: str, *status: str, waits: bool = False) -> Hostile:
    return Hostile(name, source, status=frozenset(status) or ANY, waits=waits)


def answer(name: str, source: str, *status: str, most: float = 0, waits: bool = False) -> Hostile:
    """An attack from within ``best_constant``, whose public test gives a point for a right shape."""
    return Hostile(name, "", {"best_constant": source}, frozenset(status) or ANY, most, waits)


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

LIARS = [
    cell(
        "patched comparisons of torch",
        "import torch\ntorch.allclose = torch.isclose = torch.equal = lambda *a, **k: True\n"
        "torch.testing.assert_close = lambda *a, **k: None",
        OK,
    ),
    cell(
        "patched methods of tensors",
        "import torch\nfor n in ('__eq__', 'equal', 'allclose', 'isclose', 'all'):\n"
        "    setattr(torch.Tensor, n, lambda *a, **k: True)",
    ),
    cell(
        "patched builtins",
        "import builtins\nfor n in ('isinstance', 'all', 'len', 'issubclass'):\n"
        "    setattr(builtins, n, lambda *a: True)\nbuiltins.AssertionError = Exception",
    ),
    cell(
        "patched numpy",
        "import numpy as np\nfor n in ('allclose', 'isclose', 'array_equal'):\n"
        "    setattr(np, n, lambda *a, **k: True)\nnp.testing.assert_allclose = print",
        OK,
    ),
    cell(
        "patched checks",
        "import imitation_lab.testing as t\nfor n in dir(t):\n"
        "    if n.startswith('check'): setattr(t, n, lambda *a, **k: None)",
        OK,
    ),
    cell(
        "an empty sys.modules",
        "import sys\nfor n in list(sys.modules):\n"
        "    if n.startswith(('autograder', 'imitation_lab', 'torch')): sys.modules[n] = None",
    ),
    cell(
        "a patched wire",
        "import autograder.wire as w\nw.encode = lambda v: (['bool', True], [], b'')",
    ),
    cell(
        "a patched worker",
        "from autograder.inside.worker import Server\nfor n in dir(Server):\n"
        "    if n.startswith('_do'): setattr(Server, n, lambda *a: {'passed': True, 'score': 999})",
    ),
    cell(
        "patched json",
        "import json\njson.dumps = lambda *a, **k: '{\"score\": 999}'\njson.loads = lambda *a, **k: {}",
    ),
    cell(
        "tests of its own",
        "def test_best_constant_is_the_mean(best_constant): pass\nclass Judge:\n    score = 999\n"
        "def check_close(*a, **k): pass\n__builtins__['__import__'] = None",
    ),
    answer(
        "a tensor that equals everything",
        "class Yes(torch.Tensor):\n    __eq__ = __ne__ = lambda *a: True\n"
        "    def __torch_function__(*a, **k): return True\n"
        "def best_constant(a): return torch.zeros(2).as_subclass(Yes)",
        OK,
        most=1,
    ),
    answer(
        "an object that equals everything",
        "class Yes:\n    __eq__ = __ne__ = __lt__ = __le__ = lambda *a: True\n"
        "    __getattr__ = lambda s, n: s\n    __call__ = lambda s, *a, **k: s\n"
        "def best_constant(a): return Yes()",
        OK,
    ),
    answer(
        "an array that lies about its shape",
        "import numpy as np\nclass Liar(np.ndarray):\n    shape = property(lambda s: (2,))\n"
        "    __array_priority__ = 1e9\n    def __array_ufunc__(*a, **k): return True\n"
        "def best_constant(a): return np.zeros(7).view(Liar)",
        OK,
        most=0,
    ),
    answer(
        "a number that lies",
        "class One(float):\n    __eq__ = __ne__ = __lt__ = __le__ = lambda *a: True\n"
        "    __sub__ = __rsub__ = lambda *a: 0.0\ndef best_constant(a): return One(7.0)",
        OK,
    ),
    Hostile(
        "a generator that lies",
        "import torch\ntorch.Generator.manual_seed = lambda s, n: s",
        {
            "draw": "def draw(count, generator):\n    generator.manual_seed(1)\n"
            "    return torch.full((count,), 5.0)"
        },
        most=1,
    ),
    answer(
        "a function that is everything",
        "class All(dict):\n    __getattr__ = lambda s, n: s\n    __call__ = lambda s, *a, **k: s\n"
        "    __iter__ = lambda s: iter([s])\nbest_constant = All()",
    ),
    answer(
        "a class in place of a function",
        "class best_constant:\n    def __init__(self, a): raise BaseException\n    shape = (2,)",
        OK,
    ),
    answer(
        "an argument changed in place",
        "def best_constant(a):\n    a.zero_()\n    a.resize_(0)\n    return torch.zeros(2)",
        OK,
    ),
    answer(
        "an exception whose words raise",
        "class E(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\n"
        "def best_constant(a): raise E",
        OK,
    ),
    answer(
        "an exception that is a pass",
        "class E(BaseException):\n    __bool__ = lambda s: False\n    passed = True\n    score = 999\n"
        "def best_constant(a): raise E('passed')",
        OK,
    ),
    answer(
        "gradients that lie",
        "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(c, a): return a.mean(0)\n"
        "    @staticmethod\n    def backward(c, g): raise SystemExit\n"
        "def best_constant(a): return F.apply(a) + 7",
        OK,
        most=1,
    ),
]

PICKLES = [
    answer(
        "a pickle in the result",
        "class Bomb:\n    def __reduce__(self): return print, ('@WON@',)\n"
        "def best_constant(a): return Bomb()",
        OK,
    ),
    answer(
        "a pickle in an exception",
        "class Bomb(Exception):\n    def __reduce__(self): return exec, ('raise SystemExit',)\n"
        "def best_constant(a): raise Bomb(Bomb())",
        OK,
    ),
    answer(
        "a pickle in an array",
        "import numpy as np\nclass Bomb:\n    def __reduce__(self): return print, ('@WON@',)\n"
        "def best_constant(a): return np.array([Bomb()], dtype=object)",
        OK,
    ),
    answer(
        "a pickle as bytes",
        "import pickle, os\nclass Bomb:\n    def __reduce__(self): return os._exit, (1,)\n"
        "def best_constant(a): return pickle.dumps(Bomb())",
        OK,
    ),
    cell(
        "a pickle on every handle",
        "import pickle, os\nclass Bomb:\n    def __reduce__(self): return os._exit, (1,)\n"
        "for n in range(3, 64):\n    try: os.write(n, pickle.dumps(Bomb()))\n    except OSError: pass",
        DIED,
    ),
]

FIND_WIRE = """
import json, os, stat, struct, threading, time
def is_socket(n):
    try: return stat.S_ISSOCK(os.fstat(n).st_mode)
    except OSError: return False
wire = next(n for n in range(3, 256) if is_socket(n))
def frame(header, body=b''):
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('>IQ', len(data), len(body)) + data + body
"""

FORGERS = [
    cell(
        "a forged reply",
        FIND_WIRE + "os.write(wire, frame({'id': 'x', 'kind': 'value', 'value': ['bool', True],"
        " 'buffers': []}))",
        DIED,
    ),
    cell(
        "the request's number from a frame above",
        FIND_WIRE
        + "import sys\nf = sys._getframe()\nwhile f and 'request' not in f.f_locals: f = f.f_back\n"
        "request = f.f_locals['request']\nos.write(wire, frame({'id': request.header['id'],"
        " 'kind': 'value', 'value': ['dict', []], 'buffers': []}))",
        DIED,
    ),
    cell("a frame of four gigabytes", FIND_WIRE + "os.write(wire, b'\\xff' * 12)", DIED),
    cell(
        "a reply that comes in drips",
        FIND_WIRE + "data = frame({'x': 'y' * 10**4})\nwhile True:\n    for b in data:\n"
        "        os.write(wire, bytes([b]))\n        time.sleep(0.1)",
        TIMEOUT,
        waits=True,
    ),
    cell(
        "a shape bomb",
        FIND_WIRE + "os.write(wire, frame({'id': 'x', 'kind': 'value', 'value': ['tensor', 0],"
        " 'buffers': [['float64', [1 << 20, 1 << 40]]]}))",
        DIED,
    ),
    cell("JSON that is too deep", FIND_WIRE + "os.write(wire, frame(b'[' * 10**5))", DIED),
    cell("not JSON", FIND_WIRE + "os.write(wire, frame(b'{\"id\": NaN, \\xff'))", DIED),
    cell("noise on the wire", FIND_WIRE + "os.write(wire, os.urandom(10**5))", DIED),
    cell("a closed wire", FIND_WIRE + "os.close(wire)", DIED),
    cell(
        "another wire in its place",
        FIND_WIRE + "os.dup2(os.open('/dev/zero', 0), wire)",
    ),
    cell(
        "a thread that answers too",
        FIND_WIRE + "def forge():\n    while True:\n        os.write(wire, frame({'id': 'x'}))\n"
        "        time.sleep(0.01)\nthreading.Thread(target=forge, daemon=True).start()\ntime.sleep(0.1)",
    ),
    Hostile(
        "a process that answers for the worker",
        "import os\nif os.fork() == 0:\n    while True: pass",
        {
            "best_constant": "import os\ndef best_constant(a):\n    os.fork()\n    return torch.zeros(2)"
        },
        most=1,
    ),
]

SPIES = [
    cell("reading a file of the machine's", "print(open('@SECRET@').read())", OK),
    cell(
        "reading the hidden tests", "print(open('@TESTS@/00_sample/best_constant.py').read())", OK
    ),
    cell(
        "a link to a secret",
        "import os\nos.symlink('@SECRET@', 'link')\nprint(open('link').read())",
        OK,
    ),
    cell(
        "a hard link to a secret",
        "import os\nos.link('@SECRET@', 'hard')\nprint(open('hard').read())",
        OK,
    ),
    cell(
        "a secret renamed into reach",
        "import os\nos.rename('@SECRET@', 'mine')\nprint(open('mine').read())",
        OK,
    ),
    cell(
        "a secret by its folder's handle",
        "import os\nd = os.open(os.path.dirname('@SECRET@'), os.O_PATH)\n"
        "print(open(os.open('secret', os.O_RDONLY, dir_fd=d)).read())",
        OK,
    ),
    cell(
        "a secret by way of an executable",
        "import subprocess\nprint(subprocess.run(['/bin/cat', '@SECRET@'], capture_output=True).stdout)",
        OK,
    ),
    cell(
        "the loader as a program",
        "import glob, os\nfor p in glob.glob('/lib*/ld-linux*'):\n"
        "    if os.fork() == 0: os.execv(p, [p, '/bin/cat', '@SECRET@'])\nos.wait()",
    ),
    cell("the grader", "import autograder.judge\nprint('@WON@')", OK),
    cell(
        "all frames above",
        "import sys\nf = sys._getframe()\nwhile f:\n    print(f.f_locals)\n    f = f.f_back",
        OK,
    ),
    cell(
        "all objects in memory",
        "import gc\nfor o in gc.get_objects():\n    if type(o) is dict:\n"
        "        for v in list(o.values()):\n"
        "            if type(v) is str and 'CANARY' in v and len(v) < 10**4: print(v)",
    ),
    cell(
        "every process",
        "import os\nfor n in range(1, 40000):\n    for f in ('environ', 'cmdline', 'maps', 'status'):\n"
        "        try: print(open(f'/proc/{n}/{f}').read())\n        except OSError: break\n"
        "        if n > 2: print('@WON@')",
    ),
    cell(
        "the judge's memory and files",
        "import os\nfor f in ('mem', 'fd', 'root', 'cwd', 'environ'):\n"
        "    try: os.open(f'/proc/@JUDGE@/{f}', 0); print('@WON@')\n    except OSError: pass",
        OK,
    ),
    cell(
        "watching who opens what",
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "if libc.inotify_add_watch(libc.inotify_init1(0), b'@TESTS@', 0xFFF) >= 0: print('@WON@')",
        OK,
    ),
    cell(
        "tracing the judge",
        "import ctypes\nif ctypes.CDLL(None).ptrace(16, @JUDGE@, 0, 0) == 0: print('@WON@')",
        OK,
    ),
    cell(
        "reading another process's memory",
        "import ctypes\nif ctypes.CDLL(None).syscall(310, @JUDGE@, 0, 0, 0, 0, 0) == 0: print('@WON@')",
        OK,
    ),
    cell(
        "signalling, slowing and limiting the judge",
        "import os, resource\nfor f in (lambda: os.kill(@JUDGE@, 0), lambda: os.setpriority(0, @JUDGE@, 19),\n"
        "          lambda: resource.prlimit(@JUDGE@, resource.RLIMIT_CORE, (0, 0)),\n"
        "          lambda: os.sched_setaffinity(@JUDGE@, [0])):\n"
        "    try: f(); print('@WON@')\n    except OSError: pass",
        OK,
    ),
    answer(
        "hidden inputs in a message",
        "def best_constant(a):\n    if len(a) == 5: return a[0]\n"
        "    raise type('TREASURE', (Exception,), {})(f'TREASURE {a}')",
        OK,
        most=1,
    ),
    Hostile(
        "hidden inputs by file",
        "",
        {
            "best_constant": "def best_constant(a):\n"
            "    open('seen', 'a').write('TREASURE' * (len(a) == 17))\n    return a.sum()",
            "draw": "def draw(n, g):\n    raise ValueError(open('seen').read())",
        },
    ),
]

BREAKERS = [
    cell(
        "writing everywhere",
        "import os\nmine = os.getcwd()\nfor root in ('/', '/tmp', '/var/tmp', '/dev/shm', '/run', '/home', '/root',\n"
        "             '@TESTS@', os.path.dirname('@SECRET@'), os.path.dirname(os.__file__)):\n"
        "    try:\n        open(root + '/siege-was-here', 'w').close()\n"
        "        if not os.path.exists(mine + '/siege-was-here'): print('@WON@')\n    except OSError: pass",
        OK,
    ),
    cell(
        "new tests",
        "open('@TESTS@/00_sample/best_constant.py', 'w').write('')\nprint('@WON@')",
        OK,
    ),
    cell("emptying a file", "import os\nos.truncate('@SECRET@', 0)\nprint('@WON@')", OK),
    cell(
        "emptying a file by opening it",
        "import os\nos.open('@SECRET@', os.O_TRUNC)\nprint('@WON@')",
        OK,
    ),
    cell("removing a file", "import os\nos.remove('@SECRET@')\nprint('@WON@')", OK),
    cell(
        "closing a file to its owner",
        "import os\nos.chmod('@SECRET@', 0)\nos.utime('@SECRET@', (0, 0))\nos.chown('@SECRET@', 1, 1)",
    ),
    cell(
        "changing the library",
        "import imitation_lab, os\nopen(os.path.dirname(imitation_lab.__file__) + '/x.py', 'w')\nprint('@WON@')",
        OK,
    ),
    cell(
        "every family of sockets",
        "import socket\nfor family in range(46):\n    for kind in range(1, 7):\n"
        "        try: socket.socket(family, kind)\n        except OSError: continue\n        print('@WON@')",
        OK,
    ),
    cell(
        "a connection to this machine",
        "import socket\nsocket.create_connection(('127.0.0.1', @PORT@), 1)\nprint('@WON@')",
        OK,
    ),
    cell(
        "a socket in a file, and an abstract one",
        "import socket\nfor address in ('@SOCKET@', '@ABSTRACT@'):\n"
        "    s, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "    s.sendto(b'stolen', address)\n    print('@WON@')",
        OK,
    ),
    cell(
        "a pair of streams that reaches out",
        "import socket\ns, _ = socket.socketpair()\ns.connect('@SOCKET@')\nprint('@WON@')",
        OK,
    ),
    cell(
        "namespaces, mounts and roots",
        "import ctypes, os\nlibc = ctypes.CDLL(None)\n"
        "if 0 in (libc.unshare(0x10000000), libc.unshare(0x20000), libc.mount(b'x', b'.', b'tmpfs', 0, 0)):\n"
        "    print('@WON@')\ntry: os.chroot('.'); print('@WON@')\nexcept OSError: pass",
        OK,
    ),
    cell(
        "the kernel's less travelled roads",
        "import ctypes\nlibc = ctypes.CDLL(None)\nx = ctypes.create_string_buffer(256)\n"
        "for n in (425, 321, 323, 298, 250, 248, 304, 246, 175, 435, 442, 462, 41):\n"
        "    if libc.syscall(n, 1, x, 0, 0, 0) >= 0: print('@WON@', n)",
        OK,
    ),
    cell(
        "becoming root",
        "import os\nfor f in (os.setuid, os.setgid, lambda n: os.setgroups([n])):\n"
        "    try: f(0); print('@WON@')\n    except OSError: pass",
        OK,
    ),
    cell(
        "a process that leaves its session",
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n"
        "    for n in set(range(1, 32)) - {9, 19}: signal.signal(n, signal.SIG_IGN)\n"
        "    while True:\n        if os.fork(): time.sleep(60)\n",
        OK,
    ),
    cell(
        "a process that kills all who come for it",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    while True:\n"
        "        try: os.kill(-1, 9)\n        except OSError: pass",
    ),
    cell(
        "a thread that goes on",
        "import threading\ndef work():\n    while True: open('t', 'w').write('x')\n"
        "threading.Thread(target=work, daemon=True).start()",
    ),
    answer(
        "a process from within a test",
        "import os\ndef best_constant(a):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass\n"
        "    return torch.zeros(2)",
        most=1,
    ),
    cell(
        "shell commands",
        "!touch /var/tmp/siege-was-here\n%pip install siege\n%cd /\nget_ipython().system('ls')\nx = !id\nprint(x)",
        OK,
    ),
    cell("a cell of the shell", "%%bash\ncat @SECRET@", OK),
    cell(
        "a program of its own",
        "import os\nopen('p', 'w').write('#!/bin/sh\\necho @WON@')\nos.chmod('p', 0o777)\nos.execv('p', ['p'])",
    ),
    cell(
        "a source that ends the parser",
        "x = " + "(" * 3000 + ")" * 3000,
        OK,
        DIED,
    ),
    cell("bytes that are no text", "x = '\ud800\x00'"),
]

BY_CELLS = [*ENDING, *GREEDY, *LIARS, *PICKLES, *FORGERS, *SPIES, *BREAKERS]
SHORT = (
    "an exit without goodbye",
    "killing all that can be killed",
    "raising its own limits",
    "a tensor that equals everything",
    "a pickle in the result",
    "the request's number from a frame above",
    "a hard link to a secret",
    "signalling, slowing and limiting the judge",
    "hidden inputs by file",
    "writing everywhere",
    "every family of sockets",
    "a process that leaves its session",
)
