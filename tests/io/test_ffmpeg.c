/* Sounds that are decoded by the program ffmpeg: shell scripts of that name play every way in which
 * it may behave; the real one is tried where it is installed. */
#include "bytes.h"
#include "io/ffmpeg.h"
#include "io/sound.h"
#include "played_ffmpeg.h"
#include <pthread.h>
#include <signal.h>

static char warning[1024];

static void keep_warning(void *user, chl_log_level level, const char *line) {
    (void)user;
    if (level == CHL_LOG_WARN) snprintf(warning, sizeof warning, "%s", line);
}

/* A WAV of 2000 samples at 44 100 Hz with the sizes that ffmpeg writes to a pipe; an m4a's first
 * bytes. */
static int make_files(void **unused) {
    (void)unused;
    static bytes b;
    if (begin_playing() != 0) return -1;
    put_text(&b, "RIFF");
    put_le(&b, 0xffffffff, 4);
    put_text(&b, "WAVE");
    put_wav_format(&b);
    put_text(&b, "data");
    put_le(&b, 0xffffffff, 4);
    for (int i = 0; i < 2000; i++) put_le(&b, (uint32_t)i, 2);
    FILE *file = fopen(in_folder("wav"), "wb");
    fwrite(b.data, 1, b.size, file);
    fclose(file);
    file = fopen(in_folder("a.m4a"), "wb");
    fwrite("\0\0\0\x20"
           "ftypM4A and more",
           1, 20, file);
    fclose(file);
    return 0;
}

static void expect_failure(const char *lines, chl_status expected, const char *text) {
    play(lines);
    float *wave;
    int64_t samples;
    const chl_status status = chl_sound_load(in_folder("a.m4a"), &wave, &samples);
    if (status != expected || !strstr(chl_error(), text) || !strstr(chl_error(), "a.m4a"))
        fail_msg("status %d, not %d with '%s': %s", status, expected, text, chl_error());
    no_child_is_left();
}

static void expect_sound(const char *path) {
    float *wave;
    int64_t samples;
    MUST(chl_sound_load(path, &wave, &samples));
    assert_int_equal(samples, 2000);
    for (int i = 0; i < 2000; i++) assert_true(wave[i] == (float)i / 32768);
    free(wave);
}

static void what_ffmpeg_writes_is_heard(void **state) {
    (void)state;
    play("cat wav");
    expect_sound(in_folder("a.m4a"));
    no_child_is_left();
    float *wave; /* from memory, where no file is */
    int64_t samples;
    chl_sound *sound;
    play("cat /dev/fd/3 > seen; cat wav");
    MUST(chl_sound_open_memory("\0\0\0\x20"
                               "ftypM4A in memory",
                               21, "memory", &sound));
    MUST(chl_sound_load_opened(sound, &wave, &samples));
    chl_sound_close(sound);
    assert_int_equal(samples, 2000);
    free(wave);
    assert_memory_equal(text_of("seen"),
                        "\0\0\0\x20"
                        "ftypM4A in memory",
                        21);
    warning[0] = 0;
    play("echo 'first line' >&2; echo 'it breaks off' >&2; cat wav");
    expect_sound(in_folder("a.m4a"));
    assert_non_null(strstr(warning, "a.m4a: ffmpeg says: it breaks off"));
}

/* The child has four descriptors, no signal blocked or ignored, a group of its own, and a name for
 * the file that means nothing to ffmpeg. */
