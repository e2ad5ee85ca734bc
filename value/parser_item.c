/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of lists and watches: where they begin and end, what is captured of them, and how one
 * breaks alone. */
#include <errno.h>

#include "base/mem.h"
#include "value/parser_state.h"

struct role_name {
    const char *key;
    enum role role;
    bool left_out;
};

/* Adds fields with roles; they come before anything is learned and so are always found. */
static int site_roles(struct cleat_parser *parser, struct site *site, const struct role_name *names,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct site *field = cleat__site_add(parser, site, cleat_str_of(names[i].key));
        if (!field)
            return -ENOMEM;
        field->role = (uint8_t)names[i].role;
        field->left_out = names[i].left_out;
        site->has_roles = true;
    }
    return 0;
}

/* The site of an object with what is captured of it. @leave_out: what the store keeps beside the
 * root. */
static int item_site(struct cleat_parser *parser, const struct projection_node *projection,
                     bool leave_out, struct site **ret)
{
    const struct role_name root[] = {{"apiVersion", ROLE_API_VERSION, leave_out},
                                     {"kind", ROLE_KIND, leave_out},
                                     {"metadata", ROLE_METADATA, false}};
    const struct role_name metadata[] = {{"name", ROLE_NAME, false},
                                         {"namespace", ROLE_NAMESPACE, false},
                                         {"uid", ROLE_UID, false},
                                         {"resourceVersion", ROLE_RESOURCE_VERSION, leave_out}};
    struct site *site = cleat__site_new(parser, NULL, (struct cleat_str){NULL, 0}, projection);
    if (!site)
        return -ENOMEM;
    int r = site_roles(parser, site, root, sizeof(root) / sizeof(root[0]));
    if (r == 0) {
        r = site_roles(parser, cleat__site_find(site, CLEAT_STR("metadata")), metadata,
                       sizeof(metadata) / sizeof(metadata[0]));
    }
    site->role = ROLE_ITEM;
    site->has_roles = true;
    *ret = site;
    return r;
}

static int list_sites(struct cleat_parser *parser)
{
    static const struct role_name top[] = {{"apiVersion", ROLE_LIST_API_VERSION, false},
                                           {"kind", ROLE_LIST_KIND, false},
                                           {"metadata", ROLE_LIST_METADATA, false},
                                           {"items", ROLE_ITEMS, false}};
    static const struct role_name metadata[] = {
        {"resourceVersion", ROLE_LIST_RESOURCE_VERSION, false},
        {"continue", ROLE_LIST_CONTINUE, false},
        {"remainingItemCount", ROLE_LIST_REMAINING, false}};
    int r = site_roles(parser, parser->root, top, sizeof(top) / sizeof(top[0]));
    if (r == 0) {
        r = site_roles(parser, cleat__site_find(parser->root, CLEAT_STR("metadata")), metadata,
                       sizeof(metadata) / sizeof(metadata[0]));
    }
    if (r == 0)
        cleat__site_find(parser->root, CLEAT_STR("items"))->element = parser->item;
    return r;
}

int cleat__item_sites(struct cleat_parser *parser)
{
    static const struct role_name frame[] = {{"type", ROLE_TYPE, false},
                                             {"object", ROLE_OBJECT, false}};
    const struct projection_node *everything = cleat__projection_root(NULL);
    const struct projection_node *projection = cleat__projection_root(parser->options.projection);
    parser->anything = (struct site){.projection = everything, .crowded = true};
    parser->anything.element = parser->anything.any = &parser->anything;
    if (parser->options.mode == CLEAT_PARSER_DOCUMENT) {
        parser->root = parser->item =
            cleat__site_new(parser, NULL, (struct cleat_str){NULL, 0}, projection);
        return parser->root ? 0 : -ENOMEM;
    }
    int r = item_site(parser, projection, true, &parser->item);
    if (r != 0)
        return r;
    parser->root = cleat__site_new(parser, NULL, (struct cleat_str){NULL, 0}, everything);
    if (!parser->root)
        return -ENOMEM;
    if (parser->options.mode == CLEAT_PARSER_LIST)
        return list_sites(parser);
    r = item_site(parser, everything, false, &parser->side_item);
    return r == 0 ? site_roles(parser, parser->root, frame, sizeof(frame) / sizeof(frame[0])) : r;
}

