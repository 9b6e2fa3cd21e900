"""One test of `gilscope bench`: says "ready", waits for a line, works, prints its figures as JSON, waits for the end.

Runs under 2.7 and 3.6 to 3.13 with nothing but the standard library. Counts are read by the thread that made
them to be read, never shared under a lock, so that the test measures only what it is about.
"""
import ctypes
import json
import os
import socket
import sys
import tempfile
import threading
import time

clock = getattr(time, "perf_counter", time.time)
WARM_UP_S = 0.2
POOL = 10


class Count(object):
    """Rounds of one thread."""

    def __init__(self):
        self.n = 0


def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


def burn(count):
    """The post's CPU thread: increments a variable."""
    n = 0
    while True:
        for _ in range(1000):
            n += 1
        count.n += 1


def cpu_threads(n):
    counts = [Count() for _ in range(n)]
    for count in counts:
        start(burn, count)
    return counts


def lock_pair(count):
    """A producer and a consumer that wait for each other with two locks."""
    full, empty = threading.Lock(), threading.Lock()
    full.acquire()

    def produce():
        while True:
            empty.acquire()
            full.release()

    def consume():
        while True:
            full.acquire()
            count.n += 1
            empty.release()

    start(produce)
    start(consume)


def condition_pair(count):
    """The same with one Condition."""
    condition = threading.Condition()
    box = []

    def produce():
        while True:
            with condition:
                while box:
                    condition.wait()
                box.append(1)
                condition.notify()

    def consume():
        while True:
            with condition:
                while not box:
                    condition.wait()
                box.pop()
                count.n += 1
                condition.notify()

    start(produce)
    start(consume)


def answer(request):
    """Some Python work for a request, as a small application has it."""
    head = request.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
    rows = ["%d %s" % (i, fields.get("Host", "")) for i in range(60)]
    body = "\n".join(rows).encode("latin-1")
    return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)).encode("latin-1") + body


def serve(listener, count):
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            request = connection.recv(4096)
            while request:
                count.n += 1
                connection.sendall(answer(request))
                request = connection.recv(4096)
        except socket.error:
            pass  # the load has ended
        connection.close()


def web_server():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    counts = [Count() for _ in range(POOL)]
    for count in counts:
        start(serve, listener, count)
    return listener.getsockname()[1], counts


FOREIGN = r"""
#include <pthread.h>
extern int PyGILState_Ensure(void);
extern void PyGILState_Release(int);
extern void *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(void *);
static volatile int stop;
static volatile long calls;
static void *run(void *kept)
{
    int outer = 0;
    void *state = 0;
    if (kept) {
        outer = PyGILState_Ensure();
        state = PyEval_SaveThread();
    }
    while (!stop) {
        PyGILState_Release(PyGILState_Ensure());
        calls++;
    }
    if (kept) {
        PyEval_RestoreThread(state);
        PyGILState_Release(outer);
    }
    return 0;
}
static pthread_t thread;
int begin(int kept) { stop = 0; return pthread_create(&thread, 0, run, kept ? &thread : 0); }
long so_far(void) { return calls; }
void end(void) { stop = 1; pthread_join(thread, 0); }
"""


def foreign_library():
    """The C thread that calls in; says why there is none if it cannot be compiled."""
    folder = tempfile.mkdtemp(prefix="gilscope-bench-")
    source, library = os.path.join(folder, "foreign.c"), os.path.join(folder, "foreign.so")
    with open(source, "w") as out:
        out.write(FOREIGN)
    failed = os.system("cc -O2 -shared -fPIC -pthread -o %s %s 2>/dev/null" % (library, source))
    loaded = None if failed else ctypes.CDLL(library)
    for path in (source, library):
        if os.path.exists(path):
            os.unlink(path)
    os.rmdir(folder)
    return loaded


def measure(read, seconds):
    """Rounds a second over `seconds`, after a warm-up."""
    time.sleep(WARM_UP_S)
    before, began = read(), clock()
    time.sleep(seconds)
    after, ended = read(), clock()
    return [(late - early) / (ended - began) for early, late in zip(before, after)]


def say(facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def wait_for_line():
    return sys.stdin.readline()


def main():
    test, seconds = sys.argv[1], float(sys.argv[2])
    kind, _, with_cpu = test.partition("+")
    start(time.sleep, 1e6)  # 2.7 and 3.6 have no GIL before their first thread
    library = foreign_library() if kind.startswith("foreign") else None
    if kind.startswith("foreign") and library is None:
        return say({"skipped": "no C compiler (cc) to build the foreign thread with"})
    port = None
    main_count = Count()
    if kind.startswith("http"):
        port, served = web_server()
    say({"ready": True, "port": port})
    wait_for_line()
    busy = cpu_threads({"cpu1": 1, "cpu2": 2}.get(kind, 1 if with_cpu else 0))
    if kind == "lock":
        lock_pair(main_count)
    elif kind == "condition":
        condition_pair(main_count)
    elif library is not None:
        library.begin(kind == "foreign-kept")

    def read():
        if kind.startswith("cpu"):
            rounds = sum(count.n for count in busy)
        elif port is not None:
            rounds = sum(count.n for count in served)
        elif library is not None:
            rounds = library.so_far()
        else:
            rounds = main_count.n
        return [rounds, sum(count.n for count in busy)]

    rate, cpu_rate = measure(read, seconds)
    if library is not None:
        library.end()
    say({"per_s": rate, "cpu_per_s": cpu_rate if busy else None})
    wait_for_line()
    os._exit(0)  # its threads never end by themselves


main()
