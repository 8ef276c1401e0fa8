#include "eval_report.h"
#include "print.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* report["a"]["b"] for "a/b"; NULL where there is none */
static const json_t *find(const json_t *report, const char *path) {
    char key[64];
    while (report && *path) {
        const size_t length = strcspn(path, "/");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        report = json_object_get(report, key);
        path += length + (path[length] == '/');
    }
    return report;
}

/* printf rounds what lies half-way to the even digit, a browser away from 0: the text has the page's
 * figures. Half-way numbers are multiples of 2^-(digits+1). */
static double half_up(double x, int digits) {
    const double parts = ldexp(x, digits + 1), halves = parts * pow(5, digits);
    if (parts != floor(parts) || fmod(fabs(halves), 2) != 1) return x;
    return nextafter(x, x < 0 ? -INFINITY : INFINITY);
}

/* for %.1f */
static double percent(const json_t *share) {
    return half_up(100 * json_number_value(share), 1);
}

/* "87.5 %", or "-" where nothing was measured */
static void print_share(const json_t *report, const char *path) {
    const json_t *x = find(report, path);
    if (json_is_number(x))
        printf(" %.1f %% |", percent(x));
    else
        fputs(" - |", stdout);
}

static void print_number(const json_t *report, const char *path) {
    const json_t *x = find(report, path);
    if (json_is_number(x))
        printf(" %.2f |", half_up(json_number_value(x), 2));
    else
        fputs(" - |", stdout);
}

/* "all" with its interval, and the folds */
static void print_totals(const json_t *report) {
    size_t i;
    json_t *fold;
    const json_t *interval = find(report, "interval");
    fputs("| all | |", stdout);
    print_share(report, "accuracy");
    fputs("\n| all, each label alike | |", stdout);
    print_share(report, "balanced");
    putchar('\n');
    if (json_is_number(json_array_get(interval, 0)))
        printf("\n95 %% of bootstrap samples: %.1f to %.1f %%\n",
               percent(json_array_get(interval, 0)), percent(json_array_get(interval, 1)));
    if (!find(report, "folds")) return;
    fputs("\n| fold | sounds | named right |\n|---|---|---|\n", stdout);
    json_array_foreach(json_object_get(report, "folds"), i, fold) {
        printf("| %lld | %lld |", (long long)json_integer_value(find(fold, "fold")),
               (long long)json_integer_value(find(fold, "sounds")));
        print_share(fold, "accuracy");
        putchar('\n');
    }
    printf("| mean | | %.1f", percent(find(report, "fold_mean")));
    if (json_is_number(find(report, "fold_interval")))
        printf(" ± %.1f", percent(find(report, "fold_interval")));
    puts(" % |");
}

static void print_classified(const json_t *report) {
    const char *label;
    json_t *value;
    printf("%lld sounds", (long long)json_integer_value(find(report, "sounds")));
    if (json_integer_value(find(report, "missing")) > 0)
        printf(", %lld more are not there or not readable",
               (long long)json_integer_value(find(report, "missing")));
    puts("\n\n| label | sounds | named right |\n|---|---|---|");
    json_object_foreach(json_object_get(report, "per_label"), label, value) {
        printf("| %s | %lld |", shown(label), (long long)json_integer_value(find(value, "sounds")));
        print_share(value, "accuracy");
        putchar('\n');
    }
    print_totals(report);
}

static void print_others(const json_t *others) {
    if (!others) return;
    printf(
        "\n| threshold | sounds of the labels refused | %lld others accepted |\n|---|---|---|\n|",
        (long long)json_integer_value(find(others, "sounds")));
    printf(" %.3f |", json_number_value(find(others, "threshold")));
    print_share(others, "refused");
    print_share(others, "accepted");
    putchar('\n');
}

void print_zero_shot(const json_t *report) {
    const char *label;
    json_t *value;
    const json_t *top = find(report, "top1");
    if (top) {
        printf("top1: %s\n\n| label | cosine |\n|---|---|\n", shown(json_string_value(top)));
        json_object_foreach(json_object_get(report, "scores"), label, value)
            printf("| %s | %.4f |\n", shown(label), json_number_value(value));
        return;
    }
    print_classified(report);
    print_others(json_object_get(report, "others"));
}

