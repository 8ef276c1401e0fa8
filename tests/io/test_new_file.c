/* Written files: what replaces what, who may read it, and what is left after a failure. */
#include "io/new_file.h"
#include "io/npy.h"
#include "io/picture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <chladni/engine.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int enter(void **state) {
    char *folder = strdup("/tmp/chladni-new-file-XXXXXX");
    *state = mkdtemp(folder);
    umask(022);
    return *state ? chdir(folder) : -1;
}

static int leave(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    const int code = chdir("/") + system(command);
    free(*state);
    return code;
}

static chl_status put(const char *path, const char *text) {
    return chl_file_write(path, text, strlen(text));
}

static void must_put(const char *path, const char *text) {
    if (put(path, text) != CHL_OK) fail_msg("%s", chl_error());
}

static void must_hold(const char *path, const char *text) {
    char got[256] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = 0;
    fclose(file);
    assert_string_equal(got, text);
}

static mode_t mode_of(const char *path) {
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    return about.st_mode;
}

static int entries(void) {
    int count = 0;
    DIR *folder = opendir(".");
    assert_non_null(folder);
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 2;
}

/* Check and write must both refuse, with this in the text, and leave no file. */
static void must_refuse(const char *path, const char *why) {
    const int before = entries();
    assert_int_not_equal(chl_file_check(path, NULL), CHL_OK);
    if (!strstr(chl_error(), why)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), why);
    assert_int_not_equal(put(path, "x"), CHL_OK);
    if (!strstr(chl_error(), why)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), why);
    assert_int_equal(entries(), before);
}

static void a_new_file_obeys_the_umask_and_an_old_one_keeps_its_mode(void **unused) {
    (void)unused;
    umask(027);
    must_put("new", "a");
    assert_int_equal(mode_of("new") & 0777, 0640);
    umask(022);
    chmod("new", 0600);
    must_put("new", "b");
    assert_int_equal(mode_of("new") & 0777, 0600);
    chmod("new", 0666); /* more than the umask leaves */
    must_put("new", "c");
    assert_int_equal(mode_of("new") & 0777, 0666);
    const uint8_t rgb[3] = {1, 2, 3};
    chmod("new", 0600);
    if (chl_raster_write_png("new", 1, 1, rgb) == CHL_OK)
        assert_int_equal(mode_of("new") & 0777, 0600);
}

static void a_link_is_followed_and_stays(void **unused) {
    (void)unused;
    assert_int_equal(mkdir("real", 0777), 0);
    must_put("real/file", "old");
    assert_int_equal(symlink("real/file", "link"), 0);
    assert_int_equal(symlink("link", "link to it"), 0);
    must_put("link to it", "new");
    must_hold("real/file", "new");
    assert_true(S_ISLNK(mode_of("link")) && S_ISLNK(mode_of("link to it")));
    assert_int_equal(symlink("real/not yet", "dangling"), 0);
    must_put("dangling", "made");
    must_hold("real/not yet", "made");
    assert_int_equal(symlink("loop", "loop"), 0);
    must_refuse("loop", "symbolic links");
}

static void what_is_no_file_is_never_replaced(void **unused) {
    (void)unused;
    must_put("/dev/null", "gone");
    assert_true(S_ISCHR(mode_of("/dev/null")));
    must_refuse("/tmp", "is a folder");
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    const int made = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(made, (struct sockaddr *)&name, sizeof name), 0);
    must_refuse("socket", "neither a file nor a pipe");
    close(made);
    assert_int_not_equal(put("/dev/full", "x"), CHL_OK);
    assert_non_null(strstr(chl_error(), "No space left"));
}

static void *read_pipe(void *text) {
    FILE *pipe = fopen("pipe", "rb");
    if (pipe) {
        if (fread(text, 1, 255, pipe) == 0) strcpy(text, "nothing");
        fclose(pipe);
    }
    return NULL;
}

static void a_pipe_gets_the_bytes_and_stays_a_pipe(void **unused) {
    (void)unused;
    char got[256] = "";
    pthread_t reader;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(chl_file_check("pipe", NULL), CHL_OK); /* which does not wait for a reader */
    assert_int_equal(pthread_create(&reader, NULL, read_pipe, got), 0);
    must_put("pipe", "through");
    pthread_join(reader, NULL);
    assert_string_equal(got, "through");
    assert_true(S_ISFIFO(mode_of("pipe")));
}

