/* An explained edit: what explain.c computes and explain_picture.c draws. */
#ifndef CHL_EVAL_EXPLAIN_H
#define CHL_EVAL_EXPLAIN_H
#include "models/engine.h"

#define CHL_PARTS_SIDE 4 /* of the picture */
#define CHL_PARTS (CHL_PARTS_SIDE * CHL_PARTS_SIDE)
#define CHL_PATCHES_SIDE 8 /* of the mel picture */
#define CHL_PATCHES (CHL_PATCHES_SIDE * CHL_PATCHES_SIDE)

typedef struct chl_explained {
    int side, rows, bands, columns;
    float *before, *after;                          /* pictures [side][side][3] */
    float *mel;                                     /* [bands][columns] */
    double *by_row, *without_row;                   /* [rows][CHL_PARTS]: gradients, occlusion */
    double *by_patch, *softer_patch, *silent_patch; /* [CHL_PATCHES][CHL_PARTS] */
    double change[CHL_PARTS];
    double *row_share; /* [rows] */
    double patch_share[CHL_PATCHES];
    double rows_agree, sound_agrees, silence_agrees; /* rank correlations */
} chl_explained;

/* Which part a pixel lies in, which patch a place of the mel picture. */
static inline int chl_part_of(int side, int y, int x) {
    return y * CHL_PARTS_SIDE / side * CHL_PARTS_SIDE + x * CHL_PARTS_SIDE / side;
}
static inline int chl_patch_of(int bands, int columns, int band, int column) {
    return band * CHL_PATCHES_SIDE / bands * CHL_PATCHES_SIDE + column * CHL_PATCHES_SIDE / columns;
}
chl_status chl_explained_draw(const chl_explained *x, const char *path);
#endif
