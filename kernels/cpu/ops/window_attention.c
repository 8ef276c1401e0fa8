/* Swin's (shifted) window attention [Liu et al. 2021, section 3.2]: qkv [N,H,W,3C], bias table
 * [(2w-1)^2, heads] -> y [N,H,W,C], lse [N,heads,H,W].
 *
 * Rolling, partitioning and rolling back are one table of pixel numbers per window: tokens are read
 * and written at their places in the map. One unit of work is (a share of the windows, one group of
 * heads): the gradient of the bias is summed per unit on the [T,T] scores and added into the table
 * at the end, in a fixed order that does not depend on the thread count. */
#include "cpu/lib/attention_head.h"
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include <math.h>
#include <omp.h>
#include <stdbool.h>

#define UNITS 64      /* minimum, where there are as many windows; enough for 64 threads */
#define GROUP_HEADS 4 /* heads of a unit: their numbers are adjacent in memory */

typedef struct geometry {
    int64_t batch, height, width, channels, heads, window, shift;
    int64_t tokens, keys;            /* T = window^2 and T padded to vectors */
    int64_t windows, shares, groups; /* of the whole batch; shares of them; groups of heads */
    int64_t head_floats;             /* workspace of one head */
    int64_t thread_floats; /* that, a [T,keys] tile, two times T pixel numbers, T regions */
} geometry;

static geometry measure(const chl_call *call, const chl_desc *qkv, int backward) {
    geometry g = {.batch = qkv->dim[0],
                  .height = qkv->dim[1],
                  .width = qkv->dim[2],
                  .channels = qkv->dim[3] / 3,
                  .heads = call->attr.attention.heads,
                  .window = call->attr.attention.window,
                  .shift = call->attr.attention.shift};
    g.tokens = g.window * g.window;
    g.keys = chl_padded(g.tokens);
    g.windows = g.batch * (g.height / g.window) * (g.width / g.window);
    g.groups = (g.heads + GROUP_HEADS - 1) / GROUP_HEADS;
    int64_t wanted = (UNITS + g.groups - 1) / g.groups;
    g.shares = g.windows < wanted ? g.windows : wanted;
    g.head_floats = chl_head_floats(g.tokens, g.channels / g.heads, backward);
    g.thread_floats = g.head_floats + g.tokens * g.keys + 5 * g.keys;
    return g;
}

/* For a query and the row ky of its window: the row of the bias table that belongs to the key at
 * column 0. The key at column kx has the row kx before it. */
static inline int64_t table_row(const geometry *g, int64_t query, int64_t ky) {
    int64_t y = query / g->window, x = query % g->window, side = 2 * g->window - 1;
    return (y - ky + g->window - 1) * side + x + g->window - 1;
}

/* bias [heads,T,keys]: the table expanded to the scores of a window */
static void spread_bias(const geometry *g, const float *table, float *bias) {
#pragma omp parallel for schedule(static)
    for (int64_t h = 0; h < g->heads; h++)
        for (int64_t i = 0; i < g->tokens; i++) {
            float *at = bias + (h * g->tokens + i) * g->keys;
            for (int64_t ky = 0; ky < g->window; ky++) {
                const float *from = table + table_row(g, i, ky) * g->heads + h;
                for (int64_t kx = 0; kx < g->window; kx++) *at++ = from[-kx * g->heads];
            }
            for (int64_t j = g->tokens; j < g->keys; j++) *at++ = CHL_MASKED;
        }
}

/* dtable[.][h] (+)= the sum of this head's shares of dbias [shares,T,keys], which is overwritten */
static void fold_bias(const geometry *g, float *dbias, int64_t h, float *dtable, int acc) {
    int64_t size = g->tokens * g->keys, rows = (2 * g->window - 1) * (2 * g->window - 1);
    for (int64_t s = 1; s < g->shares; s++)
        for (int64_t i = 0; i < size; i += CHL_LANES)
            chl_store(dbias + i, chl_load(dbias + i) + chl_load(dbias + s * size + i));
    for (int64_t r = 0; !acc && r < rows; r++) dtable[r * g->heads + h] = 0;
    for (int64_t i = 0; i < g->tokens; i++)
        for (int64_t ky = 0; ky < g->window; ky++) {
            float *to = dtable + table_row(g, i, ky) * g->heads + h;
            const float *from = dbias + i * g->keys + ky * g->window;
            for (int64_t kx = 0; kx < g->window; kx++) to[-kx * g->heads] += from[kx];
        }
}

