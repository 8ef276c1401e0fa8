/* The lines of pairs.jsonl, read once and checked. */
#include "base/decibels.h"
#include "base/file_bytes.h"
#include "base/json.h"
#include "data/captions.h"
#include "train/class_columns.h"
#include "train/dataset_private.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
}

/* --- one line --------------------------------------------------------------------------------- */
static chl_status read_text(const chl_sample_reader *r, const json_t *line, const char *key,
                            const char **to) {
    const json_t *value = json_object_get(line, key);
    if (!value || json_is_null(value)) return CHL_OK;
    if (!json_is_string(value))
        return chl_fail(CHL_ERR_FORMAT, "%s line %" PRId64 ": \"%s\" is not a text", r->path,
                        r->line, key);
    *to = strdup(json_string_value(value));
    return *to ? CHL_OK : no_memory(r->path);
}

/* A text, or a list of texts of which the first is the caption. */
static chl_status read_captions(const chl_sample_reader *r, const json_t *line, chl_sample *to) {
    const json_t *value = json_object_get(line, "caption");
    size_t i;
    json_t *one;
    if (!json_is_array(value)) return read_text(r, line, "caption", &to->caption);
    json_array_foreach(value, i, one) if (!json_is_string(one)) return chl_fail(
        CHL_ERR_FORMAT, "%s line %" PRId64 ": number %zu of \"caption\" is not a text", r->path,
        r->line, i + 1);
    char *lines;
    CHL_TRY(chl_captions_of_list(value, &lines));
    to->captions = lines;
    if (json_array_size(value) == 0) return CHL_OK;
    to->caption = strdup(json_string_value(json_array_get(value, 0)));
    return to->caption ? CHL_OK : no_memory(r->path);
}

static chl_status read_strength(const chl_sample_reader *r, const json_t *line, chl_sample *to) {
    const json_t *value = json_object_get(line, "strength");
    to->strength = 1;
    to->strength_given = value && !json_is_null(value);
    if (!to->strength_given) return CHL_OK;
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return chl_fail(CHL_ERR_FORMAT, "%s line %" PRId64 ": \"strength\" is not a number",
                        r->path, r->line);
    to->strength = (float)json_number_value(value);
    return CHL_OK;
}

static chl_status read_level(const chl_sample_reader *r, const json_t *line, chl_sample *to) {
    const json_t *value = json_object_get(line, "level_db");
    to->level_db = NAN;
    if (!value || json_is_null(value)) return CHL_OK;
    const double level = json_is_number(value) ? json_number_value(value) : NAN;
    if (!chl_is_level(level))
        return chl_fail(CHL_ERR_FORMAT, "%s line %" PRId64 ": \"level_db\" must be " CHL_LEVELS,
                        r->path, r->line);
    to->level_db = (float)level;
    return CHL_OK;
}

/* "train", or a fold's number as a text or as itself. */
static chl_status read_split(const chl_sample_reader *r, const json_t *line, const char *key,
                             const char **to) {
    const json_t *value = json_object_get(line, key);
    char number[24];
    if (!json_is_integer(value)) {
        if (!value || json_is_null(value) || json_is_string(value))
            return read_text(r, line, key, to);
        return chl_fail(CHL_ERR_FORMAT,
                        "%s line %" PRId64 ": \"%s\" is neither a text nor a whole number", r->path,
                        r->line, key);
    }
    snprintf(number, sizeof number, "%" PRId64, (int64_t)json_integer_value(value));
    *to = strdup(number);
    return *to ? CHL_OK : no_memory(r->path);
}

/* Of the chosen splits or folds? The fold's number becomes a class of the line, also where it is a
 * text. */
static chl_status is_wanted(chl_sample_reader *r, json_t *line, chl_sample *s, bool *wanted) {
    const chl_source_choice choice = {.split = r->choice->split};
    const char *fold = NULL;
    CHL_TRY(read_split(r, line, "split", &s->split));
    CHL_TRY(read_split(r, line, "fold", &fold));
    const int number = chl_source_fold(fold);
    if (s->split)
        free((void *)fold);
    else
        s->split = fold;
    r->splits = r->splits || s->split;
    *wanted = chl_source_wants(&choice, s->split, number);
    return number == 0 ? CHL_OK : chl_json_put(line, "fold", json_integer(number));
}

/* The whole path of a file that the line names. */
static chl_status read_file_name(const chl_sample_reader *r, const json_t *line, const char *key,
                                 const char **to) {
    const char *name = NULL;
    CHL_TRY(read_text(r, line, key, &name));
    if (!name) return CHL_OK;
    char *path;
    if (asprintf(&path, "%s%s%s", name[0] == '/' ? "" : r->data->folder, name[0] == '/' ? "" : "/",
                 name) < 0)
        path = NULL;
    free((void *)name);
    *to = path;
    return path ? CHL_OK : no_memory(r->path);
}

/* A file that is needed must exist; where some may be missing, a line without its sound is left out
 * (*dropped), and one without its picture has none. */
