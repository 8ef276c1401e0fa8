/* Sounds are heard to their true end, whatever the header claims, wherever they come from; a read
 * that fails is an error and never a shorter sound. */
#include "io/sound_bytes.h"
#include "sound_warnings.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- pread as the linker's --wrap gives it to the library
 * ----------------------------------------- */
ssize_t __real_pread(int descriptor, void *to, size_t count, off_t at);
ssize_t __wrap_pread(int descriptor, void *to, size_t count, off_t at);
static off_t fails_at = -1; /* a read that reaches this byte fails with EIO */
static off_t ends_at = -1;  /* the file ends here, as if cut since it was opened */

ssize_t __wrap_pread(int descriptor, void *to, size_t count, off_t at) {
    const off_t stop = fails_at >= 0 ? fails_at : ends_at;
    if (stop >= 0 && at >= stop) {
        errno = EIO;
        return fails_at >= 0 ? -1 : 0;
    }
    if (stop >= 0 && at + (off_t)count > stop) count = (size_t)(stop - at);
    return __real_pread(descriptor, to, count, at);
}

/* --- a WAV, 16 bits, mono, 44 100 Hz
 * ---------------------------------------------------------------- */
static int16_t sample_at(int64_t i) {
    return (int16_t)(i * 2654435761u >> 16);
}

static void put_samples(int64_t count) {
    for (int64_t i = 0; i < count; i++) put_le(&file, (uint16_t)sample_at(i), 2);
}

static void wav(uint32_t riff, uint32_t data) {
    file.size = 0;
    put_text(&file, "RIFF");
    put_le(&file, riff, 4);
    put_text(&file, "WAVE");
    put_wav_format(&file);
    put_text(&file, "data");
    put_le(&file, data, 4);
}

static int64_t count_of_file(float **wave) {
    chl_sound *sound;
    int64_t samples;
    warning[0] = 0;
    MUST(chl_sound_open_memory(file.data, file.size, "file", &sound));
    MUST(chl_sound_load_opened(sound, wave, &samples));
    const int64_t claimed = chl_sound_samples(sound);
    chl_sound_close(sound);
    if (claimed != samples) print_message("claimed %lld\n", (long long)claimed);
    return samples;
}

static void expect_samples(int64_t count) {
    float *wave;
    assert_int_equal(count_of_file(&wave), count);
    for (int64_t i = 0; i < count; i++)
        if (wave[i] != (float)sample_at(i) / 32768) fail_msg("sample %lld", (long long)i);
    free(wave);
}

static void a_streamed_wav_is_read_to_its_end(void **state) {
    (void)state;
    static const uint32_t unknown[] = {0,          36,         0xffffffff, 0x7fffffff,
                                       0x80000000, 0x7ffff000, 0x7fffeffa}; /* the last two: SoX */
    enum { UNKNOWN = sizeof unknown / sizeof *unknown };
    for (size_t r = 0; r < UNKNOWN; r++)
        for (size_t d = 0; d < UNKNOWN; d++) {
            if (unknown[d] == 36) continue;
            wav(unknown[r], unknown[d]);
            put_samples(50000);
            expect_samples(50000);
            assert_string_equal(warning, "");
        }
    /* an honest 0: nothing but chunks follows */
    wav(36, 0);
    put_text(&file, "LIST");
    put_le(&file, 4, 4);
    put_text(&file, "INFO");
    chl_sound *sound;
    assert_int_equal(chl_sound_open_memory(file.data, file.size, "file", &sound), CHL_ERR_FORMAT);
    assert_non_null(strstr(chl_error(), "no samples"));
    /* a chunk behind the sound is no sound */
    wav(36 + 2000 + 12, 2000);
    put_samples(1000);
    put_text(&file, "LIST");
    put_le(&file, 4, 4);
    put_text(&file, "INFO");
    expect_samples(1000);
    assert_string_equal(warning, "");
    /* bytes that the header says nothing of */
    wav(36 + 2000, 2000);
    put_samples(1000 + 5000);
    expect_samples(1000);
    assert_non_null(strstr(warning, "10000 bytes behind them"));
}

