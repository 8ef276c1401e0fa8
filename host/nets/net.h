/* What every network needs: its named weights as tensors of a graph, and the import of checkpoints
 * from other projects.
 *
 * A network is a plain C function that appends its forward ops to a graph. It compiles and runs
 * nothing and knows no backend; gradients come from chl_grad.
 *
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor w = chl_weight_shaped(&net, chl_f32(2, 512, -1), "mapping.fc%d.weight", i);
 *     ...
 *     chl_net_done(&net);
 *
 * An array that is requested twice is one tensor: a network applied twice shares its weights.
 * Errors are kept by the graph, like those of any other builder, and name the file and the key. */
#ifndef CHL_NETS_NET_H
#define CHL_NETS_NET_H
#include "base/params.h"
#include "graph/graph.h"

/* Batch normalisation in training: with the batch's statistics instead of the stored ones. `track`
 * is called with each stored array as a trainable tensor and the batch's value of it. */
typedef struct chl_net_statistics {
    void (*track)(void *user, chl_tensor stored, chl_tensor of_batch);
    void *user;
} chl_net_statistics;

typedef struct chl_net {
    chl_graph *graph;
    chl_params *params;
    chl_param_kind kind;                  /* of the weights */
    const chl_net_statistics *statistics; /* NULL: batch norms use the stored statistics */
    const char *prefix; /* in front of every name that the builder asks for; NULL: none */
    /* private: the arrays that are tensors already */
    struct chl_net_bound *bound;
    int64_t bound_count, bound_capacity;
} chl_net;

/* Frees the private part. The tensors belong to the graph, the arrays to the params. */
void chl_net_done(chl_net *net);

/* How many different tensors the builders have asked for so far; number i of them, in that order. */
int64_t chl_net_count(const chl_net *net);
chl_tensor chl_net_at(const chl_net *net, int64_t i);

/* The array of that name as a parameter, marked used; an error when it is missing. */
chl_tensor chl_weight(chl_net *net, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same when it has this shape (dim -1: any size), an error with both shapes otherwise. */
chl_tensor chl_weight_shaped(chl_net *net, chl_desc shape, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same data under another shape of as many elements: [3,I,1,1] stored, [3,I] used. */
chl_tensor chl_weight_as(chl_net *net, chl_desc shape, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* CHL_NONE, without an error, when the file does not have it. */
chl_tensor chl_weight_optional(chl_net *net, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* As chl_weight_shaped, for arrays that are never trained (running statistics, noise maps): frozen
 * whatever net->kind is. */
chl_tensor chl_weight_frozen(chl_net *net, chl_desc shape, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- importing a checkpoint --------------------------------------------------------------------
 * chl_<net>_import(params, &config) renames the keys of every known upstream project to the names
 * our builder uses, changes layouts where they differ, reads all sizes off the shapes, and marks
 * the network's arrays used. It fails when one is missing; chl_params_check_all_used then reports
 * those that are left over. */
bool chl_params_has(const chl_params *params, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The array of that name and rank (0: any). Errors name the file and the key. Not marked used. */
chl_status chl_params_require(const chl_params *params, int rank, chl_array **out,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, and marks it used. `out` may be NULL. */
chl_status chl_params_use(chl_params *params, int rank, chl_array **out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same of several, whose names follow a prefix. */
typedef struct chl_params_key {
    const char *name;
    int rank;
} chl_params_key;
chl_status chl_params_use_keys(chl_params *params, const char *prefix, size_t count,
                               const chl_params_key *keys);
/* Replaces arrays that have the same shape by one, `joined`, with the rows of the first, then those of
 * the next ...: three projections q, k, v become one. */
chl_status chl_params_join(chl_params *params, int count, const char *const *parts,
                           const char *joined);
/* The same of an attention's three projections, "<prefix><part><kind>": "<prefix><joined><kind>". */
chl_status chl_params_join_projections(chl_params *params, const char *prefix,
                                       const char *const part[3], const char *joined,
                                       const char *kind);
/* Of a linear layer: its weight [outputs, ...] and its bias, both marked used. */
chl_status chl_params_use_linear(chl_params *params, const char *layer, int *outputs);
/* Renames every array whose whole name matches `from`. `*` matches one or more characters without a
 * dot, `**` one or more of any; what they matched replaces the stars of `to`, which must have as
 * many, in order: "head.fc.*" to "head.*" makes "head.fc.bias" "head.bias". *count (may be NULL) is
 * the number of arrays renamed. */
chl_status chl_rename_all(chl_params *params, const char *from, const char *to, int64_t *count);
/* Gives an array another shape with as many elements. */
chl_status chl_reshape_array(const chl_params *params, chl_array *array, chl_desc shape);
/* A linear layer over a flattened map, [rows, channels * places] as upstream's [C,H,W] maps have it: its
 * columns in our maps' order, [H,W,C], under another name. */
chl_status chl_columns_channels_last(chl_params *params, chl_array *array, int channels,
                                     const char *name);
#endif
