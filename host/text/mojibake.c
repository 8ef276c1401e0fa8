/* Text whose UTF-8 bytes were read in another encoding: "cafÃ©" for "café", "itâ€™s" for "it's".
 * The bytes are taken back and read as UTF-8.
 *
 * That text is meant otherwise is told by this: hardly any text that somebody wrote forms valid
 * UTF-8. In Windows-1252 and Latin-1, the usual case, each such piece of a text is repaired, once
 * the text has a piece that nobody writes:
 *     Â or Ã and a character of the bytes 128 to 191; three or four characters that form one
 *     character; two such pairs in a row; a control character of the bytes 128 to 159;
 *     Â or Ã, at the start or behind a small letter, and a space
 * (a space may stand for byte 160, which many programs turn into one). In the other encodings all
 * characters beyond ASCII must belong to pieces, at least two. */
#include "text/characters.h"
#include "text/charsets.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LOST 0xfffd /* a program put this for a byte that it did not know */
#define LOST_BYTE (-2)
#define NO_BYTE (-1)

/* The byte that reads as `c` in Windows-1252, or in Latin-1. */
static int byte_of(int32_t c) {
    if (c < 256) return c;
    if (c == LOST) return LOST_BYTE;
    for (int byte = 128; byte < 160; byte++)
        if (chl_windows_1252(byte) == c) return byte;
    return NO_BYTE;
}

static bool continues(int byte) {
    return byte >= 128 && byte < 192;
}

/* Whether a space behind the bytes so far may have been byte 160 (what it makes of them is likely).
 */
static bool may_be_160(const int *bytes, int have, int need) {
    const int lead = bytes[0];
    if (need == 2)
        return lead == 0xc2 || lead == 0xc3 || lead == 0xc5 || lead == 0xce || lead == 0xd0 ||
               lead == 0xd9;
    if (need == 3)
        return have == 1 ? lead == 0xe2 || lead == 0xe3 : lead <= 0xe3 && bytes[1] != 0xa0;
    return lead == 0xf0;
}

typedef struct piece {
    size_t length;     /* characters; 0: none begins here */
    int32_t character; /* that it stands for */
    bool spaced;       /* a space stands for one of its bytes */
} piece;

static int bytes_needed(int lead) {
    return lead >= 0xc2 && lead < 0xe0   ? 2
           : lead >= 0xe0 && lead < 0xf0 ? 3
           : lead >= 0xf0 && lead < 0xf5 ? 4
                                         : 0;
}

static bool is_character(int32_t c, int need) {
    const int32_t lowest = need == 2 ? 0x80 : need == 3 ? 0x800 : 0x10000;
    return c >= lowest && c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000);
}

/* The piece at `at`; byte[] are the bytes of the characters there. */
static piece piece_of(const int *byte, size_t left) {
    const piece none = {0};
    const int need = byte[0] > 0 ? bytes_needed(byte[0]) : 0;
    if (need == 0 || left < (size_t)need) return none;
    int32_t c = byte[0] & (0xff >> (need + 1));
    piece p = {.length = (size_t)need};
    bool lost = false;
    for (int i = 1; i < need; i++) {
        int b = byte[i];
        if (b == ' ' && !p.spaced && may_be_160(byte, i, need)) {
            p.spaced = true;
            b = 160;
        }
        lost = lost || b == LOST_BYTE;
        if (b != LOST_BYTE && !continues(b)) return none;
        c = c << 6 | (b & 63);
    }
    p.character = lost ? LOST : c;
    return lost || is_character(c, need) ? p : none;
}

static bool is_small_letter(int32_t c) {
    return c >= 'a' && c <= 'z';
}

/* Â or Ã and a space: byte 160 behind it became one, at a place where nobody writes such a letter.
 */
static bool is_spaced_word(const int32_t *at, size_t i) {
    if (at[i] != 0xc2 && at[i] != 0xc3) return false;
    if (i == 0 || is_small_letter(at[i - 1])) return true;
    return i > 1 && at[i - 1] == ' ' && is_small_letter(at[i - 2]);
}

