/* The files of a run folder as one whole.
 *
 * The checkpoint is the mark of a step: it is written last, and says what the other files hold. A
 * run that dies anywhere leaves the old checkpoint, and what is newer or missing beside it is made
 * from it when the run resumes:
 *
 *     stats.jsonl              lines beyond the checkpoint's step are cut off (run_folder.c)
 *     events.out.tfevents...   a function of stats.jsonl (run_stats.c)
 *     losses.png               the same, drawn at the end
 *     model.safetensors        a function of the checkpoint's arrays; the checkpoint has its digest
 *     merges.txt               the checkpoint has the whole text
 *     options.json             written at every start
 *
 * What must be on the disk before what, so that a power failure is no worse than a kill: the bytes
 * of a file before its name (chl_new_file_commit: fsync, then rename); stats.jsonl and the names of
 * all files before the checkpoint's name; the checkpoint's name before "saved" is said. */
#include "base/file_bytes.h"
#include "io/safetensors.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the model -------------------------------------------------------------------------------- */
chl_status chl_run_files_model(chl_trainer *t) {
    char *path = NULL;
    chl_params *params = NULL;
    chl_status status;
    CHL_TRY_GOTO(chl_run_folder_file(&t->inside->folder, CHL_MODEL, &path));
    CHL_TRY_GOTO(chl_params_new(path, &params));
    CHL_TRY_GOTO(t->training->save(t, params));
    CHL_TRY_GOTO(chl_safetensors_write(params, CHL_ELEMENT_F32, path));
done:
    chl_params_free(params);
    free(path);
    return status;
}

static chl_status model_digest(const chl_trainer *t, json_t **out) {
    char *path;
    uint64_t digest;
    CHL_TRY(chl_run_folder_file(&t->inside->folder, CHL_MODEL, &path));
    chl_status status = chl_file_digest(path, &digest);
    free(path);
    CHL_TRY(status);
    *out = chl_digest_json(digest);
    return *out ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a digest");
}

/* --- what the checkpoint keeps of the other files --------------------------------------------- */
static uint64_t text_digest(const json_t *text) {
    const size_t size = json_string_length(text);
    return chl_digest(CHL_DIGEST_START ^ size, json_string_value(text), size);
}

chl_status chl_run_files_json(const chl_trainer *t, json_t **out) {
    const char *file;
    json_t *text, *digest;
    *out = json_object();
    CHL_TRY(model_digest(t, &digest));
    CHL_TRY(chl_json_put(*out, CHL_MODEL, json_pack("{s:o}", "digest", digest)));
    json_object_foreach(t->inside->texts, file, text) CHL_TRY(chl_json_put(
        *out, file,
        json_pack("{s:o,s:O}", "digest", chl_digest_json(text_digest(text)), "text", text)));
    return CHL_OK;
}

/* The digest that is noted for a file, or NULL. */
static const json_t *noted(const json_t *run, const char *file) {
    return json_object_get(json_object_get(json_object_get(run, "files"), file), "digest");
}

static bool has_digest(const json_t *digest, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_is_string(digest) && strcmp(json_string_value(digest), text) == 0;
}

chl_status chl_run_files_check(const chl_params *params, const json_t *run) {
    const char *file;
    json_t *entry;
    json_object_foreach(json_object_get(run, "files"), file, entry) {
        const json_t *text = json_object_get(entry, "text");
        if (text && (!json_is_string(text) || !has_digest(noted(run, file), text_digest(text))))
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: the digest of its copy of %s differs from the one stored with it: "
                            "the file is damaged",
                            params->source, file);
    }
    return CHL_OK;
}

/* --- texts ------------------------------------------------------------------------------------ */
static chl_status copy_text(const void *data, size_t size, char **text) {
    *text = malloc(size + 1);
    if (!*text) return chl_fail(CHL_ERR_MEMORY, "out of memory for a text of the run folder");
    memcpy(*text, data, size);
    (*text)[size] = 0;
    return CHL_OK;
}

