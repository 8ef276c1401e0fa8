/* HTML character references, as Python's html.unescape resolves them [HTML 5, 13.5
 * and 13.2.5.72-80]. The table has HTML 4's names [HTML 4.01, 24], sorted. */
#include "text/characters.h"
#include <stdbool.h>
#include <string.h>

typedef struct entity {
    const char *name;
    int32_t character;
} entity;

/* clang-format off */
static const entity entities[] = {
    {"AElig", 198}, {"AMP", 38}, {"Aacute", 193}, {"Acirc", 194}, {"Agrave", 192}, {"Alpha", 913},
    {"Aring", 197}, {"Atilde", 195}, {"Auml", 196}, {"Beta", 914}, {"COPY", 169}, {"Ccedil", 199},
    {"Chi", 935}, {"Dagger", 8225}, {"Delta", 916}, {"ETH", 208}, {"Eacute", 201}, {"Ecirc", 202},
    {"Egrave", 200}, {"Epsilon", 917}, {"Eta", 919}, {"Euml", 203}, {"GT", 62}, {"Gamma", 915},
    {"Iacute", 205}, {"Icirc", 206}, {"Igrave", 204}, {"Iota", 921}, {"Iuml", 207}, {"Kappa", 922},
    {"LT", 60}, {"Lambda", 923}, {"Mu", 924}, {"Ntilde", 209}, {"Nu", 925}, {"OElig", 338},
    {"Oacute", 211}, {"Ocirc", 212}, {"Ograve", 210}, {"Omega", 937}, {"Omicron", 927},
    {"Oslash", 216}, {"Otilde", 213}, {"Ouml", 214}, {"Phi", 934}, {"Pi", 928}, {"Prime", 8243},
    {"Psi", 936}, {"QUOT", 34}, {"REG", 174}, {"Rho", 929}, {"Scaron", 352}, {"Sigma", 931},
    {"THORN", 222}, {"Tau", 932}, {"Theta", 920}, {"Uacute", 218}, {"Ucirc", 219}, {"Ugrave", 217},
    {"Upsilon", 933}, {"Uuml", 220}, {"Xi", 926}, {"Yacute", 221}, {"Yuml", 376}, {"Zeta", 918},
    {"aacute", 225}, {"acirc", 226}, {"acute", 180}, {"aelig", 230}, {"agrave", 224},
    {"alefsym", 8501}, {"alpha", 945}, {"amp", 38}, {"and", 8743}, {"ang", 8736}, {"apos", 39},
    {"aring", 229}, {"asymp", 8776}, {"atilde", 227}, {"auml", 228}, {"bdquo", 8222}, {"beta", 946},
    {"brvbar", 166}, {"bull", 8226}, {"cap", 8745}, {"ccedil", 231}, {"cedil", 184}, {"cent", 162},
    {"chi", 967}, {"circ", 710}, {"clubs", 9827}, {"cong", 8773}, {"copy", 169}, {"crarr", 8629},
    {"cup", 8746}, {"curren", 164}, {"dArr", 8659}, {"dagger", 8224}, {"darr", 8595}, {"deg", 176},
    {"delta", 948}, {"diams", 9830}, {"divide", 247}, {"eacute", 233}, {"ecirc", 234},
    {"egrave", 232}, {"empty", 8709}, {"emsp", 8195}, {"ensp", 8194}, {"epsilon", 949},
    {"equiv", 8801}, {"eta", 951}, {"eth", 240}, {"euml", 235}, {"euro", 8364}, {"exist", 8707},
    {"fnof", 402}, {"forall", 8704}, {"frac12", 189}, {"frac14", 188}, {"frac34", 190},
    {"frasl", 8260}, {"gamma", 947}, {"ge", 8805}, {"gt", 62}, {"hArr", 8660}, {"harr", 8596},
    {"hearts", 9829}, {"hellip", 8230}, {"iacute", 237}, {"icirc", 238}, {"iexcl", 161},
    {"igrave", 236}, {"image", 8465}, {"infin", 8734}, {"int", 8747}, {"iota", 953},
    {"iquest", 191}, {"isin", 8712}, {"iuml", 239}, {"kappa", 954}, {"lArr", 8656}, {"lambda", 955},
    {"lang", 10216}, {"laquo", 171}, {"larr", 8592}, {"lceil", 8968}, {"ldquo", 8220}, {"le", 8804},
    {"lfloor", 8970}, {"lowast", 8727}, {"loz", 9674}, {"lrm", 8206}, {"lsaquo", 8249},
    {"lsquo", 8216}, {"lt", 60}, {"macr", 175}, {"mdash", 8212}, {"micro", 181}, {"middot", 183},
    {"minus", 8722}, {"mu", 956}, {"nabla", 8711}, {"nbsp", 160}, {"ndash", 8211}, {"ne", 8800},
    {"ni", 8715}, {"not", 172}, {"notin", 8713}, {"nsub", 8836}, {"ntilde", 241}, {"nu", 957},
    {"oacute", 243}, {"ocirc", 244}, {"oelig", 339}, {"ograve", 242}, {"oline", 8254},
    {"omega", 969}, {"omicron", 959}, {"oplus", 8853}, {"or", 8744}, {"ordf", 170}, {"ordm", 186},
    {"oslash", 248}, {"otilde", 245}, {"otimes", 8855}, {"ouml", 246}, {"para", 182},
    {"part", 8706}, {"permil", 8240}, {"perp", 8869}, {"phi", 966}, {"pi", 960}, {"piv", 982},
    {"plusmn", 177}, {"pound", 163}, {"prime", 8242}, {"prod", 8719}, {"prop", 8733}, {"psi", 968},
    {"quot", 34}, {"rArr", 8658}, {"radic", 8730}, {"rang", 10217}, {"raquo", 187}, {"rarr", 8594},
    {"rceil", 8969}, {"rdquo", 8221}, {"real", 8476}, {"reg", 174}, {"rfloor", 8971}, {"rho", 961},
    {"rlm", 8207}, {"rsaquo", 8250}, {"rsquo", 8217}, {"sbquo", 8218}, {"scaron", 353},
    {"sdot", 8901}, {"sect", 167}, {"shy", 173}, {"sigma", 963}, {"sigmaf", 962}, {"sim", 8764},
    {"spades", 9824}, {"sub", 8834}, {"sube", 8838}, {"sum", 8721}, {"sup", 8835}, {"sup1", 185},
    {"sup2", 178}, {"sup3", 179}, {"supe", 8839}, {"szlig", 223}, {"tau", 964}, {"there4", 8756},
    {"theta", 952}, {"thetasym", 977}, {"thinsp", 8201}, {"thorn", 254}, {"tilde", 732},
    {"times", 215}, {"trade", 8482}, {"uArr", 8657}, {"uacute", 250}, {"uarr", 8593},
    {"ucirc", 251}, {"ugrave", 249}, {"uml", 168}, {"upsih", 978}, {"upsilon", 965}, {"uuml", 252},
    {"weierp", 8472}, {"xi", 958}, {"yacute", 253}, {"yen", 165}, {"yuml", 255}, {"zeta", 950},
    {"zwj", 8205}, {"zwnj", 8204},
};
/* clang-format on */
#define ENTITIES (sizeof entities / sizeof *entities)

