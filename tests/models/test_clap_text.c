/* LAION-CLAP's text encoder against Hugging Face's RoBERTa on random weights, from text to embedding
 * (tests/fixtures/make_clap_text.py). */
#include "harness/parity.h"
#include "harness/small_models.h"
#include "models/engine.h"
#include "text/byte_tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EMBEDDING = 16, CONTEXT = 77, TEXTS = 11 };
#define VOCABULARY CHLADNI_FIXTURES "/clap/tokenizer.json"
#define TWICE(text) text text
#define TEN_TIMES(text) TWICE(TWICE(text)) TWICE(TWICE(text)) TWICE(text)

static const char *const texts[TEXTS] = {
    "This is a sound of rain.",
    "This is a sound of Rain",
    "rain",
    " rain",
    "  two  spaces,   and three ",
    "it's raining; we'll see, they're there, I'd say",
    "3 dogs, 1234 cats & 5.5 birds!?",
    "\u00e9clair \u96e8\u306e\u97f3 \U0001f327\ufe0f storm",
    "tab\tand\nnewline\r\n",
    "",
    TWICE(TEN_TIMES("rain and wind and rain and wind ")),
};

static void compare_tokens(const char *vocabulary) {
    chl_byte_tokenizer *t;
    MUST(chl_byte_tokenizer_open(vocabulary, &t));
    FILE *file = fopen(CHLADNI_FIXTURES "/clap/ids.txt", "r");
    assert_non_null(file);
    for (int i = 0; i < TEXTS; i++) {
        char line[1024], *at = line;
        int32_t ids[CONTEXT];
        int count;
        assert_non_null(fgets(line, sizeof line, file));
        MUST(chl_byte_tokenizer_encode(t, texts[i], CONTEXT, ids, &count));
        for (int k = 0; k < count; k++) assert_int_equal(ids[k], strtol(at, &at, 10));
        assert_string_equal(at, "\n");
    }
    fclose(file);
    chl_byte_tokenizer_free(t);
}

static void texts_become_the_tokens_of_the_original(void **state) {
    (void)state;
    compare_tokens(VOCABULARY);
    compare_tokens(CHLADNI_FIXTURES "/clap/tokenizer_pairs.json");
}

/* A folder with the weights, and a CLAP's audio encoder where it is asked for. */
typedef struct files {
    char folder[64], clap[96];
} files;

static files begin(void) {
    files f = {.folder = "/tmp/chladni-clap-text-XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.clap, sizeof f.clap, CHLADNI_FIXTURES "/clap/text.safetensors");
    return f;
}

static void texts_of_all_lengths_are_understood_as_by_the_original(void **state) {
    (void)state;
    const chl_engine_options options = {.size = sizeof options,
                                        .clip = CHLADNI_FIXTURES "/clap/text.safetensors",
                                        .vocab = VOCABULARY,
                                        .device = "cpu"};
    chl_engine *engine;
    float got[TEXTS * EMBEDDING], *want = parity_array("clap/said", TEXTS * EMBEDDING);
    MUST(chl_engine_open(&options, &engine));
    for (int batch = 1; batch <= 3; batch += 2) {
        MUST(chl_clip_embed_texts(engine->clip, batch, TEXTS, texts, got));
        assert_true(parity_error("clap/said", got, want, TEXTS * EMBEDDING) <= 1e-5);
    }
    free(want);
    chl_engine_close(engine);
}

static void it_has_no_pictures_and_no_texts_without_a_vocabulary(void **state) {
    (void)state;
    chl_engine_options options = {
        .size = sizeof options, .clip = CHLADNI_FIXTURES "/clap/text.safetensors", .device = "cpu"};
    const float pixels[3] = {0};
    float out[EMBEDDING];
    chl_engine *engine;
    MUST(chl_engine_open(&options, &engine));
    assert_int_equal(chl_clip_embed_picture(engine->clip, 1, 1, pixels, out), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "clip with an image tower"));
    assert_int_equal(chl_clip_embed_texts(engine->clip, 1, 1, texts, out), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "vocab"));
    chl_engine_close(engine);
    options.vocab = CHLADNI_FIXTURES "/clap/ids.txt";
    assert_int_equal(chl_engine_open(&options, &engine), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "tokenizer.json"));
}

static void an_encoder_of_clips_space_is_refused_beside_it(void **state) {
    (void)state;
    files f = begin();
    char audio[96];
    snprintf(audio, sizeof audio, "%s/swin.safetensors", f.folder);
    save_small_audio(EMBEDDING, 1, audio);
    const chl_engine_options options = {
        .size = sizeof options, .audio = audio, .clip = f.clap, .device = "cpu"};
    chl_engine *engine;
    assert_int_equal(chl_engine_open(&options, &engine), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "expected CLAP's audio encoder"));
    assert_int_equal(remove(audio) | remove(f.folder), 0);
}

static void a_damaged_vocabulary_is_refused_with_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *says;
    } wrong[] = {
        {"{", "is no JSON"},
        {"{\"model\": {\"type\": \"WordPiece\", \"merges\": []}}", "\"model.type\" is not \"BPE\""},
        {"{\"model\": {\"type\": 7, \"merges\": []}}", "\"model.type\" is not \"BPE\""},
        {"{\"model\": {\"type\": \"BPE\"}}", "has no list"},
        {"{\"model\": {}}", "has no list \"model.merges\""},
        {"{\"model\": {\"merges\": [7]}}", "a merge is no pair"},
        {"{\"model\": {\"merges\": [\"ab c\"]}}", "merges a symbol that no earlier line has made"},
        {"{\"model\": {\"merges\": []}}", "has no object \"model.vocab\""},
        {"{\"model\": {\"merges\": [], \"vocab\": {\"a\": -1}}}", "an id of"},
        {"{\"model\": {\"merges\": [], \"vocab\": {\"a\": 1}}}", "has no token <s> or </s>"},
        {"{\"model\": {\"merges\": [], \"vocab\": {\"<s>\": 0, \"</s>\": 2}}}", "lacks a byte"},
    };
    files f = begin();
    char path[96];
    snprintf(path, sizeof path, "%s/tokenizer.json", f.folder);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(wrong[i].json, file);
        fclose(file);
        chl_byte_tokenizer *t;
        assert_int_equal(chl_byte_tokenizer_open(path, &t), CHL_ERR_FORMAT);
        if (!strstr(chl_error(), wrong[i].says)) fail_msg("%s: %s", wrong[i].json, chl_error());
    }
    assert_int_equal(remove(path) | remove(f.folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_the_tokens_of_the_original),
        cmocka_unit_test(texts_of_all_lengths_are_understood_as_by_the_original),
        cmocka_unit_test(it_has_no_pictures_and_no_texts_without_a_vocabulary),
        cmocka_unit_test(an_encoder_of_clips_space_is_refused_beside_it),
        cmocka_unit_test(a_damaged_vocabulary_is_refused_with_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
