/* y [...,O] = gain x [...,I] w[O,I]^T + bias_gain b[O] and its gradients, on the matrix product of
 * gemm.h. Passes over y and dy that are not part of a product (adding the bias, summing db) are
 * made block by block, while the block just computed is still in the L2 cache.
 *
 * Measured on one Zen 4 core at Swin-T's sizes (GFLOP/s, peak 116): y = x w^T by the library, with
 * the bias stored in y before, 86-104; w transposed first, blocks of 192 rows, bias added after,
 * 96-110. */
#include "cpu/lib/attention_head.h"
#include "cpu/lib/cpu.h"
#include "cpu/lib/gemm.h"
#include "cpu/lib/panel.h"
#include "cpu/lib/transpose.h"
#include "cpu/lib/vmath.h"
#include <omp.h>
#include <stdbool.h>

#define FEW_ROWS 96
#define FEW_BLOCK 48
#define FORWARD_BLOCK 192
#define WEIGHT_BLOCK 256
/* From this many rows on a transposed copy of w is faster: making it costs as much as some dozens
 * of rows. */
#define TRANSPOSE_FROM 1024
#define MIN_SPLIT 48

static int64_t last(const chl_desc *d) {
    return d->dim[d->rank - 1];
}

static void add_bias(const float *b, float bias_gain, int64_t rows, int64_t width, float *y) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            int64_t n = chl_lanes_left(width - c);
            chl_put_part(y + r * width + c, bias_gain * chl_load_part(b + c, n), n, 1);
        }
}

/* Few rows: y^T = w x^T. x is packed and w is read once where it is; a general product would pack w
 * and use it for a handful of rows. Padding x's rows to vectors must not cost more than that
 * (GFLOP/s, one Zen 4 core, before and after: 77 rows 88 and 95, 16 rows 49 and 87, 50 x 3072 64
 * and 75, but 50 x 768 81 and 78). */
static bool few_rows(int64_t rows, int64_t in) {
    return rows <= FEW_ROWS && (10 * rows >= 9 * chl_round_up(rows, CHL_LANES) || in >= 1024);
}

static void pack_rows(const float *x, int64_t rows, int64_t in, float *packed) {
    int64_t panels = chl_panels(rows);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t panel = 0; panel < panels; panel++)
        for (int64_t k = 0; k < in; k += FEW_BLOCK) {
            int64_t width = chl_panel_width(rows, panel), row = panel * CHL_PANEL;
            int64_t real = chl_min(width, rows - row), some = chl_min(FEW_BLOCK, in - k);
            float *to = packed + chl_panel_at(in, rows, k, row);
            if (real < width) memset(to, 0, (size_t)(some * width) * sizeof *to);
            chl_transpose(x + row * in + k, in, real, some, to, width);
        }
}

static void forward_few(const chl_call *call, int64_t rows, int64_t in, int64_t out) {
    const float *w = call->in[1], *b = call->inputs > 2 ? call->in[2] : NULL;
    float *y = call->out[0], *packed = call->workspace;
    int64_t padded = chl_round_up(rows, CHL_LANES);
    int acc = chl_accumulates(call, 0);
    pack_rows(call->in[0], rows, in, packed);
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < out; o += FEW_BLOCK) {
        float across[FEW_BLOCK * FEW_ROWS], down[FEW_ROWS * FEW_BLOCK];
        int64_t some = chl_min(FEW_BLOCK, out - o);
        chl_panel_gemm(some, rows, in, w + o * in, in, packed, 0, chl_panels(rows), across, padded,
                       false);
        chl_transpose(across, padded, some, rows, down, FEW_BLOCK);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < some; c += CHL_LANES) {
                int64_t n = chl_lanes_left(some - c);
                chl_vec v = call->attr.linear.gain * chl_load_part(down + r * FEW_BLOCK + c, n);
                if (b) v += call->attr.linear.bias_gain * chl_load_part(b + o + c, n);
                chl_put_part(y + r * out + o + c, v, n, acc);
            }
    }
}

/* --- frozen weights ---------------------------------------------------------------------------
 * Every row is computed alike, however many there are and whichever thread computes it: one sum
 * after another over runs of CHL_PANEL_DEPTH products, gain and bias last. So what a sample gives
 * does not depend on who shares its batch (docs/architecture.md). */
#define ROW_BLOCK 96 /* of A: with 3072 columns they fill an L2 cache of 1 MiB */
#define PANEL_FLOATS ((int64_t)CHL_PANEL_DEPTH * CHL_PANEL)