static chl_status read_text(const chl_trainer *t, const char *file, char **text, size_t *size) {
    char *path;
    chl_file_bytes bytes;
    CHL_TRY(chl_run_folder_file(&t->inside->folder, file, &path));
    chl_status status = chl_file_bytes_read(path, &(chl_file_rules){0}, &bytes);
    if (status == CHL_OK) {
        *size = bytes.size;
        status = copy_text(bytes.data, bytes.size, text);
        chl_file_bytes_free(&bytes);
    }
    free(path);
    return status;
}

/* From the checkpoint, from the folder, or made. */
static chl_status find_text(const chl_trainer *t, const char *file, chl_make_text make, char **text,
                            size_t *size) {
    const json_t *run = t->inside->from.run;
    const json_t *kept =
        json_object_get(json_object_get(json_object_get(run, "files"), file), "text");
    if (kept) {
        *size = json_string_length(kept);
        return copy_text(json_string_value(kept), *size, text);
    }
    bool there = false;
    if (run) CHL_TRY(chl_run_folder_has(&t->inside->folder, file, &there));
    return there ? read_text(t, file, text, size) : make(t, text, size);
}

/* Rank 0 writes the file where it is missing or differs; says so where `checked`. */
static chl_status put_text(const chl_trainer *t, const char *file, const char *text, size_t size,
                           bool checked) {
    const chl_run_folder *folder = &t->inside->folder;
    char *path;
    uint64_t digest;
    if (t->rank > 0) return CHL_OK;
    CHL_TRY(chl_run_folder_file(folder, file, &path));
    const bool same = chl_file_digest(path, &digest) == CHL_OK &&
                      digest == chl_digest(CHL_DIGEST_START ^ size, text, size);
    free(path);
    if (same) return CHL_OK;
    if (checked)
        chl_run_folder_note(folder, CHL_LOG_WARN,
                            "%s/%s was missing or is not what the checkpoint says: it is written "
                            "again",
                            folder->path, file);
    return chl_run_folder_text(folder, file, text, size);
}

chl_status chl_trainer_text(chl_trainer *t, const char *file, chl_make_text make, char **text,
                            size_t *size) {
    struct chl_trainer_private *p = t->inside;
    chl_status status;
    *text = NULL;
    if (!p->texts) p->texts = json_object();
    CHL_TRY(find_text(t, file, make, text, size));
    CHL_TRY_GOTO(chl_json_put(p->texts, file, json_stringn(*text, *size)));
    CHL_TRY_GOTO(put_text(t, file, *text, *size, p->from.run != NULL));
done:
    if (status != CHL_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

/* --- options.json ----------------------------------------------------------------------------- */
chl_status chl_run_files_options(const chl_trainer *t) {
    json_t *options = NULL;
    char *dump = NULL, *text = NULL;
    const uint64_t refused = chl_json_refused();
    chl_status status;
    CHL_TRY_GOTO(chl_train_options_json(t->options, &options));
    CHL_TRY_GOTO(chl_json_put(options, "machine", chl_train_machine(t)));
    dump = chl_json_text(options, JSON_INDENT(2) | JSON_REAL_PRECISION(9), refused);
    if (!dump || asprintf(&text, "%s\n", dump) < 0)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for " CHL_OPTIONS));
    CHL_TRY_GOTO(put_text(t, CHL_OPTIONS, text, strlen(text), false));
done:
    json_decref(options);
    free(dump);
    free(text);
    return status;
}

/* --- resuming --------------------------------------------------------------------------------- */
chl_status chl_run_files_repair(chl_trainer *t, int64_t step) {
    const chl_run_folder *folder = &t->inside->folder;
    const json_t *run = t->inside->from.run;
    char *path;
    uint64_t digest;
    CHL_TRY(chl_run_folder_file(folder, CHL_MODEL, &path));
    const bool same =
        chl_file_digest(path, &digest) == CHL_OK && has_digest(noted(run, CHL_MODEL), digest);
    free(path);
    if (!same) {
        chl_run_folder_note(folder, noted(run, CHL_MODEL) ? CHL_LOG_WARN : CHL_LOG_INFO,
                            "%s/" CHL_MODEL " was missing or is not that of step %" PRId64
                            ": it is written again from the checkpoint",
                            folder->path, step);
        CHL_TRY(chl_run_files_model(t));
    }
    return chl_run_folder_sync(folder);
}
