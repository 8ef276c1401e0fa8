/* The contract between the graph and the kernels: what an op is told, what it must do.
 *
 * An op reads its inputs, writes its outputs, owns nothing, allocates nothing, prints nothing.
 * Every output obeys one rule: when its bit in `accumulate` is set the result is added to what is
 * there, otherwise it is written, whatever was there before (it may be NaN). An output whose
 * pointer is NULL is not wanted; an input whose pointer is NULL is absent (only where the op says
 * "optional").
 *
 * The file is valid C11 and C++17: nvcc reads it too. */
#ifndef CHL_OPS_H
#define CHL_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a body reports about a call. The graph turns it into the library's status and adds a text
 * that names the node; kernels do not know the library's headers. */
typedef enum chl_kernel_status {
    CHL_KERNEL_OK = 0,
    CHL_KERNEL_BAD_INPUT,   /* an input holds a value outside its range */
    CHL_KERNEL_UNSUPPORTED, /* this body does not compute these shapes or types */
    CHL_KERNEL_FAILED       /* the device reported an error; the backend's last_error says which */
} chl_kernel_status;

#define CHL_MAX_RANK 6
#define CHL_MAX_IN 8
#define CHL_MAX_OUT 4

typedef enum chl_dtype { CHL_F32, CHL_I32, CHL_BF16, CHL_U8 } chl_dtype;

/* A dense row-major array. Activations are NHWC or [N,T,C]. There are no strides, and reshape is
 * the only view. */
typedef struct chl_desc {
    chl_dtype dtype;
    int32_t rank;
    int64_t dim[CHL_MAX_RANK];
} chl_desc;

static inline int64_t chl_count(const chl_desc *d) {
    int64_t n = 1;
    for (int32_t i = 0; i < d->rank; i++) n *= d->dim[i];
    return n;
}
static inline int64_t chl_item_bytes(chl_dtype t) {
    return t == CHL_U8 ? 1 : t == CHL_BF16 ? 2 : 4;
}
static inline int64_t chl_bytes(const chl_desc *d) {
    return chl_count(d) * chl_item_bytes(d->dtype);
}

/* Step state: the values that change from step to step. They live on the device, so that a recorded
 * step can be replayed. `index` counts from 0. `rate` is this step's learning rate. */
typedef struct chl_step {
    uint64_t seed;
    int64_t index;
    float rate;
} chl_step;

#include "attributes.h"

typedef enum chl_op {
#define CHL_OP(name, inputs, outputs) CHL_OP_##name,
#include "op_table.h"
#undef CHL_OP
    CHL_OP_COUNT
} chl_op;

/* The ranks that run one graph together: collectives.h. */
typedef struct chl_comm chl_comm;

/* One execution of one op. */
typedef struct chl_call {
    chl_attributes attr;
    int32_t inputs, outputs;
    chl_desc in_desc[CHL_MAX_IN], out_desc[CHL_MAX_OUT];
    const void *in[CHL_MAX_IN];
    void *out[CHL_MAX_OUT];
    uint32_t accumulate;  /* bit i: add to out[i] */
    int32_t together;     /* of a fused call's first: how many calls it is; of others 0 */
    int32_t path;         /* a wish, chl_paths: 0 = none */
    void *workspace;      /* aligned as the backend says, as many bytes as the body asked for */
    const chl_step *step; /* in device memory: a recorded step reads it anew at every replay */
    void *stream;         /* the queue to work on (chl_device.queue); NULL on the CPU */
    chl_comm *comm;       /* of the collective rows; NULL: this process is alone */
} chl_call;

/* One op on one backend. `workspace` and `opaque` may be NULL (nothing needed); they are given
 * shapes and attributes only, never data. `opaque` returns the size in bytes of output 0 where its
 * layout is private to the backend (packed weights). */
typedef struct chl_body {
    chl_kernel_status (*run)(const chl_call *call);
    size_t (*workspace)(const chl_call *call);
    size_t (*opaque)(const chl_call *call);
} chl_body;

/* The ways in which a backend computes an op: algorithms, tiles, libraries. A body chooses by shape,
 * type and the device's limits. call->path asks for one of them, for measurements: 1 + its number in
 * `names`; where that one does not compute the call, the body chooses as without a wish. */
typedef struct chl_paths {
    const char *names; /* separated by spaces */
    /* The number, from 0, of the path that the call takes. Sees what `workspace` sees. */
    int32_t (*taken)(const chl_call *call);
} chl_paths;

/* --- fused calls (fusion_table.h) ------------------------------------------------------------- */
#define CHL_MAX_FUSED 32
typedef enum chl_fusion {
#define CHL_FUSION(name, ops, same, elided) CHL_FUSION_##name,
#include "fusion_table.h"
#undef CHL_FUSION
    CHL_FUSION_COUNT
} chl_fusion;

/* `call` points to the fusion's calls, stored consecutively. The elided tensor has a NULL pointer
 * in all of them; call[0].workspace serves them all. `fits` and `workspace` (may be NULL) are given
 * shapes and attributes only; a slot that is absent or not wanted has rank 0. */
typedef struct chl_fused_body {
    chl_kernel_status (*run)(const chl_call *call);
    size_t (*workspace)(const chl_call *call);
    bool (*fits)(const chl_call *call);
} chl_fused_body;
#endif