/* Adds a block of sums [rows, CHL_PANEL] to the columns from `column` on of y [rows, width]. */
static void put_block(const float *sums, int64_t rows, int64_t column, int64_t width, float gain,
                      const float *b, float bias_gain, float *y, int acc) {
    const int64_t end = chl_min(column + CHL_PANEL, width);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = column; c < end; c += CHL_LANES) {
            const int64_t n = chl_lanes_left(end - c);
            chl_vec v = gain * chl_load(sums + r * CHL_PANEL + c - column);
            if (b) v += bias_gain * chl_load_part(b + c, n);
            chl_put_part(y + r * width + c, v, n, acc);
        }
}

/* The weight was packed at load: it is not copied, and a block of x's rows meets panel by panel. */
static void forward_packed(const chl_call *call, int64_t rows, int64_t in, int64_t out) {
    const float *x = call->in[0], *b = call->in[2], *packed = call->in[3];
    float *y = call->out[0];
    const int acc = chl_accumulates(call, 0);
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t first = 0; first < rows; first += ROW_BLOCK)
        for (int64_t panel = 0; panel < chl_panels(out); panel++) {
            float sums[ROW_BLOCK * CHL_PANEL] __attribute__((aligned(64)));
            const int64_t some = chl_min(ROW_BLOCK, rows - first), column = panel * CHL_PANEL;
            const int64_t width = chl_panel_width(out, panel);
            chl_panel_gemm(some, width, in, x + first * in, in, packed + column * in, 0, 1, sums,
                           CHL_PANEL, false);
            put_block(sums, some, column, out, call->attr.linear.gain, b,
                      call->attr.linear.bias_gain, y + first * out, acc);
        }
}

/* `real` columns of a run of w's rows, fewer than a panel has: as a packed panel [depth, width]. */
static void copy_panel(const float *w, int64_t depth, int64_t in, int64_t real, int64_t width,
                       float *panel) {
    for (int64_t o = 0; o < depth; o++)
        for (int64_t c = 0; c < width; c += CHL_LANES)
            chl_store(panel + o * width + c,
                      c < real ? chl_load_part(w + o * in + c, chl_lanes_left(real - c))
                               : (chl_vec){0});
}

/* dx = gain dy w. w is copied panel by panel while the first rows are multiplied: packed before, by
 * passes of its own, a product of 50 rows takes 1.4 times as long, packed at load (which would hold
 * w twice) 0.94 times. The copies are too large for a thread's stack, which a caller may have made
 * small. */
static void backward_frozen(const chl_call *call, int64_t rows, int64_t in, int64_t out) {
    const float *dy = call->in[0], *w = call->in[1];
    float *dx = call->out[0];
    const int acc = chl_accumulates(call, 0);
#pragma omp parallel for collapse(2) schedule(static) num_threads(chl_head_team())
    for (int64_t first = 0; first < rows; first += ROW_BLOCK)
        for (int64_t column = 0; column < in; column += CHL_PANEL) {
            float sums[ROW_BLOCK * CHL_PANEL] __attribute__((aligned(64)));
            float *panel = (float *)call->workspace + omp_get_thread_num() * PANEL_FLOATS;
            const int64_t some = chl_min(ROW_BLOCK, rows - first);
            const int64_t width = chl_panel_width(in, column / CHL_PANEL);
            for (int64_t o = 0; o < out; o += CHL_PANEL_DEPTH) {
                const int64_t depth = chl_min(CHL_PANEL_DEPTH, out - o);
                const float *from = dy + first * out + o, *at = w + o * in + column;
                const bool more = o > 0;
                if (column + width > in) {
                    copy_panel(at, depth, in, in - column, width, panel);
                    chl_panel_gemm(some, width, depth, from, out, panel, 0, 1, sums, CHL_PANEL,
                                   more);
                } else
                    chl_panel_gemm_copying(some, width, depth, from, out, at, in, panel, sums,
                                           CHL_PANEL, more);
            }
            put_block(sums, some, column, in, call->attr.linear.gain, NULL, 0, dx + first * in,
                      acc);
        }
}

static size_t backward_workspace(const chl_call *call) {
    return call->inputs > 2 ? (size_t)chl_head_threads() * PANEL_FLOATS * sizeof(float) : 0;
}

