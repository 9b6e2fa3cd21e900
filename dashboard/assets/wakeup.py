# The workload of `gilscope demo wakeup`: a service at 40 % of a core, and a C library that joins in.
#
# The library has four threads that Python does not know. At the first line on standard input they begin to
# call a Python function a few thousand times a second, each time by PyGILState_Ensure, so that CPython
# makes and deletes a thread state for each call. Without a C compiler libc's pthread_create starts a thread
# for each call, through ctypes. Prints "ready" and nothing else; ends when its standard input does.
import ctypes
import os
import shutil
import sys
import tempfile
import threading
import time

LOAD = 0.4
PERIOD_S = 0.02
FOREIGN_THREADS = 4
BETWEEN_CALLS_US = 250
LIBRARY = r"""
#include <pthread.h>
#include <unistd.h>
extern int PyGILState_Ensure(void);
extern void PyGILState_Release(int);
extern void *PyObject_CallObject(void *, void *);
extern void Py_DecRef(void *);
extern void PyErr_Clear(void);
struct work { void *callback; int between_us; };
static struct work work;
void poll_device(struct work *work)
{
    int state = PyGILState_Ensure();
    void *result = PyObject_CallObject(work->callback, 0);
    if (result) Py_DecRef(result);
    else PyErr_Clear();
    PyGILState_Release(state);
}
static void *run(void *work)
{
    for (;;) {
        poll_device(work);
        usleep(((struct work *)work)->between_us);
    }
    return 0;
}
int begin(void *callback, int n_threads, int between_us)
{
    pthread_t thread;
    work.callback = callback;
    work.between_us = between_us;
    while (n_threads--)
        if (pthread_create(&thread, 0, run, &work) || pthread_detach(thread)) return 1;
    return 0;
}
"""
ticks = [0]


def tick():
    """What the library calls: as little as a Python function can do."""
    ticks[0] += 1


def score(n):
    total = 0
    for number in range(n):
        total = (total * 31 + number * number) % 1000003
    return total


def serve():
    """Works for LOAD of each period."""
    clock = getattr(time, "perf_counter", time.time)
    while True:
        began = clock()
        while clock() - began < LOAD * PERIOD_S:
            score(200)
        time.sleep((1 - LOAD) * PERIOD_S)


def library():
    """The C library, or none if it cannot be compiled."""
    folder = tempfile.mkdtemp(prefix="gilscope-wakeup-")
    source, built = os.path.join(folder, "wakeup.c"), os.path.join(folder, "libwakeup.so")
    with open(source, "w") as out:
        out.write(LIBRARY)
    failed = os.system("cc -O2 -shared -fPIC -pthread -o '%s' '%s' 2>/dev/null" % (built, source))
    loaded = None if failed else ctypes.PyDLL(built)
    shutil.rmtree(folder)
    return loaded


def thread_a_call():
    """Without a compiler: libc starts a thread for each call, and ctypes takes it into Python."""
    libc = ctypes.CDLL(None)
    body = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: tick())
    thread = ctypes.c_ulong()
    while True:
        if libc.pthread_create(ctypes.byref(thread), None, body, None) == 0:
            libc.pthread_join(thread, None)
        time.sleep(BETWEEN_CALLS_US / 1e6 / FOREIGN_THREADS)


def call_in(loaded):
    if loaded is None:
        start("starts foreign threads", thread_a_call)
    else:
        loaded.begin(ctypes.py_object(tick), FOREIGN_THREADS, BETWEEN_CALLS_US)


def start(name, function):
    thread = threading.Thread(target=function, name=name)
    thread.daemon = True
    thread.start()


loaded = library()
start("server", serve)
sys.stdout.write("ready\n")
sys.stdout.flush()
if sys.stdin.readline():
    call_in(loaded)
    sys.stdin.read()
os._exit(0)  # the library's threads never end by themselves
