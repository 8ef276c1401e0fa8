#include "io/element.h"
#include <string.h>

int64_t chl_element_bytes(chl_element element) {
    switch (element) {
    case CHL_ELEMENT_BOOL:
    case CHL_ELEMENT_U8:
    case CHL_ELEMENT_I8:
        return 1;
    case CHL_ELEMENT_F16:
    case CHL_ELEMENT_BF16:
    case CHL_ELEMENT_I16:
        return 2;
    case CHL_ELEMENT_F32:
    case CHL_ELEMENT_I32:
        return 4;
    case CHL_ELEMENT_F64:
    case CHL_ELEMENT_I64:
        return 8;
    case CHL_ELEMENT_UNKNOWN:
        break;
    }
    return 0;
}

static bool is_float(chl_element element) {
    return element == CHL_ELEMENT_F16 || element == CHL_ELEMENT_BF16 ||
           element == CHL_ELEMENT_F32 || element == CHL_ELEMENT_F64;
}

void chl_view_pack(chl_view *view) {
    int64_t stride = 1;
    for (int32_t i = view->rank - 1; i >= 0; i--) {
        view->stride[i] = stride;
        if (__builtin_mul_overflow(stride, view->dim[i] > 0 ? view->dim[i] : 1, &stride))
            stride = INT64_MAX;
    }
}

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16. Subnormals are exact multiples of 2^-24. */
static float half_to_float(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, mantissa = half & 0x3FF;
    const uint32_t exponent = (half >> 10) & 0x1F;
    if (exponent == 0) {
        float magnitude = (float)mantissa * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    if (exponent == 31) return float_from_bits(sign | 0x7F800000u | mantissa << 13);
    return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t chl_float_to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7FFFFFFF;
    if (bits > 0x7F800000) return sign | 0x7E00; /* NaN */
    if (bits >= 0x477FF000) return sign | 0x7C00;
    if (bits < 0x38800000) { /* subnormal: this addition rounds to multiples of 2^-24 */
        const float shifted = float_from_bits(bits) + 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return sign | (uint16_t)(bits - 0x3F000000);
    }
    bits += 0xFFF + (bits >> 13 & 1);
    return sign | (uint16_t)((bits >> 13) - (112 << 10));
}

/* `count` elements, `step` bytes apart. Loads go through memcpy: files align nothing. */
static void to_floats(chl_element element, const uint8_t *from, ptrdiff_t step, int64_t count,
                      float *to) {
    switch (element) {
    case CHL_ELEMENT_F16:
        for (int64_t i = 0; i < count; i++, from += step) {
            uint16_t half;
            memcpy(&half, from, sizeof half);
            to[i] = half_to_float(half);
        }
        break;
    case CHL_ELEMENT_BF16:
        for (int64_t i = 0; i < count; i++, from += step) {
            uint16_t top;
            memcpy(&top, from, sizeof top);
            to[i] = float_from_bits((uint32_t)top << 16);
        }
        break;
    case CHL_ELEMENT_F64:
        for (int64_t i = 0; i < count; i++, from += step) {
            double wide;
            memcpy(&wide, from, sizeof wide);
            /* C leaves the conversion of a double beyond float32 undefined: it becomes infinity */
            to[i] = wide > 0x1.fffffefffffffp127    ? __builtin_inff()
                    : wide < -0x1.fffffefffffffp127 ? -__builtin_inff()
                                                    : (float)wide;
        }
        break;
    default:
        if (step == sizeof *to)
            memcpy(to, from, (size_t)count * sizeof *to);
        else
            for (int64_t i = 0; i < count; i++, from += step) memcpy(&to[i], from, sizeof *to);
    }
}

/* False when an int64 does not fit. */
static bool to_integers(chl_element element, const uint8_t *from, ptrdiff_t step, int64_t count,
                        int32_t *to) {
    for (int64_t i = 0; i < count; i++, from += step) {
        int16_t narrow;
        int64_t wide;
        switch (element) {
        case CHL_ELEMENT_BOOL:
            to[i] = *from != 0;
            break;
        case CHL_ELEMENT_U8:
            to[i] = *from;
            break;
        case CHL_ELEMENT_I8:
            to[i] = (*from ^ 0x80) - 0x80; /* sign extension */
            break;
        case CHL_ELEMENT_I16:
            memcpy(&narrow, from, sizeof narrow);
            to[i] = narrow;
            break;
        case CHL_ELEMENT_I64:
            memcpy(&wide, from, sizeof wide);
            if (wide < INT32_MIN || wide > INT32_MAX) return false;
            to[i] = (int32_t)wide;
            break;
        default:
            memcpy(&to[i], from, sizeof *to);
        }
    }
    return true;
}

/* Counts the elements and proves that each one lies inside the storage. */
static chl_status check_view(const chl_view *v, const char *key, const char *file,
                             int64_t *elements) {
    const int64_t held = (int64_t)(v->storage_bytes / (size_t)chl_element_bytes(v->element));
    int64_t count = 1, last = v->offset;
    bool wrong = v->offset < 0;
    for (int32_t i = 0; i < v->rank; i++) {
        wrong |= v->dim[i] < 0 || v->stride[i] < 0;
        if (!wrong && v->dim[i] == 0) count = 0;
    }
    for (int32_t i = 0; i < v->rank && !wrong && count; i++) {
        int64_t reach;
        wrong |= __builtin_mul_overflow(count, v->dim[i], &count);
        wrong |= __builtin_mul_overflow(v->dim[i] - 1, v->stride[i], &reach);
        wrong |= __builtin_add_overflow(last, reach, &last);
    }
    if (wrong || (count && last >= held))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: \"%s\" reaches outside its data, which has %lld elements: the file is "
                        "damaged, fetch it again",
                        file, key, (long long)held);
    if (count > held)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: \"%s\" is an expanded view, %lld elements of %lld stored ones: save a "
                        "contiguous copy",
                        file, key, (long long)count, (long long)held);
    *elements = count;
    return CHL_OK;
}

