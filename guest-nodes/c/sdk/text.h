/* Growing text, and the few formats that error and log messages need, without stdio (which would import WASI). */
#ifndef REMOTEMEDIA_NODE_TEXT_H
#define REMOTEMEDIA_NODE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

typedef struct {
    char *data;
    size_t size, capacity;
} rm_text;

void rm_text_append(rm_text *text, const char *data, size_t size);
void rm_text_add(rm_text *text, const char *string);
/* As a JSON string, with its quotes. */
void rm_text_add_quoted(rm_text *text, const char *string);
/* With up to `digits` significant digits. */
void rm_text_add_number(rm_text *text, double number, int digits);
/* %s %d %u %zu %g %% */
void rm_text_add_format(rm_text *text, const char *format, va_list arguments);

#endif
