/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource versions of requests: parsing, and the refusals that belong to them.
 */
#ifndef CLEAT_APISERVER_VERSION_H
#define CLEAT_APISERVER_VERSION_H

#include "apiserver/request.h"

/** Reads the request's resourceVersion ("" is 0). 400 where it's no number. */
int cleat_api_version_read(struct cleat_str text, uint64_t *ret,
                           struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** 504 Timeout with its cause where @version lies in the future. */
int cleat_api_version_reached(uint64_t version, uint64_t revision,
                              struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

/* What a continue token holds. */
struct cleat_api_token {
    uint64_t revision; /* 0: the rest as it is now (after an expired token) */
    uint64_t left;     /* how many are still to come; 0: not known */
    char after[640];   /* key */
};

/** Appends the token's text. */
void cleat_api_token_write(const struct cleat_api_token *token, struct cleat_buffer *buffer);
/** 400 for anything that isn't one of ours. */
int cleat_api_token_read(struct cleat_str text, struct cleat_api_token *ret,
                         struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

#endif
