#include "models/sound_texts.h"
#include "base/file_bytes.h"
#include "base/free.h"
#include "base/options.h"
#include "text/characters.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (16 << 20)
#define TEXTS_AT_ONCE 32

/* --- reading ---------------------------------------------------------------------------------- */
/* The file's lines, each ended by a zero, and where they begin. */
typedef struct lines {
    char *text;
    const char **line;
    int64_t count;
} lines;

static void lines_free(lines *l) {
    CHL_FREE(l->text, l->line);
}

/* Said here, where its number is known: a batch of texts does not say which. */
static chl_status check_line(const char *path, int64_t number, const char *line) {
    char *cleaned;
    const chl_status status = chl_text_clean(line, &cleaned);
    if (status != CHL_OK) return chl_fail_in(status, "%s, line %lld", path, (long long)number);
    free(cleaned);
    return CHL_OK;
}

static chl_status lines_of(const char *path, const chl_file_bytes *bytes, lines *out) {
    size_t room = 1;
    for (size_t i = 0; i < bytes->size; i++) room += bytes->data[i] == '\n';
    *out = (lines){.text = malloc(bytes->size + 1), .line = malloc(sizeof(char *) * room)};
    if (!out->text || !out->line)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its texts", path);
    memcpy(out->text, bytes->data, bytes->size);
    out->text[bytes->size] = 0;
    if (strlen(out->text) != bytes->size)
        return chl_fail(CHL_ERR_FORMAT, "%s: expected a text a line, got a zero byte at %zu", path,
                        strlen(out->text));
    int64_t number = 1;
    for (char *rest = out->text, *at; (at = strsep(&rest, "\n")); number++) {
        at[strcspn(at, "\r")] = 0;
        if (!at[strspn(at, " \t")]) continue;
        CHL_TRY(check_line(path, number, at));
        out->line[out->count++] = at;
    }
    if (out->count > 0) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s: expected a text a line, got empty lines only", path);
}

static chl_status read_lines(const char *path, lines *out) {
    chl_file_bytes bytes;
    *out = (lines){0};
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){.max_bytes = MAX_BYTES}, &bytes));
    const chl_status status = lines_of(path, &bytes, out);
    chl_file_bytes_free(&bytes);
    if (status != CHL_OK) lines_free(out);
    return status;
}

static chl_status embed(chl_clip *clip, const lines *l, chl_sound_texts *texts) {
    texts->count = l->count;
    texts->embedding = clip->config.embed;
    texts->text = malloc(sizeof(float) * (size_t)l->count * (size_t)texts->embedding);
    if (!texts->text)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %lld texts", (long long)l->count);
    const int batch = l->count < TEXTS_AT_ONCE ? (int)l->count : TEXTS_AT_ONCE;
    return chl_clip_embed_texts(clip, batch, l->count, l->line, texts->text);
}

chl_status chl_sound_texts_open(chl_clip *clip, const char *path, float temperature,
                                float own_share, chl_sound_texts **out) {
    lines l;
    *out = NULL;
    CHL_TRY(chl_check_float(isfinite(temperature) && temperature >= 0, "sound_texts_temperature",
                            ">= 0", (double)temperature));
    CHL_TRY(chl_check_float(own_share >= 0 && own_share < 1, "sound_own_share", "in [0, 1)",
                            (double)own_share));
    CHL_TRY(chl_clip_need_texts(clip, "telling sounds by texts"));
    CHL_TRY(read_lines(path, &l));
    chl_sound_texts *texts = calloc(1, sizeof *texts);
    chl_status status = texts ? embed(clip, &l, texts)
                              : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its texts", path);
    lines_free(&l);
    if (texts) texts->temperature = temperature > 0 ? temperature : CHL_SOUND_TEXTS_TEMPERATURE;
    if (texts) texts->own_share = own_share;
    CHL_HAND_OVER(status, texts, out, chl_sound_texts_close);
}

void chl_sound_texts_close(chl_sound_texts *texts) {
    if (texts) CHL_FREE(texts->text, texts);
}

/* --- applying --------------------------------------------------------------------------------- */
static double cosine(const chl_sound_texts *texts, int64_t k, const float *a) {
    const float *t = texts->text + k * texts->embedding;
    double sum = 0;
    for (int i = 0; i < texts->embedding; i++) sum += (double)a[i] * (double)t[i];
    return sum;
}

static double scale_of(int count, const double *x) {
    double square = 0;
    for (int i = 0; i < count; i++) square += x[i] * x[i];
    return square > 0 ? 1 / sqrt(square) : 0;
}

/* Cosines are computed twice, so that nothing has to be kept; the largest is subtracted from all, so that
 * no exponential overflows, however small the temperature is. */
static void apply(const chl_sound_texts *texts, float *a) {
    const int width = texts->embedding;
    const double own = (double)texts->own_share;
    double x[CHL_MAX_EMBEDDING] = {0}, largest = -INFINITY;
    for (int64_t k = 0; k < texts->count; k++) largest = fmax(largest, cosine(texts, k, a));
    for (int64_t k = 0; k < texts->count; k++) {
        const double far = cosine(texts, k, a) - largest;
        const double weight = exp(far / (double)texts->temperature);
        const float *t = texts->text + k * width;
        for (int i = 0; i < width; i++) x[i] += weight * (double)t[i];
    }
    const double mean = scale_of(width, x);
    for (int i = 0; i < width; i++) x[i] = own * (double)a[i] + (1 - own) * mean * x[i];
    const double scale = scale_of(width, x);
    if (scale == 0) return; /* texts that cancel out say nothing */
    for (int i = 0; i < width; i++) a[i] = (float)(scale * x[i]);
}

void chl_sound_texts_apply(const chl_sound_texts *texts, int64_t count, float *embeddings) {
    for (int64_t i = 0; texts && i < count; i++) apply(texts, embeddings + i * texts->embedding);
}
