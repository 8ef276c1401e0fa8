/* libFuzzer: any bytes as a picture file. */
#include "io/picture.h"
#include "io/png_text.h"
#include <stdlib.h>

static volatile uint8_t seen; /* keeps the reading */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chl_raster raster;
    char *text;
    if (chl_png_text(data, size, "fuzz", "chladni", &text) == CHL_OK) free(text);
    if (chl_raster_read_memory(data, size, "fuzz", &raster) != CHL_OK) return 0;
    /* the pixels are there: one in a thousand, for a few bytes can hold a hundred million of them
     */
    int64_t count = (int64_t)raster.height * raster.width * 3;
    uint8_t sum = raster.rgb[count - 1];
    for (int64_t i = 0; i < count; i += 997) sum ^= raster.rgb[i];
    seen = sum;
    chl_raster_free(&raster);
    return 0;
}
