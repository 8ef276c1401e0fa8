#include "op_test.h"
#include "graph/graph_private.h"
#include "harness/reference_store.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements whose derivative is checked one by one, per input; larger inputs are sampled evenly. */
#define CHECKED_ELEMENTS 64
#define STEP 1e-100
/* the same for second derivatives */
#define SECOND_ELEMENTS 8

/* --- deterministic inputs --------------------------------------------------------------------- */
static double uniform(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static double sample(op_fill fill, int limit, uint64_t *state) {
    double u = uniform(state), v = uniform(state);
    double normal = sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
    switch (fill) {
    case FILL_APART:
        return normal + copysign(0.1, normal);
    case FILL_POSITIVE:
        return 0.5 + u;
    case FILL_UNIFORM:
        return 2 * u - 1;
    case FILL_INDEX:
        return floor(u * limit);
    default:
        return normal;
    }
}

static chl_dtype precision = CHL_F32;
void op_test_precision(chl_dtype activations) {
    precision = activations;
}

/* round to nearest even, as the hardware converts */
static float to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef struct values {
    int64_t count;
    void *raw;    /* float or int32, what the backend gets */
    double *real; /* the same numbers exactly */
    double complex *cplx;
} values;

static values make_values(const op_input *input, uint64_t seed) {
    values v = {.count = chl_count(&input->desc)};
    size_t n = (size_t)v.count;
    v.raw = malloc(4 * n);
    v.real = malloc(n * sizeof *v.real);
    v.cplx = malloc(n * sizeof *v.cplx);
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++) {
        double x = sample(input->fill, input->limit, &state);
        if (input->desc.dtype == CHL_I32)
            ((int32_t *)v.raw)[i] = (int32_t)x;
        else
            x = ((float *)v.raw)[i] =
                input->half && precision == CHL_BF16 ? to_bf16((float)x) : (float)x;
        v.real[i] = x;
        v.cplx[i] = x;
    }
    return v;
}

static void free_values(values *v) {
    free(v->raw);
    free(v->real);
    free(v->cplx);
}

/* --- the backend under test, with guard bands and poison -------------------------------------- */
#define GUARD 256
static chl_device *tested;
static int overruns;

static chl_status guarded_allocate(chl_device *device, size_t bytes, void **out) {
    (void)device;
    void *memory;
    CHL_TRY(tested->backend->allocate(tested, bytes + 2 * GUARD, &memory));
    char *host = malloc(bytes + 2 * GUARD);
    if (!host) return CHL_ERR_MEMORY;
    memset(host, 0xff, bytes + 2 * GUARD); /* all ones is a NaN */
    memcpy(host, &bytes, sizeof bytes);
    chl_status status = tested->backend->upload(tested, memory, host, bytes + 2 * GUARD);
    free(host);
    *out = (char *)memory + GUARD;
    return status;
}

static void guarded_release(chl_device *device, void *memory) {
    (void)device;
    if (!memory) return;
    char *base = (char *)memory - GUARD;
    unsigned char guard[GUARD];
    size_t bytes;
    overruns += tested->backend->download(tested, guard, base, GUARD) != CHL_OK;
    memcpy(&bytes, guard, sizeof bytes);
    for (size_t i = sizeof bytes; i < GUARD; i++) overruns += guard[i] != 0xff;
    overruns += tested->backend->download(tested, guard, base + GUARD + bytes, GUARD) != CHL_OK;
    for (size_t i = 0; i < GUARD; i++) overruns += guard[i] != 0xff;
    tested->backend->release(tested, base);
}

/* The device with another table. */
static chl_device guarded(chl_device *device) {
    static chl_backend backend;
    tested = device;
    backend = *device->backend;
    backend.allocate = guarded_allocate;
    backend.release = guarded_release;
    backend.host_memory = false; /* weights are copied, so that they lie between guards too */
    chl_device copy = *device;
    copy.backend = &backend;
    return copy;
}

static bool has_gradient(const op_case *op, int input) {
    return op->in[input].gradient && op->in[input].fill != FILL_ABSENT;
}

/* --- reference -------------------------------------------------------------------------------- */
typedef struct problem {
    const op_case *op;
    values in[CHL_MAX_IN];
    chl_desc in_desc[CHL_MAX_IN], out_desc[CHL_MAX_OUT];
    int outputs;
    double *seed[CHL_MAX_OUT]; /* the cotangents of the outputs */
    double *out[CHL_MAX_OUT];
    double want[CHL_MAX_IN][CHECKED_ELEMENTS]; /* derivatives at evenly spaced elements */
    double largest;                            /* rms among the inputs' gradients */
} problem;

