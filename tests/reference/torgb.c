#include "reference.h"

REFERENCE(torgb) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const real *x = IN(0), *w = IN(1), *s = IN(2), *b = IN(3);
    const double clamp = (double)a->conv.clamp;
    const int64_t inputs = call->in_desc[1].dim[1], outputs = call->in_desc[1].dim[0];
    const int64_t pixels = call->in_desc[0].dim[1] * call->in_desc[0].dim[2];
    for (int64_t p = 0; p < call->in_desc[0].dim[0] * pixels; p++)
        for (int64_t o = 0; o < outputs; o++) {
            real y = 0;
            for (int64_t i = 0; i < inputs; i++)
                y += x[p * inputs + i] * s[p / pixels * inputs + i] * w[o * inputs + i];
            y = (double)a->conv.gain * y + b[o];
            if (clamp > 0 && RE(y) > clamp) y = clamp;
            if (clamp > 0 && RE(y) < -clamp) y = -clamp;
            OUT(0)[p * outputs + o] = y;
        }
}
