/* Names and texts from outside, made fit to print. */
#include <chladni/status.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at `at`, a terminated text; 0: it is none (too long a form, a
 * surrogate, beyond U+10FFFF, cut short) [RFC 3629, table 3-7 of the Unicode standard]. */
static size_t character(const unsigned char *at) {
    if (at[0] < 0x80) return 1;
    const size_t length = at[0] >= 0xC2 && at[0] <= 0xDF   ? 2
                          : at[0] >= 0xE0 && at[0] <= 0xEF ? 3
                          : at[0] >= 0xF0 && at[0] <= 0xF4 ? 4
                                                           : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

/* U+202A to U+202E and U+2066 to U+2069 turn the order of what follows: a name with one shows another
 * ending than it has. U+2028 and U+2029 end lines. */
static int is_order(const unsigned char *at) {
    return at[0] == 0xE2 && ((at[1] == 0x80 && at[2] >= 0xA8 && at[2] <= 0xAE) ||
                             (at[1] == 0x81 && at[2] >= 0xA6 && at[2] <= 0xA9));
}

static int is_control(const unsigned char *at) {
    return at[0] < 0x20 || at[0] == 0x7F || (at[0] == 0xC2 && at[1] < 0xA0) || is_order(at);
}

char *chl_text_escape(const char *text, int controls) {
    if (!text) return NULL;
    static const char digit[] = "0123456789abcdef";
    char *copy = malloc(4 * strlen(text) + 1), *to = copy;
    if (!copy) return NULL;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = character(at);
        const int kept = length > 0 && !(controls && is_control(at));
        if (length == 0) length = 1;
        for (size_t i = 0; i < length; i++) {
            if (kept) {
                *to++ = (char)at[i];
                continue;
            }
            *to++ = '\\';
            *to++ = 'x';
            *to++ = digit[at[i] >> 4];
            *to++ = digit[at[i] & 15];
        }
        at += length;
    }
    *to = 0;
    return copy;
}

/* A shell takes all between two ' as it is, but for ' itself. */
char *chl_text_quote(const char *text) {
    if (!text) return NULL;
    static const char quote[] = "'\\''";
    size_t quotes = 0;
    for (const char *c = text; *c; c++) quotes += *c == '\'';
    char *word = malloc(strlen(text) + quotes * (sizeof quote - 2) + 3), *to = word;
    if (!word) return NULL;
    *to++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            to = stpcpy(to, quote);
        else
            *to++ = *text;
    }
    *to++ = '\'';
    *to = 0;
    return word;
}