static void reference_real(problem *p) {
    reference_call call = {.op = p->op, .in_desc = p->in_desc, .out_desc = p->out_desc};
    const void *in[CHL_MAX_IN] = {0};
    void *out[CHL_MAX_OUT] = {0};
    for (int i = 0; i < p->op->inputs; i++) in[i] = p->in[i].real;
    for (int i = 0; i < p->outputs; i++) {
        p->out[i] = calloc((size_t)chl_count(&p->out_desc[i]), sizeof(double));
        out[i] = p->out[i];
    }
    call.in = in;
    call.out = out;
    p->op->real(&call);
}

/* d(sum seed * output, over all outputs) / d(input[element]) */
static double reference_derivative(problem *p, int input, int64_t element) {
    reference_call call = {.op = p->op, .in_desc = p->in_desc, .out_desc = p->out_desc};
    const void *in[CHL_MAX_IN] = {0};
    void *out[CHL_MAX_OUT] = {0};
    for (int i = 0; i < p->op->inputs; i++) in[i] = p->in[i].cplx;
    for (int i = 0; i < p->outputs; i++)
        out[i] = calloc((size_t)chl_count(&p->out_desc[i]), sizeof(double complex));
    call.in = in;
    call.out = out;
    p->in[input].cplx[element] += I * STEP;
    p->op->complex_(&call);
    p->in[input].cplx[element] = p->in[input].real[element];
    double derivative = 0;
    for (int o = 0; o < p->outputs; o++)
        for (int64_t i = 0; i < chl_count(&p->out_desc[o]); i++)
            derivative += p->seed[o][i] * cimag(((double complex *)out[o])[i]) / STEP;
    for (int i = 0; i < p->outputs; i++) free(out[i]);
    return derivative;
}

/* --- comparing -------------------------------------------------------------------------------- */
static double rms(const double *x, int64_t n) {
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += x[i] * x[i];
    return sqrt(total / (double)n);
}

static bool close_enough(const op_case *op, const char *what, const float *got, const double *want,
                         int64_t n, double scale, double tolerance, double *worst) {
    /* a reference of all zeros must be met to rounding of 1 */
    double allowed = tolerance * (scale > 0 ? scale : 1);
    for (int64_t i = 0; i < n; i++) {
        double error = fabs((double)got[i] - want[i]);
        if (error / allowed > *worst) *worst = error / allowed;
        if (error <= allowed) continue; /* false for NaN */
        fprintf(stderr, "FAIL %s (%s): %s[%lld] is %.8g, should be %.8g (rms %.3g, allowed %.2g)\n",
                op->name, op->label, what, (long long)i, (double)got[i], want[i], scale, allowed);
        return false;
    }
    return true;
}

static int checked_elements(const values *v) {
    return v->count < CHECKED_ELEMENTS ? (int)v->count : CHECKED_ELEMENTS;
}

static void reference_gradients(problem *p) {
    for (int i = 0; i < p->op->inputs; i++) {
        if (!has_gradient(p->op, i)) continue;
        const int checked = checked_elements(&p->in[i]);
        for (int k = 0; k < checked; k++)
            p->want[i][k] = reference_derivative(p, i, k * p->in[i].count / checked);
    }
}

/* The derivatives, from the store where another program has computed them. */
static void reference_gradients_once(problem *p) {
    reference_key key = reference_key_of(p->op);
    for (int i = 0; i < p->op->inputs; i++) {
        reference_key_add(&key, p->in[i].raw, 4 * (size_t)p->in[i].count);
        reference_key_add(&key, p->in_desc[i].dim, sizeof p->in_desc[i].dim);
    }
    /* what is stored depends on the checked elements alone: unused rows of want are 0 */
    const size_t count = sizeof p->want / sizeof(double);
    if (!reference_load(&key, &p->want[0][0], count)) {
        reference_gradients(p);
        reference_save(&key, &p->want[0][0], count);
    }
    for (int i = 0; i < p->op->inputs; i++)
        if (has_gradient(p->op, i))
            p->largest = fmax(p->largest, rms(p->want[i], checked_elements(&p->in[i])));
}

/* Rows without a gradient rule. docs/adding-an-op.md says why. */
static const chl_op open_rows[] = {CHL_OP_linear_pack, CHL_OP_conv_pack, CHL_OP_resize_axes,
                                   CHL_OP_adam,        CHL_OP_sgd,       CHL_OP_ema,
                                   CHL_OP_log_mel};
