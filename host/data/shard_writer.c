#include "data/shard_writer.h"
#include "data/source.h"
#include <stdlib.h>
#include <string.h>

#ifdef CHLADNI_ARCHIVE
#include "io/new_file.h"
#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#define MAX_MEMBER ((int64_t)2 << 30)

struct chl_shard_writer {
    char *pattern;
    int64_t clips, in_shard, shards, all;
    struct archive *tar; /* NULL: no shard is open */
    chl_new_file file;
};

/* One %d, which may be %06d, and no other conversion. */
static bool is_pattern(const char *pattern) {
    const char *at = strchr(pattern, '%');
    if (!at) return false;
    const char *digits = at + 1, *end = digits + strspn(digits, "0123456789");
    return *end == 'd' && end - digits <= 3 && !strchr(end, '%');
}

chl_status chl_shard_writer_new(const char *pattern, int64_t clips, chl_shard_writer **out) {
    *out = NULL;
    if (!is_pattern(pattern))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "out must hold one number, as clips-%%06d.tar, got \"%s\"", pattern);
    chl_shard_writer *w = calloc(1, sizeof *w);
    if (w) w->pattern = strdup(pattern);
    if (!w || !w->pattern) {
        free(w);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for shards");
    }
    w->clips = clips;
    *out = w;
    return CHL_OK;
}

/* --- a shard ---------------------------------------------------------------------------------- */
static chl_status shard_path(const chl_shard_writer *w, char **path) {
    const char *number = strchr(w->pattern, '%'), *end = strchr(number, 'd') + 1;
    const int width = atoi(number + 1);
    if (asprintf(path, "%.*s%0*" PRId64 "%s", (int)(number - w->pattern), w->pattern, width,
                 w->shards, end) < 0)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a name");
    return CHL_OK;
}

static chl_status tar_failed(const chl_shard_writer *w) {
    return chl_fail(CHL_ERR_IO, "%s: %s", w->file.path, archive_error_string(w->tar));
}

static chl_status begin(chl_shard_writer *w) {
    char *path;
    if (w->tar) return CHL_OK;
    CHL_TRY(shard_path(w, &path));
    const chl_status status = chl_new_file_begin(path, &w->file);
    free(path);
    CHL_TRY(status);
    w->tar = archive_write_new();
    if (!w->tar) {
        chl_new_file_abandon(&w->file);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a shard");
    }
    archive_write_set_format_pax_restricted(w->tar);
    if (archive_write_open_FILE(w->tar, w->file.stream) != ARCHIVE_OK) return tar_failed(w);
    return CHL_OK;
}

static chl_status write_index(const chl_shard_writer *w) {
    char *path;
    chl_source *shard = NULL;
    CHL_TRY(shard_path(w, &path));
    const chl_status status =
        chl_source_open(path, &(chl_source_choice){.write_index = true}, &shard);
    chl_source_free(shard);
    free(path);
    return status;
}

static chl_status finish(chl_shard_writer *w) {
    if (!w->tar) return CHL_OK;
    chl_status status = archive_write_close(w->tar) == ARCHIVE_OK ? CHL_OK : tar_failed(w);
    archive_write_free(w->tar);
    w->tar = NULL;
    w->in_shard = 0;
    if (status == CHL_OK)
        status = chl_new_file_commit(&w->file);
    else
        chl_new_file_abandon(&w->file);
    if (status == CHL_OK) status = write_index(w);
    if (status == CHL_OK) w->shards++;
    return status;
}

/* --- a clip ----------------------------------------------------------------------------------- */
/* Same bytes for the same data: no times, no owners. */
static chl_status add_member(const chl_shard_writer *w, const char *ending, const void *data,
                             size_t size) {
    char name[64];
    snprintf(name, sizeof name, "%09" PRId64 ".%.16s", w->all, ending);
    struct archive_entry *entry = archive_entry_new();
    if (!entry) return chl_fail(CHL_ERR_MEMORY, "out of memory for a shard");
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    const bool written = archive_write_header(w->tar, entry) == ARCHIVE_OK &&
                         archive_write_data(w->tar, data, size) == (la_ssize_t)size;
    archive_entry_free(entry);
    return written ? CHL_OK : tar_failed(w);
}

static const char *ending_of(const chl_media *media) {
    const char *dot = strrchr(chl_media_name(media), '.');
    return dot ? dot + 1 : "wav";
}

static chl_status read_media(const chl_media *media, chl_file_bytes *bytes, char **why) {
    *bytes = (chl_file_bytes){0};
    if (!media->path) return CHL_OK;
    const chl_status status = chl_media_bytes(media, MAX_MEMBER, bytes);
    if (status != CHL_ERR_IO && status != CHL_ERR_FORMAT) return status;
    if (!*why) *why = strdup(chl_error());
    return *why ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a shard");
}

static chl_status add_clip(chl_shard_writer *w, const char *json, const chl_media *sound,
                           const chl_file_bytes *heard, const chl_media *picture,
                           const chl_file_bytes *seen) {
    CHL_TRY(begin(w));
    if (heard->data) CHL_TRY(add_member(w, ending_of(sound), heard->data, heard->size));
    CHL_TRY(add_member(w, "json", json, strlen(json)));
    if (seen->data) CHL_TRY(add_member(w, ending_of(picture), seen->data, seen->size));
    w->all++;
    return ++w->in_shard == w->clips ? finish(w) : CHL_OK;
}

chl_status chl_shard_writer_add(chl_shard_writer *w, const char *json, const chl_media *sound,
                                const chl_media *picture, char **why) {
    chl_file_bytes heard, seen = {0};
    *why = NULL;
    chl_status status = read_media(sound, &heard, why);
    if (status == CHL_OK && !*why) status = read_media(picture, &seen, why);
    if (status == CHL_OK && !*why) status = add_clip(w, json, sound, &heard, picture, &seen);
    chl_file_bytes_free(&heard);
    chl_file_bytes_free(&seen);
    return status;
}

chl_status chl_shard_writer_end(chl_shard_writer *w, int64_t *shards) {
    const chl_status status = finish(w);
    *shards = w->shards;
    chl_shard_writer_abandon(w);
    return status;
}

void chl_shard_writer_abandon(chl_shard_writer *w) {
    if (!w) return;
    if (w->tar) {
        archive_write_free(w->tar);
        chl_new_file_abandon(&w->file);
    }
    free(w->pattern);
    free(w);
}
#else
chl_status chl_shard_writer_new(const char *pattern, int64_t clips, chl_shard_writer **out) {
    (void)clips;
    *out = NULL;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: this build writes no tar shards: install libarchive-dev and build again",
                    pattern);
}

chl_status chl_shard_writer_add(chl_shard_writer *writer, const char *json, const chl_media *sound,
                                const chl_media *picture, char **why) {
    (void)writer;
    (void)json;
    (void)sound;
    (void)picture;
    *why = NULL;
    return CHL_OK;
}

chl_status chl_shard_writer_end(chl_shard_writer *writer, int64_t *shards) {
    *shards = 0;
    chl_shard_writer_abandon(writer);
    return CHL_OK;
}

void chl_shard_writer_abandon(chl_shard_writer *writer) {
    (void)writer;
}
#endif