/* --- containers that claim more than they have ------------------------------------------------ */
static void put_chunk(const char *name, uint32_t size, bool big) {
    put_text(&file, name);
    if (big)
        put_be(&file, size, 4);
    else
        put_le(&file, size, 4);
}

static void rf64(uint32_t data) {
    file.size = 0;
    put_chunk("RF64", 0xffffffff, false);
    put_text(&file, "WAVE");
    put_chunk("ds64", 28, false);
    for (int i = 0; i < 3; i++) {
        put_le(&file, i == 1 ? data : 1, 4);
        put_le(&file, 0, 4);
    }
    put_le(&file, 0, 4);
    put_wav_format(&file);
    put_chunk("data", 0xffffffff, false);
}

static void w64_chunk(const char *name, const char *rest, uint32_t content) {
    put_text(&file, name);
    put(&file, rest, 12);
    put_le(&file, content + 24, 4);
    put_le(&file, 0, 4);
}

static void w64(uint32_t data) {
    static const char riff[] = "\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0";
    static const char other[] = "\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a";
    file.size = 0;
    w64_chunk("riff", riff, data + 80);
    put_text(&file, "wave");
    put(&file, other, 12);
    w64_chunk("fmt ", other, 16);
    put_le(&file, 1, 2);
    put_le(&file, 1, 2);
    put_le(&file, 44100, 4);
    put_le(&file, 88200, 4);
    put_le(&file, 2, 2);
    put_le(&file, 16, 2);
    w64_chunk("data", other, data);
}

static void aifc(uint32_t data) {
    file.size = 0;
    put_chunk("FORM", data + 48, true);
    put_text(&file, "AIFC");
    put_chunk("COMM", 24, true);
    put_be(&file, 1, 2);
    put_be(&file, data / 2, 4);
    put_be(&file, 16, 2);
    put_be(&file, 0x400eac44, 4); /* 44100 in 80 bits */
    put_be(&file, 0, 4);
    put_be(&file, 0, 2);
    put_text(&file, "sowt"); /* little-endian */
    put_be(&file, 0, 2);     /* of a name */
    put_chunk("SSND", data + 8, true);
    put_be(&file, 0, 4);
    put_be(&file, 0, 4);
}

static void caf(uint32_t data) {
    file.size = 0;
    put_chunk("caff", 1 << 16, true);
    put_text(&file, "desc");
    put_be(&file, 0, 4);
    put_be(&file, 32, 4);
    put_be(&file, 0x40e58880, 4);
    put_be(&file, 0, 4);
    put_text(&file, "lpcm");
    put_be(&file, 2, 4);
    put_be(&file, 2, 4);
    put_be(&file, 1, 4);
    put_be(&file, 1, 4);
    put_be(&file, 16, 4);
    put_text(&file, "data");
    put_be(&file, 0, 4);
    put_be(&file, data + 4, 4);
    put_be(&file, 0, 4);
}

static void au(uint32_t data) {
    file.size = 0;
    put_text(&file, "dns.");
    put_le(&file, 24, 4);
    put_le(&file, data, 4);
    put_le(&file, 3, 4); /* 16 bits */
    put_le(&file, 44100, 4);
    put_le(&file, 1, 4);
}

static void streamed_rf64_and_caf_are_read_to_their_end(void **state) {
    (void)state;
    for (int unknown = -1; unknown <= 0; unknown++) {
        file.size = 0;
        put_text(&file, "RF64");
        put_le(&file, 0xffffffff, 4);
        put_text(&file, "WAVEds64");
        put_le(&file, 28, 4);
        for (int i = 0; i < 6; i++) put_le(&file, (uint32_t)unknown, 4);
        put_le(&file, 0, 4);
        put_wav_format(&file);
        put_text(&file, "data");
        put_le(&file, 0xffffffff, 4);
        put_samples(50000);
        expect_samples(50000);
    }
    caf(0);
    memset(file.data + file.size - 12, 0xff, 8); /* the size */
    put_samples(50000);
    expect_samples(50000);
}

