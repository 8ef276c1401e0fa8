/* The fingerprint of a run: its options, and the content of the files that they name. A checkpoint
 * holds it under the key "identity". */
#include "base/file_bytes.h"
#include "base/json.h"
#include "base/machine.h"
#include "base/options.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum field_kind { FIELD_TEXT, FIELD_FILE, FIELD_INT, FIELD_LONG, FIELD_FLOAT } field_kind;

typedef struct field {
    const char *name;
    size_t offset;
    field_kind kind;
    bool decides; /* part of the fingerprint */
} field;

#define FIELD(name, kind, decides)                                                                 \
    { #name, offsetof(chl_train_options, name), FIELD_##kind, decides }
static const field fields[] = {
    FIELD(model, TEXT, true),
    FIELD(data, TEXT, false),
    FIELD(out, TEXT, false),
    FIELD(sizes, TEXT, true),
    FIELD(steps, LONG, true),
    FIELD(stop_after, LONG, false),
    FIELD(save_every, LONG, false),
    FIELD(batch, INT, true),
    FIELD(rate, FLOAT, true),
    FIELD(cycles, INT, true),
    FIELD(warm_up, FLOAT, true),
    FIELD(beta1, FLOAT, true),
    FIELD(beta2, FLOAT, true),
    FIELD(decay, FLOAT, true),
    FIELD(average, FLOAT, true),
    FIELD(seed, LONG, true),
    FIELD(start, FILE, true),
    FIELD(clip, FILE, true),
    FIELD(vocab, FILE, true),
    FIELD(generator, FILE, true),
    FIELD(wordnet, TEXT, false),
    FIELD(weight_text, FLOAT, true),
    FIELD(weight_image, FLOAT, true),
    FIELD(weight_sound, FLOAT, true),
    FIELD(weight_weak_pair, FLOAT, true),
    FIELD(tau_weak_pair, FLOAT, true),
    FIELD(adversary, FLOAT, true),
    FIELD(measured_w, INT, true),
    FIELD(mask_bands, FLOAT, true),
    FIELD(mask_frames, FLOAT, true),
    FIELD(device, TEXT, false),
    FIELD(precision, INT, false),
    FIELD(ahead, INT, false),
    FIELD(ranks, INT, false),
    FIELD(keep, INT, false),
    FIELD(encoder, TEXT, false),
    FIELD(epochs, INT, false),
    FIELD(recipe, TEXT, false),
    FIELD(micro_batch, LONG, false),
    FIELD(bucket, LONG, false),
    FIELD(augment, TEXT, false),
    FIELD(balance, TEXT, false),
    FIELD(short_sounds, TEXT, false),
    FIELD(split, TEXT, false),
    FIELD(tolerate, FLOAT, false),
    FIELD(memory, LONG, false),
    FIELD(cache, TEXT, false),
    FIELD(optimizer, TEXT, false),
    FIELD(momentum, FLOAT, false),
    FIELD(schedule, TEXT, false),
    FIELD(lowest_rate, FLOAT, false),
    FIELD(cache_mels, INT, false),
    FIELD(resolution, INT, false),
    FIELD(r1, FLOAT, false),
    FIELD(path_length, FLOAT, false),
    FIELD(mixing, FLOAT, false),
    FIELD(rate_critic, FLOAT, false),
    FIELD(average_kimg, FLOAT, false),
    FIELD(average_ramp, FLOAT, false),
    FIELD(mirror, INT, false),
    FIELD(augment_p, FLOAT, false),
    FIELD(augment_target, FLOAT, false),
    FIELD(augment_kimg, FLOAT, false),
    FIELD(conditional, INT, false),
    FIELD(group, INT, false),
    FIELD(pictures_every, LONG, false),
    FIELD(network, TEXT, false),
    FIELD(blur_sigma, FLOAT, false),
    FIELD(blur_kimg, FLOAT, false),
    FIELD(face, FILE, false),
    FIELD(weight_pixels, FLOAT, false),
    FIELD(weight_clip, FLOAT, false),
    FIELD(weight_identity, FLOAT, false),
    FIELD(weight_delta, FLOAT, false),
    FIELD(near_texts, FLOAT, false),
    FIELD(weight_cosine, FLOAT, false),
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

/* JSON has no NaN and no infinity; a training that does not take them says so later. */
static json_t *float_json(double value) {
    return isfinite(value) ? json_real(value) : json_string("not finite");
}

static const void *at_field(const chl_train_options *options, const field *f) {
    return (const char *)options + f->offset;
}

static json_t *field_json(const chl_train_options *options, const field *f) {
    const void *at = at_field(options, f);
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_FILE:
        return *(const char *const *)at ? chl_json_string(*(const char *const *)at) : json_null();
    case FIELD_INT:
        return json_integer(*(const int *)at);
    case FIELD_LONG:
        return json_integer((json_int_t)(*(const int64_t *)at));
    case FIELD_FLOAT:
        return float_json((double)*(const float *)at);
    }
    return json_null();
}

chl_status chl_train_options_json(const chl_train_options *options, json_t **out) {
    *out = json_object();
    for (int i = 0; i < FIELDS; i++)
        CHL_TRY(chl_json_put(*out, fields[i].name, field_json(options, &fields[i])));
    return CHL_OK;
}

json_t *chl_train_machine(const chl_trainer *t) {
    const uint64_t refused = chl_json_refused();
    json_t *machine =
        json_pack("{s:s,s:i,s:s,s:s}", "version", CHLADNI_VERSION, "threads", omp_get_max_threads(),
                  "compiled_for", chl_instruction_set(), "processor", chl_processor());
    if (t->ranks > 1) chl_json_set(machine, "ranks", json_integer(t->ranks));
    if (t->chunks > 1) chl_json_set(machine, "micro_batch", json_integer(t->chunk));
    if (!t->device->backend->host_memory) { /* else the processor is the device */
        chl_json_set(machine, "device", json_string(t->device->name));
        chl_json_set(machine, "activations",
                     json_string(t->precision == CHL_BF16 ? "bf16" : "float32"));
    }
    if (chl_json_refused() == refused) return machine;
    json_decref(machine);
    return NULL;
}

/* --- content ---------------------------------------------------------------------------------- */
/* FNV-1a over words of eight bytes: every step is a bijection, so that a change of one word always
 * changes the digest. */
uint64_t chl_digest(uint64_t digest, const void *data, size_t bytes) {
    const unsigned char *at = data;
    for (; bytes > 0; at += 8) {
        const size_t part = bytes < 8 ? bytes : 8;
        uint64_t word = 0;
        memcpy(&word, at, part);
        digest = (digest ^ word) * 0x100000001b3u;
        bytes -= part;
    }
    return digest;
}

chl_status chl_file_digest(const char *path, uint64_t *digest) {
    *digest = 0;
    chl_file_bytes file;
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){0}, &file));
    *digest = chl_digest(CHL_DIGEST_START ^ file.size, file.data, file.size);
    chl_file_bytes_free(&file);
    return CHL_OK;
}

