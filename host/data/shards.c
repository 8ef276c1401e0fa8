/* WebDataset shards: plain tar files, read in place. Opening reads the headers and the words of every clip
 * and keeps where its sound and picture lie, so that any order of clips costs one read each, and
 * shards give the same training as the folder that they were packed from. An index beside a shard
 * (shard_index.h) spares its headers. */
#include "base/decibels.h"
#include "base/json.h"
#include "data/captions.h"
#include "data/layouts.h"
#include "data/shard_index.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef CHLADNI_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_WORDS (1 << 20) /* of a clip's json or txt */
#define MAX_SHARDS 1000000
#define BLOCK 10240 /* libarchive reads so much at a time, and seeks over the rest */

typedef struct reading {
    chl_source *source;
    const chl_source_choice *choice;
    const char *path; /* of the shard */
    struct archive *tar;
    char *key; /* of the clip that is being read; NULL: none */
    chl_entry entry;
    const char *class;      /* .cls */
    int64_t clips;          /* of this shard so far */
    chl_shard_index *index; /* to be written; NULL: none */
} reading;

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", path);
}

/* --- words ------------------------------------------------------------------------------------ */
/* The text under the key, or the first of a list. */
static const char *first_text(const json_t *words, const char *key) {
    const json_t *value = json_object_get(words, key);
    if (json_is_array(value)) value = json_array_get(value, 0);
    const char *text = json_string_value(value);
    return text && *text ? text : NULL;
}

/* A fold may be a number: "fold": 1. */
static chl_status take_split(reading *r, const json_t *words) {
    const json_t *fold = json_object_get(words, "fold");
    const char *text = first_text(words, "split");
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(fold));
    if (!text) text = first_text(words, "fold");
    if (!text && json_is_integer(fold)) text = number;
    r->entry.fold = json_is_integer(fold) ? chl_source_fold(number)
                                          : chl_source_fold(first_text(words, "fold"));
    if (r->entry.fold == 0) r->entry.fold = chl_source_fold(text);
    if (!text) return CHL_OK;
    r->entry.split = chl_source_shared(r->source, text);
    return r->entry.split ? CHL_OK : no_memory(r->path);
}

/* All captions of a list, of which `caption` is the first. */
static chl_status take_captions(reading *r, const json_t *words) {
    const json_t *list = json_object_get(words, "caption");
    char *lines;
    CHL_TRY(chl_captions_of_list(list ? list : json_object_get(words, "text"), &lines));
    if (!lines) return CHL_OK;
    r->entry.captions = chl_source_text(r->source, lines);
    free(lines);
    return r->entry.captions ? CHL_OK : no_memory(r->path);
}

static chl_status take_words(reading *r, const json_t *words) {
    static const char *const keys[][2] = {
        {"label", "tag"}, {"caption", "text"}, {"kind", "kind"}, {"source", "source"}};
    const char **to[] = {&r->entry.label, &r->entry.caption, &r->entry.kind, &r->entry.from};
    for (int i = 0; i < 4; i++) {
        const char *text = first_text(words, keys[i][0]);
        if (!text) text = first_text(words, keys[i][1]);
        if (!text) continue;
        *to[i] = (i == 1 ? chl_source_text : chl_source_shared)(r->source, text);
        if (!*to[i]) return no_memory(r->path);
    }
    const json_t *strength = json_object_get(words, "strength");
    r->entry.level_told = json_is_number(strength);
    if (r->entry.level_told) r->entry.strength = (float)json_number_value(strength);
    const json_t *level = json_object_get(words, "level_db");
    r->entry.level_given = level && !json_is_null(level);
    if (r->entry.level_given && !(json_is_number(level) && chl_is_level(json_number_value(level))))
        return chl_fail(CHL_ERR_FORMAT, "%s: \"level_db\" of a clip must be " CHL_LEVELS, r->path);
    if (r->entry.level_given) r->entry.level_db = (float)json_number_value(level);
    CHL_TRY(take_split(r, words));
    return take_captions(r, words);
}

static chl_status read_json(reading *r, const char *name, const char *text, size_t size) {
    json_error_t problem;
    json_t *words;
    CHL_TRY(chl_json_read(text, size, 0, r->path, &words, &problem));
    const chl_status status =
        json_is_object(words) ? take_words(r, words)
                              : chl_fail(CHL_ERR_FORMAT, "%s: %s must be a JSON object: %s",
                                         r->path, name, words ? "got another value" : problem.text);
    json_decref(words);
    return status;
}

