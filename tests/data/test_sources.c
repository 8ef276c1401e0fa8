/* Data sets as they lie on a disk: each layout from a small copy with its quirks. */
#include "data/source.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the three above first */
#include <cmocka.h>
/* which needs cmocka's assertions */
#include "train/temporary.h"

#define SHARDS CHLADNI_FIXTURES "/shards"
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

static int set_up(void **state) {
    *state = make_temporary();
    return chdir(*state);
}

static int tear_down(void **state) {
    remove_folder(*state);
    free(*state);
    return chdir("/");
}

static void put(const char *name, const char *text) {
    put_file(".", name, text, strlen(text));
}

/* "layout: sound label/caption/split <picture>; ..." */
static char *listed(const char *path, const char *split) {
    const chl_source_choice choice = {.split = split};
    chl_source *source;
    static char text[4096];
    MUST(chl_source_open(path, &choice, &source));
    int used = snprintf(text, sizeof text, "%s -%d:", source->layout, (int)source->missing);
    for (int64_t i = 0; i < source->count; i++) {
        const chl_entry *e = &source->entry[i];
        used += snprintf(
            text + used, sizeof text - (size_t)used, " %s %s/%s/%s%s%s;", chl_media_name(&e->sound),
            e->label ? e->label : "", e->caption ? e->caption : "", e->split ? e->split : "",
            e->picture.path ? " " : "", e->picture.path ? chl_media_name(&e->picture) : "");
    }
    chl_source_free(source);
    return text;
}

static void refused(const char *path, const char *split, chl_status want, const char *text) {
    const chl_source_choice choice = {.split = split};
    chl_source *source;
    const chl_status status = chl_source_open(path, &choice, &source);
    if (status != want) fail_msg("%d instead of %d: %s", status, want, chl_error());
    assert_null(source);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say \"%s\"", chl_error(), text);
}

/* Labels with commas in quotes; ids that begin with - and _; names with and without the second;
 * a clip that is gone; a picture beside a sound, in another folder. */
static void vggsound_is_read_with_its_quirks(void **state) {
    (void)state;
    mkdir("v", 0777);
    mkdir("v/clips", 0777);
    mkdir("v/frames", 0777);
    put("v/vggsound.csv", "---g-f_I2yQ,1,\"people marching\",test\n"
                          "-0SdAVK79lg,30,\"dog, barking\",train\n"
                          "_gone__gone,5,\"wind noise\",train\n"
                          "abcdefghijk,120,rain,train\n");
    put("v/clips/---g-f_I2yQ_000001.wav", "x");
    put("v/clips/-0SdAVK79lg_30.flac", "x");
    put("v/clips/abcdefghijk.mp4", "x");
    put("v/frames/abcdefghijk_000120.jpg", "x");
    put("v/.hidden.wav", "x");
    assert_string_equal(listed("v", NULL),
                        "VGGSound -1: v/clips/---g-f_I2yQ_000001.wav people marching//test;"
                        " v/clips/-0SdAVK79lg_30.flac dog, barking//train;"
                        " v/clips/abcdefghijk.mp4 rain//train v/frames/abcdefghijk_000120.jpg;");
    assert_string_equal(listed("v", "test"),
                        "VGGSound -0: v/clips/---g-f_I2yQ_000001.wav people marching//test;");
    refused("v", "valid", CHL_ERR_FORMAT, "names no sound of the chosen ones");
    put("v/vggsound.csv", "abc,\"x, y\",rain,train\n");
    refused("v", NULL, CHL_ERR_FORMAT, "line 1: field 2 must be seconds, got \"x, y\"");
    put("v/vggsound.csv", "abc,1,dog, barking,train\n");
    refused("v", NULL, CHL_ERR_FORMAT, "line 1: 4 fields were expected, got 5");
}