static struct cleat_str captured(const struct cleat_parser *parser, enum role role)
{
    const struct capture *capture = &parser->captured[role];
    return capture->length > 0 ? (struct cleat_str){capture->data, capture->length}
                               : (struct cleat_str){"", 0};
}

static int capture_set(struct capture *capture, struct cleat_str text)
{
    if (text.length + 1 > capture->capacity) {
        char *data = cleat_mem_realloc(capture->data, text.length + 64);
        if (!data)
            return -ENOMEM;
        capture->data = data;
        capture->capacity = text.length + 64;
    }
    memcpy(capture->data, text.data, text.length);
    capture->data[text.length] = '\0';
    capture->length = text.length;
    return 0;
}

int cleat__item_break(struct cleat_parser *parser, int code, const char *what)
{
    if (!parser->in_item || parser->options.mode == CLEAT_PARSER_DOCUMENT)
        return code;
    if (parser->broken.code == 0)
        cleat_err_set(&parser->broken, code, "%s", what);
    for (uint32_t i = parser->item_depth; i < parser->depth; i++)
        parser->frames[i].build = false;
    cleat__parser_cut(parser, 0);
    parser->key = CLEAT_REF_ABSENT;
    parser->want = WANT_CHECK;
    return 0;
}

int cleat__item_capture(struct cleat_parser *parser, enum role role, struct cleat_str text,
                        bool is_null)
{
    if (role >= ROLE_STRINGS || role == ROLE_NONE)
        return 0;
    bool of_item = role <= ROLE_UID;
    if (of_item && !parser->in_item)
        return 0;
    if (text.data) {
        int r = capture_set(&parser->captured[role], text);
        return r == 0 ? 0 : cleat__item_break(parser, r, "no memory for the object's name");
    }
    if (is_null)
        return 0;
    return of_item ? cleat__item_break(parser, -EINVAL, "a name or version isn't a string") : 0;
}

void cleat__item_begin(struct cleat_parser *parser, const char *at)
{
    for (int role = ROLE_API_VERSION; role <= ROLE_UID; role++)
        parser->captured[role].length = 0;
    parser->in_item = true;
    parser->item_start = parser->offset + (uint64_t)(at - parser->origin);
    parser->item_depth = parser->depth;
    parser->item_ref = CLEAT_REF_ABSENT;
    parser->seen_left = 0;
    cleat_err_clear(&parser->broken);
    parser->site = parser->item;
    parser->want = WANT_BUILD;
    parser->key = CLEAT_REF_ABSENT;
    if (parser->options.mode != CLEAT_PARSER_WATCH)
        return;
    struct cleat_str type = captured(parser, ROLE_TYPE);
    bool plain = cleat_str_is(type, "ADDED") || cleat_str_is(type, "MODIFIED") ||
                 cleat_str_is(type, "DELETED");
    parser->is_side = !plain;
    if (parser->is_side) { /* also where the type isn't known yet */
        cleat_arena_reset(parser->side_heap);
        parser->target = &parser->side;
        parser->site = parser->side_item;
        cleat__parser_renew(parser, parser->target);
    }
}

