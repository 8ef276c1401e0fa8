/* What a run tells of its steps: each step once in every file, whatever happened between. */
#include "graph/build.h"
#include "io/event_file.h"
#include "io/picture.h"
#include "train/gradient_norm.h"
#include "train/toy.h"
#include "train/trainer_private.h"

/* --- event files, read back ------------------------------------------------------------------- */
typedef struct reader {
    const unsigned char *at, *end;
} reader;

static uint64_t little_endian(const unsigned char *at, int bytes) {
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | at[i];
    return x;
}

static uint32_t masked(const void *data, size_t size) {
    const uint32_t crc = chl_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static uint64_t varint(reader *r) {
    uint64_t x = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(r->at < r->end);
        x |= (uint64_t)(*r->at & 127) << shift;
        if (*r->at++ < 128) return x;
    }
}

/* The next record's event, whose first nine bytes are the time. */
static reader next_event(reader *file) {
    const uint64_t size = little_endian(file->at, 8);
    assert_int_equal(little_endian(file->at + 8, 4), masked(file->at, 8));
    const unsigned char *event = file->at + 12;
    assert_true(event + size + 4 <= file->end);
    assert_int_equal(little_endian(event + size, 4), masked(event, size));
    file->at = event + size + 4;
    return (reader){event + 9, event + size};
}

/* The first value of an event with a summary is the loss. */
static float first_value(reader *event) {
    assert_int_equal(*event->at++, 0x2a);
    varint(event);
    assert_int_equal(*event->at++, 0x0a);
    varint(event);
    assert_int_equal(*event->at++, 0x0a);
    const uint64_t length = varint(event);
    assert_memory_equal(event->at, "loss/total", length);
    event->at += length;
    assert_int_equal(*event->at, 0x15);
    const uint32_t bits = (uint32_t)little_endian(event->at + 1, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Steps 1 to STEPS, each once and in order, with the losses of stats.jsonl. */
static void assert_events(const char *folder) {
    size_t size;
    char *bytes = get_file(folder, CHL_EVENTS, &size);
    assert_non_null(bytes);
    reader file = {(unsigned char *)bytes, (unsigned char *)bytes + size};
    reader version = next_event(&file);
    assert_memory_equal(version.at,
                        "\x1a\x0d"
                        "brain.Event:2",
                        15);
    for (int step = 1; step <= STEPS; step++) {
        reader event = next_event(&file);
        assert_int_equal(*event.at++, 0x10);
        assert_int_equal(varint(&event), step);
        assert_true(fabs((double)first_value(&event) - loss_of(folder, step)) < 1e-6);
    }
    assert_ptr_equal(file.at, file.end);
    free(bytes);
}

static void a_stopped_run_has_each_step_once(void **state) {
    const place *p = *state;
    char *whole = whole_run(p, "whole"), *out = in_folder(p->root, "parts");
    chl_train_options options = toy_options(p, out);
    options.resume = 1;
    options.stop_after = 8;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    /* as a kill leaves them: lines and events beyond the checkpoint */
    size_t size;
    char *events = get_file(out, CHL_EVENTS, &size);
    put_file(out, CHL_EVENTS, events, size - 3);
    put_file(out, CHL_EVENTS ".1234567812345678.tmp", "half", 4);
    put_file(out, CHL_CURVES ".1234567812345678.tmp", "half", 4);
    options.stop_after = 0;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_events(whole);
    assert_events(out);
    /* killed behind its last checkpoint: what is missing or old is made */
    put_file(out, CHL_CURVES, "old", 3);
    put_file(out, CHL_EVENTS, "old", 3);
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_events(out);
    if (chl_raster_can_write()) assert_true(same_file(whole, out, CHL_CURVES));
    assert_null(get_file(out, CHL_EVENTS ".1234567812345678.tmp", &size));
    assert_null(get_file(out, CHL_CURVES ".1234567812345678.tmp", &size));
    free(events);
    free(whole);
    free(out);
}

static double measured(const json_t *line, const char *key) {
    const json_t *value = json_object_get(json_object_get(line, "measured"), key);
    if (!json_is_number(value)) fail_msg("no number \"%s\" is measured", key);
    return json_number_value(value);
}

static void a_line_tells_speed_waiting_memory_and_gradients(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "whole");
    for (int step = 1; step <= STEPS; step++) {
        json_t *line = stats_line(out, step);
        const double seconds = json_number_value(json_object_get(line, "seconds"));
        assert_true(fabs(measured(line, "samples_per_second") * seconds / BATCH - 1) < 1e-6);
        assert_true(measured(line, "data_share") >= 0 && measured(line, "data_share") <= 1);
        assert_true(measured(line, "memory") > 1e6 && measured(line, "memory") < 1e12);
        assert_true(measured(line, "unix_ms") > 1.7e12);
        assert_true(json_is_null(
            json_object_get(json_object_get(line, "measured"), "communication_share")));
        assert_true(json_number_value(json_object_get(line, "gradient_norm")) > 0);
        json_decref(line);
    }
    free(out);
}

static void losses_are_drawn_at_the_end_of_a_run(void **state) {
    const place *p = *state;
    char *out = whole_run(p, "whole"), *path = in_folder(out, CHL_CURVES);
    chl_raster picture;
    if (chl_raster_can_write()) {
        assert_int_equal(chl_raster_read(path, &picture), CHL_OK);
        assert_int_equal(picture.width, 1000);
        assert_int_equal(picture.height, 600);
        int inked = 0;
        for (int i = 0; i < 1000 * 600; i++)
            inked += picture.rgb[3 * i] == 0 && picture.rgb[3 * i + 1] == 0x72;
        assert_true(inked > 500); /* the first line's colour */
        chl_raster_free(&picture);
    }
    free(path);
    free(out);
}

/* Puts a folder where the picture goes: one that is there at the beginning is refused. */
static int cancel_at_6(void *user, const chl_train_progress *progress) {
    if (progress->step == 6) mkdir(user, 0777);
    return progress->step == 6;
}

static void a_stopped_run_without_its_picture_is_a_stopped_run(void **state) {
    const place *p = *state;
    size_t size;
    char *out = in_folder(p->root, "stopped"), *path = in_folder(out, CHL_CURVES);
    chl_train_options options = toy_options(p, out);
    options.progress = cancel_at_6;
    options.user = path;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_ERR_CANCELLED);
    assert_non_null(strstr(chl_error(), "stopped after step 6 of 20"));
    char *log = get_file(out, "log.txt", &size);
    if (chl_raster_can_write()) {
        assert_non_null(strstr(log, "warning: "));
        assert_non_null(strstr(log, CHL_CURVES));
    }
    free(log);
    free(path);
    free(out);
}

