/* The graph's inside, shared by graph.c, gradient.c, accumulate.c, fuse.c, beside.c, plan.c, uses.c and run.c
 * (and looked into by tests). */
#ifndef CHL_CORE_GRAPH_PRIVATE_H
#define CHL_CORE_GRAPH_PRIVATE_H
#include "graph/graph.h"
#include "graph/rule.h"

typedef enum chl_kind {
    KIND_INPUT,
    KIND_CONSTANT,
    KIND_FROZEN,
    KIND_TRAINABLE,
    KIND_NODE
} chl_kind;

typedef struct chl_tensor_info {
    char *name; /* NULL for results of nodes */
    chl_desc desc;
    chl_kind kind;
    chl_tensor root;    /* owner of the storage: itself, or what it is a reshape of */
    chl_tensor view_of; /* CHL_NONE, or the tensor this one shows */
    bool stop;          /* a view that carries no gradient */
    bool is_constant;   /* known after compile time for good */
    bool keep;
    bool elided;      /* lives inside fused calls only: no memory */
    int32_t producer; /* node, or -1 */
    const void *init; /* caller's */
    void *owned;      /* a constant's copy */
    /* set by the plan, on roots only */
    chl_tensor storage;  /* in-place chains share the first one's memory */
    int32_t first, last; /* nodes between which the memory is alive */
    int32_t touched;     /* the last node that reads or writes it */
    int64_t offset;
    void *data, *spare; /* spare: an input's other memory (double_inputs.c) */
} chl_tensor_info;

struct chl_graph {
    chl_device *device;
    chl_dtype precision;
    const char *path; /* wished for; NULL: none */
    int32_t part;     /* of nodes from here on */
    bool differentiating;
    int64_t first_sample;
    chl_status status;
    char *error;
    chl_tensor_info *tensor;
    chl_node *node;
    int32_t tensors, tensor_capacity, nodes, node_capacity;
    int32_t segments; /* current segment's number + 1 */
    int32_t *segment_end;
    bool compiled, double_inputs, no_fusion; /* apart: nothing is fused */
    int64_t bucket;                          /* bytes of sums beside that run together */
    /* after planning */
    int32_t buckets, *joined;  /* of bucket b >= 1: the first node that runs after it */
    chl_queue *beside;         /* NULL: sums beside run in order */
    chl_event *forked, **done; /* `done` of each bucket */
    int64_t *workspace_offset; /* per node, in the transient arena */
    int64_t persistent_bytes, constant_bytes, transient_bytes, constant_workspace;
    void *persistent, *constant, *transient;
    chl_call *call;            /* per node */
    chl_step first_step;       /* set before there was a device copy */
    chl_step *step;            /* in device memory */
    chl_recording **recording; /* per segment, where the backend records; NULL = not yet */
    bool *has_run;             /* per segment */
    chl_call *other_call;      /* with the inputs' other memory; NULL without */
    chl_recording **other_recording;
    double *seconds; /* per node, while profiling */
    int64_t runs;
};

static inline chl_tensor_info *chl_info(const chl_graph *g, chl_tensor t) {
    return &g->tensor[t];
}
chl_tensor chl_new_tensor(chl_graph *graph, const char *name, chl_desc desc, chl_kind kind);
/* Shapes of a node as its rule sees them; output shapes are filled from the tensors. */
void chl_node_shapes(const chl_graph *graph, const chl_node *node, chl_shapes *shapes);
/* Is one of the node's inputs (outputs) the tensor `root`, or a reshape of it? */
bool chl_node_reads(const chl_graph *graph, const chl_node *node, chl_tensor root);
bool chl_node_writes(const chl_graph *graph, const chl_node *node, chl_tensor root);
/* Which nodes touch a tensor: for root t `node[first[t]]` to `node[first[t + 1] - 1]`, in their order,
 * each once. They are those of the time when the list was made. */
typedef struct chl_uses {
    int32_t *first, *node;
} chl_uses;
chl_status chl_list_uses(const chl_graph *graph, chl_uses *uses);
void chl_free_uses(chl_uses *uses);
/* Appends a node whose output tensors exist already where out[i] >= 0, and are made where
 * CHL_FRESH. */
void chl_append(chl_graph *graph, const chl_node *prototype, chl_tensor *out);
/* Infers output shapes; false when that failed (the error sticks). */
bool chl_infer(chl_graph *graph, const chl_node *node, chl_shapes *shapes);
chl_status chl_plan_memory(chl_graph *graph);
/* Sets every tensor's producer, its first writer, after nodes have changed places. */
void chl_number_producers(chl_graph *graph);
/* Finds where the segments end, after nodes came or went. */
void chl_number_segments(chl_graph *graph);
/* Puts sums over the ranks that may run beside other nodes into buckets, each behind the node that
 * completes it, and says who waits for them; chl_plan_memory's third step. */
chl_status chl_place_beside(chl_graph *graph);
/* CHL_ERR_INTERNAL with the first node that the plan lets touch memory of a sum that runs beside
 * it: for tests of the planner. */
chl_status chl_check_beside(const chl_graph *graph);
/* Clears the inputs' other memory and makes the calls that read it; chl_compile's last step. */
chl_status chl_prepare_double_inputs(chl_graph *graph);
/* Turns sums of gradients into additions in place; chl_plan_memory's first step. */
chl_status chl_accumulate(chl_graph *graph);
/* Brings calls that the backend runs as one together and marks them; chl_plan_memory's second step.
 */
chl_status chl_fuse(chl_graph *graph);
const char *chl_fusion_name(chl_fusion fusion);
/* Where an op's slot stands by its name in the op table; -1: it has none of that name. */
int chl_input_slot(chl_op op, const char *name, size_t length);
int chl_output_slot(chl_op op, const char *name, size_t length);
/* A call without pointers: what a body's workspace and opaque hooks see. */
void chl_describe_call(const chl_graph *graph, const chl_node *node, chl_call *call);

/* The name of the path that the call takes, in `text`, which it returns; NULL: its op has one way. */
const char *chl_path_of(const chl_graph *graph, chl_op op, const chl_call *call, char *text,
                        size_t size);
/* The number of a word among words separated by spaces; -1: it is not there. */
int32_t chl_word_number(const char *words, const char *word);

/* bytes, rounded up to the alignment that the backend gives tensors and workspaces */
static inline int64_t chl_align(const chl_graph *graph, int64_t bytes) {
    const int64_t unit = (int64_t)graph->device->backend->alignment;
    return (bytes + unit - 1) & ~(unit - 1);
}
#endif
