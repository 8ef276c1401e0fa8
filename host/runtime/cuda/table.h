// The table of a backend that runs the CUDA kernels: module.cu's, and tests/emu/backend_emu.cpp's.
#pragma once
#include "runtime/backend.h"

// Sets every member of the chl_backend `b`. The functions of the file that asks for it have the
// names of the members; the system has a close of its own.
#define CHL_CUDA_TABLE(b, name_)                                                                   \
    do {                                                                                           \
        b.version = CHL_BACKEND_VERSION;                                                           \
        b.name = name_;                                                                            \
        b.alignment = ALIGNMENT;                                                                   \
        b.bf16 = true;                                                                             \
        b.body = chl_cuda_body;                                                                    \
        b.paths = chl_cuda_paths;                                                                  \
        b.packs_linear = chl_cuda_packs_linear;                                                    \
        b.fused = chl_cuda_fused;                                                                  \
        b.bind = bind;                                                                             \
        b.close = close_device;                                                                    \
        b.last_error = last_error;                                                                 \
        b.allocate = allocate;                                                                     \
        b.release = release;                                                                       \
        b.upload = upload;                                                                         \
        b.download = download;                                                                     \
        b.clear = clear;                                                                           \
        b.queue_new = queue_new;                                                                   \
        b.queue_free = queue_free;                                                                 \
        b.queue_synchronise = queue_synchronise;                                                   \
        b.event_new = event_new;                                                                   \
        b.event_free = event_free;                                                                 \
        b.event_record = event_record;                                                             \
        b.queue_wait = queue_wait;                                                                 \
        b.event_synchronise = event_synchronise;                                                   \
        b.pinned_allocate = pinned_allocate;                                                       \
        b.pinned_release = pinned_release;                                                         \
        b.upload_async = upload_async;                                                             \
        b.download_async = download_async;                                                         \
        b.begin_capture = begin_capture;                                                           \
        b.end_capture = end_capture;                                                               \
        b.replay = replay;                                                                         \
        b.destroy_capture = destroy_capture;                                                       \
    } while (0)