/* The strip of the rolled map, of three, in which a place lies; only the last window has two. */
static inline int32_t strip(int64_t place, int64_t size, const geometry *g) {
    return place < size - g->window ? 0 : place < size - g->shift ? 1 : 2;
}

typedef struct thread_space {
    float *head, *start;
    int64_t *row[2]; /* [T] pixel of each token, of this window and of the next */
    int32_t *region; /* [keys] */
} thread_space;

static thread_space own_space(const geometry *g, float *threads) {
    float *memory = threads + omp_get_thread_num() * g->thread_floats;
    thread_space t = {.head = memory, .start = memory + g->head_floats};
    t.row[0] = (int64_t *)(t.start + g->tokens * g->keys);
    t.row[1] = t.row[0] + g->keys;
    t.region = (int32_t *)(t.row[1] + g->keys);
    return t;
}

static int64_t top_of(const geometry *g, int64_t window) {
    return window / (g->width / g->window) % (g->height / g->window) * g->window;
}
static int64_t left_of(const geometry *g, int64_t window) {
    return window % (g->width / g->window) * g->window;
}

/* row[t]: the pixel of the batch's map that is token t of a window of the rolled map */
static void lay_rows(const geometry *g, int64_t window, int64_t *row) {
    int64_t top = top_of(g, window), left = left_of(g, window);
    int64_t image = window / (g->windows / g->batch) * g->height;
    for (int64_t y = top + g->shift; y < top + g->shift + g->window; y++)
        for (int64_t x = left + g->shift; x < left + g->shift + g->window; x++)
            *row++ = (image + (y < g->height ? y : y - g->height)) * g->width +
                     (x < g->width ? x : x - g->width);
}

/* Does the window contain different regions of the map, joined by the roll? */
static bool mixed(const geometry *g, int64_t window) {
    return g->shift && (top_of(g, window) + g->window == g->height ||
                        left_of(g, window) + g->window == g->width);
}

static void lay_regions(const geometry *g, int64_t window, int32_t *region) {
    int64_t top = top_of(g, window), left = left_of(g, window);
    for (int64_t i = 0; i < g->keys; i++) region[i] = 0;
    for (int64_t y = top; y < top + g->window; y++)
        for (int64_t x = left; x < left + g->window; x++)
            *region++ = 3 * strip(y, g->height, g) + strip(x, g->width, g);
}

/* The numbers added to the scores of a mixed window: the bias, and -100 between regions (Swin's
 * number; not minus infinity). */
static const float *masked_bias(const geometry *g, const float *bias, const thread_space *t) {
    chl_ivec blocked = (chl_ivec)chl_splat(-100.0f);
    for (int64_t i = 0; i < g->tokens; i++)
        for (int64_t j = 0; j < g->keys; j += CHL_LANES) {
            chl_ivec apart = *(const chl_ivec *)(t->region + j) != t->region[i];
            int64_t at = i * g->keys + j;
            chl_store(t->start + at, chl_load(bias + at) + (chl_vec)(apart & blocked));
        }
    return t->start;
}

/* The windows and heads of one unit of work. */
typedef struct unit {
    int64_t share, window, last_window, head, last_head;
} unit;

static unit unit_of(const geometry *g, int64_t number) {
    int64_t share = number / g->groups, group = number % g->groups;
    return (unit){share, share * g->windows / g->shares, (share + 1) * g->windows / g->shares,
                  group * g->heads / g->groups, (group + 1) * g->heads / g->groups};
}

/* Calls `visit` for each window and head of a unit, with everything except data set in the head. */
typedef void visitor(const chl_call *call, const geometry *g, int64_t share, int64_t image,
                     int64_t h, const chl_head *head);

static void walk(const chl_call *call, const geometry *g, unit u, const float *qkv,
                 const float *bias, thread_space t, visitor *visit) {
    int64_t width = g->channels / g->heads, size = g->tokens * g->keys;
    chl_head head = {.tokens = g->tokens,
                     .width = width,
                     .channels = g->channels,
                     .scale = 1.0f / sqrtf((float)width),
                     .start_row = g->keys,
                     .workspace = t.head};
    lay_rows(g, u.window, t.row[0]);
    for (int64_t w = u.window; w < u.last_window; w++) {
        int64_t *row = t.row[(w - u.window) % 2], *next = t.row[(w - u.window + 1) % 2];
        if (w + 1 < u.last_window)
            lay_rows(g, w + 1, next);
        else
            next = NULL;
        if (mixed(g, w)) lay_regions(g, w, t.region);
        for (int64_t h = u.head; h < u.last_head; h++) {
            bool last = h + 1 == u.last_head;
            head.row = row;
            head.next_row = last ? next : row;
            head.next_offset = last ? (u.head - h) * width : width;
            head.qkv = qkv + h * width;
            head.start = bias + h * size;
            if (mixed(g, w)) head.start = masked_bias(g, head.start, &t);
            visit(call, g, u.share, w / (g->windows / g->batch), h, &head);
        }
    }
}

