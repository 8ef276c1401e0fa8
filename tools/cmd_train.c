#include "command.h"
#include "ranks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct train_job {
    chl_train_options options;
    int steps, stop_after, save_every, micro_batch, pictures_every; /* as flags know them */
    int ranks;                                                      /* --ranks; 0: not given */
    rank_place place;
    char device[32]; /* of a rank on a GPU */
    bool resume, json, measured_w, mirror, conditional, cache_mels;
    float memory; /* GB */
    bool steps_given, epochs_given;
    chl_train_progress last;
    double shown; /* seconds at the last progress line */
    bool terminal;
} train_job;

static void show(train_job *job) {
    const chl_train_progress *p = &job->last;
    fprintf(stderr, "%straining %s: step %lld/%lld  loss %.5f  rate %.2e  %.0f s, %.0f s left%s",
            job->terminal ? "\r" : "", job->options.model, (long long)p->step, (long long)p->steps,
            (double)p->loss, (double)p->rate, p->seconds, p->seconds_left,
            job->terminal ? "   " : "\n");
    fflush(stderr);
    job->shown = p->seconds;
}

static int on_step(void *user, const chl_train_progress *progress) {
    train_job *job = user;
    const bool first = job->last.step == 0;
    job->last = *progress;
    if (first) forget_meeting(&job->place); /* every rank has taken part in a step */
    /* often enough to see it move; rarely enough for a log file */
    if (!job->json && job->place.rank == 0 &&
        (first || progress->seconds - job->shown > (job->terminal ? 0.2 : 30)))
        show(job);
    return interrupted();
}

static int told_to_stop(void *user) {
    (void)user;
    return interrupted();
}

static int report(const train_job *job, bool complete) {
    const chl_train_progress *p = &job->last;
    if (!job->json) {
        fprintf(stderr, "%s: %s after step %lld of %lld%s\n", shown(job->options.out),
                complete ? "done" : "stopped", (long long)p->step, (long long)p->steps,
                complete ? "" : ": continue with --resume");
        return EXIT_OK;
    }
    json_t *loss = p->step > 0 ? json_real((double)p->loss) : json_null();
    return print_json(json_pack("{s:s,s:o,s:I,s:I,s:b,s:o,s:f}", "model", job->options.model, "out",
                                json_text(job->options.out), "step", (json_int_t)p->step, "steps",
                                (json_int_t)p->steps, "complete", complete, "loss", loss, "seconds",
                                p->seconds),
                      REPORT_DIGITS);
}

/* 75 (EX_TEMPFAIL) tells a batch system to start the same command again with --resume. */
static int stop_code(void) {
    return interrupted() && interrupt_code() == EXIT_INTERRUPT ? EXIT_INTERRUPT : EXIT_AGAIN;
}

/* Rank 0 reports; an error comes from the rank that had it first. */
static int end_of_other_rank(const train_job *job, chl_status status) {
    char before[32];
    if (status == CHL_OK) return EXIT_OK;
    if (status == CHL_ERR_CANCELLED) return stop_code();
    if (status == CHL_ERR_RANK) return EXIT_RUN;
    snprintf(before, sizeof before, "rank %d: ", job->place.rank);
    say_error(before);
    return EXIT_RUN;
}

/* Of a run of which no step has told: --epochs in steps is in the run folder. */
static chl_status planned_steps(const train_job *job, int64_t *steps) {
    char *path;
    json_t *options;
    *steps = job->steps;
    if (job->options.epochs == 0) return CHL_OK;
    if (asprintf(&path, "%s/options.json", job->options.out) < 0)
        return command_fail(CHL_ERR_MEMORY, "out of memory for a path");
    const chl_status status = json_read_file(path, &options, NULL);
    *steps = json_integer_value(json_object_get(options, "steps"));
    json_decref(options);
    free(path);
    return status == CHL_ERR_MEMORY ? status : CHL_OK;
}