/* Three lines that begin with #, a blank behind each comma, several classes a clip. */
static void audioset_is_read_with_its_quirks(void **state) {
    (void)state;
    mkdir("a", 0777);
    mkdir("a/audio", 0777);
    put("a/class_labels_indices.csv",
        "index,mid,display_name\n0,/m/09x0r,\"Speech\"\n"
        "1,/m/05zppz,\"Male speech, man speaking\"\n2,/m/06mb1,\"Rain\"\n");
    put("a/balanced_train_segments.csv",
        "# Segments csv created Sun Mar  5 10:54:31 2017\n"
        "# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=4\n"
        "# YTID, start_seconds, end_seconds, positive_labels\n"
        "--4gqARaEJE, 0.000, 10.000, \"/m/09x0r,/m/05zppz\"\n"
        "gone_______, 30.000, 40.000, \"/m/06mb1\"\n"
        "--PJHxphWEs, 30.000, 40.000, \"/m/06mb1\"\n");
    put("a/eval_segments.csv", "# a\n# b\n# c\n0123456789a, 7.500, 17.500, \"/m/06mb1\"\n");
    put("a/audio/Y--4gqARaEJE.wav", "x");
    put("a/audio/--PJHxphWEs_30000_40000.flac", "x");
    put("a/audio/0123456789a_7500_17500.ogg", "x");
    assert_string_equal(listed("a", NULL),
                        "AudioSet -1: a/audio/Y--4gqARaEJE.wav Speech/Speech; Male speech, man "
                        "speaking/balanced_train;"
                        " a/audio/--PJHxphWEs_30000_40000.flac Rain/Rain/balanced_train;"
                        " a/audio/0123456789a_7500_17500.ogg Rain/Rain/eval;");
    assert_string_equal(listed("a", "eval"),
                        "AudioSet -0: a/audio/0123456789a_7500_17500.ogg Rain/Rain/eval;");
    put("a/eval_segments.csv", "0123456789a, 7.500, 17.500, \"/m/06mb1,/m/new\"\n");
    refused("a", NULL, CHL_ERR_KEY, "eval_segments.csv line 1: \"/m/new\" is no class of");
}

static void folds_are_splits(void **state) {
    (void)state;
    mkdir("e", 0777);
    mkdir("e/meta", 0777);
    mkdir("e/audio", 0777);
    put("e/meta/esc50.csv", "filename,fold,target,category,esc10,src_file,take\n"
                            "1-1-A-0.wav,1,0,dog,True,1,A\n5-2-A-0.wav,5,0,dog,True,2,A\n");
    put("e/audio/1-1-A-0.wav", "x");
    put("e/audio/5-2-A-0.wav", "x");
    assert_string_equal(listed("e", "1,2,3,4"), "ESC-50 -0: e/audio/1-1-A-0.wav dog//;");
    assert_string_equal(listed("e", "5"), "ESC-50 -0: e/audio/5-2-A-0.wav dog//;");
}

static void a_manifest_names_what_is_beside_it(void **state) {
    (void)state;
    mkdir("m", 0777);
    put("m/a.wav", "x");
    put("m/b.wav", "x");
    put("m/list.csv", "\xef\xbb\xbf"
                      "caption,audio,label,split,image\r\n"
                      "\"a dog, barking\",a.wav,dog,train,a.png\r\n,b.wav,,test,\r\n"
                      "gone,c.wav,x,train,\r\n");
    assert_string_equal(listed("m/list.csv", NULL),
                        "manifest -1: m/a.wav dog/a dog, barking/train m/a.png; m/b.wav //test;");
    assert_string_equal(listed("m/list.csv", "test"), "manifest -0: m/b.wav //test;");
    put("m/list.csv", "sound,split,fold\na.wav,train,1\nb.wav,,2\n");
    assert_string_equal(listed("m/list.csv", "train"), "manifest -0: m/a.wav //train;");
    assert_string_equal(listed("m/list.csv", "1"), "manifest -0: m/a.wav //train;");
    assert_string_equal(listed("m/list.csv", "2"), "manifest -0: m/b.wav //2;");
    put("m/list.csv", "sound\na.wav\n");
    refused("m/list.csv", "test", CHL_ERR_ARGUMENT,
            "split must be left out for m/list.csv, got \"test\"");
    put("m/list.csv", "caption,label\na,b\n");
    refused("m/list.csv", NULL, CHL_ERR_KEY, "a column \"sound\" was expected");
    put("m/list.csv", "sound,label\n,b\n");
    refused("m/list.csv", NULL, CHL_ERR_FORMAT, "line 2: \"sound\" must not be empty");
    put("m/list.csv", "sound\nx.wav\n");
    refused("m/list.csv", NULL, CHL_ERR_IO, "none of the 1 sounds");
    put("m/list.csv", "sound,level_db\na.wav,-20.5\nb.wav,\n");
    chl_source *s;
    MUST(chl_source_open("m/list.csv", NULL, &s));
    assert_true(s->entry[0].level_given && s->entry[0].level_db == -20.5f);
    assert_true(!s->entry[1].level_given);
    chl_source_free(s);
    put("m/list.csv", "sound,level_db\na.wav,3\n");
    refused("m/list.csv", NULL, CHL_ERR_FORMAT,
            "line 2: \"level_db\" must be a number of decibels in [-200, 0], got \"3\"");
}

