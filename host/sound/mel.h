/* From a waveform to the picture that the sound encoder looks at (METHOD
 * section 1).
 *
 *     float picture[CHL_MEL_SIDE * CHL_MEL_SIDE];
 *     CHL_TRY(chl_mel_picture(device, wave, samples, CHL_MEL_ABSOLUTE,
 * picture));
 *
 * mono wave at 44 100 Hz -> log-mel of the whole file -> the 864 frames (10 s)
 * in the middle, shorter ones filled with 0 on the right -> bilinear resize of
 * [128,864] to [224,224], row 0 the lowest band.
 *
 * Any length works: the wave is read front to back in segments of three
 * seconds, and only the frames that are wanted stay in memory. The maximum that
 * the compatible mode refers to is the whole file's. */
#ifndef CHL_SOUND_MEL_H
#define CHL_SOUND_MEL_H
#include "graph/build.h"
#include <chladni/engine.h>

#define CHL_MEL_RATE 44100
#define CHL_MEL_BANDS 128
#define CHL_MEL_FRAMES 864
#define CHL_MEL_SIDE 224

/* Modes are chladni.h's: CHL_MEL_COMPATIBLE refers to the file's own maximum
 * and reflects the ends, as upstream checkpoints were trained; CHL_MEL_ABSOLUTE
 * refers to full scale and has silence outside. CHL_MEL_AUTO, when nobody
 * resolved it, is absolute. */
/* For chl_log_mel on whole clips, as training batches use it. */
chl_mel_settings chl_mel_settings_of(chl_mel_mode mode);
/* 1 + samples/512 */
int64_t chl_mel_frames_of(int64_t samples);

/* Samples that come one after another, e.g. from a decoder. `read` hands out up
 * to `want` samples and fewer only at the end; `rewind` starts again at the
 * first. `samples` is how many are expected; when it turns out to be wrong, the
 * source is rewound and read once more, for the middle of the file lies
 * elsewhere. */
typedef struct chl_wave_source {
    int64_t samples;
    chl_status (*read)(void *user, float *out, int64_t want, int64_t *got);
    chl_status (*rewind)(void *user);
    void *user;
} chl_wave_source;

/* wave [samples], samples >= 1, finite. CHL_ERR_NUMERIC names the first sample
 * that is not. */
chl_status chl_mel_picture(chl_device *device, const float *wave, int64_t samples,
                           chl_mel_mode mode, float picture[CHL_MEL_SIDE * CHL_MEL_SIDE]);
/* The same at another size: picture [rows][columns], bands along the rows. */
typedef struct chl_mel_size {
    int rows, columns;
} chl_mel_size;
chl_status chl_mel_picture_from(chl_device *device, const chl_wave_source *source,
                                chl_mel_mode mode, chl_mel_size size, float *picture);

/* The whole file's mel [128, frames], values in [0,1], not cropped. The caller
 * frees *mel: 44 KB for each second, 1.6 GB for ten hours. */
chl_status chl_mel_whole(chl_device *device, const float *wave, int64_t samples, chl_mel_mode mode,
                         float **mel, int64_t *frames);
chl_status chl_mel_whole_from(chl_device *device, const chl_wave_source *source, chl_mel_mode mode,
                              float **mel, int64_t *frames);
#endif
