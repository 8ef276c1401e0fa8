/* The four fixed textures, finest first: a generator of 128 x 128 has the first two as noise maps
 * of its highest resolution and the others one resolution below, so those are smoother. All fine
 * detail of a painted picture is one of them times smooth shapes, which a generator's noise inputs
 * can express. */
#include "base/random.h"
#include "demo/world/canvas.h"
#include <pthread.h>
#include <stdlib.h>

#define PURPOSE_TEXTURE 0x7E47E001u
#define STREAKS 150
#define MIN_SIDE 32
#define MAX_SIDE 1024

/* Gradient noise [Perlin, "An image synthesizer", SIGGRAPH 1985] of `across` x `down` cells. */
static void add_noise(int side, int across, int down, uint64_t layer, float amount, bool ridged,
                      float *out) {
    float step = 1.0f / (float)side;
    for (int row = 0; row < side; row++) {
        float y = ((float)row + 0.5f) * step * (float)down;
        int cell_y = (int)y;
        float fy = y - (float)cell_y, sy = fy * fy * fy * (fy * (fy * 6 - 15) + 10);
        int last = -1;
        float gradient[4][2] = {{0}};
        for (int column = 0; column < side; column++) {
            float x = ((float)column + 0.5f) * step * (float)across;
            int cell_x = (int)x;
            if (cell_x != last)
                for (int corner = 0; corner < 4; corner++) {
                    uint64_t at = (uint64_t)(cell_y + corner / 2) * 4096 + cell_x + corner % 2;
                    chl_philox random = chl_random(0, PURPOSE_TEXTURE, layer, at);
                    float angle = 6.2831853f * chl_uniform(random.word[0]);
                    gradient[corner][0] = cosf(angle);
                    gradient[corner][1] = sinf(angle);
                }
            last = cell_x;
            float fx = x - (float)cell_x, sx = fx * fx * fx * (fx * (fx * 6 - 15) + 10);
            float value[4];
            for (int corner = 0; corner < 4; corner++) {
                int right = corner % 2, below = corner / 2;
                value[corner] = gradient[corner][0] * (fx - (float)right) +
                                gradient[corner][1] * (fy - (float)below);
            }
            float noise =
                chl_lerp(chl_lerp(value[0], value[1], sx), chl_lerp(value[2], value[3], sx), sy);
            out[row * side + column] += amount * (ridged ? 0.3f - fabsf(noise) : noise);
        }
    }
}

/* Slanted streaks, each with a rank: those above 1 - strength are visible. The rank falls towards a
 * streak's sides, so that a streak is thin at first and widens with the strength. */
static void draw_streaks(int side, float *rank) {
    const float length = 0.13f, slope = -0.28f, half = 0.0135f;
    chl_canvas canvas = {.side = side, .step = 1.0f / (float)side, .edge = 1.5f / (float)side};
    for (int s = 0; s < STREAKS; s++) {
        chl_philox random = chl_random(0, PURPOSE_TEXTURE, 100, (uint64_t)s);
        /* the R2 sequence [Roberts 2018]: evenly spread without a visible grid */
        float x = 1.3f * fmodf(0.5f + 0.75487767f * (float)s, 1);
        float y = 1.2f * fmodf(0.5f + 0.56984029f * (float)s, 1) - 0.15f;
        float own = 0.12f + 0.88f * chl_uniform(random.word[0]);
        float bx = x + slope * length, by = y + length;
        chl_box box = chl_box_of(&canvas, bx - half, y - half, x + half, by + half);
        CHL_EACH_PIXEL(&canvas, box) {
            float d = chl_from_segment(CHL_X(&canvas), CHL_Y(&canvas), x, y, bx, by) / half;
            rank[i] = fmaxf(rank[i], own * chl_unit(1.6f * (1 - d * d)));
        }
    }
}

static void standardise(int count, const float *in, float *out) {
    double sum = 0, square = 0;
    for (int i = 0; i < count; i++) sum += in[i];
    double mean = sum / count;
    for (int i = 0; i < count; i++) square += (in[i] - mean) * (in[i] - mean);
    double scale = 1 / sqrt(square / count);
    for (int i = 0; i < count; i++) out[i] = (float)((in[i] - mean) * scale);
}

typedef struct texture_set {
    struct texture_set *next;
    int side;
    float *rank, *texture[CHL_WORLD_TEXTURES];
} texture_set;

static texture_set *make_set(int side) {
    size_t plane = (size_t)side * side;
    texture_set *set = calloc(1, sizeof *set);
    float *memory = calloc(plane * (1 + CHL_WORLD_TEXTURES), sizeof *memory);
    if (!set || !memory) {
        free(set);
        free(memory);
        return NULL;
    }
    set->side = side;
    set->rank = memory;
    for (int t = 0; t < CHL_WORLD_TEXTURES; t++) set->texture[t] = memory + (t + 1) * plane;
    draw_streaks(side, set->rank);
    for (int octave = 0; octave < 4; octave++) {
        int fine = 1 << octave;
        float less = powf(0.55f, (float)octave);
        add_noise(side, 4 * fine, 4 * fine, octave, less, false, set->texture[CHL_TEXTURE_CLOUD]);
        if (octave == 3) break;
        add_noise(side, 2 * fine, 7 * fine, 10 + octave, less, false,
                  set->texture[CHL_TEXTURE_DRIFT]);
        add_noise(side, 6 * fine, 3 * fine, 20 + octave, less, true,
                  set->texture[CHL_TEXTURE_FLAME]);
    }
    int count = side * side;
    standardise(count, set->rank, set->texture[CHL_TEXTURE_STREAKS]);
    for (int t = 1; t < CHL_WORLD_TEXTURES; t++)
        standardise(count, set->texture[t], set->texture[t]);
    return set;
}

/* Made once per side and kept: every picture needs them, and a process uses few sides. */
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static texture_set *cache;

chl_status chl_textures_of(int side, const float *texture[CHL_WORLD_TEXTURES], const float **rank) {
    if (side < MIN_SIDE || side > MAX_SIDE)
        return chl_fail(CHL_ERR_ARGUMENT, "side must be %d to %d pixels, got %d", MIN_SIDE,
                        MAX_SIDE, side);
    pthread_mutex_lock(&cache_lock);
    texture_set *set = cache;
    while (set && set->side != side) set = set->next;
    if (!set && (set = make_set(side))) {
        set->next = cache;
        cache = set;
    }
    pthread_mutex_unlock(&cache_lock);
    if (!set) return chl_fail(CHL_ERR_MEMORY, "out of memory for textures of %d pixels", side);
    for (int t = 0; t < CHL_WORLD_TEXTURES; t++) texture[t] = set->texture[t];
    *rank = set->rank;
    return CHL_OK;
}

chl_status chl_world_textures(int side, float *textures) {
    const float *texture[CHL_WORLD_TEXTURES], *rank;
    CHL_TRY(chl_textures_of(side, texture, &rank));
    size_t plane = (size_t)side * side;
    for (int t = 0; t < CHL_WORLD_TEXTURES; t++)
        for (size_t i = 0; i < plane; i++) textures[t * plane + i] = texture[t][i];
    return CHL_OK;
}
