#include "io/file_map.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
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

static void free_names(chl_new_file *file) {
    free(file->path);
    free(file->temporary);
    *file = (chl_new_file){0};
}

chl_status chl_new_file_begin(const char *path, chl_new_file *out) {
    static _Atomic unsigned serial;
    *out = (chl_new_file){0};
    out->path = strdup(path);
    if (asprintf(&out->temporary, "%s.%ld-%u.tmp", path, (long)getpid(),
                 atomic_fetch_add(&serial, 1)) < 0)
        out->temporary = NULL;
    if (!out->path || !out->temporary) {
        free_names(out);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for the names of the new file", path);
    }
    int descriptor = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) out->stream = fdopen(descriptor, "wb");
    if (!out->stream) {
        chl_status status = chl_fail(
            CHL_ERR_IO, "%s: cannot be created (%s): check that the folder exists and is writable",
            out->temporary, strerror(errno));
        if (descriptor >= 0) {
            close(descriptor);
            unlink(out->temporary);
        }
        free_names(out);
        return status;
    }
    return CHL_OK;
}

chl_status chl_new_file_commit(chl_new_file *file) {
    bool written =
        !ferror(file->stream) && fflush(file->stream) == 0 && fsync(fileno(file->stream)) == 0;
    int reason = errno;
    if (fclose(file->stream) != 0 && written) {
        written = false;
        reason = errno;
    }
    if (written && rename(file->temporary, file->path) != 0) {
        written = false;
        reason = errno;
    }
    chl_status status = CHL_OK;
    if (!written) {
        status = chl_fail(CHL_ERR_IO, "%s: cannot be written (%s): check the free space",
                          file->path, strerror(reason));
        unlink(file->temporary);
    }
    free_names(file);
    return status;
}

void chl_new_file_abandon(chl_new_file *file) {
    fclose(file->stream);
    unlink(file->temporary);
    free_names(file);
}
