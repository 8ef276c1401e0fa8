/* What the graph must know of an op beside its bodies: shapes, cost, gradient. One `chl_rule` per
 * row of the op table, in host/graph/ops/<family>.c next to the builders of that family. */
#ifndef CHL_CORE_RULE_H
#define CHL_CORE_RULE_H
#include "base/status.h"
#include "graph/tensor.h"
#include <stdbool.h>

/* A node that adds two contributions to one gradient (accumulate.c). */
typedef enum chl_gradient_sum {
    CHL_NO_SUM,
    CHL_SUM_OF_OWN,   /* the second was computed for this gradient alone */
    CHL_SUM_OF_SHARED /* the second may be the gradient of other tensors too */
} chl_gradient_sum;

typedef struct chl_node {
    chl_op op;
    chl_attributes attr;
    int32_t inputs, outputs; /* trailing absent ones are CHL_NONE */
    chl_tensor in[CHL_MAX_IN], out[CHL_MAX_OUT];
    uint32_t accumulate;
    int32_t segment;
    int32_t part; /* chl_graph_part */
    bool of_gradient;
    bool is_constant; /* depends on frozen tensors only: runs at compile time */
    bool every_run;   /* never is_constant: it adds to memory that changes, or is added to */
    chl_gradient_sum gradient_sum;
    bool beside; /* a sum over the ranks that runs beside other nodes (beside.c) */
    /* set when the graph is planned (fuse.c) */
    const chl_fused_body *fused; /* this node and the next members - 1 are one call */
    chl_fusion fusion;
    int32_t fused_count, fused_index; /* lead: how many nodes back the first of them is */
    /* set when the graph is planned (beside.c) */
    int32_t bucket;          /* of a sum beside: from 1 */
    bool forks, ends_bucket; /* it is the first, the last of its bucket */
    int32_t joins;           /* runs after this bucket; 0: none */
} chl_node;

/* What an infer function sees and fills. Absent inputs have present == false. For an opaque output
 * (see chl_body) it sets out[i].rank = 0 and leaves the size to the backend. */
typedef struct chl_shapes {
    const chl_attributes *attr;
    int32_t inputs, outputs;
    bool present[CHL_MAX_IN];
    chl_desc in[CHL_MAX_IN];
    chl_desc out[CHL_MAX_OUT];
} chl_shapes;

typedef struct chl_gradient chl_gradient;
/* Writes the node's outputs as functions of its inputs in[], which arrive in float32. */
typedef void chl_compose(chl_gradient *context, const chl_tensor *in, chl_tensor *out);

typedef struct chl_rule {
    /* Checks inputs, fills out. On failure chl_fail(CHL_ERR_SHAPE, "what does not fit"); the caller
     * puts the op, the tensors' names and their shapes in front. */
    chl_status (*infer)(chl_shapes *shapes);
    /* Appends this node's backward. NULL with compose NULL: no gradient (an error when one is asked
     * for). */
    void (*gradient)(chl_gradient *context);
    /* In place of `gradient`: the op composed of rows that have rules (ops/compose.h); their
     * gradients are its gradient. */
    chl_compose *compose;
    /* 2 x multiply-adds, or NULL for ops whose cost is bytes. */
    double (*flops)(const chl_shapes *shapes);
    /* Which inputs may be bf16 (all of them then), and which outputs are bf16 with them:
     * activations and their gradients. `infer` sees float32 everywhere. */
    struct {
        uint8_t inputs, outputs; /* bit i: the i-th */
    } bf16;
    /* Output 0 may lie on input 0's memory when that is input 0's last use. */
    bool in_place;
} chl_rule;

/* --- for builders ----------------------------------------------------------------------------- */
/* Appends a node; out[] gets the output tensors. in[] may hold CHL_NONE for optional inputs. */
void chl_emit(chl_graph *graph, chl_op op, const chl_attributes *attr, int inputs,
              const chl_tensor *in, int outputs, chl_tensor *out);
/* The same for one output. */
chl_tensor chl_emit1(chl_graph *graph, chl_op op, const chl_attributes *attr, int inputs,
                     const chl_tensor *in);
/* A node that updates existing tensors in place (optimisers): all outputs accumulate. */
void chl_emit_update(chl_graph *graph, chl_op op, const chl_attributes *attr, int inputs,
                     const chl_tensor *in, int outputs, const chl_tensor *out);

/* Whether the graph's backend wants the frozen weight w of `linear` packed (chl_backend). */
bool chl_packs_linear(const chl_graph *graph, chl_tensor x, chl_tensor w);

/* --- for gradient rules ----------------------------------------------------------------------- */
struct chl_gradient {
    chl_graph *graph;
    chl_node node;                    /* the forward node (a copy: emitting may move the array) */
    chl_tensor dout[CHL_MAX_OUT];     /* gradients of its outputs; CHL_NONE = zero */
    bool wanted[CHL_MAX_IN];          /* inputs whose gradient is needed */
    struct chl_gradient_table *table; /* private */
};
#define CHL_FRESH (-2)    /* target: a new tensor, handed out */
#define CHL_UNWANTED (-1) /* target: not computed */
/* Emits a backward node. target[i] >= 0: output i is the gradient of the forward node's input
 * target[i] (left out when that is not wanted; summed with what other nodes contribute). CHL_FRESH:
 * a temporary. With all outputs unwanted nothing is emitted. `out` may be NULL when nothing is
 * fresh. */
void chl_backprop(chl_gradient *context, chl_op op, const chl_attributes *attr, int inputs,
                  const chl_tensor *in, int outputs, const int *target, chl_tensor *out);
/* The same of one input, whose gradient `op` makes of the first output's alone. */
void chl_backprop_one(chl_gradient *context, int input, chl_op op, const chl_attributes *attr);
/* The gradient of input `input` is just the tensor `gradient` (no node unless it must be added). */
void chl_backprop_same(chl_gradient *context, int input, chl_tensor gradient);
/* What a rule with `compose` does, for rules that check something before. */
void chl_backprop_composed(chl_gradient *context, chl_compose *compose);
/* The gradients of sum_i <y[i], dy[i]> with respect to each of `wrt`, which chl_stop_gradient made
 * or which depend on nothing; CHL_NONE where there is none. Only nodes from `from_node` on are
 * looked at. y[i] or dy[i] may be CHL_NONE. */
void chl_pull_back(chl_graph *graph, int32_t from_node, int outputs, const chl_tensor *y,
                   const chl_tensor *dy, int count, const chl_tensor *wrt, chl_tensor *gradients);

#define CHL_OP(name, inputs, outputs) extern const chl_rule chl_rule_##name;
#include "op_table.h"
#undef CHL_OP
const chl_rule *chl_rule_of(chl_op op);
const char *chl_op_name(chl_op op);
#endif
