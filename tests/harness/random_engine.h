/* An engine of small random models in a folder of its own, and codes and targets for edits: what they
 * show means nothing, but formulas, bits and bounds hold for them too. For cmocka tests. */
#ifndef CHL_TEST_RANDOM_ENGINE_H
#define CHL_TEST_RANDOM_ENGINE_H
#include "parity.h"
#include <chladni.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

static chl_engine *engine;
static chl_engine_sizes size;
static int64_t numbers;        /* in a code */
static float *source, *target; /* [many]: random codes, embeddings of length 1 */
static char random_folder[64];

/* The working folder is a new one from here on, until random_engine_close. */
static inline void random_engine_folder(void) {
    strcpy(random_folder, "/tmp/chladni-random-XXXXXX");
    if (!mkdtemp(random_folder) || chdir(random_folder) != 0) fail_msg("no folder in /tmp");
}

/* "generator.safetensors", made where it is not there yet; NULL unless `kinds` has it. */
static inline const char *random_model(const char *kinds, const char *kind, uint64_t seed,
                                       char path[32]) {
    if (!strstr(kinds, kind)) return NULL;
    snprintf(path, 32, "%s.safetensors", kind);
    if (access(path, R_OK) != 0) MUST(chl_weights_random(kind, seed, path));
    return path;
}

/* kinds: of "generator clip audio face". */
static inline void random_engine_open(const char *kinds, int many) {
    char path[4][32];
    const chl_engine_options options = {.size = sizeof options,
                                        .generator = random_model(kinds, "generator", 1, path[0]),
                                        .clip = random_model(kinds, "clip", 2, path[1]),
                                        .audio = random_model(kinds, "audio", 3, path[2]),
                                        .face = random_model(kinds, "face", 4, path[3]),
                                        .mel = CHL_MEL_ABSOLUTE,
                                        .device = "cpu"};
    MUST(chl_engine_open(&options, &engine));
    size = chl_engine_get_sizes(engine);
    numbers = (int64_t)size.rows * size.latent;
    source = malloc(sizeof(float) * (size_t)many * (size_t)numbers);
    for (int i = 0; i < many; i++)
        MUST(chl_seed_latent(engine, 20 + (uint64_t)i, 0.7f, source + i * numbers));
    target = parity_target(many, size.embedding);
}

/* 0; -1 where the folder cannot be removed with all of its files. */
static inline int random_engine_close(void) {
    chl_engine_close(engine);
    free(source);
    free(target);
    DIR *files = opendir(".");
    for (struct dirent *file; files && (file = readdir(files));)
        if (file->d_name[0] != '.') unlink(file->d_name);
    if (files) closedir(files);
    return chdir("/") == 0 && rmdir(random_folder) == 0 ? 0 : -1;
}
#endif