void print_probe(const json_t *report) {
    print_classified(report);
    if (find(report, "l2_why")) printf("\n%s\n", shown(json_string_value(find(report, "l2_why"))));
}

void print_supervised(const json_t *report) {
    size_t i;
    json_t *model;
    print_classified(report);
    puts("\n| model | network | trained on | sounds | named right |\n|---|---|---|---|---|");
    json_array_foreach(json_object_get(report, "models"), i, model) {
        const json_t *split = json_object_get(model, "trained_on");
        printf("| %s", shown(json_string_value(find(model, "file"))));
        printf(" | %s", shown(json_string_value(find(model, "network"))));
        printf(" | %s | %lld |", json_is_string(split) ? shown(json_string_value(split)) : "all",
               (long long)json_integer_value(find(model, "sounds")));
        print_share(model, "accuracy");
        putchar('\n');
    }
}

/* --- retrieval -------------------------------------------------------------------------------- */
static void print_found(const json_t *report, const char *path, const char *name) {
    static const char *const depths[] = {"r1", "r5", "r10"};
    const json_t *way = find(report, path);
    if (!way || json_is_null(way)) return;
    printf("| %s | %lld | %lld |", name, (long long)json_integer_value(find(way, "queries")),
           (long long)json_integer_value(find(way, "candidates")));
    for (int i = 0; i < 3; i++) {
        const json_t *one = find(way, depths[i]), *interval = find(one, "interval");
        printf(" %.1f %%", percent(find(one, "share")));
        if (json_is_number(json_array_get(interval, 0)))
            printf(" (%.1f to %.1f)", percent(json_array_get(interval, 0)),
                   percent(json_array_get(interval, 1)));
        fputs(" |", stdout);
    }
    printf(" %g | %.1f %% |\n", json_number_value(find(way, "median_rank")),
           percent(find(way, "r10/chance")));
}

void print_retrieval(const json_t *report) {
    const json_t *texts = find(report, "audio_text/texts");
    size_t i;
    json_t *row;
    printf("%lld clips: %lld sounds, %lld pictures, %lld texts%s%s%s; %lld clips and %lld pictures "
           "are not there or not readable\n\n",
           (long long)json_integer_value(find(report, "clips")),
           (long long)json_integer_value(find(report, "sounds")),
           (long long)json_integer_value(find(report, "pictures")),
           (long long)json_integer_value(find(report, "texts")), texts ? " (" : "",
           texts ? json_string_value(texts) : "", texts ? ")" : "",
           (long long)json_integer_value(find(report, "missing")),
           (long long)json_integer_value(find(report, "unreadable_pictures")));
    puts("| from, to | queries | candidates | R@1 | R@5 | R@10 | median rank | R@10 by chance |\n"
         "|---|---|---|---|---|---|---|---|");
    print_found(report, "audio_image/audio_to_image", "sound, picture");
    print_found(report, "audio_image/image_to_audio", "picture, sound");
    print_found(report, "audio_text/audio_to_text", "sound, text");
    print_found(report, "audio_text/text_to_audio", "text, sound");
    puts("\nIn brackets: 95 % of bootstrap samples");
    json_array_foreach(json_object_get(report, "absent"), i, row)
        printf("\nNot measured: %s: %s\n", json_string_value(find(row, "part")),
               json_string_value(find(row, "why")));
}

/* --- pictures --------------------------------------------------------------------------------- */
static void print_distances(const json_t *distances) {
    if (!distances) return;
    printf("| FID | KID, 1e-3 | precision | recall |\n|---|---|---|---|\n| %.4f | %.2f |",
           json_number_value(find(distances, "fid")),
           1000 * json_number_value(find(distances, "kid")));
    print_share(distances, "precision");
    print_share(distances, "recall");
    printf("\n\nby %s, %lld numbers a picture; %lld neighbours\n",
           shown(json_string_value(find(distances, "features"))),
           (long long)json_integer_value(find(distances, "embedding")),
           (long long)json_integer_value(find(distances, "neighbours")));
}