/* Any number of columns, in the order of their numbers whatever the table's; an empty field is none. */
static void all_captions_of_a_row_are_kept(void **state) {
    (void)state;
    chl_source *s;
    put("a.wav", "x");
    put("c.csv", "caption_10,text,sound,caption_2,caption_x,caption_1,caption,caption_11\n"
                 "ten,text,a.wav,two,no,one,\"the\nfirst\",eleven\n"
                 ",,a.wav,two,no,,,\n"
                 "ten,,a.wav,two,no,,,\n"
                 ",,a.wav,,no,,,\n");
    MUST(chl_source_open("c.csv", NULL, &s));
    assert_int_equal(s->count, 4);
    assert_string_equal(s->entry[0].caption, "the\nfirst");
    assert_string_equal(s->entry[0].captions, "the first\ntext\none\ntwo\nten\neleven");
    assert_string_equal(s->entry[1].caption, "two");
    assert_null(s->entry[1].captions);
    assert_string_equal(s->entry[2].caption, "two");
    assert_string_equal(s->entry[2].captions, "two\nten");
    assert_null(s->entry[3].caption);
    assert_null(s->entry[3].captions);
    chl_source_free(s);
}

static void folders_are_labels(void **state) {
    (void)state;
    mkdir("f", 0777);
    mkdir("f/rain", 0777);
    mkdir("f/a dog", 0777);
    put("f/rain/2.wav", "x");
    put("f/rain/1.wav", "x");
    put("f/rain/1.jpg", "x");
    put("f/a dog/.x.wav", "x");
    put("f/a dog/w", "x");
    put("f/readme.txt", "x");
    assert_string_equal(listed("f", NULL),
                        "folders -0: f/a dog/w a dog//; f/rain/1.wav rain//; f/rain/2.wav rain//;");
    refused("f", "train", CHL_ERR_ARGUMENT,
            "split must be left out for f, got \"train\": a folder per label");
    mkdir("empty", 0777);
    refused("empty", NULL, CHL_ERR_FORMAT, "empty must be a folder with pairs.jsonl, or one of");
    refused("nowhere", NULL, CHL_ERR_IO, "nowhere: No such file");
}

/* --- videos ----------------------------------------------------------------------------------- */
static void expect_clip(const chl_entry *e, const char *sound, const char *picture) {
    assert_string_equal(e->sound.path, sound);
    if (picture)
        assert_string_equal(e->picture.path, picture);
    else
        assert_null(e->picture.path);
}

/* A picture file comes first, then the video of the clip; a sound of its own is what is heard. */
static void a_video_is_sound_and_picture(void **state) {
    (void)state;
    chl_source *s;
    assert_int_equal(mkdir("v", 0777), 0);
    put("v/vggsound.csv", "a,1,rain,train\nb,1,rain,train\nc,1,rain,train\nd,1,rain,train\n");
    const char *const files[] = {"a.mp4", "b.mp4", "b.wav", "c.MKV", "c.jpg", "d.wav"};
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "v/%s", files[i]);
        put(path, "x");
    }
    MUST(chl_source_open("v", NULL, &s));
    assert_int_equal(s->count, 4);
    expect_clip(&s->entry[0], "v/a.mp4", "v/a.mp4");
    expect_clip(&s->entry[1], "v/b.wav", "v/b.mp4");
    expect_clip(&s->entry[2], "v/c.MKV", "v/c.jpg");
    expect_clip(&s->entry[3], "v/d.wav", NULL);
    chl_source_free(s);
    put("m.csv", "sound,picture\nv/a.mp4,\nv/d.wav,v/a.mp4\n");
    MUST(chl_source_open("m.csv", NULL, &s));
    expect_clip(&s->entry[0], "./v/a.mp4", "./v/a.mp4");
    expect_clip(&s->entry[1], "./v/d.wav", "./v/a.mp4");
    chl_source_free(s);
}

