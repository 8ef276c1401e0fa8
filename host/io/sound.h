/* Reading sound files: WAV, FLAC, OGG, AIFF, ... (libsndfile), MP3 (libmpg123), and m4a, aac, wma
 * and others through the program ffmpeg where it is installed (io/ffmpeg.h); mixed to mono,
 * resampled to 44 100 Hz or another rate (soxr, high quality). A file is read front to back in
 * blocks, so that a ten-hour file needs no more memory than a short one; what comes from ffmpeg is
 * in memory, up to CHL_SOUND_MAX_PIPE_BYTES (93 minutes of stereo at 48 kHz).
 *
 *     chl_sound *sound;
 *     CHL_TRY(chl_sound_open("rain.flac", &sound));
 *     do CHL_TRY(chl_sound_read(sound, block, 4096, &got));
 *     while (got == 4096);
 *     chl_sound_close(sound);
 *
 * Mono is the mean of the channels. The length is ceil(frames * 44100 / rate of the file). Integer samples are
 * scaled to [-1, 1), float samples are kept as stored; a NaN or infinite sample is CHL_ERR_NUMERIC,
 * naming the second and the channel.
 *
 * A file is decoded to its true end, whatever length its header claims or the first frames suggest:
 * MP3 of variable bit rate without a Xing header, concatenated MP3 and OGG files, FLAC behind its
 * claimed end, WAV, RF64 and CAF with an unknown size (0, all ones), as programs write to a pipe. A
 * file that breaks off is used as far as it goes, with a warning in the log; CHL_ERR_FORMAT where
 * the decoder finds damage. A read error, or a file that becomes shorter while it is read, is
 * CHL_ERR_IO.
 *
 * A path may name a pipe (FIFO, /dev/stdin): it is read into memory first, up to
 * CHL_SOUND_MAX_PIPE_BYTES, and waits a minute for bytes (base/file_bytes.h). Directories, sockets
 * and devices are refused.
 *
 * In a build without CHLADNI_MEDIA every call is CHL_ERR_UNSUPPORTED. */
#ifndef CHL_IO_SOUND_H
#define CHL_IO_SOUND_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define CHL_SOUND_RATE 44100
/* What comes through a pipe is kept in memory: 3 h 22 min of CD sound. More is an error. */
#define CHL_SOUND_MAX_PIPE_BYTES ((int64_t)2 << 30)

typedef struct chl_sound chl_sound;

chl_status chl_sound_open(const char *path, chl_sound **out);
/* The file's bytes in memory, which must stay valid until the sound is closed; `name` replaces the
 * path in error texts. */
chl_status chl_sound_open_memory(const void *data, size_t size, const char *name, chl_sound **out);
/* Samples in memory, which must stay: samples [frames][channels], `rate` of them a second. They are
 * mixed and resampled as a file's are, so that a file of the same samples gives the same bits.
 * CHL_ERR_ARGUMENT for a rate, channels or frames that no sound has; `name` is for error texts. */
chl_status chl_sound_open_samples(int rate, int channels, int64_t frames, const float *samples,
                                  const char *name, chl_sound **out);
void chl_sound_close(chl_sound *sound);
/* Hands out samples at this rate (1000 to 768000) instead of 44 100 Hz, from the first one on. */
chl_status chl_sound_set_rate(chl_sound *sound, int rate);
/* Length at that rate, as the header claims it; MP3s are counted. */
int64_t chl_sound_samples(const chl_sound *sound);
/* As the file has it: samples a second, channels. */
int chl_sound_rate(const chl_sound *sound);
int chl_sound_channels(const chl_sound *sound);
/* Reads up to `want` samples into out; fewer only at the end. `sound` is a chl_sound *: the void
 * pointer makes both functions fit chl_wave_source (sound/mel.h). */
chl_status chl_sound_read(void *sound, float *out, int64_t want, int64_t *got);
chl_status chl_sound_rewind(void *sound);

/* The whole file, 10 MB a minute; the caller frees *wave. */
chl_status chl_sound_load(const char *path, float **wave, int64_t *samples);
/* The same for an opened sound that nothing was read of. */
chl_status chl_sound_load_opened(chl_sound *sound, float **wave, int64_t *samples);

/* Mono WAV of 16 bits at 44 100 Hz: clamped to [-1,1], times 32767, rounded to even. The file
 * appears complete or not at all. NaN is CHL_ERR_NUMERIC. Defined in sound_write.c. */
chl_status chl_sound_write(const char *path, const float *wave, int64_t samples);
#endif