/* A row per kind: how often the judge names it, and of pictures labelled so how many. */
static void print_judged(const json_t *report) {
    const json_t *pictures = find(report, "pictures"), *data = find(report, "data");
    const char *kind;
    json_t *share;
    if (!find(report, "judge")) return;
    puts("\n| judge | pictures | data | right, pictures | right, data |\n|---|---|---|---|---|");
    json_object_foreach((json_t *)find(pictures, "named"), kind, share) {
        printf("| %s |", shown(kind));
        print_share(find(pictures, "named"), kind);
        print_share(find(data, "named"), kind);
        print_share(find(pictures, "right_per_kind"), kind);
        print_share(find(data, "right_per_kind"), kind);
        putchar('\n');
    }
    fputs("| all | | |", stdout);
    print_share(pictures, "named_right");
    print_share(data, "named_right");
    fputs("\n| mean certainty |", stdout);
    print_share(pictures, "certainty");
    print_share(data, "certainty");
    puts(" | |");
}

void print_pictures(const json_t *report) {
    static const char *const keys[] = {"pictures", "data"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *set = find(report, keys[i]);
        printf("%s: %lld of %s, %lld unreadable\n", keys[i],
               (long long)json_integer_value(find(set, "count")),
               shown(json_string_value(find(set, "source"))),
               (long long)json_integer_value(find(set, "unreadable")));
    }
    printf("%lld pixels on a side\n\n", (long long)json_integer_value(find(report, "side")));
    print_distances(find(report, "distances"));
    print_judged(report);
}

/* --- edits ------------------------------------------------------------------------------------ */
static void print_edit_row(const char *name, const json_t *row, const char *wrong) {
    static const char *const shares[] = {"named_right",     "unchanged/time", "unchanged/season",
                                         "unchanged/house", "unchanged/all",  "both"};
    printf("| %s |", shown(name));
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) print_share(row, shares[i]);
    print_share(row, wrong);
    putchar('\n');
}

static void print_gate(const char *name, const json_t *gate) {
    if (!gate) return;
    printf("| %s | %lld |", name, (long long)json_integer_value(find(gate, "pictures")));
    print_share(gate, "kind");
    print_share(gate, "time");
    print_share(gate, "season");
    print_share(gate, "house");
    putchar('\n');
}

static void print_intensity(const json_t *intensity) {
    const char *kind;
    json_t *row;
    if (!intensity || json_object_size(intensity) == 0) return;
    printf("\n| louder | Spearman, judge | of the mean curve | Spearman, CLIP | heard "
           "as the kind | Spearman of these |\n|---|---|---|---|---|---|\n");
    json_object_foreach((json_t *)intensity, kind, row) {
        printf("| %s |", shown(kind));
        print_number(row, "spearman");
        print_number(row, "spearman_of_mean");
        print_number(row, "spearman_clip");
        print_share(row, "heard");
        print_number(row, "spearman_heard");
        putchar('\n');
    }
}

static void print_directions(const json_t *directions) {
    static const char *const keys[] = {"source_sound", "source_text", "sound_text", "directions"};
    static const char *const names[] = {"source, sound", "source, text", "sound, text",
                                        "directions of sound and text"};
    if (!directions) return;
    printf("\n| cosine between codes | mean | deviation |\n|---|---|---|\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *row = find(directions, keys[i]);
        printf("| %s |", names[i]);
        print_number(row, "mean");
        print_number(row, "deviation");
        putchar('\n');
    }
}

static void print_leakage(const json_t *leakage) {
    static const char *const keys[] = {"time", "season", "house", "all"};
    if (!leakage) return;
    printf("\n| leakage | could move | to the kind's usual one | elsewhere |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *row = find(leakage, keys[i]);
        printf("| %s | %lld |", keys[i], (long long)json_integer_value(find(row, "cases")));
        print_share(row, "to_favourite");
        print_share(row, "elsewhere");
        putchar('\n');
    }
}

