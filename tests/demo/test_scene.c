/* Scenes: latents mean what was wished, pictures show it and keep what no sound determines. */
#include "demo/world/world.h"
#include "harness/parity.h"
#include <pthread.h>
#include <string.h>

#define SIDE 64
#define PIXELS (SIDE * SIDE * 3)

static const chl_scene_wish anything = {CHL_NO_KIND, NAN, NAN, NAN, NAN};

static chl_scene wished(uint64_t seed, chl_scene_wish wish) {
    float z[CHL_SCENE_Z];
    chl_scene scene;
    chl_scene_draw(seed, &wish, z);
    chl_scene_of_latent(z, &scene);
    return scene;
}

static float difference(const float *a, const float *b, int top, int bottom) {
    double sum = 0;
    for (int i = top * SIDE * 3; i < bottom * SIDE * 3; i++) sum += fabsf(a[i] - b[i]);
    return (float)(sum / ((bottom - top) * SIDE * 3));
}

static float strongest_but(const chl_scene *scene, chl_kind kind) {
    float most = 0;
    for (int k = 0; k < CHL_KINDS; k++)
        if (k != (int)kind) most = fmaxf(most, scene->strength[k]);
    return most;
}

static void wishes_come_true(void **state) {
    (void)state;
    static const float seasons[3] = {0, 0.5f, 1};
    for (int n = 0; n < 3000; n++) {
        chl_scene_wish wish = {(chl_kind)(n % (CHL_KINDS + 1)), (float)(n % 7) / 6,
                               (float)(n % 4) / 4, seasons[n % 3], (float)(n % 2)};
        chl_scene scene = wished((uint64_t)n, wish);
        if (wish.kind != CHL_NO_KIND)
            assert_true(fabsf(scene.strength[wish.kind] - wish.strength) < 0.02f);
        assert_true(strongest_but(&scene, wish.kind) == 0);
        float turn = fabsf(scene.time - wish.time);
        assert_true(fminf(turn, 1 - turn) < 0.1f);
        assert_int_equal(chl_scene_time_class(&scene), n % 4);
        assert_int_equal(chl_scene_season_class(&scene), n % 3);
        assert_int_equal(chl_scene_house_class(&scene), n % 2);
    }
}

/* Two events: both as strong as asked for, no third, and the time of day stays. */
static void events_can_be_added(void **state) {
    (void)state;
    for (int n = 0; n < 3000; n++) {
        const chl_kind first = (chl_kind)(n % CHL_KINDS),
                       second = (chl_kind)((n + 1 + n / CHL_KINDS % (CHL_KINDS - 1)) % CHL_KINDS);
        const float strong = 1 - (float)(n % 4) / 8, weak = (float)(n % 7) / 12;
        float z[CHL_SCENE_Z], square = 0;
        chl_scene before, after;
        const chl_scene_wish wish = {first, strong, NAN, NAN, NAN};
        chl_scene_draw((uint64_t)n, &wish, z);
        chl_scene_of_latent(z, &before);
        chl_scene_add_event(z, second, weak);
        chl_scene_of_latent(z, &after);
        for (int k = 0; k < CHL_KINDS; k++) {
            const float wanted = k == (int)first ? strong : k == (int)second ? weak : 0;
            assert_true(fabsf(after.strength[k] - wanted) < 0.02f);
        }
        assert_true(fabsf(after.time - before.time) < 1e-4f);
        for (int i = 0; i < CHL_SCENE_Z; i++) square += z[i] * z[i];
        assert_true(fabsf(square - CHL_SCENE_Z) < 1e-3f);
    }
}

static void open_wishes_are_drawn(void **state) {
    (void)state;
    int time[4] = {0}, season[3] = {0}, house[2] = {0};
    for (int n = 0; n < 1200; n++) {
        chl_scene scene = wished((uint64_t)n, (chl_scene_wish){CHL_FIRE, NAN, NAN, NAN, NAN});
        assert_true(scene.strength[CHL_FIRE] > 0.24f);
        time[chl_scene_time_class(&scene)]++;
        season[chl_scene_season_class(&scene)]++;
        house[chl_scene_house_class(&scene)]++;
    }
    for (int c = 0; c < 4; c++) assert_in_range(time[c], 240, 360);
    for (int c = 0; c < 3; c++) assert_in_range(season[c], 330, 470);
    for (int c = 0; c < 2; c++) assert_in_range(house[c], 540, 660);
}