bool op_test_is_open(chl_op op) {
    for (size_t i = 0; i < sizeof open_rows / sizeof open_rows[0]; i++)
        if (open_rows[i] == op) return true;
    return false;
}

/* --- second derivatives ----------------------------------------------------------------------- */
/* With L = sum seed y + y^2 / 2 over output 0 and v a fixed direction in all inputs, what is
 * checked is the gradient of <v, dL/dx>: the derivative along v of dL/dx, for derivatives commute.
 * The reference computes both at once, exact to rounding. The square makes the first gradient
 * depend on the output, and so tests also what flows back through dy. */
static double direction(int input, int64_t element) {
    uint64_t state = 77u + 1000003u * (uint64_t)input + 31u * (uint64_t)element;
    return (float)(2 * uniform(&state) - 1);
}

static second_order *second_numbers(const problem *p, int input) {
    const values *v = &p->in[input];
    second_order *x = calloc((size_t)v->count, sizeof *x);
    for (int64_t k = 0; k < v->count; k++)
        x[k] = (second_order){.v = v->real[k],
                              .d = has_gradient(p->op, input) ? direction(input, k) : 0};
    return x;
}

/* d/d(input[element]) of <v, dL/dx>; in[]: the inputs as numbers that change along v by D */
static double reference_second(const problem *p, second_order *const *in, int input,
                               int64_t element) {
    reference_call call = {
        .op = p->op, .in_desc = p->in_desc, .in = (const void *const *)in, .out_desc = p->out_desc};
    void *out[CHL_MAX_OUT] = {0};
    for (int i = 0; i < p->outputs; i++)
        out[i] = calloc((size_t)chl_count(&p->out_desc[i]), sizeof(second_order));
    call.out = out;
    in[input][element].e = 1;
    p->op->second(&call);
    in[input][element].e = 0;
    double second = 0;
    for (int64_t i = 0; i < chl_count(&p->out_desc[0]); i++) {
        const second_order y = ((second_order *)out[0])[i];
        second += (p->seed[0][i] + y.v) * y.ed + y.e * y.d;
    }
    for (int i = 0; i < p->outputs; i++) free(out[i]);
    return second;
}

static int second_elements(const values *v) {
    return v->count < SECOND_ELEMENTS ? (int)v->count : SECOND_ELEMENTS;
}

static void reference_seconds(const problem *p, double want[][SECOND_ELEMENTS], double *largest) {
    second_order *in[CHL_MAX_IN] = {0};
    for (int i = 0; i < p->op->inputs; i++)
        if (p->op->in[i].fill != FILL_ABSENT) in[i] = second_numbers(p, i);
    *largest = 0;
    for (int i = 0; i < p->op->inputs; i++) {
        if (!has_gradient(p->op, i)) continue;
        const int checked = second_elements(&p->in[i]);
        for (int k = 0; k < checked; k++)
            want[i][k] = reference_second(p, in, i, k * p->in[i].count / checked);
        *largest = fmax(*largest, rms(want[i], checked));
    }
    for (int i = 0; i < p->op->inputs; i++) free(in[i]);
}

/* --- one run: record, differentiate, compute, compare ----------------------------------------- */
typedef struct built {
    chl_graph *graph;
    chl_tensor in[CHL_MAX_IN], out[CHL_MAX_OUT], gradient[CHL_MAX_IN];
    int outputs;
} built;

/* sum(y * seed) of output `index` */
static chl_tensor seeded(problem *p, chl_graph *g, int index, chl_tensor y, chl_tensor again) {
    const int64_t n = chl_count(chl_desc_of(g, y));
    const chl_desc flat = chl_f32(2, 1, (int)n);
    if (!p->seed[index]) {
        uint64_t state = 99 + (uint64_t)index;
        p->seed[index] = malloc((size_t)n * sizeof *p->seed[index]);
        for (int64_t i = 0; i < n; i++) p->seed[index][i] = (float)(2 * uniform(&state) - 1);
    }
    float *seed = malloc((size_t)n * sizeof *seed);
    for (int64_t i = 0; i < n; i++) seed[i] = (float)p->seed[index][i];
    const chl_tensor s = chl_constant(g, "seed", flat, seed);
    free(seed);
    y = chl_reshape(g, y, flat);
    if (again != CHL_NONE) y = chl_add(g, y, chl_reshape(g, chl_to_float32(g, again), flat));
    return chl_row_dot(g, y, s);
}

