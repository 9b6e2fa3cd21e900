/* What not to do: an injector that stops a thread wherever it is, points it at dlopen, and hopes.
 *
 * The failing control of the zoo (naive.rs), in the manner of many tools: no safe point, registers put
 * back by the tracer. `naive PID THREAD LIBRARY`; exit code 0 if dlopen came back, 1 if it did not
 * within two seconds, 2 if it could not be tried. Believes that the target has this program's libc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 2000, STEP_US = 1000, RED_ZONE = 128 };

static uint64_t libc_base(const char *pid) {
    char path[64], line[512];
    uint64_t base = 0;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "r");
    while (maps && !base && fgets(line, sizeof line, maps))
        if (strstr(line, "/libc.so.6")) base = strtoull(line, 0, 16);
    if (maps) fclose(maps);
    return base;
}

/* Waits for the next stop, at most two seconds; its signal, or 0. */
static int stopped(pid_t thread) {
    int status;
    for (int i = 0; i < STEPS; i++) {
        if (waitpid(thread, &status, __WALL | WNOHANG) == thread) return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
        usleep(STEP_US);
    }
    return 0;
}

static void write_text(pid_t thread, uint64_t at, const char *text) {
    for (size_t i = 0; i <= strlen(text); i += 8) {
        uint64_t word = 0;
        strncpy((char *)&word, text + i, 8);
        ptrace(PTRACE_POKEDATA, thread, at + i, word);
    }
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    pid_t thread = atoi(argv[2]);
    uint64_t ours = libc_base("self"), theirs = libc_base(argv[1]);
    uint64_t function = (uint64_t)dlsym(RTLD_DEFAULT, "dlopen");
    struct user_regs_struct found, call;
    if (!ours || !theirs || ptrace(PTRACE_ATTACH, thread, 0, 0) || !stopped(thread)) return 2;
    if (ptrace(PTRACE_GETREGS, thread, 0, &found)) return 2;
    call = found;
    uint64_t path = (found.rsp - RED_ZONE - strlen(argv[3]) - 16) & ~15ull;
    write_text(thread, path, argv[3]);
    call.rsp = path - 8;
    ptrace(PTRACE_POKEDATA, thread, call.rsp, 0); /* a return to nowhere tells that it came back */
    call.rip = theirs + (function - ours);
    call.rdi = path;
    call.rsi = RTLD_NOW;
    call.rax = 0;
    call.orig_rax = -1;
    if (ptrace(PTRACE_SETREGS, thread, 0, &call) || ptrace(PTRACE_CONT, thread, 0, 0)) return 2;
    if (stopped(thread) != SIGSEGV) return 1;
    ptrace(PTRACE_SETREGS, thread, 0, &found);
    ptrace(PTRACE_DETACH, thread, 0, 0);
    return 0;
}
