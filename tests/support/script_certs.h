/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests, made on the spot: an EC key and a certificate that is a CA or a leaf.
 */
#ifndef CLEAT_TESTS_SCRIPT_CERTS_H
#define CLEAT_TESTS_SCRIPT_CERTS_H

#include <stdbool.h>
#include <stddef.h>

struct script_cert {
    char *cert_pem;
    char *key_pem;
};

struct script_cert_options {
    const char *name;                 /* common name */
    const char *alt_names;            /* "DNS:localhost,IP:127.0.0.1", or NULL */
    const struct script_cert *signer; /* NULL: by itself */
    bool ca;
    const char *purposes; /* of a leaf; NULL: "serverAuth,clientAuth" */
    long not_before_s;    /* from now; both 0: an hour ago to a day from now */
    long not_after_s;
};

/** Makes one; any failure ends the test. */
void script_cert_make(const struct script_cert_options *options, struct script_cert *ret);
/** Repeatable. */
void script_cert_fini(struct script_cert *cert);

#endif
