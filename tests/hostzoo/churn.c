/* Two threads that do nothing but allocate and trim, without the GIL and all in one arena: whoever stops one of
 * them at random most likely stops it with the allocator's lock in its hands.
 *
 * Loaded by hosts/native_malloc.py. Blocks are larger than the per-thread caches take.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, BLOCKS = 64 };

static pthread_t threads[THREADS];
static volatile int stop;
static long rounds[THREADS], wrong[THREADS];

static void *churn(void *argument) {
    long me = (long)argument;
    unsigned char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    while (!stop) {
        for (int i = 0; i < BLOCKS; i++) {
            sizes[i] = 1100 + (size_t)(rounds[me] * 37 + i * 401) % 9000;
            blocks[i] = malloc(sizes[i]);
            blocks[i][0] = blocks[i][sizes[i] - 1] = (unsigned char)i;
        }
        for (int i = 0; i < BLOCKS; i++) {
            int at = i * 29 % BLOCKS; /* 29 and 64 have no common divisor: each once, out of order */
            wrong[me] += blocks[at][0] != (unsigned char)at || blocks[at][sizes[at] - 1] != (unsigned char)at;
            free(blocks[at]);
        }
        malloc_trim(0); /* walks the whole arena with its lock held, as servers do to give memory back */
        rounds[me]++;
    }
    return 0;
}

int churn_start(void) {
    mallopt(M_ARENA_MAX, 1);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], 0, churn, (void *)i)) return -1;
    return 0;
}

/* Ends the threads; the number of blocks found changed, or -1 if one of the threads never worked. */
long churn_end(void) {
    long all = 0;
    stop = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], 0);
        if (!rounds[i]) return -1;
        all += wrong[i];
    }
    return all;
}
