/* chl_train: one run from its options to its end. */
#include "base/options.h"
#include "runtime/open.h"
#include "sound/spec_augment.h"
#include "train/audio_network.h"
#include "train/run_stats.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TRAININGS 16

/* What this library trains; others are appended (chl_train_register). */
static const chl_training *trainings[MAX_TRAININGS] = {
    &chl_training_audio, &chl_training_clip,    &chl_training_generator,
    &chl_training_gan,   &chl_training_encoder, &chl_training_classifier};
static int training_count = 6;

/* --- a run ------------------------------------------------------------------------------------ */
static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The whole path of what is there of this one, which may be to be made; NULL: it cannot be told. */
static char *nearest_folder(const char *path) {
    char *part = strdup(path), *whole = part ? realpath(part, NULL) : NULL;
    for (char *slash; part && !whole && (slash = strrchr(part, '/')) && slash > part;) {
        *slash = 0;
        whole = realpath(part, NULL);
    }
    if (part && !whole) whole = realpath(*part == '/' ? "/" : ".", NULL);
    free(part);
    return whole;
}

/* Is the path, whole and cut by this, the folder or anywhere below it? */
static bool is_within(char *path, const struct stat *folder) {
    struct stat here;
    for (char *slash;; slash[slash == path] = 0) {
        if (stat(path, &here) == 0 && same_file(&here, folder)) return true;
        slash = strrchr(path, '/');
        if (!slash || !slash[1]) return false; /* it was / */
    }
}

static chl_status check_outside(const char *field, const char *path, const char *folder,
                                const struct stat *data) {
    char *place = path ? nearest_folder(path) : NULL;
    const bool inside = place && is_within(place, data);
    free(place);
    if (!inside) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s must be outside of %s, whose files are the data (it has no pairs.jsonl "
                    "that names them), got %s",
                    field, folder, path);
}

/* Files of a run among those of its data would be taken for each other's: by people, and where a
 * folder's files are the data, by the next training. A pairs.jsonl names its own. */
static chl_status check_folder(const chl_train_options *o, const char *folder, bool scanned) {
    struct stat data, out;
    if (stat(folder, &data) != 0) return CHL_OK;
    if (stat(o->out, &out) == 0 && same_file(&data, &out))
        return chl_fail(CHL_ERR_ARGUMENT, "out must be a folder of its own, got %s, %s %s", o->out,
                        strcmp(folder, o->data) == 0 ? "which is the data" : "which holds the data",
                        o->data);
    if (!scanned) return CHL_OK;
    CHL_TRY(check_outside("out", o->out, folder, &data));
    return check_outside("cache", o->cache, folder, &data);
}

static chl_status check_place(const chl_train_options *o) {
    if (!o->data) return CHL_OK;
    const bool is_folder = chl_is_folder(o->data);
    const char *slash = strrchr(o->data, '/');
    char *folder = is_folder || !slash ? strdup(is_folder ? o->data : ".")
                                       : strndup(o->data, (size_t)(slash - o->data) + 1);
    char *list = is_folder && folder ? chl_path_join(folder, "pairs.jsonl") : NULL;
    const chl_status status = folder && (list || !is_folder)
                                  ? check_folder(o, folder, is_folder && access(list, F_OK) != 0)
                                  : chl_fail(CHL_ERR_MEMORY, "%s: out of memory", o->data);
    free(folder);
    free(list);
    return status;
}

static chl_status open_folder(chl_trainer *t, bool *resume) {
    chl_run_folder *folder = &t->inside->folder;
    CHL_TRY(check_place(t->options));
    CHL_TRY(chl_run_folder_open(t->options->out, t->rank, folder));
    bool model;
    CHL_TRY(chl_checkpoint_there(folder, resume));
    CHL_TRY(chl_run_folder_has(folder, CHL_MODEL, &model));
    if (!t->options->resume && (*resume || model))
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: it holds a run: set resume to continue it, or give another folder",
                        t->options->out);
    return CHL_OK;
}

/* `epochs` in steps: an epoch leaves out what fills no batch (chl_dataset_batch). */
static chl_status count_steps(chl_trainer *t) {
    chl_train_options *o = &t->inside->options;
    if (o->epochs == 0) return CHL_OK;
    const int64_t samples = t->data ? t->data->count : 0;
    if (samples < o->batch)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training %s: batch must be at most the number of samples, %" PRId64
                        ", got %d: use a smaller batch or more data",
                        t->training->name, samples, o->batch);
    o->steps = o->epochs * (samples / o->batch);
    return chl_train_check(t->training, o);
}

/* Each rank names what it leaves out in a file of its own. */
static chl_status open_data(chl_trainer *t) {
    const chl_train_options *o = t->options;
    char name[40] = "left-out.txt", *path;
    if (!o->data) return CHL_OK;
    if (t->rank > 0) snprintf(name, sizeof name, "left-out-%d.txt", t->rank);
    CHL_TRY(chl_run_folder_file(&t->inside->folder, name, &path));
    const chl_dataset_choice choice = {.split = o->split,
                                       .tolerate = (double)o->tolerate,
                                       .left_out = path,
                                       .memory = chl_trainer_data_memory(o),
                                       .mels = o->cache_mels ? o->cache : NULL};
    const chl_status status =
        chl_dataset_open_chosen(o->data, t->training->need, &choice, &t->data);
    free(path);
    return status;
}

