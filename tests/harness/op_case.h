/* One test case of one op: shapes, how to fill the inputs, how to build it, what it should be.
 *
 * The harness (op_test.c) builds the case on a backend, runs it between guard bands on NaN-poisoned
 * memory, compares the outputs with the double-precision reference and every wanted gradient with
 * the reference's complex-step derivative, twice: written, and accumulated. It notes which rows of
 * the op table ran, forward and backward; a row that no case reached fails the suite.
 *
 * A family of ops lists its cases in tests/op/cases_<family>.c:
 *     static const op_case cases[] = {{...}, ...};
 *     OP_CASES(linear, cases)
 * and is named in tests/op/families.h. */
#ifndef CHL_TEST_OP_CASE_H
#define CHL_TEST_OP_CASE_H
#include "graph/build.h"
#include <complex.h>

typedef enum op_fill {
    FILL_ABSENT,   /* optional input not given */
    FILL_NORMAL,   /* standard normal */
    FILL_APART,    /* normal, pushed away from 0 by 0.1: for kinks at 0 */
    FILL_POSITIVE, /* 0.5 + uniform [0,1) */
    FILL_UNIFORM,  /* [-1, 1) */
    FILL_INDEX     /* int32 in [0, limit) */
} op_fill;

typedef struct op_input {
    chl_desc desc;
    op_fill fill;
    int limit;     /* FILL_INDEX */
    bool gradient; /* check the gradient to this input */
    bool half;     /* an activation: bf16 when the suite runs in bf16 */
} op_input;

/* v + e E + d D + ed E D with E^2 = D^2 = 0 (reference/second_order.h) */
typedef struct second_order {
    double v, e, d, ed;
} second_order;

struct op_case;
/* Reference forward. Index inputs arrive as real numbers. out[] are zeroed. */
typedef struct reference_call {
    const struct op_case *op;
    const chl_desc *in_desc;
    const void *const *in; /* double, double complex or second_order, NULL when absent */
    const chl_desc *out_desc;
    void *const *out;
} reference_call;

typedef struct op_case {
    const char *name;  /* of the reference, e.g. "linear" */
    const char *label; /* what is special: "odd sizes", "one of everything" */
    /* Appends the op; returns the number of outputs put into out[] (<= CHL_MAX_OUT). Gradients flow
     * from all of them. */
    int (*build)(chl_graph *g, const struct op_case *c, const chl_tensor *in, chl_tensor *out);
    void (*real)(const reference_call *call);
    void (*complex_)(const reference_call *call);
    void (*second)(const reference_call *call); /* NULL: built without a C++ compiler */
    int inputs;
    op_input in[CHL_MAX_IN];
    const void *settings;      /* for build and reference; may be NULL */
    double tolerance;          /* max |error| / rms(reference); 0 = 2e-5 */
    double gradient_tolerance; /* the same for gradients; 0 = 5e-5 */
    double second_tolerance;   /* the same for second derivatives; 0 = 1e-4 */
    double half_tolerance;     /* of outputs and gradients in bf16; 0 = 0.02 */
} op_case;

typedef struct op_case_list {
    const op_case *cases;
    int count;
} op_case_list;
#define OP_CASES(family, array)                                                                    \
    const op_case_list op_cases_##family = {array, (int)(sizeof(array) / sizeof(array)[0])};

/* Names the three compilations of tests/reference/<name>.c in an op_case. */
#define REFERENCE_OF(name)                                                                         \
    .real = reference_##name##_real, .complex_ = reference_##name##_complex,                       \
    .second = reference_##name##_second
#define DECLARE_REFERENCE(name)                                                                    \
    void reference_##name##_real(const reference_call *call);                                      \
    void reference_##name##_complex(const reference_call *call);                                   \
    void reference_##name##_second(const reference_call *call) __attribute__((weak));
#endif
