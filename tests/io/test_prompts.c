/* Texts are cleaned as CLIP's tokenizer cleans them (tests/fixtures/make_prompts.py). With a file
 * as argument: counts per kind how many of its texts are cleaned to the same. */
#include "bytes.h"
#include "harness/parity.h"
#include "text/characters.h"

typedef struct text_case {
    char kind[64], text[16384], cleaned[16384];
} text_case;

static void from_hex(const char *hex, char *text) {
    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        *text++ = (char)byte;
    }
    *text = 0;
}

/* The next line of the file; false at its end. */
static bool next_case(FILE *from, text_case *out) {
    static char line[65536];
    if (!fgets(line, sizeof line, from)) return false;
    char *text = strchr(line, ' '), *cleaned = text ? strchr(text + 1, ' ') : NULL;
    assert_non_null(cleaned);
    *text = *cleaned = 0;
    assert_true(strlen(text + 1) / 2 < sizeof out->text);
    assert_true(strlen(cleaned + 1) / 2 < sizeof out->cleaned);
    snprintf(out->kind, sizeof out->kind, "%.63s", line);
    from_hex(text + 1, out->text);
    from_hex(cleaned + 1, out->cleaned);
    return true;
}

static bool is_equal(const text_case *c, bool tell) {
    char *cleaned;
    MUST(chl_text_clean(c->text, &cleaned));
    const bool equal = strcmp(cleaned, c->cleaned) == 0;
    if (!equal && tell)
        print_message("%s: '%s'\n  becomes  '%s'\n  and not  '%s'\n", c->kind, c->text, cleaned,
                      c->cleaned);
    free(cleaned);
    return equal;
}

static void prompts_are_cleaned_as_clip_cleans_them(void **state) {
    (void)state;
    static text_case c;
    FILE *from = fopen(CHLADNI_FIXTURES "/text/cleaned.txt", "r");
    assert_non_null(from);
    int count = 0, different = 0;
    for (; next_case(from, &c); count++) different += !is_equal(&c, true);
    fclose(from);
    print_message("%d texts, %d different\n", count, different);
    assert_true(count > 400);
    assert_int_equal(different, 0);
}

/* What the first bytes of a wrongly read text may leave: no crash, and the same once more. */
static void half_pieces_are_left_as_they_are(void **state) {
    (void)state;
    static const char *const texts[] = {"\xc3\x83",
                                        "\xc3\xa2\xe2\x82\xac",
                                        "a\xc3\x82",
                                        "&",
                                        "&#",
                                        "&#x",
                                        "&amp",
                                        "\x1b[",
                                        "\x1b[1;",
                                        "\xef\xbf\xbd",
                                        "\xc3\xb0\xc5\xb8\xc5\x92"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *once, *twice;
        MUST(chl_text_clean(texts[i], &once));
        MUST(chl_text_clean(once, &twice));
        assert_string_equal(once, twice);
        free(once);
        free(twice);
    }
}

static int count_file(const char *path) {
    static text_case c;
    static struct {
        char kind[64];
        int equal, all;
    } kinds[64];
    int count = 0, equal = 0, all = 0;
    FILE *from = fopen(path, "r");
    if (!from) return 1;
    while (next_case(from, &c)) {
        int k = 0;
        while (k < count && strcmp(kinds[k].kind, c.kind) != 0) k++;
        if (k == count && count < 63) snprintf(kinds[count++].kind, 64, "%s", c.kind);
        const bool same = is_equal(&c, false);
        kinds[k].equal += same;
        kinds[k].all++;
        equal += same;
        all++;
    }
    fclose(from);
    for (int k = 0; k < count; k++)
        printf("%-26s %5d of %5d\n", kinds[k].kind, kinds[k].equal, kinds[k].all);
    printf("%-26s %5d of %5d, %.2f %%\n", "all", equal, all, 100.0 * equal / all);
    return 0;
}

int main(int count, char **arguments) {
    if (count > 1) return count_file(arguments[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_are_cleaned_as_clip_cleans_them),
        cmocka_unit_test(half_pieces_are_left_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