/* chl_scene_draw without wishes forbids events: normal numbers come from another generator */
static void most_latents_are_calm(void **state) {
    (void)state;
    uint64_t word = 1;
    int calm = 0, count = 4000;
    for (int n = 0; n < count; n++) {
        float z[CHL_SCENE_Z], other[CHL_SCENE_Z];
        chl_scene scene, scaled;
        for (int i = 0; i < CHL_SCENE_Z; i++) {
            float sum = -6; /* twelve uniform numbers: nearly normal */
            for (int u = 0; u < 12; u++) {
                word = word * 6364136223846793005u + 1442695040888963407u;
                sum += (float)(word >> 40) / 16777216.0f;
            }
            z[i] = sum;
            other[i] = 3 * sum;
        }
        chl_scene_of_latent(z, &scene);
        chl_scene_of_latent(other, &scaled);
        calm += strongest_but(&scene, CHL_NO_KIND) == 0;
        assert_true(fabsf(scene.season - scaled.season) < 1e-4f);
        assert_true(fabsf(scene.strength[3] - scaled.strength[3]) < 1e-4f);
    }
    assert_in_range(calm, count * 74 / 100, count * 88 / 100);
}

static void equal_seeds_give_equal_scenes(void **state) {
    (void)state;
    static float first[PIXELS], again[PIXELS];
    for (int k = 0; k <= CHL_KINDS; k++) {
        chl_scene_wish wish = {(chl_kind)k, 0.7f, NAN, NAN, NAN};
        chl_scene a = wished(5, wish), b = wished(5, wish), other = wished(6, wish);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_not_equal(&a, &other, sizeof a);
        memset(again, 0xFF, sizeof again); /* NaN: nothing may be read */
        MUST(chl_scene_paint(&a, SIDE, first));
        MUST(chl_scene_paint(&b, SIDE, again));
        assert_memory_equal(first, again, sizeof first);
        for (int i = 0; i < PIXELS; i++) assert_true(first[i] >= -1 && first[i] <= 1);
    }
}

/* From nothing, in small steps, always further from the calm picture. */
static void events_grow_with_strength(void **state) {
    (void)state;
    static float calm[PIXELS], before[PIXELS], now[PIXELS];
    for (int k = 0; k < CHL_KINDS; k++)
        for (int time = 0; time < 4; time++) {
            chl_scene scene = wished((uint64_t)(7 * k + time), anything);
            scene.time = (float)time / 4;
            MUST(chl_scene_paint(&scene, SIDE, calm));
            memcpy(before, calm, sizeof before);
            float reached = 0, widest = 0, way = 0;
            for (int step = 1; step <= 20; step++) {
                scene.strength[k] = (float)step / 20;
                MUST(chl_scene_paint(&scene, SIDE, now));
                float far = difference(calm, now, 0, SIDE);
                if (far <= reached)
                    fail_msg("%s: %g at strength %g, %g before", chl_kind_name((chl_kind)k), far,
                             scene.strength[k], reached);
                float stride = difference(before, now, 0, SIDE);
                widest = fmaxf(widest, stride);
                way += stride;
                memcpy(before, now, sizeof before);
                reached = far;
            }
            const char *name = chl_kind_name((chl_kind)k);
            if (reached < 0.05f) fail_msg("%s changes a picture by %g only", name, reached);
            if (widest > 3 * way / 20) fail_msg("%s jumps by %g", name, widest);
        }
}

/* Time shows above, season below, and the house where it stands, also through an event. */
static void attributes_stay_visible(void **state) {
    (void)state;
    static float a[PIXELS], b[PIXELS];
    for (int k = 0; k <= CHL_KINDS; k++)
        for (int n = 0; n < 8; n++) {
            chl_scene scene =
                wished((uint64_t)n, (chl_scene_wish){(chl_kind)k, 0.7f, 0.25f * (float)(n % 4),
                                                     0.5f * (float)(n % 3), 1});
            const char *name = chl_kind_name((chl_kind)k);
            MUST(chl_scene_paint(&scene, SIDE, a));
            for (int other = 1; other < 4; other++) {
                chl_scene changed = scene;
                changed.time = fmodf(scene.time + 0.25f * (float)other, 1);
                MUST(chl_scene_paint(&changed, SIDE, b));
                float far = difference(a, b, 0, SIDE);
                if (far < 0.08f) fail_msg("%s hides the time: %g", name, far);
            }
            for (int other = 1; other < 3; other++) {
                chl_scene changed = scene;
                changed.season = 0.5f * (float)((chl_scene_season_class(&scene) + other) % 3);
                MUST(chl_scene_paint(&changed, SIDE, b));
                float far = difference(a, b, SIDE / 2, SIDE);
                if (far < 0.04f) fail_msg("%s hides the season: %g", name, far);
            }
            chl_scene empty = scene;
            empty.house = 0;
            MUST(chl_scene_paint(&empty, SIDE, b));
            int seen = 0;
            for (int i = 0; i < PIXELS; i += 3)
                seen +=
                    fabsf(a[i] - b[i]) + fabsf(a[i + 1] - b[i + 1]) + fabsf(a[i + 2] - b[i + 2]) >
                    0.15f;
            if (seen < 40) fail_msg("%s hides the house: %d pixels", name, seen);
        }
}