/* --- shards ----------------------------------------------------------------------------------- */
static void expect_content(const chl_media *media, const char *want) {
    chl_file_bytes bytes;
    MUST(chl_media_bytes(media, 1000, &bytes));
    assert_int_equal(bytes.size, strlen(want));
    assert_memory_equal(bytes.data, want, bytes.size);
    chl_file_bytes_free(&bytes);
}

/* For who wants no sounds; for others it is no set. */
static void a_folder_of_pictures_is_a_set_without_sounds(void **state) {
    (void)state;
    mkdir("p", 0777);
    mkdir("p/cats", 0777);
    mkdir("p/cats/small", 0777);
    put("p/b.png", "x");
    put("p/a.JPEG", "x");
    put("p/notes.txt", "x");
    put("p/cats/c.webp", "x");
    put("p/cats/small/d.png", "x"); /* two levels, no more */
    refused("p", NULL, CHL_ERR_FORMAT, "a folder of them");
    chl_source *s;
    MUST(chl_source_open("p", &(chl_source_choice){.pictures = true}, &s));
    assert_string_equal(s->layout, "pictures");
    assert_int_equal(s->count, 3);
    assert_string_equal(s->entry[0].picture.path, "p/a.JPEG");
    assert_string_equal(s->entry[1].picture.path, "p/b.png");
    assert_null(s->entry[1].label);
    assert_string_equal(s->entry[2].picture.path, "p/cats/c.webp");
    assert_string_equal(s->entry[2].label, "cats");
    assert_null(s->entry[2].sound.path);
    chl_source_free(s);
    const chl_source_choice split = {.pictures = true, .split = "train"};
    assert_int_equal(chl_source_open("p", &split, &s), CHL_ERR_ARGUMENT);
    assert_string_equal(
        chl_error(),
        "split must be left out for p, got \"train\": pictures have no official folds");
}

/* Written by Python's tarfile; a sound's content is its name. */
static void shards_are_read_in_place(void **state) {
    (void)state;
    chl_source *s;
    char name[128] = "long-", *end = name + 5;
    const chl_status status = chl_source_open(SHARDS "/clips-{000..001}.tar", NULL, &s);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    assert_int_equal(s->count, 5);
    assert_int_equal(s->missing, 1);
    assert_string_equal(s->missing_name[0], "b");
    for (int i = 0; i < 115; i++) *end++ = 'x';
    strcpy(end, ".flac");
    const char *const content[] = {"0.flac", "1.2.flac", name, "a.wav", "glocke-\xc3\xbc.OGG"};
    for (int i = 0; i < 5; i++) expect_content(&s->entry[i].sound, content[i]);
    expect_content(&s->entry[1].picture, "1.png");
    expect_content(&s->entry[4].picture, "glocke-\xc3\xbc.jpeg");
    assert_string_equal(chl_media_name(&s->entry[0].sound), SHARDS "/clips-000.tar: train/0.flac");
    assert_string_equal(s->entry[0].label, "rain");
    assert_string_equal(s->entry[0].caption, "rain on a roof");
    assert_string_equal(s->entry[0].captions, "rain on a roof\nrain");
    assert_null(s->entry[1].captions);
    assert_string_equal(s->entry[1].label, "dog");
    assert_string_equal(s->entry[1].caption, "a dog");
    assert_string_equal(s->entry[2].kind, "weather");
    assert_true(s->entry[2].level_told && s->entry[2].strength == 0.5f);
    assert_true(!s->entry[3].level_told && s->entry[3].strength == 1);
    assert_string_equal(s->entry[3].caption, "bells in a church");
    assert_string_equal(s->entry[3].label, "17");
    assert_null(s->entry[4].label);
    chl_source_free(s);
    MUST(chl_source_open(SHARDS, NULL, &s)); /* a folder of them */
    assert_int_equal(s->count, 5);
    chl_source_free(s);
    refused(SHARDS "/clips-{001..000}.tar", NULL, CHL_ERR_ARGUMENT, "of the form");
    refused(SHARDS "/clips-{000..002}.tar", NULL, CHL_ERR_IO, "clips-002.tar");
}

