/* With D_l = |w_l - source_l|^2 and p = softmax(g):
 *     loss = L sum_l p_l D_l  (adaptive layer mask, METHOD Eq. 16-17)   or   sum_l D_l without g,
 *     dw_l = 2 L p_l (w_l - source_l),   dg_l = L p_l (D_l - sum_k p_k D_k). */
#include "cpu/lib/softmax.h"

typedef struct sizes {
    int64_t samples, layers, width;
} sizes;

static sizes sizes_of(const chl_desc *w) {
    return (sizes){w->dim[0], w->dim[1], w->dim[2]};
}

/* Two numbers a row: its weight L p_l (1 without a mask) and its distance D_l. */
static size_t workspace_of(const chl_desc *w) {
    return (size_t)(2 * w->dim[0] * w->dim[1]) * sizeof(float);
}
static size_t forward_workspace(const chl_call *call) {
    return workspace_of(&call->in_desc[0]);
}
static size_t backward_workspace(const chl_call *call) {
    return workspace_of(&call->in_desc[1]);
}

static void measure(float *weight, float *distance, const float *w, const float *source,
                    const float *mask, const sizes *z) {
#pragma omp parallel for schedule(static) if (chl_worth_threads(z->samples * z->layers * z->width))
    for (int64_t row = 0; row < z->samples * z->layers; row++) {
        chl_vec sum = {0};
        for (int64_t i = 0; i < z->width; i += CHL_LANES) {
            const chl_vec step = chl_load_part(w + row * z->width + i, z->width - i) -
                                 chl_load_part(source + row * z->width + i, z->width - i);
            sum += step * step;
        }
        distance[row] = chl_tree_sum(sum);
        weight[row] = 1;
    }
    for (int64_t n = 0; mask && n < z->samples; n++) {
        const float *g = mask + n * z->layers;
        const float log_sum = chl_log_sum_exp(g, z->layers, 1);
        for (int64_t l = 0; l < z->layers; l++)
            weight[n * z->layers + l] = (float)z->layers * expf(g[l] - log_sum);
    }
}

static chl_kernel_status forward(const chl_call *call) {
    const sizes z = sizes_of(&call->in_desc[0]);
    float *weight = call->workspace, *distance = weight + z.samples * z.layers;
    measure(weight, distance, call->in[0], call->in[1], call->in[2], &z);
    for (int64_t n = 0; n < z.samples; n++) {
        float sum = 0;
        for (int64_t l = 0; l < z.layers; l++)
            sum += weight[n * z.layers + l] * distance[n * z.layers + l];
        chl_put((float *)call->out[0] + n, sum, chl_accumulates(call, 0));
    }
    return CHL_KERNEL_OK;
}

static void latent_gradient(const chl_call *call, const float *weight, const sizes *z) {
    const float *dloss = call->in[0], *w = call->in[1], *source = call->in[2];
    float *dw = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(z->samples * z->layers * z->width))
    for (int64_t row = 0; row < z->samples * z->layers; row++) {
        const float scale = 2 * dloss[row / z->layers] * weight[row];
        for (int64_t i = 0; i < z->width; i += CHL_LANES) {
            const int64_t at = row * z->width + i, lanes = z->width - i;
            chl_put_part(dw + at,
                         scale * (chl_load_part(w + at, lanes) - chl_load_part(source + at, lanes)),
                         lanes, chl_accumulates(call, 0));
        }
    }
}

static void mask_gradient(const chl_call *call, const float *weight, const float *distance,
                          const sizes *z) {
    const float *dloss = call->in[0];
    float *dg = call->out[1];
    for (int64_t n = 0; n < z->samples; n++) {
        float mean = 0;
        for (int64_t l = n * z->layers; l < (n + 1) * z->layers; l++)
            mean += weight[l] * distance[l] / (float)z->layers;
        for (int64_t l = n * z->layers; l < (n + 1) * z->layers; l++)
            chl_put(dg + l, dloss[n] * weight[l] * (distance[l] - mean), chl_accumulates(call, 1));
    }
}

static chl_kernel_status backward(const chl_call *call) {
    const sizes z = sizes_of(&call->in_desc[1]);
    float *weight = call->workspace, *distance = weight + z.samples * z.layers;
    measure(weight, distance, call->in[1], call->in[2], call->in[3], &z);
    if (call->out[0]) latent_gradient(call, weight, &z);
    if (call->out[1]) mask_gradient(call, weight, distance, &z);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_latent_distance = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_latent_distance_backward = {.run = backward,
                                                   .workspace = backward_workspace};