static int item_deliver(struct cleat_parser *parser)
{
    bool broken = parser->broken.code != 0;
    struct cleat_parser_item item = {
        .type = captured(parser, ROLE_TYPE),
        .api_version = captured(parser, ROLE_API_VERSION),
        .kind = captured(parser, ROLE_KIND),
        .resource_version = captured(parser, ROLE_RESOURCE_VERSION),
        .namespace_ = captured(parser, ROLE_NAMESPACE),
        .name = captured(parser, ROLE_NAME),
        .uid = captured(parser, ROLE_UID),
        .bytes = parser->item_bytes,
        .broken = broken ? &parser->broken : NULL,
    };
    if (!broken)
        item.root = (struct cleat_value){parser->target->heap, parser->item_ref};
    if (!broken && cleat_str_is(item.type, "BOOKMARK")) {
        item.initial_events_end = cleat_value_is(
            cleat_value_find(item.root, "metadata.annotations[\"k8s.io/initial-events-end\"]"),
            "true");
    }
    cleat__parser_cut(parser, 0);
    int r = parser->options.on_item(parser->options.arg, &item);
    parser->target = &parser->main;
    cleat__parser_renew(parser, parser->target);
    return r > 0 ? -EINVAL : r;
}

/* Strings and names that every object must have. */
static void item_check(struct cleat_parser *parser)
{
    if (parser->broken.code == 0 && parser->item_bytes > parser->options.object_bytes_max)
        (void)cleat__item_break(parser, -E2BIG, "the object is too large"); /* it is in an item */
    struct cleat_value root = {parser->target->heap, parser->item_ref};
    if (parser->broken.code == 0 && cleat_value_type(root) != CLEAT_TYPE_OBJECT)
        (void)cleat__item_break(parser, -EINVAL, "what should be an object isn't one");
}

int cleat__item_end(struct cleat_parser *parser, const char *at, uint32_t ref)
{
    parser->item_ref = ref;
    parser->seasoned = true;
    parser->item_bytes =
        (size_t)(parser->offset + (uint64_t)(at - parser->origin) - parser->item_start);
    if (parser->options.mode == CLEAT_PARSER_DOCUMENT)
        return 0;
    item_check(parser);
    if (parser->options.mode == CLEAT_PARSER_WATCH) {
        parser->item_done = true; /* in_item goes on until the frame ends */
        return 0;
    }
    if (parser->broken.code == 0 && parser->captured[ROLE_NAME].length == 0)
        (void)cleat__item_break(parser, -EINVAL, "the object has no name");
    int r = item_deliver(parser);
    parser->in_item = false;
    return r;
}

/* Copies an object that was read before its type was known to where it belongs. */
static int item_settle(struct cleat_parser *parser)
{
    struct cleat_value root = {parser->side.heap, parser->item_ref};
    parser->target = &parser->main;
    return cleat__project(parser->main.heap, root, parser->options.projection, &parser->item_ref);
}

int cleat__item_frame_end(struct cleat_parser *parser)
{
    struct cleat_str type = captured(parser, ROLE_TYPE);
    bool special = cleat_str_is(type, "BOOKMARK") || cleat_str_is(type, "ERROR");
    bool plain = cleat_str_is(type, "ADDED") || cleat_str_is(type, "MODIFIED") ||
                 cleat_str_is(type, "DELETED");
    parser->in_item = true;
    if (!parser->item_done) {
        for (int role = ROLE_API_VERSION; role <= ROLE_UID; role++)
            parser->captured[role].length = 0;
        cleat_err_clear(&parser->broken);
        parser->item_bytes = 0;
        (void)cleat__item_break(parser, -EINVAL, "the frame has no object");
    } else if (!plain && !special) {
        (void)cleat__item_break(parser, -EINVAL, "the frame's type isn't known");
    } else if (plain && parser->captured[ROLE_NAME].length == 0) {
        (void)cleat__item_break(parser, -EINVAL, "the object has no name");
    } else if (plain && parser->is_side && parser->broken.code == 0) {
        int r = item_settle(parser);
        if (r != 0)
            (void)cleat__item_break(parser, r, "no room for the object");
    }
    int r = item_deliver(parser);
    parser->in_item = parser->item_done = parser->is_side = false;
    parser->captured[ROLE_TYPE].length = 0;
    parser->seen = 0;
    return r;
}
