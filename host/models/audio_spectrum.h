/* The short-time spectrum that some audio encoders begin with: each frame of the wave goes through
 * a linear map that the model brings, a Fourier transform (Wav2CLIP) or trained filters
 * (AudioCLIP).
 *
 *     static const chl_audio_spectrum spectrum = {.rate = 16000, .taps = 512, .hop = 353, ...};
 *     float *power;
 *     int frames;
 *     CHL_TRY(chl_audio_spectrum_power(encoder, &spectrum, sound, 0, &power, &frames));
 *     ... power [frames][bins] ...
 *     free(power);
 *
 * The map is a product of matrices on the model's device, a graph for CHL_SPECTRUM_FRAMES frames at
 * a time. */
#ifndef CHL_MODELS_AUDIO_SPECTRUM_H
#define CHL_MODELS_AUDIO_SPECTRUM_H
#include "models/audio_encoder.h"

/* Of a longer sound the middle is heard: these encoders were trained on clips of 5 to 10 s, and
 * their networks grow with the sound. */
#define CHL_SPECTRUM_MAX_SECONDS 30
#define CHL_SPECTRUM_FRAMES 128

typedef struct chl_audio_spectrum {
    int rate; /* samples a second */
    int taps; /* samples of a frame */
    int hop;  /* samples from one frame to the next */
    int bins;
    /* Frames are centred on samples 0, hop, ..., the wave reflected at its ends; else the first
     * frame begins with the wave, and zeros, half of them before it and half behind, fill the last
     * one. */
    bool centred;
    /* Samples of a clip, where all are equally long: of a longer sound the middle, a shorter one as
     * often as it fits, then zeros. 0: clips of any length, up to CHL_SPECTRUM_MAX_SECONDS. */
    int clip;
    bool whole;          /* of a sound longer than a clip all is heard, not its middle */
    bool sixteen_bits;   /* samples are cut off at full scale and rounded to zero, to 1 / 32767 */
    float scale, offset; /* of a sample x: scale * x + offset; scale 0: x itself */
    /* Name of the array [2 * bins][taps]: for each bin the filter of the real part, then, behind
     * all of these, of the imaginary part. */
    const char *filters;
} chl_audio_spectrum;

/* The array [2 * bins][taps] of a Fourier transform behind a window [taps], under that name, used. */
chl_status chl_audio_spectrum_add_fourier(chl_params *params, const char *name, int taps,
                                          const float *window);
/* Frames of the longest sound that is heard as a whole. */
int chl_audio_spectrum_max_frames(const chl_audio_spectrum *spectrum);
/* Is given the power |filter * frame|^2 of frames `first` to first + n - 1 of all `frames`: power
 * [n][bins]. Its failure ends the call. */
typedef chl_status (*chl_spectrum_take)(void *user, int frames, int first, int n,
                                        const float *power);
/* The frames of a sound, made louder by gain_db, in their order. Memory does not grow with the sound. */
chl_status chl_audio_spectrum_run(chl_audio_encoder *encoder, const chl_audio_spectrum *spectrum,
                                  chl_sound *sound, float gain_db, chl_spectrum_take take,
                                  void *user);
/* All at once, the power |filter * frame|^2 of each bin and frame of a sound, made louder by gain_db, from its
 * first sample: *power [*frames][bins], to be freed by the caller. */
chl_status chl_audio_spectrum_power(chl_audio_encoder *encoder, const chl_audio_spectrum *spectrum,
                                    chl_sound *sound, float gain_db, float **power, int *frames);
#endif