/* An event's place moves the event alone, to one of three. */
static void places_are_three(void **state) {
    (void)state;
    static float a[PIXELS], b[PIXELS];
    static const chl_kind placed[] = {CHL_THUNDER, CHL_FIRE, CHL_EXPLOSION, CHL_BELL};
    for (int p = 0; p <= 4; p++) {
        chl_scene scene = wished(2, (chl_scene_wish){CHL_NO_KIND, NAN, NAN, NAN, 1});
        if (p < 4) scene.strength[placed[p]] = 0.7f;
        for (int third = 0; third < 3; third++) {
            scene.place = ((float)third + 0.1f) / 3;
            MUST(chl_scene_paint(&scene, SIDE, a));
            scene.place = ((float)third + 0.9f) / 3;
            MUST(chl_scene_paint(&scene, SIDE, b));
            assert_memory_equal(a, b, sizeof a);
            scene.place = (float)((third + 1) % 3) / 2;
            MUST(chl_scene_paint(&scene, SIDE, b));
            float far = difference(a, b, 0, SIDE);
            assert_true(p < 4 ? far > 0.05f : far == 0);
        }
    }
}

static void textures_are_standardised(void **state) {
    (void)state;
    static float textures[CHL_WORLD_TEXTURES * 128 * 128];
    static const int sides[] = {32, 45, 128};
    for (int s = 0; s < 3; s++) {
        int count = sides[s] * sides[s];
        MUST(chl_world_textures(sides[s], textures));
        for (int t = 0; t < CHL_WORLD_TEXTURES; t++) {
            double sum = 0, square = 0;
            for (int i = 0; i < count; i++) sum += textures[t * count + i];
            for (int i = 0; i < count; i++) square += pow(textures[t * count + i] - sum / count, 2);
            assert_true(fabs(sum / count) < 1e-4);
            assert_true(fabs(sqrt(square / count) - 1) < 1e-4);
            for (int u = 0; u < t; u++) { /* different ones */
                double both = 0;
                for (int i = 0; i < count; i++)
                    both += textures[t * count + i] * textures[u * count + i];
                assert_true(fabs(both / count) < 0.3);
            }
        }
    }
}

static void contains(const char *text, const char *const *words) {
    for (; *words; words++)
        if (strstr(text, *words)) return;
    fail_msg("\"%s\" does not name what it should", text);
}

static void captions_name_the_event(void **state) {
    (void)state;
    static const char *const words[CHL_KINDS + 1][5] = {{"rain"},
                                                        {"thunder", "lightning"},
                                                        {"wind", "breeze"},
                                                        {"fire", "flames"},
                                                        {"bird"},
                                                        {"waves"},
                                                        {"bubbles"},
                                                        {"explosion", "blast"},
                                                        {"crickets"},
                                                        {"bell"},
                                                        {"landscape", "calm hills"}};
    char text[128], again[128];
    int with_time = 0, with_house = 0, count = 0;
    for (int n = 0; n < 2200; n++) {
        int k = n % (CHL_KINDS + 1);
        chl_scene scene = wished((uint64_t)n, (chl_scene_wish){(chl_kind)k, NAN, 0, NAN, 1});
        chl_scene_caption(&scene, (uint64_t)n, text, sizeof text);
        chl_scene_caption(&scene, (uint64_t)n, again, sizeof again);
        assert_string_equal(text, again);
        contains(text, words[k]);
        assert_true(strlen(text) < sizeof text - 1);
        assert_null(strstr(text, "dusk"));
        assert_null(strstr(text, "no house"));
        assert_null(strstr(text, "without"));
        with_time += strstr(text, "at night") || strstr(text, "under the moon");
        with_house += strstr(text, " a house") != NULL;
        count++;
        chl_sound_caption(&scene, (uint64_t)n, text, sizeof text);
        assert_null(strstr(text, "house"));
        if (k != CHL_NO_KIND)
            contains(text, words[k]);
        else
            assert_string_equal(text, "nothing");
    }
    assert_in_range(with_time, count * 4 / 10, count * 6 / 10);
    assert_in_range(with_house, count * 4 / 10, count * 6 / 10);
}

