/* What a data set holds, before anybody trains on it: every clip is opened, none but a few is decoded. */
#include "base/clock.h"
#include "base/json.h"
#include "base/options.h"
#include "base/sha256.h"
#include "plot/bars.h"
#include "sound/mel.h"
#include "train/dataset.h"
#include "train/in_parallel.h"
#include "train/left_out.h"
#include <chladni/data.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAMED 20      /* of the clips that are missing, unreadable, twice there */
#define TIMED 16      /* clips that are decoded for the estimate */
#define SMALL_TIMED 2 /* of them before the clock runs: the first ones open libraries */
#define PEEK 4096 /* bytes that clips of equal size are first compared by, at their begin, ... */
#define PLACES 3  /* ... middle and end */
#define MAX_BYTES ((int64_t)2 << 30)

typedef struct fact {
    int64_t sample, bytes;
    double seconds;
    int rate, channels;
    bool unreadable, peeked;
    uint8_t peek[CHL_SHA256_BYTES];
} fact;

typedef struct inspection {
    const chl_inspect_options *options;
    chl_dataset *data;
    fact *fact; /* [data->count] */
    json_t *root, *unreadable, *twice;
    int64_t unreadable_count, twice_count;
} inspection;

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for an inspection");
}

/* --- each clip -------------------------------------------------------------------------------- */
static int64_t bytes_of(const chl_media *media) {
    struct stat about;
    if (media->bytes) return media->bytes;
    return stat(media->path, &about) == 0 ? (int64_t)about.st_size : 0;
}

static chl_status look_at(void *user, int i) {
    const inspection *in = user;
    fact *f = &in->fact[i];
    const chl_media media = chl_sample_sound(&in->data->sample[i]);
    chl_media_sound sound;
    *f = (fact){.sample = i, .bytes = bytes_of(&media)};
    const chl_status status = chl_media_sound_open(&media, &sound);
    f->unreadable = status != CHL_OK;
    if (f->unreadable) return chl_left_out_blames(status) ? CHL_OK : status;
    f->seconds = (double)chl_sound_samples(sound.sound) / CHL_SOUND_RATE;
    f->rate = chl_sound_rate(sound.sound);
    f->channels = chl_sound_channels(sound.sound);
    chl_media_sound_close(&sound);
    return CHL_OK;
}

static void name_it(json_t *list, int64_t *count, json_t *value) {
    if (++*count <= NAMED)
        chl_json_append(list, value);
    else
        json_decref(value);
}

/* --- counts ----------------------------------------------------------------------------------- */
static void count_into(json_t *object, const char *key) {
    const json_int_t before = json_integer_value(json_object_get(object, key));
    chl_json_set(object, key, json_integer(before + 1));
}

static void describe_sounds(inspection *in) {
    json_t *rates = json_object(), *channels = json_object();
    double total = 0, least = 0, most = 0;
    int64_t count = 0, bytes = 0;
    char key[16];
    for (int64_t i = 0; i < in->data->count; i++) {
        const fact *f = &in->fact[i];
        bytes += f->bytes;
        if (f->unreadable) {
            name_it(in->unreadable, &in->unreadable_count,
                    chl_json_string(in->data->sample[i].sound));
            continue;
        }
        least = count == 0 || f->seconds < least ? f->seconds : least;
        most = f->seconds > most ? f->seconds : most;
        total += f->seconds;
        count++;
        snprintf(key, sizeof key, "%d", f->rate);
        count_into(rates, key);
        snprintf(key, sizeof key, "%d", f->channels);
        count_into(channels, key);
    }
    chl_json_set(in->root, "bytes", json_integer(bytes));
    chl_json_set(in->root, "seconds",
                 json_pack("{s:f,s:f,s:f,s:f}", "total", total, "min", least, "mean",
                           count ? total / (double)count : 0, "max", most));
    chl_json_set(in->root, "rates", rates);
    chl_json_set(in->root, "channels", channels);
}

static void describe_words(const inspection *in) {
    json_t *labels = json_object();
    int64_t pictures = 0, captions = 0, unlabelled = 0;
    for (int64_t i = 0; i < in->data->count; i++) {
        const chl_sample *s = &in->data->sample[i];
        pictures += s->picture != NULL;
        captions += s->caption != NULL;
        if (s->label)
            count_into(labels, s->label);
        else
            unlabelled++;
    }
    chl_json_set(in->root, "pictures", json_integer(pictures));
    chl_json_set(in->root, "captions", json_integer(captions));
    chl_json_set(in->root, "unlabelled", json_integer(unlabelled));
    chl_json_set(in->root, "labels", labels);
}

