#include "command.h"
#include "outputs.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FARTHEST 20 /* of a pixel from 0, in an array */

typedef enum item_kind { ITEM_SOUND, ITEM_IMAGE, ITEM_TEXT } item_kind;

typedef struct embed_job {
    chl_engine_options models;
    const char *out;
    bool json;
    item_kind *kind; /* in the order given */
    const char **value;
    int items, capacity;

    chl_engine *engine;
    float *rows;
    int count, width, room;
} embed_job;

static bool take_item(void *user, const char *name, const char *value) {
    static const char *const names[] = {"sound", "image", "text"};
    embed_job *job = user;
    for (int k = 0; k < 3; k++) {
        if (strcmp(name, names[k]) != 0) continue;
        if (!value) return true; /* the parser reports the missing value */
        if (job->items == job->capacity) {
            int capacity = job->capacity ? 2 * job->capacity : 64;
            void *kind = realloc(job->kind, sizeof *job->kind * (size_t)capacity);
            if (kind) job->kind = kind;
            void *text = realloc(job->value, sizeof *job->value * (size_t)capacity);
            if (text) job->value = text;
            if (!kind || !text) return false;
            job->capacity = capacity;
        }
        job->kind[job->items] = (item_kind)k;
        job->value[job->items++] = k == ITEM_TEXT ? value : input_path(value);
        return true;
    }
    return false;
}

static float *new_row(embed_job *job) {
    if (job->count == job->room) {
        int room = job->room ? 2 * job->room : 64;
        float *grown = realloc(job->rows, sizeof(float) * (size_t)room * (size_t)job->width);
        if (!grown) return NULL;
        job->rows = grown;
        job->room = room;
    }
    return job->rows + (size_t)job->count++ * (size_t)job->width;
}

static chl_status no_room(const embed_job *job) {
    return command_fail(CHL_ERR_MEMORY, "out of memory for %d embeddings", job->count + 1);
}

static chl_status embed_pixels(embed_job *job, int height, int width, const float *pixels) {
    float *row = new_row(job);
    if (!row) return no_room(job);
    return job->models.face ? chl_embed_face(job->engine, height, width, pixels, row)
                            : chl_embed_picture(job->engine, height, width, pixels, row);
}

/* Generators go beyond [-1, 1], those with random weights far; pixels from 0 to 255 would be embedded as
 * something else. */
static chl_status check_range(const char *path, size_t picture, const float *pixels, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(pixels[i]) <= FARTHEST)) /* NaN too */
            return command_fail(CHL_ERR_ARGUMENT,
                                "%s: pixels must be from -1 to 1, and at most %d from 0 as a "
                                "generator makes them, got %g in picture %zu",
                                path, FARTHEST, (double)pixels[i], picture);
    return CHL_OK;
}

/* X.npy: N x 3 x H x W in [-1,1] */
static chl_status embed_array(embed_job *job, const char *path) {
    int rank;
    int64_t dim[6];
    float *planes;
    chl_status status = chl_array_read(path, &rank, dim, &planes);
    if (status != CHL_OK) return status;
    if (rank != 4 || dim[1] != 3 || dim[2] > 65536 || dim[3] > 65536) {
        chl_release(planes);
        return command_fail(CHL_ERR_SHAPE, "%s: pictures must be N x 3 x H x W", path);
    }
    const size_t area = (size_t)dim[2] * (size_t)dim[3];
    float *pixels = malloc(sizeof(float) * 3 * area);
    if (!pixels) status = command_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    for (size_t n = 0; n < (size_t)dim[0] && status == CHL_OK; n++) {
        for (size_t i = 0; i < area; i++)
            for (size_t c = 0; c < 3; c++) pixels[3 * i + c] = planes[(n * 3 + c) * area + i];
        status = check_range(path, n, pixels, 3 * area);
        if (status == CHL_OK) status = embed_pixels(job, (int)dim[2], (int)dim[3], pixels);
    }
    free(pixels);
    chl_release(planes);
    return status;
}

