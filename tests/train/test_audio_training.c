/* The sound encoder's training on eight made-up sounds: weak pairs, what the encoder is shown, that
 * each loss falls by itself, and that what is written computes what was trained. */
#include "harness/parity.h"
#include "io/picture.h"
#include "io/sound.h"
#include "losses/losses.h"
#include "models/registry.h"
#include "sound/mel.h"
#include "train/sound_views.h"
#include "train/trainer.h"
#include "train/weak_pairs.h"
#include <string.h>

#define SAMPLES 8
#define EMBED 16
#define SIDE 32
#define SECOND 44100
#define VOCAB CHLADNI_FIXTURES "/text/merges.txt"

/* --- weak pairs ------------------------------------------------------------------------------- */
#define PEOPLE 7
static const int label_of[PEOPLE] = {0, 1, 0, 2, 0, 1, 3}; /* 2 and 3 are alone */
static const int kind_of[PEOPLE] = {0, 1, 0, 0, 0, 1, 1};

static chl_dataset made_up(chl_sample *sample) {
    for (int i = 0; i < PEOPLE; i++)
        sample[i] = (chl_sample){.picture = "a picture",
                                 .label = "label",
                                 .label_id = label_of[i],
                                 .kind_id = kind_of[i]};
    return (chl_dataset){
        .folder = "made up", .count = PEOPLE, .sample = sample, .labels = 4, .kinds = 2};
}

/* Never the sample itself, always its label (its kind where the label has nobody else), everybody
 * about equally often, the same at every call. */
static void weak_pairs_share_the_label_and_are_all_drawn(void **state) {
    (void)state;
    enum { STEPS = 600 };
    chl_sample sample[PEOPLE];
    const chl_dataset data = made_up(sample);
    chl_weak_pairs *pairs;
    MUST(chl_weak_pairs_new(&data, &pairs));
    for (int i = 0; i < PEOPLE; i++) {
        int drawn[PEOPLE] = {0}, candidates = 0;
        for (int step = 0; step < STEPS; step++) {
            int64_t other = chl_weak_pairs_draw(pairs, 5, step, i, i);
            assert_in_range(other, 0, PEOPLE - 1);
            assert_int_equal(other, chl_weak_pairs_draw(pairs, 5, step, i, i));
            drawn[other]++;
        }
        const bool alone = label_of[i] >= 2;
        for (int k = 0; k < PEOPLE; k++)
            candidates += k != i && (alone ? kind_of[k] == kind_of[i] : label_of[k] == label_of[i]);
        for (int k = 0; k < PEOPLE; k++) {
            bool fits = k != i && (alone ? kind_of[k] == kind_of[i] : label_of[k] == label_of[i]);
            if (fits)
                assert_in_range(drawn[k], STEPS / candidates * 7 / 10,
                                STEPS / candidates * 13 / 10);
            else
                assert_int_equal(drawn[k], 0);
        }
    }
    chl_weak_pairs_free(pairs);
}

static chl_status check_pairs(const chl_dataset *data) {
    chl_weak_pairs *pairs;
    MUST(chl_weak_pairs_new(data, &pairs));
    const chl_status status = chl_weak_pairs_check(pairs);
    chl_weak_pairs_free(pairs);
    return status;
}

static void samples_without_a_partner_are_refused(void **state) {
    (void)state;
    chl_sample sample[PEOPLE];
    const chl_dataset data = made_up(sample);
    MUST(check_pairs(&data));
    sample[3].kind_id = -1;
    sample[3].label = "a lonely label";
    assert_int_equal(check_pairs(&data), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "a lonely label"));
    sample[3].label_id = -1;
    assert_int_equal(check_pairs(&data), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "sample 4"));
}

/* Samples 0 and 6 have no picture: 0 borrows those of its label (2, 4), 6, alone with its label, those
 * of its kind (1, 5); without these it has none. Nobody borrows of them. */
