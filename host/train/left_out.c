#include "train/left_out.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chl_left_out {
    double tolerate;
    char *path; /* NULL: none */
    FILE *file; /* NULL: nothing to write so far */
    int64_t count, samples;
    uint8_t *mark; /* [samples] */
    char first[256];
};

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a list of clips");
}

chl_status chl_left_out_new(double tolerate, const char *path, chl_left_out **out) {
    chl_left_out *o = *out = calloc(1, sizeof *o);
    if (!o) return no_memory();
    o->tolerate = tolerate;
    o->path = path ? strdup(path) : NULL;
    if (!path || o->path) return CHL_OK;
    chl_left_out_free(o);
    *out = NULL;
    return no_memory();
}

void chl_left_out_free(chl_left_out *o) {
    if (!o) return;
    if (o->file) fclose(o->file);
    free(o->path);
    free(o->mark);
    free(o);
}

/* A line at once, so that a run that is killed leaves whole ones. */
static chl_status note(chl_left_out *o, const char *name, const char *why) {
    if (o->count++ == 0) snprintf(o->first, sizeof o->first, "%s", name);
    if (!o->path) return CHL_OK;
    if (!o->file) o->file = fopen(o->path, "we");
    if (o->file && fprintf(o->file, "%s\t%s\n", name, why) > 0 && fflush(o->file) == 0)
        return CHL_OK;
    return chl_fail(CHL_ERR_IO, "%s: cannot be written: %s", o->path, strerror(errno));
}

chl_status chl_left_out_missing(chl_left_out *o, const char *name, const char *why) {
    return note(o, name, why);
}

static chl_status check(const chl_left_out *o, int64_t all, const char *list) {
    if ((double)o->count <= o->tolerate * (double)all) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: %" PRId64 " of %" PRId64
                    " samples are missing or cannot be read (the first: %s): tolerate must be >= "
                    "%.3g, their share, got %g%s%s",
                    list, o->count, all, o->first, (double)o->count / (double)all, o->tolerate,
                    o->file ? ": all are named in " : "", o->file ? o->path : "");
}

chl_status chl_left_out_begin(chl_left_out *o, const char *name, int64_t samples) {
    o->mark = calloc((size_t)samples + 1, 1);
    if (!o->mark) return no_memory();
    const int64_t missing = o->count;
    o->samples = samples + missing;
    if (missing == 0) return CHL_OK;
    if (samples == 0)
        return chl_fail(CHL_ERR_IO, "%s: none of its %" PRId64 " samples is there (the first: %s)",
                        name, missing, o->first);
    chl_log(CHL_LOG_WARN, "%s: %" PRId64 " of %" PRId64 " samples are missing (the first: %s)",
            name, missing, o->samples, o->first);
    return check(o, o->samples, name);
}

chl_status chl_left_out_add(chl_left_out *o, int64_t sample, const char *name, const char *why) {
    if (o->mark[sample]) return CHL_OK;
    o->mark[sample] = 1;
    CHL_TRY(note(o, name, why));
    chl_log(CHL_LOG_WARN, "left out: %s", why);
    return check(o, o->samples, "the data");
}

chl_status chl_left_out_picture(chl_left_out *o, const char *name, const char *why) {
    CHL_TRY(note(o, name, why));
    chl_log(CHL_LOG_WARN, "left out: %s", why);
    return check(o, o->samples, "the data");
}

bool chl_left_out_has(const chl_left_out *o, int64_t sample) {
    return o->mark[sample];
}

int64_t chl_left_out_count(const chl_left_out *o) {
    return o->count;
}

bool chl_left_out_allows(const chl_left_out *o) {
    return o->tolerate > 0;
}

bool chl_left_out_blames(chl_status status) {
    return status == CHL_ERR_IO || status == CHL_ERR_FORMAT || status == CHL_ERR_NUMERIC ||
           status == CHL_ERR_UNSUPPORTED;
}
