/* WordNet's files and rewordings of labels. The dictionary is invented, in WordNet's format. */
#include "harness/parity.h"
#include "text/augment.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char licence[] = "  1 A dictionary of five words.  \n";

/* data, with the offsets where its three entries start */
static char data[1024];
static size_t entry[3];

static void make_data(void) {
    static const char *const tail[3] = {
        " 11 n 04 Boom 0 thunder 0 long_roll 1 peal 0 001 @ 00000000 n 0000 | a noise; \"it\"\n",
        " 18 n 02 smack 0 thunder 2 000 | not the first sense\n",
        " 00 s 02 loud(a) 0 roaring(p) 0 000 | of sound\n",
    };
    size_t used = (size_t)snprintf(data, sizeof data, "%s", licence);
    for (int i = 0; i < 3; i++) {
        entry[i] = used;
        used += (size_t)snprintf(data + used, sizeof data - used, "%08zu%s", used, tail[i]);
    }
}

/* index: the licence and these lines; %zu: offsets */
static chl_status open_with(const char *lines, chl_wordnet **out) {
    char index[1024];
    snprintf(index, sizeof index, "%s%s", licence, lines);
    return chl_wordnet_open_memory("made up", index, strlen(index), data, strlen(data), out);
}

static chl_wordnet *open_fine(void) {
    char lines[512];
    snprintf(lines, sizeof lines,
             "boom n 1 1 @ 1 1 %08zu  \n"
             "long_roll n 1 0 1 0 %08zu  \n"
             "loud s 1 0 1 1 %08zu  \n"
             "over n 1 0 1 1 %08zu  \n"
             "peal n 1 0 1 1 %08zu  \n"
             "thunder n 2 3 @ ~ + 2 1 %08zu %08zu  \n",
             entry[0], entry[0], entry[2], entry[0], entry[0], entry[0], entry[1]);
    chl_wordnet *wordnet;
    MUST(open_with(lines, &wordnet));
    return wordnet;
}

static void expect(const chl_wordnet *wordnet, const char *word, uint32_t pick, int count,
                   const char *synonym) {
    char got[CHL_WORDNET_MAX];
    int n;
    MUST(chl_wordnet_synonym(wordnet, word, pick, got, &n));
    assert_int_equal(n, count);
    assert_string_equal(got, synonym);
}

