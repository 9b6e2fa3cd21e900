"""Threads that Python does not know come into it, by the extension `foreign.c` in the folder of argument 1.

Each line `HOW THREADS CYCLES CODE` runs the extension once; CODE is `code` for a callback that runs
Python code and `none` for none. Says what the extension counted. With argument 2 `late` the extension
is imported at the first line, not before.
"""
import sys

import handshake


def callback():
    return sum(range(3))


def load():
    sys.path.insert(0, sys.argv[1])
    import foreign

    return foreign


module = None if sys.argv[2:] == ["late"] else load()
handshake.ready()
while True:
    words = handshake.wait_line().split()
    if not words:
        break
    module = module or load()
    how, n_threads, n_cycles, code = words
    handshake.say(**module.run(how, int(n_threads), int(n_cycles), callback if code == "code" else None))
