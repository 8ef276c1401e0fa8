#include "core/status.h"
#include <omp.h>
#include <stdio.h>

const char *chl_version(void) {
    return CHLADNI_VERSION;
}

static const char *instruction_set(void) {
#if defined(__AVX512F__)
    return "AVX-512";
#elif defined(__AVX2__)
    return "AVX2";
#elif defined(__SSE2__)
    return "SSE2";
#elif defined(__ARM_NEON)
    return "NEON";
#else
    return "generic";
#endif
}

const char *chl_build_info(void) {
    static _Thread_local char text[512];
    snprintf(text, sizeof text,
             "backend cpu: %d threads, compiled for %s, float32\n"
             "matrix products: %s\nsound and pictures: %s",
             omp_get_max_threads(), instruction_set(), CHLADNI_MATRIX, CHLADNI_FILES);
    return text;
}
