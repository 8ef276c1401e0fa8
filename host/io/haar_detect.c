#include "io/haar_detect.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- grey pictures ---------------------------------------------------------------------------- */
static chl_status new_grey(int height, int width, chl_grey *out) {
    *out = (chl_grey){height, width, calloc((size_t)height, (size_t)width)};
    return out->at ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a grey picture");
}

void chl_grey_free(chl_grey *grey) {
    free(grey->at);
    *grey = (chl_grey){0};
}

chl_status chl_grey_of(const chl_raster *picture, chl_grey *out) {
    CHL_TRY(new_grey(picture->height, picture->width, out));
    const int64_t pixels = (int64_t)picture->height * picture->width;
    for (int64_t i = 0; i < pixels; i++) {
        const uint8_t *p = picture->rgb + 3 * i;
        out->at[i] = (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
    }
    return CHL_OK;
}

static int within(int i, int n) {
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* Between the four pixels around; x, y count from the middle of the first pixel. */
static double sample(const chl_grey *g, double x, double y) {
    const double left = floor(x), top = floor(y), fx = x - left, fy = y - top;
    const int x0 = within((int)left, g->width), x1 = within((int)left + 1, g->width);
    const uint8_t *upper = g->at + (size_t)within((int)top, g->height) * (size_t)g->width;
    const uint8_t *lower = g->at + (size_t)within((int)top + 1, g->height) * (size_t)g->width;
    return (1 - fy) * ((1 - fx) * upper[x0] + fx * upper[x1]) +
           fy * ((1 - fx) * lower[x0] + fx * lower[x1]);
}

/* Means of by x by pixels; what is left over at the right and below is dropped. */
static chl_status shrink(const chl_grey *from, int by, chl_grey *out) {
    const int height = from->height / by, width = from->width / by;
    CHL_TRY(new_grey(height, width, out));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int sum = 0;
            for (int i = 0; i < by; i++)
                for (int k = 0; k < by; k++)
                    sum +=
                        from->at[(size_t)(y * by + i) * (size_t)from->width + (size_t)(x * by + k)];
            out->at[(size_t)y * (size_t)width + (size_t)x] =
                (uint8_t)((sum + by * by / 2) / (by * by));
        }
    return CHL_OK;
}

static chl_status sample_all(const chl_grey *from, const double box[4], int height, int width,
                             chl_grey *out) {
    const double dx = box[2] / width, dy = box[3] / height;
    CHL_TRY(new_grey(height, width, out));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            out->at[(size_t)y * (size_t)width + (size_t)x] =
                (uint8_t)(sample(from, box[0] + (x + 0.5) * dx - 0.5,
                                 box[1] + (y + 0.5) * dy - 0.5) +
                          0.5);
    return CHL_OK;
}

chl_status chl_grey_scale(const chl_grey *from, const double box[4], int height, int width,
                          chl_grey *out) {
    const double smaller = fmin(box[2] / width, box[3] / height);
    int by = smaller >= 2 ? (int)fmin(smaller, 64) : 1;
    if (by > from->width) by = from->width;
    if (by > from->height) by = from->height;
    chl_grey less;
    *out = (chl_grey){0};
    if (by == 1) return sample_all(from, box, height, width, out);
    const double part[4] = {box[0] / by, box[1] / by, box[2] / by, box[3] / by};
    CHL_TRY(shrink(from, by, &less));
    const chl_status status = sample_all(&less, part, height, width, out);
    chl_grey_free(&less);
    return status;
}

/* --- one size --------------------------------------------------------------------------------- */
typedef struct sums {
    int stride;   /* of a row, width + 1 */
    int32_t *sum; /* [height + 1][stride]: of all pixels above and to the left */
    int64_t *squares;
} sums;

static void add_up(const chl_grey *g, sums *s) {
    const size_t stride = (size_t)g->width + 1, count = ((size_t)g->height + 1) * stride;
    s->stride = (int)stride;
    memset(s->sum, 0, sizeof *s->sum * stride);
    memset(s->squares, 0, sizeof *s->squares * stride);
    for (size_t y = 1; y * stride < count; y++) {
        int32_t sum = 0;
        int64_t squares = 0;
        s->sum[y * stride] = 0;
        s->squares[y * stride] = 0;
        for (size_t x = 1; x < stride; x++) {
            const int32_t p = g->at[(y - 1) * (stride - 1) + x - 1];
            sum += p;
            squares += (int64_t)p * p;
            s->sum[y * stride + x] = s->sum[(y - 1) * stride + x] + sum;
            s->squares[y * stride + x] = s->squares[(y - 1) * stride + x] + squares;
        }
    }
}

#define OF_BOX(table, stride, x, y, w, h)                                                          \
    ((table)[(size_t)((y) * (stride) + (x))] - (table)[(size_t)((y) * (stride) + (x) + (w))] -     \
     (table)[(size_t)(((y) + (h)) * (stride) + (x))] +                                             \
     (table)[(size_t)(((y) + (h)) * (stride) + (x) + (w))])

/* 1 / (pixels * their standard deviation), within a border of one pixel; 0: the window is flat. */
static float normaliser(const chl_haar_cascade *c, const sums *s, int x, int y) {
    const int w = c->width - 2, h = c->height - 2;
    const double area = (double)w * h;
    const double sum = OF_BOX(s->sum, s->stride, x + 1, y + 1, w, h);
    const double squares = (double)OF_BOX(s->squares, s->stride, x + 1, y + 1, w, h);
    const double spread = area * squares - sum * sum;
    if (spread <= 0) return 0;
    const double factor = 1 / sqrt(spread);
    return area * factor < 0.1 ? (float)factor : 0;
}

static float value_of(const chl_haar_feature *f, const sums *s, int x, int y) {
    float value = 0;
    for (int i = 0; i < f->rects; i++) {
        const int *p = f->place[i];
        value += f->weight[i] * (float)OF_BOX(s->sum, s->stride, x + p[0], y + p[1], p[2], p[3]);
    }
    return value;
}

static float tree_value(const chl_haar_cascade *c, const chl_haar_tree *tree, const sums *s, int x,
                        int y, float factor) {
    int at = 0;
    do {
        const chl_haar_node *node = &c->node[tree->node + at];
        const float value = factor * value_of(&c->feature[node->feature], s, x, y);
        at = value < node->threshold ? node->left : node->right;
    } while (at > 0);
    return c->leaf[tree->leaf - at];
}

/* Stages that the window at x, y passes; -1: it is flat. */
static int passed(const chl_haar_cascade *c, const sums *s, int x, int y) {
    const float factor = normaliser(c, s, x, y);
    if (factor == 0) return -1;
    for (int i = 0; i < c->stages; i++) {
        const chl_haar_stage *stage = &c->stage[i];
        float sum = 0;
        for (int k = 0; k < stage->trees; k++)
            sum += tree_value(c, &c->tree[stage->tree + k], s, x, y, factor);
        if (sum < stage->threshold) return i;
    }
    return c->stages;
}

#define MAX_WINDOWS 30000 /* comparing all takes a second; a face has a hundred */

typedef struct windows {
    chl_haar_find *at;
    int count, room;
} windows;

static chl_status add_window(windows *w, chl_haar_find find) {
    if (w->count == MAX_WINDOWS)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "more than %d windows of a picture pass a cascade: it finds nothing",
                        MAX_WINDOWS);
    if (w->count == w->room) {
        const int room = w->room ? 2 * w->room : 64;
        chl_haar_find *more = realloc(w->at, sizeof *more * (size_t)room);
        if (!more) return chl_fail(CHL_ERR_MEMORY, "out of memory for windows of a picture");
        w->at = more;
        w->room = room;
    }
    w->at[w->count++] = find;
    return CHL_OK;
}

