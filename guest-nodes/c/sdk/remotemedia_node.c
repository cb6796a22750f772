/* Between the component's exports, which wit-bindgen generated, and an author's `rm_node`: turns samples into floats
 * and back, collects what is emitted, and keeps the error of the call. */
#include "remotemedia_node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generated/plugin.h"
#include "params.h"
#include "text.h"

/* The linker gets the component's type from the WIT itself, not from an object file. */
void __component_type_object_force_link_plugin(void) {}

typedef remotemedia_node_types_audio_t wire_audio;
typedef exports_remotemedia_node_node_output_t wire_output;
typedef exports_remotemedia_node_node_list_output_t wire_outputs;
typedef exports_remotemedia_node_node_node_error_t wire_error;

static bool initialized;
static rm_text failure;
static wire_output *emitted;
static size_t emitted_count;
static float *scratch;
static size_t scratch_size;

static void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) __builtin_trap();
    return memory;
}

/* ---- Samples ---- */

/* Rounded to nearest, ties to even; saturating, NaN becomes 0. */
static int32_t to_integer(float sample, double full_scale) {
    double scaled = rint((double)sample * full_scale);
    if (!(scaled > -full_scale)) return isnan(scaled) ? 0 : (int32_t)-full_scale;
    return scaled >= full_scale ? (int32_t)(full_scale - 1) : (int32_t)scaled;
}

static size_t sample_size(rm_format format) { return format == RM_INT16 ? 2 : 4; }

static void to_floats(float *to, const void *from, rm_format format, size_t count) {
    if (format == RM_INT16) {
        const int16_t *integers = from;
        for (size_t i = 0; i < count; i++) to[i] = (float)integers[i] / 32768.0f;
    } else {
        const int32_t *integers = from;
        for (size_t i = 0; i < count; i++) to[i] = (float)integers[i] / 2147483648.0f;
    }
}

static void from_floats(void *to, const float *from, rm_format format, size_t count) {
    if (format == RM_INT16) {
        int16_t *integers = to;
        for (size_t i = 0; i < count; i++) integers[i] = (int16_t)to_integer(from[i], 32768);
    } else if (format == RM_INT32) {
        int32_t *integers = to;
        for (size_t i = 0; i < count; i++) integers[i] = to_integer(from[i], 2147483648.0);
    } else if (to != from) {
        memcpy(to, from, count * sizeof *from);
    }
}

/* Shows wire audio as floats: in place when they are floats, else in storage that is kept between calls. */
static rm_audio view(int64_t pts_ns, wire_audio *wire) {
    size_t count = wire->data.len / sample_size((rm_format)wire->format);
    rm_audio audio = {pts_ns, wire->sample_rate, wire->channels, (rm_format)wire->format, count / wire->channels, NULL};
    if (audio.format == RM_FLOAT32) {
        audio.samples = (float *)wire->data.ptr;
        return audio;
    }
    if (scratch_size < count) {
        free(scratch);
        scratch = allocate(count * sizeof *scratch);
        scratch_size = count;
    }
    to_floats(scratch, wire->data.ptr, audio.format, count);
    audio.samples = scratch;
    return audio;
}

/* ---- Errors and the log ---- */

rm_status rm_error(rm_status kind, const char *format, ...) {
    failure.size = 0;
    va_list arguments;
    va_start(arguments, format);
    rm_text_add_format(&failure, format, arguments);
    va_end(arguments);
    return kind;
}

void rm_log(rm_level level, const char *format, ...) {
    rm_text line = {0};
    va_list arguments;
    va_start(arguments, format);
    rm_text_add_format(&line, format, arguments);
    va_end(arguments);
    plugin_string_t message = {(uint8_t *)line.data, line.size};
    remotemedia_node_host_log((remotemedia_node_host_level_t)level, &message);
    free(line.data);
}