static chl_kernel_status pack(const chl_call *call) {
    const int64_t out = call->in_desc[0].dim[0], in = call->in_desc[0].dim[1];
    chl_panel_pack(true, in, out, 1, call->in[0], in, call->out[0]);
    return CHL_KERNEL_OK;
}

static size_t packed_bytes(const chl_call *call) {
    return (size_t)chl_panel_floats(call->in_desc[0].dim[1], call->in_desc[0].dim[0]) *
           sizeof(float);
}

/* --- linear: the choice ------------------------------------------------------------------------- */
enum { FEW, PRODUCT, TRANSPOSED, PACKED };
#define PATHS "few product transposed packed"

static int32_t forward_path(const chl_call *call) {
    const int64_t in = last(&call->in_desc[0]), rows = chl_count(&call->in_desc[0]) / in;
    const int32_t wanted = call->path - 1;
    if (call->inputs > 3) return PACKED;
    if (wanted == PRODUCT || wanted == TRANSPOSED || (wanted == FEW && rows <= FEW_ROWS))
        return wanted;
    if (few_rows(rows, in)) return FEW;
    return rows < TRANSPOSE_FROM ? PRODUCT : TRANSPOSED;
}

static chl_kernel_status forward(const chl_call *call) {
    int64_t in = last(&call->in_desc[0]), out = last(&call->out_desc[0]);
    int64_t rows = chl_count(&call->in_desc[0]) / in;
    const float *x = call->in[0], *w = call->in[1], *b = call->inputs > 2 ? call->in[2] : NULL;
    float *y = call->out[0], *wt = call->workspace;
    float gain = call->attr.linear.gain, bias_gain = call->attr.linear.bias_gain;
    float beta = chl_accumulates(call, 0) ? 1.0f : 0.0f;
    if (!y) return CHL_KERNEL_OK;
    const int32_t path = forward_path(call);
    if (path == PACKED) {
        forward_packed(call, rows, in, out);
        return CHL_KERNEL_OK;
    }
    if (path == FEW) {
        forward_few(call, rows, in, out);
        return CHL_KERNEL_OK;
    }
    if (path == PRODUCT) {
        if (!chl_gemm(false, true, rows, out, in, gain, x, in, w, in, beta, y, out))
            return CHL_KERNEL_FAILED;
#pragma omp parallel for schedule(static) if (rows * out > CHL_PARALLEL_FROM)
        for (int64_t r = 0; r < rows; r++)
            if (b) add_bias(b, bias_gain, 1, out, y + r * out);
        return CHL_KERNEL_OK;
    }
    /* a whole number of blocks per thread; the division of rows does not change any result */
    int64_t team = omp_get_max_threads();
    int64_t blocks = (rows + team * FORWARD_BLOCK - 1) / (team * FORWARD_BLOCK) * team;
    bool ok = true;
#pragma omp parallel reduction(&& : ok)
    {
#pragma omp for schedule(static)
        for (int64_t o = 0; o < out; o += CHL_LANES)
            chl_transpose(w + o * in, in, chl_lanes_left(out - o), in, wt + o, out);
#pragma omp for schedule(static)
        for (int64_t block = 0; block < blocks; block++) {
            int64_t first = block * rows / blocks, some = (block + 1) * rows / blocks - first;
            ok = chl_gemm(false, false, some, out, in, gain, x + first * in, in, wt, out, beta,
                          y + first * out, out) &&
                 ok;
            if (b) add_bias(b, bias_gain, some, out, y + first * out);
        }
    }
    return ok ? CHL_KERNEL_OK : CHL_KERNEL_FAILED;
}

static size_t forward_workspace(const chl_call *call) {
    int64_t in = last(&call->in_desc[0]), rows = chl_count(&call->in_desc[0]) / in;
    const int32_t path = forward_path(call);
    if (path == FEW) return (size_t)chl_panel_floats(in, rows) * sizeof(float);
    return path == TRANSPOSED ? (size_t)chl_bytes(&call->in_desc[1]) : 0;
}

enum { DX_PRODUCT, PANELS };

static int32_t dx_path(const chl_call *call) {
    return call->inputs > 2 ? PANELS : DX_PRODUCT; /* more than two: the weight is frozen */
}

