/* Faces in a photo, seen from the front and upright, by OpenCV's cascades for faces and eyes.
 *
 *     chl_found_place *face;
 *     int count;
 *     CHL_TRY(chl_faces_find(&photo, "/usr/share/opencv4/haarcascades", &face, &count));
 *     free(face);
 *
 * A face is looked for in the photo at 1024 pixels on its longer side, from a twelfth of the shorter
 * side on; its eyes in the upper half of what is found, brought to 240 pixels. The mouth lies where
 * faces have it on average, seen from the eyes. */
#ifndef CHL_IO_FACE_FIND_H
#define CHL_IO_FACE_FIND_H
#include "io/face_align.h"

#define CHL_CASCADES "/usr/share/opencv4/haarcascades" /* where Debian's opencv-data has them */

typedef struct chl_found_place {
    chl_face_place place;
    double box[4]; /* x, y, width, height of the face's cascade */
    bool eyes;     /* are found; else they are where faces of such a box have them on average */
} chl_found_place;

/* Those with eyes first, larger ones first among each. *faces is NULL where there are none. */
chl_status chl_faces_find(const chl_raster *photo, const char *folder, chl_found_place **faces,
                          int *count);
#endif