static chl_status build(chl_trainer *t) {
    CHL_TRY(open_data(t));
    CHL_TRY(count_steps(t));
    CHL_TRY(chl_run_fingerprint(t->options, t->data, &t->inside->fingerprint));
    if (t->inside->from.run) CHL_TRY(chl_checkpoint_check(t));
    CHL_TRY(chl_ranks_agree(t, 0)); /* before they exchange what they build from it */
    CHL_TRY(chl_graph_new(t->device, &t->graph));
    chl_graph_precision(t->graph, t->precision);
    chl_graph_first_sample(t->graph, t->first);
    CHL_TRY(t->training->build(t));
    return chl_trainer_compile(t);
}

static chl_status run(chl_trainer *t) {
    bool resume;
    int64_t step = 0;
    CHL_TRY(chl_ranks_share(t));
    CHL_TRY(chl_chunks_share(t));
    CHL_TRY(open_folder(t, &resume));
    if (resume) CHL_TRY(chl_checkpoint_read(t));
    CHL_TRY(build(t));
    if (resume) CHL_TRY(chl_checkpoint_apply(t, &step));
    CHL_TRY(chl_ranks_agree(t, step));
    if (resume && t->rank == 0) CHL_TRY(chl_run_files_repair(t, step));
    chl_run_folder *folder = &t->inside->folder;
    t->inside->accepted = true;
    if (t->rank == 0) CHL_TRY(chl_run_files_options(t));
    const int64_t stop = t->options->stop_after, steps = t->options->steps;
    const int64_t last = stop > 0 && stop < steps ? stop : steps;
    if (step >= last) {
        chl_run_folder_note(folder, CHL_LOG_INFO, "%s: step %" PRId64 " is reached already",
                            folder->path, last);
        if (t->rank == 0) CHL_TRY(chl_run_stats_repair(t));
        return chl_run_folder_check_log(folder);
    }
    if (t->rank == 0) CHL_TRY(chl_run_stats_begin(t, step));
    if (t->ranks > 1)
        chl_run_folder_note(folder, CHL_LOG_INFO, "%s: rank %d of %d (%s), %d of %d samples a step",
                            t->training->name, t->rank, t->ranks, t->device->comm->kind->name,
                            t->batch, t->options->batch);
    if (!t->device->backend->host_memory)
        chl_run_folder_note(folder, CHL_LOG_INFO, "%s: on %s, activations in %s", t->training->name,
                            t->device->name, t->precision == CHL_BF16 ? "bf16" : "float32");
    chl_run_folder_note(folder, CHL_LOG_INFO,
                        "%s: from step %" PRId64 " to %" PRId64 " of %" PRId64, t->training->name,
                        step + 1, last, steps);
    return chl_trainer_steps(t, step, last);
}

/* The temperature at which contrastive losses start, so that all four of the sound encoder have about
 * the same gradients; with CLIP's own 0.01 the distribution over pictures would be almost all on the
 * best one. */
#define WEAK_PAIR_TAU 0.07f

static chl_train_options general_defaults(const char *model) {
    return (chl_train_options){.size = sizeof(chl_train_options),
                               .model = model,
                               .steps = 1000,
                               .save_every = 500,
                               .batch = 32,
                               .rate = 1e-3f,
                               .cycles = 1,
                               .warm_up = 0.05f,
                               .beta1 = 0.9f,
                               .beta2 = 0.999f,
                               .decay = 5e-4f,
                               .average = 0.999f,
                               .seed = 1,
                               .weight_text = 1,
                               .weight_image = 1,
                               .weight_sound = 1,
                               .weight_weak_pair = 1,
                               .tau_weak_pair = WEAK_PAIR_TAU,
                               .mask_bands = 0.15f,
                               .mask_frames = 0.15f,
                               .precision = CHL_PRECISION_FLOAT32,
                               .momentum = 0.9f};
}

static void set_usual(const chl_training_usual *usual, chl_train_options *o) {
    if (usual->steps != 0) o->steps = usual->steps;
    if (usual->batch != 0) o->batch = usual->batch;
    if (usual->rate != 0) o->rate = usual->rate;
    if (usual->beta2 != 0) o->beta2 = usual->beta2;
    if (usual->decay != 0) o->decay = usual->decay;
    if (usual->average != 0) o->average = usual->average;
}

/* Of a training on sounds: the paper's network, which sees masked mel pictures. */
static void set_of_sounds(chl_train_options *o) {
    const chl_spec_augment spec = chl_spec_augment_defaults();
    o->encoder = chl_audio_network_swin.name;
    o->mask_bands = spec.mask_bands;
    o->mask_frames = spec.mask_frames;
}

