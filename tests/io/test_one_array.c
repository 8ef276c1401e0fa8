/* Latents as projectors write them: .npy in either byte order, .npz, .pt as a tensor, a dict, a
 * list. The fixtures are made by tests/fixtures/make_latents.py. */
#include "harness/parity.h"
#include "io/one_array.h"
#include "io/weights.h"
#include <stdlib.h>
#include <string.h>

#define FIXTURE(name) CHLADNI_FIXTURES "/latents/" name

/* 0, 1, 2, ... of that shape */
static void expect_ramp(const char *path, int rank, const int64_t *dim) {
    chl_desc desc;
    void *data;
    MUST(chl_one_array_read(path, &desc, &data));
    if (desc.dtype != CHL_F32 || desc.rank != rank) fail_msg("%s: rank %d", path, (int)desc.rank);
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (desc.dim[i] != dim[i]) fail_msg("%s: dim %d is %d", path, i, (int)desc.dim[i]);
        count *= dim[i];
    }
    for (int64_t i = 0; i < count; i++)
        if (((const float *)data)[i] != (float)i) fail_msg("%s: number %d", path, (int)i);
    free(data);
}

static void every_form_of_a_latent_is_read(void **state) {
    (void)state;
    static const char *const one[] = {
        FIXTURE("projected_w.npz"), FIXTURE("several.npz"),  FIXTURE("tensor.pt"),
        FIXTURE("dict.pt"),         FIXTURE("projector.pt"), FIXTURE("legacy.pt"),
        FIXTURE("list_of_one.pt"),
    };
    for (size_t i = 0; i < sizeof one / sizeof *one; i++)
        expect_ramp(one[i], 3, (const int64_t[]){1, 2, 4});
    expect_ramp(FIXTURE("list.pt"), 3, (const int64_t[]){3, 2, 4});
    expect_ramp(FIXTURE("tuple.pt"), 3, (const int64_t[]){3, 2, 4});
    static const char *const plain[] = {FIXTURE("big4.npy"), FIXTURE("big8.npy"),
                                        FIXTURE("big2.npy"), FIXTURE("big_fortran.npy"),
                                        FIXTURE("fortran.npy")};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        expect_ramp(plain[i], 2, (const int64_t[]){2, 4});
}

static void integers_in_big_endian_are_read(void **state) {
    (void)state;
    chl_desc desc;
    void *data;
    MUST(chl_one_array_read(FIXTURE("big_int.npy"), &desc, &data));
    assert_int_equal(desc.dtype, CHL_I32);
    assert_memory_equal(data, ((const int32_t[]){1, -2, 70000}), 12);
    free(data);
}

static void an_array_that_is_not_clear_is_an_error_with_the_names(void **state) {
    (void)state;
    static const struct {
        const char *path, *says;
    } unclear[] = {{FIXTURE("unclear.npz"), "\"x\", \"y\""},
                   {FIXTURE("uneven.pt"), "has 2 arrays (\"0\", \"1\")"},
                   {FIXTURE("compressed.npz"), "savez_compressed"},
                   {FIXTURE("two_projections.pt"), "\"a.png.latent\""}};
    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++) {
        chl_desc desc;
        void *data = &desc;
        assert_int_not_equal(chl_one_array_read(unclear[i].path, &desc, &data), CHL_OK);
        assert_null(data);
        if (!strstr(chl_error(), unclear[i].says) || !strstr(chl_error(), unclear[i].path))
            fail_msg("%s", chl_error());
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_latent_is_read),
        cmocka_unit_test(integers_in_big_endian_are_read),
        cmocka_unit_test(an_array_that_is_not_clear_is_an_error_with_the_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
