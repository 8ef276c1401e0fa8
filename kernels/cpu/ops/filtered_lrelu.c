/* StyleGAN3's filtered leaky ReLU [Karras et al. 2021, section 3.2]:
 *
 *     y = D a(U(x + b)),   U up-sampling, D down-sampling, a(z) = clamp(gain lrelu(z))
 *     u = U^T a'(U(x + b)) D^T v   the gradient of x, and   u = D a'(U(x + b)) U v   a change of y
 *
 * All are: a map to the fine grid, a function of each number there, a map back. The fine map, up to
 * 4 times as wide as x, is never whole in memory: a task has 16 channels and a strip of output rows,
 * and keeps as many fine rows as a row of the output is made of. A filter works on rows first, then
 * on columns. */
#include "cpu/lib/rows.h"
#include "cpu/lib/vmath.h"
#include "filtered.h"

#define STRIP 32 /* output rows of a task: a dozen fine rows are computed anew for each strip */
#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* Rows that a filter reads, 16 channels each: row i begins at `at` + i % ring * row. */
typedef struct source {
    const float *at;
    int64_t row, pixel; /* strides in floats */
    int64_t ring, width;
    int64_t lanes; /* channels that are there */
    chl_vec bias;
} source;

typedef struct job {
    chl_filter_map up, to_fine, to_coarse; /* of x; of what arrives; of what leaves */
    const float *x, *v, *b;                /* v NULL: forward */
    float *out;
    int64_t n, c, x_h, x_w, v_h, v_w, out_h, out_w, fine_w;
    float gain, slope, clamp;
    int accumulate;
} job;

static float weight(const chl_filter_map *f, int32_t at) {
    return f->gain * (f->f ? f->f[at] : 1);
}

/* --- one row of a map ------------------------------------------------------------------------- */
static chl_vec pixel_of(const source *s, int64_t row, int64_t column) {
    return chl_load_part(s->at + row % s->ring * s->row + column * s->pixel, s->lanes);
}

/* out[j] = sum over rows and columns of the filter's own number for the pair */
static void square_row(const chl_filter_map *f, const source *s, const chl_fir_reach *rows,
                       int to_fine, int64_t width, chl_vec *out) {
    const int32_t taps = f->rows.taps;
    for (int64_t j = 0; j < width; j++) {
        const chl_fir_reach columns = to_fine ? chl_fir_to_fine(&f->columns, (int32_t)j)
                                              : chl_fir_to_coarse(&f->columns, (int32_t)j);
        chl_vec sum = {0};
        for (int32_t r = 0; r < rows->count; r++) {
            const float *line = f->f + (int64_t)(rows->at + r * rows->step) * taps + columns.at;
            for (int32_t k = 0; k < columns.count; k++)
                sum += line[k * columns.step] * pixel_of(s, rows->first + r, columns.first + k);
        }
        out[j] = sum;
    }
}

static void separable_row(const chl_filter_map *f, const source *s, const chl_fir_reach *rows,
                          int to_fine, int64_t width, chl_vec *line, chl_vec *out) {
    for (int64_t j = 0; j < s->width; j++) {
        chl_vec sum = {0};
        for (int32_t r = 0; r < rows->count; r++)
            sum +=
                weight(f, rows->at + r * rows->step) * (pixel_of(s, rows->first + r, j) + s->bias);
        line[j] = sum;
    }
    for (int64_t j = 0; j < width; j++) {
        const chl_fir_reach columns = to_fine ? chl_fir_to_fine(&f->columns, (int32_t)j)
                                              : chl_fir_to_coarse(&f->columns, (int32_t)j);
        chl_vec sum = {0};
        for (int32_t k = 0; k < columns.count; k++)
            sum += weight(f, columns.at + k * columns.step) * line[columns.first + k];
        out[j] = sum;
    }
}