json_t *chl_digest_json(uint64_t digest) {
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, digest);
    return json_string(text);
}

/* The words of a source that is no pairs.jsonl, in order. */
static uint64_t words_digest(const chl_dataset *data) {
    uint64_t digest = CHL_DIGEST_START;
    for (int64_t i = 0; i < data->count; i++) {
        const chl_sample *s = &data->sample[i];
        const char *const texts[] = {s->label, s->caption, s->kind, s->source};
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            digest = texts[k] ? chl_digest(digest, texts[k], strlen(texts[k]) + 1)
                              : chl_digest(digest, "", 1);
    }
    return digest;
}

static chl_status data_digest(const chl_dataset *data, uint64_t *digest) {
    *digest = 0;
    if (data->from)
        *digest = words_digest(data);
    else
        CHL_TRY(chl_file_digest(data->list, digest));
    if (data->latents)
        *digest = chl_digest(*digest, data->latents,
                             sizeof(float) * (size_t)data->count * (size_t)data->latent);
    if (data->attributes)
        *digest = chl_digest(*digest, data->attributes,
                             sizeof(float) * (size_t)data->count * (size_t)data->attribute);
    if (data->texture)
        *digest = chl_digest(*digest, data->texture,
                             sizeof(float) * (size_t)data->textures * (size_t)data->texture_side *
                                 (size_t)data->texture_side);
    return CHL_OK;
}

