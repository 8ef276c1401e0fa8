/* `video`: a picture that a sound changes over time. */
#include "outputs.h"
#include "recipe.h"
#include "video.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FRAMES 999999 /* in six digits */
#define MAX_KEYS 9999

static int is_interrupted(void *unused) {
    (void)unused;
    return interrupted();
}

/* --- report ----------------------------------------------------------------------------------- */
static json_t *keys_of(const video_job *job) {
    json_t *keys = json_array();
    for (int k = 0; k < job->keys; k++) {
        json_t *key = json_pack("{s:f, s:f}", "time", video_key_time(job, k), "cosine",
                                (double)job->cosine[k]);
        if (!isnan(job->text_cosine[k]))
            json_put(key, "text_cosine", json_real((double)job->text_cosine[k]));
        json_add(keys, key);
    }
    return keys;
}

static double flicker(const video_job *job) {
    return job->fade > 0 ? job->change / job->fade : NAN;
}

static chl_video_options joining(const video_job *job) {
    return (chl_video_options){.size = sizeof(chl_video_options),
                               .folder = job->folder,
                               .frames = job->frames,
                               .fps = job->fps,
                               .sound = job->e.sound,
                               .stop = is_interrupted};
}

static int report(const video_job *job) {
    const chl_video_options options = joining(job);
    char *command = NULL;
    if (!job->joined && chl_video_command(&options, job->out, &command) != CHL_OK)
        return run_error();
    const double ratio = flicker(job);
    if (job->json) {
        json_t *whole =
            json_pack("{s:o, s:i, s:f, s:f, s:i, s:i, s:{s:f, s:f, s:f, s:o}, s:o, s:o, s:o}",
                      "out", job->joined ? json_text(job->out) : json_null(), "frames", job->frames,
                      "fps", (double)job->fps, "seconds", job->frames / (double)job->fps,
                      "frames_before", job->frames_before, "keys_before", job->keys_before,
                      "flicker", "change", job->change, "largest", job->largest, "crossfade",
                      job->fade, "ratio", isnan(ratio) ? json_null() : json_real(ratio), "keys",
                      keys_of(job), "folder", job->joined ? json_null() : json_text(job->folder),
                      "command", command ? json_text(command) : json_null());
        chl_release(command);
        if (job->score_path) json_put(whole, "score", score_report(&job->score));
        if (job->latent_out) json_put(whole, "latent_out", json_text(job->latent_out));
        return print_json(whole, REPORT_DIGITS);
    }
    fprintf(stderr,
            "%s: %d frames, %d keys; neighbouring frames change by %.4f, those of a cross-fade of "
            "the keys by %.4f",
            shown(job->joined ? job->out : job->folder), job->frames, job->keys, job->change,
            job->fade);
    if (!isnan(ratio)) fprintf(stderr, ": %.2f times", ratio);
    fputc('\n', stderr);
    if (!job->joined)
        fprintf(stderr,
                "ffmpeg is not installed. This joins the frames, and so does the same "
                "command once it is:\n%s\n",
                shown(command));
    chl_release(command);
    return EXIT_OK;
}

