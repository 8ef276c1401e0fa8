/* Effects on waves (sound/effects.h), by what signals of known answer become. */
#include "harness/parity.h"
#include "sound/effects.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 44100

static float wave[4 * SECOND], before[4 * SECOND], other[4 * SECOND];

static void tone(float *out, int64_t samples, double hz, double peak) {
    for (int64_t i = 0; i < samples; i++)
        out[i] = (float)(peak * sin(2 * M_PI * hz * (double)i / SECOND));
}

static void noise(float *out, const char *name, int64_t samples) {
    float *made = parity_formula(name, 0, 0.2, samples);
    memcpy(out, made, (size_t)samples * sizeof *made);
    free(made);
}

static double db(double power) {
    return 10 * log10(power);
}

static void near(double got, double want, double tolerance) {
    if (fabs(got - want) <= tolerance) return;
    print_message("got %.4f, wanted %.4f within %.4f\n", got, want, tolerance);
    fail();
}

/* --- events ----------------------------------------------------------------------------------- */
static void a_cut_is_the_samples_themselves(void **state) {
    (void)state;
    noise(before, "clip", 1000);
    chl_effect_loop(before, 1000, 100, 50, 800, wave);
    assert_memory_equal(wave, before + 100, 800 * sizeof *wave);
}

/* A straight line from 0 to 1, repeated: its period is what is left without the join, inside which it
 * falls back in steps of the fade, and nowhere it jumps. */
static void a_loop_repeats_without_a_jump(void **state) {
    (void)state;
    enum { CLIP = 1000, JOIN = 200, PERIOD = CLIP - JOIN };
    for (int i = 0; i < CLIP; i++) before[i] = (float)i / CLIP;
    for (int64_t from = 0; from < CLIP; from += 333) {
        chl_effect_loop(before, CLIP, from, JOIN, 5000, wave);
        near(wave[0], from < PERIOD ? before[from] : wave[PERIOD], 1e-6);
        for (int i = 1; i < 5000; i++)
            if (fabsf(wave[i] - wave[i - 1]) > 1.2 / JOIN) fail();
        for (int i = PERIOD; i + PERIOD < 5000; i++) assert_true(wave[i] == wave[i + PERIOD]);
    }
    chl_effect_loop(before + 7, 1, 0, 0, 9, wave); /* a clip of one sample */
    for (int i = 0; i < 9; i++) assert_true(wave[i] == before[7]);
}

static void an_event_is_added_at_its_place_with_its_gain(void **state) {
    (void)state;
    memset(wave, 0, sizeof wave);
    for (int i = 0; i < SECOND; i++) other[i] = 0.5f;
    chl_effect_add(wave, 2 * SECOND, other, SECOND, SECOND / 2, -20);
    for (int i = 0; i < SECOND / 2; i++) assert_true(wave[i] == 0);
    near(wave[SECOND], 0.05, 1e-6);
    assert_true(wave[3 * SECOND / 2 + 1] == 0);
    chl_effect_add(wave, SECOND, other, SECOND, SECOND - 500, 0); /* reaches beyond the end */
    assert_true(wave[SECOND] < 0.051f);
}

static void a_gap_is_silent_and_the_rest_is_not_touched(void **state) {
    (void)state;
    for (int i = 0; i < SECOND; i++) wave[i] = 1;
    chl_effect_gap(wave, 10000, 5000);
    for (int i = 0; i < SECOND; i++) {
        const int into = i - 10000;
        if (into < 0 || into >= 5000) assert_true(wave[i] == 1);
        if (into >= 441 && into <= 5000 - 441) assert_true(wave[i] == 0);
    }
    near(wave[10220], 0.5, 0.01); /* half of the fade */
}

static void a_background_has_the_asked_signal_to_noise_ratio(void **state) {
    (void)state;
    for (float snr = -6; snr <= 30; snr += 9) {
        tone(before, SECOND, 440, 0.3);
        memcpy(wave, before, sizeof wave);
        noise(other, "background", SECOND);
        chl_effect_mix(wave, SECOND, other, snr);
        for (int i = 0; i < SECOND; i++) other[i] = wave[i] - before[i];
        near(db(chl_effect_power(before, SECOND) / chl_effect_power(other, SECOND)), (double)snr,
             0.01);
    }
    memset(other, 0, sizeof other);
    memcpy(wave, before, sizeof wave);
    chl_effect_mix(wave, SECOND, other, 3);
    assert_memory_equal(wave, before, sizeof wave);
    chl_effect_mix(other, SECOND, wave, 3); /* nothing is above silence */
    for (int i = 0; i < SECOND; i++) assert_true(other[i] == 0);
}

