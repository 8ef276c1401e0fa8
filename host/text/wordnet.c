/* WordNet's files are lines of text [wndb(5WN)]. Each file starts with a licence, whose lines begin
 * with a space. The form of a line, and an example:
 *
 *     index.noun   lemma pos senses pointers [pointer ...] senses tagged offset [offset ...]
 *                  thunder n 2 3 @ ~ + 2 1 00000037 00000116
 *     data.noun    offset file type words(hex) word id [word id ...] pointers ... | explanation
 *                  00000037 11 n 02 boom 0 thunder 0 001 @ 00000000 n 0000 | a deep loud noise
 *
 * An index is sorted by lemma, so a word is found by bisection; its offsets, most frequent sense
 * first, are byte positions in the data file. `tagged` is the number of senses that occur in
 * WordNet's tagged texts. Both files are kept in memory as they are; nothing is parsed until a word
 * is looked up, and every field is then checked. */
#include "text/wordnet.h"
#include "base/file_bytes.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADJECTIVE, NOUN, VERB, PARTS };
static const char *const part_name[PARTS] = {"adj", "noun", "verb"};
#define MAX_FILE ((size_t)256 << 20) /* WordNet 3's largest has 15 MB */

typedef struct text {
    char *data; /* `size` bytes and a newline */
    size_t size;
} text;

typedef struct part {
    text index, data;
    char name[32]; /* "noun", for error texts */
} part;

struct chl_wordnet {
    char *folder;
    part part[PARTS];
};

static chl_status damaged(const chl_wordnet *w, const part *p, const char *file, size_t at,
                          const char *what) {
    return chl_fail(CHL_ERR_FORMAT, "%s: %s.%s is damaged at byte %zu: %s", w->folder, file,
                    p->name, at, what);
}

/* --- reading the files ------------------------------------------------------------------------ */
static chl_status copy_text(const char *from, size_t size, text *out) {
    if (size > MAX_FILE)
        return chl_fail(CHL_ERR_FORMAT, "has %zu bytes, expected at most %zu", size, MAX_FILE);
    out->data = malloc(size + 1);
    if (!out->data) return chl_fail(CHL_ERR_MEMORY, "out of memory");
    if (size) memcpy(out->data, from, size);
    out->data[size] = '\n'; /* so that every line ends in one */
    out->size = size;
    return CHL_OK;
}

static chl_status read_file(const char *folder, const char *kind, const char *name, text *out) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s.%s", folder, kind, name) >= (int)sizeof path)
        return chl_fail(CHL_ERR_ARGUMENT, "the path of WordNet's folder is too long");
    const chl_file_rules rules = {.max_bytes = MAX_FILE};
    chl_file_bytes file;
    chl_status status = chl_file_bytes_read(path, &rules, &file);
    if (status != CHL_OK)
        return chl_fail_in(
            status, "synonyms need WordNet's data files: install the package wordnet-base and "
                    "name its folder (/usr/share/wordnet), or name none");
    status = copy_text((const char *)file.data, file.size, out);
    chl_file_bytes_free(&file);
    return status == CHL_OK ? CHL_OK : chl_fail_in(status, "%s", path);
}

static const char *line_end(const text *t, const char *line) {
    return memchr(line, '\n', (size_t)(t->data + t->size - line) + 1);
}

/* The number of bytes before the first space; 0 in the licence, whose lines start with one. */
static size_t first_word(const char *line, const char *end) {
    const char *blank = memchr(line, ' ', (size_t)(end - line));
    return (size_t)((blank ? blank : end) - line);
}

