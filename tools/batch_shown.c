/* What the page shows beside the results, each once in DIR/page, named by the digest of what it is
 * made from. The folder may be deleted: the page then has less to show. */
#include "batch.h"
#include "mel_picture.h"
#include "page.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_DIGITS 16
#define MOST_COLUMNS 1024 /* of a mel picture: wider than it is shown */

static const char *const of_source[] = {
    "image",      "seed", "latent",    "truncation", "generator",  "class",
    "conv-clamp", "clip", "clip-gelu", "clip-view",  "clip-heads", "invert-steps",
    "encoder",    "tune", "precision", "device",     NULL};
static const char *const of_sound[] = {"sound", "mode", NULL};

/* "page/before-0123456789abcdef.png", to be freed; NULL without memory. */
static char *name_of(const batch_job *job, const char *kind, const char *const *flags) {
    char digest[DIGEST_ROOM], *name = NULL;
    json_t *facts = batch_facts(job, kind, flags);
    if (batch_facts_digest(facts, digest) &&
        asprintf(&name, "page/%s-%.*s.png", kind, NAME_DIGITS, digest) < 0)
        name = NULL;
    json_decref(facts);
    return name;
}

/* --- writing ---------------------------------------------------------------------------------- */
static chl_status draw_source(batch *b, const char *path, const float *source) {
    const int side = chl_engine_get_sizes(b->engine).picture;
    float *pixels = malloc(sizeof(float) * 3 * (size_t)side * (size_t)side);
    if (!pixels) return command_fail(CHL_ERR_MEMORY, "out of memory for %s", path);
    chl_status status = chl_generate(b->engine, 1, source, pixels);
    if (status == CHL_OK) status = chl_picture_write(path, side, side, pixels);
    free(pixels);
    return status;
}

/* The embedding may be another machine's, which could read the sound: without a mel picture the
 * result is as good. */
static chl_status draw_sound(const char *path, const one_edit *e) {
    int bands;
    int64_t frames;
    float *mel;
    const chl_status heard = chl_mel_of_sound(e->sound, e->ask.models.mel, &bands, &frames, &mel);
    if (heard == CHL_ERR_MEMORY) return heard;
    if (heard != CHL_OK) {
        char *reason = take_error();
        fprintf(stderr, "chladni: warning: the page has no mel picture: %s\n", shown(reason));
        free(reason);
        return CHL_OK;
    }
    const chl_status status = mel_picture_write(path, bands, frames, frames, mel,
                                                (frames + MOST_COLUMNS - 1) / MOST_COLUMNS);
    chl_release(mel);
    return status;
}

static chl_status draw(batch *b, const batch_job *job, const char *kind, const char *const *flags,
                       const float *source) {
    char *name = name_of(job, kind, flags), *path = name ? batch_path(b, "", name) : NULL;
    chl_status status = CHL_OK;
    if (!path)
        status = command_fail(CHL_ERR_MEMORY, "out of memory for the page's pictures");
    else if (access(path, F_OK) != 0)
        status = source ? draw_source(b, path, source) : draw_sound(path, &job->e);
    free(name);
    free(path);
    return status;
}

chl_status batch_show_inputs(batch *b, const batch_job *job, const float *source) {
    const chl_status status = draw(b, job, "before", of_source, source);
    if (status != CHL_OK || !job->e.sound) return status;
    return draw(b, job, "mel", of_sound, NULL);
}

/* --- addresses -------------------------------------------------------------------------------- */
/* From the folder to the file, both absolute: "../sounds/rain.wav". To be freed; NULL without
 * memory. */
static char *relative_path(const char *folder, const char *file) {
    size_t same = 0, ups = 0;
    for (size_t i = 0; folder[i] && folder[i] == file[i]; i++)
        if (folder[i + 1] == 0 && file[i + 1] == '/')
            same = i + 1;
        else if (folder[i] == '/')
            same = i;
    for (size_t i = same; folder[i]; i++) ups += folder[i] == '/' && folder[i + 1] != 0;
    const size_t rest = strlen(file + same + 1) + 1;
    char *path = malloc(3 * ups + rest), *to = path;
    if (!path) return NULL;
    for (; ups > 0; ups--, to += 3) memcpy(to, "../", 3);
    memcpy(to, file + same + 1, rest);
    return path;
}

static void set_address(json_t *entry, const char *key, const char *path) {
    char *address = path ? page_address(path) : NULL;
    if (!address) json_refuse();
    json_put(entry, key, json_text(address));
    free(address);
}

static void name_picture(const batch *b, const batch_job *job, const char *kind,
                         const char *const *flags, json_t *entry) {
    char *name = name_of(job, kind, flags), *path = name ? batch_path(b, "", name) : NULL;
    if (!path)
        json_refuse();
    else if (access(path, F_OK) == 0)
        set_address(entry, kind, name);
    free(name);
    free(path);
}

/* NULL for what is not there, and without memory. */
static char *real_path(const char *path) {
    char *real = realpath(path, NULL);
    if (!real && errno == ENOMEM) json_refuse();
    return real;
}

void batch_name_inputs(const batch *b, const batch_job *job, json_t *entry) {
    if (job->digests) name_picture(b, job, "before", of_source, entry);
    if (!job->e.sound) return;
    if (job->digests) name_picture(b, job, "mel", of_sound, entry);
    char *folder = real_path(b->out), *file = real_path(job->e.sound);
    if (folder && file) {
        char *path = relative_path(folder, file);
        set_address(entry, "listen", path);
        free(path);
    }
    free(folder);
    free(file);
}