static bool is_meant_otherwise(const int32_t *at, const int *byte, size_t count) {
    bool behind_pair = false;
    for (size_t i = 0; i < count;) {
        if (at[i] >= 128 && at[i] < 160) return true;
        const piece p = piece_of(byte + i, count - i);
        if (p.length == 2 && p.spaced && is_spaced_word(at, i)) return true;
        if (p.length > 0 && !p.spaced) {
            if (p.length > 2 || byte[i] == 0xc2 || byte[i] == 0xc3 || behind_pair) return true;
            behind_pair = true;
            i += p.length;
        } else {
            behind_pair = false;
            i++;
        }
    }
    return false;
}

/* "Ã la" is "à la": here the space is both byte 160 and a space, but for Portuguese words. */
static bool keeps_space(const int32_t *at, size_t left) {
    static const char *const words[] = {" ", "quele", "quela", "quilo", "s "};
    if (at[0] != 0xc3) return false;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t i = 0;
        while (words[w][i] && 2 + i < left && at[2 + i] == words[w][i]) i++;
        if (!words[w][i]) return false;
    }
    return true;
}

static bool repair(chl_characters *text, const int *byte) {
    size_t to = 0;
    bool changed = false;
    for (size_t from = 0; from < text->count;) {
        const int32_t *at = text->at + from;
        const piece p = piece_of(byte + from, text->count - from);
        if (p.length == 0) {
            text->at[to++] = *at;
            from++;
            continue;
        }
        const bool space = p.spaced && p.length == 2 && keeps_space(at, text->count - from);
        text->at[to++] = p.character;
        if (space) text->at[to++] = ' ';
        from += p.length;
        changed = true;
    }
    text->count = to;
    return changed;
}

/* --- other encodings -------------------------------------------------------------------------- */
static int byte_in(const uint16_t charset[128], int32_t c) {
    if (c < 128) return c;
    for (int i = 0; i < 128; i++)
        if (charset[i] == c) return 128 + i;
    return NO_BYTE;
}

static bool repair_whole(chl_characters *text, const uint16_t charset[128], int *byte) {
    size_t pieces = 0, to = 0;
    for (size_t i = 0; i < text->count; i++) {
        byte[i] = byte_in(charset, text->at[i]);
        if (byte[i] == NO_BYTE) return false;
    }
    for (size_t i = 0; i < text->count;) {
        const piece p = piece_of(byte + i, text->count - i);
        if (byte[i] >= 128 && (p.length == 0 || p.spaced)) return false;
        pieces += p.length > 2 ? 2 : p.length > 0;
        i += p.length > 0 ? p.length : 1;
    }
    if (pieces < 2) return false;
    for (size_t i = 0; i < text->count;) {
        const piece p = piece_of(byte + i, text->count - i);
        text->at[to++] = p.length > 0 ? p.character : text->at[i];
        i += p.length > 0 ? p.length : 1;
    }
    text->count = to;
    return true;
}

/* One step; *changed tells whether another may follow (text is read wrongly twice, too). */
static chl_status repair_step(chl_characters *text, bool *changed) {
    *changed = false;
    bool ascii = true;
    for (size_t i = 0; i < text->count; i++) ascii = ascii && text->at[i] < 128;
    if (ascii) return CHL_OK;
    int *byte = malloc(text->count * sizeof *byte);
    if (!byte) return chl_fail(CHL_ERR_MEMORY, "text: out of memory");
    for (size_t i = 0; i < text->count; i++) byte[i] = byte_of(text->at[i]);
    if (is_meant_otherwise(text->at, byte, text->count)) *changed = repair(text, byte);
    for (int k = 0; k < CHL_CHARSETS && !*changed; k++)
        *changed = repair_whole(text, chl_charset[k], byte);
    free(byte);
    return CHL_OK;
}

chl_status chl_mojibake_repair(chl_characters *text) {
    for (bool changed = true; changed;) CHL_TRY(repair_step(text, &changed));
    /* control characters that are left were meant as Windows-1252 */
    for (size_t i = 0; i < text->count; i++) text->at[i] = chl_windows_1252(text->at[i]);
    return CHL_OK;
}
