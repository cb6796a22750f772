#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void rm_text_append(rm_text *text, const char *data, size_t size) {
    if (text->size + size > text->capacity) {
        size_t capacity = (text->size + size) * 2;
        char *grown = realloc(text->data, capacity);
        if (!grown) __builtin_trap();
        text->data = grown;
        text->capacity = capacity;
    }
    if (size > 0) memcpy(text->data + text->size, data, size);
    text->size += size;
}

void rm_text_add(rm_text *text, const char *string) { rm_text_append(text, string, strlen(string)); }

void rm_text_add_quoted(rm_text *text, const char *string) {
    rm_text_append(text, "\"", 1);
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', *string};
            rm_text_append(text, escaped, 2);
        } else if (c < 0x20) {
            char escaped[6] = {'\\', 'u', '0', '0', (char)('0' + c / 16), "0123456789abcdef"[c % 16]};
            rm_text_append(text, escaped, 6);
        } else {
            rm_text_append(text, string, 1);
        }
    }
    rm_text_append(text, "\"", 1);
}

static void add_unsigned(rm_text *text, unsigned long long number, int width) {
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
        width--;
    } while (number > 0 || width > 0);
    rm_text_append(text, digits + at, sizeof digits - at);
}

void rm_text_add_number(rm_text *text, double number, int digits) {
    if (isnan(number)) return rm_text_add(text, "NaN");
    if (number < 0) {
        rm_text_append(text, "-", 1);
        number = -number;
    }
    if (isinf(number)) return rm_text_add(text, "infinity");
    int exponent = number > 0 ? (int)floor(log10(number)) : 0;
    int scientific = exponent < -5 || exponent >= 15;
    double scaled = scientific ? number / pow(10, exponent) : number;
    int decimals = digits - 1 - (scientific ? 0 : exponent);
    if (decimals < 0) decimals = 0;
    if (decimals > 15) decimals = 15;
    double unit = pow(10, decimals), whole = floor(scaled), part = rint((scaled - whole) * unit);
    if (part >= unit) {
        whole += 1;
        part = 0;
    }
    add_unsigned(text, (unsigned long long)whole, 0);
    unsigned long long fraction = (unsigned long long)part;
    for (; decimals > 0 && fraction % 10 == 0; decimals--) fraction /= 10;
    if (decimals > 0) {
        rm_text_append(text, ".", 1);
        add_unsigned(text, fraction, decimals);
    }
    if (!scientific) return;
    rm_text_add(text, exponent < 0 ? "e-" : "e");
    add_unsigned(text, (unsigned long long)abs(exponent), 0);
}

void rm_text_add_format(rm_text *text, const char *format, va_list arguments) {
    for (; *format; format++) {
        if (*format != '%') {
            rm_text_append(text, format, 1);
            continue;
        }
        format++;
        if (*format == 'z') format++; /* size_t is 32 bits wide here */
        switch (*format) {
        case 's':
            rm_text_add(text, va_arg(arguments, const char *));
            break;
        case 'd': {
            int number = va_arg(arguments, int);
            if (number < 0) rm_text_append(text, "-", 1);
            add_unsigned(text, number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number, 0);
            break;
        }
        case 'u':
            add_unsigned(text, va_arg(arguments, unsigned), 0);
            break;
        case 'g':
            rm_text_add_number(text, va_arg(arguments, double), 6);
            break;
        case '\0':
            return;
        default:
            rm_text_append(text, format, 1);
        }
    }
}
