"""A pool of forked processes that compute, and a parent that waits for them: `fork_pool.py [TASKS]`."""
import multiprocessing
import sys

import handshake


def square(n):
    return sum(i * n for i in range(2000))


if __name__ == "__main__":
    n_tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    if hasattr(multiprocessing, "set_start_method"):
        multiprocessing.set_start_method("fork")
    handshake.ready()
    handshake.wait_line()
    pool = multiprocessing.Pool(3)
    total = sum(pool.map(square, range(n_tasks)))
    pool.close()
    pool.join()
    handshake.say(total=total, tasks=n_tasks)
    handshake.wait_line()