static void synonyms_are_of_the_first_sense_only(void **state) {
    (void)state;
    make_data();
    chl_wordnet *wordnet = open_fine();
    expect(wordnet, "thunder", 0, 3, "Boom");
    expect(wordnet, "Thunder", 1, 3, "long roll");
    expect(wordnet, "thunder", 2, 3, "peal");
    expect(wordnet, "thunder", 5, 3, "peal");
    expect(wordnet, "boom", 0, 3, "thunder");
    expect(wordnet, "peal", 0, 3, "Boom");
    expect(wordnet, "loud", 0, 1, "roaring");
    static const char *const unknown[] = {"smack",    "a", "zebra", "",  "thunde",
                                          "thunders", "1", "A",     " ", "n"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        expect(wordnet, unknown[i], 0, 0, "");
    chl_wordnet_free(wordnet);
}

/* Whatever an entry says, the answer is a word, none, or an error that names the file. */
static void broken_index_entries_are_errors_that_name_the_file(void **state) {
    (void)state;
    make_data();
    static const char *const broken[] = {
        "thunder n",
        "thunder n 1 0 1 0",
        "thunder n 0 0 0 0 OK",
        "thunder n 1 99999999 @ 1 1 OK",
        "thunder n 1 -1 1 1 OK",
        "thunder n x 0 1 1 OK",
        "thunder n 1 0 1 1 00000037",
        "thunder n 1 0 1 1 99999999",
        "thunder n 1 0 1 1 999999999999999999",
        "thunder n 1 0 1 1 00000000",
        "thunder",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        chl_wordnet *wordnet;
        char synonym[CHL_WORDNET_MAX], line[128];
        const char *place = strstr(broken[i], "OK");
        int count, length = place ? (int)(place - broken[i]) : (int)strlen(broken[i]);
        snprintf(line, sizeof line, place ? "%.*s%08zu" : "%.*s", length, broken[i], entry[0]);
        MUST(open_with(line, &wordnet));
        if (chl_wordnet_synonym(wordnet, "thunder", 0, synonym, &count) != CHL_ERR_FORMAT)
            fail_msg("\"%s\" was taken", broken[i]);
        assert_non_null(strstr(chl_error(), "made up"));
        chl_wordnet_free(wordnet);
    }
    static const char *const disorder[] = {"b n\na n\n", "a n\na n\n", "a n\n\nb n\n",
                                           "a n\n b n\n"};
    for (size_t i = 0; i < sizeof disorder / sizeof *disorder; i++) {
        chl_wordnet *wordnet;
        assert_int_equal(open_with(disorder[i], &wordnet), CHL_ERR_FORMAT);
        assert_null(wordnet);
    }
}

/* Data truncated at every byte, and with every byte changed: no read beyond its end. */
static void damaged_data_is_never_read_beyond_its_end(void **state) {
    (void)state;
    make_data();
    char lines[128], copy[sizeof data];
    snprintf(lines, sizeof lines, "thunder n 1 0 1 1 %08zu\n", entry[0]);
    const size_t size = strlen(data);
    for (size_t i = 0; i < 2 * size; i++) {
        const bool cut = i < size;
        memcpy(copy, data, size);
        if (!cut) copy[i - size] = (char)(i * 7);
        chl_wordnet *wordnet;
        char *exact = malloc(size), synonym[CHL_WORDNET_MAX];
        assert_non_null(exact);
        memcpy(exact, copy, size);
        int count;
        MUST(chl_wordnet_open_memory("made up", lines, strlen(lines), exact, cut ? i : size,
                                     &wordnet));
        chl_status status = chl_wordnet_synonym(wordnet, "thunder", 0, synonym, &count);
        assert_true(status == CHL_OK || status == CHL_ERR_FORMAT);
        chl_wordnet_free(wordnet);
        free(exact);
    }
}

static void write_file(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The adjective comes before the noun ("light rain" has nothing to do with visible light), but not
 * one that no text was seen to use. */
static void adjectives_come_before_nouns_and_missing_files_are_named(void **state) {
    (void)state;
    char path[] = "/tmp/chladni-wordnet-XXXXXX";
    chl_wordnet *wordnet;
    assert_int_equal(chl_wordnet_open("/nowhere/at/all", &wordnet), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "wordnet-base"));
    assert_non_null(mkdtemp(path));
    static const char *const file[6] = {"index.adj", "data.adj",   "index.noun",
                                        "data.noun", "index.verb", "data.verb"};
    static const char *const text[6] = {"light a 1 0 1 1 00000000\nrain a 1 0 1 0 00000000\n",
                                        "00000000 00 a 01 light 0 000 | of little weight\n",
                                        "light n 1 0 1 1 00000000\nrain n 1 0 1 1 00000052\n",
                                        ("00000000 19 n 02 light 0 visible_light 0 000 | seen\n"
                                         "00000052 19 n 02 rain 0 rainfall 0 000 | water\n"),
                                        "rain v 1 0 1 1 00000000\n",
                                        "00000000 43 v 02 rain 0 rain_down 0 000 | fall\n"};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(chl_wordnet_open(path, &wordnet), CHL_ERR_IO);
        write_file(path, file[i], text[i]);
    }
    MUST(chl_wordnet_open(path, &wordnet));
    expect(wordnet, "light", 0, 0, "");
    expect(wordnet, "rain", 0, 1, "rainfall");
    chl_wordnet_free(wordnet);
    for (int i = 0; i < 6; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", path, file[i]);
        unlink(name);
    }
    rmdir(path);
}

/* --- wordings --------------------------------------------------------------------------------- */
static char wording[CHL_TEXT_MAX_BYTES];

static const char *draw(const chl_text_augment *settings, uint64_t variant, const char *text) {
    MUST(chl_text_augment_draw(settings, 1, 2, variant, text, wording));
    return wording;
}

