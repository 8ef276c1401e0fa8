/* What every backend promises (runtime/backend.h). The same tests run on the CPU, on the emulated
 * GPU (tests/emu) and, by hand, on a GPU: `test_backend --device cuda`. */
#include "graph/build.h"
#include "graph/graph_private.h"
#include "runtime/open.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#endif

#define MUST(call) assert_int_equal((call), CHL_OK)
#define COUNT 1000 /* numbers in an array */
#define BYTES (COUNT * sizeof(float))

static const char *name = "cpu";

static chl_device *open_one(void) {
#ifdef TEST_BACKEND_EMU
    return chl_emu_open();
#else
    const char *why;
    chl_device *device = chl_device_open(name, &why);
    if (!device) fail_msg("%s", why);
    return device;
#endif
}

/* --- a device with some arrays of COUNT numbers ------------------------------------------------
 */
typedef struct bench {
    chl_device *device;
    const chl_backend *b;
    float *x[4];
    float host[COUNT];
} bench;

static void fill(bench *t, int i, float value) {
    for (int k = 0; k < COUNT; k++) t->host[k] = value + (float)k;
    MUST(t->b->upload(t->device, t->x[i], t->host, BYTES));
}

/* The arrays hold 1, 2, 3, 4 at first, plus the index. */
static bench set_up(void) {
    bench t = {.device = open_one()};
    t.b = t.device->backend;
    for (int i = 0; i < 4; i++) {
        MUST(t.b->allocate(t.device, BYTES, (void **)&t.x[i]));
        fill(&t, i, (float)(i + 1));
    }
    return t;
}

static void tear_down(bench *t) {
    for (int i = 0; i < 4; i++) t->b->release(t->device, t->x[i]);
    chl_device_close(t->device);
}

/* x[to] = x[a] + x[b] on a queue, or x[to] += with `accumulate` */
static chl_status add(bench *t, chl_queue *queue, int a, int b, int to, bool accumulate) {
    const chl_desc desc = chl_f32(1, COUNT);
    const chl_call call = {.attr.sum.c = {1, 1},
                           .inputs = 2,
                           .outputs = 1,
                           .in_desc = {desc, desc},
                           .out_desc = {desc},
                           .in = {t->x[a], t->x[b]},
                           .out = {t->x[to]},
                           .accumulate = accumulate,
                           .stream = queue};
    chl_device_bind(t->device);
    return t->b->body(CHL_OP_sum)->run(&call) == CHL_KERNEL_OK ? CHL_OK : CHL_ERR_INTERNAL;
}

/* Array i is value + slope * index. */
static void expect(bench *t, int i, float value, float slope) {
    MUST(t->b->download(t->device, t->host, t->x[i], BYTES));
    for (int k = 0; k < COUNT; k++) assert_true(t->host[k] == value + slope * (float)k);
}

/* --- memory ------------------------------------------------------------------------------------
 */
static void memory_is_aligned_as_the_backend_says(void **state) {
    (void)state;
    chl_device *device = open_one();
    const chl_backend *b = device->backend;
    assert_true(b->alignment >= 64 && (b->alignment & (b->alignment - 1)) == 0);
    const size_t sizes[] = {1, 100, 4096, (size_t)5 << 20};
    for (int i = 0; i < 4; i++) {
        char *memory, *pinned;
        MUST(b->allocate(device, sizes[i], (void **)&memory));
        MUST(b->pinned_allocate(device, sizes[i], (void **)&pinned));
        assert_int_equal((uintptr_t)memory % b->alignment, 0);
        pinned[0] = pinned[sizes[i] - 1] = 1; /* the host's */
        b->release(device, memory);
        b->pinned_release(device, pinned);
    }
    b->release(device, NULL);
    b->pinned_release(device, NULL);
    chl_device_close(device);
}

