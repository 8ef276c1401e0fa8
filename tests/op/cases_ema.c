/* The average is the harness's own trainable input 1, or chl_average's. */
#include "ema_step.h"
#include "graph/rule.h"
#include "harness/op_case.h"

DECLARE_REFERENCE(ema)

static int build_ema(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const ema_step *s = c->settings;
    if (chl_set_step(g, (chl_step){.index = s->index}) != CHL_OK) return 0;
    if (s->fresh) {
        out[0] = chl_average(g, in[0], s->decay);
        return 1;
    }
    chl_ema(g, in[1], in[0], s->decay, s->warm_up);
    out[0] = in[1];
    return 1;
}

#define STEP(name, ...) static const ema_step name = __VA_ARGS__
STEP(first, {.decay = 0.999f, .index = 0, .warm_up = true});
STEP(warm, {.decay = 0.999f, .index = 40, .warm_up = true});
STEP(settled, {.decay = 0.9f, .index = 5000, .warm_up = true});
STEP(fixed, {.decay = 0.9f, .index = 0});
STEP(never, {.decay = 1, .index = 3});
STEP(begun, {.decay = 0.99f, .index = 2, .warm_up = true, .fresh = true});

#define GIVEN(label_, step_, ...)                                                                  \
    {                                                                                              \
        .name = "ema", .label = label_, .build = build_ema, REFERENCE_OF(ema), .inputs = 2,        \
        .in = {{.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_NORMAL}},                                        \
        .settings = &step_                                                                         \
    }

static const op_case cases[] = {
    GIVEN("first step, warm-up", first, {CHL_F32, 2, {4, 33}}),
    GIVEN("warm-up, odd size", warm, {CHL_F32, 3, {3, 5, 7}}),
    GIVEN("after the warm-up", settled, {CHL_F32, 1, {131}}),
    GIVEN("fixed decay, as batch statistics", fixed, {CHL_F32, 1, {64}}),
    GIVEN("decay 1 changes nothing", never, {CHL_F32, 2, {2, 9}}),
    GIVEN("one element", warm, {CHL_F32, 1, {1}}),
    GIVEN("large enough for threads", settled, {CHL_F32, 2, {300, 301}}),
    {.name = "ema",
     .label = "starts at the parameter",
     .build = build_ema,
     REFERENCE_OF(ema),
     .inputs = 1,
     .in = {{.desc = {CHL_F32, 2, {5, 6}}, .fill = FILL_NORMAL}},
     .settings = &begun},
};
OP_CASES(ema, cases)
