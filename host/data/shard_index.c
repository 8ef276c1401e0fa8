#include "data/shard_index.h"
#include "base/decibels.h"
#include "base/json.h"
#include "io/new_file.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION 3
#define ENDING ".index"

static chl_status no_memory(const char *shard) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its index", shard);
}

static char *path_of(const char *shard) {
    char *path;
    return asprintf(&path, "%s" ENDING, shard) < 0 ? NULL : path;
}

static bool stamp_of(const char *shard, int64_t stamp[3]) {
    struct stat about;
    if (stat(shard, &about) != 0) return false;
    stamp[0] = about.st_size;
    stamp[1] = about.st_mtim.tv_sec;
    stamp[2] = about.st_mtim.tv_nsec;
    return true;
}

/* --- writing ---------------------------------------------------------------------------------- */
void chl_shard_index_begin(chl_shard_index *index) {
    *index = (chl_shard_index){.impossible = false};
}

void chl_shard_index_free(chl_shard_index *index) {
    free(index->lines.text);
    *index = (chl_shard_index){.impossible = false};
}

static void put_text(chl_shard_index *index, json_t *object, const char *key, const char *text) {
    if (!text) return;
    json_t *value = chl_json_string(text);
    if (value && strcmp(json_string_value(value), text) != 0) index->impossible = true;
    chl_json_set(object, key, value);
}

/* "a/b.tar: clip.flac" is kept as "clip.flac". */
static void put_media(chl_shard_index *index, json_t *object, const char *key, const char *shard,
                      const chl_media *media) {
    if (!media->path) return;
    json_t *place = json_object();
    put_text(index, place, "name", media->name + strlen(shard) + 2);
    chl_json_set(place, "at", json_integer(media->offset));
    chl_json_set(place, "bytes", json_integer(media->bytes));
    chl_json_set(object, key, place);
}

void chl_shard_index_add(chl_shard_index *index, const char *shard, const char *key,
                         const chl_entry *e) {
    const uint64_t refused = chl_json_refused();
    json_t *clip = json_object();
    put_text(index, clip, "key", key);
    put_media(index, clip, "sound", shard, &e->sound);
    put_media(index, clip, "picture", shard, &e->picture);
    put_text(index, clip, "label", e->label);
    put_text(index, clip, "caption", e->caption);
    put_text(index, clip, "captions", e->captions);
    put_text(index, clip, "kind", e->kind);
    put_text(index, clip, "source", e->from);
    put_text(index, clip, "split", e->split);
    if (e->fold) chl_json_set(clip, "fold", json_integer(e->fold));
    if (e->level_told) chl_json_set(clip, "strength", json_real((double)e->strength));
    if (e->level_given) chl_json_set(clip, "level_db", json_real((double)e->level_db));
    chl_json_set(clip, "line", json_integer(e->line));
    char *text = chl_json_text(clip, JSON_COMPACT | JSON_REAL_PRECISION(9), refused);
    index->clips++;
    if (text)
        chl_text_add(&index->lines, "%s\n", text);
    else
        index->lines.failed = true;
    free(text);
    json_decref(clip);
}

static chl_status write_lines(const chl_shard_index *index, const char *shard, const char *path) {
    int64_t stamp[3];
    chl_new_file file;
    if (!stamp_of(shard, stamp)) return chl_fail(CHL_ERR_IO, "%s: %s", shard, strerror(errno));
    CHL_TRY(chl_new_file_begin(path, &file));
    fprintf(file.stream,
            "{\"chladni_shard_index\":%d,\"bytes\":%" PRId64 ",\"seconds\":%" PRId64
            ",\"nanoseconds\":%" PRId64 ",\"clips\":%" PRId64 "}\n",
            VERSION, stamp[0], stamp[1], stamp[2], index->clips);
    fwrite(index->lines.text, 1, index->lines.size, file.stream);
    return chl_new_file_commit(&file);
}

chl_status chl_shard_index_write(chl_shard_index *index, const char *shard) {
    char *path = path_of(shard);
    chl_status status = path && !index->lines.failed ? CHL_OK : no_memory(shard);
    if (status == CHL_OK && index->impossible)
        chl_log(CHL_LOG_WARN, "%s: it gets no index, for a name or text in it is not UTF-8", shard);
    else if (status == CHL_OK)
        status = write_lines(index, shard, path);
    free(path);
    chl_shard_index_free(index);
    return status;
}

/* --- reading ---------------------------------------------------------------------------------- */
typedef struct opened {
    chl_source *source;
    const char *shard, *path;
    FILE *file;
    char *line;
    size_t room;
    int64_t number;
    int64_t bytes; /* of the shard */
} opened;

static chl_status damaged(const opened *o, const char *what) {
    return chl_fail(CHL_ERR_FORMAT,
                    "%s line %" PRId64 ": %s: remove it, or inspect the shards and set index",
                    o->path, o->number, what);
}

/* *line NULL: the end. */
static chl_status next_line(opened *o, json_t **line) {
    *line = NULL;
    errno = 0;
    const ssize_t length = getline(&o->line, &o->room, o->file);
    if (length < 0)
        return errno ? chl_fail(CHL_ERR_IO, "%s: %s", o->path, strerror(errno)) : CHL_OK;
    o->number++;
    CHL_TRY(chl_json_read(o->line, (size_t)length, 0, o->path, line, NULL));
    if (json_is_object(*line)) return CHL_OK;
    json_decref(*line);
    *line = NULL;
    return damaged(o, "a JSON object is expected");
}

