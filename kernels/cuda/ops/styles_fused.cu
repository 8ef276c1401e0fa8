// A generator's styles and their gradients: the calls of one op, one for each layer, as one
// (kernels/fusion_table.h). Each is some hundred thousand multiply-adds of a few samples by a matrix
// in floats, 2 to 8 blocks of work for a launch of its own; together the matrices are 21 MB at 256
// and bound the time. A row of blocks (blockIdx.y) computes a call, or the calls that add to one
// tensor.
#include "cuda/lib/body.h"
#include "cuda/lib/fused.h"
#include "fusion.h"

namespace {
constexpr int THREADS = 256, WARPS = THREADS / 32, MAX = CHL_MAX_FUSED;
constexpr int SAMPLES = WARPS; // summed at a time

template <class T> struct several { T of[MAX]; };

// Calls that add to the same output 0, in order: the first of each row, and which one follows.
struct rows_of_calls {
    int count = 0, first[MAX], next[MAX];
    explicit rows_of_calls(const chl_call *call) {
        for (int i = 0; i < call->together; i++) {
            int before = i - 1;
            while (before >= 0 && call[before].out[0] != call[i].out[0]) before--;
            next[i] = -1;
            if (before >= 0)
                next[before] = i;
            else
                first[count++] = i;
        }
    }
};
unsigned blocks_for(int64_t count, int64_t each) {
    return unsigned((count + each - 1) / each);
}

// --- select_token* -------------------------------------------------------------------------------
struct selected {
    const float *x;
    float *y;
    int64_t token, tokens, width, count;
};
SIMT_KERNEL((THREADS), select_kernel, several<selected> all) {
    const selected &f = all.of[blockIdx.y];
    const int64_t at = int64_t(blockIdx.x) * THREADS + threadIdx.x;
    if (at >= f.count) return;
    const int64_t n = at / f.width, c = at - n * f.width;
    f.y[at] = f.x[(n * f.tokens + f.token) * f.width + c];
}
chl_kernel_status select(const chl_call *call) {
    several<selected> all;
    int64_t most = 0;
    for (int i = 0; i < call->together; i++) {
        const int64_t *x = call[i].in_desc[0].dim;
        all.of[i] = {chl::in<float>(call + i, 0),
                     chl::out<float>(call + i, 0),
                     call[i].attr.token.index,
                     x[1],
                     x[2],
                     x[0] * x[2]};
        if (all.of[i].count > most) most = all.of[i].count;
    }
    const dim3 grid(blocks_for(most, THREADS), unsigned(call->together));
    return chl::status(simt::launch(select_kernel, {grid, dim3(THREADS)}, call->stream, all));
}

struct selected_dx {
    const float *dy;
    float *dx;
    int64_t token, tokens, width, count;
    bool add;
    int next;
};
SIMT_KERNEL((THREADS), select_dx_kernel, several<selected_dx> all, several<int> first) {
    const selected_dx &f = all.of[first.of[blockIdx.y]];
    const int64_t at = int64_t(blockIdx.x) * THREADS + threadIdx.x;
    if (at >= f.count) return;
    const int64_t row = at / f.width, c = at - row * f.width;
    const int64_t n = row / f.tokens, token = row - n * f.tokens;
    float sum = f.add ? f.dx[at] : 0.0f;
    for (int i = first.of[blockIdx.y]; i >= 0; i = all.of[i].next)
        if (all.of[i].token == token) sum += all.of[i].dy[n * f.width + c];
    f.dx[at] = sum;
}
chl_kernel_status select_dx(const chl_call *call) {
    const rows_of_calls rows(call);
    several<selected_dx> all;
    several<int> first;
    int64_t most = 0;
    for (int i = 0; i < call->together; i++) {
        const int64_t *dx = call[i].out_desc[0].dim;
        all.of[i] = {chl::in<float>(call + i, 0),
                     chl::out<float>(call + i, 0),
                     call[i].attr.token.index,
                     dx[1],
                     dx[2],
                     dx[0] * dx[1] * dx[2],
                     chl::adds(call + i, 0),
                     rows.next[i]};
        first.of[i] = i < rows.count ? rows.first[i] : 0;
        if (all.of[i].count > most) most = all.of[i].count;
    }
    const dim3 grid(blocks_for(most, THREADS), unsigned(rows.count));
    return chl::status(
        simt::launch(select_dx_kernel, {grid, dim3(THREADS)}, call->stream, all, first));
}

// --- linear*, demodulate*: a warp for each row of the matrix -------------------------------------
//     linear       y[n,o] = gain sum_i x[n,i] w[o,i] + bias_gain b[o]
//     demodulate   y[n,o] = 1 / sqrt(gain^2 sum_i x[n,i]^2 w[o,i] + eps)
struct row_product {
    const float *x, *w, *b;
    float *y;
    int64_t samples, in, out;
    float gain, extra; // extra: bias_gain, eps
};
template <bool DEMODULATES> SIMT_KERNEL((THREADS), rows_kernel, several<row_product> all) {
    const row_product &f = all.of[blockIdx.y];
    const int lane = int(threadIdx.x) % 32;
    const int64_t o = int64_t(blockIdx.x) * WARPS + int(threadIdx.x) / 32;
    if (o >= f.out) return;
    const float *w = f.w + o * f.in;
    const float bias = !DEMODULATES && f.b ? f.extra * f.b[o] : 0.0f;
    for (int64_t n0 = 0; n0 < f.samples; n0 += SAMPLES) {
        const int here = f.samples - n0 < SAMPLES ? int(f.samples - n0) : SAMPLES;
        float sum[SAMPLES] = {};
        for (int64_t i = lane; i < f.in; i += 32) {
            const float factor = w[i];
            for (int r = 0; r < SAMPLES; r++) {
                const float x = r < here ? f.x[(n0 + r) * f.in + i] : 0.0f;
                sum[r] += (DEMODULATES ? x * x : x) * factor;
            }
        }
        for (int r = 0; r < SAMPLES; r++) {
            const float total = simt::warp_sum(sum[r]);
            if (lane > 0 || r >= here) continue;
            f.y[(n0 + r) * f.out + o] =
                DEMODULATES ? 1 / sqrtf(f.gain * f.gain * total + f.extra) : f.gain * total + bias;
        }
    }
}
template <bool DEMODULATES> chl_kernel_status rows(const chl_call *call) {
    several<row_product> all;
    int64_t most = 0;
    for (int i = 0; i < call->together; i++) {
        const chl_call *c = call + i;
        const int64_t *x = c->in_desc[0].dim, *w = c->in_desc[1].dim;
        all.of[i] = {chl::in<float>(c, 0),
                     chl::in<float>(c, 1),
                     !DEMODULATES && c->inputs > 2 ? chl::in<float>(c, 2) : nullptr,
                     chl::out<float>(c, 0),
                     x[0],
                     w[1],
                     w[0],
                     DEMODULATES ? c->attr.demodulate.gain : c->attr.linear.gain,
                     DEMODULATES ? c->attr.demodulate.eps : c->attr.linear.bias_gain};
        if (w[0] > most) most = w[0];
    }
    const dim3 grid(blocks_for(most, WARPS), unsigned(call->together));
    return chl::status(
        simt::launch(rows_kernel<DEMODULATES>, {grid, dim3(THREADS)}, call->stream, all));
}

// --- linear_dx*, demodulate_backward*: a block for 32 columns of the matrix ----------------------
//     linear_dx             dx[n,i] = gain sum_o dy[n,o] w[o,i], of several calls
//     demodulate_backward   ds[n,i] = s[n,i] sum_o t[n,o] q[o,i], t = -gain^2 dd d^3
struct column_product {
    const float *dy, *w, *d, *s; // dy or dd, w or q
    float *dx;
    int64_t samples, in, out;
    float gain;
    bool add;
    int next;
};
template <bool DEMODULATES>
__device__ inline float factor_of(const column_product &f, int64_t n, int64_t o) {
    const float dy = f.dy[n * f.out + o];
    if (!DEMODULATES) return f.gain * dy;
    const float root = f.d[n * f.out + o];
    return -f.gain * f.gain * dy * root * root * root;
}
template <bool DEMODULATES>
SIMT_KERNEL((THREADS), columns_of_kernel, several<column_product> all, several<int> first) {
    SIMT_SHARED(share, float[WARPS][SAMPLES][32]);
    const column_product &head = all.of[first.of[blockIdx.y]];
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    const int64_t column = int64_t(blockIdx.x) * 32 + lane;
    if (int64_t(blockIdx.x) * 32 >= head.in) return;
    for (int64_t n0 = 0; n0 < head.samples; n0 += SAMPLES) {
        const int here = head.samples - n0 < SAMPLES ? int(head.samples - n0) : SAMPLES;
        float sum[SAMPLES] = {};
        for (int m = first.of[blockIdx.y]; m >= 0 && column < head.in; m = all.of[m].next) {
            const column_product &f = all.of[m];
            for (int64_t o = warp; o < f.out; o += WARPS) {
                const float w = f.w[o * f.in + column];
                for (int r = 0; r < SAMPLES; r++)
                    if (r < here) sum[r] += factor_of<DEMODULATES>(f, n0 + r, o) * w;
            }
        }
        for (int r = 0; r < SAMPLES; r++) share[warp][r][lane] = sum[r];
        __syncthreads();
        float total = 0; // of sample `warp`
        for (int from = 0; from < WARPS; from++) total += share[from][warp][lane];
        const int64_t at = (n0 + warp) * head.in + column;
        if (warp < here && column < head.in)
            chl::put(head.dx + at, DEMODULATES ? head.s[at] * total : total, head.add);
        __syncthreads();
    }
}
template <bool DEMODULATES> chl_kernel_status columns(const chl_call *call) {
    const rows_of_calls rows(call);
    several<column_product> all;
    several<int> first;
    int64_t most = 0;
    for (int i = 0; i < call->together; i++) {
        const chl_call *c = call + i;
        const int w = DEMODULATES ? 3 : 1;
        const int64_t *of = c->in_desc[w].dim;
        all.of[i] = {chl::in<float>(c, 0),
                     chl::in<float>(c, w),
                     DEMODULATES ? chl::in<float>(c, 1) : nullptr,
                     DEMODULATES ? chl::in<float>(c, 2) : nullptr,
                     chl::out<float>(c, 0),
                     c->in_desc[0].dim[0],
                     of[1],
                     of[0],
                     DEMODULATES ? c->attr.demodulate.gain : c->attr.linear.gain,
                     chl::adds(c, 0),
                     rows.next[i]};
        first.of[i] = i < rows.count ? rows.first[i] : 0;
        if (of[1] > most) most = of[1];
    }
    const dim3 grid(blocks_for(most, 32), unsigned(rows.count));
    return chl::status(simt::launch(columns_of_kernel<DEMODULATES>, {grid, dim3(THREADS)},
                                    call->stream, all, first));
}
} // namespace

const chl_fused_body chl_cuda_select_tokens = {select, nullptr, chl_selects_style};
const chl_fused_body chl_cuda_linears = {rows<false>, nullptr, chl_makes_style};
const chl_fused_body chl_cuda_demodulates = {rows<true>, nullptr, chl_demodulates_style};
const chl_fused_body chl_cuda_select_tokens_dx = {select_dx, nullptr, chl_selects_style_dx};
const chl_fused_body chl_cuda_linears_dx = {columns<false>, nullptr, chl_makes_style_dx};
const chl_fused_body chl_cuda_demodulates_backward = {columns<true>, nullptr,
                                                      chl_demodulates_style_backward};