static chl_status read_text(reading *r, char *text, const char **to) {
    char *end = text + strlen(text);
    for (; end > text && strchr(" \t\r\n", end[-1]); end--) end[-1] = 0;
    if (!*text || *to) return CHL_OK;
    *to = chl_source_text(r->source, text);
    return *to ? CHL_OK : no_memory(r->path);
}

static chl_status read_words(reading *r, const char *name, const char *ending, int64_t size) {
    if (size > MAX_WORDS)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: %s must have at most %d bytes, got %lld", r->path,
                        name, MAX_WORDS, (long long)size);
    char *text = malloc((size_t)size + 1);
    if (!text) return no_memory(r->path);
    const la_ssize_t got = archive_read_data(r->tar, text, (size_t)size);
    text[size] = 0;
    chl_status status;
    if (got != size)
        status = chl_fail(CHL_ERR_IO, "%s: %s cannot be read: %s", r->path, name,
                          got < 0 ? archive_error_string(r->tar) : "it ends early");
    else if (strcasecmp(ending, "json") == 0)
        status = read_json(r, name, text, (size_t)size);
    else
        status = read_text(r, text, strcasecmp(ending, "txt") == 0 ? &r->entry.caption : &r->class);
    free(text);
    return status;
}

/* --- clips ------------------------------------------------------------------------------------ */
/* Of a shard or its index. */
static chl_status settle(void *user, const char *key, const chl_entry *entry) {
    const reading *r = user;
    if (!chl_source_wants(r->choice, entry->split, entry->fold)) return CHL_OK;
    return entry->sound.path ? chl_source_add_if_there(r->source, r->choice, entry, key)
                             : chl_source_miss(r->source, key);
}

static chl_status end_clip(reading *r) {
    if (!r->key) return CHL_OK;
    if (!r->entry.label) r->entry.label = r->class;
    if (r->index) chl_shard_index_add(r->index, r->path, r->key, &r->entry);
    const chl_status status = settle(r, r->key, &r->entry);
    free(r->key);
    r->key = NULL;
    return status;
}

/* DIR/KEY.rest: a clip is what shares all before the first dot of the file's name. */
static chl_status begin_clip(reading *r, const char *name, const char *dot) {
    const size_t length = (size_t)(dot - name);
    if (r->key && strlen(r->key) == length && strncmp(r->key, name, length) == 0) return CHL_OK;
    CHL_TRY(end_clip(r));
    r->entry = (chl_entry){.line = ++r->clips, .strength = 1};
    r->class = NULL;
    r->key = strndup(name, length);
    return r->key ? CHL_OK : no_memory(r->path);
}

static chl_status take_media(reading *r, const char *name, int64_t size, chl_media *to) {
    char *whole;
    if (asprintf(&whole, "%s: %s", r->path, name) < 0) return no_memory(r->path);
    *to = (chl_media){.path = chl_source_shared(r->source, r->path),
                      .name = chl_source_text(r->source, whole),
                      .offset = archive_filter_bytes(r->tar, 0),
                      .bytes = size};
    free(whole);
    return to->path && to->name ? CHL_OK : no_memory(r->path);
}

static chl_status take_member(reading *r, struct archive_entry *member) {
    const char *name = archive_entry_pathname(member);
    const int64_t size = archive_entry_size(member);
    if (archive_entry_filetype(member) != AE_IFREG || !name) return CHL_OK;
    if (strncmp(name, "./", 2) == 0) name += 2;
    const char *slash = strrchr(name, '/'), *dot = strchr(slash ? slash + 1 : name, '.');
    if (!dot || dot == name || (slash && dot == slash + 1))
        return CHL_OK; /* hidden, or no ending */
    CHL_TRY(begin_clip(r, name, dot));
    const char *ending = dot + 1;
    if (strcasecmp(ending, "json") == 0 || strcasecmp(ending, "txt") == 0 ||
        strcasecmp(ending, "cls") == 0)
        return read_words(r, name, ending, size);
    if (size == 0) return CHL_OK; /* an empty sound is a missing one */
    if (chl_names_sound(dot)) return take_media(r, name, size, &r->entry.sound);
    if (chl_names_picture(dot)) return take_media(r, name, size, &r->entry.picture);
    return CHL_OK;
}

static chl_status read_members(reading *r, int descriptor) {
    int code = archive_read_open_fd(r->tar, descriptor, BLOCK);
    while (code == ARCHIVE_OK || code == ARCHIVE_WARN) {
        struct archive_entry *member;
        code = archive_read_next_header(r->tar, &member);
        if (code == ARCHIVE_EOF) return end_clip(r);
        if (code == ARCHIVE_OK || code == ARCHIVE_WARN) CHL_TRY(take_member(r, member));
    }
    return chl_fail(CHL_ERR_FORMAT, "%s must be a whole tar file that is not compressed: %s",
                    r->path, archive_error_string(r->tar));
}

