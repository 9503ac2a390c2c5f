"""Submissions that lie: about results, to the tests, or on the wire."""

from tests.siege.forms import DIED, OK, TIMEOUT, Hostile, answer, cell

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