static void an_open_file_named_in_proc_gets_the_bytes(void **unused) {
    (void)unused;
    char path[64];
    const int file = open("redirected", O_RDWR | O_CREAT, 0666);
    struct stat before, after;
    assert_int_equal(fstat(file, &before), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    must_put(path, "here");
    must_hold("redirected", "here");
    assert_int_equal(stat("redirected", &after), 0);
    assert_true(before.st_ino == after.st_ino);
    close(file);
}

static void a_file_without_write_permission_is_kept(void **unused) {
    (void)unused;
    must_put("kept", "old");
    chmod("kept", 0444);
    must_refuse("kept", "read-only");
    assert_int_equal(symlink("kept", "link to kept"), 0);
    must_refuse("link to kept", "read-only");
    must_hold("kept", "old");
}

static void a_place_that_cannot_be_is_refused_before_the_work(void **unused) {
    (void)unused;
    char name[300];
    memset(name, 'n', sizeof name);
    name[256] = 0;
    must_refuse(name, "too long");
    name[255] = 0;
    must_put(name, "fits"); /* its temporary name is a shorter one */
    must_refuse("nowhere/x", "nowhere");
    must_refuse("new/", "names a folder");
    must_refuse("", "empty");
    must_put("file", "f");
    must_refuse("file/x", "Not a directory");
    if (geteuid() == 0) return; /* who may write everywhere */
    assert_int_equal(mkdir("locked", 0555), 0);
    must_refuse("locked/x", "not writable");
}

/* The temporary names cannot be foreseen; a planted file of their form is no target. */
static void a_temporary_file_is_new_and_is_removed(void **unused) {
    (void)unused;
    chl_new_file a, b;
    assert_int_equal(chl_new_file_begin("out", &a), CHL_OK);
    assert_int_equal(chl_new_file_begin("out", &b), CHL_OK);
    assert_string_not_equal(a.temporary, b.temporary);
    assert_int_equal(strlen(a.temporary), strlen("out.0123456789abcdef.tmp"));
    assert_int_equal(entries(), 2);
    chl_new_file_abandon(&a);
    assert_int_equal(mkdir("out", 0777), 0); /* after begin */
    assert_int_not_equal(chl_new_file_commit(&b), CHL_OK);
    assert_int_equal(entries(), 1);
    assert_true(S_ISDIR(mode_of("out")));
}

static void different_spellings_have_one_target(void **unused) {
    (void)unused;
    char *a, *b, *c, *none;
    assert_int_equal(symlink("x.png", "y.png"), 0);
    assert_int_equal(mkdir("deep", 0777), 0);
    assert_int_equal(chl_file_check("x.png", &a), CHL_OK);
    assert_int_equal(chl_file_check("deep/..//x.png", &b), CHL_OK);
    assert_int_equal(chl_file_check("y.png", &c), CHL_OK);
    assert_int_equal(chl_file_check("/dev/null", &none), CHL_OK);
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    assert_null(none);
    chl_release(a);
    chl_release(b);
    chl_release(c);
}

static void a_folder_that_is_gone_is_not_called_want_of_memory(void **unused) {
    (void)unused;
    char *here = getcwd(NULL, 0), *target;
    assert_non_null(here);
    assert_int_equal(mkdir("gone", 0777), 0);
    assert_int_equal(chdir("gone"), 0);
    assert_int_equal(rmdir("../gone"), 0);
    const chl_status status = chl_file_check("x.png", &target);
    assert_int_equal(chdir(here), 0);
    free(here);
    assert_int_equal(status, CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "x.png: cannot be written (No such file or directory)"));
    assert_null(target);
}

static void arrays_of_impossible_size_are_refused(void **unused) {
    (void)unused;
    const float x = 1;
    const int64_t bad[][3] = {{-1, 1, 1},        {1, -5, -5},
                              {INT64_MAX, 2, 1}, {INT64_MAX / 2, INT64_MAX / 2, INT64_MAX / 2},
                              {1, INT64_MIN, 1}, {0, INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(chl_array_write("x.npy", 3, bad[i], &x), CHL_ERR_SHAPE);
    assert_int_equal(chl_array_write("x.npy", 7, bad[0], &x), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_array_write("x.npy", -1, bad[0], &x), CHL_ERR_ARGUMENT);
    assert_int_equal(entries(), 0);
}

int main(void) {
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_new_file_obeys_the_umask_and_an_old_one_keeps_its_mode),
        IN_A_FOLDER(a_link_is_followed_and_stays),
        IN_A_FOLDER(what_is_no_file_is_never_replaced),
        IN_A_FOLDER(a_pipe_gets_the_bytes_and_stays_a_pipe),
        IN_A_FOLDER(an_open_file_named_in_proc_gets_the_bytes),
        IN_A_FOLDER(a_file_without_write_permission_is_kept),
        IN_A_FOLDER(a_place_that_cannot_be_is_refused_before_the_work),
        IN_A_FOLDER(a_temporary_file_is_new_and_is_removed),
        IN_A_FOLDER(different_spellings_have_one_target),
        IN_A_FOLDER(a_folder_that_is_gone_is_not_called_want_of_memory),
        IN_A_FOLDER(arrays_of_impossible_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
