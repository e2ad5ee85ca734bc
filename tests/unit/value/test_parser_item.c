/* SPDX-License-Identifier: Apache-2.0 */
/* The parser on lists and watches: what is handed out of each object, and what breaks one alone. */
#include <errno.h>
#include <stdio.h>
#include "support/chaos.h"
#include "support/suite.h"
#include "unit/value/json.h"
#include "value/parser.h"

#define LOG_BYTES_MAX (4 * CLEAT_MIB)

/* Everything that a parser handed out, as text, and the pool that it went into. */
struct receiver {
    struct cleat_heap *pool;
    struct cleat_parser *parser;
    struct cleat_buffer log;
    struct cleat_buffer text;
    uint32_t held[64];
    size_t held_count;
    int stop_after; /* items until -ECANCELED is returned; 0: never */
    int items;
};

static void text_append(struct cleat_buffer *log, struct cleat_value value)
{
    size_t count = cleat_value_count(value);
    struct cleat_scratch scratch;
    enum cleat_value_type type = cleat_value_type(value);
    if (type == CLEAT_TYPE_NOT_KEPT) {
        cleat_buffer_text(log, "<dropped>");
    } else if (type == CLEAT_TYPE_OBJECT || type == CLEAT_TYPE_ARRAY) {
        cleat_buffer_text(log, type == CLEAT_TYPE_OBJECT ? "{" : "[");
        for (size_t i = 0; i < count; i++) {
            struct cleat_str key = {"", 0};
            struct cleat_value child = type == CLEAT_TYPE_OBJECT
                                           ? cleat_value_member(value, i, &key)
                                           : cleat_value_at(value, i);
            cleat_buffer_format(log, "%s%.*s%s", i > 0 ? "," : "", CLEAT_STR_ARG(key),
                                type == CLEAT_TYPE_OBJECT ? ":" : "");
            text_append(log, child);
        }
        cleat_buffer_text(log, type == CLEAT_TYPE_OBJECT ? "}" : "]");
    } else if (type == CLEAT_TYPE_STRING) {
        cleat_buffer_str(log, cleat_value_text(value, &scratch));
    } else {
        int r = cleat_write_json(log, value, NULL);
        ck_assert(r == 0 || log->failed); /* out of memory, in that test */
    }
}

static int receive(void *arg, const struct cleat_parser_item *item)
{
    struct receiver *receiver = arg;
    struct cleat_buffer *log = &receiver->log;
    cleat_buffer_format(log, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%zu%s|", CLEAT_STR_ARG(item->type),
                        CLEAT_STR_ARG(item->api_version), CLEAT_STR_ARG(item->kind),
                        CLEAT_STR_ARG(item->resource_version), CLEAT_STR_ARG(item->namespace_),
                        CLEAT_STR_ARG(item->name), CLEAT_STR_ARG(item->uid), item->bytes,
                        item->initial_events_end ? "|end" : "");
    if (item->broken) {
        ck_assert(!cleat_value_is_present(item->root));
        ck_assert_int_lt(item->broken->code, 0);
        cleat_buffer_format(log, "BROKEN %s", item->broken->text);
    } else {
        text_append(log, item->root);
        if (item->root.heap == receiver->pool && receiver->held_count < 64) {
            cleat_pool_hold(receiver->pool, item->root.ref);
            receiver->held[receiver->held_count++] = item->root.ref;
        }
    }
    cleat_buffer_text(log, "\n");
    return ++receiver->items == receiver->stop_after ? -ECANCELED : 0;
}

static int receiver_init(struct receiver *receiver, enum cleat_parser_mode mode,
                         const struct cleat_projection *projection, size_t bytes_max)
{
    *receiver = (struct receiver){.log = CLEAT_BUFFER_INIT(LOG_BYTES_MAX)};
    int r = cleat_pool_new(64 * CLEAT_MIB, &receiver->pool);
    const struct cleat_parser_options options = {.heap = receiver->pool,
                                                 .mode = mode,
                                                 .projection = projection,
                                                 .object_bytes_max = bytes_max,
                                                 .on_item = receive,
                                                 .arg = receiver};
    return r == 0 ? cleat_parser_new(&options, &receiver->parser, NULL) : r;
}

