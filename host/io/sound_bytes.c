#include "io/sound_bytes.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static int64_t read_file(chl_sound_bytes *b, int64_t at, uint8_t *to, int64_t count) {
    int64_t done = 0;
    while (done < count) {
        const ssize_t got =
            pread(b->file.descriptor, to + done, (size_t)(count - done), (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            if (!b->fault) b->fault = got < 0 ? errno : -1;
            break;
        }
        done += got;
    }
    return done;
}

static void apply_patch(const chl_sound_bytes *b, int64_t at, uint8_t *to, int64_t count) {
    for (int i = 0; i < b->patch_count; i++) {
        const int64_t place = b->patch_at + i - at;
        if (place >= 0 && place < count) to[place] = b->patch[i];
    }
}

int64_t chl_sound_bytes_read(chl_sound_bytes *b, int64_t at, void *to, int64_t count) {
    if (at < 0 || at >= b->size || count <= 0) return 0;
    if (count > b->size - at) count = b->size - at;
    if (b->memory)
        memcpy(to, b->memory + at, (size_t)count);
    else
        count = read_file(b, at, to, count);
    apply_patch(b, at, to, count);
    if (at + count > b->reached) b->reached = at + count;
    return count;
}

chl_status chl_sound_bytes_check(const chl_sound_bytes *b, const char *name) {
    if (b->fault == 0) return CHL_OK;
    if (b->fault < 0)
        return chl_fail(CHL_ERR_IO, "%s: became shorter while it was read: fetch the file again",
                        name);
    return chl_fail(CHL_ERR_IO, "%s: cannot be read (%s) behind byte %lld of %lld", name,
                    strerror(b->fault), (long long)b->reached, (long long)b->size);
}

void chl_sound_bytes_close(chl_sound_bytes *b) {
    if (b->file.descriptor >= 0) close(b->file.descriptor);
    chl_file_bytes_free(&b->owned);
    *b = (chl_sound_bytes){.file.descriptor = -1};
}
