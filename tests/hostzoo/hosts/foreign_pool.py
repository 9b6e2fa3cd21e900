"""Threads that Python does not know, in every way: a pool, threads that leave their state behind, forks from
inside a call, sub-interpreters, objects that come and go beside it, and one that finalisation ends.

The extensions `foreign` and `guests` stand in the folder of the variable FOREIGN.
"""
import ctypes
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings

import _ctypes
import handshake

sys.path.insert(0, os.environ["FOREIGN"])
import foreign  # noqa: E402
import guests  # noqa: E402

ROUNDS = 12
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: this host forks with threads on purpose
forked = []


def callback():
    return sum(range(3))


def deep(n=300):
    return deep(n - 1) if n else 0


def fork():
    """From a thread that Python does not know; the child comes in by threads of its own."""
    pid = os.fork()
    if pid == 0:
        deep()
        os._exit(foreign.run("fresh", 2, 20, callback)["fresh"])
    forked.append(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))


def come_and_go(stop, folder, loaded):
    """Objects with imports that gilscope leads to its hooks, loaded and unloaded; modules imported late."""
    late = ["_json", "_csv", "_random", "_bisect", "_heapq", "array", "cmath", "zlib", "_struct", "mmap"]
    while not stop:
        if late:
            __import__(late.pop())
        copy = os.path.join(folder, "copy-%d.so" % (loaded[0] % 7))
        library = ctypes.CDLL(copy)
        _ctypes.dlclose(library._handle)
        loaded[0] += 1
        time.sleep(0.002)


def main():
    folder = tempfile.mkdtemp(prefix="foreign-pool-")
    for n in range(7):
        shutil.copy(foreign.__file__, os.path.join(folder, "copy-%d.so" % n))
    stop, loaded = [], [0]
    beside = threading.Thread(target=come_and_go, args=(stop, folder, loaded))
    beside.start()
    totals = {}
    for _ in range(ROUNDS):
        for how in ("fresh", "kept", "nested", "made", "once"):
            counted = foreign.run(how, 3, 300, callback)
            for name in ("fresh", "kept", "nested", "made", "threads"):
                totals[name] = totals.get(name, 0) + counted[name]
        foreign.run("fresh", 2, 20, deep)
        guests.left(3)
    stop.append(True)
    beside.join()
    guests.within(6, fork)
    totals.update(left=3 * ROUNDS, subs=guests.subs(6), forked=forked, unloaded=loaded[0] > 5)
    shutil.rmtree(folder)
    return totals


handshake.ready()
handshake.wait_line()
handshake.say(**main())
handshake.wait_line()
if sys.version_info >= (3, 9):  # older ones free what such a thread still uses
    guests.linger(lambda: time.sleep(0.001))
    time.sleep(0.02)
