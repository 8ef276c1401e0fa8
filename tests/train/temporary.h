/* A folder of its own for each test, and files in it. Include after cmocka. */
#ifndef CHL_TEST_TEMPORARY_H
#define CHL_TEST_TEMPORARY_H
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The caller frees what it gets. */
static inline char *make_temporary(void) {
    char *folder = strdup("/tmp/chladni-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static inline char *in_folder(const char *folder, const char *name) {
    char *path;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

/* The folder, the files in it, and the folders in it with their files. */
static inline void remove_folder(const char *folder) {
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open));) {
        if (entry->d_name[0] == '.') continue;
        char *path = in_folder(folder, entry->d_name);
        struct stat about;
        if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
            remove_folder(path);
        else
            unlink(path);
        free(path);
    }
    closedir(open);
    rmdir(folder);
}

static inline void put_file(const char *folder, const char *name, const void *data, size_t size) {
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    free(path);
}

/* NULL when there is no such file; the caller frees it. A zero byte follows the data. */
static inline char *get_file(const char *folder, const char *name, size_t *size) {
    char *path = in_folder(folder, name), *data = NULL;
    FILE *file = fopen(path, "rb");
    *size = 0;
    if (file) {
        fseek(file, 0, SEEK_END);
        *size = (size_t)ftell(file);
        rewind(file);
        data = calloc(1, *size + 1);
        assert_int_equal(fread(data, 1, *size, file), *size);
        fclose(file);
    }
    free(path);
    return data;
}

static inline bool same_file(const char *folder, const char *other, const char *name) {
    size_t a_size, b_size;
    char *a = get_file(folder, name, &a_size), *b = get_file(other, name, &b_size);
    const bool same = a && b && a_size == b_size && memcmp(a, b, a_size) == 0;
    free(a);
    free(b);
    return same;
}

static inline void copy_file(const char *from, const char *to, const char *name) {
    size_t size;
    char *data = get_file(from, name, &size);
    assert_non_null(data);
    put_file(to, name, data, size);
    free(data);
}
#endif
