/* From a waveform to the log-mel picture that the sound encoder takes (docs/method.md, section 1).
 *
 *     float picture[CHL_MEL_SIDE * CHL_MEL_SIDE];
 *     CHL_TRY(chl_mel_picture(device, wave, samples, CHL_MEL_ABSOLUTE,
 * picture));
 *
 * mono wave at 44 100 Hz -> log-mel of the whole file -> the 864 frames (10 s) in its middle, a
 * shorter one padded with 0 on the right or repeated -> bilinear resize of [128,864] to [224,224], row 0 the
 * lowest band. A value is 1 + (level - reference) / 80 dB, clamped to [0,1]; chl_log_mel
 * (graph/build.h) defines the level.
 *
 * Any length works: the wave is read front to back in segments of three seconds, and only the
 * frames that are needed stay in memory. The result does not depend on where the segments end. The
 * reference of the compatible mode is the maximum of the whole file. */
#ifndef CHL_SOUND_MEL_H
#define CHL_SOUND_MEL_H
#include "graph/build.h"
#include <chladni/engine.h>

#define CHL_MEL_RATE 44100
#define CHL_MEL_BANDS 128
#define CHL_MEL_FRAMES 864
#define CHL_MEL_SIDE 224

/* Settings of chl_log_mel for whole clips, as training batches use it. The mode decides the
 * reference level and what lies outside the wave. CHL_MEL_COMPATIBLE: the file's own maximum, and
 * the wave reflected at its ends, as upstream checkpoints were trained. CHL_MEL_ABSOLUTE: full
 * scale, and silence. CHL_MEL_REPEATED: as CHL_MEL_ABSOLUTE, and a picture's frames begin again
 * where the sound ends. CHL_MEL_AUTO, which a caller should have resolved: as CHL_MEL_ABSOLUTE. */
chl_mel_settings chl_mel_settings_of(chl_mel_mode mode);
/* The number of frames of a wave: 1 + samples / 512. */
int64_t chl_mel_frames_of(int64_t samples);

/* Slaney's mel scale: linear below 1 kHz, 15 mel there, logarithmic above. */
double chl_mel_from_hz(double hz);
double chl_mel_to_hz(double mel);
/* The centre of a band, 0 ... 127, also between two; and the band at a frequency. */
double chl_mel_band_hz(double band);
double chl_mel_band_at(double hz);

/* A source of samples, e.g. a decoder. `read` stores up to `want` samples in `out`, fewer only at
 * the end; `rewind` goes back to the first. `samples` is the expected number; when it is wrong, the
 * middle of the file lies elsewhere, so the source is rewound and read a second time. */
typedef struct chl_wave_source {
    int64_t samples;
    chl_status (*read)(void *user, float *out, int64_t want, int64_t *got);
    chl_status (*rewind)(void *user);
    void *user;
} chl_wave_source;

/* Picture [128][864]: its first `frames` frames, 1 <= frames, are repeated in the others. */
void chl_mel_repeat(int64_t frames, float *picture);

/* wave [samples], samples >= 1, all finite; CHL_ERR_NUMERIC names the first sample that is not. */
chl_status chl_mel_picture(chl_device *device, const float *wave, int64_t samples,
                           chl_mel_mode mode, float picture[CHL_MEL_SIDE * CHL_MEL_SIDE]);
/* The same at another size: picture [rows][columns], bands along the rows. */
typedef struct chl_mel_size {
    int rows, columns;
} chl_mel_size;
chl_status chl_mel_picture_from(chl_device *device, const chl_wave_source *source,
                                chl_mel_mode mode, chl_mel_size size, float *picture);

/* The whole file's log-mel [128, frames], values in [0,1], not cropped. The caller frees *mel: 44
 * KB for each second, 1.6 GB for ten hours. */
chl_status chl_mel_whole(chl_device *device, const float *wave, int64_t samples, chl_mel_mode mode,
                         float **mel, int64_t *frames);
chl_status chl_mel_whole_from(chl_device *device, const chl_wave_source *source, chl_mel_mode mode,
                              float **mel, int64_t *frames);
#endif
