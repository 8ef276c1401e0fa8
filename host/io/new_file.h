/* Writing: a file that appears under its name complete or not at all.
 *
 *     chl_new_file file;
 *     CHL_TRY(chl_new_file_begin("out.npy", &file));       opens out.npy.<16 random digits>.tmp
 *     fwrite(bytes, 1, size, file.stream);                 need not be checked: commit does
 *     return chl_new_file_commit(&file);                   flush, fsync, rename over out.npy
 *
 * rename(2) replaces the target atomically, so a reader or a crash sees the old file or the new
 * one. What is there already decides how it is written:
 *
 *     nothing                   a new file, with the mode that the umask leaves of 0666
 *     a regular file            replaced; its mode, and if allowed its owner, are kept
 *     a symbolic link           the file that it leads to is replaced or created, the link stays
 *     a pipe, a terminal,       gets the bytes, as from cp: commit opens it and writes; so does a
 *     /dev/null, /dev/stdout    link in /proc, which stands for an open file
 *     a file without write      refused, to root too: rename would not need the permission, but
 *     permission                who removed it wants the file kept
 *     a folder, a disk, a       refused
 *     socket */
#ifndef CHL_IO_NEW_FILE_H
#define CHL_IO_NEW_FILE_H
#include "base/status.h"
#include <stdio.h>

/* Exactly one of commit and abandon must follow a successful begin. A failed commit removes the new
 * file and leaves `path` as it was. */
typedef struct chl_new_file {
    FILE *stream;    /* can be read back and positioned */
    char *path;      /* as it was given, for texts */
    char *target;    /* after links */
    char *temporary; /* beside the target; NULL: commit writes into the target */
} chl_new_file;
chl_status chl_new_file_begin(const char *path, chl_new_file *out);
chl_status chl_new_file_commit(chl_new_file *file);
void chl_new_file_abandon(chl_new_file *file);

/* Whether begin and commit could succeed now: the folder exists and is writable, what is there may
 * be replaced, the name is not too long. Opens and changes nothing. *target, unless NULL, receives
 * the absolute path of what would be replaced or created, to be freed; NULL for pipes and devices,
 * which may be written twice. */
chl_status chl_new_file_check(const char *path, char **target);
#endif
