"""A convoy to try remedies on: one CPU thread, and one I/O thread that is away for half a millisecond a round.

Works from the start. For each line on stdin it says how far it has come: rounds of the I/O thread, loops of
the CPU thread, the time, and the interpreter's switch interval.
"""
import sys
import threading
import time

import handshake
import spin

rounds = [0]
spinner = spin.Spinner()
clock = getattr(time, "perf_counter", time.time)


def io():
    """Away long enough for the CPU thread to take the GIL in any case, then back for a moment."""
    while not spinner.stop:
        time.sleep(0.0005)
        rounds[0] += 1


def main():
    threads = [threading.Thread(target=io, name="io-0"), threading.Thread(target=spinner.run, name="cpu-0")]
    for thread in threads:
        thread.start()
    handshake.ready()
    while handshake.wait_line():
        interval = sys.getswitchinterval() if hasattr(sys, "getswitchinterval") else None
        handshake.say(rounds=rounds[0], loops=spinner.loops, at_s=clock(), interval_s=interval)
    spinner.stop = True
    for thread in threads:
        thread.join()


main()
