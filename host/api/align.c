/* The public header's photos: covers over host/io. */
#include "base/options.h"
#include "io/face_find.h"
#include <chladni.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of iBUG's 68 points. */
enum { LEFT_EYE = 36, RIGHT_EYE = 42, EYE_POINTS = 6, LEFT_MOUTH = 48, RIGHT_MOUTH = 54 };

static void mean_of(int count, const double (*points)[2], double mean[2]) {
    for (int i = 0; i < 2; i++) {
        mean[i] = 0;
        for (int k = 0; k < count; k++) mean[i] += points[k][i] / count;
    }
}

chl_status chl_face_points_of(int count, const double (*points)[2], chl_face_points *face) {
    CHL_NEEDS(points, face);
    CHL_TRY(chl_check_int(count == 4 || count == 5 || count == 68, "count", "4, 5 or 68", count));
    for (int k = 0; k < count; k++)
        if (!isfinite(points[k][0]) || !isfinite(points[k][1]))
            return chl_fail(CHL_ERR_NUMERIC, "point %d of the face is not finite", k + 1);
    const int mouth = count == 68 ? LEFT_MOUTH : count - 2;
    const int other = count == 68 ? RIGHT_MOUTH : count - 1;
    memcpy(face->left_mouth, points[mouth], sizeof face->left_mouth);
    memcpy(face->right_mouth, points[other], sizeof face->right_mouth);
    const int points_of_eye = count == 68 ? EYE_POINTS : 1;
    mean_of(points_of_eye, points + (count == 68 ? LEFT_EYE : 0), face->left_eye);
    mean_of(points_of_eye, points + (count == 68 ? RIGHT_EYE : 1), face->right_eye);
    return CHL_OK;
}

static chl_face_place place_of(const chl_face_points *face) {
    chl_face_place place;
    memcpy(place.left_eye, face->left_eye, sizeof place.left_eye);
    memcpy(place.right_eye, face->right_eye, sizeof place.right_eye);
    memcpy(place.left_mouth, face->left_mouth, sizeof place.left_mouth);
    memcpy(place.right_mouth, face->right_mouth, sizeof place.right_mouth);
    return place;
}

chl_status chl_align_face(const char *path, const chl_face_points *face, int size, float **pixels) {
    CHL_NEEDS(path, face, pixels);
    const chl_face_place place = place_of(face);
    chl_raster photo, aligned;
    *pixels = NULL;
    CHL_TRY(chl_raster_read(path, &photo));
    const chl_status status = chl_face_align(&photo, &place, size, &aligned);
    chl_raster_free(&photo);
    CHL_TRY(status);
    const int64_t count = (int64_t)3 * size * size;
    *pixels = malloc(sizeof **pixels * (size_t)count);
    if (*pixels) chl_raster_to_float(count, aligned.rgb, *pixels);
    chl_raster_free(&aligned);
    return *pixels ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pixels", path);
}

/* --- faces ------------------------------------------------------------------------------------ */
static chl_found_face found_of(const chl_found_place *found) {
    chl_found_face face = {.has_eyes = found->eyes};
    memcpy(face.points.left_eye, found->place.left_eye, sizeof face.points.left_eye);
    memcpy(face.points.right_eye, found->place.right_eye, sizeof face.points.right_eye);
    memcpy(face.points.left_mouth, found->place.left_mouth, sizeof face.points.left_mouth);
    memcpy(face.points.right_mouth, found->place.right_mouth, sizeof face.points.right_mouth);
    memcpy(face.box, found->box, sizeof face.box);
    return face;
}

chl_status chl_find_faces(const char *path, const char *cascades, int *count,
                          chl_found_face **faces) {
    CHL_NEEDS(path, count, faces);
    chl_raster photo;
    chl_found_place *found;
    *faces = NULL;
    *count = 0;
    CHL_TRY(chl_raster_read(path, &photo));
    const chl_status status =
        chl_faces_find(&photo, cascades ? cascades : CHL_CASCADES, &found, count);
    chl_raster_free(&photo);
    CHL_TRY(status);
    if (*count == 0) return CHL_OK;
    *faces = malloc(sizeof **faces * (size_t)*count);
    for (int i = 0; *faces && i < *count; i++) (*faces)[i] = found_of(&found[i]);
    free(found);
    if (*faces) return CHL_OK;
    *count = 0;
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its faces", path);
}