/* Frees it, and checks that the pool is empty once nothing is held. */
static void receiver_fini(struct receiver *receiver)
{
    cleat_parser_free(receiver->parser);
    if (receiver->pool) {
        for (size_t i = 0; i < receiver->held_count; i++)
            cleat_pool_drop(receiver->pool, receiver->held[i]);
        cleat_pool_sweep(receiver->pool);
        ck_assert_uint_eq(cleat_heap_nodes(receiver->pool), 0);
    }
    cleat_heap_free(receiver->pool);
    cleat_buffer_fini(&receiver->log);
}

static int feed(struct receiver *receiver, struct cleat_str text, size_t chunk,
                struct cleat_err *err)
{
    uint32_t state = 99;
    int r = 0;
    for (size_t at = 0; r == 0 && at < text.length;) {
        state = state * 1103515245 + 12345;
        size_t size = chunk ? chunk : 1 + (state >> 16) % 61;
        size = size < text.length - at ? size : text.length - at;
        char *copy = malloc(size);
        memcpy(copy, text.data + at, size);
        r = cleat_parser_feed(receiver->parser, copy, size, err);
        free(copy);
        at += size;
    }
    return r;
}

/* The log of @text must be @wanted, wherever its chunks end. */
static void check_log(enum cleat_parser_mode mode, const struct cleat_projection *projection,
                      const char *text, const char *wanted)
{
    for (size_t chunk = 0; chunk <= 9; chunk++) {
        struct receiver receiver;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(receiver_init(&receiver, mode, projection, 0), 0);
        int r = feed(&receiver, cleat_str_of(text), chunk == 9 ? 100000 : chunk, &err);
        if (r == 0)
            r = cleat_parser_finish(receiver.parser, NULL, &err);
        ck_assert_msg(r == 0, "chunks of %zu: %s", chunk, err.text);
        ck_assert_msg(cleat_str_is(cleat_buffer_view(&receiver.log), wanted),
                      "chunks of %zu:\n%.*swanted:\n%s", chunk,
                      CLEAT_STR_ARG(cleat_buffer_view(&receiver.log)), wanted);
        receiver_fini(&receiver);
    }
}

