/* Sound files: containers and resampling against soxr and librosa (tests/fixtures/make_sound.py),
 * and files that are damaged, make false claims, or are no sound. */
#include "sound_warnings.h"

/* A WAV header; `bits` 16 = integers, 32 = floats. `claim` is the data chunk's size. */
static void wav(int channels, int rate, int bits, uint32_t claim) {
    file.size = 0;
    put_text(&file, "RIFF");
    put_le(&file, 36 + claim, 4);
    put_text(&file, "WAVEfmt ");
    put_le(&file, 16, 4);
    put_le(&file, bits == 32 ? 3 : 1, 2);
    put_le(&file, (uint32_t)channels, 2);
    put_le(&file, (uint32_t)rate, 4);
    put_le(&file, (uint32_t)(rate * channels * bits / 8), 4);
    put_le(&file, (uint32_t)(channels * bits / 8), 2);
    put_le(&file, (uint32_t)bits, 2);
    put_text(&file, "data");
    put_le(&file, claim, 4);
}

static void put_float(float x) {
    put(&file, &x, sizeof x);
}

/* Reads all of `file`, in odd portions. */
static chl_status read_file(float **wave, int64_t *samples) {
    chl_sound *sound;
    *samples = 0;
    *wave = malloc(sizeof(float) << 20);
    assert_non_null(*wave);
    warning[0] = 0;
    chl_status status = chl_sound_open_memory(file.data, file.size, "a.wav", &sound);
    if (status != CHL_OK) {
        assert_null(sound);
        return status;
    }
    for (int64_t got = 777; got == 777 && status == CHL_OK; *samples += got)
        status = chl_sound_read(sound, *wave + *samples, 777, &got);
    chl_sound_close(sound);
    return status;
}

static void expect_failure(chl_status expected, const char *text) {
    float *wave;
    int64_t samples;
    chl_status status = read_file(&wave, &samples);
    if (status != expected || !strstr(chl_error(), text) || !strstr(chl_error(), "a.wav"))
        fail_msg("status %d, not %d with '%s': %s", status, expected, text, chl_error());
    free(wave);
}

static void every_container_gives_soxrs_samples(void **state) {
    (void)state;
    float *expected = parity_array("sound/tone", 11025), *wave;
    int64_t samples;
    MUST(chl_sound_load(CHLADNI_FIXTURES "/sound/tone.flac", &wave, &samples));
    assert_int_equal(samples, 11025);
    for (int64_t i = 0; i < samples; i++)
        if (!(fabsf(wave[i] - expected[i]) <= 2e-6f)) fail_msg("sample %d", (int)i);
    free(wave);
    static const char *const lossy[] = {"sound/tone.ogg", "sound/tone.mp3"};
    for (int k = 0; k < 2; k++) {
        load_bytes(&file, lossy[k]);
        MUST(read_file(&wave, &samples));
        assert_int_equal(samples, 11025);
        double difference = 0, size = 0;
        for (int64_t i = 2000; i < 9000; i++) {
            difference += pow(wave[i] - expected[i], 2);
            size += pow(expected[i], 2);
        }
        print_message("%s: relative difference %.3f\n", lossy[k], sqrt(difference / size));
        assert_true(difference < 0.01 * size);
        free(wave);
    }
    free(expected);
}

static void the_length_at_44100_is_rounded_up_for_any_rate(void **state) {
    (void)state;
    static const int rates[] = {8000, 11025, 22050, 44100, 48000, 96000, 192000, 1000, 768000};
    static const int frames[] = {1, 2, 3, 1000, 4095, 4096, 4097};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t f = 0; f < sizeof frames / sizeof *frames; f++) {
            wav(1, rates[r], 16, (uint32_t)frames[f] * 2);
            for (int i = 0; i < frames[f]; i++) put_le(&file, 16384, 2);
            float *wave;
            int64_t samples;
            MUST(read_file(&wave, &samples));
            int64_t expected = ((int64_t)frames[f] * 44100 + rates[r] - 1) / rates[r];
            if (samples != expected)
                fail_msg("%d frames at %d Hz: %d samples", frames[f], rates[r], (int)samples);
            if (frames[f] > 1000) assert_true(fabsf(wave[samples / 2] - 0.5f) < 1e-3f);
            free(wave);
        }
}

static void channels_are_averaged(void **state) {
    (void)state;
    wav(8, 44100, 32, 100 * 8 * 4);
    for (int i = 0; i < 100; i++)
        for (int c = 0; c < 8; c++) put_float((float)(i + c) / 1000);
    float *wave;
    int64_t samples;
    MUST(read_file(&wave, &samples));
    assert_int_equal(samples, 100);
    for (int i = 0; i < 100; i++) assert_true(fabsf(wave[i] - (float)(i + 3.5) / 1000) < 1e-6f);
    free(wave);
}

static void extensible_24_bit_wave_is_read(void **state) {
    (void)state;
    static const uint8_t pcm[16] = {1,    0, 0, 0,    0, 0,    0x10, 0,
                                    0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};
    file.size = 0;
    put_text(&file, "RIFF");
    put_le(&file, 60 + 6, 4);
    put_text(&file, "WAVEfmt ");
    put_le(&file, 40, 4);
    put_le(&file, 0xfffe, 2);
    put_le(&file, 1, 2);
    put_le(&file, 44100, 4);
    put_le(&file, 44100 * 3, 4);
    put_le(&file, 3, 2);
    put_le(&file, 24, 2);
    put_le(&file, 22, 2);
    put_le(&file, 24, 2);
    put_le(&file, 4, 4);
    put(&file, pcm, 16);
    put_text(&file, "data");
    put_le(&file, 6, 4);
    put_le(&file, 1 << 22, 3);
    put_le(&file, 0xc00000, 3);
    float *wave;
    int64_t samples;
    MUST(read_file(&wave, &samples));
    assert_int_equal(samples, 2);
    assert_true(wave[0] == 0.5f && wave[1] == -0.5f);
    free(wave);
}

