/* TensorBoard's event files: scalars by tag and step.
 *
 *     FILE *file = fopen("run/events.out.tfevents.chladni", "wb");    the name must hold "tfevents"
 *     chl_event_file_begin(file, seconds_now);
 *     const chl_event_scalar losses[] = {{"loss/text", 2.3}, {"loss/sound", 1.1}};
 *     chl_event_file_add(file, seconds_now, step, 2, losses);
 *
 * A file is a row of TFRecords: u64 length, masked CRC-32C of it, the bytes, their masked CRC-32C,
 * all little-endian [tensorflow/core/lib/io/record_writer.h]. The bytes are a protocol buffer
 * tensorflow.Event: 1 wall_time (double), 2 step (varint), 3 file_version (text) or 5 summary, whose
 * values have 1 tag and 2 simple_value (float) [tensorflow/core/util/event.proto, summary.proto].
 *
 * Errors of the stream are the caller's to look for (ferror, fflush). */
#ifndef CHL_IO_EVENT_FILE_H
#define CHL_IO_EVENT_FILE_H
#include "base/status.h"
#include <stdint.h>
#include <stdio.h>

#define CHL_EVENT_SCALARS 32 /* max. of one step */
#define CHL_EVENT_TAG 80     /* max. bytes of a tag */

typedef struct chl_event_scalar {
    const char *tag;
    double value; /* stored as float32; may be NaN */
} chl_event_scalar;

/* The record that must come first; `time` in seconds since 1970. */
void chl_event_file_begin(FILE *to, double time);
/* One record with all scalars [count] of a step. CHL_ERR_ARGUMENT beyond the limits above. */
chl_status chl_event_file_add(FILE *to, double time, int64_t step, int count,
                              const chl_event_scalar *scalar);
/* CRC-32C (Castagnoli) of the bytes. */
uint32_t chl_crc32c(const void *data, size_t size);
#endif
