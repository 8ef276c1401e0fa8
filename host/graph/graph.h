/* The static graph: tensors, nodes in execution order, gradients, one memory plan, runs.
 *
 *     chl_graph *g;
 *     CHL_TRY(chl_graph_new(chl_device_cpu(), &g));
 *     chl_tensor x = chl_input(g, "x", chl_f32(2, 8, 512));
 *     chl_tensor w = chl_param(g, "w", chl_f32(2, 4, 512), init, CHL_TRAINABLE);
 *     chl_tensor loss = chl_mean(g, chl_linear(g, x, w, CHL_NONE));
 *     chl_tensor dw;
 *     chl_grad(g, loss, 1, &w, &dw);         appends the backward nodes
 *     chl_adam(g, w, dw, &settings);
 *     CHL_TRY(chl_compile(g));               sticky errors surface here; plans and allocates
 *     CHL_TRY(chl_write(g, x, data));
 *     CHL_TRY(chl_run(g, CHL_FIRST_SEGMENT));      allocates nothing
 *     CHL_TRY(chl_read(g, loss, &value));
 *
 * Builders never fail on the spot: the first error sticks to the graph, later builders return
 * CHL_NONE, and chl_compile reports it. So a network reads like its formula.
 * A graph is used by one thread at a time; different graphs are independent. */
#ifndef CHL_CORE_GRAPH_H
#define CHL_CORE_GRAPH_H
#include "base/status.h"
#include "graph/tensor.h"
#include "ops.h"
#include "runtime/backend.h"
#include <stdbool.h>

/* How a parameter lives. FROZEN: constant; nodes that depend on frozen tensors only run once, at
 * compile time. TRAINABLE: persistent, part of a checkpoint, may be asked for a gradient. */
typedef enum chl_param_kind { CHL_FROZEN, CHL_TRAINABLE } chl_param_kind;

chl_desc chl_make_desc(chl_dtype dtype, int rank, const int64_t *dim);
/* chl_f32(3, 8, 50, 768) and chl_i32(...): descs from the dims as int64-convertible ints. */
chl_desc chl_f32(int rank, ...);
chl_desc chl_i32(int rank, ...);
bool chl_same_shape(const chl_desc *a, const chl_desc *b);
/* "[8,50,768]" into the buffer, which it returns. */
char *chl_shape_text(const chl_desc *desc, char *text, size_t size);

