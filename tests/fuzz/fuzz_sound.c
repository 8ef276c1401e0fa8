/* libFuzzer: any bytes as a sound file. Reads at most some seconds, twice. */
#include "io/sound.h"
#include <stdlib.h>

/* libsndfile 1.2 does not free what it allocated for an OGG that turns out to be damaged. */
/* visible: the sanitizer's library must find it */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:vorbis_info_init";
}

/* No ffmpeg is started: what it does is not what is tested here. */
int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    return setenv("PATH", "/nowhere", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chl_sound *sound;
    if (chl_sound_open_memory(data, size, "fuzz", &sound) != CHL_OK) return 0;
    static float wave[4096];
    for (int pass = 0; pass < 2; pass++) {
        int64_t got = 4096;
        for (int i = 0; i < 64 && got == 4096; i++)
            if (chl_sound_read(sound, wave, 4096, &got) != CHL_OK) break;
        if (chl_sound_rewind(sound) != CHL_OK) break;
    }
    chl_sound_close(sound);
    return 0;
}
