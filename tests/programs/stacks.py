"""Threads with data stacks of known depths, suspended and ended generators, frames kept by tracebacks: 3.11 and later.

For each line on stdin it says its truth, read with ctypes and from /proc/self/smaps in the very function that then waits,
so that no Python function runs between the count and the wait.
"""
import ctypes
import gc
import os
import sys
import threading
import types

import handshake

# PyThreadState.datastack_chunk, by Include/cpython/pystate.h of each minor version.
CHUNK = {11: 296, 12: 232, 13: 232}[sys.version_info[1]]
# Depth of calls at which a thread waits, and a depth it has been at before.
DEPTHS = [(0, 0), (0, 100), (0, 2000), (50, 0), (700, 0), (700, 1500)]
MADV_DONTDUMP = 16

api = ctypes.pythonapi
api.PyThreadState_Get.restype = ctypes.c_void_p
libc = ctypes.CDLL(None)
states, rests = [], []


def dive(depth, then):
    return dive(depth - 1, then) if depth else then()


def rest():
    states.append(api.PyThreadState_Get())
    end, other = os.pipe()
    rests.append(other)
    os.read(end, 1)


def numbers(n):
    kept = "a word of its own"
    for i in range(n):
        yield i, kept


async def waiting(never):
    await never


class Never:
    def __await__(self):
        yield


def escape(depth):
    if depth:
        return escape(depth - 1)
    return sys._getframe()


def all_chunks():
    """Address and size of every chunk of every known thread state, each made a mapping of its own in smaps."""
    found = []
    for state in states:
        chunk = ctypes.c_uint64.from_address(state + CHUNK).value
        while chunk:
            size = ctypes.c_uint64.from_address(chunk + 8).value
            assert libc.madvise(ctypes.c_void_p(chunk), ctypes.c_size_t(size), MADV_DONTDUMP) == 0
            found.append((chunk, size))
            chunk = ctypes.c_uint64.from_address(chunk).value
    return found


def stand(chunks, held):
    while os.read(0, 4096):
        count = total = used = 0
        for state in states:
            newest = chunk = ctypes.c_uint64.from_address(state + CHUNK).value
            while chunk:
                count += 1
                total += ctypes.c_uint64.from_address(chunk + 8).value
                if chunk == newest:
                    used += ctypes.c_uint64.from_address(state + CHUNK + 8).value - newest
                else:
                    used += 24 + 8 * ctypes.c_uint64.from_address(chunk + 16).value
                chunk = ctypes.c_uint64.from_address(chunk).value
        smaps = os.open("/proc/self/smaps", os.O_RDONLY)
        text = b""
        while True:
            more = os.read(smaps, 1 << 20)
            text += more
            if not more:
                break
        os.close(smaps)
        resident = mapped = 0
        inside = False
        for line in text.split(b"\n"):
            words = line.split()
            if len(words) > 4 and b"-" in words[0]:
                start, end = words[0].split(b"-")
                start, end = int(start, 16), int(end, 16)
                inside = False
                for chunk, size in chunks:
                    if start <= chunk < end:
                        inside = True
                        mapped += size
            elif inside and words and words[0] == b"Rss:":
                resident += int(words[1]) * 1024
        assert mapped == total, (mapped, total)
        os.write(1, (held % (count, total, used, resident, os.getpid())).encode("ascii"))


def main():
    sys.setrecursionlimit(5000)
    for now, before in DEPTHS:
        thread = threading.Thread(target=lambda: (dive(before, int), dive(now, rest)), daemon=True)
        started = len(rests)
        thread.start()
        while len(rests) == started:
            pass
    states.append(api.PyThreadState_Get())
    suspended = [numbers(3) for _ in range(40)]
    for generator in suspended[:30]:
        next(generator)
    coroutines = [waiting(Never()) for _ in range(12)]
    for coroutine in coroutines:
        coroutine.send(None)
    ended = [numbers(0) for _ in range(9)]
    for generator in ended:
        assert next(generator, None) is None
    escaped = escape(20)
    gc.collect()
    kinds = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
    frame = type(escaped)
    own = frame.__basicsize__ - 72
    tallies = [[0, 0], [0, 0], [0, 0]]
    for found in gc.get_objects():
        if isinstance(found, kinds):
            fields = "ag_frame ag_running" if isinstance(found, kinds[2]) else "cr_frame cr_running" if isinstance(found, kinds[1]) else "gi_frame gi_running"
            frame_of, running = (getattr(found, field) for field in fields.split())
            tally = tallies[1 if frame_of is None else 0]
            assert not running
        elif isinstance(found, frame) and ctypes.c_uint64.from_address(id(found) + 24).value == id(found) + own:
            tally = tallies[2]
        else:
            continue
        tally[0] += 1
        tally[1] += sys.getsizeof(found)
    assert tallies[0][0] >= 52 and tallies[1][0] >= 9 and tallies[2][0] >= 20, tallies
    frame_of = found = tally = None
    handshake.ready()
    held = '{"chunks": %%d, "bytes": %%d, "used_bytes": %%d, "resident_bytes": %%d, "pid": %%d, "suspended": %s, "exhausted": %s, "escaped": %s}\n'
    stand(all_chunks(), held % tuple(tallies))


main()