/* Row `row` of the map's result, `width` pixels; `line` has room for a row of the source. */
static void map_row(const chl_filter_map *f, const source *s, int64_t row, int to_fine,
                    int64_t width, chl_vec *line, chl_vec *out) {
    const chl_fir_reach rows = to_fine ? chl_fir_to_fine(&f->rows, (int32_t)row)
                                       : chl_fir_to_coarse(&f->rows, (int32_t)row);
    if (f->square)
        square_row(f, s, &rows, to_fine, width, out);
    else
        separable_row(f, s, &rows, to_fine, width, line, out);
}

/* --- a strip of output rows ------------------------------------------------------------------- */
/* channels from c0 on of sample n of a tensor [n,height,width,c] */
static source channels_of(const job *job, const float *from, int64_t n, int64_t c0, int64_t height,
                          int64_t width) {
    return (source){.at = from + n * height * width * job->c + c0,
                    .row = width * job->c,
                    .pixel = job->c,
                    .ring = height,
                    .width = width,
                    .lanes = MIN(job->c - c0, CHL_LANES)};
}

static void activate(const job *job, chl_vec *z) {
    for (int64_t j = 0; j < job->fine_w; j++) {
        chl_vec v = job->gain * chl_vselect(z[j] > 0.0f, z[j], job->slope * z[j]);
        if (job->clamp > 0)
            v = chl_vmin(chl_vmax(v, chl_splat(-job->clamp)), chl_splat(job->clamp));
        z[j] = v;
    }
}
/* v times a'(z) */
static void pass(const job *job, const chl_vec *z, chl_vec *v) {
    for (int64_t j = 0; j < job->fine_w; j++) {
        const chl_vec slope =
            job->gain * chl_vselect(z[j] > 0.0f, chl_splat(1), chl_splat(job->slope));
        v[j] *= slope;
        if (job->clamp > 0)
            v[j] = chl_vselect(chl_vabs(slope * z[j]) < job->clamp, v[j], chl_splat(0));
    }
}

typedef struct room {
    chl_vec *line, *gate, *ring, *result;
} room;

static int64_t widest(const job *job) {
    const int64_t in = job->x_w > job->v_w ? job->x_w : job->v_w;
    return in > job->fine_w ? in : job->fine_w;
}
static int64_t vectors(const job *job) {
    return widest(job) + job->fine_w * (1 + job->to_coarse.rows.taps) + job->out_w;
}
static room lay_out(const job *job, chl_vec *memory) {
    room r = {.line = memory, .gate = memory + widest(job)};
    r.ring = r.gate + job->fine_w;
    r.result = r.ring + job->fine_w * job->to_coarse.rows.taps;
    return r;
}

static void fine_row(const job *job, const source *x, const source *v, int64_t m, const room *r,
                     chl_vec *out) {
    if (!v) {
        map_row(&job->up, x, m, 1, job->fine_w, r->line, out);
        activate(job, out);
        return;
    }
    map_row(&job->to_fine, v, m, 1, job->fine_w, r->line, out);
    map_row(&job->up, x, m, 1, job->fine_w, r->line, r->gate);
    pass(job, r->gate, out);
}

static void put_row(const job *job, int64_t n, int64_t row, int64_t c0, const chl_vec *result) {
    float *to = job->out + (n * job->out_h + row) * job->out_w * job->c + c0;
    for (int64_t j = 0; j < job->out_w; j++)
        chl_put_part(to + j * job->c, result[j], MIN(job->c - c0, CHL_LANES), job->accumulate);
}

static void strip(const job *job, int64_t n, int64_t c0, int64_t begin, int64_t end,
                  const room *r) {
    const int64_t taps = job->to_coarse.rows.taps;
    source x = channels_of(job, job->x, n, c0, job->x_h, job->x_w), v = {0};
    if (job->v) v = channels_of(job, job->v, n, c0, job->v_h, job->v_w);
    x.bias = chl_load_part(job->b + c0, x.lanes);
    const source fine = {.at = (const float *)r->ring,
                         .row = job->fine_w * CHL_LANES,
                         .pixel = CHL_LANES,
                         .ring = taps,
                         .width = job->fine_w,
                         .lanes = CHL_LANES};
    int64_t ready = 0; /* fine rows before it are in the ring or no longer needed */
    for (int64_t row = begin; row < end; row++) {
        const chl_fir_reach reach = chl_fir_to_coarse(&job->to_coarse.rows, (int32_t)row);
        if (ready < reach.first) ready = reach.first;
        for (; ready < reach.first + reach.count; ready++)
            fine_row(job, &x, job->v ? &v : NULL, ready, r, r->ring + ready % taps * job->fine_w);
        map_row(&job->to_coarse, &fine, row, 0, job->out_w, r->line, r->result);
        put_row(job, n, row, c0, r->result);
    }
}

