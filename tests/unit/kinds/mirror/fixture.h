/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from JSON with single quotes, for tables that can be read.
 */
#ifndef CLEAT_TESTS_KINDS_FIXTURE_H
#define CLEAT_TESTS_KINDS_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <cleat/object.h>

#include "kinds/mirror/spec.h"

#define FIXTURE_TEXT_BYTES 8192

/** The object that @json says; a new reference. */
static inline struct cleat_object *fixture_object(const char *json)
{
    char text[FIXTURE_TEXT_BYTES];
    struct cleat_object *object = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    size_t length = strlen(json);
    ck_assert_uint_lt(length, sizeof(text));
    for (size_t i = 0; i <= length; i++)
        text[i] = json[i];
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\'')
            text[i] = '"';
    ck_assert_msg(cleat_object_parse((struct cleat_str){text, length}, &object, &err) == 0,
                  "%s: %s", err.text, text);
    return object;
}

/** A Mirror `web` of uid u-1 with @spec. */
static inline struct cleat_object *fixture_mirror(const char *spec)
{
    char text[FIXTURE_TEXT_BYTES];
    (void)snprintf(text, sizeof(text),
                   "{'apiVersion':'cleat.dev/v1alpha1','kind':'Mirror','metadata':{'name':'web',"
                   "'uid':'u-1','generation':3},'spec':%s}",
                   spec);
    return fixture_object(text);
}

#define FIXTURE_SOURCE \
    "'source':{'apiVersion':'v1','kind':'Secret','namespace':'platform','name':'reg'}"

/** Reads the spec of @object; @ret is to be freed by fini. */
static inline void fixture_spec(const struct cleat_object *object, struct mirror_spec *ret)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat__mirror_spec_read(cleat_object_value(object), ret, &err) == 0, "%s",
                  err.text);
}

#endif
