/* Reading: a whole file mapped as read-only memory. (Writing is in new_file.h.) Limit: a mapped
 * file must not be truncated by another process while it is read (SIGBUS). */
#ifndef CHL_IO_FILE_MAP_H
#define CHL_IO_FILE_MAP_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct chl_file_map {
    const uint8_t *data;
    size_t size; /* never 0 */
} chl_file_map;

/* Regular files only, else CHL_ERR_IO; an empty one is CHL_ERR_FORMAT. Texts name the path. */
chl_status chl_file_map_open(const char *path, chl_file_map *out);
void chl_file_map_close(chl_file_map *map);
#endif
