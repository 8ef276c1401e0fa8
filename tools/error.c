/* What went wrong, on stderr, in the program's terms. */
#include "command.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library names fields of its option structs; who uses the program knows flags. */
static struct {
    const char *field, *flag;
} flags[] = {
    {"adam_eps", "--adam-eps"},
    {"adversary", "--adversary"},
    {"algorithm", "--algorithm"},
    {"amount", "the amount of --mix"},
    {"audio", "--audio"},
    {"ahead", "--ahead"},
    {"augment", "--augment"},
    {"augment_kimg", "--augment-kimg"},
    {"augment_p", "--augment-p"},
    {"augment_target", "--augment-target"},
    {"average", "--average"},
    {"average_kimg", "--average-kimg"},
    {"average_ramp", "--average-ramp"},
    {"balance", "--balance"},
    {"batch", "--batch"},
    {"beta1", "--beta1"},
    {"beta2", "--beta2"},
    {"bias", "--bias"},
    {"blur_kimg", "--blur-kimg"},
    {"blur_sigma", "--blur-sigma"},
    {"bound", "the bound of --keep"},
    {"cache", "--cache"},
    {"cache_mels", "--cache-mels"},
    {"clip", "--clip"},
    {"clip_exact_gelu", "--clip-gelu"},
    {"clip_image_heads", "--clip-heads"},
    {"clip_text_heads", "--clip-text-heads"},
    {"conditional", "--conditional"},
    {"count", "--count"},
    {"cycles", "--cycles"},
    {"data", "--data"},
    {"decay", "--weight-decay"},
    {"device", "--device"},
    {"encoder", "--encoder"},
    {"epochs", "--epochs"},
    {"esc10", "--esc10"},
    {"face", "--face"},
    {"folds", "--folds"},
    {"force", "--force"},
    {"generator", "--generator"},
    {"generator_class", "--class"},
    {"group", "--group"},
    {"identity_weight", "--identity-weight"},
    {"index", "--index"},
    {"judge", "--judge"},
    {"l2", "--l2"},
    {"labels", "--labels"},
    {"latent_weight", "--latent-weight"},
    {"latent_weight_rise", "--latent-weight-rise"},
    {"level_step", "--level-step"},
    {"levels", "--levels"},
    {"limit", "--limit"},
    {"mask_bands", "--mask-bands"},
    {"mask_frames", "--mask-frames"},
    {"mask_rate", "--mask-rate"},
    {"lowest_rate", "--lowest-rate"},
    {"measured_w", "--measured-w"},
    {"mel", "--mode"},
    {"memory", "--memory"},
    {"micro_batch", "--micro-batch"},
    {"mirror", "--mirror"},
    {"mixing", "--mixing"},
    {"min_strength", "--min-strength"},
    {"momentum", "--momentum"},
    {"near_texts", "--near-texts"},
    {"network", "--network"},
    {"neighbours", "--neighbours"},
    {"neutral", "--neutral"},
    {"no_sounds", "--no-sounds"},
    {"optimizer", "--optimizer"},
    {"out", "--out"},
    {"path_length", "--path-length"},
    {"pictures_every", "--pictures-every"},
    {"perplexity", "--perplexity"},
    {"precision", "--precision"},
    {"r1", "--r1"},
    {"ranks", "--ranks"},
    {"rate", "--lr"},
    {"rate_critic", "--rate-critic"},
    {"recipe", "--recipe"},
    {"region", "--mask"},
    {"region_weight", "--outside-weight"},
    {"resolution", "--resolution"},
    {"resume", "--resume"},
    {"save_every", "--save-every"},
    {"keep", "--keep"},
    {"scenes", "--limit"},
    {"schedule", "--schedule"},
    {"second_event", "--second-event"},
    {"seconds", "--seconds"},
    {"short_sounds", "--short-sounds"},
    {"side", "--size"},
    {"sizes", "--sizes"},
    {"sound_own_share", "--sound-own-share"},
    {"sound_texts", "--sound-texts"},
    {"sound_texts_temperature", "--sound-texts-temperature"},
    {"sounds", "--sounds"},
    {"sources", "--sources"},
    {"split", "--split"},
    {"start", "--start"},
    {"start_steps", "--start-steps"},
    {"code_noise", "--code-noise"},
    {"starts", "--starts"},
    {"steps", "--steps"},
    {"stop_after", "--stop-after"},
    {"strength", "--strength"},
    {"test", "--test"},
    {"tau_weak_pair", "--tau-weak-pair"},
    {"threshold", "--threshold"},
    {"tolerate", "--tolerate"},
    {"truncation", "--truncation"},
    {"vocab", "--vocab"},
    {"warm_up", "--warm-up"},
    {"weight_clip", "--weight-clip"},
    {"weight_cosine", "--weight-cosine"},
    {"weight_delta", "--weight-delta"},
    {"weight_identity", "--weight-identity"},
    {"weight_image", "--weight-image"},
    {"weight_pixels", "--weight-pixels"},
    {"weight_sound", "--weight-sound"},
    {"weight_text", "--weight-text"},
    {"weight_weak_pair", "--weight-weak-pair"},
    {"wordnet", "--wordnet"},
};

