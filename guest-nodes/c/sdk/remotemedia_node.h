/* Write a RemoteMedia node in C: fill in one `rm_definition` called `rm_node`, and the functions it names.
 *
 * The host makes one instance of the component per node of a pipeline and never calls it concurrently, so a node's
 * state may simply be static variables. Nothing here needs WASI: a node that uses neither stdio nor clocks imports
 * nothing but the host's log. */
#ifndef REMOTEMEDIA_NODE_H
#define REMOTEMEDIA_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How one sample is stored on the wire. */
typedef enum { RM_INT16, RM_INT32, RM_FLOAT32 } rm_format;

/* A block of audio, for changing in place. */
typedef struct {
    /* Time of the first frame, in nanoseconds since the start of the stream. */
    int64_t pts_ns;
    /* Frames per second; never 0. */
    uint32_t sample_rate_hz;
    /* Samples per frame; never 0. */
    uint16_t channels;
    /* How the samples are stored on the wire. Here they are always floats; integers are converted back for you,
     * rounded to nearest (ties to even) and saturating. */
    rm_format format;
    size_t frames;
    /* frames * channels interleaved samples, full scale ±1.0. */
    float *samples;
} rm_audio;

typedef enum {
    RM_DTYPE_BOOL, RM_DTYPE_UINT8, RM_DTYPE_INT8, RM_DTYPE_UINT16, RM_DTYPE_INT16, RM_DTYPE_UINT32, RM_DTYPE_INT32,
    RM_DTYPE_UINT64, RM_DTYPE_INT64, RM_DTYPE_FLOAT16, RM_DTYPE_FLOAT32, RM_DTYPE_FLOAT64
} rm_dtype;

/* A row-major array of little-endian elements; no dimensions is a scalar. */
typedef struct {
    rm_dtype dtype;
    const uint32_t *shape;
    size_t dimensions;
    const void *data;
    size_t size; /* in bytes */
} rm_tensor;

/* Text (UTF-8), a JSON document or bytes. Not terminated by a zero. */
typedef struct {
    const char *data;
    size_t size; /* in bytes */
} rm_slice;

typedef enum { RM_AUDIO, RM_TEXT, RM_JSON, RM_TENSOR, RM_BYTES, RM_ANY } rm_kind;

/* One timestamped value; valid during the call. */
typedef struct {
    int64_t pts_ns;
    rm_kind kind;
    union {
        rm_audio audio;
        rm_slice text, json, bytes;
        rm_tensor tensor;
    } value;
} rm_packet;

/* ---- Errors ---- */

/* What a function returns. */
typedef enum {
    RM_OK,
    RM_INVALID_PARAMS, /* the params do not describe a working node */
    RM_INVALID_INPUT,  /* the packet is not what the node takes */
    RM_TRANSIENT,      /* failed now, may work again; the node's state is as it was before the call */
    RM_INTERNAL        /* a fault of the node */
} rm_status;

/* `return rm_error(RM_INVALID_INPUT, "wants %u channels, got %u", 2u, channels);`
 * Knows %s, %d, %u, %zu, %g (six digits) and %%; needs no stdio. */
rm_status rm_error(rm_status kind, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Params ---- */

typedef enum { RM_PARAM_NUMBER, RM_PARAM_INTEGER, RM_PARAM_BOOLEAN, RM_PARAM_CHOICE, RM_PARAM_TEXT } rm_param_kind;

/* One param of the manifest. It is checked and written to its variable before `initialize` is called, and the JSON
 * Schema that users see is made of it. Write it with one of the macros below; what follows the variable is optional:
 *     RM_NUMBER("gain_db", &gain_db, .minimum = -150, .maximum = 150, .initial = 0, .description = "Gain in dB.") */
typedef struct {
    const char *name;
    rm_param_kind kind;
    void *variable;
    size_t size;                /* of the variable of a text */
    const char *const *choices; /* of a choice; ends with NULL */
    const char *description;
    double minimum, maximum;    /* of a number or integer; both 0: any */
    bool required;              /* no default: the manifest must say it */
    double initial;             /* the default; of a choice its index */
    const char *initial_text;   /* the default of a text; "" if left out */
} rm_param;

#define RM_NUMBER(NAME, DOUBLE, ...) \
    { .name = NAME, .kind = RM_PARAM_NUMBER, .variable = _Generic((DOUBLE), double *: (DOUBLE)), __VA_ARGS__ }
#define RM_INTEGER(NAME, INT64, ...) \
    { .name = NAME, .kind = RM_PARAM_INTEGER, .variable = _Generic((INT64), int64_t *: (INT64)), __VA_ARGS__ }
#define RM_BOOLEAN(NAME, BOOL, ...) \
    { .name = NAME, .kind = RM_PARAM_BOOLEAN, .variable = _Generic((BOOL), bool *: (BOOL)), __VA_ARGS__ }
/* CHOICES is a `const char *const[]` that ends with NULL; the int becomes the index of what was chosen. */
#define RM_CHOICE(NAME, INT, CHOICES, ...) \
    { .name = NAME, .kind = RM_PARAM_CHOICE, .variable = _Generic((INT), int *: (INT)), .choices = CHOICES, __VA_ARGS__ }
/* ARRAY is a `char[N]`; longer texts are refused. */
#define RM_STRING(NAME, ARRAY, ...) \
    { .name = NAME, .kind = RM_PARAM_TEXT, .variable = ARRAY, .size = sizeof(ARRAY), __VA_ARGS__ }

/* ---- The node ---- */

typedef struct {
    /* Letters, digits, `_` and `-`. */
    const char *name;
    rm_kind kind;
} rm_port;

/* Lists end with an empty entry. Every function may be left out. */
typedef struct {
    const char *type;    /* what manifests call the node */
    const char *version;
    const char *summary; /* one line for people */
    const rm_port *inputs, *outputs; /* left out: one audio input `in`, one audio output `out` */
    const rm_param *params;
    bool stateless; /* a call depends on nothing but its own input */

    /* Called once, when the params are in their variables. */
    rm_status (*initialize)(void);
    /* Changes a block of audio in place; the SDK sends it on. Blocks have any length, also none: results must not
     * depend on where a stream was cut. For nodes that turn audio into as much audio. */
    rm_status (*audio)(rm_audio *audio);
    /* For every other node: takes one packet, emits any number. Used instead of `audio`. */
    rm_status (*process)(uint16_t port, rm_packet *packet);
    /* The end of the stream: emits what is still held back. */
    rm_status (*flush)(void);
    /* The last call. */
    void (*cleanup)(void);
} rm_definition;

extern const rm_definition rm_node;

/* ---- What process and flush emit; the data is copied. What a failed call emitted is not sent. ---- */

/* The samples are floats; `audio->format` is how they go on the wire. */
void rm_emit_audio(uint16_t port, const rm_audio *audio);
void rm_emit_text(uint16_t port, int64_t pts_ns, rm_slice text);
void rm_emit_json(uint16_t port, int64_t pts_ns, rm_slice json);
void rm_emit_bytes(uint16_t port, int64_t pts_ns, rm_slice bytes);
void rm_emit_tensor(uint16_t port, int64_t pts_ns, const rm_tensor *tensor);

/* ---- The host's log ---- */

typedef enum { RM_TRACE, RM_DEBUG, RM_INFO, RM_WARN, RM_FAULT } rm_level;

/* Writes one line under the node's id; formats as rm_error does. */
void rm_log(rm_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
