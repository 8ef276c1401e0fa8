#!/usr/bin/env python3
"""Writes the tables that cleaning a prompt needs, from Python's standard library:

    python3 tools/text-tables.py

host/text/html_names.c   the names of HTML 5's character references (html.entities.html5)
host/text/charsets.c     what the bytes 128 to 255 mean in the encodings that text is wrongly read in
"""

import html
import html.entities
import os

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "host", "text")
# in the order in which ftfy tries them, behind Latin-1 and Windows-1252
CHARSETS = ["cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso8859_2", "mac_roman", "cp437"]
WIDTH = 100


def rows(items):
    """Items in lines of at most WIDTH characters."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 1 > WIDTH:
            lines.append(line)
            line = "   "
        line += " " + item
    return "\n".join(lines + [line])


def html_names():
    names = html.entities.html5
    items = []
    for name in sorted(n[:-1] for n in names if n.endswith(";")):
        value = [ord(c) for c in names[name + ";"]] + [0]
        items.append(f'{{"{name}", {value[0]}, {value[1]}, {int(name in names)}}},')
    capitals = []
    for name in sorted(n[:-1] for n in names if n.endswith(";") and n == n.lower()):
        value, upper = names[name + ";"], names[name + ";"].upper()
        if html.unescape(f"&{name.upper()};") == f"&{name.upper()};" and len(upper) != len(value):
            capitals.append(f'{{"{name.upper()}", {{{", ".join(str(ord(c)) for c in upper)}}}}},')
    with open(os.path.join(ROOT, "html_names.c"), "w", encoding="utf-8") as file:
        file.write(
            "/* Written by tools/text-tables.py: the names of HTML 5's character references, sorted by bytes,\n"
            " * what they stand for, and whether the name is known without a semicolon. */\n"
            '#include "text/html_names.h"\n\n/* clang-format off */\n'
            f"const chl_html_name chl_html_names[CHL_HTML_NAMES] = {{\n{rows(items)}\n}};\n\n"
            f"const chl_html_capitals chl_html_long_capitals[CHL_HTML_LONG_CAPITALS] = {{\n{rows(capitals)}\n}};\n"
            "/* clang-format on */\n"
        )
    with open(os.path.join(ROOT, "html_names.h"), "w", encoding="utf-8") as file:
        file.write(
            "/* Written by tools/text-tables.py: see html_names.c. This room only. */\n"
            "#ifndef CHL_TEXT_HTML_NAMES_H\n#define CHL_TEXT_HTML_NAMES_H\n#include <stdint.h>\n\n"
            f"#define CHL_HTML_NAMES {len(items)}\n#define CHL_HTML_LONG_CAPITALS {len(capitals)}\n"
            f"#define CHL_HTML_LONGEST {max(len(n) - n.endswith(';') for n in names)} /* letters of a name */\n\n"
            "typedef struct chl_html_name {\n    const char *name;\n"
            "    int32_t first, second; /* second: 0 for most */\n"
            "    int32_t bare;          /* 1: known without a semicolon */\n} chl_html_name;\n\n"
            "extern const chl_html_name chl_html_names[CHL_HTML_NAMES];\n\n"
            "/* Names written in capitals (&SZLIG;) whose capital is more than one character. */\n"
            "typedef struct chl_html_capitals {\n    const char *name;\n    int32_t value[4];\n} chl_html_capitals;\n\n"
            "extern const chl_html_capitals chl_html_long_capitals[CHL_HTML_LONG_CAPITALS];\n#endif\n"
        )


def charsets():
    tables = []
    for charset in CHARSETS:
        values = []
        for byte in range(128, 256):
            try:
                values.append(ord(bytes([byte]).decode(charset)))
            except UnicodeDecodeError:
                values.append(byte)  # an unassigned byte stands for itself, as browsers have it
        tables.append(f"    {{ /* {charset} */\n{rows(f'{v},' for v in values)}\n    }},")
    with open(os.path.join(ROOT, "charsets.c"), "w", encoding="utf-8") as file:
        file.write(
            "/* Written by tools/text-tables.py: the characters of the bytes 128 to 255 in encodings of one\n"
            " * byte. */\n"
            '#include "text/charsets.h"\n\n/* clang-format off */\n'
            "const uint16_t chl_charset[CHL_CHARSETS][128] = {\n" + "\n".join(tables) + "\n};\n/* clang-format on */\n"
        )
    with open(os.path.join(ROOT, "charsets.h"), "w", encoding="utf-8") as file:
        file.write(
            "/* Written by tools/text-tables.py: see charsets.c. This room only. */\n"
            "#ifndef CHL_TEXT_CHARSETS_H\n#define CHL_TEXT_CHARSETS_H\n#include <stdint.h>\n\n"
            f"#define CHL_CHARSETS {len(CHARSETS)}\n\n"
            "extern const uint16_t chl_charset[CHL_CHARSETS][128];\n#endif\n"
        )


if __name__ == "__main__":
    html_names()
    charsets()