static int run(train_job *job) {
    watch_interrupts();
    job->terminal = isatty(STDERR_FILENO);
    job->options.progress = on_step;
    job->options.told_to_stop = told_to_stop;
    job->options.user = job;
    chl_status status = chl_train(&job->options);
    forget_meeting(&job->place);
    if (job->place.rank > 0) return end_of_other_rank(job, status);
    if (job->last.step > 0 && !job->json) {
        show(job);
        if (job->terminal) fputc('\n', stderr);
    }
    if (status == CHL_ERR_RANK) return EXIT_RUN;
    if (status != CHL_OK && status != CHL_ERR_CANCELLED) return run_error();
    const bool complete = status == CHL_OK;
    if (job->last.step == 0 && planned_steps(job, &job->last.steps) != CHL_OK) return run_error();
    if (complete && job->last.step == 0) { /* nothing was left to do */
        const int64_t stop = job->stop_after, steps = job->last.steps;
        job->last.step = stop > 0 && stop < steps ? stop : steps;
    }
    const int code = report(job, complete);
    return complete ? code : stop_code();
}

static int check(const command_line *line, train_job *job) {
    chl_train_options *o = &job->options;
    if (!o->data) return usage_error(line, "--data is missing");
    if (!o->out) return usage_error(line, "--out is missing");
    if (job->steps_given && job->epochs_given)
        return usage_error(line, "give --steps or --epochs, not both");
    if (job->steps_given) o->epochs = 0; /* of the recipe */
    if (o->epochs < 0) return usage_error(line, "--epochs must be >= 0, got %d", o->epochs);
    if (job->ranks < 0) return usage_error(line, "--ranks must be >= 0, got %d", job->ranks);
    o->steps = job->steps;
    o->stop_after = job->stop_after;
    o->save_every = job->save_every;
    o->micro_batch = job->micro_batch;
    o->resume = job->resume;
    o->measured_w = job->measured_w;
    o->mirror = job->mirror;
    o->cache_mels = job->cache_mels;
    o->conditional = job->conditional;
    o->pictures_every = job->pictures_every;
    if (!(job->memory >= 0 && job->memory < 1e6f))
        return usage_error(line, "--memory must be >= 0 GB, got %g", (double)job->memory);
    o->memory = (int64_t)(1e9 * (double)job->memory);
    return EXIT_OK;
}

static const char usage[] = "train (audio | classifier | clip | generator | gan | encoder | judge) "
                            "--data DIR --out DIR [--resume] ...";
static const char about[] =
    "Trains a model on a folder of sounds, pictures and words; writes a run folder.\n"
    "SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGHUP and SIGPIPE save and exit with 75, ctrl-C saves "
    "and\n"
    "exits with 130.";

