// wave [N,S] -> log-mel picture [N, bands, 1 + S/hop]: framing, window, transform, power, mel bands
// and decibels in one kernel, eight neighbouring frames to a block.
//
// A real frame of `fft` samples is transformed as fft/2 complex points (even samples real, odd
// imaginary) and split afterwards; the filter bank is sparse. The split leaves out its factor 1/2,
// so powers are four times the true ones; the bands divide by four. Bytes: 4 a sample and 4 an
// element of the picture, which a reference that is the clip's own maximum reads and writes once
// more. 2.5 fft log2 fft + 5 fft FLOPs a frame. Frames of 2048 samples, a warp each, issue some 2000
// instructions a frame (sm_90a: 1450 transform and power, 330 the bands), 500 cycles, which is the
// bound: 0.7 ms for 384 clips of ten seconds on 132 multiprocessors. Not cuFFT: its transforms begin
// and end in memory, so frames, spectra and powers of ten seconds would move 40 MB instead of 2. It
// computes the lengths that are no power of two, below 16, or too long for a block's shared memory:
// above 16384, or above 8192 where a block has 99 KB (sm_86, sm_89, sm_120).
#include "cuda/lib/fft_warp.cuh"
#include "cuda/lib/log_sum.cuh"
#include "cuda/lib/vendor.h"

