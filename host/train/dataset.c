/* A data set: its samples, the arrays beside them, what is decoded of them, and batches. */
#include "base/free.h"
#include "base/random.h"
#include "graph/graph.h"
#include "io/npy.h"
#include "train/class_columns.h"
#include "train/dataset_private.h"
#include "train/sample_cache.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PURPOSE_ORDER 0x6f726472u /* Philox purpose of the permutations */

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
}

static chl_status join(const char *folder, const char *file, char **path) {
    *path = NULL;
    if (asprintf(path, "%s/%s", folder, file) < 0) return no_memory(folder);
    return CHL_OK;
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

/* One row for each line, of which the samples' are kept: *width numbers of it. NULL without the
 * file. */
static chl_status read_rows(const chl_sample_reader *r, const char *name, int *width, float **out) {
    const chl_dataset *data = r->data;
    chl_desc desc;
    CHL_TRY(read_array(data, name, 2, &desc, out));
    if (!*out) return CHL_OK;
    *width = (int)desc.dim[1];
    if (desc.dim[0] != r->rows)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s/%s: %" PRId64 " rows for the %" PRId64 " samples of pairs.jsonl",
                        data->folder, name, desc.dim[0], r->rows);
    for (int64_t i = 0; i < data->count; i++)
        memmove(*out + i * desc.dim[1], *out + data->sample[i].row * desc.dim[1],
                (size_t)desc.dim[1] * sizeof **out);
    return CHL_OK;
}

static chl_status read_arrays(const chl_sample_reader *r) {
    chl_dataset *data = r->data;
    chl_desc desc;
    CHL_TRY(read_rows(r, "latents.npy", &data->latent, &data->latents));
    CHL_TRY(read_rows(r, "attributes.npy", &data->attribute, &data->attributes));
    if (!data->latents && r->need & CHL_NEED_LATENT)
        return chl_fail(CHL_ERR_IO, "%s/latents.npy is missing, which is needed here",
                        data->folder);
    CHL_TRY(read_array(data, "textures.npy", 3, &desc, &data->texture));
    if (!data->texture) return CHL_OK;
    if (desc.dim[1] != desc.dim[2])
        return chl_fail(CHL_ERR_SHAPE, "%s/textures.npy: %" PRId64 " x %" PRId64 " is no square",
                        data->folder, desc.dim[1], desc.dim[2]);
    data->textures = (int)desc.dim[0];
    data->texture_side = (int)desc.dim[1];
    return CHL_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */
static bool is_pairs_file(const char *path) {
    const char *dot = strrchr(path, '.');
    struct stat about;
    return dot && strcmp(dot, ".jsonl") == 0 && stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
}

/* The list of samples, and whether it is a pairs.jsonl or a manifest like it. A folder without one,
 * of no other layout, is told that it lacks it. */
static chl_status find_list(chl_dataset *data, const char *path, bool *pairs) {
    char *file = NULL;
    *pairs = is_pairs_file(path);
    if (*pairs) {
        const char *slash = strrchr(path, '/');
        data->folder =
            slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup(".");
        data->list = strdup(path);
        return data->folder && data->list ? CHL_OK : no_memory(path);
    }
    data->folder = strdup(path);
    if (!data->folder) return no_memory(path);
    CHL_TRY(join(path, "pairs.jsonl", &file));
    *pairs = access(file, F_OK) == 0;
    data->list = *pairs ? file : strdup(path);
    if (!*pairs) free(file);
    return data->list ? CHL_OK : no_memory(path);
}

static chl_status read_samples(chl_sample_reader *r) {
    chl_dataset *data = r->data;
    bool pairs;
    CHL_TRY(find_list(data, r->path, &pairs));
    r->path = data->list;
    CHL_TRY(chl_class_columns_new(&data->classes));
    CHL_TRY(pairs ? chl_pairs_read(r) : chl_source_samples(r));
    data->labels = r->label.count;
    data->kinds = r->kind.count;
    data->sources = r->source.count;
    data->groups = r->group.count;
    data->kind_name = r->kind.name;
    r->kind.name = NULL;
    CHL_TRY(chl_class_columns_finish(data->classes, data->count));
    CHL_TRY(chl_left_out_begin(data->left_out, data->list, data->count));
    /* so that a run goes on as it began when files of its lines are missing */
    const bool whole = chl_left_out_count(data->left_out) == 0 || r->need & CHL_NEED_LATENT;
    return pairs && whole ? read_arrays(r) : CHL_OK;
}

chl_status chl_dataset_open_chosen(const char *path, unsigned need,
                                   const chl_dataset_choice *choice, chl_dataset **out) {
    *out = NULL;
    chl_dataset *data = calloc(1, sizeof *data);
    if (!data) return no_memory(path);
    chl_status status;
    chl_mel_store *store = NULL;
    chl_sample_reader r = {.data = data, .path = path, .need = need, .choice = choice};
    CHL_TRY_GOTO(chl_left_out_new(choice->tolerate, choice->left_out, &data->left_out));
    CHL_TRY_GOTO(read_samples(&r));
    if (choice->mels) CHL_TRY_GOTO(chl_mel_store_open(choice->mels, &store));
    CHL_TRY_GOTO(chl_sample_cache_new(data->count, choice->memory, store, &data->cache));
    *out = data;
    data = NULL;
done:
    chl_names_free(&r.label);
    chl_names_free(&r.kind);
    chl_names_free(&r.source);
    chl_names_free(&r.group);
    chl_dataset_free(data);
    return status;
}

chl_status chl_dataset_open(const char *path, unsigned need, chl_dataset **out) {
    return chl_dataset_open_chosen(path, need, &(chl_dataset_choice){0}, out);
}

void chl_dataset_free(chl_dataset *dataset) {
    if (!dataset) return;
    for (int64_t i = 0; i < dataset->count; i++) chl_sample_release(&dataset->sample[i]);
    chl_source_free(dataset->from);
    chl_left_out_free(dataset->left_out);
    chl_sample_cache_free(dataset->cache);
    chl_class_columns_free(dataset->classes);
    free(dataset->order);
    free(dataset->sample);
    free((void *)dataset->kind_name);
    CHL_FREE(dataset->latents, dataset->attributes, dataset->texture, dataset->list,
             dataset->folder, dataset);
}

bool chl_dataset_lacks_label(const chl_dataset *dataset, bool by_group, char place[CHL_PLACE]) {
    for (int64_t i = 0; i < dataset->count; i++) {
        const chl_sample *s = &dataset->sample[i];
        if ((by_group ? s->group_id : s->label_id) >= 0) continue;
        (void)chl_sample_place(dataset, s, place);
        return true;
    }
    return false;
}

/* --- by sample -------------------------------------------------------------------------------- */
const int *chl_dataset_classes(const chl_dataset *dataset, const char *key) {
    return chl_class_columns_find(dataset->classes, key);
}

static chl_status check_class(const chl_dataset *data, int64_t sample, const char *key, int classes,
                              int class) {
    char text[CHL_PLACE];
    const char *place = chl_sample_place(data, &data->sample[sample], text);
    if (class == CHL_CLASS_ABSENT)
        return chl_fail(CHL_ERR_KEY, "%s: the whole number \"%s\" is missing", place, key);
    if (class == CHL_CLASS_INVALID)
        return chl_fail(CHL_ERR_FORMAT, "%s: \"%s\" must be a whole number from 0 up", place, key);
    if (classes > 0 && class >= classes)
        return chl_fail(CHL_ERR_FORMAT, "%s: \"%s\" must be 0 to %d, got %d", place, key,
                        classes - 1, class);
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
                    dataset->list, dataset->count - 1, index);
}

