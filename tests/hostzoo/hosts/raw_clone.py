"""Forks behind CPython's back: clone by its number through ctypes, so that no handler of anybody runs.

The child exits at once by the raw call, too; a thread beside makes the GIL change hands. No switch is
ever forced: a child that was asked for the GIL would wait for a thread that it does not have.
"""
import ctypes
import os
import signal
import threading

import handshake

CLONES = 300
SYS_CLONE, SYS_EXIT_GROUP = 56, 231
libc = ctypes.PyDLL(None)  # keeps the GIL: the child has no thread that could give it back
syscall = libc.syscall
stop = []


def write():
    while not stop:
        os.write(null, b"x")


null = os.open(os.devnull, os.O_WRONLY)
handshake.ready()
handshake.never_switch()
handshake.wait_line()
busy = threading.Thread(target=write)
busy.start()
right = 0
for n in range(CLONES):
    pid = syscall(SYS_CLONE, int(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        total = sum(range(n))
        syscall(SYS_EXIT_GROUP, n % 50 if total == n * (n - 1) // 2 else 99)
    status = os.waitpid(pid, 0)[1]
    right += os.WIFEXITED(status) and os.WEXITSTATUS(status) == n % 50
stop.append(1)
busy.join()
handshake.say(clones=CLONES, right=right)
handshake.wait_line()
