#include "text/byte_tokenizer.h"
#include "base/json.h"
#include "text/bpe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((int64_t)64 << 20) /* RoBERTa's has 1.4 MB */
#define MAX_ID 10000000

struct chl_byte_tokenizer {
    chl_bpe bpe;
    int32_t first, last; /* ids of <s> and </s> */
    int32_t vocabulary;
};

/* English contractions; runs of letters, of digits, of anything else, each with the space before it;
 * spaces that no word takes. */
static const char pattern_text[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| "
                                   "?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* --- reading tokenizer.json ------------------------------------------------------------------- */
static chl_status not_one(const char *path, const char *what) {
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: %s: expected the tokenizer.json of a byte-level BPE, for CLAP that of "
                    "roberta-base",
                    path, what);
}

/* "left right", or ["left", "right"] since 2024. */
static chl_status add_merge(chl_merges *m, const json_t *merge, const char *path,
                            const char *name) {
    const char *pair = json_string_value(merge);
    const char *left = json_string_value(json_array_get(merge, 0));
    const char *right = json_string_value(json_array_get(merge, 1));
    char *joined;
    if (pair) return chl_merges_add(m, pair, name);
    if (!left || !right) return not_one(path, "a merge is no pair of symbols");
    if (asprintf(&joined, "%s %s", left, right) < 0)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    const chl_status status = chl_merges_add(m, joined, name);
    free(joined);
    return status;
}

static chl_status read_merges(chl_byte_tokenizer *t, const json_t *merges, const char *path) {
    char name[512];
    size_t i;
    json_t *merge;
    if (!json_is_array(merges)) return not_one(path, "has no list \"model.merges\"");
    snprintf(name, sizeof name, "%s: model.merges", path);
    CHL_TRY(chl_merges_begin(&t->bpe.merges, json_array_size(merges), path));
    json_array_foreach(merges, i, merge) CHL_TRY(add_merge(&t->bpe.merges, merge, path, name));
    return CHL_OK;
}

static chl_status read_ids(chl_byte_tokenizer *t, json_t *vocabulary, const char *path) {
    const char *token;
    json_t *value;
    if (!json_is_object(vocabulary)) return not_one(path, "has no object \"model.vocab\"");
    for (int32_t i = 0; i < t->bpe.merges.symbols; i++) t->bpe.merges.symbol[i].id = -1;
    json_object_foreach(vocabulary, token, value) {
        const json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id > MAX_ID)
            return not_one(path, "an id of \"model.vocab\" is no number from 0 to 10000000");
        (void)chl_merges_set_id(&t->bpe.merges, token, (int32_t)id); /* false: a special token */
        if (id >= t->vocabulary) t->vocabulary = (int32_t)id + 1;
        if (strcmp(token, "<s>") == 0) t->first = (int32_t)id;
        if (strcmp(token, "</s>") == 0) t->last = (int32_t)id;
    }
    if (t->first < 0 || t->last < 0) return not_one(path, "has no token <s> or </s>");
    return CHL_OK;
}

/* Every byte can be written, and every merge. */
static chl_status check_ids(const chl_byte_tokenizer *t, const char *path) {
    const chl_merges *m = &t->bpe.merges;
    for (int byte = 0; byte < 256; byte++)
        if (m->symbol[m->byte[byte]].id < 0) return not_one(path, "\"model.vocab\" lacks a byte");
    for (uint32_t i = 0; i < m->slots; i++)
        if (m->merge[i].left >= 0 && m->symbol[m->merge[i].joined].id < 0)
            return not_one(path, "\"model.vocab\" lacks what a merge makes");
    return CHL_OK;
}

/* A WordPiece file has no merges as a rule, but nothing forbids them. Old files have no type. */
static chl_status check_type(const json_t *model, const char *path) {
    const json_t *type = json_object_get(model, "type");
    const char *text = json_string_value(type);
    if (!type || (text && strcmp(text, "BPE") == 0)) return CHL_OK;
    return not_one(path, "\"model.type\" is not \"BPE\"");
}

static chl_status read_file(chl_byte_tokenizer *t, const char *path) {
    json_t *root;
    json_error_t problem;
    CHL_TRY(chl_json_read_file(path, MAX_FILE_BYTES, &root, &problem));
    if (!root) return not_one(path, "is no JSON");
    json_t *model = json_object_get(root, "model");
    chl_status status = check_type(model, path);
    if (status == CHL_OK) status = read_merges(t, json_object_get(model, "merges"), path);
    if (status == CHL_OK) status = read_ids(t, json_object_get(model, "vocab"), path);
    if (status == CHL_OK) status = check_ids(t, path);
    json_decref(root);
    return status;
}

chl_status chl_byte_tokenizer_open(const char *path, chl_byte_tokenizer **out) {
    *out = NULL;
    chl_byte_tokenizer *t = calloc(1, sizeof *t);
    if (!t) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    t->first = t->last = -1;
    chl_status status = read_file(t, path);
    if (status == CHL_OK) status = chl_pattern_new(pattern_text, false, &t->bpe.pattern);
    CHL_HAND_OVER(status, t, out, chl_byte_tokenizer_free);
}

void chl_byte_tokenizer_free(chl_byte_tokenizer *t) {
    if (!t) return;
    chl_bpe_free(&t->bpe);
    free(t);
}

int32_t chl_byte_tokenizer_vocabulary(const chl_byte_tokenizer *t) {
    return t->vocabulary;
}

/* --- encoding a text -------------------------------------------------------------------------- */
chl_status chl_byte_tokenizer_encode(const chl_byte_tokenizer *t, const char *text, int context,
                                     int32_t *ids, int *count) {
    int tokens;
    CHL_TRY(chl_bpe_check(text, context));
    CHL_TRY(chl_bpe_encode(&t->bpe, text, context, ids, &tokens));
    ids[0] = t->first;
    ids[tokens + 1] = t->last;
    *count = tokens + 2;
    return CHL_OK;
}
