/* A text as an array of Unicode characters (code points), the form it has between the steps of
 * cleaning. */
#ifndef CHL_TEXT_CHARACTERS_H
#define CHL_TEXT_CHARACTERS_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

/* A text with more bytes is an error: tokenizers would cut it to 77 tokens anyway. */
#define CHL_TEXT_MAX_BYTES 8192

typedef struct chl_characters {
    int32_t *at;
    size_t count, capacity;
} chl_characters;

chl_status chl_characters_add(chl_characters *text, int32_t character);
void chl_characters_free(chl_characters *text);

/* Replaces character references: &amp; &eacute; &#233; &#xe9;. All 2125 names of HTML 5 are known.
 * CHL_HTML_BROWSER: as Python's html.unescape; Latin-1's names also without a semicolon, the
 * longest one first. CHL_HTML_FTFY: only with a semicolon, and also in capitals (&EACUTE;). Works
 * in place: a text only becomes shorter. */
typedef enum chl_html_rules { CHL_HTML_BROWSER, CHL_HTML_FTFY } chl_html_rules;
void chl_html_unescape(chl_characters *text, chl_html_rules rules);

/* The character of Windows-1252's byte c where 128 <= c < 160, else c itself. */
int32_t chl_windows_1252(int32_t c);

/* Text that was UTF-8 and was read in another encoding is read as UTF-8 (mojibake.c). */
chl_status chl_mojibake_repair(chl_characters *text);

/* Cleans a text as CLIP's training cleaned captions before it split them [openai/CLIP,
 * simple_tokenizer.py]; *cleaned is UTF-8 that the caller frees. The steps: ftfy's fix_text, line
 * by line until nothing changes (references, unless a line has a "<"; mojibake; ligatures,
 * full-width letters, curly quotes, line ends, escape sequences of terminals, control characters;
 * NFC); HTML unescaped twice; white space collapsed and trimmed; lower case as Python's lower().
 *
 * Differs from ftfy 6.3 in how it tells mojibake (mojibake.c; docs/method.md has the figures). A
 * text that is not UTF-8 is CHL_ERR_FORMAT, naming the position.
 *
 *     "Rock &amp;amp; Roll\xe2\x80\x99s  END"  becomes  "rock & roll's end" */
chl_status chl_text_clean(const char *utf8, char **cleaned);
#endif