static const char pod[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":\"u-1\","
    "\"namespace\":\"n\",\"resourceVersion\":\"7\",\"labels\":{\"x\":\"label\"},"
    "\"managedFields\":[{\"manager\":\"m\\u0041\",\"f\":{\".\":{}}}]},"
    "\"spec\":{\"nodeName\":\"node-1\",\"list\":[{\"i\":1,\"s\":\"text\"},{\"i\":2}]}}";

START_TEST(test_list)
{
    char text[2048];
    snprintf(
        text, sizeof(text),
        " {\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"12\","
        "\"continue\":\"abc\",\"remainingItemCount\":3,\"other\":[1]},\"items\":[%s,"
        "{\"metadata\":{\"name\":\"b\"}}],\"unknown\":{\"items\":[{\"metadata\":{\"name\":\"c\"}}]}"
        "} \n",
        pod);
    check_log(
        CLEAT_PARSER_LIST, NULL, text,
        "|v1|Pod|7|n|a|u-1|247|{metadata:{labels:{x:label},managedFields:[{f:{.:{}},manager:mA}],"
        "name:a,namespace:n,uid:u-1},spec:{list:[{i:1,s:text},{i:2}],nodeName:node-1}}\n"
        "||||"
        "|b||25|{metadata:{name:b}}\n");
}
END_TEST

START_TEST(test_list_metadata)
{
    static const char *const texts[] = {
        "{\"apiVersion\":\"v1\",\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"12\","
        "\"continue\":\"abc\","
        "\"remainingItemCount\":3},\"items\":[]}",
        "{\"items\":null,\"metadata\":{\"remainingItemCount\":3,\"continue\":\"abc\","
        "\"resourceVersion\":\"12\"},\"kind\":\"L\",\"apiVersion\":\"v1\"}",
        "{\"items\":[ "
        "],\"metadata\":{\"remainingItemCount\":3,\"c\":null,\"continue\":\"\\u0061bc\",\"x\":{},"
        "\"resourceVersion\":\"12\"},\"kind\":\"L\",\"apiVersion\":\"v1\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t chunk = 0; chunk < 4; chunk++) {
            struct receiver receiver;
            struct cleat_parser_list list;
            ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 0), 0);
            cleat_parser_list(receiver.parser, &list);
            ck_assert_int_eq(list.remaining, -1);
            ck_assert_uint_eq(list.resource_version.length, 0);
            ck_assert_int_eq(feed(&receiver, cleat_str_of(texts[i]), chunk, NULL), 0);
            ck_assert_int_eq(cleat_parser_finish(receiver.parser, NULL, NULL), 0);
            cleat_parser_list(receiver.parser, &list);
            ck_assert(cleat_str_is(list.api_version, "v1") && cleat_str_is(list.kind, "L"));
            ck_assert(cleat_str_is(list.resource_version, "12"));
            ck_assert(cleat_str_is(list.continue_, "abc"));
            ck_assert_int_eq(list.remaining, 3);
            ck_assert_int_eq(receiver.items, 0);
            receiver_fini(&receiver);
        }
    }
}
END_TEST

/* Each of these breaks one object; the ones around it arrive. */
static const struct {
    const char *object, *head, *what;
} broken[] = {
    {"5", "|||||||", "what should be an object isn't one"},
    {"null", "|||||||", "what should be an object isn't one"},
    {"\"x\"", "|||||||", "what should be an object isn't one"},
    {"[{\"metadata\":{\"name\":\"x\"}}]", "|||||||", "what should be an object isn't one"},
    {"{}", "|||||||", "the object has no name"},
    {"{\"metadata\":null}", "|||||||", "the object has no name"},
    {"{\"metadata\":{\"name\":\"\"}}", "|||||||", "the object has no name"},
    {"{\"metadata\":{\"name\":5}}", "|||||||", "a name or version isn't a string"},
    {"{\"metadata\":{\"name\":{\"name\":\"x\"}}}", "|||||||", "a name or version isn't a string"},
    {"{\"metadata\":{\"name\":\"x\",\"namespace\":true}}", "|||||x||",
     "a name or version isn't a string"},
    {"{\"metadata\":{\"labels\":{\"d\":1,\"d\":2},\"name\":\"x\",\"uid\":\"u\"},\"kind\":\"K\"}",
     "||K|||x|u|", "a key is doubled"},
    {"{\"metadata\":{\"name\":\"x\",\"name\":\"y\"}}", "|||||y||", "a key is doubled"},
    {"{\"kind\":\"A\",\"kind\":\"B\",\"metadata\":{\"name\":\"x\"}}", "||B|||x||",
     "a key is doubled"},
    {"{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"1\",\"resourceVersion\":\"2\"}}",
     "|||2||x||", "a key is doubled"},
    {"{\"k\\u0000\":{\"a\":[1,{}]},\"metadata\":{\"name\":\"x\"}}", "|||||x||", "NUL in a key"},
    {"{\"s\":\"\\ud800\",\"metadata\":{\"name\":\"x\"}}", "|||||x||",
     "half of a surrogate pair in a string"},
};

START_TEST(test_broken_objects)
{
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        char text[1024], log[1024];
        snprintf(text, sizeof(text),
                 "{\"items\":[{\"metadata\":{\"name\":\"first\"}},%s,{\"metadata\":{\"name\":"
                 "\"last\"}}]}",
                 broken[i].object);
        snprintf(log, sizeof(log),
                 "|||||first||29|{metadata:{name:first}}\n%s%zu|BROKEN %s\n"
                 "|||||last||28|{metadata:{name:last}}\n",
                 broken[i].head, strlen(broken[i].object), broken[i].what);
        check_log(CLEAT_PARSER_LIST, NULL, text, log);
    }
}
END_TEST

