#include "mel_picture.h"
#include "command.h"
#include <stdlib.h>

static float mean(const float *from, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)from[i];
    return (float)(sum / (double)count);
}

chl_status mel_picture_write(const char *path, int bands, int64_t frames, int64_t stride,
                             const float *mel, int64_t each) {
    const int64_t columns = (frames + each - 1) / each;
    float *pixels = malloc(sizeof(float) * 3 * (size_t)bands * (size_t)columns);
    if (!pixels) return command_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
    for (int b = 0; b < bands; b++)
        for (int64_t column = 0; column < columns; column++) {
            const int64_t first = column * each,
                          count = first + each > frames ? frames - first : each;
            const float value = 2 * mean(mel + b * stride + first, count) - 1;
            for (int c = 0; c < 3; c++)
                pixels[((int64_t)(bands - 1 - b) * columns + column) * 3 + c] = value;
        }
    const chl_status status = chl_picture_write(path, bands, (int)columns, pixels);
    free(pixels);
    return status;
}
