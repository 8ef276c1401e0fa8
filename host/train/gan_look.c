#include "train/gan_look.h"
#include "base/numpy_random.h"
#include "io/picture.h"
#include "models/registry.h"
#include "train/feature_distance.h"
#include "train/stand_in.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SHEET 6 /* rows and columns of a sheet */
#define GAP 2
#define PICTURES 2000 /* of each set whose distance is measured; as many seeds */
#define AT_ONCE 16    /* embeddings in one run */

/* --- the generator's pictures ----------------------------------------------------------------- */
typedef struct painter {
    chl_graph *g;
    chl_net net;
    chl_tensor z, label, picture;
    int z_dim, classes, side;
    float *codes, *labels, *pixels; /* of one picture */
} painter;

static chl_status begin(chl_trainer *t, const chl_gan_network *network, int classes,
                        chl_params *model, painter *p) {
    const int side = network->resolution;
    *p = (painter){.z_dim = network->z_dim, .classes = classes, .side = side};
    p->labels = calloc((size_t)classes + 1, sizeof *p->labels);
    p->codes = malloc((size_t)p->z_dim * sizeof *p->codes);
    p->pixels = malloc(3 * (size_t)side * (size_t)side * sizeof *p->pixels);
    if (!p->codes || !p->labels || !p->pixels)
        return chl_fail(CHL_ERR_MEMORY, "training gan: out of memory for pictures");
    CHL_TRY(chl_graph_new(t->device, &p->g));
    p->net = (chl_net){.graph = p->g, .params = model, .kind = CHL_FROZEN};
    p->z = chl_input(p->g, "z", chl_f32(2, 1, p->z_dim));
    if (classes > 0) p->label = chl_input(p->g, "label", chl_f32(2, 1, classes));
    const chl_tensor w = chl_gan_map(&p->net, network, p->z, p->label);
    const chl_tensor codes = chl_gan_rows(p->g, network, w);
    p->picture = chl_keep(p->g, chl_gan_synthesize(&p->net, network, codes, NULL, NULL));
    return chl_compile(p->g);
}

static void end(painter *p) {
    chl_net_done(&p->net);
    chl_graph_free(p->g);
    free(p->codes);
    free(p->labels);
    free(p->pixels);
}

static chl_status paint(const painter *p, uint32_t seed, float *pixels) {
    chl_numpy_normals(seed, p->z_dim, p->codes);
    CHL_TRY(chl_write(p->g, p->z, p->codes));
    for (int k = 0; k < p->classes; k++) p->labels[k] = k == (int)(seed % (uint32_t)p->classes);
    if (p->classes > 0) CHL_TRY(chl_write(p->g, p->label, p->labels));
    CHL_TRY(chl_run(p->g, CHL_FIRST_SEGMENT));
    return chl_read(p->g, p->picture, pixels);
}

/* --- the sheet -------------------------------------------------------------------------------- */
static chl_status fill_sheet(const painter *p, float *pixels, const float **picture) {
    for (int i = 0; i < SHEET * SHEET; i++) {
        float *own = pixels + 3 * (int64_t)i * p->side * p->side;
        CHL_TRY(paint(p, (uint32_t)i, own));
        picture[i] = own;
    }
    return CHL_OK;
}

static chl_status write_sheet(const chl_trainer *t, const painter *p, int64_t step) {
    const float *picture[SHEET * SHEET];
    char *path = NULL;
    float *pixels = malloc(SHEET * SHEET * 3 * (size_t)p->side * (size_t)p->side * sizeof *pixels);
    chl_status status = CHL_OK;
    if (!chl_raster_can_write()) {
        free(pixels);
        return CHL_OK;
    }
    if (!pixels || asprintf(&path, "%s/fakes-%06" PRId64 ".png", t->options->out, step) < 0)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "training gan: out of memory for a sheet"));
    CHL_TRY_GOTO(fill_sheet(p, pixels, picture));
    CHL_TRY_GOTO(chl_raster_write_grid(path, SHEET, SHEET, p->side, p->side, GAP, picture));
