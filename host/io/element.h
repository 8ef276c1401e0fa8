/* The element types of weight files, and the one conversion from a file's bytes to an array:
 * floating point becomes float32, integers and booleans become int32.
 *
 * A parser fills a chl_view with what the file claims (type, shape, strides, offset) and the bytes
 * the file really has; chl_view_copy checks every claim against those bytes before it reads one. No
 * parser converts elements itself. Files are little-endian, as is every machine this runs on. */
#ifndef CHL_IO_ELEMENT_H
#define CHL_IO_ELEMENT_H
#include "base/params.h"

/* Keys appear in error texts and in the list of arrays: 1 to CHL_KEY_LENGTH bytes, no control
 * characters. */
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

/* The nearest IEEE 754 binary16, ties to even; infinity beyond its range (65504). */
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

/* Sets row-major strides. When they overflow, they saturate, and chl_view_copy returns the error.
 */
void chl_view_pack(chl_view *view);

/* Adds `key` to `into` with the converted elements, row-major. CHL_ERR_FORMAT when an element lies
 * outside the storage. CHL_ERR_UNSUPPORTED when the view has more elements than its storage (stride
 * 0, or overlapping rows), so that a small file cannot claim a lot of memory; for integers beyond
 * 32 bits; for an unknown element type. */
chl_status chl_view_copy(const chl_view *view, const char *key, chl_params *into);

/* The same for one of many arrays of a file: what is CHL_ERR_UNSUPPORTED becomes an entry that
 * cannot be read (chl_params_add_unreadable), since nobody may need it. */
chl_status chl_view_take(const chl_view *view, const char *key, chl_params *into);

/* Copies a key of `size` bytes into a terminated buffer; CHL_ERR_FORMAT when it is empty, too long
 * or has control characters. */
chl_status chl_key_copy(const uint8_t *text, size_t size, const char *file,
                        char key[CHL_KEY_LENGTH + 1]);

/* The start of a text from a file, made printable for an error text: control characters become
 * '?'. Returns `shown`. */
#define CHL_PRINTABLE_LENGTH 63
const char *chl_printable(const uint8_t *text, size_t size, char shown[CHL_PRINTABLE_LENGTH + 1]);

static inline uint64_t chl_little(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}
#endif
