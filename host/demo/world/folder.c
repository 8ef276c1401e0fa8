#include "demo/world/folder.h"
#include "io/new_file.h"
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096
/* In a folder from the first sample to the last: its files are of a run that is not finished. */
#define MARK "unfinished"

static chl_status make_folder(const char *path) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return CHL_OK;
    return chl_fail(CHL_ERR_IO, "%s: cannot create the folder: %s", path, strerror(errno));
}

static bool has(const char *folder, const char *file) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return access(path, F_OK) == 0;
}

static chl_status check_empty(const char *path) {
    DIR *folder = opendir(path);
    if (!folder)
        return chl_fail(CHL_ERR_IO, "%s: cannot read the folder: %s", path, strerror(errno));
    int entries = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    if (entries == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s: holds %d files already: name an empty folder, or set force", path,
                    entries);
}

/* 00012.png, or what a killed run left of it: 00012.png.<16 digits>.tmp */
static bool is_of_a_world(const char *name, const char *ending) {
    const size_t digits = strspn(name, "0123456789");
    if (digits < 5 || strncmp(name + digits, ending, strlen(ending)) != 0) return false;
    const char *rest = name + digits + strlen(ending);
    return !*rest || (*rest == '.' && strspn(rest + 1, "0123456789abcdef") == 16 &&
                      strcmp(rest + 17, ".tmp") == 0);
}

static void remove_numbered(const char *out, const char *inside, const char *ending) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", out, inside);
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (is_of_a_world(entry->d_name, ending)) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path); /* unless something else is in it */
}

chl_status chl_world_folder_begin(const chl_world_options *o) {
    char path[PATH_ROOM];
    CHL_TRY(make_folder(o->out));
    const bool unfinished = has(o->out, MARK);
    if (!o->force && !unfinished) CHL_TRY(check_empty(o->out));
    if (unfinished || has(o->out, "pairs.jsonl")) {
        remove_numbered(o->out, "pictures", ".png");
        remove_numbered(o->out, "sounds", ".wav");
    }
    chl_new_file mark;
    snprintf(path, sizeof path, "%s/" MARK, o->out);
    CHL_TRY(chl_new_file_begin(path, &mark));
    CHL_TRY(chl_new_file_commit(&mark));
    snprintf(path, sizeof path, "%s/pairs.jsonl", o->out);
    if (remove(path) != 0 && errno != ENOENT)
        return chl_fail(CHL_ERR_IO, "%s: cannot replace the file: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/pictures", o->out);
    CHL_TRY(make_folder(path));
    if (o->no_sounds) return CHL_OK;
    snprintf(path, sizeof path, "%s/sounds", o->out);
    return make_folder(path);
}

chl_status chl_world_folder_end(const chl_world_options *o) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/" MARK, o->out);
    if (unlink(path) == 0 || errno == ENOENT) return CHL_OK;
    return chl_fail(CHL_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
}
