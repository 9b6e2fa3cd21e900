"""Robust mutexes whose owners die: EOWNERDEAD must reach the next one, exactly as glibc gives it.

Kinds normal, recursive and error-checking; the owner is a thread that ends with the lock, and every
other time a process that shares the memory.
"""
import ctypes
import mmap
import os
import threading
import warnings

import handshake

ROUNDS = 150
ROBUST, SHARED = 1, 1
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: a thread may still be ending at a fork
libc = ctypes.CDLL(None)
memory = mmap.mmap(-1, 4096)
mutex = ctypes.addressof(ctypes.c_char.from_buffer(memory))
address = ctypes.c_void_p(mutex)


def make(kind):
    attributes = ctypes.create_string_buffer(16)
    libc.pthread_mutexattr_init(attributes)
    libc.pthread_mutexattr_settype(attributes, kind)
    libc.pthread_mutexattr_setrobust(attributes, ROBUST)
    libc.pthread_mutexattr_setpshared(attributes, SHARED)
    assert libc.pthread_mutex_init(address, attributes) == 0


def owner_thread():
    thread = threading.Thread(target=lambda: libc.pthread_mutex_lock(address))
    thread.start()
    thread.join()


def owner_process():
    pid = os.fork()
    if pid == 0:
        libc.pthread_mutex_lock(address)
        os._exit(0)
    os.waitpid(pid, 0)


handshake.ready()
handshake.wait_line()
answers = {}
for n in range(ROUNDS):
    make(n % 3)
    (owner_process if n % 2 else owner_thread)()
    seen = [libc.pthread_mutex_lock(address), libc.pthread_mutex_consistent(address),
            libc.pthread_mutex_unlock(address), libc.pthread_mutex_trylock(address),
            libc.pthread_mutex_unlock(address), libc.pthread_mutex_destroy(address)]
    answers[str(seen)] = answers.get(str(seen), 0) + 1
handshake.say(answers=answers)
handshake.wait_line()
