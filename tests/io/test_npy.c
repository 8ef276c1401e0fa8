#include "io/npy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#define FIXTURE(name) CHLADNI_FIXTURES "/weights/" name

static void *read_fixture(const char *path, chl_desc *desc) {
    void *data;
    if (chl_npy_read(path, desc, &data) != CHL_OK) fail_msg("%s", chl_error());
    assert_int_equal((uintptr_t)data % 64, 0);
    return data;
}

/* Format 1 and 2, C and Fortran order, f2, f4 and f8 give the same array. */
static void every_npy_format_gives_the_same_array(void **unused) {
    (void)unused;
    static const char *const files[] = {FIXTURE("grid.npy"), FIXTURE("grid_v2.npy"),
                                        FIXTURE("grid_fortran.npy"), FIXTURE("grid_half.npy")};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        chl_desc desc;
        float *grid = read_fixture(files[i], &desc);
        assert_int_equal(desc.dtype, CHL_F32);
        assert_int_equal(desc.rank, 2);
        assert_int_equal(desc.dim[0], 2);
        assert_int_equal(desc.dim[1], 3);
        for (int k = 0; k < 6; k++) assert_true(grid[k] == (float)k - 2.5f);
        free(grid);
    }
    chl_desc desc;
    int32_t *labels = read_fixture(FIXTURE("labels.npy"), &desc);
    assert_int_equal(desc.dtype, CHL_I32);
    assert_int_equal(desc.rank, 1);
    assert_memory_equal(labels, ((int32_t[]){3, 1, 2}), 12);
    free(labels);
    float *scalar = read_fixture(FIXTURE("scalar.npy"), &desc);
    assert_int_equal(desc.rank, 0);
    assert_true(*scalar == 1.25f);
    free(scalar);
}

static void what_is_written_is_read_back_aligned(void **unused) {
    (void)unused;
    char path[] = "/tmp/chladni-npy-XXXXXX";
    close(mkstemp(path));
    const chl_desc descs[] = {{CHL_F32, 0, {0}},
                              {CHL_F32, 1, {5}},
                              {CHL_I32, 3, {1, 2, 3}},
                              {CHL_F32, 2, {0, 4}},
                              {CHL_F32, CHL_MAX_RANK, {1, 2, 1, 2, 1, 2}}};
    for (size_t i = 0; i < sizeof descs / sizeof *descs; i++) {
        float values[8];
        for (int k = 0; k < 8; k++) values[k] = 0.1f * (float)k - 0.3f;
        assert_int_equal(chl_npy_write(path, &descs[i], values), CHL_OK);
        chl_desc desc;
        void *back = read_fixture(path, &desc);
        assert_int_equal(desc.dtype, descs[i].dtype);
        assert_int_equal(desc.rank, descs[i].rank);
        for (int k = 0; k < desc.rank; k++) assert_int_equal(desc.dim[k], descs[i].dim[k]);
        if (chl_bytes(&desc)) assert_memory_equal(back, values, (size_t)chl_bytes(&desc));
        free(back);
    }
    /* the data starts at a multiple of 64, after a newline */
    FILE *file = fopen(path, "rb");
    uint8_t head[128];
    assert_true(fread(head, 1, sizeof head, file) == sizeof head);
    fclose(file);
    const int start = 10 + head[8] + 256 * head[9];
    assert_int_equal(start % 64, 0);
    assert_int_equal(head[start - 1], '\n');
    const chl_desc brain = {CHL_BF16, 1, {1}};
    assert_int_equal(chl_npy_write(path, &brain, head), CHL_ERR_UNSUPPORTED);
    const chl_desc impossible[] = {
        {CHL_F32, 2, {-1, 4}},        {CHL_F32, 2, {-2, -4}},
        {CHL_F32, 2, {INT64_MAX, 2}}, {CHL_F32, 3, {(int64_t)1 << 62, 8, 0}},
        {CHL_F32, -1, {0}},           {CHL_F32, CHL_MAX_RANK + 1, {1, 1, 1, 1, 1, 1}}};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        assert_int_equal(chl_npy_write(path, &impossible[i], head), CHL_ERR_SHAPE);
        assert_non_null(strstr(chl_error(), path));
    }
    unlink(path);
    assert_int_equal(chl_npy_write("/no-such-folder/x.npy", &descs[0], head), CHL_ERR_IO);
}

