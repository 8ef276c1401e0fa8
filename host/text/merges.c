#include "text/merges.h"
#include "base/free.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenAI's file has more merges than its vocabulary uses. CLIP reads 49152 - 256 - 2 of them: 49152
 * tokens less 256 bytes and 2 special tokens (the 256 bytes that end a word are not subtracted). */
#define MAX_MERGES (49152 - 256 - 2)
/* How the alphabet shows the byte of a space: U+0120. */
#define BYTE_SPACE "\xC4\xA0"

static uint32_t hash_text(const char *text, size_t length) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t hash_pair(int32_t left, int32_t right) {
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

/* The slot of the symbol, or the free one where it belongs. */
static uint32_t slot_of(const chl_merges *m, const char *text, size_t length) {
    uint32_t slot = hash_text(text, length) & (m->slots - 1);
    for (;; slot = (slot + 1) & (m->slots - 1)) {
        int32_t at = m->symbol_slot[slot];
        if (at < 0) return slot;
        if (m->symbol[at].length == length &&
            memcmp(m->text + m->symbol[at].text, text, length) == 0)
            return slot;
    }
}

/* Adds a symbol. One that exists already gets the new id: of equal strings the last one counts, as
 * in Python's dict(zip(vocabulary, range(...))). */
static chl_status add_symbol(chl_merges *m, const char *text, size_t length, int32_t id,
                             int32_t *symbol) {
    uint32_t slot = slot_of(m, text, length);
    if (m->symbol_slot[slot] < 0) {
        if (m->text_size + length > m->text_capacity) {
            size_t capacity = 2 * (m->text_capacity + length) + 4096;
            char *larger = realloc(m->text, capacity);
            if (!larger) return chl_fail(CHL_ERR_MEMORY, "tokenizer: out of memory");
            m->text = larger;
            m->text_capacity = capacity;
        }
        memcpy(m->text + m->text_size, text, length);
        m->symbol[m->symbols] =
            (chl_symbol){.text = (uint32_t)m->text_size, .length = (uint32_t)length};
        m->text_size += length;
        m->symbol_slot[slot] = m->symbols++;
    }
    *symbol = m->symbol_slot[slot];
    m->symbol[*symbol].id = id;
    return CHL_OK;
}

static chl_merge *merge_slot(const chl_merges *m, int32_t left, int32_t right) {
    uint32_t slot = hash_pair(left, right) & (m->slots - 1);
    while (m->merge[slot].left >= 0 &&
           (m->merge[slot].left != left || m->merge[slot].right != right))
        slot = (slot + 1) & (m->slots - 1);
    return &m->merge[slot];
}

const chl_merge *chl_merges_find(const chl_merges *m, int32_t left, int32_t right) {
    const chl_merge *found = merge_slot(m, left, right);
    return found->left < 0 ? NULL : found;
}

size_t chl_merges_join(const chl_merges *m, int32_t *word, size_t length) {
    while (length > 1) {
        const chl_merge *best = NULL;
        for (size_t i = 0; i + 1 < length; i++) {
            const chl_merge *merge = chl_merges_find(m, word[i], word[i + 1]);
            if (merge && (!best || merge->rank < best->rank)) best = merge;
        }
        if (!best) break;
        size_t to = 0;
        for (size_t i = 0; i < length; to++) {
            bool pair = i + 1 < length && word[i] == best->left && word[i + 1] == best->right;
            word[to] = pair ? best->joined : word[i];
            i += pair ? 2 : 1;
        }
        length = to;
    }
    return length;
}

static int is_printable(int byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* The alphabet [Radford et al. 2019]: printable Latin-1 bytes first, as themselves, then the others
 * as U+0100, U+0101, ... All of them are below U+0800, two bytes of UTF-8 at most. */
static chl_status add_alphabet(chl_merges *m) {
    int32_t id = 0, others = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int byte = 0; byte < 256; byte++) {
            if (is_printable(byte) == pass) continue;
            int shown = pass == 0 ? byte : 256 + others++;
            char text[8];
            size_t length = 0;
            if (shown < 0x80) {
                text[length++] = (char)shown;
            } else {
                text[length++] = (char)(0xc0 | shown >> 6);
                text[length++] = (char)(0x80 | (shown & 0x3f));
            }
            CHL_TRY(add_symbol(m, text, length, id, &m->byte[byte]));
            memcpy(text + length, "</w>", 4);
            CHL_TRY(add_symbol(m, text, length + 4, 256 + id, &m->last_byte[byte]));
            id++;
        }
    return CHL_OK;
}

static chl_status bad_line(const char *name, int64_t line, const char *what) {
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: line %lld %s: this is no BPE merges file, or it is damaged", name,
                    (long long)line, what);
}

