/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading YAML: libyaml's events become JSON text, which the one JSON parser turns into a document.
 * Events are pulled one by one and the depth is checked at each, because libyaml has no limit of
 * its own and is quadratic in flow nesting. libyaml doesn't tell doubled keys: each open mapping
 * keeps its keys.
 */
#include "kube/yaml.h"

#include <errno.h>
#include <yaml.h>
#include <cleat/path.h>
#include <cleat/write.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "kube/yaml_scalar.h"

#define YAML_JSON_BYTES_MAX (8 * CLEAT_YAML_BYTES_MAX)
#define YAML_KEYS_MAX CLEAT_YAML_BYTES_MAX

/* An open mapping or sequence. */
struct yaml_frame {
    bool mapping;
    bool in_value;         /* mapping: the key is there, its value comes next */
    size_t count;          /* of members or elements begun */
    struct cleat_str key;  /* the current one; in keys */
    struct cleat_map keys; /* mapping: owned NUL-terminated keys */
};

struct yaml_reader {
    yaml_parser_t parser;
    struct cleat_buffer json;
    struct yaml_frame frames[CLEAT_YAML_DEPTH_MAX];
    size_t depth;
    size_t documents; /* handed out */
    size_t nodes;     /* begun so far */
    bool only_empty;  /* the document so far is an empty scalar */
    int (*fn)(void *arg, struct cleat_document *document);
    void *arg;
    const struct cleat_path *wanted; /* cleat_yaml_line: stop where this begins */
    int line;
    struct cleat_err *err;
};

#define YAML_STOP 1 /* positive: not an error, but the end of reading */

static int yaml_fail(struct yaml_reader *reader, const yaml_mark_t *mark, const char *what,
                     struct cleat_str detail)
{
    return cleat_err_set(reader->err, -EINVAL, "line %zu, column %zu: %s%s%.*s", mark->line + 1,
                         mark->column + 1, what, detail.length ? ": " : "",
                         (int)(detail.length < 128 ? detail.length : 128),
                         detail.length ? detail.data : "");
}

static const struct cleat_str yaml_no_detail = {NULL, 0};

static int yaml_memory(struct yaml_reader *reader, int code)
{
    if (code == -ENOBUFS)
        return cleat_err_set(reader->err, -E2BIG, "YAML text grows beyond %zu bytes as JSON",
                             YAML_JSON_BYTES_MAX);
    return cleat_err_set(reader->err, code, "out of memory");
}

static void yaml_frame_fini(struct yaml_frame *frame)
{
    size_t cursor = 0;
    void *key = NULL;
    while (frame->mapping && (key = cleat_map_next(&frame->keys, &cursor, NULL)))
        cleat_mem_free(key);
    if (frame->mapping)
        cleat_map_fini(&frame->keys);
}

static struct yaml_frame *yaml_top(struct yaml_reader *reader)
{
    return reader->depth ? &reader->frames[reader->depth - 1] : NULL;
}

/* True where the value that begins now is the one that cleat_yaml_line looks for. */
static bool yaml_is_wanted(const struct yaml_reader *reader)
{
    const struct cleat_path *path = reader->wanted;
    if (!path || path->count != reader->depth)
        return false;
    for (size_t i = 0; i < path->count; i++) {
        const struct cleat_path_segment *segment = &path->segments[i];
        const struct yaml_frame *frame = &reader->frames[i];
        if (segment->type == CLEAT_SEGMENT_KEY &&
            (!frame->mapping || !cleat_str_equal(segment->key, frame->key)))
            return false;
        if (segment->type == CLEAT_SEGMENT_INDEX &&
            (frame->mapping || segment->index + 1 != frame->count))
            return false;
        if (segment->type == CLEAT_SEGMENT_EACH)
            return false;
    }
    return true;
}

/* Before each value: its comma, and whether it's the wanted one. */
static int yaml_begin_value(struct yaml_reader *reader, const yaml_mark_t *mark)
{
    struct yaml_frame *top = yaml_top(reader);
    if (top && !top->mapping && top->count++ > 0)
        cleat_buffer_byte(&reader->json, ',');
    if (!yaml_is_wanted(reader))
        return 0;
    reader->line = (int)mark->line + 1;
    return YAML_STOP;
}