static int compare(const char *a, size_t a_length, const char *b, size_t b_length) {
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* Bisection needs the lemmas in ascending order. */
static chl_status check_order(const chl_wordnet *w, const part *p) {
    const text *t = &p->index;
    const char *before = NULL;
    size_t length_before = 0;
    for (const char *line = t->data; line < t->data + t->size;) {
        const char *end = line_end(t, line);
        size_t length = first_word(line, end);
        if (length && before && compare(before, length_before, line, length) >= 0)
            return damaged(w, p, "index", (size_t)(line - t->data),
                           "the words are not in ascending order");
        if (length) {
            before = line;
            length_before = length;
        } else if (before) {
            return damaged(w, p, "index", (size_t)(line - t->data), "a line without a word");
        }
        line = end + 1;
    }
    return CHL_OK;
}

static chl_status new_wordnet(const char *name, chl_wordnet **out) {
    *out = NULL;
    chl_wordnet *w = calloc(1, sizeof *w);
    if (!w) return chl_fail(CHL_ERR_MEMORY, "out of memory for WordNet");
    w->folder = strdup(name);
    if (!w->folder) {
        free(w);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for WordNet");
    }
    *out = w;
    return CHL_OK;
}

chl_status chl_wordnet_open(const char *folder, chl_wordnet **out) {
    chl_wordnet *w;
    *out = NULL;
    CHL_TRY(new_wordnet(folder, &w));
    chl_status status;
    for (int i = 0; i < PARTS; i++) {
        part *p = &w->part[i];
        snprintf(p->name, sizeof p->name, "%s", part_name[i]);
        CHL_TRY_GOTO(read_file(folder, "index", p->name, &p->index));
        CHL_TRY_GOTO(read_file(folder, "data", p->name, &p->data));
        CHL_TRY_GOTO(check_order(w, p));
    }
done:
    CHL_HAND_OVER(status, w, out, chl_wordnet_free);
}

chl_status chl_wordnet_open_memory(const char *name, const char *index, size_t index_size,
                                   const char *data, size_t data_size, chl_wordnet **out) {
    chl_wordnet *w;
    *out = NULL;
    CHL_TRY(new_wordnet(name, &w));
    part *p = &w->part[0];
    snprintf(p->name, sizeof p->name, "memory");
    chl_status status;
    CHL_TRY_GOTO(copy_text(index, index_size, &p->index));
    CHL_TRY_GOTO(copy_text(data, data_size, &p->data));
    CHL_TRY_GOTO(check_order(w, p));
done:
    CHL_HAND_OVER(status, w, out, chl_wordnet_free);
}

void chl_wordnet_free(chl_wordnet *wordnet) {
    if (!wordnet) return;
    for (int i = 0; i < PARTS; i++) {
        free(wordnet->part[i].index.data);
        free(wordnet->part[i].data.data);
    }
    free(wordnet->folder);
    free(wordnet);
}

/* --- lines and fields ------------------------------------------------------------------------- */
/* The index's line of that lemma, or NULL. */
static const char *find_line(const text *t, const char *lemma, size_t length) {
    size_t low = 0, high = t->size; /* starts of lines in [low, high) */
    while (low < high) {
        size_t start = low + (high - low) / 2;
        while (start > low && t->data[start - 1] != '\n') start--;
        const char *line = t->data + start, *end = line_end(t, line);
        size_t word = first_word(line, end);
        int order = word ? compare(line, word, lemma, length) : -1; /* the licence comes first */
        if (order == 0) return line;
        if (order < 0)
            low = (size_t)(end - t->data) + 1;
        else
            high = start;
    }
    return NULL;
}

/* The rest of a line, whose fields are separated by single spaces. */
typedef struct fields {
    const char *at, *end;
} fields;

static bool next_field(fields *f, const char **field, size_t *length) {
    while (f->at < f->end && *f->at == ' ') f->at++;
    *field = f->at;
    while (f->at < f->end && *f->at != ' ') f->at++;
    *length = (size_t)(f->at - *field);
    return *length > 0;
}

/* The next field, which must be a number in that base with at most 8 digits. */
static bool next_number(fields *f, unsigned base, uint32_t *value) {
    const char *field;
    size_t length;
    if (!next_field(f, &field, &length) || length > 8) return false;
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        int c = tolower((unsigned char)field[i]);
        unsigned digit = isdigit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
        if (!isxdigit(c) || digit >= base) return false;
        *value = *value * base + digit;
    }
    return true;
}

static bool skip_fields(fields *f, uint32_t count) {
    const char *field;
    size_t length;
    while (count--)
        if (!next_field(f, &field, &length)) return false;
    return true;
}

/* From an index line: the first offset, and the number of tagged senses. With tagged > 0 the first
 * offset is the most frequent sense's. */
