"""Becomes nobody for good, as a server does after its start, and goes on working; glibc tells every thread by a signal."""
import os
import threading
import time

import handshake
import spin

NOBODY = 65534
handshake.ready()
handshake.wait_line()
spinner = spin.Spinner()
threads = [threading.Thread(target=spinner.run), threading.Thread(target=time.sleep, args=(1.2,))]
for thread in threads:
    thread.start()
time.sleep(0.3)
os.setgroups([])
os.setgid(NOBODY)
os.setuid(NOBODY)
try:
    os.setuid(0)
    back = True
except OSError:
    back = False
tasks = []
for task in os.listdir("/proc/self/task"):
    try:
        with open("/proc/self/task/%s/status" % task) as status:
            tasks += [line.split()[1:] for line in status if line.startswith("Uid:")]
    except EnvironmentError:
        pass  # a thread that has ended since: the one that slept, on 2.7, where all this takes long
for _ in range(60):
    time.sleep(0.01)
spinner.stop = True
for thread in threads:
    thread.join()
handshake.say(back=back, uids=sorted(set(map(tuple, tasks))), ids=[os.getuid(), os.geteuid(), os.getgid()])
handshake.wait_line()
