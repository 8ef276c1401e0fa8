/* Whatever data has in it, a page with it is the page around it and the data in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "page.h"

extern const char test_page[];
static const char page[] = "<html>" PAGE_DATA "null</script><script>show()</script>";

static void expect(const char *json, const char *expected) {
    char *whole = page_with_data(page, json);
    assert_non_null(whole);
    assert_string_equal(whole, expected);
    free(whole);
}

static void data_takes_its_place(void **state) {
    (void)state;
    expect("{\"a\":1}", "<html>" PAGE_DATA "{\"a\":1}</script><script>show()</script>");
    expect("", "<html>" PAGE_DATA "</script><script>show()</script>");
}

static void no_text_ends_the_script(void **state) {
    (void)state;
    expect("[\"</script><!-- <\"]",
           "<html>" PAGE_DATA "[\"\\u003c/script>\\u003c!-- \\u003c\"]</script>"
           "<script>show()</script>");
}

static void a_page_without_a_place_is_refused(void **state) {
    (void)state;
    assert_null(page_with_data("<html></script>", "1"));
    assert_null(page_with_data(PAGE_DATA, "1"));
}

static void addresses_name_the_bytes(void **state) {
    static const char *const pairs[][2] = {
        {"results/a-b_c.~1.png", "results/a-b_c.~1.png"},
        {"a b#c%d?e&f\"g'h<i>.wav", "a%20b%23c%25d%3Fe%26f%22g%27h%3Ci%3E.wav"},
        {"javascript:x", "javascript%3Ax"},
        {"Fl\xc3\xbc"
         "gel\xff\\\n",
         "Fl%C3%BCgel%FF%5C%0A"},
        {"", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *address = page_address(pairs[i][0]);
        assert_non_null(address);
        assert_string_equal(address, pairs[i][1]);
        free(address);
    }
}

static void a_file_is_built_in_byte_for_byte(void **state) {
    (void)state;
    assert_string_equal(test_page, "<p>\"\\x\" \xc3\xbc ?\?/ %s ${x} ; [a]</p>\n\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_takes_its_place),
        cmocka_unit_test(no_text_ends_the_script),
        cmocka_unit_test(a_page_without_a_place_is_refused),
        cmocka_unit_test(addresses_name_the_bytes),
        cmocka_unit_test(a_file_is_built_in_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