void print_edits(const json_t *report) {
    const char *kind;
    json_t *row;
    printf("%lld edits\n\n"
           "| sound | named right | time kept | season kept | house kept | all three kept "
           "| right and kept | wrong sound named so |\n|---|---|---|---|---|---|---|---|\n",
           (long long)json_integer_value(find(report, "edits")));
    json_object_foreach(json_object_get(report, "per_kind"), kind, row)
        print_edit_row(kind, row, "wrong_sound/mean");
    print_edit_row("all", report, "wrong_sound/mean");
    if (find(report, "gate")) {
        printf("\n| the judge on | pictures | kind | time | season | house |\n"
               "|---|---|---|---|---|---|\n");
        print_gate("the generator's pictures", find(report, "gate"));
        print_gate("painted pictures", find(report, "painted"));
    }
    print_intensity(find(report, "intensity"));
    print_directions(find(report, "directions"));
    print_leakage(find(report, "leakage"));
}

/* --- ablation --------------------------------------------------------------------------------- */
/* A share in per cent, a correlation as it is. */
static void print_cell(const char *name, const json_t *figure) {
    const json_t *mean = find(figure, "mean"), *interval = find(figure, "interval");
    const bool share = strstr(name, "spearman") == NULL;
    if (!json_is_number(mean)) {
        fputs(" - |", stdout);
        return;
    }
    printf(share ? " %.1f" : " %.2f", share ? percent(mean) : half_up(json_number_value(mean), 2));
    if (json_is_number(interval))
        printf(share ? " ± %.1f" : " ± %.2f",
               share ? percent(interval) : half_up(json_number_value(interval), 2));
    fputs(share ? " % |" : " |", stdout);
}

void print_ablation(const json_t *report) {
    const json_t *groups = json_object_get(report, "groups");
    const json_t *first = json_array_get(groups, 0);
    size_t i;
    json_t *group;
    fputs("| mean ± 95 % interval |", stdout);
    json_array_foreach(groups, i, group)
        printf(" %s (%lld) |", shown(json_string_value(find(group, "name"))),
               (long long)json_integer_value(find(group, "encoders")));
    fputs("\n|---|", stdout);
    for (i = 0; i < json_array_size(groups); i++) fputs("---|", stdout);
    putchar('\n');
    const char *name;
    json_t *unused;
    json_object_foreach((json_t *)find(first, "figures"), name, unused) {
        printf("| %s |", shown(name));
        json_array_foreach(groups, i, group)
            print_cell(name, json_object_get(json_object_get(group, "figures"), name));
        putchar('\n');
    }
}

/* --- comparison ------------------------------------------------------------------------------- */
static void print_published(const json_t *encoders) {
    static const char *const keys[] = {"esc50_zero_shot",  "urbansound8k_zero_shot",
                                       "esc50_probe",      "urbansound8k_probe",
                                       "esc50_supervised", "urbansound8k_supervised"};
    size_t i;
    json_t *row;
    puts(
        "Published, not measured here:\n\n"
        "| encoder | ESC-50 zero-shot | UrbanSound8K zero-shot | ESC-50 probe | UrbanSound8K probe "
        "| ESC-50 supervised | UrbanSound8K supervised |\n|---|---|---|---|---|---|---|");
    json_array_foreach((json_t *)encoders, i, row) {
        printf("| %s |", json_string_value(find(row, "encoder")));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) print_share(row, keys[k]);
        putchar('\n');
    }
}

static void print_baselines(const json_t *rows) {
    size_t i;
    json_t *row;
    puts("| trained on the labels | sounds | named right | 95 % |\n|---|---|---|---|");
    json_array_foreach((json_t *)rows, i, row) {
        const json_t *interval = json_object_get(row, "interval"),
                     *sounds = json_object_get(row, "sounds");
        printf("| %s |", shown(json_string_value(find(row, "name"))));
        if (sounds)
            printf(" %lld |", (long long)json_integer_value(sounds));
        else
            fputs(" as given |", stdout);
        print_share(row, "share");
        if (json_is_number(json_array_get(interval, 0)))
            printf(" %.1f to %.1f %% |\n", percent(json_array_get(interval, 0)),
                   percent(json_array_get(interval, 1)));
        else
            puts(" - |");
    }
}

void print_comparison(const json_t *report) {
    const json_t *supervised = json_object_get(report, "supervised");
    print_ablation(report);
    putchar('\n');
    if (supervised) {
        print_baselines(supervised);
        putchar('\n');
    }
    print_published(json_object_get(report, "published"));
}

