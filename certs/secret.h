/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Secret that holds certificate, key, CAs and the newest CA's key, and in two annotations until
 * when leaves were issued: reading and writing them. Whatever it holds can be read.
 */
#ifndef CLEAT_CERTS_SECRET_H
#define CLEAT_CERTS_SECRET_H

#include <cleat/buffer.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/value.h>
#include "certs/plan.h"

/* RFC 3339: the last end of a leaf under the newest CA, and of one under the others. */
#define CLEAT_SECRET_NEWEST_UNTIL "cleat.dev/newest-ca-leaf-not-after"
#define CLEAT_SECRET_OLDER_UNTIL "cleat.dev/older-ca-leaf-not-after"

/* The decoded data of a Secret; wiped at the end. */
struct cleat_secret_data {
    struct cleat_buffer cert;
    struct cleat_buffer key;
    struct cleat_buffer ca;
    struct cleat_buffer ca_key;
    int64_t newest_until_unix_s; /* 0: not there, or not to be read */
    int64_t older_until_unix_s;
};

/* What a Secret is to hold; all borrowed. An until of 0 takes its annotation away. */
struct cleat_secret_content {
    struct cleat_str cert;
    struct cleat_str key;
    struct cleat_str ca;
    struct cleat_str ca_key;
    int64_t newest_until_unix_s;
    int64_t older_until_unix_s;
};

void cleat_secret_data_init(struct cleat_secret_data *data);
void cleat_secret_data_fini(struct cleat_secret_data *data);
/** Decodes what @secret has; what is missing or can't be decoded stays empty. 0 or -ENOMEM. */
int cleat_secret_data_read(struct cleat_secret_data *data,
                           struct cleat_value secret) CLEAT_MUST_CHECK;
/** Fills what the plan asks about the Secret; borrowed from @data. */
void cleat_secret_data_state(const struct cleat_secret_data *data, struct cleat_plan_state *state);
/** Sets the values and annotations in a draft of a Secret. */
int cleat_secret_content_set(struct cleat_draft *draft, const struct cleat_secret_content *content,
                             struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
