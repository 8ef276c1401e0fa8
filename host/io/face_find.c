#include "io/face_find.h"
#include "io/haar_detect.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGER_SIDE 1024.0
#define SMALLEST 12 /* a face is at least this part of the photo's shorter side */
static const chl_haar_search face_search = {.factor = 1.1, .neighbours = 3};

/* Without eyes a find is a face only where that many windows agree: a face in plain view has 20 to 40. */
#define WINDOWS_WITHOUT_EYES 15

/* The part of a face's box where eyes are looked for, brought to EYES_WIDTH pixels. */
#define EYES_TOP 0.1
#define EYES_HEIGHT 0.5
enum { EYES_WIDTH = 240, EYES_ROWS = 120 };
static const chl_haar_search eye_search = {
    .factor = 1.05, .neighbours = 2, .least = 34, .most = 100};
/* In widths of the face: eyes that stand otherwise are none. */
#define EYES_LEAST 0.25
#define EYES_MOST 0.65
#define EYES_SLOPE 0.4

/* Of a face on average, in distances of the eyes from the middle between them. Recognisers of faces
 * align to a mouth 1.15 below; up to 1.11 the eyes alone decide how large FFHQ's square is, and on
 * photos people smile. */
#define MOUTH_BELOW 1.1
#define MOUTH_HALF 0.41
#define EYE_LEFT 0.28 /* in the face's box */
#define EYE_DOWN 0.38

typedef struct finder {
    chl_haar_cascade *face, *eye;
    chl_grey grey;
} finder;

/* --- cascades --------------------------------------------------------------------------------- */
static chl_status read_cascade(const char *folder, const char *name, chl_haar_cascade **out) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return chl_fail(CHL_ERR_ARGUMENT, "the path of the cascades is too long");
    if (access(path, R_OK) != 0)
        return chl_fail(CHL_ERR_IO,
                        "%s: is not there or not readable: the Debian package opencv-data "
                        "brings it",
                        path);
    return chl_haar_cascade_read(path, out);
}

/* --- eyes ------------------------------------------------------------------------------------- */
typedef struct pair {
    double left[2], right[2]; /* in pixels of the part */
    int windows;
} pair;

static void middle_of(const chl_haar_find *find, double middle[2]) {
    middle[0] = find->x + find->width / 2;
    middle[1] = find->y + find->height / 2;
}

static bool is_pair(const double left[2], const double right[2]) {
    const double x = right[0] - left[0], y = right[1] - left[1];
    return left[0] < EYES_WIDTH / 2.0 && right[0] > EYES_WIDTH / 2.0 &&
           x > EYES_LEAST * EYES_WIDTH && x < EYES_MOST * EYES_WIDTH && fabs(y) < EYES_SLOPE * x;
}

/* Of all pairs that may be eyes the one that most windows found. */
static bool best_pair(const chl_haar_find *find, int count, pair *best) {
    *best = (pair){0};
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++) {
            pair p = {.windows = find[i].windows + find[k].windows};
            middle_of(&find[i], p.left);
            middle_of(&find[k], p.right);
            if (is_pair(p.left, p.right) && p.windows > best->windows) *best = p;
        }
    return best->windows > 0;
}

static chl_status find_eyes(const finder *f, chl_found_place *face) {
    const double *box = face->box;
    const double part[4] = {box[0], box[1] + EYES_TOP * box[3], box[2], EYES_HEIGHT * box[3]};
    chl_grey upper;
    chl_haar_find *find;
    int count;
    pair eyes;
    CHL_TRY(chl_grey_scale(&f->grey, part, EYES_ROWS, EYES_WIDTH, &upper));
    const chl_status status = chl_haar_detect(f->eye, &upper, &eye_search, &find, &count);
    chl_grey_free(&upper);
    CHL_TRY(status);
    face->eyes = best_pair(find, count, &eyes);
    free(find);
    if (!face->eyes) {
        eyes =
            (pair){.left = {EYE_LEFT * EYES_WIDTH, (EYE_DOWN - EYES_TOP) / EYES_HEIGHT * EYES_ROWS},
                   .right = {(1 - EYE_LEFT) * EYES_WIDTH,
                             (EYE_DOWN - EYES_TOP) / EYES_HEIGHT * EYES_ROWS}};
    }
    const double scale[2] = {part[2] / EYES_WIDTH, part[3] / EYES_ROWS};
    for (int i = 0; i < 2; i++) {
        face->place.left_eye[i] = part[i] + eyes.left[i] * scale[i];
        face->place.right_eye[i] = part[i] + eyes.right[i] * scale[i];
    }
    return CHL_OK;
}