static void plain_wav(uint32_t data) {
    wav(36 + data, data);
}

/* A header of chunks, or Sun's, whose sound claims 1000 bytes and has `there`. */
typedef struct magic {
    const char *first, *form, *data;
    bool big;
    int skipped; /* bytes of the chunk before the sound */
} magic;

static void claim_1000(const magic *m, int there) {
    file.size = 0;
    if (m->form) {
        put_chunk(m->first, 5000, m->big);
        put_text(&file, m->form);
        put_chunk("NOTE", 3, m->big);
        put(&file, "abc", 4); /* padded */
        put_chunk(m->data, 1000 + (uint32_t)m->skipped, m->big);
    } else { /* the header's length and the sound's */
        put_chunk(m->first, 24, m->big);
        put_chunk("", 1000, m->big);
        for (int i = 0; i < 3; i++) put_chunk("", 1, m->big);
    }
    for (int i = 0; i < m->skipped + there; i++) put(&file, "", 1);
}

static bool is_cut(int64_t *claimed, int64_t *there) {
    chl_sound_bytes b = {
        .file = {.descriptor = -1}, .memory = file.data, .size = (int64_t)file.size};
    return chl_sound_is_cut(&b, claimed, there);
}

static void expect_cut(const char *name, int64_t want) {
    int64_t claimed = 0, there = 0;
    const bool cut = is_cut(&claimed, &there);
    if (cut != (want < 1000) || claimed != 1000 || (cut && there != want))
        fail_msg("%s: cut %d, claims %d, has %d, expected %d of 1000", name, cut, (int)claimed,
                 (int)there, (int)want);
}

static void what_a_header_claims_is_read_of_every_magic(void **state) {
    (void)state;
    static const magic all[] = {
        {"RIFF", "WAVE", "data", false, 0}, {"RF64", "WAVE", "data", false, 0},
        {"BW64", "WAVE", "data", false, 0}, {"RIFX", "WAVE", "data", true, 0},
        {"FORM", "AIFF", "SSND", true, 8},  {"FORM", "AIFC", "SSND", true, 8},
        {"FORM", "8SVX", "BODY", true, 0},  {"FORM", "16SV", "BODY", true, 0},
        {".snd", NULL, NULL, true, 0},      {"dns.", NULL, NULL, false, 0},
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (int there = 600; there <= 1000; there += 400) {
            claim_1000(&all[k], there);
            expect_cut(all[k].form ? all[k].form : all[k].first, there);
        }
    static const struct {
        const char *magic;
        void (*write)(uint32_t data);
    } wide[] = {{"RF64", rf64}, {"BW64", rf64}, {"caff", caf}, {"riff", w64}}; /* 64 bits */
    for (size_t k = 0; k < sizeof wide / sizeof *wide; k++)
        for (int samples = 300; samples <= 500; samples += 200) {
            wide[k].write(1000);
            put_samples(samples);
            memcpy(file.data, wide[k].magic, 4);
            expect_cut(wide[k].magic, 2 * samples);
        }
}

static void zeros_are_no_chunks(void **state) {
    (void)state;
    int64_t claimed, there;
    wav(5000, 1000);
    assert_true(is_cut(&claimed, &there));
    const size_t data = file.size - 8;
    memset(file.data + 12, 0, 16);
    memcpy(file.data + 28, file.data + data, 8);
    file.size = 36;
    assert_false(is_cut(&claimed, &there));
}

static void a_cut_container_of_any_kind_costs_a_warning(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*write)(uint32_t data);
    } kinds[] = {{"WAV", plain_wav}, {"RF64", rf64}, {"W64", w64},
                 {"AIFC", aifc},     {"CAF", caf},   {"AU", au}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        print_message("%s\n", kinds[k].name);
        kinds[k].write(100000);
        put_samples(50000);
        expect_samples(50000);
        assert_string_equal(warning, "");
        kinds[k].write(100000);
        put_samples(30000);
        expect_samples(30000);
        assert_non_null(strstr(
            warning, "incomplete: the header claims 100000 bytes of sound, the file has 60000"));
    }
}

