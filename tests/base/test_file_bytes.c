/* Reading whole files: kinds that are refused, pipes, and files that fail or shrink in the middle.
 */
#include "base/file_bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka.h needs the others before it */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

static char folder[] = "/tmp/chladni-bytes-XXXXXX";
static char path[100]; /* what a socket address has room for */

static const char *in_folder(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **unused) {
    (void)unused;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **unused) {
    (void)unused;
    return rmdir(folder);
}

/* --- pread as the linker's --wrap gives it to the library ---------------------------------------
 */
ssize_t __real_pread(int descriptor, void *to, size_t count, off_t at);
ssize_t __wrap_pread(int descriptor, void *to, size_t count, off_t at);
static off_t fails_at = -1;   /* a read that reaches this byte fails with EIO */
static off_t shrinks_to = -1; /* the file has this size from the first read on */

ssize_t __wrap_pread(int descriptor, void *to, size_t count, off_t at) {
    if (shrinks_to >= 0 && truncate(path, shrinks_to) != 0) return -1;
    if (fails_at >= 0 && at >= fails_at) {
        errno = EIO;
        return -1;
    }
    if (fails_at >= 0 && at + (off_t)count > fails_at) count = (size_t)(fails_at - at);
    return __real_pread(descriptor, to, count, at);
}

static void put_file(const char *name, size_t size) {
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) fputc((int)(i % 251), file);
    fclose(file);
}

static void expect_refusal(const chl_file_rules *rules, chl_status expected, const char *text) {
    chl_file_bytes bytes;
    const chl_status status = chl_file_bytes_read(path, rules, &bytes);
    if (status != expected || !strstr(chl_error(), text) || !strstr(chl_error(), path))
        fail_msg("status %d, not %d with '%s': %s", status, expected, text, chl_error());
    assert_null(bytes.data);
}

static const chl_file_rules any = {.max_bytes = 1 << 20, .pipes = true, .wait_ms = 200};
static const chl_file_rules regular = {0};

static void a_file_is_read_whole_or_is_an_error(void **unused) {
    (void)unused;
    chl_file_bytes bytes;
    put_file("a", 100000);
    assert_int_equal(chl_file_bytes_read(path, &regular, &bytes), CHL_OK);
    assert_int_equal(bytes.size, 100000);
    for (size_t i = 0; i < bytes.size; i++) assert_int_equal(bytes.data[i], i % 251);
    chl_file_bytes_free(&bytes);
    expect_refusal(&(chl_file_rules){.max_bytes = 99999}, CHL_ERR_UNSUPPORTED, "at most 99999");
    fails_at = 50000;
    expect_refusal(&regular, CHL_ERR_IO, "cannot be read at byte 50000 (Input/output error)");
    fails_at = -1;
    shrinks_to = 70000; /* mapped, this would be SIGBUS */
    expect_refusal(&regular, CHL_ERR_IO, "became shorter while it was read: 70000 of 100000");
    shrinks_to = 0;
    put_file("a", 100000);
    expect_refusal(&regular, CHL_ERR_IO, "became shorter");
    shrinks_to = -1;
    put_file("a", 0);
    expect_refusal(&any, CHL_ERR_FORMAT, "is empty");
    unlink(path);
    expect_refusal(&any, CHL_ERR_IO, "No such file");
}

static void what_is_no_file_is_refused_at_once(void **unused) {
    (void)unused;
    in_folder("");
    expect_refusal(&any, CHL_ERR_IO, "is a directory");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    in_folder("socket");
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    expect_refusal(&any, CHL_ERR_IO, "is a socket");
    close(listener);
    unlink(path);
    snprintf(path, sizeof path, "/dev/zero");
    expect_refusal(&any, CHL_ERR_IO, "not a regular file");
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    expect_refusal(&regular, CHL_ERR_IO, "is a pipe");
    unlink(path);
}

static void a_pipe_without_a_writer_does_not_hang(void **unused) {
    (void)unused;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    expect_refusal(&any, CHL_ERR_IO, "nothing came through the pipe for 0.2 s");
    const int silent = open(path, O_RDWR); /* a writer that writes nothing */
    expect_refusal(&any, CHL_ERR_IO, "nothing came");
    close(silent);
    unlink(path);
}

static void *write_into_pipe(void *size) {
    FILE *pipe = fopen(path, "wb");
    for (size_t i = 0; i < *(size_t *)size; i++) {
        if (i % 50000 == 0) {
            fflush(pipe);
            usleep(20000);
        }
        fputc((int)(i % 251), pipe);
    }
    fclose(pipe);
    return NULL;
}

static chl_status through_pipe(size_t size, const chl_file_rules *rules, chl_file_bytes *bytes) {
    pthread_t writer;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_into_pipe, &size), 0);
    chl_open_file file;
    assert_int_equal(chl_file_open(path, true, &file), CHL_OK);
    assert_true(file.pipe);
    const chl_status status = chl_file_bytes_of(&file, path, rules, bytes);
    char rest[4096]; /* so that the writer ends */
    for (ssize_t got = 1; got != 0;) got = read(file.descriptor, rest, sizeof rest);
    pthread_join(writer, NULL);
    close(file.descriptor);
    unlink(path);
    return status;
}

static void a_pipe_is_read_to_its_end_and_within_its_limit(void **unused) {
    (void)unused;
    chl_file_bytes bytes;
    const chl_file_rules rules = {.max_bytes = 3 << 20, .pipes = true, .wait_ms = 10000};
    for (size_t k = 0; k < 2; k++) {
        const size_t size = k ? 3 << 20 : 123457; /* up to the limit, and growing on the way */
        assert_int_equal(through_pipe(size, &rules, &bytes), CHL_OK);
        assert_int_equal(bytes.size, size);
        for (size_t i = 0; i < size; i++)
            if (bytes.data[i] != i % 251) fail_msg("byte %zu", i);
        chl_file_bytes_free(&bytes);
    }
    assert_int_equal(through_pipe((3 << 20) + 1, &rules, &bytes), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "more than 3145728 bytes"));
    assert_int_equal(through_pipe(0, &rules, &bytes), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "is empty"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole_or_is_an_error),
        cmocka_unit_test(what_is_no_file_is_refused_at_once),
        cmocka_unit_test(a_pipe_without_a_writer_does_not_hang),
        cmocka_unit_test(a_pipe_is_read_to_its_end_and_within_its_limit),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