/* The loss is sum(output * seed) over all outputs; with `twice` the op is built two times from the
 * same inputs, so that every gradient is written by one node and accumulated by another: twice the
 * derivative. */
static bool record(problem *p, chl_device *device, bool twice, built *b) {
    const op_case *op = p->op;
    *b = (built){0};
    if (chl_graph_new(device, &b->graph) != CHL_OK) return false;
    chl_graph *g = b->graph;
    chl_graph_precision(g, device->backend->bf16 ? precision : CHL_F32);
    chl_tensor wrt[CHL_MAX_IN], gradient[CHL_MAX_IN];
    int wanted = 0;
    for (int i = 0; i < op->inputs; i++) {
        b->in[i] = CHL_NONE;
        if (op->in[i].fill == FILL_ABSENT) continue;
        char name[24];
        snprintf(name, sizeof name, "in%d", i);
        b->in[i] = op->in[i].desc.dtype == CHL_I32
                       ? chl_input(g, name, op->in[i].desc)
                       : chl_param(g, name, op->in[i].desc, p->in[i].raw, CHL_TRAINABLE);
        if (op->in[i].gradient) wrt[wanted++] = b->in[i];
    }
    chl_tensor entered[CHL_MAX_IN];
    for (int i = 0; i < op->inputs; i++)
        entered[i] = op->in[i].half ? chl_to_compute_type(g, b->in[i]) : b->in[i];
    b->outputs = op->build(g, op, entered, b->out);
    for (int i = 0; i < b->outputs; i++) b->out[i] = chl_keep(g, chl_to_float32(g, b->out[i]));
    if (wanted && chl_graph_status(g) == CHL_OK) {
        chl_tensor again[CHL_MAX_OUT] = {CHL_NONE}, loss = CHL_NONE;
        if (twice) op->build(g, op, entered, again);
        for (int i = 0; i < b->outputs; i++) {
            const chl_tensor part = seeded(p, g, i, b->out[i], again[i]);
            loss = i ? chl_add(g, loss, part) : part;
        }
        chl_grad(g, loss, wanted, wrt, gradient);
        for (int i = 0, k = 0; i < op->inputs; i++)
            if (has_gradient(op, i)) b->gradient[i] = chl_keep(g, gradient[k++]);
    }
    return chl_graph_status(g) == CHL_OK;
}

static bool compute(const problem *p, built *b) {
    const op_case *op = p->op;
    chl_graph *g = b->graph;
    chl_status status = chl_compile(g);
    for (int i = 0; i < op->inputs && status == CHL_OK; i++)
        if (b->in[i] != CHL_NONE && op->in[i].desc.dtype == CHL_I32)
            status = chl_write(g, b->in[i], p->in[i].raw);
    for (int i = 0; i < g->segments && status == CHL_OK; i++)
        status = chl_run(g, CHL_FIRST_SEGMENT + i);
    if (status != CHL_OK) fprintf(stderr, "FAIL %s (%s): %s\n", op->name, op->label, chl_error());
    return status == CHL_OK;
}

/* bf16 keeps 8 bits: results are rounded to 1/256 of themselves, the largest are some 3 rms */
static double allowed_error(const op_case *op, double own, double usual) {
    if (precision == CHL_BF16) return op->half_tolerance > 0 ? op->half_tolerance : 0.02;
    return own > 0 ? own : usual;
}

static bool check_forward(problem *p, built *b, op_coverage *coverage) {
    const double tolerance = allowed_error(p->op, p->op->tolerance, 2e-5);
    if (p->outputs == 0) {
        p->outputs = b->outputs;
        for (int i = 0; i < b->outputs; i++) p->out_desc[i] = *chl_desc_of(b->graph, b->out[i]);
        reference_real(p);
        reference_gradients_once(p);
    }
    bool good = true;
    for (int i = 0; i < b->outputs && good; i++) {
        int64_t n = chl_count(&p->out_desc[i]);
        float *got = malloc((size_t)n * sizeof *got);
        char what[32];
        snprintf(what, sizeof what, "output %d", i);
        good = chl_read(b->graph, b->out[i], got) == CHL_OK &&
               close_enough(p->op, what, got, p->out[i], n, rms(p->out[i], n), tolerance,
                            &coverage->worst_forward);
        free(got);
    }
    return good;
}

