#include "text/characters.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

chl_status chl_characters_add(chl_characters *text, int32_t character) {
    if (text->count == text->capacity) {
        size_t capacity = text->capacity ? 2 * text->capacity : 256;
        int32_t *larger = realloc(text->at, capacity * sizeof *larger);
        if (!larger) return chl_fail(CHL_ERR_MEMORY, "text: out of memory");
        text->at = larger;
        text->capacity = capacity;
    }
    text->at[text->count++] = character;
    return CHL_OK;
}

void chl_characters_free(chl_characters *text) {
    free(text->at);
    *text = (chl_characters){0};
}

static chl_status decode(const char *utf8, chl_characters *text) {
    size_t length = strlen(utf8);
    for (size_t at = 0; at < length;) {
        utf8proc_int32_t character;
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)utf8 + at,
                                                 (utf8proc_ssize_t)(length - at), &character);
        if (used <= 0)
            return chl_fail(
                CHL_ERR_FORMAT,
                "the text is not UTF-8: byte 0x%02x at position %zu does not start a character",
                (unsigned char)utf8[at], at);
        CHL_TRY(chl_characters_add(text, character));
        at += (size_t)used;
    }
    return CHL_OK;
}

static chl_status encode(const chl_characters *text, char **utf8) {
    char *to = *utf8 = malloc(text->count * 4 + 1);
    if (!to) return chl_fail(CHL_ERR_MEMORY, "text: out of memory");
    for (size_t i = 0; i < text->count; i++)
        to += utf8proc_encode_char(text->at[i], (utf8proc_uint8_t *)to);
    *to = 0;
    return CHL_OK;
}

static chl_status copy(const int32_t *from, size_t count, chl_characters *to) {
    to->count = 0;
    for (size_t i = 0; i < count; i++) CHL_TRY(chl_characters_add(to, from[i]));
    return CHL_OK;
}

static bool is_space(int32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Characters that are only another form of others: Dutch and Croatian digraphs, typographic
 * ligatures, full and half width forms. */
static bool is_compatibility_form(int32_t c) {
    return c == 0x132 || c == 0x133 || c == 0x149 || (c >= 0x1c4 && c <= 0x1cc) ||
           (c >= 0x1f1 && c <= 0x1f3) || (c >= 0xfb00 && c <= 0xfb06) ||
           (c > 0xff00 && c < 0xfff0) || c == 0x3000;
}

static bool is_control(int32_t c) {
    return c < 9 || c == 11 || (c > 13 && c < 32) || c == 127 || (c >= 0x206a && c < 0x2070) ||
           c == 0xfeff || (c >= 0xfff9 && c < 0xfffd);
}

static int32_t straight(int32_t c) {
    if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b)) return '\'';
    return c >= 0x201c && c <= 0x201f ? '"' : c;
}

/* The length of "\033[1;31m" and the like at `at`; 0 when there is none. */
static size_t terminal_escape(const int32_t *at, size_t left) {
    if (left < 3 || at[0] != 27 || at[1] != '[') return 0;
    size_t i = 2;
    while (i < left && ((at[i] >= '0' && at[i] <= '9') || at[i] == ';')) i++;
    return i < left && (at[i] | 32) >= 'a' && (at[i] | 32) <= 'z' ? i + 1 : 0;
}

static chl_status fix_characters(const chl_characters *text, chl_characters *out) {
    out->count = 0;
    for (size_t i = 0; i < text->count; i++) {
        int32_t c = text->at[i];
        const size_t escape = terminal_escape(text->at + i, text->count - i);
        if (escape > 0) {
            i += escape - 1;
            continue;
        }
        if (is_control(c)) continue;
        utf8proc_int32_t plain[8] = {c};
        utf8proc_ssize_t count = 1;
        int boundary = 0;
        if (is_compatibility_form(c))
            count =
                utf8proc_decompose_char(c, plain, 8, UTF8PROC_COMPAT | UTF8PROC_COMPOSE, &boundary);
        if (c == 0xfb05) plain[0] = 0x17f; /* of "long s t" ftfy keeps the long s */
        for (utf8proc_ssize_t j = 0; j < count && j < 8; j++)
            CHL_TRY(chl_characters_add(out, straight(plain[j])));
    }
    return CHL_OK;
}

