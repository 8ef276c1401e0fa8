/* checkpoint.safetensors: all trainable arrays, and "chladni.run", a JSON text as bytes that says
 * which run and which step they belong to, and what the other files of the folder hold. */
#include "base/file_bytes.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEADER ",\"header\":\"" /* the last key of the run: a digest, see header_digest */
#define HEADER_TAIL (sizeof HEADER - 1 + 16 + 2)
#define KEEP 2 /* checkpoints that are kept as a rule */

static int by_name(const void *a, const void *b) {
    return strcmp((*(const chl_array *const *)a)->name, (*(const chl_array *const *)b)->name);
}

/* All arrays but the run's, by their names; *count of them, which the caller frees. */
static chl_status sort_arrays(const chl_params *params, const chl_array ***out, int64_t *count) {
    const chl_array **sorted = malloc(((size_t)params->count + 1) * sizeof *sorted);
    *out = sorted;
    *count = 0;
    if (!sorted) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", params->source);
    for (int64_t i = 0; i < params->count; i++)
        if (strcmp(params->array[i].name, CHL_RUN) != 0) sorted[(*count)++] = &params->array[i];
    qsort(sorted, (size_t)*count, sizeof *sorted, by_name);
    return CHL_OK;
}

/* Of what "digest" does not cover: names, element types and shapes of the arrays, and the text of the
 * run in front of the key. */
static chl_status header_digest(const chl_params *params, const char *text, size_t length,
                                uint64_t *digest) {
    const chl_array **sorted;
    int64_t count;
    CHL_TRY(sort_arrays(params, &sorted, &count));
    *digest = chl_digest(CHL_DIGEST_START, text, length);
    for (int64_t i = 0; i < count; i++) {
        const chl_desc *desc = &sorted[i]->desc;
        int64_t shape[2 + CHL_MAX_RANK] = {desc->dtype == CHL_F32, desc->rank};
        for (int k = 0; k < desc->rank; k++) shape[2 + k] = desc->dim[k];
        *digest = chl_digest(*digest, sorted[i]->name, strlen(sorted[i]->name) + 1);
        *digest = chl_digest(*digest, shape, sizeof shape);
    }
    free(sorted);
    return CHL_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */
static chl_status check_finite(const chl_array *array) {
    const float *x = array->data;
    for (int64_t i = 0; i < chl_count(&array->desc); i++)
        if (!isfinite(x[i]))
            return chl_fail(CHL_ERR_NUMERIC, "element %" PRId64 " of %s is not finite", i,
                            array->name);
    return CHL_OK;
}

static chl_status add_states(chl_trainer *t, chl_params *into, uint64_t *digest) {
    *digest = CHL_DIGEST_START;
    for (int64_t i = 0; i < t->inside->states; i++) {
        const chl_state *state = &t->inside->state[i];
        const chl_desc desc = *chl_desc_of(t->graph, state->tensor);
        void *data;
        CHL_TRY(chl_params_add(into, state->name, desc, &data));
        CHL_TRY(chl_read(t->graph, state->tensor, data));
        if (desc.dtype == CHL_F32) CHL_TRY(check_finite(&into->array[into->count - 1]));
        *digest = chl_digest(*digest, data, (size_t)chl_bytes(&desc));
    }
    return CHL_OK;
}

/* Puts the digest of the header behind the last key of the text, which is released. */
static chl_status seal(const chl_params *params, char *text, char **sealed) {
    uint64_t digest;
    const size_t length = strlen(text) - 1;
    chl_status status = header_digest(params, text, length, &digest);
    if (status == CHL_OK &&
        asprintf(sealed, "%.*s" HEADER "%016" PRIx64 "\"}", (int)length, text, digest) < 0)
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for a checkpoint");
    free(text);
    return status;
}

static chl_status add_run(chl_trainer *t, int64_t step, uint64_t digest, chl_params *into) {
    json_t *files = NULL;
    const uint64_t refused = chl_json_refused();
    const chl_status listed = chl_run_files_json(t, &files);
    if (listed != CHL_OK) {
        json_decref(files);
        return listed;
    }
    json_t *run = json_pack("{s:I,s:o,s:o,s:O,s:o}", "step", (json_int_t)step, "digest",
                            chl_digest_json(digest), "machine", chl_train_machine(t), "identity",
                            t->inside->fingerprint, "files", files);
    char *text = chl_json_text(run, JSON_COMPACT, refused);
    json_decref(run);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for a checkpoint");
    CHL_TRY(seal(into, text, &text));
    const int64_t length = (int64_t)strlen(text);
    void *data;
    chl_status status = chl_params_add(into, CHL_RUN, chl_make_desc(CHL_U8, 1, &length), &data);
    if (status == CHL_OK) memcpy(data, text, (size_t)length);
    free(text);
    return status;
}

chl_status chl_checkpoint_write(chl_trainer *t, int64_t step) {
    struct chl_trainer_private *p = t->inside;
    const int keep = t->options->keep > 0 ? t->options->keep : KEEP;
    char *path = NULL;
    chl_params *params = NULL;
    uint64_t digest;
    chl_status status;
    CHL_TRY_GOTO(chl_run_folder_file(&t->inside->folder, CHL_CHECKPOINT, &path));
    CHL_TRY_GOTO(chl_params_new(path, &params));
    CHL_TRY_GOTO(add_states(t, params, &digest));
    CHL_TRY_GOTO(add_run(t, step, digest, params));
    if (p->saved > 0 && p->saved != step && keep > 1)
        CHL_TRY_GOTO(chl_checkpoint_keep(&p->folder, p->saved));
    CHL_TRY_GOTO(chl_safetensors_write(params, CHL_ELEMENT_F32, path));
    p->saved = step;
    CHL_TRY_GOTO(chl_checkpoint_remove(&p->folder, step, keep));
done:
    if (status != CHL_OK && path)
        status = chl_fail_in(status, "cannot write %s after step %" PRId64, path, step);
    chl_params_free(params);
    free(path);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */
static chl_status read_file(const char *path, chl_params **out) {
    chl_file_bytes file;
    CHL_TRY(chl_params_new(path, out));
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){0}, &file));
    const chl_status status = chl_safetensors_parse(file.data, file.size, path, *out);
    chl_file_bytes_free(&file);
    CHL_TRY(status);
    for (int64_t i = 0; i < (*out)->count; i++)
        if ((*out)->array[i].problem)
            return chl_fail(CHL_ERR_FORMAT, "%s: \"%s\" cannot be read: %s", path,
                            (*out)->array[i].name, (*out)->array[i].problem);
    return CHL_OK;
}

