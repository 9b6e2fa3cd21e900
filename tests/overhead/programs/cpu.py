"""Two threads that only compute: "round N" is N turns of a loop in each; says what one turn took."""
import threading
import time

import handshake


def work(turns):
    total = 0
    for i in range(turns):
        total += i * i % 7
    return total


def both(turns):
    """Seconds that both threads take together."""
    threads = [threading.Thread(target=work, args=(turns,)) for _ in range(2)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


handshake.ready()
both(1000)
line = handshake.wait_line()
while line:
    n = int(line.split()[1])
    handshake.say(unit_ns=1e9 * both(n) / (2 * n))
    line = handshake.wait_line()
