/* A disk that is full from the Nth step on, for one folder: preloaded (LD_PRELOAD) into a writer.
 *
 * A step is a call that may need room for a file below FULL_FOLDER; from step FULL_AT on each of them fails
 * with ENOSPC, as the kernel would have it. At the end the number of steps goes into the file FULL_COUNT.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long steps;

static int is_below(const char *path) {
    const char *folder = getenv("FULL_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether this call finds no room. */
static int is_full(void) {
    const char *at = getenv("FULL_AT");
    long step = __atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);
    if (!at || atol(at) == 0 || step < atol(at)) return 0;
    errno = ENOSPC;
    return 1;
}

static int is_full_for(int fd) {
    char path[64], file[4096];
    int before = errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, file, sizeof file - 1);
    errno = before;
    if (n < 0) return 0;
    file[n] = 0;
    return is_below(file) && is_full();
}

__attribute__((destructor)) static void tell(void) {
    const char *count = getenv("FULL_COUNT");
    FILE *file = count ? fopen(count, "w") : 0;
    if (!file) return;
    fprintf(file, "%ld", steps);
    fclose(file);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    return is_full_for(fd) ? -1 : syscall(SYS_write, fd, bytes, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    return is_full_for(fd) ? -1 : syscall(SYS_writev, fd, parts, n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t at) {
    return is_full_for(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    return pwrite64(fd, bytes, n, at);
}

int ftruncate64(int fd, off_t length) {
    return is_full_for(fd) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

int fallocate64(int fd, int mode, off_t at, off_t length) {
    return is_full_for(fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    return fallocate64(fd, mode, at, length);
}

int fsync(int fd) {
    return is_full_for(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return is_full_for(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (flags & O_CREAT && is_below(path) && access(path, F_OK) != 0 && is_full()) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open64(path, flags, mode);
}
