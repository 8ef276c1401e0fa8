/* Every path (chl_paths) of every op computes what the CPU does on the paths that it chooses itself,
 * forward and backward, and is taken when it is asked for.
 *
 *     test_paths          tests/emu runs it on the emulated GPU, in float and in bf16 */
#include "graph/build.h"
#include "graph/graph_private.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#endif

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

enum { WANTED = 4, WEIGHTS = 256 * 64 * 9 + WANTED };

static chl_device *device;
static float numbers[WEIGHTS];

typedef struct built {
    chl_tensor y, wanted[WANTED];
    int count;
} built;

/* An activation or a weight whose gradient is wanted. */
static chl_tensor leaf(chl_graph *g, built *b, const char *name, chl_desc desc) {
    const chl_tensor made = chl_param(g, name, desc, numbers + b->count, CHL_TRAINABLE);
    return b->wanted[b->count++] = made;
}
static chl_tensor activation(chl_graph *g, built *b, chl_desc desc) {
    return chl_to_compute_type(g, leaf(g, b, "x", desc));
}

/* --- ops -------------------------------------------------------------------------------------- */
static void conv(chl_graph *g, built *b, const int *size) {
    const int side = size[0], in = size[1], out = size[2], stride = size[3];
    const chl_tensor x = activation(g, b, chl_f32(4, 2, side, side, in));
    b->y = chl_conv(g, x, leaf(g, b, "w", chl_f32(4, out, in, 3, 3)),
                    leaf(g, b, "b", chl_f32(1, out)), stride, 1);
}
static void modconv(chl_graph *g, built *b, const int *size) {
    const int side = size[0], in = size[1], out = size[2], up = size[3];
    const chl_modconv settings = {
        .up = up, .gain = 0.1f, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.4f};
    const chl_tensor x = activation(g, b, chl_f32(4, 1, side, side, in));
    const chl_tensor w = chl_param(g, "w", chl_f32(4, out, in, 3, 3), numbers, CHL_FROZEN);
    b->y = chl_modulated_conv(g, x, w, leaf(g, b, "s", chl_f32(2, 1, in)), CHL_NONE, CHL_NONE,
                              CHL_NONE, &settings);
}
static void modconv_weights(chl_graph *g, built *b, const int *size) {
    const int side = size[0], in = size[1], out = size[2];
    const chl_modconv settings = {.gain = 0.1f, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.4f};
    const chl_tensor x = activation(g, b, chl_f32(4, 1, side, side, in));
    b->y = chl_modulated_conv(g, x, leaf(g, b, "w", chl_f32(4, out, in, 3, 3)),
                              leaf(g, b, "s", chl_f32(2, 1, in)), CHL_NONE, CHL_NONE, CHL_NONE,
                              &settings);
}
static void linear(chl_graph *g, built *b, const int *size) {
    const int rows = size[0], in = size[1], out = size[2], is_frozen = size[3];
    const chl_tensor x = activation(g, b, chl_f32(2, rows, in));
    const chl_desc shape = chl_f32(2, out, in);
    const chl_tensor w =
        is_frozen ? chl_param(g, "w", shape, numbers, CHL_FROZEN) : leaf(g, b, "w", shape);
    b->y = chl_linear(g, x, w, CHL_NONE);
}
static void attention(chl_graph *g, built *b, const int *size) {
    b->y = chl_attention(g, activation(g, b, chl_f32(3, 2, size[0], 3 * size[1])), size[2], false);
}
static void windows(chl_graph *g, built *b, const int *size) {
    const chl_tensor x = activation(g, b, chl_f32(4, 1, size[0], size[0], 3 * size[1]));
    b->y = chl_window_attention(g, x, leaf(g, b, "bias", chl_f32(2, 169, size[2])), size[2], 7, 0);
}

