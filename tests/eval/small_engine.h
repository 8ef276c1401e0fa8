/* A folder of its own, and an engine of a small random CLIP and audio encoder in it, for tests of evaluations: they know
 * nothing. For the tests of this folder. */
#ifndef CHL_TEST_SMALL_ENGINE_H
#define CHL_TEST_SMALL_ENGINE_H
#include "harness/small_models.h"
#include <chladni.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define EMBED 24
#define near(x, y, tolerance) assert_true(fabs((x) - (y)) <= (tolerance))

static char work[] = "/tmp/chladni-eval-XXXXXX";
static chl_engine *engine;

/* Makes the folder the current one. */
static inline int enter_folder(void) {
    return !mkdtemp(work) || chdir(work) != 0 ? -1 : 0;
}

static inline void open_small_engine(void) {
    const chl_engine_options models = {.size = sizeof models,
                                       .clip = "c.safetensors",
                                       .vocab = CHLADNI_FIXTURES "/text/merges.txt",
                                       .audio = "a.safetensors",
                                       .mel = CHL_MEL_ABSOLUTE};
    save_small_clip(1, EMBED, 2, "c.safetensors");
    save_small_audio(EMBED, 3, "a.safetensors");
    MUST(chl_engine_open(&models, &engine));
}

static int leave(void **state) {
    (void)state;
    char command[128];
    chl_engine_close(engine);
    snprintf(command, sizeof command, "rm -rf %s", work);
    return system(command);
}

static inline void put(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}
#endif
