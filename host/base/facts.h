/* Facts: what a weight file states about its network beside the arrays, such as the arguments that
 * NVIDIA's pickles store with each module. A reader of a network obeys a fact or refuses the file;
 * it never ignores one, because a network that is computed with other settings gives other numbers
 * without an error.
 *
 *     name                              value
 *     :synthesis_kwargs.conv_clamp      256           argument of the whole network
 *     synthesis.b8.conv0:up             2             of the module synthesis.b8.conv0
 *     synthesis.b8.conv0:[0]            512           an argument without a name, the first
 *
 * The name is the module, a colon, the argument. The value is written as Python prints it: None,
 * True, 256, 0.01, 'lrelu', [1, 3, 3, 1]; <object> for what cannot be read. */
#ifndef CHL_BASE_FACTS_H
#define CHL_BASE_FACTS_H
#include "base/params.h"

/* Adds a fact. One that is stated twice must be stated alike, else CHL_ERR_FORMAT. */
chl_status chl_params_state(chl_params *params, const char *name, const char *value);
/* Removes the facts whose name starts with `prefix`: they are of another network in the file. */
void chl_params_drop_facts(chl_params *params, const char *prefix);
/* True for a number or a truth value (then 0 or 1). */
bool chl_fact_number(const chl_fact *fact, double *number);
/* CHL_ERR_UNSUPPORTED: FILE states "NAME" = VALUE, expected EXPECTED. */
chl_status chl_fact_refuse(const chl_params *params, const chl_fact *fact, const char *expected);
/* The same unless the value is `expected`. */
chl_status chl_fact_need(const chl_params *params, const chl_fact *fact, const char *expected);
/* A setting with one value wherever it is stated: *first is the first fact of it, NULL at the start.
 */
chl_status chl_facts_agree(const chl_params *params, const chl_fact **first, const chl_fact *fact);

/* --- for a network's reader of facts ---------------------------------------------------------- */
/* "padding" of "synthesis.L0_36_512:padding" and of ":synthesis_kwargs.padding". */
const char *chl_fact_argument(const chl_fact *fact);
/* Whether the argument is one of a list that ends with NULL. */
bool chl_fact_is_one_of(const char *argument, const char *const *list);
/* An argument without a name must be a number: the size of a layer, or of the whole network. */
chl_status chl_fact_is_size(const chl_params *params, const chl_fact *fact);
/* CHL_ERR_UNSUPPORTED: nothing is known of this argument of `network`, e.g. "StyleGAN2". */
chl_status chl_fact_is_unknown(const chl_params *params, const chl_fact *fact, const char *network);
#endif