/* Sanitizers would end the program where malloc returns NULL. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void more_memory_than_there_is_is_refused(void **state) {
    (void)state;
    chl_device *device = open_one();
    void *memory = &memory;
    assert_int_equal(device->backend->allocate(device, (size_t)1 << 60, &memory), CHL_ERR_MEMORY);
    assert_null(memory);
    chl_device_close(device);
}

static void graphs_place_tensors_as_the_backend_aligns(void **state) {
    (void)state;
    chl_device *device = open_one();
    chl_graph *g;
    MUST(chl_graph_new(device, &g));
    chl_input(g, "odd", chl_f32(1, 3));
    const chl_tensor second = chl_input(g, "second", chl_f32(1, 3));
    MUST(chl_compile(g));
    assert_int_equal((uintptr_t)chl_info(g, second)->data % device->backend->alignment, 0);
    assert_int_equal(g->persistent_bytes, 2 * (int64_t)device->backend->alignment);
    chl_graph_free(g);
    chl_device_close(device);
}

/* Sizes on both sides of what is staged at once, and many small ones, so that staging wraps. */
static void upload_leaves_its_buffer_to_the_caller(void **state) {
    (void)state;
    chl_device *device = open_one();
    const chl_backend *b = device->backend;
    enum { LARGE = (3 << 20) + 5, SMALL = 20000, PARTS = 150 };
    char *memory, *host = malloc(LARGE), *got = malloc(LARGE);
    MUST(b->allocate(device, LARGE, (void **)&memory));
    for (int i = 0; i < LARGE; i++) host[i] = (char)(i * 7 + i / 1000);
    MUST(b->upload(device, memory, host, LARGE));
    memset(host, 0, LARGE);
    MUST(b->download(device, got, memory, LARGE));
    for (int i = 0; i < LARGE; i++) assert_true(got[i] == (char)(i * 7 + i / 1000));
    for (int part = 0; part < PARTS; part++) {
        memset(host, part + 1, SMALL);
        MUST(b->upload(device, memory + part * SMALL, host, SMALL));
    }
    MUST(b->download(device, got, memory, PARTS * SMALL));
    for (int i = 0; i < PARTS * SMALL; i++) assert_true(got[i] == (char)(i / SMALL + 1));
    MUST(b->clear(device, memory + 1, 2));
    MUST(b->download(device, got, memory, 4));
    assert_true(got[0] == 1 && got[1] == 0 && got[2] == 0 && got[3] == 1);
    b->release(device, memory);
    free(host);
    free(got);
    chl_device_close(device);
}

/* --- queues and events -------------------------------------------------------------------------
 */
static void a_queue_keeps_its_order(void **state) {
    (void)state;
    bench t = set_up();
    chl_queue *side;
    MUST(t.b->queue_new(t.device, &side));
    chl_queue *const queues[] = {t.device->queue, side};
    for (int i = 0; i < 2; i++) {
        fill(&t, 3, 0);
        MUST(t.b->queue_synchronise(t.device, t.device->queue));
        MUST(add(&t, queues[i], 0, 1, 2, false)); /* x2 = 3 + 2k */
        MUST(add(&t, queues[i], 2, 2, 3, true));  /* x3 = 6 + 5k */
        MUST(add(&t, queues[i], 0, 0, 2, false)); /* x2 = 2 + 2k */
        MUST(t.b->queue_synchronise(t.device, queues[i]));
        expect(&t, 3, 6, 5);
        expect(&t, 2, 2, 2);
    }
    t.b->queue_free(t.device, side);
    tear_down(&t);
}