static chl_status embed_image(embed_job *job, const char *path) {
    const size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".npy") == 0) return embed_array(job, path);
    int height, width;
    float *pixels;
    chl_status status = chl_picture_read(path, &height, &width, &pixels);
    if (status != CHL_OK) return status;
    status = embed_pixels(job, height, width, pixels);
    chl_release(pixels);
    return status;
}

static chl_status embed_item(embed_job *job, int item) {
    if (job->kind[item] == ITEM_IMAGE) return embed_image(job, job->value[item]);
    float *row = new_row(job);
    if (!row) return no_room(job);
    return job->kind[item] == ITEM_SOUND ? chl_embed_sound(job->engine, job->value[item], row)
                                         : chl_embed_text(job->engine, job->value[item], row);
}

static int run(embed_job *job) {
    if (chl_engine_open(&job->models, &job->engine) != CHL_OK) return run_error();
    chl_engine_sizes size = chl_engine_get_sizes(job->engine);
    job->width = job->models.face ? size.face : size.embedding;
    for (int i = 0; i < job->items; i++) {
        chl_status status = embed_item(job, i);
        if (status != CHL_OK) return run_error();
    }
    const int64_t dim[] = {job->count, job->width};
    if (chl_array_write(job->out, 2, dim, job->rows) != CHL_OK) return run_error();
    if (!job->json) return EXIT_OK;
    return print_json(json_pack("{s:o,s:i,s:i}", "out", json_text(job->out), "count", job->count,
                                "width", job->width),
                      REPORT_DIGITS);
}

static int check(const command_line *line, const embed_job *job) {
    bool sound = false, image = false, text = false;
    for (int i = 0; i < job->items; i++) {
        sound = sound || job->kind[i] == ITEM_SOUND;
        image = image || job->kind[i] == ITEM_IMAGE;
        text = text || job->kind[i] == ITEM_TEXT;
    }
    if (job->items == 0) return usage_error(line, "give --sound, --image or --text");
    if (!job->out) return usage_error(line, "--out is missing");
    if (sound && !job->models.audio) return usage_error(line, "--sound needs --audio");
    if (text && (!job->models.clip || !job->models.vocab))
        return usage_error(line, "--text needs --clip and --vocab");
    if (image && (job->models.clip != NULL) + (job->models.face != NULL) != 1)
        return usage_error(line, "--image needs one of --clip, --face");
    if (job->models.face && (sound || text))
        return usage_error(line, "--face embeds pictures only");
    output_table table = {0};
    output_add(&table, "out", OUTPUT_ARRAY, job->out);
    for (int i = 0; i < job->items; i++)
        if (job->kind[i] != ITEM_TEXT) output_reads(&table, job->value[i]);
    return output_check(line, &table);
}

int command_embed(int argc, char **argv) {
    embed_job job = {.models = {.size = sizeof job.models}};
    const option options[] = {
        CLIP_OPTIONS(job.models),
        AUDIO_OPTION(job.models),
        MEL_OPTION(job.models),
        SOUND_TEXTS_OPTIONS(job.models),
        FACE_OPTION(job.models, "for pictures of faces"),
        DEVICE_OPTIONS(job.models),
        {"out", NULL, OPTION_OUTPUT, &job.out, "E.npy", "float32 array, one row per item", NULL},
        {"json", NULL, OPTION_FLAG, &job.json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {
        .usage = "embed (--sound S | --image P|X.npy | --text T)... [--clip F] [--vocab F] "
                 "[--audio F] [--face F] --out E.npy",
        .about =
            "Writes unit-length embeddings in the order given. With --face: ArcFace embeddings of\n"
            "faces instead of CLIP embeddings of pictures. X.npy: N x 3 x H x W, from -1 to 1, "
            "with\n"
            "what generators go beyond; a pixel farther than 20 from 0 is refused.",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .extra = take_item,
        .user = &job};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done) code = check(&line, &job);
    if (code == EXIT_OK && !done) code = run(&job);
    free(job.kind);
    free(job.value);
    free(job.rows);
    chl_engine_close(job.engine);
    return code;
}
