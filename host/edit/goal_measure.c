/* What an edit keeps of its source, and how strong it is. */
#include "base/free.h"
#include "edit/goal_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *floats(int64_t count) {
    return malloc(sizeof(float) * (size_t)count);
}

static double dot(int64_t count, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* root mean square over the rows */
static double distance(const chl_goal_meter *m, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < m->code; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / m->engine->generator->sizes.rows);
}

static chl_status get_picture(void *user, int64_t index, int *height, int *width,
                              const float **pixels) {
    const chl_goal_meter *m = user;
    *height = *width = (int)m->side;
    *pixels = m->pixels + 3 * index * m->side * m->side;
    return CHL_OK;
}

/* codes [count <= batch] -> pixels, seen */
static chl_status look(chl_goal_meter *m, int count, const float *w) {
    const chl_pictures pictures = {.count = count, .get = get_picture, .user = m};
    CHL_TRY(chl_generator_render_each(m->engine->generator, count, w, m->pixels));
    return chl_clip_embed_pictures(m->engine->clip, m->batch, &pictures, m->seen);
}

static chl_status recognise(chl_goal_meter *m, int index, float *identity) {
    return chl_face_embed(m->engine->face, (int)m->side, (int)m->side,
                          m->pixels + 3 * index * m->side * m->side, identity);
}

static chl_status see_sources(chl_goal_meter *m, int n) {
    const int64_t pixels = 3 * m->side * m->side;
    for (int i = 0; i < n && (m->view || m->identity || m->picture); i++) {
        CHL_TRY(look(m, 1, m->source + i * m->code));
        if (m->picture) memcpy(m->picture + i * pixels, m->pixels, sizeof(float) * (size_t)pixels);
        for (int64_t k = 0; m->view && k < m->embed; k++) m->view[i * m->embed + k] = m->seen[k];
        if (m->identity) CHL_TRY(recognise(m, 0, m->identity + i * m->face));
    }
    return CHL_OK;
}

chl_status chl_goal_meter_open(chl_engine *engine, chl_kept keep, const float *region, int n,
                               int batch, const float *source, const float *target,
                               chl_goal_meter *out) {
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    chl_goal_meter *m = out;
    *m = (chl_goal_meter){.engine = engine,
                          .keep = keep,
                          .batch = batch,
                          .code = (int64_t)sizes->rows * sizes->latent,
                          .side = sizes->picture,
                          .embed = engine->clip->config.embed,
                          .face = engine->face ? engine->face->config.embed : 0,
                          .region = region,
                          .source = source,
                          .target = target};
    m->pixels = floats(3 * batch * m->side * m->side);
    m->seen = floats(batch * m->embed);
    m->who = floats(m->face + 1);
    if (keep == CHL_KEEP_CLIP) m->view = floats(n * m->embed);
    if (keep == CHL_KEEP_IDENTITY) m->identity = floats(n * m->face);
    if (keep == CHL_KEEP_OUTSIDE) m->picture = floats(3 * n * m->side * m->side);
    if (!m->pixels || !m->seen || !m->who || (keep == CHL_KEEP_CLIP && !m->view) ||
        (keep == CHL_KEEP_IDENTITY && !m->identity) || (keep == CHL_KEEP_OUTSIDE && !m->picture))
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %d pictures", batch);
    return see_sources(m, n);
}

void chl_goal_meter_free(chl_goal_meter *m) {
    CHL_FREE(m->view, m->picture, m->identity, m->pixels, m->seen, m->who);
}

static chl_status measure_one(chl_goal_meter *m, int index, int edit, const float *w, float *kept) {
    const float *seen = m->seen + index * m->embed;
    switch (m->keep) {
    case CHL_KEEP_CLIP:
        *kept = (float)(1 - dot(m->embed, seen, m->view + edit * m->embed));
        return CHL_OK;
    case CHL_KEEP_IDENTITY:
        CHL_TRY(recognise(m, index, m->who));
        *kept = (float)dot(m->face, m->who, m->identity + edit * m->face);
        return CHL_OK;
    case CHL_KEEP_OUTSIDE:
        *kept =
            chl_region_change(m->region, (int)m->side, m->pixels + 3 * index * m->side * m->side,
                              m->picture + 3 * edit * m->side * m->side);
        return CHL_OK;
    default:
        *kept = (float)distance(m, w, m->source + edit * m->code);
        return CHL_OK;
    }
}

chl_status chl_goal_measure(chl_goal_meter *m, int count, const int *edit, const float *w,
                            float *kept, float *cosine) {
    for (int first = 0; first < count; first += m->batch) {
        const int some = count - first < m->batch ? count - first : m->batch;
        CHL_TRY(look(m, some, w + first * m->code));
        for (int i = 0; i < some; i++) {
            const int at = first + i;
            CHL_TRY(measure_one(m, i, edit[at], w + at * m->code, kept + at));
            cosine[at] =
                (float)dot(m->embed, m->seen + i * m->embed, m->target + edit[at] * m->embed);
        }
    }
    return CHL_OK;
}
