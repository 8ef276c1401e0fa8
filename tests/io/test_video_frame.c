/* The picture in the middle of a video: scripts named ffmpeg play what it may answer, and the real one, where it is
 * installed, decodes a video that it made. */
#include "base/file_bytes.h"
#include "harness/parity.h"
#include "io/sound.h"
#include "io/video_frame.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/chladni-video-XXXXXX";
static char *real_path;

static int enter(void **state) {
    (void)state;
    real_path = strdup(getenv("PATH"));
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    uint8_t rgb[3 * 4 * 6];
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (uint8_t)(3 * i);
    MUST(chl_raster_write_png("frame.png", 4, 6, rgb));
    FILE *file = fopen("a.mp4", "wb"); /* an MP4 by its first bytes */
    fwrite("\0\0\0\x20"
           "ftypisom\0\0\0\0",
           1, 16, file);
    fclose(file);
    return 0;
}

static int leave(void **state) {
    (void)state;
    char command[128];
    setenv("PATH", real_path, 1);
    free(real_path);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* From here on `ffmpeg` is a script with these lines. NULL: there is none. */
static void play(const char *lines) {
    char path[4400];
    unlink("ffmpeg");
    if (lines) {
        FILE *script = fopen("ffmpeg", "w");
        fprintf(script, "#!/bin/sh\ncd '%s'\n%s\n", folder, lines);
        fclose(script);
        chmod("ffmpeg", 0755);
    }
    snprintf(path, sizeof path, lines ? "%s:/usr/bin:/bin" : "%s", folder);
    setenv("PATH", path, 1);
}

/* Asked for its length it says progress, asked for a picture it writes one; what it was asked is kept. */
#define FAIR                                                                                       \
    "echo \"$@\" >>asked\ncase \"$*\" in *progress*) printf 'out_time_us=100\\nout_time_us=%s\\n"  \
    "progress=end\\n';; *) cat frame.png;; esac"

static void the_frame_at_half_of_the_length_is_read(void **state) {
    (void)state;
    chl_raster frame;
    char script[512], asked[2048];
    snprintf(script, sizeof script, FAIR, "9000000");
    play(script);
    MUST(chl_video_frame_read("a.mp4", &frame));
    assert_true(frame.height == 4 && frame.width == 6 && frame.rgb[10] == 30);
    chl_raster_free(&frame);
    FILE *file = fopen("asked", "r");
    asked[fread(asked, 1, sizeof asked - 1, file)] = 0;
    fclose(file);
    assert_non_null(strstr(asked, "-ss 4.500 -f mov -i file:/dev/fd/3"));
    unlink("asked");
    snprintf(script, sizeof script, FAIR, "N/A"); /* no time: the first picture */
    play(script);
    MUST(chl_video_frame_read("a.mp4", &frame));
    chl_raster_free(&frame);
}

static void refused(const char *lines, const char *path, chl_status expected, const char *text) {
    chl_raster frame = {0};
    play(lines);
    assert_int_equal(chl_video_frame_read(path, &frame), expected);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), text);
}

static void what_gives_no_picture_says_why(void **state) {
    (void)state;
    refused(NULL, "a.mp4", CHL_ERR_UNSUPPORTED, "not in PATH: install it");
    refused("echo moov atom not found >&2; exit 1", "a.mp4", CHL_ERR_FORMAT,
            "a.mp4: ffmpeg cannot decode it (exit code 1): moov atom");
    refused("echo \"Stream map '0:v:0' matches no streams.\" >&2; echo to ignore this >&2; exit 1",
            "a.mp4", CHL_ERR_FORMAT, "a.mp4: has no picture track, expected one");
    refused("case \"$*\" in *progress*) echo progress=end;; esac", "a.mp4", CHL_ERR_FORMAT,
            "a.mp4: ffmpeg finds no picture in it");
    refused("echo no picture", "a.mp4", CHL_ERR_FORMAT, "a.mp4");
    refused("", "frame.png", CHL_ERR_FORMAT, "is no video of a kind that is read");
    refused("", "none.mp4", CHL_ERR_IO, "none.mp4");
}

/* Red, for a moment in the middle green, then blue; with a tone. */
static void the_real_ffmpeg_gives_the_middle(void **state) {
    (void)state;
    setenv("PATH", real_path, 1);
    if (system("ffmpeg -nostdin -loglevel error -f lavfi -i "
               "'color=red:s=48x32:r=10:d=1[a];color=lime:s=48x32:r=10:d=0.4[b];"
               "color=blue:s=48x32:r=10:d=1[c];[a][b][c]concat=n=3' -f lavfi -i sine=d=2.4 "
               "-c:v mpeg4 -q:v 2 -y b.mp4 2>err") != 0)
        skip(); /* there is no ffmpeg here, or one without lavfi */
    chl_raster frame;
    MUST(chl_video_frame_read("b.mp4", &frame));
    assert_true(frame.height == 32 && frame.width == 48);
    const uint8_t *p = frame.rgb + 3 * (16 * 48 + 24);
    if (!(p[1] > 200 && p[0] < 80 && p[2] < 80)) fail_msg("%d %d %d", p[0], p[1], p[2]);
    chl_raster_free(&frame);
    chl_file_bytes bytes;
    MUST(chl_file_bytes_read("b.mp4", &(chl_file_rules){.max_bytes = 1 << 20}, &bytes));
    MUST(chl_video_frame_read_memory(bytes.data, bytes.size, "in a shard", &frame));
    assert_true(frame.rgb[3 * (16 * 48 + 24) + 1] > 200);
    chl_raster_free(&frame);
    chl_file_bytes_free(&bytes);
    float *wave;
    int64_t samples;
    MUST(chl_sound_load("b.mp4", &wave, &samples)); /* its sound as well */
    assert_true(samples > 2.3 * 44100 && samples < 2.6 * 44100);
    free(wave);
}

int main(void) {
    float *wave;
    int64_t samples;
    if (chl_sound_load(CHLADNI_FIXTURES "/sound/tone.flac", &wave, &samples) == CHL_ERR_UNSUPPORTED)
        return 0; /* a build that reads no files of sounds; test_sound says so */
    free(wave);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frame_at_half_of_the_length_is_read),
        cmocka_unit_test(what_gives_no_picture_says_why),
        cmocka_unit_test(the_real_ffmpeg_gives_the_middle),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