static void samples_without_a_picture_borrow_one_of_their_label(void **state) {
    (void)state;
    enum { STEPS = 200 };
    chl_sample sample[PEOPLE];
    const chl_dataset data = made_up(sample);
    chl_weak_pairs *pairs;
    sample[0].picture = sample[6].picture = NULL;
    MUST(chl_weak_pairs_new(&data, &pairs));
    MUST(chl_weak_pairs_check(pairs));
    int borrowed[2][PEOPLE] = {{0}}, same = 0;
    for (int step = 0; step < STEPS; step++) {
        const int64_t zero = chl_weak_pairs_borrow(pairs, 5, step, 0, 0);
        borrowed[0][zero]++;
        borrowed[1][chl_weak_pairs_borrow(pairs, 5, step, 6, 6)]++;
        same += zero == chl_weak_pairs_draw(pairs, 5, step, 0, 0);
        assert_int_equal(chl_weak_pairs_borrow(pairs, 5, step, 2, 2), 2); /* its own */
        assert_int_equal(chl_weak_pairs_draw(pairs, 5, step, 2, 2), 4);
    }
    for (int k = 0; k < PEOPLE; k++) {
        assert_int_equal(borrowed[0][k] > STEPS / 3, k == 2 || k == 4);
        assert_int_equal(borrowed[1][k] > STEPS / 3, k == 1 || k == 5);
    }
    assert_in_range(same, STEPS / 3, STEPS * 2 / 3); /* the partner is another draw */
    assert_true(chl_weak_pairs_pictured(pairs, 6));
    chl_weak_pairs_free(pairs);

    sample[1].picture = sample[5].picture = NULL;
    MUST(chl_weak_pairs_new(&data, &pairs));
    MUST(chl_weak_pairs_check(pairs)); /* it is left out, which is no error */
    assert_false(chl_weak_pairs_pictured(pairs, 6));
    assert_int_equal(chl_weak_pairs_borrow(pairs, 5, 0, 6, 6), -1);
    assert_int_equal(chl_weak_pairs_draw(pairs, 5, 0, 6, 6), -1);
    chl_weak_pairs_free(pairs);
}

/* --- rows that are left out of a loss ---------------------------------------------------------- */
enum { ROWS = 5, LEFT = 3, WIDE = 8 }; /* rows 1 and 4 of five are left out */
static const int kept_row[LEFT] = {0, 2, 3};

static bool is_kept(int row) {
    return row == 0 || row == 2 || row == 3;
}

/* A masked loss, or with `rows` LEFT the plain one of the rows that are kept; loss, gradient [rows] */
static void masked_loss(bool weak, int rows, float *loss, float *gradient) {
    float own[3][ROWS * WIDE], mask[ROWS * ROWS], tau = 1;
    static const char *const name[3] = {"x", "y", "z"};
    for (int k = 0; k < 3; k++) {
        float *all = parity_formula(name[k], 0, 1, ROWS * WIDE);
        for (int i = 0; i < rows; i++)
            memcpy(own[k] + i * WIDE, all + (rows == LEFT ? kept_row[i] : i) * WIDE,
                   WIDE * sizeof *all);
        free(all);
    }
    for (int i = 0; i < ROWS * ROWS; i++)
        mask[i] =
            (is_kept(i / ROWS) && is_kept(i % ROWS)) || i / ROWS == i % ROWS ? 0 : CHL_LEFT_OUT;
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    const chl_desc shape = chl_f32(2, rows, WIDE);
    chl_tensor x = chl_param(g, "x", shape, own[0], CHL_TRAINABLE), d;
    const chl_tensor y = chl_constant(g, "y", shape, own[1]),
                     z = chl_constant(g, "z", shape, own[2]);
    const chl_tensor scale = chl_constant(g, "scale", chl_f32(1, 1), &tau);
    const chl_tensor m =
        rows == LEFT ? CHL_NONE : chl_constant(g, "mask", chl_f32(2, ROWS, ROWS), mask);
    chl_tensor out =
        weak ? chl_masked_weak_pair_loss(g, y, x, z, 0.5f, m)
             : chl_masked_contrastive_loss(g, chl_share_rows(g, x), chl_share_rows(g, y), scale, m);
    chl_keep(g, out);
    chl_grad(g, out, 1, &x, &d);
    chl_keep(g, d);
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, out, loss));
    MUST(chl_read(g, d, gradient));
    chl_graph_free(g);
}

