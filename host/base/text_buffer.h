/* A text that grows while it is written. (open_memstream would do, but glibc's loses what does not
 * fit into memory without an error.)
 *
 *     chl_text_buffer header = {0};
 *     chl_text_add(&header, "%s %s\n", left, right);          need not be checked
 *     CHL_TRY(chl_text_done(&header, "merges"));               CHL_ERR_MEMORY, and it is freed
 *     fwrite(header.text, 1, header.size, file); free(header.text); */
#ifndef CHL_BASE_TEXT_BUFFER_H
#define CHL_BASE_TEXT_BUFFER_H
#include "base/status.h"
#include <stdbool.h>

typedef struct chl_text_buffer {
    char *text; /* [size], and a 0 behind it; NULL at first */
    size_t size, capacity;
    bool failed; /* memory ran out: the rest is dropped */
} chl_text_buffer;

void chl_text_add(chl_text_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* CHL_OK if all of it was added, and text is not NULL. `what` names it in the error. */
chl_status chl_text_done(chl_text_buffer *buffer, const char *what);
#endif
