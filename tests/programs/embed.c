/* A C program that embeds CPython and calls into it from foreign threads, counting its own calls.
 *
 * Built with `python3-config --embed`. Quiet before "go" and after its truth: its main thread has
 * given the GIL away and blocks in read. Every PyGILState_Ensure of a thread without the GIL is
 * exactly one acquire, and no bytecode runs in between, so nothing is ever forced: the program's
 * acquires are N_THREADS * CALLS, to the unit.
 */
#include <Python.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N_THREADS = 3, CALLS = 5000, LIMIT_S = 240 };

static void *foreign(void *unused) {
    (void)unused;
    for (int i = 0; i < CALLS; i++) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyObject *number = PyLong_FromLong(1000000 + i);
        Py_XDECREF(number);
        PyGILState_Release(state);
    }
    return 0;
}

/* Reads a line from the harness; 0 at end of file. */
static int line(char *text, int size) {
    ssize_t n = read(0, text, size - 1);
    text[n > 0 ? n : 0] = 0;
    return n > 0;
}

int main(void) {
    char text[64];
    long acquires = 0;
    alarm(LIMIT_S);
    Py_Initialize();
    PyThreadState *main_state = PyEval_SaveThread();
    dprintf(1, "{\"ready\": true, \"pid\": %d}\n", (int)getpid());
    while (line(text, sizeof text) && !strncmp(text, "go", 2)) {
        pthread_t threads[N_THREADS];
        for (int i = 0; i < N_THREADS; i++) pthread_create(&threads[i], 0, foreign, 0);
        for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], 0);
        acquires += N_THREADS * CALLS;
        dprintf(1, "{\"acquires\": %ld, \"threads\": %d}\n", acquires, (int)N_THREADS);
    }
    PyEval_RestoreThread(main_state);
    return Py_FinalizeEx() < 0;
}
