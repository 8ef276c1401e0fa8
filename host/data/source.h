/* A set of clips as it lies on a disk: which sounds, pictures and words there are. Nothing is decoded.
 *
 *     chl_source *source;
 *     CHL_TRY(chl_source_open("ESC-50", NULL, &source));
 *     for (int64_t i = 0; i < source->count; i++) use(&source->entry[i]);
 *     chl_source_free(source);
 *
 * What a path may be, tried in this order:
 *
 *     name-{000000..000123}.tar, x.tar   WebDataset shards: files that share the name up to the first
 *                                        dot are one clip. .flac .wav .ogg .mp3 sound; .jpg .jpeg .png
 *                                        .webp picture; .txt caption; .json {"text", "tag"} of
 *                                        LAION-CLAP, or the keys of pairs.jsonl
 *     x.csv                              a manifest, paths relative to its folder; columns sound,
 *                                        picture, label, caption (also text and caption_1,
 *                                        caption_2, ... of Clotho, all of them), kind, source, split
 *     a folder with meta/esc50.csv       ESC-50 [Piczak 2015]
 *     ... metadata/UrbanSound8K.csv      UrbanSound8K [Salamon 2014]
 *     ... vggsound.csv                   VGGSound [Chen 2020]; its files anywhere in the folder
 *     ... *_segments.csv and             AudioSet [Gemmeke 2017]; the same
 *         class_labels_indices.csv
 *     a folder of pictures               for a reader who wants no sounds; in it also a folder per label
 *     a folder of folders                a folder per label
 *
 * A clip of a table whose sound is not there is missing: it is no entry, and its name is kept. */
#ifndef CHL_DATA_SOURCE_H
#define CHL_DATA_SOURCE_H
#include "data/source_list.h"

/* choice NULL: all. CHL_ERR_FORMAT names what a path may be, CHL_ERR_IO also a set of which no sound
 * is there. Some that are missing are a warning in the log. */
chl_status chl_source_open(const char *path, const chl_source_choice *choice, chl_source **out);
#endif