static const struct specimen {
    const char *name;
    void (*build)(chl_graph *g, built *b, const int *size);
    chl_op op; /* whose paths are asked for */
    int size[4];
} specimens[] = {
    {"conv", conv, CHL_OP_conv, {7, 8, 16, 1}},
    {"conv, few channels", conv, CHL_OP_conv, {5, 3, 5, 1}},
    {"conv, halved", conv, CHL_OP_conv, {8, 8, 16, 2}},
    {"modconv", modconv, CHL_OP_modconv, {8, 64, 64, 0}},
    {"modconv, wide", modconv, CHL_OP_modconv, {4, 64, 256, 0}},
    {"modconv, narrow", modconv, CHL_OP_modconv, {8, 256, 64, 0}},
    {"modconv, few channels", modconv, CHL_OP_modconv, {5, 3, 6, 0}},
    {"modconv, up", modconv, CHL_OP_modconv, {4, 16, 8, 1}},
    {"modconv, up, few channels", modconv, CHL_OP_modconv, {3, 5, 3, 1}},
    {"modconv, trained", modconv_weights, CHL_OP_modconv_dw, {6, 8, 16}},
    {"linear", linear, CHL_OP_linear, {19, 40, 24, 0}},
    {"linear, frozen", linear, CHL_OP_linear, {19, 40, 24, 1}},
    {"attention", attention, CHL_OP_attention, {10, 16, 2}},
    {"window attention", windows, CHL_OP_window_attention, {7, 16, 2}},
};
#define SPECIMENS (sizeof specimens / sizeof *specimens)

/* --- runs ------------------------------------------------------------------------------------- */
typedef struct results {
    int count;
    int64_t size[1 + WANTED];
    float *data[1 + WANTED]; /* y, then the gradients */
} results;

static void read(chl_graph *g, chl_tensor t, results *r) {
    const int64_t size = chl_count(chl_desc_of(g, t));
    r->size[r->count] = size;
    r->data[r->count] = malloc((size_t)size * sizeof(float));
    assert_non_null(r->data[r->count]);
    MUST(chl_read(g, t, r->data[r->count++]));
}

static void release(results *r) {
    for (int i = 0; i < r->count; i++) free(r->data[i]);
}

/* Paths that were taken, by op and number. */
static bool taken[CHL_OP_COUNT][32];

/* How many nodes take the path that they are asked for. */
static int note_paths(const chl_graph *g, const char *path) {
    int asked = 0;
    char name[32];
    for (int32_t n = 0; n < g->nodes; n++) {
        const chl_op op = g->node[n].op;
        if (!chl_path_of(g, op, &g->call[n], name, sizeof name)) continue;
        taken[op][chl_word_number(g->device->backend->paths(op)->names, name)] = true;
        asked += path && strcmp(name, path) == 0;
    }
    return asked;
}

static int run(chl_device *on, const struct specimen *s, bool half, const char *path, results *r) {
    chl_graph *g;
    built b = {0};
    chl_tensor gradient[WANTED];
    *r = (results){0};
    MUST(chl_graph_new(on, &g));
    chl_graph_precision(g, half ? CHL_BF16 : CHL_F32);
    chl_graph_no_fusion(g);
    if (path) chl_graph_path(g, path);
    s->build(g, &b, s->size);
    MUST(chl_graph_status(g));
    const chl_tensor y = chl_to_float32(g, b.y);
    const chl_tensor flat = chl_reshape(g, y, chl_f32(2, 1, (int)chl_count(chl_desc_of(g, y))));
    chl_grad(g, chl_mean(g, chl_row_dot(g, flat, chl_stop_gradient(g, flat))), b.count, b.wanted,
             gradient);
    chl_keep(g, y);
    for (int i = 0; i < b.count; i++) chl_keep(g, gradient[i]);
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    const int asked = on == device ? note_paths(g, path) : 0;
    read(g, y, r);
    for (int i = 0; i < b.count; i++) read(g, gradient[i], r);
    chl_graph_free(g);
    return asked;
}