static void no_augmentation_changes_nothing_but_spaces(void **state) {
    (void)state;
    const chl_text_augment none = {0};
    for (uint64_t v = 0; v < 20; v++) {
        assert_string_equal(draw(&none, v, " heavy \t rain  "), "heavy rain");
        assert_string_equal(draw(&none, v, ""), "");
    }
}

/* Each change alone, when it is certain to happen */
static void each_change_is_drawn_evenly(void **state) {
    (void)state;
    make_data();
    chl_wordnet *wordnet = open_fine();
    static const char *const words[] = {"the"};
    int orders[6] = {0}, places[4] = {0}, synonyms[3] = {0};
    for (uint64_t v = 0; v < 200; v++) {
        const chl_text_augment permute = {.permute = 1};
        static const char *const order[] = {"a b c", "a c b", "b a c", "b c a", "c a b", "c b a"};
        draw(&permute, v, "a b c");
        for (int i = 0; i < 6; i++) orders[i] += !strcmp(wording, order[i]);
        const chl_text_augment insert = {.words = words, .count = 1, .insert = 1};
        static const char *const place[] = {"the a b c", "a the b c", "a b the c", "a b c the"};
        draw(&insert, v, "a b c");
        for (int i = 0; i < 4; i++) places[i] += !strcmp(wording, place[i]);
        const chl_text_augment synonym = {.wordnet = wordnet, .synonym = 1};
        static const char *const other[] = {"over Boom x", "over long roll x", "over peal x"};
        draw(&synonym, v, "over thunder x");
        for (int i = 0; i < 3; i++) synonyms[i] += !strcmp(wording, other[i]);
    }
    int all[3] = {0};
    for (int i = 0; i < 6; i++) {
        assert_in_range(orders[i], 18, 52);
        all[0] += orders[i];
    }
    for (int i = 0; i < 4; i++) {
        assert_in_range(places[i], 30, 72);
        all[1] += places[i];
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(synonyms[i], 45, 90);
        all[2] += synonyms[i];
    }
    for (int i = 0; i < 3; i++) assert_int_equal(all[i], 200);
    chl_wordnet_free(wordnet);
}

static void changes_come_as_often_as_said_and_repeat(void **state) {
    (void)state;
    const chl_text_augment settings = chl_text_augment_defaults();
    int plain = 0;
    char again[CHL_TEXT_MAX_BYTES];
    for (uint64_t v = 0; v < 1000; v++) {
        plain += !strcmp(draw(&settings, v, "heavy rain"), "heavy rain");
        MUST(chl_text_augment_draw(&settings, 1, 2, v, "heavy rain", again));
        assert_string_equal(wording, again);
    }
    /* 0.8 are left without a word more, of which 0.95 keep their order */
    assert_in_range(plain, 710, 810);
}

static void texts_that_are_too_long_are_refused(void **state) {
    (void)state;
    const chl_text_augment settings = chl_text_augment_defaults();
    char text[3 * CHL_TEXT_MAX_BYTES];
    for (int i = 0; i < CHL_AUGMENT_MAX_WORDS; i++) memcpy(text + 2 * i, "a ", 3);
    for (uint64_t v = 0; v < 50; v++) draw(&settings, v, text);
    strcat(text, "b");
    assert_int_equal(chl_text_augment_draw(&settings, 1, 2, 3, text, wording), CHL_ERR_ARGUMENT);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    assert_int_equal(chl_text_augment_draw(&settings, 1, 2, 3, text, wording), CHL_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synonyms_are_of_the_first_sense_only),
        cmocka_unit_test(broken_index_entries_are_errors_that_name_the_file),
        cmocka_unit_test(damaged_data_is_never_read_beyond_its_end),
        cmocka_unit_test(adjectives_come_before_nouns_and_missing_files_are_named),
        cmocka_unit_test(no_augmentation_changes_nothing_but_spaces),
        cmocka_unit_test(each_change_is_drawn_evenly),
        cmocka_unit_test(changes_come_as_often_as_said_and_repeat),
        cmocka_unit_test(texts_that_are_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
