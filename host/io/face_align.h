/* A photo cut, turned and scaled so that the face in it lies as the faces of FFHQ do [Karras et al.
 * 2019, the data set's published preparation]: with which generators of faces were trained.
 *
 *     chl_raster photo, face;
 *     CHL_TRY(chl_raster_read("photo.jpg", &photo));
 *     CHL_TRY(chl_face_align(&photo, &points, 1024, &face));
 *
 * The square is centred a tenth of the way from the eyes to the mouth; its half side is twice the
 * distance of the eyes or 1.8 times that of eyes and mouth, whichever is larger. Where it reaches
 * beyond the photo, the photo is mirrored, and what is mirrored fades into a blur and into the
 * photo's median colour. Sampled bilinearly at 4096 x 4096, then brought to size by Lanczos'
 * filter. */
#ifndef CHL_IO_FACE_ALIGN_H
#define CHL_IO_FACE_ALIGN_H
#include "io/picture.h"

/* Pixels, from the top left corner; left and right as seen in the picture. */
typedef struct chl_face_place {
    double left_eye[2], right_eye[2], left_mouth[2], right_mouth[2];
} chl_face_place;

#define CHL_FACE_SIDE 4096 /* `size` must divide it */

/* CHL_ERR_ARGUMENT where the points are no face: they coincide, or lie far outside of the photo. */
chl_status chl_face_align(const chl_raster *photo, const chl_face_place *place, int size,
                          chl_raster *out);
#endif
