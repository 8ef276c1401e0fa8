/* Several captions of one clip, kept as one text with a line each: "rain on a roof\nheavy rain". Most clips
 * have one caption or none, and keep no such text.
 *
 *     for (const char *at = clip->captions, *one; (one = chl_captions_next(&at, &length));)
 *         use(one, length); */
#ifndef CHL_DATA_CAPTIONS_H
#define CHL_DATA_CAPTIONS_H
#include "base/json.h"
#include "base/text_buffer.h"

/* Adds one; ends of lines in it become spaces, and what is empty is none. */
void chl_captions_add(chl_text_buffer *lines, const char *caption);
/* *lines: what a list of texts has, to be freed; NULL where it has fewer than two, or is no list. */
chl_status chl_captions_of_list(const json_t *list, char **lines);
/* The next one, and its length; NULL behind the last. *at NULL: none. */
const char *chl_captions_next(const char **at, size_t *length);
#endif