static bool first_sense(const text *t, const char *line, uint32_t *tagged, uint32_t *offset) {
    fields f = {line, line_end(t, line)};
    uint32_t senses, pointers;
    return skip_fields(&f, 2) && next_number(&f, 10, &senses) && senses > 0 &&
           next_number(&f, 10, &pointers) && skip_fields(&f, pointers) && skip_fields(&f, 1) &&
           next_number(&f, 10, tagged) && next_number(&f, 10, offset);
}

/* The length without an adjective's marker, such as "(a)". */
static size_t without_marker(const char *word, size_t length) {
    if (length < 2 || word[length - 1] != ')') return length;
    for (size_t i = length - 1; i > 0; i--)
        if (word[i] == '(') return i;
    return length;
}

static bool same_word(const char *a, size_t a_length, const char *b, size_t b_length) {
    return a_length == b_length && strncasecmp(a, b, a_length) == 0;
}

/* From a data line: *count words other than `lemma`; number `wanted` of them, if there is one, is
 * copied to `synonym`. False when the line is not a valid entry at `offset`. */
static bool synset_words(fields f, const char *lemma, size_t lemma_length, uint32_t offset,
                         int wanted, char *synonym, int *count) {
    uint32_t own, words;
    *count = 0;
    if (!next_number(&f, 10, &own) || own != offset || !skip_fields(&f, 2) ||
        !next_number(&f, 16, &words))
        return false;
    for (uint32_t i = 0; i < words; i++) {
        const char *word;
        size_t length;
        if (!next_field(&f, &word, &length) || !skip_fields(&f, 1)) return false;
        length = without_marker(word, length);
        if (length >= CHL_WORDNET_MAX) return false;
        if (length == 0 || same_word(word, length, lemma, lemma_length)) continue;
        if ((*count)++ != wanted) continue;
        for (size_t k = 0; k < length; k++) synonym[k] = word[k] == '_' ? ' ' : word[k];
        synonym[length] = 0;
    }
    return true;
}

/* --- looking up a word ------------------------------------------------------------------------ */
static chl_status read_synset(const chl_wordnet *w, const part *p, uint32_t offset,
                              const char *lemma, size_t length, uint32_t pick, char *synonym,
                              int *count) {
    const text *t = &p->data;
    const fields entry = {t->data + offset, line_end(t, t->data + offset)};
    bool fine = synset_words(entry, lemma, length, offset, -1, synonym, count);
    if (fine && *count > 0)
        fine = synset_words(entry, lemma, length, offset, (int)(pick % (uint32_t)*count), synonym,
                            count);
    return fine ? CHL_OK : damaged(w, p, "data", offset, "expected the entry of a synset");
}

/* *found and *offset: the first sense's synset in this part of speech, if one of its senses is
 * tagged. */
static chl_status look_up(const chl_wordnet *w, const part *p, const char *lemma, size_t length,
                          bool *found, uint32_t *offset) {
    const char *line = p->index.data ? find_line(&p->index, lemma, length) : NULL;
    uint32_t tagged = 0;
    *found = false;
    if (!line) return CHL_OK;
    const size_t at = (size_t)(line - p->index.data);
    if (!first_sense(&p->index, line, &tagged, offset))
        return damaged(w, p, "index", at, "expected the entry of a word");
    const text *t = &p->data;
    if (*offset >= t->size || (*offset > 0 && t->data[*offset - 1] != '\n'))
        return damaged(w, p, "index", at, "its offset is not the start of an entry of the data");
    *found = tagged > 0;
    return CHL_OK;
}

chl_status chl_wordnet_synonym(const chl_wordnet *wordnet, const char *word, uint32_t pick,
                               char synonym[CHL_WORDNET_MAX], int *count) {
    char lemma[CHL_WORDNET_MAX];
    size_t length = strlen(word);
    *count = 0;
    synonym[0] = 0;
    if (length == 0 || length >= sizeof lemma) return CHL_OK;
    for (size_t i = 0; i < length; i++) lemma[i] = (char)tolower((unsigned char)word[i]);
    for (int i = 0; i < PARTS; i++) {
        const part *p = &wordnet->part[i];
        bool found;
        uint32_t offset;
        CHL_TRY(look_up(wordnet, p, lemma, length, &found, &offset));
        if (found) return read_synset(wordnet, p, offset, lemma, length, pick, synonym, count);
    }
    return CHL_OK;
}
