/* Inversions and embeddings, each made once: files named by the digest of what they are made from.
 * Several workers may share the folder, and it may be deleted at any time. */
#include "batch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

json_t *batch_facts(const batch_job *job, const char *kind, const char *const *flags) {
    json_t *options = one_edit_options(&job->e), *used = json_object();
    for (int i = 0; flags[i]; i++) {
        json_t *value = json_object_get(job->digests, flags[i]);
        if (!value) value = json_object_get(options, flags[i]);
        if (value) json_put(used, flags[i], json_incref(value));
    }
    json_decref(options);
    return json_pack("[s, s, o]", kind, chl_version(), used);
}

bool batch_facts_digest(const json_t *facts, char digest[DIGEST_ROOM]) {
    char *text = json_dumped(facts, JSON_COMPACT | JSON_SORT_KEYS);
    if (text) digest_of_text(text, digest);
    free(text);
    return text != NULL;
}

static char *cache_path(const batch *b, const json_t *facts) {
    char digest[DIGEST_ROOM], name[80], *path = NULL;
    if (!batch_facts_digest(facts, digest)) return NULL;
    snprintf(name, sizeof name, "%s.npy", digest);
    if (!b->cache) return batch_path(b, "work/cache", name);
    return asprintf(&path, "%s/%s", b->cache, name) < 0 ? NULL : path;
}

/* A damaged file is made again. */
static bool read_numbers(const char *path, size_t count, float *numbers) {
    int rank;
    int64_t dim[6];
    float *data;
    if (access(path, R_OK) != 0 || chl_array_read(path, &rank, dim, &data) != CHL_OK) return false;
    const bool fits = rank == 1 && dim[0] == (int64_t)count;
    if (fits) memcpy(numbers, data, sizeof *numbers * count);
    chl_release(data);
    return fits;
}

chl_status batch_cached(const batch *b, json_t *facts, size_t count, batch_maker make, void *user,
                        float *numbers) {
    char *path = cache_path(b, facts);
    json_decref(facts);
    if (!path) return command_fail(CHL_ERR_MEMORY, "out of memory for the cache");
    chl_status status = CHL_OK;
    if (!read_numbers(path, count, numbers)) {
        status = make(user, numbers);
        const int64_t dim[] = {(int64_t)count};
        static bool warned;
        if (status == CHL_OK && chl_array_write(path, 1, dim, numbers) != CHL_OK && !warned) {
            warned = true;
            fputs("chladni: warning: what was computed cannot be kept for other edits: ", stderr);
            char *reason = take_error();
            fprintf(stderr, "%s\n", shown(reason));
            free(reason);
        }
    }
    free(path);
    return status;
}