static void asynchronous_copies_have_arrived_behind_their_event(void **state) {
    (void)state;
    bench t = set_up();
    chl_queue *side;
    chl_event *arrived, *computed, *left;
    float *in, *out;
    MUST(t.b->queue_new(t.device, &side));
    MUST(t.b->event_new(t.device, &arrived));
    MUST(t.b->event_new(t.device, &computed));
    MUST(t.b->event_new(t.device, &left));
    MUST(t.b->pinned_allocate(t.device, BYTES, (void **)&in));
    MUST(t.b->pinned_allocate(t.device, BYTES, (void **)&out));
    MUST(t.b->queue_wait(t.device, side, computed));              /* not recorded: no wait */
    MUST(t.b->event_record(t.device, computed, t.device->queue)); /* behind what set_up wrote */
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < COUNT; k++) in[k] = (float)(100 * round + 2 * k);
        MUST(t.b->queue_wait(t.device, side, computed));
        MUST(t.b->upload_async(t.device, side, t.x[0], in, BYTES));
        MUST(t.b->event_record(t.device, arrived, side));
        MUST(t.b->queue_wait(t.device, t.device->queue, arrived));
        MUST(add(&t, t.device->queue, 0, 1, 2, false));
        MUST(t.b->event_record(t.device, computed, t.device->queue));
        MUST(t.b->queue_wait(t.device, side, computed));
        MUST(t.b->download_async(t.device, side, out, t.x[2], BYTES));
        MUST(t.b->event_record(t.device, left, side));
        MUST(t.b->event_synchronise(t.device, left));
        for (int k = 0; k < COUNT; k++) assert_true(out[k] == (float)(100 * round + 2 + 3 * k));
    }
    t.b->pinned_release(t.device, in);
    t.b->pinned_release(t.device, out);
    t.b->event_free(t.device, arrived);
    t.b->event_free(t.device, computed);
    t.b->event_free(t.device, left);
    t.b->queue_free(t.device, side);
    tear_down(&t);
}

/* x3 = x0 + x1 on the side, x2 = x0 + x0 here, then x2 += x3 + x3 */
static void fork_and_join(bench *t, chl_queue *side, chl_event *ready, chl_event *done) {
    chl_queue *const here = t->device->queue;
    MUST(t->b->event_record(t->device, ready, here));
    MUST(t->b->queue_wait(t->device, side, ready));
    MUST(add(t, side, 0, 1, 3, false));
    MUST(add(t, here, 0, 0, 2, false));
    MUST(t->b->event_record(t->device, done, side));
    MUST(t->b->queue_wait(t->device, here, done));
    MUST(add(t, here, 3, 3, 2, true));
}

static void what_forks_waits_and_is_waited_for(void **state) {
    (void)state;
    bench t = set_up();
    chl_queue *side;
    chl_event *ready, *done;
    MUST(t.b->queue_new(t.device, &side));
    MUST(t.b->event_new(t.device, &ready));
    MUST(t.b->event_new(t.device, &done));
    for (int round = 0; round < 3; round++) {
        fill(&t, 0, (float)round); /* what the side must not read too early */
        fork_and_join(&t, side, ready, done);
        expect(&t, 2, (float)(4 * round + 4), 6);
        fill(&t, 3, -1); /* nor write behind the join */
        expect(&t, 3, -1, 1);
    }
    t.b->event_free(t.device, ready);
    t.b->queue_free(t.device, side);
    t.b->event_free(t.device, done); /* which outlives the queue it was recorded on */
    tear_down(&t);
}

/* --- capture -----------------------------------------------------------------------------------
 */
static void replay_computes_with_what_memory_holds_then(void **state) {
    (void)state;
    bench t = set_up();
    chl_queue *side = NULL;
    chl_event *ready, *done;
    chl_recording *recording;
    if (!t.b->begin_capture) {
        tear_down(&t);
        skip();
    }
    MUST(t.b->queue_new(t.device, &side));
    MUST(t.b->event_new(t.device, &ready));
    MUST(t.b->event_new(t.device, &done));
    fork_and_join(&t, side, ready, done); /* first without: libraries set themselves up */
    fill(&t, 2, 7);
    MUST(t.b->begin_capture(t.device, t.device->queue));
    fork_and_join(&t, side, ready, done);
    MUST(t.b->end_capture(t.device, t.device->queue, &recording));
    expect(&t, 2, 7, 1); /* nothing ran */
    for (int round = 0; round < 3; round++) {
        fill(&t, 0, (float)round);
        MUST(t.b->replay(t.device, t.device->queue, recording));
        expect(&t, 2, (float)(4 * round + 4), 6);
    }
    t.b->destroy_capture(t.device, recording);
    t.b->event_free(t.device, ready);
    t.b->event_free(t.device, done);
    t.b->queue_free(t.device, side);
    tear_down(&t);
}

