/* A log-mel spectrogram as a picture. */
#ifndef CHL_TOOLS_MEL_PICTURE_H
#define CHL_TOOLS_MEL_PICTURE_H
#include <chladni/status.h>
#include <stdint.h>

/* The first `frames` of mel [bands][stride], in [0, 1] -> a PNG, low bands at the bottom, 0 black, 1
 * white. A column of pixels is the mean of `each` frames. */
CHL_CHECKED chl_status mel_picture_write(const char *path, int bands, int64_t frames,
                                         int64_t stride, const float *mel, int64_t each);
#endif
