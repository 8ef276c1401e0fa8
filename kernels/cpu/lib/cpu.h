/* The CPU backend's bodies: one `chl_cpu_<op>` per row of the op table, one file per op with
 * forward and backward side by side. Threads are OpenMP's. Vectors are GCC's (64 bytes; the
 * compiler splits them where the machine has less). float32 throughout. */
#ifndef CHL_CPU_H
#define CHL_CPU_H
#include "ops.h"
#include <string.h>

#define CHL_OP(name, inputs, outputs) extern const chl_body chl_cpu_##name;
#include "op_table.h"
#undef CHL_OP
const chl_body *chl_cpu_body(chl_op op);
/* The paths of an op; NULL: it is computed in one way. They are beside its body. */
const chl_paths *chl_cpu_paths(chl_op op);
extern const chl_paths chl_cpu_conv_paths, chl_cpu_conv_dx_paths, chl_cpu_conv_dw_paths,
    chl_cpu_linear_paths, chl_cpu_linear_dx_paths;
/* Whether a `linear` call on a frozen weight takes the weight packed; chl_linear_packs is the rule
 * itself, beside the op's body. */
bool chl_cpu_packs_linear(const chl_call *linear);
bool chl_linear_packs(const chl_call *linear);
/* Bytes of memory that the library of the matrix product takes for itself while bodies run. oneDNN
 * ends the process where it gets none, so that who allocates for bodies must leave as much. */
size_t chl_cpu_reserve(void);

#define CHL_LANES 16
typedef float chl_vec __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t chl_uvec __attribute__((vector_size(64), aligned(4), may_alias)); /* wraps */
typedef int32_t chl_ivec __attribute__((vector_size(64), aligned(4), may_alias));
static inline chl_vec chl_load(const float *p) {
    return *(const chl_vec *)p;
}
static inline void chl_store(float *p, chl_vec v) {
    *(chl_vec *)p = v;
}
/* x - 0, not 0 + x: the compiler may drop only the former (-0), and leaves a bare broadcast */
static inline chl_vec chl_splat(float x) {
    return x - (chl_vec){0};
}
static inline float chl_lane_sum(chl_vec v) {
    float total = 0;
    for (int i = 0; i < CHL_LANES; i++) total += v[i];
    return total;
}
/* y = value, or y += value where the accumulate bit is set */
static inline void chl_put(float *y, float value, int accumulate) {
    *y = accumulate ? *y + value : value;
}
static inline int chl_accumulates(const chl_call *call, int output) {
    return (int)(call->accumulate >> output & 1u);
}
#endif
