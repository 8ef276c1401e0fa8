#include "outputs.h"
#include "command.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const endings[][2] = {[OUTPUT_PICTURE] = {".png"},
                                         [OUTPUT_ARRAY] = {".npy"},
                                         [OUTPUT_PICTURE_OR_ARRAY] = {".png", ".npy"},
                                         [OUTPUT_WEIGHTS] = {".safetensors"},
                                         [OUTPUT_SOUND] = {".wav"},
                                         [OUTPUT_JSON] = {".json"},
                                         [OUTPUT_PAGE] = {".html"},
                                         [OUTPUT_VIDEO] = {".mp4"},
                                         [OUTPUT_FOLDER] = {NULL}};

bool ends_in(const char *path, const char *end) {
    const size_t a = strlen(path), b = strlen(end);
    return a > b && path[a - b - 1] != '/' && strcasecmp(path + a - b, end) == 0;
}

void output_reads(output_table *table, const char *path) {
    table->broken = !append_text(&table->read, path) || table->broken;
}

void output_add(output_table *table, const char *flag, output_kind kind, const char *path) {
    if (!path || table->broken) return;
    if (table->count == table->capacity) {
        const int capacity = table->capacity ? 2 * table->capacity : 16;
        output *grown = realloc(table->item, sizeof *grown * (size_t)capacity);
        if (!grown) {
            table->broken = true;
            return;
        }
        table->item = grown;
        table->capacity = capacity;
    }
    output *o = &table->item[table->count];
    *o = (output){.flag = flag, .kind = kind, .path = strdup(path)};
    if (o->path)
        table->count++;
    else
        table->broken = true;
}

/* Pipes and devices take any content: their names say nothing. */
static bool has_a_file_name(const char *path) {
    struct stat about;
    if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0) return false;
    return stat(path, &about) != 0 || S_ISREG(about.st_mode) || S_ISDIR(about.st_mode);
}

static int check_ending(const command_line *line, const output *o) {
    const char *first = endings[o->kind][0], *second = endings[o->kind][1];
    if (!first || !has_a_file_name(o->path) || ends_in(o->path, first) ||
        (second && ends_in(o->path, second)))
        return EXIT_OK;
    return usage_error(line, "--%s must end in %s%s%s, got %s", o->flag, first,
                       second ? " or " : "", second ? second : "", o->path);
}

static int make_folder(output *o) {
    struct stat about;
    o->made = mkdir(o->path, 0777) == 0;
    int reason = o->made ? 0 : errno;
    if (reason == EEXIST && stat(o->path, &about) == 0 && S_ISDIR(about.st_mode))
        reason = faccessat(AT_FDCWD, o->path, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
    if (reason == 0) return EXIT_OK;
    (void)command_fail(CHL_ERR_IO, "--%s %s: several files need a folder: %s", o->flag, o->path,
                       reason == EEXIST ? "a file of that name exists" : strerror(reason));
    return run_error();
}

static int check_file(output *o) {
    char before[64];
    struct stat about;
    if (chl_file_check(o->path, &o->target) == CHL_OK) {
        o->exists = o->target && stat(o->target, &about) == 0;
        o->device = o->exists ? about.st_dev : 0;
        o->inode = o->exists ? about.st_ino : 0;
        return EXIT_OK;
    }
    snprintf(before, sizeof before, "--%s: ", o->flag);
    say_error(before);
    return EXIT_RUN;
}

static int by_target(const void *a, const void *b) {
    const output *x = a, *y = b;
    if (!x->target || !y->target) return (x->target != NULL) - (y->target != NULL);
    return strcmp(x->target, y->target);
}

static int check_clashes(const command_line *line, output_table *table) {
    if (table->count > 1) qsort(table->item, (size_t)table->count, sizeof *table->item, by_target);
    for (int i = 1; i < table->count; i++) {
        const output *a = &table->item[i - 1], *b = &table->item[i];
        if (!a->target || strcmp(a->target, b->target) != 0) continue;
        return usage_error(line, "--%s %s and --%s %s are one file: one would overwrite the other",
                           a->flag, a->path, b->flag, b->path);
    }
    return EXIT_OK;
}

/* A file cannot be read while it is replaced, and what was read would be lost. */
static int check_read(const command_line *line, const output_table *table, const char *path) {
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) return EXIT_OK;
    for (int i = 0; i < table->count; i++) {
        const output *o = &table->item[i];
        if (o->exists && o->device == about.st_dev && o->inode == about.st_ino)
            return usage_error(line,
                               "--%s %s is a file that is read (%s): it would be overwritten, "
                               "give another name",
                               o->flag, o->path, path);
    }
    return EXIT_OK;
}

static int check_all_read(const command_line *line, const output_table *table) {
    int code = EXIT_OK;
    for (int i = 0; i < table->read.count && code == EXIT_OK; i++)
        code = check_read(line, table, table->read.item[i]);
    for (int k = 0; k < line->count; k++) {
        const option *o = &line->options[k];
        const text_list *list = o->kind == OPTION_INPUTS ? o->value : NULL;
        const char *path = o->kind == OPTION_INPUT ? *(const char **)o->value : NULL;
        if (path && code == EXIT_OK) code = check_read(line, table, path);
        for (int i = 0; list && i < list->count && code == EXIT_OK; i++)
            code = check_read(line, table, list->item[i]);
    }
    return code;
}

static int check_all(const command_line *line, output_table *table) {
    int code = EXIT_OK;
    for (int i = 0; i < table->count && code == EXIT_OK; i++)
        code = check_ending(line, &table->item[i]);
    for (int i = 0; i < table->count && code == EXIT_OK; i++)
        if (table->item[i].kind == OUTPUT_FOLDER) code = make_folder(&table->item[i]);
    for (int i = 0; i < table->count && code == EXIT_OK; i++)
        if (table->item[i].kind != OUTPUT_FOLDER) code = check_file(&table->item[i]);
    if (code == EXIT_OK) code = check_all_read(line, table);
    if (code == EXIT_OK) code = check_clashes(line, table);
    return code;
}

static text_list made_folders;

void remove_empty_outputs(void) {
    for (int i = 0; i < made_folders.count; i++) rmdir(made_folders.item[i]);
}

void remove_own_folder(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path);
}

int output_check(const command_line *line, output_table *table) {
    int code;
    if (table->broken) {
        (void)command_fail(CHL_ERR_MEMORY, "out of memory for the names of the outputs");
        code = run_error();
    } else {
        code = check_all(line, table);
    }
    for (int i = 0; i < table->count; i++) {
        output *o = &table->item[i];
        if (o->made && append_text(&made_folders, o->path)) o->path = NULL; /* is the list's now */
        free(o->path);
        chl_release(o->target);
    }
    free(table->item);
    free(table->read.item);
    *table = (output_table){0};
    return code;
}