static void the_child_gets_what_it_needs_and_nothing_else(void **state) {
    (void)state;
    const char *name = "-i http:evil.m4a";
    char path[256];
    snprintf(path, sizeof path, "%s", in_folder(name));
    link(in_folder("a.m4a"), path);
    sigset_t blocked, before;
    sigfillset(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    setenv("FFREPORT", "file=report", 1);
    play("echo \"$@\" > arguments; grep -E 'SigBlk|SigIgn' /proc/self/status > signals\n"
         "ls -l /proc/self/fd > descriptors; "
         "readlink /proc/$$/fd/0 > input; env > environment\n"
         "cmp -s /dev/fd/3 a.m4a && echo same > file; ps -o pgid= -p $$ > group; echo $$ >> group\n"
         "cat wav");
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    expect_sound(name);
    assert_int_equal(chdir(here), 0);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    unsetenv("FFREPORT");
    assert_null(strstr(text_of("arguments"), "evil"));
    assert_non_null(
        strstr(text_of("arguments"), "-protocol_whitelist file,pipe -f mov -i file:/dev/fd/3"));
    unsigned long long stopped = 1, ignored = 1;
    assert_int_equal(sscanf(text_of("signals"), "SigBlk: %llx SigIgn: %llx", &stopped, &ignored),
                     2);
    print_message("blocked %llx, ignored %llx\n", stopped, ignored);
    assert_true(stopped == 0 && (ignored & 1ull << (SIGPIPE - 1)) == 0);
    assert_string_equal(text_of("input"), "/dev/null\n");
    assert_string_equal(text_of("file"), "same\n");
    assert_null(strstr(text_of("environment"), "FFREPORT"));
    int descriptor, group, process;
    FILE *list = fopen(in_folder("descriptors"), "r");
    char line[1024]; /* ...  0 -> /dev/null; the last is the list itself */
    while (fgets(line, sizeof line, list)) {
        const char *arrow = strstr(line, " -> ");
        while (arrow && arrow > line && arrow[-1] != ' ') arrow--;
        if (!arrow || sscanf(arrow, "%d", &descriptor) != 1 || descriptor < 4) continue;
        if (!strstr(arrow, "/proc/")) fail_msg("descriptor %s is open", arrow);
    }
    fclose(list);
    if (sscanf(text_of("group"), "%d %d", &group, &process) == 2) assert_int_equal(group, process);
}

#define BYTES(literal) literal, sizeof literal - 1

/* What libsndfile reads, or would read if it were whole, is never given to ffmpeg. */
static void only_what_libsndfile_does_not_know_goes_to_ffmpeg(void **state) {
    (void)state;
    static bytes b;
    const struct {
        const char *start;
        size_t size;
        bool goes;
    } cases[] = {
        {BYTES("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x61\1\1\0\x44\xac\0\0\0\0\0\0\1\0\x10\0"),
         true}, /* WMA */
        {BYTES("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac"), false},
        {BYTES("OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x50Speex   "), true},
        {BYTES("OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x1e\001vorbis "), false},
        {BYTES("fLaC and nothing else"), false},
        {BYTES("This is a text, not a sound."), false},
        {BYTES("FORM and a text"), false},
        {BYTES("\xff\xf1\x50\x80 ADTS"), true},
        {BYTES("\x1a\x45\xdf\xa3 and Matroska"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        play("touch ran; cat wav");
        unlink(in_folder("ran"));
        b.size = 0;
        put(&b, cases[i].start, cases[i].size);
        while (b.size < 64) put_le(&b, 0, 1);
        chl_sound *sound;
        const chl_status status = chl_sound_open_memory(b.data, b.size, "a", &sound);
        if ((status == CHL_OK) != cases[i].goes ||
            (access(in_folder("ran"), F_OK) == 0) != cases[i].goes)
            fail_msg("case %zu: status %d, %s", i, status, status ? chl_error() : "");
        chl_sound_close(sound);
    }
}

static void every_failure_of_ffmpeg_is_an_error_with_its_text(void **state) {
    (void)state;
    expect_failure("echo 'first line' >&2; echo 'file:/dev/fd/3: Invalid data' >&2; exit 3",
                   CHL_ERR_FORMAT, "cannot decode it (exit code 3): Invalid data");
    expect_failure("cat wav; exit 1", CHL_ERR_FORMAT, "exit code 1");
    expect_failure("exit 0", CHL_ERR_FORMAT, "finds no sound");
    expect_failure("kill -SEGV $$", CHL_ERR_IO, "signal 11");
    expect_failure("echo no sound", CHL_ERR_FORMAT, "what ffmpeg made of it cannot be read");
    expect_failure(
        "i=0; while [ $i -lt 20000 ]; do echo 'a long text of many lines' >&2; i=$((i+1)); done\n"
        "echo 'the last' >&2; exit 1",
        CHL_ERR_FORMAT, "the last");
    expect_failure(NULL, CHL_ERR_UNSUPPORTED, "not in PATH: install it");
}

static chl_status decode_with(int64_t max_bytes, int wait_ms) {
    const chl_ffmpeg_job job = {
        .name = "a.m4a", .kind = "mov", .max_bytes = max_bytes, .wait_ms = wait_ms};
    const chl_sound_bytes input = {
        .file.descriptor = -1, .memory = (const uint8_t *)"ftyp", .size = 4};
    chl_file_bytes out;
    bool missing;
    const chl_status status = chl_ffmpeg_decode(&job, &input, &missing, &out);
    assert_false(missing);
    assert_true((status == CHL_OK) == (out.data != NULL));
    chl_file_bytes_free(&out);
    no_child_is_left();
    return status;
}

static void an_ffmpeg_that_hangs_or_never_ends_is_ended(void **state) {
    (void)state;
    play("exec sleep 1000");
    assert_int_equal(decode_with(1 << 20, 200), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "nothing came from ffmpeg for 0.2 s"));
    play("exec cat /dev/zero");
    assert_int_equal(decode_with(3000000, 10000), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "more than 3000000 bytes"));
    play("cat wav");
    assert_int_equal(decode_with(4044, 10000), CHL_OK);
    assert_int_equal(decode_with(4043, 10000), CHL_ERR_UNSUPPORTED);
}

static void *hear(void *failures) {
    char path[256];
    snprintf(path, sizeof path, "%s/a.m4a", folder);
    for (int i = 0; i < 5; i++) {
        float *wave;
        int64_t samples;
        if (chl_sound_load(path, &wave, &samples) != CHL_OK || samples != 2000)
            __atomic_add_fetch((int *)failures, 1, __ATOMIC_RELAXED);
        free(wave);
    }
    return NULL;
}

static void threads_may_decode_at_once(void **state) {
    (void)state;
    pthread_t thread[6];
    int failures = 0;
    play("cat wav");
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hear, &failures), 0);
    for (int i = 0; i < 6; i++) pthread_join(thread[i], NULL);
    assert_int_equal(failures, 0);
    no_child_is_left();
}

