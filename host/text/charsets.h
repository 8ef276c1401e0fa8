/* Written by tools/text-tables.py: see charsets.c. This room only. */
#ifndef CHL_TEXT_CHARSETS_H
#define CHL_TEXT_CHARSETS_H
#include <stdint.h>

#define CHL_CHARSETS 8

extern const uint16_t chl_charset[CHL_CHARSETS][128];
#endif