/* Tokens are numbered through the batch, log-sum-exps per image and head. */
static float *lse_of(const geometry *g, const float *lse, int64_t image, int64_t h) {
    return (float *)lse + (image * (g->heads - 1) + h) * g->height * g->width;
}

static void visit_forward(const chl_call *call, const geometry *g, int64_t share, int64_t image,
                          int64_t h, const chl_head *head) {
    (void)share;
    float *y = call->out[0], *lse = call->out[1];
    chl_head_forward(head, y ? y + h * head->width : NULL, chl_accumulates(call, 0),
                     lse ? lse_of(g, lse, image, h) : NULL, chl_accumulates(call, 1));
}

static chl_kernel_status forward(const chl_call *call) {
    geometry g = measure(call, &call->in_desc[0], 0);
    float *bias = call->workspace, *threads = bias + g.heads * g.tokens * g.keys;
    spread_bias(&g, call->in[1], bias);
#pragma omp parallel for schedule(dynamic) num_threads(chl_head_team())
    for (int64_t number = 0; number < g.shares * g.groups; number++)
        walk(call, &g, unit_of(&g, number), call->in[0], bias, own_space(&g, threads),
             visit_forward);
    return CHL_KERNEL_OK;
}

/* dbias [heads,shares,T,keys] is stored after the expanded bias */
static float *dbias_of(const chl_call *call, const geometry *g, int64_t share, int64_t h) {
    return (float *)call->workspace + (g->heads + h * g->shares + share) * g->tokens * g->keys;
}

static void visit_backward(const chl_call *call, const geometry *g, int64_t share, int64_t image,
                           int64_t h, const chl_head *head) {
    const float *dy = call->in[0];
    float *dqkv = call->out[0];
    chl_head_backward(head, dy + h * head->width, lse_of(g, call->in[4], image, h),
                      dqkv ? dqkv + h * head->width : NULL, chl_accumulates(call, 0),
                      call->out[1] ? dbias_of(call, g, share, h) : NULL);
}

static chl_kernel_status backward(const chl_call *call) {
    geometry g = measure(call, &call->in_desc[1], 1);
    int64_t size = g.tokens * g.keys;
    float *bias = call->workspace, *dtable = call->out[1];
    float *threads = bias + g.heads * (1 + g.shares) * size;
    spread_bias(&g, call->in[2], bias);
#pragma omp parallel for schedule(dynamic) num_threads(chl_head_team())
    for (int64_t number = 0; number < g.shares * g.groups; number++) {
        unit u = unit_of(&g, number);
        for (int64_t h = u.head; dtable && h < u.last_head; h++)
            memset(dbias_of(call, &g, u.share, h), 0, (size_t)size * sizeof(float));
        walk(call, &g, u, call->in[1], bias, own_space(&g, threads), visit_backward);
    }
    if (!dtable) return CHL_KERNEL_OK;
#pragma omp parallel for schedule(static)
    for (int64_t h = 0; h < g.heads; h++)
        fold_bias(&g, dbias_of(call, &g, 0, h), h, dtable, chl_accumulates(call, 1));
    return CHL_KERNEL_OK;
}

static size_t forward_workspace(const chl_call *call) {
    geometry g = measure(call, &call->in_desc[0], 0);
    return sizeof(float) *
           (size_t)(g.heads * g.tokens * g.keys + chl_head_threads() * g.thread_floats);
}
static size_t backward_workspace(const chl_call *call) {
    geometry g = measure(call, &call->in_desc[1], 1);
    return sizeof(float) * (size_t)(g.heads * (1 + g.shares) * g.tokens * g.keys +
                                    chl_head_threads() * g.thread_floats);
}

const chl_body chl_cpu_window_attention = {forward, forward_workspace, NULL};
const chl_body chl_cpu_window_attention_backward = {backward, backward_workspace, NULL};
