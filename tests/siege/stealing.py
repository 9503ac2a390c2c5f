"""Submissions that read, write, reach or leave behind what they may not."""

from tests.siege.forms import DIED, OK, Hostile, answer, cell

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
    cell("what answers the notebook, by import", "import @ANSWER@\nprint('@WON@')", OK),
    cell(
        "what answers the notebook, by every road of an import",
        "import importlib, importlib.util, pkgutil, sys\nname = '@ANSWER@'\nimport imitation_lab as lab\n"
        "roads = (importlib.import_module, importlib.util.find_spec, pkgutil.resolve_name,\n"
        "         lambda n: importlib.reload(lab) and importlib.import_module(n),\n"
        "         lambda n: dict((m.name, m) for m in pkgutil.walk_packages(lab.__path__, 'imitation_lab.'))[n],\n"
        "         lambda n: importlib.import_module('.' + n.partition('.')[2], 'imitation_lab'), sys.modules.__getitem__)\n"
        "sys.path[:0] = ['@PROJECT@', '@LIBRARY@']\n"
        "for again in (False, True):\n"
        "    for road in roads:\n        try:\n            if road(name): print('@WON@')\n"
        "        except Exception: pass\n"
        "    for m in [m for m in sys.modules if m.startswith('imitation_lab')]: del sys.modules[m]",
        OK,
    ),
    cell(
        "what answers the notebook, in memory",
        "import gc\ngc.unfreeze()\nmark = '@MARK@'.replace('_', ' ')\nname = '@ANSWER@'\nseen = 0\n"
        "for o in gc.get_objects():\n    seen += 1\n"
        "    if getattr(type(o), '__name__', '') == 'module' and o.__name__ == name: print('@WON@')\n"
        "    if type(o).__name__ == 'function' and o.__module__ == name: print('@WON@')\n"
        "    if type(o) is dict:\n"
        "        for v in list(o.values()):\n"
        "            if type(v) is str and mark in v and v != mark: print('@WON@')\n"
        "if seen < 10**4: print('@WON@')",
        OK,
    ),
    cell(
        "what answers the notebook, in every file that can be read",
        "import os, sys, sysconfig\nname = '@ANSWER@'.partition('.')[2]\nmark = '@MARK@'.replace('_', ' ').encode()\n"
        "places = {'@PROJECT@', '@LIBRARY@', '/library', '/tmp', os.getcwd(), *filter(None, sys.path)}\n"
        "places |= set(sysconfig.get_paths().values())\nread = 0\n"
        "for place in places:\n    for folder, folders, files in os.walk(place):\n"
        "        there = 'site-packages' in folder\n"
        "        folders[:] = [f for f in folders if not there or 'imitation' in folder + f]\n"
        "        for f in files:\n"
        "            packed = f.endswith(('.zip', '.whl', '.pth'))\n"
        "            if f.partition('.')[0] != name and not packed: continue\n"
        "            try: text = open(os.path.join(folder, f), 'rb').read(10**6)\n            except OSError: continue\n"
        "            read += 1\n"
        "            if mark in text or packed and b'imitation_lab/' in text: print('@WON@')\n"
        "if not read: print('@WON@')",  # the figures' module has the same name, and may be read
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
