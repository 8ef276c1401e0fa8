#include "text/learn_merges.h"
#include "base/free.h"
#include "base/text_buffer.h"
#include "text/characters.h"
#include "text/merges.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word of the captions as the symbols it is made of so far, and how often it occurs. */
typedef struct learned_word {
    int32_t *symbol;
    int32_t length;
    int64_t count;
} learned_word;

typedef struct learned_pair {
    int32_t left, right;
    int64_t count;
} learned_pair;

typedef struct learner {
    char *text; /* the words of all cleaned captions, each with a terminating 0 */
    size_t text_size;
    char **spelling; /* of each symbol, in the merges file's alphabet */
    int32_t symbols;
    learned_word *word;
    int64_t words;
    int32_t *all_symbols; /* of all words, consecutively */
    learned_pair *pair;   /* capacity: all pairs of all words */
} learner;

/* --- counting words --------------------------------------------------------------------------- */
/* Whether the tokenizer's pattern keeps the two bytes in one word. Its English contractions ('s,
 * 't,
 * ...) are ignored: a merge that is never used costs one token. */
static bool stay_together(char a, char b) {
    const bool letter = isalpha((unsigned char)a) || (unsigned char)a >= 0x80;
    const bool next_letter = isalpha((unsigned char)b) || (unsigned char)b >= 0x80;
    return letter == next_letter && !isdigit((unsigned char)a) && !isdigit((unsigned char)b);
}

