/* Inversions and embeddings, each made once and kept under the digest of what they are made from
 * (chladni/data.h). Several workers may share the folder, and it may be deleted at any time. */
#include "batch.h"
#include <stdio.h>
#include <stdlib.h>

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

/* What is damaged or of another size is made again. */
static bool kept_before(const batch *b, const char *digest, size_t count, float *numbers) {
    int found;
    return b->kept && chl_cache_find(b->kept, digest, (int64_t)count, numbers, &found) == CHL_OK &&
           found;
}

static void keep(const batch *b, const char *digest, size_t count, const float *numbers) {
    static bool warned;
    if (!b->kept || warned || chl_cache_add(b->kept, digest, (int64_t)count, numbers) == CHL_OK)
        return;
    warned = true;
    fputs("chladni: warning: what was computed cannot be kept for other edits: ", stderr);
    char *reason = take_error();
    fprintf(stderr, "%s\n", shown(reason));
    free(reason);
}

chl_status batch_cached(const batch *b, json_t *facts, size_t count, batch_maker make, void *user,
                        float *numbers) {
    char digest[DIGEST_ROOM];
    const bool whole = batch_facts_digest(facts, digest);
    json_decref(facts);
    if (!whole) return command_fail(CHL_ERR_MEMORY, "out of memory for the cache");
    if (kept_before(b, digest, count, numbers)) return CHL_OK;
    const chl_status status = make(user, numbers);
    if (status == CHL_OK) keep(b, digest, count, numbers);
    return status;
}
