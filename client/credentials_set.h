/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the counted sets that client/credentials.h hands out.
 */
#ifndef CLEAT_CLIENT_CREDENTIALS_SET_H
#define CLEAT_CLIENT_CREDENTIALS_SET_H

#include "client/credentials.h"

/* What sets are made of; owned texts, each may be NULL. */
struct credentials_parts {
    char *token;
    char *basic; /* base64 of "username:password" */
    char *cert_pem;
    char *key_pem;
    char *ca_pem;
};

/** Wipes and frees; repeatable. */
void cleat__credentials_parts_fini(struct credentials_parts *parts);
/**
 * A set of copies of @parts. Its numbers go on from those of @before (NULL: the first), where
 * something differs. Where nothing does, @ret is another reference to @before. 0 or -ENOMEM.
 */
int cleat__credentials_set_make(const struct credentials_parts *parts,
                                const struct cleat_credentials_set *before,
                                const struct cleat_credentials_set **ret) CLEAT_MUST_CHECK;

#endif
