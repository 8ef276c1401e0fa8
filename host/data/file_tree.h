/* The files below a folder by what their names begin with: data sets of the web are tables of videos, and
 * who downloads them calls the files and folders as he likes.
 *
 *     chl_file_tree *tree;
 *     CHL_TRY(chl_file_tree_new("VGGSound", &tree));
 *     chl_file_tree_find(tree, "-0SdAVK79lg_000030", &sound, &picture);
 *     chl_file_tree_free(tree); */
#ifndef CHL_DATA_FILE_TREE_H
#define CHL_DATA_FILE_TREE_H
#include "base/status.h"
#include <stdbool.h>

typedef struct chl_file_tree chl_file_tree;

/* Hidden files and folders are left out; links to folders are followed at the first level only. */
chl_status chl_file_tree_new(const char *folder, chl_file_tree **out);
void chl_file_tree_free(chl_file_tree *tree);
/* Paths of the sound and of the picture with this name before the last dot; NULL: there is none. A video is the picture where no other is. */
void chl_file_tree_find(const chl_file_tree *tree, const char *stem, const char **sound,
                        const char **picture);
#endif
