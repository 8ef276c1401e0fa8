/* How many kernels a step launches, apart from the vendor's: what depends on frozen weights or on
 * shapes alone is computed before the first step. */
#include "backend_emu.h"
#include "graph/build.h"
#include <stdio.h>
#include <string.h>

enum { ROWS = 8, IN = 16, OUT = 24 };

/* y = x w^T, or 3 b more */
static chl_tensor linear(chl_graph *g, chl_tensor x, bool bias) {
    static float w[OUT * IN] = {1}, b[OUT] = {2};
    const chl_tensor weight = chl_param(g, "w", chl_f32(2, OUT, IN), w, CHL_FROZEN);
    const chl_tensor add = bias ? chl_param(g, "b", chl_f32(1, OUT), b, CHL_FROZEN) : CHL_NONE;
    return chl_linear_gain(g, x, weight, add, 1, 3);
}
static chl_tensor without_bias(chl_graph *g, chl_tensor x) {
    return linear(g, x, false);
}
static chl_tensor with_bias(chl_graph *g, chl_tensor x) {
    return linear(g, x, true);
}

static chl_tensor without_resize(chl_graph *g, chl_tensor x) {
    (void)g;
    return x;
}
static chl_tensor resized(chl_graph *g, chl_tensor x) {
    const chl_tensor picture = chl_reshape(g, x, chl_f32(4, 1, ROWS, IN, 1));
    return chl_resize(g, picture, CHL_FILTER_BICUBIC_PIL, ROWS / 2, IN / 2);
}

/* Counts the launches of the second and the third step; -1: an error. The first number of y comes
 * along. */
static int64_t launches(chl_tensor (*build)(chl_graph *, chl_tensor), float *first) {
    static float data[ROWS * IN], out[ROWS * OUT];
    chl_graph *g;
    if (chl_graph_new(chl_device_emu(), &g) != CHL_OK) return -1;
    chl_graph_precision(g, CHL_BF16);
    const chl_tensor x = chl_input(g, "x", chl_f32(2, ROWS, IN)),
                     y = build(g, chl_to_compute_type(g, x));
    const chl_tensor seen = chl_keep(g, chl_to_float32(g, y));
    int64_t before = 0;
    chl_status status;
    CHL_TRY_GOTO(chl_compile(g));
    CHL_TRY_GOTO(chl_write(g, x, data));
    for (int step = 0; step < 3; step++) {
        CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
        CHL_TRY_GOTO(chl_read(g, seen, out));
        if (step == 0) before = chl_emu_launches();
    }
    *first = out[0];
done:
    chl_graph_free(g);
    return status == CHL_OK ? chl_emu_launches() - before : -1;
}

static int expect(const char *what, int64_t got, int64_t want) {
    printf("%-50s %d launches, expected %d\n", what, (int)got, (int)want);
    if (got < 0) fprintf(stderr, "FAIL: %s\n", chl_error());
    return got != want;
}

int main(void) {
    float first[2] = {0};
    const int64_t plain = launches(without_bias, &first[0]);
    int bad = plain < 0;
    bad +=
        expect("a frozen bias beside bf16 costs no launch", launches(with_bias, &first[1]), plain);
    bad += first[1] - first[0] != 6;
    const int64_t none = launches(without_resize, &first[0]);
    bad += none < 0;
    bad += expect("a resize is one launch a step", launches(resized, &first[1]), none + 2);
    return bad != 0;
}
