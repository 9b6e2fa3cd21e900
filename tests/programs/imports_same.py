"""What a program can see of its own imports: printed, to be compared with a run without gilscope.
Works on 2.7 and 3.x; prints nothing that differs from run to run."""
from __future__ import print_function

import gc
import os
import sys
import threading
import traceback
import warnings

folder = sys.argv[1]


def module(name, source):
    with open(os.path.join(folder, name + ".py"), "w") as file:
        file.write(source)


module("same_error", "def f():\n    raise ValueError('deep')\nf()\n")
module("same_outer", "import same_error\n")
module("same_missing", "import same_not_there\n")
module("same_syntax", "def f(:\n")
module("same_depth", "import sys\ndepth = 0\nframe = sys._getframe()\n"
       "while frame:\n    depth += 1\n    frame = frame.f_back\nframe = None\n")
module("same_warns", "import warnings\nwarnings.warn('look at who imports', stacklevel=2)\n")
module("same_recursion", "def f(n): return f(n + 1)\ntry:\n    f(0)\nexcept RuntimeError as e:\n    kind = type(e).__name__\n")
module("same_fork", "import os, sys\nchild = os.fork()\n"
       "if child == 0:\n    import same_child\n    os._exit(same_child.answer)\n"
       "status = os.waitpid(child, 0)[1] >> 8\n")
module("same_child", "answer = 42\n")
module("same_exit", "import sys\nsys.exit('out of an import')\n")
module("same_threads", "import threading\ndone = []\n"
       "def work():\n    import same_in_thread\n    done.append(same_in_thread.answer)\n"
       "threads = [threading.Thread(target=work) for _ in range(4)]\n"
       "[t.start() for t in threads]\n")
module("same_in_thread", "import time\ntime.sleep(0.05)\nanswer = 7\n")
module("same_forever", "import time\nstarted.set()\nwhile True:\n    time.sleep(0.001)\n")
sys.path.insert(0, folder)


def failing(name):
    try:
        __import__(name)
    except BaseException:
        kind, value, tb = sys.exc_info()
        # Names of files and the lines below the import, as a user sees them.
        print(name, kind.__name__, value)
        print([(os.path.basename(f[0]), f[1], f[2]) for f in traceback.extract_tb(tb)])
        if hasattr(value, "name"):
            print(value.name)


for name in ["same_error", "same_outer", "same_missing", "same_syntax", "same_exit"]:
    failing(name)
    failing(name)
import same_depth
print("depth", same_depth.depth)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import same_warns
print([(os.path.basename(w.filename), w.lineno) for w in caught if "who imports" in str(w.message)])
import same_recursion
print(same_recursion.kind)
import same_fork
print("child", same_fork.status)
import same_threads
[t.join() for t in same_threads.threads]
print("threads", same_threads.done)
if sys.version_info[0] == 3:
    import importlib
    print(importlib.import_module("same_child") is sys.modules["same_child"], importlib.reload(same_depth).depth)
    print(importlib.import_module("json.tool").__name__)
    try:
        importlib.import_module(".x", "nowhere")
    except ImportError as e:
        print(e.name)
    try:
        importlib._bootstrap._find_and_load(1)
    except TypeError as e:
        print(type(e).__name__)
try:
    __import__("")
except ValueError as e:
    print(e)
if hasattr(sys, "gettotalrefcount"):
    print(sys.gettotalrefcount())
print(len(gc.garbage))


def left_in_import():
    import same_forever


# Python 2 may or may not tell of a thread that is still there.
if sys.version_info[0] == 2:
    sys.exit(3)
# At exit one thread is inside an import, in a place where the interpreter ends it.
started = threading.Event()
import builtins
builtins.started = started
thread = threading.Thread(target=left_in_import)
thread.daemon = True
thread.start()
started.wait()
print("over")
sys.stdout.flush()
sys.exit(3)
