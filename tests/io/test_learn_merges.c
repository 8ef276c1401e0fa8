/* Merges learned from captions: the tokenizer can read them, frequent words become one token, and
 * they depend on the texts only. */
#include "harness/parity.h"
#include "text/learn_merges.h"
#include "text/tokenizer.h"
#include <string.h>

static const char *const captions[] = {
    "heavy rain over hills at night",
    "Light  RAIN over hills, with a house",
    "a bell at dawn",
    "a bell over hills at night",
    "heavy rain with a house at dawn",
    "caf\u00e9 caf\u00e9",
    "waves &amp; waves: 20 and 20 it's",
};
#define CAPTIONS ((int64_t)(sizeof captions / sizeof captions[0]))

static char *learn(int64_t count, const char *const *texts, int most, size_t *size) {
    char *file;
    MUST(chl_learn_merges(count, texts, most, &file, size));
    assert_non_null(file);
    return file;
}

static chl_tokenizer *tokenizer_of(const char *file, size_t size) {
    chl_tokenizer *t;
    MUST(chl_tokenizer_open_memory(file, size, "learned", &t));
    return t;
}

static int tokens(const chl_tokenizer *t, const char *text) {
    int32_t ids[77];
    int end;
    MUST(chl_tokenizer_encode(t, text, 77, ids, &end));
    return end - 1;
}

static void frequent_words_are_single_tokens(void **state) {
    (void)state;
    size_t size;
    char *file = learn(CAPTIONS, captions, 512, &size);
    chl_tokenizer *t = tokenizer_of(file, size);
    static const char *const whole[] = {"rain", "hills", "night",     "bell", "house",
                                        "dawn", "over",  "caf\u00e9", "waves"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (tokens(t, whole[i]) != 1) fail_msg("'%s' is %d tokens", whole[i], tokens(t, whole[i]));
    assert_int_equal(tokens(t, "heavy RAIN, over hills"), 5);
    assert_true(tokens(t, "light") > 1); /* occurs once */
    int lines = 0;
    for (size_t i = 0; i < size; i++) lines += file[i] == '\n';
    assert_int_equal(chl_tokenizer_vocabulary(t), 512 + lines - 1 + 2);
    chl_tokenizer_free(t);
    free(file);
}

static void order_and_repetition_of_runs_do_not_matter(void **state) {
    (void)state;
    const char *reversed[CAPTIONS];
    for (int64_t i = 0; i < CAPTIONS; i++) reversed[i] = captions[CAPTIONS - 1 - i];
    size_t size, again_size;
    char *file = learn(CAPTIONS, captions, 512, &size);
    char *again = learn(CAPTIONS, reversed, 512, &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(file, again, size);
    free(again);
    free(file);
}

/* ab and cd occur 3 times each: ab is merged first, then cd; xy occurs once and is not merged. */
static void counts_ties_and_limits(void **state) {
    (void)state;
    static const char *const texts[] = {"cd ab", "ab cd", "cd ab xy"};
    size_t size;
    char *file = learn(3, texts, 512, &size);
    assert_string_equal(file, "#version: 0.2\na b</w>\nc d</w>\n");
    free(file);
    file = learn(3, texts, 1, &size);
    assert_string_equal(file, "#version: 0.2\na b</w>\n");
    free(file);
    /* overlapping runs join from the left, as the tokenizer joins them */
    static const char *const run[] = {"aaaab aaaab"};
    file = learn(1, run, 2, &size);
    assert_string_equal(file, "#version: 0.2\na a\naa aa\n");
    free(file);
}

static void nothing_to_learn_from(void **state) {
    (void)state;
    char *file;
    size_t size;
    static const char *const once[] = {"abc", ""}, *const broken[] = {"a\xff"};
    assert_int_equal(chl_learn_merges(0, NULL, 512, &file, &size), CHL_ERR_FORMAT);
    assert_null(file);
    assert_int_equal(chl_learn_merges(2, once, 512, &file, &size), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "add captions"));
    assert_null(file);
    assert_int_equal(chl_learn_merges(1, broken, 512, &file, &size), CHL_ERR_FORMAT);
    assert_null(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequent_words_are_single_tokens),
        cmocka_unit_test(order_and_repetition_of_runs_do_not_matter),
        cmocka_unit_test(counts_ties_and_limits),
        cmocka_unit_test(nothing_to_learn_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