static void a_fork_that_is_not_joined_is_no_recording(void **state) {
    (void)state;
    bench t = set_up();
    chl_queue *side;
    chl_event *ready;
    chl_recording *recording;
    if (!t.b->begin_capture) {
        tear_down(&t);
        skip();
    }
    MUST(t.b->queue_new(t.device, &side));
    MUST(t.b->event_new(t.device, &ready));
    MUST(t.b->begin_capture(t.device, t.device->queue));
    MUST(t.b->event_record(t.device, ready, t.device->queue));
    MUST(t.b->queue_wait(t.device, side, ready));
    MUST(add(&t, side, 0, 1, 3, false));
    assert_int_equal(t.b->end_capture(t.device, t.device->queue, &recording), CHL_ERR_INTERNAL);
    assert_null(recording);
    assert_non_null(strstr(chl_device_error(t.device), "join"));
    assert_string_equal(chl_device_error(t.device), "no reason given"); /* said once */
    MUST(add(&t, t.device->queue, 0, 1, 2, false));                     /* all works on */
    expect(&t, 2, 3, 2);
    t.b->event_free(t.device, ready);
    t.b->queue_free(t.device, side);
    tear_down(&t);
}

static void a_graph_says_the_same_from_its_recording(void **state) {
    (void)state;
    chl_device *device = open_one();
    chl_graph *g;
    MUST(chl_graph_new(device, &g));
    const chl_tensor x = chl_input(g, "x", chl_f32(1, COUNT));
    const chl_tensor loss = chl_keep(g, chl_mean(g, chl_mul(g, x, x)));
    MUST(chl_compile(g));
    float host[COUNT], got;
    for (int round = 1; round < 5; round++) {
        for (int k = 0; k < COUNT; k++) host[k] = (float)round;
        MUST(chl_write(g, x, host));
        MUST(chl_run(g, CHL_FIRST_SEGMENT));
        MUST(chl_read(g, loss, &got));
        assert_true(got == (float)(round * round));
        assert_int_equal(g->recording[0] != NULL, device->backend->begin_capture && round > 1);
    }
    chl_graph_free(g);
    chl_device_close(device);
}

/* --- several devices, several threads ----------------------------------------------------------
 */
static void two_devices_of_one_process_compute_apart(void **state) {
    (void)state;
    bench one = set_up(), two = set_up();
    fill(&two, 0, 50);
    MUST(add(&one, one.device->queue, 0, 1, 2, false));
    MUST(add(&two, two.device->queue, 0, 1, 2, false));
    MUST(add(&one, one.device->queue, 2, 2, 3, false));
    expect(&two, 2, 52, 2);
    tear_down(&two);
    expect(&one, 3, 6, 4); /* the other's end is not its own */
    tear_down(&one);
}

static void *compute_elsewhere(void *argument) {
    bench *t = argument;
    MUST(add(t, t->device->queue, 0, 1, 2, false));
    expect(t, 2, 3, 2);
    return NULL;
}

static void a_device_serves_another_thread_than_its_first(void **state) {
    (void)state;
    bench t = set_up();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, compute_elsewhere, &t), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    MUST(add(&t, t.device->queue, 2, 2, 3, false));
    expect(&t, 3, 6, 4);
    tear_down(&t);
}