static chl_status check_files(const chl_sample_reader *r, chl_sample *s, bool *dropped) {
    const struct {
        unsigned need;
        const char *key, **path;
    } files[] = {{CHL_NEED_SOUND, "sound", &s->sound}, {CHL_NEED_PICTURE, "picture", &s->picture}};
    *dropped = false;
    for (int i = 0; i < 2 && !*dropped; i++) {
        const char *path = *files[i].path;
        const bool needed = r->need & files[i].need, may_miss = r->choice->tolerate > 0;
        if (!path || !(needed || may_miss) || access(path, R_OK) == 0) continue;
        if (!may_miss)
            return chl_fail(CHL_ERR_IO, "%s line %" PRId64 ": \"%s\": %s: %s", r->path, r->line,
                            files[i].key, path, strerror(errno));
        CHL_TRY(chl_left_out_missing(r->data->left_out, path, strerror(errno)));
        *dropped = needed;
        if (needed) continue;
        free((void *)path);
        *files[i].path = NULL;
    }
    return CHL_OK;
}

static chl_status check_needs(const chl_sample_reader *r, const chl_sample *s) {
    const struct {
        unsigned need;
        bool there;
        const char *key;
    } wanted[] = {{CHL_NEED_SOUND, s->sound, "sound"},
                  {CHL_NEED_PICTURE, s->picture, "picture"},
                  {CHL_NEED_LABEL, s->label, "label"},
                  {CHL_NEED_CAPTION, s->caption, "caption"},
                  {CHL_NEED_KIND, s->kind, "kind"}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if ((r->need & wanted[i].need) && !wanted[i].there)
            return chl_fail(CHL_ERR_KEY,
                            "%s line %" PRId64 ": \"%s\" is missing, which is needed here", r->path,
                            r->line, wanted[i].key);
    return CHL_OK;
}

static chl_status drop(chl_sample_reader *r, const chl_sample *s) {
    chl_sample_release(s);
    r->data->count--;
    return CHL_OK;
}

static chl_status read_sample(chl_sample_reader *r, json_t *line) {
    chl_sample *s;
    bool wanted, dropped;
    CHL_TRY(chl_sample_add(r, &s));
    s->row = r->rows++;
    CHL_TRY(is_wanted(r, line, s, &wanted));
    if (!wanted) return drop(r, s);
    CHL_TRY(read_file_name(r, line, "sound", &s->sound));
    CHL_TRY(read_file_name(r, line, "picture", &s->picture));
    if (s->sound && !s->picture && chl_names_video(s->sound)) {
        s->picture = strdup(s->sound);
        if (!s->picture) return no_memory(r->path);
    }
    CHL_TRY(check_files(r, s, &dropped));
    if (dropped) return drop(r, s);
    CHL_TRY(read_text(r, line, "label", &s->label));
    CHL_TRY(read_captions(r, line, s));
    CHL_TRY(read_text(r, line, "kind", &s->kind));
    CHL_TRY(read_text(r, line, "source", &s->source));
    CHL_TRY(read_strength(r, line, s));
    CHL_TRY(read_level(r, line, s));
    CHL_TRY(chl_class_columns_add(r->data->classes, r->data->count - 1, line));
    CHL_TRY(chl_sample_number(r, s));
    return check_needs(r, s);
}

/* --- the file --------------------------------------------------------------------------------- */
static chl_status check_count(const chl_sample_reader *r) {
    if (r->choice->split && r->rows > 0 && !r->splits)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "split must be left out for %s, got \"%s\": none of its lines has "
                        "\"split\" or \"fold\"",
                        r->path, r->choice->split);
    if (r->data->count > 0 || chl_left_out_count(r->data->left_out) > 0) return CHL_OK;
    return r->rows > 0 ? chl_fail(CHL_ERR_FORMAT, "%s names no sound of the chosen ones", r->path)
                       : chl_fail(CHL_ERR_FORMAT, "%s: it holds no samples", r->path);
}

static bool blank(const char *text) {
    return text[strspn(text, " \t\r\n")] == 0;
}

static chl_status read_line(chl_sample_reader *r, const char *text, size_t length) {
    json_error_t error;
    json_t *line;
    CHL_TRY(chl_json_read(text, length, JSON_REJECT_DUPLICATES, r->path, &line, &error));
    if (!json_is_object(line)) {
        const char *why = line ? "it is no object" : error.text;
        chl_status status = chl_fail(CHL_ERR_FORMAT, "%s line %" PRId64 " is not a JSON object: %s",
                                     r->path, r->line, why);
        json_decref(line);
        return status;
    }
    chl_status status = read_sample(r, line);
    json_decref(line);
    return status;
}

chl_status chl_pairs_read(chl_sample_reader *r) {
    chl_open_file opened;
    const chl_status there = chl_file_open(r->path, false, &opened);
    if (there != CHL_OK)
        return chl_fail_in(there, "a data folder has a file pairs.jsonl, one JSON object a line");
    FILE *file = fdopen(opened.descriptor, "r");
    if (!file) {
        close(opened.descriptor);
        return chl_fail(CHL_ERR_MEMORY, "%s: %s", r->path, strerror(errno));
    }
    char *text = NULL;
    size_t size = 0;
    chl_status status = CHL_OK;
    for (ssize_t length; status == CHL_OK && (length = getline(&text, &size, file)) >= 0;) {
        r->line++;
        if (!blank(text)) status = read_line(r, text, (size_t)length);
    }
    if (status == CHL_OK && !feof(file)) /* getline stops for memory too, which is no ferror */
        status = chl_fail(errno == ENOMEM ? CHL_ERR_MEMORY : CHL_ERR_IO,
                          "%s: it cannot be read to its end: %s", r->path, strerror(errno));
    free(text);
    fclose(file);
    return status == CHL_OK ? check_count(r) : status;
}
