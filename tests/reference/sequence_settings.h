/* What the cases of the elementwise, linear, norm, attention and token families tell both the
 * builder and the reference. */
#ifndef CHL_TEST_SEQUENCE_SETTINGS_H
#define CHL_TEST_SEQUENCE_SETTINGS_H
#include "ops.h"
#include <chladni.h>
#include <stdbool.h>

typedef struct sum_settings {
    int count;
    bool same; /* all terms are input 0 */
    float bias, c[CHL_MAX_IN];
} sum_settings;
typedef struct activation_settings {
    chl_activation kind;
    float slope;
    bool residual; /* y = x + f(x) */
    float scale;   /* f(scale x); 0: 1 */
} activation_settings;
typedef struct scale_by_settings {
    float most;
} scale_by_settings;
typedef struct drop_path_settings {
    float rate;
    uint32_t purpose;
    uint64_t seed, step;
    int64_t first; /* sample of row 0 */
} drop_path_settings;
typedef struct linear_settings {
    float gain, bias_gain;
} linear_settings;
typedef struct norm_settings {
    float eps;
    chl_norm kind;
} norm_settings;
typedef struct attention_settings {
    int heads, window, shift;
    bool causal;
} attention_settings;
typedef struct token_settings {
    int number; /* select: which token; repeat: how many copies */
} token_settings;
#endif
