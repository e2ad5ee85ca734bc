/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of deploy/ that the build puts into the binary.
 */
#ifndef CLEAT_SERVER_EMBEDDED_H
#define CLEAT_SERVER_EMBEDDED_H

struct cleat_embedded {
    const char *path; /* below deploy/; NULL ends the table */
    const char *text; /* YAML */
};

/* The CRD first, then everything else in the order of installing. */
extern const struct cleat_embedded cleat_manifests[];

#endif