static chl_status parse(const void *bytes, size_t size) {
    /* a copy of the exact size, so that a sanitizer sees any step beyond it */
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    chl_params *params;
    assert_int_equal(chl_params_new("test.npy", &params), CHL_OK);
    chl_status status = chl_npy_parse(copy, size, "test.npy", params);
    chl_params_free(params);
    free(copy);
    return status;
}

static void refuse(const char *header, size_t data, chl_status status, const char *words) {
    uint8_t bytes[512] = "\x93NUMPY\x01";
    const size_t length = strlen(header);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, header, length);
    chl_status got = parse(bytes, 10 + length + data);
    if (got != status || (status && !strstr(chl_error(), words)))
        fail_msg("%s: status %d, \"%s\"; wanted %d with \"%s\"", header, got, chl_error(), status,
                 words);
}

static void headers_that_lie_are_refused(void **unused) {
    (void)unused;
#define HEAD(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
    refuse(HEAD("'<f4'", "False", "(2,)"), 8, CHL_OK, "");
    refuse("{\"shape\":(2L,),\"descr\":\"<f4\",\"fortran_order\":True}\n", 8, CHL_OK, "");
    refuse(HEAD("'<f4'", "False", "(3,)"), 8, CHL_ERR_FORMAT, "outside its data");
    refuse(HEAD("'<f4'", "False", "(4611686018427387904, 4)"), 8, CHL_ERR_FORMAT, "outside");
    refuse(HEAD("'<f4'", "False", "(4611686018427387904, 4, 0)"), 8, CHL_ERR_SHAPE, "impossible");
    refuse(HEAD("'<f4'", "True", "(9223372036854775807, 9223372036854775807)"), 8, CHL_ERR_FORMAT,
           "outside");
    refuse(HEAD("'<f4'", "False", "(99999999999999999999,)"), 8, CHL_ERR_FORMAT, "not understood");
    refuse(HEAD("'<f4'", "False", "(-1,)"), 8, CHL_ERR_FORMAT, "not understood");
    refuse(HEAD("'<f4'", "False", "(1,1,1,1,1,1,1)"), 8, CHL_ERR_FORMAT, "not understood");
    refuse(HEAD("'<f4'", "Maybe", "(1,)"), 8, CHL_ERR_FORMAT, "not understood");
    refuse(HEAD("'>c8'", "False", "(1,)"), 8, CHL_ERR_UNSUPPORTED, "\">c8\"");
    refuse(HEAD("'|O'", "False", "(1,)"), 8, CHL_ERR_UNSUPPORTED, "\"|O\"");
    refuse(HEAD("[('a', '<f4')]", "False", "(1,)"), 8, CHL_ERR_FORMAT, "plain numbers only");
    refuse(HEAD("__import__('os')", "False", "(1,)"), 8, CHL_ERR_FORMAT, "not understood");
    refuse(HEAD("'<f4'", "False", "(1,)") "x", 8, CHL_ERR_FORMAT, "not understood");
    refuse("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", 8,
           CHL_ERR_FORMAT, "not understood");
    refuse("{'descr': '<f4', 'shape': ()}", 8, CHL_ERR_FORMAT, "not understood");
    refuse("{}", 8, CHL_ERR_FORMAT, "not understood");
    refuse("", 8, CHL_ERR_FORMAT, "not understood");
    assert_int_equal(parse("\x93NUMPY\x03\0\0\0\0\0", 12), CHL_ERR_UNSUPPORTED);
    assert_int_equal(parse("\x93NUMPY\x01\0\xff\xff{}", 12), CHL_ERR_FORMAT);
    assert_int_equal(parse("\x93NUMPY\x02\0\xff\xff\xff\xff", 12), CHL_ERR_FORMAT);
    assert_int_equal(parse("", 0), CHL_ERR_FORMAT);
    /* an integer that int32 cannot hold */
    uint8_t wide[128] = "\x93NUMPY\x01\0\x38\0{'descr':'<i8','fortran_order':False,'shape':(1,)}";
    memset(wide + strlen((char *)wide + 10) + 10, ' ', 8);
    const size_t length = strlen((char *)wide + 10);
    wide[8] = (uint8_t)length;
    wide[10 + length + 4] = 1;
    assert_int_equal(parse(wide, 10 + length + 8), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "beyond 32 bits"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_npy_format_gives_the_same_array),
        cmocka_unit_test(what_is_written_is_read_back_aligned),
        cmocka_unit_test(headers_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