static chl_status add_words(learner *l, const char *caption) {
    char *cleaned;
    CHL_TRY(chl_text_clean(caption, &cleaned));
    size_t length = strlen(cleaned);
    char *larger = realloc(l->text, l->text_size + 2 * length + 1); /* at most one 0 per byte */
    if (!larger) {
        free(cleaned);
        return chl_fail(CHL_ERR_MEMORY, "out of memory learning merges");
    }
    l->text = larger;
    for (size_t i = 0; i < length; i++) {
        if (cleaned[i] == ' ') continue;
        l->text[l->text_size++] = cleaned[i];
        if (i + 1 == length || cleaned[i + 1] == ' ' ||
            !stay_together(cleaned[i], cleaned[i + 1])) {
            l->text[l->text_size++] = 0;
            l->words++;
        }
    }
    free(cleaned);
    return CHL_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words in order of their bytes, so that the order of the captions does not matter; equal ones
 * become one with a count. Symbols 0..255: bytes, 256..511: bytes that end a word. */
static chl_status count_words(learner *l) {
    const char **start = malloc(((size_t)l->words + 1) * sizeof *start);
    l->word = malloc(((size_t)l->words + 1) * sizeof *l->word);
    l->all_symbols = malloc((l->text_size + 1) * sizeof *l->all_symbols);
    l->pair = malloc((l->text_size + 1) * sizeof *l->pair);
    if (!start || !l->word || !l->all_symbols || !l->pair) {
        free(start);
        return chl_fail(CHL_ERR_MEMORY, "out of memory learning merges");
    }
    const char *at = l->text;
    for (int64_t i = 0; i < l->words; i++, at += strlen(at) + 1) start[i] = at;
    qsort(start, (size_t)l->words, sizeof *start, by_text);
    int64_t unique = 0;
    int32_t *symbol = l->all_symbols;
    for (int64_t i = 0; i < l->words; i++) {
        if (i > 0 && strcmp(start[i - 1], start[i]) == 0) {
            l->word[unique - 1].count++;
            continue;
        }
        int32_t length = (int32_t)strlen(start[i]);
        const int32_t last = length - 1; /* a word has at least one byte */
        for (int32_t k = 0; k < last; k++) symbol[k] = (unsigned char)start[i][k];
        symbol[last] = 256 + (unsigned char)start[i][last];
        l->word[unique++] = (learned_word){symbol, length, 1};
        symbol += length;
    }
    l->words = unique;
    free(start);
    return CHL_OK;
}

/* --- finding and merging pairs ---------------------------------------------------------------- */
static int by_symbols(const void *a, const void *b) {
    const learned_pair *p = a, *q = b;
    if (p->left != q->left) return p->left < q->left ? -1 : 1;
    return (p->right > q->right) - (p->right < q->right);
}

/* Of equally frequent pairs the one whose spelling comes first. */
static bool better(const learner *l, const learned_pair *a, const learned_pair *b) {
    if (a->count != b->count) return a->count > b->count;
    int order = strcmp(l->spelling[a->left], l->spelling[b->left]);
    return (order ? order : strcmp(l->spelling[a->right], l->spelling[b->right])) < 0;
}

/* The most frequent pair of neighbours; count 0 when there are none. */
static learned_pair most_frequent(learner *l) {
    int64_t pairs = 0, unique = 0;
    for (int64_t i = 0; i < l->words; i++)
        for (int32_t k = 0; k + 1 < l->word[i].length; k++)
            l->pair[pairs++] =
                (learned_pair){l->word[i].symbol[k], l->word[i].symbol[k + 1], l->word[i].count};
    qsort(l->pair, (size_t)pairs, sizeof *l->pair, by_symbols);
    for (int64_t i = 0; i < pairs; i++) {
        if (unique > 0 && by_symbols(&l->pair[unique - 1], &l->pair[i]) == 0)
            l->pair[unique - 1].count += l->pair[i].count;
        else
            l->pair[unique++] = l->pair[i];
    }
    learned_pair best = {0};
    for (int64_t i = 0; i < unique; i++)
        if (best.count == 0 || better(l, &l->pair[i], &best)) best = l->pair[i];
    return best;
}

static void join(learner *l, const learned_pair *pair, int32_t joined) {
    for (int64_t i = 0; i < l->words; i++) {
        learned_word *word = &l->word[i];
        int32_t to = 0;
        for (int32_t k = 0; k < word->length; to++) {
            bool both = k + 1 < word->length && word->symbol[k] == pair->left &&
                        word->symbol[k + 1] == pair->right;
            word->symbol[to] = both ? joined : word->symbol[k];
            k += both ? 2 : 1;
        }
        word->length = to;
    }
}

/* --- writing the merge table ------------------------------------------------------------------ */
static chl_status spell(learner *l, const char *left, size_t left_length, const char *right,
                        size_t right_length) {
    char *text = malloc(left_length + right_length + 1);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory learning merges");
    memcpy(text, left, left_length);
    memcpy(text + left_length, right, right_length);
    text[left_length + right_length] = 0;
    l->spelling[l->symbols++] = text;
    return CHL_OK;
}

/* How the alphabet spells a byte is defined in merges.c: the spellings are read back from a table
 * of one merge. */
static chl_status spell_bytes(learner *l) {
    static const char smallest[] = "#version: 0.2\n! !\n";
    chl_merges alphabet = {0};
    chl_status status;
    CHL_TRY_GOTO(chl_merges_read(&alphabet, smallest, sizeof smallest - 1, "alphabet"));
    for (int end = 0; end < 2; end++)
        for (int byte = 0; byte < 256; byte++) {
            const chl_symbol *symbol =
                &alphabet.symbol[end ? alphabet.last_byte[byte] : alphabet.byte[byte]];
            CHL_TRY_GOTO(spell(l, alphabet.text + symbol->text, symbol->length, "", 0));
        }
done:
    chl_merges_free(&alphabet);
    return status;
}

static chl_status learn(learner *l, int max_merges, chl_text_buffer *file) {
    chl_text_add(file, "#version: 0.2\n");
    for (int merges = 0; merges < max_merges; merges++) {
        learned_pair pair = most_frequent(l);
        if (pair.count < 2 && merges == 0)
            return chl_fail(CHL_ERR_FORMAT, "no pair of neighbouring letters occurs twice in the "
                                            "captions: add captions to learn merges from");
        if (pair.count < 2) break;
        const char *left = l->spelling[pair.left], *right = l->spelling[pair.right];
        chl_text_add(file, "%s %s\n", left, right);
        join(l, &pair, l->symbols);
        CHL_TRY(spell(l, left, strlen(left), right, strlen(right)));
    }
    return CHL_OK;
}

static void free_learner(learner *l) {
    for (int32_t i = 0; i < l->symbols; i++) free(l->spelling[i]);
    CHL_FREE(l->spelling, l->text, l->word, l->all_symbols, l->pair);
}

chl_status chl_learn_merges(int64_t count, const char *const *texts, int max_merges, char **file,
                            size_t *size) {
    *file = NULL;
    *size = 0;
    chl_text_buffer merges = {0};
    learner l = {.spelling = calloc(512 + (size_t)max_merges, sizeof *l.spelling)};
    chl_status status = CHL_OK;
    if (!l.spelling) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory learning merges"));
    for (int64_t i = 0; i < count; i++) CHL_TRY_GOTO(add_words(&l, texts[i]));
    CHL_TRY_GOTO(count_words(&l));
    CHL_TRY_GOTO(spell_bytes(&l));
    CHL_TRY_GOTO(learn(&l, max_merges, &merges));
done:
    if (status == CHL_OK) status = chl_text_done(&merges, "learning merges");
    free_learner(&l);
    if (status != CHL_OK) {
        free(merges.text);
        return status;
    }
    *file = merges.text;
    *size = merges.size;
    return CHL_OK;
}
