#include "base/params.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static chl_params *fresh(void) {
    chl_params *p;
    assert_int_equal(chl_params_new("file.pt", &p), CHL_OK);
    return p;
}

/* One float holding `value`. */
static void add(chl_params *p, const char *name, float value) {
    void *data;
    if (chl_params_add(p, name, (chl_desc){CHL_F32, 1, {1}}, &data) != CHL_OK)
        fail_msg("%s", chl_error());
    assert_int_equal((uintptr_t)data % 64, 0);
    *(float *)data = value;
}

static float value_of(const chl_params *p, const char *name) {
    const chl_array *array = chl_params_find(p, name);
    if (!array) fail_msg("\"%s\" is not there", name);
    assert_string_equal(array->name, name);
    return *(const float *)array->data;
}

/* A random sequence of add, rename and drop, compared with a plain table of the expected arrays. */
static void arrays_are_found_after_any_adds_renames_and_drops(void **unused) {
    (void)unused;
    enum { NAMES = 400, STEPS = 20000 };
    static float wanted[NAMES];
    char name[32], other[32];
    chl_params *p = fresh();
    int64_t count = 0;
    srand(1);
    for (int i = 0; i < NAMES; i++) wanted[i] = -1;
    for (int step = 0; step < STEPS; step++) {
        const int i = rand() % NAMES, k = rand() % NAMES;
        snprintf(name, sizeof name, "net.%d.weight", i);
        snprintf(other, sizeof other, "net.%d.weight", k);
        if (wanted[i] < 0) {
            assert_null(chl_params_find(p, name));
            assert_int_equal(chl_params_rename(p, name, other), CHL_ERR_KEY);
            add(p, name, wanted[i] = (float)step);
            count++;
        } else if (step % 3 == 0) {
            chl_params_drop(p, name);
            wanted[i] = -1;
            count--;
        } else if (wanted[k] < 0) {
            assert_int_equal(chl_params_rename(p, name, other), CHL_OK);
            wanted[k] = wanted[i];
            wanted[i] = -1;
        } else if (i != k)
            assert_int_equal(chl_params_rename(p, name, other), CHL_ERR_KEY);
        assert_int_equal(p->count, count);
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "net.%d.weight", i);
        if (wanted[i] < 0)
            assert_null(chl_params_find(p, name));
        else
            assert_true(value_of(p, name) == wanted[i]);
    }
    chl_params_drop(p, "never there");
    chl_params_free(p);
}

static void a_name_twice_and_impossible_shapes_are_refused(void **unused) {
    (void)unused;
    chl_params *p = fresh();
    void *data;
    add(p, "a", 1);
    assert_int_equal(chl_params_add(p, "a", (chl_desc){CHL_F32, 0, {0}}, &data), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "file.pt"));
    assert_non_null(strstr(chl_error(), "\"a\""));
    const chl_desc impossible[] = {{CHL_F32, 1, {-1}},
                                   {CHL_F32, 2, {INT64_MAX, INT64_MAX}},
                                   {CHL_F32, 1, {INT64_MAX / 4}},
                                   {CHL_F32, 3, {INT64_MAX, INT64_MAX, 0}},
                                   {CHL_F32, CHL_MAX_RANK + 1, {1}},
                                   {CHL_F32, -1, {1}}};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++)
        assert_int_equal(chl_params_add(p, "b", impossible[i], &data), CHL_ERR_SHAPE);
    assert_int_equal(p->count, 1);
    assert_int_equal(chl_params_add(p, "b", (chl_desc){CHL_I32, 2, {0, 7}}, &data), CHL_OK);
    assert_non_null(data);
    assert_int_equal(chl_params_add(p, "", (chl_desc){CHL_U8, 0, {0}}, &data), CHL_OK);
    chl_params_free(p);
    chl_params_free(NULL);
}

static void a_prefix_is_stripped_from_all_names_or_from_none(void **unused) {
    (void)unused;
    chl_params *p = fresh();
    add(p, "module.a", 1);
    add(p, "module.module.b", 2);
    add(p, "c", 3);
    assert_int_equal(chl_params_strip(p, "module."), CHL_OK);
    assert_true(value_of(p, "a") == 1);
    assert_true(value_of(p, "module.b") == 2);
    assert_true(value_of(p, "c") == 3);
    assert_null(chl_params_find(p, "module.a"));
    add(p, "b", 4);
    assert_int_equal(chl_params_strip(p, "module."), CHL_ERR_KEY);
    assert_true(value_of(p, "module.b") == 2);
    assert_int_equal(chl_params_strip(p, "c"), CHL_ERR_KEY);
    assert_int_equal(chl_params_strip(p, ""), CHL_OK);
    chl_params_free(p);
}

static void unused_arrays_are_named_and_counted(void **unused) {
    (void)unused;
    chl_params *p = fresh();
    char name[512];
    assert_int_equal(chl_params_check_all_used(p), CHL_OK);
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        add(p, name, 0);
    }
    add(p, "x.position_ids", 0);
    chl_params_find(p, "layer.1")->used = true;
    chl_params_ignore_suffix(p, ".position_ids");
    chl_params_ignore_suffix(p, "a suffix longer than any of the names that are in there");
    assert_int_equal(chl_params_check_all_used(p), CHL_ERR_KEY);
    const char *text = chl_error();
    assert_non_null(strstr(text, "file.pt"));
    assert_non_null(strstr(text, "6 of 8"));
    assert_non_null(strstr(text, "\"layer.0\", \"layer.2\""));
    assert_non_null(strstr(text, "\"layer.5\", ..."));
    assert_null(strstr(text, "layer.6"));
    assert_null(strstr(text, "position_ids"));
    /* names of any length */
    for (int i = 0; i < 5; i++) {
        memset(name, 'a' + i, sizeof name - 1);
        name[sizeof name - 1] = '\0';
        add(p, name, 0);
    }
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        chl_params_find(p, name)->used = true;
    }
    assert_int_equal(chl_params_check_all_used(p), CHL_ERR_KEY);
    assert_non_null(strstr(chl_error(), "eeee"));
    chl_params_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_found_after_any_adds_renames_and_drops),
        cmocka_unit_test(a_name_twice_and_impossible_shapes_are_refused),
        cmocka_unit_test(a_prefix_is_stripped_from_all_names_or_from_none),
        cmocka_unit_test(unused_arrays_are_named_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
