"""Forks all the time, with a busy thread beside: each child works in a thread of its own and exits.

The parent counts the exit codes. A child that inherited anything of ours would show it here.
"""
import os
import threading
import warnings

import handshake
import spin

FORKS = 120
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: this host forks with threads on purpose


def child(n):
    done = []
    thread = threading.Thread(target=lambda: done.append(spin.burn(2000)))
    thread.start()
    thread.join()
    os.write(null, b"child")
    os._exit(n % 50 if done == [2000] else 99)


null = os.open(os.devnull, os.O_WRONLY)
handshake.ready()
handshake.wait_line()
spinner = spin.Spinner()
busy = threading.Thread(target=spinner.run)
busy.start()
right = 0
for n in range(FORKS):
    pid = os.fork()
    if pid == 0:
        child(n)
    status = os.waitpid(pid, 0)[1]
    right += os.WIFEXITED(status) and os.WEXITSTATUS(status) == n % 50
spinner.stop = True
busy.join()
handshake.say(forks=FORKS, right=right)
handshake.wait_line()
