#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <chladni/status.h>

static void must_become(const char *text, int controls, const char *expected) {
    char *got = chl_text_escape(text, controls);
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

static void text_stays_as_it_is(void **unused) {
    (void)unused;
    must_become("", 1, "");
    must_become("rain.wav", 1, "rain.wav");
    must_become("Wetter \xc3\xbc \xe2\x82\xac \xf0\x9f\x8c\xa7", 1,
                "Wetter \xc3\xbc \xe2\x82\xac \xf0\x9f\x8c\xa7");
    must_become("\xf4\x8f\xbf\xbf \xed\x9f\xbf \xc2\xa0", 1,
                "\xf4\x8f\xbf\xbf \xed\x9f\xbf \xc2\xa0");
}

static void bytes_that_are_not_utf8_are_escaped(void **unused) {
    (void)unused;
    must_become("a\xff"
                "b",
                0, "a\\xffb");
    must_become("\xc0\xaf", 0, "\\xc0\\xaf");                   /* too long a form of / */
    must_become("\xe0\x80\xaf", 0, "\\xe0\\x80\\xaf");          /* the same in three */
    must_become("\xf0\x80\x80\xaf", 0, "\\xf0\\x80\\x80\\xaf"); /* in four */
    must_become("\xed\xa0\x80", 0, "\\xed\\xa0\\x80");          /* a surrogate */
    must_become("\xf4\x90\x80\x80", 0, "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
    must_become("\xe2\x82", 0, "\\xe2\\x82");                   /* cut short */
    must_become("\xe2\x82z", 0, "\\xe2\\x82z");
    must_become("\x80", 0, "\\x80");
}

static void what_a_terminal_obeys_is_escaped(void **unused) {
    (void)unused;
    must_become("\033[31mred\a\r\n\t\177", 1, "\\x1b[31mred\\x07\\x0d\\x0a\\x09\\x7f");
    must_become("\xc2\x9b"
                "31m",
                1, "\\xc2\\x9b31m"); /* CSI in one character */
    must_become("\033\n", 0, "\033\n");
    must_become("\xe2\x80\xaegnp.wav", 1, "\\xe2\\x80\\xaegnp.wav"); /* shown as vaw.png */
    must_become("\xe2\x81\xa9\xe2\x80\xa8", 1, "\\xe2\\x81\\xa9\\xe2\\x80\\xa8");
    must_become("\xe2\x80\xa7\xe2\x81\xa5", 1, "\xe2\x80\xa7\xe2\x81\xa5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_as_it_is),
        cmocka_unit_test(bytes_that_are_not_utf8_are_escaped),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