/* --- all of it -------------------------------------------------------------------------------- */
static void print_sets(const json_t *zero_shot) {
    size_t i, k;
    json_t *set, *prompt;
    puts("| prompts | named right | each label alike |\n|---|---|---|");
    json_array_foreach(json_object_get(zero_shot, "prompt_sets"), i, set) {
        fputs("|", stdout);
        json_array_foreach(json_object_get(set, "prompts"), k, prompt)
            printf("%s %s", k ? "," : "", shown(json_string_value(prompt)));
        fputs(" |", stdout);
        print_share(set, "accuracy");
        print_share(set, "balanced");
        putchar('\n');
    }
}

static void print_named_edits(const json_t *semantic) {
    static const char *const keys[] = {"guides", "by_sound", "by_text"};
    static const char *const names[] = {"the sounds themselves", "edits by sound", "edits by text"};
    puts("| a linear classifier of sounds names right | number | |\n|---|---|---|");
    for (int i = 0; i < 3; i++) {
        const json_t *row = find(semantic, keys[i]);
        printf("| %s | %lld |", names[i], (long long)json_integer_value(find(row, "edits")));
        print_share(row, "accuracy");
        putchar('\n');
    }
}

static void print_identity(const json_t *identity) {
    static const char *const keys[] = {"with", "without", "difference"};
    puts("| identity loss | cosine of the faces | cosine with the sound |\n|---|---|---|");
    for (int i = 0; i < 3; i++) {
        const json_t *row = find(identity, keys[i]);
        printf("| %s |", keys[i]);
        print_number(row, "identity/mean");
        print_number(row, "similarity/mean");
        putchar('\n');
    }
}

static void print_said(const json_t *published) {
    static const char *const shares[][2] = {
        {"by_sound", "by sound"}, {"lee2022", "Lee et al. 2022"}, {"by_text", "by text"}};
    size_t i, k;
    json_t *row;
    putchar('\n');
    json_array_foreach(json_object_get(published, "people"), i, row) {
        const json_t *points = find(row, "points");
        printf("- %s:", json_string_value(find(row, "what")));
        if (points) printf(" %.3f", json_number_value(points));
        for (k = 0; !points && k < 3; k++)
            printf("%s %s %.1f %%", k ? "," : "", shares[k][1], percent(find(row, shares[k][0])));
        putchar('\n');
    }
    json_array_foreach(json_object_get(published, "in_words"), i, row)
        printf("- %s, without digits in the text: %s\n", json_string_value(find(row, "part")),
               json_string_value(find(row, "says")));
}

void print_whole(const json_t *report) {
    static const struct {
        const char *part, *of, *title; /* printed where there is `part` */
        void (*print)(const json_t *);
    } parts[] = {{"zero_shot", "zero_shot", "Zero-shot", print_zero_shot},
                 {"zero_shot/prompt_sets", "zero_shot", "Zero-shot by prompts", print_sets},
                 {"probe", "probe", "Logistic regression", print_probe},
                 {"linear_probe", "linear_probe", "Linear probe, its penalty chosen", print_probe},
                 {"supervised", "supervised", "Supervised baseline", print_baselines},
                 {"retrieval", "retrieval", "Retrieval", print_retrieval},
                 {"edits/per_kind", "edits", "Judged edits", print_edits},
                 {"edits/semantic", "edits/semantic", "Semantic accuracy", print_named_edits},
                 {"edits/identity", "edits/identity", "Identity", print_identity}};
    size_t i;
    json_t *row;
    for (i = 0; i < sizeof parts / sizeof *parts; i++) {
        const json_t *part = find(report, parts[i].part);
        if (!part || (json_is_array(part) && json_array_size(part) == 0)) continue;
        printf("\n## %s\n\n", parts[i].title);
        parts[i].print(find(report, parts[i].of));
    }
    if (!find(report, "edits/per_kind")) print_directions(find(report, "edits/directions"));
    puts("\n## Not measured\n");
    json_array_foreach(json_object_get(report, "absent"), i, row)
        printf("- %s: %s\n", json_string_value(find(row, "part")),
               shown(json_string_value(find(row, "why"))));
    putchar('\n');
    print_published(find(report, "published/encoders"));
    print_said(find(report, "published"));
}
