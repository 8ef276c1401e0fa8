/* CLIP's tokenizer against open_clip's (tests/fixtures/make_text.py), and files and texts that are
 * broken. */
#include "bytes.h"
#include "harness/parity.h"
#include "text/tokenizer.h"

#define CONTEXT 77
static const char merges[] = CHLADNI_FIXTURES "/text/merges.txt";
static char warning[1024];

static void keep_warning(void *user, chl_log_level level, const char *line) {
    (void)user;
    if (level == CHL_LOG_WARN) snprintf(warning, sizeof warning, "%s", line);
}

/* A line of a text file, its end cut off; false at the file's end. */
static bool next_line(FILE *file, char *line, int room) {
    if (!fgets(line, room, file)) return false;
    line[strcspn(line, "\n")] = 0;
    return true;
}

static FILE *open_fixture(const char *name) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/text/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

static void from_hex(const char *hex, char *text) {
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        *text++ = (char)byte;
    }
    *text = 0;
}

static void check_sentences(const chl_tokenizer *t) {
    FILE *sentences = open_fixture("sentences.txt"), *expected = open_fixture("ids.txt");
    static char hex[8192], text[4096], numbers[4096];
    int count = 0;
    for (; next_line(sentences, hex, sizeof hex); count++) {
        from_hex(hex, text);
        int32_t ids[CONTEXT];
        int end, position = 0;
        MUST(chl_tokenizer_encode(t, text, CONTEXT, ids, &end));
        assert_true(next_line(expected, numbers, sizeof numbers));
        for (char *at = numbers, *next; *at; at = next, position++) {
            long id = strtol(at, &next, 10);
            if (position >= CONTEXT || ids[position] != id)
                fail_msg("'%s': id %d is not %ld", text, position, id);
        }
        assert_int_equal(end, position - 1);
        for (; position < CONTEXT; position++) assert_int_equal(ids[position], 0);
    }
    assert_int_equal(count, 20);
    fclose(sentences);
    fclose(expected);
}

static void ids_are_open_clips(void **state) {
    (void)state;
    static const char *const names[] = {merges, CHLADNI_FIXTURES "/text/merges.txt.gz"};
    for (int i = 0; i < 2; i++) {
        chl_tokenizer *t;
        MUST(chl_tokenizer_open(names[i], &t));
        assert_int_equal(chl_tokenizer_vocabulary(t), 512 + 200 + 2);
        check_sentences(t);
        chl_tokenizer_free(t);
    }
}

static void long_texts_are_cut_with_a_warning_and_specials_cannot_be_typed(void **state) {
    (void)state;
    chl_tokenizer *t;
    MUST(chl_tokenizer_open(merges, &t));
    int32_t ids[6] = {9, 9, 9, 9, 9, 9};
    int end;
    warning[0] = 0;
    MUST(chl_tokenizer_encode(t, "1 2 3", 5, ids, &end));
    assert_string_equal(warning, "");
    assert_int_equal(end, 4);
    MUST(chl_tokenizer_encode(t, "1 2 3 4 5", 5, ids, NULL));
    assert_non_null(strstr(warning, "5 tokens: the last 2"));
    assert_int_equal(ids[0], 712);
    assert_int_equal(ids[4], 713);
    assert_int_equal(ids[5], 9);
    MUST(chl_tokenizer_encode(t, "1", 2, ids, &end));
    assert_int_equal(end, 1);
    assert_int_equal(chl_tokenizer_encode(t, "1", 1, ids, &end), CHL_ERR_ARGUMENT);
    /* special tokens cannot be typed */
    int32_t wide[CONTEXT];
    MUST(chl_tokenizer_encode(t, "<|endoftext|> <end_of_text>", CONTEXT, wide, &end));
    for (int i = 1; i < end; i++) assert_true(wide[i] < 712);
    chl_tokenizer_free(t);
}

static void broken_utf8_is_placed_and_length_is_bounded(void **state) {
    (void)state;
    static const char *const broken[] = {"abc\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                         "\xc0\xaf"};
    static const char *const position[] = {"0xff at position 3", "position 0", "position 0",
                                           "position 0", "position 0"};
    chl_tokenizer *t;
    MUST(chl_tokenizer_open(merges, &t));
    int32_t ids[CONTEXT];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(chl_tokenizer_encode(t, broken[i], CONTEXT, ids, NULL), CHL_ERR_FORMAT);
        assert_non_null(strstr(chl_error(), position[i]));
    }
    char *text = malloc(100001);
    assert_non_null(text);
    memset(text, 'a', 100000);
    text[100000] = 0;
    assert_int_equal(chl_tokenizer_encode(t, text, CONTEXT, ids, NULL), CHL_ERR_ARGUMENT);
    text[CHL_TEXT_MAX_BYTES] = 0; /* one word of the longest text */
    MUST(chl_tokenizer_encode(t, text, CONTEXT, ids, NULL));
    free(text);
    chl_tokenizer_free(t);
}

static void expect_refusal(const void *data, size_t size, const char *text) {
    chl_tokenizer *t;
    chl_status status = chl_tokenizer_open_memory(data, size, "m.txt", &t);
    if (status != CHL_ERR_FORMAT || !strstr(chl_error(), text) || !strstr(chl_error(), "m.txt"))
        fail_msg("status %d, wanted '%s': %s", status, text, chl_error());
    assert_null(t);
}
#define REFUSED(text, why) expect_refusal(text, sizeof(text) - 1, why)

static void broken_merges_are_refused_with_the_line(void **state) {
    (void)state;
    chl_tokenizer *t;
    REFUSED("", "empty");
    REFUSED("{\"a\": 1}", "#version");
    REFUSED("#version: 0.2\n", "no merges");
    REFUSED("#version: 0.2\na b\nc\n", "line 3");
    REFUSED("#version: 0.2\na b c\n", "line 2");
    REFUSED("#version: 0.2\na  b\n", "line 2");
    REFUSED("#version: 0.2\n b\n", "line 2");
    REFUSED("#version: 0.2\na \n", "line 2");
    REFUSED("#version: 0.2\na bc\n", "no earlier line");
    REFUSED("#version: 0.2\na b\na b\n", "an earlier line merges");
    REFUSED("#version: 0.2\na b\n\nb c\n", "line 3");
    REFUSED("#version: 0.2\na b\n\xC4\xA0 t\n", "line 3 merges a space"); /* GPT-2's first merge */
    MUST(chl_tokenizer_open_memory("#version: 0.2\r\na b</w>\r\n", 24, "m.txt", &t));
    int32_t ids[4];
    MUST(chl_tokenizer_encode(t, "ab", 4, ids, NULL)); /* 512 bytes come first */
    assert_int_equal(ids[1], 512);
    assert_false(chl_tokenizer_is_openais(t));
    chl_tokenizer_free(t);

    static bytes file;
    load_bytes(&file, "text/merges.txt.gz");
    for (size_t size = 2; size < file.size; size += 50) expect_refusal(file.data, size, "gzip");
    file.data[file.size / 2] ^= 0xff;
    expect_refusal(file.data, file.size, "");
    assert_int_equal(chl_tokenizer_open("/nowhere/merges.txt", &t), CHL_ERR_IO);
    assert_int_equal(chl_tokenizer_open(CHLADNI_FIXTURES, &t), CHL_ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_open_clips),
        cmocka_unit_test(long_texts_are_cut_with_a_warning_and_specials_cannot_be_typed),
        cmocka_unit_test(broken_utf8_is_placed_and_length_is_bounded),
        cmocka_unit_test(broken_merges_are_refused_with_the_line),
    };
    chl_log_to(keep_warning, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