static void place_mouth(chl_face_place *p) {
    const double x[2] = {p->right_eye[0] - p->left_eye[0], p->right_eye[1] - p->left_eye[1]};
    const double down[2] = {-x[1], x[0]};
    for (int i = 0; i < 2; i++) {
        const double middle = (p->left_eye[i] + p->right_eye[i]) / 2 + MOUTH_BELOW * down[i];
        p->left_mouth[i] = middle - MOUTH_HALF * x[i];
        p->right_mouth[i] = middle + MOUTH_HALF * x[i];
    }
}

/* --- faces ------------------------------------------------------------------------------------ */
static int by_size(const void *left, const void *right) {
    const chl_found_place *a = left, *b = right;
    if (a->eyes != b->eyes) return a->eyes ? -1 : 1;
    return a->box[2] < b->box[2] ? 1 : a->box[2] > b->box[2] ? -1 : 0;
}

static chl_status find_boxes(const finder *f, double *scale, chl_haar_find **find, int *count) {
    const int height = f->grey.height, width = f->grey.width;
    const double all[4] = {0, 0, width, height};
    chl_grey small;
    *scale = fmax(1, (height > width ? height : width) / LONGER_SIDE);
    const int rows = (int)fmax(1, rint(height / *scale));
    const int columns = (int)fmax(1, rint(width / *scale));
    CHL_TRY(chl_grey_scale(&f->grey, all, rows, columns, &small));
    chl_haar_search search = face_search;
    search.least = (rows < columns ? rows : columns) / SMALLEST;
    const chl_status status = chl_haar_detect(f->face, &small, &search, find, count);
    chl_grey_free(&small);
    return status;
}

static chl_status find_faces(const finder *f, chl_found_place **faces, int *count) {
    chl_haar_find *find;
    double scale;
    CHL_TRY(find_boxes(f, &scale, &find, count));
    chl_status status = CHL_OK;
    if (*count == 0) return CHL_OK;
    *faces = calloc((size_t)*count, sizeof **faces);
    if (!*faces) status = chl_fail(CHL_ERR_MEMORY, "out of memory for faces");
    const int finds = *count;
    *count = 0;
    for (int i = 0; status == CHL_OK && i < finds; i++) {
        chl_found_place *face = &(*faces)[*count];
        const double box[4] = {find[i].x, find[i].y, find[i].width, find[i].height};
        for (int k = 0; k < 4; k++) face->box[k] = box[k] * scale;
        status = find_eyes(f, face);
        place_mouth(&face->place);
        if (face->eyes || find[i].windows >= WINDOWS_WITHOUT_EYES) ++*count;
    }
    free(find);
    if (status == CHL_OK) qsort(*faces, (size_t)*count, sizeof **faces, by_size);
    return status;
}

chl_status chl_faces_find(const chl_raster *photo, const char *folder, chl_found_place **faces,
                          int *count) {
    finder f = {0};
    *faces = NULL;
    *count = 0;
    chl_status status = read_cascade(folder, "haarcascade_frontalface_alt2.xml", &f.face);
    if (status == CHL_OK) status = read_cascade(folder, "haarcascade_eye.xml", &f.eye);
    if (status == CHL_OK) status = chl_grey_of(photo, &f.grey);
    if (status == CHL_OK) status = find_faces(&f, faces, count);
    chl_haar_cascade_free(f.face);
    chl_haar_cascade_free(f.eye);
    chl_grey_free(&f.grey);
    if (status == CHL_OK && *count > 0) return CHL_OK;
    free(*faces);
    *faces = NULL;
    *count = 0;
    return status;
}
