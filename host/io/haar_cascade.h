/* Cascades of boosted Haar features [Viola and Jones 2001; Lienhart and Maydt 2002], as OpenCV's files
 * hold them (<cascade type_id="opencv-cascade-classifier">, featureType HAAR).
 *
 *     chl_haar_cascade *eye;
 *     CHL_TRY(chl_haar_cascade_read("haarcascade_eye.xml", &eye));
 *     ... haar_detect.h ...
 *     chl_haar_cascade_free(eye);
 *
 * A window passes when every stage's sum of weak classifiers reaches its threshold. A weak classifier
 * is a tree: its nodes compare a feature, which is a weighted sum of the pixels of two or three
 * rectangles by the window's standard deviation, with a threshold. Tilted rectangles are
 * CHL_ERR_UNSUPPORTED. */
#ifndef CHL_IO_HAAR_CASCADE_H
#define CHL_IO_HAAR_CASCADE_H
#include "base/status.h"
#include <stddef.h>

#define CHL_HAAR_RECTS 3

typedef struct chl_haar_feature {
    int rects;
    int place[CHL_HAAR_RECTS][4]; /* x, y, width, height, within the window */
    float weight[CHL_HAAR_RECTS];
} chl_haar_feature;

typedef struct chl_haar_node {
    int left, right; /* > 0: a later node of the tree; else minus the leaf's index */
    int feature;
    float threshold; /* left when the feature is below it */
} chl_haar_node;

typedef struct chl_haar_tree {
    int node, nodes, leaf, leaves; /* first in the cascade's, and how many */
} chl_haar_tree;

typedef struct chl_haar_stage {
    int tree, trees;
    float threshold;
} chl_haar_stage;

typedef struct chl_haar_cascade {
    int width, height; /* of the window */
    chl_haar_stage *stage;
    chl_haar_tree *tree;
    chl_haar_node *node;
    float *leaf;
    chl_haar_feature *feature;
    int stages, trees, nodes, leaves, features;
} chl_haar_cascade;

chl_status chl_haar_cascade_read(const char *path, chl_haar_cascade **out);
/* The file's bytes in memory; `name` replaces the path in error texts. */
chl_status chl_haar_cascade_parse(const char *text, size_t size, const char *name,
                                  chl_haar_cascade **out);
void chl_haar_cascade_free(chl_haar_cascade *cascade); /* NULL is fine */
#endif
