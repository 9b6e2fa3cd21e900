/* A second, independent count of GIL handoffs, made inside the process: cc -shared -fPIC, LD_PRELOAD.
 *
 * CPython 3.x signals one condition when it acquires the GIL and another when it releases it
 * (ceval_gil.h, take_gil and drop_gil). The first condition that a process ever signals is that of
 * its first acquire, so entry 0 of the table counts acquires and entry 1 releases. On 2.7, where the
 * GIL is a semaphore, the entry that was taken most often meanwhile is the GIL's.
 * An acquire is contended if its thread went through a timed wait before it.
 *
 * Conditions fill the first half of the table, semaphores the second. The counts stand in the file that WITNESS_FILE names (made by the harness, large enough), as
 * struct entry: the harness reads them while the program is quiet. This file knows nothing of gilscope.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct entry { atomic_ulong address, count, contended, waits; };
enum { ENTRIES = 512, HALF = ENTRIES / 2 };

static struct entry *table;
static int (*real_signal)(pthread_cond_t *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_wait)(sem_t *);
static int (*real_trywait)(sem_t *);
static __thread int waited;

__attribute__((constructor)) static void begin(void) {
    /* The versions that CPython's own builds bind to; RTLD_NEXT alone may return the oldest one. */
    real_signal = dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
    real_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    real_wait = dlsym(RTLD_NEXT, "sem_wait");
    real_trywait = dlsym(RTLD_NEXT, "sem_trywait");
    const char *path = getenv("WITNESS_FILE");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *map = mmap(0, sizeof(struct entry) * ENTRIES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) table = map;
}

static struct entry *entry_of(const void *address, int first) {
    if (!table) return 0;
    for (int i = first; i < first + HALF; i++) {
        unsigned long none = 0, wanted = (unsigned long)address;
        if (atomic_load(&table[i].address) == wanted
            || atomic_compare_exchange_strong(&table[i].address, &none, wanted) || none == wanted)
            return &table[i];
    }
    return 0;
}

int pthread_cond_signal(pthread_cond_t *cond) {
    struct entry *entry = entry_of(cond, 0);
    if (entry) {
        atomic_fetch_add(&entry->count, 1);
        if (entry == table) { /* an acquire */
            atomic_fetch_add(&entry->contended, waited);
            waited = 0;
        }
    }
    return real_signal(cond);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end) {
    struct entry *entry = entry_of(cond, 0);
    if (entry) atomic_fetch_add(&entry->waits, 1);
    waited = 1;
    return real_timedwait(cond, mutex, end);
}

static int taken(sem_t *sem, int result) {
    struct entry *entry = result == 0 ? entry_of(sem, HALF) : 0;
    if (entry) atomic_fetch_add(&entry->count, 1);
    return result;
}

int sem_wait(sem_t *sem) { return taken(sem, real_wait(sem)); }

int sem_trywait(sem_t *sem) { return taken(sem, real_trywait(sem)); }
