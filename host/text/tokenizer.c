#include "text/tokenizer.h"
#include "base/file_bytes.h"
#include "text/bpe.h"
#include "text/characters.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_FILE_BYTES                                                                             \
    ((size_t)64 << 20) /* of a merges file, compressed or not; OpenAI's has 3 MB */

struct chl_tokenizer {
    chl_bpe bpe;
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
        return chl_merges_read(&t->bpe.merges, (const char *)data, size, name);
    char *text = NULL;
    size_t length = 0;
    chl_status status = inflate_all(data, size, name, &text, &length);
    if (status == CHL_OK) status = chl_merges_read(&t->bpe.merges, text, length, name);
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
    t->bpe.word_ends = t->bpe.clean = true;
    chl_status status = read_merges(t, data, size, name);
    if (status == CHL_OK) status = chl_pattern_new(pattern_text, true, &t->bpe.pattern);
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
    chl_bpe_free(&t->bpe);
    free(t);
}

int32_t chl_tokenizer_vocabulary(const chl_tokenizer *t) {
    return 512 + t->bpe.merges.count + 2;
}

bool chl_tokenizer_is_openais(const chl_tokenizer *t) {
    const uint64_t published = 0x84ddd99cc594e5a6u; /* bpe_simple_vocab_16e6.txt.gz */
    return chl_tokenizer_vocabulary(t) == CHL_TEXT_OPENAI && t->bpe.merges.hash == published;
}

/* --- encoding a text -------------------------------------------------------------------------- */
chl_status chl_tokenizer_encode(const chl_tokenizer *t, const char *text, int context, int32_t *ids,
                                int *end_index) {
    if (context < 2)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "context must be >= 2, for the start and end tokens, got %d", context);
    CHL_TRY(chl_bpe_check(text, context));
    char *cleaned = NULL;
    CHL_TRY(chl_text_clean(text, &cleaned));
    int count;
    memset(ids, 0, (size_t)context * sizeof *ids);
    const chl_status status = chl_bpe_encode(&t->bpe, cleaned, context, ids, &count);
    free(cleaned);
    CHL_TRY(status);
    ids[0] = chl_tokenizer_vocabulary(t) - 2;
    ids[count + 1] = chl_tokenizer_vocabulary(t) - 1;
    if (end_index) *end_index = count + 1;
    return CHL_OK;
}