static void add_to_hash(chl_merges *m, const char *line, size_t length) {
    if (!m->count) m->hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i <= length; i++)
        m->hash = (m->hash ^ (i < length ? (unsigned char)line[i] : '\n')) * 0x100000001b3u;
}

/* A line "left right": the joined symbol gets the next id. */
static chl_status add_merge(chl_merges *m, const char *line, size_t length, const char *name,
                            int64_t number) {
    const char *space = memchr(line, ' ', length);
    if (!space || space == line || space == line + length - 1 ||
        memchr(space + 1, ' ', (size_t)(line + length - space - 1)))
        return bad_line(name, number, "is not two symbols with one space between them");
    if (length > 1024) return bad_line(name, number, "has more than 1024 bytes");
    size_t left = (size_t)(space - line), right = length - left - 1;
    int32_t first = m->symbol_slot[slot_of(m, line, left)];
    int32_t second = m->symbol_slot[slot_of(m, space + 1, right)];
    if (first < 0 || second < 0)
        return bad_line(name, number, "merges a symbol that no earlier line has made");
    chl_merge *merge = merge_slot(m, first, second);
    if (merge->left >= 0)
        return bad_line(name, number, "merges a pair that an earlier line merges");
    char joined[1024];
    memcpy(joined, line, left);
    memcpy(joined + left, space + 1, right);
    add_to_hash(m, line, length);
    int32_t symbol;
    CHL_TRY(add_symbol(m, joined, left + right, 512 + m->count, &symbol));
    *merge = (chl_merge){.left = first, .right = second, .joined = symbol, .rank = m->count++};
    return CHL_OK;
}

chl_status chl_merges_add(chl_merges *m, const char *pair, const char *name) {
    return add_merge(m, pair, strlen(pair), name, m->count + 1);
}

bool chl_merges_set_id(chl_merges *m, const char *symbol, int32_t id) {
    const int32_t at = m->symbol_slot[slot_of(m, symbol, strlen(symbol))];
    if (at >= 0) m->symbol[at].id = id;
    return at >= 0;
}

static chl_status allocate(chl_merges *m, size_t merges, const char *name) {
    const size_t symbols = 512 + merges;
    for (m->slots = 1; m->slots < 2 * symbols;) m->slots *= 2; /* at most half full */
    m->symbol = calloc(symbols, sizeof *m->symbol);
    m->symbol_slot = malloc(m->slots * sizeof *m->symbol_slot);
    m->merge = malloc(m->slots * sizeof *m->merge);
    if (!m->symbol || !m->symbol_slot || !m->merge)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    memset(m->symbol_slot, 0xff, m->slots * sizeof *m->symbol_slot);
    memset(m->merge, 0xff, m->slots * sizeof *m->merge);
    return CHL_OK;
}

chl_status chl_merges_begin(chl_merges *m, size_t count, const char *name) {
    CHL_TRY(allocate(m, count, name));
    return add_alphabet(m);
}

static chl_status refuse_space(const char *line, size_t length, const char *name, int64_t number) {
    if (!memmem(line, length, BYTE_SPACE, sizeof BYTE_SPACE - 1)) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: line %lld merges a space, which CLIP's words never hold: this is the "
                    "merges file of another tokenizer (GPT-2, RoBERTa, ...), expected CLIP's, "
                    "bpe_simple_vocab_16e6.txt.gz",
                    name, (long long)number);
}

chl_status chl_merges_read(chl_merges *m, const char *text, size_t size, const char *name) {
    const size_t lines = size / 4 + 1; /* no line is shorter than "a b" */
    CHL_TRY(chl_merges_begin(m, lines < MAX_MERGES ? lines : MAX_MERGES, name));
    const char *end = text + size;
    for (int64_t number = 1; text < end && m->count < MAX_MERGES; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) stop = end;
        size_t length = (size_t)(stop - text);
        if (length > 0 && text[length - 1] == '\r') length--;
        if (number == 1 && !memmem(text, length, "#version", 8))
            return bad_line(name, 1, "has no \"#version\"");
        if (number > 1 && (length > 0 || stop + 1 < end)) {
            CHL_TRY(refuse_space(text, length, name, number));
            CHL_TRY(add_merge(m, text, length, name, number));
        }
        text = stop + 1;
    }
    if (m->count == 0)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: has no merges, expected a line \"left right\" for each", name);
    return CHL_OK;
}

void chl_merges_free(chl_merges *m) {
    CHL_FREE(m->text, m->symbol, m->symbol_slot, m->merge);
}
