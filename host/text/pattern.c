#include "text/pattern.h"

chl_status chl_pattern_new(const char *text, bool any_case, pcre2_code **out) {
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | (any_case ? PCRE2_CASELESS : 0);
    int problem;
    PCRE2_SIZE at;
    *out = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &problem, &at, NULL);
    if (*out) return CHL_OK;
    return chl_fail(CHL_ERR_INTERNAL,
                    "tokenizer: PCRE2 cannot compile the pattern (error %d at %zu)", problem,
                    (size_t)at);
}