static int parse(train_job *job, const char *text, int argc, char **argv, bool *done) {
    chl_train_options *o = &job->options;
    const char *recipe; /* use_recipe has applied it */
    const option options[] = {
        {"data", NULL, OPTION_TEXT, &o->data, "SRC",
         "folder with pairs.jsonl, or another source (manifest, ESC-50, ..., shards)", NULL},
        {"out", NULL, OPTION_TEXT, &o->out, "DIR", "run folder; created if it does not exist",
         NULL},
        {"resume", NULL, OPTION_FLAG, &job->resume, NULL, "continue from the checkpoint in --out",
         NULL},
        {"recipe", NULL, OPTION_TEXT, &recipe, "NAME|list",
         "options of a published training; other flags change single ones (list: the names)", NULL},
        {"encoder", NULL, OPTION_TEXT, &o->encoder, "swin|resnet18|resnet50",
         "audio, classifier: network; the paper's (default), its predecessor's, or the supervised "
         "baseline's",
         NULL},
        {"sizes", NULL, OPTION_TEXT, &o->sizes, "K=N,...",
         "sizes of the network, e.g. embed=48,depths=2-2-2", NULL},
        {"steps", NULL, OPTION_INT, &job->steps, "N", "steps of the whole schedule",
         &job->steps_given},
        {"epochs", NULL, OPTION_INT, &o->epochs, "N", "passes over the data, instead of --steps",
         &job->epochs_given},
        {"stop-after", NULL, OPTION_INT, &job->stop_after, "N",
         "stop after this step, with the schedule of --steps", NULL},
        {"save-every", NULL, OPTION_INT, &job->save_every, "N", "steps between checkpoints", NULL},
        {"keep", NULL, OPTION_INT, &o->keep, "N",
         "checkpoints that are kept, the newest as checkpoint.safetensors (default 2, also for 0)",
         NULL},
        {"batch", NULL, OPTION_INT, &o->batch, "N", "samples per step", NULL},
        {"micro-batch", NULL, OPTION_INT, &job->micro_batch, "N",
         "audio, classifier, clip: max. samples whose activations are in memory at a time (default "
         "0: all)",
         NULL},
        {"optimizer", "optimiser", OPTION_TEXT, &o->optimizer, "adamw|sgd",
         "AdamW (default), or gradient descent with --momentum", NULL},
        {"momentum", NULL, OPTION_FLOAT, &o->momentum, "X", "of sgd (default 0.9)", NULL},
        {"rate", "lr", OPTION_FLOAT, &o->rate, "X", "peak learning rate", NULL},
        {"lowest-rate", NULL, OPTION_FLOAT, &o->lowest_rate, "X",
         "learning rate at the ends of a cycle (default 0)", NULL},
        {"schedule", NULL, OPTION_TEXT, &o->schedule, "cosine|triangle",
         "how the learning rate falls in a cycle: by half a cosine (default), or in a straight "
         "line",
         NULL},
        {"cycles", NULL, OPTION_INT, &o->cycles, "N",
         "cycles of the schedule (0: the rate stays at its peak)", NULL},
        {"warm-up", NULL, OPTION_FLOAT, &o->warm_up, "X",
         "share of a cycle with rising learning rate", NULL},
        {"beta1", NULL, OPTION_FLOAT, &o->beta1, "X", "Adam's decay of the first moment", NULL},
        {"beta2", NULL, OPTION_FLOAT, &o->beta2, "X", "Adam's decay of the second moment", NULL},
        {"weight-decay", "decay", OPTION_FLOAT, &o->decay, "X",
         "weight decay, not applied to biases; AdamW's is decoupled", NULL},
        {"average", "ema", OPTION_FLOAT, &o->average, "X",
         "decay of the weights' moving average, which is what is saved for use; 0: none", NULL},
        {"seed", NULL, OPTION_SEED, &o->seed, "N", "seed of all random numbers", NULL},
        {"start", NULL, OPTION_INPUT, &o->start, "FILE",
         "initial weights, for arrays of the same name and shape", NULL},
        {"clip", NULL, OPTION_INPUT, &o->clip, "FILE",
         "audio: weights of the frozen CLIP pair; encoder: also compare its embeddings", NULL},
        {"vocab", NULL, OPTION_INPUT, &o->vocab, "FILE", "audio, clip: CLIP's BPE merges", NULL},
        {"generator", "ckpt", OPTION_INPUT, &o->generator, "FILE",
         "clip: also learn from this generator's pictures; encoder: find its codes", NULL},
        {"face", NULL, OPTION_INPUT, &o->face, "FILE",
         "encoder: also compare this face encoder's embeddings", NULL},
        {"weight-pixels", NULL, OPTION_FLOAT, &o->weight_pixels, "X",
         "encoder: weight of the squared difference of pixels (default 1)", NULL},
        {"weight-clip", NULL, OPTION_FLOAT, &o->weight_clip, "X",
         "encoder: weight of CLIP's distance (default 0.1)", NULL},
        {"weight-identity", NULL, OPTION_FLOAT, &o->weight_identity, "X",
         "encoder: weight of the identity loss (default 0.1)", NULL},
        {"weight-delta", NULL, OPTION_FLOAT, &o->weight_delta, "X",
         "encoder: weight of the lengths of what rows add to the first (default 0.0002)", NULL},
        {"wordnet", NULL, OPTION_TEXT, &o->wordnet, "DIR",
         "audio: folder of WordNet's files, for synonyms", NULL},
        {"weight-text", NULL, OPTION_FLOAT, &o->weight_text, "X", "weight of the sound-text loss",
         NULL},
        {"weight-image", NULL, OPTION_FLOAT, &o->weight_image, "X",
         "weight of the sound-picture loss", NULL},
        {"weight-sound", NULL, OPTION_FLOAT, &o->weight_sound, "X",
         "weight of the sound-sound loss", NULL},
        {"weight-weak-pair", NULL, OPTION_FLOAT, &o->weight_weak_pair, "X",
         "weight of the weak-pair loss L_kl (Eq. 9-12)", NULL},
        {"tau-weak-pair", NULL, OPTION_FLOAT, &o->tau_weak_pair, "X", "temperature of L_kl", NULL},
        {"weight-cosine", NULL, OPTION_FLOAT, &o->weight_cosine, "X",
         "audio: weight of 1 - the cosine of a sound and its text (default 0: none)", NULL},
        {"near-texts", NULL, OPTION_FLOAT, &o->near_texts, "X",
         "audio: sounds whose texts have at least this cosine are no negatives of each other "
         "(default 0: all are)",
         NULL},
        {"adversary", NULL, OPTION_FLOAT, &o->adversary, "X",
         "clip: max. adversarial shift of the generator's codes (0: none)", NULL},
        {"measured-w", NULL, OPTION_FLAG, &job->measured_w, NULL,
         "generator: the first components of w equal the attributes in attributes.npy", NULL},
        {"mask-bands", NULL, OPTION_FLOAT, &o->mask_bands, "X",
         "SpecAugment: max. share of the bands in a mask", NULL},
        {"mask-frames", NULL, OPTION_FLOAT, &o->mask_frames, "X",
         "SpecAugment: max. share of the frames in a mask", NULL},
        {"augment", NULL, OPTION_TEXT, &o->augment, "none|sound|mel|bgc|...",
         "gan: what happens to all that the discriminator sees, a pipe of StyleGAN2-ADA's (blit, "
         "geom, color, filter, noise, cutout, bg, bgc, bgcf, bgcfn, bgcfnc); "
         "audio, classifier: what recordings do to sounds (cuts, loops, backgrounds, rooms, "
         "codecs, gain, "
         "...), "
         "drawn anew for every sample and step",
         NULL},
        {"augment-p", NULL, OPTION_FLOAT, &o->augment_p, "X",
         "gan: probability of each of the transformations of --augment (default 0: adaptive)",
         NULL},
        {"augment-target", NULL, OPTION_FLOAT, &o->augment_target, "X",
         "gan: adaptive, the mean sign of the scores of the data's pictures (default 0.6)", NULL},
        {"augment-kimg", NULL, OPTION_FLOAT, &o->augment_kimg, "X",
         "gan: adaptive, thousands of pictures in which the probability moves by 1 (default 500)",
         NULL},
        {"short-sounds", NULL, OPTION_TEXT, &o->short_sounds, "pad|repeat",
         "audio, classifier: after a sound shorter than ten seconds comes silence (default) or the "
         "sound again",
         NULL},
        {"balance", NULL, OPTION_TEXT, &o->balance, "none|label|source",
         "audio, classifier: draw kinds (or labels) equally often, with source also each kind's "
         "sources",
         NULL},
        {"split", NULL, OPTION_TEXT, &o->split, "NAME,...",
         "of a source with splits or folds only these, e.g. train or 1,2,3,4", NULL},
        {"tolerate", NULL, OPTION_FLOAT, &o->tolerate, "X",
         "share of the clips or pictures that may be missing or unreadable (default 0.25); they "
         "are named in OUT/left-out.txt",
         NULL},
        {"cache", NULL, OPTION_TEXT, &o->cache, "DIR",
         "audio, classifier: folder that keeps embeddings of texts and pictures for all runs",
         NULL},
        {"cache-mels", NULL, OPTION_FLAG, &job->cache_mels, NULL,
         "audio, classifier: it also keeps the mel pictures of sounds, a byte a number, so that "
         "they are not "
         "decoded "
         "again",
         NULL},
        {"memory", NULL, OPTION_FLOAT, &job->memory, "GB",
         "max. memory for decoded sounds and pictures; the others are decoded at each use (default "
         "4.3)",
         NULL},
        {"network", NULL, OPTION_TEXT, &o->network, "stylegan2|stylegan3-t|stylegan3-r",
         "gan: the generator (default stylegan2); --recipe of the name sets what belongs to it",
         NULL},
        {"blur-sigma", NULL, OPTION_FLOAT, &o->blur_sigma, "X",
         "gan: pixels by which all that the discriminator sees is blurred at first (0: none)",
         NULL},
        {"blur-kimg", NULL, OPTION_FLOAT, &o->blur_kimg, "X",
         "gan: thousands of pictures in which the blur falls to 0 (default 0: batch * 200 / 32)",
         NULL},
        {"resolution", NULL, OPTION_INT, &o->resolution, "N",
         "gan: pixels on a side, a power of two (default 256)", NULL},
        {"r1", "gamma", OPTION_FLOAT, &o->r1, "X",
         "gan: gamma of the R1 penalty (default 0: 0.0002 resolution^2 / batch; below 0: none)",
         NULL},
        {"path-length", NULL, OPTION_FLOAT, &o->path_length, "X",
         "gan: weight of the path length penalty (0: none)", NULL},
        {"mixing", NULL, OPTION_FLOAT, &o->mixing, "X",
         "gan: probability that a batch's codes are mixed of two", NULL},
        {"rate-critic", NULL, OPTION_FLOAT, &o->rate_critic, "X",
         "gan: the discriminator's learning rate (default 0: --rate)", NULL},
        {"average-kimg", NULL, OPTION_FLOAT, &o->average_kimg, "X",
         "gan: half-life of the generator's average in thousands of pictures (default 0: batch * "
         "10 / 32)",
         NULL},
        {"average-ramp", NULL, OPTION_FLOAT, &o->average_ramp, "X",
         "gan: the half-life is at most this share of the pictures so far (0: no bound)", NULL},
        {"mirror", NULL, OPTION_FLAG, &job->mirror, NULL,
         "gan: half of the pictures, drawn anew, are mirrored left to right", NULL},
        {"conditional", NULL, OPTION_FLAG, &job->conditional, NULL,
         "gan: the pictures' labels are classes; OUT/classes.txt numbers them", NULL},
        {"group", NULL, OPTION_INT, &o->group, "N",
         "gan: samples of a minibatch deviation (default 4)", NULL},
        {"pictures-every", NULL, OPTION_INT, &job->pictures_every, "N",
         "gan: steps between sheets of the generator's pictures, OUT/fakes-STEP.png", NULL},
        {"device", NULL, OPTION_TEXT, &o->device, "cpu|cuda|cuda:N|auto",
         "device that computes (default auto: a GPU if there is one)", NULL},
        {"precision", NULL, OPTION_CHOICE, &o->precision, "auto|float32|bf16",
         "of activations (default float32; auto: bf16 on a GPU, float32 on the CPU)", NULL},
        {"ahead", NULL, OPTION_INT, &o->ahead, "N",
         "max. batches made ahead of the step (default: 1 on a GPU, 0 on the CPU)", NULL},
        {"ranks", NULL, OPTION_INT, &job->ranks, "N",
         "processes on this machine that compute each step together, each on a part of the batch "
         "(default: as many as mpirun, srun or torchrun has started, else 1)",
         NULL},
        {"json", NULL, OPTION_FLAG, &job->json, NULL, "print the report as JSON on stdout", NULL},
    };
    command_line line = {.usage = usage,
                         .about = text,
                         .options = options,
                         .count = sizeof options / sizeof options[0]};
    const int code = parse_options(&line, argc, argv, done);
    return code != EXIT_OK || *done ? code : check(&line, job);
}