static chl_status look(const chl_haar_cascade *c, const chl_grey *g, const sums *s, double scale,
                       windows *w) {
    const int step = scale >= 2 ? 1 : 2;
    const double width = rint(c->width * scale), height = rint(c->height * scale);
    for (int y = 0; y + c->height <= g->height; y += step)
        for (int x = 0; x + c->width <= g->width; x += step) {
            const int stages = passed(c, s, x, y);
            if (stages == c->stages)
                CHL_TRY(add_window(
                    w, (chl_haar_find){rint(x * scale), rint(y * scale), width, height, 1}));
            if (stages == 0) x += step; /* far from passing: its neighbour is not asked */
        }
    return CHL_OK;
}

static chl_status look_at_scale(const chl_haar_cascade *c, const chl_grey *grey, double scale,
                                sums *s, windows *w) {
    chl_grey scaled;
    const int height = (int)rint(grey->height / scale), width = (int)rint(grey->width / scale);
    const double all[4] = {0, 0, grey->width, grey->height};
    if (scale == 1) {
        add_up(grey, s);
        return look(c, grey, s, scale, w);
    }
    CHL_TRY(sample_all(grey, all, height, width, &scaled)); /* as cascades were trained: no blur */
    add_up(&scaled, s);
    const chl_status status = look(c, &scaled, s, scale, w);
    chl_grey_free(&scaled);
    return status;
}

