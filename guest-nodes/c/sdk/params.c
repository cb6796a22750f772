#include "params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- The schema ---- */

static bool bounded(const rm_param *param) {
    bool numeric = param->kind == RM_PARAM_NUMBER || param->kind == RM_PARAM_INTEGER;
    return numeric && (param->minimum != 0 || param->maximum != 0);
}

static void add_default(rm_text *schema, const rm_param *param) {
    rm_text_add(schema, ",\"default\":");
    switch (param->kind) {
    case RM_PARAM_BOOLEAN:
        return rm_text_add(schema, param->initial != 0 ? "true" : "false");
    case RM_PARAM_CHOICE:
        return rm_text_add_quoted(schema, param->choices[(int)param->initial]);
    case RM_PARAM_TEXT:
        return rm_text_add_quoted(schema, param->initial_text ? param->initial_text : "");
    default:
        return rm_text_add_number(schema, param->initial, 15);
    }
}

static void add_param(rm_text *schema, const rm_param *param) {
    static const char *const types[] = {"number", "integer", "boolean", "string", "string"};
    rm_text_add_quoted(schema, param->name);
    rm_text_add(schema, ":{\"type\":");
    rm_text_add_quoted(schema, types[param->kind]);
    if (param->description) {
        rm_text_add(schema, ",\"description\":");
        rm_text_add_quoted(schema, param->description);
    }
    if (bounded(param)) {
        rm_text_add(schema, ",\"minimum\":");
        rm_text_add_number(schema, param->minimum, 15);
        rm_text_add(schema, ",\"maximum\":");
        rm_text_add_number(schema, param->maximum, 15);
    }
    if (param->kind == RM_PARAM_CHOICE) {
        rm_text_add(schema, ",\"enum\":[");
        for (size_t i = 0; param->choices[i]; i++) {
            if (i > 0) rm_text_add(schema, ",");
            rm_text_add_quoted(schema, param->choices[i]);
        }
        rm_text_add(schema, "]");
    }
    if (!param->required) add_default(schema, param);
    rm_text_add(schema, "}");
}

