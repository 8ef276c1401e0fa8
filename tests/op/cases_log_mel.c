#include "harness/op_case.h"

DECLARE_REFERENCE(log_mel)

static int build_log_mel(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    out[0] = chl_log_mel(g, in[0], c->settings);
    return 1;
}

#define SETTINGS(name, fft_, hop_, bands_, reflect_, absolute_, floor_)                            \
    static const chl_mel_settings name = {.rate = 44100,                                           \
                                          .fft = fft_,                                             \
                                          .hop = hop_,                                             \
                                          .bands = bands_,                                         \
                                          .reflect = reflect_,                                     \
                                          .absolute = absolute_,                                   \
                                          .floor_db = floor_,                                      \
                                          .min_power = 1e-10f}
SETTINGS(compatible, 256, 64, 20, true, false, 80);
SETTINGS(absolute, 256, 64, 20, false, true, 80);
SETTINGS(raw, 128, 32, 9, false, true, 0);
SETTINGS(shallow, 64, 7, 5, false, false, 20);
SETTINGS(smallest, 16, 3, 1, true, false, 80);
SETTINGS(longest, 2048, 512, 128, true, false, 80);
SETTINGS(block_wide, 1024, 256, 100, true, false, 80);
SETTINGS(speech, 400, 160, 30, true, false, 80);
SETTINGS(prime, 101, 37, 11, false, true, 80);
SETTINGS(two, 2, 1, 1, true, false, 80);
SETTINGS(very_long, 16384, 4096, 20, false, false, 80);
SETTINGS(many_bands, 2048, 512, 300, false, false, 80);
SETTINGS(long_absolute, 2048, 301, 150, false, true, 80);

#define CASE(label_, settings_, clips, samples)                                                    \
    {                                                                                              \
        .name = "log_mel", .label = label_, .build = build_log_mel, REFERENCE_OF(log_mel),         \
        .inputs = 1, .in = {{.desc = {CHL_F32, 2, {clips, samples}}, .fill = FILL_NORMAL}},        \
        .settings = &settings_                                                                     \
    }

static const op_case cases[] = {
    CASE("own maximum, reflected ends", compatible, 3, 2500),
    CASE("full-scale reference, zero ends", absolute, 2, 1303),
    CASE("raw decibels", raw, 2, 1201),
    CASE("floor reached, odd hop", shallow, 2, 509),
    CASE("reflection bounces", compatible, 1, 17),
    CASE("one sample", compatible, 1, 1),
    CASE("one of everything", smallest, 1, 1),
    CASE("the paper's sizes", longest, 1, 2600),
    CASE("1024 samples", block_wide, 1, 1300),
    CASE("as many samples as a speech model's", speech, 2, 1700),
    CASE("a prime number of samples", prime, 2, 700),
    CASE("two samples", two, 1, 40),
    CASE("2048 samples at odd places, zero ends", long_absolute, 2, 4701),
    CASE("2048 samples, too many bands for a warp a frame", many_bands, 1, 400),
    CASE("16384 samples, too many for 99 KB", very_long, 1, 300),
};
OP_CASES(log_mel, cases)
