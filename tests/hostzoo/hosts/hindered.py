"""Lives under a rule that may be in an injector's way: `hindered.py RULE`, then works a little and ends.

Rules: mdwe, nofile, address_space, file_size, processes, seccomp_CALL (the filter kills the whole process
for that call), none.
"""
import ctypes
import os
import resource
import struct
import sys
import threading

import handshake

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 38, 22, 65
CALLS = {"memfd_create": 319, "mprotect": 10, "clock_gettime": 228, "getppid": 110}
NOBODY = 65534
libc = ctypes.CDLL(None, use_errno=True)


def prctl(*arguments):
    assert libc.prctl(*[ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]) == 0, ctypes.get_errno()


def forbid(number):
    """A filter of four instructions: load the number, compare, kill, allow (linux/filter.h)."""
    code = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 0x06, 0, 0, 0x80000000, 0x06, 0, 0, 0x7fff0000)
    room = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(room)), 16)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_SECCOMP, 2, program, 0, 0)


def obey(rule):
    if rule == "mdwe":
        prctl(PR_SET_MDWE, 1, 0, 0, 0)
    elif rule == "nofile":
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        try:
            while True:
                os.dup(0)
        except OSError:
            pass
    elif rule == "address_space":
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 20), used + (1 << 20)))
    elif rule == "file_size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    elif rule == "processes":
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    elif rule.startswith("seccomp_"):
        forbid(CALLS[rule[len("seccomp_"):]])


null = os.open(os.devnull, os.O_WRONLY)
thread = threading.Thread(target=os.write, args=(null, b"x"))
thread.start()
thread.join()
handshake.ready()
obey(sys.argv[1])
handshake.say(obeys=sys.argv[1])
handshake.wait_line()
written = sum(os.write(null, b"x") for _ in range(20000))
handshake.say(written=written)
handshake.wait_line()
