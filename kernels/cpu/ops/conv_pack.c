/* conv_pack: w [O,I,K,K] in upstream's order -> the layout that the chosen algorithm reads, times
 * the gain. */
#include "cpu/conv/conv_rule.h"
#include "cpu/conv/conv_up_tiles.h"
#include "cpu/conv/winograd.h"

/* The matrix [rows, columns] that a product reads: its rows are the channels summed over (inputs
 * forwards, outputs backwards), its columns the others, and the taps belong to one of the two, as
 * the slowest index. */
typedef struct arrangement {
    bool taps_in_rows, rotated;
} arrangement;

static void matrix_sizes(const chl_conv_attributes *a, arrangement how, int64_t *rows,
                         int64_t *columns) {
    int64_t taps = (int64_t)a->kernel * a->kernel;
    *rows = (a->backward ? a->o : a->i) * (how.taps_in_rows ? taps : 1);
    *columns = (a->backward ? a->i : a->o) * (how.taps_in_rows ? 1 : taps);
}

static void pack_matrix(const chl_conv_attributes *a, arrangement how, const float *w,
                        float *packed) {
    int64_t taps = (int64_t)a->kernel * a->kernel, rows, columns;
    matrix_sizes(a, how, &rows, &columns);
    int64_t row_c = a->backward ? a->o : a->i, column_c = a->backward ? a->i : a->o;
    int64_t row_step = a->backward ? a->i * taps : taps,
            column_step = a->backward ? taps : a->i * taps;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t c = 0; c < columns; c += CHL_LANES)
        for (int64_t r = 0; r < rows; r++) {
            float *to = packed + chl_panel_at(rows, columns, r, c);
            for (int64_t l = 0; l < CHL_LANES; l++) {
                int64_t tap = how.taps_in_rows ? r / row_c : (c + l) / column_c;
                int64_t at = r % row_c * row_step + (c + l) % column_c * column_step +
                             (how.rotated ? taps - 1 - tap : tap);
                to[l] = c + l < columns ? a->gain * w[at] : 0;
            }
        }
}

static arrangement arrangement_of(chl_conv_path path, bool backward) {
    if (path == CHL_PATH_SCATTER || (path == CHL_PATH_UP && !backward))
        return (arrangement){.taps_in_rows = false};
    return (arrangement){.taps_in_rows = true, .rotated = backward && path == CHL_PATH_DIRECT};
}

static size_t opaque(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    chl_conv_path path = chl_conv_path_of(a, call->path);
    int64_t rows, columns, from = a->backward ? a->o : a->i, to = a->backward ? a->i : a->o, floats;
    switch (path) {
    case CHL_PATH_WINOGRAD:
        floats = chl_winograd_floats(from, to);
        break;
    case CHL_PATH_UP_TILES:
        floats = chl_up_tiles_floats(from, to, a->backward);
        break;
    default:
        matrix_sizes(a, arrangement_of(path, a->backward), &rows, &columns);
        floats = chl_panel_floats(rows, columns);
    }
    return (size_t)floats * sizeof(float);
}

static chl_kernel_status run(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    chl_conv_path path = chl_conv_path_of(a, call->path);
    switch (path) {
    case CHL_PATH_WINOGRAD:
        chl_winograd_pack(call->in[0], a->o, a->i, a->gain, a->backward, call->out[0]);
        break;
    case CHL_PATH_UP_TILES:
        chl_up_tiles_pack(call->in[0], a->o, a->i, a->gain, a->backward, call->out[0]);
        break;
    default:
        pack_matrix(a, arrangement_of(path, a->backward), call->in[0], call->out[0]);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_conv_pack = {run, NULL, opaque};
