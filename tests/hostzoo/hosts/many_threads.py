"""Ten thousand threads with stacks of 64 KiB, all alive at once and blocked, then all let go.

`many_threads.py [N]`. The threads are started without threading's handshake, which would make N switches.
"""
import os
import sys
import threading
import time

import handshake

try:
    import _thread
except ImportError:  # 2.7
    import thread as _thread

N = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
gate, lock, all_done = threading.Lock(), threading.Lock(), threading.Lock()
done = [0, 0]


def wait(n):
    with gate:
        pass
    with lock:
        done[0] += 1
        done[1] += n
        if done[0] == N:
            all_done.release()


def n_tasks():
    return len(os.listdir("/proc/self/task")) - 1


handshake.ready()
handshake.wait_line()
gate.acquire()
all_done.acquire()
threading.stack_size(64 * 1024)
for n in range(N):
    _thread.start_new_thread(wait, (n,))
threading.stack_size(0)
handshake.say(alive=n_tasks())
handshake.wait_line()
gate.release()
all_done.acquire()
while n_tasks():
    time.sleep(0.01)
handshake.say(total=done[1])
handshake.wait_line()
