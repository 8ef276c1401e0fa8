/* Numbers as files hold them, and the one way they become arrays of this program: floating point to
 * float32, integers and truth values to int32. Every size, stride and offset of the view is treated
 * as a claim and checked against the bytes that are there. */
#ifndef CHL_IO_ELEMENT_H
#define CHL_IO_ELEMENT_H
#include "base/params.h"

/* Names reach error texts and the weight table: 1 to CHL_KEY_LENGTH bytes, no control characters.
 */
#define CHL_KEY_LENGTH 511

typedef enum chl_element {
    CHL_ELEMENT_UNKNOWN,
    CHL_ELEMENT_F16,
    CHL_ELEMENT_BF16,
    CHL_ELEMENT_F32,
    CHL_ELEMENT_F64,
    CHL_ELEMENT_BOOL,
    CHL_ELEMENT_U8,
    CHL_ELEMENT_I8,
    CHL_ELEMENT_I16,
    CHL_ELEMENT_I32,
    CHL_ELEMENT_I64
} chl_element;

/* Bytes of one element; 0 for CHL_ELEMENT_UNKNOWN. */
int64_t chl_element_bytes(chl_element element);

/* To the nearest IEEE 754 binary16, ties to even; beyond its range (65504) infinity. */
uint16_t chl_float_to_half(float value);

/* A strided window into the bytes of a file, all little-endian. */
typedef struct chl_view {
    chl_element element;
    int32_t rank;
    int64_t dim[CHL_MAX_RANK];
    int64_t stride[CHL_MAX_RANK]; /* in elements, not negative */
    int64_t offset;               /* in elements */
    const uint8_t *storage;       /* any alignment */
    size_t storage_bytes;
} chl_view;

/* Sets row-major strides. A product out of range is left for chl_view_copy to refuse. */
void chl_view_pack(chl_view *view);

/* Adds `key` to `into` with the converted elements, row-major. A view with more elements than its
 * storage (stride 0 or overlapping) is refused, so that a small file cannot ask for much memory. */
chl_status chl_view_copy(const chl_view *view, const char *key, chl_params *into);

/* Copies a name of `size` bytes into a terminated buffer; CHL_ERR_FORMAT when it is no decent key.
 */
chl_status chl_key_copy(const uint8_t *text, size_t size, const char *file,
                        char key[CHL_KEY_LENGTH + 1]);

/* The start of a text from a file, fit for an error text: control characters become '?'. */
#define CHL_PRINTABLE_LENGTH 63
const char *chl_printable(const uint8_t *text, size_t size, char shown[CHL_PRINTABLE_LENGTH + 1]);

static inline uint64_t chl_little(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}
#endif
