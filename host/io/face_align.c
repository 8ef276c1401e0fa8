#include "io/face_align.h"
#include "io/raster_filter.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct quad {
    double corner[4][2]; /* top left, bottom left, bottom right, top right of the square */
    double side;
} quad;

static chl_status no_memory(void) {
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a photo");
}

/* --- where the square lies -------------------------------------------------------------------- */
static quad quad_of(const chl_face_place *p) {
    double eyes[2], across[2], down[2], x[2], y[2], centre[2];
    quad q;
    for (int i = 0; i < 2; i++) {
        eyes[i] = (p->left_eye[i] + p->right_eye[i]) / 2;
        across[i] = p->right_eye[i] - p->left_eye[i];
        down[i] = (p->left_mouth[i] + p->right_mouth[i]) / 2 - eyes[i];
        centre[i] = eyes[i] + 0.1 * down[i];
    }
    x[0] =
        across[0] + down[1]; /* both say where "right" is: the eyes, and a quarter turn of "down" */
    x[1] = across[1] - down[0];
    const double length =
        fmax(2 * hypot(across[0], across[1]), 1.8 * hypot(down[0], down[1])) / hypot(x[0], x[1]);
    for (int i = 0; i < 2; i++) x[i] *= length;
    y[0] = -x[1];
    y[1] = x[0];
    for (int i = 0; i < 2; i++) {
        q.corner[0][i] = centre[i] - x[i] - y[i];
        q.corner[1][i] = centre[i] - x[i] + y[i];
        q.corner[2][i] = centre[i] + x[i] + y[i];
        q.corner[3][i] = centre[i] + x[i] - y[i];
    }
    q.side = 2 * hypot(x[0], x[1]);
    return q;
}

/* The box around it: left, top, right, bottom, whole pixels. */
static void box_of(const quad *q, double box[4]) {
    for (int i = 0; i < 2; i++) {
        box[i] = box[2 + i] = q->corner[0][i];
        for (int k = 1; k < 4; k++) {
            box[i] = fmin(box[i], q->corner[k][i]);
            box[2 + i] = fmax(box[2 + i], q->corner[k][i]);
        }
        box[i] = floor(box[i]);
        box[2 + i] = ceil(box[2 + i]);
    }
}

static void move(quad *q, double dx, double dy) {
    for (int k = 0; k < 4; k++) {
        q->corner[k][0] += dx;
        q->corner[k][1] += dy;
    }
}

/* Eyes and mouth that run against each other, or both against what lies below the eyes: a mirrored
 * face. Of one in profile the eyes nearly meet and may lie either way. */
static bool is_swapped(const chl_face_place *p) {
    double across[2], mouth[2], down[2];
    for (int i = 0; i < 2; i++) {
        across[i] = p->right_eye[i] - p->left_eye[i];
        mouth[i] = p->right_mouth[i] - p->left_mouth[i];
        down[i] = (p->left_mouth[i] + p->right_mouth[i] - p->left_eye[i] - p->right_eye[i]) / 2;
    }
    const double eyes = hypot(across[0], across[1]), height = hypot(down[0], down[1]);
    const double turned = across[0] * down[1] - across[1] * down[0];
    return across[0] * mouth[0] + across[1] * mouth[1] < 0 ||
           (eyes > height / 4 && turned < -0.5 * eyes * height);
}

static chl_status check(const chl_raster *photo, const chl_face_place *place, const quad *q,
                        int size) {
    double box[4];
    if (size < 16 || size > CHL_FACE_SIDE || CHL_FACE_SIDE % size != 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "size must be 16, 32, 64, ..., 1024, 2048 or 4096, got %d", size);
    if (!isfinite(q->side) || !(q->side >= 8))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "the points of the face lie too close to each other: expected two eyes and "
                        "two corners of a mouth, in pixels");
    if (is_swapped(place))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "left and right of the eyes or of the mouth are swapped: expected first, "
                        "of both, what is left when the face stands upright");
    box_of(q, box);
    if (box[0] > -q->side && box[1] > -q->side && box[2] < photo->width + q->side &&
        box[3] < photo->height + q->side && q->side < 4.0 * (photo->width + photo->height))
        return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "the points of the face lie outside of the photo, which has %d x %d pixels",
                    photo->width, photo->height);
}

/* --- what is needed of the photo --------------------------------------------------------------- */
/* A large photo of a large face is made smaller first. */
static chl_status shrink(chl_raster *photo, quad *q, int size) {
    const int by = (int)floor(q->side / size * 0.5);
    chl_raster smaller;
    if (by <= 1) return CHL_OK;
    CHL_TRY(chl_raster_lanczos(photo, (int)rint((double)photo->height / by),
                               (int)rint((double)photo->width / by), &smaller));
    chl_raster_free(photo);
    *photo = smaller;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 2; i++) q->corner[k][i] /= by;
    q->side /= by;
    return CHL_OK;
}