/* --- a FLAC whose last frames fit into what libFLAC reads ahead
 * ----------------------------------------- */
static unsigned crc_of(const uint8_t *at, size_t count, int bits, unsigned polynomial) {
    unsigned value = 0;
    for (size_t i = 0; i < count; i++) {
        value ^= (unsigned)at[i] << (bits - 8);
        for (int bit = 0; bit < 8; bit++)
            value = value << 1 ^ (value >> (bits - 1) & 1 ? polynomial : 0);
        value &= (1u << bits) - 1;
    }
    return value;
}

enum { FLAC_BLOCK = 192 };

/* Frames of 192 samples as they are. */
static void flac(int frames, int claimed) {
    file.size = 0;
    put_text(&file, "fLaC");
    put_be(&file, 0x80000022, 4); /* the last block: STREAMINFO */
    put_be(&file, FLAC_BLOCK, 2);
    put_be(&file, FLAC_BLOCK, 2);
    put_be(&file, 0, 3);
    put_be(&file, 0, 3);
    put_be(&file, 44100 << 4 | 0, 3); /* 20 bits of rate, 3 of channels - 1, 1 of bits - 1 */
    put_be(&file, 15 << 4, 1);
    put_be(&file, (uint32_t)claimed * FLAC_BLOCK, 4);
    for (int i = 0; i < 16; i++) put_be(&file, 0, 1); /* no checksum */
    for (int f = 0; f < frames; f++) {
        const size_t start = file.size;
        put_be(&file, 0xfff81908, 4);
        if (f < 128)
            put_be(&file, (uint32_t)f, 1);
        else
            put_be(&file, 0xc080 | (uint32_t)(f >> 6) << 8 | (f & 63), 2);
        put_be(&file, crc_of(file.data + start, file.size - start, 8, 0x07), 1);
        put_be(&file, 2, 1); /* verbatim */
        for (int i = 0; i < FLAC_BLOCK; i++)
            put_be(&file, (uint16_t)sample_at(f * FLAC_BLOCK + i), 2);
        put_be(&file, crc_of(file.data + start, file.size - start, 16, 0x8005), 2);
    }
}

static void a_large_flac_that_goes_on_a_little_is_read_on(void **state) {
    (void)state;
    flac(250, 250);
    assert_true(file.size > 65536);
    expect_samples(250 * FLAC_BLOCK);
    assert_string_equal(warning, "");
    static const int claims[] = {249, 240, 200, 1};
    for (int k = 0; k < 4; k++) {
        flac(250, claims[k]);
        expect_samples(250 * FLAC_BLOCK);
        assert_non_null(strstr(warning, "the header claims"));
    }
}

/* --- compressed files
 * ------------------------------------------------------------------------------ */
static void an_mp3_without_a_length_is_decoded_to_its_last_frame(void **state) {
    (void)state;
    load_bytes(&file, "sound/vbr-without-xing.mp3"); /* 91 frames of 576 at 16 kHz */
    float *wave, energy = 0;
    const int64_t samples = count_of_file(&wave);
    print_message("%lld samples\n", (long long)samples);
    assert_int_equal(samples, (int64_t)91 * 576 * 44100 / 16000 + 1);
    for (int64_t i = samples - 22050; i < samples - 4410; i++) energy += wave[i] * wave[i];
    assert_true(energy > 0.001f && energy < 0.1f); /* the tone's: 17640 * 0.001^2 / 2 */
    assert_string_equal(warning, "");
    free(wave);
}

static void twice(const char *name) {
    load_bytes(&file, name);
    memcpy(file.data + file.size, file.data, file.size);
    file.size *= 2;
}