/* The lines of a version that measured nothing: the time of their events is the file's. */
static void a_line_without_a_time_has_the_files(void **state) {
    const place *p = *state;
    size_t size;
    char *out = whole_run(p, "whole"), *text = get_file(out, CHL_STATS, &size), *at = text;
    for (int step = 1; step <= STEPS; step++, at += strlen(at)) {
        json_t *line = stats_line(out, step);
        json_object_del(line, "measured");
        char *old = json_dumps(line, JSON_COMPACT);
        strcat(strcpy(at, old), "\n"); /* shorter than before */
        free(old);
        json_decref(line);
    }
    put_file(out, CHL_STATS, text, strlen(text));
    chl_train_options options = toy_options(p, out);
    options.resume = 1;
    assert_int_equal(chl_trainer_run(&toy_training, &options), CHL_OK);
    assert_events(out);
    char *bytes = get_file(out, CHL_EVENTS, &size);
    reader file = {(unsigned char *)bytes, (unsigned char *)bytes + size};
    uint64_t begin = little_endian(next_event(&file).at - 8, 8);
    for (int step = 1; step <= STEPS; step++)
        assert_int_equal(little_endian(next_event(&file).at - 8, 8), begin);
    free(bytes);
    free(text);
    free(out);
}

/* --- the norm --------------------------------------------------------------------------------- */
static void the_norm_is_of_all_numbers(void **state) {
    (void)state;
    enum { MANY = 20 };
    chl_graph *g;
    chl_tensor x[MANY];
    float value[60], got;
    double want = 0;
    assert_int_equal(chl_graph_new(chl_device_cpu(), &g), CHL_OK);
    for (int i = 0; i < MANY; i++) {
        const chl_desc shapes[] = {chl_f32(2, 3, 4), chl_f32(1, 5), chl_f32(4, 2, 3, 1, 7),
                                   chl_f32(1, 1)};
        const chl_desc shape = shapes[i % 4];
        char name[16];
        for (int k = 0; k < chl_count(&shape); k++) value[k] = sinf((float)(i * 60 + k));
        snprintf(name, sizeof name, "x%d", i);
        x[i] = i == 7 ? CHL_NONE : chl_constant(g, name, shape, value);
        for (int k = 0; i != 7 && k < chl_count(&shape); k++)
            want += (double)value[k] * (double)value[k];
    }
    const chl_tensor square = chl_keep(g, chl_gradient_square(g, MANY, x));
    assert_int_equal(chl_gradient_square(g, 1, &x[7]), CHL_NONE);
    assert_int_equal(chl_compile(g), CHL_OK);
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_OK);
    assert_int_equal(chl_read(g, square, &got), CHL_OK);
    assert_true(fabs((double)got / want - 1) < 1e-6);
    chl_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stopped_run_has_each_step_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_tells_speed_waiting_memory_and_gradients, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(losses_are_drawn_at_the_end_of_a_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_run_without_its_picture_is_a_stopped_run, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_a_time_has_the_files, set_up, tear_down),
        cmocka_unit_test(the_norm_is_of_all_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
