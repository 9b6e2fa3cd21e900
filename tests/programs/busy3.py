"""CPU-bound threads, busy from "ready" to "stop": `busy3.py [THREADS]`. The GIL is never free for long."""
import sys
import threading

import handshake
import spin

if sys.version_info[0] == 2:
    # It gives the GIL away every 100 bytecodes whether anyone wants it or not; a tenth of the time
    # would go into that. Busy is what this program is about.
    sys.setcheckinterval(100000)

n_threads = int(sys.argv[1]) if len(sys.argv) > 1 else 3
spinners = [spin.Spinner() for _ in range(n_threads)]
threads = [threading.Thread(target=s.run, name="cpu-%d" % i) for i, s in enumerate(spinners)]
for thread in threads:
    thread.start()
handshake.ready(cpu_s=handshake.cpu_seconds())
line = handshake.wait_line()
while line == "cpu":
    handshake.say(cpu_s=handshake.cpu_seconds())
    line = handshake.wait_line()
for spinner in spinners:
    spinner.stop = True
for thread in threads:
    thread.join()
handshake.say(loops=[s.loops for s in spinners], cpu_s=handshake.cpu_seconds())
handshake.wait_line()
