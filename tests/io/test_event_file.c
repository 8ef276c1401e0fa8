/* Event files are byte for byte what TensorBoard's own classes write
 * (tests/fixtures/make_events.py). */
#include "io/event_file.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, and the check value of the catalogue of CRCs */
static void checksums_are_castagnolis(void **state) {
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(chl_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(chl_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    assert_int_equal(chl_crc32c(bytes, 32), 0x46dd794e);
    assert_int_equal(chl_crc32c("123456789", 9), 0xe3069283);
}

static void a_file_is_tensorboards(void **state) {
    (void)state;
    static const double begin = 1700000000.25;
    char got[1024], want[1024];
    FILE *file = fmemopen(got, sizeof got, "wb");
    assert_non_null(file);
    chl_event_file_begin(file, begin);
    const chl_event_scalar one[] = {{"loss/total", 2.5}, {"rate", 1e-3}};
    assert_int_equal(chl_event_file_add(file, begin + 1, 1, 2, one), CHL_OK);
    const chl_event_scalar two[] = {{"loss/total", -0.125}};
    assert_int_equal(chl_event_file_add(file, begin + 300, 300, 1, two), CHL_OK);
    const chl_event_scalar three[] = {{"memory", 123456789}, {"x", (double)NAN}};
    assert_int_equal(chl_event_file_add(file, begin + 5e9, 5000000000, 2, three), CHL_OK);
    fflush(file);
    const long size = ftell(file);
    fclose(file);
    FILE *fixture = fopen(CHLADNI_FIXTURES "/events/scalars.tfevents", "rb");
    assert_non_null(fixture);
    assert_int_equal(fread(want, 1, sizeof want, fixture), size);
    fclose(fixture);
    assert_memory_equal(got, want, (size_t)size);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    char tag[CHL_EVENT_TAG + 2];
    memset(tag, 'x', sizeof tag);
    tag[sizeof tag - 1] = 0;
    const chl_event_scalar scalar = {tag, 1};
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(chl_event_file_add(file, 0, 1, 1, &scalar), CHL_ERR_ARGUMENT);
    assert_int_equal(chl_event_file_add(file, 0, 1, CHL_EVENT_SCALARS + 1, NULL), CHL_ERR_ARGUMENT);
    assert_int_equal(ftell(file), 0);
    tag[CHL_EVENT_TAG] = 0; /* the longest */
    chl_event_scalar many[CHL_EVENT_SCALARS];
    for (int i = 0; i < CHL_EVENT_SCALARS; i++) many[i] = scalar;
    assert_int_equal(chl_event_file_add(file, 0, INT64_MAX, CHL_EVENT_SCALARS, many), CHL_OK);
    fclose(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_castagnolis),
        cmocka_unit_test(a_file_is_tensorboards),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