static chl_status field_fingerprint(const chl_train_options *options, const field *f,
                                    json_t *into) {
    const char *file = f->kind == FIELD_FILE ? *(const char *const *)at_field(options, f) : NULL;
    if (!file) return chl_json_put(into, f->name, field_json(options, f));
    uint64_t digest;
    CHL_TRY(chl_file_digest(file, &digest));
    return chl_json_put(into, f->name, chl_digest_json(digest));
}

/* A checkpoint of an older version lacks what it did not know: the value that it had. */
static chl_status newer_option(const char *name, const char *value, const char *usual,
                               json_t *into) {
    if (!value || strcmp(value, usual) == 0) return CHL_OK;
    return chl_json_put(into, name, json_string(value));
}

static chl_status newer_number(const char *name, bool usual, float value, json_t *into) {
    return usual ? CHL_OK : chl_json_put(into, name, float_json((double)value));
}

/* Of the one training that knows them; the list ends with NULL. */
static chl_status options_of(const char *model, const char *const *names,
                             const chl_train_options *options, json_t *into) {
    if (strcmp(options->model, model) != 0) return CHL_OK;
    for (int i = 0; i < FIELDS; i++)
        for (int k = 0; names[k]; k++)
            if (strcmp(fields[i].name, names[k]) == 0)
                CHL_TRY(field_fingerprint(options, &fields[i], into));
    return CHL_OK;
}
static const char *const of_gan[] = {
    "resolution",     "r1",           "path_length", "mixing",      "rate_critic",
    "average_kimg",   "average_ramp", "mirror",      "conditional", "augment_p",
    "augment_target", "augment_kimg", "group",       NULL};
static const char *const of_encoder[] = {
    "face", "weight_pixels", "weight_clip", "weight_identity", "weight_delta", NULL};

chl_status chl_run_fingerprint(const chl_train_options *options, const chl_dataset *data,
                               json_t **out) {
    *out = json_object();
    for (int i = 0; i < FIELDS; i++)
        if (fields[i].decides) CHL_TRY(field_fingerprint(options, &fields[i], *out));
    CHL_TRY(newer_option("encoder", options->encoder, "swin", *out));
    CHL_TRY(newer_option("augment", options->augment, "none", *out));
    CHL_TRY(newer_option("balance", options->balance, "none", *out));
    CHL_TRY(newer_option("short_sounds", options->short_sounds, "pad", *out));
    CHL_TRY(newer_option("split", options->split, "", *out));
    CHL_TRY(newer_option("optimizer", options->optimizer, "adamw", *out));
    CHL_TRY(newer_number("momentum", !chl_is_option(options->optimizer, "sgd"), options->momentum,
                         *out));
    CHL_TRY(newer_option("schedule", options->schedule, "cosine", *out));
    CHL_TRY(newer_number("cache_mels", options->cache_mels == 0, (float)options->cache_mels, *out));
    CHL_TRY(newer_number("lowest_rate", options->lowest_rate == 0, options->lowest_rate, *out));
    CHL_TRY(options_of("gan", of_gan, options, *out));
    CHL_TRY(options_of("encoder", of_encoder, options, *out));
    CHL_TRY(newer_option("network", options->network, "stylegan2", *out));
    CHL_TRY(
        newer_number("weight_cosine", options->weight_cosine == 0, options->weight_cosine, *out));
    CHL_TRY(newer_number("blur_sigma", options->blur_sigma == 0, options->blur_sigma, *out));
    CHL_TRY(newer_number("near_texts", options->near_texts == 0, options->near_texts, *out));
    CHL_TRY(newer_number("blur_kimg", options->blur_kimg == 0, options->blur_kimg, *out));
    CHL_TRY(chl_json_put(*out, "wordnet", json_boolean(options->wordnet != NULL)));
    if (!data) return CHL_OK;
    uint64_t digest = 0;
    CHL_TRY(data_digest(data, &digest));
    CHL_TRY(chl_json_put(*out, "samples", json_integer((json_int_t)data->count)));
    return chl_json_put(*out, "data", chl_digest_json(digest));
}