/* The loss is that of the rows that are kept, of which the mean over all rows has its share; rows that
 * are left out have no gradient. */
static void rows_left_out_of_a_loss_change_nothing(void **state) {
    (void)state;
    for (int weak = 0; weak < 2; weak++) {
        float all, kept, d_all[ROWS * WIDE], d_kept[LEFT * WIDE];
        masked_loss(weak, ROWS, &all, d_all);
        masked_loss(weak, LEFT, &kept, d_kept);
        print_message("%s: %.6f of all rows, %.6f of those kept\n", weak ? "L_kl" : "contrastive",
                      (double)all, (double)kept);
        assert_true(kept > 0.01f && fabsf(all * ROWS / LEFT - kept) < 1e-5f * kept);
        for (int i = 0, at = 0; i < ROWS; i++) {
            for (int k = 0; k < WIDE; k++) {
                const float want = is_kept(i) ? d_kept[at * WIDE + k] * LEFT / ROWS : 0;
                assert_true(fabsf(d_all[i * WIDE + k] - want) < 1e-6f);
            }
            at += is_kept(i);
        }
    }
}

/* CLIP's belief is what the sound is drawn to, never the other way round. */
static void weak_pair_gradients_reach_the_sound_only(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        chl_graph *g;
        MUST(chl_graph_new(chl_device_cpu(), &g));
        chl_tensor text = chl_param(g, "text", chl_f32(2, 3, 4), NULL, CHL_TRAINABLE);
        chl_tensor sound = chl_param(g, "sound", chl_f32(2, 3, 4), NULL, CHL_TRAINABLE);
        chl_tensor pictures = chl_input(g, "pictures", chl_f32(2, 3, 4)), gradient;
        chl_tensor loss = chl_weak_pair_loss(g, text, sound, pictures, 0.07f);
        chl_grad(g, loss, 1, which ? &text : &sound, &gradient);
        chl_status status = chl_compile(g);
        assert_int_equal(status == CHL_OK, which == 0);
        if (which) assert_non_null(strstr(chl_error(), "no gradient into p")); /* the belief */
        chl_graph_free(g);
    }
}

/* --- what the encoder is shown ---------------------------------------------------------------- */
/* mel [128][864] -> picture, as the training's graph does */
static void resize(const float *mel, float *picture) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_tensor x = chl_constant(g, "mel", chl_f32(4, 1, CHL_MEL_BANDS, CHL_MEL_FRAMES, 1), mel);
    chl_tensor y = chl_keep(g, chl_resize(g, x, CHL_FILTER_BILINEAR, CHL_MEL_SIDE, CHL_MEL_SIDE));
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, y, picture));
    chl_graph_free(g);
}

/* The picture of a clip, and of the middle of a longer one, is the one that embedding makes. */
static void views_of_clips_are_those_of_embedding(void **state) {
    (void)state;
    static float mel[CHL_VIEW_FLOATS], got[CHL_MEL_SIDE * CHL_MEL_SIDE],
        want[CHL_MEL_SIDE * CHL_MEL_SIDE];
    /* 259 frames, 864, and 866, whose middle begins at frame 1 of 0, 1, 2 */
    static const int64_t samples[] = {3 * SECOND, 863 * 512, 865 * 512};
    const chl_view_settings settings = {.spec = chl_spec_augment_defaults()};
    for (int i = 0; i < 3; i++) {
        float *wave = parity_formula("wave", 0, 0.3, samples[i]), *whole;
        for (int64_t k = 0; k < samples[i]; k++) wave[k] *= 0.2f + sinf((float)k * 1e-4f);
        int64_t frames;
        chl_device *cpu = chl_device_cpu();
        MUST(chl_mel_picture(cpu, wave, samples[i], CHL_MEL_ABSOLUTE, want));
        MUST(chl_mel_whole(cpu, wave, samples[i], CHL_MEL_ABSOLUTE, &whole, &frames));
        int same = 0;
        for (int step = 0; step < 30; step++) {
            chl_sound_views(&settings, 1, step, 0, whole, frames, mel, NULL);
            resize(mel, got);
            same += !memcmp(got, want, sizeof got);
        }
        print_message("%d frames: %d of 30 pictures are embedding's\n", (int)frames, same);
        if (i < 2)
            assert_int_equal(same, 30);
        else
            assert_in_range(same, 3, 20);
        free(whole);
        free(wave);
    }
}

