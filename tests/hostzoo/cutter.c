/* Kills a program at one of its own steps: `cutter STEP PROGRAM ARGUMENTS…`.
 *
 * A step is a system call by which an injector touches its target or the memory that they share; the
 * program is traced (all its threads) and gets SIGKILL as it enters the STEP-th one, from 1. Odd steps
 * are entries, even ones exits. Says the call's number on stdout and exits with 0; if the program ended
 * before, exits with 1 and says how many steps there were. STEP 0 lets it run to its end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a descriptor of the program is its target's memory or a memfd: writes to files are no steps. */
static int is_shared(pid_t program, unsigned long long fd) {
    char path[64], file[256];
    snprintf(path, sizeof path, "/proc/%d/fd/%llu", program, fd);
    ssize_t n = readlink(path, file, sizeof file - 1);
    if (n < 0) return 0;
    file[n] = 0;
    return strstr(file, "/mem") != 0;
}

/* What attach and detach do to others; looking is not a step of its own. */
static int is_step(pid_t program, const struct user_regs_struct *registers) {
    switch (registers->orig_rax) {
    case SYS_ptrace:
        return 1;
    case SYS_pwrite64:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_flock:
        return is_shared(program, registers->rdi);
    case SYS_fcntl:
        return registers->rsi == F_ADD_SEALS;
    default:
        return 0;
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    long wanted = atol(argv[1]), steps = 0;
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(argv[2], argv + 2);
        _exit(126);
    }
    int status;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 2;
    /* If this program dies, what it traces dies, too: nothing is left behind. */
    ptrace(PTRACE_SETOPTIONS, child, 0,
           PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK);
    ptrace(PTRACE_SYSCALL, child, 0, 0);
    for (;;) {
        struct user_regs_struct registers;
        int signal = 0;
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 || (thread == child && (WIFEXITED(status) || WIFSIGNALED(status)))) break;
        if (!WIFSTOPPED(status)) continue;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (!ptrace(PTRACE_GETREGS, thread, 0, &registers) && is_step(child, &registers) && ++steps == wanted) {
                kill(child, SIGKILL);
                while (waitpid(-1, &status, __WALL) > 0) {
                }
                printf("%lld\n", (long long)registers.orig_rax);
                return 0;
            }
        } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP) {
            signal = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, thread, 0, signal);
    }
    printf("%ld\n", steps);
    return 1;
}