/* Of several ranks each has a GPU of its own, by its number on the machine, where GPUs are asked
 * for. A launcher may have given each process another device. */
static void choose_device(train_job *job) {
    const char *asked = job->options.device;
    if (!asked || strcmp(asked, "auto") == 0) job->options.device = "cpu";
    if (!asked || strcmp(asked, "cuda") != 0) return;
    snprintf(job->device, sizeof job->device, "cuda:%d", job->place.local);
    job->options.device = job->device;
}

/* A rank, one process alone, or the parent of all ranks. */
static int run_as_rank(train_job *job, int argc, char **argv) {
    char why[256];
    if (!find_rank(job->ranks, &job->place, why, sizeof why))
        return usage_error(&(command_line){.usage = usage}, "%s", why);
    if (!job->place.launcher && job->ranks > 1) {
        const char *device = job->options.device;
        if (device && strncmp(device, "cuda:", 5) == 0)
            return usage_error(&(command_line){.usage = usage},
                               "--ranks %d --device %s: each rank needs a GPU of its own: give "
                               "--device cuda, and choose GPUs with CUDA_VISIBLE_DEVICES",
                               job->ranks, device);
        return run_ranks(job->ranks, argc + 1, argv - 1);
    }
    job->options.ranks = job->place.ranks;
    job->options.rank = job->place.rank;
    job->options.meeting = job->place.meeting;
    if (job->place.ranks > 1) choose_device(job);
    if (job->place.rank > 0) chl_log_to(NULL, NULL); /* its log file has all of it */
    return run(job);
}

