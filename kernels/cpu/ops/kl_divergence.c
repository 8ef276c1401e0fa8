/* mean_i KL(softmax(p_i / tau) || softmax(q_i / tau)), the weak-pair term (METHOD Eq. 9-12);
 * dq = (softmax(q/tau) - softmax(p/tau)) / (rows * tau). */
#include "cpu/lib/softmax.h"

static size_t workspace(const chl_call *call) {
    return (size_t)call->in_desc[0].dim[0] * sizeof(float);
}

static chl_kernel_status forward(const chl_call *call) {
    const int64_t rows = call->in_desc[0].dim[0], columns = call->in_desc[0].dim[1];
    const float scale = 1 / call->attr.loss.tau;
    float *each = call->workspace;
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * columns))
    for (int64_t i = 0; i < rows; i++) {
        const float *p = (const float *)call->in[0] + i * columns;
        const float *q = (const float *)call->in[1] + i * columns;
        const float p_sum = chl_log_sum_exp(p, columns, scale);
        const float q_sum = chl_log_sum_exp(q, columns, scale);
        chl_vec divergence = {0};
        for (int64_t j = 0; j < columns; j += CHL_LANES) {
            const int64_t lanes = columns - j;
            const chl_vec log_p = scale * chl_load_part(p + j, lanes) - p_sum;
            const chl_vec log_q = scale * chl_load_part(q + j, lanes) - q_sum;
            chl_vec term = chl_vexp(log_p) * (log_p - log_q);
            for (int64_t k = lanes; k < CHL_LANES; k++) term[k] = 0;
            divergence += term;
        }
        each[i] = chl_tree_sum(divergence);
    }
    chl_put(call->out[0], chl_mean_of(each, rows), chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const int64_t rows = call->in_desc[1].dim[0], columns = call->in_desc[1].dim[1];
    const float scale = 1 / call->attr.loss.tau;
    const float share = *(const float *)call->in[0] * scale / (float)rows;
    float *dq = call->out[0];
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * columns))
    for (int64_t i = 0; i < rows; i++) {
        const float *p = (const float *)call->in[1] + i * columns;
        const float *q = (const float *)call->in[2] + i * columns;
        const float p_sum = chl_log_sum_exp(p, columns, scale);
        const float q_sum = chl_log_sum_exp(q, columns, scale);
        for (int64_t j = 0; j < columns; j += CHL_LANES) {
            const int64_t lanes = columns - j;
            const chl_vec from = chl_vexp(scale * chl_load_part(p + j, lanes) - p_sum);
            const chl_vec to = chl_vexp(scale * chl_load_part(q + j, lanes) - q_sum);
            chl_put_part(dq + i * columns + j, share * (to - from), lanes,
                         chl_accumulates(call, 0));
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_kl_divergence = {.run = forward, .workspace = workspace};
const chl_body chl_cpu_kl_divergence_dq = {.run = backward};
