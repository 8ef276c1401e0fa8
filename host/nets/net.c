#include "nets/net.h"
#include "nets/format.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LENGTH 256
#define SHAPE_LENGTH 96
#define MAX_STARS 8

struct chl_net_bound {
    const void *data;
    chl_tensor tensor;
};

void chl_net_done(chl_net *net) {
    free(net->bound);
    net->bound = NULL;
    net->bound_count = net->bound_capacity = 0;
}

int64_t chl_net_count(const chl_net *net) {
    return net->bound_count;
}

chl_tensor chl_net_at(const chl_net *net, int64_t i) {
    return net->bound[i].tensor;
}

/* --- arrays as tensors of the graph ----------------------------------------------------------- */

static chl_tensor find_bound(const chl_net *net, const void *data) {
    for (int64_t i = 0; i < net->bound_count; i++)
        if (net->bound[i].data == data) return net->bound[i].tensor;
    return CHL_NONE;
}

static bool remember(chl_net *net, const void *data, chl_tensor tensor) {
    if (net->bound_count == net->bound_capacity) {
        int64_t capacity = net->bound_capacity ? 2 * net->bound_capacity : 64;
        struct chl_net_bound *more =
            realloc(net->bound, (size_t)capacity * sizeof(struct chl_net_bound));
        if (!more) return false;
        net->bound = more;
        net->bound_capacity = capacity;
    }
    net->bound[net->bound_count++] = (struct chl_net_bound){data, tensor};
    return true;
}

static chl_tensor bind(chl_net *net, chl_array *array, const chl_desc *shape, chl_param_kind kind) {
    chl_graph *g = net->graph;
    array->used = true;
    chl_tensor tensor = find_bound(net, array->data);
    if (tensor == CHL_NONE) {
        tensor = chl_param(g, array->name, *shape, array->data, kind);
        if (tensor == CHL_NONE) return CHL_NONE;
        if (!remember(net, array->data, tensor))
            return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for the weight \"%s\"",
                                  array->name);
        return tensor;
    }
    return chl_same_shape(chl_desc_of(g, tensor), shape) ? tensor : chl_reshape(g, tensor, *shape);
}

static bool fits(const chl_desc *have, const chl_desc *want) {
    if (have->dtype != want->dtype || have->rank != want->rank) return false;
    for (int i = 0; i < want->rank; i++)
        if (want->dim[i] != -1 && want->dim[i] != have->dim[i]) return false;
    return true;
}

static chl_array *look_up(chl_net *net, const char *name) {
    if (chl_graph_status(net->graph) != CHL_OK) return NULL;
    chl_array *array = chl_params_find(net->params, name);
    if (!array) {
        const chl_status status = chl_params_missing(net->params, name);
        chl_graph_fail(net->graph, status, "%s", chl_error());
    }
    return array;
}

static chl_tensor bind_shaped(chl_net *net, const chl_desc *want, chl_param_kind kind,
                              const char *name) {
    chl_array *array = look_up(net, name);
    if (!array) return CHL_NONE;
    if (!fits(&array->desc, want)) {
        char have_text[SHAPE_LENGTH], want_text[SHAPE_LENGTH];
        return chl_graph_fail(net->graph, CHL_ERR_SHAPE, "%s: \"%s\" is %s where %s is expected",
                              net->params->source, name,
                              chl_shape_text(&array->desc, have_text, sizeof have_text),
                              chl_shape_text(want, want_text, sizeof want_text));
    }
    return bind(net, array, &array->desc, kind);
}

/* Behind the net's prefix. */
#define FORMAT_WEIGHT(net, name, format)                                                           \
    char name[NAME_LENGTH];                                                                        \
    do {                                                                                           \
        va_list arguments;                                                                         \
        const int before = snprintf(name, sizeof(name), "%s", (net)->prefix ? (net)->prefix : ""); \
        va_start(arguments, format);                                                               \
        vsnprintf((name) + before, sizeof(name) - (size_t)before, format, arguments);              \
        va_end(arguments);                                                                         \
    } while (0)

chl_tensor chl_weight(chl_net *net, const char *format, ...) {
    FORMAT_WEIGHT(net, name, format);
    chl_array *array = look_up(net, name);
    return array ? bind(net, array, &array->desc, net->kind) : CHL_NONE;
}

