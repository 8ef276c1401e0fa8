/* A page with data: what a name or a text may have in it is made harmless here. */
#include "page.h"
#include <stdlib.h>
#include <string.h>

#define LESS_THAN "\\u003c" /* outside strings JSON has no '<' */

static size_t count_of(const char *text, char letter) {
    size_t count = 0;
    for (; (text = strchr(text, letter)); text++) count++;
    return count;
}

char *page_with_data(const char *page, const char *json) {
    const char *begin = strstr(page, PAGE_DATA);
    const char *end = begin ? strstr(begin, "</script>") : NULL;
    if (!end) return NULL;
    begin += strlen(PAGE_DATA);
    const size_t before = (size_t)(begin - page), after = strlen(end);
    const size_t room = strlen(json) + count_of(json, '<') * (strlen(LESS_THAN) - 1);
    char *whole = malloc(before + room + after + 1), *to = whole;
    if (!whole) return NULL;
    memcpy(to, page, before);
    to += before;
    for (; *json; json++) {
        if (*json == '<') {
            memcpy(to, LESS_THAN, strlen(LESS_THAN));
            to += strlen(LESS_THAN);
        } else {
            *to++ = *json;
        }
    }
    memcpy(to, end, after + 1);
    return whole;
}

/* What RFC 3986 calls unreserved, and the slash between folders. */
static int is_plain(char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= 'a' && letter <= 'z') || (letter && strchr("-._~/", letter));
}

char *page_address(const char *path) {
    static const char digits[] = "0123456789ABCDEF";
    char *address = malloc(3 * strlen(path) + 1), *to = address;
    if (!address) return NULL;
    for (; *path; path++) {
        const unsigned char byte = (unsigned char)*path;
        if (is_plain(*path)) {
            *to++ = *path;
        } else {
            *to++ = '%';
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    *to = 0;
    return address;
}
