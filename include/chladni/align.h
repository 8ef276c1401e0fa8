/* Preparing photos for generators of faces.
 *
 *     chl_found_face *face;
 *     int count;
 *     float *pixels;
 *     if (chl_find_faces("photo.jpg", NULL, &count, &face) != CHL_OK) return puts(chl_error());
 *     if (count > 0 && chl_align_face("photo.jpg", &face[0].points, 1024, &pixels) == CHL_OK) ...
 *     chl_release(face);
 *
 * or by points that are known:
 *
 *     const double found[5][2] = {{310, 402}, {455, 398}, {384, 480}, {325, 560}, {447, 556}};
 *     chl_face_points face;
 *     float *pixels;
 *     if (chl_face_points_of(5, found, &face) != CHL_OK ||
 *         chl_align_face("photo.jpg", &face, 1024, &pixels) != CHL_OK)
 *         return puts(chl_error());
 *     chl_picture_write("face.png", 1024, 1024, pixels);
 *     chl_release(pixels); */
#ifndef CHLADNI_ALIGN_H
#define CHLADNI_ALIGN_H
#include <chladni/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x, y in pixels, from the top left corner of the upright photo. Left and right are those of the
 * picture: the left eye is the one with the smaller x of an upright face. */
typedef struct chl_face_points {
    double left_eye[2], right_eye[2], left_mouth[2], right_mouth[2];
} chl_face_points;

/* Of what detectors give: 68 points (iBUG 300-W, as dlib and face-alignment: an eye is the mean of its
 * six), 5 (left eye, right eye, nose, left and right corner of the mouth: MTCNN, RetinaFace), or 4
 * (the same without a nose). CHL_ERR_ARGUMENT for another count, CHL_ERR_NUMERIC for a point that is
 * not finite. */
CHL_CHECKED chl_status chl_face_points_of(int count, const double (*points)[2],
                                          chl_face_points *face);

typedef struct chl_found_face {
    chl_face_points points; /* the mouth is where faces have it, seen from the eyes */
    double box[4];          /* x, y, width, height of the face without hair, in pixels */
    int has_eyes;           /* both were found; else they are where faces have them in such a box */
} chl_found_face;

/* The faces of a photo that are upright and look at the camera: *faces [*count], those with eyes first
 * and larger ones first among these, to be freed with chl_release; NULL where there are none.
 * `cascades` is a folder with OpenCV's haarcascade_frontalface_alt2.xml and haarcascade_eye.xml;
 * NULL: /usr/share/opencv4/haarcascades, where Debian's package opencv-data has them.
 * CHL_ERR_IO where one is not there. */
CHL_CHECKED chl_status chl_find_faces(const char *path, const char *cascades, int *count,
                                      chl_found_face **faces);

/* Cuts, turns and scales a photo so that the face lies as those of FFHQ [Karras et al. 2019, the
 * data set's published preparation]: *pixels [size][size][3] in [-1, 1], to be freed with
 * chl_release. Beyond the photo's edges it is mirrored, blurred, and fades into its median colour.
 * size: a power of two from 16 to 4096. CHL_ERR_ARGUMENT where the points are no face in the photo. */
CHL_CHECKED chl_status chl_align_face(const char *path, const chl_face_points *face, int size,
                                      float **pixels);

#ifdef __cplusplus
}
#endif
#endif
