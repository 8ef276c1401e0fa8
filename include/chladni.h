/* chladni: pictures edited by sound.
 *
 *     chl_engine_options models = {.size = sizeof models, .generator = "ffhq.pt",
 *                                  .clip = "ViT-B-32.pt", .audio = "swin-audio.pth"};
 *     chl_engine *engine;
 *     if (chl_engine_open(&models, &engine) != CHL_OK) return puts(chl_error());
 *     const chl_engine_sizes size = chl_engine_get_sizes(engine);
 *     const size_t code = sizeof(float) * (size_t)(size.rows * size.latent);
 *     const size_t picture = sizeof(float) * (size_t)(size.picture * size.picture * 3);
 *     float *source = malloc(code), *edited = malloc(code), *pixels = malloc(picture);
 *     float target[CHL_MAX_EMBEDDING];
 *     chl_edit_options options = chl_edit_defaults(engine);
 *     if (chl_seed_latent(engine, 7, 0.7f, source) != CHL_OK ||     // the picture to edit
 *         chl_embed_sound(engine, "rain.wav", target) != CHL_OK ||  // what the edit aims at
 *         chl_edit(engine, &options, source, target, edited, NULL) != CHL_OK || // Eq. 14
 *         chl_generate(engine, 1, edited, pixels) != CHL_OK ||
 *         chl_picture_write("out.png", size.picture, size.picture, pixels) != CHL_OK)
 *         puts(chl_error());
 *     chl_engine_close(engine);
 *
 * Errors: every function that can fail returns a chl_status; chl_error() is the text, per thread.
 * Output: the library prints nothing and never exits. Log lines go to the log callback, progress to
 * the progress callbacks.
 * Threads: one thread at a time may use an engine; different engines are independent and share the
 * machine's cores. Callbacks run on the calling thread. The log callback is process-wide.
 * Signals: a handler must not run on the stack of a computing thread, because oneDNN's matrix
 * products keep data below the stack pointer. Block signals before the first call, so that all
 * computing threads inherit it, and receive them on a thread of your own (sigwait); or install
 * every handler with SA_ONSTACK and give each thread that calls the library a stack by sigaltstack.
 * Memory: what cannot be had is CHL_ERR_MEMORY. On the CPU a graph leaves 16 MB and 8 MB a thread
 * for oneDNN, which would end the process without them.
 * Pictures: float32, channels last, RGB, values in [-1, 1]; [height][width][3].
 * Latents: W+ codes, float32 [rows][latent], rows = 2 log2(picture) - 2 [Karras et al. 2020].
 * Embeddings: float32 of unit length, [embedding].
 * Arguments: a pointer must not be NULL unless its description says so. Outputs are written on
 * CHL_OK only, unless the description says so. Latents, embeddings and pixels must be finite
 * (CHL_ERR_NUMERIC names the argument, or the picture that a generator made).
 * Paper: "Robust Sound-Guided Image Manipulation"; equation numbers are the paper's.
 * Languages: the headers are C99 and C++. */
#ifndef CHLADNI_H
#define CHLADNI_H
#include <chladni/align.h>
#include <chladni/data.h>
#include <chladni/edit.h>
#include <chladni/engine.h>
#include <chladni/eval.h>
#include <chladni/judge.h>
#include <chladni/status.h>
#include <chladni/train.h>
#endif