static void the_real_ffmpeg_decodes_an_m4a(void **state) {
    (void)state;
    setenv("PATH", real_path, 1);
    float *expected = parity_array("sound/tone", 11025), *wave;
    int64_t samples;
    const chl_status status = chl_sound_load(CHLADNI_FIXTURES "/sound/tone.m4a", &wave, &samples);
    if (status == CHL_ERR_UNSUPPORTED) {
        print_message("there is no ffmpeg here\n");
    } else {
        MUST(status);
        double best = 1e30, size = 0; /* AAC begins with up to 2048 samples of its own */
        for (int64_t i = 2000; i < 8000; i++) size += pow(expected[i], 2);
        for (int64_t shift = 0; shift < 2100; shift++) {
            double difference = 0;
            for (int64_t i = 2000; i < 8000 && i + shift < samples; i++)
                difference += pow(wave[i + shift] - expected[i], 2);
            best = fmin(best, difference);
        }
        print_message("%lld samples, relative difference %.3f\n", (long long)samples,
                      sqrt(best / size));
        assert_true(samples >= 11025 && samples < 13200 && best < 0.01 * size);
        free(wave);
    }
    free(expected);
}

int main(void) {
    float *wave;
    int64_t samples;
    if (chl_sound_load(CHLADNI_FIXTURES "/sound/tone.flac", &wave, &samples) == CHL_ERR_UNSUPPORTED)
        return 0; /* test_sound says so */
    free(wave);
    chl_log_to(keep_warning, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ffmpeg_writes_is_heard),
        cmocka_unit_test(the_child_gets_what_it_needs_and_nothing_else),
        cmocka_unit_test(only_what_libsndfile_does_not_know_goes_to_ffmpeg),
        cmocka_unit_test(every_failure_of_ffmpeg_is_an_error_with_its_text),
        cmocka_unit_test(an_ffmpeg_that_hangs_or_never_ends_is_ended),
        cmocka_unit_test(threads_may_decode_at_once),
        cmocka_unit_test(the_real_ffmpeg_decodes_an_m4a),
    };
    return cmocka_run_group_tests(tests, make_files, end_playing);
}
