"""Never had a thread when it says "ready": on 2.7 and 3.6 there is no GIL yet. After "go" there is.

`late_gil.py [THREADS]`: from "go" to "stop" CPU-bound threads want it.
"""
import sys
import threading

import handshake
import spin

n_threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
handshake.signal.alarm(handshake.LIMIT_S)
handshake.say(ready=True, pid=handshake.os.getpid())
handshake.wait_line()
spinners = [spin.Spinner() for _ in range(n_threads)]
threads = [threading.Thread(target=s.run, name="cpu-%d" % i) for i, s in enumerate(spinners)]
for thread in threads:
    thread.start()
handshake.wait_line()
for spinner in spinners:
    spinner.stop = True
for thread in threads:
    thread.join()
handshake.say(loops=[s.loops for s in spinners])
handshake.wait_line()
