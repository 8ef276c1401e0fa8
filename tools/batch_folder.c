/* The folder of a batch: made, or found to belong to this batch. */
#include "batch.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int no_memory(void) {
    (void)command_fail(CHL_ERR_MEMORY, "out of memory for the names of the batch's files");
    return run_error();
}

/* --- what the batch is ------------------------------------------------------------------------ */
/* Of all cells as they are written: the same table gives the same digest wherever it lies. */
static json_t *jobs_digest(const batch *b) {
    char *text = NULL, digest[DIGEST_ROOM];
    size_t size, i;
    FILE *to = open_memstream(&text, &size);
    json_t *row, *value;
    const char *name;
    if (!to) {
        json_refuse();
        return NULL;
    }
    json_array_foreach(b->rows, i, row) {
        fprintf(to, "%lld\n", (long long)json_integer_value(json_object_get(row, "line")));
        json_object_foreach(json_object_get(row, "cells"), name, value)
            fprintf(to, "%s=%s\n", name, json_string_value(value));
    }
    const bool whole = close_text(to);
    if (whole) digest_of_text(text, digest);
    free(text);
    if (!whole) json_refuse();
    return whole ? json_string(digest) : NULL;
}

/* Flags without paths and device: files are compared by their contents. */
static json_t *flag_facts(const batch *b) {
    json_t *all = one_edit_options(&b->base), *facts = json_object(), *value;
    const char *flag;
    json_object_foreach(all, flag, value) {
        if (option_named(one_edit_table(), flag)->kind != OPTION_INPUT &&
            strcmp(flag, "device") != 0)
            json_put(facts, flag, json_incref(value));
    }
    json_decref(all);
    return facts;
}

static json_t *facts_of(batch *b) {
    json_t *weights;
    if (one_edit_digests(&b->files, &b->base, EDIT_ALL_FILES, &weights) != CHL_OK) {
        run_error();
        return NULL;
    }
    json_t *facts = json_pack("{s:s, s:i, s:i, s:o, s:o, s:o}", "chladni", chl_version(), "at_once",
                              b->size, "edits", b->count, "jobs", jobs_digest(b), "flags",
                              flag_facts(b), "files", weights);
    if (json_is_whole(facts)) return facts;
    json_decref(facts);
    no_memory();
    return NULL;
}

/* --- the same batch --------------------------------------------------------------------------- */
static char *shown_value(const json_t *value) {
    return value ? json_dumped(value, JSON_ENCODE_ANY) : strdup("not given");
}

static int differs(const batch *b, const char *key, const json_t *before, const json_t *now) {
    char *was = shown_value(before), *is = shown_value(now);
    if (was && is)
        (void)command_fail(
            CHL_ERR_ARGUMENT,
            "%s: is the folder of another batch: \"%s\" was %s, now is %s: name another "
            "folder by --out, or start it with the same JOBS and flags",
            b->out, key, was, is);
    else
        (void)command_fail(CHL_ERR_MEMORY, "%s: out of memory for comparing \"%s\"", b->out, key);
    free(was);
    free(is);
    return run_error();
}

/* The first key whose values differ; objects are compared key by key. */
static int compare(const batch *b, const json_t *before, const json_t *now) {
    const json_t *both[] = {now, before};
    const char *key;
    json_t *value;
    for (int side = 0; side < 2; side++) json_object_foreach((json_t *)both[side], key, value) {
            const json_t *was = json_object_get(before, key), *is = json_object_get(now, key);
            if (json_equal(was, is)) continue;
            if (json_is_object(was) && json_is_object(is)) return compare(b, was, is);
            return differs(b, key, was, is);
        }
    return EXIT_OK;
}

/* --- making it -------------------------------------------------------------------------------- */
static const char *const folders[] = {
    "", "results", "page", "work", "work/journal", "work/claims", "work/cache"};
#define FOLDERS ((int)(sizeof folders / sizeof folders[0]))

/* Frees the path. */
static int make_folder(char *path, bool *made) {
    struct stat about;
    if (!path) return no_memory();
    *made = mkdir(path, 0777) == 0;
    int reason = *made ? 0 : errno;
    if (reason == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        reason = faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
    if (reason)
        (void)command_fail(CHL_ERR_IO, "%s: the folder cannot be written: %s", path,
                           reason == EEXIST ? "a file of that name exists" : strerror(reason));
    free(path);
    return reason ? run_error() : EXIT_OK;
}

static int name_worker(batch *b) {
    char host[32] = "";
    uint32_t number;
    if (gethostname(host, sizeof host - 1) != 0) strcpy(host, "host");
    for (char *at = host; *at; at++)
        if (*at == '/' || *at == '.') *at = '_';
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) number = 0;
    snprintf(b->worker, sizeof b->worker, "%s-%d-%08x", host, (int)getpid(), number);
    return EXIT_OK;
}

