/* Names to streams: FNV-1a over the name, started from the seed's hash; streams to uniforms:
 * SplitMix64; uniforms to normals: Box and Muller. */
#include "nets/random_weights.h"
#include <math.h>
#include <stdio.h>

/* SplitMix64 [Steele et al. 2014] */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state) {
    return ((double)(next(state) >> 11) + 0.5) * 0x1p-53;
}

/* FNV-1a, started from the seed's hash */
static uint64_t stream(uint64_t seed, const char *name) {
    uint64_t hash = next(&seed);
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

chl_status chl_params_add_normal(chl_params *params, uint64_t seed, float mean, float deviation,
                                 chl_desc desc, const char *format, ...) {
    char name[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    void *data;
    CHL_TRY(chl_params_add(params, name, desc, &data));
    float *out = data;
    int64_t count = chl_count(&desc);
    uint64_t state = stream(seed, name);
    for (int64_t i = 0; i < count; i += 2) { /* Box-Muller */
        double radius = deviation == 0 ? 0 : deviation * sqrt(-2 * log(uniform(&state)));
        double angle = 2 * M_PI * uniform(&state);
        out[i] = (float)(mean + radius * cos(angle));
        if (i + 1 < count) out[i + 1] = (float)(mean + radius * sin(angle));
    }
    return CHL_OK;
}
