/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled form of a schema, for schema*.c alone.
 */
#ifndef CLEAT_APISERVER_SCHEMA_NODE_H
#define CLEAT_APISERVER_SCHEMA_NODE_H

#include "apiserver/schema.h"

enum schema_type {
    SCHEMA_ANY,
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_STRING,
    SCHEMA_NUMBER,
    SCHEMA_INTEGER,
    SCHEMA_BOOLEAN,
};

enum schema_list { SCHEMA_LIST_ATOMIC, SCHEMA_LIST_SET, SCHEMA_LIST_MAP };

struct schema_node;
struct schema_pattern;

struct schema_property {
    struct cleat_str key; /* borrowed from the document */
    struct schema_node *node;
};

struct schema_nodes {
    struct schema_node **items;
    size_t count;
};

struct schema_names {
    char **items;
    size_t count;
};

struct schema_node {
    enum schema_type type;
    enum schema_list list;
    bool nullable;
    bool preserve;      /* x-kubernetes-preserve-unknown-fields */
    bool int_or_string; /* x-kubernetes-int-or-string */
    bool embedded;      /* x-kubernetes-embedded-resource, and the root */
    bool unique;
    bool exclusive_minimum;
    bool exclusive_maximum;
    bool closed;                    /* additionalProperties: false */
    int64_t min_length, max_length; /* code points; -1: none, as the next four */
    int64_t min_items, max_items;
    int64_t min_properties, max_properties;
    struct cleat_value minimum, maximum, multiple_of; /* absent: none */
    struct cleat_value enumeration;
    struct cleat_value fallback; /* the default */
    struct schema_property *properties;
    size_t property_count;
    struct schema_node *additional;
    struct schema_node *items;
    struct schema_node *negated; /* not */
    struct schema_nodes all_of, any_of, one_of;
    struct schema_names required;
    struct schema_names map_keys;
    char *pattern_text;
    struct schema_pattern *pattern;
    char *format;
};

struct cleat_api_schema {
    struct cleat_document *document; /* reference */
    struct schema_node *root;
};

const struct schema_node *schema_property_get(const struct schema_node *node, struct cleat_str key);
struct schema_node *schema_node_free(struct schema_node *node);

/** A regular expression in UTF mode with match limits. -EINVAL with @why. */
int schema_pattern_new(const char *text, struct schema_pattern **ret, char why[160]);
struct schema_pattern *schema_pattern_free(struct schema_pattern *pattern);
/** True where it matches anywhere; a match that runs into the limits counts as none. */
bool schema_pattern_matches(const struct schema_pattern *pattern, struct cleat_str text);

/** True where @text is in @format, or where the format isn't one that is checked. */
bool schema_format_matches(const char *format, struct cleat_str text);

#endif
