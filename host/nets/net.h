/* What every network's builder needs: its named weights as tensors of a graph, and the renaming of
 * upstream checkpoints.
 *
 *     chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
 *     chl_tensor w = chl_weight_shaped(&net, chl_f32(2, 512, -1), "mapping.fc%d.weight", i);
 *     ...
 *     chl_net_done(&net);
 *
 * An array that is asked for twice is one tensor: a network applied twice shares its weights.
 * Errors stick to the graph, like those of any other builder, and name the file and the key. */
#ifndef CHL_NETS_NET_H
#define CHL_NETS_NET_H
#include "base/params.h"
#include "graph/graph.h"

typedef struct chl_net {
    chl_graph *graph;
    chl_params *params;
    chl_param_kind kind; /* of the weights */
    /* private: what is bound already */
    struct chl_net_bound *bound;
    int64_t bound_count, bound_capacity;
} chl_net;

/* Releases the private part. The tensors stay with the graph, the arrays with the params. */
void chl_net_done(chl_net *net);

/* The array of that name as a parameter, marked used. Missing: an error. */
chl_tensor chl_weight(chl_net *net, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same when it has this shape (dim -1: any size), an error with both shapes otherwise. */
chl_tensor chl_weight_shaped(chl_net *net, chl_desc shape, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same data under another shape of as many elements: [3,I,1,1] stored, [3,I] used. */
chl_tensor chl_weight_as(chl_net *net, chl_desc shape, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* CHL_NONE, and no error, when the file has none. */
chl_tensor chl_weight_optional(chl_net *net, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What is never trained (running statistics, noise maps): frozen whatever net->kind says. As
 * chl_weight_shaped otherwise. */
chl_tensor chl_weight_frozen(chl_net *net, chl_desc shape, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- for <net>_import: sizes from shapes, upstream names to ours -------------------------------
 */
bool chl_params_has(const chl_params *params, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The array of that name and rank (0: any). Errors name the file and the key. Not marked used. */
chl_status chl_params_require(const chl_params *params, int rank, chl_array **out,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, and marks it used. `out` may be NULL. */
chl_status chl_params_use(chl_params *params, int rank, chl_array **out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Renames every array whose whole name matches `from`. `*` stands for a run without dots, `**` for
 * any run, neither empty; the runs replace the stars of `to`, which must have as many, in order.
 * `count` (may be NULL) becomes the number of arrays renamed. */
chl_status chl_rename_all(chl_params *params, const char *from, const char *to, int64_t *count);
/* Another shape for the same elements. */
chl_status chl_reshape_array(const chl_params *params, chl_array *array, chl_desc shape);
#endif