static chl_status read_headers(reading *r) {
    r->tar = archive_read_new();
    if (!r->tar) return no_memory(r->path);
    archive_read_support_format_tar(r->tar);
    chl_open_file there;
    chl_status status = chl_file_open(r->path, false, &there);
    if (status == CHL_OK) {
        status = read_members(r, there.descriptor);
        close(there.descriptor);
    }
    free(r->key);
    archive_read_free(r->tar);
    return status;
}

static chl_status read_shard(chl_source *s, const char *path, const chl_source_choice *choice) {
    reading r = {.source = s, .choice = choice, .path = path};
    chl_shard_index index;
    bool indexed = false;
    if (!choice->write_index) CHL_TRY(chl_shard_index_read(s, path, settle, &r, &indexed));
    if (indexed) return CHL_OK;
    if (!choice->write_index) return read_headers(&r);
    chl_shard_index_begin(&index);
    r.index = &index;
    const chl_status status = read_headers(&r);
    if (status == CHL_OK) return chl_shard_index_write(&index, path);
    chl_shard_index_free(&index);
    return status;
}

/* --- their names ------------------------------------------------------------------------------ */
/* "name-{000000..000123}.tar": from, to and the width of their digits. */
static bool parse_range(const char *path, const char **open, const char **close, long *from,
                        long *to, int *width) {
    char dots[3];
    int end = 0;
    *open = strchr(path, '{');
    *close = *open ? strchr(*open, '}') : NULL;
    if (!*close || sscanf(*open + 1, "%9ld%2[.]%9ld%n", from, dots, to, &end) != 3) return false;
    *width = (int)strcspn(*open + 1, ".");
    return strcmp(dots, "..") == 0 && *open + 1 + end == *close && *from >= 0 && *to >= *from &&
           *to - *from < MAX_SHARDS;
}

static chl_status read_range(chl_source *s, const char *path, const chl_source_choice *choice) {
    const char *open, *close;
    long from, to;
    int width;
    if (!parse_range(path, &open, &close, &from, &to, &width))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: a range of shards must be of the form name-{000000..000123}.tar",
                        path);
    for (long i = from; i <= to; i++) {
        char *shard;
        if (asprintf(&shard, "%.*s%0*ld%s", (int)(open - path), path, width, i, close + 1) < 0)
            return no_memory(path);
        const chl_status status = read_shard(s, shard, choice);
        free(shard);
        CHL_TRY(status);
    }
    return CHL_OK;
}

static bool is_tar(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && strcasecmp(dot, ".tar") == 0;
}

/* Shard 10 comes behind shard 9. */
static int by_version(const void *a, const void *b) {
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static chl_status read_folder(chl_source *s, const char *path, const chl_source_choice *choice,
                              bool *mine) {
    char **names;
    int count;
    CHL_TRY(chl_folder_list(path, &names, &count));
    qsort(names, (size_t)count, sizeof *names, by_version);
    chl_status status = CHL_OK;
    for (int i = 0; i < count && status == CHL_OK; i++) {
        if (!is_tar(names[i])) continue;
        char *shard = chl_path_join(path, names[i]);
        *mine = true;
        status = shard ? read_shard(s, shard, choice) : no_memory(path);
        free(shard);
    }
    chl_folder_free(names, count);
    return status;
}

static chl_status read_shards(chl_source *s, const char *path, const chl_source_choice *choice,
                              bool *mine) {
    *mine = false;
    s->layout = "WebDataset";
    if (chl_is_folder(path)) return read_folder(s, path, choice, mine);
    const size_t length = strlen(path);
    *mine = is_tar(path) || (length > 3 && strcasecmp(path + length - 3, ".gz") == 0) ||
            (length > 4 && strcasecmp(path + length - 4, ".tgz") == 0);
    if (!*mine) return CHL_OK;
    return strchr(path, '{') ? read_range(s, path, choice) : read_shard(s, path, choice);
}
#else
static chl_status read_shards(chl_source *s, const char *path, const chl_source_choice *choice,
                              bool *mine) {
    (void)s;
    (void)choice;
    const char *dot = strrchr(path, '.');
    *mine = dot && strcasecmp(dot, ".tar") == 0;
    if (!*mine) return CHL_OK;
    return chl_fail(
        CHL_ERR_UNSUPPORTED,
        "%s: this build reads no tar shards: install libarchive-dev and build again, or "
        "unpack them",
        path);
}
#endif

const chl_layout chl_layout_shards = {
    "WebDataset shards, x.tar, name-{000000..000123}.tar or a folder of .tar files", read_shards};