static chl_kernel_status backward_x(const chl_call *call) {
    int64_t out = last(&call->in_desc[0]), in = call->in_desc[1].dim[1];
    int64_t rows = chl_count(&call->in_desc[0]) / out;
    if (!call->out[0]) return CHL_KERNEL_OK;
    if (dx_path(call) == PANELS) {
        backward_frozen(call, rows, in, out);
        return CHL_KERNEL_OK;
    }
    return chl_gemm(false, false, rows, in, out, call->attr.linear.gain, call->in[0], out,
                    call->in[1], in, chl_accumulates(call, 0) ? 1.0f : 0.0f, call->out[0], in)
               ? CHL_KERNEL_OK
               : CHL_KERNEL_FAILED;
}

/* db[c] += bias_gain * the sum over the rows, for the columns [first, end) */
static void add_columns(const float *dy, int64_t rows, int64_t out, int64_t first, int64_t end,
                        float bias_gain, float *db) {
    int64_t c = first;
    for (; c + 4 * CHL_LANES <= end; c += 4 * CHL_LANES) {
        chl_vec total[4] = {{0}, {0}, {0}, {0}};
        for (int64_t r = 0; r < rows; r++)
            for (int v = 0; v < 4; v++) total[v] += chl_load(dy + r * out + c + v * CHL_LANES);
        for (int v = 0; v < 4; v++)
            chl_put_part(db + c + v * CHL_LANES, bias_gain * total[v], CHL_LANES, 1);
    }
    for (; c < end; c += CHL_LANES) {
        int64_t n = chl_lanes_left(end - c);
        chl_vec total = {0};
        for (int64_t r = 0; r < rows; r++) total += chl_load_part(dy + r * out + c, n);
        chl_put_part(db + c, bias_gain * total, n, 1);
    }
}

/* The first column of part p, a multiple of the vector length. */
static int64_t split(int64_t p, int64_t parts, int64_t side) {
    return p == parts ? side : p * side / parts / CHL_LANES * CHL_LANES;
}

/* dw = gain dy^T x. The longer side of dw is divided among the threads, so that there are no
 * partial results to add up and the sums do not depend on the thread count; db's columns are
 * divided alike. */
static chl_kernel_status backward_w(const chl_call *call) {
    int64_t out = last(&call->in_desc[0]), in = last(&call->in_desc[1]);
    int64_t rows = chl_count(&call->in_desc[0]) / out;
    const float *dy = call->in[0], *x = call->in[1];
    float *dw = call->out[0], *db = call->outputs > 1 ? call->out[1] : NULL;
    float gain = call->attr.linear.gain, bias_gain = call->attr.linear.bias_gain;
    bool by_out = out >= in;
    int64_t side = by_out ? out : in, max_parts = (side + MIN_SPLIT - 1) / MIN_SPLIT;
    int64_t team = omp_get_max_threads(), parts = team < max_parts ? team : max_parts;
    if (db && !chl_accumulates(call, 1)) memset(db, 0, (size_t)out * sizeof(float));
    bool ok = true;
#pragma omp parallel for schedule(static) reduction(&& : ok)
    for (int64_t p = 0; p < parts; p++) {
        int64_t first = split(p, parts, side), size = split(p + 1, parts, side) - first;
        const float *a = by_out ? dy + first : dy, *b = by_out ? x : x + first;
        int64_t at = by_out ? first * in : first;
        for (int64_t r = 0; r < rows; r += WEIGHT_BLOCK) {
            int64_t some = rows - r < WEIGHT_BLOCK ? rows - r : WEIGHT_BLOCK;
            float beta = r || chl_accumulates(call, 0) ? 1.0f : 0.0f;
            if (dw)
                ok = chl_gemm(true, false, by_out ? size : out, by_out ? in : size, some, gain,
                              a + r * out, out, b + r * in, in, beta, dw + at, in) &&
                     ok;
            if (db)
                add_columns(dy + r * out, some, out, split(p, parts, out), split(p + 1, parts, out),
                            bias_gain, db);
        }
    }
    return ok ? CHL_KERNEL_OK : CHL_KERNEL_FAILED;
}

/* Whatever the number of rows: it must not decide how they are computed. */
bool chl_linear_packs(const chl_call *linear) {
    (void)linear;
    return true;
}

const chl_paths chl_cpu_linear_paths = {PATHS, forward_path};
const chl_paths chl_cpu_linear_dx_paths = {"product panels", dx_path};

const chl_body chl_cpu_linear_pack = {pack, NULL, packed_bytes};
const chl_body chl_cpu_linear = {forward, forward_workspace, NULL};
const chl_body chl_cpu_linear_dx = {backward_x, backward_workspace, NULL};
const chl_body chl_cpu_linear_dw = {backward_w, NULL, NULL};