/* --help of a model lists its own defaults, or those of the recipe. */
static void describe(const chl_train_options *o, char *text, size_t size) {
    const long long length = o->epochs > 0 ? o->epochs : o->steps;
    char cycles[32] = "constant";
    if (o->cycles > 0)
        snprintf(cycles, sizeof cycles, "in %d cycle%s", o->cycles, o->cycles == 1 ? "" : "s");
    snprintf(text, size,
             "%s\n\n%s%s of %s: %lld %s of %d samples, %s, rate %g %s, warm-up %g,\n"
             "beta1 %g, beta2 %g, weight decay %g, average %g, saved every %lld steps.",
             about, o->recipe ? "Recipe " : "Defaults", o->recipe ? o->recipe : "", o->model,
             length, o->epochs > 0 ? "epochs in batches" : "steps", o->batch,
             o->optimizer ? o->optimizer : "adamw", (double)o->rate, cycles, (double)o->warm_up,
             (double)o->beta1, (double)o->beta2, (double)o->decay, (double)o->average,
             (long long)o->save_every);
}

/* --- recipes ---------------------------------------------------------------------------------- */
static void list_recipes(const char *model) {
    const chl_train_recipe *recipe;
    bool any = false;
    for (int i = 0; (recipe = chl_train_recipe_at(i)); i++) {
        if (strcmp(recipe->model, model) != 0) continue;
        printf("%-10s %s\n", recipe->name, recipe->about);
        any = true;
    }
    if (!any) printf("%s has no recipes\n", model);
}

