#include "base/file_bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_PIPE_BYTES ((size_t)1 << 20)
#define LARGE_PAGE ((size_t)2 << 20)
#define MAX_READ ((size_t)1 << 30) /* in one call: the kernel's limit is 2 GiB */

static chl_status refuse_kind(const char *path, mode_t mode) {
    if (S_ISDIR(mode))
        return chl_fail(CHL_ERR_IO,
                        "%s: is a directory (a folder), expected a file: name a file in it", path);
    if (S_ISSOCK(mode))
        return chl_fail(CHL_ERR_IO,
                        "%s: is a socket, expected a regular file: copy it to one first", path);
    if (S_ISFIFO(mode))
        return chl_fail(CHL_ERR_IO,
                        "%s: is a pipe, not a regular file: copy what comes out of it to one first",
                        path);
    return chl_fail(CHL_ERR_IO, "%s: is a %s, not a regular file: copy it to one first", path,
                    S_ISCHR(mode) ? "terminal or another device" : "device");
}

chl_status chl_file_open(const char *path, bool pipes, chl_open_file *out) {
    *out = (chl_open_file){.descriptor = -1};
    struct stat about;
    /* opening a socket fails with a reason that does not say so, and opening a device may act */
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !(pipes && S_ISFIFO(about.st_mode)))
        return refuse_kind(path, about.st_mode);
    /* O_NONBLOCK: opening a FIFO would otherwise wait for a writer */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return chl_fail(CHL_ERR_IO, "%s: cannot be opened (%s): check the path and its permissions",
                        path, strerror(errno));
    chl_status status = CHL_OK;
    if (fstat(descriptor, &about) != 0)
        status = chl_fail(CHL_ERR_IO, "%s: cannot be examined (%s)", path, strerror(errno));
    else if (!S_ISREG(about.st_mode) && !(pipes && S_ISFIFO(about.st_mode)))
        status = refuse_kind(path, about.st_mode);
    if (status != CHL_OK) {
        close(descriptor);
        return status;
    }
    *out = (chl_open_file){.descriptor = descriptor, .pipe = S_ISFIFO(about.st_mode)};
    if (!out->pipe) out->size = about.st_size;
    return CHL_OK;
}

static chl_status too_large(const char *name, const char *source, int64_t max_bytes) {
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: %s more than %" PRId64 " bytes, expected at most that", name, source,
                    max_bytes);
}

/* Memory for a large file comes in large pages: the system needs as long to hand out 500 MB in
 * small ones as to copy the file into them. */
static uint8_t *room_for(size_t size) {
    if (size < 4 * LARGE_PAGE) return malloc(size);
    const size_t whole = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    uint8_t *room = aligned_alloc(LARGE_PAGE, whole);
    if (room) (void)madvise(room, whole, MADV_HUGEPAGE); /* a wish */
    return room;
}

static chl_status read_regular(int descriptor, int64_t size, const char *name,
                               chl_file_bytes *out) {
    out->data = room_for((size_t)size);
    if (!out->data)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its %" PRId64 " bytes", name, size);
    while ((int64_t)out->size < size) {
        const size_t left = (size_t)size - out->size;
        const ssize_t got = pread(descriptor, out->data + out->size,
                                  left < MAX_READ ? left : MAX_READ, (off_t)out->size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return chl_fail(CHL_ERR_IO, "%s: cannot be read at byte %zu (%s)", name, out->size,
                            strerror(errno));
        if (got == 0)
            return chl_fail(CHL_ERR_IO,
                            "%s: became shorter while it was read: %zu of %" PRId64
                            " bytes are left: fetch the file again",
                            name, out->size, size);
        out->size += (size_t)got;
    }
    return CHL_OK;
}

/* Waits until the pipe has bytes or is at its end. A pipe that never had a writer is not at its
 * end: poll reports nothing until one comes. */
static chl_status wait_for_bytes(int descriptor, const char *name, int wait_ms) {
    struct pollfd pipe = {.fd = descriptor, .events = POLLIN};
    int ready;
    do ready = poll(&pipe, 1, wait_ms);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return chl_fail(CHL_ERR_IO, "%s: cannot be read (%s)", name, strerror(errno));
    if (ready == 0)
        return chl_fail(
            CHL_ERR_IO,
            "%s: nothing came through the pipe for %g s: is there a program that writes to it?",
            name, wait_ms / 1000.0);
    return CHL_OK;
}

static chl_status grow(const char *name, size_t *capacity, int64_t max_bytes, chl_file_bytes *out) {
    size_t larger = *capacity ? 2 * *capacity : FIRST_PIPE_BYTES;
    if (larger > (size_t)max_bytes + 1) larger = (size_t)max_bytes + 1;
    uint8_t *data = realloc(out->data, larger);
    if (!data)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for %zu bytes of a pipe", name, larger);
    out->data = data;
    *capacity = larger;
    return CHL_OK;
}

static chl_status read_pipe(int descriptor, const char *name, int64_t max_bytes, int wait_ms,
                            chl_file_bytes *out) {
    for (size_t capacity = 0;;) {
        if (out->size == capacity) CHL_TRY(grow(name, &capacity, max_bytes, out));
        CHL_TRY(wait_for_bytes(descriptor, name, wait_ms));
        const ssize_t got = read(descriptor, out->data + out->size, capacity - out->size);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0)
            return chl_fail(CHL_ERR_IO, "%s: cannot be read at byte %zu (%s)", name, out->size,
                            strerror(errno));
        if (got == 0) return CHL_OK;
        out->size += (size_t)got;
        if ((int64_t)out->size > max_bytes)
            return too_large(name, "through the pipe came", max_bytes);
    }
}

chl_status chl_file_bytes_of(const chl_open_file *file, const char *name,
                             const chl_file_rules *rules, chl_file_bytes *out) {
    *out = (chl_file_bytes){0};
    chl_status status;
    if (file->pipe)
        status = read_pipe(file->descriptor, name, rules->max_bytes,
                           rules->wait_ms > 0 ? rules->wait_ms : CHL_PIPE_WAIT_MS, out);
    else if (rules->max_bytes > 0 && file->size > rules->max_bytes)
        status =
            chl_fail(CHL_ERR_UNSUPPORTED, "%s: has %" PRId64 " bytes, expected at most %" PRId64,
                     name, file->size, rules->max_bytes);
    else
        status = file->size > 0 ? read_regular(file->descriptor, file->size, name, out) : CHL_OK;
    if (status == CHL_OK && out->size == 0)
        status = chl_fail(CHL_ERR_FORMAT, "%s: is empty (0 bytes): fetch the file again", name);
    if (status != CHL_OK) chl_file_bytes_free(out);
    return status;
}

chl_status chl_file_bytes_read(const char *path, const chl_file_rules *rules, chl_file_bytes *out) {
    *out = (chl_file_bytes){0};
    chl_open_file file;
    CHL_TRY(chl_file_open(path, rules->pipes, &file));
    const chl_status status = chl_file_bytes_of(&file, path, rules, out);
    close(file.descriptor);
    return status;
}

void chl_file_bytes_free(chl_file_bytes *bytes) {
    free(bytes->data);
    *bytes = (chl_file_bytes){0};
}
