/* HTML character references, resolved in two ways: as browsers do (Python's html.unescape) [HTML 5,
 * 13.5 and 13.2.5.72-80], and as ftfy does, which is stricter (a semicolon must end them) and also
 * knows names written in capitals. */
#include "text/characters.h"
#include "text/html_names.h"
#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

#define FTFY_LONGEST 24 /* letters of a name or digits that ftfy looks at */

/* Numbers 128 to 159 are Windows-1252 in HTML, not Unicode (HTML 5, 13.2.5.80). */
static const int32_t windows_1252[32] = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
    0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

int32_t chl_windows_1252(int32_t c) {
    return c >= 128 && c < 160 ? windows_1252[c - 128] : c;
}

/* What a reference stands for: up to four characters. */
typedef struct meaning {
    int32_t at[4];
    int count;
} meaning;

static int digit_of(int32_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/* Nothing for the number of a control character or of none. */
static meaning numbered(uint32_t value) {
    if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return (meaning){{0xfffd}, 1};
    const bool control = value < 9 || value == 11 || (value > 13 && value < 32) || value == 127;
    const bool unassigned = (value >= 0xfdd0 && value <= 0xfdef) || (value & 0xfffe) == 0xfffe;
    if (control || unassigned) return (meaning){{0}, 0};
    return (meaning){{chl_windows_1252((int32_t)value)}, 1};
}

/* "&#..." at `at`: the length of the reference, 0 when it is none, and its meaning. */
static size_t number_at(const int32_t *at, size_t left, meaning *m) {
    size_t i = 2;
    uint32_t base = 10, value = 0;
    if (left > 2 && (at[2] == 'x' || at[2] == 'X')) {
        base = 16;
        i = 3;
    }
    const size_t first = i;
    for (; i < left && (uint32_t)digit_of(at[i]) < base; i++)
        if (value <= 0x10ffff) value = value * base + (uint32_t)digit_of(at[i]);
    if (i == first) return 0;
    *m = numbered(value);
    return i < left && at[i] == ';' ? i + 1 : i;
}

static int compare(const char *name, const int32_t *letters, size_t length) {
    for (size_t i = 0; i < length; i++) {
        const int32_t c = (unsigned char)name[i];
        if (c != letters[i]) return c < letters[i] ? -1 : 1;
    }
    return name[length] != 0;
}

static const chl_html_name *find(const int32_t *letters, size_t length) {
    size_t low = 0, high = CHL_HTML_NAMES;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = compare(chl_html_names[middle].name, letters, length);
        if (order == 0) return &chl_html_names[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static meaning meaning_of(const chl_html_name *name) {
    return (meaning){{name->first, name->second}, name->second ? 2 : 1};
}

static size_t letters_at(const int32_t *at, size_t left, size_t most) {
    size_t count = 0;
    while (count < left && count < most && at[count] < 128 &&
           (digit_of(at[count]) < 10 || ((at[count] | 32) >= 'a' && (at[count] | 32) <= 'z')))
        count++;
    return count;
}

/* "&name" at `at`, likewise. The whole name before a semicolon, or else the longest of its starts
 * that is known without one. */
static size_t name_at(const int32_t *at, size_t left, meaning *m) {
    const size_t letters = letters_at(at + 1, left - 1, CHL_HTML_LONGEST);
    if (letters + 1 < left && at[letters + 1] == ';') {
        const chl_html_name *name = find(at + 1, letters);
        if (name) {
            *m = meaning_of(name);
            return letters + 2;
        }
    }
    for (size_t length = letters; length > 1; length--) {
        const chl_html_name *name = find(at + 1, length);
        if (!name || !name->bare) continue;
        *m = meaning_of(name);
        return length + 1;
    }
    return 0;
}

/* --- as ftfy does ----------------------------------------------------------------------------- */
/* "&EACUTE;": the capital of &eacute;, where browsers see no reference in it. */
static bool in_capitals(const int32_t *letters, size_t length, meaning *m) {
    int32_t small[FTFY_LONGEST];
    for (size_t i = 0; i < length; i++) {
        if (letters[i] >= 'a') return false;
        small[i] = letters[i] >= 'A' ? letters[i] + 32 : letters[i];
    }
    for (size_t bare = 2; bare <= length; bare++) {
        const chl_html_name *name = find(letters, bare);
        if (name && name->bare) return false;
    }
    const chl_html_name *name = find(small, length);
    if (!name) return false;
    for (int i = 0; i < CHL_HTML_LONG_CAPITALS; i++) {
        const chl_html_capitals *capitals = &chl_html_long_capitals[i];
        if (compare(capitals->name, letters, length) != 0) continue;
        *m = (meaning){{0}, 0};
        while (m->count < 4 && capitals->value[m->count]) {
            m->at[m->count] = capitals->value[m->count];
            m->count++;
        }
        return true;
    }
    *m = meaning_of(name);
    for (int i = 0; i < m->count; i++) m->at[i] = utf8proc_toupper(m->at[i]);
    return true;
}

static size_t strict_at(const int32_t *at, size_t left, meaning *m) {
    const bool number = at[1] == '#';
    const int32_t *letters = at + 1 + number;
    const size_t room = left - 1 - number;
    const size_t length = letters_at(letters, room, FTFY_LONGEST);
    if (length == 0 || length == room || letters[length] != ';') return 0;
    const size_t whole = length + 2 + number;
    if (number) {
        const bool read = number_at(at, left, m) == whole;
        return read && !(m->count == 1 && m->at[0] == ';') ? whole : 0;
    }
    const chl_html_name *name = find(letters, length);
    if (!name) return in_capitals(letters, length, m) ? whole : 0;
    *m = meaning_of(name);
    return whole;
}

void chl_html_unescape(chl_characters *text, chl_html_rules rules) {
    size_t to = 0;
    for (size_t from = 0; from < text->count;) {
        const int32_t *at = text->at + from;
        const size_t left = text->count - from;
        size_t length = 0;
        meaning m = {{0}, 0};
        if (at[0] == '&' && left > 1)
            length = rules == CHL_HTML_FTFY ? strict_at(at, left, &m)
                     : at[1] == '#'         ? number_at(at, left, &m)
                                            : name_at(at, left, &m);
        if (length == 0) {
            m = (meaning){{at[0]}, 1};
            length = 1;
        }
        for (int i = 0; i < m.count; i++) text->at[to++] = m.at[i];
        from += length;
    }
    text->count = to;
}