static void views_leave_the_padding(void **state) {
    (void)state;
    enum { FRAMES = 100 };
    static float mel[CHL_MEL_BANDS * FRAMES], picture[CHL_VIEW_FLOATS], view[CHL_VIEW_FLOATS];
    const chl_view_settings settings = {.spec = chl_spec_augment_defaults()};
    for (int i = 0; i < CHL_MEL_BANDS * FRAMES; i++) mel[i] = 1;
    int hidden = 0;
    for (int step = 0; step < 20; step++) {
        chl_sound_views(&settings, 1, step, 0, mel, FRAMES, picture, view);
        for (int i = 0; i < CHL_VIEW_FLOATS; i++) {
            assert_true(picture[i] == (i % CHL_MEL_FRAMES < FRAMES));
            assert_true(view[i] == 0 || picture[i] == 1);
            hidden += picture[i] == 1 && view[i] == 0;
        }
    }
    assert_true(hidden > 20 * CHL_MEL_BANDS * FRAMES / 5);
}

/* From any of its frames on, as embedding repeats it from the first on. */
static void a_short_clip_is_repeated_where_asked(void **state) {
    (void)state;
    enum { FRAMES = 100 };
    static float mel[CHL_MEL_BANDS * FRAMES], picture[CHL_VIEW_FLOATS], masked[CHL_VIEW_FLOATS],
        view[CHL_VIEW_FLOATS];
    chl_view_settings settings = {.spec = chl_spec_augment_defaults(), .repeat = true};
    for (int i = 0; i < CHL_MEL_BANDS * FRAMES; i++) mel[i] = 0.1f + (float)i / 1e5f;
    bool begun[FRAMES] = {0};
    int begins = 0, hidden = 0;
    for (int step = 0; step < 20; step++) {
        settings.mask = false;
        chl_sound_views(&settings, 1, step, 0, mel, FRAMES, picture, NULL);
        const int from = (int)lroundf((picture[0] - 0.1f) * 1e5f);
        begins += !begun[from];
        begun[from] = true;
        for (int i = 0; i < CHL_VIEW_FLOATS; i++)
            assert_true(picture[i] ==
                        mel[i / CHL_MEL_FRAMES * FRAMES + (from + i % CHL_MEL_FRAMES) % FRAMES]);
        settings.mask = true;
        chl_sound_views(&settings, 1, step, 0, mel, FRAMES, masked, view);
        int alone = 0;
        for (int i = 0; i < CHL_VIEW_FLOATS; i++) {
            assert_true(masked[i] == 0 || masked[i] == picture[i]);
            hidden += masked[i] == 0;
            alone += masked[i] == 0 && view[i] != 0;
        }
        assert_true(alone > 0); /* the two masks are two draws */
    }
    assert_true(begins > 10);
    assert_true(hidden > 20 * CHL_VIEW_FLOATS / 5);
}

/* --- a data set ------------------------------------------------------------------------------- */
static char folder[] = "/tmp/chladni-audio-XXXXXX";
static char clip_path[128];
static const char *const label[4] = {"heavy rain", "rain", "a bell", "church bells"};

static void path_of(char path[128], const char *format, int i) {
    char name[64];
    snprintf(name, sizeof name, format, i);
    snprintf(path, 128, "%s/%s", folder, name);
}

/* Noise of two levels and tones of two pitches; no two alike */
static chl_status write_sound(int i) {
    static float wave[SECOND];
    char path[128], name[32];
    snprintf(name, sizeof name, "noise %d", i);
    formula_fill(name, 0, i / 2 == 0 ? 0.5 : i / 2 == 1 ? 0.02 : 0.001, SECOND, wave);
    for (int k = 0; i >= 4 && k < SECOND; k++)
        wave[k] += 0.3f * sinf((float)(k * (i < 6 ? 0.05 : 0.3) * (1 + 0.02 * (i % 2))));
    path_of(path, "%d.wav", i);
    return chl_sound_write(path, wave, SECOND);
}

