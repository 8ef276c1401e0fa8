#include "io/haar_cascade.h"
#include "base/file_bytes.h"
#include "base/free.h"
#include "io/xml.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (64 << 20)
#define MAX_WINDOW 1024
#define MAX_NUMBERS 256 /* in a text */
/* A sum that misses a threshold by no more is let pass, as sums of floats in another order may. */
#define THRESHOLD_EPS 1e-5f

#define STAGE "/opencv_storage/cascade/stages/_"
#define TREE STAGE "/weakClassifiers/_"
#define FEATURE "/opencv_storage/cascade/features/_"

typedef struct reader {
    chl_xml xml;
    chl_haar_cascade *c;
    bool is_cascade;
    int stated_stages, stated_trees; /* -1: not stated */
    double number[MAX_NUMBERS];
    int count;
} reader;

/* --- numbers ---------------------------------------------------------------------------------- */
/* The array with room for one more of `size` bytes; NULL without memory. It doubles at powers of
 * two. */
static void *grown(void *array, int count, size_t size) {
    const size_t n = (size_t)count;
    return array && (n & (n - 1)) ? array : realloc(array, size * (n ? 2 * n : 1));
}

static chl_status no_memory(const reader *r) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a cascade", r->xml.name);
}

/* The text's numbers; finite ones between spaces. */
static chl_status read_numbers(reader *r) {
    char word[64];
    const char *at = r->xml.text, *end = at + r->xml.length;
    for (r->count = 0;;) {
        while (at < end && strchr(" \t\r\n", *at)) at++;
        if (at == end) return CHL_OK;
        size_t length = 0;
        while (at + length < end && !strchr(" \t\r\n", at[length])) length++;
        char *stop = word;
        if (length < sizeof word) {
            memcpy(word, at, length);
            word[length] = 0;
            r->number[r->count] = strtod(word, &stop);
        }
        if (stop == word || *stop || !isfinite(r->number[r->count]) ||
            fabs(r->number[r->count]) > 1e9)
            return chl_xml_wrong(&r->xml, "numbers");
        if (++r->count == MAX_NUMBERS) return chl_xml_wrong(&r->xml, "fewer than 256 numbers");
        at += length;
    }
}

static chl_status read_int(reader *r, int low, int high, int *value) {
    char expected[64];
    CHL_TRY(read_numbers(r));
    if (r->count == 1 && r->number[0] == floor(r->number[0]) && r->number[0] >= low &&
        r->number[0] <= high) {
        *value = (int)r->number[0];
        return CHL_OK;
    }
    (void)snprintf(expected, sizeof expected, "a whole number from %d to %d", low, high);
    return chl_xml_wrong(&r->xml, expected);
}

static bool is_text(const reader *r, const char *text) {
    size_t length = r->xml.length;
    while (length > 0 && strchr(" \t\r\n", r->xml.text[length - 1])) length--;
    return length == strlen(text) && memcmp(r->xml.text, text, length) == 0;
}

/* --- features --------------------------------------------------------------------------------- */
static chl_status take_rectangle(reader *r) {
    chl_haar_feature *f = &r->c->feature[r->c->features - 1];
    CHL_TRY(read_numbers(r));
    if (r->count != 5) return chl_xml_wrong(&r->xml, "x, y, width, height and weight");
    if (f->rects == CHL_HAAR_RECTS) return chl_xml_wrong(&r->xml, "at most 3 rectangles");
    for (int i = 0; i < 4; i++) {
        if (r->number[i] != floor(r->number[i]) || r->number[i] < (i < 2 ? 0 : 1) ||
            r->number[i] > MAX_WINDOW)
            return chl_xml_wrong(&r->xml, "a rectangle of whole pixels");
        f->place[f->rects][i] = (int)r->number[i];
    }
    f->weight[f->rects++] = (float)r->number[4];
    return CHL_OK;
}

static chl_status take_tilted(reader *r) {
    int tilted = 0;
    CHL_TRY(read_int(r, 0, 1, &tilted));
    return tilted ? chl_fail(CHL_ERR_UNSUPPORTED,
                             "%s: line %d: has tilted features, which are not supported",
                             r->xml.name, r->xml.line + 1)
                  : CHL_OK;
}

/* --- trees ------------------------------------------------------------------------------------ */
static chl_status take_nodes(reader *r) {
    chl_haar_tree *tree = &r->c->tree[r->c->trees - 1];
    CHL_TRY(read_numbers(r));
    if (r->count == 0 || r->count % 4 || tree->nodes > 0)
        return chl_xml_wrong(&r->xml, "left, right, feature and threshold of each node, once");
    tree->node = r->c->nodes;
    for (int i = 0; i < r->count; i += 4) {
        for (int k = 0; k < 3; k++)
            if (r->number[i + k] != floor(r->number[i + k]))
                return chl_xml_wrong(&r->xml, "whole numbers of nodes and features");
        chl_haar_node *node = grown(r->c->node, r->c->nodes, sizeof *node);
        if (!node) return no_memory(r);
        r->c->node = node;
        node[r->c->nodes++] = (chl_haar_node){(int)r->number[i], (int)r->number[i + 1],
                                              (int)r->number[i + 2], (float)r->number[i + 3]};
        tree->nodes++;
    }
    return CHL_OK;
}