chl_train_options chl_training_defaults(const chl_training *training) {
    chl_train_options options = general_defaults(training->name);
    set_usual(&training->usual, &options);
    if (training->need & CHL_NEED_SOUND) set_of_sounds(&options);
    /* a tenth of VGGSound and a fifth of AudioSet are gone */
    if (training->need & CHL_NEED_FILES) options.tolerate = 0.25f;
    if (training->defaults) training->defaults(&options);
    return options;
}

static chl_status run_on(const chl_training *training, const chl_train_options *own,
                         const chl_model_place *place, chl_comm **comm) {
    struct chl_trainer_private inside = {.options = *own, .last_segment = CHL_FIRST_SEGMENT};
    chl_device device;
    CHL_TRY(chl_ranks_place(place, comm, &device));
    chl_trainer t = {.training = training,
                     .options = &inside.options,
                     .device = &device,
                     .precision = place->precision,
                     .inside = &inside};
    /* the others are told before memory is released: they may wait for this rank, and it for them */
    chl_status status = run(&t);
    if (status != CHL_OK && !inside.accepted) chl_run_folder_remove_log(&inside.folder);
    status = chl_ranks_tell(*comm, chl_ranks_finish(*comm, status));
    if (status != CHL_OK && inside.folder.log)
        chl_run_folder_note(&inside.folder, CHL_LOG_DEBUG, "ended: %s", chl_error());
    if (status != CHL_OK && !inside.accepted) chl_run_folder_remove(&inside.folder);
    chl_trainer_release(&t);
    chl_dataset_free(t.data);
    return status;
}

/* The ranks meet first, so that an error that all of them have is reported by one. `place`: NULL is
 * that of the options. */
static chl_status run_at(const chl_training *training, const chl_train_options *options,
                         const chl_model_place *place) {
    const chl_train_options usual = chl_training_defaults(training);
    chl_train_options own = usual;
    chl_model_place opened = {0};
    chl_comm *comm;
    CHL_TRY(chl_options_take(&own, sizeof own, options, "chl_train_options"));
    CHL_TRY(chl_ranks_join(&own, &comm));
    chl_status status = chl_train_check(training, &own);
    if (status == CHL_OK) status = chl_train_check_read(training, &usual, &own);
    if (status == CHL_OK && !place)
        status = chl_model_place_open(own.device, own.precision, &opened);
    if (status == CHL_OK) status = run_on(training, &own, place ? place : &opened, &comm);
    if (status != CHL_ERR_RANK) status = chl_ranks_tell(comm, status);
    chl_ranks_leave(comm);
    if (opened.device) chl_device_close(opened.device);
    return status;
}

chl_status chl_trainer_run_at(const chl_training *training, const chl_train_options *options,
                              const chl_model_place *place) {
    return run_at(training, options, place);
}

chl_status chl_trainer_run(const chl_training *training, const chl_train_options *options) {
    return run_at(training, options, NULL);
}

/* --- by name ---------------------------------------------------------------------------------- */
static const chl_training *find_by_name(const char *name) {
    for (int i = 0; i < training_count; i++)
        if (strcmp(trainings[i]->name, name) == 0) return trainings[i];
    return NULL;
}

/* "audio, clip or generator" */
static const char *list_names(char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < training_count && used < size; i++) {
        const char *before = i == 0 ? "" : i + 1 < training_count ? ", " : " or ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", before, trainings[i]->name);
    }
    return text;
}

static chl_status find_training(const char *model, const chl_training **out) {
    char names[256];
    *out = model ? find_by_name(model) : NULL;
    if (*out) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "model must be %s, got \"%s\"",
                    list_names(names, sizeof names), model ? model : "");
}

chl_status chl_train_register(const chl_training *training) {
    const chl_training *known = find_by_name(training->name);
    if (known == training) return CHL_OK;
    if (known) return chl_fail(CHL_ERR_ARGUMENT, "two trainings are called \"%s\"", training->name);
    if (training_count == MAX_TRAININGS)
        return chl_fail(CHL_ERR_UNSUPPORTED, "training \"%s\": at most %d can be registered",
                        training->name, MAX_TRAININGS);
    trainings[training_count++] = training;
    return CHL_OK;
}

chl_status chl_train_options_init(const char *model, size_t size, chl_train_options *options) {
    CHL_NEEDS(model, options);
    const chl_training *training;
    CHL_TRY(find_training(model, &training));
    const chl_train_options defaults = chl_training_defaults(training);
    chl_options_give(options, size, &defaults, sizeof defaults);
    return CHL_OK;
}

chl_status chl_train(const chl_train_options *options) {
    /* which training comes first: its defaults are what an older, smaller struct lacks */
    chl_train_options named = {.size = sizeof named};
    CHL_TRY(chl_options_take(&named, sizeof named, options, "chl_train_options"));
    const chl_training *training;
    CHL_TRY(find_training(named.model, &training));
    return chl_trainer_run(training, options);
}