static void describe_missing(const inspection *in) {
    const int64_t missing = chl_left_out_count(in->data->left_out);
    chl_json_set(in->root, "missing", json_integer(missing));
    if (!in->data->from) return;
    json_t *names = json_array();
    for (int64_t i = 0; i < in->data->from->missing && i < NAMED; i++)
        chl_json_append(names, chl_json_string(in->data->from->missing_name[i]));
    chl_json_set(in->root, "missing_names", names);
}

/* --- twice the same --------------------------------------------------------------------------- */
static chl_status digest_part(const chl_dataset *data, fact *f) {
    const chl_media whole = chl_sample_sound(&data->sample[f->sample]);
    chl_sha256 hash;
    f->peeked = true;
    chl_sha256_begin(&hash);
    for (int place = 0; place < PLACES; place++) {
        chl_media part = whole;
        part.bytes = f->bytes < PEEK ? f->bytes : PEEK;
        part.offset += (f->bytes - part.bytes) * place / (PLACES - 1);
        chl_file_bytes bytes;
        const chl_status status = chl_media_bytes(&part, PEEK, &bytes);
        if (status != CHL_OK) return chl_left_out_blames(status) ? CHL_OK : status;
        chl_sha256_add(&hash, bytes.data, bytes.size);
        chl_file_bytes_free(&bytes);
    }
    chl_sha256_end(&hash, f->peek);
    return CHL_OK;
}