/* --- which options a training reads ---------------------------------------------------------- */
static bool is_word(const char *words, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = words; at && (at = strstr(at, name)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
    return false;
}

bool chl_train_reads(const chl_training *training, const char *field) {
    static const char always[] =
        "model data out steps stop_after save_every batch rate cycles warm_up beta1 beta2 seed "
        "start device precision ahead ranks keep epochs recipe bucket split tolerate memory "
        "schedule lowest_rate";
    return is_word(always, field) || is_word(training->reads, field);
}

/* At its default, or at zero, which is none. */
static bool is_unset(const chl_train_options *options, const chl_train_options *usual,
                     const field *f) {
    const void *x = at_field(options, f), *y = at_field(usual, f);
    if (f->kind == FIELD_INT) return !*(const int *)x || *(const int *)x == *(const int *)y;
    if (f->kind == FIELD_LONG)
        return !*(const int64_t *)x || *(const int64_t *)x == *(const int64_t *)y;
    if (f->kind == FIELD_FLOAT)
        return *(const float *)x == 0 || *(const float *)x == *(const float *)y;
    const char *own = *(const char *const *)x, *other = *(const char *const *)y;
    return !own || (other && strcmp(own, other) == 0);
}

/* A micro_batch has a refusal of its own (chunks.c). */
chl_status chl_train_check_read(const chl_training *training, const chl_train_options *usual,
                                const chl_train_options *options) {
    for (int i = 0; i < FIELDS; i++) {
        const field *f = &fields[i];
        if (chl_train_reads(training, f->name) || strcmp(f->name, "micro_batch") == 0) continue;
        if (is_unset(options, usual, f)) continue;
        const uint64_t refused = chl_json_refused();
        json_t *now = field_json(options, f);
        char *value = chl_json_text(now, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), refused);
        json_decref(now);
        const chl_status status = chl_fail(
            CHL_ERR_ARGUMENT, "training %s: %s must be left out: this training does not use it%s%s",
            training->name, f->name, value ? ", got " : "", value ? value : "");
        free(value);
        return status;
    }
    if (options->momentum == 0 || options->momentum == usual->momentum ||
        chl_is_option(options->optimizer, "sgd"))
        return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "training %s: momentum must be left out: it is of optimizer sgd, got %g",
                    training->name, (double)options->momentum);
}

/* --- comparing -------------------------------------------------------------------------------- */
static chl_status differs(const char *path, const char *key, const json_t *before,
                          const json_t *now) {
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6);
    const uint64_t refused = chl_json_refused();
    char *a = chl_json_text(before, flags, refused), *b = chl_json_text(now, flags, refused);
    const chl_status status =
        (before && !a) || (now && !b)
            ? chl_fail(CHL_ERR_MEMORY, "%s: out of memory for comparing \"%s\"", path, key)
            : chl_fail(CHL_ERR_ARGUMENT,
                       "%s: the run began with %s %s, got %s: resume with the same value, or start "
                       "another run in another folder",
                       path, key, before ? a : "unset", now ? b : "unset");
    free(a);
    free(b);
    return status;
}

/* Earlier versions took, and wrote down, what the training did not read. */
static bool counts(const chl_training *training, const char *key) {
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, key) == 0) return chl_train_reads(training, key);
    return true;
}

chl_status chl_run_check_fingerprint(const chl_training *training, const char *path,
                                     const json_t *before, const json_t *now) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)now, key, value) {
        const json_t *old = json_object_get(before, key);
        if (counts(training, key) && !json_equal(old, value)) return differs(path, key, old, value);
    }
    json_object_foreach((json_t *)before, key, value) /* what is left at its usual value is unset */
        if (counts(training, key) && !json_object_get(now, key)) return differs(path, key, value,
                                                                                NULL);
    return CHL_OK;
}

/* --- checking --------------------------------------------------------------------------------- */
typedef struct rule {
    bool holds;
    const char *field, *range;
    double value;
} rule;

static rule from_0(const char *field, double x) {
    return (rule){x >= 0, field, ">= 0", x};
}

static rule finite_from_0(const char *field, float x) {
    return (rule){x >= 0 && isfinite(x), field, ">= 0", (double)x};
}

static rule share(const char *field, float x) {
    return (rule){x >= 0 && x < 1, field, "in [0, 1)", (double)x};
}

static rule up_to_1(const char *field, float x) {
    return (rule){x >= 0 && x <= 1, field, "in [0, 1]", (double)x};
}

/* One of two texts; NULL is the first. */
static chl_status check_text(const char *field, const char *value, const char *first,
                             const char *second) {
    if (!value || strcmp(value, first) == 0 || strcmp(value, second) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s must be %s or %s, got \"%s\"", field, first, second,
                    value);
}

