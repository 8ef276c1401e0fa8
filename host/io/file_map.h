/* Reading: a whole file mapped as read-only memory. Writing: a file that appears under its name
 * complete or not at all.
 *
 *     chl_new_file file;
 *     CHL_TRY(chl_new_file_begin("out.npy", &file));       opens out.npy.<process>-<number>.tmp
 *     fwrite(bytes, 1, size, file.stream);                 need not be checked: commit does
 *     return chl_new_file_commit(&file);                   flush, fsync, rename over out.npy
 *
 * rename(2) replaces the target atomically, so a reader or a crash sees the old file or the new
 * one. Limit: a mapped file must not be truncated by another process while it is read (SIGBUS). */
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

/* Regular files only, else CHL_ERR_IO; an empty one is CHL_ERR_FORMAT. Texts name the path. */
chl_status chl_file_map_open(const char *path, chl_file_map *out);
void chl_file_map_close(chl_file_map *map);

/* A new file beside `path`, renamed over it by commit. Exactly one of commit and abandon must
 * follow a successful begin. A failed commit removes the new file and leaves `path` as it was. */
typedef struct chl_new_file {
    FILE *stream;
    char *path, *temporary;
} chl_new_file;
chl_status chl_new_file_begin(const char *path, chl_new_file *out);
chl_status chl_new_file_commit(chl_new_file *file);
void chl_new_file_abandon(chl_new_file *file);
#endif
