#include "command.h"
#include "outputs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Low bands at the bottom, 0 black, 1 white. */
static chl_status write_as_picture(const char *path, int bands, int64_t frames, const float *mel) {
    if (frames > 65500) frames = 65500; /* PNG readers stop far below; the caller warns */
    float *pixels = malloc(sizeof(float) * 3 * (size_t)bands * (size_t)frames);
    if (!pixels) return command_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    for (int b = 0; b < bands; b++)
        for (int64_t f = 0; f < frames; f++)
            for (int c = 0; c < 3; c++)
                pixels[((int64_t)(bands - 1 - b) * frames + f) * 3 + c] =
                    2 * mel[b * frames + f] - 1;
    chl_status status = chl_picture_write(path, bands, (int)frames, pixels);
    free(pixels);
    return status;
}

int command_mel(int argc, char **argv) {
    const char *sound = NULL, *out = NULL;
    int mode = CHL_MEL_ABSOLUTE;
    const option options[] = {
        {"sound", "audio-path", OPTION_INPUT, &sound, "S", "sound file", NULL},
        {"mode", NULL, OPTION_CHOICE, &mode, "auto|compatible|absolute",
         "reference level: the file's maximum (compatible) or full scale (absolute, the default)",
         NULL},
        {"out", NULL, OPTION_OUTPUT, &out, "M.npy|M.png",
         "float32 array bands x frames in [0,1], or a picture", NULL},
    };
    command_line line = {
        .usage = "mel --sound S [--mode auto|compatible|absolute] --out M.npy|M.png",
        .about = "Writes the log-mel spectrogram of a whole sound (44.1 kHz, 128 bands).",
        .options = options,
        .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    if (!sound) return usage_error(&line, "--sound is missing");
    if (!out) return usage_error(&line, "--out is missing");
    output_table table = {0};
    output_add(&table, "out", OUTPUT_PICTURE_OR_ARRAY, out);
    code = output_check(&line, &table);
    if (code != EXIT_OK) return code;
    int bands;
    int64_t frames;
    float *mel;
    if (chl_mel_of_sound(sound, (chl_mel_mode)mode, &bands, &frames, &mel) != CHL_OK)
        return run_error();
    const int64_t dim[] = {bands, frames};
    const bool picture = !ends_in(out, ".npy");
    if (picture && frames > 65500)
        fprintf(stderr, "chladni: warning: the picture shows the first 65500 of %lld frames\n",
                (long long)frames);
    chl_status status =
        picture ? write_as_picture(out, bands, frames, mel) : chl_array_write(out, 2, dim, mel);
    chl_release(mel);
    return status == CHL_OK ? EXIT_OK : run_error();
}
