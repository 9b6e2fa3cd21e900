/* A C extension whose threads come into Python in every way there is, and know how often and how long.
 *
 * foreign.run(how, n_threads, n_cycles, callback) starts threads that Python does not know; each goes
 * through n_cycles cycles of "fresh" (Ensure, callback, Release), "kept" (the same with a state that an
 * outer Ensure keeps), "nested" (Ensure inside Ensure), "made" (PyThreadState_New by hand), or "once" (a
 * thread for each cycle, n_threads at a time). A callback of None is not called. It gives back the calls
 * by kind, and the time spent in them, the callback's not included. Python 2.7 and 3.6 to 3.13.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static PyInterpreterState *interpreter;
static PyObject *callback;
static const char *how;
static long n_cycles;

struct work {
    pthread_t thread;
    long long inside_ns, callback_ns;
};

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void call(struct work *work) {
    long long before = now();
    if (callback != Py_None) Py_XDECREF(PyObject_CallFunctionObjArgs(callback, NULL));
    work->callback_ns += now() - before;
}

static void cycle(struct work *work) {
    long long before = now();
    PyGILState_STATE state = PyGILState_Ensure();
    call(work);
    PyGILState_Release(state);
    work->inside_ns += now() - before;
}

static void made(struct work *work) {
    long long before = now();
    PyThreadState *state = PyThreadState_New(interpreter);
    PyEval_AcquireThread(state);
    call(work);
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
    work->inside_ns += now() - before;
}

static void *body(void *argument) {
    struct work *work = argument;
    int is_kept = !strcmp(how, "kept"), is_nested = !strcmp(how, "nested");
    PyGILState_STATE outer = PyGILState_LOCKED;
    PyThreadState *saved = NULL;
    if (is_kept || is_nested) outer = PyGILState_Ensure();
    if (is_kept) saved = PyEval_SaveThread();
    for (long i = 0; i < n_cycles; i++) {
        if (!strcmp(how, "made")) made(work);
        else cycle(work);
    }
    if (is_kept) PyEval_RestoreThread(saved);
    if (is_kept || is_nested) PyGILState_Release(outer);
    return NULL;
}

static PyObject *run(PyObject *self, PyObject *arguments) {
    enum { THREADS_MAX = 64 };
    struct work work[THREADS_MAX];
    long n_threads, rounds = 1, cycles;
    long long inside_ns = 0, callback_ns = 0;
    const char *kind;
    if (!PyArg_ParseTuple(arguments, "sllO", &kind, &n_threads, &cycles, &callback)) return NULL;
    if (n_threads < 1 || n_threads > THREADS_MAX) return PyErr_Format(PyExc_ValueError, "threads");
    int is_once = !strcmp(kind, "once");
    interpreter = PyThreadState_Get()->interp;
    how = is_once ? "fresh" : kind;
    n_cycles = is_once ? 1 : cycles;
    if (is_once) rounds = cycles / n_threads;
    Py_BEGIN_ALLOW_THREADS
    for (long round = 0; round < rounds; round++) {
        memset(work, 0, sizeof work);
        for (long i = 0; i < n_threads; i++)
            if (pthread_create(&work[i].thread, NULL, body, &work[i])) abort();
        for (long i = 0; i < n_threads; i++) {
            pthread_join(work[i].thread, NULL);
            inside_ns += work[i].inside_ns;
            callback_ns += work[i].callback_ns;
        }
    }
    Py_END_ALLOW_THREADS
    long all = n_threads * rounds * n_cycles, outer = n_threads * rounds;
    int is_kept = !strcmp(how, "kept"), is_nested = !strcmp(how, "nested"), is_made = !strcmp(how, "made");
    long fresh = is_made ? 0 : is_kept || is_nested ? outer : all;
    return Py_BuildValue("{sl sl sl sl sl sL sL}", "fresh", fresh, "kept", is_kept ? all : 0, "nested",
                         is_nested ? all : 0, "made", is_made ? all : 0, "threads", outer, "inside_ns",
                         inside_ns, "callback_ns", callback_ns);
}

static PyMethodDef methods[] = {{"run", run, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

#if PY_MAJOR_VERSION < 3
PyMODINIT_FUNC initforeign(void) { Py_InitModule("foreign", methods); }
#else
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "foreign", NULL, -1, methods};
PyMODINIT_FUNC PyInit_foreign(void) { return PyModule_Create(&module); }
#endif
