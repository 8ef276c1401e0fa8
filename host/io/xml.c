#include "io/xml.h"
#include <stdbool.h>
#include <string.h>

static chl_status wrong(const chl_xml *xml, const char *what) {
    return chl_fail(CHL_ERR_FORMAT, "%s: line %d: %s", xml->name, xml->line + 1, what);
}

chl_status chl_xml_wrong(const chl_xml *xml, const char *expected) {
    const char *last = strrchr(xml->path, '/');
    return chl_fail(CHL_ERR_FORMAT, "%s: line %d: <%s>: expected %s", xml->name, xml->line + 1,
                    last ? last + 1 : "", expected);
}

/* Moves on by `bytes`. */
static void pass(chl_xml *xml, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) xml->line += xml->at[i] == '\n';
    xml->at += bytes;
}

static size_t left(const chl_xml *xml) {
    return (size_t)(xml->end - xml->at);
}

static bool starts(const chl_xml *xml, const char *with) {
    const size_t length = strlen(with);
    return left(xml) >= length && memcmp(xml->at, with, length) == 0;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the next `mark`. */
static chl_status skip_to(chl_xml *xml, const char *mark) {
    while (left(xml) > 0 && !starts(xml, mark)) pass(xml, 1);
    if (left(xml) == 0) return wrong(xml, "the file ends within a comment or a declaration");
    pass(xml, strlen(mark));
    return CHL_OK;
}

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

static size_t name_length(const char *from, const char *end) {
    size_t n = 0;
    while (from + n < end && is_name(from[n])) n++;
    return n;
}

static chl_status open_tag(chl_xml *xml) {
    const char *from = xml->at + 1;
    const char *stop = memchr(from, '>', (size_t)(xml->end - from));
    const size_t length = name_length(from, xml->end), before = strlen(xml->path);
    if (!stop) return wrong(xml, "the file ends within a tag");
    if (length == 0) return wrong(xml, "a tag without a name");
    if (memchr(from, '<', (size_t)(stop - from))) return wrong(xml, "a tag without an end");
    if (before + 1 + length >= sizeof xml->path)
        return wrong(xml, "elements are nested too deeply");
    if (before == 0 && ++xml->roots > 1) return wrong(xml, "a second element at the top");
    xml->path[before] = '/';
    memcpy(xml->path + before + 1, from, length);
    xml->path[before + 1 + length] = 0;
    xml->text = from + length;
    xml->length = (size_t)(stop - xml->text);
    if (xml->length && xml->text[xml->length - 1] == '/') {
        xml->length--;
        xml->pending = 1;
    }
    xml->event = CHL_XML_OPEN;
    pass(xml, (size_t)(stop + 1 - xml->at));
    return CHL_OK;
}

/* The path loses its last name with the next event. */
static chl_status close_element(chl_xml *xml) {
    const char *last = strrchr(xml->path, '/');
    xml->closing = last ? (int)strlen(last) : 0;
    xml->pending = 0;
    xml->event = CHL_XML_CLOSE;
    return CHL_OK;
}

static chl_status close_tag(chl_xml *xml) {
    const char *from = xml->at + 2;
    const size_t length = name_length(from, xml->end);
    const char *last = strrchr(xml->path, '/');
    if (!last || strlen(last + 1) != length || memcmp(last + 1, from, length) != 0)
        return wrong(xml, "a tag closes what is not open");
    const char *stop = from + length;
    while (stop < xml->end && is_space(*stop)) stop++;
    if (stop == xml->end || *stop != '>') return wrong(xml, "a tag without an end");
    pass(xml, (size_t)(stop + 1 - xml->at));
    return close_element(xml);
}

static chl_status take_text(chl_xml *xml) {
    const char *stop = memchr(xml->at, '<', left(xml));
    if (!stop) stop = xml->end;
    xml->text = xml->at;
    xml->length = (size_t)(stop - xml->at);
    xml->event = CHL_XML_TEXT;
    if (memchr(xml->text, '&', xml->length) || memchr(xml->text, 0, xml->length))
        return wrong(xml, "a character that no number needs (& or 0)");
    if (xml->path[0] == 0) return wrong(xml, "text outside of all elements: no XML");
    pass(xml, xml->length);
    return CHL_OK;
}

static chl_status end_of_file(chl_xml *xml) {
    if (xml->path[0] != 0) {
        const char *last = strrchr(xml->path, '/');
        return chl_fail(CHL_ERR_FORMAT, "%s: line %d: the file ends within <%s>: it is not whole",
                        xml->name, xml->line + 1, last ? last + 1 : "");
    }
    if (xml->roots == 0) return wrong(xml, "no element: no XML");
    xml->event = CHL_XML_END;
    return CHL_OK;
}

chl_status chl_xml_next(chl_xml *xml) {
    if (xml->closing) xml->path[strlen(xml->path) - (size_t)xml->closing] = 0;
    xml->closing = 0;
    if (xml->pending) return close_element(xml);
    for (;;) {
        while (left(xml) > 0 && is_space(*xml->at)) pass(xml, 1);
        if (left(xml) == 0) return end_of_file(xml);
        if (starts(xml, "<!--"))
            CHL_TRY(skip_to(xml, "-->"));
        else if (starts(xml, "<?"))
            CHL_TRY(skip_to(xml, "?>"));
        else if (starts(xml, "<!"))
            return wrong(xml, "a DOCTYPE or CDATA, which is not read");
        else if (starts(xml, "</"))
            return close_tag(xml);
        else if (*xml->at == '<')
            return open_tag(xml);
        else
            return take_text(xml);
    }
}