/* An older version's text has no such key, and its header no digest. */
static chl_status check_header(const chl_params *params, const char *text, size_t length) {
    uint64_t digest;
    char want[HEADER_TAIL + 1];
    if (length < HEADER_TAIL) return CHL_OK;
    const char *tail = text + length - HEADER_TAIL;
    if (memcmp(tail, HEADER, sizeof HEADER - 1) != 0) return CHL_OK;
    CHL_TRY(header_digest(params, text, length - HEADER_TAIL, &digest));
    snprintf(want, sizeof want, HEADER "%016" PRIx64 "\"}", digest);
    if (memcmp(tail, want, HEADER_TAIL) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: the digest of its names, shapes and run differs from the one stored with "
                    "them: the file is damaged",
                    params->source);
}

/* The JSON text of the run; the reader of weights has turned its bytes into whole numbers. */
static chl_status read_run(const chl_params *params, json_t **run) {
    const chl_array *array = chl_params_find(params, CHL_RUN);
    *run = NULL;
    if (array && array->desc.dtype == CHL_I32) {
        const int64_t length = chl_count(&array->desc);
        char *text = malloc((size_t)length + 1);
        if (!text) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", params->source);
        for (int64_t i = 0; i < length; i++) text[i] = (char)((const int32_t *)array->data)[i];
        chl_status status = check_header(params, text, (size_t)length);
        if (status == CHL_OK)
            status = chl_json_read(text, (size_t)length, 0, params->source, run, NULL);
        free(text);
        CHL_TRY(status);
    }
    if (json_integer_value(json_object_get(*run, "step")) > 0) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: \"" CHL_RUN "\" must name a run and a step: it is no checkpoint of a "
                    "training, or a damaged one",
                    params->source);
}

/* The digest of all arrays but the run's, by their names. */
static chl_status check_digest(const chl_params *params, const json_t *run) {
    uint64_t digest = CHL_DIGEST_START;
    const chl_array **sorted;
    int64_t count;
    CHL_TRY(sort_arrays(params, &sorted, &count));
    for (int64_t i = 0; i < count; i++)
        digest = chl_digest(digest, sorted[i]->data, (size_t)chl_bytes(&sorted[i]->desc));
    free(sorted);
    char sum[24];
    snprintf(sum, sizeof sum, "%016" PRIx64, digest);
    const char *noted = json_string_value(json_object_get(run, "digest"));
    if (noted && strcmp(noted, sum) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: the digest of its arrays differs from the one stored with them: the file "
                    "is damaged",
                    params->source);
}

