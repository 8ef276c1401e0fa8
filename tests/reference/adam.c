/* One step from given moments, in the order of the papers. step.index and step.rate are the case's.
 */
#include "op/adam_step.h"
#include "reference.h"

REFERENCE(adam) {
    const adam_step *s = SETTINGS(adam_step);
    const double beta1 = (double)s->adam.beta1, beta2 = (double)s->adam.beta2;
    const double decay = (double)s->adam.decay, t = (double)s->index + 1;
    const double rate = (double)s->rate * (double)s->adam.rate_scale;
    for (int64_t i = 0; i < chl_count(&call->in_desc[0]); i++) {
        real g = IN(0)[i], param = IN(1)[i];
        const real m_before = s->fresh ? 0 : IN(2)[i], v_before = s->fresh ? 0 : IN(3)[i];
        if (s->adam.decoupled)
            param -= rate * decay * param;
        else
            g += decay * param;
        const real m = beta1 * m_before + (1 - beta1) * g;
        const real v = beta2 * v_before + (1 - beta2) * g * g;
        const real m_hat = m / (1 - pow(beta1, t)), v_hat = v / (1 - pow(beta2, t));
        OUT(0)[i] = param - rate * m_hat / (real_sqrt(v_hat) + (double)s->adam.eps);
        if (s->fresh) continue;
        OUT(1)[i] = m;
        OUT(2)[i] = v;
    }
}