static void concatenated_files_are_heard_to_the_end_of_the_last(void **state) {
    (void)state;
    float *one, *two;
    load_bytes(&file, "sound/tone.ogg");
    assert_int_equal(count_of_file(&one), 11025);
    twice("sound/tone.ogg");
    assert_int_equal(count_of_file(&two), 22050);
    for (int i = 100; i < 10900; i++) /* but for the resampler's ends */
        if (fabsf(one[i] - two[i]) > 1e-6f || fabsf(one[i] - two[11025 + i]) > 1e-6f)
            fail_msg("sample %d", i);
    free(one);
    free(two);
    static bytes
        whole; /* 16 kHz behind 48 kHz: the names of both, and no sound that is half wrong */
    load_bytes(&file, "sound/tone.mp3");
    whole.size = 0;
    put(&whole, file.data, file.size);
    load_bytes(&file, "sound/vbr-without-xing.mp3");
    put(&whole, file.data, file.size);
    chl_sound *sound;
    int64_t samples;
    MUST(chl_sound_open_memory(whole.data, whole.size, "mixed", &sound));
    assert_int_equal(chl_sound_load_opened(sound, &two, &samples), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "mixed: changes at second 0."));
    assert_non_null(strstr(chl_error(), "from 48000 Hz to 16000 Hz"));
    chl_sound_close(sound);
    twice("sound/tone.mp3");
    assert_true(count_of_file(&two) >= 22050);
    free(two);
}

static void a_flac_that_goes_on_behind_its_claim_is_read_on(void **state) {
    (void)state;
    float *all, *again;
    load_bytes(&file, "sound/tone.flac");
    const int64_t samples = count_of_file(&all);
    assert_int_equal(samples, 11025);
    memset(file.data + 22, 0, 4); /* unknown, as a stream has it */
    assert_int_equal(count_of_file(&again), samples);
    assert_memory_equal(all, again, sizeof(float) * 11025);
    free(again);
    load_bytes(&file, "sound/tone.flac");
    file.data[24] = 0x10; /* 0x10e0 = 4320 of its 12000 frames */
    file.data[25] = 0xe0;
    assert_int_equal(count_of_file(&again), samples);
    assert_memory_equal(all, again, sizeof(float) * 11025);
    assert_non_null(strstr(warning, "claims 0.09 s, the file has 0.25 s"));
    free(again);
    load_bytes(&file, "sound/tone.flac");
    memset(file.data + file.size, 'x', 100000); /* some tagger's */
    file.size += 100000;
    assert_int_equal(count_of_file(&again), samples);
    assert_memory_equal(all, again, sizeof(float) * 11025);
    assert_non_null(strstr(warning, "is ignored"));
    free(again);
    free(all);
}

/* A cut file is shorter, and the user is told. */
static void an_incomplete_file_costs_a_warning(void **state) {
    (void)state;
    static const char *const names[] = {"flac", "ogg", "mp3"};
    for (int k = 0; k < 3; k++) {
        char name[64];
        snprintf(name, sizeof name, "sound/tone.%s", names[k]);
        load_bytes(&file, name);
        file.size = file.size * 9 / 10;
        chl_sound *sound;
        float *wave;
        int64_t samples;
        warning[0] = 0;
        chl_status status = chl_sound_open_memory(file.data, file.size, "file", &sound);
        if (status == CHL_OK) {
            status = chl_sound_load_opened(sound, &wave, &samples);
            chl_sound_close(sound);
        }
        print_message("%s: %s\n", names[k], status == CHL_OK ? warning : chl_error());
        if (k > 0 && status != CHL_OK) continue; /* the decoder finds damage */
        assert_int_equal(status, CHL_OK);
        assert_true(samples < 11025 && samples > 0);
        assert_string_not_equal(warning, "");
        free(wave);
    }
}

