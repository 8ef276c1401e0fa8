// StyleGAN3's filtered leaky ReLU [Karras et al. 2021, section 3.2]:
//     y = D a(U(x + b)),   U up-sampling, D down-sampling, a(z) = clamp(gain lrelu(z))
//     u = U^T a'(U(x + b)) D^T v   the gradient of x, and   u = D a'(U(x + b)) U v   a change of y
// All are: a map to the fine grid, a function of each number there, a map back. A block has a tile of
// the output and up to 8 channels. The fine numbers that the tile is made of lie in shared memory,
// and so does what a separable filter leaves between its rows and its columns. x is read once and y
// written once but for the tiles' margins: at 16 x 16 and 12 taps a block reads 27^2 pixels for 16^2
// at equal rates. Has run on the emulated GPU only: no tile size was chosen by a measurement.
#include "cuda/lib/body.h"
#include "filtered.h"

namespace {
constexpr int THREADS = 256, TILE = 16, GROUP = 8;

// numbers first ... first + size - 1 of an axis
struct span {
    int first, size;
};
// numbers of the other grid that those of `of` are made of
SIMT_DEVICE span reached(const chl_fir_reach &low, const chl_fir_reach &high, int length) {
    const int end = high.first + high.count < length ? high.first + high.count : length;
    return {low.first, end > low.first ? end - low.first : 0};
}
SIMT_DEVICE span fine_of(const chl_fir &fir, span of) {
    return reached(chl_fir_to_coarse(&fir, of.first),
                   chl_fir_to_coarse(&fir, of.first + of.size - 1), fir.fine);
}
SIMT_DEVICE span coarse_of(const chl_fir &fir, span of) {
    return reached(chl_fir_to_fine(&fir, of.first), chl_fir_to_fine(&fir, of.first + of.size - 1),
                   fir.coarse);
}

// channels from the block's first on of one sample
template <class T> struct plane {
    const T *at;
    const float *bias; // of these channels; NULL: none
    int64_t row, pixel;
    __device__ float get(int r, int column, int c) const {
        return chl::get(at + r * row + column * pixel + c) + (bias ? bias[c] : 0);
    }
};

template <class T> struct job {
    chl_filter_map up, to_fine, to_coarse; // of x; of what arrives; of what leaves
    const T *x, *v;                        // v NULL: forward
    const float *b;
    T *out;
    int64_t channels;
    int x_h, x_w, v_h, v_w, out_h, out_w;
    int tile, group, between; // floats between rows and columns
    float gain, slope, clamp;
    bool add;
};

__device__ inline float weight(const chl_filter_map &f, int at) {
    return f.gain * (f.f ? f.f[at] : 1);
}

// the map of a plane to the fine numbers rows x columns: take(place, value) for each
template <class T, class F>
__device__ void to_fine(const chl_filter_map &f, const plane<T> &from, span rows, span columns,
                        int channels, float *between, F take) {
    const int count = rows.size * columns.size * channels;
    if (f.square) {
        for (int e = int(threadIdx.x); e < count; e += THREADS) {
            const int c = e % channels, j = e / channels % columns.size;
            const chl_fir_reach r =
                chl_fir_to_fine(&f.rows, rows.first + e / channels / columns.size);
            const chl_fir_reach k = chl_fir_to_fine(&f.columns, columns.first + j);
            float sum = 0;
            for (int i = 0; i < r.count; i++)
                for (int l = 0; l < k.count; l++)
                    sum += f.f[(r.at + i * r.step) * f.rows.taps + k.at + l * k.step] *
                           from.get(r.first + i, k.first + l, c);
            take(e, sum);
        }
        return;
    }
    const span source = coarse_of(f.columns, columns);
    for (int e = int(threadIdx.x); e < rows.size * source.size * channels; e += THREADS) {
        const int c = e % channels, j = source.first + e / channels % source.size;
        const chl_fir_reach r = chl_fir_to_fine(&f.rows, rows.first + e / channels / source.size);
        float sum = 0;
        for (int i = 0; i < r.count; i++)
            sum += weight(f, r.at + i * r.step) * from.get(r.first + i, j, c);
        between[e] = sum;
    }
    __syncthreads();
    for (int e = int(threadIdx.x); e < count; e += THREADS) {
        const int c = e % channels, j = e / channels % columns.size;
        const chl_fir_reach k = chl_fir_to_fine(&f.columns, columns.first + j);
        const float *line = between + e / channels / columns.size * source.size * channels;
        float sum = 0;
        for (int l = 0; l < k.count; l++)
            sum += weight(f, k.at + l * k.step) * line[(k.first + l - source.first) * channels + c];
        take(e, sum);
    }
    __syncthreads();
}

// the map of the fine numbers rows x columns to the tile's: put(row, column, channel, value)
template <class F>
__device__ void to_coarse(const chl_filter_map &f, const float *fine, span rows, span columns,
                          span tile_rows, span tile_columns, int channels, float *between, F put) {
    if (!f.square) {
        for (int e = int(threadIdx.x); e < tile_rows.size * columns.size * channels; e += THREADS) {
            const int row = e / channels / columns.size;
            const chl_fir_reach r = chl_fir_to_coarse(&f.rows, tile_rows.first + row);
            float sum = 0;
            for (int i = 0; i < r.count; i++)
                sum += weight(f, r.at + i * r.step) *
                       fine[(r.first + i - rows.first) * columns.size * channels +
                            e % (columns.size * channels)];
            between[e] = sum;
        }
        __syncthreads();
    }
    for (int e = int(threadIdx.x); e < tile_rows.size * tile_columns.size * channels;
         e += THREADS) {
        const int c = e % channels, j = e / channels % tile_columns.size;
        const int row = e / channels / tile_columns.size;
        const chl_fir_reach r = chl_fir_to_coarse(&f.rows, tile_rows.first + row);
        const chl_fir_reach k = chl_fir_to_coarse(&f.columns, tile_columns.first + j);
        float sum = 0;
        for (int l = 0; l < k.count; l++) {
            const int column = k.first + l - columns.first;
            if (!f.square) {
                sum += weight(f, k.at + l * k.step) *
                       between[(row * columns.size + column) * channels + c];
                continue;
            }
            for (int i = 0; i < r.count; i++)
                sum += f.f[(r.at + i * r.step) * f.rows.taps + k.at + l * k.step] *
                       fine[((r.first + i - rows.first) * columns.size + column) * channels + c];
        }
        put(row, j, c, sum);
    }
}

template <class T> SIMT_KERNEL((THREADS), filter_tile, job<T> f) {
    SIMT_DYNAMIC_SHARED(float, shared);
    float *between = shared, *fine = shared + f.between;
    const int across = (f.out_w + f.tile - 1) / f.tile, down = (f.out_h + f.tile - 1) / f.tile;
    const int groups = int((f.channels + f.group - 1) / f.group);
    const int c0 = int(blockIdx.x) % groups * f.group;
    const int left = int(blockIdx.x) / groups % across * f.tile;
    const int top = int(blockIdx.x) / groups / across % down * f.tile;
    const int64_t n = blockIdx.x / groups / across / down;
    const int channels = f.channels - c0 < f.group ? int(f.channels) - c0 : f.group;
    const span tile_rows = {top, f.out_h - top < f.tile ? f.out_h - top : f.tile};
    const span tile_columns = {left, f.out_w - left < f.tile ? f.out_w - left : f.tile};
    const span rows = fine_of(f.to_coarse.rows, tile_rows);
    const span columns = fine_of(f.to_coarse.columns, tile_columns);

    const plane<T> x = {f.x + n * f.x_h * f.x_w * f.channels + c0, f.b + c0, f.x_w * f.channels,
                        f.channels};
    const bool forward = !f.v;
    to_fine(f.up, x, rows, columns, channels, between, [&](int e, float z) {
        const float slope = f.gain * (z > 0 ? 1.0f : f.slope), v = slope * z;
        if (forward)
            fine[e] = f.clamp > 0 ? fminf(fmaxf(v, -f.clamp), f.clamp) : v;
        else // a'(z)
            fine[e] = f.clamp > 0 && fabsf(v) >= f.clamp ? 0 : slope;
    });
    if (!forward) {
        const plane<T> v = {f.v + n * f.v_h * f.v_w * f.channels + c0, nullptr, f.v_w * f.channels,
                            f.channels};
        to_fine(f.to_fine, v, rows, columns, channels, between,
                [&](int e, float value) { fine[e] *= value; });
    }
    __syncthreads();
    to_coarse(f.to_coarse, fine, rows, columns, tile_rows, tile_columns, channels, between,
              [&](int row, int column, int c, float value) {
                  const int64_t pixel = (n * f.out_h + top + row) * f.out_w + left + column;
                  chl::put(f.out + pixel * f.channels + c0 + c, value, f.add);
              });
}

// --- sizes of a block ----------------------------------------------------------------------------
int smaller(int a, int b) {
    return a < b ? a : b;
}
int larger(int a, int b) {
    return a > b ? a : b;
}
// at most so many fine numbers of an axis for a tile, coarse ones for `fine` numbers
int fine_for(const chl_fir &fir, int tile) {
    return smaller(fir.fine, fir.rate * (tile - 1) + fir.taps);
}
int coarse_for(const chl_fir &fir, int fine) {
    return smaller(fir.coarse, (fine + fir.taps) / fir.rate + 1);
}

template <class T> size_t lay_out(job<T> &f) {
    const int rows = fine_for(f.to_coarse.rows, f.tile);
    const int columns = fine_for(f.to_coarse.columns, f.tile);
    f.between = rows * coarse_for(f.up.columns, columns);
    if (f.v) f.between = larger(f.between, rows * coarse_for(f.to_fine.columns, columns));
    f.between = larger(f.between, f.tile * columns) * f.group;
    return sizeof(float) * size_t(f.between + rows * columns * f.group);
}

template <class T> chl_kernel_status run(const chl_call *call, job<T> &f, int64_t samples) {
    size_t bytes = lay_out(f);
    for (; bytes + chl::BESIDES > chl::gpu.shared && f.tile > 1; bytes = lay_out(f)) f.tile /= 2;
    const chl_kernel_status fits = chl::grant_shared(bytes, "filtered_lrelu");
    if (fits != CHL_KERNEL_OK) return fits;
    const int64_t across = (f.out_w + f.tile - 1) / f.tile, down = (f.out_h + f.tile - 1) / f.tile;
    const int64_t blocks = samples * across * down * ((f.channels + f.group - 1) / f.group);
    return chl::status(simt::launch(filter_tile<T>, {dim3(unsigned(blocks)), dim3(THREADS), bytes},
                                    call->stream, f));
}

// What both directions say; `first` is the input of fu.
template <class T> job<T> describe(const chl_call *call, int first, const chl_desc &x) {
    job<T> f = {};
    chl_filtered_maps(call, first, &x, &f.up, &f.to_coarse);
    f.x_h = int(x.dim[1]);
    f.x_w = int(x.dim[2]);
    f.channels = x.dim[3];
    f.out = chl::out<T>(call, 0);
    f.out_h = int(call->out_desc[0].dim[1]);
    f.out_w = int(call->out_desc[0].dim[2]);
    f.tile = TILE;
    f.group = f.channels < GROUP ? int(f.channels) : GROUP;
    f.gain = call->attr.filtered.gain;
    f.slope = call->attr.filtered.slope;
    f.clamp = call->attr.filtered.clamp;
    f.add = chl::adds(call, 0);
    return f;
}

chl_kernel_status forward(const chl_call *call) {
    const chl_desc &x = call->in_desc[0];
    if (!call->out[0] || chl_count(&call->out_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        job<T> f = describe<T>(call, 2, x);
        f.x = chl::in<T>(call, 0);
        f.b = chl::in<float>(call, 1);
        return run(call, f, x.dim[0]);
    });
}

chl_kernel_status backward(const chl_call *call) {
    const chl_desc &x = call->in_desc[1];
    if (!call->out[0] || chl_count(&call->out_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        job<T> f = describe<T>(call, 3, x);
        f.v = chl::in<T>(call, 0);
        f.x = chl::in<T>(call, 1);
        f.b = chl::in<float>(call, 2);
        f.v_h = int(call->in_desc[0].dim[1]);
        f.v_w = int(call->in_desc[0].dim[2]);
        f.to_fine = f.up;
        if (!call->attr.filtered.push) {
            f.to_fine = f.to_coarse;
            f.to_coarse = f.up;
        }
        return run(call, f, x.dim[0]);
    });
}
} // namespace

const chl_body chl_cuda_filtered_lrelu = {forward, nullptr, nullptr};
const chl_body chl_cuda_filtered_lrelu_dx = {backward, nullptr, nullptr};
