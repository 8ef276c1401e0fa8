/* Log-mel pictures of lengths that need cuFFT, by kernels/cuda/lib/vendor_cufft.cu and a library that
 * stands in for cuFFT: the numbers are the CPU's, twice in a row and after memory was short; a status
 * of the library reaches the text; plans go with their device. */
#include "backend_emu.h"
#include "graph/build.h"
#include "runtime/open.h"
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 2000, CLIPS = 2, BANDS = 6, FRAMES = 1 + SAMPLES / 100 };
typedef float picture[CLIPS * BANDS * FRAMES];

static int bad;
static void expect(bool good, const char *what) {
    if (good) return;
    printf("FAIL: %s (%s)\n", what, chl_error());
    bad++;
}

static const float *sound(void) {
    static float wave[CLIPS * SAMPLES];
    for (int i = 0; i < CLIPS * SAMPLES; i++)
        wave[i] = sinf(0.05f * (float)i + 1e-5f * (float)i * (float)i);
    return wave;
}

static chl_status begin(chl_device *device, int fft, chl_graph **g, chl_tensor *x, chl_tensor *y) {
    const chl_mel_settings settings = {
        .rate = 8000, .fft = fft, .hop = 100, .bands = BANDS, .floor_db = 80, .min_power = 1e-10f};
    CHL_TRY(chl_graph_new(device, g));
    *x = chl_input(*g, "x", chl_f32(2, CLIPS, SAMPLES));
    *y = chl_keep(*g, chl_log_mel(*g, *x, &settings));
    return chl_compile(*g);
}
/* Compiles and runs `runs` times; the last picture. */
static chl_status draw(chl_device *device, int fft, int runs, picture out) {
    chl_graph *g;
    chl_tensor x, y;
    chl_status status = begin(device, fft, &g, &x, &y);
    for (int i = 0; i < runs && status == CHL_OK; i++) {
        status = chl_write(g, x, sound());
        if (status == CHL_OK) status = chl_run(g, CHL_FIRST_SEGMENT);
        if (status == CHL_OK) status = chl_read(g, y, out);
    }
    chl_graph_free(g);
    return status;
}
static bool near(const picture a, const picture b) {
    for (int i = 0; i < CLIPS * BANDS * FRAMES; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-4f)) return false;
    return true;
}

static void numbers_are_the_cpus(chl_device *gpu) {
    static const int lengths[] = {400, 401, 1103, 48};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        static picture want, got;
        expect(draw(chl_device_cpu(), lengths[i], 1, want) == CHL_OK, "the CPU draws");
        expect(draw(gpu, lengths[i], 3, got) == CHL_OK, "cuFFT's door draws");
        expect(near(got, want), "the picture is the CPU's, also when the step is replayed");
    }
}

static void a_status_is_told(chl_device *gpu) {
    static picture out;
    (void)setenv("STANDIN_PLAN", "5", 1);
    expect(draw(gpu, 300, 1, out) == CHL_ERR_INTERNAL &&
               strstr(chl_error(), "cuFFT: no plan for 300 samples: status 5"),
           "a plan that is refused");
    (void)unsetenv("STANDIN_PLAN");
    (void)setenv("STANDIN_EXEC", "6", 1);
    expect(draw(gpu, 400, 1, out) == CHL_ERR_INTERNAL && strstr(chl_error(), "cuFFT: status 6"),
           "a transform that fails");
    (void)unsetenv("STANDIN_EXEC");
}

/* Short while the graph is planned, there when it runs. */
static void memory_that_was_short_is_asked_for_again(chl_device *gpu) {
    static picture want, got;
    chl_graph *g;
    chl_tensor x, y;
    expect(draw(chl_device_cpu(), 500, 1, want) == CHL_OK, "the CPU draws");
    (void)setenv("STANDIN_PLAN", "2", 1);
    expect(begin(gpu, 500, &g, &x, &y) == CHL_OK, "planned by the estimate");
    (void)unsetenv("STANDIN_PLAN");
    expect(chl_write(g, x, sound()) == CHL_OK && chl_run(g, CHL_FIRST_SEGMENT) == CHL_OK &&
               chl_read(g, y, got) == CHL_OK && near(got, want),
           "drawn when there is memory");
    chl_graph_free(g);
}

int main(void) {
    chl_device *gpu = chl_emu_open();
    numbers_are_the_cpus(gpu);
    a_status_is_told(gpu);
    memory_that_was_short_is_asked_for_again(gpu);
    void *library = dlopen("libcufft.so.12", RTLD_NOW | RTLD_NOLOAD);
    int (*plans)(void) = library ? (int (*)(void))dlsym(library, "standin_plans") : NULL;
    expect(plans && plans() == 5, "a plan for each length, made once");
    chl_device_close(gpu);
    expect(plans && plans() == 0, "plans go with their device");
    if (!bad) puts("cuFFT's door opens, refuses and closes as it should");
    return bad != 0;
}