/* The value of a flag, wherever it stands: other flags change what the recipe sets. */
static const char *find_flag(const char *name, int argc, char **argv) {
    const size_t length = strlen(name);
    const char *found = NULL;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            found = argv[i] + length + 1;
        if (strcmp(argv[i], name) == 0 && i + 1 < argc) found = argv[++i];
    }
    return found;
}

static int use_recipe(train_job *job, int argc, char **argv, bool *done) {
    const char *name = find_flag("--recipe", argc, argv);
    const char *resolution = find_flag("--resolution", argc, argv);
    *done = name && strcmp(name, "list") == 0;
    if (*done) list_recipes(job->options.model);
    if (!name || *done) return *done ? finish_output(EXIT_OK) : EXIT_OK;
    if (resolution) job->options.resolution = atoi(resolution); /* parse() says where it is none */
    if (chl_train_options_recipe(name, sizeof job->options, &job->options) == CHL_OK)
        return EXIT_OK;
    return usage_error(&(command_line){.usage = usage}, "%s", chl_error());
}

int command_train(int argc, char **argv) {
    train_job job = {0};
    char text[1024];
    bool done;
    use_flag("rate", "--rate");
    const bool named = argc > 0 && argv[0][0] != '-';
    snprintf(text, sizeof text, "%s", about);
    if (named) {
        if (chl_train_defaults(argv[0], &job.options) != CHL_OK)
            return usage_error(&(command_line){.usage = usage}, "%s", chl_error());
        const int code = use_recipe(&job, argc, argv, &done);
        if (code != EXIT_OK || done) return code;
        describe(&job.options, text, sizeof text);
    }
    job.steps = (int)job.options.steps;
    job.save_every = (int)job.options.save_every;
    job.pictures_every = (int)job.options.pictures_every;
    job.mirror = job.options.mirror != 0; /* of the recipe */
    const bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    if (!named && !help)
        return usage_error(
            &(command_line){.usage = usage},
            "give a model to train: audio, classifier, clip, generator, gan or judge");
    const int code = parse(&job, text, argc - named, argv + named, &done);
    return code != EXIT_OK || done ? code : run_as_rank(&job, argc, argv);
}
