/* A whole file as read-only memory, and a file written so that a crash never leaves half of it.
 * A mapped file must not be cut short by someone else while it is read. */
#ifndef CHL_IO_FILE_MAP_H
#define CHL_IO_FILE_MAP_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct chl_file_map {
    const uint8_t *data;
    size_t size; /* never 0 */
} chl_file_map;

/* Regular, non-empty files only: anything else is CHL_ERR_IO or CHL_ERR_FORMAT naming the path. */
chl_status chl_file_map_open(const char *path, chl_file_map *out);
void chl_file_map_close(chl_file_map *map);

/* A new file beside `path`, renamed over it by commit. Exactly one of commit and abandon follows
 * a successful begin; after commit failed, nothing is left behind and `path` is as before. */
typedef struct chl_new_file {
    FILE *stream;
    char *path, *temporary;
} chl_new_file;
chl_status chl_new_file_begin(const char *path, chl_new_file *out);
chl_status chl_new_file_commit(chl_new_file *file);
void chl_new_file_abandon(chl_new_file *file);
#endif
