/* Frames and a sound as a video: shell scripts play ffmpeg; the real one is tried where it is
 * installed. */
#include "played_ffmpeg.h"
#include <chladni.h>
#include <glob.h>
#include <pthread.h>
#include <time.h>

#define SOUND CHLADNI_FIXTURES "/sound/rain.wav"

static char frames[128], out[128];

static int make_frames(void **unused) {
    (void)unused;
    static float pixels[32 * 32 * 3];
    if (begin_playing() != 0) return -1;
    snprintf(frames, sizeof frames, "%s/it's frames", folder);
    snprintf(out, sizeof out, "%s/v.mp4", folder);
    if (mkdir(frames, 0777) != 0) return -1;
    for (int f = 0; f < 4; f++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%06d.png", frames, f);
        for (int i = 0; i < 32 * 32 * 3; i++) pixels[i] = sinf(0.01f * (float)(i * (f + 1)));
        MUST(chl_picture_write(path, 32, 32, pixels));
    }
    return 0;
}

static chl_video_options options(void) {
    return (chl_video_options){
        .size = sizeof(chl_video_options), .folder = frames, .frames = 4, .fps = 8, .sound = SOUND};
}

/* Its last argument is the file to write, with "file:" before it. */
#define LAST "for last; do :; done; made=${last#file:}\n"

static void a_video_appears_when_it_is_whole(void **state) {
    (void)state;
    const chl_video_options o = options();
    play("printf '%s\\n' \"$@\" > arguments\n" LAST
         "echo half > \"$made\"; ls > seen; echo whole > \"$made\"");
    MUST(chl_video_write(&o, out));
    assert_string_equal(text_of("v.mp4"), "whole\n");
    assert_null(strstr(text_of("seen"), "v.mp4\n"));
    assert_non_null(strstr(text_of("arguments"), "-framerate\n8\n-i\n%06d.png\n-i\nfile:" SOUND));
    assert_non_null(strstr(text_of("arguments"), "-t\n0.500000\n"));
    no_child_is_left();
}

static void *write_one(void *user) {
    const chl_video_options o = options();
    *(chl_status *)user = chl_video_write(&o, out);
    return NULL;
}

/* The second begins while the first is at work; whoever ends last has the name. */
static void two_at_once_disturb_no_one(void **state) {
    (void)state;
    pthread_t first;
    chl_status status[2] = {CHL_ERR_INTERNAL, CHL_ERR_INTERNAL};
    play(LAST "if mkdir first; then echo one > \"$made\"; n=0\n"
              "while [ ! -e second ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done\n"
              "[ \"$(cat \"$made\")\" = one ]\n"
              "else echo two > \"$made\"; : > second; sleep 0.3; fi");
    assert_int_equal(pthread_create(&first, NULL, write_one, &status[0]), 0);
    for (int i = 0; i < 200 && access(in_folder("first"), F_OK) != 0; i++) usleep(50000);
    (void)write_one(&status[1]);
    pthread_join(first, NULL);
    assert_int_equal(status[0], CHL_OK);
    assert_int_equal(status[1], CHL_OK);
    assert_int_equal(access(in_folder("second"), F_OK), 0);
}

static void a_pipe_gets_the_whole(void **state) {
    (void)state;
    const chl_video_options o = options();
    play(LAST "echo whole > \"$made\"");
    MUST(chl_video_write(&o, "/dev/null"));
}

static void a_name_from_here_is_found_from_the_frames(void **state) {
    (void)state;
    const chl_video_options o = options();
    char here[4096];
    play(LAST "echo whole > \"$made\"");
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    MUST(chl_video_write(&o, "-i here.mp4"));
    assert_int_equal(chdir(here), 0);
    assert_string_equal(text_of("-i here.mp4"), "whole\n");
}

static void expect(chl_status status, const char *text) {
    assert_string_equal(chl_error(), text);
    assert_int_equal(access(out, F_OK), -1);
    glob_t left;
    assert_int_equal(glob(in_folder("v.mp4*"), 0, NULL, &left), GLOB_NOMATCH);
    assert_true(status != CHL_OK);
    no_child_is_left();
}

