#include "base/progress.h"
#include <pthread.h>
#include <stddef.h>

/* The lock is for the memory of the count, which may go away. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t finished, *shared;

void chl_progress_add(void) {
    atomic_fetch_add(&finished, 1);
    pthread_mutex_lock(&lock);
    if (shared) atomic_fetch_add(shared, 1);
    pthread_mutex_unlock(&lock);
}

const _Atomic uint64_t *chl_progress_count(void) {
    return &finished;
}

void chl_progress_share(_Atomic uint64_t *count) {
    pthread_mutex_lock(&lock);
    shared = count;
    pthread_mutex_unlock(&lock);
}

void chl_progress_unshare(const _Atomic uint64_t *count) {
    pthread_mutex_lock(&lock);
    if (shared == count) shared = NULL;
    pthread_mutex_unlock(&lock);
}