/* Numbers 128 to 159 are Windows-1252 in HTML, not Unicode (HTML 5, 13.2.5.80). */
static const int32_t windows_1252[32] = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
    0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

static int digit_of(int32_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/* The character of a numeric reference; -1: it is removed. */
static int32_t numbered(uint32_t value) {
    if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0xfffd;
    if (value >= 128 && value < 160) return windows_1252[value - 128];
    bool control = value < 9 || value == 11 || (value > 13 && value < 32) || value == 127;
    bool unassigned = (value >= 0xfdd0 && value <= 0xfdef) || (value & 0xfffe) == 0xfffe;
    return control || unassigned ? -1 : (int32_t)value;
}

/* "&#..." at `at`: the length of the reference, 0 when it is none, and its character. */
static size_t number_at(const int32_t *at, size_t left, int32_t *character) {
    size_t i = 2;
    uint32_t base = 10, value = 0;
    if (left > 2 && (at[2] == 'x' || at[2] == 'X')) {
        base = 16;
        i = 3;
    }
    size_t first = i;
    for (; i < left && (uint32_t)digit_of(at[i]) < base; i++)
        if (value <= 0x10ffff) value = value * base + (uint32_t)digit_of(at[i]);
    if (i == first) return 0;
    *character = numbered(value);
    return i < left && at[i] == ';' ? i + 1 : i;
}

/* "&name" at `at`, likewise. The longest name counts; without a semicolon only Latin-1's are names.
 */
static size_t name_at(const int32_t *at, size_t left, int32_t *character) {
    size_t longest = 0;
    for (size_t e = 0; e < ENTITIES; e++) {
        const char *name = entities[e].name;
        size_t length = strlen(name), i = 0;
        if (length + 1 <= longest || length + 1 > left) continue;
        while (i < length && at[1 + i] == name[i]) i++;
        if (i < length) continue;
        bool closed = left > length + 1 && at[length + 1] == ';';
        bool bare = entities[e].character < 256 && strcmp(name, "apos") != 0;
        if (!closed && !bare) continue;
        longest = length + 1 + closed;
        *character = entities[e].character;
    }
    return longest;
}

void chl_html_unescape(chl_characters *text) {
    size_t to = 0;
    for (size_t from = 0; from < text->count;) {
        const int32_t *at = text->at + from;
        size_t left = text->count - from, length = 0;
        int32_t character = -1;
        if (at[0] == '&' && left > 1)
            length = at[1] == '#' ? number_at(at, left, &character) : name_at(at, left, &character);
        if (length == 0) {
            character = at[0];
            length = 1;
        }
        if (character >= 0) text->at[to++] = character;
        from += length;
    }
    text->count = to;
}
