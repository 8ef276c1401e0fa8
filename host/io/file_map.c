#include "io/file_map.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

chl_status chl_file_map_open(const char *path, chl_file_map *out) {
    *out = (chl_file_map){0};
    /* O_NONBLOCK: a named pipe would otherwise wait for a writer before it can be refused */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return chl_fail(CHL_ERR_IO, "%s: cannot be opened (%s): check the path and its permissions",
                        path, strerror(errno));
    chl_status status = CHL_OK;
    struct stat about;
    if (fstat(descriptor, &about) != 0)
        status = chl_fail(CHL_ERR_IO, "%s: cannot be examined (%s)", path, strerror(errno));
    else if (S_ISDIR(about.st_mode))
        status = chl_fail(CHL_ERR_IO, "%s: is a directory: name a file in it", path);
    else if (!S_ISREG(about.st_mode))
        status = chl_fail(CHL_ERR_IO, "%s: is not a regular file: copy it to one first", path);
    else if (about.st_size == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: is empty: fetch the file again", path);
    else {
        void *memory = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (memory == MAP_FAILED)
            status = chl_fail(CHL_ERR_IO, "%s: cannot be mapped (%s)", path, strerror(errno));
        else
            *out = (chl_file_map){memory, (size_t)about.st_size};
    }
    close(descriptor);
    return status;
}

void chl_file_map_close(chl_file_map *map) {
    if (map->data) munmap((void *)map->data, map->size);
    *map = (chl_file_map){0};
}