static void a_failure_has_ffmpegs_last_line_and_leaves_nothing(void **state) {
    (void)state;
    const chl_video_options o = options();
    char text[512];
    unlink(out);
    play(LAST "echo half > \"$made\"; echo first >&2; echo 'no such encoder'; exit 3");
    snprintf(text, sizeof text,
             "%s: ffmpeg cannot join the frames in %s (exit code 3): no such encoder", out, frames);
    const chl_status status = chl_video_write(&o, out);
    assert_int_equal(status, CHL_ERR_IO);
    expect(status, text);
    play("kill -SEGV $$");
    assert_int_equal(chl_video_write(&o, out), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "(signal 11)"));
    play(NULL);
    assert_int_equal(chl_video_write(&o, out), CHL_ERR_UNSUPPORTED);
    assert_non_null(strstr(chl_error(), "cannot start ffmpeg"));
}

static int after_some(void *count) {
    return ++*(int *)count > 3;
}

static void a_video_that_is_stopped_ends_at_once(void **state) {
    (void)state;
    chl_video_options o = options();
    int asked = 0;
    char text[160];
    o.stop = after_some;
    o.user = &asked;
    play(LAST "echo half > \"$made\"; exec sleep 1000");
    const time_t before = time(NULL);
    const chl_status status = chl_video_write(&o, out);
    assert_int_equal(status, CHL_ERR_CANCELLED);
    snprintf(text, sizeof text, "%s: stopped", out);
    expect(status, text);
    assert_true(time(NULL) - before < 20 && asked == 4);
}

/* A shell runs it, whatever the names are. */
static void the_command_does_the_same(void **state) {
    (void)state;
    const chl_video_options o = options();
    char *command;
    play("printf '%s\\n' \"$@\" > arguments");
    MUST(chl_video_command(&o, out, &command));
    assert_int_equal(system(command), 0);
    chl_release(command);
    char text[256];
    snprintf(text, sizeof text, "-i\nfile:%s\n", SOUND);
    assert_non_null(strstr(text_of("arguments"), text));
    snprintf(text, sizeof text, "mp4\nfile:%s\n", out);
    assert_non_null(strstr(text_of("arguments"), text));
}

static void what_is_no_video_is_refused(void **state) {
    (void)state;
    chl_video_options o = options();
    o.frames = 0;
    assert_int_equal(chl_video_write(&o, out), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "frames must be >= 1, got 0");
    o = options();
    o.fps = NAN;
    assert_int_equal(chl_video_write(&o, out), CHL_ERR_ARGUMENT);
    o = options();
    o.folder = NULL;
    assert_int_equal(chl_video_write(&o, out), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "folder must not be NULL");
}

static void the_real_ffmpeg_joins_them(void **state) {
    (void)state;
    const chl_video_options o = options();
    setenv("PATH", real_path, 1);
    const chl_status status = chl_video_write(&o, out);
    if (status == CHL_ERR_UNSUPPORTED) {
        print_message("there is no ffmpeg here\n");
        return;
    }
    MUST(status);
    struct stat about;
    assert_int_equal(stat(out, &about), 0);
    assert_true(about.st_size > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_video_appears_when_it_is_whole),
        cmocka_unit_test(two_at_once_disturb_no_one),
        cmocka_unit_test(a_pipe_gets_the_whole),
        cmocka_unit_test(a_name_from_here_is_found_from_the_frames),
        cmocka_unit_test(a_failure_has_ffmpegs_last_line_and_leaves_nothing),
        cmocka_unit_test(a_video_that_is_stopped_ends_at_once),
        cmocka_unit_test(the_command_does_the_same),
        cmocka_unit_test(what_is_no_video_is_refused),
        cmocka_unit_test(the_real_ffmpeg_joins_them),
    };
    return cmocka_run_group_tests(tests, make_frames, end_playing);
}