START_TEST(test_too_deep_object)
{
    for (size_t depth = 125; depth <= 128; depth += 1) {
        char *deep = json_nested(depth, "{\"a\":[]}"); /* two levels more, and the object's own */
        size_t room = strlen(deep) + 200;
        char *text = malloc(room);
        struct receiver receiver;
        snprintf(text, room,
                 "{\"items\":[{\"deep\":%s,\"metadata\":{\"name\":\"x\"}},{\"metadata\":{\"name\":"
                 "\"y\"}}]}",
                 deep);
        for (size_t chunk = 0; chunk < 3; chunk++) {
            ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 0), 0);
            ck_assert_int_eq(feed(&receiver, cleat_str_of(text), chunk, NULL), 0);
            ck_assert_int_eq(cleat_parser_finish(receiver.parser, NULL, NULL), 0);
            ck_assert_int_eq(receiver.items, 2);
            ck_assert_int_eq(strstr(receiver.log.data, "BROKEN nesting is too deep") != NULL,
                             depth > 125);
            ck_assert_ptr_nonnull(strstr(receiver.log.data, "|x|"));
            ck_assert_ptr_nonnull(strstr(receiver.log.data, "{metadata:{name:y}}"));
            receiver_fini(&receiver);
        }
        free(text);
        free(deep);
    }
}
END_TEST

/* Brackets must match below the limit of depth too; depth without end is the text's fault. */
START_TEST(test_deep_syntax)
{
    struct receiver receiver;
    char *deep = json_nested(1000, "{\"a\":1]");
    size_t room = strlen(deep) + 100;
    char *text = malloc(room);
    snprintf(text, room, "{\"items\":[{\"deep\":%s}]}", deep);
    ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 0), 0);
    ck_assert_int_eq(feed(&receiver, cleat_str_of(text), 100, NULL), -EINVAL);
    receiver_fini(&receiver);
    free(text);
    free(deep);
    deep = json_nested(100000, "");
    room = strlen(deep) + 100;
    text = malloc(room);
    snprintf(text, room, "{\"items\":[{\"deep\":%s}]}", deep);
    ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 0), 0);
    ck_assert_int_eq(feed(&receiver, cleat_str_of(text), 0, NULL), -E2BIG);
    receiver_fini(&receiver);
    free(text);
    free(deep);
}
END_TEST

/* Too large by many small values, and by one string that no chunk holds. */
START_TEST(test_too_large_object)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    for (int kind = 0; kind < 3; kind++) {
        cleat_buffer_reset(&text);
        cleat_buffer_text(&text, "{\"items\":[{\"metadata\":{\"name\":\"x\"},\"data\":[");
        for (int i = 0; i < 30000; i++)
            cleat_buffer_text(&text, kind == 0 ? "\"a\\\\\",\"b\"," : kind == 1 ? "123," : "");
        cleat_buffer_text(&text, "\"");
        for (int i = 0; i < 30000; i++)
            cleat_buffer_text(&text, kind == 2 ? "long \\\" string" : "");
        cleat_buffer_text(&text, "\"]},{\"metadata\":{\"name\":\"y\"}}]}");
        static const size_t chunks[] = {1, 7, 1000, 100000, 10000000};
        for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
            struct receiver receiver;
            struct cleat_err err = CLEAT_ERR_INIT;
            ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 5000), 0);
            int r = feed(&receiver, cleat_buffer_view(&text), chunks[i], &err);
            ck_assert_msg(r == 0, "%s", err.text);
            ck_assert_int_eq(cleat_parser_finish(receiver.parser, NULL, NULL), 0);
            ck_assert_int_eq(receiver.items, 2);
            ck_assert_ptr_nonnull(strstr(receiver.log.data, "|x|"));
            ck_assert_ptr_nonnull(strstr(receiver.log.data, "BROKEN"));
            ck_assert_ptr_nonnull(strstr(receiver.log.data, "{metadata:{name:y}}"));
            receiver_fini(&receiver);
        }
    }
    cleat_buffer_fini(&text);
}
END_TEST

