/* `batch --devices`: a worker for each device, each a process of its own. */
#include "batch.h"
#include "processes.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* "INDEX FD": which worker a process is, and a file that the first one writes to when the others may
 * begin. */
#define WORKER "CHLADNI_WORKER"

/* --- which device ------------------------------------------------------------------------------- */
static int count_devices(const char *list) {
    int count = 1;
    for (; *list; list++) count += *list == ',';
    return count;
}

static char *device_at(const char *list, int index) {
    for (; index > 0; index--) list = strchr(list, ',') + 1;
    return strndup(list, strcspn(list, ","));
}

static const char *known(const char *device) {
    char *end;
    if (strcmp(device, "cpu") == 0 || strcmp(device, "cuda") == 0) return NULL;
    const long number = strncmp(device, "cuda:", 5) == 0 ? strtol(device + 5, &end, 10) : -1;
    return number >= 0 && end != device + 5 && !*end ? NULL : "cpu, cuda or cuda:N";
}

int batch_check_devices(batch *b, const command_line *line) {
    if (!b->devices) return EXIT_OK;
    if (b->base.ask.models.device) return usage_error(line, "give --device or --devices, not both");
    if (b->shard) return usage_error(line, "--shard is of one worker: give --device with it");
    b->workers = count_devices(b->devices);
    if (b->workers > MAX_PROCESSES)
        return usage_error(line, "--devices must name max. %d devices, got %d", MAX_PROCESSES,
                           b->workers);
    for (int i = 0; i < b->workers; i++) {
        char *device = device_at(b->devices, i);
        const char *expected = device ? known(device) : NULL;
        const int code =
            expected ? usage_error(line, "--devices: each must be %s, got \"%s\"", expected, device)
                     : EXIT_OK;
        free(device);
        if (code != EXIT_OK) return code;
    }
    return EXIT_OK;
}

bool batch_is_parent(const batch *b) {
    return b->workers > 1 && !getenv(WORKER) && !b->dry_run;
}

int batch_become_worker(batch *b) {
    const char *given = getenv(WORKER);
    b->ready = -1;
    if (!b->devices) return EXIT_OK;
    if (given && sscanf(given, "%d %d", &b->worker_index, &b->ready) != 2) b->worker_index = 0;
    if (b->worker_index < 0 || b->worker_index >= b->workers) b->worker_index = 0;
    b->own_device = device_at(b->devices, b->worker_index);
    b->base.ask.models.device = b->own_device;
    if (b->own_device) return EXIT_OK;
    (void)command_fail(CHL_ERR_MEMORY, "out of memory for the name of a device");
    return run_error();
}

void batch_let_others_begin(const batch *b) {
    if (b->ready < 0 || b->worker_index > 0) return;
    if (write(b->ready, "1", 1) != 1)
        fprintf(stderr, "chladni: the workers of the other devices cannot be started: %s\n",
                strerror(errno));
}

/* --- starting them ------------------------------------------------------------------------------ */
typedef struct devices {
    const batch *b;
    int file;
    int ended;
    int last; /* code of the last that did all there was to do; -1: none did */
} devices;

static void become(void *user, int index) {
    const devices *d = user;
    char text[32];
    snprintf(text, sizeof text, "%d %d", index, d->file);
    setenv(WORKER, text, 1);
}

static bool first_is_ready(void *user) {
    char byte;
    return pread(((const devices *)user)->file, &byte, 1, 0) == 1;
}

static void ended(void *user, int index, int code) {
    devices *d = user;
    d->ended++;
    if (code == EXIT_OK || code == EXIT_SOME_FAILED) d->last = code;
    if (code != EXIT_RUN) return;
    const bool others = first_is_ready(user) && d->ended < d->b->workers;
    char *device = device_at(d->b->devices, index);
    fprintf(stderr, "chladni: the worker on %s has failed%s\n", device ? device : "a device",
            others ? "; the others do what it leaves" : "");
    free(device);
}

/* A worker that ends well has seen every edit done and has written the tables. The report as JSON is
 * the first one's alone: where that is missing, so is what was asked for. */
static int code_of(const devices *d, const process_ends *ends) {
    const bool unreported = d->b->json && ends->code[0] == EXIT_RUN;
    if (d->last >= 0 && !unreported) return d->last;
    if (d->last >= 0)
        fprintf(stderr, "chladni: the edits are done, but the report of the first worker is "
                        "missing: the same command prints it\n");
    return unreported ? EXIT_RUN : ends->code[ends->first_failed >= 0 ? ends->first_failed : 0];
}

int batch_run_workers(const batch *b, int argc, char **argv) {
    devices d = {.b = b, .file = memfd_create("chladni workers", 0), .last = -1};
    const process_set set = {.what = "worker",
                             .count = b->workers,
                             .become = become,
                             .first_is_ready = first_is_ready,
                             .ended = ended,
                             .user = &d};
    process_ends ends;
    if (d.file < 0) {
        (void)command_fail(CHL_ERR_IO, "%d workers cannot be started: %s", b->workers,
                           strerror(errno));
        return run_error();
    }
    const bool started = run_processes(&set, argc, argv, &ends);
    close(d.file);
    return started ? code_of(&d, &ends) : EXIT_RUN;
}