static void yaml_end_value(struct yaml_reader *reader)
{
    struct yaml_frame *top = yaml_top(reader);
    if (top)
        top->in_value = false;
}

/* "" none, else the tag without the core's prefix; NULL where it's no core tag. */
static const char *yaml_tag(const yaml_char_t *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    static const char *const core[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    const char *text = (const char *)tag;
    if (!text || !text[0])
        return "";
    if (strcmp(text, "!") == 0)
        return "str";
    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++)
        if (strcmp(text + sizeof(prefix) - 1, core[i]) == 0)
            return core[i];
    return NULL;
}

/* Refuses anchors, and tags other than @allowed (NULL-terminated) or none. */
static int yaml_check_node(struct yaml_reader *reader, const yaml_event_t *event,
                           const yaml_char_t *anchor, const yaml_char_t *tag, const char *allowed)
{
    const char *name = yaml_tag(tag);
    if (anchor)
        return yaml_fail(reader, &event->start_mark, "anchors and aliases are refused",
                         cleat_str_of((const char *)anchor));
    if (!name || (name[0] && !strstr(allowed, name)))
        return yaml_fail(reader, &event->start_mark, "tag is refused",
                         cleat_str_of((const char *)tag));
    return 0;
}

/* What a scalar is, with its tag checked; numbers go to the JSON text. */
static int yaml_meaning(struct yaml_reader *reader, const yaml_event_t *event,
                        struct cleat_buffer *json, enum yaml_scalar *ret)
{
    static const char *const names[] = {
        [YAML_SCALAR_STR] = "str",      [YAML_SCALAR_NULL] = "null", [YAML_SCALAR_TRUE] = "bool",
        [YAML_SCALAR_FALSE] = "bool",   [YAML_SCALAR_INT] = "int",   [YAML_SCALAR_FLOAT] = "float",
        [YAML_SCALAR_NO_JSON] = "float"};
    struct cleat_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    const char *tag = yaml_tag(event->data.scalar.tag);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *ret = YAML_SCALAR_STR;
    if (strcmp(tag, "str") == 0 || (!plain && !tag[0]))
        return 0;
    *ret = cleat__yaml_scalar(text, json);
    bool widened = *ret == YAML_SCALAR_INT && strcmp(tag, "float") == 0;
    if (tag[0] && !widened && strcmp(tag, names[*ret]) != 0)
        return yaml_fail(reader, &event->start_mark, "value doesn't fit its tag", text);
    if (*ret == YAML_SCALAR_NO_JSON)
        return yaml_fail(reader, &event->start_mark, "JSON has no such number", text);
    return 0;
}

static int yaml_scalar_value(struct yaml_reader *reader, const yaml_event_t *event)
{
    enum yaml_scalar meaning = YAML_SCALAR_STR;
    struct cleat_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    int r = yaml_begin_value(reader, &event->start_mark);
    if (r == 0)
        r = yaml_meaning(reader, event, &reader->json, &meaning);
    if (r != 0)
        return r;
    if (meaning == YAML_SCALAR_STR)
        cleat_write_string(&reader->json, text);
    else if (meaning == YAML_SCALAR_NULL)
        cleat_buffer_text(&reader->json, "null");
    else if (meaning == YAML_SCALAR_TRUE || meaning == YAML_SCALAR_FALSE)
        cleat_buffer_text(&reader->json, meaning == YAML_SCALAR_TRUE ? "true" : "false");
    reader->only_empty = reader->depth == 0 && text.length == 0;
    yaml_end_value(reader);
    return reader->json.failed ? yaml_memory(reader, reader->json.failed) : 0;
}