/* What is wrong with the text itself ends it. */
START_TEST(test_wrong_lists)
{
    static const char *const texts[] = {"[]",
                                        "5",
                                        "\"items\"",
                                        "null",
                                        "{\"items\":{}}",
                                        "{\"items\":5}",
                                        "{\"items\":\"x\"}",
                                        "{\"items\":[}",
                                        "{\"items\":[{\"a\":}]}",
                                        "{\"items\":[{\"metadata\":{\"name\":\"x\"}}",
                                        "{\"items\":[",
                                        "{\"items\":[],\"items\":[]}",
                                        "{\"items\":[]}{}",
                                        "{\"metadata\":{},\"metadata\":{}}",
                                        "{\"items\":[{\"a\":\"\xff\"}]}",
                                        "{\"x\":{\"a\":\"\xff\"}}",
                                        "{\"x\":[01]}",
                                        "{\"x\":\"\n\"}",
                                        "{\"items\":[{\"d\":1,\"d\":2,\"e\":}]}",
                                        "{\"items\":[{\"d\":1,\"d\":2,\"e\":\"\\x\"}]}",
                                        ""};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t chunk = 0; chunk < 4; chunk++) {
            struct receiver receiver;
            struct cleat_err err = CLEAT_ERR_INIT;
            ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 0), 0);
            int r = feed(&receiver, cleat_str_of(texts[i]), chunk, &err);
            if (r == 0)
                r = cleat_parser_finish(receiver.parser, NULL, &err);
            ck_assert_msg(r == -EINVAL, "%s: %d", texts[i], r);
            ck_assert_int_ne(err.text[0], 0);
            ck_assert_int_eq(cleat_parser_feed(receiver.parser, " ", 1, NULL), -EINVAL);
            ck_assert_int_eq(cleat_parser_finish(receiver.parser, NULL, NULL), -EINVAL);
            receiver_fini(&receiver);
        }
    }
}
END_TEST