/* Wherever the damage is: libsndfile reports some of it with an error, some by stopping. */
static void a_damaged_flac_is_an_error(void **state) {
    (void)state;
    for (int eighth = 2; eighth < 8; eighth++) {
        load_bytes(&file, "sound/tone.flac");
        file.data[file.size * eighth / 8] ^= 0x10;
        memset(file.data + file.size, 0, 200000); /* more than libFLAC reads ahead */
        file.size += 200000;
        chl_sound *sound;
        float *wave = NULL;
        int64_t samples;
        MUST(chl_sound_open_memory(file.data, file.size, "file", &sound));
        assert_int_equal(chl_sound_load_opened(sound, &wave, &samples), CHL_ERR_FORMAT);
        assert_non_null(strstr(chl_error(), "file: is damaged at second 0."));
        chl_sound_close(sound);
    }
}

/* --- files that fail -------------------------------------------------------------------------- */
static char path[] = "/tmp/chladni-sound-XXXXXX";

static void put_on_disk(void) {
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(file.data, 1, file.size, to), file.size);
    fclose(to);
}

static void expect_io_error(const char *text) {
    float *wave;
    int64_t samples;
    const chl_status status = chl_sound_load(path, &wave, &samples);
    if (status != CHL_ERR_IO || !strstr(chl_error(), text) || !strstr(chl_error(), path))
        fail_msg("status %d, not with '%s': %s", status, text, status ? chl_error() : "");
    assert_null(wave);
}

static void a_read_error_in_the_middle_is_an_error(void **state) {
    (void)state;
    static const char *const names[] = {"sound/tone.flac", "sound/tone.ogg", "sound/tone.mp3",
                                        "sound/rain.wav"};
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    for (int k = 0; k < 4; k++) {
        load_bytes(&file, names[k]);
        put_on_disk();
        float *wave;
        int64_t samples;
        MUST(chl_sound_load(path, &wave, &samples));
        free(wave);
        for (int part = 1; part <= 9; part++) {
            fails_at = (off_t)file.size * part / 10;
            expect_io_error("Input/output error");
            fails_at = -1;
            ends_at = (off_t)file.size * part / 10;
            expect_io_error("became shorter");
            ends_at = -1;
        }
    }
    unlink(path);
}

static void *write_into_pipe(void *unused) {
    (void)unused;
    put_on_disk();
    return NULL;
}

static void a_pipe_is_heard_as_a_file_is(void **state) {
    (void)state;
    wav(0xffffffff, 0xffffffff);
    put_samples(400000); /* more than a pipe's buffer */
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_into_pipe, NULL), 0);
    float *wave;
    int64_t samples;
    MUST(chl_sound_load(path, &wave, &samples));
    pthread_join(writer, NULL);
    assert_int_equal(samples, 400000);
    for (int64_t i = 0; i < samples; i++)
        if (wave[i] != (float)sample_at(i) / 32768) fail_msg("sample %lld", (long long)i);
    free(wave);
    unlink(path);
    assert_int_equal(chl_sound_load("/dev/null", &wave, &samples), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "device"));
}

int main(void) {
    float *wave;
    int64_t samples;
    if (chl_sound_load(CHLADNI_FIXTURES "/sound/tone.flac", &wave, &samples) == CHL_ERR_UNSUPPORTED)
        return 0; /* test_sound says so */
    free(wave);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_streamed_wav_is_read_to_its_end),
        cmocka_unit_test(streamed_rf64_and_caf_are_read_to_their_end),
        cmocka_unit_test(what_a_header_claims_is_read_of_every_magic),
        cmocka_unit_test(zeros_are_no_chunks),
        cmocka_unit_test(a_cut_container_of_any_kind_costs_a_warning),
        cmocka_unit_test(a_large_flac_that_goes_on_a_little_is_read_on),
        cmocka_unit_test(an_mp3_without_a_length_is_decoded_to_its_last_frame),
        cmocka_unit_test(concatenated_files_are_heard_to_the_end_of_the_last),
        cmocka_unit_test(a_flac_that_goes_on_behind_its_claim_is_read_on),
        cmocka_unit_test(an_incomplete_file_costs_a_warning),
        cmocka_unit_test(a_damaged_flac_is_an_error),
        cmocka_unit_test(a_read_error_in_the_middle_is_an_error),
        cmocka_unit_test(a_pipe_is_heard_as_a_file_is),
    };
    chl_log_to(keep_warning, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
