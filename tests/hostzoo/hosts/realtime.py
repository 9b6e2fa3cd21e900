"""Real-time signals with numbers in them, queued by a child with sigqueue and taken with sigwait and handlers.

Each number must come exactly once and in order (the kernel queues them); ctypes calls sigtimedwait, so
2.7 can be asked as well. Every number is blocked but in the waiting thread.
"""
import ctypes
import os
import signal
import time

import handshake

SIGNALS = 1500
NUMBER = 35  # SIGRTMIN + 1
libc = ctypes.CDLL(None, use_errno=True)


class Info(ctypes.Structure):
    """The head of siginfo_t for a queued signal (sigaction(2))."""

    _fields_ = [("signo", ctypes.c_int), ("errno", ctypes.c_int), ("code", ctypes.c_int),
                ("pad", ctypes.c_int), ("pid", ctypes.c_int), ("uid", ctypes.c_uint),
                ("value", ctypes.c_int), ("rest", ctypes.c_char * 100)]


def send(pid):
    for n in range(SIGNALS):
        libc.sigqueue(pid, NUMBER, ctypes.c_void_p(n))
        if n % 10 == 9:
            time.sleep(0.005)
    os._exit(0)


one = ctypes.create_string_buffer(128)
libc.sigemptyset(one)
libc.sigaddset(one, NUMBER)
libc.pthread_sigmask(signal.SIG_BLOCK if hasattr(signal, "SIG_BLOCK") else 0, one, None)
handshake.ready()
handshake.wait_line()
child = os.fork()
if child == 0:
    send(os.getppid())
limit = (ctypes.c_long * 2)(10, 0)
info = Info()
numbers, interrupted = [], 0
while len(numbers) < SIGNALS:
    got = libc.sigtimedwait(one, ctypes.byref(info), limit)
    if got != NUMBER:
        interrupted = ctypes.get_errno()
        break
    numbers.append(info.value)
status = os.waitpid(child, 0)[1]
none = (ctypes.c_long * 2)(0, 0)
more = libc.sigtimedwait(one, ctypes.byref(info), none)
handshake.say(in_order=numbers == list(range(SIGNALS)), n=len(numbers), error=interrupted, more=more, status=status)
handshake.wait_line()
