/* Whether what is left to do fits on the disk: said before any work, not at the last edit. */
#include "batch.h"
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define TEXTS 8192                    /* bytes of a result's recipes, journal and tables, at most */
#define MEL_PICTURE (3. * 128 * 1024) /* bytes before compression: batch_shown.c */

static bool is_open(const batch *b, int chunk, const batch_job *job) {
    return batch_chunk_is_mine(b, chunk) && job->twin < 0 && job->status == BATCH_OPEN &&
           !job->unreadable;
}

/* Of the digest, or of the text where there is none: whether it comes for the first time. */
static bool is_new(json_t *seen, const batch_job *job, const char *flag, const char *text) {
    const char *digest = json_string_value(json_object_get(job->digests, flag));
    const char *key = digest ? digest : text;
    if (!key || json_object_get(seen, key)) return false;
    json_put(seen, key, json_true());
    return true;
}

/* At most: pictures count as they are before compression. */
static chl_status bytes_of(batch *b, json_t *seen, int *edits, double *bytes) {
    const char *last = "";
    double picture = 0, code = 0;
    for (int c = 0; c < b->chunks; c++)
        for (int i = 0; i < b->chunk[c].count; i++) {
            const batch_job *job = batch_job_at(b, &b->chunk[c], i);
            if (!is_open(b, c, job)) continue;
            if (strcmp(last, job->e.ask.models.generator) != 0) {
                const chl_status status = batch_open_engine(b, job);
                if (status != CHL_OK) return status;
                const chl_engine_sizes size = chl_engine_get_sizes(b->engine);
                last = job->e.ask.models.generator;
                picture = 3. * size.picture * size.picture;
                code = 4. * size.rows * size.latent;
            }
            ++*edits;
            *bytes += picture + TEXTS;
            const char *source = job->e.ask.image ? "image" : "latent";
            if (is_new(seen, job, source, job->e.seed)) *bytes += picture + code;
            if (is_new(seen, job, "sound", NULL)) *bytes += MEL_PICTURE;
        }
    return CHL_OK;
}

/* false: the file system does not tell. */
static bool free_bytes(const char *folder, double *bytes) {
    struct statvfs about;
    if (statvfs(folder, &about) != 0 || about.f_blocks == 0) return false;
    *bytes = (double)about.f_bavail * (double)about.f_frsize;
    return true;
}

chl_status batch_check_space(batch *b) {
    int edits = 0;
    double needed = 0, left;
    if (b->ignore_space || !free_bytes(b->out, &left)) return CHL_OK;
    json_t *seen = json_object();
    chl_status status = bytes_of(b, seen, &edits, &needed);
    if (status == CHL_OK && !json_is_whole(seen))
        status = command_fail(CHL_ERR_MEMORY, "out of memory for the list of sources");
    json_decref(seen);
    if (status != CHL_OK || needed <= left) return status;
    return command_fail(CHL_ERR_IO,
                        "%s: %d edits will take up to %.1f MB, and %.1f MB are free: make room, "
                        "name another place by --out, or go on with --ignore-space (pictures are "
                        "counted before compression, so that half may be enough)",
                        b->out, edits, 1e-6 * needed, 1e-6 * left);
}