static chl_status write_picture(int i) {
    uint8_t pixels[3 * SIDE * SIDE];
    char path[128];
    for (int k = 0; k < SIDE * SIDE; k++)
        for (int c = 0; c < 3; c++)
            pixels[3 * k + c] = (uint8_t)((i >> c & 1) * 150 + k * (i + 1) % 60);
    path_of(path, "%d.png", i);
    return chl_raster_write_png(path, SIDE, SIDE, pixels);
}

static chl_status write_clip(void) {
    const chl_clip_config config = {.image = {.layers = 1, .width = 64, .heads = 1, .mlp = 64},
                                    .text = {.layers = 1, .width = 64, .heads = 1, .mlp = 64},
                                    .embed = EMBED,
                                    .resolution = 16,
                                    .patch = 8,
                                    .context = 16,
                                    .vocabulary = 714};
    chl_params *params;
    CHL_TRY(chl_clip_random(&config, 3, &params));
    chl_status status = chl_weights_write_safetensors(params, clip_path);
    chl_params_free(params);
    return status;
}

static int prepare(void **state) {
    (void)state;
    char path[128];
    if (!mkdtemp(folder)) return -1;
    path_of(clip_path, "clip%d.safetensors", 0);
    path_of(path, "pairs.jsonl", 0);
    FILE *file = fopen(path, "w");
    if (!file || write_clip() != CHL_OK) return -1;
    for (int i = 0; i < SAMPLES; i++) {
        fprintf(file,
                "{\"sound\": \"%d.wav\", \"picture\": \"%d.png\", \"label\": \"%s\", \"kind\": "
                "\"%s\"}\n",
                i, i, label[i / 2], i < 4 ? "rain" : "bell");
        if (write_sound(i) != CHL_OK || write_picture(i) != CHL_OK) return -1;
    }
    return fclose(file);
}

static int clean_up(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* --- training --------------------------------------------------------------------------------- */
typedef struct curve {
    double first, last;
    int64_t steps;
} curve;

/* Means over five steps: batches differ in their wordings and partners. */
static int watch(void *user, const chl_train_progress *progress) {
    curve *c = user;
    if (progress->step <= 5) c->first += progress->loss / 5;
    if (progress->step > progress->steps - 5) c->last += progress->loss / 5;
    c->steps = progress->step;
    return 0;
}

static const char *run_folder(const char *name) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static chl_train_options options_of(const char *run, int64_t steps, curve *c) {
    chl_train_options options = {
        .size = sizeof options, .model = "audio", .cycles = 1, .save_every = 1000, .seed = 7};
    chl_training_audio.defaults(&options);
    options.data = folder;
    options.out = run_folder(run);
    options.clip = clip_path;
    options.vocab = VOCAB;
    options.sizes = "patch=32,embed=16,depths=1,heads=2";
    options.batch = SAMPLES;
    options.steps = steps;
    options.rate = 3e-3f;
    options.average = 0.9f;
    options.device = "cpu";
    options.progress = watch;
    options.user = c;
    return options;
}

static void each_loss_alone_falls(void **state) {
    (void)state;
    static const char *const name[4] = {"text", "image", "sound", "weak"};
    for (int i = 0; i < 4; i++) {
        curve c = {0};
        chl_train_options options = options_of(name[i], 100, &c);
        options.weight_text = i == 0;
        options.weight_image = i == 1;
        options.weight_sound = i == 2;
        options.weight_weak_pair = i == 3;
        if (i == 2) options.clip = options.vocab = NULL; /* sounds alone need no CLIP */
        MUST(chl_trainer_run(&chl_training_audio, &options));
        print_message("%-8s %.4f -> %.4f\n", name[i], c.first, c.last);
        assert_int_equal(c.steps, 100);
        assert_true(c.first > 0 && c.last < 0.75 * c.first);
    }
}

/* --- what is written is what was trained ------------------------------------------------------ */
static struct {
    float text[SAMPLES * EMBED], picture[SAMPLES * EMBED], partner[SAMPLES * EMBED];
} batch;

static chl_tensor input_called(const chl_graph *g, const char *name) {
    for (chl_tensor i = 0; i < 200; i++)
        if (chl_name_of(g, i) && strcmp(chl_name_of(g, i), name) == 0) return i;
    return CHL_NONE;
}

static chl_status feed_and_keep(chl_trainer *t, int64_t index) {
    CHL_TRY(chl_training_audio.feed(t, index));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "text"), batch.text));
    CHL_TRY(chl_read(t->graph, input_called(t->graph, "picture"), batch.picture));
    return chl_read(t->graph, input_called(t->graph, "partner"), batch.partner);
}