/* --- filters ---------------------------------------------------------------------------------- */
/* Gain of a tone once the filter has settled, in dB */
static double gain_at(double hz, const chl_biquad *filter, float low, float high) {
    for (int i = 0; i < 2 * SECOND; i++)
        before[i] = wave[i] = (float)cos(2 * M_PI * hz * i / SECOND);
    if (filter)
        chl_effect_filter(wave, 2 * SECOND, filter);
    else
        chl_effect_band(wave, 2 * SECOND, low, high);
    return db(chl_effect_power(wave + SECOND, SECOND) / chl_effect_power(before + SECOND, SECOND));
}

static void shelves_and_peaks_have_their_gain_where_they_say(void **state) {
    (void)state;
    for (double gain = -9; gain <= 9; gain += 6) {
        const chl_biquad low = chl_biquad_shelf(300, gain, false),
                         high = chl_biquad_shelf(3000, gain, true),
                         peak = chl_biquad_peak(1000, 1, gain);
        near(gain_at(0, &low, 0, 0), gain, 0.001);
        near(gain_at(300, &low, 0, 0), gain / 2, 0.01);
        near(gain_at(22050, &low, 0, 0), 0, 0.001);
        near(gain_at(0, &high, 0, 0), 0, 0.001);
        near(gain_at(3000, &high, 0, 0), gain / 2, 0.01);
        near(gain_at(22050, &high, 0, 0), gain, 0.001);
        near(gain_at(1000, &peak, 0, 0), gain, 0.01);
        near(gain_at(0, &peak, 0, 0), 0, 0.001);
        near(gain_at(22050, &peak, 0, 0), 0, 0.001);
    }
}

static void band_limits_are_butterworths_of_fourth_order(void **state) {
    (void)state;
    near(gain_at(300, NULL, 300, 3400), -3.01, 0.05);
    near(gain_at(3400, NULL, 300, 3400), -3.01, 0.05);
    near(gain_at(1000, NULL, 300, 3400), 0, 0.05);
    near(gain_at(150, NULL, 300, 3400), -24.1, 0.2);
    assert_true(gain_at(6800, NULL, 300, 3400) <
                -24.1); /* the bilinear map's zero is at 22 050 Hz */
    near(gain_at(15000, NULL, 0, 20000), 0, 1e-9);
}

/* --- rooms ------------------------------------------------------------------------------------ */
/* Schroeder's backward integration of an impulse: twice the time from -5 to -35 dB */
static double measured_rt60(const float *response, int64_t samples) {
    double all = chl_effect_power(response, samples) * (double)samples, left = all;
    int64_t at5 = 0, at35 = 0;
    for (int64_t i = 0; i < samples; i++) {
        left -= (double)response[i] * (double)response[i];
        if (!at5 && db(left / all) < -5) at5 = i;
        if (!at35 && db(left / all) < -35) at35 = i;
    }
    return 2.0 * (double)(at35 - at5) / SECOND;
}

static void a_room_decays_by_60_db_in_its_time(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const chl_room room = {
            .rt60 = 0.3f * powf(1.7f, (float)i), .size = 0.05f, .seed = (uint64_t)i};
        memset(wave, 0, sizeof wave);
        wave[0] = 1;
        assert_true(chl_effect_reverb(wave, 4 * SECOND, &room));
        wave[0] = 0; /* the sound itself */
        const double measured = measured_rt60(wave, 4 * SECOND);
        print_message("reverberation time %.3f s, measured %.3f\n", (double)room.rt60, measured);
        near(measured / (double)room.rt60, 1, 0.1);
    }
}

