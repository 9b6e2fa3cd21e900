"""One thread holds the GIL in a known function and line while others want it: `blame.py KIND [requests]`.

KIND is how the time is spent: `python` (bytecode), `operator` (one long `in`), `call` (one long
sort), `native` (libc sorts, and keeps the GIL, by `ctypes.PyDLL`), `blocked` (libc sleeps, and keeps
the GIL). From "go" to "stop". With `requests` each time is in a thread of its own.
"""
import ctypes
import sys
import threading
import time

import handshake

kind = sys.argv[1] if len(sys.argv) > 1 else "operator"
state = {"stop": False, "holds": 0, "wakes": 0}
numbers = list(range(4000000))
shuffled = [(i * 7919) % 400009 for i in range(400009)]
keeps_gil = ctypes.PyDLL(None)
usleep, qsort = keeps_gil.usleep, keeps_gil.qsort  # looked up once: that is Python code, too
compare = ctypes.cast(keeps_gil.strcmp, ctypes.c_void_p)
text = (" ".join("%07d" % (n * 7919 % 1000003) for n in range(200000)) + " ").encode("ascii").replace(b" ", b"\0")


def hold_python():
    x = 0
    for i in range(2000000): x = (x * 31 + i) & 0xFFFF  # blamed: python


def hold_operator():
    return -1 in numbers  # blamed: operator


def hold_call():
    return sorted(shuffled)  # blamed: call


def hold_native():
    words = ctypes.create_string_buffer(text, len(text))
    qsort(words, 200000, 8, compare)  # blamed: native


def hold_blocked():
    usleep(100000)  # blamed: blocked


HOLDS = {"python": hold_python, "operator": hold_operator, "call": hold_call, "native": hold_native,
         "blocked": hold_blocked}


def request():
    thread = threading.Thread(target=HOLDS[kind], name="request-%d" % state["holds"])
    thread.start()
    thread.join()


def holder():
    hold = request if sys.argv[2:] == ["requests"] else HOLDS[kind]
    while not state["stop"]:
        hold()
        state["holds"] += 1
        time.sleep(0.005)


def waiter():
    while not state["stop"]:
        time.sleep(0.001)
        state["wakes"] += 1


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=waiter, name="waiter-%d" % i) for i in range(2)]
threads.append(threading.Thread(target=holder, name="holder"))
for thread in threads:
    thread.start()
handshake.wait_line()
state["stop"] = True
for thread in threads:
    thread.join()
handshake.say(function=HOLDS[kind].__name__, file=handshake.program_file(__file__),
              line=handshake.line_of(__file__, "blamed: " + kind), holds=state["holds"], wakes=state["wakes"])
handshake.wait_line()
