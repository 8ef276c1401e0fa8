#include "io/sound.h"

#ifdef CHLADNI_MEDIA
#include "io/new_file.h"
#include <math.h>
#include <sndfile.h>
#include <stdbool.h>

#define BLOCK 4096

static chl_status write_samples(SNDFILE *file, const char *path, const float *wave,
                                int64_t samples) {
    int16_t block[BLOCK];
    for (int64_t at = 0; at < samples; at += BLOCK) {
        const int64_t count = samples - at < BLOCK ? samples - at : BLOCK;
        for (int64_t i = 0; i < count; i++) {
            const float x = wave[at + i];
            if (isnan(x))
                return chl_fail(CHL_ERR_NUMERIC,
                                "%s: sample %lld is not a number, expected one in [-1, 1]", path,
                                (long long)(at + i));
            block[i] = (int16_t)lrintf(fminf(fmaxf(x, -1), 1) * 32767);
        }
        if (sf_write_short(file, block, count) != count)
            return chl_fail(CHL_ERR_IO, "%s: cannot be written: %s", path, sf_strerror(file));
    }
    return CHL_OK;
}

chl_status chl_sound_write(const char *path, const float *wave, int64_t samples) {
    if (samples < 1)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: the sound has %lld samples, expected at least 1",
                        path, (long long)samples);
    chl_new_file file;
    CHL_TRY(chl_new_file_begin(path, &file));
    SF_INFO info = {
        .samplerate = CHL_SOUND_RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *sound = sf_open_fd(fileno(file.stream), SFM_WRITE, &info, 0);
    chl_status status =
        sound ? write_samples(sound, path, wave, samples)
              : chl_fail(CHL_ERR_IO, "%s: cannot be written: %s", path, sf_strerror(NULL));
    if (sound && sf_close(sound) != 0 && status == CHL_OK)
        status = chl_fail(CHL_ERR_IO, "%s: its header cannot be written", path);
    if (status == CHL_OK) return chl_new_file_commit(&file);
    chl_new_file_abandon(&file);
    return status;
}

#else
#include "io/lacks.h"

chl_status chl_sound_write(const char *path, const float *wave, int64_t samples) {
    (void)wave, (void)samples;
    return chl_lacks_media(path, "writes no sound files", "libsndfile");
}
#endif
