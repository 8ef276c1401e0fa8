/* XML as far as files of numbers need it: elements, texts, comments; attributes are kept as one text.
 * No entities, no DOCTYPE, no CDATA: those are errors.
 *
 *     chl_xml xml = {.name = "face.xml", .at = text, .end = text + size};
 *     CHL_TRY(chl_xml_next(&xml));
 *     while (xml.event != CHL_XML_END) ... xml.path, xml.text ... CHL_TRY(chl_xml_next(&xml)); */
#ifndef CHL_IO_XML_H
#define CHL_IO_XML_H
#include "base/status.h"
#include <stddef.h>

#define CHL_XML_PATH 256 /* bytes of the longest path */
typedef enum chl_xml_event {
    CHL_XML_OPEN,  /* path names the element; text is its attributes */
    CHL_XML_TEXT,  /* between tags, not only spaces; path is the element around it */
    CHL_XML_CLOSE, /* path still names it */
    CHL_XML_END    /* every element is closed, and there was one */
} chl_xml_event;

typedef struct chl_xml {
    const char *name;     /* of the file, for error texts */
    const char *at, *end; /* what is not read yet */
    int line;             /* lines begun, from 0 */
    chl_xml_event event;
    char path[CHL_XML_PATH]; /* "/storage/cascade/height" */
    const char *text;        /* in what is read, not ended by a 0 */
    size_t length;
    int closing; /* bytes of the path that the next event takes away */
    int roots, pending;
} chl_xml;

/* CHL_ERR_FORMAT names the file and the line. */
chl_status chl_xml_next(chl_xml *xml);
/* CHL_ERR_FORMAT with the file, the line and the element: "f.xml: line 4: <height>: expected ..." */
chl_status chl_xml_wrong(const chl_xml *xml, const char *expected);
#endif
