/* The library from outside: a seed's picture, edited by a sound. Compiled and run by the tests.
 *   example GENERATOR CLIP AUDIO SOUND OUT.png */
#include <chladni.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(void) {
    fprintf(stderr, "%s\n", chl_error());
    return 1;
}

static int show(void *user, const chl_edit_progress *progress) {
    (void)user;
    printf("step %d of %d: cosine %.4f\n", progress->step, progress->steps, progress->cosine);
    return 0; /* anything else stops, keeping what was reached */
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    chl_engine_options models = {
        .size = sizeof models, .generator = argv[1], .clip = argv[2], .audio = argv[3]};
    chl_engine *engine;
    if (chl_engine_open(&models, &engine) != CHL_OK) return failed();

    chl_engine_sizes size = chl_engine_get_sizes(engine);
    size_t code = (size_t)size.rows * (size_t)size.latent;
    float *source = malloc(code * sizeof(float)), *edited = malloc(code * sizeof(float));
    float *pixels = malloc(3 * (size_t)size.picture * (size_t)size.picture * sizeof(float));
    float target[CHL_MAX_EMBEDDING];
    if (!source || !edited || !pixels) return 1;

    chl_edit_options options = chl_edit_defaults(engine);
    options.steps = 5;
    options.progress = show;
    if (chl_seed_latent(engine, 7, 0.7f, source) != CHL_OK ||
        chl_embed_sound(engine, argv[4], target) != CHL_OK ||
        chl_edit(engine, &options, source, target, edited, NULL) != CHL_OK ||
        chl_generate(engine, 1, edited, pixels) != CHL_OK ||
        chl_picture_write(argv[5], size.picture, size.picture, pixels) != CHL_OK)
        return failed();

    free(source);
    free(edited);
    free(pixels);
    chl_engine_close(engine);
    return 0;
}
