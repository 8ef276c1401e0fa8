#include "formula.h"
#include <math.h>
#include <string.h>

static uint64_t fnv1a(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash;
}

void formula_fill(const char *name, double centre, double amplitude, int64_t count, float *out) {
    uint64_t seed = fnv1a(name);
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        uint64_t z = seed + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        double u = (double)(z >> 40) * 0x1p-24;
        out[i] = (float)(centre + amplitude * (2 * u - 1));
    }
}

static bool ends_with(const char *text, const char *suffix) {
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && !strcmp(text + n - m, suffix);
}

void formula_weight(const char *name, const chl_desc *desc, float *out) {
    double centre = 0, amplitude = 0.1;
    if (strstr(name, "logit_scale")) {
        centre = 2.6592600369327781;
        amplitude = 0;
    } else if (ends_with(name, "running_var")) {
        centre = 1;
        amplitude = 0.3;
    } else if (desc->rank >= 2) {
        amplitude = sqrt(3.0 * (double)desc->dim[0] / (double)chl_count(desc));
    } else if (ends_with(name, ".2.weight")) { /* IR-SE50's PReLU slopes */
        centre = 0.25;
    } else if (ends_with(name, "weight")) {
        centre = 1;
        amplitude = 0.2;
    }
    formula_fill(name, centre, amplitude, chl_count(desc), out);
}

chl_status formula_add(chl_params *params, const char *name, chl_desc desc) {
    void *data;
    CHL_TRY(chl_params_add(params, name, desc, &data));
    formula_weight(name, &desc, data);
    return CHL_OK;
}
