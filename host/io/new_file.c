#include "io/new_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40      /* as Linux follows */
#define MAX_TEMPORARY 200 /* bytes that a temporary name takes over from the target's, of 255 */
#define MAX_TRIES 100     /* at a random name that is free */
#define COPY_BLOCK (1 << 16)

/* --- what is at the path ---------------------------------------------------------------------- */
typedef struct place {
    char *target; /* path after links */
    struct stat about;
    bool exists;
    bool through; /* written into, not replaced */
} place;

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for the names of the new file", path);
}

static chl_status cannot(const char *path, int reason) {
    if (reason == ENOMEM) return no_memory(path);
    return chl_fail(CHL_ERR_IO, "%s: cannot be written (%s): name another file", path,
                    strerror(reason));
}

/* "a/b" -> "a", "b" -> ".", "/b" -> "/"; NULL: out of memory */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Where the link `path` leads; NULL with errno. */
static char *read_link(const char *path) {
    char to[PATH_MAX];
    const ssize_t length = readlink(path, to, sizeof to - 1);
    if (length < 0) return NULL;
    to[length] = 0;
    if (to[0] == '/') return strdup(to);
    char *folder = folder_of(path), *joined = NULL;
    if (folder && asprintf(&joined, "%s/%s", folder, to) < 0) joined = NULL;
    free(folder);
    if (!joined) errno = ENOMEM;
    return joined;
}

/* /dev/stdout leads to a link in /proc, whose text is not a path that could be renamed over. */
static bool is_of_proc(const struct stat *link) {
    struct stat proc;
    return stat("/proc/self/fd", &proc) == 0 && proc.st_dev == link->st_dev;
}

/* Follows links at the end of the path, also one whose file does not exist yet. */
static chl_status follow(const char *path, place *at) {
    struct stat about;
    char *target = at->target = strdup(path);
    if (!target) return no_memory(path);
    for (int links = 0; lstat(target, &about) == 0 && S_ISLNK(about.st_mode); links++) {
        if (is_of_proc(&about)) {
            at->through = true;
            break;
        }
        char *next = links < MAX_LINKS ? read_link(target) : NULL;
        if (!next) return cannot(path, links < MAX_LINKS ? errno : ELOOP);
        free(target);
        target = at->target = next;
    }
    if (stat(target, &about) != 0) return errno == ENOENT ? CHL_OK : cannot(path, errno);
    at->exists = true;
    at->about = about;
    return CHL_OK;
}

static chl_status check_folder(const char *path, const char *target) {
    char *folder = folder_of(target);
    if (!folder) return no_memory(path);
    struct stat about;
    chl_status status = CHL_OK;
    if (stat(folder, &about) != 0)
        status = chl_fail(CHL_ERR_IO, "%s: cannot be created, the folder %s: %s: create it first",
                          path, folder, strerror(errno));
    else if (!S_ISDIR(about.st_mode))
        status = chl_fail(CHL_ERR_IO, "%s: cannot be created: %s is not a folder", path, folder);
    else if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        status = chl_fail(CHL_ERR_IO,
                          "%s: cannot be created: the folder %s is not writable (%s): name another",
                          path, folder, strerror(errno));
    free(folder);
    return status;
}

static chl_status check_replaceable(const char *path, place *at) {
    const mode_t mode = at->about.st_mode;
    if (S_ISDIR(mode))
        return chl_fail(CHL_ERR_IO, "%s: is a folder, expected the name of a file", path);
    if (S_ISCHR(mode) || S_ISFIFO(mode)) at->through = true;
    if (!S_ISREG(mode) && !at->through)
        return chl_fail(CHL_ERR_IO,
                        "%s: is neither a file nor a pipe or terminal: name another file", path);
    if ((S_ISREG(mode) && (mode & 0222) == 0) ||
        faccessat(AT_FDCWD, at->target, W_OK, AT_EACCESS) != 0)
        return chl_fail(CHL_ERR_IO,
                        "%s: is read-only and therefore kept: allow writing with chmod u+w, or "
                        "name another file",
                        path);
    return CHL_OK;
}

static chl_status find_place(const char *path, place *at) {
    const size_t length = strlen(path);
    *at = (place){0};
    if (length == 0) return chl_fail(CHL_ERR_ARGUMENT, "the name of a file to write is empty");
    CHL_TRY(follow(path, at));
    if (at->exists)
        CHL_TRY(check_replaceable(path, at));
    else if (at->target[strlen(at->target) - 1] == '/')
        return chl_fail(CHL_ERR_IO, "%s: names a folder, expected the name of a file", path);
    return at->through ? CHL_OK : check_folder(path, at->target);
}

/* The folder's absolute path and the name: the same for all spellings of a target. */
static chl_status make_absolute(const char *path, const char *target, char **out) {
    const char *slash = strrchr(target, '/');
    char *folder = folder_of(target), *whole = folder ? realpath(folder, NULL) : NULL;
    chl_status status = CHL_OK;
    if (!whole)
        status = cannot(path, folder ? errno : ENOMEM);
    else if (asprintf(out, "%s/%s", strcmp(whole, "/") == 0 ? "" : whole,
                      slash ? slash + 1 : target) < 0) {
        *out = NULL;
        status = no_memory(path);
    }
    free(folder);
    free(whole);
    return status;
}

