#include "harness/op_case.h"

DECLARE_REFERENCE(resize)

static int build_resize(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_resize_window(g, in[0], a->resize.filter, a->resize.out_h, a->resize.out_w,
                               a->resize.y, a->resize.x, a->resize.h, a->resize.w);
    return 1;
}

/* The shapes that make filters differ: down, up, a mix, and no change. */
#define RESIZE(label_, filter_, n, in_h, in_w, c, y_, x_, h_, w_, out_h_, out_w_)                  \
    {                                                                                              \
        .name = "resize", .label = label_, .build = build_resize, REFERENCE_OF(resize),            \
        .inputs = 1,                                                                               \
        .in = {{.desc = {CHL_F32, 4, {n, in_h, in_w, c}},                                          \
                .fill = FILL_NORMAL,                                                               \
                .gradient = true,                                                                  \
                .half = true}},                                                                    \
        .settings = &(const chl_attributes) {                                                      \
            .resize = {                                                                            \
                .filter = filter_,                                                                 \
                .out_h = out_h_,                                                                   \
                .out_w = out_w_,                                                                   \
                .y = y_,                                                                           \
                .x = x_,                                                                           \
                .h = h_,                                                                           \
                .w = w_                                                                            \
            }                                                                                      \
        }                                                                                          \
    }
#define EVERY_SHAPE(name, filter)                                                                  \
    RESIZE(name " down", filter, 2, 16, 20, 3, 0, 0, 16, 20, 7, 9),                                \
        RESIZE(name " up", filter, 1, 5, 7, 3, 0, 0, 5, 7, 13, 10),                                \
        RESIZE(name " up and down, many channels", filter, 1, 6, 12, 19, 0, 0, 6, 12, 11, 5),      \
        RESIZE(name " window", filter, 2, 15, 13, 3, 2, 3, 11, 9, 6, 5),                           \
        RESIZE(name " whole vectors", filter, 2, 9, 8, 16, 1, 0, 7, 8, 5, 11),                     \
        RESIZE(name " halved, one channel", filter, 1, 12, 8, 1, 0, 0, 12, 8, 6, 4),               \
        RESIZE(name " unchanged", filter, 1, 5, 4, 3, 0, 0, 5, 4, 5, 4),                           \
        RESIZE(name " one of everything", filter, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1)

static const op_case cases[] = {
    EVERY_SHAPE("nearest", CHL_FILTER_NEAREST),
    EVERY_SHAPE("bilinear", CHL_FILTER_BILINEAR),
    EVERY_SHAPE("bilinear by the ends", CHL_FILTER_BILINEAR_ENDS),
    EVERY_SHAPE("bicubic", CHL_FILTER_BICUBIC),
    EVERY_SHAPE("antialiased bicubic", CHL_FILTER_BICUBIC_PIL),
    EVERY_SHAPE("area", CHL_FILTER_AREA),
    EVERY_SHAPE("box", CHL_FILTER_BOX),
    RESIZE("box 32 to 28: CLIP's 256 to 224 in small", CHL_FILTER_BOX, 1, 32, 32, 3, 0, 0, 32, 32,
           28, 28),
    RESIZE("to one pixel", CHL_FILTER_BILINEAR_ENDS, 1, 9, 4, 2, 0, 0, 9, 4, 1, 1),
    RESIZE("from one pixel", CHL_FILTER_BICUBIC_PIL, 1, 1, 1, 3, 0, 0, 1, 1, 4, 5),
};
OP_CASES(resize, cases)