static chl_engine *open_model(const char *run) {
    char model[200];
    snprintf(model, sizeof model, "%s/%s/model.safetensors", folder, run);
    const chl_engine_options options = {
        .size = sizeof options, .clip = clip_path, .vocab = VOCAB, .audio = model};
    chl_engine *engine;
    MUST(chl_engine_open(&options, &engine));
    return engine;
}

/* Eq. 13 from embeddings, temperatures at their start */
static double loss_of(const float *sound, const chl_train_options *o) {
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    const float log_scale = logf(1 / 0.07f);
    const chl_desc rows = chl_f32(2, SAMPLES, EMBED);
    chl_tensor s = chl_constant(g, "scale", chl_f32(1, 1), &log_scale);
    chl_tensor a = chl_constant(g, "a", rows, sound), t = chl_constant(g, "t", rows, batch.text);
    chl_tensor v = chl_constant(g, "v", rows, batch.picture);
    chl_tensor w = chl_constant(g, "w", rows, batch.partner);
    const chl_tensor term[] = {chl_contrastive_loss(g, a, t, s), chl_contrastive_loss(g, a, v, s),
                               chl_weak_pair_loss(g, t, a, w, o->tau_weak_pair)};
    const float weight[] = {o->weight_text, o->weight_image, o->weight_weak_pair};
    chl_tensor loss = chl_keep(g, chl_sum(g, 0, 3, weight, term));
    float value;
    MUST(chl_compile(g));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    MUST(chl_read(g, loss, &value));
    chl_graph_free(g);
    return value;
}

static double cosine(const float *a, const float *b) {
    double dot = 0;
    for (int i = 0; i < EMBED; i++) dot += (double)a[i] * b[i];
    return dot;
}

/* Without a rate the model that is written is the one that computed the loss; opened as anybody
 * opens it, fed with the files, it gives the same number. (The SpecAugmented view is left out: no
 * file holds it. One block: no drop path.) */
static void the_written_model_computes_the_training_loss(void **state) {
    (void)state;
    curve c = {0};
    chl_train_options options = options_of("still", 1, &c);
    options.rate = 1e-12f; /* changes no weight */
    options.average = 0;
    options.weight_sound = 0;
    options.weight_image = 0.5f;
    options.weight_weak_pair = 2;
    chl_training wrapped = chl_training_audio;
    wrapped.feed = feed_and_keep;
    MUST(chl_trainer_run(&wrapped, &options));

    chl_dataset *data;
    int64_t index[SAMPLES];
    MUST(chl_dataset_open(folder, 0, &data));
    MUST(chl_dataset_batch(data, options.seed, 0, SAMPLES, index));
    chl_engine *engine = open_model("still");
    float sound[SAMPLES * EMBED], picture[SAMPLES][EMBED];
    for (int i = 0; i < SAMPLES; i++) {
        int h, w;
        float *pixels;
        MUST(chl_embed_sound(engine, data->sample[index[i]].sound, sound + i * EMBED));
        MUST(chl_picture_read(data->sample[i].picture, &h, &w, &pixels));
        MUST(chl_embed_picture(engine, h, w, pixels, picture[i]));
        chl_release(pixels);
    }
    double want = loss_of(sound, &options), got = 5 * c.last;
    print_message("loss while training %.6f, from files %.6f\n", got, want);
    assert_true(fabs(got - want) < 2e-4 * want);
    for (int i = 0; i < SAMPLES; i++) { /* the right picture, and the other of the same label */
        assert_true(cosine(batch.picture + i * EMBED, picture[index[i]]) > 1 - 1e-5);
        assert_true(cosine(batch.partner + i * EMBED, picture[index[i] ^ 1]) > 1 - 1e-5);
    }
    chl_engine_close(engine);
    chl_dataset_free(data);
}