chl_status chl_train_check(const chl_training *training, const chl_train_options *o) {
    const rule rules[] = {
        {o->steps >= 1, "steps", ">= 1", (double)o->steps},
        from_0("epochs", o->epochs),
        from_0("stop_after", (double)o->stop_after),
        from_0("save_every", (double)o->save_every),
        from_0("keep", (double)o->keep),
        {o->batch >= 1, "batch", ">= 1", o->batch},
        {o->micro_batch >= 0 && o->micro_batch <= o->batch, "micro_batch", "in [0, batch]",
         (double)o->micro_batch},
        from_0("bucket", (double)o->bucket),
        {o->rate > 0 && isfinite(o->rate), "rate", "> 0", (double)o->rate},
        {o->cycles >= 0 && o->cycles <= o->steps, "cycles", "in [0, steps]", o->cycles},
        share("warm_up", o->warm_up),
        share("beta1", o->beta1),
        share("beta2", o->beta2),
        finite_from_0("decay", o->decay),
        share("average", o->average),
        {o->precision >= CHL_PRECISION_AUTO && o->precision <= CHL_PRECISION_BF16, "precision",
         "in [0, 2]", (double)o->precision},
        from_0("ranks", o->ranks),
        {o->rank >= 0 && o->rank < (o->ranks > 1 ? o->ranks : 1), "rank", "in [0, ranks - 1]",
         o->rank},
        {o->ahead >= 0 && o->ahead <= CHL_MAX_AHEAD, "ahead", "in [0, 16]", o->ahead},
        training->need & CHL_NEED_FILES
            ? share("tolerate", o->tolerate)
            : (rule){o->tolerate == 0, "tolerate", "0", (double)o->tolerate},
        from_0("memory", (double)o->memory),
        share("momentum", o->momentum),
        {o->lowest_rate >= 0 && o->lowest_rate <= o->rate, "lowest_rate", "in [0, rate]",
         (double)o->lowest_rate},
        from_0("resolution", o->resolution),
        {isfinite(o->r1), "r1", "finite", (double)o->r1},
        finite_from_0("path_length", o->path_length),
        up_to_1("mixing", o->mixing),
        finite_from_0("rate_critic", o->rate_critic),
        finite_from_0("average_kimg", o->average_kimg),
        finite_from_0("average_ramp", o->average_ramp),
        up_to_1("augment_p", o->augment_p),
        {o->augment_target >= -1 && o->augment_target <= 1, "augment_target", "in [-1, 1]",
         (double)o->augment_target},
        finite_from_0("augment_kimg", o->augment_kimg),
        from_0("group", o->group),
        {o->blur_sigma >= 0 && o->blur_sigma <= 100, "blur_sigma", "in [0, 100]",
         (double)o->blur_sigma},
        finite_from_0("blur_kimg", o->blur_kimg),
        from_0("pictures_every", (double)o->pictures_every),
        finite_from_0("weight_pixels", o->weight_pixels),
        finite_from_0("weight_clip", o->weight_clip),
        finite_from_0("weight_identity", o->weight_identity),
        finite_from_0("weight_delta", o->weight_delta),
    };
    if (!o->out || !*o->out)
        return chl_fail(CHL_ERR_ARGUMENT, "training %s needs out, a run folder", training->name);
    if (training->need && (!o->data || !*o->data))
        return chl_fail(CHL_ERR_ARGUMENT, "training %s needs data, a folder of samples",
                        training->name);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const chl_status status =
            chl_check_float(rules[i].holds, rules[i].field, rules[i].range, rules[i].value);
        if (status != CHL_OK) return chl_fail_in(status, "training %s", training->name);
    }
    if (o->cache_mels && (!o->cache || chl_is_option(o->augment, "sound")))
        return chl_fail(CHL_ERR_ARGUMENT, "training %s: cache_mels needs %s", training->name,
                        o->cache ? "mel pictures, which augment sound changes at each use: leave "
                                   "one of them out, or set augment to mel"
                                 : "cache, a folder");
    CHL_TRY(check_text("optimizer", o->optimizer, "adamw", "sgd"));
    return check_text("schedule", o->schedule, "cosine", "triangle");
}