void rm_params_schema(const rm_param *params, rm_text *schema) {
    rm_text_add(schema, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{");
    for (const rm_param *param = params; param && param->name; param++) {
        if (param != params) rm_text_add(schema, ",");
        add_param(schema, param);
    }
    rm_text_add(schema, "},\"required\":[");
    const char *comma = "";
    for (const rm_param *param = params; param && param->name; param++) {
        if (!param->required) continue;
        rm_text_add(schema, comma);
        rm_text_add_quoted(schema, param->name);
        comma = ",";
    }
    rm_text_add(schema, "],\"additionalProperties\":false}");
}

/* ---- Reading: the host sends one JSON object, written without line breaks or comments ---- */

typedef struct {
    const char *at, *end;
} cursor;

static void skip_space(cursor *json) {
    while (json->at < json->end && *json->at && strchr(" \t\r\n", *json->at)) json->at++;
}

static bool accept(cursor *json, char c) {
    skip_space(json);
    if (json->at == json->end || *json->at != c) return false;
    json->at++;
    return true;
}

static bool accept_word(cursor *json, const char *word) {
    size_t size = strlen(word);
    skip_space(json);
    if ((size_t)(json->end - json->at) < size || memcmp(json->at, word, size) != 0) return false;
    json->at += size;
    return true;
}

static int hex4(cursor *json) {
    int code = 0;
    for (int i = 0; i < 4; i++) {
        char c = json->at < json->end ? *json->at++ : '?';
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

static bool add_escaped(cursor *json, rm_text *text) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = json->at < json->end ? *json->at++ : '?';
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        rm_text_append(text, &to[simple - from], 1);
        return true;
    }
    int32_t code = c == 'u' ? hex4(json) : -1;
    if (code >= 0xD800 && code < 0xDC00 && json->end - json->at > 2 && json->at[0] == '\\' && json->at[1] == 'u') {
        json->at += 2;
        int low = hex4(json);
        code = low < 0xDC00 ? -1 : 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code <= 0) return false; /* a zero would end a C string */
    char utf8[4];
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size - 1; i > 0; i--, code >>= 6) utf8[i] = (char)(0x80 | (code & 0x3F));
    utf8[0] = (char)(lead[size] | code);
    rm_text_append(text, utf8, size);
    return true;
}

/* A string, ended with a zero that `size` does not count. */
static bool read_string(cursor *json, rm_text *text) {
    text->size = 0;
    if (!accept(json, '"')) return false;
    while (json->at < json->end && *json->at != '"') {
        char c = *json->at++;
        if (c == '\\') {
            if (!add_escaped(json, text)) return false;
        } else {
            rm_text_append(text, &c, 1);
        }
    }
    if (json->at == json->end) return false;
    json->at++;
    rm_text_append(text, "", 1);
    text->size--;
    return true;
}

static bool read_number(cursor *json, double *number) {
    char digits[64];
    size_t size = 0;
    skip_space(json);
    while (json->at < json->end && size < sizeof digits - 1 && *json->at && strchr("+-.0123456789eE", *json->at)) {
        digits[size++] = *json->at++;
    }
    digits[size] = '\0';
    char *rest;
    *number = strtod(digits, &rest);
    return size > 0 && *rest == '\0';
}

/* ---- Checking ---- */

static rm_status wrong_type(const rm_param *param, const char *wanted) {
    return rm_error(RM_INVALID_PARAMS, "%s must be %s", param->name, wanted);
}

static rm_status read_numeric(const rm_param *param, cursor *json) {
    double number;
    bool integer = param->kind == RM_PARAM_INTEGER;
    if (!read_number(json, &number)) return wrong_type(param, integer ? "an integer" : "a number");
    if (integer && (number != floor(number) || fabs(number) > 9007199254740992.0)) {
        return rm_error(RM_INVALID_PARAMS, "%s is %g, must be an integer", param->name, number);
    }
    if (bounded(param) && !(number >= param->minimum && number <= param->maximum)) {
        return rm_error(RM_INVALID_PARAMS, "%s is %g, must be from %g to %g", param->name, number, param->minimum,
                        param->maximum);
    }
    if (integer) {
        *(int64_t *)param->variable = (int64_t)number;
    } else {
        *(double *)param->variable = number;
    }
    return RM_OK;
}

static rm_status read_choice(const rm_param *param, const char *text) {
    for (int i = 0; param->choices[i]; i++) {
        if (strcmp(param->choices[i], text) == 0) {
            *(int *)param->variable = i;
            return RM_OK;
        }
    }
    rm_text choices = {0};
    for (int i = 0; param->choices[i]; i++) {
        if (i > 0) rm_text_add(&choices, ", ");
        rm_text_add_quoted(&choices, param->choices[i]);
    }
    rm_text_append(&choices, "", 1);
    rm_status status =
        rm_error(RM_INVALID_PARAMS, "%s is \"%s\", must be one of %s", param->name, text, choices.data);
    free(choices.data);
    return status;
}

static rm_status read_text(const rm_param *param, const char *text, size_t size) {
    if (size >= param->size) {
        return rm_error(RM_INVALID_PARAMS, "%s has %zu bytes, and the most is %zu", param->name, size, param->size - 1);
    }
    memcpy(param->variable, text, size + 1);
    return RM_OK;
}

static rm_status read_value(const rm_param *param, cursor *json, rm_text *scratch) {
    switch (param->kind) {
    case RM_PARAM_NUMBER:
    case RM_PARAM_INTEGER:
        return read_numeric(param, json);
    case RM_PARAM_BOOLEAN: {
        bool yes = accept_word(json, "true");
        if (!yes && !accept_word(json, "false")) return wrong_type(param, "true or false");
        *(bool *)param->variable = yes;
        return RM_OK;
    }
    default:
        if (!read_string(json, scratch)) return wrong_type(param, "a string");
        if (param->kind == RM_PARAM_CHOICE) return read_choice(param, scratch->data);
        return read_text(param, scratch->data, scratch->size);
    }
}

static const rm_param *find(const rm_param *params, const char *name) {
    for (; params && params->name; params++) {
        if (strcmp(params->name, name) == 0) return params;
    }
    return NULL;
}

static void set_default(const rm_param *param) {
    switch (param->kind) {
    case RM_PARAM_NUMBER:
        *(double *)param->variable = param->initial;
        break;
    case RM_PARAM_INTEGER:
        *(int64_t *)param->variable = (int64_t)param->initial;
        break;
    case RM_PARAM_BOOLEAN:
        *(bool *)param->variable = param->initial != 0;
        break;
    case RM_PARAM_CHOICE:
        *(int *)param->variable = (int)param->initial;
        break;
    case RM_PARAM_TEXT:
        memcpy(param->variable, param->initial_text ? param->initial_text : "",
               param->initial_text ? strlen(param->initial_text) + 1 : 1);
    }
}

/* One `"name": value` of the object. `seen` has a place for every param. */
static rm_status read_member(const rm_param *params, bool *seen, cursor *json, rm_text *scratch) {
    if (!read_string(json, scratch) || !accept(json, ':')) return rm_error(RM_INVALID_PARAMS, "params: not JSON");
    const rm_param *param = find(params, scratch->data);
    if (!param) return rm_error(RM_INVALID_PARAMS, "params: unknown field `%s`", scratch->data);
    if (seen[param - params]) return rm_error(RM_INVALID_PARAMS, "params: duplicate field `%s`", param->name);
    seen[param - params] = true;
    return read_value(param, json, scratch);
}

static rm_status read_object(const rm_param *params, bool *seen, cursor *json, rm_text *scratch) {
    if (!accept(json, '{')) return rm_error(RM_INVALID_PARAMS, "params: not an object");
    if (accept(json, '}')) return RM_OK;
    do {
        rm_status status = read_member(params, seen, json, scratch);
        if (status != RM_OK) return status;
    } while (accept(json, ','));
    return accept(json, '}') ? RM_OK : rm_error(RM_INVALID_PARAMS, "params: not JSON");
}

rm_status rm_params_read(const rm_param *params, const char *data, size_t size) {
    size_t count = 0;
    for (; params && params[count].name; count++) set_default(&params[count]);
    bool *seen = calloc(count + 1, sizeof *seen);
    if (!seen) __builtin_trap();
    cursor json = {data, data + size};
    rm_text scratch = {0};
    rm_status status = read_object(params, seen, &json, &scratch);
    for (size_t i = 0; i < count && status == RM_OK; i++) {
        if (params[i].required && !seen[i]) {
            status = rm_error(RM_INVALID_PARAMS, "params: missing field `%s`", params[i].name);
        }
    }
    free(scratch.data);
    free(seen);
    return status;
}
