/* The lines of pairs.jsonl and the arrays beside it, read once and checked. */
#include "train/dataset.h"
#include "base/file_bytes.h"
#include "base/json.h"
#include "base/names.h"
#include "base/random.h"
#include "graph/graph.h"
#include "io/npy.h"
#include "train/class_columns.h"
#include "train/sample_cache.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SAMPLES (1 << 30)
#define PURPOSE_ORDER 0x6f726472u /* Philox purpose of the permutations */

typedef struct reader {
    chl_dataset *data;
    const char *path; /* of pairs.jsonl */
    int64_t line, capacity;
    unsigned need;
    chl_names label, kind, source, group; /* by label_id, kind_id, ... */
} reader;

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
}

static chl_status join(const char *folder, const char *file, char **path) {
    *path = NULL;
    if (asprintf(path, "%s/%s", folder, file) < 0) return no_memory(folder);
    return CHL_OK;
}

/* --- one line --------------------------------------------------------------------------------- */
static chl_status read_text(const reader *r, const json_t *line, const char *key, const char **to) {
    const json_t *value = json_object_get(line, key);
    if (!value || json_is_null(value)) return CHL_OK;
    if (!json_is_string(value))
        return chl_fail(CHL_ERR_FORMAT, "%s line %" PRId64 ": \"%s\" is not a text", r->path,
                        r->line, key);
    *to = strdup(json_string_value(value));
    return *to ? CHL_OK : no_memory(r->path);
}

static chl_status read_strength(const reader *r, const json_t *line, chl_sample *to) {
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

/* The whole path of a file that the line names. A file that is needed must exist. */
static chl_status read_file_name(const reader *r, const json_t *line, const char *key,
                                 unsigned needed, const char **to) {
    const char *name = NULL;
    CHL_TRY(read_text(r, line, key, &name));
    if (!name) return CHL_OK;
    char *path = NULL;
    chl_status status = CHL_OK;
    if (name[0] == '/')
        path = strdup(name);
    else
        status = join(r->data->folder, name, &path);
    free((void *)name);
    *to = path;
    if (status != CHL_OK || !path) return status != CHL_OK ? status : no_memory(r->path);
    if ((r->need & needed) && access(path, R_OK) != 0)
        return chl_fail(CHL_ERR_IO, "%s line %" PRId64 ": \"%s\": %s: %s", r->path, r->line, key,
                        path, strerror(errno));
    return CHL_OK;
}

/* The number of the text among those seen so far, -1 for none. */
static chl_status number_of(const reader *r, const char *text, chl_names *names, int *id) {
    *id = -1;
    if (!text) return CHL_OK;
    *id = chl_names_add(names, text); /* which keeps the sample's own text */
    return *id >= 0 ? CHL_OK : no_memory(r->path);
}

static chl_status check_needs(const reader *r, const chl_sample *s) {
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
                            "%s line %" PRId64 ": \"%s\" is missing, which this training needs",
                            r->path, r->line, wanted[i].key);
    return CHL_OK;
}

static chl_status read_sample(reader *r, const json_t *line) {
    chl_dataset *data = r->data;
    if (data->count == r->capacity) {
        const int64_t capacity = r->capacity ? 2 * r->capacity : 1024;
        if (capacity > MAX_SAMPLES) return no_memory(r->path);
        chl_sample *grown = realloc(data->sample, (size_t)capacity * sizeof *grown);
        if (!grown) return no_memory(r->path);
        data->sample = grown;
        r->capacity = capacity;
    }
    chl_sample *s = &data->sample[data->count++];
    *s = (chl_sample){.line = r->line};
    CHL_TRY(read_file_name(r, line, "sound", CHL_NEED_SOUND, &s->sound));
    CHL_TRY(read_file_name(r, line, "picture", CHL_NEED_PICTURE, &s->picture));
    CHL_TRY(read_text(r, line, "label", &s->label));
    CHL_TRY(read_text(r, line, "caption", &s->caption));
    CHL_TRY(read_text(r, line, "kind", &s->kind));
    CHL_TRY(read_text(r, line, "source", &s->source));
    CHL_TRY(read_strength(r, line, s));
    CHL_TRY(chl_class_columns_add(data->classes, data->count - 1, line));
    CHL_TRY(number_of(r, s->label, &r->label, &s->label_id));
    CHL_TRY(number_of(r, s->kind, &r->kind, &s->kind_id));
    CHL_TRY(number_of(r, s->source, &r->source, &s->source_id));
    CHL_TRY(number_of(r, s->kind ? s->kind : s->label, &r->group, &s->group_id));
    return check_needs(r, s);
}

/* --- the file --------------------------------------------------------------------------------- */
static bool blank(const char *text) {
    return text[strspn(text, " \t\r\n")] == 0;
}

