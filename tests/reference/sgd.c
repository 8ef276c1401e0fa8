/* One step from a given moment, term by term. step.rate is the case's. */
#include "op/sgd_step.h"
#include "reference.h"

REFERENCE(sgd) {
    const sgd_step *s = SETTINGS(sgd_step);
    const double rate = (double)s->rate * (double)s->sgd.rate_scale;
    for (int64_t i = 0; i < chl_count(&call->in_desc[0]); i++) {
        const real decayed = IN(0)[i] + (double)s->sgd.decay * IN(1)[i];
        const real before = s->fresh ? 0 : IN(2)[i];
        const real m = (double)s->sgd.momentum * before + decayed;
        OUT(0)[i] = IN(1)[i] - rate * m;
        if (!s->fresh) OUT(1)[i] = m;
    }
}
