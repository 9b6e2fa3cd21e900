/* A C extension whose threads come into Python and leave in ways that are rude, but allowed.
 *
 * left(n): n threads end while the state that Ensure made for them is theirs. within(n, callback): n threads
 * call the callback, which forks or does what it likes. subs(n): n sub-interpreters come and go on the
 * calling thread. linger(callback): a thread calls it for ever, until finalisation ends it. Python 2.7 and
 * 3.6 to 3.13.
 */
#include <Python.h>
#include <pthread.h>

static PyObject *lasting;

static void *leaves(void *unused) {
    (void)PyGILState_Ensure();
    PyRun_SimpleString("sum(range(3))");
    PyEval_SaveThread();
    return unused;
}

static void *calls(void *callback) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *result = PyObject_CallFunctionObjArgs(callback, NULL);
    if (result == NULL) PyErr_Print();
    Py_XDECREF(result);
    PyGILState_Release(state);
    return NULL;
}

static void *lingers(void *callback) {
    for (;;) calls(callback);
    return NULL;
}

static PyObject *one_by_one(long n, void *(*body)(void *), void *argument) {
    Py_BEGIN_ALLOW_THREADS
    for (long i = 0; i < n; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, body, argument)) abort();
        pthread_join(thread, NULL);
    }
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(n);
}

static PyObject *left(PyObject *self, PyObject *arguments) {
    long n;
    return PyArg_ParseTuple(arguments, "l", &n) ? one_by_one(n, leaves, NULL) : NULL;
}

static PyObject *within(PyObject *self, PyObject *arguments) {
    long n;
    PyObject *callback;
    return PyArg_ParseTuple(arguments, "lO", &n, &callback) ? one_by_one(n, calls, callback) : NULL;
}

static PyObject *subs(PyObject *self, PyObject *arguments) {
    long n, right = 0;
    if (!PyArg_ParseTuple(arguments, "l", &n)) return NULL;
    for (long i = 0; i < n; i++) {
        PyThreadState *own = PyThreadState_Get();
        PyThreadState *sub = Py_NewInterpreter();
        if (sub == NULL) abort();
        right += PyRun_SimpleString("assert sum(range(100)) == 4950") == 0;
        Py_EndInterpreter(sub);
        PyThreadState_Swap(own);
    }
    return PyLong_FromLong(right);
}

static PyObject *linger(PyObject *self, PyObject *arguments) {
    pthread_t thread;
    if (!PyArg_ParseTuple(arguments, "O", &lasting)) return NULL;
    Py_INCREF(lasting);
    if (pthread_create(&thread, NULL, lingers, lasting)) abort();
    pthread_detach(thread);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"left", left, METH_VARARGS, NULL},
                                {"within", within, METH_VARARGS, NULL},
                                {"subs", subs, METH_VARARGS, NULL},
                                {"linger", linger, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};

#if PY_MAJOR_VERSION < 3
PyMODINIT_FUNC initguests(void) { Py_InitModule("guests", methods); }
#else
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "guests", NULL, -1, methods};
PyMODINIT_FUNC PyInit_guests(void) { return PyModule_Create(&module); }
#endif
