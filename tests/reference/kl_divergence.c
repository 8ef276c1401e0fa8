#include "reference.h"

static real log_sum(const real *x, int64_t count, double tau) {
    double most = RE(x[0]);
    real sum = 0;
    for (int64_t j = 0; j < count; j++) most = fmax(most, RE(x[j]));
    for (int64_t j = 0; j < count; j++) sum += real_exp((x[j] - most) / tau);
    return most / tau + real_log(sum);
}

REFERENCE(kl_divergence) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const double tau = (double)a->loss.tau;
    const int64_t rows = call->in_desc[0].dim[0], columns = call->in_desc[0].dim[1];
    for (int64_t i = 0; i < rows; i++) {
        const real *p = IN(0) + i * columns, *q = IN(1) + i * columns;
        const real p_sum = log_sum(p, columns, tau), q_sum = log_sum(q, columns, tau);
        for (int64_t j = 0; j < columns; j++) {
            const real log_p = p[j] / tau - p_sum, log_q = q[j] / tau - q_sum;
            OUT(0)[0] += real_exp(log_p) * (log_p - log_q) / (double)rows;
        }
    }
}