/* --- the bodies ------------------------------------------------------------------------------- */
static int64_t strips_of(const job *job) {
    return (job->out_h + STRIP - 1) / STRIP;
}
static int64_t blocks_of(const job *job) {
    return (job->c + CHL_LANES - 1) / CHL_LANES;
}
static int64_t parts_of(const job *job) {
    return chl_parts(job->n * blocks_of(job) * strips_of(job), 1);
}

static void run(const job *job, chl_vec *memory) {
    const int64_t strips = strips_of(job), blocks = blocks_of(job), parts = parts_of(job);
    const int64_t tasks = job->n * blocks * strips, each = vectors(job);
#pragma omp parallel for schedule(static) if (tasks > 1)
    for (int64_t part = 0; part < parts; part++) {
        const room r = lay_out(job, memory + part * each);
        const int64_t end = chl_part_begin(tasks, part + 1, parts);
        for (int64_t i = chl_part_begin(tasks, part, parts); i < end; i++) {
            const int64_t begin = i % strips * STRIP;
            strip(job, i / strips / blocks, i / strips % blocks * CHL_LANES, begin,
                  MIN(begin + STRIP, job->out_h), &r);
        }
    }
}

static void set_size(const chl_desc *d, int64_t *h, int64_t *w) {
    *h = d->dim[1];
    *w = d->dim[2];
}

/* What both directions say; `first` is the input of fu. */
static job describe(const chl_call *call, int first, const chl_desc *x) {
    job job = {.n = x->dim[0],
               .c = x->dim[3],
               .gain = call->attr.filtered.gain,
               .slope = call->attr.filtered.slope,
               .clamp = call->attr.filtered.clamp,
               .out = call->out[0],
               .accumulate = chl_accumulates(call, 0)};
    chl_filtered_maps(call, first, x, &job.up, &job.to_coarse);
    job.fine_w = job.up.columns.fine;
    set_size(x, &job.x_h, &job.x_w);
    set_size(&call->out_desc[0], &job.out_h, &job.out_w);
    return job;
}

static job describe_forward(const chl_call *call) {
    job job = describe(call, 2, &call->in_desc[0]);
    job.x = call->in[0];
    job.b = call->in[1];
    return job;
}
static job describe_backward(const chl_call *call) {
    job job = describe(call, 3, &call->in_desc[1]);
    job.v = call->in[0];
    job.x = call->in[1];
    job.b = call->in[2];
    set_size(&call->in_desc[0], &job.v_h, &job.v_w);
    job.to_fine = job.up;
    if (call->attr.filtered.push) return job;
    job.to_fine = job.to_coarse;
    job.to_coarse = job.up;
    return job;
}

static size_t bytes(const job *job) {
    return (size_t)(parts_of(job) * vectors(job)) * sizeof(chl_vec);
}
static size_t forward_workspace(const chl_call *call) {
    const job job = describe_forward(call);
    return bytes(&job);
}
static size_t backward_workspace(const chl_call *call) {
    const job job = describe_backward(call);
    return bytes(&job);
}
static chl_kernel_status forward(const chl_call *call) {
    const job job = describe_forward(call);
    if (job.out) run(&job, call->workspace);
    return CHL_KERNEL_OK;
}
static chl_kernel_status backward(const chl_call *call) {
    const job job = describe_backward(call);
    if (job.out) run(&job, call->workspace);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_filtered_lrelu = {forward, forward_workspace, NULL};
const chl_body chl_cpu_filtered_lrelu_dx = {backward, backward_workspace, NULL};
