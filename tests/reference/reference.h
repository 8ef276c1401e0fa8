/* What each tests/reference/<op>.c is written over: `real`, compiled three times.
 *
 * As double it gives values. As double complex (-DREFERENCE_COMPLEX) it gives derivatives by the
 * complex step, Im f(x + ih) / h with h = 1e-100: exact to rounding, no cancellation. As
 * second_order, in C++ (-DREFERENCE_SECOND), it gives second derivatives, exact to rounding.
 *
 *     REFERENCE(mul) {
 *         const real *a = IN(0), *b = IN(1);
 *         real *y = OUT(0);
 *         for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) y[i] = a[i] * b[i];
 *     }
 *
 * Branch on RE(x). Use the real_* functions below, not <math.h>. */
#ifndef CHL_TEST_REFERENCE_H
#define CHL_TEST_REFERENCE_H
#include "harness/op_case.h"
#include <math.h>

#ifdef REFERENCE_SECOND
#include "second_order.h"
typedef second_order_number real;
#define RE(x) ((x).v)
#define REFERENCE(name)                                                                            \
    extern "C" void reference_##name##_second(const reference_call *call);                         \
    void reference_##name##_second(const reference_call *call)
#elif defined REFERENCE_COMPLEX
typedef double complex real;
#define RE(x) creal(x)
#define REFERENCE(name)                                                                            \
    void reference_##name##_complex(const reference_call *call);                                   \
    void reference_##name##_complex(const reference_call *call)
static inline real real_exp(real x) {
    return cexp(x);
}
static inline real real_log(real x) {
    return clog(x);
}
static inline real real_sqrt(real x) {
    return csqrt(x);
}
static inline real real_sin(real x) {
    return csin(x);
}
/* first order in the imaginary part, which is all the complex step looks at */
static inline real real_erf(real x) {
    double a = creal(x);
    return erf(a) + I * cimag(x) * 1.1283791670955126 * exp(-a * a);
}
#else
typedef double real;
#define RE(x) (x)
#define REFERENCE(name)                                                                            \
    void reference_##name##_real(const reference_call *call);                                      \
    void reference_##name##_real(const reference_call *call)
static inline real real_exp(real x) {
    return exp(x);
}
static inline real real_log(real x) {
    return log(x);
}
static inline real real_sqrt(real x) {
    return sqrt(x);
}
static inline real real_sin(real x) {
    return sin(x);
}
static inline real real_erf(real x) {
    return erf(x);
}
#endif
#define IN(i) ((const real *)call->in[i])
#define OUT(i) ((real *)call->out[i])
#define SETTINGS(type) ((const type *)call->op->settings)
#define NEW_REALS(count) ((real *)malloc((size_t)(count) * sizeof(real)))
#endif