/* Moves the error of a call to the host. */
static bool finished(rm_status status, wire_error *error) {
    if (status == RM_OK) return true;
    error->kind = (uint8_t)(status - RM_INVALID_PARAMS);
    plugin_string_dup_n(&error->message, failure.data ? failure.data : "", failure.size);
    failure.size = 0;
    return false;
}

/* ---- What is emitted ---- */

static remotemedia_node_types_packet_t *emit(uint16_t port, int64_t pts_ns, uint8_t tag) {
    wire_output *grown = realloc(emitted, (emitted_count + 1) * sizeof *grown);
    if (!grown) __builtin_trap();
    emitted = grown;
    wire_output *output = &emitted[emitted_count++];
    output->port = port;
    output->packet.pts_ns = pts_ns;
    output->packet.payload.tag = tag;
    return &output->packet;
}

static plugin_list_u8_t copied(const void *data, size_t size) {
    plugin_list_u8_t list = {size > 0 ? allocate(size) : NULL, size};
    if (size > 0) memcpy(list.ptr, data, size);
    return list;
}

static void emit_slice(uint16_t port, int64_t pts_ns, uint8_t tag, rm_slice slice) {
    emit(port, pts_ns, tag)->payload.val.bytes = copied(slice.data, slice.size);
}

void rm_emit_text(uint16_t port, int64_t pts_ns, rm_slice text) { emit_slice(port, pts_ns, RM_TEXT, text); }
void rm_emit_json(uint16_t port, int64_t pts_ns, rm_slice json) { emit_slice(port, pts_ns, RM_JSON, json); }
void rm_emit_bytes(uint16_t port, int64_t pts_ns, rm_slice bytes) { emit_slice(port, pts_ns, RM_BYTES, bytes); }

void rm_emit_audio(uint16_t port, const rm_audio *audio) {
    size_t count = audio->frames * audio->channels, size = count * sample_size(audio->format);
    wire_audio *wire = &emit(port, audio->pts_ns, RM_AUDIO)->payload.val.audio;
    wire->format = (uint8_t)audio->format;
    wire->sample_rate = audio->sample_rate_hz;
    wire->channels = audio->channels;
    wire->data = (plugin_list_u8_t){size > 0 ? allocate(size) : NULL, size};
    if (size > 0) from_floats(wire->data.ptr, audio->samples, audio->format, count);
}

void rm_emit_tensor(uint16_t port, int64_t pts_ns, const rm_tensor *tensor) {
    remotemedia_node_types_tensor_t *wire = &emit(port, pts_ns, RM_TENSOR)->payload.val.tensor;
    plugin_list_u8_t shape = copied(tensor->shape, tensor->dimensions * sizeof *tensor->shape);
    wire->dtype = (uint8_t)tensor->dtype;
    wire->shape = (plugin_list_u32_t){(uint32_t *)shape.ptr, tensor->dimensions};
    wire->data = copied(tensor->data, tensor->size);
}

/* Hands over what a call emitted, or drops it if the call failed. */
static bool sent(rm_status status, wire_outputs *to, wire_error *error) {
    *to = (wire_outputs){emitted, emitted_count};
    emitted = NULL;
    emitted_count = 0;
    if (status != RM_OK) exports_remotemedia_node_node_list_output_free(to);
    return finished(status, error);
}

/* ---- The component's exports ---- */

static const rm_port audio_in[] = {{"in", RM_AUDIO}, {0}}, audio_out[] = {{"out", RM_AUDIO}, {0}};

static void describe_ports(remotemedia_node_types_list_port_t *to, const rm_port *ports) {
    to->len = 0;
    while (ports[to->len].name) to->len++;
    to->ptr = allocate(to->len * sizeof *to->ptr);
    for (size_t i = 0; i < to->len; i++) {
        plugin_string_dup(&to->ptr[i].name, ports[i].name);
        to->ptr[i].kind = (uint8_t)ports[i].kind;
    }
}

