"""Many short-lived threads, each with a few ms of CPU: `churn.py [THREADS]`, done after "go".

None lives as long as a sampling period: their CPU must turn up all the same.
"""
import sys
import threading

import handshake
import spin

n_threads = int(sys.argv[1]) if len(sys.argv) > 1 else 200
done = []


def short():
    done.append(spin.burn(40000))


handshake.ready(cpu_s=handshake.cpu_seconds())
handshake.wait_line()
began_s = handshake.cpu_seconds()
for _ in range(n_threads // 2):
    pair = [threading.Thread(target=short) for _ in range(2)]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
handshake.say(threads=len(done), work_cpu_s=handshake.cpu_seconds() - began_s, cpu_s=handshake.cpu_seconds())
handshake.wait_line()
