/* Written by tools/text-tables.py: see html_names.c. This room only. */
#ifndef CHL_TEXT_HTML_NAMES_H
#define CHL_TEXT_HTML_NAMES_H
#include <stdint.h>

#define CHL_HTML_NAMES 2125
#define CHL_HTML_LONG_CAPITALS 7
#define CHL_HTML_LONGEST 31 /* letters of a name */

typedef struct chl_html_name {
    const char *name;
    int32_t first, second; /* second: 0 for most */
    int32_t bare;          /* 1: known without a semicolon */
} chl_html_name;

extern const chl_html_name chl_html_names[CHL_HTML_NAMES];

/* Names written in capitals (&SZLIG;) whose capital is more than one character. */
typedef struct chl_html_capitals {
    const char *name;
    int32_t value[4];
} chl_html_capitals;

extern const chl_html_capitals chl_html_long_capitals[CHL_HTML_LONG_CAPITALS];
#endif