static void compare(const results *got, const results *wanted, double allowed, const char *name,
                    const char *path) {
    assert_int_equal(got->count, wanted->count);
    for (int i = 0; i < got->count; i++) {
        double apart = 0, whole = 0;
        for (int64_t k = 0; k < got->size[i]; k++) {
            const double a = got->data[i][k], b = wanted->data[i][k];
            apart += (a - b) * (a - b);
            whole += b * b;
        }
        assert_true(whole > 0);
        if (!(sqrt(apart / whole) <= allowed))
            fail_msg("%s by %s: result %d differs by %.1e", name, path ? path : "shape", i,
                     sqrt(apart / whole));
    }
}

/* The specimen on every path that its op has. */
static void try_paths(const struct specimen *s, bool half) {
    const chl_paths *paths = device->backend->paths(s->op);
    const double allowed = half ? 3e-2 : 1e-4;
    results wanted, got;
    run(chl_device_cpu(), s, false, NULL, &wanted);
    run(device, s, half, NULL, &got);
    compare(&got, &wanted, allowed, s->name, NULL);
    release(&got);
    int asked = 0;
    for (const char *at = paths ? paths->names : ""; *at;) {
        char name[32];
        const int length = (int)strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", length, at);
        at += length + (at[length] == ' ');
        asked += run(device, s, half, name, &got);
        compare(&got, &wanted, allowed, s->name, name);
        release(&got);
    }
    if (paths) assert_true(asked > 0);
    release(&wanted);
}

static void every_path_computes_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < SPECIMENS; i++) {
        try_paths(&specimens[i], false);
        if (device->backend->bf16) try_paths(&specimens[i], true);
    }
}

/* A list of paths may be that of several ops, each of which takes a part of it. */
static void every_path_was_taken(void **state) {
    (void)state;
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        const chl_paths *paths = device->backend->paths((chl_op)op);
        const char *at = paths ? paths->names : "";
        for (int number = 0; *at; number++) {
            bool found = false;
            for (int other = 0; other < CHL_OP_COUNT; other++) {
                const chl_paths *others = device->backend->paths((chl_op)other);
                found = found || (others && strcmp(others->names, paths->names) == 0 &&
                                  taken[other][number]);
            }
            if (!found)
                fail_msg("%s: path %d of \"%s\" was never taken", chl_op_name((chl_op)op), number,
                         paths->names);
            at += strcspn(at, " ");
            at += *at == ' ';
        }
    }
}

static void an_unknown_path_changes_nothing(void **state) {
    (void)state;
    results a, b;
    assert_int_equal(run(device, &specimens[0], false, "sideways", &a), 0);
    run(device, &specimens[0], false, NULL, &b);
    for (int i = 0; i < a.count; i++)
        assert_memory_equal(a.data[i], b.data[i], (size_t)a.size[i] * sizeof(float));
    release(&a);
    release(&b);
}

/* On a device that only queues them too; and profiling changes no number. */
static void a_profile_has_the_time_of_every_call(void **state) {
    (void)state;
    chl_graph *g;
    built b = {0};
    results r = {0};
    MUST(chl_graph_new(device, &g));
    specimens[0].build(g, &b, specimens[0].size);
    chl_keep(g, b.y);
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    read(g, b.y, &r);
    chl_profile(g, true);
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    read(g, b.y, &r);
    assert_memory_equal(r.data[0], r.data[1], (size_t)r.size[0] * sizeof(float));
    assert_int_equal(g->runs, 2);
    for (int32_t n = 0; n < g->nodes; n++)
        if (!g->node[n].is_constant && !g->node[n].fused_index) assert_true(g->seconds[n] > 0);
    release(&r);
    chl_graph_free(g);
}

int main(void) {
#ifdef TEST_BACKEND_EMU
    device = chl_device_emu();
#else
    device = chl_device_cpu();
#endif
    uint32_t state = 1;
    for (int i = 0; i < WEIGHTS; i++) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_computes_the_same),
        cmocka_unit_test(every_path_was_taken),
        cmocka_unit_test(an_unknown_path_changes_nothing),
        cmocka_unit_test(a_profile_has_the_time_of_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
