#include "text/tokenizer.h"
#include "base/file_bytes.h"
#include "text/characters.h"
#include "text/merges.h"
#include "text/pattern.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_FILE_BYTES                                                                             \
    ((size_t)64 << 20) /* of a merges file, compressed or not; OpenAI's has 3 MB */

struct chl_tokenizer {
    chl_merges merges;
    pcre2_code *pattern;
};

/* CLIP's words: English contractions, runs of letters, single digits, runs of anything else. */
static const char pattern_text[] = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/* --- reading the merges file ------------------------------------------------------------------ */
static chl_status inflate_all(const uint8_t *data, size_t size, const char *name, char **text,
                              size_t *length) {
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    size_t capacity = 0;
    int state = Z_OK;
    chl_status status = CHL_OK;
    while (state == Z_OK && status == CHL_OK) {
        if (*length == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 20;
            char *larger = capacity > MAX_FILE_BYTES ? NULL : realloc(*text, capacity);
            if (!larger) {
                status =
                    chl_fail(CHL_ERR_FORMAT,
                             "%s: decompresses to more than 64 MB, expected a merges file", name);
                break;
            }
            *text = larger;
        }
        stream.next_out = (Bytef *)*text + *length;
        stream.avail_out = (uInt)(capacity - *length);
        state = inflate(&stream, Z_NO_FLUSH);
        *length = capacity - stream.avail_out;
    }
    inflateEnd(&stream);
    if (status == CHL_OK && state != Z_STREAM_END)
        status = chl_fail(CHL_ERR_FORMAT,
                          "%s: is a damaged or incomplete gzip file: fetch it again", name);
    return status;
}

static chl_status read_merges(chl_tokenizer *t, const uint8_t *data, size_t size,
                              const char *name) {
    if (size < 2 || data[0] != 0x1f || data[1] != 0x8b)
        return chl_merges_read(&t->merges, (const char *)data, size, name);
    char *text = NULL;
    size_t length = 0;
    chl_status status = inflate_all(data, size, name, &text, &length);
    if (status == CHL_OK) status = chl_merges_read(&t->merges, text, length, name);
    free(text);
    return status;
}

chl_status chl_tokenizer_open_memory(const void *data, size_t size, const char *name,
                                     chl_tokenizer **out) {
    *out = NULL;
    if (size == 0) return chl_fail(CHL_ERR_FORMAT, "%s: is empty (0 bytes)", name);
    if (size > MAX_FILE_BYTES)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: has %zu bytes, expected a merges file of at most 64 MB", name, size);
    chl_tokenizer *t = calloc(1, sizeof *t);
    if (!t) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    chl_status status = read_merges(t, data, size, name);
    if (status == CHL_OK) status = chl_pattern_new(pattern_text, true, &t->pattern);
    CHL_HAND_OVER(status, t, out, chl_tokenizer_free);
}

chl_status chl_tokenizer_open(const char *path, chl_tokenizer **out) {
    *out = NULL;
    const chl_file_rules rules = {.max_bytes = MAX_FILE_BYTES, .pipes = true};
    chl_file_bytes file;
    CHL_TRY(chl_file_bytes_read(path, &rules, &file));
    const chl_status status = chl_tokenizer_open_memory(file.data, file.size, path, out);
    chl_file_bytes_free(&file);
    return status;
}

void chl_tokenizer_free(chl_tokenizer *t) {
    if (!t) return;
    chl_merges_free(&t->merges);
    pcre2_code_free(t->pattern);
    free(t);
}

int32_t chl_tokenizer_vocabulary(const chl_tokenizer *t) {
    return 512 + t->merges.count + 2;
}

bool chl_tokenizer_is_openais(const chl_tokenizer *t) {
    const uint64_t published = 0x84ddd99cc594e5a6u; /* bpe_simple_vocab_16e6.txt.gz */
    return chl_tokenizer_vocabulary(t) == CHL_TEXT_OPENAI && t->merges.hash == published;
}

/* --- encoding a text -------------------------------------------------------------------------- */
/* The words of `text` as ids, the first `room` of them; *count is the number of all, so that the
 * caller knows how many are missing. word [length + 1] is working memory. */
static chl_status encode_words(const chl_tokenizer *t, const char *text, size_t length,
                               pcre2_match_data *match, int32_t *word, int32_t *ids, size_t room,
                               size_t *count) {
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(match);
    for (size_t at = 0; at < length; at = range[1]) {
        int found =
            pcre2_match(t->pattern, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK, match, NULL);
        if (found == PCRE2_ERROR_NOMATCH) break;
        if (found < 0) return chl_fail(CHL_ERR_INTERNAL, "tokenizer: PCRE2 error %d", found);
        size_t symbols = range[1] - range[0];
        for (size_t i = 0; i < symbols; i++)
            word[i] = t->merges.byte[(unsigned char)text[range[0] + i]];
        word[symbols - 1] = t->merges.last_byte[(unsigned char)text[range[1] - 1]];
        symbols = chl_merges_join(&t->merges, word, symbols);
        for (size_t i = 0; i < symbols; i++, ++*count)
            if (*count < room) ids[*count] = t->merges.symbol[word[i]].id;
    }
    return CHL_OK;
}

chl_status chl_tokenizer_encode(const chl_tokenizer *t, const char *text, int context, int32_t *ids,
                                int *end_index) {
    if (context < 2)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "context must be >= 2, for the start and end tokens, got %d", context);
    if (strlen(text) > CHL_TEXT_MAX_BYTES)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "the text has %zu bytes, expected at most %d: a prompt is a sentence of at "
                        "most %d tokens",
                        strlen(text), CHL_TEXT_MAX_BYTES, context);
    char *cleaned = NULL;
    CHL_TRY(chl_text_clean(text, &cleaned));
    size_t length = strlen(cleaned), count = 0, room = (size_t)context - 2;
    int32_t *word = malloc((length + 1) * sizeof *word);
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(t->pattern, NULL);
    chl_status status = CHL_OK;
    memset(ids, 0, (size_t)context * sizeof *ids);
    if (!word || !match)
        status = chl_fail(CHL_ERR_MEMORY, "tokenizer: out of memory");
    else
        status = encode_words(t, cleaned, length, match, word, ids + 1, room, &count);
    pcre2_match_data_free(match);
    free(word);
    free(cleaned);
    if (status != CHL_OK) return status;
    if (count > room) {
        chl_log(CHL_LOG_WARN,
                "the text has %zu tokens: the last %zu do not fit into %d and are dropped", count,
                count - room, context);
        count = room;
    }
    ids[0] = chl_tokenizer_vocabulary(t) - 2;
    ids[count + 1] = chl_tokenizer_vocabulary(t) - 1;
    if (end_index) *end_index = (int)count + 1;
    return CHL_OK;
}