static void *compute_alone(void *argument) {
    (void)argument;
    bench t = set_up();
    for (int i = 0; i < 20; i++) {
        fill(&t, 0, (float)i);
        MUST(add(&t, t.device->queue, 0, 1, 2, false));
        expect(&t, 2, (float)(i + 2), 2);
    }
    tear_down(&t);
    return NULL;
}

static void threads_compute_at_once_on_a_device_each(void **state) {
    (void)state;
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, compute_alone, NULL), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
}

/* --- errors ------------------------------------------------------------------------------------
 */
static void another_version_is_refused(void **state) {
    (void)state;
    chl_device *device = open_one(), other = *device;
    chl_backend older = *device->backend;
    older.version = CHL_BACKEND_VERSION - 1;
    other.backend = &older;
    chl_graph *g;
    assert_int_equal(chl_graph_new(&other, &g), CHL_ERR_UNSUPPORTED);
    assert_null(g);
    assert_non_null(strstr(chl_error(), "speaks version 6, this program 7"));
    chl_device_close(device);
}

static void an_unknown_device_is_refused_with_the_known_ones(void **state) {
    (void)state;
    const char *const wrong[] = {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0x", "cpu:0", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *why = NULL;
        assert_null(chl_device_open(wrong[i], &why));
        assert_non_null(strstr(why, "device must be cpu, cuda, cuda:N or auto, got "));
    }
    const char *why;
    chl_device *device = chl_device_open(NULL, &why);
    assert_non_null(device);
    chl_device_close(device);
    chl_device_close(NULL);
}

#ifdef TEST_BACKEND_EMU
static void a_refusal_says_why_and_once(void **state) {
    (void)state;
    bench t = set_up();
    chl_call call = {.inputs = 1, .outputs = 1, .stream = t.device->queue};
    call.in_desc[0] = call.out_desc[0] = chl_i32(1, COUNT);
    call.in[0] = t.x[0];
    call.out[0] = t.x[1];
    chl_device_bind(t.device);
    assert_int_equal(t.b->body(CHL_OP_activation)->run(&call), CHL_KERNEL_UNSUPPORTED);
    assert_string_equal(chl_device_error(t.device), "tensors must be float or bf16");
    assert_string_equal(chl_device_error(t.device), "no reason given");
    tear_down(&t);
}

typedef struct run_elsewhere {
    chl_graph *graph;
    chl_status status;
    char error[300];
} run_elsewhere;

static void *run_in_thread(void *argument) {
    run_elsewhere *r = argument;
    r->status = chl_run(r->graph, CHL_FIRST_SEGMENT);
    if (r->status != CHL_OK) snprintf(r->error, sizeof r->error, "%s", chl_error());
    return NULL;
}

/* 160 KB fit the largest GPU, not this one; and a thread that did not open it must know. */
static void shared_memory_that_the_gpu_lacks_is_named(void **state) {
    (void)state;
    enum { WIDTH = 310 };
    chl_device *device = open_one();
    run_elsewhere r = {0};
    pthread_t thread;
    MUST(chl_graph_new(device, &r.graph));
    const chl_tensor qkv = chl_input(r.graph, "qkv", chl_f32(3, 1, 4, 3 * WIDTH));
    chl_keep(r.graph, chl_attention(r.graph, qkv, 1, false));
    MUST(chl_compile(r.graph));
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, &r), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (getenv("EMU_SHARED")) {
        assert_int_equal(r.status, CHL_ERR_UNSUPPORTED);
        assert_non_null(strstr(r.error, "bytes of shared memory, this GPU has 101376"));
    } else
        assert_int_equal(r.status, CHL_OK);
    chl_graph_free(r.graph);
    chl_device_close(device);
}