chl_status chl_graph_new(chl_device *device, chl_graph **out);
void chl_graph_free(chl_graph *graph);
/* The sticky error; CHL_OK while there is none. chl_graph_fail sets it (first one wins). */
chl_status chl_graph_status(const chl_graph *graph);
chl_tensor chl_graph_fail(chl_graph *graph, chl_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What chl_to_compute_type makes of activations from here on: CHL_F32 (as at first) or CHL_BF16,
 * where the backend computes in it. */
void chl_graph_precision(chl_graph *graph, chl_dtype activations);
chl_dtype chl_precision_of(const chl_graph *graph);

/* Row 0 of what is built from here on is sample `first` of a batch that several ranks share: draws
 * (chl_drop_path) then depend on the sample, not on the rank. 0 at first. */
void chl_graph_first_sample(chl_graph *graph, int64_t first);
int64_t chl_first_sample_of(const chl_graph *graph);

/* A tensor the caller writes with chl_write between runs. Keeps its value across runs. */
chl_tensor chl_input(chl_graph *graph, const char *name, chl_desc desc);
/* A weight. `init` must stay alive until chl_compile returns; on the CPU a frozen one is used where
 * it lies, so it must outlive the graph. NULL init = zeros. */
chl_tensor chl_param(chl_graph *graph, const char *name, chl_desc desc, const void *init,
                     chl_param_kind kind);
/* A small constant, copied now. */
chl_tensor chl_constant(chl_graph *graph, const char *name, chl_desc desc, const void *data);
/* The same data under another shape. No node, no copy. What is in bf16 stays so: networks say float
 * shapes and do not know the precision. */
chl_tensor chl_reshape(chl_graph *graph, chl_tensor x, chl_desc desc);
/* Keeps the tensor readable after the run and across segments (its memory is not reused). */
chl_tensor chl_keep(chl_graph *graph, chl_tensor x);
/* x's value as seen by chl_grad: a constant. */
chl_tensor chl_stop_gradient(chl_graph *graph, chl_tensor x);
/* A part of a graph that runs as one; 0 is none. A graph begins in CHL_FIRST_SEGMENT. */
typedef int32_t chl_segment;
#define CHL_FIRST_SEGMENT ((chl_segment)1)
/* Nodes added later belong to the next segment, which it returns. */
chl_segment chl_begin_segment(chl_graph *graph);

const chl_desc *chl_desc_of(const chl_graph *graph, chl_tensor x);
/* NULL for the results of nodes. Stays where it is while the graph lives. */
const char *chl_name_of(const chl_graph *graph, chl_tensor x);
bool chl_is_trainable(const chl_graph *graph, chl_tensor x);
bool chl_is_input(const chl_graph *graph, chl_tensor x);
/* Tensors so far are numbered from 1 to below this; reshapes are among them and have no name. */
int32_t chl_tensor_count(const chl_graph *graph);
/* Known for good after chl_compile: frozen, constant, or computed from such tensors only. */
bool chl_is_constant(const chl_graph *graph, chl_tensor x);

/* Appends the gradients of the scalar `loss` [1] with respect to each of `wrt`; gradients[i] is a
 * tensor of wrt[i]'s shape. Only what lies between is built. The result may be differentiated
 * again. A missing gradient rule is an error naming the op; a wrt that the loss does not depend on
 * is an error naming the tensor. */
void chl_grad(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
              chl_tensor *gradients);
/* The same, but gradients[i] is CHL_NONE where the loss does not depend on wrt[i]. */
void chl_grad_reached(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
                      chl_tensor *gradients);

/* The same within the segment that is being built: what earlier segments have computed or updated is
 * constant, a wrt that they have updated too. A network may so be used in the segments behind one that
 * updates its weights. */
void chl_grad_in_segment(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
                         chl_tensor *gradients);

/* Adds to each gradients[i], the gradient so far or CHL_NONE, that of sum <y, dy> with respect to
 * wrt[i]: where dy is the gradient of y, which a stopped copy of y (chl_stop_gradient) had. */
void chl_grad_onward(chl_graph *graph, chl_tensor y, chl_tensor dy, int count,
                     const chl_tensor *wrt, chl_tensor *gradients);

/* Every call on its own, also where the backend could run several as one: to compare with. */
void chl_graph_no_fusion(chl_graph *graph);

/* The path (chl_paths) that ops take from here on, where the backend has one of this name for them
 * that computes their shapes: for measurements. Others choose by shape, as all do without it. `name`
 * outlives the graph. */
void chl_graph_path(chl_graph *graph, const char *name);

/* A number that nodes carry which are built from here on, and the nodes of their gradients, for a
 * profile: which network each belongs to. 0 at first. */
void chl_graph_part(chl_graph *graph, int32_t part);

/* Bytes of gradients that chl_all_reduce_beside sums over the ranks at a time; 25 MiB at first, as
 * in PyTorch's DistributedDataParallel [Li et al. 2020]. Before chl_compile. Changes no number. */
#define CHL_DEFAULT_BUCKET ((int64_t)25 << 20)
void chl_graph_bucket(chl_graph *graph, int64_t bytes);

/* Every input has two memories, so that one can be written for the next run while the other is read
 * by this one. Before chl_compile. */
void chl_graph_double_inputs(chl_graph *graph);
/* What is written or run from now on uses the other memories: every input that the next run reads
 * is written before it. Does nothing without chl_graph_double_inputs. */
void chl_swap_inputs(chl_graph *graph);

/* Plans memory, allocates once, uploads weights, runs frozen nodes. */
chl_status chl_compile(chl_graph *graph);
/* Plans only: what would be used. */
typedef struct chl_plan {
    int64_t persistent, constant, transient; /* bytes; constant counts frozen weights too */
    double flops_constant, flops_step;       /* frozen nodes; all segments */
    int nodes, nodes_constant, segments;
} chl_plan;
chl_status chl_dry_run(chl_graph *graph, chl_plan *plan);

/* A segment that does not exist, or none, is CHL_ERR_ARGUMENT. */
chl_status chl_run(chl_graph *graph, chl_segment segment);
/* Step state used by ops from the next run on; all zeros before. */
chl_status chl_set_step(chl_graph *graph, chl_step step);
/* Whole-tensor copies between host and device. Reading a transient tensor not kept is an error. */
chl_status chl_write(chl_graph *graph, chl_tensor x, const void *data);
chl_status chl_read(chl_graph *graph, chl_tensor x, void *data);
/* For a graph that is used once: compiles it, writes `from` to the input x, runs, reads y to `to`,
 * and frees the graph, also where one of these fails. */
chl_status chl_compute_once(chl_graph *graph, chl_tensor x, const void *from, chl_tensor y,
                            void *to);
/* The same copies, queued: they return while the device works. `pinned` is of the device's
 * pinned_allocate and is left alone until an event behind the copy was waited for. Reading is
 * queued behind what was run; writing on `queue`, which is the device's or one that is given an
 * order with it by events. */
chl_status chl_write_pinned(chl_graph *graph, chl_tensor x, const void *pinned, chl_queue *queue);
chl_status chl_read_pinned(chl_graph *graph, chl_tensor x, void *pinned);

/* On: each node's seconds are added up from here on, from nothing (graph_private.h, `seconds` and
 * `runs`). On a device with a queue each node is waited for, so that its launch counts too. */
void chl_profile(chl_graph *graph, bool on);
#endif
