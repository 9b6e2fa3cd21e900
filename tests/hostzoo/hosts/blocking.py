"""Blocks in one system call over and over and counts how it ended: `blocking.py CALL`.

The call is made through ctypes, so that no Python hides an EINTR. Half of the waits end by what is
waited for, which a child sends, half by their time-out (all by the child where the call has none).
"""
import ctypes
import errno
import fcntl
import os
import socket
import sys
import tempfile
import time

import handshake

ROUNDS = 40
TIMEOUT_S = 0.05
libc = ctypes.CDLL(None, use_errno=True)
LONG2 = ctypes.c_long * 2
SYS = {"io_setup": 206, "io_getevents": 208, "semtimedop": 220, "rt_sigtimedwait": 128}
SIGNAL = 35


def timespec(seconds):
    return LONG2(int(seconds), int(seconds % 1 * 1e9))


def result(value):
    return value if value >= 0 else -ctypes.get_errno()


def receiving():
    """A socket whose reads time out, and how the child sends to it."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(bytearray(LONG2(0, int(TIMEOUT_S * 1e6)))))
    return ours, lambda: theirs.send(b"x")


def make_recv():
    ours, send = receiving()
    room = ctypes.create_string_buffer(8)
    return lambda: result(libc.recv(ours.fileno(), room, 1, 0)), send, -errno.EAGAIN, ours


def make_read():
    ours, send = receiving()
    room = ctypes.create_string_buffer(8)
    return lambda: result(libc.read(ours.fileno(), room, 1)), send, -errno.EAGAIN, ours


def make_accept():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(bytearray(LONG2(0, int(TIMEOUT_S * 1e6)))))

    def accept():
        fd = result(libc.accept(server.fileno(), None, None))
        if fd >= 0:
            os.close(fd)
        return min(fd, 1)
    return accept, lambda: socket.create_connection(server.getsockname()).close(), -errno.EAGAIN, server


def pipe():
    r, w = os.pipe()
    return r, lambda: os.write(w, b"x")


def make_epoll():
    r, send = pipe()
    queue = libc.epoll_create1(0)
    event = ctypes.create_string_buffer(b"\x01" + b"\0" * 11, 12)
    assert libc.epoll_ctl(queue, 1, r, event) == 0

    def wait():
        n = result(libc.epoll_wait(queue, ctypes.create_string_buffer(12), 1, int(TIMEOUT_S * 1000)))
        return n if n < 1 else len(os.read(r, 1))
    return wait, send, 0, r


def make_poll():
    r, send = pipe()

    def wait():
        n = result(libc.poll((ctypes.c_int * 2)(r, 1), 1, int(TIMEOUT_S * 1000)))
        return n if n < 1 else len(os.read(r, 1))
    return wait, send, 0, r


def make_select():
    r, send = pipe()

    def wait():
        bits = (ctypes.c_ulong * 16)()
        bits[r // 64] = 1 << r % 64
        n = result(libc.select(r + 1, bits, None, None, LONG2(0, int(TIMEOUT_S * 1e6))))
        return n if n < 1 else len(os.read(r, 1))
    return wait, send, 0, r


def make_nanosleep():
    return lambda: result(libc.nanosleep(timespec(TIMEOUT_S), LONG2())), None, 0, None


def make_sem():
    shared = tempfile.TemporaryFile()
    shared.truncate(4096)
    libc.mmap.restype = ctypes.c_void_p
    place = ctypes.c_void_p(libc.mmap(None, 4096, 3, 1, shared.fileno(), ctypes.c_long(0)))
    assert libc.sem_init(place, 1, 0) == 0

    def wait():
        value = result(libc.sem_timedwait(place, timespec(time.time() + TIMEOUT_S)))
        return 1 if value == 0 else value
    return wait, lambda: libc.sem_post(place), -errno.ETIMEDOUT, shared


def make_sigtimedwait():
    one = ctypes.create_string_buffer(128)
    libc.sigemptyset(one)
    libc.sigaddset(one, SIGNAL)
    libc.pthread_sigmask(0, one, None)
    parent = os.getpid()

    def wait():
        number = result(libc.sigtimedwait(one, None, timespec(TIMEOUT_S)))
        return 1 if number == SIGNAL else number
    return wait, lambda: os.kill(parent, SIGNAL), -errno.EAGAIN, one


def make_flock():
    path = tempfile.mktemp()
    ours = open(path, "w")

    def wait():
        value = result(libc.flock(ours.fileno(), fcntl.LOCK_EX))
        libc.flock(ours.fileno(), fcntl.LOCK_UN)
        return 1 if value == 0 else value

    def hold_for_a_while():
        theirs = open(path, "w")
        fcntl.flock(theirs, fcntl.LOCK_EX)
        time.sleep(TIMEOUT_S)
        theirs.close()
    return wait, hold_for_a_while, None, ours


def make_msgrcv():
    queue = libc.msgget(0, 0o1600)
    libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]
    message = ctypes.create_string_buffer(ctypes.string_at(LONG2(1, 0), 16))

    def end():
        libc.msgctl(queue, 0, None)
    return (lambda: result(libc.msgrcv(queue, ctypes.create_string_buffer(32), 1, 0, 0)),
            lambda: libc.msgsnd(queue, message, 1, 0), None, end)


def make_semtimedop():
    semaphore = libc.semget(0, 1, 0o1600)
    take, give = (ctypes.c_short * 3)(0, -1, 0), (ctypes.c_short * 3)(0, 1, 0)

    def wait():
        value = result(libc.semtimedop(semaphore, take, 1, timespec(TIMEOUT_S)))
        return 1 if value == 0 else value

    def end():
        libc.semctl(semaphore, 0, 0)
    return wait, lambda: libc.semop(semaphore, give, 1), -errno.EAGAIN, end


def make_io_getevents():
    context = ctypes.c_ulong(0)
    assert libc.syscall(SYS["io_setup"], 4, ctypes.byref(context)) == 0
    room = ctypes.create_string_buffer(64)
    return (lambda: result(libc.syscall(SYS["io_getevents"], context, ctypes.c_long(1), ctypes.c_long(1),
                                        room, timespec(TIMEOUT_S))), None, 0, context)


wait, send, timed_out, keep = globals()["make_" + sys.argv[1]]()
handshake.ready()
handshake.wait_line()
child = os.fork() if send else 0
if send and child == 0:
    for _ in range(ROUNDS // 2 if timed_out is not None else ROUNDS):
        # Without a time-out every wait is for the child; with one it comes after the second wait began.
        time.sleep(TIMEOUT_S * (2.5 if timed_out is not None else 0.5))
        send()
    os._exit(0)
came = late = 0
odd = []
wanted = (ROUNDS // 2 if timed_out is not None else ROUNDS) if send else 0
while came < wanted or (not send and late < ROUNDS):
    seen = wait()
    if send and seen == 1:
        came += 1
    elif seen == timed_out:
        late += 1
    else:
        odd.append(seen)
status = os.waitpid(child, 0)[1] if child else 0
if callable(keep):
    keep()
handshake.say(came=came, timed_out=late > 0, odd=odd, status=status)
handshake.wait_line()