done:
    free(pixels);
    free(path);
    return status;
}

/* --- distances -------------------------------------------------------------------------------- */
void chl_gan_measure_free(chl_gan_measure *measure) {
    chl_clip_close(measure->clip);
    free(measure->real);
    *measure = (chl_gan_measure){0};
}

static chl_status next_fake(void *user, int64_t index, int *height, int *width,
                            const float **pixels) {
    const painter *p = user;
    *height = *width = p->side;
    *pixels = p->pixels;
    return paint(p, (uint32_t)index, p->pixels);
}

typedef struct reader {
    chl_dataset *data;
    uint64_t seed;
    int side;
    float *pixels;
} reader;

static chl_status next_real(void *user, int64_t index, int *height, int *width,
                            const float **pixels) {
    const reader *r = user;
    const uint8_t *bytes;
    int64_t sample = chl_dataset_spread(r->data->count, index);
    chl_dataset_next_batch(r->data);
    CHL_TRY(chl_stand_in_picture(r->data, r->seed, -1, index, r->side, &sample, &bytes));
    chl_raster_to_float(3 * (int64_t)r->side * r->side, bytes, r->pixels);
    *height = *width = r->side;
    *pixels = r->pixels;
    return CHL_OK;
}

/* [count][embed]; the caller frees *out */
static chl_status embed(const chl_gan_measure *m,
                        chl_status (*get)(void *, int64_t, int *, int *, const float **),
                        void *user, float **out) {
    const chl_pictures pictures = {m->count, get, user};
    *out = malloc((size_t)(m->count * m->clip->config.embed) * sizeof **out);
    if (!*out) return chl_fail(CHL_ERR_MEMORY, "training gan: out of memory for embeddings");
    return chl_clip_embed_pictures(m->clip, AT_ONCE, &pictures, *out);
}

chl_status chl_gan_measure_start(chl_trainer *t, int side, chl_gan_measure *m) {
    const chl_model_place place = {.device = t->device, .precision = CHL_F32};
    const chl_clip_settings settings = {0};
    if (!t->options->clip || t->rank > 0) return CHL_OK;
    CHL_TRY(chl_clip_open(&place, t->options->clip, NULL, &settings, &m->clip));
    CHL_TRY(chl_clip_need_pictures(m->clip, "training gan: FID"));
    m->count = t->data->count < PICTURES ? t->data->count : PICTURES;
    if (m->count < 2) return CHL_OK;
    reader r = {t->data, t->options->seed, side,
                malloc(3 * (size_t)side * (size_t)side * sizeof *r.pixels)};
    const chl_status status =
        r.pixels ? embed(m, next_real, &r, &m->real)
                 : chl_fail(CHL_ERR_MEMORY, "training gan: out of memory for pictures");
    free(r.pixels);
    return status;
}

static chl_status measure(chl_trainer *t, painter *p, const chl_gan_measure *m, int64_t step) {
    float *fake = NULL;
    double fid;
    const int d = m->clip->config.embed;
    chl_status status = embed(m, next_fake, p, &fake);
    if (status == CHL_OK) status = chl_frechet_distance(m->count, fake, m->count, m->real, d, &fid);
    if (status == CHL_OK)
        chl_trainer_note(
            t, "step %" PRId64 ": FID %.4f, KID %.3e, of %" PRId64 " pictures' CLIP embeddings",
            step, fid, chl_kernel_distance(m->count, fake, m->count, m->real, d), m->count);
    free(fake);
    return status;
}

chl_status chl_gan_look(chl_trainer *t, const chl_gan_network *network, int classes,
                        const chl_gan_measure *m, int64_t step, chl_params *model) {
    painter p;
    chl_status status = begin(t, network, classes, model, &p);
    if (status == CHL_OK) status = write_sheet(t, &p, step);
    if (status == CHL_OK && m->count > 1) status = measure(t, &p, m, step);
    end(&p);
    return status;
}