static void same_text(const char *a, const char *b) {
    assert_true(a == b || (a && b && strcmp(a, b) == 0));
}

static void same_media(const chl_media *a, const chl_media *b) {
    same_text(a->path, b->path);
    same_text(a->name, b->name);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->bytes, b->bytes);
}

static void same_clips(const chl_source *a, const chl_source *b) {
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->missing, b->missing);
    for (int64_t i = 0; i < a->missing; i++) same_text(a->missing_name[i], b->missing_name[i]);
    for (int64_t i = 0; i < a->count; i++) {
        const chl_entry *x = &a->entry[i], *y = &b->entry[i];
        same_media(&x->sound, &y->sound);
        same_media(&x->picture, &y->picture);
        const char *const texts[][2] = {{x->label, y->label},       {x->caption, y->caption},
                                        {x->captions, y->captions}, {x->kind, y->kind},
                                        {x->from, y->from},         {x->split, y->split}};
        for (int k = 0; k < 6; k++) same_text(texts[k][0], texts[k][1]);
        assert_int_equal(x->line, y->line);
        assert_true(x->level_told == y->level_told && x->strength == y->strength);
        assert_true(x->level_given == y->level_given && x->level_db == y->level_db);
    }
}

static void replace(const char *path, const char *from, const char *to) {
    size_t size;
    char *text = get_file(".", path, &size), *at;
    assert_non_null(text);
    text = realloc(text, size + 1);
    text[size] = 0;
    at = strstr(text, from);
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    put_file(".", path, text, size);
    free(text);
}

/* The index gives what the headers give, for any choice of splits; it is used while the shard is the one that it
 * was made of, and no longer. */
static void an_index_spares_the_headers_of_its_shard(void **state) {
    (void)state;
    const char *const names[] = {"clips-000.tar", "clips-001.tar"};
    chl_source *plain, *s;
    for (int i = 0; i < 2; i++) {
        size_t size;
        char *shard = get_file(SHARDS, names[i], &size);
        assert_non_null(shard);
        put_file(".", names[i], shard, size);
        free(shard);
    }
    const chl_status status = chl_source_open("clips-{000..001}.tar", NULL, &plain);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    const chl_source_choice index = {.split = "none of them", .write_index = true};
    assert_int_equal(chl_source_open("clips-{000..001}.tar", &index, &s), CHL_ERR_FORMAT);
    assert_int_equal(access("clips-000.tar.index", R_OK), 0);
    MUST(chl_source_open("clips-{000..001}.tar", NULL, &s));
    same_clips(plain, s);
    chl_source_free(s);
    replace("clips-000.tar.index", "\"label\":\"rain\"", "\"label\":\"hail\"");
    MUST(chl_source_open("clips-000.tar", NULL, &s));
    assert_string_equal(s->entry[0].label, "hail"); /* it is what is read */
    chl_source_free(s);
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, "clips-000.tar", times, 0), 0);
    MUST(chl_source_open("clips-000.tar", NULL, &s));
    assert_string_equal(s->entry[0].label, "rain"); /* the shard is another one */
    chl_source_free(s);
    put("clips-001.tar.index", "no JSON\n");
    refused("clips-001.tar", NULL, CHL_ERR_FORMAT, "clips-001.tar.index line 1: a JSON object");
    chl_source_free(plain);
}

/* A clip's words with another key of the same length: what level_db says is taken, or refused. */
static void a_level_of_a_shards_clip_is_taken(void **state) {
    (void)state;
    static const char from[] = "\"strength\": 0.5";
    static const char *const to[] = {"\"level_db\": -19", "\"level_db\":12.5", "\"level_db\":true"};
    for (int i = 0; i < 3; i++) {
        size_t size;
        char *shard = get_file(SHARDS, "clips-000.tar", &size);
        assert_non_null(shard);
        char *at = memmem(shard, size, from, sizeof from - 1);
        assert_non_null(at);
        memcpy(at, to[i], sizeof from - 1);
        put_file(".", "level.tar", shard, size);
        free(shard);
        chl_source *s = NULL;
        const chl_status status = chl_source_open("level.tar", NULL, &s);
        if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
        if (i == 0) {
            MUST(status);
            assert_true(s->entry[2].level_given && s->entry[2].level_db == -19);
            assert_true(!s->entry[1].level_given);
            chl_source_free(s);
        } else {
            assert_int_equal(status, CHL_ERR_FORMAT);
            assert_non_null(
                strstr(chl_error(), "level.tar: \"level_db\" of a clip must be a number"));
        }
        remove("level.tar");
        remove("level.tar.index");
    }
}