static struct cleat_projection *projection_of(const char *path)
{
    struct cleat_projection *projection = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = strcmp(path, "default") == 0    ? cleat_projection_default(&projection)
            : strcmp(path, "metadata") == 0 ? cleat_projection_metadata(&projection)
                                            : cleat_projection_paths(&path, 1, &projection, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return projection;
}

static const struct {
    const char *path, *log;
} projections[] = {
    {"default", "{metadata:{labels:{x:label},managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
                "spec:{list:[{i:1,s:text},{i:2}],nodeName:node-1}}"},
    {"metadata", "{metadata:{labels:{x:label},managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
                 "spec:<dropped>}"},
    {"spec.nodeName",
     "{metadata:{labels:<dropped>,managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
     "spec:{list:<dropped>,nodeName:node-1}}"},
    {"spec.list[*].s",
     "{metadata:{labels:<dropped>,managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
     "spec:{list:[{i:<dropped>,s:text},{i:<dropped>}],nodeName:<dropped>}}"},
    {"spec.nodeName.x",
     "{metadata:{labels:<dropped>,managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
     "spec:{list:<dropped>,nodeName:node-1}}"},
    {"spec.list.x",
     "{metadata:{labels:<dropped>,managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
     "spec:{list:[<dropped>,<dropped>],nodeName:<dropped>}}"},
    {"metadata.managedFields[*].f", "{metadata:{labels:<dropped>,managedFields:[{f:{.:{}},manager:<"
                                    "dropped>}],name:a,namespace:n,uid:u-1},"
                                    "spec:<dropped>}"},
    {"absent", "{metadata:{labels:<dropped>,managedFields:<dropped>,name:a,namespace:n,uid:u-1},"
               "spec:<dropped>}"},
};

START_TEST(test_projections)
{
    for (size_t i = 0; i < sizeof(projections) / sizeof(projections[0]); i++) {
        struct cleat_projection *projection = projection_of(projections[i].path);
        char text[1024], frame[1024], late[1024], log[1024];
        snprintf(text, sizeof(text), "{\"items\":[%s]}", pod);
        snprintf(log, sizeof(log), "|v1|Pod|7|n|a|u-1|247|%s\n", projections[i].log);
        check_log(CLEAT_PARSER_LIST, projection, text, log);
        /* whether a frame's type comes first or last */
        snprintf(frame, sizeof(frame), "{\"type\":\"ADDED\",\"object\":%s}", pod);
        snprintf(late, sizeof(late), "{\"object\":%s,\"type\":\"ADDED\"}", pod);
        snprintf(log, sizeof(log), "ADDED|v1|Pod|7|n|a|u-1|247|%s\n", projections[i].log);
        check_log(CLEAT_PARSER_WATCH, projection, frame, log);
        check_log(CLEAT_PARSER_WATCH, projection, late, log);
        cleat_projection_unref(projection);
    }
}
END_TEST

/* In a crowded place a projection still finds its paths. */
START_TEST(test_crowded_projection)
{
    struct cleat_projection *projection = projection_of("data.wanted");
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    struct receiver receiver;
    cleat_buffer_text(&text, "{\"items\":[");
    for (int i = 0; i < 300; i++)
        cleat_buffer_format(
            &text, "%s{\"metadata\":{\"name\":\"n%d\"},\"data\":{\"k%d\":\"v\",\"wanted\":%d}}",
            i > 0 ? "," : "", i, i, i);
    cleat_buffer_text(&text, "]}");
    ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, projection, 0), 0);
    ck_assert_int_eq(feed(&receiver, cleat_buffer_view(&text), 0, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr(receiver.log.data, "{data:{k299:<dropped>,wanted:299},metadata:{name:n299}}"));
    receiver_fini(&receiver);
    cleat_buffer_fini(&text);
    cleat_projection_unref(projection);
}
END_TEST

START_TEST(test_watch)
{
    check_log(CLEAT_PARSER_WATCH, NULL,
              "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":"
              "{\"name\":\"a\","
              "\"resourceVersion\":\"5\"}}}\n"
              "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":"
              "\"6\"},\"x\":\"1\"}}\n\n"
              "{\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"6\"},\"x\":\"1\"},"
              "\"type\":\"MODIFIED\"}"
              "{ \"type\" : \"DELETED\" , \"more\":[{}], \"object\" : "
              "{\"metadata\":{\"name\":\"a\"}} }\r\n"
              "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
              "\"resourceVersion\":\"9\"}}}"
              "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"annotations\":{\"k8s.io/"
              "initial-events-end\":\"true\"},"
              "\"resourceVersion\":\"10\"}}}"
              "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"metadata\":{},\"code\":410}}",
              "ADDED|v1|Pod|5||a||78|{metadata:{name:a}}\n"
              "MODIFIED|||6||a||55|{metadata:{name:a},x:1}\n"
              "MODIFIED|||6||a||55|{metadata:{name:a},x:1}\n"
              "DELETED|||||a||25|{metadata:{name:a}}\n"
              "BOOKMARK||Pod|9||||49|{kind:Pod,metadata:{resourceVersion:9}}\n"
              "BOOKMARK|||10||||88|end|{metadata:{annotations:{k8s.io/initial-events-end:true},"
              "resourceVersion:10}}\n"
              "ERROR||Status|||||42|{kind:Status,metadata:{},code:410}\n");
}
END_TEST