/* Of several workers that begin at once one makes the file, complete. */
static chl_status write_first(const batch *b, const char *path, const json_t *facts) {
    char *name, *temporary = NULL, *text = json_dumped(facts, JSON_INDENT(1));
    if (asprintf(&name, "batch-%s.json", b->worker) < 0) name = NULL;
    if (name) temporary = batch_path(b, "work", name);
    chl_status status = CHL_ERR_MEMORY;
    if (text && temporary)
        status = chl_file_write(temporary, text, strlen(text));
    else
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for %s", path);
    if (status == CHL_OK && link(temporary, path) != 0 && errno != EEXIST)
        status = chl_file_write(path, text, strlen(text)); /* a file system without links */
    if (temporary) unlink(temporary);
    free(name);
    free(temporary);
    free(text);
    return status;
}

static int read_facts(const char *path, json_t **facts) {
    json_error_t error;
    *facts = NULL;
    if (access(path, F_OK) != 0) return EXIT_OK;
    const chl_status status = json_read_file(path, facts, &error);
    if (status == CHL_OK) return EXIT_OK;
    if (status == CHL_ERR_FORMAT)
        (void)command_fail(CHL_ERR_FORMAT, "%s: cannot be read (%s): name another folder by --out",
                           path, error.text);
    return run_error();
}

static int begin(batch *b, const char *path) {
    if (b->size == 0) {
        const int code = batch_choose_size(b, &b->size);
        if (code != EXIT_OK) return code;
    }
    json_t *facts = facts_of(b);
    if (!facts) return EXIT_RUN;
    const chl_status status = write_first(b, path, facts);
    json_decref(facts);
    return status == CHL_OK ? EXIT_OK : run_error();
}

static int settle(batch *b, const char *path) {
    json_t *before, *now;
    int code = read_facts(path, &before);
    if (code == EXIT_OK && !before) code = begin(b, path);
    if (code == EXIT_OK && !before) code = read_facts(path, &before);
    if (code == EXIT_OK && b->size == 0)
        b->size = (int)json_integer_value(json_object_get(before, "at_once"));
    if (code == EXIT_OK && b->size < 1) {
        (void)command_fail(CHL_ERR_FORMAT, "%s: \"at_once\" must be >= 1, got %d", path, b->size);
        code = run_error();
    }
    now = code == EXIT_OK ? facts_of(b) : NULL;
    if (code == EXIT_OK) code = now ? compare(b, before, now) : EXIT_RUN;
    json_decref(before);
    json_decref(now);
    return code;
}

static int open_cache(batch *b) {
    char *path = b->cache ? strdup(b->cache) : batch_path(b, "work", "cache");
    if (!path) return no_memory();
    const chl_status status = chl_cache_open(path, &b->kept);
    free(path);
    return status == CHL_OK ? EXIT_OK : run_error();
}

/* Those that are empty, of a batch that could not begin. */
static void remove_made(const batch *b, const bool *made) {
    for (int i = FOLDERS - 1; i >= 0; i--) {
        char *path = made[i] ? batch_path(b, "", folders[i]) : NULL;
        if (path) rmdir(path);
        free(path);
    }
}

int batch_folder_open(batch *b) {
    bool made[FOLDERS] = {false}, cache_made = false;
    char *path = batch_path(b, "", "batch.json");
    if (!path) return no_memory();
    int code = name_worker(b);
    for (int i = 0; i < FOLDERS && code == EXIT_OK; i++)
        code = make_folder(i ? batch_path(b, "", folders[i]) : strdup(b->out), &made[i]);
    if (code == EXIT_OK && b->cache) code = make_folder(strdup(b->cache), &cache_made);
    if (code == EXIT_OK) code = open_cache(b);
    if (code == EXIT_OK) code = settle(b, path);
    if (code != EXIT_OK && access(path, F_OK) != 0) remove_made(b, made);
    if (code != EXIT_OK && cache_made) rmdir(b->cache);
    free(path);
    return code;
}
