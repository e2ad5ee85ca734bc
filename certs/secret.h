/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Secret that holds certificate, key, CA and the CA's key: reading and writing its data.
 */
#ifndef CLEAT_CERTS_SECRET_H
#define CLEAT_CERTS_SECRET_H

#include <cleat/buffer.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/value.h>
#include "certs/authority.h"
#include "certs/plan.h"

/* The decoded data of a Secret; wiped at the end. */
struct cleat_secret_data {
    struct cleat_buffer cert;
    struct cleat_buffer key;
    struct cleat_buffer ca;
    struct cleat_buffer ca_key;
};

void cleat_secret_data_init(struct cleat_secret_data *data);
void cleat_secret_data_fini(struct cleat_secret_data *data);
/** Decodes what @secret has; what is missing or can't be decoded stays empty. 0 or -ENOMEM. */
int cleat_secret_data_read(struct cleat_secret_data *data,
                           struct cleat_value secret) CLEAT_MUST_CHECK;
/** A view of it for the plan. */
struct cleat_plan_state cleat_secret_data_state(const struct cleat_secret_data *data);
/** Sets the four values in a draft of a Secret. */
int cleat_secret_data_set(struct cleat_draft *draft, const struct cleat_authority *authority,
                          const struct cleat_bundle *bundle,
                          struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