START_TEST(test_broken_frames)
{
    check_log(CLEAT_PARSER_WATCH, NULL,
              "{}{\"type\":\"ADDED\"}{\"type\":\"X\",\"object\":{\"metadata\":{\"name\":\"a\"}}}"
              "{\"object\":{\"metadata\":{\"name\":\"b\"}}}{\"type\":\"ADDED\",\"object\":{}}"
              "{\"type\":\"ADDED\",\"object\":null}{\"type\":5,\"object\":{\"metadata\":{\"name\":"
              "\"c\"}}}"
              "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"d\",\"e\":1,\"e\":2}}}"
              "{\"type\":\"ERROR\",\"object\":{\"e\":1,\"e\":2}}"
              "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"z\"}}}",
              "|||||||0|BROKEN the frame has no object\n"
              "ADDED|||||||0|BROKEN the frame has no object\n"
              "X|||||a||25|BROKEN the frame's type isn't known\n"
              "|||||b||25|BROKEN the frame's type isn't known\n"
              "ADDED|||||||2|BROKEN the object has no name\n"
              "ADDED|||||||4|BROKEN what should be an object isn't one\n"
              "|||||c||25|BROKEN the frame's type isn't known\n"
              "ADDED|||||d||37|BROKEN a key is doubled\n"
              "ERROR|||||||13|BROKEN a key is doubled\n"
              "ADDED|||||z||25|{metadata:{name:z}}\n");
}
END_TEST

START_TEST(test_between)
{
    static const char text[] = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n";
    struct receiver receiver;
    ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_WATCH, NULL, 0), 0);
    ck_assert(cleat_parser_between(receiver.parser));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(text) - 1; i++) {
            ck_assert_int_eq(cleat_parser_feed(receiver.parser, text + i, 1, NULL), 0);
            ck_assert_int_eq(cleat_parser_between(receiver.parser), i + 3 >= sizeof(text));
        }
    }
    ck_assert_int_eq(cleat_parser_finish(receiver.parser, NULL, NULL), 0);
    receiver_fini(&receiver);
}
END_TEST

/* Two versions of an object that differ in what lies beside the root have one root. */
START_TEST(test_nothing_changed)
{
    struct receiver receiver;
    ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_WATCH, NULL, 0), 0);
    ck_assert_int_eq(
        feed(
            &receiver,
            CLEAT_STR("{\"type\":\"ADDED\",\"object\":{\"kind\":\"A\",\"metadata\":{\"name\":\"a\","
                      "\"resourceVersion\":\"1\",\"uid\":\"long-enough\"}}}"
                      "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"2\","
                      "\"uid\":\"long-enough\",\"name\":\"a\"},\"apiVersion\":\"v1\"}}"
                      "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"2\","
                      "\"uid\":\"long-enougH\",\"name\":\"a\"},\"apiVersion\":\"v1\"}}"),
            0, NULL),
        0);
    ck_assert_uint_eq(receiver.held_count, 3);
    ck_assert_uint_eq(receiver.held[0], receiver.held[1]);
    ck_assert_uint_ne(receiver.held[0], receiver.held[2]);
    receiver_fini(&receiver);
}
END_TEST

START_TEST(test_receiver_stops)
{
    struct receiver receiver;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(receiver_init(&receiver, CLEAT_PARSER_LIST, NULL, 0), 0);
    receiver.stop_after = 2;
    ck_assert_int_eq(
        feed(
            &receiver,
            CLEAT_STR("{\"items\":[{\"metadata\":{\"name\":\"a\"}},{\"metadata\":{\"name\":\"b\"}},"
                      "{\"metadata\":{\"name\":\"c\"}}]}"),
            11, &err),
        -ECANCELED);
    ck_assert_int_eq(receiver.items, 2);
    receiver.stop_after = 0;
    cleat_parser_reset(receiver.parser, NULL);
    ck_assert_int_eq(
        feed(&receiver, CLEAT_STR("{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}"), 3, &err), 0);
    ck_assert_int_eq(cleat_parser_finish(receiver.parser, NULL, NULL), 0);
    ck_assert_int_eq(receiver.items, 3);
    receiver_fini(&receiver);
}
END_TEST

