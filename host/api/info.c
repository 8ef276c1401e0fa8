#include "base/machine.h"
#include "base/status.h"
#include <omp.h>
#include <stdio.h>

const char *chl_version(void) {
    return CHLADNI_VERSION;
}

const char *chl_build_info(void) {
    static _Thread_local char text[512];
    snprintf(text, sizeof text,
             "backend cpu: %d threads, compiled for %s, float32\n"
             "matrix products: %s\nsound and pictures: %s",
             omp_get_max_threads(), chl_instruction_set(), CHLADNI_MATRIX, CHLADNI_FILES);
    return text;
}
