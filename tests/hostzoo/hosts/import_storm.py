"""Imports modules over and over, the ones with C parts among them (dlopen), from two threads."""
import importlib
import sys
import threading

import handshake

# No name of one thread is imported by a module of the other.
NAMES = [["decimal", "sqlite3", "bz2", "zlib"], ["csv", "difflib", "calendar", "audioop", "termios"]]
ROUNDS = 100
seen = [0, 0]


def storm(me):
    for n in range(ROUNDS):
        for name in NAMES[me]:
            sys.modules.pop(name, None)
            try:
                module = importlib.import_module(name)
            except ImportError:  # not built into this interpreter
                continue
            seen[me] += module.__name__ == name


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=storm, args=(i,)) for i in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
handshake.say(seen=seen)
handshake.wait_line()
