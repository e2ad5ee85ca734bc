/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes in front of and behind a record's tail, for one resource, version and form.
 */
#ifndef CLEAT_APISERVER_HEADS_H
#define CLEAT_APISERVER_HEADS_H

#include "apiserver/request.h"

#define CLEAT_API_HEAD_BYTES 512

struct cleat_api_heads {
    bool partial;                      /* metadata only */
    char object[CLEAT_API_HEAD_BYTES]; /* {"kind":…,"apiVersion":…, */
    char item[CLEAT_API_HEAD_BYTES];   /* the same inside a list: { where the kind is built in */
    char list[CLEAT_API_HEAD_BYTES];   /* {"kind":…List,"apiVersion":…, */
    const char *close;                 /* behind the metadata of a partial object */
};

void cleat_api_heads_init(struct cleat_api_heads *heads, const struct cleat_api_request *request);

/** The part of the tail that is sent. */
static inline struct cleat_str cleat_api_heads_tail(const struct cleat_api_heads *heads,
                                                    const struct cleat_api_record *record)
{
    return (struct cleat_str){record->tail,
                              heads->partial ? record->meta_length : record->tail_length};
}

#endif