static int by_size(const void *a, const void *b) {
    const fact *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    const int order = memcmp(x->peek, y->peek, sizeof x->peek);
    return order ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

static chl_status same_content(const chl_dataset *data, const fact *a, const fact *b, bool *same) {
    chl_file_bytes bytes[2] = {{0}, {0}};
    const fact *const both[2] = {a, b};
    chl_status status = CHL_OK;
    for (int i = 0; i < 2 && status == CHL_OK; i++) {
        const chl_media media = chl_sample_sound(&data->sample[both[i]->sample]);
        status = chl_media_bytes(&media, MAX_BYTES, &bytes[i]);
    }
    *same = status == CHL_OK && bytes[0].size == bytes[1].size &&
            memcmp(bytes[0].data, bytes[1].data, bytes[0].size) == 0;
    for (int i = 0; i < 2; i++) chl_file_bytes_free(&bytes[i]);
    return status == CHL_OK || chl_left_out_blames(status) ? CHL_OK : status;
}

/* Of clips of equal size three parts are compared, of those with equal parts all. Sorts the facts. */
static chl_status find_twice(inspection *in) {
    const int64_t count = in->data->count;
    qsort(in->fact, (size_t)count, sizeof *in->fact, by_size);
    for (int64_t i = 0; i < count; i++) {
        const bool before = i > 0 && in->fact[i].bytes == in->fact[i - 1].bytes;
        const bool behind = i + 1 < count && in->fact[i].bytes == in->fact[i + 1].bytes;
        if ((before || behind) && in->fact[i].bytes > 0)
            CHL_TRY(digest_part(in->data, &in->fact[i]));
    }
    qsort(in->fact, (size_t)count, sizeof *in->fact, by_size);
    int64_t first = 0; /* of those that are equal */
    for (int64_t i = 1; i < count; i++) {
        const fact *a = &in->fact[first], *b = &in->fact[i];
        bool same = a->peeked && b->peeked && a->bytes == b->bytes && b->bytes > 0 &&
                    memcmp(a->peek, b->peek, sizeof a->peek) == 0;
        if (same) CHL_TRY(same_content(in->data, a, b, &same));
        if (!same) {
            first = i;
            continue;
        }
        json_t *pair = json_array();
        chl_json_append(pair, chl_json_string(in->data->sample[a->sample].sound));
        chl_json_append(pair, chl_json_string(in->data->sample[b->sample].sound));
        name_it(in->twice, &in->twice_count, pair);
    }
    return CHL_OK;
}

/* --- how fast --------------------------------------------------------------------------------- */
static chl_status time_one(const chl_sample *s) {
    const chl_media media = chl_sample_sound(s);
    chl_media_sound sound;
    float *mel = NULL;
    int64_t frames;
    CHL_TRY(chl_media_sound_open(&media, &sound));
    const chl_wave_source source = {chl_sound_samples(sound.sound), chl_sound_read,
                                    chl_sound_rewind, sound.sound};
    const chl_status status =
        chl_mel_whole_from(chl_device_cpu(), &source, CHL_MEL_ABSOLUTE, &mel, &frames);
    free(mel);
    chl_media_sound_close(&sound);
    return status;
}

/* By one thread, of clips that are spread over the set. */
static chl_status estimate(const inspection *in) {
    const int64_t count = in->data->count;
    const int threads = omp_get_max_threads();
    double begun = 0;
    int done = 0;
    omp_set_num_threads(1);
    chl_status status = CHL_OK;
    for (int k = 0; k < TIMED + SMALL_TIMED && status == CHL_OK; k++) {
        if (k == SMALL_TIMED) begun = chl_seconds_now();
        const int64_t i = count * k / (TIMED + SMALL_TIMED);
        status = time_one(&in->data->sample[i]);
        if (status == CHL_OK) done += k >= SMALL_TIMED;
        if (chl_left_out_blames(status)) status = CHL_OK;
    }
    omp_set_num_threads(threads);
    CHL_TRY(status);
    const double each = done ? (chl_seconds_now() - begun) / done : 0;
    chl_json_set(in->root, "epoch",
                 json_pack("{s:f,s:i,s:f}", "clips_per_second_and_thread", each > 0 ? 1 / each : 0,
                           "threads", threads, "seconds", each * (double)count / threads));
    return CHL_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */
static chl_status draw(const inspection *in) {
    if (!in->options->picture) return CHL_OK;
    const json_t *labels = json_object_get(in->root, "labels");
    const size_t count = json_object_size(labels);
    chl_bar *bar = calloc(count + 1, sizeof *bar);
    if (!bar) return no_memory();
    const char *label;
    json_t *value;
    size_t used = 0;
    json_object_foreach((json_t *)labels, label, value) bar[used++] =
        (chl_bar){label, json_integer_value(value)};
    const chl_bars bars = {.title = "clips of each label", .count = (int)count, .bar = bar};
    const chl_status status = chl_bars_write(&bars, in->options->picture);
    free(bar);
    return status;
}

static chl_status inspect(inspection *in) {
    const chl_dataset *data = in->data;
    in->fact = calloc((size_t)data->count + 1, sizeof *in->fact);
    if (!in->fact) return no_memory();
    const char *layout = data->from ? data->from->layout : "pairs.jsonl";
    if (in->options->index && strcmp(layout, "WebDataset") != 0)
        return chl_fail(CHL_ERR_ARGUMENT, "index must be 0 for %s: it has no shards, x.tar",
                        in->options->data);
    chl_json_set(in->root, "source", chl_json_string(in->options->data));
    chl_json_set(in->root, "layout", chl_json_string(layout));
    chl_json_set(in->root, "clips", json_integer(data->count));
    describe_missing(in);
    CHL_TRY(chl_in_parallel((int)data->count, look_at, in));
    describe_sounds(in);
    describe_words(in);
    CHL_TRY(find_twice(in));
    chl_json_set(in->root, "unreadable", json_integer(in->unreadable_count));
    chl_json_set(in->root, "unreadable_names", json_incref(in->unreadable));
    chl_json_set(in->root, "duplicates", json_integer(in->twice_count));
    chl_json_set(in->root, "duplicate_names", json_incref(in->twice));
    CHL_TRY(estimate(in));
    return draw(in);
}

chl_status chl_data_inspect(const chl_inspect_options *theirs, char **report) {
    chl_inspect_options o = {.size = sizeof o};
    CHL_NEEDS(theirs, report);
    *report = NULL;
    CHL_TRY(chl_options_take(&o, sizeof o, theirs, "chl_inspect_options"));
    CHL_TRY(chl_check_pointer(o.data, "data"));
    const uint64_t refused = chl_json_refused();
    inspection in = {.options = &o};
    CHL_TRY(chl_dataset_open_chosen(
        o.data, CHL_NEED_SOUND,
        &(chl_dataset_choice){.split = o.split, .tolerate = 1, .write_index = o.index != 0},
        &in.data));
    in.root = json_object();
    in.unreadable = json_array();
    in.twice = json_array();
    chl_status status = inspect(&in);
    if (status == CHL_OK) {
        *report = chl_json_text(in.root, JSON_COMPACT | JSON_REAL_PRECISION(9), refused);
        if (!*report) status = no_memory();
    }
    json_decref(in.root);
    json_decref(in.unreadable);
    json_decref(in.twice);
    free(in.fact);
    chl_dataset_free(in.data);
    return status;
}
