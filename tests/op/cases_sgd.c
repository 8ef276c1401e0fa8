/* The parameter is the harness's own trainable input 1; the moment is input 2, or chl_sgd's. */
#include "graph/rule.h"
#include "harness/op_case.h"
#include "sgd_step.h"

DECLARE_REFERENCE(sgd)

static int build_sgd(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const sgd_step *s = c->settings;
    if (chl_set_step(g, (chl_step){.index = 3, .rate = s->rate}) != CHL_OK) return 0;
    out[0] = in[1];
    if (s->fresh) {
        chl_sgd(g, in[1], in[0], &s->sgd);
        return 1;
    }
    out[1] = in[2];
    const chl_attributes attr = {.sgd = {.momentum = s->sgd.momentum,
                                         .decay = s->sgd.decay,
                                         .rate_scale = s->sgd.rate_scale}};
    chl_emit_update(g, CHL_OP_sgd, &attr, 1, in, 2, in + 1);
    return 2;
}

#define STEP(name, momentum_, decay_, rate_, fresh_)                                               \
    static const sgd_step name = {                                                                 \
        .sgd = {.momentum = momentum_, .decay = decay_, .rate_scale = 0.5f},                       \
        .rate = rate_,                                                                             \
        .fresh = fresh_}
STEP(first, 0.9f, 0, 0.2f, true);
STEP(first_decayed, 0.9f, 0.3f, 0.2f, true);
STEP(later, 0.9f, 0, 0.2f, false);
STEP(weight_decay, 0.9f, 0.3f, 0.2f, false);
STEP(plain, 0, 0.3f, 0.2f, false);
STEP(at_rest, 0.9f, 0.3f, 0, false);

#define WITH(label_, step_, inputs_, ...)                                                          \
    {                                                                                              \
        .name = "sgd", .label = label_, .build = build_sgd, REFERENCE_OF(sgd), .inputs = inputs_,  \
        .in = {{.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_NORMAL}},                                        \
        .settings = &step_                                                                         \
    }

static const op_case cases[] = {
    WITH("first step, own moment", first, 2, {CHL_F32, 2, {4, 32}}),
    WITH("first step, weight decay", first_decayed, 2, {CHL_F32, 3, {3, 5, 7}}),
    WITH("later step", later, 3, {CHL_F32, 2, {2, 14}}),
    WITH("weight decay, odd size", weight_decay, 3, {CHL_F32, 1, {131}}),
    WITH("without momentum", plain, 3, {CHL_F32, 3, {1, 18, 512}}),
    WITH("rate 0 moves the moment only", at_rest, 3, {CHL_F32, 1, {33}}),
    WITH("one element", weight_decay, 3, {CHL_F32, 1, {1}}),
    WITH("large enough for threads", weight_decay, 3, {CHL_F32, 2, {300, 301}}),
};
OP_CASES(sgd, cases)