chl_status chl_new_file_check(const char *path, char **target) {
    place at;
    if (target) *target = NULL;
    chl_status status = find_place(path, &at);
    if (status == CHL_OK && target && !at.through) status = make_absolute(path, at.target, target);
    free(at.target);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------- */
static void free_names(chl_new_file *file) {
    free(file->path);
    free(file->target);
    free(file->temporary);
    *file = (chl_new_file){0};
}

/* A name that nobody can guess and plant a link at; O_EXCL refuses one that exists. */
static int create_beside(const char *target, mode_t mode, char **name) {
    const char *slash = strrchr(target, '/');
    const int folder = slash ? (int)(slash + 1 - target) : 0;
    for (int i = 0; i < MAX_TRIES; i++) {
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) return -1;
        if (asprintf(name, "%.*s%.*s.%016llx.tmp", folder, target, MAX_TEMPORARY, target + folder,
                     (unsigned long long)number) < 0) {
            *name = NULL;
            return -1;
        }
        const int descriptor = open(*name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
        free(*name);
        *name = NULL;
    }
    return -1;
}

/* The new file is private until it has the old one's owner and mode. */
static int create_like(const place *at, char **name) {
    if (!at->exists) return create_beside(at->target, 0666, name);
    const int descriptor = create_beside(at->target, 0600, name);
    if (descriptor < 0) return -1;
    mode_t mode = at->about.st_mode & 0777;
    const bool others = at->about.st_uid != geteuid() || at->about.st_gid != getegid();
    if (others && fchown(descriptor, at->about.st_uid, at->about.st_gid) != 0)
        mode &= 0707; /* the group is another than the one that had these rights */
    if (fchmod(descriptor, mode) == 0) return descriptor;
    close(descriptor);
    unlink(*name);
    return -1;
}

chl_status chl_new_file_begin(const char *path, chl_new_file *out) {
    *out = (chl_new_file){0};
    place at;
    chl_status status = find_place(path, &at);
    out->target = at.target;
    if (status == CHL_OK && !(out->path = strdup(path))) status = no_memory(path);
    if (status == CHL_OK) {
        /* writers may go back in their file, which a pipe does not allow: it gets a whole copy */
        const int descriptor =
            at.through ? memfd_create("chladni", MFD_CLOEXEC) : create_like(&at, &out->temporary);
        if (descriptor >= 0) out->stream = fdopen(descriptor, "w+b");
        if (!out->stream) {
            status = chl_fail(CHL_ERR_IO,
                              "%s: no new file can be created beside it (%s): check the folder",
                              path, strerror(errno));
            if (descriptor >= 0) {
                close(descriptor);
                if (out->temporary) unlink(out->temporary);
            }
        }
    }
    if (status != CHL_OK) free_names(out);
    return status;
}

static bool write_all(int descriptor, const char *bytes, ssize_t size) {
    while (size > 0) {
        const ssize_t count = write(descriptor, bytes, (size_t)size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes += count;
        size -= count;
    }
    return true;
}

static bool copy_into(FILE *stream, const char *target) {
    static _Thread_local char block[COPY_BLOCK];
    const int from = fileno(stream);
    const int to = open(target, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    if (to < 0) return false;
    bool written = lseek(from, 0, SEEK_SET) == 0;
    for (ssize_t count; written && (count = read(from, block, sizeof block)) != 0;)
        written = count > 0 && write_all(to, block, count);
    const int reason = errno;
    if (close(to) != 0) return false;
    errno = reason;
    return written;
}

/* What came to the target since begin is looked at once more: only files are renamed over. */
static bool replace(const chl_new_file *file) {
    struct stat now;
    if (lstat(file->target, &now) == 0 && !S_ISREG(now.st_mode)) {
        errno = EEXIST;
        return false;
    }
    return rename(file->temporary, file->target) == 0;
}

static bool finish(const chl_new_file *file) {
    if (ferror(file->stream) || fflush(file->stream) != 0) return false;
    if (!file->temporary) return copy_into(file->stream, file->target);
    return fsync(fileno(file->stream)) == 0;
}

chl_status chl_new_file_commit(chl_new_file *file) {
    bool written = finish(file);
    int reason = errno;
    if (fclose(file->stream) != 0 && written) {
        written = false;
        reason = errno;
    }
    if (written && file->temporary && !replace(file)) {
        written = false;
        reason = errno;
    }
    chl_status status = CHL_OK;
    if (!written) {
        status = chl_fail(CHL_ERR_IO, "%s: cannot be written (%s)%s", file->path, strerror(reason),
                          reason == ENOSPC || reason == EDQUOT ? ": check the free space" : "");
        if (file->temporary) unlink(file->temporary);
    }
    free_names(file);
    return status;
}

void chl_new_file_abandon(chl_new_file *file) {
    fclose(file->stream);
    if (file->temporary) unlink(file->temporary);
    free_names(file);
}
