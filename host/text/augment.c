#include "text/augment.h"
#include "base/random.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE 0x576f7264u /* Philox key of these draws */

static const char *const neutral[] = {"a", "the", "sound", "sounds", "noise"};

/* WordNet has no articles and prepositions; what it lists under their spelling is something else
 * ("a": angstrom, "over": finished). */
static const char *const never_replaced[] = {"a",    "an",   "and", "at", "by", "for",  "from",
                                             "in",   "into", "no",  "of", "on", "off",  "or",
                                             "over", "the",  "to",  "up", "as", "with", "under"};

chl_text_augment chl_text_augment_defaults(void) {
    return (chl_text_augment){.words = neutral,
                              .count = (int)(sizeof neutral / sizeof neutral[0]),
                              .synonym = 0.2f,
                              .insert = 0.2f,
                              .permute = 0.1f};
}

/* The stream of random words of (seed, text number, variant); `used` of them are drawn. */
typedef struct draws {
    uint64_t seed, number, variant;
    uint32_t used;
} draws;

static uint32_t draw(draws *d) {
    uint64_t element = d->variant << 10 | d->used / 4;
    return chl_random(d->seed, PURPOSE, d->number, element).word[d->used++ % 4];
}

static int draw_below(draws *d, int count) {
    return (int)chl_random_below(draw(d), count);
}

/* The words in order. Those of the text and their synonyms are in `owned`; inserted ones are not.
 */
typedef struct sentence {
    const char *word[CHL_AUGMENT_MAX_WORDS + 1];
    char *owned[CHL_AUGMENT_MAX_WORDS];
    int count;
} sentence;

static chl_status copy_word(const char *from, size_t length, char **out) {
    *out = strndup(from, length);
    return *out ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a label");
}

static chl_status split(const char *text, sentence *s) {
    static const char blanks[] = " \t\r\n\f\v";
    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        size_t length = strcspn(text, blanks);
        if (s->count == CHL_AUGMENT_MAX_WORDS)
            return chl_fail(CHL_ERR_ARGUMENT, "\"%.40s...\": the label has more than %d words",
                            text, CHL_AUGMENT_MAX_WORDS);
        CHL_TRY(copy_word(text, length, &s->owned[s->count]));
        s->word[s->count] = s->owned[s->count];
        s->count++;
        text += length;
    }
    return CHL_OK;
}

static bool replaceable(const char *word) {
    for (size_t i = 0; i < sizeof never_replaced / sizeof never_replaced[0]; i++)
        if (!strcasecmp(word, never_replaced[i])) return false;
    return true;
}

static chl_status replace(const chl_text_augment *settings, draws *d, sentence *s) {
    for (int i = 0; settings->wordnet && i < s->count; i++) {
        char synonym[CHL_WORDNET_MAX], *copy;
        int count;
        float chance = chl_uniform(draw(d));
        uint32_t pick = draw(d);
        if (chance >= settings->synonym || !replaceable(s->word[i])) continue;
        CHL_TRY(chl_wordnet_synonym(settings->wordnet, s->word[i], pick, synonym, &count));
        if (count == 0) continue;
        CHL_TRY(copy_word(synonym, strlen(synonym), &copy));
        free(s->owned[i]); /* nothing is inserted yet: both arrays have the same order */
        s->word[i] = s->owned[i] = copy;
    }
    return CHL_OK;
}

static void insert(const chl_text_augment *settings, draws *d, sentence *s) {
    if (settings->count < 1 || chl_uniform(draw(d)) >= settings->insert) return;
    const char *word = settings->words[draw_below(d, settings->count)];
    int at = draw_below(d, s->count + 1);
    memmove(s->word + at + 1, s->word + at, (size_t)(s->count - at) * sizeof *s->word);
    s->word[at] = word;
    s->count++;
}

/* The shuffle of Fisher and Yates. */
static void permute(const chl_text_augment *settings, draws *d, sentence *s) {
    if (chl_uniform(draw(d)) >= settings->permute) return;
    for (int i = s->count - 1; i > 0; i--) {
        int other = draw_below(d, i + 1);
        const char *word = s->word[i];
        s->word[i] = s->word[other];
        s->word[other] = word;
    }
}

static chl_status join(const sentence *s, char out[CHL_TEXT_MAX_BYTES]) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < s->count; i++) {
        size_t room = CHL_TEXT_MAX_BYTES - used;
        size_t wants = (size_t)snprintf(out + used, room, "%s%s", i ? " " : "", s->word[i]);
        if (wants >= room)
            return chl_fail(CHL_ERR_ARGUMENT,
                            "\"%.40s...\": the reworded label has more than %d bytes", out,
                            CHL_TEXT_MAX_BYTES);
        used += wants;
    }
    return CHL_OK;
}

chl_status chl_text_augment_draw(const chl_text_augment *settings, uint64_t seed, uint64_t number,
                                 uint64_t variant, const char *text, char out[CHL_TEXT_MAX_BYTES]) {
    draws d = {.seed = seed, .number = number, .variant = variant};
    sentence s = {.count = 0};
    chl_status status;
    CHL_TRY_GOTO(split(text, &s));
    CHL_TRY_GOTO(replace(settings, &d, &s));
    insert(settings, &d, &s);
    permute(settings, &d, &s);
    CHL_TRY_GOTO(join(&s, out));
done:
    for (int i = 0; i < CHL_AUGMENT_MAX_WORDS; i++) free(s.owned[i]);
    return status;
}
