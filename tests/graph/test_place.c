/* Places of blocks of memory: those of the plain rule, which looks at all blocks that are placed. */
#include "graph/place.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

enum { MOST = 400 };

static uint32_t drawn = 1;
static int32_t draw(int32_t below) {
    drawn = drawn * 1664525u + 1013904223u;
    return (int32_t)((drawn >> 8) % (uint32_t)below);
}

static int by_size(const void *left, const void *right) {
    const chl_block *a = left, *b = right;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static bool alive_together(const chl_block *a, const chl_block *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which block i meets none of those before it. */
static int64_t plain_place(const chl_block *block, int i, const int64_t *at) {
    int64_t here = 0;
    for (int k = 0; k < i;) {
        const bool meets = alive_together(&block[i], &block[k]) && at[k] < here + block[i].bytes &&
                           here < at[k] + block[k].bytes;
        if (meets) here = at[k] + block[k].bytes;
        k = meets ? 0 : k + 1;
    }
    return here;
}

static void compare(chl_block *block, int count, int32_t moments) {
    static int64_t got[MOST], want[MOST];
    int64_t total, end = 0;
    for (int i = 0; i < count; i++) {
        block[i].order = i;
        block[i].offset = &got[i];
    }
    assert_int_equal(chl_place_blocks(block, count, moments, &total), CHL_OK);
    qsort(block, (size_t)count, sizeof *block, by_size);
    for (int i = 0; i < count; i++) {
        want[i] = plain_place(block, i, want);
        assert_int_equal(*block[i].offset, want[i]);
        if (want[i] + block[i].bytes > end) end = want[i] + block[i].bytes;
    }
    assert_int_equal(total, end);
}

/* Short and long lives, many of one size. */
static void places_are_those_of_the_plain_rule(void **state) {
    (void)state;
    static chl_block block[MOST];
    for (int turn = 0; turn < 60; turn++) {
        const int count = 1 + draw(MOST);
        const int32_t moments = 1 + draw(turn % 2 ? 700 : 20), longest = 1 + draw(moments);
        for (int i = 0; i < count; i++) {
            const int32_t first = draw(moments), life = draw(draw(8) ? 1 + longest / 8 : longest);
            block[i] = (chl_block){.bytes = 64 * (1 + draw(turn % 3 ? 40 : 3)),
                                   .first = first,
                                   .last = draw(20) ? first + life : INT32_MAX};
        }
        compare(block, count, moments);
    }
}

static void no_block_needs_no_memory(void **state) {
    (void)state;
    int64_t total = 1;
    assert_int_equal(chl_place_blocks(NULL, 0, 10, &total), CHL_OK);
    assert_int_equal(total, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_those_of_the_plain_rule),
        cmocka_unit_test(no_block_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