static chl_status normalise(chl_characters *text) {
    char *utf8 = NULL;
    CHL_TRY(encode(text, &utf8));
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t length = utf8proc_map((const utf8proc_uint8_t *)utf8, 0, &composed,
                                           UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    free(utf8);
    if (length < 0)
        return chl_fail(CHL_ERR_MEMORY, "text: cannot be normalised: %s", utf8proc_errmsg(length));
    text->count = 0;
    chl_status status = decode((const char *)composed, text);
    free(composed);
    return status;
}

static void collapse_spaces(chl_characters *text) {
    size_t to = 0;
    for (size_t i = 0; i < text->count; i++) {
        bool space = is_space(text->at[i]);
        if (space && (to == 0 || text->at[to - 1] == ' ')) continue;
        text->at[to++] = space ? ' ' : text->at[i];
    }
    text->count = to > 0 && text->at[to - 1] == ' ' ? to - 1 : to;
}

static bool is_cased(int32_t c) {
    utf8proc_category_t kind = utf8proc_category(c);
    return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL ||
           kind == UTF8PROC_CATEGORY_LT;
}

/* Characters that the rule for the final sigma skips (Unicode 3.13, "case-ignorable"). */
static bool is_case_ignorable(int32_t c) {
    utf8proc_category_t kind = utf8proc_category(c);
    return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME ||
           kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
           kind == UTF8PROC_CATEGORY_SK || c == '\'' || c == '.' || c == ':' || c == 0xb7 ||
           c == 0x2019;
}

static bool ends_word(const chl_characters *text, size_t at) {
    size_t before = at, after = at + 1;
    while (before > 0 && is_case_ignorable(text->at[before - 1])) before--;
    while (after < text->count && is_case_ignorable(text->at[after])) after++;
    return before > 0 && is_cased(text->at[before - 1]) &&
           !(after < text->count && is_cased(text->at[after]));
}

/* utf8proc maps each character to one character; Python's lower() has two rules beyond that: a
 * sigma at the end of a word, and I with a dot. */
static chl_status lower(const chl_characters *text, chl_characters *out) {
    for (size_t i = 0; i < text->count; i++) {
        int32_t c = text->at[i];
        int32_t small = c == 0x3a3 && ends_word(text, i) ? 0x3c2 : utf8proc_tolower(c);
        CHL_TRY(chl_characters_add(out, c == 0x130 ? 'i' : small));
        if (c == 0x130) CHL_TRY(chl_characters_add(out, 0x307)); /* the combining dot */
    }
    return CHL_OK;
}

static bool is_same(const chl_characters *a, const chl_characters *b) {
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->at, b->at, a->count * sizeof *a->at) == 0);
}

/* What ftfy does to one line, until nothing changes. */
static chl_status fix_line(chl_characters *line, bool unescape) {
    chl_characters before = {0}, fixed = {0};
    chl_status status;
    do {
        CHL_TRY_GOTO(copy(line->at, line->count, &before));
        if (unescape) chl_html_unescape(line, CHL_HTML_FTFY);
        CHL_TRY_GOTO(chl_mojibake_repair(line));
        CHL_TRY_GOTO(fix_characters(line, &fixed));
        CHL_TRY_GOTO(normalise(&fixed));
        CHL_TRY_GOTO(copy(fixed.at, fixed.count, line));
    } while (!is_same(line, &before));
done:
    chl_characters_free(&before);
    chl_characters_free(&fixed);
    return status;
}

/* A "<" is taken for a sign that the text is HTML, whose references mean something: from its line
 * on they stay. */
static chl_status fix_lines(const chl_characters *text, chl_characters *out) {
    chl_characters line = {0};
    chl_status status = CHL_OK;
    bool unescape = true;
    for (size_t from = 0, to; from < text->count; from = to) {
        for (to = from; to < text->count && text->at[to] != '\n'; to++)
            if (text->at[to] == '<') unescape = false;
        if (to < text->count) to++;
        CHL_TRY_GOTO(copy(text->at + from, to - from, &line));
        CHL_TRY_GOTO(fix_line(&line, unescape));
        for (size_t i = 0; i < line.count; i++) CHL_TRY_GOTO(chl_characters_add(out, line.at[i]));
    }
done:
    chl_characters_free(&line);
    return status;
}

chl_status chl_text_clean(const char *utf8, char **cleaned) {
    chl_characters text = {0}, fixed = {0}, small = {0};
    chl_status status;
    *cleaned = NULL;
    CHL_TRY_GOTO(decode(utf8, &text));
    CHL_TRY_GOTO(fix_lines(&text, &fixed));
    chl_html_unescape(&fixed, CHL_HTML_BROWSER);
    chl_html_unescape(&fixed, CHL_HTML_BROWSER);
    collapse_spaces(&fixed);
    CHL_TRY_GOTO(lower(&fixed, &small));
    CHL_TRY_GOTO(encode(&small, cleaned));
done:
    chl_characters_free(&text);
    chl_characters_free(&fixed);
    chl_characters_free(&small);
    return status;
}
