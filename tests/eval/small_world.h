/* A small random world for tests of evaluations: models that know nothing, sounds of three kinds, calm scenes, a
 * judge. For the tests of this folder. */
#ifndef CHL_TEST_SMALL_WORLD_H
#define CHL_TEST_SMALL_WORLD_H
#include "demo/judge.h"
#include "eval/edit_trials.h"
#include "eval/sample_statistics.h"
#include "io/npy.h"
#include "io/picture.h"
#include "io/sound.h"
#include "nets/stylegan2.h"
#include "small_engine.h"
#include <chladni/demo.h>
#include <jansson.h>
#include <sys/stat.h>

#define KINDS 3
#define SOUNDS 9
#define SIDE 32
#define Z 16
static const char *const kind_name[KINDS] = {"hum", "hiss", "beep"};

static chl_engine_options models;

/* --- models and folders ----------------------------------------------------------------------- */
/* chosen: the kind it always sees, whatever it looks at; -1: what its random weights say */
static void make_judge(const char *path, int chosen) {
    chl_judge_config config = {.side = SIDE,
                               .stages = 2,
                               .width = {8, 12},
                               .classes = {KINDS + 1, 4, 3, 2},
                               .kind_name = {"nothing", kind_name[0], kind_name[1], kind_name[2]}};
    chl_params *params;
    MUST(chl_judge_random(&config, 4, &params));
    if (chosen >= 0) ((float *)chl_params_find(params, "kind.bias")->data)[chosen + 1] = 1e4f;
    save_model(params, path);
}

static void make_models(void) {
    const chl_stylegan2_shape shape = {SIDE, 256, 16, Z, Z, 2};
    chl_params *params;
    MUST(chl_stylegan2_random(&shape, 1, &params));
    save_model(params, "g.safetensors");
    save_small_clip(2, EMBED, 2, "c.safetensors");
    save_small_audio(EMBED, 3, "a.safetensors");
    save_small_audio(EMBED, 8, "b.safetensors");
    make_judge("j.safetensors", -1);
    make_judge("hiss.safetensors", 1);
}

static void make_sound(int64_t index, const char *path) {
    enum { SAMPLES = 22050 };
    float *wave = parity_formula(path, 0, 0.3, SAMPLES);
    for (int i = 0; i < SAMPLES; i++)
        if (index % KINDS != 1) wave[i] = 0.3f * sinf((float)i * (index % KINDS ? 0.3f : 0.01f));
    for (int i = 0; i < SAMPLES; i++) wave[i] *= 0.2f + 0.1f * (float)(index / KINDS);
    MUST(chl_sound_write(path, wave, SAMPLES));
    free(wave);
}

static void make_latents(const char *path, int64_t count) {
    float *z = parity_formula(path, 0, 1, count * Z);
    const chl_desc desc = chl_f32(2, (int)count, Z);
    MUST(chl_npy_write(path, &desc, z));
    free(z);
}

/* pairs/: sounds of each kind; folders/: the same, a folder per kind; calm/: latents only. All of a
 * kind have time 1, season 2, house 1. */
static void make_data(void) {
    const char *const folders[] = {"pairs",       "calm",         "folders",
                                   "folders/hum", "folders/hiss", "folders/beep"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(folders[i], 0777), 0);
    FILE *lines = fopen("pairs/pairs.jsonl", "w");
    uint8_t grey[3 * SIDE * SIDE];
    memset(grey, 128, sizeof grey);
    MUST(chl_raster_write_png("pairs/p.png", SIDE, SIDE, grey));
    for (int i = 0; i < SOUNDS; i++) {
        char path[64];
        snprintf(path, sizeof path, "pairs/%d.wav", i);
        make_sound(i, path);
        snprintf(path, sizeof path, "folders/%s/%d.wav", kind_name[i % KINDS], i);
        make_sound(i, path);
        fprintf(lines,
                "{\"sound\": \"%d.wav\", \"picture\": \"p.png\", \"kind\": \"%s\", \"strength\": "
                "%.1f, \"time\": 1, \"season\": 2, \"house\": 1}\n",
                i, kind_name[i % KINDS], 0.1 * (i + 1));
    }
    fclose(lines);
    make_latents("pairs/latents.npy", SOUNDS);
    lines = fopen("calm/pairs.jsonl", "w");
    for (int i = 0; i < 4; i++) fputs("{}\n", lines);
    fclose(lines);
    make_latents("calm/latents.npy", 4);
}

