"""The convoy: one CPU-bound thread and two that do short I/O, from "go" to "stop".

Each I/O thread writes a byte to a pipe of its own and reads it back: two GIL cycles a round, and
after each it has to win the GIL back from the CPU thread.
"""
import os
import threading

import handshake
import spin

N_IO = 2
rounds = [0] * N_IO
spinner = spin.Spinner()


def io(me):
    r, w = os.pipe()
    while not spinner.stop:
        os.write(w, b"x")
        os.read(r, 1)
        rounds[me] += 1
    os.close(r)
    os.close(w)


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=io, args=(i,), name="io-%d" % i) for i in range(N_IO)]
threads.append(threading.Thread(target=spinner.run, name="cpu-0"))
for thread in threads:
    thread.start()
handshake.wait_line()
spinner.stop = True
for thread in threads:
    thread.join()
handshake.say(rounds=rounds, loops=spinner.loops)
handshake.wait_line()