/* The text of a key: booleans and numbers as JSON writes them. @ret is new. */
static int yaml_key_text(struct yaml_reader *reader, const yaml_event_t *event, char **ret)
{
    struct cleat_buffer number = CLEAT_BUFFER_INIT(CLEAT_KIB);
    enum yaml_scalar meaning = YAML_SCALAR_STR;
    struct cleat_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    int r = yaml_meaning(reader, event, &number, &meaning);
    if (r == 0 && meaning == YAML_SCALAR_NULL)
        r = yaml_fail(reader, &event->start_mark, "a key can't be null", yaml_no_detail);
    if (r == 0 && text.length && memchr(text.data, '\0', text.length))
        r = yaml_fail(reader, &event->start_mark, "a key can't hold a NUL", yaml_no_detail);
    if (r == 0 && meaning == YAML_SCALAR_STR && cleat_str_is(text, "<<") &&
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        r = yaml_fail(reader, &event->start_mark, "merge keys are refused", yaml_no_detail);
    if (r == 0) {
        if (meaning == YAML_SCALAR_INT || meaning == YAML_SCALAR_FLOAT)
            text = cleat_buffer_view(&number);
        else if (meaning != YAML_SCALAR_STR)
            text = meaning == YAML_SCALAR_TRUE ? CLEAT_STR("true") : CLEAT_STR("false");
        *ret = cleat_mem_strndup(text.data, text.length);
        if (!*ret)
            r = yaml_memory(reader, -ENOMEM);
    }
    cleat_buffer_fini(&number);
    return r;
}

static int yaml_scalar_key(struct yaml_reader *reader, const yaml_event_t *event)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *key = NULL;
    struct yaml_frame *top = yaml_top(reader);
    int r = yaml_key_text(reader, event, &key);
    if (r < 0)
        return r;
    struct cleat_str text = cleat_str_of(key);
    if (cleat_map_get(&top->keys, text))
        return yaml_fail(reader, &event->start_mark, "key is there twice", text);
    r = cleat_map_set(&top->keys, text, key);
    if (r < 0)
        return yaml_memory(reader, r);
    key = NULL;
    top->key = text;
    top->in_value = true;
    if (top->count++ > 0)
        cleat_buffer_byte(&reader->json, ',');
    cleat_write_string(&reader->json, text);
    cleat_buffer_byte(&reader->json, ':');
    return reader->json.failed ? yaml_memory(reader, reader->json.failed) : 0;
}

static int yaml_on_scalar(struct yaml_reader *reader, const yaml_event_t *event)
{
    struct yaml_frame *top = yaml_top(reader);
    int r = yaml_check_node(reader, event, event->data.scalar.anchor, event->data.scalar.tag,
                            "str int float bool null");
    if (r < 0)
        return r;
    if (top && top->mapping && !top->in_value)
        return yaml_scalar_key(reader, event);
    return yaml_scalar_value(reader, event);
}

/* Opens a mapping or sequence. */
static int yaml_on_start(struct yaml_reader *reader, const yaml_event_t *event, bool mapping)
{
    struct yaml_frame *top = yaml_top(reader);
    int r = mapping ? yaml_check_node(reader, event, event->data.mapping_start.anchor,
                                      event->data.mapping_start.tag, "map")
                    : yaml_check_node(reader, event, event->data.sequence_start.anchor,
                                      event->data.sequence_start.tag, "seq");
    if (r < 0)
        return r;
    if (top && top->mapping && !top->in_value)
        return yaml_fail(reader, &event->start_mark, "a key must be a scalar", yaml_no_detail);
    if (reader->depth == CLEAT_YAML_DEPTH_MAX)
        return cleat_err_set(reader->err, -E2BIG, "line %zu: nested more than %d deep",
                             event->start_mark.line + 1, CLEAT_YAML_DEPTH_MAX);
    r = yaml_begin_value(reader, &event->start_mark);
    if (r != 0)
        return r;
    reader->only_empty = false;
    reader->frames[reader->depth++] =
        (struct yaml_frame){.mapping = mapping, .keys = CLEAT_MAP_INIT(YAML_KEYS_MAX)};
    cleat_buffer_byte(&reader->json, mapping ? '{' : '[');
    return reader->json.failed ? yaml_memory(reader, reader->json.failed) : 0;
}

static int yaml_on_end(struct yaml_reader *reader)
{
    struct yaml_frame *top = yaml_top(reader);
    cleat_buffer_byte(&reader->json, top->mapping ? '}' : ']');
    yaml_frame_fini(top);
    reader->depth--;
    yaml_end_value(reader);
    return reader->json.failed ? yaml_memory(reader, reader->json.failed) : 0;
}

static int yaml_on_document_end(struct yaml_reader *reader)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    int r = 0;
    if (!reader->only_empty && reader->fn) {
        r = cleat_document_parse(cleat_buffer_view(&reader->json), &document, reader->err);
        if (r == 0)
            r = reader->fn(reader->arg, document);
        reader->documents++;
    }
    cleat_buffer_reset(&reader->json);
    reader->only_empty = true;
    return r;
}

