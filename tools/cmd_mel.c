#include "command.h"
#include "mel_picture.h"
#include "outputs.h"
#include <stdio.h>

#define MOST_FRAMES 65500 /* of a picture: PNG readers stop not far above */

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
    const int64_t shown_frames = frames > MOST_FRAMES ? MOST_FRAMES : frames;
    if (picture && shown_frames < frames)
        fprintf(stderr, "chladni: warning: the picture shows the first %d of %lld frames\n",
                MOST_FRAMES, (long long)frames);
    const chl_status status = picture ? mel_picture_write(out, bands, shown_frames, frames, mel, 1)
                                      : chl_array_write(out, 2, dim, mel);
    chl_release(mel);
    return status == CHL_OK ? EXIT_OK : run_error();
}