static chl_status look_at_all(const chl_haar_cascade *c, const chl_grey *grey,
                              const chl_haar_search *search, windows *w) {
    const size_t count = ((size_t)grey->height + 1) * ((size_t)grey->width + 1);
    sums s = {0, malloc(sizeof *s.sum * count), malloc(sizeof *s.squares * count)};
    const int most = search->most > 0 ? search->most : grey->width;
    chl_status status = CHL_OK;
    if (!s.sum || !s.squares)
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for the sums of a picture");
    for (double scale = 1; status == CHL_OK; scale *= search->factor) {
        const double width = rint(c->width * scale), height = rint(c->height * scale);
        if (width > most || width > grey->width || height > grey->height) break;
        if (width >= search->least) status = look_at_scale(c, grey, scale, &s, w);
    }
    free(s.sum);
    free(s.squares);
    return status;
}

/* --- finds ------------------------------------------------------------------------------------ */
#define ALIKE 0.2 /* edges that differ by less than this part of a side */

static bool are_alike(const chl_haar_find *a, const chl_haar_find *b) {
    const double most = ALIKE * (fmin(a->width, b->width) + fmin(a->height, b->height)) / 2;
    return fabs(a->x - b->x) <= most && fabs(a->y - b->y) <= most &&
           fabs(a->x + a->width - b->x - b->width) <= most &&
           fabs(a->y + a->height - b->y - b->height) <= most;
}

static int root_of(int *parent, int i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

/* Windows that are alike, in one or more steps, become their mean; w->count is that of the groups. */
static chl_status join(windows *w) {
    int *parent = malloc(sizeof *parent * (size_t)(w->count + 1));
    if (!parent) return chl_fail(CHL_ERR_MEMORY, "out of memory for windows of a picture");
    for (int i = 0; i < w->count; i++) {
        parent[i] = i;
        for (int k = 0; k < i; k++)
            if (are_alike(&w->at[i], &w->at[k])) parent[root_of(parent, k)] = root_of(parent, i);
    }
    for (int i = 0; i < w->count; i++) {
        const int root = root_of(parent, i);
        if (root == i) continue;
        chl_haar_find *to = &w->at[root];
        const chl_haar_find *from = &w->at[i];
        to->x += from->x;
        to->y += from->y;
        to->width += from->width;
        to->height += from->height;
        to->windows++;
    }
    int groups = 0;
    for (int i = 0; i < w->count; i++)
        if (parent[i] == i) {
            const chl_haar_find sum = w->at[i];
            const double n = sum.windows;
            w->at[groups++] =
                (chl_haar_find){sum.x / n, sum.y / n, sum.width / n, sum.height / n, sum.windows};
        }
    w->count = groups;
    free(parent);
    return CHL_OK;
}

/* Whether a find lies within a larger one of more windows. */
static bool is_part(const chl_haar_find *a, const chl_haar_find *b) {
    const double dx = ALIKE * b->width, dy = ALIKE * b->height;
    return a->x >= b->x - dx && a->y >= b->y - dy && a->x + a->width <= b->x + b->width + dx &&
           a->y + a->height <= b->y + b->height + dy &&
           (abs(b->windows) > (abs(a->windows) > 3 ? abs(a->windows) : 3) || abs(a->windows) < 3);
}

static void keep_whole(windows *w, int neighbours) {
    int kept = 0;
    for (int i = 0; i < w->count; i++)
        if (w->at[i].windows > neighbours) w->at[kept++] = w->at[i];
    w->count = kept;
    kept = 0;
    for (int i = 0; i < w->count; i++) {
        bool part = false;
        for (int k = 0; k < w->count && !part; k++) part = k != i && is_part(&w->at[i], &w->at[k]);
        if (part) w->at[i].windows *= -1; /* marks it */
    }
    for (int i = 0; i < w->count; i++)
        if (w->at[i].windows > 0) w->at[kept++] = w->at[i];
    w->count = kept;
}

chl_status chl_haar_detect(const chl_haar_cascade *cascade, const chl_grey *grey,
                           const chl_haar_search *search, chl_haar_find **finds, int *count) {
    windows w = {0};
    *finds = NULL;
    *count = 0;
    chl_status status = look_at_all(cascade, grey, search, &w);
    if (status == CHL_OK) status = join(&w);
    if (status != CHL_OK) {
        free(w.at);
        return status;
    }
    keep_whole(&w, search->neighbours);
    if (w.count == 0) {
        free(w.at);
        return CHL_OK;
    }
    *finds = w.at;
    *count = w.count;
    return CHL_OK;
}