static chl_status read_line(reader *r, const char *text, size_t length) {
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

static chl_status read_lines(reader *r) {
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
    if (status == CHL_OK && r->data->count == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: it holds no samples", r->path);
    return status;
}

/* --- the arrays ------------------------------------------------------------------------------- */
/* CHL_OK with *data NULL when there is no such file. */
static chl_status read_array(const chl_dataset *data, const char *file, int rank, chl_desc *desc,
                             float **out) {
    char *path;
    void *array = NULL;
    CHL_TRY(join(data->folder, file, &path));
    chl_status status = CHL_OK;
    if (access(path, F_OK) == 0)
        status = chl_npy_read(path, desc, &array);
    else if (errno != ENOENT)
        status = chl_fail(CHL_ERR_IO, "%s: %s", path, strerror(errno));
    if (array && (desc->dtype != CHL_F32 || desc->rank != rank)) {
        char text[96];
        status = chl_fail(CHL_ERR_SHAPE, "%s: it is %s %s; %d axes of float32 are expected", path,
                          desc->dtype == CHL_F32 ? "float32" : "whole numbers",
                          chl_shape_text(desc, text, sizeof text), rank);
    }
    for (int64_t i = 0; status == CHL_OK && array && i < chl_count(desc); i++)
        if (!isfinite(((float *)array)[i]))
            status = chl_fail(CHL_ERR_NUMERIC, "%s: element %" PRId64 " is not finite", path, i);
    free(path);
    if (status != CHL_OK) {
        free(array);
        return status;
    }
    *out = array;
    return CHL_OK;
}

/* One row for each sample: *width numbers of it. NULL without the file. */
static chl_status read_rows(const chl_dataset *data, const char *name, int *width, float **out) {
    chl_desc desc;
    CHL_TRY(read_array(data, name, 2, &desc, out));
    if (!*out) return CHL_OK;
    *width = (int)desc.dim[1];
    if (desc.dim[0] == data->count) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "%s/%s: %" PRId64 " rows for the %" PRId64 " samples of pairs.jsonl",
                    data->folder, name, desc.dim[0], data->count);
}

static chl_status read_arrays(chl_dataset *data, unsigned need) {
    chl_desc desc;
    CHL_TRY(read_rows(data, "latents.npy", &data->latent, &data->latents));
    CHL_TRY(read_rows(data, "attributes.npy", &data->attribute, &data->attributes));
    if (!data->latents && need & CHL_NEED_LATENT) {
        return chl_fail(CHL_ERR_IO, "%s/latents.npy is missing, which this training needs",
                        data->folder);
    }
    CHL_TRY(read_array(data, "textures.npy", 3, &desc, &data->texture));
    if (!data->texture) return CHL_OK;
    if (desc.dim[1] != desc.dim[2])
        return chl_fail(CHL_ERR_SHAPE, "%s/textures.npy: %" PRId64 " x %" PRId64 " is no square",
                        data->folder, desc.dim[1], desc.dim[2]);
    data->textures = (int)desc.dim[0];
    data->texture_side = (int)desc.dim[1];
    return CHL_OK;
}

/* --- the folder ------------------------------------------------------------------------------- */
chl_status chl_dataset_open(const char *folder, unsigned need, chl_dataset **out) {
    *out = NULL;
    chl_dataset *data = calloc(1, sizeof *data);
    if (!data) return no_memory(folder);
    char *path = NULL;
    chl_status status;
    reader r = {.data = data, .need = need};
    data->folder = strdup(folder);
    CHL_TRY_GOTO(data->folder ? join(folder, "pairs.jsonl", &path) : no_memory(folder));
    r.path = path;
    CHL_TRY_GOTO(chl_class_columns_new(&data->classes));
    CHL_TRY_GOTO(read_lines(&r));
    data->labels = r.label.count;
    data->kinds = r.kind.count;
    data->sources = r.source.count;
    data->groups = r.group.count;
    data->kind_name = r.kind.name;
    r.kind.name = NULL;
    CHL_TRY_GOTO(chl_class_columns_finish(data->classes, data->count));
    CHL_TRY_GOTO(read_arrays(data, need));
    CHL_TRY_GOTO(chl_sample_cache_new(data->count, &data->cache));
    *out = data;
    data = NULL;
done:
    chl_names_free(&r.label);
    chl_names_free(&r.kind);
    chl_names_free(&r.source);
    chl_names_free(&r.group);
    free(path);
    chl_dataset_free(data);
    return status;
}

void chl_dataset_free(chl_dataset *dataset) {
    if (!dataset) return;
    for (int64_t i = 0; i < dataset->count; i++) {
        const chl_sample *s = &dataset->sample[i];
        free((void *)s->sound);
        free((void *)s->picture);
        free((void *)s->label);
        free((void *)s->caption);
        free((void *)s->kind);
        free((void *)s->source);
    }
    chl_sample_cache_free(dataset->cache);
    chl_class_columns_free(dataset->classes);
    free(dataset->order);
    free(dataset->sample);
    free((void *)dataset->kind_name);
    free(dataset->latents);
    free(dataset->attributes);
    free(dataset->texture);
    free(dataset->folder);
    free(dataset);
}

/* --- by sample -------------------------------------------------------------------------------- */
const int *chl_dataset_classes(const chl_dataset *dataset, const char *key) {
    return chl_class_columns_find(dataset->classes, key);
}

static chl_status check_class(const chl_dataset *data, int64_t sample, const char *key, int classes,
                              int class) {
    const char *folder = data->folder;
    const int64_t line = data->sample[sample].line;
    if (class == CHL_CLASS_ABSENT)
        return chl_fail(CHL_ERR_KEY,
                        "%s/pairs.jsonl line %" PRId64 ": the whole number \"%s\" is missing",
                        folder, line, key);
    if (class == CHL_CLASS_INVALID)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s/pairs.jsonl line %" PRId64 ": \"%s\" must be a whole number from 0 up",
                        folder, line, key);
    if (classes > 0 && class >= classes)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s/pairs.jsonl line %" PRId64 ": \"%s\" must be 0 to %d, got %d", folder,
                        line, key, classes - 1, class);
    return CHL_OK;
}