chl_tensor chl_weight_shaped(chl_net *net, chl_desc shape, const char *format, ...) {
    FORMAT_WEIGHT(net, name, format);
    return bind_shaped(net, &shape, net->kind, name);
}

chl_tensor chl_weight_as(chl_net *net, chl_desc shape, const char *format, ...) {
    FORMAT_WEIGHT(net, name, format);
    chl_array *array = look_up(net, name);
    if (!array) return CHL_NONE;
    if (array->desc.dtype != shape.dtype || chl_count(&array->desc) != chl_count(&shape)) {
        char have_text[SHAPE_LENGTH], want_text[SHAPE_LENGTH];
        return chl_graph_fail(
            net->graph, CHL_ERR_SHAPE, "%s: \"%s\" is %s, which does not hold the elements of %s",
            net->params->source, name, chl_shape_text(&array->desc, have_text, sizeof have_text),
            chl_shape_text(&shape, want_text, sizeof want_text));
    }
    return bind(net, array, &shape, net->kind);
}

chl_tensor chl_weight_optional(chl_net *net, const char *format, ...) {
    FORMAT_WEIGHT(net, name, format);
    chl_array *array = chl_params_find(net->params, name);
    return array ? bind(net, array, &array->desc, net->kind) : CHL_NONE;
}

chl_tensor chl_weight_frozen(chl_net *net, chl_desc shape, const char *format, ...) {
    FORMAT_WEIGHT(net, name, format);
    return bind_shaped(net, &shape, CHL_FROZEN, name);
}

/* --- importing a checkpoint ------------------------------------------------------------------- */

bool chl_params_has(const chl_params *params, const char *format, ...) {
    CHL_FORMAT(name, NAME_LENGTH, format);
    return chl_params_find(params, name) != NULL;
}

static chl_status require(const chl_params *params, int rank, chl_array **out, const char *name) {
    *out = chl_params_find(params, name);
    if (!*out) return chl_params_missing(params, name);
    if (rank && (*out)->desc.rank != rank) {
        char text[SHAPE_LENGTH];
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" is %s where %d dimensions are expected",
                        params->source, name, chl_shape_text(&(*out)->desc, text, sizeof text),
                        rank);
    }
    return CHL_OK;
}

chl_status chl_params_require(const chl_params *params, int rank, chl_array **out,
                              const char *format, ...) {
    CHL_FORMAT(name, NAME_LENGTH, format);
    return require(params, rank, out, name);
}

chl_status chl_params_use(chl_params *params, int rank, chl_array **out, const char *format, ...) {
    CHL_FORMAT(name, NAME_LENGTH, format);
    chl_array *array;
    CHL_TRY(require(params, rank, &array, name));
    array->used = true;
    if (out) *out = array;
    return CHL_OK;
}

chl_status chl_params_use_keys(chl_params *params, const char *prefix, size_t count,
                               const chl_params_key *keys) {
    for (size_t i = 0; i < count; i++)
        CHL_TRY(chl_params_use(params, keys[i].rank, NULL, "%s%s", prefix, keys[i].name));
    return CHL_OK;
}

chl_status chl_params_use_linear(chl_params *params, const char *layer, int *outputs) {
    chl_array *weight;
    CHL_TRY(chl_params_use(params, 2, &weight, "%s.weight", layer));
    *outputs = (int)weight->desc.dim[0];
    return chl_params_use(params, 1, NULL, "%s.bias", layer);
}

typedef struct star_run {
    const char *at;
    size_t length;
} star_run;

/* Matches the whole of `name`; a star matches as few characters as possible. */
static bool match(const char *name, const char *pattern, star_run *run, int star) {
    while (*pattern && *pattern != '*') {
        if (*name++ != *pattern++) return false;
    }
    if (!*pattern) return !*name;
    bool dots = pattern[1] == '*';
    pattern += dots ? 2 : 1;
    if (star == MAX_STARS) return false;
    for (size_t length = 1; name[length - 1] && (dots || name[length - 1] != '.'); length++) {
        run[star] = (star_run){name, length};
        if (match(name + length, pattern, run, star + 1)) return true;
    }
    return false;
}

static bool substitute(char *out, size_t size, const char *pattern, const star_run *run) {
    size_t used = 0;
    for (int star = 0; *pattern;) {
        const char *from = pattern;
        size_t length = 1;
        if (*pattern == '*') {
            from = run[star].at;
            length = run[star++].length;
            pattern += pattern[1] == '*';
        }
        pattern++;
        if (used + length >= size) return false;
        memcpy(out + used, from, length);
        used += length;
    }
    out[used] = '\0';
    return true;
}

