#include "reference.h"

REFERENCE(latent_distance) {
    const int64_t layers = call->in_desc[0].dim[1], width = call->in_desc[0].dim[2];
    for (int64_t n = 0; n < call->in_desc[0].dim[0]; n++) {
        real total = 0;
        for (int64_t l = 0; call->in[2] && l < layers; l++)
            total += real_exp(IN(2)[n * layers + l]);
        for (int64_t l = 0; l < layers; l++) {
            real distance = 0, weight = 1;
            for (int64_t i = 0; i < width; i++) {
                const int64_t at = (n * layers + l) * width + i;
                const real step = IN(0)[at] - IN(1)[at];
                distance += step * step;
            }
            if (call->in[2]) weight = (double)layers * real_exp(IN(2)[n * layers + l]) / total;
            OUT(0)[n] += weight * distance;
        }
    }
}