chl_status chl_dataset_require_classes(const chl_dataset *dataset, const char *key, int classes,
                                       const int **out) {
    *out = chl_dataset_classes(dataset, key);
    for (int64_t i = 0; i < dataset->count; i++)
        CHL_TRY(check_class(dataset, i, key, classes, *out ? (*out)[i] : CHL_CLASS_ABSENT));
    return CHL_OK;
}

static chl_status check_index(const chl_dataset *dataset, int64_t index) {
    if (index >= 0 && index < dataset->count) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s: sample must be 0 to %" PRId64 ", got %" PRId64,
                    dataset->folder, dataset->count - 1, index);
}

chl_status chl_dataset_picture(chl_dataset *dataset, int64_t index, int side,
                               const uint8_t **pixels) {
    CHL_TRY(check_index(dataset, index));
    const char *path = dataset->sample[index].picture;
    if (!path)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: sample %" PRId64 " has no \"picture\"",
                        dataset->folder, index);
    if (side < 1) return chl_fail(CHL_ERR_ARGUMENT, "side must be >= 1, got %d", side);
    return chl_sample_cache_picture(dataset->cache, index, path, side, pixels);
}

chl_status chl_dataset_mels(chl_dataset *dataset, int count, const int64_t *index,
                            const float **mel, int64_t *frames) {
    const char **path = calloc((size_t)count + 1, sizeof *path);
    chl_status status = path ? CHL_OK : no_memory(dataset->folder);
    for (int i = 0; i < count && status == CHL_OK; i++) {
        status = check_index(dataset, index[i]);
        if (status != CHL_OK) break;
        path[i] = dataset->sample[index[i]].sound;
        if (!path[i])
            status = chl_fail(CHL_ERR_ARGUMENT, "%s: sample %" PRId64 " has no \"sound\"",
                              dataset->folder, index[i]);
    }
    if (status == CHL_OK)
        status = chl_sample_cache_mels(dataset->cache, count, index, path, mel, frames);
    free(path);
    return status;
}

/* --- batches ---------------------------------------------------------------------------------- */
/* An epoch's permutation, kept from step to step. */
struct chl_epoch_order {
    uint64_t seed;
    int64_t epoch;
    int64_t sample[]; /* [count] */
};

static chl_status order_epoch(chl_dataset *dataset, uint64_t seed, int64_t epoch) {
    struct chl_epoch_order *order = dataset->order;
    if (order && order->seed == seed && order->epoch == epoch) return CHL_OK;
    if (!order) {
        order = malloc(sizeof *order + (size_t)dataset->count * sizeof order->sample[0]);
        if (!order) return no_memory(dataset->folder);
        dataset->order = order;
    }
    order->seed = seed;
    order->epoch = epoch;
    chl_random_permutation(seed, PURPOSE_ORDER, (uint64_t)epoch, dataset->count, order->sample);
    return CHL_OK;
}

chl_status chl_dataset_batch(chl_dataset *dataset, uint64_t seed, int64_t index, int batch,
                             int64_t *indices) {
    if (batch < 1 || batch > dataset->count)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: batch must be 1 to %" PRId64
                        ", the number of samples, got %d: use a smaller batch or more data",
                        dataset->folder, dataset->count, batch);
    const int64_t an_epoch = dataset->count / batch;
    CHL_TRY(order_epoch(dataset, seed, index / an_epoch));
    memcpy(indices, dataset->order->sample + index % an_epoch * batch,
           (size_t)batch * sizeof *indices);
    return CHL_OK;
}