/* A line that is missing, and what cannot be in the shard. */
static void an_index_that_does_not_fit_is_not_believed(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"\"at\":3072", "\"at\":20473", "line 3: a file's place must be within the shard"},
        {"\"bytes\":5}", "\"bytes\":20480}", "line 3: a file's place must be within the shard"},
        {"\"bytes\":5}", "\"bytes\":0}", "line 3: no place of a file"},
        {"\"at\":3072", "\"at\":1e3", "line 3: no place of a file"},
        {"\"caption\":\"a dog\"", "\"caption\":[1]", "line 3: a word of a clip must be a text"},
        {"\"strength\":0.5", "\"strength\":[1]", "line 4: strength must be a number"},
        {"\"strength\":0.5", "\"level_db\":9", "line 4: level_db must be a number of decibels in"},
    };
    size_t size;
    char *shard = get_file(SHARDS, "clips-000.tar", &size), *index;
    assert_non_null(shard);
    put_file(".", "s.tar", shard, size);
    free(shard);
    chl_source *plain, *s;
    const chl_source_choice write = {.write_index = true};
    const chl_status status = chl_source_open("s.tar", &write, &plain);
    if (status == CHL_ERR_UNSUPPORTED) skip(); /* a build without libarchive */
    MUST(status);
    index = get_file(".", "s.tar.index", &size);
    assert_non_null(index);
    index = realloc(index, size + 1);
    assert_non_null(index);
    index[size] = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = strstr(index, cases[i].from);
        char *changed;
        assert_non_null(at);
        assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - index), index, cases[i].to,
                             at + strlen(cases[i].from)) > 0);
        put("s.tar.index", changed);
        free(changed);
        refused("s.tar", NULL, CHL_ERR_FORMAT, cases[i].text);
    }
    put_file(".", "s.tar.index", index,
             (size_t)(strrchr(index, '{') - index)); /* the last clip's */
    MUST(chl_source_open("s.tar", NULL, &s));
    same_clips(plain, s);
    chl_source_free(s);
    chl_source_free(plain);
    free(index);
}

static void what_is_no_tar_is_refused(void **state) {
    (void)state;
    size_t size;
    char *shard = get_file(SHARDS, "clips-000.tar", &size);
    assert_non_null(shard);
    chl_source *s;
    if (chl_source_open(SHARDS, NULL, &s) == CHL_ERR_UNSUPPORTED) {
        free(shard);
        skip();
    }
    chl_source_free(s);
    put_file(".", "cut.tar", shard, 3000);
    put("x.tar", "no tar at all");
    put("y.tar.gz", "\x1f\x8b\x08");
    refused("x.tar", NULL, CHL_ERR_FORMAT, "x.tar must be a whole tar file");
    refused("y.tar.gz", NULL, CHL_ERR_FORMAT, "that is not compressed");
    refused("cut.tar", NULL, CHL_ERR_FORMAT, "cut.tar must be a whole tar file");
    free(shard);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(vggsound_is_read_with_its_quirks),
        TEST(audioset_is_read_with_its_quirks),
        TEST(folds_are_splits),
        TEST(a_manifest_names_what_is_beside_it),
        TEST(all_captions_of_a_row_are_kept),
        TEST(folders_are_labels),
        TEST(a_video_is_sound_and_picture),
        TEST(a_folder_of_pictures_is_a_set_without_sounds),
        TEST(shards_are_read_in_place),
        TEST(an_index_spares_the_headers_of_its_shard),
        TEST(a_level_of_a_shards_clip_is_taken),
        TEST(an_index_that_does_not_fit_is_not_believed),
        TEST(what_is_no_tar_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
