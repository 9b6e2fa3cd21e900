# Threads that stand still at known depths of Python calls, and the truth about their data stacks, read by ctypes.
# Runs on CPython 3.11 and later. Ends when its standard input does.
#
#   symbol NAME ADDRESS
#   thread TSTATE CHUNKS BYTES USED_BYTES
#   ready
import ctypes
import sys
import threading

api = ctypes.pythonapi
api.PyThreadState_Get.restype = ctypes.c_void_p
DEPTHS = [0, 1, 50, 119, 400, 3000]
# PyThreadState.datastack_chunk, by Include/cpython/pystate.h of each minor version.
CHUNK = {11: 296, 12: 232, 13: 232}[sys.version_info[1]]
gate = threading.Lock()
gate.acquire()
states = []


def word(address):
    return ctypes.c_uint64.from_address(address).value


def stand():
    states.append(api.PyThreadState_Get())
    gate.acquire()
    gate.release()


def descend(depth):
    if depth == 0:
        stand()
    else:
        descend(depth - 1)


def large():
    # A frame of 40,000 words asks for a chunk of its own size.
    source = "def wide(stand):\n    if stand: return stand()\n    x = (%s)\n" % ", ".join(["stand"] * 40000)
    scope = {}
    exec(source, scope)
    scope["wide"](stand)


def truth(tstate):
    newest, top, limit = (word(tstate + CHUNK + 8 * i) for i in range(3))
    count = total = used = 0
    chunk = newest
    while chunk:
        size = word(chunk + 8)
        count += 1
        total += size
        used += top - newest if chunk == newest else 24 + 8 * word(chunk + 16)
        chunk = word(chunk)
    if newest:
        assert newest + word(newest + 8) == limit
    print("thread %d %d %d %d" % (tstate, count, total, used))


def main():
    sys.setrecursionlimit(10000)
    for number, depth in enumerate(DEPTHS + [None]):
        threading.Thread(target=descend if depth is not None else large, args=() if depth is None else (depth,), daemon=True).start()
        while len(states) <= number:
            pass
    for name in ("PyCode_Type", "_PyRuntime", "Py_Version"):
        print("symbol %s %d" % (name, ctypes.addressof(ctypes.c_char.in_dll(api, name))))
    print("symbol PyInterpreterState_Head %d" % ctypes.cast(api.PyInterpreterState_Head, ctypes.c_void_p).value)
    for tstate in states:
        truth(tstate)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


main()