chl_status chl_view_copy(const chl_view *v, const char *key, chl_params *into) {
    const int64_t size = chl_element_bytes(v->element);
    if (!size)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: \"%s\" has an element type that is not supported: convert it to "
                        "float32",
                        into->source, key);
    if (v->rank < 0 || v->rank > CHL_MAX_RANK)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: \"%s\" has rank %d, expected 0 to %d",
                        into->source, key, (int)v->rank, CHL_MAX_RANK);
    int64_t count = 0;
    CHL_TRY(check_view(v, key, into->source, &count));
    chl_desc desc = {.dtype = is_float(v->element) ? CHL_F32 : CHL_I32, .rank = v->rank};
    memcpy(desc.dim, v->dim, (size_t)v->rank * sizeof *desc.dim);
    void *data;
    CHL_TRY(chl_params_add(into, key, desc, &data));
    if (!count) return CHL_OK;

    /* The innermost dimensions that lie row-major in the storage are copied as one run. Example: a
     * transposed [2,3] (strides 1, 2) has runs of 3 elements 2 apart; a contiguous array is a
     * single run. The outer dimensions are counted through like an odometer. */
    int64_t run = 1, step = 1;
    int32_t outer = v->rank;
    while (outer > 0 && (v->dim[outer - 1] == 1 || v->stride[outer - 1] == run))
        run *= v->dim[--outer];
    if (run == 1 && outer > 0) {
        run = v->dim[--outer];
        step = v->stride[outer];
    }
    int64_t index[CHL_MAX_RANK] = {0}, stride[CHL_MAX_RANK], position = v->offset;
    /* the stride of a dimension of size 1 is never used and may be any number */
    for (int32_t i = 0; i < outer; i++) stride[i] = v->dim[i] > 1 ? v->stride[i] : 0;
    for (int64_t done = 0; done < count; done += run) {
        const uint8_t *from = v->storage + position * size;
        if (desc.dtype == CHL_F32)
            to_floats(v->element, from, step * size, run, (float *)data + done);
        else if (!to_integers(v->element, from, step * size, run, (int32_t *)data + done)) {
            chl_params_drop(into, key);
            return chl_fail(
                CHL_ERR_UNSUPPORTED,
                "%s: \"%s\" holds integers beyond 32 bits, which no weight needs: remove the key",
                into->source, key);
        }
        for (int32_t i = outer - 1; i >= 0; i--) {
            position += stride[i];
            if (++index[i] < v->dim[i]) break;
            position -= index[i] * stride[i];
            index[i] = 0;
        }
    }
    return CHL_OK;
}

chl_status chl_view_take(const chl_view *v, const char *key, chl_params *into) {
    const chl_status status = chl_view_copy(v, key, into);
    return status == CHL_ERR_UNSUPPORTED ? chl_params_add_unreadable(into, key, chl_error())
                                         : status;
}

chl_status chl_key_copy(const uint8_t *text, size_t size, const char *file,
                        char key[CHL_KEY_LENGTH + 1]) {
    bool valid = size > 0 && size <= CHL_KEY_LENGTH;
    for (size_t i = 0; valid && i < size; i++) valid = text[i] >= 0x20 && text[i] != 0x7F;
    if (!valid)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: a key of %zu bytes is empty, longer than %d bytes or holds control "
                        "characters: expected the name of a weight",
                        file, size, CHL_KEY_LENGTH);
    memcpy(key, text, size);
    key[size] = '\0';
    return CHL_OK;
}

const char *chl_printable(const uint8_t *text, size_t size, char shown[CHL_PRINTABLE_LENGTH + 1]) {
    if (size > CHL_PRINTABLE_LENGTH) size = CHL_PRINTABLE_LENGTH;
    for (size_t i = 0; i < size; i++)
        shown[i] = text[i] < 0x20 || text[i] == 0x7F ? '?' : (char)text[i];
    shown[size] = '\0';
    return shown;
}
