/* The public header's files: thin covers over host/io and host/sound. */
#include "base/file_bytes.h"
#include "base/options.h"
#include "io/new_file.h"
#include "io/picture.h"
#include "io/png_text.h"
#include "io/sound.h"
#include "io/video_file.h"
#include "models/centre_square.h"
#include "sound/mel.h"
#include <chladni/engine.h>
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void chl_release(void *memory) {
    free(memory);
}

/* Frees the raster. */
static chl_status to_float(const char *name, chl_raster *raster, int *height, int *width,
                           float **pixels) {
    const int64_t count = 3 * (int64_t)raster->height * raster->width;
    *height = raster->height;
    *width = raster->width;
    *pixels = malloc(sizeof(float) * (size_t)count);
    if (*pixels) chl_raster_to_float(count, raster->rgb, *pixels);
    chl_raster_free(raster);
    return *pixels ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pixels", name);
}

chl_status chl_picture_read(const char *path, int *height, int *width, float **pixels) {
    CHL_NEEDS(path, height, width, pixels);
    *pixels = NULL;
    chl_raster raster;
    CHL_TRY(chl_raster_read(path, &raster));
    return to_float(path, &raster, height, width, pixels);
}

chl_status chl_picture_decode(const void *data, size_t size, int *height, int *width,
                              float **pixels) {
    CHL_NEEDS(data, height, width, pixels);
    chl_raster raster;
    *pixels = NULL;
    CHL_TRY(chl_raster_read_memory(data, size, "picture", &raster));
    return to_float("picture", &raster, height, width, pixels);
}

chl_status chl_picture_read_square(const char *path, int side, float **pixels) {
    CHL_NEEDS(path, pixels);
    int height, width;
    float *whole;
    *pixels = NULL;
    CHL_TRY(chl_check_int(side >= 1 && side <= CHL_RASTER_MAX_SIDE, "side", "in [1, 32768]", side));
    CHL_TRY(chl_picture_read(path, &height, &width, &whole));
    chl_status status = CHL_OK;
    *pixels = malloc(sizeof(float) * 3 * (size_t)side * (size_t)side);
    if (!*pixels)
        status = chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pixels", path);
    else
        status = chl_centre_square(chl_device_cpu(), height, width, whole, side, *pixels);
    free(whole);
    if (status != CHL_OK) {
        free(*pixels);
        *pixels = NULL;
    }
    return status;
}

chl_status chl_file_check(const char *path, char **target) {
    CHL_NEEDS(path);
    if (target) *target = NULL;
    CHL_TRY(chl_check_pointer(path, "path"));
    return chl_new_file_check(path, target);
}

chl_status chl_file_write(const char *path, const void *data, size_t size) {
    CHL_NEEDS(path, data);
    chl_new_file file;
    CHL_TRY(chl_check_pointer(path, "path"));
    if (size > 0) CHL_TRY(chl_check_pointer(data, "data"));
    CHL_TRY(chl_new_file_begin(path, &file));
    fwrite(data, 1, size, file.stream);
    return chl_new_file_commit(&file);
}

chl_status chl_picture_write(const char *path, int height, int width, const float *pixels) {
    CHL_NEEDS(path, pixels);
    return chl_raster_write_float(path, height, width, pixels, NULL);
}

/* A text of a PNG may be all of the file. */
#define MAX_FILE ((int64_t)1 << 30)

static chl_status check_keyword(const char *keyword) {
    const size_t length = strlen(keyword);
    bool letters = length >= 1 && length <= 79;
    for (size_t i = 0; letters && i < length; i++)
        letters = isalnum((unsigned char)keyword[i]) || strchr("-_.", keyword[i]);
    if (letters) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "keyword must be 1 to 79 letters, digits, -, _ or ., got %s",
                    keyword);
}

chl_status chl_picture_write_text(const char *path, int height, int width, const float *pixels,
                                  const char *keyword, const char *utf8) {
    CHL_NEEDS(path, pixels, keyword, utf8);
    CHL_TRY(check_keyword(keyword));
    const chl_picture_text text = {keyword, utf8};
    return chl_raster_write_float(path, height, width, pixels, &text);
}

