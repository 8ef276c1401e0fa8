/* Collectives of one rank, which copy; several ranks: tests/graph/test_collectives.c. */
#include "graph/rule.h"
#include "harness/op_case.h"

DECLARE_REFERENCE(all_gather)

static int build_row(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes alone = {.collective = {.ranks = 1}};
    out[0] = chl_emit1(g, *(const chl_op *)c->settings, &alone, 1, in);
    return 1;
}
static int build_in_place(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_tensor fresh = chl_scale(g, in[0], 1);
    return build_row(g, c, &fresh, out);
}

static const chl_op gather = CHL_OP_all_gather, scatter = CHL_OP_reduce_scatter,
                    reduce = CHL_OP_all_reduce;

#define CASE(name_, build_, label_, op_, ...)                                                      \
    {                                                                                              \
        .name = name_, .label = label_, .build = build_, REFERENCE_OF(all_gather),                 \
        .settings = op_, .inputs = 1, .in = {                                                      \
            {.desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true}                \
        }                                                                                          \
    }
#define CASES(name_, op_)                                                                          \
    CASE(name_, build_row, "odd", op_, 3, {3, 5, 7}),                                              \
        CASE(name_, build_row, "one number", op_, 1, {1}),                                         \
        CASE(name_, build_row, "many", op_, 2, {130, 131}),                                        \
        CASE(name_, build_in_place, "of a result", op_, 2, {9, 64})

static const op_case cases[] = {CASES("all_gather", &gather), CASES("reduce_scatter", &scatter),
                                CASES("all_reduce", &reduce)};
OP_CASES(collective, cases)