/* All four together; the file has everything that an upstream encoder has, and the marker. */
static void all_four_losses_train_a_complete_encoder(void **state) {
    (void)state;
    curve c = {0};
    chl_train_options options = options_of("all", 40, &c);
    options.sizes = "patch=16,embed=8,depths=2-1,heads=2-2,window=7";
    MUST(chl_trainer_run(&chl_training_audio, &options));
    print_message("loss %.3f -> %.3f\n", c.first, c.last);
    assert_true(c.last < 0.85 * c.first);
    char model[200];
    snprintf(model, sizeof model, "%s/all/model.safetensors", folder);
    chl_params *params;
    MUST(chl_weights_read(model, &params));
    static const char *const trained[] = {"logit_scale_at", "logit_scale_ai"};
    for (int i = 0; i < 2; i++) {
        const chl_array *array = chl_params_find(params, trained[i]);
        assert_non_null(array);
        assert_true(fabsf(*(const float *)array->data - logf(1 / 0.07f)) > 1e-5f);
    }
    assert_non_null(chl_params_find(params, "chladni.absolute_level"));
    chl_params_free(params);
    chl_engine *engine = open_model("all");
    assert_int_equal(chl_engine_get_sizes(engine).embedding, EMBED);
    chl_engine_close(engine);
}

/* With the statistics that were followed while it trained, the file names what it has learned. */
static void a_resnet18_learns_and_its_file_knows_it(void **state) {
    (void)state;
    curve c = {0};
    chl_train_options options = options_of("resnet18", 40, &c);
    options.encoder = "resnet18";
    options.sizes = "width=4,depths=1-1-1-1";
    options.weight_image = options.weight_sound = options.weight_weak_pair = 0;
    options.average = 0;
    MUST(chl_trainer_run(&chl_training_audio, &options));
    print_message("loss %.3f -> %.3f\n", c.first, c.last);
    assert_true(c.last < 0.75 * c.first);
    chl_engine *engine = open_model("resnet18");
    float text[SAMPLES / 2][EMBED], sound[EMBED];
    for (int k = 0; k < SAMPLES / 2; k++) MUST(chl_embed_text(engine, label[k], text[k]));
    int right = 0;
    for (int i = 0; i < SAMPLES; i++) {
        char path[128];
        path_of(path, "%d.wav", i);
        MUST(chl_embed_sound(engine, path, sound));
        int best = 0;
        for (int k = 1; k < SAMPLES / 2; k++)
            if (cosine(sound, text[k]) > cosine(sound, text[best])) best = k;
        right += best == i / 2;
    }
    print_message("%d of %d sounds are named right\n", right, SAMPLES);
    assert_in_range(right, SAMPLES - 1, SAMPLES);
    chl_engine_close(engine);
}

/* More than fit a batch of the towers, and pictures of two sizes: each row is what embedding the
 * text or picture alone gives. */