chl_status chl_picture_read_text(const char *path, const char *keyword, char **utf8) {
    CHL_NEEDS(path, keyword, utf8);
    *utf8 = NULL;
    CHL_TRY(check_keyword(keyword));
    const chl_file_rules rules = {.max_bytes = MAX_FILE, .pipes = true};
    chl_file_bytes bytes;
    CHL_TRY(chl_file_bytes_read(path, &rules, &bytes));
    const chl_status status = chl_png_text(bytes.data, bytes.size, path, keyword, utf8);
    chl_file_bytes_free(&bytes);
    return status;
}

chl_status chl_picture_grid(const char *path, int rows, int columns, int height, int width, int gap,
                            const float *const *pictures) {
    CHL_NEEDS(path, pictures);
    return chl_raster_write_grid(path, rows, columns, height, width, gap, pictures);
}

chl_status chl_sound_decode(const void *data, size_t size, int64_t *samples, float **wave) {
    CHL_NEEDS(data, samples, wave);
    chl_sound *sound;
    *wave = NULL;
    CHL_TRY(chl_sound_open_memory(data, size, "sound", &sound));
    const chl_status status = chl_sound_load_opened(sound, wave, samples);
    chl_sound_close(sound);
    return status;
}

chl_status chl_sound_decode_file(const char *path, int64_t *samples, float **wave) {
    CHL_NEEDS(path, samples, wave);
    chl_sound *sound;
    *wave = NULL;
    CHL_TRY(chl_sound_open(path, &sound));
    const chl_status status = chl_sound_load_opened(sound, wave, samples);
    chl_sound_close(sound);
    return status;
}

static chl_status take_video(const chl_video_options *theirs, const char *path,
                             chl_video_job *job) {
    chl_video_options mine = {0};
    CHL_TRY(chl_options_take(&mine, sizeof mine, theirs, "chl_video_options"));
    CHL_TRY(chl_check_pointer(mine.folder, "folder"));
    CHL_TRY(chl_check_pointer(mine.sound, "sound"));
    CHL_TRY(chl_check_int(mine.frames >= 1, "frames", ">= 1", mine.frames));
    CHL_TRY(chl_check_float(isfinite(mine.fps) && mine.fps > 0, "fps", "> 0", (double)mine.fps));
    *job = (chl_video_job){.folder = mine.folder,
                           .frames = mine.frames,
                           .fps = mine.fps,
                           .sound = mine.sound,
                           .path = path,
                           .stop = mine.stop,
                           .user = mine.user};
    return CHL_OK;
}

chl_status chl_video_write(const chl_video_options *options, const char *path) {
    CHL_NEEDS(options, path);
    chl_video_job job;
    CHL_TRY(take_video(options, path, &job));
    return chl_video_file_write(&job);
}

chl_status chl_video_command(const chl_video_options *options, const char *path, char **command) {
    CHL_NEEDS(options, path, command);
    *command = NULL;
    chl_video_job job;
    CHL_TRY(take_video(options, path, &job));
    *command = chl_video_file_command(&job);
    return *command ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a command", path);
}

chl_status chl_mel_of_sound(const char *path, chl_mel_mode mode, int *bands, int64_t *frames,
                            float **data) {
    CHL_NEEDS(path, bands, frames, data);
    CHL_TRY(chl_check_enum((int)mode, CHL_MEL_REPEATED + 1, "mode"));
    chl_sound *sound;
    CHL_TRY(chl_sound_open(path, &sound));
    const chl_wave_source source = {.samples = chl_sound_samples(sound),
                                    .read = chl_sound_read,
                                    .rewind = chl_sound_rewind,
                                    .user = sound};
    chl_status status = chl_mel_whole_from(chl_device_cpu(), &source, mode, data, frames);
    chl_sound_close(sound);
    *bands = CHL_MEL_BANDS;
    return status;
}