void exports_remotemedia_node_node_describe(exports_remotemedia_node_node_descriptor_t *to) {
    rm_text schema = {0};
    rm_params_schema(rm_node.params, &schema);
    plugin_string_dup(&to->node_type, rm_node.type);
    plugin_string_dup(&to->version, rm_node.version);
    plugin_string_dup(&to->summary, rm_node.summary);
    describe_ports(&to->inputs, rm_node.inputs ? rm_node.inputs : audio_in);
    describe_ports(&to->outputs, rm_node.outputs ? rm_node.outputs : audio_out);
    to->params_schema = (plugin_string_t){(uint8_t *)schema.data, schema.size};
    to->stateless = rm_node.stateless;
}

bool exports_remotemedia_node_node_initialize(plugin_string_t *params, wire_error *error) {
    rm_status status = rm_params_read(rm_node.params, (const char *)params->ptr, params->len);
    plugin_string_free(params);
    if (status == RM_OK && rm_node.initialize) status = rm_node.initialize();
    initialized = status == RM_OK;
    return finished(status, error);
}

static const char *const kind_names[] = {"audio", "text", "json", "tensor", "bytes"};

/* Audio in, the same audio changed out: the storage of the packet goes back to the host. */
static rm_status in_place(exports_remotemedia_node_node_packet_t *packet, bool *moved) {
    if (packet->payload.tag != RM_AUDIO || !rm_node.audio) {
        const char *wants = rm_node.audio ? "audio" : "no packets";
        return rm_error(RM_INVALID_INPUT, "`%s` takes %s, got %s", rm_node.type, wants, kind_names[packet->payload.tag]);
    }
    wire_audio *wire = &packet->payload.val.audio;
    rm_audio audio = view(packet->pts_ns, wire);
    size_t count = audio.frames * audio.channels;
    rm_status status = rm_node.audio(&audio);
    if (status != RM_OK) return status;
    from_floats(wire->data.ptr, audio.samples, (rm_format)wire->format, count);
    *emit(0, packet->pts_ns, RM_AUDIO) = *packet;
    *moved = true;
    return RM_OK;
}

static rm_status whole_packet(uint16_t port, exports_remotemedia_node_node_packet_t *wire) {
    rm_packet packet = {.pts_ns = wire->pts_ns, .kind = (rm_kind)wire->payload.tag};
    if (packet.kind == RM_AUDIO) {
        packet.value.audio = view(wire->pts_ns, &wire->payload.val.audio);
    } else if (packet.kind == RM_TENSOR) {
        remotemedia_node_types_tensor_t *tensor = &wire->payload.val.tensor;
        packet.value.tensor = (rm_tensor){(rm_dtype)tensor->dtype, tensor->shape.ptr, tensor->shape.len,
                                          tensor->data.ptr, tensor->data.len};
    } else {
        packet.value.bytes = (rm_slice){(const char *)wire->payload.val.bytes.ptr, wire->payload.val.bytes.len};
    }
    return rm_node.process(port, &packet);
}

static rm_status not_initialized(void) { return rm_error(RM_INTERNAL, "called before `initialize`"); }

bool exports_remotemedia_node_node_process(uint16_t port, exports_remotemedia_node_node_packet_t *packet,
                                           wire_outputs *to, wire_error *error) {
    bool moved = false;
    rm_status status = !initialized      ? not_initialized()
                       : rm_node.process ? whole_packet(port, packet)
                                         : in_place(packet, &moved);
    if (!moved) exports_remotemedia_node_node_packet_free(packet);
    return sent(status, to, error);
}

bool exports_remotemedia_node_node_flush(wire_outputs *to, wire_error *error) {
    rm_status status = !initialized ? not_initialized() : rm_node.flush ? rm_node.flush() : RM_OK;
    return sent(status, to, error);
}

void exports_remotemedia_node_node_cleanup(void) {
    if (initialized && rm_node.cleanup) rm_node.cleanup();
    initialized = false;
}