/* Each node costs events and memory that its few bytes don't tell of. */
static int yaml_count_node(struct yaml_reader *reader, const yaml_event_t *event)
{
    bool node = event->type == YAML_SCALAR_EVENT || event->type == YAML_SEQUENCE_START_EVENT ||
                event->type == YAML_MAPPING_START_EVENT;
    if (!node || reader->nodes++ < CLEAT_YAML_NODES_MAX)
        return 0;
    return cleat_err_set(reader->err, -E2BIG, "line %zu: more than %d keys and values",
                         event->start_mark.line + 1, CLEAT_YAML_NODES_MAX);
}

static int yaml_on_event(struct yaml_reader *reader, const yaml_event_t *event)
{
    int r = yaml_count_node(reader, event);
    if (r < 0)
        return r;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return yaml_fail(reader, &event->start_mark, "anchors and aliases are refused",
                         cleat_str_of((const char *)event->data.alias.anchor));
    case YAML_SCALAR_EVENT: return yaml_on_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT: return yaml_on_start(reader, event, false);
    case YAML_MAPPING_START_EVENT: return yaml_on_start(reader, event, true);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return yaml_on_end(reader);
    case YAML_DOCUMENT_END_EVENT: return yaml_on_document_end(reader);
    default: return 0;
    }
}

/* libyaml's own complaint. */
static int yaml_syntax(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        return yaml_memory(reader, -ENOMEM);
    if (parser->error == YAML_READER_ERROR)
        return cleat_err_set(reader->err, -EINVAL, "offset %zu: %s", parser->problem_offset,
                             problem);
    return yaml_fail(reader, &parser->problem_mark, problem, yaml_no_detail);
}

static int yaml_loop(struct yaml_reader *reader)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event))
            return yaml_syntax(reader);
        bool end = event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT;
        int r = end ? 0 : yaml_on_event(reader, &event);
        yaml_event_delete(&event);
        if (end || r != 0)
            return r;
    }
}

/* Reads all of @text. 0, YAML_STOP, what fn returned, or an error. */
static int yaml_read(struct yaml_reader *reader, struct cleat_str text)
{
    if (text.length > CLEAT_YAML_BYTES_MAX)
        return cleat_err_set(reader->err, -E2BIG, "YAML text has %zu bytes, more than %zu",
                             text.length, CLEAT_YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&reader->parser))
        return yaml_memory(reader, -ENOMEM);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &reader->parser, (const unsigned char *)(text.length ? text.data : ""), text.length);
    cleat_buffer_init(&reader->json, YAML_JSON_BYTES_MAX);
    reader->only_empty = true;
    int r = yaml_loop(reader);
    while (reader->depth > 0)
        yaml_frame_fini(&reader->frames[--reader->depth]);
    cleat_buffer_fini(&reader->json);
    yaml_parser_delete(&reader->parser);
    return r;
}

int cleat_yaml_each(struct cleat_str text, int (*fn)(void *arg, struct cleat_document *document),
                    void *arg, struct cleat_err *err)
{
    struct yaml_reader reader = {.fn = fn, .arg = arg, .err = err};
    return yaml_read(&reader, text);
}

/* Keeps the first document; a second one is too many. */
static int yaml_keep_one(void *arg, struct cleat_document *document)
{
    struct cleat_document **kept = arg;
    if (*kept)
        return -E2BIG;
    *kept = cleat_document_ref(document);
    return 0;
}

int cleat_yaml_parse(struct cleat_str text, struct cleat_document **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    struct yaml_reader reader = {.fn = yaml_keep_one, .arg = &document, .err = err};
    int r = yaml_read(&reader, text);
    if (r < 0 && reader.documents > 1)
        return cleat_err_set(err, -EINVAL, "there is more than one YAML document");
    if (r < 0)
        return r;
    if (!document)
        return cleat_err_set(err, -EINVAL, "there is no YAML document");
    *ret = document;
    document = NULL;
    return 0;
}

int cleat_yaml_line(struct cleat_str text, const char *path)
{
    struct cleat_path wanted;
    if (cleat_path_parse(path, &wanted, NULL) < 0)
        return 0;
    struct yaml_reader reader = {.wanted = &wanted};
    int r = yaml_read(&reader, text);
    return r == YAML_STOP ? reader.line : 0;
}