/* Whole lines behind the first; the place in the file stays. */
static chl_status count_lines(const opened *o, int64_t *lines) {
    const off_t at = ftello(o->file);
    *lines = 0;
    for (int c; (c = getc_unlocked(o->file)) != EOF;) *lines += c == '\n';
    if (ferror(o->file) || at < 0 || fseeko(o->file, at, SEEK_SET) != 0)
        return chl_fail(CHL_ERR_IO, "%s: %s", o->path, strerror(errno));
    return CHL_OK;
}

static chl_status is_fresh(opened *o, bool *fresh) {
    static const char *const keys[] = {"bytes", "seconds", "nanoseconds"};
    int64_t stamp[3] = {0};
    json_t *head;
    *fresh = false;
    CHL_TRY(next_line(o, &head));
    if (!head) return damaged(o, "it is empty");
    bool same = json_integer_value(json_object_get(head, "chladni_shard_index")) == VERSION &&
                stamp_of(o->shard, stamp);
    for (int i = 0; i < 3; i++)
        same = same && json_integer_value(json_object_get(head, keys[i])) == stamp[i];
    const int64_t clips = json_integer_value(json_object_get(head, "clips"));
    json_decref(head);
    o->bytes = stamp[0];
    if (!same) {
        chl_log(CHL_LOG_WARN, "%s is of another %s, which is read instead", o->path, o->shard);
        return CHL_OK;
    }
    int64_t lines;
    CHL_TRY(count_lines(o, &lines));
    *fresh = lines == clips;
    if (!*fresh)
        chl_log(CHL_LOG_WARN,
                "%s must have a line for each of %" PRId64 " clips, got %" PRId64
                ": %s is read instead",
                o->path, clips, lines, o->shard);
    return CHL_OK;
}

static chl_status take_text(const opened *o, const json_t *clip, const char *key, bool shared,
                            const char **to) {
    const json_t *value = json_object_get(clip, key);
    const char *text = json_string_value(value);
    if (value && !text) return damaged(o, "a word of a clip must be a text");
    if (!text) return CHL_OK;
    *to = (shared ? chl_source_shared : chl_source_text)(o->source, text);
    return *to ? CHL_OK : no_memory(o->shard);
}

static chl_status take_media(const opened *o, const json_t *clip, const char *key, chl_media *to) {
    const json_t *place = json_object_get(clip, key);
    const char *name = json_string_value(json_object_get(place, "name"));
    const json_t *at = json_object_get(place, "at");
    char *whole;
    if (!place) return CHL_OK;
    to->offset = json_integer_value(at);
    to->bytes = json_integer_value(json_object_get(place, "bytes"));
    if (!name || !json_is_integer(at) || to->offset < 0 || to->bytes < 1)
        return damaged(o, "no place of a file");
    if (to->bytes > o->bytes || to->offset > o->bytes - to->bytes)
        return damaged(o, "a file's place must be within the shard");
    if (asprintf(&whole, "%s: %s", o->shard, name) < 0) return no_memory(o->shard);
    to->name = chl_source_text(o->source, whole);
    to->path = chl_source_shared(o->source, o->shard);
    free(whole);
    return to->name && to->path ? CHL_OK : no_memory(o->shard);
}

static chl_status take_clip(const opened *o, const json_t *clip, chl_clip_taker take, void *user) {
    const char *key = json_string_value(json_object_get(clip, "key"));
    const json_t *strength = json_object_get(clip, "strength");
    chl_entry e = {.line = json_integer_value(json_object_get(clip, "line")), .strength = 1};
    if (!key) return damaged(o, "a clip without a key");
    if (strength && !json_is_number(strength)) return damaged(o, "strength must be a number");
    CHL_TRY(take_media(o, clip, "sound", &e.sound));
    CHL_TRY(take_media(o, clip, "picture", &e.picture));
    CHL_TRY(take_text(o, clip, "label", true, &e.label));
    CHL_TRY(take_text(o, clip, "caption", false, &e.caption));
    CHL_TRY(take_text(o, clip, "captions", false, &e.captions));
    CHL_TRY(take_text(o, clip, "kind", true, &e.kind));
    CHL_TRY(take_text(o, clip, "source", true, &e.from));
    CHL_TRY(take_text(o, clip, "split", true, &e.split));
    const json_t *fold = json_object_get(clip, "fold");
    e.fold = (int)json_integer_value(fold);
    if (fold && (e.fold < 1 || e.fold != json_integer_value(fold)))
        return damaged(o, "fold must be a whole number from 1 up");
    e.level_told = json_is_number(strength);
    if (e.level_told) e.strength = (float)json_number_value(strength);
    const json_t *level = json_object_get(clip, "level_db");
    if (level && !(json_is_number(level) && chl_is_level(json_number_value(level))))
        return damaged(o, "level_db must be " CHL_LEVELS);
    e.level_given = level != NULL;
    if (e.level_given) e.level_db = (float)json_number_value(level);
    return take(user, key, &e);
}

static chl_status take_clips(opened *o, chl_clip_taker take, void *user, bool *found) {
    CHL_TRY(is_fresh(o, found));
    if (!*found) return CHL_OK;
    for (;;) {
        json_t *clip;
        CHL_TRY(next_line(o, &clip));
        if (!clip) return CHL_OK;
        const chl_status status = take_clip(o, clip, take, user);
        json_decref(clip);
        CHL_TRY(status);
    }
}

chl_status chl_shard_index_read(chl_source *source, const char *shard, chl_clip_taker take,
                                void *user, bool *found) {
    char *path = path_of(shard);
    *found = false;
    if (!path) return no_memory(shard);
    opened o = {.source = source, .shard = shard, .path = path, .file = fopen(path, "re")};
    const chl_status status = o.file ? take_clips(&o, take, user, found) : CHL_OK;
    if (o.file) fclose(o.file);
    free(o.line);
    free(path);
    return status;
}