namespace {
using chl::complex;
constexpr int THREADS = 128, FRAMES = 8, LANES = 4; // LANES threads share a band
constexpr int MAX_FFT = 16384;                      // twice its points fit 163 KB of shared memory
constexpr float DECIBELS = 3.01029996f;             // 10 log10(2)

struct mel_plan {
    const float *wave, *window;
    const complex *twiddle;
    const float *filter;
    const int32_t *range;   // [bands, 3]: first bin, bins, offset into filter
    float *mel;             // null where only the loudest levels are wanted
    float *loudest;         // [clips, blocks], a block's loudest level
    const float *reference; // the loudest levels of an earlier launch; null: 0 dB
    int64_t samples, frames, blocks;
    int bits, fft, hop, bands;
    float floor_db, min_power;
    bool reflect, raw, add; // raw: decibels are stored unscaled
};

// The sample of the clip that sample i of the padded clip repeats; -1 = silence. Reflection omits
// the end sample and is repeated as often as needed (numpy's "reflect").
__device__ inline int64_t padded_index(const mel_plan &p, int64_t i) {
    if (i >= 0 && i < p.samples) return i;
    if (!p.reflect) return -1;
    if (p.samples == 1) return 0;
    const int64_t period = 2 * (p.samples - 1), at = (i % period + period) % period;
    return at < p.samples ? at : period - at;
}
// A frame that reaches beyond the clip's ends, before its window.
__device__ inline void lay_frame(const mel_plan &p, const float *wave, int64_t start, complex *to) {
#pragma unroll 1
    for (int i = int(threadIdx.x); i < p.fft; i += THREADS) {
        const int64_t from = padded_index(p, start + i);
        const float v = from < 0 ? 0 : wave[from];
        complex &point = to[i / 2];
        (i % 2 ? point.im : point.re) = v;
    }
}

// With E = Z[k] + conj Z[M-k] and O = -i (Z[k] - conj Z[M-k]), 2 X[k] = E + w^k O and
// 2 conj X[M-k] = E - w^k O.
__device__ inline void split_power(const complex *z, int points, const complex *twiddle,
                                   float *power) {
    for (int k = int(threadIdx.x); k <= points / 2; k += THREADS) {
        const complex a = z[chl::fft_place(k)];
        const complex b = z[chl::fft_place((points - k) & (points - 1))];
        const complex even = {a.re + b.re, a.im - b.im};
        const complex turned = complex{a.im + b.im, b.re - a.re} * twiddle[k];
        const complex up = {even.re + turned.re, even.im + turned.im};
        const complex down = {even.re - turned.re, even.im - turned.im};
        power[k] = up.re * up.re + up.im * up.im;
        power[points - k] = down.re * down.re + down.im * down.im;
    }
}

// Both return NaN where `a` is NaN: a broken sound must not give a plausible picture.
__device__ inline float max_keep_nan(float a, float b) {
    return a < b ? b : a;
}
__device__ inline float min_keep_nan(float a, float b) {
    return a > b ? b : a;
}

// Writes the decibels of a frame's bands to level[band * FRAMES]; returns the loudest of this
// thread's.
__device__ inline float band_levels(const mel_plan &p, const float *power, float *level) {
    const int lane = int(threadIdx.x) % LANES;
    float loudest = -INFINITY;
    for (int first = 0; first < p.bands; first += THREADS / LANES) {
        const int band = first + int(threadIdx.x) / LANES;
        float sum = 0;
        if (band < p.bands) {
            const int32_t *range = p.range + 3 * band;
            for (int i = lane; i < range[1]; i += LANES)
                sum += power[range[0] + i] * p.filter[range[2] + i];
        }
        for (int step = 1; step < LANES; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (band >= p.bands || lane > 0) continue;
        const float decibels = 10 * log10f(max_keep_nan(0.25f * sum, p.min_power));
        level[band * FRAMES] = decibels;
        loudest = max_keep_nan(loudest, decibels);
    }
    return loudest;
}

// Maps `reference` to 1 and floor_db below it to 0.
__device__ inline float shade(float level, float reference, float floor_db) {
    if (floor_db == 0) return level - reference;
    return min_keep_nan(max_keep_nan((level - reference) * (1 / floor_db) + 1, 0), 1);
}

template <int SIZE> __device__ inline float loudest_of(const float *loudest, int64_t count) {
    float max_level = -INFINITY;
    for (int64_t i = threadIdx.x; i < count; i += SIZE)
        max_level = max_keep_nan(max_level, loudest[i]);
    return chl::block_max<SIZE>(max_level);
}

// The end of all kernels: a block's loudest level, or its part of the picture.
template <int SIZE>
__device__ inline void finish_block(const mel_plan &p, unsigned block, const float *level,
                                    float loudest) {
    const unsigned blocks = unsigned(p.blocks); // 64-bit divisions are slow
    const int64_t clip = block / blocks, first = block % blocks * FRAMES;
    const int count = int(p.frames - first < FRAMES ? p.frames - first : FRAMES);
    const float reference =
        p.reference ? loudest_of<SIZE>(p.reference + clip * p.blocks, p.blocks) : 0;
    loudest = chl::block_max<SIZE>(loudest); // and all levels are written
    if (threadIdx.x == 0 && p.loudest) p.loudest[block] = loudest;
    if (!p.mel) return;
    static_assert(SIZE % FRAMES == 0, "a thread keeps its frame");
    const int frame = int(threadIdx.x) % FRAMES;
    if (frame >= count) return;
    int band = int(threadIdx.x) / FRAMES;
    float *mel = p.mel + (clip * p.bands + band) * p.frames + first + frame;
    for (; band < p.bands; band += SIZE / FRAMES) {
        const float v = level[band * FRAMES + frame];
        chl::put(mel, p.raw ? v : shade(v, reference, p.floor_db), p.add);
        mel += SIZE / FRAMES * p.frames;
    }
}

SIMT_KERNEL((THREADS), frames_to_levels, mel_plan p) {
    SIMT_DYNAMIC_SHARED(complex, shared);
    const int points = p.fft / 2;
    complex *from = shared, *to = shared + chl::fft_room(points);
    float *level = reinterpret_cast<float *>(to + chl::fft_room(points));
    const int64_t clip = blockIdx.x / p.blocks, first = blockIdx.x % p.blocks * FRAMES;
    const int count = int(p.frames - first < FRAMES ? p.frames - first : FRAMES);
    const float *wave = p.wave + clip * p.samples;
    float loudest = -INFINITY;
    for (int f = 0; f < count; f++) {
        const int64_t start = (first + f) * p.hop - points;
        const bool whole = start >= 0 && start + p.fft <= p.samples;
        if (!whole) {
            __syncthreads(); // the last frame's power is still being read
            lay_frame(p, wave, start, to);
            __syncthreads();
        }
        const auto load = [&](int i) {
            const float *window = p.window + 2 * i;
            const int64_t at = start + 2 * i;
            const complex v = whole ? complex{wave[at], wave[at + 1]} : to[i];
            return complex{v.re * window[0], v.im * window[1]};
        };
        chl::block_fft<THREADS>(p.bits, p.twiddle, p.fft, load, from, to);
        float *power = reinterpret_cast<float *>(to);
        split_power(from, points, p.twiddle, power);
        __syncthreads();
        // the next frame's transform begins in `from`, which no thread reads any more
        loudest = max_keep_nan(loudest, band_levels(p, power, level + f));
    }
    finish_block<THREADS>(p, blockIdx.x, level, loudest);
}

// --- 2048 samples: a frame per warp --------------------------------------------------------------
constexpr int WARP_THREADS = 32 * FRAMES;
constexpr int EXCHANGE = 32 * chl::EXCHANGE_PITCH; // points of a warp; its powers lie there too
constexpr size_t warp_shared(int bands) {
    return sizeof(complex) * (FRAMES * EXCHANGE + chl::WARP_POINTS) +
           sizeof(float) * size_t(bands) * FRAMES;
}

// Windowed points of the frame that starts at sample `start`, the first butterflies done.
__device__ inline void load_frame(const mel_plan &p, const float *wave, int64_t start,
                                  complex *space, complex (&v)[32]) {
    const int lane = int(threadIdx.x) % 32;
    const float *from = wave + start;
    const bool whole = start >= 0 && start + p.fft <= p.samples;
    if (!whole || reinterpret_cast<uintptr_t>(from) % sizeof(float2)) {
#pragma unroll 1
        for (int i = lane; i < chl::WARP_POINTS; i += 32) { // a lane lays out what it reads
            const int64_t left = padded_index(p, start + 2 * i);
            const int64_t right = padded_index(p, start + 2 * i + 1);
            space[i] = {left < 0 ? 0 : wave[left], right < 0 ? 0 : wave[right]};
        }
        from = &space->re;
    }
    const float2 *pairs = reinterpret_cast<const float2 *>(from) + lane;
    const float2 *window = reinterpret_cast<const float2 *>(p.window) + lane;
#pragma unroll
    for (int r = 0; r < 16; r++) {
        const float2 a = pairs[32 * r], b = pairs[32 * r + 512];
        const float2 u = window[32 * r], w = window[32 * r + 512];
        const complex e = {a.x * u.x, a.y * u.y};
        v[r] = {fmaf(b.x, w.x, e.re), fmaf(b.y, w.y, e.im)};
        v[r + 16] = {fmaf(-b.x, w.x, e.re), fmaf(-b.y, w.y, e.im)};
    }
}

// The same as band_levels, of a block's frames, whose powers lie PITCH numbers apart: two lanes sum a
// band of all of them, and then have half of the frames each.
__device__ inline float bands_of_frames(const mel_plan &p, const float *power, int count,
                                        float *level) {
    constexpr int PITCH = 2 * EXCHANGE, LANES = 2, EACH = FRAMES / LANES;
    const int lane = int(threadIdx.x) % LANES;
    float loudest = -INFINITY;
#pragma unroll 1
    for (int first = 0; first < p.bands; first += WARP_THREADS / LANES) {
        const int band = first + int(threadIdx.x) / LANES;
        float sum[FRAMES] = {};
        if (band < p.bands) {
            const int32_t *range = p.range + 3 * band;
            const float *filter = p.filter + range[2] + lane, *from = power + range[0] + lane;
#pragma unroll 2
            for (int left = range[1] - lane; left > 0; left -= LANES) {
#pragma unroll
                for (int f = 0; f < FRAMES; f++) sum[f] += from[f * PITCH] * *filter;
                from += LANES;
                filter += LANES;
            }
        }
        float4 decibels;
        float *const mine = &decibels.x;
#pragma unroll
        for (int f = 0; f < EACH; f++) {
            const float kept = lane ? sum[f + EACH] : sum[f], given = lane ? sum[f] : sum[f + EACH];
            const float both = kept + __shfl_xor_sync(0xffffffffu, given, 1);
            mine[f] = DECIBELS * __log2f(max_keep_nan(0.25f * both, p.min_power));
            if (band < p.bands && lane * EACH + f < count) loudest = max_keep_nan(loudest, mine[f]);
        }
        if (band < p.bands) reinterpret_cast<float4 *>(level)[band * LANES + lane] = decibels;
    }
    return loudest;
}

SIMT_KERNEL((WARP_THREADS, 2), frames_of_2048, mel_plan p) {
    SIMT_DYNAMIC_SHARED(complex, shared);
    complex *turned = shared + FRAMES * EXCHANGE;
    float *level = reinterpret_cast<float *>(turned + chl::WARP_POINTS);
    const int warp = int(threadIdx.x) / 32;
    const unsigned blocks = unsigned(p.blocks); // 64-bit divisions are slow
    const int64_t clip = blockIdx.x / blocks, first = blockIdx.x % blocks * FRAMES;
    const int count = int(p.frames - first < FRAMES ? p.frames - first : FRAMES);
    chl::lay_out_turns<WARP_THREADS>(p.twiddle, turned);
    __syncthreads();
    if (warp < count) {
        complex v[32], *own = shared + warp * EXCHANGE;
        load_frame(p, p.wave + clip * p.samples, (first + warp) * p.hop - chl::WARP_POINTS, own, v);
        chl::warp_fft(v, turned, own);
        __syncwarp(); // all lanes have read the points
        chl::warp_power(v, p.twiddle, &own->re);
    }
    __syncthreads();
    finish_block<WARP_THREADS>(p, blockIdx.x, level, bands_of_frames(p, &shared->re, count, level));
}

// --- other lengths: by way of cuFFT, some blocks of frames at a time -----------------------------
// Windowed frames of the blocks from `first` on -> rows [blocks FRAMES, fft]; a thread per number.
SIMT_KERNEL((THREADS), lay_rows, mel_plan p, unsigned first, unsigned end, float *rows) {
    const int64_t at = int64_t(blockIdx.x) * THREADS + threadIdx.x, row = at / p.fft;
    const unsigned block = first + unsigned(row / FRAMES);
    if (block >= end) return;
    const int64_t clip = block / p.blocks, frame = block % p.blocks * FRAMES + row % FRAMES;
    const int n = int(at - row * p.fft);
    const int64_t from = padded_index(p, frame * p.hop - p.fft / 2 + n);
    const float v = from < 0 || frame >= p.frames ? 0 : p.wave[clip * p.samples + from];
    rows[at] = v * p.window[n];
}
// A block's spectra [FRAMES, fft/2 + 1] -> levels; its powers go to `rows`.
SIMT_KERNEL((THREADS), spectra_to_levels, mel_plan p, unsigned first, const complex *spectra,
            float *rows) {
    SIMT_DYNAMIC_SHARED(float, level);
    const int bins = p.fft / 2 + 1;
    const unsigned block = first + blockIdx.x;
    const int64_t begin = int64_t(block % unsigned(p.blocks)) * FRAMES;
    const int count = int(p.frames - begin < FRAMES ? p.frames - begin : FRAMES);
    float loudest = -INFINITY;
    for (int f = 0; f < count; f++) {
        const int64_t row = int64_t(blockIdx.x) * FRAMES + f;
        float *power = rows + row * p.fft;
        for (int k = int(threadIdx.x); k < bins; k += THREADS) {
            const complex z = spectra[row * bins + k];
            power[k] = 4 * (z.re * z.re + z.im * z.im);
        }
        __syncthreads();
        loudest = max_keep_nan(loudest, band_levels(p, power, level + f));
    }
    finish_block<THREADS>(p, block, level, loudest);
}

// Converts levels to shades in place, with `chunks` blocks per clip.
SIMT_KERNEL((THREADS), shade_levels, mel_plan p, int chunks) {
    const int64_t clip = blockIdx.x / chunks, size = p.bands * p.frames;
    const float reference = loudest_of<THREADS>(p.reference + clip * p.blocks, p.blocks);
    for (int64_t i = int64_t(blockIdx.x) % chunks * THREADS + threadIdx.x; i < size;
         i += int64_t(chunks) * THREADS)
        p.mel[clip * size + i] = shade(p.mel[clip * size + i], reference, p.floor_db);
}

mel_plan plan_of(const chl_call *call) {
    const auto &a = call->attr.mel;
    mel_plan p = {};
    p.wave = chl::in<float>(call, 0);
    p.window = chl::in<float>(call, 1);
    p.twiddle = chl::in<complex>(call, 2);
    p.filter = chl::in<float>(call, 3);
    p.range = chl::in<int32_t>(call, 4);
    p.mel = chl::out<float>(call, 0);
    p.loudest = static_cast<float *>(call->workspace);
    p.samples = call->in_desc[0].dim[1];
    p.frames = 1 + p.samples / a.hop;
    p.blocks = (p.frames + FRAMES - 1) / FRAMES;
    while (2 << p.bits < a.fft) p.bits++;
    p.fft = a.fft;
    p.hop = a.hop;
    p.bands = a.bands;
    p.floor_db = a.floor_db;
    p.min_power = a.min_power;
    p.reflect = a.reflect;
    p.add = chl::adds(call, 0);
    return p;
}
bool fits_shared(size_t bytes) { // with what reductions need
    return bytes + chl::BESIDES <= chl::gpu.shared;
}
size_t levels_shared(int bands) {
    return size_t(bands) * FRAMES * sizeof(float);
}
size_t block_shared(int fft, int bands) {
    return size_t(2 * chl::fft_room(fft / 2)) * sizeof(complex) + levels_shared(bands);
}
bool own_transform(int fft, int bands) { // by the kernels above
    return chl::gpu.own_transforms && fft >= 16 && fft <= MAX_FFT && (fft & (fft - 1)) == 0 &&
           fits_shared(block_shared(fft, bands));
}
// By frames_of_2048, whose launch bounds promise two blocks on a multiprocessor of sm_80 (164 KB, 1
// KB a block of its own): up to 224 bands.
bool own_frame_a_warp(int fft, int bands) {
    return fft == chl::WARP_FFT && fits_shared(warp_shared(bands)) &&
           2 * (warp_shared(bands) + 1024) <= 164 * 1024;
}
int max_own_transform(int bands) {
    int fft = MAX_FFT;
    while (fft > 16 && !own_transform(fft, bands)) fft /= 2;
    return fft;
}

struct spectra_space {
    int64_t blocks; // of frames that cuFFT is given at once
    int rows;
    float *loudest, *row;
    complex *spectrum;
    char *transform;
    size_t used;
    spectra_space(const chl_call *call, const mel_plan &p) {
        const int64_t all = call->in_desc[0].dim[0] * p.blocks;
        const int64_t fit = chl::transform_rows(p.fft) / FRAMES;
        blocks = all < fit ? all : fit < 1 ? 1 : fit;
        rows = int(blocks * FRAMES);
        chl::workspace_cursor cursor = {call->workspace};
        loudest = cursor.take<float>(all);
        row = cursor.take<float>(int64_t(rows) * p.fft);
        spectrum = cursor.take<complex>(int64_t(rows) * (p.fft / 2 + 1));
        transform = cursor.take<char>(int64_t(chl::transform_workspace(p.fft, rows)));
        used = cursor.used;
    }
};
size_t workspace(const chl_call *call) {
    const mel_plan p = plan_of(call);
    if (!own_transform(p.fft, p.bands)) return spectra_space(call, p).used;
    return size_t(call->in_desc[0].dim[0] * p.blocks) * sizeof(float);
}

chl_kernel_status levels_by_vendor(const chl_call *call, const mel_plan &p) {
    const spectra_space space(call, p);
    const int64_t all = call->in_desc[0].dim[0] * p.blocks;
    const size_t shared = levels_shared(p.bands);
    chl_kernel_status status = CHL_KERNEL_OK;
    for (int64_t first = 0; first < all && status == CHL_KERNEL_OK; first += space.blocks) {
        const int64_t count = all - first < space.blocks ? all - first : space.blocks;
        const unsigned grid = unsigned((int64_t(space.rows) * p.fft + THREADS - 1) / THREADS);
        status = chl::status(simt::launch(lay_rows, {dim3(grid), dim3(THREADS)}, call->stream, p,
                                          unsigned(first), unsigned(all), space.row));
        if (status == CHL_KERNEL_OK)
            status =
                chl::transform(call, p.fft, space.rows, space.row, space.spectrum, space.transform);
        if (status == CHL_KERNEL_OK)
            status = chl::status(
                simt::launch(spectra_to_levels, {dim3(unsigned(count)), dim3(THREADS), shared},
                             call->stream, p, unsigned(first), space.spectrum, space.row));
    }
    return status;
}

chl_kernel_status levels(const chl_call *call, const mel_plan &p) {
    const unsigned grid = unsigned(call->in_desc[0].dim[0] * p.blocks);
    if (!own_transform(p.fft, p.bands)) return levels_by_vendor(call, p);
    if (own_frame_a_warp(p.fft, p.bands))
        return chl::status(simt::launch(frames_of_2048,
                                        {dim3(grid), dim3(WARP_THREADS), warp_shared(p.bands)},
                                        call->stream, p));
    return chl::status(simt::launch(frames_to_levels,
                                    {dim3(grid), dim3(THREADS), block_shared(p.fft, p.bands)},
                                    call->stream, p));
}
// Whether levels_by_vendor can compute the picture.
chl_kernel_status vendor_takes(const chl_call *call, const mel_plan &p) {
    const chl_kernel_status granted =
        chl::grant_shared(levels_shared(p.bands), "a picture of so many bands");
    if (granted != CHL_KERNEL_OK) return granted;
    if (!chl::transform_found())
        return chl::fail(CHL_KERNEL_UNSUPPORTED,
                         "a Fourier transform of %d samples needs cuFFT, which was not found; "
                         "powers of two from 16 to %d do without",
                         p.fft, max_own_transform(p.bands));
    return chl::transform_planned(p.fft, spectra_space(call, p).rows);
}
// The clip's own maximum is known only after all its blocks: the first launch stores decibels in
// the picture, the second converts them in place. A picture that is added to cannot store them, so
// there the second launch computes them again; no graph does that (the op has no gradient).
chl_kernel_status run(const chl_call *call) {
    mel_plan p = plan_of(call);
    if (!p.mel) return CHL_KERNEL_OK;
    if (!own_transform(p.fft, p.bands)) {
        const chl_kernel_status taken = vendor_takes(call, p);
        if (taken != CHL_KERNEL_OK) return taken;
    }
    if (call->attr.mel.absolute) return levels(call, p);
    mel_plan measure = p;
    measure.raw = true;
    if (p.add) measure.mel = nullptr;
    const chl_kernel_status status = levels(call, measure);
    p.reference = p.loudest;
    p.loudest = nullptr;
    if (status != CHL_KERNEL_OK) return status;
    if (p.add) return levels(call, p);
    const int chunks = int((p.bands * p.frames + THREADS * 16 - 1) / (THREADS * 16));
    const unsigned grid = unsigned(call->in_desc[0].dim[0] * chunks);
    return chl::status(
        simt::launch(shade_levels, {dim3(grid), dim3(THREADS)}, call->stream, p, chunks));
}
} // namespace

const chl_body chl_cuda_log_mel = {run, workspace, nullptr};
