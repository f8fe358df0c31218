/*
 * For LD_PRELOAD into workers: another thread is inside malloc(3) nearly all the time, as one that
 * packs a backup is now and then.
 */
#include <pthread.h>
#include <stdlib.h>

/* More than a thread keeps for itself, and less than what is mapped: its arena is locked. */
#define BYTES 100000

static void *allocate(void *context)
{
    static void *volatile block;

    for (;;) {
        block = malloc(BYTES);
        free(block);
    }
    return context;
}

__attribute__((constructor)) static void start_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, allocate, NULL) != 0)
        abort();
}
