#include "conv_case.h"
#include "harness/op_case.h"

DECLARE_REFERENCE(conv)

static int build_conv(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const conv_case *a = c->settings;
    out[0] = chl_conv(g, in[0], in[1], in[2], a->stride, a->pad);
    return 1;
}

#define CONV(label_, n, h, w, i, o, kernel, stride_, pad_, bias)                                   \
    {                                                                                              \
        .name = "conv", .label = label_, .build = build_conv, REFERENCE_OF(conv),                  \
        .settings = &(const conv_case){stride_, pad_}, .half_tolerance = 0.03, .inputs = 3,        \
        .in = {                                                                                    \
            {.desc = {CHL_F32, 4, {n, h, w, i}},                                                   \
             .fill = FILL_NORMAL,                                                                  \
             .gradient = true,                                                                     \
             .half = true},                                                                        \
            {.desc = {CHL_F32, 4, {o, i, kernel, kernel}}, .fill = FILL_NORMAL, .gradient = true}, \
            {.desc = {CHL_F32, 1, {o}}, .fill = bias, .gradient = true},                           \
        }                                                                                          \
    }

static const op_case cases[] = {
    CONV("one of everything", 1, 1, 1, 1, 1, 1, 1, 0, FILL_NORMAL),
    CONV("1x1", 2, 5, 6, 16, 24, 1, 1, 0, FILL_NORMAL),
    CONV("1x1, every second pixel", 1, 7, 5, 9, 7, 1, 2, 0, FILL_ABSENT),
    CONV("3x3, few pixels, odd sizes", 2, 5, 3, 7, 5, 3, 1, 1, FILL_NORMAL),
    CONV("3x3, few channels", 1, 12, 11, 3, 20, 3, 1, 1, FILL_NORMAL),
    CONV("3x3, few channels, several bands", 1, 31, 29, 3, 5, 3, 1, 1, FILL_NORMAL),
    CONV("3x3, tiles, full vectors", 1, 16, 16, 16, 16, 3, 1, 1, FILL_NORMAL),
    CONV("3x3, tiles, odd sizes", 2, 15, 13, 17, 19, 3, 1, 1, FILL_ABSENT),
    CONV("3x3, tiles, no padding", 1, 22, 18, 16, 33, 3, 1, 0, FILL_NORMAL),
    CONV("3x3, tiles, wide padding", 1, 14, 13, 18, 16, 3, 1, 2, FILL_NORMAL),
    CONV("3x3, tiles, more than a block", 1, 48, 47, 16, 16, 3, 1, 1, FILL_NORMAL),
    CONV("3x3, tiles, a weight gradient shared by threads", 65, 3, 3, 104, 20, 3, 1, 1,
         FILL_ABSENT),
    CONV("3x3, stride 2", 2, 9, 8, 17, 33, 3, 2, 1, FILL_NORMAL),
    CONV("3x3, stride 2, no padding", 1, 10, 11, 6, 5, 3, 2, 0, FILL_ABSENT),
    CONV("7x7, stride 2, as ResNet begins", 1, 13, 15, 3, 20, 7, 2, 3, FILL_NORMAL),
    CONV("4x4 patches", 2, 8, 12, 3, 16, 4, 4, 0, FILL_NORMAL),
    CONV("patches that leave a rim, whole vectors", 1, 9, 11, 8, 8, 2, 2, 0, FILL_NORMAL),
    CONV("3x3, eights, stride 2", 2, 9, 8, 24, 16, 3, 2, 1, FILL_NORMAL),
    CONV("1x1, every second pixel, whole vectors", 2, 7, 6, 16, 8, 1, 2, 0, FILL_NORMAL),
    CONV("stride beyond the kernel", 1, 9, 10, 4, 6, 2, 3, 0, FILL_NORMAL),
    CONV("5x5, stride 3", 1, 11, 9, 4, 6, 5, 3, 2, FILL_ABSENT),
};
OP_CASES(conv, cases)
