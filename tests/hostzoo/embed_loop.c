/* A C program that makes an interpreter, works in it with threads, and finalises it, again and again.
 *
 * Built with `python3-config --embed`. It is quiet before "go" and after its truth.
 */
#include <Python.h>
#include <stdio.h>
#include <unistd.h>

enum { LOOPS = 60, LIMIT_S = 240 };

static const char WORK[] =
    "import threading\n"
    "sums = []\n"
    "threads = [threading.Thread(target=lambda: sums.append(sum(range(20000)))) for _ in range(3)]\n"
    "for thread in threads: thread.start()\n"
    "for thread in threads: thread.join()\n"
    "assert sums == [199990000] * 3, sums\n";

static void line(void) {
    char text[64];
    if (read(0, text, sizeof text) < 0) _exit(9);
}

int main(void) {
    int right = 0;
    alarm(LIMIT_S);
    dprintf(1, "{\"ready\": true, \"pid\": %d}\n", (int)getpid());
    line();
    for (int i = 0; i < LOOPS; i++) {
        Py_Initialize();
        right += PyRun_SimpleString(WORK) == 0;
        right -= Py_FinalizeEx() < 0;
    }
    dprintf(1, "{\"loops\": %d, \"right\": %d}\n", (int)LOOPS, right);
    line();
    return 0;
}