static chl_status take_leaves(reader *r) {
    chl_haar_tree *tree = &r->c->tree[r->c->trees - 1];
    CHL_TRY(read_numbers(r));
    if (tree->leaves > 0) return chl_xml_wrong(&r->xml, "the values of the leaves, once");
    tree->leaf = r->c->leaves;
    for (int i = 0; i < r->count; i++) {
        float *leaf = grown(r->c->leaf, r->c->leaves, sizeof *leaf);
        if (!leaf) return no_memory(r);
        r->c->leaf = leaf;
        leaf[r->c->leaves++] = (float)r->number[i];
        tree->leaves++;
    }
    return CHL_OK;
}

/* Every way through a tree ends in a leaf: children come later than their parents. */
static chl_status check_tree(const reader *r) {
    const chl_haar_tree *tree = &r->c->tree[r->c->trees - 1];
    for (int i = 0; i < tree->nodes; i++) {
        const chl_haar_node *node = &r->c->node[tree->node + i];
        const int child[2] = {node->left, node->right};
        for (int k = 0; k < 2; k++)
            if (child[k] > 0 ? child[k] <= i || child[k] >= tree->nodes : -child[k] >= tree->leaves)
                return chl_xml_wrong(&r->xml, "nodes whose children are later nodes or leaves");
    }
    return tree->nodes > 0 ? CHL_OK : chl_xml_wrong(&r->xml, "internalNodes and leafValues");
}

static chl_status check_stage(reader *r) {
    const chl_haar_stage *stage = &r->c->stage[r->c->stages - 1];
    if (stage->trees == 0 || (r->stated_trees >= 0 && r->stated_trees != stage->trees))
        return chl_xml_wrong(&r->xml, "as many weak classifiers as maxWeakCount says");
    return isnan(stage->threshold) ? chl_xml_wrong(&r->xml, "a stageThreshold") : CHL_OK;
}

/* --- the file --------------------------------------------------------------------------------- */
static bool is_at(const reader *r, const char *path) {
    return strcmp(r->xml.path, path) == 0;
}

static bool has(const reader *r, const char *text) {
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= r->xml.length; i++)
        if (memcmp(r->xml.text + i, text, length) == 0) return true;
    return false;
}

static chl_status add_stage(reader *r) {
    chl_haar_cascade *c = r->c;
    chl_haar_stage *stage = grown(c->stage, c->stages, sizeof *stage);
    if (!stage) return no_memory(r);
    c->stage = stage;
    stage[c->stages++] = (chl_haar_stage){.tree = c->trees, .threshold = NAN};
    r->stated_trees = -1;
    return CHL_OK;
}

static chl_status add_tree(reader *r) {
    chl_haar_cascade *c = r->c;
    chl_haar_tree *tree = grown(c->tree, c->trees, sizeof *tree);
    if (!tree) return no_memory(r);
    c->tree = tree;
    tree[c->trees++] = (chl_haar_tree){0};
    c->stage[c->stages - 1].trees++;
    return CHL_OK;
}

static chl_status add_feature(reader *r) {
    chl_haar_feature *feature = grown(r->c->feature, r->c->features, sizeof *feature);
    if (!feature) return no_memory(r);
    r->c->feature = feature;
    feature[r->c->features++] = (chl_haar_feature){0};
    return CHL_OK;
}

static chl_status open_element(reader *r) {
    if (is_at(r, "/opencv_storage/cascade")) r->is_cascade = has(r, "opencv-cascade-classifier");
    if (is_at(r, STAGE)) return add_stage(r);
    if (is_at(r, TREE)) return add_tree(r);
    if (is_at(r, FEATURE)) return add_feature(r);
    return CHL_OK;
}

static chl_status take_threshold(reader *r) {
    CHL_TRY(read_numbers(r));
    if (r->count != 1) return chl_xml_wrong(&r->xml, "a number");
    r->c->stage[r->c->stages - 1].threshold = (float)r->number[0] - THRESHOLD_EPS;
    return CHL_OK;
}