static void a_room_has_its_share_and_its_seed(void **state) {
    (void)state;
    const chl_room room = {.rt60 = 1, .size = 0.08f, .direct_db = 6, .seed = 3};
    chl_room same = room;
    noise(before, "dry", SECOND);
    memcpy(wave, before, sizeof wave);
    memcpy(other, before, sizeof other);
    assert_true(chl_effect_reverb(wave, SECOND, &room));
    assert_true(chl_effect_reverb(other, SECOND, &same));
    assert_memory_equal(wave, other, sizeof wave);
    for (int i = 0; i < SECOND; i++) other[i] = wave[i] - before[i];
    near(db(chl_effect_power(before, SECOND) / chl_effect_power(other, SECOND)), 6, 0.01);
    same.seed = 4;
    memcpy(other, before, sizeof other);
    assert_true(chl_effect_reverb(other, SECOND, &same));
    assert_memory_not_equal(wave, other, sizeof wave);
}

/* --- codecs, gain ----------------------------------------------------------------------------- */
static double error_db(const chl_codec *codec) {
    memcpy(wave, before, sizeof wave);
    chl_effect_codec(wave, 2 * SECOND, codec);
    for (int i = 0; i < 2 * SECOND; i++) other[i] = wave[i] - before[i];
    return db(chl_effect_power(before + SECOND / 2, SECOND) /
              chl_effect_power(other + SECOND / 2, SECOND));
}

/* A sine's signal-to-noise ratio is 1.76 + 6.02 bits for equal steps, whatever its level; of 8 bits
 * of mu-law about 38. */
static void codecs_have_the_noise_of_their_bits(void **state) {
    (void)state;
    for (double peak = 1; peak > 0.001; peak /= 30) {
        tone(before, 2 * SECOND, 997, peak);
        for (int bits = 6; bits <= 12; bits += 3)
            near(error_db(&(chl_codec){44100, bits, false}), 1.76 + 6.02 * bits, 0.6);
        near(error_db(&(chl_codec){44100, 8, true}), 38, 1.5);
    }
}

static void codecs_keep_what_their_rate_can_hold(void **state) {
    (void)state;
    const chl_codec telephone = {8000, 16, false};
    for (double hz = 500; hz < 20000; hz *= 3) {
        tone(before, 2 * SECOND, hz, 0.5);
        memcpy(wave, before, sizeof wave);
        chl_effect_codec(wave, 2 * SECOND, &telephone);
        const double left = db(chl_effect_power(wave, SECOND) / chl_effect_power(before, SECOND));
        print_message("%.0f Hz through 8000 samples a second: %.1f dB\n", hz, left);
        if (hz < 1000) near(left, 0, 0.5);
        if (hz > 4000) assert_true(left < -6);
    }
    memset(wave, 0, sizeof wave); /* silence has no peak */
    chl_effect_codec(wave, SECOND, &telephone);
    for (int i = 0; i < SECOND; i++) assert_true(wave[i] == 0);
}

static void gain_is_in_db_and_ends_at_full_scale(void **state) {
    (void)state;
    tone(before, SECOND, 440, 0.01);
    for (float gain = -40; gain <= 36; gain += 19) {
        memcpy(wave, before, sizeof wave);
        chl_effect_gain(wave, SECOND, gain);
        near(db(chl_effect_power(wave, SECOND) / chl_effect_power(before, SECOND)), (double)gain,
             0.001);
    }
    chl_effect_gain(wave, SECOND, 60);
    for (int i = 0; i < SECOND; i++) assert_true(fabsf(wave[i]) <= 1);
    assert_true(wave[25] == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_is_the_samples_themselves),
        cmocka_unit_test(a_loop_repeats_without_a_jump),
        cmocka_unit_test(an_event_is_added_at_its_place_with_its_gain),
        cmocka_unit_test(a_gap_is_silent_and_the_rest_is_not_touched),
        cmocka_unit_test(a_background_has_the_asked_signal_to_noise_ratio),
        cmocka_unit_test(shelves_and_peaks_have_their_gain_where_they_say),
        cmocka_unit_test(band_limits_are_butterworths_of_fourth_order),
        cmocka_unit_test(a_room_decays_by_60_db_in_its_time),
        cmocka_unit_test(a_room_has_its_share_and_its_seed),
        cmocka_unit_test(codecs_have_the_noise_of_their_bits),
        cmocka_unit_test(codecs_keep_what_their_rate_can_hold),
        cmocka_unit_test(gain_is_in_db_and_ends_at_full_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
