/* Regular expressions over UTF-8, with Unicode's classes of characters. */
#ifndef CHL_TEXT_PATTERN_H
#define CHL_TEXT_PATTERN_H
#include "base/status.h"
#include <stdbool.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Of a text of the program's own; *out is freed with pcre2_code_free. */
chl_status chl_pattern_new(const char *text, bool any_case, pcre2_code **out);
#endif
