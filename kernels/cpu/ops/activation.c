/* y = f(x) for leaky ReLU, GELU (erf form), quick GELU, sigmoid and sine, and dx = dy f'(x). */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

#define QUICK 1.702f /* x sigmoid(1.702 x) [Hendrycks & Gimpel 2016], CLIP's choice */

static inline chl_vec gelu(chl_vec x) {
    chl_vec phi;
    return x * chl_vgauss_cdf(x, &phi);
}
static inline chl_vec gelu_slope(chl_vec x) {
    chl_vec phi, cdf = chl_vgauss_cdf(x, &phi);
    return cdf + x * phi;
}
static inline chl_vec quick_gelu_slope(chl_vec x) {
    chl_vec s = chl_vsigmoid(QUICK * x);
    return s + QUICK * x * s * (1.0f - s);
}
static inline chl_vec sigmoid_slope(chl_vec x) {
    chl_vec s = chl_vsigmoid(x);
    return s * (1.0f - s);
}

/* out (+)= value, a formula in the vector x and in slope, times dy where dy is given. A macro, so
 * that the formula is compiled inside the loop that OpenMP turns into a function, and its constants
 * outside of it. */
#define IN_PARALLEL _Pragma("omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)")
#define MAP(name, value)                                                                           \
    static void map_##name(float slope, int64_t count, const float *from, const float *dy,         \
                           float *out, int acc) {                                                  \
        (void)slope;                                                                               \
        IN_PARALLEL                                                                                \
        for (int64_t i = 0; i < count; i += CHL_LANES) {                                           \
            int64_t n = chl_lanes_left(count - i);                                                 \
            chl_vec x = chl_load_part(from + i, n), v = value;                                     \
            if (dy) v *= chl_load_part(dy + i, n);                                                 \
            chl_put_part(out + i, v, n, acc);                                                      \
        }                                                                                          \
    }
MAP(leaky_relu, chl_vselect(x > 0.0f, x, x *slope))
MAP(leaky_relu_slope, chl_vselect(x > 0.0f, chl_splat(1), chl_splat(slope)))
MAP(gelu, gelu(x))
MAP(gelu_slope, gelu_slope(x))
MAP(quick_gelu, x *chl_vsigmoid(QUICK *x))
MAP(quick_gelu_slope, quick_gelu_slope(x))
MAP(sigmoid, chl_vsigmoid(x))
MAP(sigmoid_slope, sigmoid_slope(x))
MAP(sine, chl_vsine(x, 0))
MAP(sine_slope, chl_vsine(x, 0.5f))

typedef void map(float slope, int64_t count, const float *x, const float *dy, float *out, int acc);

static chl_kernel_status forward(const chl_call *call) {
    static map *const maps[] = {[CHL_LEAKY_RELU] = map_leaky_relu,
                                [CHL_GELU] = map_gelu,
                                [CHL_QUICK_GELU] = map_quick_gelu,
                                [CHL_SIGMOID] = map_sigmoid,
                                [CHL_SINE] = map_sine};
    if (call->out[0])
        maps[call->attr.activation.kind](call->attr.activation.slope, chl_count(&call->in_desc[0]),
                                         call->in[0], NULL, call->out[0], chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    static map *const maps[] = {[CHL_LEAKY_RELU] = map_leaky_relu_slope,
                                [CHL_GELU] = map_gelu_slope,
                                [CHL_QUICK_GELU] = map_quick_gelu_slope,
                                [CHL_SIGMOID] = map_sigmoid_slope,
                                [CHL_SINE] = map_sine_slope};
    if (call->out[0])
        maps[call->attr.activation.kind](call->attr.activation.slope, chl_count(&call->in_desc[0]),
                                         call->in[1], call->in[0], call->out[0],
                                         chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_activation = {forward, NULL, NULL};
const chl_body chl_cpu_activation_dx = {backward, NULL, NULL};
