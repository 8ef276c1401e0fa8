/* A generator: z -> w -> picture, whatever network it is. registry.h opens it.
 *
 *     chl_generator *generator;
 *     const chl_generator_settings settings = {0};
 *     CHL_TRY(chl_generator_open(&place, "ffhq.pkl", &settings, &generator));
 *     CHL_TRY(chl_generator_seed_code(generator, 7, 0.7f, code));
 *     CHL_TRY(chl_generator_render(generator, 1, generator->sizes.picture, code, pixels));
 *     chl_generator_close(generator);
 *
 * or as nodes of a larger graph, e.g. an edit's:
 *
 *     chl_net net = chl_model_net(&generator->model, g);
 *     chl_tensor w = chl_input(g, "w", chl_generator_codes(generator, n));
 *     chl_tensor picture = chl_generator_synthesize(generator, &net, w);
 *     chl_net_done(&net);
 *
 * A code is [rows][latent]: a w for each layer group that takes one (W+ for StyleGAN2). */
#ifndef CHL_MODELS_GENERATOR_H
#define CHL_MODELS_GENERATOR_H
#include "models/code_statistics.h"
#include "models/model.h"

typedef struct chl_generator_settings {
    float conv_clamp; /* 0: by the file's kind; < 0: none */
    int class_number; /* 1 + the class; 0: the generator must have none */
} chl_generator_settings;

typedef struct chl_generator_sizes {
    int picture; /* pixels on a side */
    int rows;    /* of a code */
    int latent;  /* numbers in a row, d */
    int z;       /* numbers in a z; 0 without a mapping network */
} chl_generator_sizes;

/* What a kind of generator has to offer. `config` is the kind's own description of the opened file.
 */
typedef struct chl_generator_kind {
    chl_model_kind kind;
    size_t config_bytes;
    /* Renames the file's keys to the network's own and sets *config, which is zeroed, and the sizes;
     * *clamp is where it holds the bound of its convolutions. */
    chl_status (*import)(chl_params *params, void *config, chl_generator_sizes *sizes,
                         float **clamp);
    /* z [n][sizes.z] -> w [n][sizes.latent]; only where sizes.z is not 0 */
    chl_tensor (*map)(chl_net *net, const void *config, chl_tensor z);
    /* w [n][rows][latent] -> pictures [n][picture][picture][3] */
    chl_tensor (*synthesize)(chl_net *net, const void *config, chl_tensor w);
    /* States (base/facts.h) what a file under the network's names, unlike the opened one's, would not
     * tell, beside the clamp. NULL: nothing. */
    chl_status (*state)(chl_params *params, const void *config);
} chl_generator_kind;
extern const chl_generator_kind chl_kind_stylegan2; /* generator_stylegan2.c */
extern const chl_generator_kind chl_kind_stylegan3; /* generator_stylegan3.c */

typedef struct chl_generator {
    chl_model model;
    const chl_generator_kind *kind;
    void *config; /* the kind's */
    chl_generator_sizes sizes;
    float *average; /* centre of W [average_rows][latent]; NULL before chl_generator_average */
    int average_rows;
    chl_code_statistics *statistics; /* made at first use */
    float *clamp;                    /* of its convolutions, in config; 0: none */
    void **original; /* [params] the file's data of arrays that were replaced; NULL: of none */
} chl_generator;

/* Takes the model over, also when it fails. */
chl_status chl_generator_new(const chl_model *model, const chl_generator_kind *kind,
                             const chl_generator_settings *settings, chl_generator **out);
void chl_generator_close(chl_generator *generator); /* NULL is fine */

/* Error unless there is a generator (NULL: none) and it has a mapping network. */
chl_status chl_generator_need_mapping(const chl_generator *generator, const char *why);

/* --- other weights: generator_tuned.c --------------------------------------------------------- */
/* Takes over `data` (64-byte aligned, to be freed, of the array's size) as the weights of that name.
 * Graphs that are kept are forgotten; no other graph of the generator may be in use. */
chl_status chl_generator_replace(chl_generator *generator, const char *name, void *data);
/* The file's weights again. */
void chl_generator_restore(chl_generator *generator);
/* All weights under the network's names, as safetensors that open as this generator. */
chl_status chl_generator_write(const chl_generator *generator, const char *path);

/* --- nodes ------------------------------------------------------------------------------------ */
/* z [n][z] -> w [n][latent] */
chl_tensor chl_generator_map_nodes(const chl_generator *generator, chl_net *net, chl_tensor z);
/* w [n][rows][latent] -> pictures [n][picture][picture][3], about [-1,1], not clamped */
chl_tensor chl_generator_synthesize(const chl_generator *generator, chl_net *net, chl_tensor w);
/* The shape of n codes: [n][rows][latent]. */
chl_desc chl_generator_codes(const chl_generator *generator, int n);

/* --- values ----------------------------------------------------------------------------------- */
/* z [n][z] -> w [n][latent], in one run of n. Needs the mapping network. */
chl_status chl_generator_map(chl_generator *generator, int n, const float *z, float *w);
/* w [n][latent] -> codes [n][rows][latent]: each row average + psi (w - average); psi 1: w. Another
 * psi needs chl_generator_average first. */
chl_status chl_generator_truncate(const chl_generator *generator, int64_t n, const float *w,
                                  float psi, float *codes);
/* z drawn from `seed` (at most UINT32_MAX), mapped, truncated: code [rows][latent]. */
chl_status chl_generator_seed_code(chl_generator *generator, uint64_t seed, float truncation,
                                   float *code);
/* codes [n][rows][latent] -> pixels [n][side][side][3], n in one run; averaged over areas where
 * `side` is not the generator's. */
chl_status chl_generator_render(chl_generator *generator, int n, int side, const float *codes,
                                float *pixels);
/* The same at the generator's own size, one after another: any number of codes takes the memory and
 * gives the bits of one. */
chl_status chl_generator_render_each(chl_generator *generator, int64_t n, const float *codes,
                                     float *pixels);

/* Sets `average`: the file's, or the mean of mapped codes when it has none. With classes it is the
 * mean of the chosen class. */
chl_status chl_generator_average(chl_generator *generator);
/* What an edit's distances are measured by: of 4096 mapped codes of seed 0, untruncated, the number
 * that the papers take the centre of. Computed once; needs the mapping network. */
chl_status chl_generator_statistics(chl_generator *generator, const chl_code_statistics **out);
/* The same with `root` and `rank`. */
chl_status chl_generator_whitening(chl_generator *generator, const chl_code_statistics **out);
#endif