/* While a parser waits in the middle of an object, others change the pool: what it read so far
 * stays. */
START_TEST(test_waiting_parser_keeps_its_values)
{
    static const char text[] =
        "{\"items\":[{\"metadata\":{\"name\":\"object-a\",\"labels\":{\"app\":\"the label\"}},"
        "\"spec\":{\"list\":[\"string one\",{\"k\":\"string two\"},12345678901]}}]}";
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        struct receiver first, waiting;
        struct cleat_str whole = {text, sizeof(text) - 1};
        ck_assert_int_eq(receiver_init(&first, CLEAT_PARSER_LIST, NULL, 0), 0);
        ck_assert_int_eq(feed(&first, whole, 1000, NULL), 0);
        waiting = (struct receiver){.log = CLEAT_BUFFER_INIT(LOG_BYTES_MAX), .pool = first.pool};
        const struct cleat_parser_options options = {
            .heap = first.pool, .mode = CLEAT_PARSER_LIST, .on_item = receive, .arg = &waiting};
        ck_assert_int_eq(cleat_parser_new(&options, &waiting.parser, NULL), 0);
        ck_assert_int_eq(cleat_parser_feed(waiting.parser, text, cut, NULL), 0);
        for (size_t i = 0; i < first.held_count; i++) /* the only other owner goes */
            cleat_pool_drop(first.pool, first.held[i]);
        first.held_count = 0;
        cleat_pool_sweep(first.pool);
        uint32_t filler; /* takes whatever place has become free */
        for (int i = 0; i < 50; i++) {
            char name[32];
            snprintf(name, sizeof(name), "filler string %d", i);
            ck_assert_int_eq(cleat_heap_str(first.pool, cleat_str_of(name), &filler), 0);
        }
        ck_assert_int_eq(
            cleat_parser_feed(waiting.parser, text + cut, sizeof(text) - 1 - cut, NULL), 0);
        ck_assert_str_eq(waiting.held_count ? waiting.log.data : first.log.data, first.log.data);
        cleat_parser_free(waiting.parser);
        for (size_t i = 0; i < waiting.held_count; i++)
            cleat_pool_drop(first.pool, waiting.held[i]);
        cleat_buffer_fini(&waiting.log);
        receiver_fini(&first);
    }
}
END_TEST

static int item_sweep(void *arg)
{
    const char *text = arg;
    struct receiver receiver;
    struct cleat_projection *projection = NULL;
    int r = cleat_projection_default(&projection);
    if (r != 0)
        return r;
    r = receiver_init(&receiver, CLEAT_PARSER_WATCH, projection, 0);
    for (size_t at = 0; r == 0 && text[at]; at += strlen(text + at) < 13 ? strlen(text + at) : 13)
        r = cleat_parser_feed(receiver.parser, text + at,
                              strlen(text + at) < 13 ? strlen(text + at) : 13, NULL);
    if (r == 0)
        r = cleat_parser_finish(receiver.parser, NULL, NULL);
    receiver_fini(&receiver);
    cleat_projection_unref(projection);
    return r;
}

START_TEST(test_out_of_memory)
{
    static char text[] =
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"name of "
        "it\",\"labels\":{\"z\":\"value\",\"a\":\"v\"}}}}"
        "{\"object\":{\"metadata\":{\"name\":\"b\",\"x\":[1,2,3]}},\"type\":\"MODIFIED\"}"
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"5\",\"e\":"
        "\"\\u00e9 escaped\"}}}";
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(item_sweep, text), 10);
}
END_TEST

CLEAT_SUITE_MAIN("parser_item", test_list, test_list_metadata, test_broken_objects,
                 test_too_deep_object, test_deep_syntax, test_too_large_object, test_wrong_lists,
                 test_projections, test_crowded_projection, test_watch, test_broken_frames,
                 test_between, test_nothing_changed, test_receiver_stops,
                 test_waiting_parser_keeps_its_values, test_out_of_memory)
