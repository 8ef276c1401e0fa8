/* The benchmark's products by cuBLASLt, by bench/vendor_cublaslt.c and a library that stands in for
 * it: they are ours in every direction, type and form; the arithmetic is the one asked for; a status
 * of the library reaches the text; nothing is left behind. */
#include "backend_emu.h"
#include "runtime/open.h"
#include "vendor.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad;
static void expect(bool good, const char *what) {
    if (good) return;
    printf("FAIL: %s (%s)\n", what, chl_error());
    bad++;
}

typedef struct asking {
    bool tf32;
    int asked;             /* kernels that the library has */
    bool equal;            /* all of them, within their tolerance */
    double least, largest; /* of their differences */
    const char *name;
} asking;

static chl_status ask(void *user, const kernel_node *node) {
    asking *a = user;
    kernel_vendor *vendor;
    double difference;
    CHL_TRY(kernel_vendor_new(node, a->tf32, &vendor));
    if (!vendor) return CHL_OK;
    const chl_status status = kernel_vendor_difference(node, vendor, &difference);
    if (status == CHL_OK) {
        a->asked++;
        a->equal = a->equal && difference <= kernel_vendor_tolerance(vendor);
        a->least = difference < a->least ? difference : a->least;
        a->largest = difference > a->largest ? difference : a->largest;
        a->name = kernel_vendor_name(vendor);
    }
    kernel_vendor_free(vendor);
    return status;
}

static chl_status measure(chl_device *gpu, const char *family, bool half, bool tf32, asking *a) {
    kernel_settings settings = {.device = gpu, .half = half, .numbers = true, .runs = 1};
    kernel_case of = {.what = "own", .family = kernel_family_named(family), .batch = 2, .dims = 3};
    const int dims[] = {5, 24, 16}; /* 10 rows from 24 to 16 */
    memcpy(of.dim, dims, sizeof dims);
    *a = (asking){.tf32 = tf32, .equal = true, .least = 1};
    CHL_TRY(gpu->backend->allocate(gpu, KERNEL_SPARE, &settings.spare));
    const chl_status status = kernel_nodes(&settings, &of, 2, ask, a);
    gpu->backend->release(gpu, settings.spare);
    return status;
}

static void products_are_ours(chl_device *gpu) {
    static const struct {
        const char *family;
        bool half;
        int kernels;
    } cases[] = {{"linear", false, 3},
                 {"linear", true, 3},
                 {"linear_frozen", false, 2},
                 {"linear_frozen", true, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asking a;
        expect(measure(gpu, cases[i].family, cases[i].half, false, &a) == CHL_OK, cases[i].family);
        expect(a.asked == cases[i].kernels, "each direction is asked for");
        expect(a.equal && strcmp(a.name, "cuBLASLt") == 0, "the library's results are ours");
        /* TF32 concerns products of floats */
        expect(measure(gpu, cases[i].family, cases[i].half, true, &a) == CHL_OK, "TF32");
        const bool rounds = !cases[i].half;
        expect(a.equal && (a.least > 1e-4) == rounds &&
                   strcmp(a.name, rounds ? "cuBLASLt TF32" : "cuBLASLt") == 0,
               "factors are rounded where that was asked for");
    }
}

static void other_ops_are_not_asked_for(chl_device *gpu) {
    asking a;
    expect(measure(gpu, "layer_norm", false, false, &a) == CHL_OK && a.asked == 0, "layer_norm");
}

static void what_is_wrong_is_told(chl_device *gpu) {
    asking a;
    (void)setenv("STANDIN_ADVICE", "15", 1);
    expect(measure(gpu, "linear", false, false, &a) == CHL_ERR_INTERNAL &&
               strstr(chl_error(), "cuBLASLt refuses linear of ") &&
               strstr(chl_error(), ": not supported"),
           "advice that is refused");
    (void)unsetenv("STANDIN_ADVICE");
    (void)setenv("STANDIN_NONE", "1", 1);
    expect(measure(gpu, "linear", false, false, &a) == CHL_ERR_INTERNAL &&
               strstr(chl_error(), ": not supported"),
           "no advice");
    (void)unsetenv("STANDIN_NONE");
    (void)setenv("STANDIN_MATMUL", "13", 1);
    expect(measure(gpu, "linear", false, false, &a) == CHL_ERR_INTERNAL &&
               strstr(chl_error(), "cuBLASLt's linear of ") && strstr(chl_error(), "failed"),
           "a product that fails");
    (void)unsetenv("STANDIN_MATMUL");
    (void)setenv("STANDIN_WRONG", "1", 1);
    expect(measure(gpu, "linear", false, false, &a) == CHL_OK && a.asked == 3 && !a.equal,
           "a result that is not ours");
    (void)unsetenv("STANDIN_WRONG");
}

int main(void) {
    chl_device *gpu = chl_emu_open();
    products_are_ours(gpu);
    other_ops_are_not_asked_for(gpu);
    what_is_wrong_is_told(gpu);
    void *library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_NOLOAD);
    int (*objects)(void) = library ? (int (*)(void))dlsym(library, "standin_objects") : NULL;
    expect(objects && objects() == 0, "all that was made is given back");
    chl_device_close(gpu);
    if (!bad) puts("cuBLASLt's door opens, refuses and closes as it should");
    return bad != 0;
}
