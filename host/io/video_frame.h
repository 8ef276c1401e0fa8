/* The picture in the middle of a video, by the program ffmpeg where it is installed: MP4, MOV, MKV, WebM.
 *
 *     chl_raster frame;
 *     CHL_TRY(chl_video_frame_read("clip.mp4", &frame)); */
#ifndef CHL_IO_VIDEO_FRAME_H
#define CHL_IO_VIDEO_FRAME_H
#include "io/picture.h"

/* CHL_ERR_UNSUPPORTED where there is no ffmpeg, CHL_ERR_FORMAT where the file has no picture that it can
 * decode. The frame at half of the first video stream's length, turned upright. */
chl_status chl_video_frame_read(const char *path, chl_raster *out);
/* The file's bytes in memory; `name` replaces the path in error texts. */
chl_status chl_video_frame_read_memory(const void *data, size_t size, const char *name,
                                       chl_raster *out);
#endif
