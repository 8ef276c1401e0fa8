#include "text/bpe.h"
#include "text/characters.h"
#include <stdlib.h>
#include <string.h>

chl_status chl_bpe_check(const char *text, int context) {
    const size_t length = strlen(text);
    if (length <= CHL_TEXT_MAX_BYTES) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "the text has %zu bytes, expected at most %d: a prompt is a sentence of at "
                    "most %d tokens",
                    length, CHL_TEXT_MAX_BYTES, context);
}

static chl_status no_match(const chl_bpe *b, int code) {
    if (b->clean) return chl_fail(CHL_ERR_INTERNAL, "tokenizer: PCRE2 error %d", code);
    return chl_fail(CHL_ERR_ARGUMENT, "the text is not UTF-8 (PCRE2 error %d), expected UTF-8",
                    code);
}

/* The words of `text` as ids, the first `room` of them; *count is the number of all, so that the
 * caller knows how many are missing. word [length + 1] is working memory. */
static chl_status encode_words(const chl_bpe *b, const char *text, size_t length,
                               pcre2_match_data *match, int32_t *word, int32_t *ids, size_t room,
                               size_t *count) {
    const chl_merges *m = &b->merges;
    const uint32_t flags = b->clean ? PCRE2_NO_UTF_CHECK : 0;
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(match);
    for (size_t at = 0; at < length; at = range[1]) {
        const int found = pcre2_match(b->pattern, (PCRE2_SPTR)text, length, at, flags, match, NULL);
        if (found == PCRE2_ERROR_NOMATCH) break;
        if (found < 0) return no_match(b, found);
        size_t symbols = range[1] - range[0];
        for (size_t i = 0; i < symbols; i++) word[i] = m->byte[(unsigned char)text[range[0] + i]];
        if (b->word_ends) word[symbols - 1] = m->last_byte[(unsigned char)text[range[1] - 1]];
        symbols = chl_merges_join(m, word, symbols);
        for (size_t i = 0; i < symbols; i++, ++*count)
            if (*count < room) ids[*count] = m->symbol[word[i]].id;
    }
    return CHL_OK;
}

chl_status chl_bpe_encode(const chl_bpe *bpe, const char *text, int context, int32_t *ids,
                          int *count) {
    const size_t length = strlen(text), room = (size_t)context - 2;
    size_t tokens = 0;
    int32_t *word = malloc((length + 1) * sizeof *word);
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(bpe->pattern, NULL);
    const chl_status status =
        word && match ? encode_words(bpe, text, length, match, word, ids + 1, room, &tokens)
                      : chl_fail(CHL_ERR_MEMORY, "tokenizer: out of memory");
    pcre2_match_data_free(match);
    free(word);
    if (status != CHL_OK) return status;
    if (tokens > room) {
        chl_log(CHL_LOG_WARN,
                "the text has %zu tokens: the last %zu do not fit into %d and are dropped", tokens,
                tokens - room, context);
        tokens = room;
    }
    *count = (int)tokens;
    return CHL_OK;
}

void chl_bpe_free(chl_bpe *bpe) {
    chl_merges_free(&bpe->merges);
    pcre2_code_free(bpe->pattern);
}