static chl_status take_text(reader *r) {
    int none = 0;
    if (is_at(r, "/opencv_storage/cascade/stageType"))
        return is_text(r, "BOOST") ? CHL_OK : chl_xml_wrong(&r->xml, "BOOST");
    if (is_at(r, "/opencv_storage/cascade/featureType"))
        return is_text(r, "HAAR") ? CHL_OK : chl_xml_wrong(&r->xml, "HAAR");
    if (is_at(r, "/opencv_storage/cascade/width")) return read_int(r, 4, MAX_WINDOW, &r->c->width);
    if (is_at(r, "/opencv_storage/cascade/height"))
        return read_int(r, 4, MAX_WINDOW, &r->c->height);
    if (is_at(r, "/opencv_storage/cascade/featureParams/maxCatCount"))
        return read_int(r, 0, 0, &none);
    if (is_at(r, "/opencv_storage/cascade/stageNum"))
        return read_int(r, 1, 1 << 20, &r->stated_stages);
    if (is_at(r, STAGE "/maxWeakCount")) return read_int(r, 1, 1 << 20, &r->stated_trees);
    if (is_at(r, STAGE "/stageThreshold")) return take_threshold(r);
    if (is_at(r, TREE "/internalNodes")) return take_nodes(r);
    if (is_at(r, TREE "/leafValues")) return take_leaves(r);
    if (is_at(r, FEATURE "/rects/_")) return take_rectangle(r);
    if (is_at(r, FEATURE "/tilted")) return take_tilted(r);
    return CHL_OK;
}

static chl_status close_element(reader *r) {
    if (is_at(r, TREE)) return check_tree(r);
    if (is_at(r, STAGE)) return check_stage(r);
    if (is_at(r, FEATURE) && r->c->feature[r->c->features - 1].rects < 2)
        return chl_xml_wrong(&r->xml, "2 or 3 rectangles");
    return CHL_OK;
}

static chl_status check_features(const reader *r) {
    const chl_haar_cascade *c = r->c;
    for (int i = 0; i < c->nodes; i++)
        if (c->node[i].feature < 0 || c->node[i].feature >= c->features)
            return chl_fail(CHL_ERR_FORMAT, "%s: a node compares feature %d, there are %d",
                            r->xml.name, c->node[i].feature, c->features);
    for (int i = 0; i < c->features; i++)
        for (int k = 0; k < c->feature[i].rects; k++) {
            const int *p = c->feature[i].place[k];
            if (p[0] + p[2] > c->width || p[1] + p[3] > c->height)
                return chl_fail(CHL_ERR_FORMAT,
                                "%s: feature %d: rectangle %d leaves the window of %d x %d",
                                r->xml.name, i, k, c->width, c->height);
        }
    return CHL_OK;
}

static chl_status check(const reader *r) {
    if (!r->is_cascade)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: is no cascade of OpenCV: expected <cascade "
                        "type_id=\"opencv-cascade-classifier\"> in <opencv_storage>",
                        r->xml.name);
    if (r->c->width == 0 || r->c->height == 0 || r->c->stages == 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: the cascade has no %s", r->xml.name,
                        r->c->stages == 0 ? "stages" : "width or height");
    if (r->stated_stages >= 0 && r->stated_stages != r->c->stages)
        return chl_fail(CHL_ERR_FORMAT, "%s: stageNum is %d, there are %d stages", r->xml.name,
                        r->stated_stages, r->c->stages);
    return check_features(r);
}

static chl_status read_events(reader *r) {
    for (;;) {
        CHL_TRY(chl_xml_next(&r->xml));
        switch (r->xml.event) {
        case CHL_XML_OPEN:
            CHL_TRY(open_element(r));
            break;
        case CHL_XML_TEXT:
            CHL_TRY(take_text(r));
            break;
        case CHL_XML_CLOSE:
            CHL_TRY(close_element(r));
            break;
        case CHL_XML_END:
            return check(r);
        }
    }
}

chl_status chl_haar_cascade_parse(const char *text, size_t size, const char *name,
                                  chl_haar_cascade **out) {
    reader *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r) r->c = calloc(1, sizeof *r->c);
    if (!r || !r->c) {
        free(r);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for a cascade", name);
    }
    r->xml = (chl_xml){.name = name, .at = text, .end = text + size};
    r->stated_stages = r->stated_trees = -1;
    const chl_status status = read_events(r);
    if (status == CHL_OK)
        *out = r->c;
    else
        chl_haar_cascade_free(r->c);
    free(r);
    return status;
}

chl_status chl_haar_cascade_read(const char *path, chl_haar_cascade **out) {
    chl_file_bytes bytes;
    *out = NULL;
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){.max_bytes = MAX_BYTES}, &bytes));
    const chl_status status =
        chl_haar_cascade_parse((const char *)bytes.data, bytes.size, path, out);
    chl_file_bytes_free(&bytes);
    return status;
}

void chl_haar_cascade_free(chl_haar_cascade *c) {
    if (!c) return;
    CHL_FREE(c->stage, c->tree, c->node, c->leaf, c->feature, c);
}
