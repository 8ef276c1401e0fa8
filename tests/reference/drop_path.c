#include "reference.h"
#include "sequence_settings.h"

/* Philox4x32-10 written from the paper's description, one round a line. The key is the seed with
 * the purpose in its upper half, the counter the step and the row. Known answer [Random123's
 * kat_vectors]: key 0, counter 0 gives 6627e8d5 first. */
static uint32_t philox(uint64_t key, uint64_t step, uint32_t row) {
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    uint32_t x[4] = {(uint32_t)step, (uint32_t)(step >> 32), row, 0};
    for (int round = 0; round < 10; round++) {
        uint64_t a = 3528531795u * (uint64_t)x[0], b = 3449720151u * (uint64_t)x[2];
        uint32_t y[4] = {(uint32_t)(b >> 32) ^ x[1] ^ key0, (uint32_t)b,
                         (uint32_t)(a >> 32) ^ x[3] ^ key1, (uint32_t)a};
        for (int i = 0; i < 4; i++) x[i] = y[i];
        key0 += 2654435769u;
        key1 += 3144134277u;
    }
    return x[0];
}

REFERENCE(drop_path) {
    const drop_path_settings *s = SETTINGS(drop_path_settings);
    int64_t rows = call->in_desc[0].dim[0], row = chl_count(&call->in_desc[0]) / rows;
    if (philox(0, 0, 0) != 0x6627e8d5) return;
    for (int64_t i = 0; i < rows * row; i++) {
        uint64_t key = s->seed ^ (uint64_t)s->purpose << 32;
        double u = (philox(key, s->step, (uint32_t)(s->first + i / row)) >> 8) * 0x1p-24;
        OUT(0)[i] = u < (double)s->rate ? 0 : IN(0)[i] / (1 - (double)s->rate);
    }
}