static double border_of(const quad *q) {
    return fmax(rint(0.1 * q->side), 3);
}

static chl_status crop(chl_raster *photo, quad *q) {
    const double border = border_of(q);
    double box[4];
    box_of(q, box);
    const int left = (int)fmax(box[0] - border, 0), top = (int)fmax(box[1] - border, 0);
    const int right = (int)fmin(box[2] + border, photo->width);
    const int bottom = (int)fmin(box[3] + border, photo->height);
    if (right <= left || bottom <= top)
        return chl_fail(CHL_ERR_ARGUMENT, "the face lies outside of the photo");
    const size_t row = 3 * (size_t)(right - left);
    for (int y = top; y < bottom;
         y++) /* rows move to the front, none over one that is still read */
        memmove(photo->rgb + row * (size_t)(y - top),
                photo->rgb + 3 * ((size_t)y * (size_t)photo->width + (size_t)left), row);
    photo->width = right - left;
    photo->height = bottom - top;
    move(q, -left, -top);
    return CHL_OK;
}

/* --- beyond the photo's edges ------------------------------------------------------------------ */
/* ... c b | a b c ... x y z | y x ... */
static int reflected(int i, int n) {
    const int period = 2 * (n - 1);
    if (n == 1) return 0;
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

typedef struct padded {
    int height, width;
    double pad[4]; /* left, top, right, bottom */
} padded;

/* 1 at the outer edge, 0 or less where the photo is. */
static double outside(const padded *p, int x, int y) {
    const double across = 1 - fmin(x / p->pad[0], (p->width - 1 - x) / p->pad[2]);
    const double down = 1 - fmin(y / p->pad[1], (p->height - 1 - y) / p->pad[3]);
    return fmax(across, down);
}

/* pixels and blurred [height][width][3] */
static chl_status fade(const padded *p, float *pixels, const float *blurred) {
    const int64_t count = (int64_t)p->height * p->width;
    float median[3];
    for (int64_t i = 0; i < count; i++) {
        const double far = outside(p, (int)(i % p->width), (int)(i / p->width));
        const float share = (float)fmin(fmax(3 * far + 1, 0), 1);
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] += (blurred[3 * i + c] - pixels[3 * i + c]) * share;
    }
    for (int c = 0; c < 3; c++) CHL_TRY(chl_channel_median(count, pixels, c, &median[c]));
    for (int64_t i = 0; i < count; i++) {
        const double far = outside(p, (int)(i % p->width), (int)(i / p->width));
        const float share = (float)fmin(fmax(far, 0), 1);
        for (int c = 0; c < 3; c++) pixels[3 * i + c] += (median[c] - pixels[3 * i + c]) * share;
    }
    return CHL_OK;
}

static chl_status pad_by(chl_raster *photo, const padded *p, double sigma) {
    const int64_t count = (int64_t)p->height * p->width;
    float *pixels = calloc(3 * (size_t)count, sizeof *pixels),
          *blurred = calloc(3 * (size_t)count, sizeof *blurred);
    uint8_t *rgb = malloc(3 * (size_t)count);
    chl_status status = pixels && blurred && rgb ? CHL_OK : no_memory();
    for (int y = 0; y < p->height && status == CHL_OK; y++)
        for (int x = 0; x < p->width; x++)
            for (int c = 0; c < 3; c++)
                pixels[3 * ((int64_t)y * p->width + x) + c] =
                    photo->rgb[3 * ((size_t)reflected(y - (int)p->pad[1], photo->height) *
                                        (size_t)photo->width +
                                    (size_t)reflected(x - (int)p->pad[0], photo->width)) +
                               (size_t)c];
    if (status == CHL_OK) memcpy(blurred, pixels, sizeof *pixels * 3 * (size_t)count);
    if (status == CHL_OK) status = chl_blur(p->height, p->width, sigma, blurred);
    if (status == CHL_OK) status = fade(p, pixels, blurred);
    if (status == CHL_OK) {
        for (int64_t i = 0; i < 3 * count; i++)
            rgb[i] = (uint8_t)fminf(fmaxf(rintf(pixels[i]), 0), 255);
        free(photo->rgb);
        *photo = (chl_raster){p->height, p->width, rgb};
        rgb = NULL;
    }
    free(pixels);
    free(blurred);
    free(rgb);
    return status;
}

