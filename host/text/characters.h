/* A text as an array of Unicode characters (code points), the form it has between the steps of
 * cleaning. */
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

/* Replaces character references as HTML 5 does: &amp; &eacute; &#233; &#xe9;. The names are HTML
 * 4's 252 and AMP, COPY, GT, LT, QUOT, REG, apos; those of Latin-1 are recognised without a
 * semicolon too. Works in place: a text only becomes shorter. */
void chl_html_unescape(chl_characters *text);

/* Cleans a text as CLIP's training cleaned captions before it split them [openai/CLIP,
 * simple_tokenizer.py]; *cleaned is UTF-8 that the caller frees. The steps: HTML unescaped twice;
 * ftfy's fixes that change correctly decoded text (full-width letters, ligatures, curly quotes,
 * control characters); NFC; white space collapsed and trimmed; lower case as Python's lower().
 * Limit: ftfy's repair of wrongly decoded text (mojibake) is not done. A text that is not UTF-8 is
 * CHL_ERR_FORMAT, naming the position.
 *
 *     "Rock &amp;amp; Roll\xe2\x80\x99s  END"  becomes  "rock & roll's end" */
chl_status chl_text_clean(const char *utf8, char **cleaned);
#endif