/* the stronger one first */
static void captions_name_two_events(void **state) {
    (void)state;
    char text[128];
    size_t longest = 0;
    for (int n = 0; n < 20000; n++) {
        chl_scene scene = wished((uint64_t)n, (chl_scene_wish){CHL_BUBBLES, NAN, NAN, NAN, NAN});
        scene.strength[CHL_THUNDER] = (float)(n % 2);
        chl_scene_caption(&scene, (uint64_t)n, text, sizeof text);
        const char *bubbles = strstr(text, "bubbles"), *and = strstr(text, " and ");
        assert_non_null(bubbles);
        longest = strlen(text) > longest ? strlen(text) : longest;
        if (n % 2 == 0) continue;
        assert_non_null(and);
        assert_true(and < bubbles);
        assert_true(strstr(text, "thunder") || strstr(text, "lightning"));
    }
    assert_in_range(longest, 100, 126);
}

static void captions_tell_strength(void **state) {
    (void)state;
    chl_scene weak = wished(1, (chl_scene_wish){CHL_RAIN, 0.2f, NAN, NAN, NAN});
    chl_scene strong = wished(1, (chl_scene_wish){CHL_RAIN, 1, NAN, NAN, NAN});
    int light = 0, heavy = 0;
    char text[128];
    for (uint64_t seed = 0; seed < 300; seed++) {
        chl_sound_caption(&weak, seed, text, sizeof text);
        light += !strcmp(text, "light rain");
        assert_null(strstr(text, "heavy"));
        chl_sound_caption(&strong, seed, text, sizeof text);
        heavy += !strcmp(text, "heavy rain");
        assert_null(strstr(text, "light rain"));
    }
    assert_in_range(light, 25, 80);
    assert_in_range(heavy, 25, 80);
}

static void impossible_scenes_and_sides_are_refused(void **state) {
    (void)state;
    static float pixels[PIXELS];
    chl_scene scene = wished(1, anything);
    static const int sides[] = {-1, 0, 31, 1025};
    for (int s = 0; s < 4; s++) {
        assert_int_equal(chl_scene_paint(&scene, sides[s], pixels), CHL_ERR_ARGUMENT);
        assert_int_equal(chl_world_textures(sides[s], pixels), CHL_ERR_ARGUMENT);
    }
    scene.hills[2] = NAN;
    assert_int_equal(chl_scene_paint(&scene, SIDE, pixels), CHL_ERR_ARGUMENT);
    scene.hills[2] = 0;
    scene.strength[CHL_BELL] = 1.5f;
    assert_int_equal(chl_scene_paint(&scene, SIDE, pixels), CHL_ERR_ARGUMENT);
}

static void *paint_at_another_side(void *pixels) {
    chl_scene scene = wished(3, (chl_scene_wish){CHL_RAIN, 1, 0, 0, 1});
    return chl_scene_paint(&scene, 50, pixels) == CHL_OK ? pixels : NULL;
}

static void threads_share_textures(void **state) {
    (void)state;
    static float pixels[4][50 * 50 * 3];
    pthread_t thread[4];
    for (int t = 0; t < 4; t++)
        assert_int_equal(pthread_create(thread + t, NULL, paint_at_another_side, pixels[t]), 0);
    for (int t = 0; t < 4; t++) {
        void *result;
        assert_int_equal(pthread_join(thread[t], &result), 0);
        assert_ptr_equal(result, pixels[t]);
        assert_memory_equal(pixels[t], pixels[0], sizeof pixels[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wishes_come_true),
        cmocka_unit_test(events_can_be_added),
        cmocka_unit_test(open_wishes_are_drawn),
        cmocka_unit_test(most_latents_are_calm),
        cmocka_unit_test(equal_seeds_give_equal_scenes),
        cmocka_unit_test(events_grow_with_strength),
        cmocka_unit_test(attributes_stay_visible),
        cmocka_unit_test(places_are_three),
        cmocka_unit_test(textures_are_standardised),
        cmocka_unit_test(captions_name_the_event),
        cmocka_unit_test(captions_name_two_events),
        cmocka_unit_test(captions_tell_strength),
        cmocka_unit_test(impossible_scenes_and_sides_are_refused),
        cmocka_unit_test(threads_share_textures),
    };
    return cmocka_run_group_tests_name("scene", tests, NULL, NULL);
}
