#include "train/picture_batch.h"
#include "train/stand_in.h"

chl_status chl_picture_batch_new(chl_trainer *t, int side, chl_picture_batch *out) {
    const int64_t values = 3 * (int64_t)side * side;
    *out = (chl_picture_batch){
        .side = side,
        .sample = chl_trainer_memory(t, t->options->batch, sizeof *out->sample),
        .bytes = chl_trainer_memory(t, t->batch, sizeof *out->bytes),
        .pixels = chl_trainer_memory(t, t->batch * values, sizeof *out->pixels)};
    return chl_trainer_memory_status(t);
}

chl_status chl_picture_batch_read(chl_trainer *t, chl_picture_batch *batch, int64_t step) {
    const chl_train_options *o = t->options;
    chl_dataset_next_batch(t->data);
    CHL_TRY(chl_dataset_batch(t->data, o->seed, step, o->batch, batch->sample));
    for (int i = 0; i < t->batch; i++)
        CHL_TRY(chl_stand_in_picture(t->data, o->seed, step, t->first + i, batch->side,
                                     &batch->sample[t->first + i], &batch->bytes[i]));
    return CHL_OK;
}

chl_status chl_picture_batch_write(chl_trainer *t, chl_picture_batch *batch, chl_tensor input) {
    const int64_t values = 3 * (int64_t)batch->side * batch->side;
    for (int i = 0; i < t->batch; i++)
        for (int64_t k = 0; k < values; k++)
            batch->pixels[i * values + k] = (float)batch->bytes[i][k] * (2.0f / 255) - 1;
    return chl_trainer_write(t, input, batch->pixels);
}
