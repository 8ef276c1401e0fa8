/* Numbers that are kept for other processes: found whole or not at all. */
#include "io/number_cache.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>
/* which needs cmocka's assertions */
#include "train/temporary.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)
enum { ROWS = 3000, WIDTH = 5 };

static char *folder;

static int set_up(void **state) {
    (void)state;
    folder = make_temporary();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    remove_folder(folder);
    free(folder);
    return 0;
}

static void key_of(int i, uint8_t key[CHL_SHA256_BYTES]) {
    chl_sha256 hash;
    chl_sha256_begin(&hash);
    chl_sha256_add(&hash, &i, sizeof i);
    chl_sha256_end(&hash, key);
}

static void add(chl_number_cache *kept, int i, int64_t count) {
    uint8_t key[CHL_SHA256_BYTES];
    float row[WIDTH + 1];
    for (int k = 0; k < count; k++) row[k] = (float)(10 * i + k);
    key_of(i, key);
    MUST(chl_number_cache_add(kept, key, count, row));
}

static bool is_there(chl_number_cache *kept, int i, int64_t count) {
    uint8_t key[CHL_SHA256_BYTES];
    float row[WIDTH + 1];
    key_of(i, key);
    if (!chl_number_cache_find(kept, key, count, row)) return false;
    for (int k = 0; k < count; k++) assert_true(row[k] == (float)(10 * i + k));
    return true;
}

static chl_number_cache *opened(void) {
    chl_number_cache *kept;
    MUST(chl_number_cache_open(folder, &kept));
    return kept;
}

static void what_one_process_adds_others_find(void **state) {
    (void)state;
    chl_number_cache *one = opened(), *two = opened();
    for (int i = 0; i < ROWS; i++) add(i % 3 ? one : two, i, i == 7 ? WIDTH + 1 : WIDTH);
    for (int i = 0; i < ROWS; i++) assert_true(is_there(i % 3 ? one : two, i, i == 7 ? 6 : WIDTH));
    assert_false(is_there(one, ROWS, WIDTH));
    assert_false(is_there(one, 7, WIDTH)); /* of another length */
    chl_number_cache *three = opened();
    for (int i = 0; i < ROWS; i++) assert_true(is_there(three, i, i == 7 ? 6 : WIDTH));
    usleep(1100000); /* the folder is looked at once a second */
    assert_true(is_there(one, 0, WIDTH));
    chl_number_cache_close(one);
    chl_number_cache_close(two);
    chl_number_cache_close(three);
}

/* The only file of the folder, changed as a kill or a disk does. */
static void change_file(long cut, long damaged) {
    DIR *list = opendir(folder);
    for (struct dirent *entry; (entry = readdir(list));) {
        if (entry->d_name[0] == '.') continue;
        char *path = in_folder(folder, entry->d_name);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        if (damaged) {
            fseek(file, damaged, SEEK_SET);
            fputc(0x55, file);
        }
        fclose(file);
        if (cut) assert_int_equal(truncate(path, cut), 0);
        free(path);
    }
    closedir(list);
}

static void what_is_cut_or_damaged_is_not_found(void **state) {
    (void)state;
    enum { RECORD = 40 + 4 * WIDTH + 8 };
    chl_number_cache *kept = opened();
    for (int i = 0; i < 4; i++) add(kept, i, WIDTH);
    chl_number_cache_close(kept);
    change_file(4 * RECORD - 1,
                RECORD + 41); /* the last one is cut, a number of the second wrong */
    kept = opened();
    assert_true(is_there(kept, 0, WIDTH) && !is_there(kept, 1, WIDTH) && is_there(kept, 2, WIDTH));
    assert_false(is_there(kept, 3, WIDTH));
    add(kept, 1, WIDTH); /* it is made again */
    assert_true(is_there(kept, 1, WIDTH));
    remove_folder(folder);
    assert_true(is_there(kept, 2, WIDTH)); /* of a folder that is gone what is open stays */
    chl_number_cache_close(kept);
    kept = opened();
    assert_false(is_there(kept, 2, WIDTH));
    chl_number_cache_close(kept);
}

static void digests_are_those_of_sha256sum(void **state) {
    (void)state;
    uint8_t digest[CHL_SHA256_BYTES];
    char text[CHL_SHA256_ROOM], *path = in_folder(folder, "abc");
    put_file(folder, "abc", "abc", 3);
    MUST(chl_sha256_of_file(path, digest));
    chl_sha256_text(digest, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    free(path);
    assert_int_equal(chl_sha256_of_file(folder, digest), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "is a directory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_one_process_adds_others_find),
        TEST(what_is_cut_or_damaged_is_not_found),
        TEST(digests_are_those_of_sha256sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
