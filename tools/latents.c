/* W+ codes of files, for edit and generate. */
#include "command.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "18 x 512" */
static void write_shape(int rank, const int64_t *dim, char *text, size_t room) {
    snprintf(text, room, rank ? "" : "one number");
    for (int i = 0; i < rank; i++) {
        const size_t at = strlen(text);
        snprintf(text + at, room - at, "%s%lld", i ? " x " : "", (long long)dim[i]);
    }
}

/* Codes as rows x latent behind any further dimensions, or one code of any shape; 0: none of these. */
static int64_t count_codes(const chl_engine_sizes *size, int rank, const int64_t *dim) {
    const int64_t one = (int64_t)size->rows * size->latent;
    int64_t numbers = 1;
    for (int i = 0; i < rank; i++) numbers *= dim[i];
    if (numbers == one) return 1;
    return rank >= 2 && dim[rank - 2] == size->rows && dim[rank - 1] == size->latent ? numbers / one
                                                                                     : 0;
}

static chl_status check_codes(const char *path, const chl_engine_sizes *size, int most, int rank,
                              const int64_t *dim, const float *codes, int *count) {
    char shape[160];
    const int64_t found = count_codes(size, rank, dim);
    write_shape(rank, dim, shape, sizeof shape);
    if (found < 1 || found > most)
        return command_fail(CHL_ERR_SHAPE, "%s: expected W+ codes of %d x %d%s, got an array of %s",
                            path, size->rows, size->latent, most > 1 ? ", one or several" : "",
                            shape);
    for (int64_t i = 0; i < found * size->rows * size->latent; i++)
        if (!isfinite(codes[i]))
            return command_fail(CHL_ERR_NUMERIC,
                                "%s: number %lld of %s is %s: the file is damaged, or what "
                                "wrote it failed",
                                path, (long long)i, shape,
                                isnan(codes[i]) ? "not a number" : "infinite");
    *count = (int)found;
    return CHL_OK;
}

chl_status read_latents(const char *path, const chl_engine_sizes *size, int most, int *count,
                        float **codes) {
    int rank;
    int64_t dim[6];
    chl_status status = chl_array_read(path, &rank, dim, codes);
    if (status != CHL_OK) return status;
    status = check_codes(path, size, most, rank, dim, *codes, count);
    if (status == CHL_OK) return CHL_OK;
    chl_release(*codes);
    *codes = NULL;
    return status;
}
