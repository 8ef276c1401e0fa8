/* chladni: pictures edited by sound.
 *
 *     chl_engine_options options = {.size = sizeof options,
 *                                   .generator = "ffhq.pt", .clip = "ViT-B-32.pt",
 *                                   .audio = "swin-audio.pth"};
 *     chl_engine *engine;
 *     if (chl_engine_open(&options, &engine) != CHL_OK) { fputs(chl_error(), stderr); return 1; }
 *     chl_engine_sizes size = chl_engine_get_sizes(engine);
 *     float *source = malloc(sizeof(float) * size.rows * size.latent);
 *     float *edited = malloc(sizeof(float) * size.rows * size.latent);
 *     float target[CHL_MAX_EMBEDDING];
 *     chl_seed_latent(engine, 7, 0.7f, source);                  a picture to start from
 *     chl_embed_sound(engine, "rain.wav", target);               what it should look like
 *     chl_edit_options edit = chl_edit_defaults(engine);
 *     chl_edit(engine, &edit, source, target, edited, NULL);     the paper's Eq. 14
 *     chl_generate(engine, 1, edited, pixels);
 *     chl_picture_write("out.png", size.picture, size.picture, pixels);
 *     chl_engine_close(engine);
 *
 * Every function that can fail returns a chl_status; the text is chl_error(), per thread.
 * Nothing prints, nothing exits: text goes to the log callback, progress to the progress callback.
 * Thread safety: an engine is used by one thread at a time; different engines are independent (they
 * share the machine's cores). Callbacks run on the calling thread. Log callback: process-wide.
 * Signals: a handler must not run on the stack of a thread that computes here or was created here,
 * because oneDNN's matrix products keep data below the stack pointer. Block the program's signals
 * before the first call and receive them with sigwait on a thread of their own (tools/interrupts.c
 * does so), or install handlers with SA_ONSTACK and sigaltstack.
 *
 * Pictures are float32 NHWC, RGB, in [-1, 1]. Latents are W+ codes: float32 [rows][latent],
 * rows = 2 log2(picture) - 2 [Karras et al. 2020]. Embeddings are float32, unit length.
 * Paper: "Robust Sound-Guided Image Manipulation"; equation numbers are the paper's.
 * The header is plain C99 and C++. */
#ifndef CHLADNI_H
#define CHLADNI_H
#include <chladni/edit.h>
#include <chladni/engine.h>
#include <chladni/eval.h>
#include <chladni/judge.h>
#include <chladni/status.h>
#include <chladni/train.h>
#endif
