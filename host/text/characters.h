/* Text as a growing array of Unicode characters, between the steps of cleaning. */
#ifndef CHL_TEXT_CHARACTERS_H
#define CHL_TEXT_CHARACTERS_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct chl_characters {
    int32_t *at;
    size_t count, capacity;
} chl_characters;

chl_status chl_characters_add(chl_characters *text, int32_t character);
void chl_characters_free(chl_characters *text);

/* Replaces character references as HTML 5 does: &amp; &eacute; &#233; &#xe9;. Named ones are HTML
 * 4's 252 and a few more; the Latin-1 ones are known without a semicolon too. In place: it only
 * gets shorter. */
void chl_html_unescape(chl_characters *text);

/* What CLIP's training did to captions before splitting them, as UTF-8 that the caller frees:
 * HTML unescaped twice; the usual mess mended (full-width letters, ligatures, curly quotes, control
 * characters: the parts of the ftfy library that change clean text; its guessing at wrongly decoded
 * text is left out); NFC; white space collapsed and trimmed; lower case as in Python. Text that is
 * not UTF-8 is CHL_ERR_FORMAT with the position. */
chl_status chl_text_clean(const char *utf8, char **cleaned);
#endif
