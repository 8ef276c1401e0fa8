/* JSON where memory runs out: an error at every allocation, never a shorter text or tree. */
#include "base/json.h"
#include "harness/parity.h"
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the others before it */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

static long left = -1; /* allocations before the one that is refused; below 0: none is */

static void *failing_malloc(size_t size) {
    return left >= 0 && left-- == 0 ? NULL : malloc(size);
}

static const char text[] =
    "{\"labels\": [\"a long label, of which a part would be another label\", \"rain\"], "
    "\"step\": 12, \"deep\": {\"a\": [1.5, null, true, {\"b\": \"\\u00e9\"}]}}";

static void a_refused_allocation_is_an_error(void **state) {
    (void)state;
    json_t *whole, *root;
    MUST(chl_json_read(text, strlen(text), 0, "a.json", &whole, NULL));
    int refused = 0;
    for (int n = 0;; n++) {
        left = n;
        const chl_status status = chl_json_read(text, strlen(text), 0, "a.json", &root, NULL);
        const bool all_given = left >= 0;
        left = -1;
        if (all_given) {
            assert_int_equal(status, CHL_OK);
            assert_true(json_equal(root, whole));
            json_decref(root);
            break;
        }
        refused++;
        assert_int_equal(status, CHL_ERR_MEMORY);
        assert_null(root);
        assert_non_null(strstr(chl_error(), "a.json: out of memory"));
    }
    print_message("%d allocations\n", refused);
    assert_true(refused > 20);
    json_decref(whole);
}

static void a_tree_that_lacks_a_part_is_known(void **state) {
    (void)state;
    const uint64_t before = chl_json_refused();
    json_t *list = json_array();
    json_array_append_new(list, json_string("rain"));
    assert_true(chl_json_refused() == before);
    left = 0;
    json_array_append_new(list, json_string("fire")); /* the caller does not look */
    left = -1;
    assert_int_equal(json_array_size(list), 1);
    assert_true(chl_json_refused() > before);
    json_decref(list);
}

/* What reports are built of: any bytes in keys and strings, lists, packed objects. */
static char *build(void) {
    const uint64_t refused = chl_json_refused();
    json_t *root = json_object(), *list = json_array();
    for (int i = 0; i < 20; i++) /* the tables and the text grow several times */
        chl_json_append(list, json_pack("{s:i, s:f}", "fold", i, "share", 0.5 * i));
    chl_json_set(root, "sound", chl_json_string("a\xff.wav"));
    chl_json_set(root, "label \xff", json_real(0.25));
    chl_json_set(root, "folds", list);
    char *built = chl_json_text(root, JSON_COMPACT, refused);
    json_decref(root);
    return built;
}

static void a_text_lacks_nothing_or_is_none(void **state) {
    (void)state;
    char *whole = build();
    assert_non_null(
        strstr(whole, "{\"sound\":\"a\\\\xff.wav\",\"label \\\\xff\":0.25,\"folds\":[{"));
    int refused = 0;
    for (int n = 0;; n++) {
        left = n;
        char *built = build();
        const bool all_given = left >= 0;
        left = -1;
        if (all_given) {
            assert_string_equal(built, whole);
            free(built);
            break;
        }
        refused++;
        assert_null(built);
    }
    print_message("%d allocations\n", refused);
    assert_true(refused > 60);
    free(whole);
}

static void what_found_no_memory_elsewhere_is_missing_too(void **state) {
    (void)state;
    const uint64_t before = chl_json_refused();
    json_t *root = json_object();
    chl_json_set(root, "name", NULL); /* its maker has found none */
    assert_null(chl_json_text(root, 0, before));
    assert_int_equal(chl_json_put(root, "name", NULL), CHL_ERR_MEMORY);
    assert_string_equal(chl_error(), "out of memory for \"name\"");
    char *text_now = chl_json_text(root, 0, chl_json_refused());
    assert_string_equal(text_now, "{}");
    free(text_now);
    json_decref(root);
}

static void what_is_no_json_is_told_from_what_found_no_memory(void **state) {
    (void)state;
    json_t *root = NULL;
    json_error_t problem;
    MUST(chl_json_read("{\"a\": ", 6, 0, "a.json", &root, &problem));
    assert_null(root);
    assert_string_not_equal(problem.text, "");
}

int main(void) {
    json_set_alloc_funcs(failing_malloc, free); /* as another user of jansson may have done */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_allocation_is_an_error),
        cmocka_unit_test(a_tree_that_lacks_a_part_is_known),
        cmocka_unit_test(a_text_lacks_nothing_or_is_none),
        cmocka_unit_test(what_found_no_memory_elsewhere_is_missing_too),
        cmocka_unit_test(what_is_no_json_is_told_from_what_found_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
