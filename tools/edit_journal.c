#include "edit_journal.h"
#include "outputs.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- what the codes depend on ----------------------------------------------------------------- */
/* A file that has become another one has another size or time. */
static json_t *file_facts(const char *path) {
    struct stat about;
    if (!path) return json_null();
    if (stat(path, &about) != 0) return json_text(path);
    return json_pack("[o, I, I, I]", json_text(path), (json_int_t)about.st_size,
                     (json_int_t)about.st_mtim.tv_sec, (json_int_t)about.st_mtim.tv_nsec);
}

static json_t *text_or_null(const char *text) {
    return text ? json_text(text) : json_null();
}

static json_t *models_facts(const chl_engine_options *m) {
    return json_pack("[o, o, o, o, o, i, i, i, i, i, i, f, o, o, f, f]", file_facts(m->generator),
                     file_facts(m->clip), file_facts(m->vocab), file_facts(m->audio),
                     file_facts(m->face), (int)m->mel, (int)m->precision, m->clip_exact_gelu,
                     m->clip_compatible, m->clip_image_heads, m->clip_text_heads,
                     (double)m->conv_clamp, text_or_null(m->device), file_facts(m->sound_texts),
                     (double)m->sound_texts_temperature, (double)m->sound_own_share);
}

static json_t *targets_facts(const edit_job *job) {
    json_t *all = json_array();
    for (int i = 0; i < job->sound.count; i++) json_add(all, file_facts(job->sound.item[i]));
    json_add(all, text_or_null(job->ask.text));
    json_add(all, text_or_null(job->ask.neutral));
    json_add(all, json_integer(job->targets));
    json_add(all, json_real((double)job->gain));
    for (int i = 0; edit_by_level(job) && i < job->targets; i++)
        json_add(all, json_real((double)job->level[i]));
    return all;
}

static json_t *sources_facts(const edit_job *job) {
    return json_pack("[o, o, o, f, i, o, o]", text_or_null(job->seeds), file_facts(job->ask.image),
                     file_facts(job->ask.latent), (double)job->ask.truncation,
                     job->ask.invert_steps, file_facts(job->ask.models.encoder),
                     file_facts(job->ask.mask));
}

static json_t *settings_facts(const edit_job *job, const chl_edit_options *o) {
    return json_pack("[s, i, i, i, f, f, f, f, i, f, i, i, f, f, f, I, f, i, i, i, f]",
                     chl_version(), job->batch, job->strip_steps, o->steps, (double)o->rate,
                     (double)o->latent_weight, (double)o->latent_scale, (double)o->identity_weight,
                     (int)o->similarity, (double)o->margin, o->adaptive_mask, (int)o->space,
                     (double)o->latent_weight_rise, (double)o->mask_rate, (double)o->adam_eps,
                     (json_int_t)o->seed, o->region_weight, job->ask.tune, o->starts,
                     o->start_steps, o->code_noise);
}

/* FNV-1a; 0 without memory. */
static uint64_t digest(const edit_job *job, const chl_edit_options *options) {
    uint64_t hash = 0xcbf29ce484222325u;
    json_t *facts = json_pack("[o, o, o, o]", models_facts(&job->ask.models), targets_facts(job),
                              sources_facts(job), settings_facts(job, options));
    char *text = json_dumped(facts, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(facts);
    for (const char *at = text; at && *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    if (!text) hash = 0;
    free(text);
    return hash;
}

/* --- the folder ------------------------------------------------------------------------------- */
static void warn(const char *path) {
    fprintf(stderr, "chladni: warning: %s: finished edits cannot be kept for a later run: %s\n",
            shown(path), shown(chl_error()));
}

void edit_journal_open(edit_job *job, const chl_edit_options *options) {
    const char *out = job->out ? job->out : job->sheet ? job->sheet : job->strip;
    if (!out) out = job->latent_out;
    if (job->pairs <= job->batch || !out || job->ask.keep) return; /* codes alone are kept */
    const bool folder = job->out && job->sources * edit_results(job) > 1;
    const uint64_t hash = digest(job, options);
    if (hash == 0 || asprintf(&job->journal, "%s%cunfinished-%016llx", out, folder ? '/' : '.',
                              (unsigned long long)hash) < 0)
        job->journal = NULL;
}

/* Of the batch at job->at; NULL without memory. */
static char *file_of(const edit_job *job) {
    char *path;
    return asprintf(&path, "%s/%06d.npy", job->journal, job->at) < 0 ? NULL : path;
}

/* The parts of an entry: the codes, then those on the way, [1 + strip_steps][count] codes. */
static float *part(const edit_job *job, int i) {
    const size_t numbers = edit_code_numbers(job), pairs = (size_t)job->pairs;
    float *codes = i == 0 ? job->edited : job->trail + (size_t)(i - 1) * pairs * numbers;
    return codes + (size_t)job->at * numbers;
}

bool edit_journal_read(edit_job *job, int count) {
    char *path = job->journal ? file_of(job) : NULL;
    if (!path || access(path, R_OK) != 0) {
        free(path);
        return false;
    }
    const size_t size = (size_t)count * edit_code_numbers(job);
    int rank;
    int64_t dim[6];
    float *data;
    const chl_status status = chl_array_read(path, &rank, dim, &data);
    free(path);
    if (status != CHL_OK) return false; /* the batch is computed again */
    const bool fits = rank == 2 && dim[0] == 1 + job->strip_steps && dim[1] == (int64_t)size;
    for (int i = 0; fits && i <= job->strip_steps; i++)
        memcpy(part(job, i), data + (size_t)i * size, sizeof(float) * size);
    chl_release(data);
    return fits;
}

void edit_journal_write(edit_job *job, int count) {
    if (!job->journal) return;
    const size_t size = (size_t)count * edit_code_numbers(job);
    const int64_t dim[] = {1 + job->strip_steps, (int64_t)size};
    float *data = malloc(sizeof(float) * (size_t)dim[0] * size);
    char *path = file_of(job);
    for (int i = 0; data && i <= job->strip_steps; i++)
        memcpy(data + (size_t)i * size, part(job, i), sizeof(float) * size);
    mkdir(job->journal, 0777); /* an error shows at its file */
    if (!data || !path || chl_array_write(path, 2, dim, data) != CHL_OK) {
        warn(job->journal);
        edit_journal_close(job, false);
    }
    free(data);
    free(path);
}

void edit_journal_close(edit_job *job, bool done) {
    if (done && job->journal) {
        remove_own_folder(job->journal);
    }
    free(job->journal);
    job->journal = NULL;
}
