/* A whole file read into memory, and opening that never waits for ever.
 *
 *     chl_file_bytes bytes;
 *     CHL_TRY(chl_file_bytes_read("rain.png", &(chl_file_rules){.max_bytes = 1 << 20}, &bytes));
 *     ...
 *     chl_file_bytes_free(&bytes);
 *
 * Files are read and not mapped: a mapped file that another process cuts short ends this process
 * with SIGBUS, a read one is an error. A read error in the middle is an error too, never a shorter
 * file. Directories, sockets, terminals and other devices are refused. A pipe (a FIFO, /dev/stdin
 * at the end of a shell's pipe) is read to its end where the rules allow it. */
#ifndef CHL_BASE_FILE_BYTES_H
#define CHL_BASE_FILE_BYTES_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pipe from which nothing comes for this time, or to which nobody writes, is an error. */
#define CHL_PIPE_WAIT_MS 60000

typedef struct chl_open_file {
    int descriptor;
    bool pipe;
    int64_t size; /* of a regular file; 0 for a pipe */
} chl_open_file;

/* Opens a regular file, or, where `pipes`, a pipe, for reading: without waiting. CHL_ERR_IO names
 * the path and what it is. */
chl_status chl_file_open(const char *path, bool pipes, chl_open_file *out);

typedef struct chl_file_bytes {
    uint8_t *data;
    size_t size; /* never 0 */
} chl_file_bytes;

typedef struct chl_file_rules {
    int64_t max_bytes; /* 0: no limit for a file; a pipe needs one. More is CHL_ERR_UNSUPPORTED */
    bool pipes;
    int wait_ms; /* for a pipe; 0: CHL_PIPE_WAIT_MS */
} chl_file_rules;

/* CHL_ERR_FORMAT for an empty file; CHL_ERR_IO also for a file that becomes shorter meanwhile. */
chl_status chl_file_bytes_read(const char *path, const chl_file_rules *rules, chl_file_bytes *out);
/* What is left in an opened file; `name` stands for it in error texts. Does not close it. */
chl_status chl_file_bytes_of(const chl_open_file *file, const char *name,
                             const chl_file_rules *rules, chl_file_bytes *out);
void chl_file_bytes_free(chl_file_bytes *bytes);
#endif