static bool check_gradient(problem *p, built *b, int input, double factor, op_coverage *coverage) {
    const double tolerance = allowed_error(p->op, p->op->gradient_tolerance, 5e-5);
    const int64_t n = p->in[input].count;
    const int checked = checked_elements(&p->in[input]);
    float *all = malloc((size_t)n * sizeof *all), got[CHECKED_ELEMENTS];
    double want[CHECKED_ELEMENTS];
    char what[40];
    snprintf(what, sizeof what, "gradient of input %d", input);
    bool good = chl_read(b->graph, b->gradient[input], all) == CHL_OK;
    for (int k = 0; k < checked; k++) {
        want[k] = factor * p->want[input][k];
        got[k] = all[k * n / checked];
    }
    /* some gradients are zero by algebra (a softmax over one key) and hold rounding errors only:
     * they are judged against a hundredth of the op's largest gradient */
    double scale = fmax(rms(want, checked), 0.01 * factor * p->largest);
    good = good && close_enough(p->op, what, got, want, checked, scale, tolerance,
                                &coverage->worst_gradient);
    free(all);
    return good;
}

bool op_test_possible(const op_case *op, chl_device *device) {
    problem p = {.op = op};
    built b;
    bool possible = precision == CHL_F32;
    for (int i = 0; i < op->inputs; i++) possible = possible || op->in[i].half;
    for (int i = 0; i < op->inputs; i++)
        if (op->in[i].fill != FILL_ABSENT) p.in[i] = make_values(&op->in[i], 1);
    if (record(&p, chl_device_cpu(), true, &b))
        for (int32_t n = 0; n < b.graph->nodes; n++)
            possible = possible && device->backend->body(b.graph->node[n].op);
    chl_graph_free(b.graph);
    for (int i = 0; i < op->inputs; i++) free_values(&p.in[i]);
    for (int i = 0; i < CHL_MAX_OUT; i++) free(p.seed[i]);
    return possible;
}

static const char *as_it_is(int way) {
    (void)way;
    return "the one way";
}
static int ways = 1, ways_of_a_case = 1, next_way;
static const char *(*choose_way)(int way) = as_it_is;
void op_test_ways(int count, int each, const char *(*choose)(int way)) {
    ways = count;
    ways_of_a_case = each;
    choose_way = choose;
}

static bool run_once(problem *p, chl_device *device, bool twice, op_coverage *coverage) {
    const op_case *op = p->op;
    built b;
    record(p, device, twice, &b); /* what fails here, chl_compile reports */
    bool good = compute(p, &b) && check_forward(p, &b, coverage);
    for (int i = 0; i < op->inputs && good; i++)
        if (has_gradient(op, i)) good = check_gradient(p, &b, i, twice ? 2 : 1, coverage);
    if (good && !twice)
        for (int32_t n = 0; n < b.graph->nodes; n++) coverage->forward[b.graph->node[n].op]++;
    chl_graph_free(b.graph);
    if (good && overruns) {
        fprintf(stderr, "FAIL %s (%s): wrote outside its memory\n", op->name, op->label);
        good = false;
    }
    overruns = 0;
    return good;
}

/* <v, dL/dx> differentiated; b->gradient[i] = CHL_NONE: does not depend on input i */
static bool record_second(problem *p, built *b) {
    const op_case *op = p->op;
    chl_graph *g = b->graph;
    chl_desc flat = *chl_desc_of(g, b->out[0]);
    const int64_t n = chl_count(&flat);
    flat = chl_f32(2, 1, (int)n);
    float *seed = malloc((size_t)n * sizeof *seed);
    for (int64_t i = 0; i < n; i++) seed[i] = (float)p->seed[0][i];
    const chl_tensor y = chl_reshape(g, b->out[0], flat), s = chl_constant(g, "seed", flat, seed);
    free(seed);
    chl_tensor wrt[CHL_MAX_IN], first[CHL_MAX_IN], second[CHL_MAX_IN], loss = CHL_NONE;
    int wanted = 0;
    for (int i = 0; i < op->inputs; i++)
        if (has_gradient(op, i)) wrt[wanted++] = b->in[i];
    const chl_tensor part[2] = {chl_row_dot(g, y, s), chl_row_dot(g, y, y)};
    chl_grad(g, chl_sum(g, 0, 2, (float[]){1, 0.5f}, part), wanted, wrt, first);
    for (int i = 0, k = 0; i < op->inputs; i++) {
        if (!has_gradient(op, i)) continue;
        const int64_t count = p->in[i].count;
        float *v = malloc((size_t)count * sizeof *v);
        for (int64_t j = 0; j < count; j++) v[j] = (float)direction(i, j);
        const chl_desc row = chl_f32(2, 1, (int)count);
        const chl_tensor along =
            chl_row_dot(g, chl_reshape(g, first[k++], row), chl_constant(g, "direction", row, v));
        free(v);
        loss = loss == CHL_NONE ? along : chl_add(g, loss, along);
    }
    chl_grad_reached(g, loss, wanted, wrt, second);
    for (int i = 0, k = 0; i < op->inputs; i++)
        if (has_gradient(op, i)) b->gradient[i] = chl_keep(g, second[k++]);
    return chl_graph_status(g) == CHL_OK;
}

