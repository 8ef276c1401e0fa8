#include "reference.h"

REFERENCE(demodulate) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const double gain = (double)a->demodulate.gain;
    const int64_t inputs = call->in_desc[0].dim[1], outputs = call->in_desc[1].dim[0];
    for (int64_t n = 0; n < call->in_desc[0].dim[0]; n++)
        for (int64_t o = 0; o < outputs; o++) {
            real sum = 0;
            for (int64_t i = 0; i < inputs; i++) {
                const real s = IN(0)[n * inputs + i];
                sum += s * s * IN(1)[o * inputs + i];
            }
            OUT(0)[n * outputs + o] = 1 / real_sqrt(gain * gain * sum + (double)a->demodulate.eps);
        }
}