/* A random judge answers everything alike. Less its mean answer to some pictures, it answers
 * differently for different ones, which is what the counting needs. */
static void unsettle_judge(const char *path) {
    enum { PICTURES = 24 };
    float *w = malloc(sizeof(float) * PICTURES * 8 * Z);
    float *pixels = malloc(sizeof(float) * PICTURES * 3 * SIDE * SIDE);
    static chl_judge_answer seen[PICTURES];
    chl_params *params;
    chl_judge_config config;
    MUST(chl_weights_read(path, &params));
    MUST(chl_judge_import(params, &config));
    for (int i = 0; i < PICTURES; i++) MUST(chl_seed_latent(engine, (uint64_t)i, 1, w + i * 8 * Z));
    MUST(chl_generate(engine, PICTURES, w, pixels));
    chl_judge_reader *reader;
    MUST(chl_judge_reader_new(engine->place.device, params, &config, &reader));
    MUST(chl_judge_read(reader, PICTURES, pixels, seen));
    chl_judge_reader_free(reader);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        char name[32];
        snprintf(name, sizeof name, "%s.bias", chl_judge_question_name((chl_judge_question)q));
        float *bias = chl_params_find(params, name)->data;
        for (int c = 0; c < config.classes[q]; c++)
            for (int i = 0; i < PICTURES; i++)
                bias[c] -= logf(seen[i].probability[q][c]) / PICTURES;
    }
    save_model(params, path);
    free(w);
    free(pixels);
}

static int enter(void **state) {
    (void)state;
    if (enter_folder()) return -1;
    make_models();
    make_data();
    models = (chl_engine_options){.size = sizeof models,
                                  .generator = "g.safetensors",
                                  .clip = "c.safetensors",
                                  .vocab = CHLADNI_FIXTURES "/text/merges.txt",
                                  .audio = "a.safetensors",
                                  .mel = CHL_MEL_ABSOLUTE};
    MUST(chl_engine_open(&models, &engine));
    unsettle_judge("j.safetensors");
    return 0;
}

/* --- reading reports -------------------------------------------------------------------------- */
static json_t *parse(char *text) {
    json_t *report = json_loads(text, 0, NULL);
    assert_non_null(report);
    chl_release(text);
    return report;
}

static double number(const json_t *report, const char *a, const char *b, const char *c) {
    report = json_object_get(report, a);
    if (b) report = json_object_get(report, b);
    if (c) report = json_object_get(report, c);
    if (!json_is_number(report)) fail_msg("%s/%s/%s is no number", a, b ? b : "", c ? c : "");
    return json_number_value(report);
}

/* --- edits ------------------------------------------------------------------------------------ */
static chl_edit_options edit_options;

/* with the edits of edit_options */
static chl_trial_options trial_options(void) {
    chl_trial_options o = chl_trial_defaults();
    edit_options = chl_edit_defaults(engine);
    edit_options.steps = 5;
    o.edit = &edit_options;
    o.judge = "j.safetensors";
    o.judged_by = chl_demo_judge();
    o.sources = "calm";
    o.sounds = "pairs";
    o.biased = "pairs";
    o.scenes = 3;
    o.batch = 4;
    o.gate = SOUNDS;
    o.intensity = 0;
    return o;
}

static json_t *try_edits(const chl_trial_options *o) {
    char *text;
    MUST(chl_evaluate_edits(engine, o, &text));
    json_t *report = parse(text);
    json_object_del(report, "seconds");
    return report;
}
#endif