/* --- run -------------------------------------------------------------------------------------- */
/* Whether the folder that was opened still has its name: another run may have ended and removed it. */
static bool is_named(const video_job *job) {
    struct stat named, opened;
    return stat(job->folder, &named) == 0 && fstat(job->claim, &opened) == 0 &&
           named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

/* Until this process ends, however it does. Where a file system has no locks nothing is claimed, and
 * other errors show at the folder's first file. */
static chl_status claim_folder(video_job *job) {
    for (int again = 0; again < 10; again++) {
        mkdir(job->folder, 0777);
        job->claim = open(job->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (job->claim < 0) return CHL_OK;
        if (flock(job->claim, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            return command_fail(CHL_ERR_IO,
                                "%s: another run of this command is making the video: wait for it, "
                                "or stop it",
                                job->folder);
        if (is_named(job)) return CHL_OK;
        close(job->claim);
        job->claim = -1;
    }
    return CHL_OK;
}

/* A digest of all that the frames depend on. */
static chl_status name_folder(video_job *job) {
    char id[DIGEST_ROOM], digest[DIGEST_ROOM];
    json_t *digests;
    char *text;
    chl_status status = one_edit_digests(&job->files, &job->e, EDIT_ALL_FILES, &digests);
    if (status != CHL_OK) return status;
    status = recipe_id(&job->e, digests, id);
    json_decref(digests);
    if (status != CHL_OK) return status;
    json_t *parts = score_report(&job->score);
    char *score = json_dumped(parts, JSON_COMPACT);
    json_decref(parts);
    if (!score) return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    if (asprintf(&text, "%s %s %.9g %.9g %.9g %.9g %.9g %d %s", chl_version(), id, (double)job->fps,
                 (double)job->seconds, (double)job->every, (double)job->window, (double)job->react,
                 job->warm_steps, score) < 0)
        text = NULL;
    free(score);
    if (!text) return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    digest_of_text(text, digest);
    free(text);
    if (asprintf(&job->folder, "%s.frames-%.16s", job->out, digest) < 0) {
        job->folder = NULL;
        return command_fail(CHL_ERR_MEMORY, "out of memory for a name");
    }
    return claim_folder(job);
}

static chl_status take_sound(video_job *job) {
    const chl_status status = chl_sound_decode_file(job->e.sound, &job->samples, &job->wave);
    if (status != CHL_OK) return status;
    job->length = job->sound_length = (double)job->samples / 44100;
    if (job->seconds > 0) job->length = fmin(job->length, (double)job->seconds);
    const double frames = ceil(job->length * (double)job->fps),
                 keys = ceil(job->length / video_every(job)) + 1;
    if (frames < 1 || frames > MAX_FRAMES || keys > MAX_KEYS)
        return command_fail(CHL_ERR_ARGUMENT,
                            "%s: expected a sound of 1 to %d frames and at most %d keys, got %.0f "
                            "and %.0f: set --seconds, --fps or --every",
                            job->e.sound, MAX_FRAMES, MAX_KEYS, frames, keys);
    job->frames = (int)frames;
    job->keys = (int)keys;
    return CHL_OK;
}

static bool allocate(video_job *job) {
    const size_t code = (size_t)job->size.rows * (size_t)job->size.latent,
                 pixels = 3 * (size_t)job->size.picture * (size_t)job->size.picture;
    const size_t keys = (size_t)job->keys, texts = (size_t)job->score.texts + 1,
                 embedding = sizeof(float) * (size_t)job->size.embedding;
    job->source = calloc(code, sizeof(float));
    job->key = calloc(keys, sizeof(float) * code);
    job->said = calloc(texts, sizeof(float) * code);
    job->target = calloc(keys, embedding);
    job->text_target = calloc(texts, embedding);
    job->picture = calloc(keys, sizeof(float) * pixels);
    job->cosine = calloc(keys, sizeof(float));
    job->text_cosine = calloc(keys, sizeof(float));
    return job->source && job->key && job->said && job->target && job->text_target &&
           job->picture && job->cosine && job->text_cosine;
}

static chl_status make_frames(video_job *job) {
    chl_status status = take_sound(job);
    if (status == CHL_OK) status = chl_engine_open(&job->e.ask.models, &job->engine);
    if (status != CHL_OK) return status;
    job->size = chl_engine_get_sizes(job->engine);
    status = score_check(&job->score, job->size.rows, job->sound_length);
    if (status != CHL_OK) return status;
    if (!allocate(job)) return command_fail(CHL_ERR_MEMORY, "out of memory for %d keys", job->keys);
    status = name_folder(job);
    if (status == CHL_OK) status = video_find_source(job);
    if (status == CHL_OK) status = video_find_keys(job);
    if (status == CHL_OK && !job->json)
        fprintf(stderr, "%d frames of %d x %d\n", job->frames, job->size.picture,
                job->size.picture);
    if (status == CHL_OK) status = video_render(job);
    return status;
}

static chl_status write_keys(const video_job *job) {
    const int64_t dim[] = {job->keys, job->size.rows, job->size.latent};
    return chl_array_write(job->latent_out, 3, dim, job->key);
}

static int run(video_job *job) {
    chl_status status = make_frames(job);
    if (status == CHL_OK) status = video_measure(job);
    if (status == CHL_OK && job->strip) status = video_write_strip(job);
    if (status == CHL_OK && job->latent_out) status = write_keys(job);
    if (status == CHL_OK) {
        const chl_video_options options = joining(job);
        status = chl_video_write(&options, job->out);
        job->joined = status == CHL_OK;
        if (status == CHL_ERR_UNSUPPORTED) status = CHL_OK; /* the frames are the result */
    }
    if (status == CHL_ERR_CANCELLED) return interrupt_code();
    if (status != CHL_OK) return run_error();
    if (job->joined) remove_own_folder(job->folder);
    return report(job);
}

static void release(video_job *job) {
    void *all[] = {job->folder,      job->source,  job->key,    job->said,       job->target,
                   job->text_target, job->picture, job->cosine, job->text_cosine};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    if (job->claim >= 0) close(job->claim);
    chl_release(job->wave);
    score_free(&job->score);
    file_digests_free(&job->files);
    chl_engine_close(job->engine);
}

/* --- command ---------------------------------------------------------------------------------- */
static int check(const command_line *line, video_job *job, const char *positional) {
    if (!positional) return usage_error(line, "a sound is missing");
    job->e.sound = positional;
    if (!job->out) return usage_error(line, "--out is missing");
    if (!job->e.ask.models.audio) return usage_error(line, "--audio is missing");
    if (job->e.ask.keep) return usage_error(line, "--keep is for one picture: chladni edit has it");
    if (job->e.ask.space == CHL_SPACE_WHITENED)
        return usage_error(line, "--space must be w or shared: keys begin at the key before them");
    const char *wrong = one_edit_settle(&job->e);
    if (wrong) return usage_error(line, "%s", wrong);
    if (!(job->fps > 0 && job->fps <= 240))
        return usage_error(line, "--fps must be in (0, 240], got %g", (double)job->fps);
    if (job->seconds < 0)
        return usage_error(line, "--seconds must be >= 0, got %g", (double)job->seconds);
    if (!(job->every > 0) || !(job->window > 0))
        return usage_error(line, "--every and --window must be > 0, got %g and %g",
                           (double)job->every, (double)job->window);
    if (job->warm_steps < 1)
        return usage_error(line, "--warm-steps must be >= 1, got %d", job->warm_steps);
    const int code = score_read(job->score_path, &job->score);
    if (code != EXIT_OK) return code;
    if (job->score.texts && !job->e.ask.models.vocab)
        return usage_error(line, "the texts of --score need --vocab");
    output_table table = {0};
    output_reads(&table, job->e.sound);
    output_add(&table, "out", OUTPUT_VIDEO, job->out);
    output_add(&table, "strip", OUTPUT_PICTURE, job->strip);
    output_add(&table, "latent-out", OUTPUT_ARRAY, job->latent_out);
    return output_check(line, &table);
}

int command_video(int argc, char **argv) {
    video_job job = {.e = one_edit_defaults(),
                     .claim = -1,
                     .fps = 24,
                     .every = 2,
                     .window = 4,
                     .warm_steps = 60};
    const char *positional[1] = {NULL};
    const option options[] = {
        {"image", NULL, OPTION_INPUT, &job.e.ask.image, "P",
         "picture that changes (PNG, JPEG, WebP, HEIC); it is inverted first", NULL},
        {"seed", NULL, OPTION_TEXT, &job.e.seed, "N", "seed of the picture", NULL},
        {"latent", NULL, OPTION_INPUT, &job.e.ask.latent, "W.npy|W.npz|W.pt", "its W+ code", NULL},
        {"out", NULL, OPTION_OUTPUT, &job.out, "V.mp4", "the video, with the sound", NULL},
        {"strip", NULL, OPTION_OUTPUT, &job.strip, "P.png", "ten frames side by side", NULL},
        {"fps", NULL, OPTION_FLOAT, &job.fps, "X", "frames a second (default 24)", NULL},
        {"seconds", NULL, OPTION_FLOAT, &job.seconds, "X",
         "length (default 0: the sound's); at most the sound's", NULL},
        {"every", NULL, OPTION_FLOAT, &job.every, "X",
         "seconds between keys, the pictures that the sound around them is heard for (default 2)",
         NULL},
        {"window", NULL, OPTION_FLOAT, &job.window, "X",
         "seconds of the sound that a key is of (default 4)", NULL},
        {"warm-steps", NULL, OPTION_INT, &job.warm_steps, "N",
         "optimisation steps of the keys behind the first, which begin at the key before them "
         "(default 60)",
         NULL},
        {"react", NULL, OPTION_FLOAT, &job.react, "X",
         "the edit's strength follows loudness and onsets: 1 + X at 12 dB above what is around "
         "(default 0: not)",
         NULL},
        {"score", NULL, OPTION_INPUT, &job.score_path, "S.csv",
         "what joins the sound when: columns seconds, text, weight (of the text, default 0.5), "
         "rows "
         "(of the code that may move: coarse, middle, fine, none or numbers). A line begins a part",
         NULL},
        {"latent-out", NULL, OPTION_OUTPUT, &job.latent_out, "W.npy", "file for the keys' W+ codes",
         NULL},
        SETTINGS_OPTIONS(job.e.ask),
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {
        .usage = "video SOUND (--image P | --seed N | --latent W.npy) --out V.mp4 --generator F "
                 "--clip F --audio F ...",
        .about =
            "A picture that a sound changes over time: keys every two seconds, each an edit by the "
            "sound around it that\nbegins at the key before it, and a smooth path through their "
            "codes. ffmpeg joins frames and sound where it is\ninstalled. Frames lie in "
            "V.mp4.frames-* until then: the same command goes on after a kill.",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .positional = positional,
        .max_positionals = 1};
    bool done;
    watch_interrupts();
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = check(&line, &job, positional[0]);
    if (code == EXIT_OK && !done) code = run(&job);
    release(&job);
    return code;
}