static void rewinding_gives_the_same_samples(void **state) {
    (void)state;
    load_bytes(&file, "sound/tone.ogg");
    chl_sound *sound;
    MUST(chl_sound_open_memory(file.data, file.size, "tone.ogg", &sound));
    static float first[12000], second[12000];
    int64_t got;
    MUST(chl_sound_read(sound, first, 5000, &got));
    MUST(chl_sound_rewind(sound));
    MUST(chl_sound_read(sound, first, 12000, &got));
    MUST(chl_sound_rewind(sound));
    MUST(chl_sound_read(sound, second, 12000, &got));
    assert_int_equal(got, 11025);
    assert_memory_equal(first, second, sizeof first);
    chl_sound_close(sound);
}

static void samples_that_are_no_numbers_are_placed(void **state) {
    (void)state;
    wav(2, 22050, 32, 44100 * 2 * 4);
    for (int i = 0; i < 44100 * 2; i++) put_float(i == 2 * 33075 + 1 ? NAN : 0.1f);
    expect_failure(CHL_ERR_NUMERIC, "second 1.5000 (frame 33075, channel 2) is not a number");
    wav(1, 44100, 32, 4 * 3);
    put_float(0);
    put_float(INFINITY);
    put_float(0);
    expect_failure(CHL_ERR_NUMERIC, "infinite");
}

static void a_header_that_lies_costs_a_warning_or_an_error(void **state) {
    (void)state;
    float *wave;
    int64_t samples;
    wav(1, 44100, 16, 20000); /* cut short */
    for (int i = 0; i < 3000; i++) put_le(&file, 100, 2);
    MUST(read_file(&wave, &samples));
    assert_int_equal(samples, 3000);
    assert_non_null(strstr(warning, "incomplete"));
    free(wave);
    wav(1, 44100, 16, 0xffffffff); /* written to a pipe: the usual "unknown" */
    for (int i = 0; i < 3000; i++) put_le(&file, 100, 2);
    MUST(read_file(&wave, &samples));
    assert_int_equal(samples, 3000);
    assert_string_equal(warning, "");
    free(wave);
    load_bytes(&file, "sound/tone.flac"); /* a FLAC that claims hours: 36 bits of its STREAMINFO */
    memset(file.data + 22, 0xff, 4);
    chl_status status = read_file(&wave, &samples);
    assert_true(status == CHL_ERR_FORMAT || (status == CHL_OK && samples == 11025 && warning[0]));
    free(wave);
    load_bytes(&file, "sound/tone.ogg"); /* ends in the middle: no page tells the length */
    file.size = file.size * 2 / 3;
    expect_failure(CHL_ERR_FORMAT, "");
}

static void what_is_no_sound_is_refused_by_name(void **state) {
    (void)state;
    file.size = 0;
    expect_failure(CHL_ERR_FORMAT, "empty (0 bytes)");
    put_text(&file, "This is a text, not a sound.\n");
    expect_failure(CHL_ERR_FORMAT, "not a sound file");
    wav(1, 44100, 16, 0);
    expect_failure(CHL_ERR_FORMAT, "has no samples");
    wav(1, 10, 16, 20);
    for (int i = 0; i < 10; i++) put_le(&file, 100, 2);
    expect_failure(CHL_ERR_FORMAT, "10 Hz");
    wav(1, 44100, 16, 2000);
    for (size_t size = 1; size < 44; size++) { /* headers cut anywhere */
        file.size = size;
        float *wave;
        int64_t samples;
        assert_int_equal(read_file(&wave, &samples), CHL_ERR_FORMAT);
        free(wave);
    }
    float *wave;
    int64_t samples;
    assert_int_equal(chl_sound_load("/nowhere/at/all.wav", &wave, &samples), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "/nowhere/at/all.wav"));
    assert_int_equal(chl_sound_load(CHLADNI_FIXTURES, &wave, &samples), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "folder"));
    assert_null(wave);
}

static void a_build_without_media_says_so(void **state) {
    (void)state;
    float *wave;
    int64_t samples;
    assert_int_equal(chl_sound_load("a.wav", &wave, &samples), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "CHLADNI_MEDIA"));
    assert_null(wave);
}

int main(void) {
    const struct CMUnitTest without[] = {cmocka_unit_test(a_build_without_media_says_so)};
    float *wave;
    int64_t samples;
    if (chl_sound_load(CHLADNI_FIXTURES "/sound/tone.flac", &wave, &samples) == CHL_ERR_UNSUPPORTED)
        return cmocka_run_group_tests(without, NULL, NULL);
    free(wave);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_container_gives_soxrs_samples),
        cmocka_unit_test(the_length_at_44100_is_rounded_up_for_any_rate),
        cmocka_unit_test(channels_are_averaged),
        cmocka_unit_test(extensible_24_bit_wave_is_read),
        cmocka_unit_test(rewinding_gives_the_same_samples),
        cmocka_unit_test(samples_that_are_no_numbers_are_placed),
        cmocka_unit_test(a_header_that_lies_costs_a_warning_or_an_error),
        cmocka_unit_test(what_is_no_sound_is_refused_by_name),
    };
    chl_log_to(keep_warning, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