static bool check_second(problem *p, built *b, op_coverage *coverage) {
    static double want[CHL_MAX_IN][SECOND_ELEMENTS];
    double largest;
    reference_seconds(p, want, &largest);
    const double tolerance = p->op->second_tolerance > 0 ? p->op->second_tolerance : 1e-4;
    bool good = true;
    for (int i = 0; i < p->op->inputs && good; i++) {
        if (!has_gradient(p->op, i)) continue;
        const int64_t n = p->in[i].count;
        const int checked = second_elements(&p->in[i]);
        float *all = calloc((size_t)n, sizeof *all), got[SECOND_ELEMENTS];
        char what[48];
        snprintf(what, sizeof what, "second derivative by input %d", i);
        good = b->gradient[i] == CHL_NONE || chl_read(b->graph, b->gradient[i], all) == CHL_OK;
        for (int k = 0; k < checked; k++) got[k] = all[k * n / checked];
        const double scale = fmax(rms(want[i], checked), 0.01 * largest);
        good = good && close_enough(p->op, what, got, want[i], checked, scale, tolerance,
                                    &coverage->worst_second);
        free(all);
    }
    return good;
}

/* True when the case has an input with a gradient. */
static bool make_problem(problem *p, const op_case *op) {
    bool any = false;
    *p = (problem){.op = op};
    for (int i = 0; i < op->inputs; i++) {
        p->in_desc[i] = op->in[i].desc;
        any = any || has_gradient(op, i);
        if (op->in[i].fill != FILL_ABSENT)
            p->in[i] = make_values(&op->in[i], 1000003u * (uint64_t)(i + 1));
    }
    return any;
}

static void free_problem(problem *p) {
    for (int i = 0; i < p->op->inputs; i++) free_values(&p->in[i]);
    for (int i = 0; i < p->outputs; i++) free(p->out[i]);
    for (int i = 0; i < CHL_MAX_OUT; i++) free(p->seed[i]);
}

/* Has no gradient of its own: weights packed anew, whose gradient is that of the weights, or a constant of the shape. */
static bool is_derived(const chl_node *node) {
    return node->op == CHL_OP_linear_pack || node->op == CHL_OP_conv_pack || node->is_constant;
}

void op_test_second(const op_case *op, chl_device *device, op_coverage *coverage) {
    problem p;
    built b;
    chl_device guarded_device = guarded(device);
    bool possible = make_problem(&p, op);
    const bool recorded = record(&p, &guarded_device, false, &b);
    if (!recorded) coverage->failed += !compute(&p, &b); /* which says why */
    for (int32_t n = 0; n < b.graph->nodes; n++)
        possible =
            possible && (!op_test_is_open(b.graph->node[n].op) || is_derived(&b.graph->node[n]));
    if (possible && recorded) {
        p.outputs = b.outputs;
        for (int i = 0; i < b.outputs; i++) {
            p.out_desc[i] = *chl_desc_of(b.graph, b.out[i]);
            p.out[i] = NULL;
        }
        record_second(&p, &b); /* what fails here, chl_compile reports */
        const bool good = compute(&p, &b) && check_second(&p, &b, coverage);
        coverage->failed += !good;
    }
    coverage->skipped += !possible;
    chl_graph_free(b.graph);
    free_problem(&p);
}

bool op_test_run(const op_case *op, chl_device *device, op_coverage *coverage) {
    problem p;
    chl_device guarded_device = guarded(device);
    const bool any = make_problem(&p, op);
    bool good = true;
    const int first = next_way;
    next_way = (first + ways_of_a_case) % ways;
    for (int i = 0; i < ways_of_a_case && good; i++) {
        const char *name = choose_way((first + i) % ways);
        good = run_once(&p, &guarded_device, false, coverage) &&
               (!any || run_once(&p, &guarded_device, true, coverage));
        if (!good && ways > 1) fprintf(stderr, "     in %s\n", name);
    }
    free_problem(&p);
    coverage->failed += !good;
    return good;
}