static int stars(const char *pattern) {
    int count = 0;
    for (; *pattern; pattern++)
        if (*pattern == '*') {
            count++;
            pattern += pattern[1] == '*';
        }
    return count;
}

chl_status chl_params_join(chl_params *params, int count, const char *const *parts,
                           const char *joined) {
    chl_array *part;
    void *data;
    CHL_TRY(chl_params_require(params, 0, &part, "%s", parts[0]));
    const chl_desc one = part->desc;
    chl_desc all = one;
    all.dim[0] *= count;
    CHL_TRY(chl_params_add(params, joined, all, &data));
    for (int i = 0; i < count; i++) {
        CHL_TRY(chl_params_require(params, one.rank, &part, "%s", parts[i]));
        if (!chl_same_shape(&part->desc, &one))
            return chl_fail(CHL_ERR_SHAPE,
                            "%s: \"%s\" has another shape than \"%s\" beside it, expected the same",
                            params->source, parts[i], parts[0]);
        memcpy((char *)data + i * chl_bytes(&one), part->data, (size_t)chl_bytes(&one));
    }
    for (int i = 0; i < count; i++) chl_params_drop(params, parts[i]);
    return CHL_OK;
}

chl_status chl_params_join_projections(chl_params *params, const char *prefix,
                                       const char *const part[3], const char *joined,
                                       const char *kind) {
    char from[3][256], to[256];
    for (int i = 0; i < 3; i++) snprintf(from[i], sizeof from[i], "%s%s%s", prefix, part[i], kind);
    snprintf(to, sizeof to, "%s%s%s", prefix, joined, kind);
    return chl_params_join(params, 3, (const char *const[]){from[0], from[1], from[2]}, to);
}

chl_status chl_rename_all(chl_params *params, const char *from, const char *to, int64_t *count) {
    if (stars(from) != stars(to) || stars(from) > MAX_STARS)
        return chl_fail(CHL_ERR_INTERNAL,
                        "renaming \"%s\" to \"%s\": expected the same number of stars, at most %d",
                        from, to, MAX_STARS);
    int64_t renamed = 0;
    for (int64_t i = 0; i < params->count; i++) {
        star_run run[MAX_STARS];
        if (!match(params->array[i].name, from, run, 0)) continue;
        char old[NAME_LENGTH], name[NAME_LENGTH];
        int length = snprintf(old, sizeof old, "%s", params->array[i].name);
        if ((size_t)length >= sizeof old || !substitute(name, sizeof name, to, run))
            return chl_fail(CHL_ERR_FORMAT, "%s: the name \"%.60s...\" is longer than %d bytes",
                            params->source, params->array[i].name, NAME_LENGTH - 1);
        CHL_TRY(chl_params_rename(params, old, name));
        renamed++;
    }
    if (count) *count = renamed;
    return CHL_OK;
}

chl_status chl_reshape_array(const chl_params *params, chl_array *array, chl_desc shape) {
    if (array->desc.dtype != shape.dtype || chl_count(&array->desc) != chl_count(&shape)) {
        char have[SHAPE_LENGTH], want[SHAPE_LENGTH];
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" is %s, which does not hold the elements of %s",
                        params->source, array->name,
                        chl_shape_text(&array->desc, have, sizeof have),
                        chl_shape_text(&shape, want, sizeof want));
    }
    array->desc = shape;
    return CHL_OK;
}

chl_status chl_columns_channels_last(chl_params *params, chl_array *array, int channels,
                                     const char *name) {
    const int64_t rows = array->desc.dim[0], columns = array->desc.dim[1],
                  places = columns / channels;
    float *line = malloc((size_t)columns * sizeof *line);
    if (!line) return chl_fail(CHL_ERR_MEMORY, "out of memory importing \"%s\"", array->name);
    for (int64_t r = 0; r < rows; r++) {
        float *w = (float *)array->data + r * columns;
        for (int64_t c = 0; c < channels; c++)
            for (int64_t p = 0; p < places; p++) line[p * channels + c] = w[c * places + p];
        memcpy(w, line, (size_t)columns * sizeof *line);
    }
    free(line);
    char old[NAME_LENGTH];
    snprintf(old, sizeof old, "%s", array->name);
    return chl_params_rename(params, old, name);
}