chl_status chl_dataset_picture(chl_dataset *dataset, int64_t index, int side,
                               const uint8_t **pixels) {
    CHL_TRY(check_index(dataset, index));
    const chl_media media = chl_sample_picture(&dataset->sample[index]);
    if (!media.path)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: sample %" PRId64 " has no \"picture\"",
                        dataset->list, index);
    if (side < 1) return chl_fail(CHL_ERR_ARGUMENT, "side must be >= 1, got %d", side);
    return chl_sample_cache_picture(dataset->cache, index, &media, side, pixels);
}

static chl_status list_sounds(const chl_dataset *dataset, int count, const int64_t *index,
                              chl_cached_sound *sound) {
    for (int i = 0; i < count; i++) {
        CHL_TRY(check_index(dataset, index[i]));
        const chl_sample *sample = &dataset->sample[index[i]];
        sound[i] = (chl_cached_sound){chl_sample_sound(sample), sample->level_db};
        if (!sound[i].media.path)
            return chl_fail(CHL_ERR_ARGUMENT, "%s: sample %" PRId64 " has no \"sound\"",
                            dataset->list, index[i]);
    }
    return CHL_OK;
}

chl_status chl_dataset_mels(chl_dataset *dataset, int count, const int64_t *index,
                            const float **mel, int64_t *frames) {
    chl_cached_sound *sound = calloc((size_t)count + 1, sizeof *sound);
    chl_status status =
        sound ? list_sounds(dataset, count, index, sound) : no_memory(dataset->folder);
    if (status == CHL_OK)
        status = chl_sample_cache_mels(dataset->cache, dataset->left_out, count, index, sound, mel,
                                       frames);
    free(sound);
    return status;
}

void chl_dataset_next_batch(chl_dataset *dataset) {
    chl_sample_cache_pass(dataset->cache);
}

/* --- a choice --------------------------------------------------------------------------------- */
static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int64_t chl_dataset_spread(int64_t count, int64_t k) {
    int64_t stride = (int64_t)(0.6180339887 * (double)count) + 1;
    while (common_divisor(count, stride) != 1) stride++; /* so that it comes to all */
    return k * stride % count;
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
                        dataset->list, dataset->count, batch);
    const int64_t an_epoch = dataset->count / batch;
    CHL_TRY(order_epoch(dataset, seed, index / an_epoch));
    memcpy(indices, dataset->order->sample + index % an_epoch * batch,
           (size_t)batch * sizeof *indices);
    return CHL_OK;
}
