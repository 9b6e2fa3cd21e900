"""C that calls back into Python: libc's qsort with a Python comparison, from two threads."""
import ctypes
import random
import threading

import handshake

libc = ctypes.CDLL(None)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
compare = COMPARE(lambda a, b: (a[0] > b[0]) - (a[0] < b[0]))
results = [0, 0]


def sort(me):
    rng = random.Random(me)
    for _ in range(150):
        numbers = (ctypes.c_int * 500)(*[rng.randrange(10 ** 6) for _ in range(500)])
        libc.qsort(numbers, 500, ctypes.sizeof(ctypes.c_int), compare)
        results[me] += list(numbers) == sorted(numbers)


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=sort, args=(i,)) for i in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
handshake.say(sorted=results)
handshake.wait_line()