static chl_status pad(chl_raster *photo, quad *q) {
    const double border = border_of(q), size[2] = {photo->width, photo->height};
    double box[4], most = 0;
    padded p = {photo->height, photo->width, {0}};
    box_of(q, box);
    for (int i = 0; i < 2; i++) {
        p.pad[i] = fmax(border - box[i], 0);
        p.pad[2 + i] = fmax(box[2 + i] - size[i] + border, 0);
        most = fmax(most, fmax(p.pad[i], p.pad[2 + i]));
    }
    if (most <= border - 4) return CHL_OK;
    for (int i = 0; i < 4; i++) p.pad[i] = fmax(p.pad[i], rint(0.3 * q->side));
    p.width += (int)(p.pad[0] + p.pad[2]);
    p.height += (int)(p.pad[1] + p.pad[3]);
    if ((int64_t)p.width * p.height > CHL_RASTER_MAX_PIXELS)
        return chl_fail(CHL_ERR_ARGUMENT, "the face is too large for its photo");
    CHL_TRY(pad_by(photo, &p, 0.02 * q->side));
    move(q, p.pad[0], p.pad[1]);
    return CHL_OK;
}

/* --- sampling ---------------------------------------------------------------------------------- */
static const uint8_t *pixel(const chl_raster *from, int x, int y) {
    x = x < 0 ? 0 : x >= from->width ? from->width - 1 : x;
    y = y < 0 ? 0 : y >= from->height ? from->height - 1 : y;
    return from->rgb + 3 * ((size_t)y * (size_t)from->width + (size_t)x);
}

/* Rounded down, as PIL does. Beyond the photo: black. */
static void sample(const chl_raster *from, double x, double y, uint8_t out[3]) {
    memset(out, 0, 3);
    if (!(x >= 0 && y >= 0 && x < from->width && y < from->height)) return;
    x -= 0.5;
    y -= 0.5;
    const int x0 = (int)floor(x), y0 = (int)floor(y);
    const double dx = x - x0, dy = y - y0;
    const uint8_t *p[4] = {pixel(from, x0, y0), pixel(from, x0 + 1, y0), pixel(from, x0, y0 + 1),
                           pixel(from, x0 + 1, y0 + 1)};
    for (int c = 0; c < 3; c++) {
        const double above = p[0][c] + (p[1][c] - p[0][c]) * dx;
        const double below = p[2][c] + (p[3][c] - p[2][c]) * dx;
        out[c] = (uint8_t)(above + (below - above) * dy);
    }
}

/* Row y of the square at CHL_FACE_SIDE. */
static void sample_row(const chl_raster *from, const quad *q, int y, uint8_t *row) {
    const double v = (y + 0.5) / CHL_FACE_SIDE;
    for (int x = 0; x < CHL_FACE_SIDE; x++) {
        const double u = (x + 0.5) / CHL_FACE_SIDE;
        double at[2];
        for (int i = 0; i < 2; i++)
            at[i] = 0.5 + (1 - v) * ((1 - u) * q->corner[0][i] + u * q->corner[3][i]) +
                    v * ((1 - u) * q->corner[1][i] + u * q->corner[2][i]);
        sample(from, at[0], at[1], row + 3 * x);
    }
}

static chl_status draw(const chl_raster *from, const quad *q, int size, chl_raster *out) {
    chl_lanczos filter = {0};
    const size_t row = 3 * (size_t)size;
    uint8_t *wide = malloc((size_t)3 * CHL_FACE_SIDE), *narrow = malloc(row * CHL_FACE_SIDE);
    *out = (chl_raster){size, size, malloc(row * (size_t)size)};
    chl_status status = wide && narrow && out->rgb ? CHL_OK : no_memory();
    if (status == CHL_OK) status = chl_lanczos_new(CHL_FACE_SIDE, size, &filter);
    for (int y = 0; y < CHL_FACE_SIDE && status == CHL_OK; y++) {
        sample_row(from, q, y, wide);
        chl_lanczos_row(&filter, wide, narrow + row * (size_t)y);
    }
    for (int y = 0; y < size && status == CHL_OK; y++)
        chl_lanczos_column(&filter, y, (int)row, narrow, out->rgb + row * (size_t)y);
    chl_lanczos_free(&filter);
    free(wide);
    free(narrow);
    if (status != CHL_OK) chl_raster_free(out);
    return status;
}

static chl_status copy_of(const chl_raster *photo, chl_raster *out) {
    const size_t bytes = 3 * (size_t)photo->height * (size_t)photo->width;
    *out = (chl_raster){photo->height, photo->width, malloc(bytes)};
    if (!out->rgb) return no_memory();
    memcpy(out->rgb, photo->rgb, bytes);
    return CHL_OK;
}

chl_status chl_face_align(const chl_raster *photo, const chl_face_place *place, int size,
                          chl_raster *out) {
    quad q = quad_of(place);
    chl_raster work;
    CHL_TRY(check(photo, place, &q, size));
    CHL_TRY(copy_of(photo, &work));
    chl_status status = shrink(&work, &q, size);
    if (status == CHL_OK) status = crop(&work, &q);
    if (status == CHL_OK) status = pad(&work, &q);
    if (status == CHL_OK) status = draw(&work, &q, size, out);
    chl_raster_free(&work);
    return status;
}
