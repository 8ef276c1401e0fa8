/* Names and texts of other people where they leave the program: for terminals and as JSON. */
#ifndef CHL_TOOLS_PRINT_H
#define CHL_TOOLS_PRINT_H
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define SHOWN_AT_ONCE 8
/* A name, path or label as it may be printed: control characters and bytes that are not UTF-8 are
 * escaped, so that no name commands a terminal or adds a line. Valid until SHOWN_AT_ONCE further
 * calls; call it from the main thread only. NULL gives "". */
const char *shown(const char *text);
/* The same for JSON, whose strings must be UTF-8; NULL without memory, which json_is_whole then
 * knows. json.c */
json_t *json_text(const char *text);
/* A text as one word of a shell's command; false without memory. */
bool print_quoted(FILE *to, const char *text);
/* Closes a stream of open_memstream; false where its text has found no memory. */
bool close_text(FILE *stream);
#endif