static void a_fault_of_queued_work_reaches_the_graphs_error(void **state) {
    (void)state;
    chl_device *device = open_one();
    chl_graph *g;
    MUST(chl_graph_new(device, &g));
    const chl_tensor x = chl_input(g, "x", chl_f32(1, COUNT)), y = chl_keep(g, chl_mean(g, x));
    MUST(chl_compile(g));
    for (int i = 0; i < 2; i++) MUST(chl_run(g, CHL_FIRST_SEGMENT));
    float got;
    MUST(chl_read(g, y, &got));
    chl_emu_queue_fault(device->queue);
    assert_int_equal(chl_read(g, y, &got), CHL_ERR_INTERNAL);
    assert_string_equal(chl_error(), "copying from the device failed on emu: work was refused or "
                                     "failed with error 719");
    assert_int_equal(chl_run(g, CHL_FIRST_SEGMENT), CHL_ERR_INTERNAL);
    assert_non_null(strstr(chl_error(), "a recorded step failed on emu"));
    float host[COUNT] = {0};
    assert_int_equal(chl_write(g, x, host), CHL_ERR_INTERNAL);
    assert_non_null(strstr(chl_error(), "copying to the device failed on emu"));
    assert_int_equal(device->backend->queue_synchronise(device, device->queue), CHL_ERR_INTERNAL);
    chl_graph_free(g);
    chl_device_close(device);
}

/* The emulator's own guarantee: without the events the tests above would fail. */
static void a_missing_wait_shows(void **state) {
    (void)state;
    bool shown[2] = {false, false};
    for (int way = 0; way < 2; way++) { /* copies land late, early */
        chl_emu_way(way);
        bench t = set_up();
        chl_queue *side;
        float *out;
        MUST(t.b->queue_new(t.device, &side));
        MUST(t.b->pinned_allocate(t.device, BYTES, (void **)&out));
        MUST(t.b->queue_synchronise(t.device, t.device->queue));
        MUST(add(&t, t.device->queue, 0, 1, 2, false));
        MUST(t.b->download_async(t.device, side, out, t.x[2], BYTES)); /* no fork */
        if (way == 0) shown[0] = out[0] != out[0];                     /* no wait: NaN */
        MUST(t.b->queue_synchronise(t.device, side));
        if (way == 1) shown[1] = out[1] == 4; /* x2 as it was; 5 = x0 + x1 */
        MUST(t.b->queue_synchronise(t.device, t.device->queue));
        t.b->pinned_release(t.device, out);
        t.b->queue_free(t.device, side);
        tear_down(&t);
    }
    chl_emu_way(0);
    assert_true(shown[0]);
    assert_true(shown[1]);
}
#endif

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--device") == 0) name = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_as_the_backend_says),
        cmocka_unit_test(more_memory_than_there_is_is_refused),
        cmocka_unit_test(graphs_place_tensors_as_the_backend_aligns),
        cmocka_unit_test(upload_leaves_its_buffer_to_the_caller),
        cmocka_unit_test(a_queue_keeps_its_order),
        cmocka_unit_test(asynchronous_copies_have_arrived_behind_their_event),
        cmocka_unit_test(what_forks_waits_and_is_waited_for),
        cmocka_unit_test(replay_computes_with_what_memory_holds_then),
        cmocka_unit_test(a_fork_that_is_not_joined_is_no_recording),
        cmocka_unit_test(a_graph_says_the_same_from_its_recording),
        cmocka_unit_test(two_devices_of_one_process_compute_apart),
        cmocka_unit_test(a_device_serves_another_thread_than_its_first),
        cmocka_unit_test(threads_compute_at_once_on_a_device_each),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(an_unknown_device_is_refused_with_the_known_ones),
#ifdef TEST_BACKEND_EMU
        cmocka_unit_test(a_refusal_says_why_and_once),
        cmocka_unit_test(shared_memory_that_the_gpu_lacks_is_named),
        cmocka_unit_test(a_fault_of_queued_work_reaches_the_graphs_error),
        cmocka_unit_test(a_missing_wait_shows),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