static chl_status check_states(const chl_trainer *t, const chl_params *params) {
    for (int64_t i = 0; i < t->inside->states; i++) {
        const chl_state *state = &t->inside->state[i];
        const chl_array *array = chl_params_find(params, state->name);
        const chl_desc *desc = chl_desc_of(t->graph, state->tensor);
        if (!array)
            return chl_fail(CHL_ERR_KEY, "%s: \"%s\" is missing", params->source, state->name);
        if (!chl_same_shape(&array->desc, desc)) {
            char have[96], want[96];
            return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" must be %s, got %s", params->source,
                            state->name, chl_shape_text(desc, want, sizeof want),
                            chl_shape_text(&array->desc, have, sizeof have));
        }
    }
    if (params->count != t->inside->states + 1)
        return chl_fail(CHL_ERR_KEY, "%s: it must hold %" PRId64 " arrays, got %" PRId64,
                        params->source, t->inside->states, params->count - 1);
    return CHL_OK;
}

static chl_status compare_machines(const chl_trainer *t, const json_t *before) {
    const uint64_t refused = chl_json_refused();
    json_t *now = chl_train_machine(t);
    char *a = before ? chl_json_text(before, JSON_COMPACT, refused) : strdup("another machine");
    char *b = chl_json_text(now, JSON_COMPACT, refused);
    const chl_status status =
        a && b ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a checkpoint");
    if (status == CHL_OK && !json_equal(before, now))
        chl_run_folder_note(&t->inside->folder, CHL_LOG_WARN,
                            "the run began on %s and goes on with %s: the last bits may differ "
                            "from a run that was never stopped",
                            a, b);
    free(a);
    free(b);
    json_decref(now);
    return status;
}

static chl_status upload(chl_trainer *t, const chl_params *params) {
    for (int64_t i = 0; i < t->inside->states; i++) {
        const chl_state *state = &t->inside->state[i];
        CHL_TRY(chl_write(t->graph, state->tensor, chl_params_find(params, state->name)->data));
    }
    return CHL_OK;
}

/* Of this step, 0: the newest. */
static chl_status read_one(const chl_run_folder *folder, int64_t step, chl_checkpoint *from) {
    char *path;
    chl_status status;
    CHL_TRY(chl_checkpoint_path(folder, step, &path));
    CHL_TRY_GOTO(read_file(path, &from->params));
    CHL_TRY_GOTO(read_run(from->params, &from->run));
    CHL_TRY_GOTO(chl_run_files_check(from->params, from->run));
    CHL_TRY_GOTO(check_digest(from->params, from->run));
done:
    free(path);
    if (status != CHL_OK) chl_checkpoint_forget(from);
    return status;
}

/* Whatever a reader says of a file but that there was no memory: a damaged header may be anything. */
static bool is_damage(chl_status status) {
    return status != CHL_OK && status != CHL_ERR_MEMORY;
}

/* Where the newest is damaged or missing, the newest one that is whole. */
static chl_status read_older(chl_trainer *t, chl_status first) {
    const chl_run_folder *folder = &t->inside->folder;
    int64_t *steps;
    int count;
    chl_status status = first;
    char *why = strdup(chl_error());
    if (!why) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", folder->path);
    const chl_status listed = chl_checkpoint_list(folder, &steps, &count);
    for (int i = 0; listed == CHL_OK && i < count && is_damage(status); i++) {
        status = read_one(folder, steps[i], &t->inside->from);
        if (status == CHL_OK)
            chl_run_folder_note(folder, CHL_LOG_WARN,
                                "%s; the run goes on from the checkpoint of step %" PRId64, why,
                                steps[i]);
    }
    if (listed == CHL_OK) free(steps);
    if (listed == CHL_ERR_MEMORY) status = listed;
    if (is_damage(status)) status = chl_fail(first, "%s", why);
    free(why);
    return status;
}

chl_status chl_checkpoint_read(chl_trainer *t) {
    struct chl_trainer_private *p = t->inside;
    const chl_status status = read_one(&p->folder, 0, &p->from);
    if (status == CHL_OK) {
        p->saved = json_integer_value(json_object_get(p->from.run, "step"));
        return CHL_OK;
    }
    return is_damage(status) ? read_older(t, status) : status;
}

chl_status chl_checkpoint_check(const chl_trainer *t) {
    const chl_checkpoint *from = &t->inside->from;
    return chl_run_check_fingerprint(t->training, from->params->source,
                                     json_object_get(from->run, "identity"),
                                     t->inside->fingerprint);
}

chl_status chl_checkpoint_apply(chl_trainer *t, int64_t *step) {
    chl_checkpoint *from = &t->inside->from;
    CHL_TRY(check_states(t, from->params));
    CHL_TRY(upload(t, from->params));
    CHL_TRY(compare_machines(t, json_object_get(from->run, "machine")));
    *step = json_integer_value(json_object_get(from->run, "step"));
    chl_params_free(from->params); /* the arrays; the graph has them */
    from->params = NULL;
    return CHL_OK;
}

void chl_checkpoint_forget(chl_checkpoint *checkpoint) {
    chl_params_free(checkpoint->params);
    json_decref(checkpoint->run);
    *checkpoint = (chl_checkpoint){0};
}
