/* The parameter is the harness's own trainable input 1; the moments are inputs 2 and 3, or
 * chl_adam's. */
#include "adam_step.h"
#include "graph/rule.h"
#include "harness/op_case.h"

DECLARE_REFERENCE(adam)

static int build_adam(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const adam_step *s = c->settings;
    if (chl_set_step(g, (chl_step){.index = s->index, .rate = s->rate}) != CHL_OK) return 0;
    for (int i = 0; i < 3; i++) out[i] = in[1 + i];
    if (s->fresh) {
        chl_adam(g, in[1], in[0], &s->adam);
        return 1;
    }
    const chl_attributes attr = {.adam = {.beta1 = s->adam.beta1,
                                          .beta2 = s->adam.beta2,
                                          .eps = s->adam.eps,
                                          .decay = s->adam.decay,
                                          .rate_scale = s->adam.rate_scale,
                                          .decoupled = s->adam.decoupled}};
    chl_emit_update(g, CHL_OP_adam, &attr, 1, in, 3, in + 1);
    return 3;
}

#define STEP(name, decay_, decoupled_, index_, rate_, fresh_)                                      \
    static const adam_step name = {.adam = {.beta1 = 0.9f,                                         \
                                            .beta2 = 0.999f,                                       \
                                            .eps = 1e-3f,                                          \
                                            .decay = decay_,                                       \
                                            .rate_scale = 0.5f,                                    \
                                            .decoupled = decoupled_},                              \
                                   .index = index_,                                                \
                                   .rate = rate_,                                                  \
                                   .fresh = fresh_}
STEP(first, 0, false, 0, 0.2f, true);
STEP(first_decayed, 0.3f, true, 0, 0.2f, true);
STEP(later, 0, false, 7, 0.2f, false);
STEP(weight_decay, 0.3f, false, 2, 0.2f, false);
STEP(decoupled, 0.3f, true, 2, 0.2f, false);
STEP(at_rest, 0.3f, true, 40, 0, false);

#define GIVEN(label_, step_, ...)                                                                  \
    {                                                                                              \
        .name = "adam", .label = label_, .build = build_adam, REFERENCE_OF(adam), .inputs = 4,     \
        .in = {{.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_POSITIVE}},                                      \
        .settings = &step_                                                                         \
    }
#define FRESH(label_, step_, ...)                                                                  \
    {                                                                                              \
        .name = "adam", .label = label_, .build = build_adam, REFERENCE_OF(adam), .inputs = 2,     \
        .in = {{.desc = __VA_ARGS__, .fill = FILL_NORMAL},                                         \
               {.desc = __VA_ARGS__, .fill = FILL_NORMAL}},                                        \
        .settings = &step_                                                                         \
    }

static const op_case cases[] = {
    FRESH("first step, own moments", first, {CHL_F32, 2, {4, 32}}),
    FRESH("first step, decoupled decay", first_decayed, {CHL_F32, 3, {3, 5, 7}}),
    GIVEN("eighth step", later, {CHL_F32, 2, {2, 14}}),
    GIVEN("weight decay, odd size", weight_decay, {CHL_F32, 1, {131}}),
    GIVEN("decoupled decay", decoupled, {CHL_F32, 3, {1, 18, 512}}),
    GIVEN("rate 0 moves the moments only", at_rest, {CHL_F32, 1, {33}}),
    GIVEN("one element", decoupled, {CHL_F32, 1, {1}}),
};
OP_CASES(adam, cases)