void use_flag(const char *field, const char *flag) {
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(flags[i].field, field) == 0) flags[i].flag = flag;
}

static const char *find_flag(const char *word, size_t length) {
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strlen(flags[i].field) == length && strncmp(flags[i].field, word, length) == 0)
            return flags[i].flag;
    return NULL;
}

/* Whether a word can begin there: not within a path or another word. */
static bool begins_word(const char *text, const char *at) {
    return at == text || at[-1] == ' ' || at[-1] == '(';
}

static bool follows(const char *text, const char *at, const char *word) {
    const size_t length = strlen(word);
    return (size_t)(at - text) >= length && strncmp(at - length, word, length) == 0;
}

static bool begins_text(const char *text, const char *at) {
    return at == text && (strncmp(at, "sizes:", 6) == 0 || strncmp(at, "start:", 6) == 0);
}

/* Escaped as by shown(), which only the main thread may call.
 * Texts have a field in five places: "X needs FIELD", "set FIELD", "began with FIELD", "FIELD must be"
 * and, of those whose value is looked into, "sizes:" and "start:" at the beginning. The same word elsewhere
 * ("the generator", a path) is a word. */
void print_with_flags(FILE *to, const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    char *safe = chl_text_escape(text, 1);
    text = safe ? safe : "(out of memory)";
    for (const char *at = text; *at;) {
        const size_t length = strspn(at, letters);
        const char *flag = length ? find_flag(at, length) : NULL;
        const bool named =
            begins_word(text, at) &&
            (follows(text, at, "needs ") || follows(text, at, "set ") ||
             follows(text, at, "began with ") ||
             strncmp(at + length, " must be ", strlen(" must be ")) == 0 || begins_text(text, at));
        if (flag && named)
            fputs(flag, to);
        else
            fwrite(at, 1, length ? length : 1, to);
        at += length ? length : 1;
    }
    free(safe);
}

static char own_error[1024]; /* empty: the library failed, not the program */

chl_status(command_fail)(chl_status code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(own_error, sizeof own_error, format, arguments);
    va_end(arguments);
    return code;
}

void say_error(const char *before) {
    fprintf(stderr, "chladni: %s", before);
    if (own_error[0])
        fputs(shown(own_error), stderr);
    else
        print_with_flags(stderr, chl_error());
    fputc('\n', stderr);
    own_error[0] = 0;
}

char *take_error(void) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    if (!to) return NULL;
    if (own_error[0])
        fputs(own_error, to);
    else
        print_with_flags(to, chl_error());
    own_error[0] = 0;
    if (close_text(to)) return text;
    free(text);
    return NULL;
}

int run_error(void) {
    say_error("");
    return EXIT_RUN;
}
