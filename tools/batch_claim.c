/* Who does which chunk.
 *
 * A claim on chunk 12 is the file 000012.1, created with O_EXCL, which one worker of all can do, on
 * NFS too. Its owner gives signs of life by its time of modification. A claim whose owner has died
 * (the process is gone, on the same machine) or has given no sign for `stale` seconds is void: the
 * next owner creates 000012.2, again with O_EXCL. Nothing is ever removed or renamed while a batch
 * runs, so that no two workers can both believe that they took a void claim over. An owner that was
 * suspended for longer than `stale` finds the next number when it wakes (batch_claim_holds) and
 * leaves the chunk to its new owner. */
#include "batch.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct batch_claim {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool running, stop;
    int file; /* of the current claim; -1: none */
    int chunk, number;
    float pause;     /* seconds between signs of life */
    char place[160]; /* boot and process namespace: where a process id means the same */
};

/* --- signs of life ---------------------------------------------------------------------------- */
static void *live(void *user) {
    struct batch_claim *c = user;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)(1e9 * fmod((double)c->pause, 1));
        until.tv_sec += (time_t)c->pause + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->ended, &c->lock, &until);
        if (!c->stop && c->file >= 0 && futimens(c->file, NULL) != 0)
            continue; /* the claim then becomes void, and batch_claim_holds finds it */
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void find_place(char *place, size_t room) {
    char boot[64] = "", space[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (file && !fgets(boot, sizeof boot, file)) boot[0] = 0;
    if (file) fclose(file);
    boot[strcspn(boot, "\n")] = 0;
    if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) space[0] = 0;
    snprintf(place, room, "%s/%s", boot, space);
}

int batch_claims_start(batch *b) {
    struct batch_claim *c = b->claim = calloc(1, sizeof *c);
    if (c) {
        c->file = -1;
        c->pause = fminf(10, fmaxf(0.05f, b->stale / 6));
        find_place(c->place, sizeof c->place);
        pthread_mutex_init(&c->lock, NULL);
        pthread_cond_init(&c->ended, NULL);
        c->running = pthread_create(&c->thread, NULL, live, c) == 0;
        if (c->running) return EXIT_OK;
    }
    (void)command_fail(CHL_ERR_MEMORY, "no thread for signs of life could be started");
    return run_error();
}

void batch_claims_end(batch *b) {
    struct batch_claim *c = b->claim;
    if (!c) return;
    if (c->running) {
        pthread_mutex_lock(&c->lock);
        c->stop = true;
        pthread_cond_signal(&c->ended);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    pthread_cond_destroy(&c->ended);
    pthread_mutex_destroy(&c->lock);
    free(c);
    b->claim = NULL;
}

/* --- claims of others ------------------------------------------------------------------------- */
static char *claim_path(const batch *b, int chunk, int number) {
    char name[48];
    snprintf(name, sizeof name, "%06d.%d", chunk, number);
    return batch_path(b, "work/claims", name);
}

/* 0: there is no such process. */
static unsigned long long start_of(int process) {
    char path[48], text[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    const char *at = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    fclose(file);
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' '); /* proc(5) */
    if (at) start = strtoull(at + 1, NULL, 10);
    return start;
}

static bool owner_has_died(const struct batch_claim *c, const char *path) {
    char text[256] = "";
    FILE *file = fopen(path, "r");
    const bool read = file && fgets(text, sizeof text, file);
    if (file) fclose(file);
    const size_t length = strlen(c->place);
    if (!read || strncmp(text, c->place, length) != 0 || text[length] != ' ') return false;
    char *end;
    const int process = (int)strtol(text + length + 1, &end, 10);
    return process > 0 && start_of(process) != strtoull(end, NULL, 10);
}

/* The time that the file system gives now: machines' clocks differ. */
static double now_there(const batch *b) {
    struct stat about;
    if (futimens(b->journal, NULL) != 0 || fstat(b->journal, &about) != 0)
        return (double)time(NULL);
    return (double)about.st_mtim.tv_sec + 1e-9 * (double)about.st_mtim.tv_nsec;
}

/* Opening asks a server of NFS for the file's times, which stat may take from what this machine has
 * kept for up to a minute: a living owner would seem to have died. */
static bool look_at(const char *path, struct stat *about) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const bool seen = file >= 0 && fstat(file, about) == 0;
    if (file >= 0) close(file);
    return seen;
}

static bool is_void(const batch *b, const char *path) {
    struct stat about;
    if (!look_at(path, &about)) return true;
    const double sign = (double)about.st_mtim.tv_sec + 1e-9 * (double)about.st_mtim.tv_nsec;
    return sign == 0 || now_there(b) - sign > (double)b->stale || owner_has_died(b->claim, path);
}

/* The last number of a chunk's claims; 0: there is none. */
static int last_number(const batch *b, int chunk) {
    int number = 0;
    for (bool there = true; there; number += there) {
        char *path = claim_path(b, chunk, number + 1);
        there = path && access(path, F_OK) == 0;
        free(path);
    }
    return number;
}

/* --- own claims ------------------------------------------------------------------------------- */
static claim_result create(batch *b, int chunk, int number) {
    struct batch_claim *c = b->claim;
    char *path = claim_path(b, chunk, number), text[256];
    const int file = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    const int reason = file < 0 ? errno : 0;
    if (file < 0 && reason != EEXIST)
        (void)command_fail(CHL_ERR_IO, "%s: cannot be created (%s)", path ? path : "a claim",
                           strerror(reason));
    free(path);
    if (file < 0) return reason == EEXIST ? CLAIM_OTHERS : CLAIM_BROKEN;
    const int length = snprintf(text, sizeof text, "%s %d %llu %s\n", c->place, (int)getpid(),
                                start_of((int)getpid()), b->worker);
    /* one that cannot be written says nothing about its owner: its time of modification does */
    const bool said = write(file, text, (size_t)length) == length;
    (void)said;
    pthread_mutex_lock(&c->lock);
    c->file = file;
    c->chunk = chunk;
    c->number = number;
    pthread_mutex_unlock(&c->lock);
    return CLAIM_MINE;
}

claim_result batch_claim_take(batch *b, int chunk) {
    const int number = last_number(b, chunk);
    if (number > 0) {
        char *path = claim_path(b, chunk, number);
        const bool taken = !path || !is_void(b, path);
        free(path);
        if (taken) return CLAIM_OTHERS;
    }
    return create(b, chunk, number + 1);
}

bool batch_claim_holds(const batch *b) {
    const struct batch_claim *c = b->claim;
    struct stat mine, there;
    char *path = claim_path(b, c->chunk, c->number), *next = claim_path(b, c->chunk, c->number + 1);
    const bool holds = path && next && fstat(c->file, &mine) == 0 && stat(path, &there) == 0 &&
                       mine.st_ino == there.st_ino && access(next, F_OK) != 0;
    free(path);
    free(next);
    return holds;
}

void batch_claim_return(batch *b) {
    static const struct timespec never[2] = {{0, 0}, {0, 0}};
    struct batch_claim *c = b->claim;
    pthread_mutex_lock(&c->lock);
    if (c->file >= 0) {
        if (futimens(c->file, never) != 0) errno = 0; /* it is void after `stale` seconds */
        close(c->file);
    }
    c->file = -1;
    pthread_mutex_unlock(&c->lock);
}