static void frozen_clip(void **state) {
    (void)state;
    enum { MANY = 37 };
    static float texts[MANY * EMBED], pictures[MANY * EMBED];
    const char *text[MANY], *picture[MANY];
    char wide[128], names[SAMPLES][128];
    uint8_t pixels[3 * 20 * 50];
    for (int i = 0; i < (int)sizeof pixels; i++) pixels[i] = (uint8_t)(i * i);
    path_of(wide, "wide.png", 0);
    MUST(chl_raster_write_png(wide, 20, 50, pixels));
    for (int i = 0; i < SAMPLES; i++) path_of(names[i], "%d.png", i);
    for (int i = 0; i < MANY; i++) {
        text[i] = label[i * i % 4];
        picture[i] = i % 5 == 2 ? wide : names[i % SAMPLES];
    }
    const chl_model_place place = {.device = chl_device_cpu(), .precision = CHL_F32};
    const chl_clip_settings settings = {.resize = CHL_CLIP_AREA};
    chl_clip *clip;
    MUST(chl_clip_open(&place, clip_path, VOCAB, &settings, &clip));
    MUST(chl_clip_embed_texts(clip, 32, MANY, text, texts));
    MUST(chl_clip_embed_picture_files(clip, 32, MANY, picture, pictures));
    chl_clip_close(clip);
    const chl_engine_options options = {.size = sizeof options, .clip = clip_path, .vocab = VOCAB};
    chl_engine *engine;
    MUST(chl_engine_open(&options, &engine));
    for (int i = 0; i < MANY; i++) {
        float want[EMBED], *values;
        int h, w;
        MUST(chl_embed_text(engine, text[i], want));
        assert_true(cosine(texts + i * EMBED, want) > 1 - 1e-5);
        MUST(chl_picture_read(picture[i], &h, &w, &values));
        MUST(chl_embed_picture(engine, h, w, values, want));
        assert_true(cosine(pictures + i * EMBED, want) > 1 - 1e-5);
        chl_release(values);
    }
    chl_engine_close(engine);
}

/* --- mistakes --------------------------------------------------------------------------------- */
static void expect_refusal(chl_train_options *options, const char *says) {
    static int number;
    char name[32];
    snprintf(name, sizeof name, "refused%d", number++);
    options->out = run_folder(name);
    chl_status status = chl_trainer_run(&chl_training_audio, options);
    if (status == CHL_OK) fail_msg("\"%s\" was expected", says);
    if (!strstr(chl_error(), says)) fail_msg("\"%s\" where \"%s\" was expected", chl_error(), says);
}

static void impossible_options_are_refused(void **state) {
    (void)state;
    curve c = {0};
    static const struct {
        const char *sizes, *says;
    } sizes[] = {{"embed=10", "multiple of its heads"},
                 {"depths=1-1,heads=1", "must have as many numbers as depths, 2, got 1"},
                 {"patch=7", "divisible"},
                 {"colour=3", "colour"},
                 {"depths=1-1-1-1,heads=1-1-1-1", "divisible"}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        chl_train_options options = options_of("", 5, &c);
        options.sizes = sizes[i].sizes;
        expect_refusal(&options, sizes[i].says);
    }
    for (int i = 0; i < 8; i++) {
        chl_train_options o = options_of("", 5, &c);
        static const char *const says[] = {
            "weight > 0",    "weight_sound",
            "batch",         "needs clip",
            "tau_weak_pair", "mask_bands",
            "wordnet-base",  "encoder must be swin or resnet18, got \"vgg\""};
        if (i == 0) o.weight_text = o.weight_image = o.weight_sound = o.weight_weak_pair = 0;
        if (i == 1) o.weight_sound = -1;
        if (i == 2) o.batch = 1;
        if (i == 3) o.clip = NULL;
        if (i == 4) o.tau_weak_pair = 0;
        if (i == 5) o.mask_bands = 1.5f;
        if (i == 6) o.wordnet = folder;
        if (i == 7) o.encoder = "vgg";
        expect_refusal(&o, says[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weak_pairs_share_the_label_and_are_all_drawn),
        cmocka_unit_test(samples_without_a_partner_are_refused),
        cmocka_unit_test(samples_without_a_picture_borrow_one_of_their_label),
        cmocka_unit_test(rows_left_out_of_a_loss_change_nothing),
        cmocka_unit_test(weak_pair_gradients_reach_the_sound_only),
        cmocka_unit_test(views_of_clips_are_those_of_embedding),
        cmocka_unit_test(views_leave_the_padding),
        cmocka_unit_test(a_short_clip_is_repeated_where_asked),
        cmocka_unit_test(each_loss_alone_falls),
        cmocka_unit_test(the_written_model_computes_the_training_loss),
        cmocka_unit_test(all_four_losses_train_a_complete_encoder),
        cmocka_unit_test(a_resnet18_learns_and_its_file_knows_it),
        cmocka_unit_test(frozen_clip),
        cmocka_unit_test(impossible_options_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
